//! Machines in a TLS layer, in memory and with a clock that stands still: the peer is rustls
//! itself, so that every octet on the wire can be cut, held back, changed or forged.

#![cfg(feature = "rustls")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test has std, and says what went wrong by failing"
)]

use esmtp::{
    client::{self, Client, MessageFacts},
    envelope::Envelope,
    machine::{Closed, Machine, Need, Upgradable},
    sasl::BindingType,
    security::{Security, TlsFailure, TlsFailureKind},
    server::{AbortReason, Config, End as ServerEnd, Event, Limits, Peer, Server},
    syntax::Extension,
    time::Instant,
    tls::{Choice, ClientTls, Hello, Role, Secured, ServerTls},
};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use std::{
    io::{ErrorKind, Read, Write},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

/// A certificate for `mx.example.org`, and who trusts it.
struct Identity {
    certificate: CertificateDer<'static>,
    server: ServerConfig,
    client: ClientConfig,
}

fn identity(versions: &[&'static rustls::SupportedProtocolVersion]) -> Identity {
    identity_of("mx.example.org", versions)
}

/// Creates an identity for another name.
fn identity_of(name: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> Identity {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    identity_with(made.cert.der().clone(), made.signing_key.serialize_der(), versions)
}

fn identity_with(
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Identity {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Identity { certificate, server, client }
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| identity(rustls::ALL_VERSIONS));

fn server_end() -> Role {
    Role::from(ServerTls::from(Arc::new(IDENTITY.server.clone())))
}

fn client_role(config: impl Into<ClientTls>, name: ServerName<'static>) -> Role {
    config.into().for_host(&name.to_str()).unwrap()
}

fn name() -> ServerName<'static> {
    ServerName::try_from("mx.example.org").unwrap()
}

fn rustls_client() -> Connection {
    ClientConnection::new(Arc::new(IDENTITY.client.clone()), name()).unwrap().into()
}

fn config() -> Config {
    let extensions = [
        Extension::Pipelining,
        Extension::Chunking,
        Extension::EnhancedStatusCodes,
        Extension::StartTls,
    ];
    Config::new("mx.example.org").unwrap().with_extensions(extensions.into_iter().collect())
}

fn failed(kind: TlsFailureKind) -> ServerEnd {
    ServerEnd::TlsFailed(kind.into())
}

fn new_server(security: Security) -> Server {
    Server::new(Arc::new(config()), Peer::UNKNOWN, security)
}

/// A machine on a channel that was TLS before it began.
struct Always<M>(M);

impl<M: Machine> Machine for Always<M> {
    type Event<'m>
        = M::Event<'m>
    where
        M: 'm;

    fn poll(&mut self, now: Instant) -> Need {
        self.0.poll(now)
    }

    fn event(&mut self) -> Option<M::Event<'_>> {
        self.0.event()
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        self.0.receive_buffer()
    }

    fn received(&mut self, octets: usize) {
        self.0.received(octets);
    }

    fn release(&mut self) {
        self.0.release();
    }

    fn closed(&mut self, how: Closed) {
        self.0.closed(how);
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.0.to_send(slices)
    }

    fn sent(&mut self, octets: usize) {
        self.0.sent(octets);
    }

    fn unsendable(&mut self) {
        self.0.unsendable();
    }
}

impl<M: Machine> Upgradable for Always<M> {
    fn is_upgrading(&self) -> bool {
        false
    }

    fn upgraded(&mut self, _: Security) {}

    fn upgrade_failed(&mut self, _: TlsFailure) {
        self.0.closed(Closed::CutOff);
    }
}

/// A server in a layer, its application, and what the wire has seen.
struct Host<M = Server> {
    machine: Secured<M>,
    now: Instant,
    log: Vec<String>,
    content: Vec<u8>,
    messages: Vec<Vec<u8>>,
    /// Octets for the peer.
    out: Vec<u8>,
    /// The number of octets that are written at a time.
    piece: usize,
    /// The peer takes nothing.
    is_blocked: bool,
    /// The most octets that waited in the layer.
    most: usize,
    need: Need,
}

impl Host {
    fn start_tls() -> Self {
        Self::with(Secured::start_tls(new_server(Security::CLEAR), server_end()))
    }

    fn end(&self) -> Option<ServerEnd> {
        self.machine.machine().end()
    }
}

impl Host<Always<Server>> {
    fn implicit() -> Self {
        Self::with(Secured::implicit(Always(new_server(Security::TLS)), server_end()))
    }
}

impl<M> Host<M>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + Upgradable + 'static,
{
    fn with(machine: Secured<M>) -> Self {
        Self {
            machine,
            now: Instant::ORIGIN,
            log: Vec::new(),
            content: Vec::new(),
            messages: Vec::new(),
            out: Vec::new(),
            piece: usize::MAX,
            is_blocked: false,
            most: 0,
            need: Need::Close,
        }
    }

    fn cut(mut self, piece: usize) -> Self {
        self.piece = piece;
        self
    }

    /// Drives the machine until it needs the peer.
    fn drive(&mut self) -> Need {
        loop {
            self.need = self.machine.poll(self.now);
            match self.need {
                Need::Answer => {
                    let Some(event) = self.machine.event() else { panic!("a question") };
                    match event {
                        Event::Content(content) => self.content.extend_from_slice(content.take()),
                        Event::Deliver(delivery) => {
                            self.messages.push(std::mem::take(&mut self.content));
                            delivery.accept();
                        }
                        Event::Rcpt(rcpt) => rcpt.accept(),
                        Event::Abort(abort) => {
                            self.log.push(format!("abort {:?}", abort.reason()));
                            abort.acknowledge();
                        }
                        Event::Hello(hello) => {
                            let security = hello.facts().security();
                            self.log.push(format!("hello {:?}", security.version()));
                            hello.accept();
                        }
                        other => other.proceed(),
                    }
                }
                Need::Write(until) | Need::Either(until) => {
                    let mut slices = [&[][..]; 4];
                    let count = self.machine.to_send(&mut slices);
                    let octets = slices[..count].concat();
                    assert!(!octets.is_empty(), "nothing to send");
                    assert!(until > self.now, "a deadline that has passed");
                    self.most = self.most.max(octets.len());
                    if self.is_blocked {
                        return self.need;
                    }
                    let sent = octets.len().min(self.piece);
                    self.out.extend_from_slice(&octets[..sent]);
                    self.machine.sent(sent);
                }
                Need::Read(until) => {
                    assert!(until > self.now, "a deadline that has passed");
                    assert!(!self.machine.receive_buffer().is_empty());
                    return self.need;
                }
                Need::Wait(_) | Need::Close => return self.need,
            }
        }
    }

    /// As much as it wants to read of this; the rest stays.
    fn take(&mut self, octets: &mut Vec<u8>) {
        while !octets.is_empty() && matches!(self.drive(), Need::Read(_) | Need::Either(_)) {
            let taken = self.machine.feed(&octets[..octets.len().min(self.piece)]);
            assert!(taken > 0, "no room");
            octets.drain(..taken);
        }
        let _ = self.drive();
    }

    fn close(&mut self, how: Closed) {
        self.machine.closed(how);
        let _ = self.drive();
    }

    fn pass(&mut self, seconds: u64) -> Need {
        self.now = self.now + Duration::from_secs(seconds);
        self.drive()
    }
}

/// The other end, in the clear or in TLS.
struct Other {
    tls: Option<Connection>,
    /// Octets for the host that it has not taken.
    out: Vec<u8>,
    heard: Vec<u8>,
}

impl Other {
    fn clear() -> Self {
        Self { tls: None, out: Vec::new(), heard: Vec::new() }
    }

    fn tls() -> Self {
        Self { tls: Some(rustls_client()), ..Self::clear() }
    }

    fn say(&mut self, octets: &[u8]) {
        match &mut self.tls {
            None => self.out.extend_from_slice(octets),
            Some(tls) => tls.writer().write_all(octets).unwrap(),
        }
    }

    /// Drives both sides until neither has more to send.
    fn talk<M>(&mut self, host: &mut Host<M>)
    where
        M: for<'m> Machine<Event<'m> = Event<'m>> + Upgradable + 'static,
    {
        loop {
            let mut has_moved = false;
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() {
                    tls.write_tls(&mut self.out).unwrap();
                }
            }
            let before = self.out.len();
            host.take(&mut self.out);
            has_moved |= before != self.out.len();
            let said = std::mem::take(&mut host.out);
            has_moved |= !said.is_empty();
            match &mut self.tls {
                None => self.heard.extend_from_slice(&said),
                Some(tls) => {
                    let mut said = &said[..];
                    while !said.is_empty() {
                        tls.read_tls(&mut said).unwrap();
                        tls.process_new_packets().unwrap();
                        drain(tls, &mut self.heard);
                    }
                }
            }
            if !has_moved {
                return;
            }
        }
    }

    fn heard(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.heard)).unwrap()
    }

    /// Says this and gives back the replies.
    fn ask<M>(&mut self, host: &mut Host<M>, octets: &[u8]) -> String
    where
        M: for<'m> Machine<Event<'m> = Event<'m>> + Upgradable + 'static,
    {
        self.say(octets);
        self.talk(host);
        self.heard()
    }
}

