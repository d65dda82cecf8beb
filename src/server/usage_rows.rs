//! What was used, by model, tier, key, project and day: the rows of `GET /v1/usage`.

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use strum::VariantNames;

use super::error::Failure;
use super::json::Usd;
use crate::chat::Usage;
use crate::ledger::{Figures, Group, GroupKey, Period, SINCE, since, sum_by, total};
use crate::pipeline::Caller;
use crate::state::AppState;

/// Rows that an answer holds at most.
const MOST_ROWS: usize = 10_000;
const DEFAULT_SINCE: &str = "30d";

/// `GET /v1/usage`. Amounts are exact decimal numbers in USD.
#[derive(Debug, Serialize)]
pub(super) struct UsageReport {
    since: Timestamp,
    until: Timestamp,
    /// In which days begin.
    timezone: String,
    group_by: Vec<Group>,
    rows: Vec<Row>,
    total: Sums,
    /// There are more rows than an answer holds: those that cost least are left out.
    truncated: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    group: Columns,
    #[serde(flatten)]
    sums: Sums,
}

/// The columns that were asked for, in that order.
#[derive(Debug)]
struct Columns(Vec<Group>, GroupKey);

/// Requests count when they started, money when it was reserved.
#[derive(Debug, Serialize)]
struct Sums {
    requests: u64,
    failed: u64,
    estimated: u64,
    tokens: Tokens,
    cost_usd: Usd,
    /// Of the cost: counted from the text, because the provider reported nothing.
    estimated_usd: Usd,
    /// Of the cost: charged in full, because nobody knows.
    unconfirmed_usd: Usd,
}

/// The kinds of prompt tokens do not overlap; `reasoning` is part of `output`, `audio_input` of
/// `input`.
#[derive(Debug, Serialize)]
struct Tokens {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    output: u64,
    reasoning: u64,
    audio_input: u64,
}

pub(super) async fn usage(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<UsageReport>, Failure> {
    let (text, groups) = read(&query)?;
    let until = state.runtime.clock.now();
    let snapshot = state.current();
    let timezone = &snapshot.config.budget.timezone;
    // An unescaped `+` in a query is a space.
    let moment = since(&text, until, timezone)
        .or_else(|| since(&text.trim().replace(' ', "+"), until, timezone));
    let Some(since) = moment else {
        let message = format!("since: `{}` is not a time; allowed: {SINCE}", shown(&text));
        return Err(Failure::invalid(message).with_param("since"));
    };
    let period = Period { since, until, timezone, cuts: &[] };
    // Who may not manage the router sees what its own key has used.
    let own = (!caller.admin).then_some(&caller.key);
    let mut parts = state.runtime.ledger.usage(period, &groups, own).await?;
    let keys = state.runtime.keys.current();
    for key in parts.iter_mut().filter_map(|part| part.key.as_mut()) {
        *key = keys.label(key);
    }
    let mut rows = sum_by(&parts, &groups);
    let truncated = rows.len() > MOST_ROWS;
    if truncated {
        rows.sort_by_key(|(_, figures)| std::cmp::Reverse((figures.cost, figures.requests)));
        rows.truncate(MOST_ROWS);
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let row =
        |(key, figures)| Row { group: Columns(groups.clone(), key), sums: Sums::from(&figures) };
    Ok(Json(UsageReport {
        since,
        until,
        timezone: timezone.iana_name().unwrap_or("UTC").to_owned(),
        rows: rows.into_iter().map(row).collect(),
        group_by: groups,
        total: Sums::from(&total(&parts)),
        truncated,
    }))
}

/// `since` and `group_by`. Anything else is a mistake that would give a wrong answer silently.
fn read(query: &[(String, String)]) -> Result<(String, Vec<Group>), Failure> {
    let mut since = DEFAULT_SINCE.to_owned();
    let mut names = Group::Model.to_string();
    for (name, value) in query {
        match name.as_str() {
            "since" => since.clone_from(value),
            "group_by" => names.clone_from(value),
            other => {
                let message =
                    format!("there is no parameter `{}`; allowed: since, group_by", shown(other));
                return Err(Failure::invalid(message).with_param("query"));
            }
        }
    }
    let mut groups = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let Ok(group) = name.parse::<Group>() else {
            let message = format!(
                "group_by: `{}` is unknown; allowed: {}, several with commas",
                shown(name),
                Group::VARIANTS.join(", ")
            );
            return Err(Failure::invalid(message).with_param("group_by"));
        };
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    Ok((since, groups))
}

/// A client's words in a message: short and on one line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(groups, key) = self;
        let mut columns = to.serialize_map(Some(groups.len()))?;
        for group in groups {
            match group {
                Group::Model => columns.serialize_entry(group, &key.model)?,
                Group::Tier => columns.serialize_entry(group, &key.tier)?,
                Group::Key => columns.serialize_entry(group, &key.key)?,
                Group::Project => columns.serialize_entry(group, &key.project)?,
                Group::Day => columns.serialize_entry(group, &key.day)?,
            }
        }
        columns.end()
    }
}

impl From<&Figures> for Sums {
    fn from(figures: &Figures) -> Self {
        Self {
            requests: figures.requests,
            failed: figures.failed,
            estimated: figures.estimated,
            tokens: Tokens::from(&figures.usage),
            cost_usd: Usd(figures.cost),
            estimated_usd: Usd(figures.estimated_cost),
            unconfirmed_usd: Usd(figures.unconfirmed_cost),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::NanoUsd;

    fn query(pairs: &[(&str, &str)]) -> Result<(String, Vec<Group>), Failure> {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read(&owned.collect::<Vec<_>>())
    }

    #[test]
    fn thirty_days_by_model_are_the_default() {
        assert_eq!(query(&[]).unwrap(), ("30d".to_owned(), vec![Group::Model]));
        let several = query(&[("group_by", "day, model,day"), ("since", "12h")]).unwrap();
        assert_eq!(several, ("12h".to_owned(), vec![Group::Day, Group::Model]));
        assert_eq!(query(&[("group_by", "")]).unwrap().1, vec![]);
    }

    #[test]
    fn a_row_has_its_columns_first_and_amounts_to_the_nano_dollar() {
        let key = GroupKey { model: Some("a/b".to_owned()), ..GroupKey::default() };
        let figures =
            Figures { requests: 2, cost: NanoUsd(9_007_199_254_740_993), ..Figures::default() };
        let row = Row {
            group: Columns(vec![Group::Model, Group::Tier], key),
            sums: Sums::from(&figures),
        };
        let text = serde_json::to_string(&row).unwrap();
        assert!(
            text.starts_with(r#"{"model":"a/b","tier":null,"requests":2,"failed":0,"#),
            "{text}"
        );
        assert!(text.contains(r#""cost_usd":9007199.254740993"#), "{text}");
    }
}
