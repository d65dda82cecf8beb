//! Which token comes next, given the logits: pure but for its own seeded random numbers.

use std::collections::{HashMap, VecDeque};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::chat::Sampling;

/// What holds where the client says nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingDefaults {
    /// 0: always the likeliest token. The smallest models lose the thread at anything above.
    pub temperature: f64,
    pub top_p: f64,
    /// 0: no limit.
    pub top_k: u32,
    /// Divides the logit of a token that the answer used lately. 1: off. Small models go round in circles
    /// without it.
    pub repeat_penalty: f32,
    /// How many tokens back "lately" is.
    pub repeat_window: usize,
}

impl Default for SamplingDefaults {
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 0.9, top_k: 40, repeat_penalty: 1.1, repeat_window: 64 }
    }
}

pub(super) struct Sampler {
    temperature: f64,
    top_p: f64,
    top_k: usize,
    repeat_penalty: f32,
    repeat_window: usize,
    presence: f32,
    frequency: f32,
    rng: StdRng,
    recent: VecDeque<u32>,
    counts: HashMap<u32, u32>,
}

impl Sampler {
    pub(super) fn new(asked: &Sampling, defaults: &SamplingDefaults) -> Self {
        let seed = asked.seed.unwrap_or_else(rand::random);
        Self {
            temperature: finite(asked.temperature).unwrap_or(defaults.temperature).clamp(0.0, 10.0),
            top_p: finite(asked.top_p).unwrap_or(defaults.top_p),
            top_k: asked.top_k.unwrap_or(defaults.top_k) as usize,
            repeat_penalty: defaults.repeat_penalty,
            repeat_window: defaults.repeat_window,
            presence: single(asked.presence_penalty),
            frequency: single(asked.frequency_penalty),
            rng: StdRng::seed_from_u64(seed),
            recent: VecDeque::new(),
            counts: HashMap::new(),
        }
    }

    /// Chooses a token and remembers it. Changes `logits`.
    pub(super) fn pick(&mut self, logits: &mut [f32]) -> u32 {
        self.penalise(logits);
        let id = if self.temperature < 1e-4 { highest(logits) } else { self.draw(logits) };
        self.recent.push_back(id);
        if self.recent.len() > self.repeat_window {
            self.recent.pop_front();
        }
        *self.counts.entry(id).or_default() += 1;
        id
    }

    fn penalise(&self, logits: &mut [f32]) {
        let recent: std::collections::HashSet<u32> = self.recent.iter().copied().collect();
        for id in recent {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = if *logit > 0.0 {
                    *logit / self.repeat_penalty
                } else {
                    *logit * self.repeat_penalty
                };
            }
        }
        if self.presence == 0.0 && self.frequency == 0.0 {
            return;
        }
        for (id, count) in &self.counts {
            if let Some(logit) = logits.get_mut(*id as usize) {
                let count = f32::from(u16::try_from(*count).unwrap_or(u16::MAX));
                *logit -= self.presence + self.frequency * count;
            }
        }
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let chances = self.candidates(logits);
        let total: f64 = chances.iter().map(|(_, chance)| chance).sum();
        let mut left = self.rng.random::<f64>() * total;
        for (id, chance) in &chances {
            left -= chance;
            if left <= 0.0 {
                return *id;
            }
        }
        chances.last().map_or(0, |(id, _)| *id)
    }

    /// The tokens that may be drawn, likeliest first, each with a weight.
    fn candidates(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        let mut ranked: Vec<(u32, f32)> =
            (0..).zip(logits.iter().copied()).filter(|(_, logit)| !logit.is_nan()).collect();
        let falling = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if self.top_k > 0 && self.top_k < ranked.len() {
            ranked.select_nth_unstable_by(self.top_k, falling);
            ranked.truncate(self.top_k);
        }
        ranked.sort_unstable_by(falling);
        let best = ranked.first().map_or(0.0, |(_, logit)| f64::from(*logit));
        let weight = |logit: f32| ((f64::from(logit) - best) / self.temperature).exp();
        let total: f64 = ranked.iter().map(|(_, logit)| weight(*logit)).sum();
        let mut sum = 0.0;
        let mut kept = Vec::new();
        for (id, logit) in ranked {
            // At least one stays, however small the share.
            if !kept.is_empty() && sum >= self.top_p * total {
                break;
            }
            sum += weight(logit);
            kept.push((id, weight(logit)));
        }
        kept
    }
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

