//! Fits the network to examples. Every random choice comes from the seed and sums are added in a fixed
//! order, so that the same data gives the same weights.

use std::path::PathBuf;

use anyhow::Context;
use candle_core::{Device, Tensor, Var};
use candle_nn::ops;
use clap::Args;
use edge_router::analyze::Scores;
use edge_router::clock::{Clock, SystemClock};
use edge_router::inference::encoder::CLASSES;
use edge_router::inference::kernel::backward::{self, AdamStep, BETA};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use crate::data::Example;
use crate::net::{Batch, Dropout, Net};
use crate::say;

/// What training can be told; the defaults made the model that ships.
#[derive(Debug, Clone, Args)]
pub(crate) struct Recipe {
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder with the pretrained encoder
    #[arg(long, default_value = "target/base-encoder")]
    pub(crate) base: PathBuf,
    /// Its layers to begin with
    #[arg(long, value_delimiter = ',', default_value = "0,1,3,4,6,7,9,10")]
    pub(crate) layers: Vec<usize>,
    /// Most tokens of a text
    #[arg(long, default_value_t = 128)]
    pub(crate) window: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) epochs: usize,
    /// Texts of one step
    #[arg(long, default_value_t = 32)]
    pub(crate) batch: usize,
    /// Highest step size; rises over the first tenth of the steps, then falls to 0
    #[arg(long, default_value_t = 1.5e-4)]
    pub(crate) rate: f32,
    /// The same for the head, which begins at random
    #[arg(long, default_value_t = 5e-4)]
    pub(crate) head_rate: f32,
    #[arg(long, default_value_t = 0.01)]
    pub(crate) decay: f32,
    /// Share of the target that goes to the neighbouring tiers
    #[arg(long, default_value_t = 0.1)]
    pub(crate) smoothing: f32,
    #[arg(long, default_value_t = 0.1)]
    pub(crate) dropout: f32,
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
}

pub(crate) fn fit(examples: &[&Example], recipe: &Recipe) -> anyhow::Result<Net> {
    let mut rng = SmallRng::seed_from_u64(recipe.seed);
    let net = Net::begin(&recipe.base, &recipe.layers, recipe.window, &mut rng)?;
    let mut adam = Adam::new(&net, recipe);
    let mut plan = Vec::new();
    for _ in 0..recipe.epochs {
        plan.extend(batches(examples, recipe.batch, &mut rng));
    }
    let begun = SystemClock.instant();
    let mut lost = 0.0;
    for (step, batch) in plan.iter().enumerate() {
        let batch: Vec<&Example> = batch.iter().map(|at| examples[*at]).collect();
        let (loss, gradients) = gradients(&net, &batch, recipe, step)?;
        adam.step(&net, gradients, schedule(step, plan.len()))?;
        lost += loss;
        if (step + 1) % 50 == 0 {
            let passed = SystemClock.instant().duration_since(begun).as_secs_f32();
            say(&format!(
                "step {} of {}, loss {:.3}, {passed:.0} s",
                step + 1,
                plan.len(),
                lost / 50.0
            ))?;
            lost = 0.0;
        }
    }
    Ok(net)
}

/// Logits of every example, in order.
pub(crate) fn logits(net: &Net, examples: &[&Example]) -> anyhow::Result<Vec<Scores>> {
    let mut out = Vec::with_capacity(examples.len());
    let mut dropout = Dropout { share: 0.0, rng: SmallRng::seed_from_u64(0) };
    for chunk in examples.chunks(16) {
        let batch = Batch::of(chunk.iter().map(|example| example.tokens.as_slice()));
        for row in net.forward(&batch, &mut dropout)?.to_vec2::<f32>()? {
            out.push(row.try_into().map_err(|_| anyhow::anyhow!("not one logit per tier"))?);
        }
    }
    Ok(out)
}

/// Examples of similar length together, in random order.
fn batches(examples: &[&Example], size: usize, rng: &mut SmallRng) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.shuffle(rng);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for pool in order.chunks_mut(size * 20) {
        pool.sort_by_key(|at| examples[*at].tokens.len());
        batches.extend(pool.chunks(size).map(<[usize]>::to_vec));
    }
    batches.shuffle(rng);
    batches
}

fn schedule(step: usize, steps: usize) -> f32 {
    let at = (step + 1) as f32 / steps as f32;
    (at / 0.1).min(1.0) * (1.0 - at).max(0.0)
}

type Gradients = Vec<Vec<f32>>;

