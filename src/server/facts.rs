//! The facts known of a session.

use super::transaction::Transaction;
use crate::{
    sasl::Identity,
    security::Security,
    service::{Service, With},
    syntax::{AttributeName, Domain, HelloName, Host, Lenience, Submitter},
    trace::Protocol,
};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::net::SocketAddr;

/// The peer at the other end of the connection, as far as the driver knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    address: Option<SocketAddr>,
    name: Option<Domain<'static>>,
}

impl Peer {
    /// An unknown peer: a pipe, a Unix-domain socket.
    pub const UNKNOWN: Self = Self { address: None, name: None };

    pub(super) const fn of(address: Option<SocketAddr>, name: Option<Domain<'static>>) -> Self {
        Self { address, name }
    }

    /// Sets the name that was looked up for the address.
    #[must_use]
    pub fn with_name(mut self, name: Domain<'static>) -> Self {
        self.name = Some(name);
        self
    }

    /// Returns the address of the peer.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns the name that was looked up for the address.
    #[must_use]
    pub const fn name(&self) -> Option<&Domain<'static>> {
        self.name.as_ref()
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { address: Some(address), name: None }
    }
}

/// The facts known of a session and of its transaction, at every question.
#[derive(Debug)]
pub struct Facts {
    pub(super) peer: Peer,
    pub(super) security: Security,
    pub(super) service: Service,
    /// The name that the client gave in its hello, since the session or the channel began.
    pub(super) hello: Option<HelloName<'static>>,
    pub(super) is_extended: bool,
    pub(super) has_talked_early: bool,
    pub(super) has_pipelined: bool,
    /// EHLO came before the channel became TLS.
    pub(super) had_hello: bool,
    pub(super) identity: Option<Identity>,
    /// The identity that the channel has proven.
    pub(super) proven: Option<Box<str>>,
    /// The facts that a trusted client reported of its own client, for one transaction.
    pub(super) forwarded: Vec<(AttributeName, String)>,
    pub(super) transaction: Transaction,
    /// The argument of the command that the application is asked about.
    pub(super) argument: String,
    /// Whether that command carried SMTPUTF8 (RFC 6531 section 3.7.4.2).
    pub(super) reads_utf8: bool,
    /// The departures from the grammar in that command.
    pub(super) lenience: Lenience,
}

impl Facts {
    pub(super) const fn new(peer: Peer, security: Security, service: Service) -> Self {
        Self {
            peer,
            security,
            service,
            hello: None,
            is_extended: false,
            has_talked_early: false,
            has_pipelined: false,
            had_hello: false,
            identity: None,
            proven: None,
            forwarded: Vec::new(),
            transaction: Transaction::new(),
            argument: String::new(),
            reads_utf8: false,
            lenience: Lenience::STRICT,
        }
    }

    /// Forgets the transaction and all that belongs to it.
    pub(super) fn end_transaction(&mut self) {
        self.transaction.clear();
        self.forwarded.clear();
    }

    /// Forgets everything but the peer: a protected channel begins.
    pub(super) fn upgrade(&mut self, security: Security) {
        self.security = security;
        self.had_hello = self.is_extended;
        self.hello = None;
        self.is_extended = false;
        self.identity = None;
        self.proven = None;
        self.end_transaction();
    }

    /// Returns the peer.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Returns how the channel is protected.
    #[must_use]
    pub const fn security(&self) -> &Security {
        &self.security
    }

    /// Returns the departures from the grammar in the last command, which
    /// [`Config::with_lenience`](super::Config::with_lenience) has admitted.
    #[must_use]
    pub const fn forgiven(&self) -> Lenience {
        self.lenience
    }

    /// Returns the name that the client gave in an accepted EHLO, HELO or LHLO: a host, or any text
    /// that [`Lenience::has_text_as_host`] admits in its place. `None` before that, and again after
    /// STARTTLS.
    #[must_use]
    pub const fn hello_name(&self) -> Option<&HelloName<'static>> {
        self.hello.as_ref()
    }

    /// Returns the host that the client gave as its name; `None` before an accepted hello, and
    /// where its [name](Self::hello_name) is not a host.
    #[must_use]
    pub fn host(&self) -> Option<&Host<'static>> {
        self.hello.as_ref().and_then(HelloName::host)
    }

    /// Returns whether the session was opened with EHLO or LHLO.
    #[must_use]
    pub const fn is_extended(&self) -> bool {
        self.is_extended
    }

    /// Returns whether the client is an early talker: it sent before the greeting. The session
    /// continues after that only if
    /// [`Config::with_enforced_sync`](super::Config::with_enforced_sync) is turned off.
    #[must_use]
    pub const fn has_talked_early(&self) -> bool {
        self.has_talked_early
    }

    /// Returns whether the client has committed a pipelining violation: it sent octets after a command
    /// whose reply it has to wait for (RFC 2920 section 3.1). The session continues after that only if
    /// [`Config::with_enforced_sync`](super::Config::with_enforced_sync) is turned off.
    #[must_use]
    pub const fn has_pipelining_violation(&self) -> bool {
        self.has_pipelined
    }

    /// Returns the identity of the client after a successful AUTH.
    #[must_use]
    pub const fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Returns the identity that the channel has proven, as
    /// [`Hello::prove`](super::Hello::prove) set it: by a client certificate, for example. It is not
    /// an [`identity`](Self::identity) before the client uses EXTERNAL (RFC 4422 appendix A), and
    /// STARTTLS forgets it.
    #[must_use]
    pub fn proven(&self) -> Option<&str> {
        self.proven.as_deref()
    }

    /// Returns the attributes of XFORWARD, for the transaction that it preceded.
    pub fn forwarded(&self) -> impl Iterator<Item = (AttributeName, &str)> {
        self.forwarded.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns the transaction so far; `None` before MAIL was accepted.
    #[must_use]
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.is_open().then_some(&self.transaction)
    }

    /// Returns the submitter of the message of this transaction, as far as it may be believed: the
    /// value of AUTH on MAIL if the client has authenticated, and [`Unknown`](Submitter::Unknown)
    /// if it has not or is ANONYMOUS, as if it had sent `<>` (RFC 4954 section 5). `None` where
    /// MAIL has no such parameter. The application decides whether the identity may speak for
    /// others; if it may not, the submitter is unknown, too.
    #[must_use]
    pub fn submitter(&self) -> Option<Submitter<'static>> {
        let typed = self.transaction.typed_parameters();
        let said = typed.submitter()?;
        let is_known = self.identity.as_ref().is_some_and(|identity| !identity.is_anonymous());
        Some(if is_known { said.clone() } else { Submitter::Unknown })
    }

    /// Returns the word after `with` in a `Received:` field (RFC 3848).
    #[must_use]
    pub const fn protocol(&self) -> Protocol<'static> {
        self.service.protocol(With {
            is_extended: self.is_extended,
            is_secure: self.security.is_tls(),
            is_authenticated: self.identity.is_some(),
            is_utf8: self.transaction.is_utf8(),
        })
    }
}
