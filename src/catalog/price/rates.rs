//! The prices of one moment, one for each kind of use, and what stands in for those that nobody
//! states. A price that is not known is never zero: it is the dearest that is sensible, and
//! [`Rates::assumed`] says so.

use std::fmt;

use strum::VariantArray;

use crate::chat::Usage;
use crate::money::{CostSum, NanoUsd, PerMTok};

/// A kind of use with a price of its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::Display, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    #[strum(serialize = "cache_write_1h")]
    CacheWriteHour,
    #[strum(serialize = "cache_write_over_12h")]
    CacheWriteLong,
    AudioInput,
    AudioCached,
    AudioOutput,
    ImageInput,
    ImageOutput,
    WebSearch,
    ServerTool,
    /// The class of service itself.
    Service,
    /// The surcharge of a region.
    Region,
}

/// A set of [`Kind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        Self(self.0 | (1 << kind as u16))
    }
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::VARIANTS.iter().copied().filter(move |kind| self.has(*kind))
    }
}

/// The names, as in the catalogue: `audio_input, web_search`.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in self.iter().enumerate() {
            write!(f, "{}{kind}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Prices that apply to one request, per million tokens or, for tools, per million calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub input: PerMTok,
    pub output: PerMTok,
    /// Reading cached tokens; where the provider gives no discount, the same as `input`.
    pub cache_read: PerMTok,
    /// Writing to the cache for its default lifetime; where there is no charge, the same as `input`.
    pub cache_write: PerMTok,
    pub cache_write_1h: PerMTok,
    pub cache_write_long: PerMTok,
    /// Where not known apart, the same as `input`.
    pub audio_input: PerMTok,
    pub audio_cached: PerMTok,
    pub audio_output: PerMTok,
    pub image_input: PerMTok,
    pub image_output: PerMTok,
    pub web_search: PerMTok,
    pub server_tool: PerMTok,
    /// Those of the above that nobody states.
    pub assumed: Kinds,
}

/// Prices as stated; what is not stated is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    pub input: Option<PerMTok>,
    pub output: Option<PerMTok>,
    pub cache_read: Option<PerMTok>,
    pub cache_write: Option<PerMTok>,
    pub cache_write_1h: Option<PerMTok>,
    pub cache_write_long: Option<PerMTok>,
    pub audio_input: Option<PerMTok>,
    pub audio_cached: Option<PerMTok>,
    pub audio_output: Option<PerMTok>,
    pub image_input: Option<PerMTok>,
    pub image_output: Option<PerMTok>,
    pub web_search: Option<PerMTok>,
    pub server_tool: Option<PerMTok>,
}

/// A call of a provider's own tool where no price is known: 35 USD per thousand, the dearest list
/// price of a search among the providers of the catalogue (grounding with Google Search on Gemini
/// 2.5).
const UNKNOWN_CALL: PerMTok = PerMTok(35_000_000_000_000);

/// Takes what is stated, else what stands in for it, and notes the latter.
struct Filling(Kinds);

impl Filling {
    fn take(&mut self, kind: Kind, given: Option<PerMTok>, instead: PerMTok) -> PerMTok {
        given.unwrap_or_else(|| {
            self.0 = self.0.with(kind);
            instead
        })
    }
}

