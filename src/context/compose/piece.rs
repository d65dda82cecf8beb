//! What is written of one file: its change, its text, or parts of it.

use std::ops::Range;

use super::Wanted;
use super::parts;
use super::plan::{Item, What};
use crate::context::fence::{Altered, Sign, content, header, remark};
use crate::context::{FileEntry, Shown};
use crate::delta::{ContentHash, ProjectPath, unified};

/// A diff longer than this share of the text (in hundredths) says less than the text.
const LONGEST_DIFF: usize = 60;
/// Texts above this are compared only if they have most lines in common.
const LONG: usize = 64 * 1024;
/// Steps that a comparison may take, about.
const MOST_STEPS: usize = 20_000_000;
/// The part of the budget that a file has which nobody asked for.
const UNASKED: u32 = 6;
/// Tokens that parts of a file are worth showing from.
const LEAST_PARTS: u32 = 120;

/// What is written of a file, and what is known by it.
pub(super) struct Piece<'a> {
    pub(super) item: Item<'a>,
    pub(super) text: String,
    pub(super) tokens: u32,
    pub(super) shown: Vec<(ProjectPath, Shown)>,
    /// Lines added and removed, where a diff is written.
    pub(super) lines: Option<(usize, usize)>,
    pub(super) only_spacing: bool,
}

/// What is written of `item` in at most `room` tokens; `None` if nothing can be.
pub(super) fn piece<'a>(wanted: &Wanted<'a>, item: Item<'a>, room: u32) -> Option<Piece<'a>> {
    let path = item.path.as_str();
    match item.what {
        What::Deleted => {
            let text = header(path, "deleted", Altered::default());
            let gone = Shown { hash: None, whole: true };
            Some(made(wanted, item, text, vec![(item.path.clone(), gone)]))
        }
        What::Renamed { from, hash, whole } => {
            let text = header(path, &format!("renamed from {from}, unchanged"), Altered::default());
            let known = vec![
                (from.clone(), Shown { hash: None, whole: true }),
                (item.path.clone(), Shown { hash: Some(hash), whole }),
            ];
            Some(made(wanted, item, text, known))
        }
        What::Changed { base, file } => {
            change(wanted, item, base, file).or_else(|| text(wanted, item, file, room))
        }
        What::New { file, .. } => text(wanted, item, file, room),
    }
    .filter(|piece| piece.tokens <= room)
}

fn made<'a>(
    wanted: &Wanted<'a>,
    item: Item<'a>,
    text: String,
    shown: Vec<(ProjectPath, Shown)>,
) -> Piece<'a> {
    let tokens = (wanted.count)(&text);
    Piece { item, text, tokens, shown, lines: None, only_spacing: false }
}

fn of_file(item: Item<'_>, hash: ContentHash, whole: bool) -> Vec<(ProjectPath, Shown)> {
    vec![(item.path.clone(), Shown { hash: Some(hash), whole })]
}

/// The net change from what was seen; `None` if the text itself says it better.
fn change<'a>(
    wanted: &Wanted<'a>,
    item: Item<'a>,
    base: ContentHash,
    file: &FileEntry,
) -> Option<Piece<'a>> {
    let (old, new) = (wanted.texts.get(&base)?, wanted.texts.get(&file.hash)?);
    if costly(old, new) {
        return None;
    }
    let diff = unified(old, new);
    if diff.len() * 100 > new.len().max(200) * LONGEST_DIFF {
        return None;
    }
    let mut altered = Altered::default();
    let (mut body, mut added, mut removed) = (String::new(), 0, 0);
    for line in diff.split_inclusive('\n') {
        let sign = match line.as_bytes().first() {
            Some(b'+') => Sign::Added,
            Some(b'-') => Sign::Removed,
            Some(b' ') => Sign::Same,
            Some(b'@') => {
                body.push_str(line);
                continue;
            }
            _ => {
                body.push_str(&remark("no line end at the end of the file"));
                continue;
            }
        };
        added += usize::from(sign == Sign::Added);
        removed += usize::from(sign == Sign::Removed);
        let done = content(&mut body, sign, line.get(1..).unwrap_or_default());
        altered.escaped |= done.escaped;
        altered.crlf |= done.crlf;
    }
    let head = header(item.path.as_str(), &format!("modified, +{added} -{removed}"), altered);
    let whole = wanted.shown.get(item.path).is_some_and(|seen| seen.whole);
    let mut piece = made(wanted, item, head + &body, of_file(item, file.hash, whole));
    piece.lines = Some((added, removed));
    piece.only_spacing = without_spaces(old).eq(without_spaces(new));
    Some(piece)
}

