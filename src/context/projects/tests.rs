use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::context::Shown;
use crate::delta::{self, Acknowledged, Change, Delta, FileChange, ProjectPath};

type Directory = BTreeMap<String, String>;

fn me() -> Reader {
    Reader { key: KeyId::LOCAL.into(), admin: true, allowed: None }
}

fn client(key: &str) -> Reader {
    Reader { key: key.into(), admin: false, allowed: None }
}

fn hash(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

async fn open(dir: &Path) -> Projects {
    open_at(dir, Arc::new(SystemClock)).await
}

async fn open_at(dir: &Path, clock: Arc<dyn Clock>) -> Projects {
    Projects::open(&dir.join("context.sqlite"), clock, &TaskTracker::new()).await
}

fn delta_of(project: &str, base_version: u64, version: u64, files: Vec<FileChange>) -> Delta {
    let root = Some(format!("/work/{project}"));
    Delta { project: project.to_owned(), base_version, version, root, files }
}

/// From one directory to another; from none: all of it.
fn between(old: &Directory, new: &Directory) -> Vec<FileChange> {
    let path = |text: &str| ProjectPath::parse(text).unwrap();
    let gone = old.iter().filter(|(at, _)| !new.contains_key(*at));
    let delete = |(at, text): (&String, &String)| FileChange {
        path: path(at),
        change: Change::Delete { base_hash: hash(text) },
    };
    let mut files: Vec<_> = gone.map(delete).collect();
    files.extend(new.iter().filter(|(at, text)| old.get(*at) != Some(text)).map(|(at, text)| {
        let change = match old.get(at) {
            Some(was) => Change::Modify {
                base_hash: hash(was),
                hash: hash(text),
                diff: delta::unified(was, text),
            },
            None => Change::Add { hash: hash(text), content: text.clone() },
        };
        FileChange { path: path(at), change }
    }));
    files
}

fn directory(files: &[(&str, &str)]) -> Directory {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn now() -> Instant {
    SystemClock.instant()
}

/// Sends a directory as it is now, all of it.
async fn send(projects: &Projects, name: &str, version: u64, files: &[(&str, &str)]) {
    let delta = delta_of(name, 0, version, between(&Directory::new(), &directory(files)));
    projects.apply(delta, me(), now()).await.unwrap();
}

async fn copy(projects: &Projects, name: &str) -> Directory {
    let project = projects.inspect(name, &me()).await.unwrap();
    let hashes: Vec<_> = project.files.values().map(|entry| entry.hash).collect();
    let texts = projects.texts(name, &hashes).await;
    let text = |entry: &super::super::FileEntry| texts[&entry.hash].as_ref().to_owned();
    project.files.iter().map(|(path, entry)| (path.to_string(), text(entry))).collect()
}

fn block(project: &str, message: u8, text: &str) -> Block {
    let path = ProjectPath::parse("a").unwrap();
    let shown = Shown { hash: Some(hash("one")), whole: true };
    Block {
        message: [message; 16],
        occurrence: 0,
        text: text.into(),
        tokens: 3,
        project: project.into(),
        shown: BTreeMap::from([(path, shown)]),
    }
}

#[tokio::test]
async fn nothing_is_made_before_there_is_a_project() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    assert!(projects.is_empty());
    assert!(projects.blocks([1; 16]).await.is_empty());
    assert!(projects.choose(&me(), Some("shop"), |_| true).await.is_none());
    projects.close().await;
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    send(&projects, "shop", 3, &[("a", "one\n"), ("b/c", "two\n")]).await;
    let before = projects.inspect("shop", &me()).await.unwrap();
    projects.close().await;
    let projects = open(dir.path()).await;
    assert!(!projects.is_empty());
    let after = projects.inspect("shop", &me()).await.unwrap();
    assert_eq!((after.version, &after.root), (3, &Some("/work/shop".into())));
    assert_eq!(after.files, before.files);
    assert_eq!(copy(&projects, "shop").await, directory(&[("a", "one\n"), ("b/c", "two\n")]));
}

#[tokio::test]
async fn a_repeated_message_is_acknowledged_again_and_an_older_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    let (one, two) = (directory(&[("a", "1\n")]), directory(&[("a", "2\n"), ("b", "b")]));
    let first = delta_of("shop", 0, 1, between(&Directory::new(), &one));
    let second = delta_of("shop", 1, 2, between(&one, &two));
    projects.apply(first.clone(), me(), now()).await.unwrap();
    let told = projects.apply(second.clone(), me(), now()).await.unwrap();
    assert_eq!((told.version, told.files_total), (2, 2));
    assert_eq!(projects.apply(second.clone(), me(), now()).await, Ok(told.clone()));
    projects.close().await;
    let projects = open(dir.path()).await;
    assert_eq!(projects.apply(second, me(), now()).await, Ok(told));
    let error = projects.apply(first, me(), now()).await.unwrap_err();
    assert!(matches!(error, DeltaError::OutOfSync { server_version: 2, .. }), "{error:?}");
    assert_eq!(copy(&projects, "shop").await, two);
}

