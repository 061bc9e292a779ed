//! The TLS engine between a driver and a machine, in its stages.

use super::{Choice, Role, Settings, names};
use crate::{
    machine::{Closed, Machine, Need, Upgradable},
    security::{Security, TlsFailure, TlsFailureKind},
    time::Instant,
    wire::{ReceiveBuffer, SendBuffer},
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc};
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
    outbox: SendBuffer,
    /// Octets of ciphertext that the driver has written.
    taken: u64,
    /// The records in the outbox that hold octets of the machine inside, in order.
    records: VecDeque<Record>,
    /// The deadline of the handshake, of an alert or of the close_notify.
    pub(super) until: Instant,
    /// The kind of end that the driver reported for the peer's direction.
    pub(super) closed: Option<Closed>,
    /// The kind of end that was reported to the machine inside.
    pub(super) told: Option<Closed>,
    /// Nothing can be sent any more.
    pub(super) is_broken: bool,
    /// Octets of TLS have arrived from the peer.
    has_input: bool,
    /// The extended master secret is required, so that exported keying material binds the channel
    /// also before TLS 1.3.
    requires_ems: bool,
    /// The greatest number of octets of plaintext in a record.
    record_size: usize,
}

/// A record with octets of the machine inside. They count as sent as the record leaves, and the last of
/// them when the whole record has: before, the peer can decrypt nothing of it.
struct Record {
    /// Its end, counted in octets of ciphertext.
    end: u64,
    /// Octets of the machine inside that do not count as sent yet.
    plaintext: usize,
}

pub(super) enum Engine {
    /// The ClientHello is awaited.
    Hello(Acceptor),
    /// A configuration is awaited.
    Chosen(Box<Accepted>),
    Running(Connection),
    /// No connection is possible.
    Dead(TlsFailure),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the first poll: no deadline runs yet, but octets of the peer may have arrived.
    Due,
    Handshake,
    Open,
    /// TLS has failed, the machine inside has been notified, and an alert is sent.
    Failed,
    /// The machine inside is done: the close_notify is sent.
    Closing,
}

/// One read of ciphertext: a record and its overhead (RFC 8446 section 5.2).
const INBOX: usize = 17 * 1024;
/// The greatest number of octets of plaintext that are encrypted at once.
const OUTBOX: usize = 64 * 1024;
/// The greatest number of slices of the machine inside that are encrypted at once.
const SLICES: usize = 64;
/// The greatest number of slices that make up a record.
const RECORD_SLICES: usize = 16;
/// The time for an alert or a close_notify: a few octets, for which every peer that reads has room.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
/// RFC 9266 section 2.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";
/// A fatal alert, unrecognized_name (RFC 6066 section 3), before there is any encryption.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

impl Layer {
    pub(super) fn new(settings: &Settings) -> Self {
        let (engine, requires_ems, fragment) = match &settings.role {
            Role::Client(config, name) => (
                ClientConnection::new(Arc::clone(config), name.clone())
                    .map(|client| Engine::Running(client.into())),
                config.require_ems,
                config.max_fragment_size,
            ),
            Role::Server(config) => (
                ServerConnection::new(Arc::clone(config))
                    .map(|server| Engine::Running(server.into())),
                config.require_ems,
                config.max_fragment_size,
            ),
            Role::Choosing(_) => (Ok(Engine::Hello(Acceptor::default())), false, None),
        };
        Self {
            // The configuration may permit no connection at all: that fails at once.
            engine: engine.unwrap_or_else(|error| Engine::Dead(names::failure(error))),
            stage: Stage::Due,
            inbox: ReceiveBuffer::new(INBOX),
            outbox: SendBuffer::default(),
            taken: 0,
            records: VecDeque::new(),
            until: Instant::NEVER,
            closed: None,
            told: None,
            is_broken: false,
            has_input: false,
            requires_ems,
            record_size: record_size(fragment),
        }
    }

    /// Begins the handshake, which has to be complete by `until`.
    pub(super) fn begin(&mut self, until: Instant) {
        self.stage = Stage::Handshake;
        self.until = until;
    }

