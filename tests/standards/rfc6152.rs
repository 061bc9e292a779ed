//! RFC 6152: 8BITMIME.

use crate::{
    common::{HELLO, config, converse},
    dialogue::{Act, Dialogue, Mail, mail},
};
use esmtp::client::{Config, MessageFacts};

/// 6152-2-a
#[test]
fn eight_bit_mime_is_announced_without_parameters() {
    converse(config(), HELLO);
    assert!(HELLO.contains("S: 250-8BITMIME\n"));
}

/// 6152-3-b: also without BODY, which not every client knows.
#[test]
fn every_octet_arrives_as_it_was_sent() {
    let octets: Vec<u8> =
        (0..=u8::MAX).filter(|octet| !matches!(octet, 0 | b'\r' | b'\n')).collect();
    let content: Vec<u8> = [&octets[..], b"\r\n"].concat();
    let escaped: String = content.iter().map(|octet| format!("\\x{octet:02x}")).collect();
    for body in ["", " BODY=8BITMIME", " BODY=7BIT"] {
        let experience = converse(
            config(),
            &format!(
                "{HELLO}
                 C: MAIL FROM:<a@b.org>{body}
                 S: 250 2.1.0 Ok
                 C: RCPT TO:<c@d.org>
                 S: 250 2.1.5 Ok
                 C: DATA
                 S: 354 Start mail input; end with <CRLF>.<CRLF>
                 C| {escaped}
                 C: .
                 S: 250 2.0.0 queued"
            ),
        );
        assert_eq!(experience.messages[0].content, content, "{body}");
    }
}

/// 6152-3-f
#[test]
fn body_is_given_once_and_has_a_known_value() {
    converse(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@b.org> BODY=8BITMIME BODY=8BITMIME
             S: 501 5.5.4 The same parameter twice
             C: MAIL FROM:<a@b.org> BODY=7BIT body=8BITMIME
             S: 501 5.5.4 The same parameter twice
             C: MAIL FROM:<a@b.org> BODY=9BIT
             S: 501 5.5.4 Not a value for this parameter
             C: MAIL FROM:<a@b.org> BODY
             S: 501 5.5.4 This parameter needs a value
             C: RCPT TO:<c@d.org>
             S: 503 5.5.1 MAIL was refused
             C: MAIL FROM:<a@b.org> body=8bitmime
             S: 250 2.1.0 Ok"
        ),
    );
}

const EIGHT_BIT: &str = "MIME-Version: 1.0\r\n\r\ncaf\u{e9}\r\n";

fn opening(extension: &str) -> String {
    format!("S: 220 mx\nC: EHLO me.example.org\nS: 250-mx\nS: 250 {extension}\n")
}

/// 6152-3-d, 5321-2.4-e: neither what was scanned nor what turns out so while it is written.
#[test]
fn eight_bit_content_is_not_sent_where_it_is_not_offered() {
    let quit = "C: QUIT\nS: 221 bye\nC: (closed)";
    let notes = Dialogue::sends(&["bob@example.net"], EIGHT_BIT)
        .plays(&format!("{}{quit}", opening("HELP")));
    assert_eq!(notes[0], "not offered: the message needs 8BITMIME, which is not offered");
    let unknown =
        Mail { facts: MessageFacts::UNKNOWN, ..mail(&["bob@example.net"], "caf\u{e9}\r\n") };
    let notes = Dialogue::new([Act::Send(unknown)]).plays(&format!(
        "{}
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: (closed)",
        opening("HELP")
    ));
    assert_eq!(
        notes,
        [
            "content: an octet above 127 at octet 3 of the content, and 8BITMIME is not in use",
            "0: <bob@example.net> untried rest: <bob@example.net>",
            "end: content was aborted"
        ]
    );
    // In chunks there is no end to be held back: RSET or QUIT drops what was not sent.
    let unknown =
        Mail { facts: MessageFacts::UNKNOWN, ..mail(&["bob@example.net"], "caf\u{e9}\r\n") };
    let notes = Dialogue::new([Act::Send(unknown)]).plays(&format!(
        "{}
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         {quit}",
        opening("CHUNKING")
    ));
    assert_eq!(
        notes[..2],
        [
            "content: an octet above 127 at octet 3 of the content, and 8BITMIME is not in use",
            "0: <bob@example.net> untried rest: <bob@example.net>",
        ]
    );
}

/// 6152-3-e: and only then.
#[test]
fn body_is_declared_with_eight_bit_content() {
    for (content, body) in [(EIGHT_BIT, " BODY=8BITMIME"), ("Subject: x\r\n\r\ncafe\r\n", "")] {
        let lines: String = content.lines().map(|line| format!("C: {line}\n")).collect();
        let notes = Dialogue::sends(&["bob@example.net"], content).plays(&format!(
            "{}
             C: MAIL FROM:<ann@example.org>{body}
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: DATA
             S: 354 go
             {lines}
             C: .
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)",
            opening("8BITMIME")
        ));
        assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
    }
}

/// 5321-2.4-i: RFC 5321 section 2.4, where the application asks for it; otherwise no text is
/// held back.
#[test]
fn eight_bit_mime_is_not_required_for_messages_without_mime() {
    const BARE: &str = "Subject: x\r\n\r\ncaf\u{e9}\r\n";
    let says = |content: &str, body: &str| {
        let lines: String = content.lines().map(|line| format!("C: {line}\n")).collect();
        format!(
            "{}
             C: MAIL FROM:<ann@example.org>{body}
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: DATA
             S: 354 go
             {lines}
             C: .
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)",
            opening("8BITMIME")
        )
    };
    let sends = |content: &str, requires_mime: bool| {
        Dialogue::sends(&["bob@example.net"], content).with(|config| match requires_mime {
            true => config.with_required_mime(),
            false => config.without_required_mime(),
        })
    };
    for requires_mime in [true, false] {
        for (content, body) in [(EIGHT_BIT, " BODY=8BITMIME"), ("Subject: x\r\n\r\ny\r\n", "")] {
            let notes = sends(content, requires_mime).plays(&says(content, body));
            assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
        }
    }
    let notes = sends(BARE, false).plays(&says(BARE, " BODY=8BITMIME"));
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
    let refused = format!("{}C: QUIT\nS: 221 bye\nC: (closed)", opening("8BITMIME"));
    let notes = sends(BARE, true).plays(&refused);
    assert_eq!(notes[0], "not offered: the message holds octets above 127 and is not MIME");
    // Of content that was not scanned, nothing is known.
    let unknown = Mail { facts: MessageFacts::UNKNOWN, ..mail(&["bob@example.net"], BARE) };
    Dialogue::new([Act::Send(unknown)])
        .with(Config::with_required_mime)
        .plays(&says(BARE, " BODY=8BITMIME"));
}
