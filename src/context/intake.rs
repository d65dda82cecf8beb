//! The way of a delta: from the message to what is kept. Each is taken in by a task of its own, so
//! that a client that hangs up leaves nothing half done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::apply::{self, Applied, totals};
use super::keeper::Message;
use super::rows::{commit, entry};
use super::slot::{Digest, Heard, Slot};
use super::{DeltaError, Facts, Index, Project, Projects, Reader};
use crate::delta::{Acknowledged, Change, Delta, ProjectPath};
use crate::store::StoreError;
use crate::store::context::{Commit, Committed, ContextReader, FileError};

/// Projects of one router.
const MOST_PROJECTS: usize = 200;
/// How long a delta waits for others of its project, and for a place.
const QUEUEING: Duration = Duration::from_secs(20);
/// How long it waits for the file.
const WRITING: Duration = Duration::from_secs(30);
/// Bytes of files from which on a resync may have further parts, and how soon the next one comes.
const LARGE: usize = 1 << 20;
const BETWEEN_PARTS: Duration = Duration::from_secs(2);
/// Texts that are read at a time when a project is loaded.
const PAGE: i64 = 200;

/// How one attempt to take a delta in ended.
enum Attempt {
    Done(Acknowledged),
    /// The file knows more than memory: another process has written to it.
    Stale,
}

/// A delta with what is worked out once.
struct Arrived {
    delta: Delta,
    digest: Digest,
    reader: Reader,
    came: Instant,
    now: Timestamp,
}

impl Projects {
    /// Makes the delta the project's newest version, in memory and in the file, or changes nothing.
    /// One that was taken in last is acknowledged once more; one that `came` before it is refused.
    ///
    /// # Errors
    /// [`DeltaError`], by what is wrong.
    pub async fn apply(
        &self,
        delta: Delta,
        reader: Reader,
        came: Instant,
    ) -> Result<Acknowledged, DeltaError> {
        let this = self.clone();
        let task = self.tasks.spawn(async move { this.take_in(delta, reader, came).await });
        task.await.unwrap_or_else(|_| Err(failed()))
    }

    /// Removes a project with everything that was kept of it.
    ///
    /// # Errors
    /// There is none of that name for `reader`, or the file cannot be written.
    pub async fn remove(&self, name: &str, reader: &Reader) -> Result<(), DeltaError> {
        // Finds out, too, whether the reader may.
        let slot = self.shared.slot(name).filter(|slot| slot.open_to(reader));
        let slot = slot.ok_or_else(|| match self.fault() {
            Some(fault) => FileError::clone(&fault).into(),
            None => DeltaError::Unknown,
        })?;
        let this = self.clone();
        let task = self.tasks.spawn(async move {
            let _gate = slot.gate.lock().await;
            let (reply, done) = oneshot::channel();
            this.tell(Message::Remove(Arc::clone(&slot.name), reply)).await?;
            timeout(WRITING, done)
                .await
                .map_err(|_| DeltaError::busy())?
                .map_err(|_| failed())??;
            slot.project.store(None);
            this.shared.remove(&slot.name);
            Ok(())
        });
        task.await.unwrap_or_else(|_| Err(failed()))
    }

