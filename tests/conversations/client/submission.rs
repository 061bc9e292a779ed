//! Submission by a client (RFC 6409).

use crate::dialogue::{Act, BOB, Dialogue, mail};
use esmtp::{client::TlsPolicy, sasl::Credentials, service::Service};

/// RFC 8314 section 3.
#[test]
fn submission_requires_tls_by_default() {
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

/// RFC 8314 section 3.3, RFC 4954 section 4: the password is sent inside TLS, and the message after it.
#[test]
fn a_message_is_submitted_after_starttls_and_auth() {
    let credentials = Credentials::password("ann", "secret");
    let acts = [Act::StartTls, Act::AuthAs(credentials), Act::Send(mail(&[BOB], "hello\r\n"))];
    let dialogue = Dialogue::new(acts).with(|config| config.with_service(Service::Submission));
    let notes = dialogue.plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-AUTH PLAIN
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         (secured)
         C: EHLO me.example.org
         S: 250-mx
         S: 250 AUTH PLAIN
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 235 ok
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: hello
         C: .
         S: 250 queued
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert!(notes.contains(&"0: <bob@example.net> 250 queued".to_owned()), "{notes:?}");
}
