//! The one place that prints. Data goes to stdout, everything else to stderr.

use std::io::Write;

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
