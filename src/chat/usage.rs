//! Token counts in one normal form, whatever way the provider counts.

use crate::money::NanoUsd;

/// What one answer used, in tokens. The input fields do not overlap: their sum is the whole prompt.
/// (Anthropic's `input_tokens` excludes cached tokens, OpenAI's `prompt_tokens` includes them; the
/// codecs in `wire` bring both to this form.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub input: u64,
    pub cache_read: u64,
    /// Written to the provider's cache for its default lifetime.
    pub cache_write: u64,
    /// Written for one hour (Anthropic).
    pub cache_write_1h: u64,
    /// All generated tokens, reasoning included.
    pub output: u64,
    /// Of `output`, the tokens spent on reasoning.
    pub reasoning: u64,
    /// Of `input`, the tokens of audio.
    pub audio_input: u64,
    /// The provider's own figure for the cost, where it sends one (OpenRouter's `usage.cost`).
    pub reported_cost: Option<NanoUsd>,
}

impl Usage {
    /// The whole prompt in tokens, cached ones included.
    pub fn prompt_tokens(&self) -> u64 {
        self.input + self.cache_read + self.cache_write + self.cache_write_1h
    }
}
