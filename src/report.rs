//! Where the money went, and what routing and caches saved: the figures of `edge-router report`.
//! Pure: it is given the sums of the ledger, prices and the classifier's curve, and draws nothing.
//!
//! What is assumed: the baseline model would have been sent the same prompts and written answers of
//! the same length in its own tokens, and found the same part of the prompts in its cache; it would
//! have cost its list price of that moment. Requests that failed are left out on both sides. Where a
//! price depends on a prompt length that the sums cannot tell, the lower one counts, so that no
//! saving is claimed that may not be.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::analyze::curve::Point;
use crate::catalog::Price;
use crate::chat::Usage;
use crate::ledger::{Figures, Group, GroupKey, RequestRecord, UsagePart, sum_by, total};
use crate::money::NanoUsd;

/// The assumption in words, for whoever reads the figures.
pub const ASSUMES: &str = "the same requests with the same numbers of prompt, cached and answer tokens \
     at the baseline model's list price of that moment; requests that failed are left out on both sides";

/// A quarter of an hour: the grain of the ledger's sums.
const STEP: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct Material<'a> {
    pub since: Timestamp,
    pub until: Timestamp,
    /// Name of the time zone in which days begin.
    pub timezone: String,
    /// Told apart by everything, cut at [`cuts`].
    pub parts: &'a [UsagePart],
    /// Dearest first.
    pub dearest: Vec<RequestRecord>,
    pub limits: Limits,
    pub baseline: String,
    pub quality: Option<Quality>,
}

/// What is known of models.
pub trait Models {
    /// `None`: not known (any more).
    fn price(&self, id: &str) -> Option<&Price>;
    /// Runs on this machine or in this house.
    fn is_local(&self, id: &str) -> bool;
}

/// The budget's limits as they are now.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Limits {
    #[serde(serialize_with = "exact_or_null")]
    pub daily_usd: Option<NanoUsd>,
    #[serde(serialize_with = "exact_or_null")]
    pub monthly_usd: Option<NanoUsd>,
}

/// The classifier's setting, and what it and the others come to on labelled prompts.
#[derive(Clone, Debug, Serialize)]
pub struct Quality {
    pub configured: f32,
    /// Between the two measured settings next to it.
    pub at_configured: Point,
    pub curve: Vec<Point>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub since: Timestamp,
    pub until: Timestamp,
    pub timezone: String,
    pub total: Sums,
    pub limits: Limits,
    pub savings: Savings,
    pub caching: Caching,
    pub local: Local,
    /// By each way of grouping: days and tiers rise, the others fall by cost.
    pub rows: BTreeMap<Group, Vec<Row>>,
    pub dearest: Vec<Dear>,
    pub quality: Option<Quality>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Model, tier, key, project or day; `None` where there is none.
    pub name: Option<String>,
    #[serde(flatten)]
    pub sums: Sums,
    /// What the answers of this row would have cost at the baseline, if its price is known.
    #[serde(serialize_with = "exact_or_null")]
    pub baseline_usd: Option<NanoUsd>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Sums {
    pub requests: u64,
    pub failed: u64,
    pub estimated: u64,
    pub tokens: Tokens,
    #[serde(serialize_with = "exact")]
    pub cost_usd: NanoUsd,
    #[serde(serialize_with = "exact")]
    pub estimated_usd: NanoUsd,
    pub unconfirmed: u64,
    #[serde(serialize_with = "exact")]
    pub unconfirmed_usd: NanoUsd,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tokens {
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub cache_write_1h: u64,
    pub output: u64,
    pub reasoning: u64,
    pub audio_input: u64,
}

/// Answered requests against the baseline.
#[derive(Clone, Debug, Serialize)]
pub struct Savings {
    pub baseline: String,
    /// `false`: the baseline's price is not known, the amounts are `null`.
    pub known: bool,
    pub assumes: &'static str,
    /// Requests that were answered: what is compared.
    pub requests: u64,
    #[serde(serialize_with = "exact")]
    pub paid_usd: NanoUsd,
    #[serde(serialize_with = "exact_or_null")]
    pub baseline_usd: Option<NanoUsd>,
    #[serde(serialize_with = "exact_or_null")]
    pub saved_usd: Option<NanoUsd>,
}

/// What the providers' prompt caches saved on the models that served: the same prompts without a
/// cache, less what reading from and writing to it cost.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Caching {
    #[serde(serialize_with = "exact")]
    pub saved_usd: NanoUsd,
    /// Share of all prompt tokens that were read from a cache, 0..1.
    pub read_share: f64,
    /// Models with cached tokens whose price is not known any more: not in the amount.
    pub unknown: Vec<String>,
}

/// Answers of models that run here.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Local {
    pub requests: u64,
    pub answered: u64,
    /// 0..1, of the answered requests.
    pub share: f64,
}

