//! The receiving side: a server that is driven with octets and asks what it cannot know.
//!
//! [`Server`] is a [`Machine`]: poll it, do what it [`Need`]s, answer its [`Event`]s. It holds
//! the whole protocol: framing, order of commands, replies, limits, deadlines. The application
//! decides who may send what to whom, and keeps the messages.
//!
//! | file | what it says |
//! |---|---|
//! | `state` | the phases of a session |
//! | `sequence` | which command may come when |
//! | `commands` | what a command does |
//! | `event` | the questions, and which answers each has |
//! | `extension_events` | the same for service extensions and lookups |
//! | `answers` | what an answer does |
//! | `auth` | the dialogue of AUTH |
//! | `budget` | what a client may still cost |
//! | `content` | content on its way in |
//! | `session` | what a session keeps, how it waits and ends |
//! | `output` | what waits to be sent |
//! | `config` | what is offered |
//! | `limits` | how much is borne, and how long |
//! | `facts` | what is known of a session |
//! | `own_verb` | verbs of the application's own |
//! | `trusted` | XCLIENT and XFORWARD |
//! | `delivery` | what becomes of a whole message |
//! | `replies` | the words |
//! | `transaction` | the envelope of the message in progress |
//!
//! # What does not compile
//!
//! A question has only its legal answers. A second one:
//!
//! ```compile_fail,E0382
//! fn decide(rcpt: esmtp::server::Rcpt<'_>) {
//!     rcpt.accept();
//!     rcpt.reject(esmtp::syntax::Rejection::POLICY);
//! }
//! ```
//!
//! Going on while a question is open:
//!
//! ```compile_fail,E0499
//! use esmtp::{machine::Machine, server::Server, time::Instant};
//!
//! fn drive(server: &mut Server) {
//!     let event = server.event();
//!     let _ = server.poll(Instant::ORIGIN);
//!     event.into_iter().for_each(|event| event.proceed());
//! }
//! ```
//!
//! An answer that this question does not have: content cannot be accepted before its end.
//!
//! ```compile_fail,E0599
//! fn take(content: esmtp::server::Content<'_>) {
//!     content.accept();
//! }
//! ```
//!
//! A rejection that says yes:
//!
//! ```compile_fail,E0308
//! use esmtp::{server::Mail, syntax::Reply};
//!
//! fn decide(mail: Mail<'_>, reply: Reply<'static>) {
//!     mail.reject(reply);
//! }
//! ```

mod answers;
mod auth;
mod budget;
mod commands;
mod config;
mod content;
mod delivery;
mod event;
mod extension_events;
mod facts;
mod limits;
mod output;
mod own_verb;
mod replies;
mod sequence;
mod session;
mod state;
mod transaction;
mod trusted;

pub use config::Config;
pub use event::{
    Abort, Atrn, Auth, Authenticated, Burl, Connect, Content, Credentials, Data, Deliver, Etrn,
    Event, Expand, HandOver, Hello, Mail, Other, PerRecipient, Rcpt, StartTls, Upgrade, Verify,
    Xclient, Xforward,
};
pub use facts::{Facts, Peer};
pub use limits::{Limits, Timeouts};
pub use own_verb::OwnVerb;
pub use sequence::Place;
pub use session::Totals;
pub use state::{AbortReason, End};
pub use transaction::{Recipient, Transaction};

use crate::{
    machine::{Closed, Machine, Need, Upgradable},
    security::{Security, TlsFailure},
    time::Instant,
    transcript::Transcript,
    wire::{Cut, LineCutter, ReceiveBuffer},
};
use alloc::{boxed::Box, sync::Arc};
use bytes::Bytes;
use session::{Link, Session};
use state::{Phase, Question};

