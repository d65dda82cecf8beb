//! What configurations mean, and what is said about wrong ones.

mod as_users_write;

use jiff::Timestamp;
use rstest::rstest;
use secrecy::ExposeSecret;

use super::*;
use crate::catalog::{Capability, Gone, Model, Resolution, Tier};
use crate::chat::{Service, Usage};
use crate::money::NanoUsd;
use crate::providers::ProviderKind;

const EXAMPLE: &str = include_str!("../../config.example.toml");

fn surroundings(variables: &[(&str, &str)]) -> Environment {
    Environment::new("/work-dir", variables.iter().map(|(name, value)| (*name, *value)))
}

fn read(text: &str) -> Config {
    load_text(text, &surroundings(&[])).unwrap_or_else(|errors| panic!("{errors}"))
}

fn problems(text: &str) -> Vec<String> {
    let errors = load_text(text, &surroundings(&[])).expect_err("a problem");
    errors.to_string().lines().map(str::to_owned).collect()
}

fn with_key() -> Config {
    let variables =
        [("ANTHROPIC_API_KEY", "k"), ("DEEPSEEK_API_KEY", "k"), ("GOOGLE_API_KEY", "g")];
    load_text("", &surroundings(&variables)).unwrap()
}

fn model<'a>(config: &'a Config, id: &str) -> &'a Model {
    config.catalog.get(id).unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn nothing_configured_is_a_valid_configuration() {
    let config = read("");
    assert_eq!((config.server.port, config.server.host.to_string().as_str()), (4000, "127.0.0.1"));
    assert_eq!(config.budget.daily, None);
    assert_eq!(config.budget.default_output_tokens, 8192);
    assert_eq!(
        config.server.data_dir,
        PathBuf::from("/work-dir/./data").components().collect::<PathBuf>()
    );
    let enabled: Vec<_> =
        config.providers.iter().filter(|one| one.enabled).map(|one| one.id.as_str()).collect();
    assert_eq!(enabled, ["ollama", "embedded"]);
    let small = model(&config, "embedded/smollm2-135m");
    assert!(small.is_free() && small.local && small.max_tier == Tier::Trivial);
}

#[test]
fn the_example_is_valid_and_says_what_the_defaults_are() {
    let config = read(EXAMPLE);
    let defaults = read("");
    assert_eq!(config.server.port, defaults.server.port);
    assert_eq!(config.server.request_timeout, defaults.server.request_timeout);
    assert_eq!(config.routing.sticky_ttl, defaults.routing.sticky_ttl);
    assert_eq!(config.classifier.deadline, defaults.classifier.deadline);
    assert_eq!(config.budget.daily, Some(NanoUsd(3_000_000_000)));
    assert_eq!(config.limits.len(), 1);
    assert_eq!(config.catalog.aliases().len(), 3);
}

#[test]
fn the_published_schema_is_that_of_the_program() {
    let published = include_str!("../../config.schema.json");
    let schema = serde_json::to_string_pretty(&schema()).unwrap();
    assert_eq!(published.trim_end(), schema, "run: edge-router schema > config.schema.json");
}

#[test]
fn a_key_in_the_environment_enables_its_provider() {
    let config = with_key();
    let provider = |id: &str| config.providers.iter().find(|one| one.id.as_str() == id).unwrap();
    assert!(provider("anthropic").enabled && provider("google").enabled);
    assert_eq!(provider("google").api_keys[0].expose_secret(), "g");
    assert_eq!(provider("google").kind, ProviderKind::OpenAi);
    assert!(!provider("openai").enabled);
    assert!(!format!("{config:?}").contains("\"k\""));
}

