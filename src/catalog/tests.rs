//! What names mean.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::money::PerMTok;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A chat model of `provider/name` for tests; `dollars` is the input price per million tokens, the
/// output costs four times as much.
pub(crate) fn model(id: &str, tier: Tier, dollars: i64) -> Model {
    let (provider, upstream) = id.split_once('/').expect("provider/name");
    let input = PerMTok(dollars * 1_000_000_000);
    let rates = Rates {
        input,
        output: PerMTok(input.0 * 4),
        cache_read: input,
        cache_write: input,
        cache_write_1h: input,
        audio_input: input,
        ..Rates::default()
    };
    Model {
        id: id.into(),
        provider: provider.into(),
        upstream: upstream.to_owned(),
        max_tier: tier,
        price: Some(Price { base: rates, ..Price::default() }),
        context_window: 100_000,
        max_output_tokens: 8000,
        capabilities: [Capability::Chat, Capability::Tools].into_iter().collect(),
        rules: ParamRules::default(),
        local: dollars == 0,
        active: true,
        retires: None,
        replacement: None,
    }
}

fn alias(pattern: &str, targets: &[&str]) -> Alias {
    let target = |name: &&str| AliasTarget { name: (*name).to_owned(), weight: 1 };
    Alias {
        pattern: pattern.to_owned(),
        strategy: AliasStrategy::Ordered,
        targets: targets.iter().map(target).collect(),
        fallbacks: Vec::new(),
    }
}

fn parts(aliases: Vec<Alias>) -> CatalogParts {
    let mut small = model("home/small", Tier::Operational, 0);
    small.context_window = 32_000;
    let mut gone = model("a/old", Tier::Deep, 9);
    gone.active = false;
    gone.replacement = Some("a/strong".to_owned());
    let mut embedding = model("a/embed", Tier::Trivial, 1);
    embedding.capabilities = Capabilities::NONE.with(Capability::Embeddings);
    let models = vec![
        model("a/strong", Tier::Deep, 10),
        model("a/mid", Tier::Complex, 3),
        model("b/cheap", Tier::Operational, 1),
        model("b/mid", Tier::Standard, 2),
        model("c/only-here", Tier::Standard, 1),
        small,
        model("home/tiny", Tier::Trivial, 0),
        gone,
        embedding,
    ];
    CatalogParts {
        models,
        aliases,
        offered: ["a", "b", "home"].map(ProviderId::from).into_iter().collect(),
        discovering: ["home"].map(ProviderId::from).into_iter().collect(),
        known: vec![model("home/gemma", Tier::Trivial, 0)],
    }
}

fn catalog(aliases: Vec<Alias>) -> Catalog {
    Catalog::build(parts(aliases)).expect("a valid catalogue")
}

/// The catalogue above with an alias and an alias that is a glob.
pub(crate) fn sample() -> std::sync::Arc<Catalog> {
    let aliases = vec![alias("work", &["a/strong", "b/cheap"]), alias("old-*", &["b/mid"])];
    std::sync::Arc::new(catalog(aliases))
}

/// What a name means, in a form that is easy to compare.
fn meaning(catalog: &Catalog, name: &str) -> String {
    match catalog.resolve(name, NOW) {
        Resolution::Auto(None) => "auto".to_owned(),
        Resolution::Auto(Some(tier)) => format!("auto:{tier}"),
        Resolution::Models { targets, .. } => {
            let mark = |t: &Target| format!("{}{}", t.model.id, if t.fallback { "?" } else { "" });
            targets.iter().map(mark).collect::<Vec<_>>().join(" ")
        }
        Resolution::Removed(Gone { id, replacement, .. }) => format!("{id} gone, {replacement:?}"),
        Resolution::Unknown { nearest } => format!("unknown: {}", nearest.join(" ")),
    }
}

#[rstest]
#[case("", "auto")]
#[case("auto", "auto")]
#[case("edge-router", "auto")]
#[case("auto:deep", "auto:deep")]
#[case("a/mid", "a/mid")]
#[case("strong", "a/strong")]
#[case("only-here", "c/only-here")]
#[case("c/only-here", "c/only-here")]
#[case("mid", "unknown: a/mid b/mid")]
#[case("a/old", "a/old gone, Some(\"a/strong\")")]
#[case("old", "a/old gone, Some(\"a/strong\")")]
#[case("local", "home/small home/tiny")]
#[case("free", "home/small home/tiny")]
#[case("cheap", "home/small b/cheap b/mid a/mid a/strong")]
#[case("balanced", "a/mid a/strong")]
#[case("premium", "a/strong a/mid")]
fn a_name_means(#[case] name: &str, #[case] expected: &str) {
    assert_eq!(meaning(&catalog(Vec::new()), name), expected);
}

