//! What a client does to the human's very words: quotes around an argument, marks around what was
//! pasted. Decides where the words end and the marks begin; who spoke is `envelope`'s.

use std::borrow::Cow;

use super::wrappers::{PASTE_BEGINS, PASTE_ENDS};

/// The text without the double quotes that opencode and Kilo put around an argument, quotes inside
/// as they were typed. Quotes that open and close inside a sentence stay.
pub(super) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|tail| tail.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    let plain = inner
        .match_indices('"')
        .find(|(at, _)| *at == 0 || inner.as_bytes().get(at - 1) != Some(&b'\\'));
    let Some((at, _)) = plain else {
        return escaped(inner.trim());
    };
    let before = inner.get(..at).and_then(|head| head.chars().next_back());
    let wraps = before.is_none_or(|before| {
        before.is_whitespace() || matches!(before, '(' | '[' | '{' | '=' | ':' | ',')
    });
    Cow::Borrowed(if wraps { inner.trim() } else { text })
}

/// Only quotes are escaped, not backslashes.
fn escaped(inner: &str) -> Cow<'_, str> {
    if inner.contains("\\\"") {
        Cow::Owned(inner.replace("\\\"", "\""))
    } else {
        Cow::Borrowed(inner)
    }
}

/// The words without the lines by which Claude Code marks what was pasted; what stands between
/// them is the human's.
pub(super) fn without_paste_marks(words: Cow<'_, str>) -> Cow<'_, str> {
    if !words.contains(PASTE_BEGINS) {
        return words;
    }
    let is_mark = |line: &str| {
        let line = line.trim();
        line.ends_with("\">") && (line.starts_with(PASTE_BEGINS) || line.starts_with(PASTE_ENDS))
    };
    let kept: Vec<&str> = words.lines().filter(|line| !is_mark(line)).collect();
    Cow::Owned(kept.join("\n").trim().to_owned())
}
