//! The greeting and the hello of a client.

use crate::dialogue::{BOB, Dialogue};
use esmtp::{
    client::{Client, Config},
    machine::{Machine, Need},
    security::Security,
    service::Service,
    time::Instant,
};

/// RFC 5321 section 3.2; after HELO no extension is used.
/// 5321-2.2.1-c, 5321-3.2-b, 5321-3.2-c
#[test]
fn helo_follows_a_rejected_ehlo() {
    for code in ["500", "501", "502", "503", "504", "530", "550", "554", "599"] {
        let notes = Dialogue::sends(&[BOB], "\r\ncaf\u{e9}\r\n").plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: {code} what?
             C: HELO me.example.org
             S: 250 hello
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes[0], "not offered: the message needs 8BITMIME, which is not offered");
    }
    let notes = Dialogue::sends(&[BOB], "x\r\n").plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 502 what?
         C: HELO me.example.org
         S: 250-hello
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
}

/// RFC 5321 section 3.2: an old server may refuse EHLO with any 5yz, and what it says to HELO then, or
/// by closing, is not why it refuses.
/// 5321-3.2-b
#[test]
fn the_rejection_of_ehlo_is_reported_if_helo_fails_too() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 554 5.7.1 not you";
    let end = "end: the server refused to go on with the session: 554 5.7.1 not you";
    for failure in [
        "C: HELO me.example.org\nS: 502 what?\nC: QUIT\nS: 221 bye",
        "C: HELO me.example.org\nS: 450 later\nC: QUIT\nS: 221 bye",
        "C: HELO me.example.org\nS: 421 4.3.2 later",
        "C: HELO me.example.org\nS: (closed)",
        "C: HELO me.example.org\nS: (cut off)",
        "C: (broken)\nS: (cut off)",
    ] {
        let notes = Dialogue::sends(&[BOB], "x\r\n")
            .plays_whole(&format!("{opening}\n{failure}\nC: (closed)"));
        assert_eq!(notes, [end], "{failure}");
    }
    // The connection is closed together with the refusal, so that HELO cannot be sent.
    let mut client = Client::new(crate::dialogue::config(), Security::CLEAR);
    for octets in ["220 mx\r\n", "554 5.7.1 not you\r\n"] {
        while let Need::Either(_) = client.poll(Instant::ORIGIN) {
            client.sent(99);
        }
        assert_eq!(client.feed(octets.as_bytes()), octets.len());
    }
    client.closed(esmtp::machine::Closed::Clean);
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    assert_eq!(format!("end: {}", client.end().unwrap()), end);
    // Where HELO is accepted, its reply counts.
    let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&format!(
        "{opening}
         C: HELO me.example.org
         S: 250 hello
         C: MAIL FROM:<ann@example.org>
         S: (closed)
         C: (closed)"
    ));
    assert_eq!(notes.last().unwrap(), "end: the server closed the connection");
}

/// After HELO there is no TLS, no AUTH and no extension.
/// 5321-3.2-b, 2033-4.1-e
#[test]
fn helo_is_not_tried_if_extensions_are_required() {
    use esmtp::{client::TlsPolicy, syntax::Extension};
    type Change = fn(Config) -> Config;
    for (change, verb) in [
        ((|config| config.with_tls(TlsPolicy::Required)) as Change, "EHLO"),
        (|config| config.with_required(Extension::Auth), "EHLO"),
        (|config| config.with_required(Extension::SmtpUtf8), "EHLO"),
        (|config| config.with_service(Service::Submission).with_tls(TlsPolicy::Never), "EHLO"),
        (|config| config.with_service(Service::Lmtp), "LHLO"),
    ] {
        for code in ["500", "502", "550", "554"] {
            let notes = Dialogue::sends(&[BOB], "x\r\n").with(change).plays(&format!(
                "S: 220 mx
                 C: {verb} me.example.org
                 S: {code} what?
                 C: QUIT
                 S: 221 bye
                 C: (closed)"
            ));
            let end = format!("end: the server refused to go on with the session: {code} what?");
            assert_eq!(notes, [end]);
        }
    }
}

/// 5321-3.1-e
#[test]
fn a_server_that_rejects_the_session_gets_quit() {
    for (script, refusal) in [
        ("S: 554 5.7.1 no service here", "554 5.7.1 no service here"),
        ("S: 450 4.3.2 not now", "450 4.3.2 not now"),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 450 4.7.1 not now",
            "450 4.7.1 not now",
        ),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 521 5.3.2 no mail here",
            "521 5.3.2 no mail here",
        ),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 550 5.7.1 go away
             C: HELO me.example.org
             S: 502 what?",
            "550 5.7.1 go away",
        ),
    ] {
        let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&format!(
            "{script}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        let end = [format!("end: the server refused to go on with the session: {refusal}")];
        assert_eq!(notes, end);
        // The reply to QUIT never comes, nor the end of the connection.
        let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&format!(
            "{script}
             C: QUIT
             (300 s)
             C: (closed)"
        ));
        assert_eq!(notes, end);
    }
}

/// A session that the application has ended has no other reason: without a reply to QUIT it took too long.
#[test]
fn a_quit_of_the_application_without_a_reply_times_out() {
    let notes = Dialogue::new([]).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: QUIT
         (300 s)
         C: (closed)",
    );
    assert_eq!(notes, ["end: the server took too long"]);
}

/// RFC 5321 section 4.1.1.1: what cannot be understood is ignored.
#[test]
fn odd_ehlo_lists_do_no_harm() {
    for line in ["SIZE -1", "SIZE ", "SIZE 0", "XYZZY 1 2", "AUTH=LOGIN PLAIN", "SIZE=5", "!", ""] {
        let notes = Dialogue::sends(&[BOB], "x\r\n").plays_whole(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250-{line}
             S: 250 pipelining
             C: MAIL FROM:<ann@example.org>{}
             C: RCPT TO:<bob@example.net>
             C: DATA
             S: 250 ok
             S: 250 ok
             S: 354 go
             C: x
             C: .
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)",
            if line.starts_with("SIZE ") { " SIZE=3" } else { "" }
        ));
        assert_eq!(notes[0], "0: <bob@example.net> 250 ok", "{line}");
    }
}
