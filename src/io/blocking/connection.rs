//! A machine on a blocking stream, driven until it asks a question.

use super::{
    driven::Driven,
    queue::{Queue, Source},
    socket::Socket,
    stream::Stream,
    transaction::Transaction,
};
use crate::{
    client::{self, Client, Event, MessageFacts, Report},
    envelope::Envelope,
    io::{
        AsClient, DISCARD, LINGER_OCTETS, LINGER_TIME, Layer, SLICES, SendError, SendFailure,
        SessionError, check_port, is_sending,
        lent::{Home, Lent},
        repeats::Repeats,
        sending::{Sending, Step},
        session::session,
        session_error::over_unless_asked,
        stopper::Attached,
    },
    machine::{Closed, Machine, Need},
    security::Security,
    server::Server,
    syntax::{Parameters, ReversePath},
    time::Instant,
};
#[cfg(feature = "getrandom")]
use crate::{
    io::authenticating::{AuthenticateError, Authenticating},
    sasl::Credentials,
    syntax::Mechanism,
};
use alloc::sync::Arc;
use core::{task::Poll, time::Duration};
use std::{
    io::{self, BufRead, ErrorKind, IoSlice},
    net::{TcpStream, ToSocketAddrs},
    thread, time,
};

/// The time that a write may block when the machine could also read.
///
/// The peer may be blocked in a write itself and not read before this side has read.
const PATIENCE: Duration = Duration::from_millis(100);

/// A machine on a blocking stream: see [the module](super).
#[derive(Debug)]
pub struct Connection<M, S = TcpStream> {
    driver: Lent<Driver<M, S>>,
}

/// All of a connection.
#[derive(Debug)]
pub(super) struct Driver<M, S> {
    machine: M,
    stream: S,
    origin: time::Instant,
    /// The peer may still send.
    is_readable: bool,
    /// The peer may still receive.
    is_writable: bool,
    /// Octets were written that the stream may still hold.
    is_unflushed: bool,
    /// A write took too long while the machine could also read.
    is_stuck: bool,
    /// The error of the session, until [`next`](Self::next) has returned it.
    error: Option<io::Error>,
    repeats: Repeats,
    is_over: bool,
    /// The handle that may end the session from another thread.
    stopper: Option<Attached<M>>,
}

/// A session of a client that a function can name: in the clear or in TLS, over any stream.
pub type ClientSession = Connection<Layer<Client>, Socket>;

/// A session of a server that a function can name: in the clear or in TLS, over any stream.
pub type ServerSession = Connection<Layer<Server>, Socket>;

impl<M: Machine, S: Stream> Connection<M, S> {
    /// Puts `machine` on `stream`. Nothing happens before [`next`](Self::next).
    #[must_use]
    pub fn new(machine: M, stream: S) -> Self {
        let driver = Driver {
            machine,
            stream,
            origin: time::Instant::now(),
            is_readable: true,
            is_writable: true,
            is_unflushed: false,
            is_stuck: false,
            error: None,
            repeats: Repeats::default(),
            is_over: false,
            stopper: None,
        };
        Self { driver: Lent::Own(driver) }
    }

    /// Drives the machine until it asks a question; returns `None` when the session is over and the
    /// connection is shut down.
    ///
    /// An event that is dropped without an answer is returned again.
    ///
    /// # Errors
    ///
    /// - A read or write failed. The error is returned once, after all remaining events.
    /// - The application has not answered a question that was returned
    ///   [many times](SessionError::Unanswered). It may still answer; its session is best dropped.
    #[allow(clippy::should_implement_trait)] // an iterator can not lend
    pub fn next(&mut self) -> Result<Option<M::Event<'_>>, SessionError> {
        match self.driver.is_asked()? {
            true => Ok(self.driver.machine.event()),
            false => Ok(None),
        }
    }

    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.driver.stream
    }

    /// Takes machine and stream apart. Octets that the machine holds stay in it.
    #[must_use]
    pub fn into_parts(self) -> (M, S) {
        let Driver { machine, stream, .. } = self.driver.into_inner();
        (machine, stream)
    }
}

impl<M, S> Driver<M, S> {
    /// Returns whether the session is over, and the connection shut down.
    const fn is_over(&self) -> bool {
        self.is_over
    }
}

