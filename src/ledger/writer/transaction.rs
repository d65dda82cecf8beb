//! One transaction from its first read to its commit, in one round trip where that is safe.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Desk;
use super::draft::{Draft, Known, Verdict, Work};
use crate::ledger::books::Books;
use crate::ledger::handle::now;
use crate::ledger::view::GLOBAL;
use crate::ledger::{BudgetSettings, window};
use crate::store::StoreError;
use crate::store::ledger::{Committed, Start, Wanted, WindowRow};

/// Windows that ended this long ago (in microseconds) are still looked at, lest a clock that is set
/// back during a transaction find one missing.
const SLACK: i64 = 3_600_000_000;

/// What the last transaction left in the file.
pub(super) struct Memory {
    version: i64,
    /// Windows that end later than this are known.
    since: i64,
    windows: Vec<WindowRow>,
}

impl Desk {
    /// One transaction. What is remembered of the last one serves only if the file proves, inside
    /// this one, that nobody has written since.
    pub(super) async fn transact(&mut self, work: Work<'_>) -> Result<Vec<Verdict>, StoreError> {
        let first = self.common.last_seq.load(Ordering::Relaxed);
        let result = self.attempt(&work).await;
        if let Err(error) = &result {
            self.store.rollback().await;
            if error.connection_died() {
                let _ = self.store.reconnect().await;
            }
            // A commit that failed may have happened all the same.
            let last = self.common.last_seq.load(Ordering::Relaxed);
            self.backlog.undo((first + 1)..=last, now(&self.common));
        }
        result
    }

    async fn attempt(&mut self, work: &Work<'_>) -> Result<Vec<Verdict>, StoreError> {
        let settings = self.common.settings.load_full();
        let since = work.oldest().min(now(&self.common)).saturating_sub(SLACK);
        let memory = self.memory.take().filter(|memory| memory.since <= since);
        if let Some(memory) = memory {
            let moment = self.common.clock.now();
            let current = window::current(moment, &settings.timezone);
            if !Books::lacks(&memory.windows, &current) {
                let Memory { version, since, windows } = memory;
                let books = Books::open(windows, current);
                let known = Known { settings: &settings, version, since, open: None };
                let draft = Draft::new(&self.common, books, known, work, moment);
                // A refusal is not pronounced from memory.
                if draft.verdicts.iter().all(Result::is_ok) && draft.changes_something() {
                    if let Some(verdicts) = self.commit(draft, &settings, Start::Now).await? {
                        return Ok(verdicts);
                    }
                    self.store.rollback().await;
                }
            }
        }

        let seqs: Vec<i64> = work.finishes.iter().map(|finish| finish.seq).collect();
        let instance = self.common.instance;
        let opened = self.store.begin(GLOBAL, since, instance, Wanted::Some(&seqs)).await?;
        // Read under the lock: whoever waited for it may have waited past midnight.
        let moment = self.common.clock.now();
        let mut current = window::current(moment, &settings.timezone);
        if Books::lacks(&opened.windows, &current) {
            self.store.sums(GLOBAL, &mut current).await?;
        }
        let books = Books::open(opened.windows, current);
        let (version, open) = (opened.version, Some(opened.open));
        let known = Known { settings: &settings, version, since, open };
        let draft = Draft::new(&self.common, books, known, work, moment);
        if !draft.changes_something() {
            self.store.rollback().await;
            self.common.recent.store(Arc::new(draft.books.headroom(&settings)));
            return Ok(draft.verdicts);
        }
        let verdicts = self.commit(draft, &settings, Start::Begun).await?;
        verdicts.ok_or(StoreError::Closed)
    }

    /// `None`: somebody else has written meanwhile.
    async fn commit(
        &mut self,
        draft: Draft<'_>,
        settings: &BudgetSettings,
        start: Start,
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        if self.store.commit(GLOBAL, &draft.changes, start).await? == Committed::Stale {
            return Ok(None);
        }
        self.checkpoints.committed();
        self.common.recent.store(Arc::new(draft.books.headroom(settings)));
        self.memory = Some(Memory {
            version: draft.changes.version + 1,
            since: draft.since,
            windows: draft.books.into_windows(),
        });
        Ok(Some(draft.verdicts))
    }
}
