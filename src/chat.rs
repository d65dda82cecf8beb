//! The canonical form of a request and of an answer: what every protocol's chat comes down to.
//! It carries what decisions and conversions need; the received bytes stay in [`Origin`] so that a
//! request to the same protocol can be sent as it came. It knows no JSON shapes and no provider.

mod surcharges;
mod usage;

pub use surcharges::{Lifetime, Surcharges, UNLIMITED_USES};
pub use usage::{Service, Usage};

use bytes::Bytes;
use serde_json::Value;

/// A wire protocol, on either side of the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Dialect {
    /// OpenAI chat completions.
    OpenAi,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Anthropic,
    /// Ollama's `/api/chat`.
    Ollama,
}

/// The request as received.
#[derive(Clone, Debug)]
pub struct Origin {
    pub dialect: Dialect,
    /// The body, byte for byte.
    pub body: Bytes,
}

#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// The model name that the client asked for; empty if it sent none.
    pub model: String,
    pub stream: bool,
    /// Whether the client asked for a usage chunk in its stream.
    pub include_usage: bool,
    /// Every message in order, system prompts included.
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    pub parallel_tool_calls: Option<bool>,
    /// The client's own cap on the answer in tokens.
    pub max_output_tokens: Option<u32>,
    pub sampling: Sampling,
    pub output_format: Option<OutputFormat>,
    /// `minimal`, `low`, `medium`, `high`, ... as the client wrote it.
    pub reasoning_effort: Option<String>,
    /// What it asks for that is billed beside its text.
    pub surcharges: Surcharges,
    pub origin: Origin,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u32>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    pub seed: Option<u64>,
    pub stop: Vec<String>,
    /// How many answers to write (`n`), where the protocol has that.
    pub answers: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum OutputFormat {
    /// Any JSON object.
    Json,
    /// JSON that follows a schema.
    Schema { name: Option<String>, schema: Value, strict: Option<bool> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    /// Carries [`Part::ToolResult`] only.
    Tool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text {
        text: String,
        /// Anthropic's `cache_control` mark, as sent.
        cache_control: Option<Value>,
    },
    Image(Image),
    ToolCall(ToolCall),
    ToolResult {
        call_id: String,
        content: Vec<Part>,
        is_error: bool,
    },
    /// Reasoning text with the signature of the model that made it.
    Thinking {
        text: String,
        signature: Option<String>,
    },
    RedactedThinking {
        data: String,
    },
    /// A part without a canonical form (audio, documents, ...): kept as sent, for the same dialect.
    Other {
        kind: String,
        raw: Value,
    },
}

impl Part {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), cache_control: None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    Url(String),
    Base64 { media_type: String, data: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// The arguments as JSON text, exactly as the model wrote them (it may be malformed).
    pub arguments: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    /// JSON schema of the arguments.
    pub parameters: Value,
    pub strict: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    /// Some tool must be called.
    Required,
    Named(String),
}

/// One step of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    Start {
        id: Option<String>,
        model: Option<String>,
    },
    Text(String),
    Thinking(String),
    ThinkingSignature(String),
    /// A call begins; `index` counts the calls of this answer from 0.
    ToolCall {
        index: u32,
        id: String,
        name: String,
    },
    /// A piece of the JSON arguments of call `index`.
    ToolArguments {
        index: u32,
        delta: String,
    },
    /// Usage so far; a later one replaces an earlier one.
    Usage(Usage),
    Stop(StopReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The model was done.
    End,
    /// The cap on the answer or the context window was reached.
    Length,
    ToolCalls,
    /// One of the client's stop sequences.
    StopSequence,
    /// Refused by the provider's content filter or by the model.
    Refusal,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatAnswer {
    pub id: Option<String>,
    /// The name that the upstream answered under.
    pub model: Option<String>,
    /// Text, thinking and tool calls in order.
    pub parts: Vec<Part>,
    pub stop: StopReason,
    pub usage: Option<Usage>,
}
