//! Finding files by what they are called, what they define, and what they import.

use super::Index;
use super::segment::Doc;
use crate::context::imports::{self, Family};
use crate::context::words::{Space, Term, term};
use crate::delta::ProjectPath;

/// An import that so many files could be meant by means none.
const MOST_TARGETS: usize = 12;
/// Files that may import another and are looked at.
const MOST_IMPORTERS: usize = 64;

/// The terms by which an import finds the file of this path.
pub(super) fn keys(path: &ProjectPath) -> Vec<Term> {
    let mut parts = imports::stem(path);
    let mut keys = imports::endings(Space::Stem, &parts);
    keys.push(imports::whole(&parts));
    // In Go a directory is imported, not a file.
    if Family::of(path) == Family::Go && !path.name().ends_with("_test.go") {
        parts.pop();
        keys.extend(imports::endings(Space::Stem, &parts).into_iter().skip(1));
    }
    keys
}

/// The term of a file that imports what `target` finds.
pub(super) fn importing(target: Term) -> Term {
    (target ^ 0xa5a5_5a5a).wrapping_mul(0x9e37_79b1)
}

impl Index {
    /// Files whose path ends in `name`, which may have directories; at most `most`.
    pub(crate) fn named(&self, name: &str, most: usize) -> Vec<ProjectPath> {
        let ending = name.rmatch_indices('/').nth(2).map_or(name, |(at, _)| &name[at + 1..]);
        let right = |path: &&ProjectPath| {
            let begin = path.as_str().len().checked_sub(name.len());
            let tail = begin.and_then(|at| Some((at, path.as_str().get(at..)?)));
            tail.is_some_and(|(at, tail)| {
                tail.eq_ignore_ascii_case(name)
                    && (at == 0 || path.as_str().as_bytes()[at - 1] == b'/')
            })
        };
        let docs = self.with(term(Space::Name, ending)).map(|doc| &doc.path);
        docs.filter(right).take(most).cloned().collect()
    }

    /// Files that define a symbol, at most `most`.
    pub(crate) fn defining(&self, symbol: &str, most: usize) -> Vec<ProjectPath> {
        self.with(term(Space::Symbol, symbol)).take(most).map(|doc| doc.path.clone()).collect()
    }

    /// Files that this one imports.
    pub(crate) fn imported_by(&self, path: &ProjectPath) -> Vec<ProjectPath> {
        let Some(doc) = self.doc(path) else { return Vec::new() };
        let mut found: Vec<ProjectPath> = Vec::new();
        for import in &doc.imports {
            for target in self.targets(doc, import) {
                if target.path != *path && !found.contains(&target.path) {
                    found.push(target.path.clone());
                }
            }
        }
        found
    }

    /// Files that import this one, at most `most`.
    pub(crate) fn importing(&self, path: &ProjectPath, most: usize) -> Vec<ProjectPath> {
        let mut found: Vec<ProjectPath> = Vec::new();
        for key in keys(path).into_iter().rev() {
            for doc in self.with(importing(key)).take(MOST_IMPORTERS) {
                let meant = || {
                    let mut imports = doc.imports.iter().filter(|import| import.contains(&key));
                    imports.any(|import| self.targets(doc, import).any(|to| to.path == *path))
                };
                if doc.path != *path && !found.contains(&doc.path) && meant() {
                    found.push(doc.path.clone());
                }
                if found.len() >= most {
                    return found;
                }
            }
        }
        found
    }

    /// The files that one import of `doc` means: by its surest term that finds any, the nearest.
    fn targets<'a>(&'a self, doc: &'a Doc, import: &[Term]) -> impl Iterator<Item = &'a Doc> {
        let family = Family::of(&doc.path);
        let mut found: Vec<&Doc> = Vec::new();
        for target in import.iter().filter(|target| **target != 0) {
            let like = |other: &&Doc| Family::of(&other.path) == family;
            found = self.with(*target).filter(like).take(MOST_TARGETS + 1).collect();
            if !found.is_empty() {
                break;
            }
        }
        if found.len() > MOST_TARGETS {
            found.clear();
        }
        let near = |other: &Doc| shared(doc.path.as_str(), other.path.as_str());
        let nearest = found.iter().map(|other| near(other)).max().unwrap_or(0);
        found.into_iter().filter(move |other| near(other) == nearest).take(4)
    }

    fn with(&self, term: Term) -> impl Iterator<Item = &Doc> {
        self.slots.iter().flat_map(move |slot| {
            let postings = slot.segment.postings(term).iter().map(|posting| posting.doc());
            postings.filter(|at| !slot.dead[*at]).map(|at| &*slot.segment.docs[at])
        })
    }

    fn doc(&self, path: &ProjectPath) -> Option<&Doc> {
        let number = *self.numbers.get(path)?;
        self.slots.iter().find_map(|slot| {
            let at = slot.segment.position(number)?;
            Some(&*slot.segment.docs[at])
        })
    }
}

/// How many directories two paths begin with together.
fn shared(a: &str, b: &str) -> usize {
    a.split('/').zip(b.split('/')).take_while(|(a, b)| a == b).count()
}
