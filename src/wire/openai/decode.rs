//! Reads chat completion answers into the canonical form, for clients of another protocol.

use serde_json::value::RawValue;

use super::chunk::{Chunk, Delta, FunctionDelta, fault, read};
use crate::chat::{ChatAnswer, ChatEvent, Part, Service, StopReason, ToolCall, Usage};
use crate::wire::framing::{SseFrame, SseFrames};
use crate::wire::lenient::Whole;
use crate::wire::{Emit, StreamFault, WireError};

/// Turns chunks into events; only the first choice is read.
#[derive(Default)]
pub(crate) struct Decoder {
    frames: SseFrames,
    state: State,
}

#[derive(Default)]
struct State {
    begun: bool,
    stopped: bool,
    done: bool,
    calls: Vec<Call>,
    /// What the stream said last of how it is served.
    service: Option<Service>,
}

struct Call {
    /// The upstream's number, which some leave out or keep at 0.
    index: Option<u64>,
    id: String,
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
        let state = &mut self.state;
        if state.stopped {
            return Ok(());
        }
        if !state.done || !state.begun {
            return Err(StreamFault::Broken("the upstream's stream ended early".to_owned()));
        }
        let calls = !state.calls.is_empty();
        emit(ChatEvent::Stop(if calls { StopReason::ToolCalls } else { StopReason::End }));
        Ok(())
    }
}

impl State {
    fn frame(&mut self, frame: &SseFrame<'_>, emit: &mut Emit<'_>) -> Result<(), StreamFault> {
        let Some(data) = frame.data.map(<[u8]>::trim_ascii) else { return Ok(()) };
        if self.done || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        if frame.event == Some(b"error") {
            return Err(fault(&String::from_utf8_lossy(data)));
        }
        if let Some(chunk) = read::<Whole>(data)? {
            self.chunk(chunk, emit);
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk<'_, Whole>, emit: &mut Emit<'_>) {
        self.service = chunk.service().or(self.service);
        let usage = chunk.usage();
        if !std::mem::replace(&mut self.begun, true) {
            emit(ChatEvent::Start { id: text(chunk.id), model: text(chunk.model) });
        }
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.unwrap_or_default().0 > 0 {
                continue;
            }
            if let Some(delta) = choice.content() {
                self.delta(delta, emit);
            }
            if let Some(stop) = choice.stop().filter(|_| !self.stopped) {
                self.stopped = true;
                emit(ChatEvent::Stop(stop));
            }
        }
        if let Some(usage) = usage {
            let service = usage.service.or(self.service);
            emit(ChatEvent::Usage(Usage { service, ..usage }));
        }
    }

    fn delta(&mut self, delta: &Delta<Whole>, emit: &mut Emit<'_>) {
        let said = |text: Option<&Whole>| text.filter(|text| !text.0.is_empty()).cloned();
        if let Some(thinking) = said(delta.thinking()) {
            emit(ChatEvent::Thinking(thinking.0));
        }
        for spoken in [said(delta.content.as_ref()), said(delta.refusal.as_ref())] {
            spoken.into_iter().for_each(|text| emit(ChatEvent::Text(text.0)));
        }
        for call in delta.tool_calls.as_deref().unwrap_or_default() {
            let Some(function) = &call.function else { continue };
            let id = call.id.as_ref().map_or("", |id| &id.0);
            self.call(call.index.map(|index| index.0), id, function, emit);
        }
        if let Some(function) = &delta.function_call {
            self.call(Some(0), "", function, emit);
        }
    }

    fn call(
        &mut self,
        index: Option<u64>,
        id: &str,
        function: &FunctionDelta<Whole>,
        emit: &mut Emit<'_>,
    ) {
        let name = function.name.as_ref().map_or("", |name| &name.0);
        let known = self.calls.iter().rposition(|call| {
            // The same number with another id is another call (Gemini keeps 0 or leaves it out).
            let same_id = id.is_empty() || call.id == id;
            same_id && (index.is_none() || call.index == index)
        });
        let known = known.filter(|_| index.is_some() || name.is_empty());
        let place = known.unwrap_or(self.calls.len());
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        if known.is_none() {
            self.calls.push(Call { index, id: id.to_owned() });
            emit(ChatEvent::ToolCall { index: number, id: id.to_owned(), name: name.to_owned() });
        }
        if let Some(arguments) = function.arguments.as_ref().filter(|text| !text.0.is_empty()) {
            emit(ChatEvent::ToolArguments { index: number, delta: arguments.0.clone() });
        }
    }
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// Reads a whole answer.
pub(crate) fn read_whole(body: &[u8]) -> Result<ChatAnswer, WireError> {
    let chunk = match read::<Whole>(body) {
        Ok(Some(chunk)) => chunk,
        Ok(None) | Err(StreamFault::Broken(_)) => {
            return Err(WireError::answer("the upstream's answer cannot be understood"));
        }
        Err(StreamFault::Error { message, status }) => {
            return Err(WireError::Answer { message, status });
        }
    };
    let usage = chunk.usage();
    let (id, model) = (text(chunk.id), text(chunk.model));
    let first = chunk.choices.into_iter().flatten().next();
    let Some(choice) = first else {
        return Err(WireError::answer("the upstream's answer has no choices"));
    };
    let mut parts = Vec::new();
    if let Some(message) = choice.content() {
        let thinking = message.thinking().filter(|text| !text.0.is_empty());
        parts.extend(thinking.map(|text| Part::Thinking { text: text.0.clone(), signature: None }));
        let spoken = [&message.content, &message.refusal].into_iter().flatten();
        parts.extend(spoken.filter(|text| !text.0.is_empty()).map(|text| Part::text(&*text.0)));
        for call in message.tool_calls.as_deref().unwrap_or_default() {
            let Some(function) = &call.function else { continue };
            let take = |text: &Option<Whole>| text.clone().unwrap_or_default().0;
            parts.push(Part::ToolCall(ToolCall {
                id: take(&call.id),
                name: take(&function.name),
                arguments: take(&function.arguments),
            }));
        }
    }
    let stop = choice.stop().unwrap_or(StopReason::End);
    Ok(ChatAnswer { id, model, parts, stop, usage })
}

#[cfg(test)]
mod tests;
