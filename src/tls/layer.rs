//! TLS between a driver and a machine, in its stages.

use super::{Choice, End, Settings};
use crate::{
    machine::{Closed, HandshakeFailure, Machine, Need, Upgradable},
    security::Security,
    time::Instant,
    wire::{ReceiveBuffer, SendBuffer},
};
use alloc::{boxed::Box, sync::Arc};
use core::{mem, time::Duration};
use rustls::{
    ClientConnection, Connection, ProtocolVersion, ServerConfig, ServerConnection,
    pki_types::ServerName,
    server::{Accepted, Acceptor},
};
use std::io::{self, BufRead, ErrorKind, IoSlice, Write};

pub(super) struct Layer {
    pub(super) engine: Engine,
    pub(super) stage: Stage,
    pub(super) inbox: ReceiveBuffer,
    pub(super) outbox: SendBuffer,
    /// By when the handshake, an alert or the close_notify has to be through.
    pub(super) until: Instant,
    /// By when what waits in the outbox has to be taken.
    pub(super) write_until: Instant,
    /// How the driver says that the peer's direction ended.
    pub(super) closed: Option<Closed>,
    /// How the machine inside was told that it ended.
    pub(super) told: Option<Closed>,
    /// Nothing can be sent any more.
    pub(super) is_broken: bool,
    /// TLS has come from the peer.
    is_spoken_to: bool,
    /// The extended master secret is required, so what is exported binds the channel also
    /// before TLS 1.3.
    requires_ems: bool,
}

pub(super) enum Engine {
    /// The ClientHello is awaited.
    Hello(Acceptor),
    /// A configuration is awaited.
    Chosen(Box<Accepted>),
    Running(Connection),
    /// There never will be a connection.
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody has polled yet, so no time runs; the peer may have been heard.
    Due,
    Handshake,
    Open,
    /// TLS has failed, the machine inside knows it, and an alert goes out.
    Failed,
    /// The machine inside is done: the close_notify goes out.
    Closing,
}

/// One read of ciphertext: a record and its overhead (RFC 8446 section 5.2).
const INBOX: usize = 17 * 1024;
/// No more plaintext is encrypted while so much ciphertext waits.
const OUTBOX: usize = 64 * 1024;
/// For an alert or a close_notify.
pub(super) const FAREWELL: Duration = Duration::from_secs(10);
/// RFC 9266 section 2.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";
/// A fatal alert, unrecognized_name (RFC 6066 section 3), before there is any encryption.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

impl Layer {
    pub(super) fn new(settings: &Settings) -> Self {
        let (engine, requires_ems) = match &settings.end {
            End::Client(config, name) => (
                ClientConnection::new(Arc::clone(config), name.clone())
                    .map(|client| Engine::Running(client.into())),
                config.require_ems,
            ),
            End::Server(config) => (
                ServerConnection::new(Arc::clone(config))
                    .map(|server| Engine::Running(server.into())),
                config.require_ems,
            ),
            End::Choosing(_) => (Ok(Engine::Hello(Acceptor::default())), false),
        };
        Self {
            // The configuration may not allow a connection at all: that fails at once.
            engine: engine.unwrap_or(Engine::Dead),
            stage: Stage::Due,
            inbox: ReceiveBuffer::new(INBOX),
            outbox: SendBuffer::default(),
            until: Instant::NEVER,
            write_until: Instant::NEVER,
            closed: None,
            told: None,
            is_broken: false,
            is_spoken_to: false,
            requires_ems,
        }
    }

    /// The first poll: the handshake has to be through by then.
    pub(super) fn begin(&mut self, until: Instant) {
        self.stage = Stage::Handshake;
        self.until = until;
        self.write_until = until;
    }

    /// Goes on as far as possible: what came in is decrypted until there is plaintext, what TLS
    /// wants to say is ready to be sent.
    pub(super) fn turn(&mut self, end: &End) -> Result<(), ()> {
        loop {
            let before = (self.inbox.octets().len(), self.outbox.len());
            let outcome = self.take_in(end);
            self.take_out();
            outcome?;
            if before == (self.inbox.octets().len(), self.outbox.len()) {
                return Ok(());
            }
        }
    }

