//! What was used and what it cost, summed by model, tier, key, project and day. Decides what the
//! sums mean; knows no prices.
//!
//! Requests count when they started, money when it was reserved, as in the budget's windows: the
//! total of a day is what `/v1/budget` said at its end. Charges know no tier, so where tiers are told
//! apart, money of calls that did not answer (a fallback that had cost something, a crash) stands in
//! a row without a tier.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::view::LedgerView;
use super::{RequestRecord, window};
use crate::catalog::Tier;
use crate::chat::Usage;
use crate::ids::{KeyId, ModelId};
use crate::money::NanoUsd;
use crate::store::StoreError;
use crate::store::usage::{
    BY_KEY, BY_MODEL, BY_PROJECT, BY_TIER, ChargeLine, QUARTER, RowFilter, UsageRow, UsageSpan,
};

/// Ids begin with the milliseconds at which they were made, which is when the request started.
const ID_SLACK_MICROS: i64 = 600_000_000;

/// What rows are told apart by.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Group {
    Model,
    Tier,
    Key,
    Project,
    Day,
}

/// From `since` to `until`, cut at the beginning of each day of `timezone` and at `cuts`, such as
/// the moments at which a price changes.
#[derive(Clone, Copy, Debug)]
pub struct Period<'a> {
    pub since: Timestamp,
    pub until: Timestamp,
    pub timezone: &'a TimeZone,
    pub cuts: &'a [Timestamp],
}

/// Sums of what cannot be told apart any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsagePart {
    /// A moment at which all of it counts: the beginning of its piece of the period.
    pub at: Timestamp,
    pub day: Date,
    pub key: Option<KeyId>,
    pub project: Option<String>,
    pub model: Option<ModelId>,
    pub tier: Option<Tier>,
    /// Ended with an error. A client that hung up is none.
    pub failed: bool,
    /// Every prompt had more tokens than this (0, 100,000, 128,000, 200,000, ...).
    pub longer_than: u64,
    pub requests: u64,
    pub estimated: u64,
    pub usage: Usage,
    /// Of the answers, as their requests say.
    pub cost: NanoUsd,
    pub estimated_cost: NanoUsd,
    /// Of all calls, as the budget counts.
    pub charged: NanoUsd,
    pub unconfirmed: u64,
    pub unconfirmed_cost: NanoUsd,
}

/// What tells a row from the others; `None` where it is not told apart, or where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct GroupKey {
    pub day: Option<Date>,
    pub model: Option<String>,
    pub tier: Option<Tier>,
    pub key: Option<String>,
    pub project: Option<String>,
}

/// Sums of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub requests: u64,
    pub failed: u64,
    /// Requests whose usage had to be counted from the text, and what they cost.
    pub estimated: u64,
    pub estimated_cost: NanoUsd,
    /// Calls of which nobody knows what they cost: charged in full.
    pub unconfirmed: u64,
    pub unconfirmed_cost: NanoUsd,
    pub usage: Usage,
    pub cost: NanoUsd,
}

