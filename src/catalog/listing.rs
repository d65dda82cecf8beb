//! The names that `/v1/models` shows: `auto`, the aliases, the models.

use std::sync::Arc;

use jiff::Timestamp;
use strum::VariantArray;

use super::shelf::Shelf;
use super::{Catalog, Model, Resolution};

/// One entry of the model list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What a client may send as `model`.
    pub name: String,
    /// The model itself; `None` for `auto` and aliases, whose price depends on the choice.
    pub model: Option<Arc<Model>>,
    /// In tokens; of a name with several targets the smallest. `None`: nothing stands behind it now.
    pub context_window: Option<u32>,
    pub max_output_tokens: Option<u32>,
}

impl Catalog {
    /// `auto`, the configured aliases that are no globs, the built-in names that are not overridden,
    /// and every model that is not gone, in this order; of models only those that the reader `may` use.
    pub fn listing(&self, now: Timestamp, may: &dyn Fn(&Model) -> bool) -> Vec<Listed> {
        let own = self.aliases.iter().filter(|alias| !alias.is_glob()).map(|alias| &*alias.pattern);
        let built_in = Shelf::VARIANTS.iter().map(|shelf| shelf.into());
        let mut names: Vec<&str> = vec!["auto"];
        for name in own.chain(built_in) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let models = self.models.iter().filter(|model| !model.is_gone(now) && may(model));
        let models = models.map(|model| Listed {
            name: model.id.to_string(),
            model: Some(model.clone()),
            context_window: Some(model.context_window),
            max_output_tokens: Some(model.max_output_tokens),
        });
        names.into_iter().map(|name| self.listed_name(name, now, may)).chain(models).collect()
    }

    /// One entry by name: an alias, or a model by its id. A bare wire name is not listed.
    pub fn listed(
        &self,
        name: &str,
        now: Timestamp,
        may: &dyn Fn(&Model) -> bool,
    ) -> Option<Listed> {
        self.listing(now, may).into_iter().find(|entry| entry.name == name)
    }

    fn listed_name(&self, name: &str, now: Timestamp, may: &dyn Fn(&Model) -> bool) -> Listed {
        let mut models: Vec<Arc<Model>> = match self.resolve(name, now) {
            Resolution::Auto(tier) => self.auto_targets(tier, now, may),
            Resolution::Models { targets, .. } => {
                targets.into_iter().map(|target| target.model).collect()
            }
            Resolution::Removed(_) | Resolution::Unknown { .. } => Vec::new(),
        };
        models.retain(|model| may(model));
        Listed {
            name: name.to_owned(),
            model: None,
            context_window: models.iter().map(|model| model.context_window).min(),
            max_output_tokens: models.iter().map(|model| model.max_output_tokens).min(),
        }
    }

    /// The models that `auto` chooses among. The small engine inside the router counts only where
    /// nothing else is there: it is the last resort, and clients that took its window for the window
    /// of `auto` would cut every conversation down to it.
    fn auto_targets(
        &self,
        tier: Option<super::Tier>,
        now: Timestamp,
        may: &dyn Fn(&Model) -> bool,
    ) -> Vec<Arc<Model>> {
        let mut all = self.everything(tier, now);
        all.retain(|model| may(model));
        let others: Vec<_> =
            all.iter().filter(|model| model.provider.as_str() != "embedded").cloned().collect();
        if others.is_empty() { all } else { others }
    }
}
