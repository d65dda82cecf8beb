use super::*;

fn patient(limit: i64) -> BudgetSettings {
    BudgetSettings { wait: Duration::from_secs(60), ..daily(limit) }
}

#[tokio::test]
async fn it_waits_for_the_reservations_of_others() {
    let place = Place::new();
    let ledger = place.open(patient(1000)).await;
    let held = ledger.reserve(ask(900)).await.unwrap();
    let waiter = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.reserve(ask(500)).await.map(|reservation| reservation.ceiling()) }
    });
    flush(&ledger).await;
    held.settle(record(100)).await.unwrap();
    assert_eq!(waiter.await.unwrap().unwrap(), NanoUsd(500));
}

#[tokio::test]
async fn it_does_not_wait_for_money_that_is_spent() {
    let place = Place::new();
    let ledger = place.open(patient(1000)).await;
    ledger.reserve(ask(600)).await.unwrap().settle(record(600)).await.unwrap();
    let _held = ledger.reserve(ask(400)).await.unwrap();
    assert!(matches!(ledger.reserve(ask(401)).await, Err(BudgetError::Daily { .. })));
}

#[tokio::test]
async fn a_wait_ends_when_the_money_turns_out_to_be_spent() {
    let place = Place::new();
    let ledger = place.open(patient(1000)).await;
    let held = ledger.reserve(ask(900)).await.unwrap();
    let waiter = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.reserve(ask(500)).await }
    });
    flush(&ledger).await;
    held.settle(record(900)).await.unwrap();
    assert!(matches!(waiter.await.unwrap(), Err(BudgetError::Daily { .. })));
}

#[tokio::test]
async fn a_wait_has_an_end() {
    let place = Place::new();
    let settings = BudgetSettings { wait: Duration::from_millis(60), ..daily(1000) };
    let ledger = place.open(settings).await;
    let _held = ledger.reserve(ask(900)).await.unwrap();
    let error = ledger.reserve(ask(500)).await.unwrap_err();
    assert_eq!(error.exceeded().unwrap().reserved, NanoUsd(900));
}

#[tokio::test]
async fn who_waits_longest_is_served_first() {
    let place = Place::new();
    let ledger = place.open(patient(1000)).await;
    let held = ledger.reserve(ask(1000)).await.unwrap();
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..5 {
        let (other, served) = (ledger.clone(), served.clone());
        tokio::spawn(async move {
            let reservation = other.reserve(ask(700)).await.unwrap();
            served.send(number).unwrap();
            reservation.release().await;
        });
        flush(&ledger).await;
    }
    held.release().await;
    for number in 0..5 {
        assert_eq!(order.recv().await, Some(number));
    }
}

#[tokio::test]
async fn who_stops_waiting_leaves_nothing_behind() {
    let place = Place::new();
    let ledger = place.open(patient(1000)).await;
    let held = ledger.reserve(ask(900)).await.unwrap();
    let waiter = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.reserve(ask(500)).await }
    });
    flush(&ledger).await;
    waiter.abort();
    assert!(waiter.await.is_err());
    held.release().await;
    flush(&ledger).await;
    assert_eq!(figures(&ledger).await, (0, 0));
}

#[tokio::test]
async fn it_hears_of_other_processes_too() {
    let place = Place::new();
    let (one, two) = (place.open(patient(1000)).await, place.open(patient(1000)).await);
    let held = one.reserve(ask(900)).await.unwrap();
    let waiter = tokio::spawn(async move { two.reserve(ask(500)).await.is_ok() });
    tokio::task::yield_now().await;
    held.release().await;
    assert!(waiter.await.unwrap());
}

#[tokio::test]
async fn a_new_day_ends_the_wait() {
    let place = Place::at("2026-11-21T23:59:59Z");
    let ledger = place.open(patient(1000)).await;
    let _held = ledger.reserve(ask(900)).await.unwrap();
    let waiter = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.reserve(ask(500)).await.is_ok() }
    });
    flush(&ledger).await;
    place.clock.advance(Duration::from_secs(1));
    assert!(waiter.await.unwrap());
}
