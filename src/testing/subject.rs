//! The machines that a script can be played with.

use crate::{
    client::{self, Client},
    machine::{Machine, Upgradable},
    server::{self, Server},
    transcript::Side,
};

/// A machine that a [`Script`](super::Script) is played with: [`Server`] or [`Client`].
///
/// This trait is sealed.
pub trait Subject: Upgradable + sealed::Sealed + 'static {
    /// The side of the machine.
    const SIDE: Side;

    /// Returns the number of the question that is open, and whether it asks for content or brings
    /// some: such a question stays while content is passed on.
    fn open_question(&mut self) -> Option<(u64, bool)>;

    /// Tells the machine to end the session.
    fn shut_down(&mut self);
}

impl Subject for Server {
    const SIDE: Side = Side::Server;

    fn open_question(&mut self) -> Option<(u64, bool)> {
        let event = self.event()?;
        Some((event.number(), matches!(event, server::Event::Content(_))))
    }

    fn shut_down(&mut self) {
        Self::shut_down(self);
    }
}

impl Subject for Client {
    const SIDE: Side = Side::Client;

    fn open_question(&mut self) -> Option<(u64, bool)> {
        let event = self.event()?;
        Some((event.number(), matches!(event, client::Event::Content(_))))
    }

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