    fn take_in(&mut self, end: &End) -> Result<(), ()> {
        match (self.is_spoken_to, self.inbox.octets().first()) {
            // The content types of what a peer may begin with (RFC 8446 section 5.1).
            (false, Some(20..=22)) => self.is_spoken_to = true,
            // Octets in the clear. Whoever sends them would take an alert for a reply.
            (false, Some(_)) => self.engine = Engine::Dead,
            _ => {}
        }
        match &mut self.engine {
            Engine::Dead => return Err(()),
            Engine::Chosen(_) => {}
            Engine::Hello(acceptor) => {
                if !self.inbox.is_empty() {
                    let mut octets = self.inbox.octets();
                    let taken = acceptor.read_tls(&mut octets).map_err(drop)?;
                    self.inbox.consume(taken);
                }
                match acceptor.accept() {
                    Ok(None) => {}
                    Ok(Some(accepted)) => {
                        let choice = match end {
                            End::Choosing(choose) => choose.choose(&accepted.client_hello()),
                            End::Client(..) | End::Server(_) => Choice::Refuse,
                        };
                        match choice {
                            Choice::Take(config) => self.accept(accepted, Some(config)),
                            Choice::Refuse => self.accept(accepted, None),
                            Choice::Later => self.engine = Engine::Chosen(Box::new(accepted)),
                        }
                    }
                    Err((_, mut alert)) => {
                        // Writing into a Vec cannot fail.
                        let _ = alert.write_all(self.outbox.text());
                        self.engine = Engine::Dead;
                    }
                }
            }
            Engine::Running(connection) => {
                while connection.wants_read() && !self.inbox.is_empty() {
                    let mut octets = self.inbox.octets();
                    let taken = connection.read_tls(&mut octets).map_err(drop)?;
                    if taken == 0 {
                        break;
                    }
                    self.inbox.consume(taken);
                    connection.process_new_packets().map_err(drop)?;
                }
                if self.closed.is_some() && self.inbox.is_empty() && connection.wants_read() {
                    // Tells TLS that nothing more will come: it knows whether a close_notify did.
                    let _ = connection.read_tls(&mut [].as_slice());
                }
            }
        }
        Ok(())
    }

    /// Ciphertext that wants to go out.
    fn take_out(&mut self) {
        let Engine::Running(connection) = &mut self.engine else { return };
        while connection.wants_write() && self.outbox.len() < 2 * OUTBOX {
            // Neither can fail.
            let written = match self.is_broken {
                true => connection.write_tls(&mut io::sink()),
                false => connection.write_tls(self.outbox.text()),
            };
            if !matches!(written, Ok(1..)) {
                break;
            }
        }
    }

