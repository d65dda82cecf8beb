use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::context::sample::path;

fn index(files: &[(&str, &str)]) -> Index {
    let mut index = Index::default();
    for (name, text) in files {
        index.insert(&path(name), text);
    }
    index
}

fn found(index: &Index, words: &str) -> Vec<String> {
    index.search(words, 10).into_iter().map(|(path, _)| path.to_string()).collect()
}

fn names(paths: &[ProjectPath]) -> Vec<&str> {
    paths.iter().map(ProjectPath::as_str).collect()
}

#[test]
fn a_search_finds_words_within_names() {
    let index = index(&[
        ("a.rs", "fn parse_header(input: &str) {}"),
        ("b.rs", "struct HttpHeaderParser;"),
        ("c.rs", "fn total(cart: &Cart) -> Money {}"),
    ]);
    assert_eq!(found(&index, "why does the header parser fail"), ["b.rs", "a.rs"]);
    assert_eq!(found(&index, "money in carts"), ["c.rs"]);
    assert_eq!(found(&index, "please fix it"), [""; 0]);
}

#[test]
fn a_search_knows_other_scripts() {
    let index = index(&[
        ("a.py", "# 用户登录失败"),
        ("b.py", "# größe der Körbe"),
        ("c.py", "x = 'корзина'"),
    ]);
    assert_eq!(found(&index, "登录"), ["a.py"]);
    assert_eq!(found(&index, "KÖRBE"), ["b.py"]);
    assert_eq!(found(&index, "где корзина?"), ["c.py"]);
}

#[test]
fn a_word_in_the_path_weighs_more_than_one_in_the_text() {
    let body = "let a = b;\n".repeat(20);
    let index = index(&[
        ("src/cart.rs", body.as_str()),
        ("src/list.rs", &format!("{body}// cart\n")),
        ("src/misc.rs", body.as_str()),
    ]);
    assert_eq!(found(&index, "cart"), ["src/cart.rs", "src/list.rs"]);
}

#[test]
fn a_score_is_a_share() {
    let index = index(&[("a.rs", "budget budget budget budget limit"), ("b.rs", "other things")]);
    let both = index.search("budget limit", 5);
    let half = index.search("budget spaceship rocket", 5);
    assert!(both[0].1 > half[0].1, "{both:?} {half:?}");
    assert!(both[0].1 <= 1.0 && half[0].1 > 0.0);
}

#[test]
fn a_new_text_replaces_the_old_one_and_leaves_clones_alone() {
    let mut index = index(&[("a.rs", "alpha"), ("b.rs", "beta")]);
    let before = index.clone();
    index.insert(&path("a.rs"), "gamma");
    index.remove(&path("b.rs"));
    assert_eq!(
        (found(&index, "alpha beta"), found(&index, "gamma")),
        (vec![], vec!["a.rs".into()])
    );
    assert_eq!(found(&before, "alpha beta").len(), 2);
    assert_eq!((index.len(), before.len()), (1, 2));
}

#[rstest]
#[case::rust("src/a/b.rs", "use crate::money::NanoUsd;", "src/money.rs")]
#[case::rust_deep("src/a.rs", "use crate::context::rank::{Ranked, rank};", "src/context/rank.rs")]
#[case::rust_items("src/a.rs", "use crate::{chat, money::Usd};", "src/money.rs")]
#[case::rust_super("src/context/rank.rs", "use super::index::Index;", "src/context/index.rs")]
#[case::rust_parent("src/context/rank.rs", "use super::Project;", "src/context.rs")]
#[case::rust_mod("src/context.rs", "mod rank;", "src/context/rank.rs")]
#[case::rust_mod_beside("src/lib.rs", "pub mod money;", "src/money.rs")]
#[case::rust_mod_file("src/lib.rs", "pub(crate) mod net;", "src/net/mod.rs")]
#[case::script("web/app.tsx", "import { Row } from './list/row';", "web/list/row.tsx")]
#[case::script_up("web/a/b.ts", "} from \"../util.js\";", "web/util.ts")]
#[case::script_index("web/a.ts", "export * from './list'", "web/list/index.ts")]
#[case::script_alias("web/src/a.vue", "import Row from '@/list/Row.vue'", "web/src/list/Row.vue")]
#[case::script_require("a.js", "const x = require('./lib/x');", "lib/x.js")]
#[case::python("app/views.py", "from app.models import Cart", "app/models.py")]
#[case::python_module("app/views.py", "from app import models, other", "app/models.py")]
#[case::python_relative("app/views.py", "from .models import Cart", "app/models.py")]
#[case::python_up("app/web/views.py", "from ..models import Cart", "app/models.py")]
#[case::python_package("main.py", "import app", "app/__init__.py")]
#[case::go("cmd/main.go", "\t\"example.org/shop/internal/cart\"", "internal/cart/cart.go")]
#[case::c("src/a.c", "#include \"util/list.h\"", "src/util/list.h")]
#[case::c_include("src/a.c", "#include <shop/list.h>", "include/shop/list.h")]
#[case::java(
    "src/main/java/org/shop/A.java",
    "import org.shop.cart.Cart;",
    "src/main/java/org/shop/cart/Cart.java"
)]
#[case::php("src/A.php", "use Shop\\Cart\\Cart;", "src/Shop/Cart/Cart.php")]
#[case::ruby("lib/a.rb", "require_relative 'cart/row'", "lib/cart/row.rb")]
#[case::ruby_path("lib/a.rb", "require 'cart/row'", "lib/cart/row.rb")]
fn an_import_leads_to_the_file_that_it_means(
    #[case] from: &str,
    #[case] line: &str,
    #[case] to: &str,
) {
    let other = "docs/other.md";
    let index = index(&[(from, line), (to, ""), (other, line)]);
    assert_eq!(names(&index.imported_by(&path(from))), [to]);
    assert_eq!(names(&index.importing(&path(to), 5)), [from]);
}

