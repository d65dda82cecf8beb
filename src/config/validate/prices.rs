//! The prices of a model entry.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::catalog::{
    Capabilities, Capability, Given, LongContext, OffPeak, Price, Rates, ScheduledPrice,
    ServicePrice,
};
use crate::chat::Service;
use crate::config::problem::{Path, Report};
use crate::config::raw::{RawLongContext, RawModel, RawRates, RawScheduledPrice, RawTimeOfDay};
use crate::config::values::Usd;
use crate::money::PerMTok;

/// `None`: no price is given, which is not the same as free.
pub(super) fn compile(
    raw: &RawModel,
    path: &Path,
    capabilities: Capabilities,
    report: &mut Report,
) -> Option<Price> {
    let written = flat(raw, path, report);
    if written == RawRates::default() {
        return None;
    }
    if capabilities.has(Capability::Chat) {
        for (key, value) in [
            ("input_usd_per_mtok", written.input_usd_per_mtok),
            ("output_usd_per_mtok", written.output_usd_per_mtok),
        ] {
            if value.is_none() {
                report.problem(
                    &path.key(key),
                    "is missing where other prices are given; allowed: 0 or more",
                );
            }
        }
    }
    written.input_usd_per_mtok?;
    let base = given(&written).complete();
    let long = raw.long_context.iter().flatten().enumerate();
    let mut long_context: Vec<_> = long
        .map(|(index, tier)| long_tier(tier, &base, &path.key("long_context").index(index), report))
        .collect();
    long_context.sort_by_key(|tier| tier.above_input_tokens);
    let dated = raw.scheduled_prices.iter().flatten().enumerate();
    let mut scheduled: Vec<_> = dated
        .filter_map(|(index, change)| {
            scheduled_price(change, &base, &path.key("scheduled_prices").index(index), report)
        })
        .collect();
    scheduled.sort_by_key(|change| change.from);
    let hours = raw.time_of_day.as_ref();
    let off_peak = hours.map(|hours| off_peak(hours, &base, &path.key("time_of_day"), report));
    let mut services = Vec::new();
    for (key, class) in raw.service_tiers.iter().flatten() {
        services.extend(service((key, class), &base, &path.key("service_tiers"), report));
    }
    let regional = raw.regional_multiplier.map(|factor| factor.0.0);
    Some(Price { base, long_context, off_peak, scheduled, services, regional })
}

/// Prices of one class of service.
fn service(
    (key, class): (&str, &RawRates),
    base: &Rates,
    path: &Path,
    report: &mut Report,
) -> Option<ServicePrice> {
    let known: Option<Service> = key.parse().ok();
    let priced = known.filter(|service| PRICED.contains(service));
    if priced.is_none() {
        let allowed: Vec<&str> = PRICED.iter().map(Into::into).collect();
        let allowed = allowed.join(", ");
        report.problem(&path.key(key), format_args!("is not known; allowed: {allowed}"));
    }
    priced.map(|service| ServicePrice { service, rates: given(class).beside(base) })
}

const PRICED: [Service; 4] = [Service::Flex, Service::Priority, Service::Fast, Service::SpeedFast];

/// The prices of the entry itself, with what the `price` table adds.
fn flat(raw: &RawModel, path: &Path, report: &mut Report) -> RawRates {
    let path = path.key("price");
    let table = raw.price.as_ref();
    if table.and_then(|table| table.currency.as_deref()).is_some_and(|currency| currency != "USD") {
        report.problem(&path.key("currency"), "allowed: USD");
    }
    if table.and_then(|table| table.unit.as_deref()).is_some_and(|unit| unit != "per_1M_tokens") {
        report.problem(&path.key("unit"), "allowed: per_1M_tokens");
    }
    let raw = unfolded(raw.clone());
    RawRates {
        // Not billed per token.
        audio_hour_usd: None,
        currency: None,
        unit: None,
        input_usd_per_mtok: raw.input_usd_per_mtok,
        output_usd_per_mtok: raw.output_usd_per_mtok,
        cache_read_usd_per_mtok: raw.cache_read_usd_per_mtok,
        cache_write_usd_per_mtok: raw.cache_write_usd_per_mtok,
        cache_write_5m_usd_per_mtok: raw.cache_write_5m_usd_per_mtok,
        cache_write_1h_usd_per_mtok: raw.cache_write_1h_usd_per_mtok,
        cache_write_over_12h_usd_per_mtok: raw.cache_write_over_12h_usd_per_mtok,
        audio_input_usd_per_mtok: raw.audio_input_usd_per_mtok,
        audio_cached_usd_per_mtok: raw.audio_cached_usd_per_mtok,
        audio_output_usd_per_mtok: raw.audio_output_usd_per_mtok,
        image_input_usd_per_mtok: raw.image_input_usd_per_mtok,
        image_output_usd_per_mtok: raw.image_output_usd_per_mtok,
        web_search_usd_per_1k: raw.web_search_usd_per_1k,
        server_tool_usd_per_1k: raw.server_tool_usd_per_1k,
    }
}

