use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::catalog::{LongContext, OffPeak, Rates};
use crate::chat::{
    ChatRequest, Dialect, Image, Message, Origin, Part, Role, Sampling, Service, Tool, Usage,
};
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
        surcharges: crate::chat::Surcharges::default(),
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

/// Random text, the hardest to count. The figure is the largest count of OpenAI's o200k_base and
/// cl100k_base, Anthropic's published, DeepSeek's and Mistral's Tekken tokenizers.
#[rstest]
#[case::letters("dnzacuxica mjuvzjkukelib zwbpxju wem bpxbzev wk affasscqretz", 29)]
#[case::short_words("go c ke p s ky v vrma upoxl ou j t j bfem osca jelwcupaeew c", 27)]
#[case::capitals("ROUJXEEYXWWORGVGIOENNMTTHQDTULTDJMGTHKGPAJISIBPPJZYICGMPOTJD", 37)]
#[case::rare_letters("kwzqxvkvq wqvjwwxzkxxx kwjvkkxkvwvzwzj jxvjwvwjzkxwjwxkkk wq", 42)]
#[case::consonants("fbb jhfzb sj tvzhpkccbvws lrkqzjmmmcgqhlxjt ndgrg vwdgwwxspg", 36)]
#[case::identifiers("e47ed8fe-496a-a01a-3f8b-866f9ec78bb5\n839fd95b-b386-ebbe-8f81", 51)]
#[case::digits_alone("282208199999088991802126077351947753134268456703863151117207", 60)]
#[case::numbers("40.839156 -57.855559 -85.268135 74.454763 -9.680376 17.66784", 57)]
#[case::hexadecimal("3de2e822d003c47600a6d0539559b3881ccf720e1ef48d1b60fc6c13b55e", 56)]
#[case::arabic("طضزب تض لامزقؼفوق ـح لغبػه ت ء حزقغزمهؼةؤػلوطاك نإ غخيفزت ؿ ", 71)]
#[case::arabic_with_marks("نِْي تغغثعََدؼٌؽىخخقو د مؾؿش دزَلسديمءٌةعئـصؼؾـ طِك َقتب غبس", 81)]
#[case::extended_arabic("ڦڣڹڏںۄ ڸ ۈۂڡڄڑ ڄٷړڃ ڬڇڃ ڏۇڃٹڌ ۆ ڮڝٿڑڙڄھڭ ڳٹژڋٳےۇټڪچڡۇڷۄ ڐۈڦٻ", 113)]
#[case::pointed_hebrew("֥֗֯ל֒ זג טָׁ֑֒ץ׈ּ֜֝ ׅחֽ֥֝ ֵ֭ג רך׏׈ֽד׀׍׈ ה ב צ֞ ֽדְ֡֨֯ץ׍ ֺדׅ֕", 96)]
#[case::armenian("գեր ձեյժխխնխրմսյզբսըյճպռլըճօց գլհզչճջզզ բկհ ցզ ղ ջհսզծմւլծձղ", 114)]
#[case::han(
    "緎袭羋鷬噅耰驴謈妰浴盷纥襝奯枌鈠簽霙資蟸阈抾唋賗窝踄兑鎓珴杢糧磳氎蕕覈硟蹧癱裑鄏巰凎軦衡怌敉龮胎貞悻嗟躼诖烲哑纥奶萳家瓙",
    141
)]
#[case::rare_han(
    "㸮䝬䊻䈅䦉㖦䑀䏧䓩㼖㡘㗖䮂㵑㭸䨕㨐㨺㿗㘐㒞䕰䲛㰪䝢䞏䔭䌞㶐䄓㱞䍴䙥䧍䢆㛂䆲㗿䰚㣘㚍㭮䪡㓗㱅䡀䲑䅏㮣䦒䶝䐵䯕㥻㐶㮷䟭㡫㠪㵅",
    180
)]
#[case::hangul(
    "컎륦쒑껀쇱윩걯쎆휝렿시됲뀱랴륰꾱팊뺶풻댜꽉쇕롆뢎낌쬥뚊듼쀛싸졲뀘풍채뽍쪂꾺턮닣좒찴꿏뜲낥쟜앣쌾씽뀹꼳꽓챔큦뮂핈쿶쫸얔뱮턈",
    157
)]
#[case::ethiopic("ቛ ጙዖኍታቷዙጒኬኋ ግዙዎዃ጗ዞንኋሞሢጲ ቾጣሪታ ኗኢ ዻሰላጨኘባፎ ቭጦ ዏቺቲጬኡጇ ኗዽቅሏቝ ኗቲዯ ", 160)]
#[case::khmer("ជឋ ឍតកទឍហហតឧគតឳឌ ភដឮអឥ ឥ ពន ជលឋឌតនធដហង ខសវចឌតឮឈឌឫឈឋ ឰឃថឥងឯឈឧ", 166)]
#[case::tibetan("ཟཝངཆལ ཏ཈ཨལཅཧདཏཊཅཨཊ ཇཝསདནཌྷ བཐཎགྷཝ ཤཐཨཇཞཞཤཟཋཞངཟཊཌྷཎཐ ལནརགཡགཐལ འཡ", 177)]
#[case::phonetic("ʊʉ ʩɑ ʧʔɽ ɻɚɹɟɾʈʜɧʌʉəʎ ʧɕɟɲʉɻɖɥɭ ʁʔ ʃ ɔ ɦɼʆ ʛ ʍʛɯ ʝɩɣɴɹ ʤʏɻʭ", 108)]
#[case::combining_marks("i̸̟ͦṕ̍͠ķ̝ͧl̥̎̓i̩ͭͤb͖̊͞b̵̬͝y̸ͨ́ṙ̎̍y̪̹ͭq̮̰͛ŭ̠͍u͓̰̱v̤͕́u̦ͥ̃", 104)]
#[case::emoji_at_random(
    "🍓📚🚞💂🎿💧😨🎅🗲🔈😯🗢🔳🚯😅🖏😚🗢🖰🖢💢💹👳🗗🔔👠🗶🔾🕳😤📟🚒🗠🏥🐹🖜🐴👼🕦📴🔴👥💂🎉🌙🗿🙉🍙🚲🚰🐐😴🌻📦🕣🔼👾🍿💠😢",
    239
)]
#[case::breaks(
    "\n\n\t\t\n \t\t\r\r  \r\t\t\n \r\r \t \r \r\r\t  \t\r\r \n\t \t\n\n\r\t\n\t\t\r\t\t\n\r\n\n   \t\t \t\r\r",
    42
)]
fn no_random_text_is_under_counted(#[case] text: &str, #[case] most: u32) {
    assert!(text_tokens(text).ceiling >= most, "{:?} of {most}", text_tokens(text));
}