fn drain(tls: &mut Connection, into: &mut Vec<u8>) {
    let mut octets = [0; 4096];
    loop {
        match tls.reader().read(&mut octets) {
            Ok(0) => return,
            Ok(read) => into.extend_from_slice(&octets[..read]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return;
            }
        }
    }
}

/// Creates a session that has come to TLS by STARTTLS, before its second EHLO.
fn upgraded(piece: usize) -> (Host, Other) {
    let mut host = Host::start_tls().cut(piece);
    let mut other = Other::clear();
    let hello = other.ask(&mut host, b"EHLO a.example\r\n");
    assert!(hello.starts_with("220 ") && hello.contains("250 STARTTLS\r\n"), "{hello}");
    assert_eq!(other.ask(&mut host, b"STARTTLS\r\n"), "220 2.0.0 Ready to start TLS\r\n");
    other.tls = Some(rustls_client());
    other.talk(&mut host);
    assert_eq!(other.heard(), "");
    (host, other)
}

const ENVELOPE: &[u8] = b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n";

/// 3207-2-a, 3207-4-b: STARTTLS is announced without parameters and answered 220. 3207-4.2-a,
/// 3207-4.2-b: everything learnt before is forgotten, and there is no second greeting. 3207-4.2-e,
/// 3207-4.2-f: under TLS it is neither announced nor accepted.
#[test]
fn after_starttls_the_session_begins_anew() {
    for piece in [usize::MAX, 1, 7] {
        let (mut host, mut other) = upgraded(piece);
        assert!(other.ask(&mut host, ENVELOPE).starts_with("503 "), "EHLO is forgotten");
        let hello = other.ask(&mut host, b"EHLO a.example\r\n");
        assert!(hello.starts_with("250-mx.example.org\r\n"), "{hello}");
        assert!(!hello.contains("STARTTLS"), "{hello}");
        assert!(other.ask(&mut host, b"STARTTLS\r\n").starts_with("503 "));
        assert_eq!(host.log, ["hello None", "hello Some(\"TLSv1.3\")"]);
    }
}

#[test]
fn messages_come_through_tls_however_the_octets_are_cut() {
    for piece in [usize::MAX, 1, 5, 1000] {
        let (mut host, mut other) = upgraded(piece);
        other.ask(&mut host, b"EHLO a.example\r\n");
        let data = [ENVELOPE, b"DATA\r\n"].concat();
        assert!(other.ask(&mut host, &data).ends_with("<CRLF>.<CRLF>\r\n"));
        assert!(other.ask(&mut host, b"Subject: 1\r\n\r\n..\r\n.\r\n").starts_with("250 "));
        let chunks = [ENVELOPE, b"BDAT 5\r\nabc\r\nBDAT 3 LAST\r\nd\r\n"].concat();
        assert_eq!(other.ask(&mut host, &chunks).matches("250 ").count(), 4);
        assert_eq!(host.messages, [&b"Subject: 1\r\n\r\n.\r\n"[..], b"abc\r\nd\r\n"]);

        assert!(other.ask(&mut host, b"QUIT\r\n").starts_with("221 "));
        assert_eq!((host.need, host.end()), (Need::Close, Some(ServerEnd::Quit)));
        let state = other.tls.unwrap().process_new_packets().unwrap();
        assert!(state.peer_has_closed(), "no close_notify");
    }
}

