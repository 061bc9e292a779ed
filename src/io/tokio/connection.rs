//! A machine on a tokio stream, driven until it asks a question.

use super::{driven::Driven, queue::Queue, socket::Socket, transaction::Transaction};
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
        spare,
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
use ::tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf},
    net::{self, TcpStream, ToSocketAddrs},
    time,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};
use std::io::{self, ErrorKind, IoSlice};

/// A machine on a tokio stream: see [the module](super).
///
/// While the peer is silent the machine holds no receive buffer. The runtime must have its timer
/// enabled.
#[derive(Debug)]
pub struct Connection<M, S = TcpStream> {
    driver: Lent<Driver<M, S>>,
}

/// A session of a client that a function can name: in the clear or in TLS, over any stream.
pub type ClientSession = Connection<Layer<Client>, Socket>;

/// A session of a server that a function can name: in the clear or in TLS, over any stream.
pub type ServerSession = Connection<Layer<Server>, Socket>;

/// All of a connection.
#[derive(Debug)]
pub(super) struct Driver<M, S> {
    machine: M,
    wire: Wire<S>,
    /// The handle that may end the session from outside.
    stopper: Option<Attached<M>>,
}

/// The stream and the time.
#[derive(Debug)]
struct Wire<S> {
    stream: S,
    origin: time::Instant,
    timer: Option<Pin<Box<time::Sleep>>>,
    /// The peer may still send.
    is_readable: bool,
    /// The peer may still receive.
    is_writable: bool,
    /// Octets were written that the stream may still hold.
    is_unflushed: bool,
    /// The machine holds no memory to read into.
    has_no_buffer: bool,
    /// The error of the session, until [`next`](Connection::next) has returned it.
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

impl<M: Machine, S: AsyncRead + AsyncWrite + Unpin> Connection<M, S> {
    /// Puts `machine` on `stream`. Nothing happens before [`next`](Self::next).
    #[must_use]
    pub fn new(machine: M, stream: S) -> Self {
        let wire = Wire {
            stream,
            origin: time::Instant::now(),
            timer: None,
            is_readable: true,
            is_writable: true,
            is_unflushed: false,
            has_no_buffer: true,
            error: None,
            repeats: Repeats::default(),
            stage: Stage::Driving,
        };
        Self { driver: Lent::Own(Driver { machine, wire, stopper: None }) }
    }

    /// Drives the machine until it asks a question; returns `None` when the session is over and the
    /// connection is shut down.
    ///
    /// Cancel-safe: the future holds no state, so it may be dropped at any time (in `select!`, by a
    /// timeout) and called again. An event that is dropped without an answer is returned again.
    ///
    /// It lets other tasks of the executor run from time to time, also while every command is there
    /// already and no octet has to be waited for.
    ///
    /// # Errors
    ///
    /// - A read or write failed. The error is returned once, after all remaining events.
    /// - The application has not answered a question that was returned
    ///   [many times](SessionError::Unanswered). It may still answer; its session is best dropped.
    #[allow(clippy::should_implement_trait)] // an iterator can not wait, nor lend
    pub async fn next(&mut self) -> Result<Option<M::Event<'_>>, SessionError> {
        match poll_fn(|context| self.driver.poll_stopped_or_asked(context)).await? {
            true => Ok(self.driver.machine.event()),
            false => Ok(None),
        }
    }

    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.driver.wire.stream
    }

    /// Takes machine and stream apart. Octets that the machine holds stay in it.
    #[must_use]
    pub fn into_parts(self) -> (M, S) {
        let Driver { machine, wire, .. } = self.driver.into_inner();
        (machine, wire.stream)
    }
}

impl<M, S> Driver<M, S> {
    /// Returns whether the session is over, and the connection shut down.
    const fn is_over(&self) -> bool {
        matches!(self.wire.stage, Stage::Over)
    }
}

