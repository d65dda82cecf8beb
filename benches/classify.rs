//! How long one core takes to judge a prompt that was not judged before, by its length in tokens.
//!
//! `cargo bench --bench classify`

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use edge_router::inference::TierModel;

/// What a person types, without end.
const WORDS: &str = "the list jumps back to the top when I type in the search field and the count is wrong, \
                     please find out why and fix it without touching the sorting; ";

#[expect(clippy::expect_used, reason = "nothing to measure without the model")]
fn classify(c: &mut Criterion) {
    let model = TierModel::embedded().expect("the embedded model loads");
    let mut group = c.benchmark_group("classify");
    for tokens in [5, 20, 60, 128, 2_000, 100_000] {
        let text: String = WORDS.split_inclusive(' ').cycle().take(tokens * 4 / 5).collect();
        group.bench_with_input(BenchmarkId::from_parameter(tokens), &text, |bench, text| {
            bench.iter(|| model.scores(text));
        });
    }
    group.finish();
    c.bench_function("load", |bench| bench.iter(TierModel::embedded));
}

criterion_group!(benches, classify);
criterion_main!(benches);
