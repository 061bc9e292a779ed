//! Conversations of the client about STARTTLS and AUTH.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[path = "common/dialogue.rs"]
mod dialogue;
#[path = "common/overheard.rs"]
mod overheard;

use dialogue::{Act, Dialogue, mail};
#[cfg(feature = "scram")]
use esmtp::sasl::{NoCommonMechanism, Nonce};
use esmtp::{
    client::{Client, Config, Event, MessageFacts, TlsPolicy},
    envelope::Envelope,
    machine::{Machine, Need, Upgradable},
    sasl::{CramMd5Initiator, Credentials, Initiator, LoginInitiator, PlainInitiator},
    security::Security,
    service::Service,
    syntax::{Argument, UnknownVerb, Uri},
    time::Instant,
};
use overheard::overhear;

const BOB: &str = "bob@example.net";

fn required(config: Config) -> Config {
    config.with_tls(TlsPolicy::Required)
}

fn if_offered(config: Config) -> Config {
    config.with_tls(TlsPolicy::IfOffered)
}

/// 3207-4.2-c, 3207-4.2-d, 3207-4.2-g: RFC 3207 sections 4, 4.2: the session is opened anew, the first
/// list is forgotten, and there is no second STARTTLS.
#[test]
fn inside_tls_everything_begins_anew() {
    let dialogue = Dialogue::new([Act::StartTls, Act::Send(mail(&[BOB], "x\r\n"))]).with(required);
    let notes = dialogue.plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250-CHUNKING
         S: 250 STARTTLS
         C: STARTTLS
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
    );
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

/// RFC 8314 section 3.
#[test]
fn submission_is_inside_tls_unless_told_otherwise() {
    let dialogue = Dialogue::new([]).with(|config| config.with_service(Service::Submission));
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: QUIT
         S: 221 bye
         C: (closed)";
    assert_eq!(dialogue.plays(opening), ["end: TLS is required and not offered"]);
    let dialogue = dialogue.with(|config| config.with_tls(TlsPolicy::Never));
    assert_eq!(dialogue.plays(opening), ["end: the session was ended with QUIT"]);
}

/// 3207-6-b: RFC 3207 section 4.1: to go on in the clear is a decision.
#[test]
fn a_refused_starttls_is_a_question_where_tls_is_not_required() {
    for (policy, acts) in [
        (TlsPolicy::IfOffered, vec![Act::Send(mail(&[BOB], ""))]),
        (TlsPolicy::Never, vec![Act::StartTls, Act::Send(mail(&[BOB], ""))]),
    ] {
        let notes = Dialogue::new(acts).with(|config| config.with_tls(policy)).plays(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 STARTTLS
             C: STARTTLS
             S: 454 4.7.0 not now
             C: MAIL FROM:<ann@example.org>
             S: 550 no
             C: QUIT
             S: 221 bye
             C: (closed)",
        );
        assert_eq!(notes[0], "STARTTLS refused: 454 4.7.0 not now");
    }
    let notes = Dialogue::new([Act::StartTls]).with(if_offered).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(notes[0], "not offered: the message needs STARTTLS, which is not offered");
}

