use std::sync::Arc;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::*;

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

async fn start(app: Router, grace: Duration) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let server =
        tokio::spawn(run(listener, app, (shutdown.clone(), CancellationToken::new()), grace));
    Running { address, shutdown, server }
}

async fn ask(socket: &mut TcpStream, path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
}

/// Reads until the text ends with `end` or the connection does.
async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut chunk = [0; 1024];
    while !text.ends_with(end) {
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(count) => text.push_str(std::str::from_utf8(&chunk[..count]).unwrap()),
        }
    }
    text
}

#[tokio::test]
async fn one_connection_serves_several_requests() {
    let peer =
        |ConnectInfo(peer): ConnectInfo<SocketAddr>| std::future::ready(peer.ip().to_string());
    let running = start(Router::new().route("/", get(peer)), Duration::from_secs(5)).await;
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    for _ in 0..3 {
        ask(&mut socket, "/").await;
        let answer = read_until(&mut socket, "127.0.0.1").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_running_request_ends_well_after_shutdown_and_idle_connections_close() {
    let go = Arc::new(Notify::new());
    let entered = Arc::new(Notify::new());
    let (wait, enter) = (go.clone(), entered.clone());
    let slow = move || {
        let (wait, enter) = (wait.clone(), enter.clone());
        async move {
            enter.notify_one();
            wait.notified().await;
            "done"
        }
    };
    let app = Router::new().route("/slow", get(slow)).route("/", get(|| std::future::ready("hi")));
    let running = start(app, Duration::from_secs(60)).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    ask(&mut idle, "/").await;
    read_until(&mut idle, "hi").await;
    let mut busy = TcpStream::connect(running.address).await.unwrap();
    ask(&mut busy, "/slow").await;
    entered.notified().await;
    running.shutdown.cancel();
    assert_eq!(idle.read(&mut [0; 8]).await.unwrap(), 0);
    go.notify_one();
    assert!(read_until(&mut busy, "done").await.ends_with("done"));
    running.server.await.unwrap();
}

#[tokio::test]
async fn a_request_that_outlives_the_grace_period_is_cut() {
    let entered = Arc::new(Notify::new());
    let enter = entered.clone();
    let never = move || {
        enter.notify_one();
        std::future::pending::<&'static str>()
    };
    let running = start(Router::new().route("/", get(never)), Duration::from_millis(10)).await;
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    ask(&mut socket, "/").await;
    entered.notified().await;
    running.shutdown.cancel();
    running.server.await.unwrap();
    assert_eq!(read_until(&mut socket, "x").await, "");
}