    async fn take_in(
        &self,
        delta: Delta,
        reader: Reader,
        came: Instant,
    ) -> Result<Acknowledged, DeltaError> {
        let _place = timeout(QUEUEING, self.shared.deltas.acquire())
            .await
            .map_err(|_| DeltaError::busy())?
            .map_err(|_| failed())?;
        let now = self.shared.clock.now();
        // As the file keeps it.
        let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let arrived = beside(move || {
            apply::check(&delta)?;
            let digest = digest(&delta)?;
            Ok(Arc::new(Arrived { delta, digest, reader, came, now }))
        })
        .await?;
        match self.attempt(&arrived).await {
            Ok(Attempt::Done(acknowledged)) => return Ok(acknowledged),
            // The keeper may have caught up already.
            Ok(Attempt::Stale) => drop(self.catch_up().await?),
            Err(error @ DeltaError::OutOfSync { .. }) => {
                if !self.catch_up().await? {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        match self.attempt(&arrived).await? {
            Attempt::Done(acknowledged) => Ok(acknowledged),
            Attempt::Stale => Err(DeltaError::busy()),
        }
    }

    /// Looks into the file. Returns whether it says anything new.
    async fn catch_up(&self) -> Result<bool, DeltaError> {
        let Some(reader) = self.shared.reader.load_full() else { return Ok(false) };
        Ok(self.shared.adopt(&reader.projects().await?))
    }

    async fn attempt(&self, arrived: &Arc<Arrived>) -> Result<Attempt, DeltaError> {
        if let Some(slot) = self.shared.slot(&arrived.delta.project) {
            return self.attempt_on(&slot, Some(slot.facts.load_full()), arrived).await;
        }
        let _one_at_a_time = timeout(QUEUEING, self.shared.beginning.lock())
            .await
            .map_err(|_| DeltaError::busy())?;
        match self.shared.slot(&arrived.delta.project) {
            Some(slot) => self.attempt_on(&slot, Some(slot.facts.load_full()), arrived).await,
            None => self.begin(arrived).await,
        }
    }

    /// The first delta of a project.
    async fn begin(&self, arrived: &Arc<Arrived>) -> Result<Attempt, DeltaError> {
        if let Some(fault) = self.fault().filter(|_| arrived.delta.base_version > 0) {
            return Err(FileError::clone(&fault).into());
        }
        let name = arrived.delta.project.as_str();
        if self.count() >= MOST_PROJECTS {
            let message = format!(
                "there are {MOST_PROJECTS} projects, and not more are kept; delete one (DELETE /v1/context/NAME)"
            );
            return Err(DeltaError::invalid("project", message));
        }
        let project = apply::nothing(name);
        let nothing = (Digest::default(), arrived.now);
        let facts = Facts::after(None, &project, apply::Totals::default(), nothing);
        let slot = Arc::new(Slot::new(name, arrived.reader.key.clone(), facts));
        slot.project.store(Some(Arc::new(project)));
        let attempt = self.attempt_on(&slot, None, arrived).await?;
        if let Attempt::Done(_) = attempt {
            self.shared.put(&slot);
        }
        Ok(attempt)
    }

    /// `known`: the project is in the file.
    async fn attempt_on(
        &self,
        slot: &Arc<Slot>,
        known: Option<Arc<Facts>>,
        arrived: &Arc<Arrived>,
    ) -> Result<Attempt, DeltaError> {
        if !slot.open_to(&arrived.reader) {
            let message = "this key may not write the project: another key wrote it first, or the key is bound to other projects".to_owned();
            return Err(DeltaError::NotAllowed { message });
        }
        let _gate = timeout(QUEUEING, slot.gate.lock()).await.map_err(|_| DeltaError::busy())?;
        // Others may have changed it while this one waited.
        let known = known.map(|_| slot.facts.load_full());
        if let Some(facts) = &known
            && let Some(acknowledged) = check_order(&slot.name, facts, arrived)?
        {
            return Ok(Attempt::Done(acknowledged));
        }
        if slot.course.lock().latest.is_some_and(|latest| arrived.came < latest) {
            let version = slot.facts.load().version;
            return Err(DeltaError::out_of_sync(
                version,
                "a later delta was taken in before this one",
            ));
        }
        let Some(project) = self.at_hand(slot).await? else { return Ok(Attempt::Stale) };
        let needed = apply::needed(&arrived.delta);
        let texts = self.read_texts(&slot.name, &needed).await?;
        let (before, owner) = (known.clone(), slot.owner.clone());
        let work = Arc::clone(arrived);
        let (applied, facts, commit) = beside(move || {
            let applied = apply::apply(&project, &work.delta, &texts, work.now)?;
            let sums = totals(&applied.project);
            let message = (work.digest, work.now);
            let facts = Facts::after(before.as_deref(), &applied.project, sums, message);
            let row = facts.row(&applied.project.name, &owner);
            let before = before.map(|facts| i64::try_from(facts.version).unwrap_or(i64::MAX));
            let commit = commit(&applied, row, before);
            Ok((applied, facts, commit))
        })
        .await?;
        if self.write(commit).await? == Committed::Stale {
            return Ok(Attempt::Stale);
        }
        let acknowledged = acknowledge(&slot.name, &facts);
        self.note_course(slot, arrived, &applied);
        self.adopt(slot, applied, facts);
        Ok(Attempt::Done(acknowledged))
    }

    /// A resync that is large and leaves files out may be the first part of several: what it leaves
    /// out is not gone before no further part has come for a while.
    fn note_course(&self, slot: &Slot, arrived: &Arrived, applied: &Applied) {
        let now = self.shared.clock.instant();
        let anew = arrived.delta.base_version == 0;
        let begins = anew && !applied.gone.is_empty() && content_bytes(&arrived.delta) >= LARGE;
        let mut course = slot.course.lock();
        course.latest = Some(arrived.came);
        let goes_on = !anew && course.partial_until.is_some_and(|until| now < until);
        course.partial_until = (begins || goes_on).then(|| now + BETWEEN_PARTS);
    }

    /// What was written is known from now on.
    fn adopt(&self, slot: &Slot, applied: Applied, facts: Facts) {
        for (hash, text) in applied.texts {
            self.shared.texts.insert(hash, text);
        }
        slot.touch(facts.changed_at);
        slot.project.store(Some(Arc::new(applied.project)));
        slot.facts.store(Arc::new(facts));
    }

    /// The project, from the file if it is not in memory; `None`: the file has something else than
    /// was known. The gate is held.
    async fn at_hand(&self, slot: &Slot) -> Result<Option<Arc<Project>>, DeltaError> {
        if slot.project.load().is_none() {
            self.load(slot).await?;
        }
        let version = slot.facts.load().version;
        Ok(slot.project.load_full().filter(|project| project.version == version))
    }

    async fn write(&self, commit: Commit) -> Result<Committed, DeltaError> {
        let (reply, done) = oneshot::channel();
        self.tell(Message::Commit(Box::new(commit), reply)).await?;
        let written = timeout(WRITING, done).await.map_err(|_| DeltaError::busy())?;
        Ok(written.map_err(|_| failed())??)
    }

    async fn tell(&self, message: Message) -> Result<(), DeltaError> {
        let closed = || DeltaError::from(FileError(StoreError::Closed));
        let sent = timeout(QUEUEING, self.intake.send(message)).await;
        sent.map_err(|_| DeltaError::busy())?.map_err(|_| closed())
    }

    /// Brings a project into memory: first its files, so that requests can have it, then what their
    /// words are. The gate is held.
    pub(super) async fn load(&self, slot: &Slot) -> Result<(), FileError> {
        let reader = self.shared.reader.load_full().ok_or(FileError(StoreError::Closed))?;
        let read = reader.project(&slot.name).await?;
        let known = read.and_then(|(row, files)| Some((Slot::read(&row)?, files)));
        let Some((known, files)) = known else { return Ok(()) };
        let facts = known.facts.load_full();
        let project = Project {
            name: Arc::clone(&slot.name),
            root: facts.root.clone(),
            version: facts.version,
            files: files.iter().filter_map(entry).collect(),
            index: Arc::default(),
        };
        slot.project.store(Some(Arc::new(project.clone())));
        slot.loaded.notify_waiters();
        match self.words(&slot.name, &reader).await {
            Ok(index) => {
                slot.project.store(Some(Arc::new(Project { index: Arc::new(index), ..project })));
                Ok(())
            }
            Err(error) => {
                slot.project.store(None);
                Err(error)
            }
        }
    }

    /// The words of all files of a project.
    async fn words(&self, project: &str, reader: &ContextReader) -> Result<Index, FileError> {
        let _one_at_a_time = self.shared.loads.lock().await;
        let mut index = Index::default();
        let mut last = String::new();
        loop {
            let page = reader.texts_after(project, &last, PAGE).await?;
            let Some((path, _)) = page.last() else { return Ok(index) };
            last.clone_from(path);
            let fill = move || {
                for (path, text) in &page {
                    if let Ok(path) = ProjectPath::parse(path) {
                        index.insert(&path, text);
                    }
                }
                index
            };
            let filled = tokio::task::spawn_blocking(fill).await;
            index = filled.map_err(|_| FileError(StoreError::Closed))?;
        }
    }
}

/// Whether the message comes at its time; a repeated one is acknowledged.
fn check_order(
    name: &str,
    facts: &Facts,
    arrived: &Arrived,
) -> Result<Option<Acknowledged>, DeltaError> {
    let base = arrived.delta.base_version;
    match facts.heard(&arrived.digest, arrived.now) {
        Heard::Last => Ok(Some(acknowledge(name, facts))),
        Heard::Earlier => {
            Err(DeltaError::out_of_sync(facts.version, "the delta was taken in before"))
        }
        Heard::No if base != 0 && base != facts.version => {
            let message = format!("the delta starts from version {base}");
            Err(DeltaError::out_of_sync(facts.version, message))
        }
        Heard::No => Ok(None),
    }
}

fn acknowledge(name: &str, facts: &Facts) -> Acknowledged {
    Acknowledged {
        project: name.to_owned(),
        version: facts.version,
        files_total: facts.files,
        tokens: facts.tokens,
    }
}

fn failed() -> DeltaError {
    DeltaError::Unavailable { message: "the delta was not taken in; try again".to_owned() }
}

/// Work that would hold up requests.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeltaError> + Send + 'static,
) -> Result<T, DeltaError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(failed()))
}

fn digest(delta: &Delta) -> Result<Digest, DeltaError> {
    let mut hasher = blake3::Hasher::new();
    serde_json::to_writer(&mut hasher, delta).map_err(|_| failed())?;
    let mut digest = Digest::default();
    hasher.finalize_xof().fill(&mut digest);
    Ok(digest)
}

/// Bytes of the whole texts in a delta.
fn content_bytes(delta: &Delta) -> usize {
    let length = |change: &Change| match change {
        Change::Add { content, .. } => content.len(),
        Change::Modify { .. } | Change::Delete { .. } => 0,
    };
    delta.files.iter().map(|file| length(&file.change)).sum()
}
