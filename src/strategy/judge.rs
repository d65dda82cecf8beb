//! May this one model serve? Judged from the question and the model's facts alone.

use std::sync::Arc;
use std::time::Duration;

use super::estimate::{LEAST_CAP, Workload, ceiling_cost, expected_output, likely_cost, lower_cap};
use super::plan::{Facts, Question, Refusal, Wanted};
use super::reason::{Limit, Reason, Shortfall};
use crate::catalog::{Capabilities, Capability, Model, Target, Tier};
use crate::ledger::{Headroom, Window};
use crate::money::NanoUsd;

/// Longest time that a local model may take to read the prompt while another could answer.
const LONGEST_PREFILL_S: f64 = 120.0;

/// An answer shorter than this is not worth a window that leaves no room for more.
const LEAST_ANSWER: u32 = 256;

/// A model that may serve, and what it would cost.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) model: Arc<Model>,
    pub(super) facts: Facts,
    pub(super) estimated: NanoUsd,
    pub(super) ceiling: NanoUsd,
    pub(super) output_cap: u32,
    /// The cap had to be lowered to fit the budget.
    pub(super) lowered: bool,
    /// The prompt would be read for this long, too long if another can serve.
    pub(super) slow: Option<Reason>,
    /// Place among the distinct targets of an alias.
    pub(super) place: usize,
    pub(super) weight: u32,
    pub(super) fallback: bool,
}

impl Offer {
    fn refused(self, reason: Reason) -> Refusal {
        let Self { model, estimated, ceiling, .. } = self;
        Refusal { model, estimated, ceiling, reason }
    }

    pub(super) fn too_weak(self, tier: Tier) -> Refusal {
        let max_tier = self.model.max_tier;
        self.refused(Reason::TooWeak { max_tier, tier })
    }

    pub(super) fn too_slow(mut self) -> Refusal {
        let reason = self.slow.take().unwrap_or(Reason::TooSlow { tokens: 0, seconds: 0 });
        self.refused(reason)
    }

    /// Expected time to the first token, in milliseconds.
    pub(super) fn first_token_ms(&self, prompt: u32) -> u64 {
        /// Taken for a model that was not measured yet: usual for cloud models.
        const UNMEASURED_MS: u64 = 1_500;
        if let Some(measured) = self.facts.first_token {
            return u64::try_from(measured.as_millis()).unwrap_or(u64::MAX);
        }
        match self.facts.prefill_per_s {
            Some(speed) if speed > 0.0 => {
                let seconds = f64::from(prompt) / speed;
                u64::try_from(
                    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).as_millis(),
                )
                .unwrap_or(u64::MAX)
            }
            _ => UNMEASURED_MS,
        }
    }
}

pub(super) enum Verdict {
    Capable(Offer),
    /// Could serve if the tier is dropped.
    Weak(Offer),
    /// Below the tier, and could not serve even then.
    WeakRefused(Refusal),
    Refused(Refusal),
}

impl Verdict {
    pub(super) fn of_target(self, place: usize, target: &Target) -> Self {
        let put = |offer: Offer| Offer {
            place,
            weight: target.weight,
            fallback: target.fallback,
            ..offer
        };
        match self {
            Self::Capable(offer) => Self::Capable(put(offer)),
            Self::Weak(offer) => Self::Weak(put(offer)),
            refused @ (Self::WeakRefused(_) | Self::Refused(_)) => refused,
        }
    }
}

pub(super) fn judge(question: &Question<'_>, model: &Arc<Model>) -> Verdict {
    let facts = (question.facts)(model);
    let wanted_cap = wanted_cap(question, model);
    let mut offer = Offer {
        model: Arc::clone(model),
        estimated: NanoUsd::ZERO,
        ceiling: NanoUsd::ZERO,
        output_cap: fitting_cap(question, model, wanted_cap),
        lowered: false,
        slow: None,
        place: 0,
        weight: 1,
        fallback: false,
        facts,
    };
    let work = work(question, &offer.facts);
    offer.estimated = likely_cost(
        model,
        question.now,
        work,
        offer.facts.cached_tokens,
        all_answers(question, expected_output(question.tier).min(offer.output_cap)),
    );
    let most = all_answers(question, offer.output_cap);
    offer.ceiling = ceiling_cost(model, question.now, work, most);
    if let Some(reason) = never(question, model, &offer.facts, wanted_cap) {
        return Verdict::Refused(offer.refused(reason));
    }
    let weak = question.wanted.minds_tier() && model.max_tier < question.tier;
    let now = fit_budget(question, &mut offer).err().or_else(|| down(&mut offer.facts));
    if let Some(reason) = now {
        let refusal = offer.refused(reason);
        return if weak { Verdict::WeakRefused(refusal) } else { Verdict::Refused(refusal) };
    }
    offer.slow = slow(question, &offer);
    if weak { Verdict::Weak(offer) } else { Verdict::Capable(offer) }
}

fn work(question: &Question<'_>, facts: &Facts) -> Workload {
    let asked = if facts.converted { question.asked.converted() } else { question.asked };
    Workload { prompt: question.prompt, asked }
}

