//! A machine on a blocking stream.
//!
//! ```no_run
//! use esmtp::{io::blocking::Connection, machine::Machine};
//! use std::{io, net::TcpStream};
//!
//! fn drive<M: Machine>(machine: M, stream: TcpStream) -> io::Result<()> {
//!     let mut connection = Connection::new(machine, stream);
//!     while let Some(event) = connection.next()? {
//!         let _ = event; // answer it
//!     }
//!     Ok(())
//! }
//! ```

use super::{DISCARD, LINGER_OCTETS, LINGER_TIME, SLICES, is_sending};
use crate::{
    machine::{Closed, Machine, Need},
    security::Security,
    server::{Config, Peer, Server},
    time::Instant,
};
use alloc::{boxed::Box, sync::Arc};
use core::time::Duration;
use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    thread, time,
};

/// How long a write may block when the machine could also read.
///
/// The peer may be blocked in a write itself and not read before we have: then we read.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a blocking stream must be able to do.
///
/// A stream that can not time out (a pipe) may ignore the timeouts; deadlines then pass
/// unnoticed until it returns.
pub trait Stream: Read + Write {
    /// How long a read may block; it then fails with [`ErrorKind::WouldBlock`] or
    /// [`ErrorKind::TimedOut`]. `None` is for ever; zero does not occur.
    ///
    /// # Errors
    ///
    /// What the operating system reports.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// The same for a write.
    ///
    /// # Errors
    ///
    /// What the operating system reports.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Tells the peer that nothing more will be written, while it can still be read from.
    ///
    /// # Errors
    ///
    /// What the operating system reports.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

macro_rules! socket {
    ($socket:ty) => {
        impl Stream for $socket {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_read_timeout(self, timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_write_timeout(self, timeout)
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }
        }
    };
}

macro_rules! pointer {
    ($pointer:ty) => {
        impl<S: Stream + ?Sized> Stream for $pointer {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                (**self).set_read_timeout(timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                (**self).set_write_timeout(timeout)
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                (**self).shutdown_write()
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);
pointer!(&mut S);
pointer!(Box<S>);

/// A machine on a blocking stream: see [the module](self).
#[derive(Debug)]
pub struct Connection<M, S = TcpStream> {
    machine: M,
    stream: S,
    origin: time::Instant,
    /// The peer may still say something.
    is_readable: bool,
    /// The peer may still be told something.
    is_writable: bool,
    /// A write took too long while the machine could also read.
    is_stuck: bool,
    /// Why the session failed, until [`next`](Self::next) has returned it.
    error: Option<io::Error>,
    is_over: bool,
}

impl<M: Machine, S: Stream> Connection<M, S> {
    /// Puts `machine` on `stream`. Nothing happens before [`next`](Self::next).
    #[must_use]
    pub fn new(machine: M, stream: S) -> Self {
        Self {
            machine,
            stream,
            origin: time::Instant::now(),
            is_readable: true,
            is_writable: true,
            is_stuck: false,
            error: None,
            is_over: false,
        }
    }

    /// Drives the machine until it asks something; `None` when the session is over and the
    /// connection is shut down.
    ///
    /// An event that is dropped unanswered comes again.
    ///
    /// # Errors
    ///
    /// A read or write that failed, once, after all events that were left.
    #[allow(clippy::should_implement_trait)] // an iterator can not lend
    pub fn next(&mut self) -> io::Result<Option<M::Event<'_>>> {
        loop {
            if self.is_over {
                return Ok(None);
            }
            let now = self.now();
            match self.machine.poll(now) {
                Need::Answer => break,
                Need::Wait(until) => thread::sleep(until.saturating_since(now)),
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
                // The machine can not have more than there is.
                Need::Read(_) | Need::Write(_) | Need::Either(_) | Need::Close => {
                    self.is_over = true;
                    if let Some(error) = self.error.take() {
                        return Err(error);
                    }
                    self.close();
                }
            }
        }
        Ok(self.machine.event())
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The machine, to be told something from outside (to shut down, to wake up).
    #[must_use]
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The machine and the stream, apart again. Octets that the machine holds stay in it.
    #[must_use]
    pub fn into_parts(self) -> (M, S) {
        (self.machine, self.stream)
    }

    fn now(&self) -> Instant {
        Instant::since_origin(self.origin.elapsed())
    }

    /// Reads once; whether something came of it.
    fn read(&mut self, timeout: Option<Duration>) -> bool {
        let read = self
            .stream
            .set_read_timeout(timeout)
            .and_then(|()| self.stream.read(self.machine.receive_buffer()));
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

    /// Writes once; whether something came of it.
    fn write(&mut self, timeout: Option<Duration>) -> bool {
        let mut slices: [&[u8]; SLICES] = [&[]; SLICES];
        let count = self.machine.to_send(&mut slices);
        let slices = slices.map(IoSlice::new);
        let written = self
            .stream
            .set_write_timeout(timeout)
            .and_then(|()| self.stream.write_vectored(slices.get(..count).unwrap_or_default()));
        let flushed = match written {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(octets) => {
                self.machine.sent(octets);
                self.stream.flush()
            }
            Err(error) => Err(error),
        };
        match flushed {
            Ok(()) => true,
            Err(error) if is_passing(&error) => false,
            Err(error) => {
                self.is_writable = false;
                self.machine.unsendable();
                self.error.get_or_insert(error);
                true
            }
        }
    }

    /// Writes, or reads while writing does not get on.
    fn write_or_read(&mut self, timeout: Option<Duration>) {
        let patience = Some(timeout.map_or(PATIENCE, |timeout| timeout.min(PATIENCE)));
        if !is_sending(&self.machine) {
            self.read(timeout);
        } else if self.is_stuck {
            self.is_stuck = self.read(Some(Duration::from_millis(1)));
        } else {
            self.is_stuck = !self.write(patience);
        }
    }

    /// Shuts down our direction and waits a while for the peer to do the same.
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

impl Connection<Server> {
    /// The receiving side on a connection that was accepted.
    ///
    /// # Errors
    ///
    /// The connection is gone already.
    pub fn accept(stream: TcpStream, config: Arc<Config>) -> io::Result<Self> {
        // A reply must not wait for the acknowledgement of the one before it.
        stream.set_nodelay(true)?;
        let peer = Peer::from(stream.peer_addr()?);
        Ok(Self::new(Server::new(config, peer, Security::CLEAR), stream))
    }
}

/// The time until a deadline, as the timeout of a socket: not zero.
fn until(deadline: Instant, now: Instant) -> Option<Duration> {
    (deadline != Instant::NEVER)
        .then(|| deadline.saturating_since(now).max(Duration::from_millis(1)))
}

/// Whether an error only means that nothing happened yet.
fn is_passing(error: &io::Error) -> bool {
    match error.kind() {
        ErrorKind::Interrupted | ErrorKind::WouldBlock => true,
        // Where a timeout of the socket is WouldBlock, this one says that the peer is gone.
        ErrorKind::TimedOut => cfg!(windows) || error.raw_os_error().is_none(),
        _ => false,
    }
}
