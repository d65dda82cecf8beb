//! Rules that judge a text in microseconds: the fallback for when the classifier is saturated or
//! late. Words speak for or against tiers by their group, and the shape of the text (how many
//! things it asks to hold at once) adds to it. Less sure than the classifier, and it says so.

mod weights;

use super::features::{FEATURES, features};
use super::verdict::Scores;
use weights::{BIAS, WEIGHTS};

/// The probabilities of the five tiers after the rules. Any text is answered; an empty one is
/// trivial.
pub fn heuristic(text: &str) -> Scores {
    if text.trim().is_empty() {
        return [1.0, 0.0, 0.0, 0.0, 0.0];
    }
    let seen = features(text);
    let mut sums = BIAS;
    for (sum, row) in sums.iter_mut().zip(&WEIGHTS) {
        let row: &[f32; FEATURES] = row;
        *sum += row.iter().zip(&seen).map(|(weight, value)| weight * value).sum::<f32>();
    }
    softmax(sums)
}

fn softmax(sums: Scores) -> Scores {
    let most = sums.iter().copied().fold(f32::MIN, f32::max);
    let powers = sums.map(|sum| (sum - most).exp());
    let total: f32 = powers.iter().sum();
    powers.map(|power| power / total)
}

#[cfg(test)]
mod tests;
