//! When the ledger's file cannot be used: a clear error for what costs money, free models go on,
//! nothing is lost, no limit is passed.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use edge_router::clock::{ManualClock, SystemClock};
use serde_json::{Value, json};

use crate::disconnect::eventually;
use crate::openai::one_provider;
use crate::outside::{serving, slow_cost};
use crate::support::{Books, Process, Script, TestRouter, Upstream, connect, program};

/// [`one_provider`] and a free model of the same provider, with a limit.
fn paid_and_free(upstream: &Upstream) -> String {
    format!(
        "[budget]\ndaily_usd = 1\nwait_s = 0\n{}\n[[models]]\nid = \"up/gift\"\nprovider = \"up\"\nupstream = \"gift\"\n\
         max_tier = \"trivial\"\ninput_usd_per_mtok = 0\noutput_usd_per_mtok = 0\ncontext_window = 128000\ncapabilities = [\"chat\"]\n",
        one_provider(upstream)
    )
}

fn ask(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hi"}]})
}

/// What the free model cannot do.
fn ask_with_tools() -> Value {
    let tool =
        json!({"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}});
    json!({"messages": [{"role": "user", "content": "hi"}], "tools": [tool]})
}

/// The model that answers.
async fn served_by(router: &TestRouter, body: &Value) -> Option<String> {
    let answer = router.chat(body).await;
    let model = answer.headers()["x-edge-model"].to_str().unwrap().to_owned();
    (answer.status() == 200).then_some(model)
}

/// Only free models serve, and whoever needs another is told why in these words.
async fn assert_only_free_models_serve(router: &TestRouter, why: &str) {
    let refused = router.chat(&ask_with_tools()).await;
    assert_eq!(refused.status(), 503);
    let text = refused.text().await.unwrap();
    assert!(text.contains(why), "{text}");
    for model in ["up/gift", "up/solid", "auto"] {
        assert_eq!(served_by(router, &ask(model)).await.as_deref(), Some("up/gift"), "{model}");
    }
    let health: Value = router.get("/health/detailed").await.json().await.unwrap();
    assert_eq!(health["status"], "degraded");
    assert!(health["ledger"]["error"].as_str().unwrap().contains(why), "{health}");
}

async fn assert_all_models_serve(router: &TestRouter) {
    let body = ask("up/solid");
    eventually(async || served_by(router, &body).await.as_deref() == Some("up/solid")).await;
    let health: Value = router.get("/health/detailed").await.json().await.unwrap();
    assert_eq!(health["ledger"]["error"], Value::Null);
}

async fn start(dir: tempfile::TempDir, toml: &str) -> TestRouter {
    TestRouter::start_in(dir, toml, Arc::new(SystemClock)).await
}

#[tokio::test]
async fn a_file_that_another_program_locks_is_waited_for() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::answer("ok"));
    upstream.script("solid", Script::Slow { chunks: 2, pause: Duration::from_millis(300) });
    upstream.script("solid", Script::answer("ok"));
    let router = TestRouter::start(&paid_and_free(&upstream)).await;
    assert_eq!(router.chat(&ask("up/solid")).await.status(), 200);
    // One is under way when the lock is taken.
    let body = json!({"model": "up/solid", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let under_way = router.chat(&body).await;
    let mut other = connect(router.dir.path()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let text = under_way.text().await.unwrap();
    assert!(text.trim_end().ends_with("[DONE]"), "the answer does not suffer: {text}");
    assert_only_free_models_serve(&router, "locked by another program").await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    drop(other);
    assert_all_models_serve(&router).await;
    // The first, the one under way, and the last; free ones and refusals cost nothing.
    let books = Books::settled(router.dir.path(), 7).await;
    books.assert_they_agree();
    assert_eq!(books.charges.len(), 3, "{books:#?}");
}

#[tokio::test]
async fn a_damaged_file_is_left_alone_and_free_models_serve_until_it_is_moved_away() {
    let upstream = Upstream::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data/ledger.sqlite");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let garbage = "not a database, and long enough to be sure of it ".repeat(100);
    std::fs::write(&file, &garbage).unwrap();
    let router = start(dir, &paid_and_free(&upstream)).await;
    assert_only_free_models_serve(&router, "damaged or not a ledger").await;
    let budget = router.get("/v1/budget").await;
    assert_eq!(budget.status(), 503);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), garbage);
    std::fs::rename(&file, file.with_extension("broken")).unwrap();
    assert_all_models_serve(&router).await;
    // What was asked meanwhile is on record, too.
    let books = Books::settled(router.dir.path(), 4).await;
    books.assert_they_agree();
    assert!(books.requests.iter().any(|row| row.model.as_deref() == Some("up/gift")));
}

#[tokio::test]
async fn a_file_that_is_damaged_while_the_router_runs_stops_the_spending() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&paid_and_free(&upstream)).await;
    assert_eq!(router.chat(&ask("up/solid")).await.status(), 200);
    for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
        let file = router.dir.path().join("data").join(name);
        let length = std::fs::metadata(&file).unwrap().len();
        let garbage = vec![0x5a; usize::try_from(length).unwrap()];
        // In place: the router has the file open.
        let mut open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        std::io::Write::write_all(&mut open, &garbage).unwrap();
    }
    // The writer notices when it reads from the file again: when somebody else has written, at the
    // latest after a restart.
    let dir = router.stop().await;
    let router = start(dir, &paid_and_free(&upstream)).await;
    assert_only_free_models_serve(&router, "damaged or not a ledger").await;
}

