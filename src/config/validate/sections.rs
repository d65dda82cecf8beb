//! The sections that stand alone: server, budget, routing, context, report, network, classifier.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::analyze::LossMatrix;
use crate::catalog::Catalog;
use crate::config::problem::{Path, Report};
use crate::config::raw::{
    RawBudget, RawClassifier, RawContext, RawNetwork, RawReport, RawRouting, RawServer,
};
use crate::config::values::Usd;
use crate::config::{
    ContextSettings, NetworkSettings, ReportSettings, ServerSettings, WarningSettings,
};
use crate::inference::ClassifierSettings;
use crate::ledger::BudgetSettings;
use crate::money::NanoUsd;
use crate::strategy::RoutingSettings;

const BASELINE: &str = "anthropic/claude-opus-4-6";
/// `classifier.quality` where it is not set.
pub(super) const QUALITY: f32 = 0.5;

pub(super) fn server(raw: RawServer, base: &FilePath, report: &mut Report) -> ServerSettings {
    let RawServer {
        host,
        port,
        master_key,
        data_dir,
        max_body_mb,
        request_timeout_s,
        cors_origins,
    } = raw;
    let path = Path::root().key("server");
    let master_key = master_key.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
    let host = read_host(host.as_deref(), &path, report);
    if !host.is_loopback() && master_key.is_none() {
        report.problem(
            &path.key("host"),
            format_args!("{host} can be reached from outside and no master_key is set; allowed: a loopback address such as 127.0.0.1, or any address with server.master_key"),
        );
    }
    if port == Some(0)
        && !matches!(report.origins.of(&path.key("port")), crate::config::problem::Origin::Flag(_))
    {
        report.problem(&path.key("port"), "is 0; allowed: 1 to 65535");
    }
    for (key, value) in [("max_body_mb", max_body_mb), ("request_timeout_s", request_timeout_s)] {
        if value == Some(0) {
            report.problem(&path.key(key), "is 0; allowed: 1 or more");
        }
    }
    let origins = cors_origins.unwrap_or_default();
    for (index, origin) in origins.iter().enumerate() {
        if origin != "*" && !is_origin(origin) {
            report.problem(
                &path.key("cors_origins").index(index),
                format_args!("`{origin}` is not an origin; allowed: * or scheme://host[:port]"),
            );
        }
    }
    let megabytes = usize::try_from(max_body_mb.unwrap_or(32)).unwrap_or(usize::MAX);
    ServerSettings {
        host,
        port: port.unwrap_or(4000),
        master_key: master_key.map(Into::into),
        data_dir: absolute(base, data_dir.as_deref().filter(|d| !d.is_empty()).unwrap_or("./data")),
        max_body_bytes: megabytes.saturating_mul(1024 * 1024),
        request_timeout: seconds(request_timeout_s, 600),
        cors_origins: origins,
    }
}

fn read_host(host: Option<&str>, path: &Path, report: &mut Report) -> IpAddr {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match host.map(str::trim) {
        None | Some("localhost" | "") => loopback,
        Some(text) => text.trim_matches(['[', ']']).parse().unwrap_or_else(|_| {
            report.problem(
                &path.key("host"),
                format_args!("`{text}` is not an address; allowed: an IP address such as 127.0.0.1 or 0.0.0.0, or localhost"),
            );
            loopback
        }),
    }
}

fn is_origin(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        uri.scheme().is_some() && uri.authority().is_some() && matches!(uri.path(), "" | "/")
    })
}

pub(super) fn budget(raw: RawBudget, report: &mut Report) -> BudgetSettings {
    let RawBudget {
        daily_usd,
        monthly_usd,
        per_request_usd,
        default_output_tokens,
        wait_s,
        timezone,
        when_exhausted,
        warn_at,
        warn_webhook: _,
    } = raw;
    let path = Path::root().key("budget");
    let limit = |amount: Option<Usd>| amount.map(|Usd(usd)| usd).filter(|usd| *usd > NanoUsd::ZERO);
    if default_output_tokens == Some(0) {
        report.problem(&path.key("default_output_tokens"), "is 0; allowed: 1 or more");
    }
    let timezone = timezone.unwrap_or_else(|| "UTC".to_owned());
    let timezone = TimeZone::get(timezone.trim()).unwrap_or_else(|_| {
        report.problem(
            &path.key("timezone"),
            format_args!("`{timezone}` is not a time zone; allowed: an IANA name such as UTC or Europe/Warsaw"),
        );
        TimeZone::UTC
    });
    BudgetSettings {
        daily: limit(daily_usd),
        monthly: limit(monthly_usd),
        per_request: limit(per_request_usd),
        default_output_tokens: default_output_tokens.unwrap_or(8192),
        wait: seconds(wait_s, 5),
        timezone,
        when_exhausted: when_exhausted.unwrap_or_default(),
        warn_at: steps(warn_at, &path.key("warn_at"), report),
    }
}

