use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::catalog::{LongContext, OffPeak, Rates};
use crate::chat::{ChatRequest, Dialect, Image, Message, Origin, Part, Role, Sampling, Tool};
use crate::strategy::plan::tests::model;

fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest {
        model: String::new(),
        stream: false,
        include_usage: false,
        messages,
        tools: Vec::new(),
        tool_choice: None,
        parallel_tool_calls: None,
        max_output_tokens: None,
        sampling: Sampling::default(),
        output_format: None,
        reasoning_effort: None,
        origin: Origin { dialect: Dialect::OpenAi, body: bytes::Bytes::new() },
    }
}

fn user(part: Part) -> Message {
    Message { role: Role::User, parts: vec![part] }
}

/// Counts of OpenAI's o200k_base, Anthropic's published and DeepSeek's tokenizers: the least and the
/// largest of them.
#[rstest]
#[case::english(
    "Write a function that sorts a list of users by registration date and returns the first ten.",
    17,
    18
)]
#[case::code(
    "fn main() {\n    let total: u64 = items.iter().map(|item| item.price).sum();\n    println!(\"{total}\");\n}\n",
    33,
    36
)]
#[case::json(r#"{"type":"object","properties":{"path":{"type":"string","description":"File to read"}},"required":["path"]}"#, 25, 28)]
fn ordinary_text_is_guessed_closely_and_bounded_safely(
    #[case] text: &str,
    #[case] least: u32,
    #[case] most: u32,
) {
    let tokens = text_tokens(text);
    assert!(tokens.likely * 4 >= least * 3 && tokens.likely * 4 <= most * 5, "{tokens:?}");
    assert!(tokens.ceiling * 4 >= most * 5, "{tokens:?}");
}

#[rstest]
#[case::chinese("请编写一个函数，按注册日期对用户列表进行排序，并返回前十个用户。", 24)]
#[case::russian("Напиши функцию, которая сортирует список пользователей по дате регистрации", 33)]
#[case::emoji("🎉🚀🔥😀👩‍💻✅❌⚠️", 26)]
#[case::base64("aGVsbG8gd29ybGQgdGhpcyBpcyBhIGxvbmcgc2VjcmV0IG1lc3NhZ2Ugd2l0aCBub3RoaW5n", 45)]
#[case::digits("31415926535897932384626433832795028841971693993751", 21)]
fn no_script_gets_below_a_real_tokenizer(#[case] text: &str, #[case] most: u32) {
    assert!(text_tokens(text).ceiling >= most, "{:?}", text_tokens(text));
}

#[test]
fn an_image_counts_the_same_whatever_its_encoding_weighs() {
    let small = Image::Url("https://example.com/a.png".into());
    let large = Image::Base64 { media_type: "image/png".into(), data: "A".repeat(2_000_000) };
    let of = |image| prompt_tokens(&request(vec![user(Part::Image(image))]));
    assert_eq!(of(small.clone()), of(large));
    assert!(of(small).ceiling > 1_600);
}

#[test]
fn tools_count_with_their_schemas() {
    let bare = request(vec![user(Part::text("hello"))]);
    let mut with = bare.clone();
    with.tools.push(Tool {
        name: "read_file".into(),
        description: Some("Reads a file of the project and returns its text.".into()),
        parameters: serde_json::json!({"type": "object", "properties": {"path": {"type": "string"}}}),
        strict: None,
    });
    let (bare, with) = (prompt_tokens(&bare), prompt_tokens(&with));
    assert!(with.likely >= bare.likely + 30 && with.ceiling > with.likely);
}

#[test]
fn a_document_counts_by_its_size_and_not_by_its_letters() {
    let data = "JVBERi0xLjcK".repeat(100_000);
    let raw = serde_json::json!({"type": "document", "source": {"type": "base64", "data": data}});
    let part = Part::Other { kind: "document".into(), raw };
    let tokens = prompt_tokens(&request(vec![user(part)]));
    assert!(tokens.likely < 40_000 && tokens.ceiling > 100_000, "{tokens:?}");
}

