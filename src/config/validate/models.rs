//! `[[models]]`: built-in ones, changed by the user's of the same id, and new ones.

use std::collections::HashSet;

use jiff::Timestamp;

use super::providers::Providers;
use super::{Entry, built_in_root, entries, prices};
use crate::catalog::{Capabilities, Capability, Model, ParamRules, Tier};
use crate::config::problem::{Path, Report};
use crate::config::raw::{RawModel, RawProvider, Refuses};
use crate::providers::ProviderKind;

/// Where models come from.
pub(super) struct Sources {
    /// Built in and offered.
    pub offered: Vec<Entry<RawModel>>,
    /// Built-in facts on models that exist only where their server has them.
    pub known: Vec<Entry<RawModel>>,
    pub own: Vec<Entry<RawModel>>,
}

/// Models, each with the place it was written at.
pub(super) struct Models {
    pub offered: Vec<Entry<Model>>,
    pub known: Vec<Model>,
    /// Some entry has no usable id, so an unknown name may mean that one.
    pub nameless: bool,
}

/// Built-in models of Ollama are facts only: what exists is what the server lists.
pub(super) fn split_built_in(
    models: Vec<RawModel>,
    providers: &[RawProvider],
) -> (Vec<Entry<RawModel>>, Vec<Entry<RawModel>>) {
    let found_only: HashSet<&str> = providers
        .iter()
        .filter(|one| one.kind.as_deref() == Some("ollama"))
        .filter_map(|one| one.id.as_deref())
        .collect();
    entries(models, &built_in_root().key("models")).into_iter().partition(|entry| {
        entry.raw.provider.as_deref().is_none_or(|provider| !found_only.contains(provider))
    })
}

pub(super) fn compile(sources: Sources, providers: &Providers, report: &mut Report) -> Models {
    let Sources { offered, known, own } = sources;
    let mut all = offered;
    let mut nameless = false;
    let mut seen = HashSet::new();
    for entry in own {
        let Some(id) = usable_id(&entry, report) else {
            nameless = true;
            continue;
        };
        if !seen.insert(id.clone()) {
            report.problem(
                &entry.path.key("id"),
                format_args!("`{id}` is given twice; each model may stand here once"),
            );
            continue;
        }
        note_unused(&entry, report);
        let same = |other: &Entry<RawModel>| other.raw.id.as_deref() == Some(id.as_str());
        if let Some(place) = all.iter().position(same) {
            let base = all[place].raw.clone();
            note_left_over(&entry, &base, report);
            all[place] = Entry { raw: overlay(base, entry.raw), ..entry };
        } else if let Some(fact) = known.iter().find(|other| same(other)) {
            all.push(Entry { raw: overlay(fact.raw.clone(), entry.raw), ..entry });
        } else {
            all.push(entry);
        }
    }
    let offered = all.into_iter().filter_map(|entry| model(entry, providers, report)).collect();
    let mut silent = Report::default();
    let fact = |entry| model(entry, providers, &mut silent).map(|entry| entry.raw);
    Models { offered, known: known.into_iter().filter_map(fact).collect(), nameless }
}

/// What is written, read and checked, but without effect in this version.
fn note_unused(Entry { path, raw, .. }: &Entry<RawModel>, report: &mut Report) {
    let rates = raw.price.as_ref();
    let fields = [
        ("batch", raw.batch.is_some(), "batches are not sent"),
        (
            "audio_hour_usd",
            raw.audio_hour_usd.is_some()
                || rates.is_some_and(|rates| rates.audio_hour_usd.is_some()),
            "audio is not transcribed",
        ),
    ];
    for (key, _, what) in fields.into_iter().filter(|(_, written, _)| *written) {
        report.notes.push(format!("{path}.{key} is accepted, but {what} in this version"));
    }
    let no_path_yet =
        [Capability::Fim, Capability::Embeddings, Capability::Transcription].into_iter();
    let given = raw.capabilities.as_deref().unwrap_or_default();
    let idle: Vec<_> =
        no_path_yet.filter(|one| given.contains(one)).map(|one| one.to_string()).collect();
    if !idle.is_empty() {
        report.notes.push(format!(
            "{path}.capabilities: {} is accepted, but no path of this version needs it",
            idle.join(", ")
        ));
    }
}

