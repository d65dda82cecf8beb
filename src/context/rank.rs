//! Which files of a project matter for a request, and why. It decides an order only: how much of a
//! file is told, and whether at all, is not its matter.
//!
//! Reasons add up, and each kind weighs so much more than the next that a file named in the
//! instruction stands before one that the conversation names, that one before a recent change, then
//! what is related by imports, then what is near in words.

use std::collections::{HashMap, HashSet};

use super::Project;
use super::mentions::{each_file_name, each_symbol, each_token};
use crate::delta::ProjectPath;

/// Files that are ranked.
const MOST: usize = 200;

/// What a reason is worth at most.
const NAMED: f32 = 100.0;
const AMBIGUOUS: f32 = 45.0;
const SYMBOL: f32 = 70.0;
const MENTIONED: f32 = 40.0;
const RECENT: f32 = 24.0;
const RELATED: f32 = 10.0;
const NEAR: f32 = 9.0;

/// Files that one name may mean.
const MOST_MEANT: usize = 4;
/// Texts of the conversation are read this far, each and all.
const LONGEST_TEXT: usize = 48 * 1024;
const LONGEST_CONVERSATION: usize = 192 * 1024;
/// Names that are looked up.
const MOST_NAMES: usize = 400;
/// A text that names more files is a listing.
const LISTING: f32 = 8.0;
/// Newest changes that are looked at, and how many of one version are no longer one person's work.
const NEWEST: usize = 64;
const BULK: usize = 30;
/// After this long a change counts half.
const HALF_LIFE_HOURS: f64 = 8.0;
/// Files whose imports are followed, and how many for each.
const MOST_SEEDS: usize = 6;
const MOST_LINKS: usize = 12;
/// Below this score a file's imports are not followed.
const SEED: f32 = 15.0;
/// Files near in words.
const MOST_NEAR: usize = 40;

/// What a request tells about the files that it is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signals<'a> {
    /// The human's current words.
    pub instruction: &'a str,
    /// Other texts of the request, newest first.
    pub conversation: &'a [&'a str],
}

/// The strongest reason why a file matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The instruction names it.
    Named,
    /// It defines what the instruction names.
    Symbol,
    /// The conversation names it.
    Mentioned,
    /// It changed lately.
    Recent,
    /// It is imported by, or imports, a file that matters more.
    Related,
    /// Its words are near those of the instruction.
    Near,
}

/// A file that may matter. The higher the score, the more.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub path: ProjectPath,
    pub score: f32,
    pub why: Why,
}

/// The files that matter for a request, best first, at most 200.
pub fn rank(project: &Project, signals: &Signals<'_>) -> Vec<Ranked> {
    let mut scores =
        Scores { project, kinds: Kinds::asked(signals.instruction), by_path: HashMap::new() };
    scores.named(signals.instruction);
    scores.symbols(signals.instruction);
    scores.mentioned(signals.conversation);
    scores.recent();
    scores.related();
    for (path, share) in project.index.search(signals.instruction, MOST_NEAR) {
        scores.add(&path, NEAR * share, Why::Near);
    }
    let mut ranked: Vec<Ranked> = scores
        .by_path
        .into_iter()
        .map(|(path, score)| Ranked { path, score: score.sum, why: score.why })
        .collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.path.cmp(&b.path)));
    ranked.truncate(MOST);
    ranked
}

struct Score {
    sum: f32,
    /// The greatest part of the sum.
    part: f32,
    why: Why,
}

struct Scores<'a> {
    project: &'a Project,
    kinds: Kinds,
    by_path: HashMap<ProjectPath, Score>,
}

