//! `edge-router requests`: what was asked of which model, why, and what it cost, read from the
//! ledger's file, whether or not the router runs.

use anyhow::anyhow;
use clap::Args;
use jiff::{Span, Timestamp};

use super::budget::{configuration, in_runtime, ledger, table, usd};
use super::{CliError, ConfigArg, output};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::ledger::RequestRecord;

/// Show what was asked of which model, why, and what it cost
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  edge-router requests --since 2h\n  \
    edge-router requests --since 2026-11-20T08:00:00Z --limit 1000 --json")]
pub struct Requests {
    #[command(flatten)]
    config: ConfigArg,
    /// How far to look back (30m, 1h, 7d), or a moment such as 2026-11-20T08:00:00Z
    #[arg(long, value_name = "TIME", default_value = "1h")]
    since: String,
    /// Show at most this many, newest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Print all that is known of each request as a JSON list
    #[arg(long)]
    json: bool,
}

impl Requests {
    pub fn run(self) -> Result<(), CliError> {
        let since = moment(&self.since, SystemClock.now()).map_err(CliError::Usage)?;
        let config = configuration(self.config)?;
        let requests = in_runtime(read(&config, since, self.limit))??;
        if self.json {
            return output::json(&requests.iter().map(Line::of).collect::<Vec<_>>());
        }
        let zone = &config.budget.timezone;
        if requests.is_empty() {
            let since = since.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z");
            output::error(&format!("no request since {since}; look further back with --since 7d"));
            return Ok(());
        }
        let mut headings = HEADINGS.map(str::to_owned);
        // The times are those of the zone that budgets follow.
        headings[0] = SystemClock.now().to_zoned(zone.clone()).strftime("TIME (%Z)").to_string();
        let mut rows = vec![headings];
        rows.extend(requests.iter().map(|request| cells(request, zone)));
        table(&rows).iter().for_each(|line| output::line(line));
        Ok(())
    }
}

async fn read(config: &Config, since: Timestamp, limit: u32) -> anyhow::Result<Vec<RequestRecord>> {
    let Some(view) = ledger(config).await? else { return Ok(Vec::new()) };
    Ok(view.requests(since, limit).await?)
}

/// `1h` before `now`, or the moment itself.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let ago = || -> anyhow::Result<Timestamp> {
        let span: Span = text.parse()?;
        if span.is_negative() {
            return Err(anyhow!("negative"));
        }
        Ok(now.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(span)?.timestamp())
    };
    ago().map_err(|_| {
        format!("error: --since: `{text}` is neither a time such as 30m, 1h, 7d nor a moment such as 2026-11-20T08:00:00Z")
    })
}

const HEADINGS: [&str; 9] =
    ["TIME", "STATUS", "ASKED", "MODEL", "TIER", "TOKENS", "COST", "MS", "WHY"];

fn cells(request: &RequestRecord, zone: &jiff::tz::TimeZone) -> [String; 9] {
    let status = match &request.error {
        None => request.status.to_string(),
        Some(error) => format!("{} {error}", request.status),
    };
    let marker = if request.estimated { "~" } else { "" };
    let why = match request.fallback_index {
        0 => request.reason.clone(),
        index => format!("{} (fallback {index})", request.reason),
    };
    [
        request.started_at.to_zoned(zone.clone()).strftime("%m-%d %H:%M:%S").to_string(),
        status,
        request.asked_model.clone(),
        request.model.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        request.tier.map_or_else(|| "-".to_owned(), |tier| tier.to_string()),
        format!("{marker}{}+{}", request.usage.prompt_tokens(), request.usage.output),
        format!("{marker}{}", usd(request.cost)),
        request.elapsed.as_millis().to_string(),
        why.replace(['\n', '\r', '\t'], " "),
    ]
}

/// A request as JSON.
#[derive(serde::Serialize)]
struct Line<'a> {
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
    estimated: bool,
    cost_usd: f64,
}

#[derive(serde::Serialize)]
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
    fn of(request: &'a RequestRecord) -> Self {
        let usage = &request.usage;
        Self {
            id: request.id.as_str(),
            started_at: request.started_at,
            elapsed_ms: request.elapsed.as_secs_f64() * 1e3,
            first_byte_ms: request.first_byte.map(|time| time.as_secs_f64() * 1e3),
            key: request.key.as_str(),
            project: request.project.as_deref(),
            asked_model: &request.asked_model,
            model_id: request.model.as_ref().map(crate::ids::ModelId::as_str),
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
            estimated: request.estimated,
            cost_usd: request.cost.to_usd_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("30m", "2026-11-21T11:30:00Z")]
    #[case("1h", "2026-11-21T11:00:00Z")]
    #[case("7d", "2026-11-14T12:00:00Z")]
    #[case("1mo", "2026-10-21T12:00:00Z")]
    #[case("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z")]
    fn since_is_a_time_ago_or_a_moment(#[case] text: &str, #[case] expected: &str) {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(moment(text, now), Ok(expected.parse().unwrap()));
    }

    #[rstest]
    #[case("")]
    #[case("yesterday")]
    #[case("-1h")]
    fn another_since_is_refused_with_what_is_allowed(#[case] text: &str) {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        assert!(moment(text, now).unwrap_err().contains("such as 30m, 1h, 7d"));
    }
}
