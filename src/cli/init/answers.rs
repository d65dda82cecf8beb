//! What the wizard learns, and the file that follows from it. No terminal here.

use std::fmt::Write;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{self, Environment};

/// Written beside the configuration; its first line points to it.
pub(super) const SCHEMA_FILE: &str = "edge-router.schema.json";

/// Where a provider's key is.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// In the environment already.
    InEnvironment(String),
    /// To be written into the file.
    InFile(SecretString),
    /// Not there yet.
    Missing,
}

/// One built-in cloud provider.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    pub(super) id: String,
    /// Variables that enable it, the usual one first.
    pub(super) variables: Vec<String>,
    pub(super) key: Key,
}

#[derive(Clone, Debug)]
pub(super) struct Answers {
    pub(super) providers: Vec<Provider>,
    pub(super) port: u16,
    /// Decimal USD; `None`: no limit.
    pub(super) daily_usd: Option<String>,
    pub(super) monthly_usd: Option<String>,
}

impl Answers {
    /// The defaults, with the keys that the environment holds.
    pub(super) fn from_environment(environment: &Environment) -> Self {
        let provider = |(id, variables): (String, Vec<String>)| {
            let present = variables.iter().find(|name| environment.non_empty(name).is_some());
            let key = present.map_or(Key::Missing, |name| Key::InEnvironment(name.clone()));
            Provider { id, variables, key }
        };
        Self {
            providers: config::built_in_keys().into_iter().map(provider).collect(),
            port: 4000,
            daily_usd: None,
            monthly_usd: None,
        }
    }

    /// Ids of the providers whose key is known.
    pub(super) fn enabled(&self) -> Vec<&str> {
        let known = self.providers.iter().filter(|one| !matches!(one.key, Key::Missing));
        known.map(|one| one.id.as_str()).collect()
    }

    pub(super) fn holds_secrets(&self) -> bool {
        self.providers.iter().any(|one| matches!(one.key, Key::InFile(_)))
    }

    /// The whole file.
    pub(super) fn render(&self) -> String {
        let mut out = format!(
            "#:schema ./{SCHEMA_FILE}\n\
             # Configuration of edge-router. Saving it takes effect at once; `edge-router check` says what\n\
             # is wrong and where. Every setting is optional; `edge-router schema` lists them all.\n\
             # ${{NAME}} and ${{NAME:-default}} inside strings come from the environment or from a .env\n\
             # beside this file.\n\n\
             [server]\n\
             host = \"127.0.0.1\"            # any other address requires master_key\n\
             port = {}\n\
             master_key = \"${{EDGE_ROUTER_MASTER_KEY:-}}\" # empty: no authentication, loopback only\n\
             data_dir = \"./data\"           # ledger and downloaded models\n\n\
             [budget]                      # in USD; absent or 0: no limit\n",
            self.port
        );
        out += &limit("daily_usd", self.daily_usd.as_deref(), "3.00");
        out += &limit("monthly_usd", self.monthly_usd.as_deref(), "60.00");
        out += &limit("per_request_usd", None, "2.00");
        out += "timezone = \"UTC\"              # IANA name: when a day and a month begin\n\
                when_exhausted = \"local\"      # local: free models go on | reject\n\n\
                [routing]\n\
                unknown_model = \"reject\"      # reject | auto\n\
                prefer = \"cost\"               # cost | latency | balanced\n\n";
        out += &self.render_providers();
        out += "# A further provider with an OpenAI-compatible API, and a model of it:\n\
                # [[providers]]\n\
                # id = \"lab\"\n\
                # kind = \"openai\"               # openai | anthropic | ollama | embedded\n\
                # base_url = \"http://127.0.0.1:9000/v1\"\n\
                # api_keys = [\"${LAB_API_KEY}\"]\n\
                #\n\
                # [[models]]\n\
                # id = \"lab/qwen3-coder\"        # provider/name on the wire\n\
                # max_tier = \"standard\"         # trivial | operational | standard | complex | deep\n\
                # input_usd_per_mtok = 0.20\n\
                # output_usd_per_mtok = 0.80\n\
                # context_window = 128000\n\n\
                # Names for clients. Built in: auto, auto:TIER, local, free, cheap, balanced, premium.\n\
                # [aliases]\n\
                # \"claude-*haiku*\" = [\"cheap\"]\n";
        out
    }

