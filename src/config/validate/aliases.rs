//! `[aliases]`, and the catalogue that models and names make together.

use std::collections::BTreeMap;

use super::Entry;
use super::models::Models;
use super::providers::Providers;
use crate::catalog::{
    Alias, AliasTarget, Catalog, CatalogParts, NameProblem, NameProblemKind, TargetList,
};
use crate::config::problem::{Path, Report};
use crate::config::values::{RawAlias, RawTarget};

pub(super) fn catalog(
    models: Models,
    raw: BTreeMap<String, RawAlias>,
    providers: &Providers,
    report: &mut Report,
) -> Option<Catalog> {
    let section = Path::root().key("aliases");
    let mut aliases: Vec<(Path, String, RawAlias)> =
        raw.into_iter().map(|(name, alias)| (section.key(&name), name, alias)).collect();
    // Globs are tried in file order.
    aliases.sort_by_key(|(path, _, _)| report.origins.position(path));
    for (path, name, alias) in &aliases {
        check(path, name, alias, report);
    }
    let parts = CatalogParts {
        models: models.offered.iter().map(|entry| entry.raw.clone()).collect(),
        aliases: aliases.iter().map(|(_, name, alias)| compile(name, alias)).collect(),
        offered: providers.enabled(),
        discovering: providers.discovering(),
        known: models.known,
    };
    match Catalog::build(parts) {
        Ok(catalog) => Some(catalog),
        Err(problems) => {
            for problem in problems {
                // The name may be that of an entry whose id could not be read.
                let unsure = matches!(problem.kind, NameProblemKind::UnknownTarget { .. });
                if unsure && models.nameless {
                    continue;
                }
                tell(&problem, &aliases, &models.offered, report);
            }
            None
        }
    }
}

fn check(path: &Path, name: &str, alias: &RawAlias, report: &mut Report) {
    if name.trim().is_empty() {
        report.problem(path, "has no name");
    }
    let lists = [(TargetList::Targets, &alias.targets), (TargetList::Fallbacks, &alias.fallbacks)];
    for (list, targets) in lists {
        for (place, target) in targets.iter().enumerate() {
            if target.weight == Some(0) {
                let path = target_path(path, alias, (list, place)).key("weight");
                report.problem(&path, "is 0; allowed: 1 or more");
            }
        }
    }
}

fn compile(name: &str, alias: &RawAlias) -> Alias {
    let targets = |list: &[RawTarget]| {
        let target = |raw: &RawTarget| AliasTarget {
            name: raw.model.clone(),
            weight: raw.weight.unwrap_or(1),
        };
        list.iter().map(target).collect()
    };
    Alias {
        pattern: name.to_owned(),
        strategy: alias.strategy.unwrap_or_default(),
        targets: targets(&alias.targets),
        fallbacks: targets(&alias.fallbacks),
    }
}

fn target_path(path: &Path, alias: &RawAlias, (list, place): (TargetList, usize)) -> Path {
    match list {
        TargetList::Targets if alias.is_list => path.index(place),
        TargetList::Targets => path.key("targets").index(place),
        TargetList::Fallbacks => path.key("fallbacks").index(place),
    }
}

fn tell(
    problem: &NameProblem,
    aliases: &[(Path, String, RawAlias)],
    models: &[Entry<crate::catalog::Model>],
    report: &mut Report,
) {
    if problem.kind == NameProblemKind::DuplicateModel {
        if let Some(entry) = models.get(problem.index) {
            report.problem(&entry.path.key("id"), &problem.kind);
        }
        return;
    }
    let Some((path, _, alias)) = aliases.get(problem.index) else { return };
    let path = problem.target.map_or_else(|| path.clone(), |place| target_path(path, alias, place));
    report.problem(&path, &problem.kind);
}
