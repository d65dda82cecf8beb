use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn minute(requests: Option<u64>, tokens: Option<u64>) -> Bucket {
    Bucket::new(requests, tokens, LimitWindow::Rolling(Duration::from_secs(60)), TimeZone::UTC)
}

#[test]
fn a_full_bucket_says_when_it_has_room_again() {
    let mut bucket = minute(Some(2), None);
    let _first = bucket.take(0, at(0)).unwrap();
    let _second = bucket.take(0, at(10)).unwrap();
    let full = bucket.take(0, at(20)).unwrap_err();
    let wait = full.retry_after.unwrap();
    assert!((40..=41).contains(&wait.as_secs()), "{wait:?}");
    assert!(bucket.take(0, at(20) + wait).is_ok());
}

#[test]
fn a_refund_gives_all_back_and_a_correction_the_difference() {
    let mut bucket = minute(Some(1), Some(100));
    let ticket = bucket.take(100, at(0)).unwrap();
    bucket.refund(&ticket);
    let mut ticket = bucket.take(100, at(0)).unwrap();
    bucket.correct(&mut ticket, 30);
    assert!(
        (bucket.remaining(at(0)) - 0.0).abs() < f64::EPSILON,
        "the request itself still counts"
    );
    let mut tokens = minute(None, Some(100));
    let mut ticket = tokens.take(100, at(0)).unwrap();
    tokens.correct(&mut ticket, 30);
    assert!(tokens.take(70, at(1)).is_ok());
    assert!(tokens.take(1, at(1)).is_err());
}

#[test]
fn what_is_larger_than_the_whole_limit_never_fits() {
    let mut bucket = minute(None, Some(100));
    assert_eq!(bucket.take(101, at(0)), Err(Full { retry_after: None }));
}

#[test]
fn a_calendar_month_ends_in_its_own_time_zone() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let mut bucket = Bucket::new(Some(1), None, LimitWindow::CalendarMonth, zone);
    let now: Timestamp = "2026-11-30T22:30:00Z".parse().unwrap();
    let _ticket = bucket.take(0, now).unwrap();
    let wait = bucket.take(0, now).unwrap_err().retry_after.unwrap();
    assert_eq!(wait, Duration::from_secs(30 * 60), "December begins at 23:00 UTC");
    assert!(bucket.take(0, now + wait).is_ok());
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_than_the_limit(
        requests in 1_u64..10, tokens in 1_u64..1_000,
        asks in prop::collection::vec((0_u64..400, 0_i64..20_000), 1..120),
    ) {
        let mut bucket = minute(Some(requests), Some(tokens));
        let (mut now, mut granted) = (1_000_000_000_000_i64, Vec::new());
        for (size, pause) in asks {
            now += pause;
            let moment = Timestamp::from_millisecond(now).unwrap();
            match bucket.take(size, moment) {
                Ok(_) => granted.push((now, size)),
                Err(Full { retry_after: None }) => prop_assert!(size > tokens),
                Err(Full { retry_after: Some(wait) }) => {
                    prop_assert!(bucket.next_free(size, moment + wait).is_none(), "the wait suffices");
                    prop_assert!(wait <= Duration::from_secs(62));
                }
            }
            let live: Vec<_> = granted.iter().filter(|(then, _)| *then > now - 60_000).collect();
            prop_assert!(live.len() as u64 <= requests);
            prop_assert!(live.iter().map(|(_, size)| size).sum::<u64>() <= tokens);
        }
    }
}
