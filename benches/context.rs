//! What it takes to know a project and to choose from it: this program's own files, as often as makes
//! ten thousand.
//!
//! `cargo bench --bench context`

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a measurement that cannot be made ends"
)]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use edge_router::context::{
    FileEntry, Index, Project, Ranked, Shown, Signals, Wanted, compose, needed, rank, seen,
};
use edge_router::delta::{ContentHash, ProjectPath};
use edge_router::strategy::estimate::text_tokens;
use jiff::Timestamp;

const FILES: usize = 10_000;
const INSTRUCTION: &str = "why does the reservation of a request in src/ledger.rs not fall back to a \
                           cheaper candidate when `lower_cap` finds nothing, and where is the budget counted?";

type Texts = HashMap<ContentHash, Arc<str>>;

fn read(root: &Path, directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(root, &path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path)
            && text.len() <= 256 * 1024
        {
            let name = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
            found.push((name, text));
        }
    }
}

/// This program's sources, once in their place and again in other directories up to `count` files.
fn sources(count: usize) -> Vec<(ProjectPath, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut own = Vec::new();
    for part in ["src", "tests", "docs", "benches"] {
        read(root, &root.join(part), &mut own);
    }
    let copy = |n: usize, name: &str| {
        if n == 0 { name.to_owned() } else { format!("crates/part{n}/{name}") }
    };
    let all = (0..).flat_map(|n| own.iter().map(move |(name, text)| (n, name, text)));
    all.take(if count == 0 { own.len() } else { count })
        .filter_map(|(n, name, text)| {
            Some((ProjectPath::parse(&copy(n, name)).ok()?, text.clone()))
        })
        .collect()
}

fn project(files: &[(ProjectPath, String)]) -> (Project, Texts) {
    let (mut index, mut entries, mut texts) = (Index::default(), BTreeMap::new(), Texts::new());
    for (path, text) in files {
        index.insert(path, text);
        let hash = ContentHash::of(text.as_bytes());
        let entry = FileEntry {
            hash,
            bytes: u32::try_from(text.len()).unwrap_or(u32::MAX),
            tokens: text_tokens(text).likely,
            version: 1,
            changed_at: Timestamp::UNIX_EPOCH,
        };
        entries.insert(path.clone(), entry);
        texts.insert(hash, text.as_str().into());
    }
    let project = Project {
        name: "bench".into(),
        root: Some("/home/x/bench".into()),
        version: 1,
        files: entries,
        index: Arc::new(index),
    };
    (project, texts)
}

fn block(
    project: &Project,
    ranked: &[Ranked],
    shown: &BTreeMap<ProjectPath, Shown>,
    texts: &Texts,
) {
    let asked = needed(project, ranked, shown, 8_000);
    let texts = asked.iter().filter_map(|hash| Some((*hash, texts.get(hash)?.clone()))).collect();
    std::hint::black_box(compose(&Wanted {
        project,
        ranked,
        shown,
        told: (!shown.is_empty()).then_some(1),
        texts: &texts,
        budget_tokens: 8_000,
        count: &|text| text_tokens(text).likely,
        instruction: INSTRUCTION,
    }));
}

fn knowing(c: &mut Criterion) {
    let files = sources(FILES);
    let mut group = c.benchmark_group("index");
    group.sample_size(10);
    group.bench_function("ten thousand files", |bench| {
        bench.iter(|| {
            let mut index = Index::default();
            files.iter().for_each(|(path, text)| index.insert(path, text));
            index
        });
    });
    let (project, _) = project(&files);
    eprintln!(
        "{} bytes a file of {}",
        project.index.bytes() / project.index.len(),
        files.iter().map(|(_, text)| text.len()).sum::<usize>() / files.len()
    );
    group.bench_function("one save, on a clone", |bench| {
        bench.iter_batched(
            || Arc::clone(&project.index),
            |mut index| {
                Arc::make_mut(&mut index).insert(&files[7].0, &files[8].1);
                index
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("search", |bench| bench.iter(|| project.index.search(INSTRUCTION, 40)));
    group.finish();
}

fn choosing(c: &mut Criterion) {
    for (name, count) in [("own files", 0), ("ten thousand files", FILES)] {
        let files = sources(count);
        let (mut project, mut texts) = project(&files);
        let signals = Signals { instruction: INSTRUCTION, conversation: &["see src/dispatch.rs"] };
        let mut group = c.benchmark_group(name);
        group.bench_function("rank", |bench| bench.iter(|| rank(&project, &signals)));
        let ranked = rank(&project, &signals);
        let nothing = BTreeMap::new();
        group.bench_function("compose first", |bench| {
            bench.iter(|| block(&project, &ranked, &nothing, &texts));
        });
        let sent: String = files.iter().rev().map(|(_, text)| text.as_str()).collect();
        let sent = &sent[..sent.floor_char_boundary(400_000)];
        group.bench_function("seen in 400 kB", |bench| {
            bench.iter(|| seen(&project, &[sent], &ranked, &texts));
        });
        let shown: BTreeMap<ProjectPath, Shown> = ranked
            .iter()
            .take(10)
            .map(|file| {
                let hash = Some(project.files[&file.path].hash);
                (file.path.clone(), Shown { hash, whole: true })
            })
            .collect();
        for file in ranked.iter().take(3) {
            if let Some(entry) = project.files.get_mut(&file.path) {
                let text = texts[&entry.hash].replacen("let ", "let mut ", 2);
                (entry.hash, entry.version) = (ContentHash::of(text.as_bytes()), 2);
                texts.insert(entry.hash, text.into());
            }
        }
        group.bench_function("compose three changes", |bench| {
            bench.iter(|| block(&project, &ranked, &shown, &texts));
        });
        group.finish();
    }
}

criterion_group!(benches, knowing, choosing);
criterion_main!(benches);
