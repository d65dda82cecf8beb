//! The journal and the pack on disk.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Acknowledgement, Entry};
use crate::delta::ProjectPath;

/// Raised when an older program cannot read what this one writes.
const FORMAT: u32 = 1;
/// Bytes that a pack may waste beside once its live texts.
const WASTE: u64 = 16 << 20;
/// Lines of the journal after which it is written anew.
const LINES: u64 = 4_096;

/// Why what the server acknowledged cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(in crate::watch) enum BookError {
    #[error("another edge-watch follows this directory for the same server and project")]
    Taken,
    #[error("{} cannot be used: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Where the state of one directory, server and project is kept.
#[derive(Clone, Debug)]
pub(in crate::watch) struct Place {
    pub(in crate::watch) directory: PathBuf,
    /// What the state belongs to.
    pub(in crate::watch) owner: String,
}

/// Entries as they are in a new pack.
type Moved = Vec<(ProjectPath, Entry)>;

/// First line of a journal.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: u32,
    owner: String,
    /// Number of the pack.
    pack: u64,
}

pub(super) struct Disk {
    place: Place,
    journal: File,
    lines: u64,
    pack: File,
    number: u64,
    /// Where the pack ends, in bytes.
    end: u64,
    /// Bytes that were appended since live ones were last counted.
    since: u64,
    _lock: File,
}

impl Disk {
    /// Opens or makes the state, and what it remembers.
    pub(super) fn open(place: &Place) -> Result<(Self, Vec<Acknowledgement>), BookError> {
        let io = |source| BookError::Io { path: place.directory.clone(), source };
        make_private(&place.directory).map_err(io)?;
        let lock = File::create(place.directory.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BookError::Taken),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let journal = read_journal(place).unwrap_or_default();
        let disk = Self::continue_from(place, &journal, lock).map_err(io)?;
        sweep(place, disk.number);
        Ok((disk, journal.past))
    }

    fn continue_from(place: &Place, past: &Journal, lock: File) -> io::Result<Self> {
        let mut journal = open_private(&place.directory.join("journal"))?;
        // What was torn must not stand before what comes.
        journal.set_len(past.length)?;
        journal.seek(SeekFrom::End(0))?;
        let mut pack = open_private(&pack_file(place, past.pack))?;
        if past.length == 0 {
            pack.set_len(0)?;
            journal.write_all(&head(place, past.pack)?)?;
        }
        let end = pack.seek(SeekFrom::End(0))?;
        Ok(Self {
            place: place.clone(),
            journal,
            lines: past.lines,
            pack,
            number: past.pack,
            end,
            since: end,
            _lock: lock,
        })
    }

