//! One type for the streams of sessions that a function can name.

use super::stream::Stream;
use alloc::boxed::Box;
use core::{fmt, net::SocketAddr, time::Duration};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    net::TcpStream,
    sync::{Mutex, PoisonError},
};

/// A stream of a session: TCP, a Unix socket, or any other, with the addresses that are known of it.
///
/// ```no_run
/// use esmtp::io::blocking::Socket;
/// use std::net::TcpStream;
///
/// let socket = Socket::from(TcpStream::connect("mx.example.org:25")?);
/// assert_eq!(socket.peer().map(|peer| peer.port()), Some(25));
/// # Ok::<(), std::io::Error>(())
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
    Boxed(Mutex<Box<dyn Stream + Send>>),
}

impl Socket {
    /// Puts any stream into a box: that of a proxy (SOCKS5, HTTP CONNECT), or one in memory.
    #[must_use]
    pub fn boxed(stream: impl Stream + Send + 'static) -> Self {
        Self { kind: Kind::Boxed(Mutex::new(Box::new(stream))), local: None, peer: None }
    }

    /// Makes a stream without octets, for a connection that was taken apart.
    pub(super) fn none() -> Self {
        Self::boxed(io::empty())
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

    fn stream(&mut self) -> &mut dyn Stream {
        match &mut self.kind {
            Kind::Tcp(stream) => stream,
            #[cfg(unix)]
            Kind::Unix(stream) => stream,
            Kind::Boxed(stream) => stream.get_mut().unwrap_or_else(PoisonError::into_inner),
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

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream().read(into)
    }

    fn read_vectored(&mut self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.stream().read_vectored(into)
    }
}

impl Write for Socket {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream().write(octets)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream().write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream().flush()
    }
}

impl Stream for Socket {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream().set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream().set_write_timeout(timeout)
    }

    fn read_arrived(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream().read_arrived(into)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream().shutdown_write()
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