impl Given {
    /// The prices of a model. Cached tokens without a price of their own cost what input costs, and
    /// so do images: that is how providers without such prices bill. Everything else that is missing
    /// is assumed: longer lifetimes of the cache at twice the input (Anthropic's factor, and
    /// OpenAI's), audio at the price of text, cached audio at the discount of cached text.
    pub fn complete(&self) -> Rates {
        let stated = [self.input, self.output, self.cache_read, self.cache_write, self.audio_input];
        let calls = [self.web_search, self.server_tool, self.audio_output, self.image_output];
        if stated.into_iter().chain(calls).flatten().all(|price| price.0 == 0) {
            return Rates::default();
        }
        let mut fill = Filling(Kinds::NONE);
        let input = self.input.unwrap_or_default();
        let output = self.output.unwrap_or_default();
        let cache_read = self.cache_read.unwrap_or(input);
        let cache_write = self.cache_write.unwrap_or(input);
        let twice = PerMTok(input.0.saturating_mul(2)).max(cache_write);
        let hour = fill.take(Kind::CacheWriteHour, self.cache_write_1h, twice);
        let long = fill.take(Kind::CacheWriteLong, self.cache_write_long, twice.max(hour));
        let audio_input = fill.take(Kind::AudioInput, self.audio_input, input);
        let audio_cached = audio_input.times(cache_read, input).max(cache_read);
        Rates {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h: hour,
            cache_write_long: long,
            audio_input,
            audio_cached: fill.take(Kind::AudioCached, self.audio_cached, audio_cached),
            audio_output: fill.take(Kind::AudioOutput, self.audio_output, output),
            image_input: self.image_input.unwrap_or(input),
            image_output: fill.take(Kind::ImageOutput, self.image_output, output),
            web_search: fill.take(Kind::WebSearch, self.web_search, UNKNOWN_CALL),
            server_tool: fill.take(Kind::ServerTool, self.server_tool, UNKNOWN_CALL),
            assumed: fill.0,
        }
    }

    /// Prices that take the place of `base` for some requests (long prompts, hours, dates, classes of
    /// service). A kind that has a price of its own in `base` and none here is raised as input is
    /// raised; a discount on input is not extended to it.
    pub fn beside(&self, base: &Rates) -> Rates {
        let mut fill = Filling(Kinds::NONE);
        let input = self.input.unwrap_or(base.input);
        let raised = |price: PerMTok| price.times(input, base.input).max(price);
        let output = fill.take(Kind::Output, self.output, raised(base.output));
        let like = |own: PerMTok, kin: PerMTok, now: PerMTok| {
            if own == kin { now } else { raised(own) }
        };
        let mut take = |kind: Kind, given: Option<PerMTok>, own: PerMTok, kin: PerMTok, now| {
            // The same as its kin without being assumed: it is billed as its kin.
            if given.is_none() && own == kin && !base.assumed.has(kind) {
                return now;
            }
            fill.take(kind, given, like(own, kin, now))
        };
        let cache_read = self.cache_read.unwrap_or(input);
        let cache_write =
            take(Kind::CacheWrite, self.cache_write, base.cache_write, base.input, input);
        let never = PerMTok(-1);
        let hour =
            take(Kind::CacheWriteHour, self.cache_write_1h, base.cache_write_1h, never, input);
        let long =
            take(Kind::CacheWriteLong, self.cache_write_long, base.cache_write_long, never, input);
        let audio_input =
            take(Kind::AudioInput, self.audio_input, base.audio_input, base.input, input);
        let audio_cached = take(
            Kind::AudioCached,
            self.audio_cached,
            base.audio_cached,
            base.cache_read,
            cache_read,
        );
        let audio_output =
            take(Kind::AudioOutput, self.audio_output, base.audio_output, base.output, output);
        let image_input =
            take(Kind::ImageInput, self.image_input, base.image_input, base.input, input);
        let image_output =
            take(Kind::ImageOutput, self.image_output, base.image_output, base.output, output);
        let calls = [Kind::WebSearch, Kind::ServerTool].into_iter();
        let calls = calls.filter(|kind| base.assumed.has(*kind)).fold(Kinds::NONE, Kinds::with);
        let no_discount = self.cache_read.is_none() && base.cache_read != base.input;
        let read = if no_discount { Kinds::NONE.with(Kind::CacheRead) } else { Kinds::NONE };
        Rates {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h: hour,
            cache_write_long: long,
            audio_input,
            audio_cached,
            audio_output,
            image_input,
            image_output,
            web_search: self.web_search.unwrap_or(base.web_search),
            server_tool: self.server_tool.unwrap_or(base.server_tool),
            assumed: fill.0.and(calls).and(read),
        }
    }
}

/// A part of a whole, and the rest of it; a provider that reports more parts than there is has its
/// surplus left out.
fn split(whole: u64, first: u64, second: u64) -> (u64, u64, u64) {
    let first = first.min(whole);
    let second = second.min(whole - first);
    (whole - first - second, first, second)
}

