//! A bounded number of sessions with one server, used again and again.

use super::{connection::ClientSession, connector::Connector};
use crate::{
    client::{Event, MessageFacts, Report, State},
    envelope::Envelope,
    io::{SendError, SendFailure},
};
use ::tokio::{
    io::AsyncBufRead,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::{self, AbortHandle},
    time::{self, Instant},
};
use alloc::{boxed::Box, sync::Arc, sync::Weak, vec::Vec};
use core::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
    time::Duration,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The time for the reply to the NOOP that checks a session, and to QUIT.
const REPLY_TIME: Duration = Duration::from_secs(10);

/// The limits of a [`Pool`].
///
/// ```
/// use esmtp::io::tokio::PoolLimits;
/// use std::time::Duration;
///
/// let limits = PoolLimits::default().with_sessions(20).with_idle(Duration::from_secs(30));
/// assert_eq!(limits.sessions(), 20);
/// ```
#[derive(Clone, Debug)]
pub struct PoolLimits {
    sessions: usize,
    idle: Duration,
    age: Duration,
    messages: usize,
    check: Duration,
}

/// 10 sessions (as lettre), 60 seconds idle, which is less than servers wait (RFC 5321 section
/// 4.5.3.2.7), an age of 300 seconds (Postfix, `smtp_connection_reuse_time_limit`), 100 messages in a
/// session (as nodemailer), and a check after 10 seconds.
impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            sessions: 10,
            idle: Duration::from_secs(60),
            age: Duration::from_secs(300),
            messages: 100,
            check: Duration::from_secs(10),
        }
    }
}

impl PoolLimits {
    /// Sets the greatest number of sessions at once; 0 is read as 1.
    #[must_use]
    pub const fn with_sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions;
        self
    }

    /// Sets the time after which an unused session ends.
    #[must_use]
    pub const fn with_idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// Sets the age from which on a session begins no further message.
    #[must_use]
    pub const fn with_age(mut self, time: Duration) -> Self {
        self.age = time;
        self
    }

    /// Sets the greatest number of messages in a session; 0 is read as 1. A limit that the server
    /// announces (LIMITS MAILMAX, RFC 9422) holds, too.
    #[must_use]
    pub const fn with_messages(mut self, messages: usize) -> Self {
        self.messages = messages;
        self
    }

    /// Sets the time after which an unused session is checked with NOOP before it is used again: a
    /// connection may be lost without a word.
    #[must_use]
    pub const fn with_check(mut self, time: Duration) -> Self {
        self.check = time;
        self
    }

    /// Returns the greatest number of sessions at once.
    #[must_use]
    pub const fn sessions(&self) -> usize {
        self.sessions
    }

    /// Returns the time after which an unused session ends.
    #[must_use]
    pub const fn idle(&self) -> Duration {
        self.idle
    }

    /// Returns the age from which on a session begins no further message.
    #[must_use]
    pub const fn age(&self) -> Duration {
        self.age
    }

    /// Returns the greatest number of messages in a session.
    #[must_use]
    pub const fn messages(&self) -> usize {
        self.messages
    }

    /// Returns the time after which an unused session is checked before it is used again.
    #[must_use]
    pub const fn check(&self) -> Duration {
        self.check
    }
}

/// A bounded number of sessions with one server, used again and again (a connection pool).
///
/// [`send`](Self::send) puts a message on a session that is free, opens one, or waits for one, in the
/// order of the calls. A session that is not in use is watched: when the server closes it, or says 421,
/// it is gone at once. The next transaction in it begins with RSET where the last one may have left the
/// server with another.
///
/// It is no queue and tries nothing again: each call has one report, or one error with the envelope in
/// it. There is one exception, which no server takes for a second attempt: a session that was used
/// before and turns out to be over before the server has accepted anything of the message is replaced,
/// once.
///
/// Clones are handles of one pool. The last that is dropped closes the sessions that are not in use,
/// without QUIT: see [`close`](Self::close).
///
/// ```no_run
/// use esmtp::{
///     envelope::Envelope,
///     io::tokio::{Connector, Pool, PoolLimits},
/// };
/// use tokio::task::JoinSet;
///
/// # async fn send_all(messages: Vec<(Envelope, Vec<u8>)>) -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new(Connector::new("mx.example.net"), PoolLimits::default().with_sessions(4));
/// let mut sending = JoinSet::new();
/// for (envelope, content) in messages {
///     let pool = pool.clone();
///     sending.spawn(async move { pool.send(envelope, &content).await });
/// }
/// while let Some(sent) = sending.join_next().await {
///     match sent? {
///         Ok(report) if report.is_delivered_to_all() => {}
///         Ok(report) => println!("{report:?}"),
///         Err(error) => println!("{error}"), // error.into_envelope() for a later attempt
///     }
/// }
/// pool.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

