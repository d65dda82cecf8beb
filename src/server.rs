//! The HTTP edge: sockets, routes, who may call, and how answers and failures look on the wire.
//! It turns bytes and headers into a [`crate::pipeline::RequestContext`] and a reply into a
//! response; which model serves, what it costs and what a body means is decided elsewhere.
//!
//! One request passes, from the outside in: `edge::observe` (request id, guard against web pages,
//! panics, the rendering of failures, metrics), CORS, `auth::admit` (default: a key is needed),
//! and the handler that [`routes`] names for its path.

mod auth;
mod body;
mod context;
mod deltas;
mod edge;
mod error;
mod guard;
mod json;
mod listen;
mod models;
mod openai;
mod reply;
mod routes;
mod status;
mod usage;
mod usage_rows;

#[cfg(test)]
mod tests;

pub use listen::serve;
pub use routes::router;
