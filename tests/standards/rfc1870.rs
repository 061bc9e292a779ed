//! RFC 1870: SIZE.

use crate::{
    common::{HELLO, config, converse},
    dialogue::{Act, Dialogue, Mail, mail},
};
use esmtp::{
    client::{Client, Config, Event, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server::{self, Limits},
    syntax::Retry,
    time::Instant,
};

const BOB: &str = "bob@example.net";

/// Returns a server with this limit of a message, and the beginning of its session.
fn limited(octets: u64) -> (server::Config, String) {
    let config = config().with_limits(Limits::default().with_message(octets));
    (config, HELLO.replace("33554432", &octets.to_string()))
}

/// Returns the script of a client that sends `content` with this size declared.
fn transaction(size: &str, content: &str, reply: &str) -> String {
    let lines: String = content
        .split_inclusive("\r\n")
        .fold(String::new(), |all, line| all + "C: " + line.trim_end_matches("\r\n") + "\n");
    format!(
        "C: MAIL FROM:<a@b.org>{size}
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         {lines}C: .
         S: {reply}\n"
    )
}

/// 1870-4-a, 1870-6.1-a
#[test]
fn every_size_is_read() {
    let (config, hello) = limited(1000);
    let mut script = hello;
    for size in ["0", "1", "999", "1000", "00000000000000000001"] {
        script.push_str(&format!(
            "C: MAIL FROM:<a@b.org> SIZE={size}\nS: 250 2.1.0 Ok\nC: RSET\nS: 250 2.0.0 Ok\n"
        ));
    }
    for size in ["1001", "18446744073709551615", "99999999999999999999"] {
        script.push_str(&format!(
            "C: MAIL FROM:<a@b.org> SIZE={size}
             S: 552 5.3.4 Message size exceeds the fixed maximum\n"
        ));
    }
    for (size, why) in [
        ("", "This parameter needs a value"),
        ("=-1", "Not a number in this range"),
        ("=1k", "Not a number in this range"),
        ("=000000000000000000001", "Not a number in this range"),
    ] {
        script.push_str(&format!("C: MAIL FROM:<a@b.org> SIZE{size}\nS: 501 5.5.4 {why}\n"));
    }
    let experience = converse(config, &script);
    assert_eq!(experience.log[1], "mail <a@b.org> SIZE=0");
    assert_eq!(experience.aborts().len(), 5);
}

/// 1870-4-d: what was declared promises nothing.
#[test]
fn content_above_the_limit_is_rejected_whatever_size_was_declared() {
    for size in ["", " SIZE=0", " SIZE=1", " SIZE=12"] {
        let (config, hello) = limited(12);
        let large = transaction(size, "01234567890\r\n", "552 5.3.4 Message too large");
        let fits = transaction(size, "0123456789\r\n", "250 2.0.0 queued");
        let experience = converse(config, &format!("{hello}{large}{fits}"));
        assert_eq!(experience.aborts(), ["TooLarge"], "{size}");
        assert_eq!(experience.messages.len(), 1);
        assert_eq!(experience.messages[0].content, b"0123456789\r\n");
        let (config, hello) = limited(12);
        let chunks = |first: usize, reply: &str| {
            format!(
                "C: MAIL FROM:<a@b.org>{size}
                 S: 250 2.1.0 Ok
                 C: RCPT TO:<c@d.org>
                 S: 250 2.1.5 Ok
                 C: BDAT {first}
                 C| {}
                 S: 250 2.0.0 Chunk received
                 C: BDAT 4 LAST
                 C| 12\\r\\n
                 S: {reply}\n",
                "x".repeat(first)
            )
        };
        let large = chunks(9, "552 5.3.4 Message too large");
        let fits = chunks(8, "250 2.0.0 queued");
        let experience = converse(config, &format!("{hello}{large}{fits}"));
        assert_eq!(experience.aborts(), ["TooLarge"], "{size}");
        assert_eq!(experience.messages[0].content, b"xxxxxxxx12\r\n");
    }
}

/// 1870-6.3-a, 1870-6.3-b, 1870-6-b: neither more nor less than was declared matters, and the end
/// of the content is where the dot is.
#[test]
fn a_declared_size_is_an_estimate() {
    let long = "0123456789\r\n".repeat(10);
    for size in [0, 5, 119, 120, 121, 32_000_000] {
        let script = transaction(&format!(" SIZE={size}"), &long, "250 2.0.0 queued");
        let experience = converse(config(), &format!("{HELLO}{script}C: NOOP\nS: 250 2.0.0 Ok\n"));
        assert_eq!(experience.messages[0].content, long.as_bytes(), "{size}");
    }
}

/// 1870-5-a: by the server, where the content is as large as may be.
#[test]
fn a_server_counts_neither_the_end_nor_doubled_dots() {
    for (limit, reply) in [(8, "250 2.0.0 queued"), (7, "552 5.3.4 Message too large")] {
        let (config, hello) = limited(limit);
        converse(config, &(hello + &transaction("", "..a\r\n...\r\n", reply)));
    }
}

/// 1870-5-a, 1870-6-a: and by the client, which declares no size where SIZE is not offered.
#[test]
fn a_client_declares_what_the_server_will_count() {
    for (extension, content, size) in [
        ("SIZE", ".a\r\n", " SIZE=4"),
        ("SIZE", "..\r\n.\r\n\r\n", " SIZE=9"),
        ("SIZE 9", "..\r\n.\r\n\r\n", " SIZE=9"),
        ("SIZE 0", ".a\r\n", " SIZE=4"),
        ("HELP", ".a\r\n", ""),
    ] {
        Dialogue::sends(&[BOB], content).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 {extension}
             C: MAIL FROM:<ann@example.org>{size}
             S: 550 no
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    }
}

/// 1870-4-c
#[test]
fn a_message_larger_than_the_maximum_is_not_tried() {
    for (limit, begins) in [(9, false), (10, true), (0, true)] {
        let message = Mail { facts: MessageFacts::scan(b"01234567\r\n"), ..mail(&[BOB], "") };
        let next = if begins { "C: MAIL FROM:<ann@example.org> SIZE=10\nS: 550 no" } else { "" };
        let notes = Dialogue::new([Act::Send(message)]).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 SIZE {limit}
             {next}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        let refused = "not offered: the message has 10 octets, and the server takes 9";
        assert_eq!(notes[0] == refused, !begins, "{limit}: {notes:?}");
    }
}

/// 1870-6.2-a: RSET or QUIT follows, and 452 may be tried later while 552 may not.
#[test]
fn a_refused_size_ends_the_transaction() {
    for (reply, retry) in [
        ("452 insufficient storage", Retry::Later),
        ("452 4.3.1 insufficient storage", Retry::Later),
        ("552 too large", Retry::Never),
        ("552 5.3.4 too large", Retry::Never),
    ] {
        let acts = [Act::Send(mail(&[BOB], "x\r\n")), Act::Send(mail(&[BOB], "x\r\n"))];
        let notes = Dialogue::new(acts).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 SIZE 100
             C: MAIL FROM:<ann@example.org> SIZE=3
             S: {reply}
             C: RSET
             S: 250 ok
             C: MAIL FROM:<ann@example.org> SIZE=3
             S: {reply}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes[1], format!("1: <bob@example.net> {reply}"));

        let mut client = Client::new(Config::new("me.example.org").unwrap(), Security::CLEAR);
        let hear = |client: &mut Client, octets: &str| {
            client.feed(octets.as_bytes());
            while let Need::Either(_) = client.poll(Instant::ORIGIN) {
                client.sent(usize::MAX);
            }
        };
        hear(&mut client, "220 mx\r\n");
        hear(&mut client, "250-mx\r\n250 SIZE\r\n");
        let Some(Event::Ready(ready)) = client.event() else { panic!("not ready") };
        ready.send(Envelope::new("", &[BOB]).unwrap(), MessageFacts::scan(b"")).unwrap();
        hear(&mut client, "");
        hear(&mut client, &format!("{reply}\r\n"));
        let Some(Event::Sent(sent)) = client.event() else { panic!("nothing was sent") };
        assert_eq!(sent.report().retry(0), Some(retry), "{reply}");
    }
}