/// The receiving side of one session.
///
/// ```
/// use esmtp::{
///     machine::{Machine, Need},
///     security::Security,
///     server::{Config, Event, Peer, Server},
///     time::Instant,
/// };
///
/// let config = std::sync::Arc::new(Config::new("mx.example.org")?);
/// let mut server = Server::new(config, Peer::UNKNOWN, Security::CLEAR);
/// let mut client = [&b"EHLO me.example.org\r\n"[..], b"QUIT\r\n"].into_iter();
/// let mut heard = String::new();
/// loop {
///     match server.poll(Instant::ORIGIN) {
///         Need::Answer => server.event().into_iter().for_each(Event::proceed),
///         Need::Write(_) | Need::Either(_) => {
///             let mut slices = [&[][..]];
///             let octets = match server.to_send(&mut slices) {
///                 0 => break,
///                 _ => slices[0].len(),
///             };
///             heard.push_str(&String::from_utf8_lossy(slices[0]));
///             server.sent(octets);
///         }
///         Need::Read(_) => match client.next() {
///             Some(line) => assert_eq!(server.feed(line), line.len()),
///             None => break,
///         },
///         _ => break,
///     }
/// }
/// assert!(heard.starts_with("220 mx.example.org ESMTP service ready\r\n250-mx.example.org\r\n"));
/// assert!(heard.ends_with("221 2.0.0 Closing the channel\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    input: ReceiveBuffer,
    lines: LineCutter,
    session: Session,
}

impl Server {
    /// A session that is about to begin. Nothing is sent before the first
    /// [`poll`](Machine::poll).
    #[must_use]
    pub fn new(config: Arc<Config>, peer: Peer, security: Security) -> Self {
        Self {
            input: ReceiveBuffer::new(config.receive_buffer()),
            lines: LineCutter::default(),
            session: Session::new(config, peer, security),
        }
    }

    /// Tells `transcript` who said what.
    #[must_use]
    pub fn with_transcript(mut self, transcript: Box<dyn Transcript>) -> Self {
        self.session.output.transcript = Some(transcript);
        self
    }

    /// What is known of the session.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.session.facts
    }

    /// What the session has come to so far.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.session.totals
    }

    /// Octets that were received and not dealt with: they belong to whoever takes the channel over
    /// (see [`HandOver`]).
    #[must_use]
    pub fn into_received(mut self) -> Bytes {
        self.input.take(usize::MAX)
    }

    /// Returns why the session is over; `None` before [`Need::Close`].
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match &self.session.phase {
            Phase::Closed(end) => Some(end.clone()),
            _ => None,
        }
    }

    /// Lets content and delivery in progress finish, answers everything else 421, and closes (RFC
    /// 5321 section 3.8). It takes effect with the next poll.
    ///
    /// Between two chunks the next one is awaited as long as the deadline of the content allows
    /// ([`Timeouts::with_content`]), and content that is discarded no longer than that.
    pub const fn shut_down(&mut self) {
        self.session.is_stopping = true;
    }

    /// Ends the session with the next poll. No further input is taken; what is owed to the peer and
    /// a 421 may still be written, for at most [`Timeouts::with_closing`], and a message that is
    /// whole still has its answer. [`unsendable`](Machine::unsendable) ends the session at once.
    /// After the reply that hands the channel over, or agrees on TLS, no 421 is said.
    pub const fn close(&mut self) {
        self.session.is_closing = true;
    }

    /// Goes on as far as possible without the driver; `None` when something has changed.
    fn step(&mut self, now: Instant) -> Option<Need> {
        let Self { input, lines, session } = self;
        match &session.phase {
            Phase::Start | Phase::Asked(Question::Connect) if session.is_early(input) => {
                session.talked_early(is_client_hello(input.octets()));
                None
            }
            Phase::Start if session.link != Link::Open && input.is_empty() => {
                session.lose();
                None
            }
            Phase::Start => {
                let need = session.await_silence(now);
                if need.is_none() {
                    session.ask(Question::Connect);
                }
                need
            }
            Phase::Command if session.is_clogged() => Some(session.await_room(now)),
            Phase::Command => {
                let is_at_front = lines.is_at_front();
                if is_at_front && is_client_hello(input.octets()) {
                    session.other_protocol();
                    return None;
                }
                // A configuration that came later may allow more than there is room for.
                let front = input.octets().get(..b"AUTH ".len()).unwrap_or_default();
                let limit = session.line_limit(front).min(input.capacity());
                match lines.cut(input.octets(), limit) {
                    Cut::Line(octets) => {
                        let (line, rest) =
                            input.octets().split_at_checked(octets).unwrap_or_default();
                        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
                        session.command(line, rest.is_empty(), now);
                        input.wipe(octets);
                    }
                    Cut::Skip(octets) => {
                        if is_at_front {
                            session.check_long_line(input.octets());
                        }
                        input.wipe(octets);
                    }
                    Cut::TooLong(octets) => {
                        if is_at_front {
                            session.check_long_line(input.octets());
                        }
                        input.wipe(octets);
                        if matches!(session.phase, Phase::Command) {
                            session.line_too_long(now);
                        }
                    }
                    Cut::Incomplete if session.link == Link::Open => {
                        return session.await_command(now);
                    }
                    Cut::Incomplete => session.lose(),
                }
                None
            }
            Phase::Auth(_) => {
                match lines.cut(input.octets(), crate::syntax::RESPONSE_LINE) {
                    Cut::Line(octets) => {
                        let line = input.octets().get(..octets).unwrap_or_default();
                        let is_last = octets == input.octets().len();
                        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
                        session.auth_response(line, is_last, now);
                        input.wipe(octets);
                    }
                    Cut::Skip(octets) => input.wipe(octets),
                    Cut::TooLong(octets) => {
                        input.wipe(octets);
                        session.auth_response_too_long(now);
                    }
                    Cut::Incomplete if session.link == Link::Open => {
                        return session.await_command(now);
                    }
                    Cut::Incomplete => session.lose(),
                }
                None
            }
            Phase::Delayed(until, _) if !until.has_passed(now) => {
                if !session.output.is_empty() {
                    return Some(session.must_write(now));
                }
                Some(Need::Wait(*until))
            }
            Phase::Delayed(..) => {
                session.end_delay();
                None
            }
            Phase::Content if session.content.is_lent() => Some(session.await_answer(now)),
            Phase::Content => session.take_in(input, now),
            // What has come since belongs to no handshake.
            Phase::Asked(Question::Upgrade) if !input.is_empty() => {
                session.inject();
                None
            }
            Phase::Asked(Question::HandOver) if !session.output.is_empty() => {
                Some(session.must_write(now))
            }
            Phase::Asked(_) | Phase::Abort(..) => {
                if input.is_empty() && !session.output.is_empty() {
                    // Nothing stands behind this question: what is ready need not wait for its
                    // answer (RFC 2920 section 3.2).
                    return Some(session.must_write(now));
                }
                Some(session.await_answer(now))
            }
            Phase::Farewell(end) => {
                if !session.output.is_empty() {
                    return Some(session.must_write(now));
                }
                let end = end.clone();
                session.close(end);
                None
            }
            Phase::Closed(_) => Some(Need::Close),
        }
    }
}

