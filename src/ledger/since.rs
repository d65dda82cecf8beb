//! How people say since when: a time ago, a day, a moment. Pure.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, civil};

/// What [`since`] reads, for messages.
pub const SINCE: &str = "a time such as 30m, 12h or 30d, a day such as 2026-11-20, or a moment such as 2026-11-20T08:00:00Z";

/// `12h` before `now`, the beginning of a day in `zone`, or the moment itself; `None` for anything
/// else.
pub fn since(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if text.len() == "2026-11-20".len()
        && let Ok(day) = text.parse::<civil::Date>()
    {
        return Some(day.to_zoned(zone.clone()).ok()?.timestamp());
    }
    let span: Span = text.parse().ok()?;
    if span.is_negative() {
        return None;
    }
    now.to_zoned(zone.clone()).checked_sub(span).ok().map(|ago| ago.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOW: &str = "2026-11-21T12:00:00Z";

    #[rstest]
    #[case("30m", "2026-11-21T11:30:00Z")]
    #[case("1h", "2026-11-21T11:00:00Z")]
    #[case("7d", "2026-11-14T12:00:00Z")]
    #[case("1mo", "2026-10-21T11:00:00Z")]
    #[case("2026-11-20", "2026-11-19T23:00:00Z")]
    #[case("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z")]
    #[case("2026-11-20T08:00:00+02:00", "2026-11-20T06:00:00Z")]
    fn since_is_a_time_ago_a_day_or_a_moment(#[case] text: &str, #[case] expected: &str) {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(since(text, NOW.parse().unwrap(), &zone), Some(expected.parse().unwrap()));
    }

    #[rstest]
    #[case("")]
    #[case("yesterday")]
    #[case("-1h")]
    #[case("2026-13-01")]
    #[case("999999999y")]
    fn anything_else_is_none(#[case] text: &str) {
        assert_eq!(since(text, NOW.parse().unwrap(), &TimeZone::UTC), None);
    }
}
