//! The server's side of AUTH in conversation (RFC 4954).

use crate::common::{Experience, converse_with};
use esmtp::{
    sasl::{Attempt, Mechanism, Nonce, Offer, Question},
    security::Security,
    server::{Config, End, Event, Limits, Timeouts},
    syntax::{Extension, Extensions},
};
use std::{sync::Arc, time::Duration};

/// Gives the answers of an application where `ann` has the password `secret`, and `busy` cannot be looked up now.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Auth(auth) => {
            let channel = Security::TLS.channel();
            let attempt = Attempt {
                channel: &channel,
                proven: None,
                nonce: Nonce::new([1; 18]),
                unix_seconds: 0,
            };
            let verifier = offer().with_secrets_in_clear().verifier(auth.mechanism(), attempt);
            auth.verify(verifier.unwrap());
        }
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) if question.user() == "busy" => question.unavailable(),
            Question::Password(question)
                if question.user() == "ann" && question.password().matches(b"secret") =>
            {
                question.accept();
            }
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => {
            experience.log.push(format!("authenticated {}", authenticated.identity().authcid()));
            authenticated.accept();
        }
        other => experience.answer(other),
    }
}

fn offer() -> Offer {
    Offer::new([Mechanism::PLAIN, Mechanism::LOGIN])
}

fn config() -> Config {
    crate::common::config()
        .with_extensions(Extensions::NONE.with(Extension::Pipelining))
        .with_auth(offer().with_secrets_in_clear())
        .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO))
}

const HELLO: &str = "
    S: 220 mx.example.org ESMTP service ready
    C: EHLO client.example.net
    S: 250-mx.example.org
    S: 250-PIPELINING
    S: 250 AUTH PLAIN LOGIN
";

fn converse(config: Config, script: &str) -> Experience {
    converse_with(config, &format!("{HELLO}{script}"), answer)
}

/// 4422-3.3-a, 4954-4-a, 4954-4-b, 4954-4-u
#[test]
fn plain_with_and_without_an_initial_response() {
    let experience = converse(
        config(),
        "C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 235 Authentication successful
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 503 Already authenticated",
    );
    assert_eq!(experience.log.last().unwrap(), "authenticated ann");
    converse(
        config(),
        "C: auth plain
         S: 334 
         C: AGFubgBzZWNyZXQ=
         S: 235 Authentication successful",
    );
}

#[test]
fn login_asks_twice() {
    converse(
        config(),
        "C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: YW5u
         S: 334 UGFzc3dvcmQ6
         C: c2VjcmV0
         S: 235 Authentication successful
         C: RSET
         S: 250 Ok",
    );
}

/// 4954-4-t, 4422-3.6-a: RFC 4954 section 4, RFC 4422 section 3.6.
#[test]
fn all_wrong_credentials_get_one_reply() {
    let limits = Limits::default().with_auth_failures(3);
    let experience = converse(
        config().with_limits(limits),
        "C: AUTH PLAIN AGFubgB3cm9uZw==
         S: 535 Authentication credentials invalid
         C: AUTH PLAIN AGJvYgBzZWNyZXQ=
         S: 535 Authentication credentials invalid
         C: RSET
         S: 250 Ok
         C: AUTH PLAIN AGFubgB3cm9uZw==
         S: 421 Too many failed attempts to authenticate
         S: (closed)",
    );
    assert_eq!(experience.end, Some(End::TooManyErrors));
}

#[test]
fn a_failed_authentication_is_reported_after_a_delay() {
    let config = config().with_timeouts(Timeouts::default());
    let script = format!(
        "{HELLO}C: AUTH PLAIN AGFubgB3cm9uZw==
         C: NOOP
         (1 s)
         S: 535 Authentication credentials invalid
         S: 250 Ok"
    );
    let experience = converse_with(config, &script, answer);
    assert!(experience.end.is_none());
}

/// 4954-4-i: RFC 4954 section 4.
#[test]
fn an_exchange_may_be_cancelled_and_must_be_well_formed() {
    converse(
        config().with_limits(Limits::default().with_auth_failures(100)),
        "C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: *
         S: 501 Authentication cancelled
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: YW5
         S: 501 Cannot decode this as base64
         C: AUTH PLAIN
         S: 334 
         C: 
         S: 501 Not a response of this mechanism
         C: AUTH PLAIN AG==FubgBzZWNyZXQ=
         S: 501 Syntax error in parameters or arguments
         C: AUTH PLAIN AGJ1c3kAc2VjcmV0
         S: 454 Temporary authentication failure
         C: AUTH SCRAM-SHA-256
         S: 504 Unrecognised authentication type
         C: AUTH
         S: 501 This command needs an argument",
    );
}

