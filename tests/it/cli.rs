//! The program from outside: exit codes, messages, JSON.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub fn edge_router(dir: &std::path::Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edge-router"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", dir)
        .output()
        .unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_config_with_five_mistakes_gives_five_lines_with_their_places_and_exit_2() {
    let dir = tempfile::tempdir().unwrap();
    let config = "\
[server]
port = \"four thousand\"
[budget]
dayly_usd = 3.0
timezone = \"Mars/Olympus\"
[routing]
prefer = \"luck\"
[[models]]
id = \"nowhere/m\"
provider = \"nowhere\"
";
    std::fs::write(dir.path().join("edge-router.toml"), config).unwrap();
    let output = edge_router(dir.path(), &["check"]);
    assert_eq!(output.status.code(), Some(2));
    let all = text(&output.stdout) + &text(&output.stderr);
    for (line, word) in
        [(2, "port"), (4, "daily_usd"), (5, "timezone"), (7, "balanced"), (10, "nowhere")]
    {
        let found = all
            .lines()
            .any(|l| l.contains(&format!("edge-router.toml:{line}:")) && l.contains(word));
        assert!(found, "no line {line} about {word} in:\n{all}");
    }
}

#[test]
fn check_accepts_the_defaults_and_the_file_that_init_writes() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(edge_router(dir.path(), &["check"]).status.code(), Some(0));
    let init = edge_router(dir.path(), &["init", "--yes"]);
    assert_eq!(init.status.code(), Some(0), "{}", text(&init.stderr));
    assert!(dir.path().join("edge-router.toml").exists());
    assert_eq!(edge_router(dir.path(), &["check"]).status.code(), Some(0));
    let again = edge_router(dir.path(), &["init", "--yes"]);
    assert_ne!(again.status.code(), Some(0), "init must not overwrite without --force");
}

#[test]
fn classify_answers_in_order_and_in_the_contracts_shape() {
    let dir = tempfile::tempdir().unwrap();
    let output = edge_router(dir.path(), &["classify", "thanks!", "--json"]);
    let one: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(one["tier"], "trivial");
    let sum: f64 = one["scores"].as_array().map_or_else(
        || one["scores"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()).sum(),
        |list| list.iter().map(|v| v.as_f64().unwrap()).sum(),
    );
    assert!((sum - 1.0).abs() < 1e-3);

    let mut child = Command::new(env!("CARGO_BIN_EXE_edge-router"))
        .args(["classify", "--jsonl"])
        .current_dir(dir.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = String::new();
    for n in 0..50 {
        lines.push_str(&format!("{{\"id\":\"p{n}\",\"prompt\":\"question {n}\"}}\n"));
    }
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let ids: Vec<String> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, (0..50).map(|n| format!("p{n}")).collect::<Vec<_>>());
}

