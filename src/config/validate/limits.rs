//! `[[limits]]`: rate-limit buckets.

use std::collections::HashSet;
use std::time::Duration;

use super::providers::Providers;
use crate::config::problem::{Path, Report};
use crate::config::raw::RawLimit;
use crate::limits::{LimitSettings, LimitWindow};

pub(super) fn compile(
    raw: Vec<RawLimit>,
    providers: &Providers,
    report: &mut Report,
) -> Vec<LimitSettings> {
    let mut names = HashSet::new();
    let mut limits = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let path = Path::root().key("limits").index(index);
        let RawLimit { name, provider, models, requests, tokens, window } = raw;
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| {
            report.problem(&path.key("name"), "is missing; allowed: any text");
            String::new()
        });
        if !name.is_empty() && !names.insert(name.clone()) {
            report.problem(&path.key("name"), format_args!("`{name}` is given twice"));
        }
        match &provider {
            Some(id) => drop(providers.find(id, &path.key("provider"), report)),
            None => {
                report.problem(&path.key("provider"), "is missing; allowed: the id of a provider");
            }
        }
        let models = models.unwrap_or_else(|| vec!["*".to_owned()]);
        for (place, glob) in models.iter().enumerate() {
            if let Err(error) = globset::Glob::new(glob) {
                report.problem(
                    &path.key("models").index(place),
                    format_args!("`{glob}` is not a usable glob: {}", error.kind()),
                );
            }
        }
        if requests.is_none() && tokens.is_none() {
            report.problem(&path, "limits nothing; allowed: requests, tokens or both");
        }
        for (key, value) in [("requests", requests), ("tokens", tokens)] {
            if value == Some(0) {
                report.problem(&path.key(key), "is 0; allowed: 1 or more");
            }
        }
        let window = read_window(window.as_deref(), &path.key("window"), report);
        let provider = provider.unwrap_or_default().as_str().into();
        limits.push(LimitSettings { name, provider, models, requests, tokens, window });
    }
    limits
}

fn read_window(text: Option<&str>, path: &Path, report: &mut Report) -> LimitWindow {
    let allowed = "allowed: a number and s, m, h, d or w, such as 1m or 5h; or 1month";
    match text.map(|text| (text, window(text))) {
        Some((_, Some(window))) => window,
        Some((text, None)) => {
            report.problem(path, format_args!("`{text}` is not a window; {allowed}"));
            LimitWindow::CalendarMonth
        }
        None => {
            report.problem(path, format_args!("is missing; {allowed}"));
            LimitWindow::CalendarMonth
        }
    }
}

fn window(text: &str) -> Option<LimitWindow> {
    let text = text.trim();
    if text == "1month" {
        return Some(LimitWindow::CalendarMonth);
    }
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text[..split].parse().ok().filter(|count| *count > 0)?;
    let unit = match text[split..].trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    Some(LimitWindow::Rolling(Duration::from_secs(count.checked_mul(unit)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1m", Some(60))]
    #[case("90s", Some(90))]
    #[case("5h", Some(18_000))]
    #[case("1d", Some(86_400))]
    #[case("1w", Some(604_800))]
    #[case("0m", None)]
    #[case("2months", None)]
    #[case("m", None)]
    #[case("", None)]
    #[case("99999999999999999999m", None)]
    fn windows_are_read(#[case] text: &str, #[case] seconds: Option<u64>) {
        let expected = seconds.map(|seconds| LimitWindow::Rolling(Duration::from_secs(seconds)));
        assert_eq!(window(text), expected);
    }

    #[test]
    fn a_month_is_the_calendar_s() {
        assert_eq!(window("1month"), Some(LimitWindow::CalendarMonth));
    }
}
