//! `edge-router budget`: what is spent, held and left, read from the ledger's file, whether or not
//! the router runs.

mod reconcile;
mod words;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{CliError, ConfigArg, output};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigSource, Environment};
use crate::keys;
use crate::ledger::{
    BudgetSettings, Figures, Group, GroupKey, Headroom, KeyHeadroom, LedgerView, Loose, Period,
    StoreError, Window, sum_by,
};
use crate::money::{self, NanoUsd};

/// Show spend against the limits
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  edge-router budget --json\n  edge-router budget --key ci\n  \
    edge-router budget reconcile costs.csv"
)]
pub struct Budget {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: ConfigArg,
    /// The budget of one client key, by its name or id
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Print the budget as JSON, in the form of GET /v1/budget
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the ledger with a provider's export of costs
    Reconcile(reconcile::Reconcile),
}

/// The answer as JSON: that of `/v1/budget`, and what is not settled for certain.
#[derive(serde::Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    headroom: &'a Headroom,
    open_reservations: u64,
    oldest_reservation: Option<Timestamp>,
    unconfirmed_this_month: u64,
    unconfirmed_usd: f64,
    models_today: Vec<ModelToday<'a>>,
}

#[derive(serde::Serialize)]
struct ModelToday<'a> {
    model_id: Option<&'a str>,
    requests: u64,
    cost_usd: f64,
}

/// What was read: windows, money that is not settled for certain, and the day by model.
struct Read {
    headroom: Headroom,
    loose: Loose,
    today: Vec<(GroupKey, Figures)>,
}

/// The same for one client key.
#[derive(serde::Serialize)]
struct KeyReport<'a> {
    key: &'a str,
    #[serde(flatten)]
    headroom: &'a Headroom,
}

