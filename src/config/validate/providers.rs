//! `[[providers]]`: built-in ones, changed by the user's of the same id, and new ones.

use std::collections::HashSet;
use std::time::Duration;

use secrecy::SecretString;
use strum::VariantNames;

use super::Entry;
use crate::config::problem::{Path, Report};
use crate::config::raw::RawProvider;
use crate::config::read::nearest;
use crate::ids::ProviderId;
use crate::providers::{ProviderKind, ProviderSettings};

/// Where nothing is configured: an answer that is not streamed shows its first byte only when it is
/// complete.
const WHOLE_ANSWER_TIMEOUT_S: u32 = 240;

/// Kinds of the contract that this version cannot speak.
const NOT_YET: [&str; 2] = ["openai-responses", "gemini"];

/// All providers of a configuration.
pub(super) struct Providers {
    settings: Vec<ProviderSettings>,
    /// Some entry has no usable id, so an unknown name may mean that one.
    nameless: bool,
}

impl Providers {
    pub(super) fn get(&self, id: &str) -> Option<&ProviderSettings> {
        self.settings.iter().find(|one| one.id.as_str() == id)
    }

    /// The provider of this name; reports at `path` if there is none.
    pub(super) fn find(
        &self,
        id: &str,
        path: &Path,
        report: &mut Report,
    ) -> Option<&ProviderSettings> {
        let found = self.get(id);
        if found.is_none() && !self.nameless {
            let names: Vec<_> = self.settings.iter().map(|one| one.id.as_str()).collect();
            let hint = nearest(id, &names)
                .map_or_else(String::new, |near| format!(", did you mean `{near}`"));
            report.problem(
                path,
                format_args!("there is no provider `{id}`{hint}; allowed: {}", names.join(", ")),
            );
        }
        found
    }

    /// Those that can be called.
    pub(super) fn enabled(&self) -> HashSet<ProviderId> {
        self.settings.iter().filter(|one| one.enabled).map(|one| one.id.clone()).collect()
    }

    /// Those whose models are found only while running.
    pub(super) fn discovering(&self) -> HashSet<ProviderId> {
        let ollama = |one: &&ProviderSettings| one.kind == ProviderKind::Ollama;
        self.settings.iter().filter(ollama).map(|one| one.id.clone()).collect()
    }

    pub(super) fn into_settings(self) -> Vec<ProviderSettings> {
        self.settings
    }
}

pub(super) fn compile(
    built_in: Vec<Entry<RawProvider>>,
    own: Vec<Entry<RawProvider>>,
    report: &mut Report,
) -> Providers {
    let mut all = built_in;
    let built_in_count = all.len();
    let mut nameless = false;
    for entry in own {
        let id = entry.raw.id.clone().unwrap_or_default();
        if id.is_empty() {
            nameless = true;
            report.problem(&entry.path.key("id"), "is missing; allowed: a name such as openai");
            continue;
        }
        let same = all.iter().position(|other| other.raw.id.as_deref() == Some(id.as_str()));
        match same {
            Some(place) if place < built_in_count && !all[place].own => {
                let base = all[place].raw.clone();
                all[place] = Entry { raw: overlay(base, entry.raw), ..entry };
            }
            Some(_) => report.problem(
                &entry.path.key("id"),
                format_args!("`{id}` is given twice; each provider may stand here once"),
            ),
            None => all.push(entry),
        }
    }
    let settings = all.into_iter().filter_map(|entry| settings(entry, report)).collect();
    Providers { settings, nameless }
}

/// What the user's entry gives wins. An address of the user's own needs none of the built-in keys.
fn overlay(base: RawProvider, over: RawProvider) -> RawProvider {
    let RawProvider { id, kind, base_url, api_keys, first_byte_timeout_s, headers } = over;
    let inherited = base.api_keys.map(|keys| {
        let present: Vec<_> = keys.into_iter().filter(|key| !key.trim().is_empty()).collect();
        (present.is_empty(), present)
    });
    let inherited = match inherited {
        Some((true, _)) if base_url.is_some() => None,
        Some((_, keys)) => Some(if keys.is_empty() { vec![String::new()] } else { keys }),
        None => None,
    };
    RawProvider {
        id,
        kind: kind.or(base.kind),
        base_url: base_url.or(base.base_url),
        api_keys: api_keys.or(inherited),
        first_byte_timeout_s: first_byte_timeout_s.or(base.first_byte_timeout_s),
        headers: headers.or(base.headers),
    }
}

