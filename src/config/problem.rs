//! What is wrong with a configuration, and where: file and line, variable or flag.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

/// The way to a value: `providers[0].base_url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Path(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl Path {
    pub(super) fn root() -> Self {
        Self::default()
    }
    #[must_use]
    pub(super) fn key(&self, key: &str) -> Self {
        self.and(Segment::Key(key.to_owned()))
    }
    #[must_use]
    pub(super) fn index(&self, index: usize) -> Self {
        self.and(Segment::Index(index))
    }
    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }
    pub(super) fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            Segment::Key(key) => Some(key),
            Segment::Index(_) => None,
        }
    }
    /// This path and those above it, nearest first.
    fn upwards(&self) -> impl Iterator<Item = Self> {
        (0..=self.0.len()).rev().map(|length| Self(self.0[..length].to_vec()))
    }
    fn and(&self, segment: Segment) -> Self {
        let mut longer = self.0.clone();
        longer.push(segment);
        Self(longer)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |key: &str| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        for (place, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    let dot = if place == 0 { "" } else { "." };
                    if plain(key) { write!(f, "{dot}{key}")? } else { write!(f, "{dot}\"{key}\"")? }
                }
            }
        }
        Ok(())
    }
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `line` counts from 1; `offset` is the byte at which it begins.
    File { file: PathBuf, line: usize, offset: usize },
    /// A variable `EDGE_ROUTER__…`.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// Nowhere: a default.
    Unwritten,
}

/// Every written value and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(HashMap<Path, Origin>);

impl Origins {
    pub(super) fn put(&mut self, path: Path, origin: Origin) {
        self.0.insert(path, origin);
    }
    /// Where the value was written, or the nearest thing around it.
    pub(super) fn of(&self, path: &Path) -> Origin {
        path.upwards().find_map(|path| self.0.get(&path).cloned()).unwrap_or(Origin::Unwritten)
    }
    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }
    /// For keeping the order of the file: byte offset, variables and flags last.
    pub(super) fn position(&self, path: &Path) -> usize {
        match self.of(path) {
            Origin::File { offset, .. } => offset,
            Origin::Variable(_) | Origin::Flag(_) | Origin::Unwritten => usize::MAX,
        }
    }
}

/// One thing that is wrong. Displays as `file:line: key: what is wrong, what is allowed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    /// Empty when the whole file is meant.
    pub key: String,
    pub message: String,
}

impl Problem {
    pub fn file(file: PathBuf, line: usize, message: String) -> Self {
        Self { origin: Origin::File { file, line, offset: 0 }, key: String::new(), message }
    }

    /// File, line; for a variable or flag its name and 0.
    pub fn place(&self) -> (String, usize) {
        match &self.origin {
            Origin::File { file, line, .. } => (file.display().to_string(), *line),
            Origin::Variable(name) => (name.clone(), 0),
            Origin::Flag(flag) => ((*flag).to_owned(), 0),
            Origin::Unwritten => (String::new(), 0),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            (place, 0) if place.is_empty() => {}
            (place, 0) => write!(f, "{place}: ")?,
            (place, line) => write!(f, "{place}:{line}: ")?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a configuration, in the order of the file. One line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.problems.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Gathers problems. What follows only from a problem already told is left out.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) origins: Origins,
    /// Remarks on a valid configuration.
    pub(super) notes: Vec<String>,
    problems: Vec<Problem>,
    /// Values that a problem was told about; nothing at or below them is told again.
    broken: HashSet<Path>,
    /// Lines that are not TOML.
    broken_lines: HashSet<usize>,
}

impl Report {
    /// Something is wrong at `path`.
    pub(super) fn problem(&mut self, path: &Path, message: impl fmt::Display) {
        if self.is_broken(path) {
            return;
        }
        let origin = self.origins.of(path);
        if matches!(&origin, Origin::File { line, .. } if self.broken_lines.contains(line)) {
            return;
        }
        self.problems.push(Problem { origin, key: path.to_string(), message: message.to_string() });
    }

    /// The file is not TOML at this line.
    pub(super) fn syntax(&mut self, problem: Problem) {
        if let Origin::File { line, .. } = &problem.origin {
            self.broken_lines.insert(*line);
        }
        self.problems.push(problem);
    }

    /// Whatever else is found at or below `path` follows from a problem already told.
    pub(super) fn mark_broken(&mut self, path: Path) {
        self.broken.insert(path);
    }

    pub(super) fn is_broken(&self, path: &Path) -> bool {
        path.upwards().any(|path| self.broken.contains(&path))
    }

    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems in the order of the file, those outside of a file last.
    pub(super) fn into_errors(mut self) -> ConfigErrors {
        self.problems.sort_by_key(|problem| match &problem.origin {
            Origin::File { file, line, .. } => (0, file.clone(), *line),
            _ => (1, PathBuf::new(), 0),
        });
        self.problems.dedup();
        ConfigErrors { problems: self.problems }
    }
}
