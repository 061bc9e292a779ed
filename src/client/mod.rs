//! The sending side.
//!
//! | file | what it holds |
//! |---|---|
//! | `state` | the phases of a session, and how it moves by itself |
//! | `commands` | the commands that stand alone |
//! | `start_tls`, `auth` | the way into TLS, and the dialogue behind AUTH |
//! | `attributes` | what XCLIENT and XFORWARD may say |
//! | `replies` | what each reply means |
//! | `queue` | the replies that are owed, and how they are found in what was received |
//! | `plan` | how a transaction will be sent, and what keeps it from being sent |
//! | `transaction` | one transaction: its commands, its recipients |
//! | `sending` | how it goes out |
//! | `facts` | what is known of a message before it is sent |
//! | `content` | content on its way out |
//! | `lenience` | deviations of replies that are tolerated |
//! | `channel` | octets and deadlines of either direction |
//! | `event` | the questions to the application |
//! | `ready` | what it may have done next |
//! | `report`, `error`, `config` | what comes out, what goes wrong, what is set |

mod attributes;
mod auth;
mod channel;
mod commands;
mod config;
mod content;
mod error;
mod event;
mod facts;
mod lenience;
mod plan;
mod queue;
mod ready;
mod replies;
mod report;
mod sending;
#[cfg(feature = "serde")]
mod serde;
mod start_tls;
mod state;
mod transaction;

pub use config::{Config, Limits, Timeouts, TlsPolicy};
pub use error::{AuthError, ContentError, End, NotOffered, Obstacle, ProtocolError};
pub use event::{Answered, Challenge, Content, Event, HandOver, Refused, Sent, Upgrade};
pub use facts::MessageFacts;
pub use lenience::ReplyLenience;
pub use ready::Ready;
pub use report::{Outcome, Report, Totals};
pub use transaction::Transaction;

use crate::{
    machine::{Closed, Machine, Need, Upgradable},
    sasl::Mechanism,
    security::{Security, TlsFailure},
    syntax::{Extensions, Reply},
    time::Instant,
    transcript::Transcript,
};
use alloc::{boxed::Box, sync::Arc};
use bytes::Bytes;
use channel::{Input, Output};
use commands::Ask;
use state::{Core, Facts, Phase, Question, Slate};
use transaction::Answer;

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
/// // A server, as far as this goes: what it says to the greeting, EHLO, and each write.
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
    core: Core,
}

const fn is_free<T: Send + Sync + Unpin + 'static>() {}
const _: () = is_free::<Client>();

/// What may be done with a session, for a pool of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Something is under way: the greeting, a command, a transaction.
    Busy,
    /// A transaction may begin.
    Ready,
    /// A transaction may begin; RSET will come before it, for the server may still hold another.
    NeedsReset,
    /// Nothing more can be sent in this session.
    MustClose,
}

impl Client {
    /// A client at the start of a connection, over a channel that is protected like this.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, security: Security) -> Self {
        let config = config.into();
        Self {
            core: Core::new(&config),
            facts: Facts {
                config,
                security,
                greeting: None,
                hello: None,
                offered: Extensions::NONE,
                last: None,
                refused_hello: None,
                authenticated: None,
            },
        }
    }

    /// The same with somebody who hears all that is said.
    #[must_use]
    pub fn with_transcript(mut self, transcript: Box<dyn Transcript>) -> Self {
        self.core.channel.transcript = Some(transcript);
        self
    }

    /// Why the session is over; `None` while it is not. Reports may still have to be taken.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        match &self.core.phase {
            Phase::Over(end) => Some(end),
            _ => None,
        }
    }

    /// What may be done with the session now.
    #[must_use]
    pub fn state(&self) -> State {
        let core = &self.core;
        if core.channel.output == Output::Broken || core.channel.input != Input::Open {
            return State::MustClose;
        }
        match &core.phase {
            Phase::Quitting(_)
            | Phase::Over(_)
            | Phase::HandingOver
            | Phase::Asking(Ask::Quit(_)) => State::MustClose,
            Phase::Ready | Phase::Waiting
                if core.is_exhausted(&self.facts) && core.underway.is_empty() =>
            {
                State::MustClose
            }
            Phase::Ready | Phase::Waiting
                if core.queue.is_empty()
                    && core.underway.is_empty()
                    && core.channel.receive.is_empty() =>
            {
                match core.slate {
                    Slate::Clean => State::Ready,
                    Slate::Used => State::NeedsReset,
                }
            }
            _ => State::Busy,
        }
    }

    /// How the channel is protected.
    #[must_use]
    pub const fn security(&self) -> &Security {
        &self.facts.security
    }

    /// What the session has come to so far.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        Totals { octets_sent: self.core.channel.sent, ..self.core.channel.totals }
    }

    /// The settings of the session.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.facts.config
    }

    /// What the server greeted with.
    #[must_use]
    pub fn greeting(&self) -> Option<&Reply<'static>> {
        self.facts.greeting.as_deref()
    }

    /// What the server offers, as far as it may be used.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.facts.offered
    }

    /// Returns the deviations from the grammar that were met in replies and tolerated, in the session
    /// so far ([`Config::with_reply_lenience`]).
    #[must_use]
    pub const fn forgiven(&self) -> ReplyLenience {
        self.core.channel.forgiven
    }

    /// The mechanism with which the session has authenticated, if it has: this client itself, and
    /// not the one that it [speaks for](Ready::speak_for).
    #[must_use]
    pub const fn authenticated(&self) -> Option<Mechanism> {
        self.facts.authenticated
    }

    /// Wakes a session that was told to wait, by [`Ready::wait`] or [`Content::wait`]: the question
    /// comes again.
    pub fn ready(&mut self) {
        match &mut self.core.phase {
            Phase::Waiting => self.core.phase = Phase::Ready,
            Phase::Content(content) => content.resume(),
            _ => {}
        }
    }

    /// Octets that were received and not dealt with: what the server said behind its reply to ATRN,
    /// for the machine that takes over ([`HandOver`]).
    #[must_use]
    pub fn into_received(mut self) -> Bytes {
        let receive = &mut self.core.channel.receive;
        receive.take(receive.octets().len())
    }

    /// Ends the session now, without a word to the server. What was under way is reported.
    pub fn close(&mut self) {
        self.core.over(End::Closed);
    }
}

