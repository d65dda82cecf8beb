//! The blocks that conversations were given: the recent ones in memory, all of them in the file. A
//! block that stands keeps its bytes, until a conversation goes on anew from its message: then it and
//! what was given after it are of no more use.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moka::ops::compute::Op;
use moka::sync::Cache;

use super::{Block, Shown};
use crate::delta::{ContentHash, ProjectPath};
use crate::store::context::BlockRow;

pub(super) type Conversation = [u8; 16];

/// Bytes of the blocks that are in memory.
const MEMORY: u64 = 64 << 20;
/// After this long without a request a conversation is in the file only.
const IDLE: Duration = Duration::from_secs(3600);
/// What one more block or conversation takes beside its text.
const OVERHEAD: usize = 200;
/// Blocks of one conversation; later ones are not kept.
const MOST: usize = 1_000;

#[derive(Debug)]
pub(super) struct Blocks {
    known: Cache<Conversation, Known>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Those in the file are among them.
    complete: bool,
    blocks: Arc<[Block]>,
}

impl Default for Blocks {
    fn default() -> Self {
        let size = |block: &Block| block.text.len() + OVERHEAD * (1 + block.shown.len());
        let weigh = move |_: &Conversation, known: &Known| {
            let bytes: usize = known.blocks.iter().map(size).sum();
            u32::try_from(OVERHEAD + bytes).unwrap_or(u32::MAX)
        };
        let known = Cache::builder().weigher(weigh).max_capacity(MEMORY).time_to_idle(IDLE);
        Self { known: known.build() }
    }
}

impl Blocks {
    /// All of the conversation, if all are in memory.
    pub(super) fn complete(&self, conversation: &Conversation) -> Option<Arc<[Block]>> {
        self.known.get(conversation).filter(|known| known.complete).map(|known| known.blocks)
    }

    /// Those in memory.
    pub(super) fn recent(&self, conversation: &Conversation) -> Arc<[Block]> {
        self.known.get(conversation).map_or_else(|| Arc::from([]), |known| known.blocks)
    }

    /// Adds a block, in place of the one of the same message and of those after it. Returns whether it
    /// was added.
    pub(super) fn add(&self, conversation: Conversation, block: Block) -> bool {
        let mut added = false;
        self.known.entry(conversation).and_compute_with(|entry| {
            let known = entry.map(moka::Entry::into_value);
            let complete = known.as_ref().is_some_and(|known| known.complete);
            let before = known.map_or_else(|| Arc::from([]), |known| known.blocks);
            let stays = before.iter().take_while(|other| !same_place(other, &block)).count();
            if stays >= MOST {
                return Op::Nop;
            }
            added = true;
            let blocks = before.iter().take(stays).cloned().chain([block]).collect();
            Op::Put(Known { complete, blocks })
        });
        added
    }

    /// Puts those of the file before those that came meanwhile.
    pub(super) fn complete_with(&self, conversation: Conversation, file: &[Block]) -> Arc<[Block]> {
        let entry = self.known.entry(conversation).and_upsert_with(|entry| {
            let recent = entry.map(|entry| entry.into_value().blocks);
            let recent = recent.as_deref().unwrap_or_default();
            let is_old = |block: &&Block| !recent.iter().any(|new| same_place(new, block));
            let old = file.iter().take_while(is_old);
            Known { complete: true, blocks: old.chain(recent).cloned().collect() }
        });
        entry.into_value().blocks
    }

    /// Forgets every conversation that was shown something of the project.
    pub(super) fn forget(&self, project: &str) {
        for (conversation, known) in &self.known {
            if known.blocks.iter().any(|block| block.project.as_ref() == project) {
                self.known.invalidate(&*conversation);
            }
        }
    }
}

fn same_place(one: &Block, other: &Block) -> bool {
    (one.message, one.occurrence) == (other.message, other.occurrence)
}

/// As the file keeps what was shown.
type ShownRow = (String, Option<ContentHash>, bool);

