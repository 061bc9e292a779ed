//! Listeners of any kind, and their sockets.

use super::socket::Socket;
use alloc::boxed::Box;
use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::{
    io,
    net::{TcpListener, TcpStream},
};

/// The time for a connection to the listener itself.
const WAKE_TIME: Duration = Duration::from_secs(1);

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
    pub(super) fn accept(&self) -> io::Result<Socket> {
        match &self.0 {
            Kind::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                // A reply must not wait for the acknowledgement of the one before it. Where it
                // fails, the connection is lost, and the session sees that.
                let _ = stream.set_nodelay(true);
                Ok(stream.into())
            }
            #[cfg(unix)]
            Kind::Unix(listener) => listener.accept().map(|(stream, _)| stream.into()),
        }
    }

    /// Returns a function that makes [`accept`](Self::accept) return, by a connection to itself: no
    /// other way is portable. Its descriptor is reserved.
    pub(super) fn waker(&self) -> io::Result<Box<dyn FnOnce() + Send>> {
        Ok(match &self.0 {
            Kind::Tcp(listener) => {
                let reserve = listener.try_clone()?;
                let mut address = listener.local_addr()?;
                if address.ip().is_unspecified() {
                    address.set_ip(match address {
                        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
                    });
                }
                Box::new(move || {
                    drop(reserve);
                    // It fails when connections wait to be accepted, or the listener is gone.
                    let _ = TcpStream::connect_timeout(&address, WAKE_TIME);
                })
            }
            #[cfg(unix)]
            Kind::Unix(listener) => {
                let reserve = listener.try_clone()?;
                let address = listener.local_addr()?;
                Box::new(move || {
                    drop(reserve);
                    let _ = UnixStream::connect_addr(&address);
                })
            }
        })
    }
}
