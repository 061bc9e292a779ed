//! The report of a transaction.

use crate::{
    channel::Channel,
    envelope::{Envelope, Few},
    syntax::{FaultClass, ForwardPath, Parameters, Reply, Retry},
};
use alloc::{sync::Arc, vec::Vec};
use core::{fmt, time::Duration};

/// The number of a transaction, which tells the transactions of a session apart: the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionNumber(u64);

impl TransactionNumber {
    pub(super) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns how many transactions of the session were begun before this one.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The outcome for one recipient.
///
/// [`Display`](fmt::Display) gives the reply, or says that there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The final reply for this recipient: a negative one to its RCPT or to MAIL, or else the reply to
    /// DATA or to the content.
    Replied(Arc<Reply<'static>>),
    /// The end of the content was sent and no reply came: the server may have accepted the message or
    /// not, and a retry may duplicate it (RFC 5321 section 6.1).
    Unknown,
    /// The server has sent no reply for this recipient, and cannot have accepted the message: RCPT was not
    /// sent, as the transaction was full; or the content was not sent to its end; or the transaction
    /// was in flight when the server ended the session with 421, in the place of the reply to its
    /// MAIL or before.
    Untried,
}

impl Outcome {
    /// Returns the reply, if there is one.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply<'static>> {
        match self {
            Self::Replied(reply) => Some(reply),
            Self::Unknown | Self::Untried => None,
        }
    }

    /// Returns whether the server has taken responsibility for the message.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.reply().is_some_and(Reply::is_positive)
    }

    /// Returns whether a later attempt may succeed: after a 4yz reply, or without any.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.reply().is_none_or(Reply::is_transient)
    }

    /// Returns whether the recipient is rejected permanently: a 5yz reply.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !self.is_delivered() && !self.is_transient()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replied(reply) => reply.fmt(f),
            Self::Unknown => f.write_str("no reply to the content"),
            Self::Untried => f.write_str("not tried"),
        }
    }
}

/// The totals of a session so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    octets_received: u64,
    octets_sent: u64,
    commands: u32,
    counts: Counts,
    peer_time: Duration,
    application_time: Duration,
}

/// The counts of replies and messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) replies: u32,
    pub(super) refusals: u32,
    pub(super) messages: u32,
}

impl Totals {
    pub(super) const fn of(channel: &Channel, counts: Counts) -> Self {
        Self {
            octets_received: channel.octets_received(),
            octets_sent: channel.octets_sent(),
            commands: channel.commands(),
            counts,
            peer_time: channel.peer_time(),
            application_time: channel.application_time(),
        }
    }

    /// Returns the octets received from the server.
    #[must_use]
    pub const fn octets_received(&self) -> u64 {
        self.octets_received
    }

    /// Returns the octets sent to the server.
    #[must_use]
    pub const fn octets_sent(&self) -> u64 {
        self.octets_sent
    }

    /// Returns the number of commands that were sent.
    #[must_use]
    pub const fn commands(&self) -> u64 {
        self.commands as u64
    }

    /// Returns the number of replies that were read.
    #[must_use]
    pub const fn replies(&self) -> u64 {
        self.counts.replies as u64
    }

    /// Returns the number of negative replies among them.
    #[must_use]
    pub const fn refusals(&self) -> u64 {
        self.counts.refusals as u64
    }

    /// Returns the number of messages that the server has accepted for at least one recipient.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.counts.messages as u64
    }

    /// Returns the time in which the client waited for the server, to read from it or to write to it.
    #[must_use]
    pub const fn peer_time(&self) -> Duration {
        self.peer_time
    }

    /// Returns the time in which the client waited for the application, from a question to the poll after
    /// its answer.
    #[must_use]
    pub const fn application_time(&self) -> Duration {
        self.application_time
    }
}

