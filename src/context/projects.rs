//! The projects that the router has a copy of, and what each conversation was shown of them: what
//! the request path asks for. It never waits long: a project that is not in memory yet is loaded
//! beside the request.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::blocks::{self, Conversation};
use super::keeper::{self, Message, QUEUE};
use super::shared::Shared;
use super::slot::Slot;
use super::{Block, DeltaError, Facts, Project};
use crate::clock::Clock;
use crate::delta::ContentHash;
use crate::ids::KeyId;
use crate::store::context::{ContextReader, FileError, Kept};

/// How long a request waits for a project to come into memory, for texts, or for blocks.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long somebody waits who asks for a project itself.
const LONG_PATIENCE: Duration = Duration::from_secs(10);
/// How long the start waits for the file.
const OPENING: Duration = Duration::from_secs(1);
/// How long the end waits for what is left to be written.
const CLOSING: Duration = Duration::from_secs(3);
/// Projects that are loaded at the start, and how long ago they may have changed.
const WARM: usize = 3;
const WARM_S: i64 = 7 * 24 * 3600;

/// Who wants to be given, or to write, a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    pub key: KeyId,
    pub admin: bool,
    /// The projects that a client key is bound to; `None`: it is not bound.
    pub allowed: Option<Vec<String>>,
}

impl Reader {
    /// Whether the name is within the key's list.
    pub(super) fn may_name(&self, name: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|one| one == name))
    }
}

/// A cheap clone of what is known of all projects.
#[derive(Clone, Debug)]
pub struct Projects {
    pub(super) shared: Arc<Shared>,
    pub(super) intake: mpsc::Sender<Message>,
    pub(super) tasks: TaskTracker,
}

/// A project without its files.
#[derive(Clone, Debug)]
pub struct Known {
    pub name: Arc<str>,
    pub facts: Arc<Facts>,
}

/// What the file at `path` holds.
///
/// # Errors
/// It cannot be read.
pub async fn kept(path: &Path) -> Result<Kept, FileError> {
    let reader = ContextReader::new(path);
    let kept = reader.kept().await;
    reader.close().await;
    kept
}

