//! How many round trips things cost, on a link with a delay and no other cost: the table is
//! printed (`cargo test --all-features --test conversations round_trips -- --nocapture`), and each of its lines
//! asserted.
//!
//! The connection is there at the beginning: TCP's own round trip is not counted. The greeting
//! takes half a one.

#[path = "../../examples/support/certificates.rs"]
mod certificates;
#[allow(dead_code)] // the other kinds of trust
#[path = "../../examples/support/trust.rs"]
mod trust;

use esmtp::{
    client::{self, Client, MessageFacts, TlsPolicy},
    envelope::Envelope,
    machine::Machine,
    sasl::{
        Attempt, Credentials, Mechanism, Nonce, Offer, Question,
        scram::{Decoy, Hash, Keys},
    },
    security::Security,
    server::{self, Peer, Server},
    service::Service,
    syntax::{Extension, Extensions},
    testing::Link,
    time::Instant,
    tls::Secured,
};
use std::{sync::Arc, time::Duration};

/// One way.
const DELAY: Duration = Duration::from_millis(100);
const MESSAGE: &[u8] = b"Subject: x\r\n\r\nhello\r\n";

/// The cost of a session.
#[derive(Debug)]
struct Cost {
    /// Until the first transaction could begin.
    opening: f64,
    /// From there until every report had come.
    sending: f64,
}

#[derive(Clone, Copy, Default)]
struct Session<'a> {
    messages: usize,
    recipients: usize,
    extensions: &'a [Extension],
    transactions: usize,
    has_tls: bool,
    auth: Option<Mechanism>,
    service: Service,
}

fn round_trips(time: Duration) -> f64 {
    time.as_secs_f64() / (2.0 * DELAY.as_secs_f64())
}

impl Session<'_> {
    fn cost(self) -> Cost {
        let mut extensions =
            self.extensions.iter().fold(Extensions::NONE, |all, one| all.with(*one));
        let mut receiving = server::Config::new("mx.example.org").unwrap();
        let mut sending = client::Config::new("me.example.org")
            .unwrap()
            .with_service(self.service)
            .with_transactions(self.transactions.max(1));
        if self.has_tls {
            extensions = extensions.with(Extension::StartTls);
            sending = sending.with_tls(TlsPolicy::Required);
        }
        receiving = receiving.with_extensions(extensions).with_service(self.service);
        if let Some(mechanism) = self.auth {
            receiving =
                receiving.with_auth(Offer::new([mechanism]).with_decoy(Decoy::new([3; 32])));
        }
        let client = Client::new(sending, Security::CLEAR);
        let server = Server::new(Arc::new(receiving), Peer::UNKNOWN, Security::CLEAR);
        if self.has_tls {
            let trust = trust::client(trust::Trust::Any).unwrap();
            let own = certificates::server(None, "mx.example.org").unwrap();
            self.play(
                Secured::start_tls(client, trust.for_host("mx.example.org").unwrap()),
                Secured::start_tls(server, own),
            )
        } else {
            self.play(client, server)
        }
    }

    fn play<C, S>(self, mut client: C, mut server: S) -> Cost
    where
        C: for<'m> Machine<Event<'m> = client::Event<'m>> + 'static,
        S: for<'m> Machine<Event<'m> = server::Event<'m>> + 'static,
    {
        let to: Vec<String> = (0..self.recipients).map(|n| format!("{n}@example.net")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let envelope = Arc::new(Envelope::new("ann@example.org", &to).unwrap());
        let mut has_authenticated = self.auth.is_none();
        let (mut begun, mut done) = (0, 0);
        let (mut opened, mut ended) = (None, Instant::ORIGIN);
        Link::new()
            .with_delay(DELAY)
            .run(
                &mut client,
                &mut server,
                |now, event| match event {
                    client::Event::Ready(ready) if !has_authenticated => {
                        has_authenticated = true;
                        let credentials =
                            Credentials::password("ann", "pencil").with_secrets_in_clear();
                        ready.authenticate_as(&credentials, Nonce::new([1; 18])).unwrap();
                    }
                    client::Event::Ready(ready) if begun < self.messages => {
                        opened.get_or_insert(now);
                        begun += 1;
                        ready.send(Arc::clone(&envelope), MessageFacts::scan(MESSAGE)).unwrap();
                    }
                    client::Event::Ready(ready) => {
                        opened.get_or_insert(now);
                        if done < begun { ready.wait() } else { ready.quit() }
                    }
                    client::Event::Content(mut content) => {
                        content.write(MESSAGE).unwrap();
                        content.finish().unwrap();
                    }
                    client::Event::Sent(sent) => {
                        done += 1;
                        ended = now;
                        assert!(sent.take().is_delivered_to_all());
                    }
                    other => panic!("{other:?}"),
                },
                |_, event| match event {
                    server::Event::Auth(auth) => {
                        let channel = Security::TLS.channel();
                        let attempt = Attempt {
                            channel: &channel,
                            proven: None,
                            nonce: Nonce::new([2; 18]),
                            unix_seconds: 0,
                        };
                        let offer = Offer::new([auth.mechanism()]).with_decoy(Decoy::new([3; 32]));
                        let verifier = offer.verifier(auth.mechanism(), attempt).unwrap();
                        auth.verify(verifier);
                    }
                    server::Event::Credentials(credentials) => match credentials.question {
                        Question::Password(question) => question.accept(),
                        Question::Keys(question) => {
                            question.supply(
                                Keys::derive(Hash::Sha256, "pencil", [7; 16], 4096).unwrap(),
                            );
                        }
                        other => other.reject(),
                    },
                    server::Event::Authenticated(authenticated) => authenticated.accept(),
                    server::Event::Rcpt(rcpt) => rcpt.accept(),
                    server::Event::Content(content) => {
                        let _ = content.take();
                    }
                    server::Event::Deliver(delivery) => delivery.accept(),
                    other => other.proceed(),
                },
            )
            .unwrap();
        assert_eq!(done, self.messages);
        let opened = opened.unwrap();
        Cost {
            opening: round_trips(opened.elapsed()),
            sending: round_trips(ended.saturating_since(opened)),
        }
    }
}

