//! What tokens cost, at a moment and for a prompt of a length. Pure and integer.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::chat::Usage;
use crate::money::{CostSum, NanoUsd, PerMTok};

/// Prices that apply to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub input: PerMTok,
    pub output: PerMTok,
    /// Reading cached tokens; where the provider gives no discount, the same as `input`.
    pub cache_read: PerMTok,
    /// Writing to the cache for its default lifetime; where there is no charge, the same as `input`.
    pub cache_write: PerMTok,
    pub cache_write_1h: PerMTok,
    /// Where not known apart, the same as `input`.
    pub audio_input: PerMTok,
}

/// Prices that replace the base for the whole request past a prompt length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongContext {
    /// Applies when the prompt (cached tokens counted) is longer than this.
    pub above_input_tokens: u64,
    pub rates: Rates,
}

/// Cheaper hours of the day (DeepSeek). Outside every peak window `rates` apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffPeak {
    /// UTC minutes of the day, begin inclusive, end exclusive.
    pub peak_minutes: Vec<(u16, u16)>,
    /// Days (UTC) that have peak windows at all; empty: every day.
    pub peak_days: Vec<Weekday>,
    /// Dates (UTC) without peak windows, such as public holidays.
    pub excepted_days: Vec<Date>,
    pub rates: Rates,
}

impl OffPeak {
    fn is_peak(&self, now: Timestamp) -> bool {
        let civil = now.to_zoned(TimeZone::UTC).datetime();
        let minute =
            u16::from(civil.hour().unsigned_abs()) * 60 + u16::from(civil.minute().unsigned_abs());
        let day_has_peaks = self.peak_days.is_empty() || self.peak_days.contains(&civil.weekday());
        day_has_peaks
            && !self.excepted_days.contains(&civil.date())
            && self.peak_minutes.iter().any(|(from, to)| (*from..*to).contains(&minute))
    }
}

/// Prices announced for a later moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledPrice {
    pub from: Timestamp,
    pub rates: Rates,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    pub base: Rates,
    /// Sorted by length, shortest first.
    pub long_context: Vec<LongContext>,
    pub off_peak: Option<OffPeak>,
    /// Sorted by date.
    pub scheduled: Vec<ScheduledPrice>,
}

impl Rates {
    /// The exact cost of `usage`, rounded up once. `reported_cost` is not looked at.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let audio = usage.audio_input.min(usage.input);
        CostSum::default()
            .plus(usage.input - audio, self.input)
            .plus(audio, self.audio_input)
            .plus(usage.cache_read, self.cache_read)
            .plus(usage.cache_write, self.cache_write)
            .plus(usage.cache_write_1h, self.cache_write_1h)
            .plus(usage.output, self.output)
            .total()
    }

    /// The dearest that one prompt token (text or image) can cost under these rates.
    pub fn dearest_input(&self) -> PerMTok {
        self.input.max(self.cache_read).max(self.cache_write).max(self.cache_write_1h)
    }

    fn is_free(&self) -> bool {
        *self == Self::default()
    }
}

impl Price {
    /// Costs nothing, now and at any prompt length.
    pub fn is_free(&self) -> bool {
        self.base.is_free()
            && self.long_context.iter().all(|tier| tier.rates.is_free())
            && self.scheduled.iter().all(|change| change.rates.is_free())
    }

    /// The rates for a prompt of `prompt_tokens` (cached ones counted) at `now`: base, then dated
    /// changes, then the hour of the day, then the prompt's length (facts file, rule 2).
    pub fn at(&self, now: Timestamp, prompt_tokens: u64) -> Rates {
        let mut rates = self.base;
        if let Some(change) = self.scheduled.iter().rev().find(|change| change.from <= now) {
            rates = change.rates;
        }
        if let Some(off_peak) = self.off_peak.as_ref().filter(|off_peak| !off_peak.is_peak(now)) {
            rates = off_peak.rates;
        }
        if let Some(tier) =
            self.long_context.iter().rev().find(|tier| prompt_tokens > tier.above_input_tokens)
        {
            rates = tier.rates;
        }
        rates
    }

    /// What `usage` cost at `now`; the provider's own figure wins where it gave one.
    pub fn cost(&self, now: Timestamp, usage: &Usage) -> NanoUsd {
        usage.reported_cost.unwrap_or_else(|| self.at(now, usage.prompt_tokens()).cost(usage))
    }
}
