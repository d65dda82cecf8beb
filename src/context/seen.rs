//! Which files of the project the client has sent itself, in tool results, open files, pasted text:
//! what it sent is not told again. It goes by lines, wherever they stand and whatever numbers the
//! client wrote before them, and it looks at no paths: clients write them in too many ways.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::{Project, Ranked, Shown};
use crate::delta::{ContentHash, ProjectPath};

/// Bytes of a request that are read, the newest texts first if the caller has them so.
const LONGEST_REQUEST: usize = 1 << 20;
/// Of candidates' texts.
const LONGEST_CONTENT: usize = 1 << 20;
/// A shorter line stands in many files.
const SHORTEST_LINE: usize = 6;
/// A longer one is cut by clients.
const LONGEST_LINE: usize = 500;
/// Lines that are tried before a file is read, and how many of them have to be there.
const PROBES: usize = 8;
const PROBES_THERE: usize = 6;
/// Hundredths of a file's lines that have to be there.
const ENOUGH: usize = 90;

/// Those of `candidates` whose present text stands in `texts` (the request's, without what was
/// injected), wholly or nearly so. `contents` holds the candidates' texts; a file without is passed over.
pub fn seen(
    project: &Project,
    texts: &[&str],
    candidates: &[Ranked],
    contents: &HashMap<ContentHash, Arc<str>>,
) -> BTreeMap<ProjectPath, Shown> {
    let mut found = BTreeMap::new();
    if candidates.is_empty() || contents.is_empty() {
        return found;
    }
    let sent = Sent::of(texts);
    let mut room = LONGEST_CONTENT;
    for candidate in candidates {
        let Some(file) = project.files.get(&candidate.path) else { continue };
        let Some(text) = contents.get(&file.hash) else { continue };
        if !sent.may_have(text) || text.len() > room {
            continue;
        }
        room -= text.len();
        if let Some(whole) = sent.has(text) {
            found.insert(candidate.path.clone(), Shown { hash: Some(file.hash), whole });
        }
    }
    found
}

/// The lines of a request.
struct Sent {
    lines: HashSet<u64, BuildHasherDefault<AsItIs>>,
}

impl Sent {
    fn of(texts: &[&str]) -> Self {
        let mut sent = Self { lines: HashSet::default() };
        let mut room = LONGEST_REQUEST;
        for text in texts {
            let text = &text[..text.floor_char_boundary(room)];
            room -= text.len();
            sent.lines.reserve(text.len() / 40);
            if escaped(text) {
                sent.take_escaped(text);
            } else {
                sent.take(text);
            }
        }
        sent
    }

    fn take(&mut self, text: &str) {
        for line in text.split('\n') {
            let bare = without_number(line);
            self.lines.extend(told_apart(bare).map(hash));
            // What looks like a number may be the line's own.
            if bare.len() < line.len() {
                self.lines.extend(told_apart(line).map(hash));
            }
        }
    }

    /// A tool's result that is JSON in a string.
    fn take_escaped(&mut self, text: &str) {
        let mut plain = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('n') => plain.push('\n'),
                    Some('t') => plain.push('\t'),
                    Some('r') | None => {}
                    Some(other) => plain.push(other),
                },
                // Where the string begins or ends.
                '"' => plain.push('\n'),
                c => plain.push(c),
            }
        }
        self.take(&plain);
    }

    fn knows(&self, line: &str) -> bool {
        self.lines.contains(&hash(line))
    }

    /// A few lines from all over the text: most files were not sent, and that shows at once.
    fn may_have(&self, text: &str) -> bool {
        let (mut tried, mut there) = (0, 0);
        for n in 0..PROBES {
            let at = text.floor_char_boundary(text.len() / PROBES * n);
            let mut lines = text[at..].split('\n').skip(usize::from(n > 0)).take(8);
            if let Some(line) = lines.find_map(told_apart) {
                tried += 1;
                there += usize::from(self.knows(line));
            }
        }
        tried > 0 && there * PROBES >= tried * PROBES_THERE
    }

    /// Whether the text was sent: `Some(true)` wholly, `Some(false)` nearly.
    fn has(&self, text: &str) -> Option<bool> {
        let (mut all, mut there) = (0, 0);
        for line in text.split('\n').filter_map(told_apart) {
            all += 1;
            there += usize::from(self.knows(line));
        }
        (all > 0 && there * 100 >= all * ENOUGH).then_some(there == all)
    }
}

/// A text that has its line ends written as `\n`.
fn escaped(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[', '"'])
        && text.matches("\\n").take(64).count() > text.matches('\n').take(64).count()
}

/// The line without the spaces around it, if it is one that tells files apart.
fn told_apart(line: &str) -> Option<&str> {
    let line = line.trim();
    let long = (SHORTEST_LINE..=LONGEST_LINE).contains(&line.len());
    let letters = || line.bytes().filter(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    (long && letters().take(3).count() == 3).then_some(line)
}

/// The line without the number that clients write before it: `   12→`, `12|`, `12 | `, `  12\t`,
/// `12: `.
fn without_number(line: &str) -> &str {
    let text = line.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 7 {
        return line;
    }
    let rest = &text[digits..];
    let bare = rest.trim_start_matches(' ');
    if let Some(rest) = rest.strip_prefix('\t').or_else(|| rest.strip_prefix(": ")) {
        return rest;
    }
    bare.strip_prefix('→').or_else(|| bare.strip_prefix('|')).unwrap_or(line)
}

/// Eight bytes at a time: a request has many lines, and nobody gains by making two of them alike.
fn hash(line: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = line.as_bytes().as_chunks::<8>();
    let mut hash =
        words.iter().fold(line.len() as u64, |hash, word| step(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = step(hash, u64::from_le_bytes(last));
    hash ^ hash >> 29
}

/// For numbers that are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests;
