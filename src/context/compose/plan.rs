//! What there is to say, and in which order: what changed of the files that the conversation has
//! seen, then files that have come to matter. Texts are not needed for that.

use std::collections::{BTreeMap, HashMap};

use crate::context::{FileEntry, Project, Ranked, Shown, Why};
use crate::delta::{ContentHash, ProjectPath};

/// From this score on a file is told of whole.
const MATTERS: f32 = 30.0;
/// Beside them the nearest few are told of: how many, and from which score on.
const NEAR_AT_FIRST: (usize, f32) = (3, 4.0);
const NEAR_LATER: (usize, f32) = (2, 6.0);
/// Files that are told of for the first time in one block.
const MOST_NEW: usize = 40;
/// A change weighs more than a file that merely matters: what is believed and wrong does harm.
const CHANGED: f32 = 60.0;
const GONE: f32 = 300.0;

/// One thing to say of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    Deleted,
    /// The same text under a new path; `whole`: all of it was seen.
    Renamed {
        from: &'a ProjectPath,
        hash: ContentHash,
        whole: bool,
    },
    Changed {
        base: ContentHash,
        file: &'a FileEntry,
    },
    /// `again`: a part of it was seen, so only the whole says more.
    New {
        file: &'a FileEntry,
        again: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) path: &'a ProjectPath,
    pub(super) what: What<'a>,
    pub(super) weight: f32,
    /// Whether the request is about this file, whatever happened to it.
    pub(super) asked: bool,
}

/// The things to say, the weightiest first. `told` as in [`super::Wanted`].
pub(super) fn plan<'a>(
    project: &'a Project,
    ranked: &'a [Ranked],
    shown: &'a BTreeMap<ProjectPath, Shown>,
    told: Option<u64>,
) -> Vec<Item<'a>> {
    let scores: HashMap<&ProjectPath, f32> =
        ranked.iter().map(|file| (&file.path, file.score)).collect();
    let mut items = changes(project, shown, &scores);
    let renamed: Vec<&ProjectPath> = items
        .iter()
        .filter(|item| matches!(item.what, What::Renamed { .. }))
        .map(|item| item.path)
        .collect();
    let mut new = new_files(project, ranked, shown, told);
    new.retain(|item| !renamed.contains(&item.path));
    new.truncate(MOST_NEW);
    items.append(&mut new);
    items.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.path.cmp(b.path)));
    items
}

fn changes<'a>(
    project: &'a Project,
    shown: &'a BTreeMap<ProjectPath, Shown>,
    scores: &HashMap<&ProjectPath, f32>,
) -> Vec<Item<'a>> {
    let mut gone: Vec<(&ProjectPath, Shown, ContentHash)> = Vec::new();
    let mut items = Vec::new();
    for (path, seen) in shown {
        let Some(base) = seen.hash else { continue };
        let score = scores.get(path).copied().unwrap_or_default();
        match project.files.get(path) {
            None => gone.push((path, *seen, base)),
            Some(file) if file.hash != base => items.push(Item {
                path,
                what: What::Changed { base, file },
                weight: CHANGED + score,
                asked: score >= MATTERS,
            }),
            Some(_) => {}
        }
    }
    let moved = moved_to(project, shown, &gone);
    for (path, seen, hash) in gone {
        let item = match moved.get(&hash) {
            Some(to) => Item {
                path: to,
                what: What::Renamed { from: path, hash, whole: seen.whole },
                weight: GONE,
                asked: false,
            },
            None => Item { path, what: What::Deleted, weight: GONE, asked: false },
        };
        items.push(item);
    }
    // One file cannot have come from two: the others are gone.
    let mut targets: Vec<&ProjectPath> = Vec::new();
    for item in &mut items {
        if let What::Renamed { from, .. } = item.what {
            if targets.contains(&item.path) {
                *item = Item { path: from, what: What::Deleted, ..*item };
            } else {
                targets.push(item.path);
            }
        }
    }
    items
}

/// Where the texts of files that are gone stand now, if the conversation knows nothing of that place.
fn moved_to<'a>(
    project: &'a Project,
    shown: &BTreeMap<ProjectPath, Shown>,
    gone: &[(&ProjectPath, Shown, ContentHash)],
) -> HashMap<ContentHash, &'a ProjectPath> {
    if gone.is_empty() {
        return HashMap::new();
    }
    let wanted = |hash: &ContentHash| gone.iter().any(|(_, _, gone)| gone == hash);
    let unknown = |path: &ProjectPath| shown.get(path).is_none_or(|seen| seen.hash.is_none());
    project
        .files
        .iter()
        .filter(|(path, file)| file.bytes > 0 && wanted(&file.hash) && unknown(path))
        .map(|(path, file)| (file.hash, path))
        .collect()
}

fn new_files<'a>(
    project: &'a Project,
    ranked: &'a [Ranked],
    shown: &BTreeMap<ProjectPath, Shown>,
    told: Option<u64>,
) -> Vec<Item<'a>> {
    let (mut most_near, least) = if told.is_none() { NEAR_AT_FIRST } else { NEAR_LATER };
    // Where it is clear what is meant, there is less to guess.
    if ranked.first().is_some_and(|best| best.score >= MATTERS) {
        most_near -= 1;
    }
    let mut items = Vec::new();
    for candidate in ranked {
        let Some(file) = project.files.get(&candidate.path) else { continue };
        let since = told.is_none_or(|told| file.version > told);
        let matters = candidate.score >= MATTERS;
        let wanted = match shown.get(&candidate.path) {
            Some(Shown { hash: Some(hash), whole }) => {
                // A change is said elsewhere. A part is enough, unless the file is asked for or new.
                *hash == file.hash && !whole && matters && (since || candidate.why == Why::Named)
            }
            Some(Shown { hash: None, .. }) | None => {
                let near = match candidate.why {
                    Why::Recent => since,
                    // Else each turn would tell a little more of what one file imports.
                    Why::Related => told.is_none(),
                    Why::Named | Why::Symbol | Why::Mentioned | Why::Near => true,
                };
                let near = near && candidate.score >= least && most_near > 0 && !matters;
                most_near -= usize::from(near);
                matters || near
            }
        };
        let again = shown.get(&candidate.path).is_some_and(|seen| seen.hash.is_some());
        if wanted {
            items.push(Item {
                path: &candidate.path,
                what: What::New { file, again },
                weight: candidate.score,
                asked: matters,
            });
        }
    }
    items
}
