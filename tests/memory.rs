//! The memory of a session is bounded by its limits, whatever the peer pours into it.
//!
//! The peak of what a session has allocated at one time is measured, from its beginning to its end,
//! and compared with a sum of its limits. What the peer says and what is configured was allocated
//! before and does not count.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

use allocation_counter::measure;
use esmtp::{
    client::{self, Client, MessageFacts},
    envelope::Envelope,
    machine::{Closed, Machine, Need},
    sasl::{Attempt, Mechanism, Nonce, Offer, Question, Secret},
    security::Security,
    server::{self, Peer, Server, Timeouts},
    service::Service,
    syntax::{AttributeName, Extension, Extensions},
    time::Instant,
    wire::BareLineBreaks,
};
use std::{sync::Arc, time::Duration};

/// The memory that a session needs besides: the lists of extensions, the question at hand, one reply more than fits.
const SLACK: usize = 16 * 1024;
/// The memory of a recipient besides the text of its path and its parameters.
const RECIPIENT: usize = 128;
/// A line of AUTH, CRLF included (RFC 4954 section 4).
const AUTH_LINE: usize = 12_288;

/// Returns the memory of a vector that grows: it stands, twice as large, beside the octets that it held before.
const fn grown(octets: usize) -> usize {
    octets.saturating_mul(3)
}

/// Returns the memory of a receive buffer that grows: it stands beside the one before it, which is half as large.
const fn received(octets: usize) -> usize {
    octets / 2 * 3
}

/// The octets of a peer, piece by piece; no read goes beyond the end of a piece.
struct Flood {
    first: Vec<Vec<u8>>,
    /// After the first ones, without end.
    again: Vec<u8>,
    /// The number of octets in all.
    octets: usize,
}

impl Flood {
    /// Creates a flood of `first` and then `again`, in pieces that fill every buffer.
    fn of(first: &str, again: impl AsRef<[u8]>, octets: usize) -> Self {
        let again = again.as_ref();
        let again = again.repeat((256 * 1024 / again.len()).max(1));
        let pieces = if first.is_empty() { vec![] } else { vec![first.into()] };
        Self { first: pieces, again, octets: octets + first.len() }
    }

    /// Creates a flood of which a piece comes whenever one is awaited.
    fn of_replies(first: &[&str], again: impl Into<Vec<u8>>, octets: usize) -> Self {
        let before: usize = first.iter().map(|piece| piece.len()).sum();
        let first = first.iter().map(|piece| (*piece).into()).collect();
        Self { first, again: again.into(), octets: octets + before }
    }
}

/// The position in a flood that was read.
struct Tap<'f> {
    flood: &'f Flood,
    piece: usize,
    at: usize,
    taken: usize,
}

impl<'f> Tap<'f> {
    const fn new(flood: &'f Flood) -> Self {
        Self { flood, piece: 0, at: 0, taken: 0 }
    }

    /// Returns whether all that is sent only once was sent.
    fn is_flooding(&self) -> bool {
        self.piece > self.flood.first.len() || self.piece == self.flood.first.len() && self.at > 0
    }

    /// Returns the number of octets that were put in front of `room`; 0 when there are no more.
    fn fill(&mut self, room: &mut [u8]) -> usize {
        assert!(!room.is_empty(), "asked to read into a full buffer");
        let piece = self.flood.first.get(self.piece).unwrap_or(&self.flood.again);
        let rest = &piece[self.at..];
        let octets = rest.len().min(room.len()).min(self.flood.octets - self.taken);
        room[..octets].copy_from_slice(&rest[..octets]);
        self.at += octets;
        self.taken += octets;
        if self.at == piece.len() {
            (self.piece, self.at) = (self.piece + 1, 0);
        }
        octets
    }
}

/// The way in which a peer takes what is sent to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    All,
    /// One octet for each time that it speaks.
    Drips,
    /// Nothing, from the first octet on that is said for ever.
    Nothing,
}

/// The outcome of a session.
#[derive(Debug)]
struct Outcome {
    /// The most octets that were allocated at one time.
    peak: usize,
    /// Octets of the flood that were read.
    taken: usize,
    /// The need of the machine when the flood was over, or no longer read.
    need: Need,
}

