//! What of a project goes into a request, and where.
//!
//! Every message of the human has at most one block, at the end of what the client itself wrote there.
//! It is made when the message is the last one of a request, kept when the request is dispatched, and
//! put there again, byte for byte, whenever the message is sent again: a provider then finds the prefix
//! that it knows. A message is known again by its words and by how many of the same words stand before
//! it; one that the client drops takes its block, and what was known by it, away. Requests that a client
//! sends on its own and rounds of tools are given no new block.
//!
//! It must not know how requests are written (`wire`), which files matter or how a block reads (its
//! neighbours), and what the tokens cost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{
    Block, Project, Projects, Ranked, Reader, Shown, Signals, Wanted, compose, learn, needed, rank,
    seen, told,
};
use crate::analyze::{Instruction, human_words};
use crate::chat::{ChatRequest, Message, Part, Role};
use crate::conversation::Fingerprint;
use crate::delta::ProjectPath;
use crate::keys::Inject;
use crate::strategy::estimate::text_tokens;
use crate::telemetry;
use crate::wire::{self, Insertion, Place};

/// Clients that keep the model informed of changed files themselves, by the beginning of their
/// `User-Agent`: they are given context only where they ask for it.
const TRACK_FILES: &[&str] = &["claude-cli/"];

/// A smaller block is not worth its frame. Tokens.
const LEAST: u32 = 100;
/// Of so much text, newest first, it is looked which files the conversation speaks of. Bytes.
const SPOKEN_OF: usize = 256 * 1024;
/// So many of the files that matter are looked for in what the client sent.
const LOOKED_FOR: usize = 32;
/// So many blocks, the newest ones, part the conversation into what was sent before and after them.
const PARTED_BY: usize = 3;

/// Where blocks go.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Each into the human's message that it was made for: the prefix stays the same.
    #[default]
    User,
    /// All to the end of the system prompt: every new one changes the prefix.
    System,
}

/// Whether a request is given context: what it asks for, its `User-Agent`, what its key and what the
/// configuration say. `never` holds also against those who ask.
pub fn wanted(
    asked: Option<bool>,
    user_agent: Option<&str>,
    own: Option<Inject>,
    general: Inject,
) -> bool {
    let tracks =
        || user_agent.is_some_and(|agent| TRACK_FILES.iter().any(|head| agent.starts_with(head)));
    match own.unwrap_or(general) {
        Inject::Never => false,
        Inject::OnHeader => asked.unwrap_or(false),
        Inject::Always => asked.unwrap_or_else(|| !tracks()),
    }
}

/// A request that may be given context.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// As the client sent it.
    pub request: &'a ChatRequest,
    pub instruction: &'a Instruction,
    /// The thread ([`crate::conversation::thread`]).
    pub conversation: Fingerprint,
    pub reader: &'a Reader,
    /// The project that the client names.
    pub project: Option<&'a str>,
    /// Most tokens of all blocks together.
    pub max_tokens: u32,
    pub placement: Placement,
}

/// What a request was given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The request with all blocks in it.
    pub request: Arc<ChatRequest>,
    pub project: Arc<str>,
    /// Of all blocks together, as estimated.
    pub tokens: u32,
    /// What the blocks tell of, sorted.
    pub files: Vec<ProjectPath>,
    pub conversation: Fingerprint,
    /// The block that is new, to be frozen once the request is dispatched.
    pub fresh: Option<Block>,
}

/// Puts into a request what its conversation was given before and what it has not seen yet. Changes
/// nothing outside: asked again, it answers the same. `None`: the request goes as it came.
pub async fn give(projects: &Projects, ask: &Ask<'_>) -> Option<Given> {
    if projects.is_empty() {
        return None;
    }
    let blocks = projects.blocks(*ask.conversation.as_bytes()).await;
    let spots = spots(&ask.request.messages);
    let open = open(ask, &spots);
    let mut told: Vec<(usize, &Block)> = replayed(&blocks, &spots);
    // With the human's first words a conversation begins anew, also where the same words began one
    // before: the block will take the place of what that one was given.
    let begins = ask.instruction.turn <= 1;
    let has_block = |open: &Spot| told.iter().any(|(at, _)| *at == open.at);
    let open = open.filter(|open| begins || !has_block(open));
    if let Some(open) = open {
        told.retain(|(at, _)| *at != open.at);
    }
    let fresh = match open {
        Some(open) => new_block(projects, ask, &told, open).await,
        None => None,
    };
    with_blocks(ask, &told, open.zip(fresh))
}

/// A message of the human, as its block names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    /// Index of the message.
    at: usize,
    /// Hash of its words.
    message: [u8; 16],
    /// How many messages of the same words stand before it.
    occurrence: u32,
}

