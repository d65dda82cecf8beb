use std::time::Duration;

use rstest::rstest;

use super::*;
use ProviderErrorKind as Kind;

fn refused(status: u16, headers: &[(&'static str, &str)], body: &str) -> ProviderError {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let status = StatusCode::from_u16(status).unwrap();
    refusal(&"cloud".into(), status, &map, &Bytes::from(body.to_owned()))
}

#[rstest]
#[case::openai_overflow(400, r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#, Kind::ContextOverflow)]
#[case::anthropic_overflow(400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 205000 tokens > 200000 maximum"},"request_id":"r"}"#, Kind::ContextOverflow)]
#[case::anthropic_both(400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#, Kind::ContextOverflow)]
#[case::google_overflow(400, r#"[{"error":{"code":400,"message":"The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#, Kind::ContextOverflow)]
#[case::groq_minute(413, r#"{"error":{"message":"Request too large for model x on tokens per minute (TPM): Limit 6000, Requested 20000","type":"tokens","code":"rate_limit_exceeded"}}"#, Kind::ContextOverflow)]
#[case::anthropic_body(413, r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#, Kind::Request)]
#[case::openai_quota(429, r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}"#, Kind::Billing)]
#[case::openai_limit(429, r#"{"error":{"message":"Rate limit reached for gpt-x","type":"requests","code":"rate_limit_exceeded"}}"#, Kind::RateLimited)]
#[case::google_limit(429, r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"46s"}]}}"#, Kind::RateLimited)]
#[case::anthropic_spend(429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"limit","details":{"error_code":"enforced_spend_limit_reached"}}}"#, Kind::Billing)]
#[case::anthropic_credit(400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#, Kind::Billing)]
#[case::deepseek_balance(402, r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#, Kind::Billing)]
#[case::openrouter_flight(402, r#"{"error":{"code":402,"message":"credits","metadata":{"limit_source":"openrouter_in_flight_budget"}}}"#, Kind::RateLimited)]
#[case::openrouter_flagged(403, r#"{"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged"}}"#, Kind::Request)]
#[case::fireworks_suspended(
    412,
    r#"{"error":{"object":"error","message":"account suspended"}}"#,
    Kind::Billing
)]
#[case::bad_key(
    401,
    r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#,
    Kind::Auth
)]
#[case::forbidden(403, r#"{"error":{"message":"Country not supported"}}"#, Kind::Auth)]
#[case::no_model(
    404,
    r#"{"error":{"message":"The model does not exist","code":"model_not_found"}}"#,
    Kind::ModelNotFound
)]
#[case::groq_gone(
    400,
    r#"{"error":{"message":"decommissioned","code":"model_decommissioned"}}"#,
    Kind::ModelNotFound
)]
#[case::cerebras_limit(429, r#"{"message":"Requests per minute limit exceeded","type":"too_many_requests_error","param":"quota","code":"request_quota_exceeded"}"#, Kind::RateLimited)]
#[case::mistral_field(
    422,
    r#"{"object":"error","message":{"detail":[{"msg":"bad"}]},"type":"invalid_request_error"}"#,
    Kind::Request
)]
#[case::bad_field(
    400,
    r#"{"error":{"message":"Unknown parameter: 'x'","type":"invalid_request_error"}}"#,
    Kind::Request
)]
#[case::groq_flex(498, "", Kind::Server)]
#[case::overloaded(
    529,
    r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    Kind::Server
)]
#[case::gateway(502, "<html><body>Bad gateway</body></html>", Kind::Server)]
#[case::timeout(408, "", Kind::Server)]
#[case::conflict(409, "", Kind::Server)]
#[case::ollama_missing(404, r#"{"error":"model 'x' not found"}"#, Kind::ModelNotFound)]
#[case::redirect(302, "", Kind::Protocol)]
fn every_documented_error_is_understood(
    #[case] status: u16,
    #[case] body: &str,
    #[case] kind: Kind,
) {
    let error = refused(status, &[], body);
    assert_eq!(error.kind, kind, "{}", error.message);
    assert_eq!(error.status, Some(status));
}

