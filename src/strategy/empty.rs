//! Why nothing can serve: the one cause that explains an empty plan best.

use std::time::Duration;

use super::plan::Plan;
use super::reason::{Reason, Shortfall};
use crate::catalog::Tier;

/// Why a plan is empty. `Display` says it and what to do next.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Empty {
    #[error(
        "No model can serve: no provider is configured with a key and no local model is there. Set a provider's key, start Ollama, or run `edge-router models pull smollm2-135m`."
    )]
    NothingConfigured,
    #[error("This client key may use none of the models that could serve.")]
    NotAllowed,
    #[error(
        "No configured model can do what the request needs: {lacks} is missing in {models} of {models}. Leave it out, or add a model that has it: set a provider's key or start Ollama."
    )]
    Unsupported { lacks: String, models: usize },
    /// The prompt fits no window; `window` is the largest of those that could serve.
    #[error("The prompt of about {tokens} tokens fits no window; the largest is {window} tokens.")]
    TooLong { tokens: u64, window: u64 },
    #[error(
        "The price of every model that could serve is not known, so none may serve unless it is asked for by name and no budget is set. Give its price in the configuration."
    )]
    PriceUnknown,
    /// The limit that is nearest to letting the request through.
    #[error(
        "The budget does not allow this request: {0}. Raise the limit, wait for its reset, or add a free local model."
    )]
    Budget(Shortfall),
    /// Everything that could serve is rate limited.
    #[error("Every model that could serve is rate limited: {why}.")]
    Limited { why: String, retry_after: Option<Duration> },
    #[error("No model that could serve is available now: {why}.")]
    Down { why: String, retry_after: Option<Duration> },
    #[error(
        "No available model is trusted with {tier} work (the strongest is trusted with {strongest} work). Add a stronger or a free model, or set routing.allow_weaker."
    )]
    TooWeak { tier: Tier, strongest: Tier },
}

impl Plan {
    /// The cause to report when [`Plan::candidates`] is empty. What the request itself asks for comes
    /// before what the moment denies, and what helps soonest before what helps later: a model that
    /// is only down is affordable, so it hides a budget that refuses others, unless it is free: then
    /// the budget is what the owner must know of.
    pub fn why_empty(&self) -> Empty {
        let mut rest: Vec<(&Reason, bool)> = self
            .refused
            .iter()
            .filter(|refusal| !matches!(refusal.reason, Reason::NotEnabled | Reason::Removed))
            .map(|refusal| (&refusal.reason, refusal.model.is_free()))
            .collect();
        let all = rest.len();
        if all == 0 {
            return Empty::NothingConfigured;
        }
        let mut lacks: Option<&str> = None;
        let mut too_long: Option<(u64, u64)> = None;
        let mut unpriced = false;
        rest.retain(|(reason, _)| match reason {
            Reason::NotAllowed => false,
            Reason::Lacks(what) => {
                lacks =
                    Some(lacks.map_or(what.as_str(), |had| {
                        if had.len() <= what.len() { had } else { what }
                    }));
                false
            }
            Reason::WindowTooSmall { tokens, window } => {
                too_long = Some((*tokens, too_long.map_or(*window, |(_, most)| most.max(*window))));
                false
            }
            Reason::PriceUnknown => {
                unpriced = true;
                false
            }
            _ => true,
        });
        if rest.is_empty() {
            return match (too_long, lacks) {
                _ if unpriced => Empty::PriceUnknown,
                (Some((tokens, window)), _) => Empty::TooLong { tokens, window },
                (None, Some(lacks)) => Empty::Unsupported { lacks: lacks.to_owned(), models: all },
                (None, None) => Empty::NotAllowed,
            };
        }
        momentary(&rest)
    }
}

/// The cause among models that could do the work: the reason of each, and whether it is free.
fn momentary(rest: &[(&Reason, bool)]) -> Empty {
    let down = rest.iter().filter(|(reason, _)| is_down(reason));
    let budget = rest.iter().filter_map(|(reason, _)| match reason {
        Reason::Budget(shortfall) => Some(shortfall),
        _ => None,
    });
    let budget = budget.min_by_key(|shortfall| shortfall.needed);
    if let Some(shortfall) = budget
        && down.clone().all(|(_, free)| *free)
    {
        return Empty::Budget(shortfall.clone());
    }
    let soonest = down.clone().min_by_key(|(reason, _)| wait(reason).unwrap_or(Duration::MAX));
    if let Some((reason, _)) = soonest {
        let (why, retry_after) = (reason.to_string(), wait(reason));
        return if down.clone().all(|(reason, _)| matches!(reason, Reason::Limited { .. })) {
            Empty::Limited { why, retry_after }
        } else {
            Empty::Down { why, retry_after }
        };
    }
    let weak = rest.iter().filter_map(|(reason, _)| match reason {
        Reason::TooWeak { max_tier, tier } => Some((*tier, *max_tier)),
        _ => None,
    });
    match weak.max_by_key(|(_, max_tier)| *max_tier) {
        Some((tier, strongest)) => Empty::TooWeak { tier, strongest },
        None => Empty::NothingConfigured,
    }
}

fn is_down(reason: &Reason) -> bool {
    matches!(reason, Reason::Down { .. } | Reason::Limited { .. } | Reason::TooSlow { .. })
}

fn wait(reason: &Reason) -> Option<Duration> {
    match reason {
        Reason::Down { retry_after, .. } | Reason::Limited { retry_after, .. } => *retry_after,
        _ => None,
    }
}
