use super::*;

#[tokio::test]
async fn a_record_comes_back_as_it_went_in_newest_first() {
    let place = Place::new();
    let ledger = place.open(no_limits()).await;
    let mut older = record(0);
    older.started_at = "2026-11-21T11:00:00.123456Z".parse().unwrap();
    older.error = Some("client_gone".into());
    older.usage.reported_cost = Some(NanoUsd(77));
    (older.model, older.tier, older.tier_source, older.first_byte) = (None, None, None, None);
    let newer = record(250);
    ledger.record(older.clone()).await;
    ledger.reserve(ask(300)).await.unwrap().settle(newer.clone()).await.unwrap();
    let since = "2026-11-21T00:00:00Z".parse().unwrap();
    assert_eq!(ledger.requests(since, 10).await.unwrap(), vec![newer.clone(), older]);
    assert_eq!(ledger.requests(since, 1).await.unwrap(), vec![newer.clone()]);
    let noon = "2026-11-21T12:00:00Z".parse().unwrap();
    assert_eq!(ledger.requests(noon, 10).await.unwrap(), vec![newer]);
}

#[tokio::test]
async fn records_survive_a_close_that_follows_at_once() {
    let place = Place::new();
    let ledger = place.open(no_limits()).await;
    for _ in 0..1500 {
        ledger.record(record(0)).await;
    }
    ledger.close().await;
    assert!(matches!(ledger.reserve(ask(1)).await, Err(BudgetError::Store(StoreError::Closed))));
    let ledger = place.open(no_limits()).await;
    let requests = ledger.requests(Timestamp::UNIX_EPOCH, 5000).await.unwrap();
    assert_eq!((requests.len(), ledger.lost_records()), (1500, 0));
}

#[tokio::test]
async fn a_closed_ledger_is_one_whole_file() {
    let place = Place::new();
    let ledger = place.open(no_limits()).await;
    ledger.reserve(ask(300)).await.unwrap().settle(record(250)).await.unwrap();
    assert_eq!(figures(&ledger).await, (250, 0));
    ledger.close().await;
    let elsewhere = Place::new();
    std::fs::create_dir_all(elsewhere.path().parent().unwrap()).unwrap();
    std::fs::copy(place.path(), elsewhere.path()).unwrap();
    assert_eq!(figures(&elsewhere.open(no_limits()).await).await, (250, 0));
}

#[tokio::test]
async fn a_second_call_of_a_request_is_a_line_of_its_own() {
    let place = Place::new();
    let ledger = place.open(no_limits()).await;
    let first = ask(100);
    let second = Ask { attempt: 1, model: "openai/other".into(), ..first.clone() };
    let (first, second) =
        (ledger.reserve(first).await.unwrap(), ledger.reserve(second).await.unwrap());
    first.charge(NanoUsd(30)).await.unwrap();
    second.settle(record(40)).await.unwrap();
    assert_eq!(ledger.view().reader.charged().await.unwrap(), (70, 2));
    assert_eq!(ledger.requests(Timestamp::UNIX_EPOCH, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_file_can_be_read_by_others_while_it_is_written() {
    let place = Place::new();
    assert!(LedgerView::open(&place.path()).await.unwrap().is_none());
    let ledger = place.open(daily(1000)).await;
    let mut held = ledger.reserve(ask(100)).await.unwrap();
    held.dispatched().await.unwrap();
    let view = LedgerView::open(&place.path()).await.unwrap().unwrap();
    let now = place.clock.now();
    assert_eq!(view.headroom(&daily(1000), now).await.unwrap(), ledger.headroom().await.unwrap());
    let loose = view.loose(Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!((loose.open, loose.open_amount, loose.oldest), (1, NanoUsd(100), Some(now)));
    drop(held);
    flush(&ledger).await;
    let loose = view.loose(Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!((loose.open, loose.unconfirmed, loose.unconfirmed_amount), (0, 1, NanoUsd(100)));
}
