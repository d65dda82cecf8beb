//! Labelled prompts as they lie in files, and as weighted features.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use edge_router::catalog::Tier;
use edge_router::inference::features::{self, FeatureSettings, Features};
use serde::Deserialize;

pub(crate) struct Example {
    pub features: Features,
    pub tier: Tier,
    /// A second labeller's tier, where there is one.
    pub second: Tier,
    /// Which file: one author wrote each.
    pub file: usize,
    /// The `source` of a measured prompt.
    pub source: String,
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
    settings: &FeatureSettings,
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
                features: features::extract(&line.prompt, settings),
                tier: line.tier,
                second: line.tier_b.unwrap_or(line.tier),
                file,
                source: line.source,
            });
        }
    }
    Ok(examples)
}

/// Rarity of each bucket among these examples; 0 where fewer than two have it.
#[expect(clippy::cast_precision_loss, reason = "counts of examples are small")]
pub(crate) fn rarity(examples: &[&Example], buckets: u32) -> Vec<f32> {
    let mut having = vec![0_u32; buckets as usize];
    for block in examples.iter().flat_map(|example| example.features.blocks()) {
        block.iter().for_each(|(bucket, _)| having[*bucket as usize] += 1);
    }
    let all = 1.0 + examples.len() as f32;
    let rarity = |n: u32| if n < 2 { 0.0 } else { (all / (1.0 + n as f32)).ln() + 1.0 };
    having.into_iter().map(rarity).collect()
}