#[tokio::test]
async fn a_message_that_came_before_the_last_one_does_not_undo_it() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    let given_up = now();
    send(&projects, "shop", 5, &[("a", "new\n")]).await;
    let late = delta_of("shop", 0, 5, between(&Directory::new(), &directory(&[("a", "old\n")])));
    let error = projects.apply(late, me(), given_up).await.unwrap_err();
    assert!(matches!(error, DeltaError::OutOfSync { server_version: 5, .. }), "{error:?}");
    assert_eq!(copy(&projects, "shop").await, directory(&[("a", "new\n")]));
}

#[tokio::test]
async fn two_routers_over_one_file_find_out_about_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (open(dir.path()).await, open(dir.path()).await);
    let two = directory(&[("a", "2\n")]);
    send(&old, "shop", 1, &[("a", "1\n")]).await;
    // It was opened when there was no file.
    send(&new, "shop", 2, &[("a", "2\n")]).await;
    let three = directory(&[("a", "3\n")]);
    let next = delta_of("shop", 2, 3, between(&two, &three));
    assert_eq!(old.apply(next, me(), now()).await.unwrap().version, 3);
    assert_eq!(copy(&old, "shop").await, three);
    let four = directory(&[("a", "4\n")]);
    let next = delta_of("shop", 3, 4, between(&three, &four));
    assert_eq!(new.apply(next, me(), now()).await.unwrap().version, 4);
    assert_eq!(copy(&new, "shop").await, four);
}

#[tokio::test]
async fn a_key_has_what_it_wrote_first() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    let all = between(&Directory::new(), &directory(&[("a", "1\n")]));
    projects.apply(delta_of("shop", 0, 1, all.clone()), client("key_1"), now()).await.unwrap();
    let foreign = projects.apply(delta_of("shop", 0, 2, all.clone()), client("key_2"), now()).await;
    assert!(matches!(foreign, Err(DeltaError::NotAllowed { .. })), "{foreign:?}");
    let bound = Reader { allowed: Some(vec!["cafe".to_owned()]), ..client("key_1") };
    let outside = projects.apply(delta_of("bar", 0, 1, all), bound.clone(), now()).await;
    assert!(matches!(outside, Err(DeltaError::NotAllowed { .. })), "{outside:?}");
    for (reader, has) in
        [(client("key_1"), true), (client("key_2"), false), (bound, false), (me(), true)]
    {
        assert_eq!(projects.get("shop", &reader).await.is_some(), has, "{reader:?}");
        assert_eq!(projects.list(&reader).len(), usize::from(has), "{reader:?}");
        assert_eq!(projects.inspect("shop", &reader).await.is_ok(), has, "{reader:?}");
        let chosen = projects.choose(&reader, None, |_| true).await;
        assert_eq!(chosen.is_some(), has, "{reader:?}");
    }
    assert_eq!(projects.remove("shop", &client("key_2")).await, Err(DeltaError::Unknown));
    assert_eq!(projects.remove("shop", &client("key_1")).await, Ok(()));
    assert!(projects.is_empty());
}

#[tokio::test]
async fn the_project_of_a_request_is_the_one_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    send(&projects, "shop", 1, &[("a", "1\n")]).await;
    let chosen = async |asked: Option<&str>, text: &str| {
        let project = projects.choose(&me(), asked, |root| text.contains(root)).await;
        project.map(|project| project.name.to_string())
    };
    assert_eq!(chosen(None, "").await.as_deref(), Some("shop"), "the only one");
    assert_eq!(chosen(Some("bar"), "/work/shop").await, None);
    send(&projects, "shop-two", 1, &[("a", "1\n")]).await;
    assert_eq!(chosen(None, "").await, None);
    assert_eq!(chosen(None, "in /work/shop/src").await.as_deref(), Some("shop"));
    assert_eq!(chosen(None, "in /work/shop-two/src").await.as_deref(), Some("shop-two"));
    assert_eq!(chosen(Some("shop"), "/work/shop-two").await.as_deref(), Some("shop"));
}

