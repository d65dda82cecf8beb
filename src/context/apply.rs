//! What a delta makes of a project: checks it and works out the next version. Pure: it is given the
//! texts that diffs start from, and what it finds is written down by others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::{DeltaError, FileEntry, Project};
use crate::delta::{self, Change, ContentHash, Delta, FileChange, PatchError, ProjectPath};
use crate::strategy::estimate::text_tokens;

/// Files of one project.
pub(super) const MOST_FILES: usize = 20_000;
/// Bytes of all files of one project.
pub(super) const MOST_BYTES: u64 = 256 << 20;
/// Bytes of one file.
pub(super) const LONGEST_FILE: usize = 1 << 20;
/// Bytes of a project's name.
const LONGEST_NAME: usize = 128;
/// Bytes of a root.
const LONGEST_ROOT: usize = 4096;
/// Names that are paths of the interface.
const RESERVED: [&str; 2] = ["stats", "delta"];

/// What a delta comes to.
#[derive(Debug)]
pub(super) struct Applied {
    pub project: Project,
    /// Files that are new or have another text now.
    pub put: Vec<ProjectPath>,
    pub gone: Vec<ProjectPath>,
    /// The texts of `put`.
    pub texts: HashMap<ContentHash, Arc<str>>,
    /// What changed and gone files were.
    pub older: Vec<(ProjectPath, FileEntry)>,
}

/// A project that nothing is known of yet.
pub(super) fn nothing(name: &str) -> Project {
    Project {
        name: name.into(),
        root: None,
        version: 0,
        files: BTreeMap::new(),
        index: Arc::default(),
    }
}

/// Whether the message is sound by itself.
///
/// # Errors
/// [`DeltaError::Invalid`] or [`DeltaError::TooLarge`].
pub(super) fn check(delta: &Delta) -> Result<(), DeltaError> {
    check_name(&delta.project)?;
    if delta.version <= delta.base_version || i64::try_from(delta.version).is_err() {
        let message = "version must be a number above base_version";
        return Err(DeltaError::invalid("version", message));
    }
    if let Some(root) = &delta.root {
        check_root(root)?;
    }
    if delta.files.len() > MOST_FILES {
        return Err(too_many_files());
    }
    let mut named = BTreeSet::new();
    let mut there = BTreeSet::new();
    for (n, file) in delta.files.iter().enumerate() {
        if !named.insert(file.path.as_str()) {
            let message = "the path stands in the delta more than once";
            return Err(DeltaError::invalid(format!("files[{n}].path"), message));
        }
        let whole = matches!(file.change, Change::Add { .. });
        if delta.base_version == 0 && !whole {
            let message = "with base_version 0 (all of a project anew) every op is `add`";
            return Err(DeltaError::invalid(format!("files[{n}].op"), message));
        }
        if !matches!(file.change, Change::Delete { .. }) {
            there.insert(file.path.as_str());
        }
    }
    match there.iter().find(|path| above(path).any(|above| there.contains(above))) {
        Some(path) => {
            let at = delta.files.iter().position(|file| file.path.as_str() == *path);
            let param = at.map_or_else(|| "files".to_owned(), |n| format!("files[{n}].path"));
            let message = "a part of the path is itself a file of the delta";
            Err(DeltaError::invalid(param, message))
        }
        None => Ok(()),
    }
}

/// A name that may stand in a path, a header and a fence.
pub(super) fn check_name(name: &str) -> Result<(), DeltaError> {
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '+' | '@');
    let message = if name.is_empty() || name.len() > LONGEST_NAME {
        "the name of a project has 1 to 128 bytes"
    } else if !name.chars().all(sound) || name.trim() != name || name.starts_with('.') {
        "the name of a project has letters, digits, spaces and - _ . + @, and begins with none of space and dot"
    } else if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        "`stats` and `delta` are reserved: choose another name for the project"
    } else {
        return Ok(());
    };
    Err(DeltaError::invalid("project", message))
}

