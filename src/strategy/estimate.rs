//! How many tokens, and what they can cost. Counts by character classes in one pass: no tokenizer
//! runs, so the figures hold for models whose tokenizer nobody has. It knows no budgets.

mod classes;
mod prompt;

pub use prompt::{prompt_tokens, text_tokens};

use std::time::Duration;

use jiff::Timestamp;

use crate::catalog::{Model, Price, Tier};
use crate::money::{CostSum, NanoUsd, PerMTok};

/// The cap on an answer is lowered to fit a budget, but never below this many tokens.
pub const LEAST_CAP: u32 = 1024;

/// How long after planning the prices of a call may still change: a call that begins before the
/// dearer hours of the day is reserved at their price.
const PRICE_HORIZON: Duration = Duration::from_secs(15 * 60);

/// A prompt's length in tokens, without tokenizing it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptTokens {
    /// Best guess.
    pub likely: u32,
    /// Counted high, so that a reservation holds.
    pub ceiling: u32,
}

/// How long an answer to work of this tier usually is, in tokens, reasoning included.
pub fn expected_output(tier: Tier) -> u32 {
    match tier {
        Tier::Trivial => 150,
        Tier::Operational => 400,
        Tier::Standard => 900,
        Tier::Complex => 2_000,
        Tier::Deep => 4_000,
    }
}

/// What a call will probably cost: the part of the prompt that the provider has cached at the cache
/// price, the rest at the input price, and `output` tokens. Zero where the price is not known.
pub fn likely_cost(
    model: &Model,
    now: Timestamp,
    prompt: PromptTokens,
    cached: u32,
    output: u32,
) -> NanoUsd {
    let Some(price) = &model.price else { return NanoUsd::ZERO };
    let rates = price.at(now, u64::from(prompt.likely));
    let cached = cached.min(prompt.likely);
    CostSum::default()
        .plus(u64::from(prompt.likely - cached), rates.input)
        .plus(u64::from(cached), rates.cache_read)
        .plus(u64::from(output), rates.output)
        .total()
}

/// The most that a call can cost: the prompt counted high, every token at the dearest input price
/// that can apply, and an answer of `cap` tokens. Zero where the price is not known.
pub fn ceiling_cost(model: &Model, now: Timestamp, prompt: PromptTokens, cap: u32) -> NanoUsd {
    let Some(price) = &model.price else { return NanoUsd::ZERO };
    // What does not fit the window is refused upstream and costs nothing.
    let prompt = prompt.ceiling.min(model.context_window);
    let (input, output) = dearest(price, now, u64::from(prompt));
    CostSum::default().plus(u64::from(prompt), input).plus(u64::from(cap), output).total()
}

/// The largest cap of at most `cap` tokens with which the call costs no more than `available`, and
/// that ceiling; `None` if even [`LEAST_CAP`] tokens (or `cap`, if that is less) would cost more.
pub fn lower_cap(
    model: &Model,
    now: Timestamp,
    prompt: PromptTokens,
    cap: u32,
    available: NanoUsd,
) -> Option<(u32, NanoUsd)> {
    let full = ceiling_cost(model, now, prompt, cap);
    if full <= available {
        return Some((cap, full));
    }
    let price = model.price.as_ref()?;
    let prompt_only = ceiling_cost(model, now, prompt, 0);
    let (_, output) = dearest(price, now, u64::from(prompt.ceiling.min(model.context_window)));
    if output.0 <= 0 || prompt_only > available {
        return None;
    }
    let room = i128::from((available - prompt_only).0) * 1_000_000;
    let fits = u32::try_from(room / i128::from(output.0)).unwrap_or(u32::MAX).min(cap);
    (fits >= LEAST_CAP.min(cap)).then(|| (fits, ceiling_cost(model, now, prompt, fits)))
}

/// The dearest input and output prices that a prompt of up to `tokens` can meet from `now` on: real
/// prompts are shorter than the ceiling, and need not reach the last price step.
fn dearest(price: &Price, now: Timestamp, tokens: u64) -> (PerMTok, PerMTok) {
    let later = now.checked_add(PRICE_HORIZON).unwrap_or(now);
    let steps = price.long_context.iter().map(|step| step.above_input_tokens.saturating_add(1));
    let lengths = std::iter::once(0).chain(steps.filter(|length| *length <= tokens));
    lengths
        .flat_map(|length| [price.at(now, length), price.at(later, length)])
        .fold((PerMTok::FREE, PerMTok::FREE), |(input, output), rates| {
            (input.max(rates.dearest_input()), output.max(rates.output))
        })
}

#[cfg(test)]
mod tests;
