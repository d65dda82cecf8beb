//! What can be wrong with bytes, in words that may be shown: where it is and what was expected,
//! never what the text said.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Why bytes could not be read or written. `Display` is safe to show to the client: it names the
/// place and never quotes a prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not JSON.
    #[error("the body is not valid JSON: {message} at line {line} column {column}")]
    Malformed { line: usize, column: usize, message: String },
    /// JSON of the wrong shape; `path` is like `messages[3].content`, empty for the whole body.
    #[error("{}{message}", prefix(path))]
    Field { path: String, message: String },
    /// A direction that does not exist.
    #[error("{0}")]
    Unsupported(String),
    /// A provider's answer that is an error object or cannot be understood.
    #[error("{message}")]
    Answer { message: String, status: Option<u16> },
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}`: ") }
}

impl WireError {
    pub(crate) fn field(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field { path: path.into(), message: message.into() }
    }

    pub(crate) fn answer(message: impl Into<String>) -> Self {
        Self::Answer { message: message.into(), status: None }
    }

    /// The path of the offending field, for an error object's `param`.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Field { path, .. } if !path.is_empty() => Some(path),
            Self::Field { .. }
            | Self::Malformed { .. }
            | Self::Unsupported(_)
            | Self::Answer { .. } => None,
        }
    }
}

/// Reads a request body. The path of a mistake is looked for only when there is one, since
/// tracking it costs time.
pub(crate) fn read_request<T: DeserializeOwned>(body: &[u8]) -> Result<T, WireError> {
    // Structs would take a list's items for their fields.
    let object = body.trim_ascii_start().first().is_none_or(|first| *first == b'{');
    match serde_json::from_slice(body) {
        Ok(value) if object => Ok(value),
        Err(error) if object || !error.is_data() => Err(explain::<T>(body, &error)),
        Ok(_) | Err(_) => Err(WireError::field("", "the body must be a JSON object")),
    }
}

fn explain<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> WireError {
    if std::str::from_utf8(body).is_err() {
        let valid = std::str::from_utf8(body).map_or_else(|e| e.valid_up_to(), str::len);
        let (line, column) = position(&body[..valid]);
        return WireError::Malformed { line, column, message: "invalid UTF-8".to_owned() };
    }
    if error.classify() != Category::Data {
        return malformed(error);
    }
    let mut source = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut source) {
        Ok(_) => WireError::field("", "the body cannot be read"),
        Err(error) => {
            let path = error.path().to_string();
            let path = if path == "." { String::new() } else { path };
            WireError::field(path, without_values(&error.into_inner()))
        }
    }
}

fn malformed(error: &serde_json::Error) -> WireError {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default().to_owned();
    WireError::Malformed { line: error.line(), column: error.column(), message }
}

fn position(valid: &[u8]) -> (usize, usize) {
    let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = valid.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

/// serde quotes the offending value, which may be a prompt: keep its type only.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = match text.rfind(" at line ") {
        Some(end) => &text[..end],
        None => &text,
    };
    if text.starts_with("unknown variant ") {
        let what = text.rfind("`, expected ").map_or("unknown value", |at| &text[at + 3..]);
        return what.to_owned();
    }
    let Some(rest) =
        text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "))
    else {
        return text.to_owned();
    };
    let found = ["string", "integer", "floating point", "boolean", "null", "map", "sequence"]
        .into_iter()
        .find(|kind| rest.starts_with(kind));
    let found = match found {
        Some("map") => "an object",
        Some("sequence") => "a list",
        Some("string") => "a string",
        Some("integer" | "floating point") => "a number",
        Some("boolean") => "a boolean",
        Some("null") => "null",
        Some(_) | None => "something else",
    };
    let expected = rest.rsplit_once(", expected ").map_or("another type", |(_, what)| what);
    let expected = match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        "f64" | "u64" | "i64" | "u32" => "a number",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("expected {expected}, got {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_says_line_and_column_and_quotes_nothing() {
        let error = read_request::<Vec<String>>(b"[\n  \"secret\",\n  oops]").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the body is not valid JSON: expected value at line 3 column 3"
        );
    }

    #[test]
    fn invalid_utf8_is_said_with_its_place() {
        let error = read_request::<Vec<String>>(b"[\"a\",\n\"\xff\"]").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the body is not valid JSON: invalid UTF-8 at line 2 column 2"
        );
    }

    #[test]
    fn a_wrong_type_names_the_path_and_never_the_value() {
        #[derive(Debug, serde::Deserialize)]
        struct Body {
            #[expect(dead_code, reason = "only its reading is tested")]
            list: Vec<u64>,
        }
        let error = read_request::<Body>(br#"{"list":[1,"my secret, expected too"]}"#).unwrap_err();
        assert_eq!(error.to_string(), "`list[1]`: expected a number, got a string");
        assert_eq!(error.path(), Some("list[1]"));
    }
}
