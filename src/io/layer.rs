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
pub struct Layer<M>(Inner<M>);

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
        match &self.0 {
            Inner::Clear(machine) => machine,
            #[cfg(feature = "rustls")]
            Inner::Tls(secured) => secured.machine(),
        }
    }

    /// Returns the machine inside, to change it from outside, not to drive it.
    #[must_use]
    pub const fn machine_mut(&mut self) -> &mut M {
        match &mut self.0 {
            Inner::Clear(machine) => machine,
            #[cfg(feature = "rustls")]
            Inner::Tls(secured) => secured.machine_mut(),
        }
    }

    /// Returns whether a TLS layer is there, so that STARTTLS can be agreed on.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        match &self.0 {
            Inner::Clear(_) => false,
            #[cfg(feature = "rustls")]
            Inner::Tls(_) => true,
        }
    }

    /// Replaces the machine by another on the same channel, after the roles were swapped (ATRN). TLS
    /// goes on.
    #[must_use]
    pub fn map<N>(self, turn: impl FnOnce(M) -> N) -> Layer<N> {
        Layer(match self.0 {
            Inner::Clear(machine) => Inner::Clear(turn(machine)),
            #[cfg(feature = "rustls")]
            Inner::Tls(secured) => Inner::Tls(secured.map(turn)),
        })
    }
}

impl<M: Upgradable> From<M> for Layer<M> {
    fn from(machine: M) -> Self {
        Self(Inner::Clear(machine))
    }
}

#[cfg(feature = "rustls")]
impl<M> From<Secured<M>> for Layer<M> {
    fn from(secured: Secured<M>) -> Self {
        Self(Inner::Tls(secured))
    }
}

impl<M: Upgradable> Machine for Layer<M> {
    type Event<'m>
        = M::Event<'m>
    where
        M: 'm;

    fn poll(&mut self, now: Instant) -> Need {
        outer!(&mut self.0, machine => machine.poll(now))
    }

    fn event(&mut self) -> Option<M::Event<'_>> {
        outer!(&mut self.0, machine => machine.event())
    }

    fn question(&mut self) -> Option<OpenQuestion> {
        outer!(&mut self.0, machine => machine.question())
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        outer!(&mut self.0, machine => machine.receive_buffer())
    }

    fn received(&mut self, octets: usize) {
        outer!(&mut self.0, machine => machine.received(octets));
    }

    fn release(&mut self) {
        outer!(&mut self.0, machine => machine.release());
    }

    fn lend_buffer(&mut self, memory: BytesMut) -> Option<BytesMut> {
        outer!(&mut self.0, machine => machine.lend_buffer(memory))
    }

    fn reclaim_buffer(&mut self) -> Option<BytesMut> {
        outer!(&mut self.0, machine => machine.reclaim_buffer())
    }

    fn feed(&mut self, octets: &[u8]) -> usize {
        outer!(&mut self.0, machine => machine.feed(octets))
    }

    fn closed(&mut self, how: Closed) {
        outer!(&mut self.0, machine => machine.closed(how));
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        outer!(&self.0, machine => machine.to_send(slices))
    }

    fn output(&self, limit: usize) -> Bytes {
        outer!(&self.0, machine => machine.output(limit))
    }

    fn sent(&mut self, octets: usize) {
        outer!(&mut self.0, machine => machine.sent(octets));
    }

    fn unsendable(&mut self) {
        outer!(&mut self.0, machine => machine.unsendable());
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
