//! Finds the program's elements (`<name ...> ... </name>`) at the edges of a text. Decides where one
//! ends; which names are a program's stands in `wrappers`.

use super::wrappers::{ELEMENTS, Place};

/// Most elements that are peeled off one text: keeps the work linear whatever is sent.
const MOST_ELEMENTS: usize = 32;

/// Whether elements that fill their text from end to end are taken as one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// One of several parts: an element that begins and ends it is the whole of it, whatever
    /// closing tags stand inside.
    Part,
    /// The only text: words may stand between two elements of one name.
    Text,
}

/// The text without the program's elements before and after it.
pub(super) fn peel(text: &str, grain: Grain) -> &str {
    let mut rest = text.trim();
    for _ in 0..MOST_ELEMENTS {
        let before = rest.len();
        rest = without_leading(rest, grain).trim_start();
        rest = without_trailing(rest).trim_end();
        if rest.len() == before {
            break;
        }
    }
    rest
}

fn without_leading(text: &str, grain: Grain) -> &str {
    let Some(name) = opening(text) else { return text };
    let Some((_, place)) = ELEMENTS.iter().find(|(known, _)| *known == name) else { return text };
    match element_end(text, name, grain) {
        Some(end) if end == text.len() || *place != Place::Alone => text.get(end..).unwrap_or(""),
        Some(_) | None => text,
    }
}

fn without_trailing(text: &str) -> &str {
    let Some(name) =
        text.strip_suffix('>').and_then(|head| head.rfind("</").and_then(|at| head.get(at + 2..)))
    else {
        return text;
    };
    let Some((known, _)) =
        ELEMENTS.iter().find(|(known, place)| *known == name && *place == Place::Around)
    else {
        return text;
    };
    let starts = |at: usize| text.get(at + 1..).is_some_and(|tail| opening(tail) == Some(known));
    let reaches_end = |at: usize| {
        text.get(at + 1..)
            .is_some_and(|tail| element_end(tail, known, Grain::Text) == Some(tail.len()))
    };
    let first = text.match_indices("\n<").map(|(at, _)| at).find(|at| starts(*at));
    let last = text.rmatch_indices("\n<").map(|(at, _)| at).find(|at| starts(*at));
    let cut = first.filter(|at| reaches_end(*at)).or(last);
    cut.and_then(|at| text.get(..at)).unwrap_or(text)
}

/// The name of the tag that opens at the start of `text`.
pub(super) fn opening(text: &str) -> Option<&str> {
    let tail = text.strip_prefix('<')?;
    let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))?;
    let closes = matches!(tail.as_bytes().get(end), Some(b'>' | b' ' | b'\n' | b'\t'));
    (end > 0 && closes).then(|| tail.get(..end)).flatten()
}

/// Where the element ends that begins `text`; nested ones of the same name belong to it.
fn element_end(text: &str, name: &str, grain: Grain) -> Option<usize> {
    let mut depth = 0usize;
    let mut opened = 0usize;
    let mut end = None;
    for (at, _) in text.match_indices('<') {
        let Some(tag) = text.get(at..) else { continue };
        if closing(tag, name) {
            depth = depth.saturating_sub(1);
            if depth == 0 && end.is_none() {
                end = Some(at + name.len() + 3);
            }
        } else if opening(tag) == Some(name) {
            opened += 1;
            depth += 1;
        }
    }
    let fills = text.strip_suffix('>').and_then(|head| head.strip_suffix(name));
    if (opened == 1 || grain == Grain::Part) && fills.is_some_and(|head| head.ends_with("</")) {
        return Some(text.len());
    }
    end
}

fn closing(tag: &str, name: &str) -> bool {
    tag.strip_prefix("</")
        .and_then(|tail| tail.strip_prefix(name))
        .is_some_and(|tail| tail.starts_with('>'))
}
