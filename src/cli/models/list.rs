//! What `edge-router models list` shows, as data and as text.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::catalog::{Capability, Catalog, LongContext, Model, Price, Rates, ScheduledPrice, Tier};
use crate::cli::budget::table;
use crate::config::Config;
use crate::money::{NanoUsd, PerMTok};
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

/// A model of the catalogue. Prices are USD per million tokens.
#[derive(Debug, Serialize)]
struct ModelRow {
    id: String,
    provider: String,
    state: State,
    /// What to use instead of a model that was removed.
    replacement: Option<String>,
    max_tier: Tier,
    context_window: u32,
    max_output_tokens: u32,
    capabilities: Vec<Capability>,
    free: bool,
    /// As of now, for a short prompt; `null`: not known.
    price: Option<Dollars>,
    long_context: Vec<Long>,
    /// Of a model whose price follows the hour: whether these are the dear hours.
    peak_hours_now: Option<bool>,
    /// Announced changes, the next one first.
    price_changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Usable,
    /// Its provider has no key, or is not configured.
    NoKey,
    NotDownloaded,
    Removed,
}

#[derive(Debug, Serialize)]
struct Dollars {
    input_usd_per_mtok: f64,
    output_usd_per_mtok: f64,
    cache_read_usd_per_mtok: f64,
    cache_write_usd_per_mtok: f64,
    #[serde(skip)]
    text: (String, String),
}

#[derive(Debug, Serialize)]
struct Long {
    above_input_tokens: u64,
    #[serde(flatten)]
    price: Dollars,
}

#[derive(Debug, Serialize)]
struct Change {
    from: Timestamp,
    #[serde(flatten)]
    price: Dollars,
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

impl From<&Rates> for Dollars {
    fn from(rates: &Rates) -> Self {
        let usd = |price: PerMTok| NanoUsd(price.0).to_usd_f64();
        Self {
            input_usd_per_mtok: usd(rates.input),
            output_usd_per_mtok: usd(rates.output),
            cache_read_usd_per_mtok: usd(rates.cache_read),
            cache_write_usd_per_mtok: usd(rates.cache_write),
            text: (amount(rates.input), amount(rates.output)),
        }
    }
}

impl Dollars {
    fn pair(&self) -> String {
        format!("{} / {}", self.text.0, self.text.1)
    }
}

/// At least two decimals, all of them where there are more.
fn amount(price: PerMTok) -> String {
    crate::cli::budget::usd(NanoUsd(price.0)).trim_start_matches('$').to_owned()
}

impl ModelRow {
    fn new(model: &Model, state: State, now: Timestamp) -> Self {
        let price = model.price.as_ref();
        let long = |tier: &LongContext| Long {
            above_input_tokens: tier.above_input_tokens,
            price: Dollars::from(&tier.rates),
        };
        let change =
            |next: &ScheduledPrice| Change { from: next.from, price: Dollars::from(&next.rates) };
        let peak = |price: &Price| {
            let off_peak = price.off_peak.as_ref()?;
            Some(price.at(now, 0) != off_peak.rates)
        };
        Self {
            id: model.id.to_string(),
            provider: model.provider.to_string(),
            state,
            replacement: model.replacement.clone(),
            max_tier: model.max_tier,
            context_window: model.context_window,
            max_output_tokens: model.max_output_tokens,
            capabilities: model.capabilities.iter().collect(),
            free: model.is_free(),
            price: price.map(|price| Dollars::from(&price.at(now, 0))),
            long_context: price
                .map_or_else(Vec::new, |price| price.long_context.iter().map(long).collect()),
            peak_hours_now: price.and_then(peak),
            price_changes: price.map_or_else(Vec::new, |price| {
                price.scheduled.iter().filter(|next| next.from > now).map(change).collect()
            }),
        }
    }

    fn is_chat(&self) -> bool {
        self.capabilities.contains(&Capability::Chat)
    }

