//! Takes one message out of its client's envelope: what of it did a human say? Decides by the
//! markers of `wrappers` and by place only; it knows nothing of other messages.

use std::borrow::Cow;

use crate::chat::{Message, Part};

use super::elements::{Grain, opening, peel};
use super::quoting::{unquote, without_paste_marks};
use super::replies::{feedback, introduced, refused, remark, reply};
use super::wrappers::{
    AIDER_NOTICES, APPENDED_RULES, ASKING_TOOLS, ATTACHMENT_BEGINS, ATTACHMENT_ENDS, ELEMENTS,
    FAILED_EDITS, FORM_HEADS, FORM_QUESTION, LANGUAGE_RULE, LOCAL_COMMANDS, MODE_NOTICE,
    MORE_RULES, NOTICES, Notice, READ_FILE, RULES_GO_ON, SPOKEN, TROUBLE,
};

/// Who speaks in a message of role `user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Voice<'a> {
    /// The human's words, one piece per part.
    Human(Vec<Cow<'a, str>>),
    /// An account of what was said before, made by the program.
    Summary(&'a str),
    /// The program's report on an answer: tool output as text, a complaint.
    Report,
    /// Anything else that the program made.
    Program,
}

/// Whose envelope it is, where that changes the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// aider has no tools: its own words come as a human's, its rules are appended to theirs.
    Aider,
    Other,
}

/// Reads one message; role and neighbours are the caller's business.
pub(super) fn voice(message: &Message, client: Client) -> Voice<'_> {
    let texts: Vec<&str> = texts(message).collect();
    let grain = if texts.len() > 1 { Grain::Part } else { Grain::Text };
    let mut reading = Reading::of(client);
    for (at, text) in texts.iter().enumerate() {
        let next = texts.get(at + 1).map_or("", |next| next.trim_start());
        reading.part(text.trim(), next, grain);
    }
    let remark = message.parts.iter().find_map(remark);
    reading.finish(remark)
}

/// Whether the human's words in a message set an agent right in the middle of its task: they refused
/// a tool call with a remark, or the client asked them for guidance after several mistakes.
pub(super) fn corrects(message: &Message) -> bool {
    let refuses = |text: &str| {
        tool_report(text)
            .is_some_and(|(tool, body)| !ASKING_TOOLS.contains(&tool) && refused(body).is_some())
    };
    texts(message).map(str::trim).any(|text| text.starts_with(TROUBLE) || refuses(text))
        || message.parts.iter().any(|part| remark(part).is_some())
}

/// The texts that stand directly in a message.
pub(super) fn texts(message: &Message) -> impl Iterator<Item = &str> {
    message.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.as_str()),
        Part::Image(_)
        | Part::ToolCall(_)
        | Part::ToolResult { .. }
        | Part::Thinking { .. }
        | Part::RedactedThinking { .. }
        | Part::Other { .. } => None,
    })
}

struct Reading<'a> {
    client: Client,
    /// Words inside an element made for them: certain.
    taken: Vec<Cow<'a, str>>,
    /// Texts that no rule claimed.
    loose: Vec<Cow<'a, str>>,
    /// Whole fenced blocks that name a file: attachments if anything else was said.
    blocks: Vec<Cow<'a, str>>,
    summary: Option<&'a str>,
    /// The message reports on tools: loose texts in it are output.
    report: bool,
    /// The last tool reported on asks the human.
    asked: bool,
    /// Between the lines that enclose attached files.
    attachment: bool,
    local_command: bool,
    filler: Option<&'a str>,
}

impl<'a> Reading<'a> {
    fn of(client: Client) -> Self {
        Self {
            client,
            taken: Vec::new(),
            loose: Vec::new(),
            blocks: Vec::new(),
            summary: None,
            report: false,
            asked: false,
            attachment: false,
            local_command: false,
            filler: None,
        }
    }

