//! A server with faults.

use super::{
    fault::{Act, FaultCounter, Faults, Place},
    inbox::Inbox,
};
use crate::{
    machine::{Closed, Machine, Need, OpenQuestion, Upgradable},
    security::{Security, TlsFailure},
    server::{Event, Server},
    syntax::{Command, Lenience, Rejection},
    time::Instant,
    wire::Chunk,
};
use alloc::{string::String, vec::Vec};
use core::time::Duration;

/// The time that a stalled server waits for its peer to close.
const STALL: Duration = Duration::from_secs(24 * 60 * 60);

/// A [`Server`] that does something else than it should at the places that a test chooses.
///
/// Up to a fault and after it the session is that of the server; the application answers its events.
/// It is a [`Machine`], and goes on every stream, into TLS, and on a [`Link`](super::Link).
/// [`LoopbackServer`](super::LoopbackServer) runs many of them on a port.
///
/// ```
/// use esmtp::{
///     security::Security,
///     server::{Config, Peer, Server},
///     testing::{At, Fault, Faults, FaultyServer, Link, Script, ScriptedPeer},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::new(Config::new("mx.example.org")?.into(), Peer::UNKNOWN, Security::CLEAR);
/// let faults = Faults::default().with(At::command("NOOP"), Fault::reply("450 4.3.0 Not now"));
/// let mut server = FaultyServer::new(server, &faults);
/// let mut client = ScriptedPeer::client(&Script::new(
///     "S: 220 ...
///      C: EHLO client.example.net
///      S: 250 ...
///      C: NOOP
///      S: 450 4.3.0 Not now
///      C: QUIT
///      S: 221 ...",
/// )?);
/// Link::new().drive(
///     &mut client,
///     &mut server,
///     |_, _| (),
///     |_, server| esmtp::Machine::event(server).into_iter().for_each(|event| event.proceed()),
/// )?;
/// client.result()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyServer {
    server: Server,
    faults: FaultCounter,
    input: Inbox,
    /// Octets of one command, or of content, that the server takes next.
    piece: Vec<u8>,
    output: Vec<u8>,
    mode: Mode,
    /// In place of the server's next octets.
    replacement: Option<Act>,
    /// The last message that was asked for, so that it is counted once.
    delivery: Option<u64>,
    /// Nothing is sent before this time.
    until: Option<Instant>,
    closed: Option<Closed>,
    /// The server knows that the peer has closed.
    has_passed_close: bool,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Greeting,
    Commands,
    /// DATA was passed on, and its reply decides.
    Data,
    /// Lines are content.
    Content,
    /// Octets of a chunk; of a chunk that the server does not see.
    Chunk(Chunk, Seen),
    Stalled,
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Yes,
    No,
}

impl FaultyServer {
    /// Puts the faults of a first session into a server.
    #[must_use]
    pub fn new(server: Server, faults: &Faults) -> Self {
        Self::in_session(server, faults, 1)
    }

    /// Puts the faults of the `n`th session, counted from 1, into a server.
    #[must_use]
    pub fn in_session(server: Server, faults: &Faults, n: usize) -> Self {
        Self {
            server,
            faults: faults.of_session(n),
            input: Inbox::default(),
            piece: Vec::new(),
            output: Vec::new(),
            mode: Mode::Greeting,
            replacement: None,
            delivery: None,
            until: None,
            closed: None,
            has_passed_close: false,
        }
    }

    /// Returns the server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the server, to change it from outside, not to drive it.
    #[must_use]
    pub const fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Takes the server's octets, or what replaces them.
    fn collect(&mut self, now: Instant) {
        let octets = self.server.output(usize::MAX);
        self.server.sent(octets.len());
        if octets.is_empty() {
            return;
        }
        let act = match self.mode {
            Mode::Greeting => self.faults.at(&Place::Greeting),
            _ => self.replacement.take(),
        };
        self.mode = match self.mode {
            Mode::Data if octets.starts_with(b"354") => Mode::Content,
            Mode::Greeting | Mode::Data | Mode::Content => Mode::Commands,
            other => other,
        };
        match act {
            None => self.output.extend_from_slice(&octets),
            Some(act) => self.act(act, &octets, now),
        }
    }

