//! The sending side: a [`Client`] that you drive with octets, and its results.
//!
//! Most senders use it through an adapter: [`io::tokio`] or [`io::blocking`]. There a [`Connector`] gives a session that is
//! secured and logged in; a message is one call, and its [`Report`] has an [`Outcome`] for each recipient.
//!
// Of two definitions of a link, the first counts.
#![cfg_attr(
    feature = "std",
    doc = "
[`io::blocking`]: crate::io::blocking
[`io::Progress`]: crate::io::Progress
[`io::SendError`]: crate::io::SendError
"
)]
#![cfg_attr(
    feature = "tokio",
    doc = "
[`io::tokio`]: crate::io::tokio
[`Connector`]: crate::io::tokio::Connector
[`send_from`]: crate::io::tokio::Connection::send_from
[`queue`]: crate::io::tokio::Connection::queue
[`begin`]: crate::io::tokio::Connection::begin
"
)]
//! [`io::blocking`]: https://docs.rs/esmtp/latest/esmtp/io/blocking/index.html
//! [`io::tokio`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/index.html
//! [`io::Progress`]: https://docs.rs/esmtp/latest/esmtp/io/struct.Progress.html
//! [`io::SendError`]: https://docs.rs/esmtp/latest/esmtp/io/struct.SendError.html
//! [`Connector`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/struct.Connector.html
//! [`send_from`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/struct.Connection.html#method.send_from
//! [`queue`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/struct.Connection.html#method.queue
//! [`begin`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/struct.Connection.html#method.begin
//!
//! ```no_run
//! # #[cfg(feature = "std")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use esmtp::{envelope::Envelope, io::blocking::Connector, sasl::Credentials, syntax::Retry};
//!
//! let ann = Credentials::password("ann", "correct horse");
//! // Port 587, STARTTLS with a verified certificate, and the strongest mechanism of AUTH.
//! let mut session = Connector::new("mail.example.org").submission(ann).connect()?;
//! let envelope = Envelope::new("ann@example.org", ["bob@example.net", "eve@example.net"])?;
//! match session.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n") {
//!     Ok(report) => {
//!         for recipient in report.recipients() {
//!             println!("{} {}", recipient.path(), recipient.outcome()); // <bob@example.net> 250 2.0.0 Ok
//!         }
//!         let later = report.envelope_of(|recipient| recipient.retry() == Retry::Later);
//!         println!("for the queue: {later:?}");
//!     }
//!     // No recipient has the message.
//!     Err(error) => {
//!         println!("{error}; next host: {}", error.try_next_host());
//!         let _envelope = error.into_envelope();
//!     }
//! }
//! session.quit()?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "std"))]
//! # fn main() {}
//! ```
//!
//! | task | see |
//! |---|---|
//! | a message from a file, with a progress bar | [`send_from`] of a session, [`io::Progress`] |
//! | many messages in one session | [`queue`] of a session |
//! | each reply before the next command: a gateway, a cut-through proxy | [`begin`] of a session, [`Ready::begin`] |
//! | AUTH on a session that is open | `authenticate` of a session, [`Ready::authenticate_as`] |
//! | another host after a failure | [`End::try_next_host`], [`io::SendError`] |
//! | what may be retried, and when | [`Report::rest`], [`Recipient::retry`], [`Recipient::fault`] |
//!
//! To drive the machine yourself, make a [`Config`] and a [`Client`], drive it as a [`Machine`], and answer its
//! [`Event`]s: [`Ready::send`] begins a transaction, [`Content`] takes the message, and [`Sent`] has the
//! [`Report`]. The example at [`Client`] is a whole session.

mod ask;
mod attributes;
mod auth;
mod config;
mod deadline;
mod error;
mod event;
mod facts;
mod in_flight;
mod lenience;
mod message_facts;
mod outgoing;
mod plan;
mod queue;
mod ready;
mod report;
#[cfg(feature = "serde")]
mod serde;
mod session;

pub use config::{Config, Limits, Timeouts, TlsPolicy};
pub use error::{AuthError, ContentError, End, NotOffered, Obstacle, ProtocolError};
pub use event::{Answered, Begun, Challenge, Content, Event, HandOver, Refused, Sent, Upgrade};
pub use lenience::ReplyLenience;
pub use message_facts::MessageFacts;
pub use ready::Ready;
pub use report::{Outcome, Recipient, Report, Totals, TransactionNumber};

use crate::{
    machine::{Closed, Machine, Need, OpenQuestion, Upgradable},
    sasl::Mechanism,
    security::{Security, TlsFailure},
    syntax::{Extensions, Reply},
    time::Instant,
    transcript::Transcript,
};
use alloc::{boxed::Box, sync::Arc};
use ask::Ask;
use bytes::{Bytes, BytesMut};
use facts::Facts;
use in_flight::RecipientEvent;
use session::{Phase, Question, Session};

