//! From the shape of the file to a configuration without doubt, or to everything that is wrong with
//! it. Each part returns its best reading and reports; only at the end is it decided.

mod aliases;
mod limits;
mod models;
mod prices;
mod providers;
mod sections;

use std::path::PathBuf;

use super::Config;
use super::problem::{ConfigErrors, Path, Report};
use super::raw::RawConfig;

/// What a configuration is read in.
pub(super) struct Surroundings {
    /// Absolute directory that relative paths begin at.
    pub(in crate::config) base: PathBuf,
    /// The file, if there is one.
    pub(in crate::config) file: Option<PathBuf>,
}

/// Under which the built-in catalogue's values are known to a [`Report`].
pub(super) fn built_in_root() -> Path {
    Path::root().key("(built-in)")
}

/// One entry of a list, with the way to it.
#[derive(Clone, Debug)]
struct Entry<T> {
    path: Path,
    raw: T,
    /// Stands in the user's file (perhaps over a built-in one of the same id).
    own: bool,
}

fn entries<T>(list: Vec<T>, section: &Path) -> Vec<Entry<T>> {
    let own =
        *section != built_in_root().key("models") && *section != built_in_root().key("providers");
    let entry = |(index, raw)| Entry { path: section.index(index), raw, own };
    list.into_iter().enumerate().map(entry).collect()
}

/// Checks everything and builds the configuration.
pub(super) fn compile(
    raw: RawConfig,
    built_in: RawConfig,
    surroundings: Surroundings,
    mut report: Report,
) -> Result<Config, ConfigErrors> {
    let RawConfig {
        server,
        catalog: raw_catalog,
        budget,
        routing,
        context,
        report: reporting,
        network,
        classifier,
        providers: own_providers,
        models: own_models,
        aliases: raw_aliases,
        limits,
    } = raw;
    let root = Path::root();
    let builtin = raw_catalog.builtin.unwrap_or(true);
    let (offered, known) = models::split_built_in(built_in.models, &built_in.providers);
    let (built_in_providers, offered) =
        if builtin { (built_in.providers, offered) } else { (Vec::new(), Vec::new()) };
    let providers = providers::compile(
        entries(built_in_providers, &built_in_root().key("providers")),
        entries(own_providers, &root.key("providers")),
        &mut report,
    );
    let sources = models::Sources { offered, known, own: entries(own_models, &root.key("models")) };
    let models = models::compile(sources, &providers, &mut report);
    let limits = limits::compile(limits, &providers, &mut report);
    let server = sections::server(server, &surroundings.base, &mut report);
    let warnings = sections::warnings(&budget, &mut report);
    let budget = sections::budget(budget, &mut report);
    let network = sections::network(network, &surroundings.base, &mut report);
    let quality = classifier.quality.unwrap_or(sections::QUALITY);
    let classifier = sections::classifier(&classifier, &mut report);
    let catalog = aliases::catalog(models, raw_aliases, &providers, &mut report);
    let reporting = sections::reporting(reporting, (catalog.as_ref(), quality), &mut report);
    let notes = std::mem::take(&mut report.notes);
    if !report.is_clean() {
        return Err(report.into_errors());
    }
    Ok(Config {
        server,
        budget,
        warnings,
        routing: sections::routing(&routing),
        context: sections::context(&context),
        report: reporting,
        network,
        classifier,
        providers: providers.into_settings(),
        limits,
        catalog: catalog.unwrap_or_default(),
        source: surroundings.file,
        notes,
    })
}
