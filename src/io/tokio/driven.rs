//! What a queue and a transaction need of the session below them.

use crate::{
    client::{Client, Event},
    io::SessionError,
};
use core::task::{Context, Poll};

/// A session of a client: every [`Connection`](super::Connection) whose machine is one.
pub(super) trait Driven {
    /// Drives the machine until it asks a question. The error is that of a session that is over, with the error of
    /// its stream if there was one.
    fn poll_drive(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Option<SessionError>>>;

    /// Returns the question.
    fn event(&mut self) -> Option<Event<'_>>;

    /// Returns the client.
    fn client(&self) -> &Client;

    /// Returns the client, to change it from outside.
    fn client_mut(&mut self) -> &mut Client;
}
