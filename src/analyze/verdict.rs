//! From five class probabilities to a tier.

use crate::catalog::Tier;

/// Probability per tier, trivial first; sums to 1.
pub type Scores = [f32; 5];

/// `loss[truth][chosen]`: the cost of routing a prompt of tier `truth` as `chosen`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossMatrix(pub [[f32; 5]; 5]);

impl Default for LossMatrix {
    /// Too weak costs twice as much a step as too strong, and more for the hardest work.
    fn default() -> Self {
        Self([
            [0.0, 1.0, 2.0, 3.0, 4.0],
            [1.4, 0.0, 1.0, 2.0, 3.0],
            [3.0, 1.5, 0.0, 1.0, 2.0],
            [5.0, 3.2, 1.6, 0.0, 1.0],
            [7.0, 5.0, 3.4, 1.7, 0.0],
        ])
    }
}

/// Where a tier came from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Source {
    Classifier,
    /// Rules: the classifier was saturated or late.
    Heuristic,
    /// `X-Task-Tier` or `auto:TIER`.
    Header,
    /// The client named a model.
    Explicit,
    /// A follow-up has the tier of what it continues.
    Inherited,
    /// The client's own request (a title, a summary).
    SideRequest,
    /// Raised after repeated failures.
    Escalated,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    pub tier: Tier,
    /// 0..1, monotone in the expected tier.
    pub difficulty: f32,
    /// Probability of `tier`, 0..1.
    pub confidence: f32,
    pub scores: Scores,
    pub source: Source,
}
