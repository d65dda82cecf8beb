//! The edge called as a service, without a socket.

mod support;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use support::{Answer, Edge, get, post};

#[tokio::test]
async fn every_prefix_leads_to_the_same_place() {
    let edge = Edge::plain().await;
    for path in ["/v1/models", "/openai/v1/models", "/anthropic/v1/models", "/models"] {
        let answer = edge.call(get(path)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.json()["object"], "list");
    }
}

#[rstest]
#[case("/v1/models/acme/large")]
#[case("/v1/models/acme%2Flarge")]
#[case("/models/acme/large")]
#[case("/openai/v1/models/large-wire")]
#[tokio::test]
async fn a_model_is_found_by_its_id_raw_or_encoded(#[case] path: &str) {
    let answer = Edge::plain().await.call(get(path)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let model = answer.json();
    assert_eq!(model["id"], "acme/large");
    assert_eq!(model["context_window"], 128_000);
    assert_eq!(model["limit"]["context"], 128_000);
    assert_eq!(model["pricing"]["prompt"], "0.000002");
    assert!(answer.text().contains("\"input_usd_per_mtok\":2,"), "{}", answer.text());
    assert_eq!(model["capabilities"], json!(["chat", "tools"]));
    assert_eq!(model["max_tier"], "complex");
    assert_eq!(model["available"], true);
}

#[tokio::test]
async fn the_list_has_auto_aliases_and_models_with_the_smallest_window_for_names() {
    let answer = Edge::plain().await.call(get("/v1/models")).await.json();
    let data = answer["data"].as_array().unwrap();
    let entry = |id: &str| data.iter().find(|entry| entry["id"] == id).unwrap();
    assert_eq!(data[0]["id"], "auto");
    assert_eq!(entry("auto")["pricing"], Value::Null);
    assert_eq!(entry("mixed")["context_window"], 32_000);
    assert_eq!(entry("mixed")["pricing"], Value::Null);
    assert_eq!(entry("mixed")["targets"], json!(["acme/large", "acme/small"]));
    assert_eq!(entry("acme/small")["context_length"], 32_000);
    assert_eq!(entry("gone/model")["available"], false);
}

#[tokio::test]
async fn an_unknown_model_is_a_404_with_near_names() {
    let answer = Edge::plain().await.call(get("/v1/models/acme/larch")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "model_not_found");
    assert!(error["nearest"].is_array());
}

#[tokio::test]
async fn every_answer_carries_a_request_id_of_ours() {
    let edge = Edge::plain().await;
    for path in ["/", "/health", "/nothing/here", "/v1/budget"] {
        let request =
            Request::get(path).header("x-request-id", "mine").body(Body::empty()).unwrap();
        let answer = edge.call(request).await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_path_names_the_near_one() {
    let answer = Edge::plain().await.call(post("/v1/chat/completion", "{}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let error = &answer.json()["error"];
    assert_eq!(error["type"], "invalid_request_error");
    assert!(error["message"].as_str().unwrap().contains("/v1/chat/completions"));
}

#[rstest]
#[case("/v1/responses")]
#[case("/openai/v1/embeddings")]
#[case("/ui/")]
#[case("/api/chat")]
#[tokio::test]
async fn what_is_not_built_says_so(#[case] path: &str) {
    let answer = Edge::plain().await.call(post(path, "{}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let error = &answer.json()["error"];
    assert!(error["message"].as_str().unwrap().contains("not part of this version"));
}

#[tokio::test]
async fn errors_under_messages_have_anthropics_form() {
    let answer = Edge::plain().await.call(post("/anthropic/v1/messages", "{}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let body = answer.json();
    assert_eq!(body["type"], "error");
    assert_eq!(body["error"]["type"], "not_found_error");
    assert_eq!(body["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_lists_the_right_one() {
    let answer = Edge::plain().await.call(get("/v1/chat/completions")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "POST");
    assert_eq!(answer.json()["error"]["code"], "method_not_allowed");
}

#[tokio::test]
async fn the_root_answers_get_and_head_without_a_key() {
    let edge = Edge::with(|server| server.master_key = Some("secret".into())).await;
    assert_eq!(edge.call(get("/")).await.status, StatusCode::OK);
    let head = edge.call(Request::head("/").body(Body::empty()).unwrap()).await;
    assert_eq!(head.status, StatusCode::OK);
}

#[rstest]
#[case(None, "/v1/models", StatusCode::UNAUTHORIZED)]
#[case(Some(("authorization", "Bearer wrong")), "/v1/models", StatusCode::UNAUTHORIZED)]
#[case(Some(("authorization", "Basic secret")), "/v1/models", StatusCode::UNAUTHORIZED)]
#[case(Some(("authorization", "Bearer secret")), "/v1/models", StatusCode::OK)]
#[case(Some(("authorization", "bearer  secret ")), "/v1/models", StatusCode::OK)]
#[case(Some(("x-api-key", "secret")), "/v1/models", StatusCode::OK)]
#[case(Some(("x-api-key", "secre")), "/v1/models", StatusCode::UNAUTHORIZED)]
#[case(None, "/metrics", StatusCode::UNAUTHORIZED)]
#[case(Some(("x-api-key", "secret")), "/metrics", StatusCode::OK)]
#[case(None, "/stats", StatusCode::UNAUTHORIZED)]
#[case(None, "/health/detailed", StatusCode::OK)]
#[tokio::test]
async fn a_server_with_a_key_asks_for_it(
    #[case] header: Option<(&str, &str)>,
    #[case] path: &str,
    #[case] status: StatusCode,
) {
    let edge = Edge::with(|server| server.master_key = Some("secret".into())).await;
    let mut request = get(path);
    if let Some((name, value)) = header {
        request.headers_mut().insert(name_of(name), value.parse().unwrap());
    }
    let answer = edge.call(request).await;
    assert_eq!(answer.status, status);
    if status == StatusCode::UNAUTHORIZED {
        assert_eq!(answer.json()["error"]["code"], "invalid_api_key");
        assert!(!answer.text().contains("secret"));
    }
}

fn name_of(name: &str) -> axum::http::HeaderName {
    name.parse().unwrap()
}

#[tokio::test]
async fn without_a_key_metrics_are_for_loopback_callers_only() {
    let edge = Edge::plain().await;
    assert_eq!(edge.call(get("/metrics")).await.status, StatusCode::OK);
    assert_eq!(
        edge.call_from([192, 168, 1, 7], get("/metrics")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(edge.call_from([192, 168, 1, 7], get("/v1/models")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_foreign_page_is_refused_and_a_configured_one_is_let_in() {
    let edge =
        Edge::with(|server| server.cors_origins = vec!["https://ide.example".to_owned()]).await;
    let from = |origin: &str| {
        Request::get("/v1/models").header("origin", origin).body(Body::empty()).unwrap()
    };
    let refused = edge.call(from("https://evil.example")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("cors_origins"));
    assert!(refused.header("x-request-id").starts_with("req_"));
    let allowed = edge.call(from("https://ide.example")).await;
    assert_eq!(allowed.status, StatusCode::OK);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://ide.example");
    assert!(allowed.header("access-control-expose-headers").contains("x-request-id"));
    assert_eq!(edge.call(get("/v1/models")).await.header("access-control-expose-headers"), "");
    let own = edge.call(from("http://localhost:5173")).await;
    assert_eq!(own.status, StatusCode::OK);
    assert_eq!(own.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_rebound_name_is_refused() {
    let request = Request::get("/health").header("host", "evil.example:4000");
    let answer = Edge::plain().await.call(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_preflight_of_a_configured_origin_needs_no_key() {
    let edge = Edge::with(|server| {
        server.master_key = Some("secret".into());
        server.cors_origins = vec!["https://ide.example".to_owned()];
    })
    .await;
    let preflight = Request::options("/v1/chat/completions")
        .header("origin", "https://ide.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .body(Body::empty())
        .unwrap();
    let answer = edge.call(preflight).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    assert!(answer.header("access-control-allow-methods").contains("POST"));
}

#[rstest]
#[case("{\"messages\":\n [}", "line 2")]
#[case("", "no body")]
#[case("  \n", "no body")]
#[tokio::test]
async fn a_malformed_body_is_a_400_that_says_where(#[case] body: &str, #[case] words: &str) {
    let answer = Edge::plain().await.call(post("/v1/chat/completions", body)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "invalid_request");
    assert!(error["message"].as_str().unwrap().contains(words), "{error}");
}

#[tokio::test]
async fn invalid_utf_8_is_named_with_its_place() {
    let mut request = post("/v1/chat/completions", "");
    *request.body_mut() = Body::from(b"{\"model\":\n \"\xff\"}".to_vec());
    let answer = Edge::plain().await.call(request).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("UTF-8") && message.contains("line 2 column 3"), "{message}");
}

#[tokio::test]
async fn an_oversized_body_is_a_413_that_names_the_limit() {
    let edge = Edge::with(|server| server.max_body_bytes = 2 << 20).await;
    let request = post("/v1/chat/completions", &" ".repeat(3 << 20));
    let answer = edge.call(request).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "request_too_large");
    assert!(error["message"].as_str().unwrap().contains("2 MB"), "{error}");
}

#[tokio::test]
async fn a_body_in_unannounced_chunks_is_measured_too() {
    let edge = Edge::with(|server| server.max_body_bytes = 1000).await;
    let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100]));
    let mut request = post("/v1/chat/completions", "");
    *request.body_mut() = Body::from_stream(futures_util::stream::iter(chunks));
    assert_eq!(edge.call(request).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[rstest]
#[case("x-task-tier", "hard", "trivial, operational, standard, complex, deep")]
#[case("x-inject-context", "maybe", "true or false")]
#[case("content-encoding", "gzip", "compressed")]
#[tokio::test]
async fn a_bad_header_is_a_400_that_names_what_is_allowed(
    #[case] name: &str,
    #[case] value: &str,
    #[case] words: &str,
) {
    let mut request = post("/v1/chat/completions", r#"{"messages":[]}"#);
    request.headers_mut().insert(name_of(name), value.parse().unwrap());
    let answer = Edge::plain().await.call(request).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "invalid_request");
    assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    assert_eq!(error["param"].as_str().unwrap().to_lowercase(), name);
}

#[tokio::test]
async fn an_unknown_api_for_route_is_a_400() {
    let answer = Edge::plain().await.call(post("/v1/route?api=soap", r#"{"messages":[]}"#)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("chat, messages or responses"));
}

#[tokio::test]
async fn the_budget_is_told_whole_and_what_is_left_in_every_answers_header() {
    let edge = Edge::plain().await;
    let answer = edge.call(get("/v1/budget")).await;
    assert_eq!(
        answer.json(),
        json!({
            "daily": {"limit_usd": 3, "spent_usd": 0, "reserved_usd": 0, "remaining_usd": 3,
                "resets_at": "2026-11-22T00:00:00Z"},
            "monthly": {"limit_usd": null, "spent_usd": 0, "reserved_usd": 0, "remaining_usd": null,
                "resets_at": "2026-12-01T00:00:00Z"},
            "per_request_limit_usd": 2,
        })
    );
    assert_eq!(answer.header("x-edge-budget-remaining-usd"), "3");
    let refused = edge.call(post("/v1/chat/completions", "")).await;
    assert_eq!(refused.header("x-edge-budget-remaining-usd"), "3");
    let stranger = edge.call(get("/health")).await;
    assert_eq!(stranger.header("x-edge-budget-remaining-usd"), "");
}

#[tokio::test]
async fn health_is_up_at_once_and_ready_when_a_backend_is() {
    let edge = Edge::plain().await;
    let health = edge.call(get("/health")).await;
    assert_eq!(health.json()["status"], "ok");
    assert_eq!(health.json()["config_error"], Value::Null);
    assert_eq!(edge.call(get("/health/ready")).await.status, StatusCode::OK);
    let empty = Edge::without_backends().await;
    assert_eq!(empty.call(get("/health")).await.status, StatusCode::OK);
    assert_eq!(empty.call(get("/health/live")).await.status, StatusCode::OK);
    let ready = empty.call(get("/health/ready")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.header("retry-after"), "1");
    assert_eq!(ready.json()["error"]["code"], "no_backend");
}

#[tokio::test]
async fn detailed_health_lists_providers_and_models_and_no_secret() {
    let answer = Edge::plain().await.call(get("/health/detailed")).await;
    let body = answer.json();
    assert_eq!(body["status"], "ok");
    assert_eq!(body["providers"][0]["id"], "acme");
    assert_eq!(body["providers"][0]["available"], 2);
    assert_eq!(body["models"].as_array().unwrap().len(), 2);
    assert!(!answer.text().contains("sk-acme"));
}

#[tokio::test]
async fn answers_are_counted_by_route_template_in_text_and_json() {
    let edge = Edge::plain().await;
    edge.call(get("/openai/v1/models/acme/large")).await;
    edge.call(get("/no/such/path")).await;
    let metrics = edge.call(get("/metrics")).await;
    let series =
        r#"edge_router_http_requests_total{route="/models/{*id}",method="GET",status="2xx"}"#;
    assert!(metrics.text().contains(series), "{}", metrics.text());
    assert!(metrics.text().contains(r#"route="unknown",method="GET",status="4xx""#));
    assert!(metrics.text().contains(r#"edge_router_budget_usd{window="day",figure="limit"} 3"#));
    let stats: Answer = edge.call(get("/stats")).await;
    assert!(stats.json()["counters"]["edge_router_http_requests_total"][0]["value"].is_u64());
}

#[tokio::test]
async fn a_panic_is_a_500_without_its_text() {
    let broken = || -> std::future::Ready<()> { panic!("the words of the panic") };
    let edge = Edge::with_route("/v1/broken", axum::routing::get(broken)).await;
    let answer = edge.call(get("/v1/broken")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.json()["error"]["code"], "internal_error");
    assert!(!answer.text().contains("the words"));
    assert!(answer.header("x-request-id").starts_with("req_"));
}
