//! Puts models and names together and refuses names that lead nowhere: unknown or ambiguous
//! targets, circles, malformed globs, models given twice. Knows nothing of files and lines; a
//! problem says which alias and which target it is about.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::names::Step;
use super::{Alias, AliasTarget, Catalog, Model};
use crate::ids::ProviderId;

/// What a catalogue is made of.
#[derive(Clone, Debug, Default)]
pub struct CatalogParts {
    pub models: Vec<Model>,
    /// In file order.
    pub aliases: Vec<Alias>,
    /// Providers that can be called.
    pub offered: HashSet<ProviderId>,
    /// Providers whose models are found only while running: a target `provider/anything` of theirs is
    /// no error.
    pub discovering: HashSet<ProviderId>,
    /// Facts on models that such providers may turn out to have.
    pub known: Vec<Model>,
}

/// A configuration is right or wrong whatever the date: before any model's last day.
const EVER: Timestamp = Timestamp::MIN;

/// Something wrong with the names, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameProblem {
    /// Index of the alias in [`CatalogParts::aliases`], of the model for
    /// [`NameProblemKind::DuplicateModel`].
    pub index: usize,
    /// The target in question: whether it is a fallback, and its index there.
    pub target: Option<(TargetList, usize)>,
    pub kind: NameProblemKind,
}

/// Which list of an alias a target stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetList {
    Targets,
    Fallbacks,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblemKind {
    #[error("this id is given twice")]
    DuplicateModel,
    #[error("not a usable glob: {0}")]
    BadGlob(String),
    #[error("no model or alias is called `{name}`{}", did_you_mean(nearest))]
    UnknownTarget { name: String, nearest: Vec<String> },
    #[error("`{name}` is the name of several models, write one of: {}", ids.join(", "))]
    AmbiguousTarget { name: String, ids: Vec<String> },
    #[error("leads in a circle: {}", through.join(" -> "))]
    Circle { through: Vec<String> },
    #[error("has no targets")]
    Empty,
}

fn did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    format!("; the nearest names are {}", nearest.join(", "))
}

impl Catalog {
    /// Compiles models and names.
    ///
    /// # Errors
    /// Every problem with the names, not only the first.
    pub fn build(parts: CatalogParts) -> Result<Self, Vec<NameProblem>> {
        let CatalogParts { models, aliases, offered, discovering, known } = parts;
        let mut problems = Vec::new();
        let mut by_id = HashMap::new();
        for (index, model) in models.iter().enumerate() {
            if by_id.insert(model.id.clone(), index).is_some() {
                problems.push(NameProblem {
                    index,
                    target: None,
                    kind: NameProblemKind::DuplicateModel,
                });
            }
        }
        let globs = compile_globs(&aliases, &mut problems);
        let catalog = Self {
            models: models.into_iter().map(Arc::new).collect(),
            by_id,
            aliases,
            globs,
            offered,
            known: known.into_iter().map(Arc::new).collect(),
        };
        catalog.check_targets(&discovering, &mut problems);
        if problems.is_empty() { Ok(catalog) } else { Err(problems) }
    }

    fn check_targets(&self, discovering: &HashSet<ProviderId>, problems: &mut Vec<NameProblem>) {
        for (index, alias) in self.aliases.iter().enumerate() {
            if alias.targets.is_empty() && alias.fallbacks.is_empty() {
                problems.push(NameProblem { index, target: None, kind: NameProblemKind::Empty });
            }
            for (list, targets) in
                [(TargetList::Targets, &alias.targets), (TargetList::Fallbacks, &alias.fallbacks)]
            {
                for (place, target) in targets.iter().enumerate() {
                    if let Some(kind) = self.check_target(alias, target, discovering) {
                        problems.push(NameProblem { index, target: Some((list, place)), kind });
                    }
                }
            }
        }
    }

    fn check_target(
        &self,
        alias: &Alias,
        target: &AliasTarget,
        discovering: &HashSet<ProviderId>,
    ) -> Option<NameProblemKind> {
        match self.step(&target.name, EVER) {
            Step::Alias(index) => self
                .circle(index, &mut vec![alias.pattern.clone()])
                .map(|through| NameProblemKind::Circle { through }),
            Step::Ambiguous(ids) => {
                Some(NameProblemKind::AmbiguousTarget { name: target.name.clone(), ids })
            }
            Step::Unknown => {
                let provider = target.name.split_once('/').map(|(provider, _)| provider);
                let may_be_found = provider.is_some_and(|provider| discovering.contains(provider));
                (!may_be_found).then(|| NameProblemKind::UnknownTarget {
                    name: target.name.clone(),
                    nearest: self.nearest(&target.name, EVER),
                })
            }
            Step::Auto(_) | Step::Shelf(_) | Step::Model(_) => None,
        }
    }

    /// The way from alias `index` back to the first of `through`, if there is one.
    fn circle(&self, index: usize, through: &mut Vec<String>) -> Option<Vec<String>> {
        let alias = &self.aliases[index];
        let repeated = through.contains(&alias.pattern);
        through.push(alias.pattern.clone());
        if repeated {
            return (through.first() == through.last()).then(|| through.clone());
        }
        let found = alias.targets.iter().chain(&alias.fallbacks).find_map(|target| {
            match self.step(&target.name, EVER) {
                Step::Alias(next) => self.circle(next, through),
                _ => None,
            }
        });
        through.pop();
        found
    }
}

fn compile_globs(
    aliases: &[Alias],
    problems: &mut Vec<NameProblem>,
) -> Vec<(usize, globset::GlobMatcher)> {
    let mut globs = Vec::new();
    for (index, alias) in aliases.iter().enumerate().filter(|(_, alias)| alias.is_glob()) {
        match globset::Glob::new(&alias.pattern) {
            Ok(glob) => globs.push((index, glob.compile_matcher())),
            Err(error) => problems.push(NameProblem {
                index,
                target: None,
                kind: NameProblemKind::BadGlob(error.kind().to_string()),
            }),
        }
    }
    globs
}