impl<M: Machine, S: Stream> Driver<M, S> {
    /// Drives the machine until it asks a question, or the session is over.
    fn is_asked(&mut self) -> Result<bool, SessionError> {
        loop {
            if self.is_over {
                return Ok(false);
            }
            if let Some(stopper) = &mut self.stopper {
                stopper.look(&mut self.machine);
            }
            let now = self.now();
            let need = self.machine.poll(now);
            if need != Need::Answer {
                self.repeats.clear();
            }
            match need {
                Need::Answer => {
                    let question = self.machine.question();
                    return self.repeats.ask(question, now).map(|()| true);
                }
                Need::Wait(until) => {
                    let time = Some(until.saturating_since(now));
                    thread::sleep(self.limited(time).unwrap_or_default());
                }
                Need::Read(deadline) if self.is_readable => {
                    self.read(until(deadline, now));
                }
                Need::Write(deadline) if self.is_writable => {
                    self.write(until(deadline, now));
                }
                Need::Either(deadline) if self.is_readable && self.is_writable => {
                    self.write_or_read(until(deadline, now));
                }
                Need::Either(deadline) if self.is_readable => {
                    self.read(until(deadline, now));
                }
                Need::Either(deadline) if self.is_writable => {
                    self.write(until(deadline, now));
                }
                // The peer's direction has ended: there is no more input for the machine.
                Need::Read(_) | Need::Write(_) | Need::Either(_) | Need::Close => {
                    self.is_over = true;
                    if let Some(error) = self.error.take() {
                        return Err(error.into());
                    }
                    self.close();
                }
            }
        }
    }

