//! REQUIRETLS.

use crate::by_hand::ByHand;
use crate::common::config;
use crate::dialogue::{Act, Dialogue, Mail, after_offer, mail};
use esmtp::{
    client::{Client, Config, Event, MessageFacts, Obstacle},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server,
    syntax::{Extension, Extensions, Parameters, Status},
    time::Instant,
};

fn verified() -> Security {
    Security::TLS.with_peer_certificates(vec![vec![1]], true)
}

fn envelope() -> Envelope {
    let parameters = Parameters::parse("REQUIRETLS").unwrap().into_owned();
    Envelope::new("ann@example.org", &["bob@example.net"]).unwrap().with_parameters(parameters)
}

fn dialogue(security: Security) -> Dialogue {
    let mail = Mail { envelope: envelope(), ..mail(&["bob@example.net"], "x\r\n") };
    Dialogue { security, ..Dialogue::new([Act::Send(mail)]) }
}

/// 8689-2-d, 8689-4.2.1-a: RFC 8689 sections 2 and 4.2.1. The message goes only to a server that offers
/// REQUIRETLS inside TLS and has shown a certificate that was verified; from any other the client
/// leaves with QUIT.
#[test]
fn a_message_that_requires_tls_goes_to_no_other_server() {
    const NOT_OFFERED: &str = "not offered: the parameter REQUIRETLS is not offered";
    const NO_TLS: &str = "not offered: the message requires TLS with a verified certificate";
    for (security, offered, note) in [
        (verified(), "SIZE", NOT_OFFERED),
        (Security::TLS, "REQUIRETLS", NO_TLS),
        (Security::CLEAR, "SIZE", NOT_OFFERED),
        // A server that announces it in the clear is not believed.
        (Security::CLEAR, "REQUIRETLS", NOT_OFFERED),
    ] {
        let notes = dialogue(security).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 {offered}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes, [note, "end: the session was ended with QUIT"]);
    }
    let notes = dialogue(verified()).plays(&after_offer(
        "REQUIRETLS",
        "C: MAIL FROM:<ann@example.org> REQUIRETLS
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes[0], "0: <bob@example.net> 250 taken");
}

/// 8689-2-d: what was offered before the handshake does not count.
#[test]
fn the_keyword_must_come_inside_tls() {
    let notes = Dialogue { secured: verified(), ..dialogue(Security::CLEAR) }
        .with(|config| config.with_tls(esmtp::client::TlsPolicy::Required))
        .plays(&after_offer(
            "REQUIRETLS|STARTTLS",
            "C: STARTTLS
             S: 220 go
             (secured)
             C: EHLO me.example.org
             S: 250 mx
             C: QUIT
             S: 221 bye
             C: (closed)",
        ));
    assert_eq!(notes[0], "not offered: the parameter REQUIRETLS is not offered");
}

/// 8689-4.2.1-b: RFC 8689 section 4.2.1. Either is reported as 5.7.30.
#[test]
fn a_server_without_requiretls_is_reported_as_5_7_30() {
    for (security, offered) in
        [(verified(), "SIZE"), (Security::TLS, "REQUIRETLS"), (Security::CLEAR, "SIZE")]
    {
        let mut client = Client::new(Config::new("me.example.org").unwrap(), security);
        for reply in ["220 mx\r\n".to_owned(), format!("250-mx\r\n250 {offered}\r\n")] {
            client.feed(reply.as_bytes());
            while let Need::Write(_) | Need::Either(_) = client.poll(Instant::ORIGIN) {
                client.sent(usize::MAX);
            }
        }
        let Some(Event::Ready(ready)) = client.event() else { panic!("not ready") };
        let error = ready.send(envelope(), MessageFacts::scan(b"")).unwrap_err();
        let is_reported = |it: &Obstacle| it.status() == Status::REQUIRETLS_NEEDED;
        assert!(error.obstacles().iter().all(is_reported), "{error}");
    }
    assert_eq!(Status::REQUIRETLS_NEEDED.to_string(), "X.7.30");
}

/// 8689-4.1-a: RFC 8689 section 4.1. The application learns of it with MAIL, and again when it takes
/// responsibility.
#[test]
fn a_message_is_marked_from_mail_to_delivery() {
    let extensions = Extensions::NONE.with(Extension::RequireTls);
    let config = config().with_extensions(extensions);
    let mut session = ByHand::after_hello(config, Security::TLS, |experience, event| match event {
        server::Event::Mail(mail) => {
            experience.log.push(format!("mail {}", mail.typed_parameters().is_tls_required()));
            mail.accept();
        }
        server::Event::Deliver(delivery) => {
            let transaction = delivery.facts().transaction().unwrap();
            let is_required = transaction.typed_parameters().is_tls_required();
            experience.log.push(format!("deliver {is_required}"));
            delivery.accept();
        }
        other => experience.answer(other),
    });
    for (parameters, is_required) in [(" REQUIRETLS", true), ("", false), (" requiretls", true)] {
        session.say(format!("MAIL FROM:<a@b.org>{parameters}\r\n").as_bytes());
        session.say(b"RCPT TO:<c@d.org>\r\n");
        session.say(b"DATA\r\n");
        assert!(session.say(b".\r\n").starts_with("250 "));
        let mut log = session.experience.log.drain(..);
        assert!(log.any(|line| line == format!("mail {is_required}")));
        assert_eq!(log.next_back(), Some(format!("deliver {is_required}")));
    }
}
