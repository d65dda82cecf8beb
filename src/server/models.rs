//! `GET /v1/models`: everything that a client may name, in OpenAI's form with what clients read
//! beside it (windows under the names that OpenRouter, opencode and Cline know, prices, abilities).
//!
//! `pricing` holds USD per token as decimal strings under OpenRouter's names (`prompt`,
//! `completion`, `input_cache_read`, `input_cache_write`) and USD per million tokens as exact
//! numbers under the configuration's names; it is `null` where the price is not known or depends on
//! the model that is chosen.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use jiff::Timestamp;
use serde::Serialize;

use super::error::Failure;
use super::json::{Usd, per_token};
use crate::catalog::{Capabilities, Capability, Model, Price, Resolution, Tier};
use crate::money::{NanoUsd, PerMTok};
use crate::pipeline::ChatError;
use crate::state::AppState;

/// The whole answer of the list.
#[derive(Debug, Serialize)]
pub(super) struct List {
    object: &'static str,
    data: Vec<Entry>,
}

/// One name that a client may send as `model`.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    id: String,
    object: &'static str,
    /// OpenAI's SDKs require it; no provider's date is known here.
    created: u64,
    owned_by: String,
    context_window: u32,
    /// The same, under OpenRouter's name.
    context_length: u32,
    max_output_tokens: u32,
    limit: Limit,
    pricing: Option<Pricing>,
    capabilities: Vec<Capability>,
    max_tier: Option<Tier>,
    /// Whether it could be called at this moment.
    available: bool,
    /// What an alias stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Vec<String>>,
}

/// The window again, in the form of opencode's model table.
#[derive(Debug, Serialize)]
struct Limit {
    context: u32,
    output: u32,
}

/// USD per token (strings) and per million tokens (numbers), as of now and for a short prompt.
#[derive(Debug, Serialize)]
struct Pricing {
    prompt: String,
    completion: String,
    input_cache_read: String,
    input_cache_write: String,
    input_usd_per_mtok: Usd,
    output_usd_per_mtok: Usd,
    cache_read_usd_per_mtok: Usd,
    cache_write_usd_per_mtok: Usd,
}

/// `GET /v1/models`; `?available=true` leaves out what cannot be called now.
pub(super) async fn list(State(state): State<AppState>, RawQuery(query): RawQuery) -> Json<List> {
    std::future::ready(()).await;
    let snapshot = state.current();
    let now = state.runtime.clock.now();
    let names = alias_names(&snapshot.catalog);
    let mut data: Vec<Entry> = names.iter().filter_map(|name| alias(&state, name)).collect();
    let models = snapshot.catalog.models().iter().filter(|model| model.active);
    data.extend(models.map(|model| single(&state, model, now)));
    if query.is_some_and(|query| query.split('&').any(|pair| pair == "available=true")) {
        data.retain(|entry| entry.available);
    }
    Json(List { object: "list", data })
}

