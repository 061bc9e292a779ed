//! ATRN on real sockets, in the clear and in TLS: both machines hand the channel over, and two others go on
//! with the roles turned (RFC 2645 section 5.3).

#![cfg(all(feature = "std", feature = "rustls"))]
#![allow(clippy::unwrap_used, clippy::panic)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[path = "../examples/support/certificates.rs"]
mod certificates;
#[allow(dead_code)] // the other kinds of trust
#[path = "../examples/support/trust.rs"]
mod trust;

use esmtp::{
    client::{self, Client},
    envelope::Envelope,
    io::blocking::Connection,
    machine::Machine,
    sasl::{Credentials, Mechanism, Nonce, Offer, PlainVerifier, Question},
    security::Security,
    server::{self, Peer, Server},
    syntax::{Extension, Extensions},
    tls::{Role, Secured},
};
use std::{
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

const MAIL: &[u8] = b"Subject: it waited\r\n\r\n.\r\n";

/// Returns a machine that is inside TLS from the first octet, or never.
fn dress<M: esmtp::machine::Upgradable>(machine: M, role: Role, has_tls: bool) -> Secured<M> {
    match has_tls {
        true => Secured::implicit(machine, role),
        false => Secured::start_tls(machine, role),
    }
}

/// Acts as the customer, which is connected now and then, and wants its mail.
fn customer(stream: TcpStream, has_tls: bool) -> (Vec<String>, Vec<u8>) {
    let trust = trust::client(trust::Trust::Any).unwrap();
    let end = trust.for_host("odmr.example.net").unwrap();
    let client = Client::new(client::Config::new("me.example.org").unwrap(), Security::CLEAR);
    let mut session = Connection::new(dress(client, end, has_tls), stream);
    loop {
        match session.next().unwrap().unwrap() {
            client::Event::Ready(ready) if ready.authenticated().is_none() => {
                let credentials = Credentials::password("ann", "secret").with_secrets_in_clear();
                ready.authenticate_as(&credentials, Nonce::new([1; 18])).unwrap();
            }
            client::Event::Ready(ready) => ready.atrn(None).unwrap(),
            client::Event::HandOver(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let (machine, stream) = session.into_parts();
    let machine = machine.map(|client| {
        let config = server::Config::new("me.example.org").unwrap();
        let mut server = Server::new(Arc::new(config), Peer::UNKNOWN, client.security().clone());
        let received = client.into_received();
        assert_eq!(server.feed(&received), received.len());
        server
    });
    let mut session = Connection::new(machine, stream);
    let (mut log, mut message) = (Vec::new(), Vec::new());
    while let Some(event) = session.next().unwrap() {
        match event {
            server::Event::Hello(hello) => {
                let facts = hello.facts();
                assert!(facts.identity().is_none() && facts.security().is_tls() == has_tls);
                log.push(format!("hello {}", hello.name()));
                hello.accept();
            }
            server::Event::Rcpt(rcpt) => {
                log.push(rcpt.forward_path().to_string());
                rcpt.accept();
            }
            server::Event::Content(content) => message.extend_from_slice(content.take()),
            server::Event::Deliver(delivery) => delivery.accept(),
            other => other.proceed(),
        }
    }
    assert_eq!(session.machine().machine().end(), Some(server::End::Quit));
    (log, message)
}

/// Keeps the mail of who has no connection to the world most of the time.
fn provider(stream: TcpStream, has_tls: bool) {
    let end = certificates::server(None, "odmr.example.net").unwrap().into();
    let config = server::Config::new("odmr.example.net")
        .unwrap()
        .with_extensions(Extensions::NONE.with(Extension::Atrn).with(Extension::Pipelining))
        .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
    let server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    let mut session = Connection::new(dress(server, end, has_tls), stream);
    loop {
        match session.next().unwrap().unwrap() {
            server::Event::Auth(auth) => auth.verify(Box::new(PlainVerifier::new())),
            server::Event::Credentials(credentials) => match credentials.question {
                Question::Password(question) => question.accept(),
                other => other.reject(),
            },
            server::Event::Authenticated(authenticated) => authenticated.accept(),
            server::Event::Atrn(atrn) => {
                assert_eq!(atrn.facts().identity().unwrap().authcid(), "ann");
                atrn.accept();
            }
            server::Event::HandOver(_) => break,
            other => other.proceed(),
        }
    }
    let (machine, stream) = session.into_parts();
    let machine = machine.map(|server| {
        let config = client::Config::new("odmr.example.net").unwrap();
        let mut client = Client::new(config, server.facts().security().clone());
        let received = server.into_received();
        assert_eq!(client.feed(&received), received.len());
        client
    });
    let mut session = Connection::new(machine, stream);
    let envelope = Envelope::new("eve@example.com", &["ann@example.org"]).unwrap();
    assert!(session.send(envelope, MAIL).unwrap().is_delivered_to_all());
    session.quit().unwrap();
}

/// 2645-5.2-e, 2645-5.2-f: RFC 2645 section 5.3.
#[test]
fn the_roles_are_turned() {
    for has_tls in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let provides = thread::spawn(move || provider(listener.accept().unwrap().0, has_tls));
        let (log, message) = customer(TcpStream::connect(address).unwrap(), has_tls);
        provides.join().unwrap();
        assert_eq!(log, ["hello odmr.example.net", "<ann@example.org>"], "TLS: {has_tls}");
        assert_eq!(message, MAIL, "TLS: {has_tls}");
    }
}