/// The report of a transaction: one [`Outcome`] for each recipient, in the envelope's order, duplicates
/// included.
///
/// ```
/// use esmtp::{client::{Client, Config, Event}, machine::Machine, security::Security};
/// # use esmtp::{client::{MessageFacts, Report}, envelope::Envelope, machine::Need, time::Instant};
/// # let mut client = Client::new(Config::new("me.example.org")?, Security::CLEAR);
/// # let mut ask = |client: &mut Client, octets: &[u8]| {
/// #     client.feed(octets);
/// #     while let Need::Either(_) = client.poll(Instant::ORIGIN) { client.sent(9999) }
/// # };
/// # ask(&mut client, b"220 mx\r\n");
/// # ask(&mut client, b"250 mx\r\n");
/// # let Some(Event::Ready(ready)) = client.event() else { panic!() };
/// # ready.send(Envelope::new("", &["bob@example.net"])?, MessageFacts::UNKNOWN)?;
/// # ask(&mut client, b"");
/// # ask(&mut client, b"550 5.7.1 not from you\r\n");
/// // a transaction was begun, and MAIL was refused
/// if let Some(Event::Sent(sent)) = client.event() {
///     let report = sent.take();
///     assert!(!report.is_delivered_to_all());
///     for recipient in report.recipients() {
///         println!("{} {}", recipient.path(), recipient.outcome()); // <bob@example.net> 550 5.7.1 not from you
///         assert!(recipient.outcome().is_permanent());
///     }
///     assert!(report.rest().is_none());
///     let bounces = report.envelope_of(|recipient| recipient.outcome().is_permanent());
///     assert_eq!(bounces.map(|envelope| envelope.len()), Some(1));
/// # } else { panic!() }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    transaction: TransactionNumber,
    envelope: Arc<Envelope>,
    /// Shared with the session, which uses the memory again; absent once they were taken.
    outcomes: Option<Outcomes>,
}

/// A few of the recipients and of their outcomes, however many there are.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("transaction", &self.transaction)
            .field("envelope", &self.envelope)
            .field("outcomes", &Few(self.list().iter()))
            .finish()
    }
}

/// The outcomes of a transaction, and the retry that may succeed for each.
pub(super) type Outcomes = Arc<Vec<(Outcome, Retry)>>;

impl Report {
    pub(super) const fn new(
        transaction: TransactionNumber,
        envelope: Arc<Envelope>,
        outcomes: Outcomes,
    ) -> Self {
        Self { transaction, envelope, outcomes: Some(outcomes) }
    }

    fn list(&self) -> &[(Outcome, Retry)] {
        self.outcomes.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Takes the outcomes out of the report.
    pub(super) fn take(&mut self) -> Self {
        let outcomes = self.outcomes.take();
        Self { transaction: self.transaction, envelope: Arc::clone(&self.envelope), outcomes }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.outcomes.is_none()
    }

    /// Returns the transaction.
    #[must_use]
    pub const fn transaction(&self) -> TransactionNumber {
        self.transaction
    }

    /// Returns the envelope, unchanged.
    #[must_use]
    pub const fn envelope(&self) -> &Arc<Envelope> {
        &self.envelope
    }

    /// Iterates over the recipients in the envelope's order, duplicates included.
    #[must_use]
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = Recipient<'_>> {
        // Both have the same length, by construction; `zip` keeps it exact.
        self.envelope.recipients().zip(self.list()).enumerate().map(
            |(index, ((path, parameters), (outcome, retry)))| Recipient {
                index,
                path,
                parameters,
                outcome,
                retry: *retry,
            },
        )
    }

    /// Returns the outcomes of the recipients, in the envelope's order.
    #[must_use]
    pub fn outcomes(&self) -> impl ExactSizeIterator<Item = &Outcome> {
        self.list().iter().map(|(outcome, _)| outcome)
    }

    /// Returns the [retry that may succeed](Recipient::retry) for the recipient at this place of the
    /// envelope.
    #[must_use]
    pub fn retry(&self, index: usize) -> Option<Retry> {
        self.list().get(index).map(|(_, retry)| *retry)
    }

