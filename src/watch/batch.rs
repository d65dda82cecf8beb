//! One request's worth of changes: what happened to a file between what the server has and what is
//! there now, and the body that tells it. Pure.

use serde::Serialize;

use super::book::{Acknowledgement, Entry};
use crate::delta::{self, Change, ContentHash, FileChange, ProjectPath};

/// Largest body of a request in bytes.
pub(super) const LARGEST: usize = 4 << 20;
/// A diff is sent if it has at most so many hundredths of the file's length.
const DIFF_SHARE: usize = 60;

/// A file's text before and after, as far as it is known.
pub(super) struct Passage<'a> {
    /// The hash of the server's copy, and its text if that is kept.
    pub(super) before: Option<(ContentHash, Option<&'a str>)>,
    pub(super) after: Option<&'a str>,
}

/// What happened; nothing if nothing did.
pub(super) fn change(passage: &Passage<'_>) -> Option<Change> {
    match (&passage.before, passage.after) {
        (None, None) => None,
        (Some((base_hash, _)), None) => Some(Change::Delete { base_hash: *base_hash }),
        (None, Some(text)) => Some(whole(text)),
        (Some((base_hash, base)), Some(text)) => {
            let hash = ContentHash::of(text.as_bytes());
            (hash != *base_hash).then(|| {
                base.and_then(|base| short_diff(base, text)).map_or_else(
                    || whole(text),
                    |diff| Change::Modify { base_hash: *base_hash, hash, diff },
                )
            })
        }
    }
}

fn whole(text: &str) -> Change {
    Change::Add { hash: ContentHash::of(text.as_bytes()), content: text.to_owned() }
}

fn short_diff(base: &str, text: &str) -> Option<String> {
    let diff = delta::unified(base, text);
    let short = diff.len() * 100 <= text.len() * DIFF_SHARE;
    // The server refuses a whole batch for one diff that leads elsewhere.
    (short && delta::apply(base, &diff).is_ok_and(|result| result == text)).then_some(diff)
}

/// How many files a batch adds (or tells anew as a whole), changes and deletes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub added: usize,
    pub modified: usize,
    pub deleted: usize,
}

impl Counts {
    pub fn all(&self) -> usize {
        self.added + self.modified + self.deleted
    }
}

/// The versions that a batch leads from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) base: u64,
    pub(super) version: u64,
}

/// A change as it stands in a body.
pub(super) struct Piece(Vec<u8>);

impl Piece {
    /// Nothing, if it cannot be written as JSON.
    pub(super) fn new(path: &ProjectPath, change: Change) -> Option<Self> {
        serde_json::to_vec(&FileChange { path: path.clone(), change }).ok().map(Self)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A request that grows up to its limit.
pub(super) struct Batch {
    pub(super) step: Step,
    body: Vec<u8>,
    files: Vec<(ProjectPath, Option<Entry>)>,
    counts: Counts,
}

/// The end of a body.
const END: &[u8] = b"]}";

#[derive(Serialize)]
struct Head<'a> {
    project: &'a str,
    base_version: u64,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<&'a str>,
    files: [(); 0],
}

impl Batch {
    /// `root` is told with the first batch of a project.
    pub(super) fn new(project: &str, step: Step, root: &str) -> Self {
        let head = Head {
            project,
            base_version: step.base,
            version: step.version,
            root: (step.base == 0).then_some(root),
            files: [],
        };
        let mut body = serde_json::to_vec(&head).unwrap_or_default();
        body.truncate(body.len().saturating_sub(END.len()));
        Self { step, body, files: Vec::new(), counts: Counts::default() }
    }

    /// Whether a piece fits below a limit in bytes; the first one always does.
    pub(super) fn takes(&self, piece: &Piece, limit: usize) -> bool {
        self.files.is_empty() || self.body.len() + piece.len() + 1 + END.len() <= limit
    }

