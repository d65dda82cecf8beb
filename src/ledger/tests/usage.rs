//! Sums by quarter of an hour say what the rows say.

use jiff::ToSpan;

use super::*;
use crate::catalog::Tier;

const MODELS: [&str; 3] = ["a/one", "b/two", "c/three"];
const TIERS: [Tier; 2] = [Tier::Trivial, Tier::Deep];

static UTC: TimeZone = TimeZone::UTC;

/// Some hundred requests over three days, as if drawn by chance.
fn requests() -> Vec<RequestRecord> {
    let start: Timestamp = "2026-11-18T22:10:00Z".parse().unwrap();
    let request = |n: u32| {
        let mut one = record(i64::from(n * 7_919 % 1_000) * i64::from(n % 4));
        one.started_at = start + i64::from(n * 7).minutes() + i64::from(n % 61).seconds();
        one.model = Some(MODELS[n as usize % 3].into()).filter(|_| !n.is_multiple_of(11));
        one.tier = Some(TIERS[n as usize % 2]).filter(|_| !n.is_multiple_of(13));
        one.key = ["local", "ci"][n as usize % 2].into();
        one.project = Some("shop".to_owned()).filter(|_| !n.is_multiple_of(3));
        one.error = [None, Some("client_gone"), Some("all_backends_failed")]
            [usize::from(n.is_multiple_of(5)) + usize::from(n.is_multiple_of(10))]
        .map(str::to_owned);
        one.estimated = n.is_multiple_of(6);
        one.usage.input = u64::from(n) * 631;
        if one.model.is_none() {
            one.cost = NanoUsd::ZERO;
        }
        one
    };
    (0..500).map(request).collect()
}

/// A ledger with these requests and a charge for each that cost something, made when it started.
async fn filled(place: &Place, requests: &[RequestRecord]) -> Ledger {
    let ledger = place.open(no_limits()).await;
    for one in requests {
        let now = place.clock.now();
        place.clock.advance(one.started_at.duration_since(now).unsigned_abs());
        if one.cost.is_zero() {
            ledger.record(one.clone()).await;
            continue;
        }
        let ask = Ask {
            request: one.id.clone(),
            key: one.key.clone(),
            project: one.project.clone(),
            model: one.model.clone().unwrap(),
            attempt: one.fallback_index,
            ceiling: NanoUsd(one.cost.0 * 2),
            budget: None,
        };
        ledger.reserve(ask).await.unwrap().settle(one.clone()).await.unwrap();
    }
    ledger
}

fn period<'a>(since: &str, until: &str, timezone: &'a TimeZone) -> Period<'a> {
    Period { since: since.parse().unwrap(), until: until.parse().unwrap(), timezone, cuts: &[] }
}

fn added(requests: &[&RequestRecord]) -> Figures {
    let mut sum = Figures::default();
    for one in requests {
        sum.requests += 1;
        sum.failed += u64::from(one.error.as_deref() == Some("all_backends_failed"));
        sum.estimated += u64::from(one.estimated);
        sum.estimated_cost += if one.estimated { one.cost } else { NanoUsd::ZERO };
        sum.cost += one.cost;
        sum.usage.input += one.usage.input;
        sum.usage.cache_read += one.usage.cache_read;
        sum.usage.output += one.usage.output;
        sum.usage.reasoning += one.usage.reasoning;
    }
    sum
}