/// Drives a machine, made inside the measure, through a flood.
fn drive<M: Machine>(
    make: impl FnOnce() -> M,
    flood: &Flood,
    takes: Takes,
    mut answer: impl FnMut(M::Event<'_>),
) -> Outcome {
    let (mut make, mut last) = (Some(make), None);
    let mut tap = Tap::new(flood);
    let info = measure(|| {
        let mut machine = make.take().unwrap()();
        let mut now = Instant::ORIGIN;
        let need = loop {
            let need = machine.poll(now);
            let takes = if tap.is_flooding() { takes } else { Takes::All };
            match need {
                Need::Answer => machine.event().into_iter().for_each(&mut answer),
                Need::Wait(until) => now = until,
                Need::Close => break need,
                Need::Write(_) if takes == Takes::Nothing => break need,
                Need::Write(_) | Need::Either(_) if takes == Takes::All => machine.sent(usize::MAX),
                Need::Write(_) => machine.sent(1),
                Need::Read(_) | Need::Either(_) => {
                    let octets = tap.fill(machine.receive_buffer());
                    if octets == 0 {
                        break need;
                    }
                    machine.received(octets);
                    if takes == Takes::Drips {
                        machine.sent(1);
                    }
                }
            }
        };
        last = Some(need);
        machine.closed(Closed::CutOff);
    });
    let peak = usize::try_from(info.bytes_max).unwrap();
    Outcome { peak, taken: tap.taken, need: last.unwrap() }
}

// --------------------------------------------------------------------------------- the server

/// The limits of a server that are of memory.
#[derive(Clone, Copy, Debug)]
struct Room {
    receive: usize,
    send: usize,
    envelope: usize,
    recipients: usize,
}

/// The room of a server by default.
const DEFAULT: Room =
    Room { receive: 64 * 1024, send: 64 * 1024, envelope: 512 * 1024, recipients: 1000 };
const SMALL: Room =
    Room { receive: AUTH_LINE, send: 4 * 1024, envelope: 8 * 1024, recipients: 100 };

/// Every bound is held for both: it follows the limits.
const ROOMS: [Room; 2] = [DEFAULT, SMALL];

impl Room {
    fn limits(self) -> server::Limits {
        server::Limits::default()
            .with_receive_buffer(self.receive)
            .with_send_buffer(self.send)
            .with_envelope(self.envelope)
            .with_recipients(self.recipients)
            // The flood goes on.
            .with_errors(u32::MAX)
            .with_idle_commands(u32::MAX)
            .with_auth_failures(u32::MAX)
    }

    fn config(self) -> server::Config {
        let extensions = Extensions::NONE
            .with_xclient(&[AttributeName::Name, AttributeName::Addr])
            .with_xforward(&[AttributeName::Name, AttributeName::Helo, AttributeName::Ident]);
        let all = server::Config::implemented()
            .filter(|one| !matches!(one, Extension::Xclient | Extension::Xforward))
            .fold(extensions, Extensions::with);
        server::Config::new("mx.example.org")
            .unwrap()
            .with_enforced_sync(false)
            .with_extensions(all)
            .with_limits(self.limits())
            .with_auth(offer())
            .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO))
    }

    /// Returns the bound of a session whose replies are taken and that has no envelope.
    const fn reading(self) -> usize {
        received(self.receive) + SLACK
    }

    /// Returns the bound of a session with replies that wait.
    const fn writing(self) -> usize {
        self.reading() + grown(self.send)
    }

    /// Returns the bound of a session with replies that wait, and an envelope.
    const fn addressing(self) -> usize {
        self.writing() + grown(self.envelope) + grown(self.recipients * RECIPIENT)
    }
}

fn offer() -> Offer {
    Offer::new([Mechanism::PLAIN, Mechanism::LOGIN]).with_secrets_in_clear()
}

/// Accepts whatever can be accepted but credentials, and takes content without keeping it.
fn accept(event: server::Event<'_>) {
    match event {
        server::Event::Auth(auth) => {
            let channel = Security::CLEAR.channel();
            let nonce = Nonce::new([1; 18]);
            let attempt = Attempt { channel: &channel, proven: None, nonce, unix_seconds: 0 };
            let verifier = offer().verifier(auth.mechanism(), attempt);
            auth.verify(verifier.unwrap());
        }
        server::Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) => question.reject(),
            other => other.reject(),
        },
        server::Event::Rcpt(rcpt) => rcpt.accept(),
        server::Event::Content(content) => drop(content.take()),
        server::Event::Deliver(delivery) => delivery.accept(),
        server::Event::Xclient(xclient) => xclient.accept(),
        server::Event::Xforward(xforward) => xforward.accept(),
        other => other.proceed(),
    }
}

/// Refuses recipients too.
fn proceed(event: server::Event<'_>) {
    event.proceed();
}

/// Refuses content, and what else it can.
fn refuse(event: server::Event<'_>) {
    match event {
        server::Event::Rcpt(rcpt) => rcpt.accept(),
        other => other.proceed(),
    }
}

