//! Token counts of OpenAI's Responses API: `input_tokens` includes cached and written ones, and the
//! calls of the provider's own tools stand among the output items.

use serde::Deserialize;

use crate::chat::{Service, Usage};
use crate::wire::lenient::{Count, nullable, word};

/// A response, or the event of a stream that carries one.
#[derive(Deserialize)]
struct Response {
    response: Option<Box<Response>>,
    usage: Option<UsageIn>,
    #[serde(default, deserialize_with = "word")]
    service_tier: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    output: Vec<Item>,
}

#[derive(Deserialize)]
struct UsageIn {
    input_tokens: Option<Count>,
    input_tokens_details: Option<InputDetails>,
    output_tokens: Option<Count>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Default, Deserialize)]
struct InputDetails {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
}

#[derive(Default, Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type", default, deserialize_with = "word")]
    kind: Option<String>,
    action: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "type", default, deserialize_with = "word")]
    kind: Option<String>,
}

/// What a whole response reports, or the `response.completed` (or `.incomplete`) event of a stream;
/// `None` if it counts nothing.
pub fn usage(json: &[u8]) -> Option<Usage> {
    let read: Response = serde_json::from_slice(json).ok()?;
    let response = match read.response {
        Some(inner) => *inner,
        None => read,
    };
    let counts = response.usage?;
    let count = |count: Option<Count>| count.unwrap_or_default().0;
    let (prompt, output) = (count(counts.input_tokens), count(counts.output_tokens));
    let details = counts.input_tokens_details.unwrap_or_default();
    let cache_read = count(details.cached_tokens).min(prompt);
    let cache_write = count(details.cache_write_tokens).min(prompt - cache_read);
    let input = prompt - cache_read - cache_write;
    let made = counts.output_tokens_details.unwrap_or_default();
    let (web_searches, server_tools) = calls(&response.output);
    Some(Usage {
        input,
        cache_read,
        cache_write,
        output,
        reasoning: count(made.reasoning_tokens).min(output),
        audio_input: count(details.audio_tokens).min(input),
        audio_output: count(made.audio_tokens).min(output),
        image_input: count(details.image_tokens).min(input),
        image_output: count(made.image_tokens).min(output),
        web_searches,
        server_tools,
        service: Service::of(response.service_tier.as_deref(), None),
        ..Usage::default()
    })
}

/// Searches, and the other calls that are billed one by one. To open a page that a search found is no
/// search; code runs are billed by their container, of which there is one.
fn calls(output: &[Item]) -> (u64, u64) {
    let kinds = || output.iter().map(|item| item.kind.as_deref().unwrap_or_default());
    let searched = |item: &&Item| {
        let action = item.action.as_ref().and_then(|action| action.kind.as_deref());
        item.kind.as_deref() == Some("web_search_call")
            && action.is_none_or(|kind| kind == "search")
    };
    let files = kinds().filter(|kind| *kind == "file_search_call").count();
    let containers = usize::from(kinds().any(|kind| kind == "code_interpreter_call"));
    (output.iter().filter(searched).count() as u64, (files + containers) as u64)
}
