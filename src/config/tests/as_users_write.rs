//! Files and variables as people write, paste and generate them.

use rstest::rstest;

use super::*;

#[test]
fn what_a_model_says_without_effect_is_noted_where_it_stands() {
    let text = "[[models]]\nid = \"openai/x\"\nmax_tier = \"deep\"\nbatch = { input = 1 }\naudio_hour_usd = 1\ncapabilities = [\"chat\", \"embeddings\"]\ninput = 1\noutput = 1\n";
    let notes = read(text).notes;
    assert_eq!(notes.len(), 3, "{notes:#?}");
    assert!(notes[0].starts_with("models[0].batch is accepted, but"), "{notes:#?}");
    assert!(notes[1].starts_with("models[0].audio_hour_usd is accepted"), "{notes:#?}");
    assert!(notes[2].starts_with("models[0].capabilities: embeddings is accepted"), "{notes:#?}");
    assert!(read("").notes.is_empty());
}

/// The example of the interface page, word for word.
const PASTED: &str = include_str!("interface-example.toml");

#[test]
fn the_documented_example_can_be_pasted() {
    let config = load_text(PASTED, &surroundings(&[("OPENAI_API_KEY", "k")])).unwrap();
    let test = model(&config, "openai/gpt-test");
    assert_eq!(million(test, "2026-11-21T00:00:00Z", 1), (2 * USD, 8 * USD));
    assert_eq!(config.catalog.aliases().len(), 3);
    let told = config.notes.join("\n");
    assert!(told.contains("models[0].capabilities"), "{told}");
    assert_eq!(config.notes.len(), 1, "{told}");
}

#[test]
fn windows_files_are_read_with_their_line_numbers() {
    let text = "\u{feff}[server]\r\nport = 4001\r\n[budget]\r\ndaily_usd = \"1.50\"\r\n";
    assert_eq!(read(text).budget.daily, Some(NanoUsd(1_500_000_000)));
    let told = problems("\u{feff}[server]\r\nprot = 4001\r\n");
    assert!(told[0].starts_with("edge-router.toml:2: server.prot"), "{told:?}");
}

#[rstest]
#[case("3")]
#[case("3.0")]
#[case("\"3.00\"")]
#[case("3e0")]
fn money_is_an_integer_a_float_or_a_text(#[case] amount: &str) {
    let config = read(&format!("budget.daily_usd = {amount}\n"));
    assert_eq!(config.budget.daily, Some(NanoUsd(3_000_000_000)));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let variables = [("EDGE_ROUTER__SERVER__PORT", ""), ("EDGE_ROUTER__BUDGET__DAILY_USD", " ")];
    let config = load_text("budget.daily_usd = 2\n", &surroundings(&variables)).unwrap();
    assert_eq!((config.server.port, config.budget.daily), (4000, Some(NanoUsd(2_000_000_000))));
}

#[test]
fn a_list_is_set_by_one_variable_as_a_whole() {
    let whole = [("EDGE_ROUTER__PROVIDERS", "[{ id = \"mine\", kind = \"ollama\" }]")];
    let config = load_text("", &surroundings(&whole)).unwrap();
    assert!(config.providers.iter().any(|one| one.id.as_str() == "mine"));
    let part = [("EDGE_ROUTER__PROVIDERS__0__ID", "mine")];
    let told = load_text("", &surroundings(&part)).unwrap_err().to_string();
    assert!(
        told.starts_with("EDGE_ROUTER__PROVIDERS__0__ID: providers.0.id: is part of a list"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn a_path_may_begin_at_the_home_directory() {
    let around = Environment::new("/w", [("HOME", "/home/me")]);
    let config = load_text("server.data_dir = \"~/er\"\n", &around).unwrap();
    assert_eq!(config.server.data_dir, PathBuf::from("/home/me/er"));
}
