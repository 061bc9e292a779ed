//! The client under the driving contract: questions that stay, deadlines, bounds, and a pool's
//! view of it.

#![allow(unused_must_use)] // a need that a test does not look at

use crate::dialogue::{hear, write};
use esmtp::{
    client::{
        Client, Config, ContentError, End, Event, MessageFacts, Outcome, ProtocolError, Report,
        State,
    },
    envelope::Envelope,
    machine::{Closed, Machine, Need, Upgradable},
    security::Security,
    syntax::{Extension, Retry},
    time::Instant,
    transcript::Entry,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn client() -> Client {
    client_with(|config| config)
}

fn client_with(change: impl FnOnce(Config) -> Config) -> Client {
    Client::new(change(Config::new("me.example.org").unwrap()), Security::CLEAR)
}

fn at(seconds: u64) -> Instant {
    Instant::since_origin(Duration::from_secs(seconds))
}

/// Returns a client that is ready, over these EHLO lines.
fn ready(mut client: Client, extensions: &[&str]) -> Client {
    hear(&mut client, "220 mx\r\n");
    let mut ehlo = String::from("250-mx\r\n");
    for line in extensions {
        ehlo.push_str(&format!("250-{line}\r\n"));
    }
    ehlo.push_str("250 HELP\r\n");
    assert_eq!(hear(&mut client, &ehlo).1, Need::Answer);
    client
}

fn send(client: &mut Client, to: &[&str]) {
    let Some(Event::Ready(ready)) = client.event() else { panic!("not ready") };
    let envelope = Envelope::new("ann@example.org", to).unwrap();
    ready.send(envelope, MessageFacts::UNKNOWN).unwrap();
}

fn report(client: &mut Client) -> Report {
    let Some(Event::Sent(sent)) = client.event() else { panic!("nothing was sent") };
    sent.take()
}

/// Returns a client for which 354 has come, and which asks for the content.
fn with_content(extensions: &[&str]) -> Client {
    let mut client = ready(client(), extensions);
    send(&mut client, &["bob@example.net"]);
    write(&mut client, Instant::ORIGIN);
    for reply in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        hear(&mut client, reply);
    }
    assert!(matches!(client.event(), Some(Event::Content(_))));
    client
}

/// An idle session keeps its greeting, and no other reply.
#[test]
fn a_reply_is_there_until_the_application_has_nothing_more_to_send() {
    fn reply(client: &mut Client) -> Option<String> {
        let Some(Event::Ready(event)) = client.event() else { panic!("not ready") };
        event.reply().map(|(verb, reply)| format!("{} {reply}", verb.as_str()))
    }
    for has_polled in [false, true] {
        let mut client = ready(client(), &["PIPELINING"]);
        assert_eq!(reply(&mut client).as_deref(), Some("EHLO 250 mx PIPELINING HELP"));
        let Some(Event::Ready(event)) = client.event() else { panic!() };
        event.wait();
        if has_polled {
            assert_eq!(client.poll(Instant::ORIGIN), Need::Read(Instant::NEVER));
            client.release();
        }
        client.ready();
        assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
        assert_eq!(reply(&mut client), None);
        assert_eq!(client.greeting().map(|reply| reply.to_string()).as_deref(), Some("220 mx"));
        assert!(client.extensions().contains(Extension::Pipelining));
        let Some(Event::Ready(event)) = client.event() else { panic!() };
        event.noop();
        write(&mut client, Instant::ORIGIN);
        hear(&mut client, "250 2.0.0 ok\r\n");
        assert_eq!(reply(&mut client).as_deref(), Some("NOOP 250 2.0.0 ok"));
    }
}

#[test]
fn a_question_stays_until_it_is_answered() {
    let mut client = ready(client(), &[]);
    for _ in 0..3 {
        assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
        assert_eq!(client.event().map(|event| event.number()), Some(1));
    }
    let Some(Event::Ready(event)) = client.event() else { panic!() };
    event.noop();
    assert!(client.event().is_none(), "the answer takes effect at the next poll");
    assert_eq!(write(&mut client, Instant::ORIGIN).0, "NOOP\r\n");
    assert_eq!(hear(&mut client, "250 ok\r\n").1, Need::Answer);
    assert_eq!(client.event().map(|event| event.number()), Some(2));
    let Some(Event::Ready(event)) = client.event() else { panic!() };
    assert_eq!(event.reply().unwrap().1.to_string(), "250 ok");
}

