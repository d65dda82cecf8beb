//! The place of one project: what is known of it without its files, who may have it, and, while it is
//! in use, the project itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};

use super::apply::Totals;
use super::{Project, Reader};
use crate::ids::KeyId;
use crate::store::context::ProjectRow;

/// Messages that are remembered, besides the last one.
const REMEMBERED: usize = 128;
/// For how long they are, in seconds: longer than a message is on its way.
const REMEMBERED_S: i64 = 15 * 60;
/// A digest and the second it came, in the file.
const ENTRY: usize = 24;

pub(super) type Digest = [u8; 16];

#[derive(Debug)]
pub(super) struct Slot {
    pub name: Arc<str>,
    /// The key that wrote it first.
    pub owner: KeyId,
    pub facts: ArcSwap<Facts>,
    /// `None`: only in the file.
    pub project: ArcSwapOption<Project>,
    /// Held while the project is loaded, changed or removed.
    pub gate: Arc<Mutex<()>>,
    pub course: parking_lot::Mutex<Course>,
    /// Somebody loads it.
    pub loading: AtomicBool,
    /// Whenever loading has come to something or failed.
    pub loaded: Notify,
    /// The second of the last use.
    used: AtomicI64,
}

/// How messages came, in this process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Course {
    /// When the latest one that was taken in came. By this the order of two is known of which a
    /// client gave up the first: versions alone do not say it where a copy is begun anew.
    pub latest: Option<Instant>,
    /// Until then the copy may lack files that further parts of a resync bring.
    pub partial_until: Option<Instant>,
}

/// What is known without the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub root: Option<Arc<str>>,
    pub version: u64,
    pub files: u64,
    pub bytes: u64,
    /// Estimated.
    pub tokens: u64,
    pub changed_at: Timestamp,
    /// Oldest first, each with the second it came.
    pub(super) messages: Vec<(Digest, i64)>,
}

/// Whether a message has come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    No,
    /// It is the last one that was taken in.
    Last,
    /// Others have come since.
    Earlier,
}

impl Slot {
    pub(super) fn new(name: &str, owner: KeyId, facts: Facts) -> Self {
        Self {
            name: name.into(),
            owner,
            facts: ArcSwap::from_pointee(facts),
            project: ArcSwapOption::empty(),
            gate: Arc::default(),
            course: parking_lot::Mutex::default(),
            loading: AtomicBool::new(false),
            loaded: Notify::new(),
            used: AtomicI64::new(0),
        }
    }

    /// `None`: the row cannot be understood.
    pub(super) fn read(row: &ProjectRow) -> Option<Self> {
        let count = |value: i64| u64::try_from(value).ok();
        let facts = Facts {
            root: row.root.as_deref().map(Arc::from),
            version: count(row.version)?,
            files: count(row.files)?,
            bytes: count(row.bytes)?,
            tokens: count(row.tokens)?,
            changed_at: Timestamp::from_microsecond(row.changed_at).ok()?,
            messages: read_messages(&row.messages),
        };
        Some(Self::new(&row.name, row.owner.as_str().into(), facts))
    }

    /// Callers without a client key, and the owner, have all projects; a client key has those that it
    /// wrote first, within its list.
    pub(super) fn open_to(&self, reader: &Reader) -> bool {
        let own = reader.admin || !reader.key.is_client() || self.owner == reader.key;
        own && reader.may_name(&self.name)
    }

    pub(super) fn touch(&self, now: Timestamp) {
        self.used.store(now.as_second(), Ordering::Relaxed);
    }

