//! What a client is told when no candidate answered: from tries and refusals to one [`ChatError`].

use std::time::Duration;

use super::ChatError;
use super::decide::{Choice, Decision};
use crate::dispatch::{Halt, Tries};
use crate::ledger::BudgetError;
use crate::providers::{ProviderError, ProviderErrorKind};
use crate::strategy::{Empty, Reason};

/// What a client is told to wait when nothing better is known.
const DEFAULT_RETRY: Duration = Duration::from_secs(5);

pub(super) fn internal() -> ChatError {
    ChatError::NoBackend {
        message: "The router is shutting down or the request's task failed; send it again.".into(),
        retry_after: Duration::from_secs(1),
    }
}

pub(super) fn halted(halt: Halt, tries: &Tries) -> ChatError {
    match halt {
        Halt::Refused(error) => upstream(error),
        Halt::Deadline => ChatError::UpstreamTimeout {
            message:
                "The request's time is up (server.request_timeout_s); ask for less or raise it."
                    .into(),
            attempts: tries.attempts.clone(),
        },
        Halt::Exhausted => internal(),
    }
}

/// The client's own mistake, in the provider's words.
fn upstream(error: ProviderError) -> ChatError {
    ChatError::Upstream {
        status: error.status.unwrap_or(400),
        body: error.body.unwrap_or_default(),
        message: error.message,
        kind: error.kind,
    }
}

/// No plan has a candidate left.
pub(super) fn nothing_left(decision: &Decision, tries: &Tries) -> ChatError {
    if let Some((_, error)) = &tries.overflow {
        return upstream(error.clone());
    }
    if let Some(error) = local_was_busy(decision, tries) {
        return error;
    }
    if !tries.attempts.is_empty() {
        return all_failed(tries);
    }
    if !tries.limited.is_empty() {
        return ChatError::RateLimited {
            message: format!(
                "Every model that could serve is at its limit. {}",
                tries.limited.join("; ")
            ),
            retry_after: tries.retry_after.unwrap_or(DEFAULT_RETRY),
            attempts: Vec::new(),
        };
    }
    match &tries.budget {
        Some(BudgetError::Store(error)) => ChatError::LedgerUnavailable {
            message: format!(
                "The ledger cannot be written ({error}), so nothing that costs money is sent; check disk space and data_dir."
            ),
        },
        Some(refused) => ChatError::BudgetExceeded {
            message: format!("{refused}. No free model can serve this request."),
            resets_at: refused.resets_at(),
        },
        None => from_plan(decision, decision.plan.why_empty()),
    }
}

/// Only engines on this machine were called, and they had no room. Where the budget had left nothing
/// else, that is what the owner must know of.
fn local_was_busy(decision: &Decision, tries: &Tries) -> Option<ChatError> {
    let busy = |kind: &ProviderErrorKind| *kind == ProviderErrorKind::Unavailable;
    if tries.kinds.is_empty() || !tries.kinds.iter().all(busy) {
        return None;
    }
    let reasons = tries.attempts.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>();
    let busy = reasons.join("; ");
    let refused = decision.plan.refused.iter().find_map(|one| match &one.reason {
        Reason::Budget(shortfall) => Some((shortfall.to_string(), shortfall.resets_at)),
        _ => None,
    });
    let refused = match &tries.budget {
        None | Some(BudgetError::Store(_)) => refused,
        Some(error) => Some((error.to_string(), error.resets_at())),
    };
    Some(match refused {
        Some((why, resets_at)) => ChatError::BudgetExceeded {
            message: format!(
                "The budget does not allow this request: {why}. The local model cannot take it either: {busy}"
            ),
            resets_at,
        },
        None => ChatError::NoBackend {
            message: format!("The local model cannot take this request now: {busy}"),
            retry_after: tries.retry_after.unwrap_or(DEFAULT_RETRY),
        },
    })
}

fn all_failed(tries: &Tries) -> ChatError {
    let attempts = tries.attempts.clone();
    let list = attempts
        .iter()
        .map(|one| format!("{}: {}", one.model_id, one.reason))
        .collect::<Vec<_>>()
        .join("; ");
    let all = |kind: ProviderErrorKind| tries.kinds.iter().all(|one| *one == kind);
    if all(ProviderErrorKind::RateLimited) {
        let retry_after = tries.retry_after.unwrap_or(DEFAULT_RETRY);
        return ChatError::RateLimited {
            message: format!("Every model that could serve is rate limited. {list}"),
            retry_after,
            attempts,
        };
    }
    if all(ProviderErrorKind::Timeout) {
        return ChatError::UpstreamTimeout {
            message: format!("No model began to answer in time. {list}"),
            attempts,
        };
    }
    ChatError::AllBackendsFailed {
        message: format!("Every model that could serve failed. {list}"),
        attempts,
    }
}

fn from_plan(decision: &Decision, empty: Empty) -> ChatError {
    let message = empty.to_string();
    match empty {
        Empty::NotAllowed => ChatError::ModelNotAllowed { message },
        Empty::Unsupported { .. } => ChatError::UnsupportedCapability { message },
        Empty::TooLong { window, .. } => ChatError::ContextLengthExceeded {
            window,
            tokens: u64::from(decision.prompt.likely).max(window + 1),
        },
        Empty::Budget(shortfall) => {
            ChatError::BudgetExceeded { message, resets_at: shortfall.resets_at }
        }
        Empty::Limited { retry_after, .. } => ChatError::RateLimited {
            message,
            retry_after: retry_after.unwrap_or(DEFAULT_RETRY),
            attempts: Vec::new(),
        },
        Empty::Down { retry_after, .. } => {
            ChatError::NoBackend { message, retry_after: retry_after.unwrap_or(DEFAULT_RETRY) }
        }
        Empty::NothingConfigured if named_nothing(decision) => ChatError::NoBackend {
            message: nothing_behind(decision),
            retry_after: Duration::from_secs(30),
        },
        Empty::NothingConfigured | Empty::PriceUnknown | Empty::TooWeak { .. } => {
            ChatError::NoBackend { message, retry_after: Duration::from_secs(30) }
        }
    }
}

/// What to do about a name that leads to no model that is there.
fn nothing_behind(decision: &Decision) -> String {
    let name = &decision.request.model;
    let keyless = decision.plan.refused.iter().find(|one| matches!(one.reason, Reason::NotEnabled));
    match keyless {
        Some(refusal) => format!(
            "The provider `{}` of `{name}` has no key: put it into the environment (`edge-router init` writes a file that names the variables) and start the router again, or ask for another of GET /v1/models.",
            refusal.model.provider
        ),
        None => format!(
            "`{name}` stands for no model that is here: start Ollama, run `edge-router models pull smollm2-135m`, or ask for another of GET /v1/models."
        ),
    }
}

/// The client named an alias without targets, and other models are there.
fn named_nothing(decision: &Decision) -> bool {
    let there = !decision.context.snapshot.catalog.models().is_empty();
    there && matches!(decision.choice, Choice::Named { .. })
}
