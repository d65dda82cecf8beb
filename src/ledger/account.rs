//! The windows of one scope (everybody, or one client key) inside a transaction, and what they leave
//! to be spent. Pure; knows nothing of other scopes.

use std::sync::Arc;

use jiff::Timestamp;

use super::{BudgetSettings, Headroom, KeyBudget, KeyHeadroom, Warning, Window};
use super::{warning, window};
use crate::money::NanoUsd;
use crate::store::ledger::WindowRow;

#[derive(Debug, Default)]
pub(super) struct Account {
    windows: Vec<WindowRow>,
    changed: Vec<bool>,
    /// What each window had spent before this transaction.
    before: Vec<i64>,
    /// Indices of the current day and month, once [`open`](Self::open)ed.
    current: Option<[usize; 2]>,
    /// Every window that ends later than this is here.
    since: i64,
}

impl Account {
    pub(super) fn since(since: i64) -> Self {
        Self { since, ..Self::default() }
    }

    /// Adds a window as the file has it.
    pub(super) fn put(&mut self, window: WindowRow) {
        self.before.push(window.spent);
        self.windows.push(window);
        self.changed.push(false);
    }

    /// One of the two current windows is not in the file yet.
    pub(super) fn lacks(&self, current: &[WindowRow; 2]) -> bool {
        current.iter().any(|window| self.place(window).is_none())
    }

    /// Everything that a transaction at `current` needs, back to `since`, is here.
    pub(super) fn serves(&self, current: &[WindowRow; 2], since: i64) -> bool {
        self.since <= since && !self.lacks(current)
    }

    /// Says which windows are the current ones; `current` with its sums becomes part of the account
    /// where it was missing.
    pub(super) fn open(&mut self, current: &[WindowRow; 2]) {
        let places = current.each_ref().map(|window| {
            self.place(window).unwrap_or_else(|| {
                self.before.push(window.spent);
                self.windows.push(window.clone());
                self.changed.push(true);
                self.windows.len() - 1
            })
        });
        self.current = Some(places);
    }

    /// The changes have been written.
    pub(super) fn written(&mut self) {
        self.changed.fill(false);
        self.before = self.windows.iter().map(|window| window.spent).collect();
    }

    /// The steps that this transaction passes in the windows `current` under these limits of day and
    /// month.
    pub(super) fn warnings(
        &self,
        current: &[WindowRow; 2],
        limits: [Option<NanoUsd>; 2],
        (key, steps): (Option<&Arc<str>>, &[u8]),
    ) -> impl Iterator<Item = Warning> {
        current.iter().zip(limits).filter_map(move |(row, limit)| {
            let place = self.place(row)?;
            let now = window(&self.windows[place], limit);
            warning::risen((row.period, &now), NanoUsd(self.before[place]), key, steps)
        })
    }

    /// Day and month, if they have been opened.
    pub(super) fn current(&self) -> Option<[&WindowRow; 2]> {
        self.current.map(|places| places.map(|place| &self.windows[place]))
    }

    /// Changes every window that contains the moment `at`, those of an earlier time zone too.
    pub(super) fn each_at(&mut self, at: i64, change: impl Fn(&mut WindowRow)) {
        for (window, changed) in self.windows.iter_mut().zip(&mut self.changed) {
            if window.contains(at) {
                change(window);
                *changed = true;
            }
        }
    }

    pub(super) fn changed(&self) -> impl Iterator<Item = WindowRow> {
        let changed = self.windows.iter().zip(&self.changed).filter(|(_, changed)| **changed);
        changed.map(|(window, _)| window.clone())
    }

    fn place(&self, wanted: &WindowRow) -> Option<usize> {
        self.windows.iter().position(|window| {
            (window.period, window.starts_at, window.ends_at)
                == (wanted.period, wanted.starts_at, wanted.ends_at)
        })
    }
}

fn window(row: &WindowRow, limit: Option<NanoUsd>) -> Window {
    Window {
        limit,
        spent: NanoUsd(row.spent),
        reserved: NanoUsd(row.reserved),
        resets_at: window::moment(row.ends_at),
    }
}

/// The day's and the month's row under the limits of `settings`.
pub(super) fn headroom([day, month]: [&WindowRow; 2], settings: &BudgetSettings) -> Headroom {
    Headroom {
        daily: window(day, settings.daily),
        monthly: window(month, settings.monthly),
        per_request: settings.per_request,
        key: None,
    }
}

/// The same for a client key under its own limits.
pub(super) fn of_key([day, month]: [&WindowRow; 2], own: &KeyBudget) -> KeyHeadroom {
    KeyHeadroom {
        name: Arc::clone(&own.name),
        daily: window(day, own.daily),
        monthly: window(month, own.monthly),
    }
}

/// What a headroom of an earlier moment means at `now`: a window that has ended since is empty.
pub(super) fn roll(recent: &Headroom, now: Timestamp, settings: &BudgetSettings) -> Headroom {
    let mut rolled = Headroom::untouched(settings, now);
    if now < recent.monthly.resets_at {
        rolled.monthly = recent.monthly.clone();
    }
    rolled
}