#[test]
fn classify_decides_by_the_configuration_and_quality_overrides_it() {
    let dir = tempfile::tempdir().unwrap();
    let prompt = "add a field for the phone number to the form and check it";
    let tier = |args: &[&str]| {
        let output = edge_router(dir.path(), &[&["classify", prompt, "--json"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let one: Value = serde_json::from_slice(&output.stdout).unwrap();
        one["tier"].as_str().unwrap().to_owned()
    };
    let own = tier(&[]);
    assert_eq!(tier(&["--quality", "0.5"]), own);
    // Whatever the truth, only one choice costs nothing.
    let always = |chosen: usize| {
        let mut row = ["9"; 5];
        row[chosen] = "0";
        let row = format!("[{}]", row.join(", "));
        format!("classifier.loss = [{}]\n", [row.as_str(); 5].join(", "))
    };
    std::fs::write(dir.path().join("edge-router.toml"), always(4)).unwrap();
    assert_eq!(tier(&[]), "deep");
    std::fs::write(dir.path().join("other.toml"), always(3)).unwrap();
    assert_eq!(tier(&["--config", "other.toml"]), "complex");
    std::fs::write(dir.path().join("edge-router.toml"), "classifier.quality = 2\n").unwrap();
    let output = edge_router(dir.path(), &["classify", prompt]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("classifier.quality: is 2"), "{output:?}");
    assert_eq!(tier(&["--quality", "0.5"]), own);
    let output = edge_router(dir.path(), &["classify", prompt, "--quality", "-1"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_command_has_help_with_an_example() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        "serve",
        "init",
        "check",
        "classify",
        "route",
        "budget",
        "keys",
        "report",
        "models",
        "requests",
        "doctor",
        "completions",
        "schema",
    ] {
        let output = edge_router(dir.path(), &[command, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let help = text(&output.stdout);
        assert!(help.contains("Example"), "{command}:\n{help}");
    }
    assert_eq!(edge_router(dir.path(), &["no-such-command"]).status.code(), Some(2));
}

#[test]
fn schema_and_completions_print_something_usable() {
    let dir = tempfile::tempdir().unwrap();
    let schema: Value =
        serde_json::from_slice(&edge_router(dir.path(), &["schema"]).stdout).unwrap();
    assert!(schema["properties"]["budget"].is_object(), "{schema}");
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&edge_router(dir.path(), &["completions", shell]).stdout);
        assert!(script.contains("edge-router"), "{shell}");
    }
}

#[test]
fn budget_and_requests_answer_before_the_first_request() {
    let dir = tempfile::tempdir().unwrap();
    let budget = edge_router(dir.path(), &["budget", "--json"]);
    assert_eq!(budget.status.code(), Some(0), "{}", text(&budget.stderr));
    let budget: Value = serde_json::from_slice(&budget.stdout).unwrap();
    assert_eq!(budget["daily"]["spent_usd"].as_f64(), Some(0.0));
    let requests = edge_router(dir.path(), &["requests", "--json"]);
    assert_eq!(requests.status.code(), Some(0), "{}", text(&requests.stderr));
}

#[test]
fn route_explains_a_request_from_a_file_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let request = r#"{"model":"auto","messages":[{"role":"user","content":"rename x to y"}]}"#;
    std::fs::write(dir.path().join("request.json"), request).unwrap();
    let output = edge_router(dir.path(), &["route", "--file", "request.json", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let route: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(route["instruction"], "rename x to y");
}

#[cfg(unix)]
#[test]
fn a_download_that_still_runs_does_not_keep_the_server_from_stopping() {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    let dir = tempfile::tempdir().unwrap();
    let python = dir.path().join("python3");
    std::fs::write(&python, "#!/bin/sh\nexec /bin/sleep 60\n").unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_edge-router"))
        .args(["serve", "--port", "0"])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", dir.path())
        .env("HOME", dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("fetching the small embedded model")));
    let stop = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stop.success());
    let status = (0..1_500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        child.try_wait().unwrap()
    });
    let status = status.expect("it waits for the download");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn models_are_listed_with_prices_and_local_files_of_the_configured_directory() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept/models");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("mine.gguf"), "GGUF").unwrap();
    let config =
        "[server]\ndata_dir = \"../kept\"\n[[providers]]\nid = \"openai\"\napi_keys = [\"k\"]\n";
    std::fs::create_dir(dir.path().join("etc")).unwrap();
    std::fs::write(dir.path().join("etc/er.toml"), config).unwrap();
    let text_list = edge_router(dir.path(), &["models", "--config", "etc/er.toml"]);
    assert_eq!(text_list.status.code(), Some(0), "{}", text(&text_list.stderr));
    let lines = text(&text_list.stdout);
    let row = lines.lines().find(|line| line.starts_with("openai/gpt-6-luna ")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[3..5], ["0.10", "0.50"], "{row}");
    assert!(row.contains("over 272k: 0.20 / 0.75"), "{row}");
    assert!(lines.contains("mine") && lines.contains("--all"), "{lines}");
    assert!(!lines.contains("anthropic/"), "{lines}");
    let args = ["models", "list", "--json", "--config", "etc/er.toml"];
    let all: Value = serde_json::from_slice(&edge_router(dir.path(), &args).stdout).unwrap();
    let of = |id: &str| all["models"].as_array().unwrap().iter().find(|one| one["id"] == id);
    assert_eq!(of("anthropic/claude-haiku-4-5").unwrap()["state"], "no_key");
    assert_eq!(of("openai/gpt-4.1").unwrap()["price"]["output_usd_per_mtok"], 8.0);
    assert_eq!(of("deepseek/deepseek-chat").unwrap()["replacement"], "deepseek/deepseek-flash");
    assert!(all["local"].as_array().unwrap().iter().any(|one| one["name"] == "mine"));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_work_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_edge-router"))
        .args(["classify", "--jsonl"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut questions, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let line = b"{\"id\":1,\"prompt\":\"x\"}\n";
    questions.write_all(line).unwrap();
    let mut first = String::new();
    BufReader::new(answers).read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"id\":1,"), "{first}");
    // Endless input: the program ends because nobody reads, not because the questions end.
    while questions.write_all(line).is_ok() {}
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_edge-router"))
        .arg("schema")
        .current_dir(dir.path())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("standard output cannot be written"));
}

const LAB: &str = "\
[catalog]
builtin = false
[[providers]]
id = \"lab\"
kind = \"openai\"
base_url = \"http://127.0.0.1:9\"
[[models]]
id = \"lab/m\"
input_usd_per_mtok = 1
output_usd_per_mtok = 1
";

#[cfg(unix)]
#[test]
fn serve_prints_one_line_says_when_its_port_is_taken_and_ends_on_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("edge-router.toml"), LAB).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_edge-router"))
        .args(["serve", "--port", "0"])
        .current_dir(dir.path())
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut ready = String::new();
    out.read_line(&mut ready).unwrap();
    let port: u16 = ready
        .split_once("ready on http://127.0.0.1:")
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("no address in {ready:?}"));
    assert!(ready.trim_end().ends_with("with lab"), "{ready}");

    let second = edge_router(dir.path(), &["serve", "--port", &port.to_string()]);
    assert_eq!(second.status.code(), Some(1));
    let message = text(&second.stderr);
    assert!(
        message.contains(&format!("127.0.0.1:{port}")) && message.contains("--port"),
        "{message}"
    );
    assert!(second.stdout.is_empty());

    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(0), ""));
}