/// 8314-3.3-a, 8314-3.3-b: RFC 8314 section 3.3: the greeting comes after the handshake, and STARTTLS is
/// not announced.
#[test]
fn with_implicit_tls_nothing_is_said_in_the_clear() {
    for piece in [usize::MAX, 1] {
        let mut host = Host::implicit().cut(piece);
        assert!(matches!(host.drive(), Need::Read(_)));
        assert!(host.out.is_empty());
        let mut other = Other::tls();
        other.talk(&mut host);
        assert!(other.heard().starts_with("220 mx.example.org"));
        assert!(!other.ask(&mut host, b"EHLO a.example\r\n").contains("STARTTLS"));
    }
}

#[test]
fn a_server_greets_after_an_implicit_handshake() {
    let mut host = Host::with(Secured::implicit(new_server(Security::CLEAR), server_end()));
    let mut other = Other::tls();
    other.talk(&mut host);
    assert!(other.heard().starts_with("220 mx.example.org"));
}

/// The octets behind a PROXY header are there before anything is polled: they are TLS, not a client
/// that talks too early in the clear.
#[test]
fn octets_before_the_first_poll_of_an_implicit_session_are_tls() {
    let mut hello = Vec::new();
    let octets = rustls_client().write_tls(&mut hello).unwrap();
    for ahead in 0..=octets {
        let mut host = Host::with(Secured::implicit(new_server(Security::CLEAR), server_end()));
        let mut other = Other::tls();
        other.tls.as_mut().unwrap().write_tls(&mut other.out).unwrap();
        let ahead: Vec<_> = other.out.drain(..ahead.min(other.out.len())).collect();
        assert_eq!(host.machine.feed(&ahead), ahead.len());
        other.talk(&mut host);
        assert!(other.heard().starts_with("220 mx.example.org"), "{}", ahead.len());
    }
    for clear in [&b"EHLO a.example\r\n"[..], b"E"] {
        let mut host = Host::with(Secured::implicit(new_server(Security::CLEAR), server_end()));
        assert_eq!(host.machine.feed(clear), clear.len());
        assert_eq!(host.drive(), Need::Close);
        assert_eq!((host.out.len(), host.end()), (0, Some(failed(TlsFailureKind::NotTls))));
    }
}

/// Time runs from the first poll, and an end before it is the end of the handshake.
#[test]
fn what_comes_before_the_first_poll_takes_no_time() {
    let mut host = Host::with(Secured::implicit(new_server(Security::CLEAR), server_end()));
    host.now = Instant::ORIGIN + Duration::from_secs(1000);
    assert_eq!(host.machine.feed(&[22]), 1);
    assert!(matches!(host.drive(), Need::Read(_)));
    assert_eq!(host.pass(60), Need::Close);
    let mut host = Host::with(Secured::implicit(new_server(Security::CLEAR), server_end()));
    host.machine.closed(Closed::Clean);
    assert_eq!(host.drive(), Need::Close);
    assert_eq!(host.end(), Some(failed(TlsFailureKind::CutOff)));
}

/// 3207-4.2-h: octets that come with STARTTLS are never executed.
#[test]
fn octets_after_starttls_in_one_write_end_the_session() {
    for injected in ["RSET\r\n", "MAIL FROM:<x@y.example>\r\n", "\r\n", "x", "\u{16}\u{3}\u{1}"] {
        let mut host = Host::start_tls();
        let mut other = Other::clear();
        other.ask(&mut host, b"EHLO a.example\r\n");
        other.ask(&mut host, format!("STARTTLS\r\n{injected}").as_bytes());
        assert_eq!((host.need, host.end()), (Need::Close, Some(ServerEnd::Injection)));
        assert_eq!(host.log, ["hello None"]);
    }
}

/// 3207-4.2-h: nor are those that come after 220.
#[test]
fn octets_in_the_clear_after_220_fail_the_handshake() {
    for piece in [usize::MAX, 1] {
        let mut host = Host::start_tls().cut(piece);
        let mut other = Other::clear();
        other.ask(&mut host, b"EHLO a.example\r\n");
        other.ask(&mut host, b"STARTTLS\r\n");
        other.say(b"EHLO b.example\r\nMAIL FROM:<x@y.example>\r\n");
        other.talk(&mut host);
        assert_eq!((host.need, host.end()), (Need::Close, Some(failed(TlsFailureKind::NotTls))));
        assert_eq!(host.log, ["hello None"]);
        // No alert either: in the clear it would be taken for a reply.
        assert!(other.heard.is_empty(), "{}", other.heard.escape_ascii());
    }
}

#[test]
fn commands_before_the_handshake_are_not_commands_after_it() {
    // Half a command in the clear, the other half in TLS.
    let mut host = Host::start_tls();
    let mut other = Other::clear();
    other.ask(&mut host, b"EHLO a.example\r\n");
    other.ask(&mut host, b"STARTTLS\r\nNO");
    assert_eq!(host.end(), Some(ServerEnd::Injection));
}

#[test]
fn a_handshake_has_a_deadline_that_octets_do_not_extend() {
    let mut host = Host::start_tls();
    let mut other = Other::clear();
    other.ask(&mut host, b"EHLO a.example\r\n");
    other.ask(&mut host, b"STARTTLS\r\n");
    other.tls = Some(rustls_client());
    let mut hello = Vec::new();
    other.tls.as_mut().unwrap().write_tls(&mut hello).unwrap();
    for (second, octet) in hello.into_iter().take(59).enumerate() {
        host.take(&mut vec![octet]);
        assert!(matches!(host.pass(1), Need::Read(_)), "{second}");
    }
    assert_eq!(host.pass(1), Need::Close);
    assert_eq!(host.end(), Some(failed(TlsFailureKind::TimedOut)));
    assert_eq!(host.log, ["hello None"]);
}

