//! The choice itself.
//!
//! Every model is judged alone (`judge`), those that may serve are ordered (`order`, `balance`), and
//! the tier is dropped last: when no candidate of the tier is left, the free models below it serve in
//! the order of falling `max_tier`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::judge::{Offer, Verdict, judge};
use super::reason::{Limit, Reason};
use super::{RoutingSettings, balance, order};
use crate::catalog::{AliasStrategy, Capabilities, Model, Target, Tier};
use crate::chat::Surcharges;
use crate::ids::ModelId;
use crate::ledger::{Headroom, WhenExhausted};
use crate::money::NanoUsd;

/// What the client wants to be served by.
#[derive(Clone, Debug)]
pub enum Wanted<'a> {
    /// The cheapest capable model of the catalogue.
    Auto,
    /// These in the order of the strategy; the tier matters under [`AliasStrategy::Auto`] only.
    Named { strategy: AliasStrategy, targets: &'a [Target] },
}

impl Wanted<'_> {
    /// Whether a model below the tier is refused.
    pub(super) fn minds_tier(&self) -> bool {
        matches!(self, Self::Auto | Self::Named { strategy: AliasStrategy::Auto, .. })
    }
}

/// What is known of one model at this moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Its provider is configured and has a key if it needs one.
    pub enabled: bool,
    /// The caller's key may use it.
    pub allowed: bool,
    /// It speaks another protocol than the client: what only the client's has is left out.
    pub converted: bool,
    /// Why it cannot be called now (breaker, cooldown, bucket, not loaded) and for how long yet.
    pub down: Option<(String, Option<Duration>)>,
    /// `down` is a rate limit, the provider's or our own.
    pub limited: bool,
    /// Tokens of this prompt that its provider probably still has cached.
    pub cached_tokens: u32,
    /// Measured time to first token, if any.
    pub first_token: Option<Duration>,
    /// Local models: measured prefill speed in tokens per second.
    pub prefill_per_s: Option<f64>,
    /// Share of its own rate limits that is left, 0 to 1 (`quota-aware`); `None`: no limit is known.
    pub quota_left: Option<f64>,
}

/// The values that spread requests over the targets of an alias, so that the choice stays pure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    /// Requests to this alias before this one (`round-robin`).
    pub counter: u64,
    /// Uniform in 0..1 (`weighted`, `quota-aware`).
    pub random: f64,
}

/// Everything that the choice depends on.
pub struct Question<'a> {
    pub now: Timestamp,
    pub tier: Tier,
    pub wanted: Wanted<'a>,
    /// Every model of the catalogue (used under [`Wanted::Auto`], and for the free ones that serve
    /// when the money is gone).
    pub models: &'a [Arc<Model>],
    pub facts: &'a dyn Fn(&Model) -> Facts,
    pub required: Capabilities,
    pub prompt: super::estimate::PromptTokens,
    /// What is billed beside the prompt and the answer's text.
    pub asked: Surcharges,
    /// The client's own cap on the answer.
    pub client_cap: Option<u32>,
    pub default_output_tokens: u32,
    /// How many answers the client asks for; each may be as long as the cap.
    pub answers: u32,
    pub headroom: &'a Headroom,
    pub when_exhausted: WhenExhausted,
    pub routing: &'a RoutingSettings,
    /// The model that this conversation's task is served by; goes first if it is eligible, except
    /// under [`AliasStrategy::Ordered`], where the owner's order stands.
    pub pinned: Option<&'a ModelId>,
    pub spread: Spread,
}

/// An ordered list of what to try, and why the others were refused.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub candidates: Vec<Candidate>,
    pub refused: Vec<Refusal>,
    pub(super) spare: Vec<Candidate>,
    pub(super) spare_for: Vec<GaveOut>,
}

/// Why every candidate of a plan came to nothing after planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveOut {
    /// The ledger would not reserve for any of them.
    Money,
    /// At least one call was made, and every call failed.
    Calls,
}

impl Plan {
    /// The free models that serve, in this order, when every candidate came to nothing: those below
    /// the tier, and for a named model those that stand in when the money is gone.
    pub fn last_resort(&self, gave_out: GaveOut) -> &[Candidate] {
        if self.spare_for.contains(&gave_out) { &self.spare } else { &[] }
    }
}

#[derive(Clone, Debug)]
pub struct Candidate {
    pub model: Arc<Model>,
    /// What it will probably cost.
    pub estimated: NanoUsd,
    /// What it can cost at most, with `output_cap`.
    pub ceiling: NanoUsd,
    /// Cap to send upstream, in tokens.
    pub output_cap: u32,
    /// One readable sentence.
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct Refusal {
    pub model: Arc<Model>,
    pub estimated: NanoUsd,
    pub ceiling: NanoUsd,
    pub reason: Reason,
}

/// Who may serve, in which order, and why the others may not.
pub fn plan(question: &Question<'_>) -> Plan {
    let mut sorted = Sorted::default();
    match question.wanted {
        Wanted::Auto => {
            for model in question.models {
                sorted.take(judge(question, model));
            }
        }
        Wanted::Named { targets, .. } => {
            for (place, target) in balance::distinct(targets).enumerate() {
                sorted.take(judge(question, &target.model).of_target(place, target));
            }
        }
    }
    sorted.refuse_slow();
    sorted.refuse_what_would_have_cost(question);
    if !sorted.capable.is_empty() {
        return with_candidates(question, sorted);
    }
    without_candidates(question, sorted)
}

/// The judged models.
#[derive(Default)]
struct Sorted {
    capable: Vec<Offer>,
    /// May serve, but is trusted with easier work only.
    weak: Vec<Offer>,
    /// Trusted with easier work only, and may not serve for the reason given.
    weak_refused: Vec<Refusal>,
    refused: Vec<Refusal>,
}

impl Sorted {
    fn take(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Capable(offer) => self.capable.push(offer),
            Verdict::Weak(offer) => self.weak.push(offer),
            Verdict::WeakRefused(refusal) => self.weak_refused.push(refusal),
            Verdict::Refused(refusal) => self.refused.push(refusal),
        }
    }

