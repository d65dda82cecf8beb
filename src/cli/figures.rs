//! Figures as people read them: rounded amounts, counts, shares, bars, and tables of them. Exact
//! amounts are for JSON and for single requests ([`super::budget::usd`]).

use crate::money::NanoUsd;

/// Columns of text that are used where the terminal does not say how wide it is.
const USUAL_WIDTH: usize = 100;
const NARROWEST: usize = 60;
const WIDEST: usize = 160;

/// To how many decimals the amounts of one table are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimals(u32);

impl Decimals {
    /// Enough to tell apart amounts of which `largest` is the largest.
    pub(crate) fn for_up_to(largest: NanoUsd) -> Self {
        match largest.0.unsigned_abs() {
            0 | 1_000_000_000.. => Self(2),
            10_000_000.. => Self(4),
            _ => Self(6),
        }
    }

    /// `$1,234.50`; what would be rounded to nothing is `<$0.01`.
    pub(crate) fn usd(self, amount: NanoUsd) -> String {
        let sign = if amount.0 < 0 { "-" } else { "" };
        let unit = 10_u64.pow(9 - self.0);
        let nanos = amount.0.unsigned_abs();
        let units = nanos / unit + u64::from(nanos % unit >= unit / 2);
        let in_a_dollar = 10_u64.pow(self.0);
        let width = self.0 as usize;
        if units == 0 && nanos > 0 {
            return format!("{sign}<$0.{:0width$}", 1);
        }
        let (whole, rest) = (units / in_a_dollar, units % in_a_dollar);
        format!("{sign}${}.{rest:0width$}", count(whole))
    }
}

/// One amount on its own.
pub(crate) fn money(amount: NanoUsd) -> String {
    Decimals::for_up_to(amount).usd(amount)
}

/// `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `950`, `12.3k`, `4.56M`: three figures.
#[expect(clippy::cast_precision_loss, reason = "rounded to three figures")]
pub(crate) fn short(number: u64) -> String {
    let (value, unit) = match number {
        0..1_000 => return number.to_string(),
        1_000..999_500 => (number as f64 / 1e3, "k"),
        999_500..999_500_000 => (number as f64 / 1e6, "M"),
        _ => (number as f64 / 1e9, "G"),
    };
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$}{unit}")
}

/// `45 %`, `0.4 %`; what is almost nothing or almost all is not rounded to it.
pub(crate) fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value {
        _ if value == 0.0 || value >= 100.0 => format!("{value:.0} %"),
        _ if value.abs() < 0.1 => "<0.1 %".to_owned(),
        _ if value.abs() < 9.95 => format!("{value:.1} %"),
        _ if value > 99.0 => format!("{:.1} %", value.min(99.9)),
        _ => format!("{value:.0} %"),
    }
}

/// `part` of `whole` for bars and shares; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "for display")]
pub(crate) fn ratio(part: NanoUsd, whole: NanoUsd) -> f64 {
    if whole.0 <= 0 { 0.0 } else { part.0 as f64 / whole.0 as f64 }
}

/// A bar of `width` cells of which `share` (0..1) are full, in eighths of a cell.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "at most eight times the width of a screen"
)]
pub(crate) fn bar(share: f64, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let mut eighths = (share * width as f64 * 8.0).round() as usize;
    if share > 0.0 {
        eighths = eighths.max(1);
    }
    let full = "█".repeat(eighths / 8);
    format!("{full}{}", PARTS[eighths % 8])
}

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows in columns two spaces apart. Where they pass `width`, the first column is cut.
pub(crate) fn table(rows: &[Vec<String>], aligns: &[Align], width: usize) -> Vec<String> {
    let cell_width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let mut widths: Vec<usize> =
        (0..aligns.len()).map(|column| cell_width(column).unwrap_or(0)).collect();
    let gaps = 2 * aligns.len().saturating_sub(1);
    let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
    if let Some(first) = widths.first_mut() {
        *first = first.saturating_sub(excess).max(12.min(*first));
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(aligns).zip(&widths).map(|((cell, align), &width)| {
            let cell = cut(cell, width);
            match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// At most `width` characters; what is cut off is an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Columns that a line may have.
pub(crate) fn screen_width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.map_or(USUAL_WIDTH, |columns: usize| columns.clamp(NARROWEST, WIDEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "$0.00")]
    #[case(1_234_567_891_234, "$1,234.57")]
    #[case(-2_500_000_000, "-$2.50")]
    #[case(45_600_000, "$0.0456")]
    #[case(45_000, "$0.000045")]
    #[case(12, "<$0.000001")]
    #[case(999_999_999, "$1.0000")]
    fn an_amount_is_rounded_to_what_matters(#[case] nanos: i64, #[case] expected: &str) {
        assert_eq!(money(NanoUsd(nanos)), expected);
    }

    #[test]
    fn amounts_of_one_table_have_the_same_decimals() {
        let decimals = Decimals::for_up_to(NanoUsd(12_000_000_000));
        assert_eq!(decimals.usd(NanoUsd(4_000_000)), "<$0.01");
        assert_eq!(decimals.usd(NanoUsd(6_000_000)), "$0.01");
    }

    #[rstest]
    #[case(950, "950")]
    #[case(12_345, "12.3k")]
    #[case(999_499, "999k")]
    #[case(999_500, "1.00M")]
    #[case(4_560_000, "4.56M")]
    #[case(99_960_000, "100M")]
    #[case(7_000_000_000, "7.00G")]
    fn counts_are_short(#[case] number: u64, #[case] expected: &str) {
        assert_eq!(short(number), expected);
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[rstest]
    #[case(0.0, "0 %")]
    #[case(0.0001, "<0.1 %")]
    #[case(0.045, "4.5 %")]
    #[case(0.45, "45 %")]
    #[case(0.9999, "99.9 %")]
    #[case(1.0, "100 %")]
    fn almost_all_is_not_all(#[case] share: f64, #[case] expected: &str) {
        assert_eq!(percent(share), expected);
    }

    #[test]
    fn bars_show_the_smallest_share_and_end_at_the_edge() {
        assert_eq!(bar(0.0, 10), "");
        assert_eq!(bar(0.0001, 10), "▏");
        assert_eq!(bar(0.55, 10), "█████▌");
        assert_eq!(bar(7.0, 10), "██████████");
    }

    #[test]
    fn a_table_that_is_too_wide_loses_the_end_of_its_first_column() {
        let rows = [["a-very-long-name-indeed", "1"], ["b", "20"]]
            .map(|row| row.map(str::to_owned).to_vec());
        let lines = table(&rows, &[Align::Left, Align::Right], 20);
        assert_eq!(lines, ["a-very-long-nam…   1", "b                 20"]);
    }
}
