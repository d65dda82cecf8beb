use rstest::rstest;

use super::*;

fn leans_on_what_came_before(text: &str, before: Before) -> bool {
    matches!(bearing(text, before), Bearing::Leans | Bearing::Complains)
}

#[rstest]
fn words_without_a_task_of_their_own_lean(
    #[values(
        "continue",
        "Continue.",
        "go on please",
        "ok next one",
        "finish it",
        "the rest too",
        "weiter",
        "继续",
        "続けて",
        "продолжай",
        "yes",
        "yes, go ahead",
        "do it",
        "2",
        "all",
        "ja bitte",
        "oui vas-y",
        "sí, dale",
        "是的",
        "still fails",
        "hmm it's still wrong for C",
        "doesn't work, no reply at all",
        "geht immer noch nicht",
        "sigue sin funcionar",
        "ça ne marche pas",
        "nadal nie działa",
        "还是不行",
        "まだ動かない",
        "do the same for refunds",
        "and PID-5?",
        "now one that rejects pointers",
        "and maybeCommit, same question",
        "what about the tests?",
        "ok back again, finish the rest",
        "?"
    )]
    text: &str,
) {
    assert!(leans_on_what_came_before(text, Before::Statement), "{text}");
}

#[rstest]
fn requests_in_full_and_thanks_stand_alone(
    #[values(
        "ah, clear. thanks!",
        "perfect 👍",
        "alright, makes sense, cheers",
        "ok super danke",
        "谢谢",
        "👍",
        "later. for now set GRACE to 15 minutes",
        "nice. now sort requirements.txt alphabetically",
        "make it 20 then",
        "fine. then please write the godoc comment for Acquire",
        "write me the changelog entry for it, two lines",
        "Translate the last sentence into French.",
        "explain this error and what the usual fix is",
        "and what does rsync --delete do if i mistype the host path? explain",
        "explain the difference between continue and break in a loop",
        "the daily run is red, fix it",
        "rename usrCnt to userCount",
        "how do I change the font size",
        "hmm ok, please port the whole ingest path to tokio and keep the public API stable"
    )]
    text: &str,
) {
    assert!(!leans_on_what_came_before(text, Before::Statement), "{text}");
}

#[rstest]
fn agreement_releases_work_only_as_an_answer(
    #[values("ok", "sounds good", "perfect", "好的")] text: &str,
) {
    assert!(leans_on_what_came_before(text, Before::Question));
    assert!(!leans_on_what_came_before(text, Before::Statement));
}

#[rstest]
fn a_word_or_two_answer_what_was_asked(
    #[values("postgres", "in src/lib", "12 hours", "the smaller one", "用第一种", "👍")] text: &str,
) {
    assert!(leans_on_what_came_before(text, Before::Question), "{text}");
}

#[rstest]
fn a_question_or_a_sentence_does_not_answer_what_was_asked(
    #[values(
        "what is postgres?",
        "rename usrCnt to userCount",
        "thanks!",
        "no thanks, that's all"
    )]
    text: &str,
) {
    assert!(!leans_on_what_came_before(text, Before::Question), "{text}");
}

#[rstest]
fn words_that_ask_for_nothing_close_the_talk(
    #[values(
        "thanks",
        "ah, clear. thanks!",
        "perfect 👍",
        "alright, makes sense, cheers",
        "ok super danke",
        "谢谢",
        "👍",
        "ok"
    )]
    text: &str,
) {
    assert_eq!(bearing(text, Before::Statement), Bearing::Closes, "{text}");
}

#[rstest]
fn requests_and_empty_texts_do_not_close_the_talk(
    #[values(
        "",
        "thanks, now sort the imports",
        "thanks but it still fails",
        "hello",
        "fix it",
        "is this right?",
        "is it all good",
        "for the one",
        "now this",
        "{}"
    )]
    text: &str,
) {
    assert_ne!(bearing(text, Before::Statement), Bearing::Closes, "{text}");
}

#[rstest]
#[case("still fails", Bearing::Complains)]
#[case("geht immer noch nicht", Bearing::Complains)]
#[case("还是不行", Bearing::Complains)]
#[case("continue", Bearing::Leans)]
fn complaints_are_told_from_other_follow_ups(#[case] text: &str, #[case] expected: Bearing) {
    assert_eq!(bearing(text, Before::Statement), expected);
}

proptest::proptest! {
    #[test]
    fn any_text_is_decided(text in "\\PC{0,300}") {
        bearing(&text, Before::Question);
    }
}
