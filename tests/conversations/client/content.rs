//! Content after DATA of a client.

use crate::dialogue::{Act, BOB, Dialogue, Mail, after_offer, mail};
use esmtp::{client::MessageFacts, wire::LineEnds};

/// RFC 5321 section 4.5.2. The application writes seven octets at a time, so that each piece begins
/// with the dot of a line.
/// 5321-4.5.2-a, 5321-4.1.1.4-f
#[test]
fn dots_are_stuffed_and_a_last_line_is_ended() {
    let notes = Dialogue::new([
        Act::Send(mail(&[BOB], "..\r\n.\r\n..a\r\n\r\n.")),
        Act::Send(mail(&[BOB], "")),
    ])
    .plays(&after_offer(
        "PIPELINING",
        "C: MAIL FROM:<ann@example.org>
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
    ));
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

#[test]
fn aborted_content_is_never_ended() {
    let mut message = mail(&[BOB], "half of\r\n");
    message.aborts = true;
    let notes = Dialogue::new([Act::Send(message)]).plays(&after_offer(
        "PIPELINING",
        "C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: (closed)",
    ));
    assert_eq!(
        notes,
        ["0: <bob@example.net> untried rest: <bob@example.net>", "end: content was aborted"]
    );
}
