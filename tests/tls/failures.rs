//! Why TLS failed is told at both ends, in the handshake and after it.

use super::*;
use esmtp::client::{Event as ClientEvent, Outcome};
use rustls::{
    CipherSuite, SupportedCipherSuite,
    crypto::CryptoProvider,
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use std::error::Error;

/// A client and a server in TLS, and the wire between them.
struct Pair {
    client: Secured<Client>,
    server: Secured<Server>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    outcomes: Vec<Outcome>,
    has_sent: bool,
}

impl Pair {
    fn new(client: ClientConfig, server: ServerConfig) -> Self {
        Self::with_name(client, server, "mx.example.org")
    }

    fn with_name(client: ClientConfig, server: ServerConfig, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let end = client_role(Arc::new(client), name);
        let client = Client::new(client_config(), Security::CLEAR);
        Self {
            client: Secured::implicit(client, end),
            server: Secured::implicit(
                new_server(Security::CLEAR),
                Role::from(ServerTls::from(Arc::new(server))),
            ),
            to_server: Vec::new(),
            to_client: Vec::new(),
            outcomes: Vec::new(),
            has_sent: false,
        }
    }

    fn established() -> Self {
        let mut pair = Self::new(IDENTITY.client.clone(), IDENTITY.server.clone());
        pair.run();
        assert!(pair.client.machine().extensions().contains(Extension::Pipelining));
        pair
    }

    /// Lets both go on until neither can. The client waits when it is ready.
    fn run(&mut self) {
        loop {
            let (client, client_moved) =
                step(&mut self.client, &mut self.to_client, &mut self.to_server);
            match client {
                Need::Answer => self.answer_client(),
                Need::Close if self.to_server.is_empty() => self.server.closed(Closed::Clean),
                _ => {}
            }
            let (server, server_moved) =
                step(&mut self.server, &mut self.to_server, &mut self.to_client);
            match server {
                Need::Answer => match self.server.event().unwrap() {
                    Event::Rcpt(rcpt) => rcpt.accept(),
                    Event::Content(content) => drop(content.take().len()),
                    other => other.proceed(),
                },
                Need::Close if self.to_client.is_empty() => self.client.closed(Closed::Clean),
                _ => {}
            }
            if !client_moved && !server_moved {
                return;
            }
        }
    }

    fn answer_client(&mut self) {
        match self.client.event().unwrap() {
            ClientEvent::Ready(ready) if self.has_sent => ready.wait(),
            ClientEvent::Ready(ready) => {
                self.has_sent = true;
                let envelope = Envelope::new("a@example.net", &["b@example.org"]).unwrap();
                let _ = ready.send(envelope, MessageFacts::UNKNOWN).unwrap();
            }
            ClientEvent::Content(mut content) => {
                let _ = content.write(b"half a message\r\n").unwrap();
                content.wait();
            }
            ClientEvent::Sent(sent) => self.outcomes.extend(sent.take().outcomes().cloned()),
            other => other.quit(),
        }
    }

    fn client_end(&self) -> client::End {
        self.client.machine().end().expect("the client goes on").clone()
    }

    fn server_end(&self) -> ServerEnd {
        self.server.machine().end().expect("the server goes on")
    }

    fn client_failure(&self) -> TlsFailure {
        match self.client_end() {
            client::End::TlsFailed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    fn server_failure(&self) -> TlsFailure {
        match self.server_end() {
            ServerEnd::TlsFailed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }
}

/// Moves octets in either direction until the machine needs something else; and whether it has moved
/// any, or asks.
fn step<M: Machine>(machine: &mut M, from: &mut Vec<u8>, to: &mut Vec<u8>) -> (Need, bool) {
    let mut has_moved = false;
    loop {
        let need = machine.poll(Instant::ORIGIN);
        let reads = matches!(need, Need::Read(_) | Need::Either(_));
        let mut slices = [&[][..]; 8];
        let count = machine.to_send(&mut slices);
        let octets = slices[..count].concat();
        if reads && !from.is_empty() {
            let taken = machine.feed(from);
            from.drain(..taken);
        } else if matches!(need, Need::Write(_) | Need::Either(_)) && !octets.is_empty() {
            machine.sent(octets.len());
            to.extend_from_slice(&octets);
        } else {
            return (need, has_moved || need == Need::Answer);
        }
        has_moved = true;
    }
}

/// Creates an identity whose certificate is from an issuer of this name, and valid in these years.
fn issued(issuer: &str, from: i32, to: i32) -> Identity {
    let mut parameters = rcgen::CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, issuer);
    parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(to, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().der().clone();
    identity_with(certificate, key.serialize_der(), rustls::ALL_VERSIONS)
}

/// The client's verdict is told at its end, and its alert at the server's.
#[test]
fn a_rejected_certificate_is_reported_on_both_sides() {
    let stranger = issued("another", 2001, 3000).client;
    let server = || IDENTITY.server.clone();
    let (expired, early) = (issued("old", 2001, 2002), issued("new", 3001, 3002));
    let rows = [
        (
            Pair::new(stranger, server()),
            TlsFailureKind::UnknownIssuer,
            "the issuer of the certificate is unknown: invalid peer certificate: UnknownIssuer",
            "unknown_ca (48)",
        ),
        (
            Pair::new(expired.client, expired.server),
            TlsFailureKind::Expired,
            "the certificate has expired: invalid peer certificate: certificate expired: ",
            "certificate_expired (45)",
        ),
        (
            Pair::new(early.client, early.server),
            TlsFailureKind::NotYetValid,
            "the certificate is not valid yet: invalid peer certificate: certificate not valid yet: ",
            "certificate_expired (45)",
        ),
        (
            Pair::with_name(IDENTITY.client.clone(), server(), "mx.example.net"),
            TlsFailureKind::WrongName,
            "the certificate is for another name: invalid peer certificate: certificate not valid for \
             name \"mx.example.net\"; certificate is only valid for DnsName(\"mx.example.org\")",
            "bad_certificate (42)",
        ),
    ];
    for (mut pair, kind, words, alert) in rows {
        pair.run();
        assert_eq!(pair.client_failure().kind(), kind);
        let shown = pair.client_end().to_string();
        assert!(shown.starts_with(&format!("TLS failed: {words}")), "{shown}");
        let shown = pair.server_end().to_string();
        assert_eq!(shown, format!("TLS failed: the peer sent the alert {alert}"));
    }
}

/// The error of the library is not only shown: it can be had.
#[test]
fn the_error_of_the_library_is_the_source_of_the_failure() {
    let stranger = issued("another", 2001, 3000).client;
    let mut pair = Pair::new(stranger, IDENTITY.server.clone());
    pair.run();
    let failure = pair.client_failure();
    let source = failure.source().unwrap().downcast_ref::<rustls::Error>();
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    assert_eq!(source, Some(&unknown));
}

fn with_suites(is_chosen: impl Fn(CipherSuite) -> bool) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite: &SupportedCipherSuite| is_chosen(suite.suite()));
    Arc::new(provider)
}

#[test]
fn a_missing_version_or_cipher_suite_is_reported_on_both_sides() {
    for (theirs, ours) in [(&TLS12, &TLS13), (&TLS13, &TLS12)] {
        let mut identity = identity(&[ours]);
        let roots = root_of(&identity);
        identity.client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[theirs])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut pair = Pair::new(identity.client, identity.server);
        pair.run();
        assert_eq!(pair.server_failure().kind(), TlsFailureKind::NoCommonVersion);
        let shown = pair.server_end().to_string();
        assert!(shown.starts_with("TLS failed: no version of TLS in common: "), "{shown}");
        let shown = pair.client_end().to_string();
        assert_eq!(shown, "TLS failed: the peer sent the alert protocol_version (70)");
    }

    let mut identity = identity(&[&TLS13]);
    let roots = root_of(&identity);
    let only = CipherSuite::TLS13_AES_128_GCM_SHA256;
    identity.client = ClientConfig::builder_with_provider(with_suites(|suite| suite == only))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(with_suites(|suite| suite != only))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&identity.server.cert_resolver));
    let mut pair = Pair::new(identity.client, server);
    pair.run();
    assert_eq!(pair.server_failure().kind(), TlsFailureKind::NoCommonParameters);
    let shown = pair.client_end().to_string();
    assert_eq!(shown, "TLS failed: the peer sent the alert handshake_failure (40)");
}

