//! Files that were taken in together: which terms they have and how often, as sorted numbers.

use std::sync::Arc;

use crate::context::imports::Import;
use crate::context::words::Term;
use crate::delta::ProjectPath;

/// What is kept of one text.
#[derive(Debug)]
pub(super) struct Doc {
    /// Rises with every text taken in.
    pub(super) number: u32,
    pub(super) path: ProjectPath,
    pub(super) imports: Box<[Import]>,
}

/// A text's place in its segment, and how often it has a term.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posting(u32);

impl Posting {
    fn new(doc: usize, times: u8) -> Self {
        Self(u32::try_from(doc).unwrap_or(u32::MAX) << 8 | u32::from(times))
    }

    pub(super) fn doc(self) -> usize {
        (self.0 >> 8) as usize
    }

    pub(super) fn times(self) -> u8 {
        self.0.to_le_bytes()[0]
    }
}

/// Sorted by number, and by term. The postings of term `n` are those from `starts[n]` on.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) docs: Vec<Arc<Doc>>,
    /// How many words each text has.
    pub(super) lengths: Vec<u32>,
    terms: Vec<Term>,
    starts: Vec<u32>,
    postings: Vec<Posting>,
}

impl Segment {
    /// `terms` sorted, each once.
    pub(super) fn of(doc: Doc, words: u32, terms: Vec<(Term, u8)>) -> Self {
        let count = u32::try_from(terms.len()).unwrap_or(u32::MAX);
        Self {
            docs: vec![Arc::new(doc)],
            lengths: vec![words],
            starts: (0..count).collect(),
            postings: terms.iter().map(|(_, times)| Posting::new(0, *times)).collect(),
            terms: terms.into_iter().map(|(term, _)| term).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.docs.len()
    }

    /// Where the text of this number lies.
    pub(super) fn position(&self, number: u32) -> Option<usize> {
        self.docs.binary_search_by_key(&number, |doc| doc.number).ok()
    }

    pub(super) fn postings(&self, term: Term) -> &[Posting] {
        self.terms.binary_search(&term).map_or(&[], |n| self.nth(n))
    }

    fn nth(&self, n: usize) -> &[Posting] {
        let place = |n: usize| self.starts.get(n).map_or(self.postings.len(), |at| *at as usize);
        self.postings.get(place(n)..place(n + 1)).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> usize {
        let doc = |doc: &Arc<Doc>| {
            size_of::<Doc>() + 32 + doc.path.as_str().len() + size_of_val(&*doc.imports)
        };
        4 * (self.terms.len() + self.starts.len() + self.postings.len())
            + self.docs.iter().map(doc).sum::<usize>()
    }

    /// What lives of two segments, the first the older. With each comes what is dead of it.
    pub(super) fn merged(older: (&Self, &[bool]), newer: (&Self, &[bool])) -> Self {
        let mut made = Self::default();
        made.terms.reserve(older.0.terms.len().max(newer.0.terms.len()));
        made.postings.reserve(older.0.postings.len() + newer.0.postings.len());
        let old = made.take_docs(older);
        let new = made.take_docs(newer);
        let (mut a, mut b) = (0, 0);
        loop {
            let (first, second) = (older.0.terms.get(a), newer.0.terms.get(b));
            let Some(term) = first.into_iter().chain(second).min().copied() else { break };
            let start = made.postings.len();
            if first == Some(&term) {
                made.take_postings(older.0.nth(a), &old);
                a += 1;
            }
            if second == Some(&term) {
                made.take_postings(newer.0.nth(b), &new);
                b += 1;
            }
            if made.postings.len() > start {
                made.terms.push(term);
                made.starts.push(u32::try_from(start).unwrap_or(u32::MAX));
            }
        }
        made.terms.shrink_to_fit();
        made.starts.shrink_to_fit();
        made.postings.shrink_to_fit();
        made
    }

    /// The new place of each text, `None` if it is dead.
    fn take_docs(&mut self, (from, dead): (&Self, &[bool])) -> Vec<Option<usize>> {
        let places = from.docs.iter().zip(&from.lengths).zip(dead).map(|((doc, words), dead)| {
            (!dead).then(|| {
                self.docs.push(doc.clone());
                self.lengths.push(*words);
                self.docs.len() - 1
            })
        });
        places.collect()
    }

    fn take_postings(&mut self, from: &[Posting], places: &[Option<usize>]) {
        let kept = from.iter().filter_map(|posting| {
            let place = places.get(posting.doc()).copied().flatten()?;
            Some(Posting::new(place, posting.times()))
        });
        self.postings.extend(kept);
    }
}
