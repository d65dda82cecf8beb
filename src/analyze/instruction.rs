//! Finds the human's current instruction in a whole request: which message is theirs, what it
//! continues, whether the client asks on its own, whether the agent runs in circles. Decides by
//! place and markers (`envelope`, `side`, `rounds`, `followup`); it does not judge difficulty.

use std::borrow::Cow;

use crate::catalog::Tier;
use crate::chat::{ChatRequest, Message, Part, Role};

use super::envelope::{Client, Voice, corrects, notice, texts, voice, without_rules};
use super::followup::{Bearing, Before, bearing};
use super::replies::answer;
use super::rounds::{has_given_up, runs_in_circles};
use super::side::side_request;
use super::wrappers::{
    AIDER_BREAK, AIDER_CANNED, AIDER_FILES, AIDER_SIGNS, APPENDED_RULES, ASKING_TOOLS, SHORTENED,
    SHORTENED_GOALS,
};

/// A chain of follow-ups is followed no further than this.
const LONGEST_CHAIN: usize = 16;
/// As many complaints of the human in a row about one task say that the model is not up to it.
const COMPLAINTS: usize = 3;
/// aider's canned replies are short.
const CANNED_REPLY: usize = 160;

/// What the human wants now, as far as the request shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// The human's current words without any wrapper, as they stand on the wire; empty for a side
    /// request and where nobody said anything.
    pub text: String,
    /// The client sent this on its own, and this is the tier of such work.
    pub side: Option<Tier>,
    /// Earlier texts of the human that `text` leans on, newest first. The last one stands on its
    /// own: its tier is what the follow-up inherits. Empty if `text` can be judged alone.
    pub continues: Vec<String>,
    /// Nothing but thanks or praise that ask for nothing.
    pub closing: bool,
    /// Since the task was given the agent has run in circles, or its client or the human has
    /// complained about it.
    pub escalate: bool,
    /// How many texts of the human the request holds, the current one counted.
    pub turn: u32,
    /// Index of the message that `text` stands in, where it is known to be the human's.
    pub at: Option<usize>,
}

/// One text of the human in a request.
struct Saying<'a> {
    /// Index of its message.
    at: usize,
    pieces: Vec<Cow<'a, str>>,
}

impl Saying<'_> {
    fn text(&self) -> String {
        self.pieces.join("\n")
    }

    fn all(&self, holds: impl Fn(&str) -> bool) -> bool {
        self.pieces.iter().all(|piece| holds(piece))
    }
}

/// Finds the human's current instruction. Never fails: where no human text can be told apart, the
/// newest text of the role `user` is taken, wrappers and all.
pub fn find_instruction(request: &ChatRequest) -> Instruction {
    if let Some(tier) = side_request(request) {
        return Instruction { side: Some(tier), ..Instruction::default() };
    }
    let client = client(&request.messages);
    let sayings = sayings(&request.messages, client);
    let turn = u32::try_from(sayings.len()).unwrap_or(u32::MAX);
    let Some(current) = sayings.last() else {
        let text = without_human(&request.messages, client).to_owned();
        return Instruction { text, turn: 1, ..Instruction::default() };
    };
    let Chain { found: chain, complaints } = chain(&sayings, &request.messages);
    let since = chain.last().map_or(current.at, |base| base.at);
    let task = request.messages.get(since..).unwrap_or_default();
    let rounds = task.get(1..).unwrap_or_default();
    let before = reply_before(&request.messages, current.at);
    Instruction {
        text: current.text(),
        side: None,
        continues: chain.iter().map(|saying| saying.text()).collect(),
        closing: current.all(|piece| bearing(piece, before) == Bearing::Closes),
        escalate: complaints >= COMPLAINTS || has_given_up(task) || runs_in_circles(rounds, client),
        turn,
        at: Some(current.at),
    }
}

/// What a human says in one message of the role `user`, told by that message alone: the same words in
/// every request that holds the message, whatever the client has put around them by then.
pub fn human_words(message: &Message) -> Option<String> {
    if message.role != Role::User {
        return None;
    }
    match voice(message, Client::Other) {
        Voice::Human(pieces) => Some(pieces.join("\n")),
        Voice::Summary(_) | Voice::Report | Voice::Program => None,
    }
}

/// The human's first words in the request: with the system prompt they name the conversation.
pub fn first_human_text(request: &ChatRequest) -> Option<String> {
    sayings(&request.messages, client(&request.messages)).first().map(Saying::text)
}

#[derive(Default)]
struct Chain<'s, 'a> {
    /// The sayings that the last one leans on, newest first; ends with one that stands alone.
    found: Vec<&'s Saying<'a>>,
    /// How many of those that lean say that what was done is not right.
    complaints: usize,
}

fn chain<'s, 'a>(sayings: &'s [Saying<'a>], messages: &[Message]) -> Chain<'s, 'a> {
    let mut chain = Chain::default();
    for pair in sayings.windows(2).rev().take(LONGEST_CHAIN) {
        let [earlier, later] = pair else { break };
        let before = reply_before(messages, later.at);
        let complains = |piece: &str| bearing(piece, before) == Bearing::Complains;
        let leans = |piece: &str| complains(piece) || bearing(piece, before) == Bearing::Leans;
        if !later.all(leans) && !messages.get(later.at).is_some_and(corrects) {
            break;
        }
        chain.complaints += usize::from(later.all(complains));
        chain.found.push(earlier);
    }
    chain
}

