//! `/v1/route`: the decision for a request, with its reasons, without sending it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::decide::{self, Decision};
use super::{ChatError, RequestContext};
use crate::analyze::{Source, Verdict};
use crate::catalog::{Capability, Tier};
use crate::chat::ChatRequest;
use crate::delta::ProjectPath;
use crate::state::AppState;

/// The answer of `/v1/route` (CONTRACT section 3).
#[derive(Debug, Serialize)]
pub struct Explanation {
    pub tier: Tier,
    pub difficulty: f32,
    pub confidence: f32,
    pub source: Source,
    pub instruction: String,
    pub side_request: bool,
    pub prompt_tokens: u32,
    pub required: Vec<Capability>,
    /// `null` when nothing is eligible.
    pub model_id: Option<String>,
    pub candidates: Vec<ExplainedCandidate>,
    /// What of a project would be put in; `null`: nothing.
    pub context: Option<ExplainedContext>,
}

#[derive(Debug, Serialize)]
pub struct ExplainedContext {
    pub project: Arc<str>,
    /// As estimated; part of `prompt_tokens`.
    pub tokens: u32,
    pub files: Vec<ProjectPath>,
}

#[derive(Debug, Serialize)]
pub struct ExplainedCandidate {
    pub model_id: String,
    pub eligible: bool,
    pub estimated_cost_usd: f64,
    pub max_cost_usd: f64,
    pub reason: String,
}

/// Explains; spends nothing and changes nothing, but is a request like others where the caller's key
/// is held to a number of them: it takes the classifier's time.
///
/// # Errors
/// The key has no room for one more request.
pub async fn explain(
    app: &AppState,
    context: RequestContext,
    request: ChatRequest,
) -> Result<Explanation, ChatError> {
    let _seat = super::enter(app, &context)?;
    let asked = request.model.clone();
    let counter = app.runtime.turn.load(Ordering::Relaxed);
    let mut decision = decide::decide(app, context, request, counter).await;
    let unresolved = decision.unresolved();
    let mut explanation = explanation(&decision);
    if let Some(error) = unresolved {
        explanation.model_id = None;
        explanation.candidates = vec![ExplainedCandidate {
            model_id: asked,
            eligible: false,
            estimated_cost_usd: 0.0,
            max_cost_usd: 0.0,
            reason: error.to_string(),
        }];
    }
    Ok(explanation)
}

fn explanation(decision: &Decision) -> Explanation {
    let eligible = decision.plan.candidates.iter().map(|one| ExplainedCandidate {
        model_id: one.model.id.to_string(),
        eligible: true,
        estimated_cost_usd: one.estimated.to_usd_f64(),
        max_cost_usd: one.ceiling.to_usd_f64(),
        reason: one.reason.clone(),
    });
    let refused = decision.plan.refused.iter().map(|one| ExplainedCandidate {
        model_id: one.model.id.to_string(),
        eligible: false,
        estimated_cost_usd: one.estimated.to_usd_f64(),
        max_cost_usd: one.ceiling.to_usd_f64(),
        reason: one.reason.to_string(),
    });
    Explanation {
        tier: decision.verdict.tier,
        difficulty: decision.verdict.difficulty,
        confidence: decision.verdict.confidence,
        source: decision.verdict.source,
        instruction: decision.instruction.text.clone(),
        side_request: decision.instruction.side.is_some(),
        prompt_tokens: decision.prompt.likely,
        required: decision.required.iter().collect(),
        model_id: decision.plan.candidates.first().map(|one| one.model.id.to_string()),
        candidates: eligible.chain(refused).collect(),
        context: decision.given.as_ref().map(|given| ExplainedContext {
            project: Arc::clone(&given.project),
            tokens: given.tokens,
            files: given.files.clone(),
        }),
    }
}

/// Where the tier came from, as the first half of the routing reason.
pub(super) fn why_tier(verdict: &Verdict) -> String {
    let tier = verdict.tier;
    let percent = (verdict.confidence * 100.0).round();
    match verdict.source {
        Source::Classifier => format!("{tier} work by the classifier ({percent} % sure)"),
        Source::Heuristic => format!("{tier} work by rules, without the classifier"),
        Source::Header => format!("{tier} work as the client says"),
        Source::Explicit => format!("the client named the model ({tier} work)"),
        Source::Inherited => {
            format!("{tier} work, inherited from the instruction that this continues")
        }
        Source::SideRequest => format!("{tier} work, a request that the client sends on its own"),
        Source::Escalated => format!("{tier} work, raised after repeated failures"),
    }
}