#[tokio::test]
async fn older_texts_are_kept_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    for n in 0..12 {
        send(&projects, "shop", n + 1, &[("a", &format!("version {n}\n")), ("b", "same")]).await;
    }
    projects.close().await;
    let projects = open(dir.path()).await;
    let hashes: Vec<_> = (0..12).map(|n| hash(&format!("version {n}\n"))).collect();
    let kept = projects.texts("shop", &hashes).await;
    let kept: Vec<bool> = hashes.iter().map(|hash| kept.contains_key(hash)).collect();
    let wanted: Vec<bool> = (0..12).map(|n| n >= 3).collect();
    assert_eq!(kept, wanted, "the present one and eight before it");
    assert!(projects.texts("bar", &hashes[11..]).await.len() <= 1);
}

#[tokio::test]
async fn blocks_come_back_in_their_order_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    send(&projects, "shop", 1, &[("a", "one")]).await;
    for (message, text) in [(2, "first"), (1, "second"), (4, "after"), (1, "anew")] {
        projects.freeze([7; 16], block("shop", message, text));
    }
    let wanted = [block("shop", 2, "first"), block("shop", 1, "anew")];
    assert_eq!(*projects.blocks([7; 16]).await, wanted);
    projects.close().await;
    let projects = open(dir.path()).await;
    projects.freeze([7; 16], block("shop", 3, "third"));
    let all = projects.blocks([7; 16]).await;
    assert_eq!((&all[..2], all.len()), (&wanted[..], 3));
    assert!(projects.blocks([8; 16]).await.is_empty());
}

#[tokio::test]
async fn a_removed_project_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let projects = open(dir.path()).await;
    send(&projects, "shop", 1, &[("a", "a secret of the shop")]).await;
    send(&projects, "shop", 2, &[("a", "another secret of the shop")]).await;
    send(&projects, "cafe", 1, &[("a", "one")]).await;
    projects.freeze([7; 16], block("shop", 1, "a secret of the shop"));
    projects.freeze([8; 16], block("cafe", 1, "of the cafe"));
    projects.remove("shop", &me()).await.unwrap();
    assert_eq!(projects.remove("shop", &me()).await, Err(DeltaError::Unknown));
    assert!(projects.blocks([7; 16]).await.is_empty());
    projects.close().await;
    let projects = open(dir.path()).await;
    assert!(projects.get("shop", &me()).await.is_none());
    assert!(projects.blocks([7; 16]).await.is_empty());
    assert_eq!(projects.blocks([8; 16]).await.len(), 1);
    assert!(projects.texts("shop", &[hash("a secret of the shop")]).await.is_empty());
    send(&projects, "shop", 1, &[("b", "two")]).await;
    assert_eq!(copy(&projects, "shop").await, directory(&[("b", "two")]));
}

#[tokio::test]
async fn idle_projects_leave_memory_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at("2026-11-01T00:00:00Z".parse().unwrap()));
    let projects = open_at(dir.path(), clock.clone()).await;
    send(&projects, "shop", 1, &[("a", "one")]).await;
    projects.shared.evict();
    assert!(projects.shared.slot("shop").unwrap().project.load().is_some());
    clock.advance(Duration::from_secs(3600));
    projects.shared.evict();
    assert!(projects.shared.slot("shop").unwrap().project.load().is_none());
    assert_eq!(projects.get("shop", &me()).await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn a_project_is_not_given_between_the_parts_of_a_resync() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at("2026-11-01T00:00:00Z".parse().unwrap()));
    let projects = open_at(dir.path(), clock.clone()).await;
    let large = "a line of a large file\n".repeat(30_000);
    let parts = [directory(&[("a", &large), ("b", &large)]), directory(&[("c", &large)])];
    let whole: Directory = parts.iter().flatten().map(|(a, b)| (a.clone(), b.clone())).collect();
    let apply = async |base, version, files: Vec<FileChange>| {
        let delta = delta_of("shop", base, version, files);
        projects.apply(delta, me(), clock.instant()).await.unwrap();
    };
    let given = async || projects.get("shop", &me()).await.map(|project| project.files.len());
    apply(0, 1, between(&Directory::new(), &parts[0])).await;
    assert_eq!(given().await, Some(2), "nothing is missing that was there before");
    apply(1, 2, between(&parts[0], &whole)).await;
    assert_eq!(given().await, Some(3));
    apply(0, 3, between(&Directory::new(), &parts[0])).await;
    assert_eq!(given().await, None, "another part may come");
    clock.advance(Duration::from_secs(1));
    apply(3, 4, between(&parts[0], &whole)).await;
    assert_eq!(given().await, None);
    clock.advance(Duration::from_secs(2));
    assert_eq!(given().await, Some(3));
    apply(0, 5, between(&Directory::new(), &directory(&[("a", "small")]))).await;
    assert_eq!(given().await, Some(1), "this is all there is");
}

