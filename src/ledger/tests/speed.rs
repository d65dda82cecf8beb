//! What a reservation and its settlement take. Run alone, in a release build:
//! `cargo test --release --lib ledger::tests::speed -- --ignored --nocapture`

use super::*;
use crate::clock::SystemClock;

const PAIRS: u32 = 20_000;

async fn pairs(ledger: &Ledger, count: u32, make: &impl Fn(usize) -> Ask) {
    for n in 0..count {
        let mut reservation = ledger.reserve(make(n as usize)).await.unwrap();
        reservation.dispatched().await.unwrap();
        reservation.settle(record(2)).await.unwrap();
    }
}

async fn measure(
    ledger: &Ledger,
    name: &str,
    make: impl Fn(usize) -> Ask + Clone + Send + Sync + 'static,
) {
    pairs(ledger, 1_000, &make).await;
    for parallel in [1, 64] {
        let begun = SystemClock.instant();
        let tasks: Vec<_> = (0..parallel)
            .map(|_| {
                let (ledger, make) = (ledger.clone(), make.clone());
                tokio::spawn(async move { pairs(&ledger, PAIRS / parallel, &make).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let each = (SystemClock.instant() - begun).as_secs_f64() * 1e6 / f64::from(PAIRS);
        println!("{name}, {parallel} at once: {each:.1} us a pair");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn pairs_of_callers_without_a_key() {
    let place = Place::new();
    let ledger = place.open(daily(1_000_000_000)).await;
    measure(&ledger, "without a key", |_| ask(3)).await;
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn pairs_of_sixteen_keys() {
    let place = Place::new();
    let ledger = place.open(daily(1_000_000_000)).await;
    let keys: Vec<_> = (0..16).map(|n| key(&format!("k{n}"), Some(1_000_000_000), None)).collect();
    measure(&ledger, "with one of 16 keys", move |n| ask_as(&keys[n % 16], 3)).await;
    assert_totals_are_sums(&ledger).await;
}
