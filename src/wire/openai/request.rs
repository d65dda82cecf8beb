//! Reads a chat completions request into the canonical form. Unknown fields are left alone (they
//! live on in the received bytes), known ones of the wrong type are refused with their path.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::chat::{
    ChatRequest, Dialect, Message, Origin, OutputFormat, Part, Role, Sampling, Service, Surcharges,
    Tool, ToolCall, ToolChoice,
};
use crate::wire::billed;
use crate::wire::content::Content;
use crate::wire::error::{WireError, read_request};
use crate::wire::lenient::{Whole, cap, given, nullable, seed, strings, word};

#[derive(Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "nullable")]
    model: String,
    #[serde(default, deserialize_with = "nullable")]
    stream: bool,
    stream_options: Option<StreamOptions>,
    messages: Vec<MessageIn>,
    #[serde(default, deserialize_with = "nullable")]
    tools: Vec<ToolIn>,
    #[serde(default, deserialize_with = "nullable")]
    functions: Vec<FunctionIn>,
    tool_choice: Option<Value>,
    function_call: Option<Value>,
    parallel_tool_calls: Option<bool>,
    #[serde(default, deserialize_with = "cap")]
    max_tokens: Option<u32>,
    #[serde(default, deserialize_with = "cap")]
    max_completion_tokens: Option<u32>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    #[serde(default, deserialize_with = "cap")]
    top_k: Option<u32>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    #[serde(default, deserialize_with = "cap")]
    n: Option<u32>,
    #[serde(default, deserialize_with = "seed")]
    seed: Option<u64>,
    #[serde(default, deserialize_with = "strings")]
    stop: Vec<String>,
    response_format: Option<FormatIn>,
    reasoning_effort: Option<String>,
    reasoning: Option<ReasoningIn>,
    #[serde(default, deserialize_with = "word")]
    service_tier: Option<String>,
    #[serde(default, deserialize_with = "word")]
    speed: Option<String>,
    #[serde(default, deserialize_with = "word")]
    inference_geo: Option<String>,
    #[serde(default, deserialize_with = "word")]
    prompt_cache_retention: Option<String>,
    modalities: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    web_search_options: bool,
    plugins: Option<Value>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default, deserialize_with = "nullable")]
    include_usage: bool,
}

/// OpenRouter's form of `reasoning_effort`.
#[derive(Deserialize)]
struct ReasoningIn {
    effort: Option<String>,
}

#[derive(Deserialize)]
struct MessageIn {
    role: RoleIn,
    #[serde(default)]
    content: Content,
    #[serde(default, deserialize_with = "nullable")]
    tool_calls: Vec<CallIn>,
    function_call: Option<CallFunctionIn>,
    tool_call_id: Option<String>,
    name: Option<String>,
    reasoning_content: Option<Whole>,
    reasoning: Option<Whole>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleIn {
    System,
    Developer,
    User,
    Assistant,
    Tool,
    Function,
}

#[derive(Deserialize)]
struct CallIn {
    #[serde(default, deserialize_with = "nullable")]
    id: String,
    function: Option<CallFunctionIn>,
}

#[derive(Deserialize)]
struct CallFunctionIn {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    arguments: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct ToolIn {
    #[serde(rename = "type", default, deserialize_with = "word")]
    kind: Option<String>,
    function: Option<FunctionIn>,
}

#[derive(Deserialize)]
struct FunctionIn {
    name: String,
    description: Option<String>,
    #[serde(default)]
    parameters: Value,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct FormatIn {
    #[serde(rename = "type", default)]
    kind: String,
    json_schema: Option<SchemaIn>,
}

#[derive(Deserialize)]
struct SchemaIn {
    name: Option<String>,
    #[serde(default)]
    schema: Value,
    strict: Option<bool>,
}

pub(crate) fn decode(body: Bytes) -> Result<ChatRequest, WireError> {
    let read: Body = read_request(&body)?;
    if read.messages.is_empty() {
        return Err(WireError::field("messages", "must hold at least one message"));
    }
    let surcharges = surcharges(&read, &body);
    let tools = read.tools.into_iter().filter_map(|tool| tool.function);
    Ok(ChatRequest {
        model: read.model,
        stream: read.stream,
        include_usage: read.stream_options.is_some_and(|options| options.include_usage),
        messages: read.messages.into_iter().map(message).collect(),
        tools: tools.chain(read.functions).map(tool).collect(),
        tool_choice: tool_choice(read.tool_choice.or(read.function_call).as_ref())?,
        parallel_tool_calls: read.parallel_tool_calls,
        max_output_tokens: match (read.max_completion_tokens, read.max_tokens) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        },
        sampling: Sampling {
            temperature: read.temperature,
            top_p: read.top_p,
            top_k: read.top_k,
            presence_penalty: read.presence_penalty,
            frequency_penalty: read.frequency_penalty,
            seed: read.seed,
            stop: read.stop,
            answers: read.n,
        },
        output_format: read.response_format.and_then(format),
        reasoning_effort: read.reasoning_effort.or(read.reasoning.and_then(|r| r.effort)),
        surcharges,
        origin: Origin { dialect: Dialect::OpenAi, body },
    })
}

/// What it asks for that is billed apart; OpenRouter's extensions are among it.
fn surcharges(read: &Body, body: &[u8]) -> Surcharges {
    let lists = |list: &Option<Value>, what: &str| {
        let list = list.as_ref().and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|one| one.as_str() == Some(what)))
    };
    let mut all = Surcharges {
        service: Service::of(read.service_tier.as_deref(), read.speed.as_deref()),
        regional: billed::is_region(read.inference_geo.as_deref()),
        cache: billed::lifetime(read.prompt_cache_retention.as_deref(), body),
        audio_output: lists(&read.modalities, "audio"),
        image_output: lists(&read.modalities, "image"),
        ..Surcharges::default()
    };
    if read.web_search_options {
        all.add_server_tool("web_search", None);
    }
    for plugin in read.plugins.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let kind = plugin.get("id").and_then(Value::as_str).unwrap_or_default();
        all.add_server_tool(if kind == "web" { "web_search" } else { kind }, None);
    }
    let foreign = read.tools.iter().filter(|tool| tool.function.is_none());
    for kind in foreign.filter_map(|tool| tool.kind.as_deref()) {
        if !matches!(kind, "function" | "custom") {
            all.add_server_tool(kind, None);
        }
    }
    all
}