type Connecting = dyn Fn() -> Pin<Box<dyn Future<Output = Result<ClientSession, SendFailure>> + Send>>
    + Send
    + Sync;

struct Shared {
    connect: Box<Connecting>,
    limits: PoolLimits,
    /// One for each session in use.
    permits: Arc<Semaphore>,
    /// The sessions that are not in use; the last was used last.
    idle: Mutex<Vec<Idle>>,
    open: Arc<Open>,
}

/// The number of open sessions.
#[derive(Debug, Default)]
struct Open {
    sessions: AtomicUsize,
    /// One is closed.
    closed: Notify,
}

/// A session that is not in use, and the task that watches it.
struct Idle {
    place: Arc<Mutex<Option<Member>>>,
    watcher: AbortHandle,
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// A session of the pool.
struct Member {
    session: ClientSession,
    opened: Instant,
    used: Instant,
    messages: usize,
    _counted: Counted,
}

/// One in the number of open sessions.
struct Counted(Arc<Open>);

impl Counted {
    fn new(open: &Arc<Open>) -> Self {
        open.sessions.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::SeqCst);
        self.0.closed.notify_waiters();
    }
}

/// The use of a session for a message. Dropped, it closes the session.
struct Lease {
    member: Member,
    /// It was used for a message before.
    is_reused: bool,
    permit: OwnedSemaphorePermit,
}

/// The care with which a session that was used before is chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    Usual,
    /// It is checked in any case.
    Checked,
}

impl Pool {
    /// Creates a pool whose sessions are opened by `connector`.
    #[must_use]
    pub fn new(connector: Connector, limits: PoolLimits) -> Self {
        Self::connecting(limits, move || {
            let connector = connector.clone();
            async move { connector.connect().await }
        })
    }

