//! Connections: HTTP/1.1 and HTTP/2 (by prior knowledge) on one port, until told to stop.

use crate::web::{Peer, Source, at_once::AtOnce};
use axum::Router;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

/// A client that has not sent its request's head by then is not going to.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// A client that takes nothing of its answer for so long is not going to: its place is another's. A player that was paused
/// asks for the rest anew.
const TAKING_TIMEOUT: Duration = Duration::from_secs(60);

/// What a connection buffers at most, in each direction: less would send media in smaller pieces.
const BUFFER: usize = 128 * 1024;
/// A head of more bytes is none of ours. Over HTTP/1.1 it is what fits into the buffer.
const LARGEST_HEAD: u32 = 32 * 1024;

/// How connections are taken.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long running requests may take to finish when it stops.
    pub grace: Duration,
    /// Connections at once; more wait to be accepted until others have ended.
    pub connections: usize,
    /// Connections at once of one address, or of the /64 of an IPv6 one; more are closed.
    pub connections_by_address: usize,
    /// Addresses that may have all of them: gateways, which speak for many.
    pub gateways: Vec<IpAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            grace: Duration::ZERO,
            connections: 4096,
            connections_by_address: 512,
            gateways: Vec::new(),
        }
    }
}

/// Serves until `stop` completes, then lets running requests finish for as long as `grace`.
///
/// True when all of them did.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> bool {
    serve_with(listener, router, stop, Options { grace, ..Options::default() }).await
}

/// The same, with connections taken as the options say.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    options: Options,
) -> bool {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(BUFFER);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIMEOUT)
        .max_header_list_size(LARGEST_HEAD)
        .max_concurrent_streams(256);
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(options.connections));
    let by_address = AtOnce::new(options.connections_by_address);
    let mut stop = std::pin::pin!(stop);
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            () = &mut stop => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: closing connections will free some.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let own = match options.gateways.contains(&peer.ip().to_canonical()) {
            true => None,
            false => match by_address.take(&Source::of(Some(Peer(peer))).0) {
                Some(own) => Some(own),
                // Else one host could have all the places, and nobody else one.
                None => {
                    tracing::debug!("too many connections of one address");
                    continue;
                }
            },
        };
        // Small answers should not wait for an acknowledgement; without it they only come later.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(TAKING_TIMEOUT));
        let router = router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().call(request)
        });
        let connection =
            server.serve_connection(TokioIo::new(Box::pin(stream)), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            let _place = (place, own);
            if let Err(error) = connection.await {
                tracing::debug!(error, "connection");
            }
        });
    }
    drop(listener);
    tokio::time::timeout(options.grace, connections.shutdown()).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, routing::get};
    use std::net::SocketAddr;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        time::{Instant, timeout},
    };

    /// More than lies in the buffers of a connection.
    const LONG: usize = 64 << 20;

    async fn served() -> TcpStream {
        TcpStream::connect(serving(Options::default()).await).await.unwrap()
    }

    async fn serving(options: Options) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(async || Body::from(vec![b'x'; LONG])))
            .route("/short", get(async || "short"));
        tokio::spawn(serve_with(listener, router, std::future::pending(), options));
        address
    }

    /// Whether a connection is answered on; one that is not has been closed.
    async fn is_answered(stream: &mut TcpStream) -> bool {
        // What is written to a connection that was closed may be refused.
        let _ = stream.write_all(b"GET /short HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = [0; 1024];
        let read = stream.read(&mut answer).await.unwrap_or(0);
        answer[..read].starts_with(b"HTTP/1.1 200")
    }

    #[cfg(target_os = "linux")] // elsewhere, this machine has one address
    #[tokio::test]
    async fn one_address_has_so_many_connections_and_leaves_room_for_others() {
        let options = Options { connections: 8, connections_by_address: 2, ..Options::default() };
        let address = serving(options).await;
        let connect = async || TcpStream::connect(address).await.unwrap();
        let (mut first, mut second) = (connect().await, connect().await);
        assert!(is_answered(&mut first).await && is_answered(&mut second).await);
        for _ in 0..20 {
            assert!(!is_answered(&mut connect().await).await, "its third");
        }
        let from_elsewhere = tokio::net::TcpSocket::new_v4().unwrap();
        from_elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = from_elsewhere.connect(address).await.unwrap();
        assert!(is_answered(&mut other).await, "another address has its own");
        assert!(is_answered(&mut second).await, "and what was there goes on");
    }

    #[tokio::test]
    async fn a_gateway_speaks_for_many() {
        let gateways = vec![IpAddr::from([127, 0, 0, 1])];
        let address =
            serving(Options { connections_by_address: 1, gateways, ..Options::default() }).await;
        let mut streams = Vec::new();
        for _ in 0..4 {
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        for stream in &mut streams {
            assert!(is_answered(stream).await);
        }
    }

    /// All that comes, and after how long it was over; the clock is the test's own, and jumps.
    async fn taken(mut stream: TcpStream) -> (usize, Duration) {
        let (begun, mut bytes) = (Instant::now(), Vec::new());
        // A connection that is broken off is over, too.
        let over = timeout(Duration::from_secs(3600), stream.read_to_end(&mut bytes)).await;
        assert!(over.is_ok(), "it is still open after an hour");
        (bytes.len(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_is_not_waited_for() {
        let mut stream = served().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ").await.unwrap();
        let (bytes, after) = taken(stream).await;
        assert!(bytes < 1000 && after <= 2 * HEAD_TIMEOUT, "{bytes} bytes, {after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_not_kept_for_ever() {
        let mut stream = served().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(2 * TAKING_TIMEOUT).await;
        let (bytes, _) = taken(stream).await;
        assert!(bytes < LONG, "{bytes} bytes of an answer that was given up");
    }

    #[tokio::test]
    async fn an_answer_that_is_taken_is_whole() {
        let mut stream = served().await;
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let (bytes, _) = taken(stream).await;
        assert!(bytes > LONG, "{bytes}");
    }
}
