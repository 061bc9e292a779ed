//! Message submission.

use crate::by_hand::ByHand;
use crate::common::{Experience, config, converse_with};
use esmtp::{
    sasl::{Mechanism, Offer, PlainVerifier, Question},
    security::Security,
    server::{Config, Event},
    service::Service,
    syntax::{Code, Extension, Rejection, Status, Text},
};
use std::time::Duration;

/// Returns a submission server that accepts every client that authenticates.
fn submission(extensions: &[Extension]) -> Config {
    config()
        .with_service(Service::Submission)
        .with_extensions(extensions.iter().copied().chain([Extension::Pipelining]).collect())
        .with_auth(Offer::new([Mechanism::PLAIN]))
        .with_required_auth(true)
}

fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Auth(auth) => auth.verify(Box::new(PlainVerifier::new())),
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) if question.password().matches(b"secret") => {
                question.accept();
            }
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => authenticated.accept(),
        Event::Burl(burl) => burl.accept(),
        other => experience.answer(other),
    }
}

/// Opens a session in TLS whose client has authenticated.
fn authenticated(extensions: &[Extension], answer: fn(&mut Experience, Event<'_>)) -> ByHand {
    let mut session = ByHand::after_hello(submission(extensions), Security::TLS, answer);
    let said = session.say(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
    assert!(said.starts_with("235 "), "{said}");
    session
}

/// Returns the extensions that EHLO announces in TLS.
fn announced(config: Config) -> Vec<String> {
    let mut session = ByHand::after_hello(config, Security::TLS, answer);
    let list = session.say(b"EHLO client.example.net\r\n");
    list.lines().skip(1).map(|line| line[4..].to_owned()).collect()
}

/// 6409-3.1-a, 6409-7-a, 2645-4-a, 4468-3-c, 4865-4-b: RFC 6409 sections 3.1 and 7. Submission is a setting, and what exists
/// only there (RFC 4865, RFC 4468) or only elsewhere (RFC 1985, RFC 2645) goes with it; the port is the driver's.
#[test]
fn submission_is_a_service_of_its_own() {
    let all = || config().with_extensions(Config::implemented().collect());
    for extension in Config::implemented().filter(|it| *it != Extension::Auth) {
        let [in_smtp, in_submission, in_lmtp] = match extension {
            Extension::FutureRelease | Extension::Burl => [false, true, false],
            Extension::Etrn | Extension::Atrn => [true, false, false],
            _ => [true, true, true],
        };
        for (service, is_offered) in [
            (Service::Smtp, in_smtp),
            (Service::Submission, in_submission),
            (Service::Lmtp, in_lmtp),
        ] {
            let config = all().with_service(service);
            assert_eq!(config.service(), service);
            let is_there = config.extensions().contains(extension);
            assert_eq!(is_there, is_offered, "{extension} in {service:?}");
        }
    }
    assert_eq!(config().service(), Service::Smtp);
}

/// 6409-3.2-a: RFC 6409 section 3.2. Reports of delivery are submitted too.
#[test]
fn the_null_path_is_accepted() {
    let mut session = authenticated(&[], answer);
    assert_eq!(session.say(b"MAIL FROM:<>\r\n"), "250 Ok\r\n");
    assert_eq!(session.say(b"RCPT TO:<bob@example.org>\r\nDATA\r\n").matches("\r\n").count(), 2);
    assert_eq!(session.say(b".\r\n"), "250 queued\r\n");
    assert_eq!(session.experience.messages[0].from, "<>");
}

/// 6409-4.1-a: RFC 6409 section 4.1. A message that is rejected for a reason without a code of its
/// own gets 554.
#[test]
fn the_general_refusal_is_554() {
    let mut session = authenticated(&[], |experience, event| match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => Event::Content(content).proceed(),
        Event::Deliver(delivery) => Event::Deliver(delivery).proceed(),
        other => answer(experience, other),
    });
    for content in ["x\r\n.\r\n", ".\r\n"] {
        session.say(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
        assert_eq!(session.say(content.as_bytes()), "554 Message not accepted here\r\n");
    }
    assert_eq!(Rejection::CONTENT_REFUSED.code(), Code::TRANSACTION_FAILED);
}

/// 6409-4.3-a: RFC 6409 section 4.3.
#[test]
fn mail_without_authentication_is_refused() {
    let mut session = ByHand::after_hello(submission(&[]), Security::TLS, answer);
    assert_eq!(session.say(b"MAIL FROM:<ann@example.org>\r\n"), "530 Authentication required\r\n");
    assert!(session.say(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n").starts_with("235 "));
    assert_eq!(session.say(b"MAIL FROM:<ann@example.org>\r\n"), "250 Ok\r\n");
}

/// 6409-4.3-a: and that without being asked to.
#[test]
fn mail_without_authentication_is_refused_by_default() {
    let config = config().with_service(Service::Submission);
    assert!(config.requires_auth());
    let mut session = ByHand::after_hello(config, Security::TLS, answer);
    let said = session.say(b"MAIL FROM:<ann@example.org>\r\n");
    assert_eq!(said, "530 5.7.0 Authentication required\r\n");
}

/// 6409-5.1-a: RFC 6409 section 5.1.
#[test]
fn a_malformed_address_gets_501() {
    let mut session = authenticated(&[Extension::EnhancedStatusCodes], answer);
    for path in ["a@@b", "a@", "@b", "a b@c", "a@b@c", "a@-b"] {
        let said = session.say(format!("MAIL FROM:<{path}>\r\n").as_bytes());
        assert!(said.starts_with("501 5.1.7 "), "{path}: {said}");
    }
    assert_eq!(session.say(b"MAIL FROM:<ann@example.org>\r\n"), "250 2.1.0 Ok\r\n");
    for path in ["a@@b", "a@", "@b"] {
        let said = session.say(format!("RCPT TO:<{path}>\r\n").as_bytes());
        assert!(said.starts_with("501 5.1.3 "), "{path}: {said}");
    }
}

/// 6409-5.3-a: RFC 6409 section 5.3. When the application has answered, no reply waits but that to a failed
/// AUTH, which waits a second.
#[test]
fn no_reply_is_withheld_for_two_minutes() {
    let mut session = ByHand::after_hello(submission(&[]), Security::TLS, answer);
    let began = session.time();
    assert_eq!(
        session.say(b"AUTH PLAIN AGFubgB3cm9uZw==\r\n"),
        "535 Authentication credentials invalid\r\n"
    );
    assert!(session.time() < began + Duration::from_secs(120));
    let began = session.time();
    for (command, reply) in [
        ("AUTH PLAIN AGFubgBzZWNyZXQ=", "235 "),
        ("MAIL FROM:<ann@example.org>", "250 "),
        ("RCPT TO:<bob@example.org>", "250 "),
        ("VRFY bob", "252 "),
        ("FOO", "500 "),
        ("DATA", "354 "),
        (".", "250 "),
        ("QUIT", "221 "),
    ] {
        let said = session.say(format!("{command}\r\n").as_bytes());
        assert!(said.starts_with(reply), "{command}: {said}");
    }
    assert_eq!(session.time(), began);
}

/// 6409-7-a: RFC 6409 section 7.
#[test]
fn queues_are_not_run_on_submission() {
    let extensions = [Extension::Etrn, Extension::Atrn];
    let list = announced(submission(&extensions));
    assert!(
        list.iter().all(|line| !line.starts_with("ETRN") && !line.starts_with("ATRN")),
        "{list:?}"
    );
    let mut session = authenticated(&extensions, answer);
    for command in ["ETRN example.org", "ATRN example.org", "TURN"] {
        let said = session.say(format!("{command}\r\n").as_bytes());
        assert_eq!(said, "500 Command not recognised\r\n", "{command}");
    }
}

/// 6409-7-b, 6409-7-c: RFC 6409 section 7. PIPELINING, ENHANCEDSTATUSCODES and 8BITMIME are there unless they
/// are taken away, DSN with an application that sends notifications, AUTH with the mechanisms that it
/// has credentials for.
#[test]
fn what_submission_should_offer_is_offered() {
    let config = config()
        .with_service(Service::Submission)
        .with_extension(Extension::Dsn)
        .with_auth(Offer::new([Mechanism::PLAIN]));
    let list = announced(config);
    for line in ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "AUTH PLAIN"] {
        assert!(list.iter().any(|announced| announced == line), "{line}: {list:?}");
    }
}

/// 6409-7-d: RFC 6409 section 7. The server never sends 521 by itself, nor does any of the named
/// rejections: a client that gets no service gets 554.
#[test]
fn no_service_is_554_and_not_521() {
    let replies = include_str!("../../src/server/replies.rs");
    assert!(replies.contains("554") && !replies.contains("521"));
    assert!(Rejection::NAMED.iter().all(|rejection| rejection.code() != Code::NO_MAIL_HERE));
    converse_with(submission(&[]), "S: 554 No service for you", |experience, event| match event {
        Event::Connect(connect) => connect.reject(Rejection::NO_SERVICE),
        other => experience.answer(other),
    });
}

/// 6409-7-e: RFC 6409 section 7. A refusal of content is the same for DATA, BDAT and BURL, and asked for in the
/// same place.
#[test]
fn a_rule_for_data_is_one_for_bdat_and_burl() {
    const CLOSED: Rejection =
        Rejection::permanent(Status::NOT_AUTHORISED, Text::literal("Not on a Sunday"));
    const AT_DATA: fn(&mut Experience, Event<'_>) = |experience, event| match event {
        Event::Data(data) => data.reject(CLOSED),
        other => answer(experience, other),
    };
    const AT_DELIVERY: fn(&mut Experience, Event<'_>) = |experience, event| match event {
        Event::Deliver(delivery) => delivery.reject(CLOSED),
        other => answer(experience, other),
    };
    for (content, behind, at) in [
        ("DATA\r\n", "", AT_DATA),
        ("BDAT 3 LAST\r\nx\r\n", "", AT_DATA),
        ("BURL imap://example.org/;uid=1 LAST\r\n", "", AT_DATA),
        ("DATA\r\n", "x\r\n.\r\n", AT_DELIVERY),
        ("BDAT 3 LAST\r\nx\r\n", "", AT_DELIVERY),
        ("BURL imap://example.org/;uid=1 LAST\r\n", "", AT_DELIVERY),
    ] {
        let mut session = authenticated(&[Extension::Chunking, Extension::Burl], at);
        session.say(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\n");
        let mut said = session.say(content.as_bytes());
        if !behind.is_empty() {
            assert!(said.starts_with("354 "), "{said}");
            said = session.say(behind.as_bytes());
        }
        assert_eq!(said, "550 Not on a Sunday\r\n", "{content}");
        assert!(session.experience.messages.is_empty());
    }
}
