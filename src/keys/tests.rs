//! What a key may ask for, how often, and how the router comes to know of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use secrecy::ExposeSecret;

use super::*;
use crate::catalog::tests::sample as catalog;
use crate::catalog::{Catalog, Resolution};
use crate::clock::{Clock, SystemClock};
use crate::ledger::open_beside;
use crate::store::Reader;

const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

fn key(grants: &Grants) -> ClientKey {
    let list = |names: &[String]| serde_json::to_string(names).unwrap();
    ClientKey::try_from(&KeyRow {
        id: "key_1".into(),
        name: "ci".into(),
        hash: vec![0; 32],
        prefix: "er-abcdef".into(),
        created_at: 0,
        revoked_at: None,
        daily: None,
        monthly: None,
        rpm: grants.rpm.map(Into::into),
        concurrent: grants.concurrent.map(Into::into),
        models: list(&grants.models),
        providers: list(&grants.providers),
        projects: list(&grants.projects),
        inject: grants.inject.map(|inject| <&str>::from(inject).to_owned()),
    })
    .unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn limited(models: &[&str], providers: &[&str]) -> ClientKey {
    let (models, providers) = (names(models), names(providers));
    key(&Grants { models, providers, ..Grants::default() })
}

/// The models that may serve when the key asks for this name; the error where it may not.
fn serving(key: &ClientKey, asked: &str, catalog: &Arc<Catalog>) -> Result<Vec<String>, String> {
    let (resolution, permit) = key
        .narrow(asked, catalog.resolve(asked, NOW), catalog, NOW)
        .map_err(|error| error.to_string())?;
    Ok(match resolution {
        Resolution::Models { targets, .. } => {
            targets.iter().map(|target| target.model.id.to_string()).collect()
        }
        Resolution::Auto(_) => {
            let all =
                catalog.models().iter().filter(|model| !model.is_gone(NOW) && permit.has(model));
            all.map(|model| model.id.to_string()).collect()
        }
        other => panic!("{other:?}"),
    })
}

#[rstest]
// what the list names may be asked for, by id or by wire name
#[case(&["a/mid"], &[], "a/mid", Some("a/mid"))]
#[case(&["only-here"], &[], "c/only-here", Some("c/only-here"))]
#[case(&["c/only-here"], &[], "only-here", Some("c/only-here"))]
#[case(&["a/mid"], &[], "a/strong", None)]
#[case(&["a/*"], &[], "a/strong", Some("a/strong"))]
#[case(&["a/*"], &[], "b/cheap", None)]
#[case(&["str*"], &[], "a/strong", Some("a/strong"))]
// an allowed alias lets its targets serve, but not be named
#[case(&["work"], &[], "work", Some("a/strong b/cheap"))]
#[case(&["work"], &[], "a/strong", None)]
#[case(&["work"], &[], "auto", Some("a/strong b/cheap"))]
#[case(&["work"], &[], "", Some("a/strong b/cheap"))]
#[case(&["work"], &[], "edge-router", Some("a/strong b/cheap"))]
#[case(&["w*"], &[], "work", Some("a/strong b/cheap"))]
// an alias that is not listed must not lead out of the list
#[case(&["b/cheap"], &[], "work", None)]
#[case(&["a/strong", "b/cheap"], &[], "work", Some("a/strong b/cheap"))]
#[case(&["cheap"], &[], "premium", None)]
// a built-in name opens its own models, not what it goes on to
#[case(&["cheap"], &[], "cheap", Some("home/small b/cheap b/mid"))]
#[case(&["cheap"], &[], "auto", Some("b/cheap b/mid home/small"))]
#[case(&["balanced"], &[], "auto", Some("a/mid"))]
#[case(&["premium"], &[], "auto", Some("a/strong a/mid"))]
#[case(&["cheap", "a/strong"], &[], "auto", Some("a/strong b/cheap b/mid home/small"))]
#[case(&["*"], &[], "premium", Some("a/strong a/mid"))]
// aliases that are globs
#[case(&["old-*"], &[], "old-name", Some("b/mid"))]
#[case(&["old-name"], &[], "old-name", Some("b/mid"))]
#[case(&["old-name"], &[], "old-other", None)]
// auto, as an entry and not
#[case(&["auto"], &["b"], "auto", Some("b/cheap b/mid"))]
#[case(&["auto"], &[], "a/strong", None)]
#[case(&["nothing-there"], &[], "auto", None)]
#[case(&["auto*"], &[], "auto", None)]
// providers
#[case(&[], &["home"], "auto", Some("home/small home/tiny"))]
#[case(&[], &["home"], "local", Some("home/small home/tiny"))]
#[case(&[], &["home"], "a/strong", None)]
#[case(&[], &["b", "home"], "work", Some("b/cheap"))]
#[case(&["work"], &["a"], "work", Some("a/strong"))]
#[case(&["work"], &["home"], "work", None)]
#[case(&["work"], &["home"], "auto", None)]
// no bounds
#[case(&[], &[], "work", Some("a/strong b/cheap"))]
fn a_key_asks_for_what_it_was_given_and_is_served_by_nothing_else(
    #[case] models: &[&str],
    #[case] providers: &[&str],
    #[case] asked: &str,
    #[case] expected: Option<&str>,
) {
    let served = serving(&limited(models, providers), asked, &catalog());
    match expected {
        Some(expected) => assert_eq!(served.unwrap().join(" "), expected),
        None => assert!(served.is_err(), "{served:?}"),
    }
}

#[test]
fn a_refusal_names_what_is_allowed() {
    let error = serving(&limited(&["work", "local"], &["b"]), "a/strong", &catalog()).unwrap_err();
    assert_eq!(error, "The key `ci` may not use `a/strong`; it may use: work, local, at: b.");
    let error = serving(&limited(&[], &["home"]), "a/strong", &catalog()).unwrap_err();
    assert_eq!(error, "The key `ci` may not use `a/strong`; it may use the models of: home.");
}

#[test]
fn near_names_are_only_those_that_the_key_may_use() {
    let (catalog, key) = (catalog(), limited(&["b/*"], &[]));
    let (resolution, _) = key.narrow("mit", catalog.resolve("mit", NOW), &catalog, NOW).unwrap();
    let Resolution::Unknown { nearest } = resolution else { panic!("{resolution:?}") };
    assert_eq!(nearest, ["b/mid"]);
}

#[test]
fn another_catalogue_is_looked_at_anew() {
    let key = limited(&["local"], &[]);
    let before = catalog();
    assert_eq!(serving(&key, "local", &before).unwrap().len(), 2);
    let found = crate::catalog::tests::model("home/new", crate::catalog::Tier::Deep, 0);
    let after = Arc::new(before.with_models(vec![found]));
    assert_eq!(serving(&key, "auto", &after).unwrap().len(), 3);
}

#[rstest]
#[case(&[], None, Ok(None))]
#[case(&[], Some("any"), Ok(Some("any")))]
#[case(&["shop"], None, Ok(Some("shop")))]
#[case(&["shop"], Some("shop"), Ok(Some("shop")))]
#[case(&["shop"], Some("bank"), Err("shop"))]
#[case(&["shop", "blog"], None, Ok(None))]
#[case(&["shop", "blog"], Some("blog"), Ok(Some("blog")))]
fn a_project_is_one_of_the_key_s_and_its_only_one_need_not_be_named(
    #[case] projects: &[&str],
    #[case] asked: Option<&str>,
    #[case] expected: Result<Option<&str>, &str>,
) {
    let key = key(&Grants { projects: names(projects), ..Grants::default() });
    match (key.project(asked.map(str::to_owned)), expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), expected),
        (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_beyond_the_minute_s_number_are_told_when_to_come_again() {
    let key = key(&Grants { rpm: Some(2), ..Grants::default() });
    let now = Timestamp::from_second(1_000_000).unwrap();
    drop(key.enter(now).unwrap());
    drop(key.enter(now).unwrap());
    let error = key.enter(now).unwrap_err();
    assert!(error.to_string().contains("2 requests a minute"), "{error}");
    assert!(error.retry_after() > Duration::from_secs(59), "{error:?}");
    assert!(key.enter(now + Duration::from_secs(62)).is_ok());
}

#[test]
fn a_seat_is_free_again_when_its_request_has_ended() {
    let key = key(&Grants { concurrent: Some(2), rpm: Some(3), ..Grants::default() });
    let now = Timestamp::from_second(1_000_000).unwrap();
    let (one, _two) = (key.enter(now).unwrap(), key.enter(now).unwrap());
    for _ in 0..5 {
        assert!(matches!(key.enter(now), Err(Throttled::TooMany { most: 2, .. })));
    }
    drop(one);
    let _three = key.enter(now).expect("what was refused a seat was not counted for the minute");
}

struct Place {
    dir: tempfile::TempDir,
    directory: Directory,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        open_beside(&path).await.unwrap().close().await.unwrap();
        let directory = Directory::open(Reader::new(&path)).await;
        Self { dir, directory }
    }

    async fn issue(&self, name: &str) -> String {
        let mut store = open_beside(&self.dir.path().join("ledger.sqlite")).await.unwrap();
        let grants = Grants { name: name.to_owned(), rpm: Some(1), ..Grants::default() };
        let (_, secret) = issue(&mut store, &grants, SystemClock.now()).await.unwrap();
        secret.expose_secret().to_owned()
    }

    async fn revoke(&self, name: &str) -> bool {
        let mut store = open_beside(&self.dir.path().join("ledger.sqlite")).await.unwrap();
        revoke(&mut store, name, SystemClock.now()).await.unwrap()
    }

    fn find(&self, secret: &str) -> Option<Found> {
        self.directory.current().find(&digest(secret.as_bytes()))
    }
}

#[tokio::test]
async fn keys_that_others_make_or_revoke_are_seen_at_the_next_look() {
    let place = Place::new().await;
    assert!(!place.directory.current().any());
    let secret = place.issue("ci").await;
    assert!(place.find(&secret).is_none());
    place.directory.refresh().await;
    let Some(Found::Live(key)) = place.find(&secret) else { panic!("not found") };
    assert_eq!((key.name(), key.prefix.as_str()), ("ci", &secret[..9]));
    assert!(place.find("er-other").is_none());
    assert!(place.revoke("ci").await);
    assert!(!place.revoke("ci").await, "once is enough");
    place.directory.refresh().await;
    assert!(matches!(place.find(&secret), Some(Found::Revoked)));
    let keys = place.directory.current();
    assert_eq!((keys.live().count(), keys.any()), (0, true));
}

#[tokio::test]
async fn a_look_that_another_key_causes_forgets_nothing_that_was_counted() {
    let place = Place::new().await;
    let secret = place.issue("ci").await;
    place.directory.refresh().await;
    let Some(Found::Live(before)) = place.find(&secret) else { panic!("not found") };
    let now = SystemClock.now();
    drop(before.enter(now).unwrap());
    place.issue("other").await;
    place.directory.refresh().await;
    let Some(Found::Live(after)) = place.find(&secret) else { panic!("not found") };
    assert!(after.enter(now).is_err());
}

#[tokio::test]
async fn a_key_that_is_made_right_after_a_look_is_found_by_its_first_request() {
    let place = Place::new().await;
    place.directory.look_again(&SystemClock, |_| false).await;
    let secret = place.issue("ci").await;
    place.directory.look_again(&SystemClock, |_| false).await;
    assert!(place.find(&secret).is_some());
}

#[tokio::test]
async fn one_look_serves_all_who_sent_unknown_keys_meanwhile() {
    let place = Place::new().await;
    let begun = SystemClock.instant();
    let looks = (0..50).map(|_| place.directory.look_again(&SystemClock, |_| false));
    futures_util::future::join_all(looks).await;
    assert!(SystemClock.instant() - begun < Duration::from_secs(2), "not fifty times a tenth");
    let secret = place.issue("ci").await;
    place.directory.refresh().await;
    let begun = SystemClock.instant();
    let known = |keys: &Keys| keys.find(&digest(secret.as_bytes())).is_some();
    place.directory.look_again(&SystemClock, known).await;
    assert!(SystemClock.instant() - begun < Duration::from_millis(90), "known is known");
}

#[tokio::test]
async fn a_name_is_taken_by_one_live_key_at_a_time() {
    let place = Place::new().await;
    let first = place.issue("ci").await;
    let mut store = open_beside(&place.dir.path().join("ledger.sqlite")).await.unwrap();
    let grants = Grants { name: "ci".to_owned(), ..Grants::default() };
    let error = issue(&mut store, &grants, SystemClock.now()).await.unwrap_err();
    assert!(matches!(error, IssueError::NameTaken(_)), "{error:?}");
    assert!(place.revoke("ci").await);
    let (second, _) = issue(&mut store, &grants, SystemClock.now()).await.unwrap();
    place.directory.refresh().await;
    let keys = place.directory.current();
    assert_eq!(keys.named("ci").unwrap().id, second.id, "the live one is meant");
    assert!(matches!(place.find(&first), Some(Found::Revoked)));
}

#[tokio::test]
async fn the_secret_is_nowhere_in_the_file() {
    let place = Place::new().await;
    let secret = place.issue("ci").await;
    for entry in std::fs::read_dir(place.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(20).any(|window| window == &secret.as_bytes()[3..23]);
            assert!(!found, "{}", path.display());
        }
    }
}
