//! Hands a streamed answer to the client in its own protocol and notes what settlement needs.

use serde_json::Value;

use super::openai::{self, ChunkEncoder, Tap};
use super::{Observed, anthropic, ollama};
use crate::chat::{ChatEvent, ChatRequest, Dialect, Usage};

/// Why a stream cannot go on. Frames written to `out` before the fault are good and go to the
/// client first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// The upstream sent an error event.
    #[error("{message}")]
    Error { message: String, status: Option<u16> },
    /// It ended early or cannot be understood.
    #[error("{0}")]
    Broken(String),
}

/// Takes canonical events as they are found.
pub(super) type Emit<'a> = dyn FnMut(ChatEvent) + 'a;

/// One streamed answer on its way from a provider to a client.
pub struct StreamRelay {
    lane: Lane,
}

enum Lane {
    /// Same protocol: frames pass as they came.
    Pass(Box<Tap>),
    Convert(Box<Convert>),
}

struct Convert {
    source: Source,
    encoder: ChunkEncoder,
    observed: Observed,
    /// Frames that came to light when the upstream closed.
    tail: Vec<u8>,
}

enum Source {
    OpenAi(openai::Decoder),
    Anthropic(anthropic::Decoder),
    Ollama(ollama::Decoder),
    /// Events come from [`StreamRelay::event`].
    Events,
}

impl StreamRelay {
    /// `from` is the provider's protocol (for events it does not matter); the client's is that of
    /// `request`, of which chat is the only one that streams are written in so far. `fallback_id`
    /// is the answer's id and `model_id` its model where the upstream names none.
    pub fn new(from: Dialect, request: &ChatRequest, fallback_id: &str, model_id: &str) -> Self {
        let usage = request.include_usage;
        if from == Dialect::OpenAi && request.origin.dialect == Dialect::OpenAi {
            return Self { lane: Lane::Pass(Box::new(Tap::new(usage, fallback_id, model_id))) };
        }
        let source = match from {
            Dialect::OpenAi | Dialect::Responses => Source::OpenAi(openai::Decoder::default()),
            Dialect::Anthropic => Source::Anthropic(anthropic::Decoder::default()),
            Dialect::Ollama => Source::Ollama(ollama::Decoder::default()),
        };
        let encoder = ChunkEncoder::new(usage, fallback_id, model_id);
        Self { lane: Lane::Convert(Box::new(Convert::new(source, encoder))) }
    }

    /// The moment that frames of our own making carry, in unix seconds (0 if never told).
    #[must_use]
    pub fn created_at(mut self, unix_seconds: i64) -> Self {
        match &mut self.lane {
            Lane::Pass(tap) => tap.created_at(unix_seconds),
            Lane::Convert(convert) => convert.encoder.created_at(unix_seconds),
        }
        self
    }

    /// Takes bytes off the upstream's wire, cut anywhere, and appends complete client frames.
    /// Terminal frames (usage, end marker) are held back until [`Self::finish`].
    ///
    /// # Errors
    /// The upstream reported an error or sent what cannot be read.
    pub fn bytes(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), StreamFault> {
        match &mut self.lane {
            Lane::Pass(tap) => tap.bytes(chunk, out),
            Lane::Convert(convert) => convert.bytes(chunk, out),
        }
    }

