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
use core::net::{IpAddr, SocketAddr};

/// The peer at the other end of the connection, as far as the driver knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    address: Option<SocketAddr>,
    /// Boxed, as few sessions have one.
    name: Option<Box<Domain<'static>>>,
}

impl Peer {
    /// An unknown peer: a pipe, a Unix-domain socket.
    pub const UNKNOWN: Self = Self { address: None, name: None };

    pub(super) fn of(address: Option<SocketAddr>, name: Option<Domain<'static>>) -> Self {
        Self { address, name: name.map(Box::new) }
    }

    /// Sets the name that was looked up for the address.
    #[must_use]
    pub fn with_name(mut self, name: Domain<'static>) -> Self {
        self.name = Some(Box::new(name));
        self
    }

    /// Returns the address of the peer.
    #[doc(alias("remote_addr", "peer_addr"))]
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns the IP address of the peer, without the port.
    ///
    /// ```
    /// use esmtp::server::Peer;
    /// use std::net::SocketAddr;
    ///
    /// let peer = Peer::from(SocketAddr::from(([192, 0, 2, 7], 54321)));
    /// assert_eq!(peer.ip(), Some([192, 0, 2, 7].into()));
    /// assert_eq!(Peer::UNKNOWN.ip(), None);
    /// ```
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip())
    }

    /// Returns the name that was looked up for the address.
    #[must_use]
    pub const fn name(&self) -> Option<&Domain<'static>> {
        match &self.name {
            Some(name) => Some(name),
            None => None,
        }
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
    /// Absent in an idle session.
    more: Option<Box<More>>,
    /// The last VRFY or EXPN carried SMTPUTF8 (RFC 6531 section 3.7.4.2).
    pub(super) reads_utf8: bool,
}

/// The facts that an idle session, which a server has many of, does not have.
#[derive(Debug)]
pub(super) struct More {
    pub(super) identity: Option<Identity>,
    /// The identity that the channel has proven.
    pub(super) proven: Option<Box<str>>,
    /// The facts that a trusted client reported of its own client, for one transaction.
    pub(super) forwarded: Vec<(AttributeName, String)>,
    transaction: Transaction,
    /// The argument of the command that the application is asked about.
    pub(super) argument: String,
    /// The departures from the grammar in that command.
    lenience: Lenience,
}

impl Default for More {
    fn default() -> Self {
        Self::NONE
    }
}

impl More {
    const NONE: Self = Self {
        identity: None,
        proven: None,
        forwarded: Vec::new(),
        transaction: Transaction::new(),
        argument: String::new(),
        lenience: Lenience::STRICT,
    };
}

/// Returns the facts of a session that is no longer idle.
#[cold]
fn first_more() -> Box<More> {
    Box::default()
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
            more: None,
            reads_utf8: false,
        }
    }

    const fn more(&self) -> &More {
        static NONE: More = More::NONE;
        match &self.more {
            Some(more) => more,
            None => &NONE,
        }
    }

    pub(super) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_with(first_more)
    }

    /// Returns the transaction, whether it has begun or not.
    pub(super) const fn envelope(&self) -> &Transaction {
        &self.more().transaction
    }

    pub(super) fn transaction_mut(&mut self) -> &mut Transaction {
        &mut self.more_mut().transaction
    }

    /// Returns the argument of the command that the application is asked about.
    pub(super) const fn argument(&self) -> &str {
        self.more().argument.as_str()
    }

    /// Notes the departures from the grammar in a command.
    pub(super) fn note_lenience(&mut self, used: Lenience) {
        if self.more.is_some() || used != Lenience::STRICT {
            self.more_mut().lenience = used;
        }
    }

    /// Withdraws the last recipient if the application has not accepted it.
    pub(super) fn withdraw(&mut self) {
        if let Some(more) = &mut self.more {
            more.transaction.withdraw();
        }
    }

    pub(super) fn forget_identity(&mut self) {
        if let Some(more) = &mut self.more {
            more.identity = None;
        }
    }

    pub(super) fn forget_proven(&mut self) {
        if let Some(more) = &mut self.more {
            more.proven = None;
        }
    }

    /// Forgets the transaction and all that belongs to it.
    pub(super) fn end_transaction(&mut self) {
        if let Some(more) = &mut self.more {
            more.transaction.clear();
            more.forwarded.clear();
        }
    }

    /// Forgets everything but the peer: a protected channel begins.
    pub(super) fn upgrade(&mut self, security: Security) {
        self.security = security;
        self.had_hello = self.is_extended;
        self.hello = None;
        self.is_extended = false;
        self.forget_identity();
        self.forget_proven();
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
        self.more().lenience
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
        self.more().identity.as_ref()
    }

    /// Returns the identity that the channel has proven, as
    /// [`Hello::prove`](super::Hello::prove) set it: by a client certificate, for example. It is not
    /// an [`identity`](Self::identity) before the client uses EXTERNAL (RFC 4422 appendix A), and
    /// STARTTLS forgets it.
    #[must_use]
    pub fn proven(&self) -> Option<&str> {
        self.more().proven.as_deref()
    }

    /// Returns the attributes of XFORWARD, for the transaction that it preceded.
    pub fn forwarded(&self) -> impl Iterator<Item = (AttributeName, &str)> {
        self.more().forwarded.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns the transaction so far; `None` before MAIL was accepted.
    #[must_use]
    pub fn transaction(&self) -> Option<&Transaction> {
        Some(self.envelope()).filter(|it| it.is_open())
    }

    /// Returns the submitter of the message of this transaction, as far as it may be believed: the
    /// value of AUTH on MAIL if the client has authenticated, and [`Unknown`](Submitter::Unknown)
    /// if it has not or is ANONYMOUS, as if it had sent `<>` (RFC 4954 section 5). `None` where
    /// MAIL has no such parameter. The application decides whether the identity may speak for
    /// others; if it may not, the submitter is unknown, too.
    #[must_use]
    pub fn submitter(&self) -> Option<Submitter<'static>> {
        let typed = self.envelope().typed_parameters();
        let said = typed.submitter()?;
        let is_known = self.identity().is_some_and(|identity| !identity.is_anonymous());
        Some(if is_known { said.clone() } else { Submitter::Unknown })
    }

    /// Returns the word after `with` in a `Received:` field (RFC 3848).
    #[must_use]
    pub const fn protocol(&self) -> Protocol<'static> {
        self.service.protocol(With {
            is_extended: self.is_extended,
            is_secure: self.security.is_tls(),
            is_authenticated: self.identity().is_some(),
            is_utf8: self.envelope().is_utf8(),
        })
    }
}
