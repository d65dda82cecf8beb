//! The models that exist: what each can do, costs and is trusted with, and the names it goes by.
//! Compiled from the catalogue file and the configuration; knows nothing of health or budgets.

mod build;
mod listing;
mod names;
mod price;
mod receipt;
mod shelf;

pub use build::{CatalogParts, NameProblem, NameProblemKind, TargetList};
pub use listing::Listed;
pub use names::{Alias, AliasStrategy, AliasTarget, Gone, Resolution, Target};
pub use price::{
    Charge, Given, Kind, Kinds, LongContext, OffPeak, Price, Rates, ScheduledPrice, ServicePrice,
    Terms,
};
pub use receipt::{Receipt, ReceiptLine};

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ModelId, ProviderId};

/// How hard the work is, and how hard work a model can be trusted with.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Tier {
    Trivial,
    Operational,
    Standard,
    Complex,
    Deep,
}

impl Tier {
    pub const ALL: [Self; 5] =
        [Self::Trivial, Self::Operational, Self::Standard, Self::Complex, Self::Deep];

    /// 0 for trivial up to 4 for deep.
    pub fn index(self) -> usize {
        self as usize
    }

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Something a request may need and a model may have.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Capability {
    Chat,
    Tools,
    Vision,
    JsonSchema,
    Reasoning,
    Fim,
    Embeddings,
    Transcription,
}

/// A set of [`Capability`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u16);

impl Capabilities {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub fn with(self, one: Capability) -> Self {
        Self(self.0 | (1 << one as u16))
    }
    pub fn has(self, one: Capability) -> bool {
        self.0 & (1 << one as u16) != 0
    }
    /// Those of `self` that `other` lacks.
    #[must_use]
    pub fn missing_in(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        use strum::VariantArray;
        Capability::VARIANTS.iter().copied().filter(move |one| self.has(*one))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(all: I) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Which requests a model refuses although the protocol has them (facts file, `params`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParamRules {
    /// `temperature`, `top_p`, `top_k` and penalties are a 400.
    pub rejects_sampling: bool,
    /// `tool_choice` that forces a tool is a 400.
    pub rejects_forced_tool_choice: bool,
    /// The cap must be sent as `max_completion_tokens`, `max_tokens` is a 400 (OpenAI reasoning models).
    pub max_completion_tokens: bool,
    /// A last message from the assistant is a 400.
    pub rejects_prefill: bool,
}

/// One model at one provider.
#[derive(Clone, Debug)]
pub struct Model {
    pub id: ModelId,
    pub provider: ProviderId,
    /// The name on the wire.
    pub upstream: String,
    /// Hardest tier it is trusted with.
    pub max_tier: Tier,
    /// `None`: the price is not known; such a model serves only by explicit name and never under a budget.
    pub price: Option<Price>,
    /// In tokens, prompt and answer together.
    pub context_window: u32,
    pub max_output_tokens: u32,
    pub capabilities: Capabilities,
    pub rules: ParamRules,
    /// Runs on this machine or in this house (provider kinds `ollama`, `embedded`, or all prices zero).
    pub local: bool,
    /// `false`: known but not offered (removed upstream); `replacement` names what to use.
    pub active: bool,
    /// When its provider shuts it down, where that is announced; from then on it is as if not active.
    pub retires: Option<Timestamp>,
    pub replacement: Option<String>,
}

impl Model {
    /// Costs nothing, by a price known to be zero.
    pub fn is_free(&self) -> bool {
        self.price.as_ref().is_some_and(Price::is_free)
    }

    /// Not offered at `now`: removed, or past its last day.
    pub fn is_gone(&self, now: Timestamp) -> bool {
        !self.active || self.retires.is_some_and(|end| end <= now)
    }
}

/// All models and names of one configuration. Immutable.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// In the order of the configuration; duplicates are impossible.
    models: Vec<Arc<Model>>,
    by_id: HashMap<ModelId, usize>,
    /// In file order; the built-in ones are computed, see `shelf`.
    aliases: Vec<Alias>,
    /// For aliases that are globs: index into `aliases` and the compiled pattern, in file order.
    globs: Vec<(usize, globset::GlobMatcher)>,
    /// Providers that can be called (configured, and with a key where they need one).
    offered: HashSet<ProviderId>,
    /// Facts on models that exist only where they are found (Ollama's library).
    known: Vec<Arc<Model>>,
}

impl Catalog {
    /// Every model, in the order of the configuration; those that are gone are among them.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The model of exactly this id, gone or not.
    pub fn get(&self, id: &str) -> Option<&Arc<Model>> {
        self.by_id.get(id).map(|index| &self.models[*index])
    }

    /// The configured aliases in file order.
    pub fn aliases(&self) -> &[Alias] {
        &self.aliases
    }

    /// `true` if the model is not gone at `now` and its provider can be called.
    pub fn offers(&self, model: &Model, now: Timestamp) -> bool {
        !model.is_gone(now) && self.offered.contains(&model.provider)
    }

    /// What the built-in catalogue knows of a model that its server may turn out to have
    /// (`upstream` as Ollama names it; `name` and `name:latest` are the same).
    pub fn known_local(&self, provider: &str, upstream: &str) -> Option<&Arc<Model>> {
        let short = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
        self.known.iter().find(|model| {
            model.provider.as_str() == provider && short(&model.upstream) == short(upstream)
        })
    }

    /// This catalogue and models that were found while running. A model that is configured under the
    /// same id stays as it is configured.
    #[must_use]
    pub fn with_models(&self, found: Vec<Model>) -> Self {
        let mut next = self.clone();
        for model in found {
            next.offered.insert(model.provider.clone());
            if !next.by_id.contains_key(&model.id) {
                next.by_id.insert(model.id.clone(), next.models.len());
                next.models.push(Arc::new(model));
            }
        }
        next
    }
}

#[cfg(test)]
pub(crate) mod tests;
