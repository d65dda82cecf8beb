use super::*;
use crate::catalog::Tier;
use crate::limits::LimitWindow;
use crate::strategy::model_for_tests as model;

fn limit(name: &str, models: &[&str], requests: u64) -> LimitSettings {
    LimitSettings {
        name: name.into(),
        provider: "p".into(),
        models: models.iter().map(|one| (*one).to_owned()).collect(),
        requests: Some(requests),
        tokens: None,
        window: LimitWindow::Rolling(Duration::from_secs(60)),
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

#[test]
fn a_request_takes_from_every_bucket_that_covers_its_model_or_from_none() {
    let buckets =
        Buckets::new(&[limit("all", &["*"], 5), limit("big", &["big-*"], 1)], &TimeZone::UTC);
    let big = model("p/big-1", Tier::Deep, None);
    let small = model("p/small", Tier::Deep, None);
    let _pass = buckets.take(&big, 10, now()).unwrap();
    assert_eq!(buckets.take(&big, 10, now()).unwrap_err().name, "big");
    assert_eq!(buckets.remaining(&small, now()), Some(0.8), "the refused one took nothing");
    assert_eq!(buckets.remaining(&model("q/other", Tier::Deep, None), now()), None);
    assert!(buckets.status(&small, 10, now()).is_none());
}

#[test]
fn what_was_not_called_is_given_back() {
    let buckets = Buckets::new(&[limit("one", &["*"], 1)], &TimeZone::UTC);
    let small = model("p/small", Tier::Deep, None);
    let pass = buckets.take(&small, 10, now()).unwrap();
    buckets.refund(pass);
    let pass = buckets.take(&small, 10, now()).unwrap();
    buckets.correct(pass, 5);
    assert!(buckets.take(&small, 10, now()).is_err());
}

#[test]
fn a_reload_keeps_what_was_counted() {
    let buckets = Buckets::new(&[limit("one", &["*"], 1)], &TimeZone::UTC);
    let small = model("p/small", Tier::Deep, None);
    let _pass = buckets.take(&small, 10, now()).unwrap();
    buckets.reload(&[limit("one", &["*"], 2)], &TimeZone::UTC);
    assert_eq!(buckets.remaining(&small, now()), Some(0.5));
}