/// A client that does not go on with the handshake is not waited for.
#[test]
fn a_handshake_is_not_waited_for_when_the_server_stops() {
    for stop in [Server::shut_down, Server::close] {
        let mut implicit = Host::with(Secured::implicit(new_server(Security::CLEAR), server_end()));
        let _ = implicit.drive();
        let mut agreed = Host::start_tls();
        let mut other = Other::clear();
        other.ask(&mut agreed, b"EHLO a.example\r\n");
        other.ask(&mut agreed, b"STARTTLS\r\n");
        for mut host in [implicit, agreed] {
            assert!(matches!(host.need, Need::Read(_)), "{:?}", host.need);
            stop(host.machine.machine_mut());
            let _ = host.drive();
            assert_eq!((host.need, host.end()), (Need::Close, Some(ServerEnd::ShutDown)));
        }
    }
}

/// A client that may try again knows that it may.
#[test]
fn a_client_knows_why_the_handshake_failed() {
    let client = || {
        let client = Client::new(client::Config::new("me.example.org").unwrap(), Security::CLEAR);
        let name = ServerName::try_from("mx.example.org").unwrap();
        let end = client_role(Arc::new(IDENTITY.client.clone()), name);
        let mut client = Secured::implicit(client, end);
        assert!(matches!(client.poll(Instant::ORIGIN), Need::Either(_)));
        client.sent(usize::MAX);
        client
    };
    let late = Instant::since_origin(Duration::from_secs(60));
    let mut silent = client();
    let mut gone = client();
    gone.closed(Closed::CutOff);
    let mut other = client();
    other.feed(b"220 mx.example.org\r\n");
    for (client, now, why) in [
        (&mut silent, late, TlsFailureKind::TimedOut),
        (&mut gone, Instant::ORIGIN, TlsFailureKind::CutOff),
        (&mut other, Instant::ORIGIN, TlsFailureKind::NotTls),
    ] {
        while client.poll(now) != Need::Close {
            client.sent(usize::MAX);
        }
        assert_eq!(client.machine().end(), Some(&client::End::TlsFailed(why.into())));
    }
}

#[test]
fn a_connection_that_ends_in_the_handshake_is_no_tls() {
    for how in [Closed::Clean, Closed::CutOff] {
        let mut host = Host::implicit();
        let _ = host.drive();
        host.close(how);
        assert_eq!(host.need, Need::Close);
        assert!(host.log.is_empty());
    }
}

/// 8446-6.1-a: RFC 8446 section 6.1: without close_notify it is unknown whether something was cut off.
#[test]
fn an_end_without_close_notify_is_no_end_of_content() {
    for (command, content) in
        [("DATA", "half a message\r\n"), ("BDAT 100 LAST", "half a chunk\r\n")]
    {
        for has_close_notify in [true, false] {
            let (mut host, mut other) = upgraded(usize::MAX);
            other.ask(&mut host, b"EHLO a.example\r\n");
            other.ask(&mut host, &[ENVELOPE, format!("{command}\r\n").as_bytes()].concat());
            other.ask(&mut host, content.as_bytes());
            assert_eq!(host.content, content.as_bytes());
            if has_close_notify {
                other.tls.as_mut().unwrap().send_close_notify();
                other.talk(&mut host);
            }
            host.close(Closed::Clean);
            assert_eq!((host.need, host.end()), (Need::Close, Some(ServerEnd::ConnectionLost)));
            assert_eq!(host.log[2..], [format!("abort {:?}", AbortReason::ConnectionLost)]);
            assert!(host.messages.is_empty());
        }
    }
}

/// Commands before a close_notify are answered, as before an orderly end in the clear; after a
/// cut nothing is, for it may have been cut short.
#[test]
fn commands_before_close_notify_get_their_replies() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.ask(&mut host, b"EHLO a.example\r\n");
    other.say(b"NOOP\r\nNOOP\r\n");
    other.tls.as_mut().unwrap().send_close_notify();
    other.talk(&mut host);
    assert_eq!(other.heard(), "250 2.0.0 Ok\r\n".repeat(2));
    assert_eq!(host.need, Need::Close);
}

#[test]
fn octets_after_close_notify_are_discarded() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.say(b"EHLO a.example\r\n");
    let tls = other.tls.as_mut().unwrap();
    tls.send_close_notify();
    while tls.wants_write() {
        tls.write_tls(&mut other.out).unwrap();
    }
    other.out.extend_from_slice(b"MAIL FROM:<x@y.example>\r\n");
    other.talk(&mut host);
    assert!(!other.heard().contains("503"));
    assert_eq!(host.need, Need::Close);
    assert_eq!(host.log.len(), 2);
}

#[test]
fn a_record_that_was_changed_is_a_failure_of_tls() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.ask(&mut host, b"EHLO a.example\r\n");
    other.ask(&mut host, &[ENVELOPE, b"DATA\r\n"].concat());
    let tls = other.tls.as_mut().unwrap();
    tls.writer().write_all(b".\r\n").unwrap();
    let mut record = Vec::new();
    tls.write_tls(&mut record).unwrap();
    *record.last_mut().unwrap() ^= 1;
    host.take(&mut record);
    assert_eq!(host.need, Need::Close);
    let Some(ServerEnd::TlsFailed(failure)) = host.end() else { panic!("{:?}", host.end()) };
    assert_eq!(failure.kind(), TlsFailureKind::ForgedRecord);
    assert!(host.messages.is_empty());
    assert!(!host.out.is_empty(), "no alert");
}

