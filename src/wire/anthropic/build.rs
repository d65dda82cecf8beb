//! Builds a Messages request from the canonical form, for clients of another protocol.

use serde::Serialize;
use serde_json::{Value, json};

use super::turns::{Block, Turn, Turns};
use crate::catalog::{Capability, Model};
use crate::chat::{ChatRequest, OutputFormat, Tool, ToolChoice};
use crate::wire::dropped::{note, unplaced};
use crate::wire::error::WireError;
use crate::wire::{Encoded, Patch};

/// The cap that is sent where neither the client nor the router has one; the protocol demands one.
const DEFAULT_CAP: u32 = 8192;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
    stream: bool,
}

#[derive(Serialize)]
struct ToolOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

pub(crate) fn build(request: &ChatRequest, patch: &Patch<'_>) -> Result<Encoded, WireError> {
    let mut dropped = unplaced(request);
    let mut turns = Turns::new(&request.messages, &mut dropped);
    if patch.model.rules.rejects_prefill {
        turns.end_with_user();
    }
    let sampling = sampling(request, patch.model, &mut dropped);
    let body = Body {
        model: &patch.model.upstream,
        max_tokens: cap(request, patch),
        system: turns.system,
        messages: turns.messages,
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: tool_choice(request, patch.model, &mut dropped),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: stop_sequences(request, &mut dropped),
        output_config: output_config(request, patch.model, &mut dropped),
        stream: patch.stream,
    };
    let body = serde_json::to_vec(&body).map_err(|_| WireError::field("", "cannot be written"))?;
    Ok(Encoded { body: body.into(), dropped })
}

/// What to send as `max_tokens`.
pub(super) fn cap(request: &ChatRequest, patch: &Patch<'_>) -> u32 {
    let told = patch.output_cap.into_iter().chain(request.max_output_tokens).min();
    let limit = patch.model.max_output_tokens;
    told.unwrap_or(if limit == 0 { DEFAULT_CAP } else { limit.min(DEFAULT_CAP) })
}

struct SamplingOut {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u32>,
}

fn sampling(request: &ChatRequest, model: &Model, dropped: &mut Vec<String>) -> SamplingOut {
    let own = &request.sampling;
    let homeless = [
        ("seed", own.seed.is_some()),
        ("presence_penalty", own.presence_penalty.is_some_and(|value| value != 0.0)),
        ("frequency_penalty", own.frequency_penalty.is_some_and(|value| value != 0.0)),
    ];
    homeless.iter().filter(|(_, sent)| *sent).for_each(|(name, _)| note(dropped, name));
    let mut out = SamplingOut { temperature: own.temperature, top_p: own.top_p, top_k: own.top_k };
    if model.rules.rejects_sampling {
        let sent = [
            ("temperature", out.temperature.take().is_some()),
            ("top_p", out.top_p.take().is_some()),
            ("top_k", out.top_k.take().is_some()),
        ];
        sent.iter().filter(|(_, sent)| *sent).for_each(|(name, _)| note(dropped, name));
    }
    // OpenAI's scale goes to 2, this one to 1; both at once are a 400 on newer models.
    out.temperature = out.temperature.map(|value| value.clamp(0.0, 1.0));
    if out.temperature.is_some() && out.top_p.take().is_some() {
        note(dropped, "top_p");
    }
    out
}

fn tool(tool: &Tool) -> ToolOut<'_> {
    let mut schema = tool.parameters.clone();
    if !schema.is_object() {
        schema = json!({"type": "object", "properties": {}});
    } else if schema.get("type").is_none() {
        schema["type"] = Value::from("object");
    }
    ToolOut {
        name: &tool.name,
        description: tool.description.as_deref(),
        input_schema: schema,
        strict: tool.strict.filter(|strict| *strict),
    }
}

fn tool_choice(request: &ChatRequest, model: &Model, dropped: &mut Vec<String>) -> Option<Value> {
    if request.tools.is_empty() {
        return None;
    }
    let serial = request.parallel_tool_calls == Some(false);
    let mut choice = match &request.tool_choice {
        None if !serial => return None,
        None | Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        Some(ToolChoice::Required | ToolChoice::Named(_))
            if model.rules.rejects_forced_tool_choice =>
        {
            note(dropped, "tool_choice");
            json!({"type": "auto"})
        }
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
    };
    if serial {
        choice["disable_parallel_tool_use"] = Value::from(true);
    }
    Some(choice)
}

/// A sequence of white space only is a 400.
fn stop_sequences<'a>(request: &'a ChatRequest, dropped: &mut Vec<String>) -> Vec<&'a str> {
    let all = request.sampling.stop.iter().map(String::as_str);
    let (kept, lost): (Vec<_>, Vec<_>) = all.partition(|text| !text.trim().is_empty());
    if !lost.is_empty() {
        note(dropped, "stop");
    }
    kept
}

fn output_config(request: &ChatRequest, model: &Model, dropped: &mut Vec<String>) -> Option<Value> {
    let mut config = serde_json::Map::new();
    if let Some(wish) = &request.reasoning_effort {
        match effort(wish, model) {
            Some(effort) => {
                config.insert("effort".to_owned(), Value::from(effort));
            }
            None => note(dropped, "reasoning_effort"),
        }
    }
    match &request.output_format {
        None => {}
        Some(OutputFormat::Schema { schema, .. })
            if model.capabilities.has(Capability::JsonSchema) =>
        {
            let format = json!({"type": "json_schema", "schema": schema});
            config.insert("format".to_owned(), format);
        }
        Some(OutputFormat::Schema { .. } | OutputFormat::Json) => note(dropped, "response_format"),
    }
    (!config.is_empty()).then_some(Value::Object(config))
}

/// `output_config.effort` came with the models that refuse a prefill; `xhigh` with those that
/// refuse sampling parameters as well (facts file, `reasoning_efforts`). Older ones have token
/// budgets only, which need thinking blocks back that this client cannot send.
fn effort(wish: &str, model: &Model) -> Option<&'static str> {
    if !model.capabilities.has(Capability::Reasoning) || !model.rules.rejects_prefill {
        return None;
    }
    match wish {
        "minimal" | "low" => Some("low"),
        "medium" => Some("medium"),
        "high" => Some("high"),
        "xhigh" if model.rules.rejects_sampling => Some("xhigh"),
        "xhigh" => Some("high"),
        "max" => Some("max"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
