//! `edge-router report`: where the money went and what routing saved, read from the ledger's file,
//! whether or not the router runs. Gathers; [`text`] and [`page`] show.

mod charts;
mod page;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;

use super::budget::{configuration, in_runtime, ledger};
use super::{CliError, ConfigArg, figures, output};
use crate::analyze::curve::{self, Point};
use crate::catalog::{Model, Price};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::keys;
use crate::ledger::{Group, Period, SINCE, since};
use crate::providers::ProviderKind;
use crate::report::{self, Limits, Material, Models, Report as Figures};

/// The built-in classifier's card, which holds its measured curve.
const CARD: &str = include_str!("../../models/tier-classifier/card.md");

/// Dearest requests that are named.
const DEAREST: u32 = 10;

/// Show where the money went and what routing saved
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  edge-router report\n  edge-router report --since 7d --by key\n  \
    edge-router report --html report.html"
)]
pub struct Report {
    #[command(flatten)]
    config: ConfigArg,
    /// How far to look back (12h, 30d), or a day or moment such as 2026-11-20
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// Show one table only: model, tier, key, project or day
    #[arg(long, value_name = "GROUP", value_parser = group)]
    by: Option<Group>,
    /// Print all figures as JSON
    #[arg(long, conflicts_with = "html")]
    json: bool,
    /// Write one self-contained page with charts; - writes it to standard output
    #[arg(long, value_name = "FILE", conflicts_with = "by")]
    html: Option<PathBuf>,
    /// Folder whose tier-classifier/ replaces the built-in model
    #[arg(long, value_name = "DIR", env = "EDGE_ROUTER_MODELS_DIR", hide_env_values = true)]
    models_dir: Option<PathBuf>,
}

fn group(text: &str) -> Result<Group, String> {
    use strum::VariantNames;
    text.parse().map_err(|_| format!("allowed: {}", Group::VARIANTS.join(", ")))
}

impl Report {
    pub fn run(self) -> Result<(), CliError> {
        let config = configuration(self.config)?;
        let now = SystemClock.now();
        let Some(since) = since(&self.since, now, &config.budget.timezone) else {
            let text = &self.since;
            return Err(CliError::Usage(format!("error: --since: `{text}` is not {SINCE}")));
        };
        let curve = curve(self.models_dir.as_deref());
        let mut report = in_runtime(gather(&config, (since, now), curve))??;
        if let Some(by) = self.by {
            report.rows.retain(|group, _| *group == by);
        }
        if self.json {
            return output::json(&report);
        }
        if let Some(file) = self.html {
            return write(&file, &page::page(&report));
        }
        if report.total.requests == 0 && report.total.cost_usd.is_zero() {
            let since = since.to_zoned(config.budget.timezone).strftime("%Y-%m-%d %H:%M %Z");
            output::error(&format!("no request since {since}; look further back with --since 90d"));
            return Ok(());
        }
        for line in text::lines(&report, self.by, figures::screen_width()) {
            output::line(&line);
        }
        Ok(())
    }
}

fn write(file: &Path, page: &str) -> Result<(), CliError> {
    if file == Path::new("-") {
        output::line(page.trim_end());
        return Ok(());
    }
    std::fs::write(file, page)
        .with_context(|| format!("cannot write {}", file.display()))
        .map_err(CliError::Failed)?;
    output::error(&format!("wrote {}", file.display()));
    Ok(())
}

/// The measured curve of the classifier in use; empty where its card has none.
fn curve(models_dir: Option<&Path>) -> Vec<Point> {
    // An empty variable means none.
    let folder = models_dir.filter(|dir| !dir.as_os_str().is_empty());
    let folder = folder.map(|dir| dir.join("tier-classifier")).filter(|dir| dir.is_dir());
    match folder {
        None => curve::read_table(CARD),
        Some(folder) => std::fs::read_to_string(folder.join("card.md"))
            .map_or_else(|_| Vec::new(), |card| curve::read_table(&card)),
    }
}

async fn gather(
    config: &Config,
    (since, until): (Timestamp, Timestamp),
    curve: Vec<Point>,
) -> anyhow::Result<Figures> {
    let zone = &config.budget.timezone;
    let (mut parts, mut dearest) = (Vec::new(), Vec::new());
    if let Some(view) = ledger(config).await?
        && let Some(oldest) = view.oldest().await?
    {
        let prices = config.catalog.models().iter().filter_map(|model| model.price.as_ref());
        let cuts = report::cuts(prices, since.max(oldest), until);
        let period = Period { since, until, timezone: zone, cuts: &cuts };
        let all = [Group::Model, Group::Tier, Group::Key, Group::Project, Group::Day];
        parts = view.usage(period, &all, None).await?;
        dearest = view.dearest(period, DEAREST).await?;
        let keys = keys::read(view.reader()).await?;
        for key in parts.iter_mut().filter_map(|part| part.key.as_mut()) {
            *key = keys.label(key);
        }
        for request in &mut dearest {
            request.key = keys.label(&request.key);
        }
    }
    let material = Material {
        since,
        until,
        timezone: zone.iana_name().unwrap_or("UTC").to_owned(),
        parts: &parts,
        dearest,
        limits: Limits { daily_usd: config.budget.daily, monthly_usd: config.budget.monthly },
        baseline: config.report.baseline.to_string(),
        quality: report::quality(config.report.quality, curve),
    };
    Ok(report::report(material, &Known(config)))
}

/// What the configuration knows of models.
struct Known<'a>(&'a Config);

impl Known<'_> {
    fn model(&self, id: &str) -> Option<&Model> {
        self.0.catalog.get(id).map(AsRef::as_ref)
    }
}

impl Models for Known<'_> {
    fn price(&self, id: &str) -> Option<&Price> {
        self.model(id)?.price.as_ref()
    }

    fn is_local(&self, id: &str) -> bool {
        // Ollama's models are found while the router runs and are not in the file.
        let provider = id.split_once('/').map_or(id, |(provider, _)| provider);
        let house = |kind| matches!(kind, ProviderKind::Ollama | ProviderKind::Embedded);
        self.model(id).is_some_and(|model| model.local)
            || self.0.providers.iter().any(|one| one.id.as_str() == provider && house(one.kind))
    }
}
