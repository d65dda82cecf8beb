//! What a watcher sends and what is kept of it, from outside: the protocol of deltas, what is refused
//! and changes nothing, who has what, restarts and files that cannot be used.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use edge_router::clock::{Clock, SystemClock};
use edge_router::delta::{ContentHash, unified};
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};

use crate::disconnect::eventually;
use crate::faults::on_a_small_disk;
use crate::openai::one_provider;
use crate::outside::serving;
use crate::support::{TestRouter, Upstream, program};

fn hash(text: &str) -> String {
    ContentHash::of(text.as_bytes()).to_string()
}

fn add(path: &str, text: &str) -> Value {
    json!({"path": path, "op": "add", "hash": hash(text), "content": text})
}

fn modify(path: &str, from: &str, to: &str) -> Value {
    let diff = unified(from, to);
    json!({"path": path, "op": "modify", "base_hash": hash(from), "hash": hash(to), "diff": diff})
}

fn delete(path: &str, text: &str) -> Value {
    json!({"path": path, "op": "delete", "base_hash": hash(text)})
}

fn delta(base: u64, version: u64, files: &[Value]) -> Value {
    json!({"project": "shop", "base_version": base, "version": version, "root": "/work/shop",
        "files": files})
}

async fn send(router: &TestRouter, body: &Value) -> reqwest::Response {
    router.post("/v1/context/delta", body).send().await.unwrap()
}

async fn taken(router: &TestRouter, body: &Value) -> Value {
    let answer = send(router, body).await;
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn refused(answer: reqwest::Response, status: u16, code: &str) -> Value {
    let seen = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((seen, &body["error"]["code"]), (status, &json!(code)), "{body}");
    body["error"].clone()
}

async fn json_of(router: &TestRouter, path: &str) -> Value {
    let answer = router.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

/// Everything that is kept of the project, with the texts.
async fn copy(router: &TestRouter) -> Value {
    let mut project = json_of(router, "/v1/context/shop").await;
    for file in project["files"].as_array_mut().unwrap() {
        let path = file["path"].as_str().unwrap();
        let url = format!("/v1/context/shop?content={}", path.replace('/', "%2F"));
        file["content"] = json_of(router, &url).await["content"].clone();
    }
    project
}

async fn plain() -> TestRouter {
    TestRouter::start("").await
}

/// With a project of two files at version 3.
async fn with_a_project() -> TestRouter {
    let router = plain().await;
    taken(&router, &delta(0, 3, &[add("src/a.rs", "one\n"), add("b", "two\n")])).await;
    router
}

#[tokio::test]
async fn a_project_is_sent_changed_shown_and_deleted() {
    let router = plain().await;
    let first = delta(0, 3, &[add("src/a.rs", "one\ntwo\n"), add("c", "three\n")]);
    let told = taken(&router, &first).await;
    assert_eq!(told["project"], "shop");
    assert_eq!((&told["version"], &told["files_total"]), (&json!(3), &json!(2)));
    assert!(told["tokens"].as_u64().unwrap() > 0);
    let second = [
        modify("src/a.rs", "one\ntwo\n", "one\n2\n"),
        add("d e/ä.txt", "four\n"),
        delete("c", "three\n"),
    ];
    taken(&router, &delta(3, 4, &second)).await;
    let project = copy(&router).await;
    assert_eq!((&project["version"], &project["root"]), (&json!(4), &json!("/work/shop")));
    let files: Vec<_> = project["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (&file["path"], &file["content"]))
        .collect();
    assert_eq!(
        files,
        [(&json!("d e/ä.txt"), &json!("four\n")), (&json!("src/a.rs"), &json!("one\n2\n"))]
    );
    let stats = json_of(&router, "/v1/context/stats").await;
    assert_eq!((&stats["projects_total"], &stats["files_total"]), (&json!(1), &json!(2)));
    assert_eq!(stats["projects"][0]["project"], "shop");
    let answer = router.http.delete(format!("{}/v1/context/shop", router.base)).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    refused(router.get("/v1/context/shop").await, 404, "project_not_found").await;
    assert_eq!(json_of(&router, "/context/stats").await["projects_total"], 0);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_restart_and_a_repeated_message_changes_nothing() {
    let router = with_a_project().await;
    let next = delta(3, 4, &[modify("b", "two\n", "2\n")]);
    let told = taken(&router, &next).await;
    let before = copy(&router).await;
    let router = TestRouter::start_in(router.stop().await, "", Arc::new(SystemClock)).await;
    assert_eq!(copy(&router).await, before);
    assert_eq!(taken(&router, &next).await, told, "the answer may have been lost");
    taken(&router, &delta(4, 5, &[delete("b", "2\n")])).await;
    let error = refused(send(&router, &next).await, 409, "context_out_of_sync").await;
    assert_eq!(error["server_version"], 5);
    assert_eq!(json_of(&router, "/v1/context/shop").await["files_total"], 1);
}

#[tokio::test]
async fn a_sync_in_parts_goes_on_with_what_was_acknowledged() {
    let router = with_a_project().await;
    taken(&router, &delta(0, 9, &[add("x", "1")])).await;
    taken(&router, &delta(9, 10, &[add("y", "2")])).await;
    let told = taken(&router, &delta(10, 11, &[add("z", "3")])).await;
    assert_eq!((&told["version"], &told["files_total"]), (&json!(11), &json!(3)));
}

#[rstest]
#[case::up("../../etc/passwd", "`..`")]
#[case::inside("src/../../x", "`..`")]
#[case::absolute("/etc/passwd", "absolute")]
#[case::drive("C:/x", "absolute")]
#[case::backslash("..\\x", "backslash")]
#[case::empty("", "empty")]
#[case::zero("a\u{0}b", "control character")]
#[case::line("a\nb", "control character")]
#[tokio::test]
async fn a_path_that_leaves_the_project_is_a_400(#[case] path: &str, #[case] why: &str) {
    let router = with_a_project().await;
    let before = copy(&router).await;
    for file in [add(path, "x"), modify(path, "x", "y"), delete(path, "x")] {
        let answer = send(&router, &delta(3, 4, &[add("fine", "x"), file])).await;
        let error = refused(answer, 400, "invalid_request").await;
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
    }
    assert_eq!(copy(&router).await, before);
}

#[rstest]
#[case::version_jump(delta(7, 8, &[]))]
#[case::earlier_version(delta(2, 4, &[]))]
#[case::unknown_file(delta(3, 4, &[modify("zzz", "one\n", "1\n")]))]
#[case::other_base(delta(3, 4, &[modify("b", "three\n", "3\n")]))]
#[case::gone_already(delta(3, 4, &[delete("zzz", "two\n")]))]
#[case::wrong_hash(delta(3, 4, &[json!({"path": "n", "op": "add", "hash": hash("a"), "content": "b"})]))]
#[case::wrong_result(delta(3, 4, &[json!({"path": "b", "op": "modify", "base_hash": hash("two\n"),
    "hash": hash("other"), "diff": unified("two\n", "2\n")})]))]
