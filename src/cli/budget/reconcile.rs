//! `edge-router budget reconcile`: reads a provider's export and the ledger, shows where they differ.
//! Providers bill by UTC days, so the ledger is summed by those whatever `budget.timezone` says.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{configuration, in_runtime, ledger, table, usd};
use crate::cli::{CliError, ConfigArg, output};
use crate::config::Config;
use crate::ledger::{Group, Period, sum_by};
use crate::money::NanoUsd;
use crate::reconcile::{BadLine, Comparison, Export, Ours, Row, Tolerance, compare};

/// Larger files are refused.
const LARGEST_BYTES: u64 = 256 << 20;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads CSV exports of OpenAI (costs), Anthropic (costs) and OpenRouter (activity), and any table with a \
    date, an amount in USD and, if there is one, a model.\n\nExamples:\n  edge-router budget reconcile costs.csv\n  \
    edge-router budget reconcile costs.csv --provider openai --tolerance 0.5%\n\n\
    Exit codes: 0 the totals agree within the tolerance, 1 they do not or a line cannot be read, 2 wrong usage."
)]
pub(super) struct Reconcile {
    #[command(flatten)]
    config: ConfigArg,
    /// The export, as CSV
    file: PathBuf,
    /// Compare with the models of this provider (default: the one that writes this form of export,
    /// else all)
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// How far the totals may differ, in percent of the provider's
    #[arg(long, value_name = "PERCENT", default_value = "1%", value_parser = tolerance)]
    tolerance: Tolerance,
    /// Print all rows as JSON
    #[arg(long)]
    json: bool,
}

fn tolerance(text: &str) -> Result<Tolerance, String> {
    Tolerance::read(text).ok_or_else(|| "allowed: a percentage such as 1% or 0.5".to_owned())
}

impl Reconcile {
    pub(super) fn run(self) -> Result<(), CliError> {
        let config = configuration(self.config)?;
        let shown = self.file.display().to_string();
        let export = Export::read(&read(&self.file)?)
            .map_err(|error| CliError::Usage(format!("error: {shown}: {error}")))?;
        let all = match export.days() {
            None => Vec::new(),
            Some(days) => in_runtime(ours(&config, days))??,
        };
        let provider = provider(self.provider, &export, (&config, &all))?;
        let of = |one: &&Entry| provider.as_ref().is_none_or(|id| one.provider == *id);
        let ours: Vec<Ours> = all.iter().filter(of).map(|one| one.ours.clone()).collect();
        let comparison = compare(&ours, &export)
            .with_context(|| format!("{shown}: the amounts are too large to be summed"))?;
        let verdict = Verdict {
            file: &shown,
            export: &export,
            provider: provider.as_deref(),
            tolerance: self.tolerance,
            comparison: &comparison,
        };
        if self.json {
            output::json(&verdict.json())?;
        } else {
            verdict.lines().iter().for_each(|line| output::line(line));
        }
        match verdict.failure() {
            None => Ok(()),
            Some(why) => Err(CliError::Failed(anyhow::anyhow!(why))),
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", file.display());
    let size = std::fs::metadata(file).with_context(cannot)?.len();
    anyhow::ensure!(size <= LARGEST_BYTES, "{} is larger than 256 MiB", file.display());
    std::fs::read(file).with_context(cannot)
}

/// A row of the ledger with the provider whose model it is.
struct Entry {
    provider: String,
    ours: Ours,
}

/// The ledger's money of these UTC days, the last one included, by day and model.
async fn ours(config: &Config, (first, last): (Date, Date)) -> anyhow::Result<Vec<Entry>> {
    let Some(view) = ledger(config).await? else { return Ok(Vec::new()) };
    let since = first.to_zoned(TimeZone::UTC)?.timestamp();
    let until = last.checked_add(1.day())?.to_zoned(TimeZone::UTC)?.timestamp();
    let period = Period { since, until, timezone: &TimeZone::UTC, cuts: &[] };
    let groups = [Group::Day, Group::Model];
    let parts = view.usage(period, &groups, None).await?;
    let mut entries = Vec::new();
    for (key, sums) in sum_by(&parts, &groups) {
        let (Some(day), Some(id)) = (key.day, key.model) else { continue };
        let known = config.catalog.get(&id);
        let (before, after) = id.split_once('/').unwrap_or(("", &id));
        let provider = known.map_or(before, |model| model.provider.as_str()).to_owned();
        let upstream = known.map_or(after, |model| &model.upstream).to_owned();
        let (unconfirmed, estimated) = (sums.unconfirmed_cost, sums.estimated_cost);
        let ours = Ours { day, upstream, cost: sums.cost, unconfirmed, estimated, model: id };
        entries.push(Entry { provider, ours });
    }
    Ok(entries)
}

/// The provider whose models are compared; `None`: all.
fn provider(
    asked: Option<String>,
    export: &Export,
    (config, entries): (&Config, &[Entry]),
) -> Result<Option<String>, CliError> {
    let known = |id: &str| {
        config.providers.iter().any(|provider| provider.id.as_str() == id)
            || entries.iter().any(|entry| entry.provider == id)
    };
    match asked {
        Some(id) if known(&id) => Ok(Some(id)),
        Some(id) => {
            let ids: Vec<&str> = config.providers.iter().map(|one| one.id.as_str()).collect();
            Err(CliError::Usage(format!(
                "error: --provider: there is no provider `{id}`; there are {}",
                ids.join(", ")
            )))
        }
        None => Ok(export.provider.filter(|id| known(id)).map(str::to_owned)),
    }
}

struct Verdict<'a> {
    file: &'a str,
    export: &'a Export,
    provider: Option<&'a str>,
    tolerance: Tolerance,
    comparison: &'a Comparison,
}

#[derive(Serialize)]
struct Json<'a> {
    form: &'a str,
    provider: Option<&'a str>,
    /// UTC days, both included.
    first_day: Option<Date>,
    last_day: Option<Date>,
    tolerance_percent: f64,
    within_tolerance: bool,
    total: Amounts,
    rows: Vec<JsonRow<'a>>,
    lines: usize,
    bad_lines: &'a [BadLine],
    bad_line_count: usize,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    day: Date,
    model: Option<&'a str>,
    #[serde(flatten)]
    amounts: Amounts,
    likely_cause: Option<String>,
}

