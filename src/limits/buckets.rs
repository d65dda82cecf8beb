//! All configured buckets: a request takes from every one that covers its model, or from none.

use std::time::Duration;

use globset::{Glob, GlobMatcher};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::Mutex;

use super::bucket::{Bucket, Ticket};
use super::{Down, LimitSettings};
use crate::catalog::Model;

/// A bucket of our own is full.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("our own rate limit `{name}` is used up")]
pub struct Limited {
    pub name: String,
    /// `None`: the request is larger than the whole limit.
    pub retry_after: Option<Duration>,
}

impl From<Limited> for Down {
    fn from(limited: Limited) -> Self {
        Self { why: limited.to_string(), retry_after: limited.retry_after, limited: true }
    }
}

/// What a request took from the buckets that cover its model.
#[derive(Debug, Default)]
#[must_use = "what was taken is to be corrected or refunded when the call has ended"]
pub struct Pass {
    taken: Vec<(String, Ticket)>,
}

#[derive(Debug, Default)]
pub struct Buckets {
    all: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    settings: LimitSettings,
    /// `None`: a glob that cannot be read; it covers the model of just that name.
    globs: Vec<(String, Option<GlobMatcher>)>,
    bucket: Bucket,
}

impl Entry {
    fn new(settings: &LimitSettings, timezone: &TimeZone) -> Self {
        let globs = settings.models.iter().map(|pattern| {
            (pattern.clone(), Glob::new(pattern).ok().map(|glob| glob.compile_matcher()))
        });
        let (requests, tokens) = (settings.requests, settings.tokens);
        Self {
            globs: globs.collect(),
            bucket: Bucket::new(requests, tokens, settings.window, timezone.clone()),
            settings: settings.clone(),
        }
    }

    fn covers(&self, model: &Model) -> bool {
        self.settings.provider == model.provider
            && self.globs.iter().any(|(name, glob)| match glob {
                Some(glob) => glob.is_match(&model.upstream),
                None => *name == model.upstream,
            })
    }
}

impl Buckets {
    /// `timezone` decides when a calendar month begins.
    pub fn new(settings: &[LimitSettings], timezone: &TimeZone) -> Self {
        let buckets = Self::default();
        buckets.reload(settings, timezone);
        buckets
    }

    /// Takes the new settings; a bucket of the same name and window keeps what it has counted.
    pub fn reload(&self, settings: &[LimitSettings], timezone: &TimeZone) {
        let mut all = self.all.lock();
        let mut fresh: Vec<Entry> =
            settings.iter().map(|settings| Entry::new(settings, timezone)).collect();
        for entry in &mut fresh {
            let earlier = all.iter().find(|had| had.settings.name == entry.settings.name);
            if let Some(earlier) = earlier {
                entry.bucket.adopt(&earlier.bucket);
            }
        }
        *all = fresh;
    }

    /// Takes one request of `tokens` tokens from every bucket that covers `model`.
    ///
    /// # Errors
    /// [`Limited`] with the bucket that keeps it waiting longest; then nothing was taken.
    pub fn take(&self, model: &Model, tokens: u64, now: Timestamp) -> Result<Pass, Limited> {
        let mut all = self.all.lock();
        if let Some(limited) = longest(&all, model, tokens, now) {
            return Err(limited);
        }
        let mut pass = Pass::default();
        for entry in all.iter_mut().filter(|entry| entry.covers(model)) {
            if let Ok(ticket) = entry.bucket.take(tokens, now) {
                pass.taken.push((entry.settings.name.clone(), ticket));
            }
        }
        Ok(pass)
    }

    /// What would keep a request of `tokens` tokens waiting now. Changes nothing.
    pub fn status(&self, model: &Model, tokens: u64, now: Timestamp) -> Option<Limited> {
        longest(&self.all.lock(), model, tokens, now)
    }

    /// The call was not made.
    pub fn refund(&self, pass: Pass) {
        let mut all = self.all.lock();
        for (name, ticket) in pass.taken {
            if let Some(entry) = all.iter_mut().find(|entry| entry.settings.name == name) {
                entry.bucket.refund(&ticket);
            }
        }
    }

    /// The call used `tokens` tokens.
    pub fn correct(&self, pass: Pass, tokens: u64) {
        let mut all = self.all.lock();
        for (name, mut ticket) in pass.taken {
            if let Some(entry) = all.iter_mut().find(|entry| entry.settings.name == name) {
                entry.bucket.correct(&mut ticket, tokens);
            }
        }
    }

    /// The smallest share left among the buckets that cover `model`; `None`: none does.
    pub fn remaining(&self, model: &Model, now: Timestamp) -> Option<f64> {
        let all = self.all.lock();
        let covering = all.iter().filter(|entry| entry.covers(model));
        covering.map(|entry| entry.bucket.remaining(now)).reduce(f64::min)
    }
}

fn longest(all: &[Entry], model: &Model, tokens: u64, now: Timestamp) -> Option<Limited> {
    let waits = all.iter().filter(|entry| entry.covers(model)).filter_map(|entry| {
        let retry_after = entry.bucket.next_free(tokens, now)?;
        Some(Limited { name: entry.settings.name.clone(), retry_after })
    });
    waits.max_by_key(|limited| limited.retry_after.unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests;
