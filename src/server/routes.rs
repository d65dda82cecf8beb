//! The routes, as data: every path with its handler, the prefixes that clients put before it, and
//! which paths need no key. A path that is not listed as open needs one.

use axum::Router;
use axum::extract::MatchedPath;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use super::error::Failure;
use super::{auth, deltas, edge, guard, models, openai, status, usage, usage_rows};
use crate::state::AppState;
use crate::telemetry;

/// What stands before an API path, since clients disagree on what a base URL is.
const PREFIXES: [&str; 4] = ["/v1", "/openai/v1", "/anthropic/v1", ""];

/// API paths, without their prefix.
fn api() -> [(&'static str, MethodRouter<AppState>); 9] {
    [
        ("/chat/completions", post(openai::chat_completions)),
        ("/models", get(models::list)),
        ("/models/{*id}", get(models::one)),
        ("/route", post(openai::explain)),
        ("/budget", get(usage::budget)),
        ("/usage", get(usage_rows::usage)),
        ("/context/delta", post(deltas::delta)),
        ("/context/stats", get(deltas::stats)),
        ("/context/{project}", get(deltas::one).delete(deltas::remove)),
    ]
}

/// Paths that exist once.
fn fixed() -> [(&'static str, MethodRouter<AppState>); 7] {
    [
        ("/", get(status::root)),
        ("/health", get(status::health)),
        ("/health/live", get(status::live)),
        ("/health/ready", get(status::ready)),
        ("/health/detailed", get(status::detailed)),
        ("/metrics", get(status::metrics)),
        ("/stats", get(status::stats)),
    ]
}

/// What a caller must show to use a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Open,
    Key,
    /// The master key, or a loopback caller of a server without one.
    Admin,
}

/// The exceptions; every other known path is [`Access::Key`].
const EXCEPTIONS: [(&str, Access); 7] = [
    ("/", Access::Open),
    ("/health", Access::Open),
    ("/health/live", Access::Open),
    ("/health/ready", Access::Open),
    ("/health/detailed", Access::Open),
    ("/metrics", Access::Admin),
    ("/stats", Access::Admin),
];

/// Paths of the contract that this version does not have.
const NOT_BUILT: [&str; 9] = [
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/audio/transcriptions",
    "/v1/admin",
    "/api",
    "/ui",
    "/setup",
];

/// The paths without `/v1` that [`canonical`] gives for routed requests: bounded metric labels.
const TEMPLATES: [&str; 16] = [
    "/chat/completions",
    "/models",
    "/models/{*id}",
    "/route",
    "/budget",
    "/usage",
    "/context/delta",
    "/context/stats",
    "/context/{project}",
    "/",
    "/health",
    "/health/live",
    "/health/ready",
    "/health/detailed",
    "/metrics",
    "/stats",
];

/// The whole HTTP interface over `state`. Needs no socket: tests call it as a service.
pub fn router(state: AppState) -> Router {
    // What is counted before the first reading of `/metrics` counts too.
    telemetry::recorder();
    let mut routes = Router::new();
    for prefix in PREFIXES {
        for (path, handler) in api() {
            routes = routes.route(&format!("{prefix}{path}"), handler);
        }
    }
    for (path, handler) in fixed() {
        routes = routes.route(path, handler);
    }
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(state.clone(), auth::admit))
        .layer(guard::cors(&state))
        .layer(from_fn_with_state(state.clone(), edge::observe))
        .with_state(state)
}

/// The path of a route without its API prefix; `None` for a request that no route matched.
pub(super) fn canonical(matched: Option<&MatchedPath>) -> Option<&'static str> {
    let matched = matched?.as_str();
    PREFIXES.iter().find_map(|prefix| {
        let rest = matched.strip_prefix(prefix)?;
        TEMPLATES.iter().find(|template| **template == rest).copied()
    })
}

/// What is needed for a route; paths that no route matched are open, since they only say so.
pub(super) fn access(template: Option<&'static str>) -> Access {
    let Some(template) = template else { return Access::Open };
    let exception = EXCEPTIONS.iter().find(|(path, _)| *path == template);
    exception.map_or(Access::Key, |(_, access)| *access)
}