#[test]
fn a_response_longer_than_the_limit_is_refused() {
    let script = format!(
        "C: AUTH PLAIN
         S: 334 
         C: {}
         S: 500 Authentication exchange line is too long
         C: NOOP
         S: 250 Ok",
        "QUIT".repeat(4000)
    );
    converse(config(), &script);
}

/// 4954-4-c: RFC 4954 sections 4 and 6.
#[test]
fn mail_waits_for_required_auth() {
    converse(
        config().with_required_auth(true),
        "C: MAIL FROM:<a@b.org>
         S: 530 Authentication required
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 235 Authentication successful
         C: MAIL FROM:<a@b.org>
         S: 250 Ok
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 503 Already authenticated",
    );
    converse(
        config(),
        "C: MAIL FROM:<a@b.org>
         S: 250 Ok
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 503 Transaction already in progress",
    );
}

/// 4954-4-x, 4954-6-e, LOGIN-draft-1-d: RFC 4954 sections 4 and 6.
#[test]
fn no_password_is_requested_in_the_clear() {
    let config = crate::common::config()
        .with_extensions(Extensions::NONE.with(Extension::Auth))
        .with_auth(offer());
    converse_with(
        config,
        "S: 220 mx.example.org ESMTP service ready
         C: EHLO client.example.net
         S: 250 mx.example.org
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 502 Command not implemented",
        answer,
    );
}

/// Credentials never stand in a transcript, however they are written.
#[test]
fn no_secret_is_shown() {
    use esmtp::{
        machine::{Machine, Need},
        server::{Peer, Server},
        time::Instant,
        transcript::Entry,
    };
    use std::sync::Mutex;

    let heard = Arc::new(Mutex::new(String::new()));
    let listener = Arc::clone(&heard);
    let tell = move |_: Instant, entry: Entry<'_>| {
        listener.lock().unwrap().push_str(&format!("{entry}\n"));
    };
    let limits = Limits::default().with_auth_failures(100).with_errors(100);
    let config = config().with_limits(limits).with_enforced_sync(false);
    let mut server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR)
        .with_transcript(Box::new(tell));
    let mut experience = Experience::default();
    for line in [
        "EHLO client.example.net",
        "AUTH PLAIN\tAGFubgBzZWNyZXQ=",
        "AUTH\tPLAIN\tAGFubgBzZWNyZXQ=",
        "AUTH AGFubgBzZWNyZXQ=",
        " AUTH PLAIN AGFubgBzZWNyZXQ=",
        "AGFubgBzZWNyZXQ= ",
        "AUTH LOGIN",
        "AGFubgBzZWNyZXQ=",
        "AUTH XYZZY AGFubgBzZWNyZXQ=",
        "AGFubgBzZWNyZXQ=",
        "AUTH T AGFubgBzZWNyZXQ=",
        "auth plain AGFubgBzZWNyZXQ=",
    ] {
        server.feed(format!("{line}\r\n").as_bytes());
        loop {
            match server.poll(Instant::ORIGIN) {
                Need::Answer => answer(&mut experience, server.event().unwrap()),
                Need::Write(_) | Need::Either(_) => server.sent(usize::MAX),
                _ => break,
            }
        }
        assert!(!format!("{server:?}").contains("AGFubg"));
    }
    let heard = heard.lock().unwrap();
    assert!(!heard.contains("AGFubg"), "{heard}");
    assert!(heard.contains("C: auth plain (redacted)\n") && heard.contains("S: 235"), "{heard}");
    assert!(heard.contains("C: AUTH (redacted)\n"), "{heard}");
}

/// Nor does it stay in memory, when the line that brings it is longer than a line may be.
#[test]
fn a_line_that_is_too_long_is_wiped() {
    use esmtp::{
        machine::{Machine, Need},
        server::{Peer, Server},
        time::Instant,
    };

    let mut server = Server::new(Arc::new(config()), Peer::UNKNOWN, Security::TLS);
    let line = format!("AUTH PLAIN {}\r\n", "AGFubgBzZWNyZXQ=".repeat(1000));
    let mut pieces = ["EHLO client.example.net\r\n", &line].map(str::as_bytes).into_iter();
    let mut rest = &[][..];
    let mut experience = Experience::default();
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => answer(&mut experience, server.event().unwrap()),
            Need::Write(_) | Need::Either(_) => server.sent(usize::MAX),
            Need::Read(_) if !rest.is_empty() => rest = &rest[server.feed(rest)..],
            Need::Read(_) => match pieces.next() {
                Some(piece) => rest = piece,
                None => break,
            },
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.totals().errors, 1);
    let memory = server.receive_buffer();
    assert!(!memory.windows(6).any(|octets| octets == b"AGFubg"));
}
