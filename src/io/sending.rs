//! One call of `send_from`, apart from how its adapter waits.

use crate::{
    client::{Content, ContentError, Event, MessageFacts, Refused, Report, TransactionId},
    envelope::Envelope,
};
use alloc::sync::Arc;
use core::task::Poll;
use std::io::{self, ErrorKind};

/// A message on its way: what its transaction still needs, and what became of it.
#[derive(Debug)]
pub(super) struct Sending {
    /// Until the transaction has begun.
    envelope: Option<Arc<Envelope>>,
    facts: MessageFacts,
    transaction: Option<TransactionId>,
    /// The source was empty, and is awaited.
    is_waiting: bool,
    /// How the source ended, or failed, while the client did not ask for content.
    end: Option<io::Result<()>>,
    /// Why the content was aborted.
    failure: Option<io::Error>,
}

/// What follows from an event.
pub(super) enum Step<'c> {
    /// The session is driven on.
    GoOn,
    /// Content may be written.
    Content(Content<'c>),
    /// The call has its result.
    Done(io::Result<Report>),
}

impl Sending {
    pub(super) fn new(envelope: Arc<Envelope>, facts: MessageFacts) -> Self {
        Self {
            envelope: Some(envelope),
            facts,
            transaction: None,
            is_waiting: false,
            end: None,
            failure: None,
        }
    }

    /// Answers an event of the client, unless it asks for content.
    pub(super) fn on<'c>(&mut self, event: Event<'c>) -> Step<'c> {
        match event {
            Event::Ready(ready) => match self.envelope.take() {
                Some(envelope) => match ready.send(envelope, self.facts.clone()) {
                    Ok(begun) => self.transaction = Some(begun),
                    Err(error) => {
                        let error = io::Error::new(ErrorKind::InvalidInput, error);
                        return Step::Done(Err(error));
                    }
                },
                None => ready.wait(),
            },
            Event::Refused(question) => return Step::Done(Err(refused(question))),
            // There is no layer for it, and no such thing was begun by this call.
            question @ (Event::Upgrade(_) | Event::Challenge(_) | Event::HandOver(_)) => {
                question.quit();
            }
            Event::Content(question) if self.transaction != Some(question.transaction()) => {
                question.abort();
            }
            Event::Content(question) => return Step::Content(question),
            Event::Answered(answered) => answered.go_on(),
            Event::Sent(sent) => {
                let report = sent.take();
                if self.transaction == Some(report.transaction()) {
                    return Step::Done(self.failure.take().map_or(Ok(report), Err));
                }
            }
        }
        Step::GoOn
    }

    /// Returns whether the source was empty when the client asked for content.
    #[cfg(feature = "tokio")]
    pub(super) const fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Takes note of what was read while the client did not ask for content: octets stay in the
    /// buffer of the source, but an end or an error may not come again.
    pub(super) fn filled(&mut self, read: io::Result<&[u8]>) {
        self.is_waiting = false;
        self.end = match read {
            Ok([]) => Some(Ok(())),
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(error) => Some(Err(error)),
        };
    }

    /// Gives the client what was read of the content, and returns how much it took. A source that is
    /// at its end completes the content, one that cannot be read aborts it, and one that is not
    /// ready lets the client wait.
    pub(super) fn feed(
        &mut self,
        mut question: Content<'_>,
        read: Poll<io::Result<&[u8]>>,
    ) -> usize {
        let read = match (self.end.take(), read) {
            (Some(end), _) => end.map(|()| &[][..]),
            (None, Poll::Ready(read)) => read,
            (None, Poll::Pending) => {
                self.is_waiting = true;
                question.wait();
                return 0;
            }
        };
        let error = match read {
            Ok([]) => match question.finish() {
                Ok(()) => return 0,
                Err(error) => {
                    self.failure = Some(unfit(error));
                    return 0;
                }
            },
            Ok(octets) => match question.write(octets) {
                Ok(taken) => return taken,
                Err(error) => unfit(error),
            },
            Err(error) if error.kind() == ErrorKind::Interrupted => return 0,
            Err(error) => error,
        };
        question.abort();
        self.failure = Some(error);
        0
    }
}

fn unfit(error: ContentError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// Quits because a command was refused: to go on is not for this call to decide.
fn refused(refused: Refused<'_>) -> io::Error {
    let verb = refused.verb();
    refused.quit();
    io::Error::other(alloc::format!("the server refused {}", verb.as_str()))
}
