//! Labelled prompts as they lie in files, and as tokens. Decides which are never trained on.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use edge_router::catalog::Tier;
use edge_router::inference::tier_model::held_out;
use edge_router::inference::tokens::Tokens;
use serde::Deserialize;

pub(crate) struct Example {
    pub tokens: Vec<u32>,
    pub tier: Tier,
    /// A second labeller's tier, where there is one.
    pub second: Tier,
    /// Which file: one author wrote each.
    pub file: usize,
    /// The `source` of a measured prompt.
    pub source: String,
    /// Of the fifth that is never trained on.
    pub held_out: bool,
}

#[derive(Deserialize)]
struct Line {
    prompt: String,
    tier: Tier,
    tier_b: Option<Tier>,
    #[serde(default)]
    source: String,
}

/// The training files in the order of their names.
pub(crate) fn files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let mut paths: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "jsonl")).collect();
    paths.sort();
    ensure!(paths.len() > 1, "{} needs at least two .jsonl files", dir.display());
    Ok(paths)
}

/// Reads files, adding their bytes to `hash`.
pub(crate) fn read(
    paths: &[PathBuf],
    tokens: &Tokens,
    hash: &mut blake3::Hasher,
) -> anyhow::Result<Vec<Example>> {
    let mut examples = Vec::new();
    for (file, path) in paths.iter().enumerate() {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        hash.update(text.as_bytes());
        for (at, line) in text.lines().enumerate() {
            let line: Line = serde_json::from_str(line)
                .with_context(|| format!("{}:{}", path.display(), at + 1))?;
            examples.push(Example {
                tokens: tokens.read(&line.prompt)?,
                held_out: held_out(&line.prompt),
                tier: line.tier,
                second: line.tier_b.unwrap_or(line.tier),
                file,
                source: line.source,
            });
        }
    }
    Ok(examples)
}
