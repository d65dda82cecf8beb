//! Fits the network to examples. Every random choice comes from the seed, so that the same data gives
//! the same weights.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Optimizer, SGD, VarBuilder, ops};
use clap::Args;
use edge_router::analyze::Scores;
use edge_router::inference::features::FeatureSettings;
use edge_router::inference::network::{Batch, CLASSES, Network};
use edge_router::inference::tier_model::weigh;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::data::{Example, rarity};

/// What training can be told; the defaults made the model that ships.
#[derive(Debug, Clone, Args)]
pub(crate) struct Recipe {
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[arg(long, default_value_t = 1 << 17)]
    pub(crate) buckets: u32,
    #[arg(long, default_value_t = 20)]
    pub(crate) epochs: usize,
    #[arg(long, default_value_t = 64)]
    pub(crate) batch: usize,
    /// Step size at the start; falls to 0
    #[arg(long, default_value_t = 20.0)]
    pub(crate) rate: f64,
    /// Half of this times the squared votes is added to the loss
    #[arg(long, default_value_t = 5e-5)]
    pub(crate) decay: f64,
    /// Share of the target that goes to the neighbouring tiers
    #[arg(long, default_value_t = 0.05)]
    pub(crate) smoothing: f32,
    /// Share of the features left out of each look at an example
    #[arg(long, default_value_t = 0.3)]
    pub(crate) dropout: f32,
}

impl Recipe {
    pub(crate) fn features(&self) -> FeatureSettings {
        FeatureSettings { buckets: self.buckets, word_gram: 2 }
    }
}

/// A trained network with its tensors, in f32.
pub(crate) struct Fitted {
    pub(crate) tensors: HashMap<String, Tensor>,
    idf: Vec<f32>,
    network: Network,
}

pub(crate) fn fit(examples: &[&Example], recipe: &Recipe) -> anyhow::Result<Fitted> {
    let mut rng = StdRng::seed_from_u64(recipe.seed);
    let idf = rarity(examples, recipe.buckets);
    let table = Var::zeros((idf.len(), CLASSES), DType::F32, &Device::Cpu)?;
    let bias = Var::zeros(CLASSES, DType::F32, &Device::Cpu)?;
    let mut tensors = HashMap::from([
        ("table".to_owned(), table.as_tensor().clone()),
        ("bias".to_owned(), bias.as_tensor().clone()),
    ]);
    let builder = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    let network = Network::new(&builder, idf.len())?;
    // Plain descent: a step sized for each weight (Adam) makes too much of rare features.
    let mut optimizer = SGD::new(vec![table.clone(), bias], recipe.rate)?;

    let weighed: Vec<_> = examples.iter().map(|example| weigh(&example.features, &idf)).collect();
    let weights = class_weights(examples);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let steps = recipe.epochs * order.len().div_ceil(recipe.batch);
    let mut step = 0;
    for _ in 0..recipe.epochs {
        order.shuffle(&mut rng);
        for chunk in order.chunks(recipe.batch) {
            let texts: Vec<_> =
                chunk.iter().map(|at| thinned(&weighed[*at], recipe.dropout, &mut rng)).collect();
            let logits = network.batch(&batch(&texts)?)?;
            let targets = targets(chunk.iter().map(|at| examples[*at]), recipe.smoothing, &weights);
            let size = (table.sqr()?.sum_all()? * (recipe.decay / 2.0))?;
            let loss = (cross_entropy(&logits, targets)? + size)?;
            optimizer.set_learning_rate(recipe.rate * remaining(step, steps));
            optimizer.backward_step(&loss)?;
            step += 1;
        }
    }
    tensors.insert("idf".into(), Tensor::new(idf.as_slice(), &Device::Cpu)?);
    Ok(Fitted { tensors, idf, network })
}

impl Fitted {
    /// Logits of examples that were (hopefully) not trained on.
    pub(crate) fn logits(&self, examples: &[&Example]) -> anyhow::Result<Vec<Scores>> {
        let mut all = Vec::with_capacity(examples.len());
        for chunk in examples.chunks(64) {
            let texts: Vec<_> = chunk.iter().map(|e| weigh(&e.features, &self.idf)).collect();
            let rows = self.network.batch(&batch(&texts)?)?.to_vec2::<f32>()?;
            all.extend(rows.iter().map(|row| std::array::from_fn::<f32, CLASSES, _>(|at| row[at])));
        }
        Ok(all)
    }
}

/// From 1 at the start down to 0.
#[expect(clippy::cast_precision_loss, reason = "steps are few")]
fn remaining(step: usize, steps: usize) -> f64 {
    1.0 - step as f64 / steps as f64
}

/// Rarer tiers weigh more, by the root of how much rarer they are.
#[expect(clippy::cast_precision_loss, reason = "counts of examples are small")]
fn class_weights(examples: &[&Example]) -> [f32; CLASSES] {
    let mut counts = [0_usize; CLASSES];
    examples.iter().for_each(|example| counts[example.tier.index()] += 1);
    counts.map(|n| (examples.len() as f32 / (CLASSES * n.max(1)) as f32).sqrt())
}

type Weighed = (Vec<u32>, Vec<f32>);

fn thinned(text: &Weighed, dropout: f32, rng: &mut StdRng) -> Weighed {
    let pairs = text.0.iter().copied().zip(text.1.iter().copied());
    let scale = 1.0 / (1.0 - dropout);
    pairs.filter(|_| rng.random::<f32>() >= dropout).map(|(at, w)| (at, w * scale)).unzip()
}

fn batch(texts: &[Weighed]) -> anyhow::Result<Batch> {
    let (mut buckets, mut weights, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    for (owner, text) in texts.iter().enumerate() {
        buckets.extend_from_slice(&text.0);
        weights.extend_from_slice(&text.1);
        owners.resize(buckets.len(), u32::try_from(owner)?);
    }
    let count = buckets.len();
    Ok(Batch {
        buckets: Tensor::from_vec(buckets, count, &Device::Cpu)?,
        weights: Tensor::from_vec(weights, count, &Device::Cpu)?,
        texts: Tensor::from_vec(owners, count, &Device::Cpu)?,
        len: texts.len(),
    })
}

/// One row per example: its tier, a little of the neighbours, times the weight of its tier.
fn targets<'a>(
    examples: impl Iterator<Item = &'a Example>,
    smoothing: f32,
    weights: &[f32; CLASSES],
) -> Vec<f32> {
    let mut rows = Vec::new();
    for example in examples {
        let tier = example.tier.index();
        let mut row = [0.0; CLASSES];
        let neighbours: Vec<usize> = [tier.checked_sub(1), Some(tier + 1)]
            .into_iter()
            .flatten()
            .filter(|at| *at < CLASSES)
            .collect();
        neighbours.iter().for_each(|at| row[*at] = smoothing / 2.0);
        row[tier] = 1.0 - row.iter().sum::<f32>();
        rows.extend(row.map(|share| share * weights[tier]));
    }
    rows
}

fn cross_entropy(logits: &Tensor, targets: Vec<f32>) -> candle_core::Result<Tensor> {
    let targets = Tensor::from_vec(targets, logits.shape(), logits.device())?;
    (ops::log_softmax(logits, 1)? * targets)?.sum(1)?.mean(0)?.neg()
}
