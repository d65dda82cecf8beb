//! A request as JSON.

use jiff::Timestamp;
use serde::Serialize;

use crate::catalog::Receipt;
use crate::ids::ModelId;
use crate::ledger::{Charge, RequestRecord};
use crate::money::NanoUsd;

/// A request in a list.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    id: &'a str,
    started_at: Timestamp,
    elapsed_ms: f64,
    first_byte_ms: Option<f64>,
    key: &'a str,
    project: Option<&'a str>,
    asked_model: &'a str,
    model_id: Option<&'a str>,
    tier: Option<String>,
    tier_source: Option<String>,
    confidence: f32,
    routing_reason: &'a str,
    stream: bool,
    status: u16,
    error: Option<&'a str>,
    fallback_index: u32,
    attempts: serde_json::Value,
    tokens: Tokens,
    /// Of the prompt: project context that the router put in, as estimated.
    context_tokens: u32,
    estimated: bool,
    cost_usd: f64,
    /// How the cost came about; `null` where it is zero or was not kept.
    price: Option<Price>,
}

#[derive(Serialize)]
struct Tokens {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    output: u64,
    reasoning: u64,
    audio_input: u64,
    cache_write_long: u64,
    audio_cached: u64,
    audio_output: u64,
    image_input: u64,
    image_output: u64,
    web_searches: u64,
    server_tools: u64,
    /// The class of service, by the request's field and value.
    service: Option<&'static str>,
}

impl<'a> Line<'a> {
    pub(super) fn of(request: &'a RequestRecord) -> Self {
        let usage = &request.usage;
        Self {
            id: request.id.as_str(),
            started_at: request.started_at,
            elapsed_ms: request.elapsed.as_secs_f64() * 1e3,
            first_byte_ms: request.first_byte.map(|time| time.as_secs_f64() * 1e3),
            key: request.key.as_str(),
            project: request.project.as_deref(),
            asked_model: &request.asked_model,
            model_id: request.model.as_ref().map(ModelId::as_str),
            tier: request.tier.map(|tier| tier.to_string()),
            tier_source: request.tier_source.map(|source| source.to_string()),
            confidence: request.confidence,
            routing_reason: &request.reason,
            stream: request.stream,
            status: request.status,
            error: request.error.as_deref(),
            fallback_index: request.fallback_index,
            attempts: serde_json::from_str(&request.attempts).unwrap_or_default(),
            tokens: Tokens {
                input: usage.input,
                cache_read: usage.cache_read,
                cache_write: usage.cache_write,
                cache_write_1h: usage.cache_write_1h,
                output: usage.output,
                reasoning: usage.reasoning,
                audio_input: usage.audio_input,
                cache_write_long: usage.cache_write_long,
                audio_cached: usage.audio_cached,
                audio_output: usage.audio_output,
                image_input: usage.image_input,
                image_output: usage.image_output,
                web_searches: usage.web_searches,
                server_tools: usage.server_tools,
                service: usage.service.map(Into::into),
            },
            context_tokens: request.context_tokens,
            estimated: request.estimated,
            cost_usd: request.cost.to_usd_f64(),
            price: request.receipt.as_ref().map(Price::of),
        }
    }
}

#[derive(Serialize)]
struct Price {
    lines: Vec<PriceLine>,
    /// The sum of the lines, rounded up once.
    computed_usd: f64,
    /// The provider's own figure, which wins where there is one.
    reported_usd: Option<f64>,
}

#[derive(Serialize)]
struct PriceLine {
    kind: String,
    tokens: u64,
    usd_per_mtok: f64,
    amount_usd: f64,
}

impl Price {
    fn of(receipt: &Receipt) -> Self {
        let line = |line: &crate::catalog::ReceiptLine| PriceLine {
            kind: line.kind.clone(),
            tokens: line.tokens,
            usd_per_mtok: NanoUsd(line.price.0).to_usd_f64(),
            amount_usd: line.amount().to_usd_f64(),
        };
        Self {
            lines: receipt.lines.iter().map(line).collect(),
            computed_usd: receipt.computed().to_usd_f64(),
            reported_usd: receipt.reported.map(|nanos| NanoUsd(nanos).to_usd_f64()),
        }
    }
}

/// A request with every line of its money.
#[derive(Serialize)]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    charges: Vec<ChargeLine<'a>>,
    charged_usd: f64,
}

#[derive(Serialize)]
struct ChargeLine<'a> {
    attempt: u32,
    model_id: &'a str,
    reserved_at: Timestamp,
    settled_at: Timestamp,
    reserved_usd: f64,
    cost_usd: f64,
    unconfirmed: bool,
}

impl<'a> Whole<'a> {
    pub(super) fn of(request: &'a RequestRecord, charges: &'a [Charge]) -> Self {
        let line = |charge: &'a Charge| ChargeLine {
            attempt: charge.attempt,
            model_id: charge.model.as_str(),
            reserved_at: charge.reserved_at,
            settled_at: charge.settled_at,
            reserved_usd: charge.reserved.to_usd_f64(),
            cost_usd: charge.cost.to_usd_f64(),
            unconfirmed: charge.unconfirmed,
        };
        let charged: NanoUsd = charges.iter().map(|charge| charge.cost).sum();
        Self {
            line: Line::of(request),
            charges: charges.iter().map(line).collect(),
            charged_usd: charged.to_usd_f64(),
        }
    }
}