fn spots(messages: &[Message]) -> Vec<Spot> {
    let mut counts: HashMap<[u8; 16], u32> = HashMap::new();
    let mut found = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let Some(words) = human_words(message) else { continue };
        let hash = blake3::hash(words.as_bytes());
        let Some(message) = hash.as_bytes().first_chunk().copied() else { continue };
        let count = counts.entry(message).or_default();
        found.push(Spot { at, message, occurrence: *count });
        *count += 1;
    }
    found
}

/// The human's message that a new block may go into: their newest words, not yet worked on.
fn open(ask: &Ask<'_>, spots: &[Spot]) -> Option<Spot> {
    let instruction = ask.instruction;
    if instruction.side.is_some() || instruction.closing {
        return None;
    }
    let at = instruction.at?;
    let after = ask.request.messages.get(at + 1..)?;
    let last = after.iter().all(|after| matches!(after.role, Role::System | Role::Developer));
    spots.iter().find(|spot| spot.at == at && last).copied()
}

/// The blocks whose messages are here, in the order of these.
fn replayed<'a>(blocks: &'a [Block], spots: &[Spot]) -> Vec<(usize, &'a Block)> {
    let of = |spot: &Spot| {
        let is_its =
            |block: &&Block| block.message == spot.message && block.occurrence == spot.occurrence;
        Some((spot.at, blocks.iter().find(is_its)?))
    };
    if blocks.is_empty() { Vec::new() } else { spots.iter().filter_map(of).collect() }
}

async fn new_block(
    projects: &Projects,
    ask: &Ask<'_>,
    told_before: &[(usize, &Block)],
    open: Spot,
) -> Option<Block> {
    let before =
        told_before.iter().fold(0, |sum: u32, (_, block)| sum.saturating_add(block.tokens));
    // Later turns want something too.
    let budget_tokens = ask.max_tokens.saturating_sub(before) / 2;
    if budget_tokens < LEAST {
        return None;
    }
    let sent = Sent::of(&ask.request.messages);
    let project = projects.choose(ask.reader, ask.project, |root| sent.mentions(root)).await?;
    let own = |(_, block): &&(usize, &Block)| block.project == project.name;
    let told_before: Vec<(usize, &Block)> = told_before.iter().filter(own).copied().collect();
    let words = words(ask.instruction);
    let spoken = sent.newest_first();
    let ranked = rank(&project, &Signals { instruction: &words, conversation: &spoken });
    let known = of_blocks(&told_before);
    let candidates = unknown(&project, &ranked, &known);
    let hashes: Vec<_> =
        candidates.iter().filter_map(|one| Some(project.files.get(&one.path)?.hash)).collect();
    let mut texts = projects.texts(&project.name, &hashes).await;
    let shown =
        timeline(&told_before, &sent, |texts_sent| seen(&project, texts_sent, &candidates, &texts));
    let missing: Vec<_> = needed(&project, &ranked, &shown, budget_tokens)
        .into_iter()
        .filter(|hash| !texts.contains_key(hash))
        .collect();
    if !missing.is_empty() {
        texts.extend(projects.texts(&project.name, &missing).await);
    }
    let before: Vec<Block> = told_before.iter().map(|(_, block)| (*block).clone()).collect();
    let composed = compose(&Wanted {
        project: &project,
        ranked: &ranked,
        shown: &shown,
        told: told(&before, &project.name),
        texts: &texts,
        budget_tokens,
        count: &|text| text_tokens(text).likely,
        instruction: &words,
    })?;
    Some(Block {
        message: open.message,
        occurrence: open.occurrence,
        text: composed.text.into(),
        tokens: composed.tokens,
        project: Arc::clone(&project.name),
        shown: composed.shown,
    })
}

/// The human's words, with those that they lean on.
fn words(instruction: &Instruction) -> String {
    let leans_on = instruction.continues.iter().map(String::as_str);
    let all: Vec<&str> = std::iter::once(instruction.text.as_str()).chain(leans_on).collect();
    all.join("\n")
}

/// What blocks tell, the later ones over the earlier.
fn of_blocks(blocks: &[(usize, &Block)]) -> BTreeMap<ProjectPath, Shown> {
    let mut known = BTreeMap::new();
    for (_, block) in blocks {
        block.shown.iter().for_each(|(path, shown)| learn(&mut known, path, *shown));
    }
    known
}

/// The best of those files whose present text no block has shown wholly.
fn unknown(
    project: &Project,
    ranked: &[Ranked],
    known: &BTreeMap<ProjectPath, Shown>,
) -> Vec<Ranked> {
    let is_unknown = |one: &&Ranked| {
        let hash = project.files.get(&one.path).map(|file| file.hash);
        known.get(&one.path).is_none_or(|shown| shown.hash != hash || !shown.whole)
    };
    ranked.iter().filter(is_unknown).take(LOOKED_FOR).cloned().collect()
}

