//! A whole router in this process, built from a configuration text.

use std::path::PathBuf;
use std::sync::Arc;

use edge_router::app::{self, AppState, Start};
use edge_router::clock::{Clock, SystemClock};
use edge_router::config::{self, ConfigSource, Environment};
use edge_router::server;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub struct TestRouter {
    pub base: String,
    pub http: reqwest::Client,
    pub state: AppState,
    /// Holds configuration and data.
    pub dir: tempfile::TempDir,
    pub source: ConfigSource,
    stop: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl TestRouter {
    /// Starts a router whose configuration is `toml`; `[server]` and `[catalog]` are given here:
    /// a data directory of its own and no built-in catalogue.
    pub async fn start(toml: &str) -> Self {
        Self::start_at(toml, Arc::new(SystemClock)).await
    }

    pub async fn start_at(toml: &str, clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir, toml, clock).await
    }

    /// Starts over the data of an earlier router.
    pub async fn start_in(dir: tempfile::TempDir, toml: &str, clock: Arc<dyn Clock>) -> Self {
        let path: PathBuf = dir.path().join("edge-router.toml");
        let server = if toml.contains("[server]") { "" } else { "[server]\ndata_dir = \"data\"\n" };
        let text = format!("{server}[catalog]\nbuiltin = false\n{toml}");
        std::fs::write(&path, text).unwrap();
        let source = ConfigSource { path: Some(path), ..ConfigSource::default() };
        let config =
            config::load(&source, &nothing(dir.path())).unwrap_or_else(|errors| panic!("{errors}"));
        let state = app::build(config, Start { clock, models_dir: None }).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (state, stop) = (state.clone(), stop.clone());
            async move { server::serve(listener, state, stop).await.unwrap() }
        });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base, http, state, dir, source, stop, task: Some(task) }
    }

    /// Stops as SIGTERM does, to the end of the drain. Gives the data back.
    pub async fn stop(mut self) -> tempfile::TempDir {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
        app::close(&self.state).await;
        self.dir
    }

    pub fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.base)).json(body)
    }

    pub async fn chat(&self, body: &Value) -> reqwest::Response {
        self.post("/v1/chat/completions", body).send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    pub async fn budget(&self) -> Value {
        self.get("/v1/budget").await.json().await.unwrap()
    }
}

/// An environment without variables.
pub fn nothing(dir: &std::path::Path) -> Environment {
    Environment::new(dir, Vec::<(String, String)>::new())
}

/// The `data:` payloads of a stream, and its comment lines with the colon.
pub fn sse_events(text: &str) -> Vec<String> {
    text.split("\n\n")
        .flat_map(str::lines)
        .filter_map(|line| {
            line.strip_prefix("data: ")
                .map(str::to_owned)
                .or_else(|| line.starts_with(':').then(|| line.to_owned()))
        })
        .collect()
}
