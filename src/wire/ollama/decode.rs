//! Reads `/api/chat` answers: one JSON object, or one per line while it is made.

use serde::Deserialize;
use serde_json::Value;

use crate::chat::{ChatAnswer, ChatEvent, Part, StopReason, ToolCall, Usage};
use crate::wire::framing::Lines;
use crate::wire::lenient::Count;
use crate::wire::openai::fault;
use crate::wire::{Emit, StreamFault, WireError};

/// Turns lines into events. Calls without an id get an empty one, which the encoder fills.
#[derive(Default)]
pub(crate) struct Decoder {
    lines: Lines,
    state: State,
}

#[derive(Default)]
struct State {
    begun: bool,
    calls: u32,
    done: bool,
}

#[derive(Deserialize)]
struct Line {
    model: Option<String>,
    message: Option<MessageIn>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<Count>,
    eval_count: Option<Count>,
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
struct MessageIn {
    content: Option<String>,
    thinking: Option<String>,
    tool_calls: Option<Vec<CallIn>>,
}

#[derive(Deserialize)]
struct CallIn {
    id: Option<String>,
    function: FunctionIn,
}

#[derive(Deserialize)]
struct FunctionIn {
    name: String,
    #[serde(default)]
    arguments: Value,
}

impl FunctionIn {
    /// An object as a rule; JSON text from some versions.
    fn arguments(&self) -> String {
        match &self.arguments {
            Value::Null => "{}".to_owned(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        }
    }
}

impl Decoder {
    pub(crate) fn is_over(&self) -> bool {
        self.state.done
    }

    pub(crate) fn bytes(&mut self, chunk: &[u8], emit: &mut Emit<'_>) -> Result<(), StreamFault> {
        self.lines.push(chunk);
        while let Some(line) = self.lines.next()? {
            self.state.line(line, emit)?;
        }
        Ok(())
    }

    pub(crate) fn end(&mut self, emit: &mut Emit<'_>) -> Result<(), StreamFault> {
        if let Some(line) = self.lines.rest() {
            self.state.line(line, emit)?;
        }
        if self.state.done {
            return Ok(());
        }
        Err(StreamFault::Broken("the upstream's stream ended before its answer did".to_owned()))
    }
}

impl State {
    fn line(&mut self, line: &[u8], emit: &mut Emit<'_>) -> Result<(), StreamFault> {
        if self.done {
            return Ok(());
        }
        let line: Line = serde_json::from_slice(line).map_err(|_| {
            StreamFault::Broken("the upstream sent a line that cannot be read".to_owned())
        })?;
        if let Some(error) = &line.error {
            return Err(fault(&error.to_string()));
        }
        let (usage, reason) = (line.usage(), line.done_reason);
        if !std::mem::replace(&mut self.begun, true) {
            emit(ChatEvent::Start { id: None, model: line.model });
        }
        let message = line.message.unwrap_or_default();
        if let Some(text) = message.thinking.filter(|text| !text.is_empty()) {
            emit(ChatEvent::Thinking(text));
        }
        if let Some(text) = message.content.filter(|text| !text.is_empty()) {
            emit(ChatEvent::Text(text));
        }
        for call in message.tool_calls.unwrap_or_default() {
            let (index, delta) = (self.calls, call.function.arguments());
            self.calls += 1;
            let id = call.id.unwrap_or_default();
            emit(ChatEvent::ToolCall { index, id, name: call.function.name });
            emit(ChatEvent::ToolArguments { index, delta });
        }
        if line.done {
            self.done = true;
            emit(ChatEvent::Stop(stop_reason(reason.as_deref(), self.calls)));
            usage.into_iter().for_each(|usage| emit(ChatEvent::Usage(usage)));
        }
        Ok(())
    }
}

impl Line {
    fn usage(&self) -> Option<Usage> {
        // The prompt's count is missing when all of it was in the server's cache.
        let output = self.eval_count?.0;
        let input = self.prompt_eval_count.unwrap_or_default().0;
        Some(Usage { input, output, ..Usage::default() })
    }
}

fn stop_reason(word: Option<&str>, calls: u32) -> StopReason {
    match word {
        Some("length") => StopReason::Length,
        _ if calls > 0 => StopReason::ToolCalls,
        _ => StopReason::End,
    }
}

/// Reads a whole answer.
pub(crate) fn read_whole(body: &[u8]) -> Result<ChatAnswer, WireError> {
    let line: Line = serde_json::from_slice(body)
        .map_err(|_| WireError::answer("the upstream's answer cannot be understood"))?;
    if let Some(error) = &line.error {
        return Err(match fault(&error.to_string()) {
            StreamFault::Error { message, status } => WireError::Answer { message, status },
            StreamFault::Broken(message) => WireError::answer(message),
        });
    }
    let (usage, model) = (line.usage(), line.model);
    let Some(message) = line.message else {
        return Err(WireError::answer("the upstream's answer has no message"));
    };
    let mut parts = Vec::new();
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let thinking = said(message.thinking);
    parts.extend(thinking.map(|text| Part::Thinking { text, signature: None }));
    parts.extend(said(message.content).map(Part::text));
    let calls = message.tool_calls.unwrap_or_default();
    let count = u32::try_from(calls.len()).unwrap_or(u32::MAX);
    parts.extend(calls.into_iter().map(|call| {
        let arguments = call.function.arguments();
        let id = call.id.unwrap_or_default();
        Part::ToolCall(ToolCall { id, name: call.function.name, arguments })
    }));
    let stop = stop_reason(line.done_reason.as_deref(), count);
    Ok(ChatAnswer { id: None, model, parts, stop, usage })
}

#[cfg(test)]
mod tests;
