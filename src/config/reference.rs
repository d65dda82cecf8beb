//! The reference of the configuration as a Markdown page, made from the schema, so that it cannot say
//! anything else than the program does.

use std::fmt::Write;

use serde_json::{Map, Value};

const INTRODUCTION: &str = include_str!("reference/introduction.md");

/// The tables of the schema in the order of the page, each with its heading.
const TABLES: [(&str, &str); 18] = [
    ("RawServer", "## `[server]`"),
    ("RawCatalog", "## `[catalog]`"),
    ("RawBudget", "## `[budget]`"),
    ("RawRouting", "## `[routing]`"),
    ("RawContext", "## `[context]`"),
    ("RawReport", "## `[report]`"),
    ("RawNetwork", "## `[network]`"),
    ("RawClassifier", "## `[classifier]`"),
    ("RawProvider", "## `[[providers]]`"),
    ("RawModel", "## `[[models]]`"),
    ("RawLongContext", "### `long_context` of a model: a list of these"),
    ("RawScheduledPrice", "### `scheduled_prices` of a model: a list of these"),
    ("RawTimeOfDay", "### `time_of_day` of a model"),
    (
        "RawRates",
        "### `price` of a model, a class of its `service_tiers`, `off_peak` of `time_of_day`",
    ),
    ("RawAlias", "## `[aliases]`"),
    ("AliasTable", "### An alias as a table"),
    ("TargetTable", "### A target as a table"),
    ("RawLimit", "## `[[limits]]`"),
];

/// Every key with its type, default and meaning.
pub fn reference() -> String {
    let schema = super::long_names();
    let mut out = INTRODUCTION.to_owned();
    for (name, heading) in TABLES {
        let table = &schema["$defs"][name];
        let _ = write!(out, "\n{heading}\n\n");
        let about = text(table);
        if !about.is_empty() {
            let _ = write!(out, "{about}\n\n");
        }
        if let Some(keys) = table["properties"].as_object() {
            out += &rows(keys, &schema);
        }
    }
    out
}

fn rows(keys: &Map<String, Value>, schema: &Value) -> String {
    let mut out = "| key | type | default | meaning |\n|---|---|---|---|\n".to_owned();
    for (key, value) in keys {
        let (meaning, default) = split_default(&text(value));
        let default = default.map_or_else(String::new, |default| shown_default(&default));
        let kind = kind(value, schema);
        let _ = writeln!(
            out,
            "| `{key}` | {} | {} | {} |",
            cell(&kind),
            cell(&default),
            cell(&meaning)
        );
    }
    out
}

