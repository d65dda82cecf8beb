//! Projects for tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::{FileEntry, Project};
use crate::delta::{ContentHash, ProjectPath};

pub(super) fn path(text: &str) -> ProjectPath {
    ProjectPath::parse(text).unwrap()
}

/// A project and the texts of all versions that its files had.
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) project: Project,
    pub(super) texts: HashMap<ContentHash, Arc<str>>,
}

impl Sample {
    pub(super) fn new<N: AsRef<str>, T: AsRef<str>>(
        files: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let project = Project {
            name: "shop".into(),
            root: Some("/home/x/shop".into()),
            version: 0,
            files: BTreeMap::new(),
            index: Arc::default(),
        };
        let mut sample = Self { project, texts: HashMap::new() };
        sample.set(files);
        sample
    }

    /// The next version, in which these files have these texts.
    pub(super) fn set<N: AsRef<str>, T: AsRef<str>>(
        &mut self,
        files: impl IntoIterator<Item = (N, T)>,
    ) {
        self.project.version += 1;
        let version = self.project.version;
        let hour = i64::try_from(version).unwrap() * 3600;
        for (name, text) in files {
            let (name, text) = (name.as_ref(), text.as_ref());
            let path = path(name);
            let hash = ContentHash::of(text.as_bytes());
            let bytes = u32::try_from(text.len()).unwrap();
            let changed_at = Timestamp::from_second(hour).unwrap();
            let entry = FileEntry { hash, bytes, tokens: bytes.div_ceil(4), version, changed_at };
            Arc::make_mut(&mut self.project.index).insert(&path, text);
            self.project.files.insert(path, entry);
            self.texts.insert(hash, text.into());
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.project.version += 1;
        Arc::make_mut(&mut self.project.index).remove(&path(name));
        self.project.files.remove(&path(name));
    }
}