impl Rates {
    /// What `usage` has of each kind, next to its price. Nothing is counted twice: audio and images
    /// are taken out of what they are part of.
    pub fn lines(&self, usage: &Usage) -> [(Kind, u64, PerMTok); 13] {
        let (text, audio, image) = split(usage.input, usage.audio_input, usage.image_input);
        let (cached, audio_cached, _) = split(usage.cache_read, usage.audio_cached, 0);
        let (output, spoken, drawn) = split(usage.output, usage.audio_output, usage.image_output);
        [
            (Kind::Input, text, self.input),
            (Kind::AudioInput, audio, self.audio_input),
            (Kind::ImageInput, image, self.image_input),
            (Kind::CacheRead, cached, self.cache_read),
            (Kind::AudioCached, audio_cached, self.audio_cached),
            (Kind::CacheWrite, usage.cache_write, self.cache_write),
            (Kind::CacheWriteHour, usage.cache_write_1h, self.cache_write_1h),
            (Kind::CacheWriteLong, usage.cache_write_long, self.cache_write_long),
            (Kind::Output, output, self.output),
            (Kind::AudioOutput, spoken, self.audio_output),
            (Kind::ImageOutput, drawn, self.image_output),
            (Kind::WebSearch, usage.web_searches, self.web_search),
            (Kind::ServerTool, usage.server_tools, self.server_tool),
        ]
    }

    /// The exact cost of `usage`, rounded up once. `reported_cost` is not looked at.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let sum = |sum: CostSum, (_, count, price): (Kind, u64, PerMTok)| sum.plus(count, price);
        self.lines(usage).into_iter().fold(CostSum::default(), sum).total()
    }

    /// Those kinds that `usage` has something of and whose price is assumed.
    pub fn assumed_for(&self, usage: &Usage) -> Kinds {
        let lines = self.lines(usage).into_iter();
        lines
            .filter(|(kind, count, _)| *count > 0 && self.assumed.has(*kind))
            .fold(Kinds::NONE, |kinds, (kind, _, _)| kinds.with(kind))
    }

    /// For each kind the dearer of both.
    #[must_use]
    pub fn dearest(&self, other: &Self) -> Self {
        self.merged(other, PerMTok::max)
    }

    /// For each kind what `merge` makes of both prices; the assumed ones of both.
    #[must_use]
    pub(super) fn merged(&self, other: &Self, merge: impl Fn(PerMTok, PerMTok) -> PerMTok) -> Self {
        let (mut all, theirs) = (self.all(), other.all());
        for (price, other) in all.iter_mut().zip(theirs) {
            *price = merge(*price, other);
        }
        Self::from_all(all, self.assumed.and(other.assumed))
    }

    /// These prices times `class / base`, each kind by its own factor, rounded up.
    #[must_use]
    pub(super) fn by_factor(&self, class: &Self, base: &Self) -> Self {
        let mut all = self.all();
        for ((price, class), base) in all.iter_mut().zip(class.all()).zip(base.all()) {
            *price = if base.0 > 0 { price.times(class, base) } else { (*price).max(class) };
        }
        Self::from_all(all, self.assumed.and(class.assumed))
    }

    fn all(&self) -> [PerMTok; 13] {
        [
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.cache_write_long,
            self.audio_input,
            self.audio_cached,
            self.audio_output,
            self.image_input,
            self.image_output,
            self.web_search,
            self.server_tool,
        ]
    }

    fn from_all(all: [PerMTok; 13], assumed: Kinds) -> Self {
        let [
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
            cache_write_long,
            audio_input,
            audio_cached,
            audio_output,
            image_input,
            image_output,
            web_search,
            server_tool,
        ] = all;
        Self {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
            cache_write_long,
            audio_input,
            audio_cached,
            audio_output,
            image_input,
            image_output,
            web_search,
            server_tool,
            assumed,
        }
    }

    pub(super) fn is_free(&self) -> bool {
        *self == Self::default()
    }
}