    /// Where the text stands now; nothing if it cannot be written.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Option<(u64, u32)> {
        let length = u32::try_from(bytes.len()).ok()?;
        let at = self.end;
        self.pack.seek(SeekFrom::Start(at)).ok()?;
        self.pack.write_all(bytes).ok()?;
        self.end += u64::from(length);
        self.since += u64::from(length);
        Some((at, length))
    }

    pub(super) fn text(&mut self, at: u64, length: u32) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        self.pack.seek(SeekFrom::Start(at)).ok()?;
        self.pack.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Adds a line to the journal.
    pub(super) fn note(&mut self, batch: &Acknowledgement) -> Result<(), BookError> {
        let mut line = serde_json::to_vec(batch).map_err(|error| self.failed(error.into()))?;
        line.push(b'\n');
        self.lines += 1;
        self.journal.write_all(&line).map_err(|error| self.failed(error))
    }

    /// Whether most of what is kept is of no use. Counts only after much was written.
    pub(super) fn is_wasteful(&mut self, live: impl Iterator<Item = (u64, u32)>) -> bool {
        if self.lines > LINES {
            return true;
        }
        if self.since <= WASTE {
            return false;
        }
        self.since = 0;
        let live: u64 = live.map(|(_, length)| u64::from(length)).sum();
        self.end > 2 * live + WASTE
    }

    /// Writes the state anew with only what is live; the new journal takes the old one's place in one
    /// step.
    pub(super) fn compact(
        &mut self,
        version: u64,
        files: &mut BTreeMap<ProjectPath, Entry>,
    ) -> Result<(), BookError> {
        let (pack, end, moved) = self.copy_live(files).map_err(|error| self.failed(error))?;
        let moved_files = moved.iter().map(|(path, entry)| (path.clone(), Some(*entry))).collect();
        let whole = Acknowledgement { version, whole: true, files: moved_files };
        self.journal = self.replace_journal(&whole).map_err(|error| self.failed(error))?;
        *files = moved.into_iter().collect();
        self.number += 1;
        (self.pack, self.end, self.lines, self.since) = (pack, end, 1, 0);
        sweep(&self.place, self.number);
        Ok(())
    }

    /// The next pack, its length in bytes, and the entries as they are in it.
    fn copy_live(
        &mut self,
        files: &BTreeMap<ProjectPath, Entry>,
    ) -> io::Result<(File, u64, Moved)> {
        let file = open_private(&pack_file(&self.place, self.number + 1))?;
        file.set_len(0)?;
        let mut out = BufWriter::new(file);
        let mut end = 0_u64;
        let mut moved = Vec::with_capacity(files.len());
        for (path, entry) in files {
            let bytes = entry.text.and_then(|(at, length)| self.text(at, length));
            let mut text = None;
            if let (Some(bytes), Some((_, length))) = (bytes, entry.text) {
                out.write_all(&bytes)?;
                text = Some((end, length));
                end += u64::from(length);
            }
            moved.push((path.clone(), Entry { hash: entry.hash, text }));
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, end, moved))
    }

    fn replace_journal(&self, whole: &Acknowledgement) -> io::Result<File> {
        let directory = &self.place.directory;
        let (new, old) = (directory.join("journal.new"), directory.join("journal"));
        let mut file = open_private(&new)?;
        file.set_len(0)?;
        file.write_all(&head(&self.place, self.number + 1)?)?;
        let mut line = serde_json::to_vec(whole)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()?;
        drop(file);
        fs::rename(&new, &old)?;
        let mut file = open_private(&old)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    fn failed(&self, source: io::Error) -> BookError {
        BookError::Io { path: self.place.directory.clone(), source }
    }
}

/// A journal as far as it is sound.
#[derive(Default)]
struct Journal {
    pack: u64,
    past: Vec<Acknowledgement>,
    lines: u64,
    /// In bytes; 0: there is none.
    length: u64,
}

fn read_journal(place: &Place) -> Option<Journal> {
    let mut reader = BufReader::new(File::open(place.directory.join("journal")).ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let head: Head = serde_json::from_str(&line).ok()?;
    if (head.format, &head.owner) != (FORMAT, &place.owner) {
        return None;
    }
    let mut journal = Journal { pack: head.pack, length: line.len() as u64, ..Journal::default() };
    loop {
        line.clear();
        let read = reader.read_line(&mut line).unwrap_or(0);
        let is_whole = read > 0 && line.ends_with('\n');
        let Some(one) = is_whole.then(|| serde_json::from_str(&line).ok()).flatten() else {
            return Some(journal);
        };
        journal.past.push(one);
        journal.lines += 1;
        journal.length += read as u64;
    }
}

fn head(place: &Place, pack: u64) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Head { format: FORMAT, owner: place.owner.clone(), pack })?;
    line.push(b'\n');
    Ok(line)
}

fn pack_file(place: &Place, number: u64) -> PathBuf {
    place.directory.join(format!("pack.{number}"))
}

/// Removes packs that no journal names.
fn sweep(place: &Place, number: u64) {
    let Ok(entries) = fs::read_dir(&place.directory) else { return };
    let live = pack_file(place, number);
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.file_stem().is_some_and(|stem| stem == "pack") && path != live {
            // The next sweep tries again.
            let _ = fs::remove_file(path);
        }
    }
}

/// Texts of the project are kept here: nobody else is let in, where the system knows of others.
fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn open_private(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}