/// Whether the assistant's last words before message `at` ask something.
fn reply_before(messages: &[Message], at: usize) -> Before {
    let reply = messages
        .get(..at)
        .unwrap_or_default()
        .iter()
        .rev()
        .find(|message| message.role == Role::Assistant && texts(message).next().is_some());
    let asks = reply.and_then(|message| texts(message).last()).is_some_and(|text| {
        let from = text.ceil_char_boundary(text.len().saturating_sub(400));
        text.get(from..).is_some_and(|end| end.contains(['?', '？', '؟']))
    });
    if asks { Before::Question } else { Before::Statement }
}

/// Every text of the human in order; what a program wrote in their name is left out.
fn sayings(messages: &[Message], client: Client) -> Vec<Saying<'_>> {
    let mut found: Vec<Saying<'_>> = Vec::new();
    let question = shortened(messages);
    let mut asking: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        asking.extend(message.parts.iter().filter_map(asking_call));
        if !matches!(message.role, Role::User | Role::Tool) || question == Some(at) {
            continue;
        }
        if client == Client::Aider
            && let Some(canned) = canned(messages, at)
        {
            if canned == Canned::EndOfExamples {
                found.clear();
            }
            continue;
        }
        if let Voice::Human(pieces) = voice(message, client) {
            found.push(Saying { at, pieces });
        } else if let Some(words) = message.parts.iter().find_map(|part| answer_to(&asking, part)) {
            found.push(Saying { at, pieces: vec![Cow::Borrowed(words)] });
        }
    }
    found
}

/// The id of a call by which the assistant asks the human.
fn asking_call(part: &Part) -> Option<&str> {
    let Part::ToolCall(call) = part else { return None };
    ASKING_TOOLS.contains(&call.name.as_str()).then_some(call.id.as_str())
}

fn answer_to<'a>(asking: &[&str], part: &'a Part) -> Option<&'a str> {
    let Part::ToolResult { call_id, .. } = part else { return None };
    if asking.contains(&call_id.as_str()) { answer(part) } else { None }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Canned {
    /// What stood before were worked examples about other code.
    EndOfExamples,
    /// Files or the repository map.
    Files,
}

/// Tells aider by its system prompt, its files or the rules that it appends.
fn client(messages: &[Message]) -> Client {
    let holds = |text: &str, signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    let system = messages.iter().take_while(|message| message.role != Role::User);
    let mut users = messages.iter().filter(|message| message.role == Role::User);
    let last = users.clone().next_back();
    let aider = system.flat_map(texts).any(|text| holds(text, AIDER_SIGNS))
        || last.into_iter().flat_map(texts).any(|text| holds(text, APPENDED_RULES))
        || users.any(|message| {
            texts(message).any(|text| AIDER_FILES.iter().any(|head| text.starts_with(head)))
        });
    if aider { Client::Aider } else { Client::Other }
}

/// A message of aider's own: it is answered by a canned "Ok" and speaks of files.
fn canned(messages: &[Message], at: usize) -> Option<Canned> {
    let reply = messages.get(at + 1).filter(|reply| reply.role == Role::Assistant)?;
    let reply = texts(reply).next()?.trim();
    if reply.len() > CANNED_REPLY || !reply.starts_with("Ok") {
        return None;
    }
    let text = messages.get(at).and_then(|message| texts(message).next())?;
    let head = text.get(..text.floor_char_boundary(300)).unwrap_or(text);
    if AIDER_BREAK.iter().any(|sign| head.contains(sign)) {
        return Some(Canned::EndOfExamples);
    }
    let files = reply == "Ok." || AIDER_CANNED.iter().any(|sign| head.contains(sign));
    files.then_some(Canned::Files)
}

/// The best text when every message is a program's: the newest words of the human that a summary
/// quotes, else the newest text of the role `user`.
fn without_human(messages: &[Message], client: Client) -> &str {
    let mut users = messages.iter().rev().filter(|message| message.role == Role::User);
    let quoted = users.clone().find_map(|message| match voice(message, client) {
        Voice::Summary(summary) => newest_quotation(summary),
        Voice::Human(_) | Voice::Report | Voice::Program => None,
    });
    let texts_of_users = || users.find_map(|message| texts(message).last());
    if let Some(goal) = shortened(messages).and_then(|at| goal(messages.get(at + 1)?)) {
        return goal;
    }
    let text = quoted.or_else(texts_of_users).unwrap_or("").trim();
    if notice(text, client).is_some() { text } else { without_rules(text, client) }
}

/// The index of the program's question that begins a shortened history. A human who asks the same
/// gets no answer under headings.
fn shortened(messages: &[Message]) -> Option<usize> {
    let at = messages.iter().position(|message| message.role == Role::User)?;
    let asks = texts(messages.get(at)?).next()?.trim() == SHORTENED;
    (asks && goal(messages.get(at + 1)?).is_some()).then_some(at)
}

/// What the human wants after a summary by headings.
fn goal(summary: &Message) -> Option<&str> {
    let text = texts(summary).next()?;
    let section = |head: &&str| text.split_once(head).map(|(_, tail)| tail);
    let tail = SHORTENED_GOALS.iter().find_map(section)?;
    let body = tail.split("\n#").next().unwrap_or(tail).trim();
    let words = body.trim_start_matches(['-', '*']).trim();
    (!words.is_empty()).then_some(words)
}

/// The last line of a summary that is a list item wholly in double quotes.
fn newest_quotation(summary: &str) -> Option<&str> {
    summary.lines().rev().find_map(|line| {
        let item = line.trim().strip_prefix(['-', '*', '•'])?.trim();
        let words = item.strip_prefix('"')?.strip_suffix('"')?.trim();
        (!words.is_empty()).then_some(words)
    })
}

#[cfg(test)]
mod tests;
