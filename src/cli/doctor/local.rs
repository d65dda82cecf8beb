//! What can be seen on this machine.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Finding;
use crate::clock::Clock;
use crate::config::Config;
use crate::context;
use crate::ledger::Ledger;
use crate::providers::ProviderKind;

/// Below this the ledger and downloads are in danger.
const LOW_DISK_BYTES: u64 = 1 << 30;
/// Below this the ledger itself is.
const FULL_DISK_BYTES: u64 = 64 << 20;
/// A larger difference to the providers' clocks shifts budget days noticeably.
const TOLERATED_SKEW: SignedDuration = SignedDuration::from_secs(120);
/// No release is older than this: an earlier clock was never set.
const OLDEST_PLAUSIBLE: i64 = 1_760_000_000;

pub(super) fn configuration(config: &Config) -> Finding {
    let place = config.source.as_ref().map_or_else(
        || "no edge-router.toml found, defaults are in force".to_owned(),
        |path| format!("{} is valid", path.display()),
    );
    let server = &config.server;
    if server.master_key.is_none() && !server.host.is_loopback() {
        let advice = "set server.master_key, or server.host = \"127.0.0.1\"";
        let message = format!("{place}, but {} is open to others without a key", server.host);
        return Finding::fail("config", message, advice);
    }
    Finding::ok("config", place)
}

/// One line per provider that needs keys; the keys themselves are never shown.
pub(super) fn keys(config: &Config) -> Vec<Finding> {
    let needs_key =
        |kind: ProviderKind| matches!(kind, ProviderKind::OpenAi | ProviderKind::Anthropic);
    let (with, without): (Vec<_>, Vec<_>) = config
        .providers
        .iter()
        .filter(|provider| needs_key(provider.kind))
        .partition(|provider| provider.enabled);
    let mut findings: Vec<Finding> = with
        .iter()
        .map(|provider| {
            let keys = match provider.api_keys.len() {
                0 => "no key needed".to_owned(),
                1 => "1 key".to_owned(),
                many => format!("{many} keys"),
            };
            Finding::ok(format!("keys {}", provider.id), keys)
        })
        .collect();
    if !without.is_empty() {
        let names: Vec<_> = without.iter().map(|provider| provider.id.as_str()).collect();
        findings.push(Finding::ok("keys", format!("none for {} (not used)", names.join(", "))));
    }
    findings
}

/// Whether files can be made where they have to be.
pub(super) fn data_dir(dir: &Path) -> Finding {
    let shown = dir.display();
    let advice = format!("make {shown} writable for this user, or set server.data_dir");
    if !dir.exists() {
        let parent = dir.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("."));
        return match writable(parent) {
            Ok(()) => Finding::ok("data_dir", format!("{shown} will be made at the first start")),
            Err(error) => {
                Finding::fail("data_dir", format!("{shown} cannot be made: {error}"), advice)
            }
        };
    }
    match writable(dir) {
        Ok(()) => Finding::ok("data_dir", format!("{shown} is writable")),
        Err(error) => {
            Finding::fail("data_dir", format!("{shown} is not writable: {error}"), advice)
        }
    }
}

fn writable(dir: &Path) -> std::io::Result<()> {
    let probe = dir.join(format!(".edge-router-doctor-{}", std::process::id()));
    std::fs::write(&probe, b"probe")?;
    std::fs::remove_file(&probe)
}

/// Free space where the data directory is or will be.
pub(super) fn disk(dir: &Path) -> Option<Finding> {
    let there = dir.ancestors().find(|parent| parent.exists())?;
    let free = free_bytes(there)?;
    let message = format!("{} MB free for {}", free >> 20, dir.display());
    let advice = "free some space, or move server.data_dir to another disk";
    Some(match free {
        0..FULL_DISK_BYTES => Finding::fail("disk", message, advice),
        FULL_DISK_BYTES..LOW_DISK_BYTES => Finding::warn("disk", message, advice),
        LOW_DISK_BYTES.. => Finding::ok("disk", message),
    })
}

#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Whether the ledger can be opened; one that does not exist yet is not made.
pub(super) async fn ledger(config: &Config, clock: Arc<dyn Clock>) -> Finding {
    let path = config.server.data_dir.join("ledger.sqlite");
    if !path.exists() {
        return Finding::ok("ledger", "will be made at the first start");
    }
    match Ledger::open(&path, clock, config.budget.clone()).await {
        Ok(ledger) => {
            let headroom = ledger.headroom().await;
            ledger.close().await;
            match headroom {
                Ok(now) => Finding::ok(
                    "ledger",
                    format!(
                        "opens; {} USD spent today, {} this month",
                        now.daily.spent, now.monthly.spent
                    ),
                ),
                Err(error) => broken_ledger(&error),
            }
        }
        Err(error) => broken_ledger(&error),
    }
}

