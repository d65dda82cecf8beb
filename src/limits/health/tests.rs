use super::*;
use crate::catalog::Tier;
use crate::clock::{Clock as _, ManualClock};
use crate::strategy::model_for_tests as model;
use jiff::Timestamp;
use proptest::prelude::*;

const FAULT: Outcome = Outcome::ServerFault { retry_after: None };

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn start() -> Instant {
    ManualClock::at(Timestamp::UNIX_EPOCH).instant()
}

fn one() -> Model {
    model("p/one", Tier::Deep, Some((1, 1)))
}

fn two() -> Model {
    model("p/two", Tier::Deep, Some((1, 1)))
}

#[test]
fn what_never_failed_can_be_called_and_needs_no_key() {
    let (health, now) = (Health::default(), start());
    assert_eq!(health.status(&one(), 0, now), None);
    assert_eq!(health.pick_key(&one(), 0, now), Some(0));
}

#[test]
fn a_rate_limit_holds_for_the_time_the_provider_names_and_for_that_key_and_model_only() {
    let (health, now) = (Health::default(), start());
    health.report(&one(), 0, Outcome::Limited { retry_after: Some(secs(30)) }, now);
    assert_eq!(health.pick_key(&one(), 2, now), Some(1));
    assert_eq!(health.pick_key(&two(), 1, now), Some(0));
    let down = health.status(&one(), 1, now).unwrap();
    assert!(down.limited && down.retry_after == Some(secs(30)), "{down:?}");
    assert_eq!(health.status(&one(), 1, now + secs(30)), None);
}

#[test]
fn without_advice_the_pause_grows_and_a_success_forgets_it() {
    let (health, mut now) = (Health::default(), start());
    for expected in [5, 10, 20] {
        health.report(&one(), 0, Outcome::Limited { retry_after: None }, now);
        assert_eq!(health.status(&one(), 1, now).unwrap().retry_after, Some(secs(expected)));
        now += secs(expected);
    }
    health.report(&one(), 0, Outcome::Success, now);
    health.report(&one(), 0, Outcome::Limited { retry_after: None }, now);
    assert_eq!(health.status(&one(), 1, now).unwrap().retry_after, Some(secs(5)));
}

#[test]
fn no_provider_can_ask_for_more_than_an_hour() {
    let (health, now) = (Health::default(), start());
    health.report(&one(), 0, Outcome::Limited { retry_after: Some(secs(1_000_000)) }, now);
    assert_eq!(health.status(&one(), 1, now).unwrap().retry_after, Some(secs(3600)));
}

#[test]
fn three_failures_in_a_row_open_the_breaker_of_that_model() {
    let (health, now) = (Health::default(), start());
    health.report(&one(), 0, FAULT, now);
    health.report(&one(), 0, FAULT, now);
    assert_eq!(health.status(&one(), 1, now), None);
    health.report(&one(), 0, FAULT, now);
    assert_eq!(health.status(&one(), 1, now).unwrap().retry_after, Some(secs(10)));
    assert_eq!(health.pick_key(&one(), 1, now), None);
    assert_eq!(health.status(&two(), 1, now), None);
}

#[test]
fn a_success_in_between_keeps_the_breaker_closed() {
    let (health, now) = (Health::default(), start());
    for outcome in [FAULT, FAULT, Outcome::Success, FAULT, FAULT] {
        health.report(&one(), 0, outcome, now);
    }
    assert_eq!(health.status(&one(), 1, now), None);
}

#[test]
fn after_its_time_an_open_breaker_lets_one_probe_through() {
    let (health, now) = (Health::default(), start());
    (0..3).for_each(|_| health.report(&one(), 0, FAULT, now));
    let later = now + secs(10);
    assert_eq!(health.pick_key(&one(), 1, later), Some(0));
    assert_eq!(health.pick_key(&one(), 1, later), None, "the probe is under way");
    health.report(&one(), 0, FAULT, later);
    assert_eq!(health.status(&one(), 1, later).unwrap().retry_after, Some(secs(20)));
    let again = later + secs(20);
    assert_eq!(health.pick_key(&one(), 1, again), Some(0));
    health.report(&one(), 0, Outcome::Success, again);
    assert_eq!(health.pick_key(&one(), 1, again), Some(0));
    assert_eq!(health.pick_key(&one(), 1, again), Some(0));
}

