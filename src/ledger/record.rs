//! A request's record as a row, and back.

use std::time::Duration;

use super::{RequestRecord, window};
use crate::analyze::Source;
use crate::catalog::Tier;
use crate::chat::Usage;
use crate::money::NanoUsd;
use crate::store::requests::RequestRow;

const SOURCES: [Source; 7] = [
    Source::Classifier,
    Source::Heuristic,
    Source::Header,
    Source::Explicit,
    Source::Inherited,
    Source::SideRequest,
    Source::Escalated,
];

fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(int: i64) -> u64 {
    u64::try_from(int).unwrap_or(0)
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn time(micros: i64) -> Duration {
    Duration::from_micros(count(micros))
}

impl From<RequestRecord> for RequestRow {
    fn from(record: RequestRecord) -> Self {
        let usage = record.usage;
        Self {
            id: record.id.as_str().to_owned(),
            started_at: window::micros(record.started_at),
            elapsed_us: micros(record.elapsed),
            first_byte_us: record.first_byte.map(micros),
            key: record.key.as_str().to_owned(),
            project: record.project,
            asked_model: record.asked_model,
            model: record.model.map(|model| model.as_str().to_owned()),
            tier: record.tier.map(|tier| <&str>::from(tier).to_owned()),
            tier_source: record.tier_source.map(|source| <&str>::from(source).to_owned()),
            confidence: if record.confidence.is_finite() { record.confidence.into() } else { 0.0 },
            reason: record.reason,
            stream: record.stream,
            status: record.status.into(),
            error: record.error,
            fallback_index: record.fallback_index.into(),
            attempts: record.attempts,
            input: int(usage.input),
            cache_read: int(usage.cache_read),
            cache_write: int(usage.cache_write),
            cache_write_1h: int(usage.cache_write_1h),
            output: int(usage.output),
            reasoning: int(usage.reasoning),
            audio_input: int(usage.audio_input),
            cache_write_long: int(usage.cache_write_long),
            audio_cached: int(usage.audio_cached),
            audio_output: int(usage.audio_output),
            image_input: int(usage.image_input),
            image_output: int(usage.image_output),
            web_searches: int(usage.web_searches),
            server_tools: int(usage.server_tools),
            service: usage.service.map(|service| <&str>::from(service).to_owned()),
            regional: usage.regional,
            reported_cost: usage.reported_cost.map(|cost| cost.0),
            estimated: record.estimated,
            cost: record.cost.0,
            rates: record.receipt.and_then(|receipt| serde_json::to_string(&receipt).ok()),
            context_tokens: record.context_tokens.into(),
        }
    }
}

impl From<RequestRow> for RequestRecord {
    #[expect(clippy::cast_possible_truncation, reason = "the confidence was an f32")]
    fn from(row: RequestRow) -> Self {
        let source = |text: String| SOURCES.into_iter().find(|source| <&str>::from(source) == text);
        Self {
            id: row.id.into(),
            key: row.key.into(),
            project: row.project,
            started_at: window::moment(row.started_at),
            elapsed: time(row.elapsed_us),
            first_byte: row.first_byte_us.map(time),
            asked_model: row.asked_model,
            model: row.model.map(Into::into),
            tier: row.tier.and_then(|tier| tier.parse::<Tier>().ok()),
            tier_source: row.tier_source.and_then(source),
            confidence: row.confidence as f32,
            reason: row.reason,
            stream: row.stream,
            status: u16::try_from(row.status).unwrap_or_default(),
            error: row.error,
            fallback_index: u32::try_from(row.fallback_index).unwrap_or_default(),
            attempts: row.attempts,
            usage: Usage {
                input: count(row.input),
                cache_read: count(row.cache_read),
                cache_write: count(row.cache_write),
                cache_write_1h: count(row.cache_write_1h),
                output: count(row.output),
                reasoning: count(row.reasoning),
                audio_input: count(row.audio_input),
                cache_write_long: count(row.cache_write_long),
                audio_cached: count(row.audio_cached),
                audio_output: count(row.audio_output),
                image_input: count(row.image_input),
                image_output: count(row.image_output),
                web_searches: count(row.web_searches),
                server_tools: count(row.server_tools),
                service: row.service.and_then(|service| service.parse().ok()),
                regional: row.regional,
                reported_cost: row.reported_cost.map(NanoUsd),
            },
            estimated: row.estimated,
            cost: NanoUsd(row.cost),
            receipt: row.rates.and_then(|rates| serde_json::from_str(&rates).ok()),
            context_tokens: u32::try_from(row.context_tokens).unwrap_or_default(),
        }
    }
}
