//! Reads a Messages request into the canonical form.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::chat::{
    ChatRequest, Dialect, Message, Origin, OutputFormat, Role, Sampling, Service, Surcharges, Tool,
    ToolChoice,
};
use crate::wire::billed;
use crate::wire::content::Content;
use crate::wire::error::{WireError, read_request};
use crate::wire::lenient::{cap, nullable, strings, word};

#[derive(Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "nullable")]
    model: String,
    #[serde(default, deserialize_with = "nullable")]
    stream: bool,
    #[serde(default)]
    system: Content,
    messages: Vec<MessageIn>,
    #[serde(default, deserialize_with = "nullable")]
    tools: Vec<ToolIn>,
    tool_choice: Option<ChoiceIn>,
    #[serde(default, deserialize_with = "cap")]
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    #[serde(default, deserialize_with = "cap")]
    top_k: Option<u32>,
    #[serde(default, deserialize_with = "strings")]
    stop_sequences: Vec<String>,
    output_config: Option<OutputIn>,
    #[serde(default, deserialize_with = "word")]
    service_tier: Option<String>,
    #[serde(default, deserialize_with = "word")]
    speed: Option<String>,
    #[serde(default, deserialize_with = "word")]
    inference_geo: Option<String>,
}

#[derive(Deserialize)]
struct MessageIn {
    role: RoleIn,
    #[serde(default)]
    content: Content,
}

/// Newer models take system messages between the others.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleIn {
    System,
    User,
    Assistant,
}

/// Tools of the server itself have a `type` and no schema.
#[derive(Deserialize)]
struct ToolIn {
    #[serde(rename = "type", default, deserialize_with = "word")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "cap")]
    max_uses: Option<u32>,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    input_schema: Value,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct ChoiceIn {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Deserialize)]
struct OutputIn {
    effort: Option<String>,
    format: Option<FormatIn>,
}

#[derive(Deserialize)]
struct FormatIn {
    #[serde(default)]
    schema: Value,
}

pub(crate) fn decode(body: Bytes) -> Result<ChatRequest, WireError> {
    let read: Body = read_request(&body)?;
    if read.messages.is_empty() {
        return Err(WireError::field("messages", "must hold at least one message"));
    }
    let surcharges = surcharges(&read, &body);
    let system = Some(read.system.0).filter(|parts| !parts.is_empty());
    let system = system.map(|parts| Message { role: Role::System, parts });
    let serial = read.tool_choice.as_ref().and_then(|choice| choice.disable_parallel_tool_use);
    let output = read.output_config;
    let (effort, format) = output.map_or((None, None), |output| (output.effort, output.format));
    Ok(ChatRequest {
        model: read.model,
        stream: read.stream,
        include_usage: true,
        messages: system.into_iter().chain(read.messages.into_iter().map(message)).collect(),
        tools: read.tools.into_iter().filter_map(tool).collect(),
        tool_choice: read.tool_choice.and_then(tool_choice),
        parallel_tool_calls: serial.map(|serial| !serial),
        max_output_tokens: read.max_tokens,
        sampling: Sampling {
            temperature: read.temperature,
            top_p: read.top_p,
            top_k: read.top_k,
            stop: read.stop_sequences,
            ..Sampling::default()
        },
        output_format: format.map(|format| OutputFormat::Schema {
            name: None,
            schema: format.schema,
            strict: None,
        }),
        reasoning_effort: effort,
        surcharges,
        origin: Origin { dialect: Dialect::Anthropic, body },
    })
}

/// What it asks for that is billed apart. Tools with a `type` and no schema run at the provider, but
/// for those whose work is the client's and for fetching, which costs its tokens only.
fn surcharges(read: &Body, body: &[u8]) -> Surcharges {
    let mut all = Surcharges {
        service: Service::of(read.service_tier.as_deref(), read.speed.as_deref()),
        regional: billed::is_region(read.inference_geo.as_deref()),
        cache: billed::lifetime(None, body),
        ..Surcharges::default()
    };
    for tool in &read.tools {
        let kind = tool.kind.as_deref().unwrap_or_default();
        if ["web_search", "code_execution"].iter().any(|billed| kind.starts_with(billed)) {
            all.add_server_tool(kind, tool.max_uses);
        }
    }
    all
}

fn message(read: MessageIn) -> Message {
    let role = match read.role {
        RoleIn::System => Role::System,
        RoleIn::User => Role::User,
        RoleIn::Assistant => Role::Assistant,
    };
    Message { role, parts: read.content.0 }
}

fn tool(read: ToolIn) -> Option<Tool> {
    Some(Tool {
        name: read.name?,
        description: read.description,
        parameters: read.input_schema,
        strict: read.strict,
    })
}

fn tool_choice(read: ChoiceIn) -> Option<ToolChoice> {
    match (read.kind.as_str(), read.name) {
        ("auto", _) => Some(ToolChoice::Auto),
        ("none", _) => Some(ToolChoice::None),
        ("any", _) => Some(ToolChoice::Required),
        ("tool", Some(name)) => Some(ToolChoice::Named(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
