use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::context::sample::{Sample, path};

fn shop() -> Sample {
    let mut sample = Sample::new([
        (
            "src/cart.rs",
            "use crate::money::Usd;\npub struct Cart;\npub fn add_row(cart: &mut Cart) {}\n",
        ),
        ("src/money.rs", "pub struct Usd(i64);\npub fn round_up(x: i64) {}\n"),
        ("src/list.rs", "use crate::cart::Cart;\nfn show(list: &[Cart]) {}\n"),
        ("src/net.rs", "fn fetch(url: &str) {}\n// retries with a backoff\n"),
        ("tests/net.rs", "fn fetch_retries_with_a_backoff() {}\n"),
        ("README.md", "A shop. It retries with a backoff.\n"),
        ("Cargo.lock", "backoff retries\n"),
        ("web/net.ts", "export function load() {}\n"),
    ]);
    sample.set([("src/list.rs", "use crate::cart::Cart;\nfn show(list: &[Cart]) { todo() }\n")]);
    sample
}

fn ranked(sample: &Sample, instruction: &str, conversation: &[&str]) -> Vec<Ranked> {
    rank(&sample.project, &Signals { instruction, conversation })
}

fn first(ranked: &[Ranked]) -> (&str, Why) {
    (ranked[0].path.as_str(), ranked[0].why)
}

fn place(ranked: &[Ranked], name: &str) -> usize {
    ranked.iter().position(|file| file.path == path(name)).unwrap_or(usize::MAX)
}

#[rstest]
#[case::path("why is src/money.rs slow", "src/money.rs", Why::Named)]
#[case::line("error in src/money.rs:12:3", "src/money.rs", Why::Named)]
#[case::mention("@src/money.rs explain", "src/money.rs", Why::Named)]
#[case::absolute("see /home/x/shop/src/money.rs", "src/money.rs", Why::Named)]
#[case::elsewhere("see /work/src/money.rs", "src/money.rs", Why::Named)]
#[case::name("explain money.rs", "src/money.rs", Why::Named)]
#[case::no_kind("what does cargo.lock say", "Cargo.lock", Why::Named)]
#[case::symbol("why does round_up not round", "src/money.rs", Why::Symbol)]
#[case::marked("what is `Usd`", "src/money.rs", Why::Symbol)]
fn what_the_instruction_names_comes_first(
    #[case] words: &str,
    #[case] name: &str,
    #[case] why: Why,
) {
    assert_eq!(first(&ranked(&shop(), words, &[])), (name, why));
}

#[test]
fn a_name_that_several_files_have_weighs_less_than_one_of_a_single_file() {
    let found = ranked(&shop(), "net.rs and money.rs", &[]);
    assert_eq!(first(&found), ("src/money.rs", Why::Named));
    assert!(place(&found, "src/net.rs") < 4 && place(&found, "tests/net.rs") < 4);
}

#[test]
fn reasons_have_their_order() {
    let mut sample = shop();
    sample.set([("web/net.ts", "export function load() { return 1 }\n")]);
    let found = ranked(&sample, "in src/money.rs as `show` does: backoff", &["I read src/net.rs"]);
    let order =
        ["src/money.rs", "src/list.rs", "src/net.rs", "web/net.ts", "src/cart.rs", "README.md"];
    let places: Vec<usize> = order.iter().map(|name| place(&found, name)).collect();
    assert!(places.is_sorted(), "{found:#?}");
    let why = |name: &str| found[place(&found, name)].why;
    assert_eq!(why("src/net.rs"), Why::Mentioned);
    assert_eq!(why("web/net.ts"), Why::Recent);
    assert_eq!(why("src/cart.rs"), Why::Related);
    assert_eq!(why("README.md"), Why::Near);
}

#[test]
fn tests_documents_and_locks_weigh_less_unless_asked_for() {
    let sample = shop();
    let found = ranked(&sample, "why are there no retries with backoff", &[]);
    let order = ["src/net.rs", "tests/net.rs", "README.md", "Cargo.lock"];
    let places: Vec<usize> = order.iter().map(|name| place(&found, name)).collect();
    assert!(places.is_sorted(), "{found:#?}");
    let found = ranked(&sample, "is there a test of retries with backoff", &[]);
    assert!(place(&found, "tests/net.rs") < place(&found, "src/net.rs"), "{found:#?}");
}

#[test]
fn what_was_named_later_weighs_more_and_a_listing_hardly() {
    let sample = shop();
    let found = ranked(&sample, "go on", &["read src/net.rs", "read src/cart.rs"]);
    assert!(place(&found, "src/net.rs") < place(&found, "src/cart.rs"));

    let names: Vec<String> = (0..30).map(|n| format!("src/f{n}.rs")).collect();
    let sample = Sample::new(names.iter().map(|name| (name.as_str(), "x")));
    let listing = names.join("\n");
    let found = ranked(&sample, "go on", &[&listing, "see src/f29.rs"]);
    assert!(found.iter().all(|file| file.score < 15.0), "{found:#?}");
    let found = ranked(&sample, "go on", &["see src/f29.rs", &listing]);
    assert_eq!(first(&found), ("src/f29.rs", Why::Mentioned));
    assert!(found[0].score > 2.0 * found[1].score);
}

#[test]
fn the_first_sync_and_a_change_of_branch_are_no_recent_work() {
    let names: Vec<String> = (0..80).map(|n| format!("src/f{n}.rs")).collect();
    let mut sample = Sample::new(names.iter().map(|name| (name.as_str(), "x")));
    assert!(ranked(&sample, "go on", &[]).is_empty());
    sample.set(names.iter().take(40).map(|name| (name.as_str(), "y")));
    assert!(ranked(&sample, "go on", &[]).is_empty());
    sample.set([("src/f70.rs", "z")]);
    let found = ranked(&sample, "go on", &[]);
    assert_eq!((first(&found), found.len()), (("src/f70.rs", Why::Recent), 1));
    sample.set(names.iter().map(|name| (name.as_str(), "all")));
    assert!(ranked(&sample, "go on", &[]).is_empty());
}

proptest! {
    #[test]
    fn a_ranking_is_in_order_and_names_each_file_once(words in "\\PC{0,80}", said in "\\PC{0,80}") {
        let sample = shop();
        let words = format!("{words} src/cart.rs");
        let found = ranked(&sample, &words, &[&said]);
        prop_assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
        let mut paths: Vec<_> = found.iter().map(|file| &file.path).collect();
        paths.sort();
        paths.dedup();
        prop_assert_eq!(paths.len(), found.len());
        prop_assert!(found.iter().all(|file| sample.project.files.contains_key(&file.path)));
    }
}
