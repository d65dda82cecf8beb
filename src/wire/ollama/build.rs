//! Builds an `/api/chat` request from the canonical form.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::catalog::Capability;
use crate::chat::{ChatRequest, Image, Message, OutputFormat, Part, Role, ToolChoice};
use crate::wire::dropped::{note, unplaced};
use crate::wire::error::WireError;
use crate::wire::openai::{ToolOut, joined};
use crate::wire::{Encoded, Patch};

/// How long the server keeps the model in memory after an answer. Its own default of five minutes
/// makes a coding session pay for loading again and again.
const KEEP_ALIVE: &str = "30m";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Value>,
    options: Options<'a>,
    keep_alive: &'static str,
    stream: bool,
}

#[derive(Serialize)]
struct Options<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
}

pub(crate) fn build(request: &ChatRequest, patch: &Patch<'_>) -> Result<Encoded, WireError> {
    let mut dropped = unplaced(request);
    let names = call_names(&request.messages);
    let mut messages = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        write_message(message, &names, &mut messages, &mut dropped);
    }
    let without_tools = match request.tool_choice {
        Some(ToolChoice::None) => true,
        Some(ToolChoice::Required | ToolChoice::Named(_)) => {
            note(&mut dropped, "tool_choice");
            false
        }
        Some(ToolChoice::Auto) | None => false,
    };
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        note(&mut dropped, "parallel_tool_calls");
    }
    let tools = request.tools.iter().filter(|_| !without_tools).map(ToolOut::from).collect();
    let sampling = &request.sampling;
    let body = Body {
        model: &patch.model.upstream,
        messages,
        tools,
        format: request.output_format.as_ref().map(|format| match format {
            OutputFormat::Json => Value::from("json"),
            OutputFormat::Schema { schema, .. } => schema.clone(),
        }),
        think: think(request, patch, &mut dropped),
        options: Options {
            num_ctx: patch.num_ctx.map(|wish| match patch.model.context_window {
                0 => wish,
                window => wish.min(window),
            }),
            num_predict: patch.output_cap.into_iter().chain(request.max_output_tokens).min(),
            stop: &sampling.stop,
            seed: sampling.seed,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            presence_penalty: sampling.presence_penalty,
            frequency_penalty: sampling.frequency_penalty,
        },
        keep_alive: KEEP_ALIVE,
        stream: patch.stream,
    };
    let body = serde_json::to_vec(&body).map_err(|_| WireError::field("", "cannot be written"))?;
    Ok(Encoded { body: body.into(), dropped })
}

/// Results name their tool here, not their call.
fn call_names(messages: &[Message]) -> HashMap<&str, &str> {
    let parts = messages.iter().flat_map(|message| &message.parts);
    parts
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.id.as_str(), call.name.as_str())),
            _ => None,
        })
        .collect()
}

fn write_message<'a>(
    message: &'a Message,
    names: &HashMap<&str, &'a str>,
    messages: &mut Vec<MessageOut<'a>>,
    dropped: &mut Vec<String>,
) {
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    };
    let mut out = MessageOut::new(role, joined(&message.parts));
    for part in &message.parts {
        match part {
            Part::Text { .. } => {}
            Part::Image(image) => out.images.extend(image_data(image, dropped)),
            Part::Thinking { text, .. } => out.thinking = Some(text),
            Part::ToolCall(call) => out.tool_calls.push(json!({
                "function": {"name": call.name, "arguments": arguments(&call.arguments)},
            })),
            Part::ToolResult { call_id, content, .. } => {
                let mut result = MessageOut::new("tool", joined(content));
                result.tool_name = names.get(call_id.as_str()).copied();
                for inner in content {
                    if let Part::Image(image) = inner {
                        result.images.extend(image_data(image, dropped));
                    }
                }
                messages.push(result);
            }
            Part::RedactedThinking { .. } => note(dropped, "thinking"),
            Part::Other { kind, .. } => note(dropped, kind),
        }
    }
    let empty = out.content.is_empty() && out.images.is_empty() && out.tool_calls.is_empty();
    let only_results = message.parts.iter().any(|part| matches!(part, Part::ToolResult { .. }));
    if !(empty && only_results) {
        messages.push(out);
    }
}

impl MessageOut<'_> {
    fn new(role: &'static str, content: String) -> Self {
        let (images, tool_calls) = (Vec::new(), Vec::new());
        Self { role, content, images, thinking: None, tool_calls, tool_name: None }
    }
}

/// Images go in as base64 only; the server fetches nothing.
fn image_data<'a>(image: &'a Image, dropped: &mut Vec<String>) -> Option<&'a str> {
    match image {
        Image::Base64 { data, .. } => Some(data),
        Image::Url(_) => {
            note(dropped, "image_url");
            None
        }
    }
}

/// Arguments are an object here; what the model wrote wrongly is handed on as text inside one.
fn arguments(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => object,
        Ok(_) | Err(_) if text.trim().is_empty() => json!({}),
        Ok(_) | Err(_) => json!({"malformed_arguments": text}),
    }
}

fn think(request: &ChatRequest, patch: &Patch<'_>, dropped: &mut Vec<String>) -> Option<Value> {
    let effort = request.reasoning_effort.as_deref()?;
    if !patch.model.capabilities.has(Capability::Reasoning) {
        note(dropped, "reasoning_effort");
        return None;
    }
    // gpt-oss knows levels, all others only on and off.
    if !patch.model.upstream.contains("gpt-oss") {
        return Some(Value::from(effort != "none"));
    }
    Some(Value::from(match effort {
        "none" | "minimal" | "low" => "low",
        "medium" => "medium",
        _ => "high",
    }))
}

#[cfg(test)]
mod tests;