/// The path with whatever prefix the client used replaced by `/v1`.
pub(super) fn under_v1(path: &str) -> String {
    let rest = PREFIXES.iter().filter(|prefix| !prefix.is_empty()).find_map(|prefix| {
        path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    format!("/v1{}", rest.unwrap_or(path))
}

async fn unknown_path(uri: Uri) -> Failure {
    let path = uri.path();
    let shown: String = path.chars().filter(|c| !c.is_control()).take(200).collect();
    if not_built(path) {
        return Failure::unknown_path(format!(
            "{shown} is not part of this version; what it serves: {}",
            known_paths().join(", ")
        ));
    }
    let near = near_paths(path);
    let hint = match near.is_empty() {
        true => format!("this server has {}", known_paths().join(", ")),
        false => format!("did you mean {}?", near.join(" or ")),
    };
    Failure::unknown_path(format!("there is nothing at {shown}; {hint}"))
}

async fn wrong_method(method: axum::http::Method, uri: Uri) -> Failure {
    let shown: String = uri.path().chars().filter(|c| !c.is_control()).take(200).collect();
    Failure::wrong_method(format!(
        "{method} is not possible on {shown}; the `allow` header lists what is"
    ))
}

fn not_built(path: &str) -> bool {
    let known = |path: &str| {
        NOT_BUILT.iter().any(|later| {
            path.strip_prefix(later).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    known(path) || known(&under_v1(path))
}

/// Every path as the reference writes it.
fn known_paths() -> Vec<String> {
    let api = api().into_iter().map(|(path, _)| format!("/v1{}", readable(path)));
    let fixed = fixed().into_iter().map(|(path, _)| readable(path).to_owned());
    api.chain(fixed).collect()
}

fn readable(template: &str) -> &str {
    if template == "/models/{*id}" { "/models/{id}" } else { template }
}

/// Up to three known paths that look like `path`, nearest first.
fn near_paths(path: &str) -> Vec<String> {
    let asked = under_v1(&path.replace("//", "/").to_lowercase());
    let bare = path.replace("//", "/").to_lowercase();
    let mut scored: Vec<(f64, String)> = known_paths()
        .into_iter()
        .filter(|known| known != "/")
        .map(|known| {
            let score =
                strsim::jaro_winkler(&known, &asked).max(strsim::jaro_winkler(&known, &bare));
            (score, known)
        })
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.truncate(3);
    scored.into_iter().map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_a_bounded_name() {
        for (path, _) in api() {
            assert!(TEMPLATES.contains(&path), "{path} is missing in TEMPLATES");
        }
        for (path, _) in fixed() {
            assert!(TEMPLATES.contains(&path), "{path} is missing in TEMPLATES");
        }
        assert_eq!(TEMPLATES.len(), api().len() + fixed().len());
    }

    #[test]
    fn a_route_that_is_not_listed_as_open_needs_a_key() {
        assert_eq!(access(Some("/chat/completions")), Access::Key);
        assert_eq!(access(Some("/budget")), Access::Key);
        assert_eq!(access(Some("/stats")), Access::Admin);
        assert_eq!(access(Some("/metrics")), Access::Admin);
        assert_eq!(access(Some("/health/ready")), Access::Open);
    }

    #[test]
    fn a_mistyped_path_names_the_near_one() {
        assert_eq!(near_paths("/v1/chat/completion")[0], "/v1/chat/completions");
        assert_eq!(near_paths("/openai/v1//chat/completions/")[0], "/v1/chat/completions");
        assert_eq!(near_paths("/model")[0], "/v1/models");
        assert!(near_paths("/wp-admin.php").is_empty());
    }

    #[test]
    fn prefixes_are_replaced_by_v1() {
        assert_eq!(under_v1("/anthropic/v1/messages"), "/v1/messages");
        assert_eq!(under_v1("/messages"), "/v1/messages");
        assert_eq!(under_v1("/v1x/messages"), "/v1/v1x/messages");
    }
}
