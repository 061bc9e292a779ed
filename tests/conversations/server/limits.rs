//! Limits of a server: sizes, deadlines, errors.

use crate::common::{CONTENT, HELLO, after_hello, config, converse, converse_with};
use esmtp::{
    machine::{Machine, Need},
    security::Security,
    server::{End, Event, Limits, Peer, Server, Timeouts},
    syntax::{Extension, Rejection},
    time::{Instant, Rate},
};
use std::{sync::Arc, time::Duration};

#[test]
fn recipients_beyond_the_limit_get_452() {
    let script = after_hello(
        "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<1@d.org>
         C: RCPT TO:<2@d.org>
         C: RCPT TO:<3@d.org>
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         S: 452 4.5.3 Too many recipients
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 250 2.0.0 queued",
    );
    let limits = Limits::default().with_recipients(2);
    let experience = converse(config().with_limits(limits), &script);
    assert_eq!(experience.messages[0].to, ["<1@d.org>", "<2@d.org>"]);
}

/// 5321-4.5.3.2.7-a: RFC 5321 section 4.5.3.2.7.
#[test]
fn a_silent_client_gets_421() {
    let script = after_hello(
        "C| NO
         (299 s)
         C| O
         (1 s)
         S: 421 4.4.2 Timeout, closing connection
         S: (closed)",
    );
    assert_eq!(converse(config(), &script).end, Some(End::TimedOut));
}

#[test]
fn content_that_drips_times_out() {
    let script = format!(
        "{HELLO}{CONTENT}
        C: 0123456789
        (4 s)
        C: 0123456789
        (4 s)
        S: 421 4.4.2 Timeout, closing connection
        S: (closed)"
    );
    let timeouts = Timeouts::default().with_content(Duration::from_secs(7));
    let experience = converse(config().with_timeouts(timeouts), &script);
    assert_eq!(experience.aborts(), ["TimedOut"]);
}

#[test]
fn the_last_error_is_421() {
    let limits = Limits::default().with_errors(3);
    let script = after_hello(
        "C: FOO
         S: 500 5.5.1 Command not recognised
         C: FOO
         S: 500 5.5.1 Command not recognised
         C: FOO
         S: 421 4.7.0 Too many errors
         S: (closed)",
    );
    assert_eq!(converse(config().with_limits(limits), &script).end, Some(End::TooManyErrors));
}

/// A size of the client's own besides the one that its user gave.
#[test]
fn of_two_sizes_the_larger_counts() {
    let script = after_hello(
        "C: MAIL FROM:<a@b.org> SIZE=33554433 SIZE=10
         S: 552 5.3.4 Message size exceeds the fixed maximum
         C: MAIL FROM:<a@b.org> SIZE=10 SIZE=10
         S: 501 5.5.4 The same parameter twice",
    );
    converse(config(), &script);
}

#[test]
fn replies_to_errors_are_delayed_if_configured() {
    let experience = converse(
        config()
            .with_limits(Limits::default().with_errors(4))
            .with_timeouts(Timeouts::default().with_error_delay(Duration::from_secs(2))),
        &after_hello(
            "C: DATA
             S: 503 5.5.1 Need MAIL command
             C: DATA
             (2 s)
             S: 503 5.5.1 Need MAIL command
             C: BDAT 4
             C| abcd
             (2 s)
             S: 503 5.5.1 Need MAIL command
             C: NOOP
             S: 250 2.0.0 Ok
             C: DATA
             S: 421 4.7.0 Too many errors
             S: (closed)",
        ),
    );
    assert_eq!(experience.end, Some(End::TooManyErrors));
}

