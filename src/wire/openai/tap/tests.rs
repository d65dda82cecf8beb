use super::*;
use crate::chat::Dialect;
use crate::wire::fixtures::{self, Usage as Asked, sse};
use rstest::rstest;

fn relayed(asked: Asked, upstream: &str) -> (String, Observed, Result<(), StreamFault>) {
    fixtures::relayed(Dialect::OpenAi, asked, &[upstream.as_bytes()])
}

fn chunk(choices: &str, rest: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion.chunk","created":5,"model":"up","choices":[{choices}]{rest}}}"#
    )
}

const TEXT: &str = r#"{"index":0,"delta":{"content":"Hello"},"finish_reason":null}"#;
const STOP: &str = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
const USAGE: &str = r#","usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14}"#;
const COMMENT: &str = ": edge-router {\"model_id\":\"m\"}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn plain_usage() -> Usage {
    Usage { input: 10, output: 4, ..Usage::default() }
}

#[test]
fn frames_pass_as_they_came_and_the_usage_chunk_waits_for_the_routers_figures() {
    let (text, usage) = (chunk(TEXT, ",\"x\":1.0"), chunk("", USAGE));
    let upstream = sse(&[&text, &chunk(STOP, ""), &usage, "[DONE]"]);
    let (out, observed, result) = relayed(Asked::Asked, &upstream);
    let last = usage.replace("14}}", r#"14},"_proxy":{"model_id":"m"}}"#);
    assert_eq!(out, sse(&[&text, &chunk(STOP, ""), &last, "[DONE]"]));
    assert_eq!(result, Ok(()));
    assert_eq!(
        observed,
        Observed {
            usage: Some(plain_usage()),
            usage_complete: true,
            stop: Some(StopReason::End),
            output_bytes: 5,
            any_output: true,
            tool_calls: false,
        }
    );
}

#[test]
fn a_client_that_did_not_ask_gets_no_usage_chunk_but_a_comment() {
    let (text, stop) = (chunk(TEXT, ""), chunk(STOP, ""));
    let upstream = sse(&[&text, &stop, &chunk("", USAGE), "[DONE]"]);
    let (out, observed, _) = relayed(Asked::NotAsked, &upstream);
    assert_eq!(out, sse(&[&text, &stop]) + COMMENT + DONE);
    assert_eq!(observed.usage, Some(plain_usage()));
}

#[rstest]
#[case::in_the_last_chunk_that_still_has_choices(&[&*chunk(TEXT, ""), &chunk(STOP, USAGE), "[DONE]"])]
#[case::cumulative_in_every_chunk(&[
    &*chunk(TEXT, r#","usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}"#),
    &chunk(STOP, USAGE), "[DONE]"])]
