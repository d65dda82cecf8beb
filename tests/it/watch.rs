//! What `edge-watch` tells a strict server of a directory: everything that may be told, nothing else,
//! whatever is lost on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use edge_router::delta::{Change, ProjectPath};
use edge_router::watch::{Changes, Follower, Listener, Options, Retry, Silent, WatchError};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::support::{Mood, ProjectServer};

/// A directory, a place for state, and a server.
pub struct Bench {
    pub dir: TempDir,
    pub state: TempDir,
    pub server: ProjectServer,
}

impl Bench {
    pub async fn new(files: &[(&str, &str)]) -> Self {
        let bench = Self {
            dir: tempfile::tempdir().unwrap(),
            state: tempfile::tempdir().unwrap(),
            server: ProjectServer::start().await,
        };
        files.iter().for_each(|(name, text)| bench.write(name, text));
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn options(&self) -> Options {
        Options {
            root: self.dir.path().to_owned(),
            project: Some("shop".into()),
            server: self.server.base.parse().unwrap(),
            key: None,
            state: Some(self.state.path().to_owned()),
            retry: Retry {
                first: Duration::from_millis(1),
                longest: Duration::from_millis(5),
                most: Some(50),
            },
        }
    }

    pub fn follower(&self) -> Result<Follower, WatchError> {
        Follower::open(self.options(), Handle::current(), CancellationToken::new(), &mut Silent)
    }

    /// One sync of everything by a process of its own.
    async fn sync(&self) -> Result<(), WatchError> {
        self.sync_telling(Silent).await.map(|_| ())
    }

    async fn sync_telling<L: Listener + Send + 'static>(
        &self,
        mut listener: L,
    ) -> Result<L, WatchError> {
        let options = self.options();
        let handle = Handle::current();
        let work = move || {
            let stop = CancellationToken::new();
            let mut follower = Follower::open(options, handle, stop, &mut listener)?;
            follower.sync(Changes::All, &mut listener)?;
            Ok(listener)
        };
        tokio::task::spawn_blocking(work).await.unwrap()
    }
}

/// Remembers what stayed here.
#[derive(Default)]
struct Withheld(Vec<(String, String)>);

impl Listener for Withheld {
    fn withheld(&mut self, path: &str, why: &str) {
        self.0.push((path.into(), why.into()));
    }
}

fn lines(changed: usize) -> String {
    (0..200).map(|n| format!("line {n}{}\n", if n < changed { " changed" } else { "" })).collect()
}

