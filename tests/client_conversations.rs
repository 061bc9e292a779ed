//! Conversations of the client, written like those of the RFCs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[path = "common/dialogue.rs"]
mod dialogue;

use dialogue::{Act, Dialogue, Mail, mail};
use esmtp::{
    client::{Client, Config, MessageFacts},
    machine::{Machine, Need},
    security::Security,
    service::Service,
    time::Instant,
    wire::LineEnds,
};
use std::time::Duration;

const BOB: &str = "bob@example.net";
const CARL: &str = "carl@example.net";
const DORA: &str = "dora@example.net";

/// RFC 5321 sections 2.2.1, 3.1 to 3.3, 4.1.1.10, appendix D.1.
/// 5321-2.2.1-b, 5321-3.4-c, 5321-4.3.1-a, 5321-4.5.4.1-b
#[test]
fn a_message_goes_one_command_at_a_time() {
    let notes = Dialogue::sends(&[BOB, CARL, DORA], "Subject: x\r\n\r\nblah\r\n").plays(
        "S: 220 foo.com Simple Mail Transfer Service Ready
         C: EHLO me.example.org
         S: 250-foo.com greets me.example.org
         S: 250-8BITMIME
         S: 250-SIZE
         S: 250-DSN
         S: 250 HELP
         C: MAIL FROM:<ann@example.org> SIZE=20
         S: 250 OK
         C: RCPT TO:<bob@example.net>
         S: 250 OK
         C: RCPT TO:<carl@example.net>
         S: 550 No such user here
         C: RCPT TO:<dora@example.net>
         S: 251 User not local; will forward to <dora@example.com>
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: Subject: x
         C:
         C: blah
         C: .
         S: 250 OK
         C: QUIT
         S: 221 foo.com Service closing transmission channel
         C: (closed)",
    );
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 250 OK, <carl@example.net> 550 No such user here, \
             <dora@example.net> 250 OK",
            "end: the session was ended with QUIT"
        ]
    );
}

/// RFC 2920 section 4.
/// 2920-3.1-b, 2920-3.1-e
#[test]
fn commands_go_in_one_group_where_pipelining_is_offered() {
    let notes = Dialogue::sends(&[BOB, CARL], "blah\r\n").plays(
        "S: 220 innosoft.com SMTP service ready
         C: EHLO me.example.org
         S: 250-innosoft.com
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<carl@example.net>
         C: DATA
         S: 250 sender ok
         S: 250-recipient
         S: 250 ok
         S: 550 5.1.1 nobody
         S: 354 enter mail
         C: blah
         C: .
         S: 250 2.0.0 message sent
         C: QUIT
         S: 221 goodbye
         C: (closed)",
    );
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 250 2.0.0 message sent, <carl@example.net> 550 5.1.1 nobody"
    );
}

/// RFC 2920 section 3.1: the client cannot assume that DATA will be rejected.
/// 2920-3.1-c
#[test]
fn a_single_dot_follows_354_without_a_recipient() {
    let notes = Dialogue::sends(&[BOB, CARL], "blah\r\n").plays(
        "S: 220 innosoft.com SMTP service ready
         C: EHLO me.example.org
         S: 250-innosoft.com
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<carl@example.net>
         C: DATA
         S: 250 sender ok
         S: 550 one
         S: 550 two
         S: 354 enter mail
         C: .
         S: 554 no valid recipients
         C: QUIT
         S: 221 goodbye
         C: (closed)",
    );
    assert_eq!(notes[0], "0: <bob@example.net> 550 one, <carl@example.net> 550 two");
}

#[test]
fn a_reset_comes_before_the_next_mail_where_a_transaction_was_left() {
    let notes = Dialogue::new([
        Act::Send(mail(&[BOB], "one\r\n")),
        Act::Send(mail(&[CARL], "two\r\n")),
        Act::Send(mail(&[DORA], "three\r\n")),
    ])
    .plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 550 no
         S: 503 no recipients
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<carl@example.net>
         C: DATA
         S: 250 reset
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: two
         C: .
         S: 250 taken
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<dora@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 451 not now
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes[..3],
        [
            "0: <bob@example.net> 550 no",
            "1: <carl@example.net> 250 taken",
            "2: <dora@example.net> 451 not now"
        ]
    );
}

#[test]
fn nothing_follows_a_refused_mail_or_the_last_refused_recipient() {
    let notes = Dialogue::new([
        Act::Send(mail(&[BOB, CARL], "one\r\n")),
        Act::Send(mail(&[BOB, CARL], "two\r\n")),
    ])
    .plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 451 4.7.1 later
         C: RSET
         S: 250 ok
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 550 5.1.1 no
         C: RCPT TO:<carl@example.net>
         S: 452 4.2.2 full
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes[..2],
        [
            "0: <bob@example.net> 451 4.7.1 later, <carl@example.net> 451 4.7.1 later",
            "1: <bob@example.net> 550 5.1.1 no, <carl@example.net> 452 4.2.2 full"
        ]
    );
}

/// RFC 5321 section 4.5.3.1.10.
/// 5321-4.5.3.1.8-c
#[test]
fn recipients_beyond_the_limit_are_for_a_further_transaction() {
    let notes = Dialogue::sends(&[BOB, CARL, DORA], "x\r\n").plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<carl@example.net>
         C: RCPT TO:<dora@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 452 4.5.3 too many
         S: 552 5.5.3 too many
         S: 354 go
         C: x
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 250 taken, <carl@example.net> 452 4.5.3 too many, \
         <dora@example.net> 552 5.5.3 too many rest: <carl@example.net> <dora@example.net>"
    );
}

