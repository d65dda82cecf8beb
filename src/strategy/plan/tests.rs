use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::catalog::{Capability, ParamRules, Price, Rates};
use crate::ledger::Window;
use crate::money::PerMTok;
use crate::strategy::estimate::{LEAST_CAP, PromptTokens};
use crate::strategy::{Empty, Prefer, UnknownModel};

/// `price`: whole dollars per million tokens of input and output.
pub(crate) fn model(id: &str, max_tier: Tier, price: Option<(i64, i64)>) -> Model {
    let (provider, upstream) = id.split_once('/').unwrap();
    let price = price.map(|(input, output)| {
        let (input, output) = (PerMTok(input * 1_000_000_000), PerMTok(output * 1_000_000_000));
        let all = Rates {
            input,
            output,
            cache_read: input,
            cache_write: input,
            cache_write_1h: input,
            audio_input: input,
            ..Rates::default()
        };
        Price { base: all, ..Price::default() }
    });
    Model {
        id: id.into(),
        provider: provider.into(),
        upstream: upstream.into(),
        max_tier,
        local: price.as_ref().is_some_and(Price::is_free),
        price,
        context_window: 128_000,
        max_output_tokens: 16_384,
        capabilities: [Capability::Chat, Capability::Tools].into_iter().collect(),
        rules: ParamRules::default(),
        active: true,
        retires: None,
        replacement: None,
    }
}

/// A question with everything open: no limits, every model up.
struct Ask {
    models: Vec<Arc<Model>>,
    facts: Vec<(&'static str, Facts)>,
    tier: Tier,
    wanted: Option<(AliasStrategy, Vec<Target>)>,
    required: Capabilities,
    prompt: PromptTokens,
    client_cap: Option<u32>,
    answers: u32,
    headroom: Headroom,
    when_exhausted: WhenExhausted,
    routing: RoutingSettings,
    pinned: Option<ModelId>,
    spread: Spread,
}

impl Ask {
    fn new(models: Vec<Model>) -> Self {
        let open = Window {
            limit: None,
            spent: NanoUsd::ZERO,
            reserved: NanoUsd::ZERO,
            resets_at: Timestamp::from_second(86_400).unwrap(),
        };
        Self {
            models: models.into_iter().map(Arc::new).collect(),
            facts: Vec::new(),
            tier: Tier::Standard,
            wanted: None,
            required: Capabilities::NONE,
            prompt: PromptTokens { likely: 1_000, ceiling: 1_500, audio: 0 },
            client_cap: None,
            answers: 1,
            headroom: Headroom { daily: open.clone(), monthly: open, per_request: None, key: None },
            when_exhausted: WhenExhausted::Local,
            routing: RoutingSettings {
                unknown_model: UnknownModel::Reject,
                allow_weaker: false,
                sticky_ttl: Duration::from_secs(3600),
                prefer: Prefer::Cost,
                max_fallbacks: 4,
            },
            pinned: None,
            spread: Spread::default(),
        }
    }

    fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    fn named(mut self, strategy: AliasStrategy, ids: &[&str]) -> Self {
        let target = |id: &&str| {
            let model = self.models.iter().find(|model| model.id.as_str() == *id).unwrap();
            Target { model: Arc::clone(model), weight: 1, fallback: false, beyond: false }
        };
        self.wanted = Some((strategy, ids.iter().map(target).collect()));
        self
    }

    fn daily(mut self, limit: i64, spent: i64, reserved: i64) -> Self {
        self.headroom.daily.limit = Some(NanoUsd(limit));
        self.headroom.daily.spent = NanoUsd(spent);
        self.headroom.daily.reserved = NanoUsd(reserved);
        self
    }

    fn with(mut self, id: &'static str, change: impl FnOnce(&mut Facts)) -> Self {
        let mut facts = UP;
        change(&mut facts);
        self.facts.push((id, facts));
        self
    }

