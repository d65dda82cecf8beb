//! What runs beside the requests: looking for local servers' models, following the configuration
//! file. Each task belongs to the runtime's tracker and ends with its shutdown token.

use std::time::Duration;

use crate::config::reload::{self, Watch};
use crate::config::{Config, ConfigErrors, ConfigSource, Environment};
use crate::ids::ProviderId;
use crate::providers::ProviderKind;
use crate::providers::http::HttpClient;
use crate::providers::ollama;
use crate::state::AppState;
use crate::telemetry;

/// How often local servers are asked for their models.
const DISCOVERY_EVERY: Duration = Duration::from_secs(30);

pub(super) fn start(state: &AppState) {
    let runtime = state.runtime.clone();
    let state = state.clone();
    runtime.tasks.spawn(async move {
        loop {
            tokio::select! {
                () = state.runtime.shutdown.cancelled() => return,
                () = discover(&state) => {}
            }
            tokio::select! {
                () = state.runtime.shutdown.cancelled() => return,
                () = tokio::time::sleep(DISCOVERY_EVERY) => {}
            }
        }
    });
}

/// Looks once, so that a decision right after the start knows the local models.
pub async fn first_discovery(state: &AppState) {
    discover(state).await;
}

/// Asks every Ollama server for its models and puts them into the catalogue when they changed.
async fn discover(state: &AppState) {
    let snapshot = state.current();
    let network = &snapshot.config.network;
    let Ok(client) = HttpClient::new(network.proxy.as_ref(), network.ca_file.as_deref()) else {
        return;
    };
    let mut changed = false;
    for settings in snapshot.config.providers.iter().filter(|one| one.enabled) {
        if settings.kind != ProviderKind::Ollama {
            continue;
        }
        let found = ollama::discover(&client, &settings.base_url, &settings.id).await;
        let models = found.unwrap_or_default();
        changed |= replace(state, &settings.id, models);
    }
    if !changed {
        return;
    }
    if let Err(error) = super::build::refresh(state) {
        tracing::error!(%error, "discovered models could not be added");
    }
}

fn replace(state: &AppState, provider: &ProviderId, models: Vec<crate::catalog::Model>) -> bool {
    let names = |models: &[crate::catalog::Model]| {
        models.iter().map(|model| model.id.clone()).collect::<Vec<_>>()
    };
    let mut discovered = state.runtime.discovered.lock();
    let known = discovered.get(provider).map(|known| names(known)).unwrap_or_default();
    if known == names(&models) {
        return false;
    }
    tracing::info!(%provider, models = models.len(), "local models found");
    discovered.insert(provider.clone(), models);
    true
}

/// Puts every valid change of the configuration file in force, until the guard is dropped. An
/// invalid file changes nothing; why is shown by `/health` and the log.
///
/// # Errors
/// The file's directory cannot be watched.
pub fn watch_config(
    state: &AppState,
    source: ConfigSource,
    environment: Environment,
) -> Result<Watch, notify::Error> {
    let state = state.clone();
    reload::watch(source, environment, move |read| take_over(&state, read))
}

fn take_over(state: &AppState, read: Result<Config, ConfigErrors>) {
    let result = match read {
        Ok(config) => {
            tell_of_restart(&state.current().config, &config);
            super::build::reload(state, config).map_err(|error| error.to_string())
        }
        Err(errors) => Err(errors.to_string()),
    };
    match &result {
        Ok(()) => tracing::info!("the new configuration is in force"),
        Err(error) => {
            tracing::error!(%error, "the new configuration is refused, the old one stays");
        }
    }
    telemetry::reloaded(if result.is_ok() { "ok" } else { "refused" });
    *state.runtime.reload_error.lock() = result.err();
}

fn tell_of_restart(old: &Config, new: &Config) {
    let (old, new) = (&old.server, &new.server);
    if (old.host, old.port, &old.data_dir) != (new.host, new.port, &new.data_dir) {
        tracing::warn!("server.host, server.port and server.data_dir take effect after a restart");
    }
}
