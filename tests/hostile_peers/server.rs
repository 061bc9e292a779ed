//! Hostile clients.

use super::{
    Attack, CLOSE_NOTIFY, Findings, KINDS, Kind, Named, Piece, burst,
    channel::{Channel, rustls_client, server_end},
    clock::Transfer,
    drip, in_each_kind, moves, repeat,
    rig::{Reads, Rig},
    seconds, silent, text, then,
};
use esmtp::{
    machine::Machine,
    sasl::{LoginVerifier, Mechanism, Offer, PlainVerifier, Question, Verifier},
    security::Security,
    server::{Config, Event, Facts, Limits, Peer, Server, Timeouts},
    syntax::{Extension, Rejection},
    time::Rate,
    tls::Secured,
};
use std::{cell::Cell, iter, rc::Rc, sync::Arc, time::Duration};

// The configuration of every test here: each number is another one, so that a wrong deadline shows.

const COMMAND: Duration = seconds(30);
const CONTENT: Duration = seconds(20);
const FLOOR: u32 = 500;
const WRITE: Duration = seconds(40);
const HANDSHAKE: Duration = seconds(50);
const SESSION: Duration = seconds(1000);
const MESSAGE: u64 = 16 * 1024 * 1024;
const DISCARD: Duration = seconds(70);
const CLOSING: Duration = seconds(2);
/// `Limits`: commands without progress, and errors.
const COMMANDS: usize = 100 + 20;

fn timeouts() -> Timeouts {
    Timeouts::default()
        .with_command(COMMAND)
        .with_content(CONTENT)
        .with_slowest_content(Rate::octets_per_second(FLOOR))
        .with_discard(DISCARD)
        .with_write(WRITE)
        .with_closing(CLOSING)
        .with_session(Some(SESSION))
}

fn config() -> Config {
    Config::new("mx.example.org")
        .unwrap()
        .with_extension(Extension::StartTls)
        .with_auth(Offer::new([Mechanism::PLAIN, Mechanism::LOGIN]).with_secrets_in_clear())
        .with_limits(Limits::default().with_message(MESSAGE))
        .with_timeouts(timeouts())
}

/// Returns a configuration for the transfers that may outlast the session's limit.
fn without_session_limit() -> Config {
    config().with_timeouts(timeouts().with_session(None))
}

/// Returns the time that the content of one message may take: the flat time, and each octet on the wire at the
/// floor. The wire has at most a third more than the message: the dot of a line that is a stuffed
/// dot.
fn transfer(message: u64) -> Duration {
    CONTENT + seconds(4 * message / 3 / u64::from(FLOOR) + 1)
}

/// Returns the time that a session may live, application time excluded: the handshake has its time, and then
/// the session's limit runs. A transfer that has begun by then may end. The replies that wait and
/// the last one have the time of a write each, and TLS that of a close_notify.
fn life(message: u64) -> Duration {
    HANDSHAKE + SESSION + transfer(message) + 2 * WRITE + CLOSE_NOTIFY
}

/// The events of a server, for the tests that look at more than time.
#[derive(Clone, Default)]
struct Seen {
    delivered: Rc<Cell<usize>>,
    credentials: Rc<Cell<usize>>,
}

/// Accepts all but what is called `refused` or `unwanted`.
fn answer(event: Event<'_>, seen: &Seen) {
    let count = |cell: &Cell<usize>| cell.set(cell.get() + 1);
    let is_for = |facts: &Facts, name: &str| {
        let transaction = facts.transaction();
        transaction.is_some_and(|it| it.reverse_path().to_string().contains(name))
    };
    match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Data(data) if is_for(data.facts(), "unwanted") => data.reject(Rejection::POLICY),
        Event::Content(content) if is_for(content.facts(), "refused") => {
            content.reject(Rejection::POLICY);
        }
        Event::Content(content) => drop(content.take_bytes()),
        Event::Deliver(delivery) => {
            count(&seen.delivered);
            delivery.accept();
        }
        Event::Auth(auth) => {
            let verifier: Box<dyn Verifier> = match auth.mechanism() {
                Mechanism::LOGIN => Box::new(LoginVerifier::new()),
                _ => Box::new(PlainVerifier::new()),
            };
            auth.verify(verifier);
        }
        Event::Credentials(asked) => {
            count(&seen.credentials);
            match asked.question {
                Question::Password(question) if question.user() == "outage" => {
                    question.unavailable();
                }
                other => other.reject(),
            }
        }
        other => other.proceed(),
    }
}

