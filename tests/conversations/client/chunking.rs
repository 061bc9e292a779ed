//! Chunks of a client (BDAT, RFC 3030).

use crate::dialogue::{Act, BOB, CARL, CHUNKING, DORA, Dialogue, after_offer, mail};

/// RFC 3030 section 4.2; after an earlier chunk every MAIL has its RSET.
#[test]
fn chunks_wait_for_no_354() {
    let acts = [
        Act::Send(mail(&[BOB], ".one\r\n")),
        Act::Send(mail(&[CARL], "two\r\n")),
        Act::Send(mail(&[DORA], "three\r\n")),
    ];
    let notes = Dialogue::new(acts).with(|config| config.with_transactions(2)).plays(&after_offer(
        "PIPELINING|CHUNKING",
        "C: MAIL FROM:<ann@example.org>
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
    ));
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

/// 3030-2-k, 3030-2-l: a chunk is refused: nothing more goes out, and the session goes on (RFC 3030 section 2).
#[test]
fn a_rejected_chunk_ends_the_transaction_and_not_the_session() {
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

#[test]
fn content_is_withdrawn_if_no_recipient_is_left() {
    let acts =
        [Act::Send(mail(&[BOB], "one\r\ntwo\r\nthree\r\nfour\r\n")), Act::Send(mail(&[CARL], ""))];
    // Where chunks are cut depends on what the server has taken: whole only.
    let notes = Dialogue::new(acts)
        .with(|config| config.with_send_buffer(8).with_in_flight(3))
        .plays_whole(&after_offer(
            "PIPELINING|CHUNKING",
            "C: MAIL FROM:<ann@example.org>
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
        ));
    assert_eq!(
        notes[..2],
        ["0: <bob@example.net> 550 5.7.1 not you", "1: <carl@example.net> 250 ok"]
    );
}

#[test]
fn aborted_chunks_leave_the_session_intact() {
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
