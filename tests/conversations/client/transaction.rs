//! Transactions of a client, and commands outside of them.

use crate::dialogue::{Act, BOB, CARL, DORA, Dialogue, after_offer, mail};

/// RFC 5321 sections 2.2.1, 3.1 to 3.3, 4.1.1.10, appendix D.1.
/// 5321-2.2.1-b, 5321-3.4-c, 5321-4.3.1-a, 5321-4.5.4.1-b
#[test]
fn a_message_is_sent_one_command_at_a_time() {
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

#[test]
fn rset_comes_before_the_next_mail_if_a_transaction_is_open() {
    let notes = Dialogue::new([
        Act::Send(mail(&[BOB], "one\r\n")),
        Act::Send(mail(&[CARL], "two\r\n")),
        Act::Send(mail(&[DORA], "three\r\n")),
    ])
    .plays(&after_offer(
        "PIPELINING",
        "C: MAIL FROM:<ann@example.org>
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
    ));
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
fn nothing_follows_a_rejected_mail_or_the_last_rejected_recipient() {
    let notes = Dialogue::new([
        Act::Send(mail(&[BOB, CARL], "one\r\n")),
        Act::Send(mail(&[BOB, CARL], "two\r\n")),
    ])
    .plays(&after_offer(
        "",
        "C: MAIL FROM:<ann@example.org>
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
    ));
    assert_eq!(
        notes[..2],
        [
            "0: <bob@example.net> 451 4.7.1 later, <carl@example.net> 451 4.7.1 later",
            "1: <bob@example.net> 550 5.1.1 no, <carl@example.net> 452 4.2.2 full"
        ]
    );
}

/// RFC 5321 sections 3.8 and 6.1.
/// 5321-6.1-a
#[test]
fn a_lost_connection_leaves_unknown_outcomes() {
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
fn an_early_close_keeps_the_replies_that_came() {
    let notes = Dialogue::sends(&[BOB, CARL], &"x\r\n".repeat(50_000)).plays_whole(&after_offer(
        "",
        "C: MAIL FROM:<ann@example.org>
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
    ));
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 552 5.3.4 too much, <carl@example.net> 550 no",
            "end: the server refused to go on with the session: 552 5.3.4 too much"
        ]
    );
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
fn commands_outside_a_transaction_are_answered_or_refused() {
    let notes = Dialogue::new([Act::Noop, Act::Vrfy("bob"), Act::Vrfy("carl"), Act::Reset]).plays(
        &after_offer(
            "PIPELINING",
            "C: NOOP
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
        ),
    );
    assert_eq!(notes, ["VRFY refused: 550 5.1.1 nobody", "end: the session was ended with QUIT"]);
}

/// 5321-4.5.3.1.4-b: RFC 5321 section 4.5.3.1.4.
#[test]
fn no_command_outside_a_transaction_is_longer_than_its_line() {
    // VRFY, a space and CRLF are seven octets of 512.
    let (fits, too_long) = ("x".repeat(505), "x".repeat(506));
    for name in [fits, too_long] {
        let name: &'static str = name.leak();
        let is_sent = name.len() == 505;
        let said =
            if is_sent { format!("C: VRFY {name}\nS: 252 perhaps\n") } else { String::new() };
        let notes = Dialogue::new([Act::Vrfy(name)]).plays(&format!(
            "S: 220 mx\nC: EHLO me.example.org\nS: 250 mx\n{said}C: QUIT\nS: 221 bye\nC: (closed)"
        ));
        let refused = "not offered: the command line of VRFY would have 513 octets of 512";
        assert_eq!(notes[0] == refused, !is_sent, "{notes:?}");
    }
}

/// Alone, as the client does not know what it does.
#[test]
fn a_custom_verb_waits_for_earlier_replies() {
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

/// RFC 5321 sections 3.5, 4.1.1.7, 4.1.1.8.
#[test]
fn lists_and_help_can_be_asked_for() {
    let notes =
        Dialogue::new([Act::Expn("staff"), Act::Help, Act::Expn("staff")]).plays(&after_offer(
            "",
            "C: EXPN staff
         S: 250-Jon Postel <Postel@isi.edu>
         S: 250 Sam Q. Smith <SQSmith@specific.example.com>
         C: HELP
         S: 214 there is none
         C: EXPN staff
         S: 550 Access Denied to You.
         C: QUIT
         S: 221 bye
         C: (closed)",
        ));
    assert_eq!(notes[0], "EXPN refused: 550 Access Denied to You.");
}