/// Loss and gradients of a batch, shared among threads.
fn gradients(
    net: &Net,
    batch: &[&Example],
    recipe: &Recipe,
    step: usize,
) -> anyhow::Result<(f32, Gradients)> {
    // Neighbours in length go to different threads.
    let shares: Vec<Vec<&Example>> = (0..recipe.threads)
        .map(|at| batch.iter().skip(at).step_by(recipe.threads).copied().collect())
        .filter(|share: &Vec<_>| !share.is_empty())
        .collect();
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = shares
            .iter()
            .enumerate()
            .map(|(at, share)| {
                let seed = recipe.seed ^ ((step * recipe.threads + at + 1) as u64) << 20;
                let rng = SmallRng::seed_from_u64(seed);
                scope.spawn(move || {
                    let dropout = Dropout { share: recipe.dropout, rng };
                    part(net, share, recipe.smoothing / batch.len() as f32, batch.len(), dropout)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut total: Option<(f32, Gradients)> = None;
    for part in parts {
        let (loss, gradients) = part.map_err(|_| anyhow::anyhow!("a training thread failed"))??;
        match &mut total {
            None => total = Some((loss, gradients)),
            Some((sum, all)) => {
                *sum += loss;
                for (all, more) in all.iter_mut().zip(gradients) {
                    all.iter_mut().zip(more).for_each(|(all, more)| *all += more);
                }
            }
        }
    }
    total.context("an empty batch")
}

fn part(
    net: &Net,
    share: &[&Example],
    smoothing: f32,
    of: usize,
    mut dropout: Dropout,
) -> anyhow::Result<(f32, Gradients)> {
    let batch = Batch::of(share.iter().map(|example| example.tokens.as_slice()));
    let logits = net.forward(&batch, &mut dropout)?;
    let mut targets = Vec::with_capacity(share.len() * CLASSES);
    for example in share {
        targets.extend(target(example.tier.index(), smoothing, 1.0 / of as f32));
    }
    let targets = Tensor::from_vec(targets, (share.len(), CLASSES), &Device::Cpu)?;
    let loss = (ops::log_softmax(&logits, 1)? * targets)?.sum_all()?.neg()?;
    let store = loss.backward()?;
    let gradient = |var: &Var| -> anyhow::Result<Vec<f32>> {
        let gradient = store.get(var).context("a weight has no gradient")?;
        Ok(gradient.flatten_all()?.to_vec1()?)
    };
    let gradients = net.vars.values().map(gradient).collect::<anyhow::Result<_>>()?;
    Ok((loss.to_scalar()?, gradients))
}

/// The tier's share of `whole`; `smoothing` of it goes to its neighbours.
fn target(tier: usize, smoothing: f32, whole: f32) -> Scores {
    let mut target = [0.0; CLASSES];
    let neighbours: Vec<usize> = (0..CLASSES).filter(|other| other.abs_diff(tier) == 1).collect();
    for neighbour in &neighbours {
        target[*neighbour] = smoothing / neighbours.len() as f32;
    }
    target[tier] = whole - smoothing;
    target
}

/// Moments and step sizes of every weight.
struct Adam {
    moments: Vec<(Vec<f32>, Vec<f32>)>,
    rates: Vec<f32>,
    decay: f32,
    steps: i32,
}

impl Adam {
    fn new(net: &Net, recipe: &Recipe) -> Self {
        let empty = |var: &Var| (vec![0.0; var.elem_count()], vec![0.0; var.elem_count()]);
        let rate = |name: &String| {
            if name.starts_with("head") { recipe.head_rate } else { recipe.rate }
        };
        Self {
            moments: net.vars.values().map(empty).collect(),
            rates: net.vars.keys().map(rate).collect(),
            decay: recipe.decay,
            steps: 0,
        }
    }

    fn step(&mut self, net: &Net, gradients: Gradients, schedule: f32) -> anyhow::Result<()> {
        self.steps += 1;
        let squares: f64 = gradients.iter().flatten().map(|g| f64::from(*g) * f64::from(*g)).sum();
        let clip = (1.0 / squares.sqrt().max(1e-9)).min(1.0) as f32;
        let warm = (1.0 - BETA.0.powi(self.steps), 1.0 - BETA.1.powi(self.steps));
        let each = net.vars.values().zip(gradients).zip(&mut self.moments).zip(&self.rates);
        for (((var, gradient), (mean, square)), rate) in each {
            let mut values: Vec<f32> = var.flatten_all()?.to_vec1()?;
            let step = AdamStep { rate: rate * schedule, decay: self.decay, clip, warm };
            backward::adam(&mut values, &gradient, mean, square, step);
            var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
        }
        Ok(())
    }
}
