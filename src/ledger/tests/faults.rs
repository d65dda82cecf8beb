use super::*;
use crate::store::Writer;
use crate::store::ledger::Wanted;

#[tokio::test]
async fn a_file_that_is_no_ledger_is_an_error_that_says_so() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    std::fs::write(
        place.path(),
        "this is not a database, and long enough to be sure of it".repeat(99),
    )
    .unwrap();
    let error = Ledger::open(&place.path(), place.clock.clone(), no_limits()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert!(LedgerView::open(&place.path()).await.is_err());
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_an_error() {
    let place = Place::new();
    std::fs::create_dir_all(place.path()).unwrap();
    assert!(Ledger::open(&place.path(), place.clock.clone(), no_limits()).await.is_err());
    let below_a_file = place.dir.path().join("file/data/ledger.sqlite");
    std::fs::write(place.dir.path().join("file"), "").unwrap();
    let error = Ledger::open(&below_a_file, place.clock.clone(), no_limits()).await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
}

#[tokio::test]
async fn while_another_program_holds_the_file_money_is_refused_and_settlements_wait() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    let held = ledger.reserve(ask(400)).await.unwrap();
    let mut other = Writer::open(&place.path()).await.unwrap();
    other.begin(&[], 0, 0, Wanted::All).await.unwrap();
    assert!(matches!(held.settle(record(300)).await, Err(StoreError::Busy(_))));
    let error = ledger.reserve(ask(100)).await.unwrap_err();
    assert!(matches!(error, BudgetError::Store(StoreError::Busy(_))), "{error:?}");
    assert_eq!(figures(&ledger).await, (0, 400), "until then it stays reserved");
    other.rollback().await;
    while figures(&ledger).await != (300, 0) {
        flush(&ledger).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ledger.requests(Timestamp::UNIX_EPOCH, 9).await.unwrap().len(), 1);
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn a_clock_that_goes_back_over_midnight_frees_no_money() {
    let early = Place::at("2026-11-21T23:30:00Z");
    let ledger = early.open(daily(1000)).await;
    ledger.reserve(ask(900)).await.unwrap().settle(record(900)).await.unwrap();
    early.clock.advance(Duration::from_hours(1));
    ledger.reserve(ask(800)).await.unwrap().settle(record(800)).await.unwrap();
    ledger.close().await;
    let back = Place {
        clock: Arc::new(ManualClock::at("2026-11-21T23:30:00Z".parse().unwrap())),
        dir: early.dir,
    };
    let ledger = back.open(daily(1000)).await;
    assert!(ledger.reserve(ask(200)).await.is_err());
    ledger.reserve(ask(100)).await.unwrap().settle(record(100)).await.unwrap();
    assert_eq!(figures(&ledger).await, (1000, 0));
    assert_totals_are_sums(&ledger).await;
}
