use super::*;

#[tokio::test]
async fn what_is_settled_is_spent_and_what_was_held_is_free_again() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    let mut reservation = ledger.reserve(ask(600)).await.unwrap();
    assert_eq!(figures(&ledger).await, (0, 600));
    reservation.dispatched().await.unwrap();
    reservation.settle(record(250)).await.unwrap();
    assert_eq!(figures(&ledger).await, (250, 0));
    assert_eq!(ledger.recent_headroom().as_ref(), &ledger.headroom().await.unwrap());
    ledger.reserve(ask(700)).await.unwrap().release().await;
    assert_eq!(figures(&ledger).await, (250, 0));
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn a_limit_can_be_used_up_to_its_last_nano_and_no_further() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    ledger.reserve(ask(1000)).await.unwrap().settle(record(999)).await.unwrap();
    let error = ledger.reserve(ask(2)).await.unwrap_err();
    assert_eq!(error.remaining(), Some(NanoUsd(1)));
    assert_eq!(error.resets_at(), Some("2026-11-22T00:00:00Z".parse().unwrap()));
    assert_eq!(
        error.to_string(),
        "the daily budget has no room for this request: limit $0.000001, spent $0.000000999, \
         reserved by running requests $0, needed up to $0.000000002; resets at 2026-11-22T00:00:00Z"
    );
    ledger.reserve(ask(1)).await.unwrap().settle(record(1)).await.unwrap();
    assert!(matches!(ledger.reserve(ask(1)).await, Err(BudgetError::Daily { .. })));
    assert!(ledger.reserve(ask(0)).await.is_ok(), "what costs nothing always fits");
}

#[tokio::test]
async fn the_month_counts_what_its_days_have_spent() {
    let place = Place::new();
    let settings = BudgetSettings { monthly: Some(NanoUsd(1500)), ..daily(1000) };
    let ledger = place.open(settings).await;
    ledger.reserve(ask(1000)).await.unwrap().settle(record(1000)).await.unwrap();
    place.clock.advance(Duration::from_hours(24));
    assert_eq!(figures(&ledger).await, (0, 0));
    let error = ledger.reserve(ask(600)).await.unwrap_err();
    assert!(matches!(error, BudgetError::Monthly(ref window) if window.spent == NanoUsd(1000)));
    assert_eq!(error.resets_at(), Some("2026-12-01T00:00:00Z".parse().unwrap()));
    assert_eq!(ledger.recent_headroom().remaining(), Some(NanoUsd(500)));
    place.clock.advance(Duration::from_hours(24 * 9));
    assert!(ledger.reserve(ask(600)).await.is_ok());
}

#[tokio::test]
async fn one_request_may_not_cost_more_than_its_own_limit() {
    let place = Place::new();
    let settings = BudgetSettings { per_request: Some(NanoUsd(100)), ..no_limits() };
    let ledger = place.open(settings).await;
    assert!(ledger.reserve(ask(100)).await.is_ok());
    let error = ledger.reserve(ask(101)).await.unwrap_err();
    assert!(matches!(error, BudgetError::PerRequest { .. }));
    assert_eq!(error.resets_at(), None);
}

#[tokio::test]
async fn two_hundred_at_once_never_take_more_than_one_cent() {
    let place = Place::new();
    let cent = 10_000_000;
    let ledger = place.open(daily(cent)).await;
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.reserve(ask(130_000)).await.ok() })
        })
        .collect();
    let mut held = Vec::new();
    for task in tasks {
        held.extend(task.await.unwrap());
        let (spent, reserved) = figures(&ledger).await;
        assert!(spent + reserved <= cent);
    }
    assert_eq!(held.len(), 76, "as many as fit");
    for reservation in held {
        reservation.settle(record(100_000)).await.unwrap();
    }
    assert_eq!(figures(&ledger).await, (7_600_000, 0));
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn a_cost_belongs_to_the_day_of_its_reservation() {
    let place = Place::at("2026-11-30T23:59:00Z");
    let ledger = place.open(daily(1000)).await;
    let reservation = ledger.reserve(ask(900)).await.unwrap();
    place.clock.advance(Duration::from_mins(2));
    assert!(ledger.reserve(ask(1000)).await.is_ok(), "the new day is whole");
    reservation.settle(record(800)).await.unwrap();
    flush(&ledger).await;
    assert_eq!(figures(&ledger).await, (0, 0));
    assert_eq!(ledger.headroom().await.unwrap().monthly.spent, NanoUsd::ZERO);
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn a_provider_that_charges_more_than_the_ceiling_is_believed() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    ledger.reserve(ask(900)).await.unwrap().settle(record(1200)).await.unwrap();
    assert_eq!(figures(&ledger).await, (1200, 0));
    assert_eq!(ledger.headroom().await.unwrap().daily.remaining(), Some(NanoUsd::ZERO));
    assert!(ledger.reserve(ask(1)).await.is_err());
}