#[test]
fn every_built_in_model_can_be_used_as_it_stands() {
    let config = with_key();
    assert_eq!(config.providers.len(), 12);
    for model in config.catalog.models() {
        assert!(model.context_window >= model.max_output_tokens, "{}", model.id);
        assert!(config.providers.iter().any(|one| one.id == model.provider), "{}", model.id);
        assert!(model.capabilities.iter().next().is_some(), "{}", model.id);
        if model.capabilities.has(Capability::Chat) {
            assert!(model.price.is_some(), "{}", model.id);
        }
        if let Some(replacement) = model.replacement.as_deref() {
            let other = config.catalog.get(replacement).expect("a replacement that exists");
            assert!(model.active || other.active, "{}", model.id);
        }
    }
    for tier in Tier::ALL {
        let fits = |model: &&std::sync::Arc<Model>| {
            model.provider.as_str() == "anthropic" && model.max_tier >= tier && model.active
        };
        assert!(config.catalog.models().iter().any(|model| fits(&model)), "{tier}");
    }
    assert!(matches!(
        config.catalog.resolve("deepseek-chat", TODAY.parse().unwrap()),
        Resolution::Removed(Gone { replacement: Some(name), .. }) if name == "deepseek/deepseek-flash"
    ));
    assert!(config.catalog.get("ollama/qwen2.5:3b").is_none());
    assert!(config.catalog.known_local("ollama", "qwen2.5:3b").is_some());
}

/// One million uncached tokens in and out, in nano-USD.
fn million(model: &Model, at: &str, prompt: u64) -> (i64, i64) {
    let rates = model.price.as_ref().unwrap().at(at.parse::<Timestamp>().unwrap(), prompt);
    let one = |usage: Usage| rates.cost(&usage).0;
    (
        one(Usage { input: 1_000_000, ..Usage::default() }),
        one(Usage { output: 1_000_000, ..Usage::default() }),
    )
}

const USD: i64 = 1_000_000_000;
const TODAY: &str = "2026-11-21T12:00:00Z";

#[rstest]
// Anthropic: the whole request at the long price from one token over the threshold on.
#[case("anthropic/claude-haiku-5-5", "2026-11-21T12:00:00Z", 100_000, (USD / 10, USD / 2))]
#[case("anthropic/claude-haiku-5-5", "2026-11-21T12:00:00Z", 100_001, (USD / 2, 5 * USD / 2))]
// DeepSeek: peak on weekdays 01:00-04:00 and 06:00-10:00 UTC.
#[case("deepseek/deepseek-flash", "2026-11-23T01:00:00Z", 10, (3 * USD / 10, 12 * USD / 10))]
#[case("deepseek/deepseek-flash", "2026-11-23T03:59:59Z", 10, (3 * USD / 10, 12 * USD / 10))]
#[case("deepseek/deepseek-flash", "2026-11-23T04:00:00Z", 10, (15 * USD / 100, 6 * USD / 10))]
#[case("deepseek/deepseek-flash", "2026-11-23T09:59:00Z", 10, (3 * USD / 10, 12 * USD / 10))]
#[case("deepseek/deepseek-flash", "2026-11-22T02:00:00Z", 10, (15 * USD / 100, 6 * USD / 10))]
// Google: announced prices from midnight UTC on.
#[case("google/gemini-4-argon", "2026-11-30T23:59:59Z", 10, (2 * USD, 10 * USD))]
#[case("google/gemini-4-argon", "2026-12-01T00:00:00Z", 10, (4 * USD, 20 * USD))]
fn prices_follow_length_hour_and_date(
    #[case] id: &str,
    #[case] at: &str,
    #[case] prompt: u64,
    #[case] expected: (i64, i64),
) {
    assert_eq!(million(model(&with_key(), id), at, prompt), expected);
}

#[test]
fn days_can_be_excepted_from_the_peak() {
    let text = r#"
[[models]]
id = "deepseek/deepseek-flash"
time_of_day = { peak_windows = [["00:00", "24:00"]], excepted_days = [2027-01-01], off_peak = { input = 0, output = 0 } }
"#;
    let config = read(text);
    let flash = model(&config, "deepseek/deepseek-flash");
    assert_eq!(million(flash, "2027-01-01T12:00:00Z", 1), (0, 0));
    assert_eq!(million(flash, "2027-01-02T12:00:00Z", 1).0, 3 * USD / 10);
}

