//! Enhanced status codes in replies.

use crate::{
    by_hand::ByHand,
    common::{Experience, HELLO, config, converse, converse_with},
    offering::believe,
};
use esmtp::{
    sasl::{Mechanism, Offer},
    security::Security,
    server::{Config, Event, Limits},
    service::Service,
    syntax::{AttributeName, Code, Extension, Extensions, Mailbox, Rejection, Reply, Status, Text},
};
use std::time::Duration;

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
        C: EHLO bad\tname
        S: 501 A control character in the name
        C: HELO
        S: 501 This command needs an argument";
    assert!(HELLO.contains("250-ENHANCEDSTATUSCODES\n"));
    converse(config(), &format!("{HELLO}{script}"));
}

/// 2034-4-b: nor do they when the application refuses.
#[test]
fn refused_opening_replies_carry_no_code() {
    let refusing = |experience: &mut Experience, event: Event<'_>| match event {
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
fn codes_are_sent_after_helo_too() {
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

/// Returns a server that offers every extension.
fn offering_everything() -> Config {
    let extensions = Config::implemented().fold(Extensions::NONE, Extensions::with);
    config()
        .with_extensions(
            extensions
                .without(Extension::RequireTls)
                .with_xclient(&[AttributeName::Name])
                .with_xforward(&[AttributeName::Name]),
        )
        .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear())
        .with_limits(Limits::default().with_errors(1000).with_message(10).with_recipients(3))
}

/// Handles each question in every way in which it can be answered.
fn varied(experience: &mut Experience, event: Event<'_>) {
    let mailbox = |text| Mailbox::parse(text).unwrap();
    match event {
        Event::Verify(verify) => match verify.text().as_str() {
            "ann" => verify.accept(mailbox("ann@example.org")),
            "j\u{fc}rgen" => verify.accept(mailbox("j\u{fc}rgen@example.org")),
            "bob" => verify.cannot_verify(),
            _ => verify.reject(Rejection::NO_SUCH_MAILBOX),
        },
        Event::Expand(expand) => match expand.text().as_str() {
            "all" => expand.accept(vec![mailbox("ann@b.org"), mailbox("bob@b.org")]),
            _ => expand.accept(Vec::new()),
        },
        Event::Etrn(etrn) => match etrn.node().to_string().as_str() {
            "none.example" => etrn.nothing_waits(),
            "some.example" => etrn.accept_waiting(None),
            "many.example" => etrn.accept_waiting(Some(7)),
            "no.example" => etrn.reject(Rejection::POLICY),
            _ => etrn.accept(),
        },
        Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("moved") => {
            rcpt.accept_forwarding(Text::literal("will forward to <x@example.org>"));
        }
        Event::Auth(auth) => auth.reject(Rejection::CREDENTIALS_INVALID),
        Event::Xclient(xclient) => xclient.reject(Rejection::POLICY),
        other => experience.answer(other),
    }
}

/// Asserts that 3yz replies have no enhanced status code, and that all others have one of their class.
#[track_caller]
fn carry_codes(command: &str, said: &str) {
    for line in said.lines() {
        let (class, rest) = (&line[..1], line[4..].split_once(' ').map_or("", |(word, _)| word));
        let parts: Vec<&str> = rest.split('.').collect();
        let is_code = parts.len() == 3
            && parts[0] == class
            && parts.iter().all(|part| {
                (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit())
            });
        assert_eq!(is_code, class != "3", "{command}: {line}");
    }
}

/// 2034-4-a: RFC 2034 section 4. Whatever comes, and however it is answered.
#[test]
fn every_reply_carries_a_code() {
    let mut session = ByHand::after_hello(offering_everything(), Security::CLEAR, varied);
    for command in [
        "NOOP",
        "NOOP a\tb",
        "",
        "FOO",
        "GETT /",
        "HELP",
        "HELP MAIL",
        "VRFY ann",
        "VRFY bob",
        "VRFY nobody",
        "VRFY j\u{fc}rgen SMTPUTF8",
        "EXPN all",
        "EXPN few",
        "ETRN none.example",
        "ETRN some.example",
        "ETRN many.example",
        "ETRN no.example",
        "ETRN a.example",
        "ATRN",
        "TURN",
        "SEND FROM:<a@b.org>",
        "AUTH FOO",
        "AUTH PLAIN AAAA",
        "AUTH",
        "XCLIENT NAME=a",
        "XFORWARD NAME=a",
        "XFORWARD FOO=a",
        "BURL imap://a@b.example/c LAST",
        "RCPT TO:<c@d.org>",
        "DATA",
        "BDAT 1 LAST\r\nx",
        "MAIL",
        "MAIL FROM:a",
        "MAIL FROM:<a@b.org> SIZE=11",
        "MAIL FROM:<a@b.org> FOO=1",
        "MAIL FROM:<a@b.org> SIZE=1 SIZE=1",
        "MAIL FROM:<a@b.org> REQUIRETLS",
        "MAIL FROM:<\u{e9}@b.org>",
        "RCPT TO:<c@d.org>",
        "MAIL FROM:<a@b.org> BODY=BINARYMIME",
        "DATA",
        "MAIL FROM:<a@b.org>",
        "STARTTLS",
        "AUTH PLAIN",
        "RCPT TO:<nobody@d.org>",
        "RCPT TO:<later@d.org>",
        "RCPT TO:<\u{e9}@d.org>",
        "RCPT TO:<moved@d.org>",
        "DATA",
        "BDAT 1\r\nx",
        "RCPT TO:<c@d.org>",
        &format!("BDAT 99 LAST\r\n{}", "x".repeat(97)),
        "RSET",
        "MAIL FROM:<a@b.org>",
        "RCPT TO:<c@d.org>",
        "RCPT TO:<c@d.org>",
        "RCPT TO:<c@d.org>",
        "RCPT TO:<c@d.org>",
        "DATA",
        "x\r\n.",
        "MAIL FROM:<a@b.org>",
        "RCPT TO:<full@d.org>",
        "DATA",
        "x\r\n.",
        "MAIL FROM:<a@b.org>",
        "RCPT TO:<c@d.org>",
        "DATA",
        "x\ny\r\n.",
        "MAIL FROM:<a@b.org>",
        "RCPT TO:<c@d.org>",
        "DATA",
        "much too large\r\n.",
        "NO\rOP",
        &"x".repeat(9000),
        "QUIT",
    ] {
        let said = session.say(format!("{command}\r\n").as_bytes());
        assert!(!said.is_empty(), "{command}");
        carry_codes(command, &said);
    }
    assert!(session.is_closed());
}

/// 2034-4-a: RFC 2034 section 4. In LMTP, after AUTH, and in several lines; whatever the application rejects with.
#[test]
fn every_reply_to_a_recipient_and_to_auth_carries_a_code() {
    fn answer(experience: &mut Experience, event: Event<'_>) {
        match event {
            Event::Rcpt(rcpt) => match rcpt.forward_path().to_string().split_once('@').unwrap().0 {
                "<lines" => rcpt.accept_lines(["one", "two", "three"].map(Text::literal)),
                "<none" => rcpt.accept_lines([]),
                "<text" => rcpt.accept_with(Text::literal("5.1.1 is no code here")),
                number => match number[1..].parse::<usize>() {
                    Ok(index) => rcpt.reject(Rejection::NAMED[index].clone()),
                    Err(_) => rcpt.accept(),
                },
            },
            Event::Deliver(mut delivery) => {
                if let Some(mut each) = delivery.per_recipient() {
                    each.settle(1, Err(Rejection::LOCAL_ERROR));
                }
                delivery.accept_with(Text::literal("Stored"));
            }
            other => believe(experience, other),
        }
    }
    for service in [Service::Smtp, Service::Lmtp] {
        let mut session = ByHand::after_hello(
            offering_everything().with_service(service),
            Security::CLEAR,
            answer,
        );
        for command in [
            "AUTH PLAIN AGFubgBzZWNyZXQ=",
            "AUTH PLAIN AGFubgBzZWNyZXQ=",
            "MAIL FROM:<a@b.org>",
            "RCPT TO:<lines@d.org>",
            "RCPT TO:<none@d.org>",
            "RCPT TO:<text@d.org>",
            "RCPT TO:<toomany@d.org>",
            "DATA",
            "x\r\n.",
        ] {
            let said = session.say(format!("{command}\r\n").as_bytes());
            assert!(!said.is_empty(), "{command}");
            carry_codes(command, &said);
        }
        session.say(b"MAIL FROM:<a@b.org>\r\n");
        for (index, rejection) in Rejection::NAMED.iter().enumerate() {
            // 421 ends the session.
            if rejection.code().get() != 421 {
                let said = session.say(format!("RCPT TO:<{index}@d.org>\r\n").as_bytes());
                carry_codes("RCPT", &said);
            }
        }
    }
}

/// 2034-4-a: RFC 2034 section 4. The last words too.
#[test]
fn every_last_reply_carries_a_code() {
    let few = || Limits::default().with_errors(3).with_auth_failures(1).with_idle_commands(1);
    for (words, octets) in [
        ("554", "GET / HTTP/1.1\r\n"),
        ("554", "DATA\r\nx"),
        ("554", "STARTTLS\r\nx"),
        ("501", "BDAT x\r\n"),
        ("421", "FOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\n"),
        ("421", "AUTH PLAIN AAAA\r\n"),
        ("503", "HELP\r\nHELP\r\nHELP\r\n"),
        ("421", "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n"),
        ("421", ""),
        ("421", "MAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\n"),
    ] {
        let config = offering_everything().with_limits(few());
        let mut session = ByHand::after_hello(config, Security::CLEAR, varied);
        let mut said = session.say(octets.as_bytes());
        said += &session.pass(Duration::from_secs(86_400));
        carry_codes(octets, &said);
        assert!(said.lines().any(|line| line.starts_with(words)), "{octets}: {said}");
    }
    let mut session = ByHand::after_hello(offering_everything(), Security::CLEAR, varied);
    session.server_mut().shut_down();
    let said = session.say(b"");
    assert!(said.starts_with("421 "), "{said}");
    carry_codes("", &said);
}
