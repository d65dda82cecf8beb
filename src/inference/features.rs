//! Text to hashed features for the tier model: which words, which character runs, how often. Decides
//! what of a long text is looked at. Knows no tensors and no tiers; training and serving share it,
//! so that they cannot drift apart.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Bytes looked at from the start of a long text: the ask mostly stands there.
pub const HEAD_BYTES: usize = 4096;
/// Bytes looked at from its end, where the ask stands when something was pasted before it.
pub const TAIL_BYTES: usize = 2048;

/// The longest run of characters that counts as one feature.
const CHAR_GRAM: usize = 5;

/// How texts become features; stored with the weights, for they fit no other setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSettings {
    /// Size of the hash table; a power of two.
    pub buckets: u32,
    /// The longest run of words that counts as one feature.
    pub word_gram: usize,
}

/// How often each bucket occurs in one text, per kind of feature. Sorted by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    pub words: Vec<(u32, u32)>,
    pub chars: Vec<(u32, u32)>,
}

impl Features {
    pub fn blocks(&self) -> [&[(u32, u32)]; 2] {
        [&self.words, &self.chars]
    }
}

/// The part of a text that is judged: all of it, or its head and tail.
pub fn considered(text: &str) -> Cow<'_, str> {
    if text.len() <= HEAD_BYTES + TAIL_BYTES {
        return Cow::Borrowed(text);
    }
    let head = &text[..text.floor_char_boundary(HEAD_BYTES)];
    let tail = &text[text.ceil_char_boundary(text.len() - TAIL_BYTES)..];
    Cow::Owned(format!("{head}\n{tail}"))
}

/// Counts the features of a text. Never fails: an empty text has none.
pub fn extract(text: &str, settings: &FeatureSettings) -> Features {
    let text = considered(text).to_lowercase();
    let mask = settings.buckets.next_power_of_two() - 1;
    Features { words: words(&text, settings.word_gram, mask), chars: chars(&text, mask) }
}

/// Runs of up to `longest` words; every sign that is no letter, digit or underscore is a word.
fn words(text: &str, longest: usize, mask: u32) -> Vec<(u32, u32)> {
    let tokens: Vec<&str> = tokens(text);
    let mut counts = HashMap::new();
    for start in 0..tokens.len() {
        let mut hash = Hash::new(b'w');
        for token in tokens[start..].iter().take(longest) {
            hash.add(token.as_bytes());
            hash.add(&[0]);
            *counts.entry(hash.bucket(mask)).or_insert(0) += 1;
        }
    }
    sorted(counts)
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut word = None;
    for (at, c) in text.char_indices() {
        if c.is_alphanumeric() || c == '_' {
            word.get_or_insert(at);
            continue;
        }
        if let Some(start) = word.take() {
            tokens.push(&text[start..at]);
        }
        if !c.is_whitespace() {
            tokens.push(&text[at..at + c.len_utf8()]);
        }
    }
    if let Some(start) = word {
        tokens.push(&text[start..]);
    }
    tokens
}

/// Runs of one to five characters inside what white space separates, its two borders marked.
fn chars(text: &str, mask: u32) -> Vec<(u32, u32)> {
    let mut counts = HashMap::new();
    let mut padded = Vec::new();
    for chunk in text.split_whitespace() {
        padded.clear();
        padded.push(' ');
        padded.extend(chunk.chars());
        padded.push(' ');
        for start in 0..padded.len() {
            let mut hash = Hash::new(b'c');
            for c in padded[start..].iter().take(CHAR_GRAM) {
                hash.add(&u32::from(*c).to_le_bytes());
                *counts.entry(hash.bucket(mask)).or_insert(0) += 1;
            }
        }
    }
    sorted(counts)
}

fn sorted(counts: HashMap<u32, u32>) -> Vec<(u32, u32)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable();
    counts
}

/// FNV-1a of 64 bits, mixed at the end: its low bits alone are weak. Part of the model's format.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    fn new(kind: u8) -> Self {
        let mut hash = Self(0xcbf2_9ce4_8422_2325);
        hash.add(&[kind]);
        hash
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    fn bucket(self, mask: u32) -> u32 {
        let mut mixed = self.0 ^ (self.0 >> 33);
        mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed ^ (mixed >> 33)) as u32 & mask
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: FeatureSettings = FeatureSettings { buckets: 1 << 16, word_gram: 2 };

    #[test]
    fn an_empty_text_has_no_features() {
        assert_eq!(extract("", &SETTINGS), Features::default());
        assert_eq!(extract(" \n\t ", &SETTINGS), Features::default());
    }

    #[test]
    fn words_are_letters_and_every_other_sign_stands_alone() {
        assert_eq!(
            tokens("fix foo_bar(2), bitte!"),
            ["fix", "foo_bar", "(", "2", ")", ",", "bitte", "!"]
        );
        assert_eq!(tokens("日本語 ok"), ["日本語", "ok"]);
    }

    #[test]
    fn case_and_the_width_of_white_space_make_no_difference() {
        assert_eq!(extract("Fix  THE\nbug", &SETTINGS), extract("fix the bug", &SETTINGS));
    }

    #[test]
    fn of_a_long_text_head_and_tail_are_considered() {
        let text = format!("start{}end", "é".repeat(500_000));
        let seen = considered(&text);
        assert!(seen.starts_with("start") && seen.ends_with("end"));
        assert!(seen.len() <= HEAD_BYTES + TAIL_BYTES + 1);
    }

    #[test]
    fn the_hash_is_part_of_the_format_and_stays() {
        let features = extract("a", &SETTINGS);
        assert_eq!(features.words, [(12660, 1)]);
        assert_eq!(features.chars, [(11493, 1), (20632, 1), (37381, 2), (48792, 1), (57075, 1)]);
    }

    proptest! {
        #[test]
        fn any_text_gives_sorted_buckets_inside_the_table(text in "\\PC*") {
            let features = extract(&text, &SETTINGS);
            for block in features.blocks() {
                prop_assert!(block.windows(2).all(|two| two[0].0 < two[1].0));
                prop_assert!(block.iter().all(|(bucket, n)| *bucket < SETTINGS.buckets && *n > 0));
            }
        }

        #[test]
        fn what_is_considered_is_bounded(text in "\\PC{0,4000}") {
            prop_assert!(considered(&text).len() <= HEAD_BYTES + TAIL_BYTES + 1);
        }
    }
}
