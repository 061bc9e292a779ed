//! Which certificates a client and a server accept, and which certificate a server shows.

use crate::{
    both,
    script::{AUTHORITY, Authority, Certificate, LOCALHOST, Step, run, serve_with},
};
use esmtp::{
    client::TlsPolicy,
    io::{
        ConnectError,
        tokio::{Connection, Connector, ServerSession, Socket},
    },
    security::{Security, TlsFailureKind},
    server::{Config, Event},
    tls::{Choice, ClientCertificates, ClientTls, ConfigError, ServerTls},
};
use std::sync::Arc;

/// Returns the failure of TLS for each adapter, with a server that shows this certificate.
#[track_caller]
fn failures(certificate: &Certificate, tls: &ClientTls) -> Vec<TlsFailureKind> {
    let address = serve_with(certificate.config(), &[Step::Tls, Step::C("EHLO")]);
    let address = format!("smtps://localhost:{}", address.port());
    both!(&address, with_tls(tls.clone()))
        .into_iter()
        .map(|outcome| outcome.unwrap_err().tls_failure().unwrap().kind())
        .collect()
}

fn trusting() -> ClientTls {
    ClientTls::new().with_ca_pem(AUTHORITY.pem()).unwrap()
}

#[test]
fn each_reason_not_to_trust_a_certificate_is_told() {
    let good = AUTHORITY.issue("localhost");
    let stranger = ClientTls::new().with_ca_der(Authority::new().der());
    assert_eq!(failures(&good, &stranger), [TlsFailureKind::UnknownIssuer; 2]);

    let other_name = AUTHORITY.issue("mx.example.org");
    assert_eq!(failures(&other_name, &trusting()), [TlsFailureKind::WrongName; 2]);

    let expired = AUTHORITY.issue_with("localhost", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    assert_eq!(failures(&expired, &trusting()), [TlsFailureKind::Expired; 2]);

    let of_tomorrow = AUTHORITY.issue_with("localhost", |params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
    });
    assert_eq!(failures(&of_tomorrow, &trusting()), [TlsFailureKind::NotYetValid; 2]);
}

/// Returns the protection of a session on a stream in memory, as each side knows it.
fn meet(
    client: impl Into<Option<ClientTls>>,
    server: &ServerTls,
    host: &str,
) -> Result<(Security, Security), ConnectError> {
    let (near, far) = tokio::io::duplex(1 << 16);
    let config = Arc::new(Config::new("mx.example.org").unwrap());
    let connector = Connector::new(host);
    let connector = match client.into() {
        Some(tls) => connector.with_tls_policy(TlsPolicy::Required).with_tls(tls),
        None => connector,
    };
    run(async {
        let session = Connection::accept_tls(Socket::boxed(far), config, server).unwrap();
        let serving = tokio::spawn(serve(session));
        let mut session = connector.connect_over(Socket::boxed(near)).await?;
        let ours = session.client().security().clone();
        session.quit().await.unwrap();
        Ok((ours, serving.await.unwrap()))
    })
}

async fn serve(mut session: ServerSession) -> Security {
    let mut seen = Security::CLEAR;
    while let Ok(Some(event)) = session.next().await {
        if let Event::Hello(hello) = &event {
            seen = hello.facts().security().clone();
        }
        event.proceed();
    }
    seen
}

fn server_of(certificate: &Certificate) -> ServerTls {
    ServerTls::from_pem(&certificate.chain, &certificate.key).unwrap()
}

#[test]
fn the_name_to_verify_may_differ_from_the_host() {
    let server = server_of(&AUTHORITY.issue("mx.example.org"));
    assert!(meet(trusting(), &server, "mx.example.org").is_ok());
    let error = meet(trusting(), &server, "tunnel.example.net").unwrap_err();
    assert_eq!(error.tls_failure().unwrap().kind(), TlsFailureKind::WrongName);
    let named = trusting().with_server_name("mx.example.org").unwrap();
    let (ours, theirs) = meet(named, &server, "tunnel.example.net").unwrap();
    assert!(ours.is_verified());
    assert_eq!(theirs.server_name(), Some("mx.example.org"));
    assert!(matches!(ClientTls::new().with_server_name("a b"), Err(ConfigError::Name(_))));
}

