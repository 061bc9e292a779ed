//! The settings of a connector, and the way from a connection to a session, apart from how its adapter
//! waits.

use super::{
    address::{Address, AddressError, Place, Protection, default_port},
    connect_error::{Cause, ConnectError, ConnectStep},
    layer::Layer,
};
#[cfg(feature = "rustls")]
use crate::tls::{ClientTls, Role, Secured};
use crate::{
    client::{Client, Config, End, Event, Ready, Timeouts, TlsPolicy},
    sasl::{Credentials, Nonce},
    security::{Security, TlsFailureKind},
    service::Service,
    syntax::{Domain, Extension, Host, Mechanism, Reply, SyntaxError},
    transcript::Transcript,
};
use alloc::{borrow::ToOwned, boxed::Box, sync::Arc, vec::Vec};
use core::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use std::{io, path::Path};

/// The time to look a name up and to connect to an address.
const CONNECT: Duration = Duration::from_secs(30);
/// The time for a whole TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// The settings of a connector.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) address: Result<Address, AddressError>,
    pub(super) port: Option<u16>,
    pub(super) service: Option<Service>,
    pub(super) protection: Option<Protection>,
    #[cfg(feature = "rustls")]
    pub(super) tls: Tls,
    pub(super) credentials: Option<Credentials>,
    pub(super) hello: Option<Result<Host<'static>, SyntaxError>>,
    pub(super) timeouts: Timeouts,
    pub(super) connect_timeout: Duration,
    pub(super) handshake_timeout: Duration,
    pub(super) time_limit: Option<Duration>,
    pub(super) transcript: Option<Arc<dyn Fn() -> Box<dyn Transcript> + Send + Sync>>,
    pub(super) configure: Option<Arc<dyn Fn(Config) -> Config + Send + Sync>>,
}

/// The TLS of the application, and what stands in for it: made once, so that sessions are resumed.
#[cfg(feature = "rustls")]
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) given: Option<ClientTls>,
    strict: ClientTls,
    opportunistic: ClientTls,
}

impl Options {
    pub(super) fn of(address: Result<Address, AddressError>) -> Self {
        Self {
            address,
            port: None,
            service: None,
            protection: None,
            #[cfg(feature = "rustls")]
            tls: Tls {
                given: None,
                strict: ClientTls::new(),
                opportunistic: ClientTls::new().without_verification(),
            },
            credentials: None,
            hello: None,
            timeouts: Timeouts::default(),
            connect_timeout: CONNECT,
            handshake_timeout: HANDSHAKE,
            time_limit: None,
            transcript: None,
            configure: None,
        }
    }

    pub(super) fn parse(address: &str) -> Self {
        Self::of(Address::parse(address))
    }

    pub(super) fn at_path(path: &Path) -> Self {
        Self::of(Ok(Address::at_path(path.to_owned())))
    }

    /// Returns where to connect to and how, or the first mistake in the settings.
    pub(super) fn plan(&self) -> Result<Plan<'_>, ConnectError> {
        let mistake = |cause: Cause| ConnectError::new(&"", ConnectStep::Settings, cause);
        let address = self.address.as_ref().map_err(|error| mistake(error.clone().into()))?;
        let service = self.service.unwrap_or(address.service);
        let protection = match self.protection.or(address.protection) {
            Some(protection) => protection,
            None if service.requires_tls() => Protection::Policy(TlsPolicy::Required),
            None if cfg!(feature = "rustls") => Protection::Policy(TlsPolicy::IfOffered),
            None => Protection::Policy(TlsPolicy::Never),
        };
        let target = match (&address.place, self.port) {
            (Place::Unix(path), None) => Target::Unix(path),
            (Place::Unix(_), Some(_)) => return Err(mistake(Cause::NotTcp)),
            (Place::Host { host, port }, given) => {
                let port = given.or(*port).unwrap_or_else(|| default_port(service, protection));
                if !service.may_use_port(port) {
                    return Err(mistake(Cause::LmtpPort));
                }
                Target::Host { host, port }
            }
        };
        let credentials = self.credentials.as_ref().or(address.credentials.as_ref());
        let plan = Plan { options: self, target, service, protection, credentials };
        // Mistakes in the settings are found before there is a connection.
        plan.config(None)?;
        plan.role()?;
        Ok(plan)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Connector");
        match &self.address {
            Ok(address) => shown.field("place", &format_args!("{}", address.place)),
            Err(error) => shown.field("address", error),
        };
        let credentials = self.credentials.is_some()
            || self.address.as_ref().is_ok_and(|address| address.credentials.is_some());
        shown
            .field("port", &self.port)
            .field("service", &self.service)
            .field("protection", &self.protection)
            .field("has_credentials", &credentials)
            .finish_non_exhaustive()
    }
}