/// An SMTP, submission or LMTP client that you drive with octets.
///
/// ```
/// use esmtp::{
///     client::{Client, Config, Event, MessageFacts},
///     envelope::Envelope,
///     machine::{Machine, Need},
///     security::Security,
///     time::Instant,
/// };
///
/// // A server in miniature: the greeting, the reply to EHLO, and one reply to each write.
/// let mut server = ["220 mx", "250-mx\r\n250 PIPELINING", "250 ok\r\n250 ok\r\n354 go", "250 2.0.0 queued", "221 bye"]
///     .into_iter();
///
/// let message = b"Subject: hello\r\n\r\n.dots are stuffed\r\n";
/// let (mut sent, mut written) = (None, Vec::new());
/// let mut client = Client::new(Config::new("me.example.org")?, Security::CLEAR);
/// loop {
///     match client.poll(Instant::ORIGIN) {
///         Need::Answer => match client.event() {
///             Some(Event::Ready(ready)) if sent.is_none() => {
///                 let envelope = Envelope::new("ann@example.org", &["bob@example.net"])?;
///                 ready.send(envelope, MessageFacts::scan(message))?;
///             }
///             Some(Event::Content(mut content)) => {
///                 assert_eq!(content.write(message)?, message.len()); // it fits
///                 content.finish()?;
///             }
///             Some(Event::Sent(done)) => sent = Some(done.take()),
///             Some(other) => other.quit(),
///             None => {}
///         },
///         Need::Either(_) | Need::Write(_) => {
///             let mut slices = [&b""[..]; 8];
///             let filled = client.to_send(&mut slices);
///             let octets = slices[..filled].concat();
///             client.sent(octets.len());
///             written.extend(octets);
///         }
///         Need::Read(_) | Need::Wait(_) => match server.next() {
///             Some(reply) => assert!(client.feed(format!("{reply}\r\n").as_bytes()) > 0),
///             None => client.closed(esmtp::machine::Closed::Clean),
///         },
///         Need::Close => break,
///     }
/// }
/// assert!(sent.is_some_and(|report| report.is_delivered_to_all()));
/// assert_eq!(
///     String::from_utf8(written)?,
///     "EHLO me.example.org\r\n\
///      MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n\
///      Subject: hello\r\n\r\n..dots are stuffed\r\n.\r\n\
///      QUIT\r\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    facts: Facts,
    session: Session,
}

const fn is_free<T: Send + Sync + Unpin + 'static>() {}
const _: () = is_free::<Client>();

/// The use that a session still has, for a pool of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Something is in progress: the greeting, a command, a transaction.
    Busy,
    /// A transaction may begin.
    Ready,
    /// A transaction may begin; RSET will come before it, as the server may still hold another.
    NeedsReset,
    /// Nothing more can be sent in this session.
    MustClose,
}

impl Client {
    /// Returns a client at the start of a connection, over a channel with this protection.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, security: Security) -> Self {
        let config = config.into();
        Self { session: Session::new(&config), facts: Facts::new(config, security) }
    }

    /// Reports every line of the session to `transcript`.
    #[must_use]
    pub fn with_transcript(mut self, transcript: Box<dyn Transcript>) -> Self {
        self.session.channel.set_transcript(transcript);
        self
    }

    /// Returns the reason for which the session has ended; `None` while it has not. Reports may still
    /// have to be taken.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        match self.session.position.phase() {
            Phase::Over(end) => Some(end),
            _ => None,
        }
    }

    /// Returns the use that the session has now.
    #[must_use]
    pub fn state(&self) -> State {
        let session = &self.session;
        if !session.channel.is_open() {
            return State::MustClose;
        }
        match session.position.phase() {
            Phase::Quitting(_) | Phase::Over(_) | Phase::HandingOver => State::MustClose,
            Phase::Asking(ask) if matches!(**ask, Ask::Quit(_)) => State::MustClose,
            Phase::Ready | Phase::Waiting
                if session.is_exhausted(&self.facts) && session.work().transactions.is_empty() =>
            {
                State::MustClose
            }
            Phase::Ready | Phase::Waiting if session.is_idle() => match session.needs_reset() {
                false => State::Ready,
                true => State::NeedsReset,
            },
            _ => State::Busy,
        }
    }

    /// Returns how the channel is protected.
    #[must_use]
    pub const fn security(&self) -> &Security {
        &self.facts.security
    }

    /// Returns the totals of the session so far.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.session.totals()
    }

    /// Returns the settings of the session.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.facts.config
    }

    /// Returns the greeting of the server.
    #[must_use]
    pub fn greeting(&self) -> Option<Reply<'_>> {
        self.facts.greeting()
    }

    /// Returns the service extensions that the server offers, as far as they may be used.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.facts.offered
    }

    /// Returns the deviations from the grammar that were met in replies and tolerated, in the session
    /// so far ([`Config::with_reply_lenience`]).
    #[must_use]
    pub const fn forgiven(&self) -> ReplyLenience {
        self.session.forgiven
    }

    /// Returns the mechanism with which the session has authenticated, if it has: as this client
    /// itself, and not as the one that [XCLIENT](Ready::xclient) names.
    #[must_use]
    pub const fn authenticated(&self) -> Option<Mechanism> {
        self.facts.authenticated()
    }

    /// Sets how many transactions may be in flight from now on, at least 1, in place of
    /// [`Config::with_transactions`].
    pub fn set_transactions(&mut self, transactions: usize) {
        if self.facts.config.transactions() != transactions.max(1) {
            let config = Config::clone(&self.facts.config).with_transactions(transactions);
            self.facts.config = Arc::new(config);
        }
    }

    /// Ends a wait that [`Ready::wait`], [`Begun::wait`] or [`Content::wait`] has begun: the question comes
    /// again.
    pub fn ready(&mut self) {
        if let Some(work) = &mut self.session.work
            && let Some(newest) = work.transactions.back_mut()
        {
            newest.is_waiting = false;
        }
        if matches!(self.session.position.phase(), Phase::Waiting) {
            self.facts.forget_last();
            self.session.position.enter(Phase::Ready);
        } else if let Some(content) = self.session.position.content() {
            content.resume();
        }
    }

    /// Returns the octets that were received and not dealt with: those that follow the reply to ATRN,
    /// for the machine that takes over ([`HandOver`]).
    #[must_use]
    pub fn into_received(mut self) -> Bytes {
        let receive = &mut self.session.channel.receive;
        receive.take(receive.octets().len())
    }

    /// Ends the session now and sends nothing more. Transactions in flight are reported.
    pub fn close(&mut self) {
        self.session.end(End::Closed);
    }
}

