//! OpenAI chat completions: requests in and out, answers in and out, streamed and whole.

mod build;
mod chunk;
mod decode;
mod encode;
mod patch;
mod request;
mod tap;
mod usage;

pub(super) use build::{ToolOut, build, joined};
pub(super) use chunk::fault;
pub(super) use decode::{Decoder, read_whole};
pub(super) use encode::{ChunkEncoder, error_event, keepalive, write_whole};
pub(super) use patch::patch;
pub(super) use request::decode;
pub(super) use tap::{Tap, observe_whole};

use crate::chat::StopReason;

/// The protocol's word for why an answer ended.
fn finish_reason(stop: StopReason) -> &'static str {
    match stop {
        StopReason::End | StopReason::StopSequence => "stop",
        StopReason::Length => "length",
        StopReason::ToolCalls => "tool_calls",
        StopReason::Refusal => "content_filter",
    }
}

/// Providers have words of their own (`eos`, `model_length`, ...); `None` for an empty one.
fn stop_reason(word: &str) -> Option<StopReason> {
    match word {
        "" => None,
        "length" | "model_length" | "max_tokens" => Some(StopReason::Length),
        "tool_calls" | "function_call" | "tool_use" => Some(StopReason::ToolCalls),
        "content_filter" | "refusal" | "safety" => Some(StopReason::Refusal),
        _ => Some(StopReason::End),
    }
}
