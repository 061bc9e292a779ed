//! Transactions of a server, and commands outside of them.

use crate::common::{CONTENT, HELLO, after_hello, config, converse, converse_with};
use esmtp::{
    server::{Config, End, Event, Limits},
    syntax::{Extension, Extensions, Rejection},
};
use std::sync::Arc;

/// RFC 5321 appendix D.1.
#[test]
fn a_typical_transaction() {
    let experience = converse(
        config(),
        &after_hello(
            "C: MAIL FROM:<Smith@bar.com>
             S: 250 2.1.0 Ok
             C: RCPT TO:<Jones@foo.com>
             S: 250 2.1.5 Ok
             C: RCPT TO:<nobody@foo.com>
             S: 550 5.1.1 No such mailbox here
             C: RCPT TO:<Brown@foo.com>
             S: 250 2.1.5 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: Blah blah blah...
             C: ..etc. etc. etc.
             C: .
             S: 250 2.0.0 queued
             C: QUIT
             S: 221 2.0.0 Service closing transmission channel
             S: (closed)",
        ),
    );
    assert_eq!(experience.messages.len(), 1);
    assert_eq!(experience.messages[0].from, "<Smith@bar.com>");
    assert_eq!(experience.messages[0].to, ["<Jones@foo.com>", "<Brown@foo.com>"]);
    assert_eq!(experience.messages[0].content, b"Blah blah blah...\r\n.etc. etc. etc.\r\n");
    assert_eq!(experience.end, Some(End::Quit));
    assert_eq!(
        experience.log,
        [
            "hello client.example.net",
            "mail <Smith@bar.com> ",
            "rcpt 0 <Jones@foo.com>",
            "rcpt 1 <nobody@foo.com>",
            "rcpt 1 <Brown@foo.com>",
            "data",
            "deliver",
        ]
    );
}

/// 5321-3.3-d
#[test]
fn commands_out_of_order_change_nothing() {
    let experience = converse(
        config(),
        "S: 220 mx.example.org ESMTP service ready
         C: MAIL FROM:<a@b.org>
         S: 503 5.5.1 Send a hello first
         C: HELO client.example.net
         S: 250 mx.example.org
         C: RCPT TO:<a@b.org>
         S: 503 5.5.1 Need MAIL command
         C: DATA
         S: 503 5.5.1 Need MAIL command
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: DATA
         S: 503 5.5.1 No valid recipients
         C: MAIL FROM:<c@d.org>
         S: 503 5.5.1 Transaction already in progress
         C: RCPT TO:<e@f.org>
         S: 250 2.1.5 Ok
         C: EHLO [192.0.2.1]
         S: 250-mx.example.org
         S: 250-SIZE 33554432
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250-ENHANCEDSTATUSCODES
         S: 250-CHUNKING
         S: 250-BINARYMIME
         S: 250 HELP
         C: DATA
         S: 503 5.5.1 Need MAIL command",
    );
    assert_eq!(experience.aborts(), ["Hello"]);
}

#[test]
fn malformed_commands_leave_the_session_intact() {
    converse(
        config(),
        &after_hello(
            "C: FOO
             S: 500 5.5.1 Command not recognised
             C: LHLO client.example.net
             S: 500 Command not recognised
             C: EHLO
             S: 501 This command needs an argument
             C: RSET now
             S: 501 5.5.4 This command takes no such argument
             C: MAIL FROM:<a@b.org> FOO=1
             S: 555 5.5.4 Parameter not recognised or not implemented
             C: MAIL FROM:<a@b.org> SIZE=33554433
             S: 552 5.3.4 Message size exceeds the fixed maximum
             C: NOOP
             S: 250 2.0.0 Ok
             C: VRFY someone
             S: 252 2.5.0 Cannot verify, but will accept a message and attempt delivery
             C: EXPN list
             S: 502 5.5.1 Command not implemented",
        ),
    );
}

#[test]
fn a_transaction_of_a_lost_connection_is_aborted() {
    for (how, script) in [("(closed)", ""), ("(cut off)", "")] {
        let script = format!("{HELLO}{CONTENT}{script}C: half a message\nC: {how}\nS: (closed)");
        let experience = converse(config(), &script);
        assert!(experience.messages.is_empty());
        assert_eq!(experience.aborts(), ["ConnectionLost"]);
        assert_eq!(experience.end, Some(End::ConnectionLost));
    }
}

#[test]
fn commands_before_an_orderly_close_are_answered() {
    converse(
        config(),
        &after_hello(
            "C: NOOP
             C: MAIL FROM:<a@b.org>
             S: 250 2.0.0 Ok
             S: 250 2.1.0 Ok
             C: (closed)
             S: (closed)",
        ),
    );
}

#[test]
fn an_application_that_only_proceeds_accepts_no_message() {
    let experience = converse_with(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@d.org>
             S: 550 5.7.1 Recipient not accepted here"
        ),
        |_, event| event.proceed(),
    );
    assert!(experience.messages.is_empty());
    converse_with(
        config(),
        &format!(
            "{HELLO}{CONTENT}
             C: text
             C: .
             S: 554 5.3.0 Message not accepted here
             {CONTENT}
             C: .
             S: 554 5.3.0 Message not accepted here"
        ),
        |_, event| match event {
            Event::Rcpt(rcpt) => rcpt.accept(),
            other => other.proceed(),
        },
    );
}

/// Another configuration holds for what begins after it, and takes nothing from what has begun.
#[test]
fn a_session_may_be_given_another_configuration() {
    fn small() -> Arc<Config> {
        let limits = Limits::default().with_message(10).with_recipients(1);
        Arc::new(
            config().with_extensions(Extensions::NONE.with(Extension::Size)).with_limits(limits),
        )
    }
    let begun = "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         ";
    let script = after_hello(&format!(
        "{begun}C: EHLO small.example
         S: 250-mx.example.org
         S: 250 SIZE 10
         C: MAIL FROM:<a@b.org> SIZE=11
         S: 552 Message size exceeds the fixed maximum"
    ));
    let experience = converse_with(config(), &script, |experience, event| match event {
        Event::Hello(mut hello) if hello.name().to_string() == "small.example" => {
            hello.configure(small());
            hello.accept();
        }
        other => experience.answer(other),
    });
    assert_eq!(experience.aborts(), ["Hello"]);
    let script = after_hello(&format!(
        "{begun}C: EHLO small.example
         S: 550 Refused by policy
         C: RCPT TO:<e@f.org>
         S: 250 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: 0123456789
         C: .
         S: 250 queued"
    ));
    let experience = converse_with(config(), &script, |experience, event| match event {
        Event::Hello(mut hello) if hello.name().to_string() == "small.example" => {
            hello.configure(small());
            hello.reject(Rejection::POLICY);
        }
        other => experience.answer(other),
    });
    assert_eq!(experience.messages[0].to.len(), 2);
}