fn message(read: MessageIn) -> Message {
    let role = match read.role {
        RoleIn::System => Role::System,
        RoleIn::Developer => Role::Developer,
        RoleIn::User => Role::User,
        RoleIn::Assistant => Role::Assistant,
        RoleIn::Tool | RoleIn::Function => {
            let call_id = read.tool_call_id.or(read.name).unwrap_or_default();
            let content = read.content.0;
            let parts = vec![Part::ToolResult { call_id, content, is_error: false }];
            return Message { role: Role::Tool, parts };
        }
    };
    let thought = read.reasoning_content.or(read.reasoning).map(|text| text.0);
    let mut parts: Vec<Part> = thought
        .filter(|text| !text.is_empty())
        .map(|text| Part::Thinking { text, signature: None })
        .into_iter()
        .collect();
    parts.extend(read.content.0);
    parts.extend(
        read.tool_calls
            .into_iter()
            .filter_map(|call| Some((call.id, call.function?)))
            // Before tools there were functions, whose name served as the id.
            .chain(read.function_call.map(|function| (function.name.clone(), function)))
            .map(|(id, function)| {
                let arguments = arguments(function.arguments.as_deref());
                Part::ToolCall(ToolCall { id, name: function.name, arguments })
            }),
    );
    Message { role, parts }
}

/// Arguments are JSON text inside a string; some clients send the object itself.
fn arguments(raw: Option<&RawValue>) -> String {
    match raw.map(RawValue::get) {
        Some(json) if json.starts_with('"') => serde_json::from_str(json).unwrap_or_default(),
        Some(json) => json.to_owned(),
        None => String::new(),
    }
}

fn tool(read: FunctionIn) -> Tool {
    Tool {
        name: read.name,
        description: read.description,
        parameters: read.parameters,
        strict: read.strict,
    }
}

fn tool_choice(value: Option<&Value>) -> Result<Option<ToolChoice>, WireError> {
    let word = match value {
        None => return Ok(None),
        Some(Value::String(word)) => word.as_str(),
        Some(Value::Object(choice)) => {
            let name = choice.get("function").unwrap_or(&Value::Null).get("name");
            match name.or(choice.get("name")).and_then(Value::as_str) {
                Some(name) => return Ok(Some(ToolChoice::Named(name.to_owned()))),
                None => choice.get("type").and_then(Value::as_str).unwrap_or_default(),
            }
        }
        Some(_) => return Err(WireError::field("tool_choice", "expected a word or an object")),
    };
    match word {
        "auto" => Ok(Some(ToolChoice::Auto)),
        "none" => Ok(Some(ToolChoice::None)),
        "required" | "any" => Ok(Some(ToolChoice::Required)),
        // `allowed_tools` and what may come: left to the provider.
        _ if value.is_some_and(Value::is_object) => Ok(None),
        _ => Err(WireError::field(
            "tool_choice",
            "expected `auto`, `none`, `required` or an object that names a function",
        )),
    }
}

fn format(read: FormatIn) -> Option<OutputFormat> {
    match (read.kind.as_str(), read.json_schema) {
        ("json_schema", Some(SchemaIn { name, schema, strict })) => {
            Some(OutputFormat::Schema { name, schema, strict })
        }
        ("json_object" | "json_schema", _) => Some(OutputFormat::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
