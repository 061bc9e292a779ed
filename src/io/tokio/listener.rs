//! Listeners of any kind, and their sockets.

use super::socket::Socket;
use ::tokio::net::TcpListener;
#[cfg(unix)]
use ::tokio::net::UnixListener;
use core::{
    net::SocketAddr,
    task::{Context, Poll, ready},
};
use std::io;

/// A listener of [`serve`](super::serve): TCP or a Unix socket.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Kind::Tcp(listener))
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(Kind::Unix(listener))
    }
}

impl Listener {
    /// Returns the address of a listener that has one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Kind::Unix(_) => None,
        }
    }

    /// Accepts a connection.
    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Socket>> {
        Poll::Ready(match &self.0 {
            Kind::Tcp(listener) => ready!(listener.poll_accept(context)).map(|(stream, _)| {
                // A reply must not wait for the acknowledgement of the one before it. Where it
                // fails, the connection is lost, and the session sees that.
                let _ = stream.set_nodelay(true);
                Socket::from(stream)
            }),
            #[cfg(unix)]
            Kind::Unix(listener) => {
                ready!(listener.poll_accept(context)).map(|(stream, _)| Socket::from(stream))
            }
        })
    }
}
