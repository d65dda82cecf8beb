//! The built-in names that stand for a class of models, computed from what the catalogue offers, so
//! that they never name a model that is not there. Each can be overridden by an alias.

use std::sync::Arc;

use jiff::Timestamp;

use super::{AliasStrategy, Capability, Catalog, Model, Target, Tier};

/// A built-in name for a class of models.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Shelf {
    /// Every free model, the most trusted first.
    Local,
    /// The same.
    Free,
    /// Trusted with operational work or more, the cheapest first.
    Cheap,
    /// Trusted with complex work or more, the cheapest first.
    Balanced,
    /// The most trusted first, among those the dearest first.
    Premium,
}

impl Shelf {
    pub(super) fn strategy(self) -> AliasStrategy {
        match self {
            Self::Local | Self::Free | Self::Premium => AliasStrategy::Ordered,
            Self::Cheap | Self::Balanced => AliasStrategy::Cost,
        }
    }

    fn admits(self, model: &Model) -> bool {
        match self {
            Self::Local | Self::Free => model.is_free(),
            Self::Cheap => model.price.is_some() && model.max_tier >= Tier::Operational,
            Self::Balanced | Self::Premium => model.max_tier >= Tier::Complex,
        }
    }

    /// What the dearest of its own models costs; those above are only gone on to. `cheap` and
    /// `balanced` end where the models that nothing less is trusted with begin: at the dearest
    /// model of a lower trust, or where there is none at the cheapest. `None`: all are its own.
    fn dearest(self, models: &[Arc<Model>], now: Timestamp) -> Option<i128> {
        let above = match self {
            Self::Local | Self::Free | Self::Premium => return None,
            Self::Cheap => Tier::Complex,
            Self::Balanced => Tier::Deep,
        };
        let price = |model: &Arc<Model>| blended_price(model, now);
        let lower = models.iter().filter(|model| model.max_tier < above).map(price).max();
        lower.or_else(|| models.iter().map(price).min())
    }

    fn sort(self, models: &mut [Arc<Model>], now: Timestamp) {
        match self {
            Self::Local | Self::Free => {
                models.sort_by_key(|model| std::cmp::Reverse(model.max_tier));
            }
            Self::Cheap | Self::Balanced => models.sort_by_key(|model| blended_price(model, now)),
            Self::Premium => {
                models.sort_by_key(|model| {
                    std::cmp::Reverse((model.max_tier, known_price(model, now)))
                });
            }
        }
    }
}

impl Catalog {
    /// The models of a shelf: chat models of providers that can be called; if none is of the class,
    /// all of them, the most trusted first (not for `local` and `free`, which must stay free).
    pub(super) fn shelf(&self, shelf: Shelf, now: Timestamp) -> Vec<Target> {
        let chat = self.offered_chat(now);
        let mut models: Vec<_> = chat.iter().filter(|one| shelf.admits(one)).cloned().collect();
        if models.is_empty() && !matches!(shelf, Shelf::Local | Shelf::Free) {
            models = chat;
            models.sort_by_key(|model| std::cmp::Reverse(model.max_tier));
        } else {
            shelf.sort(&mut models, now);
        }
        let dearest = shelf.dearest(&models, now);
        let target = |model: Arc<Model>| {
            let beyond = dearest.is_some_and(|dearest| blended_price(&model, now) > dearest);
            Target { model, weight: 1, fallback: false, beyond }
        };
        models.into_iter().map(target).collect()
    }

    /// What `auto` stands for as one of several targets: every chat model that is trusted with
    /// `tier`, the cheapest first.
    pub(super) fn everything(&self, tier: Option<Tier>, now: Timestamp) -> Vec<Arc<Model>> {
        let mut models = self.offered_chat(now);
        models.retain(|model| tier.is_none_or(|tier| model.max_tier >= tier));
        models.sort_by_key(|model| blended_price(model, now));
        models
    }

    pub(super) fn offered_chat(&self, now: Timestamp) -> Vec<Arc<Model>> {
        let chat = |model: &&Arc<Model>| {
            self.offers(model, now) && model.capabilities.has(Capability::Chat)
        };
        self.models.iter().filter(chat).cloned().collect()
    }
}

/// For ordering only: three input tokens for one of output, dearest if not known.
fn blended_price(model: &Model, now: Timestamp) -> i128 {
    model.price.as_ref().map_or(i128::MAX, |price| {
        let rates = price.at(now, 0);
        i128::from(rates.input.0) * 3 + i128::from(rates.output.0)
    })
}

fn known_price(model: &Model, now: Timestamp) -> i128 {
    if model.price.is_some() { blended_price(model, now) } else { 0 }
}