/// 3207-4.2-i: RFC 3207 section 6: response injection, whole lines and parts of them.
#[test]
fn octets_behind_the_220_end_the_session() {
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
fn a_failed_handshake_is_the_end() {
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
fn implicit_tls_asks_for_no_starttls() {
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
    let notes = dialogue.plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 STARTTLS
         C: MAIL FROM:<ann@example.org>
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
    );
    assert_eq!(notes[0], "0: <bob@example.net> 550 no");
}

// AUTH

fn secured(acts: impl IntoIterator<Item = Act>) -> Dialogue {
    Dialogue { security: Security::TLS, ..Dialogue::new(acts) }
}

fn plain_and_login() -> Vec<Box<dyn Initiator>> {
    vec![
        Box::new(LoginInitiator::new("test", "1234").unwrap()),
        Box::new(PlainInitiator::with_authzid(Some("test"), "test", "1234").unwrap()),
    ]
}

/// The password fills the line: 3 octets and so many.
fn long(octets: usize) -> Credentials {
    Credentials::password("a", &"x".repeat(octets))
}

/// RFC 4954 section 4, figure.
#[test]
fn the_strongest_common_mechanism_is_used() {
    let notes = secured([Act::Auth(plain_and_login), Act::Auth(plain_and_login)]).plays(
        "S: 220-smtp.example.com ESMTP Server
         S: 220 ready
         C: EHLO me.example.org
         S: 250-smtp.example.com Hello
         S: 250 AUTH GSSAPI LOGIN PLAIN
         C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=
         S: 235 2.7.0 Authentication successful
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes,
        [
            "not offered: the server offers no mechanism for these credentials",
            "end: the session was ended with QUIT"
        ],
        "RFC 4954 section 4: not twice"
    );
}

/// RFC 4954 section 4: no plaintext outside TLS.
#[test]
fn without_tls_or_a_common_mechanism_nothing_is_sent() {
    let credentials = Credentials::password("test", "1234");
    for (dialogue, offer, note) in [
        (
            Dialogue::new([Act::Auth(plain_and_login)]),
            "AUTH PLAIN LOGIN",
            "the mechanisms offered for these credentials need TLS",
        ),
        (
            Dialogue::new([Act::AuthAs(credentials.clone())]),
            "AUTH PLAIN LOGIN",
            "the mechanisms offered for these credentials need TLS",
        ),
        (
            Dialogue::new([Act::AuthBySteps("PLAIN", None, &[])]),
            "AUTH PLAIN LOGIN",
            "the mechanisms offered for these credentials need TLS",
        ),
        (
            secured([Act::Auth(plain_and_login)]),
            "AUTH GSSAPI",
            "the server offers no mechanism for these credentials",
        ),
        (
            secured([Act::AuthAs(credentials)]),
            "SIZE",
            "the server offers no mechanism for these credentials",
        ),
    ] {
        let notes = dialogue.plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 {offer}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes[0], format!("not offered: {note}"));
    }
}

/// 4422-3.3-a, 4954-4-q: RFC 4954 section 4: the command line has 512 octets; the rest comes after the
/// empty challenge.
#[test]
fn a_long_initial_response_waits_for_the_empty_challenge() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 AUTH PLAIN";
    let closing = "S: 235 ok
         C: QUIT
         S: 221 bye
         C: (closed)";
    // `AUTH PLAIN ` and CRLF leave 499: 496 of base64, for 372 octets.
    let fits = format!("\0a\0{}", "x".repeat(369));
    let base64 = esmtp::syntax::Base64::encode(fits.as_bytes());
    secured([Act::AuthAs(long(369))])
        .plays_whole(&format!("{opening}\nC: AUTH PLAIN {}\n{closing}", base64.as_str()));
    let fits_not = format!("\0a\0{}", "x".repeat(370));
    let base64 = esmtp::syntax::Base64::encode(fits_not.as_bytes());
    secured([Act::AuthAs(long(370))]).plays_whole(&format!(
        "{opening}\nC: AUTH PLAIN\nS: 334 \nC: {}\n{closing}",
        base64.as_str()
    ));
    // PLAIN has one message, whatever it is asked for with.
    for prompt in ["VXNlcm5hbWU6", "Username:"] {
        secured([Act::AuthAs(long(370))]).plays_whole(&format!(
            "{opening}\nC: AUTH PLAIN\nS: 334 {prompt}\nC: {}\n{closing}",
            base64.as_str()
        ));
    }
    // Success before it is not believed.
    let notes = secured([Act::AuthAs(long(370))]).plays_whole(&format!(
        "{opening}
         C: AUTH PLAIN
         S: 235 welcome
         C: QUIT
         S: 221 bye
         C: (closed)"
    ));
    assert_eq!(
        notes,
        [
            "end: authentication failed: the server announced success before the mechanism was complete"
        ]
    );
    // RFC 4954 section 4: 12288 octets at most.
    let notes = secured([Act::AuthAs(long(10_000))]).plays_whole(&format!(
        "{opening}
         C: AUTH PLAIN
         S: 334 \n
         C: *
         S: 501 cancelled
         C: QUIT
         S: 221 bye
         C: (closed)"
    ));
    assert_eq!(
        notes,
        ["end: authentication failed: a response is longer than the protocol allows"]
    );
}

