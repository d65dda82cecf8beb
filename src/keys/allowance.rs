//! Which names a key may ask for and which models may serve it.
//!
//! An entry of the key's list is a model's id or wire name, an alias, or a glob over all of these. A
//! client may ask for what an entry names, and for an alias behind which are only such models; the
//! own targets of an allowed alias may serve (not the dear ones that the built-in `cheap` goes on
//! to), but that makes no name of them. `auto` routes among everything that may serve, or among all models if it is an entry itself.
//! The key's providers narrow all of that further.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use globset::{Glob, GlobMatcher};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{ClientKey, Grants};
use crate::catalog::{Catalog, Model, Resolution};
use crate::ids::ModelId;

/// Why a key may not do what was asked, and what it may do. `Display` is the whole message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAllowed(pub(super) String);

/// The models that may serve one request.
#[derive(Clone, Debug, Default)]
pub struct Permit {
    /// `None`: every model of the providers.
    reach: Option<Arc<Reach>>,
    /// Empty: all.
    providers: Vec<String>,
}

/// Where the entries of a key's list lead in one catalogue.
#[derive(Debug, Default)]
struct Reach {
    /// Models that entries name themselves.
    named: HashSet<ModelId>,
    /// These, and the own targets of the aliases.
    serving: HashSet<ModelId>,
}

impl Permit {
    pub fn has(&self, model: &Model) -> bool {
        let provider = model.provider.as_str();
        let provided = self.providers.is_empty() || self.providers.iter().any(|p| p == provider);
        provided && self.reach.as_ref().is_none_or(|reach| reach.serving.contains(&model.id))
    }

    /// Nothing is refused.
    pub fn is_open(&self) -> bool {
        self.reach.is_none() && self.providers.is_empty()
    }
}

/// The reach of a key's list in the catalogue that was asked last.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Option<(Weak<Catalog>, Arc<Reach>)>>);

impl Cache {
    fn reach(&self, entries: &[String], catalog: &Arc<Catalog>, now: Timestamp) -> Arc<Reach> {
        let mut cached = self.0.lock();
        if let Some((of, reach)) = &*cached
            && of.as_ptr() == Arc::as_ptr(catalog)
        {
            return Arc::clone(reach);
        }
        let mut reach = Reach::default();
        for entry in entries {
            match glob(entry) {
                Some(glob) => reach.add_glob((entry, &glob), catalog, now),
                None => reach.add_name(entry, catalog.resolve(entry, now)),
            }
        }
        let reach = Arc::new(reach);
        *cached = Some((Arc::downgrade(catalog), Arc::clone(&reach)));
        reach
    }
}

/// A glob, if the entry is one and can be read.
fn glob(entry: &str) -> Option<GlobMatcher> {
    let special = entry.contains(['*', '?', '[', '{']);
    special.then(|| Glob::new(entry).ok().map(|glob| glob.compile_matcher())).flatten()
}

impl Reach {
    fn add_name(&mut self, entry: &str, resolution: Resolution) {
        let Resolution::Models { targets, .. } = resolution else {
            // `auto` reaches every model, but only under that name: see `ClientKey::permit`.
            return;
        };
        if let [only] = targets.as_slice()
            && (only.model.id.as_str() == entry || only.model.upstream == entry)
        {
            self.named.insert(only.model.id.clone());
        }
        let own = targets.into_iter().filter(|target| !target.beyond);
        self.serving.extend(own.map(|target| target.model.id.clone()));
    }

    fn add_glob(&mut self, (entry, glob): (&str, &GlobMatcher), catalog: &Catalog, now: Timestamp) {
        for alias in catalog.aliases() {
            if alias.pattern == entry || glob.is_match(&alias.pattern) {
                self.add_name(entry, catalog.resolve_alias(&alias.pattern, now));
            }
        }
        for name in catalog.built_in_names().filter(|name| glob.is_match(name)) {
            self.add_name(entry, catalog.resolve(name, now));
        }
        // A wire name with a slash is somebody else's model at a broker: `openai/*` is not about it.
        let bare = !entry.contains('/');
        for model in catalog.models() {
            if glob.is_match(model.id.as_str()) || (bare && glob.is_match(&model.upstream)) {
                self.named.insert(model.id.clone());
                self.serving.insert(model.id.clone());
            }
        }
    }
}

