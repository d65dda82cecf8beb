//! Words, symbols, names and imports of a project's files, and which files have them. It decides what
//! is near; it knows neither a request nor what a file says, only what it says it with.
//!
//! Files lie in segments that never change. A new text is a segment of its own, and segments of like
//! size are merged, so that taking in a file costs little, a search looks into few of them, and a
//! clone shares them all. What was replaced is marked as gone until a merge leaves it out.

mod links;
mod search;
mod segment;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use self::segment::{Doc, Segment};
use super::imports::{self, Import};
use super::symbols;
use super::words::{Space, Term, each_word, term};
use crate::delta::ProjectPath;

/// Of a longer text only the beginning counts.
const LONGEST_TEXT: usize = 256 * 1024;
/// Imports of one file that are kept.
const MOST_IMPORTS: usize = 64;
/// A symbol's words count as often as this.
const SYMBOL_WEIGHT: u32 = 3;

/// What a search for files looks into. A clone is cheap: both share what neither changes.
#[derive(Clone, Debug, Default)]
pub struct Index {
    slots: Vec<Slot>,
    /// The present text of each file, by the number that it was given.
    numbers: HashMap<ProjectPath, u32>,
    next: u32,
    /// Kept until a file comes or goes.
    tree: Arc<OnceLock<Tree>>,
}

/// The directories of a project, as they are told of.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) directories: Vec<Directory>,
    /// Estimated, of all files when the tree was made.
    pub(super) tokens: u64,
}

/// A directory and what is below it, as far as that is not told of itself.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// With a `/` at its end; empty for the root.
    pub(super) name: Box<str>,
    pub(super) files: usize,
    /// Of some files right in it.
    pub(super) names: Vec<Box<str>>,
}

/// A segment, and which of its texts are gone.
#[derive(Clone, Debug)]
struct Slot {
    segment: Arc<Segment>,
    dead: Vec<bool>,
    gone: usize,
}

impl Slot {
    fn new(segment: Segment) -> Self {
        let dead = vec![false; segment.len()];
        Self { segment: Arc::new(segment), dead, gone: 0 }
    }

    fn alive(&self) -> usize {
        self.dead.len() - self.gone
    }
}

impl Index {
    /// Takes a file in, in place of an earlier text of it.
    pub fn insert(&mut self, path: &ProjectPath, text: &str) {
        if !self.forget(path) {
            self.tree = Arc::default();
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.numbers.insert(path.clone(), number);
        let (doc, words, terms) = read(path, text, number);
        self.slots.push(Slot::new(Segment::of(doc, words, terms)));
        while let [.., older, newer] = &*self.slots
            && older.alive() <= newer.alive()
        {
            let merged =
                Segment::merged((&older.segment, &older.dead), (&newer.segment, &newer.dead));
            self.slots.truncate(self.slots.len() - 2);
            self.slots.push(Slot::new(merged));
        }
    }

    /// Forgets a file.
    pub fn remove(&mut self, path: &ProjectPath) {
        if self.forget(path) {
            self.tree = Arc::default();
        }
    }

    /// The project's directories: what `make` says, until a file comes or goes.
    pub(super) fn tree(&self, make: impl FnOnce() -> Tree) -> &Tree {
        self.tree.get_or_init(make)
    }

    /// Whether there was such a file.
    fn forget(&mut self, path: &ProjectPath) -> bool {
        let Some(number) = self.numbers.remove(path) else { return false };
        let found = self.slots.iter_mut().enumerate().find_map(|(n, slot)| {
            let at = slot.segment.position(number)?;
            Some((n, at, slot))
        });
        let Some((n, at, slot)) = found else { return true };
        slot.gone += usize::from(!slot.dead[at]);
        slot.dead[at] = true;
        if slot.alive() == 0 {
            self.slots.remove(n);
        } else if slot.gone > slot.alive() {
            let rest = Segment::merged((&slot.segment, &slot.dead), (&Segment::default(), &[]));
            *slot = Slot::new(rest);
        }
        true
    }

    /// How many files it has.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Bytes that it holds, about.
    pub fn bytes(&self) -> usize {
        let entry = size_of::<(ProjectPath, u32)>() + 8;
        self.numbers.len() * entry
            + self.slots.iter().map(|slot| slot.segment.bytes()).sum::<usize>()
    }
}

/// A file's words, how many, and its terms, sorted, each with how often it stands there.
fn read(path: &ProjectPath, text: &str, number: u32) -> (Doc, u32, Vec<(Term, u8)>) {
    let text = text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or(text);
    let mut terms: Vec<Term> = Vec::with_capacity(text.len() / 6 + 32);
    each_word(text, |word| terms.push(term(Space::Word, word)));
    let words = u32::try_from(terms.len()).unwrap_or(u32::MAX);
    for name in text.lines().filter_map(symbols::defined) {
        terms.push(term(Space::Symbol, name));
        each_word(name, |word| {
            for _ in 1..SYMBOL_WEIGHT {
                terms.push(term(Space::Word, word));
            }
        });
    }
    path_terms(path, &mut terms);
    let mut found: Vec<Import> = Vec::new();
    imports::each_import(path, text, |import| found.push(import));
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST_IMPORTS);
    terms.extend(
        found.iter().flatten().filter(|target| **target != 0).map(|t| links::importing(*t)),
    );
    let doc = Doc { number, path: path.clone(), imports: found.into() };
    (doc, words, counted(terms))
}

fn path_terms(path: &ProjectPath, terms: &mut Vec<Term>) {
    each_word(path.as_str(), |word| terms.push(term(Space::PathWord, word)));
    let parts: Vec<&str> = path.as_str().split('/').collect();
    terms.extend(imports::endings(Space::Name, &parts));
    terms.extend(links::keys(path));
}

fn counted(mut terms: Vec<Term>) -> Vec<(Term, u8)> {
    terms.sort_unstable();
    let mut counted: Vec<(Term, u8)> = Vec::with_capacity(terms.len() / 3);
    for term in terms {
        match counted.last_mut() {
            Some((last, times)) if *last == term => *times = times.saturating_add(1),
            _ => counted.push((term, 1)),
        }
    }
    counted
}

#[cfg(test)]
mod tests;