/// 5321-4.5.3.1.10-b: RFC 5321 section 4.5.3.1.10: only X.5.3, and 452 and 552 without a status after a recipient that was
/// accepted, are about the number of recipients.
#[test]
fn a_recipient_limit_ends_the_list_of_recipients() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>";
    let rest = "C: RCPT TO:<dora@example.net>\nS: 250 ok";
    let end = "C: DATA\nS: 354 go\nC: x\nC: .\nS: 250 taken\nC: QUIT\nS: 221 bye\nC: (closed)";
    // The replies to RCPT, whether the second is a limit, and the class of the second recipient.
    for (second, is_limit, class) in [
        ("452 4.5.3 too many", true, "rest: <carl@example.net> <dora@example.net>"),
        ("452 too many", true, "rest: <carl@example.net> <dora@example.net>"),
        ("552 too many", true, "rest: <carl@example.net> <dora@example.net>"),
        ("552 5.5.3 too many", true, "rest: <carl@example.net> <dora@example.net>"),
        ("451 4.5.3 too many", true, "rest: <carl@example.net> <dora@example.net>"),
        ("550 5.5.3 too many", true, "rest: <carl@example.net> <dora@example.net>"),
        ("452 4.2.2 full", false, ""),
        ("552 5.2.2 full", false, ""),
        ("452 4.3.1 no room", false, ""),
        ("452 4.5.0 what", false, ""),
        ("450 later", false, ""),
        ("550 no", false, ""),
    ] {
        let refused = format!("S: 250 ok\nC: RCPT TO:<carl@example.net>\nS: {second}");
        let rest = if is_limit { "" } else { rest };
        let notes = Dialogue::sends(&[BOB, CARL, DORA], "x\r\n")
            .plays(&format!("{opening}\n{refused}\n{rest}\n{end}").replace("\n\n", "\n"));
        let dora = if is_limit { "untried" } else { "250 taken" };
        let expected = format!(
            "0: <bob@example.net> 250 taken, <carl@example.net> {second}, \
             <dora@example.net> {dora} {class}"
        );
        assert_eq!(notes[0], expected.trim_end(), "{second}");
    }
    // Before any was accepted, 452 and 552 without a status concern that recipient alone.
    for (first, is_limit) in [("452 no", false), ("552 no", false), ("452 4.5.3 no", true)] {
        let others = match is_limit {
            true => "",
            false => {
                "C: RCPT TO:<carl@example.net>
                 S: 250 ok
                 C: RCPT TO:<dora@example.net>
                 S: 250 ok
                 C: DATA
                 S: 354 go
                 C: x
                 C: .
                 S: 250 taken\n"
            }
        };
        let notes = Dialogue::sends(&[BOB, CARL, DORA], "x\r\n")
            .plays(&format!("{opening}\nS: {first}\n{others}C: QUIT\nS: 221 bye\nC: (closed)"));
        let expected = match is_limit {
            true => format!(
                "0: <bob@example.net> {first}, <carl@example.net> untried, \
                 <dora@example.net> untried rest: <carl@example.net> <dora@example.net>"
            ),
            false => format!(
                "0: <bob@example.net> {first}, <carl@example.net> 250 taken, \
                 <dora@example.net> 250 taken"
            ),
        };
        assert_eq!(notes[0], expected, "{first}");
    }
}

/// RFC 5321 section 4.5.2. The application writes seven octets at a time, so that each piece begins
/// with the dot of a line.
/// 5321-4.5.2-a, 5321-4.1.1.4-f
#[test]
fn dots_are_stuffed_and_a_last_line_is_ended() {
    let notes = Dialogue::new([
        Act::Send(mail(&[BOB], "..\r\n.\r\n..a\r\n\r\n.")),
        Act::Send(mail(&[BOB], "")),
    ])
    .plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: ...
         C: ..
         C: ...a
         C:
         C: ..
         C: .
         S: 250 ok
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(notes.len(), 3);
}

/// RFC 5321 section 2.3.8.
/// 5321-2.3.8-c
#[test]
fn a_bare_line_feed_is_refused_or_made_a_line_end() {
    let content = "one\ntwo\n.\nthree\r\n";
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 SIZE 100";
    let strict = format!(
        "{opening}
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go"
    );
    let dialogue = Dialogue::sends(&[BOB], content);
    assert_eq!(
        dialogue.plays(&format!("{opening}\nC: QUIT\nS: 221 bye\nC: (closed)"))[0],
        "not offered: the message holds a bare CR or LF"
    );
    let unknown = Mail { facts: MessageFacts::UNKNOWN, ..mail(&[BOB], content) };
    assert_eq!(
        Dialogue::new([Act::Send(unknown)]).plays(&format!("{strict}\nC: (closed)")),
        [
            "content: a bare CR or LF at octet 3 of the content",
            "0: <bob@example.net> untried rest: <bob@example.net>",
            "end: content was aborted"
        ]
    );
    let from_lf = format!(
        "{opening}
         C: MAIL FROM:<ann@example.org> SIZE=20
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: one
         C: two
         C: ..
         C: three
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)"
    );
    let notes = dialogue.with(|config| config.with_line_ends(LineEnds::FromLf)).plays(&from_lf);
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
}

/// RFC 5321 section 3.2; after HELO no extension is used.
/// 5321-3.2-b, 5321-3.2-c
#[test]
fn helo_follows_a_refused_ehlo() {
    for code in ["500", "501", "502", "503", "504", "530", "550", "554", "599"] {
        let notes = Dialogue::sends(&[BOB], "\r\ncaf\u{e9}\r\n").plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: {code} what?
             C: HELO me.example.org
             S: 250 hello
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes[0], "not offered: the message needs 8BITMIME, which is not offered");
    }
    let notes = Dialogue::sends(&[BOB], "x\r\n").plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 502 what?
         C: HELO me.example.org
         S: 250-hello
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
}

