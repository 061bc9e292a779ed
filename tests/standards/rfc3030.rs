//! RFC 3030, content in counted chunks and of any octets.

use crate::{
    common::{HELLO, announcing, config, converse, converse_with},
    dialogue::{Act, Dialogue, Mail, after_offer, mail},
    offering::with,
};
use esmtp::{
    client::MessageFacts,
    server::{End, Event, Limits},
    syntax::Extension,
    wire::{BareLineBreaks, LineEnds},
};

const ENVELOPE: &str = "
    C: MAIL FROM:<a@b.org>
    S: 250 2.1.0 Ok
    C: RCPT TO:<c@d.org>
    S: 250 2.1.5 Ok";

fn after_hello(script: &str) -> String {
    format!("{HELLO}{script}")
}

/// 3030-2-a, 3030-3-a, 3030-3-b: RFC 3030 sections 2 and 3.
#[test]
fn binarymime_is_announced_with_chunking_only() {
    converse(with(&[Extension::Chunking]), &announcing("CHUNKING", ""));
    converse(
        with(&[Extension::Chunking, Extension::BinaryMime]),
        &announcing(
            "CHUNKING|BINARYMIME",
            "C: MAIL FROM:<a@b.org> BODY=BINARYMIME
             S: 250 Ok",
        ),
    );
    assert!(!with(&[Extension::BinaryMime]).extensions().contains(Extension::BinaryMime));
    for offered in [Extension::Pipelining, Extension::Chunking, Extension::EightBitMime] {
        converse(
            with(&[offered, Extension::Help]),
            &announcing(
                &format!("{}|HELP", offered.keyword()),
                "C: MAIL FROM:<a@b.org> BODY=BINARYMIME
                 S: 555 Parameter not recognised or not implemented",
            ),
        );
    }
}

/// 3030-2-c: RFC 3030 section 2.
#[test]
fn data_goes_on_where_chunks_are_offered() {
    let experience = converse(
        config(),
        &after_hello(&format!(
            "{ENVELOPE}
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: ..dot
             C: .
             S: 250 2.0.0 queued"
        )),
    );
    assert_eq!(experience.messages[0].content, b".dot\r\n");
}

/// 3030-2-d, 3030-2-e, 3030-2-f, 3030-2-h: RFC 3030 section 2: neither dots nor commands are in a
/// chunk, each has its reply, and LAST is the last.
#[test]
fn a_chunk_is_exactly_its_octets() {
    let experience = converse(
        config(),
        &after_hello(&format!(
            r"{ENVELOPE}
             C: BDAT 11
             C| \r\n.\r\nQUIT\r\n
             S: 250 2.0.0 Chunk received
             C: BDAT 4
             C| ..a\r
             S: 250 2.0.0 Chunk received
             C: BDAT 4 LAST
             C| \n.\r\n
             S: 250 2.0.0 queued
             C: BDAT 6 LAST
             C| QUIT\r\n
             S: 503 5.5.1 Need MAIL command
             C: NOOP
             S: 250 2.0.0 Ok"
        )),
    );
    assert_eq!(experience.messages.len(), 1);
    assert_eq!(experience.messages[0].content, b"\r\n.\r\nQUIT\r\n..a\r\n.\r\n");
}

/// 3030-3-c, 3030-3-d: RFC 3030 section 3.
#[test]
fn binary_content_is_kept_octet_by_octet() {
    let every: String = (0..=255_u8).map(|octet| format!("\\x{octet:02x}")).collect();
    let odd = r"\n.\n\r\r\n.\r\n\0\n\r";
    for policy in [BareLineBreaks::Reject, BareLineBreaks::Normalise] {
        let experience = converse(
            config().with_bare_line_breaks(policy),
            &after_hello(&format!(
                "C: MAIL FROM:<a@b.org> BODY=BINARYMIME
                 S: 250 2.1.0 Ok
                 C: RCPT TO:<c@d.org>
                 S: 250 2.1.5 Ok
                 C: DATA
                 S: 503 5.5.1 Binary content needs BDAT
                 C: BDAT 256
                 C| {every}
                 S: 250 2.0.0 Chunk received
                 C: BDAT 12 LAST
                 C| {odd}
                 S: 250 2.0.0 queued"
            )),
        );
        let expected: Vec<u8> = (0..=255).chain(*b"\n.\n\r\r\n.\r\n\0\n\r").collect();
        assert_eq!(experience.messages[0].content, expected);
    }
}

