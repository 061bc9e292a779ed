//! A machine inside rustls, still without I/O.
//!
//! [`Secured`] puts a TLS layer around a machine and is a [`Machine`] itself, with the events
//! of the one inside. Drivers do not know that it is there: implicit TLS (RFC 8314) and
//! STARTTLS (RFC 3207) need no line in any of them. The crypto provider is the one that the
//! rustls configuration was built with.
//!
//! What the layer answers for:
//!
//! - Deadlines: of the handshake, of an alert and of the close_notify. All others are those of the
//!   machine inside: its octets count as sent as the peer takes the records that hold them, so a peer
//!   that does not read, or reads slowly, meets its deadlines as in the clear.
//! - Memory: plaintext is decrypted only when the machine inside asks for it, and encrypted, up to
//!   64 KiB at once, when the peer has taken what was encrypted before. A layer holds at most about
//!   300 KiB, whatever the peer does.
//! - The end: a stream that ends without close_notify has been cut off (RFC 8446 section 6.1),
//!   whatever the driver says of it; octets behind a close_notify are never heard.
//!
//! Renegotiation does not exist in rustls, and it limits KeyUpdate and empty records. Early
//! data (0-RTT), which an attacker can replay, is not heard: leave it disabled.

mod layer;
mod names;

#[cfg(doc)]
use crate::security::Security;
use crate::{
    machine::{Closed, Machine, Need, Upgradable},
    security::TlsFailureKind,
    time::Instant,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{fmt, mem, time::Duration};
use layer::{Engine, FAREWELL, Layer, Stage};
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName, server::ClientHello};

/// Which end of TLS we are.
#[derive(Clone)]
#[non_exhaustive]
pub enum End {
    /// Begins the handshake, and knows whom it wants to meet.
    Client(Arc<ClientConfig>, ServerName<'static>),
    /// Answers the handshake.
    Server(Arc<ServerConfig>),
    /// Answers the handshake as the client's first words make advisable: with another
    /// certificate, or not at all.
    Choosing(Arc<dyn Choose>),
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(_, name) => f.debug_tuple("Client").field(name).finish_non_exhaustive(),
            Self::Server(_) => f.debug_tuple("Server").finish_non_exhaustive(),
            Self::Choosing(_) => f.debug_tuple("Choosing").finish_non_exhaustive(),
        }
    }
}

/// Chooses a configuration when the client has said whom it wants to meet.
///
/// Every suitable function is one.
///
/// ```
/// use esmtp::tls::{Choice, End};
/// use std::sync::Arc;
///
/// # fn known(name: &str) -> Option<Arc<rustls::ServerConfig>> { None }
/// let end = End::Choosing(Arc::new(|hello: &rustls::server::ClientHello<'_>| {
///     hello.server_name().and_then(known).map_or(Choice::Refuse, Choice::Take)
/// }));
/// ```
pub trait Choose: Send + Sync + 'static {
    /// Asked once a handshake.
    fn choose(&self, hello: &ClientHello<'_>) -> Choice;
}

impl<F: Fn(&ClientHello<'_>) -> Choice + Send + Sync + 'static> Choose for F {
    fn choose(&self, hello: &ClientHello<'_>) -> Choice {
        self(hello)
    }
}

/// What [`Choose`] says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Choice {
    /// This one.
    Take(Arc<ServerConfig>),
    /// It will be said by [`Secured::choose`], by the deadline of the handshake. Wake up whoever
    /// will do so.
    Later,
    /// None: the handshake fails.
    Refuse,
}

/// A machine with a TLS layer around it.
///
/// While the session is in the clear the layer is transparent. When both sides have agreed on
/// STARTTLS, it takes over: what the peer sends from then on is TLS or the end of the session.
pub struct Secured<M> {
    inner: M,
    settings: Settings,
    state: State,
}

struct Settings {
    end: End,
    handshake_timeout: Duration,
    is_verifying: bool,
    end_point: Option<Vec<u8>>,
}

enum State {
    /// Octets pass as they are.
    Clear,
    /// TLS, of which nothing has been heard yet.
    Due,
    /// TLS, in one of its stages.
    Tls(Box<Layer>),
}

impl<M: Upgradable> Secured<M> {
    /// TLS from the first octet (RFC 8314 section 3).
    #[must_use]
    pub const fn implicit(inner: M, end: End) -> Self {
        Self::new(inner, end, State::Due)
    }

    /// TLS when both sides have agreed on it (RFC 3207).
    #[must_use]
    pub const fn start_tls(inner: M, end: End) -> Self {
        Self::new(inner, end, State::Clear)
    }

