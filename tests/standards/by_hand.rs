//! A server that is driven by hand: octets in, octets out, and the time as a value.

use crate::common::Experience;
use esmtp::{
    machine::{Machine, Need},
    security::Security,
    server::{Config, Event, Peer, Server},
    time::Instant,
};
use std::sync::Arc;

pub(crate) struct ByHand {
    pub(crate) server: Server,
    pub(crate) experience: Experience,
    pub(crate) now: Instant,
    pub(crate) is_closed: bool,
    answer: fn(&mut Experience, Event<'_>),
}

impl ByHand {
    /// Opens a session over this channel, after the greeting and the client's EHLO or LHLO.
    pub(crate) fn after_hello(
        config: Config,
        security: Security,
        answer: fn(&mut Experience, Event<'_>),
    ) -> Self {
        let hello = config.service().hello();
        let mut it = Self::silent(config, security, answer);
        assert!(it.say(b"").starts_with("220 "));
        let hello = format!("{} client.example.net\r\n", hello.as_str());
        assert!(it.say(hello.as_bytes()).starts_with("250"));
        it
    }

    /// Opens a session over this channel, before the greeting.
    pub(crate) fn silent(
        config: Config,
        security: Security,
        answer: fn(&mut Experience, Event<'_>),
    ) -> Self {
        let server = Server::new(Arc::new(config), Peer::UNKNOWN, security);
        let (now, experience) = (Instant::ORIGIN, Experience::default());
        Self { server, experience, now, is_closed: false, answer }
    }

    /// Returns the replies of the server to these octets, which arrive together.
    pub(crate) fn say(&mut self, octets: &[u8]) -> String {
        let (mut rest, mut said) = (octets, Vec::new());
        loop {
            match self.server.poll(self.now) {
                Need::Answer => (self.answer)(&mut self.experience, self.server.event().unwrap()),
                Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&[][..]; 4];
                    let count = self.server.to_send(&mut slices);
                    let octets = slices[..count].concat();
                    self.server.sent(octets.len());
                    said.extend_from_slice(&octets);
                }
                Need::Read(_) if !rest.is_empty() => {
                    let taken = self.server.feed(rest);
                    assert!(taken > 0, "no room");
                    rest = &rest[taken..];
                }
                Need::Read(_) => return String::from_utf8(said).unwrap(),
                Need::Wait(until) => self.now = until,
                Need::Close => {
                    self.is_closed = true;
                    return String::from_utf8(said).unwrap();
                }
            }
        }
    }
}