fn root_of(identity: &Identity) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(identity.certificate.clone()).unwrap();
    roots
}

/// In TLS 1.3 the client learns of it when its own handshake is through (RFC 8446 section 4.4.2.4).
#[test]
fn a_client_without_a_certificate_that_the_server_requires_learns_why() {
    for (version, alert) in
        [(&TLS12, "the alert"), (&TLS13, "the alert certificate_required (116)")]
    {
        let mut identity = identity(&[version]);
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::new(root_of(&identity)),
            Arc::clone(&provider),
        );
        identity.server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_cert_resolver(Arc::clone(&identity.server.cert_resolver));
        let mut pair = Pair::new(identity.client, identity.server);
        pair.run();
        assert_eq!(pair.server_failure().kind(), TlsFailureKind::NoCertificate);
        assert!(matches!(pair.client_failure().kind(), TlsFailureKind::Alert(_)));
        let shown = pair.client_end().to_string();
        assert!(shown.starts_with(&format!("TLS failed: the peer sent {alert}")), "{shown}");
    }
}

/// RFC 8446 section 5.2: a record that was changed on its way, and octets in the clear, end the
/// session as failures of TLS, whichever side receives them.
#[test]
fn forged_records_and_clear_text_inside_tls_are_failures_of_tls() {
    let forged = [&[23, 3, 3, 0, 32][..], &[7; 32]].concat();
    for (octets, kind) in [
        (&forged[..], TlsFailureKind::ForgedRecord),
        (b"250 ok\r\n", TlsFailureKind::NotTls),
        (b"NOOP\r\n", TlsFailureKind::NotTls),
        (&[22, 3, 3, 0xFF, 0xFF], TlsFailureKind::Protocol),
    ] {
        let mut pair = Pair::established();
        pair.to_client.extend_from_slice(octets);
        pair.run();
        assert_eq!(pair.client_failure().kind(), kind, "{}", pair.client_end());
        assert!(matches!(pair.outcomes[..], [Outcome::Untried]), "{:?}", pair.outcomes);

        let mut pair = Pair::established();
        pair.to_server.extend_from_slice(octets);
        pair.run();
        assert_eq!(pair.server_failure().kind(), kind, "{}", pair.server_end());
        // The other end hears the alert.
        assert!(matches!(pair.client_failure().kind(), TlsFailureKind::Alert(_)));
    }
}