    const fn new(inner: M, end: End, state: State) -> Self {
        let handshake_timeout = Duration::from_secs(60);
        let settings = Settings { end, handshake_timeout, is_verifying: true, end_point: None };
        Self { inner, settings, state }
    }

    /// For the whole handshake; a minute unless said otherwise.
    #[must_use]
    pub const fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout;
        self
    }

    /// Whether the verifier in the rustls configuration verifies what it lets pass, so that
    /// [`Security::is_verified`] may say so. Yes unless said otherwise; say no with one that lets
    /// everything pass (rustls calls that dangerous), as opportunistic TLS does (RFC 7435).
    #[must_use]
    pub const fn with_verified(mut self, is_verifying: bool) -> Self {
        self.settings.is_verifying = is_verifying;
        self
    }

    /// Channel binding data of the type `tls-server-end-point` for the certificate that we show
    /// as a server: rustls does not tell which it was. A client has it from the server's.
    #[must_use]
    pub fn with_end_point(mut self, octets: Vec<u8>) -> Self {
        self.settings.end_point = Some(octets);
        self
    }

    /// The machine inside.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.inner
    }

    /// The machine inside, to be told something (`shut_down`), not to be driven.
    #[must_use]
    pub const fn machine_mut(&mut self) -> &mut M {
        &mut self.inner
    }

    /// Another machine on the same channel: the roles have been turned around. The end of TLS that
    /// this layer is stays the same, so no second STARTTLS can be agreed on in the clear.
    #[must_use]
    pub fn map<N>(self, turn: impl FnOnce(M) -> N) -> Secured<N> {
        let Self { inner, settings, mut state } = self;
        if let State::Tls(layer) = &mut state {
            layer.turn_over();
        }
        Secured { inner: turn(inner), settings, state }
    }

    /// What the client said, while a configuration is awaited that [`Choice::Later`] promised.
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

    /// The configuration that [`Choice::Later`] promised; the handshake goes on, or fails, at the
    /// next poll. Does nothing when none is awaited.
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

    /// The layer, unless octets pass as they are. What comes before the first poll (behind a PROXY
    /// header, say) is TLS too: the machine inside would take it for octets in the clear.
    fn layer(&mut self) -> Option<&mut Layer> {
        if let State::Due = self.state {
            self.begin();
        }
        match &mut self.state {
            State::Tls(layer) => Some(layer),
            State::Clear | State::Due => None,
        }
    }

    /// Goes on as far as possible without the driver; `None` when something has changed.
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
        let outcome = layer.turn(&settings.end);
        match (layer.stage, outcome) {
            (Stage::Due | Stage::Handshake | Stage::Open, Err(failure)) => {
                layer.fail(inner, failure, now + FAREWELL);
                None
            }
            (Stage::Due | Stage::Handshake, Ok(())) => {
                let kind = if layer.is_established() {
                    layer.stage = Stage::Open;
                    inner.upgraded(layer.security(settings));
                    return None;
                } else if layer.closed.is_some() || layer.is_broken {
                    TlsFailureKind::CutOff
                } else if layer.until.has_passed(now) {
                    TlsFailureKind::TimedOut
                } else if inner.is_stopping() {
                    TlsFailureKind::Stopped
                } else if let Engine::Chosen(_) = layer.engine {
                    return Some(Need::Wait(layer.until));
                } else if layer.is_pending() {
                    return Some(Need::Either(layer.until));
                } else {
                    return Some(Need::Read(layer.until));
                };
                layer.fail(inner, kind.into(), now);
                None
            }
            (Stage::Open, Ok(())) => layer.exchange(inner, &settings.end, now),
            (Stage::Failed | Stage::Closing, _)
                if layer.is_pending() && !layer.until.has_passed(now) =>
            {
                Some(Need::Write(layer.until))
            }
            (Stage::Failed, _) => Some(match inner.poll(now) {
                Need::Answer => Need::Answer,
                // Nothing more can be said or heard.
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

    fn receive_buffer(&mut self) -> &mut [u8] {
        // As in `layer`; a borrow that may be returned can not be given up (E0499).
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
            // Nobody will hear it.
            layer.inbox.consume(usize::MAX);
        }
    }

    fn release(&mut self) {
        if let State::Tls(layer) = &mut self.state {
            layer.release();
        }
        self.inner.release();
    }

    fn closed(&mut self, how: Closed) {
        let Some(layer) = self.layer() else { return self.inner.closed(how) };
        // How it was: a clean end of the stream is one only behind a close_notify.
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
