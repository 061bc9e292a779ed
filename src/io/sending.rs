//! The state of one call of `send_from`, apart from how its adapter waits.

use crate::{
    client::{Content, ContentError, Event, MessageFacts, Refused, Report, TransactionNumber},
    envelope::Envelope,
};
use alloc::sync::Arc;
use core::task::Poll;
use std::io::{self, ErrorKind};

/// A message being sent: what its transaction still needs, and its result.
#[derive(Debug)]
pub(super) struct Sending {
    /// Until the transaction has begun.
    envelope: Option<Arc<Envelope>>,
    facts: MessageFacts,
    transaction: Option<TransactionNumber>,
    /// The source was empty, and is awaited.
    is_waiting: bool,
    /// The end or the error of the source, seen while the client did not ask for content.
    end: Option<io::Result<()>>,
    /// The reason why the content was aborted.
    failure: Option<io::Error>,
}

/// The step that follows an event.
pub(super) enum Step<'c> {
    /// The session continues.
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

    /// Handles an event of the client; an event for content is returned.
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
            // There is no layer for it, and this call has not begun such a thing.
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

    /// Records a read of the source while the client did not ask for content: octets stay in the
    /// buffer of the source, but an end or an error may not be returned again.
    pub(super) fn filled(&mut self, read: io::Result<&[u8]>) {
        self.is_waiting = false;
        self.end = match read {
            Ok([]) => Some(Ok(())),
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(error) => Some(Err(error)),
        };
    }

    /// Passes octets of the source to the client, and returns how many it took. The end of the
    /// source completes the content, an error aborts it, and a source that is not ready makes the
    /// client wait.
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

/// Quits because a command was rejected: whether to continue is not this call's decision.
fn refused(refused: Refused<'_>) -> io::Error {
    let verb = refused.verb();
    refused.quit();
    io::Error::other(alloc::format!("the server refused {}", verb.as_str()))
}
