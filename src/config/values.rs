//! Values that a configuration file may write in more than one way: money, aliases, day lists.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::catalog::AliasStrategy;
use crate::money::{NanoUsd, PerMTok};

/// Decimal USD, zero or more: a TOML integer, float or string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(with = "UsdSchema")]
pub(super) struct Usd(pub(super) NanoUsd);

impl Usd {
    /// The amount as a price per million tokens.
    pub(super) fn per_mtok(self) -> PerMTok {
        PerMTok(self.0.0)
    }
}

#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only describes what is accepted")]
enum UsdSchema {
    Number(f64),
    Decimal(String),
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UsdVisitor)
    }
}

struct UsdVisitor;

impl UsdVisitor {
    fn read<E: de::Error>(text: &str) -> Result<Usd, E> {
        let amount: NanoUsd = text.trim().parse().map_err(E::custom)?;
        if amount < NanoUsd::ZERO {
            return Err(E::custom(format_args!("`{text}` is negative; allowed: 0 or more")));
        }
        Ok(Usd(amount))
    }
}

impl Visitor<'_> for UsdVisitor {
    type Value = Usd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal amount in USD such as 0.25 or \"0.25\"")
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Usd, E> {
        Self::read(&value.to_string())
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Usd, E> {
        Self::read(&value.to_string())
    }
    // The shortest text that gives the same float is what the file says, for any amount that a
    // person writes; the float itself is never computed with.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Usd, E> {
        Self::read(&value.to_string())
    }
    fn visit_str<E: de::Error>(self, value: &str) -> Result<Usd, E> {
        Self::read(value)
    }
}

/// Names for clients. Each is a name or a glob (`"claude-*haiku*"`; globs are tried in file order) and
/// stands for a model or alias, an ordered list of them, or a table with a strategy. Built in, and
/// overridable: auto, auto:TIER, local, free, cheap, balanced, premium.
#[derive(Clone, Debug, Default, PartialEq, schemars::JsonSchema)]
#[schemars(with = "AliasSchema")]
pub(super) struct RawAlias {
    pub(super) strategy: Option<AliasStrategy>,
    pub(super) targets: Vec<RawTarget>,
    pub(super) fallbacks: Vec<RawTarget>,
    /// Written as a list: the targets stand directly under the alias.
    pub(super) is_list: bool,
}

/// One target: a name, or a table with a weight.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema)]
#[schemars(with = "TargetSchema")]
pub(super) struct RawTarget {
    pub(super) model: String,
    pub(super) weight: Option<u32>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct AliasTable {
    /// How the targets are ordered for a request. Default ordered.
    #[serde(default)]
    strategy: Option<AliasStrategy>,
    /// Models and aliases.
    #[serde(default)]
    targets: Vec<RawTarget>,
    /// Tried in order after every target. Default [].
    #[serde(default)]
    fallbacks: Vec<RawTarget>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct TargetTable {
    /// A model or an alias.
    model: String,
    /// Its share under `weighted` and `quota-aware`. Default 1.
    #[serde(default)]
    weight: Option<u32>,
}

#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only describes what is accepted")]
enum AliasSchema {
    Name(String),
    List(Vec<RawTarget>),
    Table(AliasTable),
}

#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only describes what is accepted")]
enum TargetSchema {
    Name(String),
    Table(TargetTable),
}

impl<'de> Deserialize<'de> for RawAlias {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AliasVisitor)
    }
}

struct AliasVisitor;

impl<'de> Visitor<'de> for AliasVisitor {
    type Value = RawAlias;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names, or a table with `strategy`, `targets` and `fallbacks`")
    }
    fn visit_str<E: de::Error>(self, name: &str) -> Result<RawAlias, E> {
        let target = RawTarget { model: name.to_owned(), weight: None };
        Ok(RawAlias { targets: vec![target], is_list: true, ..RawAlias::default() })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<RawAlias, A::Error> {
        let targets = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(RawAlias { targets, is_list: true, ..RawAlias::default() })
    }
    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<RawAlias, A::Error> {
        let AliasTable { strategy, targets, fallbacks } =
            AliasTable::deserialize(MapAccessDeserializer::new(table))?;
        Ok(RawAlias { strategy, targets, fallbacks, is_list: false })
    }
}

impl<'de> Deserialize<'de> for RawTarget {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TargetVisitor)
    }
}

struct TargetVisitor;

impl<'de> Visitor<'de> for TargetVisitor {
    type Value = RawTarget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a model or alias, or a table with `model` and `weight`")
    }
    fn visit_str<E: de::Error>(self, name: &str) -> Result<RawTarget, E> {
        Ok(RawTarget { model: name.to_owned(), weight: None })
    }
    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<RawTarget, A::Error> {
        let TargetTable { model, weight } =
            TargetTable::deserialize(MapAccessDeserializer::new(table))?;
        Ok(RawTarget { model, weight })
    }
}
