//! Groups of commands at a server (RFC 2920): replies in order, pipelining violations, and rejections within a group.

use crate::common::{Experience, HELLO, after_hello, config, converse, converse_in_one_piece};
use esmtp::{
    server::{End, Event, Limits, Timeouts},
    syntax::{Extension, Extensions},
};
use std::time::Duration;

#[test]
fn a_pipelined_group_gets_its_replies_in_order() {
    let experience = converse(
        config(),
        &after_hello(
            "C: MAIL FROM:<> SIZE=20 BODY=8BITMIME
             C: RCPT TO:<nobody@foo.com>
             C: RCPT TO:<postmaster>
             C: DATA
             S: 250 2.1.0 Ok
             S: 550 5.1.1 No such mailbox here
             S: 250 2.1.5 Ok
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             C: MAIL FROM:<b@c.org>
             C: RSET
             C: QUIT
             S: 250 2.0.0 queued
             S: 250 2.1.0 Ok
             S: 250 2.0.0 Ok
             S: 221 2.0.0 Service closing transmission channel
             S: (closed)",
        ),
    );
    assert_eq!(experience.messages[0].from, "<>");
    assert_eq!(experience.messages[0].content, b"");
    assert_eq!(experience.aborts(), ["Reset"]);
}

/// RFC 2920 section 3.1, RFC 3030 section 2: commands in flight are no fault of the client.
#[test]
fn commands_pipelined_after_a_rejection_are_not_errors() {
    let limits = Limits::default().with_errors(3).with_recipients(1).with_message(10);
    let rcpt = "C: RCPT TO:<c@d.org>\n".repeat(9);
    let script = format!(
        "{}C: MAIL FROM:<a@b.org> SIZE=11\n{rcpt}C: DATA\n\
         S: 552 5.3.4 Message size exceeds the fixed maximum\n{}\
         S: 503 5.5.1 MAIL was refused\n\
         C: MAIL FROM:<a@b.org>\n{rcpt}\
         S: 250 2.1.0 Ok\nS: 250 2.1.5 Ok\n{}\
         C: BDAT 20\nC| 01234567890123456789\n{}\
         S: 552 5.3.4 Message too large\n{}",
        HELLO.replace("33554432", "10"),
        "S: 503 5.5.1 MAIL was refused\n".repeat(9),
        "S: 452 4.5.3 Too many recipients\n".repeat(8),
        "C: BDAT 1\nC| x\n".repeat(9),
        "S: 503 5.5.1 Content was refused, RSET is next\n".repeat(9),
    );
    converse(config().with_limits(limits), &script);
}

/// RFC 2920 section 3.1: as many as a client that means well can have under way.
#[test]
fn endless_commands_after_a_rejection_are_errors() {
    let limits = Limits::default().with_errors(3).with_recipients(1);
    let behind_mail = "S: 503 5.5.1 MAIL was refused\n";
    for (first, replies, behind) in [
        (
            "C: MAIL FROM:<a@b.org> SIZE=33554433\n",
            "S: 552 5.3.4 Message size exceeds the fixed maximum\n",
            behind_mail.repeat(103),
        ),
        (
            "C: MAIL FROM:<a@b.org\n",
            "S: 501 5.1.7 Bad sender address syntax: no closing angle bracket after the address\n",
            behind_mail.repeat(102),
        ),
        (
            "C: MAIL FROM:<a@b.org>\nC: RCPT TO:<c@d.org>\n",
            "S: 250 2.1.0 Ok\nS: 250 2.1.5 Ok\n",
            "S: 452 4.5.3 Too many recipients\n".repeat(103),
        ),
    ] {
        let script = format!(
            "{HELLO}{first}{}{replies}{behind}S: 421 4.7.0 Too many errors\nS: (closed)",
            "C: RCPT TO:<c@d.org>\n".repeat(200),
        );
        let experience = converse(config().with_limits(limits), &script);
        assert_eq!(experience.end, Some(End::TooManyErrors));
    }
}

