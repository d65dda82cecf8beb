//! `edge-router keys`: give keys to clients, list them, revoke them. Writes the ledger's file beside a
//! running router, which takes the change over at once.

mod create;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::budget::{configuration, in_runtime, ledger, table, usd};
use super::{CliError, ConfigArg, output};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::keys::{self, ClientKey};
use crate::ledger::{self, KeyHeadroom};
use crate::money::NanoUsd;
use crate::store::Writer;

/// Give clients keys with budgets, rate limits and models of their own
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  edge-router keys create --name ci --daily-usd 1 --models cheap,local --rpm 60\n  \
    edge-router keys list\n  edge-router keys revoke ci"
)]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and print it, this once
    Create(create::Create),
    /// Show the keys and what each has spent
    List(List),
    /// Take a key away; a running router refuses it within a second
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  edge-router keys list --json")]
struct List {
    #[command(flatten)]
    config: ConfigArg,
    /// Show revoked keys too
    #[arg(long)]
    all: bool,
    /// Print the keys as a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  edge-router keys revoke ci")]
struct Revoke {
    #[command(flatten)]
    config: ConfigArg,
    /// Name or id of the key
    name: String,
}

impl Keys {
    pub fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Create(args) => args.run(),
            Command::List(args) => args.run(),
            Command::Revoke(args) => args.run(),
        }
    }
}

impl List {
    fn run(self) -> Result<(), CliError> {
        let config = configuration(self.config)?;
        let mut keys = in_runtime(read(&config, SystemClock.now()))??;
        keys.retain(|(key, _)| self.all || key.revoked_at.is_none());
        if self.json {
            let lines: Vec<Line> = keys.iter().map(|(key, spent)| Line::of(key, spent)).collect();
            return output::json(&lines);
        }
        if keys.is_empty() {
            output::error("no client keys; `edge-router keys create --name NAME` makes one");
            return Ok(());
        }
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(keys.iter().map(|(key, spent)| cells(key, spent)));
        table(&rows).iter().for_each(|line| output::line(line));
        Ok(())
    }
}

impl Revoke {
    fn run(self) -> Result<(), CliError> {
        let config = configuration(self.config)?;
        let name = self.name;
        let revoked = in_runtime(async {
            let exists = config.server.data_dir.join("ledger.sqlite").exists();
            if !exists {
                return Ok(false);
            }
            let mut store = writer(&config).await?;
            let revoked = keys::revoke(&mut store, &name, SystemClock.now()).await?;
            store.close().await?;
            anyhow::Ok(revoked)
        })??;
        if !revoked {
            return Err(CliError::Failed(anyhow::anyhow!(
                "there is no live client key `{name}`; `edge-router keys list` shows those there are"
            )));
        }
        output::error(&format!("revoked {name}; a running router refuses it within a second"));
        Ok(())
    }
}

/// The ledger of the configuration's `data_dir`, to be written; it is made if it is missing.
async fn writer(config: &Config) -> anyhow::Result<Writer> {
    let path = config.server.data_dir.join("ledger.sqlite");
    ledger::open_beside(&path).await.with_context(|| format!("cannot write {}", path.display()))
}

type Spent = KeyHeadroom;

/// Every key with its day and month.
async fn read(
    config: &Config,
    now: Timestamp,
) -> anyhow::Result<Vec<(std::sync::Arc<ClientKey>, Spent)>> {
    let Some(view) = ledger(config).await? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for key in keys::read(view.reader()).await?.all() {
        let spent = view.key_headroom(&key.budget, &config.budget, now).await?;
        found.push((key.clone(), spent));
    }
    Ok(found)
}

const HEADINGS: [&str; 9] =
    ["NAME", "KEY", "TODAY", "THIS MONTH", "RPM", "AT ONCE", "MODELS", "PROVIDERS", "PROJECTS"];

fn cells(key: &ClientKey, spent: &Spent) -> [String; 9] {
    let grants = &key.grants;
    let window = |spent: NanoUsd, limit: Option<NanoUsd>| match limit {
        Some(limit) => format!("{} of {}", usd(spent), usd(limit)),
        None => usd(spent),
    };
    let number = |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let list = |names: &[String]| match names {
        [] => "all".to_owned(),
        names => names.join(","),
    };
    let revoked = if key.revoked_at.is_some() { " (revoked)" } else { "" };
    [
        format!("{}{revoked}", key.name()),
        format!("{}…", key.prefix),
        window(spent.daily.spent, grants.daily),
        window(spent.monthly.spent, grants.monthly),
        number(grants.rpm),
        number(grants.concurrent),
        list(&grants.models),
        list(&grants.providers),
        list(&grants.projects),
    ]
}

/// A key as JSON. The secret is there only when the key has just been made.
#[derive(serde::Serialize)]
struct Line<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    prefix: &'a str,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
    daily_usd: Option<f64>,
    monthly_usd: Option<f64>,
    rpm: Option<u32>,
    max_concurrent: Option<u32>,
    models: &'a [String],
    providers: &'a [String],
    projects: &'a [String],
    /// `null`: as the configuration says.
    inject: Option<&'static str>,
    spent_today_usd: f64,
    spent_this_month_usd: f64,
}

impl<'a> Line<'a> {
    fn new(key: &'a ClientKey) -> Self {
        let grants = &key.grants;
        Self {
            id: key.id.as_str(),
            name: key.name(),
            key: None,
            prefix: &key.prefix,
            created_at: key.created_at,
            revoked_at: key.revoked_at,
            daily_usd: grants.daily.map(NanoUsd::to_usd_f64),
            monthly_usd: grants.monthly.map(NanoUsd::to_usd_f64),
            rpm: grants.rpm,
            max_concurrent: grants.concurrent,
            models: &grants.models,
            providers: &grants.providers,
            projects: &grants.projects,
            inject: grants.inject.map(Into::into),
            spent_today_usd: 0.0,
            spent_this_month_usd: 0.0,
        }
    }

    fn of(key: &'a ClientKey, spent: &Spent) -> Self {
        Self {
            spent_today_usd: spent.daily.spent.to_usd_f64(),
            spent_this_month_usd: spent.monthly.spent.to_usd_f64(),
            ..Self::new(key)
        }
    }
}
