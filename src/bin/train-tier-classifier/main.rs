//! Trains the tier classifier and measures it: whole files held out (one author wrote each), a
//! random fifth held out, and, on request, prompts that are not part of the project.
//!
//! `cargo run --features train --bin train-tier-classifier`

mod data;
mod fit;
mod metrics;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use candle_core::DType;
use clap::Parser;
use edge_router::analyze::Scores;
use edge_router::catalog::Tier;
use edge_router::clock::{Clock, SystemClock};
use edge_router::inference::TierModel;
use edge_router::inference::tier_model::{CONFIG, ModelConfig, VERSION, WEIGHTS, softmax};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use data::Example;
use fit::{Recipe, fit};
use metrics::{Rule, decided, likeliest};

#[derive(Debug, Parser)]
#[command(about = "Train and measure the tier classifier")]
struct Train {
    /// Folder with the training files, one author each
    #[arg(long, default_value = "models/tier-classifier/data")]
    data: PathBuf,
    /// Where the model is written; without it nothing is
    #[arg(long)]
    out: Option<PathBuf>,
    /// Prompts with `tier` and `tier_b`, only measured
    #[arg(long, value_name = "FILE")]
    measure: Option<PathBuf>,
    #[command(flatten)]
    recipe: Recipe,
}

const RULES: [(&str, Rule); 2] = [("likeliest", likeliest), ("decide", decided)];

fn main() -> anyhow::Result<()> {
    let args = Train::parse();
    let begun = SystemClock.instant();
    let settings = args.recipe.features();
    let mut hash = blake3::Hasher::new();
    let paths = data::files(&args.data)?;
    let examples = data::read(&paths, &settings, &mut hash)?;
    let all: Vec<&Example> = examples.iter().collect();
    say(&format!("{} examples, {:?}\n{}", all.len(), args.recipe, metrics::HEADER))?;

    let temperature = leave_files_out(&all, &args.recipe, paths.len())?;
    held_out_fifth(&all, &args.recipe, temperature)?;

    let model = fit(&all, &args.recipe)?;
    if let Some(path) = &args.measure {
        let prompts =
            data::read(std::slice::from_ref(path), &settings, &mut blake3::Hasher::new())?;
        for source in ["", "ide", "arena"] {
            let some: Vec<_> = prompts.iter().filter(|e| e.source.contains(source)).collect();
            let scores = calibrated(&model.logits(&some)?, temperature);
            report(&format!("measured {source}"), &scores, &some)?;
            if source.is_empty() {
                say(&metrics::confusion(&scores, &some, likeliest))?;
            }
        }
    }
    if let Some(out) = &args.out {
        let config = ModelConfig {
            version: VERSION,
            labels: Tier::ALL.to_vec(),
            features: settings,
            temperature,
            data_blake3: hash.finalize().to_hex().to_string(),
            seed: args.recipe.seed,
        };
        save(out, &config, &model)?;
        timings(&TierModel::load(out)?, &paths[0])?;
    }
    say(&format!("took {:.0} s", since(begun)))
}

/// Trains once per file without it. Says what the result is on the files, gives the temperature.
fn leave_files_out(all: &[&Example], recipe: &Recipe, files: usize) -> anyhow::Result<f32> {
    let mut tested = Vec::new();
    let mut logits = Vec::new();
    for file in 0..files {
        let (test, train): (Vec<&Example>, Vec<&Example>) =
            all.iter().partition(|example| example.file == file);
        logits.extend(fit(&train, recipe)?.logits(&test)?);
        tested.extend(test);
    }
    let temperature = metrics::temperature(&logits, &tested);
    let scores = calibrated(&logits, temperature);
    for file in 0..files {
        let of = |at: &usize| tested[*at].file == file;
        let (some, examples): (Vec<Scores>, Vec<&Example>) =
            (0..tested.len()).filter(of).map(|at| (scores[at], tested[at])).unzip();
        report(&format!("file {} left out", file + 1), &some, &examples)?;
    }
    report("files left out", &scores, &tested)?;
    say(&metrics::confusion(&scores, &tested, likeliest))?;
    say(&format!("temperature {temperature:.3}"))?;
    Ok(temperature)
}

fn held_out_fifth(all: &[&Example], recipe: &Recipe, temperature: f32) -> anyhow::Result<()> {
    let mut order = all.to_vec();
    order.shuffle(&mut StdRng::seed_from_u64(recipe.seed));
    let (test, train) = order.split_at(order.len() / 5);
    let scores = calibrated(&fit(train, recipe)?.logits(test)?, temperature);
    report("held-out fifth", &scores, test)
}

fn calibrated(logits: &[Scores], temperature: f32) -> Vec<Scores> {
    logits.iter().map(|row| softmax(*row, temperature)).collect()
}

fn report(name: &str, scores: &[Scores], examples: &[&Example]) -> anyhow::Result<()> {
    for (rule_name, rule) in RULES {
        say(&metrics::row(&format!("{name}, {rule_name}"), scores, examples, rule))?;
    }
    Ok(())
}

fn save(out: &Path, config: &ModelConfig, model: &fit::Fitted) -> anyhow::Result<()> {
    let half = model.tensors.iter().map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F16)?)));
    let half = half.collect::<candle_core::Result<std::collections::HashMap<_, _>>>()?;
    let weights = out.join(WEIGHTS);
    candle_core::safetensors::save(&half, &weights)
        .with_context(|| format!("writing {}", weights.display()))?;
    let text = format!("{}\n", serde_json::to_string_pretty(config)?);
    std::fs::write(out.join(CONFIG), text).context("writing the configuration")
}

/// Milliseconds for texts made of real prompts, at four characters a token.
fn timings(model: &TierModel, path: &Path) -> anyhow::Result<()> {
    let prompts = std::fs::read_to_string(path)?;
    for tokens in [20, 500, 250_000] {
        let text: String = prompts.chars().cycle().take(tokens * 4).collect();
        let begun = SystemClock.instant();
        for _ in 0..100 {
            model.scores(&text)?;
        }
        say(&format!("{tokens} tokens: {:.3} ms", since(begun) * 1000.0 / 100.0))?;
    }
    Ok(())
}

fn since(begun: Instant) -> f64 {
    SystemClock.instant().duration_since(begun).as_secs_f64()
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("writing the report")
}