    fn part(&mut self, text: &'a str, next: &str, grain: Grain) {
        if self.attachment || ATTACHMENT_BEGINS.iter().any(|mark| text.starts_with(mark)) {
            self.attachment = !text.starts_with(ATTACHMENT_ENDS);
            return;
        }
        self.local_command |= LOCAL_COMMANDS.iter().any(|mark| text.starts_with(mark));
        let rest = peel(text, grain);
        if rest.is_empty() || (grain == Grain::Part && is_read_file(rest)) {
            return;
        }
        match notice(rest, self.client) {
            Some(Notice::Program) => {}
            Some(Notice::Complaint) => self.report = true,
            Some(Notice::Summary) => self.summary = Some(rest),
            Some(Notice::Resumption) => {
                self.report = true;
                self.asked = true;
                self.taken.extend(reply(rest).map(Cow::Borrowed));
            }
            Some(Notice::Filler) => self.filler = Some(rest),
            None => self.unclaimed(rest, next),
        }
    }

    fn unclaimed(&mut self, text: &'a str, next: &str) {
        if let Some((tool, body)) = tool_report(text) {
            self.report = true;
            self.asked = ASKING_TOOLS.contains(&tool);
            let words = if self.asked { reply(body) } else { refused(body) };
            self.taken.extend(words.map(Cow::Borrowed));
            self.taken.extend(feedback(body).map(Cow::Owned));
        } else if let Some(words) = spoken(text) {
            self.taken.push(Cow::Borrowed(words));
        } else if let Some(words) = feedback(text) {
            self.taken.push(Cow::Owned(words));
        } else if text.starts_with(TROUBLE) {
            self.report = true;
            self.taken.extend(reply(text).map(Cow::Borrowed));
        } else if self.report {
            if self.asked {
                self.taken.extend(introduced(text).map(Cow::Borrowed));
            }
        } else if !introduces_attachment(text, next) {
            let words = unquote(form(without_rules(text, self.client)));
            if is_file_block(&words) {
                self.blocks.push(words);
            } else if !words.is_empty() {
                self.loose.push(words);
            }
        }
    }

    fn finish(mut self, remark: Option<Cow<'a, str>>) -> Voice<'a> {
        self.taken.extend(remark);
        if let Some(filler) = self.filler
            && !self.local_command
            && self.summary.is_none()
        {
            self.loose.push(Cow::Borrowed(filler));
        }
        let words = if !self.taken.is_empty() {
            self.taken
        } else if self.report {
            Vec::new()
        } else if self.loose.is_empty() {
            self.blocks
        } else {
            self.loose
        };
        match self.summary {
            _ if !words.is_empty() => {
                Voice::Human(words.into_iter().map(without_paste_marks).collect())
            }
            Some(summary) => Voice::Summary(summary),
            None if self.report => Voice::Report,
            None => Voice::Program,
        }
    }
}

/// What the text is, by its first words.
pub(super) fn notice(text: &str, client: Client) -> Option<Notice> {
    let head = text.get(..text.floor_char_boundary(300)).unwrap_or(text);
    let find = |table: &[(&str, &str, Notice)]| {
        let known = |(first, also, _): &&(&str, &str, Notice)| {
            head.strip_prefix(first).is_some_and(|rest| rest.contains(also))
        };
        table.iter().find(known).map(|(_, _, kind)| *kind)
    };
    let failed_edit = || {
        let line = head.strip_prefix("# ")?.lines().next()?;
        FAILED_EDITS.iter().any(|piece| line.contains(piece)).then_some(Notice::Complaint)
    };
    match client {
        Client::Other => find(NOTICES),
        Client::Aider => find(NOTICES).or_else(|| find(AIDER_NOTICES)).or_else(failed_edit),
    }
}

/// The words inside an element made for them that begins `text`.
fn spoken(text: &str) -> Option<&str> {
    let name = opening(text)?;
    if !SPOKEN.contains(&name) {
        return None;
    }
    let start = text.find('>')? + 1;
    let body = text.get(start..)?;
    let close = format!("</{name}>");
    let mut ends = body.match_indices(close.as_str()).map(|(at, _)| at);
    // A closing tag inside the words is followed by more of them, the real one by nothing or by
    // the program's own parts.
    let end = ends.find(|at| {
        let after = body.get(at + close.len()..).unwrap_or("").trim_start();
        after.is_empty() || after.starts_with("# ") || opening(after).is_some_and(is_element)
    });
    let end = end.or_else(|| body.find(close.as_str()))?;
    let words = body.get(..end)?.trim();
    let words = if words.starts_with(MODE_NOTICE) { peel(words, Grain::Text) } else { words };
    (!words.is_empty()).then_some(words)
}

fn is_element(name: &str) -> bool {
    ELEMENTS.iter().any(|(known, _)| *known == name)
}

/// The tool and the output of `[tool_name for 'argument'] Result: ...` (Cline 2, Roo).
fn tool_report(text: &str) -> Option<(&str, &str)> {
    let tail = text.strip_prefix('[')?;
    let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))?;
    let after = tail.get(end..)?;
    if end == 0 || !(after.starts_with("] Result") || after.starts_with(" for ")) {
        return None;
    }
    let at = after.find("] Result:")?;
    Some((tail.get(..end)?, after.get(at + "] Result:".len()..)?.trim()))
}

