//! Which targets can be called now, learned from the outcomes of calls. Shared by all requests; no
//! lock is held while anything is awaited.
//!
//! What a failure says, it says of the narrowest thing: a refused connection of the provider, a server
//! error of one model, a rate limit of one key for one model, a bad key of that key.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::breaker::Breaker;
use super::cooldown::Cooldown;
use crate::catalog::Model;
use crate::ids::{ModelId, ProviderId};

/// An account without money is asked again after this long.
const BILLING_PAUSE: Duration = Duration::from_secs(1800);
/// A refused key is tried again after this long (it may have been renewed at the provider).
const BAD_KEY_PAUSE: Duration = Duration::from_secs(600);
/// A model that the provider does not have is asked for again after this long.
const NO_MODEL_PAUSE: Duration = Duration::from_secs(300);

/// What a call told of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// The target answered, and the fault was the request's.
    RequestFault,
    /// 429, with the pause that the provider named.
    Limited {
        retry_after: Option<Duration>,
    },
    /// The account is out of money or quota.
    Billing {
        retry_after: Option<Duration>,
    },
    /// The key is not valid.
    BadKey,
    /// The key may not use this model.
    Forbidden,
    /// The provider does not have the model.
    NoModel,
    /// A server error, a timeout or an answer that cannot be understood.
    ServerFault {
        retry_after: Option<Duration>,
    },
    /// No connection.
    Unreachable,
    /// Nothing was learned: the client left, or the call was not made after all.
    Abandoned,
}

/// Why a model cannot be called now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// A readable sentence without the model's name.
    pub why: String,
    pub retry_after: Option<Duration>,
    /// It is a rate limit.
    pub limited: bool,
}

#[derive(Debug, Default)]
pub struct Health {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    providers: HashMap<ProviderId, Breaker>,
    models: HashMap<ModelId, ModelHealth>,
    keys: HashMap<(ProviderId, usize), KeyHealth>,
}

#[derive(Debug, Default)]
struct ModelHealth {
    breaker: Breaker,
    missing: Cooldown,
    /// The provider asked for a pause although no key is at fault (503 with `Retry-After`).
    busy: Cooldown,
    /// Per key: rate limits.
    limited: HashMap<usize, Cooldown>,
    /// Per key: it may not use this model.
    forbidden: HashMap<usize, Cooldown>,
}

#[derive(Debug, Default)]
struct KeyHealth {
    bad: Cooldown,
    billing: Cooldown,
}

impl Health {
    /// Why `model` cannot be called now with any of its provider's `keys` keys (0: it needs none);
    /// `None`: it can. Changes nothing.
    pub fn status(&self, model: &Model, keys: usize, now: Instant) -> Option<Down> {
        self.known.lock().check(model, keys, now).err()
    }

    /// The first usable key, and the right to call: ask immediately before a call, and report its
    /// outcome. Of a target that just came back one caller at a time gets it. 0 where no key is needed.
    pub fn pick_key(&self, model: &Model, keys: usize, now: Instant) -> Option<usize> {
        let mut known = self.known.lock();
        let key = known.check(model, keys, now).ok()?;
        if let Some(breaker) = known.providers.get_mut(&model.provider) {
            breaker.begin(now);
        }
        if let Some(health) = known.models.get_mut(&model.id) {
            health.breaker.begin(now);
        }
        Some(key)
    }

    /// Learns from a call of `model` with key number `key`.
    pub fn report(&self, model: &Model, key: usize, outcome: Outcome, now: Instant) {
        let mut known = self.known.lock();
        let known = &mut *known;
        if outcome == Outcome::Success && !known.has(model, key) {
            return;
        }
        let provider = known.providers.entry(model.provider.clone()).or_default();
        let health = known.models.entry(model.id.clone()).or_default();
        let account = known.keys.entry((model.provider.clone(), key)).or_default();
        // Whoever answers is there.
        match outcome {
            Outcome::Unreachable => provider.failed(now),
            Outcome::Abandoned => provider.abandoned(),
            _ => provider.succeeded(),
        }
        match outcome {
            Outcome::Success => {
                *health = ModelHealth {
                    limited: std::mem::take(&mut health.limited),
                    forbidden: std::mem::take(&mut health.forbidden),
                    ..ModelHealth::default()
                };
                health.limited.remove(&key);
                health.forbidden.remove(&key);
                account.bad.clear();
                account.billing.clear();
            }
            Outcome::RequestFault => health.breaker.succeeded(),
            Outcome::Limited { retry_after } => {
                health.breaker.abandoned();
                health.limited.entry(key).or_default().refused(retry_after, now);
            }
            Outcome::Billing { retry_after } => {
                health.breaker.abandoned();
                account.billing.pause(retry_after.unwrap_or(BILLING_PAUSE), now);
            }
            Outcome::BadKey => {
                health.breaker.abandoned();
                account.bad.pause(BAD_KEY_PAUSE, now);
            }
            Outcome::Forbidden => {
                health.breaker.abandoned();
                health.forbidden.entry(key).or_default().pause(BAD_KEY_PAUSE, now);
            }
            Outcome::NoModel => {
                health.breaker.succeeded();
                health.missing.pause(NO_MODEL_PAUSE, now);
            }
            Outcome::ServerFault { retry_after } => {
                health.breaker.failed(now);
                if retry_after.is_some() {
                    health.busy.refused(retry_after, now);
                }
            }
            Outcome::Unreachable | Outcome::Abandoned => health.breaker.abandoned(),
        }
    }

