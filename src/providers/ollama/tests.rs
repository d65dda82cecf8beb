use axum::Json;
use axum::routing::{get, post};
use rstest::rstest;
use serde_json::json;

use super::*;

async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn client() -> HttpClient {
    HttpClient::new(None, None).unwrap()
}

#[tokio::test]
async fn models_are_listed_with_their_real_window_and_abilities() {
    let tags = json!({"models": [
        {"name": "qwen2.5:3b", "details": {"parameter_size": "3.1B"}},
        {"name": "gpt-oss:20b", "details": {"parameter_size": "20.9B"}},
        {"name": "broken"},
    ]});
    let show = |Json(asked): Json<Value>| async move {
        match asked["model"].as_str() {
            Some("qwen2.5:3b") => Json(json!({
                "details": {"parameter_size": "3.1B"},
                "model_info": {"general.parameter_count": 3_085_938_688_u64, "qwen2.context_length": 32768},
                "capabilities": ["completion", "tools", "insert"],
            })),
            Some("gpt-oss:20b") => Json(json!({
                "model_info": {"gptoss.context_length": 131_072},
                "capabilities": ["completion", "tools", "thinking"],
            })),
            _ => Json(json!("what?")),
        }
    };
    let router = axum::Router::new()
        .route("/api/tags", get(|| async { Json(tags) }))
        .route("/api/show", post(show));
    let models =
        discover(&client(), &format!("{}/", serve(router).await), &"ollama".into()).await.unwrap();
    let ids: Vec<_> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["ollama/qwen2.5:3b", "ollama/gpt-oss:20b"]);
    let (small, large) = (&models[0], &models[1]);
    assert_eq!(
        (small.context_window, small.max_tier, small.is_free()),
        (32_768, Tier::Trivial, true)
    );
    assert!(
        small.capabilities.has(Capability::Fim) && !small.capabilities.has(Capability::Reasoning)
    );
    assert_eq!((large.context_window, large.max_tier), (131_072, Tier::Standard));
    assert!(
        large.capabilities.has(Capability::Reasoning)
            && !large.capabilities.has(Capability::Vision)
    );
}

#[tokio::test]
async fn no_server_or_another_one_is_an_error_with_a_reason() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = discover(&client(), &gone, &"ollama".into()).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Network);
    assert!(error.message.starts_with("ollama cannot be reached"), "{error}");
    let other = axum::Router::new().route("/api/tags", get(|| async { "<html>hello</html>" }));
    let error = discover(&client(), &serve(other).await, &"ollama".into()).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Protocol);
}

#[rstest]
#[case("135M", Some(135_000_000), Tier::Trivial)]
#[case("3.8B", Some(3_800_000_000), Tier::Trivial)]
#[case("4.3B", Some(4_300_000_000), Tier::Operational)]
#[case("14.8B", Some(14_800_000_000), Tier::Operational)]
#[case("32B", Some(32_000_000_000), Tier::Standard)]
#[case("70.6B", Some(70_600_000_000), Tier::Complex)]
#[case("large", None, Tier::Trivial)]
fn trust_follows_size(#[case] size: &str, #[case] count: Option<u64>, #[case] tier: Tier) {
    assert_eq!(parameters(size), count);
    assert_eq!(trust(count), tier);
}
