//! A block in the making: what is in it, what did not fit, and how much room there is.

use std::collections::BTreeMap;

use super::piece::{Piece, piece};
use super::plan::{Item, What};
use super::{Composed, Wanted, overview};
use crate::context::Shown;
use crate::context::fence::{CLOSING, names, opening, remark};

/// Tokens kept for the lines that say what was cut, at most and as a part of the budget.
const REMARKS: u32 = 80;
const REMARKS_PART: u32 = 10;
/// The overview's part of the budget, and its most.
const OVERVIEW_PART: u32 = 8;
const OVERVIEW: u32 = 700;
/// More changed files than this, which fill more than half the budget, are a storm.
const STORM: usize = 8;
/// A change is little if it has no more lines than this.
const LITTLE: usize = 8;
/// Below so many tokens nothing of a file can be said.
const LEAST: u32 = 12;
/// Bytes that are compared for one block.
const MOST_COMPARED: usize = 4 << 20;
/// Names on a remark's line.
const MOST_NAMES: usize = 8;

pub(super) struct Draft<'w, 'a> {
    wanted: &'w Wanted<'a>,
    overview: Option<String>,
    pieces: Vec<Piece<'a>>,
    /// Small changes of many files, told of together.
    storm: Vec<Piece<'a>>,
    cut: Vec<Item<'a>>,
    room: u32,
}

impl<'w, 'a> Draft<'w, 'a> {
    pub(super) fn new(wanted: &'w Wanted<'a>) -> Self {
        let budget = wanted.budget_tokens;
        let total = wanted.project.files.len();
        let frame = opening(&wanted.project.name, wanted.project.version, total, total) + CLOSING;
        let kept = (wanted.count)(&frame) + REMARKS.min(budget / REMARKS_PART);
        let mut room = budget.saturating_sub(kept);
        let overview = wanted.told.is_none().then(|| {
            let room = OVERVIEW.min(budget / OVERVIEW_PART).min(room);
            overview::overview(wanted.project, room, wanted.count)
        });
        let overview = overview.flatten();
        room = room.saturating_sub(overview.as_deref().map_or(0, wanted.count));
        Self { wanted, overview, pieces: Vec::new(), storm: Vec::new(), cut: Vec::new(), room }
    }

    /// Writes what fits of the items, the weightiest first.
    pub(super) fn fill(&mut self, items: Vec<Item<'a>>) {
        let changed = items.iter().filter(|item| is_changed(item)).count();
        let mut compared = 0;
        let mut pending = Vec::new();
        for item in items {
            if let What::Changed { file, .. } = item.what {
                compared += 2 * file.bytes as usize;
            }
            // What changed in a storm is written before it is known what there is room for.
            let waits = is_changed(&item) && changed > STORM;
            let room = if waits { self.wanted.budget_tokens } else { self.room };
            let fits = compared <= MOST_COMPARED && room >= LEAST;
            match fits.then(|| piece(self.wanted, item, room)).flatten() {
                Some(piece) if waits => pending.push(piece),
                Some(piece) => self.put(piece),
                None if matches!(item.what, What::New { again: true, .. }) => {}
                None => self.cut.push(item),
            }
        }
        self.settle(pending);
    }

    fn put(&mut self, piece: Piece<'a>) {
        self.room = self.room.saturating_sub(piece.tokens);
        self.pieces.push(piece);
    }

    /// Many changed files: if they fill too much, small changes that nobody asked for become one line.
    fn settle(&mut self, pending: Vec<Piece<'a>>) {
        let tokens: u32 = pending.iter().map(|piece| piece.tokens).sum();
        let storm = tokens > self.wanted.budget_tokens / 2 || tokens > self.room;
        for piece in pending {
            if storm && !piece.item.asked && is_little(&piece) {
                self.storm.push(piece);
            } else if piece.tokens <= self.room {
                self.put(piece);
            } else {
                self.cut.push(piece.item);
            }
        }
    }

    /// The block, with pieces left out until it fits; `None` if it says nothing.
    pub(super) fn finish(mut self) -> Option<Composed> {
        loop {
            let stale = self.cut.iter().any(|item| matches!(item.what, What::Changed { .. }));
            if self.pieces.is_empty() && self.storm.is_empty() && self.overview.is_none() && !stale
            {
                return None;
            }
            let text = self.text();
            let tokens = (self.wanted.count)(&text);
            if tokens <= self.wanted.budget_tokens {
                return Some(self.composed(text, tokens));
            }
            match self.pieces.pop() {
                Some(piece) => self.cut.push(piece.item),
                None if self.overview.take().is_some() => {}
                None => return None,
            }
        }
    }

    fn text(&self) -> String {
        let project = self.wanted.project;
        let changed = self.pieces.len() + self.storm.len() + self.cut_changes().count();
        let mut text = opening(&project.name, project.version, changed, project.files.len());
        text.push_str(self.overview.as_deref().unwrap_or_default());
        for piece in &self.pieces {
            text.push_str(&piece.text);
        }
        if !self.storm.is_empty() {
            text.push_str(&storm_line(&self.storm));
        }
        let changes: Vec<&str> = self.cut_changes().map(|item| item.path.as_str()).collect();
        let others =
            self.cut.iter().filter(|item| !is_changed(item)).map(|item| item.path.as_str());
        let others: Vec<&str> = others.collect();
        if !changes.is_empty() {
            let names = names(changes.into_iter(), MOST_NAMES);
            text.push_str(&remark(&format!(
                "cut for length: also changed since you saw them: {names}"
            )));
        }
        if !others.is_empty() {
            let names = names(others.into_iter(), MOST_NAMES);
            text.push_str(&remark(&format!("cut for length: also of interest: {names}")));
        }
        text.push_str(CLOSING);
        text
    }

    fn cut_changes(&self) -> impl Iterator<Item = &Item<'a>> {
        self.cut.iter().filter(|item| is_changed(item))
    }

    fn composed(self, text: String, tokens: u32) -> Composed {
        let mut shown: BTreeMap<_, _> =
            self.pieces.iter().flat_map(|piece| piece.shown.iter().cloned()).collect();
        // That they changed is known; a later change is told against the text that they have now.
        let stale = self.cut_changes().take(MOST_NAMES);
        for item in self.storm.iter().map(|piece| &piece.item).chain(stale) {
            if let What::Changed { file, .. } = item.what {
                shown.insert(item.path.clone(), Shown { hash: Some(file.hash), whole: false });
            }
        }
        let files = self.pieces.iter().map(|piece| piece.item.path.clone()).collect();
        Composed { text, tokens, shown, files, cut: self.cut.len() }
    }
}

fn is_changed(item: &Item<'_>) -> bool {
    matches!(item.what, What::Changed { .. })
}

fn is_little(piece: &Piece<'_>) -> bool {
    let few = |(added, removed)| added + removed <= LITTLE;
    piece.only_spacing || piece.lines.is_some_and(few)
}

fn storm_line(storm: &[Piece<'_>]) -> String {
    let counts = storm.iter().filter_map(|piece| piece.lines);
    let (added, removed) = counts.fold((0, 0), |sum, lines| (sum.0 + lines.0, sum.1 + lines.1));
    let spacing = if storm.iter().all(|piece| piece.only_spacing) { ", only spacing" } else { "" };
    let names = names(storm.iter().map(|piece| piece.item.path.as_str()), 2 * MOST_NAMES);
    remark(&format!(
        "{} more files changed a little, +{added} -{removed}{spacing}; read them before you edit them: {names}",
        storm.len()
    ))
}