#[case::from_groq(&[&*chunk(TEXT, ""), &chunk(STOP, r#","x_groq":{"id":"r","usage":{"prompt_tokens":10,"completion_tokens":4}}"#), "[DONE]"])]
#[case::without_an_end_marker(&[&*chunk(TEXT, ""), &chunk(STOP, ""), &chunk("", USAGE)])]
#[case::before_the_finish_reason(&[&*chunk(TEXT, ""), &chunk("", USAGE), &chunk(STOP, ""), "[DONE]"])]
#[case::twice(&[&*chunk(TEXT, ""), &chunk(STOP, USAGE), &chunk("", USAGE), "[DONE]"])]
fn usage_is_found(#[case] upstream: &[&str]) {
    for asked in [Asked::Asked, Asked::NotAsked] {
        let (out, observed, result) = relayed(asked, &sse(upstream));
        assert_eq!(observed.usage, Some(plain_usage()));
        assert!(observed.usage_complete);
        assert_eq!(result, Ok(()));
        assert_eq!(out.matches("_proxy").count(), usize::from(asked == Asked::Asked), "{out}");
        assert_eq!(out.matches(": edge-router").count(), usize::from(asked == Asked::NotAsked));
        assert_eq!(out.matches(r#""finish_reason":"stop""#).count(), 1);
        assert!(out.ends_with(DONE));
    }
}

#[test]
fn the_last_chunk_with_choices_and_usage_carries_the_routers_figures_itself() {
    let upstream = sse(&[&*chunk(TEXT, ""), &chunk(STOP, USAGE), "[DONE]"]);
    let (out, _, _) = relayed(Asked::Asked, &upstream);
    let last = chunk(STOP, &format!(r#"{USAGE},"_proxy":{{"model_id":"m"}}"#));
    assert_eq!(out, sse(&[&*chunk(TEXT, ""), &last, "[DONE]"]));
}

#[rstest]
#[case::text(TEXT, "stop")]
#[case::calls(r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}"#, "tool_calls")]
#[case::an_empty_finish_reason(r#"{"index":0,"delta":{"content":"a"},"finish_reason":""}"#, "stop")]
fn a_finish_reason_is_given_where_the_upstream_ended_well_without_one(
    #[case] choice: &str,
    #[case] reason: &str,
) {
    let (out, _, result) = relayed(Asked::NotAsked, &sse(&[&*chunk(choice, ""), "[DONE]"]));
    assert_eq!(result, Ok(()));
    let finish = format!(r#"{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}"#);
    assert_eq!(out, sse(&[&*chunk(choice, ""), &chunk(&finish, "")]) + COMMENT + DONE);
}

#[rstest]
#[case::cut_off(&[&*chunk(TEXT, "")])]
#[case::one_of_two_choices_unfinished(&[&*chunk(STOP, ""), &chunk(&TEXT.replace("\"index\":0", "\"index\":1"), "")])]
#[case::nothing(&[])]
#[case::only_the_end_marker(&["[DONE]"])]
#[case::not_json(&["oops"])]
fn a_broken_stream_is_told(#[case] upstream: &[&str]) {
    let (out, _, result) = relayed(Asked::Asked, &sse(upstream));
    assert!(matches!(result, Err(StreamFault::Broken(_))), "{result:?}");
    assert!(out.ends_with("data: {\"error\":{\"message\":\"failed\"}}\n\n"), "{out}");
    assert!(!out.contains("[DONE]"));
}

#[rstest]
#[case::openai(
    r#"data: {"error":{"message":"Overloaded","type":"server_error","code":null}}"#,
    "Overloaded",
    Some(500)
)]
#[case::openrouter(r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":429,"message":"slow down"}}"#, "slow down", Some(429))]
#[case::text_alone(r#"data: {"error":"no"}"#, "no", None)]
#[case::vllm(
    r#"data: {"object":"error","message":"bad","type":"BadRequestError","code":400}"#,
    "bad",
    Some(400)
)]
#[case::by_event_name(
    "event: error\ndata: {\"message\":\"gone\",\"code\":\"503\"}",
    "gone",
    Some(503)
)]
fn an_error_inside_the_stream_ends_it(
    #[case] frame: &str,
    #[case] message: &str,
    #[case] status: Option<u16>,
) {
    let upstream = format!("{}{frame}\n\n", sse(&[&*chunk(TEXT, "")]));
    let (out, observed, result) = relayed(Asked::Asked, &upstream);
    assert_eq!(result, Err(StreamFault::Error { message: message.to_owned(), status }));
    assert!(out.starts_with(&sse(&[&*chunk(TEXT, "")])));
    assert_eq!(observed.output_bytes, 5);
}

#[test]
fn what_is_json_but_no_chunk_passes_unseen() {
    let odd = r#"{"choices":"later","n":1.0}"#;
    let (out, _, result) = relayed(Asked::NotAsked, &sse(&[odd, &chunk(STOP, ""), "[DONE]"]));
    assert_eq!((out, result), (sse(&[odd, &chunk(STOP, "")]) + COMMENT + DONE, Ok(())));
}

#[test]
fn upstream_comments_are_not_handed_on() {
    let upstream =
        format!(": OPENROUTER PROCESSING\n\n{}", sse(&[&*chunk(TEXT, ""), &chunk(STOP, "")]));
    let (out, _, _) = relayed(Asked::NotAsked, &upstream);
    assert_eq!(out, sse(&[&*chunk(TEXT, ""), &chunk(STOP, "")]) + COMMENT + DONE);
}

#[test]
fn a_client_that_asked_gets_an_estimate_where_the_provider_reports_nothing() {
    let mut tap = Tap::new(true, "own", "m");
    let mut out = Vec::new();
    tap.bytes(sse(&[&*chunk(TEXT, ""), &chunk(STOP, ""), "[DONE]"]).as_bytes(), &mut out).unwrap();
    tap.end().unwrap();
    out.clear();
    tap.set_usage(plain_usage());
    tap.finish(&fixtures::proxy(), &mut out);
    assert_eq!(tap.observed().usage, None);
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn a_reported_cost_is_read_to_the_nano_dollar() {
    let usage = r#","usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.000123456}"#;
    let (_, observed, _) = relayed(Asked::NotAsked, &sse(&[&*chunk(STOP, usage), "[DONE]"]));
    let cost = observed.usage.unwrap().reported_cost.unwrap();
    assert_eq!(cost, crate::money::NanoUsd(123_456));
}

#[rstest]
#[case::mistral_thinking(r#"{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"ab"}]},{"type":"text","text":"c"}]}}"#, 3)]
#[case::reasoning_under_two_names(
    r#"{"index":0,"delta":{"reasoning":"ab","reasoning_content":"ab"}}"#,
    2
)]
#[case::arguments(
    r#"{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"{\"a\":1}"}}]}}"#,
    7
)]
#[case::legacy(r#"{"index":0,"delta":{"function_call":{"name":"f","arguments":"{}"}}}"#, 2)]
fn output_is_measured(#[case] choice: &str, #[case] bytes: u64) {
    let (_, observed, _) = relayed(Asked::NotAsked, &sse(&[&*chunk(choice, ""), "[DONE]"]));
    assert_eq!(observed.output_bytes, bytes);
    assert!(observed.any_output);
}
