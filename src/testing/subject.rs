//! The machines that a script can be played with.

use crate::{client::Client, machine::Upgradable, server::Server, transcript::Side};

/// A machine that a [`Script`](super::Script) is played with: [`Server`] or [`Client`].
///
/// This trait is sealed.
pub trait Subject: Upgradable + sealed::Sealed + 'static {
    /// The side of the machine.
    const SIDE: Side;

    /// Tells the machine to end the session.
    fn shut_down(&mut self);
}

impl Subject for Server {
    const SIDE: Side = Side::Server;

    fn shut_down(&mut self) {
        Self::shut_down(self);
    }
}

impl Subject for Client {
    const SIDE: Side = Side::Client;

    fn shut_down(&mut self) {
        self.close();
    }
}

mod sealed {
    #[allow(unnameable_types)] // that is what seals
    pub trait Sealed {}
    impl Sealed for crate::server::Server {}
    impl Sealed for crate::client::Client {}
}
