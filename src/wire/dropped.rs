//! What a conversion leaves out, by the client's own names.

use crate::chat::{ChatRequest, Dialect};
use crate::wire::raw::RawObject;

/// Adds `name` unless it is there already.
pub(super) fn note(dropped: &mut Vec<String>, name: &str) {
    if !dropped.iter().any(|one| one == name) {
        dropped.push(name.to_owned());
    }
}

/// Top-level fields of the received request that the canonical form does not carry.
pub(super) fn unplaced(request: &ChatRequest) -> Vec<String> {
    let carried: &[&str] = match request.origin.dialect {
        Dialect::OpenAi => &OPENAI,
        Dialect::Anthropic => &ANTHROPIC,
        Dialect::Responses => &RESPONSES,
        Dialect::Ollama => return Vec::new(),
    };
    let Ok(body) = RawObject::parse(&request.origin.body) else { return Vec::new() };
    let empty = ["null", "false", "{}", "[]", "\"\""];
    let says_nothing =
        |key: &str, value: &str| empty.contains(&value) || (key == "n" && value == "1");
    body.keys()
        .filter(|key| !carried.contains(&key.as_str()))
        .filter(|key| body.get(key).is_some_and(|value| !says_nothing(key, value)))
        .collect()
}

const OPENAI: [&str; 21] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "stop",
    "response_format",
    "reasoning_effort",
    "reasoning",
];

const ANTHROPIC: [&str; 13] = [
    "model",
    "messages",
    "system",
    "stream",
    "tools",
    "tool_choice",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "output_config",
    "output_format",
];

/// `store`, `include` and `prompt_cache_key` ask nothing of an answer.
const RESPONSES: [&str; 15] = [
    "model",
    "input",
    "instructions",
    "stream",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "reasoning",
    "text",
    "store",
    "include",
    "prompt_cache_key",
];