#[rstest]
#[case("work", "a/strong b/cheap")]
#[case("claude-haiku-4", "b/cheap")]
#[case("claude-opus", "a/strong")]
#[case("nested", "a/mid a/strong b/cheap")]
#[case("cheap", "b/mid")]
#[case("routed", "auto:complex")]
#[case("via", "auto:complex")]
#[case("first-named", "a/mid home/small? home/tiny? b/cheap? b/mid? a/strong?")]
#[case("later", "a/mid")]
#[case("relic", "a/old gone, Some(\"a/strong\")")]
#[case("cheap-haiku", "b/cheap")]
fn an_alias_leads_to(#[case] name: &str, #[case] expected: &str) {
    let catalog = catalog(vec![
        alias("work", &["a/strong", "b/cheap"]),
        alias("*haiku*", &["b/cheap"]),
        alias("claude-*", &["a/strong"]),
        alias("nested", &["a/mid", "work", "a/mid"]),
        alias("cheap", &["b/mid"]),
        alias("routed", &["auto:complex", "local"]),
        alias("via", &["routed"]),
        alias("first-named", &["a/mid", "auto"]),
        alias("later", &["home/not-there-yet", "a/mid"]),
        alias("relic", &["a/old"]),
    ]);
    assert_eq!(meaning(&catalog, name), expected);
}

/// The catalogue of [`parts`] in which `a/mid` ends at `NOW`, and its replacement later.
fn ending(aliases: Vec<Alias>) -> Catalog {
    let mut parts = parts(aliases);
    for model in &mut parts.models {
        let next = match model.id.as_str() {
            "a/mid" => "b/mid",
            "b/mid" => "a/strong",
            _ => continue,
        };
        model.replacement = Some(next.to_owned());
        let later = if next == "b/mid" { 0 } else { 86_400 };
        model.retires = Some(Timestamp::from_second(later).expect("a moment"));
    }
    Catalog::build(parts).expect("a valid catalogue")
}

#[test]
fn a_model_past_its_last_day_is_refused_by_name_with_what_to_use() {
    let catalog = ending(Vec::new());
    let told = |second: i64| match catalog
        .resolve("a/mid", Timestamp::from_second(second).expect("a moment"))
    {
        Resolution::Removed(gone) => gone.to_string(),
        other => format!("{other:?}"),
    };
    assert!(told(-1).starts_with("Models"), "{}", told(-1));
    assert_eq!(told(0), "`a/mid` was shut down on 1970-01-01; use `b/mid`");
    let next = "`a/mid` was shut down on 1970-01-01; use `a/strong`";
    assert_eq!(told(86_400), next, "the replacement ended as well, and has one of its own");
}

#[test]
fn aliases_and_shelves_skip_what_has_ended() {
    let catalog = ending(vec![alias("work", &["a/mid", "b/cheap"]), alias("relic", &["a/mid"])]);
    assert_eq!(meaning(&catalog, "work"), "b/cheap");
    assert_eq!(meaning(&catalog, "relic"), "a/mid gone, Some(\"b/mid\")");
    assert_eq!(meaning(&catalog, "balanced"), "a/strong");
    assert_eq!(meaning(&catalog, "mid"), "b/mid", "the wire name means the one that is left");
    assert!(catalog.listing(NOW, &|_| true).iter().all(|entry| entry.name != "a/mid"));
}

#[test]
fn replacements_that_name_each_other_do_not_go_round_for_ever() {
    let mut parts = parts(Vec::new());
    for (id, next) in [("a/mid", "b/mid"), ("b/mid", "a/mid")] {
        let model = parts.models.iter_mut().find(|model| model.id.as_str() == id).expect("one");
        model.active = false;
        model.replacement = Some(next.to_owned());
    }
    let catalog = Catalog::build(parts).expect("a valid catalogue");
    assert_eq!(meaning(&catalog, "a/mid"), "a/mid gone, None");
}

#[test]
fn a_glob_may_name_a_model_that_it_matches_itself() {
    let catalog = catalog(vec![alias("*cheap*", &["b/cheap"])]);
    assert_eq!(meaning(&catalog, "very-cheap-model"), "b/cheap");
    assert_eq!(meaning(&catalog, "cheap"), meaning(&self::catalog(Vec::new()), "cheap"));
}

#[test]
fn overriding_auto_overrides_the_absent_name_too() {
    let catalog = catalog(vec![alias("auto", &["b/cheap"])]);
    for name in ["auto", "", "edge-router"] {
        assert_eq!(meaning(&catalog, name), "b/cheap");
    }
}

