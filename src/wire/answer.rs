//! Whole answers: read from a provider, written for a client.

use bytes::Bytes;
use serde_json::Value;

use super::{Observed, WireError};
use crate::chat::{ChatEvent, Dialect, Usage};

/// What the router itself puts round an answer.
#[derive(Clone, Debug)]
pub struct AnswerShell {
    /// Used where the upstream named none.
    pub id: String,
    /// The model name that the client asked for (the chosen id where it asked for `auto`).
    pub model_name: String,
    /// Unix seconds.
    pub created: i64,
}

/// One whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    observed: Observed,
}

impl Answer {
    /// Reads a provider's answer; with the same protocol on both sides its bytes are kept.
    ///
    /// # Errors
    /// [`WireError::Answer`] if it is an error object or not an answer at all.
    pub fn read(from: Dialect, to: Dialect, body: Bytes) -> Result<Self, WireError> {
        let _ = (from, to, body);
        Ok(Self { observed: Observed::default() })
    }

    /// Puts a streamed answer together.
    pub fn from_events(events: Vec<ChatEvent>) -> Self {
        let _ = events;
        Self { observed: Observed::default() }
    }

    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Usage for the client where the provider reported none. [`Self::observed`] stays without it.
    pub fn set_usage(&mut self, usage: Usage) {
        let _ = usage;
    }

    /// The body for the client. Same protocol: the bytes as they came, with `model` replaced in
    /// place and `_proxy` appended.
    pub fn write(&self, to: Dialect, shell: &AnswerShell, proxy: &Value) -> Bytes {
        let _ = (to, shell, proxy);
        Bytes::new()
    }
}
