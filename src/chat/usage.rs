//! Token counts in one normal form, whatever way the provider counts.

use crate::money::NanoUsd;

/// What one answer used, in tokens. The input fields do not overlap: their sum is the whole prompt.
/// (Anthropic's `input_tokens` excludes cached tokens, OpenAI's `prompt_tokens` includes them; the
/// codecs in `wire` bring both to this form.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub input: u64,
    pub cache_read: u64,
    /// Written to the provider's cache for its default lifetime (Anthropic 5 minutes, OpenAI 30).
    pub cache_write: u64,
    /// Written for one hour (Anthropic).
    pub cache_write_1h: u64,
    /// Written for more than twelve hours (OpenAI's extended retention).
    pub cache_write_long: u64,
    /// All generated tokens, reasoning included.
    pub output: u64,
    /// Of `output`, the tokens spent on reasoning; they cost what output costs.
    pub reasoning: u64,
    /// Of `input`, the tokens of audio.
    pub audio_input: u64,
    /// Of `cache_read`, the tokens of audio.
    pub audio_cached: u64,
    /// Of `output`, the tokens of audio.
    pub audio_output: u64,
    /// Of `input`, the tokens of images, where the provider counts them apart.
    pub image_input: u64,
    /// Of `output`, the tokens of images.
    pub image_output: u64,
    /// Searches that the provider made for this answer.
    pub web_searches: u64,
    /// Calls of the provider's other tools that it bills one by one.
    pub server_tools: u64,
    /// What the answer says it was served under; `None`: it says nothing.
    pub service: Option<Service>,
    /// Served in a region that the client asked for, which some providers charge for.
    pub regional: bool,
    /// The provider's own figure for the cost, where it sends one (OpenRouter's `usage.cost`).
    pub reported_cost: Option<NanoUsd>,
}

/// A class of service with prices of its own. The text form is the catalogue's key, `field:value`.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
pub enum Service {
    #[default]
    #[strum(serialize = "standard")]
    Standard,
    #[strum(serialize = "service_tier:flex")]
    Flex,
    #[strum(serialize = "service_tier:priority")]
    Priority,
    #[strum(serialize = "service_tier:fast")]
    Fast,
    /// Anthropic's `speed`.
    #[strum(serialize = "speed:fast")]
    SpeedFast,
    /// A tier that nobody has told us of.
    #[strum(serialize = "service_tier:other")]
    Other,
    /// A speed that nobody has told us of.
    #[strum(serialize = "speed:other")]
    OtherSpeed,
}

impl Service {
    /// What a `service_tier` names. Of a request, `auto` leaves it to the provider: `None`.
    pub fn of_tier(word: &str) -> Option<Self> {
        Some(match word {
            "" | "auto" => return None,
            // OpenAI, Anthropic, Groq.
            "default" | "standard" | "standard_only" | "on_demand" => Self::Standard,
            "flex" => Self::Flex,
            "priority" => Self::Priority,
            "fast" => Self::Fast,
            _ => Self::Other,
        })
    }

    /// What a `speed` names.
    pub fn of_speed(word: &str) -> Option<Self> {
        Some(match word {
            "" => return None,
            "standard" => Self::Standard,
            "fast" => Self::SpeedFast,
            _ => Self::OtherSpeed,
        })
    }

    /// Tier and speed named together: the speed speaks unless it is the standard one.
    pub fn of(tier: Option<&str>, speed: Option<&str>) -> Option<Self> {
        let tier = tier.and_then(Self::of_tier);
        match speed.and_then(Self::of_speed) {
            Some(Self::Standard) => tier.or(Some(Self::Standard)),
            Some(speed) => Some(speed),
            None => tier,
        }
    }

    /// Costs more than the standard, as far as anyone knows.
    pub fn is_dear(self) -> bool {
        !matches!(self, Self::Standard | Self::Flex)
    }
}

impl Usage {
    /// The whole prompt in tokens, cached ones included.
    pub fn prompt_tokens(&self) -> u64 {
        [self.cache_read, self.cache_write, self.cache_write_1h, self.cache_write_long]
            .into_iter()
            .fold(self.input, u64::saturating_add)
    }
}