    fn render_providers(&self) -> String {
        let mut out = String::from(
            "# Built-in providers are enabled by their key. Ollama is found by itself at\n\
             # http://127.0.0.1:11434, and the embedded model needs nothing.\n",
        );
        for provider in &self.providers {
            let names = provider.variables.join(" or ");
            let state = match &provider.key {
                Key::InEnvironment(name) => format!("set: {name}"),
                Key::InFile(_) => "its key stands below".to_owned(),
                Key::Missing => format!("not set: {names}"),
            };
            let _ = writeln!(out, "#   {:<12}{state}", provider.id);
        }
        out.push('\n');
        for provider in &self.providers {
            let Some(keys) = provider.written_keys() else { continue };
            let _ =
                write!(out, "[[providers]]\nid = {}\napi_keys = {keys}\n\n", quoted(&provider.id));
        }
        out
    }
}

impl Provider {
    /// The list for the file, where it says more than the built-in catalogue.
    fn written_keys(&self) -> Option<String> {
        match &self.key {
            Key::InFile(secret) => {
                // A literal `${` must not be taken for a variable.
                let literal = secret.expose_secret().replace("${", "$${");
                Some(format!("[{}]", quoted(&literal)))
            }
            Key::InEnvironment(_) | Key::Missing => None,
        }
    }
}

fn limit(key: &str, value: Option<&str>, example: &str) -> String {
    match value {
        Some(value) => format!("{key} = {value}\n"),
        None => format!("# {key} = {example}\n"),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A decimal amount as people write money. One that a float cannot hold exactly is written as text.
fn number(text: &str) -> String {
    let (whole, cents) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + cents.len() > 15 {
        return quoted(text);
    }
    format!("{whole}.{cents:0<2}")
}

/// An amount as the file takes it; empty: no limit.
pub(super) fn read_amount(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<crate::money::NanoUsd>() {
        Ok(amount) if amount.0 > 0 => Ok(Some(number(&amount.to_string()))),
        Ok(amount) if amount.0 == 0 => Ok(None),
        Ok(_) => Err("an amount of 0 or more".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new("/w", variables.iter().map(|(name, value)| (*name, *value)))
    }

    #[test]
    fn keys_of_the_environment_are_referred_to_and_never_written() {
        let around = environment(&[("OPENAI_API_KEY", "sk-live"), ("GOOGLE_API_KEY", "g-live")]);
        let answers = Answers::from_environment(&around);
        assert_eq!(answers.enabled(), ["openai", "google"]);
        assert!(!answers.holds_secrets());
        let text = answers.render();
        assert!(!text.contains("live"), "{text}");
        let config = config::load_text(&text, &around).unwrap();
        let enabled: Vec<_> =
            config.providers.iter().filter(|one| one.enabled).map(|one| one.id.as_str()).collect();
        assert_eq!(enabled, ["openai", "google", "ollama", "embedded"]);
    }

    #[test]
    fn what_is_written_is_valid_and_points_to_its_schema() {
        let mut answers = Answers::from_environment(&environment(&[]));
        answers.daily_usd = read_amount("3.5").unwrap();
        answers.port = 4100;
        let text = answers.render();
        assert!(text.starts_with("#:schema ./edge-router.schema.json\n"));
        let config = config::load_text(&text, &environment(&[])).unwrap();
        assert_eq!(config.server.port, 4100);
        assert_eq!(config.budget.daily.unwrap().to_string(), "3.5");
        assert!(config.notes.is_empty(), "{:?}", config.notes);
    }

    #[rstest]
    #[case("", Ok(None))]
    #[case("0", Ok(None))]
    #[case(" 3.00 ", Ok(Some("3.00".to_owned())))]
    #[case("0.5", Ok(Some("0.50".to_owned())))]
    #[case("0.000000001", Ok(Some("0.000000001".to_owned())))]
    #[case("1234567890.123456789", Ok(Some("\"1234567890.123456789\"".to_owned())))]
    fn amounts_are_read(#[case] text: &str, #[case] expected: Result<Option<String>, String>) {
        assert_eq!(read_amount(text), expected);
        assert!(read_amount("-1").is_err() && read_amount("much").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_key_survives_the_file(key in "[!-~]([ -~]{0,30}[!-~])?") {
            let mut answers = Answers::from_environment(&environment(&[]));
            answers.providers[0].key = Key::InFile(key.clone().into());
            let config = config::load_text(&answers.render(), &environment(&[])).unwrap();
            let provider = config.providers.iter().find(|one| one.id.as_str() == answers.providers[0].id);
            prop_assert_eq!(provider.unwrap().api_keys[0].expose_secret(), key);
        }
    }
}
