//! Prices are exact, monotone, and never too low for want of a figure.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::chat::Service;

/// USD per million, in thousandths.
fn milli(thousandths: i64) -> PerMTok {
    PerMTok(thousandths * 1_000_000)
}

fn given(input: i64, output: i64) -> Given {
    Given { input: Some(milli(input)), output: Some(milli(output)), ..Given::default() }
}

fn fast(price: &mut Price, service: Service, input: i64, output: i64) {
    let rates = given(input, output).beside(&price.base);
    price.services.push(ServicePrice { service, rates });
}

fn under(price: &Price, prompt_tokens: u64, service: Option<Service>) -> Rates {
    let terms = Terms { prompt_tokens, service, regional: false };
    price.under(Timestamp::UNIX_EPOCH, terms)
}

#[test]
fn cached_tokens_without_a_price_cost_what_input_costs() {
    let rates = given(2_000, 8_000).complete();
    assert_eq!((rates.cache_read, rates.cache_write), (milli(2_000), milli(2_000)));
    assert!(!rates.assumed.has(Kind::CacheRead) && !rates.assumed.has(Kind::CacheWrite));
}

#[test]
fn what_is_used_without_a_price_is_assumed_and_never_free() {
    let price = Price { base: given(2_000, 8_000).complete(), ..Price::default() };
    let usage = Usage {
        input: 10,
        audio_input: 10,
        cache_write_1h: 10,
        output: 10,
        audio_output: 10,
        web_searches: 1,
        ..Usage::default()
    };
    let charge = price.charge(Timestamp::UNIX_EPOCH, &usage);
    // 10 x 2 + 10 x 4 + 10 x 8 USD per million, and a search at 35 USD per thousand.
    assert_eq!(charge.cost, NanoUsd(20_000 + 40_000 + 80_000 + 35_000_000));
    assert_eq!(charge.assumed.to_string(), "cache_write_1h, audio_input, audio_output, web_search");
    let plain = Usage { input: 10, cache_read: 5, output: 10, ..Usage::default() };
    assert!(price.charge(Timestamp::UNIX_EPOCH, &plain).assumed.is_empty());
}

#[test]
fn what_a_class_of_service_leaves_out_is_raised_with_its_input() {
    let stated = Given {
        cache_write: Some(milli(5_000)),
        cache_write_1h: Some(milli(8_000)),
        ..given(4_000, 20_000)
    };
    let base = stated.complete();
    let dear = given(8_000, 40_000).beside(&base);
    assert_eq!(dear.cache_write_1h, milli(16_000));
    assert!(dear.assumed.has(Kind::CacheWriteHour));
    let cheap = given(2_000, 10_000).beside(&base);
    assert_eq!(cheap.cache_write_1h, milli(8_000), "a discount is not guessed");
}

#[test]
fn a_class_of_service_is_a_factor_on_the_price_of_a_long_prompt() {
    let mut price = Price { base: given(2_000, 10_000).complete(), ..Price::default() };
    let rates = given(4_000, 15_000).beside(&price.base);
    price.long_context.push(LongContext { above_input_tokens: 272_000, rates });
    fast(&mut price, Service::Flex, 1_000, 5_000);
    fast(&mut price, Service::Priority, 4_000, 20_000);
    let short = under(&price, 272_000, Some(Service::Flex));
    assert_eq!((short.input, short.output), (milli(1_000), milli(5_000)));
    let long = under(&price, 272_001, Some(Service::Flex));
    assert_eq!((long.input, long.output), (milli(2_000), milli(7_500)));
    let dear = under(&price, 272_001, Some(Service::Priority));
    assert_eq!((dear.input, dear.output), (milli(8_000), milli(30_000)));
}

#[rstest]
#[case::not_told_of(Service::Other, 4_000, true)]
#[case::stated(Service::Priority, 4_000, false)]
#[case::a_discount_that_nobody_states(Service::Flex, 4_000, true)]
#[case::another_field(Service::SpeedFast, 2_000, true)]
#[case::the_standard(Service::Standard, 2_000, false)]
fn a_class_without_a_price_costs_the_dearest_of_its_kind(
    #[case] service: Service,
    #[case] input: i64,
    #[case] assumed: bool,
) {
    let mut price = Price { base: given(2_000, 10_000).complete(), ..Price::default() };
    fast(&mut price, Service::Priority, 4_000, 20_000);
    let rates = under(&price, 1, Some(service));
    assert_eq!((rates.input, rates.assumed.has(Kind::Service)), (milli(input), assumed));
}

#[test]
fn a_region_costs_its_factor_on_tokens_and_nothing_on_searches() {
    let stated = Given { web_search: Some(PerMTok(10_000_000_000_000)), ..given(4_000, 20_000) };
    let price =
        Price { base: stated.complete(), regional: Some(1_100_000_000), ..Price::default() };
    let usage =
        Usage { input: 10, output: 10, web_searches: 1, regional: true, ..Usage::default() };
    // 10 x 4.4 + 10 x 22 USD per million, and a cent.
    assert_eq!(price.cost(Timestamp::UNIX_EPOCH, &usage), NanoUsd(44_000 + 220_000 + 10_000_000));
}

