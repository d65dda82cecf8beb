//! A router over a made-up configuration: one provider with two models, and one without a key.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use super::super::{edge, router};
use crate::app::{self, Start};
use crate::clock::ManualClock;
use crate::config::{self, Environment, ServerSettings};
use crate::state::AppState;

const CONFIG: &str = r#"
[server]
data_dir = "data"

[catalog]
builtin = false

[budget]
daily_usd = 3
per_request_usd = 2

[[providers]]
id = "acme"
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
api_keys = ["sk-acme"]

[[providers]]
id = "gone"
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
api_keys = ["${NO_SUCH_KEY}"]

[[models]]
id = "acme/large"
provider = "acme"
upstream = "large-wire"
max_tier = "complex"
input_usd_per_mtok = 2
output_usd_per_mtok = 8
context_window = 128000
max_output_tokens = 4096
capabilities = ["chat", "tools"]

[[models]]
id = "acme/small"
provider = "acme"
upstream = "small-wire"
max_tier = "standard"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
context_window = 32000
max_output_tokens = 4096
capabilities = ["chat", "tools"]

[[models]]
id = "gone/model"
provider = "gone"
upstream = "model-wire"
max_tier = "standard"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
context_window = 8000
max_output_tokens = 4096
capabilities = ["chat"]

[aliases]
mixed = ["acme/large", "acme/small"]
"#;

const NO_BACKENDS: &str = r#"
[server]
data_dir = "data"

[catalog]
builtin = false
"#;

/// The router under test.
pub(super) struct Edge {
    router: Router,
    _data: TempDir,
}

/// What came back, whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// A header's text; empty if it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Edge {
    /// No key, loopback, one provider that is up.
    pub(super) async fn plain() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut ServerSettings)) -> Self {
        let (state, data) = state(CONFIG, change).await;
        Self { router: router(state), _data: data }
    }

    pub(super) async fn without_backends() -> Self {
        let (state, data) = state(NO_BACKENDS, |_| {}).await;
        Self { router: router(state), _data: data }
    }

    /// One handler inside the outermost layer.
    pub(super) async fn with_route(path: &str, handler: MethodRouter<AppState>) -> Self {
        let (state, data) = state(CONFIG, |_| {}).await;
        let layer = from_fn_with_state(state.clone(), edge::observe);
        let router = Router::new().route(path, handler).layer(layer).with_state(state);
        Self { router, _data: data }
    }

    /// Calls as a client on this machine.
    pub(super) async fn call(&self, request: Request<Body>) -> Answer {
        self.call_from([127, 0, 0, 1], request).await
    }

    pub(super) async fn call_from(&self, ip: [u8; 4], mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((ip, 5000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

pub(super) fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "localhost:4000").body(Body::empty()).unwrap()
}

pub(super) fn post(path: &str, body: &str) -> Request<Body> {
    Request::post(path).header("host", "127.0.0.1:4000").body(Body::from(body.to_owned())).unwrap()
}

async fn state(text: &str, change: impl FnOnce(&mut ServerSettings)) -> (AppState, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let environment = Environment::new(data.path(), Vec::<(String, String)>::new());
    let mut config = config::load_text(text, &environment).unwrap();
    change(&mut config.server);
    let clock = Arc::new(ManualClock::at("2026-11-21T10:00:00Z".parse().unwrap()));
    let state = app::build(config, Start { clock, models_dir: None }).await.unwrap();
    (state, data)
}
