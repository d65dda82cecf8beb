//! What is remembered of a conversation between its requests: the tier and the model of its current
//! task, and what its provider probably still has cached. Bounded, in memory; lost on a restart,
//! which costs one cold cache and nothing else.

use std::time::{Duration, Instant};

use crate::catalog::Tier;
use crate::chat::{ChatRequest, Message, Part, Role};
use crate::ids::ModelId;

/// Names a conversation. Not reversible to its text.
pub type Fingerprint = [u8; 16];

/// Most conversations remembered at a time.
const CAPACITY: u64 = 100_000;

/// How long a provider keeps a prefix, at least (Anthropic's default; OpenAI's is 5 to 10 minutes).
const PREFIX_LIFETIME: Duration = Duration::from_secs(300);

/// Shorter prompts are not cached by any provider of the facts file.
const SHORTEST_CACHED: u32 = 1024;

/// The conversation that a request belongs to: by the client's own id, else by client key, system
/// prompt and first message of the user.
pub fn fingerprint(key: &str, session: Option<&str>, request: &ChatRequest) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes()).update(&[0]);
    if let Some(session) = session {
        hasher.update(b"session\0").update(session.as_bytes());
    } else {
        let system = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
        let first_system = request.messages.iter().find(system);
        let first_user = request.messages.iter().find(|message| message.role == Role::User);
        for message in [first_system, first_user].into_iter().flatten() {
            hasher.update(&[1]);
            for part in &message.parts {
                if let Part::Text { text, .. } = part {
                    hasher.update(text.as_bytes());
                }
            }
        }
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    short
}

/// What the last answered request of a conversation left.
#[derive(Clone, Debug)]
pub struct Memory {
    instruction: [u8; 32],
    tier: Tier,
    pub model: ModelId,
    /// Prompt tokens that `model` was sent, and when.
    sent: (u32, Instant),
}

impl Memory {
    /// `served` is the tier and the model of this request, `sent` its prompt's tokens and the moment.
    pub fn new(instruction: &str, served: (Tier, ModelId), sent: (u32, Instant)) -> Self {
        let (tier, model) = served;
        Self { instruction: *blake3::hash(instruction.as_bytes()).as_bytes(), tier, model, sent }
    }

    /// One task, one model: while the human's instruction is the same and its tier has not been
    /// raised, the model stays.
    pub fn keeps_model(&self, instruction: &str, tier: Tier) -> bool {
        tier <= self.tier && self.instruction == *blake3::hash(instruction.as_bytes()).as_bytes()
    }

    /// Prompt tokens that `model`'s provider probably still has cached.
    pub fn cached(&self, model: &ModelId, now: Instant) -> u32 {
        let (tokens, at) = self.sent;
        let warm = now.saturating_duration_since(at) < PREFIX_LIFETIME;
        if self.model == *model && warm && tokens >= SHORTEST_CACHED { tokens } else { 0 }
    }
}

/// The memory of all conversations.
#[derive(Clone, Debug)]
pub struct Conversations(moka::sync::Cache<Fingerprint, Memory>);

impl Conversations {
    /// Forgets a conversation that has been silent for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        Self(moka::sync::Cache::builder().max_capacity(CAPACITY).time_to_idle(ttl).build())
    }

    pub fn lookup(&self, conversation: &Fingerprint) -> Option<Memory> {
        self.0.get(conversation)
    }

    pub fn remember(&self, conversation: Fingerprint, memory: Memory) {
        self.0.insert(conversation, memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    fn memory(now: Instant) -> Memory {
        Memory::new("fix the parser", (Tier::Standard, "a/m".into()), (8_000, now))
    }

    #[test]
    fn a_task_keeps_its_model_until_a_new_instruction_or_a_higher_tier() {
        let memory = memory(SystemClock.instant());
        assert!(memory.keeps_model("fix the parser", Tier::Standard));
        assert!(!memory.keeps_model("fix the parser", Tier::Complex));
        assert!(!memory.keeps_model("now write the docs", Tier::Trivial));
    }

    #[test]
    fn a_prefix_counts_as_cached_for_the_same_model_and_for_a_while() {
        let now = SystemClock.instant();
        let memory = memory(now);
        assert_eq!(memory.cached(&"a/m".into(), now), 8_000);
        assert_eq!(memory.cached(&"b/m".into(), now), 0);
        assert_eq!(memory.cached(&"a/m".into(), now + PREFIX_LIFETIME), 0);
    }
}