#[rstest]
#[case(&[("retry-after", "7")], 7_000)]
#[case(&[("retry-after", "0.5")], 500)]
#[case(&[("retry-after-ms", "1500"), ("retry-after", "2")], 1_500)]
#[case(&[("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT"), ("date", "Sat, 21 Nov 2026 10:00:00 GMT")], 30_000)]
#[case(&[("x-ratelimit-reset-requests", "6m0s")], 360_000)]
#[case(&[("x-ratelimit-reset-tokens", "120ms")], 120)]
#[case(&[("x-ratelimit-reset-requests", "1h"), ("x-ratelimit-remaining-requests", "99"), ("x-ratelimit-reset-tokens", "2m59.56s"), ("x-ratelimit-remaining-tokens", "0")], 179_560)]
#[case(&[("anthropic-ratelimit-tokens-reset", "2026-11-21T10:01:00Z"), ("date", "Sat, 21 Nov 2026 10:00:00 GMT")], 60_000)]
#[case(&[("x-ratelimit-reset", "1795255210000"), ("date", "Sat, 21 Nov 2026 10:00:00 GMT")], 10_000)]
fn the_pause_is_read_from_whatever_header_names_it(
    #[case] headers: &[(&'static str, &str)],
    #[case] ms: u64,
) {
    assert_eq!(refused(429, headers, "").retry_after, Some(Duration::from_millis(ms)));
}

#[test]
fn googles_pause_stands_in_the_body() {
    let body = r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"46s"}]}}"#;
    assert_eq!(refused(429, &[], body).retry_after, Some(Duration::from_secs(46)));
}

#[test]
fn only_the_clients_own_errors_are_handed_on_as_they_are() {
    assert!(refused(400, &[], r#"{"error":{"message":"bad"}}"#).body.is_some());
    assert!(refused(500, &[], r#"{"error":{"message":"bad"}}"#).body.is_none());
    assert!(refused(401, &[], r#"{"error":{"message":"bad"}}"#).body.is_none());
}

#[test]
fn a_message_is_short_and_shows_no_key() {
    let long = format!(
        r#"{{"error":{{"message":"key sk-abcdefghijklmnop is bad. {}"}}}}"#,
        "x ".repeat(900)
    );
    let error = refused(400, &[], &long).without(Some("secretvalue"));
    assert!(error.message.contains("key *** is bad") && error.message.chars().count() < 360);
    let echo = refused(400, &[], r#"{"error":{"message":"no secretvalue here"}}"#)
        .without(Some("secretvalue"));
    assert!(echo.message.contains("no *** here") && echo.body.is_none());
}

#[rstest]
#[case(r#"{"type":"overloaded_error","message":"Overloaded"}"#, Kind::Server)]
#[case(r#"{"type":"rate_limit_error","message":"slow down"}"#, Kind::RateLimited)]
#[case(r#"{"code":429,"message":"rate limited"}"#, Kind::RateLimited)]
#[case(
    r#"{"code":"context_length_exceeded","type":"invalid_request_error","message":"long"}"#,
    Kind::ContextOverflow
)]
#[case(r#"{"type":"authentication_error","message":"key"}"#, Kind::Auth)]
#[case(r#""out of memory""#, Kind::Server)]
fn an_error_in_the_place_of_an_answer_is_understood_without_a_status(
    #[case] error: &str,
    #[case] kind: Kind,
) {
    assert_eq!(stream_error(&"cloud".into(), &serde_json::from_str(error).unwrap()).kind, kind);
}

#[rstest]
#[case::fastapi(r#"{"detail":[{"type":"missing","loc":["body","messages",0],"msg":"Field required","input":{"a":"secret prompt"}}]}"#, "body.messages.0: Field required")]
#[case::mistral(
    r#"{"object":"error","message":{"detail":[{"loc":["body","top_p"],"msg":"too large"}]}}"#,
    "body.top_p: too large"
)]
#[case::vllm(r#"{"object":"error","message":"bad","code":400}"#, "bad")]
#[case::plain(r#"{"detail":"not possible"}"#, "not possible")]
fn a_field_error_keeps_its_words_without_what_was_sent(#[case] body: &str, #[case] words: &str) {
    let error = refused(422, &[], body);
    assert_eq!(error.kind, Kind::Request);
    assert_eq!(error.message, format!("cloud answered with status 422: {words}"));
}
