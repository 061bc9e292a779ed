//! A client that says anything in any order, and a server.

use crate::{
    channel::{Channel, rustls_client, server_end},
    random::Random,
    receiver::{Mood, Receiver},
    rig::{Reads, Rig},
    seconds, simulate,
};
use esmtp::{
    machine::{Closed, Machine},
    sasl::{Mechanism, Offer},
    security::Security,
    server::{Config, Limits, Peer, Server, Timeouts},
    service::Service,
    syntax::{Extension, Reply},
    tls::Secured,
    wire::BareLineBreaks,
};
use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

/// Commands carry the word `honest`, which never stands in content; content carries the word
/// `smuggled`, which never stands in a command.
const LINES: [&[u8]; 24] = [
    b"EHLO honest.example\r\n",
    b"EHLO honest.example\r\n",
    b"LHLO honest.example\r\n",
    b"HELO honest.example\r\n",
    b"MAIL FROM:<honest@example.net>\r\n",
    b"MAIL FROM:<honest@example.net>\r\n",
    b"MAIL FROM:<honest@example.net> BODY=BINARYMIME\r\n",
    b"MAIL FROM:<honest@example.net> SIZE=99999999\r\n",
    b"RCPT TO:<honest@example.org>\r\n",
    b"RCPT TO:<honest@example.org>\r\n",
    b"RCPT TO:<nobody.honest@example.org>\r\n",
    b"RCPT TO:<full.honest@example.org>\r\n",
    b"DATA\r\n",
    b"DATA\r\n",
    b"RSET\r\n",
    b"NOOP honest\r\n",
    b"VRFY honest\r\n",
    b"HELP honest\r\n",
    AUTH,
    b"STARTTLS\r\n",
    b"honest\r\n",
    b"BDAT honest\r\n",
    b"NOOP hon\nest\r\n",
    b"QUIT\r\n",
];

const AUTH: &[u8] = b"AUTH PLAIN\r\n";

const PIECES: [&[u8]; 14] = [
    b"a",
    b"text\r\n",
    b".",
    b"..\r\n",
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"MAIL FROM:<smuggled@example.net>\r\n",
    b"\xff",
];

fn pieces(random: &mut Random, most: usize) -> Vec<u8> {
    let count = random.below(most);
    (0..count).flat_map(|_| random.pick(&PIECES).to_vec()).collect()
}

/// Returns content after DATA: its end stands at its end and nowhere else.
fn data(random: &mut Random) -> Vec<u8> {
    let mut content = Vec::new();
    for octet in pieces(random, 20) {
        content.push(octet);
        if content == b".\r\n" || content.ends_with(b"\r\n.\r\n") {
            content.pop();
        }
    }
    let has_line_end = content.is_empty() || content.ends_with(b"\r\n");
    content.extend_from_slice(if has_line_end { b".\r\n" } else { b"\r\n.\r\n" });
    content
}

fn chunk(random: &mut Random) -> Vec<u8> {
    let content = pieces(random, 12);
    let last = if random.one_in(2) { " LAST" } else { "" };
    let mut chunk = format!("BDAT {}{last}\r\n", content.len()).into_bytes();
    chunk.extend(content);
    chunk
}

fn config(random: &mut Random, is_tls: bool, has_auth: bool) -> Config {
    let limits = Limits::default()
        .with_message(random.pick(&[60, 500, 100_000]))
        .with_recipients(random.pick(&[1, 3, 100]))
        .with_errors(random.pick(&[3, 20, 1000]) as u32)
        .with_idle_commands(random.pick(&[3, 100]) as u32)
        .with_transactions(random.pick(&[None, None, Some(2)]));
    let mut config = Config::new("mx.example.org")
        .unwrap()
        .with_service(random.pick(&[Service::Smtp, Service::Submission, Service::Lmtp]))
        .with_required_auth(false)
        .with_enforced_sync(random.one_in(4))
        .with_rejected_nul(random.one_in(2))
        .with_bare_line_breaks(random.pick(&[
            BareLineBreaks::Reject,
            BareLineBreaks::Normalise,
            BareLineBreaks::Keep,
        ]))
        // A reply that is withheld would be heard too late by a client that waits for none.
        .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO))
        .with_limits(limits);
    if has_auth {
        config = config.with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
    }
    if is_tls || random.one_in(8) {
        config = config.with_extension(Extension::StartTls);
    }
    config
}

/// The way in which a client treats the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Temper {
    /// It reads all that it is told and is there to the end.
    Steady,
    /// It reads little, and is gone at some time.
    Fickle,
}

