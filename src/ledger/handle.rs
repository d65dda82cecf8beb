//! The ledger as the rest of the router sees it: a handle to the writer task and a reader.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::marks::{self, Marks};
use super::reservation::{Finish, Reservation};
use super::standby::Standby;
use super::view::LedgerView;
use super::writer::{self, Message, Wish};
use super::{
    Ask, BudgetError, BudgetSettings, Group, Headroom, KeyBudget, KeyHeadroom, Period,
    RequestRecord, UsagePart, Warning, account, recovery, window,
};
use crate::clock::Clock;
use crate::ids::KeyId;
use crate::store::ledger::WindowRow;
use crate::store::{StoreError, Writer};

/// Wishes and records that may wait for the writer.
const QUEUE: usize = 4096;
/// How long a record may wait for a place in that queue before it is dropped.
const RECORD_PATIENCE: Duration = Duration::from_secs(3);
/// Warnings that may wait to be taken.
const WARNINGS: usize = 64;
/// How long a question waits for what is queued to be written.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// A cheap clone of one open ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    common: Arc<Common>,
    intake: mpsc::Sender<Message>,
    /// Never sent on from here: keeps the writer running.
    _finishes: mpsc::UnboundedSender<Finish>,
    /// Until somebody takes them.
    warnings: Arc<Mutex<Option<mpsc::Receiver<Warning>>>>,
    view: LedgerView,
}

/// What handle, writer and reservations share.
#[derive(Debug)]
pub(super) struct Common {
    pub clock: Arc<dyn Clock>,
    pub settings: ArcSwap<BudgetSettings>,
    /// As of the writer's last commit.
    pub recent: ArcSwap<Headroom>,
    /// The same of client keys that were seen lately: their current day and month.
    pub recent_keys: Mutex<HashMap<KeyId, [WindowRow; 2]>>,
    /// Set once the file is open for writing.
    pub marks: OnceLock<Marks>,
    /// Why the file cannot be used at this moment.
    pub fault: ArcSwapOption<StoreError>,
    pub directory: PathBuf,
    /// This opening of the ledger, among all there ever were.
    pub instance: i64,
    pub last_seq: AtomicI64,
    pub lost_records: AtomicU64,
    warnings: mpsc::Sender<Warning>,
}