/// A price of one's own for a built-in model holds field by field: the catalogue's other prices stay.
fn note_left_over(Entry { path, raw, .. }: &Entry<RawModel>, base: &RawModel, report: &mut Report) {
    let over = prices::unfolded(raw.clone());
    if over.input_usd_per_mtok.is_none() && over.output_usd_per_mtok.is_none() {
        return;
    }
    let kept = [
        ("long_context", base.long_context.is_some() && over.long_context.is_none()),
        ("scheduled_prices", base.scheduled_prices.is_some() && over.scheduled_prices.is_none()),
        ("time_of_day", base.time_of_day.is_some() && over.time_of_day.is_none()),
        ("service_tiers", base.service_tiers.is_some() && over.service_tiers.is_none()),
    ];
    let kept: Vec<&str> = kept.into_iter().filter(|(_, kept)| *kept).map(|(key, _)| key).collect();
    if !kept.is_empty() {
        let kept = kept.join(", ");
        report.notes.push(format!(
            "{path}: the catalogue's {kept} of this model still hold; give them here as well if they do not"
        ));
    }
}

fn usable_id(entry: &Entry<RawModel>, report: &mut Report) -> Option<String> {
    let path = entry.path.key("id");
    match entry.raw.id.as_deref().map(str::trim) {
        None | Some("") => {
            report.problem(&path, "is missing; allowed: provider/name such as openai/gpt-4.1");
            None
        }
        Some(id) if id.split_once('/').is_none_or(|(a, b)| a.is_empty() || b.is_empty()) => {
            report.problem(
                &path,
                format_args!("`{id}`; allowed: provider/name such as openai/gpt-4.1"),
            );
            None
        }
        Some(id) => Some(id.to_owned()),
    }
}

/// What the user's entry gives wins, field by field. A `price` table counts like the fields that it
/// stands for.
fn overlay(base: RawModel, over: RawModel) -> RawModel {
    let (mut base, over) = (prices::unfolded(base), prices::unfolded(over));
    if over.active == Some(true) {
        base.deprecation_date = None;
    }
    macro_rules! first_given {
        ($($field:ident),+ $(,)?) => {{
            let RawModel { $($field),+ } = over;
            RawModel { $($field: $field.or(base.$field)),+ }
        }};
    }
    first_given!(
        id,
        provider,
        upstream,
        max_tier,
        input_usd_per_mtok,
        output_usd_per_mtok,
        cache_read_usd_per_mtok,
        cache_write_usd_per_mtok,
        cache_write_5m_usd_per_mtok,
        cache_write_1h_usd_per_mtok,
        cache_write_over_12h_usd_per_mtok,
        audio_input_usd_per_mtok,
        audio_cached_usd_per_mtok,
        audio_output_usd_per_mtok,
        image_input_usd_per_mtok,
        image_output_usd_per_mtok,
        web_search_usd_per_1k,
        server_tool_usd_per_1k,
        audio_hour_usd,
        price,
        long_context,
        time_of_day,
        scheduled_prices,
        batch,
        service_tiers,
        regional_multiplier,
        context_window,
        max_input_tokens,
        max_output_tokens,
        capabilities,
        refuses,
        active,
        deprecation_date,
        replacement,
    )
}