#[test]
fn a_probe_that_is_abandoned_or_lost_makes_room_for_another() {
    let (health, now) = (Health::default(), start());
    (0..3).for_each(|_| health.report(&one(), 0, FAULT, now));
    let later = now + secs(10);
    assert_eq!(health.pick_key(&one(), 1, later), Some(0));
    health.report(&one(), 0, Outcome::Abandoned, later);
    assert_eq!(health.pick_key(&one(), 1, later), Some(0));
    assert_eq!(health.pick_key(&one(), 1, later + secs(59)), None);
    assert_eq!(health.pick_key(&one(), 1, later + secs(60)), Some(0));
}

#[test]
fn a_provider_out_of_reach_is_out_for_all_its_models() {
    let (health, now) = (Health::default(), start());
    (0..3).for_each(|_| health.report(&one(), 0, Outcome::Unreachable, now));
    assert_eq!(health.status(&two(), 1, now).unwrap().why, "its provider cannot be reached");
    assert_eq!(health.status(&model("q/other", Tier::Deep, None), 1, now), None);
}

#[test]
fn a_bad_key_is_bad_for_every_model_and_shows() {
    let (health, now) = (Health::default(), start());
    health.report(&one(), 0, Outcome::BadKey, now);
    assert_eq!(health.pick_key(&two(), 2, now), Some(1));
    assert_eq!(health.bad_keys(now), [("p".into(), 0)]);
    health.forget(&"p".into());
    assert_eq!(health.pick_key(&two(), 2, now), Some(0));
}

#[test]
fn a_key_that_may_not_use_one_model_is_good_for_the_others() {
    let (health, now) = (Health::default(), start());
    health.report(&one(), 0, Outcome::Forbidden, now);
    assert!(health.status(&one(), 1, now).is_some());
    assert_eq!(health.status(&two(), 1, now), None);
}

#[test]
fn an_account_without_money_rests_for_long_and_a_missing_model_for_a_while() {
    let (health, now) = (Health::default(), start());
    health.report(&one(), 0, Outcome::Billing { retry_after: None }, now);
    assert_eq!(health.status(&two(), 1, now).unwrap().retry_after, Some(BILLING_PAUSE));
    let other = model("q/gone", Tier::Deep, None);
    health.report(&other, 0, Outcome::NoModel, now);
    assert_eq!(health.status(&other, 3, now).unwrap().retry_after, Some(NO_MODEL_PAUSE));
}

#[test]
fn a_clients_mistakes_take_nothing_out_of_service() {
    let (health, now) = (Health::default(), start());
    (0..50).for_each(|_| health.report(&one(), 0, Outcome::RequestFault, now));
    assert_eq!(health.status(&one(), 1, now), None);
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let wait = || prop::option::of((0_u64..100_000).prop_map(Duration::from_secs));
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::RequestFault),
        wait().prop_map(|retry_after| Outcome::Limited { retry_after }),
        wait().prop_map(|retry_after| Outcome::Billing { retry_after }),
        Just(Outcome::BadKey),
        Just(Outcome::Forbidden),
        Just(Outcome::NoModel),
        wait().prop_map(|retry_after| Outcome::ServerFault { retry_after }),
        Just(Outcome::Unreachable),
        Just(Outcome::Abandoned),
    ]
}

proptest! {
    #[test]
    fn everything_comes_back_within_an_hour_and_status_agrees_with_picking(
        outcomes in prop::collection::vec((any_outcome(), 0_usize..3, 0_u64..60), 0..60),
    ) {
        let (health, mut now) = (Health::default(), start());
        for (outcome, key, wait) in outcomes {
            health.report(&one(), key, outcome, now);
            now += secs(wait);
            let down = health.status(&one(), 3, now);
            if let Some(down) = &down {
                let wait = down.retry_after.unwrap();
                prop_assert!(wait <= secs(3600));
            }
            prop_assert_eq!(health.pick_key(&one(), 3, now).is_none(), down.is_some());
        }
        prop_assert_eq!(health.status(&one(), 3, now + secs(3700)), None);
    }
}