#[case::other_diff(delta(3, 4, &[json!({"path": "b", "op": "modify", "base_hash": hash("two\n"),
    "hash": hash("2\n"), "diff": unified("three\n", "2\n")})]))]
#[case::file_as_directory(delta(3, 4, &[add("b/c", "x")]))]
#[tokio::test]
async fn what_does_not_fit_is_a_409_and_changes_nothing(#[case] body: Value) {
    let router = with_a_project().await;
    let before = copy(&router).await;
    let mut body = body;
    body["files"].as_array_mut().unwrap().insert(0, add("fine", "x"));
    let error = refused(send(&router, &body).await, 409, "context_out_of_sync").await;
    assert_eq!(error["server_version"], 3);
    assert_eq!(copy(&router).await, before);
}

#[rstest]
#[case::twice(delta(3, 4, &[add("a", "x"), delete("a", "x")]), "files[1].path")]
#[case::prefix(delta(3, 4, &[add("n/m", "x"), add("n", "x")]), "files[0].path")]
#[case::backwards(delta(3, 3, &[]), "version")]
#[case::anew_with_a_diff(delta(0, 4, &[modify("b", "two\n", "2\n")]), "files[0].op")]
#[case::no_name(json!({"project": "delta", "base_version": 0, "version": 1, "files": []}), "project")]
#[case::root(json!({"project": "n", "base_version": 0, "version": 1, "root": "..", "files": []}), "root")]
#[tokio::test]
async fn what_is_unsound_is_a_400_that_names_the_place(#[case] body: Value, #[case] param: &str) {
    let router = with_a_project().await;
    let before = copy(&router).await;
    let error = refused(send(&router, &body).await, 400, "invalid_request").await;
    assert_eq!(error["param"], param, "{error}");
    assert_eq!(copy(&router).await, before);
}

