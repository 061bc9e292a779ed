//! A machine on a non-blocking stream, for an event loop of the application's own (mio, polling).
//!
//! [`Connection::next`] returns at once: with an [event](Step::Event) to answer, with the readiness
//! and the time to [wait](Step::Wait) for, or because the session is [over](Step::Over). The loop
//! owns the clock and the poller; the connection handles all that lies between them and the
//! machine: `WouldBlock` and `Interrupted`, partial writes, failed reads and writes, the receive
//! buffer of an idle session, deadlines, and the orderly close.
//!
//! ```
//! use esmtp::{
//!     io::nonblocking::{Connection, Step, Wait},
//!     server::{Event, Server},
//!     time::Instant,
//! };
//! use std::{io, net::{Shutdown, TcpStream}};
//!
//! /// Starts a session: the stream is non-blocking, without delay, and registered with the poller.
//! fn start(server: Server, stream: TcpStream) -> Connection<Server, TcpStream> {
//!     Connection::new(server, stream, |stream| stream.shutdown(Shutdown::Write))
//! }
//!
//! /// Advances a session as far as possible; returns what it waits for, or `None` when it is over.
//! fn advance(
//!     session: &mut Connection<Server, TcpStream>,
//!     now: Instant,
//! ) -> io::Result<Option<Wait>> {
//!     loop {
//!         match session.next(now)? {
//!             Step::Event(Event::Rcpt(rcpt)) => rcpt.accept(),
//!             Step::Event(other) => other.proceed(),
//!             Step::Wait(wait) => return Ok(Some(wait)),
//!             Step::Over => return Ok(None),
//!         }
//!     }
//! }
//! ```
//!
//! The loop around it, in each of its turns:
//!
//! 1. Poll, no longer than until the earliest [`Wait::until`] of all sessions.
//! 2. For each event of the poller tell its session: [`set_readable`](Connection::set_readable),
//!    [`set_writable`](Connection::set_writable), or both if the poller reports an error or a
//!    hang-up.
//! 3. Advance those sessions, and those whose [`Wait::until`] has passed.
//!
//! A stream of TCP needs `set_nodelay(true)`: otherwise a reply waits for the acknowledgement of the one
//! before it ([`Connection::accept`] sets it).
//!
//! With a poller that is edge-triggered (mio) a stream is registered once, for both directions. With
//! one that is level-triggered or reports once (polling), register after each step for
//! [`Wait::reads`] and [`Wait::writes`].

mod connection;

pub use connection::{Connection, Step, Wait};