    /// Returns what the handshake needs, or why it is over.
    pub(super) fn await_handshake(
        &mut self,
        is_stopping: bool,
        now: Instant,
    ) -> Result<Need, TlsFailureKind> {
        if self.closed.is_some() {
            return Err(TlsFailureKind::CutOff);
        }
        if self.until.has_passed(now) {
            return Err(match self.is_broken {
                true => TlsFailureKind::CutOff,
                false => TlsFailureKind::TimedOut,
            });
        }
        if is_stopping {
            return Err(TlsFailureKind::Stopped);
        }
        if self.is_broken {
            // Octets that arrived before the peer closed may hold the reason.
            self.until = self.until.min(now + FAREWELL);
        }
        Ok(match self.engine {
            Engine::Chosen(_) => Need::Wait(self.until),
            _ if self.is_pending() => Need::Either(self.until),
            _ => Need::Read(self.until),
        })
    }

    /// Advances as far as possible: input is decrypted until there is plaintext, and the output of
    /// TLS is ready to be sent.
    pub(super) fn turn(&mut self, role: &Role) -> Result<(), TlsFailure> {
        loop {
            let before = (self.inbox.octets().len(), self.outbox.len());
            let outcome = self.take_in(role);
            self.take_out();
            outcome?;
            if before == (self.inbox.octets().len(), self.outbox.len()) {
                return Ok(());
            }
        }
    }

    fn take_in(&mut self, role: &Role) -> Result<(), TlsFailure> {
        match (self.has_input, self.inbox.octets().first()) {
            // The content types that a peer may begin with (RFC 8446 section 5.1).
            (false, Some(20..=22)) => self.has_input = true,
            // Octets in the clear. A peer that sends them would take an alert for a reply.
            (false, Some(_)) => self.engine = Engine::Dead(TlsFailureKind::NotTls.into()),
            _ => {}
        }
        match &mut self.engine {
            Engine::Dead(failure) => return Err(failure.clone()),
            Engine::Chosen(_) => {}
            Engine::Hello(acceptor) => {
                if !self.inbox.is_empty() {
                    let mut octets = self.inbox.octets();
                    let taken = acceptor.read_tls(&mut octets).map_err(names::other)?;
                    self.inbox.consume(taken);
                }
                match acceptor.accept() {
                    Ok(None) => {}
                    Ok(Some(accepted)) => {
                        let choice = match role {
                            Role::Choosing(choose) => choose.choose(&accepted.client_hello()),
                            Role::Client(..) | Role::Server(_) => Choice::Refuse,
                        };
                        match choice {
                            Choice::Use(config) => self.accept(accepted, Some(config)),
                            Choice::Refuse => self.accept(accepted, None),
                            Choice::Later => self.engine = Engine::Chosen(Box::new(accepted)),
                        }
                    }
                    Err((error, mut alert)) => {
                        // Writing into a Vec cannot fail.
                        let _ = alert.write_all(self.outbox.text());
                        self.engine = Engine::Dead(names::failure(error));
                    }
                }
            }
            Engine::Running(connection) => {
                while connection.wants_read() && !self.inbox.is_empty() {
                    let mut octets = self.inbox.octets();
                    let taken = connection.read_tls(&mut octets).map_err(names::other)?;
                    if taken == 0 {
                        break;
                    }
                    self.inbox.consume(taken);
                    connection.process_new_packets().map_err(names::failure)?;
                }
                if self.closed.is_some() && self.inbox.is_empty() && connection.wants_read() {
                    // Tells TLS that nothing more will arrive: it knows whether a close_notify did.
                    let _ = connection.read_tls(&mut [].as_slice());
                }
            }
        }
        Ok(())
    }

    /// Moves the ciphertext that TLS has ready into the outbox.
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

    /// Continues the handshake with this configuration, or fails it.
    pub(super) fn accept(&mut self, accepted: Accepted, config: Option<Arc<ServerConfig>>) {
        let Some(config) = config else {
            self.outbox.text().extend_from_slice(UNRECOGNIZED_NAME);
            self.engine = Engine::Dead(TlsFailureKind::Refused.into());
            return;
        };
        self.requires_ems = config.require_ems;
        self.record_size = record_size(config.max_fragment_size);
        self.engine = match accepted.into_connection(config) {
            Ok(server) => {
                let mut connection = Connection::from(server);
                // Process the octets that arrived with the ClientHello; an error is returned again
                // later.
                let _ = connection.process_new_packets();
                Engine::Running(connection)
            }
            Err((error, mut alert)) => {
                // Writing into a Vec cannot fail.
                let _ = alert.write_all(self.outbox.text());
                Engine::Dead(names::failure(error))
            }
        };
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(super) fn is_established(&self) -> bool {
        matches!(&self.engine, Engine::Running(connection) if !connection.is_handshaking())
    }

    pub(super) fn slices<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.outbox.slices(slices)
    }