#[test]
fn audio_counts_by_its_seconds_and_at_its_own_price() {
    let part = |format: &str, bytes: usize| {
        let raw = serde_json::json!({"type": "input_audio", "input_audio": {"data": "A".repeat(bytes), "format": format}});
        prompt_tokens(&request(vec![user(Part::Other { kind: "input_audio".into(), raw })]))
    };
    // A minute: in a WAV file of 24,000 16-bit samples a second, and as compressed as speech gets.
    assert!(part("wav", 3_840_000).audio >= 60 * 32 && part("mp3", 56_000).audio >= 60 * 32);
    assert!(part("wav", 3_840_000).ceiling >= part("wav", 3_840_000).audio);
    let mut priced = model("a/heard", crate::catalog::Tier::Deep, Some((1, 4)));
    if let Some(price) = &mut priced.price {
        price.base.audio_input = PerMTok(9_000_000_000);
    }
    let prompt = PromptTokens { likely: 10, ceiling: 1_000, audio: 400 };
    let cost = ceiling_cost(&priced, Timestamp::UNIX_EPOCH, prompt.into(), 0);
    assert_eq!(cost, NanoUsd(600_000 + 400 * 9_000));
}

#[test]
fn what_is_asked_for_beside_the_text_is_reserved_too() {
    let mut priced = model("a/asked", crate::catalog::Tier::Deep, Some((1, 4)));
    let base = crate::catalog::Given {
        input: Some(PerMTok(1_000_000_000)),
        output: Some(PerMTok(4_000_000_000)),
        cache_write: Some(PerMTok(1_250_000_000)),
        cache_write_1h: Some(PerMTok(2_000_000_000)),
        web_search: Some(PerMTok(10_000_000_000_000)),
        ..crate::catalog::Given::default()
    };
    let twice = crate::catalog::Given {
        input: Some(PerMTok(2_000_000_000)),
        output: Some(PerMTok(8_000_000_000)),
        ..crate::catalog::Given::default()
    };
    if let Some(price) = &mut priced.price {
        price.base = base.complete();
        let rates = twice.beside(&price.base);
        price.services.push(crate::catalog::ServicePrice { service: Service::Priority, rates });
    }
    let prompt = PromptTokens { likely: 1_000, ceiling: 1_000, audio: 0 };
    let cost = |asked| {
        let work = Workload { prompt, asked };
        ceiling_cost(&priced, Timestamp::UNIX_EPOCH, work, 1_000).0
    };
    let plain = Surcharges::default();
    assert_eq!(cost(plain), 1_250_000 + 4_000_000);
    let hour = Surcharges { cache: Lifetime::Hour, ..plain };
    assert_eq!(cost(hour), 2_000_000 + 4_000_000);
    let priority = Surcharges { service: Some(Service::Priority), ..plain };
    assert_eq!(cost(priority), 2_500_000 + 8_000_000);
    let flex = Surcharges { service: Some(Service::Flex), ..plain };
    assert!(cost(flex) >= cost(plain), "a discount may be refused");
    let search = Surcharges { web_searches: 1, ..plain };
    assert_eq!(cost(search), (1_000 + 16_000) * 1_250 + 4_000_000 + 10_000_000);
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
        let prompt = PromptTokens { likely: 10, ceiling, audio: 0 };
        ceiling_cost(&priced, Timestamp::UNIX_EPOCH, prompt.into(), 1_000)
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
    let prompt = PromptTokens { likely: 1_000, ceiling: 1_000, audio: 0 };
    let at = |minute: i64| {
        ceiling_cost(&priced, Timestamp::from_second(minute * 60).unwrap(), prompt.into(), 1_000)
    };
    assert_eq!(at(30), NanoUsd(5_000_000));
    assert_eq!(at(50), NanoUsd(10_000_000));
    assert_eq!(at(90), NanoUsd(10_000_000));
}

