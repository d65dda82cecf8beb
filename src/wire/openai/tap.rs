//! Same protocol on both sides: frames pass as they came. The tap notes usage and stop reason,
//! holds back what ends the stream, and mends ends that clients would loop on.

use serde_json::Value;

use super::chunk::{Choice, Chunk, fault, read};
use super::encode::{ChunkEncoder, comment, done, usage_chunk};
use crate::chat::{Service, StopReason, Usage};
use crate::wire::framing::{SseFrame, SseFrames};
use crate::wire::lenient::Length;
use crate::wire::raw::{RawObject, quoted};
use crate::wire::{Observed, StreamFault, WireError};

/// The stream of one answer.
pub(crate) struct Tap {
    frames: SseFrames,
    state: State,
    /// Frames that came to light when the upstream closed.
    tail: Vec<u8>,
}

struct State {
    wants_usage: bool,
    /// Where the upstream names none.
    fallback: Head,
    head: Option<Head>,
    choices: Vec<Seen>,
    held: Option<Held>,
    done: bool,
    observed: Observed,
    /// What the stream said last of how it is served.
    service: Option<Service>,
    given: Option<Usage>,
}

/// What every chunk repeats, as JSON.
#[derive(Clone)]
pub(crate) struct Head {
    pub(super) id: String,
    pub(super) created: String,
    pub(super) model: String,
}

struct Seen {
    index: u64,
    finished: bool,
}

/// A frame that waits for the router's own figures.
struct Held {
    raw: Vec<u8>,
    data: Vec<u8>,
    /// Part of the answer (must go out), not only its usage.
    has_choices: bool,
}

impl Tap {
    pub(crate) fn new(wants_usage: bool, id: &str, model: &str) -> Self {
        let fallback = Head { id: quoted(id), created: "0".to_owned(), model: quoted(model) };
        let state = State {
            wants_usage,
            fallback,
            head: None,
            choices: Vec::new(),
            held: None,
            done: false,
            observed: Observed::default(),
            service: None,
            given: None,
        };
        Self { frames: SseFrames::default(), state, tail: Vec::new() }
    }

    pub(crate) fn created_at(&mut self, unix_seconds: i64) {
        self.state.fallback.created = unix_seconds.to_string();
    }

    pub(crate) fn observed(&self) -> &Observed {
        &self.state.observed
    }

    pub(crate) fn set_usage(&mut self, usage: Usage) {
        self.state.given = Some(usage);
    }

    pub(crate) fn bytes(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), StreamFault> {
        self.frames.push(chunk);
        while let Some(frame) = self.frames.next()? {
            self.state.frame(&frame, out)?;
        }
        Ok(())
    }

    pub(crate) fn end(&mut self) -> Result<(), StreamFault> {
        if let Some(frame) = self.frames.rest()? {
            self.state.frame(&frame, &mut self.tail)?;
        }
        if self.is_complete() {
            return Ok(());
        }
        let what = if self.state.done { "without an answer" } else { "before its answer did" };
        Err(StreamFault::Broken(format!("the upstream's stream ended {what}")))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.done
    }

    pub(crate) fn is_complete(&self) -> bool {
        let choices = &self.state.choices;
        !choices.is_empty() && (self.state.done || choices.iter().all(|seen| seen.finished))
    }

    pub(crate) fn finish(&mut self, proxy: &Value, out: &mut Vec<u8>) {
        out.append(&mut self.tail);
        let state = &mut self.state;
        let mut told = false;
        let held = state.held.take();
        if let Some(held) = held.as_ref().filter(|held| held.has_choices) {
            told = with_proxy(&held.data, proxy, out);
        }
        state.finish_choices(out);
        if let Some(held) = held.filter(|held| !held.has_choices) {
            told = with_proxy(&held.data, proxy, out);
        }
        if !told {
            let usage = state.observed.usage.or(state.given);
            match usage.filter(|_| state.wants_usage) {
                Some(usage) => usage_chunk(state.head(), &usage, proxy, out),
                None => comment(proxy, out),
            }
        }
        done(out);
    }

    /// Lets go of what is part of the answer, before an error is written.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.tail);
        self.state.release(out);
    }

    /// For a stream that turns out to come as events.
    pub(crate) fn to_encoder(&self) -> ChunkEncoder {
        ChunkEncoder::with_head(self.state.wants_usage, self.state.fallback.clone())
    }

    pub(crate) fn head(&self) -> &Head {
        self.state.head()
    }
}

impl State {
    fn head(&self) -> &Head {
        self.head.as_ref().unwrap_or(&self.fallback)
    }

    fn frame(&mut self, frame: &SseFrame<'_>, out: &mut Vec<u8>) -> Result<(), StreamFault> {
        // Comments are the upstream's keepalives; the router has its own.
        let Some(data) = frame.data else { return Ok(()) };
        let text = data.trim_ascii();
        if self.done || text.is_empty() {
            return Ok(());
        }
        if text == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        if frame.event == Some(b"error") {
            return Err(fault(&String::from_utf8_lossy(data)));
        }
        let mut holds = false;
        if let Some(chunk) = read::<Length>(data)? {
            let usage = self.note(&chunk);
            let choices = chunk.choices.as_deref().unwrap_or_default();
            if usage && choices.is_empty() {
                if self.wants_usage {
                    self.release(out);
                    self.held = Some(Held::new(frame, data, choices));
                }
                return Ok(());
            }
            holds = self.wants_usage && usage && choices.iter().any(|one| one.stop().is_some());
            self.release(out);
            if holds {
                self.held = Some(Held::new(frame, data, choices));
            }
        }
        if !holds {
            write_raw(frame.raw, out);
        }
        Ok(())
    }

