//! Writes answers as chat completions: canonical events as chunks, whole answers as one object.

use serde_json::{Value, json};

use super::finish_reason;
use super::tap::Head;
use super::usage::object;
use crate::chat::{ChatAnswer, ChatEvent, Part, StopReason, ToolCall, Usage};
use crate::wire::AnswerShell;
use crate::wire::raw::quoted;

/// Turns events into chunks. The usage chunk and the end marker wait for [`Self::finish`].
pub(crate) struct ChunkEncoder {
    wants_usage: bool,
    head: Head,
    /// The role goes with the first delta.
    begun: bool,
    finished: bool,
    calls: bool,
    usage: Option<Usage>,
    /// For calls to which the upstream gave no id.
    call_prefix: String,
}

impl ChunkEncoder {
    pub(crate) fn new(wants_usage: bool, id: &str, model: &str) -> Self {
        let head = Head { id: quoted(id), created: "0".to_owned(), model: quoted(model) };
        Self::with_head(wants_usage, head)
    }

    pub(super) fn with_head(wants_usage: bool, head: Head) -> Self {
        let call_prefix = call_prefix(&head.id);
        let (begun, finished, calls, usage) = (false, false, false, None);
        Self { wants_usage, head, begun, finished, calls, usage, call_prefix }
    }

    pub(crate) fn created_at(&mut self, unix_seconds: i64) {
        self.head.created = unix_seconds.to_string();
    }

    pub(crate) fn set_usage(&mut self, usage: Usage) {
        self.usage.get_or_insert(usage);
    }

    pub(crate) fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        match event {
            ChatEvent::Start { model: Some(model), .. } => self.head.model = quoted(model),
            // A signature has no place in this protocol.
            ChatEvent::Start { model: None, .. } | ChatEvent::ThinkingSignature(_) => {}
            ChatEvent::Text(text) if text.is_empty() => {}
            ChatEvent::Thinking(text) if text.is_empty() => {}
            ChatEvent::Text(text) => self.delta(&format!("\"content\":{}", quoted(text)), out),
            ChatEvent::Thinking(text) => {
                self.delta(&format!("\"reasoning_content\":{}", quoted(text)), out);
            }
            ChatEvent::ToolCall { index, id, name } => {
                self.calls = true;
                let id = call_id(id, &self.call_prefix, *index);
                let call = format!(
                    "\"tool_calls\":[{{\"index\":{index},\"id\":{},\"type\":\"function\",\
                     \"function\":{{\"name\":{},\"arguments\":\"\"}}}}]",
                    quoted(&id),
                    quoted(name),
                );
                self.delta(&call, out);
            }
            ChatEvent::ToolArguments { index, delta } => {
                let call = format!(
                    "\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":{}}}}}]",
                    quoted(delta)
                );
                self.delta(&call, out);
            }
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Stop(reason) => self.stop(*reason, out),
        }
    }

    pub(crate) fn finish(&mut self, proxy: &Value, out: &mut Vec<u8>) {
        let implied = if self.calls { StopReason::ToolCalls } else { StopReason::End };
        self.stop(implied, out);
        match self.usage.filter(|_| self.wants_usage) {
            Some(usage) => usage_chunk(&self.head, &usage, proxy, out),
            None => comment(proxy, out),
        }
        done(out);
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    fn stop(&mut self, reason: StopReason, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.finished, true) {
            let first = if self.begun { "" } else { "\"content\":\"\"" };
            self.chunk(first, &format!("\"{}\"", finish_reason(reason)), out);
        }
    }

    fn delta(&mut self, fields: &str, out: &mut Vec<u8>) {
        self.chunk(fields, "null", out);
    }

    fn chunk(&mut self, fields: &str, finish: &str, out: &mut Vec<u8>) {
        let begun = std::mem::replace(&mut self.begun, true);
        let role = if begun { "" } else { "\"role\":\"assistant\"," };
        open(&self.head, out);
        for text in ["[{\"index\":0,\"delta\":{", role, fields, "},\"finish_reason\":", finish] {
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(b"}]}\n\n");
    }
}

/// A chunk up to and including the name of its choices.
fn open(head: &Head, out: &mut Vec<u8>) {
    let Head { id, created, model } = head;
    for text in [
        "data: {\"id\":",
        id,
        ",\"object\":\"chat.completion.chunk\",\"created\":",
        created,
        ",\"model\":",
        model,
        ",\"choices\":",
    ] {
        out.extend_from_slice(text.as_bytes());
    }
}

pub(super) fn usage_chunk(head: &Head, usage: &Usage, proxy: &Value, out: &mut Vec<u8>) {
    open(head, out);
    let rest = format!("[],\"usage\":{},\"_proxy\":{proxy}}}\n\n", object(usage));
    out.extend_from_slice(rest.as_bytes());
}

pub(super) fn comment(proxy: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!(": edge-router {proxy}\n\n").as_bytes());
}

pub(super) fn done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: [DONE]\n\n");
}

/// An event that says nothing: comments do not reset every client's idle timer, data does.
pub(crate) fn keepalive(head: &Head, out: &mut Vec<u8>) {
    open(head, out);
    out.extend_from_slice(b"[{\"index\":0,\"delta\":{},\"finish_reason\":null}]}\n\n");
}

/// An error event.
pub(crate) fn error_event(error: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("data: {error}\n\n").as_bytes());
}

fn call_prefix(id: &str) -> String {
    let tail: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    // Ids may be 40 characters long.
    let from = tail.len().saturating_sub(24);
    format!("call_{}", &tail[from..])
}

fn call_id(id: &str, prefix: &str, index: u32) -> String {
    if id.is_empty() { format!("{prefix}_{index}") } else { id.to_owned() }
}

/// A whole answer as `chat.completion`.
pub(crate) fn write_whole(
    answer: &ChatAnswer,
    usage: Option<&Usage>,
    shell: &AnswerShell,
    proxy: &Value,
) -> Vec<u8> {
    let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
    let prefix = call_prefix(&shell.id);
    for part in &answer.parts {
        match part {
            Part::Text { text: more, .. } => text.push_str(more),
            Part::Thinking { text: more, .. } => thinking.push_str(more),
            Part::ToolCall(ToolCall { id, name, arguments }) => {
                let index = u32::try_from(calls.len()).unwrap_or(u32::MAX);
                calls.push(json!({
                    "id": call_id(id, &prefix, index),
                    "type": "function",
                    "function": {"name": name, "arguments": arguments},
                }));
            }
            Part::Image(_)
            | Part::ToolResult { .. }
            | Part::RedactedThinking { .. }
            | Part::Other { .. } => {}
        }
    }
    let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { text.into() };
    let mut message = json!({"role": "assistant", "content": content, "refusal": null});
    if !thinking.is_empty() {
        message["reasoning_content"] = thinking.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let mut body = json!({
        "id": shell.id,
        "object": "chat.completion",
        "created": shell.created,
        "model": shell.model_name,
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish_reason(answer.stop),
        }],
    });
    if let Some(usage) = usage {
        body["usage"] = object(usage);
    }
    body["_proxy"] = proxy.clone();
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