fn check_root(root: &str) -> Result<(), DeltaError> {
    let drive =
        matches!(root.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    let absolute = root.starts_with('/') || root.starts_with("\\\\") || drive;
    if absolute && root.len() <= LONGEST_ROOT && !root.chars().any(char::is_control) {
        return Ok(());
    }
    let message = "root is the absolute path of the project's directory, of at most 4096 bytes";
    Err(DeltaError::invalid("root", message))
}

/// The texts that the diffs of a delta start from.
pub(super) fn needed(delta: &Delta) -> Vec<ContentHash> {
    let base = |change: &Change| match change {
        Change::Modify { base_hash, .. } => Some(*base_hash),
        Change::Add { .. } | Change::Delete { .. } => None,
    };
    delta.files.iter().filter_map(|file| base(&file.change)).collect()
}

/// The project after a delta that passed [`check`]. `texts` has what is [`needed`].
///
/// # Errors
/// The delta does not fit the project, or the project would become too large. Nothing is half done.
pub(super) fn apply(
    before: &Project,
    delta: &Delta,
    texts: &HashMap<ContentHash, Arc<str>>,
    now: Timestamp,
) -> Result<Applied, DeltaError> {
    let anew = delta.base_version == 0;
    if !anew && delta.base_version != before.version {
        let message = format!("the delta starts from version {}", delta.base_version);
        return Err(DeltaError::out_of_sync(before.version, message));
    }
    let mut project = before.clone();
    project.version = delta.version;
    if let Some(root) = &delta.root {
        project.root = Some(root.as_str().into());
    }
    let mut work = Work { before, project, now, texts: HashMap::new(), put: Vec::new(), taken: 0 };
    let mut removed = BTreeSet::new();
    for (n, file) in delta.files.iter().enumerate() {
        match result(before, n, file, texts)? {
            Some((hash, text)) => work.put(n, &file.path, hash, text)?,
            None => drop(removed.insert(file.path.clone())),
        }
    }
    if anew {
        let named: BTreeSet<&ProjectPath> = delta.files.iter().map(|file| &file.path).collect();
        removed = before.files.keys().filter(|path| !named.contains(*path)).cloned().collect();
    }
    work.remove(&removed);
    work.check()?;
    Ok(work.finish(removed))
}

/// The text that a file has after the change, and its hash; `None`: it is gone.
fn result(
    before: &Project,
    n: usize,
    FileChange { path, change }: &FileChange,
    texts: &HashMap<ContentHash, Arc<str>>,
) -> Result<Option<(ContentHash, Arc<str>)>, DeltaError> {
    let stale = |what: &str| {
        DeltaError::out_of_sync(before.version, format!("files[{n}] (`{path}`) {what}"))
    };
    let starts_from = |base: &ContentHash| match before.files.get(path) {
        Some(entry) if entry.hash == *base => Ok(()),
        Some(_) => Err(stale("is another text here than base_hash says")),
        None => Err(stale("is not there")),
    };
    let (hash, text): (_, Arc<str>) = match change {
        Change::Delete { base_hash } => {
            starts_from(base_hash)?;
            return Ok(None);
        }
        Change::Add { content, .. } if content.len() > LONGEST_FILE => {
            return Err(long_file(n, path));
        }
        Change::Add { hash, content } => (*hash, content.as_str().into()),
        Change::Modify { base_hash, hash, diff } => {
            starts_from(base_hash)?;
            let base = texts.get(base_hash).ok_or_else(|| stale("has lost its text here"))?;
            let text = delta::apply(base, diff).map_err(|error| match error {
                PatchError::Malformed { .. } => {
                    DeltaError::invalid(format!("files[{n}].diff"), error.to_string())
                }
                PatchError::Mismatch { .. } => stale(&format!("cannot be changed: {error}")),
            })?;
            (*hash, text.into())
        }
    };
    if text.len() > LONGEST_FILE {
        return Err(long_file(n, path));
    }
    if ContentHash::of(text.as_bytes()) != hash {
        return Err(stale("comes to another text than hash says"));
    }
    Ok(Some((hash, text)))
}

/// A project on its way to the next version.
struct Work<'a> {
    before: &'a Project,
    project: Project,
    now: Timestamp,
    texts: HashMap<ContentHash, Arc<str>>,
    put: Vec<ProjectPath>,
    /// Bytes of `texts`.
    taken: u64,
}