#[test]
fn a_refused_send_leaves_the_question_open() {
    let mut client = ready(client(), &["SIZE 10"]);
    let Some(Event::Ready(event)) = client.event() else { panic!() };
    let offered = event.extensions();
    let envelope = Envelope::new("", &["bob@example.net"]).unwrap();
    assert!(event.send(envelope, MessageFacts::UNKNOWN.with_size(11)).is_err());
    assert!(offered.contains(Extension::Size), "what an event lends outlives it");
    assert_eq!(write(&mut client, Instant::ORIGIN), (String::new(), Need::Answer));
    assert!(matches!(client.event(), Some(Event::Ready(_))));
}

#[test]
fn a_report_comes_once_and_stays_until_it_is_taken() {
    let mut client = ready(client(), &["PIPELINING"]);
    send(&mut client, &["bob@example.net"]);
    write(&mut client, Instant::ORIGIN);
    hear(&mut client, "250 ok\r\n550 no\r\n503 no\r\n");
    for _ in 0..3 {
        assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
        let Some(Event::Sent(sent)) = client.event() else { panic!() };
        assert_eq!(sent.report().outcomes().len(), 1);
    }
    assert_eq!(report(&mut client).retry(0), Some(Retry::Never));
    assert!(client.event().is_none());
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    assert!(matches!(client.event(), Some(Event::Ready(_))));
}

#[test]
fn reports_come_after_the_end_too() {
    let mut client = with_content(&[]);
    client.closed(Closed::CutOff);
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    assert_eq!(client.end(), Some(&End::PeerClosed(Closed::CutOff)));
    assert_eq!(report(&mut client).outcomes().collect::<Vec<_>>(), [&Outcome::Untried]);
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    assert!(client.event().is_none());
    assert_eq!(client.poll(at(1)), Need::Close);
}

/// RFC 5321 section 6.1: what was not sent to its end cannot be doubled.
#[test]
fn an_end_that_did_not_leave_leaves_nothing_unknown() {
    let whole = "Hi\r\n.\r\n".len();
    for left in 1..=whole {
        let mut client = with_content(&[]);
        let Some(Event::Content(mut content)) = client.event() else { panic!() };
        content.write(b"Hi\r\n").unwrap();
        content.finish().unwrap();
        client.poll(Instant::ORIGIN);
        client.sent(left);
        client.unsendable();
        client.closed(Closed::CutOff);
        client.poll(Instant::ORIGIN);
        let expected = if left == whole { Outcome::Unknown } else { Outcome::Untried };
        assert_eq!(report(&mut client).outcomes().collect::<Vec<_>>(), [&expected], "{left}");
    }
}

#[test]
fn each_reply_has_its_whole_time() {
    let mut client = client();
    assert_eq!(client.poll(at(0)), Need::Read(at(300)));
    client.feed(b"220 mx\r\n");
    assert_eq!(write(&mut client, at(299)).1, Need::Read(at(599)));
    client.feed(b"250-mx\r\n250 PIPELINING\r\n");
    write(&mut client, at(598));
    send(&mut client, &["bob@example.net"]);
    assert_eq!(write(&mut client, at(600)).1, Need::Read(at(900)), "MAIL");
    client.feed(b"250 ok\r\n");
    assert_eq!(write(&mut client, at(899)).1, Need::Read(at(1199)), "RCPT");
    client.feed(b"250 ok\r\n");
    assert_eq!(write(&mut client, at(1198)).1, Need::Read(at(1318)), "DATA");
}

#[test]
fn the_state_of_a_session_shows_what_may_be_sent() {
    let mut client = client();
    assert_eq!(client.state(), State::Busy);
    hear(&mut client, "220 mx\r\n");
    hear(&mut client, "250-mx\r\n250 PIPELINING\r\n");
    assert_eq!(client.state(), State::Ready);
    let Some(Event::Ready(event)) = client.event() else { panic!() };
    event.wait();
    assert_eq!(client.poll(Instant::ORIGIN), Need::Read(Instant::NEVER));
    assert_eq!(client.state(), State::Ready);
    client.release();
    client.ready();
    assert_eq!(client.poll(at(86_400)), Need::Answer);
    send(&mut client, &["bob@example.net"]);
    assert_eq!(client.state(), State::Busy);
    write(&mut client, Instant::ORIGIN);
    hear(&mut client, "250 ok\r\n550 no\r\n503 no\r\n");
    report(&mut client);
    assert_eq!(client.state(), State::NeedsReset);
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    send(&mut client, &["bob@example.net"]);
    assert!(write(&mut client, Instant::ORIGIN).0.starts_with("RSET\r\nMAIL"));
    client.close();
    assert_eq!(client.state(), State::MustClose);
    assert_eq!(client.end(), Some(&End::Closed));
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    report(&mut client);
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
}

