//! The contract between a machine and its driver: poll, answer.
//!
//! A machine never touches a socket or a clock. Its driver asks [`poll`](Machine::poll) what
//! it needs, provides exactly that, and asks again. The adapters in `io` are such
//! drivers; any other event loop is a dozen lines.
//!
//! ```
//! use esmtp::{
//!     machine::{Machine, Need},
//!     security::Security,
//!     server::{Config, Event, Peer, Server},
//!     time::Instant,
//! };
//!
//! let config = std::sync::Arc::new(Config::new("mx.example.org")?);
//! let mut server = Server::new(config, Peer::UNKNOWN, Security::CLEAR);
//! assert_eq!(server.poll(Instant::ORIGIN), Need::Answer);
//! server.event().into_iter().for_each(Event::proceed);
//! assert!(matches!(server.poll(Instant::ORIGIN), Need::Either(_))); // the greeting waits
//! let mut slices = [&[][..]];
//! server.to_send(&mut slices);
//! assert!(slices[0].starts_with(b"220 mx.example.org "));
//! # Ok::<(), esmtp::syntax::SyntaxError>(())
//! ```

use crate::{
    security::{Security, TlsFailure},
    time::Instant,
};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// The input that a machine needs before it can advance.
///
/// The instants are deadlines. When one has passed (`now >= deadline`) the next
/// [`poll`](Machine::poll) acts on it. This enum is exhaustive: no variant will be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Need {
    /// Octets from the peer, by this deadline.
    Read(Instant),
    /// [`to_send`](Machine::to_send) written to the peer, by this deadline.
    Write(Instant),
    /// Octets wait to be sent and the peer may send: whichever the stream is ready for first.
    Either(Instant),
    /// Nothing until then: a delayed reply.
    Wait(Instant),
    /// The application's answer to [`event`](Machine::event).
    Answer,
    /// Nothing more: close the connection.
    Close,
}

/// The way in which the peer's direction of the connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// An orderly end of stream: commands and replies received before it are still handled.
    Clean,
    /// A reset connection, or TLS that ended without `close_notify`.
    CutOff,
}

/// The question that a machine waits for the answer to.
///
/// ```
/// use esmtp::{
///     machine::{Machine, Need},
///     security::Security,
///     server::{Config, Peer, Server},
///     time::Instant,
/// };
///
/// let config = std::sync::Arc::new(Config::new("mx.example.org")?);
/// let mut server = Server::new(config, Peer::UNKNOWN, Security::CLEAR);
/// assert_eq!(server.poll(Instant::ORIGIN), Need::Answer);
/// let question = server.question().unwrap();
/// assert_eq!((question.number(), question.name()), (1, "Connect"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenQuestion {
    number: u64,
    name: &'static str,
}

impl OpenQuestion {
    /// Describes a question with this number and name, for the machine that asks it.
    #[must_use]
    pub const fn new(number: u64, name: &'static str) -> Self {
        Self { number, name }
    }

    /// Returns the number of the question in its session. A question keeps it until the application
    /// has answered, or a part of the answer has been given.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the name of the question: that of the variant of the event.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// The number of slices that [`Machine::output`] copies at once.
const OUTPUT_SLICES: usize = 16;

/// The driving contract of [`Server`](crate::server::Server), [`Client`](crate::client::Client)
/// and every layer around them.
///
/// No need is exclusive: what is ready may be written, and [`closed`](Machine::closed) be
/// called, while a question is open.
pub trait Machine {
    /// A question to the application, borrowed from the machine.
    type Event<'m>
    where
        Self: 'm;

    /// Advances as far as possible and returns the need; acts on a deadline that has passed.
    fn poll(&mut self, now: Instant) -> Need;

    /// Returns the question that [`Need::Answer`] waits for; `None` when no question is open.
    ///
    /// The question is returned again until it is answered or the session has ended, so an event
    /// that was dropped is not lost.
    fn event(&mut self) -> Option<Self::Event<'_>>;

    /// Returns the number and the name of the open question; `None` when no question is open, or by a
    /// machine that does not number its questions.
    ///
    /// Adapters find by it that an application has forgotten to answer, and a machine around another
    /// one passes the call on.
    fn question(&mut self) -> Option<OpenQuestion> {
        None
    }

    /// Returns free space to read into, allocated on demand; never empty after [`Need::Read`] or
    /// [`Need::Either`].
    fn receive_buffer(&mut self) -> &mut [u8];

    /// Records that this many octets were read into the front of
    /// [`receive_buffer`](Machine::receive_buffer); 0 means that nothing arrived (the end of the
    /// stream is [`closed`](Machine::closed)).
    fn received(&mut self, octets: usize);

