//! What the router knows of a developer's projects, and what of it a request is given.
//!
//! `edge-watch` sends deltas; `Projects` keeps every project in step with its directory, refuses what
//! does not fit, and remembers what each conversation has been shown. Which files matter, and what a
//! block says, is decided by pure parts that take values and give values. It knows no HTTP, and it
//! never fails a request: without context a request goes as it came.

mod apply;
mod blocks;
mod compose;
mod error;
mod fence;
mod imports;
mod index;
mod inject;
mod intake;
mod keeper;
mod mentions;
mod projects;
mod rank;
mod rows;
#[cfg(test)]
mod sample;
mod seen;
mod shared;
mod slot;
mod symbols;
mod words;

pub use compose::{Composed, Wanted, compose, learn, needed, told};
pub use error::DeltaError;
pub use index::Index;
pub use inject::{Ask, Given, Placement, give, wanted};
pub use projects::{Known, Projects, Reader, kept};
pub use rank::{Ranked, Signals, Why, rank};
pub use seen::seen;
pub use slot::Facts;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::delta::{ContentHash, ProjectPath};

/// One file of a project, without its text (asked for by hash).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    pub hash: ContentHash,
    pub bytes: u32,
    /// Estimated.
    pub tokens: u32,
    /// The version in which it last changed.
    pub version: u64,
    pub changed_at: Timestamp,
}

/// A project as it was at one version. Never changes: a delta makes a new one.
#[derive(Clone, Debug)]
pub struct Project {
    pub name: Arc<str>,
    /// The directory's absolute path on the client.
    pub root: Option<Arc<str>>,
    pub version: u64,
    pub files: BTreeMap<ProjectPath, FileEntry>,
    pub index: Arc<Index>,
}

/// What a conversation has seen of a file: the text of this hash, wholly or in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `None`: that it is gone.
    pub hash: Option<ContentHash>,
    pub whole: bool,
}

/// A block of context as it was once put into a message of a conversation; put there again, byte for
/// byte, whenever that message is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Hash of the client's own text of the message that it stands in.
    pub message: [u8; 16],
    /// How many messages of the same text stand before that one.
    pub occurrence: u32,
    pub text: Arc<str>,
    /// Estimated tokens of `text`.
    pub tokens: u32,
    pub project: Arc<str>,
    pub shown: BTreeMap<ProjectPath, Shown>,
}
