//! The client against the server, in memory: whatever they offer each other, however their
//! octets are cut and wherever the connection is lost, both ends tell the same story.

use esmtp::{
    client::{self, Client, MessageFacts, Outcome, Report},
    envelope::Envelope,
    sasl::{Credentials, Mechanism, Nonce, Offer, PlainVerifier, Question},
    security::Security,
    server::{self, Peer, Server},
    service::Service,
    syntax::{
        AttributeName, AttributeValue, Code, Extension, Extensions, Rejection, Uri,
        XclientAttributes, XforwardAttributes,
    },
    testing::Link,
    transcript::Side,
    wire::{BareLineBreaks, LineEnds},
};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// A message and its recipients.
#[derive(Clone, Debug)]
struct Mail {
    to: Vec<&'static str>,
    content: Vec<u8>,
    /// Whether it was looked at before.
    is_known: bool,
    /// Gives up where the content ends.
    aborts: bool,
}

#[derive(Clone, Debug)]
struct Case {
    service: Service,
    extensions: Vec<Extension>,
    unused: Vec<Extension>,
    policy: BareLineBreaks,
    line_ends: LineEnds,
    transactions: usize,
    in_flight: usize,
    ahead: usize,
    receive_buffer: usize,
    mails: Vec<Mail>,
    link: Link,
}

/// `a` to `c` are accepted; the fourth is rejected; for `full` nothing can be stored.
const MAILBOXES: [&str; 5] =
    ["a@example.net", "b@example.net", "c@example.net", "nobody@example.net", "full@example.net"];

const EXTENSIONS: [Extension; 8] = [
    Extension::Pipelining,
    Extension::Chunking,
    Extension::EightBitMime,
    Extension::BinaryMime,
    Extension::SmtpUtf8,
    Extension::Size,
    Extension::EnhancedStatusCodes,
    Extension::Dsn,
];