    /// The handshake goes on with this configuration, or is over.
    pub(super) fn accept(&mut self, accepted: Accepted, config: Option<Arc<ServerConfig>>) {
        self.engine = Engine::Dead;
        let Some(config) = config else {
            self.outbox.text().extend_from_slice(UNRECOGNIZED_NAME);
            return;
        };
        self.requires_ems = config.require_ems;
        match accepted.into_connection(config) {
            Ok(server) => {
                let mut connection = Connection::from(server);
                // What came with the ClientHello; an error comes again.
                let _ = connection.process_new_packets();
                self.engine = Engine::Running(connection);
            }
            // Writing into a Vec cannot fail.
            Err((_, mut alert)) => drop(alert.write_all(self.outbox.text())),
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(super) fn is_established(&self) -> bool {
        matches!(&self.engine, Engine::Running(connection) if !connection.is_handshaking())
    }

    /// No octet leaves any more.
    pub(super) fn break_off(&mut self) {
        self.is_broken = true;
        self.outbox.clear();
    }

    /// TLS is at its end: an alert may go out, until then.
    pub(super) fn fail(
        &mut self,
        inner: &mut impl Upgradable,
        why: HandshakeFailure,
        until: Instant,
    ) {
        self.until = until;
        match mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Due | Stage::Handshake => inner.upgrade_failed(why),
            _ => {
                // Plaintext from before is still worth hearing.
                while matches!(self.hear(inner), Heard::Octets) {}
                inner.closed(Closed::CutOff);
                inner.unsendable();
            }
        }
    }

    /// Plaintext for the machine inside, as much as it has room for.
    fn hear(&mut self, inner: &mut impl Machine) -> Heard {
        let Engine::Running(connection) = &mut self.engine else { return Heard::Nothing };
        let mut reader = connection.reader();
        match reader.fill_buf() {
            // RFC 8446 section 6.1.
            Ok([]) => Heard::End(Closed::Clean),
            Ok(octets) => {
                let room = inner.receive_buffer();
                let taken = room.len().min(octets.len());
                if let (Some(room), Some(octets)) = (room.get_mut(..taken), octets.get(..taken)) {
                    room.copy_from_slice(octets);
                }
                inner.received(taken);
                reader.consume(taken);
                if taken == 0 { Heard::Nothing } else { Heard::Octets }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
            // The end of the stream without close_notify.
            Err(_) => Heard::End(Closed::CutOff),
        }
    }

    /// Encrypts what the machine inside wants to send; whether there was anything.
    fn encrypt(&mut self, inner: &mut impl Machine) -> bool {
        let Engine::Running(connection) = &mut self.engine else { return false };
        let mut slices: [&[u8]; 16] = [&[]; 16];
        let count = inner.to_send(&mut slices);
        let slices = slices.map(IoSlice::new);
        let slices = slices.get(..count).unwrap_or_default();
        let taken = connection.writer().write_vectored(slices).unwrap_or(0);
        inner.sent(taken);
        self.take_out();
        taken > 0
    }

    /// Plaintext between the machine inside and TLS.
    pub(super) fn exchange(
        &mut self,
        inner: &mut impl Machine,
        end: &End,
        now: Instant,
    ) -> Option<Need> {
        if self.closed == Some(Closed::CutOff) && self.told != Some(Closed::CutOff) {
            // As if what has come already had come just before.
            while matches!(self.hear(inner), Heard::Octets) && self.turn(end).is_ok() {}
            self.told = Some(Closed::CutOff);
            inner.closed(Closed::CutOff);
        }
        let need = inner.poll(now);
        if let Need::Read(_) | Need::Either(_) = need
            && self.told.is_none()
        {
            match self.hear(inner) {
                Heard::Octets => return None,
                Heard::Nothing => {}
                Heard::End(how) => {
                    self.told = Some(how);
                    inner.closed(how);
                    return None;
                }
            }
        }
        if let Need::Write(until) | Need::Either(until) = need
            && !self.is_broken
            && self.outbox.len() < OUTBOX
            && self.encrypt(inner)
        {
            self.write_until = until;
            return None;
        }
        if self.is_pending() && self.write_until.has_passed(now) {
            // The peer has not taken what the machine inside believes to be sent.
            self.break_off();
            inner.unsendable();
            return None;
        }
        Some(match need {
            Need::Close => {
                self.stage = Stage::Closing;
                self.until = now + FAREWELL;
                if self.is_pending() {
                    // What was said before has its own time.
                    self.until = self.until.max(self.write_until);
                }
                if let Engine::Running(connection) = &mut self.engine {
                    connection.send_close_notify();
                }
                return None;
            }
            // The machine can not have more than there is.
            Need::Read(_) | Need::Either(_) if self.told.is_some() && !self.is_pending() => {
                Need::Close
            }
            Need::Write(_) if !self.is_pending() => Need::Close,
            Need::Either(until) if !self.is_pending() => Need::Read(until),
            need if !self.is_pending() => need,
            // What the machine inside believes to be sent goes out before anything else.
            Need::Answer => Need::Write(self.write_until),
            Need::Read(until) | Need::Either(until) if self.told.is_none() => {
                Need::Either(until.min(self.write_until))
            }
            Need::Read(until) | Need::Either(until) | Need::Write(until) | Need::Wait(until) => {
                Need::Write(until.min(self.write_until))
            }
        })
    }

    /// What the handshake has come to.
    pub(super) fn security(&self, settings: &Settings) -> Security {
        let mut security = Security::TLS;
        let Engine::Running(connection) = &self.engine else { return security };
        let version = connection.protocol_version();
        if let Some(version) = version.and_then(|version| version.as_str()) {
            security = security.with_version(version);
        }
        if let Some(cipher) =
            connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str())
        {
            security = security.with_cipher(cipher);
        }
        let name = match (connection, &settings.end) {
            (Connection::Server(server), _) => server.server_name(),
            (Connection::Client(_), End::Client(_, ServerName::DnsName(name))) => {
                Some(name.as_ref())
            }
            (Connection::Client(_), _) => None,
        };
        if let Some(name) = name {
            security = security.with_server_name(name);
        }
        // RFC 9266 section 4.2: before TLS 1.3 only with the extended master secret. rustls tells
        // whether it is required, not whether it is used.
        if (version == Some(ProtocolVersion::TLSv1_3) || self.requires_ems)
            && let Ok(octets) = connection.export_keying_material([0; 32], EXPORTER, Some(&[]))
        {
            security = security.with_exporter(octets);
        }
        if let Some(octets) = &settings.end_point {
            security = security.with_end_point(octets.clone());
        }
        if let Some(chain) = connection.peer_certificates() {
            #[cfg(feature = "scram")]
            if let (Connection::Client(_), Some(server)) = (connection, chain.first())
                && let Some(octets) = crate::security::end_point(server)
            {
                security = security.with_end_point(octets);
            }
            // rustls hands over a chain only when the configured verifier was content with it.
            let chain = chain.iter().map(|certificate| certificate.as_ref().to_vec()).collect();
            security = security.with_peer_certificates(chain, settings.is_verifying);
        }
        security
    }
}

enum Heard {
    Octets,
    Nothing,
    End(Closed),
}