/// The settings as methods of the connector of an adapter.
macro_rules! settings {
    () => {
        /// Returns a connector to a server: a host, `host:port`, or a URL.
        ///
        /// | address | service | port | TLS |
        /// |---|---|---|---|
        /// | `mx.example.org`, `smtp://mx.example.org` | SMTP | 25 | opportunistic |
        /// | `mail.example.org:587`, `submission://mail.example.org` | submission | 587 | required, by STARTTLS |
        /// | `mail.example.org:465`, `submissions://…`, `smtps://…` | submission | 465 | implicit |
        /// | `lmtp://mail.example.org` | LMTP | 24 | opportunistic |
        /// | `lmtp+unix:/run/lmtp` | LMTP | | none |
        ///
        /// A URL may have a user and a password (`submission://ann:secret@mail.example.org`), both
        /// percent-encoded, and another port. Opportunistic TLS accepts every certificate (RFC 7435).
        ///
        /// A mistake in the address is an error of `connect`, which never shows the password.
        #[must_use]
        pub fn new(address: impl AsRef<str>) -> Self {
            Self::of(Options::parse(address.as_ref()))
        }

        /// Submits mail with these credentials: port 587 unless another is given, and TLS is required
        /// (RFC 6409, RFC 8314 section 3.3).
        #[must_use]
        pub fn submission(self, credentials: Credentials) -> Self {
            self.with_service(Service::Submission).with_credentials(credentials)
        }

        /// Sets the port in place of that of the address.
        #[must_use]
        pub fn with_port(mut self, port: u16) -> Self {
            self.options.port = Some(port);
            self
        }

        /// Sets the service in place of that of the address; it decides about port and TLS where nothing
        /// else does.
        #[must_use]
        pub fn with_service(mut self, service: Service) -> Self {
            self.options.service = Some(service);
            self
        }

        /// Sets whether STARTTLS is used.
        #[must_use]
        pub fn with_tls_policy(mut self, policy: TlsPolicy) -> Self {
            self.options.protection = Some(Protection::Policy(policy));
            self
        }

        /// Uses TLS from the first octet (RFC 8314 section 3); for submission on port 465 unless another is
        /// given.
        #[must_use]
        pub fn with_implicit_tls(mut self) -> Self {
            self.options.protection = Some(Protection::Implicit);
            self
        }

        /// Sets the certificates that are trusted, the certificate of this client, and the name to verify.
        ///
        /// Default: `ClientTls::new()`, and in opportunistic TLS one that accepts every certificate. TLS
        /// given here verifies certificates in opportunistic TLS, too.
        #[cfg(feature = "rustls")]
        #[must_use]
        pub fn with_tls(mut self, tls: ClientTls) -> Self {
            self.options.tls.given = Some(tls);
            self
        }

        /// Logs in with these credentials, in place of those of a URL.
        ///
        /// A password or token is sent in TLS only, in opportunistic TLS only to a server whose certificate
        /// is valid, and otherwise not without
        /// [`with_secrets_in_clear`](Credentials::with_secrets_in_clear).
        #[must_use]
        pub fn with_credentials(mut self, credentials: Credentials) -> Self {
            self.options.credentials = Some(credentials);
            self
        }

        /// Sets the name for EHLO, a [`Host`] or its text: `me.example.org`, `[192.0.2.1]`. Default: the name of the
        /// machine if it has several labels, else the address of this side as an address literal (RFC 5321 section
        /// 4.1.4).
        ///
        /// A mistake in it is an error of `connect`.
        #[must_use]
        #[doc(alias("EHLO", "HELO"))]
        pub fn with_hello<'h>(
            mut self,
            host: impl TryInto<Host<'h>, Error: Into<$crate::syntax::SyntaxError>>,
        ) -> Self {
            self.options.hello = Some(host.try_into().map(Host::into_owned).map_err(Into::into));
            self
        }

        /// Sets the times that the server may take, by phase; [`Timeouts::at_most`] bounds them all. They hold
        /// for the session, too. Default: those of RFC 5321 section 4.5.3.2, minutes each.
        #[must_use]
        pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
            self.options.timeouts = timeouts;
            self
        }

        /// Sets the time to look up the name, and to connect to each of its addresses. Default: 30 seconds.
        ///
        /// The blocking connector cannot end a look-up, which takes as long as the resolver of the system
        /// lets it, nor the connection to a Unix socket.
        #[must_use]
        pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
            self.options.connect_timeout = timeout;
            self
        }

        /// Sets the time for the TLS handshake. Default: 60 seconds.
        #[must_use]
        pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
            self.options.handshake_timeout = timeout;
            self
        }

        /// Sets the time in which a connection to an address must become a session that is ready: secured and
        /// logged in. Default: no limit but those of the phases.
        #[must_use]
        pub fn with_time_limit(mut self, limit: Duration) -> Self {
            self.options.time_limit = Some(limit);
            self
        }

        /// Sets what makes the transcript of each session.
        #[must_use]
        pub fn with_transcript(
            mut self,
            make: impl Fn() -> Box<dyn Transcript> + Send + Sync + 'static,
        ) -> Self {
            self.options.transcript = Some(Arc::new(make));
            self
        }

        /// Changes further settings of each session: the extensions it uses, how much may be in flight, line
        /// ends. Its TLS policy is that of the connector.
        #[must_use]
        pub fn with_config(
            mut self,
            change: impl Fn(client::Config) -> client::Config + Send + Sync + 'static,
        ) -> Self {
            self.options.configure = Some(Arc::new(change));
            self
        }
    };
}
pub(super) use settings;