fn without_spaces(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(|byte| !byte.is_ascii_whitespace())
}

/// Whether a comparison would take longer than a request should wait.
fn costly(old: &str, new: &str) -> bool {
    if old.len() < LONG && new.len() < LONG {
        return false;
    }
    let mut lines: Vec<&str> = old.lines().collect();
    lines.sort_unstable();
    let (mut all, mut shared) = (lines.len(), 0);
    for line in new.lines() {
        all += 1;
        shared += usize::from(lines.binary_search(&line).is_ok());
    }
    all.saturating_mul(all.saturating_sub(2 * shared)) > MOST_STEPS
}

/// The text whole, or the parts that matter if it is too long.
fn text<'a>(wanted: &Wanted<'a>, item: Item<'a>, file: &FileEntry, room: u32) -> Option<Piece<'a>> {
    let text = wanted.texts.get(&file.hash)?;
    let what = match item.what {
        What::Changed { .. } => "modified, whole",
        What::New { .. } | What::Deleted | What::Renamed { .. } => "whole",
    };
    // No tokenizer makes tokens of more than a few dozen bytes on average.
    let hopeless = text.len() / 16 > room as usize;
    let most = if item.asked { room } else { room.min(wanted.budget_tokens / UNASKED) };
    if !hopeless {
        let (mut body, mut lines) = (String::with_capacity(text.len() + 64), 0);
        let mut altered = Altered::default();
        for line in text.split_inclusive('\n') {
            let done = content(&mut body, Sign::Same, line);
            altered.escaped |= done.escaped;
            altered.crlf |= done.crlf;
            lines += 1;
        }
        let head = header(item.path.as_str(), &format!("{what}, {lines} lines"), altered);
        let piece = made(wanted, item, head + &body, of_file(item, file.hash, true));
        if piece.tokens <= most {
            return Some(piece);
        }
    }
    match item.what {
        What::New { again: true, .. } => None,
        What::New { .. } | What::Changed { .. } | What::Deleted | What::Renamed { .. } => {
            in_parts(wanted, item, (file.hash, text), most)
        }
    }
}

fn in_parts<'a>(
    wanted: &Wanted<'a>,
    item: Item<'a>,
    (hash, text): (ContentHash, &str),
    room: u32,
) -> Option<Piece<'a>> {
    // Half the room: one long file is not all that a request is about.
    let room = room.min(wanted.budget_tokens / 2);
    if room < LEAST_PARTS {
        return None;
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut ranges = parts::matter(&lines, wanted.instruction);
    // A first guess, so that little is written in vain.
    let mut bytes = 0;
    let fit = ranges.iter().take_while(|range| {
        bytes += lines[range.start..range.end].iter().map(|line| line.len()).sum::<usize>();
        bytes <= room as usize * 5
    });
    let fit = fit.count().max(1);
    ranges.truncate(fit);
    while !ranges.is_empty() {
        let text = written_parts(item.path, &lines, &parts::merged(&ranges));
        let piece = made(wanted, item, text, of_file(item, hash, false));
        if piece.tokens <= room {
            return Some(piece);
        }
        ranges.pop();
    }
    None
}

fn written_parts(path: &ProjectPath, lines: &[&str], ranges: &[Range<usize>]) -> String {
    let (mut body, mut altered) = (String::new(), Altered::default());
    let mut places = String::new();
    for range in ranges {
        let place = format!("{}-{}", range.start + 1, range.end);
        body.push_str(&remark(&format!("lines {place} of {}", lines.len())));
        places.push_str(if places.is_empty() { "" } else { ", " });
        places.push_str(&place);
        for line in &lines[range.start..range.end] {
            let done = content(&mut body, Sign::Same, line);
            altered.escaped |= done.escaped;
            altered.crlf |= done.crlf;
        }
    }
    header(path.as_str(), &format!("in part, lines {places} of {}", lines.len()), altered) + &body
}
