//! A peer that plays one side of a script.

use super::{
    dialect::{Agreement, Step},
    inbox::Inbox,
    mismatch::Mismatch,
    running::RunningPeer,
    script::{Cut, Script, differs, shown},
};
use crate::{
    io::blocking::{Connection, Stream},
    machine::{Closed, Machine, Need, Upgradable},
    security::{Security, TlsFailure},
    time::Instant,
    transcript::Side,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use std::{
    io,
    net::{TcpListener, TcpStream},
    thread, time,
};

/// One side of a [`Script`], to test the client or server at its other end: a program of any
/// origin, or a function on a connection.
///
/// It is a [`Machine`] that asks no questions, so that every adapter drives it: over TCP
/// ([`listen`](Self::listen), [`connect`](Self::connect)), on any stream in the tokio or the
/// blocking `Connection`, inside TLS (`(secured)` in the script is the handshake), or in memory
/// ([`Link`](super::Link)). It sends the lines of its side and expects exactly those of the other.
///
/// ```
/// use esmtp::{client, envelope::Envelope, io::blocking, testing::{ScriptedPeer, Script}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let script = Script::new(
///     "S: 220 mx.example.org
///      C: EHLO me.example.net
///      S: 250 mx.example.org
///      C: MAIL FROM:<ann@example.net>
///      S: 452 4.3.1 Insufficient system storage
///      C: QUIT
///      S: 221 2.0.0 Bye",
/// )?;
/// let server = ScriptedPeer::server(&script).listen()?;
/// let mut session = blocking::connect(server.address(), client::Config::new("me.example.net")?)?;
/// let envelope = Envelope::new("ann@example.net", &["bob@example.org"])?;
/// let report = session.send(envelope, b"Subject: x\r\n\r\nhello\r\n")?;
/// assert!(!report.is_delivered_to_all());
/// session.quit()?;
/// server.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ScriptedPeer {
    script: Script,
    side: Side,
    cut: Cut,
    patience: Duration,
    /// The next step.
    next: usize,
    /// Octets of the other side that were not compared yet.
    input: Inbox,
    output: Vec<u8>,
    sent: usize,
    /// The end of the wait for time that passes, or for the other side.
    until: Option<Instant>,
    closed: Option<Closed>,
    is_unsendable: bool,
    is_closing: bool,
    mismatch: Option<Mismatch>,
}

impl ScriptedPeer {
    /// Creates the server of a script: it sends the lines `S:`.
    #[must_use]
    pub fn server(script: &Script) -> Self {
        Self::new(script, Side::Server)
    }

    /// Creates the client of a script: it sends the lines `C:`.
    #[must_use]
    pub fn client(script: &Script) -> Self {
        Self::new(script, Side::Client)
    }

    /// Creates one side of a script.
    #[must_use]
    pub fn new(script: &Script, side: Side) -> Self {
        Self {
            script: script.clone(),
            side,
            cut: Cut::Nowhere,
            patience: Duration::from_secs(10),
            next: 0,
            input: Inbox::default(),
            output: Vec::new(),
            sent: 0,
            until: None,
            closed: None,
            is_unsendable: false,
            is_closing: false,
            mismatch: None,
        }
    }