#[test]
fn a_waiting_session_is_ready_again_after_a_report() {
    let mut client =
        ready(client_with(|config| config.with_transactions(2)), &["PIPELINING", "CHUNKING"]);
    send(&mut client, &["bob@example.net"]);
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    let Some(Event::Content(content)) = client.event() else { panic!() };
    content.finish().unwrap();
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    let Some(Event::Ready(event)) = client.event() else { panic!() };
    event.wait();
    let (written, need) = write(&mut client, Instant::ORIGIN);
    assert!(written.ends_with("BDAT 0 LAST\r\n"));
    assert_eq!(need, Need::Read(at(300)), "MAIL's");
    hear(&mut client, "250 ok\r\n250 ok\r\n250 ok\r\n");
    assert!(report(&mut client).is_delivered_to_all());
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    assert!(matches!(client.event(), Some(Event::Ready(_))));
}

#[test]
fn octets_that_drip_extend_no_deadline() {
    let mut client = client();
    for second in 0..300 {
        assert_eq!(client.poll(at(second)), Need::Read(at(300)));
        let octet: &[u8] = if second == 0 { b"2" } else { b"20-x\r\n2" };
        assert_eq!(client.feed(octet), octet.len());
    }
    assert_eq!(client.poll(at(300)), Need::Close);
    assert_eq!(client.end(), Some(&End::TimedOut));
}

#[test]
fn a_reply_that_has_come_counts_although_its_time_has_passed() {
    let mut client = client();
    assert_eq!(client.poll(at(0)), Need::Read(at(300)));
    client.feed(b"220 mx\r\n");
    assert!(matches!(client.poll(at(400)), Need::Either(_)));
}

/// RFC 5321 section 4.5.3.2.5.
/// 5321-4.5.3.2.5-a
#[test]
fn a_server_that_takes_octet_by_octet_gains_no_time() {
    let mut client = with_content(&[]);
    let Some(Event::Content(mut content)) = client.event() else { panic!() };
    let room = content.room();
    assert_eq!(content.write(&vec![b'a'; room + 1]).unwrap(), room);
    assert_eq!(content.write(b"b").unwrap(), 0, "back-pressure");
    // 180 s, and the five hundredth part of a second for each octet that is taken after the start.
    for second in 0..180_u64 {
        let deadline = at(180) + Duration::from_millis(2 * second.saturating_sub(1));
        assert_eq!(client.poll(at(second)), Need::Either(deadline));
        client.sent(1);
        while let Need::Answer = client.poll(at(second)) {
            let Some(Event::Content(mut content)) = client.event() else { panic!() };
            content.write(b"b").unwrap();
        }
    }
    assert_eq!(client.poll(at(181)), Need::Answer);
    assert_eq!(client.end(), Some(&End::TimedOut));
    assert_eq!(report(&mut client).outcomes().collect::<Vec<_>>(), [&Outcome::Untried]);
}

