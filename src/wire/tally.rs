//! Counts what an answer shows, for [`Observed`].

use super::Observed;
use crate::chat::{ChatEvent, StopReason, Usage};

impl Observed {
    pub(super) fn output(&mut self, bytes: u64) {
        if bytes > 0 {
            self.output_bytes += bytes;
            self.any_output = true;
            self.usage_complete = false;
        }
    }

    pub(super) fn tool_call(&mut self) {
        self.tool_calls = true;
        self.any_output = true;
        self.usage_complete = false;
    }

    pub(super) fn usage(&mut self, usage: Usage) {
        self.usage = Some(usage);
        self.usage_complete = self.any_output || self.stop.is_some();
    }

    pub(super) fn stop(&mut self, reason: StopReason) {
        self.stop = Some(reason);
    }

    pub(super) fn event(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Text(text) | ChatEvent::Thinking(text) => self.output(text.len() as u64),
            ChatEvent::ToolArguments { delta, .. } => self.output(delta.len() as u64),
            ChatEvent::ToolCall { .. } => self.tool_call(),
            ChatEvent::Usage(usage) => self.usage(*usage),
            ChatEvent::Stop(reason) => self.stop(*reason),
            ChatEvent::Start { .. } | ChatEvent::ThinkingSignature(_) => {}
        }
    }
}