    /// Frees the receive buffer if it holds no octets: an idle session costs no memory.
    fn release(&mut self);

    /// Lends `memory` for the receive buffer, so that reading neither allocates nor zeroes; returns
    /// it if the machine has no use for it.
    ///
    /// The length of `memory` is the size of the buffer. A machine takes it when its receive buffer
    /// holds no octets and the length suits it, and may replace it by memory of its own when a read
    /// fills it. A driver with many idle sessions lends from a pool when a stream is readable, and
    /// takes the memory back with [`reclaim_buffer`](Machine::reclaim_buffer).
    ///
    /// A layer takes memory a second time, for the machine inside: a driver may lend until one is returned.
    ///
    /// By default a machine reads into its own memory, and returns what is lent.
    fn lend_buffer(&mut self, memory: BytesMut) -> Option<BytesMut> {
        Some(memory)
    }

    /// Takes the memory of the receive buffer out, if it holds no octets, and frees what
    /// [`release`](Machine::release) frees.
    ///
    /// A layer returns its own memory first, and that of the machine inside at the next call: a driver calls until
    /// `None` is returned.
    ///
    /// The memory may still contain octets that the peer sent, credentials excepted.
    ///
    /// By default the memory is the machine's own: it is released, and none is returned.
    fn reclaim_buffer(&mut self) -> Option<BytesMut> {
        self.release();
        None
    }

    /// Copies octets into the [`receive_buffer`](Machine::receive_buffer) and returns how many it
    /// took. A driver that reads into the buffer itself needs no copy.
    fn feed(&mut self, octets: &[u8]) -> usize {
        let room = self.receive_buffer();
        let taken = room.len().min(octets.len());
        if let (Some(room), Some(octets)) = (room.get_mut(..taken), octets.get(..taken)) {
            room.copy_from_slice(octets);
        }
        self.received(taken);
        taken
    }

    /// Records that the peer will send nothing more.
    fn closed(&mut self, how: Closed);

    /// Fills in slices of the octets to send, to be written in order, and returns how many were
    /// filled in; 0 when nothing waits.
    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize;

    /// Returns a copy of the octets to send, up to `limit`, for a driver that must own what it
    /// writes (completion I/O). A driver that can write borrowed slices needs no copy: it uses
    /// [`to_send`](Machine::to_send), as the adapters of this crate do.
    ///
    /// Like those of [`to_send`](Machine::to_send) they wait until [`sent`](Machine::sent) records
    /// that they were written.
    fn output(&self, limit: usize) -> Bytes {
        let mut slices = [[].as_slice(); OUTPUT_SLICES];
        let filled = self.to_send(&mut slices);
        let slices = slices.get(..filled).unwrap_or_default();
        let waiting = slices.iter().fold(0_usize, |sum, slice| sum.saturating_add(slice.len()));
        let mut octets = Vec::with_capacity(waiting.min(limit));
        for slice in slices {
            let room = limit.saturating_sub(octets.len());
            octets.extend_from_slice(slice.get(..room).unwrap_or(slice));
        }
        octets.into()
    }

    /// Records that this many octets of [`to_send`](Machine::to_send) were written.
    fn sent(&mut self, octets: usize);

    /// Records that writing failed: nothing more can be sent, but input from the peer may still be
    /// read.
    fn unsendable(&mut self);
}

/// A machine that a TLS layer can be put around (`tls::Secured`, or a custom one).
///
/// The layer takes over when a poll returns [`Need::Answer`] and
/// [`is_upgrading`](Self::is_upgrading) returns that the answer is a TLS handshake.
pub trait Upgradable: Machine {
    /// Returns whether STARTTLS is agreed, every octet before it is sent, and the handshake is
    /// awaited.
    fn is_upgrading(&self) -> bool;

    /// Completes the handshake: from here on the channel is protected.
    fn upgraded(&mut self, security: Security);

    /// Ends the session because the handshake failed: nothing more can be sent on this connection.
    fn upgrade_failed(&mut self, why: TlsFailure);

    /// Ends the session because TLS failed after the handshake: by an alert of the peer, a forged
    /// record, or octets that are not TLS. Nothing more can be sent or received.
    ///
    /// A machine that does not keep the reason sees a connection that was cut off.
    fn tls_failed(&mut self, why: TlsFailure) {
        let _ = why;
        self.closed(Closed::CutOff);
        self.unsendable();
    }

    /// Returns whether the session was told to end, so that a handshake is not worth waiting for.
    fn is_stopping(&self) -> bool {
        false
    }
}
