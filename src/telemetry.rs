//! Logs and metrics: how they are set up, what the metrics are called, and small functions that
//! count. Any module may count; only the command line sets up. Labels are bounded: routes by
//! template, statuses by class, models by catalogue id.

mod prometheus_text;

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use crate::catalog::Tier;
use crate::ids::ModelId;
use crate::ledger::RequestRecord;
use crate::money::NanoUsd;

pub const HTTP_REQUESTS: &str = "edge_router_http_requests_total";
pub const HTTP_SECONDS: &str = "edge_router_http_request_seconds";
pub const HTTP_IN_FLIGHT: &str = "edge_router_http_requests_in_flight";
pub const REQUESTS: &str = "edge_router_requests_total";
pub const REQUEST_SECONDS: &str = "edge_router_request_seconds";
pub const FIRST_BYTE_SECONDS: &str = "edge_router_first_byte_seconds";
pub const TOKENS: &str = "edge_router_tokens_total";
pub const COST: &str = "edge_router_cost_nano_usd_total";
pub const ESTIMATED: &str = "edge_router_usage_estimated_total";
pub const FALLBACKS: &str = "edge_router_fallbacks_total";
pub const ATTEMPTS_FAILED: &str = "edge_router_attempts_failed_total";
pub const CLASSIFIER_DEGRADED: &str = "edge_router_classifier_degraded_total";
pub const CLASSIFIER_SECONDS: &str = "edge_router_classifier_seconds";
pub const CONTEXT_TOKENS: &str = "edge_router_context_tokens_total";
pub const CONTEXT_LEFT_OUT: &str = "edge_router_context_left_out_total";
pub const RELOADS: &str = "edge_router_config_reloads_total";
pub const BUDGET: &str = "edge_router_budget_usd";
pub const BUILD: &str = "edge_router_build_info";

/// Upper bounds in seconds, from a cached verdict's path to a long answer.
const SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
    300.0,
];

/// How the log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    /// One object per line.
    Json,
}

/// Starts logging to stderr and counting. `RUST_LOG` wins over `level` (a `tracing` filter such as
/// `info` or `edge_router=debug`). A second call in one process changes nothing.
pub fn setup(level: &str, format: LogFormat) {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(level))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    // an error here means that logging runs already
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    log_panics_without_their_text();
    recorder();
}

/// [`setup`] as the environment wants it: `RUST_LOG` is the filter, `EDGE_ROUTER_LOG=json` the format.
pub fn init_logs() {
    let format = std::env::var("EDGE_ROUTER_LOG").ok().and_then(|name| name.parse().ok());
    setup("info", format.unwrap_or_default());
}

/// A panic's text may quote what it choked on, a prompt for example: only the place is logged.
fn log_panics_without_their_text() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a part of the router has panicked");
    }));
}

/// The process's one metrics store, started at the first call.
pub fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::debug!("metrics are recorded elsewhere");
        }
        describe();
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        handle
    })
}

fn describe() {
    describe_counter!(HTTP_REQUESTS, "Answers by route, method and status class");
    describe_histogram!(HTTP_SECONDS, Unit::Seconds, "Time to the answer's head, by route");
    describe_gauge!(HTTP_IN_FLIGHT, "Requests without an answer's head yet");
    describe_counter!(REQUESTS, "Finished model requests by model, tier, verdict source, outcome");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Time to the answer's last byte, by model");
    describe_histogram!(FIRST_BYTE_SECONDS, Unit::Seconds, "Time to the first byte, by model");
    describe_counter!(TOKENS, "Tokens by model and kind; the kinds do not overlap");
    describe_counter!(COST, "Settled cost in 1e-9 USD, by model");
    describe_counter!(ESTIMATED, "Requests whose provider reported no usage, by model");
    describe_counter!(FALLBACKS, "Targets that failed before the model that answered");
    describe_counter!(ATTEMPTS_FAILED, "Failed calls by model and kind of failure");
    describe_counter!(CLASSIFIER_DEGRADED, "Verdicts by rules, because the model was late or busy");
    describe_histogram!(CLASSIFIER_SECONDS, Unit::Seconds, "Time to a verdict of the model");
    describe_counter!(CONTEXT_TOKENS, "Tokens of project context put into prompts, as estimated");
    describe_counter!(CONTEXT_LEFT_OUT, "Requests that went without project context, by reason");
    describe_counter!(RELOADS, "Configuration reloads by result");
    describe_gauge!(BUDGET, "Budget in USD by window and figure (limit, spent, reserved)");
    describe_gauge!(BUILD, "Always 1; the label has the version");
}

