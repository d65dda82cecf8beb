//! The report's pictures: inline SVG without scripts, fonts or anything to fetch. Colours are the
//! page's; every mark has a title with its figures, and the page has the same figures as tables.

use std::fmt::Write;

use super::page::escaped;
use crate::analyze::curve::Point;
use crate::cli::figures::{Decimals, count, money, percent, ratio};
use crate::money::NanoUsd;
use crate::report::{Quality, Row, share};

/// Width of every picture; the page scales it.
const WIDTH: f64 = 1000.0;

/// A day of the chart: its name, what was spent, how many requests.
pub(super) struct Day {
    pub(super) name: String,
    pub(super) spent: NanoUsd,
    pub(super) requests: u64,
}

/// Spending by day, with the daily limit where it is near enough to be seen.
pub(super) fn days(days: &[Day], limit: Option<NanoUsd>) -> String {
    const LEFT: f64 = 64.0;
    const TOP: f64 = 14.0;
    // Half of the last day's name.
    const RIGHT: f64 = 16.0;
    const HEIGHT: f64 = 200.0;
    let largest = days.iter().map(|day| day.spent).max().unwrap_or_default();
    let limit = limit.filter(|limit| limit.0 <= largest.0.saturating_mul(5));
    let top = ceiling(largest.max(limit.unwrap_or_default()));
    let y = |amount: NanoUsd| TOP + HEIGHT * (1.0 - ratio(amount, top));
    let mut svg = open("Spending by day", TOP + HEIGHT + 30.0);
    let decimals = Decimals::for_up_to(top);
    for step in 0..=4_i64 {
        let amount = NanoUsd(top.0 / 4 * step);
        let at = y(amount);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{WIDTH}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            decimals.usd(amount)
        );
    }
    let slot = (WIDTH - LEFT - RIGHT) / as_f64(days.len().max(1));
    let width = (slot * 0.72).min(56.0);
    let every = (days.len().div_ceil(10)).max(1);
    for (index, day) in days.iter().enumerate() {
        let middle = LEFT + slot * (as_f64(index) + 0.5);
        let title = format!("{}: {}, {} requests", day.name, money(day.spent), count(day.requests));
        let _ = write!(
            svg,
            "<path class=\"bar\" d=\"{}\"><title>{title}</title></path>",
            upright(middle - width / 2.0, y(day.spent), width, TOP + HEIGHT)
        );
        // Counted from the last day, which always has its name.
        if (days.len() - 1 - index).is_multiple_of(every) {
            let name = day.name.get(5..).unwrap_or(&day.name);
            let _ = write!(
                svg,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
                TOP + HEIGHT + 20.0
            );
        }
    }
    if let Some(limit) = limit {
        let at = y(limit);
        let _ = write!(
            svg,
            "<path class=\"limit\" d=\"M{LEFT} {at:.1}H{WIDTH}\"/><text class=\"limit\" x=\"{WIDTH}\" y=\"{:.1}\" text-anchor=\"end\">limit {} a day</text>",
            at - 6.0,
            money(limit)
        );
    }
    svg + "</svg></div>"
}

/// What was paid and what the baseline would have cost, as two bars.
pub(super) fn savings(paid: NanoUsd, baseline: NanoUsd, name: &str) -> String {
    const LEFT: f64 = 210.0;
    let room = WIDTH - LEFT - 110.0;
    let largest = paid.max(baseline);
    let mut svg = open("Paid, and at the baseline", 84.0);
    let bars = [("bar", "paid", paid, 6.0), ("ghost", name, baseline, 46.0)];
    for (class, name, amount, at) in bars {
        let width = (room * ratio(amount, largest)).max(1.0);
        let name = escaped(&shortened(name, 30));
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\
             <path class=\"{class}\" d=\"{}\"><title>{name}: {amount}</title></path>\
             <text class=\"ink\" x=\"{:.1}\" y=\"{:.1}\">{amount}</text>",
            LEFT - 10.0,
            at + 20.0,
            lying(LEFT, at, width, 30.0),
            LEFT + width + 8.0,
            at + 20.0,
            amount = money(amount),
        );
    }
    svg + "</svg></div>"
}

/// Rows as lying bars by cost, the first `most` of them.
pub(super) fn costs(rows: &[Row], nobody: &str, most: usize) -> String {
    const LEFT: f64 = 290.0;
    const STEP: f64 = 30.0;
    let room = WIDTH - LEFT - 130.0;
    let shown = &rows[..rows.len().min(most)];
    let largest = shown.iter().map(|row| row.sums.cost_usd).max().unwrap_or_default();
    let decimals = Decimals::for_up_to(largest);
    let mut svg = open("Cost", STEP * as_f64(shown.len()) + 4.0);
    for (index, row) in shown.iter().enumerate() {
        let at = STEP * as_f64(index) + 4.0;
        let name = escaped(&shortened(row.name.as_deref().unwrap_or(nobody), 40));
        let (cost, requests) = (decimals.usd(row.sums.cost_usd), count(row.sums.requests));
        let width = room * ratio(row.sums.cost_usd, largest);
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\
             <path class=\"bar\" d=\"{}\"><title>{name}: {cost}, {requests} requests</title></path>\
             <text class=\"ink\" x=\"{:.1}\" y=\"{:.1}\">{cost}</text>",
            LEFT - 10.0,
            at + 16.0,
            lying(LEFT, at, width, 22.0),
            LEFT + width + 8.0,
            at + 16.0,
        );
    }
    svg + "</svg></div>"
}

