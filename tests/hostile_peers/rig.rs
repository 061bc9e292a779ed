//! A machine, a peer that does what it likes, and a clock that knows no waiting.

#![allow(dead_code)] // not every file of tests needs all of it

use crate::channel::Channel;
use esmtp::{
    machine::{Machine, Need, Upgradable},
    time::Instant,
};
use rustls::Connection;
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    time::Duration,
};

/// The octets that a hostile peer sends at one time.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// The time since the piece before it.
    pub(crate) after: Duration,
    pub(crate) octets: Vec<u8>,
    /// The number of octets that are content.
    pub(crate) content: u64,
    /// Whether they go on the wire as they are, also where the session is inside TLS.
    pub(crate) is_raw: bool,
}

impl Piece {
    pub(crate) fn new(after: Duration, octets: &[u8], content: u64) -> Self {
        Self { after, octets: octets.to_vec(), content, is_raw: false }
    }

    /// Creates a piece of content and nothing else.
    pub(crate) fn content(after: Duration, octets: &[u8]) -> Self {
        Self::new(after, octets, octets.len() as u64)
    }

    /// Creates a line of the dialogue.
    pub(crate) fn line(after: Duration, octets: &[u8]) -> Self {
        Self::new(after, octets, 0)
    }
}

/// The octets of a hostile peer; at their end it is silent for good.
pub(crate) type Attack = Box<dyn Iterator<Item = Piece>>;

/// The octets that a peer takes of those that are sent to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reads {
    Everything,
    /// This many octets and no more.
    Only(usize),
    /// This many octets at once, each time this has passed.
    Trickle(usize, Duration),
}

/// Answers the question that a machine has.
type Application<M> = Box<dyn FnMut(&mut Channel<M>)>;

/// A session under attack.
pub(crate) struct Rig<M: Upgradable> {
    pub(crate) session: Channel<M>,
    pub(crate) now: Instant,
    /// The time that the application takes for each answer.
    pub(crate) answers_after: Duration,
    /// The time that it has taken in all.
    pub(crate) application_time: Duration,
    /// The octets that the peer has read, in plain text.
    pub(crate) heard: Vec<u8>,
    answer: Application<M>,
    /// The peer's end of TLS.
    tls: Option<Connection>,
    /// Octets that the peer has said and the machine has not taken.
    said: VecDeque<u8>,
    reads: Reads,
    /// The number of octets that the peer takes now.
    grant: usize,
    next_grant: Instant,
    is_closed: bool,
}

impl<M: Upgradable> Rig<M> {
    pub(crate) fn new(
        session: Channel<M>,
        tls: Option<Connection>,
        answer: impl FnMut(&mut Channel<M>) + 'static,
    ) -> Self {
        Self {
            session,
            now: Instant::ORIGIN,
            answers_after: Duration::ZERO,
            application_time: Duration::ZERO,
            heard: Vec::new(),
            answer: Box::new(answer),
            tls,
            said: VecDeque::new(),
            reads: Reads::Everything,
            grant: usize::MAX,
            next_grant: Instant::NEVER,
            is_closed: false,
        }
    }

    /// Sets what the peer takes from now on.
    pub(crate) fn reads(&mut self, reads: Reads) {
        self.reads = reads;
        (self.grant, self.next_grant) = match reads {
            Reads::Everything => (usize::MAX, Instant::NEVER),
            Reads::Only(octets) => (octets, Instant::NEVER),
            Reads::Trickle(_, every) => (0, self.now + every),
        };
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Gives the machine octets of the peer, and drives it without a moment passing.
    pub(crate) fn say(&mut self, octets: &[u8]) {
        self.put(octets, false);
        self.turn();
    }

    /// Says octets as [`say`](Self::say) does, and returns until when the machine waits.
    pub(crate) fn turn_after(&mut self, octets: &[u8]) -> Instant {
        self.put(octets, false);
        self.turn()
    }

    /// Returns the time at which the peer takes more, if it reads at a trickle.
    pub(crate) fn next_grant(&self) -> Instant {
        self.next_grant
    }

    /// Lets the peer take more, if it is time.
    pub(crate) fn refill(&mut self) {
        if let Reads::Trickle(octets, every) = self.reads
            && self.next_grant <= self.now
        {
            self.grant = octets;
            self.next_grant = self.now + every;
        }
    }

    /// Returns the first digits of the replies that were read.
    pub(crate) fn replies(&self) -> String {
        let heard = String::from_utf8_lossy(&self.heard);
        let last = heard.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
        last.filter_map(|line| line.chars().next()).collect()
    }

    fn put(&mut self, octets: &[u8], is_raw: bool) {
        match &mut self.tls {
            Some(tls) if !is_raw => {
                tls.writer().write_all(octets).unwrap();
                self.speak();
            }
            _ => self.said.extend(octets),
        }
    }

    /// Sends what the peer's end of TLS has to send.
    fn speak(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        while tls.wants_write() {
            tls.write_tls(&mut self.said).unwrap();
        }
    }

    fn hear(&mut self, mut octets: &[u8]) {
        let Some(tls) = &mut self.tls else { return self.heard.extend_from_slice(octets) };
        while !octets.is_empty() {
            if tls.read_tls(&mut octets).unwrap_or(0) == 0 || tls.process_new_packets().is_err() {
                return; // This peer does not mind what it is told.
            }
            let mut plain = [0; 4096];
            loop {
                match tls.reader().read(&mut plain) {
                    Ok(0) => break,
                    Ok(read) => self.heard.extend_from_slice(&plain[..read]),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        break;
                    }
                }
            }
        }
        self.speak();
    }