impl Scores<'_> {
    /// Of the same reason only the greatest part counts.
    fn add(&mut self, path: &ProjectPath, part: f32, why: Why) {
        if !self.project.files.contains_key(path) {
            return;
        }
        let part = match why {
            Why::Named | Why::Symbol | Why::Mentioned => part,
            Why::Recent | Why::Related | Why::Near => part * self.kinds.weight(path),
        };
        let score = self.by_path.entry(path.clone()).or_insert(Score { sum: 0.0, part: 0.0, why });
        score.sum += part;
        if part > score.part {
            score.part = part;
            score.why = why;
        }
    }

    fn named(&mut self, instruction: &str) {
        let mut names: Vec<&str> = Vec::new();
        each_token(cut(instruction, LONGEST_TEXT), |name| {
            if names.len() < MOST_NAMES && !names.contains(&name) {
                names.push(name);
            }
        });
        let mut found: HashMap<ProjectPath, f32> = HashMap::new();
        for name in names {
            let meant = meant(self.project, name);
            let worth = if meant.len() == 1 { NAMED } else { AMBIGUOUS };
            for path in meant {
                let best = found.entry(path).or_default();
                *best = best.max(worth);
            }
        }
        for (path, worth) in found {
            self.add(&path, worth, Why::Named);
        }
    }

    fn symbols(&mut self, instruction: &str) {
        let mut names: Vec<&str> = Vec::new();
        each_symbol(cut(instruction, LONGEST_TEXT), |name| {
            if names.len() < MOST_NAMES && !names.contains(&name) {
                names.push(name);
            }
        });
        let mut found: HashMap<ProjectPath, f32> = HashMap::new();
        for name in names {
            let defining = self.project.index.defining(name, MOST_MEANT + 1);
            if (1..=MOST_MEANT).contains(&defining.len()) {
                let worth =
                    SYMBOL / f32::from(u8::try_from(defining.len()).unwrap_or(u8::MAX)).sqrt();
                for path in defining {
                    let best = found.entry(path).or_default();
                    *best = best.max(worth);
                }
            }
        }
        for (path, worth) in found {
            self.add(&path, worth, Why::Symbol);
        }
    }

    fn mentioned(&mut self, conversation: &[&str]) {
        let mut names: HashSet<&str> = HashSet::new();
        let mut found: HashMap<ProjectPath, f32> = HashMap::new();
        let mut room = LONGEST_CONVERSATION;
        let mut order: f32 = 0.0;
        for text in conversation {
            let text = cut(text, LONGEST_TEXT.min(room));
            room -= text.len();
            let mut here: Vec<ProjectPath> = Vec::new();
            each_file_name(text, |name| {
                if names.len() < MOST_NAMES && names.insert(name) {
                    let meant = meant(self.project, name);
                    here.extend((meant.len() == 1).then_some(meant).into_iter().flatten());
                }
            });
            let count = f32::from(u16::try_from(here.len()).unwrap_or(u16::MAX));
            for path in here {
                let worth = MENTIONED / (1.0 + 0.1 * order) * (LISTING / count).min(1.0);
                found.entry(path).and_modify(|best| *best = best.max(worth)).or_insert(worth);
                order += 1.0;
            }
            if room == 0 || names.len() >= MOST_NAMES {
                break;
            }
        }
        for (path, worth) in found {
            self.add(&path, worth, Why::Mentioned);
        }
    }

    /// What changed after the project was first taken in, unless a whole branch changed with it.
    fn recent(&mut self) {
        let project = self.project;
        let Some(first) = project.files.values().map(|file| file.version).min() else { return };
        let mut newest: Vec<_> = project
            .files
            .iter()
            .filter(|(_, file)| file.version > first)
            .map(|(path, file)| (file.version, file.changed_at, path))
            .collect();
        if newest.len() > NEWEST {
            newest.select_nth_unstable_by(NEWEST, |a, b| b.cmp(a));
            // The last version may be there in part only.
            let last = newest.get(NEWEST).map_or(0, |file| file.0);
            newest.truncate(NEWEST);
            newest.retain(|file| file.0 != last);
        }
        newest.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.2.cmp(b.2)));
        let Some(now) = newest.iter().map(|file| file.1).max() else { return };
        let mut place: f32 = 0.0;
        for work in newest.chunk_by(|a, b| a.0 == b.0).filter(|work| work.len() <= BULK) {
            for (_, changed_at, path) in work {
                let hours = changed_at.duration_until(now).as_secs_f64() / 3600.0;
                #[expect(clippy::cast_possible_truncation, reason = "a weight needs few digits")]
                let age = 0.5_f64.powf(hours / HALF_LIFE_HOURS) as f32;
                self.add(path, RECENT * age / (1.0 + 0.15 * place), Why::Recent);
                place += 1.0;
            }
        }
    }

    fn related(&mut self) {
        let mut seeds: Vec<(f32, ProjectPath)> = self
            .by_path
            .iter()
            .filter(|(_, score)| score.sum >= SEED)
            .map(|(path, score)| (score.sum, path.clone()))
            .collect();
        seeds.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut found: HashMap<ProjectPath, f32> = HashMap::new();
        for (score, seed) in seeds.into_iter().take(MOST_SEEDS) {
            let mut linked = self.project.index.imported_by(&seed);
            linked.truncate(MOST_LINKS);
            linked.extend(self.project.index.importing(&seed, MOST_LINKS));
            let worth = RELATED * (score / NAMED).min(1.0);
            for path in linked {
                let best = found.entry(path).or_default();
                *best = best.max(worth);
            }
        }
        for (path, worth) in found {
            self.add(&path, worth, Why::Related);
        }
    }
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

