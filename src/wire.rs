//! Pure codecs between each protocol's bytes and the canonical form of [`crate::chat`].
//! Same protocol on both sides: the received bytes are edited in place and the answer passes as it
//! came. No I/O, no clock, no prices.

mod answer;
mod error;
mod stream;

pub use answer::{Answer, AnswerShell};
pub use error::WireError;
pub use stream::{StreamFault, StreamRelay};

use bytes::Bytes;

use crate::catalog::{Capabilities, Model};
use crate::chat::{ChatRequest, Dialect, StopReason, Usage};

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
    /// As the provider reported it.
    pub usage: Option<Usage>,
    pub stop: Option<StopReason>,
    /// Bytes of text, thinking and tool arguments.
    pub output_bytes: u64,
    /// Anything of the above, or a tool call.
    pub any_output: bool,
}

/// Reads a request in one of the client protocols (OpenAI chat, Anthropic Messages, OpenAI
/// Responses).
///
/// # Errors
/// [`WireError::Malformed`] for what is not JSON, [`WireError::Field`] for a known field of the
/// wrong type, [`WireError::Unsupported`] for Ollama's API.
pub fn decode_request(dialect: Dialect, body: Bytes) -> Result<ChatRequest, WireError> {
    let _ = body;
    Err(WireError::Unsupported(format!("{dialect} requests cannot be read")))
}

/// Which protocol a body for `/v1/route` is written in: `input` means Responses; top-level
/// `system`, `anthropic_version` or `tool_use`/`tool_result` blocks mean Messages; else chat.
pub fn detect_dialect(body: &[u8]) -> Dialect {
    let _ = body;
    Dialect::OpenAi
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
    let _ = (request, patch);
    Err(WireError::Unsupported(format!("{to} requests cannot be written")))
}

/// What a model must be capable of to serve this request (`chat` itself is not listed).
pub fn required(request: &ChatRequest) -> Capabilities {
    let _ = request;
    Capabilities::NONE
}