fn settings(entry: Entry<RawProvider>, report: &mut Report) -> Option<ProviderSettings> {
    let Entry { path, raw, .. } = entry;
    let RawProvider { id, kind, base_url, api_keys, first_byte_timeout_s, headers } = raw;
    let id = id?;
    if id.contains('/') || id.chars().any(char::is_whitespace) {
        report.problem(
            &path.key("id"),
            format_args!("`{id}`; allowed: a name without slash and blank"),
        );
    }
    // An unusable kind or address still leaves a provider, so that its models are not called unknown.
    let kind = read_kind(kind.as_deref(), &path, report).unwrap_or(ProviderKind::OpenAi);
    let base_url = read_base_url(base_url.as_deref(), kind, &path, report);
    if first_byte_timeout_s == Some(0) {
        report.problem(&path.key("first_byte_timeout_s"), "is 0; allowed: 1 or more");
    }
    let default_timeout = match kind {
        ProviderKind::OpenAi | ProviderKind::Anthropic => 60,
        // A cold model is loaded first, which takes minutes on a small machine.
        ProviderKind::Ollama => 300,
        ProviderKind::Embedded => 120,
    };
    let written_keys = api_keys.as_ref().is_some_and(|keys| !keys.is_empty());
    let keys = read_keys(api_keys.unwrap_or_default());
    Some(ProviderSettings {
        id: id.into(),
        kind,
        base_url,
        enabled: !written_keys || !keys.is_empty(),
        api_keys: keys,
        first_byte_timeout: seconds(first_byte_timeout_s.unwrap_or(default_timeout)),
        whole_answer_timeout: seconds(
            first_byte_timeout_s.unwrap_or(default_timeout.max(WHOLE_ANSWER_TIMEOUT_S)),
        ),
        headers: read_headers(headers.unwrap_or_default(), &path, report),
    })
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

fn read_kind(kind: Option<&str>, path: &Path, report: &mut Report) -> Option<ProviderKind> {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    let path = path.key("kind");
    let supported = ProviderKind::VARIANTS.join(", ");
    let Some(kind) = kind else {
        report.problem(&path, format_args!("is missing; allowed: {supported}"));
        return None;
    };
    if NOT_YET.contains(&kind) {
        report.problem(
            &path,
            format_args!("this version does not support `{kind}` yet; allowed: {supported}"),
        );
        return None;
    }
    let text: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        kind.into_deserializer();
    let read = ProviderKind::deserialize(text).ok();
    if read.is_none() {
        let hint = nearest(kind, ProviderKind::VARIANTS)
            .map_or_else(String::new, |near| format!(", did you mean `{near}`"));
        report.problem(&path, format_args!("`{kind}` is not a kind{hint}; allowed: {supported}"));
    }
    read
}

/// The address in its one form: OpenAI kinds with their path (`/v1` where none is given), the others
/// as the host root; no slash at the end.
fn read_base_url(
    url: Option<&str>,
    kind: ProviderKind,
    path: &Path,
    report: &mut Report,
) -> String {
    let path = path.key("base_url");
    let url = match (url.map(str::trim).filter(|url| !url.is_empty()), kind) {
        (_, ProviderKind::Embedded) => return String::new(),
        (Some(url), _) => url,
        (None, ProviderKind::Anthropic) => "https://api.anthropic.com",
        (None, ProviderKind::Ollama) => "http://127.0.0.1:11434",
        (None, ProviderKind::OpenAi) => {
            report
                .problem(&path, "is missing; allowed: an address such as http://127.0.0.1:9000/v1");
            return String::new();
        }
    };
    let usable = url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.query().is_none()
    });
    if !usable {
        report.problem(
            &path,
            format_args!("`{url}` is not an address; allowed: http:// or https://, host, path"),
        );
        return String::new();
    }
    normalise(url, kind)
}

fn normalise(url: &str, kind: ProviderKind) -> String {
    let mut root = url.trim_end_matches('/');
    let mut versions = 0;
    while let Some(shorter) = root.strip_suffix("/v1") {
        root = shorter.trim_end_matches('/');
        versions += 1;
    }
    match kind {
        ProviderKind::OpenAi => {
            let after_host = root.split_once("://").map_or("", |(_, rest)| rest);
            let bare_host = !after_host.contains('/');
            if versions > 0 || bare_host { format!("{root}/v1") } else { root.to_owned() }
        }
        ProviderKind::Ollama => root.strip_suffix("/api").unwrap_or(root).to_owned(),
        ProviderKind::Anthropic | ProviderKind::Embedded => root.to_owned(),
    }
}

/// In order, without empty ones (variables that are not set) and repetitions.
fn read_keys(written: Vec<String>) -> Vec<SecretString> {
    let mut seen = HashSet::new();
    written
        .into_iter()
        .map(|key| key.trim().to_owned())
        .filter(|key| !key.is_empty() && seen.insert(key.clone()))
        .map(Into::into)
        .collect()
}

fn read_headers(
    headers: std::collections::BTreeMap<String, String>,
    path: &Path,
    report: &mut Report,
) -> Vec<(String, String)> {
    for (name, value) in &headers {
        let path = path.key("headers").key(name);
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            report.problem(&path, "is not the name of a header");
        } else if http::HeaderValue::from_str(value).is_err() {
            report.problem(&path, "holds a character that a header cannot");
        }
    }
    headers.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://h:9000", ProviderKind::OpenAi, "http://h:9000/v1")]
    #[case("http://h:9000/", ProviderKind::OpenAi, "http://h:9000/v1")]
    #[case("http://h:9000/v1", ProviderKind::OpenAi, "http://h:9000/v1")]
    #[case("http://h:9000/v1/", ProviderKind::OpenAi, "http://h:9000/v1")]
    #[case("http://h:9000/v1/v1/", ProviderKind::OpenAi, "http://h:9000/v1")]
    #[case("https://h/openai/v1", ProviderKind::OpenAi, "https://h/openai/v1")]
    #[case("https://h/v1beta/openai/", ProviderKind::OpenAi, "https://h/v1beta/openai")]
    #[case("https://h/v1/", ProviderKind::Anthropic, "https://h")]
    #[case("https://h", ProviderKind::Anthropic, "https://h")]
    #[case("http://h:11434/v1", ProviderKind::Ollama, "http://h:11434")]
    #[case("http://h:11434/api/", ProviderKind::Ollama, "http://h:11434")]
    fn an_address_has_one_form(
        #[case] url: &str,
        #[case] kind: ProviderKind,
        #[case] expected: &str,
    ) {
        assert_eq!(normalise(url, kind), expected);
        assert_eq!(normalise(expected, kind), expected);
    }
}