/// The files that a name may mean: one of this very path, or those that end in it.
fn meant(project: &Project, name: &str) -> Vec<ProjectPath> {
    let inside = project
        .root
        .as_deref()
        .and_then(|root| name.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/'));
    let absolute = inside.is_none() && name.starts_with(['/', '~']);
    let name = inside.unwrap_or(name).trim_start_matches(['/', '~']);
    if !absolute
        && let Ok(path) = ProjectPath::parse(name)
        && project.files.contains_key(&path)
    {
        return vec![path];
    }
    // Elsewhere the same project may lie in another directory: its last parts tell.
    let last =
        |parts: usize| name.rmatch_indices('/').nth(parts - 1).map(|(at, _)| &name[at + 1..]);
    let endings = [Some(name), last(3), last(2)];
    let found = endings
        .into_iter()
        .flatten()
        .map(|ending| project.index.named(ending, MOST_MEANT + 1))
        .find(|found| !found.is_empty())
        .unwrap_or_default();
    if found.len() <= MOST_MEANT { found } else { Vec::new() }
}

/// Which kinds of files the instruction asks for, that else weigh less.
struct Kinds {
    tests: bool,
    docs: bool,
    /// What programs write.
    data: bool,
}

impl Kinds {
    fn asked(instruction: &str) -> Self {
        let text = cut(instruction, LONGEST_TEXT).to_lowercase();
        let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
        Self {
            tests: any(&["test", "spec"]),
            docs: any(&["doc", "readme", "changelog", "markdown", ".md", "guide"]),
            data: any(&[
                "lock",
                "generated",
                "dependenc",
                "snapshot",
                ".min.",
                "data",
                "fixture",
                "csv",
            ]),
        }
    }

    fn weight(&self, path: &ProjectPath) -> f32 {
        let (text, name) = (path.as_str(), path.name());
        let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
        let data =
            matches!(kind, "lock" | "snap" | "map" | "svg" | "jsonl" | "csv" | "tsv" | "log")
                || name.contains(".min.")
                || name.contains("-lock.")
                || name == "go.sum";
        let doc = matches!(kind, "md" | "mdx" | "rst" | "txt" | "adoc" | "html");
        let test = ["test", "tests", "__tests__", "spec", "testdata", "fixtures"]
            .iter()
            .any(|part| text.split('/').any(|own| own == *part))
            || ["_test.", ".test.", ".spec.", "tests."].iter().any(|part| name.contains(part))
            || name.starts_with("test_");
        match (data, doc, test) {
            (true, _, _) if !self.data => 0.1,
            (_, true, _) if !self.docs => 0.5,
            (_, _, true) if !self.tests => 0.6,
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests;
