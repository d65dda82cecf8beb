use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn scores() -> impl Strategy<Value = Scores> {
    prop::array::uniform5(0.001f32..1.0).prop_map(|raw| probabilities(&raw))
}

fn tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(Tier::ALL.to_vec())
}

#[rstest]
#[case::certain_trivial([1.0, 0.0, 0.0, 0.0, 0.0], Tier::Trivial)]
#[case::certain_deep([0.0, 0.0, 0.0, 0.0, 1.0], Tier::Deep)]
#[case::an_even_doubt_rounds_up([0.5, 0.5, 0.0, 0.0, 0.0], Tier::Operational)]
#[case::an_even_doubt_at_the_top_rounds_up([0.0, 0.0, 0.0, 0.5, 0.5], Tier::Deep)]
#[case::a_doubt_of_two_fifths_at_the_top_rounds_up([0.0, 0.0, 0.0, 0.6, 0.4], Tier::Deep)]
#[case::no_knowledge_is_routed_to_the_middle_or_above([0.0; 5], Tier::Complex)]
#[case::what_is_no_number_counts_for_nothing([f32::NAN, 1.0, -3.0, f32::INFINITY, 0.0], Tier::Operational)]
fn the_tier_of_least_expected_loss_is_chosen(#[case] scores: Scores, #[case] tier: Tier) {
    assert_eq!(decide(&scores, &LossMatrix::default()).tier, tier);
}

#[rstest]
#[case::spread([0.5, 0.2, 0.15, 0.15, 0.0], Tier::Operational)]
#[case::two_tiers_apart([0.75, 0.0, 0.25, 0.0, 0.0], Tier::Operational)]
#[case::three_tiers_apart([0.75, 0.0, 0.0, 0.25, 0.0], Tier::Standard)]
#[case::a_small_risk_stays([0.85, 0.0, 0.15, 0.0, 0.0], Tier::Trivial)]
fn a_verdict_that_may_be_two_tiers_too_weak_is_rounded_up(
    #[case] scores: Scores,
    #[case] tier: Tier,
) {
    for quality in [0.0, 0.5] {
        assert_eq!(decide(&scores, &LossMatrix::default().at_quality(quality)).tier, tier);
    }
}

#[rstest]
#[case::likely_enough(0.0, [0.0, 0.55, 0.45, 0.0, 0.0], Tier::Operational)]
#[case::the_default_rounds_that_up(0.5, [0.0, 0.55, 0.45, 0.0, 0.0], Tier::Standard)]
#[case::the_default_keeps_a_doubt_of_a_third(0.5, [0.0, 0.66, 0.34, 0.0, 0.0], Tier::Operational)]
#[case::quality_rounds_that_up(1.0, [0.0, 0.66, 0.34, 0.0, 0.0], Tier::Standard)]
#[case::quality_rounds_a_doubt_of_an_eighth_up(1.0, [0.0, 0.0, 0.87, 0.13, 0.0], Tier::Complex)]
#[case::quality_keeps_what_is_all_but_certain(1.0, [0.95, 0.05, 0.0, 0.0, 0.0], Tier::Trivial)]
fn quality_moves_how_much_doubt_rounds_up(
    #[case] quality: f32,
    #[case] scores: Scores,
    #[case] tier: Tier,
) {
    assert_eq!(decide(&scores, &LossMatrix::default().at_quality(quality)).tier, tier);
}

#[test]
fn the_middle_is_the_matrix_as_written_and_odd_values_are_taken_to_an_end() {
    let loss = LossMatrix::default();
    assert_eq!(loss.at_quality(0.5), loss);
    assert_eq!(loss.at_quality(f32::NAN), loss);
    assert_eq!(loss.at_quality(-3.0), loss.at_quality(0.0));
    assert_eq!(loss.at_quality(f32::INFINITY), loss.at_quality(1.0));
    let LossMatrix(rows) = loss.at_quality(1.0);
    assert!((rows[4][0] - 42.0).abs() < 1e-4, "{rows:?}");
    assert_eq!((rows[0][4], rows[2][2]), (4.0, 0.0));
}

fn any_matrix() -> impl Strategy<Value = LossMatrix> {
    prop::array::uniform5(prop::array::uniform5(0.0f32..10.0)).prop_map(LossMatrix)
}

