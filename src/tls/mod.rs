//! A machine inside TLS, still without I/O.
//!
//! [`Secured`] puts a TLS layer around a machine and is a [`Machine`] itself, with the events of
//! the one inside. Drivers need no knowledge of it, neither for implicit TLS (RFC 8314) nor for
//! STARTTLS (RFC 3207). The crypto provider is the one that the rustls configuration was built
//! with.
//!
//! The layer guarantees:
//!
//! - Deadlines: of the handshake, of an alert and of the close_notify. All others are those of the
//!   machine inside: its octets count as sent as the peer takes the records that hold them, so a
//!   peer that does not read, or reads slowly, exceeds its deadlines as in the clear.
//! - Memory: plaintext is decrypted only when the machine inside asks for it, and encrypted, up to
//!   64 KiB at once, when the peer has taken the records before. A layer holds at most about 300
//!   KiB, whatever the peer does.
//! - The end: a stream that ends without close_notify has been cut off (RFC 8446 section 6.1),
//!   whatever the driver reports; octets after a close_notify are discarded.
//!
//! Renegotiation does not exist in rustls, and it limits KeyUpdate and empty records. Early data
//! (0-RTT), which an attacker can replay, is discarded: leave it disabled.

mod layer;
mod names;

#[cfg(doc)]
use crate::security::Security;
use crate::{
    machine::{Closed, Machine, Need, OpenQuestion, Upgradable},
    security::TlsFailureKind,
    time::Instant,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use bytes::BytesMut;
use core::{fmt, mem, time::Duration};
use layer::{Engine, FAREWELL, Layer, Stage};
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName, server::ClientHello};

/// The role in the TLS handshake.
#[derive(Clone)]
#[non_exhaustive]
pub enum Role {
    /// Begins the handshake, and expects the server to have this name.
    Client(Arc<ClientConfig>, ServerName<'static>),
    /// Answers the handshake.
    Server(Arc<ServerConfig>),
    /// Answers the handshake, with a configuration chosen from the ClientHello: with another
    /// certificate, or not at all.
    Choosing(Arc<dyn Choose>),
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(_, name) => f.debug_tuple("Client").field(name).finish_non_exhaustive(),
            Self::Server(_) => f.debug_tuple("Server").finish_non_exhaustive(),
            Self::Choosing(_) => f.debug_tuple("Choosing").finish_non_exhaustive(),
        }
    }
}

/// The choice of a server configuration, when the client has sent the name that it wants to reach.
///
/// Every closure or function with the right signature is one.
///
/// ```
/// use esmtp::tls::{Choice, Role};
/// use std::sync::Arc;
///
/// # fn known(name: &str) -> Option<Arc<rustls::ServerConfig>> { None }
/// let end = Role::Choosing(Arc::new(|hello: &rustls::server::ClientHello<'_>| {
///     hello.server_name().and_then(known).map_or(Choice::Refuse, Choice::Use)
/// }));
/// ```
pub trait Choose: Send + Sync + 'static {
    /// Chooses, once in a handshake.
    fn choose(&self, hello: &ClientHello<'_>) -> Choice;
}

impl<F: Fn(&ClientHello<'_>) -> Choice + Send + Sync + 'static> Choose for F {
    fn choose(&self, hello: &ClientHello<'_>) -> Choice {
        self(hello)
    }
}

/// The decision of [`Choose`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Choice {
    /// Use this configuration.
    Use(Arc<ServerConfig>),
    /// The decision will come by [`Secured::choose`], before the deadline of the handshake. The
    /// task that will make it must be notified now.
    Later,
    /// Refuse the handshake, which fails.
    Refuse,
}

/// A machine with a TLS layer around it.
///
/// While the session is in the clear the layer is transparent. When both sides have agreed on
/// STARTTLS, it takes over: from then on the peer's octets are TLS or the end of the session.
pub struct Secured<M> {
    inner: M,
    settings: Settings,
    state: State,
}

struct Settings {
    role: Role,
    handshake_timeout: Duration,
    is_verifying: bool,
    end_point: Option<Vec<u8>>,
}

enum State {
    /// Octets pass unchanged.
    Clear,
    /// TLS, before its first octet.
    Due,
    /// TLS, in one of its stages.
    Tls(Box<Layer>),
}

