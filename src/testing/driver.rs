//! A machine in memory, driven a step at a time.

use crate::{
    machine::{Closed, Machine, Need},
    time::Instant,
};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::{mem, time::Duration};

/// The number of times that an application is asked one question before it counts as undecided.
const REPEATS: usize = 1000;

/// A machine in memory on a fake clock, for a test that decides step by step: octets in, octets out.
///
/// Where the whole conversation is known, a [`Script`](super::Script) says more.
///
/// ```
/// use esmtp::{
///     security::Security,
///     server::{Config, Peer, Server},
///     testing::Driver,
/// };
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new("mx.example.org")?.into();
/// let mut server = Driver::new(Server::new(config, Peer::UNKNOWN, Security::CLEAR));
/// let greeting = server.exchange("", |event| event.proceed());
/// assert!(greeting.starts_with("220 "));
/// for verb in ["RSET", "NOOP"] {
///     let reply = server.exchange(format!("{verb}\r\n"), |event| event.proceed());
///     assert!(reply.starts_with("250 "), "{verb}");
/// }
/// let farewell = server.pass(Duration::from_secs(300), |event| event.proceed());
/// assert!(farewell.starts_with("421 "));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Driver<M> {
    machine: M,
    state: State,
    /// The writes of the last call.
    writes: Vec<Bytes>,
}

/// The state of a session between a machine and its test.
#[derive(Debug)]
pub(super) struct State {
    pub(super) time: Instant,
    pub(super) need: Need,
    /// The most octets of one write.
    pub(super) piece: usize,
    /// The question about a TLS handshake is not for the application.
    pub(super) holds_upgrade: bool,
    /// No question is for the application: the test takes it from the machine.
    holds_questions: bool,
    writes: Writes,
    /// The writes of the machine that were not taken yet.
    sent: Vec<Bytes>,
    /// Octets that came when the machine had no room for them.
    waiting: Vec<u8>,
}

/// The fate of what the machine writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Taken,
    /// The peer reads nothing.
    Blocked,
    Failing,
}

impl<M: Machine + 'static> Driver<M> {
    /// Puts a machine under the driver, at [`Instant::ORIGIN`]. Nothing happens before the next call.
    #[must_use]
    pub fn new(machine: M) -> Self {
        Self { machine, state: State::default(), writes: Vec::new() }
    }

    /// Sets the most octets that one write takes; all by default.
    #[must_use]
    pub const fn with_piece(mut self, octets: usize) -> Self {
        self.state.piece = if octets == 0 { 1 } else { octets };
        self
    }

    /// Returns the most octets that one write takes.
    #[must_use]
    pub const fn piece(&self) -> usize {
        self.state.piece
    }

    /// Gives the machine octets of its peer, which come in one read, and drives it until only the peer
    /// or a later time can change anything. Returns the octets that the machine has sent, as text.
    ///
    /// A question that `answer` leaves open is asked again by the next call.
    pub fn exchange(
        &mut self,
        octets: impl AsRef<[u8]>,
        mut answer: impl FnMut(M::Event<'_>),
    ) -> String {
        // A machine that breaks the contract of `Machine` is driven no further.
        let Self { machine, state, .. } = self;
        let _ = state.feed(machine, octets.as_ref(), &mut answer);
        let _ = state.drive(machine, &mut answer);
        self.text()
    }

    /// Gives the machine octets of its peer, like [`exchange`](Self::exchange), and leaves each question
    /// to the test, which takes it from the [machine](Self::machine_mut): where [`need`](Self::need) is
    /// [`Need::Answer`] there is one.
    ///
    /// ```
    /// use esmtp::{
    ///     client::{Client, Config, Event},
    ///     machine::{Machine, Need},
    ///     security::Security,
    ///     testing::Driver,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::new(Config::new("client.example.net")?, Security::CLEAR);
    /// let mut client = Driver::new(client);
    /// assert_eq!(client.advance("220 mx.example.org\r\n"), "EHLO client.example.net\r\n");
    /// assert_eq!(client.advance("250 mx.example.org\r\n"), "");
    /// assert_eq!(client.need(), Need::Answer);
    /// let Some(Event::Ready(ready)) = client.machine_mut().event() else { panic!("not ready") };
    /// ready.quit();
    /// assert_eq!(client.advance(""), "QUIT\r\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn advance(&mut self, octets: impl AsRef<[u8]>) -> String {
        self.state.holds_questions = true;
        let sent = self.exchange(octets, |_| ());
        self.state.holds_questions = false;
        sent
    }

    /// Returns the octets of each write of the last call, in order: replies to a pipelined group leave
    /// in one (RFC 2920 section 3.2).
    #[must_use]
    pub fn writes(&self) -> &[Bytes] {
        &self.writes
    }

    /// Lets time pass, with a poll at each deadline, and returns the octets that the machine has sent,
    /// as text.
    pub fn pass(&mut self, time: Duration, mut answer: impl FnMut(M::Event<'_>)) -> String {
        let _ = self.state.wait(&mut self.machine, time, &mut answer);
        self.text()
    }

    /// Ends the direction of the peer, and returns the octets that the machine has sent, as text.
    pub fn close(&mut self, how: Closed, mut answer: impl FnMut(M::Event<'_>)) -> String {
        self.machine.closed(how);
        let _ = self.state.drive(&mut self.machine, &mut answer);
        self.text()
    }

    fn text(&mut self) -> String {
        self.writes = mem::take(&mut self.state.sent);
        String::from_utf8_lossy(&self.writes.concat()).into_owned()
    }

    /// Lets the peer read nothing from here on; the octets of the machine wait.
    pub const fn stop_reading(&mut self) {
        self.state.writes = Writes::Blocked;
    }

    /// Lets the peer read again.
    pub const fn resume_reading(&mut self) {
        self.state.writes = Writes::Taken;
    }

    /// Lets each write fail from here on.
    pub const fn break_writes(&mut self) {
        self.state.break_writes();
    }

    /// Returns the machine.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// Returns the machine, to change it from outside.
    #[must_use]
    pub const fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Takes the machine out.
    #[must_use]
    pub fn into_machine(self) -> M {
        self.machine
    }

    /// Returns the last need of the machine; [`Need::Answer`] if a question was left open.
    pub const fn need(&self) -> Need {
        self.state.need
    }

    /// Returns the time on the fake clock.
    #[must_use]
    pub const fn time(&self) -> Instant {
        self.state.time
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            time: Instant::ORIGIN,
            need: Need::Wait(Instant::ORIGIN),
            piece: usize::MAX,
            holds_upgrade: false,
            holds_questions: false,
            writes: Writes::Taken,
            sent: Vec::new(),
            waiting: Vec::new(),
        }
    }
}

