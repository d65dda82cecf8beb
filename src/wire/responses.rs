//! OpenAI Responses: reads requests (Codex and opencode send them) into the canonical form.

mod usage;

pub use usage::usage;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::chat::{
    ChatRequest, Dialect, Message, Origin, OutputFormat, Part, Role, Sampling, Service, Surcharges,
    Tool, ToolCall, ToolChoice,
};
use crate::wire::billed;
use crate::wire::content::Content;
use crate::wire::error::{WireError, read_request};
use crate::wire::lenient::{cap, nullable, word};

#[derive(Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "nullable")]
    model: String,
    #[serde(default, deserialize_with = "nullable")]
    stream: bool,
    instructions: Option<Content>,
    input: Input,
    #[serde(default, deserialize_with = "nullable")]
    tools: Vec<ToolIn>,
    tool_choice: Option<Value>,
    parallel_tool_calls: Option<bool>,
    #[serde(default, deserialize_with = "cap")]
    max_output_tokens: Option<u32>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    reasoning: Option<ReasoningIn>,
    text: Option<TextIn>,
    #[serde(default, deserialize_with = "word")]
    service_tier: Option<String>,
    #[serde(default, deserialize_with = "word")]
    prompt_cache_retention: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of items")]
enum Input {
    Text(String),
    Items(Vec<Item>),
}

/// An item of any kind; what a kind does not have is absent.
#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    #[serde(default)]
    content: Content,
    call_id: Option<String>,
    id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    /// Of a custom tool: free text.
    input: Option<Value>,
    #[serde(default)]
    output: Content,
    summary: Option<Content>,
}

#[derive(Deserialize)]
struct ToolIn {
    #[serde(rename = "type", default)]
    kind: String,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    parameters: Value,
    strict: Option<bool>,
    /// Of a namespace.
    #[serde(default, deserialize_with = "nullable")]
    tools: Vec<ToolIn>,
}

#[derive(Deserialize)]
struct ReasoningIn {
    effort: Option<String>,
}

#[derive(Deserialize)]
struct TextIn {
    format: Option<FormatIn>,
}

#[derive(Deserialize)]
struct FormatIn {
    #[serde(rename = "type", default)]
    kind: String,
    name: Option<String>,
    #[serde(default)]
    schema: Value,
    strict: Option<bool>,
}

pub(super) fn decode(body: Bytes) -> Result<ChatRequest, WireError> {
    let read: Body = read_request(&body)?;
    let mut surcharges = Surcharges {
        service: Service::of(read.service_tier.as_deref(), None),
        cache: billed::lifetime(read.prompt_cache_retention.as_deref(), &body),
        ..Surcharges::default()
    };
    let mut messages = Vec::new();
    if let Some(Content(parts)) = read.instructions.filter(|content| !content.0.is_empty()) {
        messages.push(Message { role: Role::System, parts });
    }
    match read.input {
        Input::Text(text) => {
            messages.push(Message { role: Role::User, parts: vec![Part::text(text)] });
        }
        Input::Items(items) => {
            for (index, item) in items.into_iter().enumerate() {
                add(item, index, &mut messages)?;
            }
        }
    }
    if messages.is_empty() {
        return Err(WireError::field("input", "must hold at least one item"));
    }
    let mut tools = Vec::new();
    read.tools.into_iter().for_each(|tool| add_tool(tool, &mut tools, &mut surcharges));
    Ok(ChatRequest {
        model: read.model,
        stream: read.stream,
        include_usage: true,
        messages,
        tools,
        tool_choice: read.tool_choice.as_ref().and_then(tool_choice),
        parallel_tool_calls: read.parallel_tool_calls,
        max_output_tokens: read.max_output_tokens,
        sampling: Sampling {
            temperature: read.temperature,
            top_p: read.top_p,
            ..Sampling::default()
        },
        output_format: read.text.and_then(|text| text.format).and_then(format),
        reasoning_effort: read.reasoning.and_then(|reasoning| reasoning.effort),
        surcharges,
        origin: Origin { dialect: Dialect::Responses, body },
    })
}

/// What the assistant does in one go is several items here and one message in the canonical form.
fn add(item: Item, index: usize, messages: &mut Vec<Message>) -> Result<(), WireError> {
    let (role, parts) = match item.kind.as_deref() {
        None | Some("message") => {
            let role = match item.role.as_deref() {
                Some("user") => Role::User,
                Some("assistant") => Role::Assistant,
                Some("system") => Role::System,
                Some("developer") => Role::Developer,
                Some(_) | None => {
                    return Err(WireError::field(
                        format!("input[{index}].role"),
                        "expected one of `user`, `assistant`, `system`, `developer`",
                    ));
                }
            };
            messages.push(Message { role, parts: item.content.0 });
            return Ok(());
        }
        Some("function_call" | "custom_tool_call") => {
            let free = item.input.map(|input| serde_json::json!({"input": input}).to_string());
            let call = ToolCall {
                id: item.call_id.or(item.id).unwrap_or_default(),
                name: item.name.unwrap_or_default(),
                arguments: item.arguments.or(free).unwrap_or_default(),
            };
            (Role::Assistant, Part::ToolCall(call))
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            let call_id = item.call_id.unwrap_or_default();
            let result = Part::ToolResult { call_id, content: item.output.0, is_error: false };
            (Role::Tool, result)
        }
        Some("reasoning") => {
            let parts = item.summary.unwrap_or_default().0.into_iter().chain(item.content.0);
            let text: Vec<String> = parts
                .filter_map(|part| match part {
                    Part::Text { text, .. } => Some(text),
                    _ => None,
                })
                .collect();
            (Role::Assistant, Part::Thinking { text: text.join("\n"), signature: None })
        }
        Some(kind) => {
            let raw = serde_json::json!({"type": kind});
            (Role::Assistant, Part::Other { kind: kind.to_owned(), raw })
        }
    };
    match messages.last_mut() {
        Some(last) if last.role == Role::Assistant && role == Role::Assistant => {
            last.parts.push(parts);
        }
        _ => messages.push(Message { role, parts: vec![parts] }),
    }
    Ok(())
}

/// A namespace holds functions; `web_search` and its like are the provider's own and have no schema.
fn add_tool(read: ToolIn, tools: &mut Vec<Tool>, surcharges: &mut Surcharges) {
    read.tools.into_iter().for_each(|inner| add_tool(inner, tools, surcharges));
    match (read.kind.as_str(), read.name) {
        ("function" | "custom", Some(name)) => tools.push(Tool {
            name,
            description: read.description,
            parameters: read.parameters,
            strict: read.strict,
        }),
        // Run by the client, or billed by their tokens only.
        ("function" | "custom" | "namespace" | "" | "local_shell" | "shell" | "apply_patch", _)
        | ("mcp" | "computer_use_preview" | "computer", _) => {}
        (kind, _) => surcharges.add_server_tool(kind, None),
    }
}

fn tool_choice(value: &Value) -> Option<ToolChoice> {
    if let Some(name) = value.get("name").and_then(Value::as_str) {
        return Some(ToolChoice::Named(name.to_owned()));
    }
    match value.as_str()? {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => None,
    }
}

fn format(read: FormatIn) -> Option<OutputFormat> {
    match read.kind.as_str() {
        "json_schema" => {
            Some(OutputFormat::Schema { name: read.name, schema: read.schema, strict: read.strict })
        }
        "json_object" => Some(OutputFormat::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
