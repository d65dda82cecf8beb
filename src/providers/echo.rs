//! Takes out of a provider's error message what it repeats of the request: messages end up in the
//! log, in the ledger and in the answer's list of attempts, and prompts belong in none of them.

use std::collections::HashMap;

use crate::chat::{ChatRequest, Part};

/// A run of so many equal bytes is a quotation; shorter ones are chance.
const RUN: usize = 24;
/// Texts of a request are compared at every so many bytes.
const STRIDE: usize = 8;
/// A text that is this short may stand in a message by chance.
const SHORTEST: usize = 8;
const MASK: &str = "[...]";

/// `message` without what stands in a text of `request`, too.
pub(super) fn without_echo(message: &str, request: &ChatRequest) -> String {
    let mut quoted = vec![false; message.len()];
    let windows: HashMap<&[u8], usize> =
        message.as_bytes().windows(RUN).enumerate().map(|(at, window)| (window, at)).collect();
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        mark_part(part, (message, &windows), &mut quoted);
    }
    masked(message, &quoted)
}

type Said<'a> = (&'a str, &'a HashMap<&'a [u8], usize>);

fn mark_part(part: &Part, said: Said<'_>, quoted: &mut [bool]) {
    match part {
        Part::Text { text, .. } | Part::Thinking { text, .. } => mark(text, said, quoted),
        Part::ToolCall(call) => mark(&call.arguments, said, quoted),
        Part::ToolResult { content, .. } => {
            content.iter().for_each(|inner| mark_part(inner, said, quoted));
        }
        Part::Image(_) | Part::RedactedThinking { .. } | Part::Other { .. } => {}
    }
}

fn mark(text: &str, (message, windows): Said<'_>, quoted: &mut [bool]) {
    let text = text.trim();
    if text.len() < RUN + STRIDE {
        if text.len() >= SHORTEST {
            for (at, found) in message.match_indices(text) {
                quoted[at..at + found.len()].fill(true);
            }
        }
        return;
    }
    let (text, message) = (text.as_bytes(), message.as_bytes());
    for (step, window) in text.windows(RUN).enumerate().step_by(STRIDE) {
        let Some(&at) = windows.get(window) else { continue };
        let before = text[..step].iter().rev().zip(message[..at].iter().rev());
        let before = before.take_while(|(one, other)| one == other).count();
        let after = text[step..].iter().zip(&message[at..]);
        let after = after.take_while(|(one, other)| one == other).count();
        quoted[at - before..at + after].fill(true);
    }
}

fn masked(message: &str, quoted: &[bool]) -> String {
    let mut out = String::with_capacity(message.len());
    let mut inside = false;
    for (at, letter) in message.char_indices() {
        if !quoted[at] {
            out.push(letter);
        } else if !inside {
            out.push_str(MASK);
        }
        inside = quoted[at];
    }
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rstest::rstest;

    use super::*;
    use crate::chat::Dialect;

    fn request(text: &str) -> ChatRequest {
        let body = serde_json::json!({"messages": [{"role": "user", "content": text}]});
        crate::wire::decode_request(Dialect::OpenAi, Bytes::from(body.to_string())).unwrap()
    }

    const LONG: &str =
        "please find the größte bug in the parser of our billing service, it crashes";

    #[rstest]
    #[case("server overloaded", "hi", "server overloaded")]
    #[case("cannot do `my secret plan`", "my secret plan", "cannot do `[...]`")]
    #[case("the model is overloaded", "is", "the model is overloaded")]
    #[case("flagged: the größte bug in the parser of our b...", LONG, "flagged:[...]...")]
    #[case(LONG, LONG, "[...]")]
    #[case("größte", LONG, "größte")]
    fn what_a_message_repeats_of_the_request_is_masked(
        #[case] message: &str,
        #[case] prompt: &str,
        #[case] shown: &str,
    ) {
        assert_eq!(without_echo(message, &request(prompt)), shown);
    }

    proptest::proptest! {
        #[test]
        fn any_message_and_any_prompt_are_taken(message in ".{0,200}", prompt in ".{0,200}") {
            let _ = without_echo(&message, &request(&prompt));
        }

        #[test]
        fn a_quoted_prompt_is_never_shown(prompt in "[a-zé ]{32,80}", before in "[A-Z]{0,9}") {
            let message = format!("{before}: {prompt}!");
            let shown = without_echo(&message, &request(&prompt));
            proptest::prop_assert!(!shown.contains(prompt.trim()));
        }
    }
}