/// The entry with its `price` table written out; a field beside the table wins.
pub(super) fn unfolded(mut raw: RawModel) -> RawModel {
    let Some(table) = &mut raw.price else { return raw };
    macro_rules! move_out {
        ($($field:ident),+ $(,)?) => {
            $(raw.$field = raw.$field.or(table.$field.take());)+
        };
    }
    move_out!(
        input_usd_per_mtok,
        output_usd_per_mtok,
        cache_read_usd_per_mtok,
        cache_write_usd_per_mtok,
        cache_write_5m_usd_per_mtok,
        cache_write_1h_usd_per_mtok,
        cache_write_over_12h_usd_per_mtok,
        audio_input_usd_per_mtok,
        audio_cached_usd_per_mtok,
        audio_output_usd_per_mtok,
        image_input_usd_per_mtok,
        image_output_usd_per_mtok,
        web_search_usd_per_1k,
        server_tool_usd_per_1k,
        audio_hour_usd,
    );
    raw
}

/// What is stated, in the catalogue's terms.
fn given(raw: &RawRates) -> Given {
    let price = |given: Option<Usd>| given.map(Usd::per_mtok);
    // Per thousand calls as written, per million as reckoned.
    let calls =
        |given: Option<Usd>| price(given).map(|price| PerMTok(price.0.saturating_mul(1000)));
    Given {
        input: price(raw.input_usd_per_mtok),
        output: price(raw.output_usd_per_mtok),
        cache_read: price(raw.cache_read_usd_per_mtok),
        cache_write: price(raw.cache_write_usd_per_mtok.or(raw.cache_write_5m_usd_per_mtok)),
        cache_write_1h: price(raw.cache_write_1h_usd_per_mtok),
        cache_write_long: price(raw.cache_write_over_12h_usd_per_mtok),
        audio_input: price(raw.audio_input_usd_per_mtok),
        audio_cached: price(raw.audio_cached_usd_per_mtok),
        audio_output: price(raw.audio_output_usd_per_mtok),
        image_input: price(raw.image_input_usd_per_mtok),
        image_output: price(raw.image_output_usd_per_mtok),
        web_search: calls(raw.web_search_usd_per_1k),
        server_tool: calls(raw.server_tool_usd_per_1k),
    }
}

fn both_given(input: Option<Usd>, output: Option<Usd>, path: &Path, report: &mut Report) {
    for (key, value) in [("input_usd_per_mtok", input), ("output_usd_per_mtok", output)] {
        if value.is_none() {
            report.problem(&path.key(key), "is missing; allowed: 0 or more");
        }
    }
}