#[test]
fn a_peer_that_reads_nothing_is_closed() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.ask(&mut host, b"EHLO a.example\r\n");
    host.is_blocked = true;
    other.say(b"NOOP\r\nNOOP\r\n");
    other.talk(&mut host);
    assert!(matches!(host.need, Need::Either(_)));
    assert!(matches!(host.pass(299), Need::Either(_)));
    assert_eq!(host.pass(1), Need::Close);
    assert_eq!(host.end(), Some(ServerEnd::TimedOut));
}

/// Nor with a question after what it does not take.
#[test]
fn a_question_does_not_wait_longer_than_a_reply_may_take() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.ask(&mut host, b"EHLO a.example\r\n");
    host.is_blocked = true;
    other.ask(&mut host, b"NOOP\r\n");
    other.ask(&mut host, b"MAIL FROM:<a@example.net>\r\n");
    assert!(matches!(host.need, Need::Write(_)), "{:?}", host.need);
    assert_eq!(host.pass(300), Need::Close);
    assert_eq!(host.end(), Some(ServerEnd::TimedOut));
}

#[test]
fn a_flood_of_commands_without_reading_holds_bounded_memory() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.ask(&mut host, b"EHLO a.example\r\n");
    host.is_blocked = true;
    let tls = other.tls.as_mut().unwrap();
    let mut fed = 0;
    for _ in 0..200 {
        let help = b"HELP\r\n".repeat(2000);
        tls.writer().write_all(&help).unwrap();
        while tls.wants_write() {
            tls.write_tls(&mut other.out).unwrap();
        }
        let before = other.out.len();
        host.take(&mut other.out);
        fed += before - other.out.len();
    }
    assert!(host.most < 200 * 1024, "{}", host.most);
    assert!(fed < 200 * 1024, "{fed}");
    assert!(matches!(host.need, Need::Write(_)), "still reads: {:?}", host.need);
}

#[test]
fn a_large_message_passes_through_small_buffers() {
    let limits = Limits::default().with_receive_buffer(16 * 1024);
    let server = Server::new(Arc::new(config().with_limits(limits)), Peer::UNKNOWN, Security::TLS);
    let mut host = Host::with(Secured::implicit(Always(server), server_end()));
    let mut other = Other::tls();
    other.talk(&mut host);
    other.ask(&mut host, b"EHLO a.example\r\n");
    let content =
        b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(80_000);
    other.ask(&mut host, &[ENVELOPE, b"DATA\r\n"].concat());
    for part in content.chunks(60_000) {
        other.say(part);
        other.talk(&mut host);
    }
    assert!(other.ask(&mut host, b".\r\n").starts_with("250 "));
    assert!(host.messages == [content]);
    assert!(host.most < 64 * 1024);
}

#[test]
fn shutting_down_inside_tls_says_so_inside_tls() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.ask(&mut host, b"EHLO a.example\r\n");
    host.machine.machine_mut().shut_down();
    let _ = host.drive();
    other.talk(&mut host);
    assert!(other.heard().starts_with("421 "));
    assert_eq!((host.need, host.end()), (Need::Close, Some(ServerEnd::ShutDown)));
}

#[test]
fn failed_writing_ends_a_server() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.ask(&mut host, b"EHLO a.example\r\n");
    other.ask(&mut host, &[ENVELOPE, b"DATA\r\n"].concat());
    host.machine.unsendable();
    assert_eq!(host.drive(), Need::Close);
    assert_eq!(host.log[2..], ["abort ConnectionLost"]);
}

fn security_of(server: Identity, client: ClientConfig) -> (Security, Connection) {
    let end = Role::from(ServerTls::from(Arc::new(server.server)));
    let mut host = Host::with(Secured::start_tls(new_server(Security::CLEAR), end));
    let mut other = Other::clear();
    other.ask(&mut host, b"EHLO a.example\r\n");
    other.ask(&mut host, b"STARTTLS\r\n");
    other.tls = Some(ClientConnection::new(Arc::new(client), name()).unwrap().into());
    other.talk(&mut host);
    (host.machine.machine().facts().security().clone(), other.tls.unwrap())
}

/// 9266-2-a, 5929-3-a: RFC 9266 section 2: 32 octets under this label with an empty context. RFC 5929
/// section 3: tls-unique is no binding here.
#[test]
fn both_ends_export_the_same_binding() {
    let identity = identity(&[&rustls::version::TLS13]);
    let client = identity.client.clone();
    let (security, tls) = security_of(identity, client);
    assert_eq!(security.version(), Some("TLSv1.3"));
    assert!(
        security
            .cipher()
            .is_some_and(|cipher| cipher.starts_with("TLS_") && cipher.contains("_SHA"))
    );
    assert_eq!(security.server_name(), Some("mx.example.org"));
    assert!(!security.is_verified() && security.peer_certificates().count() == 0);
    let exported =
        tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[])).unwrap();
    assert_eq!(security.exporter(), Some(&exported));
    let channel = security.channel();
    assert_eq!(channel.binding(BindingType::TlsExporter).unwrap().data(), exported);
    assert_eq!(channel.binding(BindingType::TlsUnique), None);
}

/// 5929-3-a: RFC 9266 section 4.2; and tls-unique never is a binding, as it is unknown whether the extended
/// master secret was used where it is not required.
#[test]
fn before_tls_1_3_a_binding_is_exported_only_with_the_extended_master_secret() {
    for requires_ems in [false, true] {
        let mut identity = identity(&[&rustls::version::TLS12]);
        identity.server.require_ems = requires_ems;
        let client = identity.client.clone();
        let (security, _) = security_of(identity, client);
        assert_eq!(security.version(), Some("TLSv1.2"));
        assert_eq!(security.exporter().is_some(), requires_ems);
        assert_eq!(security.channel().binding(BindingType::TlsUnique), None);
    }
}

