//! Which models a name stands for: exact alias, alias glob in file order, id, bare wire name.

use std::sync::Arc;

use jiff::Timestamp;
use strum::VariantArray;

use super::shelf::Shelf;
use super::{Catalog, Model, Tier};

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
    /// The built-in name merely goes on to it when its own models cannot serve: dear ones after the
    /// cheap. No business of a client key that lists the name.
    pub beyond: bool,
}

/// What a requested name means.
#[derive(Clone, Debug)]
pub enum Resolution {
    /// Route by content, to a forced tier if one is given (`auto:TIER`).
    Auto(Option<Tier>),
    /// These, in the order of the alias; the tier does not matter.
    Models { strategy: AliasStrategy, targets: Vec<Target> },
    /// The model exists no more.
    Removed(Gone),
    /// Nothing of that name; up to three near ones.
    Unknown { nearest: Vec<String> },
}

/// A model that exists no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    pub id: String,
    /// When it was shut down, where that is known.
    pub since: Option<Timestamp>,
    /// What its provider names in its place, and has still.
    pub replacement: Option<String>,
}

/// `a/old was shut down on 2026-07-24; use a/new`, each name in backticks.
impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.since {
            Some(since) => {
                write!(f, "`{}` was shut down on {}", self.id, since.strftime("%Y-%m-%d"))?;
            }
            None => write!(f, "`{}` is no longer offered by its provider", self.id)?,
        }
        match &self.replacement {
            Some(name) => write!(f, "; use `{name}`"),
            None => f.write_str("; GET /v1/models lists what there is"),
        }
    }
}

impl Alias {
    /// Whether the pattern is a glob rather than a plain name.
    pub fn is_glob(&self) -> bool {
        self.pattern.contains(['*', '?', '[', '{'])
    }
}

/// What one name means, before the targets of an alias are followed.
pub(super) enum Step {
    Auto(Option<Tier>),
    /// Index of the configured alias.
    Alias(usize),
    Shelf(Shelf),
    Model(Arc<Model>),
    /// Several models have this wire name: their ids.
    Ambiguous(Vec<String>),
    Unknown,
}

impl Catalog {
    /// What a requested name means: exact alias, alias glob in file order, id, bare wire name.
    /// Absent (`""`) and `edge-router` mean `auto`.
    ///
    /// What is gone at `now` stands behind no name but its own.
    pub fn resolve(&self, name: &str, now: Timestamp) -> Resolution {
        let name = name.trim();
        if let Some(exact) = self.exact(name) {
            return self.follow(exact, name, now);
        }
        if let Some((index, _)) = self.globs.iter().find(|(_, glob)| glob.is_match(name)) {
            return self.follow(Step::Alias(*index), name, now);
        }
        self.follow(self.model_step(name, now), name, now)
    }

    /// What the configured alias of exactly this pattern stands for, glob or not.
    pub fn resolve_alias(&self, pattern: &str, now: Timestamp) -> Resolution {
        match self.aliases.iter().position(|alias| alias.pattern == pattern) {
            Some(index) => self.expand(index, now),
            None => Resolution::Unknown { nearest: Vec::new() },
        }
    }

    /// The names that stand for models in every configuration, besides `auto`.
    pub fn built_in_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        Shelf::VARIANTS.iter().map(<&'static str>::from)
    }

    /// The meaning of a target inside an alias. Globs come last here, so that
    /// `"*haiku*" = ["claude-haiku-4-5"]` reaches the model.
    pub(super) fn step(&self, name: &str, now: Timestamp) -> Step {
        if let Some(exact) = self.exact(name) {
            return exact;
        }
        match self.model_step(name, now) {
            Step::Unknown => self
                .globs
                .iter()
                .find(|(_, glob)| glob.is_match(name))
                .map_or(Step::Unknown, |(index, _)| Step::Alias(*index)),
            found => found,
        }
    }

