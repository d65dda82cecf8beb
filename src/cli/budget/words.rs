//! What stands around the budget's table: how full a window is, when it begins anew, and which models
//! took the money of the day.

use jiff::Timestamp;

use crate::cli::figures::{Align, Decimals, bar, count, percent, ratio, table};
use crate::ledger::{Figures, GroupKey, Window};
use crate::money::NanoUsd;

/// Cells of a bar.
const BAR: usize = 30;
/// Models that are named.
const TOP: usize = 5;

/// `in 11 h 59 min`, `in 9 days`, `in less than a minute`.
pub(super) fn until(moment: Timestamp, now: Timestamp) -> String {
    let minutes = moment.duration_since(now).as_mins().max(0);
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    let plural = |number: i64| if number == 1 { "" } else { "s" };
    match (days, hours, minutes % 60) {
        (0, 0, 0) => "in less than a minute".to_owned(),
        (0, 0, minutes) => format!("in {minutes} min"),
        (0, hours, 0) => format!("in {hours} h"),
        (0, hours, minutes) => format!("in {hours} h {minutes} min"),
        (days, 0, _) => format!("in {days} day{}", plural(days)),
        (days, hours, _) if days < 3 => format!("in {days} day{} {hours} h", plural(days)),
        (days, _, _) => format!("in {days} days"),
    }
}

/// How much of the limit is spent (full) and reserved (dotted); `None` without a limit.
pub(super) fn fill(name: &str, window: &Window) -> Option<String> {
    let limit = window.limit?;
    let cells = |amount: NanoUsd| bar(ratio(amount, limit), BAR).chars().count();
    let spent = bar(ratio(window.spent, limit), BAR);
    let room = BAR - spent.chars().count();
    let all = cells(window.spent + window.reserved).max(spent.chars().count());
    let reserved = (all - spent.chars().count()).min(room);
    let held = match window.reserved.is_zero() {
        true => String::new(),
        false => format!(", {} reserved", percent(ratio(window.reserved, limit))),
    };
    Some(format!(
        "{name:<5}  {spent}{}{}  {} spent{held}",
        "▒".repeat(reserved),
        "·".repeat(room - reserved),
        percent(ratio(window.spent, limit)),
    ))
}

/// The models that took most of the day's money, dearest first; nothing on a day without requests.
pub(super) fn top_models(rows: &[(GroupKey, Figures)]) -> Vec<String> {
    let mut rows: Vec<&(GroupKey, Figures)> =
        rows.iter().filter(|(key, _)| key.model.is_some()).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    rows.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.cost, sums.requests)));
    rows.truncate(TOP);
    let largest = rows.iter().map(|(_, sums)| sums.cost).max().unwrap_or_default();
    let decimals = Decimals::for_up_to(largest);
    let mut cells = vec![["TODAY", "REQUESTS", "COST"].map(str::to_owned).to_vec()];
    for (key, sums) in rows {
        let name = key.model.clone().unwrap_or_default();
        cells.push(vec![name, count(sums.requests), decimals.usd(sums.cost)]);
    }
    table(&cells, &[Align::Left, Align::Right, Align::Right], usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOW: &str = "2026-11-21T12:00:00Z";

    #[rstest]
    #[case("2026-11-21T12:00:30Z", "in less than a minute")]
    #[case("2026-11-21T11:00:00Z", "in less than a minute")]
    #[case("2026-11-21T12:05:00Z", "in 5 min")]
    #[case("2026-11-21T23:00:00Z", "in 11 h")]
    #[case("2026-11-22T00:00:00Z", "in 12 h")]
    #[case("2026-11-21T23:59:59Z", "in 11 h 59 min")]
    #[case("2026-11-22T12:00:00Z", "in 1 day")]
    #[case("2026-11-23T15:00:00Z", "in 2 days 3 h")]
    #[case("2026-12-01T00:00:00Z", "in 9 days")]
    fn the_reset_is_said_in_words(#[case] moment: &str, #[case] expected: &str) {
        assert_eq!(until(moment.parse().unwrap(), NOW.parse().unwrap()), expected);
    }

    fn window(limit: Option<i64>, spent: i64, reserved: i64) -> Window {
        let resets_at = NOW.parse().unwrap();
        let (limit, spent) = (limit.map(NanoUsd), NanoUsd(spent));
        Window { limit, spent, reserved: NanoUsd(reserved), resets_at }
    }

    #[rstest]
    #[case(
        window(Some(100), 50, 25),
        "day    ███████████████▒▒▒▒▒▒▒▒·······  50 % spent, 25 % reserved"
    )]
    #[case(window(Some(100), 0, 0), "day    ······························  0 % spent")]
    #[case(window(Some(100), 180, 0), "day    ██████████████████████████████  180 % spent")]
    fn a_bar_shows_what_is_spent_and_what_is_held(#[case] window: Window, #[case] line: &str) {
        assert_eq!(fill("day", &window).as_deref(), Some(line));
    }

    #[test]
    fn without_a_limit_there_is_no_bar() {
        assert_eq!(fill("day", &window(None, 50, 25)), None);
    }
}
