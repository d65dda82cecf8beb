use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::catalog::{Given, LongContext, OffPeak, Rates, ScheduledPrice, Tier};
use crate::money::PerMTok;

const USD: i64 = 1_000_000_000;

fn rates(input: i64) -> Rates {
    let given = Given {
        input: Some(PerMTok(input * USD)),
        output: Some(PerMTok(5 * input * USD)),
        cache_read: Some(PerMTok(input * USD / 10)),
        cache_write: Some(PerMTok(input * USD * 5 / 4)),
        cache_write_1h: Some(PerMTok(input * USD * 2)),
        audio_input: Some(PerMTok(input * USD)),
        ..Given::default()
    };
    given.complete()
}

fn price(input: i64) -> Price {
    Price { base: rates(input), ..Price::default() }
}

/// A cheap model, the baseline at ten times its price, and a local one.
struct Shelf;

impl Models for Shelf {
    fn price(&self, id: &str) -> Option<&Price> {
        use std::sync::LazyLock;
        static CHEAP: LazyLock<Price> = LazyLock::new(|| price(1));
        static DEAR: LazyLock<Price> = LazyLock::new(|| {
            let long = LongContext { above_input_tokens: 200_000, rates: rates(20) };
            Price { long_context: vec![long], ..price(10) }
        });
        match id {
            "a/cheap" => Some(&CHEAP),
            "a/dear" => Some(&DEAR),
            _ => None,
        }
    }

    fn is_local(&self, id: &str) -> bool {
        id.starts_with("here/")
    }
}

fn part(model: &str, usage: Usage, cost: i64) -> UsagePart {
    UsagePart {
        at: "2026-11-21T12:00:00Z".parse().unwrap(),
        day: date(2026, 11, 21),
        key: Some("local".into()),
        project: None,
        model: Some(model.into()),
        tier: Some(Tier::Standard),
        failed: false,
        longer_than: 0,
        requests: 1,
        estimated: 0,
        usage,
        cost: NanoUsd(cost),
        estimated_cost: NanoUsd::ZERO,
        charged: NanoUsd(cost),
        unconfirmed: 0,
        unconfirmed_cost: NanoUsd::ZERO,
    }
}

fn of(parts: &[UsagePart], baseline: &str) -> Report {
    let material = Material {
        since: "2026-11-01T00:00:00Z".parse().unwrap(),
        until: "2026-11-22T00:00:00Z".parse().unwrap(),
        timezone: "UTC".to_owned(),
        parts,
        dearest: Vec::new(),
        limits: Limits::default(),
        baseline: baseline.to_owned(),
        quality: None,
    };
    report(material, &Shelf)
}

