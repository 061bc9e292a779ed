//! A whole session of a client with any server: no panic, no endless session, one report for
//! each transaction, nothing on the wire but whole lines, and the cutting of the server's lines
//! changes nothing.
//!
//! Input: service and limits, which recipients, how many messages and which commands before them,
//! the length of a piece (0: one octet), the end of the connection, then what the server says, heard
//! a line at a time.

#![no_main]

use esmtp::{
    client::{Client, Config, Event, MessageFacts, NotOffered, Ready},
    envelope::Envelope,
    machine::{Closed, Machine, Need},
    security::Security,
    service::Service,
    syntax::{Argument, Command, Extension, Lenience, Lookup, UnknownVerb, Uri},
    time::Instant,
    wire::LineEnds,
};
use libfuzzer_sys::fuzz_target;

const MESSAGE: &[u8] = b"Subject: x\r\n\r\n.dot\r\n.\r\n..\r\nthe end\r\n";

#[derive(Debug, Default, PartialEq)]
struct Session {
    written: Vec<u8>,
    log: Vec<String>,
    begun: usize,
    reported: usize,
    end: String,
    /// The wishes of the application before it sends messages: a command each, and whether content
    /// is at a URL.
    wishes: u8,
    has_url: bool,
}

/// Sends one of the commands outside a transaction; some of them are not offered.
fn wish(ready: Ready<'_>, which: u8) -> Result<(), NotOffered> {
    let command = |line: &'static str| Command::parse(line.as_bytes(), Lenience::STRICT);
    let name = Argument::new("bob").expect("an argument");
    match which {
        1 => ready.vrfy(Lookup::new(name).expect("a name")),
        2 => ready.help(None),
        3 => match command("XCLIENT NAME=a.example ADDR=192.0.2.1 PROTO=ESMTP LOGIN=ann") {
            Ok(Command::Xclient(attributes)) => ready.xclient(&attributes),
            other => panic!("{other:?}"),
        },
        4 => match command("XFORWARD NAME=a.example ADDR=192.0.2.1 SOURCE=REMOTE") {
            Ok(Command::Xforward(attributes)) => ready.xforward(&attributes),
            other => panic!("{other:?}"),
        },
        5 => ready.command(UnknownVerb::new("XOWN").expect("a verb"), Some(name)),
        6 => ready.atrn(None),
        _ => {
            ready.reset();
            Ok(())
        }
    }
}

fn answer(session: &mut Session, event: Event<'_>, recipients: usize, messages: usize) {
    match event {
        Event::Ready(ready) if session.wishes > 0 && messages > 0 => {
            let which = session.wishes % 8;
            session.wishes /= 8;
            if let Err(not_offered) = wish(ready, which) {
                session.log.push(format!("{not_offered}"));
            }
        }
        Event::Ready(ready) if session.begun < messages => {
            let paths = ["bob@example.net", "\"c d\"@[127.0.0.1]", "eve@example.org"];
            let envelope = Envelope::new("ann@example.org", &paths[..recipients]).expect("paths");
            let facts = MessageFacts::scan(MESSAGE);
            let facts = if session.has_url { facts.with_burl() } else { facts };
            match ready.send(envelope, facts) {
                Ok(_) => session.begun += 1,
                Err(not_offered) => {
                    session.log.push(format!("{not_offered}"));
                    session.begun = messages; // and quit next time
                    session.reported = messages;
                }
            }
        }
        Event::Content(mut content) => match content.write(MESSAGE) {
            Ok(octets) => {
                assert_eq!(octets, MESSAGE.len(), "there is room for so little");
                let uri = Uri::new("imap://example.org/;uid=1").expect("a URL");
                let is_ended = match session.has_url {
                    true => content.finish_with(uri),
                    false => content.finish(),
                };
                assert!(is_ended.is_ok());
            }
            Err(error) => {
                session.log.push(format!("{error}"));
                content.abort();
            }
        },
        Event::Sent(sent) => {
            let report = sent.take();
            assert_eq!(report.recipients().count(), recipients);
            session.log.extend(report.recipients().map(|it| format!("{it:?}")));
            session.reported += 1;
        }
        Event::Refused(refused) => {
            session.log.push(format!("refused {:?}", refused.verb()));
            refused.go_on();
        }
        Event::HandOver(hand_over) => {
            session.log.push("hand over".to_owned());
            hand_over.close();
        }
        Event::Answered(answered) => {
            session.log.push(format!("{:?} {}", answered.index(), answered.reply()));
            answered.go_on();
        }
        other => other.quit(),
    }
}