fn is(cost: f64, expected: f64) -> bool {
    (cost - expected).abs() < 0.001
}

#[test]
fn round_trips_are_at_their_minimum() {
    use Extension::{Chunking, Pipelining};
    let session = Session { messages: 1, recipients: 1, ..Session::default() };
    let plain = Some(Mechanism::PLAIN);
    let scram = Some(Mechanism::SCRAM_SHA_256);
    println!("{:58} round trips", "opening a session, until the first MAIL may go");
    for (what, session, expected) in [
        ("in the clear", session, 1.5),
        // STARTTLS, the handshake of TLS 1.3, EHLO again.
        ("STARTTLS", Session { has_tls: true, ..session }, 4.5),
        ("STARTTLS, AUTH PLAIN", Session { has_tls: true, auth: plain, ..session }, 5.5),
        // The server's proof is a challenge of its own (RFC 4954 section 4).
        ("STARTTLS, AUTH SCRAM-SHA-256", Session { has_tls: true, auth: scram, ..session }, 7.5),
    ] {
        let Cost { opening, .. } = session.cost();
        println!("{what:58} {opening:6.2}");
        assert!(is(opening, expected), "{what}: {opening}");
    }
    println!("{:58} round trips a message", "sending, when the session is open");
    let both = &[Pipelining, Chunking][..];
    for (what, session, expected) in [
        ("1 recipient, PIPELINING, CHUNKING", Session { extensions: both, ..session }, 1.0),
        ("1 recipient, PIPELINING", Session { extensions: &[Pipelining], ..session }, 2.0),
        ("1 recipient, CHUNKING", Session { extensions: &[Chunking], ..session }, 3.0),
        ("1 recipient, neither", session, 4.0),
        (
            "10 recipients, PIPELINING, CHUNKING",
            Session { recipients: 10, extensions: both, ..session },
            1.0,
        ),
        (
            "10 recipients, PIPELINING",
            Session { recipients: 10, extensions: &[Pipelining], ..session },
            2.0,
        ),
        ("10 recipients, neither", Session { recipients: 10, ..session }, 13.0),
        // How many replies the content will have is known when RCPT has its own.
        (
            "10 recipients, PIPELINING, CHUNKING, LMTP",
            Session { recipients: 10, extensions: both, service: Service::Lmtp, ..session },
            2.0,
        ),
        (
            "1 of 100 messages, PIPELINING, CHUNKING",
            Session { messages: 100, extensions: both, ..session },
            1.0,
        ),
        (
            "1 of 100 messages, PIPELINING, with_transactions(8)",
            Session { messages: 100, extensions: &[Pipelining], transactions: 8, ..session },
            1.01,
        ),
    ] {
        let cost = session.cost().sending / session.messages as f64;
        println!("{what:58} {cost:6.2}");
        assert!(is(cost, expected), "{what}: {cost}");
    }
    // Nothing of a message is under another's envelope, and when the connection is lost as many
    // as are under way may be left unknown.
    for (transactions, most) in [(2, 0.51), (8, 0.14), (32, 0.05), (100, 0.05)] {
        let session = Session { messages: 100, extensions: both, transactions, ..session };
        let cost = session.cost().sending / 100.0;
        let what =
            format!("1 of 100 messages, PIPELINING, CHUNKING, with_transactions({transactions})");
        println!("{what:58} {cost:6.2}");
        assert!(cost <= most, "{what}: {cost}");
    }
}