impl Budget {
    pub fn run(self) -> Result<(), CliError> {
        if let Some(Command::Reconcile(args)) = self.command {
            return args.run();
        }
        let config = configuration(self.config)?;
        let now = SystemClock.now();
        if let Some(name) = self.key {
            let form = if self.json { Form::Json } else { Form::Text };
            return of_key(&name, &config, now, form);
        }
        let Read { headroom, loose, today } = in_runtime(read(&config, now))??;
        if self.json {
            return output::json(&Report {
                headroom: &headroom,
                open_reservations: loose.open,
                oldest_reservation: loose.oldest,
                unconfirmed_this_month: loose.unconfirmed,
                unconfirmed_usd: loose.unconfirmed_amount.to_usd_f64(),
                models_today: today.iter().map(ModelToday::of).collect(),
            });
        }
        let mut lines = lines(&headroom, &loose, &config.budget, now);
        let top = words::top_models(&today);
        if !top.is_empty() {
            lines.push(String::new());
        }
        lines.extend(top);
        lines.iter().for_each(|line| output::line(line));
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// Prints day and month of one client key.
fn of_key(name: &str, config: &Config, now: Timestamp, form: Form) -> Result<(), CliError> {
    let found = in_runtime(async {
        let Some(view) = ledger(config).await? else { return Ok(None) };
        let keys = keys::read(view.reader()).await?;
        let Some(key) = keys.named(name) else { return Ok(None) };
        let own = view.key_headroom(&key.budget, &config.budget, now).await?;
        anyhow::Ok(Some(own))
    })??;
    let Some(KeyHeadroom { name, daily, monthly }) = found else {
        return Err(CliError::Failed(anyhow::anyhow!(
            "there is no client key `{name}`; `edge-router keys list` shows those there are"
        )));
    };
    let per_request = config.budget.per_request;
    let headroom = Headroom { daily, monthly, per_request, key: None };
    if form == Form::Json {
        return output::json(&KeyReport { key: &name, headroom: &headroom });
    }
    for line in lines(&headroom, &Loose::default(), &config.budget, now) {
        output::line(&line);
    }
    Ok(())
}

impl<'a> ModelToday<'a> {
    fn of((key, sums): &'a (GroupKey, Figures)) -> Self {
        let cost_usd = sums.cost.to_usd_f64();
        Self { model_id: key.model.as_deref(), requests: sums.requests, cost_usd }
    }
}

async fn read(config: &Config, now: Timestamp) -> anyhow::Result<Read> {
    let Some(view) = ledger(config).await? else {
        let headroom = Headroom::untouched(&config.budget, now);
        return Ok(Read { headroom, loose: Loose::default(), today: Vec::new() });
    };
    let headroom = view.headroom(&config.budget, now).await?;
    let zone = &config.budget.timezone;
    let month = now.to_zoned(zone.clone()).first_of_month().and_then(|first| first.start_of_day());
    let loose = view.loose(month.map_or(Timestamp::UNIX_EPOCH, |first| first.timestamp())).await?;
    let day = now.to_zoned(zone.clone()).start_of_day().map_or(now, |day| day.timestamp());
    let period = Period { since: day, until: now, timezone: zone, cuts: &[] };
    let parts = match view.usage(period, &[Group::Model], None).await {
        Err(StoreError::Older) => Vec::new(),
        parts => parts?,
    };
    Ok(Read { headroom, loose, today: sum_by(&parts, &[Group::Model]) })
}

fn lines(
    headroom: &Headroom,
    loose: &Loose,
    settings: &BudgetSettings,
    now: Timestamp,
) -> Vec<String> {
    let columns = ["", "SPENT", "RESERVED", "LIMIT", "LEFT", "RESETS"].map(str::to_owned);
    let row = |name: &str, window: &Window| {
        let resets = window.resets_at.to_zoned(settings.timezone.clone());
        [
            name.to_owned(),
            usd(window.spent),
            usd(window.reserved),
            window.limit.map_or_else(|| "none".to_owned(), usd),
            window.remaining().map_or_else(|| "-".to_owned(), usd),
            format!(
                "{}, {}",
                words::until(window.resets_at, now),
                resets.strftime("%Y-%m-%d %H:%M %Z")
            ),
        ]
    };
    let rows = [columns, row("day", &headroom.daily), row("month", &headroom.monthly)];
    let mut lines = table(&rows);
    let windows = [("day", &headroom.daily), ("month", &headroom.monthly)];
    lines.extend(windows.into_iter().filter_map(|(name, window)| words::fill(name, window)));
    if let Some(limit) = headroom.per_request {
        lines.push(format!("one request may cost up to {}", usd(limit)));
    }
    if let Some(oldest) = loose.oldest {
        let age = now.duration_since(oldest).as_secs().max(0);
        let (count, amount) = (loose.open, usd(loose.open_amount));
        lines.push(format!("{count} open reservations, {amount} in all, the oldest {age} s old"));
    }
    if loose.unconfirmed > 0 {
        let (count, amount) = (loose.unconfirmed, usd(loose.unconfirmed_amount));
        lines.push(format!(
            "{count} charges of this month are unconfirmed ({amount}): the router ended before the \
             provider had said what they cost"
        ));
    }
    lines
}

/// `$` and at least two decimals, all of them where there are more.
pub(super) fn usd(amount: NanoUsd) -> String {
    money::dollars(amount)
}

/// Rows in columns as wide as their widest cell, two spaces apart.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The configuration, or everything that is wrong with it.
pub(super) fn configuration(arg: ConfigArg) -> Result<Config, CliError> {
    let source = ConfigSource { path: arg.config, ..ConfigSource::default() };
    config::load(&source, &Environment::of_process())
        .map_err(|errors| CliError::Usage(errors.to_string()))
}

/// The ledger of the configuration's `data_dir`, if there is one yet.
pub(super) async fn ledger(config: &Config) -> anyhow::Result<Option<LedgerView>> {
    use anyhow::Context;
    let path = config.server.data_dir.join("ledger.sqlite");
    LedgerView::open(&path).await.with_context(|| format!("cannot read {}", path.display()))
}

/// Runs a small asynchronous job to its end.
pub(super) fn in_runtime<T>(job: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)?;
    Ok(runtime.block_on(job))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn amounts_have_cents_and_no_less() {
        assert_eq!(usd(NanoUsd(3_000_000_000)), "$3.00");
        assert_eq!(usd(NanoUsd(500_000_000)), "$0.50");
        assert_eq!(usd(NanoUsd(45_000)), "$0.000045");
    }

    #[test]
    fn the_table_shows_what_is_left_and_when_it_begins_anew() {
        let settings = BudgetSettings {
            daily: Some(NanoUsd(3_000_000_000)),
            monthly: None,
            per_request: Some(NanoUsd(2_000_000_000)),
            default_output_tokens: 8192,
            wait: std::time::Duration::ZERO,
            timezone: TimeZone::get("Europe/Berlin").unwrap(),
            when_exhausted: crate::ledger::WhenExhausted::Local,
            warn_at: Vec::new(),
        };
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut headroom = Headroom::untouched(&settings, now);
        headroom.daily.spent = NanoUsd(45_000);
        let loose = Loose {
            open: 2,
            open_amount: NanoUsd(10_000_000),
            oldest: Some("2026-11-21T11:59:30Z".parse().unwrap()),
            ..Loose::default()
        };
        assert_eq!(
            lines(&headroom, &loose, &settings, now),
            [
                "       SPENT      RESERVED  LIMIT  LEFT       RESETS",
                "day    $0.000045  $0.00     $3.00  $2.999955  in 11 h, 2026-11-22 00:00 CET",
                "month  $0.00      $0.00     none   -          in 9 days, 2026-12-01 00:00 CET",
                "day    ▏·····························  <0.1 % spent",
                "one request may cost up to $2.00",
                "2 open reservations, $0.01 in all, the oldest 30 s old",
            ]
        );
    }
}
