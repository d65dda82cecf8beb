//! Two scopes at once: everybody's windows, and those of a client key.

use super::*;

#[tokio::test]
async fn a_key_s_spending_counts_in_both_scopes_and_a_stranger_s_in_one() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    let (ci, me) = (key("ci", Some(500), None), key("me", None, None));
    ledger.reserve(ask_as(&ci, 300)).await.unwrap().settle(record(200)).await.unwrap();
    let _held = ledger.reserve(ask_as(&me, 70)).await.unwrap();
    ledger.reserve(ask(400)).await.unwrap().settle(record(400)).await.unwrap();
    assert_eq!(figures(&ledger).await, (600, 70));
    assert_eq!(figures_of(&ledger, &ci).await, (200, 0));
    assert_eq!(figures_of(&ledger, &me).await, (0, 70), "counted without any limit");
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn every_scope_must_have_room_and_the_refusal_says_which_has_none() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    let ci = key("ci", Some(500), Some(600));
    ledger.reserve(ask_as(&ci, 450)).await.unwrap().settle(record(450)).await.unwrap();
    let error = ledger.reserve(ask_as(&ci, 51)).await.unwrap_err();
    assert!(matches!(error, BudgetError::Daily(_)));
    assert_eq!(error.remaining(), Some(NanoUsd(50)));
    assert_eq!(
        error.to_string(),
        "the key `ci` has spent $0.00000045 of its daily limit of $0.0000005, which has no room for \
         this request: reserved by running requests $0, needed up to $0.000000051; resets at \
         2026-11-22T00:00:00Z"
    );
    assert!(ledger.reserve(ask(51)).await.is_ok(), "others have room");
    place.clock.advance(Duration::from_hours(24));
    let error = ledger.reserve(ask_as(&ci, 200)).await.unwrap_err();
    assert!(matches!(&error, BudgetError::Monthly(why) if why.key.as_deref() == Some("ci")));
    let rich = key("rich", Some(5000), None);
    let error = ledger.reserve(ask_as(&rich, 1001)).await.unwrap_err();
    assert!(error.to_string().starts_with("the daily budget has no room"), "{error}");
    assert_eq!(figures_of(&ledger, &rich).await, (0, 0), "what is refused takes nothing");
}

#[tokio::test]
async fn a_key_waits_for_its_own_reservations_and_not_for_money_that_it_has_spent() {
    let place = Place::new();
    let settings = BudgetSettings { wait: Duration::from_secs(60), ..daily(1000) };
    let ledger = place.open(settings).await;
    let ci = key("ci", Some(500), None);
    let held = ledger.reserve(ask_as(&ci, 400)).await.unwrap();
    let waiter = tokio::spawn({
        let (ledger, ask) = (ledger.clone(), ask_as(&ci, 200));
        async move { ledger.reserve(ask).await }
    });
    flush(&ledger).await;
    held.settle(record(250)).await.unwrap();
    waiter.await.unwrap().unwrap().settle(record(200)).await.unwrap();
    let _others = ledger.reserve(ask(500)).await.unwrap();
    let error = ledger.reserve(ask_as(&ci, 100)).await.unwrap_err();
    assert_eq!(error.exceeded().unwrap().key.as_deref(), Some("ci"), "spent comes before reserved");
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn the_headroom_of_a_key_is_the_least_that_any_of_its_windows_leaves() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    let ci = key("ci", Some(500), Some(450));
    let fresh = ledger.recent_headroom_of(Some(&ci)).await.unwrap();
    assert_eq!(fresh.remaining(), Some(NanoUsd(450)));
    ledger.reserve(ask_as(&ci, 100)).await.unwrap().settle(record(100)).await.unwrap();
    let left = async |own| ledger.recent_headroom_of(own).await.unwrap().remaining();
    assert_eq!(left(Some(&*ci)).await, Some(NanoUsd(350)));
    ledger.reserve(ask(700)).await.unwrap().settle(record(700)).await.unwrap();
    assert_eq!(left(Some(&*ci)).await, Some(NanoUsd(200)));
    assert_eq!(left(None).await, Some(NanoUsd(200)));
    place.clock.advance(Duration::from_hours(24));
    assert_eq!(left(Some(&*ci)).await, Some(NanoUsd(350)), "a new day, the same month");
}

