//! Both ends of a session in memory, with a clock that advances only when nothing else can happen.

use super::driver::deadline;
use crate::{
    client,
    machine::{Closed, Machine, Need},
    server,
    time::Instant,
    transcript::Side,
};
use alloc::{collections::VecDeque, vec::Vec};
use core::{fmt, time::Duration};

/// The number of steps after which a session counts as endless.
const MOST_STEPS: usize = 1_000_000;

/// The time by which the clock advances when one side has closed and the other waits.
const AFTER_CLOSE: Duration = Duration::from_secs(10);

/// A connection in memory between a client and a server: with a delay, with octets that are cut, and
/// with a loss, on a fake clock that begins at [`Instant::ORIGIN`].
///
/// The machines may be inside TLS (`tls::Secured`).
///
/// ```
/// use esmtp::{
///     client::{self, Client, MessageFacts},
///     envelope::Envelope,
///     security::Security,
///     server::{self, Peer, Server},
///     testing::Link,
/// };
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let content = b"Subject: x\r\n\r\nhello\r\n";
/// let config = server::Config::new("mx.example.org")?.into();
/// let mut server = Server::new(config, Peer::UNKNOWN, Security::CLEAR);
/// let mut client = Client::new(client::Config::new("me.example.net")?, Security::CLEAR);
/// let mut envelope = Some(Envelope::new("ann@example.net", &["bob@example.org"])?);
/// let mut received = Vec::new();
/// let end = Link::new().with_delay(Duration::from_millis(50)).with_pieces([1, 3, 100]).run(
///     &mut client,
///     &mut server,
///     |_, event| match event {
///         client::Event::Ready(ready) => match envelope.take() {
///             Some(envelope) => drop(ready.send(envelope, MessageFacts::scan(content))),
///             None => ready.quit(),
///         },
///         client::Event::Content(mut question) => {
///             question.write(content).and_then(|_| question.finish()).unwrap();
///         }
///         client::Event::Sent(sent) => assert!(sent.take().is_delivered_to_all()),
///         other => other.quit(),
///     },
///     |_, event| match event {
///         server::Event::Rcpt(rcpt) => rcpt.accept(),
///         server::Event::Content(content) => received.extend_from_slice(content.take()),
///         server::Event::Deliver(delivery) => delivery.accept(),
///         other => other.proceed(),
///     },
/// )?;
/// assert_eq!(received, content);
/// assert!(end.elapsed() < Duration::from_secs(1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Link {
    delay: Duration,
    pieces: Vec<usize>,
    client_loss: Option<usize>,
    server_loss: Option<usize>,
    has_time_outs: bool,
}

/// A session in which both sides wait for the other, or that has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    client: Need,
    server: Need,
    time: Instant,
}

impl Stuck {
    /// Returns the need of this side.
    pub const fn need(&self, side: Side) -> Need {
        match side {
            Side::Client => self.client,
            Side::Server => self.server,
        }
    }

    /// Returns the time on the fake clock.
    #[must_use]
    pub const fn time(&self) -> Instant {
        self.time
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, server, time } = self;
        let time = time.elapsed();
        write!(f, "the session stands still after {time:?}: client {client:?}, server {server:?}")
    }
}

impl core::error::Error for Stuck {}

