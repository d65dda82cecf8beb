//! Calls against a small server that does what providers do on bad days.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use parking_lot::Mutex;
use rstest::rstest;
use tokio::net::TcpListener;

use super::*;
use crate::catalog::Tier;
use crate::strategy::model_for_tests;
use crate::wire::decode_request;

/// What the server was asked, last.
#[derive(Clone, Default)]
struct Seen {
    path: String,
    headers: HashMap<String, String>,
    body: String,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Seen>>);

/// Answers every request with what `answer` makes.
async fn upstream<F, R>(answer: F) -> (String, Log)
where
    F: Fn() -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send,
{
    let log = Log::default();
    let seen = log.clone();
    let router = Router::new().fallback(move |request: Request| {
        let (seen, answer) = (seen.clone(), answer.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            *seen.0.lock() = Seen {
                path: head.uri.to_string(),
                headers: head
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                    .collect(),
                body: String::from_utf8(body.to_vec()).unwrap(),
            };
            answer().await
        }
    });
    (serve(router).await, log)
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Response {
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

fn json(status: u16, body: &'static str) -> Response {
    answer(status, "application/json", body)
}

fn sse(body: &'static str) -> Response {
    answer(200, "text/event-stream", body)
}

/// A stream of these chunks; with `None` the connection breaks, and it stays silent at the end.
fn chunks(parts: Vec<Option<&'static str>>) -> Response {
    let parts = parts.into_iter().map(|part| part.map(Bytes::from).ok_or("cut"));
    let parts = stream::iter(parts).then(|part| async {
        tokio::task::yield_now().await;
        part
    });
    answer(200, "text/event-stream", Body::from_stream(parts.chain(stream::pending())))
}

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const ANSWER: &str = r#"{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
const FIRST: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hel\"}}]}\n\n";

fn settings(kind: ProviderKind, base_url: &str) -> ProviderSettings {
    ProviderSettings {
        id: "cloud".into(),
        kind,
        base_url: base_url.to_owned(),
        api_keys: Vec::new(),
        enabled: true,
        first_byte_timeout: Duration::from_millis(300),
        whole_answer_timeout: Duration::from_millis(300),
        headers: vec![("x-team".into(), "blue".into())],
    }
}

fn request(body: &'static str) -> ProviderCall {
    ProviderCall {
        request: Arc::new(decode_request(Dialect::OpenAi, Bytes::from(body)).unwrap()),
        model: Arc::new(model_for_tests("cloud/big", Tier::Deep, Some((1, 1)))),
        output_cap: Some(64),
        key: Some("s3cret-key".into()),
        headers: Vec::new(),
    }
}

fn provider(kind: ProviderKind, base_url: &str) -> HttpProvider {
    HttpProvider::new(&settings(kind, base_url), &HttpClient::new(None, None).unwrap()).unwrap()
}

async fn call(base_url: &str, body: &'static str) -> Result<ProviderReply, ProviderError> {
    provider(ProviderKind::OpenAi, base_url).call(request(body)).await
}

async fn failed(base_url: &str, body: &'static str) -> ProviderError {
    call(base_url, body).await.err().unwrap()
}

async fn text(reply: ProviderReply) -> Result<String, ProviderError> {
    match reply.body {
        ReplyBody::Whole(body) => Ok(String::from_utf8(body.to_vec()).unwrap()),
        ReplyBody::Bytes(chunks) => {
            let all: Vec<Bytes> = chunks.try_collect().await?;
            Ok(String::from_utf8(all.concat()).unwrap())
        }
        ReplyBody::Events(_) => panic!("HTTP providers answer with bytes"),
    }
}

#[rstest]
#[case(ProviderKind::OpenAi, "/v1", "/v1/chat/completions", "authorization: Bearer s3cret-key")]
#[case(ProviderKind::Anthropic, "", "/v1/messages", "x-api-key: s3cret-key")]
#[case(ProviderKind::Ollama, "/", "/api/chat", "authorization: Bearer s3cret-key")]
#[tokio::test]
async fn each_kind_is_called_at_its_path_with_its_credentials(
    #[case] kind: ProviderKind,
    #[case] base: &str,
    #[case] path: &str,
    #[case] credentials: &str,
) {
    let (url, log) = upstream(|| async { json(200, ANSWER) }).await;
    let mut asked = request(CHAT);
    asked.headers.push(("anthropic-beta".into(), "a,b".into()));
    provider(kind, &format!("{url}{base}")).call(asked).await.unwrap();
    let seen = log.0.lock().clone();
    assert_eq!(seen.path, path);
    let (header, value) = credentials.split_once(": ").unwrap();
    assert_eq!(seen.headers[header], value);
    assert_eq!(seen.headers["x-team"], "blue");
    assert_eq!(seen.headers["anthropic-beta"], "a,b");
    assert_eq!(seen.headers["content-type"], "application/json");
    assert!(!seen.headers.contains_key("accept-encoding"));
    assert_eq!(
        seen.headers.get("anthropic-version").map(String::as_str),
        (kind == ProviderKind::Anthropic).then_some("2023-06-01")
    );
    let cap = if kind == ProviderKind::Ollama { "num_ctx" } else { "max_tokens" };
    assert!(seen.body.contains(cap) && seen.body.contains(r#""big""#), "{}", seen.body);
}

#[tokio::test]
async fn a_whole_answer_arrives_as_it_was_sent() {
    let (url, _) = upstream(|| async { json(200, ANSWER) }).await;
    assert_eq!(text(call(&url, CHAT).await.unwrap()).await.unwrap(), ANSWER);
}

#[tokio::test]
async fn a_stream_arrives_as_it_was_sent_comments_and_pings_included() {
    const ALL: &str =
        ": working\n\nevent: ping\ndata: {}\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n";
    let (url, _) = upstream(|| async { sse(ALL) }).await;
    assert_eq!(text(call(&url, STREAM).await.unwrap()).await.unwrap(), ALL);
}

#[tokio::test]
async fn a_stream_begins_before_it_ends() {
    let (url, _) = upstream(|| async { chunks(vec![Some(FIRST)]) }).await;
    let reply = call(&url, STREAM).await.unwrap();
    let ReplyBody::Bytes(mut body) = reply.body else { panic!("a stream was asked for") };
    assert_eq!(body.next().await.unwrap().unwrap(), FIRST);
}

#[rstest]
#[case::whole(CHAT)]
#[case::streamed(STREAM)]
#[tokio::test]
async fn errors_keep_their_status_and_say_what_to_do(#[case] body: &'static str) {
    let (url, _) = upstream(|| async {
        let mut limited =
            json(429, r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#);
        limited.headers_mut().insert("retry-after", "9".parse().unwrap());
        limited
    })
    .await;
    let error = failed(&url, body).await;
    assert_eq!((error.kind, error.status), (ProviderErrorKind::RateLimited, Some(429)));
    assert_eq!(error.retry_after, Some(Duration::from_secs(9)));
    assert_eq!(error.message, "cloud answered with status 429: slow down");
}

#[tokio::test]
async fn the_key_is_in_no_error() {
    let (url, _) =
        upstream(|| async { json(400, r#"{"error":{"message":"bad key s3cret-key"}}"#) }).await;
    let error = failed(&url, CHAT).await;
    assert!(!format!("{error:?}").contains("s3cret-key"), "{error:?}");
}

#[rstest]
#[case::before_the_headers(true)]
#[case::after_the_headers(false)]
#[tokio::test]
async fn silence_is_a_timeout(#[case] before: bool) {
    let (url, _) = upstream(move || async move {
        if before {
            std::future::pending::<()>().await;
        }
        chunks(Vec::new())
    })
    .await;
    assert_eq!(failed(&url, STREAM).await.kind, ProviderErrorKind::Timeout);
}

#[tokio::test]
async fn comments_alone_do_not_make_a_silent_provider_answer() {
    let (url, _) = upstream(|| async { chunks(vec![Some(": working\n\n")]) }).await;
    assert_eq!(failed(&url, STREAM).await.kind, ProviderErrorKind::Timeout);
}

#[tokio::test]
async fn nobody_at_the_address_is_a_network_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = failed(&url, CHAT).await;
    assert_eq!(error.kind, ProviderErrorKind::Network);
    assert!(error.message.starts_with("cloud cannot be reached: "), "{error}");
}

#[tokio::test]
async fn a_stream_that_is_cut_before_its_first_event_is_a_failure_and_afterwards_an_item() {
    let (url, _) = upstream(|| async { chunks(vec![Some("data: {\"cho"), None]) }).await;
    assert_eq!(failed(&url, STREAM).await.kind, ProviderErrorKind::Network);
    let (url, _) = upstream(|| async { chunks(vec![Some(FIRST), None]) }).await;
    let error = text(call(&url, STREAM).await.unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Network);
}

#[rstest]
#[case::openai(
    "data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n",
    ProviderErrorKind::Server
)]
#[case::anthropic(
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
    ProviderErrorKind::Server
)]
#[case::limit(
    "data: {\"error\":{\"message\":\"slow\",\"type\":\"rate_limit_error\"}}\n\n",
    ProviderErrorKind::RateLimited
)]
#[case::json(
    "{\"error\":{\"message\":\"too long: context length\",\"code\":400}}",
    ProviderErrorKind::ContextOverflow
)]
#[case::page("<html>sign in</html>", ProviderErrorKind::Protocol)]
#[case::whole(ANSWER, ProviderErrorKind::Protocol)]
#[case::empty("", ProviderErrorKind::Protocol)]
#[tokio::test]
async fn what_comes_in_place_of_a_stream_is_a_failure(
    #[case] body: &'static str,
    #[case] kind: ProviderErrorKind,
) {
    let (url, _) = upstream(move || async move { sse(body) }).await;
    assert_eq!(failed(&url, STREAM).await.kind, kind);
}

