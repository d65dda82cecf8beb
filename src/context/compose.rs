//! What a request is told about its project, as one fenced block.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Block, Project, Ranked, Shown};
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
pub fn compose(_wanted: &Wanted<'_>) -> Option<Composed> {
    None
}

/// Hashes of the texts that [`compose`] will want, at most a few times what `budget` tokens hold.
pub fn needed(
    _project: &Project,
    _ranked: &[Ranked],
    _shown: &BTreeMap<ProjectPath, Shown>,
    _budget: u32,
) -> Vec<ContentHash> {
    Vec::new()
}

/// The version of `project` in the newest of a conversation's blocks (oldest first) that tells of it.
pub fn told(_blocks: &[Block], _project: &str) -> Option<u64> {
    None
}

/// Adds to what a conversation has seen; later knowledge replaces earlier, and having seen a text
/// wholly is not undone by seeing a part of the same text again.
pub fn learn(_known: &mut BTreeMap<ProjectPath, Shown>, _path: &ProjectPath, _seen: Shown) {}
