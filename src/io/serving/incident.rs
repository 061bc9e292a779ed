//! The incidents of a listener that its log is interested in.

use crate::{io::SessionError, proxy::ProxyError};
use core::{fmt, net::SocketAddr};
use std::io;

/// An incident that [`Options::with_log`](super::Options::with_log) reports. Its `Display` is a line
/// for a log.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incident<'a> {
    /// No connection could be accepted; the listener goes on.
    Accept {
        /// The error of the operating system.
        error: &'a io::Error,
    },
    /// There was no place for a client: it got the reply that the options hold for that case, or was
    /// disconnected without one.
    NoPlace {
        /// The address of the client, if there is one.
        peer: Option<SocketAddr>,
    },
    /// A proxy sent no valid PROXY header, or none in time. The connection was closed.
    NoHeader {
        /// The address of the proxy, if there is one.
        proxy: Option<SocketAddr>,
        /// The error of the header; `None` if it was incomplete.
        error: Option<ProxyError>,
    },
    /// The session function returned an error.
    Session {
        /// The address of the client, if there is one.
        peer: Option<SocketAddr>,
        /// The error that it returned.
        error: &'a SessionError,
    },
    /// The session function panicked. Other sessions go on.
    Panic {
        /// The address of the client, if there is one.
        peer: Option<SocketAddr>,
    },
    /// No thread could be started for a session. The connection was closed.
    Thread {
        /// The address of the client, if there is one.
        peer: Option<SocketAddr>,
        /// The error of the operating system.
        error: &'a io::Error,
    },
}

impl fmt::Display for Incident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = match self {
            Self::Accept { error } => return write!(f, "no connection accepted: {error}"),
            Self::NoPlace { peer }
            | Self::NoHeader { proxy: peer, .. }
            | Self::Session { peer, .. }
            | Self::Panic { peer }
            | Self::Thread { peer, .. } => peer,
        };
        match peer {
            Some(peer) => write!(f, "{peer}: ")?,
            None => f.write_str("local client: ")?,
        }
        match self {
            Self::Accept { .. } => Ok(()),
            Self::NoPlace { .. } => f.write_str("too many sessions"),
            Self::NoHeader { error: Some(error), .. } => fmt::Display::fmt(error, f),
            Self::NoHeader { error: None, .. } => f.write_str("no complete proxy header in time"),
            Self::Session { error, .. } => fmt::Display::fmt(error, f),
            Self::Panic { .. } => f.write_str("the session function panicked"),
            Self::Thread { error, .. } => write!(f, "no thread for the session: {error}"),
        }
    }
}
