//! Which model serves: a pure choice among the candidates, with a readable reason for each that is
//! refused. No I/O, no clock: facts and `now` come in, an ordered list goes out.

pub mod estimate;
mod plan;

pub use plan::{Candidate, Facts, Plan, Question, Reason, Refusal, Wanted, plan};

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct RoutingSettings {
    pub unknown_model: UnknownModel,
    /// A paid model below the tier may serve when none of the tier can.
    pub allow_weaker: bool,
    pub sticky_ttl: Duration,
    pub prefer: Prefer,
    /// Calls after the first one.
    pub max_fallbacks: u32,
}

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownModel {
    #[default]
    Reject,
    Auto,
}

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    #[default]
    Cost,
    Latency,
    Balanced,
}