fn broken_ledger(error: &crate::store::StoreError) -> Finding {
    let advice = "until it can be used, only free models serve; see disk and data_dir above";
    Finding::fail("ledger", error.to_string(), advice)
}

/// What is kept of projects.
pub(super) async fn context(config: &Config) -> Finding {
    let path = config.server.data_dir.join("context.sqlite");
    if !path.exists() {
        return Finding::ok("context", "no project yet; `edge-watch DIR` sends one");
    }
    match context::kept(&path).await {
        Ok(kept) => Finding::ok(
            "context",
            format!(
                "{} projects with {} files, {} MB, in {}",
                kept.projects,
                kept.files,
                kept.bytes >> 20,
                path.display()
            ),
        ),
        Err(error) => {
            let advice = "until it can be used, requests are given no project context";
            Finding::warn("context", error.to_string(), advice)
        }
    }
}

/// The files of the embedded models.
pub(super) fn embedded(config: &Config) -> Vec<Finding> {
    let embedded: Vec<_> = config
        .providers
        .iter()
        .filter(|provider| provider.kind == ProviderKind::Embedded)
        .map(|provider| &provider.id)
        .collect();
    let models = config.catalog.models().iter();
    models
        .filter(|model| model.active && embedded.contains(&&model.provider))
        .map(|model| {
            let check = format!("model {}", model.id);
            let file = model_file(config, &model.upstream);
            match std::fs::metadata(&file) {
                Ok(found) => Finding::ok(check, format!("{} MB on disk", found.len() >> 20)),
                Err(_) => Finding::warn(
                    check,
                    "not downloaded; without it nothing answers when the network is gone",
                    format!("edge-router models pull {}", model.upstream),
                ),
            }
        })
        .collect()
}

fn model_file(config: &Config, name: &str) -> std::path::PathBuf {
    config.server.data_dir.join("models").join(format!("{name}.gguf"))
}

/// Whether a GPU is there and this build can use it for the embedded model.
pub(super) fn gpu() -> Finding {
    let devices = ["/proc/driver/nvidia/version", "/dev/nvhost-gpu", "/dev/nvgpu"];
    let present = devices.iter().any(|device| Path::new(device).exists());
    match (present, cfg!(feature = "cuda")) {
        (true, true) => Finding::ok("gpu", "NVIDIA GPU found, the embedded model can use it"),
        (true, false) => Finding::ok(
            "gpu",
            "NVIDIA GPU found; this build runs the embedded model on the CPU (the `cuda` feature uses the GPU)",
        ),
        (false, true) => Finding::warn(
            "gpu",
            "this build wants an NVIDIA GPU, and no driver is loaded",
            "install the driver, or use a build without the `cuda` feature",
        ),
        (false, false) => Finding::ok("gpu", "none; the embedded model runs on the CPU"),
    }
}

/// `skew`: how far this clock is ahead of the providers' clocks, where one was reached.
pub(super) fn clock(now: Timestamp, skew: Option<SignedDuration>) -> Finding {
    let advice = "set the clock (NTP): budgets follow its days and months";
    if now.as_second() < OLDEST_PLAUSIBLE {
        return Finding::fail("clock", format!("{now:.0} cannot be right"), advice);
    }
    match skew {
        Some(skew) if skew.abs() > TOLERATED_SKEW => {
            let direction = if skew.is_negative() { "behind" } else { "ahead" };
            let message = format!("{} s {direction} of the providers", skew.abs().as_secs());
            Finding::warn("clock", message, advice)
        }
        Some(_) => Finding::ok("clock", "agrees with the providers"),
        None => Finding::ok("clock", format!("{now:.0}, not compared with another")),
    }
}

/// For when nobody was reached: no model file is there either.
pub(super) fn nothing_can_answer(config: &Config) -> Option<Finding> {
    let local = config
        .catalog
        .models()
        .iter()
        .any(|model| model.active && model_file(config, &model.upstream).is_file());
    (!local).then(|| {
        Finding::warn(
            "backends",
            "nothing can answer yet",
            "set a provider's key (OPENAI_API_KEY, ...), start Ollama, or start `edge-router serve`, which fetches a small local model",
        )
    })
}
