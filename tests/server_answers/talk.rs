//! A client in memory that says one line at a time.

use esmtp::{
    machine::Need,
    security::Security,
    server::{Config, Event, Peer, Server, Timeouts},
    testing::Driver,
};
use std::{sync::Arc, time::Duration};

pub(crate) fn config() -> Config {
    let timeouts = Timeouts::default().with_auth_failure(Duration::ZERO);
    Config::new("mx.example.org").unwrap().with_timeouts(timeouts)
}

/// A session of a server.
pub(crate) struct Session(Driver<Server>);

impl Session {
    pub(crate) fn new(config: Config) -> Self {
        Self::of(Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR))
    }

    pub(crate) fn of(server: Server) -> Self {
        Self(Driver::new(server))
    }

    /// Sends lines, and returns the replies to them.
    pub(crate) fn say(&mut self, lines: &str, mut answer: impl FnMut(Event<'_>)) -> String {
        // The greeting comes first.
        self.0.exchange("", &mut answer);
        let replies = self.0.exchange(format!("{lines}\r\n"), answer);
        assert!(!matches!(self.0.need(), Need::Wait(_)), "a delay");
        replies
    }

    pub(crate) const fn server(&self) -> &Server {
        self.0.machine()
    }
}