fn hold(data: &[u8; 4], said: &[u8], piece: usize) -> Session {
    let [kind, size, _, how] = *data;
    let mut config = Config::new("me.example.org")
        .expect("a host")
        .with_service([Service::Smtp, Service::Submission, Service::Lmtp][usize::from(kind % 3)])
        .with_line_ends(LineEnds::Strict)
        .with_transactions(1 + usize::from(kind / 3 % 3))
        .with_in_flight(1 + usize::from(kind / 9 % 4));
    if kind & 0x80 != 0 {
        config = config.without_extension(Extension::Pipelining);
    }
    if how & 2 != 0 {
        config = config.with_recipient_events();
    }
    let (recipients, messages) = (1 + usize::from(size % 3), usize::from(size / 3 % 4));
    let mut client = Client::new(config, Security::CLEAR);
    let (wishes, has_url) = (size / 12, how & 4 != 0);
    let mut session = Session { wishes, has_url, ..Session::default() };
    let mut lines = said.split_inclusive(|octet| *octet == b'\n');
    let mut line: &[u8] = b"";
    let mut is_closed = false;
    let most = 1000 + 20 * said.len();
    for _ in 0..most {
        match client.poll(Instant::ORIGIN) {
            Need::Answer => {
                let event = client.event().expect("an event");
                answer(&mut session, event, recipients, messages);
            }
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 8];
                let count = client.to_send(&mut slices);
                let ready = slices[..count].concat();
                assert!(!ready.is_empty(), "nothing to write");
                session.written.extend_from_slice(&ready);
                client.sent(ready.len());
            }
            Need::Read(deadline) | Need::Wait(deadline) => {
                assert!(deadline > Instant::ORIGIN);
                assert!(!is_closed, "reads on after the end");
                if line.is_empty() {
                    line = lines.next().unwrap_or_default();
                }
                if line.is_empty() {
                    client.closed(if how % 2 == 0 { Closed::Clean } else { Closed::CutOff });
                    is_closed = true;
                } else {
                    let taken = client.feed(&line[..line.len().min(piece)]);
                    assert!(taken > 0, "asks for octets and has no room");
                    line = &line[taken..];
                }
            }
            Need::Close => {
                while let Some(event) = client.event() {
                    answer(&mut session, event, recipients, 0);
                    let _ = client.poll(Instant::ORIGIN);
                }
                session.end = format!("{:?}", client.end());
                return session;
            }
        }
    }
    panic!("no end after {most} steps");
}

fuzz_target!(|data: &[u8]| {
    let Some((head, said)) = data.split_first_chunk::<4>() else { return };
    let whole = hold(head, said, usize::MAX);
    assert_eq!(whole.begun, whole.reported, "one report a transaction: {whole:?}");
    for line in whole.written.split_inclusive(|octet| *octet == b'\n') {
        let bare = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
        let end = line.len().saturating_sub(2);
        assert!(line.ends_with(b"\r\n") && !line[..end].iter().any(bare), "{:?}", whole.written);
        assert!(line.len() <= 2048);
    }
    let piece = usize::from(head[2]).max(1);
    assert_eq!(hold(head, said, piece), whole, "cut into pieces of {piece}");
});