    fn plan(&self) -> Plan {
        let facts = |model: &Model| {
            let own = self.facts.iter().find(|(id, _)| *id == model.id.as_str());
            own.map_or(UP, |(_, facts)| facts.clone())
        };
        plan(&Question {
            now: Timestamp::UNIX_EPOCH,
            tier: self.tier,
            wanted: match &self.wanted {
                None => Wanted::Auto,
                Some((strategy, targets)) => Wanted::Named { strategy: *strategy, targets },
            },
            models: &self.models,
            facts: &facts,
            required: self.required,
            prompt: self.prompt,
            asked: Surcharges::default(),
            client_cap: self.client_cap,
            default_output_tokens: 8_192,
            answers: self.answers,
            headroom: &self.headroom,
            when_exhausted: self.when_exhausted,
            routing: &self.routing,
            pinned: self.pinned.as_ref(),
            spread: self.spread,
        })
    }
}

const UP: Facts = Facts {
    enabled: true,
    allowed: true,
    converted: false,
    down: None,
    limited: false,
    cached_tokens: 0,
    first_token: None,
    prefill_per_s: None,
    quota_left: None,
};

fn down(facts: &mut Facts) {
    facts.down = Some(("its last calls failed".into(), Some(Duration::from_secs(7))));
}

fn order(plan: &Plan) -> Vec<&str> {
    plan.candidates.iter().map(|one| one.model.id.as_str()).collect()
}

fn reason<'a>(plan: &'a Plan, id: &str) -> &'a Reason {
    &plan.refused.iter().find(|one| one.model.id.as_str() == id).unwrap().reason
}

/// A free and weak model, and three of rising trust and price.
fn four() -> Vec<Model> {
    vec![
        model("cloud/deep", Tier::Deep, Some((10, 40))),
        model("cloud/middle", Tier::Standard, Some((2, 8))),
        model("cloud/small", Tier::Operational, Some((1, 4))),
        model("home/tiny", Tier::Trivial, Some((0, 0))),
    ]
}

#[rstest]
#[case(Tier::Trivial, "home/tiny")]
#[case(Tier::Operational, "cloud/small")]
#[case(Tier::Standard, "cloud/middle")]
#[case(Tier::Complex, "cloud/deep")]
#[case(Tier::Deep, "cloud/deep")]
fn the_cheapest_model_trusted_with_the_work_goes_first(#[case] tier: Tier, #[case] id: &str) {
    let plan = Ask::new(four()).tier(tier).plan();
    assert_eq!(order(&plan)[0], id);
    assert_eq!(plan.candidates.len() + plan.refused.len(), 4);
}

#[test]
fn reasons_have_figures() {
    let plan = Ask::new(four()).plan();
    assert_eq!(
        plan.candidates[0].reason,
        "cheapest of 2 models trusted with standard work: about $0.0092, at most $0.0685"
    );
    assert_eq!(
        reason(&plan, "cloud/small").to_string(),
        "it is trusted up to operational work, this is standard"
    );
    let free = Ask::new(four()).tier(Tier::Trivial).plan();
    assert_eq!(
        free.candidates[0].reason,
        "cheapest of 4 models trusted with trivial work: a free local model answers"
    );
}

#[test]
fn free_models_below_the_tier_serve_when_none_of_the_tier_can_and_the_reason_says_so() {
    let mut models = four();
    models.push(model("home/large", Tier::Operational, Some((0, 0))));
    let plan = Ask::new(models).with("cloud/deep", down).with("cloud/middle", down).plan();
    assert_eq!(order(&plan), ["home/large", "home/tiny"]);
    let why = &plan.candidates[0].reason;
    assert!(why.starts_with("no model trusted with standard work can serve (2 down)"), "{why}");
    assert!(matches!(reason(&plan, "cloud/small"), Reason::TooWeak { .. }));
}

#[test]
fn the_free_ones_below_the_tier_stand_by_while_a_candidate_of_the_tier_is_tried() {
    let plan = Ask::new(four()).plan();
    for gave_out in [GaveOut::Calls, GaveOut::Money] {
        let ids: Vec<_> =
            plan.last_resort(gave_out).iter().map(|one| one.model.id.as_str()).collect();
        assert_eq!(ids, ["home/tiny"]);
    }
    let mut ask = Ask::new(four());
    ask.when_exhausted = WhenExhausted::Reject;
    assert!(ask.plan().last_resort(GaveOut::Money).is_empty());
}

#[test]
fn paid_models_below_the_tier_serve_only_if_the_owner_allows_it() {
    let mut ask = Ask::new(four()).with("cloud/deep", down).with("cloud/middle", down);
    ask.routing.allow_weaker = true;
    assert_eq!(order(&ask.plan()), ["cloud/small", "home/tiny"]);
}