/// What the conversation has seen, in its order: what the client sent, and the blocks between.
fn timeline(
    blocks: &[(usize, &Block)],
    sent: &Sent<'_>,
    seen: impl Fn(&[&str]) -> BTreeMap<ProjectPath, Shown>,
) -> BTreeMap<ProjectPath, Shown> {
    let (early, late) = blocks.split_at(blocks.len().saturating_sub(PARTED_BY));
    let mut known = BTreeMap::new();
    let mut from = 0;
    let mut learn_all = |more: &BTreeMap<ProjectPath, Shown>| {
        more.iter().for_each(|(path, shown)| learn(&mut known, path, *shown));
    };
    learn_all(&of_blocks(early));
    for (at, block) in late {
        learn_all(&seen(&sent.between(from, at + 1)));
        learn_all(&block.shown);
        from = at + 1;
    }
    learn_all(&seen(&sent.between(from, usize::MAX)));
    known
}

/// The texts of a request as its client sent it, each with the index of its message.
struct Sent<'a> {
    texts: Vec<(usize, &'a str)>,
    /// Index of the first message that is no system prompt.
    begins: usize,
}

impl<'a> Sent<'a> {
    fn of(messages: &'a [Message]) -> Self {
        fn collect<'a>(at: usize, parts: &'a [Part], texts: &mut Vec<(usize, &'a str)>) {
            for part in parts {
                match part {
                    Part::Text { text, .. } => texts.push((at, text)),
                    Part::ToolResult { content, .. } => collect(at, content, texts),
                    Part::Image(_)
                    | Part::ToolCall(_)
                    | Part::Thinking { .. }
                    | Part::RedactedThinking { .. }
                    | Part::Other { .. } => {}
                }
            }
        }
        let mut texts = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            collect(at, &message.parts, &mut texts);
        }
        let is_system = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
        Self { texts, begins: messages.iter().take_while(is_system).count() }
    }

    /// Those of the messages `[from, to)`.
    fn between(&self, from: usize, to: usize) -> Vec<&'a str> {
        let is_between = |(at, _): &&(usize, &str)| (from..to).contains(at);
        self.texts.iter().filter(is_between).map(|(_, text)| *text).collect()
    }

    /// What was said, the newest first, as far as it is looked at.
    fn newest_first(&self) -> Vec<&'a str> {
        let mut left = SPOKEN_OF;
        let mut found = Vec::new();
        for (_, text) in self.texts.iter().rev().take_while(|(at, _)| *at >= self.begins) {
            let end = text.floor_char_boundary(left);
            found.extend(text.get(..end).filter(|text| !text.is_empty()));
            left -= end;
        }
        found
    }

    /// Whether a text names this directory, and not only one whose name begins with its.
    fn mentions(&self, root: &str) -> bool {
        let root = root.trim_end_matches('/');
        if root.is_empty() {
            return false;
        }
        let ends =
            |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'));
        self.texts.iter().any(|(_, text)| {
            let mut found = text.match_indices(root);
            found.any(|(at, _)| text.get(at + root.len()..).is_some_and(ends))
        })
    }
}

/// The request with the blocks that it had and the one that is new.
fn with_blocks(
    ask: &Ask<'_>,
    told: &[(usize, &Block)],
    fresh: Option<(Spot, Block)>,
) -> Option<Given> {
    let mut all = told.to_vec();
    all.extend(fresh.as_ref().map(|(spot, block)| (spot.at, block)));
    let project = Arc::clone(&all.last()?.1.project);
    let insertions: Vec<Insertion<'_>> = all
        .iter()
        .map(|(at, block)| Insertion {
            place: match ask.placement {
                Placement::User => Place::Message(*at),
                Placement::System => Place::System,
            },
            text: &block.text,
        })
        .collect();
    let Some(request) = wire::with_context(ask.request, &insertions) else {
        telemetry::context_left_out("no_place");
        return None;
    };
    let request = Arc::new(request);
    let tokens = all.iter().fold(0, |sum: u32, (_, block)| sum.saturating_add(block.tokens));
    let files: BTreeSet<&ProjectPath> =
        all.iter().flat_map(|(_, block)| block.shown.keys()).collect();
    let files = files.into_iter().cloned().collect();
    let fresh = fresh.map(|(_, block)| block);
    Some(Given { request, project, tokens, files, conversation: ask.conversation, fresh })
}

#[cfg(test)]
mod tests;