/// RFC 5321 section 3.2: an old server may refuse EHLO with any 5yz, and what it says to HELO then, or
/// by closing, is not why it refuses.
/// 5321-3.2-b
#[test]
fn the_refusal_of_ehlo_is_reported_where_helo_fails_too() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 554 5.7.1 not you";
    let end = "end: the server refused to go on with the session: 554 5.7.1 not you";
    for failure in [
        "C: HELO me.example.org\nS: 502 what?\nC: QUIT\nS: 221 bye",
        "C: HELO me.example.org\nS: 450 later\nC: QUIT\nS: 221 bye",
        "C: HELO me.example.org\nS: 421 4.3.2 later",
        "C: HELO me.example.org\nS: (closed)",
        "C: HELO me.example.org\nS: (cut off)",
        "C: (broken)\nS: (cut off)",
    ] {
        let notes = Dialogue::sends(&[BOB], "x\r\n")
            .plays_whole(&format!("{opening}\n{failure}\nC: (closed)"));
        assert_eq!(notes, [end], "{failure}");
    }
    // The connection is closed together with the refusal, so that HELO cannot be sent.
    let mut client = Client::new(dialogue::config(), Security::CLEAR);
    for octets in ["220 mx\r\n", "554 5.7.1 not you\r\n"] {
        while let Need::Either(_) = client.poll(Instant::ORIGIN) {
            client.sent(99);
        }
        assert_eq!(client.feed(octets.as_bytes()), octets.len());
    }
    client.closed(esmtp::machine::Closed::Clean);
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    assert_eq!(format!("end: {}", client.end().unwrap()), end);
    // Where HELO is accepted, its reply counts.
    let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&format!(
        "{opening}
         C: HELO me.example.org
         S: 250 hello
         C: MAIL FROM:<ann@example.org>
         S: (closed)
         C: (closed)"
    ));
    assert_eq!(notes.last().unwrap(), "end: the server closed the connection");
}

/// After HELO there is no TLS, no AUTH and no extension.
/// 5321-3.2-b, 2033-4.1-e
#[test]
fn helo_is_not_tried_where_more_is_required() {
    use esmtp::{client::TlsPolicy, syntax::Extension};
    type Change = fn(Config) -> Config;
    for (change, verb) in [
        ((|config| config.with_tls(TlsPolicy::Required)) as Change, "EHLO"),
        (|config| config.with_required(Extension::Auth), "EHLO"),
        (|config| config.with_required(Extension::SmtpUtf8), "EHLO"),
        (|config| config.with_service(Service::Submission).with_tls(TlsPolicy::Never), "EHLO"),
        (|config| config.with_service(Service::Lmtp), "LHLO"),
    ] {
        for code in ["500", "502", "550", "554"] {
            let notes = Dialogue::sends(&[BOB], "x\r\n").with(change).plays(&format!(
                "S: 220 mx
                 C: {verb} me.example.org
                 S: {code} what?
                 C: QUIT
                 S: 221 bye
                 C: (closed)"
            ));
            let end = format!("end: the server refused to go on with the session: {code} what?");
            assert_eq!(notes, [end]);
        }
    }
}

/// RFC 5321 section 3.8. A server that has said 421 carries out nothing that was sent after it.
#[test]
fn what_was_in_flight_after_a_421_was_not_tried() {
    let [one, two, three] = [BOB, CARL, DORA].map(|to| Act::Send(mail(&[to], "x\r\n")));
    let dialogue = Dialogue::new([one, two, three, Act::Wait, Act::Wait, Act::Wait])
        .with(|config| config.with_transactions(3));
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 CHUNKING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: BDAT 3 LAST
         C: x
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<carl@example.net>
         C: BDAT 3 LAST
         C: x
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<dora@example.net>
         C: BDAT 3 LAST
         C: x
         C: ";
    let opening = opening.trim_end_matches("\n         C: ");
    let [bob, carl, dora] = [BOB, CARL, DORA];
    let untried = |number, to| format!("{number}: <{to}> untried rest: <{to}>");
    let end = "end: the server refused to go on with the session: 421 4.3.2 down";
    let closed = "end: the server closed the connection";
    let taken = "S: 250 ok\nS: 250 ok\nS: 250 taken";
    for (replies, outcomes, end) in [
        // In the place of the reply to MAIL, and to the RSET before it.
        (
            format!("{taken}\nS: 250 ok\nS: 421 4.3.2 down"),
            [format!("0: <{bob}> 250 taken"), untried(1, carl), untried(2, dora)],
            end,
        ),
        (
            format!("{taken}\nS: 421 4.3.2 down"),
            [format!("0: <{bob}> 250 taken"), untried(1, carl), untried(2, dora)],
            end,
        ),
        // In the place of later replies: that transaction was tried.
        (
            format!("{taken}\nS: 250 ok\nS: 250 ok\nS: 421 4.3.2 down"),
            [
                format!("0: <{bob}> 250 taken"),
                format!("1: <{carl}> 421 4.3.2 down"),
                untried(2, dora),
            ],
            end,
        ),
        (
            format!("{taken}\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 421 4.3.2 down"),
            [
                format!("0: <{bob}> 250 taken"),
                format!("1: <{carl}> 421 4.3.2 down"),
                untried(2, dora),
            ],
            end,
        ),
        ("S: 421 4.3.2 down".into(), [untried(0, bob), untried(1, carl), untried(2, dora)], end),
        // Without a 421 the server may have taken what it had.
        (
            format!("{taken}\nS: (closed)"),
            [
                format!("0: <{bob}> 250 taken"),
                format!("1: <{carl}> unknown"),
                format!("2: <{dora}> unknown"),
            ],
            closed,
        ),
    ] {
        let notes = dialogue.plays(&format!("{opening}\n{replies}\nC: (closed)"));
        let expected: Vec<_> = outcomes.into_iter().chain([end.to_owned()]).collect();
        assert_eq!(notes, expected, "{replies}");
    }
}