#[test]
fn an_exhausted_day_sends_the_work_to_free_models_or_refuses_it() {
    let mut ask = Ask::new(four()).daily(1_000_000, 1_000_000, 0);
    let plan = ask.plan();
    assert_eq!(order(&plan), ["home/tiny"]);
    assert!(plan.candidates[0].reason.contains("2 over the budget"));

    ask.when_exhausted = WhenExhausted::Reject;
    let plan = ask.plan();
    assert!(plan.candidates.is_empty());
    let Empty::Budget(shortfall) = plan.why_empty() else { panic!("{:?}", plan.why_empty()) };
    assert_eq!((shortfall.which, shortfall.limit), (Limit::Daily, NanoUsd(1_000_000)));
    assert!(shortfall.resets_at.is_some());

    let trivial = ask.tier(Tier::Trivial).plan();
    assert_eq!(order(&trivial), ["home/tiny"], "it would not have cost money");
}

#[test]
fn a_named_model_that_cannot_be_paid_is_replaced_by_free_ones_unless_the_owner_rejects_that() {
    let mut ask = Ask::new(four())
        .named(AliasStrategy::Ordered, &["cloud/deep"])
        .daily(1_000_000, 999_999, 0);
    let plan = ask.plan();
    assert_eq!(order(&plan), ["home/tiny"]);
    assert!(plan.candidates[0].reason.starts_with("what was asked for is over the budget"));
    ask.when_exhausted = WhenExhausted::Reject;
    assert!(matches!(ask.plan().why_empty(), Empty::Budget(_)));
}

#[test]
fn rejecting_holds_for_an_alias_that_lists_a_free_model_behind_a_paid_one() {
    let mut ask = Ask::new(four())
        .named(AliasStrategy::Ordered, &["cloud/deep", "home/tiny"])
        .daily(1_000_000, 1_000_000, 0);
    assert_eq!(order(&ask.plan()), ["home/tiny"]);
    ask.when_exhausted = WhenExhausted::Reject;
    assert!(matches!(ask.plan().why_empty(), Empty::Budget(_)));
}

#[test]
fn reservations_of_others_refuse_nothing_because_the_ledger_waits_for_them() {
    // The ceiling of cloud/middle is 68,536,000.
    let plan = Ask::new(four()).daily(100_000_000, 0, 100_000_000).plan();
    assert_eq!(order(&plan)[0], "cloud/middle");
    assert_eq!(plan.candidates[0].output_cap, 8_192);
}

#[test]
fn the_cap_is_lowered_to_what_is_left_and_never_above_the_clients_own() {
    let ask = Ask::new(four()).daily(100_000_000, 81_000_000, 0);
    let plan = ask.plan();
    assert_eq!(
        (plan.candidates[0].output_cap, plan.candidates[0].ceiling),
        (2_000, NanoUsd(19_000_000))
    );
    assert!(plan.candidates[0].reason.contains("capped at 2000 tokens by the budget"));
    assert!(matches!(reason(&plan, "cloud/deep"), Reason::Budget(_)));

    let mut small = Ask::new(four()).daily(100_000_000, 81_000_000, 0);
    small.client_cap = Some(500);
    assert_eq!(small.plan().candidates[0].output_cap, 500);
}

#[test]
fn several_answers_are_reserved_each_with_its_own_cap() {
    let mut ask = Ask::new(four());
    ask.client_cap = Some(500);
    let one = ask.plan().candidates[0].ceiling;
    ask.answers = 3;
    let three = ask.plan().candidates[0].ceiling;
    // 1,500 tokens of the prompt are paid once: only the answers count three times.
    assert_eq!(three - one, NanoUsd(2 * 500 * 8_000));

    // $0.019 is left: 2,000 tokens for one answer, which is not 1,024 for each of three.
    let mut ask = Ask::new(four()).daily(100_000_000, 81_000_000, 0);
    ask.answers = 3;
    assert!(ask.plan().candidates.iter().all(|one| one.ceiling.is_zero()));
    ask.headroom.daily.spent = NanoUsd(70_000_000);
    let plan = ask.plan();
    assert!(plan.candidates[0].output_cap >= 1_024);
    assert!(plan.candidates[0].ceiling <= NanoUsd(30_000_000));
}