#[test]
fn a_cap_is_lowered_to_what_is_left_but_not_below_a_useful_answer() {
    let priced = model("a/one", crate::catalog::Tier::Deep, Some((1, 10)));
    let prompt = PromptTokens { likely: 1_000, ceiling: 1_000, audio: 0 };
    let lower =
        |cap, nanos| lower_cap(&priced, Timestamp::UNIX_EPOCH, prompt.into(), cap, NanoUsd(nanos));
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
        let prompt = PromptTokens { likely: ceiling / 2, ceiling, audio: 0 };
        let lowered = lower_cap(&priced, Timestamp::UNIX_EPOCH, prompt.into(), cap, NanoUsd(available));
        if let Some((fits, cost)) = lowered {
            prop_assert!(fits <= cap && fits >= cap.min(LEAST_CAP));
            prop_assert!(cost <= NanoUsd(available));
            let next = ceiling_cost(&priced, Timestamp::UNIX_EPOCH, prompt.into(), fits.saturating_add(1));
            prop_assert!(fits == cap || next > NanoUsd(available), "one more token would not fit");
        }
    }

    #[test]
    fn no_answer_within_the_workload_costs_more_than_its_ceiling(
        stated in proptest::collection::vec(proptest::option::of(0_i64..50_000_000_000), 13),
        shares in proptest::collection::vec(0_u64..1_000, 9),
        (ceiling, cap, audio) in (1_u64..300_000, 0_u64..50_000, 0_u64..300_000),
        (service, cache, regional, minute) in (0_usize..5, 0_u8..3, any::<bool>(), 0_i64..1440),
        (step, factor) in (1_u64..300_000, 1_i64..4),
    ) {
        let model = priced_model(&stated, (step, factor));
        let services = [Service::Standard, Service::Flex, Service::Priority, Service::SpeedFast, Service::Other];
        let asked = Surcharges {
            service: Some(services[service]),
            regional,
            cache: [Lifetime::Usual, Lifetime::Hour, Lifetime::Long][usize::from(cache)],
            audio_output: true,
            image_output: true,
            web_searches: 3,
            server_tools: 2,
        };
        let audio = audio.min(ceiling);
        let usage = within(&shares, (ceiling, cap, audio), asked);
        let now = Timestamp::from_second(minute * 60).unwrap();
        let tokens = |count: u64| u32::try_from(count).unwrap();
        let prompt = PromptTokens { likely: 1, ceiling: tokens(ceiling), audio: tokens(audio) };
        let most = ceiling_cost(&model, now, Workload { prompt, asked }, tokens(cap));
        for served in [None, Some(Service::Standard), asked.service] {
            let usage = Usage { service: served, ..usage };
            let cost = model.price.as_ref().unwrap().cost(now, &usage);
            prop_assert!(cost <= most, "{cost} over {most}: {usage:?}");
        }
    }
}