/// 5321-3.1-e
#[test]
fn a_server_that_refuses_the_session_is_left_with_quit() {
    for (script, refusal) in [
        ("S: 554 5.7.1 no service here", "554 5.7.1 no service here"),
        ("S: 450 4.3.2 not now", "450 4.3.2 not now"),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 450 4.7.1 not now",
            "450 4.7.1 not now",
        ),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 521 5.3.2 no mail here",
            "521 5.3.2 no mail here",
        ),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 550 5.7.1 go away
             C: HELO me.example.org
             S: 502 what?",
            "550 5.7.1 go away",
        ),
    ] {
        let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&format!(
            "{script}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(
            notes,
            [format!("end: the server refused to go on with the session: {refusal}")]
        );
    }
}

/// RFC 5321 section 3.8: 421 may come at any time.
#[test]
fn the_session_ends_with_421() {
    let refused = "end: the server refused to go on with the session: 421 4.3.2 down";
    for (script, report) in [
        ("S: 421 4.3.2 down", None),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 421 4.3.2 down",
            None,
        ),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 250 mx
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 550 no
             C: RCPT TO:<carl@example.net>
             S: 421 4.3.2 down",
            Some("0: <bob@example.net> 550 no, <carl@example.net> 421 4.3.2 down"),
        ),
        (
            "S: 220 mx
             C: EHLO me.example.org
             S: 250 mx
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: RCPT TO:<carl@example.net>
             S: 250 ok
             C: DATA
             S: 354 go
             C: x
             C: .
             S: 421 4.3.2 down",
            Some("0: <bob@example.net> 421 4.3.2 down, <carl@example.net> 421 4.3.2 down"),
        ),
    ] {
        let notes = Dialogue::sends(&[BOB, CARL], "x\r\n").plays(&format!("{script}\nC: (closed)"));
        let expected: Vec<_> = report.into_iter().chain([refused]).collect();
        assert_eq!(notes, expected);
    }
}

#[test]
fn a_waiting_session_sees_its_421() {
    let notes = Dialogue::new([Act::Wait]).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         (86400 s)
         S: 421 4.4.2 idle
         C: (closed)",
    );
    assert_eq!(notes, ["end: the server refused to go on with the session: 421 4.4.2 idle"]);
}

/// RFC 5321 sections 3.8 and 6.1.
/// 5321-6.1-a
#[test]
fn a_lost_connection_tells_what_is_unknown() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<carl@example.net>
         C: DATA
         S: 250 ok
         S: 550 no";
    let data = format!(
        "{opening}
         S: 250 ok
         S: 354 go
         C: x
         C: ."
    );
    let untried =
        "0: <bob@example.net> 550 no, <carl@example.net> untried rest: <carl@example.net>";
    let unknown = "0: <bob@example.net> 550 no, <carl@example.net> unknown";
    for (script, report) in [(opening, untried), (&data, unknown)] {
        for how in ["closed", "cut off"] {
            let notes = Dialogue::sends(&[BOB, CARL], "x\r\n").plays(&format!(
                "{script}
                 S: ({how})
                 C: (closed)"
            ));
            assert_eq!(notes, [report, "end: the server closed the connection"]);
        }
    }
}

#[test]
fn an_early_hang_up_keeps_the_replies_that_came() {
    let notes = Dialogue::sends(&[BOB, CARL], &"x\r\n".repeat(50_000)).plays_whole(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: RCPT TO:<carl@example.net>
         S: 550 no
         C: DATA
         S: 354 go
         C: (broken)
         S: 552 5.3.4 too much
         S: (closed)
         C: (closed)",
    );
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 552 5.3.4 too much, <carl@example.net> 550 no",
            "end: the server refused to go on with the session: 552 5.3.4 too much"
        ]
    );
}

#[test]
fn content_that_is_given_up_is_never_ended() {
    let mut message = mail(&[BOB], "half of\r\n");
    message.aborts = true;
    let notes = Dialogue::new([Act::Send(message)]).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: (closed)",
    );
    assert_eq!(
        notes,
        ["0: <bob@example.net> untried rest: <bob@example.net>", "end: content was aborted"]
    );
}

/// 5321-4.2.1-e
#[test]
fn what_a_server_may_not_say_ends_the_session() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>";
    let unexpected = |reply: &str| {
        format!(
            "end: the server answered with a reply code that does not belong to the command: {reply}"
        )
    };
    let untried = "0: <bob@example.net> untried rest: <bob@example.net>".to_owned();
    for (script, expected) in [
        ("S: 250 hi".to_owned(), vec![unexpected("250 hi")]),
        (
            "S: SSH-2.0-OpenSSH_9.6".to_owned(),
            vec![
                "end: what the server sent is not a reply: a reply line does not begin with a code from 200 to 599".to_owned(),
            ],
        ),
        ("S: 220 mx\nC: EHLO me.example.org\nS: 354 go".to_owned(), vec![unexpected("354 go")]),
        (format!("{opening}\nS: 354 go"), vec![untried.clone(), unexpected("354 go")]),
        (
            format!("{opening}\nS: 250 ok\nC: RCPT TO:<bob@example.net>\nS: 354 go"),
            vec![untried.clone(), unexpected("354 go")],
        ),
        (
            format!(
                "{opening}\nS: 250 ok\nC: RCPT TO:<bob@example.net>\nS: 250 ok\nC: DATA\nS: 250 ok"
            ),
            vec![untried.clone(), unexpected("250 ok")],
        ),
        (
            format!(
                "{opening}\nS: 250 ok\nC: RCPT TO:<bob@example.net>\nS: 250 ok\nC: DATA\nS: 354 go\n\
                 C: x\nC: .\nS: 354 go"
            ),
            vec!["0: <bob@example.net> unknown".to_owned(), unexpected("354 go")],
        ),
        (
            format!("{opening}\nS: 250-ok\nS: 550 no"),
            vec![
                untried,
                "end: what the server sent is not a reply: the lines of a reply carry different codes".to_owned(),
            ],
        ),
    ] {
        let script = format!("{script}\nC: (closed)");
        assert_eq!(Dialogue::sends(&[BOB], "x\r\n").plays(&script), expected, "{script}");
    }
}

