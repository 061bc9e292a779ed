//! `server::Message`: content in memory, forgotten with its transaction.

use crate::talk::{Session, config};
use esmtp::server::{Event, Message};

/// Accepts all recipients and messages, and collects the rest.
fn answer(event: Event<'_>, message: &mut Message, stored: &mut Vec<String>) {
    match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Deliver(delivery) => {
            stored.push(String::from_utf8(message.octets().to_vec()).unwrap());
            delivery.accept();
        }
        other => message.collect(other),
    }
}

const BEGIN: &str = "MAIL FROM:<a@x.y>\r\nRCPT TO:<b@x.y>\r\nDATA";

/// Sends messages one after the other, and returns the last reply to each and the messages stored.
fn exchange(limit: usize, contents: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut session = Session::new(config());
    let (mut message, mut stored) = (Message::with_limit(limit), vec![]);
    session.say("EHLO c.example.net", |event| answer(event, &mut message, &mut stored));
    let mut replies = vec![];
    for content in contents {
        for lines in [BEGIN, &format!("{content}\r\n.")] {
            let reply = session.say(lines, |event| answer(event, &mut message, &mut stored));
            replies.push(reply);
        }
        replies.swap_remove(replies.len() - 2);
    }
    (replies, stored)
}

#[test]
fn a_message_is_collected_whole() {
    let (replies, stored) = exchange(1000, &["Subject: 1\r\n\r\n..dot", "Subject: 2"]);
    assert!(replies.iter().all(|reply| reply.starts_with("250 2.0.0")), "{replies:?}");
    assert_eq!(stored, ["Subject: 1\r\n\r\n.dot\r\n", "Subject: 2\r\n"]);
}

/// The message that was refused for a bare LF is not there when the next one comes.
#[test]
fn no_octet_of_a_refused_message_stands_in_front_of_the_next() {
    let (replies, stored) = exchange(1000, &["Subject: first\r\n\r\nbare\nLF", "Subject: second"]);
    assert!(replies[0].starts_with("550 5.5.2"), "{replies:?}");
    assert_eq!(stored, ["Subject: second\r\n"]);
}

/// 1870-6.3: over the limit of the application that message is rejected, and the next one is not.
#[test]
fn a_message_over_the_limit_is_rejected_alone() {
    let (fits, too_long) = ("x".repeat(98), "x".repeat(99));
    let (replies, stored) = exchange(100, &[&too_long, &fits, &too_long, "short"]);
    let codes: Vec<_> = replies.iter().map(|reply| &reply[..9]).collect();
    assert_eq!(codes, ["552 5.3.4", "250 2.0.0", "552 5.3.4", "250 2.0.0"]);
    assert_eq!(stored, [fits + "\r\n", "short\r\n".into()]);
}

/// Also where the application answers MAIL and DATA itself, and never takes the octets out.
#[test]
fn a_message_begins_anew_with_its_first_octets() {
    let mut session = Session::new(config());
    let (mut message, mut stored) = (Message::with_limit(1000), vec![]);
    let mut reply = |lines: &str| {
        session.say(lines, |event| match event {
            Event::Mail(mail) => mail.accept(),
            Event::Data(data) => data.accept(),
            Event::Abort(abort) => abort.acknowledge(),
            other => answer(other, &mut message, &mut stored),
        })
    };
    reply("EHLO c.example.net");
    for content in ["one", "bare\rCR", "two"] {
        reply(BEGIN);
        reply(&format!("{content}\r\n."));
    }
    assert_eq!(stored, ["one\r\n", "two\r\n"]);
}

/// No event tells an application that answers MAIL and DATA itself, and takes the octets out, of an
/// empty message.
#[test]
fn an_empty_message_has_no_octets_of_the_one_before() {
    let mut session = Session::new(config());
    let (mut message, mut stored) = (Message::with_limit(1000), vec![]);
    let mut reply = |lines: &str| {
        session.say(lines, |event| match event {
            Event::Mail(mail) => mail.accept(),
            Event::Data(data) => data.accept(),
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Deliver(delivery) => {
                stored.push(String::from_utf8(message.take()).unwrap());
                delivery.accept();
            }
            other => message.collect(other),
        })
    };
    reply("EHLO c.example.net");
    for content in ["one\r\n.", "."] {
        reply(BEGIN);
        reply(content);
    }
    assert_eq!(stored, ["one\r\n", ""]);
}

#[test]
fn a_message_that_is_not_delivered_by_the_application_is_rejected_and_forgotten() {
    let mut session = Session::new(config());
    let mut message = Message::with_limit(1000);
    let mut reply = |lines: &str| {
        session.say(lines, |event| match event {
            Event::Rcpt(rcpt) => rcpt.accept(),
            other => message.collect(other),
        })
    };
    reply("EHLO c.example.net");
    reply(BEGIN);
    assert!(reply("one\r\n.").starts_with("554 5.3.0"));
    assert_eq!(message.octets(), b"");
    assert_eq!(message.take(), b"");
}
