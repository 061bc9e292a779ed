//! Ending blocking sessions from another thread.

use crate::io::AsServer;
use alloc::sync::Arc;
use core::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

/// The time after which a session that waits for its peer looks at its stopper again.
const SLICE: Duration = Duration::from_millis(250);

/// A handle that ends sessions from another thread; clones are handles of the same sessions.
///
/// [`Connection::stopper`](super::Connection::stopper) makes the handle of one session,
/// [`Connection::with_stopper`](super::Connection::with_stopper) attaches a session to a handle that
/// it shares with others. A session that waits for its peer looks at it four times a second.
///
/// ```
/// use esmtp::{
///     io::blocking::Connection,
///     server::{Config, End},
/// };
/// use std::{
///     io::{self, Read},
///     net::{TcpListener, TcpStream},
///     sync::Arc,
///     thread,
/// };
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let config = Arc::new(Config::new("mx.example.org").map_err(io::Error::other)?);
/// let mut session = Connection::accept(listener.accept()?.0, config)?;
///
/// let stopper = session.stopper();
/// let serving = thread::spawn(move || {
///     while let Some(event) = session.next()? {
///         event.proceed();
///     }
///     io::Result::Ok(session.machine().end())
/// });
/// stopper.shut_down();
/// let mut heard = String::new();
/// client.read_to_string(&mut heard)?;
/// assert!(heard.ends_with("Shutting down, try again later\r\n"), "{heard}");
/// assert_eq!(serving.join().expect("no panic")?, Some(End::ShutDown));
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Stopper(Arc<AtomicU8>);

/// The way in which a session was told to end; a later one includes the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Stop {
    Never,
    ShutDown,
    Close,
}

impl Stopper {
    /// Creates a handle without sessions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets content and delivery in progress finish, answers everything else 421, and closes: see
    /// [`Server::shut_down`](crate::server::Server::shut_down).
    pub fn shut_down(&self) {
        self.0.fetch_max(Stop::ShutDown as u8, Ordering::AcqRel);
    }

    /// Ends the sessions now, content in progress included: see
    /// [`Server::close`](crate::server::Server::close).
    ///
    /// A session whose thread is busy with an answer ends when it calls
    /// [`next`](super::Connection::next) again.
    pub fn close(&self) {
        self.0.fetch_max(Stop::Close as u8, Ordering::AcqRel);
    }

    /// Returns whether the sessions were told to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop() > Stop::Never
    }

    fn stop(&self) -> Stop {
        match self.0.load(Ordering::Acquire) {
            0 => Stop::Never,
            1 => Stop::ShutDown,
            _ => Stop::Close,
        }
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stopper").field(&self.stop()).finish()
    }
}

/// The stopper of a session, and what the session has learnt from it.
#[derive(Debug)]
pub(super) struct Attached<M> {
    pub(super) stopper: Stopper,
    last: Stop,
    /// Passes it on to the machine.
    tell: fn(&mut M, Stop),
}

impl<M: AsServer> Attached<M> {
    pub(super) const fn new(stopper: Stopper) -> Self {
        let tell = |machine: &mut M, stop| match stop {
            Stop::Never => {}
            Stop::ShutDown => machine.as_server_mut().shut_down(),
            Stop::Close => machine.as_server_mut().close(),
        };
        Self { stopper, last: Stop::Never, tell }
    }
}

impl<M> Attached<M> {
    /// Tells the machine to end, once the stopper says so.
    pub(super) fn look(&mut self, machine: &mut M) {
        let stop = self.stopper.stop();
        if stop > self.last {
            self.last = stop;
            (self.tell)(machine, stop);
        }
    }

    /// Returns the time for which the session may wait without a look.
    pub(super) fn slice(&self) -> Option<Duration> {
        (self.last < Stop::Close).then_some(SLICE)
    }
}