impl Machine for Client {
    type Event<'m> = Event<'m>;

    fn poll(&mut self, now: Instant) -> Need {
        self.session.poll(&mut self.facts, now)
    }

    fn event(&mut self) -> Option<Event<'_>> {
        let Self { session, facts } = self;
        Some(match session.position.question()? {
            Question::Ready => Event::Ready(Ready { session, facts }),
            Question::Refused => {
                let (verb, reply) = facts.last()?;
                Event::Refused(Refused { session, facts, verb, reply })
            }
            Question::Upgrade => Event::Upgrade(Upgrade { session, facts }),
            Question::HandOver => {
                let (_, reply) = facts.last()?;
                Event::HandOver(HandOver { session, facts, reply })
            }
            Question::Challenge => Event::Challenge(Challenge { session }),
            Question::Begun => Event::Begun(Begun { session, facts }),
            Question::Content => Event::Content(Content { session, facts }),
            Question::Answered => {
                let RecipientEvent { transaction, index, reply, is_final } =
                    session.work().recipient_events.as_ref()?.front()?;
                let (transaction, index, is_final) = (*transaction, *index, *is_final);
                let reply = Arc::clone(reply);
                Event::Answered(Answered { session, transaction, index, reply, is_final })
            }
            Question::Sent => {
                let Session { position, work, .. } = session;
                Event::Sent(Sent { position, report: work.as_mut()?.reports.front_mut()? })
            }
        })
    }

    fn question(&mut self) -> Option<OpenQuestion> {
        self.event().map(|event| OpenQuestion::new(event.number(), event.name()))
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        self.session.channel.receive.room()
    }

    fn received(&mut self, octets: usize) {
        self.session.channel.received(octets);
    }

    fn feed(&mut self, octets: &[u8]) -> usize {
        self.session.channel.feed(octets)
    }

    fn release(&mut self) {
        self.session.release();
        self.session.channel.receive.release();
    }

    fn lend_buffer(&mut self, memory: BytesMut) -> Option<BytesMut> {
        self.session.channel.receive.lend(memory)
    }

    fn reclaim_buffer(&mut self) -> Option<BytesMut> {
        self.session.release();
        self.session.channel.receive.reclaim()
    }

    fn closed(&mut self, how: Closed) {
        self.session.channel.closed(how);
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.session.channel.to_send(slices)
    }

    fn sent(&mut self, octets: usize) {
        self.session.channel.sent(octets);
    }

    fn unsendable(&mut self) {
        self.session.channel.unsendable();
    }
}

impl Upgradable for Client {
    fn is_upgrading(&self) -> bool {
        self.session.position.question() == Some(Question::Upgrade)
    }

    fn upgraded(&mut self, security: Security) {
        self.session.upgraded(&mut self.facts, security);
    }

    fn upgrade_failed(&mut self, why: TlsFailure) {
        self.session.upgrade_failed(why);
    }

    fn tls_failed(&mut self, why: TlsFailure) {
        self.session.channel.tls_failed(why);
    }

    fn is_stopping(&self) -> bool {
        self.end().is_some()
    }
}