/// The name under which `auto` is known to the lists.
fn canonical(asked: &str) -> &str {
    match asked.trim() {
        "" | "edge-router" => "auto",
        other => other,
    }
}

impl ClientKey {
    /// What the name that a client asks for comes to for this key, and which models may serve.
    ///
    /// # Errors
    /// The name, or every model behind it, is out of bounds.
    pub fn narrow(
        &self,
        asked: &str,
        resolution: Resolution,
        catalog: &Arc<Catalog>,
        now: Timestamp,
    ) -> Result<(Resolution, Permit), NotAllowed> {
        let permit = self.permit(asked, &resolution, catalog, now);
        if permit.is_open() {
            return Ok((resolution, permit));
        }
        let refused = || self.refused(asked);
        let narrowed = match resolution {
            Resolution::Auto(tier) => {
                let mut models = catalog.models().iter();
                let any = models.any(|model| !model.is_gone(now) && permit.has(model));
                any.then_some(Resolution::Auto(tier)).ok_or_else(refused)?
            }
            Resolution::Models { strategy, mut targets } => {
                if let Some(reach) = &permit.reach
                    && !self.names(asked)
                    && (targets.is_empty()
                        || targets.iter().any(|target| !reach.named.contains(&target.model.id)))
                {
                    return Err(refused());
                }
                // An alias without targets is no matter of the key: nothing can serve anybody.
                let had_some = !targets.is_empty();
                targets.retain(|target| permit.has(&target.model));
                if had_some && targets.is_empty() {
                    return Err(refused());
                }
                Resolution::Models { strategy, targets }
            }
            Resolution::Unknown { mut nearest } => {
                nearest.retain(|near| {
                    self.narrow(near, catalog.resolve(near, now), catalog, now).is_ok()
                });
                Resolution::Unknown { nearest }
            }
            removed @ Resolution::Removed(_) => removed,
        };
        Ok((narrowed, permit))
    }

    /// The models that the key may use under one name or another.
    pub fn listed(&self, catalog: &Arc<Catalog>, now: Timestamp) -> Permit {
        self.permit("auto", &Resolution::Auto(None), catalog, now)
    }

    fn permit(
        &self,
        asked: &str,
        resolution: &Resolution,
        catalog: &Arc<Catalog>,
        now: Timestamp,
    ) -> Permit {
        let entries = &self.grants.models;
        let all_by_name = matches!(resolution, Resolution::Auto(_)) && self.names(asked);
        let listed = !entries.is_empty() && !all_by_name;
        Permit {
            reach: listed.then(|| self.allowance.reach(entries, catalog, now)),
            providers: self.grants.providers.clone(),
        }
    }

    /// Whether an entry of the list is this name or a glob that covers it. No glob covers `auto`
    /// but `*`: it would stand for every model.
    fn names(&self, asked: &str) -> bool {
        let asked = canonical(asked);
        let is_auto = asked == "auto" || asked.starts_with("auto:");
        self.grants.models.iter().any(|entry| {
            entry == asked
                || entry == "*"
                || (!is_auto && glob(entry).is_some_and(|glob| glob.is_match(asked)))
        })
    }

    fn refused(&self, asked: &str) -> NotAllowed {
        let shown: String =
            canonical(asked).chars().filter(|c| !c.is_control()).take(100).collect();
        NotAllowed(format!("The key `{}` may not use `{shown}`; {}.", self.name(), self.bounds()))
    }

    /// What the key may use, in words.
    fn bounds(&self) -> String {
        let Grants { models, providers, .. } = &self.grants;
        match (models.as_slice(), providers.as_slice()) {
            ([], []) => "it may use every model".to_owned(),
            (models, []) => format!("it may use: {}", models.join(", ")),
            ([], providers) => {
                format!("it may use the models of: {}", providers.join(", "))
            }
            (models, providers) => {
                format!("it may use: {}, at: {}", models.join(", "), providers.join(", "))
            }
        }
    }
}