impl<M: Machine, S: AsyncRead + AsyncWrite + Unpin> Driver<M, S> {
    /// Drives the machine until it asks a question, or the session is over, which the stopper may
    /// cause meanwhile.
    fn poll_stopped_or_asked(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<bool, SessionError>> {
        loop {
            if let Some(stopper) = &mut self.stopper {
                stopper.look(&mut self.machine);
            }
            let asked = self.poll_asked(context);
            if asked.is_pending()
                && let Some(stopper) = &mut self.stopper
            {
                stopper.watch(context.waker());
                if stopper.look(&mut self.machine) {
                    continue;
                }
            }
            return asked;
        }
    }

    /// Drives the machine until it asks a question, or the session is over.
    fn poll_asked(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, SessionError>> {
        let Self { machine, wire, .. } = self;
        while let Stage::Driving = wire.stage {
            let now = wire.now();
            match machine.poll(now) {
                Need::Answer if wire.repeats.is_turn_over() => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Need::Answer => {
                    let question = machine.question();
                    return Poll::Ready(wire.repeats.ask(question, now).map(|()| true));
                }
                Need::Close => wire.end()?,
                need => {
                    ready!(wire.provide(machine, need, context))?;
                    wire.repeats.clear();
                }
            }
        }
        ready!(wire.poll_close(context));
        Poll::Ready(Ok(false))
    }
}

session!();

/// Connects to a server, trying the addresses of its name in turn; nothing is sent before the first
/// call of a method.
///
/// Resolving and connecting may take as long as the [greeting](client::Timeouts::greeting).
///
/// # Errors
///
/// The name has no address, no server answers, or it would be LMTP on port 25 (RFC 2033 section 5).
pub async fn connect(
    server: impl ToSocketAddrs,
    config: impl Into<Arc<client::Config>>,
) -> io::Result<ClientSession> {
    let config = config.into();
    let connecting = async {
        let addresses: Vec<_> = net::lookup_host(server).await?.collect();
        addresses.iter().try_for_each(|address| check_port(config.service(), *address))?;
        TcpStream::connect(&addresses[..]).await
    };
    let stream = time::timeout(config.timeouts().greeting(), connecting).await??;
    Ok(Connection::new(Client::new(config, Security::CLEAR).into(), stream.into()))
}

impl<M, S> Connection<M, S>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + AsClient + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Sends a message and returns its report.
    ///
    /// The extensions that the message needs are found by scanning `content`. Line ends are CRLF,
    /// or as configured by [`client::Config::with_line_ends`].
    ///
    /// # Errors
    ///
    /// As [`send_from`](Self::send_from).
    pub async fn send(
        &mut self,
        envelope: impl Into<Arc<Envelope>>,
        content: impl AsRef<[u8]>,
    ) -> Result<Report, SendError> {
        let content = content.as_ref();
        self.send_from(envelope, MessageFacts::scan(content), content).await
    }

    /// Sends a message that is read from a source, with known properties, and returns its report.
    ///
    /// Do not call it in a session with another transaction under way: its report would be lost.
    ///
    /// While `content` is awaited the session continues: octets that were read of it are sent,
    /// replies are received, and deadlines hold.
    ///
    /// When the future is dropped before it is ready, the next call aborts the transaction, unless
    /// its content was already complete; its report is lost.
    ///
    /// # Errors
    ///
    /// A [`SendError`], which gives the envelope back: no recipient has the message.
    ///
    /// - The server does not offer an extension that the message needs, or the message is invalid. Nothing
    ///   was sent.
    /// - The content must not be sent, or could not be read: it was aborted.
    /// - The session was over before, or has ended before a recipient had a reply of its own.
    pub async fn send_from(
        &mut self,
        envelope: impl Into<Arc<Envelope>>,
        facts: MessageFacts,
        content: impl AsyncBufRead + Unpin,
    ) -> Result<Report, SendError> {
        let mut sending = Sending::new(envelope.into(), facts);
        let mut content = pin!(content);
        let awake = Awake(self);
        let sent = poll_fn(|context| awake.0.poll_send(&mut sending, content.as_mut(), context));
        match sent.await {
            Ok(report) => sending.result(report, awake.0.driver.machine.as_client().end()),
            Err(failure) => Err(sending.error(failure)),
        }
    }

    /// Sends as far as the stream, the server and the source of the content permit.
    fn poll_send(
        &mut self,
        sending: &mut Sending,
        mut content: Pin<&mut impl AsyncBufRead>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Report, SendFailure>> {
        loop {
            // While the source is awaited the session continues.
            if sending.is_waiting()
                && let Poll::Ready(read) = content.as_mut().poll_fill_buf(context)
            {
                sending.filled(read);
                self.driver.machine.as_client_mut().ready();
            }
            ready!(self.poll_drive(context))
                .map_err(|error| SendFailure::over(self.driver.machine.as_client(), error))?;
            let Some(event) = self.driver.machine.event() else { continue };
            match sending.on(event) {
                Step::GoOn => {}
                Step::Content(question) => {
                    let read = content.as_mut().poll_fill_buf(context);
                    let taken = sending.feed(question, read);
                    content.as_mut().consume(taken);
                }
                Step::Reported(report) => return Poll::Ready(Ok(report)),
                Step::Failed(failure) => return Poll::Ready(Err(failure)),
            }
        }
    }

    /// Returns a queue, in which at most this many transactions are in flight at once (at least 1): with 8 or
    /// more, a message costs a small part of a round trip. Where the server does not offer PIPELINING, it
    /// is one at a time. When the connection is lost, this many may be left
    /// [`Unknown`](client::Outcome::Unknown).
    ///
    /// The number stays for the session, in place of
    /// [`Config::with_transactions`](client::Config::with_transactions).
    pub fn queue<'c>(&mut self, in_flight: usize) -> Queue<'_, 'c, Self> {
        self.driver.machine.as_client_mut().set_transactions(in_flight);
        Queue::new(self)
    }

    /// Begins a transaction step by step, with these parameters of MAIL, and with what is known of the content
    /// already ([`MessageFacts::UNKNOWN`] where nothing is): the server's reply to each command is known
    /// before the next. SMTPUTF8 must be among the parameters if a recipient may be outside ASCII.
    ///
    /// # Errors
    ///
    /// The server does not offer what the message needs, or the session is over. Nothing was sent.
    pub async fn begin(
        &mut self,
        reverse_path: ReversePath<'static>,
        parameters: Parameters<'static>,
        facts: &MessageFacts,
    ) -> Result<Transaction<'_, Self>, SendError> {
        Transaction::begin(self, reverse_path, parameters, facts).await
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
    pub async fn authenticate(
        &mut self,
        credentials: &Credentials,
    ) -> Result<Mechanism, AuthenticateError> {
        let mut authenticating = Authenticating::new(credentials)?;
        self.driver.machine.as_client_mut().ready();
        loop {
            poll_fn(|context| self.poll_drive(context))
                .await
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
    pub async fn quit(&mut self) -> io::Result<()> {
        while let Some(event) = self.next().await? {
            event.quit();
        }
        Ok(())
    }
}

impl<M, S> Driven for Connection<M, S>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + AsClient + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_drive(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Option<SessionError>>> {
        self.driver.poll_asked(context).map(over_unless_asked)
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
}

/// A session in which a message is being sent. When the call is cancelled, the client no longer
/// waits for content: its question is open again, for the next call.
struct Awake<'c, M: AsClient, S>(&'c mut Connection<M, S>);

impl<M: AsClient, S> Drop for Awake<'_, M, S> {
    fn drop(&mut self) {
        self.0.driver.machine.as_client_mut().ready();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn now(&self) -> Instant {
        Instant::since_origin(self.origin.elapsed())
    }

    /// Ends the connection, as the machine is done.
    fn end(&mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => {
                self.stage = Stage::Over;
                Err(error)
            }
            None => {
                self.stage = Stage::ShuttingDown { until: self.now() + LINGER_TIME };
                Ok(())
            }
        }
    }

    /// Provides a part of the machine's need, or waits for its deadline.
    fn provide<M: Machine>(
        &mut self,
        machine: &mut M,
        need: Need,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let (reads, writes, deadline) = match need {
            Need::Read(deadline) => (true, false, deadline),
            Need::Write(deadline) => (false, true, deadline),
            Need::Either(deadline) => (true, is_sending(machine), deadline),
            Need::Wait(until) => (false, false, until),
            Need::Answer | Need::Close => return Poll::Ready(Ok(())),
        };
        let is_waiting = !reads && !writes;
        let (reads, writes) = (reads && self.is_readable, writes && self.is_writable);
        if !is_waiting && !reads && !writes {
            // The peer's direction has ended: there is no more input for the machine.
            return Poll::Ready(self.end());
        }
        // The peer's octets may make it needless to write more.
        if reads && self.poll_read(machine, context).is_ready()
            || writes && self.poll_write(machine, context).is_ready()
            || self.is_unflushed && self.poll_flush(machine, context).is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        if reads {
            self.has_no_buffer |= spare::reclaim(machine);
        }
        self.poll_timer(deadline, context).map(Ok)
    }

    fn poll_write<M: Machine>(&mut self, machine: &mut M, context: &mut Context<'_>) -> Poll<()> {
        let mut slices: [&[u8]; SLICES] = [&[]; SLICES];
        let count = machine.to_send(&mut slices);
        let stream = Pin::new(&mut self.stream);
        let written = match slices.get(..count) {
            // A vectored write of one slice costs the kernel more than a plain one.
            Some([slice]) => stream.poll_write(context, slice),
            _ => {
                let slices = slices.map(IoSlice::new);
                stream.poll_write_vectored(context, slices.get(..count).unwrap_or_default())
            }
        };
        match ready!(written) {
            Ok(0) => self.unsendable(machine, ErrorKind::WriteZero.into()),
            Ok(octets) => {
                machine.sent(octets);
                self.is_unflushed = true;
                // Octets that are not flushed now are flushed at the next need.
                let _ = self.poll_flush(machine, context);
            }
            Err(error) => self.unsendable(machine, error),
        }
        Poll::Ready(())
    }

    fn poll_flush<M: Machine>(&mut self, machine: &mut M, context: &mut Context<'_>) -> Poll<()> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        self.is_unflushed = false;
        if let Err(error) = flushed {
            self.unsendable(machine, error);
        }
        Poll::Ready(())
    }

    fn unsendable<M: Machine>(&mut self, machine: &mut M, error: io::Error) {
        self.is_writable = false;
        machine.unsendable();
        self.error.get_or_insert(error);
    }

    fn poll_read<M: Machine>(&mut self, machine: &mut M, context: &mut Context<'_>) -> Poll<()> {
        if core::mem::take(&mut self.has_no_buffer) {
            spare::lend(machine);
        }
        let mut buffer = ReadBuf::new(machine.receive_buffer());
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
        let octets = buffer.filled().len();
        match read {
            Ok(()) if octets > 0 => machine.received(octets),
            Ok(()) => {
                self.is_readable = false;
                machine.release();
                machine.closed(Closed::Clean);
            }
            Err(error) => {
                self.is_readable = false;
                machine.release();
                machine.closed(Closed::CutOff);
                self.error.get_or_insert(error);
            }
        }
        Poll::Ready(())
    }

    /// Shuts down the writing direction and waits a while for the peer to do so, too.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.stage {
                Stage::Driving | Stage::Over => return Poll::Ready(()),
                Stage::ShuttingDown { until } => {
                    self.stage = match Pin::new(&mut self.stream).poll_shutdown(context) {
                        Poll::Pending => {
                            ready!(self.poll_timer(until, context));
                            Stage::Over
                        }
                        Poll::Ready(Ok(())) if self.is_readable => {
                            Stage::Lingering { until, left: LINGER_OCTETS }
                        }
                        Poll::Ready(_) => Stage::Over,
                    };
                }
                Stage::Lingering { until, left } => {
                    let mut discarded = [0; DISCARD];
                    let mut buffer = ReadBuf::new(&mut discarded);
                    let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
                    let octets = buffer.filled().len();
                    self.stage = match read {
                        Poll::Pending => {
                            ready!(self.poll_timer(until, context));
                            Stage::Over
                        }
                        Poll::Ready(Ok(()))
                            if octets > 0 && octets < left && !until.has_passed(self.now()) =>
                        {
                            Stage::Lingering { until, left: left - octets }
                        }
                        Poll::Ready(_) => Stage::Over,
                    };
                }
            }
        }
    }

    /// Returns ready when `deadline` has passed.
    ///
    /// The timer is set anew only where the deadline is earlier, or when it has fired too early: to set it takes the
    /// lock of the runtime's timers and may wake its driver, and a session has a new deadline at every wait.
    fn poll_timer(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let is_set = deadline != Instant::NEVER;
        let Some(deadline) = self.origin.checked_add(deadline.elapsed()).filter(|_| is_set) else {
            return Poll::Pending; // later than any clock
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(time::sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(context));
        if timer.deadline() < deadline {
            timer.as_mut().reset(deadline);
            return timer.as_mut().poll(context);
        }
        Poll::Ready(())
    }
}