#[test]
fn replies_that_nobody_asked_for_end_the_session() {
    let unasked = "end: the server sent an unsolicited reply: ";
    for (script, reply) in [
        (
            "S: 220 hi
         S: 250-mx
         S: 250 SIZE 1000",
            "250 mx SIZE 1000",
        ),
        (
            "S: 220 hi
         C: EHLO me.example.org
         S: 250 mx
         S: 250 unasked",
            "250 unasked",
        ),
        (
            "S: 220 hi
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         S: 250 queued before it came",
            "250 queued before it came",
        ),
    ] {
        // Said in one breath: octet by octet, they might come when they are asked for.
        let notes = Dialogue::sends(&[BOB], "x\r\n").plays_whole(&format!("{script}\nC: (closed)"));
        assert_eq!(*notes.last().unwrap(), format!("{unasked}{reply}"), "{script}");
    }
}

/// 2033-4.1-e, 2033-4.2-f: RFC 2033 sections 4.1 and 4.2.
#[test]
fn lmtp_has_one_reply_for_each_accepted_recipient() {
    let lmtp = |config: Config| config.with_service(Service::Lmtp);
    let opening = "S: 220 foo.edu LMTP server ready
         C: LHLO me.example.org
         S: 250-foo.edu
         S: 250-PIPELINING
         S: 250 SIZE
         C: MAIL FROM:<ann@example.org> SIZE=3
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<carl@example.net>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 OK
         S: 250 OK
         S: 550 No such user here
         S: 250 OK";
    let dialogue = Dialogue::sends(&[BOB, CARL, BOB], "x\r\n").with(lmtp);
    let notes = dialogue.plays(&format!(
        "{opening}
         S: 354 Start mail input
         C: x
         C: .
         S: 250 OK
         S: 452 4.2.2 is temporarily over quota
         C: QUIT
         S: 221 closing connection
         C: (closed)"
    ));
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 250 OK, <carl@example.net> 550 No such user here, \
         <bob@example.net> 452 4.2.2 is temporarily over quota"
    );
    let notes = dialogue.plays(&format!(
        "{opening}
         S: 354 Start mail input
         C: x
         C: .
         S: 250 OK
         S: (closed)
         C: (closed)"
    ));
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 250 OK, <carl@example.net> 550 No such user here, \
         <bob@example.net> unknown"
    );
    let notes = Dialogue::sends(&[BOB], "x\r\n").with(lmtp).plays(
        "S: 220 foo.edu
         C: LHLO me.example.org
         S: 500 what?
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(notes, ["end: the server refused to go on with the session: 500 what?"]);
}

/// RFC 5321 section 4.5.3.2.
/// 5321-4.5.3.2.1-a, 5321-4.5.3.2.2-a, 5321-4.5.3.2.3-a, 5321-4.5.3.2.4-a, 5321-4.5.3.2.6-a
#[test]
fn every_phase_has_its_deadline() {
    let timed_out = "end: the server took too long";
    let mut script = String::new();
    for (line, seconds, report) in [
        ("", 300, None),
        ("S: 220 mx\nC: EHLO me.example.org", 300, None),
        ("S: 250 mx\nC: MAIL FROM:<ann@example.org>", 300, Some("untried rest: <bob@example.net>")),
        ("S: 250 ok\nC: RCPT TO:<bob@example.net>", 300, Some("untried rest: <bob@example.net>")),
        ("S: 250 ok\nC: DATA", 120, Some("untried rest: <bob@example.net>")),
        ("S: 354 go\nC: x\nC: .", 600, Some("unknown")),
    ] {
        script = format!("{script}\n{line}");
        let report = report.map(|outcome| format!("0: <bob@example.net> {outcome}"));
        let expected: Vec<_> = report.into_iter().chain([timed_out.to_owned()]).collect();
        let dialogue = Dialogue::sends(&[BOB], "x\r\n");
        let notes = dialogue.plays(&format!("{script}\n({seconds} s)\nC: (closed)"));
        assert_eq!(notes, expected, "{script}");
        let notes = dialogue.plays_whole(&format!("{script}\n({} s)", seconds - 1));
        assert!(notes.iter().all(|note| !note.contains("end:")), "{script}: {notes:?}");
        assert!(notes.last().unwrap().starts_with("Read("), "{script}: {notes:?}");
    }
}

#[test]
fn quit_is_answered_or_followed_by_the_close() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: QUIT";
    for ending in ["S: 221 bye", "S: (closed)", "S: (cut off)", "S: 500 what?", "S: 421 bye"] {
        let notes = Dialogue::new([]).plays(&format!("{opening}\n{ending}\nC: (closed)"));
        assert_eq!(notes, ["end: the session was ended with QUIT"]);
    }
}

