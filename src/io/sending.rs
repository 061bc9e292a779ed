//! The state of one call of `send_from`, apart from how its adapter waits.

use crate::{
    client::{Content, End, Event, MessageFacts, Outcome, Report, TransactionNumber},
    envelope::Envelope,
    io::{SendError, SendFailure},
    syntax::{Reply, Verb},
};
use alloc::sync::Arc;
use bytes::Bytes;
use core::task::Poll;
use std::io::{self, ErrorKind};

/// A message being sent: what its transaction still needs, and its result.
#[derive(Debug)]
pub(super) struct Sending {
    envelope: Arc<Envelope>,
    facts: MessageFacts,
    transaction: Option<TransactionNumber>,
    /// The source was empty, and is awaited.
    is_waiting: bool,
    /// The end or the error of the source, seen while the client did not ask for content.
    end: Option<io::Result<()>>,
    /// The reason why the content was aborted.
    failure: Option<SendFailure>,
}

/// A command outside transactions that the server has rejected.
#[derive(Clone, Debug)]
pub(super) struct Rejected {
    pub(super) verb: Verb,
    pub(super) reply: Reply<'static>,
}

/// The step that follows an event.
pub(super) enum Step<'c> {
    /// The session continues.
    GoOn,
    /// Content may be written.
    Content(Content<'c>),
    /// The transaction has its report.
    Reported(Report),
    /// The call has failed.
    Failed(SendFailure),
}

impl Sending {
    pub(super) fn new(envelope: Arc<Envelope>, facts: MessageFacts) -> Self {
        Self { envelope, facts, transaction: None, is_waiting: false, end: None, failure: None }
    }

    /// Handles an event of the client; an event for content is returned.
    pub(super) fn on<'c>(&mut self, event: Event<'c>) -> Step<'c> {
        match event {
            Event::Ready(ready) if self.transaction.is_none() => {
                match ready.send(Arc::clone(&self.envelope), self.facts.clone()) {
                    Ok(begun) => self.transaction = Some(begun),
                    Err(error) => return Step::Failed(SendFailure::NotOffered(error)),
                }
            }
            Event::Ready(ready) => ready.wait(),
            Event::Content(question) if self.transaction == Some(question.transaction()) => {
                return Step::Content(question);
            }
            Event::Sent(sent) => {
                let report = sent.take();
                if self.is_of(report.transaction()) {
                    return Step::Reported(report);
                }
            }
            other => {
                if let Some(Rejected { verb, reply }) = foreign(other) {
                    return Step::Failed(SendFailure::Refused { verb, reply });
                }
            }
        }
        Step::GoOn
    }

    /// Returns whether this is the transaction of the message.
    pub(super) fn is_of(&self, transaction: TransactionNumber) -> bool {
        self.transaction == Some(transaction)
    }

    /// Returns the result of the call: the report, unless the content was aborted, or the session has ended and no
    /// recipient has an outcome of its own.
    pub(super) fn result(mut self, report: Report, end: Option<&End>) -> Result<Report, SendError> {
        if let Some(failure) = self.failure.take() {
            return Err(self.error(failure));
        }
        match end {
            Some(end) if is_in_vain(&report, end) => {
                Err(self.error(SendFailure::Ended(end.clone())))
            }
            _ => Ok(report),
        }
    }

    /// Returns the error of the call.
    pub(super) fn error(self, failure: SendFailure) -> SendError {
        SendError::new(self.envelope, self.transaction.is_some(), failure)
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

    /// Passes octets in memory to the client, by copy; their end completes the content.
    pub(super) fn feed_slice(&mut self, question: Content<'_>, octets: &mut &[u8]) {
        let taken = self.feed(question, Poll::Ready(Ok(octets)));
        *octets = octets.get(taken..).unwrap_or_default();
    }

    /// Passes octets in memory to the client, without a copy; their end completes the content.
    pub(super) fn feed_bytes(&mut self, mut question: Content<'_>, octets: &mut Bytes) {
        let result = match octets.is_empty() {
            true => question.finish(),
            false => match question.write_bytes(octets) {
                Ok(_) => Ok(()),
                Err(error) => {
                    question.abort();
                    Err(error)
                }
            },
        };
        self.failure = result.err().map(SendFailure::Content);
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
        let failure = match read {
            Ok([]) => {
                self.failure = question.finish().err().map(SendFailure::Content);
                return 0;
            }
            Ok(octets) => match question.write(octets) {
                Ok(taken) => return taken,
                Err(error) => SendFailure::Content(error),
            },
            Err(error) if error.kind() == ErrorKind::Interrupted => return 0,
            Err(error) => SendFailure::Source(error),
        };
        question.abort();
        self.failure = Some(failure);
        0
    }
}

/// Handles a question that concerns no transaction of this call: content that an earlier call has left is
/// aborted, and a command that was rejected ends the session, as whether to go on is not this call's
/// decision. Returns that rejection. Only opportunistic TLS was decided before: the session goes on in the clear.
pub(super) fn foreign(event: Event<'_>) -> Option<Rejected> {
    match event {
        Event::Refused(refused) if refused.is_opportunistic() => refused.go_on(),
        Event::Refused(refused) => {
            let (verb, reply) = (refused.verb(), refused.reply().clone());
            refused.quit();
            return Some(Rejected { verb, reply });
        }
        Event::Answered(answered) => answered.go_on(),
        Event::Sent(sent) => drop(sent.take()),
        Event::Ready(ready) => ready.wait(),
        Event::Begun(begun) => begun.abort(),
        // There is no layer for STARTTLS, and this call has begun neither AUTH nor ATRN.
        other => other.quit(),
    }
    None
}

/// Returns whether the end of the session is the whole outcome of a transaction: no recipient has another reply, or may have
/// the message.
pub(super) fn is_in_vain(report: &Report, end: &End) -> bool {
    report.outcomes().all(|outcome| match outcome {
        Outcome::Untried => true,
        Outcome::Replied(reply) => end.reply() == Some(reply),
        _ => false,
    })
}
