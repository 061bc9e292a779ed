//! A machine inside rustls, still without I/O.
//!
//! [`Secured`] puts a TLS layer around a machine and is a [`Machine`] itself, with the events
//! of the one inside. Drivers do not know that it is there: implicit TLS (RFC 8314) and
//! STARTTLS (RFC 3207) need no line in any of them. The crypto provider is the one that the
//! rustls configuration was built with.

use crate::{
    machine::{Closed, Machine, Need, Upgradable},
    security::Security,
    time::Instant,
    wire::ReceiveBuffer,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{fmt, time::Duration};
use rustls::{
    ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
    pki_types::ServerName,
};
use std::io::{ErrorKind, IoSlice, Read, Write};

/// Which end of TLS we are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum End {
    /// Begins the handshake, and knows whom it wants to meet.
    Client(Arc<ClientConfig>, ServerName<'static>),
    /// Answers the handshake.
    Server(Arc<ServerConfig>),
}

impl End {
    fn connection(&self) -> Result<Connection, rustls::Error> {
        Ok(match self {
            Self::Client(config, name) => {
                ClientConnection::new(Arc::clone(config), name.clone())?.into()
            }
            Self::Server(config) => ServerConnection::new(Arc::clone(config))?.into(),
        })
    }
}

/// A machine with a TLS layer around it.
///
/// While the session is in the clear the layer is transparent. When both sides have agreed on
/// STARTTLS, it takes over: what the peer sends from then on is TLS or the end of the session.
pub struct Secured<M> {
    inner: M,
    end: End,
    state: State,
    handshake_timeout: Duration,
}

enum State {
    /// Octets pass as they are.
    Clear,
    /// TLS begins at the next poll.
    Due,
    /// TLS, in one of its stages.
    Tls(Box<Layer>),
}

struct Layer {
    connection: Connection,
    stage: Stage,
    inbox: ReceiveBuffer,
    outbox: Vec<u8>,
    /// So many octets of the outbox have been sent.
    sent: usize,
    /// By when the handshake, an alert or the close_notify has to be through.
    until: Instant,
    /// By when the machine inside wants its octets sent.
    write_until: Instant,
    /// The peer's direction is over.
    closed: Option<Closed>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Handshake,
    Open,
    /// The peer broke the protocol: an alert goes out, then the machine inside is told.
    Failing {
        is_told: bool,
    },
    /// The machine inside is done: the close_notify goes out.
    Closing,
}

/// One read of ciphertext: a record and its overhead (RFC 8446 section 5.2).
const INBOX: usize = 17 * 1024;
/// No more plaintext is encrypted while so much ciphertext waits.
const OUTBOX: usize = 64 * 1024;
/// For an alert or a close_notify.
const FAREWELL: Duration = Duration::from_secs(10);

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
        Self { inner, end, state, handshake_timeout: Duration::from_secs(60) }
    }

    /// For the whole handshake; a minute unless said otherwise.
    #[must_use]
    pub const fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
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

    /// Another machine on the same channel: the roles have been turned around.
    #[must_use]
    pub fn map<N>(self, turn: impl FnOnce(M) -> N) -> Secured<N> {
        let Self { inner, end, state, handshake_timeout } = self;
        Secured { inner: turn(inner), end, state, handshake_timeout }
    }

    fn begin(&mut self, now: Instant) {
        match self.end.connection() {
            Ok(connection) => {
                self.state = State::Tls(Box::new(Layer {
                    connection,
                    stage: Stage::Handshake,
                    inbox: ReceiveBuffer::new(INBOX),
                    outbox: Vec::new(),
                    sent: 0,
                    until: now + self.handshake_timeout,
                    write_until: Instant::NEVER,
                    closed: None,
                }))
            }
            // The configuration does not allow a connection at all.
            Err(_) => {
                self.state = State::Clear;
                self.inner.upgrade_failed();
            }
        }
    }

    /// Goes on as far as possible without the driver; `None` when something has changed.
    fn step(&mut self, now: Instant) -> Option<Need> {
        let layer = match &mut self.state {
            State::Tls(layer) => layer,
            State::Due => {
                self.begin(now);
                return None;
            }
            State::Clear => {
                let need = self.inner.poll(now);
                if need == Need::Answer && self.inner.is_upgrading() {
                    self.begin(now);
                    return None;
                }
                return Some(need);
            }
        };
        if layer.take_in().is_err() && !matches!(layer.stage, Stage::Failing { .. }) {
            layer.fail(now, FAREWELL);
        }
        layer.take_out();
        match layer.stage {
            Stage::Handshake if !layer.connection.is_handshaking() => {
                layer.stage = Stage::Open;
                self.inner.upgraded(layer.security(&self.end));
                None
            }
            Stage::Handshake if layer.until.has_passed(now) || layer.closed.is_some() => {
                layer.fail(now, Duration::ZERO);
                None
            }
            Stage::Handshake if layer.is_pending() => Some(Need::Either(layer.until)),
            Stage::Handshake => Some(Need::Read(layer.until)),
            Stage::Failing { .. } if layer.is_pending() && !layer.until.has_passed(now) => {
                Some(Need::Write(layer.until))
            }
            Stage::Failing { is_told: false } => {
                layer.stage = Stage::Failing { is_told: true };
                if layer.connection.is_handshaking() {
                    self.inner.upgrade_failed();
                } else {
                    self.inner.closed(Closed::CutOff);
                }
                None
            }
            Stage::Failing { is_told: true } => Some(match self.inner.poll(now) {
                Need::Answer => Need::Answer,
                // Nothing more can be said or heard.
                _ => Need::Close,
            }),
            Stage::Open => Self::exchange(&mut self.inner, layer, now),
            Stage::Closing if layer.is_pending() && !layer.until.has_passed(now) => {
                Some(Need::Write(layer.until))
            }
            Stage::Closing => Some(Need::Close),
        }
    }

    /// Plaintext between the machine inside and TLS.
    fn exchange(inner: &mut M, layer: &mut Layer, now: Instant) -> Option<Need> {
        let need = inner.poll(now);
        if let Need::Read(_) | Need::Either(_) = need {
            match layer.connection.reader().read(inner.receive_buffer()) {
                Ok(0) => {
                    // A close_notify: RFC 8446 section 6.1.
                    inner.release();
                    if layer.closed.replace(Closed::Clean) != Some(Closed::Clean) {
                        inner.closed(Closed::Clean);
                        return None;
                    }
                }
                Ok(octets) => {
                    inner.received(octets);
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => inner.release(),
                // The end of the stream without close_notify.
                Err(_) => {
                    inner.release();
                    inner.closed(Closed::CutOff);
                    return None;
                }
            }
        }
        if let Need::Write(until) | Need::Either(until) = need
            && layer.pending().len() < OUTBOX
        {
            layer.write_until = until;
            let mut slices: [&[u8]; 16] = [&[]; 16];
            let count = inner.to_send(&mut slices);
            let slices = slices.map(IoSlice::new);
            let slices = slices.get(..count).unwrap_or_default();
            let taken = layer.connection.writer().write_vectored(slices).unwrap_or(0);
            if taken > 0 {
                inner.sent(taken);
                return None;
            }
        }
        Some(match need {
            Need::Close => {
                layer.stage = Stage::Closing;
                layer.until = now + FAREWELL;
                layer.connection.send_close_notify();
                return None;
            }
            need if !layer.is_pending() => match need {
                Need::Either(until) => Need::Read(until),
                other => other,
            },
            // What the machine inside believes to be sent goes out before anything else.
            Need::Answer => Need::Write(layer.write_until),
            Need::Read(until) | Need::Either(until) => Need::Either(until),
            Need::Write(until) | Need::Wait(until) => Need::Write(until),
        })
    }
}

