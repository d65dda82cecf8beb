//! What a human answered inside a program's report: replies to a tool that asked, words with which a
//! tool was refused or approved. Decides by the forms that clients give to them; which tool asked is
//! the caller's to say.

use std::borrow::Cow;

use serde_json::Value;

use crate::chat::Part;

use super::elements::{Grain, peel};
use super::wrappers::{FEEDBACK, REFUSALS, REFUSED_CALLS, REPLIES};

/// The human's reply inside the report of a tool that asked.
pub(super) fn reply(body: &str) -> Option<&str> {
    let (at, name) = REPLIES
        .iter()
        .filter_map(|name| body.find(&format!("<{name}>")).map(|at| (at, *name)))
        .min()?;
    let inner = body.get(at + name.len() + 2..)?;
    let end = inner.rfind(&format!("</{name}>"))?;
    inner.get(..end).map(str::trim).filter(|words| !words.is_empty())
}

/// The human's words when they refused a tool that does not ask: right after a line that says so,
/// and with nothing after them, since the output of tools holds anything.
pub(super) fn refused(body: &str) -> Option<&str> {
    let body = peel(body, Grain::Text);
    let at = body.find("<feedback>")?;
    let intro = body.get(..at)?;
    let says_so = intro.lines().count() <= 2
        && !intro.contains("Output:")
        && REFUSALS.iter().any(|word| intro.contains(word));
    (says_so && body.ends_with("</feedback>")).then(|| reply(body)).flatten()
}

/// A reply that stands in a part of its own, after at most one line of introduction.
pub(super) fn introduced(text: &str) -> Option<&str> {
    let at = REPLIES.iter().filter_map(|name| text.find(&format!("<{name}>"))).min()?;
    let intro = text.get(..at)?.trim();
    (intro.lines().count() <= 1).then(|| reply(text)).flatten()
}

/// A human's words in the result of a call that they refused (Claude Code, opencode) or approved
/// with a remark (Roo).
pub(super) fn remark(part: &Part) -> Option<Cow<'_, str>> {
    result_texts(part).find_map(|text| {
        feedback(text).map(Cow::Owned).or_else(|| refusal(text).map(Cow::Borrowed))
    })
}

/// A human's words in the result of a native tool that asked them (Cline, Roo).
pub(super) fn answer(part: &Part) -> Option<&str> {
    result_texts(part).find_map(reply)
}

fn result_texts(part: &Part) -> impl Iterator<Item = &str> {
    let content =
        if let Part::ToolResult { content, .. } = part { content.as_slice() } else { &[] };
    content.iter().filter_map(|inner| {
        if let Part::Text { text, .. } = inner { Some(text.as_str()) } else { None }
    })
}

fn refusal(text: &str) -> Option<&str> {
    let (_, mark) = REFUSED_CALLS.iter().find(|(head, _)| text.starts_with(head))?;
    let at = text.find(mark)? + mark.len();
    text.get(at..).map(str::trim).filter(|words| !words.is_empty())
}

/// The remark in `{"status":"denied","feedback":"..."}` that begins a text (Roo); output may follow.
pub(super) fn feedback(text: &str) -> Option<String> {
    if !FEEDBACK.iter().any(|head| text.starts_with(head)) {
        return None;
    }
    let first = serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()?;
    let words =
        first.as_object().filter(|fields| fields.len() == 2)?.get("feedback")?.as_str()?.trim();
    (!words.is_empty()).then(|| words.to_owned())
}
