//! What two accounts of the same days come to.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn ours(day: &str, model: &str, cost: i64) -> Ours {
    let (_, upstream) = model.split_once('/').unwrap();
    Ours {
        day: day.parse().unwrap(),
        model: model.to_owned(),
        upstream: upstream.to_owned(),
        cost: NanoUsd(cost),
        unconfirmed: NanoUsd::ZERO,
        estimated: NanoUsd::ZERO,
    }
}

fn compared(ours: &[Ours], lines: &str) -> Comparison {
    let export = Export::read(format!("date,model,cost_usd\n{lines}").as_bytes()).unwrap();
    assert_eq!(export.bad, []);
    compare(ours, &export).unwrap()
}

fn shown(comparison: &Comparison) -> Vec<String> {
    let amount = |amount: Option<NanoUsd>| amount.map_or("-".to_owned(), |one| one.to_string());
    let rows = comparison.rows.iter();
    rows.map(|row| format!("{} {} {}", row.model, amount(row.ours), amount(row.theirs))).collect()
}

#[test]
fn rows_are_matched_by_day_and_model_and_those_on_one_side_stay() {
    let ours = [
        ours("2026-11-20", "openai/gpt-4.1", 2_000_000_000),
        ours("2026-11-20", "openai/gpt-6-sol", 1_000_000_000),
        ours("2026-11-21", "openai/gpt-4.1", 500_000_000),
    ];
    let comparison = compared(
        &ours,
        "2026-11-20,gpt-4.1-2025-04-14,1.5\n2026-11-20,gpt-4.1-2025-04-14,0.5\n\
         2026-11-21,gpt-4.1,0.4\n2026-11-21,text-embedding-3,0.1\n",
    );
    assert_eq!(
        shown(&comparison),
        [
            "openai/gpt-4.1 2 2",
            "openai/gpt-6-sol 1 -",
            "openai/gpt-4.1 0.5 0.4",
            "text-embedding-3 - 0.1",
        ]
    );
    assert_eq!(comparison.total.difference(), NanoUsd(1_000_000_000));
    assert_eq!(comparison.rows[1].cause(), "not in the file");
    assert!(comparison.rows[3].cause().starts_with("not in the ledger"));
    assert_eq!(comparison.rows[0].cause(), "");
    assert_eq!(comparison.total.model, "");
}

#[rstest]
#[case("claude-haiku-4-5", "Claude Haiku 4.5", true)]
#[case("claude-haiku-4-5", "claude-haiku-4-5-20251001", true)]
#[case("anthropic/claude-haiku-5.5", "anthropic/claude-5.5-haiku-20260804", true)]
#[case("gpt-4.1", "gpt-4.1-2025-04-14", true)]
#[case("gpt-4.1", "GPT-4.1", true)]
#[case("mistral-large-latest", "mistral-large", true)]
#[case("gpt-4.1", "gpt-4.1-mini", false)]
#[case("gpt-4.1", "gpt-1.4", false)]
#[case("claude-opus-4-5", "claude-opus-5-4", false)]
#[case("ministral-3b-2512", "ministral-3b-2510", false)]
#[case("2026-11-21", "2026", false)]
fn names_are_the_same_up_to_order_and_date(
    #[case] one: &str,
    #[case] other: &str,
    #[case] same: bool,
) {
    assert_eq!(Name::of(one) == Name::of(other), same);
}

#[test]
fn a_file_that_names_our_ids_is_matched_too() {
    let comparison = compared(
        &[ours("2026-11-20", "anthropic/claude-haiku-4-5", 7)],
        "2026-11-20,anthropic/claude-haiku-4-5,0.000000007\n",
    );
    assert_eq!(shown(&comparison), ["anthropic/claude-haiku-4-5 0.000000007 0.000000007"]);
}

#[test]
fn without_models_days_are_compared() {
    let ours = [
        ours("2026-11-20", "openai/a", 1_000_000_000),
        ours("2026-11-20", "openai/b", 500_000_000),
    ];
    let comparison = compared(&ours, "2026-11-20,,1.5\n2026-11-21,,0\n");
    assert_eq!(shown(&comparison), [" 1.5 1.5"]);
}

#[test]
fn unconfirmed_and_estimated_money_is_named_as_the_likely_cause() {
    let loose = Ours {
        unconfirmed: NanoUsd(50_000_000),
        estimated: NanoUsd(20_000_000),
        ..ours("2026-11-20", "openai/a", 1_050_000_000)
    };
    let comparison = compared(&[loose], "2026-11-20,a,1\n");
    assert_eq!(comparison.rows[0].cause(), "$0.05 is unconfirmed; $0.02 is estimated");
    assert_eq!(comparison.rows[0].percent(), Some(5.0));
}

#[rstest]
#[case("1%", Some(10_000))]
#[case("1", Some(10_000))]
#[case("0.5 %", Some(5_000))]
#[case("0", Some(0))]
#[case("100", Some(1_000_000))]
#[case("0.0001", Some(1))]
#[case("101", None)]
#[case("-1", None)]
#[case("0.00001", None)]
#[case("%", None)]
#[case("", None)]
fn a_tolerance_is_a_percentage(#[case] text: &str, #[case] expected: Option<u32>) {
    assert_eq!(Tolerance::read(text), expected.map(Tolerance));
}

#[rstest]
#[case(1_010, 1_000, 10_000, true)]
#[case(990, 1_000, 10_000, true)]
#[case(1_011, 1_000, 10_000, false)]
#[case(0, 0, 0, true)]
#[case(1, 0, 1_000_000, false)]
#[case(0, 1, 999_999, false)]
fn within_is_measured_by_what_the_provider_says(
    #[case] ours: i64,
    #[case] theirs: i64,
    #[case] millionths: u32,
    #[case] expected: bool,
) {
    let row = Row {
        day: Date::ZERO,
        model: String::new(),
        ours: Some(NanoUsd(ours)),
        theirs: Some(NanoUsd(theirs)),
        unconfirmed: NanoUsd::ZERO,
        estimated: NanoUsd::ZERO,
    };
    assert_eq!(row.is_within(Tolerance(millionths)), expected);
}

proptest! {
    #[test]
    fn a_ledger_agrees_with_its_own_export_and_differences_add_up(
        lines in prop::collection::vec((1_u8..5, 0_u8..3, 0_i64..5_000_000_000, -3_i64..3), 1..40),
    ) {
        let mut all = Vec::new();
        let (mut same, mut other) = (String::new(), String::new());
        for (day, model, cost, off) in lines {
            let day = format!("2026-11-0{day}");
            let model = ["alpha", "beta", "gamma"][usize::from(model)];
            all.push(ours(&day, &format!("p/{model}"), cost));
            same += &format!("{day},{model},{}\n", NanoUsd(cost));
            other += &format!("{day},{model},{}\n", NanoUsd(cost + off));
        }
        let equal = compared(&all, &same);
        prop_assert!(equal.rows.iter().all(|row| row.difference() == NanoUsd::ZERO));
        prop_assert!(equal.total.is_within(Tolerance(0)));
        let off = compared(&all, &other);
        let sum: NanoUsd = off.rows.iter().map(Row::difference).sum();
        prop_assert_eq!(sum, off.total.difference());
    }
}
