//! Keeps web pages away from a server without a key: a page that the user visits can make the
//! browser call loopback addresses, directly (foreign `Origin`) or under a name of its own that
//! resolves here (DNS rebinding: foreign `Host`). Also the CORS headers for origins that are let in.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::error::Failure;
use crate::config::ServerSettings;
use crate::state::AppState;

/// Refuses requests of foreign pages where no key protects the server.
pub(super) fn check(state: &AppState, request: &Request) -> Result<(), Failure> {
    let snapshot = state.snapshot.load();
    let server = &snapshot.config.server;
    if server.master_key.is_some() {
        return Ok(());
    }
    let headers = request.headers();
    for host in headers.get_all(header::HOST) {
        check_host(&String::from_utf8_lossy(host.as_bytes()), server)?;
    }
    if let Some(authority) = request.uri().authority() {
        check_host(authority.as_str(), server)?;
    }
    for origin in headers.get_all(header::ORIGIN) {
        check_origin(&String::from_utf8_lossy(origin.as_bytes()), server)?;
    }
    Ok(())
}

fn check_host(authority: &str, server: &ServerSettings) -> Result<(), Failure> {
    let host = without_port(authority);
    let listed = || {
        let mut origins = server.cors_origins.iter().filter_map(|origin| origin_host(origin));
        origins.any(|listed| listed.eq_ignore_ascii_case(host))
    };
    if is_own(host, server.host) || listed() {
        return Ok(());
    }
    Err(Failure::forbidden_page(format!(
        "the Host `{}` is not this server: use http://localhost:{} or 127.0.0.1; to allow another name, set `server.master_key` or add its origin to `server.cors_origins`",
        shown(authority),
        server.port
    )))
}

fn check_origin(origin: &str, server: &ServerSettings) -> Result<(), Failure> {
    if is_listed(origin, server) || origin_host(origin).is_some_and(|h| is_own(h, server.host)) {
        return Ok(());
    }
    Err(Failure::forbidden_page(format!(
        "requests from the web page at `{}` are refused, because this server has no key: add the origin to `server.cors_origins`, or set `server.master_key`",
        shown(origin)
    )))
}

fn is_listed(origin: &str, server: &ServerSettings) -> bool {
    let origin = origin.trim_end_matches('/');
    let mut listed = server.cors_origins.iter().map(|one| one.trim_end_matches('/'));
    listed.any(|one| one == "*" || one.eq_ignore_ascii_case(origin))
}

/// `localhost`, a loopback address or the address that the server is configured to listen on.
fn is_own(host: &str, configured: IpAddr) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    address
        .parse::<IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback() || address == configured)
}

/// The host of `http://host:port`; `None` for opaque origins (`null`, `file://`, other schemes).
fn origin_host(origin: &str) -> Option<&str> {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
    let host = without_port(rest.split('/').next()?);
    (!host.is_empty()).then_some(host)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// CORS for the configured origins; without any, browsers are given no permission.
pub(super) fn cors(state: &AppState) -> CorsLayer {
    let state = state.clone();
    let allowed = move |origin: &HeaderValue, _: &axum::http::request::Parts| {
        let snapshot = state.snapshot.load();
        origin.to_str().is_ok_and(|origin| is_listed(origin, &snapshot.config.server))
    };
    let exposed = [
        "x-request-id",
        "x-edge-model",
        "x-edge-tier",
        "x-edge-fallback-index",
        "x-edge-cache",
        "x-edge-budget-remaining-usd",
        "x-edge-budget-warning",
        "x-edge-dropped",
        "x-edge-cost-usd",
        "retry-after",
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed.map(HeaderName::from_static))
        .vary([header::ORIGIN])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    fn server(cors_origins: &[&str]) -> ServerSettings {
        ServerSettings {
            host: [127, 0, 0, 1].into(),
            port: 4000,
            master_key: None,
            data_dir: "data".into(),
            max_body_bytes: 1 << 20,
            request_timeout: Duration::from_secs(1),
            cors_origins: cors_origins.iter().map(|origin| (*origin).to_owned()).collect(),
        }
    }

    #[rstest]
    #[case("localhost", true)]
    #[case("LocalHost:4000", true)]
    #[case("localhost.:4000", true)]
    #[case("127.0.0.1:9", true)]
    #[case("[::1]:4000", true)]
    #[case("[::1]", true)]
    #[case("evil.example:4000", false)]
    #[case("localhost.evil.example", false)]
    #[case("127.0.0.1.evil.example", false)]
    #[case("", false)]
    #[case("192.168.1.4:4000", false)]
    #[case("router.lan", true)]
    fn a_host_is_ours_or_foreign(#[case] host: &str, #[case] ours: bool) {
        assert_eq!(check_host(host, &server(&["https://router.lan"])).is_ok(), ours);
    }

    #[rstest]
    #[case("http://localhost:3000", true)]
    #[case("http://127.0.0.1", true)]
    #[case("https://[::1]:8443", true)]
    #[case("https://router.lan", true)]
    #[case("https://router.lan:444", false)]
    #[case("https://evil.example", false)]
    #[case("http://localhost.evil.example", false)]
    #[case("null", false)]
    #[case("file://", false)]
    #[case("chrome-extension://abc", false)]
    fn an_origin_is_ours_or_foreign(#[case] origin: &str, #[case] ours: bool) {
        assert_eq!(check_origin(origin, &server(&["https://router.lan/"])).is_ok(), ours);
    }

    #[test]
    fn a_star_lets_every_page_in_but_no_foreign_host() {
        assert!(check_origin("https://evil.example", &server(&["*"])).is_ok());
        assert!(check_host("evil.example", &server(&["*"])).is_err());
    }
}
