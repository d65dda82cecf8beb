//! One request in full: asked, chosen, why, what was tried, every kind of token with its price, every
//! line of money.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::catalog::Receipt;
use crate::cli::budget::usd;
use crate::cli::figures::{Align, count, table};
use crate::ledger::{Charge, RequestRecord};
use crate::money::NanoUsd;

pub(super) fn lines(request: &RequestRecord, charges: &[Charge], zone: &TimeZone) -> Vec<String> {
    let mut lines = vec![request.id.to_string()];
    lines.extend(indented(&facts(request, zone), &[Align::Left; 2]));
    lines.extend(tried(request));
    lines.extend(arithmetic(request));
    lines.extend(money(request, charges));
    lines
}

fn indented(rows: &[Vec<String>], aligns: &[Align]) -> Vec<String> {
    table(rows, aligns, usize::MAX).into_iter().map(|line| format!("  {line}")).collect()
}

fn facts(request: &RequestRecord, zone: &TimeZone) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut say = |name: &str, value: String| {
        let value = value.replace(['\n', '\r', '\t'], " ");
        rows.push(vec![name.to_owned(), value.trim_end().to_owned()]);
    };
    let begun = request.started_at.to_zoned(zone.clone());
    say("time", begun.strftime("%Y-%m-%d %H:%M:%S%.3f %Z").to_string());
    let project = request.project.as_deref();
    let project = project.map_or_else(String::new, |project| format!(", project {project}"));
    say("key", format!("{}{project}", request.key));
    say(
        "asked",
        if request.asked_model.is_empty() { "auto".into() } else { request.asked_model.clone() },
    );
    let none = || "no model answered".to_owned();
    say("chosen", request.model.as_ref().map_or_else(none, ToString::to_string));
    say("why", request.reason.clone());
    if let Some(tier) = request.tier {
        let source =
            request.tier_source.map_or_else(String::new, |source| format!(", by {source}"));
        let sure = f64::from(request.confidence) * 100.0;
        say("tier", format!("{tier}{source}, {sure:.0} % sure"));
    }
    if request.context_tokens > 0 {
        let tokens = count(request.context_tokens.into());
        say("context", format!("about {tokens} tokens of the prompt are project context"));
    }
    let how = if request.stream { "streamed" } else { "whole" };
    let error = request.error.as_deref().map_or_else(String::new, |error| format!(" {error}"));
    say("answer", format!("{}{error}, {how}", request.status));
    let first = request.first_byte.map(|first| format!("first byte after {}, ", millis(first)));
    say("timing", format!("{}ended after {}", first.unwrap_or_default(), millis(request.elapsed)));
    rows
}

fn millis(time: Duration) -> String {
    let whole = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if whole < 10 {
        format!("{:.2} ms", time.as_secs_f64() * 1e3)
    } else {
        format!("{} ms", count(whole))
    }
}

/// The calls that failed before.
fn tried(request: &RequestRecord) -> Vec<String> {
    let attempts: Vec<Value> = serde_json::from_str(&request.attempts).unwrap_or_default();
    if attempts.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![["TRIED BEFORE", "STATUS", "REASON"].map(str::to_owned).to_vec()];
    for attempt in &attempts {
        let text =
            |name: &str| attempt[name].as_str().unwrap_or("-").replace(['\n', '\r', '\t'], " ");
        let status = attempt["status"].as_u64().map_or_else(|| "-".to_owned(), |s| s.to_string());
        rows.push(vec![text("model_id"), status, text("reason")]);
    }
    let mut lines = vec![String::new()];
    lines.extend(indented(&rows, &[Align::Left, Align::Right, Align::Left]));
    lines
}

/// Tokens of each kind, the price of each, and their sum.
fn arithmetic(request: &RequestRecord) -> Vec<String> {
    let mut lines = vec![String::new()];
    let usage = &request.usage;
    let Some(receipt) = &request.receipt else {
        let (prompt, output) = (count(usage.prompt_tokens()), count(usage.output));
        let how = match (request.cost.is_zero(), request.model.is_some()) {
            (true, true) => "free of charge",
            (true, false) => "no call was answered",
            (false, _) => "the prices of that moment were not kept",
        };
        lines.push(format!("  {prompt} prompt tokens, {output} of answer; {how}"));
        return lines;
    };
    lines.extend(receipt_lines(receipt, usage.reasoning));
    if request.estimated {
        lines.push(
            "  The provider reported no usage, or not all of it: tokens were counted from the text."
                .to_owned(),
        );
    }
    lines
}

fn receipt_lines(receipt: &Receipt, reasoning: u64) -> Vec<String> {
    let heads = ["TOKENS", "COUNT", "$ PER MILLION", "AMOUNT", ""];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for line in &receipt.lines {
        let note = match line.kind.as_str() {
            "output" if reasoning > 0 => format!("of it {} for reasoning", count(reasoning)),
            _ => String::new(),
        };
        let amount = exact(i128::from(line.tokens) * i128::from(line.price.0));
        let price = usd(NanoUsd(line.price.0)).replace('$', "");
        rows.push(vec![line.kind.replace('_', " "), count(line.tokens), price, amount, note]);
    }
    let sum = receipt.computed();
    rows.push(vec![
        "sum, rounded up".into(),
        String::new(),
        String::new(),
        usd(sum),
        String::new(),
    ]);
    let mut aligns = [Align::Right; 5];
    (aligns[0], aligns[4]) = (Align::Left, Align::Left);
    let mut lines = indented(&rows, &aligns);
    if let Some(reported) = receipt.reported {
        let reported = usd(NanoUsd(reported));
        lines.push(format!("  The provider says {reported}; its figure is what is charged."));
    }
    lines
}