/// Whether these octets, where a command should be, are the beginning of TLS (RFC 8446 section 5.1).
const fn is_client_hello(octets: &[u8]) -> bool {
    matches!(octets, [22, 3, ..])
}

impl Machine for Server {
    type Event<'m> = Event<'m>;

    fn poll(&mut self, now: Instant) -> Need {
        self.session.begin(now);
        self.session.take_answer(&mut self.input);
        self.session.heed(now);
        loop {
            if let Some(need) = self.step(now) {
                return self.session.debts.incur(now, need);
            }
        }
    }

    fn event(&mut self) -> Option<Event<'_>> {
        let Self { input, session, .. } = self;
        session.event(input)
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        self.input.room()
    }

    fn received(&mut self, octets: usize) {
        self.session.totals.octets_received =
            self.session.totals.octets_received.saturating_add(octets as u64);
        self.input.received(octets);
    }

    fn release(&mut self) {
        self.input.release();
    }

    fn closed(&mut self, how: Closed) {
        self.session.closed(how);
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.session.output.slices(slices)
    }

    fn sent(&mut self, octets: usize) {
        self.session.sent(octets);
    }

    fn unsendable(&mut self) {
        // Nobody would hear that anything was accepted.
        self.session.closed(Closed::CutOff);
    }
}

impl Upgradable for Server {
    fn is_upgrading(&self) -> bool {
        matches!(self.session.phase, Phase::Asked(Question::Upgrade))
    }

    fn upgraded(&mut self, security: Security) {
        self.session.upgraded(security);
    }

    fn upgrade_failed(&mut self, why: TlsFailure) {
        self.session.upgrade_failed(End::TlsFailed(why));
    }

    fn tls_failed(&mut self, why: TlsFailure) {
        self.session.tls_failure = Some(why);
        self.session.closed(Closed::CutOff);
    }

    fn is_stopping(&self) -> bool {
        self.session.is_stopping || self.session.is_closing
    }
}

const _: () = {
    const fn is_at_home_everywhere<T: Send + Sync + Unpin + 'static>() {}
    is_at_home_everywhere::<Server>();
};
