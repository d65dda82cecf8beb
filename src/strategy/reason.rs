//! Why a model was refused, in words that a user can act on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::catalog::Tier;
use crate::money::NanoUsd;

/// Why a model was refused. `Display` is the readable sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Reason {
    #[error("its provider is not configured or has no key")]
    NotEnabled,
    #[error("its provider offers it no longer")]
    Removed,
    #[error("this client key may not use it")]
    NotAllowed,
    #[error("{why}")]
    Down { why: String, retry_after: Option<Duration> },
    /// Down because of a rate limit, the provider's or our own.
    #[error("{why}")]
    Limited { why: String, retry_after: Option<Duration> },
    #[error("it is trusted up to {max_tier} work, this is {tier}")]
    TooWeak { max_tier: Tier, tier: Tier },
    #[error("it lacks {0}")]
    Lacks(String),
    #[error("the prompt of about {tokens} tokens does not fit its window of {window}")]
    WindowTooSmall { tokens: u64, window: u64 },
    #[error("{0}")]
    Budget(Shortfall),
    #[error(
        "its price is not known: such a model serves only when asked for by name and without a budget"
    )]
    PriceUnknown,
    #[error("the prompt of about {tokens} tokens would take about {seconds} s to read here")]
    TooSlow { tokens: u64, seconds: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Limit {
    Daily,
    Monthly,
    PerRequest,
}

/// What is too dear, and for which limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    pub which: Limit,
    /// The name of the client key whose limit it is; `None`: everybody's.
    pub key: Option<Arc<str>>,
    pub limit: NanoUsd,
    /// Settled in this window; zero for the per-request limit.
    pub spent: NanoUsd,
    /// The least that would have to be reserved, with the answer capped at `cap` tokens.
    pub needed: NanoUsd,
    pub cap: u32,
    /// `None` for the per-request limit.
    pub resets_at: Option<Timestamp>,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (needed, limit) = (usd(self.needed), usd(self.limit));
        let cap = self.cap;
        write!(f, "even an answer of {cap} tokens can cost {needed}, ")?;
        let Some(resets_at) = self.resets_at else {
            return write!(f, "over the limit of {limit} per request");
        };
        let left = usd(self.limit.minus_or_zero(self.spent));
        let (which, spent) = (self.which, usd(self.spent));
        write!(f, "and {left} is left of the {which} limit of {limit} (")?;
        match &self.key {
            None => write!(f, "spent {spent}")?,
            Some(name) => write!(f, "the key `{name}` has spent {spent}")?,
        }
        write!(f, ", resets at {resets_at})")
    }
}

/// An amount for a sentence: four decimal places, six below a cent.
pub(super) fn usd(amount: NanoUsd) -> String {
    let step = if amount.0.abs() >= 10_000_000 { 100_000 } else { 1_000 };
    let rounded = NanoUsd(amount.0.saturating_add(step / 2).div_euclid(step).saturating_mul(step));
    if rounded.is_zero() && !amount.is_zero() {
        format!("${amount}")
    } else {
        format!("${rounded}")
    }
}
