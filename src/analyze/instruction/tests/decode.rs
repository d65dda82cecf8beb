//! A small reader of the three protocols, for tests only.
use bytes::Bytes;
use serde_json::Value;

use crate::chat::{
    ChatRequest, Dialect, Image, Message, Origin, Part, Role, Sampling, Tool, ToolCall,
};

pub(crate) fn decode(api: &str, body: &Value) -> ChatRequest {
    let dialect = match api {
        "chat" => Dialect::OpenAi,
        "messages" => Dialect::Anthropic,
        _ => Dialect::Responses,
    };
    let mut messages = Vec::new();
    for key in ["system", "instructions"] {
        if let Some(v) = body.get(key) {
            messages.push(Message { role: Role::System, parts: parts(v) });
        }
    }
    let list = body.get("messages").or(body.get("input")).cloned().unwrap_or_default();
    let list = match list {
        Value::String(s) => vec![serde_json::json!({"role":"user","content":s})],
        Value::Array(a) => a,
        _ => vec![],
    };
    for m in &list {
        if let Some(role) = m["role"].as_str() {
            let role = match role {
                "system" => Role::System,
                "developer" => Role::Developer,
                "assistant" => Role::Assistant,
                "tool" => Role::Tool,
                _ => Role::User,
            };
            let mut p = parts(&m["content"]);
            if role == Role::Tool {
                p = vec![Part::ToolResult {
                    call_id: m["tool_call_id"].as_str().unwrap_or("").into(),
                    content: p,
                    is_error: false,
                }];
            }
            for c in m["tool_calls"].as_array().into_iter().flatten() {
                p.push(Part::ToolCall(ToolCall {
                    id: c["id"].as_str().unwrap_or("").into(),
                    name: c["function"]["name"].as_str().unwrap_or("").into(),
                    arguments: c["function"]["arguments"].as_str().unwrap_or("").into(),
                }));
            }
            messages.push(Message { role, parts: p });
        } else {
            match m["type"].as_str().unwrap_or("") {
                "function_call" => messages.push(Message {
                    role: Role::Assistant,
                    parts: vec![Part::ToolCall(ToolCall {
                        id: m["call_id"].as_str().unwrap_or("").into(),
                        name: m["name"].as_str().unwrap_or("").into(),
                        arguments: m["arguments"].as_str().unwrap_or("").into(),
                    })],
                }),
                "function_call_output" => messages.push(Message {
                    role: Role::Tool,
                    parts: vec![Part::ToolResult {
                        call_id: m["call_id"].as_str().unwrap_or("").into(),
                        content: parts(&m["output"]),
                        is_error: false,
                    }],
                }),
                _ => {}
            }
        }
    }
    let tools = body["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|_| Tool {
            name: "t".into(),
            description: None,
            parameters: Value::Null,
            strict: None,
        })
        .collect();
    ChatRequest {
        model: String::new(),
        stream: false,
        include_usage: false,
        messages,
        tools,
        tool_choice: None,
        parallel_tool_calls: None,
        max_output_tokens: body["max_tokens"].as_u64().and_then(|n| u32::try_from(n).ok()),
        sampling: Sampling::default(),
        output_format: None,
        reasoning_effort: None,
        origin: Origin { dialect, body: Bytes::new() },
    }
}

fn parts(v: &Value) -> Vec<Part> {
    match v {
        Value::String(s) => vec![Part::text(s.as_str())],
        Value::Array(a) => a
            .iter()
            .map(|p| match p["type"].as_str().unwrap_or("") {
                "text" | "input_text" | "output_text" => {
                    Part::text(p["text"].as_str().unwrap_or(""))
                }
                "tool_use" => Part::ToolCall(ToolCall {
                    id: p["id"].as_str().unwrap_or("").into(),
                    name: p["name"].as_str().unwrap_or("").into(),
                    arguments: p["input"].to_string(),
                }),
                "tool_result" => Part::ToolResult {
                    call_id: p["tool_use_id"].as_str().unwrap_or("").into(),
                    content: parts(&p["content"]),
                    is_error: p["is_error"].as_bool().unwrap_or(false),
                },
                _ => Part::Image(Image::Url(String::new())),
            })
            .collect(),
        _ => vec![],
    }
}
