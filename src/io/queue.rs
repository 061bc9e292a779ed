//! The messages of a session's queue, apart from how its adapter waits.

use crate::{
    client::{Client, Content, Event, MessageFacts, Report, TransactionNumber},
    envelope::Envelope,
    io::{
        SendError, SendFailure, SessionError,
        sending::{Rejected, Sending, Step, foreign},
    },
};
use alloc::{collections::VecDeque, sync::Arc};

/// The number of a message in its queue: the first that was pushed has 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// Returns how many messages were pushed before this one.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The result for one message of a queue: that of `send`.
pub(super) type Done = (Ticket, Result<Report, SendError>);

/// A message with its source of content.
#[derive(Debug)]
pub(super) struct Message<C> {
    ticket: Ticket,
    pub(super) sending: Sending,
    pub(super) content: C,
}

/// The messages of a queue whose results were not taken.
#[derive(Debug)]
pub(super) struct Messages<C> {
    pushed: u64,
    /// The message that begins next.
    waiting: Option<Message<C>>,
    /// The newest message that has begun, while its content is being sent.
    current: Option<Message<C>>,
    /// The messages before it, whose content needs nothing more of this side.
    begun: VecDeque<(Ticket, Sending)>,
    done: VecDeque<Done>,
    /// The rejected command for which the session is being ended.
    rejected: Option<Rejected>,
    is_over: bool,
}

/// The step that follows an event of the client.
#[allow(clippy::large_enum_variant, reason = "it lives for one call, on the stack")]
pub(super) enum QueueStep<'c> {
    /// The session continues.
    GoOn,
    /// Content of the current message may be written.
    Content(Content<'c>),
    /// A message has its report.
    Reported(Ticket, Sending, Report),
}

impl<C> Messages<C> {
    pub(super) const fn new() -> Self {
        Self {
            pushed: 0,
            waiting: None,
            current: None,
            begun: VecDeque::new(),
            done: VecDeque::new(),
            rejected: None,
            is_over: false,
        }
    }

    /// Returns whether a message may be pushed: none waits to begin.
    pub(super) const fn has_room(&self) -> bool {
        self.waiting.is_none()
    }

    /// Returns whether the session is over.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns the number of messages whose results have not come.
    pub(super) fn underway(&self) -> usize {
        usize::from(self.waiting.is_some()) + usize::from(self.current.is_some()) + self.begun.len()
    }

    /// Takes a message; there must be room.
    pub(super) fn push(
        &mut self,
        envelope: Arc<Envelope>,
        facts: MessageFacts,
        content: C,
        client: &mut Client,
    ) -> Ticket {
        let ticket = Ticket(self.pushed);
        self.pushed += 1;
        let sending = Sending::new(envelope, facts);
        if self.is_over {
            let failure = self.failure(client);
            self.done.push_back((ticket, Err(sending.error(failure))));
        } else {
            self.waiting = Some(Message { ticket, sending, content });
            client.ready();
        }
        ticket
    }

    /// Takes the next result.
    pub(super) fn next(&mut self) -> Option<Done> {
        self.done.pop_front()
    }

    /// Returns the message whose content is being sent.
    pub(super) const fn current(&mut self) -> Option<&mut Message<C>> {
        self.current.as_mut()
    }

    /// Handles an event of the client.
    pub(super) fn on<'c>(&mut self, event: Event<'c>) -> QueueStep<'c> {
        match event {
            Event::Ready(ready) => {
                // The content before is complete, or needless.
                if let Some(Message { ticket, sending, .. }) = self.current.take() {
                    self.begun.push_back((ticket, sending));
                }
                match self.waiting.take() {
                    None => ready.wait(),
                    Some(mut message) => match message.sending.on(Event::Ready(ready)) {
                        Step::Failed(failure) => {
                            let error = message.sending.error(failure);
                            self.done.push_back((message.ticket, Err(error)));
                        }
                        _ => self.current = Some(message),
                    },
                }
            }
            Event::Content(question) => match &mut self.current {
                Some(message) if message.sending.is_of(question.transaction()) => {
                    return QueueStep::Content(question);
                }
                _ => question.abort(),
            },
            Event::Sent(sent) => {
                let report = sent.take();
                if let Some((ticket, sending)) = self.begun_as(report.transaction()) {
                    return QueueStep::Reported(ticket, sending, report);
                }
            }
            other => {
                if let Some(rejected) = foreign(other) {
                    self.rejected.get_or_insert(rejected);
                }
            }
        }
        QueueStep::GoOn
    }

    /// Takes the message of this transaction; `None` for one that an earlier call has begun.
    fn begun_as(&mut self, transaction: TransactionNumber) -> Option<(Ticket, Sending)> {
        if let Some(at) = self.begun.iter().position(|(_, sending)| sending.is_of(transaction)) {
            return self.begun.remove(at);
        }
        let current = self.current.take_if(|message| message.sending.is_of(transaction))?;
        Some((current.ticket, current.sending))
    }

    /// Notes the report of a message.
    pub(super) fn reported(
        &mut self,
        ticket: Ticket,
        sending: Sending,
        report: Report,
        client: &Client,
    ) {
        self.done.push_back((ticket, sending.result(report, client.end())));
    }

    /// Notes that the session is over, with the error of its stream: no message of it is without a result.
    pub(super) fn over(&mut self, client: &Client, error: Option<SessionError>) {
        self.is_over = true;
        let mut failure = match error {
            Some(error) if self.rejected.is_none() => Some(SendFailure::over(client, Some(error))),
            _ => None,
        };
        let current = self.current.take().map(|message| (message.ticket, message.sending));
        let waiting = self.waiting.take().map(|message| (message.ticket, message.sending));
        // Each that has begun has its report before the session is over.
        let begun = core::mem::take(&mut self.begun).into_iter().chain(current);
        for (ticket, sending) in begun.chain(waiting) {
            let failure = failure.take().unwrap_or_else(|| self.failure(client));
            self.done.push_back((ticket, Err(sending.error(failure))));
        }
    }

    /// Returns the failure of a message that the session cannot take any more.
    fn failure(&self, client: &Client) -> SendFailure {
        match self.rejected.clone() {
            Some(Rejected { verb, reply }) => SendFailure::Refused { verb, reply },
            None => SendFailure::over(client, None),
        }
    }
}