/// The time-outs of the test are 2 s at most: an upper bound of each wait bounds the time for a block.
/// 5321-4.5.3.2.5-a
#[test]
fn an_upper_bound_of_all_time_outs_bounds_the_time_for_a_block() {
    let two = Duration::from_secs(2);
    let bounded = |config: Config| {
        let timeouts = config.timeouts().clone();
        config.with_timeouts(timeouts.at_most(two))
    };
    for extensions in [&[][..], &["CHUNKING"], &["CHUNKING", "PIPELINING"]] {
        // Nothing; less than a buffer; more than that.
        for taken in [0, 10_000, 1_000_000] {
            let mut client = ready(client_with(bounded), extensions);
            send(&mut client, &["bob@example.net"]);
            write(&mut client, Instant::ORIGIN);
            for reply in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
                if !reply.starts_with("354") || extensions.is_empty() {
                    client.feed(reply.as_bytes());
                    let _ = client.poll(Instant::ORIGIN);
                }
            }
            let (mut left, mut rest) = (20_000_000_usize, taken);
            let deadline = loop {
                match client.poll(Instant::ORIGIN) {
                    Need::Answer => match client.event().unwrap() {
                        Event::Content(mut content) => {
                            left -= content.write(&vec![b'x'; left.min(64 * 1024)]).unwrap();
                        }
                        other => panic!("{other:?}"),
                    },
                    Need::Either(deadline) if rest == 0 => break deadline,
                    Need::Either(_) => {
                        let mut slices = [&b""[..]; 16];
                        let filled = client.to_send(&mut slices);
                        let octets = slices[..filled].concat().len().min(rest);
                        client.sent(octets);
                        rest -= octets;
                    }
                    // Replies to chunks.
                    Need::Read(deadline) => break deadline,
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(deadline, at(2), "{extensions:?} {taken}");
            let _ = client.poll(deadline);
            assert_eq!(client.end(), Some(&End::TimedOut));
        }
    }
}

/// Octets that were taken quickly earn no time for those that are taken slowly, in one buffer or in
/// several.
#[test]
fn a_server_that_was_fast_is_not_waited_for_longer() {
    let mut client = with_content(&[]);
    let fill = |client: &mut Client, now| {
        while let Need::Answer = client.poll(now) {
            let Some(Event::Content(mut content)) = client.event() else { panic!() };
            let room = content.room();
            content.write(&vec![b'x'; room]).unwrap();
        }
    };
    for _ in 0..100 {
        fill(&mut client, at(0));
        client.sent(64 * 1024);
    }
    fill(&mut client, at(0));
    assert_eq!(client.poll(at(0)), Need::Either(at(180)));
    // A whole buffer just before its time is up is worth 131 s, and no more than 180 s.
    client.sent(64 * 1024);
    fill(&mut client, at(179));
    let deadline = at(180) + Duration::from_millis(131_072);
    assert_eq!(client.poll(at(179)), Need::Either(deadline));
    client.sent(64 * 1024);
    fill(&mut client, at(250));
    assert_eq!(client.poll(at(250)), Need::Either(at(430)));
}

/// The replies to the chunks of one message have one deadline, which their octets move: a server that
/// answers each of them at the last moment does not hold the session for hours.
#[test]
fn late_replies_to_chunks_do_not_add_up() {
    let mut client = ready(client(), &["CHUNKING"]);
    send(&mut client, &["bob@example.net"]);
    write(&mut client, Instant::ORIGIN);
    hear(&mut client, "250 ok\r\n");
    hear(&mut client, "250 ok\r\n");
    let mut now = Instant::ORIGIN;
    let mut chunks = 0_u64;
    while client.end().is_none() {
        match client.poll(now) {
            Need::Answer => match client.event().unwrap() {
                Event::Content(mut content) => {
                    content.write(&[b'x'; 1000]).unwrap();
                    content.flush();
                }
                other => panic!("{other:?}"),
            },
            Need::Either(_) => client.sent(usize::MAX),
            Need::Read(deadline) => {
                // A second before it is too late.
                let late = Duration::from_secs(1);
                let wait = deadline.saturating_since(now);
                now = now + wait.saturating_sub(late);
                if wait > late {
                    chunks += 1;
                    client.feed(b"250 ok\r\n");
                } else {
                    now = now + late;
                }
            }
            other => panic!("{other:?}"),
        }
        // 10 minutes, and 2 s for each chunk.
        assert!(now < at(600 + 2 * chunks + 1), "{now:?} {chunks}");
        if chunks > 1000 {
            break;
        }
    }
    assert!(chunks > 1, "{chunks}");
}

#[test]
fn time_that_the_application_takes_is_not_the_servers() {
    let mut client = with_content(&[]);
    let Some(Event::Content(content)) = client.event() else { panic!() };
    content.flush();
    assert_eq!(client.poll(at(10_000)), Need::Answer);
    let Some(Event::Content(content)) = client.event() else { panic!() };
    content.finish().unwrap();
    assert_eq!(client.poll(at(20_000)), Need::Either(at(20_180)));
    assert_eq!(write(&mut client, at(20_000)).1, Need::Read(at(20_600)));
}

#[test]
fn flushed_content_goes_out_before_more_is_asked_for() {
    for (extensions, wire) in [(&[][..], "ab\r\n"), (&["CHUNKING"], "BDAT 4\r\nab\r\n")] {
        let mut client = ready(client(), extensions);
        send(&mut client, &["bob@example.net"]);
        write(&mut client, Instant::ORIGIN);
        hear(&mut client, "250 ok\r\n");
        hear(&mut client, "250 ok\r\n");
        if extensions.is_empty() {
            hear(&mut client, "354 go\r\n");
        }
        let Some(Event::Content(mut content)) = client.event() else { panic!() };
        assert_eq!(content.write(b"ab\r\n").unwrap(), 4);
        assert_eq!(client.poll(Instant::ORIGIN), Need::Answer, "more, for it fits");
        let Some(Event::Content(content)) = client.event() else { panic!() };
        content.flush();
        assert_eq!(write(&mut client, Instant::ORIGIN), (wire.to_owned(), Need::Answer));
    }
}

#[test]
fn content_that_turns_out_unfit_can_only_be_given_up() {
    for (extensions, content, expected) in [
        (&[][..], &b"abc\xe9\r\n"[..], ContentError::EightBit(3)),
        (&["8BITMIME"], b"a\0\r\n", ContentError::Nul(1)),
        (&["SIZE 5"], b"abcd\r\n", ContentError::TooLarge { limit: 5 }),
        (&["8BITMIME"], b"a\nb\r\n", ContentError::BareLineBreak(1)),
    ] {
        let mut client = with_content(extensions);
        let Some(Event::Content(mut event)) = client.event() else { panic!() };
        assert_eq!(event.write(content), Err(expected));
        assert_eq!(event.write(b"x\r\n"), Err(expected), "again and again");
        assert_eq!(event.finish(), Err(expected), "which gives it up");
        let (written, need) = write(&mut client, Instant::ORIGIN);
        assert_eq!((written.as_str(), need), ("", Need::Answer));
        assert_eq!(client.end(), Some(&End::Aborted));
        assert_eq!(report(&mut client).outcomes().collect::<Vec<_>>(), [&Outcome::Untried]);
        assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    }
}

#[test]
fn a_server_cannot_make_the_client_grow() {
    for (endless, extensions) in [("220-x\r\n", ""), ("220", "-"), ("a", "220 ")] {
        let mut client = client();
        client.feed(extensions.as_bytes());
        let mut octets = 0;
        while let Need::Read(_) = client.poll(Instant::ORIGIN) {
            octets += client.feed(endless.as_bytes());
            assert!(octets < 70_000, "{endless}");
        }
        assert!(matches!(client.end(), Some(End::Protocol(_))), "{endless}: {:?}", client.end());
    }
    // As much as fits the buffer at once.
    let mut client = client();
    let room = client.receive_buffer();
    assert!(room.len() <= 70_000);
    room.fill(b'2');
    let octets = room.len();
    client.received(octets);
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    assert_eq!(client.end(), Some(&End::Protocol(ProtocolError::TooLong)));
}

#[test]
fn the_replies_of_a_transaction_have_a_bound() {
    let mut client = ready(
        client_with(|config| {
            let limits = config.limits().clone().with_report_octets(10_000);
            config.with_limits(limits)
        }),
        &["PIPELINING"],
    );
    send(&mut client, &["bob@example.net"; 50]);
    write(&mut client, Instant::ORIGIN);
    let (_, need) = hear(&mut client, "250 ok\r\n");
    assert!(matches!(need, Need::Read(_)));
    let long = format!("550 {}\r\n", "x".repeat(1900));
    let mut replies = 0;
    while client.end().is_none() {
        hear(&mut client, &long);
        replies += 1;
    }
    assert_eq!(client.end(), Some(&End::Protocol(ProtocolError::TooLong)));
    assert_eq!(replies, 19);
    assert_eq!(report(&mut client).outcomes().len(), 50);
}

/// A driver that cannot read while it writes must not be led into a deadlock (RFC 2920 section
/// 3.1).
/// 2920-3.1-h
#[test]
fn no_more_commands_than_allowed_wait_for_replies() {
    let mut client = ready(client_with(|config| config.with_in_flight(3)), &["PIPELINING"]);
    send(&mut client, &["bob@example.net"; 4]);
    let rcpt = "RCPT TO:<bob@example.net>\r\n";
    let first = format!("MAIL FROM:<ann@example.org>\r\n{rcpt}{rcpt}");
    assert_eq!(write(&mut client, Instant::ORIGIN).0, first);
    assert_eq!(hear(&mut client, "250 ok\r\n").0, rcpt);
    assert_eq!(hear(&mut client, "250 ok\r\n250 ok\r\n").0, format!("{rcpt}DATA\r\n"));
}

#[test]
fn the_transcript_has_each_line_with_its_time() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let transcript = move |at: Instant, entry: Entry<'_>| {
        sink.lock().unwrap().push(format!("{} {entry}", at.elapsed().as_secs()));
    };
    let mut client = client().with_transcript(Box::new(transcript));
    let said = |client: &mut Client, second, octets: &str| {
        client.feed(octets.as_bytes());
        write(client, at(second));
    };
    said(&mut client, 1, "220 mx\r\n");
    said(&mut client, 2, "250-mx\r\n250 PIPELINING\r\n");
    send(&mut client, &["bob@example.net"]);
    write(&mut client, at(3));
    said(&mut client, 4, "250 ok\r\n250 \x1b[2J\r\n354 go\r\n");
    let Some(Event::Content(mut content)) = client.event() else { panic!() };
    content.write(b".\r\nx").unwrap();
    content.finish().unwrap();
    write(&mut client, at(5));
    said(&mut client, 6, "250 ok\r\n");
    report(&mut client);
    client.closed(Closed::Clean);
    write(&mut client, at(7));
    assert_eq!(
        *heard.lock().unwrap(),
        [
            "1 S: 220 mx",
            "1 C: EHLO me.example.org",
            "2 S: 250-mx",
            "2 S: 250 PIPELINING",
            "3 C: MAIL FROM:<ann@example.org>",
            "3 C: RCPT TO:<bob@example.net>",
            "3 C: DATA",
            "4 S: 250 ok",
            "4 S: 250 \\x1b[2J",
            "4 S: 354 go",
            "5 C: (7 octets)",
            "5 C: .",
            "6 S: 250 ok",
            "7 S: (closed)",
        ]
    );
}

