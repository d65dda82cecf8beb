//! How many tokens, and what they can cost.

/// A prompt's length in tokens, without tokenizing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptTokens {
    /// Best guess.
    pub likely: u32,
    /// Counted high, so that a reservation holds.
    pub ceiling: u32,
}
