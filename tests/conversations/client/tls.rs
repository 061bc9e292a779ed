//! STARTTLS of a client (RFC 3207).

use crate::dialogue::{Act, BOB, Dialogue, after_offer, mail};
use esmtp::{
    client::{Client, Config, Event, TlsPolicy},
    machine::{Machine, Need, Upgradable},
    security::Security,
    time::Instant,
};

fn required(config: Config) -> Config {
    config.with_tls(TlsPolicy::Required)
}

fn if_offered(config: Config) -> Config {
    config.with_tls(TlsPolicy::IfOffered)
}

/// 3207-4.2-c, 3207-4.2-d, 3207-4.2-g: RFC 3207 sections 4, 4.2: the session is opened anew, the first
/// list is forgotten, and there is no second STARTTLS.
#[test]
fn the_session_begins_anew_inside_tls() {
    let dialogue = Dialogue::new([Act::StartTls, Act::Send(mail(&[BOB], "x\r\n"))]).with(required);
    let notes = dialogue.plays(&after_offer(
        "PIPELINING|CHUNKING|STARTTLS",
        "C: STARTTLS
         S: 220 go
         (secured)
         C: EHLO me.example.org
         S: 250-mx
         S: 250-SIZE
         S: 250 STARTTLS
         C: MAIL FROM:<ann@example.org> SIZE=3
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
    assert_eq!(
        notes,
        [
            "not offered: the message needs STARTTLS, which is not offered",
            "0: <bob@example.net> 250 taken",
            "end: the session was ended with QUIT"
        ]
    );
}

/// 3207-6-a, 3207-6-c: RFC 3207 section 6.
#[test]
fn required_tls_that_is_not_offered_or_refused_ends_the_session() {
    let dialogue = Dialogue::sends(&[BOB], "x\r\n").with(required);
    for (offered, end) in [
        ("S: 250 SIZE", "TLS is required and not offered"),
        (
            "S: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 not now",
            "TLS is required and the server rejected it: 454 4.7.0 not now",
        ),
        (
            "S: 250 STARTTLS\nC: STARTTLS\nS: 502 what",
            "TLS is required and the server rejected it: 502 what",
        ),
    ] {
        let notes = dialogue.plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             {offered}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes, [format!("end: {end}")]);
    }
    // HELO, after which there is no TLS, is not tried.
    let notes = dialogue.plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 502 what
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(notes, ["end: the server refused to go on with the session: 502 what"]);
}

/// The reason for which TLS is not used stays the end of the session, though no reply to QUIT comes.
#[test]
fn a_missing_reply_to_quit_does_not_hide_why_tls_failed() {
    for (offered, rejection, end) in [
        ("", "", "end: TLS is required and not offered"),
        (
            "STARTTLS",
            "C: STARTTLS\nS: 454 4.7.0 not now\n",
            "end: TLS is required and the server rejected it: 454 4.7.0 not now",
        ),
    ] {
        let notes = Dialogue::sends(&[BOB], "x\r\n")
            .with(required)
            .plays(&after_offer(offered, &format!("{rejection}C: QUIT\n(300 s)\nC: (closed)")));
        assert_eq!(notes, [end]);
    }
}

/// 3207-6-b: RFC 3207 section 4.1: to go on in the clear is a decision.
#[test]
fn a_rejected_starttls_is_a_question_if_tls_is_not_required() {
    for (policy, acts) in [
        (TlsPolicy::IfOffered, vec![Act::Send(mail(&[BOB], ""))]),
        (TlsPolicy::Never, vec![Act::StartTls, Act::Send(mail(&[BOB], ""))]),
    ] {
        let notes = Dialogue::new(acts).with(|config| config.with_tls(policy)).plays(&after_offer(
            "STARTTLS",
            "C: STARTTLS
             S: 454 4.7.0 not now
             C: MAIL FROM:<ann@example.org>
             S: 550 no
             C: QUIT
             S: 221 bye
             C: (closed)",
        ));
        assert_eq!(notes[0], "STARTTLS refused: 454 4.7.0 not now");
    }
    let notes = Dialogue::new([Act::StartTls]).with(if_offered).plays(&after_offer(
        "",
        "C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes[0], "not offered: the message needs STARTTLS, which is not offered");
}

/// 3207-4.2-i: RFC 3207 section 6: response injection, whole lines and parts of them.
#[test]
fn octets_after_the_220_end_the_session() {
    for policy in [TlsPolicy::Required, TlsPolicy::IfOffered] {
        let dialogue = Dialogue::sends(&[BOB], "x\r\n").with(|config| config.with_tls(policy));
        for injected in ["250-evil\nS: 250 AUTH PLAIN", "", "2", "235 2.7.0 ok", "421 bye"] {
            let notes = dialogue.plays(&format!(
                "S: 220 mx
                 C: EHLO me.example.org
                 S: 250-mx
                 S: 250 STARTTLS
                 C: STARTTLS
                 S: 220 go
                 S: {injected}
                 C: (closed)"
            ));
            assert_eq!(notes, ["end: octets follow the reply to STARTTLS"], "{injected}");
        }
    }
}

/// 3207-4-d: RFC 3207 section 4: no QUIT in the clear either.
#[test]
fn a_failed_handshake_ends_the_session() {
    for policy in [TlsPolicy::Required, TlsPolicy::IfOffered] {
        let dialogue = Dialogue::sends(&[BOB], "").with(|config| config.with_tls(policy));
        let opening = "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 STARTTLS
             C: STARTTLS";
        for (last, end) in [
            ("S: 220 go\n(not secured)", "TLS failed: the peer sent octets that are not TLS"),
            ("S: 220 go\nS: (closed)", "the server closed the connection"),
            (
                "S: 250 ok",
                "the server answered with a reply code that does not belong to the command: 250 ok",
            ),
            (
                "S: 354 ok",
                "the server answered with a reply code that does not belong to the command: 354 ok",
            ),
            ("S: 421 bye", "the server refused to go on with the session: 421 bye"),
        ] {
            let notes = dialogue.plays(&format!("{opening}\n{last}\nC: (closed)"));
            assert_eq!(notes, [format!("end: {end}")], "{last}");
        }
    }
}

/// 8314-3.3-a: RFC 8314 section 3.3: the handshake comes before the greeting.
#[test]
fn implicit_tls_sends_no_starttls() {
    let mut client = Client::new(required(Config::new("me.example.org").unwrap()), Security::CLEAR);
    client.upgraded(Security::TLS);
    client.feed(b"220 mx\r\n");
    assert!(matches!(client.poll(Instant::ORIGIN), Need::Either(_)));
    client.sent(b"EHLO me.example.org\r\n".len());
    client.feed(b"250-mx\r\n250 STARTTLS\r\n");
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    assert!(!client.is_upgrading());
    assert!(matches!(client.event(), Some(Event::Ready(_))));
}

/// A transaction that the server may still hold is ended before STARTTLS and AUTH.
#[test]
fn a_reset_comes_before_starttls() {
    let dialogue = Dialogue::new([Act::Send(mail(&[BOB], "")), Act::StartTls]);
    let notes = dialogue.plays(&after_offer(
        "STARTTLS",
        "C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 550 no
         C: RSET
         S: 250 ok
         C: STARTTLS
         S: 220 go
         (secured)
         C: EHLO me.example.org
         S: 250 mx
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes[0], "0: <bob@example.net> 550 no");
}

/// A client that is driven by itself, and not inside a TLS layer, says so.
#[test]
fn a_client_without_a_tls_layer_reports_that_it_has_none() {
    let mut client = Client::new(required(Config::new("me.example.org").unwrap()), Security::CLEAR);
    for octets in ["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n"] {
        client.feed(octets.as_bytes());
        while let Need::Either(_) = client.poll(Instant::ORIGIN) {
            client.sent(99);
        }
    }
    client.event().unwrap().quit();
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    assert_eq!(client.end(), Some(&esmtp::client::End::NoTlsLayer));
    assert!(client.end().unwrap().to_string().contains("no TLS layer"));
}
