//! The socket and the body: what HTTP libraries do not let go wrong goes wrong here.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::desk::ServerCertificate;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A listener whose connections can be cut.
pub(super) enum Door {
    Plain(TcpListener),
    /// Connections whose handshake is done; one that dawdles holds up no other.
    Tls(mpsc::Receiver<(Wire, SocketAddr)>, SocketAddr),
}

impl Door {
    /// Speaks TLS where there is a certificate. Needs a tokio runtime then.
    pub(super) fn new(listener: TcpListener, tls: Option<&ServerCertificate>) -> io::Result<Door> {
        let Some(tls) = tls else { return Ok(Door::Plain(listener)) };
        let other = |error: rustls::pki_types::pem::Error| io::Error::other(error.to_string());
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(tls.certificate.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(other)?;
        let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).map_err(other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let address = listener.local_addr()?;
        let (ready, receiver) = mpsc::channel(16);
        tokio::spawn(shake_hands(listener, acceptor, ready));
        Ok(Door::Tls(receiver, address))
    }
}

async fn shake_hands(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<(Wire, SocketAddr)>,
) {
    loop {
        let (stream, address) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = ready.closed() => return,
        };
        let _ = stream.set_nodelay(true);
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
            if let Ok(Ok(stream)) = shaken {
                let stream = Stream::Tls(Box::new(stream));
                // Nobody takes it where the simulator is being stopped.
                let _ = ready.send((Wire { stream, line: Line::default() }, address)).await;
            }
        });
    }
}

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        match self {
            Door::Plain(listener) => {
                let (stream, address) = Listener::accept(listener).await;
                // Answers are written in several pieces; waiting for acknowledgements would only slow tests.
                let _ = stream.set_nodelay(true);
                (Wire { stream: Stream::Plain(stream), line: Line::default() }, address)
            }
            Door::Tls(ready, _) => match ready.recv().await {
                Some(accepted) => accepted,
                // The other end lives as long as the listener.
                None => std::future::pending().await,
            },
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Door::Plain(listener) => listener.local_addr(),
            Door::Tls(_, address) => Ok(*address),
        }
    }
}

/// The switch that cuts a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Arc<AtomicBool>);

impl Line {
    pub(super) fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().line.clone()
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection; once cut, nothing more is written.
pub(super) struct Wire {
    stream: Stream,
    line: Line,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.check()?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check()?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A body that comes in pieces, with pauses, and may break off.
pub(super) struct Ragged {
    pieces: VecDeque<Bytes>,
    pause: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
    breaks: bool,
    flushed: bool,
}

impl Ragged {
    /// The first half of a body, then the end of the connection.
    pub(super) fn half(body: Vec<u8>) -> Self {
        let mut first = Bytes::from(body);
        first.truncate(first.len() / 2);
        let pieces = VecDeque::from([first]);
        Self { pieces, pause: None, sleep: None, breaks: true, flushed: false }
    }

    /// A whole body in small pieces.
    pub(super) fn drip(body: &[u8], piece: usize, pause: Duration) -> Self {
        let pieces = body.chunks(piece.max(1)).map(Bytes::copy_from_slice).collect();
        Self { pieces, pause: Some(pause), sleep: None, breaks: false, flushed: false }
    }
}

impl http_body::Body for Ragged {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        if let Some(piece) = self.pieces.pop_front() {
            self.sleep = self.pause.map(|pause| Box::pin(tokio::time::sleep(pause)));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if !self.breaks {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // What was written must leave before the connection breaks, or the client sees no answer at all.
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
    }
}
