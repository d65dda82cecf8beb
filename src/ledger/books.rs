//! The arithmetic of a transaction: who may spend, and what the windows say afterwards. Pure.

use jiff::Timestamp;

use super::window;
use super::{BudgetSettings, Exceeded, Headroom, Window};
use crate::money::NanoUsd;
use crate::store::ledger::{OpenRow, Period, WindowRow};

/// Why there is no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub period: Period,
    pub exceeded: Exceeded,
}

/// The windows as a transaction found them, and as it leaves them.
#[derive(Debug)]
pub(super) struct Books {
    windows: Vec<WindowRow>,
    changed: Vec<bool>,
    /// Indices of the current day and month.
    current: [usize; 2],
}

impl Books {
    /// Which of the two current windows the file does not have yet.
    pub(super) fn lacks(found: &[WindowRow], current: &[WindowRow; 2]) -> bool {
        current.iter().any(|window| place(found, window).is_none())
    }

    /// `current` with its sums wherever `found` lacks it.
    pub(super) fn open(found: Vec<WindowRow>, current: [WindowRow; 2]) -> Self {
        let mut books = Self::of_the_past(found);
        for (index, window) in current.into_iter().enumerate() {
            books.current[index] = place(&books.windows, &window).unwrap_or_else(|| {
                books.windows.push(window);
                books.changed.push(true);
                books.windows.len() - 1
            });
        }
        books
    }

    /// For closing old reservations only.
    pub(super) fn of_the_past(found: Vec<WindowRow>) -> Self {
        Self { changed: vec![false; found.len()], windows: found, current: [0; 2] }
    }

    /// Takes `ceiling` for a reservation made `at` this moment, if day and month have room.
    pub(super) fn admit(
        &mut self,
        ceiling: NanoUsd,
        at: i64,
        settings: &BudgetSettings,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal(ceiling, settings) {
            return Err(refusal);
        }
        self.each_at(at, |window| window.reserved = window.reserved.saturating_add(ceiling.0));
        Ok(())
    }

    /// Ends a reservation: its ceiling is free again, and `cost` (if any) is spent.
    pub(super) fn close(&mut self, open: OpenRow, cost: NanoUsd) {
        self.each_at(open.reserved_at, |window| {
            window.reserved = window.reserved.saturating_sub(open.ceiling);
            window.spent = window.spent.saturating_add(cost.0);
        });
    }

    /// The window that stands longest in the way is named: one that is spent before one that is
    /// merely reserved, the month before the day.
    fn refusal(&self, ceiling: NanoUsd, settings: &BudgetSettings) -> Option<Refusal> {
        let [day, month] = self.current;
        [(month, settings.monthly), (day, settings.daily)]
            .into_iter()
            .filter_map(|(index, limit)| refuse(&self.windows[index], limit?, ceiling))
            .min_by_key(|refusal| refusal.exceeded.by_reservations_only())
    }

    fn each_at(&mut self, at: i64, change: impl Fn(&mut WindowRow)) {
        for (window, changed) in self.windows.iter_mut().zip(&mut self.changed) {
            if window.starts_at <= at && at < window.ends_at {
                change(window);
                *changed = true;
            }
        }
    }

    pub(super) fn changed(&self) -> Vec<WindowRow> {
        self.windows
            .iter()
            .zip(&self.changed)
            .filter(|(_, changed)| **changed)
            .map(|(window, _)| window.clone())
            .collect()
    }

    /// All windows, as they are left.
    pub(super) fn into_windows(self) -> Vec<WindowRow> {
        self.windows
    }

    pub(super) fn headroom(&self, settings: &BudgetSettings) -> Headroom {
        let [day, month] = self.current;
        headroom([&self.windows[day], &self.windows[month]], settings)
    }
}

fn place(windows: &[WindowRow], wanted: &WindowRow) -> Option<usize> {
    windows.iter().position(|window| {
        (window.period, window.starts_at, window.ends_at)
            == (wanted.period, wanted.starts_at, wanted.ends_at)
    })
}

fn refuse(window: &WindowRow, limit: NanoUsd, ceiling: NanoUsd) -> Option<Refusal> {
    let (spent, reserved) = (NanoUsd(window.spent), NanoUsd(window.reserved));
    (spent + reserved + ceiling > limit).then(|| Refusal {
        period: window.period,
        exceeded: Exceeded {
            limit,
            spent,
            reserved,
            asked: ceiling,
            resets_at: window::moment(window.ends_at),
        },
    })
}

/// The day's and the month's row under the limits of `settings`.
pub(super) fn headroom([day, month]: [&WindowRow; 2], settings: &BudgetSettings) -> Headroom {
    let window = |row: &WindowRow, limit| Window {
        limit,
        spent: NanoUsd(row.spent),
        reserved: NanoUsd(row.reserved),
        resets_at: window::moment(row.ends_at),
    };
    Headroom {
        daily: window(day, settings.daily),
        monthly: window(month, settings.monthly),
        per_request: settings.per_request,
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
