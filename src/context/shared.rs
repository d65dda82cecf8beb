//! What the request path, the deltas and the keeper of the file share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use moka::sync::Cache;
use tokio::sync::{Mutex, Semaphore};

use super::blocks::Blocks;
use super::slot::Slot;
use crate::clock::Clock;
use crate::delta::ContentHash;
use crate::store::context::{ContextReader, FileError, ProjectRow};

/// Bytes of the texts in memory.
const TEXTS: u64 = 64 << 20;
/// Deltas that are worked on at a time.
const DELTAS: usize = 2;
/// What a file of a project takes in memory, with its words.
const FILE_MEMORY: u64 = 3 << 10;
/// What all projects in memory take.
const MEMORY: u64 = 192 << 20;
/// After so many seconds without a use a project is in the file only.
const IDLE_S: i64 = 30 * 60;

pub(super) type Slots = BTreeMap<Arc<str>, Arc<Slot>>;

#[derive(Debug)]
pub(super) struct Shared {
    pub path: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub slots: ArcSwap<Slots>,
    /// `None`: the file is not open.
    pub reader: ArcSwapOption<ContextReader>,
    /// Why the file cannot be used at this moment.
    pub fault: ArcSwapOption<FileError>,
    pub texts: Cache<ContentHash, Arc<str>>,
    pub blocks: Blocks,
    pub deltas: Semaphore,
    /// Held while the words of a project are read.
    pub loads: Mutex<()>,
    /// Held while a project is begun.
    pub beginning: Mutex<()>,
}

impl Shared {
    pub(super) fn new(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let weigh = |_: &ContentHash, text: &Arc<str>| {
            u32::try_from(text.len()).unwrap_or(u32::MAX).max(64)
        };
        Self {
            path,
            clock,
            slots: ArcSwap::default(),
            reader: ArcSwapOption::empty(),
            fault: ArcSwapOption::empty(),
            texts: Cache::builder().weigher(weigh).max_capacity(TEXTS).build(),
            blocks: Blocks::default(),
            deltas: Semaphore::new(DELTAS),
            loads: Mutex::default(),
            beginning: Mutex::default(),
        }
    }

    pub(super) fn slot(&self, name: &str) -> Option<Arc<Slot>> {
        self.slots.load().get(name).cloned()
    }

    pub(super) fn put(&self, slot: &Arc<Slot>) {
        self.slots.rcu(|slots| {
            let mut slots = Slots::clone(slots);
            slots.insert(Arc::clone(&slot.name), Arc::clone(slot));
            slots
        });
    }

    pub(super) fn remove(&self, name: &str) {
        self.slots.rcu(|slots| {
            let mut slots = Slots::clone(slots);
            slots.remove(name);
            slots
        });
        self.blocks.forget(name);
    }

    /// Takes over what the file says. Returns whether it says anything else than was known.
    pub(super) fn adopt(&self, rows: &[ProjectRow]) -> bool {
        let known = self.slots.load();
        let mut slots = Slots::new();
        for row in rows {
            let Some(read) = Slot::read(row) else {
                tracing::warn!("a project in context.sqlite cannot be read");
                continue;
            };
            let same = |slot: &&Arc<Slot>| {
                slot.owner == read.owner && **slot.facts.load() == **read.facts.load()
            };
            let slot = known.get(&read.name).filter(same).cloned();
            slots.insert(Arc::clone(&read.name), slot.unwrap_or_else(|| Arc::new(read)));
        }
        let kept = |(name, slot): (&Arc<str>, &Arc<Slot>)| {
            slots.get(name).is_some_and(|now| Arc::ptr_eq(now, slot))
        };
        if known.len() == slots.len() && known.iter().all(kept) {
            return false;
        }
        self.slots.store(Arc::new(slots));
        true
    }

    /// Says once why there is no context.
    pub(super) fn fail(&self, error: &FileError) {
        let said = self.fault.swap(Some(Arc::new(error.clone())));
        if said.is_none_or(|said| said.to_string() != error.to_string()) {
            tracing::warn!(%error, "requests are given no project context");
        }
    }

    pub(super) fn recover(&self) {
        if self.fault.load().is_some() {
            self.fault.store(None);
            tracing::info!("context.sqlite can be used");
        }
    }

    /// Leaves projects that nobody uses, and the longest unused ones beyond the bound, to the file.
    pub(super) fn evict(&self) {
        let now = self.clock.now().as_second();
        let slots = self.slots.load();
        let mut loaded: Vec<&Arc<Slot>> =
            slots.values().filter(|slot| slot.project.load().is_some()).collect();
        loaded.sort_by_key(|slot| std::cmp::Reverse(slot.used()));
        let mut taken = 0;
        for slot in loaded {
            taken += slot.facts.load().files * FILE_MEMORY;
            let idle = now.saturating_sub(slot.used()) > IDLE_S;
            if (idle || taken > MEMORY)
                && let Ok(_nobody_changes_it) = slot.gate.try_lock()
            {
                slot.project.store(None);
            }
        }
    }
}
