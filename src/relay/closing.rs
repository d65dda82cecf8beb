//! The account of one answered request: what it used, what that cost, and the `_proxy` object.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::catalog::{Model, Receipt};
use crate::chat::Usage;
use crate::dispatch::Attempt;
use crate::ids::RequestId;
use crate::ledger::{RequestRecord, Reservation};
use crate::limits::Pass;
use crate::money::NanoUsd;
use crate::state::Runtime;
use crate::strategy::Candidate;
use crate::telemetry;
use crate::wire::Observed;

/// Bytes of text to a token, where a provider reports no usage.
pub const BYTES_PER_TOKEN: u64 = 4;

/// What is needed to settle and record a request once its answer has ended.
pub struct Closing {
    runtime: Arc<Runtime>,
    reservation: Option<Reservation>,
    pass: Option<Pass>,
    record: RequestRecord,
    candidate: Candidate,
    attempts: Vec<Attempt>,
    /// Prompt tokens to charge where the provider reports none.
    prompt_tokens: u32,
    received: Instant,
    first_byte: Option<Instant>,
}

/// A settled request.
#[derive(Debug)]
pub struct Closed {
    pub usage: Usage,
    pub cost: NanoUsd,
    /// The `_proxy` object.
    pub proxy: Value,
}

impl Closing {
    /// `record` holds everything but the outcome.
    pub fn new(
        runtime: Arc<Runtime>,
        (candidate, reservation, pass): (Candidate, Option<Reservation>, Option<Pass>),
        record: RequestRecord,
        attempts: Vec<Attempt>,
        (received, prompt_tokens): (Instant, u32),
    ) -> Self {
        Self {
            runtime,
            reservation,
            pass,
            record,
            candidate,
            attempts,
            prompt_tokens,
            received,
            first_byte: None,
        }
    }

    pub fn id(&self) -> &RequestId {
        &self.record.id
    }

    /// The model name that a whole answer carries: what the client asked for, the chosen id where
    /// it left the choice to the router.
    pub fn shown_model(&self) -> String {
        match self.record.asked_model.as_str() {
            "" | "auto" | "edge-router" => self.model().id.to_string(),
            asked => asked.to_owned(),
        }
    }

    /// Unix seconds for the answer's `created`.
    pub fn created(&self) -> i64 {
        self.record.started_at.as_second()
    }

    pub fn model(&self) -> &Model {
        &self.candidate.model
    }

    /// The first byte of the answer has come.
    pub fn first_byte(&mut self) {
        if self.first_byte.is_none() {
            self.first_byte = Some(self.runtime.clock.instant());
        }
    }

    /// Gives back what was held: the answer could not be used.
    pub async fn release(self) {
        if let Some(pass) = self.pass {
            self.runtime.buckets.refund(pass);
        }
        if let Some(reservation) = self.reservation {
            reservation.release().await;
        }
    }

    /// Settles, records and counts. `error` is the code where the answer did not end well.
    pub async fn close(self, observed: &Observed, error: Option<&str>) -> Closed {
        let (usage, estimated) = self.usage(observed);
        let Self { runtime, reservation, pass, mut record, candidate, attempts, .. } = self;
        let now = runtime.clock.instant();
        let price = candidate.model.price.as_ref();
        let cost = price.map_or(NanoUsd::ZERO, |price| price.cost(record.started_at, &usage));
        record.receipt = price.and_then(|price| Receipt::of(price, record.started_at, &usage));
        record.elapsed = now.saturating_duration_since(self.received);
        record.first_byte = self.first_byte.map(|at| at.saturating_duration_since(self.received));
        record.usage = usage;
        record.estimated = estimated;
        record.cost = cost;
        record.error = error.map(str::to_owned);
        record.status = if error == Some("client_gone") { CLIENT_GONE } else { 200 };
        if let Some(pass) = pass {
            let tokens = usage.prompt_tokens() + usage.output;
            runtime.buckets.correct(pass, tokens);
        }
        let proxy = proxy(&record, &candidate, &attempts);
        telemetry::request_finished(&record);
        match reservation {
            Some(reservation) => {
                if let Err(error) = reservation.settle(record).await {
                    tracing::error!(%error, "the ledger took the settlement late or not at all");
                }
            }
            None => runtime.ledger.record(record).await,
        }
        Closed { usage, cost, proxy }
    }
}

/// What nginx logs for a client that hung up; no client ever sees it.
pub const CLIENT_GONE: u16 = 499;

fn proxy(record: &RequestRecord, candidate: &Candidate, attempts: &[Attempt]) -> Value {
    json!({
        "model_id": candidate.model.id.as_str(),
        "tier": record.tier,
        "confidence": round(f64::from(record.confidence)),
        "cost_usd": record.cost.to_usd_f64(),
        "estimated_cost_usd": candidate.estimated.to_usd_f64(),
        "routing_reason": record.reason,
        "elapsed_ms": millis(record.elapsed),
        "fallback_index": record.fallback_index,
        "attempts": attempts,
        "context_tokens": 0,
        "cache": "off",
    })
}

fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn millis(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e5).round() / 100.0
}

impl Closing {
    /// What to charge, and whether it had to be counted: a provider that reports nothing, or a
    /// stream that broke before its last report.
    fn usage(&self, observed: &Observed) -> (Usage, bool) {
        let output = observed.output_bytes.div_ceil(BYTES_PER_TOKEN);
        match observed.usage {
            Some(usage) if observed.usage_complete => (usage, false),
            Some(usage) => (Usage { output: usage.output.max(output), ..usage }, true),
            None => {
                let input = u64::from(self.prompt_tokens);
                (Usage { input, output, ..Usage::default() }, true)
            }
        }
    }
}
