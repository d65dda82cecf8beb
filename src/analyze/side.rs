//! Requests that a client makes on its own: titles, commit lines, topics, summaries, memory.
//! Recognised by what their system prompt or their last words ask for, as data. Nothing here
//! judges a human's words.

use crate::catalog::Tier;
use crate::chat::{ChatRequest, Message, Role};

use super::envelope::texts;

/// How much of a system prompt says what the request is for, in bytes.
const HEAD: usize = 360;
/// A longer last text is looked at only this far, in bytes.
const ASK: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    /// In the first words of a system prompt, in a request without tools.
    System,
    /// The last words begin with the first piece, in a request without tools.
    Begins,
    /// The last words begin with the first piece, whatever tools are offered.
    BeginsAnyway,
    /// In the last words, in a request without tools.
    Within,
    /// In the last words, whatever tools are offered.
    WithinAnyway,
}

/// All pieces (lower case) must be found.
struct Sign(Spot, &'static [&'static str], Tier);

const SIGNS: &[Sign] = &[
    // Titles, topics and names: one line.
    Sign(Spot::System, &["title generator"], Tier::Trivial),
    Sign(Spot::System, &["title", "for", "conversation"], Tier::Trivial),
    Sign(Spot::System, &["title", "for", "chat"], Tier::Trivial),
    Sign(Spot::System, &["title", "for", "session"], Tier::Trivial),
    Sign(Spot::System, &["isnewtopic"], Tier::Trivial),
    Sign(Spot::System, &["new conversation topic"], Tier::Trivial),
    Sign(Spot::System, &["commit message"], Tier::Trivial),
    Sign(Spot::System, &["branch name", "generat"], Tier::Trivial),
    Sign(Spot::System, &["title", "coding session"], Tier::Trivial),
    Sign(Spot::System, &["you are naming a coding session"], Tier::Trivial),
    Sign(Spot::Begins, &["make a title for this conversation"], Tier::Trivial),
    Sign(Spot::Begins, &["generate a title for this conversation"], Tier::Trivial),
    Sign(Spot::Begins, &["generate a concise, single-line task title"], Tier::Trivial),
    Sign(Spot::BeginsAnyway, &["[suggestion mode:"], Tier::Trivial),
    Sign(Spot::Begins, &["please write a 5-10 word title"], Tier::Trivial),
    Sign(Spot::Begins, &["summarize this coding conversation in under"], Tier::Trivial),
    Sign(Spot::Begins, &["generate a concise", "title for this conversation"], Tier::Trivial),
    Sign(Spot::Begins, &["provide a concise", "title for the conversation"], Tier::Trivial),
    Sign(Spot::Within, &["reply with a title for the chat"], Tier::Trivial),
    Sign(Spot::Begins, &["### task:", "<chat_history>"], Tier::Trivial),
    Sign(Spot::Begins, &["based on the provided git diff", "commit message"], Tier::Trivial),
    // Summaries and memory: a text.
    Sign(Spot::System, &["condens", "conversation"], Tier::Operational),
    Sign(Spot::System, &["summari", "conversation"], Tier::Operational),
    Sign(Spot::System, &["summari", "dialogue"], Tier::Operational),
    Sign(Spot::System, &["summari", "chat history"], Tier::Operational),
    Sign(Spot::System, &["shorten", "dialogue"], Tier::Operational),
    Sign(Spot::System, &["shorten", "conversation"], Tier::Operational),
    Sign(Spot::Begins, &["<conversation>"], Tier::Operational),
    Sign(Spot::Begins, &["here is the conversation so far", "<conversation>"], Tier::Operational),
    Sign(Spot::Begins, &["# user\n", "# assistant\n"], Tier::Operational),
    Sign(Spot::Begins, &["summarize the conversation so far"], Tier::Operational),
    Sign(Spot::Begins, &["generate a detailed summary of this conversation"], Tier::Operational),
    Sign(Spot::Within, &["state_snapshot"], Tier::Operational),
    Sign(Spot::Within, &["state snapshot"], Tier::Operational),
    Sign(Spot::BeginsAnyway, &["you are performing a context checkpoint"], Tier::Operational),
    Sign(Spot::BeginsAnyway, &["respond with text only"], Tier::Operational),
    Sign(Spot::BeginsAnyway, &["critical: respond with text only"], Tier::Operational),
    Sign(Spot::BeginsAnyway, &["your task is to create a detailed summary"], Tier::Operational),
    Sign(Spot::BeginsAnyway, &["managed memory has two directories"], Tier::Operational),
    Sign(Spot::WithinAnyway, &["managed memory directory"], Tier::Operational),
];

/// The tier of a request that no human typed; `None` if somebody did.
pub(super) fn side_request(request: &ChatRequest) -> Option<Tier> {
    let asks = last_texts(request);
    let asks: Vec<String> = asks.iter().map(|text| lowered(text, ASK)).collect();
    // Claude Code probes its quota with one word and one token.
    if request.max_output_tokens == Some(1)
        && asks.len() == 1
        && asks.iter().all(|ask| ask == "quota")
    {
        return Some(Tier::Trivial);
    }
    let heads: Vec<String> = if request.tools.is_empty() { heads(request) } else { Vec::new() };
    let bare = request.tools.is_empty();
    SIGNS
        .iter()
        .find(|Sign(spot, pieces, _)| match spot {
            Spot::System => heads.iter().any(|head| holds(head, pieces)),
            Spot::Begins => bare && asks.iter().any(|ask| begins(ask, pieces)),
            Spot::BeginsAnyway => asks.iter().any(|ask| begins(ask, pieces)),
            Spot::Within => bare && asks.iter().any(|ask| holds(ask, pieces)),
            Spot::WithinAnyway => asks.iter().any(|ask| holds(ask, pieces)),
        })
        .map(|Sign(_, _, tier)| *tier)
}

fn holds(text: &str, pieces: &[&str]) -> bool {
    pieces.iter().all(|piece| text.contains(piece))
}

fn begins(text: &str, pieces: &[&str]) -> bool {
    pieces.first().is_some_and(|first| text.starts_with(first)) && holds(text, pieces)
}

/// The texts of the user messages that end the request; system messages after them do not count.
fn last_texts(request: &ChatRequest) -> Vec<&str> {
    let is_late_system =
        |message: &&Message| matches!(message.role, Role::System | Role::Developer);
    request
        .messages
        .iter()
        .rev()
        .skip_while(is_late_system)
        .take_while(|message| matches!(message.role, Role::User))
        .take(3)
        .flat_map(texts)
        .map(str::trim)
        .filter(|text| !text.starts_with("<system-reminder>"))
        .collect()
}

fn heads(request: &ChatRequest) -> Vec<String> {
    request
        .messages
        .iter()
        .take_while(|message| matches!(message.role, Role::System | Role::Developer))
        .flat_map(texts)
        .map(|text| lowered(text, HEAD))
        .collect()
}

/// The first `most` bytes in lower case.
fn lowered(text: &str, most: usize) -> String {
    let text = text.trim();
    text.get(..text.floor_char_boundary(most)).unwrap_or(text).to_lowercase()
}