    /// Writes waiting octets and reads octets that have arrived, without waiting for more.
    fn settle(&mut self) {
        loop {
            let now = self.now();
            match self.machine.poll(now) {
                Need::Either(deadline)
                    if self.is_readable && self.is_writable && is_sending(&self.machine) =>
                {
                    self.write_or_read(until(deadline, now));
                }
                Need::Write(deadline) | Need::Either(deadline) if self.is_writable => {
                    self.write(until(deadline, now));
                }
                Need::Read(_) | Need::Either(_) if self.is_readable && self.read_arrived() => {}
                _ => return,
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::since_origin(self.origin.elapsed())
    }

    /// Returns a time-out, limited to the time for which the session may not look at its stopper.
    fn limited(&self, timeout: Option<Duration>) -> Option<Duration> {
        let slice = self.stopper.as_ref().and_then(Attached::slice);
        timeout.into_iter().chain(slice).min()
    }

    /// Reads once; returns whether that made progress.
    fn read(&mut self, timeout: Option<Duration>) -> bool {
        let timeout = self.limited(timeout);
        let timeout = match self.is_unflushed && !self.flush() {
            // It is flushed again soon, whether the peer sends something or not.
            true => Some(patience(timeout)),
            false => timeout,
        };
        let read = self
            .stream
            .set_read_timeout(timeout)
            .and_then(|()| self.stream.read(self.machine.receive_buffer()));
        self.has_read(read)
    }

    /// Reads octets that have arrived; returns whether that made progress.
    fn read_arrived(&mut self) -> bool {
        let read = self.stream.read_arrived(self.machine.receive_buffer());
        self.has_read(read)
    }

    /// Passes on the result of a read; returns whether that is progress.
    fn has_read(&mut self, read: io::Result<usize>) -> bool {
        match read {
            Ok(0) => {
                self.is_readable = false;
                self.machine.release();
                self.machine.closed(Closed::Clean);
            }
            Ok(octets) => self.machine.received(octets),
            Err(error) if is_passing(&error) => return false,
            Err(error) => {
                self.is_readable = false;
                self.machine.release();
                self.machine.closed(Closed::CutOff);
                self.error.get_or_insert(error);
            }
        }
        true
    }

    /// Writes once; returns whether that made progress.
    fn write(&mut self, timeout: Option<Duration>) -> bool {
        let timeout = self.limited(timeout);
        let mut slices: [&[u8]; SLICES] = [&[]; SLICES];
        let count = self.machine.to_send(&mut slices);
        let stream = &mut self.stream;
        let written = stream.set_write_timeout(timeout).and_then(|()| match slices.get(..count) {
            // A vectored write of one slice costs the kernel more than a plain one.
            Some([slice]) => stream.write(slice),
            _ => {
                let slices = slices.map(IoSlice::new);
                stream.write_vectored(slices.get(..count).unwrap_or_default())
            }
        });
        match written {
            Ok(0) => self.unsendable(ErrorKind::WriteZero.into()),
            Ok(octets) => {
                self.machine.sent(octets);
                self.is_unflushed = true;
                return self.flush();
            }
            Err(error) if is_passing(&error) => return false,
            Err(error) => self.unsendable(error),
        }
        true
    }

    /// Flushes; returns whether nothing is left to flush.
    fn flush(&mut self) -> bool {
        match self.stream.flush() {
            Ok(()) => {}
            Err(error) if is_passing(&error) => return false,
            Err(error) => self.unsendable(error),
        }
        self.is_unflushed = false;
        true
    }

    fn unsendable(&mut self, error: io::Error) {
        self.is_writable = false;
        self.machine.unsendable();
        self.error.get_or_insert(error);
    }

    /// Reads octets that have arrived; else writes, or reads while writing makes no progress.
    fn write_or_read(&mut self, timeout: Option<Duration>) {
        if !is_sending(&self.machine) {
            self.read(timeout);
        } else if self.read_arrived() {
            // The peer's octets may make it needless to write more.
        } else if self.is_stuck {
            self.is_stuck = self.read(Some(Duration::from_millis(1)));
        } else {
            self.is_stuck = !self.write(Some(patience(timeout)));
        }
    }

    /// Shuts down the writing direction and waits a while for the peer to do so, too.
    fn close(&mut self) {
        let until = self.now() + LINGER_TIME;
        let mut left = LINGER_OCTETS;
        if self.stream.shutdown_write().is_err() {
            return;
        }
        let mut discarded = [0; DISCARD];
        while self.is_readable && left > 0 {
            let now = self.now();
            if until.has_passed(now) {
                return;
            }
            let read = self
                .stream
                .set_read_timeout(Some(until.saturating_since(now)))
                .and_then(|()| self.stream.read(&mut discarded));
            match read {
                Ok(0) => return,
                Ok(octets) => left = left.saturating_sub(octets),
                Err(error) if is_passing(&error) => {}
                Err(_) => return,
            }
        }
    }
}

session!();

/// Connects to a server, trying the addresses of its name in turn; nothing is sent before the first
/// call of a method.
///
/// An address may take as long as the [greeting](client::Timeouts::greeting).
///
/// # Errors
///
/// The name has no address, no server answers, or it would be LMTP on port 25 (RFC 2033 section 5).
pub fn connect(
    server: impl ToSocketAddrs,
    config: impl Into<Arc<client::Config>>,
) -> io::Result<ClientSession> {
    let config = config.into();
    let mut result = Err(ErrorKind::NotFound.into());
    for address in server.to_socket_addrs()? {
        check_port(config.service(), address)?;
        result = TcpStream::connect_timeout(&address, config.timeouts().greeting());
        if result.is_ok() {
            break;
        }
    }
    let stream = result?;
    Ok(Connection::new(Client::new(config, Security::CLEAR).into(), stream.into()))
}

impl<M, S> Connection<M, S>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + AsClient + 'static,
    S: Stream,
{
    /// Sends a message and returns its report.
    ///
    /// The extensions that the message needs are found by scanning `content`. Line ends are CRLF,
    /// or as configured by [`client::Config::with_line_ends`].
    ///
    /// # Errors
    ///
    /// As [`send_from`](Self::send_from).
    pub fn send(
        &mut self,
        envelope: impl Into<Arc<Envelope>>,
        content: impl AsRef<[u8]>,
    ) -> Result<Report, SendError> {
        let content = content.as_ref();
        self.send_from(envelope, MessageFacts::scan(content), content)
    }

    /// Sends a message that is read from a source, with known properties, and returns its report.
    ///
    /// Do not call it in a session with another transaction under way: its report would be lost.
    ///
    /// # Errors
    ///
    /// A [`SendError`], which gives the envelope back: no recipient has the message.
    ///
    /// - The server does not offer an extension that the message needs, or the message is invalid. Nothing
    ///   was sent.
    /// - The content must not be sent, or could not be read: it was aborted.
    /// - The session was over before, or has ended before a recipient had a reply of its own.
    pub fn send_from(
        &mut self,
        envelope: impl Into<Arc<Envelope>>,
        facts: MessageFacts,
        mut content: impl BufRead,
    ) -> Result<Report, SendError> {
        let mut sending = Sending::new(envelope.into(), facts);
        loop {
            if let Err(error) = self.drive() {
                let failure = SendFailure::over(self.driver.machine.as_client(), error);
                return Err(sending.error(failure));
            }
            let Some(event) = self.driver.machine.event() else { continue };
            match sending.on(event) {
                Step::GoOn => {}
                Step::Content(question) => {
                    question.wait();
                    let taken = self.feed_from(&mut sending, &mut content);
                    content.consume(taken);
                }
                Step::Reported(report) => {
                    return sending.result(report, self.driver.machine.as_client().end());
                }
                Step::Failed(failure) => return Err(sending.error(failure)),
            }
        }
    }

    /// Returns a queue, an iterator that sends these messages and returns the result of each. At most this many
    /// transactions are in flight at once (at least 1): with 8 or more, a message costs a small part of a
    /// round trip. Where the server does not offer PIPELINING, it is one at a time. When the
    /// connection is lost, this many may be left [`Unknown`](client::Outcome::Unknown).
    ///
    /// The number stays for the session, in place of
    /// [`Config::with_transactions`](client::Config::with_transactions).
    pub fn queue<'c, I, E, C>(
        &mut self,
        in_flight: usize,
        messages: I,
    ) -> Queue<'_, 'c, Self, I::IntoIter, C>
    where
        I: IntoIterator<Item = (E, C)>,
        E: Into<Arc<Envelope>>,
        C: Into<Source<'c>>,
    {
        self.driver.machine.as_client_mut().set_transactions(in_flight);
        Queue::new(self, messages.into_iter())
    }

    /// Begins a transaction step by step, with these parameters of MAIL, and with what is known of the content
    /// already ([`MessageFacts::UNKNOWN`] where nothing is): the server's reply to each command is known
    /// before the next. SMTPUTF8 must be among the parameters if a recipient may be outside ASCII.
    ///
    /// # Errors
    ///
    /// The server does not offer what the message needs, or the session is over. Nothing was sent.
    pub fn begin(
        &mut self,
        reverse_path: ReversePath<'static>,
        parameters: Parameters<'static>,
        facts: &MessageFacts,
    ) -> Result<Transaction<'_, Self>, SendError> {
        Transaction::begin(self, reverse_path, parameters, facts)
    }

