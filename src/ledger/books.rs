//! The arithmetic of a transaction: who may spend, and what the windows say afterwards. Pure.
//!
//! Every reservation counts in the global account, that of a client key in the key's own as well; it
//! is admitted only if both have room.

use std::collections::HashMap;

use super::account::{self, Account};
use super::{BudgetSettings, Exceeded, Headroom, KeyBudget, Warning};
use crate::ids::KeyId;
use crate::money::NanoUsd;
use crate::store::ledger::{OpenRow, Period, Scope, WindowRow};

/// Why there is no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub period: Period,
    pub exceeded: Exceeded,
}

/// The accounts as a transaction found them, and as it leaves them.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub global: Account,
    pub keys: HashMap<KeyId, Account>,
}

impl Books {
    /// What the file holds of the windows that end after `since`.
    pub(super) fn found(windows: Vec<WindowRow>, since: i64) -> Self {
        let mut books = Self { global: Account::since(since), keys: HashMap::new() };
        for window in windows {
            let account = match &window.scope {
                Scope::Global => &mut books.global,
                Scope::Key(id) => {
                    books.keys.entry(id.clone()).or_insert_with(|| Account::since(since))
                }
            };
            account.put(window);
        }
        books
    }

    /// The account that `scope` is about; a key without one gets an empty one, known since `since`.
    pub(super) fn account(&mut self, scope: &Scope, since: i64) -> &mut Account {
        match scope {
            Scope::Global => &mut self.global,
            Scope::Key(id) => self.keys.entry(id.clone()).or_insert_with(|| Account::since(since)),
        }
    }

    /// Takes `ceiling` for a reservation of `key` made `at` this moment, if every scope has room.
    pub(super) fn admit(
        &mut self,
        (key, own): (&KeyId, Option<&KeyBudget>),
        (ceiling, at): (NanoUsd, i64),
        settings: &BudgetSettings,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal((key, own), ceiling, settings) {
            return Err(refusal);
        }
        self.each_at(key, at, |window| window.reserved = window.reserved.saturating_add(ceiling.0));
        Ok(())
    }

    /// Ends a reservation: its ceiling is free again, and `cost` (if any) is spent.
    pub(super) fn close(&mut self, open: &OpenRow, cost: NanoUsd) {
        self.each_at(&open.key, open.reserved_at, |window| {
            window.reserved = window.reserved.saturating_sub(open.ceiling);
            window.spent = window.spent.saturating_add(cost.0);
        });
    }

    /// The window that stands longest in the way is named: one that is spent before one that is
    /// merely reserved, a month before a day, the key's own before everybody's.
    fn refusal(
        &self,
        (key, own): (&KeyId, Option<&KeyBudget>),
        ceiling: NanoUsd,
        settings: &BudgetSettings,
    ) -> Option<Refusal> {
        let [day, month] = self.global.current()?;
        let everybody = [(month, settings.monthly, None), (day, settings.daily, None)];
        let of_key = own.zip(self.keys.get(key).and_then(Account::current));
        let of_key = of_key.map(|(own, [day, month])| {
            let name = Some(&own.name);
            [(month, own.monthly, name), (day, own.daily, name)]
        });
        let refused = |(window, limit, name): (&WindowRow, Option<NanoUsd>, _)| {
            refuse(window, (limit?, ceiling), name)
        };
        let mut refusals: Vec<Refusal> =
            of_key.into_iter().flatten().chain(everybody).filter_map(refused).collect();
        // The sort is stable: among equals the key's own stays first.
        refusals.sort_by_key(|refusal| {
            (refusal.exceeded.by_reservations_only(), refusal.period == Period::Day)
        });
        refusals.into_iter().next()
    }

    fn each_at(&mut self, key: &KeyId, at: i64, change: impl Fn(&mut WindowRow)) {
        self.global.each_at(at, &change);
        if let Some(account) = self.keys.get_mut(key) {
            account.each_at(at, &change);
        }
    }

    pub(super) fn changed(&self) -> Vec<WindowRow> {
        std::iter::once(&self.global).chain(self.keys.values()).flat_map(Account::changed).collect()
    }

    /// The steps that this transaction passes in the windows `current` of everybody and of the keys
    /// `own`.
    pub(super) fn warnings<'a>(
        &self,
        current: &[WindowRow; 2],
        own: impl IntoIterator<Item = &'a KeyBudget>,
        settings: &BudgetSettings,
    ) -> Vec<Warning> {
        let steps = settings.warn_at.as_slice();
        let limits = [settings.daily, settings.monthly];
        let mut due: Vec<Warning> = self.global.warnings(current, limits, (None, steps)).collect();
        for own in own {
            if let Some(account) = self.keys.get(&own.id) {
                let current = current.each_ref().map(|row| row.of(&Scope::Key(own.id.clone())));
                let limits = [own.daily, own.monthly];
                due.extend(account.warnings(&current, limits, (Some(&own.name), steps)));
            }
        }
        due
    }

    /// Of the global account, if its windows have been opened.
    pub(super) fn headroom(&self, settings: &BudgetSettings) -> Option<Headroom> {
        Some(account::headroom(self.global.current()?, settings))
    }
}

fn refuse(
    window: &WindowRow,
    (limit, ceiling): (NanoUsd, NanoUsd),
    key: Option<&std::sync::Arc<str>>,
) -> Option<Refusal> {
    let (spent, reserved) = (NanoUsd(window.spent), NanoUsd(window.reserved));
    (spent + reserved + ceiling > limit).then(|| Refusal {
        period: window.period,
        exceeded: Exceeded {
            key: key.cloned(),
            limit,
            spent,
            reserved,
            asked: ceiling,
            resets_at: super::window::moment(window.ends_at),
        },
    })
}
