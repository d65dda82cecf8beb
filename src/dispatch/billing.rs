//! What a call without a usable answer has probably cost. Pure: no ledger, no provider.
//!
//! Nobody reports the usage of a call that was left or broke, so this is a guess, made as providers
//! are known to bill (looked up in November 2026):
//!
//! - An error status, an error in the place of an answer, a connection that was refused or that the
//!   provider closed before it sent anything: nothing. Answers are billed, not failures.
//! - A stream that was left before its first byte: the prompt. Gateways that measured it found input
//!   tokens billed as soon as a request is taken, and output up to the moment when it is cancelled
//!   (truefoundry.com/docs/ai-gateway/stream-disconnect-cost-accounting). OpenRouter waives it
//!   (openrouter.ai/docs, "Zero completion insurance"), "even if the underlying provider charges for
//!   prompt processing"; it is charged here all the same, since too much counted is safer.
//! - A whole answer that was left while the provider wrote it: the prompt and an answer of the usual
//!   length. Providers do not notice, or finish it all the same (openrouter.ai/docs, "Streaming":
//!   cancellation stops billing for streams only).
//! - A success whose body cannot be used: the prompt and what came of the body.

use crate::chat::Usage;
use crate::providers::Billed;

/// Bytes of text to a token, where a provider reports no usage.
pub const BYTES_PER_TOKEN: u64 = 4;

/// What is known of a call before it is made. Tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The best guess of the prompt.
    pub prompt: u32,
    /// The usual length of an answer to such work.
    pub answer: u32,
    /// The cap that was sent with the call.
    pub cap: u32,
    pub stream: bool,
}

/// The tokens that a failed call was probably billed for; `None`: it was not billed.
pub fn probable_usage(billed: Billed, expected: Expectation) -> Option<Usage> {
    let output = match billed {
        Billed::Nothing => return None,
        Billed::AtWork if expected.stream => 0,
        Billed::AtWork => u64::from(expected.answer),
        Billed::Bytes(bytes) => bytes.div_ceil(BYTES_PER_TOKEN),
    };
    let output = output.min(u64::from(expected.cap));
    Some(Usage { input: u64::from(expected.prompt), output, ..Usage::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const EXPECTED: Expectation = Expectation { prompt: 100, answer: 900, cap: 500, stream: false };

    #[rstest]
    #[case::refused(Billed::Nothing, false, None)]
    #[case::refused_stream(Billed::Nothing, true, None)]
    #[case::left_while_it_wrote(Billed::AtWork, false, Some(500))]
    #[case::left_before_a_stream_began(Billed::AtWork, true, Some(0))]
    #[case::broken_off(Billed::Bytes(401), false, Some(101))]
    #[case::more_than_could_come(Billed::Bytes(1_000_000), true, Some(500))]
    fn what_is_billed_is_the_prompt_and_what_was_written(
        #[case] billed: Billed,
        #[case] stream: bool,
        #[case] output: Option<u64>,
    ) {
        let usage = probable_usage(billed, Expectation { stream, ..EXPECTED });
        let expected = output.map(|output| Usage { input: 100, output, ..Usage::default() });
        assert_eq!(usage, expected);
    }
}
