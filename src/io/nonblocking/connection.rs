//! A machine on a non-blocking stream, advanced step by step.

use crate::{
    io::{
        DISCARD, LINGER_OCTETS, LINGER_TIME, SLICES, SessionError, is_sending, repeats::Repeats,
        spare,
    },
    machine::{Closed, Machine, Need},
    server::{Config, Server},
    time::Instant,
};
use alloc::sync::Arc;
use core::{fmt, mem};
use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
};

/// The number of reads and writes after which a session lets others have their turn. With buffers of
/// 16 KiB it is about a megabyte.
const TURN: u32 = 64;

/// A machine on a non-blocking stream: see [the module](super).
///
/// While the peer is silent the machine holds no receive buffer: the sessions of a thread lend each
/// other the memory to read into.
pub struct Connection<M, S = TcpStream> {
    machine: M,
    stream: S,
    shutdown: fn(&mut S) -> io::Result<()>,
    /// A read may succeed: the poller said so, or none has been tried.
    may_read: bool,
    /// A write may succeed.
    may_write: bool,
    /// The peer may still send.
    is_readable: bool,
    /// The peer may still receive.
    is_writable: bool,
    /// Octets were written that the stream may still hold.
    is_unflushed: bool,
    /// The machine holds no memory to read into.
    has_no_buffer: bool,
    /// Reads and writes since the last wait.
    turn: u32,
    /// The error of the session, until [`next`](Self::next) has returned it.
    error: Option<io::Error>,
    repeats: Repeats,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The machine is driven.
    Driving,
    /// The machine is done, and the writing direction is being shut down.
    ShuttingDown {
        until: Instant,
    },
    /// Octets from the peer are discarded, up to this number.
    Lingering {
        until: Instant,
        left: usize,
    },
    Over,
}

/// The need of a session after a call of [`Connection::next`].
#[derive(Debug)]
pub enum Step<E> {
    /// The answer to a question of the machine. Call [`Connection::next`] again after it.
    Event(E),
    /// Readiness of the stream, or time.
    Wait(Wait),
    /// Nothing more: the connection is shut down, and may be dropped.
    Over,
}

/// The readiness that a session waits for, and its deadline.
///
/// A session may wait for neither direction: a reply is delayed (a tarpit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    reads: bool,
    writes: bool,
    until: Instant,
}

impl Wait {
    /// Returns whether the session continues when the stream is readable.
    #[must_use]
    pub const fn reads(&self) -> bool {
        self.reads
    }

    /// Returns whether the session continues when the stream is writable.
    #[must_use]
    pub const fn writes(&self) -> bool {
        self.writes
    }

    /// Returns the instant at which the session continues in any case; [`Instant::NEVER`] for no
    /// deadline.
    ///
    /// It is the instant given to [`Connection::next`] when the session could continue at once, but
    /// has had its turn: call again after the other sessions.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }
}

/// The step that a session takes, without a borrow of the machine.
enum Next {
    Event,
    Wait(Wait),
    Over,
}

impl<M: Machine, S: Read + Write> Connection<M, S> {
    /// Puts `machine` on `stream`, which must be in non-blocking mode. Nothing happens before
    /// [`next`](Self::next).
    ///
    /// `shutdown` shuts down the writing direction: for a socket, `|stream|
    /// stream.shutdown(Shutdown::Write)`. It is called once the session is over, so that the last
    /// reply reaches the peer before the connection is closed.
    #[must_use]
    pub fn new(machine: M, stream: S, shutdown: fn(&mut S) -> io::Result<()>) -> Self {
        Self {
            machine,
            stream,
            shutdown,
            may_read: true,
            may_write: true,
            is_readable: true,
            is_writable: true,
            is_unflushed: false,
            has_no_buffer: true,
            turn: 0,
            error: None,
            repeats: Repeats::default(),
            stage: Stage::Driving,
        }
    }

    /// Records that the stream is readable: the poller has said so.
    ///
    /// It holds until a read returns [`ErrorKind::WouldBlock`], and may be wrong. A new connection
    /// is taken to be readable.
    pub const fn set_readable(&mut self) {
        self.may_read = true;
    }

