//! The surroundings of a configuration: variables and the working directory, as values, so that a
//! test has its own and nothing ever changes the process's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Variables that set a key of the configuration: `EDGE_ROUTER__SECTION__KEY`.
pub(super) const PREFIX: &str = "EDGE_ROUTER__";

/// Variables and working directory.
#[derive(Clone, Default)]
pub struct Environment {
    pub variables: BTreeMap<String, String>,
    pub working_dir: PathBuf,
}

impl Environment {
    /// Those of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            working_dir: std::env::current_dir().unwrap_or_default(),
        }
    }

    /// An environment of its own, for tests and for trying a text.
    pub fn new<N: Into<String>, V: Into<String>>(
        working_dir: impl Into<PathBuf>,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Self {
            variables: variables.into_iter().map(|(n, v)| (n.into(), v.into())).collect(),
            working_dir: working_dir.into(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A variable that is set and not empty.
    pub fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.trim().is_empty())
    }

    /// `$XDG_CONFIG_HOME/edge-router`, else `~/.config/edge-router`.
    pub fn user_config_dir(&self) -> Option<PathBuf> {
        let base = match self.non_empty("XDG_CONFIG_HOME") {
            Some(dir) => PathBuf::from(dir),
            None => Path::new(self.non_empty("HOME")?).join(".config"),
        };
        Some(base.join("edge-router"))
    }

    /// This environment and the variables of a `.env` file; what is set already stays. Also the
    /// numbers of the lines that cannot be read (never their content, it may be a secret).
    pub fn with_dot_env(&self, text: &str) -> (Self, Vec<usize>) {
        let mut all = self.clone();
        let mut unread = Vec::new();
        for entry in dotenvy::from_read_iter(text.as_bytes()) {
            match entry {
                Ok((name, value)) => {
                    all.variables.entry(name).or_insert(value);
                }
                Err(dotenvy::Error::LineParse(bad, _)) => {
                    let place = text.lines().position(|line| line.trim() == bad.trim());
                    unread.extend(place.map(|index| index + 1));
                }
                Err(_) => {}
            }
        }
        (all, unread)
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("working_dir", &self.working_dir)
            .finish()
    }
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`. As in shells, the default also
/// replaces a variable that is set but empty.
///
/// # Errors
/// The first variable that is not set and has no default, or what is malformed.
pub(super) fn interpolate(text: &str, environment: &Environment) -> Result<String, Interpolation> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            out.push_str(&rest[..start]);
            out.push('{');
            rest = &rest[start + 2..];
            continue;
        }
        out.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('}') else {
            return Err(Interpolation::Unclosed);
        };
        let inside = &rest[start + 2..start + end];
        rest = &rest[start + end + 1..];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Interpolation::BadName(name.to_owned()));
        }
        match (environment.get(name), default) {
            (Some(value), None) => out.push_str(value),
            (Some(value), Some(_)) if !value.is_empty() => out.push_str(value),
            (_, Some(default)) => out.push_str(default),
            (None, None) => return Err(Interpolation::Unset(name.to_owned())),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Why a text could not be completed from the environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Interpolation {
    #[error("the variable {0} is not set; set it, or write ${{{0}:-default}}")]
    Unset(String),
    #[error("`${{` without `}}`; write $${{ for a literal ${{")]
    Unclosed,
    #[error("`{0}` is not the name of a variable; allowed: letters, digits, `_`")]
    BadName(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("plain", Ok("plain"))]
    #[case("a ${SET} b", Ok("a value b"))]
    #[case("${SET}${SET}", Ok("valuevalue"))]
    #[case("${UNSET:-fallback}", Ok("fallback"))]
    #[case("${UNSET:-}", Ok(""))]
    #[case("${EMPTY:-fallback}", Ok("fallback"))]
    #[case("${EMPTY}", Ok(""))]
    #[case("$${SET}", Ok("${SET}"))]
    #[case("${UNSET}", Err(Interpolation::Unset("UNSET".into())))]
    #[case("${SET", Err(Interpolation::Unclosed))]
    #[case("${no good}", Err(Interpolation::BadName("no good".into())))]
    fn variables_are_filled_in(#[case] text: &str, #[case] expected: Result<&str, Interpolation>) {
        let environment = Environment::new("/", [("SET", "value"), ("EMPTY", "")]);
        assert_eq!(interpolate(text, &environment), expected.map(str::to_owned));
    }

    #[test]
    fn what_is_set_already_wins_over_the_dot_env_file() {
        let environment = Environment::new("/", [("A", "process")]);
        let text = "# keys\nA=file\n??? 1\nexport B='two words'\n\n";
        let (all, unread) = environment.with_dot_env(text);
        assert_eq!((all.get("A"), all.get("B")), (Some("process"), Some("two words")));
        assert_eq!(unread, [3]);
    }

    #[test]
    fn debug_output_shows_no_values() {
        let environment = Environment::new("/", [("KEY", "sk-secret")]);
        assert!(!format!("{environment:?}").contains("sk-secret"));
    }

    proptest! {
        #[test]
        fn interpolation_never_panics_and_leaves_plain_text_alone(text in ".{0,60}") {
            let result = interpolate(&text, &Environment::default());
            if !text.contains("${") {
                prop_assert_eq!(result, Ok(text));
            }
        }
    }
}