/// 4954-4-m: RFC 4954 section 4: an empty initial response is a single `=`.
#[test]
fn an_empty_initial_response_is_an_equals_sign() {
    let notes = secured([Act::AuthAs(Credentials::external())]).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 AUTH EXTERNAL
         C: AUTH EXTERNAL =
         S: 235 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(notes.len(), 1);
}

/// Old servers prompt with text that is not base64, also for what they were sent with AUTH already: a
/// mechanism that ignores its challenges ignores that.
#[test]
fn prompts_in_plain_text_are_ignored_where_challenges_are() {
    let login = || vec![Box::new(LoginInitiator::new("test", "1234").unwrap()) as Box<_>];
    let plain = || vec![Box::new(PlainInitiator::new("test", "1234").unwrap()) as Box<_>];
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 AUTH LOGIN PLAIN EXTERNAL";
    let closing = "S: 235 ok\nC: QUIT\nS: 221 bye\nC: (closed)";
    for (user, password) in
        [("Username:", "Password:"), ("!!", "VXNl"), ("", ""), ("M\u{fc}ller?", "VXNlcm5hbWU")]
    {
        let notes = secured([Act::Auth(login)]).plays(&format!(
            "{opening}
             C: AUTH LOGIN
             S: 334 {user}
             C: dGVzdA==
             S: 334 {password}
             C: MTIzNA==
             {closing}"
        ));
        assert_eq!(notes, ["end: the session was ended with QUIT"]);
    }
    for prompt in ["Username:", "", "VXNlcm5hbWU6", "go ahead"] {
        for (act, line, message) in [
            (Act::Auth(plain), "PLAIN AHRlc3QAMTIzNA==", "AHRlc3QAMTIzNA=="),
            (Act::AuthAs(Credentials::external()), "EXTERNAL =", ""),
        ] {
            let asked = format!("{opening}\nC: AUTH {line}\nS: 334 {prompt}\nC: {message}");
            let notes = secured([act.clone()]).plays(&format!("{asked}\n{closing}"));
            assert_eq!(notes, ["end: the session was ended with QUIT"], "{line}, {prompt}");
            // Once.
            let notes = secured([act]).plays(&format!(
                "{asked}\nS: 334 {prompt}\nC: *\nS: 501 ok\nC: QUIT\nS: 221 bye\nC: (closed)"
            ));
            assert_eq!(
                notes,
                [
                    "end: authentication failed: the server sent a challenge that the mechanism does not have"
                ]
            );
        }
    }
    // By hand the prompt is the application's to read.
    let notes = secured([Act::AuthBySteps("LOGIN", None, &["dGVzdA==", "MTIzNA=="])]).plays(
        &format!("{opening}\nC: AUTH LOGIN\nS: 334 Username:\nC: ZEdWemRBPT0=\nS: 334 x\nC: TVRJek5BPT0=\n{closing}"),
    );
    assert!(notes[0].contains("Username:"), "{notes:?}");
}

/// A client that is driven by itself, and not inside a TLS layer, says so.
#[test]
fn a_client_without_a_tls_layer_says_what_it_has_not() {
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

/// RFC 4954 section 6: a refusal is data, and the session goes on.
#[test]
fn a_refused_authentication_is_a_question() {
    for refusal in ["535 5.7.8 no", "454 4.7.0 later", "504 5.5.4 what"] {
        let login = || vec![Box::new(LoginInitiator::new("test", "1234").unwrap()) as Box<_>];
        let notes = secured([Act::Auth(plain_and_login), Act::Auth(login)]).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 AUTH PLAIN LOGIN
             C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=
             S: {refusal}
             C: AUTH LOGIN
             S: 334 VXNlcm5hbWU6
             C: dGVzdA==
             S: 334 UGFzc3dvcmQ6
             C: MTIzNA==
             S: 235 2.7.0 ok
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes[0], format!("AUTH refused: {refusal}"));
        assert_eq!(notes.len(), 2);
    }
}

