//! RFC 7628, OAUTHBEARER, and XOAUTH2, which refuses in the same way: both ends.

use crate::{
    by_hand::ByHand,
    common::{self, Experience},
    dialogue::{Act, Dialogue},
    rfc4954::verify,
};
use esmtp::{
    sasl::{Credentials, ErrorStatus, Mechanism, Nonce, Offer, Question},
    security::Security,
    server::{Event, Limits, Timeouts},
    syntax::{Base64, Extension, Extensions},
};
use std::time::Duration;

fn offer() -> Offer {
    Offer::new([Mechanism::OAUTHBEARER, Mechanism::XOAUTH2])
}

/// Handles events as an application that knows the token `good`.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Auth(auth) => verify(&offer(), auth),
        Event::Credentials(credentials) => match credentials.question {
            Question::Token(question) if question.token().matches(b"good") => {
                question.accept_as("ann");
            }
            Question::Token(question) => {
                question.reject_with(ErrorStatus::invalid_token().with_scope("mail"));
            }
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => authenticated.accept(),
        other => experience.answer(other),
    }
}

fn session() -> ByHand {
    let config = common::config()
        .with_extensions(Extensions::NONE.with(Extension::EnhancedStatusCodes))
        .with_auth(offer())
        .with_limits(Limits::default().with_auth_failures(9))
        .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO));
    ByHand::after_hello(config, Security::TLS, answer)
}

/// Returns AUTH with this token.
fn auth(mechanism: Mechanism, token: &str) -> String {
    let channel = Security::TLS.channel();
    let credentials = Credentials::token("ann", token);
    let mut client = credentials.strongest(&[mechanism], &channel, Nonce::new([2; 18])).unwrap();
    let message = client.initial_response().unwrap().unwrap();
    format!("AUTH {mechanism} {}\r\n", Base64::encode(message.expose()).as_str())
}

/// 7628-3.2.2-a, 7628-3.2.3-b: RFC 7628 sections 3.2.2 and 3.2.3. A rejection comes in a challenge, and only
/// the response to that, whatever it is, gets the failing reply.
#[test]
fn a_refusal_is_a_challenge_and_then_a_reply() {
    let status = Base64::encode(br#"{"status":"invalid_token","scope":"mail"}"#);
    for (mechanism, acknowledgement) in [(Mechanism::OAUTHBEARER, "AQ=="), (Mechanism::XOAUTH2, "")]
    {
        for (response, reply) in [
            (acknowledgement, "535 5.7.8 Authentication credentials invalid\r\n"),
            ("*", "501 5.7.0 Authentication cancelled\r\n"),
        ] {
            let mut session = session();
            let said = session.say(auth(mechanism, "bad").as_bytes());
            assert_eq!(said, format!("334 {}\r\n", status.as_str()), "{mechanism}");
            let said = session.say(format!("{response}\r\n").as_bytes());
            assert_eq!(said, reply, "{mechanism} {response:?}");
            assert!(session.server().facts().identity().is_none());
            let said = session.say(auth(mechanism, "good").as_bytes());
            assert_eq!(said, "235 2.7.0 Authentication successful\r\n");
        }
    }
}

/// 7628-3.1-d: RFC 7628 section 3.1. What acknowledges a refusal is no first message.
#[test]
fn an_acknowledgement_of_nothing_fails() {
    let mut session = session();
    let said = session.say(b"AUTH OAUTHBEARER AQ==\r\n");
    assert_eq!(said, "501 5.5.2 Not a response of this mechanism\r\n");
    assert!(session.server().facts().identity().is_none());
}

/// 7628-3.2.2-b, 7628-3.2.3-a, XOAUTH2-1-b: RFC 7628 sections 3.2.2 and 3.2.3. The client acknowledges the error and takes
/// the reply to that for the outcome; an application that answers challenges itself gets the error.
#[test]
fn a_client_acknowledges_a_refusal_and_reads_the_reply() {
    let error = r#"{"status":"invalid_token","scope":"mail"}"#;
    let challenge = Base64::encode(error.as_bytes());
    let cases: [(_, _, _, &[&str]); 2] = [
        (Mechanism::OAUTHBEARER, "OAUTHBEARER", "AQ==", &["\u{1}"]),
        (Mechanism::XOAUTH2, "XOAUTH2", "", &[""]),
    ];
    for (mechanism, name, acknowledgement, steps) in cases {
        let command = auth(mechanism, "bad");
        let session = |command: &str| {
            format!(
                "S: 220 mx
                 C: EHLO me.example.org
                 S: 250-mx
                 S: 250 AUTH {mechanism}
                 C: {command}
                 S: 334 {}
                 C: {acknowledgement}
                 S: 535 5.7.8 no
                 C: QUIT
                 S: 221 bye
                 C: (closed)",
                challenge.as_str()
            )
        };
        let secured = |act| Dialogue { security: Security::TLS, ..Dialogue::new([act]) };
        let notes = secured(Act::AuthAs(Credentials::token("ann", "bad")))
            .plays(&session(command.trim_end()));
        assert_eq!(
            notes,
            ["AUTH refused: 535 5.7.8 no", "end: the session was ended with QUIT"],
            "{mechanism}"
        );
        let notes = secured(Act::AuthBySteps(name, Some("x"), steps))
            .plays(&session(&format!("AUTH {mechanism} eA==")));
        let shown = error.as_bytes().escape_ascii();
        assert_eq!(
            notes[..2],
            [format!("challenge: {shown}"), "AUTH refused: 535 5.7.8 no".into()]
        );
    }
}
