//! Enhanced status codes in replies.

use crate::common::{HELLO, config, converse, converse_with};
use esmtp::{
    server::Event,
    service::Service,
    syntax::{Code, Extension, Extensions, Rejection, Reply, Status, Text},
};

fn encoded(reply: &Reply<'_>) -> String {
    let mut out = Vec::new();
    reply.encode(&mut out);
    String::from_utf8(out).unwrap()
}

/// 2034-3-a, 2034-4-b, 2034-4-d: RFC 2034 sections 3 and 4. The keyword stands alone in its line,
/// and neither the greeting, nor the replies to EHLO, nor 354 carry a code.
#[test]
fn opening_replies_and_354_carry_no_code() {
    let script = "
        C: MAIL FROM:<a@b.org>
        S: 250 2.1.0 Ok
        C: RCPT TO:<c@d.org>
        S: 250 2.1.5 Ok
        C: DATA
        S: 354 Start mail input; end with <CRLF>.<CRLF>
        C: .
        S: 250 2.0.0 queued
        C: EHLO bad,name
        S: 501 Not a domain or an address literal
        C: HELO
        S: 501 This command needs an argument";
    assert!(HELLO.contains("250-ENHANCEDSTATUSCODES\n"));
    converse(config(), &format!("{HELLO}{script}"));
}

/// 2034-4-b: nor do they when the application refuses.
#[test]
fn refused_opening_replies_carry_no_code() {
    let refusing = |experience: &mut crate::common::Experience, event: Event<'_>| match event {
        Event::Connect(connect) => connect.reject(Rejection::NO_SERVICE),
        other => experience.answer(other),
    };
    converse_with(config(), "S: 554 No service for you", refusing);
    converse_with(
        config(),
        "S: 220 mx.example.org ESMTP service ready
         C: EHLO client.example.net
         S: 550 Refused by policy
         C: HELO client.example.net
         S: 550 Refused by policy",
        |experience, event| match event {
            Event::Hello(hello) => hello.reject(Rejection::POLICY),
            other => experience.answer(other),
        },
    );
    converse(
        config()
            .with_service(Service::Lmtp)
            .with_extensions(Extensions::NONE.with(Extension::EnhancedStatusCodes)),
        "S: 220 mx.example.org LMTP service ready
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES",
    );
}

/// 2034-4-h: RFC 2034 section 4. A client that cannot see the keyword gets them too.
#[test]
fn codes_are_there_behind_helo_too() {
    converse(
        config(),
        "S: 220 mx.example.org ESMTP service ready
         C: HELO client.example.net
         S: 250 mx.example.org
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<nobody@d.org>
         S: 550 5.1.1 No such mailbox here",
    );
}

/// 2034-4-c: RFC 2034 section 4. Whatever the subject and the detail, the class is the first digit of
/// the reply code, and text with another class is no code.
#[test]
fn the_class_is_the_first_digit() {
    for code in (200..=599).filter_map(Code::new) {
        let line = encoded(&Reply::line(code, Some(Status::NO_SUCH_MAILBOX), Text::literal("x")));
        let expected = match code.get() / 100 {
            3 => format!("{code} x\r\n"),
            class => format!("{code} {class}.1.1 x\r\n"),
        };
        assert_eq!(line, expected);
        let is_made = Reply::new(code, Some(Status::OTHER), "x").is_ok();
        assert_eq!(is_made, code.get() / 100 != 3, "{code}");
    }
    let reply = Reply::new(Code::OK, None, "5.1.1 x").unwrap();
    assert_eq!(reply.status(), None);
    let (reply, _) = Reply::parse(b"250 5.1.1 x\r\n").unwrap().unwrap();
    assert_eq!(reply.status(), None);
}

/// 2034-4-e: RFC 2034 section 4.
#[test]
fn every_line_carries_the_code() {
    let reply = Reply::new(Code::MAILBOX_UNAVAILABLE, Some(Status::NO_SUCH_MAILBOX), "a\nb\nc");
    assert_eq!(encoded(&reply.unwrap()), "550-5.1.1 a\r\n550-5.1.1 b\r\n550 5.1.1 c\r\n");
    // So do the lines that a long one is made into.
    let long = "words ".repeat(200);
    let reply = Reply::new(Code::OK, Some(Status::OTHER), long.as_str()).unwrap();
    let lines = encoded(&reply);
    assert!(lines.lines().count() > 2);
    assert!(lines.lines().all(|line| &line[4..10] == "2.0.0 "), "{lines}");
}