    /// Records that `octets` of ciphertext were sent, and returns how many octets of the machine
    /// inside were sent with them.
    pub(super) fn sent(&mut self, octets: usize) -> usize {
        let octets = octets.min(self.outbox.len());
        self.outbox.sent(octets);
        self.taken = self.taken.saturating_add(octets as u64);
        let mut plaintext = 0;
        while let Some(record) = self.records.front_mut() {
            let left = record.end.saturating_sub(self.taken);
            let unsent = record.plaintext.min(usize::try_from(left).unwrap_or(usize::MAX));
            plaintext += record.plaintext - unsent;
            record.plaintext = unsent;
            if left > 0 {
                break;
            }
            self.records.pop_front();
        }
        plaintext
    }

    pub(super) fn release(&mut self) {
        self.inbox.release();
        self.outbox.release();
        if self.records.is_empty() {
            self.records = VecDeque::new();
        }
    }

    /// Forgets which machine the waiting octets belong to: another machine takes over.
    pub(super) fn turn_over(&mut self) {
        self.told = None;
        self.records.clear();
    }

    /// Stops writing: not one octet more is sent.
    pub(super) fn break_off(&mut self) {
        self.is_broken = true;
        self.outbox.clear();
        self.records.clear();
    }

    /// Ends TLS: an alert may still go out, until then.
    pub(super) fn fail(&mut self, inner: &mut impl Upgradable, why: TlsFailure, until: Instant) {
        self.until = until;
        match mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Due | Stage::Handshake => inner.upgrade_failed(why),
            _ => {
                // Plaintext received before is still delivered.
                while matches!(self.deliver(inner), Delivered::Octets) {}
                inner.tls_failed(why);
                self.give_up();
            }
        }
    }

    /// Discards the octets of the machine inside that the peer has not taken: they will not count
    /// as sent. An alert in the middle of a record would not be understood.
    fn give_up(&mut self) {
        if !self.records.is_empty() {
            self.break_off();
        }
    }

    /// Delivers plaintext to the machine inside, as much as it has room for.
    fn deliver(&mut self, inner: &mut impl Machine) -> Delivered {
        let Engine::Running(connection) = &mut self.engine else { return Delivered::Nothing };
        let mut reader = connection.reader();
        match reader.fill_buf() {
            // RFC 8446 section 6.1.
            Ok([]) => Delivered::End(Closed::Clean),
            Ok(octets) => {
                let room = inner.receive_buffer();
                let taken = room.len().min(octets.len());
                if let (Some(room), Some(octets)) = (room.get_mut(..taken), octets.get(..taken)) {
                    room.copy_from_slice(octets);
                }
                inner.received(taken);
                reader.consume(taken);
                if taken == 0 { Delivered::Nothing } else { Delivered::Octets }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Delivered::Nothing,
            // The end of the stream without close_notify.
            Err(_) => Delivered::End(Closed::CutOff),
        }
    }

    /// Encrypts the octets that the machine inside has ready. They are reported to it as sent when
    /// they are, so that its deadlines and reports are those of a session in the clear.
    fn encrypt(&mut self, inner: &impl Machine) {
        let mut slices: [&[u8]; SLICES] = [&[]; SLICES];
        let count = inner.to_send(&mut slices);
        let mut waiting = slices.get_mut(..count).unwrap_or_default();
        let mut left = OUTBOX;
        while left > 0 {
            let mut record = [IoSlice::new(&[]); RECORD_SLICES];
            let octets = cut_record(&mut waiting, self.record_size.min(left), &mut record);
            let Engine::Running(connection) = &mut self.engine else { return };
            if octets == 0 || connection.wants_write() {
                return;
            }
            let plaintext = connection.writer().write_vectored(&record).unwrap_or(0);
            self.take_out();
            if plaintext > 0 {
                let end = self.taken.saturating_add(self.outbox.len() as u64);
                self.records.push_back(Record { end, plaintext });
            }
            if plaintext < octets {
                return;
            }
            left -= plaintext;
        }
    }

    /// Moves plaintext between the machine inside and TLS.
    pub(super) fn exchange(
        &mut self,
        inner: &mut impl Upgradable,
        role: &Role,
        now: Instant,
    ) -> Option<Need> {
        if self.closed == Some(Closed::CutOff) && self.told != Some(Closed::CutOff) {
            // Input that has arrived counts as if it had arrived just before.
            while matches!(self.deliver(inner), Delivered::Octets) {
                if let Err(failure) = self.turn(role) {
                    self.fail(inner, failure, now);
                    return None;
                }
            }
            self.told = Some(Closed::CutOff);
            inner.closed(Closed::CutOff);
        }
        let need = inner.poll(now);
        if let Need::Read(_) | Need::Either(_) = need
            && self.told.is_none()
        {
            match self.deliver(inner) {
                Delivered::Octets => return None,
                Delivered::Nothing => {}
                Delivered::End(how) => {
                    self.told = Some(how);
                    inner.closed(how);
                    return None;
                }
            }
        }
        if let Need::Write(_) | Need::Either(_) = need
            && !self.is_broken
            && self.records.is_empty()
        {
            self.encrypt(inner);
        }
        let is_pending = self.is_pending();
        Some(match need {
            Need::Close => {
                self.give_up();
                self.stage = Stage::Closing;
                self.until = now + FAREWELL;
                if let Engine::Running(connection) = &mut self.engine {
                    connection.send_close_notify();
                }
                return None;
            }
            // The peer's direction has ended: there is no more input for the machine.
            Need::Read(_) | Need::Either(_) if self.told.is_some() && !is_pending => Need::Close,
            Need::Write(_) if !is_pending => Need::Close,
            Need::Either(until) if !is_pending => Need::Read(until),
            // The peer waits for the last octets of the handshake; the application may take its
            // time.
            Need::Answer
                if is_pending && self.records.is_empty() && !self.until.has_passed(now) =>
            {
                Need::Write(self.until)
            }
            need if !is_pending => need,
            Need::Answer => Need::Answer,
            Need::Read(until) | Need::Either(until) if self.told.is_none() => Need::Either(until),
            Need::Read(until) | Need::Either(until) | Need::Write(until) | Need::Wait(until) => {
                Need::Write(until)
            }
        })
    }

    /// Returns the result of the handshake.
    pub(super) fn security(&self, settings: &Settings) -> Security {
        let mut security = Security::TLS;
        let Engine::Running(connection) = &self.engine else { return security };
        let version = connection.protocol_version();
        if let Some(name) = version.and_then(names::version) {
            security = security.with_version(name);
        }
        if let Some(suite) = connection.negotiated_cipher_suite()
            && let Some(name) = names::cipher(suite.suite())
        {
            security = security.with_cipher(&name);
        }
        let name = match (connection, &settings.role) {
            (Connection::Server(server), _) => server.server_name(),
            (Connection::Client(_), Role::Client(_, ServerName::DnsName(name))) => {
                Some(name.as_ref())
            }
            (Connection::Client(_), _) => None,
        };
        if let Some(name) = name {
            security = security.with_server_name(name);
        }
        // RFC 9266 section 4.2: before TLS 1.3 only with the extended master secret. rustls reports
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
            // rustls returns a chain only when the configured verifier accepted it.
            let chain = chain.iter().map(|certificate| certificate.as_ref().to_vec()).collect();
            security = security.with_peer_certificates(chain, settings.is_verifying);
        }
        security
    }
}

/// Returns how many octets of plaintext rustls puts into a record: `max_fragment_size` of its
/// configuration includes the header of five octets; where it is not set, a record holds 2^14
/// octets (RFC 8446 section 5.1).
fn record_size(max_fragment_size: Option<usize>) -> usize {
    max_fragment_size.map_or(1 << 14, |size| size.saturating_sub(5).max(1))
}

/// Moves up to `size` octets of the waiting slices into a record, and returns how many.
fn cut_record<'a>(
    waiting: &mut &mut [&'a [u8]],
    size: usize,
    record: &mut [IoSlice<'a>; RECORD_SLICES],
) -> usize {
    let mut room = size;
    for part in record {
        let Some(slice) = waiting.first_mut() else { break };
        let (head, rest) = slice.split_at_checked(room).unwrap_or((slice, &[]));
        *part = IoSlice::new(head);
        room -= head.len();
        *slice = rest;
        if rest.is_empty() {
            waiting.split_off_first_mut();
        }
    }
    size - room
}

enum Delivered {
    Octets,
    Nothing,
    End(Closed),
}
