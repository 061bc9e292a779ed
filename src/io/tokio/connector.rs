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
#[cfg(unix)]
use ::tokio::net::UnixStream;
use ::tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{
    future::Future,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::io::{self, ErrorKind};
#[cfg(unix)]
use std::path::Path;

/// The settings with which a client connects; [`connect`](Self::connect) gives a session that is secured,
/// logged in and ready.
///
/// ```no_run
/// use esmtp::{envelope::Envelope, io::tokio::Connector, sasl::Credentials};
///
/// # async fn submit() -> Result<(), Box<dyn std::error::Error>> {
/// let ann = Credentials::password("ann", "correct horse");
/// let mut session = Connector::new("mail.example.org").submission(ann).connect().await?;
/// let envelope = Envelope::new("ann@example.org", &["bob@example.net"])?;
/// let report = session.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n").await?;
/// assert!(report.is_delivered_to_all());
/// session.quit().await?;
/// # Ok(())
/// # }
/// ```
///
/// Its futures may be dropped at any time, which closes the connection. A connector is cheap to clone and
/// connects as often as it is asked to; its TLS sessions are resumed.
#[doc(alias("SmtpTransport", "SmtpClient", "Mailer", "relay"))]
#[derive(Clone, Debug)]
pub struct Connector {
    options: Options,
    local: Option<IpAddr>,
}

impl Connector {
    settings!();

    const fn of(options: Options) -> Self {
        Self { options, local: None }
    }

    /// Returns a connector to a Unix socket: LMTP without TLS, unless other settings follow.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self::of(Options::at_path(path.as_ref()))
    }

    /// Sets the address of this side, of which the port is chosen by the system.
    #[must_use]
    pub fn with_local_address(mut self, address: IpAddr) -> Self {
        self.local = Some(address);
        self
    }

    /// Connects, secures the session, and logs in. The addresses of a name are tried in turn, until one has a
    /// session.
    ///
    /// # Errors
    ///
    /// The [step](ConnectError::step) that failed: with the reply of the server, the reason of the TLS
    /// library, or the error of the system.
    pub async fn connect(&self) -> Result<ClientSession, ConnectError> {
        let plan = self.options.plan()?;
        let (host, port) = match plan.target {
            Target::Host { host, port } => (host, port),
            #[cfg(unix)]
            Target::Unix(path) => {
                let stream = within(&plan, UnixStream::connect(path)).await;
                let stream = stream.map_err(|error| plan.error(ConnectStep::Connect, error))?;
                return open(&plan, stream.into()).await;
            }
            #[cfg(not(unix))]
            Target::Unix(_) => {
                let cause = crate::io::address::AddressError::NoUnixSockets;
                return Err(plan.error(ConnectStep::Settings, cause));
            }
        };
        let addresses = within(&plan, lookup_host((host, port))).await;
        let addresses = addresses.map_err(|error| plan.error(ConnectStep::Resolve, error))?;
        let addresses: Vec<SocketAddr> = addresses.collect();
        let mut attempts = Vec::new();
        for address in addresses {
            let stream = within(&plan, self.stream(address)).await;
            let opened = match stream {
                Ok(stream) => open(&plan, stream.into()).await,
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
    /// CONNECT), or in memory. The address of the connector is the name to verify.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_over(
        &self,
        socket: impl Into<Socket>,
    ) -> Result<ClientSession, ConnectError> {
        open(&self.options.plan()?, socket.into()).await
    }

    /// Connects to an address of the server.
    async fn stream(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let Some(local) = self.local else { return TcpStream::connect(address).await };
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind((local, 0).into())?;
        socket.connect(address).await
    }

    /// Connects, logs in and quits: for a page of settings, which shows whether they are right.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn verify(&self) -> Result<(), ConnectError> {
        let mut session = self.connect().await?;
        // Nothing depends on the reply.
        let _ = session.quit().await;
        Ok(())
    }
}

/// Drives the session on a stream until it is ready.
async fn open(plan: &Plan<'_>, socket: Socket) -> Result<ClientSession, ConnectError> {
    let mut session = Connection::new(plan.client(socket.local())?, socket);
    let mut opening = plan.opening();
    let error = loop {
        match session.next().await {
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

/// Waits for a step of the connection, at most as long as it may take.
async fn within<T>(plan: &Plan<'_>, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = time::timeout(plan.connect_timeout(), step).await;
    done.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}
