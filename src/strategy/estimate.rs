//! How many tokens, and what they can cost. Counts by character classes in one pass: no tokenizer
//! runs, so the figures hold for models whose tokenizer nobody has. It knows no budgets.

mod classes;
mod prompt;

pub use prompt::{prompt_tokens, text_tokens};

use std::time::Duration;

use jiff::Timestamp;

use crate::catalog::{Model, Price, Rates, Terms, Tier};
use crate::chat::{Lifetime, Surcharges};
use crate::money::{CostSum, NanoUsd, PerMTok};

/// The cap on an answer is lowered to fit a budget, but never below this many tokens.
pub const LEAST_CAP: u32 = 1024;

/// What one search of the provider's may add to the prompt, in tokens.
const FOUND_TOKENS: u64 = 16_000;

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
    /// Of `ceiling`, the tokens of audio.
    pub audio: u32,
}

/// What a call is asked to do, as far as it costs: the prompt, and what is billed beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    pub prompt: PromptTokens,
    pub asked: Surcharges,
}

impl From<PromptTokens> for Workload {
    fn from(prompt: PromptTokens) -> Self {
        Self { prompt, asked: Surcharges::default() }
    }
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
/// price, the rest at the input price, and `output` tokens, under the class of service that was asked
/// for. Zero where the price is not known.
pub fn likely_cost(
    model: &Model,
    now: Timestamp,
    work: Workload,
    cached: u32,
    output: u32,
) -> NanoUsd {
    let Some(price) = &model.price else { return NanoUsd::ZERO };
    let Workload { prompt, asked } = work;
    let (service, regional) = (asked.service, asked.regional);
    let terms = Terms { prompt_tokens: u64::from(prompt.likely), service, regional };
    let rates = price.under(now, terms);
    let cached = cached.min(prompt.likely);
    CostSum::default()
        .plus(u64::from(prompt.likely - cached), rates.input)
        .plus(u64::from(cached), rates.cache_read)
        .plus(u64::from(output), rates.output)
        .total()
}

/// The most that a call can cost: the prompt counted high, every token at the dearest input price
/// that can apply, an answer of `cap` tokens, and every tool of the provider's used as often as it
/// may be. Zero where the price is not known.
pub fn ceiling_cost(model: &Model, now: Timestamp, work: Workload, cap: u32) -> NanoUsd {
    let Some(price) = &model.price else { return NanoUsd::ZERO };
    let worst = Worst::of(price, now, within(model, work));
    worst.fixed().plus(u64::from(cap), worst.output).total()
}

/// The largest cap of at most `cap` tokens with which the call costs no more than `available`, and
/// that ceiling; `None` if even [`LEAST_CAP`] tokens (or `cap`, if that is less) would cost more.
pub fn lower_cap(
    model: &Model,
    now: Timestamp,
    work: Workload,
    cap: u32,
    available: NanoUsd,
) -> Option<(u32, NanoUsd)> {
    let full = ceiling_cost(model, now, work, cap);
    if full <= available {
        return Some((cap, full));
    }
    let price = model.price.as_ref()?;
    let prompt_only = ceiling_cost(model, now, work, 0);
    let output = Worst::of(price, now, within(model, work)).output;
    if output.0 <= 0 || prompt_only > available {
        return None;
    }
    let room = i128::from((available - prompt_only).0) * 1_000_000;
    let fits = u32::try_from(room / i128::from(output.0)).unwrap_or(u32::MAX).min(cap);
    (fits >= LEAST_CAP.min(cap)).then(|| (fits, ceiling_cost(model, now, work, fits)))
}

/// What does not fit the window is refused upstream and costs nothing.
fn within(model: &Model, work: Workload) -> Workload {
    let PromptTokens { likely, ceiling, audio } = work.prompt;
    let ceiling = ceiling.min(model.context_window);
    let prompt = PromptTokens { likely, ceiling, audio: audio.min(ceiling) };
    Workload { prompt, ..work }
}

/// The worst that a call can meet.
struct Worst {
    /// In tokens: text and images, audio, and what searches may put into the prompt.
    text: u64,
    audio: u64,
    found: u64,
    searches: u64,
    tools: u64,
    input: PerMTok,
    audio_input: PerMTok,
    output: PerMTok,
    search: PerMTok,
    tool: PerMTok,
}

impl Worst {
    fn of(price: &Price, now: Timestamp, work: Workload) -> Self {
        let Workload { prompt, asked } = work;
        let (ceiling, audio) = (u64::from(prompt.ceiling), u64::from(prompt.audio));
        let searches = u64::from(asked.web_searches);
        let found = searches.saturating_mul(FOUND_TOKENS);
        let rates = dearest(price, now, ceiling.saturating_add(found), asked);
        let input = dearest_input(&rates, asked.cache);
        let mut output = rates.output;
        if asked.audio_output {
            output = output.max(rates.audio_output);
        }
        if asked.image_output {
            output = output.max(rates.image_output);
        }
        Self {
            text: ceiling - audio,
            audio,
            found,
            searches,
            tools: u64::from(asked.server_tools),
            input,
            audio_input: input.max(rates.audio_input).max(rates.audio_cached),
            output,
            search: rates.web_search,
            tool: rates.server_tool,
        }
    }

    /// Everything but the answer.
    fn fixed(&self) -> CostSum {
        CostSum::default()
            .plus(self.text.saturating_add(self.found), self.input)
            .plus(self.audio, self.audio_input)
            .plus(self.searches, self.search)
            .plus(self.tools, self.tool)
    }
}

/// The dearest that one prompt token can cost that is no audio.
fn dearest_input(rates: &Rates, cache: Lifetime) -> PerMTok {
    let usual = rates.input.max(rates.cache_read).max(rates.cache_write).max(rates.image_input);
    match cache {
        Lifetime::Usual => usual,
        Lifetime::Hour => usual.max(rates.cache_write_1h),
        Lifetime::Long => usual.max(rates.cache_write_1h).max(rates.cache_write_long),
    }
}

/// For each kind the dearest price that a prompt of up to `tokens` can meet from `now` on: real
/// prompts are shorter than the ceiling, and need not reach the last price step. A class of service
/// that is asked for may be refused, and then the standard one serves.
fn dearest(price: &Price, now: Timestamp, tokens: u64, asked: Surcharges) -> Rates {
    let later = now.checked_add(PRICE_HORIZON).unwrap_or(now);
    let steps = price.long_context.iter().map(|step| step.above_input_tokens.saturating_add(1));
    let lengths = std::iter::once(0).chain(steps.filter(|length| *length <= tokens));
    let regional = asked.regional;
    let classes = [None, asked.service];
    lengths
        .flat_map(|length| [(now, length), (later, length)])
        .flat_map(|(moment, prompt_tokens)| {
            let under = move |service| Terms { prompt_tokens, service, regional };
            classes.map(|service| price.under(moment, under(service)))
        })
        .fold(Rates::default(), |worst, rates| worst.dearest(&rates))
}

#[cfg(test)]
mod tests;
