//! The composition root: turns a configuration into the parts that serve, and the only place that
//! knows every module.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::ids::ProviderId;
use crate::providers::Provider;

/// Everything that a reload replaces, as one immutable value. A request keeps the one it began with.
#[derive(Debug)]
pub struct Snapshot {
    pub config: Config,
    pub catalog: Catalog,
    pub providers: HashMap<ProviderId, Arc<dyn Provider>>,
}

/// Everything that survives a reload: ledger, health, workers, tasks, clock.
pub struct Runtime {
    pub clock: Arc<dyn Clock>,
}

/// What every handler is given.
#[derive(Clone)]
pub struct AppState {
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub runtime: Arc<Runtime>,
}