impl Layer {
    /// Ciphertext that has come in, as far as its plaintext has been taken away.
    fn take_in(&mut self) -> Result<(), rustls::Error> {
        while self.connection.wants_read() && !self.inbox.is_empty() {
            let mut octets = self.inbox.octets();
            let taken = self.connection.read_tls(&mut octets).unwrap_or(0);
            if taken == 0 {
                break;
            }
            self.inbox.consume(taken);
            self.connection.process_new_packets()?;
        }
        if self.closed.is_some() && self.inbox.is_empty() {
            // Tells TLS that nothing more will come: it knows whether a close_notify did.
            let _ = self.connection.read_tls(&mut [].as_slice());
        }
        Ok(())
    }

    /// Ciphertext that wants to go out.
    fn take_out(&mut self) {
        if !self.is_pending() {
            self.outbox.clear();
            self.sent = 0;
        }
        while self.connection.wants_write() && self.outbox.len() < 2 * OUTBOX {
            // Writing into a Vec cannot fail.
            if !matches!(self.connection.write_tls(&mut self.outbox), Ok(1..)) {
                break;
            }
        }
    }

    fn pending(&self) -> &[u8] {
        self.outbox.get(self.sent..).unwrap_or_default()
    }

    fn is_pending(&self) -> bool {
        !self.pending().is_empty()
    }

