//! Adapters: machines on streams, and listeners, connectors and pools on top of them.
//!
//! | to do | with |
//! |---|---|
//! | receive mail | `serve` of [`io::tokio`] or [`blocking`], with the options of [`serving`] |
//! | send mail | `Connector` of [`io::tokio`] or [`blocking`], which gives a session that is ready |
//! | send many messages | a session's `queue`, or `Pool` of [`io::tokio`] |
//! | run a machine on a stream of your own | `Connection` of [`io::tokio`] or [`blocking`] |
//! | run many machines in an event loop (mio, polling) | [`nonblocking`] |
//! | end a session from elsewhere | [`Stopper`] |
//!
#![cfg_attr(feature = "tokio", doc = "[`io::tokio`]: crate::io::tokio")]
//! [`io::tokio`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/index.html
//!
//! ```no_run
//! use esmtp::{Envelope, io::blocking::Connector};
//!
//! let mut session = Connector::new("mx.example.net").connect()?;
//! let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
//! println!("{}", session.send(envelope, b"Subject: hello\r\n\r\nA line.\r\n")?);
//! session.quit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How an adapter drives a machine
//!
//! Each adapter is one loop over [`Machine`], for the server, the client and any layer around them
//! alike. Their `next()` drives the machine until it asks a question, moves the octets that it
//! needs, and keeps its deadlines. [`blocking`] waits in a thread, [`io::tokio`] in a task, and
//! [`nonblocking`] returns what it waits for to an event loop of the application's own.
//!
//! - A failed read or write does not end the session at once: the machine is notified, `next()`
//!   returns the remaining events (replies that were read before, the report of a transaction), and
//!   only then the error, once. After that, as after an orderly end, it returns `None`.
//! - Where the machine could read as well as write, input is read before more is written: a
//!   rejection stops the content that it concerns.
//! - When the machine is done, the writing direction of the stream is shut down first, and then the
//!   peer's remaining octets are read and discarded, for at most [`LINGER_TIME`] and
//!   [`LINGER_OCTETS`]: closing a socket with unread octets resets the connection, and that may
//!   destroy the last reply on its way.
//!
//! ```no_run
//! use esmtp::{io::blocking::Connection, server::Config};
//! use std::{net::TcpListener, sync::Arc};
//!
//! let config = Arc::new(Config::new("mx.example.org")?);
//! let stream = TcpListener::bind("127.0.0.1:2525")?.accept()?.0;
//! let mut session = Connection::accept(stream, config)?;
//! while let Some(event) = session.next()? {
//!     event.proceed(); // the safe default for every question
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
#[cfg(feature = "getrandom")]
mod authenticating;
pub mod blocking;
mod connect_error;
mod connector;
mod layer;
mod lent;
pub mod nonblocking;
mod progress;
mod queue;
mod repeats;
mod send_error;
mod sending;
pub mod serving;
mod session;
mod session_error;
mod source;
mod spare;
mod steps;
mod stopper;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "tracing")]
mod tracer;

pub use address::AddressError;
#[cfg(feature = "getrandom")]
pub use authenticating::AuthenticateError;
pub use connect_error::{ConnectError, ConnectStep};
pub use layer::Layer;
pub use progress::Progress;
pub use queue::Ticket;
pub use send_error::{SendError, SendFailure};
pub use session_error::SessionError;
pub use stopper::Stopper;
#[cfg(feature = "tracing")]
pub use tracer::Tracer;

#[cfg(feature = "rustls")]
use crate::syntax::Extension;
use crate::{
    client::Client,
    machine::Machine,
    security::Security,
    server::{Config, Peer, Server},
    service::Service,
    trace::Timestamp,
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
};
use core::{net::SocketAddr, time::Duration};
use std::{io, time::SystemTime};

/// The time that a connection being closed waits for the peer to close it too: enough for a round
/// trip to anywhere.
pub const LINGER_TIME: Duration = Duration::from_secs(1);

/// The number of octets from the peer that are discarded while a connection is being closed: about
/// as many as may be in flight, so that the peer receives the last reply.
pub const LINGER_OCTETS: usize = 1024 * 1024;

/// The number of slices in a vectored write.
const SLICES: usize = 16;

/// The octets thrown away in one read.
const DISCARD: usize = 4096;

/// Returns whether octets wait to be sent.
fn is_sending(machine: &impl Machine) -> bool {
    machine.to_send(&mut [&[]]) > 0
}

/// A client, or a client inside a layer: a machine that sends messages.
pub trait AsClient {
    /// Returns the client.
    fn as_client(&self) -> &Client;

    /// Returns the client, to change it from outside.
    fn as_client_mut(&mut self) -> &mut Client;
}

