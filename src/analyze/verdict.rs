//! From five class probabilities to a tier.

use crate::catalog::Tier;

use super::instruction::Instruction;

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

/// By how much `quality` multiplies the losses of too weak choices at its ends: at 0 a step too weak
/// and a step too strong weigh about the same in the default matrix, at 1 a doubt of a tenth rounds
/// up. In between the factor moves geometrically, through 1 at 0.5.
const AT_COST: f32 = 2.0 / 3.0;
const AT_QUALITY: f32 = 6.0;

impl LossMatrix {
    /// The matrix that a preference between cost (0) and quality (1) makes of this one; 0.5 leaves
    /// it as it is. A value outside counts as the nearer end, one that is no number as 0.5.
    ///
    /// A higher quality never lowers the tier of any scores, whatever the matrix holds: what is
    /// added or taken never grows towards the true tier.
    #[must_use]
    pub fn at_quality(self, quality: f32) -> Self {
        let lean = if quality.is_nan() { 0.0 } else { quality.clamp(0.0, 1.0) * 2.0 - 1.0 };
        let factor = if lean < 0.0 { AT_COST.powf(-lean) } else { AT_QUALITY.powf(lean) };
        let mut rows = self.0;
        for (truth, row) in rows.iter_mut().enumerate() {
            // From the true tier downwards: the largest loss of a choice at least as strong.
            let mut most = 0.0_f32;
            for loss in row.iter_mut().take(truth).rev() {
                most = most.max(*loss);
                *loss += (factor - 1.0) * most;
            }
        }
        Self(rows)
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
    /// Rules: the classifier was saturated or late, or the words close the talk.
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

impl Verdict {
    /// A tier that is not in doubt.
    pub fn certain(tier: Tier, source: Source) -> Self {
        let mut scores = [0.0; 5];
        if let Some(score) = scores.get_mut(tier.index()) {
            *score = 1.0;
        }
        verdict(scores, source, |_| tier)
    }
}

/// The abstain band: a verdict that leaves more probability than this to work two or more tiers
/// harder is rounded up until it does not, whatever the losses say. That cannot happen to a tier
/// with four fifths of the probability, and happens first where it is spread thin. The bound is on
/// the risk and not on the largest probability: else more evidence for hard work could end the doubt
/// and lower a tier.
pub const ABSTAIN: f32 = 0.2;

/// The tier with the least expected loss, of two that cost the same the harder one, and rounded up
/// where [`ABSTAIN`] asks for it. Probabilities that are no numbers or negative count as zero;
/// without any, every tier is as likely.
pub fn decide(scores: &Scores, loss: &LossMatrix) -> Verdict {
    verdict(probabilities(scores), Source::Classifier, |scores| {
        least_loss(scores, loss).max(least_risk(scores))
    })
}

fn least_loss(scores: &Scores, loss: &LossMatrix) -> Tier {
    let expected = |chosen: usize| -> f32 {
        let costs = scores.iter().zip(&loss.0);
        costs.map(|(p, row)| p * row.get(chosen).copied().unwrap_or(0.0)).sum()
    };
    let mut best = (Tier::Trivial, f32::INFINITY);
    for tier in Tier::ALL {
        let cost = expected(tier.index());
        if cost <= best.1 {
            best = (tier, cost);
        }
    }
    best.0
}

/// The lowest tier that is two tiers too weak with no more than [`ABSTAIN`].
fn least_risk(scores: &Scores) -> Tier {
    let risk = |tier: &Tier| scores.iter().skip(tier.index() + 2).sum::<f32>();
    Tier::ALL.into_iter().find(|tier| risk(tier) <= ABSTAIN).unwrap_or(Tier::Deep)
}

/// The final verdict on a request: a side request has the tier of its kind, thanks that close the
/// talk are trivial, a follow-up has never less than what it continues, and an agent that runs in
/// circles gets one tier more.
pub fn combine(own: Verdict, inherited: Option<Verdict>, instruction: &Instruction) -> Verdict {
    if let Some(tier) = instruction.side {
        return Verdict::certain(tier, Source::SideRequest);
    }
    if instruction.closing {
        return Verdict::certain(Tier::Trivial, Source::Heuristic);
    }
    let mut verdict = match inherited {
        Some(earlier) if earlier.tier > own.tier => {
            Verdict { source: Source::Inherited, ..earlier }
        }
        Some(_) | None => own,
    };
    if instruction.escalate {
        verdict = escalated(verdict);
    }
    verdict
}

/// One tier up: the whole distribution moves, so that tier, scores and difficulty stay in step.
fn escalated(from: Verdict) -> Verdict {
    let [a, b, c, d, e] = from.scores;
    let next = Tier::ALL.get(from.tier.index() + 1).copied().unwrap_or(Tier::Deep);
    verdict([0.0, a, b, c, d + e], Source::Escalated, |_| next)
}

fn verdict(scores: Scores, source: Source, choose: impl Fn(&Scores) -> Tier) -> Verdict {
    let tier = choose(&scores);
    let [_, b, c, d, e] = scores;
    Verdict {
        tier,
        difficulty: ((b + 2.0 * c + 3.0 * d + 4.0 * e) / 4.0).clamp(0.0, 1.0),
        confidence: scores.get(tier.index()).copied().unwrap_or(0.0),
        scores,
        source,
    }
}

fn probabilities(scores: &Scores) -> Scores {
    let clean = scores.map(|p| if p.is_finite() && p > 0.0 { p.min(1e6) } else { 0.0 });
    let sum: f32 = clean.iter().sum();
    if sum > 0.0 { clean.map(|p| p / sum) } else { [0.2; 5] }
}

#[cfg(test)]
mod tests;
