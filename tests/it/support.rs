//! The harness: a scripted upstream and a whole router, each on a port of its own.

mod router;
mod upstream;

pub use router::{TestRouter, nothing, sse_events};
pub use upstream::{Script, Tail, Upstream, frames};
