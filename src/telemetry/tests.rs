use super::*;
use crate::analyze::Source;
use crate::chat::Usage;

#[test]
fn setting_up_twice_in_one_process_works() {
    setup("info", LogFormat::Text);
    setup("nonsense=[", LogFormat::Json);
    counter!("edge_router_test_total").increment(2);
    assert!(recorder().render().contains("edge_router_test_total 2"));
}

#[test]
fn a_finished_request_is_counted_with_tokens_and_cost() {
    recorder();
    request_finished(&RequestRecord {
        id: "req_1".into(),
        key: "local".into(),
        project: None,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        elapsed: Duration::from_millis(20),
        first_byte: Some(Duration::from_millis(5)),
        asked_model: "auto".to_owned(),
        model: Some("test/counted".into()),
        tier: Some(Tier::Standard),
        tier_source: Some(Source::Classifier),
        confidence: 0.9,
        reason: String::new(),
        stream: false,
        status: 200,
        error: None,
        fallback_index: 1,
        attempts: "[]".to_owned(),
        usage: Usage { input: 10, output: 7, reasoning: 3, ..Usage::default() },
        estimated: true,
        cost: NanoUsd(45_000),
        receipt: None,
        context_tokens: 0,
    });
    let text = recorder().render();
    for line in [
        "edge_router_tokens_total{model=\"test/counted\",kind=\"input\"} 10",
        "edge_router_tokens_total{model=\"test/counted\",kind=\"output\"} 4",
        "edge_router_tokens_total{model=\"test/counted\",kind=\"reasoning\"} 3",
        "edge_router_cost_nano_usd_total{model=\"test/counted\"} 45000",
        "edge_router_fallbacks_total{model=\"test/counted\"} 1",
        "edge_router_requests_total{model=\"test/counted\",tier=\"standard\",source=\"classifier\",outcome=\"ok\"} 1",
        "edge_router_usage_estimated_total{model=\"test/counted\"} 1",
        "edge_router_first_byte_seconds_bucket{model=\"test/counted\",le=\"0.005\"} 1",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert_eq!(counters()["edge_router_cost_nano_usd_total"][0]["value"], 45_000);
}

#[test]
fn a_degraded_verdict_is_counted_by_its_error() {
    recorder();
    classifier_degraded(&crate::inference::InferenceError::Deadline);
    assert!(recorder().render().contains("degraded_total{reason=\"deadline\"}"));
    assert!(total(CLASSIFIER_DEGRADED) >= 1);
}
