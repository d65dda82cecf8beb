//! Token counts of Gemini's own API (`usageMetadata`). The cached part is inside the prompt's count,
//! thinking is not inside the candidates', and what a tool put into the prompt is counted apart.

use serde::Deserialize;

use crate::chat::{Service, Usage};
use crate::wire::lenient::{Count, nullable, word};

/// A `GenerateContentResponse`, whole or one of a stream.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    usage_metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "nullable")]
    candidates: Vec<Candidate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    prompt_token_count: Option<Count>,
    tool_use_prompt_token_count: Option<Count>,
    cached_content_token_count: Option<Count>,
    candidates_token_count: Option<Count>,
    thoughts_token_count: Option<Count>,
    #[serde(default, deserialize_with = "nullable")]
    prompt_tokens_details: Vec<Modality>,
    #[serde(default, deserialize_with = "nullable")]
    cache_tokens_details: Vec<Modality>,
    #[serde(default, deserialize_with = "nullable")]
    candidates_tokens_details: Vec<Modality>,
    #[serde(default, deserialize_with = "word")]
    service_tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modality {
    #[serde(default, deserialize_with = "word")]
    modality: Option<String>,
    token_count: Option<Count>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    grounding_metadata: Option<Grounding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grounding {
    #[serde(default, deserialize_with = "nullable")]
    web_search_queries: Vec<serde::de::IgnoredAny>,
}

/// What an answer, or one chunk of a stream, reports. The counts of a stream are cumulative: the last
/// chunk that reports has the whole. `None` if it counts nothing.
pub fn usage(json: &[u8]) -> Option<Usage> {
    let read: Response = serde_json::from_slice(json).ok()?;
    let counts = read.usage_metadata?;
    let count = |count: Option<Count>| count.unwrap_or_default().0;
    let prompt = count(counts.prompt_token_count);
    let cache_read = count(counts.cached_content_token_count).min(prompt);
    let input = (prompt - cache_read).saturating_add(count(counts.tool_use_prompt_token_count));
    let reasoning = count(counts.thoughts_token_count);
    let output = count(counts.candidates_token_count).saturating_add(reasoning);
    let audio_cached = of(&counts.cache_tokens_details, "AUDIO").min(cache_read);
    let audio = of(&counts.prompt_tokens_details, "AUDIO").saturating_sub(audio_cached);
    let image_cached = of(&counts.cache_tokens_details, "IMAGE");
    let image = of(&counts.prompt_tokens_details, "IMAGE").saturating_sub(image_cached);
    let grounding = read.candidates.iter().filter_map(|one| one.grounding_metadata.as_ref());
    Some(Usage {
        input,
        cache_read,
        output,
        reasoning,
        audio_input: audio.min(input),
        audio_cached,
        audio_output: of(&counts.candidates_tokens_details, "AUDIO").min(output),
        image_input: image.min(input),
        image_output: of(&counts.candidates_tokens_details, "IMAGE").min(output),
        web_searches: grounding.map(|one| one.web_search_queries.len() as u64).sum(),
        service: counts.service_tier.and_then(|word| Service::of_tier(&word.to_lowercase())),
        ..Usage::default()
    })
}

fn of(details: &[Modality], modality: &str) -> u64 {
    let same = |one: &&Modality| one.modality.as_deref() == Some(modality);
    details.iter().filter(same).map(|one| one.token_count.unwrap_or_default().0).sum()
}
