//! What the server has acknowledged: the version, each file's hash, and where its text lies on disk,
//! for diffs. Survives a restart. It decides nothing of what is sent.
//!
//! In the project's state directory stand a journal, one line for each acknowledged batch, and a pack
//! of the texts. A line that is torn ends the journal; a text that is torn is found by its hash and
//! counts as not there.

mod disk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::disk::Disk;
use crate::delta::{ContentHash, ProjectPath};

pub(super) use self::disk::{BookError, Place};

/// A file as the server has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) hash: ContentHash,
    /// Where the text begins in the pack, and its length, in bytes; none without a pack.
    text: Option<(u64, u32)>,
}

/// A batch that the server has acknowledged.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Acknowledgement {
    pub(super) version: u64,
    /// What is not named is gone.
    pub(super) whole: bool,
    /// What each path has become; nothing: it is gone.
    pub(super) files: Vec<(ProjectPath, Option<Entry>)>,
}

pub(super) struct Book {
    version: u64,
    files: BTreeMap<ProjectPath, Entry>,
    disk: Option<Disk>,
}

impl Book {
    /// A book that is kept nowhere: no diffs, and a whole sync at the next start.
    pub(super) fn fleeting() -> Self {
        Self { version: 0, files: BTreeMap::new(), disk: None }
    }

    /// Opens what a place keeps; an unreadable past is no past.
    ///
    /// # Errors
    /// [`BookError`] if another process uses the place, or it cannot be used at all.
    pub(super) fn open(place: &Place) -> Result<Self, BookError> {
        let (disk, past) = Disk::open(place)?;
        let mut book = Self { version: 0, files: BTreeMap::new(), disk: None };
        past.into_iter().for_each(|one| book.take(one));
        book.disk = Some(disk);
        Ok(book)
    }

    /// 0: the server has acknowledged nothing.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, path: &ProjectPath) -> Option<&Entry> {
        self.files.get(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &ProjectPath> {
        self.files.keys()
    }

    /// Every file below a directory.
    pub(super) fn below(&self, directory: &ProjectPath) -> Vec<ProjectPath> {
        let prefix = format!("{directory}/");
        // A space is the smallest sign that a path may have.
        let Ok(first) = ProjectPath::parse(&format!("{prefix} ")) else { return Vec::new() };
        self.files
            .range(first..)
            .map(|(path, _)| path)
            .take_while(|path| path.as_str().starts_with(&prefix))
            .cloned()
            .collect()
    }

    /// The text of a file as the server has it; nothing if it is not kept or not what it was.
    pub(super) fn text(&mut self, entry: &Entry) -> Option<String> {
        let (at, length) = entry.text?;
        let bytes = self.disk.as_mut()?.text(at, length)?;
        (ContentHash::of(&bytes) == entry.hash).then(|| String::from_utf8(bytes).ok()).flatten()
    }

    /// Keeps a text that is about to be sent; it counts once it is acknowledged.
    pub(super) fn keep(&mut self, hash: ContentHash, text: &str) -> Entry {
        let place = self.disk.as_mut().and_then(|disk| disk.append(text.as_bytes()));
        Entry { hash, text: place }
    }

    /// The server is out of step: nothing that it acknowledged counts any more.
    pub(super) fn forget(&mut self) {
        self.version = 0;
        self.files.clear();
    }

    /// Writes down what the server has acknowledged.
    ///
    /// # Errors
    /// The state cannot be written; in memory it holds all the same.
    pub(super) fn commit(&mut self, batch: Acknowledgement) -> Result<(), BookError> {
        let written = self.disk.as_mut().map_or(Ok(()), |disk| disk.note(&batch));
        self.take(batch);
        written?;
        let live = self.files.values().filter_map(|one| one.text);
        match &mut self.disk {
            Some(disk) => {
                if disk.is_wasteful(live) {
                    disk.compact(self.version, &mut self.files)?;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn take(&mut self, batch: Acknowledgement) {
        if batch.whole {
            self.files.clear();
        }
        self.version = batch.version;
        for (path, entry) in batch.files {
            match entry {
                Some(entry) => self.files.insert(path, entry),
                None => self.files.remove(&path),
            };
        }
    }
}

#[cfg(test)]
mod tests;
