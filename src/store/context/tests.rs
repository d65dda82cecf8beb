use super::*;

const KEEP: Keep = Keep { versions_per_file: 2, bytes_per_project: 100 };

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn project(version: i64) -> ProjectRow {
    ProjectRow {
        name: "shop".to_owned(),
        owner: "key_1".to_owned(),
        root: None,
        version,
        files: 1,
        bytes: 1,
        tokens: 1,
        changed_at: version * 10,
        messages: vec![1, 2],
    }
}

/// The file `a` gets this text, and had that one.
fn commit(version: i64, text: &str, had: Option<&str>) -> Commit {
    let file = FileRow {
        path: "a".to_owned(),
        hash: hash(text),
        bytes: 1,
        tokens: 1,
        version,
        changed_at: version,
    };
    let was = |had: &str| OlderRow {
        path: "a".to_owned(),
        hash: hash(had),
        bytes: i64::try_from(had.len()).unwrap(),
    };
    Commit {
        project: project(version),
        before: had.map(|_| version - 1),
        put: vec![file],
        gone: Vec::new(),
        texts: vec![(hash(text), text.into())],
        older: had.map(was).into_iter().collect(),
        keep: KEEP,
    }
}

fn block(conversation: u8, message: u8, frozen_at: i64) -> BlockRow {
    BlockRow {
        conversation: vec![conversation],
        message: vec![message],
        occurrence: 0,
        text: "t".repeat(10),
        tokens: 1,
        project: "shop".to_owned(),
        shown: "[]".to_owned(),
        frozen_at,
    }
}

struct Files {
    _dir: tempfile::TempDir,
    writer: ContextWriter,
    reader: ContextReader,
}

async fn files() -> Files {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.sqlite");
    let writer = ContextWriter::open(&path).await.unwrap();
    Files { _dir: dir, writer, reader: ContextReader::new(&path) }
}

impl Files {
    async fn texts(&self, texts: &[&str]) -> Vec<bool> {
        let hashes: Vec<_> = texts.iter().map(|text| hash(text)).collect();
        let found = self.reader.texts("shop", &hashes).await.unwrap();
        hashes.iter().map(|hash| found.iter().any(|(found, _)| found == hash)).collect()
    }

    async fn messages(&self, conversation: u8) -> Vec<u8> {
        let rows = self.reader.blocks(&[conversation]).await.unwrap();
        rows.iter().map(|row| row.message[0]).collect()
    }
}

#[tokio::test]
async fn a_commit_from_another_version_changes_nothing() {
    let mut files = files().await;
    let done = |result: Result<Committed, FileError>| result.unwrap();
    assert_eq!(done(files.writer.commit(&commit(1, "one", None)).await), Committed::Done);
    assert_eq!(done(files.writer.commit(&commit(1, "two", None)).await), Committed::Stale);
    assert_eq!(done(files.writer.commit(&commit(3, "two", Some("one"))).await), Committed::Stale);
    let (row, kept) = files.reader.project("shop").await.unwrap().unwrap();
    assert_eq!((row, kept.len(), kept[0].hash.clone()), (project(1), 1, hash("one")));
    assert_eq!(files.texts(&["one", "two"]).await, [true, false]);
    assert_eq!(files.reader.project("bar").await.unwrap(), None);
}

#[tokio::test]
async fn older_texts_go_by_number_and_by_size_but_not_while_something_has_them() {
    let mut files = files().await;
    let long = "x".repeat(90);
    let texts = ["one", "two", "three", "four", "one", &long, "six"];
    let mut seen = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let had = n.checked_sub(1).map(|n| texts[n]);
        let version = i64::try_from(n).unwrap() + 1;
        let _ = files.writer.commit(&commit(version, text, had)).await.unwrap();
        seen.push(files.texts(&["one", "two", "three", "four", &long]).await);
    }
    assert_eq!(seen[2], [true, true, true, false, false]);
    assert_eq!(seen[3], [false, true, true, true, false], "two before the present one");
    assert_eq!(seen[4], [true, false, true, true, false]);
    assert_eq!(seen[6], [true, false, false, false, true], "100 bytes of older ones");
}

#[tokio::test]
async fn what_nobody_adds_to_is_forgotten() {
    let mut files = files().await;
    let _ = files.writer.commit(&commit(1, "one", None)).await.unwrap();
    let _ = files.writer.commit(&commit(2, "two", Some("one"))).await.unwrap();
    let rows = [block(1, 1, 5), block(2, 2, 5), block(2, 3, 50), block(2, 3, 60)];
    files.writer.freeze(&rows).await.unwrap();
    files.writer.sweep(15, 1_000).await.unwrap();
    assert_eq!((files.messages(1).await, files.messages(2).await), (vec![], vec![2, 3]));
    assert_eq!(files.texts(&["one", "two"]).await, [true, true]);
    files.writer.sweep(25, 1_000).await.unwrap();
    assert_eq!(files.texts(&["one", "two"]).await, [false, true]);
    files.writer.sweep(25, 12).await.unwrap();
    assert_eq!(files.messages(2).await, [3], "the oldest goes first");
}

#[tokio::test]
async fn a_removed_project_takes_its_blocks_along_and_gets_no_new_ones() {
    let mut files = files().await;
    let _ = files.writer.commit(&commit(1, "one", None)).await.unwrap();
    files.writer.freeze(&[block(1, 1, 5)]).await.unwrap();
    assert!(files.writer.remove("shop").await.unwrap());
    assert!(!files.writer.remove("shop").await.unwrap());
    files.writer.freeze(&[block(1, 2, 5)]).await.unwrap();
    assert!(files.messages(1).await.is_empty());
    assert_eq!(files.reader.kept().await.unwrap(), Kept::default());
    assert_eq!(files.texts(&["one"]).await, [false]);
}
