//! Holds the writer's place while the ledger's file cannot be used: refuses money, keeps records,
//! tries the file again. Gives way to the writer once that succeeds.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::handle::{Common, take_over};
use super::view::LedgerView;
use super::writer::{self, Inlets, Message};
use crate::store::requests::RequestRow;
use crate::store::{StoreError, Writer};

/// Between two attempts to open the file.
const RETRY: Duration = Duration::from_secs(2);
/// Records that are kept meanwhile.
const ROOM: usize = 10_000;

pub(super) struct Standby {
    path: PathBuf,
    common: Arc<Common>,
    view: LedgerView,
    inlets: Inlets,
    records: Vec<RequestRow>,
}

impl Standby {
    /// `common.fault` says why.
    pub(super) fn new(
        path: PathBuf,
        common: Arc<Common>,
        view: LedgerView,
        inlets: Inlets,
    ) -> Self {
        Self { path, common, view, inlets, records: Vec::new() }
    }

    /// Ends when the file could be opened, on [`Message::Close`], or when every handle is gone.
    pub(super) async fn run(mut self) {
        let (path, common, view) = (self.path.clone(), Arc::clone(&self.common), self.view.clone());
        let opening = open_at_last(path, common, view);
        tokio::pin!(opening);
        let stores = loop {
            tokio::select! {
                biased;
                stores = &mut opening => break stores,
                message = self.inlets.messages.recv() => match message {
                    None => return,
                    Some(Message::Close(reply)) => {
                        let _ = reply.send(());
                        return;
                    }
                    Some(message) => self.take(message),
                },
            }
        };
        self.common.fault.store(None);
        tracing::info!("the ledger can be used");
        writer::start(stores, self.common, self.inlets, self.records);
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Reserve(wish) => {
                let _ = wish.reply.send(Err(self.why().into()));
            }
            Message::Record(row) if self.records.len() < ROOM => self.records.push(*row),
            Message::Record(_) => {
                self.common.lost_records.fetch_add(1, Ordering::Relaxed);
            }
            Message::Flush(reply) | Message::Close(reply) => {
                let _ = reply.send(());
            }
            Message::Refresh => {}
        }
    }

    fn why(&self) -> StoreError {
        self.common.fault.load_full().map_or(StoreError::Closed, |error| StoreError::clone(&error))
    }
}

async fn open_at_last(path: PathBuf, common: Arc<Common>, view: LedgerView) -> (Writer, Writer) {
    loop {
        tokio::time::sleep(RETRY).await;
        let (path, ours, view) = (path.clone(), Arc::clone(&common), view.clone());
        // On a thread of its own: the compiler cannot see that migrations may move between threads.
        let handle = tokio::runtime::Handle::current();
        let attempt = move || handle.block_on(take_over(path, ours, view));
        match tokio::task::spawn_blocking(attempt).await.unwrap_or(Err(StoreError::Closed)) {
            Ok(stores) => return stores,
            Err(error) => {
                tracing::debug!(%error, "the ledger still cannot be used");
                common.fault.store(Some(Arc::new(error)));
            }
        }
    }
}
