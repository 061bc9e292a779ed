//! RFC 6531: addresses and header fields beyond ASCII.

use crate::{
    by_hand::ByHand,
    common::{Experience, announcing, config, converse, converse_with},
    dialogue::{self, Act, Dialogue, Mail, after_offer},
};
use esmtp::{
    client::{self, MessageFacts},
    envelope::Envelope,
    security::Security,
    server::{self, Config, Event},
    service::{Service, With},
    syntax::{
        Argument, Code, Command, Domain, Extension, Extensions, ForwardPath, Host, Lenience,
        LocalPart, Mailbox, OriginalRecipient, Parameters, Rejection, Reply, ReversePath, Status,
        SyntaxErrorKind, Text,
    },
};

fn offering(extensions: &[Extension]) -> Config {
    config().with_extensions(extensions.iter().copied().collect())
}

/// Plays a script with SMTPUTF8 in which `ä`, `ö` and `ü` stand for their octets.
fn utf8(script: &str) -> String {
    let script: String = script
        .lines()
        .map(|line| match line.trim_start().strip_prefix("C: ") {
            Some(line) if !line.is_ascii() => {
                format!("C| {}\\r\\n\n", line.as_bytes().escape_ascii())
            }
            _ => format!("{line}\n"),
        })
        .collect();
    announcing("8BITMIME|ENHANCEDSTATUSCODES|SMTPUTF8|EXPN", &script)
}

fn server() -> Config {
    offering(&[
        Extension::SmtpUtf8,
        Extension::EightBitMime,
        Extension::EnhancedStatusCodes,
        Extension::Expn,
    ])
}

/// 6531-3.1-e: RFC 6531 section 3.1, item 8.
#[test]
fn smtputf8_comes_with_8bitmime_only() {
    let smtputf8 = Extensions::NONE.with(Extension::SmtpUtf8).with(Extension::Pipelining);
    for config in [
        config().with_extensions(smtputf8.clone()),
        config().with_extensions(smtputf8.clone()).with_service(Service::Lmtp),
        config().with_extensions(Extensions::NONE).with_extension(Extension::SmtpUtf8),
    ] {
        assert!(!config.extensions().contains(Extension::SmtpUtf8));
    }
    converse(
        config().with_extensions(smtputf8),
        &announcing(
            "PIPELINING",
            "C: MAIL FROM:<a@b.org> SMTPUTF8
             S: 555 Parameter not recognised or not implemented",
        ),
    );
    assert!(server().extensions().contains(Extension::SmtpUtf8));
}