    fn exact(&self, name: &str) -> Option<Step> {
        let configured = |name: &str| {
            self.aliases.iter().position(|alias| alias.pattern == name && !alias.is_glob())
        };
        if let Some(index) = configured(name) {
            return Some(Step::Alias(index));
        }
        let name = if matches!(name, "" | "edge-router") { "auto" } else { name };
        if let Some(index) = configured(name) {
            return Some(Step::Alias(index));
        }
        if name == "auto" {
            return Some(Step::Auto(None));
        }
        if let Some(tier) = name.strip_prefix("auto:") {
            return tier.parse().ok().map(|tier| Step::Auto(Some(tier)));
        }
        name.parse().ok().map(Step::Shelf)
    }

    fn model_step(&self, name: &str, now: Timestamp) -> Step {
        if let Some(model) = self.get(name) {
            return Step::Model(model.clone());
        }
        let same: Vec<&Arc<Model>> =
            self.models.iter().filter(|model| model.upstream == name).collect();
        let active: Vec<_> = same.iter().filter(|model| !model.is_gone(now)).copied().collect();
        let offered: Vec<_> =
            active.iter().filter(|model| self.offers(model, now)).copied().collect();
        for narrowed in [&offered, &active, &same] {
            match narrowed.as_slice() {
                [] => {}
                [only] => return Step::Model(Arc::clone(only)),
                many => return Step::Ambiguous(many.iter().map(|m| m.id.to_string()).collect()),
            }
        }
        Step::Unknown
    }

    fn follow(&self, step: Step, name: &str, now: Timestamp) -> Resolution {
        match step {
            Step::Auto(tier) => Resolution::Auto(tier),
            Step::Shelf(shelf) => {
                Resolution::Models { strategy: shelf.strategy(), targets: self.shelf(shelf, now) }
            }
            Step::Model(model) if !model.is_gone(now) => Resolution::Models {
                strategy: AliasStrategy::Ordered,
                targets: vec![Target { model, weight: 1, fallback: false, beyond: false }],
            },
            Step::Model(model) => Resolution::Removed(self.gone(&model, now)),
            Step::Alias(index) => self.expand(index, now),
            Step::Ambiguous(ids) => Resolution::Unknown { nearest: ids },
            Step::Unknown => Resolution::Unknown { nearest: self.nearest(name, now) },
        }
    }

    /// What to say of a model that is gone. A replacement that is gone as well has one of its own.
    fn gone(&self, model: &Model, now: Timestamp) -> Gone {
        let mut next = model.replacement.as_deref();
        let mut seen = vec![model.id.as_str()];
        while let Some(other) = next.and_then(|id| self.get(id)).filter(|other| other.is_gone(now))
        {
            seen.push(other.id.as_str());
            next = other.replacement.as_deref().filter(|id| !seen.contains(id));
        }
        let since = model.retires.filter(|end| *end <= now);
        Gone { id: model.id.to_string(), since, replacement: next.map(str::to_owned) }
    }

    fn expand(&self, index: usize, now: Timestamp) -> Resolution {
        let alias = &self.aliases[index];
        if let Some(tier) = self.leads_to_auto(index, 0, now) {
            return Resolution::Auto(tier);
        }
        let mut walk = Walk::begin(index, now);
        self.collect(alias, (1, false), &mut walk);
        let (mut targets, fallbacks): (Vec<_>, Vec<_>) =
            walk.found.into_iter().partition(|target| !target.fallback);
        targets.extend(fallbacks);
        match walk.removed {
            Some(gone) if targets.is_empty() => Resolution::Removed(self.gone(&gone, now)),
            _ => Resolution::Models { strategy: alias.strategy, targets },
        }
    }

    /// `auto` as the first target: it ends with every model there is, so nothing after it matters.
    fn leads_to_auto(&self, index: usize, depth: usize, now: Timestamp) -> Option<Option<Tier>> {
        let first = self.aliases[index].targets.first()?;
        match self.step(&first.name, now) {
            Step::Auto(tier) => Some(tier),
            Step::Alias(next) if depth < self.aliases.len() => {
                self.leads_to_auto(next, depth + 1, now)
            }
            _ => None,
        }
    }