impl State {
    pub(super) const fn break_writes(&mut self) {
        self.writes = Writes::Failing;
    }

    /// Takes the octets that the machine has sent.
    pub(super) fn take_sent(&mut self) -> Vec<u8> {
        mem::take(&mut self.sent).concat()
    }

    /// Drives the machine until only the peer or a later time can change anything.
    pub(super) fn drive<M: Machine + 'static>(
        &mut self,
        machine: &mut M,
        answer: &mut impl FnMut(M::Event<'_>),
    ) -> Result<(), &'static str> {
        let mut repeats = 0_usize;
        loop {
            self.need = machine.poll(self.time);
            match self.need {
                Need::Answer if self.holds_questions => return Ok(()),
                Need::Answer => {
                    let question = machine.question();
                    if self.holds_upgrade && question.is_some_and(|it| it.name() == "Upgrade") {
                        return Ok(());
                    }
                    match machine.event() {
                        Some(event) => answer(event),
                        None => return Err("asked no question, and waits for an answer"),
                    }
                    repeats = match machine.question() == question {
                        true => repeats.saturating_add(1),
                        false => 0,
                    };
                    if repeats >= REPEATS {
                        return Ok(());
                    }
                }
                Need::Write(_) | Need::Either(_) => match self.writes {
                    Writes::Failing => machine.unsendable(),
                    Writes::Blocked => return Ok(()),
                    Writes::Taken => {
                        let octets = machine.output(self.piece);
                        if octets.is_empty() {
                            return Err("wants to write, and has nothing to write");
                        }
                        repeats = 0;
                        machine.sent(octets.len());
                        self.sent.push(octets);
                    }
                },
                Need::Read(deadline) if deadline.has_passed(self.time) => {
                    return Err("waits for a deadline that has passed");
                }
                Need::Read(_) | Need::Wait(_) | Need::Close => return Ok(()),
            }
        }
    }

    /// Gives the machine octets, after those that it had no room for.
    pub(super) fn feed<M: Machine + 'static>(
        &mut self,
        machine: &mut M,
        octets: &[u8],
        answer: &mut impl FnMut(M::Event<'_>),
    ) -> Result<(), &'static str> {
        self.waiting.extend_from_slice(octets);
        while !self.waiting.is_empty() && self.need != Need::Close {
            let taken = machine.feed(&self.waiting);
            self.waiting.drain(..taken);
            self.drive(machine, answer)?;
            if taken == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Lets time pass, with a poll at each deadline.
    pub(super) fn wait<M: Machine + 'static>(
        &mut self,
        machine: &mut M,
        time: Duration,
        answer: &mut impl FnMut(M::Event<'_>),
    ) -> Result<(), &'static str> {
        let end = self.time.saturating_add(time);
        self.drive(machine, answer)?;
        while let Some(deadline) = deadline(self.need).filter(|deadline| *deadline <= end) {
            let need = self.need;
            self.time = self.time.max(deadline);
            self.drive(machine, answer)?;
            if self.need == need {
                break;
            }
        }
        self.time = end;
        self.drive(machine, answer)?;
        self.feed(machine, &[], answer)
    }
}

/// Returns the deadline of a need.
pub(super) const fn deadline(need: Need) -> Option<Instant> {
    match need {
        Need::Read(at) | Need::Write(at) | Need::Either(at) | Need::Wait(at) => Some(at),
        Need::Answer | Need::Close => None,
    }
}
