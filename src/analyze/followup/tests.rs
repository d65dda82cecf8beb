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

/// As people type them in many languages.
#[rustfmt::skip]
const LEANING: &[&str] = &[
    "not working yet", "nope, error again", "it's still not showing", "same thing happens here",
    "please proceed with your plan", "Ok I like your ideas, lets start on them", "now do step 2",
    "move on to the next task", "fix it", "fix this", "can you fix it please", "do that",
    "apply it", "ok implement it", "go for it", "no, the other one", "you missed one",
    "you forgot the tests", "not what i asked", "why?", "again but in german", "geht noch nicht",
    "mach das", "leg los", "immer noch derselbe fehler", "warum?", "hazlo", "sigue igual",
    "no sirve", "adelante", "procede", "arréglalo", "fais-le", "ça ne marche toujours pas",
    "continue stp", "corrige ça", "faz isso", "pode continuar", "não deu certo", "tenta de novo",
    "давай дальше", "не помогло", "исправь", "сделай это", "то же самое", "попробуй ещё раз",
    "опять ошибка", "继续吧", "还是报错", "好的，开始吧", "请继续", "可以，执行吧", "没有变化", "不是这个", "重新来", "按你说的做",
    "進めてください", "直ってない", "同じエラーです", "もう一度", "続きをお願いします", "それでお願いします", "変わりません", "계속해줘", "진행해줘",
    "여전히 안돼요", "다시 해줘", "고쳐줘", "pokračuj prosím", "pořád to nefunguje", "oprav to", "udělej to",
    "zkus to znovu", "kontynuuj proszę", "dalej nie działa", "popraw to", "zrób to",
    "jeszcze raz", "ten sam problem", "ادامه بده", "هنوز کار نمی‌کند", "بله", "نعم", "لا يعمل",
    "تابع", "devam et", "hâlâ olmuyor", "düzelt", "evet", "tekrar dene", "procedi",
    "non va ancora", "correggilo", "riprova", "tiếp tục", "vẫn lỗi", "lanjut", "masih error",
    "продовжуй", "все одно не працює", "виправ це", "i can still see it",
    "it is still duplicated", "try a different approach", "nochmal bitte", "encore une fois",
    "otra vez",
];
#[rustfmt::skip]
const STANDING: &[&str] = &[
    "add dark mode to the settings page", "write unit tests for the parser",
    "why does this return None?", "create a new branch called feature/login",
    "how do i run this in docker", "now add logging to every handler in the api folder",
    "can you explain what a monad is",
    "let's start a new project: todo app with react and express backend", "fix the login bug",
    "run the tests", "commit this", "what is the capital of France?",
    "übersetze den text ins englische", "написать функцию сортировки", "帮我写一个登录页面", "ログインページを作って",
    "crea un servidor express", "update the readme", "rename it to foo",
    "delete the old migration files", "make the button blue", "how are you", "hello", "hi there",
    "what time is it", "explain async await", "sort the imports", "bump the version to 2.0",
    "translate it into French", "make it bold", "write a haiku",
];

#[test]
fn follow_ups_are_known_in_many_languages() {
    let leans = |text: &&&str| leans_on_what_came_before(text, Before::Statement);
    let missed: Vec<_> = LEANING.iter().filter(|text| !leans(text)).collect();
    assert!(missed.is_empty(), "{missed:?}");
    let taken: Vec<_> =
        STANDING.iter().filter(|text| bearing(text, Before::Statement) != Bearing::Alone).collect();
    assert!(taken.is_empty(), "{taken:?}");
}