/// 4954-4-j: RFC 4954 section 4, RFC 5802 section 5: what a server may not do is the end, and a challenge
/// that is not base64 is answered with `*`.
#[test]
fn a_server_that_cheats_is_left() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 AUTH LOGIN";
    for (dialogue, end) in [
        ("S: 235 come in", "the server announced success before the mechanism was complete"),
        ("S: 334-VXNl\nS: 334 VXNl\nC: *\nS: 501 as you like", "a challenge is not base64"),
        (
            "S: 334 VXNl\nC: dGVzdA==\nS: 334 VXNl\nC: MTIzNA==\nS: 334 VXNl\nC: *\nS: 535 no",
            "the server sent a challenge that the mechanism does not have",
        ),
    ] {
        let login = || vec![Box::new(LoginInitiator::new("test", "1234").unwrap()) as Box<_>];
        let notes = secured([Act::Auth(login)]).plays(&format!(
            "{opening}
             C: AUTH LOGIN
             {dialogue}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes, [format!("end: authentication failed: {end}")], "{dialogue}");
    }
    for dialogue in [
        "S: 334 !!\nC: *\nS: 501 as you like",
        "S: 334 VXNlcm5hbWU\nC: *\nS: 501 as you like",
        "S: 334 Username:\nC: *\nS: 501 as you like",
        "S: 334 !!\nC: *\nS: 235 come in",
    ] {
        let cram = || vec![Box::new(CramMd5Initiator::new("test", "1234").unwrap()) as Box<_>];
        let notes = secured([Act::Auth(cram)]).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 AUTH CRAM-MD5
             C: AUTH CRAM-MD5
             {dialogue}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes, ["end: authentication failed: a challenge is not base64"], "{dialogue}");
    }
    for reply in ["250 ok", "354 go", "220 go"] {
        let login = || vec![Box::new(LoginInitiator::new("test", "1234").unwrap()) as Box<_>];
        let notes = secured([Act::Auth(login)])
            .plays(&format!("{opening}\nC: AUTH LOGIN\nS: {reply}\nC: (closed)"));
        assert_eq!(
            notes,
            [format!(
                "end: the server answered with a reply code that does not belong to the command: {reply}"
            )]
        );
    }
}

/// A mechanism of the application's own, with everything that may happen to it.
#[test]
fn challenges_can_be_answered_by_hand() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 AUTH X-OWN";
    let notes =
        secured([Act::AuthBySteps("X-OWN", Some("first"), &["one", "", "*"])]).plays(&format!(
            "{opening}
             C: AUTH X-OWN Zmlyc3Q=
             S: 334 AAE=
             C: b25l
             S: 334
             C:
             S: 334 eA==
             C: *
             S: 501 5.0.0 cancelled
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    assert_eq!(
        notes,
        [
            "challenge: \\x00\\x01",
            "challenge: ",
            "challenge: x",
            "AUTH refused: 501 5.0.0 cancelled",
            "end: the session was ended with QUIT"
        ]
    );
    let notes = secured([Act::AuthBySteps("X-OWN", None, &["1"; 9])]).plays_whole(&format!(
        "{opening}
         C: AUTH X-OWN
         {}
         S: 334 eA==
         C: *
         S: 501 cancelled
         C: QUIT
         S: 221 bye
         C: (closed)",
        "S: 334 eA==\nC: MQ==\n".repeat(8)
    ));
    assert_eq!(
        notes.last().unwrap(),
        "end: authentication failed: the server sent too many challenges"
    );
    let notes = secured([Act::AuthBySteps("X-OWN", None, &[])])
        .plays(&format!("{opening}\nC: AUTH X-OWN\nS: 235 ok\nC: QUIT\nS: 221 bye\nC: (closed)"));
    assert_eq!(notes, ["end: the session was ended with QUIT"]);
}

#[test]
fn a_connection_that_is_lost_under_authentication_is_lost() {
    for (last, end) in [
        ("S: (cut off)", "the server closed the connection"),
        ("S: 421 4.7.0 enough", "the server refused to go on with the session: 421 4.7.0 enough"),
        ("(300 s)", "the server took too long"),
    ] {
        let notes = secured([Act::Auth(plain_and_login)]).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 AUTH PLAIN
             C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=
             {last}
             C: (closed)"
        ));
        assert_eq!(notes, [format!("end: {end}")]);
    }
}

#[cfg(feature = "scram")]
mod scram {
    use super::{Act, Credentials, secured};
    use esmtp::sasl::{
        Channel, Nonce, Question, Step, Verifier,
        scram::{Decoy, Hash, Keys, ScramVerifier},
    };
    use esmtp::syntax::Base64;

    fn base64(octets: &[u8]) -> String {
        Base64::encode(octets).as_str().to_owned()
    }