    /// Makes the TLS handshake, as far as nothing is held back.
    pub(crate) fn shake_hands(&mut self) {
        self.speak();
        self.turn();
    }

    /// Returns octets inside TLS that the peer keeps to itself for now.
    pub(crate) fn encrypt(&mut self, octets: &[u8]) -> Vec<u8> {
        let before = self.said.len();
        self.put(octets, false);
        self.said.drain(before..).collect()
    }

    /// Goes on as far as possible without waiting; returns until when the machine waits.
    pub(crate) fn turn(&mut self) -> Instant {
        for _ in 0..50_000_000_u64 {
            let need = self.session.poll(self.now);
            let deadline = match need {
                Need::Answer => {
                    self.now = self.now + self.answers_after;
                    self.application_time += self.answers_after;
                    (self.answer)(&mut self.session);
                    continue;
                }
                Need::Close => {
                    self.is_closed = true;
                    return Instant::NEVER;
                }
                Need::Read(deadline)
                | Need::Write(deadline)
                | Need::Either(deadline)
                | Need::Wait(deadline) => deadline,
            };
            assert!(deadline > self.now, "a deadline that has passed: {need:?}");
            let mut has_moved = false;
            if let Need::Write(_) | Need::Either(_) = need {
                let mut slices = [&[][..]; 8];
                let filled = self.session.to_send(&mut slices);
                let mut octets = slices[..filled].concat();
                assert!(!octets.is_empty(), "nothing to send");
                octets.truncate(self.grant);
                if self.grant < usize::MAX {
                    self.grant -= octets.len();
                }
                self.session.sent(octets.len());
                self.hear(&octets);
                has_moved |= !octets.is_empty();
            }
            if let Need::Read(_) | Need::Either(_) = need
                && !self.said.is_empty()
            {
                let taken = self.session.feed(self.said.as_slices().0);
                assert!(taken > 0, "it wants to read, and does not");
                self.said.drain(..taken);
                has_moved = true;
            }
            if !has_moved {
                return deadline;
            }
        }
        panic!("a loop without end");
    }

    /// Lets the peer attack until the session is over; returns how long that took. `None`: it was
    /// not over after `longest`.
    pub(crate) fn attack(&mut self, mut attack: Attack, longest: Duration) -> Option<Duration> {
        let (begun, application_time) = (self.now, self.application_time);
        let (mut last, mut has_spoken) = (begun, false);
        let mut next = attack.next();
        loop {
            let deadline = self.turn();
            if std::mem::take(&mut has_spoken) {
                // The application may have taken its time.
                last = self.now;
            }
            let life = self.now.saturating_since(begun);
            let life = life.saturating_sub(self.application_time - application_time);
            if self.is_closed {
                return Some(life);
            }
            if life > longest {
                return None;
            }
            let said_at = next.as_ref().map_or(Instant::NEVER, |piece| last + piece.after);
            self.now = self.now.max(deadline.min(said_at).min(self.next_grant));
            if self.now == Instant::NEVER {
                return None;
            }
            if said_at <= self.now
                && let Some(piece) = next.take()
            {
                has_spoken = true;
                // What comes at a deadline comes too late.
                self.turn();
                self.put(&piece.octets, piece.is_raw);
                next = attack.next();
            }
            if self.next_grant <= self.now {
                self.turn();
                self.refill();
            }
        }
    }
}