    /// Does something in place of a reply.
    fn act(&mut self, act: Act, reply: &[u8], now: Instant) {
        match act {
            Act::Reply { text, closes } => {
                for _ in 0..replies(reply).max(1) {
                    text.split('\n').for_each(|line| {
                        self.output.extend_from_slice(line.trim_end_matches('\r').as_bytes());
                        self.output.extend_from_slice(b"\r\n");
                    });
                }
                if closes {
                    self.mode = Mode::Closing;
                }
            }
            Act::Octets(octets) => self.output.extend(octets),
            Act::Delay(time) => {
                self.until = Some(now.saturating_add(time));
                self.output.extend_from_slice(reply);
            }
            Act::Stall => self.mode = Mode::Stalled,
            Act::Drop => {
                self.output.clear();
                self.mode = Mode::Closing;
            }
        }
    }

    /// Looks at the question that is open; returns whether it was answered here.
    fn intercept(&mut self) -> bool {
        let Some(Event::Deliver(delivery)) = self.server.event() else { return false };
        if self.delivery.replace(delivery.number()) == Some(delivery.number()) {
            return false;
        }
        match self.faults.at(&Place::EndOfContent) {
            // The right reply, later.
            Some(act @ Act::Delay(_)) => self.replacement = Some(act),
            Some(act) => {
                delivery.reject(Rejection::LOCAL_ERROR);
                self.replacement = Some(act);
                return true;
            }
            None => self.replacement = self.faults.at(&Place::Taken),
        }
        false
    }

    /// Passes on the next command, or a piece of content; returns whether there was one.
    fn pass_on(&mut self, now: Instant) -> bool {
        if self.piece.is_empty() && !self.next_piece(now) {
            return false;
        }
        if self.until.is_some() {
            return true;
        }
        let taken = self.server.feed(&self.piece);
        self.piece.drain(..taken);
        taken > 0 || self.piece.is_empty()
    }

    /// Takes the next command, or a piece of content, from the input; returns whether anything was
    /// taken.
    fn next_piece(&mut self, now: Instant) -> bool {
        match self.mode {
            Mode::Chunk(mut chunk, seen) => {
                let octets = self.input.take(chunk.span(self.input.octets()));
                chunk.consume(octets.len());
                self.mode =
                    if chunk.is_complete() { Mode::Commands } else { Mode::Chunk(chunk, seen) };
                let is_progress = !octets.is_empty() || chunk.is_complete();
                if seen == Seen::Yes {
                    self.piece = octets;
                }
                is_progress
            }
            Mode::Content | Mode::Greeting => {
                self.piece = self.line().unwrap_or_default();
                !self.piece.is_empty()
            }
            Mode::Commands | Mode::Data => match self.line() {
                Some(line) => {
                    self.command(line, now);
                    true
                }
                None => false,
            },
            Mode::Stalled | Mode::Closing => false,
        }
    }

    /// Takes a line; the last one may lack its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let octets = self.input.octets();
        let end = octets.iter().position(|octet| *octet == b'\n').map(|at| at.saturating_add(1));
        let is_last = self.closed.is_some() || octets.len() > 64 * 1024;
        match end.or_else(|| is_last.then_some(octets.len()))? {
            0 => None,
            end => Some(self.input.take(end)),
        }
    }

    /// Passes on a command, or has its fault.
    fn command(&mut self, line: Vec<u8>, now: Instant) {
        let text = line.trim_ascii_end();
        let verb = text.split(|octet| *octet == b' ').next().unwrap_or_default();
        let verb = String::from_utf8_lossy(verb).to_ascii_uppercase();
        let act = self.faults.at(&Place::Command(verb.clone().into()));
        let chunk = match Command::parse(text, Lenience::ALL) {
            Ok(Command::Bdat { octets, .. }) => Some(Chunk::new(octets)),
            _ => None,
        };
        match act {
            Some(Act::Delay(time)) => {
                self.until = Some(now.saturating_add(time));
                self.piece = line;
            }
            Some(act) => {
                if let Some(chunk) = chunk {
                    self.mode = Mode::Chunk(chunk, Seen::No);
                }
                self.act(act, b"", now);
                return;
            }
            None => self.piece = line,
        }
        match chunk {
            Some(chunk) => self.mode = Mode::Chunk(chunk, Seen::Yes),
            None if verb == "DATA" => self.mode = Mode::Data,
            None => self.mode = Mode::Commands,
        }
    }
}

