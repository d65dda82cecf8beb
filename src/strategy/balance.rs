//! The order of an alias's targets for one request. Chance and turn come in as values.

use std::collections::HashSet;

use super::judge::Offer;
use super::plan::Spread;
use crate::catalog::{AliasStrategy, Target};

/// The targets without repetitions: the first mention of a model counts.
pub(super) fn distinct(targets: &[Target]) -> impl Iterator<Item = &Target> {
    let mut seen = HashSet::new();
    targets.iter().filter(move |target| seen.insert(&target.model.id))
}

/// Orders the offers of an alias's targets; fallbacks follow in their own order.
///
/// `round-robin` begins one target further with every request; `weighted` draws each place in
/// proportion to the weights; `quota-aware` does the same with each weight scaled by the share of the
/// rate limit that is left; `latency` goes by the measured time to the first token and `cost` by the
/// expected cost, ties in the order of the alias. `auto` is ordered by the caller.
pub(super) fn order(
    strategy: AliasStrategy,
    offers: Vec<Offer>,
    spread: Spread,
    prompt: u32,
) -> Vec<Offer> {
    let (fallbacks, mut targets): (Vec<_>, Vec<_>) =
        offers.into_iter().partition(|offer| offer.fallback);
    match strategy {
        AliasStrategy::Ordered | AliasStrategy::Auto => {}
        AliasStrategy::RoundRobin => {
            let turn = spread.counter.checked_rem(targets.len() as u64).unwrap_or(0);
            targets.rotate_left(usize::try_from(turn).unwrap_or(0));
        }
        AliasStrategy::Weighted => {
            targets = draw(targets, spread.random, |offer| f64::from(offer.weight));
        }
        AliasStrategy::QuotaAware => {
            targets = draw(targets, spread.random, |offer| {
                f64::from(offer.weight) * offer.facts.quota_left.unwrap_or(1.0).clamp(0.0, 1.0)
            });
        }
        AliasStrategy::Latency => targets.sort_by_key(|offer| offer.first_token_ms(prompt)),
        AliasStrategy::Cost => targets.sort_by_key(|offer| offer.estimated),
    }
    targets.extend(fallbacks);
    targets
}

/// Draws one after the other without putting back. One random value suffices: the place where it
/// falls within the drawn share is uniform again.
fn draw(mut left: Vec<Offer>, mut random: f64, weight: impl Fn(&Offer) -> f64) -> Vec<Offer> {
    let mut drawn = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let sum: f64 = left.iter().map(&weight).sum();
        if sum <= 0.0 {
            break;
        }
        let mut point = random.clamp(0.0, 1.0 - f64::EPSILON) * sum;
        let mut chosen = 0;
        for (place, offer) in left.iter().enumerate() {
            let share = weight(offer);
            if share <= 0.0 {
                continue;
            }
            chosen = place;
            if point < share {
                random = point / share;
                break;
            }
            point -= share;
        }
        drawn.push(left.remove(chosen));
    }
    // Weight zero: only after all others.
    drawn.extend(left);
    drawn
}
