use serde_json::Value;

use super::*;

mod decode;

const CONVERSATIONS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/conversations/train.jsonl"));

struct Record {
    id: String,
    case: String,
    request: ChatRequest,
    instruction: Option<String>,
    side: bool,
    note: String,
    tier: String,
}

fn records() -> Vec<Record> {
    CONVERSATIONS
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            Record {
                id: text("id"),
                case: text("case"),
                request: decode::decode(&text("api"), &record["body"]),
                instruction: record["instruction"].as_str().map(str::to_owned),
                side: record["side"].as_bool().unwrap(),
                note: text("note"),
                tier: text("tier"),
            }
        })
        .collect()
}

fn share(found: usize, all: usize) -> f64 {
    f64::from(u32::try_from(found).unwrap()) / f64::from(u32::try_from(all).unwrap())
}

#[test]
fn the_humans_words_are_found_in_every_clients_envelope() {
    let records = records();
    let typed: Vec<&Record> = records.iter().filter(|record| !record.side).collect();
    let mut misses = 0;
    for record in &typed {
        let found = find_instruction(&record.request);
        if Some(found.text.trim()) != record.instruction.as_deref().map(str::trim) {
            misses += 1;
            println!(
                "{} ({}): found {:?}, wanted {:?}",
                record.id, record.case, found.text, record.instruction
            );
        }
    }
    assert!(share(typed.len() - misses, typed.len()) >= 0.95, "{misses} of {}", typed.len());
}

#[test]
fn requests_that_nobody_typed_are_told_apart() {
    let records = records();
    let mut misses = 0;
    for record in &records {
        let found = find_instruction(&record.request);
        let tier = found.side.map_or(record.tier.clone(), |tier| tier.to_string());
        if found.side.is_some() != record.side || tier != record.tier {
            misses += 1;
            println!(
                "{}: side {:?}, wanted {} {}",
                record.id, found.side, record.side, record.tier
            );
        }
    }
    assert!(share(records.len() - misses, records.len()) >= 0.95, "{misses}");
}

#[test]
fn agents_that_run_in_circles_are_noticed_and_others_are_not() {
    for record in records() {
        let found = find_instruction(&record.request);
        assert_eq!(found.escalate, record.case == "failing_loop", "{}: {}", record.id, record.note);
    }
}

#[test]
fn zz_continues() {
    for record in records() {
        let found = find_instruction(&record.request);
        if !found.continues.is_empty() || record.case == "context_dependent" {
            println!(
                "{} {} {} lean={} | {:?} <- {:?} | {}",
                record.id,
                record.case,
                record.tier,
                !found.continues.is_empty(),
                found.text,
                found.continues.last(),
                record.note
            );
        }
    }
}
