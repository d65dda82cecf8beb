//! How good are scores? Every figure of the model card.

use edge_router::analyze::{LossMatrix, Scores, decide};
use edge_router::catalog::Tier;
use edge_router::inference::encoder::CLASSES;
use edge_router::inference::tier_model::softmax;

use crate::data::Example;

/// Divides the logits so that these examples become likeliest.
pub(crate) fn temperature(logits: &[Scores], examples: &[&Example]) -> f32 {
    let cost = |temperature: f32| -> f32 {
        let each = logits.iter().zip(examples);
        each.map(|(row, e)| -softmax(*row, temperature)[e.tier.index()].max(1e-9).ln()).sum()
    };
    let grid = (0..120_u16).map(|at| 0.05 * 1.04_f32.powi(i32::from(at)));
    grid.min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(1.0)
}

/// The likeliest tier.
pub(crate) fn likeliest(scores: &Scores) -> Tier {
    let all = Tier::ALL.into_iter();
    all.max_by(|a, b| scores[a.index()].total_cmp(&scores[b.index()])).unwrap_or(Tier::Standard)
}

/// The tier that the router would use.
pub(crate) fn decided(scores: &Scores) -> Tier {
    decide(scores, &LossMatrix::default()).tier
}

/// A rule that picks a tier from scores.
pub(crate) type Rule = fn(&Scores) -> Tier;

/// One row of the report.
pub(crate) fn row(name: &str, scores: &[Scores], examples: &[&Example], rule: Rule) -> String {
    let chosen: Vec<(Tier, &Example)> =
        scores.iter().map(rule).zip(examples.iter().copied()).collect();
    let share = |holds: &dyn Fn(Tier, &Example) -> bool| {
        mean(chosen.iter().map(|(tier, example)| f32::from(u8::from(holds(*tier, example)))))
    };
    let step = |tier: Tier, truth: Tier| tier.index().abs_diff(truth.index());
    format!(
        "| {name} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} |",
        share(&|tier, e| tier == e.tier),
        share(&|tier, e| tier == e.second),
        share(&|tier, e| tier == e.tier || tier == e.second),
        macro_f1(&chosen),
        share(&|tier, e| step(tier, e.tier) <= 1),
        share(&|tier, e| tier < e.tier),
        share(&|tier, e| tier < e.tier && step(tier, e.tier) > 1),
        calibration_error(scores, examples),
    )
}

pub(crate) const HEADER: &str = "| set, rule | accuracy | second labeller | either | macro-F1 | within one | \
    too weak | two too weak | ECE |\n|---|---|---|---|---|---|---|---|---|";

fn macro_f1(chosen: &[(Tier, &Example)]) -> f32 {
    mean(Tier::ALL.into_iter().map(|tier| {
        let count = |holds: &dyn Fn(Tier, Tier) -> bool| {
            chosen.iter().map(|(c, e)| f32::from(u8::from(holds(*c, e.tier)))).sum::<f32>()
        };
        let hits = count(&|c, truth| c == tier && truth == tier);
        let either = count(&|c, _| c == tier) + count(&|_, truth| truth == tier);
        if either > 0.0 { 2.0 * hits / either } else { 0.0 }
    }))
}

/// Mean distance between confidence and accuracy, in ten bins of confidence.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
fn calibration_error(scores: &[Scores], examples: &[&Example]) -> f32 {
    let mut gaps = [0.0_f32; 10];
    for (row, example) in scores.iter().zip(examples) {
        let tier = likeliest(row);
        let confidence = row[tier.index()];
        let right = f32::from(u8::from(tier == example.tier));
        gaps[((confidence * 10.0) as usize).min(9)] += right - confidence;
    }
    gaps.iter().map(|gap| gap.abs()).sum::<f32>() / counted(scores.len())
}

#[expect(clippy::cast_precision_loss, reason = "counts of examples are small")]
fn counted(n: usize) -> f32 {
    n.max(1) as f32
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (mut sum, mut n) = (0.0, 0);
    for value in values {
        sum += value;
        n += 1;
    }
    sum / counted(n)
}

/// Rows: truth; columns: what was chosen.
pub(crate) fn confusion(scores: &[Scores], examples: &[&Example], rule: Rule) -> String {
    let mut counts = [[0_usize; CLASSES]; CLASSES];
    for (row, example) in scores.iter().zip(examples) {
        counts[example.tier.index()][rule(row).index()] += 1;
    }
    let lines = Tier::ALL.into_iter().map(|tier| format!("{tier:12} {:?}", counts[tier.index()]));
    lines.collect::<Vec<_>>().join("\n")
}
