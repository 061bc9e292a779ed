//! A message collected in memory.

use super::event::Event;
use crate::syntax::Rejection;
use alloc::vec::Vec;
use core::mem;

/// The content of a message, collected in memory up to a limit, and forgotten with its transaction.
///
/// [`collect`](Self::collect) stands in the place of `proceed()`: it takes the content of each message,
/// and gives every other question its safe default answer. At [`Deliver`](super::Deliver) the message is
/// whole.
///
/// ```
/// use esmtp::{
///     server::{Event, Message, Transaction},
///     syntax::Rejection,
/// };
///
/// fn answer(event: Event<'_>, message: &mut Message) {
///     match event {
///         Event::Rcpt(rcpt) => rcpt.accept(),
///         Event::Deliver(delivery) => match store(delivery.envelope(), message.octets()) {
///             Ok(()) => delivery.accept(),
///             Err(_) => delivery.reject(Rejection::LOCAL_ERROR),
///         },
///         other => message.collect(other),
///     }
/// }
/// # fn store(_: &Transaction, _: &[u8]) -> std::io::Result<()> { Ok(()) }
/// ```
///
/// A message of more octets is rejected with 552 5.3.4 (RFC 1870 section 6.3), and its memory is given
/// back. The client learns the limit before it sends if [`Limits::with_message`] is not greater.
/// Octets of one message never stand in front of another, however the first one ended, and also where
/// the application answers MAIL and DATA itself. An application that answers both also
/// [takes](Self::take) the octets of each message out, or [`octets`](Self::octets) still returns them at
/// the delivery of a message that has none.
///
/// A message that does not fit in memory, or a file that takes the octets as they come, needs
/// [`Content`](super::Content) itself.
///
/// [`Limits::with_message`]: super::Limits::with_message
#[derive(Clone, Debug, Default)]
pub struct Message {
    octets: Vec<u8>,
    limit: usize,
}

impl Message {
    /// Creates an empty message that may have up to `octets` of content.
    #[must_use]
    pub const fn with_limit(octets: usize) -> Self {
        Self { octets: Vec::new(), limit: octets }
    }

    /// Returns the greatest number of octets that a message may have.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Collects from an event, and answers it: appends content to the message, begins anew with each
    /// message, and forgets the octets of one that was aborted. Every other event [proceeds](Event::proceed), so that a
    /// recipient or a delivery which the application has not accepted is rejected.
    pub fn collect(&mut self, event: Event<'_>) {
        match event {
            Event::Content(content) => {
                if content.offset() == 0 {
                    self.octets.clear();
                }
                let octets = content.octets();
                if octets.len() > self.limit.saturating_sub(self.octets.len()) {
                    self.octets = Vec::new();
                    return content.reject(Rejection::MESSAGE_TOO_BIG);
                }
                self.octets.extend_from_slice(octets);
                content.done();
            }
            event @ (Event::Mail(_) | Event::Data(_) | Event::Deliver(_) | Event::Abort(_)) => {
                self.octets.clear();
                event.proceed();
            }
            other => other.proceed(),
        }
    }

    /// Returns the octets of the message: those so far, and the whole message at
    /// [`Deliver`](super::Deliver). An empty message has none.
    #[doc(alias("len", "body", "data"))]
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Takes the octets of the message out.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.octets)
    }
}
