//! Sessions on streams that are ready when the test says so.

use crate::toy::{Event, Toy};
use allocation_counter::measure;
use esmtp::{
    io::{
        LINGER_OCTETS, LINGER_TIME,
        nonblocking::{Connection, Step, Wait},
    },
    machine::{Closed, Machine},
    security::Security,
    server::{self, Config, Limits, Peer, Server},
    time::Instant,
};
use proptest::prelude::*;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::Duration,
};

/// A stream in the hands of a test.
#[derive(Debug, Default)]
struct Pipe {
    arrived: VecDeque<u8>,
    /// The peer has closed its direction.
    is_ended: bool,
    /// The number of octets that a write may still take.
    room: usize,
    written: Vec<u8>,
    is_shut_down: bool,
    /// Errors of the next reads and writes.
    read_errors: VecDeque<ErrorKind>,
    write_errors: VecDeque<ErrorKind>,
    reads: usize,
}

impl Pipe {
    fn is_readable(&self) -> bool {
        !self.arrived.is_empty() || self.is_ended || !self.read_errors.is_empty()
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if let Some(kind) = self.read_errors.pop_front() {
            return Err(kind.into());
        }
        match self.arrived.read(into)? {
            0 if !self.is_ended => Err(ErrorKind::WouldBlock.into()),
            octets => Ok(octets),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.write_errors.pop_front() {
            return Err(kind.into());
        }
        assert!(!self.is_shut_down, "octets after the end");
        let taken = octets.len().min(self.room);
        if taken == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= taken;
        self.written.extend_from_slice(&octets[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Session<M> = Connection<M, Pipe>;

fn session<M: Machine>(machine: M, pipe: Pipe) -> Session<M> {
    Connection::new(machine, pipe, |pipe| {
        pipe.is_shut_down = true;
        Ok(())
    })
}

fn at(milliseconds: u64) -> Instant {
    Instant::ORIGIN + Duration::from_millis(milliseconds)
}

/// A policy: how each question of a machine is answered.
trait Answering: Machine {
    fn answer(event: Self::Event<'_>);
}

impl Answering for Toy {
    fn answer(event: Event<'_>) {
        match event {
            Event::Line(line) => match &*line.text() {
                "quit" => line.reply_and_close("bye\r\n"),
                text => line.reply(&format!("{text}\r\n")),
            },
            Event::Gone(gone) => gone.done(),
        }
    }
}

impl Answering for Server {
    fn answer(event: server::Event<'_>) {
        match event {
            server::Event::Rcpt(rcpt) => rcpt.accept(),
            server::Event::Content(content) => drop(content.take().len()),
            server::Event::Deliver(delivery) => delivery.accept(),
            other => other.proceed(),
        }
    }
}

/// Advances a session to its next wait; `None` at its end.
fn advance<M: Answering>(session: &mut Session<M>, now: Instant) -> Option<Wait> {
    let wait = loop {
        match session.next(now).unwrap() {
            Step::Event(event) => M::answer(event),
            Step::Wait(wait) if wait.until() == now => {} // it has had its turn
            Step::Wait(wait) => break wait,
            Step::Over => return None,
        }
    };
    // No session waits for readiness that is there already.
    let pipe = session.stream();
    assert!(!(wait.reads() && pipe.is_readable()), "{wait:?}");
    assert!(!(wait.writes() && pipe.room > 0), "{wait:?}");
    Some(wait)
}

/// A change of a stream.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// This many octets arrive.
    Arrival(usize),
    /// There is room for this many octets.
    Room(usize),
    /// The poller reports both directions without a reason.
    Spurious,
}

/// The way in which a poller reports readiness.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Poller {
    /// At each change (edge-triggered).
    Changes,
    /// The directions that the session waits for, when they are ready (level-triggered, or once).
    Interests,
}

/// Plays `changes`, then provides all that is left; returns the octets written.
fn play<M: Answering>(machine: M, input: &[u8], changes: &[Change], poller: Poller) -> Vec<u8> {
    let mut left: VecDeque<u8> = input.iter().copied().collect();
    let mut session = session(machine, Pipe::default());
    let mut now = Instant::ORIGIN;
    let mut wait = advance(&mut session, now);
    let rest = [Change::Room(100_000), Change::Arrival(100_000)];
    for change in changes.iter().chain(&rest).chain(&rest) {
        let Some(interest) = wait else { break };
        let pipe = session.stream_mut();
        match *change {
            Change::Arrival(octets) => {
                let octets = octets.min(left.len());
                pipe.arrived.extend(left.drain(..octets));
                pipe.is_ended = left.is_empty();
            }
            Change::Room(octets) => pipe.room += octets,
            Change::Spurious => {}
        }
        let (is_readable, is_writable) = (pipe.is_readable(), pipe.room > 0);
        let (reads, writes) = match (poller, change) {
            (_, Change::Spurious) => (true, true),
            (Poller::Changes, Change::Arrival(_)) => (true, false),
            (Poller::Changes, Change::Room(_)) => (false, true),
            (Poller::Interests, _) => {
                (interest.reads() && is_readable, interest.writes() && is_writable)
            }
        };
        if reads {
            session.set_readable();
        }
        if writes {
            session.set_writable();
        }
        now = now + Duration::from_millis(1);
        wait = advance(&mut session, now);
    }
    assert_eq!(wait, None, "the session is over");
    assert!(session.stream().is_shut_down);
    session.into_parts().1.written
}

/// Returns every sequence of `length` of these changes.
fn sequences(changes: &[Change], length: u32) -> impl Iterator<Item = Vec<Change>> {
    let base = changes.len();
    (0..base.pow(length)).map(move |mut number| {
        (0..length)
            .map(|_| {
                let change = changes[number % base];
                number /= base;
                change
            })
            .collect()
    })
}

const TOY_INPUT: &[u8] = b"one\r\ntwo\r\nquit\r\n";
const TOY_OUTPUT: &[u8] = b"hello\r\none\r\ntwo\r\nbye\r\n";

const SMTP_INPUT: &[u8] = b"EHLO me.example.org\r\nMAIL FROM:<ann@example.org>\r\n\
    RCPT TO:<bob@example.net>\r\nDATA\r\nSubject: Hi\r\n\r\nHi\r\n.\r\nQUIT\r\n";

fn server() -> Server {
    let config = Config::new("mx.example.net").unwrap().with_enforced_sync(false);
    Server::new(config.into(), Peer::UNKNOWN, Security::CLEAR)
}

#[test]
fn every_order_of_readiness_gives_the_same_session() {
    let changes = [
        Change::Arrival(1),
        Change::Arrival(7),
        Change::Room(1),
        Change::Room(9),
        Change::Spurious,
    ];
    for poller in [Poller::Changes, Poller::Interests] {
        for is_eager in [false, true] {
            for sequence in (0..=6).flat_map(|length| sequences(&changes, length)) {
                let mut toy = Toy::new().say("hello\r\n");
                toy.is_eager = is_eager;
                let written = play(toy, TOY_INPUT, &sequence, poller);
                assert!(written == TOY_OUTPUT, "{poller:?} {sequence:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_server_says_the_same_in_every_order_of_readiness(
        steps in prop::collection::vec((0..3_u8, 1..60_usize), 0..60),
        is_edge_triggered: bool,
    ) {
        let changes: Vec<_> = steps
            .into_iter()
            .map(|(kind, octets)| match kind {
                0 => Change::Arrival(octets),
                1 => Change::Room(octets),
                _ => Change::Spurious,
            })
            .collect();
        let poller = if is_edge_triggered { Poller::Changes } else { Poller::Interests };
        let expected = play(server(), SMTP_INPUT, &[], Poller::Changes);
        prop_assert!(expected.windows(4).any(|octets| octets == b"221 "));
        prop_assert_eq!(play(server(), SMTP_INPUT, &changes, poller), expected);
    }
}

#[test]
fn a_stream_is_not_touched_before_it_is_ready() {
    let mut session = session(Toy::new(), Pipe::default());
    let wait = advance(&mut session, at(0)).unwrap();
    assert_eq!((wait.reads(), wait.writes(), wait.until()), (true, false, at(60_000)));
    assert_eq!(session.stream().reads, 1);
    session.set_writable();
    assert_eq!(advance(&mut session, at(1)), Some(wait));
    assert_eq!(session.stream().reads, 1);
    assert!(!session.machine().is_holding, "a buffer is held while the peer is silent");
}

#[test]
fn a_deadline_passes_without_readiness() {
    let mut session = session(Toy::new(), Pipe { room: 100, ..Pipe::default() });
    let wait = advance(&mut session, at(0)).unwrap();
    let lingering = advance(&mut session, wait.until()).unwrap();
    assert_eq!(session.stream().written, b"late\r\n");
    assert!(session.stream().is_shut_down && lingering.reads());
    assert_eq!(lingering.until(), wait.until() + LINGER_TIME);
    assert_eq!(advance(&mut session, lingering.until()), None);
    assert_eq!(advance(&mut session, lingering.until()), None);
}

#[test]
fn a_delayed_reply_waits_for_no_readiness() {
    let mut session = session(Toy::new(), Pipe { room: 100, ..Pipe::default() });
    session.stream_mut().arrived.extend(b"slow\r\n");
    match session.next(at(0)).unwrap() {
        Step::Event(Event::Line(line)) => line.delay(Duration::from_secs(5)),
        _ => panic!("no line"),
    }
    let wait = advance(&mut session, at(0)).unwrap();
    assert_eq!((wait.reads(), wait.writes(), wait.until()), (false, false, at(5000)));
}

#[test]
fn an_event_that_is_dropped_comes_again() {
    let mut session = session(Toy::new(), Pipe { room: 100, ..Pipe::default() });
    session.stream_mut().arrived.extend(b"quit\r\n");
    for _ in 0..3 {
        assert!(matches!(session.next(at(0)), Ok(Step::Event(Event::Line(_)))));
    }
}

#[test]
fn an_interrupted_call_is_repeated_at_once() {
    let mut pipe = Pipe { room: 100, is_ended: true, ..Pipe::default() };
    pipe.arrived.extend(b"quit\r\n");
    pipe.read_errors = [ErrorKind::Interrupted; 2].into();
    pipe.write_errors = [ErrorKind::Interrupted; 2].into();
    let mut session = session(Toy::new(), pipe);
    assert_eq!(advance(&mut session, at(0)), None);
    assert_eq!(session.stream().written, b"bye\r\n");
}

#[test]
fn a_failed_read_is_an_error_once_after_what_was_left() {
    let mut session = session(Toy::new(), Pipe { room: 100, ..Pipe::default() });
    session.stream_mut().arrived.extend(b"one\r\n");
    match session.next(at(0)).unwrap() {
        Step::Event(Event::Line(line)) => line.reply("two\r\n"),
        _ => panic!("no line"),
    }
    session.stream_mut().read_errors = [ErrorKind::ConnectionReset].into();
    match session.next(at(0)).unwrap() {
        Step::Event(Event::Gone(gone)) => gone.done(),
        _ => panic!("not gone"),
    }
    assert_eq!(session.machine().closed, Some(Closed::CutOff));
    assert_eq!(session.next(at(0)).err().map(|it| it.kind()), Some(ErrorKind::ConnectionReset));
    assert!(matches!(session.next(at(0)), Ok(Step::Over)));
}

#[test]
fn after_a_failed_write_the_peers_octets_are_still_read() {
    let mut session = session(Toy::new(), Pipe { is_ended: true, ..Pipe::default() });
    session.stream_mut().arrived.extend(b"one\r\ntwo\r\n");
    session.stream_mut().write_errors = [ErrorKind::BrokenPipe].into();
    let mut lines = vec![];
    let error = loop {
        match session.next(at(0)) {
            Ok(Step::Event(Event::Line(line))) => {
                lines.push(line.text());
                line.reply("yes\r\n");
            }
            Ok(Step::Event(Event::Gone(gone))) => gone.done(),
            Ok(_) => panic!("no error"),
            Err(error) => break error,
        }
    };
    assert_eq!(lines, ["one", "two"]);
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(session.machine().is_unsendable);
    assert!(matches!(session.next(at(0)), Ok(Step::Over)));
}

#[test]
fn a_fast_peer_leaves_the_others_their_turn() {
    let mut session = session(Toy::new(), Pipe { room: 1 << 30, ..Pipe::default() });
    let flood = b"one\r\n".repeat(1_000_000);
    session.stream_mut().arrived.extend(&flood);
    let mut events = 0;
    let wait = loop {
        match session.next(at(0)).unwrap() {
            Step::Event(event) => {
                events += 1;
                Toy::answer(event);
            }
            Step::Wait(wait) => break wait,
            Step::Over => panic!("over"),
        }
    };
    assert_eq!(wait.until(), at(0), "the session goes on after the others");
    assert!(wait.reads() || wait.writes());
    assert!(session.stream().reads < 1000 && events < 1_000_000);
}

#[test]
fn the_octets_discarded_at_the_end_are_bounded() {
    let mut session = session(Toy::new(), Pipe { room: 100, ..Pipe::default() });
    session.stream_mut().arrived.extend(b"quit\r\n");
    let endless = vec![b'x'; 3 * LINGER_OCTETS];
    session.stream_mut().arrived.extend(&endless);
    assert_eq!(advance(&mut session, at(0)), None);
    assert!(session.stream().arrived.len() >= LINGER_OCTETS);
}

#[test]
fn a_server_serves_accepted_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let config = Config::new("mx.example.net").unwrap().with_enforced_sync(false);
    let mut session = Connection::accept(listener.accept().unwrap().0, config.into()).unwrap();
    peer.write_all(SMTP_INPUT).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let start = std::time::Instant::now();
    loop {
        match session.next(Instant::since_origin(start.elapsed())).unwrap() {
            Step::Event(event) => Server::answer(event),
            Step::Wait(_) => {
                std::thread::sleep(Duration::from_millis(1));
                session.set_readable();
                session.set_writable();
            }
            Step::Over => break,
        }
    }
    drop(session);
    let mut heard = String::new();
    peer.read_to_string(&mut heard).unwrap();
    let codes: Vec<_> = heard.lines().map(|line| &line[..3]).collect();
    assert_eq!((codes.first(), codes.last()), (Some(&"220"), Some(&"221")), "{heard}");
}

/// Returns how many octets are allocated in a session that waits for readiness this many times.
fn allocated(waits: usize) -> u64 {
    let config = Config::new("mx.example.net").unwrap();
    let config = config.with_limits(Limits::default().with_idle_commands(1000));
    let server = Server::new(config.into(), Peer::UNKNOWN, Security::CLEAR);
    let mut session = session(server, Pipe { room: 1 << 20, ..Pipe::default() });
    measure(|| {
        for _ in 0..waits {
            assert!(advance(&mut session, at(0)).unwrap().reads());
            session.stream_mut().arrived.extend(b"NOOP\r\n");
            session.set_readable();
        }
    })
    .bytes_total
}

#[test]
fn a_session_that_waits_again_and_again_does_not_allocate_memory_to_read_into_each_time() {
    let _ = allocated(1);
    let (few, many) = (allocated(10), allocated(90));
    // A reply needs some memory; a receive buffer has 4 KiB at least.
    assert!(many < few + 80 * 1024, "{few} and {many} octets");
}