/// The end of a connection, with the port.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'o> {
    Host { host: &'o str, port: u16 },
    Unix(&'o Path),
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Host { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// One call of `connect`.
pub(super) struct Plan<'o> {
    options: &'o Options,
    pub(super) target: Target<'o>,
    service: Service,
    protection: Protection,
    credentials: Option<&'o Credentials>,
}

impl Plan<'_> {
    /// Returns the client for a connection from this address.
    pub(super) fn client(&self, local: Option<SocketAddr>) -> Result<Layer<Client>, ConnectError> {
        let mut client = Client::new(self.config(local)?, Security::CLEAR);
        if let Some(transcript) = &self.options.transcript {
            client = client.with_transcript(transcript());
        }
        let mut layer = self.secured(client)?;
        layer.set_limit(self.options.time_limit);
        Ok(layer)
    }

    /// Returns the settings of a session whose connection comes from this address.
    fn config(&self, local: Option<SocketAddr>) -> Result<Config, ConnectError> {
        let mistake = |cause| self.error(ConnectStep::Settings, cause);
        let options = self.options;
        let hello = options.hello.clone().unwrap_or_else(|| Ok(own_host(local)));
        let policy = match self.protection {
            Protection::Policy(policy) => policy,
            // There is no STARTTLS in TLS.
            Protection::Implicit => TlsPolicy::Never,
        };
        let mut config = hello
            .and_then(Config::from_host)
            .map_err(|error| mistake(Cause::Hello(error)))?
            .with_service(self.service)
            .with_timeouts(options.timeouts.clone());
        if self.credentials.is_some() {
            config = config.with_required(Extension::Auth);
        }
        if let Some(configure) = &options.configure {
            config = configure(config);
        }
        Ok(config.with_tls(policy))
    }

    /// Returns the role in TLS; `None` for a session in the clear.
    #[cfg(feature = "rustls")]
    fn role(&self) -> Result<Option<Role>, ConnectError> {
        let tls = &self.options.tls;
        let standing = match self.protection {
            Protection::Policy(TlsPolicy::Never) => return Ok(None),
            Protection::Policy(TlsPolicy::IfOffered) => &tls.opportunistic,
            Protection::Policy(TlsPolicy::Required) | Protection::Implicit => &tls.strict,
        };
        let host = match self.target {
            Target::Host { host, .. } => host,
            Target::Unix(_) => "localhost",
        };
        let role = tls.given.as_ref().unwrap_or(standing).for_host(host);
        role.map(Some).map_err(|error| self.error(ConnectStep::Settings, error))
    }

    #[cfg(feature = "rustls")]
    fn secured(&self, client: Client) -> Result<Layer<Client>, ConnectError> {
        let Some(role) = self.role()? else { return Ok(client.into()) };
        let secured = match self.protection {
            Protection::Implicit => Secured::implicit(client, role),
            Protection::Policy(_) => Secured::start_tls(client, role),
        };
        Ok(secured.with_handshake_timeout(self.options.handshake_timeout).into())
    }

    #[cfg(not(feature = "rustls"))]
    fn secured(&self, client: Client) -> Result<Layer<Client>, ConnectError> {
        self.role().map(|()| client.into())
    }

    /// Fails where TLS is required.
    #[cfg(not(feature = "rustls"))]
    fn role(&self) -> Result<(), ConnectError> {
        match self.protection {
            Protection::Policy(TlsPolicy::Never | TlsPolicy::IfOffered) => Ok(()),
            Protection::Policy(TlsPolicy::Required) | Protection::Implicit => {
                Err(self.error(ConnectStep::Settings, Cause::NoTlsLayer))
            }
        }
    }

    /// Returns the time for the look-up and for each connection.
    pub(super) fn connect_timeout(&self) -> Duration {
        let limit = self.options.time_limit.unwrap_or(Duration::MAX);
        self.options.connect_timeout.min(limit)
    }

    pub(super) fn opening(&self) -> Opening<'_> {
        Opening { plan: self, has_asked: false, failure: None }
    }

    pub(super) fn error(&self, step: ConnectStep, cause: impl Into<Cause>) -> ConnectError {
        ConnectError::new(&self.target, step, cause)
    }

    /// Returns the remedy where the server seems to begin TLS in the other way.
    fn hint(&self, client: &Client, step: ConnectStep, cause: &Cause) -> Option<&'static str> {
        const IMPLICIT: &str = "does the server expect implicit TLS at this port? Use `smtps://`, port 465, or \
                                with_implicit_tls";
        const CLEAR: &str = "does the server begin in the clear at this port? Use STARTTLS: `submission://`, port 587, \
                             or TlsPolicy::Required";
        match (self.protection, step) {
            (Protection::Implicit, ConnectStep::TlsHandshake) => match cause {
                Cause::End(End::TlsFailed(failure)) if failure.kind() == TlsFailureKind::NotTls => {
                    Some(CLEAR)
                }
                _ => None,
            },
            (Protection::Policy(_), ConnectStep::Greeting) if self.may_expect_tls() => {
                match cause {
                    // It waits for a ClientHello, until it or the client gives up.
                    Cause::TimedOut
                    | Cause::Io(_)
                    | Cause::End(End::TimedOut | End::PeerClosed(_) | End::Unsendable)
                        if client.greeting().is_none() =>
                    {
                        Some(IMPLICIT)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Returns whether a server at this place may expect implicit TLS: not at a Unix socket, nor at the port that the
    /// service has in the clear.
    fn may_expect_tls(&self) -> bool {
        matches!(self.target, Target::Host { port, .. } if port != self.service.port())
    }

    /// Returns the error when every address has failed.
    pub(super) fn all_failed(&self, mut attempts: Vec<(SocketAddr, ConnectError)>) -> ConnectError {
        match attempts.pop() {
            Some((_, last)) => last.after(attempts),
            None => self.error(ConnectStep::Resolve, Cause::NoAddress),
        }
    }
}

/// The way from a connection to a session that is secured and logged in.
pub(super) struct Opening<'p> {
    plan: &'p Plan<'p>,
    /// AUTH was sent.
    has_asked: bool,
    failure: Option<(ConnectStep, Cause)>,
}

impl Opening<'_> {
    /// Handles an event; returns whether the session is ready, and the event open.
    pub(super) fn on(&mut self, event: Event<'_>) -> bool {
        match event {
            Event::Ready(ready) if self.failure.is_some() => ready.quit(),
            Event::Ready(ready) => match self.plan.credentials {
                Some(credentials) if !self.has_asked => {
                    self.has_asked = true;
                    if let Err(cause) = log_in(ready, credentials) {
                        self.failure = Some((ConnectStep::Auth, cause));
                    }
                }
                _ => return true,
            },
            Event::Refused(refused) if refused.is_opportunistic() => refused.go_on(),
            Event::Refused(refused) => {
                let (verb, reply) = (refused.verb(), refused.reply().clone());
                let token_error = refused.token_error().map(ToOwned::to_owned);
                let cause = Cause::Refused { verb, reply, token_error };
                self.failure = Some((ConnectStep::Auth, cause));
                refused.quit();
            }
            // There is no other layer, and nothing else was begun.
            Event::Upgrade(upgrade) => upgrade.unavailable(),
            other => other.quit(),
        }
        false
    }

    /// Returns the error of a session that has ended before it was ready.
    pub(super) fn failed(self, layer: &Layer<Client>, error: Option<io::Error>) -> ConnectError {
        let client = layer.machine();
        let reached = step(self.plan, client, self.has_asked);
        let (step, cause) = match (self.failure, client.end(), error) {
            (Some((step, cause)), ..) => (step, cause),
            (_, Some(End::PeerClosed(_) | End::Unsendable) | None, Some(error)) => {
                (reached, Cause::Io(error))
            }
            (_, Some(end), _) => (step_of(end).unwrap_or(reached), end.clone().into()),
            // The time for all of it has passed.
            (_, None, None) => (reached, Cause::TimedOut),
        };
        let hint = self.plan.hint(client, step, &cause);
        self.plan.error(step, cause).with_hint(hint)
    }
}

/// Sends AUTH; the question stays open where that is not possible.
fn log_in(ready: Ready<'_>, credentials: &Credentials) -> Result<(), Cause> {
    let offered = ready.mechanisms();
    if offered.is_empty() {
        return Err(Cause::NoAuth(match ready.security().is_tls() {
            true => "",
            false => " without TLS",
        }));
    }
    let refused = |reason| Cause::NoMechanism { reason, offered: offered.clone() };
    let channel = ready.security().channel();
    let mechanism = credentials.choose(&offered, &channel).map_err(refused)?;
    ready.authenticate_as(credentials, nonce(mechanism)?).map_err(refused)?;
    Ok(())
}

/// Returns a nonce for this mechanism.
#[cfg(feature = "getrandom")]
fn nonce(_: Mechanism) -> Result<Nonce, Cause> {
    Ok(Nonce::generate()?)
}

/// Returns a nonce for this mechanism: only SCRAM sends one.
#[cfg(not(feature = "getrandom"))]
fn nonce(mechanism: Mechanism) -> Result<Nonce, Cause> {
    if mechanism.is_scram() { Err(Cause::NoNonce) } else { Ok(Nonce::new([0; 18])) }
}

/// Returns the step in which a session ends in this way, where that is certain.
const fn step_of(end: &End) -> Option<ConnectStep> {
    match end {
        End::TlsNotOffered | End::TlsRefused(_) => Some(ConnectStep::StartTls),
        End::TlsFailed(_) | End::NoTlsLayer => Some(ConnectStep::TlsHandshake),
        End::Auth(_) => Some(ConnectStep::Auth),
        _ => None,
    }
}

/// Returns the step that a client has reached.
fn step(plan: &Plan<'_>, client: &Client, has_asked: bool) -> ConnectStep {
    let is_tls = client.security().is_tls();
    let is_rejected = |greeting: Reply<'_>| !greeting.is_positive();
    match plan.protection {
        _ if has_asked => ConnectStep::Auth,
        Protection::Implicit if !is_tls => ConnectStep::TlsHandshake,
        // The session has opened a second time.
        Protection::Policy(_) if is_tls => ConnectStep::Hello,
        _ if client.greeting().is_none_or(is_rejected) => ConnectStep::Greeting,
        Protection::Policy(TlsPolicy::IfOffered | TlsPolicy::Required)
            if client.extensions().contains(Extension::StartTls) =>
        {
            ConnectStep::StartTls
        }
        _ => ConnectStep::Hello,
    }
}

/// Returns the name for EHLO: that of the machine if it is a domain of several labels, else the address of
/// this side (RFC 5321 section 4.1.4).
fn own_host(local: Option<SocketAddr>) -> Host<'static> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    match (Domain::new(name), local) {
        (Ok(domain), _) if name.contains('.') => Host::Domain(domain.into_owned()),
        (_, Some(SocketAddr::V4(address))) => Host::Ipv4(*address.ip()),
        (_, Some(SocketAddr::V6(address))) => match address.ip().to_ipv4_mapped() {
            Some(address) => Host::Ipv4(address),
            None => Host::Ipv6(*address.ip()),
        },
        _ => Domain::new("localhost").map_or(Host::Ipv4(Ipv4Addr::LOCALHOST), Host::Domain),
    }
}