#[tokio::test]
async fn two_processes_share_the_limit_of_a_key() {
    let place = Place::new();
    let (one, two) = (place.open(no_limits()).await, place.open(no_limits()).await);
    let ci = key("ci", Some(1000), None);
    let held = one.reserve(ask_as(&ci, 700)).await.unwrap();
    assert!(two.reserve(ask_as(&ci, 400)).await.is_err());
    held.settle(record(600)).await.unwrap();
    two.reserve(ask_as(&ci, 400)).await.unwrap().settle(record(400)).await.unwrap();
    assert!(one.reserve(ask_as(&ci, 1)).await.is_err());
    assert_eq!(figures_of(&one, &ci).await, (1000, 0));
    assert_totals_are_sums(&one).await;
}

#[tokio::test]
async fn a_hundred_at_once_pass_neither_the_key_s_limit_nor_everybody_s() {
    let place = Place::new();
    let ledger = place.open(daily(2000)).await;
    let keys = [key("a", Some(900), None), key("b", None, Some(1500)), key("c", None, None)];
    let tasks: Vec<_> = (0..100)
        .map(|index: usize| {
            let (ledger, ask) = (ledger.clone(), ask_as(&keys[index % 3], 77));
            tokio::spawn(async move { ledger.reserve(ask).await.ok() })
        })
        .collect();
    let mut held = Vec::new();
    for task in tasks {
        held.extend(task.await.unwrap());
        let (spent, reserved) = figures(&ledger).await;
        assert!(spent + reserved <= 2000);
        for (own, limit) in keys.iter().zip([900, 1500, 2000]) {
            let (spent, reserved) = figures_of(&ledger, own).await;
            assert!(spent + reserved <= limit, "{}", own.name);
        }
    }
    assert_eq!(held.len(), 25, "as many as fit into the global limit");
    for reservation in held {
        reservation.settle(record(70)).await.unwrap();
    }
    assert_eq!(figures(&ledger).await, (1750, 0));
    assert_totals_are_sums(&ledger).await;
}

#[tokio::test]
async fn another_time_zone_does_not_forget_what_a_key_has_spent() {
    let place = Place::at("2026-11-21T22:30:00Z");
    let ledger = place.open(no_limits()).await;
    let ci = key("ci", Some(1000), None);
    ledger.reserve(ask_as(&ci, 400)).await.unwrap().settle(record(400)).await.unwrap();
    ledger.reserve(ask(50)).await.unwrap().settle(record(50)).await.unwrap();
    place.clock.advance(Duration::from_hours(1));
    let open = ledger.reserve(ask_as(&ci, 300)).await.unwrap();
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    ledger.set_settings(BudgetSettings { timezone: berlin, ..no_limits() });
    flush(&ledger).await;
    // In Berlin it is half past midnight: only the open reservation is of today.
    assert_eq!(figures_of(&ledger, &ci).await, (0, 300));
    assert_eq!(ledger.key_headroom(&ci).await.unwrap().monthly.spent, NanoUsd(400));
    open.settle(record(200)).await.unwrap();
    assert_eq!(figures_of(&ledger, &ci).await, (200, 0));
    assert_totals_are_sums(&ledger).await;
}

#[rstest::rstest]
#[case([Some(10), Some(50)], None, Some(6))]
#[case([Some(100), Some(5)], None, Some(1))]
#[case([None, Some(5)], None, Some(1))]
#[case([Some(2), None], None, Some(0))]
#[case([None, None], None, None)]
#[case([Some(10), None], Some([Some(9), None]), Some(5))]
#[case([None, None], Some([None, Some(5)]), Some(1))]
#[case([Some(10), None], Some([None, None]), Some(6))]
fn the_tightest_window_says_what_remains(
    #[case] everybody: [Option<i64>; 2],
    #[case] own: Option<[Option<i64>; 2]>,
    #[case] left: Option<i64>,
) {
    let window = |limit: Option<i64>| Window {
        limit: limit.map(NanoUsd),
        spent: NanoUsd(3),
        reserved: NanoUsd(1),
        resets_at: Timestamp::UNIX_EPOCH,
    };
    let [daily, monthly] = everybody.map(window);
    let key = own.map(|own| {
        let [daily, monthly] = own.map(window);
        KeyHeadroom { name: "ci".into(), daily, monthly }
    });
    let headroom = Headroom { daily, monthly, per_request: None, key };
    assert_eq!(headroom.remaining(), left.map(NanoUsd));
}
