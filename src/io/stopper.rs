//! Ending sessions from outside, while they wait for their peers.

use crate::io::AsServer;
use alloc::{sync::Arc, vec::Vec};
use core::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
    task::Waker,
    time::Duration,
};
#[cfg(feature = "tokio")]
use core::{
    future::poll_fn,
    task::{Context, Poll},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The time after which a blocking session that waits for its peer looks at its stopper again.
const SLICE: Duration = Duration::from_millis(250);

/// A handle that ends sessions from another thread or task; clones are handles of the same sessions.
///
/// [`Connection::stopper`](super::blocking::Connection::stopper) makes the handle of one session,
/// [`Connection::with_stopper`](super::blocking::Connection::with_stopper) attaches a session to a
/// handle that it shares with others; the sessions of tokio have both methods, too.
///
/// A session of tokio ends at once. A blocking session that waits for its peer ends within 250 ms: the standard
/// library cannot wait for a socket and for something else, so it looks at its stopper four times a second.
/// (Shutting down the reading direction of the socket would wake it at once, but a session that lets content
/// finish still has to wait for octets of its client.)
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
///     io::Result::Ok(session.server().end())
/// });
/// stopper.shut_down();
/// let mut heard = String::new();
/// client.read_to_string(&mut heard)?;
/// assert!(heard.ends_with("Shutting down, try again later\r\n"), "{heard}");
/// assert_eq!(serving.join().expect("no panic")?, Some(End::ShutDown));
/// # Ok::<(), io::Error>(())
/// ```
#[doc(alias("cancel", "shutdown", "CancellationToken"))]
#[derive(Clone, Default)]
pub struct Stopper(Arc<Shared>);

#[derive(Default)]
struct Shared {
    stop: AtomicU8,
    /// The tasks of the sessions that wait, each at its own place.
    wakers: Mutex<Wakers>,
}

#[derive(Default)]
struct Wakers {
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
}

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
        self.tell(Stop::ShutDown);
    }

    /// Ends the sessions now, content in progress included: see
    /// [`Server::close`](crate::server::Server::close).
    ///
    /// A session that is busy with an answer ends when it calls
    /// [`next`](super::blocking::Connection::next) again.
    pub fn close(&self) {
        self.tell(Stop::Close);
    }

    /// Returns whether the sessions were told to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop() > Stop::Never
    }

    /// Waits until the sessions are told to [close](Self::close), for an application that waits for
    /// something else meanwhile: a disk, a directory. [`shut_down`](Self::shut_down) does not end the
    /// wait. The future may be dropped at any time.
    ///
    /// ```
    /// use esmtp::io::Stopper;
    /// use std::{future::Future, io};
    ///
    /// /// Stores a message, but does not wait for the disk when the session has to end.
    /// async fn store(disk: impl Future<Output = io::Result<()>>, stopper: &Stopper) -> io::Result<()> {
    ///     tokio::select! {
    ///         stored = disk => stored,
    ///         () = stopper.closed() => Err(io::ErrorKind::Interrupted.into()),
    ///     }
    /// }
    /// ```
    #[cfg(feature = "tokio")]
    pub async fn closed(&self) {
        let mut watching = Attached::listener(self.clone());
        while !self.is_closing() {
            poll_fn(|context| watching.poll_look(context)).await;
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.stop() == Stop::Close
    }

    fn tell(&self, stop: Stop) {
        if self.0.stop.fetch_max(stop as u8, Ordering::SeqCst) < stop as u8 {
            // Woken outside the lock, which a task that ends takes.
            let woken = self.wakers().places.clone();
            woken.into_iter().flatten().for_each(Waker::wake);
        }
    }

    fn wakers(&self) -> MutexGuard<'_, Wakers> {
        self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) -> Stop {
        match self.0.stop.load(Ordering::SeqCst) {
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

/// The stopper of a session, and the last that the session has seen of it.
pub(super) struct Attached<M> {
    stopper: Stopper,
    last: Stop,
    /// Passes it on to the machine.
    tell: fn(&mut M, Stop),
    /// The task that is woken by the stopper, and its place there.
    waker: Option<(Waker, usize)>,
}

impl<M: AsServer> Attached<M> {
    pub(super) const fn new(stopper: Stopper) -> Self {
        let tell = |machine: &mut M, stop| match stop {
            Stop::Never => {}
            Stop::ShutDown => machine.as_server_mut().shut_down(),
            Stop::Close => machine.as_server_mut().close(),
        };
        Self { stopper, last: Stop::Never, tell, waker: None }
    }
}

#[cfg(feature = "tokio")]
impl Attached<()> {
    /// Attaches a listener, which looks for itself.
    pub(super) const fn listener(stopper: Stopper) -> Self {
        Self { stopper, last: Stop::Never, tell: |(), _| {}, waker: None }
    }

    /// Returns ready when the stopper says something that was not seen before.
    pub(super) fn poll_look(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.look(&mut ()) {
            return Poll::Ready(());
        }
        self.watch(context.waker());
        match self.look(&mut ()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl<M> Attached<M> {
    pub(super) fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Tells the machine to end, if the stopper says so and has not before; returns whether.
    pub(super) fn look(&mut self, machine: &mut M) -> bool {
        let stop = self.stopper.stop();
        let is_new = stop > self.last;
        if is_new {
            self.last = stop;
            (self.tell)(machine, stop);
        }
        is_new
    }

    /// Returns the time for which a thread may wait without a look; `None` when nothing can follow.
    pub(super) fn slice(&self) -> Option<Duration> {
        (self.last < Stop::Close).then_some(SLICE)
    }

    /// Makes the stopper wake this task when it says something that the session has not seen. Look
    /// once more afterwards.
    #[cfg(feature = "tokio")]
    pub(super) fn watch(&mut self, task: &Waker) {
        if self.waker.as_ref().is_some_and(|(waker, _)| waker.will_wake(task)) {
            return;
        }
        let mut wakers = self.stopper.wakers();
        let place = match &self.waker {
            Some((_, place)) => *place,
            None => wakers.free.pop().unwrap_or_else(|| {
                wakers.places.push(None);
                wakers.places.len() - 1
            }),
        };
        let former = wakers.places.get_mut(place).and_then(|waker| waker.replace(task.clone()));
        drop(wakers);
        drop(former); // outside the lock
        self.waker = Some((task.clone(), place));
    }
}

impl<M> Drop for Attached<M> {
    fn drop(&mut self) {
        let Some((_, place)) = self.waker else { return };
        let mut wakers = self.stopper.wakers();
        let former = wakers.places.get_mut(place).and_then(Option::take);
        wakers.free.push(place);
        drop(wakers);
        drop(former); // outside the lock
    }
}

impl<M> fmt::Debug for Attached<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stopper.fmt(f)
    }
}