    /// Keys that their provider refuses, by provider and number.
    pub fn bad_keys(&self, now: Instant) -> Vec<(ProviderId, usize)> {
        let known = self.known.lock();
        let bad = known.keys.iter().filter(|(_, health)| health.bad.left(now).is_some());
        let mut bad: Vec<_> = bad.map(|(key, _)| key.clone()).collect();
        bad.sort();
        bad
    }

    /// Forgets a provider, for when its address or its keys have changed.
    pub fn forget(&self, provider: &ProviderId) {
        let mut known = self.known.lock();
        known.providers.remove(provider);
        known.keys.retain(|(owner, _), _| owner != provider);
        let prefix = format!("{provider}/");
        known.models.retain(|model, _| !model.as_str().starts_with(&prefix));
    }
}

impl Known {
    /// The first key that can be used now, or why none can.
    fn check(&self, model: &Model, keys: usize, now: Instant) -> Result<usize, Down> {
        if let Some(left) = self.providers.get(&model.provider).and_then(|all| all.blocked(now)) {
            return Err(down("its provider cannot be reached", Some(left)));
        }
        let health = self.models.get(&model.id);
        if let Some(health) = health {
            if let Some(left) = health.breaker.blocked(now) {
                return Err(down("its last calls failed one after the other", Some(left)));
            }
            if let Some(left) = health.missing.left(now) {
                return Err(down("its provider says that it does not have this model", Some(left)));
            }
            if let Some(left) = health.busy.left(now) {
                return Err(down("its provider is overloaded and asked for a pause", Some(left)));
            }
        }
        let mut worst: Option<Down> = None;
        for key in 0..keys.max(1) {
            let Some(blocked) = self.key_blocked(model, health, key, now) else { return Ok(key) };
            // Whichever key comes back first decides when to try again.
            let sooner = worst.as_ref().is_none_or(|had| blocked.retry_after < had.retry_after);
            if sooner {
                worst = Some(blocked);
            }
        }
        Err(worst.unwrap_or_else(|| down("no key of its provider can be used", None)))
    }

    fn key_blocked(
        &self,
        model: &Model,
        health: Option<&ModelHealth>,
        key: usize,
        now: Instant,
    ) -> Option<Down> {
        if let Some(account) = self.keys.get(&(model.provider.clone(), key)) {
            if let Some(left) = account.bad.left(now) {
                return Some(down("its provider refuses the key", Some(left)));
            }
            if let Some(left) = account.billing.left(now) {
                return Some(down("its provider's account has no money or quota left", Some(left)));
            }
        }
        let health = health?;
        if let Some(left) = health.forbidden.get(&key).and_then(|one| one.left(now)) {
            return Some(down("its provider does not let the key use this model", Some(left)));
        }
        let left = health.limited.get(&key)?.left(now)?;
        Some(Down {
            why: format!("its provider limits the rate for another {} s", left.as_secs().max(1)),
            retry_after: Some(left),
            limited: true,
        })
    }

    fn has(&self, model: &Model, key: usize) -> bool {
        self.models.contains_key(&model.id)
            || self.providers.contains_key(&model.provider)
            || self.keys.contains_key(&(model.provider.clone(), key))
    }
}

fn down(why: &str, retry_after: Option<Duration>) -> Down {
    Down { why: why.to_owned(), retry_after, limited: false }
}

#[cfg(test)]
mod tests;
