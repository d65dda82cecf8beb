//! Which files' words are near those of a text: BM25, with the words of a path as a second field.

use super::Index;
use crate::context::words::{Space, Term, each_word, says_nothing, term};
use crate::delta::ProjectPath;

/// How soon more of the same word counts no more.
const SATURATION: f32 = 1.2;
/// How much a long text's words count less.
const LENGTH: f32 = 0.6;
/// What a word in the path counts, against the most that it can count in the text.
const PATH: f32 = 0.8;
/// What a word that no file has weighs: it may be prose, or what the project lacks.
const UNKNOWN: f32 = 0.3;
/// A request of fewer rare words than this says little, however well a file fits them.
const FEW: f32 = 2.0;
/// Words of a request that are looked for, the rarest.
const MOST_TERMS: usize = 32;
/// A search looks at no more places than this.
const MOST_POSTINGS: usize = 120_000;
/// Of a longer request only the beginning is read.
const LONGEST_QUERY: usize = 16 * 1024;

struct Query {
    term: Term,
    weight: f32,
    /// For a word of a path, which has no length to speak of.
    path: bool,
    postings: usize,
}

impl Index {
    /// The files nearest to `words`, at most `most`, best first. A score is the share, 0 to 1, of
    /// what a file of just these words would have; of few words it is never near 1.
    pub fn search(&self, words: &str, most: usize) -> Vec<(ProjectPath, f32)> {
        let (queries, mass) = self.queries(words);
        if queries.is_empty() || most == 0 {
            return Vec::new();
        }
        let average = self.average_words();
        let mut found: Vec<(f32, usize, usize)> = Vec::new();
        for (n, slot) in self.slots.iter().enumerate() {
            let mut scores = vec![0.0_f32; slot.segment.len()];
            for query in &queries {
                for posting in slot.segment.postings(query.term) {
                    let doc = posting.doc();
                    scores[doc] += if query.path {
                        query.weight * PATH * (SATURATION + 1.0)
                    } else {
                        let times = f32::from(posting.times());
                        let length = as_float(slot.segment.lengths[doc]) / average;
                        let norm = SATURATION * (1.0 - LENGTH + LENGTH * length);
                        query.weight * times * (SATURATION + 1.0) / (times + norm)
                    };
                }
            }
            let alive = scores.into_iter().zip(&slot.dead).enumerate();
            found.extend(alive.filter_map(|(at, (score, dead))| {
                (score > 0.0 && !dead).then_some((score, n, at))
            }));
        }
        if found.len() > most {
            found.select_nth_unstable_by(most - 1, |a, b| b.0.total_cmp(&a.0));
            found.truncate(most);
        }
        let path = |slot: usize, at: usize| self.slots[slot].segment.docs[at].path.clone();
        let mut best: Vec<_> =
            found.into_iter().map(|(score, slot, at)| (path(slot, at), score / mass)).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        for (_, score) in &mut best {
            *score = score.min(1.0);
        }
        best
    }

    /// The terms to look for, the rarest first, and the most that a text can score with them.
    fn queries(&self, words: &str) -> (Vec<Query>, f32) {
        let words = &words[..words.floor_char_boundary(LONGEST_QUERY)];
        let mut seen = Vec::new();
        let mut queries: Vec<Query> = Vec::new();
        each_word(words, |word| {
            let text = term(Space::Word, word);
            if !says_nothing(word) && !seen.contains(&text) && seen.len() < 4 * MOST_TERMS {
                seen.push(text);
                queries.push(self.query(text, false));
                queries.push(self.query(term(Space::PathWord, word), true));
            }
        });
        let missing = queries.iter().filter(|query| !query.path && query.postings == 0);
        let unknown: f32 = missing.map(|query| query.weight * UNKNOWN).sum();
        queries.retain(|query| query.postings > 0);
        queries.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut room = MOST_POSTINGS;
        let mut words = 0;
        queries.retain(|query| {
            words += usize::from(!query.path);
            let keep = words <= MOST_TERMS && query.postings <= room;
            room -= if keep { query.postings } else { 0 };
            keep
        });
        let known: f32 = queries.iter().filter(|query| !query.path).map(|query| query.weight).sum();
        let mass = (known + unknown).max(FEW * self.rarest());
        (queries, (mass * (SATURATION + 1.0)).max(1.0))
    }

    /// What a word weighs that no file has.
    fn rarest(&self) -> f32 {
        as_float(u32::try_from(self.len()).unwrap_or(u32::MAX)).ln_1p()
    }

    #[expect(clippy::cast_precision_loss, reason = "a weight needs no more digits")]
    fn query(&self, term: Term, path: bool) -> Query {
        let postings = self.slots.iter().map(|slot| slot.segment.postings(term).len()).sum();
        let (all, with) = (self.len() as f32, postings as f32);
        let weight = (((all - with).max(0.0) + 0.5) / (with + 0.5)).ln_1p();
        Query { term, weight, path, postings }
    }

    #[expect(clippy::cast_precision_loss, reason = "a weight needs no more digits")]
    fn average_words(&self) -> f32 {
        let (mut words, mut docs) = (0_u64, 0_u64);
        for slot in &self.slots {
            words += slot.segment.lengths.iter().map(|words| u64::from(*words)).sum::<u64>();
            docs += slot.segment.len() as u64;
        }
        (words as f32 / docs.max(1) as f32).max(1.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a weight needs no more digits")]
fn as_float(count: u32) -> f32 {
    count as f32
}
