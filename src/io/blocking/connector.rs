//! From an address to a session that is ready to send.

use super::{
    connection::{ClientSession, Connection},
    socket::Socket,
};
#[cfg(feature = "rustls")]
use crate::tls::ClientTls;
use crate::{
    client::{self, Timeouts, TlsPolicy},
    io::{
        address::Protection,
        connect_error::{ConnectError, ConnectStep},
        connector::{Options, Plan, Target, settings},
    },
    sasl::Credentials,
    service::Service,
    syntax::Host,
    transcript::Transcript,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::time::Duration;
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::{os::unix::net::UnixStream, path::Path};

/// The settings with which a client connects; [`connect`](Self::connect) gives a session that is secured,
/// logged in and ready.
///
/// ```no_run
/// use esmtp::{envelope::Envelope, io::blocking::Connector, sasl::Credentials};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ann = Credentials::password("ann", "correct horse");
/// let mut session = Connector::new("mail.example.org").submission(ann).connect()?;
/// let envelope = Envelope::new("ann@example.org", &["bob@example.net"])?;
/// let report = session.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n")?;
/// assert!(report.is_delivered_to_all());
/// session.quit()?;
/// # Ok(())
/// # }
/// ```
///
/// A connector is cheap to clone and connects as often as it is asked to; its TLS sessions are resumed.
#[doc(alias("SmtpTransport", "SmtpClient", "Mailer", "relay"))]
#[derive(Clone, Debug)]
pub struct Connector {
    options: Options,
}

impl Connector {
    settings!();

    const fn of(options: Options) -> Self {
        Self { options }
    }

    /// Returns a connector to a Unix socket: LMTP without TLS, unless other settings follow.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self::of(Options::at_path(path.as_ref()))
    }

    /// Connects, secures the session, and logs in. The addresses of a name are tried in turn, until one has a
    /// session.
    ///
    /// # Errors
    ///
    /// The [step](ConnectError::step) that failed: with the reply of the server, the reason of the TLS
    /// library, or the error of the system.
    pub fn connect(&self) -> Result<ClientSession, ConnectError> {
        let plan = self.options.plan()?;
        let (host, port) = match plan.target {
            Target::Host { host, port } => (host, port),
            #[cfg(unix)]
            Target::Unix(path) => {
                let stream = UnixStream::connect(path);
                let stream = stream.map_err(|error| plan.error(ConnectStep::Connect, error))?;
                return open(&plan, stream.into());
            }
            #[cfg(not(unix))]
            Target::Unix(_) => {
                let cause = crate::io::address::AddressError::NoUnixSockets;
                return Err(plan.error(ConnectStep::Settings, cause));
            }
        };
        let addresses = (host, port).to_socket_addrs();
        let addresses = addresses.map_err(|error| plan.error(ConnectStep::Resolve, error))?;
        let mut attempts = Vec::new();
        for address in addresses {
            let stream = TcpStream::connect_timeout(&address, plan.connect_timeout());
            let opened = match stream {
                Ok(stream) => open(&plan, stream.into()),
                Err(error) => Err(ConnectError::new(&address, ConnectStep::Connect, error)),
            };
            match opened {
                Ok(session) => return Ok(session),
                Err(error) if error.try_next_host() => attempts.push((address, error)),
                Err(error) => return Err(error.after(attempts)),
            }
        }
        Err(plan.all_failed(attempts))
    }

    /// Secures a session on a stream that is connected already, and logs in: through a proxy (SOCKS5, HTTP
    /// CONNECT), from a source address, in memory. The address of the connector is the name to verify.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_over(&self, socket: impl Into<Socket>) -> Result<ClientSession, ConnectError> {
        open(&self.options.plan()?, socket.into())
    }

    /// Connects, logs in and quits: for a page of settings, which shows whether they are right.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn verify(&self) -> Result<(), ConnectError> {
        let mut session = self.connect()?;
        // Nothing depends on the reply.
        let _ = session.quit();
        Ok(())
    }
}

/// Drives the session on a stream until it is ready.
fn open(plan: &Plan<'_>, socket: Socket) -> Result<ClientSession, ConnectError> {
    let mut session = Connection::new(plan.client(socket.local())?, socket);
    let mut opening = plan.opening();
    let error = loop {
        match session.next() {
            Ok(Some(event)) => {
                if opening.on(event) {
                    session.machine_mut().set_limit(None);
                    return Ok(session);
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error.into()),
        }
    };
    Err(opening.failed(session.machine(), error))
}
