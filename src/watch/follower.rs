//! Brings the server's copy of one directory in step with the directory: what may have changed goes
//! in, acknowledged batches come out. It decides the order and when to begin anew; it does not decide
//! when to look. Everything here blocks.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::batch::{self, Batch, Kind, Passage, Piece, Step};
use super::book::{Book, BookError, Entry, Place};
use super::filter::{self, Filter, Found};
use super::read::{self, Content};
use super::send::{Answer, Sender};
use super::{Listener, Options, Told, WatchError, project};
use crate::clock::{Clock, SystemClock};
use crate::delta::{Acknowledged, Change, ContentHash, ProjectPath};

/// So often in one go the server may be out of step before it is somebody else's doing.
const MOST_RESYNCS: u32 = 4;
/// A body that is still refused as too large at this length in bytes is not made smaller.
const SMALLEST_BATCH: usize = 64 * 1024;

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Anything: every file is read.
    All,
    /// Anything, but files whose time and length are as at the last look are not read.
    Look,
    /// These paths below the root, and what is below them.
    Paths(BTreeSet<PathBuf>),
}

/// A file's time and length.
type Stamp = (Option<SystemTime>, u64);

/// Paths still to be compared. Those that are gone come first: what takes their place may need a
/// directory where a file was.
type Todo = BTreeSet<(bool, ProjectPath)>;

pub struct Follower {
    root: PathBuf,
    project: String,
    filter: Filter,
    book: Book,
    sender: Sender,
    /// Files that were said to be withheld.
    withheld: HashSet<ProjectPath>,
    stamps: Option<HashMap<ProjectPath, Stamp>>,
    /// Largest body in bytes.
    limit: usize,
    /// Highest version that either end has named.
    newest: u64,
    /// The server has confirmed, to this process, that it has what the book says.
    confirmed: bool,
}