#[test]
fn a_whole_answer_of_a_catalogue_model_costs_this() {
    let config = with_key();
    let usage = Usage {
        input: 1_000,
        cache_read: 10_000,
        cache_write: 2_000,
        cache_write_1h: 1_000,
        output: 500,
        ..Usage::default()
    };
    let price = model(&config, "anthropic/claude-opus-5-5").price.clone().unwrap();
    let now = "2026-11-21T00:00:00Z".parse().unwrap();
    // 1000 x 4 + 10000 x 0.2 + 2000 x 5 + 1000 x 8 + 500 x 20 USD per million.
    assert_eq!(price.cost(now, &usage), NanoUsd(34_000_000));
}

#[test]
fn an_entry_with_a_built_in_id_changes_only_what_it_gives() {
    let text = r#"
[[models]]
id = "anthropic/claude-haiku-4-5"
max_tier = "standard"
output_usd_per_mtok = "4.5"
[[providers]]
id = "anthropic"
first_byte_timeout_s = 7
"#;
    let config = read(text);
    let haiku = model(&config, "anthropic/claude-haiku-4-5");
    assert_eq!((haiku.max_tier, haiku.context_window), (Tier::Standard, 200_000));
    assert_eq!(million(haiku, "2026-11-21T00:00:00Z", 1), (USD, 9 * USD / 2));
    let provider = config.providers.iter().find(|one| one.id.as_str() == "anthropic").unwrap();
    assert_eq!(provider.first_byte_timeout, Duration::from_secs(7));
    assert_eq!(provider.base_url, "https://api.anthropic.com");
    assert!(!provider.enabled);
}

#[test]
fn a_new_model_needs_no_more_than_an_id_and_a_provider() {
    let text = r#"
catalog.builtin = false
[[providers]]
id = "fake"
kind = "openai"
base_url = "http://127.0.0.1:9000/"
[[models]]
id = "fake/vendor/gpt"
[[models]]
id = "fake/priced"
input_usd_per_mtok = 2
output_usd_per_mtok = 0.0375
[[providers]]
id = "house"
kind = "ollama"
[[models]]
id = "house/qwen"
"#;
    let config = read(text);
    assert_eq!(config.providers.len(), 2);
    let [fake, house] = &config.providers[..] else { panic!("two providers") };
    assert_eq!((fake.base_url.as_str(), fake.enabled), ("http://127.0.0.1:9000/v1", true));
    assert_eq!(house.base_url, "http://127.0.0.1:11434");
    let gpt = model(&config, "fake/vendor/gpt");
    assert_eq!((gpt.upstream.as_str(), gpt.provider.as_str()), ("vendor/gpt", "fake"));
    assert!(gpt.price.is_none() && !gpt.is_free() && !gpt.local);
    let priced = model(&config, "fake/priced");
    assert_eq!(million(priced, "2026-11-21T00:00:00Z", 1), (2 * USD, 37_500_000));
    assert!(model(&config, "house/qwen").is_free());
    assert!(config.catalog.get("embedded/smollm2-135m").is_none());
    assert_eq!(config.notes.len(), 2, "{:?}", config.notes);
}

#[test]
fn an_own_address_for_a_built_in_provider_needs_no_key() {
    let text = "[[providers]]\nid = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\n";
    let find = |config: Config| {
        config.providers.into_iter().find(|one| one.id.as_str() == "openai").unwrap()
    };
    let without = find(read(text));
    assert!(without.enabled && without.api_keys.is_empty());
    let with = find(load_text(text, &surroundings(&[("OPENAI_API_KEY", "k")])).unwrap());
    assert_eq!(with.api_keys.len(), 1);
}

#[test]
fn a_key_whose_variable_is_not_set_is_dropped() {
    let text = r#"
[[providers]]
id = "openai"
api_keys = ["${ONE}", "${TWO}", "${THREE:-}", "${ONE}"]
"#;
    let provider = |variables: &[(&str, &str)]| {
        let config = load_text(text, &surroundings(variables)).unwrap();
        let found = config.providers.into_iter().find(|one| one.id.as_str() == "openai").unwrap();
        (found.enabled, found.api_keys.len())
    };
    assert_eq!(provider(&[("TWO", "b")]), (true, 1));
    assert_eq!(provider(&[("ONE", "a"), ("TWO", "b")]), (true, 2));
    assert_eq!(provider(&[]), (false, 0));
}

