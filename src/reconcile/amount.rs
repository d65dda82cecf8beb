//! Amounts as providers write them. Exports have more decimals than a billionth of a dollar holds
//! (a cached token, a float's last digits), so lines are summed finer and rounded once.

use crate::money::NanoUsd;

/// Decimal places that are kept.
const DECIMALS: u32 = 28;
const PER_NANO: i128 = 10_i128.pow(DECIMALS - 9);

/// An amount in units of 10⁻²⁸ USD, up to ten billion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fine(i128);

impl Fine {
    /// `None`: too large to be counted.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// To the nearest nano-dollar, half away from zero; `None` beyond what can be counted.
    pub(super) fn rounded(self) -> Option<NanoUsd> {
        let half = PER_NANO / 2 * self.0.signum();
        i64::try_from((self.0.checked_add(half)?) / PER_NANO).ok().map(NanoUsd)
    }
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AmountError {
    #[error("is no amount in USD such as 1234.56, $1,234.56 or 1.2e-05")]
    Malformed,
    #[error("has more than 28 decimal places")]
    TooFine,
    #[error("is too large")]
    TooLarge,
}

/// Reads decimal USD: a sign, `$`, `US$` or `USD` before it or `USD` behind it, commas between
/// thousands, an exponent.
pub(super) fn read(text: &str) -> Result<Fine, AmountError> {
    let (negative, number) = unwrapped(text.trim());
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.parse::<i32>().map_err(|_| AmountError::Malformed)?)
        }
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = without_commas(whole).ok_or(AmountError::Malformed)?;
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_number(&whole) || !is_number(fraction) {
        return Err(AmountError::Malformed);
    }
    if !(-99..=99).contains(&exponent) {
        return Err(AmountError::Malformed);
    }
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(Fine(0));
    }
    let places = i32::try_from(fraction.len()).map_err(|_| AmountError::TooFine)? - exponent;
    let value: i128 = digits.parse().map_err(|_| AmountError::TooLarge)?;
    let shift = DECIMALS.cast_signed() - places;
    let scale = 10_i128.checked_pow(shift.unsigned_abs());
    let value = match (shift, scale) {
        (0.., scale) => scale.and_then(|scale| value.checked_mul(scale)),
        (_, Some(scale)) if value % scale == 0 => Some(value / scale),
        _ => return Err(AmountError::TooFine),
    };
    let value = value.ok_or(AmountError::TooLarge)?;
    Ok(Fine(if negative { -value } else { value }))
}

/// The number without its sign and its currency, and whether it is negative.
fn unwrapped(text: &str) -> (bool, &str) {
    let (mut rest, mut negative, mut currency) = (text, false, false);
    loop {
        if !negative && let Some(after) = rest.strip_prefix('-') {
            (rest, negative) = (after, true);
        } else if !currency && let Some(after) = without_currency(rest) {
            (rest, currency) = (after.trim_start(), true);
        } else {
            break;
        }
    }
    let at = rest.len().saturating_sub(3);
    let suffix = rest.get(at..).is_some_and(|suffix| suffix.eq_ignore_ascii_case("usd"));
    let number = if suffix && !currency { rest[..at].trim_end() } else { rest };
    (negative, number)
}

fn without_currency(text: &str) -> Option<&str> {
    ["US$", "$", "USD", "usd"].iter().find_map(|sign| text.strip_prefix(sign))
}

/// The digits of a whole number; commas only where thousands end.
fn without_commas(whole: &str) -> Option<String> {
    if !whole.contains(',') {
        return Some(whole.to_owned());
    }
    let mut groups = whole.split(',');
    // `0,005` is how others write 0.005.
    let leads = |first: &str| (1..=3).contains(&first.len()) && !first.starts_with('0');
    let first = groups.next().is_some_and(leads);
    (first && groups.all(|group| group.len() == 3)).then(|| whole.replace(',', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn nanos(text: &str) -> i64 {
        read(text).unwrap().rounded().unwrap().0
    }

    #[rstest]
    #[case("3", 3_000_000_000)]
    #[case("0.8958740000000000", 895_874_000)]
    #[case("$1,234.56", 1_234_560_000_000)]
    #[case("USD 0.25", 250_000_000)]
    #[case("0.25 usd", 250_000_000)]
    #[case("US$7", 7_000_000_000)]
    #[case("-$0.5", -500_000_000)]
    #[case("$-0.5", -500_000_000)]
    #[case("1.7250000000000002e-05", 17_250)]
    #[case("5E2", 500_000_000_000)]
    #[case(".5", 500_000_000)]
    #[case("0.0000000005", 1)]
    #[case("-0.0000000005", -1)]
    #[case("0.00000000049", 0)]
    #[case("0e-40", 0)]
    fn amounts_are_read_as_they_are_written(#[case] text: &str, #[case] expected: i64) {
        assert_eq!(nanos(text), expected);
    }

    #[rstest]
    #[case("")]
    #[case("-")]
    #[case("$")]
    #[case("1,23")]
    #[case("1,2345")]
    #[case("0,005")]
    #[case("12,34.5")]
    #[case(",123")]
    #[case("€3")]
    #[case("3 EUR")]
    #[case("1.2.3")]
    #[case("--1")]
    #[case("$$1")]
    #[case("$1 USD")]
    #[case("(1.00)")]
    #[case("1 000")]
    #[case("NaN")]
    #[case("1e")]
    #[case("1e999")]
    #[case("0.00000000000000000000000000001")]
    #[case("99999999999999999999999999")]
    fn what_could_mean_two_things_is_no_amount(#[case] text: &str) {
        assert!(read(text).is_err(), "{:?}", read(text));
    }

    proptest! {
        #[test]
        fn every_nano_dollar_is_read_back(nanos_in in any::<i32>(), exponent in 0_u32..6) {
            let amount = NanoUsd(i64::from(nanos_in) * 10_i64.pow(exponent));
            prop_assert_eq!(nanos(&amount.to_string()), amount.0);
            let sign = if amount.0 < 0 { "-" } else { "" };
            prop_assert_eq!(nanos(&format!("{sign}{}e-9", amount.0.unsigned_abs())), amount.0);
        }

        #[test]
        fn parts_of_a_nano_add_up(parts in prop::collection::vec(0_u32..1_000_000, 1..50)) {
            let fine = parts.iter().map(|part| read(&format!("0.000000000{part:06}")).unwrap());
            let sum = fine.reduce(|a, b| a.plus(b).unwrap()).unwrap();
            let exact: u64 = parts.iter().map(|part| u64::from(*part)).sum();
            prop_assert_eq!(sum.rounded().unwrap().0.unsigned_abs(), (exact + 500_000) / 1_000_000);
        }
    }
}
