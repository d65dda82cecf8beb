//! Does the agent run in a circle? Three tool rounds in a row that are the same call with the
//! same result, or failures of one tool, say that the model in charge is not up to the task.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::chat::{Message, Part, Role, ToolCall};

use super::envelope::{Client, Voice, notice, texts, voice, without_rules};
use super::wrappers::Notice;

/// Rounds in a row that make a loop.
const LOOP: usize = 3;
/// Of a long result this much is searched for words of failure, in bytes.
const SEARCHED: usize = 2_000;

const FAILURES: &[&str] =
    &["error", "fail", "not found", "no such", "denied", "exception", "panicked", "exit code: 1"];

/// One tool round: equal values mean the same call with the same outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Round {
    call: u64,
    tool: u64,
    outcome: u64,
    flagged: bool,
}

/// Whether the messages after an instruction hold a loop, also an earlier one: a task that once
/// needed a stronger model keeps it.
pub(super) fn runs_in_circles(messages: &[Message], client: Client) -> bool {
    let mut calls: HashMap<&str, &ToolCall> = HashMap::new();
    let mut run = Run::default();
    for message in messages {
        for part in &message.parts {
            match part {
                Part::ToolCall(call) => {
                    calls.insert(call.id.as_str(), call);
                }
                Part::ToolResult { call_id, content, is_error } => {
                    let call = calls.get(call_id.as_str()).copied();
                    run.add(native_round(call, content, *is_error));
                }
                Part::Text { .. }
                | Part::Image(_)
                | Part::Thinking { .. }
                | Part::RedactedThinking { .. }
                | Part::Other { .. } => {}
            }
        }
        if message.role == Role::User && voice(message, client) == Voice::Report {
            run.add(reported_round(message, client));
        }
        if run.longest >= LOOP {
            return true;
        }
    }
    false
}

#[derive(Default)]
struct Run {
    last: Option<Round>,
    length: usize,
    longest: usize,
}

impl Run {
    fn add(&mut self, round: Round) {
        let continues = self.last.is_some_and(|last| {
            (last.call == round.call && last.outcome == round.outcome)
                || (last.tool == round.tool && last.flagged && round.flagged)
        });
        self.length = if continues { self.length + 1 } else { 1 };
        self.longest = self.longest.max(self.length);
        self.last = Some(round);
    }
}

fn native_round(call: Option<&ToolCall>, content: &[Part], is_error: bool) -> Round {
    let found: Vec<&str> = content
        .iter()
        .filter_map(
            |part| if let Part::Text { text, .. } = part { Some(text.as_str()) } else { None },
        )
        .collect();
    let name = call.map(|call| call.name.as_str());
    Round {
        call: hash(&(name, call.map(|call| call.arguments.as_str()))),
        tool: hash(&name),
        outcome: outcome(&found, is_error || found.iter().any(|text| failed(text))),
        flagged: is_error,
    }
}

/// A round that a client without native tools reports as text.
fn reported_round(message: &Message, client: Client) -> Round {
    let found: Vec<&str> = texts(message)
        .map(|text| without_rules(text.trim(), client))
        .filter(|text| !text.starts_with('<') && notice(text, client) != Some(Notice::Program))
        .collect();
    let call = hash(&found.first().and_then(|text| text.lines().next()));
    let outcome = outcome(&found, found.iter().any(|text| failed(text)));
    Round { call, tool: call, outcome, flagged: false }
}

/// Digits do not count in a failure: times, durations and counters differ from run to run.
fn outcome(texts: &[&str], failure: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    for text in texts {
        if failure {
            for piece in text.split(|c: char| c.is_ascii_digit()).filter(|piece| !piece.is_empty())
            {
                hasher.write(piece.as_bytes());
            }
        } else {
            hasher.write(text.as_bytes());
        }
        hasher.write_u8(0);
    }
    hasher.finish()
}

fn failed(text: &str) -> bool {
    let head = text.get(..text.floor_char_boundary(SEARCHED)).unwrap_or(text).to_ascii_lowercase();
    FAILURES.iter().any(|word| head.contains(word))
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