    /// Records that the stream is writable: the poller has said so.
    ///
    /// It holds until a write returns [`ErrorKind::WouldBlock`], and may be wrong. A new connection
    /// is taken to be writable.
    pub const fn set_writable(&mut self) {
        self.may_write = true;
    }

    /// Advances the session as far as possible at `now`, and returns what it needs next.
    ///
    /// All calls take the time since one origin that the application picked. An event that is
    /// dropped without an answer is returned again. After some 64 reads and writes without a wait
    /// it returns a [`Wait`] that is over at once, so that a fast peer leaves the others their turn.
    ///
    /// # Errors
    ///
    /// - A read or write failed. The error is returned once, after all remaining events; the session
    ///   is over then.
    /// - The application has not answered a question that was returned
    ///   [many times](SessionError::Unanswered).
    pub fn next(&mut self, now: Instant) -> Result<Step<M::Event<'_>>, SessionError> {
        Ok(match self.advance(now)? {
            // By its contract a machine that needs an answer has an event.
            Next::Event => match self.machine.event() {
                Some(event) => Step::Event(event),
                None => Step::Wait(Wait { reads: true, writes: true, until: now }),
            },
            Next::Wait(wait) => Step::Wait(wait),
            Next::Over => Step::Over,
        })
    }

    fn advance(&mut self, now: Instant) -> Result<Next, SessionError> {
        loop {
            let waits = match self.stage {
                Stage::Driving => match self.machine.poll(now) {
                    Need::Answer => {
                        self.repeats.ask(self.machine.question(), now)?;
                        return Ok(Next::Event);
                    }
                    Need::Close => self.end(now).map(|()| None)?,
                    need => self.provide(need, now)?,
                },
                Stage::ShuttingDown { until } => self.shut_down(until, now),
                Stage::Lingering { until, left } => self.linger(until, left, now),
                Stage::Over => return Ok(Next::Over),
            };
            self.repeats.clear();
            if let Some(wait) = waits {
                self.turn = 0;
                return Ok(Next::Wait(wait));
            }
        }
    }

    /// Returns the machine.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// Returns the machine, to change it from outside (to shut it down, to wake it up). Call
    /// [`next`](Self::next) afterwards.
    #[must_use]
    pub const fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Returns the stream.
    #[must_use]
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the stream, to register it with a poller.
    #[must_use]
    pub const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Takes machine and stream apart. Octets that the machine holds stay in it.
    #[must_use]
    pub fn into_parts(self) -> (M, S) {
        (self.machine, self.stream)
    }

    /// Ends the session, as the machine is done.
    fn end(&mut self, now: Instant) -> io::Result<()> {
        let error = self.error.take();
        self.stage = match &error {
            Some(_) => Stage::Over,
            None => Stage::ShuttingDown { until: now + LINGER_TIME },
        };
        error.map_or(Ok(()), Err)
    }

    /// Provides a part of the machine's need; returns what is to be waited for when nothing of it is
    /// possible now.
    fn provide(&mut self, need: Need, now: Instant) -> io::Result<Option<Wait>> {
        let (reads, writes, until) = match need {
            Need::Read(deadline) => (true, false, deadline),
            Need::Write(deadline) => (false, true, deadline),
            Need::Either(deadline) => (true, is_sending(&self.machine), deadline),
            Need::Wait(until) => (false, false, until),
            Need::Answer | Need::Close => return Ok(None),
        };
        let is_delayed = !reads && !writes;
        let (reads, writes) = (reads && self.is_readable, writes && self.is_writable);
        if !is_delayed && !reads && !writes {
            // The peer's direction has ended: there is no more input for the machine.
            return self.end(now).map(|()| None);
        }
        let wait = Wait { reads, writes: writes || self.is_unflushed, until };
        if self.has_had_its_turn() {
            return Ok(Some(Wait { until: now, ..wait }));
        }
        // The peer's octets may make it needless to write more.
        if reads && self.read() || writes && self.write() || self.is_unflushed && self.flush() {
            return Ok(None);
        }
        if reads {
            self.has_no_buffer |= spare::reclaim(&mut self.machine);
        }
        Ok(Some(wait))
    }

    /// Counts a read or write, and returns whether it is the turn of the other sessions.
    const fn has_had_its_turn(&mut self) -> bool {
        self.turn += 1;
        self.turn > TURN
    }

    /// Reads once, if the stream may be readable; returns whether that made progress.
    fn read(&mut self) -> bool {
        if !self.may_read {
            return false;
        }
        if mem::take(&mut self.has_no_buffer) {
            spare::lend(&mut self.machine);
        }
        match self.stream.read(self.machine.receive_buffer()) {
            Ok(0) => {
                self.is_readable = false;
                self.machine.release();
                self.machine.closed(Closed::Clean);
            }
            Ok(octets) => self.machine.received(octets),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.may_read = false;
                return false;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                self.is_readable = false;
                self.machine.release();
                self.machine.closed(Closed::CutOff);
                self.error.get_or_insert(error);
            }
        }
        true
    }

    /// Writes once, if the stream may be writable; returns whether that made progress.
    fn write(&mut self) -> bool {
        if !self.may_write {
            return false;
        }
        let mut slices: [&[u8]; SLICES] = [&[]; SLICES];
        let count = self.machine.to_send(&mut slices);
        let slices = slices.map(IoSlice::new);
        match self.stream.write_vectored(slices.get(..count).unwrap_or_default()) {
            Ok(0) => self.unsendable(ErrorKind::WriteZero.into()),
            Ok(octets) => {
                self.machine.sent(octets);
                self.is_unflushed = true;
                // Octets that are not flushed now are flushed when the stream is writable.
                self.flush();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.may_write = false;
                return false;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.unsendable(error),
        }
        true
    }

    /// Flushes, if the stream may be writable; returns whether that made progress.
    fn flush(&mut self) -> bool {
        if !self.may_write {
            return false;
        }
        match self.stream.flush() {
            Ok(()) => self.is_unflushed = false,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.may_write = false;
                return false;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.unsendable(error),
        }
        true
    }

    fn unsendable(&mut self, error: io::Error) {
        self.is_writable = false;
        self.is_unflushed = false;
        self.machine.unsendable();
        self.error.get_or_insert(error);
    }

    /// Shuts down the writing direction.
    fn shut_down(&mut self, until: Instant, now: Instant) -> Option<Wait> {
        let wait = Wait { reads: false, writes: true, until };
        self.stage = match (self.shutdown)(&mut self.stream) {
            _ if until.has_passed(now) => Stage::Over,
            Ok(()) if self.is_readable => Stage::Lingering { until, left: LINGER_OCTETS },
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(wait),
            Err(error) if error.kind() == ErrorKind::Interrupted => return None,
            Ok(()) | Err(_) => Stage::Over,
        };
        None
    }

    /// Discards octets until the peer closes its direction, too: a socket that is closed with unread
    /// octets is reset, which may destroy the last reply on its way.
    fn linger(&mut self, until: Instant, left: usize, now: Instant) -> Option<Wait> {
        let wait = Wait { reads: true, writes: false, until };
        if until.has_passed(now) {
            self.stage = Stage::Over;
        } else if self.has_had_its_turn() {
            return Some(Wait { until: now, ..wait });
        } else if !self.may_read {
            return Some(wait);
        } else {
            let mut discarded = [0; DISCARD];
            self.stage = match self.stream.read(&mut discarded) {
                Ok(octets) if octets > 0 && octets < left => {
                    Stage::Lingering { until, left: left - octets }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.may_read = false;
                    return Some(wait);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => return None,
                Ok(_) | Err(_) => Stage::Over,
            };
        }
        None
    }
}

impl Connection<Server> {
    /// Creates the server's side of an accepted connection, and makes its stream non-blocking.
    ///
    /// # Errors
    ///
    /// The connection is lost already, or it is LMTP on port 25 (RFC 2033 section 5).
    pub fn accept(stream: TcpStream, config: Arc<Config>) -> io::Result<Self> {
        let server = crate::io::server(config, stream.local_addr()?, stream.peer_addr()?)?;
        // A reply must not wait for the acknowledgement of the one before it.
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self::new(server, stream, |stream| stream.shutdown(Shutdown::Write)))
    }
}

impl<M: fmt::Debug, S: fmt::Debug> fmt::Debug for Connection<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("machine", &self.machine)
            .field("stream", &self.stream)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