fn model(
    entry: Entry<RawModel>,
    providers: &Providers,
    report: &mut Report,
) -> Option<Entry<Model>> {
    let Entry { path, raw, own } = entry;
    let id = raw.id.clone()?;
    let (prefix, name) = id.split_once('/')?;
    let provider_id = raw.provider.clone().unwrap_or_else(|| prefix.to_owned());
    let key = if raw.provider.is_some() { "provider" } else { "id" };
    let kind = providers.find(&provider_id, &path.key(key), report).map(|provider| provider.kind);
    let kind = kind.unwrap_or(ProviderKind::OpenAi);
    let upstream = raw.upstream.clone().unwrap_or_else(|| name.to_owned());
    if upstream.is_empty() {
        report.problem(&path.key("upstream"), "is empty; allowed: the model's name on the wire");
    }
    let defaults = Defaults::of(kind);
    let capabilities: Capabilities =
        raw.capabilities.clone().map_or(defaults.capabilities, |given| given.into_iter().collect());
    let price = prices::compile(&raw, &path, capabilities, report)
        .or_else(|| defaults.local.then(Default::default));
    if own && raw.max_tier.is_none() && !defaults.local {
        report
            .notes
            .push(format!("{path}: no max_tier for {id}, {} is assumed", defaults.max_tier));
    }
    let (context_window, max_output_tokens) = sizes(&raw, &defaults, &path, report);
    let model = Model {
        provider: provider_id.as_str().into(),
        upstream,
        max_tier: raw.max_tier.unwrap_or(defaults.max_tier),
        local: defaults.local || price.as_ref().is_some_and(crate::catalog::Price::is_free),
        price,
        context_window,
        max_output_tokens,
        capabilities,
        rules: rules(raw.refuses.as_deref().unwrap_or_default()),
        active: raw.active.unwrap_or(true),
        retires: retirement(raw.deprecation_date.as_deref(), &path, report),
        replacement: raw.replacement,
        id: id.into(),
    };
    Some(Entry { path, raw: model, own })
}

fn retirement(date: Option<&str>, path: &Path, report: &mut Report) -> Option<Timestamp> {
    let date = date?;
    let moment = prices::moment(date);
    if moment.is_none() {
        report.problem(
            &path.key("deprecation_date"),
            format_args!("`{date}` is not a date; allowed: a date such as 2027-01-14"),
        );
    }
    moment
}

/// The window and the longest answer, in tokens.
fn sizes(raw: &RawModel, defaults: &Defaults, path: &Path, report: &mut Report) -> (u32, u32) {
    for (key, value) in
        [("context_window", raw.context_window), ("max_output_tokens", raw.max_output_tokens)]
    {
        if value == Some(0) {
            report.problem(&path.key(key), "is 0; allowed: 1 or more");
        }
    }
    let window = raw
        .context_window
        .or(raw.max_input_tokens)
        .filter(|tokens| *tokens > 0)
        .unwrap_or(defaults.context_window);
    let output = raw.max_output_tokens.filter(|tokens| *tokens > 0);
    (window, output.unwrap_or(defaults.max_output_tokens).min(window))
}

fn rules(refuses: &[Refuses]) -> ParamRules {
    ParamRules {
        rejects_sampling: refuses.contains(&Refuses::Sampling),
        rejects_forced_tool_choice: refuses.contains(&Refuses::ForcedToolChoice),
        max_completion_tokens: refuses.contains(&Refuses::MaxTokens),
        rejects_prefill: refuses.contains(&Refuses::Prefill),
    }
}

/// What holds for a model where nothing is said.
struct Defaults {
    max_tier: Tier,
    context_window: u32,
    max_output_tokens: u32,
    capabilities: Capabilities,
    local: bool,
}

impl Defaults {
    fn of(kind: ProviderKind) -> Self {
        use Capability::{Chat, JsonSchema, Reasoning, Tools, Vision};
        // For a cloud model nothing is refused on a guess: its provider says what it cannot do.
        let everything = [Chat, Tools, Vision, JsonSchema, Reasoning].into_iter().collect();
        let cloud = Self {
            max_tier: Tier::Standard,
            context_window: 128_000,
            max_output_tokens: 16_384,
            capabilities: everything,
            local: false,
        };
        match kind {
            ProviderKind::OpenAi => cloud,
            ProviderKind::Anthropic => Self { context_window: 200_000, ..cloud },
            ProviderKind::Ollama => Self {
                max_tier: Tier::Operational,
                context_window: 32_768,
                max_output_tokens: 8192,
                capabilities: [Chat, Tools, JsonSchema].into_iter().collect(),
                local: true,
            },
            ProviderKind::Embedded => Self {
                max_tier: Tier::Trivial,
                context_window: 4096,
                max_output_tokens: 2048,
                capabilities: Capabilities::NONE.with(Chat),
                local: true,
            },
        }
    }
}
