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
use crate::catalog::{Capabilities, Capability, Listed, Model, Price, Resolution, Tier};
use crate::keys::{ClientKey, NotAllowed, Permit};
use crate::money::{NanoUsd, PerMTok};
use crate::pipeline::{Caller, ChatError};
use crate::state::{AppState, Snapshot};

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
    /// In tokens; `null` for a name that nothing stands behind now.
    context_window: Option<u32>,
    /// The same, under OpenRouter's name.
    context_length: Option<u32>,
    max_output_tokens: Option<u32>,
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
    context: Option<u32>,
    output: Option<u32>,
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
/// A client key sees what it may use.
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Json<List> {
    let view = View::of(&state, &caller);
    let listing = view.snapshot.catalog.listing(view.now, &|model| view.may(model));
    let shown = listing.iter().filter(|listed| view.narrow(&listed.name).is_ok());
    let mut data: Vec<Entry> = shown.map(|listed| view.entry(listed)).collect();
    if query.is_some_and(|query| query.split('&').any(|pair| pair == "available=true")) {
        data.retain(|entry| entry.available);
    }
    Json(List { object: "list", data })
}

/// `GET /v1/models/{id}`, the id raw or with `%2F`; a bare wire name or a name that an alias glob
/// covers is answered too.
pub(super) async fn one(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Entry>, Failure> {
    let view = View::of(&state, &caller);
    let resolution = view
        .narrow(&id)
        .map_err(|error| ChatError::ModelNotAllowed { message: error.to_string() })?;
    if let Some(listed) = view.snapshot.catalog.listed(&id, view.now, &|model| view.may(model)) {
        return Ok(Json(view.entry(&listed)));
    }
    if let Some(message) = missing(&id, &resolution) {
        let nearest = match resolution {
            Resolution::Unknown { nearest } => nearest,
            Resolution::Removed(gone) => gone.replacement.into_iter().collect(),
            Resolution::Auto(_) | Resolution::Models { .. } => Vec::new(),
        };
        return Err(ChatError::ModelNotFound { message, nearest }.into());
    }
    let targets = view.targets(resolution);
    let listed = match targets.as_slice() {
        [model] if model.upstream == id => Listed {
            name: model.id.to_string(),
            model: Some(model.clone()),
            context_window: Some(model.context_window),
            max_output_tokens: Some(model.max_output_tokens),
        },
        all => Listed {
            name: id,
            model: None,
            context_window: all.iter().map(|model| model.context_window).min(),
            max_output_tokens: all.iter().map(|model| model.max_output_tokens).min(),
        },
    };
    Ok(Json(view.entry(&listed)))
}

/// Why a name leads nowhere, and what to ask for instead.
fn missing(id: &str, resolution: &Resolution) -> Option<String> {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(200).collect();
    let elsewhere = "GET /v1/models lists what there is".to_owned();
    match resolution {
        Resolution::Auto(_) | Resolution::Models { .. } => None,
        Resolution::Removed(gone) => Some(gone.to_string()),
        Resolution::Unknown { nearest } => {
            let near = format!("did you mean {}?", nearest.join(" or "));
            let hint = if nearest.is_empty() { elsewhere } else { near };
            Some(format!("there is no model `{shown}`; {hint}"))
        }
    }
}

/// The catalogue at one moment, as one caller may see it.
struct View<'a> {
    state: &'a AppState,
    snapshot: Arc<Snapshot>,
    client: Option<&'a ClientKey>,
    /// What may serve where the choice is left to the router.
    permit: Permit,
    now: Timestamp,
}

impl<'a> View<'a> {
    fn of(state: &'a AppState, caller: &'a Caller) -> Self {
        let (snapshot, client) = (state.current(), caller.client.as_deref());
        let now = state.runtime.clock.now();
        let permit = client.map(|client| client.listed(&snapshot.catalog, now));
        Self { state, snapshot, client, permit: permit.unwrap_or_default(), now }
    }

    fn may(&self, model: &Model) -> bool {
        self.permit.has(model)
    }

    /// What a name stands for within the caller's bounds.
    fn narrow(&self, name: &str) -> Result<Resolution, NotAllowed> {
        let catalog = &self.snapshot.catalog;
        let resolution = catalog.resolve(name, self.now);
        let Some(client) = self.client else { return Ok(resolution) };
        client.narrow(name, resolution, catalog, self.now).map(|(narrowed, _)| narrowed)
    }

    fn is_up(&self, model: &Model) -> bool {
        self.state.model_down(model).is_none()
    }

    fn entry(&self, listed: &Listed) -> Entry {
        match &listed.model {
            Some(model) => self.single(listed, model),
            None => self.named(listed),
        }
    }

    fn single(&self, listed: &Listed, model: &Model) -> Entry {
        Entry {
            owned_by: model.provider.to_string(),
            pricing: model.price.as_ref().map(|price| pricing(price, self.now)),
            capabilities: model.capabilities.iter().collect(),
            max_tier: Some(model.max_tier),
            available: self.is_up(model),
            ..Entry::bare(listed)
        }
    }

    /// `auto` or an alias: what any of its targets can do.
    fn named(&self, listed: &Listed) -> Entry {
        let nothing = |_| Resolution::Unknown { nearest: Vec::new() };
        let resolution = self.narrow(&listed.name).unwrap_or_else(nothing);
        let fixed = matches!(resolution, Resolution::Models { .. });
        let targets = self.targets(resolution);
        let capabilities: Capabilities =
            targets.iter().flat_map(|model| model.capabilities.iter()).collect();
        Entry {
            capabilities: capabilities.iter().collect(),
            max_tier: targets.iter().map(|model| model.max_tier).max(),
            available: targets.iter().any(|model| self.is_up(model)),
            targets: fixed.then(|| targets.iter().map(|model| model.id.to_string()).collect()),
            ..Entry::bare(listed)
        }
    }

    fn targets(&self, resolution: Resolution) -> Vec<Arc<Model>> {
        match resolution {
            Resolution::Models { targets, .. } => {
                targets.into_iter().map(|target| target.model).collect()
            }
            Resolution::Auto(tier) => {
                let fits = |model: &&Arc<Model>| {
                    model.capabilities.has(Capability::Chat)
                        && tier.is_none_or(|tier| model.max_tier >= tier)
                        && self.may(model)
                        && self.is_up(model)
                };
                self.snapshot.catalog.models().iter().filter(fits).cloned().collect()
            }
            Resolution::Removed(_) | Resolution::Unknown { .. } => Vec::new(),
        }
    }
}

impl Entry {
    /// What is known without looking at the models behind the name.
    fn bare(listed: &Listed) -> Self {
        let (context, output) = (listed.context_window, listed.max_output_tokens);
        Self {
            id: listed.name.clone(),
            object: "model",
            created: 0,
            owned_by: "edge-router".to_owned(),
            context_window: context,
            context_length: context,
            max_output_tokens: output,
            limit: Limit { context, output },
            pricing: None,
            capabilities: Vec::new(),
            max_tier: None,
            available: false,
            targets: None,
        }
    }
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