/// A client that is told no again and again comes to an end too.
#[test]
fn transactions_without_a_message_are_counted() {
    let limits = Limits::default().with_errors(1).with_idle_commands(1);
    let experience = converse_with(
        config().with_limits(limits),
        &after_hello(
            "C: MAIL FROM:<a@b.org>
             S: 550 5.1.1 No such mailbox here
             C: MAIL FROM:<a@b.org>
             S: 421 4.7.0 Too many errors
             S: (closed)",
        ),
        |experience, event| match event {
            Event::Mail(mail) => mail.reject(Rejection::NO_SUCH_MAILBOX),
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.end, Some(End::TooManyErrors));
}

/// RFC 5321 section 3.8: 421 says so.
#[test]
fn a_session_has_a_time_limit_but_content_may_finish() {
    let timeouts = Timeouts::default().with_session(Some(Duration::from_secs(10)));
    let experience = converse(
        config().with_timeouts(timeouts),
        &after_hello(
            "(6 s)
             C: MAIL FROM:<a@b.org>
             C: RCPT TO:<c@d.org>
             C: DATA
             S: 250 2.1.0 Ok
             S: 250 2.1.5 Ok
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             (6 s)
             C: x
             (6 s)
             C: .
             S: 250 2.0.0 queued
             S: 421 4.4.2 Timeout, closing connection
             S: (closed)",
        ),
    );
    assert_eq!((experience.end, experience.messages.len()), (Some(End::TimedOut), 1));
    let experience = converse(
        config().with_timeouts(timeouts),
        &after_hello(
            "(9 s)
             C: NOOP
             S: 250 2.0.0 Ok
             (1 s)
             S: 421 4.4.2 Timeout, closing connection
             S: (closed)",
        ),
    );
    assert_eq!(experience.end, Some(End::TimedOut));
}

#[test]
fn a_session_without_a_message_ends() {
    let limits = Limits::default().with_idle_commands(2).with_errors(2);
    let script = after_hello(
        "C: NOOP
         S: 250 2.0.0 Ok
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 250 2.0.0 queued
         C: NOOP
         S: 250 2.0.0 Ok
         C: RSET
         S: 250 2.0.0 Ok
         C: HELP
         S: 503 5.5.1 Too many commands without a mail transaction
         C: NOOP
         S: 421 4.7.0 Too many errors
         S: (closed)",
    );
    assert_eq!(converse(config().with_limits(limits), &script).end, Some(End::TooManyErrors));
}

/// RFC 5321 section 4.5.3.2.
#[test]
fn a_client_that_reads_octet_by_octet_gains_the_time_of_the_slowest_rate() {
    let timeouts = Timeouts::default()
        .with_write(Duration::from_secs(10))
        .with_slowest_content(Rate::octets_per_second(500));
    let config = config().with_timeouts(timeouts);
    let mut server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    assert_eq!(server.poll(Instant::ORIGIN), Need::Answer);
    match server.event() {
        Some(Event::Connect(connect)) => connect.accept(),
        other => panic!("{other:?}"),
    }
    let end = Instant::ORIGIN + Duration::from_secs(10);
    for seconds in 0..10 {
        let now = Instant::ORIGIN + Duration::from_secs(seconds);
        assert_eq!(server.poll(now), Need::Either(end + Duration::from_millis(2 * seconds)));
        server.sent(1);
    }
    let end = end + Duration::from_millis(20);
    while server.poll(end) == Need::Answer {}
    assert_eq!(server.end(), Some(End::TimedOut));
}

/// A client that asks the application again and again for what it rejects comes to an end.
#[test]
fn endless_rejections_are_errors() {
    let limits = Limits::default().with_errors(1).with_idle_commands(3);
    let config = || config().with_limits(limits).with_extension(Extension::Etrn);
    let script = after_hello(&format!(
        "{}C: ETRN b.org\nS: 421 4.7.0 Too many errors\nS: (closed)",
        "C: ETRN b.org\nS: 458 4.0.0 Unable to queue messages for this node\n".repeat(3)
    ))
    .replace("250 HELP", "250-ETRN\nS: 250 HELP");
    converse(config(), &script);
    let refused =
        "C: MAIL FROM:<a@b.org>\nS: 250 2.1.0 Ok\nC: RCPT TO:<c@d.org>\nS: 250 2.1.5 Ok\nC: DATA\n";
    let script = after_hello(&format!(
        "{}{refused}S: 421 4.7.0 Too many errors\nS: (closed)",
        format!("{refused}S: 451 4.3.0 Local error in processing\n").repeat(3)
    ))
    .replace("250 HELP", "250-ETRN\nS: 250 HELP");
    let experience = converse_with(config(), &script, |experience, event| match event {
        Event::Data(data) => data.reject(Rejection::LOCAL_ERROR),
        other => experience.answer(other),
    });
    assert_eq!(experience.aborts().len(), 4);
    let content = "S: 354 Start mail input; end with <CRLF>.<CRLF>\nC: .\nS: 451 4.3.0 Local error in processing\n";
    let script = after_hello(&format!(
        "{}S: 421 4.7.0 Too many errors\nS: (closed)",
        format!("{refused}{content}").repeat(4)
    ))
    .replace("250 HELP", "250-ETRN\nS: 250 HELP");
    converse_with(config(), &script, |experience, event| match event {
        Event::Deliver(delivery) => delivery.reject(Rejection::LOCAL_ERROR),
        other => experience.answer(other),
    });
}