    /// Sets where its octets are cut: [`Cut::Nowhere`] by default.
    ///
    /// Each part is a write of its own. A network may still join them.
    #[must_use]
    pub const fn with_cut(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    /// Returns where its octets are cut.
    #[must_use]
    pub const fn cut(&self) -> Cut {
        self.cut
    }

    /// Sets the time that it waits for the other side, and for a connection; 10 seconds by default.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Returns the time that it waits for the other side.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// Returns whether the session went as the script says, to its end.
    ///
    /// # Errors
    ///
    /// The other side did not send what the script says, or the session has ended before it.
    pub fn result(&self) -> Result<(), Mismatch> {
        match &self.mismatch {
            Some(mismatch) => Err(mismatch.clone()),
            None if self.next < self.script.steps().len() || !self.unsent().is_empty() => {
                Err(self.differs("has not come to the end of the script".to_string()))
            }
            None => Ok(()),
        }
    }

    /// Plays the script on a blocking stream, and returns whether the session went as it says.
    ///
    /// # Errors
    ///
    /// The other side did not send what the script says, or the connection failed.
    pub fn run(self, stream: impl Stream) -> Result<(), Mismatch> {
        let mut connection = Connection::new(self, stream);
        let end = connection.next();
        let (peer, _) = connection.into_parts();
        match (peer.result(), end) {
            (Err(_), Err(error)) if peer.mismatch.is_none() => {
                Err(peer.differs(format!("cannot be reached: {error}")))
            }
            (result, _) => result,
        }
    }

    /// Plays the script in a thread, on a connection to this address.
    ///
    /// # Errors
    ///
    /// No connection could be made.
    pub fn connect(self, address: SocketAddr) -> io::Result<RunningPeer> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        RunningPeer::start(address, move || self.run(stream))
    }