#[test]
fn commands_that_stand_alone_are_answered_or_refused() {
    let notes = Dialogue::new([Act::Noop, Act::Verify("bob"), Act::Verify("carl"), Act::Reset])
        .plays(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 PIPELINING
             C: NOOP
             S: 250 ok
             C: VRFY bob
             S: 252 2.1.5 try it
             C: VRFY carl
             S: 550 5.1.1 nobody
             C: RSET
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)",
        );
    assert_eq!(notes, ["VRFY refused: 550 5.1.1 nobody", "end: the session was ended with QUIT"]);
}

/// 5321-4.5.3.1.4-b: RFC 5321 section 4.5.3.1.4.
#[test]
fn no_command_that_stands_alone_is_longer_than_its_line() {
    // VRFY, a space and CRLF are seven octets of 512.
    let (fits, too_long) = ("x".repeat(505), "x".repeat(506));
    for name in [fits, too_long] {
        let name: &'static str = name.leak();
        let is_sent = name.len() == 505;
        let said =
            if is_sent { format!("C: VRFY {name}\nS: 252 perhaps\n") } else { String::new() };
        let notes = Dialogue::new([Act::Verify(name)]).plays(&format!(
            "S: 220 mx\nC: EHLO me.example.org\nS: 250 mx\n{said}C: QUIT\nS: 221 bye\nC: (closed)"
        ));
        let refused = "not offered: the command line of VRFY would have 513 octets of 512";
        assert_eq!(notes[0] == refused, !is_sent, "{notes:?}");
    }
}

#[test]
fn a_client_counts_whose_time_it_took() {
    let second = Duration::from_secs(1);
    let mut now = Instant::ORIGIN;
    let mut client = Client::new(Config::new("me.example.org").unwrap(), Security::CLEAR);
    let mut replies = [&b"220 mx\r\n"[..], b"250 mx\r\n", b"221 bye\r\n"].into_iter();
    loop {
        match client.poll(now) {
            // The application takes two seconds to say QUIT.
            Need::Answer => {
                now = now + 2 * second;
                client.event().unwrap().quit();
            }
            // The server takes one for each command, and three for each reply.
            Need::Write(_) | Need::Either(_) => {
                now = now + second;
                client.sent(usize::MAX);
            }
            Need::Read(_) => {
                now = now + 3 * second;
                client.feed(replies.next().unwrap());
            }
            _ => break,
        }
    }
    let totals = client.totals();
    assert_eq!((totals.application_time, totals.peer_time), (2 * second, 11 * second));
}

/// RFC 2920 section 3.1: the next MAIL may follow the end of the content in one group.
#[test]
fn a_further_transaction_follows_without_waiting_where_that_is_set() {
    let acts = [Act::Send(mail(&[BOB], "one\r\n")), Act::Send(mail(&[CARL], "two\r\n"))];
    let dialogue = Dialogue::new(acts).with(|config| config.with_transactions(2));
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: one
         C: .
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<carl@example.net>
         C: DATA";
    let notes = dialogue.plays(&format!(
        "{opening}
         S: 250 taken
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: two
         C: .
         C: QUIT
         S: 250 taken
         S: 221 bye
         C: (closed)"
    ));
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 250 taken",
            "1: <carl@example.net> 250 taken",
            "end: the session was ended with QUIT"
        ]
    );
    let notes = dialogue.plays(&format!("{opening}\nS: 421 4.3.2 down\nC: (closed)"));
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 421 4.3.2 down",
            "1: <carl@example.net> untried rest: <carl@example.net>",
            "end: the server refused to go on with the session: 421 4.3.2 down"
        ]
    );
    let notes = dialogue.plays(&format!("{opening}\nS: (closed)\nC: (closed)"));
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> unknown",
            "1: <carl@example.net> untried rest: <carl@example.net>",
            "end: the server closed the connection"
        ]
    );
}

/// RFC 3030 section 4.2; behind an earlier chunk every MAIL has its RSET.
#[test]
fn chunks_need_no_invitation() {
    let acts = [
        Act::Send(mail(&[BOB], ".one\r\n")),
        Act::Send(mail(&[CARL], "two\r\n")),
        Act::Send(mail(&[DORA], "three\r\n")),
    ];
    let notes = Dialogue::new(acts).with(|config| config.with_transactions(2)).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 CHUNKING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: BDAT 6 LAST
         C: .one
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<carl@example.net>
         C: BDAT 5 LAST
         C: two
         S: 250 ok
         S: 250 ok
         S: 250 taken
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<dora@example.net>
         C: BDAT 7 LAST
         C: three
         S: 250 reset
         S: 250 ok
         S: 550 no
         S: 503 nobody
         C: QUIT
         S: 250 reset
         S: 250 ok
         S: 250 ok
         S: 552 5.3.4 too much
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 250 taken",
            "1: <carl@example.net> 550 no",
            "2: <dora@example.net> 552 5.3.4 too much",
            "end: the session was ended with QUIT"
        ]
    );
}

const CHUNKING: &str = "S: 220 mx
     C: EHLO me.example.org
     S: 250-mx
     S: 250 CHUNKING";

/// 3030-2-k, 3030-2-l: a chunk is refused: nothing more goes out, and the session goes on (RFC 3030 section 2).
#[test]
fn a_refused_chunk_ends_the_transaction_and_not_the_session() {
    let acts = [Act::Send(mail(&[BOB], "one\r\ntwo\r\n")), Act::Send(mail(&[CARL], "two\r\n"))];
    let notes = Dialogue::new(acts).with(|config| config.with_send_buffer(8)).plays(&format!(
        "{CHUNKING}
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: BDAT 7
         C: one
         C| tw
         S: 552 5.3.4 too much
         C: RSET
         S: 250 ok
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<carl@example.net>
         S: 250 ok
         C: BDAT 5 LAST
         C: two
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)"
    ));
    assert_eq!(
        notes[..2],
        ["0: <bob@example.net> 552 5.3.4 too much", "1: <carl@example.net> 250 ok"]
    );
}