/// Sends a message through TLS by a client in a layer, to a server that is rustls and a script.
fn send(machine: &mut Secured<Always<Client>>, piece: usize) -> Vec<u8> {
    let mut tls = ServerConnection::new(Arc::new(IDENTITY.server.clone())).unwrap();
    let message = b"Subject: hello\r\n\r\nworld\r\n";
    let mut replies = [
        "220 mx\r\n",
        "250-mx\r\n250 PIPELINING\r\n",
        "250 ok\r\n250 ok\r\n354 go\r\n",
        "250 queued\r\n",
        "221 bye\r\n",
    ]
    .into_iter();
    let (mut heard, mut wire, mut is_sent) = (Vec::new(), Vec::new(), false);
    let mut awaited = 0;
    loop {
        match machine.poll(Instant::ORIGIN) {
            Need::Answer => match machine.event().unwrap() {
                client::Event::Ready(ready) if !is_sent => {
                    is_sent = true;
                    let envelope = Envelope::new("ann@example.org", &["bob@example.net"]).unwrap();
                    ready.send(envelope, MessageFacts::scan(message)).unwrap();
                }
                client::Event::Content(mut content) => {
                    assert_eq!(content.write(message).unwrap(), message.len());
                    content.finish().unwrap();
                }
                client::Event::Sent(sent) => assert!(sent.take().is_delivered_to_all()),
                other => other.quit(),
            },
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 4];
                let count = machine.to_send(&mut slices);
                let octets = slices[..count].concat();
                let sent = octets.len().min(piece);
                let mut rest = &octets[..sent];
                while !rest.is_empty() {
                    tls.read_tls(&mut rest).unwrap();
                    tls.process_new_packets().unwrap();
                }
                machine.sent(sent);
                let mut some = [0; 4096];
                while let Ok(read @ 1..) = tls.reader().read(&mut some) {
                    heard.extend_from_slice(&some[..read]);
                }
            }
            Need::Read(_) => {
                if wire.is_empty() && !tls.wants_write() && !tls.is_handshaking() {
                    assert!(heard.len() > awaited || awaited == 0, "reads without having asked");
                    awaited = heard.len();
                    tls.writer().write_all(replies.next().expect("a reply").as_bytes()).unwrap();
                }
                while tls.wants_write() {
                    tls.write_tls(&mut wire).unwrap();
                }
                let taken = machine.feed(&wire[..wire.len().min(piece)]);
                wire.drain(..taken);
            }
            Need::Wait(_) => panic!("no delay is owed"),
            Need::Close => return heard,
        }
    }
}

/// 8314-3.3-a: RFC 8314 section 3.3.
#[test]
fn a_client_sends_through_implicit_tls() {
    for piece in [usize::MAX, 1] {
        let client = Client::new(client::Config::new("me.example.org").unwrap(), Security::TLS);
        let end = client_role(Arc::new(IDENTITY.client.clone()), name());
        let mut machine = Secured::implicit(Always(client), end);
        let heard = send(&mut machine, piece);
        let heard = String::from_utf8(heard).unwrap();
        assert!(heard.starts_with("EHLO me.example.org\r\nMAIL"), "{heard}");
        assert!(heard.ends_with("world\r\n.\r\nQUIT\r\n"), "{heard}");
    }
}

/// A machine that only remembers what its channel has come to.
#[derive(Default)]
struct Witness {
    security: Option<Security>,
    has_failed: bool,
    is_reading: bool,
    buffer: [u8; 16],
    heard: Vec<u8>,
    ends: Vec<Closed>,
}

impl Machine for Witness {
    type Event<'m> = ();

    fn poll(&mut self, _: Instant) -> Need {
        if self.is_reading { Need::Read(Instant::NEVER) } else { Need::Close }
    }

    fn event(&mut self) -> Option<()> {
        None
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    fn received(&mut self, octets: usize) {
        self.heard.extend_from_slice(&self.buffer[..octets]);
    }

    fn release(&mut self) {}

    fn closed(&mut self, how: Closed) {
        self.ends.push(how);
    }

    fn to_send<'a>(&'a self, _: &mut [&'a [u8]]) -> usize {
        0
    }

    fn sent(&mut self, _: usize) {}

    fn unsendable(&mut self) {}
}

impl Upgradable for Witness {
    fn is_upgrading(&self) -> bool {
        false
    }

    fn upgraded(&mut self, security: Security) {
        self.security = Some(security);
    }