#[rstest::rstest]
#[case::all("2026-11-01T00:00:00Z", "UTC")]
#[case::within_a_quarter("2026-11-19T10:07:13Z", "UTC")]
#[case::in_the_last_quarter_of_a_day("2026-11-19T23:53:01.5Z", "UTC")]
#[case::days_that_begin_at_a_quarter_past("2026-11-18T23:00:00Z", "Asia/Kathmandu")]
#[tokio::test]
async fn every_grouping_says_what_the_rows_say(#[case] since: &str, #[case] zone: &str) {
    let place = Place::at("2026-11-18T22:00:00Z");
    let requests = requests();
    let ledger = filled(&place, &requests).await;
    let zone = TimeZone::get(zone).unwrap();
    let period = period(since, "2026-11-22T00:00:00Z", &zone);
    let counted: Vec<&RequestRecord> =
        requests.iter().filter(|one| one.started_at >= period.since).collect();
    for groups in [
        &[][..],
        &[Group::Model],
        &[Group::Key, Group::Project],
        &[Group::Tier],
        &[Group::Day],
        &[Group::Day, Group::Tier, Group::Model, Group::Key, Group::Project],
    ] {
        let parts = ledger.usage(period, groups, None).await.unwrap();
        assert_eq!(total(&parts), added(&counted), "{groups:?}");
        let rows = sum_by(&parts, groups);
        for (key, figures) in &rows {
            let has = |group: Group| groups.contains(&group);
            let of_row = |one: &RequestRecord| {
                let model = one.model.as_ref().map(ToString::to_string);
                let day = one.started_at.to_zoned(zone.clone()).date();
                (!has(Group::Model) || key.model == model)
                    && (!has(Group::Tier) || key.tier == one.tier)
                    && (!has(Group::Key) || key.key.as_deref() == Some(one.key.as_str()))
                    && (!has(Group::Project) || key.project == one.project)
                    && (!has(Group::Day) || key.day == Some(day))
            };
            let own: Vec<&RequestRecord> =
                counted.iter().copied().filter(|one| of_row(one)).collect();
            assert_eq!(*figures, added(&own), "{key:?}");
        }
        let sum: NanoUsd = rows.iter().map(|(_, figures)| figures.cost).sum();
        assert_eq!(sum, added(&counted).cost);
    }
}

#[tokio::test]
async fn a_day_costs_what_the_budget_says_it_spent() {
    let place = Place::at("2026-11-18T22:00:00Z");
    let ledger = filled(&place, &requests()).await;
    let spent = ledger.headroom().await.unwrap().daily.spent;
    let period = period("2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", &UTC);
    let parts = ledger.usage(period, &[Group::Day], None).await.unwrap();
    let (last, figures) = sum_by(&parts, &[Group::Day]).pop().unwrap();
    assert_eq!(last.day, Some(place.clock.now().to_zoned(TimeZone::UTC).date()));
    assert_eq!(figures.cost, spent);
    assert!(spent > NanoUsd::ZERO);
}

#[tokio::test]
async fn money_of_calls_that_did_not_answer_has_no_tier() {
    let place = Place::new();
    let ledger = place.open(no_limits()).await;
    let first = ask(100);
    let second = Ask { attempt: 1, ..first.clone() };
    let answer = RequestRecord { id: first.request.clone(), ..record(40) };
    let (first, second) =
        (ledger.reserve(first).await.unwrap(), ledger.reserve(second).await.unwrap());
    first.charge(NanoUsd(30)).await.unwrap();
    second.settle(answer.clone()).await.unwrap();
    let mut lost = ledger.reserve(ask(500)).await.unwrap();
    lost.dispatched().await.unwrap();
    drop(lost);
    flush(&ledger).await;

    let period = period("2026-11-21T00:00:00Z", "2026-11-21T13:00:00Z", &UTC);
    let parts = ledger.usage(period, &[Group::Tier], None).await.unwrap();
    let rows: Vec<_> = sum_by(&parts, &[Group::Tier])
        .into_iter()
        .map(|(key, sums)| (key.tier, sums.requests, sums.cost.0, sums.unconfirmed_cost.0))
        .collect();
    assert_eq!(rows, [(None, 0, 530, 500), (Some(Tier::Standard), 1, 40, 0)]);
    let lines = ledger.view().charges(&answer).await.unwrap();
    let lines: Vec<_> = lines.iter().map(|line| (line.attempt, line.cost.0)).collect();
    assert_eq!(lines, [(0, 30), (1, 40)]);
}

