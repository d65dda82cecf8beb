//! Which files say nothing to a model: binaries, lock files, what a program generated, what an editor
//! keeps beside a file, and what is too large. Pure.

use crate::delta::ProjectPath;

/// Largest file in bytes that is told.
pub(super) const LARGEST: u64 = 512 * 1024;
/// A script or style sheet with a longer line was made by a program.
const LONGEST_LINE: usize = 5_000;
/// A mark of generated code stands in one of so many first lines.
const HEAD_LINES: usize = 5;

/// Why a file is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub(super) enum Skip {
    #[strum(serialize = "larger than 512 KiB")]
    TooLarge,
    #[strum(serialize = "no UTF-8 text")]
    Binary,
    #[strum(serialize = "lock file")]
    Lock,
    #[strum(serialize = "generated")]
    Generated,
    #[strum(serialize = "an editor's own file")]
    Editor,
}

/// Directories that are never entered, with or without a `.gitignore`.
pub(super) fn directory(name: &str) -> bool {
    matches!(
        name,
        ".git"
            | ".hg"
            | ".svn"
            | ".jj"
            | "node_modules"
            | "bower_components"
            | "target"
            | "dist"
            | "__pycache__"
            | ".venv"
            | ".tox"
            | ".mypy_cache"
            | ".pytest_cache"
            | ".ruff_cache"
            | ".gradle"
            | ".next"
            | ".nuxt"
            | ".svelte-kit"
            | ".turbo"
            | ".terraform"
            | ".direnv"
    )
}

/// What a file's name alone tells.
pub(super) fn by_name(path: &ProjectPath) -> Option<Skip> {
    let name = path.name().to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if is_lock(&name, extension) {
        Some(Skip::Lock)
    } else if is_editors(&name, extension) {
        Some(Skip::Editor)
    } else if is_generated(&name, extension) {
        Some(Skip::Generated)
    } else if is_binary(extension) {
        Some(Skip::Binary)
    } else {
        None
    }
}

fn is_lock(name: &str, extension: &str) -> bool {
    extension == "lock"
        || matches!(
            name,
            "package-lock.json"
                | "npm-shrinkwrap.json"
                | "pnpm-lock.yaml"
                | "bun.lockb"
                | "go.sum"
                | "go.work.sum"
                | "packages.lock.json"
                | "package.resolved"
                | ".terraform.lock.hcl"
                | "gradle.lockfile"
        )
}

fn is_editors(name: &str, extension: &str) -> bool {
    name.ends_with('~')
        || name.starts_with(".#")
        || (name.starts_with('#') && name.ends_with('#'))
        || name.starts_with(".goutputstream-")
        || name.contains("___jb_")
        || name == "4913"
        || name == ".ds_store"
        || matches!(extension, "swp" | "swo" | "swx")
}

fn is_generated(name: &str, extension: &str) -> bool {
    let minified = [".min.js", ".min.mjs", ".min.cjs", ".min.css", "-min.js", "-min.css"];
    extension == "map"
        || minified.iter().any(|end| name.ends_with(end))
        || [".pb.go", "_pb2.py", "_pb2_grpc.py", ".g.dart", ".designer.cs"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// Only to spare the reading: content decides in any case.
fn is_binary(extension: &str) -> bool {
    matches!(
        extension,
        "png"
            | "jpg"
            | "jpeg"
            | "gif"
            | "webp"
            | "ico"
            | "pdf"
            | "zip"
            | "gz"
            | "xz"
            | "zst"
            | "7z"
            | "tar"
            | "jar"
            | "class"
            | "so"
            | "dll"
            | "dylib"
            | "exe"
            | "o"
            | "a"
            | "rlib"
            | "wasm"
            | "pyc"
            | "mp3"
            | "mp4"
            | "mov"
            | "wav"
            | "ogg"
            | "ttf"
            | "otf"
            | "woff"
            | "woff2"
            | "sqlite"
            | "db"
            | "bin"
            | "gguf"
            | "safetensors"
            | "parquet"
    )
}

/// The text of a file, if it is one that is told.
///
/// # Errors
/// Why it is not told.
pub(super) fn by_content(path: &ProjectPath, bytes: Vec<u8>) -> Result<String, Skip> {
    if bytes.len() as u64 > LARGEST {
        return Err(Skip::TooLarge);
    }
    if bytes.contains(&0) {
        return Err(Skip::Binary);
    }
    let text = String::from_utf8(bytes).map_err(|_| Skip::Binary)?;
    if is_marked(&text) || is_minified(path, &text) {
        return Err(Skip::Generated);
    }
    Ok(text)
}

/// The marks that generators agree on stand in a comment at the top.
fn is_marked(text: &str) -> bool {
    text.lines().take(HEAD_LINES).any(|line| {
        let line = line.trim_start();
        let comment = ["//", "#", "/*", "*", "--", "<!--", ";"];
        comment.iter().any(|sign| line.starts_with(sign))
            && (line.contains("@generated")
                || (line.contains("Code generated") && line.contains("DO NOT EDIT")))
    })
}

fn is_minified(path: &ProjectPath, text: &str) -> bool {
    let extension = path.name().rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(extension, "js" | "mjs" | "cjs" | "css" | "html" | "svg")
        && text.split('\n').any(|line| line.len() > LONGEST_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn path(text: &str) -> ProjectPath {
        ProjectPath::parse(text).unwrap()
    }

    #[rstest]
    #[case("Cargo.lock", Some(Skip::Lock))]
    #[case("web/package-lock.json", Some(Skip::Lock))]
    #[case("app.min.js", Some(Skip::Generated))]
    #[case("app.js.map", Some(Skip::Generated))]
    #[case("src/.main.rs.swp", Some(Skip::Editor))]
    #[case("src/main.rs~", Some(Skip::Editor))]
    #[case("logo.PNG", Some(Skip::Binary))]
    #[case("src/main.rs", None)]
    #[case(".github/workflows/ci.yml", None)]
    #[case("Makefile", None)]
    fn a_name_may_tell_that_a_file_is_not_told(#[case] name: &str, #[case] why: Option<Skip>) {
        assert_eq!(by_name(&path(name)), why);
    }

    #[test]
    fn a_content_may_tell_that_a_file_is_not_told() {
        let of = |name: &str, bytes: &[u8]| by_content(&path(name), bytes.to_vec()).err();
        assert_eq!(of("a.txt", b"a\0b"), Some(Skip::Binary));
        assert_eq!(of("a.txt", b"caf\xe9"), Some(Skip::Binary));
        assert_eq!(of("a.txt", &vec![b'a'; 512 * 1024 + 1]), Some(Skip::TooLarge));
        assert_eq!(of("a.js", &vec![b'a'; 6_000]), Some(Skip::Generated));
        let mark = ["// Code gene", "rated by protoc-gen-go. DO NOT EDIT.\n"].concat();
        assert_eq!(of("a.go", mark.as_bytes()), Some(Skip::Generated));
        assert_eq!(of("a.txt", "caf\u{e9}\n".as_bytes()), None);
        assert_eq!(of("empty", b""), None);
    }
}