    /// Authenticates (AUTH, RFC 4954) with the strongest mechanism for these credentials that the server offers and the
    /// channel allows, once the session is open. Returns the mechanism.
    ///
    /// # Errors
    ///
    /// An [`AuthenticateError`]: the server has rejected the credentials, with its reply and, for a token, the reason
    /// that it gave (RFC 7628 section 3.2.2); it offers no mechanism for them; or the session has ended. After
    /// a rejection the session goes on.
    #[cfg(feature = "getrandom")]
    pub fn authenticate(
        &mut self,
        credentials: &Credentials,
    ) -> Result<Mechanism, AuthenticateError> {
        let mut authenticating = Authenticating::new(credentials)?;
        self.driver.machine.as_client_mut().ready();
        loop {
            self.drive()
                .map_err(|error| AuthenticateError::over(self.driver.machine.as_client(), error))?;
            if let Some(event) = self.driver.machine.event()
                && let Some(done) = authenticating.on(event)
            {
                return done;
            }
        }
    }

    /// Ends the session: sends QUIT and abandons transactions under way.
    ///
    /// # Errors
    ///
    /// A read or write failed.
    pub fn quit(&mut self) -> io::Result<()> {
        while let Some(event) = self.next()? {
            event.quit();
        }
        Ok(())
    }
}

impl<M, S> Driven for Connection<M, S>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + AsClient + 'static,
    S: Stream,
{
    fn drive(&mut self) -> Result<(), Option<SessionError>> {
        over_unless_asked(self.driver.is_asked())
    }

    fn event(&mut self) -> Option<Event<'_>> {
        self.driver.machine.event()
    }

    fn client(&self) -> &Client {
        self.driver.machine.as_client()
    }

    fn client_mut(&mut self) -> &mut Client {
        self.driver.machine.as_client_mut()
    }

    fn feed_from(&mut self, sending: &mut Sending, content: &mut dyn BufRead) -> usize {
        let driver = &mut *self.driver;
        driver.settle();
        let read = content.fill_buf();
        // The server may have sent a reply while the source was read. Its deadlines are judged
        // after that.
        while driver.is_readable && driver.read_arrived() {
            let _ = driver.machine.poll(driver.now());
        }
        driver.settle();
        driver.machine.as_client_mut().ready();
        if driver.machine.poll(driver.now()) == Need::Answer
            && let Some(event @ Event::Content(_)) = driver.machine.event()
            && let Step::Content(question) = sending.on(event)
        {
            return sending.feed(question, Poll::Ready(read));
        }
        sending.filled(read);
        0
    }
}

/// Returns `timeout`, at most [`PATIENCE`].
fn patience(timeout: Option<Duration>) -> Duration {
    timeout.map_or(PATIENCE, |timeout| timeout.min(PATIENCE))
}

/// Returns the time until a deadline, as the timeout of a socket: not zero.
fn until(deadline: Instant, now: Instant) -> Option<Duration> {
    (deadline != Instant::NEVER)
        .then(|| deadline.saturating_since(now).max(Duration::from_millis(1)))
}

/// Returns whether an error only means that nothing happened yet.
fn is_passing(error: &io::Error) -> bool {
    match error.kind() {
        ErrorKind::Interrupted | ErrorKind::WouldBlock => true,
        // Where a timeout of the socket is WouldBlock, this error means that the peer is gone.
        ErrorKind::TimedOut => cfg!(windows) || error.raw_os_error().is_none(),
        _ => false,
    }
}
