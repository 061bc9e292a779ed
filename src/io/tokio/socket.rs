//! One type for the streams of sessions that a function can name.

#[cfg(unix)]
use ::tokio::net::UnixStream;
use ::tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use alloc::boxed::Box;
use core::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use std::{
    io::{self, IoSlice},
    sync::{Mutex, PoisonError},
};

/// A stream of a session: TCP, a Unix socket, or any other, with the addresses that are known of it.
///
/// ```
/// use esmtp::io::tokio::Socket;
///
/// let (near, _far) = tokio::io::duplex(64 * 1024);
/// let socket = Socket::boxed(near).with_peer("192.0.2.1:4711".parse()?);
/// assert_eq!(socket.peer().map(|peer| peer.port()), Some(4711));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub struct Socket {
    kind: Kind,
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
}

enum Kind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// The mutex is never contended: it makes the socket `Sync`, whether the stream is or not.
    Boxed(Mutex<Box<dyn Duplex>>),
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

impl Socket {
    /// Puts any stream into a box: that of a proxy (SOCKS5, HTTP CONNECT), or one in memory.
    #[must_use]
    pub fn boxed(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { kind: Kind::Boxed(Mutex::new(Box::new(stream))), local: None, peer: None }
    }

    /// Makes a stream without octets, for a connection that was taken apart.
    pub(super) fn none() -> Self {
        Self::boxed(::tokio::io::empty())
    }

    /// Sets the address of this side.
    #[must_use]
    pub const fn with_local(mut self, local: SocketAddr) -> Self {
        self.local = Some(local);
        self
    }

    /// Sets the address of the peer, as a PROXY header names it, for example.
    #[must_use]
    pub const fn with_peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Returns the address of this side, if there is one.
    #[must_use]
    pub const fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Returns the address of the peer, if there is one.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    fn stream(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.kind {
            Kind::Tcp(stream) => Pin::new(stream),
            #[cfg(unix)]
            Kind::Unix(stream) => Pin::new(stream),
            Kind::Boxed(stream) => {
                Pin::new(&mut **stream.get_mut().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }
}

/// Takes over the addresses of the stream, and sets TCP_NODELAY: a command or a reply must not wait for the
/// acknowledgement of the one before it.
impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        // Where it fails the connection is lost, which the first read or write shows.
        let _ = stream.set_nodelay(true);
        let (local, peer) = (stream.local_addr().ok(), stream.peer_addr().ok());
        Self { kind: Kind::Tcp(stream), local, peer }
    }
}

#[cfg(unix)]
impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self { kind: Kind::Unix(stream), local: None, peer: None }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.is_write_vectored(),
            Kind::Boxed(stream) => {
                stream.lock().unwrap_or_else(PoisonError::into_inner).is_write_vectored()
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Tcp(_) => "Tcp",
            #[cfg(unix)]
            Kind::Unix(_) => "Unix",
            Kind::Boxed(_) => "Boxed",
        };
        f.debug_struct("Socket")
            .field("kind", &format_args!("{kind}"))
            .field("local", &self.local)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

const _: () = {
    const fn is_free<T: Send + Sync + Unpin + 'static>() {}
    is_free::<Socket>();
};
