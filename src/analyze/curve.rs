//! What `quality` buys: for labelled prompts, how often each setting is right or too weak, and what
//! it costs. Decides how the curve is measured and drawn; where scores come from is unknown here.

mod svg;

use std::fmt::Write;

use crate::catalog::Tier;

use super::verdict::{LossMatrix, Scores, decide};

pub use svg::svg;

/// A model as it typically serves each tier, trivial first, with its list price in US cents per
/// million tokens of prompt and of answer (built-in catalogue of 2026-11-21).
pub const TYPICAL: [(&str, u16, u16); 5] = [
    ("mistral/ministral-3b-2512", 10, 10),
    ("google/gemini-3.1-flash-lite", 25, 150),
    ("google/gemini-3.8-flash", 75, 375),
    ("anthropic/claude-sonnet-5-5", 200, 1_000),
    ("anthropic/claude-opus-5-5", 400, 2_000),
];

/// Tokens of prompt to one of answer.
const PROMPT_SHARE: u16 = 4;
/// Settings that are measured: 0, 0.1, ... 1.
const STEPS: u8 = 10;

/// One setting of `quality` on labelled prompts. All values are 0..1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Point {
    pub quality: f32,
    /// Share whose verdict is the true tier.
    pub accuracy: f32,
    /// Share whose verdict is below the true tier.
    pub too_weak: f32,
    /// Share whose verdict is two or more tiers below it.
    pub two_too_weak: f32,
    /// Mean price of the models of [`TYPICAL`] that the verdicts ask for, as a share of that of the
    /// hardest tier's: what is paid of the price of sending everything there.
    pub cost: f32,
}

/// The curve over labelled scores; empty without any. `loss` is the matrix at a quality of 0.5.
pub fn points(labelled: &[(Scores, Tier)], loss: &LossMatrix) -> Vec<Point> {
    if labelled.is_empty() {
        return Vec::new();
    }
    let at = |step: u8| point(labelled, loss, f32::from(step) / f32::from(STEPS));
    (0..=STEPS).map(at).collect()
}

fn point(labelled: &[(Scores, Tier)], loss: &LossMatrix, quality: f32) -> Point {
    let loss = loss.at_quality(quality);
    let chosen: Vec<(Tier, Tier)> =
        labelled.iter().map(|(scores, truth)| (decide(scores, &loss).tier, *truth)).collect();
    let share = |holds: fn(Tier, Tier) -> bool| {
        mean(chosen.iter().map(|(tier, truth)| if holds(*tier, *truth) { 1.0 } else { 0.0 }))
    };
    Point {
        quality,
        accuracy: share(|tier, truth| tier == truth),
        too_weak: share(|tier, truth| tier < truth),
        two_too_weak: share(|tier, truth| tier.index() + 1 < truth.index()),
        cost: mean(chosen.iter().map(|(tier, _)| relative_cost(*tier))),
    }
}

/// The price of a tier's typical model as a share of the hardest tier's.
fn relative_cost(tier: Tier) -> f32 {
    let price = |tier: Tier| {
        let (_, prompt, answer) = TYPICAL.get(tier.index()).copied().unwrap_or_default();
        f32::from(prompt) * f32::from(PROMPT_SHARE) + f32::from(answer)
    };
    price(tier) / price(Tier::Deep)
}

#[expect(clippy::cast_precision_loss, reason = "counts of labelled prompts are below 2^24")]
fn mean(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len().max(1) as f32;
    values.sum::<f32>() / count
}

/// The curve in a text that holds its [`table`]; empty without one.
pub fn read_table(text: &str) -> Vec<Point> {
    let lines = text.lines().skip_while(|line| !line.starts_with("| quality | accuracy |"));
    lines.skip(2).map_while(read_row).collect()
}

fn read_row(line: &str) -> Option<Point> {
    let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<f32> =
        cells.split('|').map(|cell| cell.trim().parse().ok()).collect::<Option<_>>()?;
    let &[quality, accuracy, too_weak, two_too_weak, cost] = cells.as_slice() else { return None };
    Some(Point { quality, accuracy, too_weak, two_too_weak, cost })
}

/// The curve as a Markdown table.
pub fn table(points: &[Point]) -> String {
    let mut out = "| quality | accuracy | too weak | two too weak | relative cost |\n\
                   |---|---|---|---|---|\n"
        .to_owned();
    for Point { quality, accuracy, too_weak, two_too_weak, cost } in points {
        let _ = writeln!(
            out,
            "| {quality:.1} | {accuracy:.3} | {too_weak:.3} | {two_too_weak:.3} | {cost:.3} |"
        );
    }
    out
}

#[cfg(test)]
mod tests;