impl Machine for Client {
    type Event<'m> = Event<'m>;

    fn poll(&mut self, now: Instant) -> Need {
        let need = self.core.poll(&mut self.facts, now);
        self.core.channel.debts.incur(now, need)
    }

    fn event(&mut self) -> Option<Event<'_>> {
        let Self { core, facts } = self;
        Some(match core.question? {
            Question::Ready => Event::Ready(Ready { core, facts }),
            Question::Refused => {
                let (verb, reply) = facts.last.as_ref()?;
                Event::Refused(Refused { core, facts, verb: *verb, reply })
            }
            Question::Upgrade => Event::Upgrade(Upgrade { core, facts }),
            Question::HandOver => {
                let (_, reply) = facts.last.as_ref()?;
                Event::HandOver(HandOver { core, facts, reply })
            }
            Question::Challenge => Event::Challenge(Challenge { core }),
            Question::Content => Event::Content(Content { core, facts }),
            Question::Answered => {
                let Answer { transaction, index, reply } = core.answers.as_ref()?.front()?;
                let (transaction, index, reply) = (*transaction, *index, Arc::clone(reply));
                Event::Answered(Answered { core, transaction, index, reply })
            }
            Question::Sent => {
                let Core { questions, question, phase, reports, .. } = core;
                let report = reports.front_mut()?;
                Event::Sent(Sent { questions: *questions, question, phase, report })
            }
        })
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        self.core.channel.receive.room()
    }

    fn received(&mut self, octets: usize) {
        self.core.channel.receive.received(octets);
    }

    fn release(&mut self) {
        self.core.channel.receive.release();
    }

    fn closed(&mut self, how: Closed) {
        if self.core.channel.input == Input::Open {
            self.core.channel.input = Input::Closed(how);
        }
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.core.channel.send.slices(slices)
    }

    fn sent(&mut self, octets: usize) {
        let channel = &mut self.core.channel;
        let octets = octets.min(channel.send.len());
        channel.send.sent(octets);
        channel.sent = channel.sent.saturating_add(octets as u64);
    }

    fn unsendable(&mut self) {
        let channel = &mut self.core.channel;
        channel.output = Output::Broken;
        channel.send.clear();
    }
}

impl Upgradable for Client {
    fn is_upgrading(&self) -> bool {
        self.core.question == Some(Question::Upgrade)
    }

    fn upgraded(&mut self, security: Security) {
        self.core.upgraded(&mut self.facts, security);
    }

    fn upgrade_failed(&mut self, why: TlsFailure) {
        self.core.upgrade_failed(why);
    }

    fn tls_failed(&mut self, why: TlsFailure) {
        self.core.channel.tls_failure = Some(why);
        self.closed(Closed::CutOff);
        self.unsendable();
    }

    fn is_stopping(&self) -> bool {
        self.end().is_some()
    }
}
