//! Submission at a server (RFC 6409): TLS, AUTH and then a message.

use crate::common::{Experience, config, converse_with};
use esmtp::{
    sasl::{Mechanism, Offer, Question},
    server::{Config, Event},
    service::Service,
    syntax::{Extension, Extensions},
};

/// Gives the answers of an application where each user has the password `secret`.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) if question.password().matches(b"secret") => {
                question.accept();
            }
            other => other.reject(),
        },
        other => experience.answer(other),
    }
}

fn submission() -> Config {
    config()
        .with_service(Service::Submission)
        .with_extensions(Extensions::NONE.with(Extension::StartTls))
        .with_auth(Offer::new([Mechanism::PLAIN]))
        .with_required_auth(true)
}

/// RFC 8314 section 3.3, RFC 6409 section 4.3: AUTH is offered inside TLS, and a message is accepted after it.
#[test]
fn a_message_is_submitted_after_starttls_and_auth() {
    let experience = converse_with(
        submission(),
        "S: 220 ...
         C: EHLO client.example.net
         S: 250-mx.example.org
         S: 250 STARTTLS
         C: MAIL FROM:<ann@example.org>
         S: 530 Authentication required
         C: STARTTLS
         S: 220 Ready to start TLS
         (secured)
         C: EHLO client.example.net
         S: 250-mx.example.org
         S: 250 AUTH PLAIN
         C: MAIL FROM:<ann@example.org>
         S: 530 Authentication required
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 235 Authentication successful
         C: MAIL FROM:<ann@example.org>
         S: 250 Ok
         C: RCPT TO:<bob@example.net>
         S: 250 Ok
         C: DATA
         S: 354 ...
         C: hello
         C: .
         S: 250 queued
         C: QUIT
         S: 221 ...
         S: (closed)",
        answer,
    );
    assert_eq!(experience.messages.len(), 1);
    assert_eq!(experience.messages[0].content, b"hello\r\n");
}

/// RFC 3207 section 4.1.
#[test]
fn nothing_is_submitted_after_a_failed_handshake() {
    let experience = converse_with(
        submission(),
        "S: 220 ...
         C: EHLO client.example.net
         S: 250 ...
         C: STARTTLS
         S: 220 ...
         (not secured)
         S: (closed)",
        answer,
    );
    assert!(experience.messages.is_empty());
}
