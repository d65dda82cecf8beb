//! Whoever passes a step of a limit is told so, once.

use super::*;

async fn spend(ledger: &Ledger, cost: i64) {
    ledger.reserve(ask(cost)).await.unwrap().settle(record(cost)).await.unwrap();
}

/// Window and percent of what has been told since the last look; the key's name before it.
fn told(warnings: &mut tokio::sync::mpsc::Receiver<Warning>) -> Vec<String> {
    let mut told = Vec::new();
    while let Ok(warning) = warnings.try_recv() {
        let key = warning.key.as_deref().unwrap_or_default();
        told.push(format!("{key} {} {}", warning.window(), warning.percent).trim().to_owned());
    }
    told
}

#[tokio::test]
async fn each_step_of_a_day_is_told_once_and_the_next_day_begins_anew() {
    let place = Place::new();
    let ledger = place.open(daily(1_000)).await;
    let mut warnings = ledger.warnings().unwrap();
    assert!(ledger.warnings().is_none(), "they go to one");
    spend(&ledger, 499).await;
    assert_eq!(told(&mut warnings), Vec::<String>::new());
    spend(&ledger, 1).await;
    spend(&ledger, 100).await;
    assert_eq!(told(&mut warnings), ["daily 50"]);
    spend(&ledger, 360).await;
    spend(&ledger, 40).await;
    assert_eq!(told(&mut warnings), ["daily 95"], "the highest of those passed at once");
    place.clock.advance(Duration::from_hours(24));
    spend(&ledger, 500).await;
    assert_eq!(told(&mut warnings), ["daily 50"]);
}

#[tokio::test]
async fn money_that_is_only_reserved_passes_no_step() {
    let place = Place::new();
    let ledger = place.open(daily(1_000)).await;
    let mut warnings = ledger.warnings().unwrap();
    let held = ledger.reserve(ask(900)).await.unwrap();
    assert_eq!(told(&mut warnings), Vec::<String>::new());
    held.release().await;
    assert_eq!(told(&mut warnings), Vec::<String>::new());
}

#[tokio::test]
async fn a_restart_repeats_no_warning() {
    let place = Place::new();
    let settings = BudgetSettings { monthly: Some(NanoUsd(10_000)), ..daily(1_000) };
    let ledger = place.open(settings.clone()).await;
    spend(&ledger, 850).await;
    ledger.close().await;
    let again = place.open(settings).await;
    let mut warnings = again.warnings().unwrap();
    spend(&again, 50).await;
    assert_eq!(told(&mut warnings), Vec::<String>::new());
    spend(&again, 50).await;
    assert_eq!(told(&mut warnings), ["daily 95"]);
}

#[tokio::test]
async fn two_routers_on_one_ledger_tell_each_step_once_between_them() {
    let place = Place::new();
    let (one, two) = (place.open(daily(1_000)).await, place.open(daily(1_000)).await);
    let mut both = [one.warnings().unwrap(), two.warnings().unwrap()];
    for n in 0..10 {
        spend(if n % 2 == 0 { &one } else { &two }, 100).await;
    }
    let mut all: Vec<String> = both.iter_mut().flat_map(told).collect();
    all.sort();
    assert_eq!(all, ["daily 50", "daily 80", "daily 95"]);
}

#[tokio::test]
async fn a_key_s_own_limit_is_told_with_its_name() {
    let place = Place::new();
    let ledger = place.open(daily(10_000)).await;
    let mut warnings = ledger.warnings().unwrap();
    let own = key("ci", Some(100), Some(1_000));
    let spent = RequestRecord { key: own.id.clone(), ..record(96) };
    ledger.reserve(ask_as(&own, 96)).await.unwrap().settle(spent).await.unwrap();
    assert_eq!(told(&mut warnings), ["ci daily 95"]);
    spend(&ledger, 6_000).await;
    assert_eq!(told(&mut warnings), ["daily 50"]);
}

#[tokio::test]
async fn what_a_dead_process_had_spent_is_told_by_who_finds_it() {
    let place = Place::new();
    let before = place.open(daily(1_000)).await;
    let mut lost = before.reserve(ask(900)).await.unwrap();
    lost.dispatched().await.unwrap();
    before.close().await;
    drop(lost);
    drop(before);
    let ledger = place.open(daily(1_000)).await;
    let mut warnings = ledger.warnings().unwrap();
    assert_eq!(figures(&ledger).await, (900, 0));
    assert_eq!(told(&mut warnings), ["daily 80"]);
}
