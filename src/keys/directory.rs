//! The keys as the running router knows them: a snapshot that requests look into without a wait, kept
//! in step with the ledger's file, which other processes (`edge-router keys`) write.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use subtle::ConstantTimeEq;

use super::ClientKey;
use super::secret::Digest;
use crate::clock::Clock;
use crate::ids::KeyId;
use crate::store::keys::KeyRow;
use crate::store::{Reader, StoreError};

/// Keys that are not known are looked for in the file once in this time, for all who sent one together.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// All keys at one moment.
#[derive(Debug, Default)]
pub struct Keys {
    version: i64,
    /// Rows there are, those too that cannot be read.
    given_out: usize,
    /// In the order of their creation, the revoked ones too.
    all: Vec<Arc<ClientKey>>,
    /// By the first bytes of the digest; the rest is compared in constant time.
    by_digest: HashMap<[u8; 8], Vec<(Digest, Arc<ClientKey>)>>,
}

/// What a secret that was sent came to.
#[derive(Clone, Debug)]
pub enum Found {
    Live(Arc<ClientKey>),
    Revoked,
}

#[derive(Debug)]
pub struct Directory {
    reader: Reader,
    keys: ArcSwap<Keys>,
    /// Reads one at a time, so that an older one never replaces a newer one.
    refreshing: tokio::sync::Mutex<()>,
    /// When the last look for an unknown key began; held while one looks.
    looking: tokio::sync::Mutex<Option<Instant>>,
    failing: AtomicBool,
}

impl Keys {
    pub(super) fn new(version: i64, rows: &[KeyRow], before: &Self) -> Self {
        let mut keys = Self { version, given_out: rows.len(), ..Self::default() };
        for row in rows {
            let (key, digest) = match (ClientKey::try_from(row), digest_of(row)) {
                (Ok(key), Some(digest)) => (key, digest),
                (key, _) => {
                    let error = key.err().map(|error| error.to_string());
                    tracing::error!(id = row.id, error, "a client key is not usable");
                    continue;
                }
            };
            let known = before.by_id(&key.id).filter(|had| had.revoked_at == key.revoked_at);
            // What it has counted goes on counting.
            let key = known.map_or_else(|| Arc::new(key), Arc::clone);
            let entry = (digest, Arc::clone(&key));
            keys.by_digest.entry(start(&digest)).or_default().push(entry);
            keys.all.push(key);
        }
        keys
    }

    /// Whose secret this is the digest of.
    pub fn find(&self, digest: &Digest) -> Option<Found> {
        let near = self.by_digest.get(&start(digest))?;
        let same = |had: &Digest| bool::from(had.as_bytes().ct_eq(digest.as_bytes()));
        let (_, key) = near.iter().find(|(had, _)| same(had))?;
        Some(match key.revoked_at {
            None => Found::Live(Arc::clone(key)),
            Some(_) => Found::Revoked,
        })
    }

    /// Whether any key has ever been given out.
    pub fn any(&self) -> bool {
        self.given_out > 0
    }

    /// The keys that are not revoked.
    pub fn live(&self) -> impl Iterator<Item = &Arc<ClientKey>> {
        self.all.iter().filter(|key| key.revoked_at.is_none())
    }

    /// All keys in the order of their creation, the revoked ones too.
    pub fn all(&self) -> &[Arc<ClientKey>] {
        &self.all
    }

    /// The key of this name or id: the live one, else the one that was revoked last.
    pub fn named(&self, name: &str) -> Option<&Arc<ClientKey>> {
        let of_name = |key: &&Arc<ClientKey>| key.name() == name || key.id.as_str() == name;
        self.live().find(of_name).or_else(|| self.all.iter().rev().find(of_name))
    }

    /// What people call the key of this id: its name, with the id behind it where the name is another
    /// key's by now. Callers without a key are called what they are.
    pub fn label(&self, id: &KeyId) -> KeyId {
        let Some(key) = self.by_id(id) else { return id.clone() };
        match self.named(key.name()) {
            Some(known) if known.id == *id => key.name().into(),
            _ => format!("{} ({id})", key.name()).as_str().into(),
        }
    }

    fn by_id(&self, id: &KeyId) -> Option<&Arc<ClientKey>> {
        self.all.iter().find(|key| key.id == *id)
    }
}

fn start(digest: &Digest) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
    [a, b, c, d, e, f, g, h]
}

fn digest_of(row: &KeyRow) -> Option<Digest> {
    <[u8; 32]>::try_from(row.hash.as_slice()).ok().map(Digest::from_bytes)
}

impl Directory {
    /// Reads the keys for the first time. Where the file cannot be read there are none until it can be: what
    /// costs money is refused by the ledger meanwhile.
    pub async fn open(reader: Reader) -> Self {
        let directory = Self {
            reader,
            keys: ArcSwap::default(),
            refreshing: tokio::sync::Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            failing: AtomicBool::new(false),
        };
        directory.refresh().await;
        directory
    }

    /// The keys as of the last look.
    pub fn current(&self) -> Guard<Arc<Keys>> {
        self.keys.load()
    }

    /// Takes over what other processes have changed: one small read where nothing has. A file that
    /// cannot be read leaves what is known in force.
    pub async fn refresh(&self) {
        let _one_at_a_time = self.refreshing.lock().await;
        let known = self.keys.load().version;
        match self.read(known).await {
            Ok(()) => self.failing.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "changes of client keys are not seen until the ledger can be read");
                }
            }
        }
    }

    /// Looks into the file because of a key that is not known, unless it has become `known` meanwhile.
    /// Whoever comes right after a look waits a moment, and one look then serves all.
    pub async fn look_again(&self, clock: &dyn Clock, known: impl Fn(&Keys) -> bool) {
        let came = clock.instant();
        let mut last = self.looking.lock().await;
        if known(&self.keys.load()) || last.is_some_and(|began| began > came) {
            return;
        }
        if let Some(began) = *last {
            let since = clock.instant().saturating_duration_since(began);
            tokio::time::sleep(LOOK_EVERY.saturating_sub(since)).await;
        }
        *last = Some(clock.instant());
        self.refresh().await;
    }

    async fn read(&self, known: i64) -> Result<(), StoreError> {
        // The version first: what changes in between is then read again.
        let version = self.reader.keys_version().await?;
        if known != version {
            let rows = self.reader.keys().await?;
            let keys = Keys::new(version, &rows, &self.keys.load());
            self.keys.store(Arc::new(keys));
        }
        Ok(())
    }
}