fn long_tier(raw: &RawLongContext, base: &Rates, path: &Path, report: &mut Report) -> LongContext {
    let above = raw.above_input_tokens.unwrap_or_else(|| {
        report.problem(&path.key("above_input_tokens"), "is missing; allowed: a number of tokens");
        0
    });
    if raw.applies_to.as_deref().is_some_and(|to| to != "whole_request") {
        report.problem(&path.key("applies_to"), "allowed: whole_request");
    }
    both_given(raw.input_usd_per_mtok, raw.output_usd_per_mtok, path, report);
    let rates = RawRates {
        input_usd_per_mtok: raw.input_usd_per_mtok,
        output_usd_per_mtok: raw.output_usd_per_mtok,
        cache_read_usd_per_mtok: raw.cache_read_usd_per_mtok,
        cache_write_usd_per_mtok: raw.cache_write_usd_per_mtok,
        cache_write_5m_usd_per_mtok: raw.cache_write_5m_usd_per_mtok,
        cache_write_1h_usd_per_mtok: raw.cache_write_1h_usd_per_mtok,
        audio_input_usd_per_mtok: raw.audio_input_usd_per_mtok,
        ..RawRates::default()
    };
    LongContext { above_input_tokens: above, rates: given(&rates).beside(base) }
}

fn scheduled_price(
    raw: &RawScheduledPrice,
    base: &Rates,
    path: &Path,
    report: &mut Report,
) -> Option<ScheduledPrice> {
    both_given(raw.input_usd_per_mtok, raw.output_usd_per_mtok, path, report);
    let Some(from) = raw.from.as_deref().and_then(moment) else {
        report.problem(&path.key("from"), "allowed: a date such as 2027-01-01");
        return None;
    };
    let rates = RawRates {
        input_usd_per_mtok: raw.input_usd_per_mtok,
        output_usd_per_mtok: raw.output_usd_per_mtok,
        cache_read_usd_per_mtok: raw.cache_read_usd_per_mtok,
        cache_write_usd_per_mtok: raw.cache_write_usd_per_mtok,
        cache_write_5m_usd_per_mtok: raw.cache_write_5m_usd_per_mtok,
        cache_write_1h_usd_per_mtok: raw.cache_write_1h_usd_per_mtok,
        audio_input_usd_per_mtok: raw.audio_input_usd_per_mtok,
        ..RawRates::default()
    };
    Some(ScheduledPrice { from, rates: given(&rates).beside(base) })
}

/// A date means 00:00 UTC.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let date: Date = text.parse().ok()?;
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn off_peak(raw: &RawTimeOfDay, base: &Rates, path: &Path, report: &mut Report) -> OffPeak {
    if raw.base_price_is.as_deref().is_some_and(|which| which != "peak") {
        report.problem(&path.key("base_price_is"), "allowed: peak");
    }
    if raw.timezone.as_deref().is_some_and(|zone| zone != "UTC") {
        report.problem(&path.key("timezone"), "allowed: UTC");
    }
    let off = &raw.off_peak;
    both_given(off.input_usd_per_mtok, off.output_usd_per_mtok, &path.key("off_peak"), report);
    let mut peak_minutes = Vec::new();
    for (index, (from, to)) in raw.peak_windows.iter().enumerate() {
        match (minute(from), minute(to)) {
            (Some(from), Some(to)) if from < to => peak_minutes.push((from, to)),
            _ => report.problem(
                &path.key("peak_windows").index(index),
                "allowed: a pair of times of one day such as [\"01:00\", \"04:00\"]",
            ),
        }
    }
    let mut peak_days = Vec::new();
    for (index, text) in raw.peak_days.iter().flatten().enumerate() {
        match weekday(text) {
            Some(day) => peak_days.push(day),
            None => report.problem(
                &path.key("peak_days").index(index),
                format_args!("`{text}` is not a day; allowed: mon, tue, wed, thu, fri, sat, sun"),
            ),
        }
    }
    let mut excepted_days = Vec::new();
    for (index, text) in raw.excepted_days.iter().flatten().enumerate() {
        match text.parse() {
            Ok(date) => excepted_days.push(date),
            Err(_) => report.problem(
                &path.key("excepted_days").index(index),
                format_args!("`{text}` is not a date; allowed: dates such as 2027-01-01"),
            ),
        }
    }
    OffPeak { peak_minutes, peak_days, excepted_days, rates: given(off).beside(base) }
}

/// Minutes since midnight; 24:00 is the end of the day.
fn minute(text: &str) -> Option<u16> {
    if text == "24:00" {
        return Some(1440);
    }
    let time: Time = Time::strptime("%H:%M", text).ok()?;
    Some(u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs()))
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text.to_lowercase().get(..3)? {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}
