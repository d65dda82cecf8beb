//! One transaction from its first read to its commit, in one round trip where that is safe.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Desk;
use super::draft::{Draft, Known, Verdict, Work};
use crate::ids::KeyId;
use crate::ledger::account::Account;
use crate::ledger::books::Books;
use crate::ledger::handle::now;
use crate::ledger::{BudgetSettings, window};
use crate::store::StoreError;
use crate::store::ledger::{Committed, Opened, Scope, Start, Wanted, WindowRow};

/// Windows that ended this long ago (in microseconds) are still looked at, lest a clock that is set
/// back during a transaction find one missing.
const SLACK: i64 = 3_600_000_000;
/// Client keys whose windows are remembered. Beyond it all are forgotten, and read again when needed.
const REMEMBERED: usize = 4096;

/// What the last transaction left in the file.
pub(super) struct Memory {
    version: i64,
    global: Account,
    keys: HashMap<KeyId, Account>,
}

impl Memory {
    /// Takes out the accounts that a transaction of `keys` needs; `None` (and nothing is taken) if
    /// one of them is not known well enough.
    fn lend(&mut self, keys: &[KeyId], current: &[WindowRow; 2], since: i64) -> Option<Books> {
        let serves = |account: &Account| account.serves(current, since);
        let known = |key| self.keys.get(key).is_some_and(serves);
        if !serves(&self.global) || !keys.iter().all(known) {
            return None;
        }
        let mut books = Books { global: std::mem::take(&mut self.global), keys: HashMap::new() };
        books.global.open(current);
        for key in keys {
            if let Some((key, mut account)) = self.keys.remove_entry(key) {
                account.open(current);
                books.keys.insert(key, account);
            }
        }
        Some(books)
    }

    /// What is known after a commit: of the accounts in `books` from there, of the others from before.
    fn after(version: i64, books: Books, mut others: HashMap<KeyId, Account>) -> Self {
        let Books { mut global, keys } = books;
        global.written();
        if others.len() + keys.len() > REMEMBERED {
            others.clear();
        }
        others.extend(keys.into_iter().map(|(key, mut account)| {
            account.written();
            (key, account)
        }));
        Self { version, global, keys: others }
    }
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
        let keys = work.keys();
        let mut memory = self.memory.take();
        if let Some(known) = &mut memory {
            let moment = self.common.clock.now();
            let current = window::current(moment, &settings.timezone);
            if let Some(books) = known.lend(&keys, &current, since) {
                let version = known.version;
                let facts = Known { settings: &settings, current: &current, version, open: None };
                let draft = Draft::new(&self.common, books, facts, work, moment);
                // A refusal is not pronounced from memory.
                if draft.verdicts.iter().all(Result::is_ok) && draft.changes_something() {
                    let others = &mut known.keys;
                    if let Some(verdicts) = self.commit(draft, others, Start::Now).await? {
                        return Ok(verdicts);
                    }
                    self.store.rollback().await;
                }
            }
        }
        self.attempt_from_file(work, &keys, since, memory).await
    }

    /// Reads what is needed inside the transaction that writes it.
    async fn attempt_from_file(
        &mut self,
        work: &Work<'_>,
        keys: &[KeyId],
        since: i64,
        memory: Option<Memory>,
    ) -> Result<Vec<Verdict>, StoreError> {
        let settings = self.common.settings.load_full();
        let seqs: Vec<i64> = work.finishes.iter().map(|finish| finish.seq).collect();
        let instance = self.common.instance;
        let opened = self.store.begin(keys, since, instance, Wanted::Some(&seqs)).await?;
        let Opened { version, windows, open } = opened;
        // Read under the lock: whoever waited for it may have waited past midnight.
        let moment = self.common.clock.now();
        let current = window::current(moment, &settings.timezone);
        let mut books = Books::found(windows, since);
        let own = keys.iter().map(|key| Scope::Key(key.clone()));
        for scope in std::iter::once(Scope::Global).chain(own) {
            let mut current = current.each_ref().map(|window| window.of(&scope));
            if books.account(&scope, since).lacks(&current) {
                self.store.sums(&mut current).await?;
            }
            books.account(&scope, since).open(&current);
        }
        let facts = Known { settings: &settings, current: &current, version, open: Some(open) };
        let draft = Draft::new(&self.common, books, facts, work, moment);
        if !draft.changes_something() {
            self.store.rollback().await;
            self.remember_recent(&draft.books, &settings);
            return Ok(draft.verdicts);
        }
        let mut others = match memory {
            Some(memory) if memory.version == version => memory.keys,
            Some(_) | None => HashMap::new(),
        };
        let verdicts = self.commit(draft, &mut others, Start::Begun).await?;
        verdicts.ok_or(StoreError::Closed)
    }

    /// `None`: somebody else has written meanwhile. `others` are accounts that the draft does not
    /// touch; they are taken over into the memory.
    async fn commit(
        &mut self,
        draft: Draft<'_>,
        others: &mut HashMap<KeyId, Account>,
        start: Start,
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        if self.store.commit(&draft.changes, start).await? == Committed::Stale {
            return Ok(None);
        }
        self.checkpoints.committed();
        self.common.warn(draft.warnings);
        self.remember_recent(&draft.books, &self.common.settings.load());
        let version = draft.changes.version + 1;
        self.memory = Some(Memory::after(version, draft.books, std::mem::take(others)));
        Ok(Some(draft.verdicts))
    }

    /// What others may see of the windows without a read.
    fn remember_recent(&self, books: &Books, settings: &BudgetSettings) {
        if let Some(headroom) = books.headroom(settings) {
            self.common.recent.store(Arc::new(headroom));
        }
        if books.keys.is_empty() {
            return;
        }
        let mut recent = self.common.recent_keys.lock();
        for (key, account) in &books.keys {
            if let Some(windows) = account.current() {
                recent.insert(key.clone(), windows.map(WindowRow::clone));
            }
        }
    }
}