#[rstest]
#[case::std("src/a.rs", "use std::money::Usd;", "src/money.rs")]
#[case::foreign("src/a.rs", "use money::Usd;", "src/money.rs")]
#[case::package("web/a.ts", "import x from 'list';", "web/list.ts")]
#[case::language("a.py", "import money", "money.rs")]
#[case::itself("src/a.rs", "use crate::a::B;", "src/a.rs")]
fn an_import_from_elsewhere_leads_nowhere(
    #[case] from: &str,
    #[case] line: &str,
    #[case] to: &str,
) {
    let index = index(&[(to, ""), (from, line)]);
    assert!(index.imported_by(&path(from)).is_empty() || line.starts_with("import x"));
}

#[test]
fn the_nearest_of_several_is_meant() {
    let index = index(&[("a/util.py", ""), ("b/util.py", ""), ("b/x.py", "import util")]);
    assert_eq!(names(&index.imported_by(&path("b/x.py"))), ["b/util.py"]);
    assert!(index.importing(&path("a/util.py"), 5).is_empty());
}

#[test]
fn a_file_is_found_by_the_end_of_its_path() {
    let index = index(&[("src/a/deep/er/cart.rs", ""), ("tests/cart.rs", "")]);
    assert_eq!(index.named("cart.rs", 5).len(), 2);
    assert_eq!(names(&index.named("deep/er/cart.rs", 5)), ["src/a/deep/er/cart.rs"]);
    assert_eq!(names(&index.named("a/deep/er/Cart.rs", 5)), ["src/a/deep/er/cart.rs"]);
    assert!(index.named("b/deep/er/cart.rs", 5).is_empty());
    assert!(index.named("art.rs", 5).is_empty());
}

#[test]
fn this_programs_own_files_take_less_than_three_kibibytes_each() {
    let mut index = Index::default();
    for (name, text) in own_files() {
        index.insert(&path(&name), &text);
    }
    assert!(index.len() > 20, "{}", index.len());
    assert!(index.bytes() / index.len() <= 3 * 1024, "{}", index.bytes() / index.len());
}

fn own_files() -> Vec<(String, String)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut open = vec![std::path::PathBuf::from(root)];
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let file = entry.unwrap().path();
            if file.is_dir() {
                open.push(file);
            } else if let Ok(text) = std::fs::read_to_string(&file) {
                let name = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push((name, text));
            }
        }
    }
    files
}

proptest! {
    #[test]
    fn whatever_came_and_went_the_index_is_that_of_what_is_there(
        steps in proptest::collection::vec((0..12_u8, proptest::option::of("(alpha|beta|gamma| ){1,4}")), 1..60)
    ) {
        let mut index = Index::default();
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for (file, text) in steps {
            let name = format!("d/{file}x.rs");
            match text {
                Some(text) => {
                    index.insert(&path(&name), &text);
                    files.insert(name, text);
                }
                None => {
                    index.remove(&path(&name));
                    files.remove(&name);
                }
            }
        }
        prop_assert_eq!(index.len(), files.len());
        prop_assert!(index.slots.len() <= 5, "{} segments", index.slots.len());
        for word in ["alpha", "beta", "gamma"] {
            let mut found: Vec<String> =
                index.search(word, 50).into_iter().map(|(path, _)| path.to_string()).collect();
            found.sort();
            let mut right: Vec<String> =
                files.iter().filter(|(_, text)| text.split(' ').any(|own| {
                    let mut words = Vec::new();
                    each_word(own, |w| words.push(w.to_owned()));
                    words.iter().any(|own| own == word)
                })).map(|(name, _)| name.clone()).collect();
            right.sort();
            prop_assert_eq!(found, right);
        }
        for name in files.keys() {
            prop_assert_eq!(index.named(name, 3).len(), 1);
        }
    }
}
