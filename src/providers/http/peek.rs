//! A look at the beginning of an answer, before anyone is told that there is one.

use serde::Deserialize;
use serde_json::Value;

use crate::chat::Dialect;

/// What the beginning of an answer shows.
#[derive(Debug, PartialEq)]
pub(super) enum Peek {
    Good,
    /// An error in the place of an answer: the error object, with the fields beside it if it has none
    /// of its own.
    Error(Value),
    /// HTML, a whole JSON answer, or anything else that was not asked for.
    NotAStream,
    /// Not decided yet.
    More,
}

/// Looks for the first event of a stream.
pub(super) fn peek(dialect: Dialect, bytes: &[u8]) -> Peek {
    match dialect {
        Dialect::Ollama => first_line(bytes),
        Dialect::OpenAi | Dialect::Responses | Dialect::Anthropic => first_event(bytes),
    }
}

/// Looks at a whole answer: valid JSON, an object, and no error in it.
pub(super) fn whole(body: &[u8]) -> Peek {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        error: Option<Value>,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(Answer { error: Some(error) }) if is_error(&error) => Peek::Error(error),
        Ok(_) if body.trim_ascii_start().first() == Some(&b'{') => Peek::Good,
        _ => Peek::NotAStream,
    }
}

fn is_error(error: &Value) -> bool {
    match error {
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    }
}

/// Newline-delimited JSON.
fn first_line(bytes: &[u8]) -> Peek {
    let bytes = bytes.trim_ascii_start();
    if bytes.first().is_some_and(|byte| *byte != b'{') {
        return Peek::NotAStream;
    }
    match bytes.first_full_line() {
        Some(line) => whole(line),
        None => Peek::More,
    }
}

/// Server-sent events (WHATWG HTML, "9.2.6 Interpreting an event stream"): comments and pings are
/// passed over.
fn first_event(bytes: &[u8]) -> Peek {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let start = bytes.trim_ascii_start();
    if matches!(start.first(), Some(b'<' | b'{' | b'[')) {
        return complete_json(start);
    }
    let mut rest = bytes;
    let (mut data, mut ping): (Vec<u8>, bool) = (Vec::new(), false);
    while let Some(line) = rest.first_full_line() {
        rest = &rest[line.len() + 1..];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(value) = line.strip_prefix(b"data:") {
            data.extend_from_slice(value.trim_ascii());
        } else if let Some(name) = line.strip_prefix(b"event:") {
            ping = name.trim_ascii() == b"ping";
        } else if line.is_empty() && !data.is_empty() {
            if !ping {
                return event(&data);
            }
            (data, ping) = (Vec::new(), false);
        }
    }
    Peek::More
}

/// A stream was asked for and JSON came: an error, or an answer in the wrong form.
fn complete_json(bytes: &[u8]) -> Peek {
    if bytes.first() == Some(&b'<') {
        return Peek::NotAStream;
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(fields)) => match fields.get("error") {
            Some(error) if is_error(error) => Peek::Error(error.clone()),
            _ => Peek::NotAStream,
        },
        Ok(_) => Peek::NotAStream,
        Err(error) if error.is_eof() => Peek::More,
        Err(_) => Peek::NotAStream,
    }
}

fn event(data: &[u8]) -> Peek {
    if data == b"[DONE]" {
        return Peek::NotAStream;
    }
    // Most first events are no errors: do not parse those.
    if !data.windows(7).any(|part| part == b"\"error\"") {
        return Peek::Good;
    }
    match serde_json::from_slice::<Value>(data) {
        Ok(Value::Object(fields)) => match fields.get("error") {
            Some(error) if is_error(error) => Peek::Error(error.clone()),
            _ => Peek::Good,
        },
        _ => Peek::Good,
    }
}

trait Lines {
    /// The bytes before the first line end; `None` if there is none yet.
    fn first_full_line(&self) -> Option<&[u8]>;
}

impl Lines for [u8] {
    fn first_full_line(&self) -> Option<&[u8]> {
        let end = self.iter().position(|byte| *byte == b'\n')?;
        Some(&self[..end])
    }
}
