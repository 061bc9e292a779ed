//! Limits and deadlines of a client.

use crate::dialogue::{Act, BOB, CARL, DORA, Dialogue, after_offer, mail};
use esmtp::{
    client::{Client, Config},
    machine::{Machine, Need},
    security::Security,
    time::Instant,
};
use std::time::Duration;

/// RFC 5321 section 4.5.3.1.10.
/// 5321-4.5.3.1.8-c
#[test]
fn recipients_beyond_the_limit_are_for_a_further_transaction() {
    let notes = Dialogue::sends(&[BOB, CARL, DORA], "x\r\n").plays(&after_offer(
        "PIPELINING",
        "C: MAIL FROM:<ann@example.org>
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
    ));
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
fn a_client_counts_the_time_of_each_side() {
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
    assert_eq!((totals.application_time(), totals.peer_time()), (2 * second, 11 * second));
}

/// 9422-4-a: RFC 9422 section 4.1: the session ends by itself when the server takes no more transactions.
#[test]
fn transactions_are_limited_to_those_that_the_server_takes() {
    let mails = ["a@example.net", "b@example.net", "c@example.net"];
    let notes = Dialogue::new(mails.map(|to| Act::Send(mail(&[to], "")))).plays(&after_offer(
        "PIPELINING|LIMITS MAILMAX=2",
        "C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<a@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: .
         S: 250 taken
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<b@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(
        notes,
        [
            "0: <a@example.net> 250 taken",
            "1: <b@example.net> 250 taken",
            "end: the server takes no more transactions in a session"
        ]
    );
}

/// 9422-4-a: RFC 9422 sections 4.2, 4.3: the others are for a further transaction.
#[test]
fn recipients_are_limited_to_those_that_the_server_takes() {
    let to = ["a@x.example", "b@y.example", "c@x.example", "d@x.example"];
    for (limits, second, third) in [
        ("RCPTMAX=2", "b@y.example", "<c@x.example> <d@x.example>"),
        ("RCPTDOMAINMAX=1 RCPTMAX=2", "c@x.example", "<b@y.example> <d@x.example>"),
    ] {
        let notes = Dialogue::sends(&to, "").plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 LIMITS {limits}
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<a@x.example>
             S: 250 ok
             C: RCPT TO:<{second}>
             S: 550 no
             C: DATA
             S: 354 go
             C: .
             S: 250 taken
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert!(notes[0].starts_with("0: <a@x.example> 250 taken"), "{}", notes[0]);
        assert!(notes[0].contains(&format!("<{second}> 550 no")), "{}", notes[0]);
        assert!(notes[0].ends_with(&format!("rest: {third}")), "{}", notes[0]);
    }
    // No recipient is left when the first ones are rejected, and nothing more is sent.
    let notes = Dialogue::sends(&to, "").plays(&after_offer(
        "LIMITS RCPTMAX=1",
        "C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<a@x.example>
         S: 550 no
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert!(notes[0].ends_with("rest: <b@y.example> <c@x.example> <d@x.example>"), "{}", notes[0]);
}
