//! LMTP of a client (RFC 2033): a reply for each recipient.

use crate::dialogue::{Act, BOB, CARL, Dialogue, mail};
use esmtp::{client::Config, service::Service};

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
