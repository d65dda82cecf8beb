//! A router over a made-up configuration: one provider with two models, one model without provider.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::analyze::LossMatrix;
use crate::catalog::{
    Alias, AliasStrategy, AliasTarget, Capabilities, Capability, Catalog, Model, ParamRules, Price,
    Rates, Tier,
};
use crate::clock::ManualClock;
use crate::config::{
    Config, ContextInject, ContextPlacement, ContextSettings, NetworkSettings, ReportSettings,
    ServerSettings,
};
use crate::inference::ClassifierSettings;
use crate::ledger::{BudgetSettings, Headroom, Ledger, WhenExhausted, Window};
use crate::money::{NanoUsd, PerMTok};
use crate::providers::{
    Provider, ProviderCall, ProviderError, ProviderErrorKind, ProviderKind, ProviderReply,
    ProviderSettings,
};
use crate::state::{AppState, ProviderEntry, Runtime, Snapshot};
use crate::strategy::{Prefer, RoutingSettings, UnknownModel};

/// The router under test.
pub(super) struct Edge(Router);

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
    pub(super) fn plain() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut ServerSettings)) -> Self {
        let mut server = server_settings();
        change(&mut server);
        Self(super::super::router(state(server, vec![acme()])))
    }

    pub(super) fn without_backends() -> Self {
        Self(super::super::router(state(server_settings(), Vec::new())))
    }

    /// One handler inside the outermost layer.
    pub(super) fn with_route(path: &str, handler: MethodRouter<AppState>) -> Self {
        let state = state(server_settings(), Vec::new());
        let layer = from_fn_with_state(state.clone(), super::super::edge::observe);
        Self(Router::new().route(path, handler).layer(layer).with_state(state))
    }

    /// Calls as a client on this machine.
    pub(super) async fn call(&self, request: Request<Body>) -> Answer {
        self.call_from([127, 0, 0, 1], request).await
    }

    pub(super) async fn call_from(&self, ip: [u8; 4], mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((ip, 5000))));
        let response = self.0.clone().oneshot(request).await.unwrap();
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

fn server_settings() -> ServerSettings {
    ServerSettings {
        host: [127, 0, 0, 1].into(),
        port: 4000,
        master_key: None,
        data_dir: "data".into(),
        max_body_bytes: 1 << 20,
        request_timeout: Duration::from_secs(5),
        cors_origins: Vec::new(),
    }
}

fn acme() -> ProviderSettings {
    ProviderSettings {
        id: "acme".into(),
        kind: ProviderKind::OpenAi,
        base_url: "http://127.0.0.1:9/v1".into(),
        api_keys: vec!["sk-acme".into()],
        enabled: true,
        first_byte_timeout: Duration::from_secs(1),
        headers: Vec::new(),
    }
}

fn model(id: &str, provider: &str, upstream: &str, window: u32) -> Model {
    let base =
        Rates { input: PerMTok(2_000_000_000), output: PerMTok(8_000_000_000), ..Rates::default() };
    Model {
        id: id.into(),
        provider: provider.into(),
        upstream: upstream.to_owned(),
        max_tier: Tier::Complex,
        price: Some(Price { base, ..Price::default() }),
        context_window: window,
        max_output_tokens: 4096,
        capabilities: Capabilities::NONE.with(Capability::Chat).with(Capability::Tools),
        rules: ParamRules::default(),
        local: false,
        active: true,
        replacement: None,
    }
}

fn catalog() -> Catalog {
    let target = |name: &str| AliasTarget { name: name.to_owned(), weight: 1 };
    Catalog::new(
        vec![
            model("acme/large", "acme", "large-wire", 128_000),
            model("acme/small", "acme", "small-wire", 32_000),
            model("gone/model", "gone", "model-wire", 8_000),
        ],
        vec![Alias {
            pattern: "mixed".to_owned(),
            strategy: AliasStrategy::Ordered,
            targets: vec![target("acme/large"), target("acme/small")],
            fallbacks: Vec::new(),
        }],
    )
}

fn config(server: ServerSettings, providers: Vec<ProviderSettings>) -> Config {
    let usd = NanoUsd(1_000_000_000);
    Config {
        server,
        budget: BudgetSettings {
            daily: Some(NanoUsd(3 * usd.0)),
            monthly: None,
            per_request: Some(NanoUsd(2 * usd.0)),
            default_output_tokens: 8192,
            wait: Duration::from_secs(5),
            timezone: TimeZone::UTC,
            when_exhausted: WhenExhausted::Local,
        },
        routing: RoutingSettings {
            unknown_model: UnknownModel::Reject,
            allow_weaker: false,
            sticky_ttl: Duration::from_secs(3600),
            prefer: Prefer::Cost,
            max_fallbacks: 4,
        },
        context: ContextSettings {
            max_tokens: 8000,
            placement: ContextPlacement::User,
            inject: ContextInject::OnHeader,
        },
        report: ReportSettings { baseline: "acme/large".into() },
        network: NetworkSettings::default(),
        classifier: ClassifierSettings {
            deadline: Duration::from_millis(60),
            queue: 64,
            threads: 1,
            loss: LossMatrix::default(),
        },
        providers,
        limits: Vec::new(),
        catalog: catalog(),
        source: None,
    }
}

fn headroom() -> Headroom {
    Headroom {
        daily: Window {
            limit: Some(NanoUsd(3_000_000_000)),
            spent: NanoUsd(1_000_000_001),
            reserved: NanoUsd(250_000_000),
            resets_at: "2026-11-22T00:00:00Z".parse().unwrap(),
        },
        monthly: Window {
            limit: None,
            spent: NanoUsd(7_000_000_000),
            reserved: NanoUsd(250_000_000),
            resets_at: "2026-12-01T00:00:00Z".parse().unwrap(),
        },
        per_request: Some(NanoUsd(2_000_000_000)),
    }
}

fn state(server: ServerSettings, providers: Vec<ProviderSettings>) -> AppState {
    let entries: HashMap<_, _> = providers
        .iter()
        .map(|one| {
            (one.id.clone(), ProviderEntry { settings: one.clone(), transport: Arc::new(Silent) })
        })
        .collect();
    let config = config(server, providers);
    let snapshot = Snapshot { catalog: config.catalog.clone(), config, providers: entries };
    AppState {
        snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
        runtime: Arc::new(Runtime {
            clock: Arc::new(ManualClock::at("2026-11-21T10:00:00Z".parse().unwrap())),
            ledger: Ledger(Arc::new(headroom())),
            reload_error: Mutex::new(None),
            shutdown: CancellationToken::new(),
        }),
    }
}

/// A provider that nobody calls here.
#[derive(Debug)]
struct Silent;

impl Provider for Silent {
    fn call(&self, _: ProviderCall) -> BoxFuture<'_, Result<ProviderReply, ProviderError>> {
        Box::pin(std::future::ready(Err(ProviderError {
            kind: ProviderErrorKind::Unavailable,
            status: None,
            message: "not part of this test".to_owned(),
            body: None,
            retry_after: None,
        })))
    }
}