#[test]
fn serve_says_when_its_data_directory_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let config = format!("[server]\ndata_dir = \"file/data\"\n{LAB}");
    std::fs::write(dir.path().join("edge-router.toml"), config).unwrap();
    let output = edge_router(dir.path(), &["serve", "--port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("data directory") && message.contains("file/data"), "{message}");
}

#[test]
fn wrong_usage_is_exit_2_with_a_message() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["serve", "--port", "many"][..],
        &["serve", "--host", "0.0.0.0"],
        &["check", "--config", "nowhere.toml"],
        &["check", "--config", "."],
        &["completions"],
        &["classify", "--jsonl", "text"],
        &["models", "pull", "no-such-model"],
        &["models", "verify", "no-such-model"],
        &["requests", "--since", "yesterday"],
        &["report", "--since", "yesterday"],
        &["report", "--by", "colour"],
        &["report", "--json", "--html", "r.html"],
        &["init"],
    ] {
        let output = edge_router(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn route_counts_models_without_a_key_instead_of_listing_them() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("r.json"), r#"{"messages":[{"role":"user","content":"hi"}]}"#)
        .unwrap();
    let short = text(&edge_router(dir.path(), &["route", "--file", "r.json"]).stdout);
    assert!(short.lines().count() < 10 && short.contains("--all"), "{short}");
    let long = text(&edge_router(dir.path(), &["route", "--file", "r.json", "--all"]).stdout);
    assert!(long.lines().count() > 50, "{long}");
}