fn play(random: &mut Random) {
    let is_tls = random.one_in(10);
    let temper = if random.one_in(3) { Temper::Fickle } else { Temper::Steady };
    // One that does not hear 334 says commands where a response is awaited.
    let has_auth = temper == Temper::Steady && random.one_in(4);
    let config = config(random, is_tls, has_auth);
    let is_lmtp = config.service() == Service::Lmtp;
    let rejects = random.pick(&[0, 4, 15]);
    let mood = Mood { rejects, closes: random.pick(&[0, 40]) };
    let receiver = Rc::new(RefCell::new(Receiver::new(random.fork(), mood)));
    let books = Rc::clone(&receiver);
    let mut whim = random.fork();
    let answer = move |server: &mut Channel<Server>| {
        if let Some(event) = server.event()
            && !whim.one_in(8)
        {
            books.borrow_mut().answer(event);
        }
    };
    let server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    let mut rig = match is_tls {
        false => Rig::new(Channel::Clear(server), None, answer),
        true => {
            let secured = Box::new(Secured::implicit(server, server_end()));
            Rig::new(Channel::Tls(secured), Some(rustls_client()), answer)
        }
    };
    rig.shake_hands();
    attack(random, &mut rig, temper);
    // Time passes until the session is over, with nothing more said.
    let bound = seconds(3600 + 300 + 300 + 400 + 70);
    for _ in 0..100_000 {
        let deadline = rig.turn();
        if rig.is_closed() {
            break;
        }
        rig.now = deadline;
    }
    assert!(rig.is_closed(), "no end");
    // A client of this kind lets time pass in steps, and may miss a deadline by one.
    assert!(rig.now.elapsed() <= bound + seconds(400), "{:?}", rig.now);
    let receiver = receiver.borrow();
    receiver.is_over();
    // A client that does not hear 354 says commands where content is awaited.
    for stored in receiver.stored.iter().filter(|_| temper == Temper::Steady) {
        let content = &stored.content;
        let is_command = content.windows(6).any(|word| word == b"honest");
        assert!(!is_command, "a command has become content: {}", content.escape_ascii());
    }
    replies(&rig.heard, temper);
    if !is_lmtp {
        let heard = String::from_utf8_lossy(&rig.heard);
        for number in 1..=receiver.stored.len() {
            let count = heard.matches(&format!("stored as <{number}>")).count();
            let is_right = count == 1 || count == 0 && temper == Temper::Fickle;
            assert!(is_right, "{count} acknowledgements of {number}: {heard}");
        }
        let too_many = format!("stored as <{}>", receiver.stored.len() + 1);
        assert!(!heard.contains(&too_many), "an acknowledgement of nothing");
    }
}

fn attack(random: &mut Random, rig: &mut Rig<Server>, temper: Temper) {
    let mut segment = Vec::new();
    let (mut invitations, mut challenges) = (0, 0);
    for _ in 0..random.between(5, 50) {
        let count = |code: &[u8]| {
            rig.heard.split(|octet| *octet == b'\n').filter(|line| line.starts_with(code)).count()
        };
        // A client that hears little may have been invited, or challenged, long ago.
        if segment.is_empty() && count(b"354") > invitations {
            invitations = count(b"354");
            segment.extend(data(random));
        } else if segment.is_empty() && count(b"334") > challenges {
            challenges = count(b"334");
            segment.extend_from_slice(random.pick(&[b"*\r\n", b"x\r\n"]));
        }
        match random.below(10) {
            0 | 1 => segment.extend(chunk(random)),
            2 => segment.extend_from_slice(
                b"MAIL FROM:<honest@example.net>\r\nRCPT TO:<honest@example.org>\r\n",
            ),
            3 if random.one_in(4) => {
                segment.extend(vec![b'x'; random.below(20_000)]);
                segment.extend_from_slice(b"\r\n");
            }
            _ => segment.extend_from_slice(random.pick(&LINES)),
        }
        // What may follow these depends on the reply.
        let is_followed = !segment.ends_with(b"DATA\r\n") && !segment.ends_with(AUTH);
        if random.one_in(3) && is_followed {
            continue;
        }
        let segment = std::mem::take(&mut segment);
        let size = random.pick(&[1, 13, 100_000]);
        segment.chunks(size).for_each(|piece| rig.say(piece));
        if rig.is_closed() {
            return;
        }
        match random.below(60) {
            0 => rig.now = rig.now + seconds(random.below(400) as u64),
            1 => rig.session.machine_mut().shut_down(),
            2 => rig.session.machine_mut().close(),
            3 => rig.session.closed(Closed::Clean),
            4 if temper == Temper::Fickle => rig.session.closed(Closed::CutOff),
            5 if temper == Temper::Fickle => rig.session.unsendable(),
            6 if temper == Temper::Fickle => rig.reads(Reads::Only(random.below(100))),
            7 if temper == Temper::Fickle => {
                rig.reads(Reads::Trickle(1 + random.below(50), Duration::from_secs(1)));
            }
            _ => {}
        }
        rig.turn();
    }
}

/// Asserts that there are whole replies and nothing else, unless the client did not read on.
fn replies(mut heard: &[u8], temper: Temper) {
    while !heard.is_empty() {
        match Reply::parse(heard) {
            Ok(Some((_, octets))) => heard = &heard[octets..],
            Ok(None) if temper == Temper::Fickle => return,
            other => panic!("{other:?}: {}", heard.escape_ascii()),
        }
    }
}

#[test]
fn a_client_that_says_anything_is_survived() {
    simulate(6000, play);
}