    /// Returns whether the server has taken responsibility for every recipient, of which there is one at least.
    #[must_use]
    pub fn is_delivered_to_all(&self) -> bool {
        !self.list().is_empty() && self.outcomes().all(Outcome::is_delivered)
    }

    /// Returns whether the server has taken responsibility for at least one recipient.
    #[must_use]
    pub fn is_delivered_to_any(&self) -> bool {
        self.outcomes().any(Outcome::is_delivered)
    }

    /// Returns the envelope of the recipients to try in a further transaction with the same content;
    /// `None` without such recipients. These are the recipients beyond what the server takes at once (a
    /// reply to RCPT with the status X.5.3, or 452 or 552 without a status, while others were
    /// accepted, RFC 5321 section 4.5.3.1.10), those that were not sent for that reason, and all others
    /// that are [`Untried`](Outcome::Untried).
    ///
    /// Other 4yz replies are for a queue, later; [`Unknown`](Outcome::Unknown) needs a decision of the
    /// application.
    #[must_use]
    pub fn rest(&self) -> Option<Envelope> {
        self.envelope_of(|recipient| recipient.retry() == Retry::NextTransaction)
    }

    /// Returns the envelope of those recipients for which `is_wanted` is true, with the reverse-path and all
    /// parameters; `None` without such recipients.
    ///
    /// ```
    /// use esmtp::{client::Report, envelope::Envelope, syntax::Retry};
    ///
    /// /// The recipients for a retry from the queue, later.
    /// fn later(report: &Report) -> Option<Envelope> {
    ///     report.envelope_of(|recipient| recipient.retry() == Retry::Later)
    /// }
    /// ```
    #[must_use]
    pub fn envelope_of(
        &self,
        mut is_wanted: impl FnMut(&Recipient<'_>) -> bool,
    ) -> Option<Envelope> {
        let mut wanted = Envelope::from_reverse_path(self.envelope.reverse_path().clone())
            .with_parameters(self.envelope.parameters().clone());
        for recipient in self.recipients().filter(|recipient| is_wanted(recipient)) {
            wanted.push(recipient.path.clone(), recipient.parameters.clone());
        }
        (!wanted.is_empty()).then_some(wanted)
    }
}

/// A line for each recipient, without a line end after the last: `<bob@example.net> 250 2.1.5 Ok`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for recipient in self.recipients() {
            let line_end = if recipient.index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{} {}", recipient.path, recipient.outcome)?;
        }
        Ok(())
    }
}

/// A recipient of a [`Report`]: its place in the envelope, and its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient<'r> {
    index: usize,
    path: &'r ForwardPath<'static>,
    parameters: &'r Parameters<'static>,
    outcome: &'r Outcome,
    retry: Retry,
}

impl<'r> Recipient<'r> {
    /// Returns the place in the envelope.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Returns the forward-path.
    #[must_use]
    pub const fn path(&self) -> &'r ForwardPath<'static> {
        self.path
    }

    /// Returns the parameters of its RCPT.
    #[must_use]
    pub const fn parameters(&self) -> &'r Parameters<'static> {
        self.parameters
    }

    /// Returns the outcome.
    #[must_use]
    pub const fn outcome(&self) -> &'r Outcome {
        self.outcome
    }

    /// Returns the final reply, if there is one.
    #[must_use]
    pub fn reply(&self) -> Option<&'r Reply<'static>> {
        self.outcome.reply()
    }

    /// Returns the class of fault of a negative final reply.
    #[must_use]
    pub fn fault(&self) -> Option<FaultClass> {
        self.reply().and_then(Reply::fault)
    }

    /// Returns the retry that may succeed. The outcome alone does not determine it, as 552 means one thing after RCPT
    /// and another after the content (RFC 5321 section 4.5.3.1.10). For
    /// [`Unknown`](Outcome::Unknown) it is [`LaterMayDuplicate`](Retry::LaterMayDuplicate).
    #[must_use]
    pub const fn retry(&self) -> Retry {
        self.retry
    }
}
