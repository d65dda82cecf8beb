//! `edge-router requests`: what was asked of which model, why, and what it cost, read from the
//! ledger's file, whether or not the router runs. [`mod@explain`] takes one request apart.

mod explain;
mod json;

use anyhow::anyhow;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::budget::{configuration, in_runtime, ledger, table, usd};
use super::{CliError, ConfigArg, output};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::keys;
use crate::ledger::{Charge, RequestFilter, RequestRecord, SINCE, since};

/// Characters of an id that the list shows: enough to ask for it.
const SHORT_ID: usize = 16;
/// Ids that are named where a beginning fits several.
const NAMED: u32 = 6;

/// Show what was asked of which model, why, and what it cost
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  edge-router requests --since 2h\n  \
    edge-router requests 01a1fda6ac307097\n  edge-router requests --since 7d --failed --key ci\n  \
    edge-router requests --since 2026-11-20T08:00:00Z --limit 1000 --json")]
pub struct Requests {
    #[command(flatten)]
    config: ConfigArg,
    /// Explain one request, by its id (x-request-id) or the beginning of it
    #[arg(value_name = "ID", conflicts_with_all = ["since", "limit", "key", "model", "failed"])]
    id: Option<String>,
    /// How far to look back (30m, 1h, 7d), or a day or moment such as 2026-11-20T08:00:00Z
    #[arg(long, value_name = "TIME", default_value = "1h")]
    since: String,
    /// Show at most this many, newest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Only those of this client key (its name; `local` or `master` without one)
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Only those that this model answered, or that asked for this name
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Only those that ended with an error
    #[arg(long)]
    failed: bool,
    /// Print all that is known of each request as JSON
    #[arg(long)]
    json: bool,
}

impl Requests {
    pub fn run(self) -> Result<(), CliError> {
        let config = configuration(self.config.clone())?;
        match self.id {
            Some(id) => explain(&config, &id, self.json),
            None => self.list(&config),
        }
    }

    fn list(self, config: &Config) -> Result<(), CliError> {
        let zone = &config.budget.timezone;
        let Some(since) = since(&self.since, SystemClock.now(), zone) else {
            let text = &self.since;
            return Err(CliError::Usage(format!("error: --since: `{text}` is not {SINCE}")));
        };
        let narrowed = self.failed || self.key.is_some() || self.model.is_some();
        let filter = RequestFilter {
            key: self.key.as_deref().map(Into::into),
            model: self.model,
            failed: self.failed,
        };
        let requests = in_runtime(read(config, since, filter, self.limit))??;
        if self.json {
            return output::json(&requests.iter().map(json::Line::of).collect::<Vec<_>>());
        }
        if requests.is_empty() {
            let since = since.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z");
            let such = if narrowed { "such request" } else { "request" };
            output::error(&format!("no {such} since {since}; look further back with --since 7d"));
            return Ok(());
        }
        let mut headings = HEADINGS.map(str::to_owned);
        // The times are those of the zone that budgets follow.
        headings[1] = SystemClock.now().to_zoned(zone.clone()).strftime("TIME (%Z)").to_string();
        let mut rows = vec![headings];
        rows.extend(requests.iter().map(|request| cells(request, zone)));
        table(&rows).iter().for_each(|line| output::line(line));
        Ok(())
    }
}

async fn read(
    config: &Config,
    since: Timestamp,
    mut filter: RequestFilter,
    limit: u32,
) -> anyhow::Result<Vec<RequestRecord>> {
    let Some(view) = ledger(config).await? else { return Ok(Vec::new()) };
    let keys = keys::read(view.reader()).await?;
    if let Some(key) = filter.key.as_ref().and_then(|name| keys.named(name.as_str())) {
        filter.key = Some(key.id.clone());
    }
    let mut requests = view.filtered(since, &filter, limit).await?;
    for request in &mut requests {
        request.key = keys.label(&request.key);
    }
    Ok(requests)
}

fn explain(config: &Config, id: &str, as_json: bool) -> Result<(), CliError> {
    let (request, charges) = in_runtime(find(config, id))??;
    if as_json {
        return output::json(&json::Whole::of(&request, &charges));
    }
    let lines = explain::lines(&request, &charges, &config.budget.timezone);
    lines.iter().for_each(|line| output::line(line));
    Ok(())
}

/// The one request whose id begins with `id`, and its lines of money.
async fn find(config: &Config, id: &str) -> anyhow::Result<(RequestRecord, Vec<Charge>)> {
    let unknown = || {
        anyhow!(
            "no request has an id that begins with `{id}`; `edge-router requests --since 7d` lists them"
        )
    };
    let Some(view) = ledger(config).await? else { return Err(unknown()) };
    let mut found = view.find(id, NAMED).await?;
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|request| request.id.as_str()).collect();
        return Err(anyhow!("several ids begin with `{id}`: {}; give more of one", ids.join(", ")));
    }
    let mut request = found.pop().ok_or_else(unknown)?;
    let charges = view.charges(&request).await?;
    request.key = keys::read(view.reader()).await?.label(&request.key);
    Ok((request, charges))
}

const HEADINGS: [&str; 10] =
    ["ID", "TIME", "STATUS", "ASKED", "MODEL", "TIER", "TOKENS", "COST", "MS", "WHY"];

fn cells(request: &RequestRecord, zone: &TimeZone) -> [String; 10] {
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
        short_id(request.id.as_str()).to_owned(),
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

/// The beginning of an id that is enough to ask for it.
pub(super) fn short_id(id: &str) -> &str {
    let digits = id.strip_prefix("req_").unwrap_or(id);
    digits.get(..SHORT_ID).unwrap_or(digits)
}
