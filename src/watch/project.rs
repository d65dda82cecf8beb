//! A project's name as the server takes it.

/// Longest name in bytes.
const LONGEST: usize = 128;
/// Names that are paths of the server's own.
const RESERVED: [&str; 2] = ["stats", "delta"];

/// What a name may be.
pub(super) const RULE: &str = "a project's name has 1 to 128 bytes: letters, digits, spaces and - _ . + @, the first and last no space, the first no dot; `stats` and `delta` are reserved";

/// Whether the server can be given this name.
pub(super) fn is_sound(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len())
        && name.trim() == name
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '+' | '@'))
        && !RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}

/// The directory's name made into one that the server can be given and that needs no quotes anywhere.
pub(super) fn from_directory(name: &str) -> String {
    let safe: String = name.chars().map(|c| if is_safe(c) { c } else { '-' }).collect();
    let safe = safe.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let safe: String = safe.chars().take(LONGEST).collect();
    if is_sound(&safe) {
        safe
    } else if safe.is_empty() {
        "project".to_owned()
    } else {
        format!("{safe}-project")
    }
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("shop", "shop")]
    #[case("My Shop (2)", "My-Shop--2")]
    #[case(".config", "config")]
    #[case("日本", "project")]
    #[case("Stats", "Stats-project")]
    fn a_directory_gives_a_project_its_name(#[case] directory: &str, #[case] name: &str) {
        assert_eq!(from_directory(directory), name);
    }

    proptest! {
        #[test]
        fn every_directory_gives_a_sound_name(name in "\\PC{0,100}") {
            prop_assert!(is_sound(&from_directory(&name)));
        }
    }
}
