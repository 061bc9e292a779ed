//! Replies that a client must understand, survive or end the session for.

use crate::dialogue::{Act, BOB, CARL, DORA, Dialogue, after_offer, mail};
use esmtp::{
    client::Client,
    machine::{Machine, Need},
    security::Security,
    time::Instant,
};

/// RFC 5321 section 3.8. A server that has said 421 carries out nothing that was sent after it.
#[test]
fn commands_in_flight_after_a_421_are_untried() {
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
    let notes = Dialogue::new([Act::Wait]).plays(&after_offer(
        "",
        "(86400 s)
         S: 421 4.4.2 idle
         C: (closed)",
    ));
    assert_eq!(notes, ["end: the server refused to go on with the session: 421 4.4.2 idle"]);
}

/// 5321-4.2.1-e
#[test]
fn replies_that_are_not_allowed_end_the_session() {
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
fn unsolicited_replies_end_the_session() {
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

/// Without it the state to which MAIL would add its recipients is not known.
#[test]
fn a_rejected_rset_ends_the_session() {
    let acts = [Act::Send(mail(&[BOB], "")), Act::Send(mail(&[CARL], ""))];
    let notes = Dialogue::new(acts).plays(&after_offer(
        "PIPELINING",
        "C: MAIL FROM:<ann@example.org>
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
    ));
    assert_eq!(
        notes[1..],
        [
            "1: <carl@example.net> untried rest: <carl@example.net>",
            "end: the server answered with a reply code that does not belong to the command: 500 what?"
        ]
    );
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

/// `550 #5.1.0`: the enhanced status is read, unless the switch is off.
#[test]
fn a_hash_before_the_enhanced_status_is_ignored() {
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
fn reply_lines_may_end_in_lf_alone_if_configured() {
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
    let config = crate::dialogue::config().with_reply_lenience(lenience);
    let mut client = Client::new(config, Security::CLEAR);
    hear(&mut client, "220-mx\n220 mx\r\n");
    assert_eq!(client.forgiven(), ReplyLenience::STRICT.with_bare_lf());
    hear(&mut client, "250-mx\n250-SIZE 99\n250 PIPELINING\n");
    assert_eq!(client.extensions().size(), Some(99));
    assert!(client.end().is_none() && client.greeting().is_some());
    // A line too long is one in either form.
    hear(&mut client, &format!("250 {}\n", "x".repeat(2048)));
    assert_eq!(client.end(), Some(&End::Protocol(ProtocolError::TooLong)));

    let mut client = Client::new(crate::dialogue::config(), Security::CLEAR);
    hear(&mut client, "220 mx\n");
    assert!(matches!(client.end(), Some(End::Protocol(ProtocolError::Syntax(_)))));
    assert_eq!(client.forgiven(), ReplyLenience::STRICT);
}
