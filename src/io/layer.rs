//! One type for a machine in the clear and inside TLS.

use super::{AsClient, AsServer};
#[cfg(feature = "rustls")]
use crate::tls::Secured;
use crate::{
    client::Client,
    machine::{Closed, Machine, Need, OpenQuestion, Upgradable},
    server::Server,
    time::Instant,
};
use bytes::{Bytes, BytesMut};
use core::time::Duration;

/// A machine, in the clear or inside TLS: one type without type parameters of a TLS library, which
/// exists with every set of features, so that a function can name the session that it takes.
///
/// `From` makes one of a machine, and of a `tls::Secured`. Its events are those of the machine inside.
///
/// ```
/// use esmtp::{
///     client::{Client, Config},
///     io::Layer,
///     security::Security,
/// };
///
/// let client = Client::new(Config::new("me.example.org")?, Security::CLEAR);
/// let layer = Layer::from(client);
/// assert!(layer.machine().end().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Layer<M> {
    inner: Inner<M>,
    limit: Limit,
}

/// The time by which a session must be ready.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Never,
    /// This time after the first poll.
    After(Duration),
    At(Instant),
}

#[derive(Debug)]
enum Inner<M> {
    Clear(M),
    #[cfg(feature = "rustls")]
    Tls(Secured<M>),
}

/// Calls a method of the machine that the driver meets.
macro_rules! outer {
    ($layer:expr, $machine:ident => $call:expr) => {
        match $layer {
            Inner::Clear($machine) => $call,
            #[cfg(feature = "rustls")]
            Inner::Tls($machine) => $call,
        }
    };
}

impl<M: Upgradable> Layer<M> {
    /// Returns the machine inside.
    #[must_use]
    pub const fn machine(&self) -> &M {
        match &self.inner {
            Inner::Clear(machine) => machine,
            #[cfg(feature = "rustls")]
            Inner::Tls(secured) => secured.machine(),
        }
    }

    /// Returns the machine inside, to change it from outside, not to drive it.
    #[must_use]
    pub const fn machine_mut(&mut self) -> &mut M {
        match &mut self.inner {
            Inner::Clear(machine) => machine,
            #[cfg(feature = "rustls")]
            Inner::Tls(secured) => secured.machine_mut(),
        }
    }

    /// Returns whether a TLS layer is there, so that STARTTLS can be agreed on.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        match &self.inner {
            Inner::Clear(_) => false,
            #[cfg(feature = "rustls")]
            Inner::Tls(_) => true,
        }
    }

    /// Sets the time after which the session ends, whatever it does; `None` lifts it.
    pub(super) const fn set_limit(&mut self, limit: Option<Duration>) {
        self.limit = match limit {
            Some(time) => Limit::After(time),
            None => Limit::Never,
        };
    }

    /// Replaces the machine by another on the same channel, after the roles were swapped (ATRN). TLS
    /// goes on.
    #[must_use]
    pub fn map<N>(self, turn: impl FnOnce(M) -> N) -> Layer<N> {
        let inner = match self.inner {
            Inner::Clear(machine) => Inner::Clear(turn(machine)),
            #[cfg(feature = "rustls")]
            Inner::Tls(secured) => Inner::Tls(secured.map(turn)),
        };
        Layer { inner, limit: self.limit }
    }
}

impl<M: Upgradable> From<M> for Layer<M> {
    fn from(machine: M) -> Self {
        Self { inner: Inner::Clear(machine), limit: Limit::Never }
    }
}

#[cfg(feature = "rustls")]
impl<M> From<Secured<M>> for Layer<M> {
    fn from(secured: Secured<M>) -> Self {
        Self { inner: Inner::Tls(secured), limit: Limit::Never }
    }
}

impl<M: Upgradable> Machine for Layer<M> {
    type Event<'m>
        = M::Event<'m>
    where
        M: 'm;

    fn poll(&mut self, now: Instant) -> Need {
        if let Limit::After(time) = self.limit {
            self.limit = Limit::At(now + time);
        }
        let Limit::At(limit) = self.limit else {
            return outer!(&mut self.inner, machine => machine.poll(now));
        };
        if limit.has_passed(now) {
            return Need::Close;
        }
        match outer!(&mut self.inner, machine => machine.poll(now)) {
            Need::Read(until) => Need::Read(until.min(limit)),
            Need::Write(until) => Need::Write(until.min(limit)),
            Need::Either(until) => Need::Either(until.min(limit)),
            Need::Wait(until) => Need::Wait(until.min(limit)),
            need @ (Need::Answer | Need::Close) => need,
        }
    }

    fn event(&mut self) -> Option<M::Event<'_>> {
        outer!(&mut self.inner, machine => machine.event())
    }

    fn question(&mut self) -> Option<OpenQuestion> {
        outer!(&mut self.inner, machine => machine.question())
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        outer!(&mut self.inner, machine => machine.receive_buffer())
    }

    fn received(&mut self, octets: usize) {
        outer!(&mut self.inner, machine => machine.received(octets));
    }

    fn release(&mut self) {
        outer!(&mut self.inner, machine => machine.release());
    }

    fn lend_buffer(&mut self, memory: BytesMut) -> Option<BytesMut> {
        outer!(&mut self.inner, machine => machine.lend_buffer(memory))
    }

    fn reclaim_buffer(&mut self) -> Option<BytesMut> {
        outer!(&mut self.inner, machine => machine.reclaim_buffer())
    }

    fn feed(&mut self, octets: &[u8]) -> usize {
        outer!(&mut self.inner, machine => machine.feed(octets))
    }

    fn closed(&mut self, how: Closed) {
        outer!(&mut self.inner, machine => machine.closed(how));
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        outer!(&self.inner, machine => machine.to_send(slices))
    }

    fn output(&self, limit: usize) -> Bytes {
        outer!(&self.inner, machine => machine.output(limit))
    }

    fn sent(&mut self, octets: usize) {
        outer!(&mut self.inner, machine => machine.sent(octets));
    }

    fn unsendable(&mut self) {
        outer!(&mut self.inner, machine => machine.unsendable());
    }
}

impl<M: Upgradable + AsClient> AsClient for Layer<M> {
    fn as_client(&self) -> &Client {
        self.machine().as_client()
    }

    fn as_client_mut(&mut self) -> &mut Client {
        self.machine_mut().as_client_mut()
    }
}

impl<M: Upgradable + AsServer> AsServer for Layer<M> {
    fn as_server(&self) -> &Server {
        self.machine().as_server()
    }

    fn as_server_mut(&mut self) -> &mut Server {
        self.machine_mut().as_server_mut()
    }
}