/// What happens between a watcher and its server.
#[derive(Clone, Debug)]
enum Event {
    Write(usize, String),
    Delete(usize),
    Rename(usize, usize),
    /// A message is sent and answered.
    Sync,
    /// A message does not arrive.
    Lost,
    /// It arrives, and the answer does not.
    Unanswered,
    /// The answer comes twice, since the message was sent twice.
    Twice,
    /// Any earlier message comes again.
    Again(prop::sample::Index),
    Restart,
    /// The watcher has lost its state.
    Forget,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..PATHS.len(), "[ab]{0,2}\n([cd]\n){0,4}").prop_map(|(at, text)| Event::Write(at, text)),
        2 => (0..PATHS.len()).prop_map(Event::Delete),
        2 => (0..PATHS.len(), 0..PATHS.len()).prop_map(|(a, b)| Event::Rename(a, b)),
        4 => Just(Event::Sync),
        1 => Just(Event::Lost),
        1 => Just(Event::Unanswered),
        1 => Just(Event::Twice),
        2 => any::<prop::sample::Index>().prop_map(Event::Again),
        1 => Just(Event::Restart),
        1 => Just(Event::Forget),
    ]
}

const PATHS: [&str; 5] = ["a", "b", "d/a", "d/b", "a-b"];

/// A watcher as simple as can be, and the server that it tells.
struct World {
    dir: tempfile::TempDir,
    projects: Projects,
    directory: Directory,
    /// As the watcher has been told; version 0: nothing.
    acknowledged: (u64, Directory),
    /// What the server has taken in.
    taken: Vec<Delta>,
}

impl World {
    fn message(&self, base: u64, version: u64, from: &Directory) -> Delta {
        delta_of("shop", base, version, between(from, &self.directory))
    }

    async fn deliver(&mut self, delta: Delta) -> Result<Acknowledged, DeltaError> {
        let answer = self.projects.apply(delta.clone(), me(), now()).await;
        if answer.is_ok() {
            self.taken.push(delta);
        }
        answer
    }

    fn next(&self) -> Delta {
        let (base, known) = &self.acknowledged;
        self.message(*base, base + 1, known)
    }

    /// Sends until it is acknowledged, all anew where the server says so.
    async fn sync(&mut self) {
        let answer = match self.deliver(self.next()).await {
            Err(DeltaError::OutOfSync { server_version, .. }) => {
                let anew = self.message(0, server_version + 1, &Directory::new());
                self.deliver(anew).await.unwrap()
            }
            answer => answer.unwrap(),
        };
        self.acknowledged = (answer.version, self.directory.clone());
        assert_eq!(copy(&self.projects, "shop").await, self.directory);
    }

    async fn happen(&mut self, event: Event) {
        let name = |at: usize| PATHS[at].to_owned();
        match event {
            Event::Write(at, text) => drop(self.directory.insert(name(at), text)),
            Event::Delete(at) => drop(self.directory.remove(&name(at))),
            Event::Rename(from, to) => {
                if let Some(text) = self.directory.remove(&name(from)) {
                    self.directory.insert(name(to), text);
                }
            }
            Event::Sync => self.sync().await,
            Event::Lost => {}
            Event::Unanswered => drop(self.deliver(self.next()).await),
            Event::Twice => {
                self.sync().await;
                let again = self.taken.last().cloned().unwrap();
                assert_eq!(self.deliver(again).await.unwrap().version, self.acknowledged.0);
                assert_eq!(copy(&self.projects, "shop").await, self.directory);
            }
            Event::Again(which) => {
                if self.taken.is_empty() {
                    return;
                }
                let before = copy(&self.projects, "shop").await;
                let delta = which.get(&self.taken).clone();
                drop(self.projects.apply(delta, me(), now()).await);
                assert_eq!(copy(&self.projects, "shop").await, before);
            }
            Event::Restart => {
                self.projects.close().await;
                self.projects = open(self.dir.path()).await;
            }
            Event::Forget => self.acknowledged = (0, Directory::new()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_copy_equals_the_directory_whatever_happens_to_the_messages(
        events in proptest::collection::vec(event(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let projects = open(dir.path()).await;
            let (directory, acknowledged) = (Directory::new(), (0, Directory::new()));
            let mut world = World { dir, projects, directory, acknowledged, taken: Vec::new() };
            for event in events {
                world.happen(event).await;
            }
            world.sync().await;
            world.projects.close().await;
        });
    }
}