impl AsClient for Client {
    fn as_client(&self) -> &Client {
        self
    }

    fn as_client_mut(&mut self) -> &mut Client {
        self
    }
}

#[cfg(feature = "rustls")]
impl<M: AsClient + crate::machine::Upgradable> AsClient for crate::tls::Secured<M> {
    fn as_client(&self) -> &Client {
        self.machine().as_client()
    }

    fn as_client_mut(&mut self) -> &mut Client {
        self.machine_mut().as_client_mut()
    }
}

/// A server, or a server inside a layer: a machine that receives messages.
pub trait AsServer {
    /// Returns the server.
    fn as_server(&self) -> &Server;

    /// Returns the server, to change it from outside.
    fn as_server_mut(&mut self) -> &mut Server;
}

impl AsServer for Server {
    fn as_server(&self) -> &Server {
        self
    }

    fn as_server_mut(&mut self) -> &mut Server {
        self
    }
}

#[cfg(feature = "rustls")]
impl<M: AsServer + crate::machine::Upgradable> AsServer for crate::tls::Secured<M> {
    fn as_server(&self) -> &Server {
        self.machine().as_server()
    }

    fn as_server_mut(&mut self) -> &mut Server {
        self.machine_mut().as_server_mut()
    }
}

/// Converts the time of the system's clock; a time before 1970 becomes 1970-01-01T00:00:00Z.
///
/// ```
/// use esmtp::trace::Timestamp;
/// use std::time::SystemTime;
///
/// let at = Timestamp::from(SystemTime::UNIX_EPOCH);
/// assert_eq!(at.to_string(), "Thu, 1 Jan 1970 00:00:00 +0000");
/// ```
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        Self::since_unix_epoch(since.unwrap_or_default())
    }
}

/// Returns the JSON of a rejected token in parentheses, without what a terminal would obey.
fn told(token_error: Option<&str>) -> String {
    let escaped = |octet: char| match octet.is_control() {
        true => octet.escape_debug().to_string(),
        false => String::from(octet),
    };
    token_error.map_or_else(String::new, |told| {
        alloc::format!(" ({})", told.chars().map(escaped).collect::<String>())
    })
}

/// Checks that LMTP is not on the port of SMTP (RFC 2033 section 5).
fn check_port(service: Service, address: SocketAddr) -> io::Result<()> {
    match service.may_use_port(address.port()) {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "LMTP on port 25 (RFC 2033)")),
    }
}

/// Creates the server of a connection between these addresses: the only constructor for one with a
/// port.
///
/// # Errors
///
/// It would be LMTP on port 25 (RFC 2033 section 5), or the configuration cannot work without TLS.
fn server(
    config: Arc<Config>,
    local: impl Into<Option<SocketAddr>>,
    peer: impl Into<Option<SocketAddr>>,
) -> io::Result<Server> {
    config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    server_between(config, local.into(), peer.into())
}

/// Returns a configuration that offers STARTTLS.
#[cfg(feature = "rustls")]
fn with_start_tls(config: Arc<Config>) -> Arc<Config> {
    match config.extensions().contains(Extension::StartTls) {
        true => config,
        false => Arc::new(Config::clone(&config).with_extension(Extension::StartTls)),
    }
}

/// Creates the server of a connection in a TLS layer.
#[cfg(feature = "rustls")]
fn server_in_layer(
    config: Arc<Config>,
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
) -> io::Result<Server> {
    config
        .check_in_tls_layer()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    server_between(config, local, peer)
}

/// Creates the server of a connection between addresses, as far as there are any.
fn server_between(
    config: Arc<Config>,
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
) -> io::Result<Server> {
    if let Some(local) = local {
        check_port(config.service(), local)?;
    }
    Ok(Server::new(config, peer.map_or(Peer::UNKNOWN, Peer::from), Security::CLEAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2033-5-a: RFC 2033 section 5. The port of the server counts, not that of the client.
    #[test]
    fn lmtp_is_not_served_on_port_25() {
        let at = |port| SocketAddr::from(([192, 0, 2, 1], port));
        for (service, local, peer, is_served) in [
            (Service::Lmtp, 25, 40_000, false),
            (Service::Lmtp, 24, 25, true),
            (Service::Smtp, 25, 40_000, true),
            (Service::Submission, 25, 40_000, true),
        ] {
            let config = Config::new("mx.example.org").unwrap().with_service(service);
            let config = config.with_required_auth(false);
            let made = server(Arc::new(config), at(local), at(peer));
            assert_eq!(made.is_ok(), is_served, "{service:?} on {local}");
            if let Err(error) = made {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            }
        }
    }
}