#[test]
fn fallbacks_of_an_alias_come_after_every_target() {
    let mut first = alias("first", &["a/mid"]);
    first.fallbacks = vec![AliasTarget { name: "local".to_owned(), weight: 1 }];
    let catalog = catalog(vec![first, alias("both", &["first", "b/cheap"])]);
    assert_eq!(meaning(&catalog, "both"), "a/mid b/cheap home/small? home/tiny?");
}

#[test]
fn weights_multiply_along_the_way() {
    let mut inner = alias("inner", &["a/mid"]);
    inner.targets[0].weight = 3;
    let mut outer = alias("outer", &["inner", "b/cheap"]);
    outer.targets[0].weight = 2;
    let Resolution::Models { targets, .. } = catalog(vec![inner, outer]).resolve("outer", NOW)
    else {
        panic!("models");
    };
    assert_eq!(targets.iter().map(|target| target.weight).collect::<Vec<_>>(), [6, 1]);
}

#[rstest]
#[case(vec![alias("x", &["a/strnog"])], "no model or alias is called `a/strnog`; the nearest names are a/strong")]
#[case(vec![alias("x", &["mid"])], "`mid` is the name of several models, write one of: a/mid, b/mid")]
#[case(vec![alias("x", &["x"])], "leads in a circle: x -> x")]
#[case(vec![alias("x", &["y"]), alias("y", &["a/mid", "x"])], "leads in a circle: x -> y -> x")]
#[case(vec![alias("x", &[])], "has no targets")]
#[case(vec![alias("x[", &["a/mid"])], "not a usable glob")]
fn an_alias_that_leads_nowhere_is_refused(#[case] aliases: Vec<Alias>, #[case] expected: &str) {
    let problems = Catalog::build(parts(aliases)).expect_err("a problem");
    let text = problems[0].kind.to_string();
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_circle_beside_the_way_does_not_hang() {
    let aliases = vec![alias("x", &["y"]), alias("y", &["z"]), alias("z", &["y"])];
    assert!(Catalog::build(parts(aliases)).is_err());
}

#[test]
fn near_names_are_offered() {
    let catalog = catalog(Vec::new());
    assert!(meaning(&catalog, "a/stron").starts_with("unknown: a/strong"));
    assert!(meaning(&catalog, "chaep").contains("cheap"));
    assert_eq!(meaning(&catalog, "zzzzzzzzzzzz"), "unknown: ");
}

#[test]
fn the_list_shows_auto_and_aliases_with_the_smallest_window() {
    let listing = catalog(vec![alias("work", &["a/mid", "home/small"])]).listing(NOW, &|_| true);
    let window = |name: &str| {
        let entry = listing.iter().find(|entry| entry.name == name).expect("listed");
        (entry.model.is_some(), entry.context_window)
    };
    assert_eq!(listing[0].name, "auto");
    assert_eq!(window("auto"), (false, Some(32_000)));
    assert_eq!(window("work"), (false, Some(32_000)));
    assert_eq!(window("balanced"), (false, Some(100_000)));
    assert_eq!(window("a/mid"), (true, Some(100_000)));
    assert!(listing.iter().all(|entry| entry.name != "a/old"));
}

#[test]
fn models_found_while_running_join_and_do_not_replace_configured_ones() {
    let catalog = catalog(vec![alias("later", &["home/new"])]);
    let mut changed = model("home/small", Tier::Deep, 0);
    changed.context_window = 1;
    let found = vec![model("home/new", Tier::Trivial, 0), changed];
    let more = catalog.with_models(found);
    assert_eq!(meaning(&more, "later"), "home/new");
    assert_eq!(more.get("home/small").map(|model| model.context_window), Some(32_000));
    assert_eq!(more.models().len(), catalog.models().len() + 1);
    assert!(catalog.known_local("home", "gemma:latest").is_some());
    assert!(catalog.get("home/gemma").is_none());
}

proptest! {
    #[test]
    fn every_name_has_a_meaning(name in ".{0,24}") {
        let catalog = catalog(vec![alias("claude-*", &["a/mid"])]);
        catalog.resolve(&name, NOW);
        catalog.nearest(&name, NOW);
    }

    #[test]
    fn no_model_stands_twice_behind_a_name(picks in proptest::collection::vec(0_usize..9, 1..12)) {
        let names = ["a/strong", "a/mid", "b/cheap", "local", "cheap", "premium", "base", "auto", "b/mid"];
        let targets: Vec<_> = picks.iter().map(|pick| names[*pick]).collect();
        let catalog = catalog(vec![alias("base", &["b/cheap", "a/mid"]), alias("x", &targets)]);
        if let Resolution::Models { targets, .. } = catalog.resolve("x", NOW) {
            let ids: HashSet<_> = targets.iter().map(|target| target.model.id.clone()).collect();
            prop_assert_eq!(ids.len(), targets.len());
            prop_assert!(targets.is_sorted_by_key(|target| target.fallback));
        }
    }
}