    /// Plays the script in a thread, on the first connection to a port of the loopback interface.
    ///
    /// # Errors
    ///
    /// The port could not be opened.
    pub fn listen(self) -> io::Result<RunningPeer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        RunningPeer::start(address, move || match accept(&listener, self.patience) {
            Ok(stream) => self.run(stream),
            Err(error) => Err(self.differs(format!("did not connect: {error}"))),
        })
    }

    const fn other(&self) -> Side {
        match self.side {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    fn differs(&self, complaint: String) -> Mismatch {
        let lines = self.script.steps().iter().take(self.next).map(|(_, line)| line.as_str());
        Mismatch::new(self.other(), complaint, lines)
    }

    fn fail(&mut self, complaint: String) -> Need {
        self.mismatch = Some(self.differs(complaint));
        self.output.clear();
        Need::Close
    }

    fn unsent(&self) -> &[u8] {
        let rest = self.output.get(self.sent..).unwrap_or_default();
        let octets = match self.cut {
            Cut::Everywhere => 1,
            Cut::Before(octet) if octet > self.sent => octet.saturating_sub(self.sent),
            _ => usize::MAX,
        };
        rest.get(..octets).unwrap_or(rest)
    }

    /// Waits for the octets to be written, at most as long as its patience.
    fn await_writing(&mut self, now: Instant) -> Need {
        let until = *self.until.get_or_insert(now.saturating_add(self.patience));
        match self.closed {
            _ if until.has_passed(now) => {
                self.fail(format!("reads nothing, within {:?}", self.patience))
            }
            Some(_) => Need::Write(until),
            // The other side may be blocked in a write itself.
            None => Need::Either(until),
        }
    }

    /// Takes a step of the script; `None` if it is done.
    fn take_step(&mut self, step: &Step, now: Instant) -> Option<Need> {
        match step {
            Step::Octets { from, .. } if *from == self.side => self.speak(),
            Step::Octets { octets, .. } => match octets.agree_with(self.input.octets()) {
                Agreement::Whole(agreed) => {
                    self.input.take(agreed);
                    self.pass();
                }
                Agreement::Partial => return Some(self.wait(now, &octets.as_sent())),
                Agreement::No => {
                    let complaint = differs(&octets.as_sent(), self.input.octets());
                    return Some(self.fail(complaint));
                }
            },
            Step::Closed { from, .. } if *from == self.side => {
                self.pass();
                self.is_closing = true;
            }
            Step::Closed { .. } if !self.input.octets().is_empty() => {
                let complaint = shown(self.input.octets());
                return Some(self.fail(format!("does not close, but sent {complaint}")));
            }
            Step::Closed { .. } if self.closed.is_some() => self.pass(),
            Step::Closed { .. } => {
                let until = *self.until.get_or_insert(now.saturating_add(self.patience));
                match until.has_passed(now) {
                    true => return Some(self.fail("does not close".to_string())),
                    false => return Some(Need::Read(until)),
                }
            }
            Step::Passes(time) => {
                let until = *self.until.get_or_insert(now.saturating_add(*time));
                match until.has_passed(now) {
                    true => self.pass(),
                    false => return Some(Need::Wait(until)),
                }
            }
            Step::Handshake { .. } => return Some(Need::Answer),
            Step::Broken { .. } | Step::ShutDown => {
                let complaint = "cannot be told to end, or not to write, by its peer";
                return Some(self.fail(complaint.to_string()));
            }
        }
        None
    }

    /// Waits for the other side, at most as long as its patience.
    fn wait(&mut self, now: Instant, expected: &[u8]) -> Need {
        let until = *self.until.get_or_insert(now.saturating_add(self.patience));
        if self.closed.is_some() {
            let complaint = match self.input.octets() {
                [] => format!("closed, and the script says {}", shown(expected)),
                octets => differs(expected, octets),
            };
            return self.fail(complaint);
        }
        if until.has_passed(now) {
            let complaint = differs(expected, self.input.octets());
            return self.fail(format!("{complaint}, within {:?}", self.patience));
        }
        Need::Read(until)
    }

    /// Appends the octets of its side that follow one another, and passes over them.
    fn speak(&mut self) {
        while let Some((Step::Octets { from, octets }, _)) = self.script.steps().get(self.next)
            && *from == self.side
        {
            self.output.extend(octets.as_sent());
            self.next = self.next.saturating_add(1);
        }
    }

    fn pass(&mut self) {
        self.until = None;
        self.next = self.next.saturating_add(1);
    }
}

/// Waits for a connection, at most this long.
fn accept(listener: &TcpListener, patience: Duration) -> io::Result<TcpStream> {
    let start = time::Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if start.elapsed() >= patience => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

impl Machine for ScriptedPeer {
    type Event<'m> = Infallible;

    fn poll(&mut self, now: Instant) -> Need {
        loop {
            if self.mismatch.is_some() || self.is_closing {
                return Need::Close;
            }
            if !self.unsent().is_empty() && !self.is_unsendable {
                return self.await_writing(now);
            }
            let Some((step, _)) = self.script.steps().get(self.next) else {
                return match self.input.octets() {
                    [] => Need::Close,
                    octets => {
                        let complaint = shown(octets);
                        self.fail(format!("sent more than the script says: {complaint}"))
                    }
                };
            };
            let step = step.clone();
            if let Some(need) = self.take_step(&step, now) {
                return need;
            }
        }
    }

    fn event(&mut self) -> Option<Infallible> {
        None
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        self.input.room()
    }

    fn received(&mut self, octets: usize) {
        self.input.received(octets);
    }

    fn release(&mut self) {
        self.input.release();
    }

    fn closed(&mut self, how: Closed) {
        self.closed.get_or_insert(how);
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        let octets = self.unsent();
        match slices.first_mut() {
            Some(slice) if !octets.is_empty() && !self.is_unsendable => {
                *slice = octets;
                1
            }
            _ => 0,
        }
    }

    fn sent(&mut self, octets: usize) {
        self.sent = self.sent.saturating_add(octets).min(self.output.len());
        self.until = None; // it waits anew
    }

    fn unsendable(&mut self) {
        self.is_unsendable = true;
    }
}

/// Inside TLS the handshake takes place at `(secured)`.
impl Upgradable for ScriptedPeer {
    fn is_upgrading(&self) -> bool {
        let step = self.script.steps().get(self.next);
        self.unsent().is_empty() && matches!(step, Some((Step::Handshake { .. }, _)))
    }

    fn upgraded(&mut self, _: Security) {
        match self.script.steps().get(self.next) {
            Some((Step::Handshake { succeeds: true }, _)) => self.pass(),
            _ => {
                let complaint = "completed a TLS handshake that the script does not expect";
                let _ = self.fail(complaint.to_string());
            }
        }
    }

    fn upgrade_failed(&mut self, why: TlsFailure) {
        match self.script.steps().get(self.next) {
            Some((Step::Handshake { succeeds: false }, _)) => {
                self.pass();
                self.is_closing = true;
            }
            _ => {
                let _ = self.fail(format!("did not complete the TLS handshake: {why}"));
            }
        }
    }
}
