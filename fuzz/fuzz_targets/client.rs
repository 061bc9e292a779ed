//! A whole session of a client with any server: no panic, no endless session, one report for
//! each transaction, nothing on the wire but whole lines, and the cutting of the server's lines
//! changes nothing.
//!
//! Input: service and limits, which recipients and how many messages, the length of a piece (0:
//! one octet), the end of the connection, then what the server says, heard a line at a time.

#![no_main]

use esmtp::{
    client::{Client, Config, Event, MessageFacts},
    envelope::Envelope,
    machine::{Closed, Machine, Need},
    security::Security,
    service::Service,
    syntax::Extension,
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
}

fn answer(session: &mut Session, event: Event<'_>, recipients: usize, messages: usize) {
    match event {
        Event::Ready(ready) if session.begun < messages => {
            let paths = ["bob@example.net", "\"c d\"@[127.0.0.1]", "eve@example.org"];
            let envelope = Envelope::new("ann@example.org", &paths[..recipients]).expect("paths");
            match ready.send(envelope, MessageFacts::scan(MESSAGE)) {
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
                assert!(content.finish().is_ok());
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
        config = config.without(Extension::Pipelining);
    }
    let (recipients, messages) = (1 + usize::from(size % 3), usize::from(size / 3 % 4));
    let mut client = Client::new(config, Security::CLEAR);
    let mut session = Session::default();
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
                assert!(!is_closed, "reads on behind the end");
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
