//! Saving the configuration takes effect without a restart; an invalid file changes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::openai::one_provider;
use crate::support::{TestRouter, Upstream, nothing};

async fn until(router: &TestRouter, mut done: impl AsyncFnMut(&TestRouter) -> bool) {
    for _ in 0..200 {
        if done(router).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("did not happen within ten seconds");
}

#[tokio::test]
async fn a_saved_file_takes_effect_and_an_invalid_one_is_refused_and_shown() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let path = router.dir.path().join("edge-router.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    let environment = nothing(router.dir.path());
    let _watch =
        edge_router::app::watch_config(&router.state, router.source.clone(), environment).unwrap();

    std::fs::write(&path, good.replace("id = \"up/solid\"", "id = \"up/renamed\"")).unwrap();
    until(&router, async |router| router.get("/v1/models/up/renamed").await.status() == 200).await;

    std::fs::write(&path, good.replace("max_tier = \"deep\"", "max_tier = \"bottomless\""))
        .unwrap();
    until(&router, async |router| {
        let health: Value = router.get("/health").await.json().await.unwrap();
        health.to_string().contains("bottomless")
    })
    .await;
    assert_eq!(router.get("/v1/models/up/renamed").await.status(), 200);
    let body = json!({"messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(router.chat(&body).await.status(), 200);

    // Editors replace the file instead of writing into it.
    let beside = router.dir.path().join("edge-router.toml.new");
    std::fs::write(&beside, &good).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    until(&router, async |router| router.get("/v1/models/up/solid").await.status() == 200).await;
    let health: Value = router.get("/health").await.json().await.unwrap();
    assert!(!health.to_string().contains("bottomless"), "{health}");
}