pub(super) fn row(
    conversation: &Conversation,
    block: &Block,
    now: Timestamp,
) -> serde_json::Result<BlockRow> {
    let shown: Vec<ShownRow> = block
        .shown
        .iter()
        .map(|(path, shown)| (path.as_str().to_owned(), shown.hash, shown.whole))
        .collect();
    Ok(BlockRow {
        conversation: conversation.to_vec(),
        message: block.message.to_vec(),
        occurrence: block.occurrence.into(),
        text: block.text.as_ref().to_owned(),
        tokens: block.tokens.into(),
        project: block.project.as_ref().to_owned(),
        shown: serde_json::to_string(&shown)?,
        frozen_at: now.as_microsecond(),
    })
}

/// `None`: the row cannot be understood.
pub(super) fn read(row: BlockRow) -> Option<Block> {
    let shown: Vec<ShownRow> = serde_json::from_str(&row.shown).ok()?;
    let shown = shown
        .into_iter()
        .map(|(path, hash, whole)| Some((ProjectPath::parse(&path).ok()?, Shown { hash, whole })));
    Some(Block {
        message: row.message.try_into().ok()?,
        occurrence: u32::try_from(row.occurrence).ok()?,
        text: row.text.into(),
        tokens: u32::try_from(row.tokens).ok()?,
        project: row.project.into(),
        shown: shown.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn block(message: u8, text: &str) -> Block {
        let path = ProjectPath::parse("src/a.rs").unwrap();
        let gone = ProjectPath::parse("b").unwrap();
        let hash = Some(ContentHash::of(text.as_bytes()));
        Block {
            message: [message; 16],
            occurrence: 2,
            text: text.into(),
            tokens: 7,
            project: "shop".into(),
            shown: BTreeMap::from([
                (path, Shown { hash, whole: true }),
                (gone, Shown { hash: None, whole: false }),
            ]),
        }
    }

    #[test]
    fn a_block_comes_back_from_the_file_as_it_was() {
        let block = block(3, "<context_delta>\n");
        let row = row(&[1; 16], &block, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(read(row), Some(block));
    }

    #[test]
    fn a_row_that_makes_no_sense_is_no_block() {
        let row = row(&[1; 16], &block(3, "x"), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(read(BlockRow { shown: "{".to_owned(), ..row.clone() }), None);
        assert_eq!(read(BlockRow { message: vec![1, 2], ..row }), None);
    }

    #[test]
    fn a_conversation_that_goes_on_anew_from_a_message_forgets_what_came_after_it() {
        let blocks = Blocks::default();
        for (message, text) in [(1, "first"), (2, "second"), (3, "third"), (2, "again")] {
            assert!(blocks.add([1; 16], block(message, text)));
        }
        let texts = |blocks: &[Block]| -> Vec<_> {
            blocks.iter().map(|block| block.text.to_string()).collect()
        };
        assert_eq!(texts(&blocks.recent(&[1; 16])), ["first", "again"]);
        let file = [block(0, "zero"), block(1, "old"), block(2, "old")];
        assert_eq!(texts(&blocks.complete_with([1; 16], &file)), ["zero", "first", "again"]);
    }

    #[test]
    fn what_the_file_has_comes_before_what_came_meanwhile() {
        let blocks = Blocks::default();
        assert!(blocks.add([1; 16], block(2, "new")));
        assert_eq!(blocks.complete(&[1; 16]), None);
        let all = blocks.complete_with([1; 16], &[block(1, "old")]);
        assert_eq!(all.iter().map(|block| block.message[0]).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(blocks.complete(&[1; 16]), Some(all));
    }

    #[test]
    fn a_project_takes_its_conversations_with_it() {
        let blocks = Blocks::default();
        assert!(blocks.add([1; 16], block(2, "new")));
        blocks.forget("other");
        assert_eq!(blocks.recent(&[1; 16]).len(), 1);
        blocks.forget("shop");
        assert!(blocks.recent(&[1; 16]).is_empty());
    }
}
