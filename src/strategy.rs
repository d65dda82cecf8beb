//! Which model serves: a pure choice among the candidates, with a readable reason for each that is
//! refused. No I/O, no clock: facts and `now` come in, an ordered list goes out.

mod balance;
mod empty;
pub mod estimate;
mod judge;
mod order;
mod plan;
mod reason;

pub use empty::Empty;
pub use plan::{Candidate, Facts, GaveOut, Plan, Question, Refusal, Spread, Wanted, plan};
pub use reason::{Limit, Reason, Shortfall};

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

#[cfg(test)]
pub(crate) use plan::tests::model as model_for_tests;
