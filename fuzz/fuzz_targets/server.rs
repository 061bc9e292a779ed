//! A whole session of a server with any client: no panic, replies that parse, each transaction
//! ends once, and the cutting of the octets changes nothing.
//!
//! Input: service and policy, how the application answers, the length of a piece (0:
//! everything), the end of the connection, then what the client says.

#![no_main]

use esmtp::{
    machine::{Closed, Machine, Need},
    security::Security,
    server::{Config, End, Event, Limits, Peer, Server},
    service::Service,
    syntax::{Rejection, Reply},
    time::Instant,
    wire::BareLineBreaks,
};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

#[derive(Debug, Default, PartialEq)]
struct Session {
    said: Vec<u8>,
    log: Vec<String>,
    begun: usize,
    ended: usize,
    content: Vec<u8>,
    end: Option<End>,
}

/// The bits of `mood` decide, in turn, whether a question is accepted.
fn answer(session: &mut Session, event: Event<'_>, mood: u8) {
    if let Event::Content(content) = event {
        assert!(!content.octets().is_empty());
        session.content.extend_from_slice(content.take());
        return;
    }
    let is_accepted = mood == 0 || mood.rotate_left(session.log.len() as u32 % 8) & 1 == 0;
    session.log.push(format!("{event:?}").split(' ').next().unwrap_or_default().to_owned());
    match event {
        Event::Mail(mail) if is_accepted => {
            session.begun += 1;
            session.content.clear();
            mail.accept();
        }
        Event::Mail(mail) => mail.reject(Rejection::LOCAL_ERROR),
        Event::Rcpt(rcpt) if is_accepted => rcpt.accept(),
        Event::Rcpt(rcpt) => rcpt.reject(Rejection::NO_SUCH_MAILBOX),
        Event::Data(data) if !is_accepted => data.reject(Rejection::LOCAL_ERROR),
        Event::Deliver(mut delivery) => {
            let recipients = delivery.envelope().recipients().count();
            assert!(recipients > 0, "a message for nobody");
            session.log.push(format!("{}", session.content.escape_ascii()));
            session.ended += 1;
            if let (Some(mut each), false) = (delivery.per_recipient(), is_accepted) {
                each.settle(recipients - 1, Err(Rejection::LOCAL_ERROR));
            }
            delivery.accept();
        }
        Event::Abort(abort) => {
            session.log.push(format!("{:?}", abort.reason()));
            session.ended += 1;
            abort.done();
        }
        other => other.proceed(),
    }
}

fn hold(config: &Arc<Config>, octets: &[u8], piece: usize, mood: u8, how: Closed) -> Session {
    let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
    let mut session = Session::default();
    let (mut fed, mut is_closed) = (0, false);
    let most = 1000 + 40 * octets.len();
    for _ in 0..most {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => answer(&mut session, server.event().expect("an event"), mood),
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 2];
                let count = server.to_send(&mut slices);
                let ready = slices[..count].concat();
                assert!(!ready.is_empty());
                let sent = ready.len().min(piece);
                session.said.extend_from_slice(&ready[..sent]);
                server.sent(sent);
            }
            Need::Read(deadline) => {
                assert!(deadline > Instant::ORIGIN);
                if fed < octets.len() {
                    let upto = octets.len().min(fed + piece);
                    let taken = server.feed(&octets[fed..upto]);
                    assert!(taken > 0, "asks for octets and has no room");
                    fed += taken;
                } else {
                    assert!(!is_closed, "reads on behind the end");
                    server.closed(how);
                    is_closed = true;
                }
            }
            Need::Wait(_) => unreachable!("no delays are configured"),
            Need::Close => {
                session.end = server.end();
                session.content.clear();
                return session;
            }
        }
    }
    panic!("no end after {most} steps");
}

fuzz_target!(|data: &[u8]| {
    let [kind, mood, piece, how, octets @ ..] = data else { return };
    let service = [Service::Smtp, Service::Submission, Service::Lmtp][usize::from(kind % 3)];
    let policy = [BareLineBreaks::Reject, BareLineBreaks::Normalise, BareLineBreaks::Keep];
    let mut config = Config::new("mx.example.org")
        .expect("a host")
        .with_service(service)
        .with_bare_line_breaks(policy[usize::from(kind / 3 % 3)]);
    if kind & 0x80 != 0 {
        config = config
            .with_limits(Limits::default().with_message(100).with_recipients(3).with_errors(5));
    }
    let config = Arc::new(config);
    let how = if how % 2 == 0 { Closed::Clean } else { Closed::CutOff };
    let piece = if *piece == 0 { 7 } else { usize::from(*piece) };

    let whole = hold(&config, octets, usize::MAX, *mood, how);
    let mut rest = &whole.said[..];
    while let Some((_, taken)) = Reply::parse(rest).expect("replies that parse") {
        rest = &rest[taken..];
    }
    assert!(rest.is_empty(), "half a reply: {}", rest.escape_ascii());
    assert_eq!(whole.begun, whole.ended, "each transaction ends once: {:?}", whole.log);
    if how == Closed::Clean {
        assert_eq!(hold(&config, octets, piece, *mood, how), whole, "cut into pieces of {piece}");
    }
});
