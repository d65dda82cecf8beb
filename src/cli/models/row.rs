//! One model of `edge-router models list`: what it costs now, what will change and when.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::catalog::{
    Capability, Kind, LongContext, Model, Price, Rates, ScheduledPrice, ServicePrice, Tier,
};
use crate::money::{NanoUsd, PerMTok};

/// A model of the catalogue. Prices are USD per million tokens.
#[derive(Debug, Serialize)]
pub(super) struct ModelRow {
    id: String,
    provider: String,
    pub(super) state: State,
    /// When its provider shuts it down, or did.
    ends_at: Option<Timestamp>,
    /// What to use instead of a model that was or will be removed.
    replacement: Option<String>,
    max_tier: Tier,
    context_window: u32,
    max_output_tokens: u32,
    capabilities: Vec<Capability>,
    free: bool,
    /// As of now, for a short prompt; `null`: not known.
    price: Option<Dollars>,
    long_context: Vec<Long>,
    /// By the request's field and value.
    service_tiers: BTreeMap<&'static str, Dollars>,
    /// Of a model whose price follows the hour: whether these are the dear hours.
    peak_hours_now: Option<bool>,
    /// When the other hours begin, and what they cost.
    hours_change_at: Option<Timestamp>,
    other_hours: Option<Dollars>,
    /// Announced changes, the next one first.
    price_changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Usable,
    /// Its provider has no key, or is not configured.
    NoKey,
    NotDownloaded,
    Removed,
}

/// All that is billed, in USD per million tokens or per thousand calls.
#[derive(Debug, Serialize)]
struct Dollars {
    input_usd_per_mtok: f64,
    output_usd_per_mtok: f64,
    cache_read_usd_per_mtok: f64,
    cache_write_usd_per_mtok: f64,
    cache_write_1h_usd_per_mtok: f64,
    cache_write_over_12h_usd_per_mtok: f64,
    audio_input_usd_per_mtok: f64,
    audio_cached_usd_per_mtok: f64,
    audio_output_usd_per_mtok: f64,
    image_input_usd_per_mtok: f64,
    image_output_usd_per_mtok: f64,
    web_search_usd_per_1k: f64,
    server_tool_usd_per_1k: f64,
    /// Those of the above that nobody states: what is charged if they are used after all.
    assumed: Vec<String>,
    #[serde(skip)]
    text: (String, String),
}

#[derive(Debug, Serialize)]
struct Long {
    above_input_tokens: u64,
    #[serde(flatten)]
    price: Dollars,
}

#[derive(Debug, Serialize)]
struct Change {
    from: Timestamp,
    #[serde(flatten)]
    price: Dollars,
}

impl From<&Rates> for Dollars {
    fn from(rates: &Rates) -> Self {
        let usd = |price: PerMTok| NanoUsd(price.0).to_usd_f64();
        let calls = |price: PerMTok| NanoUsd(price.0 / 1000).to_usd_f64();
        Self {
            input_usd_per_mtok: usd(rates.input),
            output_usd_per_mtok: usd(rates.output),
            cache_read_usd_per_mtok: usd(rates.cache_read),
            cache_write_usd_per_mtok: usd(rates.cache_write),
            cache_write_1h_usd_per_mtok: usd(rates.cache_write_1h),
            cache_write_over_12h_usd_per_mtok: usd(rates.cache_write_long),
            audio_input_usd_per_mtok: usd(rates.audio_input),
            audio_cached_usd_per_mtok: usd(rates.audio_cached),
            audio_output_usd_per_mtok: usd(rates.audio_output),
            image_input_usd_per_mtok: usd(rates.image_input),
            image_output_usd_per_mtok: usd(rates.image_output),
            web_search_usd_per_1k: calls(rates.web_search),
            server_tool_usd_per_1k: calls(rates.server_tool),
            assumed: rates.assumed.iter().map(|kind: Kind| kind.to_string()).collect(),
            text: (amount(rates.input), amount(rates.output)),
        }
    }
}

impl Dollars {
    fn pair(&self) -> String {
        format!("{} / {}", self.text.0, self.text.1)
    }
}

/// At least two decimals, all of them where there are more.
fn amount(price: PerMTok) -> String {
    crate::cli::budget::usd(NanoUsd(price.0)).trim_start_matches('$').to_owned()
}

impl ModelRow {
    pub(super) fn new(model: &Model, state: State, now: Timestamp) -> Self {
        let bare = Self {
            id: model.id.to_string(),
            provider: model.provider.to_string(),
            state,
            ends_at: model.retires,
            replacement: model.replacement.clone(),
            max_tier: model.max_tier,
            context_window: model.context_window,
            max_output_tokens: model.max_output_tokens,
            capabilities: model.capabilities.iter().collect(),
            free: model.is_free(),
            price: None,
            long_context: Vec::new(),
            service_tiers: BTreeMap::new(),
            peak_hours_now: None,
            hours_change_at: None,
            other_hours: None,
            price_changes: Vec::new(),
        };
        match &model.price {
            Some(price) => bare.priced(price, now),
            None => bare,
        }
    }

