//! A server that is driven by hand: octets in, octets out, and the time as a value.

use crate::common::Experience;
use esmtp::{
    machine::Need,
    security::Security,
    server::{Config, Event, Peer, Server},
    testing::Driver,
};
use std::{sync::Arc, time::Duration};

pub(crate) struct ByHand {
    driver: Driver<Server>,
    pub(crate) experience: Experience,
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
        Self { driver: Driver::new(server), experience: Experience::default(), answer }
    }

    /// Returns the replies of the server to these octets, which arrive together; delayed ones are waited
    /// for.
    pub(crate) fn say(&mut self, octets: &[u8]) -> String {
        let Self { driver, experience, answer } = self;
        let mut said = driver.exchange(octets, |event| answer(experience, event));
        while let Need::Wait(until) = driver.need() {
            let wait = until.saturating_since(driver.time());
            said.push_str(&driver.pass(wait, |event| answer(experience, event)));
        }
        said
    }

    /// Passes time, and returns what the server sends by itself.
    pub(crate) fn pass(&mut self, time: Duration) -> String {
        let Self { driver, experience, answer } = self;
        driver.pass(time, |event| answer(experience, event))
    }

    pub(crate) const fn server(&self) -> &Server {
        self.driver.machine()
    }

    pub(crate) const fn server_mut(&mut self) -> &mut Server {
        self.driver.machine_mut()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.driver.need() == Need::Close
    }

    /// Returns the time since the beginning.
    pub(crate) fn time(&self) -> Duration {
        self.driver.time().elapsed()
    }
}