/// A model whose long prompts, cheap hours and priority service have prices of their own.
fn priced_model(stated: &[Option<i64>], (step, factor): (u64, i64)) -> crate::catalog::Model {
    let price = |index: usize| stated[index].map(PerMTok);
    let base = crate::catalog::Given {
        input: Some(price(0).unwrap_or(PerMTok(1_000_000_000))),
        output: Some(price(1).unwrap_or(PerMTok(4_000_000_000))),
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
    };
    let rates = base.complete();
    let beside = |by: i64| {
        let times = |price: PerMTok| Some(PerMTok(price.0 * by));
        let other = crate::catalog::Given {
            input: times(rates.input),
            output: times(rates.output),
            ..crate::catalog::Given::default()
        };
        other.beside(&rates)
    };
    let mut model = model("a/any", crate::catalog::Tier::Deep, Some((1, 1)));
    model.context_window = 1_000_000;
    model.price = Some(crate::catalog::Price {
        base: rates,
        long_context: vec![LongContext { above_input_tokens: step, rates: beside(factor) }],
        services: vec![crate::catalog::ServicePrice {
            service: Service::Priority,
            rates: beside(2),
        }],
        off_peak: Some(OffPeak {
            peak_minutes: vec![(0, 300), (600, 900)],
            peak_days: Vec::new(),
            excepted_days: Vec::new(),
            rates,
        }),
        ..crate::catalog::Price::default()
    });
    model
}

/// A usage that a call with this prompt, audio and cap can come to.
fn within(shares: &[u64], (ceiling, cap, audio): (u64, u64, u64), asked: Surcharges) -> Usage {
    let part = |whole: u64, share: u64| whole * share / 1_000;
    let audio_input = part(audio, shares[0]);
    let audio_cached = part(audio - audio_input, shares[1]);
    let mut rest = ceiling - audio;
    let mut take = |share: u64| {
        let some = part(rest, share);
        rest -= some;
        some
    };
    let cache_read = take(shares[2]);
    let cache_write = take(shares[3]);
    let hour = take(if asked.cache == Lifetime::Usual { 0 } else { shares[4] });
    let long = take(if asked.cache == Lifetime::Long { shares[5] } else { 0 });
    let image = take(shares[6]);
    let text = take(shares[7]);
    let spoken = part(cap, shares[8]);
    Usage {
        input: text + image + audio_input,
        audio_input,
        image_input: image,
        cache_read: cache_read + audio_cached,
        audio_cached,
        cache_write,
        cache_write_1h: hour,
        cache_write_long: long,
        output: cap,
        audio_output: spoken,
        image_output: cap - spoken,
        web_searches: 3,
        server_tools: 2,
        regional: asked.regional,
        ..Usage::default()
    }
}
