//! Edits a received Messages request for Anthropic itself; see the same file of `openai`.

use crate::chat::{ChatRequest, ToolChoice};
use crate::wire::error::WireError;
use crate::wire::raw::{RawObject, quoted};
use crate::wire::{Encoded, Patch};

pub(crate) fn patch(request: &ChatRequest, patch: &Patch<'_>) -> Result<Encoded, WireError> {
    let mut body = RawObject::parse(&request.origin.body)
        .map_err(|_| WireError::field("", "expected an object"))?;
    let mut dropped = Vec::new();
    body.set("model", quoted(&patch.model.upstream));
    if patch.stream != request.stream {
        body.set("stream", if patch.stream { "true" } else { "false" });
    }
    let cap = super::build::cap(request, patch);
    if body.get("max_tokens").and_then(|own| own.parse().ok()) != Some(cap) {
        body.set("max_tokens", cap.to_string());
    }
    if patch.model.rules.rejects_sampling {
        for name in ["temperature", "top_p", "top_k"] {
            if body.remove(name) {
                dropped.push(name.to_owned());
            }
        }
    }
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    if patch.model.rules.rejects_forced_tool_choice && forced {
        body.set("tool_choice", "{\"type\":\"auto\"}");
        dropped.push("tool_choice".to_owned());
    }
    Ok(Encoded { body: body.to_bytes().into(), dropped })
}
