//! What of a request becomes prompt tokens.

use serde_json::Value;

use super::PromptTokens;
use super::classes::{Count, count};
use crate::chat::{ChatRequest, Message, OutputFormat, Part, Tool};

/// Role, separators and the like of one message.
const MESSAGE: (u64, u64) = (4, 8);
/// The frame round the whole conversation.
const CONVERSATION: (u64, u64) = (3, 8);
/// The hidden instructions that a provider adds as soon as there are tools (Anthropic: 313 to 700).
const TOOL_USE: (u64, u64) = (60, 700);
const TOOL: (u64, u64) = (8, 16);
const TOOL_CALL: (u64, u64) = (8, 24);
/// One image. Usual full-size images come to at most 1,600 tokens; the newest high-resolution models
/// count up to 4,784.
const IMAGE: (u64, u64) = (1_600, 4_800);
/// Strings at least this long inside unknown parts may be encoded media.
const BLOB: usize = 1_024;

/// The length of a text.
pub fn text_tokens(text: &str) -> PromptTokens {
    count(text).finish()
}

/// The length of a whole request: messages, tools and output schema.
pub fn prompt_tokens(request: &ChatRequest) -> PromptTokens {
    let mut total = Count::tokens(CONVERSATION.0, CONVERSATION.1);
    for message in &request.messages {
        message_tokens(message, &mut total);
    }
    if !request.tools.is_empty() {
        total.add(Count::tokens(TOOL_USE.0, TOOL_USE.1));
    }
    for tool in &request.tools {
        tool_tokens(tool, &mut total);
    }
    if let Some(OutputFormat::Schema { name, schema, .. }) = &request.output_format {
        total.add(count(name.as_deref().unwrap_or_default()));
        json_tokens(schema, &mut total);
    }
    total.finish()
}

fn message_tokens(message: &Message, total: &mut Count) {
    total.add(Count::tokens(MESSAGE.0, MESSAGE.1));
    for part in &message.parts {
        part_tokens(part, total);
    }
}

fn part_tokens(part: &Part, total: &mut Count) {
    match part {
        Part::Text { text, .. } => total.add(count(text)),
        Part::Image(_) => total.add(Count::tokens(IMAGE.0, IMAGE.1)),
        Part::ToolCall(call) => {
            total.add(Count::tokens(TOOL_CALL.0, TOOL_CALL.1));
            total.add(count(&call.name));
            total.add(count(&call.arguments));
        }
        Part::ToolResult { content, .. } => {
            total.add(Count::tokens(TOOL_CALL.0, TOOL_CALL.1));
            for part in content {
                part_tokens(part, total);
            }
        }
        Part::Thinking { text, signature } => {
            total.add(count(text));
            // The newest models hand thinking back as a signature only: its length bounds the text's.
            let hidden = signature.as_ref().map_or(0, String::len) as u64;
            total.add(Count::tokens(0, hidden / 4));
        }
        Part::RedactedThinking { data } => {
            total.add(Count::tokens(data.len() as u64 / 6, data.len() as u64 / 4));
        }
        Part::Other { raw, .. } => match raw.get("input_audio") {
            Some(audio) => audio_tokens(audio, total),
            None => json_tokens(raw, total),
        },
    }
}

fn tool_tokens(tool: &Tool, total: &mut Count) {
    total.add(Count::tokens(TOOL.0, TOOL.1));
    total.add(count(&tool.name));
    total.add(count(tool.description.as_deref().unwrap_or_default()));
    json_tokens(&tool.parameters, total);
}

/// JSON as it would be written, without writing it.
fn json_tokens(value: &Value, total: &mut Count) {
    match value {
        Value::Null | Value::Bool(_) => total.add(Count::tokens(1, 1)),
        Value::Number(number) => total.add(count(&number.to_string())),
        Value::String(text) if is_blob(text) => {
            let bytes = text.len() as u64;
            total.add(Count::tokens(bytes / 64, blob_ceiling(bytes)));
        }
        Value::String(text) => {
            total.add(Count::tokens(1, 2));
            total.add(count(text));
        }
        Value::Array(items) => {
            total.add(Count::tokens(1, 2 + items.len() as u64));
            items.iter().for_each(|item| json_tokens(item, total));
        }
        Value::Object(fields) => {
            total.add(Count::tokens(1, 2 + fields.len() as u64));
            for (name, field) in fields {
                total.add(Count::tokens(1, 2));
                total.add(count(name));
                json_tokens(field, total);
            }
        }
    }
}

/// The most that an encoded document comes to. A page of text weighs as little as two kilobytes and
/// counts as text and as an image; what weighs more is pictures, which count by the page.
fn blob_ceiling(bytes: u64) -> u64 {
    bytes.min(100_000 + bytes / 8)
}

/// Audio counts by its seconds, at most 32 tokens in each (Gemini; OpenAI has 10). A second takes at
/// least 700 bytes where it is compressed and 1,600 in a WAV file, a third more in base64. An address
/// tells nothing of its length: half an hour is allowed for.
fn audio_tokens(audio: &Value, total: &mut Count) {
    let data = audio.get("data").and_then(Value::as_str).unwrap_or_default();
    let bytes = data.len() as u64;
    let tokens = match audio.get("format").and_then(Value::as_str) {
        _ if data.starts_with("http") || data.is_empty() => (1_000, 60_000),
        Some("wav") => (bytes / 2_000, bytes / 64 + 32),
        Some("pcm16" | "pcm") => (bytes / 2_000, bytes / 400 + 32),
        Some(_) | None => (bytes / 500, bytes / 16 + 32),
    };
    total.add(Count::audio(tokens.0, tokens.1));
}

/// Encoded media (a document): its tokens follow its pages or seconds, not its characters.
fn is_blob(text: &str) -> bool {
    // A data URL has its media type before the comma.
    let data = match text.split_once(',') {
        Some((head, data)) if head.starts_with("data:") => data,
        _ => text,
    };
    data.len() >= BLOB
        && data.bytes().take(256).all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
        })
}
