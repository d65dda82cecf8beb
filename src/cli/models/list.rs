//! What `edge-router models list` shows, as data and as text.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::row::{ModelRow, State};

use crate::catalog::{Catalog, Model};
use crate::cli::budget::table;
use crate::config::Config;
use crate::providers::ProviderKind;
use crate::providers::http::HttpClient;
use crate::providers::ollama;
use crate::pull::{self, Manifest};

/// Longest wait for a local server's list of models.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which models the text lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// What can be used, and local models.
    Usable,
    All,
}

impl Shown {
    pub(super) fn of(all: bool) -> Self {
        if all { Self::All } else { Self::Usable }
    }
}

/// The configuration's catalogue and what its Ollama servers have now. A server that does not answer
/// has nothing.
pub(super) async fn with_local_servers(config: &Config) -> Catalog {
    let network = &config.network;
    let Ok(client) = HttpClient::new(network.proxy.as_ref(), network.ca_file.as_deref()) else {
        return config.catalog.clone();
    };
    let mut found = Vec::new();
    for provider in config.providers.iter().filter(|one| one.enabled) {
        if provider.kind == ProviderKind::Ollama {
            let asked = ollama::discover(&client, &provider.base_url, &provider.id);
            if let Ok(Ok(models)) = tokio::time::timeout(PATIENCE, asked).await {
                found.extend(models);
            }
        }
    }
    config.catalog.with_models(found)
}

/// The catalogue and the local files.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    models: Vec<ModelRow>,
    local: Vec<FileRow>,
}

/// A local model file that is there or can be fetched.
#[derive(Debug, Serialize)]
struct FileRow {
    name: String,
    title: Option<String>,
    licence: Option<String>,
    present: bool,
    /// Bytes on disk; of a model that is not there, what it will take.
    size_bytes: u64,
    /// Bytes to download.
    download_bytes: Option<u64>,
    path: Option<PathBuf>,
}

fn files(manifest: &Manifest, data_dir: &Path) -> Vec<FileRow> {
    let mut rows: Vec<FileRow> = manifest
        .models
        .iter()
        .map(|entry| FileRow {
            name: entry.name.clone(),
            title: Some(entry.title.clone()),
            licence: Some(entry.licence.clone()),
            present: false,
            size_bytes: entry.result_size,
            download_bytes: Some(entry.source.size()),
            path: None,
        })
        .collect();
    for file in pull::local(manifest, data_dir) {
        match rows.iter_mut().find(|row| row.name == file.name) {
            Some(row) => {
                row.present = true;
                row.size_bytes = file.size;
                row.path = Some(file.path);
            }
            None => rows.push(FileRow {
                name: file.name,
                title: None,
                licence: None,
                present: true,
                size_bytes: file.size,
                download_bytes: None,
                path: Some(file.path),
            }),
        }
    }
    rows
}

impl FileRow {
    fn cells(&self) -> [String; 4] {
        let state = match &self.path {
            Some(path) => format!("at {}", path.display()),
            None => format!("not there; `edge-router models pull {}` fetches it", self.name),
        };
        [
            self.name.clone(),
            format!("{} MB", self.size_bytes.div_ceil(1_000_000)),
            self.licence.clone().unwrap_or_else(|| "-".to_owned()),
            state,
        ]
    }
}

impl Listing {
    pub(super) fn new(
        catalog: &Catalog,
        (manifest, data_dir): (&Manifest, &Path),
        now: Timestamp,
    ) -> Self {
        let local = files(manifest, data_dir);
        let missing = |model: &Model| {
            let file = pull::models_dir(data_dir).join(format!("{}.gguf", model.upstream));
            model.provider.as_str() == "embedded" && !file.is_file()
        };
        let state = |model: &Model| match () {
            () if model.is_gone(now) => State::Removed,
            () if !catalog.offers(model, now) => State::NoKey,
            () if missing(model) => State::NotDownloaded,
            () => State::Usable,
        };
        let rows = catalog.models().iter().map(|model| ModelRow::new(model, state(model), now));
        Self { models: rows.collect(), local }
    }

    pub(super) fn lines(&self, shown: Shown) -> Vec<String> {
        let wanted = |row: &&ModelRow| {
            shown == Shown::All || matches!(row.state, State::Usable | State::NotDownloaded)
        };
        let mut rows = vec![["MODEL", "TIER", "WINDOW", "IN", "OUT", "REMARKS"].map(str::to_owned)];
        rows.extend(self.models.iter().filter(wanted).map(ModelRow::cells));
        let hidden = self.models.len() + 1 - rows.len();
        let mut lines = table(&rows);
        lines.push("(IN, OUT: USD per million tokens, as of now)".to_owned());
        if hidden > 0 {
            lines.push(format!(
                "{hidden} more have no key or are no longer offered: `edge-router models list --all`"
            ));
        }
        let mut rows = vec![["LOCAL FILE", "SIZE", "LICENCE", "STATE"].map(str::to_owned)];
        rows.extend(self.local.iter().map(FileRow::cells));
        lines.push(String::new());
        lines.extend(table(&rows));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};

