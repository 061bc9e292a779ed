//! Groups of commands of a client (RFC 2920), and transactions that follow without waiting.

use crate::dialogue::{Act, BOB, CARL, Dialogue, mail};

/// A session up to the end of its first content.
const FIRST: &str = "S: 220 mx
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
    C: .";

/// RFC 2920 section 4.
/// 2920-3.1-b, 2920-3.1-e
#[test]
fn commands_are_one_group_if_pipelining_is_offered() {
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

/// RFC 2920 section 3.1: the next MAIL may follow the end of the content in one group.
#[test]
fn a_further_transaction_follows_without_waiting_if_configured() {
    let acts = [Act::Send(mail(&[BOB], "one\r\n")), Act::Send(mail(&[CARL], "two\r\n"))];
    let dialogue = Dialogue::new(acts).with(|config| config.with_transactions(2));
    let opening = format!(
        "{FIRST}
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<carl@example.net>
         C: DATA"
    );
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

/// RFC 2920 section 3.1 allows MAIL after the end of the content, and some servers refuse it all the same.
#[test]
fn a_transaction_that_is_refused_for_its_place_after_content_is_sent_again() {
    let acts =
        ["one", "two", "three"].map(|content| Act::Send(mail(&[BOB], &format!("{content}\r\n"))));
    let dialogue = Dialogue::new(acts).with(|config| config.with_transactions(8));
    let opening = format!(
        "{FIRST}
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 taken"
    );
    let again = "C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok";
    let notes = dialogue.plays(&format!(
        "{opening}
         S: 503 5.5.1 not before the reply
         S: 503 5.5.1 not before the reply
         S: 503 5.5.1 not before the reply
         {again}
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: two
         C: .
         S: 250 taken, too
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: three
         C: .
         S: 250 and this
         C: QUIT
         S: 221 bye
         C: (closed)"
    ));
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 250 taken",
            "1: <bob@example.net> 250 taken, too",
            "2: <bob@example.net> 250 and this",
            "end: the session was ended with QUIT"
        ]
    );
    // The second refusal is about something else.
    let notes = dialogue.plays(&format!(
        "{opening}
         S: 503 no
         S: 503 no
         S: 503 no
         {again}
         S: 503 still no
         S: 503 no
         S: 503 no
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: three
         C: .
         S: 250 and this
         C: QUIT
         S: 221 bye
         C: (closed)"
    ));
    assert_eq!(notes[1], "1: <bob@example.net> 503 still no");
    assert_eq!(notes[2], "2: <bob@example.net> 250 and this");
    // Any other refusal is final.
    let notes = dialogue.plays(&format!(
        "{opening}
         S: 550 5.7.1 not you
         S: 503 no
         S: 503 no
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 421 down
         C: (closed)"
    ));
    assert_eq!(notes[1], "1: <bob@example.net> 550 5.7.1 not you");
}

/// Content for a transaction that the server has refused and begun all the same could reach anyone.
#[test]
fn a_server_that_goes_on_after_it_refused_mail_for_its_place_gets_nothing_more() {
    let acts = [Act::Send(mail(&[BOB], "one\r\n")), Act::Send(mail(&[CARL], "two\r\n"))];
    let dialogue = Dialogue::new(acts).with(|config| config.with_transactions(2));
    for (rest, reply) in [("S: 250 ok", "250 ok"), ("S: 503 no\nS: 354 go", "354 go")] {
        let notes = dialogue.plays(&format!(
            "{FIRST}
             C: MAIL FROM:<ann@example.org>
             C: RCPT TO:<carl@example.net>
             C: DATA
             S: 250 taken
             S: 503 no
             {rest}
             C: (closed)"
        ));
        assert_eq!(notes[0], "0: <bob@example.net> 250 taken");
        assert_eq!(notes[1], "1: <carl@example.net> untried rest: <carl@example.net>");
        assert!(notes[2].contains(reply), "{notes:?}");
    }
}