#[test]
fn later_layers_win() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE_NAME);
    let text = "[server]\nport = 5000\nhost = \"127.0.0.2\"\nmaster_key = \"${KEY}\"\n[budget]\ndaily_usd = 1\n";
    std::fs::write(&file, text).unwrap();
    std::fs::write(dir.path().join(".env"), "KEY=from-dot-env\n").unwrap();
    let variables = [
        ("EDGE_ROUTER__SERVER__PORT", "6000"),
        ("EDGE_ROUTER__BUDGET__DAILY_USD", "2.50"),
        ("EDGE_ROUTER__SERVER__CORS_ORIGINS", "[\"http://x\"]"),
        ("EDGE_ROUTER__ROUTING__ALLOW_WEAKER", "true"),
    ];
    let environment = Environment::new(dir.path(), variables);
    let source = ConfigSource {
        path: None,
        overrides: Overrides { host: Some("0.0.0.0".to_owned()), ..Overrides::default() },
    };
    let config = load(&source, &environment).unwrap();
    assert_eq!(config.server.port, 6000);
    assert_eq!(config.server.host.to_string(), "0.0.0.0");
    assert_eq!(config.budget.daily, Some(NanoUsd(2_500_000_000)));
    assert_eq!(config.server.cors_origins, ["http://x"]);
    assert!(config.routing.allow_weaker);
    assert_eq!(config.server.master_key.unwrap().expose_secret(), "from-dot-env");
    assert_eq!(config.source, Some(file));
    assert_eq!(config.server.data_dir, dir.path().join("data"));
}

#[test]
fn the_file_is_looked_for_here_and_then_in_the_user_s_directory() {
    let home = tempfile::tempdir().unwrap();
    let here = tempfile::tempdir().unwrap();
    let user = home.path().join(".config/edge-router");
    std::fs::create_dir_all(&user).unwrap();
    std::fs::write(user.join(FILE_NAME), "server.port = 5001\n").unwrap();
    let environment = Environment::new(here.path(), [("HOME", home.path().to_str().unwrap())]);
    let port = || load(&ConfigSource::default(), &environment).unwrap().server.port;
    assert_eq!(port(), 5001);
    std::fs::write(here.path().join(FILE_NAME), "server.port = 5002\n").unwrap();
    assert_eq!(port(), 5002);
    let missing = ConfigSource { path: Some("nowhere.toml".into()), ..ConfigSource::default() };
    assert!(
        load(&missing, &environment)
            .unwrap_err()
            .to_string()
            .starts_with("nowhere.toml: cannot be read")
    );
}