impl Figures {
    fn add(&mut self, part: &UsagePart) {
        self.requests += part.requests;
        self.failed += if part.failed { part.requests } else { 0 };
        self.estimated += part.estimated;
        self.estimated_cost += part.estimated_cost;
        self.usage = plus(&self.usage, &part.usage);
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn plus(a: &Usage, b: &Usage) -> Usage {
    Usage {
        input: a.input + b.input,
        cache_read: a.cache_read + b.cache_read,
        cache_write: a.cache_write + b.cache_write,
        cache_write_1h: a.cache_write_1h + b.cache_write_1h,
        output: a.output + b.output,
        reasoning: a.reasoning + b.reasoning,
        audio_input: a.audio_input + b.audio_input,
        cache_write_long: a.cache_write_long + b.cache_write_long,
        audio_cached: a.audio_cached + b.audio_cached,
        audio_output: a.audio_output + b.audio_output,
        image_input: a.image_input + b.image_input,
        image_output: a.image_output + b.image_output,
        web_searches: a.web_searches + b.web_searches,
        server_tools: a.server_tools + b.server_tools,
        ..Usage::default()
    }
}

/// The rows of `parts` by `groups`, in the order of their keys; days rise.
pub fn sum_by(parts: &[UsagePart], groups: &[Group]) -> Vec<(GroupKey, Figures)> {
    let by_tier = groups.contains(&Group::Tier);
    let mut rows: BTreeMap<GroupKey, Figures> = BTreeMap::new();
    for part in parts {
        let own = part.key(groups);
        let money = if by_tier { GroupKey { tier: None, ..own.clone() } } else { own.clone() };
        let answers = rows.entry(own).or_default();
        answers.add(part);
        if by_tier {
            answers.cost += part.cost;
        }
        let money = rows.entry(money).or_default();
        money.cost += if by_tier { part.charged - part.cost } else { part.charged };
        money.unconfirmed += part.unconfirmed;
        money.unconfirmed_cost += part.unconfirmed_cost;
    }
    rows.into_iter().filter(|(_, figures)| !figures.is_empty()).collect()
}

/// The sum of everything.
pub fn total(parts: &[UsagePart]) -> Figures {
    sum_by(parts, &[]).into_iter().next().map_or_else(Figures::default, |(_, figures)| figures)
}

impl UsagePart {
    /// What tells it from others by `groups`.
    pub fn key(&self, groups: &[Group]) -> GroupKey {
        let mut key = GroupKey::default();
        for group in groups {
            match group {
                Group::Model => key.model = self.model.as_ref().map(ToString::to_string),
                Group::Tier => key.tier = self.tier,
                Group::Key => key.key = self.key.as_ref().map(ToString::to_string),
                Group::Project => key.project.clone_from(&self.project),
                Group::Day => key.day = Some(self.day),
            }
        }
        key
    }
}

/// A charge of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub attempt: u32,
    pub model: ModelId,
    pub reserved_at: Timestamp,
    pub settled_at: Timestamp,
    pub reserved: NanoUsd,
    pub cost: NanoUsd,
    /// Charged in full: the router ended before the provider had said what it cost.
    pub unconfirmed: bool,
}

/// What a list of requests is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    pub key: Option<KeyId>,
    /// The model that answered, or the name that was asked for.
    pub model: Option<String>,
    /// Only those that ended with an error.
    pub failed: bool,
}

impl LedgerView {
    /// The sums of a period, told apart by `groups` (a day always is) and by whether the requests
    /// failed and how long their prompts were; of one key only, where it is given.
    pub async fn usage(
        &self,
        period: Period<'_>,
        groups: &[Group],
        key: Option<&KeyId>,
    ) -> Result<Vec<UsagePart>, StoreError> {
        let Some((span, pieces)) = self.span(period).await? else { return Ok(Vec::new()) };
        let mask = groups.iter().fold(0, |mask, group| {
            mask | match group {
                Group::Model => BY_MODEL,
                Group::Tier => BY_TIER,
                Group::Key => BY_KEY,
                Group::Project => BY_PROJECT,
                Group::Day => 0,
            }
        });
        let rows = self.reader.usage(&span, mask, key.map(KeyId::as_str)).await?;
        Ok(rows.into_iter().filter_map(|row| part(row, &pieces)).collect())
    }

    /// The beginning of the oldest quarter of an hour with a request or a charge; `None` without.
    pub async fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        let oldest = self.reader.oldest_quarter().await?;
        Ok(oldest.map(|quarter| window::moment(quarter.saturating_mul(QUARTER))))
    }

    /// The requests of a period that cost most, dearest first; none that cost nothing.
    pub async fn dearest(
        &self,
        period: Period<'_>,
        limit: u32,
    ) -> Result<Vec<RequestRecord>, StoreError> {
        let Some((span, _)) = self.span(period).await? else { return Ok(Vec::new()) };
        let rows = self.reader.dearest(&span, limit).await?;
        Ok(rows.into_iter().map(RequestRecord::from).collect())
    }

    /// Requests whose id begins with `prefix` (with or without `req_`), at most `limit`.
    pub async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RequestRecord>, StoreError> {
        let digits = prefix.strip_prefix("req_").unwrap_or(prefix).to_ascii_lowercase();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let prefix = format!("req_{digits}");
        let (from, to) = made_between(&digits);
        let near = (from - ID_SLACK_MICROS, to.saturating_add(ID_SLACK_MICROS));
        let rows = self.reader.requests_by_id(&prefix, near, limit).await?;
        Ok(rows.into_iter().map(RequestRecord::from).collect())
    }

    /// Requests that started at or after `since` and pass `filter`, newest first.
    pub async fn filtered(
        &self,
        since: Timestamp,
        filter: &RequestFilter,
        limit: u32,
    ) -> Result<Vec<RequestRecord>, StoreError> {
        let filter = RowFilter {
            key: filter.key.as_ref().map(ToString::to_string),
            model: filter.model.clone(),
            failed: filter.failed,
        };
        let rows = self.reader.filtered_requests(window::micros(since), &filter, limit).await?;
        Ok(rows.into_iter().map(RequestRecord::from).collect())
    }

    /// Every line of money of a request, in the order of its calls.
    pub async fn charges(&self, request: &RequestRecord) -> Result<Vec<Charge>, StoreError> {
        const SLACK: i64 = 60_000_000;
        let from = window::micros(request.started_at);
        let elapsed = i64::try_from(request.elapsed.as_micros()).unwrap_or(i64::MAX);
        let to = from.saturating_add(elapsed).saturating_add(SLACK);
        let lines = self.reader.charges_of(request.id.as_str(), (from - SLACK, to)).await?;
        Ok(lines.into_iter().map(Charge::from).collect())
    }

    /// The period as the store sums it, and the beginning and the day of each piece; `None` if
    /// nothing can be in it.
    async fn span(&self, period: Period<'_>) -> Result<Option<(UsageSpan, Pieces)>, StoreError> {
        let Some(oldest) = self.oldest().await? else { return Ok(None) };
        let period = Period { since: period.since.max(oldest), ..period };
        Ok((period.since < period.until).then(|| pieces(period)))
    }
}