/// 6531-3.2-a: RFC 6531 section 3.2. In local-parts, quoted ones too, and in domains, of MAIL, RCPT, VRFY and EXPN.
#[test]
fn utf8_may_stand_wherever_a_mailbox_may() {
    let experience = converse_with(
        server(),
        &utf8(
            "C: MAIL FROM:<用户@例え.jp> SMTPUTF8
             S: 250 2.1.0 Ok
             C: RCPT TO:<\"ä ö\"@bücher.example>
             S: 250 2.1.5 Ok
             C: RCPT TO:<grüße@[192.0.2.1]>
             S: 250 2.1.5 Ok
             C: RCPT TO:<ascii@straße.example>
             S: 250 2.1.5 Ok
             C: VRFY grüße@bücher.example
             S: 252 2.5.0 Cannot verify, but will accept a message and attempt delivery
             C: EXPN freunde-müde
             S: 252 2.5.0 Cannot verify, but will accept a message and attempt delivery",
        ),
        |experience, event| match event {
            Event::Verify(verify) => {
                experience.log.push(format!("verify {}", verify.text().as_str()));
                verify.cannot_verify();
            }
            Event::Expand(expand) => {
                experience.log.push(format!("expand {}", expand.text().as_str()));
                expand.cannot_verify();
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(
        experience.log[1..],
        [
            "mail <用户@例え.jp> SMTPUTF8",
            "rcpt 0 <\"ä ö\"@bücher.example>",
            "rcpt 1 <grüße@[192.0.2.1]>",
            "rcpt 2 <ascii@straße.example>",
            "verify grüße@bücher.example",
            "expand freunde-müde",
        ]
    );
}

/// Returns the control characters beyond ASCII: C1, and the separators of lines and paragraphs.
fn controls() -> impl Iterator<Item = char> {
    ('\u{80}'..='\u{9f}').chain(['\u{2028}', '\u{2029}'])
}

/// RFC 5198 section 2: no address, parameter or argument that a client sends holds one of them, unless a switch admits
/// it in addresses; characters beside them are taken.
#[test]
fn control_characters_beyond_ascii_are_refused_in_every_command() {
    let lines = |c: char| {
        [
            format!("MAIL FROM:<a{c}b@c.example>"),
            format!("MAIL FROM:<{c}@c.example>"),
            format!("MAIL FROM:<\"a {c}\"@c.example>"),
            format!("RCPT TO:<a@b{c}c.example>"),
            format!("RCPT TO:<a@{c}>"),
            format!("RCPT TO:<a@b.{c}>"),
        ]
    };
    let further = |c: char| {
        let xtext: String = c.to_string().bytes().map(|octet| format!("+{octet:02X}")).collect();
        [
            format!("MAIL FROM:<a@b.example> X={c}"),
            format!("RCPT TO:<a@b.example> ORCPT=utf-8;a{c}@b.example"),
            format!("VRFY a{c}"),
            format!("EXPN \"a {c}\""),
            format!("NOOP a{c}"),
            format!("HELP a{c}"),
            format!("EHLO a{c}b.example"),
            format!("HELO a{c}b.example"),
            format!("XCLIENT LOGIN={xtext}"),
            format!("XCLIENT HELO={xtext}"),
        ]
    };
    let default = Lenience::default();
    let admitting = default.with_unicode_controls();
    assert!(!default.has_unicode_controls() && !Lenience::STRICT.has_unicode_controls());
    for c in controls() {
        for line in lines(c) {
            let error = Command::parse(line.as_bytes(), default).unwrap_err();
            assert_eq!(error.code(), Code::ARGUMENT_SYNTAX, "{line:?}");
            let parsed = Command::parse_with(line.as_bytes(), admitting).unwrap();
            assert!(parsed.used().names().eq(["unicode_controls"]), "{line:?}");
            let mut written = Vec::new();
            parsed.command().encode(&mut written);
            let written = written.strip_suffix(b"\r\n").unwrap();
            assert_eq!(Command::parse(written, admitting).as_ref(), Ok(parsed.command()));
        }
        for line in further(c) {
            let error = Command::parse(line.as_bytes(), admitting).unwrap_err();
            assert_eq!(error.code(), Code::ARGUMENT_SYNTAX, "{line:?}");
        }
        let line = format!("XFOO a{c}");
        let error = Command::parse(line.as_bytes(), admitting).unwrap_err();
        assert_eq!(error.code(), Code::COMMAND_SYNTAX, "{line:?}");
        // What is decoded from xtext is an original recipient too.
        let octets = c.to_string();
        let xtext: String = octets.bytes().map(|octet| format!("+{octet:02X}")).collect();
        for address in [octets, xtext] {
            assert!(OriginalRecipient::parse(format!("utf-8;a{address}@b.example")).is_err());
        }
    }
    for c in ['\u{a0}', '\u{bf}', 'Ü', '\u{2027}', '\u{202a}', '€', '例', '\u{10ffff}'] {
        for line in lines(c) {
            let parsed = Command::parse_with(line.as_bytes(), admitting).unwrap();
            assert!(!parsed.used().is_any(), "{line:?}");
        }
    }
}

/// RFC 5198 section 2: the application's own values.
#[test]
fn no_value_holds_a_control_character_beyond_ascii() {
    for c in controls() {
        let text = format!("a{c}b");
        assert!(Text::new(text.as_str()).is_err() && Argument::new(text.as_str()).is_err());
        assert!(Reply::new(Code::OK, None, text.as_str()).is_err());
        assert!(Reply::new(Code::OK, None, format!("x\n{text}")).is_err());
        assert!(Domain::new(text.as_str()).is_err() && Host::parse(&text).is_err());
        assert!(
            LocalPart::parse(&text).is_err() && LocalPart::from_unquoted(text.as_str()).is_err()
        );
        assert!(LocalPart::parse(&format!("\"{text}\"")).is_err());
        let mut parameters = Parameters::NONE;
        assert!(parameters.push("X", Some(&text)).is_err());
        for address in [format!("{text}@c.example"), format!("a@{text}.example")] {
            assert!(Mailbox::parse(&address).is_err());
            assert!(ReversePath::parse(&format!("<{address}>")).is_err());
            assert!(ForwardPath::parse(&format!("<{address}>")).is_err());
            assert!(Envelope::new(&address, &["bob@example.net"]).is_err());
            assert!(Envelope::new("", &[&address]).is_err());
        }
        assert_eq!(Text::lossy(&text).as_str(), "a?b");
    }
    for text in ["MÜLLER", "20°", "“Ann”", "例え"] {
        assert!(Text::new(text).is_ok() && Argument::new(text).is_ok(), "{text}");
        assert!(Mailbox::parse(&format!("{text}@{text}.example")).is_ok(), "{text}");
    }
}

/// RFC 5198 section 2: the application is not asked; with the switch it is, and the lenience is reported.
#[test]
fn an_address_with_a_control_character_reaches_no_application() {
    for (is_admitted, code) in [(false, "501"), (true, "250")] {
        let lenience = match is_admitted {
            true => Lenience::default().with_unicode_controls(),
            false => Lenience::default(),
        };
        let config = server().with_lenience(lenience);
        let mut by_hand = ByHand::after_hello(config, Security::CLEAR, |experience, event| {
            if let Event::Mail(mail) = &event {
                let used = mail.facts().forgiven().names().collect::<Vec<_>>().join(" ");
                experience.log.push(format!("used {used}"));
            }
            experience.answer(event);
        });
        let said = by_hand.say("MAIL FROM:<a\u{9b}31m@b.example> SMTPUTF8\r\n".as_bytes());
        assert!(said.starts_with(code), "{said}");
        let is_asked = by_hand.experience.log.contains(&"used unicode_controls".to_owned());
        assert_eq!(is_asked, is_admitted);
        if !is_admitted {
            assert!(by_hand.say(b"MAIL FROM:<a@b.example>\r\n").starts_with("250"));
        }
        let said = by_hand.say("RCPT TO:<a@b\u{85}.example>\r\n".as_bytes());
        assert!(said.starts_with(code), "{said}");
    }
}

/// 6531-3.5-a: RFC 6531 section 3.5: 550 for MAIL, 553 for RCPT, X.6.7 for both.
#[test]
fn an_address_that_has_to_be_ascii_gets_550_or_553() {
    let experience = converse(
        server(),
        &utf8(
            "C: MAIL FROM:<ä@b.org>
             S: 550 5.6.7 Non-ASCII reverse-path without SMTPUTF8
             C: MAIL FROM:<a@ö.example> BODY=8BITMIME
             S: 550 5.6.7 Non-ASCII reverse-path without SMTPUTF8
             C: MAIL FROM:<a@b.org> BODY=8BITMIME
             S: 250 2.1.0 Ok
             C: RCPT TO:<ü@d.org>
             S: 553 5.6.7 Non-ASCII forward-path without SMTPUTF8
             C: RCPT TO:<c@ü.example>
             S: 553 5.6.7 Non-ASCII forward-path without SMTPUTF8
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok",
        ),
    );
    assert_eq!(experience.log.len(), 3, "{:?}", experience.log);
}

/// 6531-3.2-d: RFC 6531 section 3.2, RFC 6533 section 3: the type `utf-8`, in all of its three forms.
#[test]
fn with_dsn_the_original_recipient_may_be_utf8() {
    let extensions = [Extension::SmtpUtf8, Extension::EightBitMime, Extension::Dsn];
    let script = r"C: MAIL FROM:<a@b.org> SMTPUTF8 RET=HDRS
         S: 250 Ok
         C: RCPT TO:<c@d.org> ORCPT=utf-8;gr\x{FC}\x{DF}e@d.org
         S: 250 Ok
         C| RCPT TO:<c@d.org> ORCPT=utf-8;gr\xc3\xbc\xc3\x9fe@d.org\r\n
         S: 250 Ok
         C| RCPT TO:<gr\xc3\xbc\xc3\x9fe@d.org> NOTIFY=DELAY ORCPT=UTF-8;gr\xc3\xbc\\x{DF}e@d.org\r\n
         S: 250 Ok
         C| RCPT TO:<c@d.org> ORCPT=rfc822;gr\xc3\xbc\xc3\x9fe@d.org\r\n
         S: 501 Not a value for this parameter";
    let experience = converse_with(
        offering(&extensions),
        &announcing("8BITMIME|SMTPUTF8|DSN", script),
        |experience, event| match event {
            Event::Rcpt(rcpt) => {
                let typed = rcpt.typed_parameters();
                let original = typed.original_recipient().unwrap();
                experience.log.push(original.to_string());
                rcpt.accept();
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(
        experience.log[2..],
        [r"utf-8;gr\x{FC}\x{DF}e@d.org", "utf-8;grüße@d.org", r"UTF-8;grü\x{DF}e@d.org"]
    );
}

fn sends(from: &str, to: &[&str], content: &str) -> Dialogue {
    let envelope = Envelope::new(from, to).unwrap();
    let content = content.as_bytes().to_vec();
    let facts = MessageFacts::scan(&content);
    Dialogue::new([Act::Send(Mail { envelope, facts, content, aborts: false })])
}

/// Sends to a server that offers SMTPUTF8 and 8BITMIME, with this MAIL.
fn sends_with(from: &str, to: &str, content: &str, mail: &str) {
    sends(from, &[to], content).plays(&format!(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250 SMTPUTF8
         C: MAIL FROM:{mail}
         C: RCPT TO:<{to}>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: {}.
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
        content.replace("\r\n", "\nC: ")
    ));
}

const ASCII: &str = "Subject: x\r\n\r\ny\r\n";
const UTF8_BODY: &str = "Subject: x\r\n\r\nü\r\n";
const UTF8_HEADER: &str = "Subject: ü\r\n\r\ny\r\n";

/// 6531-3.4-a: RFC 6531 section 3.4. Either path or the header section may need it.
#[test]
fn mail_declares_smtputf8_where_it_is_needed() {
    sends_with("ann@b.org", "grüße@d.org", ASCII, "<ann@b.org> SMTPUTF8");
    sends_with("ann@b.org", "c@bücher.example", ASCII, "<ann@b.org> SMTPUTF8");
    sends_with("ännchen@b.org", "c@d.org", ASCII, "<ännchen@b.org> SMTPUTF8");
    sends_with("", "ü@d.org", UTF8_BODY, "<> SMTPUTF8 BODY=8BITMIME");
    sends_with("ann@b.org", "c@d.org", UTF8_HEADER, "<ann@b.org> SMTPUTF8 BODY=8BITMIME");
}

/// 6531-3.4-b: RFC 6531 section 3.4. Octets above 127 in the body do not need it.
#[test]
fn mail_does_not_declare_smtputf8_where_it_is_not_needed() {
    sends_with("ann@b.org", "c@d.org", ASCII, "<ann@b.org>");
    sends_with("ann@b.org", "c@xn--bcher-kva.example", ASCII, "<ann@b.org>");
    sends_with("ann@b.org", "c@d.org", UTF8_BODY, "<ann@b.org> BODY=8BITMIME");
}

/// 6531-3.2-b: RFC 6531 sections 3.2 and 3.5. Not an octet of the transaction is sent.
#[test]
fn a_server_without_smtputf8_gets_nothing_beyond_ascii() {
    for (from, to, content) in [
        ("ännchen@b.org", "c@d.org", ASCII),
        ("ann@b.org", "c@bücher.example", ASCII),
        ("ann@b.org", "grüße@d.org", UTF8_BODY),
        ("ann@b.org", "c@d.org", UTF8_HEADER),
    ] {
        let notes = sends(from, &[to], content).plays(&after_offer(
            "PIPELINING|8BITMIME",
            "C: QUIT
             S: 221 bye
             C: (closed)",
        ));
        assert_eq!(notes[0], "not offered: the message needs SMTPUTF8, which is not offered");
    }
}

/// 6531-3.6-a: RFC 6531 section 3.6: the content passes as it is, and its body is declared for itself.
#[test]
fn octets_above_127_pass_in_header_and_body() {
    let message = "Subject: grüße 例え\r\nTo: <ü@d.org>\r\n\r\nä\r\n";
    sends_with("ann@b.org", "ü@d.org", message, "<ann@b.org> SMTPUTF8 BODY=8BITMIME");
    let experience = converse_with(
        server(),
        &utf8(&format!(
            "C: MAIL FROM:<ann@b.org> SMTPUTF8 BODY=8BITMIME
             S: 250 2.1.0 Ok
             C: RCPT TO:<ü@d.org>
             S: 250 2.1.5 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: {}.
             S: 250 2.0.0 queued",
            message.replace("\r\n", "\nC: ")
        )),
        |experience, event| {
            if let Event::Deliver(delivery) = &event {
                let envelope = delivery.envelope();
                experience.log.push(format!("{} {:?}", envelope.is_utf8(), envelope.body()));
            }
            experience.answer(event);
        },
    );
    assert_eq!(experience.messages[0].content, message.as_bytes());
    assert!(experience.log.contains(&"true Some(EightBitMime)".to_owned()), "{:?}", experience.log);
}

/// 6531-3.7.1-a: RFC 6531 section 3.7.1. Before EHLO it is unknown whether SMTPUTF8 is offered.
#[test]
fn the_client_calls_itself_in_ascii() {
    let error = client::Config::new("bücher.example").unwrap_err();
    assert_eq!(error.kind(), SyntaxErrorKind::NonAscii);
    let host = Host::parse("bücher.example").unwrap();
    assert!(client::Config::from_host(host.clone().into_owned()).is_err());
    #[cfg(feature = "idna")]
    {
        let config = client::Config::from_host(host.to_ascii().unwrap()).unwrap();
        Dialogue { config, ..Dialogue::new([]) }.plays(
            "S: 220 mx
             C: EHLO xn--bcher-kva.example
             S: 250 SMTPUTF8
             C: QUIT
             S: 221 bye
             C: (closed)",
        );
    }
    assert!(dialogue::config().host().is_ascii());
}

/// 6531-3.7.1-b: RFC 6531 section 3.7.1.
#[test]
fn the_server_calls_itself_in_ascii() {
    assert_eq!(
        server::Config::new("bücher.example").unwrap_err().kind(),
        SyntaxErrorKind::NonAscii
    );
    converse(
        server::Config::new("xn--bcher-kva.example").unwrap().with_extensions(Extensions::NONE),
        "S: 220 xn--bcher-kva.example ESMTP service ready
         C: EHLO client.example.net
         S: 250 xn--bcher-kva.example",
    );
}

/// 6531-3.7.3-a: RFC 6531 sections 3.7.3 and 4.3.
#[test]
fn trace_fields_show_that_smtputf8_was_used() {
    for (service, is_secure, is_authenticated, expected) in [
        (Service::Smtp, false, false, "UTF8SMTP"),
        (Service::Smtp, false, true, "UTF8SMTPA"),
        (Service::Smtp, true, false, "UTF8SMTPS"),
        (Service::Smtp, true, true, "UTF8SMTPSA"),
        (Service::Submission, true, true, "UTF8SMTPSA"),
        (Service::Lmtp, false, false, "UTF8LMTP"),
        (Service::Lmtp, false, true, "UTF8LMTPA"),
        (Service::Lmtp, true, false, "UTF8LMTPS"),
        (Service::Lmtp, true, true, "UTF8LMTPSA"),
    ] {
        let with = With { is_extended: true, is_secure, is_authenticated, is_utf8: true };
        assert_eq!(service.protocol(with), expected);
    }
    let transaction = |parameter: &str| {
        format!(
            "C: MAIL FROM:<a@b.org>{parameter}
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 2.0.0 queued\n"
        )
    };
    let experience = converse_with(
        server(),
        &utf8(&format!("{}{}", transaction(" SMTPUTF8"), transaction(""))),
        |experience, event| {
            if let Event::Deliver(delivery) = &event {
                experience.log.push(format!("with {}", delivery.facts().protocol()));
            }
            experience.answer(event);
        },
    );
    let with: Vec<_> =
        experience.log.iter().filter_map(|line| line.strip_prefix("with ")).collect();
    assert_eq!(with, ["UTF8SMTP", "ESMTP"]);
}

/// Handles events for a mailbox that has moved: mail for `here` is forwarded, mail for `away` is not.
fn moved(experience: &mut Experience, event: Event<'_>) {
    let away = || {
        let status = Status::new(1, 6).unwrap();
        Rejection::new(Code::USER_NOT_LOCAL, status, Text::literal("Try <ü@d.org>")).unwrap()
    };
    match event {
        Event::Rcpt(rcpt) => match rcpt.forward_path().to_string().as_str() {
            "<here@d.org>" => rcpt.accept_forwarding(Text::literal("To <ü@d.org>")),
            "<ascii@d.org>" => rcpt.accept_forwarding(Text::literal("To <u@d.org>")),
            "<last@d.org>" => rcpt.reject_and_close(away()),
            _ => rcpt.reject(away()),
        },
        Event::Verify(verify) => match verify.text().as_str() {
            "ascii" => verify.accept(Mailbox::parse("u@d.org").unwrap().into_owned()),
            "away" => verify.reject(away()),
            _ => verify.accept(Mailbox::parse("ü@d.org").unwrap().into_owned()),
        },
        Event::Expand(expand) => {
            let members = ["u@d.org", "o@ö.example"];
            let members = members.map(|member| Mailbox::parse(member).unwrap().into_owned());
            expand.accept(members.to_vec());
        }
        other => experience.answer(other),
    }
}

/// 6531-3.7.4.1-a: RFC 6531 section 3.7.4.1.
#[test]
fn a_forwarding_address_beyond_ascii_is_sent_only_after_smtputf8() {
    converse_with(
        server(),
        &utf8(
            "C: MAIL FROM:<a@b.org> SMTPUTF8
             S: 250 2.1.0 Ok
             C: RCPT TO:<here@d.org>
             S: 251 2.5.0 To <ü@d.org>
             C: RCPT TO:<away@d.org>
             S: 551 5.1.6 Try <ü@d.org>
             C: RSET
             S: 250 2.0.0 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<here@d.org>
             S: 250 2.1.5 Ok
             C: RCPT TO:<ascii@d.org>
             S: 251 2.5.0 To <u@d.org>
             C: RCPT TO:<away@d.org>
             S: 550 5.6.8 User not local, and the address cannot be sent without SMTPUTF8
             C: RCPT TO:<last@d.org>
             S: 550 5.6.8 User not local, and the address cannot be sent without SMTPUTF8
             S: (closed)",
        ),
        moved,
    );
}

/// 6531-3.7.4.2-a: RFC 6531 section 3.7.4.2.
#[test]
fn a_lookup_without_smtputf8_is_answered_in_ascii() {
    converse_with(
        server(),
        &utf8(
            "C: VRFY uwe
             S: 252 2.6.8 The answer cannot be sent without SMTPUTF8
             C: VRFY ascii
             S: 250 2.1.5 <u@d.org>
             C: VRFY away
             S: 550 5.6.8 User not local, and the address cannot be sent without SMTPUTF8
             C: EXPN list
             S: 252 2.6.8 The answer cannot be sent without SMTPUTF8
             C: MAIL FROM:<a@b.org> SMTPUTF8
             S: 250 2.1.0 Ok
             C: VRFY uwe
             S: 252 2.6.8 The answer cannot be sent without SMTPUTF8",
        ),
        moved,
    );
}

/// RFC 6531 section 3.7.4.2: the parameter counts for the command that has it.
#[test]
fn a_lookup_with_smtputf8_is_answered_in_utf8() {
    converse_with(
        server(),
        &utf8(
            "C: VRFY uwe SMTPUTF8
             S: 250 2.1.5 <ü@d.org>
             C: VRFY away smtputf8
             S: 551 5.1.6 Try <ü@d.org>
             C: EXPN list SMTPUTF8
             S: 250-2.1.5 <u@d.org>
             S: 250 2.1.5 <o@ö.example>
             C: VRFY uwe
             S: 252 2.6.8 The answer cannot be sent without SMTPUTF8",
        ),
        moved,
    );
}

/// RFC 6531 section 3.7.4.2, RFC 5321 section 2.4.
#[test]
fn lookups_beyond_ascii_are_not_sent_where_smtputf8_is_not_offered() {
    let asks = |user: &'static str| Dialogue::new([Act::Vrfy(user)]);
    let opening = "S: 220 mx\nC: EHLO me.example.org\n";
    let end = "C: QUIT\nS: 221 bye\nC: (closed)";
    let script = format!("{opening}S: 250 mx\n{end}");
    assert!(asks("Jürgen").plays(&script)[0].starts_with("not offered: "));
    let script = format!(
        "{opening}S: 250-mx\nS: 250-8BITMIME\nS: 250 SMTPUTF8\nC: VRFY Jürgen\nS: 252 perhaps\n{end}"
    );
    assert!(asks("Jürgen").plays(&script).iter().all(|note| !note.contains("not offered")));
}