/// What speaks against the model whatever the moment, the money and the tier are.
fn never(question: &Question<'_>, model: &Model, facts: &Facts, cap: u32) -> Option<Reason> {
    if !facts.enabled {
        return Some(Reason::NotEnabled);
    }
    if model.is_gone(question.now) {
        return Some(Reason::Removed);
    }
    if !facts.allowed {
        return Some(Reason::NotAllowed);
    }
    let missing = missing(question.required, model.capabilities);
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(Into::into).collect();
        return Some(Reason::Lacks(names.join(", ")));
    }
    let least = question.prompt.likely.saturating_add(cap.min(LEAST_ANSWER));
    if least > model.context_window {
        return Some(Reason::WindowTooSmall {
            tokens: u64::from(question.prompt.likely),
            window: u64::from(model.context_window),
        });
    }
    let budget = question.headroom.is_limited();
    let by_name = matches!(question.wanted, Wanted::Named { .. });
    (model.price.is_none() && (budget || !by_name)).then_some(Reason::PriceUnknown)
}

/// What the model lacks. A model for another purpose (embeddings, transcription) lacks chat.
fn missing(required: Capabilities, has: Capabilities) -> Capabilities {
    let other_purpose = [Capability::Embeddings, Capability::Transcription];
    let chats = has.has(Capability::Chat) || !other_purpose.iter().any(|one| has.has(*one));
    let has = if chats { has.with(Capability::Chat) } else { has };
    let wants_other = [Capability::Fim, Capability::Embeddings, Capability::Transcription];
    let required = if wants_other.iter().any(|one| required.has(*one)) {
        required
    } else {
        required.with(Capability::Chat)
    };
    required.missing_in(has)
}

/// The client's own cap or the default, within what the model can write.
fn wanted_cap(question: &Question<'_>, model: &Model) -> u32 {
    let wanted = question.client_cap.unwrap_or(question.default_output_tokens).max(1);
    if model.max_output_tokens == 0 { wanted } else { wanted.min(model.max_output_tokens) }
}

/// The cap that the window leaves room for beside a prompt counted high, but no higher than half as
/// much again as the guess: the ceiling covers random text, and of ordinary Chinese it is threefold.
fn fitting_cap(question: &Question<'_>, model: &Model, wanted: u32) -> u32 {
    let likely = question.prompt.likely;
    let prompt = question.prompt.ceiling.min(likely.saturating_add(likely / 2));
    let room = model.context_window.saturating_sub(prompt);
    wanted.min(room.max(LEAST_ANSWER))
}

/// Lowers the cap until the worst case fits what is left of every limit.
///
/// What other requests have reserved is not counted: it comes back when they settle, and the ledger
/// waits for that.
fn fit_budget(question: &Question<'_>, offer: &mut Offer) -> Result<(), Reason> {
    let Some((available, tightest)) = tightest(question.headroom) else { return Ok(()) };
    let (model, work) = (Arc::clone(&offer.model), work(question, &offer.facts));
    let most = all_answers(question, offer.output_cap);
    let least = all_answers(question, offer.output_cap.min(LEAST_CAP));
    let lowered = lower_cap(&model, question.now, work, most, available);
    if let Some((total, ceiling)) = lowered.filter(|(total, _)| *total >= least) {
        let cap = total / question.answers.max(1);
        offer.lowered = cap < offer.output_cap;
        offer.output_cap = cap;
        offer.ceiling = ceiling;
        let output = all_answers(question, expected_output(question.tier).min(cap));
        let cached = offer.facts.cached_tokens;
        offer.estimated = likely_cost(&model, question.now, work, cached, output);
        return Ok(());
    }
    let cap = offer.output_cap.min(LEAST_CAP);
    let needed = ceiling_cost(&model, question.now, work, least);
    Err(Reason::Budget(Shortfall { needed, cap, ..tightest }))
}

/// What the limit with the least room leaves, and its figures. Among equals the one of the caller's
/// own key is named.
fn tightest(headroom: &Headroom) -> Option<(NanoUsd, Shortfall)> {
    let bare = |which, limit| Shortfall {
        which,
        key: None,
        limit,
        spent: NanoUsd::ZERO,
        needed: NanoUsd::ZERO,
        cap: 0,
        resets_at: None,
    };
    let of_window = |which, window: &Window, key: Option<&Arc<str>>| {
        let limit = window.limit?;
        let (spent, resets_at) = (window.spent, Some(window.resets_at));
        let left = limit.minus_or_zero(spent);
        Some((left, Shortfall { key: key.cloned(), spent, resets_at, ..bare(which, limit) }))
    };
    let own = headroom.key.iter().flat_map(|own| {
        let name = Some(&own.name);
        [of_window(Limit::Daily, &own.daily, name), of_window(Limit::Monthly, &own.monthly, name)]
    });
    let everybody = [
        of_window(Limit::Daily, &headroom.daily, None),
        of_window(Limit::Monthly, &headroom.monthly, None),
        headroom.per_request.map(|limit| (limit, bare(Limit::PerRequest, limit))),
    ];
    own.chain(everybody).flatten().min_by_key(|(left, _)| *left)
}

/// The tokens of all answers together, each of so many.
fn all_answers(question: &Question<'_>, tokens: u32) -> u32 {
    tokens.saturating_mul(question.answers.max(1))
}

fn down(facts: &mut Facts) -> Option<Reason> {
    let (why, retry_after) = facts.down.take()?;
    Some(if facts.limited {
        Reason::Limited { why, retry_after }
    } else {
        Reason::Down { why, retry_after }
    })
}

fn slow(question: &Question<'_>, offer: &Offer) -> Option<Reason> {
    let speed = offer.facts.prefill_per_s.filter(|speed| *speed > 0.0 && offer.model.local)?;
    let tokens = question.prompt.likely.saturating_sub(offer.facts.cached_tokens);
    let seconds = f64::from(tokens) / speed;
    (seconds > LONGEST_PREFILL_S).then(|| Reason::TooSlow {
        tokens: u64::from(tokens),
        seconds: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).as_secs(),
    })
}
