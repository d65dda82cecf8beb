use proptest::prelude::*;

use super::*;

fn tokens(window: usize) -> Tokens {
    let json = include_bytes!("../../../models/tier-classifier/tokenizer.json");
    Tokens::new(json, window).unwrap()
}

#[test]
fn a_text_stands_between_begin_and_end() {
    let ids = tokens(128).read("hello world").unwrap();
    assert_eq!((ids[0], ids[ids.len() - 1]), (BEGIN, END));
    assert!(ids.len() > 3);
}

#[test]
fn a_text_without_words_is_its_ends() {
    for text in ["", " \n\t\r\n"] {
        assert_eq!(tokens(128).read(text).unwrap(), [BEGIN, END]);
    }
}

#[test]
fn blank_lines_and_indentation_are_one_line_end() {
    let tokens = tokens(128);
    assert_eq!(tokens.read("fix\n\n\n   this\n").unwrap(), tokens.read("fix\nthis").unwrap());
    assert!(tokens.read("fix\nthis").unwrap().contains(&NEWLINE));
    assert!(!tokens.read("fix this").unwrap().contains(&NEWLINE));
}

#[test]
fn of_a_long_text_head_and_tail_are_read() {
    let tokens = tokens(32);
    let long = format!("rename this {} please", "and that ".repeat(10_000));
    let cut = tokens.read(&long).unwrap();
    let (head, tail) = (tokens.read("rename this").unwrap(), tokens.read("that please").unwrap());
    assert_eq!(cut.len(), 32);
    assert_eq!(cut[..head.len() - 1], head[..head.len() - 1]);
    assert_eq!(cut[cut.len() - 2..], tail[tail.len() - 2..]);
}

#[test]
fn a_damaged_tokenizer_is_refused_by_name() {
    let error = Tokens::new(b"{", 16).unwrap_err().to_string();
    assert!(error.starts_with("tokenizer.json"), "{error}");
}

proptest! {
    #[test]
    fn any_text_stays_within_the_window(text in ".{0,400}", window in 0..64_usize) {
        let ids = tokens(window).read(&text).unwrap();
        prop_assert!(ids.len() >= 2 && ids.len() <= window.max(4));
    }
}