/// RFC 2033 section 4.3: the last chunk has a reply for each recipient, also where one before it was
/// refused.
#[test]
fn in_lmtp_the_last_chunk_is_answered_for_each_recipient_whatever_came_before() {
    let acts = [Act::Send(mail(&[BOB, CARL], "one\r\ntwo\r\n")), Act::Noop];
    let notes = Dialogue::new(acts)
        .with(|config| config.with_service(Service::Lmtp).with_send_buffer(8))
        .plays_whole(
            "S: 220 mx
             C: LHLO me.example.org
             S: 250-mx
             S: 250-PIPELINING
             S: 250 CHUNKING
             C: MAIL FROM:<ann@example.org>
             C: RCPT TO:<bob@example.net>
             C: RCPT TO:<carl@example.net>
             S: 250 ok
             S: 250 ok
             S: 250 ok
             C: BDAT 7
             C: one
             C| tw
             C: BDAT 3 LAST
             C: o
             S: 552 5.3.4 too much
             S: 503 for Bob
             S: 503 for Carl
             C: NOOP
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)",
        );
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 552 5.3.4 too much, <carl@example.net> 552 5.3.4 too much"
    );
}

#[test]
fn content_is_withdrawn_when_nobody_is_left() {
    let acts =
        [Act::Send(mail(&[BOB], "one\r\ntwo\r\nthree\r\nfour\r\n")), Act::Send(mail(&[CARL], ""))];
    // Where chunks are cut depends on what the server has taken: whole only.
    let notes = Dialogue::new(acts)
        .with(|config| config.with_send_buffer(8).with_in_flight(3))
        .plays_whole(
            "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 CHUNKING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: BDAT 7
         C: one
         C| tw
         S: 550 5.7.1 not you
         S: 503 what?
         S: 503 what?
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<carl@example.net>
         S: 250 ok
         S: 250 ok
         C: BDAT 0 LAST
         S: 250 ok
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
        );
    assert_eq!(
        notes[..2],
        ["0: <bob@example.net> 550 5.7.1 not you", "1: <carl@example.net> 250 ok"]
    );
}

#[test]
fn chunks_that_are_given_up_leave_the_session_intact() {
    let mut message = mail(&[BOB], "half of\r\n");
    message.aborts = true;
    let notes =
        Dialogue::new([Act::Send(message), Act::Send(mail(&[CARL], "two\r\n"))]).plays(&format!(
            "{CHUNKING}
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: RSET
             S: 250 ok
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<carl@example.net>
             S: 250 ok
             C: BDAT 5 LAST
             C: two
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    assert_eq!(
        notes[..2],
        ["0: <bob@example.net> untried rest: <bob@example.net>", "1: <carl@example.net> 250 ok"]
    );
}

/// RFC 2033 section 4.2: the replies to BDAT LAST are as many as accepted recipients, which must
/// be known before.
#[test]
fn lmtp_chunks_wait_for_a_recipient() {
    let notes = Dialogue::new([
        Act::Send(mail(&[BOB, CARL], "one\r\n")),
        Act::Send(mail(&[BOB, CARL], "two\r\n")),
    ])
    .with(|config| config.with_service(Service::Lmtp))
    .plays(
        "S: 220 mx
         C: LHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 CHUNKING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<carl@example.net>
         S: 250 ok
         S: 550 one
         S: 550 two
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<carl@example.net>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         C: BDAT 5 LAST
         C: two
         S: 250 first
         S: 452 4.2.2 second
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes[..2],
        [
            "0: <bob@example.net> 550 one, <carl@example.net> 550 two",
            "1: <bob@example.net> 250 first, <carl@example.net> 452 4.2.2 second"
        ]
    );
}

/// What MAIL would add its recipients to is not known then.
#[test]
fn a_reset_that_is_refused_ends_the_session() {
    let acts = [Act::Send(mail(&[BOB], "")), Act::Send(mail(&[CARL], ""))];
    let notes = Dialogue::new(acts).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 550 no
         S: 554 no
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<carl@example.net>
         C: DATA
         S: 500 what?
         C: (closed)",
    );
    assert_eq!(
        notes[1..],
        [
            "1: <carl@example.net> untried rest: <carl@example.net>",
            "end: the server answered with a reply code that does not belong to the command: 500 what?"
        ]
    );
}

/// RFC 5321 section 4.1.1.1: what cannot be understood is ignored.
#[test]
fn odd_ehlo_lists_do_no_harm() {
    for line in ["SIZE -1", "SIZE ", "SIZE 0", "XYZZY 1 2", "AUTH=LOGIN PLAIN", "SIZE=5", "!", ""] {
        let notes = Dialogue::sends(&[BOB], "x\r\n").plays_whole(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250-{line}
             S: 250 pipelining
             C: MAIL FROM:<ann@example.org>{}
             C: RCPT TO:<bob@example.net>
             C: DATA
             S: 250 ok
             S: 250 ok
             S: 354 go
             C: x
             C: .
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)",
            if line.starts_with("SIZE ") { " SIZE=3" } else { "" }
        ));
        assert_eq!(notes[0], "0: <bob@example.net> 250 ok", "{line}");
    }
}

