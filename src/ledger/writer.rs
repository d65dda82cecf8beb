//! The task that owns the write connection. It takes what has gathered while it was busy, decides
//! and commits it as one transaction, and answers everybody.

mod backlog;
mod checkpoint;
mod draft;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::backlog::Backlog;
use self::draft::{Verdict, Work};
use self::transaction::Memory;
use super::books::Refusal;
use super::handle::Common;
use super::reservation::{Finish, Reservation};
use super::{Ask, BudgetError, recovery};
use crate::store::Writer;
use crate::store::ledger::Period;
use crate::store::requests::RequestRow;

/// Operations in one transaction.
const BATCH: usize = 512;
/// Requests without cost are written together: they wait this long for company.
const LINGER: Duration = Duration::from_millis(25);
/// Another process's settlements are seen only by looking.
const POLL: Duration = Duration::from_millis(250);
/// Between looks for dead instances and for what other processes have spent.
const ROUND: Duration = Duration::from_mins(1);
/// Wishes that may wait for others' reservations to end; further ones are refused at once.
const WAITING: usize = 1024;

pub(super) enum Message {
    Reserve(Box<Wish>),
    Record(Box<RequestRow>),
    /// Settings have changed.
    Refresh,
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

pub(super) struct Wish {
    pub ask: Ask,
    pub reply: oneshot::Sender<Result<Reservation, BudgetError>>,
    pub deadline: Instant,
}

/// Where work comes from. Ends of reservations have a way of their own, so that they never queue
/// behind wishes that wait for them.
pub(super) struct Inlets {
    pub messages: mpsc::Receiver<Message>,
    pub finished: mpsc::UnboundedReceiver<Finish>,
    /// Makes new reservations without keeping the channel open.
    pub mint: mpsc::WeakUnboundedSender<Finish>,
}

#[derive(Default)]
struct Batch {
    finishes: Vec<Finish>,
    wishes: Vec<Wish>,
    flushes: Vec<oneshot::Sender<()>>,
    /// Something besides records asks for a transaction now.
    urgent: Urgency,
    end: Option<End>,
}

/// Whom to tell that the writer has ended, if anybody.
type End = Option<oneshot::Sender<()>>;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Urgency {
    #[default]
    CanWait,
    Now,
}

struct Desk {
    store: Writer,
    common: Arc<Common>,
    inlets: Inlets,
    /// Handles to the ledger exist.
    has_handles: bool,
    /// In the order of their arrival.
    waiting: Vec<Wish>,
    records: Vec<RequestRow>,
    records_due: Option<Instant>,
    backlog: Backlog,
    memory: Option<Memory>,
    next_round: Instant,
    checkpoints: checkpoint::Handle,
}

/// Spawns the task. It ends on [`Message::Close`], or when every handle and reservation is gone.
/// `records`: what could not be written so far.
pub(super) fn start(
    (store, pages): (Writer, Writer),
    common: Arc<Common>,
    inlets: Inlets,
    records: Vec<RequestRow>,
) {
    let checkpoints = checkpoint::start(pages);
    let records_due = (!records.is_empty()).then(Instant::now);
    let desk = Desk {
        store,
        common,
        inlets,
        has_handles: true,
        waiting: Vec::new(),
        records,
        records_due,
        backlog: Backlog::default(),
        memory: None,
        next_round: Instant::now() + ROUND,
        checkpoints,
    };
    tokio::spawn(desk.run());
}

impl Desk {
    async fn run(mut self) {
        // The first transaction leaves totals of the current windows: from then on nobody sums rows.
        self.write(Batch::default()).await;
        loop {
            let mut batch = self.gather().await;
            let end = batch.end.take();
            self.tend(batch).await;
            if let Some(whom) = end {
                return self.finish(whom).await;
            }
        }
    }

    /// Writes what is left and closes the file.
    async fn finish(mut self, whom: End) {
        self.inlets.messages.close();
        self.inlets.finished.close();
        loop {
            let mut batch = Batch { urgent: Urgency::Now, ..Batch::default() };
            self.drain(&mut batch);
            let last = batch.finishes.is_empty() && batch.wishes.is_empty();
            self.write(batch).await;
            if last {
                break;
            }
        }
        self.catch_up().await;
        self.waiting.clear();
        if self.store.open_count(self.common.instance).await.is_ok_and(|open| open == 0) {
            self.common.marks.get().inspect(|marks| marks.remove());
        }
        self.checkpoints.stop().await;
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the ledger did not close cleanly");
        }
        if let Some(whom) = whom {
            let _ = whom.send(());
        }
    }

    fn wake(&self) -> Instant {
        let now = Instant::now();
        let waiting = self.waiting.iter().map(|wish| wish.deadline.min(now + POLL)).min();
        [waiting, self.records_due, self.backlog.due(), Some(self.next_round)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now)
    }

    /// Waits for the first thing to do, and takes along whatever else is there.
    async fn gather(&mut self) -> Batch {
        let mut batch = Batch::default();
        let wake = self.wake();
        tokio::select! {
            biased;
            finish = self.inlets.finished.recv() => match finish {
                Some(finish) => batch.finishes.push(finish),
                None => batch.end = Some(None),
            },
            message = self.inlets.messages.recv(), if self.has_handles => match message {
                Some(message) => self.take(message, &mut batch),
                None => self.has_handles = false,
            },
            () = tokio::time::sleep_until(wake) => {}
        }
        self.drain(&mut batch);
        batch
    }

