//! Models, requests and streams for the tests of the codecs.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Patch, StreamFault, StreamRelay, decode_request};
use crate::catalog::{Capability, Model, ParamRules, Tier};
use crate::chat::{ChatRequest, Dialect};

pub(super) fn model(provider: &str, rules: ParamRules) -> Model {
    Model {
        id: format!("{provider}/test").into(),
        provider: provider.into(),
        upstream: "wire-name".to_owned(),
        max_tier: Tier::Standard,
        price: None,
        context_window: 32_768,
        max_output_tokens: 16_384,
        capabilities: [Capability::Tools, Capability::Reasoning, Capability::JsonSchema]
            .into_iter()
            .collect(),
        rules,
        local: false,
        active: true,
        retires: None,
        replacement: None,
    }
}

/// Streams, capped at 1000.
pub(super) fn patch(model: &Model) -> Patch<'_> {
    Patch { model, output_cap: Some(1000), stream: true, num_ctx: Some(9000) }
}

pub(super) fn chat(body: &str) -> ChatRequest {
    decode_request(Dialect::OpenAi, Bytes::from(body.to_owned())).unwrap()
}

pub(super) fn streaming(include_usage: Usage) -> ChatRequest {
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}], "stream": true});
    if include_usage == Usage::Asked {
        body["stream_options"] = json!({"include_usage": true});
    }
    chat(&body.to_string())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    Asked,
    NotAsked,
}

/// Everything that the client gets of a stream that came in these pieces, and what was observed.
pub(super) fn relayed(
    from: Dialect,
    usage: Usage,
    pieces: &[&[u8]],
) -> (String, super::Observed, Result<(), StreamFault>) {
    let mut relay =
        StreamRelay::new(from, &streaming(usage), "chatcmpl-own", "provider/chosen").created_at(7);
    let mut out = Vec::new();
    let mut result = Ok(());
    for piece in pieces {
        result = relay.bytes(piece, &mut out);
        if result.is_err() {
            break;
        }
    }
    let result = result.and_then(|()| relay.end());
    match &result {
        Ok(()) => relay.finish(&proxy(), &mut out),
        Err(_) => relay.fail(&json!({"error": {"message": "failed"}}), &mut out),
    }
    (String::from_utf8(out).unwrap(), relay.observed().clone(), result)
}

pub(super) fn proxy() -> Value {
    json!({"model_id": "m"})
}

/// One frame per item.
pub(super) fn sse(data: &[&str]) -> String {
    data.iter().map(|data| format!("data: {data}\n\n")).collect()
}

/// A Messages stream with thinking, text, a call with pieces of arguments and one without any.
pub(super) const ANTHROPIC_STREAM: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm, né"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let me \"look\"."}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"read","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"path\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":" \"a.rs\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"list","input":{}}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":42,"output_tokens_details":{"thinking_tokens":5}}}

event: message_stop
data: {"type":"message_stop"}

"#;

pub(super) const OLLAMA_STREAM: &str = r#"{"model":"qwen3","created_at":"t","message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}
{"model":"qwen3","created_at":"t","message":{"role":"assistant","content":"Hé"},"done":false}
{"model":"qwen3","created_at":"t","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"read","arguments":{"path":"a.rs","n":1.0}}}]},"done":false}
{"model":"qwen3","created_at":"t","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":5,"prompt_eval_count":26,"eval_count":9}
"#;

pub(super) const OPENAI_STREAM: &str = r#": OPENROUTER PROCESSING

data: {"id":"c1","object":"chat.completion.chunk","created":5,"model":"up-1.0","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"x":1.0}

data: {"id":"c1","object":"chat.completion.chunk","created":5,"model":"up-1.0","choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":null}],"usage":null}

data: {"id":"c1","object":"chat.completion.chunk","created":5,"model":"up-1.0","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"read","arguments":""}}]},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":5,"model":"up-1.0","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"path\":\"a\"}"}}]},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":5,"model":"up-1.0","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"c1","object":"chat.completion.chunk","created":5,"model":"up-1.0","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"cost":0.00012,"own":[1.0]}}

data: [DONE]

"#;