fn steps(given: Option<Vec<u8>>, path: &Path, report: &mut Report) -> Vec<u8> {
    let mut steps = given.unwrap_or_else(|| vec![50, 80, 95]);
    if let Some(wrong) = steps.iter().find(|step| !(1..=100).contains(*step)) {
        report.problem(path, format_args!("{wrong} is not a percentage; allowed: 1 to 100"));
    }
    steps.sort_unstable();
    steps.dedup();
    steps
}

pub(super) fn warnings(raw: &RawBudget, report: &mut Report) -> WarningSettings {
    let given = raw.warn_webhook.as_deref().map(str::trim).filter(|text| !text.is_empty());
    // The address is not repeated: whoever knows it can post.
    if given.is_some_and(|text| !is_webhook(text)) {
        report.problem(
            &Path::root().key("budget").key("warn_webhook"),
            "is not usable; allowed: an address that begins with https://, or with http:// on this machine",
        );
    }
    WarningSettings { webhook: given.map(Into::into) }
}

fn is_webhook(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse().is_ok_and(|at: IpAddr| at.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => here,
        _ => false,
    }
}

pub(super) fn routing(raw: &RawRouting) -> RoutingSettings {
    let RawRouting { unknown_model, allow_weaker, sticky_ttl_s, prefer, max_fallbacks } = raw;
    RoutingSettings {
        unknown_model: unknown_model.unwrap_or_default(),
        allow_weaker: allow_weaker.unwrap_or(false),
        sticky_ttl: seconds(*sticky_ttl_s, 3600),
        prefer: prefer.unwrap_or_default(),
        max_fallbacks: max_fallbacks.unwrap_or(4),
    }
}

pub(super) fn context(raw: &RawContext) -> ContextSettings {
    let RawContext { max_tokens, placement, inject } = raw;
    ContextSettings {
        max_tokens: max_tokens.unwrap_or(8000),
        placement: placement.unwrap_or_default(),
        inject: inject.unwrap_or_default(),
    }
}

pub(super) fn reporting(
    raw: RawReport,
    (catalog, quality): (Option<&Catalog>, f32),
    report: &mut Report,
) -> ReportSettings {
    let RawReport { baseline } = raw;
    if let (Some(id), Some(catalog)) = (&baseline, catalog)
        && catalog.get(id).is_none()
    {
        report.notes.push(format!("report.baseline: there is no model `{id}`"));
    }
    ReportSettings { baseline: baseline.unwrap_or_else(|| BASELINE.to_owned()).into(), quality }
}

pub(super) fn network(raw: RawNetwork, base: &FilePath, report: &mut Report) -> NetworkSettings {
    let RawNetwork { proxy, ca_file } = raw;
    let path = Path::root().key("network");
    let proxy = proxy.map(|proxy| proxy.trim().to_owned()).filter(|proxy| !proxy.is_empty());
    let usable = |text: &str| {
        text.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
        })
    };
    // The address is not repeated: it may hold a password.
    if proxy.as_deref().is_some_and(|proxy| !usable(proxy)) {
        report.problem(
            &path.key("proxy"),
            "is not a proxy address; allowed: http://[user:password@]host:port",
        );
    }
    let ca_file = ca_file.filter(|file| !file.is_empty()).map(|file| absolute(base, &file));
    if let Some(file) = ca_file.as_ref().filter(|file| !file.is_file()) {
        report.problem(
            &path.key("ca_file"),
            format_args!("there is no file {}; allowed: a PEM file", file.display()),
        );
    }
    NetworkSettings { proxy: proxy.map(Into::into), ca_file }
}

pub(super) fn classifier(raw: &RawClassifier, report: &mut Report) -> ClassifierSettings {
    let RawClassifier { deadline_ms, queue, threads, quality, loss } = *raw;
    let path = Path::root().key("classifier");
    for (key, value) in [("deadline_ms", deadline_ms), ("queue", queue), ("threads", threads)] {
        if value == Some(0) {
            report.problem(&path.key(key), "is 0; allowed: 1 or more");
        }
    }
    if loss.is_some_and(|rows| rows.iter().flatten().any(|loss| !loss.is_finite() || *loss < 0.0)) {
        report.problem(
            &path.key("loss"),
            "holds a negative number; allowed: five rows of five numbers, 0 or more",
        );
    }
    let quality = quality.unwrap_or(QUALITY);
    if !(0.0..=1.0).contains(&quality) {
        report.problem(
            &path.key("quality"),
            format_args!("is {quality}; allowed: a number from 0 (cost) to 1 (quality)"),
        );
    }
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let count = |value: Option<u32>, default: usize| {
        value.map_or(default, |value| usize::try_from(value).unwrap_or(default)).max(1)
    };
    ClassifierSettings {
        deadline: Duration::from_millis(u64::from(deadline_ms.unwrap_or(250))),
        queue: count(queue, 8),
        threads: count(threads, cores.clamp(1, 4)),
        loss: loss.map_or_else(LossMatrix::default, LossMatrix).at_quality(quality),
    }
}

fn seconds(value: Option<u32>, default: u32) -> Duration {
    Duration::from_secs(u64::from(value.unwrap_or(default)))
}

/// Relative paths begin at the directory of the configuration file.
fn absolute(base: &FilePath, path: &str) -> PathBuf {
    let joined = base.join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}