#[rstest]
#[case::nothing(b"".as_slice())]
#[case::text(b"hello".as_slice())]
#[case::list(b"[]".as_slice())]
#[case::invalid_utf8(b"{\"project\":\"shop\",\"base_version\":3,\"version\":4,\"files\":[{\"path\":\"b\",\"op\":\"add\",\"hash\":\"00\",\"content\":\"\xff\xfe\"}]}".as_slice())]
#[case::half_a_pair(b"{\"project\":\"\\ud800\",\"base_version\":3,\"version\":4,\"files\":[]}".as_slice())]
#[case::negative(b"{\"project\":\"shop\",\"base_version\":-3,\"version\":4,\"files\":[]}".as_slice())]
#[case::short_hash(b"{\"project\":\"shop\",\"base_version\":3,\"version\":4,\"files\":[{\"path\":\"b\",\"op\":\"delete\",\"base_hash\":\"00\"}]}".as_slice())]
#[case::unknown_op(b"{\"project\":\"shop\",\"base_version\":3,\"version\":4,\"files\":[{\"path\":\"b\",\"op\":\"move\"}]}".as_slice())]
#[tokio::test]
async fn what_is_no_delta_is_a_400(#[case] body: &'static [u8]) {
    let router = with_a_project().await;
    let before = copy(&router).await;
    let url = format!("{}/v1/context/delta", router.base);
    let answer = router.http.post(url).body(body).send().await.unwrap();
    let error = refused(answer, 400, "invalid_request").await;
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert_eq!(copy(&router).await, before);
}

#[tokio::test]
async fn a_diff_of_a_hundred_megabytes_is_a_413() {
    let router = with_a_project().await;
    let mut body = delta(3, 4, &[modify("b", "two\n", "2\n")]);
    body["files"][0]["diff"] = json!(format!("@@ -1 +1 @@\n-two\n+{}\n", "x".repeat(100 << 20)));
    refused(send(&router, &body).await, 413, "request_too_large").await;
    let long = "x".repeat((1 << 20) + 1);
    for file in [add("long", &long), modify("b", "two\n", &long)] {
        let error =
            refused(send(&router, &delta(3, 4, &[file])).await, 413, "request_too_large").await;
        assert!(error["message"].as_str().unwrap().contains("1 MiB"), "{error}");
    }
    assert_eq!(json_of(&router, "/v1/context/shop").await["version"], 3);
}

#[tokio::test]
async fn twenty_thousand_files_are_a_project_and_one_more_is_not() {
    let router = plain().await;
    for part in 0..4_u64 {
        let files: Vec<Value> =
            (0..5_000).map(|n| add(&format!("f/{part}/{n}.txt"), &format!("{n}\n"))).collect();
        taken(&router, &delta(part, part + 1, &files)).await;
    }
    let error = send(&router, &delta(4, 5, &[add("one", "more")])).await;
    refused(error, 413, "request_too_large").await;
    assert_eq!(json_of(&router, "/v1/context/stats").await["files_total"], 20_000);
    let router = TestRouter::start_in(router.stop().await, "", Arc::new(SystemClock)).await;
    let began = SystemClock.instant();
    assert_eq!(json_of(&router, "/v1/context/shop").await["files_total"], 20_000);
    println!("20,000 files from the file: {:?}", began.elapsed());
    let began = SystemClock.instant();
    taken(&router, &delta(4, 5, &[modify("f/0/0.txt", "0\n", "zero\n")])).await;
    println!("a delta beside the loading of their words: {:?}", began.elapsed());
    let began = SystemClock.instant();
    taken(&router, &delta(5, 6, &[modify("f/0/0.txt", "zero\n", "0\n")])).await;
    println!("one more delta: {:?}", began.elapsed());
}