/// Requests of each tier as one bar in parts, easy to hard.
pub(super) fn tiers(rows: &[(&'static str, &str, u64)]) -> String {
    let all: u64 = rows.iter().map(|(_, _, requests)| requests).sum();
    let mut svg = open("Requests by tier", 40.0);
    let mut left = 0.0;
    for (class, name, requests) in rows {
        let part = share(*requests, all);
        let width = WIDTH * part;
        let _ = write!(
            svg,
            "<rect class=\"tier {class}\" x=\"{left:.1}\" y=\"0\" width=\"{:.1}\" height=\"40\" rx=\"3\"><title>{name}: {} requests, {}</title></rect>",
            (width - 2.0).max(0.5),
            count(*requests),
            percent(part)
        );
        left += width;
    }
    svg + "</svg></div>"
}

type Line = (&'static str, &'static str, fn(&Point) -> f32);

const LINES: [Line; 3] = [
    ("right", "right", |point| point.accuracy),
    ("weak", "too weak", |point| point.too_weak),
    ("price", "price", |point| point.cost),
];

/// What each setting of `classifier.quality` comes to, with the configured one marked.
pub(super) fn quality(quality: &Quality) -> String {
    const LEFT: f64 = 48.0;
    const TOP: f64 = 24.0;
    const HEIGHT: f64 = 230.0;
    let width = WIDTH - LEFT - 90.0;
    let x = |quality: f32| LEFT + width * f64::from(quality.clamp(0.0, 1.0));
    let y = |value: f32| TOP + HEIGHT * (1.0 - f64::from(value.clamp(0.0, 1.0)));
    let mut svg = open("What classifier.quality buys", TOP + HEIGHT + 42.0);
    for step in 0..=5_u8 {
        let value = f32::from(step) / 5.0;
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{end:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} %</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.1}</text>",
            LEFT - 8.0,
            y(value) + 4.0,
            step * 20,
            x(value),
            TOP + HEIGHT + 18.0,
            at = y(value),
            end = LEFT + width,
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">classifier.quality: cost (0) to quality (1)</text>",
        LEFT + width / 2.0,
        TOP + HEIGHT + 38.0
    );
    let mark = x(quality.configured);
    let _ = write!(
        svg,
        "<path class=\"mark\" d=\"M{mark:.1} {TOP}V{:.1}\"/><text class=\"mark\" x=\"{mark:.1}\" y=\"{:.1}\" text-anchor=\"middle\">yours: {}</text>",
        TOP + HEIGHT,
        TOP - 8.0,
        quality.configured
    );
    for (class, name, value) in LINES {
        let points: Vec<String> = quality
            .curve
            .iter()
            .map(|point| format!("{:.1},{:.1}", x(point.quality), y(value(point))))
            .collect();
        let end = quality.curve.last().map_or(0.0, |point| y(value(point)));
        let own = value(&quality.at_configured);
        let _ = write!(
            svg,
            "<polyline class=\"curve {class}\" style=\"fill:none\" points=\"{}\"/>\
             <text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>\
             <circle class=\"{class}\" cx=\"{mark:.1}\" cy=\"{:.1}\" r=\"4.5\"><title>{name} at {}: {}</title></circle>",
            points.join(" "),
            LEFT + width + 8.0,
            end + 4.0,
            y(own),
            quality.configured,
            percent(f64::from(own))
        );
    }
    svg + "</svg></div>"
}

fn open(name: &str, height: f64) -> String {
    format!(
        "<div class=\"chart\"><svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{name}\">"
    )
}

/// A column from `top` down to `bottom` with its upper corners rounded.
fn upright(left: f64, top: f64, width: f64, bottom: f64) -> String {
    let height = (bottom - top).max(0.0);
    let r = 3.0_f64.min(height).min(width / 2.0);
    format!(
        "M{left:.1} {bottom:.1}v-{:.1}q0 -{r:.1} {r:.1} -{r:.1}h{:.1}q{r:.1} 0 {r:.1} {r:.1}v{:.1}z",
        height - r,
        width - 2.0 * r,
        height - r
    )
}

/// A bar to the right with its right corners rounded.
fn lying(left: f64, top: f64, width: f64, height: f64) -> String {
    let r = 3.0_f64.min(width);
    format!(
        "M{left:.1} {top:.1}h{:.1}q{r:.1} 0 {r:.1} {r:.1}v{:.1}q0 {r:.1} -{r:.1} {r:.1}h-{:.1}z",
        width - r,
        height - 2.0 * r,
        width - r
    )
}

/// The next amount that four steps divide well: 1, 2, 4 or 8 times a power of ten.
fn ceiling(amount: NanoUsd) -> NanoUsd {
    let mut power = 1_i64;
    loop {
        for factor in [1, 2, 4, 8] {
            let top = power.saturating_mul(factor);
            if top >= amount.0.max(4) {
                return NanoUsd(top);
            }
        }
        power = power.saturating_mul(10);
    }
}

fn shortened(text: &str, most: usize) -> String {
    crate::cli::figures::cut(text, most)
}

#[expect(clippy::cast_precision_loss, reason = "positions in a picture")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_amount_above_the_largest() {
        for (amount, top) in [(0, 4), (5, 8), (9, 10), (3_100_000_000, 4_000_000_000)] {
            assert_eq!(ceiling(NanoUsd(amount)), NanoUsd(top));
        }
        assert_eq!(ceiling(NanoUsd::MAX), NanoUsd::MAX);
    }

    #[test]
    fn a_limit_far_above_the_spending_does_not_flatten_it() {
        let day = || Day { name: "2026-11-21".to_owned(), spent: NanoUsd(1_000), requests: 1 };
        assert!(!days(&[day()], Some(NanoUsd(1_000_000))).contains("limit"));
        assert!(days(&[day()], Some(NanoUsd(3_000))).contains("limit $0.000003 a day"));
    }
}
