//! Does the agent run in a circle? Three tool rounds in a row that are the same calls with the
//! same results, or that fail, or three complaints of the client about the answer's form, say that
//! the model in charge is not up to the task; so does a client that gives up and asks the human.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::chat::{Message, Part, Role, ToolCall};

use super::envelope::{Client, Voice, notice, texts, voice, without_rules};
use super::wrappers::{FAILED_EXIT, FAILURE_BEGINS, NO_ERROR, Notice, TROUBLE};

/// Rounds in a row that make a loop.
const LOOP: usize = 3;
/// Of a long result this much is searched for words of failure, in bytes.
const SEARCHED: usize = 2_000;

const EXIT: &str = "exit code: 1";
const FAILURES: &[&str] =
    &["error", "fail", "not found", "no such", "denied", "exception", "panicked", EXIT];

/// What one answer of the model led to, its parallel calls taken together: equal values mean the
/// same calls with the same outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Round {
    calls: u64,
    outcome: u64,
    failed: bool,
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
                    run.close();
                    calls.insert(call.id.as_str(), call);
                }
                Part::ToolResult { call_id, content, is_error } => {
                    let call = calls.get(call_id.as_str()).copied();
                    run.join(native_round(call, content, *is_error));
                }
                Part::Text { .. }
                | Part::Image(_)
                | Part::Thinking { .. }
                | Part::RedactedThinking { .. }
                | Part::Other { .. } => {}
            }
        }
        if message.role == Role::User && voice(message, client) == Voice::Report {
            run.close();
            run.join(reported_round(message, client));
        }
    }
    run.close();
    run.longest >= LOOP
}

/// Whether the client stopped the agent after several mistakes and asked the human for guidance.
pub(super) fn has_given_up(messages: &[Message]) -> bool {
    let users = messages.iter().filter(|message| message.role == Role::User);
    users.flat_map(texts).any(|text| text.trim_start().starts_with(TROUBLE))
}

#[derive(Default)]
struct Run {
    /// The round whose results are being read.
    open: Option<Round>,
    last: Option<Round>,
    length: usize,
    longest: usize,
}

impl Run {
    /// Adds one result to the open round. Parallel calls have failed when all of them have.
    fn join(&mut self, one: Round) {
        self.open = Some(match self.open {
            None => one,
            Some(open) => Round {
                calls: hash(&(open.calls, one.calls)),
                outcome: hash(&(open.outcome, one.outcome)),
                failed: open.failed && one.failed,
            },
        });
    }

    fn close(&mut self) {
        let Some(round) = self.open.take() else { return };
        let continues = self.last.is_some_and(|last| {
            (last.calls == round.calls && last.outcome == round.outcome)
                || (last.failed && round.failed)
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
    let signs = found.iter().map(|text| Signs::of(text)).fold(Signs::default(), Signs::or);
    Round {
        calls: hash(&call.map(|call| (call.name.as_str(), call.arguments.as_str()))),
        outcome: outcome(&found, is_error || signs.mentions_failure),
        failed: is_error || signs.failed,
    }
}

/// A round that a client without native tools reports as text.
fn reported_round(message: &Message, client: Client) -> Round {
    let found: Vec<&str> = texts(message)
        .map(|text| without_rules(text.trim(), client))
        .filter(|text| !text.starts_with('<') && notice(text, client) != Some(Notice::Program))
        .collect();
    let body = |text: &str| text.find("] Result:").map_or(text.len(), |at| at + "] Result:".len());
    let signs = found.iter().map(|text| Signs {
        mentions_failure: Signs::of(text).mentions_failure,
        failed: notice(text, client) == Some(Notice::Complaint)
            || Signs::of(text.get(body(text)..).unwrap_or("")).failed,
    });
    let signs = signs.fold(Signs::default(), Signs::or);
    Round {
        calls: hash(&found.first().and_then(|text| text.lines().next())),
        outcome: outcome(&found, signs.mentions_failure),
        failed: signs.failed,
    }
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

/// What the words of a result say of its success.
#[derive(Clone, Copy, Default)]
struct Signs {
    mentions_failure: bool,
    /// Its first words say so, or an exit code beside words of failure; a search that finds nothing
    /// has an exit code too.
    failed: bool,
}

impl Signs {
    fn of(text: &str) -> Self {
        let text = ends_of(text.trim_start());
        let mentions_failure = FAILURES.iter().any(|word| text.contains(word));
        if !mentions_failure && !FAILURE_BEGINS.iter().any(|first| text.starts_with(first)) {
            return Self::default();
        }
        let text = text.replace(NO_ERROR, "");
        let exit = |tail: &str| tail.trim_start().starts_with(|c| matches!(c, '1'..='9'));
        let says = || FAILURES.iter().any(|word| *word != EXIT && text.contains(word));
        let failed = FAILURE_BEGINS.iter().any(|first| text.starts_with(first))
            || (FAILED_EXIT.iter().any(|mark| text.split(mark).skip(1).any(exit)) && says());
        Self { mentions_failure, failed }
    }

    fn or(self, other: Self) -> Self {
        Self {
            mentions_failure: self.mentions_failure || other.mentions_failure,
            failed: self.failed || other.failed,
        }
    }
}

/// The beginning and the end of a text, in lower case.
fn ends_of(text: &str) -> String {
    if text.len() <= SEARCHED {
        return text.to_ascii_lowercase();
    }
    let half = SEARCHED / 2;
    let begins = text.get(..text.floor_char_boundary(half)).unwrap_or(text);
    let ends = text.get(text.ceil_char_boundary(text.len() - half)..).unwrap_or("");
    format!("{begins}\n{ends}").to_ascii_lowercase()
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