    fn priced(self, price: &Price, now: Timestamp) -> Self {
        let long = |tier: &LongContext| Long {
            above_input_tokens: tier.above_input_tokens,
            price: Dollars::from(&tier.rates),
        };
        let change =
            |next: &ScheduledPrice| Change { from: next.from, price: Dollars::from(&next.rates) };
        let class = |class: &ServicePrice| (class.service.into(), Dollars::from(&class.rates));
        let hours = price.off_peak.as_ref();
        let next_turn = hours.and_then(|hours| hours.next_turn(now));
        Self {
            price: Some(Dollars::from(&price.at(now, 0))),
            long_context: price.long_context.iter().map(long).collect(),
            service_tiers: price.services.iter().map(class).collect(),
            peak_hours_now: hours.map(|hours| hours.is_peak(now)),
            hours_change_at: next_turn,
            other_hours: next_turn.map(|turn| Dollars::from(&price.at(turn, 0))),
            price_changes: price
                .scheduled
                .iter()
                .filter(|next| next.from > now)
                .map(change)
                .collect(),
            ..self
        }
    }

    fn is_chat(&self) -> bool {
        self.capabilities.contains(&Capability::Chat)
    }

    pub(super) fn cells(&self) -> [String; 6] {
        let tier = if self.is_chat() { self.max_tier.as_str() } else { "-" };
        let (input, output) = match &self.price {
            _ if self.free => ("free".to_owned(), "free".to_owned()),
            Some(price) => price.text.clone(),
            None => ("?".to_owned(), "?".to_owned()),
        };
        [
            self.id.clone(),
            tier.to_owned(),
            tokens(self.context_window),
            input,
            output,
            self.remarks(),
        ]
    }

    fn remarks(&self) -> String {
        let mut remarks = Vec::new();
        match self.state {
            State::Usable | State::Removed => {}
            State::NoKey => remarks.push("no key".to_owned()),
            State::NotDownloaded => remarks.push("not downloaded".to_owned()),
        }
        remarks.extend(self.end());
        if !self.is_chat() {
            let uses = self.capabilities.iter().map(ToString::to_string);
            remarks.push(format!("{} only", uses.collect::<Vec<_>>().join(", ")));
        }
        remarks.extend(self.hours());
        remarks.extend(self.long_context.iter().map(|long| {
            let above = tokens(u32::try_from(long.above_input_tokens).unwrap_or(u32::MAX));
            format!("over {above}: {}", long.price.pair())
        }));
        remarks.extend(
            self.price_changes.iter().map(|next| {
                format!("from {}: {}", next.from.strftime("%Y-%m-%d"), next.price.pair())
            }),
        );
        remarks.join("; ")
    }

    /// That it ends, or has ended, and what to use then.
    fn end(&self) -> Option<String> {
        let day = self.ends_at.map(|end| end.strftime("%Y-%m-%d").to_string());
        let what = match (self.state, day) {
            (State::Removed, Some(day)) => format!("shut down on {day}"),
            (State::Removed, None) => "removed".to_owned(),
            (_, Some(day)) => format!("ends on {day}"),
            (_, None) => return None,
        };
        Some(match &self.replacement {
            Some(other) => format!("{what}, use {other}"),
            None => what,
        })
    }

    fn hours(&self) -> Option<String> {
        let which = if self.peak_hours_now? { "dear hours" } else { "cheap hours" };
        let Some((turn, other)) = self.hours_change_at.zip(self.other_hours.as_ref()) else {
            return Some(format!("{which} now"));
        };
        let until = turn.strftime("%a %H:%M UTC");
        Some(format!("{which} until {until}, then {}", other.pair()))
    }
}

/// `4096`, `200k`, `1.05M`.
fn tokens(count: u32) -> String {
    let count = u64::from(count);
    if count >= 1_000_000 {
        let hundredths = count / 10_000;
        let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        return format!("{}M", text.trim_end_matches('0').trim_end_matches('.'));
    }
    if count >= 10_000 { format!("{}k", count / 1000) } else { count.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(4096, "4096")]
    #[case(32_768, "32k")]
    #[case(200_000, "200k")]
    #[case(1_000_000, "1M")]
    #[case(1_048_576, "1.04M")]
    fn windows_are_short(#[case] count: u32, #[case] text: &str) {
        assert_eq!(tokens(count), text);
    }
}
