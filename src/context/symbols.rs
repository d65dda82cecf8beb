//! What a line of code defines, by its first words; no language is parsed. Right for code as it is
//! usually formatted, silent where it is not.

/// A line that is longer is data.
const LONGEST_LINE: usize = 400;

/// Words that may stand before the one that defines.
const BEFORE: &[&str] = &[
    "pub",
    "export",
    "default",
    "async",
    "static",
    "public",
    "private",
    "protected",
    "internal",
    "abstract",
    "final",
    "sealed",
    "unsafe",
    "override",
    "inline",
    "virtual",
    "open",
    "data",
    "partial",
    "declare",
    "extern",
    "constexpr",
    "suspend",
    "readonly",
    "local",
    "typedef",
];

/// Words after which a name is defined.
const DEFINES: &[&str] = &[
    "fn",
    "def",
    "class",
    "struct",
    "enum",
    "trait",
    "interface",
    "func",
    "function",
    "function*",
    "type",
    "const",
    "mod",
    "module",
    "namespace",
    "macro_rules!",
    "record",
    "object",
    "protocol",
    "defmodule",
    "sub",
    "fun",
    "union",
    "defp",
    "extension",
];

/// The name that a line defines.
pub(super) fn defined(line: &str) -> Option<&str> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    let mut rest = line.trim_start();
    // Most lines begin otherwise.
    if !rest.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    for _ in 0..5 {
        let (word, after) = first_word(rest)?;
        if DEFINES.contains(&word) {
            return name(word, after, line.starts_with(char::is_whitespace));
        }
        if !BEFORE.contains(&word) {
            return None;
        }
        rest = past_bracket(after.trim_start());
    }
    None
}

fn first_word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| c.is_whitespace() || c == '(' || c == '"')?;
    Some(text.split_at(end))
}

/// `pub(crate)`, `extern "C"`.
fn past_bracket(text: &str) -> &str {
    let inside = match text.as_bytes().first() {
        Some(b'(') => text.split_once(')'),
        Some(b'"') => text[1..].split_once('"'),
        _ => None,
    };
    inside.map_or(text, |(_, after)| after.trim_start())
}

fn name<'a>(word: &str, after: &'a str, indented: bool) -> Option<&'a str> {
    let mut after = after.trim_start();
    // A Go method names its receiver first.
    if word == "func" && after.starts_with('(') {
        after = after.split_once(')')?.1.trim_start();
    }
    // `const fn`, `enum class`: the second word defines.
    if let Some((second, rest)) = first_word(after)
        && (DEFINES.contains(&second) || matches!(second, "unsafe" | "async" | "extern"))
    {
        return name(second, past_bracket(rest.trim_start()), indented);
    }
    // A constant inside a function is nobody's symbol.
    if word == "const" && indented && after.starts_with(|c: char| c.is_lowercase()) {
        return None;
    }
    let end = after.find(|c: char| !is_name(c)).unwrap_or(after.len());
    let name = &after[..end];
    (name.len() > 1 && !name.starts_with(|c: char| c.is_numeric())).then_some(name)
}

pub(super) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("pub(crate) async fn read_body(&self) {", Some("read_body"))]
    #[case("    pub const fn new_one() -> Self {", Some("new_one"))]
    #[case("pub unsafe extern \"C\" fn call() {", Some("call"))]
    #[case("const LIMIT: usize = 3;", Some("LIMIT"))]
    #[case("macro_rules! each {", Some("each"))]
    #[case("export default class App extends X {", Some("App"))]
    #[case("export const useList = () => {", Some("useList"))]
    #[case("  const row = 3;", None)]
    #[case("  async def fetch(self):", Some("fetch"))]
    #[case("class Cart:", Some("Cart"))]
    #[case("func (s *Server) Serve(l net.Listener) error {", Some("Serve"))]
    #[case("type Config struct {", Some("Config"))]
    #[case("public static final class Inner {", Some("Inner"))]
    #[case("enum class Color { Red };", Some("Color"))]
    #[case("interface Props {", Some("Props"))]
    #[case("return fn(x);", None)]
    #[case("// fn commented() {", None)]
    #[case("let x = 3;", None)]
    #[case("type", None)]
    fn a_line_that_defines_gives_its_name(#[case] line: &str, #[case] name: Option<&str>) {
        assert_eq!(defined(line), name);
    }
}