    /// The second of the last use.
    pub(super) fn used(&self) -> i64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl Facts {
    pub(super) fn heard(&self, digest: &Digest, now: Timestamp) -> Heard {
        let recent = |at: i64| now.as_second().saturating_sub(at) <= REMEMBERED_S;
        match self.messages.split_last() {
            Some(((last, _), _)) if last == digest => Heard::Last,
            Some((_, earlier)) if earlier.iter().any(|(one, at)| one == digest && recent(*at)) => {
                Heard::Earlier
            }
            Some(_) | None => Heard::No,
        }
    }

    /// The facts after a message was taken in.
    pub(super) fn after(
        earlier: Option<&Self>,
        project: &Project,
        totals: Totals,
        (digest, now): (Digest, Timestamp),
    ) -> Self {
        let second = now.as_second();
        let recent = |(_, at): &&(Digest, i64)| second.saturating_sub(*at) <= REMEMBERED_S;
        let earlier = earlier.map(|facts| facts.messages.as_slice()).unwrap_or_default();
        let mut messages: Vec<_> = earlier.iter().filter(recent).copied().collect();
        messages.push((digest, second));
        messages.drain(..messages.len().saturating_sub(REMEMBERED));
        Self {
            root: project.root.clone(),
            version: project.version,
            files: totals.files,
            bytes: totals.bytes,
            tokens: totals.tokens,
            changed_at: now,
            messages,
        }
    }

    /// As the file keeps it.
    pub(super) fn row(&self, name: &str, owner: &KeyId) -> ProjectRow {
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        ProjectRow {
            name: name.to_owned(),
            owner: owner.as_str().to_owned(),
            root: self.root.as_deref().map(str::to_owned),
            version: count(self.version),
            files: count(self.files),
            bytes: count(self.bytes),
            tokens: count(self.tokens),
            changed_at: self.changed_at.as_microsecond(),
            messages: self
                .messages
                .iter()
                .flat_map(|(digest, at)| digest.iter().copied().chain(at.to_le_bytes()))
                .collect(),
        }
    }
}

fn read_messages(bytes: &[u8]) -> Vec<(Digest, i64)> {
    let entry = |entry: &[u8]| {
        let (digest, at) = entry.split_at_checked(16)?;
        Some((digest.try_into().ok()?, i64::from_le_bytes(at.try_into().ok()?)))
    };
    bytes.chunks_exact(ENTRY).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn after(earlier: Option<&Facts>, digest: u8, second: i64) -> Facts {
        let project = super::super::apply::nothing("shop");
        Facts::after(earlier, &project, Totals::default(), ([digest; 16], at(second)))
    }

    #[test]
    fn messages_are_known_again_also_after_the_file_was_read() {
        let facts = after(Some(&after(Some(&after(None, 1, 100)), 2, 200)), 3, 300);
        let slot = Slot::read(&facts.row("shop", &"key_1".into())).unwrap();
        assert_eq!(**slot.facts.load(), facts);
        for (digest, heard) in
            [(1, Heard::Earlier), (2, Heard::Earlier), (3, Heard::Last), (4, Heard::No)]
        {
            assert_eq!(slot.facts.load().heard(&[digest; 16], at(301)), heard, "{digest}");
        }
    }

    #[test]
    fn an_old_message_may_come_again() {
        let facts = after(Some(&after(None, 1, 100)), 2, 200);
        let later = at(200 + REMEMBERED_S);
        assert_eq!(facts.heard(&[1; 16], later), Heard::No);
        assert_eq!(facts.heard(&[2; 16], at(1_000_000)), Heard::Last);
        assert_eq!(after(Some(&facts), 3, later.as_second()).messages.len(), 2);
    }

    #[test]
    fn a_key_has_what_it_wrote_first_within_its_list() {
        let slot = Slot::new("shop", "key_1".into(), after(None, 1, 1));
        let reader = |key: &str, admin: bool, allowed: Option<&str>| Reader {
            key: key.into(),
            admin,
            allowed: allowed.map(|name| vec![name.to_owned()]),
        };
        assert!(slot.open_to(&reader("key_1", false, None)));
        assert!(slot.open_to(&reader("key_1", false, Some("shop"))));
        assert!(!slot.open_to(&reader("key_1", false, Some("other"))));
        assert!(!slot.open_to(&reader("key_2", false, None)));
        assert!(!slot.open_to(&reader("key_2", false, Some("shop"))));
        assert!(slot.open_to(&reader("master", true, None)));
        assert!(slot.open_to(&reader("local", false, None)));
    }
}