#[test]
fn the_worst_case_takes_the_dearest_prices_that_can_apply() {
    let mut priced = model("a/long", crate::catalog::Tier::Deep, Some((2, 8)));
    let dear = Rates {
        input: PerMTok(4_000_000_000),
        output: PerMTok(12_000_000_000),
        ..Rates::default()
    };
    if let Some(price) = &mut priced.price {
        price.long_context.push(LongContext { above_input_tokens: 1_000, rates: dear });
        price.base.cache_write = PerMTok(2_500_000_000);
    }
    let at = |ceiling| {
        let prompt = PromptTokens { likely: 10, ceiling };
        ceiling_cost(&priced, Timestamp::UNIX_EPOCH, prompt, 1_000)
    };
    assert_eq!(at(1_000), NanoUsd(2_500_000 + 8_000_000), "dearest input is the cache write");
    assert_eq!(at(1_001), NanoUsd(4_004_000 + 12_000_000), "past the step all is dearer");
}

#[test]
fn a_call_just_before_the_dear_hours_is_reserved_at_their_price() {
    let mut priced = model("a/hours", crate::catalog::Tier::Deep, Some((2, 8)));
    let cheap =
        Rates { input: PerMTok(1_000_000_000), output: PerMTok(4_000_000_000), ..Rates::default() };
    if let Some(price) = &mut priced.price {
        price.off_peak = Some(OffPeak {
            peak_minutes: vec![(60, 120)],
            peak_days: Vec::new(),
            excepted_days: Vec::new(),
            rates: cheap,
        });
    }
    let prompt = PromptTokens { likely: 1_000, ceiling: 1_000 };
    let at = |minute: i64| {
        ceiling_cost(&priced, Timestamp::from_second(minute * 60).unwrap(), prompt, 1_000)
    };
    assert_eq!(at(30), NanoUsd(5_000_000));
    assert_eq!(at(50), NanoUsd(10_000_000));
    assert_eq!(at(90), NanoUsd(10_000_000));
}

#[test]
fn a_cap_is_lowered_to_what_is_left_but_not_below_a_useful_answer() {
    let priced = model("a/one", crate::catalog::Tier::Deep, Some((1, 10)));
    let prompt = PromptTokens { likely: 1_000, ceiling: 1_000 };
    let lower = |cap, nanos| lower_cap(&priced, Timestamp::UNIX_EPOCH, prompt, cap, NanoUsd(nanos));
    // The prompt takes 1,000,000 nano-USD, each token of the answer 10,000.
    assert_eq!(lower(8_192, 100_000_000), Some((8_192, NanoUsd(82_920_000))));
    assert_eq!(lower(8_192, 41_000_000), Some((4_000, NanoUsd(41_000_000))));
    assert_eq!(lower(8_192, 11_240_000), Some((1_024, NanoUsd(11_240_000))));
    assert_eq!(lower(8_192, 11_239_999), None);
    assert_eq!(lower(100, 2_000_000), Some((100, NanoUsd(2_000_000))));
    assert_eq!(lower(100, 1_999_999), None);
}

proptest! {
    #[test]
    fn the_ceiling_is_never_below_the_guess(text in any::<String>()) {
        let tokens = text_tokens(&text);
        prop_assert!(tokens.ceiling >= tokens.likely);
    }

    #[test]
    fn more_text_never_counts_less(a in "[a-zA-Z0-9 \\n.,é漢🎉]{0,40}", b in "[a-zA-Z0-9 \\n.,é漢🎉]{0,40}") {
        let (one, other) = (text_tokens(&a), text_tokens(&b));
        let both = text_tokens(&format!("{a}{b}"));
        prop_assert!(both.likely >= one.likely.max(other.likely));
        prop_assert!(both.ceiling >= one.ceiling.max(other.ceiling));
    }

    #[test]
    fn a_lowered_cap_costs_no_more_than_there_is(
        input in 0_i64..20, output in 0_i64..80, ceiling in 0_u32..100_000,
        cap in 1_u32..50_000, available in 0_i64..5_000_000_000,
    ) {
        let priced = model("a/any", crate::catalog::Tier::Deep, Some((input, output)));
        let prompt = PromptTokens { likely: ceiling / 2, ceiling };
        let lowered = lower_cap(&priced, Timestamp::UNIX_EPOCH, prompt, cap, NanoUsd(available));
        if let Some((fits, cost)) = lowered {
            prop_assert!(fits <= cap && fits >= cap.min(LEAST_CAP));
            prop_assert!(cost <= NanoUsd(available));
            let next = ceiling_cost(&priced, Timestamp::UNIX_EPOCH, prompt, fits.saturating_add(1));
            prop_assert!(fits == cap || next > NanoUsd(available), "one more token would not fit");
        }
    }
}
