//! Edits a received request for a provider of the same protocol: only what the router decided and
//! what the model is known to refuse is touched, all else keeps its bytes and its order.

use std::borrow::Cow;

use crate::chat::{ChatRequest, Role, ToolChoice};
use crate::wire::error::WireError;
use crate::wire::raw::{RawObject, quoted};
use crate::wire::{Encoded, FILLER, Patch};

/// What some providers refuse or do not know although the protocol has it (facts file, `quirks`).
struct Quirks {
    /// `max_completion_tokens` is unknown to it: the cap must be `max_tokens`.
    max_tokens_only: bool,
    /// `stream_options` is a 422; usage comes without asking.
    no_stream_options: bool,
}

fn quirks(patch: &Patch<'_>) -> Quirks {
    let provider = patch.model.provider.as_str();
    Quirks {
        max_tokens_only: matches!(provider, "mistral" | "deepseek" | "together"),
        no_stream_options: provider == "mistral",
    }
}

/// The name under which this model takes its cap; `None`: both are known to it.
pub(super) fn cap_name(patch: &Patch<'_>) -> Option<&'static str> {
    if patch.model.rules.max_completion_tokens {
        return Some("max_completion_tokens");
    }
    quirks(patch).max_tokens_only.then_some("max_tokens")
}

pub(super) fn sends_stream_options(patch: &Patch<'_>) -> bool {
    patch.stream && !quirks(patch).no_stream_options
}

const SAMPLING: [&str; 5] =
    ["temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"];

pub(crate) fn patch(request: &ChatRequest, patch: &Patch<'_>) -> Result<Encoded, WireError> {
    let mut body = RawObject::parse(&request.origin.body)
        .map_err(|_| WireError::field("", "expected an object"))?;
    let mut dropped = Vec::new();
    body.set("model", quoted(&patch.model.upstream));
    if patch.stream != request.stream {
        body.set("stream", if patch.stream { "true" } else { "false" });
    }
    cap(&mut body, request, patch);
    if sends_stream_options(patch) {
        ask_for_usage(&mut body);
    } else if quirks(patch).no_stream_options || !patch.stream && request.stream {
        body.remove("stream_options");
    }
    let rules = patch.model.rules;
    if rules.rejects_sampling {
        let refused = SAMPLING.into_iter().filter(|name| body.remove(name));
        dropped.extend(refused.map(str::to_owned).collect::<Vec<_>>());
    }
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    if rules.rejects_forced_tool_choice && forced {
        body.set("tool_choice", "\"auto\"");
        dropped.push("tool_choice".to_owned());
    }
    let prefilled = request.messages.last().is_some_and(|last| last.role == Role::Assistant);
    if rules.rejects_prefill && prefilled {
        end_with_user(&mut body);
    }
    Ok(Encoded { body: body.to_bytes().into(), dropped })
}

fn cap(body: &mut RawObject<'_>, request: &ChatRequest, patch: &Patch<'_>) {
    let names = ["max_tokens", "max_completion_tokens"];
    if let Some(name) = cap_name(patch) {
        let other = if name == names[0] { names[1] } else { names[0] };
        if body.get(name).is_some() {
            body.remove(other);
        } else {
            body.rename(other, name);
        }
    }
    let Some(cap) = patch.output_cap else { return };
    let cap = request.max_output_tokens.map_or(cap, |own| own.min(cap));
    let mut sent = false;
    for name in names {
        let Some(own) = body.get(name) else { continue };
        sent = true;
        // The client's own figure stays as it is written if it is the cap already.
        if own.parse() != Ok(cap) {
            body.set(name, cap.to_string());
        }
    }
    if !sent {
        body.set(cap_name(patch).unwrap_or("max_tokens"), cap.to_string());
    }
}

/// `stream_options.include_usage` decides whether most providers report usage at all.
fn ask_for_usage(body: &mut RawObject<'_>) {
    let merged = body.get("stream_options").and_then(|own| {
        let mut options = RawObject::parse(own.as_bytes()).ok()?;
        options.set("include_usage", "true");
        String::from_utf8(options.to_bytes()).ok()
    });
    let options = merged.map_or(Cow::Borrowed("{\"include_usage\":true}"), Cow::Owned);
    body.set("stream_options", options);
}

/// A model that refuses to go on with its own last message is asked to by a user's.
fn end_with_user(body: &mut RawObject<'_>) {
    let list = body.get("messages").and_then(|list| list.strip_suffix(']'));
    let longer =
        list.map(|list| format!("{list},{{\"role\":\"user\",\"content\":{}}}]", quoted(FILLER)));
    if let Some(longer) = longer {
        body.set("messages", longer);
    }
}

#[cfg(test)]
mod tests;
