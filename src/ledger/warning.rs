//! When a window has taken so much of its limit that its owner should know. Compares what a window
//! had spent before a transaction with what it has spent after it: each step is passed once per window,
//! also over restarts and with several processes on one file. Pure; tells nobody (`alerts` does).

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Headroom, KeyHeadroom, Window};
use crate::money::{NanoUsd, dollars};
use crate::store::ledger::Period;

/// A window that has spent a given part of its limit. `Display` is a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The name of the client key whose window it is; `None`: everybody's.
    pub key: Option<Arc<str>>,
    pub period: Period,
    /// The highest step that has been passed, in percent of the limit.
    pub percent: u8,
    pub limit: NanoUsd,
    pub spent: NanoUsd,
    pub resets_at: Timestamp,
}

impl Warning {
    /// The name of the window in configuration and answers.
    pub fn window(&self) -> &'static str {
        match self.period {
            Period::Day => "daily",
            Period::Month => "monthly",
        }
    }

    /// For a header: `daily 80% of $3.00 spent; resets 2026-11-22T00:00:00Z`.
    pub fn short(&self) -> String {
        let Self { percent, limit, resets_at, .. } = self;
        let limit = dollars(*limit);
        format!("{} {percent}% of {limit} spent; resets {resets_at:.0}", self.window())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, percent, limit, spent, resets_at, .. } = self;
        match key {
            None => write!(f, "the {} budget", self.window())?,
            Some(name) => write!(f, "the {} budget of the key `{name}`", self.window())?,
        }
        let (spent, limit) = (dollars(*spent), dollars(*limit));
        write!(f, " is spent to {percent} %: {spent} of {limit}, resets at {resets_at:.0}")
    }
}

/// The highest of `steps` (percent of `limit`) that `spent` has reached.
fn step(spent: NanoUsd, limit: NanoUsd, steps: &[u8]) -> Option<u8> {
    let reached =
        |step: &&u8| i128::from(spent.0) * 100 >= i128::from(limit.0) * i128::from(**step);
    (!limit.is_zero()).then(|| steps.iter().filter(reached).max().copied()).flatten()
}

/// The warning about `window`, if it has passed a step.
fn about(
    (period, window): (Period, &Window),
    key: Option<&Arc<str>>,
    steps: &[u8],
) -> Option<Warning> {
    let limit = window.limit?;
    let percent = step(window.spent, limit, steps)?;
    let Window { spent, resets_at, .. } = *window;
    Some(Warning { key: key.cloned(), period, percent, limit, spent, resets_at })
}

/// The warning that is due after `window` has gone from `before` to what it has spent now.
pub(super) fn risen(
    (period, window): (Period, &Window),
    before: NanoUsd,
    key: Option<&Arc<str>>,
    steps: &[u8],
) -> Option<Warning> {
    let warning = about((period, window), key, steps)?;
    (step(before, warning.limit, steps) < Some(warning.percent)).then_some(warning)
}

impl Headroom {
    /// The warning that stands, of the windows that their caller may see: those of its key if it has
    /// one, else everybody's. Of several the highest step, then the fullest, then the day.
    pub fn warning(&self, steps: &[u8]) -> Option<Warning> {
        let (name, [day, month]) = match &self.key {
            None => (None, [&self.daily, &self.monthly]),
            Some(KeyHeadroom { name, daily, monthly }) => (Some(name), [daily, monthly]),
        };
        let day = about((Period::Day, day), name, steps);
        let month = about((Period::Month, month), name, steps);
        let weight = |warning: &Warning| {
            let filled = i128::from(warning.spent.0) * 1_000_000 / i128::from(warning.limit.0);
            (warning.percent, filled)
        };
        // Of equals `max_by_key` gives the last.
        month.into_iter().chain(day).max_by_key(weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const STEPS: [u8; 3] = [50, 80, 95];

    fn window(limit: Option<i64>, spent: i64) -> Window {
        Window {
            limit: limit.map(NanoUsd),
            spent: NanoUsd(spent),
            reserved: NanoUsd::ZERO,
            resets_at: "2026-11-22T00:00:00Z".parse().unwrap(),
        }
    }

    fn headroom(daily: Window, monthly: Window) -> Headroom {
        Headroom { daily, monthly, per_request: None, key: None }
    }

    #[rstest]
    #[case(0, 499, None)]
    #[case(0, 500, Some(50))]
    #[case(499, 500, Some(50))]
    #[case(500, 799, None)]
    #[case(500, 800, Some(80))]
    #[case(0, 2_000, Some(95))]
    #[case(950, 1_000, None)]
    fn a_warning_is_due_when_a_step_is_passed(
        #[case] before: i64,
        #[case] after: i64,
        #[case] expected: Option<u8>,
    ) {
        let window = window(Some(1_000), after);
        let found = risen((Period::Day, &window), NanoUsd(before), None, &STEPS);
        assert_eq!(found.map(|warning| warning.percent), expected);
    }

    #[test]
    fn without_a_limit_or_steps_nothing_is_due() {
        let none = risen((Period::Day, &window(None, 9)), NanoUsd::ZERO, None, &STEPS);
        assert_eq!(none, None);
        let none = risen((Period::Day, &window(Some(1), 9)), NanoUsd::ZERO, None, &[]);
        assert_eq!(none, None);
    }

    #[rstest]
    #[case(window(Some(100), 60), window(Some(100), 85), Some("monthly 80%"))]
    #[case(window(Some(100), 85), window(Some(1_000), 85), Some("daily 80%"))]
    #[case(window(Some(100), 81), window(Some(100), 90), Some("monthly 80%"))]
    #[case(window(Some(100), 80), window(Some(100), 80), Some("daily 80%"))]
    #[case(window(Some(100), 49), window(None, 90), None)]
    fn the_highest_step_is_the_one_that_is_named(
        #[case] daily: Window,
        #[case] monthly: Window,
        #[case] expected: Option<&str>,
    ) {
        let short = headroom(daily, monthly).warning(&STEPS).map(|warning| warning.short());
        assert_eq!(short.is_some(), expected.is_some());
        assert!(short.unwrap_or_default().starts_with(expected.unwrap_or_default()));
    }

    #[test]
    fn a_key_is_told_of_its_own_windows_only() {
        let full = window(Some(100), 99);
        let mut headroom = headroom(full.clone(), full);
        let daily = window(Some(1_000_000_000), 600_000_000);
        headroom.key = Some(KeyHeadroom { name: "ci".into(), daily, monthly: window(None, 9) });
        let warning = headroom.warning(&STEPS).unwrap();
        assert_eq!(warning.short(), "daily 50% of $1.00 spent; resets 2026-11-22T00:00:00Z");
        assert_eq!(
            warning.to_string(),
            "the daily budget of the key `ci` is spent to 50 %: $0.60 of $1.00, resets at 2026-11-22T00:00:00Z"
        );
    }

    proptest! {
        #[test]
        fn each_step_is_told_once_however_the_money_goes(
            costs in prop::collection::vec(0_i64..400, 0..30),
            limit in 1_i64..1_000,
        ) {
            let (mut spent, mut told) = (0, Vec::new());
            for cost in costs {
                let before = NanoUsd(spent);
                spent += cost;
                let window = window(Some(limit), spent);
                told.extend(risen((Period::Month, &window), before, None, &STEPS));
            }
            let told: Vec<u8> = told.iter().map(|warning| warning.percent).collect();
            prop_assert!(told.is_sorted_by(|a, b| a < b), "{told:?}");
            prop_assert_eq!(told.last().copied(), step(NanoUsd(spent), NanoUsd(limit), &STEPS));
        }
    }
}