fn keys(dir: &Path, args: &[&str]) -> String {
    let output = Command::new(program())
        .args([&["keys", "create"], args].concat())
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn a_key_writes_and_reads_only_what_was_written_with_it() {
    let toml = "[server]\ndata_dir = \"data\"\nmaster_key = \"the-master-key-of-this-test\"\n";
    let router = TestRouter::start(toml).await;
    let (ada, bob) =
        (keys(router.dir.path(), &["--name", "ada"]), keys(router.dir.path(), &["--name", "bob"]));
    let bound = keys(router.dir.path(), &["--name", "cy", "--projects", "cafe"]);
    let first = delta(0, 1, &[add("a", "one\n")]);
    let post = async |key: &str, body: &Value| {
        router.post("/v1/context/delta", body).bearer_auth(key).send().await.unwrap()
    };
    let get = async |key: &str, path: &str| {
        let url = format!("{}/v1/context/{path}", router.base);
        router.http.get(url).bearer_auth(key).send().await.unwrap()
    };
    refused(send(&router, &first).await, 401, "invalid_api_key").await;
    assert_eq!(post(&ada, &first).await.status(), 200);
    refused(post(&bob, &delta(1, 2, &[])).await, 403, "project_not_allowed").await;
    refused(post(&bob, &delta(0, 2, &[])).await, 403, "project_not_allowed").await;
    refused(post(&bound, &delta(0, 2, &[])).await, 403, "project_not_allowed").await;
    refused(get(&bob, "shop").await, 404, "project_not_found").await;
    let url = format!("{}/v1/context/shop", router.base);
    let answer = router.http.delete(url).bearer_auth(&bob).send().await.unwrap();
    refused(answer, 404, "project_not_found").await;
    let mut cafe = first.clone();
    cafe["project"] = json!("cafe");
    assert_eq!(post(&bound, &cafe).await.status(), 200);
    for (key, total) in
        [(ada.as_str(), 1), (&bob, 0), (&bound, 1), ("the-master-key-of-this-test", 2)]
    {
        let stats: Value = get(key, "stats").await.json().await.unwrap();
        assert_eq!(stats["projects_total"], total, "{stats}");
    }
    assert_eq!(get(&ada, "shop").await.status(), 200);
    assert_eq!(get("the-master-key-of-this-test", "shop").await.status(), 200);
    assert_eq!(post("the-master-key-of-this-test", &delta(1, 2, &[])).await.status(), 200);
    assert_eq!(post(&ada, &delta(2, 3, &[])).await.status(), 200, "it stays the key's own");
}

async fn connect(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(dir.join("data/context.sqlite"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

fn chat() -> Value {
    json!({"model": "up/solid", "messages": [{"role": "user", "content": "hi"}]})
}

async fn context_error(router: &TestRouter) -> Value {
    let health = json_of(router, "/health/detailed").await;
    let degraded = health["status"] == "degraded";
    assert_eq!(degraded, health["context"]["error"].is_string(), "{health}");
    health["context"]["error"].clone()
}

#[tokio::test]
async fn a_locked_file_is_said_waited_for_and_no_request_suffers() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    taken(&router, &delta(0, 1, &[add("a", "one\n")])).await;
    let mut other = connect(router.dir.path()).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let next = delta(1, 2, &[modify("a", "one\n", "1\n")]);
    let answer = send(&router, &next).await;
    assert!(answer.headers().contains_key("retry-after"));
    let error = refused(answer, 503, "context_unavailable").await;
    assert!(error["message"].as_str().unwrap().contains("locked"), "{error}");
    assert!(context_error(&router).await.as_str().unwrap().contains("locked"));
    assert_eq!(router.chat(&chat()).await.status(), 200);
    other.execute("ROLLBACK").await.unwrap();
    eventually(async || context_error(&router).await.is_null()).await;
    assert_eq!(taken(&router, &next).await["version"], 2);
}

#[tokio::test]
async fn a_damaged_file_is_left_alone_until_it_is_moved_away() {
    let upstream = Upstream::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data/context.sqlite");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let garbage = "not a database, and long enough to be sure of it ".repeat(100);
    std::fs::write(&file, &garbage).unwrap();
    let router = TestRouter::start_in(dir, &one_provider(&upstream), Arc::new(SystemClock)).await;
    assert!(context_error(&router).await.as_str().unwrap().contains("damaged"));
    let first = delta(0, 1, &[add("a", "one\n")]);
    refused(send(&router, &first).await, 503, "context_unavailable").await;
    refused(send(&router, &delta(4, 5, &[])).await, 503, "context_unavailable").await;
    refused(router.get("/v1/context/shop").await, 503, "context_unavailable").await;
    assert_eq!(router.chat(&chat()).await.status(), 200);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), garbage);
    std::fs::rename(&file, file.with_extension("broken")).unwrap();
    eventually(async || send(&router, &first).await.status() == 200).await;
    assert!(context_error(&router).await.is_null());
}

#[tokio::test]
async fn on_a_full_disk_the_copy_stays_as_it_was_until_there_is_room() {
    let upstream = Upstream::start().await;
    let dir = tempfile::tempdir().unwrap();
    let toml = serving(&one_provider(&upstream));
    std::fs::write(dir.path().join("edge-router.toml"), toml).unwrap();
    let Some((router, disk)) = on_a_small_disk(dir.path()).await else { return };
    let post = async |body: &Value| {
        let url = format!("{}/v1/context/delta", router.base);
        router.http.post(url).json(body).send().await.unwrap()
    };
    let get = async |path: &str| -> Value {
        let url = format!("{}{path}", router.base);
        router.http.get(url).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(post(&delta(0, 3, &[add("a", "one\n")])).await.status(), 200);
    let junk = disk.join("data/junk");
    let mut file = std::fs::File::create(&junk).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
    let large = delta(3, 4, &[add("large", &"a line of a large file\n".repeat(10_000))]);
    let error = refused(post(&large).await, 503, "context_unavailable").await;
    assert!(error["message"].as_str().unwrap().contains("full"), "{error}");
    let project = get("/v1/context/shop").await;
    assert_eq!((&project["version"], &project["files_total"]), (&json!(3), &json!(1)));
    assert!(get("/health/detailed").await["context"]["error"].is_string());
    std::fs::remove_file(&junk).unwrap();
    drop(file);
    eventually(async || post(&large).await.status() == 200).await;
    assert_eq!(get("/v1/context/shop").await["files_total"], 2);
    assert!(get("/health/detailed").await["context"]["error"].is_null());
    router.stop().await;
}