#[tokio::test]
async fn on_the_day_of_25_hours_the_budget_lasts_25_hours() {
    let place = Place::at("2026-10-24T22:00:00Z");
    let settings =
        BudgetSettings { timezone: TimeZone::get("Europe/Berlin").unwrap(), ..daily(100) };
    let ledger = place.open(settings).await;
    ledger.reserve(ask(100)).await.unwrap().settle(record(100)).await.unwrap();
    place.clock.advance(Duration::from_secs(25 * 3600 - 1));
    assert!(ledger.reserve(ask(100)).await.is_err());
    place.clock.advance(Duration::from_secs(1));
    assert!(ledger.reserve(ask(100)).await.is_ok());
}

#[tokio::test]
async fn another_time_zone_does_not_forget_what_was_spent() {
    let place = Place::at("2026-11-21T22:30:00Z");
    let ledger = place.open(daily(1000)).await;
    ledger.reserve(ask(400)).await.unwrap().settle(record(400)).await.unwrap();
    place.clock.advance(Duration::from_hours(1));
    let open = ledger.reserve(ask(300)).await.unwrap();
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    ledger.set_settings(BudgetSettings { timezone: berlin, ..daily(1000) });
    flush(&ledger).await;
    // In Berlin it is half past midnight: only the open reservation is of today.
    assert_eq!(figures(&ledger).await, (0, 300));
    assert_eq!(ledger.recent_headroom().monthly.spent, NanoUsd(400));
    open.settle(record(200)).await.unwrap();
    assert_eq!(figures(&ledger).await, (200, 0));
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn from_the_start_on_the_windows_have_totals_so_that_nobody_sums_rows() {
    let place = Place::new();
    let at = |ledger: &Ledger| {
        let now = window::micros(place.clock.now());
        let reader = ledger.view().reader.clone();
        async move { reader.totals(now).await.unwrap() }
    };
    let ledger = place.open(daily(1000)).await;
    flush(&ledger).await;
    assert_eq!(at(&ledger).await, 2);
    // Other windows, with what was spent in them.
    ledger.reserve(ask(300)).await.unwrap().settle(record(200)).await.unwrap();
    let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
    ledger.set_settings(BudgetSettings { timezone: tokyo, ..daily(1000) });
    flush(&ledger).await;
    assert_eq!(at(&ledger).await, 4);
    ledger.close().await;
    let ledger = place.open(daily(1000)).await;
    assert_eq!(figures(&ledger).await, (200, 0));
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn new_limits_hold_at_once() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    let _held = ledger.reserve(ask(500)).await.unwrap();
    ledger.set_settings(daily(600));
    assert_eq!(ledger.recent_headroom().daily.remaining(), Some(NanoUsd(100)));
    assert!(ledger.reserve(ask(101)).await.is_err());
    ledger.set_settings(no_limits());
    assert!(ledger.reserve(ask(1_000_000_000_000)).await.is_ok());
}

#[tokio::test]
async fn two_processes_share_one_limit() {
    let place = Place::new();
    let (one, two) = (place.open(daily(1000)).await, place.open(daily(1000)).await);
    let held = one.reserve(ask(700)).await.unwrap();
    assert!(two.reserve(ask(400)).await.is_err());
    held.settle(record(600)).await.unwrap();
    two.reserve(ask(400)).await.unwrap().settle(record(400)).await.unwrap();
    assert!(one.reserve(ask(1)).await.is_err());
    assert_eq!((figures(&one).await, figures(&two).await), ((1000, 0), (1000, 0)));
}

#[tokio::test]
async fn two_processes_at_full_speed_never_pass_the_limit() {
    let place = Place::new();
    let ledgers = [place.open(daily(10_000)).await, place.open(daily(10_000)).await];
    let tasks: Vec<_> = (0..120)
        .map(|index: usize| {
            let ledger = ledgers[index % 2].clone();
            tokio::spawn(async move {
                let mut spent = 0;
                for _ in 0..4 {
                    let Ok(reservation) = ledger.reserve(ask(77)).await else { continue };
                    let headroom = ledger.headroom().await.unwrap().daily;
                    assert!(headroom.spent + headroom.reserved <= NanoUsd(10_000));
                    reservation.settle(record(50)).await.unwrap();
                    spent += 50;
                }
                spent
            })
        })
        .collect();
    let mut spent = 0;
    for task in tasks {
        spent += task.await.unwrap();
    }
    assert_eq!(figures(&ledgers[0]).await, (spent, 0));
    assert_totals_are_sums(&ledgers[1]).await;
}

#[tokio::test]
async fn the_headroom_is_written_as_the_contract_says() {
    let place = Place::new();
    let settings =
        BudgetSettings { per_request: Some(NanoUsd(2_000_000_000)), ..daily(3_000_000_000) };
    let ledger = place.open(settings).await;
    ledger.reserve(ask(90_000)).await.unwrap().settle(record(45_000)).await.unwrap();
    let json = serde_json::to_value(ledger.headroom().await.unwrap()).unwrap();
    let expected = serde_json::json!({
        "daily": {"limit_usd": 3.0, "spent_usd": 0.000_045, "reserved_usd": 0.0,
            "remaining_usd": 2.999_955, "resets_at": "2026-11-22T00:00:00Z"},
        "monthly": {"limit_usd": null, "spent_usd": 0.000_045, "reserved_usd": 0.0,
            "remaining_usd": null, "resets_at": "2026-12-01T00:00:00Z"},
        "per_request_limit_usd": 2.0,
    });
    assert_eq!(json, expected);
}
