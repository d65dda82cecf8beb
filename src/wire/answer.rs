//! Whole answers: read from a provider, written for a client.

use bytes::Bytes;
use serde_json::Value;

use super::raw::{RawObject, quoted};
use super::{Observed, WireError, anthropic, ollama, openai};
use crate::chat::{ChatAnswer, ChatEvent, Dialect, Part, StopReason, ToolCall, Usage};

/// What the router itself puts round an answer.
#[derive(Clone, Debug)]
pub struct AnswerShell {
    /// The answer's id where it had to be converted.
    pub id: String,
    /// The model name that the client asked for (the chosen id where it asked for `auto`).
    pub model_name: String,
    /// Unix seconds.
    pub created: i64,
}

/// One whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    body: Body,
    observed: Observed,
    /// Told by the router where the provider told none.
    given: Option<Usage>,
}

#[derive(Clone, Debug)]
enum Body {
    /// In the client's own protocol.
    Same(Bytes),
    Canonical(ChatAnswer),
}

impl Answer {
    /// Reads a provider's answer; with the same protocol on both sides its bytes are kept.
    ///
    /// # Errors
    /// [`WireError::Answer`] if it is an error object or not an answer at all.
    pub fn read(from: Dialect, to: Dialect, body: Bytes) -> Result<Self, WireError> {
        let answer = match from {
            Dialect::OpenAi if to == Dialect::OpenAi => {
                let observed = openai::observe_whole(&body)?;
                return Ok(Self { body: Body::Same(body), observed, given: None });
            }
            Dialect::OpenAi => openai::read_whole(&body)?,
            Dialect::Anthropic => anthropic::read_whole(&body)?,
            Dialect::Ollama => ollama::read_whole(&body)?,
            Dialect::Responses => {
                return Err(WireError::Unsupported("Responses answers cannot be read".to_owned()));
            }
        };
        Ok(Self::canonical(answer))
    }

    /// Puts a streamed answer together.
    pub fn from_events(events: Vec<ChatEvent>) -> Self {
        let mut answer = ChatAnswer {
            id: None,
            model: None,
            parts: Vec::new(),
            stop: StopReason::End,
            usage: None,
        };
        for event in events {
            add(&mut answer, event);
        }
        Self::canonical(answer)
    }

    fn canonical(answer: ChatAnswer) -> Self {
        let mut observed = Observed::default();
        for part in &answer.parts {
            match part {
                Part::Text { text, .. } | Part::Thinking { text, .. } => {
                    observed.output(text.len() as u64);
                }
                Part::ToolCall(call) => {
                    observed.tool_call();
                    observed.output(call.arguments.len() as u64);
                }
                Part::Image(_)
                | Part::ToolResult { .. }
                | Part::RedactedThinking { .. }
                | Part::Other { .. } => {}
            }
        }
        observed.stop(answer.stop);
        if let Some(usage) = answer.usage {
            observed.usage(usage);
        }
        Self { body: Body::Canonical(answer), observed, given: None }
    }

    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Usage for the client where the provider reported none. [`Self::observed`] stays without it.
    pub fn set_usage(&mut self, usage: Usage) {
        self.given = Some(usage);
    }

    /// The body for the client. Same protocol: the values as they came, with `model` replaced in
    /// place and `_proxy` appended. Chat is the only protocol that others are converted to so far.
    pub fn write(&self, to: Dialect, shell: &AnswerShell, proxy: &Value) -> Bytes {
        // Messages and Responses take their own form here once their endpoints exist.
        let _ = to;
        match &self.body {
            Body::Same(bytes) => match RawObject::parse(bytes) {
                Ok(mut body) => {
                    body.set("model", quoted(&shell.model_name));
                    body.set("_proxy", proxy.to_string());
                    body.to_bytes().into()
                }
                Err(_) => bytes.clone(),
            },
            Body::Canonical(answer) => {
                let usage = answer.usage.or(self.given);
                openai::write_whole(answer, usage.as_ref(), shell, proxy).into()
            }
        }
    }
}

fn add(answer: &mut ChatAnswer, event: ChatEvent) {
    match event {
        ChatEvent::Start { id, model } => (answer.id, answer.model) = (id, model),
        ChatEvent::Text(more) => match answer.parts.last_mut() {
            Some(Part::Text { text, .. }) => text.push_str(&more),
            _ => answer.parts.push(Part::text(more)),
        },
        ChatEvent::Thinking(more) => match answer.parts.last_mut() {
            Some(Part::Thinking { text, signature: None }) => text.push_str(&more),
            _ => answer.parts.push(Part::Thinking { text: more, signature: None }),
        },
        ChatEvent::ThinkingSignature(more) => {
            if let Some(Part::Thinking { signature, .. }) = answer.parts.last_mut() {
                signature.get_or_insert_default().push_str(&more);
            }
        }
        ChatEvent::ToolCall { id, name, .. } => {
            let arguments = String::new();
            answer.parts.push(Part::ToolCall(ToolCall { id, name, arguments }));
        }
        ChatEvent::ToolArguments { index, delta } => {
            let mut calls = answer.parts.iter_mut().filter_map(|part| match part {
                Part::ToolCall(call) => Some(call),
                _ => None,
            });
            if let Some(call) = calls.nth(index as usize) {
                call.arguments.push_str(&delta);
            }
        }
        ChatEvent::Usage(usage) => answer.usage = Some(usage),
        ChatEvent::Stop(stop) => answer.stop = stop,
    }
}

#[cfg(test)]
mod tests;