#[tokio::test]
async fn a_place_where_nothing_can_be_written_leaves_free_models() {
    let upstream = Upstream::start().await;
    let dir = tempfile::tempdir().unwrap();
    // A file where the router needs a directory: holds for every user, root included.
    let blocked = dir.path().join("data/ledger.sqlite.instances");
    std::fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    std::fs::write(&blocked, "").unwrap();
    let router = start(dir, &paid_and_free(&upstream)).await;
    assert_only_free_models_serve(&router, "a file beside the ledger cannot be used").await;
    std::fs::remove_file(&blocked).unwrap();
    assert_all_models_serve(&router).await;
}

#[tokio::test]
async fn an_hour_that_comes_twice_has_one_budget() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Answer { text: "ok".into(), usage: (0, 0, 100_000) });
    upstream.script("solid", Script::answer("ok"));
    let clock = Arc::new(ManualClock::at("2026-11-21T12:30:00Z".parse().unwrap()));
    let router = TestRouter::start_at(&paid_and_free(&upstream), clock.clone()).await;
    let spent = async || router.budget().await["daily"]["spent_usd"].as_f64().unwrap();
    assert_eq!(router.chat(&ask("up/solid")).await.status(), 200);
    clock.set_back(Duration::from_secs(3600));
    assert!((spent().await - 0.8).abs() < 1e-9);
    // Room for 0.2 USD.
    for _ in 0..4 {
        router.chat(&ask("up/solid")).await;
        assert!(spent().await <= 1.0);
    }
    clock.advance(Duration::from_secs(7200));
    assert!((0.8..=1.0).contains(&spent().await));
    Books::settled(router.dir.path(), 5).await.assert_they_agree();
}

/// The program on a file system of its own of 2 MiB; `None` where that is not allowed.
pub async fn on_a_small_disk(dir: &Path) -> Option<(Process, PathBuf)> {
    let may =
        Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        return None;
    }
    std::fs::create_dir_all(dir.join("data")).unwrap();
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=2m none data && exec \"$0\" \"$@\"";
    command.args(["-rm", "sh", "-c", script, &program()]);
    let process = Process::start_as(dir, command).await;
    let seen_from_outside = format!("/proc/{}/root{}", process.id(), dir.display());
    Some((process, seen_from_outside.into()))
}

#[tokio::test]
async fn on_a_full_disk_money_is_refused_and_what_is_under_way_is_settled_when_there_is_room() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Slow { chunks: 4, pause: Duration::from_millis(500) });
    upstream.script("solid", Script::answer("ok"));
    let dir = tempfile::tempdir().unwrap();
    let toml = serving(&paid_and_free(&upstream));
    std::fs::write(dir.path().join("edge-router.toml"), toml).unwrap();
    let Some((router, disk)) = on_a_small_disk(dir.path()).await else { return };
    let status = async |body: &Value| router.chat(body).await.unwrap().status().as_u16();
    let body = json!({"model": "up/solid", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let under_way = router.chat(&body).await.unwrap();
    // Whatever room there is.
    let junk = disk.join("data/junk");
    let mut file = std::fs::File::create(&junk).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
    let text = under_way.text().await.unwrap();
    assert!(text.trim_end().ends_with("[DONE]"), "the answer does not suffer: {text}");
    let mut refusal = String::new();
    // The log's last page may still have room for a few.
    for _ in 0..200 {
        let answer = router.chat(&ask_with_tools()).await.unwrap();
        if answer.status() == 503 {
            refusal = answer.text().await.unwrap();
            break;
        }
    }
    assert!(refusal.contains("full") || refusal.contains("cannot be used"), "{refusal:?}");
    assert_eq!(status(&ask("up/gift")).await, 200);
    let budget = router.budget().await.unwrap();
    assert!(budget["daily"]["spent_usd"].as_f64().unwrap() < 1.0, "{budget}");
    std::fs::remove_file(&junk).unwrap();
    drop(file);
    eventually(async || status(&ask_with_tools()).await == 200).await;
    // An open folder outlives the process and its file system, but SQLite does not follow the way there.
    let folder = std::fs::File::open(disk.join("data")).unwrap();
    router.stop().await;
    let ledger = format!("/proc/self/fd/{}/ledger.sqlite", folder.as_raw_fd());
    std::fs::copy(ledger, dir.path().join("data/ledger.sqlite")).unwrap();
    let books = Books::read(dir.path()).await;
    books.assert_they_agree();
    assert_eq!(upstream.invoice().finished, 1);
    let settled = books.charges.iter().filter(|charge| charge.cost == slow_cost(4)).count();
    assert_eq!(settled, 1, "what was under way: {books:#?}");
    // Nothing was sent that is not in the books, nothing is in the books that was not sent.
    let paid = upstream.received().iter().filter(|one| one.json()["model"] == "solid").count();
    assert_eq!(books.charges.len(), paid, "{books:#?}");
}
