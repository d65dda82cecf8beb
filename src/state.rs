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
use crate::context::Projects;
use crate::conversation::Conversations;
use crate::ids::ProviderId;
use crate::inference::classifier::Classifier;
use crate::keys::Directory;
use crate::ledger::Ledger;
use crate::limits::{Buckets, Health};
use crate::providers::embedded::{EmbeddedProvider, Readiness};
use crate::providers::{Provider, ProviderKind, ProviderSettings};

/// Everything that a reload replaces, as one immutable value. A request keeps the one it began with.
#[derive(Debug)]
pub struct Snapshot {
    pub config: Config,
    /// The configuration's catalogue and what was discovered on local servers.
    pub catalog: Arc<Catalog>,
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
    /// The client keys.
    pub keys: Directory,
    pub health: Health,
    pub buckets: Buckets,
    pub classifier: Classifier,
    pub conversations: Conversations,
    /// What watchers tell of developers' projects.
    pub projects: Projects,
    /// The engine inside the router, where its model file is there or being fetched.
    pub embedded: Option<Arc<EmbeddedProvider>>,
    /// Models found on local servers, by provider; merged into each new snapshot.
    pub discovered: Mutex<HashMap<ProviderId, Vec<Model>>>,
    /// Why the newest configuration file is not in force.
    pub reload_error: Mutex<Option<String>>,
    /// Every relay and background task; drained on shutdown.
    pub tasks: TaskTracker,
    pub shutdown: CancellationToken,
    /// Cancelled when requests that run at shutdown have had their time: they are cut and settled.
    pub cut: CancellationToken,
    /// Held while a new snapshot is put together, so that none is lost.
    pub assembling: Mutex<()>,
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
        self.snapshot.load().catalog.models().iter().any(|model| self.model_down(model).is_none())
    }

    /// Why this model cannot be called at this moment; `None`: it can.
    pub fn model_down(&self, model: &Model) -> Option<String> {
        if model.is_gone(self.runtime.clock.now()) {
            return Some("its provider has removed it".to_owned());
        }
        let snapshot = self.snapshot.load();
        let Some(entry) = snapshot.providers.get(&model.provider) else {
            return Some("its provider is not configured or has no key".to_owned());
        };
        let runtime = &self.runtime;
        if let Some(why) = runtime.engine_down(&entry.settings) {
            return Some(why);
        }
        let keys = entry.settings.api_keys.len();
        runtime.health.status(model, keys, runtime.clock.instant()).map(|down| down.why)
    }
}

impl Runtime {
    /// Why the embedded engine cannot answer, if `provider` is it and it cannot.
    pub fn engine_down(&self, provider: &ProviderSettings) -> Option<String> {
        if provider.kind != ProviderKind::Embedded {
            return None;
        }
        match self.embedded.as_ref().map(|engine| engine.ready()) {
            Some(Readiness::Ready(_)) => None,
            Some(Readiness::Loading) => Some("the embedded model is still loading".to_owned()),
            Some(Readiness::Failed(why)) => Some(format!("the embedded model does not load: {why}")),
            Some(Readiness::Missing) | None => Some(
                "the embedded model is not there; `edge-router models pull smollm2-135m` fetches it"
                    .to_owned(),
            ),
        }
    }
}
