//! The direction of dependencies is tested, not hoped for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// From the outside to the leaves: a module may use those after it, never those before it.
const ORDER: &[&[&str]] = &[
    &["cli"],
    &["app"],
    &["server"],
    &["pipeline"],
    &["relay"],
    &["dispatch"],
    &["state"],
    &["config"],
    &["context"],
    &["conversation", "keys", "pull"],
    &["providers"],
    &["inference", "strategy"],
    &["telemetry"],
    &["report"],
    &["ledger"],
    &["limits"],
    &["store"],
    &["wire"],
    &["analyze"],
    &["catalog"],
    &["chat", "delta"],
    &["money", "clock", "ids"],
];

/// Crates that only these modules may name.
const CONFINED: &[(&str, &[&str])] = &[
    ("axum", &["server"]),
    ("reqwest", &["providers", "cli", "pull"]),
    ("sqlx", &["store"]),
    ("candle_core", &["inference"]),
    ("candle_nn", &["inference"]),
    ("candle_transformers", &["inference"]),
    ("tokenizers", &["inference"]),
    ("figment", &["config"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli"]),
];

/// Pure: they take values and `now`, and touch no I/O.
const PURE: &[&str] =
    &["chat", "wire", "analyze", "catalog", "strategy", "limits", "money", "report", "delta"];

/// Parts of other modules that are pure too.
const PURE_PARTS: &[&str] =
    &["compose", "fence", "imports", "index", "mentions", "rank", "seen", "symbols", "words"];

fn is_pure(module: &str, path: &Path) -> bool {
    let mut parts = path.components().filter_map(|part| part.as_os_str().to_str());
    let inside = parts.any(|part| part == "context")
        && parts.next().is_some_and(|part| PURE_PARTS.contains(&part.trim_end_matches(".rs")));
    PURE.contains(&module) || (module == "context" && inside)
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found
}

/// Every source file as (module, path, text without its tests).
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .filter(|path| {
            !path.ends_with("tests.rs") && !path.components().any(|c| c.as_os_str() == "tests")
        })
        .filter_map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let module = inside.iter().next()?.to_str()?.trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            (!matches!(module.as_str(), "lib" | "main" | "bin")).then_some((module, path, text))
        })
        .collect()
}

fn used_modules(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| {
            line.match_indices("crate::").map(|(at, _)| name(&line[at + 7..])).collect::<Vec<_>>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let rank: BTreeMap<&str, usize> = ORDER
        .iter()
        .enumerate()
        .flat_map(|(n, row)| row.iter().map(move |name| (*name, n)))
        .collect();
    let mut wrong = Vec::new();
    for (module, path, text) in modules() {
        let Some(own) = rank.get(module.as_str()) else {
            wrong.push(format!("{module} has no place in ORDER"));
            continue;
        };
        for used in used_modules(&text) {
            if used != module && rank.get(used.as_str()).is_none_or(|other| other <= own) {
                wrong.push(format!("{}: {module} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_foreign_crate_stays_in_its_module() {
    let mut wrong = Vec::new();
    for (module, path, text) in modules() {
        for (foreign, homes) in CONFINED {
            let names =
                text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
                    line.contains(&format!("{foreign}::"))
                        || line.contains(&format!("use {foreign};"))
                });
            if names && !homes.contains(&module.as_str()) {
                wrong.push(format!("{}: {foreign}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_modules_neither_wait_nor_read_the_world() {
    let mut wrong = Vec::new();
    for (module, path, text) in modules() {
        if !is_pure(&module, &path) {
            continue;
        }
        for forbidden in
            ["tokio::", "async fn", "std::fs", "std::env", "Instant::now", "Timestamp::now"]
        {
            if text
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(forbidden))
            {
                wrong.push(format!("{}: {forbidden}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_source_file_passes_six_hundred_lines() {
    let long: Vec<String> = modules()
        .into_iter()
        .map(|(_, path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > 600)
        .map(|(path, lines)| format!("{}: {lines}", path.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}
