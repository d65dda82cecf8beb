//! The one place that prints. Data goes to stdout, everything else to stderr. Colours only where a
//! terminal reads and `NO_COLOR` is not set (no-color.org).

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

/// The first failure to write to stdout.
static FAILURE: OnceLock<std::io::Error> = OnceLock::new();

/// Writes a line of data to stdout. That it cannot be written is told by [`closed`] and [`failure`].
pub(crate) fn line(text: &str) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
        let _ = FAILURE.set(error);
    }
}

/// Nobody reads stdout any more: whoever produces line after line can stop.
pub(crate) fn closed() -> bool {
    FAILURE.get().is_some()
}

/// Why stdout could not be written, for the exit code. A reader that has seen enough and closed the
/// pipe (`| head -1`) is no failure.
pub(crate) fn failure() -> Option<&'static std::io::Error> {
    FAILURE.get().filter(|error| error.kind() != ErrorKind::BrokenPipe)
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
    static COLOURS: OnceLock<bool> = OnceLock::new();
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
