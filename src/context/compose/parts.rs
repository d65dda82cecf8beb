//! Which lines of a long file a request is about: where it defines or uses what the instruction
//! names, else where the instruction's words are thickest, else its beginning.

use std::ops::Range;

use crate::context::mentions::each_symbol;
use crate::context::symbols::{defined, is_name};
use crate::context::words::{Space, Term, each_word, says_nothing, term};

/// Of a longer text only the beginning is looked through.
const LONGEST_TEXT: usize = 256 * 1024;
/// Lines around one that matters.
const AROUND: usize = 6;
/// A definition is shown up to so many lines, with so many lines of what is said of it before.
const DEFINITION: usize = 60;
const BEFORE: usize = 8;
/// The beginning of a file that has nothing of the kind.
const BEGINNING: usize = 40;
/// Places that are looked at.
const MOST: usize = 24;

const DEFINES: u32 = 100;
const USES: u32 = 10;

/// Ranges of lines, counted from 0, that matter, the weightiest first. They may overlap.
pub(super) fn matter(lines: &[&str], instruction: &str) -> Vec<Range<usize>> {
    let instruction = &instruction[..instruction.floor_char_boundary(LONGEST_TEXT)];
    let asked = Asked::of(instruction);
    let mut found: Vec<(u32, usize)> = Vec::new();
    let mut read = 0;
    for (at, line) in lines.iter().enumerate() {
        read += line.len();
        if read > LONGEST_TEXT {
            break;
        }
        let score = asked.score(line);
        if score > 1 {
            found.push((score, at));
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    // Beside a place that is meant, one that only shares a word says nothing.
    let best = found.first().map_or(0, |(score, _)| *score);
    let least = if best < USES { best / 2 + 1 } else { best / 10 };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (score, at) in found.into_iter().filter(|(score, _)| *score >= least) {
        if ranges.iter().any(|range| range.contains(&at)) {
            continue;
        }
        ranges.push(if score >= DEFINES { definition(lines, at) } else { around(lines, at) });
        if ranges.len() >= MOST {
            break;
        }
    }
    if ranges.is_empty() {
        ranges.push(0..lines.len().min(BEGINNING));
    }
    ranges
}

/// Overlapping and neighbouring ranges as one, in the order of the lines.
pub(super) fn merged(ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end + 2 => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

struct Asked {
    symbols: Vec<Term>,
    words: Vec<Term>,
}

impl Asked {
    fn of(instruction: &str) -> Self {
        let mut asked = Self { symbols: Vec::new(), words: Vec::new() };
        each_symbol(instruction, |name| asked.symbols.push(term(Space::Symbol, name)));
        each_word(instruction, |word| {
            if !says_nothing(word) {
                asked.words.push(term(Space::Word, word));
            }
        });
        for terms in [&mut asked.symbols, &mut asked.words] {
            terms.sort_unstable();
            terms.dedup();
        }
        asked
    }

    fn score(&self, line: &str) -> u32 {
        let mut score = 0;
        if let Some(name) = defined(line) {
            if self.symbols.binary_search(&term(Space::Symbol, name)).is_ok() {
                return DEFINES;
            }
            score += self.words_in(name);
        }
        if !self.symbols.is_empty() {
            let names = line.split(|c: char| !is_name(c));
            let named = names
                .filter(|name| name.len() > 2)
                .any(|name| self.symbols.binary_search(&term(Space::Symbol, name)).is_ok());
            score += if named { USES } else { 0 };
        }
        score + self.words_in(line)
    }

    /// How many different words of the instruction stand there.
    fn words_in(&self, text: &str) -> u32 {
        let mut found: Vec<Term> = Vec::new();
        each_word(text, |word| {
            let term = term(Space::Word, word);
            if self.words.binary_search(&term).is_ok() && !found.contains(&term) {
                found.push(term);
            }
        });
        u32::try_from(found.len()).unwrap_or(u32::MAX)
    }
}

fn around(lines: &[&str], at: usize) -> Range<usize> {
    at.saturating_sub(AROUND)..lines.len().min(at + AROUND + 1)
}

/// The lines of a definition, by their indentation, with what is said of it right before.
fn definition(lines: &[&str], at: usize) -> Range<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = lines.get(at).map_or(0, |line| indent(line));
    let said = |line: &&&str| {
        let line = line.trim_start();
        ["//", "#", "/*", "*", "@", "\"\"\""].iter().any(|mark| line.starts_with(mark))
    };
    let before = lines[..at].iter().rev().take(BEFORE).take_while(said).count();
    let inside = |line: &&&str| line.trim().is_empty() || indent(line) > own;
    let body = lines[at + 1..].iter().take(DEFINITION).take_while(inside).count();
    // The line that closes it.
    at - before..lines.len().min(at + body + 2)
}