/// Octets that TLS has delivered before it failed are processed: a reply that was read is not lost.
#[test]
fn replies_before_a_failure_are_processed() {
    let mut pair = Pair::established();
    pair.server.machine_mut().close();
    let _ = step(&mut pair.server, &mut pair.to_server, &mut pair.to_client);
    assert!(!pair.to_client.is_empty());
    pair.to_client.extend_from_slice(&[&[23, 3, 3, 0, 32][..], &[7; 32]].concat());
    pair.run();
    assert!(matches!(pair.client_end(), client::End::Refused(_)), "{}", pair.client_end());
}

/// A connection that is reset after what made TLS fail does not hide it.
#[test]
fn a_failure_before_a_reset_is_told() {
    let (mut host, mut other) = upgraded(usize::MAX);
    other.ask(&mut host, b"EHLO a.example\r\n");
    let tls = other.tls.as_mut().unwrap();
    let mut octets = Vec::new();
    // More than rustls takes in at once.
    for _ in 0..20 {
        tls.writer().write_all(format!("NOOP {}\r\n", "a".repeat(400)).as_bytes()).unwrap();
        tls.write_tls(&mut octets).unwrap();
    }
    octets.extend_from_slice(&[&[23, 3, 3, 0, 32][..], &[7; 32]].concat());
    while !octets.is_empty() {
        let taken = host.machine.feed(&octets);
        assert!(taken > 0, "no room");
        octets.drain(..taken);
    }
    host.close(Closed::CutOff);
    assert_eq!(host.need, Need::Close);
    let Some(ServerEnd::TlsFailed(failure)) = host.end() else { panic!("{:?}", host.end()) };
    assert_eq!(failure.kind(), TlsFailureKind::ForgedRecord);
}

