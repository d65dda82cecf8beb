//! Pure codecs between each protocol's bytes and the canonical form of [`crate::chat`].
//! Same protocol on both sides: the received bytes are edited in place and the answer passes as it
//! came. No I/O, no clock, no prices.
//!
//! [`decode_request`] reads a client's request and [`encode_request`] writes it for a provider;
//! [`StreamRelay`] and [`Answer`] carry the answer back.

mod answer;
mod anthropic;
mod billed;
mod content;
mod dropped;
mod error;
#[cfg(test)]
mod fixtures;
mod framing;
mod gemini;
mod insert;
mod lenient;
mod ollama;
mod openai;
mod raw;
mod responses;
mod stream;
mod tally;

pub use answer::{Answer, AnswerShell};
pub use error::WireError;
pub(crate) use error::read_request;
pub use gemini::usage as gemini_usage;
pub use insert::{Insertion, Place, with_context};
pub use responses::usage as responses_usage;
use stream::Emit;
pub use stream::{StreamFault, StreamRelay};

use bytes::Bytes;
use serde_json::Value;

use crate::catalog::{Capabilities, Capability, Model};
use crate::chat::{ChatRequest, Dialect, OutputFormat, Part, StopReason, Usage};

/// What the router decided about a request, to be written into it.
#[derive(Clone, Copy, Debug)]
pub struct Patch<'a> {
    /// Where it goes: the name on the wire, and what that model refuses.
    pub model: &'a Model,
    /// The cap on the answer in tokens; what is sent is never more than the client's own.
    pub output_cap: Option<u32>,
    /// Whether the answer shall be streamed.
    pub stream: bool,
    /// Ollama only: the context window to ask for, in tokens (prompt estimate plus cap). Never more
    /// than the model's own is sent; `None` leaves it to the server.
    pub num_ctx: Option<u32>,
}

/// A request body for a provider.
#[derive(Clone, Debug)]
pub struct Encoded {
    pub body: Bytes,
    /// What had no place in it, by the client's field names (`seed`, `response_format`, ...).
    pub dropped: Vec<String>,
}

/// What an answer showed so far; settlement is made from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// As the provider reported it, the latest report.
    pub usage: Option<Usage>,
    /// No output came after that report: it covers the whole answer. Anthropic reports the prompt
    /// at the start, so a stream that breaks has usage that lacks the output.
    pub usage_complete: bool,
    pub stop: Option<StopReason>,
    /// Bytes of text, thinking and tool arguments.
    pub output_bytes: u64,
    /// Anything of the above, or a tool call.
    pub any_output: bool,
    pub tool_calls: bool,
}

/// What a user says in a turn that the target demands and the request lacks.
const FILLER: &str = "Continue.";

/// Reads a request in one of the client protocols (OpenAI chat, Anthropic Messages, OpenAI
/// Responses).
///
/// # Errors
/// [`WireError::Malformed`] for what is not JSON, [`WireError::Field`] for a known field of the
/// wrong type, [`WireError::Unsupported`] for Ollama's API.
pub fn decode_request(dialect: Dialect, body: Bytes) -> Result<ChatRequest, WireError> {
    match dialect {
        Dialect::OpenAi => openai::decode(body),
        Dialect::Anthropic => anthropic::decode(body),
        Dialect::Responses => responses::decode(body),
        Dialect::Ollama => {
            Err(WireError::Unsupported("requests of Ollama's API cannot be read".to_owned()))
        }
    }
}

/// Which protocol a body for `/v1/route` is written in: `input` means Responses; top-level
/// `system`, `anthropic_version` or `tool_use`/`tool_result` blocks mean Messages; else chat.
pub fn detect_dialect(body: &[u8]) -> Dialect {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Dialect::OpenAi };
    if body.get("input").is_some() {
        return Dialect::Responses;
    }
    if body.get("system").is_some() || body.get("anthropic_version").is_some() {
        return Dialect::Anthropic;
    }
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let blocks = list(body.get("messages")).into_iter().any(|message| {
        list(message.get("content")).iter().any(|part| {
            let kind = part.get("type").and_then(Value::as_str);
            matches!(kind, Some("tool_use" | "tool_result"))
        })
    });
    if blocks { Dialect::Anthropic } else { Dialect::OpenAi }
}

/// Writes a request for a provider that speaks `to`.
///
/// # Errors
/// [`WireError::Unsupported`] for a protocol that no provider is called in.
pub fn encode_request(
    to: Dialect,
    request: &ChatRequest,
    patch: &Patch<'_>,
) -> Result<Encoded, WireError> {
    let same = request.origin.dialect == to;
    match to {
        Dialect::OpenAi if same => openai::patch(request, patch),
        Dialect::OpenAi => openai::build(request, patch),
        Dialect::Anthropic if same => anthropic::patch(request, patch),
        Dialect::Anthropic => anthropic::build(request, patch),
        Dialect::Ollama => ollama::build(request, patch),
        Dialect::Responses => {
            Err(WireError::Unsupported("Responses requests cannot be written".to_owned()))
        }
    }
}

/// What a model must be capable of to serve this request (`chat` itself is not listed).
pub fn required(request: &ChatRequest) -> Capabilities {
    let mut all = Capabilities::NONE;
    if !request.tools.is_empty() {
        all = all.with(Capability::Tools);
    }
    if request.messages.iter().any(|message| message.parts.iter().any(shows)) {
        all = all.with(Capability::Vision);
    }
    if matches!(request.output_format, Some(OutputFormat::Schema { .. })) {
        all = all.with(Capability::JsonSchema);
    }
    if request.reasoning_effort.as_deref().is_some_and(|effort| effort != "none") {
        all = all.with(Capability::Reasoning);
    }
    all
}

fn shows(part: &Part) -> bool {
    match part {
        Part::Image(_) => true,
        Part::ToolResult { content, .. } => content.iter().any(shows),
        Part::Text { .. }
        | Part::ToolCall(_)
        | Part::Thinking { .. }
        | Part::RedactedThinking { .. }
        | Part::Other { .. } => false,
    }
}

#[cfg(test)]
mod tests;