    fn cells(&self) -> [String; 6] {
        let tier = if self.is_chat() { self.max_tier.as_str() } else { "-" };
        let (input, output) = match &self.price {
            _ if self.free => ("free".to_owned(), "free".to_owned()),
            Some(price) => price.text.clone(),
            None => ("?".to_owned(), "?".to_owned()),
        };
        [
            self.id.clone(),
            tier.to_owned(),
            tokens(self.context_window),
            input,
            output,
            self.remarks(),
        ]
    }

    fn remarks(&self) -> String {
        let mut remarks = Vec::new();
        match (self.state, &self.replacement) {
            (State::Usable, _) => {}
            (State::NoKey, _) => remarks.push("no key".to_owned()),
            (State::NotDownloaded, _) => remarks.push("not downloaded".to_owned()),
            (State::Removed, Some(other)) => remarks.push(format!("removed, use {other}")),
            (State::Removed, None) => remarks.push("removed".to_owned()),
        }
        if !self.is_chat() {
            let uses = self.capabilities.iter().map(ToString::to_string);
            remarks.push(format!("{} only", uses.collect::<Vec<_>>().join(", ")));
        }
        match self.peak_hours_now {
            Some(true) => remarks.push("dear hours now".to_owned()),
            Some(false) => remarks.push("cheap hours now".to_owned()),
            None => {}
        }
        remarks.extend(self.long_context.iter().map(|long| {
            let above = tokens(u32::try_from(long.above_input_tokens).unwrap_or(u32::MAX));
            format!("over {above}: {}", long.price.pair())
        }));
        remarks.extend(
            self.price_changes.iter().map(|next| {
                format!("from {}: {}", next.from.strftime("%Y-%m-%d"), next.price.pair())
            }),
        );
        remarks.join("; ")
    }
}

/// `4096`, `200k`, `1.05M`.
fn tokens(count: u32) -> String {
    let count = u64::from(count);
    if count >= 1_000_000 {
        let hundredths = count / 10_000;
        let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        return format!("{}M", text.trim_end_matches('0').trim_end_matches('.'));
    }
    if count >= 10_000 { format!("{}k", count / 1000) } else { count.to_string() }
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
            () if !model.active => State::Removed,
            () if !catalog.offers(model) => State::NoKey,
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
    use rstest::rstest;

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
        assert!(row(&all, "deepseek/deepseek-chat").contains("removed, use deepseek/"));
        assert!(!all.iter().any(|line| line.contains("--all")));
    }

    #[test]
    fn prices_are_those_of_the_hour_and_announced_ones_are_told() {
        let peak = listing("", "2026-11-23T02:00:00Z").lines(Shown::Usable);
        assert!(row(&peak, "deepseek/deepseek-flash").contains("0.30  1.20"), "{peak:#?}");
        assert!(row(&peak, "deepseek/deepseek-flash").contains("dear hours now"));
        assert!(row(&peak, "google/gemini-4-argon").contains("from 2026-12-01: 4.00 / 20.00"));
        let later = listing("", "2026-12-02T12:00:00Z").lines(Shown::Usable);
        assert!(row(&later, "deepseek/deepseek-flash").contains("0.15  0.60"), "{later:#?}");
        assert!(row(&later, "google/gemini-4-argon").contains("4.00  20.00"), "{later:#?}");
        assert!(!row(&later, "google/gemini-4-argon").contains("from "));
    }

    #[test]
    fn a_price_that_is_not_known_is_a_question_mark() {
        let text = "[[providers]]\nid = \"lab\"\nkind = \"openai\"\nbase_url = \"http://h\"\n[[models]]\nid = \"lab/x\"\n";
        let lines = listing(text, "2026-11-21T12:00:00Z").lines(Shown::Usable);
        let cells: Vec<_> = row(&lines, "lab/x").split_whitespace().collect();
        assert_eq!(cells, ["lab/x", "standard", "128k", "?", "?"]);
    }

    #[rstest]
    #[case(4096, "4096")]
    #[case(32_768, "32k")]
    #[case(200_000, "200k")]
    #[case(1_000_000, "1M")]
    #[case(1_048_576, "1.04M")]
    fn windows_are_short(#[case] count: u32, #[case] text: &str) {
        assert_eq!(tokens(count), text);
    }
}