/// A peer that closes after its alert lets the next write fail. The alert is still read.
#[test]
fn an_alert_is_processed_after_a_write_that_failed() {
    let alert = [21, 3, 3, 0, 2, 2, 40];
    for octets in [&alert[..], &[]] {
        let mut pair = Pair::new(IDENTITY.client.clone(), IDENTITY.server.clone());
        assert!(matches!(pair.client.poll(Instant::ORIGIN), Need::Either(_)));
        pair.client.unsendable();
        let second = Instant::ORIGIN + Duration::from_secs(1);
        assert_eq!(pair.client.poll(Instant::ORIGIN), Need::Read(second));
        assert_eq!(pair.client.feed(octets), octets.len());
        assert_eq!(pair.client.poll(second), Need::Close);
        let kind =
            if octets.is_empty() { TlsFailureKind::CutOff } else { TlsFailureKind::Alert(40) };
        assert_eq!(pair.client_failure().kind(), kind);
    }
}

/// An end without close_notify is a lost connection, and not a failure of TLS.
#[test]
fn a_connection_that_is_cut_off_inside_tls_is_a_lost_connection() {
    let mut pair = Pair::established();
    pair.client.closed(Closed::Clean);
    pair.server.closed(Closed::Clean);
    pair.run();
    assert_eq!(pair.client_end(), client::End::PeerClosed(Closed::CutOff));
    assert_eq!(pair.server_end(), ServerEnd::ConnectionLost);
}

/// A configuration with which no connection can be made says so.
#[test]
fn a_configuration_that_allows_no_connection_says_so() {
    let (mut client, mut server) = (IDENTITY.client.clone(), IDENTITY.server.clone());
    client.max_fragment_size = Some(1);
    server.max_fragment_size = Some(1);
    let mut pair = Pair::new(client, server);
    pair.run();
    for failure in [pair.client_failure(), pair.server_failure()] {
        assert_eq!(failure.kind(), TlsFailureKind::Configuration, "{failure}");
        assert!(failure.to_string().contains("max_fragment_size"), "{failure}");
    }
}

/// The application that chooses no configuration, at once or late, and the client hear of it.
#[test]
fn a_handshake_that_the_application_refuses_is_reported_on_both_sides() {
    for is_late in [false, true] {
        let mut pair = Pair::new(IDENTITY.client.clone(), IDENTITY.server.clone());
        let end =
            ServerTls::choosing(move |_| if is_late { Choice::Later } else { Choice::Refuse });
        pair.server = Secured::implicit(new_server(Security::CLEAR), end);
        pair.run();
        if is_late {
            pair.server.choose(None);
            pair.run();
        }
        assert_eq!(pair.server_failure().kind(), TlsFailureKind::Refused);
        let shown = pair.client_end().to_string();
        assert_eq!(shown, "TLS failed: the peer sent the alert unrecognized_name (112)");
    }
}

/// STARTTLS that is agreed where there is no layer, at either end: the words name the remedy.
#[test]
fn starttls_without_a_tls_layer_has_an_error_of_its_own() {
    let mut server = new_server(Security::CLEAR);
    let mut client =
        Client::new(client_config().with_tls(client::TlsPolicy::Required), Security::CLEAR);
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        if step(&mut client, &mut to_client, &mut to_server).0 == Need::Answer {
            client.event().unwrap().quit();
        }
        if step(&mut server, &mut to_server, &mut to_client).0 == Need::Answer {
            server.event().unwrap().proceed();
        }
    }
    assert_eq!(client.end(), Some(&client::End::NoTlsLayer));
    assert_eq!(server.end(), Some(ServerEnd::NoTlsLayer));
    for shown in [client.end().unwrap().to_string(), server.end().unwrap().to_string()] {
        assert!(shown.contains("in no TLS layer"), "{shown}");
        assert!(shown.contains("tls::Secured::start_tls"), "{shown}");
    }
}