/// `null` where a side has no such row.
#[derive(Serialize)]
struct Amounts {
    ours_usd: Option<f64>,
    theirs_usd: Option<f64>,
    difference_usd: f64,
    difference_percent: Option<f64>,
    unconfirmed_usd: f64,
    estimated_usd: f64,
}

impl From<&Row> for Amounts {
    fn from(row: &Row) -> Self {
        Self {
            ours_usd: row.ours.map(NanoUsd::to_usd_f64),
            theirs_usd: row.theirs.map(NanoUsd::to_usd_f64),
            difference_usd: row.difference().to_usd_f64(),
            difference_percent: row.percent(),
            unconfirmed_usd: row.unconfirmed.to_usd_f64(),
            estimated_usd: row.estimated.to_usd_f64(),
        }
    }
}

impl Verdict<'_> {
    /// Why the exit code is not 0.
    fn failure(&self) -> Option<String> {
        let bad = self.export.bad_count;
        if bad > 0 {
            let (file, lines) = (self.file, if bad == 1 { "line" } else { "lines" });
            return Some(format!("not all is compared: {bad} {lines} of {file} cannot be read"));
        }
        let total = &self.comparison.total;
        (!total.is_within(self.tolerance)).then(|| {
            format!("the totals differ by {}, more than {} %", off(total), self.tolerance.percent())
        })
    }

    fn json(&self) -> Json<'_> {
        let row = |row: &'_ Row| (!row.cause().is_empty()).then(|| row.cause());
        let rows = self.comparison.rows.iter().map(|one| JsonRow {
            day: one.day,
            model: (!one.model.is_empty()).then_some(one.model.as_str()),
            amounts: one.into(),
            likely_cause: row(one),
        });
        let days = self.export.days();
        Json {
            form: self.export.form,
            provider: self.provider,
            first_day: days.map(|(first, _)| first),
            last_day: days.map(|(_, last)| last),
            tolerance_percent: self.tolerance.percent(),
            within_tolerance: self.failure().is_none(),
            total: (&self.comparison.total).into(),
            rows: rows.collect(),
            lines: self.export.lines,
            bad_lines: &self.export.bad,
            bad_line_count: self.export.bad_count,
        }
    }

    fn lines(&self) -> Vec<String> {
        let Self { export, comparison, .. } = self;
        let days = export.days().map_or_else(
            || "no line".to_owned(),
            |(first, last)| format!("{first} to {last} (UTC days, as providers bill)"),
        );
        let whose = self.provider.map_or("all models".to_owned(), |id| format!("models of {id}"));
        let mut lines = vec![format!("{}: {}, {days}, {whose}", self.file, export.form)];
        for bad in &export.bad {
            lines.push(format!("line {}: {}", bad.line, bad.problem));
        }
        let unnamed = export.bad_count - export.bad.len();
        if unnamed > 0 {
            lines.push(format!("and {unnamed} more lines"));
        }
        let differing = |row: &&Row| row.difference() != NanoUsd::ZERO;
        let differ: Vec<&Row> = comparison.rows.iter().filter(differing).collect();
        let headings = ["DAY", "MODEL", "OURS", "THEIRS", "DIFFERENCE", "", "LIKELY CAUSE"];
        let mut rows = vec![headings.map(str::to_owned)];
        rows.extend(differ.iter().map(|row| cells(row, row.day.to_string())));
        rows.push(cells(&comparison.total, "total".to_owned()));
        lines.push(String::new());
        lines.extend(table(&rows));
        lines.push(String::new());
        let all = comparison.rows.len();
        lines.push(format!("{} of {all} rows agree to the nano-dollar", all - differ.len()));
        if self.failure().is_none() {
            let (off, tolerance) = (off(&comparison.total), self.tolerance.percent());
            lines.push(format!("the totals differ by {off}, within {tolerance} %"));
        }
        lines
    }
}

/// The difference of a row in words: `$0.02 (+0.4 %)`.
fn off(row: &Row) -> String {
    let amount = usd(NanoUsd(row.difference().0.saturating_abs()));
    match row.percent() {
        Some(percent) => format!("{amount} ({})", signed(percent)),
        None => amount,
    }
}

fn signed(percent: f64) -> String {
    format!("{percent:+.2} %")
}

fn cells(row: &Row, day: String) -> [String; 7] {
    let amount = |amount: Option<NanoUsd>| amount.map_or_else(|| "-".to_owned(), usd);
    let difference = row.difference();
    let sign = if difference > NanoUsd::ZERO { "+" } else { "" };
    [
        day,
        row.model.clone(),
        amount(row.ours),
        amount(row.theirs),
        format!("{sign}{}", usd(difference)),
        row.percent().map_or_else(String::new, signed),
        row.cause(),
    ]
}
