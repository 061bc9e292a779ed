//! The server in conversation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

mod common;

use common::{Experience, HELLO, config, converse, converse_in_one_piece, converse_with};
use esmtp::{
    machine::{Machine, Need},
    security::Security,
    server::{Config, End, Event, Limits, Peer, Server, Timeouts},
    service::Service,
    syntax::{Code, Extension, Extensions, Rejection, Status, Text},
    time::{Instant, Rate},
    wire::BareLineBreaks,
};
use std::{sync::Arc, time::Duration};

fn after_hello(script: &str) -> String {
    format!("{HELLO}{script}")
}

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

/// 5321-3.2-a
#[test]
fn helo_opens_a_session_without_extensions() {
    converse(
        config(),
        "S: 220 mx.example.org ESMTP service ready
         C: HELO client.example.net
         S: 250 mx.example.org
         C: MAIL FROM:<a@b.org> SIZE=10
         S: 555 5.5.4 Parameter not recognised or not implemented
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok",
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
fn a_line_too_long_is_one_error_and_its_tail_is_no_command() {
    let long = format!(
        "C: NOOP {}
         S: 500 5.5.2 Line too long
         C: NOOP
         S: 250 2.0.0 Ok",
        "QUIT ".repeat(1000)
    );
    converse(config(), &after_hello(&long));
}

/// 5321-2.3.8-a: RFC 5321 section 2.3.8.
#[test]
fn a_bare_line_feed_ends_no_command() {
    converse(
        config(),
        &after_hello(
            r"C| NOOP\nQUIT\r\n
             S: 500 5.5.2 CR, LF or NUL in a command line
             C| NOOP\rQUIT\r\n
             S: 500 5.5.2 CR, LF or NUL in a command line
             C: NOOP
             S: 250 2.0.0 Ok",
        ),
    );
}

const CONTENT: &str = "
    C: MAIL FROM:<a@b.org>
    S: 250 2.1.0 Ok
    C: RCPT TO:<c@d.org>
    S: 250 2.1.5 Ok
    C: DATA
    S: 354 Start mail input; end with <CRLF>.<CRLF>
";

#[test]
fn only_crlf_dot_crlf_ends_a_message() {
    let script = format!(
        r"{HELLO}{CONTENT}
        C| a\n.\nb\r\n.\r\n
        S: 550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)
        C: NOOP
        S: 250 2.0.0 Ok"
    );
    let experience = converse(config(), &script);
    assert!(experience.messages.is_empty());
    assert_eq!(experience.aborts(), ["BareLineBreak(1)"]);

    let script = format!(
        r"{HELLO}{CONTENT}
        C| a\n.\r\nb\r.\r\n.\r\n
        S: 250 2.0.0 queued"
    );
    let kept = converse(config().with_bare_line_breaks(BareLineBreaks::Keep), &script);
    assert_eq!(kept.messages[0].content, b"a\n.\r\nb\r.\r\n");
    let normal = converse(config().with_bare_line_breaks(BareLineBreaks::Normalise), &script);
    assert_eq!(normal.messages[0].content, b"a\r\n.\r\nb\r\n.\r\n");
}

#[test]
fn content_beyond_the_limit_is_drained_to_its_true_end() {
    let script = format!(
        "{}{CONTENT}
        C: 0123456789
        C: QUIT
        C: .
        S: 552 5.3.4 Message too large
        C: NOOP
        S: 250 2.0.0 Ok",
        HELLO.replace("33554432", "12")
    );
    let experience = converse(config().with_limits(Limits::default().with_message(12)), &script);
    assert_eq!(experience.aborts(), ["TooLarge"]);
    let fits =
        script.replace("C: QUIT\n", "").replace("552 5.3.4 Message too large", "250 2.0.0 queued");
    let experience = converse(config().with_limits(Limits::default().with_message(12)), &fits);
    assert_eq!(experience.messages[0].content, b"0123456789\r\n");
}

#[test]
fn recipients_beyond_the_limit_are_told_to_come_again() {
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

#[test]
fn a_peer_that_vanishes_leaves_nothing() {
    for (how, script) in [("(closed)", ""), ("(cut off)", "")] {
        let script = format!("{HELLO}{CONTENT}{script}C: half a message\nC: {how}\nS: (closed)");
        let experience = converse(config(), &script);
        assert!(experience.messages.is_empty());
        assert_eq!(experience.aborts(), ["ConnectionLost"]);
        assert_eq!(experience.end, Some(End::ConnectionLost));
    }
}

#[test]
fn what_was_said_before_an_orderly_close_is_answered() {
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

/// 5321-4.5.3.2.7-a: RFC 5321 section 4.5.3.2.7.
#[test]
fn a_client_that_says_nothing_hears_421() {
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
fn content_that_drips_is_a_time_out() {
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

#[test]
fn a_shut_down_lets_content_and_delivery_finish() {
    let idle = after_hello(
        "(shut down)
         S: 421 4.3.2 Shutting down, try again later
         S: (closed)",
    );
    assert_eq!(converse(config(), &idle).end, Some(End::ShutDown));
    let busy = format!(
        "{HELLO}{CONTENT}
        (shut down)
        C: the rest
        C: .
        S: 250 2.0.0 queued
        S: 421 4.3.2 Shutting down, try again later
        S: (closed)"
    );
    assert_eq!(converse(config(), &busy).messages.len(), 1);
}

/// 2033-4.2-b, 2033-4.2-c, 2033-4.2-e: RFC 2033 section 4.2.
#[test]
fn lmtp_replies_for_every_accepted_recipient() {
    let experience = converse(
        config()
            .with_service(Service::Lmtp)
            .with_extensions(Extensions::NONE.with(Extension::EightBitMime)),
        "S: 220 mx.example.org LMTP service ready
         C: EHLO client.example.net
         S: 500 Command not recognised
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250 ENHANCEDSTATUSCODES
         C: MAIL FROM:<a@b.org>
         C: RCPT TO:<one@d.org>
         C: RCPT TO:<full@d.org>
         C: RCPT TO:<nobody@d.org>
         C: RCPT TO:<one@d.org>
         C: DATA
         S: 250 2.1.0 Ok
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         S: 550 5.1.1 No such mailbox here
         S: 250 2.1.5 Ok
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: text
         C: .
         S: 250 2.0.0 Message accepted
         S: 450 4.2.1 Busy
         S: 250 2.0.0 Message accepted",
    );
    assert_eq!(experience.messages.len(), 1);
}

#[test]
fn a_client_that_is_refused_may_still_quit() {
    let experience = converse_with(
        config(),
        "S: 554 No service for you
         C: EHLO client.example.net
         S: 503 No service here, only QUIT is accepted
         C: QUIT
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)",
        |experience, event| match event {
            Event::Connect(connect) => connect.reject(
                Rejection::new(
                    esmtp::syntax::Code::new(554).unwrap(),
                    esmtp::syntax::Status::new(7, 1).unwrap(),
                    Text::literal("No service for you"),
                )
                .unwrap(),
            ),
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.end, Some(End::Quit));
}

#[test]
fn who_does_not_care_accepts_no_message() {
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

/// RFC 3030 section 4.1.
#[test]
fn chunks_carry_any_octets() {
    let script = r"
        C: MAIL FROM:<a@b.org> BODY=BINARYMIME
        C: RCPT TO:<c@d.org>
        C: DATA
        S: 250 2.1.0 Ok
        S: 250 2.1.5 Ok
        S: 503 5.5.1 Binary content needs BDAT
        C: BDAT 8
        C| .\r\n.\r\n\0\n
        C: BDAT 0
        C: BDAT 6 LAST
        C| QUIT\r\n
        C: NOOP
        S: 250 2.0.0 Chunk received
        S: 250 2.0.0 Chunk received
        S: 250 2.0.0 queued
        S: 250 2.0.0 Ok";
    let experience = converse(config(), &after_hello(script));
    assert_eq!(experience.messages[0].content, b".\r\n.\r\n\0\nQUIT\r\n");
    assert_eq!(experience.log[3..], ["data", "deliver"]);
}

/// 3030-2-i, 3030-2-j, 3030-2-u: RFC 3030 section 2.
#[test]
fn the_octets_of_a_chunk_that_is_refused_are_no_commands() {
    let misplaced = r"
        C: BDAT 6
        C| QUIT\r\n
        S: 503 5.5.1 Need MAIL command
        C: MAIL FROM:<a@b.org>
        S: 250 2.1.0 Ok
        C: BDAT 6 LAST
        C| QUIT\r\n
        S: 503 5.5.1 No valid recipients
        C: RCPT TO:<c@d.org>
        S: 250 2.1.5 Ok
        C: BDAT 3
        C| abc
        S: 250 2.0.0 Chunk received
        C: RCPT TO:<e@f.org>
        S: 503 5.5.1 Content has begun, BDAT or RSET is next
        C: RSET
        S: 250 2.0.0 Ok";
    assert_eq!(converse(config(), &after_hello(misplaced)).aborts(), ["Reset"]);
    let too_large = format!(
        r"{}
        C: MAIL FROM:<a@b.org>
        C: RCPT TO:<c@d.org>
        C: BDAT 6
        C| 123456
        C: BDAT 6
        C| QUIT\r\n
        C: BDAT 6
        C| QUIT\r\n
        C: BDAT 6 LAST
        C| QUIT\r\n
        C: MAIL FROM:<a@b.org>
        S: 250 2.1.0 Ok
        S: 250 2.1.5 Ok
        S: 250 2.0.0 Chunk received
        S: 552 5.3.4 Message too large
        S: 503 5.5.1 Content was refused, RSET is next
        S: 503 5.5.1 Content was refused, RSET is next
        S: 250 2.1.0 Ok",
        HELLO.replace("33554432", "10")
    );
    let limits = Limits::default().with_message(10);
    let experience = converse(config().with_limits(limits), &too_large);
    assert_eq!(experience.aborts(), ["TooLarge"]);
}

#[test]
fn a_chunk_of_unknown_length_ends_the_session() {
    let script = r"
        C: BDAT many
        S: 501 5.5.4 Not a number in this range
        S: (closed)";
    converse(config(), &after_hello(script));
}

#[test]
fn a_bare_line_feed_in_a_chunk_refuses_the_message() {
    let script = r"
        C: MAIL FROM:<a@b.org>
        C: RCPT TO:<c@d.org>
        C: BDAT 3
        C| a\r\n
        C: BDAT 3 LAST
        C| b\nc
        C: NOOP
        S: 250 2.1.0 Ok
        S: 250 2.1.5 Ok
        S: 250 2.0.0 Chunk received
        S: 550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)
        S: 250 2.0.0 Ok";
    let experience = converse(config(), &after_hello(script));
    assert_eq!(experience.aborts(), ["BareLineBreak(4)"]);
}

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

fn secured(experience: &mut common::Experience, event: Event<'_>) {
    match event {
        Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
        other => experience.answer(other),
    }
}

/// RFC 3207 section 4.2.
#[test]
fn what_was_learnt_before_tls_is_forgotten() {
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

/// RFC 3207 section 6. In one piece the octets are behind STARTTLS; one at a time they come
/// when the handshake is awaited, and no octet of them is heard.
#[test]
fn octets_behind_starttls_are_an_injection() {
    let script = format!(
        r"{HELLO_TLS}
        C| STARTTLS\r\nNOOP\r\n
        S: 554 Octets after STARTTLS (RFC 3207 section 4.2)
        S: (closed)"
    );
    let experience = common::converse_in_one_piece(tls(), &script, secured);
    assert_eq!(experience.end, Some(End::Injection));
}

/// A size of the client's own besides the one that its user gave.
#[test]
fn of_two_sizes_the_one_that_is_too_large_counts() {
    let script = after_hello(
        "C: MAIL FROM:<a@b.org> SIZE=33554433 SIZE=10
         S: 552 5.3.4 Message size exceeds the fixed maximum
         C: MAIL FROM:<a@b.org> SIZE=10 SIZE=10
         S: 501 5.5.4 The same parameter twice",
    );
    converse(config(), &script);
}

/// RFC 5321 section 3.8.
#[test]
fn a_421_of_the_applications_is_the_last_word() {
    let script = after_hello(
        "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 421 4.3.2 No more
         S: (closed)",
    );
    let experience = converse_with(config(), &script, |experience, event| match event {
        Event::Rcpt(rcpt) => rcpt.reject(
            Rejection::new(
                Code::NOT_AVAILABLE,
                Status::new(3, 2).unwrap(),
                Text::literal("No more"),
            )
            .unwrap(),
        ),
        other => experience.answer(other),
    });
    assert_eq!(experience.aborts(), ["Refused"]);
    assert_eq!(experience.end, Some(End::Refused));
}

/// RFC 3030 section 2: nobody knows how many octets are no commands.
#[test]
fn a_chunk_that_cannot_be_told_from_commands_ends_the_session() {
    let long =
        format!("C: BDAT 6 LAST{}\nS: 500 5.5.2 Line too long\nS: (closed)", " ".repeat(3000));
    for script in [
        "C| BDAT\\t6 LAST\\r\\nQUIT\\r\\n\nS: 500 5.5.2 No command in this line\nS: (closed)",
        &long,
    ] {
        let experience = converse(config(), &after_hello(script));
        assert_eq!(experience.end, Some(End::Unframed), "{script}");
    }
}

/// RFC 2920 section 3.1, RFC 3030 section 2: what was under way is nobody's fault.
#[test]
fn what_was_pipelined_behind_a_refusal_is_no_error() {
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
fn what_is_pipelined_behind_a_refusal_without_end_is_an_error() {
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

#[test]
fn errors_take_time_where_that_is_wanted() {
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
fn transactions_that_come_to_nothing_are_counted() {
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

/// RFC 2920 section 3.1.
#[test]
fn who_does_not_wait_where_it_must_is_not_listened_to() {
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
        // Behind a hello no reply has an enhanced code.
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
fn who_does_not_wait_is_served_where_that_is_wanted() {
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

#[test]
fn who_talks_before_the_greeting_gives_itself_away() {
    let delay = Timeouts::default().with_greeting_delay(Duration::from_secs(5));
    let script = "
        (4 s)
        C: EHLO a.org
        S: 554 Improper use of SMTP command pipelining
        S: (closed)";
    let experience = converse(config().with_timeouts(delay), script);
    assert_eq!((experience.end, experience.log.len()), (Some(End::OutOfSync), 0));
    // Who waits is greeted.
    let script = "
        (5 s)
        S: 220 mx.example.org ESMTP service ready
        C: QUIT
        S: 221 2.0.0 Service closing transmission channel
        S: (closed)";
    assert_eq!(converse(config().with_timeouts(delay), script).end, Some(End::Quit));
    // Where it is not enforced, the application is told, and what was said is heard.
    let script = "
        (4 s)
        C: QUIT
        S: 220 mx.example.org ESMTP service ready
        S: 221 2.0.0 Service closing transmission channel
        S: (closed)";
    let lax = config().with_timeouts(delay).with_enforced_sync(false);
    let experience = converse_in_one_piece(lax, script, |experience, event| {
        if let Event::Connect(_) = event {
            experience.log.push(format!("early {}", event.facts().has_talked_early()));
        }
        experience.answer(event);
    });
    assert_eq!(experience.log, ["early true"]);
    // Nor does a client have to wait that has gone.
    let script = "(1 s)\nC: (closed)\nS: (closed)";
    let experience = converse(config().with_timeouts(delay), script);
    assert_eq!(experience.end, Some(End::ConnectionLost));
}

/// RFC 2045 section 2.8, RFC 3030 section 3.
#[test]
fn a_nul_is_content_only_where_anything_is() {
    let to_data =
        "C: MAIL FROM:<a@b.org>\nS: 250 2.1.0 Ok\nC: RCPT TO:<c@d.org>\nS: 250 2.1.5 Ok\n";
    let dots = format!(
        "{to_data}C: DATA\nS: 354 Start mail input; end with <CRLF>.<CRLF>\nC| a\\0b\\r\\n.\\r\\n\n"
    );
    let chunk = format!("{to_data}C: BDAT 5 LAST\nC| a\\0b\\r\\n\n");
    for transfer in [&dots, &chunk] {
        let script = after_hello(&format!(
            "{transfer}S: 550 5.6.0 NUL in the content (RFC 2045 section 2.8)"
        ));
        let experience = converse(config(), &script);
        assert_eq!(experience.aborts(), ["Nul(1)"]);
        let script = after_hello(&format!("{transfer}S: 250 2.0.0 queued"));
        let experience = converse(config().with_rejected_nul(false), &script);
        assert_eq!(experience.messages[0].content, b"a\0b\r\n");
    }
    let script = after_hello(&chunk.replace("b.org>", "b.org> BODY=BINARYMIME"));
    let experience = converse(config(), &format!("{script}S: 250 2.0.0 queued"));
    assert_eq!(experience.messages[0].content, b"a\0b\r\n");
}

/// RFC 5321 section 3.8: 421 says so.
#[test]
fn a_session_is_not_for_ever_but_content_comes_to_its_end() {
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

/// RFC 5321 section 4.1.1.8.
#[test]
fn help_tells_what_may_be_used() {
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

/// RFC 2033 section 4.2.
#[test]
fn whoever_closes_behind_a_message_still_answers_for_every_recipient() {
    converse_with(
        config().with_service(Service::Lmtp).with_extensions(Extensions::NONE),
        "S: 220 mx.example.org LMTP service ready
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         C: RCPT TO:<e@f.org>
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 451 4.3.0 Local error in processing
         S: 250 2.0.0 Message accepted
         S: (closed)",
        |experience, event| match event {
            Event::Deliver(mut delivery) => {
                if let Some(mut each) = delivery.per_recipient() {
                    each.settle(1, Ok(()));
                }
                delivery.reject_and_close(Rejection::LOCAL_ERROR);
            }
            other => experience.answer(other),
        },
    );
}

#[test]
fn a_shut_down_lets_chunks_come_to_their_last() {
    let script = after_hello(
        "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: BDAT 3
         C| abc
         S: 250 2.0.0 Chunk received
         (shut down)
         C: BDAT 3 LAST
         C| def
         S: 250 2.0.0 queued
         S: 421 4.3.2 Shutting down, try again later
         S: (closed)",
    );
    assert_eq!(converse(config(), &script).messages[0].content, b"abcdef");
}

#[test]
fn who_speaks_http_is_not_listened_to() {
    let script = "
        S: 220 mx.example.org ESMTP service ready
        C: POST / HTTP/1.1
        C: EHLO evil.example
        S: 554 5.5.1 HTTP is not supported
        S: (closed)";
    assert_eq!(converse(config(), script).end, Some(End::OtherProtocol));
}

#[test]
fn who_speaks_tls_in_the_clear_is_not_listened_to() {
    let script = r"
        S: 220 mx.example.org ESMTP service ready
        C| \x16\x03\x01\x02\x00
        S: (closed)";
    assert_eq!(converse(config(), script).end, Some(End::OtherProtocol));
    // Octets of a hello may happen to end a line.
    let script = r"
        S: 220 mx.example.org ESMTP service ready
        C| \x16\x03\x01\r\nNOOP\r\n
        S: (closed)";
    assert_eq!(converse(config(), script).end, Some(End::OtherProtocol));
}

#[test]
fn what_stands_in_a_long_line_is_no_command_wherever_it_is_cut() {
    let script = after_hello(&format!(
        "C| {}
         (0 s)
         C| BDAT 5\\r\\n
         S: 500 5.5.2 Line too long
         C| {}
         (0 s)
         C| \\x16\\x03\\r\\n
         S: 500 5.5.2 Line too long
         C: QUIT
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)",
        "x".repeat(2048),
        "x".repeat(2048),
    ));
    assert_eq!(converse(config(), &script).end, Some(End::Quit));
}

#[test]
fn a_session_that_comes_to_nothing_comes_to_an_end() {
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

/// RFC 5321 section 3.8: a client hears nothing behind 421, and would send again to everybody there.
#[test]
fn a_421_for_one_recipient_comes_behind_what_became_of_the_others() {
    let experience = converse_with(
        config().with_service(Service::Lmtp).with_extensions(Extensions::NONE),
        "S: 220 mx.example.org LMTP service ready
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         C: RCPT TO:<e@f.org>
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 451 4.3.0 Local error in processing
         S: 250 2.0.0 Message accepted
         S: 421 4.3.2 No more
         S: (closed)",
        |experience, event| match event {
            Event::Deliver(mut delivery) => {
                let status = Status::new(3, 2).unwrap();
                let text = Text::literal("No more");
                let last = Rejection::new(Code::NOT_AVAILABLE, status, text).unwrap();
                let mut each = delivery.per_recipient().unwrap();
                each.settle(0, Err(last));
                each.settle(1, Ok(()));
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.end, Some(End::Refused));
}

#[test]
fn lhlo_brings_no_message_nearer_either() {
    let hello = "C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES\n";
    let script = format!(
        "S: 220 mx.example.org LMTP service ready\n{hello}{hello}\
         C: LHLO client.example.net\n\
         S: 550 Too many hello commands"
    );
    let config = config().with_service(Service::Lmtp).with_extensions(Extensions::NONE);
    converse(config.with_limits(Limits::default().with_idle_commands(1)), &script);
}

#[test]
fn refused_chunks_come_to_an_end() {
    let limits = Limits::default().with_message(10).with_errors(1);
    let script = format!(
        "{}C: MAIL FROM:<a@b.org>\nS: 250 2.1.0 Ok\nC: RCPT TO:<c@d.org>\nS: 250 2.1.5 Ok\n\
         C: BDAT 20\nC| 01234567890123456789\nS: 552 5.3.4 Message too large\n{}\
         C: BDAT 0\nS: 421 4.3.4 Too much data, closing connection\nS: (closed)",
        HELLO.replace("33554432", "10"),
        "C: BDAT 0\nS: 503 5.5.1 Content was refused, RSET is next\n".repeat(8 * 1024 * 2),
    );
    let experience =
        converse_in_one_piece(config().with_limits(limits), &script, Experience::answer);
    assert_eq!(experience.end, Some(End::TooManyErrors));
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

/// Another configuration holds for what begins behind it, and takes nothing from what has begun.
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

/// What is innocent is bounded, whatever stands between.
#[test]
fn mail_behind_a_refused_chunk_forgives_nothing() {
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

/// RFC 2033 section 4.3: as many replies as there were recipients, also where the content had failed.
#[test]
fn the_last_chunk_of_failed_content_has_its_replies() {
    let opening = "S: 220 mx.example.org LMTP service ready
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-SIZE 33554432
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250-ENHANCEDSTATUSCODES
         S: 250-CHUNKING
         S: 250-BINARYMIME
         S: 250 HELP
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: RCPT TO:<e@f.org>
         S: 250 2.1.5 Ok
         C: BDAT 2
         C| \\n\\n
         S: 550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)";
    let refused = "S: 503 5.5.1 Content was refused, RSET is next";
    let script = format!(
        "{opening}
         C: MAIL FROM:<>
         {refused}
         C: BDAT 1
         C| x
         {refused}
         C: BDAT 1 LAST
         C| x
         {refused}
         {refused}
         C: MAIL FROM:<>
         S: 250 2.1.0 Ok"
    );
    converse(config().with_service(Service::Lmtp), &script);
}

/// The bookkeeping of a refused MAIL does not depend on when its reply comes, nor on how long it is.
#[test]
fn what_is_under_way_behind_a_bad_mail_is_forgiven_however_it_is_bad() {
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
fn data_behind_refused_recipients_is_no_error() {
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

#[test]
fn a_chunk_comes_to_its_end_and_a_session_ends_between_two() {
    let begun = after_hello(
        "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: BDAT 2
         C| ab
         S: 250 2.0.0 Chunk received
         ",
    );
    let config = || {
        let timeouts = Timeouts::default().with_session(Some(Duration::from_secs(10)));
        config().with_timeouts(timeouts)
    };
    let script = format!(
        "{begun}(9 s)
         C: BDAT 2 LAST
         (2 s)
         C| \\r\\n
         S: 250 2.0.0 queued
         S: 421 4.4.2 Timeout, closing connection
         S: (closed)"
    );
    assert_eq!(converse(config(), &script).messages[0].content, b"ab\r\n");
    let script = format!(
        "{begun}(10 s)
         S: 421 4.4.2 Timeout, closing connection
         S: (closed)"
    );
    assert_eq!(converse(config(), &script).aborts(), ["TimedOut"]);
}

/// What was said before an orderly close is answered, also where nobody waited for the greeting.
#[test]
fn who_closes_before_the_greeting_is_heard_where_that_is_wanted() {
    let mut server =
        Server::new(Arc::new(config().with_enforced_sync(false)), Peer::UNKNOWN, Security::CLEAR);
    server.feed(b"QUIT\r\n");
    server.closed(esmtp::machine::Closed::Clean);
    let mut said = Vec::new();
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => server.event().into_iter().for_each(Event::proceed),
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]];
                let _ = server.to_send(&mut slices);
                said.extend_from_slice(slices[0]);
                let octets = slices[0].len();
                server.sent(octets);
            }
            Need::Close => break,
            need => panic!("{need:?}"),
        }
    }
    assert!(
        said.starts_with(b"220 ")
            && said.ends_with(b"221 2.0.0 Service closing transmission channel\r\n")
    );
}

/// RFC 2034 section 4.
#[test]
fn no_opening_reply_has_an_enhanced_code() {
    let mut server = Server::new(Arc::new(config()), Peer::UNKNOWN, Security::CLEAR);
    server.shut_down();
    assert!(matches!(server.poll(Instant::ORIGIN), Need::Write(_)));
    let mut slices = [&[][..]];
    let _ = server.to_send(&mut slices);
    assert_eq!(slices[0], b"421 Shutting down, try again later\r\n");
    let limits = Limits::default().with_errors(1);
    let script = "S: 220 mx.example.org ESMTP service ready
        C: EHLO
        S: 421 Too many errors
        S: (closed)";
    converse(config().with_limits(limits), script);
}

/// Whoever asks the application for what it refuses, again and again, comes to an end.
#[test]
fn refusals_without_end_are_errors() {
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

/// "What is announced is what is accepted."
#[test]
fn auth_is_not_announced_where_tls_comes_first() {
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