    fn listing(text: &str, now: &str) -> Listing {
        let around = Environment::new("/w", [("GEMINI_API_KEY", "k"), ("DEEPSEEK_API_KEY", "k")]);
        let config = config::load_text(text, &around).unwrap();
        let manifest = Manifest::builtin().unwrap();
        let nowhere = Path::new("/nonexistent");
        Listing::new(&config.catalog, (&manifest, nowhere), now.parse().unwrap())
    }

    fn row<'a>(lines: &'a [String], id: &str) -> &'a str {
        let of_id = |line: &&String| line.split_whitespace().next() == Some(id);
        lines.iter().find(of_id).unwrap_or_else(|| panic!("no {id} in {lines:#?}"))
    }

    #[test]
    fn what_can_be_used_is_listed_and_the_rest_is_counted() {
        let list = listing("", "2026-11-21T12:00:00Z");
        let lines = list.lines(Shown::Usable);
        assert!(row(&lines, "google/gemini-4-argon").contains("2.00"));
        assert!(row(&lines, "embedded/smollm2-135m").ends_with("free  free   not downloaded"));
        assert!(!lines.iter().any(|line| line.starts_with("anthropic/")));
        assert!(lines.iter().any(|line| line.contains("--all")), "{lines:#?}");
        let all = list.lines(Shown::All);
        assert!(row(&all, "anthropic/claude-haiku-4-5").contains("no key"));
        let gone = "shut down on 2026-07-24, use deepseek/deepseek-flash";
        assert!(row(&all, "deepseek/deepseek-chat").contains(gone), "{all:#?}");
        assert!(!all.iter().any(|line| line.contains("--all")));
    }

    #[test]
    fn prices_are_those_of_the_hour_and_announced_ones_are_told() {
        let peak = listing("", "2026-11-23T02:00:00Z").lines(Shown::Usable);
        assert!(row(&peak, "deepseek/deepseek-flash").contains("0.30  1.20"), "{peak:#?}");
        assert!(
            row(&peak, "deepseek/deepseek-flash")
                .contains("dear hours until Mon 04:00 UTC, then 0.15 / 0.60")
        );
        assert!(row(&peak, "google/gemini-4-argon").contains("from 2026-12-01: 4.00 / 20.00"));
        let later = listing("", "2026-12-02T12:00:00Z").lines(Shown::Usable);
        assert!(row(&later, "deepseek/deepseek-flash").contains("0.15  0.60"), "{later:#?}");
        assert!(row(&later, "google/gemini-4-argon").contains("4.00  20.00"), "{later:#?}");
        assert!(!row(&later, "google/gemini-4-argon").contains("from "));
    }

    #[test]
    fn the_last_day_of_a_model_is_announced_and_then_told() {
        let before = listing("", "2026-11-21T12:00:00Z").lines(Shown::All);
        let id = "anthropic/claude-sonnet-4-5";
        let ends = "ends on 2026-11-30, use anthropic/claude-sonnet-5-5";
        assert!(row(&before, id).contains(ends), "{before:#?}");
        let after = listing("", "2026-11-30T00:00:00Z").lines(Shown::All);
        let gone = "shut down on 2026-11-30, use anthropic/claude-sonnet-5-5";
        assert!(row(&after, id).contains(gone), "{after:#?}");
    }

    #[test]
    fn json_holds_every_price_and_what_will_change() {
        let list = listing("", "2026-11-23T02:00:00Z");
        let json = serde_json::to_value(&list).unwrap();
        let all = json["models"].as_array().unwrap();
        let of = |id: &str| all.iter().find(|row| row["id"] == id).unwrap();
        let flash = of("deepseek/deepseek-flash");
        assert_eq!(flash["peak_hours_now"], true);
        assert_eq!(flash["hours_change_at"], "2026-11-23T04:00:00Z");
        assert_eq!(flash["other_hours"]["input_usd_per_mtok"], 0.15);
        let argon = of("google/gemini-4-argon");
        assert_eq!(argon["price_changes"][0]["from"], "2026-12-01T00:00:00Z");
        let sol = of("openai/gpt-6.1-sol");
        assert_eq!(sol["price"]["cache_write_over_12h_usd_per_mtok"], 5.0);
        assert_eq!(sol["service_tiers"]["service_tier:priority"]["input_usd_per_mtok"], 4.0);
        assert_eq!(
            sol["price"]["assumed"],
            serde_json::json!([
                "cache_write_1h",
                "audio_input",
                "audio_cached",
                "audio_output",
                "image_output",
                "web_search",
                "server_tool"
            ])
        );
        assert_eq!(of("anthropic/claude-sonnet-4-5")["ends_at"], "2026-11-30T00:00:00Z");
    }

    #[test]
    fn a_price_that_is_not_known_is_a_question_mark() {
        let text = "[[providers]]\nid = \"lab\"\nkind = \"openai\"\nbase_url = \"http://h\"\n[[models]]\nid = \"lab/x\"\n";
        let lines = listing(text, "2026-11-21T12:00:00Z").lines(Shown::Usable);
        let cells: Vec<_> = row(&lines, "lab/x").split_whitespace().collect();
        assert_eq!(cells, ["lab/x", "standard", "128k", "?", "?"]);
    }
}