/// Creates a server that has received nothing yet.
fn new(kind: Kind, config: &Config) -> (Rig<Server>, Seen) {
    let server = Server::new(Arc::new(config.clone()), Peer::UNKNOWN, Security::CLEAR);
    let seen = Seen::default();
    let answering = seen.clone();
    let answer = move |session: &mut Channel<Server>| answer(session.event().unwrap(), &answering);
    let rig = match kind {
        Kind::Clear => Rig::new(Channel::Clear(server), None, answer),
        Kind::Tls => {
            let secured = Secured::implicit(server, server_end());
            let session = Channel::Tls(Box::new(secured.with_handshake_timeout(HANDSHAKE)));
            Rig::new(session, Some(rustls_client()), answer)
        }
    };
    (rig, seen)
}

/// Creates the server after this opening, of which each piece is answered before the next.
fn opened(kind: Kind, config: &Config, opening: &[&[u8]]) -> (Rig<Server>, Seen) {
    let (mut rig, seen) = new(kind, config);
    rig.shake_hands();
    opening.iter().for_each(|piece| rig.say(piece));
    (rig, seen)
}

// --------------------------------------------------------------------------- the phases

/// A point in a session, and the octets that brought it there.
#[derive(Clone, Copy)]
struct Phase {
    name: &'static str,
    opening: &'static [&'static [u8]],
}

const EHLO: &[u8] = b"EHLO client.example.net\r\n";
const MAIL: &[u8] = b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n";
const REFUSED: &[u8] = b"MAIL FROM:<refused@example.net>\r\nRCPT TO:<b@example.org>\r\n";
const UNWANTED: &[u8] = b"MAIL FROM:<unwanted@example.net>\r\nRCPT TO:<b@example.org>\r\n";

