//! Whole requests of real clients' forms, through the socket: the tier that they are routed by.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{TestRouter, Upstream};

/// A little below what the model and the rules reach together on these requests.
const LEAST: f64 = 0.87;

#[tokio::test]
async fn labelled_conversations_are_routed_by_the_tier_of_their_work() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&crate::openai::one_provider(&upstream)).await;
    let records = include_str!("../fixtures/conversations/train.jsonl");
    let mut cases: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    let (mut right, mut all) = (0_u32, 0_u32);
    for line in records.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let path = format!("/v1/route?api={}", record["api"].as_str().unwrap());
        let answer = router.post(&path, &record["body"]).send().await.unwrap();
        let route: Value = answer.json().await.unwrap();
        let hit = route["tier"] == record["tier"];
        let count = cases.entry(record["case"].as_str().unwrap().to_owned()).or_default();
        count[0] += u32::from(hit);
        count[1] += 1;
        right += u32::from(hit);
        all += 1;
        if !hit {
            println!(
                "{} {}: {} ({}) instead of {}: {}; {}",
                record["id"],
                record["case"],
                route["tier"],
                route["source"],
                record["tier"],
                record["instruction"],
                record["note"]
            );
        }
    }
    for (case, [right, all]) in cases {
        println!("{case}: {right} of {all}");
    }
    println!("all: {right} of {all}");
    assert!(f64::from(right) / f64::from(all) >= LEAST, "{right} of {all}");
}
