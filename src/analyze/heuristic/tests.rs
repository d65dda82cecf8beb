use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::analyze::lexicon::GROUPS;
use crate::analyze::verdict::{LossMatrix, decide};
use crate::catalog::Tier;

fn tier(text: &str) -> Tier {
    decide(&heuristic(text), &LossMatrix::default()).tier
}

#[rstest]
#[case("fix the typo in README: recieve", Tier::Operational)]
#[case("rename usrCnt to userCount", Tier::Operational)]
#[case("thanks!", Tier::Operational)]
#[case("übersetze \"delete\" ins Deutsche", Tier::Operational)]
#[case("what's the difference between a list and a tuple in python?", Tier::Standard)]
fn easy_work_is_not_judged_hard(#[case] text: &str, #[case] most: Tier) {
    assert!(tier(text) <= most, "{text}: {:?}", heuristic(text));
}

#[rstest]
#[case(
    "prove that the lock-free queue never loses an element, or give the interleaving that does",
    Tier::Deep
)]
#[case(
    "migrate the whole monolith to microservices with zero downtime, keep the public API compatible, backfill the data, and plan a rollback at each stage",
    Tier::Complex
)]
#[case("证明这个一致性协议在网络分区时保持不变式，或者给出反例", Tier::Complex)]
fn hard_work_is_not_judged_easy(#[case] text: &str, #[case] least: Tier) {
    assert!(tier(text) >= least, "{text}: {:?}", heuristic(text));
}

#[test]
fn pasted_code_does_not_raise_a_mechanical_request() {
    let code = "    let value = compute(&input);\n".repeat(300);
    let text = format!("add the missing semicolon\n\n```rust\n{code}```");
    assert!(tier(&text) <= Tier::Standard, "{:?}", heuristic(&text));
}

/// Short prompts whose length and loud words mislead.
#[test]
fn most_prompts_that_look_like_another_tier_are_not_far_off() {
    let traps = include_str!("traps.jsonl");
    let (mut all, mut close) = (0, 0);
    for line in traps.lines() {
        let trap: serde_json::Value = serde_json::from_str(line).unwrap();
        let wanted: Tier = trap["tier"].as_str().unwrap().parse().unwrap();
        let text = trap["prompt"].as_str().unwrap();
        let found = tier(text);
        all += 1;
        if found.index().abs_diff(wanted.index()) <= 1 {
            close += 1;
        } else {
            println!("{wanted} judged {found}: {text}");
        }
    }
    assert!(close * 100 >= all * 75, "{close} of {all}");
}

#[test]
fn an_empty_text_is_trivial() {
    assert_eq!(tier(" \n"), Tier::Trivial);
}

#[test]
fn no_group_names_a_word_twice_and_no_name_repeats() {
    let mut names: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(GROUPS.iter().all(|group| !group.words.is_empty()));
}

proptest! {
    #[test]
    fn any_text_has_five_probabilities(text in "\\PC{0,400}|[ -~\n`#<>]{0,400}") {
        let scores = heuristic(&text);
        prop_assert!(scores.iter().all(|p| p.is_finite() && *p >= 0.0));
        prop_assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-3);
    }
}
