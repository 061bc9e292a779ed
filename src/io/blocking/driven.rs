//! What a queue and a transaction need of the session below them.

use crate::{
    client::{Client, Event},
    io::{SessionError, sending::Sending},
};
use std::io::BufRead;

/// A session of a client: every [`Connection`](super::Connection) whose machine is one.
pub(super) trait Driven {
    /// Drives the machine until it asks a question. The error is that of a session that is over, with the error of
    /// its stream if there was one.
    fn drive(&mut self) -> Result<(), Option<SessionError>>;

    /// Returns the question.
    fn event(&mut self) -> Option<Event<'_>>;

    /// Returns the client.
    fn client(&self) -> &Client;

    /// Returns the client, to change it from outside.
    fn client_mut(&mut self) -> &mut Client;

    /// Reads the source while the client waits for it, passes the octets to the client, unless the session has
    /// ended meanwhile, and returns how many it took.
    fn feed_from(&mut self, sending: &mut Sending, content: &mut dyn BufRead) -> usize;
}
