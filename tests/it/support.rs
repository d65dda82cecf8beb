//! The harness: a scripted upstream and a whole router, each on a port of its own.

mod books;
mod process;
mod projects;
mod router;
mod upstream;

pub use books::{Books, connect};
pub use process::{Process, program};
pub use projects::{Mood, ProjectServer};
pub use router::{TestRouter, nothing, sse_events};
pub use upstream::{SLOW_CHUNK, SLOW_PROMPT, Script, Tail, Upstream, chunk, frames};
