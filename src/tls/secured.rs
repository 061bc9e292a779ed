//! The TLS layer around a machine.

use super::layer::{FAREWELL, Layer, Stage};
use super::rustls::{
    role::Role,
    server::{Hello, ServerTls},
};
use crate::{
    machine::{Closed, Machine, Need, OpenQuestion, Upgradable},
    time::Instant,
};
use alloc::boxed::Box;
use bytes::BytesMut;
use core::{fmt, time::Duration};

/// The time for a whole handshake.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// A machine with a TLS layer around it.
///
/// While the session is in the clear the layer is transparent. When both sides have agreed on
/// STARTTLS, it takes over: from then on the peer's octets are TLS or the end of the session.
pub struct Secured<M> {
    inner: M,
    role: Role,
    handshake_timeout: Duration,
    state: State,
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
    pub fn implicit(inner: M, role: impl Into<Role>) -> Self {
        Self::new(inner, role.into(), State::Due)
    }

    /// Creates a layer with TLS as soon as both sides have agreed on it (STARTTLS, RFC 3207).
    #[must_use]
    pub fn start_tls(inner: M, role: impl Into<Role>) -> Self {
        Self::new(inner, role.into(), State::Clear)
    }

    const fn new(inner: M, role: Role, state: State) -> Self {
        Self { inner, role, handshake_timeout: HANDSHAKE, state }
    }

    /// Sets the time-out of the whole handshake. Default: a minute.
    #[must_use]
    pub const fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
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
        let Self { inner, role, handshake_timeout, mut state } = self;
        if let State::Tls(layer) = &mut state {
            layer.turn_over();
        }
        Secured { inner: turn(inner), role, handshake_timeout, state }
    }

    /// Returns the ClientHello while the decision that [`Choice::Later`](super::Choice::Later) promised is
    /// awaited.
    #[must_use]
    pub fn hello(&self) -> Option<Hello<'_>> {
        match &self.state {
            State::Tls(layer) => layer.hello(),
            State::Clear | State::Due => None,
        }
    }

    /// Gives the decision that [`Choice::Later`](super::Choice::Later) promised: the handshake continues
    /// with this certificate, or fails, at the next poll. Has no effect when no decision is awaited.
    pub fn choose(&mut self, decision: Option<&ServerTls>) {
        if let State::Tls(layer) = &mut self.state {
            layer.decide(decision);
        }
    }

    fn begin(&mut self) {
        self.state = State::Tls(Box::new(Layer::new(&self.role)));
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
        let Self { inner, role, handshake_timeout, state } = self;
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
            layer.begin(now + *handshake_timeout);
        }
        let outcome = layer.turn(role);
        match (layer.stage, outcome) {
            (Stage::Due | Stage::Handshake | Stage::Open, Err(failure)) => {
                layer.fail(inner, failure, now + FAREWELL);
                None
            }
            (Stage::Due | Stage::Handshake, Ok(())) => {
                if layer.is_established() {
                    layer.stage = Stage::Open;
                    inner.upgraded(layer.security(role));
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
            (Stage::Open, Ok(())) => layer.exchange(inner, role, now),
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
        layer.discard_unread();
    }

    fn feed(&mut self, octets: &[u8]) -> usize {
        let Some(layer) = self.layer() else { return self.inner.feed(octets) };
        let taken = layer.inbox.append(octets);
        layer.discard_unread();
        taken
    }

    fn release(&mut self) {
        if let State::Tls(layer) = &mut self.state {
            layer.release();
        }
        self.inner.release();
    }

    fn lend_buffer(&mut self, memory: BytesMut) -> Option<BytesMut> {
        // Ciphertext is read into the first memory, and its plaintext moves to the second, in the machine inside.
        match self.layer() {
            Some(layer) => {
                let memory = layer.inbox.lend(memory)?;
                self.inner.lend_buffer(memory)
            }
            None => self.inner.lend_buffer(memory),
        }
    }

    fn reclaim_buffer(&mut self) -> Option<BytesMut> {
        let State::Tls(layer) = &mut self.state else { return self.inner.reclaim_buffer() };
        let memory = layer.inbox.reclaim();
        layer.release();
        memory.or_else(|| self.inner.reclaim_buffer())
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
    const fn is_free<T: Send + Sync + Unpin + 'static>() {}
    is_free::<Secured<crate::server::Server>>();
};
