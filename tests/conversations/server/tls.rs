//! STARTTLS at a server (RFC 3207).

use crate::common::{after_hello, config, converse, converse_with};
use esmtp::{
    security::Security,
    server::{Config, End, Event},
    service::Service,
    syntax::{Extension, Extensions},
};

const HELLO_TLS: &str = "
    S: 220 mx.example.org ESMTP service ready
    C: EHLO client.example.net
    S: 250-mx.example.org
    S: 250-PIPELINING
    S: 250 STARTTLS
";

fn tls() -> Config {
    config().with_extensions(Extensions::NONE.with(Extension::StartTls).with(Extension::Pipelining))
}

fn secured(experience: &mut crate::common::Experience, event: Event<'_>) {
    match event {
        Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
        other => experience.answer(other),
    }
}

/// RFC 3207 section 4.2.
#[test]
fn facts_from_before_tls_are_discarded() {
    let script = format!(
        "{HELLO_TLS}
        C: STARTTLS
        S: 220 Ready to start TLS
        C: MAIL FROM:<a@b.org>
        S: 503 Send a hello first
        C: EHLO client.example.net
        S: 250-mx.example.org
        S: 250 PIPELINING
        C: STARTTLS
        S: 503 TLS already active"
    );
    converse_with(tls(), &script, secured);
}

#[test]
fn starttls_without_a_tls_layer_ends_the_session() {
    let script = format!(
        "{HELLO_TLS}
        C: STARTTLS
        S: 220 Ready to start TLS
        S: (closed)"
    );
    assert_eq!(converse(tls(), &script).end, Some(End::NoTlsLayer));
}

/// RFC 3207 section 6. In one piece the octets follow STARTTLS; one at a time they come
/// when the handshake is awaited, and no octet of them is heard.
#[test]
fn octets_after_starttls_are_an_injection() {
    let script = format!(
        r"{HELLO_TLS}
        C| STARTTLS\r\nNOOP\r\n
        S: 554 Octets after STARTTLS (RFC 3207 section 4.2)
        S: (closed)"
    );
    let experience = crate::common::converse_in_one_piece(tls(), &script, secured);
    assert_eq!(experience.end, Some(End::Injection));
}

/// "What is announced is what is accepted."
#[test]
fn auth_is_not_announced_before_required_tls() {
    use esmtp::sasl::{Mechanism, Offer};
    let config = config()
        .with_extensions(Extensions::NONE.with(Extension::StartTls))
        .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear())
        .with_required_tls(true);
    converse(
        config,
        "S: 220 mx.example.org ESMTP service ready
         C: EHLO client.example.net
         S: 250-mx.example.org
         S: 250 STARTTLS
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 530 Must issue a STARTTLS command first",
    );
}

/// RFC 5321 section 4.1.1.8.
#[test]
fn help_lists_the_commands_that_may_be_used() {
    converse(
        config(),
        &after_hello(
            "C: HELP
             S: 214 2.0.0 EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT HELP VRFY
             C: QUIT
             S: 221 2.0.0 Service closing transmission channel
             S: (closed)",
        ),
    );
    converse(
        config()
            .with_service(Service::Lmtp)
            .with_extensions(Extensions::NONE.with(Extension::Help).with(Extension::Expn)),
        "S: 220 mx.example.org LMTP service ready
         C: HELP
         S: 214 2.0.0 LHLO MAIL RCPT DATA RSET NOOP QUIT HELP VRFY EXPN",
    );
    converse_with(
        tls().with_extension(Extension::Help),
        "S: 220 mx.example.org ESMTP service ready
         C: HELP
         S: 214 EHLO HELO MAIL RCPT DATA RSET NOOP QUIT HELP VRFY STARTTLS
         C: STARTTLS
         S: 220 Ready to start TLS
         C: HELP
         S: 214 EHLO HELO MAIL RCPT DATA RSET NOOP QUIT HELP VRFY",
        secured,
    );
}
