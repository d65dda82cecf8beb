//! Anthropic Messages: requests in and out, answers in, streamed and whole.

mod build;
mod decode;
mod patch;
mod request;
mod turns;
mod usage;

pub(super) use build::build;
pub(super) use decode::{Decoder, read_whole};
pub(super) use patch::patch;
pub(super) use request::decode;

use crate::chat::StopReason;

/// The protocol's words for why an answer ended; unknown ones are an ordinary end.
fn stop_reason(word: &str) -> StopReason {
    match word {
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "tool_use" => StopReason::ToolCalls,
        "stop_sequence" => StopReason::StopSequence,
        "refusal" => StopReason::Refusal,
        _ => StopReason::End,
    }
}