#[test]
fn a_request_limit_of_its_own_is_named_in_the_refusal() {
    let mut ask = Ask::new(four()).tier(Tier::Complex);
    ask.headroom.per_request = Some(NanoUsd(1_000_000));
    let text = reason(&ask.plan(), "cloud/deep").to_string();
    assert_eq!(
        text,
        "even an answer of 1024 tokens can cost $0.056, over the limit of $0.001 per request"
    );
}

#[rstest]
#[case(Some(100), 128_000, 16_384, 100)]
#[case(None, 128_000, 16_384, 8_192)]
#[case(None, 128_000, 4_096, 4_096)]
#[case(None, 4_000, 16_384, 2_500)]
#[case(Some(u32::MAX), 128_000, 16_384, 16_384)]
fn the_cap_is_the_least_of_what_is_wanted_possible_and_fitting(
    #[case] client: Option<u32>,
    #[case] window: u32,
    #[case] most: u32,
    #[case] cap: u32,
) {
    let mut one = model("a/one", Tier::Deep, Some((0, 0)));
    (one.context_window, one.max_output_tokens) = (window, most);
    let mut ask = Ask::new(vec![one]);
    ask.client_cap = client;
    assert_eq!(ask.plan().candidates[0].output_cap, cap);
}

#[test]
fn a_prompt_that_fits_no_window_is_told_with_the_largest() {
    let mut models = four();
    models[0].context_window = 2_000;
    let mut ask = Ask::new(models);
    ask.prompt = PromptTokens { likely: 200_000, ceiling: 300_000, audio: 0 };
    let plan = ask.plan();
    assert_eq!(plan.why_empty(), Empty::TooLong { tokens: 200_000, window: 128_000 });
    assert!(plan.refused.iter().all(|one| matches!(one.reason, Reason::WindowTooSmall { .. })));
}

#[test]
fn capabilities_are_never_dropped() {
    let mut ask = Ask::new(four()).tier(Tier::Trivial);
    ask.required = Capabilities::NONE.with(Capability::Vision).with(Capability::Tools);
    let plan = ask.plan();
    assert_eq!(plan.why_empty(), Empty::Unsupported { lacks: "vision".into(), models: 4 });
}

#[test]
fn a_model_for_embeddings_never_chats() {
    let mut other = model("home/embed", Tier::Deep, Some((0, 0)));
    other.capabilities = Capabilities::NONE.with(Capability::Embeddings);
    assert!(
        matches!(reason(&Ask::new(vec![other]).plan(), "home/embed"), Reason::Lacks(what) if what == "chat")
    );
}

#[test]
fn an_unknown_price_serves_by_name_and_without_a_budget_only() {
    let models = || vec![model("cloud/new", Tier::Deep, None)];
    assert_eq!(Ask::new(models()).plan().why_empty(), Empty::PriceUnknown);
    let named = Ask::new(models()).named(AliasStrategy::Ordered, &["cloud/new"]);
    assert_eq!(order(&named.plan()), ["cloud/new"]);
    assert_eq!(named.daily(1, 0, 0).plan().why_empty(), Empty::PriceUnknown);
}

#[test]
fn what_is_not_enabled_or_not_allowed_is_refused_for_that() {
    let plan = Ask::new(four())
        .with("cloud/deep", |facts| facts.enabled = false)
        .with("cloud/middle", |facts| facts.allowed = false)
        .plan();
    assert_eq!(reason(&plan, "cloud/deep"), &Reason::NotEnabled);
    assert_eq!(reason(&plan, "cloud/middle"), &Reason::NotAllowed);
    assert_eq!(Ask::new(Vec::new()).plan().why_empty(), Empty::NothingConfigured);
}

#[test]
fn why_nothing_serves_names_the_soonest_return_and_tells_limits_from_failures() {
    let only = || {
        vec![model("cloud/a", Tier::Deep, Some((1, 1))), model("cloud/b", Tier::Deep, Some((1, 1)))]
    };
    let limited = |facts: &mut Facts| {
        facts.down = Some(("rate".into(), Some(Duration::from_secs(3))));
        facts.limited = true;
    };
    let both =
        Ask::new(only()).with("cloud/a", limited).with("cloud/b", limited).plan().why_empty();
    assert_eq!(
        both,
        Empty::Limited { why: "rate".into(), retry_after: Some(Duration::from_secs(3)) }
    );
    let mixed = Ask::new(only()).with("cloud/a", limited).with("cloud/b", down).plan().why_empty();
    assert_eq!(
        mixed,
        Empty::Down { why: "rate".into(), retry_after: Some(Duration::from_secs(3)) }
    );
    let weak = Ask::new(vec![model("cloud/w", Tier::Trivial, Some((1, 1)))]).plan().why_empty();
    assert_eq!(weak, Empty::TooWeak { tier: Tier::Standard, strongest: Tier::Trivial });
}

