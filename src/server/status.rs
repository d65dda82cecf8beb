//! How the router is: health for probes, metrics for Prometheus, counters for humans.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::time::Duration;

use super::error::Failure;
use crate::ledger::Headroom;
use crate::pipeline::ChatError;
use crate::state::AppState;
use crate::telemetry;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `GET /`, which clients probe without a key.
pub(super) async fn root() -> Json<Value> {
    Json(json!({
        "name": "edge-router",
        "version": VERSION,
        "api": "/v1",
        "health": "/health",
    }))
}

/// `GET /health`: 200 as soon as the server listens. Says when a newer configuration was refused.
pub(super) async fn health(State(state): State<AppState>) -> Json<Value> {
    let config_error = state.runtime.reload_error.lock().clone();
    Json(json!({
        "status": "ok",
        "version": VERSION,
        "ready": state.ready(),
        "config_error": config_error,
    }))
}

/// `GET /health/live`.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /health/ready`: 503 until a backend can serve.
pub(super) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Failure> {
    if state.ready() {
        return Ok(Json(json!({ "status": "ready" })));
    }
    let message = "no backend can serve yet: set a provider's key, start Ollama, or wait until the local model is loaded; `edge-router doctor` says what is missing";
    let retry_after = Duration::from_secs(1);
    Err(ChatError::NoBackend { message: message.to_owned(), retry_after }.into())
}

/// `GET /health/detailed`: providers and their models, configuration, classifier. No secrets.
pub(super) async fn detailed(State(state): State<AppState>) -> Json<Value> {
    let snapshot = state.current();
    let now = state.runtime.clock.now();
    let models = snapshot.catalog.models();
    let providers: Vec<Value> = snapshot
        .config
        .providers
        .iter()
        .map(|provider| {
            let own = || {
                models.iter().filter(|model| !model.is_gone(now) && model.provider == provider.id)
            };
            let up = own().filter(|model| state.model_down(model).is_none()).count();
            json!({
                "id": provider.id.as_str(),
                "kind": provider.kind.to_string(),
                "enabled": provider.enabled,
                "models": own().count(),
                "available": up,
            })
        })
        .collect();
    let callable = |provider: &str| {
        snapshot.config.providers.iter().any(|one| one.enabled && one.id.as_str() == provider)
    };
    let listed: Vec<Value> = models
        .iter()
        .filter(|model| !model.is_gone(now) && callable(model.provider.as_str()))
        .map(|model| {
            let down = state.model_down(model);
            json!({"id": model.id.as_str(), "available": down.is_none(), "reason": down})
        })
        .collect();
    let ready = state.ready();
    let config_error = state.runtime.reload_error.lock().clone();
    let ledger_error = state.runtime.ledger.fault().map(|error| error.to_string());
    let projects = &state.runtime.projects;
    let context_error = projects.fault().map(|error| error.to_string());
    let errors = [&config_error, &ledger_error, &context_error];
    let status = match ready {
        false => "starting",
        true if errors.iter().any(|error| error.is_some()) => "degraded",
        true => "ok",
    };
    Json(json!({
        "status": status,
        "version": VERSION,
        "ready": ready,
        "config": {"error": config_error},
        "ledger": {"error": ledger_error},
        "context": {"error": context_error, "projects": projects.count()},
        "classifier": {"degraded_total": telemetry::total(telemetry::CLASSIFIER_DEGRADED)},
        "providers": providers,
        "models": listed,
    }))
}

/// `GET /metrics`, Prometheus text.
pub(super) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    show_budget(&state.runtime.ledger.recent_headroom());
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], telemetry::recorder().render())
}

/// `GET /stats`: the same counters as JSON.
pub(super) async fn stats(State(state): State<AppState>) -> Json<Value> {
    show_budget(&state.runtime.ledger.recent_headroom());
    Json(json!({ "version": VERSION, "counters": telemetry::counters() }))
}

fn show_budget(headroom: &Headroom) {
    for (window, figures) in [("day", &headroom.daily), ("month", &headroom.monthly)] {
        telemetry::budget(window, figures.limit, figures.spent, figures.reserved);
    }
}
