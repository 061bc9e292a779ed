//! A connection of rustls between two buffers of ciphertext.

use super::{
    names,
    role::{ClientRole, Kind, Role},
    server::{Chosen, Hello, One, ServerTls},
};
use crate::{
    machine::{Closed, Machine},
    security::{Security, TlsFailure, TlsFailureKind},
    wire::{ReceiveBuffer, SendBuffer},
};
use ::rustls::{
    ClientConnection, Connection, ProtocolVersion, ServerConnection,
    pki_types::{ServerName, UnixTime},
    server::{Accepted, Acceptor},
};
use alloc::{boxed::Box, sync::Arc};
use std::io::{self, BufRead, ErrorKind, IoSlice, Write};

/// The TLS of one connection.
pub(in crate::tls) struct Engine {
    state: State,
    /// The server's configuration, once it is chosen.
    own: Option<Arc<One>>,
    /// Octets of TLS have arrived from the peer.
    has_input: bool,
    /// The extended master secret is required, so that exported keying material binds the channel
    /// also before TLS 1.3.
    requires_ems: bool,
    /// The greatest number of octets of plaintext in a record.
    record_size: usize,
}

enum State {
    /// The ClientHello is awaited.
    Hello(Acceptor),
    /// A configuration is awaited.
    Chosen(Box<Accepted>),
    Running(Connection),
    /// No connection is possible.
    Dead(TlsFailure),
}

/// Plaintext that was moved to a machine.
pub(in crate::tls) enum Delivered {
    Octets,
    Nothing,
    End(Closed),
}

/// RFC 9266 section 2.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";
/// A fatal alert, unrecognized_name (RFC 6066 section 3), before there is any encryption.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

impl Engine {
    pub(in crate::tls) fn new(role: &Role) -> Self {
        let mut engine = Self {
            state: State::Hello(Acceptor::default()),
            own: None,
            has_input: false,
            requires_ems: false,
            record_size: record_size(None),
        };
        let connection = match &role.0 {
            Kind::Client(client) => {
                engine.requires_ems = client.config.require_ems;
                engine.record_size = record_size(client.config.max_fragment_size);
                ClientConnection::new(Arc::clone(&client.config), client.name.clone())
                    .map(Connection::from)
            }
            Kind::Server(tls) => match tls.one() {
                Some(one) => {
                    engine.own(one);
                    ServerConnection::new(Arc::clone(&one.config)).map(Connection::from)
                }
                None => return engine,
            },
        };
        // The configuration may permit no connection at all: that fails at once.
        engine.state = match connection {
            Ok(connection) => State::Running(connection),
            Err(error) => State::Dead(names::failure(error)),
        };
        engine
    }

    fn own(&mut self, one: &Arc<One>) {
        self.requires_ems = one.config.require_ems;
        self.record_size = record_size(one.config.max_fragment_size);
        self.own = Some(Arc::clone(one));
    }

    /// Takes ciphertext from the inbox until there is plaintext. `is_last` states that the peer sends
    /// nothing after it.
    pub(in crate::tls) fn take_in(
        &mut self,
        role: &Role,
        inbox: &mut ReceiveBuffer,
        outbox: &mut SendBuffer,
        is_last: bool,
    ) -> Result<(), TlsFailure> {
        match (self.has_input, inbox.octets().first()) {
            // The content types that a peer may begin with (RFC 8446 section 5.1).
            (false, Some(20..=22)) => self.has_input = true,
            // Octets in the clear. A peer that sends them would take an alert for a reply.
            (false, Some(_)) => self.state = State::Dead(TlsFailureKind::NotTls.into()),
            _ => {}
        }
        match &mut self.state {
            State::Dead(failure) => return Err(failure.clone()),
            State::Chosen(_) => {}
            State::Hello(acceptor) => {
                if !inbox.is_empty() {
                    let mut octets = inbox.octets();
                    let taken = acceptor.read_tls(&mut octets).map_err(names::other)?;
                    inbox.consume(taken);
                }
                match acceptor.accept() {
                    Ok(None) => {}
                    Ok(Some(accepted)) => self.choose(role, accepted, outbox),
                    Err((error, mut alert)) => {
                        // Writing into a Vec cannot fail.
                        let _ = alert.write_all(outbox.text());
                        self.state = State::Dead(names::failure(error));
                    }
                }
            }
            State::Running(connection) => {
                while connection.wants_read() && !inbox.is_empty() {
                    let mut octets = inbox.octets();
                    let taken = connection.read_tls(&mut octets).map_err(names::other)?;
                    if taken == 0 {
                        break;
                    }
                    inbox.consume(taken);
                    connection.process_new_packets().map_err(names::failure)?;
                }
                if is_last && inbox.is_empty() && connection.wants_read() {
                    // Tells TLS that nothing more will arrive: it knows whether a close_notify did.
                    let _ = connection.read_tls(&mut [].as_slice());
                }
            }
        }
        Ok(())
    }