impl Projects {
    /// Opens the file at `path` if there is one; else it is made with the first project. One that
    /// cannot be used is tried again, and until then nothing is known. `tasks`: what deltas and
    /// loads run in. Needs a tokio runtime.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>, tasks: &TaskTracker) -> Self {
        let shared = Arc::new(Shared::new(path.to_owned(), clock));
        let (intake, messages) = mpsc::channel(QUEUE);
        let (opened, opening) = oneshot::channel();
        keeper::start(Arc::clone(&shared), messages, opened);
        let projects = Self { shared, intake, tasks: tasks.clone() };
        let _ = tokio::time::timeout(OPENING, opening).await;
        projects.warm();
        projects
    }

    /// True while no project is known at all: the request path then does nothing.
    pub fn is_empty(&self) -> bool {
        self.shared.slots.load().is_empty()
    }

    /// Why projects are neither changed nor given at this moment.
    pub fn fault(&self) -> Option<Arc<FileError>> {
        self.shared.fault.load_full()
    }

    /// How many projects there are.
    pub fn count(&self) -> usize {
        self.shared.slots.load().len()
    }

    /// The projects that `reader` may be given, by name.
    pub fn list(&self, reader: &Reader) -> Vec<Known> {
        let slots = self.shared.slots.load();
        let open = slots.values().filter(|slot| slot.open_to(reader));
        open.map(|slot| Known { name: Arc::clone(&slot.name), facts: slot.facts.load_full() })
            .collect()
    }

    /// The project of this name, if `reader` may be given it. `None` also while the file cannot be
    /// used (what is known may be old then), and while the parts of a resync come.
    pub async fn get(&self, name: &str, reader: &Reader) -> Option<Arc<Project>> {
        if self.shared.fault.load().is_some() {
            return None;
        }
        let slot = self.shared.slot(name).filter(|slot| slot.open_to(reader))?;
        let partial_until = slot.course.lock().partial_until;
        if partial_until.is_some_and(|until| self.shared.clock.instant() < until) {
            return None;
        }
        self.loaded(&slot, PATIENCE).await
    }

    /// The project of a request: the one `asked` for by name; else the reader's only one; else the
    /// one whose root the request `mentions`, the longest of several. Ends like [`Projects::get`].
    pub async fn choose(
        &self,
        reader: &Reader,
        asked: Option<&str>,
        mentions: impl Fn(&str) -> bool,
    ) -> Option<Arc<Project>> {
        let name = match asked {
            Some(name) => Arc::from(name),
            None => self.find(reader, mentions)?,
        };
        self.get(&name, reader).await
    }

    fn find(&self, reader: &Reader, mentions: impl Fn(&str) -> bool) -> Option<Arc<str>> {
        let open = self.list(reader);
        if let [only] = open.as_slice() {
            return Some(Arc::clone(&only.name));
        }
        let named = open.into_iter().filter_map(|one| {
            let root = one.facts.root.as_deref().filter(|root| mentions(root))?;
            Some((root.len(), one.name))
        });
        named.max().map(|(_, name)| name)
    }

    /// The project itself, for somebody who asks for nothing else.
    ///
    /// # Errors
    /// There is none of that name for `reader`, or it cannot be read.
    pub async fn inspect(&self, name: &str, reader: &Reader) -> Result<Arc<Project>, DeltaError> {
        let slot = self.shared.slot(name).filter(|slot| slot.open_to(reader));
        let Some(slot) = slot else {
            return match self.fault() {
                Some(fault) => Err(FileError::clone(&fault).into()),
                None => Err(DeltaError::Unknown),
            };
        };
        let unread =
            || DeltaError::Unavailable { message: "the project cannot be read".to_owned() };
        self.loaded(&slot, LONG_PATIENCE).await.ok_or_else(unread)
    }

    /// Texts by hash; what is kept no longer is missing in the answer.
    pub async fn texts(
        &self,
        project: &str,
        hashes: &[ContentHash],
    ) -> HashMap<ContentHash, Arc<str>> {
        let reading = self.read_texts(project, hashes);
        within(PATIENCE, reading).await.unwrap_or_else(|| self.recent_texts(hashes))
    }

    fn recent_texts(&self, hashes: &[ContentHash]) -> HashMap<ContentHash, Arc<str>> {
        let recent = |hash: &ContentHash| Some((*hash, self.shared.texts.get(hash)?));
        hashes.iter().filter_map(recent).collect()
    }

    pub(super) async fn read_texts(
        &self,
        project: &str,
        hashes: &[ContentHash],
    ) -> Result<HashMap<ContentHash, Arc<str>>, FileError> {
        let mut found = self.recent_texts(hashes);
        let missing: HashMap<String, ContentHash> = hashes
            .iter()
            .filter(|hash| !found.contains_key(*hash))
            .map(|hash| (hash.to_string(), *hash))
            .collect();
        let reader = self.shared.reader.load_full();
        if let Some(reader) = reader.filter(|_| !missing.is_empty()) {
            let names: Vec<String> = missing.keys().cloned().collect();
            for (name, text) in reader.texts(project, &names).await? {
                if let Some(hash) = missing.get(&name) {
                    self.shared.texts.insert(*hash, Arc::clone(&text));
                    found.insert(*hash, text);
                }
            }
        }
        Ok(found)
    }

    /// The blocks of a conversation in the order in which they were frozen: from memory, else from
    /// the file.
    pub async fn blocks(&self, conversation: Conversation) -> Arc<[Block]> {
        let blocks = &self.shared.blocks;
        if let Some(known) = blocks.complete(&conversation) {
            return known;
        }
        let Some(reader) = self.shared.reader.load_full() else {
            return blocks.recent(&conversation);
        };
        match within(PATIENCE, reader.blocks(&conversation)).await {
            Some(rows) => {
                let file: Vec<Block> = rows.into_iter().filter_map(blocks::read).collect();
                blocks.complete_with(conversation, &file)
            }
            None => blocks.recent(&conversation),
        }
    }

    /// Keeps a block for the later turns of its conversation: in memory at once, in the file soon. In
    /// a message that has a block already it takes the place of that one and of all after it.
    pub fn freeze(&self, conversation: Conversation, block: Block) {
        let Ok(row) = blocks::row(&conversation, &block, self.shared.clock.now()) else { return };
        if self.shared.blocks.add(conversation, block)
            && self.intake.try_send(Message::Freeze(Box::new(row))).is_err()
        {
            tracing::warn!("a block of context is kept in memory only: the file is too slow");
        }
    }

    /// Writes what is left and closes the file. Nothing is known any more afterwards.
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        let closing = async {
            if self.intake.send(Message::Close(reply)).await.is_ok() {
                let _ = closed.await;
            }
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::warn!("context.sqlite did not close in time");
        }
    }

    /// The project from memory, or as soon as it is there.
    async fn loaded(&self, slot: &Arc<Slot>, patience: Duration) -> Option<Arc<Project>> {
        slot.touch(self.shared.clock.now());
        if let Some(project) = slot.project.load_full() {
            return Some(project);
        }
        let mut loaded = pin!(slot.loaded.notified());
        loaded.as_mut().enable();
        self.start_loading(slot);
        if slot.project.load().is_none() {
            let _ = tokio::time::timeout(patience, loaded).await;
        }
        slot.project.load_full()
    }

    fn start_loading(&self, slot: &Arc<Slot>) {
        if slot.loading.swap(true, Ordering::AcqRel) {
            return;
        }
        let (this, slot) = (self.clone(), Arc::clone(slot));
        self.tasks.spawn(async move {
            let gate = slot.gate.lock().await;
            if slot.project.load().is_none()
                && let Err(error) = this.load(&slot).await
            {
                tracing::warn!(%error, "a project cannot be read");
            }
            drop(gate);
            slot.loading.store(false, Ordering::Release);
            slot.loaded.notify_waiters();
        });
    }

    /// Loads what was worked on lately, so that the first requests find it.
    fn warm(&self) {
        let now = self.shared.clock.now();
        let slots = self.shared.slots.load();
        let mut recent: Vec<_> = slots
            .values()
            .map(|slot| (slot.facts.load().changed_at, slot))
            .filter(|(at, _)| now.as_second().saturating_sub(at.as_second()) < WARM_S)
            .collect();
        recent.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (_, slot) in recent.into_iter().take(WARM) {
            slot.touch(now);
            self.start_loading(slot);
        }
    }
}

/// What comes in time and without an error; else a request goes on without it.
async fn within<T>(
    patience: Duration,
    reading: impl Future<Output = Result<T, FileError>>,
) -> Option<T> {
    match tokio::time::timeout(patience, reading).await {
        Ok(Ok(read)) => Some(read),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a request is given less context");
            None
        }
        Err(_) => {
            tracing::warn!("context.sqlite is too slow; a request is given less context");
            None
        }
    }
}

#[cfg(test)]
mod tests;
