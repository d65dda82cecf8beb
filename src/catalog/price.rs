//! What use costs, at a moment, for a prompt of a length and a class of service. Pure and integer.
//!
//! The order of the facts file's rule 2: the base, changed by date, by the hour of the day, by the
//! prompt's length (for the whole request), then by the class of service and the region. The last
//! two are factors: a class that costs twice the standard price costs twice the long price on a
//! long prompt.

mod hours;
mod rates;

pub use hours::OffPeak;
pub use rates::{Given, Kind, Kinds, Rates};

use jiff::Timestamp;

use crate::chat::{Service, Usage};
use crate::money::{NanoUsd, PerMTok};

/// Prices that replace the base for the whole request past a prompt length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongContext {
    /// Applies when the prompt (cached tokens counted) is longer than this.
    pub above_input_tokens: u64,
    pub rates: Rates,
}

/// Prices announced for a later moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledPrice {
    pub from: Timestamp,
    pub rates: Rates,
}

/// Prices of a class of service, for a prompt of the usual length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePrice {
    pub service: Service,
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
    pub services: Vec<ServicePrice>,
    /// What a request costs more in a region asked for by name, in billionths of the price (1.1 times
    /// is 1,100,000,000); `None`: not known.
    pub regional: Option<i64>,
}

/// What a request cost, and which of the prices were assumed for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    pub cost: NanoUsd,
    pub assumed: Kinds,
}

/// What decides, beside the moment, which prices apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Cached ones counted.
    pub prompt_tokens: u64,
    pub service: Option<Service>,
    pub regional: bool,
}

/// A region costs no more than this where its surcharge is not known: the dearest that is (1.1 times).
const UNKNOWN_REGION: i64 = 1_100_000_000;
const BILLION: PerMTok = PerMTok(1_000_000_000);

impl Price {
    /// Costs nothing, now and at any prompt length.
    pub fn is_free(&self) -> bool {
        self.base.is_free()
            && self.long_context.iter().all(|tier| tier.rates.is_free())
            && self.scheduled.iter().all(|change| change.rates.is_free())
    }

    /// The standard rates for a prompt of `prompt_tokens` (cached ones counted) at `now`.
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

    /// The rates under these terms at `now`.
    pub fn under(&self, now: Timestamp, terms: Terms) -> Rates {
        let standard = self.at(now, terms.prompt_tokens);
        if standard.is_free() {
            return standard;
        }
        let served = match terms.service {
            None | Some(Service::Standard) => standard,
            Some(service) => self.served(standard, service),
        };
        if terms.regional { self.in_region(served) } else { served }
    }

    /// A class of service whose price nobody states costs what the dearest of its kind costs that is
    /// stated, and at least the standard price.
    fn served(&self, standard: Rates, service: Service) -> Rates {
        let factor = |class: &ServicePrice| self.times_class(&standard, &class.rates);
        if let Some(known) = self.services.iter().find(|class| class.service == service) {
            return factor(known);
        }
        let speed = |service| matches!(service, Service::SpeedFast | Service::OtherSpeed);
        let kin = self.services.iter().filter(|class| speed(class.service) == speed(service));
        let mut rates = kin.map(factor).fold(standard, |dearest, class| dearest.dearest(&class));
        rates.assumed = standard.assumed.with(Kind::Service);
        rates
    }

    fn times_class(&self, standard: &Rates, class: &Rates) -> Rates {
        let mut rates =
            if *standard == self.base { *class } else { standard.by_factor(class, &self.base) };
        rates.web_search = standard.web_search;
        rates.server_tool = standard.server_tool;
        rates
    }

    fn in_region(&self, rates: Rates) -> Rates {
        let factor = PerMTok(self.regional.unwrap_or(UNKNOWN_REGION));
        let mut dearer = rates.merged(&rates, |price, _| price.times(factor, BILLION));
        dearer.web_search = rates.web_search;
        dearer.server_tool = rates.server_tool;
        if self.regional.is_none() {
            dearer.assumed = dearer.assumed.with(Kind::Region);
        }
        dearer
    }

    /// The rates that `usage` is charged at.
    pub fn of(&self, now: Timestamp, usage: &Usage) -> Rates {
        let Usage { service, regional, .. } = *usage;
        self.under(now, Terms { prompt_tokens: usage.prompt_tokens(), service, regional })
    }

    /// What `usage` cost at `now`; the provider's own figure wins where it gave one.
    pub fn charge(&self, now: Timestamp, usage: &Usage) -> Charge {
        if let Some(cost) = usage.reported_cost {
            return Charge { cost, assumed: Kinds::NONE };
        }
        let rates = self.of(now, usage);
        let terms = [Kind::Service, Kind::Region].into_iter();
        let terms = terms.filter(|kind| rates.assumed.has(*kind)).fold(Kinds::NONE, Kinds::with);
        Charge { cost: rates.cost(usage), assumed: rates.assumed_for(usage).and(terms) }
    }

    /// What `usage` cost at `now`, see [`Self::charge`].
    pub fn cost(&self, now: Timestamp, usage: &Usage) -> NanoUsd {
        self.charge(now, usage).cost
    }
}

#[cfg(test)]
mod tests;
