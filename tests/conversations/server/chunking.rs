//! Chunks at a server (BDAT, RFC 3030).

use crate::common::{Experience, HELLO, after_hello, config, converse, converse_in_one_piece};
use esmtp::server::{End, Limits, Timeouts};
use std::time::Duration;

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
fn the_octets_of_a_refused_chunk_are_not_commands() {
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

/// RFC 3030 section 2: the number of octets that are not commands is unknown.
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

#[test]
fn refused_chunks_are_limited() {
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

#[test]
fn a_session_ends_between_two_chunks_and_not_within_one() {
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
