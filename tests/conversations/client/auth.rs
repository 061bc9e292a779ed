//! AUTH of a client (RFC 4954).

use crate::dialogue::{Act, Dialogue, after_offer};
#[cfg(feature = "scram")]
use esmtp::sasl::{NoCommonMechanism, Nonce};
use esmtp::{
    client::{Client, Config, Event, TlsPolicy},
    machine::{Machine, Need},
    sasl::{CramMd5Initiator, Credentials, Initiator, LoginInitiator, PlainInitiator},
    security::Security,
    time::Instant,
};

fn secured(acts: impl IntoIterator<Item = Act>) -> Dialogue {
    Dialogue { security: Security::TLS, ..Dialogue::new(acts) }
}

fn plain_and_login() -> Vec<Box<dyn Initiator>> {
    vec![
        Box::new(LoginInitiator::new("test", "1234").unwrap()),
        Box::new(PlainInitiator::with_authzid(Some("test"), "test", "1234").unwrap()),
    ]
}

/// Creates credentials whose password fills the line: 3 octets and this many.
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
            "the mechanisms offered for these credentials need TLS with a server whose certificate is verified",
        ),
        (
            Dialogue::new([Act::AuthAs(credentials.clone())]),
            "AUTH PLAIN LOGIN",
            "the mechanisms offered for these credentials need TLS with a server whose certificate is verified",
        ),
        (
            Dialogue::new([Act::AuthBySteps("PLAIN", None, &[])]),
            "AUTH PLAIN LOGIN",
            "the mechanisms offered for these credentials need TLS with a server whose certificate is verified",
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
    let notes = secured([Act::AuthAs(Credentials::external())]).plays(&after_offer(
        "AUTH EXTERNAL",
        "C: AUTH EXTERNAL =
         S: 235 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes.len(), 1);
}

/// Old servers prompt with text that is not base64, also for what they were sent with AUTH already: a
/// mechanism that ignores its challenges ignores that.
#[test]
fn prompts_in_plain_text_are_ignored() {
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

/// RFC 4954 section 6: a refusal is data, and the session goes on.
#[test]
fn a_rejected_authentication_is_a_question() {
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
fn a_session_ends_if_the_server_cheats() {
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
fn a_connection_lost_during_authentication_is_reported() {
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

    /// Returns the messages that go over the wire with the nonce of the dialogues: client-first, server-first,
    /// client-final, server-final.
    fn exchange() -> [String; 4] {
        use esmtp::sasl::Initiator;
        let credentials = Credentials::password("user", "pencil");
        let offered = [esmtp::sasl::Mechanism::SCRAM_SHA_256];
        let mut client: Box<dyn Initiator> =
            credentials.strongest(&offered, &Channel::tls(), crate::dialogue::NONCE()).unwrap();
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

/// RFC 7435, RFC 4954 section 14: a party that can remove STARTTLS can be the other end of TLS as well.
#[cfg(feature = "scram")]
#[test]
fn no_password_is_sent_to_an_unverified_server_in_opportunistic_tls() {
    let verified = || Security::TLS.with_peer_certificates(vec![vec![1]], true);
    let unverified = || Security::TLS.with_peer_certificates(vec![vec![1]], false);
    for (policy, security, plain, scram) in [
        (TlsPolicy::IfOffered, verified(), true, true),
        (TlsPolicy::IfOffered, unverified(), false, true),
        (TlsPolicy::IfOffered, Security::TLS, false, true),
        // A client that takes any certificate for TLS that must be there has decided.
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