#[rstest]
#[case::page("<html>sign in</html>", ProviderErrorKind::Protocol)]
#[case::half("{\"id\":\"1\",", ProviderErrorKind::Protocol)]
#[case::list("[]", ProviderErrorKind::Protocol)]
#[case::error("{\"error\":{\"message\":\"x\",\"code\":502}}", ProviderErrorKind::Server)]
#[tokio::test]
async fn what_comes_in_place_of_a_whole_answer_is_a_failure(
    #[case] body: &'static str,
    #[case] kind: ProviderErrorKind,
) {
    let (url, _) = upstream(move || async move { json(200, body) }).await;
    assert_eq!(failed(&url, CHAT).await.kind, kind);
}

#[tokio::test]
async fn an_ollama_line_with_an_error_is_a_failure() {
    let (url, _) = upstream(|| async { sse("{\"error\":\"out of memory\"}\n") }).await;
    let ollama = provider(ProviderKind::Ollama, &url);
    assert_eq!(ollama.call(request(STREAM)).await.err().unwrap().kind, ProviderErrorKind::Server);
}

#[tokio::test]
async fn dropping_the_stream_hangs_up() {
    let gone = Arc::new(AtomicUsize::new(0));
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let count = Arc::clone(&gone);
    let (url, _) = upstream(move || {
        let guard = Guard(Arc::clone(&count));
        async move {
            let endless = stream::unfold(guard, |guard| async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Some((Ok::<_, &str>(Bytes::from(FIRST)), guard))
            });
            answer(200, "text/event-stream", Body::from_stream(endless))
        }
    })
    .await;
    drop(call(&url, STREAM).await.unwrap());
    while gone.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn redirects_are_not_followed_with_the_key() {
    let (url, _) = upstream(|| async {
        Response::builder()
            .status(307)
            .header("location", "http://example.com/")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    assert_eq!(failed(&url, CHAT).await.kind, ProviderErrorKind::Protocol);
}

#[tokio::test]
async fn a_configured_proxy_is_used_and_one_of_the_environment_not_for_this_machine() {
    let (proxy, log) = upstream(|| async { json(200, ANSWER) }).await;
    let (url, _) = upstream(|| async { json(200, ANSWER) }).await;
    let far = settings(ProviderKind::OpenAi, "http://models.invalid/v1");
    let near = settings(ProviderKind::OpenAi, &url);

    let configured = HttpClient::new(Some(&proxy.clone().into()), None).unwrap();
    HttpProvider::new(&far, &configured).unwrap().call(request(CHAT)).await.unwrap();
    assert_eq!(log.0.lock().path, "http://models.invalid/v1/chat/completions");

    *log.0.lock() = Seen::default();
    let environment = HttpClient::with_environment_proxy(&proxy);
    HttpProvider::new(&near, &environment).unwrap().call(request(CHAT)).await.unwrap();
    assert_eq!(log.0.lock().path, "", "the proxy was not asked");
    HttpProvider::new(&far, &environment).unwrap().call(request(CHAT)).await.unwrap();
    assert_eq!(log.0.lock().headers["host"], "models.invalid");
}

#[rstest]
#[case("http://127.0.0.1:9/v1", true)]
#[case("http://127.8.8.8/", true)]
#[case("http://[::1]:11434", true)]
#[case("http://localhost:1", true)]
#[case("http://localhost.example.com", false)]
#[case("http://10.0.0.1", false)]
fn loopback_is_told_by_address(#[case] url: &str, #[case] expected: bool) {
    assert_eq!(client::is_loopback(&Url::parse(url).unwrap()), expected);
}

#[test]
fn settings_that_cannot_work_are_refused_with_a_reason() {
    let client = HttpClient::new(None, None).unwrap();
    let bad =
        |kind, url: &str| HttpProvider::new(&settings(kind, url), &client).unwrap_err().to_string();
    assert!(bad(ProviderKind::OpenAi, "not an address").contains("is not a usable address"));
    assert_eq!(bad(ProviderKind::Embedded, "http://a"), "cloud is not called over HTTP");
    let missing = HttpClient::new(None, Some(std::path::Path::new("/nowhere/ca.pem"))).unwrap_err();
    assert!(missing.to_string().starts_with("the certificate file /nowhere/ca.pem cannot be used"));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificate").unwrap();
    assert!(matches!(HttpClient::new(None, Some(file.path())), Err(ClientError::CaFile { .. })));
}

#[test]
fn an_ollama_window_holds_the_prompt_and_grows_in_powers_of_two() {
    let ollama = provider(ProviderKind::Ollama, "http://127.0.0.1:1");
    let mut asked = request(CHAT);
    assert_eq!(ollama.window(&asked), Some(8_192));
    asked.output_cap = Some(9_000);
    assert_eq!(ollama.window(&asked), Some(16_384));
    asked.output_cap = Some(1_000_000);
    assert_eq!(ollama.window(&asked), Some(128_000), "never more than the model's own");
    assert_eq!(provider(ProviderKind::OpenAi, "http://127.0.0.1:1").window(&asked), None);
}