#[test]
fn five_mistakes_are_five_lines_with_the_right_numbers() {
    let text = r#"[server]
prot = 4000
host = "0.0.0.0"

[budget]
daily_usd = -3
timezone = "Mars/Base"

[[models]]
id = "fake/gpt"
provider = "fake"
max_tier = "genius"
"#;
    let told = problems(text);
    let starts = [
        "edge-router.toml:2: server.prot: unknown key, did you mean `port`? allowed: host, port,",
        "edge-router.toml:3: server.host: 0.0.0.0 can be reached from outside and no master_key",
        "edge-router.toml:6: budget.daily_usd: `-3` is negative",
        "edge-router.toml:7: budget.timezone: `Mars/Base` is not a time zone",
        "edge-router.toml:11: models[0].provider: there is no provider `fake`",
        "edge-router.toml:12: models[0].max_tier: `genius` is not known; allowed: trivial, operational",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
}

#[rstest]
#[case("server.port = \"x\"", "1: server.port: is \"x\"; allowed: a whole number from 0 to 65535")]
#[case(
    "server.port = 70000",
    "1: server.port: is integer `70000`; allowed: a whole number from 0 to 65535"
)]
#[case("server = 3", "1: server: is integer `3`; allowed: a table")]
#[case("sever.port = 1", "1: sever: unknown key, did you mean `server`?")]
#[case("server.port = ", "1: not valid TOML")]
#[case("x = 1\nx = 2", "1: x: unknown key")]
#[case("[server]\n[server]", "2: not valid TOML: duplicate key `server`; each may stand here once")]
#[case("[[budget]]\ndaily_usd = 3", "1: budget: is a list; allowed: one table, written [budget]")]
#[case("server = [\"127.0.0.1\"]", "1: server: is a list; allowed: one table")]
#[case(
    "[providers]\nid = \"x\"",
    "1: providers: is one table; allowed: a list, each entry under [[providers]]"
)]
#[case("models = [[\"openai/x\"]]", "1: models[0]: is a list; allowed: a table")]
#[case(
    "routing.prefer = \"cots\"",
    "1: routing.prefer: `cots` is not known, did you mean `cost`; allowed: cost, latency, balanced"
)]
#[case("budget.daily_usd = \"1,5\"", "1: budget.daily_usd: `1,5` is not a decimal amount")]
#[case(
    "budget.daily_usd = true",
    "1: budget.daily_usd: is boolean `true`; allowed: a decimal amount in USD"
)]
#[case("server.data_dir = \"${NOWHERE}\"", "1: server.data_dir: the variable NOWHERE is not set")]
#[case("server.master_key = 12345", "1: server.master_key: is integer; allowed: a string")]
#[case(
    "providers = [{ id = \"a\", kind = \"gemini\" }]",
    "1: providers[0].kind: this version does not support `gemini` yet; allowed: openai, anthropic, ollama, embedded"
)]
#[case(
    "providers = [{ id = \"a\", kind = \"openia\" }]",
    "1: providers[0].kind: `openia` is not a kind, did you mean `openai`; allowed: openai,"
)]
#[case("providers = [{ id = \"a\", kind = \"openai\" }]", "1: providers[0].base_url: is missing")]
#[case(
    "providers = [{ id = \"a\", kind = \"openai\", base_url = \"localhost\" }]",
    "1: providers[0].base_url: `localhost` is not an address"
)]
#[case(
    "providers = [{ id = \"a\", kind = \"ollama\" }, { id = \"a\", kind = \"ollama\" }]",
    "1: providers[1].id: `a` is given twice"
)]
#[case(
    "models = [{ id = \"openai/x\", capabilities = [\"tolls\"] }]",
    "1: models[0].capabilities[0]: `tolls` is not known, did you mean `tools`; allowed: chat, tools"
)]
#[case(
    "models = [{ id = \"openai/x\" }, { id = \"openai/x\" }]",
    "1: models[1].id: `openai/x` is given twice"
)]
#[case("models = [{ id = \"plain\" }]", "1: models[0].id: `plain`; allowed: provider/name")]
#[case(
    "models = [{ id = \"openai/x\", input = 1 }]",
    "1: models[0].output_usd_per_mtok: is missing"
)]
#[case(
    "aliases.x = [\"anthropic/claude-opus-55\"]",
    "1: aliases.x[0]: no model or alias is called `anthropic/claude-opus-55`; the nearest names are anthropic/claude-opus"
)]
#[case(
    "aliases.x = [\"y\"]\naliases.y = [\"x\"]",
    "1: aliases.x[0]: leads in a circle: x -> y -> x"
)]
#[case(
    "aliases.x = { strategy = \"wieghted\", targets = [\"auto\"] }",
    "1: aliases.x.strategy: `wieghted` is not known, did you mean `weighted`"
)]
#[case("aliases.x = 5", "1: aliases.x: is integer `5`; allowed: a list of names, or a table")]
#[case("aliases.\"a[\" = [\"auto\"]", "1: aliases.\"a[\": not a usable glob")]
#[case(
    "limits = [{ name = \"n\", provider = \"openai\", window = \"1m\" }]",
    "1: limits[0]: limits nothing"
)]
#[case(
    "limits = [{ name = \"n\", provider = \"openai\", window = \"soon\", requests = 1 }]",
    "1: limits[0].window: `soon` is not a window"
)]
#[case(
    "limits = [{ name = \"n\", provider = \"opnai\", window = \"1m\", requests = 1 }]",
    "1: limits[0].provider: there is no provider `opnai`, did you mean `openai`"
)]
#[case(
    "classifier.quality = 1.5",
    "1: classifier.quality: is 1.5; allowed: a number from 0 (cost) to 1 (quality)"
)]
#[case("classifier.quality = -0.1", "1: classifier.quality: is -0.1; allowed: a number from 0")]
#[case("classifier.quality = nan", "1: classifier.quality: is")]
#[case("classifier.quality = \"high\"", "1: classifier.quality: is \"high\"; allowed: a number")]
fn a_mistake_is_told_with_place_and_remedy(#[case] text: &str, #[case] expected: &str) {
    let told = problems(text);
    let expected = format!("edge-router.toml:{expected}");
    assert!(told[0].starts_with(&expected), "{told:#?}\n{expected}");
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    let told = load_text("", &surroundings(&[("EDGE_ROUTER__SERVER__PROT", "1")])).unwrap_err();
    assert!(told.to_string().starts_with("EDGE_ROUTER__SERVER__PROT: server.prot: unknown key"));
}

