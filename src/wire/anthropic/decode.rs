//! Reads Messages answers: the event stream and the whole object.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::stop_reason;
use super::usage::UsageIn;
use crate::chat::{ChatAnswer, ChatEvent, Part, StopReason, ToolCall, Usage};
use crate::wire::framing::{SseFrame, SseFrames};
use crate::wire::openai::fault;
use crate::wire::{Emit, StreamFault, WireError};

/// Turns the event stream into canonical events.
#[derive(Default)]
pub(crate) struct Decoder {
    frames: SseFrames,
    state: State,
}

#[derive(Default)]
struct State {
    usage: Usage,
    /// Open tool calls by the number of their block.
    calls: HashMap<u64, Call>,
    /// How many calls have begun.
    count: u32,
    stopped: bool,
    done: bool,
}

struct Call {
    index: u32,
    /// Arguments that came with the start of the block, for servers that send no deltas.
    whole: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: StartIn,
    },
    ContentBlockStart {
        index: u64,
        content_block: BlockIn,
    },
    ContentBlockDelta {
        index: u64,
        delta: DeltaIn,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: EndIn,
        usage: Option<UsageIn>,
    },
    MessageStop,
    Error {
        error: serde_json::Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct StartIn {
    id: Option<String>,
    model: Option<String>,
    usage: Option<UsageIn>,
}

#[derive(Default, Deserialize)]
struct EndIn {
    stop_reason: Option<String>,
}

/// A content block; `kind` says which fields count.
#[derive(Deserialize)]
struct BlockIn {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    id: Option<String>,
    name: Option<String>,
    input: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum DeltaIn {
    TextDelta {
        text: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    #[serde(other)]
    Other,
}

impl Decoder {
    pub(crate) fn is_over(&self) -> bool {
        self.state.done
    }

    pub(crate) fn bytes(&mut self, chunk: &[u8], emit: &mut Emit<'_>) -> Result<(), StreamFault> {
        self.frames.push(chunk);
        while let Some(frame) = self.frames.next()? {
            self.state.frame(&frame, emit)?;
        }
        Ok(())
    }

    pub(crate) fn end(&mut self, emit: &mut Emit<'_>) -> Result<(), StreamFault> {
        if let Some(frame) = self.frames.rest()? {
            self.state.frame(&frame, emit)?;
        }
        if self.state.stopped {
            return Ok(());
        }
        Err(StreamFault::Broken("the upstream's stream ended before its answer did".to_owned()))
    }
}

impl State {
    fn frame(&mut self, frame: &SseFrame<'_>, emit: &mut Emit<'_>) -> Result<(), StreamFault> {
        let Some(data) = frame.data.map(<[u8]>::trim_ascii) else { return Ok(()) };
        if self.done || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let event = serde_json::from_slice(data).map_err(|_| {
            StreamFault::Broken("the upstream sent an event that cannot be read".to_owned())
        })?;
        match event {
            Event::MessageStart { message } => {
                emit(ChatEvent::Start { id: message.id, model: message.model });
                self.report(message.usage.as_ref(), emit);
            }
            Event::ContentBlockStart { index, content_block } => {
                self.open(index, content_block, emit);
            }
            Event::ContentBlockDelta { index, delta } => self.delta(index, delta, emit),
            Event::ContentBlockStop { index } => self.close(index, emit),
            Event::MessageDelta { delta, usage } => {
                if let Some(word) = delta.stop_reason {
                    self.stop(stop_reason(&word), emit);
                }
                self.report(usage.as_ref(), emit);
            }
            Event::MessageStop => {
                self.done = true;
                let calls = self.count > 0;
                self.stop(if calls { StopReason::ToolCalls } else { StopReason::End }, emit);
            }
            Event::Error { error } => return Err(fault(&error.to_string())),
            Event::Other => {}
        }
        Ok(())
    }

    fn report(&mut self, usage: Option<&UsageIn>, emit: &mut Emit<'_>) {
        if let Some(report) = usage {
            report.update(&mut self.usage);
            emit(ChatEvent::Usage(self.usage));
        }
    }

    fn stop(&mut self, reason: StopReason, emit: &mut Emit<'_>) {
        if !std::mem::replace(&mut self.stopped, true) {
            // A block that was never closed still needs its arguments.
            let mut open: Vec<u64> = self.calls.keys().copied().collect();
            open.sort_unstable();
            open.into_iter().for_each(|index| self.close(index, emit));
            emit(ChatEvent::Stop(reason));
        }
    }

    fn open(&mut self, number: u64, block: BlockIn, emit: &mut Emit<'_>) {
        match block.kind.as_str() {
            "tool_use" => {
                let index = self.count;
                self.count += 1;
                let whole = block.input.map_or_else(|| "{}".to_owned(), |input| input.to_string());
                self.calls.insert(number, Call { index, whole: Some(whole) });
                let (id, name) = (block.id.unwrap_or_default(), block.name.unwrap_or_default());
                emit(ChatEvent::ToolCall { index, id, name });
            }
            "text" => said(block.text, ChatEvent::Text, emit),
            "thinking" => {
                said(block.thinking, ChatEvent::Thinking, emit);
                said(block.signature, ChatEvent::ThinkingSignature, emit);
            }
            _ => {}
        }
    }

    fn delta(&mut self, number: u64, delta: DeltaIn, emit: &mut Emit<'_>) {
        match delta {
            DeltaIn::TextDelta { text } => said(Some(text), ChatEvent::Text, emit),
            DeltaIn::ThinkingDelta { thinking } => said(Some(thinking), ChatEvent::Thinking, emit),
            DeltaIn::SignatureDelta { signature } => {
                said(Some(signature), ChatEvent::ThinkingSignature, emit);
            }
            DeltaIn::InputJsonDelta { partial_json } => {
                // Blocks of the server's own tools have arguments too, which are no one's to call.
                let Some(call) = self.calls.get_mut(&number) else { return };
                if !partial_json.is_empty() {
                    call.whole = None;
                    emit(ChatEvent::ToolArguments { index: call.index, delta: partial_json });
                }
            }
            DeltaIn::Other => {}
        }
    }

    /// No pieces came: the arguments are what the block began with (`{}` as a rule), and a client
    /// that parses them must not meet an empty text.
    fn close(&mut self, number: u64, emit: &mut Emit<'_>) {
        let Some(call) = self.calls.remove(&number) else { return };
        if let Some(delta) = call.whole {
            emit(ChatEvent::ToolArguments { index: call.index, delta });
        }
    }
}

fn said(text: Option<String>, event: fn(String) -> ChatEvent, emit: &mut Emit<'_>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        emit(event(text));
    }
}

#[derive(Deserialize)]
struct Whole {
    id: Option<String>,
    model: Option<String>,
    content: Option<Vec<BlockIn>>,
    stop_reason: Option<String>,
    usage: Option<UsageIn>,
    error: Option<Box<RawValue>>,
}

/// Reads a whole answer.
pub(crate) fn read_whole(body: &[u8]) -> Result<ChatAnswer, WireError> {
    let whole: Whole = serde_json::from_slice(body)
        .map_err(|_| WireError::answer("the upstream's answer cannot be understood"))?;
    if let Some(error) = whole.error {
        return Err(match fault(error.get()) {
            StreamFault::Error { message, status } => WireError::Answer { message, status },
            StreamFault::Broken(message) => WireError::answer(message),
        });
    }
    let Some(content) = whole.content else {
        return Err(WireError::answer("the upstream's answer has no content"));
    };
    let parts: Vec<Part> = content.into_iter().filter_map(part).collect();
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let implied = if calls { StopReason::ToolCalls } else { StopReason::End };
    let usage = whole.usage.map(|report| {
        let mut usage = Usage::default();
        report.update(&mut usage);
        usage
    });
    Ok(ChatAnswer {
        id: whole.id,
        model: whole.model,
        parts,
        stop: whole.stop_reason.map_or(implied, |word| stop_reason(&word)),
        usage,
    })
}

fn part(block: BlockIn) -> Option<Part> {
    match block.kind.as_str() {
        "text" => Some(Part::text(block.text?)),
        "thinking" => Some(Part::Thinking {
            text: block.thinking.unwrap_or_default(),
            signature: block.signature.filter(|signature| !signature.is_empty()),
        }),
        "redacted_thinking" => Some(Part::RedactedThinking { data: block.data? }),
        "tool_use" => Some(Part::ToolCall(ToolCall {
            id: block.id.unwrap_or_default(),
            name: block.name.unwrap_or_default(),
            arguments: block.input.map_or_else(|| "{}".to_owned(), |input| input.to_string()),
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