    fn upgrade_failed(&mut self, _: TlsFailure) {
        self.has_failed = true;
    }
}

/// Lets two layers shake hands.
fn meet(client: &mut Secured<Witness>, server: &mut Secured<Witness>) {
    fn step(from: &mut Secured<Witness>, to: &mut Secured<Witness>) -> bool {
        let _ = from.poll(Instant::ORIGIN);
        let mut slices = [&[][..]; 4];
        let count = from.to_send(&mut slices);
        let octets = slices[..count].concat();
        from.sent(octets.len());
        let _ = to.poll(Instant::ORIGIN);
        to.feed(&octets);
        !octets.is_empty()
    }
    while step(client, server) | step(server, client) {}
}

/// 8446-6.1-a: RFC 8446 section 6.1: only close_notify is an end, and what came before either is heard.
#[test]
fn the_end_of_tls_counts_and_not_the_end_of_the_stream() {
    for (has_close_notify, how, expected) in [
        (true, Closed::Clean, &[Closed::Clean][..]),
        (false, Closed::Clean, &[Closed::CutOff]),
        (false, Closed::CutOff, &[Closed::CutOff]),
        (true, Closed::CutOff, &[Closed::CutOff]),
    ] {
        let mut server =
            Secured::implicit(Witness { is_reading: true, ..Witness::default() }, server_end());
        let mut tls = rustls_client();
        let mut wire = Vec::new();
        while tls.is_handshaking() {
            while tls.wants_write() {
                tls.write_tls(&mut wire).unwrap();
            }
            let _ = server.poll(Instant::ORIGIN);
            let taken = server.feed(&wire);
            wire.drain(..taken);
            let _ = server.poll(Instant::ORIGIN);
            let mut slices = [&[][..]; 4];
            let count = server.to_send(&mut slices);
            let octets = slices[..count].concat();
            server.sent(octets.len());
            let mut rest = &octets[..];
            while !rest.is_empty() {
                tls.read_tls(&mut rest).unwrap();
                tls.process_new_packets().unwrap();
            }
        }
        tls.writer().write_all(b"more octets than the machine has room for").unwrap();
        if has_close_notify {
            tls.send_close_notify();
        }
        while tls.wants_write() {
            tls.write_tls(&mut wire).unwrap();
        }
        assert_eq!(server.feed(&wire), wire.len());
        server.closed(how);
        let _ = server.poll(Instant::ORIGIN);
        assert_eq!(server.machine().heard, b"more octets than the machine has room for");
        assert_eq!(server.machine().ends, expected, "{has_close_notify} {how:?}");
    }
}

/// 5929-4-a: RFC 5929 section 4.1.
#[test]
fn a_client_knows_the_certificate_and_whether_it_was_verified() {
    for is_verifying in [true, false] {
        let tls = ClientTls::from(IDENTITY.client.clone());
        let tls = if is_verifying { tls } else { tls.without_verification() };
        let end = tls.for_host("mx.example.org").unwrap();
        let mut client = Secured::implicit(Witness::default(), end);
        let own =
            ServerTls::from(IDENTITY.server.clone()).with_end_point(b"of our certificate".to_vec());
        let mut server = Secured::implicit(Witness::default(), own);
        meet(&mut client, &mut server);
        let ours = client.machine().security.as_ref().unwrap();
        let theirs = server.machine().security.as_ref().unwrap();
        assert_eq!(ours.is_verified(), is_verifying);
        assert!(ours.peer_certificates().eq([&IDENTITY.certificate[..]]));
        assert_eq!(ours.exporter(), theirs.exporter());
        assert_eq!(theirs.end_point(), Some(&b"of our certificate"[..]));
        #[cfg(feature = "scram")]
        {
            let end_point = esmtp::security::end_point(&IDENTITY.certificate).unwrap();
            assert_eq!((ours.end_point(), end_point.len()), (Some(&end_point[..]), 32));
        }
    }
}

/// The machine that takes a channel over learns of what has become of the peer meanwhile.
#[test]
fn a_machine_that_takes_over_hears_that_the_peer_has_gone() {
    let reading = || Witness { is_reading: true, ..Witness::default() };
    let end = client_role(Arc::new(IDENTITY.client.clone()), name());
    let mut client = Secured::implicit(reading(), end);
    let mut server = Secured::implicit(reading(), server_end());
    meet(&mut client, &mut server);
    client.closed(Closed::CutOff);
    let _ = client.poll(Instant::ORIGIN);
    assert_eq!(client.machine().ends, [Closed::CutOff]);
    let mut client = client.map(|_| reading());
    let _ = client.poll(Instant::ORIGIN);
    assert_eq!(client.machine().ends, [Closed::CutOff]);
}

#[test]
fn a_client_that_does_not_trust_the_certificate_reports_it_and_ends() {
    let stranger = identity(rustls::ALL_VERSIONS);
    let end = client_role(Arc::new(stranger.client), name());
    let mut client = Secured::implicit(Witness::default(), end);
    let mut server = Secured::implicit(Witness::default(), server_end());
    meet(&mut client, &mut server);
    assert!(client.machine().has_failed && client.machine().security.is_none());
    assert!(server.machine().has_failed && server.machine().security.is_none());
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    assert_eq!(server.poll(Instant::ORIGIN), Need::Close);
}

/// Returns whether a client that wants to meet `wanted` is content with a certificate for `certified`.
fn is_met(certified: &str, wanted: &str) -> bool {
    let identity = identity_of(certified, rustls::ALL_VERSIONS);
    let name = ServerName::try_from(wanted.to_owned()).unwrap();
    let end = client_role(Arc::new(identity.client), name);
    let mut client = Secured::implicit(Witness::default(), end);
    let end = Role::from(ServerTls::from(Arc::new(identity.server)));
    let mut server = Secured::implicit(Witness::default(), end);
    meet(&mut client, &mut server);
    assert_ne!(client.machine().security.is_some(), client.machine().has_failed);
    client.machine().security.as_ref().is_some_and(Security::is_verified)
}

/// 7817-3-a: RFC 7817 section 3. The certificate must be for the name that the application gave.
#[test]
fn a_certificate_is_for_the_name_that_was_asked_for() {
    assert!(is_met("mx.example.org", "mx.example.org"));
    assert!(is_met("mx.example.org", "MX.example.org"));
    for other in
        ["mx.example.net", "example.org", "a.mx.example.org", "mx.example.org.evil.example"]
    {
        assert!(!is_met("mx.example.org", other), "{other}");
    }
}

/// 7817-3-b: RFC 7817 section 3, RFC 6125 section 6.4.3. A wildcard is all of the left-most label.
#[test]
fn a_wildcard_stands_for_one_whole_label() {
    assert!(is_met("*.example.org", "mx.example.org"));
    for (certified, wanted) in [
        ("*.example.org", "example.org"),
        ("*.example.org", "a.mx.example.org"),
        ("m*.example.org", "mx.example.org"),
        ("*x.example.org", "mx.example.org"),
        ("mx.*.org", "mx.example.org"),
    ] {
        assert!(!is_met(certified, wanted), "{certified} {wanted}");
    }
}

/// 8314-4.1-a: RFC 8314 section 4.1. A client that has nothing later than TLS 1.1 is not served.
#[test]
fn there_is_no_tls_before_1_2() {
    for version in [0, 1, 2] {
        // ClientHello: version, random, no session, two cipher suites of that time, no compression.
        let mut hello = vec![3, version];
        hello.extend([7; 32]);
        hello.extend([0, 0, 4, 0x00, 0x2F, 0xC0, 0x13, 1, 0]);
        let length = u8::try_from(hello.len()).unwrap();
        let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
        record.extend(hello);
        let mut host = Host::implicit();
        host.take(&mut record);
        assert_eq!(host.need, Need::Close, "TLS 1.{version}");
        // An alert in place of a ServerHello, and no word of SMTP.
        assert_eq!(host.out.first(), Some(&21), "{}", host.out.escape_ascii());
        assert!(host.log.is_empty());
    }
}

/// 8446-4.2.10-a: RFC 8446 section 4.2.10. What could be replayed is not heard, even where rustls was told
/// to take it, and the layer says nothing early either.
#[test]
fn early_data_is_not_processed() {
    let mut identity = identity(&[&rustls::version::TLS13]);
    identity.server.max_early_data_size = 16 * 1024;
    identity.client.enable_early_data = true;
    let (server, client) = (Arc::new(identity.server), Arc::new(identity.client));
    let mut is_accepted = false;
    for is_resumed in [false, true] {
        let always = Always(new_server(Security::TLS));
        let mut host =
            Host::with(Secured::implicit(always, Role::from(ServerTls::from(Arc::clone(&server)))));
        let mut tls = ClientConnection::new(Arc::clone(&client), name()).unwrap();
        if let Some(mut early) = tls.early_data() {
            early.write_all(b"EHLO early.example\r\nMAIL FROM:<x@y.example>\r\n").unwrap();
            assert!(is_resumed);
        }
        let mut other = Other { tls: Some(tls.into()), ..Other::clear() };
        other.talk(&mut host);
        let heard = other.heard();
        assert!(heard.starts_with("220 ") && heard.matches("\r\n").count() == 1, "{heard}");
        assert!(host.log.is_empty(), "{:?}", host.log);
        let hello = other.ask(&mut host, b"EHLO late.example\r\n");
        assert!(hello.starts_with("250-"), "{hello}");
        if let Some(Connection::Client(tls)) = &other.tls {
            is_accepted = tls.is_early_data_accepted();
        }
    }
    assert!(is_accepted, "no early data was under way");

    // The layer as a client, with a ticket that would allow it.
    let end = || client_role(Arc::clone(&client), name());
    let mut machine = Secured::implicit(Always(Client::new(client_config(), Security::TLS)), end());
    let _ = machine.poll(Instant::ORIGIN);
    let mut slices = [&[][..]; 4];
    let count = machine.to_send(&mut slices);
    let hello = slices[..count].concat();
    let length = 5 + usize::from(u16::from_be_bytes([hello[3], hello[4]]));
    // A ClientHello and, for old middleboxes, a ChangeCipherSpec: no record with data in it.
    assert_eq!((hello[0], &hello[length..]), (22, &[20, 3, 3, 0, 1, 1][..]));
}

fn client_config() -> client::Config {
    client::Config::new("me.example.org").unwrap()
}

#[test]
fn a_configuration_is_chosen_by_the_name_that_the_client_asks_for() {
    for (answer, is_late) in [(true, false), (false, false), (true, true), (false, true)] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let config = answer.then(|| ServerTls::from(IDENTITY.server.clone()));
        let now = config.clone();
        let choose = move |hello: &Hello<'_>| {
            seen.lock().unwrap().push(hello.server_name().map(str::to_owned));
            match &now {
                _ if is_late => Choice::Later,
                Some(config) => Choice::Use(config.clone()),
                None => Choice::Refuse,
            }
        };
        let end = client_role(Arc::new(IDENTITY.client.clone()), name());
        let mut client = Secured::implicit(Witness::default(), end);
        let mut server = Secured::implicit(Witness::default(), ServerTls::choosing(choose));
        meet(&mut client, &mut server);
        if is_late {
            assert!(server.machine().security.is_none() && !server.machine().has_failed);
            assert!(matches!(server.poll(Instant::ORIGIN), Need::Wait(_)));
            assert_eq!(server.hello().unwrap().server_name(), Some("mx.example.org"));
            server.choose(config.as_ref());
            meet(&mut client, &mut server);
        }
        assert!(server.hello().is_none());
        assert_eq!(*asked.lock().unwrap(), [Some("mx.example.org".to_owned())]);
        for machine in [client.machine(), server.machine()] {
            assert_eq!(machine.security.is_some(), answer);
            assert_eq!(machine.has_failed, !answer);
        }
    }
}