    /// Chooses the configuration for a ClientHello, or leaves that to the application.
    fn choose(&mut self, role: &Role, accepted: Accepted, outbox: &mut SendBuffer) {
        let chosen = match &role.0 {
            Kind::Server(tls) => tls.choose(&Hello(accepted.client_hello())),
            Kind::Client(_) => Chosen::Refused,
        };
        match chosen {
            Chosen::One(one) => self.accept(accepted, Some(&one), outbox),
            Chosen::Refused => self.accept(accepted, None, outbox),
            Chosen::Later => self.state = State::Chosen(Box::new(accepted)),
        }
    }

    /// Moves the ciphertext that TLS has ready into the outbox, up to a size.
    pub(in crate::tls) fn take_out(&mut self, outbox: &mut SendBuffer, size: usize) {
        let State::Running(connection) = &mut self.state else { return };
        while connection.wants_write() && outbox.len() < size {
            // It cannot fail.
            if !matches!(connection.write_tls(outbox.text()), Ok(1..)) {
                break;
            }
        }
    }

    /// Discards the ciphertext that TLS has ready.
    pub(in crate::tls) fn discard_out(&mut self) {
        let State::Running(connection) = &mut self.state else { return };
        while connection.wants_write() {
            if !matches!(connection.write_tls(&mut io::sink()), Ok(1..)) {
                break;
            }
        }
    }

    /// Gives the decision that was promised for [`Choice::Later`](super::server::Choice::Later), if it is
    /// awaited.
    pub(in crate::tls) fn decide(&mut self, decision: Option<&ServerTls>, outbox: &mut SendBuffer) {
        if !matches!(self.state, State::Chosen(_)) {
            return;
        }
        let refused = State::Dead(TlsFailureKind::Refused.into());
        let State::Chosen(accepted) = core::mem::replace(&mut self.state, refused) else { return };
        match decision.map(|tls| tls.choose(&Hello(accepted.client_hello()))) {
            Some(Chosen::One(one)) => self.accept(*accepted, Some(&one), outbox),
            Some(Chosen::Later) => self.state = State::Chosen(accepted),
            Some(Chosen::Refused) | None => self.accept(*accepted, None, outbox),
        }
    }

    /// Continues the handshake with this configuration, or fails it.
    fn accept(&mut self, accepted: Accepted, one: Option<&Arc<One>>, outbox: &mut SendBuffer) {
        let Some(one) = one else {
            outbox.text().extend_from_slice(UNRECOGNIZED_NAME);
            self.state = State::Dead(TlsFailureKind::Refused.into());
            return;
        };
        self.own(one);
        self.state = match accepted.into_connection(Arc::clone(&one.config)) {
            Ok(server) => {
                let mut connection = Connection::from(server);
                // Process the octets that arrived with the ClientHello; an error is returned again
                // later.
                let _ = connection.process_new_packets();
                State::Running(connection)
            }
            Err((error, mut alert)) => {
                // Writing into a Vec cannot fail.
                let _ = alert.write_all(outbox.text());
                State::Dead(names::failure(error))
            }
        };
    }

