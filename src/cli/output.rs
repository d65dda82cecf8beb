//! The one place that prints. Data goes to stdout, everything else to stderr. Colours only where a
//! terminal reads and `NO_COLOR` is not set (no-color.org).

use std::io::{IsTerminal, Write};

/// Writes a line of data to stdout. A closed pipe is not an error.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line for the human to stderr.
pub(crate) fn error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes a value as indented JSON to stdout.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<(), super::CliError> {
    let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
    line(&text);
    Ok(())
}

/// A colour for words on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Green,
    Yellow,
    Red,
}

/// `text` in a colour, if stdout shows colours.
pub(crate) fn paint(colour: Colour, text: &str) -> String {
    static COLOURS: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let wanted = *COLOURS.get_or_init(|| {
        std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    });
    if !wanted {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
