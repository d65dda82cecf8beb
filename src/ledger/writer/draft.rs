//! A transaction before it is written: what each operation comes to, given what the file holds. Pure
//! but for the numbering of reservations.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::Wish;
use crate::ids::KeyId;
use crate::ledger::books::{Books, Refusal};
use crate::ledger::handle::Common;
use crate::ledger::reservation::{Finish, Grant};
use crate::ledger::{Ask, BudgetSettings, KeyBudget, Warning, recovery, window};
use crate::money::NanoUsd;
use crate::store::ledger::{Changes, OpenRow, WindowRow};
use crate::store::requests::RequestRow;

pub(super) type Verdict = Result<Grant, Refusal>;

/// Operations that belong together.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub finishes: &'a [Finish],
    pub wishes: &'a [Wish],
    pub records: &'a [RequestRow],
}

impl Work<'_> {
    /// The client keys that spend or have spent, each once.
    pub(super) fn keys(&self) -> Vec<KeyId> {
        let wishes = self.wishes.iter().map(|wish| &wish.ask.key);
        let finishes = self.finishes.iter().map(|finish| &finish.key);
        let mut keys: Vec<KeyId> =
            wishes.chain(finishes).filter(|key| key.is_client()).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// When the oldest reservation to be finished was made, in microseconds.
    pub(super) fn oldest(&self) -> i64 {
        self.finishes.iter().map(|finish| finish.reserved_at).min().unwrap_or(i64::MAX)
    }
}

/// What the decision rests on, besides the windows.
pub(super) struct Known<'a> {
    pub settings: &'a BudgetSettings,
    /// Day and month at the moment of the transaction.
    pub current: &'a [WindowRow; 2],
    pub version: i64,
    /// The reservations that are still open. `None`: all that are being finished, since this process
    /// made them and has not finished them before.
    pub open: Option<HashMap<i64, OpenRow>>,
}

pub(super) struct Draft<'a> {
    pub books: Books,
    pub changes: Changes<'a>,
    /// One per wish.
    pub verdicts: Vec<Verdict>,
    /// The steps of limits that are passed once this is written.
    pub warnings: Vec<Warning>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        common: &Common,
        books: Books,
        known: Known<'_>,
        work: &Work<'a>,
        moment: Timestamp,
    ) -> Self {
        let Known { settings, current, version, open } = known;
        let instance = common.instance;
        let changes = Changes { version, instance, ..Changes::default() };
        let mut draft = Self { books, changes, verdicts: Vec::new(), warnings: Vec::new() };
        let at = window::micros(moment);
        // What ends makes room for what begins.
        for finish in work.finishes {
            draft.finish(finish, open.as_ref(), at);
        }
        let own = work.finishes.iter().filter_map(|finish| finish.budget.as_deref());
        let own: HashMap<&KeyId, &KeyBudget> = own.map(|own| (&own.id, own)).collect();
        if !work.finishes.is_empty() {
            draft.warnings = draft.books.warnings(current, own.into_values(), settings);
        }
        draft.changes.requests.extend(work.records);
        for wish in work.wishes {
            let who = (&wish.ask.key, wish.ask.budget.as_deref());
            let verdict = draft.books.admit(who, (ceiling(wish), at), settings);
            draft.verdicts.push(verdict.map(|()| {
                let seq = common.last_seq.fetch_add(1, Ordering::Relaxed) + 1;
                grant(&mut draft.changes, wish, (seq, at))
            }));
        }
        draft.changes.windows = draft.books.changed();
        draft
    }

    pub(super) fn changes_something(&self) -> bool {
        !(self.changes.windows.is_empty() && self.changes.requests.is_empty())
    }

    fn finish(&mut self, finish: &'a Finish, open: Option<&HashMap<i64, OpenRow>>, at: i64) {
        self.changes.requests.extend(finish.record.as_deref());
        let own = || OpenRow {
            reserved_at: finish.reserved_at,
            ceiling: finish.ceiling.0,
            key: finish.key.clone(),
        };
        let open = match open {
            None => Some(own()),
            Some(open) => open.get(&finish.seq).cloned(),
        };
        if let Some(open) = open {
            self.changes.gone.push(finish.seq);
            let charge = recovery::apply(&mut self.books, (finish.seq, &open), finish.outcome, at);
            self.changes.charged.extend(charge);
        }
    }
}

fn ceiling(wish: &Wish) -> NanoUsd {
    NanoUsd(wish.ask.ceiling.0.max(0))
}

/// Writes down a reservation that has been admitted.
fn grant<'a>(changes: &mut Changes<'a>, wish: &'a Wish, (seq, at): (i64, i64)) -> Grant {
    let Ask { request, key, project, model, attempt, .. } = &wish.ask;
    let (request, project) = (request.as_str(), project.as_deref());
    let (key, model, ceiling) = (key.as_str(), model.as_str(), ceiling(wish));
    changes.reserved.push((seq, request, *attempt, key, project, model, at, ceiling.0));
    let (key, budget) = (wish.ask.key.clone(), wish.ask.budget.clone());
    Grant { seq, key, budget, reserved_at: at, ceiling }
}
