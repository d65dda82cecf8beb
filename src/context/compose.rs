//! What a request is told about its project, as one fenced block: at first an overview and the files
//! that matter, later only what changed since the conversation saw it, and files that have come to
//! matter. Nothing is told twice, and never more than the budget.
//!
//! It decides what is said and in how many words. How content is kept apart from the block itself is
//! the matter of [`super::fence`]; where the block goes, and what a token is, of the caller.

mod draft;
mod overview;
mod parts;
mod piece;
mod plan;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use self::draft::Draft;
use self::plan::What;
use super::{Block, Project, Ranked, Shown, fence};
use crate::delta::{ContentHash, ProjectPath};

/// What a block is made from.
pub struct Wanted<'a> {
    pub project: &'a Project,
    /// Best first.
    pub ranked: &'a [Ranked],
    /// What this conversation has seen, from earlier blocks and from the client itself.
    pub shown: &'a BTreeMap<ProjectPath, Shown>,
    /// The project's version in the newest block that is still in the conversation (see [`told`]).
    /// `None`: there is none yet, so the block begins with an overview.
    pub told: Option<u64>,
    /// Those that [`needed`] asked for, as far as they are kept.
    pub texts: &'a HashMap<ContentHash, Arc<str>>,
    /// The block counts no more than this.
    pub budget_tokens: u32,
    pub count: &'a dyn Fn(&str) -> u32,
    /// The human's current words: the parts of a long file around them are shown.
    pub instruction: &'a str,
}

/// A block, and what a conversation that has it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// Without a line end after the closing line.
    pub text: String,
    /// As counted by the caller.
    pub tokens: u32,
    /// Only what this block tells.
    pub shown: BTreeMap<ProjectPath, Shown>,
    /// The files that have a header in the block, in its order.
    pub files: Vec<ProjectPath>,
    /// How many files would have been told of, but did not fit.
    pub cut: usize,
}

/// The block for a request; `None` if there is nothing to say, or no room to say it.
pub fn compose(wanted: &Wanted<'_>) -> Option<Composed> {
    let items = plan::plan(wanted.project, wanted.ranked, wanted.shown, wanted.told);
    if items.is_empty() && (wanted.told.is_some() || wanted.project.files.is_empty()) {
        return None;
    }
    let mut draft = Draft::new(wanted);
    draft.fill(items);
    draft.finish()
}

/// Hashes of the texts that [`compose`] will want, at most a few times what `budget` tokens hold.
pub fn needed(
    project: &Project,
    ranked: &[Ranked],
    shown: &BTreeMap<ProjectPath, Shown>,
    budget: u32,
) -> Vec<ContentHash> {
    let mut room = u64::from(budget) * 3;
    let mut hashes = Vec::new();
    for item in plan::plan(project, ranked, shown, None) {
        match item.what {
            What::Deleted | What::Renamed { .. } => {}
            What::Changed { base, file } => hashes.extend([base, file.hash]),
            What::New { file, .. } => {
                if room > 0 {
                    hashes.push(file.hash);
                }
                room = room.saturating_sub(u64::from(file.tokens));
            }
        }
    }
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The version of `project` in the newest of a conversation's blocks (oldest first) that tells of it.
pub fn told(blocks: &[Block], project: &str) -> Option<u64> {
    let newest = blocks.iter().rev().find(|block| &*block.project == project)?;
    fence::version(&newest.text)
}

/// Adds to what a conversation has seen; later knowledge replaces earlier, and having seen a text
/// wholly is not undone by seeing a part of the same text again.
pub fn learn(known: &mut BTreeMap<ProjectPath, Shown>, path: &ProjectPath, seen: Shown) {
    known
        .entry(path.clone())
        .and_modify(|before| {
            let whole = seen.whole || before.whole && before.hash == seen.hash;
            *before = Shown { whole, ..seen };
        })
        .or_insert(seen);
}

#[cfg(test)]
mod tests;
