//! Builds a chat completions request from the canonical form, for clients of another protocol.

use serde::Serialize;
use serde_json::Value;

use super::patch::{cap_name, sends_stream_options};
use crate::catalog::Capability;
use crate::chat::{ChatRequest, Image, Message, OutputFormat, Part, Role, Tool, ToolChoice};
use crate::wire::dropped::{note, unplaced};
use crate::wire::error::WireError;
use crate::wire::{Encoded, FILLER, Patch};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<Value>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: ContentOut<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ContentOut<'a> {
    None,
    Text(&'a str),
    Joined(String),
    Parts(Vec<PartOut<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum PartOut<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    ImageUrl {
        image_url: UrlOut,
    },
}

#[derive(Serialize)]
struct UrlOut {
    url: String,
}

#[derive(Serialize)]
struct CallOut<'a> {
    id: &'a str,
    r#type: &'static str,
    function: CallFunctionOut<'a>,
}

#[derive(Serialize)]
struct CallFunctionOut<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
pub(crate) struct ToolOut<'a> {
    r#type: &'static str,
    function: FunctionOut<'a>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> From<&'a Tool> for ToolOut<'a> {
    fn from(tool: &'a Tool) -> Self {
        let function = FunctionOut {
            name: &tool.name,
            description: tool.description.as_deref(),
            parameters: &tool.parameters,
            strict: tool.strict,
        };
        Self { r#type: "function", function }
    }
}

pub(crate) fn build(request: &ChatRequest, patch: &Patch<'_>) -> Result<Encoded, WireError> {
    let mut dropped = unplaced(request);
    let rules = patch.model.rules;
    let mut messages = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        write_message(message, &mut messages, &mut dropped);
    }
    if rules.rejects_prefill && messages.last().is_some_and(|last| last.role == "assistant") {
        messages.push(MessageOut::new("user", ContentOut::Text(FILLER)));
    }
    let sampling = &request.sampling;
    let cap = patch.output_cap.into_iter().chain(request.max_output_tokens).min();
    let new_name = cap_name(patch) == Some("max_completion_tokens");
    let effort = request.reasoning_effort.as_deref();
    let reasons = patch.model.capabilities.has(Capability::Reasoning);
    if effort.is_some() && !reasons {
        note(&mut dropped, "reasoning_effort");
    }
    if sampling.top_k.is_some() {
        note(&mut dropped, "top_k");
    }
    let mut allowed = |name: &str, value: Option<f64>| {
        if rules.rejects_sampling && value.is_some() {
            note(&mut dropped, name);
        }
        value.filter(|_| !rules.rejects_sampling)
    };
    let body = Body {
        model: &patch.model.upstream,
        messages,
        tools: request.tools.iter().map(ToolOut::from).collect(),
        temperature: allowed("temperature", sampling.temperature),
        top_p: allowed("top_p", sampling.top_p),
        presence_penalty: allowed("presence_penalty", sampling.presence_penalty),
        frequency_penalty: allowed("frequency_penalty", sampling.frequency_penalty),
        tool_choice: tool_choice(request, patch, &mut dropped),
        parallel_tool_calls: request.parallel_tool_calls.filter(|_| !request.tools.is_empty()),
        max_tokens: cap.filter(|_| !new_name),
        max_completion_tokens: cap.filter(|_| new_name),
        seed: sampling.seed,
        stop: &sampling.stop,
        response_format: request.output_format.as_ref().map(format),
        reasoning_effort: effort.filter(|_| reasons),
        stream: patch.stream,
        stream_options: sends_stream_options(patch)
            .then(|| serde_json::json!({"include_usage": true})),
    };
    let body = serde_json::to_vec(&body).map_err(|_| WireError::field("", "cannot be written"))?;
    Ok(Encoded { body: body.into(), dropped })
}

impl<'a> MessageOut<'a> {
    fn new(role: &'static str, content: ContentOut<'a>) -> Self {
        Self { role, content, tool_calls: Vec::new(), tool_call_id: None }
    }
}

/// Tool results are messages of their own here and stand before what else their turn says.
fn write_message<'a>(
    message: &'a Message,
    messages: &mut Vec<MessageOut<'a>>,
    dropped: &mut Vec<String>,
) {
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    };
    let (mut parts, mut calls) = (Vec::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::ToolResult { call_id, content, .. } => {
                let images = content.iter().filter(|part| matches!(part, Part::Image(_)));
                parts.extend(images.filter_map(visible));
                let result = ContentOut::Joined(joined(content));
                messages.push(MessageOut {
                    tool_call_id: Some(call_id),
                    ..MessageOut::new("tool", result)
                });
            }
            Part::ToolCall(call) => calls.push(CallOut {
                id: &call.id,
                r#type: "function",
                function: CallFunctionOut { name: &call.name, arguments: &call.arguments },
            }),
            Part::Text { .. } | Part::Image(_) => parts.extend(visible(part)),
            // Reasoning belongs to the model that made it.
            Part::Thinking { .. } | Part::RedactedThinking { .. } => note(dropped, "thinking"),
            Part::Other { kind, .. } => note(dropped, kind),
        }
    }
    if parts.is_empty() && calls.is_empty() {
        return;
    }
    let content = match &parts[..] {
        [] => ContentOut::None,
        [PartOut::Text { text, cache_control: None }] => ContentOut::Text(text),
        _ => ContentOut::Parts(parts),
    };
    messages.push(MessageOut { tool_calls: calls, ..MessageOut::new(role, content) });
}

fn visible(part: &Part) -> Option<PartOut<'_>> {
    match part {
        Part::Text { text, cache_control } => {
            Some(PartOut::Text { text, cache_control: cache_control.as_ref() })
        }
        Part::Image(image) => {
            let url = match image {
                Image::Url(url) => url.clone(),
                Image::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
            };
            Some(PartOut::ImageUrl { image_url: UrlOut { url } })
        }
        Part::ToolCall(_)
        | Part::ToolResult { .. }
        | Part::Thinking { .. }
        | Part::RedactedThinking { .. }
        | Part::Other { .. } => None,
    }
}

/// The text of all parts, one after the other.
pub(crate) fn joined(parts: &[Part]) -> String {
    let mut all = String::new();
    for part in parts {
        if let Part::Text { text, .. } = part {
            if !all.is_empty() {
                all.push('\n');
            }
            all.push_str(text);
        }
    }
    all
}

fn tool_choice(
    request: &ChatRequest,
    patch: &Patch<'_>,
    dropped: &mut Vec<String>,
) -> Option<Value> {
    let choice = request.tool_choice.as_ref().filter(|_| !request.tools.is_empty())?;
    let word = match choice {
        ToolChoice::Auto => "auto",
        ToolChoice::None => "none",
        ToolChoice::Required | ToolChoice::Named(_)
            if patch.model.rules.rejects_forced_tool_choice =>
        {
            note(dropped, "tool_choice");
            "auto"
        }
        ToolChoice::Required => "required",
        ToolChoice::Named(name) => {
            return Some(serde_json::json!({"type": "function", "function": {"name": name}}));
        }
    };
    Some(Value::from(word))
}

fn format(format: &OutputFormat) -> Value {
    match format {
        OutputFormat::Json => serde_json::json!({"type": "json_object"}),
        OutputFormat::Schema { name, schema, strict } => {
            let name = name.as_deref().unwrap_or("answer");
            let mut inner = serde_json::json!({"name": name, "schema": schema});
            if let Some(strict) = strict {
                inner["strict"] = Value::from(*strict);
            }
            serde_json::json!({"type": "json_schema", "json_schema": inner})
        }
    }
}

#[cfg(test)]
mod tests;
