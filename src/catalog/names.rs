//! Which models a name stands for: exact alias, alias glob in file order, id, bare wire name.

use std::sync::Arc;

use super::{Model, Tier};

/// How the targets of an alias are ordered for a request.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum AliasStrategy {
    #[default]
    Ordered,
    RoundRobin,
    Weighted,
    QuotaAware,
    Latency,
    Cost,
    Auto,
}

/// One entry of an alias as written: a model, another alias, or `auto`.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasTarget {
    pub name: String,
    /// Share under `weighted` and `quota-aware`; 1 where not given.
    pub weight: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// A name, or a glob such as `claude-*haiku*`.
    pub pattern: String,
    pub strategy: AliasStrategy,
    pub targets: Vec<AliasTarget>,
    /// Tried in order after every target.
    pub fallbacks: Vec<AliasTarget>,
}

/// A model that a name leads to.
#[derive(Clone, Debug)]
pub struct Target {
    pub model: Arc<Model>,
    pub weight: u32,
    /// `true` for a fallback of the alias, tried after all that are not.
    pub fallback: bool,
}

/// What a requested name means.
#[derive(Clone, Debug)]
pub enum Resolution {
    /// Route by content, to a forced tier if one is given (`auto:TIER`).
    Auto(Option<Tier>),
    /// These, in the order of the alias; the tier does not matter.
    Models { strategy: AliasStrategy, targets: Vec<Target> },
    /// The model exists no more; `replacement` is what its provider names.
    Removed { id: String, replacement: Option<String> },
    /// Nothing of that name; up to three near ones.
    Unknown { nearest: Vec<String> },
}