#[test]
fn a_catch_all_ends_the_session_from_every_question() {
    // Ready.
    let mut client = ready(client(), &[]);
    client.event().unwrap().quit();
    assert_eq!(write(&mut client, Instant::ORIGIN).0, "QUIT\r\n");
    // Refused.
    let mut client = ready(self::client(), &[]);
    let Some(Event::Ready(event)) = client.event() else { panic!() };
    event.noop();
    write(&mut client, Instant::ORIGIN);
    hear(&mut client, "500 what?\r\n");
    client.event().unwrap().quit();
    assert_eq!(write(&mut client, Instant::ORIGIN).0, "QUIT\r\n");
    // Content: without the dot; then Sent.
    let mut client = with_content(&[]);
    client.event().unwrap().quit();
    assert_eq!(write(&mut client, Instant::ORIGIN), (String::new(), Need::Answer));
    client.event().unwrap().quit();
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    // Sent, with the session intact.
    let mut client = ready(self::client(), &[]);
    send(&mut client, &["bob@example.net"]);
    write(&mut client, Instant::ORIGIN);
    hear(&mut client, "550 no\r\n");
    client.event().unwrap().quit();
    assert_eq!(write(&mut client, Instant::ORIGIN).0, "QUIT\r\n");
}

/// An unsolicited reply that has begun is read to its end before anything is sent.
#[test]
fn nothing_is_begun_while_unsolicited_octets_wait() {
    let mut client = ready(client(), &[]);
    let Some(Event::Ready(event)) = client.event() else { panic!() };
    event.wait();
    client.feed(b"421 4.3");
    assert_eq!(client.poll(Instant::ORIGIN), Need::Read(Instant::NEVER));
    client.ready();
    assert_eq!(client.poll(Instant::ORIGIN), Need::Read(at(300)));
    assert_eq!(hear(&mut client, ".2 down\r\n").1, Need::Close);
    assert!(matches!(client.end(), Some(End::Refused(_))));

    let mut client = with_content(&[]);
    client.feed(b"25");
    let Some(Event::Content(content)) = client.event() else { panic!() };
    content.finish().unwrap();
    let (written, need) = write(&mut client, Instant::ORIGIN);
    assert_eq!((written.as_str(), need), ("", Need::Read(at(300))), "no dot");
    hear(&mut client, "0 queued\r\n");
    assert!(matches!(client.end(), Some(End::Protocol(ProtocolError::UnsolicitedReply(_)))));
    assert_eq!(report(&mut client).outcomes().collect::<Vec<_>>(), [&Outcome::Untried]);
}

/// RFC 3207 section 4.2: only STARTTLS, or a connection that begins in TLS, brings a layer in.
#[test]
fn tls_that_no_command_has_asked_for_sends_nothing() {
    for mut client in [ready(client(), &["STARTTLS"]), with_content(&[])] {
        let number = client.event().unwrap().number();
        client.upgraded(Security::TLS);
        assert_eq!(write(&mut client, Instant::ORIGIN), (String::new(), Need::Answer));
        assert_eq!(client.event().unwrap().number(), number);
    }
}