/// RFC 2920 section 3.1.
#[test]
fn pipelining_violations_end_the_session() {
    let hello = after_hello("");
    let bare = config().with_extensions(Extensions::NONE);
    let to_data = "C: MAIL FROM:<a@b.org>\nC: RCPT TO:<c@d.org>\nC: DATA\n";
    for (config, script) in [
        (config(), "S: 220 mx.example.org ESMTP service ready\nC: EHLO a.org\nC: NOOP\n"),
        (config(), "S: 220 mx.example.org ESMTP service ready\nC: HELO a.org\nC: NOOP\n"),
        // Before EHLO, PIPELINING is not offered.
        (config(), "S: 220 mx.example.org ESMTP service ready\nC: NOOP\nC: NOOP\n"),
        (
            bare,
            "S: 220 mx.example.org ESMTP service ready\nC: EHLO a.org\nS: 250 mx.example.org\nC: MAIL FROM:<>\nC: NOOP\n",
        ),
        (config(), &format!("{hello}{to_data}C: x\nS: 250 2.1.0 Ok\nS: 250 2.1.5 Ok\n")),
        // Whatever the command looks like.
        (config(), &format!("{hello}C: DATA now\nC: RSET\n")),
        (config(), &format!("{hello}C: VRFY a\nC: NOOP\n")),
        (config(), &format!("{hello}C: EXPN a\nC: NOOP\n")),
    ] {
        // After a hello no reply has an enhanced status.
        let is_bare = !config.extensions().contains(Extension::EnhancedStatusCodes)
            || script.ends_with("LO a.org\nC: NOOP\n");
        let code = if is_bare { "554" } else { "554 5.5.0" };
        let script =
            format!("{script}S: {code} Improper use of SMTP command pipelining\nS: (closed)");
        let experience = converse_in_one_piece(config, &script, Experience::answer);
        assert_eq!(experience.end, Some(End::OutOfSync), "{script}");
        assert!(experience.messages.is_empty());
    }
}

#[test]
fn pipelining_violations_are_allowed_if_configured() {
    let script = after_hello(
        "C: MAIL FROM:<a@b.org>
         C: RCPT TO:<c@d.org>
         C: DATA
         C: .
         C: QUIT
         S: 250 2.1.0 Ok
         S: 250 2.1.5 Ok
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         S: 250 2.0.0 queued
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)",
    );
    let experience =
        converse_in_one_piece(config().with_enforced_sync(false), &script, |experience, event| {
            if let Event::Deliver(_) = event {
                assert!(event.facts().has_pipelining_violation());
                assert!(!event.facts().has_talked_early());
            }
            experience.answer(event);
        });
    assert_eq!(experience.messages.len(), 1);
}

/// The number of forgiven commands is bounded, whatever stands between.
#[test]
fn mail_after_a_refused_chunk_forgives_nothing() {
    let limits = Limits::default().with_errors(1);
    let script = after_hello(&format!(
        "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: BDAT 2
         C| \\n\\n
         S: 550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)
         {}
         C: RCPT TO:<c@d.org>
         S: 503 5.5.1 Content was refused, RSET is next
         C: MAIL FROM:<>
         S: 421 4.7.0 Too many errors
         S: (closed)",
        "C: RCPT TO:<c@d.org>\nS: 503 5.5.1 Content was refused, RSET is next\n".repeat(40),
    ));
    assert_eq!(converse(config().with_limits(limits), &script).end, Some(End::TooManyErrors));
}

/// The bookkeeping of a refused MAIL does not depend on when its reply comes, nor on how long it is.
#[test]
fn commands_in_flight_after_an_invalid_mail_are_forgiven() {
    let behind = "S: 503 5.5.1 MAIL was refused\n".repeat(3);
    let group = "C: RCPT TO:<c@d.org>\nC: RCPT TO:<c@d.org>\nC: DATA\n";
    let limits = Limits::default().with_errors(2);
    let delay = Timeouts::default().with_error_delay(Duration::from_secs(2));
    let script = after_hello(&format!(
        "C: DATA\nS: 503 5.5.1 Need MAIL command\nC: MAIL FROM:<a@b.org> FOO=1\n{group}\
         S: 421 4.7.0 Too many errors\nS: (closed)"
    ));
    assert_eq!(converse(config().with_limits(limits), &script).end, Some(End::TooManyErrors));
    let limits = Limits::default().with_errors(3);
    let unknown = "S: 555 5.5.4 Parameter not recognised or not implemented\n";
    for (timeouts, pause) in [(Timeouts::default(), ""), (delay, "(2 s)\n")] {
        let script = after_hello(&format!(
            "C: DATA\nS: 503 5.5.1 Need MAIL command\n\
             C: MAIL FROM:<a@b.org> FOO=1\n{group}{pause}{unknown}{behind}\
             C: QUIT\nS: 221 2.0.0 Service closing transmission channel\nS: (closed)"
        ));
        let config = config().with_limits(limits).with_timeouts(timeouts);
        assert_eq!(converse(config, &script).end, Some(End::Quit));
    }
    let script = after_hello(&format!(
        "C: MAIL FROM:<{}@b.org>\n{group}S: 500 5.5.2 Line too long\n{behind}",
        "x".repeat(5000)
    ));
    converse(config().with_limits(limits), &script);
}

/// RFC 2920 section 3.1: DATA was under way when the recipients were refused.
#[test]
fn data_after_rejected_recipients_is_not_an_error() {
    let limits = Limits::default().with_errors(1);
    let script = after_hello(
        "C: MAIL FROM:<a@b.org>
         C: RCPT TO:<nobody@d.org>
         C: DATA
         S: 250 2.1.0 Ok
         S: 550 5.1.1 No such mailbox here
         S: 503 5.5.1 No valid recipients
         C: QUIT
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)",
    );
    assert_eq!(converse(config().with_limits(limits), &script).end, Some(End::Quit));
}