fn mail() -> impl Strategy<Value = Mail> {
    let piece = prop_oneof![
        6 => Just(&b"\r\n"[..]),
        4 => Just(&b"."[..]),
        4 => Just(&b"ab"[..]),
        2 => Just(&b"\n"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"\xc3\xa9"[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&[b'x'; 700][..]),
    ];
    let content = vec(piece, 0..16).prop_map(|pieces| pieces.concat());
    let to = vec(proptest::sample::select(&MAILBOXES[..]), 1..5);
    (to, content, prop::bool::weighted(0.8), prop::bool::weighted(0.1))
        .prop_map(|(to, content, is_known, aborts)| Mail { to, content, is_known, aborts })
}

fn case() -> impl Strategy<Value = Case> {
    let service = prop_oneof![Just(Service::Smtp), Just(Service::Submission), Just(Service::Lmtp)];
    let policy = prop_oneof![
        Just(BareLineBreaks::Reject),
        Just(BareLineBreaks::Normalise),
        Just(BareLineBreaks::Keep)
    ];
    let line_ends = prop_oneof![Just(LineEnds::Strict), Just(LineEnds::FromLf)];
    let settings = (
        1..5_usize,
        prop_oneof![Just(128_usize), 1..12_usize],
        prop_oneof![Just(65_536_usize), 1..60_usize],
        prop_oneof![Just(65_536_usize), Just(4_096_usize)],
    );
    let faults = (
        prop_oneof![Just(Vec::new()), vec(1..40_usize, 1..8)],
        prop_oneof![3 => Just(None), 1 => option::of(0..900_usize)],
        prop_oneof![3 => Just(None), 1 => option::of(0..1_200_usize)],
    );
    (
        (service, policy, line_ends),
        subsequence(EXTENSIONS.to_vec(), 0..=EXTENSIONS.len()),
        subsequence(vec![Extension::Pipelining, Extension::Chunking], 0..=1),
        settings,
        vec(mail(), 1..6),
        faults,
    )
        .prop_map(
            |((service, policy, line_ends), extensions, unused, settings, mails, faults)| {
                let (transactions, in_flight, ahead, receive_buffer) = settings;
                let (pieces, server_loss, client_loss) = faults;
                let delay = Duration::from_millis(50);
                let mut link = Link::new().with_delay(delay).with_pieces(pieces);
                for (side, octets) in [(Side::Server, server_loss), (Side::Client, client_loss)] {
                    if let Some(octets) = octets {
                        link = link.with_loss(side, octets);
                    }
                }
                Case {
                    service,
                    extensions,
                    unused,
                    policy,
                    line_ends,
                    transactions,
                    in_flight,
                    ahead,
                    receive_buffer,
                    mails,
                    link,
                }
            },
        )
}

/// A message that the receiving side has taken responsibility for.
#[derive(Clone, Debug, PartialEq)]
struct Stored {
    to: Vec<String>,
    content: Vec<u8>,
}

#[derive(Debug, Default)]
struct Receiver {
    content: Vec<u8>,
    stored: Vec<Stored>,
    begun: usize,
    finished: usize,
}

impl Receiver {
    fn answer(&mut self, event: server::Event<'_>) {
        match event {
            server::Event::Mail(mail) => {
                self.begun += 1;
                mail.accept();
            }
            server::Event::Rcpt(rcpt) => {
                if rcpt.forward_path().to_string().contains("nobody") {
                    rcpt.reject(Rejection::NO_SUCH_MAILBOX);
                } else {
                    rcpt.accept();
                }
            }
            server::Event::Data(data) => {
                self.content.clear();
                data.accept();
            }
            server::Event::Content(content) => self.content.extend_from_slice(content.take()),
            server::Event::Deliver(mut delivery) => {
                self.finished += 1;
                let content = std::mem::take(&mut self.content);
                let to: Vec<String> = delivery
                    .envelope()
                    .recipients()
                    .map(|recipient| recipient.forward_path().to_string())
                    .collect();
                if let Some(mut each) = delivery.per_recipient() {
                    let (full, to): (Vec<_>, Vec<_>) =
                        to.into_iter().enumerate().partition(|(_, path)| path.contains("full"));
                    for (index, _) in full {
                        each.settle(index, Err(Rejection::LOCAL_ERROR));
                    }
                    let to: Vec<_> = to.into_iter().map(|(_, path)| path).collect();
                    if !to.is_empty() {
                        self.stored.push(Stored { to, content });
                    }
                    delivery.accept();
                } else if to.iter().any(|path| path.contains("full")) {
                    delivery.reject(Rejection::LOCAL_ERROR);
                } else {
                    self.stored.push(Stored { to, content });
                    delivery.accept();
                }
            }
            server::Event::Abort(abort) => {
                self.finished += 1;
                self.content.clear();
                abort.acknowledge();
            }
            other => other.proceed(),
        }
    }
}

/// Returns the content as it arrives.
fn received(content: &[u8], line_ends: LineEnds, is_chunked: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for octet in content {
        if line_ends == LineEnds::FromLf && *octet == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*octet);
    }
    // A message ends with a line end, and after DATA it is added.
    if !is_chunked && !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn play(case: &Case) -> (Receiver, Vec<(Mail, Report)>, bool) {
    let offered = case.extensions.iter().fold(Extensions::NONE, |all, one| all.with(*one));
    let limits =
        server::Limits::default().with_receive_buffer(case.receive_buffer).with_errors(10_000);
    let receiving = server::Config::new("mx.example.org")
        .unwrap()
        .with_service(case.service)
        .with_required_auth(false)
        .with_extensions(offered)
        .with_bare_line_breaks(case.policy)
        .with_limits(limits);
    let mut sending = client::Config::new("me.example.org")
        .unwrap()
        .with_service(case.service)
        .with_tls(client::TlsPolicy::Never)
        .with_line_ends(case.line_ends)
        .with_transactions(case.transactions)
        .with_in_flight(case.in_flight)
        .with_send_buffer(case.ahead);
    for extension in &case.unused {
        sending = sending.without_extension(*extension);
    }
    let mut client = Client::new(sending, Security::CLEAR);
    let mut server = Server::new(Arc::new(receiving), Peer::UNKNOWN, Security::CLEAR);
    let mut receiver = Receiver::default();
    let mut waiting: VecDeque<Mail> = case.mails.clone().into();
    let mut under_way: VecDeque<Mail> = VecDeque::new();
    let mut rest: Vec<u8> = Vec::new();
    let mut reports = Vec::new();
    let mut is_chunked = false;
    case.link
        .run(
            &mut client,
            &mut server,
            |_, event| match event {
                client::Event::Ready(ready) => match waiting.pop_front() {
                    Some(mail) => {
                        let number = case.mails.len() - waiting.len();
                        is_chunked = ready.extensions().contains(Extension::Chunking);
                        let facts = match mail.is_known {
                            true => MessageFacts::scan(&mail.content),
                            false => MessageFacts::UNKNOWN,
                        };
                        let envelope = Envelope::new(&format!("{number}@example.org"), &mail.to);
                        if ready.send(envelope.unwrap(), facts).is_ok() {
                            rest.clone_from(&mail.content);
                            under_way.push_back(mail);
                        }
                    }
                    None => ready.quit(),
                },
                client::Event::Content(mut content) => match content.write(&rest) {
                    Ok(taken) => {
                        rest.drain(..taken);
                        if rest.is_empty() {
                            match under_way.back().unwrap().aborts {
                                true => content.abort(),
                                false => drop(content.finish()),
                            }
                        }
                    }
                    Err(_) => content.abort(),
                },
                client::Event::Sent(sent) => {
                    reports.push((under_way.pop_front().unwrap(), sent.take()));
                }
                client::Event::Refused(refused) => refused.go_on(),
                other => panic!("{other:?}"),
            },
            |_, event| receiver.answer(event),
        )
        .unwrap();
    assert!(client.end().is_some(), "it has come to its end");
    assert!(under_way.is_empty(), "a report came for every transaction");
    (receiver, reports, is_chunked)
}

fn ends(extensions: Extensions, service: Service) -> (Client, Server) {
    let receiving = server::Config::new("mx.example.org")
        .unwrap()
        .with_service(service)
        .with_extensions(extensions.with(Extension::Pipelining).with(Extension::Chunking))
        .with_auth(Offer::new([Mechanism::PLAIN]));
    let sending = client::Config::new("me.example.org").unwrap().with_service(service);
    let server = Server::new(Arc::new(receiving), Peer::UNKNOWN, Security::TLS);
    (Client::new(sending, Security::TLS), server)
}

/// In several lines, of which the last brings the address.
#[test]
fn what_a_client_says_of_another_and_of_a_message_arrives_whole() {
    let (name, helo) = (vec!["n".repeat(60); 4].join("."), vec!["h".repeat(60); 4].join("."));
    let text = |text: &str| AttributeValue::Text(text.to_owned().into());
    let speaking = XclientAttributes::new(AttributeName::Addr, &text("192.0.2.7"))
        .and_then(|list| list.with_attribute(AttributeName::Port, &text("1025")))
        .and_then(|list| list.with_attribute(AttributeName::Name, &text(&name)))
        .and_then(|list| list.with_attribute(AttributeName::Helo, &text(&helo)))
        .unwrap();
    let origin = XforwardAttributes::new(AttributeName::Name, &text(&name))
        .and_then(|list| list.with_attribute(AttributeName::Helo, &text(&helo)))
        .unwrap();
    let all = AttributeName::ALL;
    let (mut client, mut server) =
        ends(Extensions::NONE.with_xclient(all).with_xforward(all), Service::Smtp);
    let (mut asked, mut lines, mut told, mut report) = (0, 0, Vec::new(), None);
    let mut receiver = Receiver::default();
    Link::new()
        .with_delay(Duration::from_millis(50))
        .run(
            &mut client,
            &mut server,
            |_, event| match event {
                client::Event::Ready(ready) if asked < 3 => {
                    asked += 1;
                    match asked {
                        1 => ready.xclient(&speaking).unwrap(),
                        2 => ready.xforward(&origin).unwrap(),
                        _ => {
                            let envelope = Envelope::new("", &["bob@example.net"]).unwrap();
                            ready.send(envelope, MessageFacts::UNKNOWN).map(drop).unwrap();
                        }
                    }
                }
                client::Event::Content(content) => content.finish().unwrap(),
                client::Event::Sent(sent) => report = Some(sent.take()),
                other => other.quit(),
            },
            |_, event| match event {
                server::Event::Xclient(xclient) => {
                    lines += 1;
                    xclient.accept();
                }
                server::Event::Xforward(xforward) => {
                    lines += 1;
                    xforward.accept();
                }
                server::Event::Mail(mail) => {
                    let facts = mail.facts();
                    let peer = facts.peer();
                    told.push(peer.address().map_or_else(String::new, |it| it.to_string()));
                    told.push(peer.name().map_or_else(String::new, ToString::to_string));
                    told.extend(facts.forwarded().map(|(_, value)| value.to_owned()));
                    mail.accept();
                }
                other => receiver.answer(other),
            },
        )
        .unwrap();
    assert_eq!(lines, 3); // XFORWARD fits one, with four octets to spare
    assert_eq!(told, ["192.0.2.7:1025", &name, &name, &helo]);
    assert!(report.unwrap().is_delivered_to_all());
}

/// A message of a chunk, what stands at a URL, and a chunk.
#[test]
fn a_message_is_put_together_from_chunks_and_urls() {
    let extensions = Extensions::NONE.with_burl(&["imap"]).unwrap();
    let (mut client, mut server) = ends(extensions, Service::Submission);
    let (mut asked, mut parts, mut report) = (0, 0, None);
    let mut receiver = Receiver::default();
    let credentials = Credentials::password("ann", "secret");
    Link::new()
        .with_delay(Duration::from_millis(50))
        .run(
            &mut client,
            &mut server,
            |_, event| match event {
                client::Event::Ready(ready) if asked < 2 => {
                    asked += 1;
                    if asked == 1 {
                        let nonce = Nonce::new([0; 18]);
                        ready.authenticate_as(&credentials, nonce).map(drop).unwrap();
                    } else {
                        let envelope =
                            Envelope::new("ann@example.org", &["bob@example.net"]).unwrap();
                        let facts = MessageFacts::scan(b"one\r\nthree\r\n").with_burl();
                        ready.send(envelope, facts).map(drop).unwrap();
                    }
                }
                client::Event::Content(mut content) => {
                    parts += 1;
                    if parts == 1 {
                        content.write(b"one\r\n").unwrap();
                        content.burl(Uri::new("imap://x.example/;uid=1").unwrap()).unwrap();
                    } else {
                        content.write(b"three\r\n").unwrap();
                        content.finish().unwrap();
                    }
                }
                client::Event::Sent(sent) => report = Some(sent.take()),
                other => other.quit(),
            },
            |_, event| match event {
                server::Event::Auth(auth) => auth.verify(Box::new(PlainVerifier::new())),
                server::Event::Credentials(credentials) => match credentials.question {
                    Question::Password(question) => question.accept(),
                    other => other.reject(),
                },
                server::Event::Authenticated(authenticated) => authenticated.accept(),
                server::Event::Burl(burl) => {
                    receiver.content.extend_from_slice(b"two\r\n");
                    burl.accept();
                }
                other => receiver.answer(other),
            },
        )
        .unwrap();
    assert!(report.unwrap().is_delivered_to_all());
    assert_eq!(receiver.stored[0].content, b"one\r\ntwo\r\nthree\r\n");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// 5321-3.6.3-b, 5321-4.4-h, 5321-6.4-a
    #[test]
    fn both_ends_agree_on_each_message(case in case()) {
        let (receiver, reports, is_chunked) = play(&case);
        prop_assert_eq!(receiver.begun, receiver.finished, "every transaction was ended once");
        let is_whole = [Side::Server, Side::Client].iter().all(|side| case.link.loss(*side).is_none());
        let mut stored = receiver.stored.iter();
        for (mail, report) in &reports {
            let delivered: Vec<String> = report
                .recipients()
                .filter(|recipient| recipient.outcome().is_delivered())
                .map(|recipient| recipient.path().to_string())
                .collect();
            let unknown = report.outcomes().filter(|it| matches!(it, Outcome::Unknown)).count();
            if is_whole {
                prop_assert_eq!(unknown, 0);
            }
            let here = if delivered.is_empty() && unknown == 0 { None } else { stored.as_slice().first() };
            let expected = received(&mail.content, case.line_ends, is_chunked);
            match here {
                Some(here) if !delivered.is_empty() => {
                    prop_assert!(delivered.iter().all(|path| here.to.contains(path)));
                    prop_assert_eq!(&here.content, &expected);
                    if unknown == 0 {
                        prop_assert_eq!(&delivered, &here.to);
                    }
                    stored.next();
                }
                // It was taken, and the reply did not come; or it was not.
                Some(here) if here.content == expected => {
                    prop_assert!(here.to.len() <= unknown);
                    stored.next();
                }
                _ => prop_assert!(delivered.is_empty(), "lost: {delivered:?}"),
            }
            if mail.aborts {
                prop_assert!(delivered.is_empty());
            }
        }
        prop_assert_eq!(stored.as_slice(), &[], "doubled, or kept without the sender's knowledge");
    }
}

/// RFC 5321 section 4.1.1.5, RFC 9422 section 4.1: a server that takes five transactions and does
/// not say so, and a client that has 32 in flight. RSET before each further MAIL stays 250.
#[test]
fn transactions_beyond_a_limit_that_was_not_announced_have_true_outcomes() {
    let limits = server::Limits::default().with_transactions(Some(5));
    let receiving = server::Config::new("mx.example.org").unwrap().with_limits(limits);
    let sending = client::Config::new("me.example.org")
        .unwrap()
        .with_tls(client::TlsPolicy::Never)
        .with_transactions(32);
    let mut client = Client::new(sending, Security::CLEAR);
    let mut server = Server::new(Arc::new(receiving), Peer::UNKNOWN, Security::CLEAR);
    let mut receiver = Receiver::default();
    let (mut begun, mut rest, mut reports) = (0, Vec::new(), Vec::new());
    Link::new()
        .with_delay(Duration::from_millis(50))
        .run(
            &mut client,
            &mut server,
            |_, event| match event {
                client::Event::Ready(ready) if begun < 60 => {
                    begun += 1;
                    rest = b"x\r\n".to_vec();
                    let envelope = Envelope::new("a@example.org", &["b@example.net"]).unwrap();
                    ready.send(envelope, MessageFacts::scan(&rest)).unwrap();
                }
                client::Event::Ready(ready) if reports.len() < 60 => ready.wait(),
                client::Event::Ready(ready) => ready.quit(),
                client::Event::Content(mut content) => {
                    let taken = content.write(&rest).unwrap();
                    rest.drain(..taken);
                    if rest.is_empty() {
                        content.finish().unwrap();
                    }
                }
                client::Event::Sent(sent) => reports.push(sent.take()),
                other => panic!("{other:?}"),
            },
            |_, event| receiver.answer(event),
        )
        .unwrap();
    assert_eq!((reports.len(), receiver.stored.len()), (60, 5));
    let count = |code: u16| {
        let code = Code::new(code);
        let has_code = |it: &Outcome| matches!(it, Outcome::Replied(it) if Some(it.code()) == code);
        reports.iter().filter(|report| report.outcomes().all(has_code)).count()
    };
    assert_eq!((count(250), count(452)), (5, 55), "{reports:?}");
    assert!(matches!(client.end(), Some(client::End::Quit)), "{:?}", client.end());
}
