//! Hands a streamed answer to the client in its own protocol and notes what settlement needs.

use serde_json::Value;

use super::Observed;
use crate::chat::{ChatEvent, ChatRequest, Dialect, Usage};

/// Why a stream cannot go on. Frames written to `out` before the fault are good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// The upstream sent an error event.
    #[error("{message}")]
    Error { message: String, status: Option<u16> },
    /// It ended early or cannot be understood.
    #[error("{0}")]
    Broken(String),
}

/// One streamed answer on its way from a provider to a client.
pub struct StreamRelay {
    observed: Observed,
}

impl StreamRelay {
    /// `from` is the provider's protocol; the client's is that of `request`. `fallback_id` is the
    /// answer's id and `model_id` its model where the upstream names none.
    pub fn new(from: Dialect, request: &ChatRequest, fallback_id: &str, model_id: &str) -> Self {
        let _ = (from, request, fallback_id, model_id);
        Self { observed: Observed::default() }
    }

    /// The moment that frames of our own making carry, in unix seconds (0 if never told).
    #[must_use]
    pub fn created_at(self, unix_seconds: i64) -> Self {
        let _ = unix_seconds;
        self
    }

    /// Takes bytes off the upstream's wire, cut anywhere, and appends complete client frames.
    /// Terminal frames (usage, end marker) are held back until [`Self::finish`].
    ///
    /// # Errors
    /// The upstream reported an error or sent what cannot be read.
    pub fn bytes(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), StreamFault> {
        let _ = (chunk, out);
        Ok(())
    }

    /// Takes one canonical event (an engine without a wire form).
    pub fn event(&mut self, event: ChatEvent, out: &mut Vec<u8>) {
        let _ = (event, out);
    }

    /// The upstream has closed.
    ///
    /// # Errors
    /// It ended before its answer did.
    pub fn end(&mut self) -> Result<(), StreamFault> {
        Ok(())
    }

    /// Usage for the client's usage chunk where the provider reported none. [`Self::observed`]
    /// stays without it.
    pub fn set_usage(&mut self, usage: Usage) {
        let _ = usage;
    }

    /// Writes what ends a good stream: a finish reason if none came, the usage chunk with `_proxy`
    /// if the client asked for one (else `_proxy` in a comment line), the end marker.
    pub fn finish(&mut self, proxy: &Value, out: &mut Vec<u8>) {
        let _ = (proxy, out);
    }

    /// Writes `error` (`{"error":{..}}`) as the client's protocol has it; no end marker follows.
    pub fn fail(&mut self, error: &Value, out: &mut Vec<u8>) {
        let _ = (error, out);
    }

    /// Writes a data event without content, which keeps idle timers from firing.
    pub fn keepalive(&self, out: &mut Vec<u8>) {
        let _ = out;
    }

    pub fn observed(&self) -> &Observed {
        &self.observed
    }
}
