//! Content after DATA of a client.

use crate::dialogue::{Act, BOB, Dialogue, Mail, after_offer, config, hear, mail, write};
use bytes::Bytes;
use esmtp::{
    client::{Client, Event, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    time::Instant,
    wire::LineEnds,
};

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

/// Facts of shared octets spare their scan, and of no others: content that was not scanned has its dots stuffed.
/// 5321-4.5.2-a
#[test]
fn only_the_octets_that_were_scanned_leave_without_a_scan() {
    let scanned = Bytes::from_static(b"Subject: x\r\n\r\nno dot.\r\nin.front\r\n");
    let dotted = Bytes::from_static(b"Subject: x\r\n\r\n.\r\nMAIL FROM:<>\r\n");
    let stuffed = "Subject: x\r\n\r\n..\r\nMAIL FROM:<>\r\n";
    // From its third line on, and from the dot of that line on.
    let (line, dot) = (scanned.slice(14..), scanned.slice(20..));
    for (content, wire) in [
        (&[&scanned][..], "Subject: x\r\n\r\nno dot.\r\nin.front\r\n"),
        (&[&dotted], stuffed),
        (&[&line, &dotted], &format!("no dot.\r\nin.front\r\n{stuffed}")),
        (&[&line, &dot], "no dot.\r\nin.front\r\n..\r\nin.front\r\n"),
    ] {
        let mut client = Client::new(config(), Security::CLEAR);
        let _ = hear(&mut client, "220 mx\r\n");
        assert_eq!(hear(&mut client, "250-mx\r\n250 PIPELINING\r\n").1, Need::Answer);
        let Some(Event::Ready(ready)) = client.event() else { panic!("not ready") };
        let envelope = Envelope::new("ann@example.org", [BOB]).unwrap();
        ready.send(envelope, MessageFacts::scan_bytes(&scanned)).unwrap();
        let _ = write(&mut client, Instant::ORIGIN);
        assert_eq!(hear(&mut client, "250 ok\r\n250 ok\r\n354 go\r\n").1, Need::Answer);
        let Some(Event::Content(mut writer)) = client.event() else { panic!("no content") };
        for piece in content {
            let mut piece = Bytes::clone(piece);
            writer.write_bytes(&mut piece).unwrap();
            assert!(piece.is_empty());
        }
        writer.finish().unwrap();
        assert_eq!(write(&mut client, Instant::ORIGIN).0, format!("{wire}.\r\n"));
    }
}