/// Counts one HTTP answer. `route` is the template, `None` for an unknown path.
pub fn http_answered(
    route: Option<&'static str>,
    method: &Method,
    status: StatusCode,
    elapsed: Duration,
) {
    let route = route.unwrap_or("unknown");
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let class = match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    counter!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => class).increment(1);
    histogram!(HTTP_SECONDS, "route" => route).record(elapsed);
}

/// Counts a request as in flight until dropped.
#[must_use]
#[derive(Debug)]
pub struct InFlight(());

pub fn in_flight() -> InFlight {
    gauge!(HTTP_IN_FLIGHT).increment(1.0);
    InFlight(())
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(HTTP_IN_FLIGHT).decrement(1.0);
    }
}

/// Counts a request that goes without the project context that it should have been given.
pub fn context_left_out(reason: &'static str) {
    counter!(CONTEXT_LEFT_OUT, "reason" => reason).increment(1);
}

/// Counts a finished request, its tokens and its cost.
pub fn request_finished(record: &RequestRecord) {
    let model = record.model.as_ref().map_or("none", ModelId::as_str).to_owned();
    let tier = record.tier.map_or("none", Tier::as_str);
    let source: &'static str = record.tier_source.map_or("none", Into::into);
    let outcome = record.error.clone().unwrap_or_else(|| "ok".to_owned());
    counter!(REQUESTS, "model" => model.clone(), "tier" => tier, "source" => source,
        "outcome" => outcome)
    .increment(1);
    histogram!(REQUEST_SECONDS, "model" => model.clone()).record(record.elapsed);
    if let Some(first_byte) = record.first_byte {
        histogram!(FIRST_BYTE_SECONDS, "model" => model.clone()).record(first_byte);
    }
    let usage = &record.usage;
    let kinds = [
        ("input", usage.input),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write + usage.cache_write_1h),
        ("output", usage.output.saturating_sub(usage.reasoning)),
        ("reasoning", usage.reasoning),
    ];
    for (kind, tokens) in kinds {
        if tokens > 0 {
            counter!(TOKENS, "model" => model.clone(), "kind" => kind).increment(tokens);
        }
    }
    if record.context_tokens > 0 {
        counter!(CONTEXT_TOKENS).increment(record.context_tokens.into());
    }
    if record.estimated {
        counter!(ESTIMATED, "model" => model.clone()).increment(1);
    }
    if record.fallback_index > 0 {
        counter!(FALLBACKS, "model" => model.clone()).increment(u64::from(record.fallback_index));
    }
    counter!(COST, "model" => model).increment(u64::try_from(record.cost.0).unwrap_or(0));
}

/// A call to `model` failed for `reason` (a provider error's kind).
pub fn attempt_failed(model: &ModelId, reason: impl Into<&'static str>) {
    let reason: &'static str = reason.into();
    counter!(ATTEMPTS_FAILED, "model" => model.to_string(), "reason" => reason).increment(1);
}

/// The rules judged instead of the model, because of `error`.
pub fn classifier_degraded<'a, E>(error: &'a E)
where
    &'a E: Into<&'static str>,
{
    let reason: &'static str = error.into();
    counter!(CLASSIFIER_DEGRADED, "reason" => reason).increment(1);
}

/// The model's verdict took `elapsed`.
pub fn classified(elapsed: Duration) {
    histogram!(CLASSIFIER_SECONDS).record(elapsed);
}

/// How a reload of the configuration ended: `ok` or `refused`.
pub fn reloaded(result: &'static str) {
    counter!(RELOADS, "result" => result).increment(1);
}

/// Shows one budget window (`day`, `month`).
pub fn budget(window: &'static str, limit: Option<NanoUsd>, spent: NanoUsd, reserved: NanoUsd) {
    let figures = [("limit", limit), ("spent", Some(spent)), ("reserved", Some(reserved))];
    for (figure, amount) in figures {
        if let Some(amount) = amount {
            gauge!(BUDGET, "window" => window, "figure" => figure).set(amount.to_usd_f64());
        }
    }
}

/// The sum of a counter over all its labels.
pub fn total(name: &str) -> u64 {
    prometheus_text::samples(&recorder().render())
        .filter(|sample| sample.name == name)
        .filter_map(|sample| sample.value.parse::<u64>().ok())
        .sum()
}

/// Every counter and gauge, and each histogram's count and sum, as
/// `{"name": [{"labels": {..}, "value": 1}]}`.
pub fn counters() -> Value {
    prometheus_text::to_json(&recorder().render())
}

#[cfg(test)]
mod tests;
