//! The words by which `followup` tells what leans on what came before, in the languages people
//! type. Data only.

/// They end the talk.
#[rustfmt::skip]
pub(super) const THANKS: &[&str] = &[
    "thanks", "thank", "thx", "ty", "tysm", "cheers", "bye", "danke", "dankeschön", "merci",
    "gracias", "dzięki", "dzieki", "dziękuję", "obrigado", "obrigada", "valeu", "grazie", "спасибо",
    "дякую", "dank", "bedankt", "tack", "takk", "tak!", "kiitos", "díky", "děkuji", "teşekkürler",
    "谢谢", "多谢", "謝謝", "ありがとう", "ありがとうございます", "감사합니다", "고마워", "köszi", "mersi", "mulțumesc",
];

/// They please or agree, and release work only as an answer to a question.
#[rustfmt::skip]
pub(super) const PRAISE: &[&str] = &[
    "ok", "okay", "k", "okey", "oki", "perfect", "great", "nice", "awesome", "cool", "super",
    "good", "fine", "clear", "sounds", "makes", "sense", "lgtm", "alright", "right", "got", "it",
    "understood", "ah", "oh", "aha", "i", "see", "top", "prima", "klasse", "passt", "gut", "alles",
    "klar", "verstanden", "parfait", "génial", "bien", "d'accord", "perfecto", "vale", "genial",
    "bueno", "claro", "świetnie", "super!", "jasne", "rozumiem", "dobrze", "отлично", "понял",
    "ясно", "хорошо", "ок", "ótimo", "perfeito", "beleza", "perfetto", "bene", "va", "très", "muy",
    "muito", "goed", "mooi", "bra", "好的", "好", "明白了", "完美", "了解", "わかりました", "좋아", "works",
    "working", "now", "very", "that's", "this", "is", "looks", "well", "done", "all", "excellent",
    "wonderful", "amazing", "love", "yay", "haha", "lol",
];

/// Of [`PRAISE`], those that alone say nothing.
pub(super) const FILLS: &[&str] = &[
    "it", "i", "now", "very", "that's", "this", "is", "all", "va", "très", "muy", "muito", "alles",
];

/// They release work whatever came before.
#[rustfmt::skip]
pub(super) const ASSENT: &[&str] = &[
    "yes", "y", "yep", "yeah", "yup", "sure", "please", "do", "it", "go", "ahead", "for", "ja",
    "jup", "jawohl", "bitte", "mach", "oui", "vas-y", "sí", "si", "dale", "hazlo", "sim", "faça",
    "pode", "tak", "zrób", "to", "да", "давай", "сделай", "так", "sì", "procedi", "doe", "maar",
    "both", "all", "either", "everything", "beide", "alle", "alles", "todos", "ambos", "wszystkie",
    "все", "first", "second", "third", "the", "one", "option", "latter", "former", "a", "b", "c",
    "d", "是", "是的", "可以", "要", "行", "全部", "はい", "お願いします", "네", "응", "of", "them", "proceed",
    "approved", "agreed", "confirm", "confirmed", "accept", "evet", "ano", "igen", "نعم", "بله", "हाँ",
    "vâng", "예",
];

/// Of [`ASSENT`] and [`PRAISE`], those that carry the meaning; the others only fill.
#[rustfmt::skip]
pub(super) const RELEASES: &[&str] = &[
    "yes", "y", "yep", "yeah", "yup", "sure", "do", "go", "ja", "jup", "jawohl", "mach", "oui",
    "vas-y", "sí", "si", "dale", "hazlo", "sim", "faça", "pode", "tak", "zrób", "да", "давай",
    "сделай", "так", "sì", "procedi", "doe", "both", "all", "either", "everything", "beide", "alle",
    "todos", "ambos", "wszystkie", "все", "first", "second", "third", "option", "latter", "former",
    "a", "b", "c", "d", "是", "是的", "可以", "要", "行", "全部", "はい", "お願いします", "네", "응", "proceed",
    "approved", "agreed", "confirm", "confirmed", "accept", "please",
    "evet", "ano", "igen", "نعم", "بله", "हाँ", "vâng", "예",
];