    fn drain(&mut self, batch: &mut Batch) {
        let mut room = BATCH;
        while room > 0
            && let Ok(message) = self.inlets.messages.try_recv()
        {
            room -= 1;
            self.take(message, batch);
        }
        // After the messages, so that what was released before a wish was sent is seen with it.
        let mut room = BATCH;
        while room > 0
            && let Ok(finish) = self.inlets.finished.try_recv()
        {
            room -= 1;
            batch.finishes.push(finish);
        }
    }

    fn take(&mut self, message: Message, batch: &mut Batch) {
        match message {
            Message::Reserve(wish) => batch.wishes.push(*wish),
            Message::Record(row) => {
                self.records.push(*row);
                self.records_due.get_or_insert_with(|| Instant::now() + LINGER);
                return;
            }
            Message::Refresh => {}
            Message::Flush(reply) => batch.flushes.push(reply),
            Message::Close(reply) => batch.end = Some(Some(reply)),
        }
        batch.urgent = Urgency::Now;
    }

    async fn tend(&mut self, batch: Batch) {
        let moment = Instant::now();
        if self.backlog.due().is_some_and(|due| due <= moment) {
            self.catch_up().await;
        }
        if self.next_round <= moment {
            self.next_round = moment + ROUND;
            self.memory = None;
            self.common.recent_keys.lock().clear();
            if let Err(error) = recovery::recover(&mut self.store, &self.common).await {
                tracing::warn!(%error, "cannot look for reservations of dead processes");
            }
        } else if batch.finishes.is_empty()
            && batch.urgent == Urgency::CanWait
            && self.waiting.is_empty()
            && self.records.len() < BATCH
            && self.records_due.is_none_or(|due| moment < due)
        {
            return;
        }
        self.write(batch).await;
    }

    async fn write(&mut self, batch: Batch) {
        let mut wishes = std::mem::take(&mut self.waiting);
        wishes.extend(batch.wishes);
        // Whoever has gone does not need the money.
        wishes.retain(|wish| !wish.reply.is_closed());
        let records = std::mem::take(&mut self.records);
        self.records_due = None;
        let work = Work { finishes: &batch.finishes, wishes: &wishes, records: &records };
        match self.transact(work).await {
            Ok(verdicts) => {
                self.backlog.the_file_works();
                if self.common.fault.load().is_some() {
                    self.common.fault.store(None);
                }
                for finish in batch.finishes {
                    conclude(&self.common, finish);
                }
                for (wish, verdict) in wishes.into_iter().zip(verdicts) {
                    self.answer(wish, verdict);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the ledger cannot be written");
                self.common.fault.store(Some(Arc::new(error.clone())));
                for wish in wishes {
                    let _ = wish.reply.send(Err(error.clone().into()));
                }
                let lost = self.backlog.keep(batch.finishes, records, &error);
                self.common.lost_records.fetch_add(lost, Ordering::Relaxed);
            }
        }
        for reply in batch.flushes {
            let _ = reply.send(());
        }
    }

    fn answer(&mut self, wish: Wish, verdict: Verdict) {
        let refusal = match verdict {
            Ok(grant) => {
                if let Some(finishes) = self.inlets.mint.upgrade() {
                    let reservation = Reservation::new(Arc::clone(&self.common), finishes, grant);
                    // If nobody listens any more, the reservation comes back and releases itself.
                    let _ = wish.reply.send(Ok(reservation));
                }
                return;
            }
            Err(refusal) => refusal,
        };
        let may_wait = refusal.exceeded.by_reservations_only() && Instant::now() < wish.deadline;
        if may_wait && self.waiting.len() < WAITING {
            self.waiting.push(wish);
        } else {
            let _ = wish.reply.send(Err(refusal.into()));
        }
    }

    /// Tries again what could not be written.
    async fn catch_up(&mut self) {
        while let Some((finishes, records)) = self.backlog.take(BATCH) {
            // Some of it may have happened already; only the file knows.
            self.memory = None;
            let work = Work { finishes: &finishes, wishes: &[], records: &records };
            if let Err(error) = self.transact(work).await {
                self.backlog.put_back(finishes, records);
                tracing::warn!(%error, left = self.backlog.len(), "the ledger still cannot be written");
                return;
            }
            for finish in finishes {
                conclude(&self.common, finish);
            }
        }
    }
}

/// A reservation has left the database.
fn conclude(common: &Common, finish: Finish) {
    if let (Some(slot), Some(marks)) = (finish.slot, common.marks.get()) {
        marks.free(slot);
    }
    if let Some(reply) = finish.reply {
        let _ = reply.send(Ok(()));
    }
}

impl From<Refusal> for BudgetError {
    fn from(refusal: Refusal) -> Self {
        match refusal.period {
            Period::Day => Self::Daily(refusal.exceeded),
            Period::Month => Self::Monthly(refusal.exceeded),
        }
    }
}