impl Link {
    /// Creates a link without delay, which passes on all that is written.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            delay: Duration::ZERO,
            pieces: Vec::new(),
            client_loss: None,
            server_loss: None,
            has_time_outs: false,
        }
    }

    /// Sets the time that octets travel, one way.
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Returns the time that octets travel, one way.
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// Sets the number of octets that each write takes, in turn, and begins again after the last.
    ///
    /// With no number in the list, a write takes all octets that wait.
    #[must_use]
    pub fn with_pieces(mut self, pieces: impl IntoIterator<Item = usize>) -> Self {
        self.pieces = pieces.into_iter().map(|octets| octets.max(1)).collect();
        self
    }

    /// Returns the number of octets that each write takes.
    #[must_use]
    pub fn pieces(&self) -> &[usize] {
        &self.pieces
    }

    /// Loses the connection when this side has sent `octets`, or more: all that is under way is
    /// gone.
    #[must_use]
    pub const fn with_loss(mut self, side: Side, octets: usize) -> Self {
        match side {
            Side::Client => self.client_loss = Some(octets),
            Side::Server => self.server_loss = Some(octets),
        }
        self
    }

    /// Returns the number of octets of this side after which the connection is lost.
    #[must_use]
    pub const fn loss(&self, side: Side) -> Option<usize> {
        match side {
            Side::Client => self.client_loss,
            Side::Server => self.server_loss,
        }
    }

    /// Lets the deadlines of the machines pass when each side waits for the other, as with a peer that
    /// stalls. Without it such a session is [`Stuck`], so that a deadlock is found.
    #[must_use]
    pub const fn with_time_outs(mut self) -> Self {
        self.has_time_outs = true;
        self
    }

    /// Returns whether the deadlines of the machines pass.
    #[must_use]
    pub const fn has_time_outs(&self) -> bool {
        self.has_time_outs
    }

    /// Drives both machines until both have closed, and returns the time that took.
    ///
    /// The functions answer the questions of the client and of the server; the instant is the time on
    /// the fake clock.
    ///
    /// # Errors
    ///
    /// Each side waits for the other (unless [time-outs](Self::with_time_outs) are on), a question is
    /// never answered, or the session has no end.
    pub fn run<C, S>(
        &self,
        client: &mut C,
        server: &mut S,
        mut sends: impl FnMut(Instant, client::Event<'_>),
        mut receives: impl FnMut(Instant, server::Event<'_>),
    ) -> Result<Instant, Stuck>
    where
        C: for<'m> Machine<Event<'m> = client::Event<'m>> + 'static,
        S: for<'m> Machine<Event<'m> = server::Event<'m>> + 'static,
    {
        self.drive(
            client,
            server,
            |now, client| client.event().map(|event| sends(now, event)).unwrap_or_default(),
            |now, server| server.event().map(|event| receives(now, event)).unwrap_or_default(),
        )
    }

    /// Drives any two machines, such as a [`ScriptedPeer`](super::ScriptedPeer) and a server, until
    /// both have closed, and returns the time that took.
    ///
    /// The functions answer the question that their machine asks.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn drive<C: Machine, S: Machine>(
        &self,
        client: &mut C,
        server: &mut S,
        mut sends: impl FnMut(Instant, &mut C),
        mut receives: impl FnMut(Instant, &mut S),
    ) -> Result<Instant, Stuck> {
        let mut now = Instant::ORIGIN;
        let (mut to_server, mut to_client) = (Lane::default(), Lane::default());
        let mut pieces = self.pieces.iter().copied().cycle();
        let mut end = End { now, delay: self.delay, steps: 0 };
        loop {
            end.now = now;
            let (client_need, client_moved) =
                end.step(client, &mut pieces, &mut to_server, &mut to_client, &mut sends);
            let (server_need, server_moved) =
                end.step(server, &mut pieces, &mut to_client, &mut to_server, &mut receives);
            let stuck = Stuck { client: client_need, server: server_need, time: now };
            if client_need == Need::Close && server_need == Need::Close {
                return Ok(now);
            }
            if end.steps > MOST_STEPS {
                return Err(stuck);
            }
            let is_lost = |lane: &Lane, at: Option<usize>| at.is_some_and(|at| lane.octets >= at);
            if is_lost(&to_client, self.server_loss) || is_lost(&to_server, self.client_loss) {
                to_client.lose();
                to_server.lose();
                client.closed(Closed::CutOff);
                client.unsendable();
                server.closed(Closed::CutOff);
                server.unsendable();
            }
            if client_moved || server_moved {
                continue;
            }
            let arrivals = [&to_client, &to_server].map(Lane::next);
            let waits = [client_need, server_need].map(|need| match need {
                Need::Wait(until) => Some(until),
                _ => None,
            });
            now = match arrivals.into_iter().chain(waits).flatten().min() {
                Some(next) => next.max(now),
                // One side has closed, and the other may still wait for a deadline of its own.
                None if to_client.is_over || to_server.is_over => now.saturating_add(AFTER_CLOSE),
                None if self.has_time_outs => {
                    let deadlines = [client_need, server_need].into_iter().filter_map(deadline);
                    match deadlines.min() {
                        Some(deadline) if deadline > now => deadline,
                        _ => return Err(stuck),
                    }
                }
                None => return Err(stuck),
            };
        }
    }
}

/// One direction of the link.
#[derive(Debug, Default)]
struct Lane {
    under_way: VecDeque<(Instant, Vec<u8>)>,
    /// The number of octets that were written to it.
    octets: usize,
    is_over: bool,
}

impl Lane {
    fn next(&self) -> Option<Instant> {
        self.under_way.front().map(|(arrival, _)| *arrival)
    }

    fn lose(&mut self) {
        self.under_way.clear();
        self.is_over = true;
    }
}

/// The time, and what the steps have in common.
struct End {
    now: Instant,
    delay: Duration,
    steps: usize,
}

impl End {
    /// Advances one machine as far as it can at this time; returns its need and whether it has
    /// moved.
    fn step<M: Machine>(
        &mut self,
        machine: &mut M,
        pieces: &mut impl Iterator<Item = usize>,
        out: &mut Lane,
        into: &mut Lane,
        answer: &mut impl FnMut(Instant, &mut M),
    ) -> (Need, bool) {
        let now = self.now;
        let mut has_moved = false;
        loop {
            let need = machine.poll(now);
            self.steps = self.steps.saturating_add(1);
            if self.steps > MOST_STEPS {
                return (need, has_moved);
            }
            match need {
                Need::Answer => answer(now, machine),
                Need::Close => {
                    has_moved |= !out.is_over;
                    out.is_over = true;
                    return (need, has_moved);
                }
                Need::Wait(until) if !until.has_passed(now) => return (need, has_moved),
                Need::Wait(_) => {}
                Need::Write(_) | Need::Either(_) if machine.to_send(&mut [&[]]) > 0 => {
                    let octets = machine.output(pieces.next().unwrap_or(usize::MAX));
                    machine.sent(octets.len());
                    out.octets = out.octets.saturating_add(octets.len());
                    out.under_way.push_back((now.saturating_add(self.delay), octets.to_vec()));
                }
                Need::Read(_) | Need::Write(_) | Need::Either(_) => {
                    match into.under_way.front_mut() {
                        Some((at, octets))
                            if at.has_passed(now) && !matches!(need, Need::Write(_)) =>
                        {
                            let taken = machine.feed(octets);
                            octets.drain(..taken);
                            if octets.is_empty() {
                                into.under_way.pop_front();
                            }
                        }
                        None if into.is_over => {
                            machine.closed(Closed::Clean);
                            if machine.poll(now) == need {
                                return (need, has_moved);
                            }
                        }
                        _ => return (need, has_moved),
                    }
                }
            }
            has_moved = true;
        }
    }
}