    /// Returns the ClientHello while a decision about it is awaited.
    pub(in crate::tls) fn hello(&self) -> Option<Hello<'_>> {
        match &self.state {
            State::Chosen(accepted) => Some(Hello(accepted.client_hello())),
            _ => None,
        }
    }

    pub(in crate::tls) fn is_established(&self) -> bool {
        matches!(&self.state, State::Running(connection) if !connection.is_handshaking())
    }

    /// Returns the greatest number of octets of plaintext in a record.
    pub(in crate::tls) const fn record_size(&self) -> usize {
        self.record_size
    }

    /// Encrypts a record, unless ciphertext waits, and returns how many octets of it.
    pub(in crate::tls) fn encrypt(&mut self, record: &[IoSlice<'_>]) -> usize {
        match &mut self.state {
            State::Running(connection) if !connection.wants_write() => {
                connection.writer().write_vectored(record).unwrap_or(0)
            }
            _ => 0,
        }
    }

    pub(in crate::tls) fn close_notify(&mut self) {
        if let State::Running(connection) = &mut self.state {
            connection.send_close_notify();
        }
    }

    /// Delivers plaintext to the machine inside, as much as it has room for.
    pub(in crate::tls) fn deliver(&mut self, inner: &mut impl Machine) -> Delivered {
        let State::Running(connection) = &mut self.state else { return Delivered::Nothing };
        let mut reader = connection.reader();
        match reader.fill_buf() {
            // RFC 8446 section 6.1.
            Ok([]) => Delivered::End(Closed::Clean),
            Ok(octets) => {
                let taken = inner.feed(octets);
                reader.consume(taken);
                if taken == 0 { Delivered::Nothing } else { Delivered::Octets }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Delivered::Nothing,
            // The end of the stream without close_notify.
            Err(_) => Delivered::End(Closed::CutOff),
        }
    }

    /// Returns the result of the handshake.
    pub(in crate::tls) fn security(&self, role: &Role) -> Security {
        let mut security = Security::TLS;
        let State::Running(connection) = &self.state else { return security };
        let version = connection.protocol_version();
        if let Some(name) = version.and_then(names::version) {
            security = security.with_version(name);
        }
        if let Some(suite) = connection.negotiated_cipher_suite()
            && let Some(name) = names::cipher(suite.suite())
        {
            security = security.with_cipher(&name);
        }
        let name = match (connection, &role.0) {
            (Connection::Server(server), _) => server.server_name(),
            (Connection::Client(_), Kind::Client(client)) => match &client.name {
                ServerName::DnsName(name) => Some(name.as_ref()),
                _ => None,
            },
            (Connection::Client(_), Kind::Server(_)) => None,
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
        if let Some(octets) = self.own.as_ref().and_then(|own| own.end_point.as_ref()) {
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
            let is_verified = match &role.0 {
                Kind::Client(client) => client.has_verified(chain),
                Kind::Server(_) => self.own.as_ref().is_some_and(|own| own.is_verifying),
            };
            let chain = chain.iter().map(|certificate| certificate.as_ref().to_vec()).collect();
            security = security.with_peer_certificates(chain, is_verified);
        }
        security
    }
}

impl ClientRole {
    /// Returns whether the certificate that was accepted is valid.
    fn has_verified(&self, chain: &[::rustls::pki_types::CertificateDer<'_>]) -> bool {
        match (&self.judge, chain.split_first()) {
            (Some(judge), Some((end_entity, issuers))) => {
                let now = UnixTime::now();
                judge.verify_server_cert(end_entity, issuers, &self.name, &[], now).is_ok()
            }
            _ => self.is_verifying,
        }
    }
}

/// Returns how many octets of plaintext rustls puts into a record: `max_fragment_size` of its
/// configuration includes the header of five octets; where it is not set, a record holds 2^14
/// octets (RFC 8446 section 5.1).
fn record_size(max_fragment_size: Option<usize>) -> usize {
    max_fragment_size.map_or(1 << 14, |size| size.saturating_sub(5).max(1))
}