    /// `now` is the file as the server will have it.
    pub(super) fn add(
        &mut self,
        path: ProjectPath,
        (piece, kind): (&Piece, Kind),
        now: Option<Entry>,
    ) {
        if !self.files.is_empty() {
            self.body.push(b',');
        }
        self.body.extend_from_slice(&piece.0);
        match kind {
            Kind::Added => self.counts.added += 1,
            Kind::Modified => self.counts.modified += 1,
            Kind::Deleted => self.counts.deleted += 1,
        }
        self.files.push((path, now));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &ProjectPath> {
        self.files.iter().map(|(path, _)| path)
    }

    /// The body to send, and what it means once it is acknowledged.
    pub(super) fn finish(mut self) -> (Vec<u8>, Acknowledgement) {
        self.body.extend_from_slice(END);
        let Step { base, version } = self.step;
        (self.body, Acknowledgement { version, whole: base == 0, files: self.files })
    }
}

/// What a change does to the number of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// New, or told anew as a whole.
    Added,
    Modified,
    Deleted,
}

impl Kind {
    pub(super) fn of(change: &Change) -> Self {
        match change {
            Change::Add { .. } => Self::Added,
            Change::Modify { .. } => Self::Modified,
            Change::Delete { .. } => Self::Deleted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::Delta;
    use proptest::prelude::*;

    fn between(before: Option<&str>, after: Option<&str>) -> Option<Change> {
        let before = before.map(|text| (ContentHash::of(text.as_bytes()), Some(text)));
        change(&Passage { before, after })
    }

    fn lines(changed: usize) -> String {
        (0..100)
            .map(|n| format!("line {n}{}\n", if n < changed { " changed" } else { "" }))
            .collect()
    }

    #[test]
    fn a_small_change_is_told_as_a_diff_and_a_large_one_as_the_whole_file() {
        let kind = |changed| between(Some(&lines(0)), Some(&lines(changed))).as_ref().map(Kind::of);
        assert_eq!(kind(0), None);
        assert_eq!(kind(3), Some(Kind::Modified));
        assert_eq!(kind(90), Some(Kind::Added));
    }

    #[test]
    fn a_text_that_is_not_kept_is_told_whole() {
        let before = Some((ContentHash::of(b"old"), None));
        let after = lines(0);
        let change = change(&Passage { before, after: Some(&after) });
        assert_eq!(change.as_ref().map(Kind::of), Some(Kind::Added));
    }

    #[test]
    fn a_body_is_a_delta() {
        let path = |text| ProjectPath::parse(text).unwrap();
        let mut batch = Batch::new("shop", Step { base: 0, version: 4 }, "/work/shop");
        for name in ["a", "b"] {
            let piece = Piece::new(&path(name), whole("text\n")).unwrap();
            assert!(batch.takes(&piece, 1_000));
            batch.add(path(name), (&piece, Kind::Added), None);
        }
        let (body, told) = batch.finish();
        let delta: Delta = serde_json::from_slice(&body).unwrap();
        assert_eq!((delta.base_version, delta.version, delta.files.len()), (0, 4, 2));
        assert_eq!(delta.root.as_deref(), Some("/work/shop"));
        assert_eq!((told.version, told.whole), (4, true));
        let (body, _) = Batch::new("shop", Step { base: 4, version: 5 }, "/work/shop").finish();
        let delta: Delta = serde_json::from_slice(&body).unwrap();
        assert_eq!((delta.root, delta.files), (None, Vec::new()));
    }

    #[test]
    fn a_batch_stays_below_its_limit_unless_one_file_alone_is_above() {
        let path = |text| ProjectPath::parse(text).unwrap();
        let piece = Piece::new(&path("a"), whole(&"x".repeat(600))).unwrap();
        let mut batch = Batch::new("shop", Step { base: 1, version: 2 }, "/");
        assert!(batch.takes(&piece, 500));
        batch.add(path("a"), (&piece, Kind::Added), None);
        assert!(!batch.takes(&piece, 1_300));
        assert!(batch.takes(&piece, 1_700));
    }

    proptest! {
        #[test]
        fn a_change_leads_from_what_was_to_what_is(
            before in proptest::option::of("([ab]{0,3}\n){0,30}[ab]?"),
            after in proptest::option::of("([ab]{0,3}\n){0,30}[ab]?"),
        ) {
            let told = between(before.as_deref(), after.as_deref());
            let result = match told {
                None => before.clone(),
                Some(Change::Add { content, .. }) => Some(content),
                Some(Change::Delete { .. }) => None,
                Some(Change::Modify { diff, .. }) => {
                    Some(delta::apply(before.as_deref().unwrap(), &diff).unwrap())
                }
            };
            prop_assert_eq!(result, after);
        }
    }
}
