//! When a provider wants to be asked again, from the headers of its refusal.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// `retry-after-ms`, `retry-after` (seconds or a date), else the reset time of the limit that is used
/// up. Dates are taken against the answer's own `date`, so that clocks need not agree.
pub(super) fn from_headers(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(ms) = text("retry-after-ms").and_then(|ms| ms.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let now = text(DATE.as_str()).and_then(http_date);
    if let Some(after) = text(RETRY_AFTER.as_str()) {
        let seconds = after.trim().parse::<f64>().ok();
        let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        return seconds.or_else(|| Some(until(http_date(after)?, now?)));
    }
    reset(headers, now)
}

/// `x-ratelimit-reset*` and `anthropic-ratelimit-*-reset`: the latest among the limits with nothing
/// remaining; where none says so, the earliest of all.
fn reset(headers: &HeaderMap, now: Option<Timestamp>) -> Option<Duration> {
    let mut used_up: Option<Duration> = None;
    let mut any: Option<Duration> = None;
    for (name, value) in headers {
        let name = name.as_str();
        if !name.contains("ratelimit") || !name.contains("reset") {
            continue;
        }
        let Some(wait) = value.to_str().ok().and_then(|text| moment(text.trim(), now)) else {
            continue;
        };
        any = Some(any.map_or(wait, |had| had.min(wait)));
        let remaining = headers.get(name.replace("reset", "remaining"));
        if remaining.is_some_and(|left| left.as_bytes().trim_ascii() == b"0") {
            used_up = Some(used_up.map_or(wait, |had| had.max(wait)));
        }
    }
    used_up.or(any)
}

/// A reset value: a duration (`6m0s`, `120ms`), seconds, a Unix time in seconds or milliseconds, or
/// RFC 3339.
fn moment(text: &str, now: Option<Timestamp>) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, reason = "a Unix time fits, and `as` saturates")]
        let at = match number {
            n if n > 1e11 => Timestamp::from_millisecond(n as i64).ok()?,
            n if n > 1e8 => Timestamp::from_second(n as i64).ok()?,
            _ => return Duration::try_from_secs_f64(number).ok(),
        };
        return Some(until(at, now?));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(until(at, now?));
    }
    duration(text)
}

/// Go's form of a duration, which OpenAI and Groq send: `2m59.56s`, `1h2m`, `120ms`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let seconds = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = tail;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(total).ok())?
}

fn http_date(text: &str) -> Option<Timestamp> {
    // "GMT" is an obsolete zone of RFC 2822, which the parser knows.
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|date| date.timestamp())
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}