impl Follower {
    /// `handle` must be that of a running multi-threaded runtime, and this no thread of its own.
    ///
    /// # Errors
    /// The directory cannot be read, its name cannot be a project's, or another process follows it.
    pub fn open(
        options: Options,
        handle: Handle,
        stop: CancellationToken,
        listener: &mut dyn Listener,
    ) -> Result<Self, WatchError> {
        let Options { root, project, server, key, state, retry } = options;
        let root = directory(&root)?;
        let project = match project {
            Some(name) if project::is_sound(&name) => name,
            Some(name) => return Err(WatchError::Project { name }),
            None => project::from_directory(
                root.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
            ),
        };
        let place = state.as_ref().map(|state| place(state, &root, (server.as_str(), &project)));
        let sender = Sender::new((&server, key), retry, handle, stop)?;
        Ok(Self {
            filter: Filter::new(&root, state.as_deref().and_then(absolute).as_deref()),
            book: book(place.as_ref(), listener)?,
            root,
            project,
            sender,
            withheld: HashSet::new(),
            stamps: None,
            limit: batch::LARGEST,
            newest: 0,
            confirmed: false,
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn project(&self) -> &str {
        &self.project
    }

    /// Tells the server what has changed, until it has acknowledged everything.
    ///
    /// # Errors
    /// The server refuses for good or cannot be reached, or the program is asked to stop. What was
    /// acknowledged until then counts.
    pub fn sync(
        &mut self,
        changes: Changes,
        listener: &mut dyn Listener,
    ) -> Result<(), WatchError> {
        // A directory that is gone, with the disk it was on perhaps, is no empty one.
        directory(&self.root)?;
        let mut began = SystemClock.instant();
        let mut todo = self.expand(changes, listener);
        let mut resyncs = 0;
        while let Some(batch) = self.next_batch(&mut todo, listener) {
            let (step, counts) = (batch.step, batch.counts());
            let paths: Vec<ProjectPath> = batch.paths().cloned().collect();
            let (body, acknowledgement) = batch.finish();
            let bytes = body.len();
            match self.sender.post(body, listener)? {
                Answer::Taken(taken) if taken.version == step.version => {
                    self.confirmed = true;
                    if let Err(error) = self.book.commit(acknowledgement) {
                        listener.notice(&format!("{error}; the next start sends everything anew"));
                    }
                    listener.told(&told(&taken, step, (counts, bytes), began));
                    began = SystemClock.instant();
                }
                Answer::Taken(Acknowledged { version: server_version, .. })
                | Answer::OutOfStep { server_version } => {
                    resyncs += 1;
                    self.begin_anew(step, server_version, resyncs)?;
                    todo = self.expand(Changes::All, listener);
                }
                Answer::TooLarge(message) => {
                    self.make_smaller(bytes, paths.len(), message)?;
                    todo.extend(paths.into_iter().map(|path| self.task(path)));
                }
            }
        }
        listener.in_step(self.book.version(), self.book.paths().count());
        Ok(())
    }

    /// Says what a sync would tell, and tells nobody.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn rehearse(&mut self, listener: &mut dyn Listener) -> Result<(), WatchError> {
        directory(&self.root)?;
        let todo = self.expand(Changes::All, listener);
        for (_, path) in todo {
            if let Some((change, _)) = self.compare(&path, listener) {
                let kind = Kind::of(&change);
                let bytes = Piece::new(&path, change).map_or(0, |piece| piece.len());
                listener.would_tell(kind, path.as_str(), bytes);
            }
        }
        Ok(())
    }

    /// Everything that has to be compared.
    fn expand(&mut self, changes: Changes, listener: &mut dyn Listener) -> Todo {
        let paths: BTreeSet<ProjectPath> = match changes {
            Changes::Look => self.look(listener),
            Changes::Paths(paths) if !paths.iter().any(|path| filter::holds_rules(path)) => {
                self.touched(paths, listener)
            }
            Changes::All | Changes::Paths(_) => self.everything(listener),
        };
        paths.into_iter().map(|path| self.task(path)).collect()
    }

    fn task(&self, path: ProjectPath) -> (bool, ProjectPath) {
        (read::is_regular(&self.root, &path), path)
    }

    fn walk(&mut self, below: &Path, listener: &mut dyn Listener) -> Vec<Found> {
        self.filter.walk(below, &mut |directory| listener.entering(directory))
    }

    fn everything(&mut self, listener: &mut dyn Listener) -> BTreeSet<ProjectPath> {
        self.filter.reload();
        let found = self.walk(Path::new(""), listener);
        found.into_iter().map(|found| found.path).chain(self.book.paths().cloned()).collect()
    }

    fn look(&mut self, listener: &mut dyn Listener) -> BTreeSet<ProjectPath> {
        let found = self.walk(Path::new(""), listener);
        let stamps: HashMap<ProjectPath, Stamp> =
            found.into_iter().map(|found| (found.path.clone(), stamp(&found))).collect();
        let before = self.stamps.replace(stamps);
        let (Some(before), Some(now)) = (before, &self.stamps) else {
            return self.everything(listener);
        };
        let changed = now.iter().filter(|(path, stamp)| before.get(*path) != Some(*stamp));
        let gone = before.keys().filter(|path| !now.contains_key(*path));
        let changed: BTreeSet<ProjectPath> =
            changed.map(|(path, _)| path).chain(gone).cloned().collect();
        if changed.iter().any(|path| filter::holds_rules(Path::new(path.as_str()))) {
            return self.everything(listener);
        }
        changed
    }

    fn touched(
        &mut self,
        paths: BTreeSet<PathBuf>,
        listener: &mut dyn Listener,
    ) -> BTreeSet<ProjectPath> {
        let mut touched = BTreeSet::new();
        for path in paths {
            let Some(name) = filter::project_path(&path) else { continue };
            touched.extend(self.book.below(&name));
            let is_directory =
                self.root.join(&path).symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            if is_directory && self.filter.keeps(&path, filter::Place::Directory) {
                touched.extend(self.walk(&path, listener).into_iter().map(|found| found.path));
            }
            touched.insert(name);
        }
        touched
    }

    /// The next request; nothing if there is nothing to tell. The first one of a process is made in
    /// any case: it finds out whether the server still has what it acknowledged.
    fn next_batch(&mut self, todo: &mut Todo, listener: &mut dyn Listener) -> Option<Batch> {
        let base = self.book.version();
        let step = Step { base, version: base.max(self.newest) + 1 };
        let mut batch = Batch::new(&self.project, step, &self.root.to_string_lossy());
        while let Some((there, path)) = todo.pop_first() {
            let Some((change, text)) = self.compare(&path, listener) else { continue };
            let kind = Kind::of(&change);
            let Some(piece) = Piece::new(&path, change) else { continue };
            if !batch.takes(&piece, self.limit) {
                todo.insert((there, path));
                break;
            }
            let entry = text.map(|text| self.keep(&text));
            batch.add(path, (&piece, kind), entry);
        }
        (!batch.is_empty() || !self.confirmed).then_some(batch)
    }

    fn keep(&mut self, text: &str) -> Entry {
        self.book.keep(ContentHash::of(text.as_bytes()), text)
    }

    /// What happened to a file since the server acknowledged it, and its text now.
    fn compare(
        &mut self,
        path: &ProjectPath,
        listener: &mut dyn Listener,
    ) -> Option<(Change, Option<String>)> {
        let known = self.book.get(path).copied();
        let followed = self.filter.keeps(Path::new(path.as_str()), filter::Place::File);
        let content = if followed { read::read(&self.root, path) } else { Content::Nothing(None) };
        let after = self.permitted(path, content, listener);
        let hash = after.as_ref().map(|text| ContentHash::of(text.as_bytes()));
        if hash == known.map(|entry| entry.hash) {
            return None;
        }
        let text_before = known.filter(|_| after.is_some()).and_then(|one| self.book.text(&one));
        let before = known.map(|entry| (entry.hash, text_before.as_deref()));
        let change = batch::change(&Passage { before, after: after.as_deref() })?;
        Some((change, after))
    }

    fn permitted(
        &mut self,
        path: &ProjectPath,
        content: Content,
        listener: &mut dyn Listener,
    ) -> Option<String> {
        match content {
            Content::Secret(why) => {
                if self.withheld.insert(path.clone()) {
                    listener.withheld(path.as_str(), why);
                }
                None
            }
            Content::Nothing(why) => {
                if let Some(why) = why {
                    listener.skipped(path.as_str(), &why.to_string());
                }
                self.withheld.remove(path);
                None
            }
            Content::Text(text) => {
                self.withheld.remove(path);
                Some(text)
            }
        }
    }

    /// After this the book is empty and everything is told anew.
    fn begin_anew(&mut self, step: Step, server: u64, resyncs: u32) -> Result<(), WatchError> {
        if resyncs > MOST_RESYNCS {
            return Err(WatchError::Contested { project: self.project.clone() });
        }
        if resyncs > 1 {
            self.sender.pause_after(resyncs)?;
        }
        self.newest = self.newest.max(server).max(step.base);
        self.book.forget();
        self.confirmed = false;
        Ok(())
    }

    fn make_smaller(
        &mut self,
        bytes: usize,
        files: usize,
        message: String,
    ) -> Result<(), WatchError> {
        if files <= 1 || bytes <= SMALLEST_BATCH {
            return Err(WatchError::Refused { status: 413, message });
        }
        self.limit = bytes / 2;
        Ok(())
    }
}

fn told(
    taken: &Acknowledged,
    step: Step,
    (counts, bytes): (batch::Counts, usize),
    began: Instant,
) -> Told {
    let elapsed = SystemClock.instant().saturating_duration_since(began);
    Told {
        project: taken.project.clone(),
        base_version: step.base,
        version: step.version,
        counts,
        bytes,
        files_total: taken.files_total,
        tokens: taken.tokens,
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    }
}

fn stamp(found: &Found) -> Stamp {
    let metadata = found.metadata.as_ref();
    (metadata.and_then(|one| one.modified().ok()), metadata.map_or(0, std::fs::Metadata::len))
}

/// The directory's own path, without links.
fn directory(path: &Path) -> Result<PathBuf, WatchError> {
    let failed = |source| WatchError::Root { path: path.to_owned(), source };
    let root = path.canonicalize().map_err(failed)?;
    std::fs::read_dir(&root).map_err(failed)?;
    Ok(root)
}

/// A path without links as far as it exists.
fn absolute(path: &Path) -> Option<PathBuf> {
    path.canonicalize().or_else(|_| std::path::absolute(path)).ok()
}

/// One place for each directory, server and project.
fn place(state: &Path, root: &Path, (server, project): (&str, &str)) -> Place {
    let owner = format!("{}\n{server}\n{project}", root.display());
    let name: String = ContentHash::of(owner.as_bytes()).to_string().chars().take(32).collect();
    Place { directory: state.join(name), owner }
}

fn book(place: Option<&Place>, listener: &mut dyn Listener) -> Result<Book, WatchError> {
    let Some(place) = place else { return Ok(Book::fleeting()) };
    match Book::open(place) {
        Ok(book) => Ok(book),
        Err(error @ BookError::Taken) => Err(WatchError::State(error.to_string())),
        Err(error @ BookError::Io { .. }) => {
            listener.notice(&format!("{error}; every start sends everything anew"));
            Ok(Book::fleeting())
        }
    }
}