impl Ledger {
    /// Opens the ledger at `path` (its directory is made if missing), brings its schema up to date,
    /// and settles what dead processes left behind. Needs a tokio runtime, on which the writer runs.
    pub async fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        settings: BudgetSettings,
    ) -> Result<Self, StoreError> {
        let (ledger, inlets) = Self::assemble(path, clock, settings);
        let common = Arc::clone(&ledger.common);
        let stores = take_over(path.to_owned(), common.clone(), ledger.view.clone()).await?;
        writer::start(stores, common, inlets, Vec::new());
        Ok(ledger)
    }

    /// Like [`open`](Self::open), but a file that cannot be used (locked, damaged, on a disk that is
    /// full or read-only) does not keep the router from starting: reservations are refused with that
    /// error, so that what is free goes on, and the file is tried again every few seconds.
    ///
    /// # Errors
    /// The file is another version's: waiting does not help.
    pub async fn open_or_stand_by(
        path: &Path,
        clock: Arc<dyn Clock>,
        settings: BudgetSettings,
    ) -> Result<Self, StoreError> {
        let (ledger, inlets) = Self::assemble(path, clock, settings);
        let common = Arc::clone(&ledger.common);
        match take_over(path.to_owned(), common.clone(), ledger.view.clone()).await {
            Ok(stores) => writer::start(stores, common, inlets, Vec::new()),
            Err(error @ (StoreError::Newer | StoreError::Migration(_))) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "until the ledger can be used, only free models serve");
                common.fault.store(Some(Arc::new(error)));
                let standby = Standby::new(path.to_owned(), common, ledger.view.clone(), inlets);
                tokio::spawn(standby.run());
            }
        }
        Ok(ledger)
    }

    fn assemble(
        path: &Path,
        clock: Arc<dyn Clock>,
        settings: BudgetSettings,
    ) -> (Self, writer::Inlets) {
        let recent = Headroom::untouched(&settings, clock.now());
        let (warnings, passed) = mpsc::channel(WARNINGS);
        let common = Arc::new(Common {
            clock,
            settings: ArcSwap::from_pointee(settings),
            recent: ArcSwap::from_pointee(recent),
            recent_keys: Mutex::default(),
            marks: OnceLock::new(),
            fault: ArcSwapOption::empty(),
            directory: marks::directory(path),
            instance: fresh_instance(),
            last_seq: AtomicI64::new(0),
            lost_records: AtomicU64::new(0),
            warnings,
        });
        let (intake, messages) = mpsc::channel(QUEUE);
        // Not bounded by itself, but by the reservations: each is finished once.
        let (finishes, finished) = mpsc::unbounded_channel();
        let inlets = writer::Inlets { messages, finished, mint: finishes.downgrade() };
        let view = LedgerView::beside(path);
        let warnings = Arc::new(Mutex::new(Some(passed)));
        (Self { common, intake, _finishes: finishes, warnings, view }, inlets)
    }

    /// Why the file cannot be used at this moment; `None`: it can.
    pub fn fault(&self) -> Option<Arc<StoreError>> {
        self.common.fault.load_full()
    }

    /// New limits hold from the next reservation on; a new time zone makes new windows out of what
    /// has been spent in them.
    pub fn set_settings(&self, settings: BudgetSettings) {
        let mut recent = Headroom::clone(&self.common.recent.load());
        recent.daily.limit = settings.daily;
        recent.monthly.limit = settings.monthly;
        recent.per_request = settings.per_request;
        self.common.settings.store(Arc::new(settings));
        self.common.recent.store(Arc::new(recent));
        self.common.recent_keys.lock().clear();
        // A full queue means that the writer is about to look anyway.
        let _ = self.intake.try_send(Message::Refresh);
    }

    /// One consistent snapshot from the database.
    pub async fn headroom(&self) -> Result<Headroom, StoreError> {
        self.view.headroom(&self.common.settings.load_full(), self.common.clock.now()).await
    }

    /// As of the writer's last commit, without a wait; a window that has begun since is empty.
    pub fn recent_headroom(&self) -> Arc<Headroom> {
        let recent = self.common.recent.load_full();
        let now = self.common.clock.now();
        if now < recent.daily.resets_at {
            return recent;
        }
        Arc::new(account::roll(&recent, now, &self.common.settings.load()))
    }

    /// [`recent_headroom`](Self::recent_headroom) with the windows of the caller's key. Reads the file
    /// where the key has not been seen lately.
    ///
    /// # Errors
    /// The key's windows had to be read, and cannot be.
    pub async fn recent_headroom_of(
        &self,
        own: Option<&KeyBudget>,
    ) -> Result<Arc<Headroom>, StoreError> {
        let global = self.recent_headroom();
        let Some(own) = own else { return Ok(global) };
        let (settings, now) = (self.common.settings.load_full(), self.common.clock.now());
        let at = window::micros(now);
        let of_today = |rows: &[WindowRow; 2]| rows.iter().all(|row| row.contains(at));
        let known = self.common.recent_keys.lock().get(&own.id).cloned();
        let rows = match known.filter(of_today) {
            Some(rows) => rows,
            None => {
                let read = self.view.key_windows(&own.id, &settings, now).await?;
                let mut recent = self.common.recent_keys.lock();
                let rows = recent.entry(own.id.clone()).or_insert_with(|| read.clone());
                // What the writer has put there meanwhile is newer.
                if !of_today(rows) {
                    *rows = read;
                }
                rows.clone()
            }
        };
        let key = Some(account::of_key([&rows[0], &rows[1]], own));
        Ok(Arc::new(Headroom { key, ..Headroom::clone(&global) }))
    }

    /// Day and month of a client key, read from the database.
    pub async fn key_headroom(&self, own: &KeyBudget) -> Result<KeyHeadroom, StoreError> {
        self.view
            .key_headroom(own, &self.common.settings.load_full(), self.common.clock.now())
            .await
    }

    /// Takes `ask.ceiling` out of the budget, and out of that of the caller's key. Waits, up to `settings.wait`, only if other requests'
    /// reservations are all that is in the way; whoever waits longest is asked first when some of
    /// them end.
    ///
    /// # Errors
    /// [`BudgetError`] says which limit has no room, or that the ledger cannot be written.
    pub async fn reserve(&self, ask: Ask) -> Result<Reservation, BudgetError> {
        let settings = self.common.settings.load();
        if let Some(limit) = settings.per_request
            && ask.ceiling > limit
        {
            return Err(BudgetError::PerRequest { limit, asked: ask.ceiling });
        }
        let deadline = tokio::time::Instant::now() + settings.wait;
        drop(settings);
        let (reply, answer) = oneshot::channel();
        let wish = Box::new(Wish { ask, reply, deadline });
        self.intake.send(Message::Reserve(wish)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Writes down a request that has no reservation (a free model, an error). Returns when it is
    /// queued; it is in the file within a fraction of a second.
    pub async fn record(&self, record: RequestRecord) {
        let message = Message::Record(Box::new(record.into()));
        if self.intake.send_timeout(message, RECORD_PATIENCE).await.is_err() {
            let lost = self.common.lost_records.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(
                lost,
                "the ledger does not keep up: a request without cost is not recorded"
            );
        }
    }

    /// Requests that started at or after `since`, newest first, at most `limit`. Sees everything
    /// that was recorded before the call.
    pub async fn requests(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<RequestRecord>, StoreError> {
        self.flush().await;
        self.view.requests(since, limit).await
    }

    /// See [`LedgerView::usage`]. Sees everything that was recorded before the call.
    pub async fn usage(
        &self,
        period: Period<'_>,
        groups: &[Group],
        key: Option<&KeyId>,
    ) -> Result<Vec<UsagePart>, StoreError> {
        // What a stuck writer holds is left out.
        let _ = tokio::time::timeout(FLUSH_PATIENCE, self.flush()).await;
        self.view.usage(period, groups, key).await
    }

    /// For questions that need no writer.
    pub fn view(&self) -> &LedgerView {
        &self.view
    }

    /// Records that found no place in the queue since the start.
    pub fn lost_records(&self) -> u64 {
        self.common.lost_records.load(Ordering::Relaxed)
    }

    async fn flush(&self) {
        let (reply, answer) = oneshot::channel();
        if self.intake.send(Message::Flush(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// Every step of a limit that is passed from now on, for whoever asks first. What nobody takes
    /// is dropped beyond the first [`WARNINGS`]; all are in the log.
    pub fn warnings(&self) -> Option<mpsc::Receiver<Warning>> {
        self.warnings.lock().take()
    }

    /// Writes what is queued and closes the file. Reservations that are still open are settled by
    /// the next opening.
    pub async fn close(&self) {
        // The writer closes last: only then does SQLite fold its log into the file.
        self.view.close().await;
        let (reply, answer) = oneshot::channel();
        if self.intake.send(Message::Close(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }
}

impl Common {
    /// Tells of steps that a transaction has passed, once it is written.
    pub(super) fn warn(&self, warnings: Vec<Warning>) {
        for warning in warnings {
            let Warning { key, percent, limit, spent, resets_at, .. } = &warning;
            tracing::warn!(
                key = key.as_deref(),
                window = warning.window(),
                percent,
                limit_usd = %limit,
                spent_usd = %spent,
                %resets_at,
                "{warning}"
            );
            if self.warnings.try_send(warning).is_err() {
                tracing::debug!("nobody takes the warnings");
            }
        }
    }
}

/// Opens the file for this instance: settles what dead processes left behind, and reads where the
/// windows stand. Returns the connection that writes and the one that moves pages.
pub(super) async fn take_over(
    path: PathBuf,
    common: Arc<Common>,
    view: LedgerView,
) -> Result<(Writer, Writer), StoreError> {
    let (opening, mut store) = open_alone(&path).await?;
    let pages = store.sibling().await?;
    let marks = Marks::claim(&common.directory, common.instance)?;
    let recovered = recovery::recover(&mut store, &common).await;
    let settings = common.settings.load_full();
    let recent = match recovered.and_then(|()| Ok(marks::sweep(&common.directory)?)) {
        Ok(()) => view.headroom(&settings, common.clock.now()).await,
        Err(error) => Err(error),
    };
    drop(opening);
    match recent {
        Ok(recent) => common.recent.store(Arc::new(recent)),
        Err(error) => {
            marks.remove();
            return Err(error);
        }
    }
    // Nobody else sets it: a handle is opened once.
    let _ = common.marks.set(marks);
    Ok((store, pages))
}

/// A connection that writes what stands beside the money in the ledger's file (client keys), also
/// while a router uses the file. The file is made and brought up to date if need be.
pub async fn open_beside(path: &Path) -> Result<Writer, StoreError> {
    open_alone(path).await.map(|(_, store)| store)
}

/// Opens the file while no other process is opening it; the lock lasts as long as the first value.
async fn open_alone(path: &Path) -> Result<(std::fs::File, Writer), StoreError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let directory = marks::directory(path);
    let opening = in_background(move || marks::opening(&directory)).await?;
    let store = Writer::open(path).await?;
    Ok((opening, store))
}

/// Drops the sign so that the number reads well in file names.
fn fresh_instance() -> i64 {
    let (high, low) = uuid::Uuid::now_v7().as_u64_pair();
    i64::try_from((high.rotate_left(32) ^ low) >> 1).unwrap_or(i64::MAX)
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(StoreError::Closed),
    }
}

/// The moment of a reservation as the store has it.
pub(super) fn now(common: &Common) -> i64 {
    window::micros(common.clock.now())
}
