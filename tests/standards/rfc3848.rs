//! RFC 3848, the words of `Received:` for a transmission.

use esmtp::{
    sasl::{Mechanism, Offer, PlainVerifier, Question},
    security::Security,
    server::{Config, Event, Peer, Server},
    service::Service,
    syntax::Extension,
    testing::Driver,
};

/// Returns the protocol that MAIL reports after these commands, each sent after the reply to the one before.
fn protocol(service: Service, security: Security, commands: &[&str]) -> String {
    let config = Config::new("mx.example.org")
        .unwrap()
        .with_service(service)
        .with_required_auth(false)
        .with_extension(Extension::StartTls)
        .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
    let mut server = Driver::new(Server::new(config.into(), Peer::UNKNOWN, security));
    let mut protocol = None;
    let mut answer = |event: Event<'_>| match event {
        Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
        Event::Auth(auth) => auth.verify(Box::new(PlainVerifier::new())),
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) => question.accept(),
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => authenticated.accept(),
        Event::Mail(mail) => {
            protocol = Some(mail.facts().protocol().to_string());
            mail.accept();
        }
        other => other.proceed(),
    };
    server.exchange("", &mut answer);
    for command in commands.iter().chain(&["MAIL FROM:<ann@example.org>"]) {
        server.exchange(format!("{command}\r\n"), &mut answer);
    }
    protocol.unwrap()
}

const AUTH: &str = "AUTH PLAIN AGFubgBzZWNyZXQ=";

/// 3207-4.2-a, 3848-2-a, 3848-2-b, 3848-2-c: RFC 3848 section 2, RFC 3207 section 4.2.
#[test]
fn the_protocol_name_shows_tls_and_auth() {
    for (service, hello, word) in [
        (Service::Smtp, "EHLO c.example", "ESMTP"),
        (Service::Submission, "EHLO c.example", "ESMTP"),
        (Service::Lmtp, "LHLO c.example", "LMTP"),
    ] {
        let clear = |commands: &[&str]| protocol(service, Security::CLEAR, commands);
        let tls = |commands: &[&str]| protocol(service, Security::TLS, commands);
        assert_eq!(clear(&[hello]), word);
        assert_eq!(clear(&[hello, AUTH]), format!("{word}A"));
        assert_eq!(clear(&[hello, "STARTTLS", hello]), format!("{word}S"));
        assert_eq!(clear(&[hello, "STARTTLS", hello, AUTH]), format!("{word}SA"));
        // A client that authenticated in the clear has proven nothing inside TLS.
        assert_eq!(clear(&[hello, AUTH, "STARTTLS", hello]), format!("{word}S"));
        assert_eq!(tls(&[hello]), format!("{word}S"));
        assert_eq!(tls(&[hello, AUTH]), format!("{word}SA"));
        // A rejected AUTH does not authenticate.
        assert_eq!(clear(&[hello, "AUTH PLAIN *"]), word);
    }
}
