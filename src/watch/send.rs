//! Sends one batch at a time and says what the server makes of it. What may pass (no connection, a
//! busy server) is tried again, the same bytes each time, so that a lost acknowledgement is made good;
//! what will not pass is told at once. It knows nothing of files.

use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Listener, WatchError};
use crate::delta::Acknowledged;

/// How long a whole request may take.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(5);
/// The server may ask for longer waits than this; they are cut.
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// Longest part of an answer that is read, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How failed requests are repeated: each wait is twice the one before, up to `longest`, and cut by
/// chance to between half and the whole of it.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    pub first: Duration,
    pub longest: Duration,
    /// Requests before giving up; none: never.
    pub most: Option<u32>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(30), most: None }
    }
}

impl Retry {
    /// The wait after so many failures. `chance` is in 0..1.
    fn wait(&self, failures: u32, chance: f64) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1).min(20));
        let whole = self.first.saturating_mul(factor).min(self.longest);
        whole.mul_f64(0.5 + chance / 2.0)
    }
}

/// What the server made of a batch.
#[derive(Debug)]
pub(super) enum Answer {
    Taken(Acknowledged),
    /// It has another version than the batch starts from.
    OutOfStep {
        server_version: u64,
    },
    /// More than it takes, in its own words.
    TooLarge(String),
}

pub(super) struct Sender {
    http: Client,
    url: Url,
    key: Option<SecretString>,
    retry: Retry,
    handle: Handle,
    stop: CancellationToken,
}

/// One attempt that may be repeated.
struct Failure {
    why: String,
    after: Option<Duration>,
}

impl Sender {
    /// # Errors
    /// The HTTP client cannot be made.
    pub(super) fn new(
        (server, key): (&Url, Option<SecretString>),
        retry: Retry,
        handle: Handle,
        stop: CancellationToken,
    ) -> Result<Self, WatchError> {
        let mut builder = Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(CONNECT)
            // A redirect would carry the texts and the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("edge-watch/", env!("CARGO_PKG_VERSION")));
        if is_loopback(server) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| WatchError::Client(error.to_string()))?;
        Ok(Self { http, url: endpoint(server), key, retry, handle, stop })
    }

    /// Sends until there is an answer. Blocks.
    ///
    /// # Errors
    /// The server refuses for good, the attempts are used up, or the program is asked to stop.
    pub(super) fn post(
        &self,
        body: Vec<u8>,
        listener: &mut dyn Listener,
    ) -> Result<Answer, WatchError> {
        let body = Bytes::from(body);
        let mut failures = 0;
        loop {
            let attempt = async {
                tokio::select! {
                    () = self.stop.cancelled() => Err(WatchError::Stopped),
                    result = self.attempt(body.clone()) => result,
                }
            };
            let failure = match self.handle.block_on(attempt)? {
                Ok(answer) => {
                    if failures > 0 {
                        listener.reached();
                    }
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            failures += 1;
            if self.retry.most.is_some_and(|most| failures >= most) {
                return Err(WatchError::Unreachable(failure.why));
            }
            let wait = self.retry.wait(failures, rand::rng().random());
            let wait = failure.after.map_or(wait, |asked| asked.min(LONGEST_ASKED).max(wait));
            listener.unreachable(&failure.why, wait);
            self.pause(wait)?;
        }
    }

    /// Waits as after so many failures.
    ///
    /// # Errors
    /// The program is asked to stop.
    pub(super) fn pause_after(&self, failures: u32) -> Result<(), WatchError> {
        self.pause(self.retry.wait(failures, rand::rng().random()))
    }

    fn pause(&self, wait: Duration) -> Result<(), WatchError> {
        self.handle.block_on(async {
            tokio::select! {
                () = self.stop.cancelled() => Err(WatchError::Stopped),
                () = tokio::time::sleep(wait) => Ok(()),
            }
        })
    }

    /// The outer error ends the program, the inner one may pass.
    async fn attempt(&self, body: Bytes) -> Result<Result<Answer, Failure>, WatchError> {
        let mut request =
            self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(Err(Failure { why: cause(&error), after: None })),
        };
        let (status, after) = (response.status(), retry_after(response.headers()));
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Ok(Err(Failure { why: cause(&error), after })),
            }
            if bytes.len() > LONGEST_ANSWER {
                break;
            }
        }
        judge(status, &bytes, after)
    }
}