#[test]
fn messages_never_show_what_came_from_a_variable() {
    let text = "server.port = \"${SECRET}\"\nrouting.prefer = \"${SECRET}\"\n";
    let told = load_text(text, &surroundings(&[("SECRET", "sk-123")])).unwrap_err().to_string();
    assert!(!told.contains("sk-123") && told.lines().count() == 2, "{told}");
}

#[test]
fn one_mistake_is_told_once() {
    let text = "providers = [{ idd = \"lab\", kind = \"ollama\" }]\nmodels = [{ id = \"lab/x\" }]\naliases.a = [\"lab/x\"]\n";
    assert_eq!(problems(text).len(), 1, "{:#?}", problems(text));
    let text = "[[models]]\nid = 5\n[[models]]\nid = \"openai/x\"\nmax_tier = 3\n[aliases]\na = [\"zz/x\"]\n";
    let told = problems(text);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains(":2: models[0].id") && told[1].contains(":5: models[1].max_tier"));
}

#[test]
fn quality_scales_the_losses_that_hold() {
    use crate::analyze::LossMatrix;
    assert_eq!(read("").classifier.loss, LossMatrix::default());
    assert_eq!(read("classifier.quality = 0.5\n").classifier.loss, LossMatrix::default());
    assert_eq!(
        read("classifier.quality = 1\n").classifier.loss,
        LossMatrix::default().at_quality(1.0)
    );
    let loss = "classifier.loss = [[0,1,1,1,1],[1,0,1,1,1],[1,1,0,1,1],[1,1,1,0,1],[1,1,1,1,0]]\n";
    let LossMatrix(rows) = read(&format!("{loss}classifier.quality = 1\n")).classifier.loss;
    assert_eq!((rows[4], rows[0]), ([6.0, 6.0, 6.0, 6.0, 0.0], [0.0, 1.0, 1.0, 1.0, 1.0]));
}

#[test]
fn a_flag_wins_over_the_file_and_is_named_when_it_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), "classifier.quality = 0.1\n").unwrap();
    let environment = Environment::new(dir.path(), [("HOME", "/nowhere")]);
    let with = |quality: f32| {
        let overrides = Overrides { quality: Some(quality), ..Overrides::default() };
        load(&ConfigSource { path: None, overrides }, &environment)
    };
    let matrix = crate::analyze::LossMatrix::default().at_quality(0.9);
    assert_eq!(with(0.9).unwrap().classifier.loss, matrix);
    for wrong in [7.0, f32::NAN, f32::INFINITY] {
        let told = with(wrong).unwrap_err().to_string();
        assert!(told.starts_with("--quality: classifier.quality: is "), "{told}");
    }
}

#[test]
fn globs_keep_the_order_of_the_file() {
    let text = "[aliases]\n\"z-*\" = [\"auto:deep\"]\n\"*-a\" = [\"auto:trivial\"]\n";
    assert!(matches!(
        read(text).catalog.resolve("z-a", TODAY.parse().unwrap()),
        Resolution::Auto(Some(Tier::Deep))
    ));
}