const fn phase(name: &'static str, opening: &'static [&'static [u8]]) -> Phase {
    Phase { name, opening }
}

/// A line of the client is awaited.
const LINES: [Phase; 7] = [
    phase("before EHLO", &[]),
    phase("after EHLO", &[EHLO]),
    phase("within a line", &[EHLO, b"NOOP aaaaaaaaaa"]),
    phase("after MAIL", &[EHLO, b"MAIL FROM:<a@example.net>\r\n"]),
    phase("after RCPT", &[EHLO, MAIL]),
    phase("in the dialogue of AUTH", &[EHLO, b"AUTH LOGIN\r\n"]),
    phase("after a message", &[EHLO, MAIL, b"DATA\r\n", b".\r\n"]),
];

/// Content is awaited.
const CONTENTS: [Phase; 3] = [
    phase("after DATA", &[EHLO, MAIL, b"DATA\r\n"]),
    phase("in a chunk", &[EHLO, MAIL, b"BDAT 9999999 LAST\r\n"]),
    phase("in the second chunk", &[EHLO, MAIL, b"BDAT 3\r\nabc", b"BDAT 9999999 LAST\r\n"]),
];

const BETWEEN: Phase = phase("between chunks", &[EHLO, MAIL, b"BDAT 3\r\nabc"]);

/// Content is refused, and discarded to its end.
const DISCARDS: [Phase; 6] = [
    phase("a bare LF after DATA", &[EHLO, MAIL, b"DATA\r\n", b"a\nb"]),
    phase("a bare LF in a chunk", &[EHLO, MAIL, b"BDAT 9999999 LAST\r\n", b"a\nb"]),
    phase("content rejected after DATA", &[EHLO, REFUSED, b"DATA\r\n", b"a"]),
    phase("content rejected in a chunk", &[EHLO, REFUSED, b"BDAT 9999999 LAST\r\n", b"a"]),
    phase("a chunk rejected", &[EHLO, UNWANTED, b"BDAT 9999999 LAST\r\n"]),
    phase("a chunk without a transaction", &[EHLO, b"BDAT 9999999 LAST\r\n"]),
];

fn all_phases() -> impl Iterator<Item = Phase> {
    LINES.into_iter().chain(CONTENTS).chain([BETWEEN]).chain(DISCARDS)
}

// ---------------------------------------------------------------------------- the peers

/// Clients that never finish a line.
const NO_LINE: [Named; 7] = [
    ("silent", silent),
    ("dripping 10 octets a second", || drip(b"a", 1, Duration::from_millis(100))),
    ("dripping each second", || drip(b"a", 1, seconds(1))),
    ("dripping each 19 s", || drip(b"a", 1, seconds(19))),
    ("dripping each 29 s", || drip(b"a", 1, seconds(29))),
    ("bursting, then silent", || Box::new(iter::once(Piece::line(Duration::ZERO, &[b'a'; 9999])))),
    ("bursting, then dripping", || {
        let burst = Piece::line(Duration::ZERO, &[b'a'; 9999]);
        Box::new(iter::once(burst).chain(drip(b"a", 1, seconds(29))))
    }),
];

/// Clients below the floor.
const SLOW: [Named; 9] = [
    ("silent", silent),
    ("dripping 10 octets a second", || drip(b"a", 1, Duration::from_millis(100))),
    ("dripping each second", || drip(b"a", 1, seconds(1))),
    ("dripping each 19 s", || drip(b"a", 1, seconds(19))),
    ("400 octets a second", || drip(b"a", 400, seconds(1))),
    ("10 KB at once, then silent", || burst(10_000)),
    ("1 MB at once, then silent", || burst(1_000_000)),
    ("1 MB at once, then dripping", || then(burst(1_000_000), drip(b"a", 1, seconds(19)))),
    ("5 KB each 19 s", || drip(b"a", 5000, seconds(19))),
];

/// Whole commands, again and again.
const COMMANDS_AT: [Named; 8] = [
    ("NOOP each second", || repeat(b"NOOP\r\n", seconds(1))),
    ("NOOP each 19 s", || repeat(b"NOOP\r\n", seconds(19))),
    ("NOOP each 29 s", || repeat(b"NOOP\r\n", seconds(29))),
    ("RSET each 29 s", || repeat(b"RSET\r\n", seconds(29))),
    ("EHLO each 29 s", || repeat(EHLO, seconds(29))),
    ("MAIL and RSET each 29 s", || repeat(b"MAIL FROM:<>\r\nRSET\r\n", seconds(29))),
    ("a message each 29 s", || {
        repeat(b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@a.example>\r\nBDAT 0 LAST\r\n", seconds(29))
    }),
    ("a new recipient each 29 s", || repeat(b"RCPT TO:<b@a.example>\r\n", seconds(29))),
];

// ---------------------------------------------------------------------------- the tests

/// A line has one deadline, however its octets come.
#[test]
fn a_line_is_not_awaited_longer_because_it_drips() {
    let mut findings = Findings::default();
    for (kind, phase) in in_each_kind(LINES) {
        for (name, attack) in NO_LINE {
            let (mut rig, _) = opened(kind, &config(), phase.opening);
            let peer = format!("{kind:?}, {}, {name}", phase.name);
            findings.exactly(&peer, rig.attack(attack(), SESSION), COMMAND);
        }
    }
    findings.done();
}

/// Commands are worth their deadline each, and nothing beyond the session's limit.
#[test]
fn commands_do_not_outlive_the_session_limit() {
    let mut findings = Findings::default();
    for (kind, phase) in in_each_kind(LINES) {
        for (name, attack) in COMMANDS_AT {
            let (mut rig, _) = opened(kind, &config(), phase.opening);
            let peer = format!("{kind:?}, {}, {name}", phase.name);
            findings.at_most(&peer, rig.attack(attack(), 2 * SESSION), SESSION);
        }
    }
    findings.done();
}

#[test]
fn content_has_one_deadline_which_is_never_further_off_than_its_flat_time() {
    let mut findings = Findings::default();
    for (kind, phase) in in_each_kind(CONTENTS) {
        for (name, attack) in SLOW {
            let (mut rig, _) = opened(kind, &without_session_limit(), phase.opening);
            let peer = format!("{kind:?}, {}, {name}", phase.name);
            let expected = Transfer::life(CONTENT, FLOOR, moves(attack()));
            findings.exactly(&peer, rig.attack(attack(), 10 * SESSION), expected);
        }
    }
    findings.done();
}

/// A peer that is hardly below the floor has used its flat time up after 10,000 seconds.
#[test]
fn a_client_hardly_below_the_floor_comes_to_its_end() {
    let mut findings = Findings::default();
    for kind in KINDS {
        let attack = || drip(b"a", 499, seconds(1));
        let (mut rig, _) = opened(kind, &without_session_limit(), CONTENTS[0].opening);
        let expected = Transfer::life(CONTENT, FLOOR, moves(attack()));
        findings.exactly(&format!("{kind:?}"), rig.attack(attack(), 2 * expected), expected);
    }
    findings.done();
}

/// The figures that a user sees: a content time-out of two seconds.
#[test]
fn a_burst_does_not_put_off_the_421() {
    let mut findings = Findings::default();
    let timeouts = timeouts().with_content(seconds(2));
    for (kind, octets) in in_each_kind([10_000, 1_000_000]) {
        for phase in CONTENTS {
            let (mut rig, seen) = opened(kind, &config().with_timeouts(timeouts), phase.opening);
            let peer = format!("{kind:?}, {}, {octets} octets at once", phase.name);
            findings.exactly(&peer, rig.attack(burst(octets), SESSION), seconds(2));
            assert!(!rig.is_closed() || rig.replies().ends_with('4'), "{peer}: no 421");
            assert_eq!(seen.delivered.get(), 0);
        }
    }
    findings.done();
}

/// With the default time-outs, of five minutes, and no limit of a message.
#[test]
fn a_long_burst_and_a_drip_end_as_a_silent_client_does() {
    let mut findings = Findings::default();
    let config =
        config().with_timeouts(Timeouts::default()).with_limits(Limits::default().with_message(0));
    for (kind, phase) in in_each_kind(CONTENTS) {
        let attack = || then(burst(4_000_000), drip(b"a", 1, seconds(299)));
        let (mut rig, _) = opened(kind, &config, phase.opening);
        let expected = Transfer::life(seconds(300), 500, moves(attack()));
        assert_eq!(expected, Duration::from_millis(300_002), "one octet is worth 2 ms");
        let peer = format!("{kind:?}, {}", phase.name);
        findings.exactly(&peer, rig.attack(attack(), seconds(7200)), expected);
    }
    findings.done();
}

/// BDAT lines and commands between chunks move nothing, and chunks earn what their octets earn.
#[test]
fn chunks_have_the_deadline_of_one_transfer() {
    let mut findings = Findings::default();
    let peers: [Named; 12] = [
        ("silent", silent),
        ("a line that drips", || Box::new(drip(b"a", 1, seconds(1)).map(no_content))),
        ("NOOP each second", || repeat(b"NOOP\r\n", seconds(1))),
        ("NOOP each 19 s", || repeat(b"NOOP\r\n", seconds(19))),
        ("an unknown verb each 19 s", || repeat(b"XYZZY\r\n", seconds(19))),
        ("BDAT 0 each second", || repeat(b"BDAT 0\r\n", seconds(1))),
        ("BDAT 0 each 19 s", || repeat(b"BDAT 0\r\n", seconds(19))),
        ("BDAT 1 each second", || chunks(seconds(1), 1)),
        ("BDAT 1 each 19 s", || chunks(seconds(19), 1)),
        ("BDAT 1, its octet 19 s later", || {
            let chunk = Piece::new(seconds(19), b"aBDAT 1\r\n", 1);
            then(
                Box::new(iter::once(Piece::line(Duration::ZERO, b"BDAT 1\r\n"))),
                Box::new(iter::repeat(chunk)),
            )
        }),
        ("1 MB in a chunk, then silent", || chunks(Duration::ZERO, 1_000_000).take_one()),
        ("5 KB each 19 s", || chunks(seconds(19), 5000)),
    ];
    for (kind, (name, attack)) in in_each_kind(peers) {
        let (mut rig, _) = opened(kind, &without_session_limit(), BETWEEN.opening);
        let expected = Transfer::life(CONTENT, FLOOR, moves(attack()));
        let peer = format!("{kind:?}, {name}");
        findings.exactly(&peer, rig.attack(attack(), 10 * SESSION), expected);
    }
    findings.done();
}

fn no_content(piece: Piece) -> Piece {
    Piece { content: 0, ..piece }
}

/// Sends whole chunks of this size.
fn chunks(every: Duration, octets: usize) -> Attack {
    let chunk = [format!("BDAT {octets}\r\n").as_bytes(), &text(octets)].concat();
    Box::new(iter::repeat(Piece::new(every, &chunk, octets as u64)))
}

trait TakeOne {
    fn take_one(self) -> Attack;
}

impl TakeOne for Attack {
    fn take_one(self) -> Attack {
        Box::new(self.take(1))
    }
}

/// An empty chunk that is not the last one brings no message nearer, so there is a limit
/// to their number.
#[test]
fn empty_chunks_at_full_speed_are_counted() {
    for kind in KINDS {
        let (mut rig, _) = opened(kind, &config(), BETWEEN.opening);
        let before = rig.replies().len();
        let attack = Box::new(iter::repeat_n(Piece::line(Duration::ZERO, b"BDAT 0\r\n"), 10_000));
        let life = rig.attack(attack, seconds(0));
        let replies = rig.replies().len() - before;
        assert!(life.is_some() && replies <= COMMANDS + 1, "{kind:?}: {replies} replies");
    }
}

/// `BDAT 0 LAST` is a legal end (RFC 3030 section 2).
#[test]
fn an_empty_last_chunk_ends_a_message() {
    for kind in KINDS {
        let (mut rig, seen) = opened(kind, &config(), BETWEEN.opening);
        rig.say(b"BDAT 0 LAST\r\n");
        assert_eq!(seen.delivered.get(), 1);
        assert!(rig.replies().ends_with('2'));
    }
}

/// Content that is discarded follows the rule for content, and is not discarded longer than its own limit.
#[test]
fn discarded_content_has_a_limit_of_its_own() {
    let mut findings = Findings::default();
    let fast: [Named; 2] = [
        ("499 octets a second", || drip(b"a", 499, seconds(1))),
        ("1000 octets a second", || drip(b"a", 1000, seconds(1))),
    ];
    for (kind, phase) in in_each_kind(DISCARDS) {
        for (name, attack) in SLOW.into_iter().chain(fast) {
            let (mut rig, seen) = opened(kind, &without_session_limit(), phase.opening);
            let peer = format!("{kind:?}, {}, {name}", phase.name);
            let life = rig.attack(attack(), 2 * DISCARD);
            // The attacks above the floor have no end of their own.
            let within = moves(attack()).take(10_000);
            let expected = Transfer::life(CONTENT, FLOOR, within).min(DISCARD);
            findings.exactly(&peer, life, expected);
            assert_eq!(seen.delivered.get(), 0);
        }
    }
    findings.done();
}

#[test]
fn discarded_content_does_not_outlive_the_session_limit() {
    let mut findings = Findings::default();
    let limit = seconds(60); // less than `DISCARD`
    let config = config().with_timeouts(timeouts().with_session(Some(limit)));
    for (kind, phase) in in_each_kind(DISCARDS) {
        let (mut rig, _) = opened(kind, &config, phase.opening);
        let life = rig.attack(drip(b"a", 1000, seconds(1)), SESSION);
        findings.exactly(&format!("{kind:?}, {}", phase.name), life, limit);
    }
    findings.done();
}

/// Chunks of content that was refused are refused one by one; NOOP between them is a command of a
/// session without a transaction.
#[test]
fn chunks_of_refused_content_do_not_outlive_the_session_limit() {
    let mut findings = Findings::default();
    let peers: [Named; 4] = [
        ("BDAT 0 each 19 s", || repeat(b"BDAT 0\r\n", seconds(19))),
        ("BDAT 1 each 19 s", || chunks(seconds(19), 1)),
        ("5 KB each 19 s", || chunks(seconds(19), 5000)),
        ("NOOP each 19 s", || repeat(b"NOOP\r\n", seconds(19))),
    ];
    let openings: [&[&[u8]]; 3] = [
        &[EHLO, MAIL, b"BDAT 3\r\na\nb"],
        &[EHLO, REFUSED, b"BDAT 3\r\nabc"],
        &[EHLO, UNWANTED, b"BDAT 3\r\nabc"],
    ];
    for (kind, opening) in in_each_kind(openings) {
        for (name, attack) in peers {
            let (mut rig, _) = opened(kind, &config(), opening);
            let peer = format!("{kind:?}, {}, {name}", opening[2].escape_ascii());
            findings.at_most(&peer, rig.attack(attack(), 2 * SESSION), SESSION);
        }
    }
    findings.done();
}

/// Content in progress may end by the deadlines that it has; everything else is answered 421.
#[test]
fn a_server_that_was_shut_down_waits_for_content_only() {
    let mut findings = Findings::default();
    for (kind, phase) in in_each_kind(LINES) {
        let (mut rig, _) = opened(kind, &config(), phase.opening);
        rig.session.machine_mut().shut_down();
        let life = rig.attack(silent(), SESSION);
        findings.exactly(&format!("{kind:?}, {}", phase.name), life, Duration::ZERO);
    }
    for (kind, phase) in in_each_kind(CONTENTS) {
        for (name, attack) in SLOW {
            let (mut rig, _) = opened(kind, &without_session_limit(), phase.opening);
            rig.session.machine_mut().shut_down();
            let peer = format!("{kind:?}, {}, {name}", phase.name);
            let bound = Transfer::life(CONTENT, FLOOR, moves(attack()));
            findings.at_most(&peer, rig.attack(attack(), 10 * SESSION), bound);
        }
    }
    findings.done();
}

/// Chunks do not hold up a shutdown longer than their one deadline, nor does content that is
/// discarded longer than the flat time-out, however long they have gone on.
#[test]
fn chunks_and_discarded_content_do_not_hold_up_a_shutdown() {
    let mut findings = Findings::default();
    let peers: [Named; 6] = [
        ("silent", silent),
        ("NOOP each second", || repeat(b"NOOP\r\n", seconds(1))),
        ("BDAT 0 each second", || repeat(b"BDAT 0\r\n", seconds(1))),
        ("BDAT 1 each second", || chunks(seconds(1), 1)),
        ("BDAT 1 each 19 s", || chunks(seconds(19), 1)),
        ("BDAT 1, its octet later", || {
            Box::new(iter::repeat(Piece::new(seconds(10), b"aBDAT 1\r\n", 1)))
        }),
    ];
    for (kind, (name, attack)) in in_each_kind(peers) {
        let (mut rig, _) = opened(kind, &without_session_limit(), BETWEEN.opening);
        rig.session.machine_mut().shut_down();
        let peer = format!("{kind:?}, between chunks, {name}");
        let bound = Transfer::life(CONTENT, FLOOR, moves(attack()));
        findings.at_most(&peer, rig.attack(attack(), SESSION), bound);
    }
    for (kind, phase) in in_each_kind(DISCARDS) {
        for rate in [499, 1000] {
            let (mut rig, _) = opened(kind, &without_session_limit(), phase.opening);
            let attack = || drip(b"a", rate, seconds(1));
            assert_eq!(rig.attack(attack(), seconds(50)), None, "{kind:?}, {}", phase.name);
            rig.session.machine_mut().shut_down();
            let peer = format!("{kind:?}, {}, {rate} octets a second", phase.name);
            findings.at_most(&peer, rig.attack(attack(), SESSION), CONTENT);
        }
    }
    findings.done();
}

/// A client that reads nothing, whatever it says, has the time of one write, from the first reply
/// that it does not take.
#[test]
fn a_client_that_reads_nothing_has_the_time_of_one_write() {
    let mut findings = Findings::default();
    // With the time of the first octet, to which there is a reply.
    let peers: [(u64, Named); 7] = [
        (
            0,
            ("NOOP at once, then silent", || {
                Box::new(iter::once(Piece::line(Duration::ZERO, b"NOOP\r\n")))
            }),
        ),
        (9, ("NOOP each 9 s", || repeat(b"NOOP\r\n", seconds(9)))),
        (19, ("NOOP each 19 s", || repeat(b"NOOP\r\n", seconds(19)))),
        (9, ("BDAT 0 each 9 s", || repeat(b"BDAT 0\r\n", seconds(9)))),
        (9, ("BDAT 1 each 9 s", || chunks(seconds(9), 1))),
        (
            0,
            ("HELP a thousand times, then silent", || {
                Box::new(iter::once(Piece::line(Duration::ZERO, &b"HELP\r\n".repeat(1000))))
            }),
        ),
        (
            9,
            ("a message each 9 s", || {
                repeat(
                    b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@a.example>\r\nBDAT 0 LAST\r\n",
                    seconds(9),
                )
            }),
        ),
    ];
    let phases = [LINES[0], LINES[1], LINES[4], LINES[6], BETWEEN];
    for (kind, phase) in in_each_kind(phases) {
        for (first, (name, attack)) in peers {
            let (mut rig, _) = opened(kind, &config(), phase.opening);
            rig.reads(Reads::Only(0));
            let peer = format!("{kind:?}, {}, {name}", phase.name);
            let life = rig.attack(attack(), 2 * SESSION);
            findings.at_most(&peer, life, seconds(first) + WRITE + kind.farewell());
        }
    }
    // The greeting is the first reply that is not taken.
    for (name, attack) in NO_LINE.into_iter().chain(COMMANDS_AT) {
        let (mut rig, _) = new(Kind::Clear, &config());
        rig.reads(Reads::Only(0));
        let life = rig.attack(attack(), 2 * SESSION);
        findings.at_most(&format!("the greeting, {name}"), life, WRITE);
    }
    findings.done();
}

/// The handshake has one deadline, which dripping does not move, under implicit TLS and after
/// STARTTLS.
#[test]
fn a_tls_handshake_has_one_deadline() {
    let (mut rig, _) = new(Kind::Tls, &config());
    let hello = rig.encrypt(b"");
    assert!(hello.len() > 100, "a ClientHello");
    let by_octet = |every| hello.iter().map(|octet| Piece::line(every, &[*octet])).collect();
    let peers: [(&str, Vec<Piece>); 6] = [
        ("silent", Vec::new()),
        ("dripping each second", by_octet(seconds(1))),
        ("dripping each 29 s", by_octet(seconds(29))),
        ("half a ClientHello", vec![Piece::line(Duration::ZERO, &hello[..50])]),
        ("a ClientHello, then silent", vec![Piece::line(Duration::ZERO, &hello)]),
        ("a late ClientHello, then silent", vec![Piece::line(seconds(49), &hello)]),
    ];
    let mut findings = Findings::default();
    for (name, pieces) in peers {
        for reads in [Reads::Everything, Reads::Only(0), Reads::Trickle(1, seconds(1))] {
            for is_implicit in [true, false] {
                let server = Server::new(Arc::new(config()), Peer::UNKNOWN, Security::CLEAR);
                let secured = match is_implicit {
                    true => Secured::implicit(server, server_end()),
                    false => Secured::start_tls(server, server_end()),
                };
                let secured = secured.with_handshake_timeout(HANDSHAKE);
                let session = Channel::Tls(Box::new(secured));
                let answer = |session: &mut Channel<Server>| {
                    session.event().into_iter().for_each(Event::proceed);
                };
                let mut rig = Rig::new(session, None, answer);
                if !is_implicit {
                    rig.say(EHLO);
                    rig.say(b"STARTTLS\r\n");
                    assert_eq!(rig.replies(), "222");
                }
                rig.reads(reads);
                let peer = format!("{name}, {reads:?}, implicit: {is_implicit}");
                let life = rig.attack(Box::new(pieces.clone().into_iter()), SESSION);
                findings.exactly(&peer, life, HANDSHAKE);
            }
        }
    }
    findings.done();
}

/// A record of TLS that is not whole brings no octet nearer.
#[test]
fn records_that_drip_move_no_deadline() {
    let mut findings = Findings::default();
    for (phase, expected) in [(LINES[1], COMMAND), (CONTENTS[0], CONTENT), (CONTENTS[1], CONTENT)] {
        for every in [Duration::from_millis(100), seconds(1), seconds(19)] {
            let (mut rig, _) = opened(Kind::Tls, &config(), phase.opening);
            let record = rig.encrypt(&text(16_000)).into_iter();
            let piece = move |octet| Piece { is_raw: true, ..Piece::line(every, &[octet]) };
            let life = rig.attack(Box::new(record.map(piece)), SESSION);
            findings.exactly(&format!("{}, each {every:?}", phase.name), life, expected);
        }
    }
    findings.done();
}

/// Attempts that fail as the application cannot look a user up are counted as commands without
/// progress and delayed as failures.
#[test]
fn attempts_to_authenticate_in_an_outage_are_counted_and_delayed() {
    for kind in KINDS {
        let (mut rig, seen) = opened(kind, &config(), &[EHLO]);
        // NUL outage NUL pw
        let attempt = Piece::line(Duration::ZERO, b"AUTH PLAIN AG91dGFnZQBwdw==\r\n");
        let life = rig.attack(Box::new(iter::repeat_n(attempt, 5000)), 2 * SESSION);
        let asked = seen.credentials.get();
        assert!((4..=COMMANDS + 1).contains(&asked), "{kind:?}: asked {asked} times");
        let delay = seconds(1);
        let least = delay * u32::try_from(asked - 1).unwrap();
        assert!(life.is_some_and(|life| (least..=SESSION).contains(&life)), "{kind:?}: {life:?}");
    }
}

/// `close` asks for a moment to write what is due, and for nothing else.
#[test]
fn a_server_that_was_told_to_close_does_so() {
    let mut findings = Findings::default();
    for (kind, phase) in in_each_kind(all_phases()) {
        for (name, reads) in [("reading", Reads::Everything), ("deaf", Reads::Only(0))] {
            for (peer, attack) in [SLOW[0], SLOW[5], COMMANDS_AT[0]] {
                let (mut rig, _) = opened(kind, &config(), phase.opening);
                rig.reads(reads);
                let _ = rig.attack(attack(), seconds(5));
                rig.session.machine_mut().close();
                let peer = format!("{kind:?}, {}, {name}, {peer}", phase.name);
                findings.at_most(&peer, rig.attack(silent(), SESSION), CLOSING + kind.farewell());
            }
        }
    }
    findings.done();
}

/// The time that the application takes for its answers is not held against the client: neither against one
/// that sends all at once nor in favour of one that then is silent.
#[test]
fn application_time_does_not_count() {
    let late = seconds(500);
    let mut findings = Findings::default();
    let whole: [&[&[u8]]; 3] = [
        &[b"DATA\r\n", b"a\r\n", b"b\r\n.\r\n"],
        &[b"BDAT 3 LAST\r\n", b"a", b"\r\n"],
        &[b"BDAT 1\r\n", b"a", b"BDAT 2\r\n", b"\r", b"\n", b"BDAT 0 LAST\r\n"],
    ];
    for (kind, pieces) in in_each_kind(whole) {
        let (mut rig, seen) = opened(kind, &without_session_limit(), &[EHLO, MAIL]);
        rig.answers_after = late;
        pieces.iter().for_each(|piece| rig.say(piece));
        assert_eq!(seen.delivered.get(), 1, "{kind:?}: {}", rig.heard.escape_ascii());
        assert!(rig.application_time > late);
    }
    for (kind, phase) in in_each_kind(CONTENTS) {
        // A burst is answered in pieces, and the peer's next octets come after the last answer.
        for (name, attack) in SLOW {
            let (mut rig, _) = opened(kind, &without_session_limit(), phase.opening);
            rig.answers_after = seconds(1);
            let peer = format!("{kind:?}, {}, {name}", phase.name);
            let expected = Transfer::life(CONTENT, FLOOR, moves(attack()));
            findings.exactly(&peer, rig.attack(attack(), SESSION), expected);
        }
        let (mut rig, _) = opened(kind, &without_session_limit(), phase.opening);
        rig.answers_after = late;
        let life = rig.attack(burst(100), SESSION);
        findings.exactly(&format!("{kind:?}, {}, 100 octets", phase.name), life, CONTENT);
    }
    findings.done();
}

/// The other side of the rules: a client at the floor is served, also beyond the session's limit.
#[test]
fn a_client_at_the_floor_is_served() {
    let limits: [Option<Duration>; 2] = [None, Some(seconds(60))];
    for (kind, limit) in in_each_kind(limits) {
        let config = config().with_timeouts(timeouts().with_session(limit));
        let rates: [(usize, Duration); 3] =
            [(505, seconds(1)), (9900, seconds(19)), (51, Duration::from_millis(100))];
        for (octets, every) in rates {
            let count = 200_000 / octets;
            let data = || {
                let pieces = drip(b"a", octets, every).take(count);
                let end = Piece::line(every, b"\r\n.\r\nQUIT\r\n");
                pieces.chain([end])
            };
            let chunk = || {
                let size = format!("BDAT {} LAST\r\n", octets * count);
                let first = Piece::line(Duration::ZERO, size.as_bytes());
                let pieces = drip(b"a", octets, every).take(count);
                iter::once(first).chain(pieces).chain([Piece::line(every, b"QUIT\r\n")])
            };
            let in_chunks = || {
                let end = Piece::line(every, b"BDAT 0 LAST\r\nQUIT\r\n");
                chunks(every, octets).take(count).chain([end])
            };
            let mut attacks: Vec<(&str, &[&[u8]], Attack)> = vec![
                ("DATA", &[EHLO, MAIL, b"DATA\r\n"], Box::new(data())),
                ("a chunk", &[EHLO, MAIL], Box::new(chunk())),
            ];
            if limit.is_none() {
                // Between two chunks the session's limit holds.
                attacks.push(("chunks", &[EHLO, MAIL], Box::new(in_chunks())));
            }
            for (name, opening, attack) in attacks {
                let (mut rig, seen) = opened(kind, &config, opening);
                let life = rig.attack(attack, 2 * SESSION);
                let what = format!("{kind:?}, {name}, {octets} octets each {every:?}, {limit:?}");
                assert!(life.is_some_and(|life| life > seconds(300)), "{what}: {life:?}");
                assert_eq!(seen.delivered.get(), 1, "{what}");
            }
        }
    }
}

/// Every peer in every phase, before and after a shutdown, whatever it reads: the bound that the
/// configuration gives, which SECURITY.md states.
#[test]
fn no_session_outlives_what_the_configuration_gives_it() {
    let message = 100_000;
    let config = config().with_limits(Limits::default().with_message(message));
    let bound = life(message);
    let reads = [
        Reads::Everything,
        Reads::Only(0),
        Reads::Only(100),
        Reads::Trickle(1, seconds(1)),
        Reads::Trickle(20, seconds(29)),
    ];
    let peers: [Named; 12] = [
        SLOW[0],
        SLOW[2],
        SLOW[3],
        SLOW[5],
        SLOW[7],
        COMMANDS_AT[1],
        COMMANDS_AT[3],
        COMMANDS_AT[5],
        COMMANDS_AT[6],
        ("500 octets a second", || drip(b"a", 500, seconds(1))),
        ("dots at the floor", || drip(b"..\r\n", 500, seconds(1))),
        ("BDAT 1 each 9 s", || chunks(seconds(9), 1)),
    ];
    let mut findings = Findings::default();
    for (kind, phase) in in_each_kind(all_phases()) {
        for ((name, attack), reads) in peers.into_iter().flat_map(|peer| reads.map(|it| (peer, it)))
        {
            for is_stopped in [false, true] {
                let (mut rig, _) = opened(kind, &config, phase.opening);
                rig.reads(reads);
                if is_stopped {
                    rig.session.machine_mut().shut_down();
                }
                let peer =
                    format!("{kind:?}, {}, {name}, {reads:?}, shut down: {is_stopped}", phase.name);
                findings.at_most(&peer, rig.attack(attack(), bound), bound);
            }
        }
    }
    findings.done();
}
