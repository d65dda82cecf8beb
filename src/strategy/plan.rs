//! The choice itself.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::RoutingSettings;
use crate::catalog::{AliasStrategy, Capabilities, Model, Target, Tier};
use crate::ids::ModelId;
use crate::ledger::{Headroom, WhenExhausted};
use crate::money::NanoUsd;

/// What the client wants to be served by.
#[derive(Clone, Debug)]
pub enum Wanted<'a> {
    /// The cheapest capable model of the catalogue.
    Auto,
    /// These in their order; the tier does not matter.
    Named { strategy: AliasStrategy, targets: &'a [Target] },
}

/// What is known of one model at this moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Its provider is configured and has a key if it needs one.
    pub enabled: bool,
    /// The caller's key may use it.
    pub allowed: bool,
    /// Why it cannot be called now (breaker, cooldown, bucket, not loaded) and for how long yet.
    pub down: Option<(String, Option<Duration>)>,
    /// Tokens of this prompt that its provider probably still has cached.
    pub cached_tokens: u32,
    /// Measured time to first token, if any.
    pub first_token: Option<Duration>,
    /// Local models: measured prefill speed in tokens per second.
    pub prefill_per_s: Option<f64>,
}

/// Everything the choice depends on.
pub struct Question<'a> {
    pub now: Timestamp,
    pub tier: Tier,
    pub wanted: Wanted<'a>,
    /// Every model of the catalogue (used under [`Wanted::Auto`]).
    pub models: &'a [Arc<Model>],
    pub facts: &'a dyn Fn(&Model) -> Facts,
    pub required: Capabilities,
    pub prompt: super::estimate::PromptTokens,
    /// The client's own cap on the answer.
    pub client_cap: Option<u32>,
    pub default_output_tokens: u32,
    pub headroom: &'a Headroom,
    pub when_exhausted: WhenExhausted,
    pub routing: &'a RoutingSettings,
    /// The model that this conversation's task is served by; goes first if it is eligible.
    pub pinned: Option<&'a ModelId>,
}

/// An ordered list of what to try, and why the others were refused.
#[derive(Clone, Debug)]
pub struct Plan {
    pub candidates: Vec<Candidate>,
    pub refused: Vec<Refusal>,
}

#[derive(Clone, Debug)]
pub struct Candidate {
    pub model: Arc<Model>,
    /// What it will probably cost.
    pub estimated: NanoUsd,
    /// What it can cost at most, with `output_cap`.
    pub ceiling: NanoUsd,
    /// Cap to send upstream, in tokens.
    pub output_cap: u32,
    /// One readable sentence.
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct Refusal {
    pub model: Arc<Model>,
    pub estimated: NanoUsd,
    pub ceiling: NanoUsd,
    pub reason: Reason,
}

/// Why a model was refused. `Display` is the readable sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Reason {
    #[error("its provider is not configured or has no key")]
    NotEnabled,
    #[error("this client key may not use it")]
    NotAllowed,
    #[error("{why}")]
    Down { why: String, retry_after: Option<Duration> },
    #[error("it is trusted up to {max_tier}, the work is {tier}")]
    TooWeak { max_tier: Tier, tier: Tier },
    #[error("it lacks {0}")]
    Lacks(String),
    #[error("the prompt of about {tokens} tokens does not fit its window of {window}")]
    WindowTooSmall { tokens: u64, window: u64 },
    #[error("{0}")]
    Budget(String),
    #[error("its price is not known")]
    PriceUnknown,
    #[error("the prompt is too long to answer here in acceptable time")]
    TooSlow,
}

pub fn plan(_question: &Question<'_>) -> Plan {
    Plan { candidates: Vec::new(), refused: Vec::new() }
}