    fn collect(&self, alias: &Alias, (share, behind): (u32, bool), walk: &mut Walk) {
        let targets = alias.targets.iter().map(|target| (target, behind));
        let fallbacks = alias.fallbacks.iter().map(|target| (target, true));
        for (target, fallback) in targets.chain(fallbacks) {
            let weight = share.saturating_mul(target.weight);
            match self.step(&target.name, walk.now) {
                Step::Model(model) if !model.is_gone(walk.now) => {
                    walk.add(Target { model, weight, fallback, beyond: false });
                }
                Step::Model(model) => walk.removed = walk.removed.take().or(Some(model)),
                Step::Shelf(shelf) => {
                    for one in self.shelf(shelf, walk.now) {
                        walk.add(Target { weight, fallback, ..one });
                    }
                }
                // Named models first, then everything else: the reader of the list expects that
                // `auto` at its end is the way out when none of the named can serve.
                Step::Auto(tier) => {
                    for model in self.everything(tier, walk.now) {
                        walk.add(Target { model, weight, fallback: true, beyond: false });
                    }
                }
                Step::Alias(next) if !walk.trail.contains(&next) => {
                    walk.trail.push(next);
                    self.collect(&self.aliases[next], (weight, fallback), walk);
                    walk.trail.pop();
                }
                // A target that its server may have tomorrow; circles were refused when building.
                Step::Alias(_) | Step::Ambiguous(_) | Step::Unknown => {}
            }
        }
    }

    /// Up to three names like this one: aliases and models that can be called, else any model.
    pub(super) fn nearest(&self, name: &str, now: Timestamp) -> Vec<String> {
        let offered = self.like(name, &|model| self.offers(model, now));
        if offered.is_empty() { self.like(name, &|model| !model.is_gone(now)) } else { offered }
    }

    fn like(&self, name: &str, eligible: &dyn Fn(&Model) -> bool) -> Vec<String> {
        let wanted = name.to_lowercase();
        let built_in = Shelf::VARIANTS.iter().map(|shelf| <&'static str>::from(shelf).to_owned());
        let aliases =
            self.aliases.iter().filter(|one| !one.is_glob()).map(|one| one.pattern.clone());
        let mut scored: Vec<(f64, String)> = std::iter::once("auto".to_owned())
            .chain(built_in)
            .chain(aliases)
            .map(|other| (likeness(&wanted, &other), other))
            .collect();
        for model in self.models.iter().filter(|model| eligible(model)) {
            let tail = model.id.as_str().split_once('/').map_or("", |(_, tail)| tail);
            let score = likeness(&wanted, model.id.as_str()).max(likeness(&wanted, tail));
            scored.push((score, model.id.to_string()));
        }
        scored.retain(|(score, _)| *score >= 0.45);
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        scored.dedup_by(|a, b| a.1 == b.1);
        scored.into_iter().take(3).map(|(_, name)| name).collect()
    }
}

fn likeness(wanted: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(wanted, &other.to_lowercase())
}

/// What has been gathered on the way through an alias.
struct Walk {
    now: Timestamp,
    found: Vec<Target>,
    /// Aliases that are being followed.
    trail: Vec<usize>,
    /// The first target that exists no more.
    removed: Option<Arc<Model>>,
}

impl Walk {
    fn begin(index: usize, now: Timestamp) -> Self {
        Self { now, found: Vec::new(), trail: vec![index], removed: None }
    }

    /// The first mention of a model counts.
    fn add(&mut self, target: Target) {
        match self.found.iter_mut().find(|known| known.model.id == target.model.id) {
            Some(known) => known.beyond &= target.beyond,
            None => self.found.push(target),
        }
    }
}
