//! When a day and a month begin and end in a time zone. Pure.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::store::ledger::{Period, Scope, WindowRow};

/// Microseconds since 1970, as the store has them.
pub(super) fn micros(moment: Timestamp) -> i64 {
    moment.as_microsecond()
}

/// The moment of a stored time; what no calendar can hold becomes its end.
pub(super) fn moment(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

/// The day and the month of `now`, empty, for everybody.
pub(super) fn current(now: Timestamp, zone: &TimeZone) -> [WindowRow; 2] {
    let now = now.to_zoned(zone.clone());
    [blank(Period::Day, day(&now)), blank(Period::Month, month(&now))]
}

impl WindowRow {
    /// The same window of another scope.
    pub(super) fn of(&self, scope: &Scope) -> Self {
        Self { scope: scope.clone(), ..self.clone() }
    }

    pub(super) fn contains(&self, at: i64) -> bool {
        self.starts_at <= at && at < self.ends_at
    }
}

fn blank(period: Period, ends: Option<(Zoned, Zoned)>) -> WindowRow {
    // Only the first and last day that jiff knows (years -9999 and 9999) have no bounds.
    let (starts_at, ends_at) = ends
        .map_or((micros(Timestamp::MIN), micros(Timestamp::MAX)), |(starts, ends)| {
            (micros(starts.timestamp()), micros(ends.timestamp()))
        });
    WindowRow { scope: Scope::Global, period, starts_at, ends_at, spent: 0, reserved: 0 }
}

fn day(now: &Zoned) -> Option<(Zoned, Zoned)> {
    let starts = now.start_of_day().ok()?;
    let ends = now.tomorrow().ok()?.start_of_day().ok()?;
    Some((starts, ends))
}

fn month(now: &Zoned) -> Option<(Zoned, Zoned)> {
    let starts = now.first_of_month().ok()?.start_of_day().ok()?;
    let ends = starts.checked_add(1.month()).ok()?.start_of_day().ok()?;
    Some((starts, ends))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[rstest]
    #[case::plain("UTC", "2026-11-21T12:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::first_instant(
        "UTC",
        "2026-11-21T00:00:00Z",
        "2026-11-21T00:00:00Z",
        "2026-11-22T00:00:00Z"
    )]
    #[case::last_instant(
        "UTC",
        "2026-11-21T23:59:59.999999Z",
        "2026-11-21T00:00:00Z",
        "2026-11-22T00:00:00Z"
    )]
    #[case::spring_has_23_hours(
        "Europe/Berlin",
        "2026-03-29T10:00:00Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z"
    )]
    #[case::autumn_has_25_hours(
        "Europe/Berlin",
        "2026-10-25T00:30:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z"
    )]
    #[case::midnight_that_does_not_exist(
        "America/Sao_Paulo",
        "2018-11-04T12:00:00Z",
        "2018-11-04T03:00:00Z",
        "2018-11-05T02:00:00Z"
    )]
    fn a_day_lasts_from_midnight_to_midnight_of_its_zone(
        #[case] name: &str,
        #[case] now: Timestamp,
        #[case] starts: Timestamp,
        #[case] ends: Timestamp,
    ) {
        let [day, _] = current(now, &zone(name));
        assert_eq!((moment(day.starts_at), moment(day.ends_at)), (starts, ends));
    }

    #[rstest]
    #[case::short("UTC", "2026-02-28T23:59:59Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")]
    #[case::leap("UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z")]
    #[case::on_the_31st(
        "UTC",
        "2026-01-31T12:00:00Z",
        "2026-01-01T00:00:00Z",
        "2026-02-01T00:00:00Z"
    )]
    #[case::new_year("UTC", "2026-12-31T23:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")]
    #[case::with_the_clock_change(
        "Europe/Berlin",
        "2026-03-15T12:00:00Z",
        "2026-02-28T23:00:00Z",
        "2026-03-31T22:00:00Z"
    )]
    fn a_month_lasts_from_first_to_first_of_its_zone(
        #[case] name: &str,
        #[case] now: Timestamp,
        #[case] starts: Timestamp,
        #[case] ends: Timestamp,
    ) {
        let [_, month] = current(now, &zone(name));
        assert_eq!((moment(month.starts_at), moment(month.ends_at)), (starts, ends));
    }

    proptest! {
        #[test]
        fn windows_contain_their_moment_and_follow_one_another(
            second in 0_i64..4_000_000_000, name in prop::sample::select(vec![
                "UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo",
            ]),
        ) {
            let zone = zone(name);
            let now = Timestamp::from_second(second).unwrap();
            for window in current(now, &zone) {
                prop_assert!(window.starts_at <= micros(now) && micros(now) < window.ends_at);
                let next = current(moment(window.ends_at), &zone);
                prop_assert!(next.iter().any(|next| next.period == window.period && next.starts_at == window.ends_at));
            }
        }
    }
}
