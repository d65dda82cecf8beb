//! How the cost of an answer came about: each kind of token with its count and the price it was
//! charged at. Written down with the request, for prices change and old lines must stay explainable.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Price};
use crate::chat::Usage;
use crate::money::{CostSum, NanoUsd, PerMTok};

/// One kind of token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(String, u64, i64)", from = "(String, u64, i64)")]
pub struct ReceiptLine {
    /// Such as `input` or `cache_read`.
    pub kind: String,
    pub tokens: u64,
    pub price: PerMTok,
}

impl ReceiptLine {
    /// The product in nano-USD, rounded up for display; only the sum of all lines is exact.
    pub fn amount(&self) -> NanoUsd {
        CostSum::default().plus(self.tokens, self.price).total()
    }
}

/// The account of one answer that cost money.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub lines: Vec<ReceiptLine>,
    /// The provider's own figure in nano-USD, which wins where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<i64>,
}

impl Receipt {
    /// What `usage` cost at `now`, kind by kind; `None` for a price of zero.
    pub fn of(price: &Price, now: Timestamp, usage: &Usage) -> Option<Self> {
        let reported = usage.reported_cost.map(|cost| cost.0);
        if price.is_free() && reported.is_none() {
            return None;
        }
        let lines = price.of(now, usage).lines(usage);
        let line = |(kind, tokens, price): (Kind, u64, PerMTok)| {
            (tokens > 0).then(|| ReceiptLine { kind: kind.to_string(), tokens, price })
        };
        Some(Self { lines: lines.into_iter().filter_map(line).collect(), reported })
    }

    /// The sum of the lines, rounded up once.
    pub fn computed(&self) -> NanoUsd {
        let add = |sum: CostSum, line: &ReceiptLine| sum.plus(line.tokens, line.price);
        self.lines.iter().fold(CostSum::default(), add).total()
    }

    /// What is charged.
    pub fn total(&self) -> NanoUsd {
        self.reported.map_or_else(|| self.computed(), NanoUsd)
    }
}

impl From<ReceiptLine> for (String, u64, i64) {
    fn from(line: ReceiptLine) -> Self {
        (line.kind, line.tokens, line.price.0)
    }
}

impl From<(String, u64, i64)> for ReceiptLine {
    fn from((kind, tokens, price): (String, u64, i64)) -> Self {
        Self { kind, tokens, price: PerMTok(price) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::{Given, LongContext, Rates};

    fn rates(of: i64) -> Rates {
        let given = Given {
            input: Some(PerMTok(of)),
            output: Some(PerMTok(of * 5)),
            cache_read: Some(PerMTok(of / 10)),
            cache_write: Some(PerMTok(of * 5 / 4)),
            cache_write_1h: Some(PerMTok(of * 2)),
            audio_input: Some(PerMTok(of * 3)),
            ..Given::default()
        };
        given.complete()
    }

    fn price() -> Price {
        let long = LongContext { above_input_tokens: 200_000, rates: rates(4_000_000_001) };
        Price { base: rates(2_000_000_003), long_context: vec![long], ..Price::default() }
    }

    proptest! {
        /// A kind of token that is priced and not on the receipt would fail this.
        #[test]
        fn the_lines_come_to_the_price(
            counts in prop::array::uniform7(0_u64..300_000), reported in prop::option::of(0_i64..9_000),
        ) {
            let [input, cache_read, cache_write, cache_write_1h, output, reasoning, audio_input] = counts;
            let reported_cost = reported.map(NanoUsd);
            let usage = Usage {
                input, cache_read, cache_write, cache_write_1h, output, reasoning, audio_input, reported_cost,
                ..Usage::default()
            };
            let now = Timestamp::UNIX_EPOCH;
            let receipt = Receipt::of(&price(), now, &usage).unwrap();
            prop_assert_eq!(receipt.total(), price().cost(now, &usage));
            let text = serde_json::to_string(&receipt).unwrap();
            prop_assert_eq!(serde_json::from_str::<Receipt>(&text).unwrap(), receipt);
        }
    }

    #[test]
    fn a_receipt_is_short() {
        let usage = Usage { input: 8_123, output: 412, ..Usage::default() };
        let receipt = Receipt::of(&price(), Timestamp::UNIX_EPOCH, &usage).unwrap();
        assert_eq!(
            serde_json::to_string(&receipt).unwrap(),
            r#"{"lines":[["input",8123,2000000003],["output",412,10000000015]]}"#
        );
    }

    #[test]
    fn what_is_free_needs_none() {
        let usage = Usage { input: 8_123, output: 412, ..Usage::default() };
        assert_eq!(Receipt::of(&Price::default(), Timestamp::UNIX_EPOCH, &usage), None);
    }
}
