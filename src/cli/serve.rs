//! `edge-router serve`: listen, fetch the small model where nothing else can answer, drain on a signal.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use super::models::Bar;
use super::{CliError, ConfigArg, output};
use crate::app::{self, AppState, Start};
use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigSource, Environment, Overrides};
use crate::providers::ProviderKind;
use crate::providers::embedded::Readiness;
use crate::{pull, server, telemetry};

/// What is fetched where nothing else can answer.
const DEFAULT_MODEL: &str = "smollm2-135m";

/// How often the start looks whether a backend has become ready.
const READY_POLL: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  edge-router serve\n  OPENAI_API_KEY=sk-... edge-router serve --port 4100"
)]
pub struct Serve {
    #[command(flatten)]
    config: ConfigArg,
    /// Address to listen on (any but a loopback address requires server.master_key)
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on
    #[arg(long)]
    port: Option<u16>,
}

impl Serve {
    pub fn run(self) -> Result<(), CliError> {
        telemetry::setup("info", telemetry::LogFormat::Text);
        let source = ConfigSource {
            path: self.config.config.clone(),
            overrides: Overrides { host: self.host, port: self.port, ..Overrides::default() },
        };
        let environment = Environment::of_process();
        let config = config::load(&source, &environment)
            .map_err(|errors| CliError::Usage(errors.to_string()))?;
        let models_dir = environment.get("EDGE_ROUTER_MODELS_DIR").map(PathBuf::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("the async runtime cannot start")?;
        let served = runtime.block_on(serve(config, source, models_dir));
        // Everything is drained; a download that still runs on a thread of its own is not waited for.
        runtime.shutdown_background();
        Ok(served?)
    }
}

async fn serve(
    config: Config,
    source: ConfigSource,
    models_dir: Option<PathBuf>,
) -> anyhow::Result<()> {
    let address = SocketAddr::new(config.server.host, config.server.port);
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address}; is another edge-router running? --port takes another port"
        )
    })?;
    let address = listener.local_addr()?;
    let start = Start { clock: Arc::new(SystemClock), models_dir };
    let state = app::build(config, start).await?;
    let watch = app::watch_config(&state, source, Environment::of_process());
    if let Err(error) = &watch {
        tracing::warn!(%error, "changes of the configuration file will not be noticed");
    }
    let serving =
        tokio::spawn(server::serve(listener, state.clone(), state.runtime.shutdown.clone()));
    let announcing = tokio::spawn(announce(state.clone(), address));
    signalled().await?;
    tracing::info!("draining");
    state.runtime.shutdown.cancel();
    announcing.abort();
    serving.await??;
    app::close(&state).await;
    Ok(())
}

/// Fetches the small model if nothing else can answer, then prints the ready line.
async fn announce(state: AppState, address: SocketAddr) {
    if let Err(error) = fetch_if_needed(&state).await {
        output::error(&format!("error: {error:#}"));
        output::error(
            "No backend can answer yet: set a provider key, start Ollama, or run `edge-router models pull smollm2-135m` (this router goes on and takes up what comes, keys after a restart).",
        );
    }
    while !state.ready() {
        app::look_for_embedded(&state);
        tokio::time::sleep(READY_POLL).await;
    }
    output::line(&format!(
        "edge-router {} ready on http://{address} with {}",
        env!("CARGO_PKG_VERSION"),
        backends(&state)
    ));
}

async fn fetch_if_needed(state: &AppState) -> anyhow::Result<()> {
    app::first_discovery(state).await;
    let Some(engine) = state.runtime.embedded.clone() else { return Ok(()) };
    if engine.path().is_file() || app::has_other_backend(state) {
        return Ok(());
    }
    let data_dir = state.current().config.server.data_dir.clone();
    output::error(
        "No provider key, no Ollama, no configured model: fetching the small embedded model (92 MB, once).",
    );
    let fetch = move || pull::ensure(DEFAULT_MODEL, &data_dir, &Bar::new(DEFAULT_MODEL));
    tokio::task::spawn_blocking(fetch).await??;
    engine.load();
    Ok(())
}

fn backends(state: &AppState) -> String {
    let snapshot = state.current();
    let mut names: Vec<String> = snapshot
        .config
        .providers
        .iter()
        .filter(|one| {
            one.enabled && one.kind != ProviderKind::Embedded && one.kind != ProviderKind::Ollama
        })
        .map(|one| one.id.to_string())
        .collect();
    let found = state.runtime.discovered.lock();
    names.extend(found.iter().map(|(id, models)| format!("{id} ({} models)", models.len())));
    drop(found);
    if state
        .runtime
        .embedded
        .as_ref()
        .is_some_and(|engine| matches!(engine.ready(), Readiness::Ready(_)))
    {
        names.push("the embedded model".to_owned());
    }
    if names.is_empty() { "no backend".to_owned() } else { names.join(", ") }
}

async fn signalled() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