/// What an answer means.
fn judge(
    status: StatusCode,
    body: &[u8],
    after: Option<Duration>,
) -> Result<Result<Answer, Failure>, WatchError> {
    if status.is_success() {
        let taken = serde_json::from_slice(body).map(Answer::Taken).map_err(|_| Failure {
            why: "the answer is no acknowledgement: is this address an edge-router?".to_owned(),
            after,
        });
        return Ok(taken);
    }
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let message = refusal.message(status);
    match status {
        StatusCode::CONFLICT => {
            Ok(Ok(Answer::OutOfStep { server_version: refusal.server_version() }))
        }
        StatusCode::PAYLOAD_TOO_LARGE => Ok(Ok(Answer::TooLarge(message))),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Ok(Err(Failure { why: message, after }))
        }
        _ if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
            Ok(Err(Failure { why: message, after }))
        }
        _ => Err(WatchError::Refused { status: status.as_u16(), message }),
    }
}

/// The body of an error, as much of it as is of use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: RefusalDetail,
    server_version: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RefusalDetail {
    message: String,
    server_version: Option<u64>,
}

impl Refusal {
    fn message(&self, status: StatusCode) -> String {
        if self.error.message.is_empty() {
            format!("status {status}")
        } else {
            self.error.message.clone()
        }
    }

    fn server_version(&self) -> u64 {
        self.error.server_version.or(self.server_version).unwrap_or(0)
    }
}

/// Only seconds: edge-router sends no dates.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost reason: the outer ones repeat the address.
fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// The server's address with or without `/v1` and a slash at its end.
fn endpoint(server: &Url) -> Url {
    let mut url = server.clone();
    let path = url.path().trim_end_matches('/').trim_end_matches("/v1").to_owned();
    url.set_path(&format!("{path}/v1/context/delta"));
    url.set_query(None);
    url
}

/// Whether what is sent stays on this machine.
pub(super) fn is_loopback(server: &Url) -> bool {
    server.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        host == "localhost" || address.is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://127.0.0.1:4000", "http://127.0.0.1:4000/v1/context/delta")]
    #[case("http://127.0.0.1:4000/v1/", "http://127.0.0.1:4000/v1/context/delta")]
    #[case("https://host/router", "https://host/router/v1/context/delta")]
    fn a_server_is_named_with_or_without_v1(#[case] server: &str, #[case] url: &str) {
        assert_eq!(endpoint(&server.parse().unwrap()).as_str(), url);
    }

    #[rstest]
    #[case("http://localhost:4000", true)]
    #[case("http://127.0.0.1:4000", true)]
    #[case("http://[::1]:4000", true)]
    #[case("http://192.168.1.2:4000", false)]
    #[case("https://localhost.example", false)]
    fn it_is_known_whether_texts_leave_the_machine(#[case] server: &str, #[case] stays: bool) {
        assert_eq!(is_loopback(&server.parse().unwrap()), stays);
    }

    #[rstest]
    #[case(409, r#"{"error":{"message":"m","code":"context_out_of_sync","server_version":7}}"#)]
    #[case(409, r#"{"error":{"message":"m"},"server_version":7}"#)]
    fn the_servers_version_is_read_wherever_it_stands(#[case] status: u16, #[case] body: &str) {
        let answer = judge(StatusCode::from_u16(status).unwrap(), body.as_bytes(), None);
        assert!(matches!(answer, Ok(Ok(Answer::OutOfStep { server_version: 7 }))));
    }

    #[rstest]
    #[case(503, true)]
    #[case(429, true)]
    #[case(500, true)]
    #[case(400, false)]
    #[case(401, false)]
    #[case(403, false)]
    #[case(404, false)]
    fn only_what_may_pass_is_tried_again(#[case] status: u16, #[case] again: bool) {
        let body = br#"{"error":{"message":"because"}}"#;
        match judge(StatusCode::from_u16(status).unwrap(), body, None) {
            Ok(Err(failure)) => assert!(again && failure.why == "because"),
            Err(WatchError::Refused { message, .. }) => assert!(!again && message == "because"),
            other => panic!("{other:?}", other = other.map(|one| one.map_err(|error| error.why))),
        }
    }

    #[test]
    fn a_server_may_ask_for_a_longer_wait_in_seconds() {
        let asked = |value: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers)
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Wed, 25 Nov 2026 20:00:00 GMT"), None);
    }

    proptest! {
        #[test]
        fn waits_grow_to_the_longest_and_no_further(failures in 1_u32..1000, chance in 0.0..1.0_f64) {
            let retry = Retry::default();
            let wait = retry.wait(failures, chance);
            prop_assert!(wait >= retry.first / 2 && wait <= retry.longest);
        }
    }
}
