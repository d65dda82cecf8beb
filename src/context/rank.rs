//! Which files of a project matter for a request, and why.

use super::Project;
use crate::delta::ProjectPath;

/// What a request tells about the files that it is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signals<'a> {
    /// The human's current words.
    pub instruction: &'a str,
    /// Other texts of the request, newest first.
    pub conversation: &'a [&'a str],
}

/// The strongest reason why a file matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The instruction names it.
    Named,
    /// It defines what the instruction names.
    Symbol,
    /// The conversation names it.
    Mentioned,
    /// It changed lately.
    Recent,
    /// It is imported by, or imports, a file that matters more.
    Related,
    /// Its words are near those of the instruction.
    Near,
}

/// A file that may matter. The higher the score, the more.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub path: ProjectPath,
    pub score: f32,
    pub why: Why,
}

/// The files that matter for a request, best first, at most 200.
pub fn rank(_project: &Project, _signals: &Signals<'_>) -> Vec<Ranked> {
    Vec::new()
}