/// A self-signed certificate, of a server or marked as an authority, is trusted as itself, under its name.
#[test]
fn a_certificate_of_the_server_itself_is_trusted() {
    let mut pairs =
        vec![rcgen::generate_simple_self_signed(["mx.example.org".to_owned()]).unwrap()];
    let mut params = rcgen::CertificateParams::new(["mx.example.org".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    pairs.push(rcgen::CertifiedKey { cert, signing_key });
    for pair in pairs {
        let server =
            ServerTls::from_pem(pair.cert.pem(), pair.signing_key.serialize_pem()).unwrap();
        let tls = ClientTls::new().with_ca_pem(pair.cert.pem()).unwrap();
        let (ours, _) = meet(tls.clone(), &server, "mx.example.org").unwrap();
        assert!(ours.is_verified());
        let error = meet(tls, &server, "mx.example.net").unwrap_err();
        assert_eq!(error.tls_failure().unwrap().kind(), TlsFailureKind::WrongName);
    }
    let issued = AUTHORITY.issue("mx.example.org");
    let pinned = ClientTls::new().with_ca_pem(&issued.chain).unwrap();
    assert!(meet(pinned.clone(), &server_of(&issued), "mx.example.org").is_ok());
    let another = server_of(&AUTHORITY.issue("mx.example.org"));
    assert!(meet(pinned, &another, "mx.example.org").is_err());
}

/// RFC 7435: any certificate will do, and what is known of it is reported all the same.
#[test]
fn opportunistic_tls_accepts_every_certificate_and_tells_whether_it_is_valid() {
    let server = server_of(&AUTHORITY.issue("mx.example.org"));
    for (tls, host, is_verified) in [
        (None, "mx.example.org", false),
        (Some(trusting().without_verification()), "mx.example.org", true),
        (Some(trusting().without_verification()), "mx.example.net", false),
        (Some(ClientTls::new().without_verification()), "mx.example.org", false),
    ] {
        let (ours, theirs) = meet(tls, &server, host).unwrap();
        assert!(ours.is_tls() && theirs.is_tls());
        assert_eq!(ours.is_verified(), is_verified, "{host}");
        assert_eq!(ours.exporter(), theirs.exporter());
    }
}

/// 5929-4-a: RFC 5929 section 4.1. Both sides derive it from the certificate.
#[test]
fn a_server_from_pem_has_the_channel_binding_of_its_certificate() {
    let certificate = AUTHORITY.issue("mx.example.org");
    let (ours, theirs) = meet(trusting(), &server_of(&certificate), "mx.example.org").unwrap();
    assert_eq!(ours.end_point(), theirs.end_point());
    assert!(ours.end_point().is_some());
}

#[test]
fn a_server_asks_for_the_certificates_of_clients() {
    let clients = Authority::new();
    let own = clients.issue("client.example.org");
    let server = server_of(&AUTHORITY.issue("mx.example.org"));
    let with_certificate = trusting().with_client_certificate(&own.chain, &own.key).unwrap();
    for (certificates, without) in
        [(ClientCertificates::Wanted, true), (ClientCertificates::Required, false)]
    {
        let server = server.clone().with_client_ca_pem(clients.pem(), certificates).unwrap();
        let (_, theirs) = meet(with_certificate.clone(), &server, "mx.example.org").unwrap();
        assert!(theirs.is_verified());
        assert_eq!(theirs.peer_certificates().count(), 1);
        match meet(trusting(), &server, "mx.example.org") {
            Ok((_, theirs)) => {
                assert!(without && !theirs.is_verified());
                assert_eq!(theirs.peer_certificates().count(), 0);
            }
            Err(error) => assert!(!without, "{error}"),
        }
        let stranger = Authority::new().issue("client.example.org");
        let tls = trusting().with_client_certificate(&stranger.chain, &stranger.key).unwrap();
        let outcome = meet(tls, &server, "mx.example.org");
        assert!(outcome.is_err(), "a certificate of an unknown authority");
    }
}

#[test]
fn a_server_chooses_its_certificate_by_the_name_that_the_client_wants() {
    let org = server_of(&AUTHORITY.issue("mx.example.org"));
    let net = server_of(&AUTHORITY.issue("mx.example.net"));
    let by_name = ServerTls::choosing(move |hello| match hello.server_name() {
        Some("mx.example.org") => Choice::Use(org.clone()),
        Some("mx.example.net") => Choice::Use(net.clone()),
        _ => Choice::Refuse,
    });
    for host in ["mx.example.org", "MX.example.net", "mx.example.net."] {
        let (ours, theirs) = meet(trusting(), &by_name, host).unwrap();
        assert!(ours.is_verified(), "{host}");
        assert_eq!(ours.end_point(), theirs.end_point());
    }
    let error = meet(trusting(), &by_name, "mx.example.com").unwrap_err();
    assert!(error.to_string().contains("unrecognized_name"), "{error}");

    // A choice that never ends is a refusal.
    let endless = Arc::new(std::sync::OnceLock::<ServerTls>::new());
    let itself = Arc::clone(&endless);
    let tls =
        ServerTls::choosing(move |_| itself.get().cloned().map_or(Choice::Refuse, Choice::Use));
    endless.set(tls.clone()).unwrap();
    assert!(meet(trusting(), &tls, "mx.example.org").is_err());
}

/// Returns a block of PEM whose octets mean nothing.
fn block(label: &str) -> String {
    format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
}

#[test]
fn mistakes_in_certificates_are_told() {
    let (one, other) = (AUTHORITY.issue("localhost"), AUTHORITY.issue("localhost"));
    let shown = |outcome: Result<ServerTls, ConfigError>| outcome.unwrap_err().to_string();
    for (outcome, words) in [
        (
            ServerTls::from_pem("", &one.key),
            "the certificate of the server: the PEM holds no certificate, but no block at all",
        ),
        (
            ServerTls::from_pem("/etc/ssl/mx.pem", "/etc/ssl/mx.key"),
            "no block at all: it is DER, or the name of a file, whose content is needed",
        ),
        (
            ServerTls::from_pem(&one.key, &one.chain),
            "the certificate of the server: the PEM holds no certificate, but a private key: were certificate and key \
             swapped?",
        ),
        (
            ServerTls::from_pem(&one.chain, &one.chain),
            "the key of the server: the PEM holds no private key, but a certificate: were certificate and key swapped?",
        ),
        (
            ServerTls::from_pem(&one.chain, block("ENCRYPTED PRIVATE KEY")),
            "the key of the server: the PEM holds no private key, but an encrypted one",
        ),
        (
            ServerTls::from_pem(
                &one.chain,
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n\
                 -----END RSA PRIVATE KEY-----\n",
            ),
            "the key of the server: the PEM holds no private key, but an encrypted one",
        ),
        (
            ServerTls::from_pem(&one.chain, block("OPENSSH PRIVATE KEY")),
            "no private key, but a key in the format of OpenSSH",
        ),
        (
            ServerTls::from_pem(block("CERTIFICATE REQUEST"), &one.key),
            "no certificate, but a request for a certificate",
        ),
        (ServerTls::from_pem(block("PUBLIC KEY"), &one.key), "no certificate, but a public key"),
        (ServerTls::from_pem(block("X509 CRL"), &one.key), "no certificate, but other blocks"),
        (
            ServerTls::from_pem(&one.chain, &one.key)
                .unwrap()
                .with_client_ca_pem(&one.key, ClientCertificates::Wanted),
            "the authorities of clients: the PEM holds no certificate, but a private key",
        ),
        (ServerTls::from_pem("-----BEGIN CERTIFICATE-----\n", &one.key), "not PEM"),
        (ServerTls::from_pem(&one.chain, &other.key), "the certificate of the server: "),
        (
            ServerTls::from(Arc::clone(&LOCALHOST))
                .with_client_ca_pem(AUTHORITY.pem(), ClientCertificates::Wanted),
            "set in the configuration of rustls",
        ),
    ] {
        let shown = shown(outcome);
        assert!(shown.contains(words), "{shown}");
    }
    let roots = ClientTls::new().with_ca_pem(&one.key).unwrap_err().to_string();
    let key = ClientTls::new().with_client_certificate(&one.chain, &one.chain).unwrap_err();
    for (shown, words) in [
        (roots, "the certificate authorities: the PEM holds no certificate, but a private key"),
        (key.to_string(), "the key of the client: the PEM holds no private key, but a certificate"),
    ] {
        assert!(shown.starts_with(words), "{shown}");
    }
    let mismatch = ClientTls::new().with_client_certificate(&one.chain, &other.key).unwrap();
    let error = mismatch.with_ca_pem(AUTHORITY.pem()).unwrap().for_host("localhost").unwrap_err();
    assert!(error.to_string().starts_with("the certificate of the client: "), "{error}");
    for text in [format!("{:?}", trusting()), format!("{:?}", server_of(&one))] {
        assert!(!text.contains("PRIVATE") && !text.contains(&one.key), "{text}");
    }
}
