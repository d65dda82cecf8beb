//! Amounts as exact JSON numbers: written from their decimal text, never through a float.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::money::{NanoUsd, PerMTok};

/// An amount in USD as a JSON number with every nano-dollar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usd(pub(super) NanoUsd);

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?;
        text.serialize(serializer)
    }
}

/// A price per million tokens as the price of one token in USD: `0.0000000375`.
pub(super) fn per_token(price: PerMTok) -> String {
    const DECIMALS: usize = 15;
    let digits = format!("{:0width$}", price.0.max(0), width = DECIMALS + 1);
    let (whole, fraction) = digits.split_at(digits.len() - DECIMALS);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_every_nano_dollar() {
        let text = serde_json::to_string(&Usd(NanoUsd(9_007_199_254_740_993))).unwrap();
        assert_eq!(text, "9007199.254740993");
        assert_eq!(serde_json::to_string(&Usd(NanoUsd(45_000))).unwrap(), "0.000045");
    }

    #[test]
    fn a_price_per_token_is_exact() {
        assert_eq!(per_token(PerMTok(2_000_000_000)), "0.000002");
        assert_eq!(per_token(PerMTok(37_500_000)), "0.0000000375");
        assert_eq!(per_token(PerMTok(1)), "0.000000000000001");
        assert_eq!(per_token(PerMTok(0)), "0");
        assert_eq!(per_token(PerMTok(3_000_000_000_000_000)), "3");
    }
}
