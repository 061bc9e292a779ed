//! How either side is driven: poll, answer.
//!
//! A machine never touches a socket or a clock. Its driver asks [`poll`](Machine::poll) what
//! it needs, provides exactly that, and asks again. The adapters in `io` are such
//! drivers; any other event loop is a dozen lines.

use crate::{
    security::{Security, TlsFailure},
    time::Instant,
};
use core::time::Duration;

/// What a machine needs before it can go on.
///
/// The instants are deadlines. When one has passed (`now >= deadline`) the next
/// [`poll`](Machine::poll) acts on it. This enum is exhaustive for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Need {
    /// Octets from the peer, by this deadline.
    Read(Instant),
    /// [`to_send`](Machine::to_send) on its way to the peer, by this deadline.
    Write(Instant),
    /// Octets wait to be sent and the peer may speak: whichever the stream is ready for first.
    Either(Instant),
    /// Nothing until then: a delay owed to the peer.
    Wait(Instant),
    /// The application's answer to [`event`](Machine::event).
    Answer,
    /// Nothing more, ever: close the connection.
    Close,
}

/// How the peer's direction of the connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// An orderly end of stream: what the peer said before it is still answered.
    Clean,
    /// A reset connection, or TLS that ended without `close_notify`.
    CutOff,
}

/// The driving contract of [`Server`](crate::server::Server), [`Client`](crate::client::Client)
/// and every layer around them.
///
/// No need is exclusive: what is ready may be written, and [`closed`](Machine::closed) be
/// called, while a question is open.
pub trait Machine {
    /// A question to the application, lent by the machine.
    type Event<'m>
    where
        Self: 'm;

    /// Goes on as far as it can and tells what is missing; past a deadline, acts on it.
    fn poll(&mut self, now: Instant) -> Need;

    /// What [`Need::Answer`] is about; `None` when nothing is asked.
    ///
    /// The same question is returned until it is answered or the session has ended, so an
    /// event that was dropped is not lost.
    fn event(&mut self) -> Option<Self::Event<'_>>;

    /// Free space to read into, allocated when asked for; never empty after [`Need::Read`] or
    /// [`Need::Either`].
    fn receive_buffer(&mut self) -> &mut [u8];

    /// So many octets were read into the front of [`receive_buffer`](Machine::receive_buffer);
    /// 0 means that nothing came (the end of the stream is [`closed`](Machine::closed)).
    fn received(&mut self, octets: usize);

    /// A receive buffer without octets in it may be given back: an idle session costs nothing.
    fn release(&mut self);

    /// The same as [`receive_buffer`](Machine::receive_buffer) and [`received`](Machine::received)
    /// by copy; returns how many octets were taken.
    fn feed(&mut self, octets: &[u8]) -> usize {
        let room = self.receive_buffer();
        let taken = room.len().min(octets.len());
        for (into, octet) in room.iter_mut().zip(octets) {
            *into = *octet;
        }
        self.received(taken);
        taken
    }

    /// The peer will send nothing more.
    fn closed(&mut self, how: Closed);

    /// Lends the octets to send, as slices to be written in order, and returns how many slices
    /// were filled in; 0 when nothing waits.
    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize;

    /// So many octets of [`to_send`](Machine::to_send) were written.
    fn sent(&mut self, octets: usize);

    /// Writing failed: nothing more can be sent, but what the peer said may still be read.
    fn unsendable(&mut self);
}

/// A machine that a TLS layer may be put around (`tls::Secured`, or one
/// of your own).
///
/// The layer takes over when a poll answers [`Need::Answer`] and
/// [`is_upgrading`](Self::is_upgrading) says that the answer is a TLS handshake.
pub trait Upgradable: Machine {
    /// Whether STARTTLS is agreed, every octet before it is sent, and the handshake is awaited.
    fn is_upgrading(&self) -> bool;

    /// The handshake is over: from here on the channel is protected.
    fn upgraded(&mut self, security: Security);

    /// Ends the session because the handshake failed: nothing more can be said on this connection.
    fn upgrade_failed(&mut self, why: TlsFailure);

    /// Ends the session because TLS failed after the handshake: by an alert of the peer, a forged
    /// record, or octets that are not TLS. Nothing more can be said or heard.
    ///
    /// A machine that does not keep the reason sees a connection that was cut off.
    fn tls_failed(&mut self, why: TlsFailure) {
        let _ = why;
        self.closed(Closed::CutOff);
        self.unsendable();
    }

    /// Whether the session was told to end, so that a handshake is not worth waiting for.
    fn is_stopping(&self) -> bool {
        false
    }
}

/// Who has let the session wait for how long, between one poll and the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Debts {
    last: Option<(Instant, Need)>,
}

impl Debts {
    /// What has passed since the last poll is added to what the peer or the application owes.
    pub(crate) fn settle(&mut self, now: Instant, peer: &mut Duration, application: &mut Duration) {
        let Some((then, need)) = self.last.take() else { return };
        let debtor = match need {
            Need::Read(_) | Need::Write(_) | Need::Either(_) => peer,
            Need::Answer => application,
            Need::Wait(_) | Need::Close => return,
        };
        *debtor = debtor.saturating_add(now.saturating_since(then));
    }

    /// What is needed from now on.
    pub(crate) const fn incur(&mut self, now: Instant, need: Need) -> Need {
        self.last = Some((now, need));
        need
    }
}
