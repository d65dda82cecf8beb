use super::*;
use crate::chat::StopReason;
use crate::wire::fixtures::{
    ANTHROPIC_STREAM, OLLAMA_STREAM, OPENAI_STREAM, Usage as Asked, proxy, relayed, sse, streaming,
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::openai(Dialect::OpenAi, OPENAI_STREAM)]
#[case::anthropic(Dialect::Anthropic, ANTHROPIC_STREAM)]
#[case::ollama(Dialect::Ollama, OLLAMA_STREAM)]
fn a_stream_reaches_the_client_in_its_own_protocol(#[case] from: Dialect, #[case] upstream: &str) {
    let (out, observed, result) = relayed(from, Asked::Asked, &[upstream.as_bytes()]);
    assert_eq!(result, Ok(()));
    insta::assert_snapshot!(format!("from_{from}"), format!("{out}\n{observed:#?}"));
}

#[test]
fn events_of_an_engine_are_written_whatever_the_relay_was_made_for() {
    let mut relay =
        StreamRelay::new(Dialect::OpenAi, &streaming(Asked::NotAsked), "own", "embedded/m");
    let mut out = Vec::new();
    relay.event(ChatEvent::Text("Hi".to_owned()), &mut out);
    assert!(relay.end().is_err());
    relay.event(ChatEvent::Stop(StopReason::End), &mut out);
    relay.end().unwrap();
    relay.finish(&proxy(), &mut out);
    assert_eq!(relay.observed().output_bytes, 2);
    let head = r#"{"id":"own","object":"chat.completion.chunk","created":0,"model":"embedded/m","choices":[{"index":0,"delta":"#;
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!(
            "data: {head}{{\"role\":\"assistant\",\"content\":\"Hi\"}},\"finish_reason\":null}}]}}\n\n\
             data: {head}{{}},\"finish_reason\":\"stop\"}}]}}\n\n\
             : edge-router {{\"model_id\":\"m\"}}\n\ndata: [DONE]\n\n"
        )
    );
}

#[rstest]
#[case(Dialect::OpenAi)]
#[case(Dialect::Anthropic)]
fn a_keepalive_is_a_chunk_that_says_nothing(#[case] from: Dialect) {
    let relay = StreamRelay::new(from, &streaming(Asked::Asked), "own", "m").created_at(7);
    let mut out = Vec::new();
    relay.keepalive(&mut out);
    let expected = r#"{"id":"own","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":null}]}"#;
    assert_eq!(String::from_utf8(out).unwrap(), sse(&[expected]));
}

#[test]
fn usage_of_a_stream_that_breaks_is_known_to_be_incomplete() {
    let cut = ANTHROPIC_STREAM.split("event: message_delta").next().unwrap();
    let (out, observed, result) = relayed(Dialect::Anthropic, Asked::Asked, &[cut.as_bytes()]);
    assert!(matches!(result, Err(StreamFault::Broken(_))));
    assert!(out.ends_with("data: {\"error\":{\"message\":\"failed\"}}\n\n"));
    assert_eq!(observed.usage.unwrap().prompt_tokens(), 140);
    assert!(!observed.usage_complete);
}

/// The arguments of each call, as an SDK puts them together.
fn reassembled(out: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for data in out.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(chunk) = serde_json::from_str::<Value>(data) else { continue };
        for call in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if index == all.len() {
                all.push(String::new());
            }
            all[index].push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    all
}

fn anthropic_calls(calls: &[Vec<String>]) -> String {
    let mut events = vec![
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 1}}}).to_string(),
    ];
    for (index, pieces) in calls.iter().enumerate() {
        let block =
            json!({"type": "tool_use", "id": format!("t{index}"), "name": "f", "input": {}});
        events.push(
            json!({"type": "content_block_start", "index": index, "content_block": block})
                .to_string(),
        );
        for piece in pieces {
            let delta = json!({"type": "input_json_delta", "partial_json": piece});
            events.push(
                json!({"type": "content_block_delta", "index": index, "delta": delta}).to_string(),
            );
        }
        events.push(json!({"type": "content_block_stop", "index": index}).to_string());
    }
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}})
            .to_string(),
    );
    sse(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn the_cuts_of_the_transport_change_nothing(
        which in 0_usize..3,
        crlf in any::<bool>(),
        cuts in prop::collection::vec(0_usize..3000, 0..12),
    ) {
        let (from, upstream) = [
            (Dialect::OpenAi, OPENAI_STREAM),
            (Dialect::Anthropic, ANTHROPIC_STREAM),
            (Dialect::Ollama, OLLAMA_STREAM),
        ][which];
        let upstream = if crlf { upstream.replace('\n', "\r\n") } else { upstream.to_owned() };
        let bytes = upstream.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts {
            pieces.push(&bytes[start..cut]);
            start = cut;
        }
        pieces.push(&bytes[start..]);
        prop_assert_eq!(relayed(from, Asked::Asked, &pieces), relayed(from, Asked::Asked, &[bytes]));
    }

    #[test]
    fn tool_arguments_are_the_same_on_both_sides(
        calls in prop::collection::vec(prop::collection::vec(".{0,6}", 0..4), 1..4),
    ) {
        let upstream = anthropic_calls(&calls);
        let (out, _, result) = relayed(Dialect::Anthropic, Asked::Asked, &[upstream.as_bytes()]);
        prop_assert_eq!(result, Ok(()));
        let expected: Vec<String> = calls
            .iter()
            .map(|pieces| pieces.concat())
            .map(|all| if all.is_empty() { "{}".to_owned() } else { all })
            .collect();
        prop_assert_eq!(reassembled(&out), expected);
    }
}