/// Returns the number of replies in these octets.
fn replies(octets: &[u8]) -> usize {
    let lines = octets.split(|octet| *octet == b'\n');
    lines.filter(|line| line.len() > 3 && line.get(3) != Some(&b'-')).count()
}

impl Machine for FaultyServer {
    type Event<'m> = Event<'m>;

    fn poll(&mut self, now: Instant) -> Need {
        loop {
            if let Some(until) = self.until {
                if !until.has_passed(now) {
                    return Need::Wait(until);
                }
                self.until = None;
            }
            let is_over = matches!(self.mode, Mode::Stalled | Mode::Closing);
            let server = match self.mode {
                Mode::Stalled | Mode::Closing => Need::Close,
                _ => self.server.poll(now),
            };
            match server {
                Need::Answer if self.intercept() => continue,
                Need::Answer if self.output.is_empty() => return Need::Answer,
                Need::Write(_) | Need::Either(_) => {
                    self.collect(now);
                    continue;
                }
                Need::Read(_) if self.pass_on(now) => continue,
                _ => {}
            }
            let end = now.saturating_add(STALL);
            return match (server, self.mode, self.closed) {
                _ if !self.output.is_empty() && self.closed.is_some() => Need::Write(end),
                _ if !self.output.is_empty() => Need::Either(end),
                (_, Mode::Stalled, None) => Need::Read(end),
                (Need::Read(_), _, Some(how)) if !is_over && !self.has_passed_close => {
                    self.has_passed_close = true;
                    self.server.closed(how);
                    continue;
                }
                (need, ..) => need,
            };
        }
    }

    fn event(&mut self) -> Option<Event<'_>> {
        self.server.event()
    }

    fn question(&mut self) -> Option<OpenQuestion> {
        self.server.question()
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        if matches!(self.mode, Mode::Stalled | Mode::Closing) {
            self.input = Inbox::default();
        }
        self.input.room()
    }

    fn received(&mut self, octets: usize) {
        self.input.received(octets);
    }

    fn release(&mut self) {
        self.input.release();
        self.server.release();
    }

    fn closed(&mut self, how: Closed) {
        self.closed.get_or_insert(how);
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        match slices.first_mut() {
            Some(slice) if !self.output.is_empty() && self.until.is_none() => {
                *slice = &self.output;
                1
            }
            _ => 0,
        }
    }

    fn sent(&mut self, octets: usize) {
        self.output.drain(..octets.min(self.output.len()));
    }

    fn unsendable(&mut self) {
        self.output.clear();
        self.mode = Mode::Closing;
        self.server.unsendable();
    }
}

impl Upgradable for FaultyServer {
    fn is_upgrading(&self) -> bool {
        self.output.is_empty() && self.server.is_upgrading()
    }

    fn upgraded(&mut self, security: Security) {
        // Octets that came in the clear are not passed on as if TLS had protected them.
        self.input = Inbox::default();
        self.server.upgraded(security);
    }

    fn upgrade_failed(&mut self, why: TlsFailure) {
        self.server.upgrade_failed(why);
    }

    fn tls_failed(&mut self, why: TlsFailure) {
        self.server.tls_failed(why);
    }

    fn is_stopping(&self) -> bool {
        self.server.is_stopping()
    }
}