#[rstest::rstest]
#[case("2026-11-01T00:00:00Z", 1)]
#[case("2026-11-19T10:07:13Z", 7)]
#[case("2026-11-19T10:07:13Z", 1_000)]
#[tokio::test]
async fn the_dearest_requests_are_found_by_their_quarters(#[case] since: &str, #[case] limit: u32) {
    let place = Place::at("2026-11-18T22:00:00Z");
    let requests = requests();
    let ledger = filled(&place, &requests).await;
    let period = period(since, "2026-11-22T00:00:00Z", &UTC);
    let mut costs: Vec<i64> = requests
        .iter()
        .filter(|one| one.started_at >= period.since && !one.cost.is_zero())
        .map(|one| one.cost.0)
        .collect();
    costs.sort_unstable_by_key(|cost| std::cmp::Reverse(*cost));
    costs.truncate(limit as usize);
    flush(&ledger).await;
    let found = ledger.view().dearest(period, limit).await.unwrap();
    assert_eq!(found.iter().map(|one| one.cost.0).collect::<Vec<_>>(), costs);
}

#[tokio::test]
async fn sums_of_one_key_leave_the_others_out() {
    let place = Place::at("2026-11-18T22:00:00Z");
    let requests = requests();
    let ledger = filled(&place, &requests).await;
    let period = period("2026-11-19T10:07:13Z", "2026-11-22T00:00:00Z", &UTC);
    let parts = ledger.usage(period, &[Group::Model], Some(&"ci".into())).await.unwrap();
    let own: Vec<&RequestRecord> = requests
        .iter()
        .filter(|one| one.key.as_str() == "ci" && one.started_at >= period.since)
        .collect();
    assert_eq!(total(&parts), added(&own));
}

#[tokio::test]
async fn a_request_is_found_by_the_beginning_of_its_id() {
    let place = Place::new();
    let ledger = place.open(no_limits()).await;
    let mut requests = [record(0), record(0)];
    for one in &mut requests {
        // As precise as the ledger is.
        one.started_at = window::moment(window::micros(crate::clock::SystemClock.now()));
        ledger.record(one.clone()).await;
    }
    flush(&ledger).await;
    let view = ledger.view();
    for one in &requests {
        for prefix in [one.id.as_str(), &one.id.as_str()[4..], &one.id.as_str()[..32]] {
            assert_eq!(view.find(prefix, 5).await.unwrap(), vec![one.clone()], "{prefix}");
        }
    }
    for none in ["req_", "", "xyz", "req_ffffffff", "'; DROP TABLE requests"] {
        assert_eq!(view.find(none, 5).await.unwrap(), vec![], "{none}");
    }
}

#[tokio::test]
async fn lists_are_narrowed_by_key_model_and_failure() {
    let place = Place::at("2026-11-18T22:00:00Z");
    let requests = requests();
    let ledger = filled(&place, &requests).await;
    flush(&ledger).await;
    let since = Timestamp::UNIX_EPOCH;
    let count = async |filter: RequestFilter| {
        ledger.view().filtered(since, &filter, 1_000).await.unwrap().len()
    };
    let expected = |holds: &dyn Fn(&&RequestRecord) -> bool| requests.iter().filter(holds).count();
    assert_eq!(count(RequestFilter::default()).await, 500);
    let key = RequestFilter { key: Some("ci".into()), ..RequestFilter::default() };
    assert_eq!(count(key).await, expected(&|one| one.key.as_str() == "ci"));
    let failed = RequestFilter { failed: true, ..RequestFilter::default() };
    assert_eq!(count(failed).await, expected(&|one| one.error.is_some()));
    let model = RequestFilter { model: Some("a/one".to_owned()), ..RequestFilter::default() };
    let is_one = |one: &&RequestRecord| one.model.as_ref().is_some_and(|m| m.as_str() == "a/one");
    assert_eq!(count(model).await, expected(&is_one));
    let asked = RequestFilter { model: Some("auto".to_owned()), ..RequestFilter::default() };
    assert_eq!(count(asked).await, 500);
}