    /// Takes one canonical event (an engine without a wire form). After the first one the relay
    /// takes no bytes.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "events are handed over, encoders may keep them"
    )]
    pub fn event(&mut self, event: ChatEvent, out: &mut Vec<u8>) {
        if let Lane::Pass(tap) = &self.lane {
            let convert = Convert::new(Source::Events, tap.to_encoder());
            self.lane = Lane::Convert(Box::new(convert));
        }
        if let Lane::Convert(convert) = &mut self.lane {
            convert.source = Source::Events;
            convert.observed.event(&event);
            convert.encoder.event(&event, out);
        }
    }

    /// The upstream has closed.
    ///
    /// # Errors
    /// It ended before its answer did.
    pub fn end(&mut self) -> Result<(), StreamFault> {
        match &mut self.lane {
            Lane::Pass(tap) => tap.end(),
            Lane::Convert(convert) => convert.end(),
        }
    }

    /// The upstream has sent its end marker: nothing more is to come.
    pub fn is_over(&self) -> bool {
        match &self.lane {
            Lane::Pass(tap) => tap.is_over(),
            Lane::Convert(convert) => match &convert.source {
                Source::OpenAi(decoder) => decoder.is_over(),
                Source::Anthropic(decoder) => decoder.is_over(),
                Source::Ollama(decoder) => decoder.is_over(),
                Source::Events => false,
            },
        }
    }

    /// The answer has all its parts and a reason for its end, whatever becomes of the connection.
    pub fn is_complete(&self) -> bool {
        match &self.lane {
            Lane::Pass(tap) => tap.is_complete(),
            Lane::Convert(convert) => convert.observed.stop.is_some(),
        }
    }

    /// Usage for the client's usage chunk where the provider reported none. [`Self::observed`]
    /// stays without it.
    pub fn set_usage(&mut self, usage: Usage) {
        match &mut self.lane {
            Lane::Pass(tap) => tap.set_usage(usage),
            Lane::Convert(convert) => convert.encoder.set_usage(usage),
        }
    }

    /// Writes what ends a good stream: a finish reason if none came, the usage chunk with `_proxy`
    /// if the client asked for one (else `_proxy` in a comment line), the end marker.
    pub fn finish(&mut self, proxy: &Value, out: &mut Vec<u8>) {
        match &mut self.lane {
            Lane::Pass(tap) => tap.finish(proxy, out),
            Lane::Convert(convert) => {
                out.append(&mut convert.tail);
                convert.encoder.finish(proxy, out);
            }
        }
    }

    /// Writes `error` (`{"error":{..}}`) as the client's protocol has it; no end marker follows.
    pub fn fail(&mut self, error: &Value, out: &mut Vec<u8>) {
        match &mut self.lane {
            Lane::Pass(tap) => tap.flush(out),
            Lane::Convert(convert) => out.append(&mut convert.tail),
        }
        openai::error_event(error, out);
    }

    /// Writes a data event without content, which keeps idle timers from firing.
    pub fn keepalive(&self, out: &mut Vec<u8>) {
        let head = match &self.lane {
            Lane::Pass(tap) => tap.head(),
            Lane::Convert(convert) => convert.encoder.head(),
        };
        openai::keepalive(head, out);
    }

    pub fn observed(&self) -> &Observed {
        match &self.lane {
            Lane::Pass(tap) => tap.observed(),
            Lane::Convert(convert) => &convert.observed,
        }
    }
}

impl Convert {
    fn new(source: Source, encoder: ChunkEncoder) -> Self {
        Self { source, encoder, observed: Observed::default(), tail: Vec::new() }
    }

    fn bytes(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), StreamFault> {
        let Self { source, encoder, observed, .. } = self;
        let mut emit = |event: ChatEvent| {
            observed.event(&event);
            encoder.event(&event, out);
        };
        match source {
            Source::OpenAi(decoder) => decoder.bytes(chunk, &mut emit),
            Source::Anthropic(decoder) => decoder.bytes(chunk, &mut emit),
            Source::Ollama(decoder) => decoder.bytes(chunk, &mut emit),
            Source::Events => Err(StreamFault::Broken("bytes after events".to_owned())),
        }
    }

    fn end(&mut self) -> Result<(), StreamFault> {
        let Self { source, encoder, observed, tail } = self;
        let mut emit = |event: ChatEvent| {
            observed.event(&event);
            encoder.event(&event, tail);
        };
        match source {
            Source::OpenAi(decoder) => decoder.end(&mut emit)?,
            Source::Anthropic(decoder) => decoder.end(&mut emit)?,
            Source::Ollama(decoder) => decoder.end(&mut emit)?,
            Source::Events => {}
        }
        if observed.stop.is_none() {
            return Err(StreamFault::Broken("the upstream's stream ended early".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