#[test]
fn a_choice_that_never_comes_has_the_deadline_of_the_handshake() {
    let mut host = Host::with(Secured::implicit(
        Always(new_server(Security::TLS)),
        ServerTls::choosing(|_| Choice::Later),
    ));
    Other::tls().talk(&mut host);
    assert_eq!(host.need, Need::Wait(Instant::ORIGIN + Duration::from_secs(60)));
    assert_eq!(host.pass(60), Need::Close);
}

#[path = "tls/deadlines.rs"]
mod deadlines;
#[path = "tls/failures.rs"]
mod failures;

#[test]
fn a_layer_reads_ciphertext_into_lent_memory() {
    let mut server = Secured::implicit(new_server(Security::CLEAR), server_end());
    let memory = bytes::BytesMut::zeroed(16 * 1024);
    let lent = memory.as_ptr();
    assert!(server.lend_buffer(memory).is_none());
    assert_eq!(server.receive_buffer().as_ptr(), lent);
    // The second is for the plaintext, and there is no third.
    let memory = bytes::BytesMut::zeroed(8192);
    let inside = memory.as_ptr();
    assert!(server.lend_buffer(memory).is_none());
    assert_eq!(server.lend_buffer(bytes::BytesMut::zeroed(8192)).unwrap().len(), 8192);
    assert_eq!(server.receive_buffer().as_ptr(), lent);
    assert_eq!(server.reclaim_buffer().unwrap().as_ptr(), lent);
    assert_eq!(server.reclaim_buffer().unwrap().as_ptr(), inside);
    assert!(server.reclaim_buffer().is_none());

    let mut server = Secured::start_tls(new_server(Security::CLEAR), server_end());
    let memory = bytes::BytesMut::zeroed(8192);
    let lent = memory.as_ptr();
    assert!(server.lend_buffer(memory).is_none());
    assert_eq!(server.receive_buffer().as_ptr(), lent, "that of the machine inside");
    assert_eq!(server.reclaim_buffer().unwrap().as_ptr(), lent);
}