/// RFC 5321 sections 4.2 and 4.2.1: codes are read by their first digit, and text may be absent.
/// 5321-4.2-c, 5321-4.2-f
#[test]
fn replies_are_read_by_their_first_digit() {
    let notes = Dialogue::sends(&[BOB, CARL, DORA], "x\r\n").plays(
        "S: 220
         C: EHLO me.example.org
         S: 250
         C: MAIL FROM:<ann@example.org>
         S: 299 fine
         C: RCPT TO:<bob@example.net>
         S: 250-
         S: 250
         C: RCPT TO:<carl@example.net>
         S: 599 no
         C: RCPT TO:<dora@example.net>
         S: 550 2.1.5 ok really
         C: DATA
         S: 354
         C: x
         C: .
         S: 250
         C: QUIT
         S: 221
         C: (closed)",
    );
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 250, <carl@example.net> 599 no, \
         <dora@example.net> 550 2.1.5 ok really"
    );
}

/// Alone, for nobody here knows what it does.
#[test]
fn a_verb_of_the_applications_own_is_sent_in_silence() {
    let long = |octets: usize| Some("a".repeat(octets - "XDO \r\n".len()));
    let acts = [
        Act::Send(mail(&[BOB], "x\r\n")),
        Act::Command("XDO", Some("this thing".into())),
        Act::Command("XDO", None),
        Act::Command("XDO", Some("caf\u{e9}".into())),
        Act::Command("XDO", long(513)),
        Act::Command("XDO", long(512)),
    ];
    let notes = Dialogue::new(acts).with(|config| config.with_transactions(2)).plays(&format!(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-CHUNKING
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: BDAT 3 LAST
         C: x
         S: 250 ok
         S: 250 ok
         S: 451 not now
         C: RSET
         S: 250 ok
         C: XDO this thing
         S: 250-done
         S: 250 twice
         C: XDO
         S: 502 5.5.1 not here
         C: XDO {}
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
        long(512).unwrap()
    ));
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 451 not now",
            "other refused: 502 5.5.1 not here",
            "not offered: the message needs SMTPUTF8, which is not offered",
            "not offered: the command line of other would have 513 octets of 512",
            "end: the session was ended with QUIT"
        ]
    );
    let notes = Dialogue::new([Act::Command("XDO", Some("caf\u{e9}".into()))]).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 SMTPUTF8
         C: XDO caf\u{e9}
         S: 354 more
         C: (closed)",
    );
    assert_eq!(
        notes,
        [
            "end: the server answered with a reply code that does not belong to the command: 354 more"
        ]
    );
}

/// A word that looks like a secret may be none: what the server says of it later is what the
/// application hears.
#[test]
fn what_only_looks_like_a_secret_is_hidden_in_its_own_reply_alone() {
    let acts = [
        Act::Command("XSTATE", Some("Hostname".into())),
        Act::Command("XSTATE", Some("Hostname".into())),
        Act::Send(mail(&[BOB], "x\r\n")),
    ];
    let notes = Dialogue::new(acts).plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: XSTATE Hostname
         S: 550 Hostname is unknown
         C: XSTATE Hostname
         S: 250 known
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 550 5.1.1 Hostname unknown
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes[..2],
        [
            "other refused: 550 ******** is unknown",
            "0: <bob@example.net> 550 5.1.1 Hostname unknown"
        ]
    );
}

/// `550 #5.1.0`: the enhanced status is read, unless the switch is off.
#[test]
fn a_hash_before_the_enhanced_status_is_read_over() {
    use esmtp::client::ReplyLenience;
    let script = "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 550-#5.1.0 Address rejected
         S: 550 #5.1.0 <bob@example.net>
         C: QUIT
         S: 221 bye
         C: (closed)";
    let dialogue = Dialogue::sends(&[BOB], "x\r\n");
    let notes = dialogue.plays(script);
    assert_eq!(notes[0], "0: <bob@example.net> 550 5.1.0 Address rejected <bob@example.net>");
    let strict = dialogue.with(|config| config.with_reply_lenience(ReplyLenience::STRICT));
    let notes = strict.plays(script);
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 550 #5.1.0 Address rejected #5.1.0 <bob@example.net>"
    );
}

/// 5321-2.3.8-a: lines end in CRLF, unless a switch that is off by default is on.
#[test]
fn reply_lines_may_end_in_lf_alone_where_that_is_set() {
    use esmtp::client::{End, ProtocolError, ReplyLenience};
    let hear = |client: &mut Client, octets: &str| {
        // Octet by octet.
        for octet in octets.as_bytes() {
            client.feed(core::slice::from_ref(octet));
            while let Need::Either(_) = client.poll(Instant::ORIGIN) {
                client.sent(9999);
            }
        }
    };
    let lenience = ReplyLenience::default().with_bare_lf();
    let config = dialogue::config().with_reply_lenience(lenience);
    let mut client = Client::new(config, Security::CLEAR);
    hear(&mut client, "220-mx\n220 mx\r\n");
    assert_eq!(client.forgiven(), ReplyLenience::STRICT.with_bare_lf());
    hear(&mut client, "250-mx\n250-SIZE 99\n250 PIPELINING\n");
    assert_eq!(client.extensions().size(), Some(99));
    assert!(client.end().is_none() && client.greeting().is_some());
    // A line too long is one in either form.
    hear(&mut client, &format!("250 {}\n", "x".repeat(2048)));
    assert_eq!(client.end(), Some(&End::Protocol(ProtocolError::TooLong)));

    let mut client = Client::new(dialogue::config(), Security::CLEAR);
    hear(&mut client, "220 mx\n");
    assert!(matches!(client.end(), Some(End::Protocol(ProtocolError::Syntax(_)))));
    assert_eq!(client.forgiven(), ReplyLenience::STRICT);
}