impl Work<'_> {
    /// `n`: the place in the message.
    fn put(
        &mut self,
        n: usize,
        path: &ProjectPath,
        hash: ContentHash,
        text: Arc<str>,
    ) -> Result<(), DeltaError> {
        if self.before.files.get(path).is_some_and(|entry| entry.hash == hash) {
            return Ok(());
        }
        let too_long = |_| long_file(n, path);
        let entry = FileEntry {
            hash,
            bytes: u32::try_from(text.len()).map_err(too_long)?,
            tokens: text_tokens(&text).likely,
            version: self.project.version,
            changed_at: self.now,
        };
        self.taken += u64::from(entry.bytes);
        if self.taken > MOST_BYTES {
            return Err(too_many_bytes());
        }
        self.project.files.insert(path.clone(), entry);
        self.texts.insert(hash, text);
        self.put.push(path.clone());
        Ok(())
    }

    fn remove(&mut self, paths: &BTreeSet<ProjectPath>) {
        for path in paths {
            self.project.files.remove(path);
        }
    }

    /// Whether the files can stand beside each other, and are not too many.
    fn check(&self) -> Result<(), DeltaError> {
        let files = &self.project.files;
        if files.len() > MOST_FILES {
            return Err(too_many_files());
        }
        if totals(&self.project).bytes > MOST_BYTES {
            return Err(too_many_bytes());
        }
        let known =
            |path: &str| ProjectPath::parse(path).is_ok_and(|path| files.contains_key(&path));
        for path in &self.put {
            let below = format!("{path}/");
            // The least that can stand in the directory of that name.
            let first = ProjectPath::parse(&format!("{below} ")).ok();
            let next = first.and_then(|first| files.range(first..).next());
            let is_directory = next.is_some_and(|(next, _)| next.as_str().starts_with(&below));
            if is_directory || above(path.as_str()).any(known) {
                let message = format!("`{path}` is a file and a directory at once");
                return Err(DeltaError::out_of_sync(self.before.version, message));
            }
        }
        Ok(())
    }

    fn finish(mut self, removed: BTreeSet<ProjectPath>) -> Applied {
        let was = |path: &ProjectPath| Some((path.clone(), self.before.files.get(path)?.clone()));
        let older = self.put.iter().chain(&removed).filter_map(was).collect();
        if !self.put.is_empty() || !removed.is_empty() {
            let index = Arc::make_mut(&mut self.project.index);
            for path in &removed {
                index.remove(path);
            }
            for path in &self.put {
                let hash = self.project.files.get(path).map(|entry| entry.hash);
                if let Some(text) = hash.and_then(|hash| self.texts.get(&hash)) {
                    index.insert(path, text);
                }
            }
        }
        let gone = removed.into_iter().collect();
        Applied { project: self.project, put: self.put, gone, texts: self.texts, older }
    }
}

fn too_many_files() -> DeltaError {
    let message =
        format!("a project has at most {MOST_FILES} files; let an .edgeignore leave some out");
    DeltaError::too_large(message)
}

fn long_file(n: usize, path: &ProjectPath) -> DeltaError {
    DeltaError::too_large(format!("files[{n}] (`{path}`) is larger than 1 MiB; leave it out"))
}

fn too_many_bytes() -> DeltaError {
    DeltaError::too_large("the project is larger than 256 MiB; let an .edgeignore leave files out")
}

/// The directories that a path stands in.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

/// Sums over a project's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub files: u64,
    pub bytes: u64,
    /// Estimated.
    pub tokens: u64,
}

pub(super) fn totals(project: &Project) -> Totals {
    project.files.values().fold(Totals::default(), |sum, file| Totals {
        files: sum.files + 1,
        bytes: sum.bytes + u64::from(file.bytes),
        tokens: sum.tokens + u64::from(file.tokens),
    })
}

#[cfg(test)]
mod tests;