#[track_caller]
fn served(
    config: server::Config,
    flood: &Flood,
    takes: Takes,
    answer: fn(server::Event<'_>),
    bound: usize,
) -> Outcome {
    let config = Arc::new(config);
    let make = || Server::new(Arc::clone(&config), Peer::UNKNOWN, Security::CLEAR);
    let outcome = drive(make, flood, takes, answer);
    assert!(outcome.peak <= bound, "{outcome:?}, the bound is {bound}");
    outcome
}

const HELLO: &str = "EHLO client.example\r\n";
const TO_BOB: &str = "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<b@c.example>\r\n";
const MEBIBYTE: usize = 1024 * 1024;
/// Many times what any buffer holds.
const MUCH: usize = 512 * 1024;

#[test]
fn a_line_without_an_end_is_not_kept() {
    for room in ROOMS {
        for first in ["", HELLO, TO_BOB, "EHLO a.example\r\nAUTH PLAIN\r\n"] {
            for again in ["x", "\r", "\n", "x\n", "AUTH PLAIN ", "RCPT TO:<"] {
                let flood = Flood::of(first, again, MEBIBYTE);
                let outcome = served(room.config(), &flood, Takes::All, accept, room.reading());
                assert_eq!(outcome.taken, flood.octets, "{again:?}: {outcome:?}");
            }
        }
    }
}

/// 3030-2-r: octets that are no commands.
#[test]
fn lines_of_any_length_and_octets_are_not_kept() {
    let line = |octets: usize| [&b"x".repeat(octets)[..], b"\r\n"].concat();
    let mut state = 1_u32;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(MEBIBYTE)
    .collect();
    for room in ROOMS {
        for (again, octets) in [
            (&line(MEBIBYTE), MEBIBYTE + MUCH),
            (&random, MEBIBYTE),
            (&line(2046), MUCH),
            (&line(2047), MUCH),
            (&line(1), MUCH / 4),
            (&line(0), MUCH / 4),
        ] {
            for first in ["", HELLO, TO_BOB] {
                let flood = Flood::of(first, again, octets);
                let outcome = served(room.config(), &flood, Takes::All, accept, room.writing());
                assert_eq!(outcome.taken, flood.octets, "{outcome:?}");
            }
        }
    }
}

const COMMANDS: &[&str] = &[
    "NOOP\r\n",
    "HELP\r\n",
    "RSET\r\n",
    "EHLO client.example\r\n",
    "HELO client.example\r\n",
    "MAIL FROM:<a@b.example>\r\nRSET\r\n",
    "MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\nRSET\r\n",
    "RCPT TO:<a@b.example>\r\n",
    "VRFY bob\r\n",
    "EXPN staff\r\n",
    "ETRN b.example\r\n",
    "AUTH XYZZY\r\n",
    "AUTH PLAIN AHUAcA==\r\n",
    "AUTH LOGIN\r\n*\r\n",
    "XYZZY\r\n",
    "\r\n",
    "BDAT 0\r\n",
    "BDAT 1 LAST\r\nx",
    "MAIL FROM:<a@b.example>\r\nRCPT TO:<b@c.example>\r\nDATA\r\nx\r\n.\r\n",
    "MAIL FROM:<a@b.example>\r\nRCPT TO:<b@c.example>\r\nBDAT 1 LAST\r\nx",
    "XFORWARD NAME=a.example\r\n",
    "XCLIENT NAME=a.example\r\nEHLO client.example\r\n",
];

/// A machine that has this many replies to send asks for no more octets.
#[test]
fn replies_that_are_not_read_stop_the_reading() {
    for room in ROOMS {
        for again in COMMANDS {
            let flood = Flood::of(HELLO, again, 16 * MEBIBYTE);
            let outcome = served(room.config(), &flood, Takes::Nothing, accept, room.writing());
            let is_stopped = matches!(outcome.need, Need::Write(_) | Need::Close);
            assert!(is_stopped, "still reads: {again:?} {outcome:?}");
            // Each command had a reply, and none is as short as a quarter of its command.
            assert!(outcome.taken <= 4 * room.send + 2 * room.receive, "{again:?} {outcome:?}");
        }
    }
}

#[test]
fn replies_that_are_taken_by_the_octet_take_no_more_memory() {
    for room in ROOMS {
        for again in COMMANDS {
            let flood = Flood::of(HELLO, again, MUCH / 8);
            // What was sent stays in front of what waits until it is as much.
            let bound = room.reading() + grown(2 * room.send);
            served(room.config(), &flood, Takes::Drips, accept, bound);
        }
    }
}

#[test]
fn replies_that_are_taken_take_no_more_memory() {
    for room in ROOMS {
        for again in COMMANDS {
            let flood = Flood::of(HELLO, again, MUCH / 4);
            served(room.config(), &flood, Takes::All, accept, room.writing());
        }
    }
}

#[test]
fn an_envelope_grows_to_its_limits() {
    let label = "d".repeat(60);
    let longest = format!("RCPT TO:<{}@{label}.{label}.{label}>\r\n", "l".repeat(64));
    let dsn = format!("RCPT TO:<b@c.example> ORCPT=rfc822;{}\r\n", "o".repeat(480));
    let (short, shortest) = ("RCPT TO:<b@c>\r\n", "RCPT TO:<Postmaster>\r\n");
    let first = "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n";
    let many = Room { recipients: 20_000, ..DEFAULT };
    for (room, rcpt, count) in [
        (DEFAULT, &*longest, 20_000),
        (DEFAULT, &dsn, 2000),
        (SMALL, &longest, 2000),
        (SMALL, short, 2000),
        (many, &dsn, 20_000),
        (many, short, 5000),
        (many, shortest, 20_000),
    ] {
        let flood = Flood::of(first, rcpt, count * rcpt.len());
        let outcome = served(room.config(), &flood, Takes::All, accept, room.addressing());
        assert_eq!(outcome.taken, flood.octets, "{outcome:?}");
        let flood = Flood::of(first, rcpt, 2000 * rcpt.len());
        let outcome = served(room.config(), &flood, Takes::All, proceed, room.writing());
        assert_eq!(outcome.taken, flood.octets, "{outcome:?}");
    }
}

#[test]
fn one_transaction_after_the_other_reuses_the_memory_of_the_first() {
    let rcpt = "RCPT TO:<somebody.with.a.name@some.host.example>\r\n".repeat(100);
    for room in ROOMS {
        for end in ["RSET\r\n", "DATA\r\nx\r\n.\r\n", "EHLO client.example\r\n"] {
            let again = format!("MAIL FROM:<a@b.example>\r\n{rcpt}{end}");
            let flood = Flood::of(HELLO, again, MUCH);
            served(room.config(), &flood, Takes::All, accept, room.addressing());
        }
    }
}

#[test]
fn content_is_not_kept_however_it_is_taken() {
    let data = format!("{TO_BOB}DATA\r\n");
    for room in ROOMS {
        for policy in [BareLineBreaks::Reject, BareLineBreaks::Normalise, BareLineBreaks::Keep] {
            let config = room.config().with_bare_line_breaks(policy);
            for again in ["a line\r\n", "..\r\n", "\r\n", "x", "\n", "\r", "\r\n.\r", "\0"] {
                for answer in [accept, refuse] {
                    let flood = Flood::of(&data, again, MUCH / 4);
                    served(config.clone(), &flood, Takes::All, answer, room.reading());
                    // More than may come.
                    let config = config.clone().with_limits(room.limits().with_message(100_000));
                    served(config, &flood, Takes::All, answer, room.reading());
                }
            }
        }
        let by_the_octet: fn(server::Event<'_>) = |event| match event {
            server::Event::Content(content) => content.consume(1),
            other => accept(other),
        };
        // What is taken lives until it is dropped, beside a new buffer.
        let shared: fn(server::Event<'_>) = |event| match event {
            server::Event::Content(content) => drop(content.take_bytes()),
            other => accept(other),
        };
        for again in ["a line\r\n", "..\r\n", "x"] {
            let flood = Flood::of(&data, again, MUCH / 2);
            let outcome = served(room.config(), &flood, Takes::All, by_the_octet, room.reading());
            assert_eq!(outcome.taken, flood.octets);
        }
        let flood = Flood::of(&data, "0123456789 0123456789 0123456789\r\n", 8 * MEBIBYTE);
        for answer in [accept, shared, refuse] {
            let bound = room.reading() + room.receive;
            let outcome = served(room.config(), &flood, Takes::All, answer, bound);
            assert_eq!(outcome.taken, flood.octets);
        }
    }
}

/// The size that a chunk declares reserves no memory.
#[test]
fn the_size_of_a_chunk_reserves_nothing() {
    for room in ROOMS {
        for size in ["18446744073709551615", "9223372036854775807", "33554432"] {
            for first in [HELLO, TO_BOB] {
                for answer in [accept, refuse, proceed] {
                    for again in ["a line\r\n", "x", "\n", "BDAT 1\r\n"] {
                        let flood = Flood::of(&format!("{first}BDAT {size}\r\n"), again, MUCH / 4);
                        let outcome =
                            served(room.config(), &flood, Takes::All, answer, room.reading());
                        assert_eq!(outcome.taken, flood.octets, "{outcome:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn chunks_that_are_refused_are_not_kept() {
    let no_data: fn(server::Event<'_>) = |event| match event {
        server::Event::Data(data) => data.reject(esmtp::syntax::Rejection::LOCAL_ERROR),
        other => accept(other),
    };
    let chunk = format!("BDAT 1000\r\n{}", "x".repeat(1000));
    for room in ROOMS {
        for first in ["", HELLO, TO_BOB] {
            for again in [&chunk, "BDAT 0\r\n", "BDAT 1\r\nxBDAT 2 LAST\r\nxy"] {
                for answer in [accept, refuse, no_data] {
                    for takes in [Takes::All, Takes::Nothing] {
                        let flood = Flood::of(first, again, MUCH / 2);
                        served(room.config(), &flood, takes, answer, room.writing());
                    }
                }
            }
        }
    }
}

#[test]
fn exchanges_of_auth_hold_a_line_at_a_time() {
    // The line, what it says, and that in the hands of the mechanism.
    let line = "QUFB".repeat((AUTH_LINE - 2) / 4);
    let plain = format!("AHUA{}", "QUFB".repeat((AUTH_LINE - 6) / 4));
    for room in ROOMS {
        let limits = room.limits().with_command_line(AUTH_LINE);
        let room = Room { receive: room.receive.max(2 * AUTH_LINE), ..room };
        let config = room.config().with_limits(limits.with_receive_buffer(room.receive));
        for again in [
            format!("AUTH PLAIN\r\n{plain}\r\n"),
            format!("AUTH PLAIN\r\n{line}\r\n"),
            format!("AUTH PLAIN {}\r\n", &plain[..12_000]),
            format!("AUTH LOGIN\r\n{line}\r\n{line}\r\n"),
            format!("AUTH LOGIN {}\r\n{line}\r\n", &line[..12_000]),
            format!("AUTH LOGIN\r\n{line}\r\n*\r\n"),
            format!("AUTH LOGIN\r\n{line}AAAA\r\n"),
            format!("AUTH LOGIN\r\n{}\r\n", "A".repeat(MUCH / 2)),
        ] {
            let flood = Flood::of(HELLO, &again, MUCH);
            let bound = room.reading() + 4 * AUTH_LINE;
            let outcome = served(config.clone(), &flood, Takes::All, accept, bound);
            assert_eq!(outcome.taken, flood.octets, "{outcome:?}");
        }
    }
}

#[test]
fn attributes_of_a_trusted_client_are_kept_once() {
    let (name, helo) = ("n".repeat(250), "h".repeat(250));
    let xforward = format!("XFORWARD NAME={name} HELO={helo} IDENT={}\r\n", "i".repeat(250));
    let xclient =
        format!("XCLIENT NAME={}.example ADDR=192.0.2.1 LOGIN={name}\r\n", "n".repeat(60));
    for room in ROOMS {
        for again in [&xforward, "XFORWARD NAME=x IDENT=y\r\n", &format!("{xclient}{HELLO}")] {
            let flood = Flood::of(HELLO, again, MUCH);
            let outcome = served(room.config(), &flood, Takes::All, accept, room.writing());
            assert_eq!(outcome.taken, flood.octets, "{outcome:?}");
        }
    }
}

// --------------------------------------------------------------------------------- the client

/// Returns the limits of a client, and of which each holds its bound.
fn bounds() -> [client::Limits; 2] {
    let small = client::Limits::default()
        .with_reply_line(2048)
        .with_reply_octets(8 * 1024)
        .with_reply_lines(64)
        .with_report_octets(16 * 1024);
    [client::Limits::default(), small]
}

/// Returns the memory of what was received, and of the replies that are kept: the greeting, the last one, the one that is being
/// read, and what EHLO offered.
const fn listening(limits: &client::Limits) -> usize {
    received(limits.reply_octets() + limits.reply_line()) + 5 * limits.reply_octets() + SLACK
}

#[track_caller]
fn listened(
    limits: &client::Limits,
    flood: &Flood,
    bound: usize,
    answer: impl FnMut(client::Event<'_>),
) -> Outcome {
    let config = client::Config::new("me.example.org").unwrap().with_limits(limits.clone());
    let config = Arc::new(config);
    let make = || Client::new(Arc::clone(&config), Security::TLS);
    let outcome = drive(make, flood, Takes::All, answer);
    assert!(outcome.peak <= bound, "{outcome:?}, the bound is {bound}");
    outcome
}

const GREETING: &str = "220 mx.example.net\r\n";
const OFFERS: &str = "250-mx.example.net\r\n250-PIPELINING\r\n250 AUTH X-OWN\r\n";

fn waits(event: client::Event<'_>) {
    match event {
        client::Event::Ready(ready) => ready.wait(),
        other => other.quit(),
    }
}

/// 5321-4.5.3.1.5-b
#[test]
fn a_reply_without_an_end_ends_the_session() {
    for limits in bounds() {
        // As long as lines may be, so that there are many octets before there are too many lines.
        let long = |code: &str| format!("{code}-{}\r\n", "x".repeat(limits.reply_line() - 6));
        let (greeting, hello) = (long("220"), long("250"));
        for first in [&[][..], &[GREETING], &[GREETING, OFFERS]] {
            for again in [
                "2",
                "220 ",
                "220-x\r\n",
                "250-x\r\n",
                "250-SIZE 1\r\n",
                &greeting,
                &hello,
                "x",
                "\r",
                "\n",
                "\0",
            ] {
                let again = again.repeat(256 * 1024 / again.len());
                let flood = Flood::of_replies(first, again, 4 * MEBIBYTE);
                let outcome = listened(&limits, &flood, listening(&limits), waits);
                assert_eq!(outcome.need, Need::Close, "{outcome:?}");
            }
        }
    }
}

#[test]
fn a_list_of_extensions_beyond_the_limits_ends_the_session() {
    for limits in bounds() {
        let lines = |count: usize, line: &str| {
            let lines: String = (0..count).map(|index| format!("250-X{index}{line}\r\n")).collect();
            format!("{lines}250 HELP\r\n")
        };
        let flood = Flood::of_replies(&[GREETING, &lines(10_000, "")], "250 x\r\n", 4 * MEBIBYTE);
        let outcome = listened(&limits, &flood, listening(&limits), waits);
        assert_eq!(outcome.need, Need::Close, "{outcome:?}");
        // As large as may be.
        let long = " y".repeat(limits.reply_octets() / limits.reply_lines() / 2 - 8);
        for line in ["", &long, " =", " SIZE"] {
            let list = lines(limits.reply_lines() - 1, line);
            let flood = Flood::of_replies(&[GREETING, &list], "421 x\r\n", 100);
            listened(&limits, &flood, listening(&limits), waits);
        }
    }
}

#[test]
fn unsolicited_replies_end_the_session() {
    for limits in bounds() {
        for again in ["250 ok\r\n", "354 go\r\n", "421 bye\r\n", "550 no\r\n", "334 QUFB\r\n"] {
            let again = again.repeat(20_000);
            for first in [&[][..], &[GREETING], &[GREETING, OFFERS]] {
                let flood = Flood::of_replies(first, again.clone(), 4 * MEBIBYTE);
                let outcome = listened(&limits, &flood, listening(&limits), waits);
                assert_eq!(outcome.need, Need::Close, "{outcome:?}");
            }
        }
    }
}

/// 5321-4.5.3.1.5-b
#[test]
fn replies_as_long_as_may_be_are_not_kept_beyond_the_last() {
    for limits in bounds() {
        let line = format!("250-{}\r\n", "x".repeat(limits.reply_line() / 2));
        let long = line.repeat(limits.reply_octets() / line.len() - 1) + "250 ok\r\n";
        let greeting = long.replace("250", "220");
        for (again, taken) in [(long.clone(), "250"), (long.replace("250", "550"), "550")] {
            let flood = Flood::of_replies(&[&greeting, &long], again, 4 * MEBIBYTE);
            let outcome = listened(&limits, &flood, listening(&limits), |event| match event {
                client::Event::Ready(ready) => ready.noop(),
                client::Event::Refused(refused) => refused.go_on(),
                other => other.quit(),
            });
            assert_eq!(outcome.taken, flood.octets, "{taken}: {outcome:?}");
        }
    }
}

#[test]
fn challenges_without_end_are_not_kept() {
    let challenge = format!("334 {}\r\n", "QUFB".repeat((AUTH_LINE - 6) / 4));
    for limits in bounds() {
        for challenge in [&*challenge, "334 \r\n", "334 QUFB\r\n"] {
            // Challenges only; and attempt after attempt.
            let tries = challenge.repeat(4) + "535 no\r\n";
            for (again, is_endless) in [(challenge.to_owned(), false), (tries, true)] {
                let flood = if is_endless {
                    let mut pieces = vec![GREETING, OFFERS];
                    for _ in 0..50 {
                        pieces.extend([challenge; 4]);
                        pieces.push("535 no\r\n");
                    }
                    Flood::of_replies(&pieces, again, 0)
                } else {
                    Flood::of_replies(&[GREETING, OFFERS], again, 4 * MEBIBYTE)
                };
                let bound = listening(&limits) + 8 * AUTH_LINE;
                let outcome = listened(&limits, &flood, bound, |event| match event {
                    client::Event::Ready(ready) => {
                        let mechanism = Mechanism::new("X-OWN").unwrap();
                        ready.authenticate_by_steps(mechanism, Some(Secret::from("x"))).unwrap();
                    }
                    client::Event::Challenge(challenge) => challenge.respond("something"),
                    client::Event::Refused(refused) => refused.go_on(),
                    other => other.quit(),
                });
                assert!(is_endless || outcome.taken < 16 * AUTH_LINE, "{outcome:?}");
            }
        }
    }
}

#[test]
fn a_report_grows_to_its_limit() {
    const RECIPIENTS: usize = 5000;
    let envelope = Arc::new(Envelope::new("a@b.example", &["b@c.example"; RECIPIENTS]).unwrap());
    for limits in bounds() {
        let long = format!("550 {}\r\n", "x".repeat(limits.reply_line() - 6));
        for again in [&*long, "550 no\r\n", "250 ok\r\n", "451 later\r\n"] {
            let flood = Flood::of_replies(&[GREETING, OFFERS, "250 ok\r\n"], again, 16 * MEBIBYTE);
            let bound = listening(&limits)
                + limits.report_octets()
                + RECIPIENTS * 512
                + grown(RECIPIENTS * RECIPIENT);
            let mut is_sent = false;
            listened(&limits, &flood, bound, |event| match event {
                client::Event::Ready(ready) if !is_sent => {
                    ready.send(Arc::clone(&envelope), MessageFacts::UNKNOWN).unwrap();
                    is_sent = true;
                }
                client::Event::Sent(sent) => drop(sent.take()),
                client::Event::Content(content) => content.abort(),
                other => other.quit(),
            });
        }
    }
}

/// Feeds `lines` to a server, and answers and writes until it wants more of them.
fn exchange(server: &mut Server, lines: &[u8]) {
    assert_eq!(server.feed(lines), lines.len());
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => match server.event() {
                Some(server::Event::Deliver(mut delivery)) => {
                    if let Some(mut each) = delivery.per_recipient() {
                        each.settle(1, Ok(()));
                    }
                    delivery.accept();
                }
                event => event.into_iter().for_each(accept),
            },
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]];
                server.to_send(&mut slices);
                let octets = slices[0].len();
                server.sent(octets);
            }
            _ => break,
        }
    }
}

/// The questions, their slots, the envelope, the verdicts and the replies reuse what the first message
/// has allocated.
#[test]
fn a_further_message_allocates_nothing() {
    for service in [Service::Smtp, Service::Lmtp] {
        let hello = match service == Service::Lmtp {
            true => "LHLO me.example.org\r\n",
            false => "EHLO me.example.org\r\n",
        };
        let config = server::Config::new("mx.example.org").unwrap().with_service(service);
        let mut server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
        exchange(&mut server, b"");
        exchange(&mut server, hello.as_bytes());
        for (end, command) in
            ["DATA\r\n", "BDAT 6\r\n", "DATA\r\n", "BDAT 6\r\n"].into_iter().enumerate()
        {
            let info = measure(|| {
                exchange(&mut server, b"MAIL FROM:<ann@example.org>\r\n");
                exchange(
                    &mut server,
                    b"RCPT TO:<bob@example.net>\r\nRCPT TO:<eve@example.net>\r\n",
                );
                exchange(&mut server, command.as_bytes());
                exchange(&mut server, b"line\r\n");
                let last: &[u8] =
                    if command.starts_with('D') { b".\r\n" } else { b"BDAT 0 LAST\r\n" };
                exchange(&mut server, last);
            });
            assert_eq!(server.totals().messages(), end as u64 + 1);
            match end {
                0 => assert!(info.count_total > 0),
                1 => {}
                _ => assert_eq!(info.count_total, 0, "{service:?} {command}: {info:?}"),
            }
        }
    }
}

/// A driver that lends its memory while octets are there, and takes it back at each wait: between the
/// commands of a transaction the session keeps the buffer of its replies.
#[test]
fn a_command_of_a_transaction_allocates_no_buffer() {
    let config = server::Config::new("mx.example.org").unwrap();
    let mut server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    let mut memory = Some(bytes::BytesMut::zeroed(server.receive_buffer().len()));
    server.release();
    let mut say = |line: &[u8]| {
        assert!(server.lend_buffer(memory.take().unwrap()).is_none());
        exchange(&mut server, line);
        memory = server.reclaim_buffer();
        assert!(memory.is_some());
    };
    say(b"");
    say(b"EHLO me.example.org\r\n");
    for _ in 0..2 {
        say(b"MAIL FROM:<ann@example.org>\r\n");
        let info = measure(|| {
            for line in [&b"RCPT TO:<bob@example.net>\r\n"[..], b"DATA\r\n", b"line\r\n", b".\r\n"]
            {
                say(line);
            }
        });
        assert_eq!(info.count_total, 0, "{info:?}");
    }
}

/// The receive buffer, the send buffer and its text, the question of the hello and its name, the state of a session
/// at work, that of its transaction, and the text of the envelope.
#[test]
fn a_session_of_one_message_takes_eight_allocations() {
    let config = Arc::new(server::Config::new("mx.example.org").unwrap());
    let info = measure(|| {
        let mut server = Server::new(Arc::clone(&config), Peer::UNKNOWN, Security::CLEAR);
        for lines in [
            &b""[..],
            b"EHLO me.example.org\r\n",
            b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n",
            b"line\r\n.\r\n",
            b"QUIT\r\n",
        ] {
            exchange(&mut server, lines);
        }
        assert_eq!(server.totals().messages(), 1);
    });
    assert_eq!(info.count_total, 8, "{info:?}");
}

/// Returns the octets of a machine and of its memory, once `open` has brought it to the state to measure.
fn footprint<M: Machine>(make: impl FnOnce() -> M, open: impl FnOnce(&mut M)) -> usize {
    let mut held = None;
    let (mut make, mut open) = (Some(make), Some(open));
    let info = measure(|| {
        let mut machine = make.take().unwrap()();
        open.take().unwrap()(&mut machine);
        machine.release();
        held = Some(machine);
    });
    assert!(held.is_some());
    size_of::<M>() + usize::try_from(info.bytes_current).unwrap()
}

/// A server has many idle sessions, and a pool of clients too.
#[test]
fn an_idle_session_is_small() {
    let config = Arc::new(server::Config::new("mx.example.org").unwrap());
    let server = footprint(
        || Server::new(Arc::clone(&config), Peer::UNKNOWN, Security::CLEAR),
        |server| {
            exchange(server, b"");
            exchange(server, b"EHLO client.example.com\r\n");
        },
    );
    println!("a server after EHLO: {} + {}", size_of::<Server>(), server - size_of::<Server>());
    assert!(server <= 370, "{server}");

    let config = Arc::new(client::Config::new("client.example.com").unwrap());
    let client = footprint(
        || Client::new(Arc::clone(&config), Security::CLEAR),
        |client| {
            let hello = "250-mx.example.org\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n\
                250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n";
            let mut replies = ["220 mx.example.org ESMTP\r\n", hello].into_iter();
            while client.poll(Instant::ORIGIN) != Need::Answer {
                client.sent(usize::MAX);
                replies.next().map(|reply| client.feed(reply.as_bytes()));
            }
            let Some(client::Event::Ready(ready)) = client.event() else { panic!() };
            ready.wait();
            assert!(matches!(client.poll(Instant::ORIGIN), Need::Read(Instant::NEVER)));
        },
    );
    println!("a client after EHLO: {} + {}", size_of::<Client>(), client - size_of::<Client>());
    assert!(client <= 378, "{client}");
}

/// `cargo test --test memory a_million -- --nocapture` prints the sum.
#[test]
fn a_million_idle_sessions_take_420_mib_at_most() {
    const SESSIONS: usize = 1_000_000;
    let config = Arc::new(server::Config::new("mx.example.org").unwrap());
    let mut sessions = Vec::new();
    let info = measure(|| {
        sessions.reserve_exact(SESSIONS);
        for _ in 0..SESSIONS {
            let mut server = Server::new(Arc::clone(&config), Peer::UNKNOWN, Security::CLEAR);
            exchange(&mut server, b"");
            exchange(&mut server, b"EHLO client.example.com\r\n");
            server.release();
            sessions.push(server);
        }
    });
    let mebibytes = usize::try_from(info.bytes_current).unwrap() / MEBIBYTE;
    println!("{} sessions after EHLO: {mebibytes} MiB", sessions.len());
    assert!(mebibytes <= 420, "{mebibytes}");
}

/// Sends `messages` messages of one envelope, by copy or shared, to a server that takes them all; returns the
/// allocations of each transaction.
fn allocations(extensions: &str, is_shared: bool, messages: usize) -> Vec<u64> {
    let config = client::Config::new("me.example.org").unwrap();
    let mut client = Client::new(config, Security::CLEAR);
    let envelope = Arc::new(Envelope::new("ann@example.org", ["bob@example.net"]).unwrap());
    let content = bytes::Bytes::from("Subject: x\r\n\r\n".to_owned() + &"line\r\n".repeat(600));
    let facts = MessageFacts::scan_bytes(&content);
    let mut state = (0, 0, bytes::Bytes::new());
    let mut counts = Vec::new();
    let hello = format!("250-mx\r\n{extensions}250 SIZE 1000000\r\n");
    let mut step = |client: &mut Client| match client.poll(Instant::ORIGIN) {
        Need::Answer => {
            match client.event().unwrap() {
                client::Event::Ready(ready) if state.0 < messages => {
                    state.0 += 1;
                    state.2 = content.clone();
                    ready.send(Arc::clone(&envelope), facts.clone()).unwrap();
                }
                client::Event::Content(mut writer) => {
                    if is_shared {
                        writer.write_bytes(&mut state.2).unwrap();
                    } else {
                        let octets = writer.write(&state.2).unwrap();
                        state.2 = state.2.slice(octets..);
                    }
                    if state.2.is_empty() {
                        writer.finish().unwrap();
                    }
                }
                client::Event::Sent(sent) => {
                    assert!(sent.take().is_delivered_to_all());
                    state.1 += 1;
                    return false;
                }
                other => other.quit(),
            }
            true
        }
        need => {
            let mut slices = [&[][..]; 16];
            let count = client.to_send(&mut slices);
            let octets: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            let has_ended = |end: &[u8]| slices[..count].iter().any(|slice| slice.ends_with(end));
            let reply: &[u8] = match () {
                () if slices[0].starts_with(b"EHLO") => hello.as_bytes(),
                () if slices[0].starts_with(b"MAIL") && has_ended(b"DATA\r\n") => {
                    b"250 ok\r\n250 ok\r\n354 go\r\n"
                }
                () if slices[0].starts_with(b"MAIL") => b"250 ok\r\n250 ok\r\n250 2.0.0 queued\r\n",
                () if has_ended(b"\r\n.\r\n") => b"250 2.0.0 queued\r\n",
                () if octets > 0 => b"",
                () => b"220 mx\r\n",
            };
            client.sent(octets);
            assert_eq!(client.feed(reply), reply.len());
            need != Need::Close
        }
    };
    for _ in 0..messages {
        let mut client = Some(&mut client);
        let info = measure(|| {
            let client = client.take().unwrap();
            while step(client) {}
        });
        counts.push(info.count_total);
    }
    counts
}

/// The plan, the envelope's state, the replies and the report reuse the memory of the transaction
/// before, once the application has dropped its report.
#[test]
fn a_further_transaction_of_the_same_recipients_allocates_nothing() {
    for extensions in ["250-PIPELINING\r\n", "250-PIPELINING\r\n250-CHUNKING\r\n"] {
        for is_shared in [false, true] {
            // In chunks a copy is given away with each of them.
            let expected = u64::from(!is_shared && extensions.contains("CHUNKING"));
            let counts = allocations(extensions, is_shared, 6);
            println!("{extensions:?} shared: {is_shared} {counts:?}");
            assert!(counts[0] > 0);
            assert!(counts[3..].iter().all(|count| *count <= expected), "{counts:?}");
        }
    }
}