    /// Writes a held frame that is part of the answer.
    fn release(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take_if(|held| held.has_choices) {
            write_raw(&held.raw, out);
        }
    }

    /// Takes down what the chunk shows; tells whether it reports usage.
    fn note(&mut self, chunk: &Chunk<'_, Length>) -> bool {
        if self.head.is_none() {
            let or = |raw: Option<&serde_json::value::RawValue>, other: &str| {
                raw.map_or(other, |raw| raw.get()).to_owned()
            };
            self.head = Some(Head {
                id: or(chunk.id, &self.fallback.id),
                created: or(chunk.created, &self.fallback.created),
                model: or(chunk.model, &self.fallback.model),
            });
        }
        for choice in chunk.choices.as_deref().unwrap_or_default() {
            let index = choice.index.unwrap_or_default().0;
            let place = self.choices.iter().position(|seen| seen.index == index);
            let place = place.unwrap_or_else(|| {
                self.choices.push(Seen { index, finished: false });
                self.choices.len() - 1
            });
            self.choices[place].finished |= choice.stop().is_some();
            note_choice(choice, &mut self.observed);
        }
        self.service = chunk.service().or(self.service);
        let usage = chunk.usage();
        if let Some(usage) = usage {
            let service = usage.service.or(self.service);
            self.observed.usage(Usage { service, ..usage });
        }
        usage.is_some()
    }

    /// Clients loop on a stream without a finish reason: give one to each choice that has none.
    fn finish_choices(&mut self, out: &mut Vec<u8>) {
        let stop = if self.observed.tool_calls { StopReason::ToolCalls } else { StopReason::End };
        for seen in &self.choices {
            if !seen.finished {
                finish_chunk(self.head(), seen.index, stop, out);
            }
        }
    }
}

impl Held {
    fn new(frame: &SseFrame<'_>, data: &[u8], choices: &[Choice<Length>]) -> Self {
        let has_choices = !choices.is_empty();
        let raw = if has_choices { frame.raw.to_vec() } else { Vec::new() };
        Self { raw, data: data.to_vec(), has_choices }
    }
}

fn note_choice(choice: &Choice<Length>, observed: &mut Observed) {
    if let Some(delta) = choice.content() {
        let length = |text: Option<&Length>| text.map_or(0, |text| text.0);
        observed.output(
            length(delta.content.as_ref())
                + length(delta.thinking())
                + length(delta.refusal.as_ref()),
        );
        for call in delta.tool_calls.as_deref().unwrap_or_default() {
            let Some(function) = &call.function else { continue };
            observed.tool_call();
            observed.output(length(function.arguments.as_ref()));
        }
        if let Some(function) = &delta.function_call {
            observed.tool_call();
            observed.output(length(function.arguments.as_ref()));
        }
    }
    // The first choice speaks for the answer.
    if let Some(stop) = choice.stop().filter(|_| choice.index.unwrap_or_default().0 == 0) {
        observed.stop(stop);
    }
}

fn write_raw(raw: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(raw);
    out.extend_from_slice(b"\n\n");
}

fn with_proxy(data: &[u8], proxy: &Value, out: &mut Vec<u8>) -> bool {
    let Ok(mut body) = RawObject::parse(data) else { return false };
    body.set("_proxy", proxy.to_string());
    out.extend_from_slice(b"data: ");
    body.write(out);
    out.extend_from_slice(b"\n\n");
    true
}

fn finish_chunk(head: &Head, index: u64, stop: StopReason, out: &mut Vec<u8>) {
    let Head { id, created, model } = head;
    let reason = super::finish_reason(stop);
    let chunk = format!(
        "data: {{\"id\":{id},\"object\":\"chat.completion.chunk\",\"created\":{created},\"model\":{model},\
         \"choices\":[{{\"index\":{index},\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n"
    );
    out.extend_from_slice(chunk.as_bytes());
}

/// Reads what settlement needs from a whole answer without taking it apart.
pub(crate) fn observe_whole(body: &[u8]) -> Result<Observed, WireError> {
    let chunk = match read::<Length>(body) {
        Ok(Some(chunk)) => chunk,
        Ok(None) => {
            return Err(WireError::answer("the upstream's answer has another shape"));
        }
        Err(StreamFault::Error { message, status }) => {
            return Err(WireError::Answer { message, status });
        }
        Err(StreamFault::Broken(_)) => {
            return Err(WireError::answer("the upstream's answer is not JSON"));
        }
    };
    let Some(choices) = chunk.choices.as_deref().filter(|choices| !choices.is_empty()) else {
        return Err(WireError::answer("the upstream's answer has no choices"));
    };
    let mut observed = Observed::default();
    for choice in choices {
        note_choice(choice, &mut observed);
    }
    if let Some(usage) = chunk.usage() {
        observed.usage = Some(usage);
        observed.usage_complete = true;
    }
    Ok(observed)
}

#[cfg(test)]
mod tests;