    /// What goes over the wire with the nonce of the dialogues: client-first, server-first,
    /// client-final, server-final.
    fn exchange() -> [String; 4] {
        use esmtp::sasl::Initiator;
        let credentials = Credentials::password("user", "pencil");
        let offered = [esmtp::sasl::Mechanism::SCRAM_SHA_256];
        let mut client: Box<dyn Initiator> =
            credentials.strongest(&offered, &Channel::tls(), super::dialogue::NONCE()).unwrap();
        let keys = Keys::derive(Hash::Sha256, "pencil", *b"saltsaltsaltsalt", 4096).unwrap();
        let mut server = ScramVerifier::new(Hash::Sha256, Nonce::new([2; 18]), Decoy::new([3; 32]));
        let first = client.initial_response().unwrap().unwrap();
        assert!(matches!(server.step(Some(first.expose())), Step::Ask));
        let Some(Question::Keys(question)) = server.question() else { panic!() };
        question.supply(keys);
        let Step::Challenge(server_first) = server.resume() else { panic!() };
        let last = client.respond(&server_first).unwrap();
        let Step::Proved(proven) = server.step(Some(last.expose())) else { panic!() };
        [
            base64(first.expose()),
            base64(&server_first),
            base64(last.expose()),
            base64(proven.success_data().unwrap()),
        ]
    }

    const OPENING: &str = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 AUTH PLAIN SCRAM-SHA-256";

