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
use ::tokio::io::AsyncBufRead;
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

source! {
    /// The content of a message for a [`Queue`]: octets in memory, which are scanned for what they need of the
    /// server, or a [reader](Self::reader).
    Pin<Box<dyn AsyncBufRead + Send + 'c>>
}

impl<'c> Source<'c> {
    /// Reads the content from `reader`, with these facts known of it.
    #[must_use]
    pub fn reader(facts: MessageFacts, reader: impl AsyncBufRead + Send + 'c) -> Self {
        Self { facts, octets: Octets::Reader(Box::pin(reader)) }
    }
}

/// The queue of a session: messages are pushed, their transactions are in flight at once where the server offers
/// PIPELINING, and their results come as soon as they are known, in the order of the pushes as a rule. It is made by
/// [`Connection::queue`](super::Connection::queue).
///
/// Every message that was pushed has exactly one result, that of [`Connection::send`](super::Connection::send): where the session dies, too,
/// and where it takes no more messages (MAILMAX of LIMITS, RFC 9422 section 4.1). Messages that no
/// transaction was begun for then have an [unsent](SendError::is_unsent) error.
///
/// A queue holds one message besides those in flight, however many are pushed: [`push`](Self::push)
/// waits. Results are small and stay until they are taken, so take them while you push.
///
/// A queue has the session until it is dropped. [`finish`](Self::finish) returns the remaining results and gives the session
/// back, for QUIT, for example; in its place `drop(queue)` must stand before the next call of the session.
///
/// ```no_run
/// use esmtp::{envelope::Envelope, io::tokio::ClientSession};
///
/// async fn send_all(mut session: ClientSession, messages: Vec<(Envelope, Vec<u8>)>) {
///     let mut queue = session.queue(32);
///     for (envelope, content) in messages {
///         queue.push(envelope, content).await;
///         while let Some((ticket, result)) = queue.try_next() {
///             println!("{}: {result:?}", ticket.number());
///         }
///     }
///     for (ticket, result) in queue.finish().await {
///         println!("{}: {result:?}", ticket.number());
///     }
///     let _ = session.quit().await; // every result is known
/// }
/// ```
#[derive(Debug)]
pub struct Queue<'s, 'c, D: Driven> {
    session: &'s mut D,
    messages: Messages<Source<'c>>,
}

impl<'s, 'c, D: Driven> Queue<'s, 'c, D> {
    pub(super) const fn new(session: &'s mut D) -> Self {
        Self { session, messages: Messages::new() }
    }

    /// Takes a message as soon as there is room: when the one before it has begun. The session makes progress
    /// while this and [`next`](Self::next) are awaited.
    ///
    /// Cancel-safe: where the future is dropped before it is ready, the message was not pushed, and is dropped with it.
    /// [`room`](Self::room) waits without a message.
    pub async fn push(
        &mut self,
        envelope: impl Into<Arc<Envelope>>,
        content: impl Into<Source<'c>>,
    ) -> Ticket {
        let (envelope, mut content) = (envelope.into(), content.into());
        self.room().await;
        let facts = core::mem::take(&mut content.facts);
        self.messages.push(envelope, facts, content, self.session.client_mut())
    }

    /// Waits until a message can be pushed at once.
    ///
    /// Cancel-safe.
    pub async fn room(&mut self) {
        poll_fn(|context| {
            while !self.messages.has_room() {
                ready!(self.poll_step(context));
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Returns the next result; `None` where every message that was pushed has had its own.
    ///
    /// Cancel-safe: nothing is lost where the future is dropped.
    pub async fn next(&mut self) -> Option<(Ticket, Result<Report, SendError>)> {
        poll_fn(|context| {
            loop {
                if let Some(done) = self.messages.next() {
                    return Poll::Ready(Some(done));
                }
                if self.messages.underway() == 0 {
                    return Poll::Ready(None);
                }
                ready!(self.poll_step(context));
            }
        })
        .await
    }

    /// Returns the next result if it is there already.
    pub fn try_next(&mut self) -> Option<(Ticket, Result<Report, SendError>)> {
        self.messages.next()
    }

    /// Waits for the remaining results, those of [`next`](Self::next) in one list, and gives the session back.
    ///
    /// Where the future is dropped before it is ready, the results that it has collected are lost.
    pub async fn finish(mut self) -> Vec<(Ticket, Result<Report, SendError>)> {
        let mut results = Vec::with_capacity(self.messages.underway());
        while let Some(result) = self.next().await {
            results.push(result);
        }
        results
    }

    /// Returns the number of messages that were pushed and have no result yet.
    #[must_use]
    pub fn underway(&self) -> usize {
        self.messages.underway()
    }

    /// Drives the session to its next question, and answers it.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Self { session, messages } = self;
        if let Some(Message { sending, content, .. }) = messages.current()
            && sending.is_waiting()
            && let Octets::Reader(reader) = &mut content.octets
            && let Poll::Ready(read) = reader.as_mut().poll_fill_buf(context)
        {
            sending.filled(read);
            session.client_mut().ready();
        }
        if let Err(error) = ready!(session.poll_drive(context)) {
            messages.over(session.client(), error);
            return Poll::Ready(());
        }
        let Some(event) = session.event() else { return Poll::Ready(()) };
        match messages.on(event) {
            QueueStep::GoOn => {}
            QueueStep::Content(question) => {
                let Some(Message { sending, content, .. }) = messages.current() else {
                    return Poll::Ready(());
                };
                match &mut content.octets {
                    Octets::Bytes(octets) => sending.feed_bytes(question, octets),
                    Octets::Slice(octets) => sending.feed_slice(question, octets),
                    Octets::Reader(reader) => {
                        let read = reader.as_mut().poll_fill_buf(context);
                        let taken = sending.feed(question, read);
                        reader.as_mut().consume(taken);
                    }
                }
            }
            QueueStep::Reported(ticket, sending, report) => {
                messages.reported(ticket, sending, report, session.client());
            }
        }
        Poll::Ready(())
    }
}

/// The content of a message that is dropped half sent is aborted by the session's next call, and its
/// result is lost.
impl<D: Driven> Drop for Queue<'_, '_, D> {
    fn drop(&mut self) {
        self.session.client_mut().ready();
    }
}
