//! Project context on the walk of a request: when it is asked for, and when it is kept. What it says and
//! where it goes is decided in `context`.

use super::RequestContext;
use super::decide::Decision;
use crate::analyze::Instruction;
use crate::chat::ChatRequest;
use crate::context::{self, Ask, Given};
use crate::conversation::{self, Fingerprint};
use crate::state::{AppState, Runtime};
use crate::telemetry;

/// What the request is given of its project.
pub(super) async fn give(
    runtime: &Runtime,
    context: &RequestContext,
    (request, instruction): (&ChatRequest, &Instruction),
    fingerprint: Fingerprint,
) -> Option<Given> {
    if !context.inject {
        return None;
    }
    if runtime.projects.fault().is_some() {
        telemetry::context_left_out("store");
    }
    if runtime.projects.is_empty() {
        return None;
    }
    let settings = &context.snapshot.config.context;
    let reader = context.caller.reader();
    let ask = Ask {
        request,
        instruction,
        conversation: conversation::thread(fingerprint, request),
        reader: &reader,
        project: context.project.as_deref(),
        max_tokens: settings.max_tokens,
        placement: settings.placement,
    };
    context::give(&runtime.projects, &ask).await
}

/// The request has reached a provider: what it was given stays where it is in the conversation.
pub(super) fn freeze(app: &AppState, decision: &Decision) {
    let Some(given) = &decision.given else { return };
    if let Some(block) = &given.fresh {
        app.runtime.projects.freeze(*given.conversation.as_bytes(), block.clone());
    }
}
