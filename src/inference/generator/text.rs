//! From token bytes to text that may be shown: whole characters only, and nothing of a stop sequence.
//! Pure.

/// Joins bytes into characters. What can never become a character turns into U+FFFD.
#[derive(Default)]
pub(super) struct Utf8Joiner {
    pending: Vec<u8>,
}

impl Utf8Joiner {
    /// Where token bytes are appended.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// The characters that are complete. A beginning of one stays; at the end of an answer it is
    /// dropped.
    pub(super) fn take(&mut self) -> String {
        let mut text = String::new();
        loop {
            let error = match std::str::from_utf8(&self.pending) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.pending.clear();
                    return text;
                }
                Err(error) => error,
            };
            let valid = error.valid_up_to();
            text.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
            let Some(bad) = error.error_len() else {
                self.pending.drain(..valid);
                return text;
            };
            text.push(char::REPLACEMENT_CHARACTER);
            self.pending.drain(..valid + bad);
        }
    }
}

/// Finds stop sequences in text that comes in pieces, and holds back what may be the beginning of
/// one.
pub(super) struct StopScanner {
    stops: Vec<String>,
    held: String,
}

pub(super) struct Scanned {
    /// Safe to show.
    pub(super) text: String,
    /// A stop sequence has come; all after it is void.
    pub(super) stopped: bool,
}

impl StopScanner {
    /// Empty sequences are ignored.
    pub(super) fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { stops, held: String::new() }
    }

    pub(super) fn push(&mut self, piece: &str) -> Scanned {
        self.held.push_str(piece);
        let first = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = first {
            self.held.truncate(at);
            return Scanned { text: std::mem::take(&mut self.held), stopped: true };
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        Scanned { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }

    /// What was held back, when the answer ends without a stop sequence.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Bytes at the end of `text` that are the beginning of `stop`, which `text` does not contain.
fn overlap(text: &str, stop: &str) -> usize {
    let most = text.len().min(stop.len().saturating_sub(1));
    (1..=most)
        .rev()
        .find(|length| text.as_bytes().ends_with(&stop.as_bytes()[..*length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn join(pieces: &[&[u8]]) -> Vec<String> {
        let mut joiner = Utf8Joiner::default();
        pieces
            .iter()
            .map(|piece| {
                joiner.buffer().extend_from_slice(piece);
                joiner.take()
            })
            .collect()
    }

    #[test]
    fn a_character_split_over_tokens_comes_whole() {
        assert_eq!(join(&[b"a\xf0\x9f", b"\x98", b"\x80!"]), ["a", "", "😀!"]);
    }

    #[test]
    fn bytes_that_are_no_character_become_a_replacement() {
        assert_eq!(join(&[b"a\xffb", b"\xe2\x82", b"x"]), ["a\u{fffd}b", "", "\u{fffd}x"]);
    }

    #[rstest]
    #[case::across_pieces(&["END"], &["one E", "N", "D two"], "one ", true)]
    #[case::a_false_start_is_shown(&["END"], &["one EN", "T two"], "one ENT two", false)]
    #[case::the_earliest_wins(&["two", "one"], &["x one two"], "x ", true)]
    #[case::held_back_text_comes_at_the_end(&["###"], &["a #", "#"], "a ##", false)]
    #[case::an_empty_one_is_ignored(&[""], &["abc"], "abc", false)]
    #[case::not_ascii(&["été"], &["l'é", "t", "é!"], "l'", true)]
    fn stop_sequences(
        #[case] stops: &[&str],
        #[case] pieces: &[&str],
        #[case] shown: &str,
        #[case] stopped: bool,
    ) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut scanner = StopScanner::new(&stops);
        assert_eq!(scan(&mut scanner, pieces.iter().copied()), (shown.to_owned(), stopped));
    }

    fn scan<'a>(
        scanner: &mut StopScanner,
        pieces: impl Iterator<Item = &'a str>,
    ) -> (String, bool) {
        let mut shown = String::new();
        for piece in pieces {
            let scanned = scanner.push(piece);
            shown.push_str(&scanned.text);
            if scanned.stopped {
                return (shown, true);
            }
        }
        (shown + &scanner.finish(), false)
    }

    proptest! {
        #[test]
        fn however_text_is_cut_what_is_shown_ends_at_the_first_stop(
            text in "[abé]{0,20}", stops in prop::collection::vec("[abé]{1,3}", 0..3), size in 1usize..4,
        ) {
            let characters: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = characters.chunks(size).map(|piece| piece.iter().collect()).collect();
            let (shown, stopped) = scan(&mut StopScanner::new(&stops), pieces.iter().map(String::as_str));
            prop_assert!(text.starts_with(&shown));
            prop_assert!(stops.iter().all(|stop| !shown.contains(stop.as_str())));
            prop_assert_eq!(stopped, stops.iter().any(|stop| text.contains(stop.as_str())));
            prop_assert!(stopped || shown == text);
        }

        #[test]
        fn joining_loses_no_character(text in ".{0,20}", size in 1usize..5) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(join(&pieces).concat(), text);
        }
    }
}
