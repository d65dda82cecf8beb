//! The order of those that may serve, and the sentence that explains each place.
//!
//! By content: expected cost; at the same cost (free models) the higher `max_tier` first, since it
//! gives more for the same money, then the quicker, then by name so that the choice is stable.

use std::cmp::Reverse;

use super::judge::Offer;
use super::plan::{Candidate, Question, Refusal, Wanted};
use super::reason::{Reason, usd};
use super::{Prefer, balance};
use crate::catalog::AliasStrategy;

/// `prefer = "balanced"`: a second less to the first token is worth this many nano-USD per
/// millisecond, that is $0.002 per second.
const NANOS_PER_MS: i64 = 2_000;

/// Orders and explains those of the tier.
pub(super) fn ordered(question: &Question<'_>, mut offers: Vec<Offer>) -> Vec<Candidate> {
    let by_content = question.wanted.minds_tier();
    if by_content {
        offers.sort_by_cached_key(|offer| (offer.fallback, rank(question, offer)));
    } else if let Wanted::Named { strategy, .. } = question.wanted {
        offers.sort_by_key(|offer| offer.place);
        offers = balance::order(strategy, offers, question.spread, question.prompt.likely);
    }
    let keeps_order =
        matches!(question.wanted, Wanted::Named { strategy: AliasStrategy::Ordered, .. });
    let pinned = question
        .pinned
        .filter(|_| !keeps_order)
        .and_then(|pinned| offers.iter().position(|offer| offer.model.id == *pinned));
    if let Some(place) = pinned {
        offers[..=place].rotate_right(1);
    }
    let count = offers.len();
    let mut place = 0;
    worded(offers, |offer| {
        place += 1;
        let first = place == 1;
        match question.wanted {
            _ if first && pinned.is_some() => {
                format!("keeps serving this task: {}", figures(offer))
            }
            Wanted::Named { strategy, .. } if !by_content => {
                named_reason(strategy, offer, (place, count))
            }
            _ => content_reason(question, offer, (place, count)),
        }
    })
}

/// Sorts models below the tier, or standing in for a named one: strongest first.
pub(super) fn by_falling_tier(mut offers: Vec<Offer>) -> Vec<Offer> {
    offers.sort_by(|a, b| {
        let key = |offer: &Offer| (Reverse(offer.model.max_tier), offer.estimated);
        key(a).cmp(&key(b)).then_with(|| a.model.id.cmp(&b.model.id))
    });
    offers
}

pub(super) fn worded(
    offers: Vec<Offer>,
    mut reason: impl FnMut(&Offer) -> String,
) -> Vec<Candidate> {
    offers
        .into_iter()
        .map(|offer| Candidate {
            reason: reason(&offer),
            model: offer.model,
            estimated: offer.estimated,
            ceiling: offer.ceiling,
            output_cap: offer.output_cap,
        })
        .collect()
}

type Rank = (i64, i64, Reverse<crate::catalog::Tier>, u64, crate::ids::ModelId);

fn rank(question: &Question<'_>, offer: &Offer) -> Rank {
    let wait = offer.first_token_ms(question.prompt.likely);
    let wait_ms = i64::try_from(wait).unwrap_or(i64::MAX);
    let cost = offer.estimated.0;
    let (first, second) = match question.routing.prefer {
        Prefer::Cost => (cost, 0),
        Prefer::Latency => (wait_ms, cost),
        Prefer::Balanced => (cost.saturating_add(wait_ms.saturating_mul(NANOS_PER_MS)), cost),
    };
    (first, second, Reverse(offer.model.max_tier), wait, offer.model.id.clone())
}

/// "free", or what it costs probably and at most.
fn figures(offer: &Offer) -> String {
    let mut text = if offer.model.is_free() {
        let place = if offer.model.local { "a free local model answers" } else { "free" };
        place.to_owned()
    } else if offer.model.price.is_none() {
        "its price is not known".to_owned()
    } else {
        format!("about {}, at most {}", usd(offer.estimated), usd(offer.ceiling))
    };
    if offer.lowered {
        text.push_str(&format!(", the answer capped at {} tokens by the budget", offer.output_cap));
    }
    text
}

fn content_reason(question: &Question<'_>, offer: &Offer, place: (usize, usize)) -> String {
    let tier = question.tier;
    let prefer = match question.routing.prefer {
        Prefer::Cost => "cheapest",
        Prefer::Latency => "quickest",
        Prefer::Balanced => "best balance of cost and speed",
    };
    let figures = figures(offer);
    match place {
        (1, 1) => format!("the only available model trusted with {tier} work: {figures}"),
        (1, count) => format!("{prefer} of {count} models trusted with {tier} work: {figures}"),
        (place, count) => {
            format!("number {place} of {count} models trusted with {tier} work: {figures}")
        }
    }
}

fn named_reason(strategy: AliasStrategy, offer: &Offer, (place, count): (usize, usize)) -> String {
    let figures = figures(offer);
    if offer.fallback {
        return format!("fallback of the alias, number {place} of {count}: {figures}");
    }
    if count == 1 {
        return format!("asked for by name: {figures}");
    }
    format!("number {place} of {count} targets in {strategy} order: {figures}")
}

/// Why a model that stands by would serve.
pub(super) fn stand_by_reason(question: &Question<'_>, offer: &Offer) -> String {
    let (max_tier, tier) = (offer.model.max_tier, question.tier);
    let figures = figures(offer);
    if question.wanted.minds_tier() {
        format!(
            "every model trusted with {tier} work failed; trusted with {max_tier} work: {figures}"
        )
    } else {
        format!(
            "the budget does not allow what was asked for; trusted with {max_tier} work: {figures}"
        )
    }
}

/// Why a model serves that is below the tier, or was not asked for.
pub(super) fn relaxed_reason(
    question: &Question<'_>,
    offer: &Offer,
    refused: &[Refusal],
) -> String {
    let of = |test: fn(&Reason) -> bool| refused.iter().filter(|one| test(&one.reason)).count();
    let budget = of(|reason| matches!(reason, Reason::Budget(_)));
    let down = of(|reason| matches!(reason, Reason::Down { .. } | Reason::Limited { .. }));
    let mut causes = Vec::new();
    if budget > 0 {
        causes.push(format!("{budget} over the budget"));
    }
    if down > 0 {
        causes.push(format!("{down} down"));
    }
    let causes =
        if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
    let (max_tier, tier) = (offer.model.max_tier, question.tier);
    let figures = figures(offer);
    if question.wanted.minds_tier() {
        format!(
            "no model trusted with {tier} work can serve{causes}, so the requirement is dropped; trusted with {max_tier} work: {figures}"
        )
    } else {
        format!(
            "what was asked for is over the budget{causes}; trusted with {max_tier} work: {figures}"
        )
    }
}