    /// A local model that would read the prompt for minutes serves only if nothing else can.
    fn refuse_slow(&mut self) {
        if self.capable.iter().all(|offer| offer.slow.is_some()) {
            return;
        }
        let (slow, rest) = std::mem::take(&mut self.capable)
            .into_iter()
            .partition::<Vec<_>, _>(|offer| offer.slow.is_some());
        self.capable = rest;
        self.refused.extend(slow.into_iter().map(Offer::too_slow));
    }

    /// `when_exhausted = "reject"`: a named free target does not stand in for a paid one whose window
    /// is used up. (Under [`Wanted::Auto`] a capable free model would have served anyway.)
    fn refuse_what_would_have_cost(&mut self, question: &Question<'_>) {
        if question.when_exhausted == WhenExhausted::Reject
            && matches!(question.wanted, Wanted::Named { .. })
            && self.exhausted()
            && self.capable.iter().all(|offer| offer.model.is_free())
        {
            self.capable.clear();
        }
    }

    /// The day's or the month's money does not suffice for one of the models.
    fn exhausted(&self) -> bool {
        self.refused.iter().any(|refusal| match &refusal.reason {
            Reason::Budget(shortfall) => shortfall.which != Limit::PerRequest,
            _ => false,
        })
    }

    fn over_budget(&self) -> bool {
        self.refused.iter().any(|refusal| matches!(refusal.reason, Reason::Budget(_)))
    }

    /// All refusals, the weak ones refused for their weakness.
    fn refusals(self, tier: Tier) -> Vec<Refusal> {
        let mut refused = self.refused;
        refused.extend(self.weak.into_iter().map(|offer| offer.too_weak(tier)));
        refused.extend(self.weak_refused.into_iter().map(|refusal| Refusal {
            reason: Reason::TooWeak { max_tier: refusal.model.max_tier, tier },
            ..refusal
        }));
        refused
    }
}

/// At least one model of the tier may serve; the free ones below it stand by.
fn with_candidates(question: &Question<'_>, mut sorted: Sorted) -> Plan {
    let capable = std::mem::take(&mut sorted.capable);
    let rejects = question.when_exhausted == WhenExhausted::Reject;
    let (spare, spare_for) = if question.wanted.minds_tier() {
        let spare: Vec<Offer> =
            sorted.weak.iter().filter(|offer| offer.model.is_free()).cloned().collect();
        (spare, if rejects { vec![GaveOut::Calls] } else { vec![GaveOut::Calls, GaveOut::Money] })
    } else if rejects {
        (Vec::new(), Vec::new())
    } else {
        (stand_ins(question, &capable), vec![GaveOut::Money])
    };
    let spare = order::by_falling_tier(spare);
    Plan {
        candidates: order::ordered(question, capable),
        refused: sorted.refusals(question.tier),
        spare: order::worded(spare, |offer| order::stand_by_reason(question, offer)),
        spare_for,
    }
}

/// No model of the tier may serve: the tier is dropped, or the plan stays empty.
fn without_candidates(question: &Question<'_>, mut sorted: Sorted) -> Plan {
    let rejected = question.when_exhausted == WhenExhausted::Reject && sorted.exhausted();
    let relaxed = if rejected {
        Vec::new()
    } else if question.wanted.minds_tier() {
        let (serving, weak) = std::mem::take(&mut sorted.weak)
            .into_iter()
            .partition(|offer| offer.model.is_free() || question.routing.allow_weaker);
        sorted.weak = weak;
        serving
    } else if sorted.over_budget() {
        stand_ins(question, &[])
    } else {
        Vec::new()
    };
    let relaxed = order::by_falling_tier(relaxed);
    let candidates =
        order::worded(relaxed, |offer| order::relaxed_reason(question, offer, &sorted.refused));
    if candidates.is_empty() && !rejected {
        // What keeps the last ones from serving is worth more than that they are weak.
        let (free, paid) = std::mem::take(&mut sorted.weak_refused)
            .into_iter()
            .partition(|refusal| refusal.model.is_free() || question.routing.allow_weaker);
        sorted.weak_refused = paid;
        let free: Vec<Refusal> = free;
        sorted.refused.extend(free);
    }
    Plan { candidates, refused: sorted.refusals(question.tier), ..Plan::default() }
}

/// The free models of the catalogue that may serve instead of named ones that cost money.
fn stand_ins(question: &Question<'_>, besides: &[Offer]) -> Vec<Offer> {
    let named = match question.wanted {
        Wanted::Named { targets, .. } => targets,
        Wanted::Auto => &[],
    };
    let free = question.models.iter().filter(|model| model.is_free());
    free.filter(|model| {
        !named.iter().any(|target| target.model.id == model.id)
            && !besides.iter().any(|offer| offer.model.id == model.id)
    })
    .filter_map(|model| match judge(question, model) {
        Verdict::Capable(offer) | Verdict::Weak(offer) => Some(offer),
        Verdict::WeakRefused(_) | Verdict::Refused(_) => None,
    })
    .collect()
}

#[cfg(test)]
pub(super) mod tests;
