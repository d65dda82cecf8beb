use super::*;
use crate::catalog::ParamRules;
use crate::wire::fixtures::{chat, model};
use proptest::prelude::*;
use rstest::rstest;

fn patched(provider: &str, rules: ParamRules, body: &str) -> (String, Vec<String>) {
    let model = model(provider, rules);
    let request = chat(body);
    let patch =
        Patch { model: &model, output_cap: Some(1000), stream: request.stream, num_ctx: None };
    let encoded = super::patch(&request, &patch).unwrap();
    (String::from_utf8(encoded.body.to_vec()).unwrap(), encoded.dropped)
}

const NONE: ParamRules = ParamRules {
    rejects_sampling: false,
    rejects_forced_tool_choice: false,
    max_completion_tokens: false,
    rejects_prefill: false,
};

/// `M` stands for the messages.
fn written(text: &str) -> String {
    text.replace('M', r#""messages":[{"role":"user","content":"a\u00e9"}]"#)
}

#[rstest]
#[case::the_model_is_replaced_and_a_cap_appended(
    "openai",
    NONE,
    r#"{"model":"auto",M}"#,
    r#"{"model":"wire-name",M,"max_tokens":1000}"#
)]
#[case::a_missing_model_is_added(
    "openai",
    NONE,
    r#"{M}"#,
    r#"{M,"model":"wire-name","max_tokens":1000}"#
)]
#[case::a_larger_cap_is_lowered_in_place(
    "openai",
    NONE,
    r#"{"model":"a","max_tokens":5000,M}"#,
    r#"{"model":"wire-name","max_tokens":1000,M}"#
)]
#[case::a_smaller_cap_stays(
    "openai",
    NONE,
    r#"{"model":"a","max_completion_tokens":500,M}"#,
    r#"{"model":"wire-name","max_completion_tokens":500,M}"#
)]
#[case::a_cap_of_null_is_filled(
    "openai",
    NONE,
    r#"{"model":"a","max_tokens":null,M}"#,
    r#"{"model":"wire-name","max_tokens":1000,M}"#
)]
#[case::a_cap_of_minus_one_is_filled(
    "openai",
    NONE,
    r#"{"model":"a","max_tokens":-1,M}"#,
    r#"{"model":"wire-name","max_tokens":1000,M}"#
)]
#[case::the_newer_name_where_the_model_wants_it("openai", ParamRules { max_completion_tokens: true, ..NONE },
    r#"{"model":"a","max_tokens":500,M}"#, r#"{"model":"wire-name","max_completion_tokens":500,M}"#)]
#[case::one_name_of_two("openai", ParamRules { max_completion_tokens: true, ..NONE },
    r#"{"model":"a","max_tokens":500,"max_completion_tokens":400,M}"#, r#"{"model":"wire-name","max_completion_tokens":400,M}"#)]
#[case::the_older_name_where_the_provider_knows_no_other(
    "deepseek",
    NONE,
    r#"{"model":"a","max_completion_tokens":500,M}"#,
    r#"{"model":"wire-name","max_tokens":500,M}"#
)]
#[case::usage_is_asked_for_in_a_stream("openai", NONE,
    r#"{"model":"a","stream":true,"max_tokens":5,M}"#,
    r#"{"model":"wire-name","stream":true,"max_tokens":5,M,"stream_options":{"include_usage":true}}"#)]
#[case::the_clients_stream_options_are_kept("openai", NONE,
    r#"{"model":"a","stream":true,"stream_options":{"include_usage":false,"x": 1.0},"max_tokens":5,M}"#,
    r#"{"model":"wire-name","stream":true,"stream_options":{"include_usage":true,"x":1.0},"max_tokens":5,M}"#)]
#[case::stream_options_of_null("openai", NONE,
    r#"{"model":"a","stream":true,"stream_options":null,"max_tokens":5,M}"#,
    r#"{"model":"wire-name","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,M}"#)]
#[case::a_provider_that_refuses_stream_options(
    "mistral",
    NONE,
    r#"{"model":"a","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,M}"#,
    r#"{"model":"wire-name","stream":true,"max_tokens":5,M}"#
)]
fn only_what_was_decided_is_touched(
    #[case] provider: &str,
    #[case] rules: ParamRules,
    #[case] body: &str,
    #[case] expected: &str,
) {
    assert_eq!(patched(provider, rules, &written(body)), (written(expected), vec![]));
}

#[test]
fn refused_parameters_are_taken_out_and_told() {
    let rules = ParamRules { rejects_sampling: true, rejects_forced_tool_choice: true, ..NONE };
    let body = r#"{"model":"a","temperature":0.2,"top_p":null,"tool_choice":"required","top_k":4,"max_tokens":5,M,"logit_bias":{}}"#;
    let (body, dropped) = patched("openai", rules, &written(body));
    let expected = r#"{"model":"wire-name","tool_choice":"auto","max_tokens":5,M,"logit_bias":{}}"#;
    assert_eq!(body, written(expected));
    assert_eq!(dropped, ["temperature", "top_k", "tool_choice"]);
}

#[test]
fn a_model_that_refuses_prefill_is_asked_to_go_on_by_the_user() {
    let rules = ParamRules { rejects_prefill: true, ..NONE };
    let body = r#"{"model":"a","max_tokens":5,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"} ]}"#;
    let (body, _) = patched("openai", rules, body);
    let end = r#"{"role":"assistant","content":"b"} ,{"role":"user","content":"Continue."}]}"#;
    assert!(body.ends_with(end), "{body}");
}

fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1.0".to_owned()),
        Just("1e5".to_owned()),
        Just("12345678901234567890123".to_owned()),
        Just(r#""\u00e9\/""#.to_owned()),
        Just("null".to_owned()),
        "[a-z ]{0,6}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(inner, 0..3).prop_map(|items| {
                let members = items.iter().map(|item| format!("\"k\": {item}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn every_unknown_field_arrives_byte_for_byte_and_in_order(
        before in prop::collection::vec(("x_[a-z]{1,4}", json_value()), 0..5),
        after in prop::collection::vec(("x_[a-z]{1,4}", json_value()), 0..5),
    ) {
        let members = |all: &[(String, String)]| -> String {
            all.iter().map(|(key, value)| format!("\"{key}\":{value},")).collect()
        };
        let around = |model: &str, cap: &str| {
            let messages = r#""messages":[{"role":"user","content":"a"}]"#;
            format!(
                "{{{}\"model\":\"{model}\",{}\"max_tokens\":{cap},{messages}}}",
                members(&before), members(&after)
            )
        };
        let (body, _) = patched("openai", NONE, &around("auto", "4000"));
        prop_assert_eq!(body, around("wire-name", "1000"));
    }
}
