//! A session's queue: many messages, whose transactions are in flight at once.

#![allow(private_bounds, reason = "a session is driven by this crate alone: the trait is sealed")]

use super::driven::Driven;
use crate::{
    client::{MessageFacts, Report},
    envelope::Envelope,
    io::{
        SendError, Ticket,
        queue::{Message, Messages, QueueStep},
        source::source,
    },
};
use alloc::{boxed::Box, sync::Arc};
use core::{iter::FusedIterator, marker::PhantomData};
use std::io::BufRead;

source! {
    /// The content of a message for a [`Queue`]: octets in memory, which are scanned for what they need of the
    /// server, or a [reader](Self::reader).
    Box<dyn BufRead + 'c>
}

impl<'c> Source<'c> {
    /// Reads the content from `reader`, with these facts known of it.
    #[must_use]
    pub fn reader(facts: MessageFacts, reader: impl BufRead + 'c) -> Self {
        Self { facts, octets: Octets::Reader(Box::new(reader)) }
    }
}

/// The queue of a session: it takes messages from an iterator, has their transactions in flight at once where the
/// server offers PIPELINING, and returns the results as soon as they are known, in the order of the messages
/// as a rule. It is made by [`Connection::queue`](super::Connection::queue).
///
/// Every message that was taken from the iterator has exactly one result, that of
/// [`Connection::send`](super::Connection::send): where the session dies, too, and where it takes no more messages (MAILMAX of LIMITS, RFC
/// 9422 section 4.1). At most one is taken before it can begin, and none once the session is over: those
/// that are left stay in the iterator (lend it with [`Iterator::by_ref`]), for another session.
///
/// A queue has the session until it is dropped, as a `for` loop or `collect` does with it; one in a variable needs
/// `drop(queue)` before the next call of the session.
///
/// ```no_run
/// use esmtp::{client::Config, envelope::Envelope, io::blocking};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut session = blocking::connect("mx.example.net:25", Config::new("me.example.org")?)?;
///     let content = b"From: ann@example.org\r\nSubject: hello\r\n\r\nA line.\r\n";
///     let members = (1..=1000).map(|number| format!("member-{number}@example.net"));
///     let envelopes: Vec<_> =
///         members.map(|member| Envelope::new("ann@example.org", [member])).collect::<Result<_, _>>()?;
///
///     for (ticket, result) in session.queue(32, envelopes.into_iter().map(|one| (one, content))) {
///         match result {
///             Ok(report) => println!("{}: {}", ticket.number(), report.is_delivered_to_all()),
///             Err(error) => println!("{}: {error}", ticket.number()),
///         }
///     }
///     session.quit()?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Queue<'s, 'c, D: Driven, I, C> {
    session: &'s mut D,
    messages: Messages<Source<'c>>,
    rest: Option<I>,
    content: PhantomData<C>,
}

impl<'s, 'c, D: Driven, I, C> Queue<'s, 'c, D, I, C> {
    pub(super) const fn new(session: &'s mut D, messages: I) -> Self {
        Self { session, messages: Messages::new(), rest: Some(messages), content: PhantomData }
    }

    /// Drives the session to its next question, and answers it.
    fn step(&mut self) {
        let Self { session, messages, .. } = self;
        if let Err(error) = session.drive() {
            return messages.over(session.client(), error);
        }
        let Some(event) = session.event() else { return };
        match messages.on(event) {
            QueueStep::GoOn => {}
            QueueStep::Content(question) => {
                let Some(Message { sending, content, .. }) = messages.current() else { return };
                match &mut content.octets {
                    Octets::Bytes(octets) => sending.feed_bytes(question, octets),
                    Octets::Slice(octets) => sending.feed_slice(question, octets),
                    Octets::Reader(reader) => {
                        question.wait();
                        let taken = session.feed_from(sending, &mut **reader);
                        reader.consume(taken);
                    }
                }
            }
            QueueStep::Reported(ticket, sending, report) => {
                messages.reported(ticket, sending, report, session.client());
            }
        }
    }
}

impl<'c, D, I, E, C> Iterator for Queue<'_, 'c, D, I, C>
where
    D: Driven,
    I: Iterator<Item = (E, C)>,
    E: Into<Arc<Envelope>>,
    C: Into<Source<'c>>,
{
    type Item = (Ticket, Result<Report, SendError>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(done) = self.messages.next() {
                return Some(done);
            }
            if self.messages.has_room()
                && !self.messages.is_over()
                && let Some(rest) = &mut self.rest
            {
                match rest.next() {
                    Some((envelope, content)) => {
                        let mut content = content.into();
                        let facts = core::mem::take(&mut content.facts);
                        let client = self.session.client_mut();
                        self.messages.push(envelope.into(), facts, content, client);
                    }
                    None => self.rest = None,
                }
            }
            if self.messages.underway() == 0 {
                return None;
            }
            self.step();
        }
    }
}

impl<'c, D, I, E, C> FusedIterator for Queue<'_, 'c, D, I, C>
where
    D: Driven,
    I: Iterator<Item = (E, C)>,
    E: Into<Arc<Envelope>>,
    C: Into<Source<'c>>,
{
}

/// The content of a message that is dropped half sent is aborted by the session's next call, and its
/// result is lost.
impl<D: Driven, I, C> Drop for Queue<'_, '_, D, I, C> {
    fn drop(&mut self) {
        self.session.client_mut().ready();
    }
}