#[expect(clippy::cast_possible_truncation, reason = "a penalty between -2 and 2, clamped")]
fn single(value: Option<f64>) -> f32 {
    finite(value).unwrap_or(0.0).clamp(-2.0, 2.0) as f32
}

fn highest(logits: &[f32]) -> u32 {
    (0..)
        .zip(logits.iter().copied())
        .filter(|(_, logit)| !logit.is_nan())
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map_or(0, |(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampler(asked: &Sampling) -> Sampler {
        let defaults = SamplingDefaults { repeat_penalty: 1.0, ..SamplingDefaults::default() };
        Sampler::new(asked, &defaults)
    }

    #[test]
    fn temperature_zero_takes_the_likeliest() {
        let asked = Sampling { temperature: Some(0.0), ..Sampling::default() };
        let mut sampler = sampler(&asked);
        assert_eq!(sampler.pick(&mut [0.1, f32::NAN, 3.0, 2.9]), 2);
        assert_eq!(sampler.pick(&mut [0.1, 9.0, 3.0, 2.9]), 1);
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens() {
        let asked = Sampling {
            temperature: Some(1.0),
            seed: Some(7),
            top_p: Some(1.0),
            ..Sampling::default()
        };
        let run = || {
            let mut sampler = sampler(&asked);
            (0..50).map(|_| sampler.pick(&mut [1.0, 1.1, 0.9, 1.2])).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        assert!(run().iter().any(|id| *id != run()[0]));
    }

    #[test]
    fn a_token_that_was_used_becomes_less_likely() {
        let asked = Sampling { temperature: Some(0.0), ..Sampling::default() };
        let defaults = SamplingDefaults { repeat_penalty: 1.5, ..SamplingDefaults::default() };
        let mut sampler = Sampler::new(&asked, &defaults);
        assert_eq!(sampler.pick(&mut [2.0, 1.9]), 0);
        assert_eq!(sampler.pick(&mut [2.0, 1.9]), 1);
    }

    #[test]
    fn a_tiny_top_p_leaves_only_the_likeliest() {
        let asked = Sampling { temperature: Some(2.0), top_p: Some(0.0001), ..Sampling::default() };
        let mut sampler = sampler(&asked);
        assert!((0..100).all(|_| sampler.pick(&mut [0.0, 0.5, 0.4]) == 1));
    }

    proptest! {
        #[test]
        fn only_the_top_k_are_drawn(logits in prop::collection::vec(-5f32..5.0, 5..40), seed: u64, k in 1u32..5) {
            let asked = Sampling {
                temperature: Some(5.0), top_p: Some(1.0), top_k: Some(k), seed: Some(seed), ..Sampling::default()
            };
            let id = sampler(&asked).pick(&mut logits.clone()) as usize;
            let better = logits.iter().filter(|other| **other > logits[id]).count();
            prop_assert!(better < k as usize);
        }

        #[test]
        fn odd_settings_never_leave_the_vocabulary(
            temperature in prop::num::f64::ANY, top_p in prop::num::f64::ANY, top_k: Option<u32>,
            logits in prop::collection::vec(prop::num::f32::ANY, 1..20),
        ) {
            let asked = Sampling {
                temperature: Some(temperature), top_p: Some(top_p), top_k, ..Sampling::default()
            };
            let id = sampler(&asked).pick(&mut logits.clone()) as usize;
            prop_assert!(id < logits.len());
        }
    }
}
