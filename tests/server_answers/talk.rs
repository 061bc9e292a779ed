//! A client in memory that says one line at a time.

use esmtp::{
    machine::{Machine, Need},
    security::Security,
    server::{Config, Event, Peer, Server, Timeouts},
    time::Instant,
};
use std::{sync::Arc, time::Duration};

pub(crate) fn config() -> Config {
    let timeouts = Timeouts::default().with_auth_failure(Duration::ZERO);
    Config::new("mx.example.org").unwrap().with_timeouts(timeouts)
}

/// A session of a server.
pub(crate) struct Session(pub(crate) Server);

impl Session {
    pub(crate) fn new(config: Config) -> Self {
        Self(Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR))
    }

    /// Sends lines, and returns the replies to them.
    pub(crate) fn say(&mut self, lines: &str, mut answer: impl FnMut(Event<'_>)) -> String {
        let (mut replies, mut lines) = (String::new(), Some(lines));
        loop {
            match self.0.poll(Instant::ORIGIN) {
                Need::Answer => self.0.event().into_iter().for_each(&mut answer),
                Need::Write(_) => self.take(&mut replies),
                Need::Either(_) | Need::Read(_) => {
                    self.take(&mut replies);
                    let Some(lines) = lines.take() else { return replies };
                    // The greeting.
                    replies.clear();
                    let octets = format!("{lines}\r\n");
                    assert_eq!(self.0.feed(octets.as_bytes()), octets.len());
                }
                Need::Close => return replies,
                Need::Wait(_) => panic!("a delay"),
            }
        }
    }

    fn take(&mut self, replies: &mut String) {
        let octets = self.0.output(usize::MAX);
        replies.push_str(std::str::from_utf8(&octets).unwrap());
        self.0.sent(octets.len());
    }
}