/// 3030-2-m, 3030-2-n: RFC 3030 section 2.
#[test]
fn chunks_that_were_reset_are_gone() {
    let experience = converse(
        config(),
        &after_hello(&format!(
            "{ENVELOPE}
             C: BDAT 5
             C| early
             S: 250 2.0.0 Chunk received
             C: DATA
             S: 503 5.5.1 Content has begun, BDAT or RSET is next
             C: RSET
             S: 250 2.0.0 Ok
             C: DATA
             S: 503 5.5.1 Need MAIL command
             C: MAIL FROM:<late@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<late@d.org>
             S: 250 2.1.5 Ok
             C: BDAT 4 LAST
             C| late
             S: 250 2.0.0 queued"
        )),
    );
    assert_eq!(experience.aborts(), ["Reset"]);
    assert_eq!(experience.messages.len(), 1);
    assert_eq!(experience.messages[0].to, ["<late@d.org>"]);
    assert_eq!(experience.messages[0].content, b"late");
}

/// 3030-2-o, 3030-2-i, 3030-2-j, 3030-2-u: RFC 3030 section 2: whatever failed before, the octets of a
/// chunk are read, and its reply comes after them.
#[test]
fn chunks_after_a_failure_are_discarded_and_rejected() {
    let experience = converse_with(
        config(),
        &after_hello(&format!(
            r"{ENVELOPE}
             C: DATA
             S: 451 4.3.0 Local error in processing
             C: BDAT 6 LAST
             C| QUIT\r\n
             S: 503 5.5.1 Need MAIL command
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: BDAT 6
             C| QUI
             (1 s)
             C| T\r\n
             S: 503 5.5.1 No valid recipients
             C: BDAT 6 LAST
             C| QUIT\r\n
             S: 503 5.5.1 No valid recipients
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok
             C: BDAT 6
             C| QUIT\r\n
             C: BDAT 6
             C| QUIT\r\n
             C: BDAT 6 LAST
             C| QUIT\r\n
             C: RSET
             S: 451 4.3.0 Local error in processing
             S: 503 5.5.1 Content was refused, RSET is next
             S: 503 5.5.1 Content was refused, RSET is next
             S: 250 2.0.0 Ok"
        )),
        |experience, event| match event {
            Event::Data(data) => data.reject(esmtp::syntax::Rejection::LOCAL_ERROR),
            other => experience.answer(other),
        },
    );
    assert!(experience.messages.is_empty());
    assert_eq!(experience.end, None);
}

/// 3030-2-s, 3030-2-t: RFC 3030 section 2: the beginning of the next command is unknown.
#[test]
fn a_chunk_whose_length_cannot_be_read_ends_the_session() {
    for (command, reply) in [
        ("BDAT x", "501 5.5.4 Not a number in this range"),
        ("BDAT", "501 5.5.4 This command needs an argument"),
        ("BDAT 18446744073709551616", "501 5.5.4 Not a number in this range"),
        ("BDAT 5 FIRST", "501 5.5.4 Syntax error in parameters or arguments"),
    ] {
        let script = format!("{ENVELOPE}\nC: {command}\nS: {reply}\nS: (closed)");
        let experience = converse(config(), &after_hello(&script));
        assert_eq!(experience.end, Some(End::Unframed), "{command}");
    }
}

/// 3030-2-t: RFC 3030 section 2, RFC 1870 section 6.
#[test]
fn the_sum_of_chunks_is_held_against_the_limit() {
    let limited = config().with_limits(Limits::default().with_message(10));
    let experience = converse(
        limited.clone(),
        &format!(
            "{}{ENVELOPE}
             C: BDAT 6
             C| 123456
             S: 250 2.0.0 Chunk received
             C: BDAT 4
             C| 7890
             S: 250 2.0.0 Chunk received
             C: BDAT 1 LAST
             C| 1
             S: 552 5.3.4 Message too large",
            HELLO.replace("33554432", "10")
        ),
    );
    assert_eq!(experience.aborts(), ["TooLarge"]);
    assert!(experience.messages.is_empty());
    // The sum with what is announced is enough, also where it cannot be counted.
    for octets in [5, u64::MAX] {
        let script = format!(
            "{}{ENVELOPE}
             C: BDAT 6
             C| 123456
             S: 250 2.0.0 Chunk received
             C: BDAT {octets} LAST
             C| 1
             C: (closed)",
            HELLO.replace("33554432", "10")
        );
        let experience = converse(limited.clone(), &script);
        assert_eq!(experience.aborts(), ["TooLarge"], "{octets}");
        assert!(experience.messages.is_empty());
    }
}