/// Tokens times nano-USD per million as USD, with every digit: fifteen decimals at most.
fn exact(product: i128) -> String {
    const DECIMALS: usize = 15;
    let digits = format!("{product:0width$}", width = DECIMALS + 1);
    let (whole, rest) = digits.split_at(digits.len() - DECIMALS);
    let rest = rest.trim_end_matches('0');
    format!("${whole}.{rest:0<2}")
}

/// What was reserved and charged for each call of the request.
fn money(request: &RequestRecord, charges: &[Charge]) -> Vec<String> {
    let mut lines = vec![String::new()];
    if charges.is_empty() {
        lines.push(format!("  charged {}", usd(request.cost)));
        return lines;
    }
    let mut rows = vec![["CALL", "MODEL", "RESERVED", "CHARGED", ""].map(str::to_owned).to_vec()];
    for charge in charges {
        let note = if charge.unconfirmed { "unconfirmed: its worst case" } else { "" };
        rows.push(vec![
            (charge.attempt + 1).to_string(),
            charge.model.to_string(),
            usd(charge.reserved),
            usd(charge.cost),
            note.to_owned(),
        ]);
    }
    if charges.len() > 1 {
        let total = usd(charges.iter().map(|charge| charge.cost).sum());
        rows.push(vec!["sum".into(), String::new(), String::new(), total, String::new()]);
    }
    let aligns = [Align::Left, Align::Left, Align::Right, Align::Right, Align::Left];
    lines.extend(indented(&rows, &aligns));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{LongContext, Price, Rates, Tier};
    use crate::chat::Usage;
    use crate::money::PerMTok;

    fn request() -> RequestRecord {
        let usage = Usage {
            input: 8_123,
            cache_read: 20_000,
            output: 412,
            reasoning: 100,
            ..Usage::default()
        };
        let rates = Rates {
            input: PerMTok(2_000_000_000),
            cache_read: PerMTok(37_500_000),
            output: PerMTok(8_000_000_000),
            ..Rates::default()
        };
        let long = LongContext { above_input_tokens: 28_000, rates };
        let price = Price { long_context: vec![long], ..Price::default() };
        let started_at = "2026-11-21T12:00:00.123Z".parse().unwrap();
        RequestRecord {
            id: "req_01a1fda6ac307097b9157bf168717d62".into(),
            key: "ci".into(),
            project: Some("shop".into()),
            started_at,
            elapsed: Duration::from_micros(12_345_678),
            first_byte: Some(Duration::from_micros(4_250)),
            asked_model: "auto".into(),
            model: Some("openai/gpt-test".into()),
            tier: Some(Tier::Standard),
            tier_source: Some(crate::analyze::Source::Classifier),
            confidence: 0.83,
            reason: "standard work by the classifier (83 % sure);\ncheapest of 4".into(),
            stream: true,
            status: 200,
            error: None,
            fallback_index: 1,
            attempts: r#"[{"model_id":"groq/x","status":429,"reason":"limited"}]"#.into(),
            usage,
            estimated: false,
            cost: price.cost(started_at, &usage),
            receipt: Receipt::of(&price, started_at, &usage),
            context_tokens: 812,
        }
    }

    fn charge(attempt: u32, model: &str, cost: i64) -> Charge {
        let at = "2026-11-21T12:00:00Z".parse().unwrap();
        Charge {
            attempt,
            model: model.into(),
            reserved_at: at,
            settled_at: at,
            reserved: NanoUsd(90_000_000),
            cost: NanoUsd(cost),
            unconfirmed: attempt == 0,
        }
    }

    fn shown(request: &RequestRecord, charges: &[Charge]) -> String {
        lines(request, charges, &TimeZone::get("Europe/Berlin").unwrap()).join("\n")
    }

    #[test]
    fn every_kind_of_token_has_its_price_and_every_call_its_money() {
        let request = request();
        let charges =
            [charge(0, "groq/x", 90_000_000), charge(1, "openai/gpt-test", request.cost.0)];
        insta::assert_snapshot!(shown(&request, &charges));
    }

    #[test]
    fn what_was_free_failed_or_is_old_says_so() {
        let free = RequestRecord { receipt: None, cost: NanoUsd::ZERO, ..request() };
        assert!(shown(&free, &[]).contains("412 of answer; free of charge"));
        let failed = RequestRecord { model: None, ..free };
        assert!(shown(&failed, &[]).contains("no call was answered"));
        let old = RequestRecord { receipt: None, ..request() };
        assert!(shown(&old, &[]).contains("the prices of that moment were not kept"));
    }

    #[test]
    fn a_provider_s_own_figure_stands_beside_the_arithmetic() {
        let mut request = request();
        request.cost = NanoUsd(5_000_000);
        if let Some(receipt) = &mut request.receipt {
            receipt.reported = Some(5_000_000);
        }
        let text = shown(&request, &[]);
        assert!(
            text.contains("The provider says $0.005; its figure is what is charged."),
            "{text}"
        );
    }

    #[test]
    fn a_product_has_every_digit() {
        assert_eq!(exact(412 * 37_500_000), "$0.00001545");
        assert_eq!(exact(1), "$0.000000000000001");
        assert_eq!(exact(3_000_000_000_000_000), "$3.00");
    }
}