fn operations(server: &ProjectServer) -> Vec<(String, &'static str)> {
    let name = |change: &Change| match change {
        Change::Add { .. } => "add",
        Change::Modify { .. } => "modify",
        Change::Delete { .. } => "delete",
    };
    let deltas = server.deltas();
    deltas
        .iter()
        .flat_map(|delta| &delta.files)
        .map(|file| (file.path.to_string(), name(&file.change)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_told_whole_and_after_that_only_its_changes_also_after_a_restart() {
    let bench = Bench::new(&[("a.txt", &lines(0)), ("b/c.txt", "c\n"), ("empty", "")]).await;
    bench.sync().await.unwrap();
    assert_eq!(bench.server.version(), 1);
    assert_eq!(bench.server.files().len(), 3);
    let first = bench.server.deltas().remove(0);
    assert_eq!((first.project.as_str(), first.base_version), ("shop", 0));
    let root = bench.dir.path().canonicalize().unwrap();
    assert_eq!(first.root.as_deref(), root.to_str());
    // Each sync is a process of its own.
    bench.write("a.txt", &lines(2));
    bench.write("new", "new\n");
    fs::remove_file(bench.path("b/c.txt")).unwrap();
    bench.sync().await.unwrap();
    let told = [("b/c.txt", "delete"), ("a.txt", "modify"), ("new", "add")];
    assert_eq!(operations(&bench.server), told.map(|(path, what)| (path.to_owned(), what)));
    assert_eq!(bench.server.text("a.txt"), Some(lines(2)));
    bench.sync().await.unwrap();
    assert_eq!(operations(&bench.server), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_is_a_file_gone_and_a_file_come() {
    let bench = Bench::new(&[("a", "text\n")]).await;
    bench.sync().await.unwrap();
    operations(&bench.server);
    fs::rename(bench.path("a"), bench.path("b")).unwrap();
    bench.sync().await.unwrap();
    let told = [("a", "delete"), ("b", "add")];
    assert_eq!(operations(&bench.server), told.map(|(path, what)| (path.to_owned(), what)));
}

/// Put together here, so that this file holds none.
fn token() -> String {
    ["ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"].concat()
}

fn private_key() -> String {
    let (begin, end) = (["-----BEGIN ", "PRIVATE KEY-----"], ["-----END ", "PRIVATE KEY-----"]);
    format!(
        "{}\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n{}\n",
        begin.concat(),
        end.concat()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_leaves_the_machine() {
    let bench = Bench::new(&[
        (".env", "DATABASE_PASSWORD=tobacco-kettle-lantern\n"),
        (".env.example", "DATABASE_PASSWORD=\n"),
        ("deploy/id_rsa", "not even a key\n"),
        ("deploy/notes.txt", &format!("The key:\n{}", private_key())),
        ("src/client.rs", &format!("fn call() {{ send(\"{}\") }}\n", token())),
        ("src/main.rs", "fn main() {}\n"),
    ])
    .await;
    let told = bench.sync_telling(Withheld::default()).await.unwrap().0;
    let files: Vec<String> = bench.server.files().into_keys().collect();
    assert_eq!(files, [".env.example", "src/main.rs"]);
    let names: Vec<&str> = told.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(names, [".env", "deploy/id_rsa", "deploy/notes.txt", "src/client.rs"]);
    let received = bench.server.received();
    for secret in ["tobacco", "not even", "MIIEvQ", "ghp_", ".env\"", "id_rsa"] {
        assert!(!received.contains(secret), "{secret}");
    }
    assert!(!format!("{told:?}").contains("ghp_"));
    // Nor is it kept beside.
    for entry in walk(bench.state.path()) {
        let text = String::from_utf8_lossy(&fs::read(&entry).unwrap()).into_owned();
        assert!(!text.contains("ghp_") && !text.contains("MIIEvQ"), "{}", entry.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_gains_a_secret_is_taken_back_and_comes_again_without_it() {
    let bench = Bench::new(&[("src/client.rs", &lines(0))]).await;
    bench.sync().await.unwrap();
    bench.write("src/client.rs", &format!("{}let key = \"{}\";\n", lines(0), token()));
    let told = bench.sync_telling(Withheld::default()).await.unwrap().0;
    assert_eq!(told, [("src/client.rs".to_owned(), "a GitHub token".to_owned())]);
    assert_eq!(bench.server.count(), 0);
    bench.write("src/client.rs", &lines(1));
    bench.sync().await.unwrap();
    assert_eq!(bench.server.text("src/client.rs"), Some(lines(1)));
    assert!(!bench.server.received().contains("ghp_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_named_once_and_not_at_every_look() {
    let bench = Bench::new(&[(".env", "A=1\n"), ("a", "a\n")]).await;
    let mut follower = bench.follower().unwrap();
    let work = move || {
        let mut listener = Withheld::default();
        for _ in 0..3 {
            follower.sync(Changes::All, &mut listener).unwrap();
        }
        listener.0.len()
    };
    assert_eq!(tokio::task::spawn_blocking(work).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_and_is_ignored_now_is_taken_back() {
    let bench = Bench::new(&[("a.log", "a\n"), ("b", "b\n")]).await;
    bench.sync().await.unwrap();
    bench.write(".gitignore", "*.log\n");
    bench.sync().await.unwrap();
    let files: Vec<String> = bench.server.files().into_keys().collect();
    assert_eq!(files, [".gitignore", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_copy_is_told_everything_anew_under_a_higher_version() {
    let bench = Bench::new(&[("a", "a\n"), ("b", "b\n")]).await;
    for text in ["1\n", "2\n"] {
        bench.write("a", text);
        bench.sync().await.unwrap();
    }
    // Nothing has changed here: that the server has forgotten is found out all the same.
    bench.server.will([Mood::Forgets]);
    bench.sync().await.unwrap();
    assert_eq!(bench.server.files().len(), 2);
    let first = bench.server.deltas().remove(0);
    assert_eq!((first.base_version, first.version), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_made_good_by_asking_again_with_the_same_bytes() {
    let bench = Bench::new(&[("a", "a\n")]).await;
    bench.sync().await.unwrap();
    bench.write("a", "b\n");
    bench.server.will([Mood::LosesRequest, Mood::LosesAnswer, Mood::LosesRequest]);
    bench.sync().await.unwrap();
    assert_eq!(bench.server.text("a").as_deref(), Some("b\n"));
    let versions: Vec<u64> = bench.server.deltas().iter().map(|delta| delta.base_version).collect();
    assert_eq!(versions, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_pass_is_told_at_once_and_says_what_to_do() {
    for (status, advice) in [(401, "--key"), (403, "--project"), (404, "--proxy")] {
        let bench = Bench::new(&[("a", "a\n")]).await;
        bench.server.will([Mood::Refuses(status)]);
        let error = bench.sync().await.unwrap_err().to_string();
        assert!(error.contains(advice) && error.contains("because"), "{error}");
        assert_eq!(bench.server.sizes().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_less_is_told_in_smaller_parts() {
    let bench = Bench::new(&[]).await;
    for n in 0..40 {
        bench.write(&format!("{n}.txt"), &format!("{n} {}", "x".repeat(20_000)));
    }
    bench.server.takes_at_most(256 * 1024);
    bench.sync().await.unwrap();
    assert_eq!(bench.server.count(), 40);
    // One file alone is more than it takes.
    let bench = Bench::new(&[("a", &"x".repeat(20_000))]).await;
    bench.server.takes_at_most(10_000);
    let error = bench.sync().await.unwrap_err().to_string();
    assert!(error.contains("too large") && error.contains(".edgeignore"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_changed_files_go_in_parts_of_four_mebibytes() {
    let bench = Bench::new(&[]).await;
    let text = |n: usize, turn: usize| format!("{turn}\n{}", format!("file {n}\n").repeat(200));
    for turn in 0..2 {
        for n in 0..5_000 {
            bench.write(&format!("d{}/f{n}.txt", n % 50), &text(n, turn));
        }
        bench.sync().await.unwrap();
    }
    assert_eq!(bench.server.count(), 5_000);
    assert_eq!(bench.server.text("d7/f7.txt"), Some(text(7, 1)));
    let sizes = bench.server.sizes();
    assert!(sizes.len() > 3 && sizes.iter().all(|size| *size <= 4 << 20), "{sizes:?}");
    // The second time the changes were small.
    assert!(sizes.last().unwrap() < &(2 << 20), "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_send_for_the_same_name_do_not_fight_for_ever() {
    let bench = Bench::new(&[("a", "a\n")]).await;
    bench.server.will([Mood::Refuses(409); 100]);
    let error = bench.sync().await.unwrap_err();
    assert!(matches!(error, WatchError::Contested { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_gone_is_no_empty_one() {
    let bench = Bench::new(&[("d/a", "a\n")]).await;
    let options = Options { root: bench.path("d"), ..bench.options() };
    let mut follower =
        Follower::open(options, Handle::current(), CancellationToken::new(), &mut Silent).unwrap();
    let moved = (bench.path("d"), bench.path("elsewhere"));
    let work = move || {
        follower.sync(Changes::All, &mut Silent).unwrap();
        fs::rename(moved.0, moved.1).unwrap();
        follower.sync(Changes::All, &mut Silent).unwrap_err()
    };
    let error = tokio::task::spawn_blocking(work).await.unwrap();
    assert!(matches!(error, WatchError::Root { .. }), "{error}");
    assert_eq!(bench.server.count(), 1);
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

/// What the server should have of a directory.
fn expected(dir: &Path) -> BTreeMap<String, String> {
    walk(dir)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .filter(|(_, text)| !text.contains("ghp_"))
        .collect()
}

const NAMES: [&str; 7] = ["a", "b", "d", "d/a", "d/b", "d/e/c", "a/x"];

#[derive(Clone, Debug)]
enum Act {
    Write(usize, String),
    Delete(usize),
    Rename(usize, usize),
    Sync,
    SyncAll,
    Restart,
    Server(Mood),
}

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    let text = prop_oneof![
        4 => "([ab]{0,2}\n){0,20}",
        1 => Just(format!("x\n{}\n", token())),
    ];
    let mood = prop_oneof![
        Just(Mood::LosesRequest),
        Just(Mood::LosesAnswer),
        Just(Mood::Forgets),
        Just(Mood::Refuses(409)),
        Just(Mood::Takes),
    ];
    prop_oneof![
        6 => (name(), text).prop_map(|(name, text)| Act::Write(name, text)),
        3 => name().prop_map(Act::Delete),
        2 => (name(), name()).prop_map(|(from, to)| Act::Rename(from, to)),
        5 => Just(Act::Sync),
        1 => Just(Act::SyncAll),
        1 => Just(Act::Restart),
        3 => mood.prop_map(Act::Server),
    ]
}

/// Does what can be done and says which paths it touched.
fn perform(dir: &Path, act: &Act) -> Vec<PathBuf> {
    match act {
        Act::Write(name, text) => {
            let path = dir.join(NAMES[*name]);
            let _ = fs::create_dir_all(path.parent().unwrap());
            let _ = fs::write(path, text);
            // The system tells of a new directory, not of what came into it at once.
            let first = Path::new(NAMES[*name]).iter().next().unwrap();
            vec![first.into()]
        }
        Act::Delete(name) => {
            let path = dir.join(NAMES[*name]);
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            vec![NAMES[*name].into()]
        }
        Act::Rename(from, to) => {
            let _ = fs::rename(dir.join(NAMES[*from]), dir.join(NAMES[*to]));
            vec![NAMES[*from].into(), NAMES[*to].into()]
        }
        Act::Sync | Act::SyncAll | Act::Restart | Act::Server(_) => Vec::new(),
    }
}

fn play(bench: &Bench, acts: &[Act]) {
    let mut follower = bench.follower().unwrap();
    let mut touched = BTreeSet::new();
    let mut begun = false;
    let dir = bench.dir.path();
    for act in acts.iter().chain([&Act::SyncAll]) {
        touched.extend(perform(dir, act));
        match act {
            Act::Restart => {
                drop(follower);
                follower = bench.follower().unwrap();
                begun = false;
            }
            Act::Server(mood) => bench.server.will([*mood]),
            Act::Sync | Act::SyncAll => {
                let changes = if begun && matches!(act, Act::Sync) {
                    Changes::Paths(std::mem::take(&mut touched))
                } else {
                    touched.clear();
                    Changes::All
                };
                begun = true;
                match follower.sync(changes, &mut Silent) {
                    Ok(()) => assert_eq!(bench.server.files(), expected(dir)),
                    Err(WatchError::Contested { .. }) => {
                        bench.server.takes_everything();
                        begun = false;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Act::Write(..) | Act::Delete(_) | Act::Rename(..) => {}
        }
    }
    bench.server.takes_everything();
    follower.sync(Changes::All, &mut Silent).unwrap();
    assert_eq!(bench.server.files(), expected(dir));
    for delta in bench.server.deltas() {
        for file in delta.files {
            assert!(ProjectPath::parse(file.path.as_str()).is_ok());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever is edited, deleted and renamed, whatever is lost or comes twice, whoever restarts:
    /// after each acknowledged sync the server's copy equals the directory.
    #[test]
    fn the_servers_copy_equals_the_directory(acts in proptest::collection::vec(act(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1).enable_all().build().unwrap();
        let bench = runtime.block_on(Bench::new(&[]));
        let _entered = runtime.enter();
        play(&bench, &acts);
    }
}