    /// Creates a pool whose sessions are opened by a function of the application's own: connected, and
    /// secured and logged in as the server requires.
    ///
    /// ```no_run
    /// use esmtp::io::{
    ///     SendFailure,
    ///     tokio::{Connector, Pool, PoolLimits},
    /// };
    /// use tokio::net::TcpStream;
    ///
    /// // Through a tunnel.
    /// let connector = Connector::new("mx.example.net");
    /// let pool = Pool::connecting(PoolLimits::default(), move || {
    ///     let connector = connector.clone();
    ///     async move {
    ///         let tunnel = TcpStream::connect("127.0.0.1:2525").await?;
    ///         Ok::<_, SendFailure>(connector.connect_over(tunnel).await?)
    ///     }
    /// });
    /// ```
    pub fn connecting<F, R, E>(limits: PoolLimits, connect: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<ClientSession, E>> + Send + 'static,
        E: Into<SendFailure>,
    {
        let connect = move || {
            let connecting = connect();
            let connecting: Pin<Box<dyn Future<Output = _> + Send>> =
                Box::pin(async move { connecting.await.map_err(Into::into) });
            connecting
        };
        let sessions = limits.sessions.clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared {
            connect: Box::new(connect),
            limits,
            permits: Arc::new(Semaphore::new(sessions)),
            idle: Mutex::default(),
            open: Arc::default(),
        }))
    }

    /// Returns the limits.
    #[must_use]
    pub fn limits(&self) -> &PoolLimits {
        &self.0.limits
    }

    /// Returns the number of open sessions, in use or not.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.open.sessions.load(Ordering::SeqCst)
    }

    /// Returns the number of open sessions that are not in use.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.0.idle().len()
    }

    /// Sends a message over the next free session, and returns its report.
    ///
    /// The extensions that the message needs are found by scanning `content`. A call that is dropped
    /// before it is ready closes its session; what became of the message is then unknown if its end was
    /// sent.
    ///
    /// # Errors
    ///
    /// A [`SendError`], which gives the envelope back: no recipient has the message. Besides the reasons
    /// of [`ClientSession::send`] no session could be opened, or the pool is closed.
    pub async fn send(
        &self,
        envelope: impl Into<Arc<Envelope>>,
        content: impl AsRef<[u8]>,
    ) -> Result<Report, SendError> {
        let content = content.as_ref();
        let (envelope, facts) = (envelope.into(), MessageFacts::scan(content));
        match self.attempt(&envelope, &facts, content, Care::Usual).await {
            Err((_, true)) => {}
            sent => return sent.map_err(|(error, _)| error),
        }
        self.attempt(&envelope, &facts, content, Care::Checked).await.map_err(|(error, _)| error)
    }

    /// Sends a message that is read from a source, with known properties, and returns its report.
    ///
    /// A session that turns out to be over is replaced only if nothing of the message was sent.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and the content could not be read.
    pub async fn send_from(
        &self,
        envelope: impl Into<Arc<Envelope>>,
        facts: MessageFacts,
        mut content: impl AsyncBufRead + Unpin,
    ) -> Result<Report, SendError> {
        let envelope = envelope.into();
        match self.attempt(&envelope, &facts, &mut content, Care::Usual).await {
            Err((error, true)) if error.is_unsent() => {}
            sent => return sent.map_err(|(error, _)| error),
        }
        self.attempt(&envelope, &facts, content, Care::Checked).await.map_err(|(error, _)| error)
    }

    /// Closes the pool: sessions that are not in use end with QUIT, others after their message. Returns
    /// when all are closed. Further messages are not sent.
    ///
    /// A session may take as long as its deadlines; a time-out around this call is safe.
    pub async fn close(&self) {
        self.0.permits.close();
        let idle: Vec<_> = self.0.idle().drain(..).collect();
        for idle in idle {
            if let Some(member) = idle.take() {
                member.quit(None);
            }
        }
        loop {
            let closed = self.0.open.closed.notified();
            let mut closed = pin!(closed);
            closed.as_mut().enable();
            if self.sessions() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Sends a message over the next free session; the error comes with whether another session may
    /// take its place.
    async fn attempt(
        &self,
        envelope: &Arc<Envelope>,
        facts: &MessageFacts,
        content: impl AsyncBufRead + Unpin,
        care: Care,
    ) -> Result<Report, (SendError, bool)> {
        let mut lease = match self.lease(care).await {
            Ok(lease) => lease,
            Err(failure) => {
                return Err((SendError::new(Arc::clone(envelope), false, failure), false));
            }
        };
        let before = lease.member.positive_replies();
        let sending = lease.member.session.send_from(Arc::clone(envelope), facts.clone(), content);
        let sent = sending.await;
        let is_in_vain = lease.is_reused && lease.member.positive_replies() == before;
        self.give_back(lease);
        sent.map_err(|error| {
            let is_replaced = is_in_vain && is_over(&error);
            (error, is_replaced)
        })
    }

    /// Waits for a session that may begin a message.
    async fn lease(&self, care: Care) -> Result<Lease, SendFailure> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await;
        let permit = permit.map_err(|_| SendFailure::PoolClosed)?;
        // A session is opened only when all open ones are in use, each with a permit: so no more are
        // open than there are permits.
        loop {
            let idle = self.0.idle().pop();
            let Some(idle) = idle else { break };
            let Some(mut member) = idle.take() else { continue };
            if !member.is_open().await {
                continue;
            }
            if member.is_used_up(&self.0.limits) {
                member.quit_inline().await;
                continue;
            }
            let is_suspect = care == Care::Checked || member.used.elapsed() >= self.0.limits.check;
            if is_suspect && !member.is_alive().await {
                continue;
            }
            member.session.client_mut().ready();
            return Ok(Lease { member, is_reused: true, permit });
        }
        let counted = Counted::new(&self.0.open);
        let session = (self.0.connect)().await?;
        let now = Instant::now();
        let member = Member { session, opened: now, used: now, messages: 0, _counted: counted };
        Ok(Lease { member, is_reused: false, permit })
    }

    /// Takes a session back after its message.
    fn give_back(&self, lease: Lease) {
        let Lease { mut member, permit, .. } = lease;
        member.messages = member.messages.saturating_add(1);
        member.used = Instant::now();
        let client = member.session.client();
        if client.end().is_some() {
            return; // it is closed
        }
        let is_usable = matches!(client.state(), State::Ready | State::NeedsReset);
        if !is_usable || member.is_used_up(&self.0.limits) {
            return member.quit(Some(permit));
        }
        let mut idle = self.0.idle();
        if self.0.permits.is_closed() {
            drop(idle);
            return member.quit(Some(permit));
        }
        let until = member.used + self.0.limits.idle;
        let place = Arc::new(Mutex::new(Some(member)));
        let watching = watch(Arc::downgrade(&self.0), Arc::clone(&place), until);
        idle.push(Idle { place, watcher: task::spawn(watching).abort_handle() });
        drop(idle);
        drop(permit);
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    /// Takes the session, unless it is closed.
    fn take(&self) -> Option<Member> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Member {
    /// Returns ready when the server has ended the session, or has said that it does.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let polled = pin!(self.session.next()).poll(context);
            match polled {
                Poll::Ready(Ok(Some(Event::Ready(ready)))) => ready.wait(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        match self.session.client().state() {
            State::MustClose => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Returns whether nothing that has arrived ends the session.
    async fn is_open(&mut self) -> bool {
        poll_fn(|context| Poll::Ready(self.poll_over(context).is_pending())).await
    }

    /// Returns whether the server answers.
    async fn is_alive(&mut self) -> bool {
        self.session.client_mut().ready();
        let session = &mut self.session;
        let asking = async move {
            let mut is_asked = false;
            while let Ok(Some(event)) = session.next().await {
                match event {
                    Event::Ready(ready) if is_asked => {
                        return ready.reply().is_some_and(|(_, reply)| reply.is_positive());
                    }
                    Event::Ready(ready) => {
                        ready.noop();
                        is_asked = true;
                    }
                    _ => return false,
                }
            }
            false
        };
        time::timeout(REPLY_TIME, asking).await.unwrap_or(false)
    }

    fn positive_replies(&self) -> u64 {
        let totals = self.session.client().totals();
        totals.replies().saturating_sub(totals.refusals())
    }

    /// Returns whether the session begins no further message.
    fn is_used_up(&self, limits: &PoolLimits) -> bool {
        self.messages >= limits.messages.max(1) || self.opened.elapsed() >= limits.age
    }

    /// Ends the session with QUIT, in a task that keeps its permit.
    fn quit(self, permit: Option<OwnedSemaphorePermit>) {
        task::spawn(async move {
            self.quit_inline().await;
            drop(permit);
        });
    }

    async fn quit_inline(mut self) {
        self.session.client_mut().ready();
        let _ = time::timeout(REPLY_TIME, self.session.quit()).await;
    }
}

/// Watches a session that is not in use, until it is taken, over or too long idle.
async fn watch(shared: Weak<Shared>, place: Arc<Mutex<Option<Member>>>, until: Instant) {
    let mut timer = pin!(time::sleep_until(until));
    let is_over = poll_fn(|context| {
        let mut member = place.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(member) = &mut *member else { return Poll::Ready(true) };
        if member.poll_over(context).is_ready() {
            return Poll::Ready(true);
        }
        timer.as_mut().poll(context).map(|()| false)
    });
    let is_over = is_over.await;
    let Some(shared) = shared.upgrade() else { return };
    // Dropping its entry aborts this task, at its next await: the rest is done without one.
    let entry = {
        let mut idle = shared.idle();
        let index = idle.iter().position(|idle| Arc::ptr_eq(&idle.place, &place));
        index.map(|index| idle.remove(index))
    };
    let Some(member) = entry.as_ref().and_then(Idle::take) else { return };
    if !is_over {
        // While it quits it counts as in use, so that no more than the limit are open.
        let permit = Arc::clone(&shared.permits).try_acquire_owned().ok();
        member.quit(permit);
    }
}

/// Returns whether the error only means that the session was over.
fn is_over(error: &SendError) -> bool {
    use crate::client::End;
    matches!(
        error.failure(),
        SendFailure::Lost(_)
            | SendFailure::Ended(End::PeerClosed(_) | End::Refused(_) | End::Unsendable)
    )
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("limits", &self.0.limits)
            .field("sessions", &self.sessions())
            .field("idle", &self.idle())
            .finish_non_exhaustive()
    }
}
