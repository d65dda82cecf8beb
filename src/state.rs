//! What the request path is given: one immutable [`Snapshot`] per configuration and one
//! [`Runtime`] that survives reloads. Holds the parts together; builds none of them (`app` does).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::{Catalog, Model};
use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::Conversations;
use crate::ids::ProviderId;
use crate::inference::classifier::Classifier;
use crate::ledger::Ledger;
use crate::limits::{Buckets, Health};
use crate::providers::embedded::EmbeddedProvider;
use crate::providers::{Provider, ProviderSettings};

/// Everything that a reload replaces, as one immutable value. A request keeps the one it began with.
#[derive(Debug)]
pub struct Snapshot {
    pub config: Config,
    /// The configuration's catalogue and what was discovered on local servers.
    pub catalog: Catalog,
    pub providers: HashMap<ProviderId, ProviderEntry>,
}

/// A provider that can be called.
#[derive(Clone, Debug)]
pub struct ProviderEntry {
    pub settings: ProviderSettings,
    pub transport: Arc<dyn Provider>,
}

/// Everything that survives a reload: ledger, health, workers, tasks, clock.
pub struct Runtime {
    pub clock: Arc<dyn Clock>,
    pub ledger: Ledger,
    pub health: Health,
    pub buckets: Buckets,
    pub classifier: Classifier,
    pub conversations: Conversations,
    /// The engine inside the router, where its model file is there or being fetched.
    pub embedded: Option<Arc<EmbeddedProvider>>,
    /// Models found on local servers, by provider; merged into each new snapshot.
    pub discovered: Mutex<HashMap<ProviderId, Vec<Model>>>,
    /// Why the newest configuration file is not in force.
    pub reload_error: Mutex<Option<String>>,
    /// Every relay and background task; drained on shutdown.
    pub tasks: TaskTracker,
    pub shutdown: CancellationToken,
    /// Counts requests, for round-robin aliases.
    pub turn: AtomicU64,
}

/// What every handler is given.
#[derive(Clone)]
pub struct AppState {
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub runtime: Arc<Runtime>,
}

impl AppState {
    /// The configuration in force now.
    pub fn current(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Whether some backend can serve at this moment.
    pub fn ready(&self) -> bool {
        let snapshot = self.snapshot.load();
        snapshot.catalog.models().iter().any(|model| {
            model.active && snapshot.providers.contains_key(&model.provider) && !self.is_loading(model)
        })
    }

    fn is_loading(&self, model: &Model) -> bool {
        self.runtime
            .embedded
            .as_ref()
            .is_some_and(|engine| engine.serves(&model.provider) && !engine.is_ready())
    }
}
