//! Requests of real clients (`tests/fixtures/recorded/`): each has to be read exactly.

use std::path::Path;

use serde_json::Value;

use super::{decoded, find_instruction};

struct Recorded {
    id: String,
    api: String,
    body: Value,
    instruction: Option<String>,
}

fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recorded");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let mut record: Value = serde_json::from_str(line).unwrap();
            let instruction = record["instruction"].as_str().map(str::to_owned);
            assert_eq!(instruction.is_none(), record["side_request"].as_bool().unwrap());
            found.push(Recorded {
                id: record["id"].as_str().unwrap().to_owned(),
                api: record["api"].as_str().unwrap().to_owned(),
                body: record["body"].take(),
                instruction,
            });
        }
    }
    found
}

#[test]
fn every_recorded_request_gives_exactly_what_was_typed() {
    let records = recorded();
    assert!(records.len() > 100, "{}", records.len());
    let mut misses = Vec::new();
    for record in &records {
        let found = find_instruction(&decoded(&record.api, &record.body));
        let typed = found.side.is_none().then(|| found.text.trim().to_owned());
        if typed.as_deref() != record.instruction.as_deref().map(str::trim) {
            misses.push(format!("{}: found {typed:?}, wanted {:?}", record.id, record.instruction));
        }
    }
    assert!(misses.is_empty(), "{} of {}:\n{}", misses.len(), records.len(), misses.join("\n"));
}

#[test]
fn no_ordinary_session_counts_as_a_loop() {
    let loops: Vec<_> = recorded()
        .into_iter()
        .filter(|record| find_instruction(&decoded(&record.api, &record.body)).escalate)
        .map(|record| record.id)
        .collect();
    assert!(loops.is_empty(), "{loops:?}");
}