#[test]
fn a_record_of_the_facts_file_can_be_copied() {
    let text = r#"
[[models]]
id = "openai/copied"
max_tier = "deep"
price = { currency = "USD", unit = "per_1M_tokens", input = "8", output = "40", cache_read = "0.2", cache_write_default = "10", cache_write_5m = "10", cache_write_1h = "16" }
long_context = [{ above_input_tokens = 1000, applies_to = "whole_request", input = "9", output = "41", cache_read = "2", cache_write_default = "25" }]
batch = { multiplier = "0.5", input = "4" }
service_tiers = { "speed:fast" = { input = "16" } }
"#;
    let config = read(text);
    let copied = model(&config, "openai/copied");
    assert_eq!(million(copied, "2026-11-21T00:00:00Z", 1), (8 * USD, 40 * USD));
    assert_eq!(million(copied, "2026-11-21T00:00:00Z", 1001), (9 * USD, 41 * USD));
    assert_eq!(copied.price.as_ref().unwrap().base.cache_write_1h.0, 16 * USD);
}

#[test]
fn a_price_table_overrides_a_built_in_price_field_by_field() {
    let text = r#"
[[models]]
id = "anthropic/claude-haiku-4-5"
price = { output = "4.5" }
"#;
    let config = read(text);
    let haiku = model(&config, "anthropic/claude-haiku-4-5");
    assert_eq!(million(haiku, TODAY, 1), (USD, 9 * USD / 2));
}

#[test]
fn what_the_catalogue_still_says_beside_a_price_of_ones_own_is_noted() {
    let text = "[[models]]\nid = \"google/gemini-4-argon\"\ninput_usd_per_mtok = 1\n";
    let notes = read(text).notes;
    assert!(notes.iter().any(|note| note.contains("scheduled_prices")), "{notes:?}");
    let changed = million(model(&read(text), "google/gemini-4-argon"), "2026-12-01T00:00:00Z", 1);
    assert_eq!(changed.0, 4 * USD);
    let text = format!("{text}scheduled_prices = []\n");
    assert!(read(&text).notes.is_empty(), "{:?}", read(&text).notes);
    let kept = million(model(&read(&text), "google/gemini-4-argon"), "2026-12-01T00:00:00Z", 1);
    assert_eq!(kept.0, USD);
}

#[test]
fn classes_of_service_have_prices_and_other_keys_are_refused() {
    let config = read("");
    let price = model(&config, "openai/gpt-6.1-sol").price.clone().unwrap();
    let at = |service| {
        let usage = Usage { input: 1_000, service, ..Usage::default() };
        price.cost(TODAY.parse().unwrap(), &usage).0
    };
    assert_eq!(at(None), USD / 500);
    assert_eq!(at(Some(Service::Flex)), USD / 1_000);
    assert_eq!(at(Some(Service::Priority)), USD / 250);
    let text = "[[models]]\nid = \"openai/gpt-6.1-sol\"\nservice_tiers = { \"tier:gold\" = { input = 1 } }\n";
    let told = problems(text);
    assert!(told[0].contains("tier:gold") && told[0].contains("service_tier:flex"), "{told:#?}");
}

#[test]
fn the_last_day_of_a_model_is_known_and_can_be_overridden() {
    let id = "anthropic/claude-sonnet-4-5";
    let gone = |text: &str, day: &str| {
        model(&read(text), id).is_gone(format!("{day}T00:00:00Z").parse().unwrap())
    };
    assert!(!gone("", "2026-11-29") && gone("", "2026-11-30"));
    let own = |field: &str| format!("[[models]]\nid = \"{id}\"\n{field}\n");
    assert!(!gone(&own("deprecation_date = \"2027-01-01\""), "2026-12-31"));
    assert!(!gone(&own("active = true"), "2026-12-31"), "the owner knows better");
    let told = problems(&own("deprecation_date = \"soon\""));
    assert!(told[0].contains("deprecation_date: `soon` is not a date"), "{told:#?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_the_reading_panic(text in "[\\[\\]a-z=\"\\. \n0-9{},$\\-]{0,120}") {
        let _ = load_text(&text, &surroundings(&[]));
    }
}
