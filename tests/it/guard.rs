//! Who may ask: keys, and a loopback server without a key against web pages.

use serde_json::{Value, json};

use crate::openai::one_provider;
use crate::support::{TestRouter, Upstream};

#[rstest::rstest]
#[case("origin", "https://evil.example", 403)]
#[case("origin", "null", 403)]
#[case("origin", "http://localhost:5173", 200)]
#[case("host", "evil.example", 403)]
#[case("host", "localhost:4000", 200)]
#[tokio::test]
async fn a_foreign_origin_or_host_is_refused_without_a_key(
    #[case] header: &str,
    #[case] value: &str,
    #[case] status: u16,
) {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let response = router
        .post("/v1/chat/completions", &json!({"messages": [{"role": "user", "content": "x"}]}))
        .header(header, value)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), status);
}

#[tokio::test]
async fn with_a_master_key_every_path_but_health_and_the_root_needs_it() {
    let upstream = Upstream::start().await;
    let toml = format!(
        "[server]\ndata_dir = \"data\"\nmaster_key = \"sk-master\"\n{}",
        one_provider(&upstream)
    );
    let router = TestRouter::start(&toml).await;
    for (path, open) in [
        ("/", true),
        ("/health", true),
        ("/health/ready", true),
        ("/v1/models", false),
        ("/v1/budget", false),
        ("/metrics", false),
        ("/models", false),
    ] {
        let expected = if open { 200 } else { 401 };
        assert_eq!(router.get(path).await.status().as_u16(), expected, "{path}");
        for (header, value) in [("authorization", "Bearer sk-master"), ("x-api-key", "sk-master")] {
            let request = router.http.get(format!("{}{path}", router.base)).header(header, value);
            assert_eq!(request.send().await.unwrap().status(), 200, "{path}");
        }
    }
    let wrong = router
        .http
        .get(format!("{}/v1/models", router.base))
        .header("authorization", "Bearer sk-wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
    let text = wrong.text().await.unwrap();
    assert!(!text.contains("sk-wrong") && !text.contains("sk-master"));
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(error["error"]["code"], "invalid_api_key");
}