/// `GET /v1/models/{id}`, the id raw or with `%2F`.
pub(super) async fn one(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Entry>, Failure> {
    std::future::ready(()).await;
    let snapshot = state.current();
    let now = state.runtime.clock.now();
    let models = snapshot.catalog.models();
    if let Some(model) = models.iter().find(|model| model.active && model.id.as_str() == id)
        && !snapshot.catalog.aliases().iter().any(|alias| alias.pattern == id)
    {
        return Ok(Json(single(&state, model, now)));
    }
    let gone = |message, nearest| Failure::from(ChatError::ModelNotFound { message, nearest });
    match snapshot.catalog.resolve(&id) {
        Resolution::Auto(_) => alias(&state, &id).map(Json).ok_or_else(|| {
            gone(format!("no configured model can serve `{}`", shown(&id)), Vec::new())
        }),
        Resolution::Models { targets, .. } => match targets.as_slice() {
            [only] if is_bare_name_of(&only.model, &id) => {
                Ok(Json(single(&state, &only.model, now)))
            }
            _ => alias(&state, &id).map(Json).ok_or_else(|| {
                gone(format!("`{}` stands for no configured model", shown(&id)), Vec::new())
            }),
        },
        Resolution::Removed { id, replacement } => {
            let hint = replacement.as_ref().map_or_else(
                || "GET /v1/models lists what there is".to_owned(),
                |name| format!("use `{name}` instead"),
            );
            Err(gone(
                format!("`{id}` has been removed by its provider; {hint}"),
                replacement.into_iter().collect(),
            ))
        }
        Resolution::Unknown { nearest } => {
            let hint = match nearest.is_empty() {
                true => "GET /v1/models lists what there is".to_owned(),
                false => format!("did you mean {}?", nearest.join(" or ")),
            };
            Err(gone(format!("there is no model `{}`; {hint}", shown(&id)), nearest))
        }
    }
}

fn is_bare_name_of(model: &Model, name: &str) -> bool {
    model.upstream == name || model.id.as_str() == name
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// `auto`, its tiers, and every alias that is a name and not a pattern, each once.
fn alias_names(catalog: &crate::catalog::Catalog) -> Vec<String> {
    let mut names = vec!["auto".to_owned()];
    names.extend(Tier::ALL.iter().map(|tier| format!("auto:{tier}")));
    for alias in catalog.aliases() {
        let is_name = !alias.pattern.contains(['*', '?', '[', '{']);
        if is_name && !names.contains(&alias.pattern) {
            names.push(alias.pattern.clone());
        }
    }
    names
}

fn single(state: &AppState, model: &Model, now: Timestamp) -> Entry {
    Entry {
        id: model.id.to_string(),
        object: "model",
        created: 0,
        owned_by: model.provider.to_string(),
        context_window: model.context_window,
        context_length: model.context_window,
        max_output_tokens: model.max_output_tokens,
        limit: Limit { context: model.context_window, output: model.max_output_tokens },
        pricing: model.price.as_ref().map(|price| pricing(price, now)),
        capabilities: model.capabilities.iter().collect(),
        max_tier: Some(model.max_tier),
        available: state.model_down(model).is_none(),
        targets: None,
    }
}

/// An alias as one entry: the smallest window of its targets, what any of them can do. Targets that
/// cannot be called count only if none can.
fn alias(state: &AppState, name: &str) -> Option<Entry> {
    let snapshot = state.current();
    let (targets, listed) = match snapshot.catalog.resolve(name) {
        Resolution::Auto(tier) => (auto_targets(snapshot.catalog.models(), tier), None),
        Resolution::Models { targets, .. } => {
            let models: Vec<_> = targets.into_iter().map(|target| target.model).collect();
            let names = models.iter().map(|model| model.id.to_string()).collect();
            (models, Some(names))
        }
        Resolution::Removed { .. } | Resolution::Unknown { .. } => return None,
    };
    let up: Vec<_> =
        targets.iter().filter(|model| state.model_down(model).is_none()).cloned().collect();
    let available = !up.is_empty();
    let counted = if available { up } else { targets };
    let counted = if listed.is_none() { without_last_resort(counted) } else { counted };
    let window = counted.iter().map(|model| model.context_window).min()?;
    let output = counted.iter().map(|model| model.max_output_tokens).min()?;
    let capabilities: Capabilities =
        counted.iter().flat_map(|model| model.capabilities.iter()).collect();
    Some(Entry {
        id: name.to_owned(),
        object: "model",
        created: 0,
        owned_by: "edge-router".to_owned(),
        context_window: window,
        context_length: window,
        max_output_tokens: output,
        limit: Limit { context: window, output },
        pricing: None,
        capabilities: capabilities.iter().collect(),
        max_tier: counted.iter().map(|model| model.max_tier).max(),
        available,
        targets: listed,
    })
}

fn auto_targets(models: &[Arc<Model>], tier: Option<Tier>) -> Vec<Arc<Model>> {
    let chats = |model: &&Arc<Model>| model.active && model.capabilities.has(Capability::Chat);
    let fit = |model: &&Arc<Model>| tier.is_none_or(|tier| model.max_tier >= tier);
    let trusted: Vec<_> = models.iter().filter(chats).filter(fit).cloned().collect();
    if trusted.is_empty() { models.iter().filter(chats).cloned().collect() } else { trusted }
}

/// `auto` never sends a prompt to a model that it does not fit, so the small window of the local
/// models must not make clients cut their history while others serve too.
fn without_last_resort(models: Vec<Arc<Model>>) -> Vec<Arc<Model>> {
    let remote: Vec<_> = models.iter().filter(|model| !model.local).cloned().collect();
    if remote.is_empty() { models } else { remote }
}

fn pricing(price: &Price, now: Timestamp) -> Pricing {
    let rates = price.at(now, 0);
    let per_mtok = |rate: PerMTok| Usd(NanoUsd(rate.0));
    Pricing {
        prompt: per_token(rates.input),
        completion: per_token(rates.output),
        input_cache_read: per_token(rates.cache_read),
        input_cache_write: per_token(rates.cache_write),
        input_usd_per_mtok: per_mtok(rates.input),
        output_usd_per_mtok: per_mtok(rates.output),
        cache_read_usd_per_mtok: per_mtok(rates.cache_read),
        cache_write_usd_per_mtok: per_mtok(rates.cache_write),
    }
}
