//! Sockets: accepts connections, serves HTTP/1.1 (keep-alive) and HTTP/2 on them, and on shutdown
//! lets running requests end within a grace period.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::router;
use crate::state::AppState;
use crate::telemetry;

/// How long requests that run at shutdown may go on.
const GRACE: Duration = Duration::from_secs(30);
/// How long a request that was cut may take to say so to its client.
const LAST_WORD: Duration = Duration::from_secs(1);
/// For a whole request head, and for an idle connection: longer than clients keep theirs (90 s at
/// most), so that it is never the server that closes under a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// After an `accept` that failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Histograms keep every sample until they are drained.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Serves on `listener` until `shutdown`, then drains and returns.
///
/// # Errors
/// None at present; the type leaves room for listeners that can fail for good.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let upkeep = tokio::spawn(keep_metrics_small());
    let cut = state.runtime.cut.clone();
    run(listener, router(state), (shutdown, cut), GRACE).await;
    upkeep.abort();
    Ok(())
}

async fn keep_metrics_small() {
    let recorder = telemetry::recorder();
    let mut tick = tokio::time::interval(METRICS_UPKEEP);
    loop {
        tick.tick().await;
        recorder.run_upkeep();
    }
}

/// `shutdown` ends the acceptance of requests; `cut` is cancelled here when those that still run have
/// had their grace, so that they end by themselves before their connections are dropped.
async fn run(
    listener: TcpListener,
    app: Router,
    (shutdown, cut): (CancellationToken, CancellationToken),
    grace: Duration,
) {
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let server = Server { app, protocol, shutdown, cut: CancellationToken::new() };
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = server.shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                connections.spawn(server.clone().connection(socket, peer));
            }
            Err(error) => pause_if_exhausted(&error).await,
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "cutting requests that outlived the grace period");
        cut.cancel();
        let _ = tokio::time::timeout(LAST_WORD, connections.wait()).await;
        server.cut.cancel();
        connections.wait().await;
    }
}

async fn pause_if_exhausted(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // the client was gone before it was accepted
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::error!(%error, "cannot accept connections");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[derive(Clone)]
struct Server {
    app: Router,
    protocol: Builder<TokioExecutor>,
    /// No new requests.
    shutdown: CancellationToken,
    /// The grace period is over.
    cut: CancellationToken,
}

impl Server {
    async fn connection(self, socket: TcpStream, peer: SocketAddr) {
        // small chunks of a stream must leave at once
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let app = self.app;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            app.clone().call(request)
        });
        let mut connection = pin!(self.protocol.serve_connection(TokioIo::new(socket), service));
        let mut draining = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = self.shutdown.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.cut.cancelled() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