/// The description on one line.
fn text(value: &Value) -> String {
    value["description"]
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// A description ends with its default: `Default 5.` is a value, `Default: as above.` words.
fn split_default(text: &str) -> (String, Option<String>) {
    match text.rfind("Default") {
        None => (text.to_owned(), None),
        Some(at) => {
            let default = text[at + "Default".len()..].trim_end_matches('.').to_owned();
            (text[..at].trim_end().to_owned(), Some(default))
        }
    }
}

fn shown_default(default: &str) -> String {
    if let Some(words) = default.strip_prefix(": ") {
        return words.to_owned();
    }
    let default = default.trim_start();
    match default.split_once([' ', ',']) {
        // A value and what else holds.
        Some((value, rest)) if !value.starts_with('[') => {
            format!("`{value}` {}", rest.trim_start())
        }
        _ => format!("`{default}`"),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A type in words.
fn kind(value: &Value, schema: &Value) -> String {
    if let Some(name) = value["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return named(name, &schema["$defs"][name]);
    }
    if let Some(first) = value["anyOf"].as_array().and_then(|kinds| kinds.first()) {
        return kind(first, schema);
    }
    let name = match &value["type"] {
        Value::Array(names) => names.first().and_then(Value::as_str),
        other => other.as_str(),
    };
    match name {
        Some("array") if value["items"]["type"] == "array" => "list of lists".to_owned(),
        Some("array") => format!("list of {}", kind(&value["items"], schema)),
        Some("integer") => "whole number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("string") => "text".to_owned(),
        Some("object") => "table".to_owned(),
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    }
}

fn named(name: &str, definition: &Value) -> String {
    let constant = |one: &Value| Some(format!("`{}`", one["const"].as_str()?));
    let plain = |one: &Value| Some(format!("`{}`", one.as_str()?));
    let choices: Option<Vec<String>> = match (&definition["enum"], &definition["oneOf"]) {
        (Value::Array(names), _) => names.iter().map(plain).collect(),
        (_, Value::Array(names)) => names.iter().map(constant).collect(),
        _ => None,
    };
    match (choices, name) {
        (Some(choices), _) => choices.join(" | "),
        (None, "Usd") => "USD".to_owned(),
        (None, "RawTarget") => "names or tables".to_owned(),
        (None, _) => "table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, load_text};

    fn tables() -> Map<String, Value> {
        let schema = super::super::long_names();
        let all = schema["$defs"].as_object().unwrap().clone();
        all.into_iter().filter(|(_, table)| table["properties"].is_object()).collect()
    }

    #[test]
    fn the_published_page_is_that_of_the_program() {
        let published = include_str!("../../docs/configuration.md");
        let command = "edge-router schema --markdown > docs/configuration.md";
        assert_eq!(published.trim_end(), reference().trim_end(), "run: {command}");
    }

    #[test]
    fn every_table_is_on_the_page_and_every_key_has_a_meaning() {
        for (name, table) in tables() {
            assert!(TABLES.iter().any(|(known, _)| *known == name), "{name}");
            for (key, value) in table["properties"].as_object().unwrap() {
                assert!(!text(value).is_empty(), "{name}.{key} has no description");
            }
        }
    }

    #[test]
    fn the_documented_defaults_are_those_that_hold() {
        let around = Environment::new("/w", [("HOME", "/h")]);
        let read = |text: &str| {
            let config = load_text(text, &around).unwrap_or_else(|errors| panic!("{errors}"));
            let Config { server, budget, routing, context, report, network, classifier, .. } =
                config;
            format!("{server:?}{budget:?}{routing:?}{context:?}{report:?}{network:?}{classifier:?}")
        };
        let (plain, mut checked) = (read(""), 0);
        let sections = TABLES
            .iter()
            .filter(|(_, heading)| heading.starts_with("## `[") && !heading.contains("[["));
        for (name, heading) in sections.filter(|(name, _)| *name != "RawAlias") {
            let section = heading.trim_start_matches("## `[").trim_end_matches("]`");
            for (key, value) in tables()[*name]["properties"].as_object().unwrap() {
                let Some(default) = split_default(&text(value)).1 else { continue };
                let Some(default) = default.strip_prefix(' ') else { continue };
                let is_text = kind(value, &super::super::long_names()).starts_with(['t', '`'])
                    && !["true", "false", "\"\""].contains(&default);
                let default = if is_text { format!("\"{default}\"") } else { default.to_owned() };
                let line = format!("{section}.{key} = {default}\n");
                assert_eq!(read(&line), plain, "{line}");
                checked += 1;
            }
        }
        assert!(checked > 20, "only {checked} defaults were found");
    }

    #[test]
    fn the_example_shows_every_key() {
        let example = include_str!("../../config.example.toml");
        // Keys that only make records of the facts file acceptable.
        let records = ["currency", "unit", "applies_to", "base_price_is", "batch", "service_tiers"];
        for (name, table) in tables() {
            for key in table["properties"].as_object().unwrap().keys() {
                if records.contains(&key.as_str()) || (name == "RawTimeOfDay" && key == "timezone")
                {
                    continue;
                }
                let shown =
                    example.contains(&format!("{key} =")) || example.contains(&format!(".{key}]"));
                assert!(shown, "config.example.toml does not show {name}.{key}");
            }
        }
    }

    #[test]
    fn a_default_is_a_value_or_words() {
        assert_eq!(split_default("Most. Default 5."), ("Most.".to_owned(), Some(" 5".to_owned())));
        assert_eq!(shown_default(" 5"), "`5`");
        assert_eq!(shown_default(" 60 (ollama 300)"), "`60` (ollama 300)");
        assert_eq!(shown_default(": the input price"), "the input price");
    }
}
