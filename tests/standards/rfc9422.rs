//! RFC 9422, limits of a session.

use crate::{
    common::{announcing, config, converse},
    dialogue::{Act, Dialogue, mail},
};
use esmtp::{
    client::TlsPolicy,
    server::Limits,
    syntax::{Extension, Extensions, SessionLimits},
};

/// 9422-3-e: RFC 9422 section 3. The server announces the limits that it keeps, and those that the application brings.
#[test]
fn limits_of_the_application_are_announced() {
    let limits = SessionLimits::default().with_rcpt_domain_max(3).with_rcpt_max(7);
    let limits = limits.with_other("EXAMPLE_MAX", "5").unwrap();
    converse(
        config().with_extensions(Extensions::NONE.with_limits(limits)),
        "S: 220 mx.example.org ESMTP service ready
         C: EHLO client.example.net
         S: 250-mx.example.org
         S: 250 LIMITS RCPTMAX=1000 EXAMPLE_MAX=5",
    );
}

/// 9422-4-c, 9422-3-e: RFC 9422 section 4.1. Every MAIL counts, whatever its outcome, and the commands pipelined after
/// one MAIL beyond the limit are no errors.
#[test]
fn no_more_transactions_are_taken_than_were_announced() {
    let transactions = Limits::default().with_transactions(Some(3)).with_errors(2);
    let config = config()
        .with_extensions(Extensions::NONE.with(Extension::Limits).with(Extension::Pipelining))
        .with_limits(transactions);
    let experience = converse(
        config,
        &announcing(
            "PIPELINING|LIMITS MAILMAX=3 RCPTMAX=1000",
            "C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RSET
             S: 250 Ok
             C: MAIL FROM:<\u{e4}@b.org>
             S: 550 Non-ASCII reverse-path without SMTPUTF8
             C: MAIL FROM:<a@b.org>
             C: RCPT TO:<c@d.org>
             C: DATA
             S: 250 Ok
             S: 250 Ok
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 queued
             C: MAIL FROM:<a@b.org>
             C: RCPT TO:<c@d.org>
             C: DATA
             S: 452 Too many transactions in this session
             S: 503 MAIL was refused
             S: 503 MAIL was refused
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250-PIPELINING
             S: 250 LIMITS MAILMAX=3 RCPTMAX=1000
             C: MAIL FROM:<a@b.org>
             S: 452 Too many transactions in this session
             C: QUIT
             S: 221 Service closing transmission channel
             S: (closed)",
        ),
    );
    assert_eq!(experience.messages.len(), 1);
}

/// 9422-4-b: RFC 9422 section 3: what was announced in the clear does not bind inside TLS.
#[test]
fn limits_are_those_of_the_last_hello() {
    let to = ["a@example.net", "b@example.net"];
    let acts = [Act::Send(mail(&to, "")), Act::Send(mail(&to, ""))];
    let transaction = "C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<a@example.net>
         S: 250 ok";
    let both = format!(
        "{transaction}
         C: RCPT TO:<b@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: .
         S: 250 taken"
    );
    let notes = Dialogue::new(acts.clone())
        .with(|config| config.with_tls(TlsPolicy::Required))
        .plays(&format!(
            "S: 220 mx
                 C: EHLO me.example.org
                 S: 250-mx
                 S: 250-LIMITS MAILMAX=1 RCPTMAX=1
                 S: 250 STARTTLS
                 C: STARTTLS
                 S: 220 go
                 (secured)
                 C: EHLO me.example.org
                 S: 250 mx
                 {both}
                 {both}
                 C: QUIT
                 S: 221 bye
                 C: (closed)"
        ));
    let taken = "<a@example.net> 250 taken, <b@example.net> 250 taken";
    assert_eq!(notes[..2], [format!("0: {taken}"), format!("1: {taken}")]);
    // And the other way round.
    let notes =
        Dialogue::new(acts).with(|config| config.with_tls(TlsPolicy::Required)).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 STARTTLS
             C: STARTTLS
             S: 220 go
             (secured)
             C: EHLO me.example.org
             S: 250-mx
             S: 250 LIMITS MAILMAX=1 RCPTMAX=1
             {transaction}
             C: DATA
             S: 354 go
             C: .
             S: 250 taken
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    assert_eq!(
        notes,
        [
            "0: <a@example.net> 250 taken, <b@example.net> untried rest: <b@example.net>",
            "end: the server takes no more transactions in a session"
        ]
    );
}

/// 9422-4-a: RFC 9422 section 4.1. Nor is a transaction too many begun while the replies to those before it
/// are still owed.
#[test]
fn no_mail_beyond_the_limit_is_pipelined() {
    let acts = || [(); 2].map(|()| Act::Send(mail(&["bob@example.net"], "x\r\n")));
    let opening = |limit: &str| {
        format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250-PIPELINING
             S: 250 LIMITS MAILMAX={limit}
             C: MAIL FROM:<ann@example.org>
             C: RCPT TO:<bob@example.net>
             C: DATA
             S: 250 ok
             S: 250 ok
             S: 354 go
             C: x
             C: ."
        )
    };
    let dialogue = || Dialogue::new(acts()).with(|config| config.with_transactions(4));
    let notes = dialogue().plays(&format!(
        "{}
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
        opening("1")
    ));
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 250 taken",
            "end: the server takes no more transactions in a session"
        ]
    );
    // Where one more is allowed it does not wait.
    let notes = dialogue().plays(&format!(
        "{}
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 taken
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: x
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
        opening("2")
    ));
    assert_eq!(notes[1], "1: <bob@example.net> 250 taken");
}
