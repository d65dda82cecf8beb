//! The task that owns the file: opens it, writes to it, tries again when it cannot be used.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::shared::Shared;
use crate::store::StoreError;
use crate::store::context::{BlockRow, Commit, Committed, ContextReader, ContextWriter, FileError};

/// Changes that may wait.
pub(super) const QUEUE: usize = 256;
/// Blocks that are kept while the file cannot be written.
const UNWRITTEN: usize = 1_000;
/// Between two looks at what is idle.
const ROUND: Duration = Duration::from_secs(60);
/// Between two attempts while the file cannot be used.
const RETRY: Duration = Duration::from_secs(2);
/// Between two sweeps.
const SWEEP: Duration = Duration::from_secs(3600);
/// How long what nobody adds to is kept.
const EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes of all blocks in the file.
const BLOCK_BYTES: i64 = 256 << 20;

pub(super) enum Message {
    Commit(Box<Commit>, oneshot::Sender<Result<Committed, FileError>>),
    Remove(Arc<str>, oneshot::Sender<Result<bool, FileError>>),
    Freeze(Box<BlockRow>),
    Close(oneshot::Sender<()>),
}

struct Keeper {
    shared: Arc<Shared>,
    intake: mpsc::Receiver<Message>,
    writer: Option<ContextWriter>,
    /// Oldest first.
    unwritten: VecDeque<BlockRow>,
    next_round: Instant,
    next_sweep: Instant,
}

/// Spawns the task. It opens the file if there is one, says so on `opened`, and ends on
/// [`Message::Close`] or when every sender is gone.
pub(super) fn start(
    shared: Arc<Shared>,
    intake: mpsc::Receiver<Message>,
    opened: oneshot::Sender<()>,
) {
    let now = Instant::now();
    let keeper = Keeper {
        shared,
        intake,
        writer: None,
        unwritten: VecDeque::new(),
        next_round: now + RETRY,
        next_sweep: now + RETRY,
    };
    tokio::spawn(keeper.run(opened));
}

impl Keeper {
    async fn run(mut self, opened: oneshot::Sender<()>) {
        self.look().await;
        let _ = opened.send(());
        loop {
            let message = tokio::select! {
                biased;
                message = self.intake.recv() => message,
                () = tokio::time::sleep_until(self.next_round) => {
                    self.tend().await;
                    continue;
                }
            };
            match message {
                Some(Message::Close(reply)) => {
                    self.finish().await;
                    let _ = reply.send(());
                    return;
                }
                Some(message) => self.take(message).await,
                None => return self.finish().await,
            }
        }
    }

    /// Opens the file if there is one: another process may have made it.
    async fn look(&mut self) {
        if self.writer.is_none() && tokio::fs::try_exists(&self.shared.path).await.unwrap_or(true) {
            let attempt = self.open().await;
            let _ = self.note(attempt);
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Commit(commit, reply) => {
                let done = self.commit(&commit).await;
                let _ = reply.send(self.note(done));
            }
            Message::Remove(project, reply) => {
                // Blocks of it that wait are for nothing.
                self.unwritten.retain(|row| row.project != *project);
                let done = self.remove(&project).await;
                let _ = reply.send(self.note(done));
            }
            Message::Freeze(row) => {
                self.keep(*row);
                if self.intake.is_empty() || self.unwritten.len() >= QUEUE {
                    self.write_blocks().await;
                }
                return;
            }
            Message::Close(reply) => drop(reply.send(())),
        }
        self.write_blocks().await;
    }

    async fn commit(&mut self, commit: &Commit) -> Result<Committed, FileError> {
        self.ready().await?.commit(commit).await
    }

    async fn remove(&mut self, project: &str) -> Result<bool, FileError> {
        self.ready().await?.remove(project).await
    }

    fn keep(&mut self, row: BlockRow) {
        if self.unwritten.len() >= UNWRITTEN {
            self.unwritten.pop_front();
        }
        self.unwritten.push_back(row);
    }

    /// Writes blocks that wait, if the file can be used.
    async fn write_blocks(&mut self) {
        if self.unwritten.is_empty() || self.shared.fault.load().is_some() {
            return;
        }
        let rows: Vec<BlockRow> = self.unwritten.drain(..).collect();
        let written = match self.ready().await {
            Ok(writer) => writer.freeze(&rows).await,
            Err(error) => Err(error),
        };
        if self.note(written).is_err() {
            self.unwritten.extend(rows);
        }
    }

    /// The open file; it is made if it is missing.
    async fn ready(&mut self) -> Result<&mut ContextWriter, FileError> {
        if self.writer.is_none() {
            self.open().await?;
        }
        self.writer.as_mut().ok_or(FileError(StoreError::Closed))
    }

    async fn open(&mut self) -> Result<(), FileError> {
        // On a thread of its own: the compiler cannot see that migrations may move between threads.
        let (handle, path) = (tokio::runtime::Handle::current(), self.shared.path.clone());
        let attempt = move || handle.block_on(ContextWriter::open(&path));
        let opened = tokio::task::spawn_blocking(attempt).await;
        let writer = opened.unwrap_or(Err(FileError(StoreError::Closed)))?;
        let reader = ContextReader::new(&self.shared.path);
        self.shared.adopt(&reader.projects().await?);
        if let Some(old) = self.shared.reader.swap(Some(Arc::new(reader))) {
            old.close().await;
        }
        self.writer = Some(writer);
        Ok(())
    }

    /// Remembers and says whether the file can be used.
    fn note<T>(&mut self, result: Result<T, FileError>) -> Result<T, FileError> {
        match &result {
            Ok(_) => self.shared.recover(),
            Err(error) => {
                self.shared.fail(error);
                self.next_round = Instant::now() + RETRY;
                // SQLite may have ended the transaction or not, and by the next attempt the file may be
                // another one.
                self.writer = None;
            }
        }
        result
    }

    async fn tend(&mut self) {
        let now = Instant::now();
        self.next_round = now + ROUND;
        if self.shared.fault.load().is_some() {
            let probed = match self.ready().await {
                Ok(writer) => writer.probe().await,
                Err(error) => Err(error),
            };
            if self.note(probed).is_err() {
                return;
            }
        }
        self.look().await;
        self.write_blocks().await;
        self.shared.evict();
        if self.next_sweep <= now
            && let Some(writer) = &mut self.writer
        {
            self.next_sweep = now + SWEEP;
            let before = self.shared.clock.now().as_microsecond();
            let expiry = i64::try_from(EXPIRY.as_micros()).unwrap_or(i64::MAX);
            let swept = writer.sweep(before.saturating_sub(expiry), BLOCK_BYTES).await;
            let _ = self.note(swept);
        }
    }

    /// Writes what is left and closes the file.
    async fn finish(mut self) {
        self.intake.close();
        while let Some(message) = self.intake.recv().await {
            self.take(message).await;
        }
        self.write_blocks().await;
        if let Some(reader) = self.shared.reader.swap(None) {
            reader.close().await;
        }
        if let Some(writer) = self.writer
            && let Err(error) = writer.close().await
        {
            tracing::warn!(%error, "context.sqlite did not close cleanly");
        }
    }
}
