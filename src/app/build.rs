//! Builds the parts once, and the part that a reload replaces as often as needed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::context::Projects;
use crate::conversation::Conversations;
use crate::ids::ProviderId;
use crate::inference::InferenceError;
use crate::inference::classifier::Classifier;
use crate::inference::generator::EngineSettings;
use crate::inference::tier_model::TierModel;
use crate::keys::Directory;
use crate::ledger::Ledger;
use crate::limits::{Buckets, Health};
use crate::providers::embedded::EmbeddedProvider;
use crate::providers::http::{ClientError, HttpClient, HttpProvider};
use crate::providers::{Provider, ProviderKind};
use crate::pull;
use crate::state::{AppState, ProviderEntry, Runtime, Snapshot};
use crate::store::StoreError;

/// What the configuration file does not say.
#[derive(Clone, Debug)]
pub struct Start {
    pub clock: Arc<dyn Clock>,
    /// `EDGE_ROUTER_MODELS_DIR`: catalogue and classifier from here instead of the built-in ones.
    pub models_dir: Option<PathBuf>,
}

/// Why the router cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the data directory {path} cannot be created: {error}")]
    DataDir { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Ledger(#[from] StoreError),
    #[error("the tier classifier cannot be loaded: {0}")]
    Classifier(#[from] InferenceError),
    #[error("outgoing connections cannot be set up: {0}")]
    Client(#[from] ClientError),
}

/// Opens the ledger, loads the classifier and builds the first snapshot.
pub async fn build(config: Config, start: Start) -> Result<AppState, StartError> {
    let data_dir = config.server.data_dir.clone();
    tokio::fs::create_dir_all(&data_dir)
        .await
        .map_err(|error| StartError::DataDir { path: data_dir.clone(), error })?;
    let models_dir = start.models_dir.clone();
    let settings = config.classifier.clone();
    let classifier = tokio::task::spawn_blocking(move || {
        TierModel::open(models_dir.as_deref()).map(|model| Classifier::start(model, &settings))
    });
    let ledger_file = data_dir.join("ledger.sqlite");
    let ledger = Ledger::open_or_stand_by(&ledger_file, start.clock.clone(), config.budget.clone());
    let tasks = TaskTracker::new();
    let context_file = data_dir.join("context.sqlite");
    let projects = Projects::open(&context_file, start.clock.clone(), &tasks);
    let (classifier, ledger, projects) = tokio::join!(classifier, ledger, projects);
    let classifier = classifier.map_err(|error| InferenceError::Model(error.to_string()))??;
    let embedded = embedded_model_path(&config)
        .map(|path| EmbeddedProvider::new(path, EngineSettings::default()));
    let ledger = ledger?;
    let runtime = Arc::new(Runtime {
        keys: Directory::open(ledger.view().reader().clone()).await,
        ledger,
        health: Health::default(),
        buckets: Buckets::new(&config.limits, &config.budget.timezone),
        classifier,
        conversations: Conversations::new(config.routing.sticky_ttl),
        projects,
        embedded,
        discovered: Mutex::default(),
        reload_error: Mutex::default(),
        tasks,
        shutdown: CancellationToken::new(),
        cut: CancellationToken::new(),
        assembling: Mutex::default(),
        turn: AtomicU64::new(0),
        clock: start.clock,
    });
    let snapshot = snapshot(config, &runtime)?;
    let state = AppState { snapshot: Arc::new(ArcSwap::from_pointee(snapshot)), runtime };
    super::background::start(&state);
    Ok(state)
}

/// Where the embedded model's file is or will be, if the catalogue has such a model.
fn embedded_model_path(config: &Config) -> Option<PathBuf> {
    let provider = config.providers.iter().find(|one| one.kind == ProviderKind::Embedded)?;
    let model = config
        .catalog
        .models()
        .iter()
        .find(|model| model.provider == provider.id && model.active)?;
    Some(pull::models_dir(&config.server.data_dir).join(format!("{}.gguf", model.upstream)))
}

/// Puts a new configuration in force. Requests under way keep the old one.
pub fn reload(state: &AppState, config: Config) -> Result<(), StartError> {
    let _one_at_a_time = state.runtime.assembling.lock();
    let snapshot = snapshot(config, &state.runtime)?;
    state.runtime.ledger.set_settings(snapshot.config.budget.clone());
    state.runtime.buckets.reload(&snapshot.config.limits, &snapshot.config.budget.timezone);
    state.snapshot.store(Arc::new(snapshot));
    Ok(())
}

/// Builds the snapshot again, after local models were found or lost.
pub(super) fn refresh(state: &AppState) -> Result<(), StartError> {
    let _one_at_a_time = state.runtime.assembling.lock();
    let snapshot = snapshot(state.current().config.clone(), &state.runtime)?;
    state.snapshot.store(Arc::new(snapshot));
    Ok(())
}

/// The immutable part, from the configuration and what was discovered.
fn snapshot(config: Config, runtime: &Runtime) -> Result<Snapshot, StartError> {
    let network = &config.network;
    let client = HttpClient::new(network.proxy.as_ref(), network.ca_file.as_deref())?;
    let mut providers: HashMap<ProviderId, ProviderEntry> = HashMap::new();
    for settings in config.providers.iter().filter(|settings| settings.enabled) {
        let transport: Arc<dyn Provider> = match settings.kind {
            ProviderKind::Embedded => match &runtime.embedded {
                Some(engine) => Arc::clone(engine) as Arc<dyn Provider>,
                None => continue,
            },
            ProviderKind::OpenAi | ProviderKind::Anthropic | ProviderKind::Ollama => {
                Arc::new(HttpProvider::new(settings, &client)?)
            }
        };
        let entry = ProviderEntry { settings: settings.clone(), transport };
        providers.insert(settings.id.clone(), entry);
    }
    let found = runtime.discovered.lock().values().flatten().cloned().collect();
    let catalog = Arc::new(config.catalog.with_models(found));
    Ok(Snapshot { config, catalog, providers })
}