/// A report with something of everything, for those who show it.
pub(crate) fn sample() -> Report {
    let cached = Usage { input: 20_000, cache_read: 300_000, output: 4_000, ..Usage::default() };
    let mut parts = vec![
        UsagePart { requests: 40, ..part("a/cheap", cached, 70_000_000) },
        UsagePart {
            tier: Some(Tier::Deep),
            key: Some("ci".into()),
            project: Some("<shop> & \"co\"".to_owned()),
            requests: 3,
            estimated: 1,
            estimated_cost: NanoUsd(400_000_000),
            ..part("a/dear", tokens(90_000, 12_000), 1_500_000_000)
        },
        UsagePart {
            tier: Some(Tier::Trivial),
            requests: 57,
            day: date(2026, 11, 19),
            ..part("here/small", tokens(9_000, 3_000), 0)
        },
        UsagePart {
            tier: Some(Tier::Complex),
            model: None,
            failed: true,
            requests: 2,
            ..part("", Usage::default(), 0)
        },
    ];
    parts.push(UsagePart {
        tier: None,
        requests: 0,
        charged: NanoUsd(250_000_000),
        unconfirmed: 1,
        unconfirmed_cost: NanoUsd(250_000_000),
        ..part("a/dear", Usage::default(), 0)
    });
    let mut report = of(&parts, "a/dear");
    report.limits.daily_usd = Some(NanoUsd(3 * USD));
    report.quality = quality(0.25, curve());
    report.dearest.push(Dear {
        id: "req_01a1fda6ac307097b9157bf168717d62".to_owned(),
        at: "2026-11-21T12:34:56Z".parse().unwrap(),
        model: Some("a/dear".to_owned()),
        tier: Some(Tier::Deep),
        key: "ci".to_owned(),
        project: None,
        tokens: Tokens { input: 60_000, output: 9_000, ..Tokens::default() },
        cost_usd: NanoUsd(1_050_000_000),
        estimated: true,
    });
    report
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

#[test]
fn saved_is_what_the_same_tokens_cost_at_the_baseline_less_what_was_paid() {
    // 1,000 × $1 + 200 × $5 per million, and nothing for the local one.
    let parts =
        [part("a/cheap", tokens(1_000, 200), 2_000_000), part("here/small", tokens(500, 0), 0)];
    let report = of(&parts, "a/dear");
    assert_eq!(report.savings.paid_usd, NanoUsd(2_000_000));
    assert_eq!(report.savings.baseline_usd, Some(NanoUsd(20_000_000 + 5_000_000)));
    assert_eq!(report.savings.saved_usd, Some(NanoUsd(23_000_000)));
    let by_model = &report.rows[&Group::Model];
    assert_eq!(by_model[0].name.as_deref(), Some("a/cheap"));
    assert_eq!(by_model[1].baseline_usd, Some(NanoUsd(5_000_000)));
    assert_eq!((report.local.requests, report.local.answered), (1, 2));
}

#[test]
fn requests_that_failed_are_on_neither_side() {
    let failed = UsagePart { failed: true, ..part("a/cheap", tokens(1_000_000, 0), USD) };
    let report = of(&[failed], "a/dear");
    assert_eq!(report.total.cost_usd, NanoUsd(USD));
    assert_eq!(report.savings.saved_usd, Some(NanoUsd::ZERO));
    assert_eq!((report.savings.requests, report.local.answered), (0, 0));
}

#[test]
fn a_baseline_without_a_price_saves_nothing_that_is_known() {
    let report = of(&[part("a/cheap", tokens(1_000, 0), 1_000_000)], "a/gone");
    assert!(!report.savings.known);
    assert_eq!((report.savings.baseline_usd, report.savings.saved_usd), (None, None));
    assert!(report.rows[&Group::Model].iter().all(|row| row.baseline_usd.is_none()));
}

#[test]
fn long_prompts_are_compared_at_the_price_of_long_prompts_where_they_surely_are_long() {
    let long = |longer_than| UsagePart {
        longer_than,
        ..part("a/cheap", tokens(1_000_000, 0), 1_000_000_000)
    };
    assert_eq!(of(&[long(200_000)], "a/dear").savings.baseline_usd, Some(NanoUsd(20 * USD)));
    assert_eq!(of(&[long(128_000)], "a/dear").savings.baseline_usd, Some(NanoUsd(10 * USD)));
}

#[test]
fn caches_save_the_difference_to_plain_prompts_less_what_writing_costs() {
    let usage =
        Usage { input: 0, cache_read: 1_000_000, cache_write: 1_000_000, ..Usage::default() };
    let parts = [part("a/cheap", usage, 1_350_000_000), part("a/gone", usage, 5)];
    let caching = of(&parts, "a/dear").caching;
    // $2 without a cache, $0.10 + $1.25 with it.
    assert_eq!(caching.saved_usd, NanoUsd(650_000_000));
    assert_eq!(caching.unknown, ["a/gone"]);
    assert!((caching.read_share - 0.5).abs() < 1e-9);
}

#[test]
fn sums_are_cut_where_a_price_changes() {
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let off_peak = OffPeak {
        peak_minutes: vec![(8 * 60, 10 * 60)],
        peak_days: Vec::new(),
        excepted_days: Vec::new(),
        rates: rates(1),
    };
    let changing = Price { off_peak: Some(off_peak), ..price(2) };
    let scheduled = ScheduledPrice { from: at("2026-11-21T00:00:00Z"), rates: rates(3) };
    let announced = Price { scheduled: vec![scheduled], ..price(2) };
    let (since, until) = (at("2026-11-20T09:07:00Z"), at("2026-11-21T09:00:00Z"));
    assert_eq!(
        cuts([price(1), changing, announced].iter(), since, until),
        ["2026-11-20T10:00:00Z", "2026-11-21T00:00:00Z", "2026-11-21T08:00:00Z"].map(at)
    );
}

fn curve() -> Vec<Point> {
    let point = |quality: f32| Point {
        quality,
        accuracy: 0.8 - quality / 10.0,
        too_weak: 0.1 - quality / 10.0,
        two_too_weak: 0.0,
        cost: 0.2 + quality / 10.0,
    };
    [0.0, 0.5, 1.0].map(point).to_vec()
}

#[rstest::rstest]
#[case(0.0, 0.2)]
#[case(0.25, 0.225)]
#[case(0.5, 0.25)]
#[case(1.0, 0.3)]
fn a_setting_between_two_measured_ones_lies_between_them(#[case] set: f32, #[case] cost: f32) {
    let quality = quality(set, curve()).unwrap();
    assert!((quality.at_configured.cost - cost).abs() < 1e-6, "{:?}", quality.at_configured);
    assert!(super::quality(set, Vec::new()).is_none());
}

#[test]
fn amounts_are_written_to_the_nano_dollar() {
    let report = of(&[part("a/cheap", tokens(1, 0), 9_007_199_254_740_993)], "a/gone");
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains(r#""cost_usd":9007199.254740993"#), "{text}");
    assert!(text.contains(r#""saved_usd":null"#), "{text}");
}

proptest! {
    #[test]
    fn each_grouping_has_the_same_total_and_baseline(
        costs in prop::collection::vec((0_i64..1_000_000, 0_u64..100_000, prop::bool::ANY), 1..30),
    ) {
        let parts: Vec<UsagePart> = costs
            .iter()
            .enumerate()
            .map(|(n, (cost, input, failed))| UsagePart {
                failed: *failed,
                tier: Tier::ALL.get(n % 6).copied(),
                project: (n % 3 > 0).then(|| format!("p{}", n % 3)),
                // A part of it may be the cost of a call that did not answer.
                charged: NanoUsd(cost + i64::try_from(n).unwrap()),
                ..part(["a/cheap", "here/x"][n % 2], tokens(*input, 10), *cost)
            })
            .collect();
        let report = of(&parts, "a/dear");
        for (group, rows) in &report.rows {
            let cost: NanoUsd = rows.iter().map(|row| row.sums.cost_usd).sum();
            prop_assert_eq!(cost, report.total.cost_usd, "{}", group);
            let baseline: NanoUsd = rows.iter().filter_map(|row| row.baseline_usd).sum();
            prop_assert_eq!(Some(baseline), report.savings.baseline_usd, "{}", group);
        }
    }
}