proptest! {
    #[test]
    fn a_higher_quality_never_lowers_a_tier(
        from in scores(), loss in any_matrix(), low in 0u8..=20, more in 1u8..=20
    ) {
        let at = |step: u8| f32::from(step) / 20.0;
        for loss in [LossMatrix::default(), loss] {
            let lower = decide(&from, &loss.at_quality(at(low)));
            let higher = decide(&from, &loss.at_quality(at(low + more)));
            prop_assert!(higher.tier >= lower.tier, "{loss:?}");
        }
    }

    #[test]
    fn a_certain_verdict_stays_at_any_quality(truth in tier(), quality in 0.0f32..=1.0) {
        let loss = LossMatrix::default().at_quality(quality);
        let certain = Verdict::certain(truth, Source::Classifier);
        prop_assert_eq!(decide(&certain.scores, &loss).tier, truth);
    }

    #[test]
    fn moving_probability_to_a_harder_tier_never_lowers_the_verdict(
        from in scores(), step in 0usize..4, share in 0.0f32..1.0, quality in 0.0f32..=1.0
    ) {
        let mut to = from;
        let moved = from[step] * share;
        to[step] -= moved;
        to[step + 1] += moved;
        let loss = LossMatrix::default().at_quality(quality);
        let (low, high) = (decide(&from, &loss), decide(&to, &loss));
        prop_assert!(high.tier >= low.tier);
        prop_assert!(high.difficulty >= low.difficulty - 1e-5);
    }

    #[test]
    fn difficulty_and_confidence_are_shares(from in prop::array::uniform5(any::<f32>())) {
        let verdict = decide(&from, &LossMatrix::default());
        prop_assert!((0.0..=1.0).contains(&verdict.difficulty));
        prop_assert!((0.0..=1.0001).contains(&verdict.confidence));
    }

    #[test]
    fn a_follow_up_never_lowers_the_tier(own in scores(), earlier in scores(), escalate in any::<bool>()) {
        let loss = LossMatrix::default();
        let (own, earlier) = (decide(&own, &loss), decide(&earlier, &loss));
        let instruction = Instruction { escalate, ..Instruction::default() };
        let verdict = combine(own, Some(earlier), &instruction);
        prop_assert!(verdict.tier >= own.tier.max(earlier.tier));
    }

    #[test]
    fn a_loop_raises_by_exactly_one_tier(own in scores()) {
        let own = decide(&own, &LossMatrix::default());
        let raised = combine(own, None, &Instruction { escalate: true, ..Instruction::default() });
        prop_assert_eq!(raised.tier.index(), (own.tier.index() + 1).min(4));
        prop_assert!(raised.difficulty >= own.difficulty - 1e-5);
        prop_assert_eq!(raised.source, Source::Escalated);
    }

    #[test]
    fn a_side_request_has_its_own_tier_whatever_it_quotes(own in scores(), side in tier()) {
        let own = decide(&own, &LossMatrix::default());
        let instruction = Instruction { side: Some(side), ..Instruction::default() };
        let verdict = combine(own, Some(own), &instruction);
        prop_assert_eq!((verdict.tier, verdict.source), (side, Source::SideRequest));
    }
}

#[test]
fn words_that_close_the_talk_are_trivial_whatever_was_judged() {
    let deep = Verdict::certain(Tier::Deep, Source::Classifier);
    let closing = Instruction { closing: true, escalate: true, ..Instruction::default() };
    let verdict = combine(deep, None, &closing);
    assert_eq!((verdict.tier, verdict.source), (Tier::Trivial, Source::Heuristic));
}

#[test]
fn a_follow_up_that_is_harder_than_what_it_follows_keeps_its_own_source() {
    let loss = LossMatrix::default();
    let (hard, easy) =
        (decide(&[0.0, 0.0, 0.0, 1.0, 0.0], &loss), decide(&[1.0, 0.0, 0.0, 0.0, 0.0], &loss));
    assert_eq!(combine(hard, Some(easy), &Instruction::default()), hard);
    assert_eq!(combine(easy, Some(hard), &Instruction::default()).source, Source::Inherited);
}