    /// 4422-3.6-b, 5802-5.1-i, 5802-5.1-j: RFC 5802 section 5, RFC 4954 section 4: the server's proof comes in a
    /// challenge of its own, and the client answers it with an empty line.
    #[test]
    fn success_counts_when_the_server_has_proven_itself() {
        let [client_first, server_first, client_final, server_final] = exchange();
        let act = || Act::AuthAs(Credentials::password("user", "pencil"));
        let notes = secured([act()]).plays_whole(&format!(
            "{OPENING}
             C: AUTH SCRAM-SHA-256 {client_first}
             S: 334 {server_first}
             C: {client_final}
             S: 334 {server_final}
             C:
             S: 235 2.7.0 ok
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes, ["end: the session was ended with QUIT"]);
        let forged = base64(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let refused = base64(b"e=invalid-proof");
        for (behind, notes) in [
            (
                "S: 235 2.7.0 trust me\nC: QUIT".to_owned(),
                &["end: authentication failed: \
                   the server announced success before the mechanism was complete"][..],
            ),
            (
                format!("S: 334 {forged}\nC: *\nS: 501 ok\nC: QUIT"),
                &["end: authentication failed: the server's signature is wrong"],
            ),
            (
                format!("S: 334 {forged}\nC: *\nS: 235 ok\nC: QUIT"),
                &["end: authentication failed: the server's signature is wrong"],
            ),
            (
                format!("S: 334 {refused}\nC: *\nS: 535 5.7.8 no\nC: QUIT"),
                &["AUTH refused: 535 5.7.8 no", "end: the session was ended with QUIT"],
            ),
        ] {
            let said = secured([act()]).plays_whole(&format!(
                "{OPENING}
                 C: AUTH SCRAM-SHA-256 {client_first}
                 S: 334 {server_first}
                 C: {client_final}
                 {behind}
                 S: 221 bye
                 C: (closed)"
            ));
            assert_eq!(said, notes);
        }
    }
}

/// Credentials are nowhere in a transcript, also where the server repeats them, and not in what
/// the application gets to see of the server.
#[test]
fn what_was_said_in_secret_is_not_shown() {
    let replies = [
        "220 mx\r\n",
        "250-mx\r\n250 AUTH PLAIN LOGIN\r\n",
        "535-5.7.8 AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n535 5.7.8 tanstaaftanstaaf? no\r\n",
        "334 VXNlcm5hbWU6\r\n",
        "334 UGFzc3dvcmQ6\r\n",
        "535 dGFuc3RhYWZ0YW5zdGFhZg==\r\n",
        "221 tanstaaftanstaaf\r\n",
    ];
    let mut refused = Vec::new();
    let heard = overhear(&replies, |event| match event {
        Event::Ready(ready) if refused.is_empty() => {
            let plain = PlainInitiator::new("tim", "tanstaaftanstaaf").unwrap();
            ready.authenticate(vec![Box::new(plain)]).unwrap();
        }
        Event::Ready(ready) if refused.len() == 1 => {
            let login = LoginInitiator::new("tim", "tanstaaftanstaaf").unwrap();
            ready.authenticate(vec![Box::new(login)]).unwrap();
        }
        Event::Refused(event) => {
            refused.push(event.reply().to_string());
            event.go_on();
        }
        other => other.quit(),
    });
    assert_eq!(refused[1], "535 ************************");
    assert!(!refused[0].contains("tanstaaf") && !refused[0].contains("AHRp"), "{}", refused[0]);
    assert_eq!(
        heard,
        "S: 220 mx
C: EHLO me.example.org
S: 250-mx
S: 250 AUTH PLAIN LOGIN
C: AUTH PLAIN (redacted)
S: 535-5.7.8 ****************************
S: 535 5.7.8 ****************? no
C: AUTH LOGIN
S: 334 (redacted)
C: (redacted)
S: 334 (redacted)
C: (redacted)
S: 535 ************************
C: QUIT
S: 221 ****************
C: (closed)
"
    );
}

/// The client does not know what a verb of the application's own carries.
#[test]
fn what_looks_like_a_secret_behind_a_verb_of_ones_own_is_not_shown() {
    let replies = [
        "220 mx\r\n",
        "250 mx\r\n",
        "502 XDO auth PLAIN AHRpbQB0YW5zdGFhZg== is nothing I know\r\n",
        "250 so many of them\r\n",
        "221 bye\r\n",
    ];
    let mut lines = ["auth PLAIN AHRpbQB0YW5zdGFhZg==", "how many"].into_iter();
    let heard = overhear(&replies, |event| match event {
        Event::Ready(ready) => match lines.next() {
            Some(line) => {
                let argument = Argument::new(line).unwrap();
                ready.command(UnknownVerb::new("XDO").unwrap(), Some(argument)).unwrap();
            }
            None => ready.quit(),
        },
        Event::Refused(event) => event.go_on(),
        other => other.quit(),
    });
    assert_eq!(
        heard,
        "S: 220 mx
C: EHLO me.example.org
S: 250 mx
C: XDO (redacted)
S: 502 XDO auth PLAIN ******************** is nothing I know
C: XDO how many
S: 250 so many of them
C: QUIT
S: 221 bye
C: (closed)
"
    );
}

/// RFC 4467 section 9: whoever has the URL has what it leads to.
#[test]
fn a_url_of_content_is_not_shown() {
    const TOKEN: &str = "91354a473744909de610943775f92038";
    let replies = [
        "220 mx\r\n",
        "250-mx\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 BURL imap\r\n",
        "250 ok\r\n250 ok\r\n",
        &format!("554 5.6.6 imap://x.example/;urlauth=submit+ann:internal:{TOKEN} is gone\r\n"),
        "221 bye\r\n",
    ];
    let mut report = None;
    let heard = overhear(&replies, |event| match event {
        Event::Ready(ready) if report.is_none() => {
            let envelope = Envelope::new("ann@example.org", &[BOB]).unwrap();
            ready.send(envelope, MessageFacts::UNKNOWN.with_burl()).unwrap();
        }
        Event::Content(content) => {
            let uri = format!("imap://x.example/;uid=1;urlauth=submit+ann:internal:{TOKEN}");
            content.finish_with(Uri::new(uri).unwrap()).unwrap();
        }
        Event::Sent(sent) => report = Some(sent.take()),
        other => other.quit(),
    });
    assert!(!heard.contains(TOKEN), "{heard}");
    assert!(heard.contains("C: BURL (redacted)\n"), "{heard}");
    assert!(heard.contains("submit+ann:internal:**"), "{heard}");
    assert!(!report.unwrap().outcomes().any(|outcome| outcome.to_string().contains(TOKEN)));
}

// LIMITS, EXPN, HELP

/// 9422-4-a: RFC 9422 section 4.1: the session ends by itself when the server takes no more transactions.
#[test]
fn no_more_transactions_than_the_server_takes() {
    let mails = ["a@example.net", "b@example.net", "c@example.net"];
    let notes = Dialogue::new(mails.map(|to| Act::Send(mail(&[to], "")))).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 LIMITS MAILMAX=2
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<a@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: .
         S: 250 taken
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<b@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes,
        [
            "0: <a@example.net> 250 taken",
            "1: <b@example.net> 250 taken",
            "end: the server takes no more transactions in a session"
        ]
    );
}

/// 9422-4-a: RFC 9422 sections 4.2, 4.3: the others are for a further transaction.
#[test]
fn no_more_recipients_than_the_server_takes() {
    let to = ["a@x.example", "b@y.example", "c@x.example", "d@x.example"];
    for (limits, second, third) in [
        ("RCPTMAX=2", "b@y.example", "<c@x.example> <d@x.example>"),
        ("RCPTDOMAINMAX=1 RCPTMAX=2", "c@x.example", "<b@y.example> <d@x.example>"),
    ] {
        let notes = Dialogue::sends(&to, "").plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 LIMITS {limits}
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<a@x.example>
             S: 250 ok
             C: RCPT TO:<{second}>
             S: 550 no
             C: DATA
             S: 354 go
             C: .
             S: 250 taken
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert!(notes[0].starts_with("0: <a@x.example> 250 taken"), "{}", notes[0]);
        assert!(notes[0].contains(&format!("<{second}> 550 no")), "{}", notes[0]);
        assert!(notes[0].ends_with(&format!("rest: {third}")), "{}", notes[0]);
    }
    // Nobody is left when the first ones are refused, and nothing more is sent.
    let notes = Dialogue::sends(&to, "").plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 LIMITS RCPTMAX=1
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<a@x.example>
         S: 550 no
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert!(notes[0].ends_with("rest: <b@y.example> <c@x.example> <d@x.example>"), "{}", notes[0]);
}

/// RFC 5321 sections 3.5, 4.1.1.7, 4.1.1.8.
#[test]
fn lists_and_help_can_be_asked_for() {
    let notes = Dialogue::new([Act::Expand("staff"), Act::Help, Act::Expand("staff")]).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: EXPN staff
         S: 250-Jon Postel <Postel@isi.edu>
         S: 250 Sam Q. Smith <SQSmith@specific.example.com>
         C: HELP
         S: 214 there is none
         C: EXPN staff
         S: 550 Access Denied to You.
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(notes[0], "EXPN refused: 550 Access Denied to You.");
}

/// RFC 7435, RFC 4954 section 14: whoever can take STARTTLS away can be the other end of TLS as well.
#[cfg(feature = "scram")]
#[test]
fn no_password_is_shown_to_a_stranger_in_opportunistic_tls() {
    let verified = || Security::TLS.with_peer_certificates(vec![vec![1]], true);
    let unverified = || Security::TLS.with_peer_certificates(vec![vec![1]], false);
    for (policy, security, plain, scram) in [
        (TlsPolicy::IfOffered, verified(), true, true),
        (TlsPolicy::IfOffered, unverified(), false, true),
        (TlsPolicy::IfOffered, Security::TLS, false, true),
        // Whoever takes any certificate for TLS that must be there has decided.
        (TlsPolicy::Required, unverified(), true, true),
        (TlsPolicy::IfOffered, Security::CLEAR, false, true),
    ] {
        for (mechanism, is_shown) in [("PLAIN", plain), ("SCRAM-SHA-256", scram)] {
            for in_the_clear in [false, true] {
                let config = Config::new("me.example.org").unwrap().with_tls(policy);
                let mut client = Client::new(config, security.clone());
                for reply in
                    ["220 mx\r\n".to_owned(), format!("250-mx\r\n250 AUTH {mechanism}\r\n")]
                {
                    client.feed(reply.as_bytes());
                    while let Need::Either(_) = client.poll(Instant::ORIGIN) {
                        client.sent(usize::MAX);
                    }
                }
                let Some(Event::Ready(ready)) = client.event() else { panic!("{policy:?}") };
                let credentials = Credentials::password("ann", "secret");
                let credentials = match in_the_clear {
                    true => credentials.with_secrets_in_clear(),
                    false => credentials,
                };
                let asked = ready.authenticate_as(&credentials, Nonce::new([1; 18]));
                let expected =
                    if is_shown || in_the_clear { None } else { Some(NoCommonMechanism::NeedsTls) };
                assert_eq!(asked.err(), expected, "{policy:?} {security:?} {mechanism}");
            }
        }
    }
}