/// The text before the edit rules that aider appends.
pub(super) fn without_rules(text: &str, client: Client) -> &str {
    let starts_line = |at: &usize| {
        (*at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n'))
            && !text.get(*at..).is_some_and(|tail| tail.starts_with(RULES_GO_ON))
    };
    let more = if client == Client::Aider { MORE_RULES } else { &[] };
    let cut = APPENDED_RULES
        .iter()
        .chain(more)
        .filter_map(|mark| text.rmatch_indices(mark).map(|(at, _)| at).find(starts_line))
        .min();
    let words = cut.and_then(|at| text.get(..at)).unwrap_or(text).trim();
    if client == Client::Aider { without_language_rule(words) } else { words }
}

/// The text without the line that aider adds where the terminal's language is known.
fn without_language_rule(text: &str) -> &str {
    let Some((words, last)) = text.rsplit_once("\n\n") else { return text };
    let language = last.strip_prefix(LANGUAGE_RULE).and_then(|tail| tail.strip_suffix('.'));
    let one = language.is_some_and(|name| name.len() <= 40 && !name.contains(['\n', '.']));
    if one { words.trim_end() } else { text }
}

/// The question at the end of a form that an editor filled in.
fn form(text: &str) -> &str {
    if !FORM_HEADS.iter().any(|head| text.starts_with(head)) {
        return text;
    }
    let question = text
        .rmatch_indices(FORM_QUESTION)
        .find(|(at, _)| *at > 0 && text.as_bytes().get(at - 1) == Some(&b'\n'))
        .and_then(|(at, _)| text.get(at..))
        .and_then(|tail| tail.split_once('\n'));
    question.map_or("", |(_, words)| words.trim())
}

/// A single line that ends in a colon before a part that is wholly an attached file.
fn introduces_attachment(text: &str, next: &str) -> bool {
    text.ends_with(':')
        && !text.contains('\n')
        && opening(next)
            .is_some_and(|name| name == "file" || name == "file_content" || name == "path")
}

/// What opencode and Kilo read for an attached file.
fn is_read_file(text: &str) -> bool {
    let (first, second) = READ_FILE;
    let head = text.get(..text.floor_char_boundary(4_200)).unwrap_or(text);
    head.strip_prefix(first).is_some_and(|tail| tail.contains(second))
}

/// A fenced block whose first line names a file, and nothing else (Continue's form of a mention).
fn is_file_block(text: &str) -> bool {
    let Some(tail) = text.strip_prefix("```") else { return false };
    let info = tail.lines().next().unwrap_or("");
    info.contains(['/', '.', '\\'])
        && tail.strip_suffix("```").is_some_and(|body| !body.contains("\n```"))
}

#[cfg(test)]
mod tests;
