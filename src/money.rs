//! Integer money. Decides how amounts are written, read and rounded; knows nothing of models,
//! prices in a catalogue or budgets. No float ever touches an amount.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;

const NANOS_PER_USD: i64 = 1_000_000_000;
const TOKENS_PER_PRICE: i128 = 1_000_000;

/// An amount in nano-USD (10⁻⁹ US dollar). The range is ±9.2 billion dollars; arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    /// `true` for zero and below.
    pub fn is_zero(self) -> bool {
        self.0 <= 0
    }

    /// The difference, never below zero.
    #[must_use]
    pub fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// For display and for JSON numbers only: the value in USD as a float.
    /// Exact to the nano-dollar up to about nine million dollars (2⁵³ nano-USD).
    #[expect(clippy::cast_precision_loss, reason = "display only; money is never computed from it")]
    pub fn to_usd_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_USD as f64
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl SubAssign for NanoUsd {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Decimal USD with up to nine places and no trailing zeros: `0.000045`, `3`, `-0.5`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let (whole, fraction) = (nanos / NANOS_PER_USD as u64, nanos % NANOS_PER_USD as u64);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:09}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// `$` and at least two decimals, all of them where there are more: `$3.00`, `$0.000045`.
pub fn dollars(amount: NanoUsd) -> String {
    let text = amount.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    match text.split_once('.') {
        None => format!("{sign}${text}.00"),
        Some((_, cents)) if cents.len() < 2 => format!("{sign}${text}0"),
        Some(_) => format!("{sign}${text}"),
    }
}

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("`{0}` is not a decimal amount in USD such as 0.25")]
    Malformed(String),
    #[error("`{0}` has more than nine decimal places")]
    TooFine(String),
    #[error("`{0}` is too large an amount")]
    TooLarge(String),
}

/// Reads decimal USD (`0.0375`, `3`, `1e-3` as TOML floats print it). More than nine places is an error.
impl FromStr for NanoUsd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let malformed = || MoneyError::Malformed(text.to_owned());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i32>().map_err(|_| malformed())?)
            }
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: String = [whole, fraction].concat();
        if all.is_empty() || all.len() > 30 || !all.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed());
        }
        let mut value: i128 = all.parse().map_err(|_| malformed())?;
        let scale = 9 + exponent - i32::try_from(fraction.len()).map_err(|_| malformed())?;
        if !(-40..=20).contains(&scale) {
            return Err(malformed());
        }
        if scale >= 0 {
            value = value
                .checked_mul(10_i128.pow(scale.unsigned_abs()))
                .ok_or_else(|| MoneyError::TooLarge(text.to_owned()))?;
        } else {
            let divisor = 10_i128.checked_pow(scale.unsigned_abs()).ok_or_else(malformed)?;
            if value % divisor != 0 {
                return Err(MoneyError::TooFine(text.to_owned()));
            }
            value /= divisor;
        }
        let value = i64::try_from(value).map_err(|_| MoneyError::TooLarge(text.to_owned()))?;
        Ok(Self(if negative { -value } else { value }))
    }
}

/// A price in nano-USD per **million** tokens, so that $0.0375 per million is an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerMTok(pub i64);

impl PerMTok {
    pub const FREE: Self = Self(0);

    /// This price times `to / from`, rounded up; a factor without a base leaves it as it is.
    #[must_use]
    pub fn times(self, to: Self, from: Self) -> Self {
        if from.0 <= 0 {
            return self;
        }
        let (product, from) = (i128::from(self.0) * i128::from(to.0), i128::from(from.0));
        let up = product.div_euclid(from) + i128::from(product.rem_euclid(from) != 0);
        Self(i64::try_from(up).unwrap_or(i64::MAX))
    }
}

impl FromStr for PerMTok {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        NanoUsd::from_str(text).map(|amount| Self(amount.0))
    }
}

/// Sums `tokens × price` exactly and rounds up once, at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct CostSum(i128);

impl CostSum {
    #[must_use]
    pub fn plus(self, tokens: u64, price: PerMTok) -> Self {
        Self(self.0.saturating_add(i128::from(tokens).saturating_mul(i128::from(price.0))))
    }

    /// The sum in nano-USD, rounded up.
    pub fn total(self) -> NanoUsd {
        let up = self.0.saturating_add(TOKENS_PER_PRICE - 1).div_euclid(TOKENS_PER_PRICE);
        NanoUsd(i64::try_from(up).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_written_without_trailing_zeros() {
        assert_eq!(NanoUsd(45_000).to_string(), "0.000045");
        assert_eq!(NanoUsd(3_000_000_000).to_string(), "3");
        assert_eq!(NanoUsd(-500_000_000).to_string(), "-0.5");
    }

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        assert_eq!("0.0375".parse(), Ok(NanoUsd(37_500_000)));
        assert_eq!("1e-3".parse(), Ok(NanoUsd(1_000_000)));
        assert!(matches!("0.0000000001".parse::<NanoUsd>(), Err(MoneyError::TooFine(_))));
        assert!(matches!("".parse::<NanoUsd>(), Err(MoneyError::Malformed(_))));
        assert!(matches!("1.2.3".parse::<NanoUsd>(), Err(MoneyError::Malformed(_))));
        assert!(matches!("99999999999".parse::<NanoUsd>(), Err(MoneyError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same_amount(nanos in any::<i32>()) {
            let amount = NanoUsd(i64::from(nanos) * 7);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn a_cost_is_never_rounded_down_and_is_less_than_one_nano_too_high(
            tokens in 0_u64..10_000_000, price in 0_i64..100_000_000_000,
        ) {
            let exact = i128::from(tokens) * i128::from(price);
            let cost = i128::from(CostSum::default().plus(tokens, PerMTok(price)).total().0) * 1_000_000;
            prop_assert!(cost >= exact && cost - exact < 1_000_000);
        }
    }
}