/// 3030-2-q: RFC 3030 section 2: the server.
#[test]
fn text_in_chunks_has_its_line_ends() {
    let script = |first: &str, last: &str| {
        after_hello(&format!(
            r"{ENVELOPE}
             C: BDAT 2
             C| a\n
             S: {first}
             C: BDAT 3 LAST
             C| b\r\n
             S: {last}"
        ))
    };
    let experience = converse(
        config(),
        &script(
            "550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)",
            "503 5.5.1 Content was refused, RSET is next",
        ),
    );
    assert!(experience.messages.is_empty());
    let experience = converse(
        config().with_bare_line_breaks(BareLineBreaks::Normalise),
        &script("250 2.0.0 Chunk received", "250 2.0.0 queued"),
    );
    assert_eq!(experience.messages[0].content, b"a\r\nb\r\n");
}

const BOB: &str = "bob@example.net";
const CHUNKING: &str = "S: 220 mx
     C: EHLO me.example.org
     S: 250-mx
     S: 250 CHUNKING";

/// 3030-2-q, 3030-2-e: RFC 3030 section 2: the client. A bare LF becomes CRLF or does not leave, and no
/// dot is stuffed.
#[test]
fn a_client_sends_text_in_its_canonical_form() {
    let opening = format!(
        "{CHUNKING}
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok"
    );
    let content = ".one\n.\ntwo\r\n";
    let notes = Dialogue::sends(&[BOB], content)
        .with(|config| config.with_line_ends(LineEnds::FromLf))
        .plays(&format!(
            "{opening}
             C: BDAT 14 LAST
             C: .one
             C: .
             C: two
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
    let end = "C: QUIT\nS: 221 bye\nC: (closed)";
    let notes = Dialogue::sends(&[BOB], content).plays(&format!("{CHUNKING}\n{end}"));
    assert_eq!(notes[0], "not offered: the message holds a bare CR or LF");
    let unknown = Mail { facts: MessageFacts::UNKNOWN, ..mail(&[BOB], content) };
    let notes = Dialogue::new([Act::Send(unknown)]).plays(&format!("{opening}\n{end}"));
    assert_eq!(
        notes[..2],
        [
            "content: a bare CR or LF at octet 4 of the content",
            "0: <bob@example.net> untried rest: <bob@example.net>"
        ]
    );
}

/// 3030-2-p: RFC 3030 section 2.
#[test]
fn chunks_are_sent_only_where_they_are_offered() {
    let chunk = "C: BDAT 3 LAST\nC: x\nS: 250 ok";
    let data = "C: DATA\nS: 354 go\nC: x\nC: .\nS: 250 ok";
    for (offered, content) in [("CHUNKING", chunk), ("BINARYMIME", data), ("HELP", data)] {
        let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 {offered}
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             {content}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes[0], "0: <bob@example.net> 250 ok", "{offered}");
    }
}

/// 3030-2-v: RFC 3030 section 4.2: without PIPELINING each chunk waits for the reply to the one before.
#[test]
fn chunks_are_not_pipelined_by_default() {
    let notes = Dialogue::sends(&[BOB], "one\r\ntwo\r\nthree\r\n")
        .with(|config| config.with_send_buffer(8))
        .plays(&format!(
            "{CHUNKING}
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: BDAT 7
             C: one
             C| tw
             S: 250 ok
             C: BDAT 8
             C: o
             C| three
             S: 250 ok
             C: BDAT 2 LAST
             C:
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
}

/// 3030-3-e, 3030-3-g: RFC 3030 section 3: what is binary goes as such, as it is, or not at all.
#[test]
fn binary_content_is_sent_only_where_it_is_offered() {
    let dialogue = Dialogue::sends(&[BOB], "a\n\0\rb");
    let notes = dialogue.plays(&after_offer(
        "CHUNKING|BINARYMIME",
        "C: MAIL FROM:<ann@example.org> BODY=BINARYMIME
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: BDAT 5 LAST
         C| a\\n\\0\\rb
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
    for (offered, needed) in
        [("CHUNKING", "BINARYMIME"), ("BINARYMIME", "CHUNKING"), ("8BITMIME", "BINARYMIME")]
    {
        let notes = dialogue.plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 {offered}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        let first = notes[0].split(';').next().unwrap();
        assert_eq!(first, format!("not offered: the message needs {needed}, which is not offered"));
    }
    // No NUL leaves in content that was not scanned either.
    let unknown = Mail { facts: MessageFacts::UNKNOWN, ..mail(&[BOB], "a\0") };
    let notes = Dialogue::new([Act::Send(unknown)]).plays(&format!(
        "{CHUNKING}
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)"
    ));
    assert_eq!(notes[0], "content: a NUL at octet 1 of the content");
}