/// As the first word, or in a text of at most four: the work goes on.
#[rustfmt::skip]
pub(super) const RESUMING: &[&str] = &[
    "continue", "proceed", "resume", "next", "finish", "weiter", "weitermachen", "fortfahren",
    "continúa", "continua", "continuar", "continue!", "sigue", "seguir", "continuez", "poursuis",
    "poursuivez", "kontynuuj", "dalej", "продолжай", "продолжи", "дальше", "продолжить", "prosegui",
    "continui", "verder", "fortsätt", "fortsett", "devam", "pokračuj", "continuă", "tiếp",
    "продовжуй", "retry", "more", "mehr", "más", "więcej", "adelante", "procede", "prosigue", "segue",
    "siga", "avanti", "fortsæt", "pokračujte", "folytasd", "jatka", "lanjut", "lanjutkan", "ادامه",
    "أكمل", "تابع", "जारी",
];

/// In a text of a few words: what was proposed may begin.
#[rustfmt::skip]
pub(super) const STARTING: &[&str] = &[
    "let's start", "lets start", "get started", "start on", "go for it", "your plan", "the plan",
    "move on", "do step", "other one", "another approach", "different approach", "as you said", "as proposed", "leg los", "fang an", "fangen wir an", "on y va", "vas y",
    "vamos", "empieza", "comienza", "começa", "pode começar", "pode fazer", "inizia", "zaczynaj",
    "zaczynamy", "do dzieła", "начинай", "начнём", "поехали", "začni", "aan de slag", "kör på", "başla",
];

/// What one does to something that was said before: with words of [`PROFORMS`] and [`POLITE`] only,
/// "can you fix it please".
#[rustfmt::skip]
pub(super) const DOING: &[&str] = &[
    "do", "fix", "apply", "implement", "start", "run", "try", "make", "solve", "repair", "finish",
    "correct", "execute", "build", "resolve", "mach", "behebe", "korrigiere", "starte", "fais",
    "corrige", "répare", "arregla", "haz", "faz", "faça", "corrija", "conserta", "zrób", "popraw",
    "napraw", "сделай", "исправь", "почини", "виправ", "зроби", "oprav", "udělej", "fai", "correggi",
];
#[rustfmt::skip]
pub(super) const POLITE: &[&str] = &[
    "please", "pls", "plz", "can", "could", "you", "just", "then", "now", "ok", "okay", "let's", "lets",
    "bitte", "kannst", "du", "dann", "stp", "svp", "por", "favor", "proszę", "пожалуйста", "prosím",
    "yes", "yeah", "and", "so", "all",
];

/// The same with its object in one word.
#[rustfmt::skip]
pub(super) const DOING_IT: &[&str] = &[
    "hazlo", "arréglalo", "corrígelo", "fais-le", "faites-le", "corrige-le", "correggilo", "fallo",
    "исправь", "исправляй", "сделай", "düzelt", "perbaiki", "betulkan", "javítsd", "korjaa", "fix",
    "fixa", "درستش",
];

/// Questions of one word about what was just said.
#[rustfmt::skip]
pub(super) const ASKING: &[&str] = &[
    "why", "how", "really", "sure", "and", "so", "warum", "wieso", "wie", "wirklich", "pourquoi",
    "comment", "vraiment", "porqué", "cómo", "seguro", "perché", "come", "dlaczego", "jak", "почему",
    "как", "зачем", "proč", "waarom", "varför", "neden", "为什么", "为何", "怎么", "なぜ", "なんで", "왜",
];

/// Anywhere in a short text: the work goes on.
#[rustfmt::skip]
pub(super) const GOING_ON: &[&str] = &[
    "go on", "carry on", "keep going", "keep on", "go ahead", "the rest", "finish it", "finish up",
    "next one", "next step", "next part", "pick up where", "where you left", "where we left",
    "back again", "mach weiter", "den rest", "der rest", "ok weiter", "und weiter", "le reste",
    "el resto", "resto", "resztę", "остальное", "o resto", "il resto", "de rest", "try again",
    "once more", "again please", "one more for", "start with", "do the next", "keep at it",
    "nochmal", "noch mal", "encore une fois", "otra vez", "de nuevo", "de novo", "ещё раз", "еще раз",
    "ще раз", "zkus to znovu", "jeszcze raz", "tekrar dene", "di nuovo", "riprova", "réessaie", "reintenta",
];

