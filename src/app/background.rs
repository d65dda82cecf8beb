//! What runs beside the requests: looking for local servers' models and changed client keys,
//! following the configuration file, posting warnings of the budget. Each task belongs to the runtime's tracker and ends with its shutdown token.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::alerts::{self, Message};
use crate::config::reload::{self, Watch};
use crate::config::{Config, ConfigErrors, ConfigSource, Environment};
use crate::ids::ProviderId;
use crate::ledger::Warning;
use crate::providers::ProviderKind;
use crate::providers::embedded::Readiness;
use crate::providers::http::HttpClient;
use crate::providers::ollama;
use crate::state::AppState;
use crate::telemetry;

/// How often local servers are asked for their models.
const DISCOVERY_EVERY: Duration = Duration::from_secs(30);

/// How often changes of the client keys are looked for: a revoked one is refused within a second.
const KEYS_EVERY: Duration = Duration::from_millis(300);

pub(super) fn start(state: &AppState) {
    let runtime = state.runtime.clone();
    let follow_keys = state.runtime.clone();
    runtime.tasks.spawn(async move {
        while !follow_keys.shutdown.is_cancelled() {
            tokio::select! {
                () = follow_keys.shutdown.cancelled() => return,
                () = tokio::time::sleep(KEYS_EVERY) => follow_keys.keys.refresh().await,
            }
        }
    });
    if let Some(warnings) = runtime.ledger.warnings() {
        runtime.tasks.spawn(alert(state.clone(), warnings));
    }
    let state = state.clone();
    runtime.tasks.spawn(async move {
        loop {
            look_for_embedded(&state);
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

/// Posts the ledger's warnings to the webhook that is configured when they come, one after the other.
async fn alert(state: AppState, mut warnings: mpsc::Receiver<Warning>) {
    let stop = &state.runtime.shutdown;
    loop {
        let warning = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            warning = warnings.recv() => warning,
        };
        let Some(warning) = warning else { return };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = post(&state, &warning) => {}
        }
    }
    // They are in the log; a receiver that hangs must not hold up the end.
    if !warnings.is_empty() && state.current().config.warnings.webhook.is_some() {
        tracing::warn!(waiting = warnings.len(), "the router stops before it has posted warnings");
    }
}

async fn post(state: &AppState, warning: &Warning) {
    let snapshot = state.current();
    let Some(address) = &snapshot.config.warnings.webhook else { return };
    let network = &snapshot.config.network;
    match HttpClient::new(network.proxy.as_ref(), network.ca_file.as_deref()) {
        Ok(client) => alerts::deliver(&client, address, &Message::about(warning)).await,
        Err(error) => tracing::error!(%error, "a budget warning cannot be posted"),
    }
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
    let keys = restart_needed(old, new);
    if !keys.is_empty() {
        tracing::warn!("takes effect after a restart: {}", keys.join(", "));
    }
}

/// The changed keys that a running router keeps as they were.
fn restart_needed(old: &Config, new: &Config) -> Vec<&'static str> {
    let (from, to) = (&old.server, &new.server);
    let (judge, next) = (&old.classifier, &new.classifier);
    let changed = [
        ("server.host", from.host != to.host),
        ("server.port", from.port != to.port),
        ("server.data_dir", from.data_dir != to.data_dir),
        ("routing.sticky_ttl_s", old.routing.sticky_ttl != new.routing.sticky_ttl),
        ("classifier.deadline_ms", judge.deadline != next.deadline),
        ("classifier.queue", judge.queue != next.queue),
        ("classifier.threads", judge.threads != next.threads),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

/// Loads the embedded model's file if it came after the start: `models pull` may run beside the
/// router. A file that could not be loaded is not tried again.
pub fn look_for_embedded(state: &AppState) {
    if let Some(engine) = &state.runtime.embedded
        && engine.ready() == Readiness::Missing
    {
        engine.load();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_text;

    #[test]
    fn a_reload_names_what_only_a_restart_changes() {
        let read = |text: &str| load_text(text, &Environment::new("/w", [("HOME", "/h")])).unwrap();
        let old = read("");
        assert!(restart_needed(&old, &read("[budget]\ndaily_usd = 1\n")).is_empty());
        let new = read("server.port = 1\nrouting.sticky_ttl_s = 1\nclassifier.queue = 1\n");
        assert_eq!(
            restart_needed(&old, &new),
            ["server.port", "routing.sticky_ttl_s", "classifier.queue"]
        );
    }
}