#[test]
fn an_empty_purse_and_a_free_model_that_is_down_is_a_matter_of_the_budget() {
    let ask = Ask::new(four()).daily(1, 1, 0).with("home/tiny", down);
    assert!(matches!(ask.plan().why_empty(), Empty::Budget(_)));
}

#[test]
fn the_model_of_the_task_goes_first_while_it_is_good_enough() {
    let mut ask = Ask::new(four());
    ask.pinned = Some("cloud/deep".into());
    let plan = ask.plan();
    assert_eq!(order(&plan), ["cloud/deep", "cloud/middle"]);
    assert!(plan.candidates[0].reason.starts_with("keeps serving this task: about $"));
    ask.pinned = Some("cloud/small".into());
    assert_eq!(order(&ask.plan()), ["cloud/middle", "cloud/deep"]);
}

#[test]
fn a_cached_prompt_makes_a_dearer_model_the_cheaper_one() {
    let mut models = vec![
        model("a/cached", Tier::Deep, Some((3, 4))),
        model("b/fresh", Tier::Deep, Some((2, 4))),
    ];
    if let Some(price) = &mut models[0].price {
        price.base.cache_read = PerMTok(300_000_000);
    }
    let mut ask = Ask::new(models).with("a/cached", |facts| facts.cached_tokens = 90_000);
    ask.prompt = PromptTokens { likely: 100_000, ceiling: 110_000, audio: 0 };
    assert_eq!(order(&ask.plan())[0], "a/cached");
}

#[test]
fn a_local_model_too_slow_for_the_prompt_serves_only_if_nothing_else_can() {
    let slow = |facts: &mut Facts| facts.prefill_per_s = Some(100.0);
    let mut ask = Ask::new(four()).tier(Tier::Trivial).with("home/tiny", slow);
    ask.prompt = PromptTokens { likely: 20_000, ceiling: 30_000, audio: 0 };
    let plan = ask.plan();
    assert_eq!(order(&plan)[0], "cloud/small");
    assert_eq!(reason(&plan, "home/tiny"), &Reason::TooSlow { tokens: 20_000, seconds: 200 });
    let mut alone = Ask::new(four().split_off(3)).tier(Tier::Trivial).with("home/tiny", slow);
    alone.prompt = ask.prompt;
    assert_eq!(order(&alone.plan()), ["home/tiny"]);
}

#[test]
fn latency_and_balance_weigh_the_time_to_the_first_token() {
    let ms = |ms| move |facts: &mut Facts| facts.first_token = Some(Duration::from_millis(ms));
    let mut ask = Ask::new(vec![
        model("a/slow", Tier::Deep, Some((1, 1))),
        model("b/quick", Tier::Deep, Some((2, 2))),
    ])
    .with("a/slow", ms(3_000))
    .with("b/quick", ms(200));
    assert_eq!(order(&ask.plan())[0], "a/slow");
    for prefer in [Prefer::Latency, Prefer::Balanced] {
        ask.routing.prefer = prefer;
        assert_eq!(order(&ask.plan())[0], "b/quick");
    }
}

#[test]
fn an_alias_goes_in_its_strategys_order_whatever_the_tier() {
    let ids = ["cloud/small", "cloud/deep", "cloud/middle"];
    let mut ask = Ask::new(four()).tier(Tier::Deep).named(AliasStrategy::Ordered, &ids);
    assert_eq!(order(&ask.plan()), ids);
    let mut with = |strategy, spread| {
        ask.wanted.as_mut().unwrap().0 = strategy;
        ask.spread = spread;
        order(&ask.plan()).join(" ")
    };
    let turn = |counter| Spread { counter, random: 0.0 };
    let luck = |random| Spread { counter: 0, random };
    assert_eq!(with(AliasStrategy::RoundRobin, turn(1)), "cloud/deep cloud/middle cloud/small");
    assert_eq!(with(AliasStrategy::RoundRobin, turn(3)), "cloud/small cloud/deep cloud/middle");
    assert_eq!(with(AliasStrategy::Cost, turn(0)), "cloud/small cloud/middle cloud/deep");
    assert!(with(AliasStrategy::Weighted, luck(0.99)).starts_with("cloud/middle"));
    assert!(with(AliasStrategy::Weighted, luck(0.4)).starts_with("cloud/deep"));
    assert_eq!(with(AliasStrategy::Auto, turn(0)), "cloud/deep", "auto minds the tier");
}