/// One request that cost much.
#[derive(Clone, Debug, Serialize)]
pub struct Dear {
    pub id: String,
    pub at: Timestamp,
    pub model: Option<String>,
    pub tier: Option<crate::catalog::Tier>,
    pub key: String,
    pub project: Option<String>,
    pub tokens: Tokens,
    #[serde(serialize_with = "exact")]
    pub cost_usd: NanoUsd,
    pub estimated: bool,
}

/// Every moment between `since` and `until` at which one of `prices` changes, to the quarter of an
/// hour: there the sums must be cut, so that each tells one price.
pub fn cuts<'a>(
    prices: impl Iterator<Item = &'a Price>,
    since: Timestamp,
    until: Timestamp,
) -> Vec<Timestamp> {
    let mut cuts = Vec::new();
    for price in prices.filter(|price| price.off_peak.is_some() || !price.scheduled.is_empty()) {
        let second = since.as_second();
        let mut at = Timestamp::from_second(second - second.rem_euclid(900)).unwrap_or(since);
        let mut rates = price.at(at, 0);
        while let Ok(next) = at.checked_add(STEP)
            && next < until
        {
            let then = price.at(next, 0);
            if then != rates {
                cuts.push(next);
            }
            (at, rates) = (next, then);
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// The setting `configured` on the measured `curve`; `None` without one.
pub fn quality(configured: f32, curve: Vec<Point>) -> Option<Quality> {
    let above = curve.iter().position(|point| point.quality >= configured);
    let above = *curve.get(above.unwrap_or(curve.len().saturating_sub(1)))?;
    let below = *curve.iter().rev().find(|point| point.quality <= configured).unwrap_or(&above);
    let width = above.quality - below.quality;
    let share = if width > 0.0 { (configured - below.quality) / width } else { 0.0 };
    let between =
        |value: fn(&Point) -> f32| value(&below) + share * (value(&above) - value(&below));
    let at_configured = Point {
        quality: configured,
        accuracy: between(|point| point.accuracy),
        too_weak: between(|point| point.too_weak),
        two_too_weak: between(|point| point.two_too_weak),
        cost: between(|point| point.cost),
    };
    Some(Quality { configured, at_configured, curve })
}

/// Puts the figures together.
pub fn report(material: Material<'_>, models: &impl Models) -> Report {
    let parts = material.parts;
    let all = [Group::Model, Group::Tier, Group::Key, Group::Project, Group::Day];
    let baseline = models.price(&material.baseline);
    let rows = all.into_iter().map(|group| (group, rows(parts, group, baseline))).collect();
    Report {
        since: material.since,
        until: material.until,
        timezone: material.timezone,
        total: Sums::from(&total(parts)),
        limits: material.limits,
        savings: savings(parts, material.baseline, baseline),
        caching: caching(parts, models),
        local: local(parts, models),
        rows,
        dearest: material.dearest.into_iter().map(Dear::from).collect(),
        quality: material.quality,
    }
}

/// What the part would have cost at `price`.
fn at_price(part: &UsagePart, price: &Price) -> NanoUsd {
    price.at(part.at, part.longer_than + 1).cost(&part.usage)
}

fn answered(parts: &[UsagePart]) -> impl Iterator<Item = &UsagePart> {
    parts.iter().filter(|part| !part.failed)
}

fn rows(parts: &[UsagePart], group: Group, baseline: Option<&Price>) -> Vec<Row> {
    let mut at_baseline: BTreeMap<GroupKey, NanoUsd> = BTreeMap::new();
    if let Some(price) = baseline {
        for part in answered(parts) {
            *at_baseline.entry(part.key(&[group])).or_default() += at_price(part, price);
        }
    }
    let mut rows: Vec<Row> = sum_by(parts, &[group])
        .into_iter()
        .map(|(key, figures)| Row {
            baseline_usd: baseline.map(|_| at_baseline.get(&key).copied().unwrap_or_default()),
            name: name(key, group),
            sums: Sums::from(&figures),
        })
        .collect();
    match group {
        Group::Day => {}
        // From easy to hard, as the keys are; what has no tier stands last.
        Group::Tier => rows.sort_by_key(|row| row.name.is_none()),
        Group::Model | Group::Key | Group::Project => {
            rows.sort_by_key(|row| std::cmp::Reverse((row.sums.cost_usd, row.sums.requests)));
        }
    }
    rows
}

fn name(key: GroupKey, group: Group) -> Option<String> {
    match group {
        Group::Model => key.model,
        Group::Tier => key.tier.map(|tier| tier.to_string()),
        Group::Key => key.key,
        Group::Project => key.project,
        Group::Day => key.day.map(|day| day.to_string()),
    }
}

fn savings(parts: &[UsagePart], baseline: String, price: Option<&Price>) -> Savings {
    let paid_usd: NanoUsd = answered(parts).map(|part| part.cost).sum();
    let baseline_usd = price.map(|price| answered(parts).map(|part| at_price(part, price)).sum());
    Savings {
        baseline,
        known: price.is_some(),
        assumes: ASSUMES,
        requests: answered(parts).map(|part| part.requests).sum(),
        paid_usd,
        baseline_usd,
        saved_usd: baseline_usd.map(|baseline: NanoUsd| baseline - paid_usd),
    }
}

fn caching(parts: &[UsagePart], models: &impl Models) -> Caching {
    let mut caching = Caching::default();
    let (mut read, mut prompt) = (0, 0);
    for part in parts {
        let usage = &part.usage;
        read += usage.cache_read;
        prompt += usage.prompt_tokens();
        if usage.prompt_tokens() == usage.input {
            continue;
        }
        let id = part.model.as_ref().map_or("", |model| model.as_str());
        let Some(price) = models.price(id) else {
            caching.unknown.push(id.to_owned());
            continue;
        };
        let rates = price.at(part.at, part.longer_than + 1);
        let plain = Usage { input: usage.prompt_tokens(), ..*usage };
        let audio_input = usage.audio_input + usage.audio_cached;
        let plain = Usage { audio_input, audio_cached: 0, cache_read: 0, ..plain };
        let plain = Usage { cache_write: 0, cache_write_1h: 0, cache_write_long: 0, ..plain };
        caching.saved_usd += rates.cost(&plain) - rates.cost(usage);
    }
    caching.unknown.sort_unstable();
    caching.unknown.dedup();
    caching.read_share = share(read, prompt);
    caching
}

fn local(parts: &[UsagePart], models: &impl Models) -> Local {
    let mut local = Local::default();
    for part in answered(parts) {
        local.answered += part.requests;
        if part.model.as_ref().is_some_and(|model| models.is_local(model.as_str())) {
            local.requests += part.requests;
        }
    }
    local.share = share(local.requests, local.answered);
    local
}

/// `part` of `whole`, 0..1; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "shares are for people")]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl From<&Figures> for Sums {
    fn from(figures: &Figures) -> Self {
        Self {
            requests: figures.requests,
            failed: figures.failed,
            estimated: figures.estimated,
            tokens: Tokens::from(&figures.usage),
            cost_usd: figures.cost,
            estimated_usd: figures.estimated_cost,
            unconfirmed: figures.unconfirmed,
            unconfirmed_usd: figures.unconfirmed_cost,
        }
    }
}

impl From<&Usage> for Tokens {
    fn from(usage: &Usage) -> Self {
        Self {
            input: usage.input,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            cache_write_1h: usage.cache_write_1h,
            output: usage.output,
            reasoning: usage.reasoning,
            audio_input: usage.audio_input,
        }
    }
}

impl Tokens {
    /// The whole prompt, cached tokens included.
    pub fn prompt(&self) -> u64 {
        self.input + self.cache_read + self.cache_write + self.cache_write_1h
    }
}

impl From<RequestRecord> for Dear {
    fn from(request: RequestRecord) -> Self {
        Self {
            id: request.id.to_string(),
            at: request.started_at,
            model: request.model.map(|model| model.to_string()),
            tier: request.tier,
            key: request.key.to_string(),
            project: request.project,
            tokens: Tokens::from(&request.usage),
            cost_usd: request.cost,
            estimated: request.estimated,
        }
    }
}

/// A number with every nano-dollar.
fn exact<S: Serializer>(amount: &NanoUsd, to: S) -> Result<S::Ok, S::Error> {
    exact_or_null(&Some(*amount), to)
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn exact_or_null<S: Serializer>(amount: &Option<NanoUsd>, to: S) -> Result<S::Ok, S::Error> {
    let number = amount.map(|amount| RawValue::from_string(amount.to_string())).transpose();
    number.map_err(serde::ser::Error::custom)?.serialize(to)
}

#[cfg(test)]
pub(crate) mod tests;
