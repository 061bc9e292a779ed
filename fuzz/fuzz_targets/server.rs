//! A whole session of a server with any client: no panic, replies that parse, each transaction
//! ends once, and the cutting of the octets changes nothing.
//!
//! Input: service and policy, how the application answers, the length of a piece, the end of the
//! connection, then what the client says. Everything that the machine implements is offered, and
//! AUTH over a channel of which nothing is known.

#![no_main]

use esmtp::{
    machine::{Closed, Machine, Need},
    sasl::{
        Attempt, Mechanism, Nonce, Offer, Question,
        scram::{Decoy, Keys},
    },
    security::Security,
    server::{Config, CustomVerb, End, Event, Limits, Peer, Server, Timeouts, VerbPlacement},
    service::Service,
    syntax::{Rejection, Reply, Text},
    time::Instant,
    wire::BareLineBreaks,
};
use libfuzzer_sys::fuzz_target;
use std::{sync::Arc, time::Duration};

/// It takes little.
const SMALL: u8 = 0x80;
/// Only what a configuration offers by itself.
const BARE: u8 = 0x40;
/// TLS from the beginning.
const SECURE: u8 = 0x20;
/// Mail only after AUTH.
const AUTH: u8 = 0x10;

const MESSAGE: u64 = 100;

#[derive(Debug, Default, PartialEq)]
struct Session {
    said: Vec<u8>,
    log: Vec<String>,
    begun: usize,
    ended: usize,
    content: Vec<u8>,
    /// Content was refused before its end.
    has_refused: bool,
    /// A user whose password was right.
    proven: usize,
    end: Option<End>,
}

fn offer() -> Offer {
    let mechanisms = [
        Mechanism::SCRAM_SHA_256,
        Mechanism::CRAM_MD5,
        Mechanism::PLAIN,
        Mechanism::LOGIN,
        Mechanism::OAUTHBEARER,
    ];
    Offer::new(mechanisms).with_decoy(Decoy::new([3; 32])).with_secrets_in_clear()
}

/// Decides: `u` has the password `p`; of `k` there are keys to which no password is known.
fn decide(question: Question<'_>) -> bool {
    match question {
        Question::Password(asked) if asked.user() == "u" && asked.password().matches(b"p") => {
            asked.accept();
            return true;
        }
        Question::Keys(asked) if asked.user() == "k" => {
            let length = asked.hash().length();
            let keys = Keys::new(asked.hash(), *b"salt", 4096, vec![1; length], vec![2; length]);
            asked.supply(keys.expect("keys"));
        }
        Question::Secret(asked) if asked.user() == "k" => asked.supply("nobody knows 0x5e1f"),
        Question::Password(asked) if asked.user() == "busy" => asked.unavailable(),
        other => other.reject(),
    }
    false
}

/// Gives the answers: the bits of `mood` decide, in turn, whether a question is accepted.
fn answer(session: &mut Session, event: Event<'_>, mood: u8) {
    let is_accepted = mood == 0 || mood.rotate_left(session.log.len() as u32 % 8) & 1 == 0;
    if let Event::Content(content) = event {
        assert!(!content.octets().is_empty());
        if is_accepted {
            session.content.extend_from_slice(content.take());
        } else {
            session.has_refused = true;
            content.reject(Rejection::LOCAL_ERROR);
        }
        return;
    }
    session.log.push(format!("{event:?}").split(' ').next().unwrap_or_default().to_owned());
    match event {
        Event::Auth(auth) if is_accepted => {
            let channel = auth.facts().security().channel();
            let attempt = Attempt {
                channel: &channel,
                proven: None,
                nonce: Nonce::new([1; 18]),
                unix_seconds: 0,
            };
            let mechanism = auth.mechanism();
            auth.verify(offer().verifier(mechanism, attempt).expect("it was offered"));
        }
        Event::Credentials(credentials) => {
            session.proven += usize::from(decide(credentials.question));
        }
        Event::Authenticated(authenticated) => {
            assert!(session.proven > 0, "no identity was proven");
            authenticated.accept();
        }
        Event::Upgrade(upgrade) if is_accepted => upgrade.succeed(Security::TLS),
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
            assert!(recipients > 0, "a message without a recipient");
            session.log.push(format!("{}", session.content.escape_ascii()));
            session.ended += 1;
            if let (Some(mut each), false) = (delivery.per_recipient(), is_accepted) {
                each.settle(recipients - 1, Err(Rejection::LOCAL_ERROR));
            }
            delivery.accept();
        }
        Event::Etrn(etrn) if is_accepted => etrn.accept_waiting(Some(1)),
        Event::Atrn(atrn) if is_accepted => atrn.accept(),
        Event::Burl(burl) if is_accepted => burl.accept(),
        Event::Xclient(xclient) if is_accepted => xclient.accept(),
        Event::Xforward(xforward) if is_accepted => xforward.accept(),
        Event::Other(other) if is_accepted => other.accept(),
        Event::Other(other) if other.argument().is_some() => {
            other.hand_over(Text::literal("go on"));
        }
        Event::Abort(abort) => {
            session.log.push(format!("{:?}", abort.reason()));
            session.ended += 1;
            abort.acknowledge();
        }
        other => other.proceed(),
    }
}

fn hold(
    config: &Arc<Config>,
    security: &Security,
    octets: &[u8],
    piece: usize,
    mood: u8,
    how: Closed,
) -> Session {
    let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, security.clone());
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
                    assert!(!is_closed, "reads on after the end");
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
    let limits = Limits::default().with_message(MESSAGE).with_recipients(3).with_errors(5);
    let mut config = Config::new("mx.example.org")
        .expect("a host")
        .with_service(service)
        .with_bare_line_breaks(policy[usize::from(kind / 3 % 3)])
        .with_required_auth(kind & AUTH != 0)
        .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO));
    // Who does not wait is found out by what comes together.
    config = config.with_enforced_sync(false);
    if kind & SMALL != 0 {
        config = config.with_limits(limits);
    }
    if kind & BARE == 0 {
        let own = |verb, place| CustomVerb::new(verb, place).expect("a verb");
        config = Config::implemented()
            .fold(config, Config::with_extension)
            .with_auth(offer())
            .with_verb(own("XOWN", VerbPlacement::Anywhere))
            .with_verb(own("XIN", VerbPlacement::InTransaction).with_required_auth());
    }
    let (config, how) =
        (Arc::new(config), if how % 2 == 0 { Closed::Clean } else { Closed::CutOff });
    let security = if kind & SECURE == 0 { Security::CLEAR } else { Security::TLS };
    let piece = if *piece == 0 { 7 } else { usize::from(*piece) };

    let whole = hold(&config, &security, octets, usize::MAX, *mood, how);
    let mut rest = &whole.said[..];
    while let Some((_, taken)) = Reply::parse(rest).expect("replies that parse") {
        rest = &rest[taken..];
    }
    assert!(rest.is_empty(), "half a reply: {}", rest.escape_ascii());
    assert_eq!(whole.begun, whole.ended, "each transaction ends once: {:?}", whole.log);
    // What follows STARTTLS is an injection, or not, depending on when it comes; and whether
    // the application refuses content first, or its size does, on how much of it comes at once.
    let is_upgraded = whole.end == Some(End::Injection)
        || whole.log.iter().any(|line| line.starts_with("StartTls"));
    if how == Closed::Clean && !is_upgraded && !whole.has_refused {
        let cut = hold(&config, &security, octets, piece, *mood, how);
        assert_eq!(cut, whole, "cut into pieces of {piece}");
    }
});