    fn fail(&mut self, now: Instant, patience: Duration) {
        self.stage = Stage::Failing { is_told: false };
        self.until = now + patience;
    }

    /// What the handshake has come to.
    fn security(&self, end: &End) -> Security {
        let connection = &self.connection;
        let mut security = Security::TLS;
        if let Some(version) = connection.protocol_version().and_then(|version| version.as_str()) {
            security = security.with_version(version);
        }
        if let Some(cipher) =
            connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str())
        {
            security = security.with_cipher(cipher);
        }
        let (name, exporter) = match connection {
            Connection::Client(client) => {
                let name = match end {
                    End::Client(_, ServerName::DnsName(name)) => Some(name.as_ref()),
                    _ => None,
                };
                (name, client.export_keying_material([0; 32], EXPORTER, Some(&[])))
            }
            Connection::Server(server) => {
                (server.server_name(), server.export_keying_material([0; 32], EXPORTER, Some(&[])))
            }
        };
        if let Some(name) = name {
            security = security.with_server_name(name);
        }
        if let Ok(octets) = exporter {
            security = security.with_exporter(octets);
        }
        if let Some(chain) = connection.peer_certificates() {
            // rustls hands over a chain only when the configured verifier was content with it.
            let chain = chain.iter().map(|certificate| certificate.as_ref().to_vec()).collect();
            security = security.with_peer_certificates(chain, true);
        }
        security
    }
}

/// RFC 9266 section 2.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

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
        match &mut self.state {
            State::Tls(layer) => layer.inbox.room(),
            State::Clear | State::Due => self.inner.receive_buffer(),
        }
    }

    fn received(&mut self, octets: usize) {
        match &mut self.state {
            State::Tls(layer) => layer.inbox.received(octets),
            State::Clear | State::Due => self.inner.received(octets),
        }
    }

    fn release(&mut self) {
        match &mut self.state {
            State::Tls(layer) => layer.inbox.release(),
            State::Clear | State::Due => self.inner.release(),
        }
    }

    fn closed(&mut self, how: Closed) {
        match &mut self.state {
            State::Tls(layer) => {
                layer.closed.get_or_insert(Closed::CutOff);
                if how == Closed::CutOff {
                    self.inner.closed(Closed::CutOff);
                }
            }
            State::Clear | State::Due => self.inner.closed(how),
        }
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        match &self.state {
            State::Tls(layer) => match slices.first_mut() {
                Some(slice) if layer.is_pending() => {
                    *slice = layer.pending();
                    1
                }
                _ => 0,
            },
            State::Clear | State::Due => self.inner.to_send(slices),
        }
    }

    fn sent(&mut self, octets: usize) {
        match &mut self.state {
            State::Tls(layer) => {
                layer.sent = layer.sent.saturating_add(octets).min(layer.outbox.len())
            }
            State::Clear | State::Due => self.inner.sent(octets),
        }
    }

    fn unsendable(&mut self) {
        if let State::Tls(layer) = &mut self.state {
            layer.outbox.clear();
            layer.sent = 0;
            layer.until = Instant::ORIGIN;
        }
        self.inner.unsendable();
    }
}

impl<M: fmt::Debug> fmt::Debug for Secured<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").field("inner", &self.inner).finish_non_exhaustive()
    }
}