/// Anywhere in a short text: what was done is not right yet.
#[rustfmt::skip]
pub(super) const COMPLAINTS: &[&str] = &[
    "still", "again", "doesn't work", "does not work", "doesnt work", "not working", "didn't work",
    "didnt work", "don't work", "won't work", "no luck", "not fixed", "not right", "that's wrong",
    "thats wrong", "wrong again", "same error", "same problem", "same issue", "same result",
    "fails", "failing", "broken", "nothing happens", "nothing changed", "immer noch", "geht nicht",
    "funktioniert nicht", "klappt nicht", "wieder nicht", "gleiche fehler", "gleicher fehler",
    "noch immer", "no funciona", "sigue sin", "todavía", "mismo error", "ne marche pas",
    "ne fonctionne pas", "toujours", "même erreur", "nadal", "wciąż", "nie działa", "ten sam błąd",
    "dalej nie", "не работает", "всё ещё", "все еще", "по-прежнему", "та же ошибка", "não funciona",
    "ainda", "mesmo erro", "continua dando", "non funziona", "ancora", "stesso errore",
    "werkt niet", "nog steeds", "nog niet", "helpt niet", "funkar inte", "fortfarande", "nefunguje",
    "pořád", "stále", "hâlâ", "çalışmıyor", "çalışmadı", "olmuyor", "olmadı", "masih", "vẫn",
    "nope", "you missed", "you forgot", "not what i", "no change", "no difference", "wrong file",
    "didn't help", "doesn't help", "not yet", "noch nicht", "hat nicht geholfen", "selbe fehler",
    "sigue igual", "sigue fallando", "sigue dando", "no sirve", "aún no", "pas encore",
    "rien ne change", "não deu certo", "continua igual", "deu erro", "не помогло", "опять",
    "ничего не изменилось", "ciągle", "znowu", "nie pomogło", "bez zmian", "ten sam problem",
    "все одно", "досі", "non va", "stesso problema", "هنوز", "لا يعمل", "ما زال", "没有变化", "没变",
    "没有用", "不是这个", "又报错", "依然", "変わりません", "変わらない", "直って", "ダメ", "안 되", "안되", "그대로",
    "不行", "还是", "仍然", "没用", "不对", "報錯", "报错", "まだ", "動かない", "動きません", "直らない", "여전히", "안 돼", "안돼",
];

/// Anywhere in a short text: the same work elsewhere.
#[rustfmt::skip]
pub(super) const LIKEWISE: &[&str] = &[
    "same", "likewise", "as well", "ditto", "similarly", "dasselbe", "das gleiche", "genauso",
    "ebenso", "auch für", "lo mismo", "igual para", "pareil", "la même chose", "même chose",
    "to samo", "tak samo", "то же", "аналогично", "o mesmo", "mesma coisa", "lo stesso",
    "stessa cosa", "hetzelfde", "samma sak", "totéž", "aynısını", "同样", "一样", "同じ", "똑같이",
];

/// As the first word of a few: an addition to what came before.
#[rustfmt::skip]
pub(super) const ADDING: &[&str] = &[
    "and", "also", "now", "then", "but", "or", "und", "auch", "jetzt", "y", "también", "ahora",
    "et", "aussi", "i", "też", "teraz", "и", "также", "теперь", "e", "também", "agora", "anche",
    "en", "ook", "nu", "och", "what", "how",
];

/// Words that stand for something said before.
#[rustfmt::skip]
pub(super) const PROFORMS: &[&str] = &[
    "one", "ones", "it", "that", "this", "them", "those", "these", "das", "es", "eins", "eine",
    "ça", "cela", "eso", "esto", "to", "isso", "это", "це", "about",
];

/// Without spaces between words: the phrases that make a short text lean.
#[rustfmt::skip]
pub(super) const UNSPACED: &[&str] = &[
    "继续", "繼續", "接着", "下一步", "下一个", "然后呢", "剩下", "続けて", "続き", "次へ", "次", "残り", "계속", "다음", "나머지",
    "还是", "不行", "仍然", "没用", "不对", "报错", "まだ", "動かない", "여전히", "同样", "一样", "同じ", "똑같이", "再试", "再来",
    "开始吧", "执行吧", "按你说", "按照你", "重新来", "進めて", "もう一度", "でお願いします", "진행해", "다시 해", "다시해",
    "고쳐줘",
];