/// The beginning of each piece of a period, and its day.
type Pieces = Vec<(Timestamp, Date)>;

fn pieces(period: Period<'_>) -> (UsageSpan, Pieces) {
    let Period { since, until, timezone, cuts } = period;
    let up = |moment: Timestamp| {
        let micros = window::micros(moment);
        micros.div_euclid(QUARTER) + i64::from(micros.rem_euclid(QUARTER) > 0)
    };
    let mut begins: Vec<Timestamp> = days(since, until, timezone);
    begins.extend(cuts.iter().copied().filter(|cut| *cut > since && *cut < until));
    begins.sort_unstable();
    begins.dedup();
    // Whatever is written after `until` was asked for still belongs to its quarter.
    let end = up(until).max(up(since) + 1);
    let bounds: Vec<i64> = begins.iter().map(|begin| up(*begin)).chain([end]).collect();
    let span = UsageSpan {
        since: window::micros(since),
        pieces: bounds.windows(2).map(|pair| (pair[0], pair[1])).collect(),
    };
    let day = |begin: &Timestamp| (*begin, begin.to_zoned(timezone.clone()).date());
    (span, begins.iter().map(day).collect())
}

/// `since` and the beginning of every day after it.
fn days(since: Timestamp, until: Timestamp, timezone: &TimeZone) -> Vec<Timestamp> {
    let mut begins = vec![since];
    let mut day = since.to_zoned(timezone.clone());
    loop {
        let next = day.tomorrow().and_then(|next| next.start_of_day());
        match next {
            Ok(next) if next.timestamp() < until => {
                begins.push(next.timestamp());
                day = next;
            }
            Ok(_) | Err(_) => return begins,
        }
    }
}

/// When ids that begin with `digits` were made, in microseconds.
fn made_between(digits: &str) -> (i64, i64) {
    let time: String = digits.chars().take(12).collect();
    let low = format!("{time:0<12}");
    let high = format!("{time:f<12}");
    let micros = |hex: &str| i64::from_str_radix(hex, 16).unwrap_or(0).saturating_mul(1000);
    (micros(&low), micros(&high).saturating_add(999))
}

fn part(row: UsageRow, pieces: &[(Timestamp, Date)]) -> Option<UsagePart> {
    let (at, day) = *pieces.get(usize::try_from(row.piece).ok()?)?;
    let some = |text: String| (!text.is_empty()).then_some(text);
    let count = |sum: i64| u64::try_from(sum).unwrap_or(0);
    Some(UsagePart {
        at,
        day,
        key: some(row.key).map(Into::into),
        project: some(row.project),
        model: some(row.model).map(Into::into),
        tier: row.tier.parse().ok(),
        failed: row.failed != 0,
        longer_than: count(row.longer_than),
        requests: count(row.requests),
        estimated: count(row.estimated),
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
            ..Usage::default()
        },
        cost: NanoUsd(row.cost),
        estimated_cost: NanoUsd(row.estimated_cost),
        charged: NanoUsd(row.charged),
        unconfirmed: count(row.unconfirmed_count),
        unconfirmed_cost: NanoUsd(row.unconfirmed),
    })
}

impl From<ChargeLine> for Charge {
    fn from(line: ChargeLine) -> Self {
        Self {
            attempt: u32::try_from(line.attempt).unwrap_or_default(),
            model: line.model.into(),
            reserved_at: window::moment(line.reserved_at),
            settled_at: window::moment(line.settled_at),
            reserved: NanoUsd(line.ceiling),
            cost: NanoUsd(line.cost),
            unconfirmed: line.unconfirmed,
        }
    }
}