#[test]
fn what_is_free_stays_free_whatever_is_used() {
    let free = Price { base: given(0, 0).complete(), ..Price::default() };
    assert!(free.is_free());
    let usage = Usage {
        input: 9,
        output: 9,
        audio_output: 3,
        web_searches: 4,
        service: Some(Service::Other),
        regional: true,
        ..Usage::default()
    };
    assert_eq!(free.charge(Timestamp::UNIX_EPOCH, &usage), Charge::default());
}

#[test]
fn the_hours_turn_at_the_next_edge_that_changes_anything() {
    let hours = OffPeak {
        peak_minutes: vec![(60, 240), (360, 600)],
        peak_days: vec![jiff::civil::Weekday::Friday, jiff::civil::Weekday::Monday],
        excepted_days: Vec::new(),
        rates: Rates::default(),
    };
    let next = |at: &str| hours.next_turn(at.parse().unwrap()).unwrap().to_string();
    assert_eq!(next("2026-11-20T01:00:00Z"), "2026-11-20T04:00:00Z");
    assert_eq!(next("2026-11-20T04:00:00Z"), "2026-11-20T06:00:00Z");
    assert_eq!(next("2026-11-20T10:00:00Z"), "2026-11-23T01:00:00Z", "over the weekend");
}

/// Prices of any size; each kind stated or not.
fn any_given() -> impl Strategy<Value = Given> {
    proptest::collection::vec(proptest::option::of(0_i64..100_000_000_000), 13).prop_map(|all| {
        let price = |index: usize| all[index].map(PerMTok);
        Given {
            input: Some(price(0).unwrap_or_default()),
            output: Some(price(1).unwrap_or_default()),
            cache_read: price(2),
            cache_write: price(3),
            cache_write_1h: price(4),
            cache_write_long: price(5),
            audio_input: price(6),
            audio_cached: price(7),
            audio_output: price(8),
            image_input: price(9),
            image_output: price(10),
            web_search: price(11),
            server_tool: price(12),
        }
    })
}

/// Twelve counts that do not overlap, as a usage.
fn usage_of(counts: &[u64]) -> Usage {
    Usage {
        input: counts[0] + counts[1] + counts[2],
        audio_input: counts[1],
        image_input: counts[2],
        cache_read: counts[3] + counts[4],
        audio_cached: counts[4],
        cache_write: counts[5],
        cache_write_1h: counts[6],
        cache_write_long: counts[7],
        output: counts[8] + counts[9] + counts[10],
        audio_output: counts[9],
        image_output: counts[10],
        web_searches: counts[11],
        server_tools: counts[12],
        ..Usage::default()
    }
}

proptest! {
    #[test]
    fn a_cost_is_the_sum_of_its_parts_rounded_up_once(
        stated in any_given(), counts in proptest::collection::vec(0_u64..3_000_000, 13),
    ) {
        let rates = stated.complete();
        let usage = usage_of(&counts);
        let parts: i128 = rates.lines(&usage).iter()
            .map(|(_, count, price)| i128::from(*count) * i128::from(price.0)).sum();
        let cost = i128::from(rates.cost(&usage).0);
        prop_assert!(cost >= 0);
        prop_assert!(cost * 1_000_000 >= parts && cost * 1_000_000 - parts < 1_000_000);
        let counted: u64 = rates.lines(&usage).iter().map(|(_, count, _)| count).sum();
        prop_assert_eq!(counted, counts.iter().sum::<u64>(), "nothing is lost or counted twice");
    }

    #[test]
    fn more_of_any_kind_never_costs_less(
        stated in any_given(),
        counts in proptest::collection::vec(0_u64..300_000, 13),
        place in 0_usize..13, more in 0_u64..100_000,
    ) {
        let rates = stated.complete();
        let mut higher = counts.clone();
        higher[place] += more;
        prop_assert!(rates.cost(&usage_of(&higher)) >= rates.cost(&usage_of(&counts)));
    }

    #[test]
    fn a_kind_that_nobody_prices_costs_something_unless_all_is_free(
        stated in any_given(), place in 0_usize..13,
    ) {
        let rates = stated.complete();
        let mut counts = [0; 13];
        counts[place] = 1_000_000;
        let usage = usage_of(&counts);
        let assumed = rates.assumed_for(&usage);
        let text_is_free = rates.input.0 == 0 || rates.output.0 == 0;
        prop_assert!(assumed.is_empty() || text_is_free || rates.cost(&usage).0 > 0);
    }

    #[test]
    fn reports_that_contradict_themselves_are_never_charged_beyond_their_totals(
        input in 0_u64..1_000, audio in 0_u64..5_000, image in 0_u64..5_000,
    ) {
        let rates = given(1_000, 1_000).complete();
        let usage = Usage { input, audio_input: audio, image_input: image, ..Usage::default() };
        prop_assert_eq!(rates.cost(&usage), rates.cost(&Usage { input, ..Usage::default() }));
    }
}