#[test]
fn quota_aware_avoids_what_is_used_up_and_fallbacks_come_last() {
    let mut ask = Ask::new(four())
        .named(
            AliasStrategy::QuotaAware,
            &["cloud/small", "cloud/deep", "cloud/middle", "cloud/small"],
        )
        .with("cloud/small", |facts| facts.quota_left = Some(0.0));
    ask.wanted.as_mut().unwrap().1[1].fallback = true;
    for random in [0.0, 0.5, 0.999] {
        ask.spread.random = random;
        assert_eq!(order(&ask.plan()), ["cloud/middle", "cloud/small", "cloud/deep"]);
    }
}

#[test]
fn a_named_model_that_is_down_is_not_replaced_behind_the_clients_back() {
    let ask =
        Ask::new(four()).named(AliasStrategy::Ordered, &["cloud/deep"]).with("cloud/deep", down);
    assert!(matches!(ask.plan().why_empty(), Empty::Down { .. }));
}

fn any_tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(Tier::ALL.to_vec())
}

proptest! {
    #[test]
    fn every_model_is_either_a_candidate_or_refused_and_candidates_fit_every_limit(
        given in prop::collection::vec((any_tier(), prop::option::of((0_i64..30, 0_i64..90)), 1_000_u32..200_000, any::<bool>()), 0..8),
        tier in any_tier(),
        likely in 0_u32..150_000,
        limit in prop::option::of(0_i64..500_000_000),
        spent in 0_i64..500_000_000,
        cap in prop::option::of(1_u32..40_000),
        rejects in any::<bool>(),
    ) {
        let models: Vec<Model> = given.iter().enumerate().map(|(place, (max_tier, price, window, tools))| {
            let mut one = model(&format!("p/{place}"), *max_tier, *price);
            one.context_window = *window;
            if !tools {
                one.capabilities = Capabilities::NONE.with(Capability::Chat);
            }
            one
        }).collect();
        let count = models.len();
        let mut ask = Ask::new(models).tier(tier);
        ask.headroom.daily.limit = limit.map(NanoUsd);
        ask.headroom.daily.spent = NanoUsd(spent);
        ask.required = Capabilities::NONE.with(Capability::Tools);
        ask.prompt = PromptTokens { likely, ceiling: likely + likely / 2, audio: 0 };
        ask.client_cap = cap;
        if rejects {
            ask.when_exhausted = WhenExhausted::Reject;
        }
        let plan = ask.plan();
        prop_assert_eq!(plan.candidates.len() + plan.refused.len(), count);
        let left = limit.map(|limit| NanoUsd(limit).minus_or_zero(NanoUsd(spent)));
        let of_tier = plan.candidates.iter().any(|one| one.model.max_tier >= tier);
        for one in &plan.candidates {
            prop_assert!(one.model.capabilities.has(Capability::Tools));
            prop_assert!(likely < one.model.context_window);
            prop_assert!(left.is_none_or(|left| one.ceiling <= left));
            prop_assert!(one.estimated <= one.ceiling);
            prop_assert!(cap.is_none_or(|cap| one.output_cap <= cap));
            prop_assert!(one.output_cap >= cap.unwrap_or(8_192).min(LEAST_CAP).min(256));
            prop_assert!(one.model.max_tier >= tier || (one.model.is_free() && !of_tier));
        }
        if of_tier {
            prop_assert!(plan.candidates.is_sorted_by_key(|one| one.estimated));
        } else {
            prop_assert!(plan.candidates.is_sorted_by_key(|one| std::cmp::Reverse(one.model.max_tier)));
        }
        if plan.candidates.is_empty() {
            let _ = plan.why_empty().to_string();
        }
    }
}
