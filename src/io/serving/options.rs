//! The settings of a listener.

use super::{
    Incident, Network, Refusal,
    places::{Full, Limits},
    span::SessionSpan,
};
#[cfg(feature = "rustls")]
use crate::tls::{Secured, ServerTls};
use crate::{
    io::{LINGER_TIME, Layer, check_port},
    security::Security,
    server::{Config, Peer, Server},
    syntax::{Code, Rejection, Status, Text},
    transcript::Transcript,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{fmt, net::SocketAddr, time::Duration};
use std::io;

/// The sessions at once unless the application says otherwise (Postfix, `default_process_limit`, has
/// 100 processes; a session costs less here).
const SESSIONS: usize = 1000;
/// The time for a PROXY header (Postfix, `smtpd_upstream_proxy_timeout`).
const HEADER_TIME: Duration = Duration::from_secs(5);
/// The time for sessions to finish their message after a shut-down.
const GRACE: Duration = Duration::from_secs(30);

/// Makes the transcript of a session, if its client is to have one.
type Transcripts = dyn Fn(Option<SocketAddr>) -> Option<Box<dyn Transcript>> + Send + Sync;

/// Receives the incidents of a listener.
type Log = dyn Fn(&Incident<'_>) + Send + Sync;

/// The settings of a listener: see [the module](super).
///
/// ```
/// use esmtp::{io::serving::Options, server::Config};
/// use std::time::Duration;
///
/// let options = Options::new(Config::new("mx.example.org")?)
///     .with_sessions(5000)
///     .with_sessions_by_address(20)
///     .with_sessions_by_network(100) // IPv4 /24, IPv6 /64
///     .with_proxies(["192.0.2.0/28".parse()?])
///     .with_grace(Duration::from_secs(10))
///     .with_log(|incident| eprintln!("{incident}"));
/// assert_eq!(options.sessions(), 5000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(super) config: Arc<Config>,
    #[cfg(feature = "rustls")]
    tls: Tls,
    pub(super) limits: Limits,
    refusal: Refusals,
    proxies: Proxies,
    header_time: Duration,
    handshake_time: Option<Duration>,
    grace: Duration,
    transcripts: Option<Arc<Transcripts>>,
    log: Option<Arc<Log>>,
}

#[cfg(feature = "rustls")]
#[derive(Clone, Debug)]
enum Tls {
    None,
    Start(ServerTls),
    Implicit(ServerTls),
}

/// The answer to a client without a place.
#[derive(Clone, Debug)]
enum Refusals {
    /// A reply that names the limit.
    Named,
    Given(Rejection),
    /// The connection is closed.
    None,
}

/// The clients whose connections begin with a PROXY header.
#[derive(Clone, Debug)]
enum Proxies {
    All,
    In(Vec<Network>),
}

impl Options {
    /// Creates the settings of a listener whose sessions have this configuration: 1000 sessions at
    /// once, no limit by address, no TLS, no proxies, and 30 seconds of grace.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        Self {
            config: config.into(),
            #[cfg(feature = "rustls")]
            tls: Tls::None,
            limits: Limits {
                all: SESSIONS,
                by_address: None,
                by_network: None,
                prefixes: (24, 64),
            },
            refusal: Refusals::Named,
            proxies: Proxies::In(Vec::new()),
            header_time: HEADER_TIME,
            handshake_time: None,
            grace: GRACE,
            transcripts: None,
            log: None,
        }
    }

    /// Offers STARTTLS (RFC 3207), and announces it if the configuration does not.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_start_tls(mut self, tls: ServerTls) -> Self {
        use crate::syntax::Extension;
        if !self.config.extensions().contains(Extension::StartTls) {
            self.config = Arc::new((*self.config).clone().with_extension(Extension::StartTls));
        }
        self.tls = Tls::Start(tls);
        self
    }

    /// Begins each session with a TLS handshake (implicit TLS, RFC 8314 section 3: port 465).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_implicit_tls(mut self, tls: ServerTls) -> Self {
        self.tls = Tls::Implicit(tls);
        self
    }

    /// Sets the greatest number of sessions at once. A session needs a file descriptor: the limit of
    /// the process has to be higher.
    #[doc(alias("max_connections", "max_clients"))]
    #[must_use]
    pub const fn with_sessions(mut self, sessions: usize) -> Self {
        self.limits.all = sessions;
        self
    }

    /// Sets the greatest number of sessions at once with clients of one IP address. Clients of a proxy
    /// are counted by the address in its header.
    #[doc(alias = "max_connections_per_ip")]
    #[must_use]
    pub const fn with_sessions_by_address(mut self, sessions: usize) -> Self {
        self.limits.by_address = Some(sessions);
        self
    }

    /// Sets the greatest number of sessions at once with clients of one network: an IPv4 /24 or an
    /// IPv6 /64 unless [`with_network_prefixes`](Self::with_network_prefixes) says otherwise.
    ///
    /// An IPv6 client usually has a whole /64 to choose its addresses from.
    #[must_use]
    pub const fn with_sessions_by_network(mut self, sessions: usize) -> Self {
        self.limits.by_network = Some(sessions);
        self
    }

    /// Sets the prefix lengths of the networks by which sessions are counted.
    #[must_use]
    pub const fn with_network_prefixes(mut self, ipv4: u8, ipv6: u8) -> Self {
        self.limits.prefixes = (ipv4, ipv6);
        self
    }

    /// Sets the reply to a client for which there is no place, in place of the greeting. Without it
    /// the reply is 421 and names the limit.
    #[must_use]
    pub fn with_refusal(mut self, reply: Rejection) -> Self {
        self.refusal = Refusals::Given(reply);
        self
    }

    /// Disconnects a client for which there is no place without a reply.
    #[must_use]
    pub fn without_refusal(mut self) -> Self {
        self.refusal = Refusals::None;
        self
    }

    /// Expects a PROXY header, of either version, before the greeting and before TLS, from peers in
    /// these networks: the client is the one in the header. Other peers are clients themselves.
    ///
    /// A proxy that sends no header within five seconds is disconnected: see
    /// [`with_header_timeout`](Self::with_header_timeout).
    #[must_use]
    pub fn with_proxies(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.proxies = Proxies::In(networks.into_iter().collect());
        self
    }

    /// Expects a PROXY header from every peer, and believes it: no peer but the proxy may be able to
    /// connect. It is the only way for a proxy on a Unix socket, which has no address.
    #[must_use]
    pub fn with_proxies_only(mut self) -> Self {
        self.proxies = Proxies::All;
        self
    }

    /// Sets the time for a PROXY header: 5 seconds unless set (Postfix,
    /// `smtpd_upstream_proxy_timeout`).
    #[must_use]
    pub const fn with_header_timeout(mut self, time: Duration) -> Self {
        self.header_time = time;
        self
    }

    /// Sets the time for a TLS handshake: that of [`Secured`] unless set.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub const fn with_handshake_timeout(mut self, time: Duration) -> Self {
        self.handshake_time = Some(time);
        self
    }

    /// Sets the time for sessions to finish their message after a shut-down. When it is over they get
    /// 421 and end.
    #[must_use]
    pub const fn with_grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// Sets what makes the transcript of a session; it is given the address of the client, and
    /// returns `None` for a session without one.
    #[must_use]
    pub fn with_transcripts(
        mut self,
        transcripts: impl Fn(Option<SocketAddr>) -> Option<Box<dyn Transcript>> + Send + Sync + 'static,
    ) -> Self {
        self.transcripts = Some(Arc::new(transcripts));
        self
    }

    /// Sets what receives the incidents of the listener: errors of sessions, of the network, of
    /// proxies. It is called within the sessions, and must not block.
    #[must_use]
    pub fn with_log(mut self, log: impl Fn(&Incident<'_>) + Send + Sync + 'static) -> Self {
        self.log = Some(Arc::new(log));
        self
    }

    /// Returns the configuration of the sessions.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Returns the greatest number of sessions at once.
    #[must_use]
    pub const fn sessions(&self) -> usize {
        self.limits.all
    }

    /// Returns the greatest number of sessions at once from one address.
    #[must_use]
    pub const fn sessions_by_address(&self) -> Option<usize> {
        self.limits.by_address
    }

    /// Returns the greatest number of sessions at once from one network.
    #[must_use]
    pub const fn sessions_by_network(&self) -> Option<usize> {
        self.limits.by_network
    }

    /// Returns the prefix lengths of the networks by which sessions are counted, IPv4 and IPv6.
    #[must_use]
    pub const fn network_prefixes(&self) -> (u8, u8) {
        self.limits.prefixes
    }

    /// Returns the time for a PROXY header.
    #[must_use]
    pub const fn header_timeout(&self) -> Duration {
        self.header_time
    }

    /// Returns the time for a TLS handshake, if it is set.
    #[must_use]
    pub const fn handshake_timeout(&self) -> Option<Duration> {
        self.handshake_time
    }

    /// Returns the time for sessions to finish their message after a shut-down.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    /// Checks that the settings fit each other and the address of the listener.
    pub(in crate::io) fn check(&self, address: Option<SocketAddr>) -> io::Result<()> {
        if let Some(address) = address {
            check_port(self.config.service(), address)?;
        }
        #[cfg(feature = "rustls")]
        let checked = match &self.tls {
            Tls::None => self.config.check(),
            Tls::Start(_) | Tls::Implicit(_) => self.config.check_in_tls_layer(),
        };
        #[cfg(not(feature = "rustls"))]
        let checked = self.config.check();
        checked.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Reports an incident.
    pub(in crate::io) fn report(&self, incident: &Incident<'_>) {
        #[cfg(feature = "tracing")]
        tracing::warn!(target: "esmtp", %incident, "incident");
        if let Some(log) = &self.log {
            log(incident);
        }
    }

    /// Returns whether the connection of this peer begins with a PROXY header.
    pub(in crate::io) fn is_proxy(&self, peer: Option<SocketAddr>) -> bool {
        match &self.proxies {
            Proxies::All => true,
            Proxies::In(networks) => {
                peer.is_some_and(|peer| networks.iter().any(|network| network.contains(peer.ip())))
            }
        }
    }

    /// Returns the reply to a client without a place; `None` if it is to be disconnected.
    pub(super) fn reply(&self, refusal: &Refusal) -> Option<Rejection> {
        let (status, text) = match (&self.refusal, refusal.full()) {
            (Refusals::None, _) => return None,
            (Refusals::Given(reply), _) => return Some(reply.clone()),
            (Refusals::Named, Full::All) => {
                (Status::NOT_ACCEPTING, "Too many connections, try again later")
            }
            (Refusals::Named, Full::Address) => {
                (Status::OTHER_SECURITY, "Too many connections from your address")
            }
            (Refusals::Named, Full::Network) => {
                (Status::OTHER_SECURITY, "Too many connections from your network")
            }
        };
        Rejection::new(Code::NOT_AVAILABLE, status, Text::literal(text)).ok()
    }

    /// Returns the times that sessions have to end after a shut-down: for their messages, and after
    /// they were closed to send 421 and to see the client close.
    pub(in crate::io) fn ending(&self) -> [Duration; 2] {
        [self.grace, self.config.timeouts().closing().saturating_add(LINGER_TIME)]
    }

    /// Creates the server of a session, with its transcript and its TLS, and its span; `handshake`
    /// limits the time for the handshake.
    pub(super) fn server(
        &self,
        peer: Option<SocketAddr>,
        handshake: Option<Duration>,
    ) -> (Layer<Server>, SessionSpan) {
        let known = peer.map_or(Peer::UNKNOWN, Peer::from);
        let mut server = Server::new(Arc::clone(&self.config), known, Security::CLEAR);
        let transcript = self.transcripts.as_ref().and_then(|transcripts| transcripts(peer));
        let (span, transcript) = SessionSpan::new(peer, transcript);
        if let Some(transcript) = transcript {
            server = server.with_transcript(transcript);
        }
        #[cfg(feature = "rustls")]
        let layer = {
            let secured = match &self.tls {
                Tls::None => return (Layer::from(server), span),
                Tls::Start(tls) => Secured::start_tls(server, tls),
                Tls::Implicit(tls) => Secured::implicit(server, tls),
            };
            match handshake.into_iter().chain(self.handshake_time).min() {
                Some(time) => secured.with_handshake_timeout(time).into(),
                None => secured.into(),
            }
        };
        #[cfg(not(feature = "rustls"))]
        let layer = {
            let _ = handshake;
            Layer::from(server)
        };
        (layer, span)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("config", &self.config)
            .field("limits", &self.limits)
            .field("refusal", &self.refusal)
            .field("proxies", &self.proxies)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