impl<M: Upgradable> Secured<M> {
    /// Creates a layer with TLS from the first octet (implicit TLS, RFC 8314).
    #[must_use]
    pub const fn implicit(inner: M, role: Role) -> Self {
        Self::new(inner, role, State::Due)
    }

    /// Creates a layer with TLS as soon as both sides have agreed on it (STARTTLS, RFC 3207).
    #[must_use]
    pub const fn start_tls(inner: M, role: Role) -> Self {
        Self::new(inner, role, State::Clear)
    }

    const fn new(inner: M, role: Role, state: State) -> Self {
        let handshake_timeout = Duration::from_secs(60);
        let settings = Settings { role, handshake_timeout, is_verifying: true, end_point: None };
        Self { inner, settings, state }
    }

    /// Sets the time-out of the whole handshake. Default: a minute.
    #[must_use]
    pub const fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout;
        self
    }

    /// Sets whether the verifier in the rustls configuration verifies every certificate that it
    /// accepts, so that [`Security::is_verified`] may report it. Default: true. Set it to false for
    /// a verifier that accepts every certificate (rustls calls that dangerous), as in opportunistic
    /// TLS (RFC 7435).
    #[must_use]
    pub const fn with_verified(mut self, is_verifying: bool) -> Self {
        self.settings.is_verifying = is_verifying;
        self
    }

    /// Sets channel binding data of the type `tls-server-end-point` for the certificate of this
    /// server: rustls does not report which one it used. A client derives the data from the
    /// server's certificate.
    #[must_use]
    pub fn with_end_point(mut self, octets: Vec<u8>) -> Self {
        self.settings.end_point = Some(octets);
        self
    }

    /// Returns the machine inside.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.inner
    }

    /// Returns the machine inside, to change it (`shut_down`), not to drive it.
    #[must_use]
    pub const fn machine_mut(&mut self) -> &mut M {
        &mut self.inner
    }

    /// Replaces the machine by another on the same channel, after the roles were swapped (ATRN).
    /// The TLS role of this layer stays, so no second STARTTLS can be agreed on in the clear.
    #[must_use]
    pub fn map<N>(self, turn: impl FnOnce(M) -> N) -> Secured<N> {
        let Self { inner, settings, mut state } = self;
        if let State::Tls(layer) = &mut state {
            layer.turn_over();
        }
        Secured { inner: turn(inner), settings, state }
    }

    /// Returns the ClientHello while the decision that [`Choice::Later`] promised is awaited.
    #[must_use]
    pub fn hello(&self) -> Option<ClientHello<'_>> {
        match &self.state {
            State::Tls(layer) => match &layer.engine {
                Engine::Chosen(accepted) => Some(accepted.client_hello()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Gives the decision that [`Choice::Later`] promised: the handshake continues with this
    /// configuration, or fails, at the next poll. Has no effect when no decision is awaited.
    pub fn choose(&mut self, config: Option<Arc<ServerConfig>>) {
        if let State::Tls(layer) = &mut self.state
            && matches!(layer.engine, Engine::Chosen(_))
            && let Engine::Chosen(accepted) =
                mem::replace(&mut layer.engine, Engine::Dead(TlsFailureKind::Refused.into()))
        {
            layer.accept(*accepted, config);
        }
    }

    fn begin(&mut self) {
        self.state = State::Tls(Box::new(Layer::new(&self.settings)));
    }

    /// Returns the layer, unless octets pass unchanged. Octets before the first poll (after a PROXY
    /// header, for example) are TLS too: the machine inside would take them for octets in the
    /// clear.
    fn layer(&mut self) -> Option<&mut Layer> {
        if let State::Due = self.state {
            self.begin();
        }
        match &mut self.state {
            State::Tls(layer) => Some(layer),
            State::Clear | State::Due => None,
        }
    }

    /// Advances as far as possible without the driver; returns `None` when something has changed.
    fn step(&mut self, now: Instant) -> Option<Need> {
        let Self { inner, settings, state } = self;
        let layer = match state {
            State::Tls(layer) => layer,
            State::Due => {
                self.begin();
                return None;
            }
            State::Clear => {
                let need = inner.poll(now);
                if need == Need::Answer && inner.is_upgrading() {
                    self.begin();
                    return None;
                }
                return Some(need);
            }
        };
        if layer.stage == Stage::Due {
            layer.begin(now + settings.handshake_timeout);
        }
        let outcome = layer.turn(&settings.role);
        match (layer.stage, outcome) {
            (Stage::Due | Stage::Handshake | Stage::Open, Err(failure)) => {
                layer.fail(inner, failure, now + FAREWELL);
                None
            }
            (Stage::Due | Stage::Handshake, Ok(())) => {
                if layer.is_established() {
                    layer.stage = Stage::Open;
                    inner.upgraded(layer.security(settings));
                    return None;
                }
                match layer.await_handshake(inner.is_stopping(), now) {
                    Ok(need) => Some(need),
                    Err(kind) => {
                        layer.fail(inner, kind.into(), now);
                        None
                    }
                }
            }
            (Stage::Open, Ok(())) => layer.exchange(inner, &settings.role, now),
            (Stage::Failed | Stage::Closing, _)
                if layer.is_pending() && !layer.until.has_passed(now) =>
            {
                Some(Need::Write(layer.until))
            }
            (Stage::Failed, _) => Some(match inner.poll(now) {
                Need::Answer => Need::Answer,
                // Nothing more can be sent or received.
                _ => Need::Close,
            }),
            (Stage::Closing, _) => Some(Need::Close),
        }
    }
}

impl<M: Upgradable> Machine for Secured<M> {
    type Event<'m>
        = M::Event<'m>
    where
        M: 'm;

    fn poll(&mut self, now: Instant) -> Need {
        loop {
            if let Some(need) = self.step(now) {
                return need;
            }
        }
    }

    fn event(&mut self) -> Option<M::Event<'_>> {
        self.inner.event()
    }

    fn question(&mut self) -> Option<OpenQuestion> {
        self.inner.question()
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        // As in `layer`; a borrow that may be returned cannot be given up (E0499).
        if let State::Due = self.state {
            self.begin();
        }
        match &mut self.state {
            State::Tls(layer) => layer.inbox.room(),
            State::Clear | State::Due => self.inner.receive_buffer(),
        }
    }

    fn received(&mut self, octets: usize) {
        let Some(layer) = self.layer() else { return self.inner.received(octets) };
        layer.inbox.received(octets);
        if layer.told.is_some() || matches!(layer.stage, Stage::Failed | Stage::Closing) {
            // The machine inside will never read it.
            layer.inbox.consume(usize::MAX);
        }
    }

    fn release(&mut self) {
        if let State::Tls(layer) = &mut self.state {
            layer.release();
        }
        self.inner.release();
    }

    fn lend_buffer(&mut self, memory: BytesMut) -> Option<BytesMut> {
        let Some(layer) = self.layer() else { return self.inner.lend_buffer(memory) };
        layer.inbox.lend(memory)
    }

    fn reclaim_buffer(&mut self) -> Option<BytesMut> {
        let State::Tls(layer) = &mut self.state else { return self.inner.reclaim_buffer() };
        let memory = layer.inbox.reclaim();
        layer.release();
        // Memory that was lent before STARTTLS is in the machine inside.
        let inner = self.inner.reclaim_buffer();
        memory.or(inner)
    }

    fn closed(&mut self, how: Closed) {
        let Some(layer) = self.layer() else { return self.inner.closed(how) };
        // The end of the stream is clean only after a close_notify.
        if layer.closed != Some(Closed::CutOff) {
            layer.closed = Some(how);
        }
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        match &self.state {
            State::Tls(layer) => layer.slices(slices),
            State::Clear | State::Due => self.inner.to_send(slices),
        }
    }

    fn sent(&mut self, octets: usize) {
        match &mut self.state {
            State::Tls(layer) => {
                let plaintext = layer.sent(octets);
                if plaintext > 0 {
                    self.inner.sent(plaintext);
                }
            }
            State::Clear | State::Due => self.inner.sent(octets),
        }
    }

    fn unsendable(&mut self) {
        if let Some(layer) = self.layer() {
            layer.break_off();
        }
        self.inner.unsendable();
    }
}

impl<M: fmt::Debug> fmt::Debug for Secured<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").field("inner", &self.inner).finish_non_exhaustive()
    }
}

const _: () = {
    const fn is_at_home_everywhere<T: Send + Sync + Unpin + 'static>() {}
    is_at_home_everywhere::<Secured<crate::server::Server>>();
};
