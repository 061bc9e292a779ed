//! What a client is told before it begins.

use super::lenience::ReplyLenience;
use crate::{
    service::Service,
    syntax::{Extension, Host, SyntaxError, SyntaxErrorKind},
    time::Rate,
    wire::LineEnds,
};
use alloc::vec::Vec;
use core::time::Duration;

/// The settings of a [`Client`](super::Client); one can be shared by many sessions.
///
/// ```
/// use esmtp::{client::Config, service::Service, syntax::Extension, wire::LineEnds};
///
/// let config = Config::new("me.example.org")?
///     .with_service(Service::Lmtp)
///     .with_line_ends(LineEnds::FromLf)
///     .without(Extension::Pipelining);
/// assert_eq!(config.service(), Service::Lmtp);
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    host: Host<'static>,
    service: Service,
    tls: Option<TlsPolicy>,
    unused: Vec<Extension>,
    required: Vec<Extension>,
    reply_lenience: ReplyLenience,
    line_ends: LineEnds,
    timeouts: Timeouts,
    limits: Limits,
    in_flight: usize,
    ahead: usize,
    transactions: usize,
    has_answers: bool,
    requires_mime: bool,
}

impl Config {
    /// The defaults, with the domain or address literal by which this client calls itself in
    /// EHLO (RFC 5321 section 4.1.1.1): `me.example.org`, `[192.0.2.1]`.
    ///
    /// # Errors
    ///
    /// `host` is neither, or not ASCII: EHLO takes A-labels (RFC 6531 section 3.7.1).
    pub fn new(host: &str) -> Result<Self, SyntaxError> {
        Self::from_host(Host::parse(host)?.into_owned())
    }

    /// The same with a host that was parsed before.
    ///
    /// # Errors
    ///
    /// `host` is not ASCII.
    pub fn from_host(host: Host<'static>) -> Result<Self, SyntaxError> {
        if !host.is_ascii() {
            return Err(SyntaxError::new(SyntaxErrorKind::NonAscii, 0));
        }
        Ok(Self {
            host,
            service: Service::default(),
            tls: None,
            unused: Vec::new(),
            required: Vec::new(),
            reply_lenience: ReplyLenience::default(),
            line_ends: LineEnds::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            in_flight: 128,
            ahead: 64 * 1024,
            transactions: 1,
            has_answers: false,
            requires_mime: false,
        })
    }

    /// Which service is spoken. Default: [`Service::Smtp`].
    #[must_use]
    pub const fn with_service(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// Whether STARTTLS is used. Default: [`Required`](TlsPolicy::Required) for submission
    /// (RFC 8314 section 3), [`Never`](TlsPolicy::Never) for the other services: TLS needs a layer
    /// around the client, and only the application knows whether it has put one there.
    #[must_use]
    pub const fn with_tls(mut self, policy: TlsPolicy) -> Self {
        self.tls = Some(policy);
        self
    }

    /// Does not use `extension` even where the server offers it.
    #[must_use]
    pub fn without(mut self, extension: Extension) -> Self {
        self.unused.push(extension);
        self
    }

    /// States that the session is of no use without `extension`: a server that refuses EHLO is not
    /// asked with HELO, after which there are no extensions, and its refusal of EHLO is the end. For
    /// AUTH, or an extension that every message needs.
    #[must_use]
    pub fn with_required(mut self, extension: Extension) -> Self {
        self.required.push(extension);
        self
    }

    /// Sets which deviations from the grammar are tolerated in replies.
    #[must_use]
    pub const fn with_reply_lenience(mut self, lenience: ReplyLenience) -> Self {
        self.reply_lenience = lenience;
        self
    }

    /// What becomes of line ends in content. Default: [`LineEnds::Strict`].
    #[must_use]
    pub const fn with_line_ends(mut self, line_ends: LineEnds) -> Self {
        self.line_ends = line_ends;
        self
    }

    /// How long each phase may take.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How much a server may say.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many commands may wait for their replies at once, where PIPELINING is offered; at
    /// least 1. Default: 128. The bound keeps a driver that cannot read while it writes from a deadlock
    /// (RFC 2920 section 3.1).
    ///
    /// Fewer RCPT wait for their replies while it is not known how many recipients the server takes in
    /// one transaction: 48, and 8 beyond each multiple of 50, as limits are round numbers and every
    /// RCPT beyond one is refused. LIMITS (RFC 9422) tells the limit, and so does each transaction.
    #[must_use]
    pub const fn with_in_flight(mut self, commands: usize) -> Self {
        self.in_flight = if commands == 0 { 1 } else { commands };
        self
    }

    /// How many octets may wait to be sent before content is no longer taken; at least 1.
    /// Default: 64 KiB.
    #[must_use]
    pub const fn with_ahead(mut self, octets: usize) -> Self {
        self.ahead = if octets == 0 { 1 } else { octets };
        self
    }

    /// How many transactions may be under way at once where PIPELINING is offered; at least 1,
    /// which is the default. A further one begins behind the end of the content before it, without
    /// waiting for the reply (RFC 2920 section 3.1). In LMTP content waits for the replies to RCPT,
    /// which tell how many replies it will have itself. When the connection is lost, as many as this
    /// may be left [`Unknown`](super::Outcome::Unknown).
    #[must_use]
    pub const fn with_transactions(mut self, transactions: usize) -> Self {
        self.transactions = if transactions == 0 { 1 } else { transactions };
        self
    }

    /// Whether [`Event::Answered`](super::Event::Answered) comes for each recipient as soon as the
    /// server has answered for it, and not only [`Event::Sent`](super::Event::Sent) for all in the
    /// end. That is worth most in LMTP, where each has a reply to the content and a slow one holds
    /// up the others' (RFC 2033 section 5). Default: no, as it is one question a recipient more.
    #[must_use]
    pub const fn with_answers(mut self, has_answers: bool) -> Self {
        self.has_answers = has_answers;
        self
    }

    /// Whether a message with octets above 127 is sent only if it is MIME, as far as a scan of its
    /// header tells ([`MessageFacts::is_mime`](super::MessageFacts::is_mime)): "8BITMIME MUST NOT
    /// be requested by senders for material with the high bit on that is not in MIME format"
    /// (RFC 5321 section 2.4). What is not is an [`Obstacle::NotMime`](super::Obstacle::NotMime).
    ///
    /// Default: no. There is text in mailboxes and from programs that was never labelled, servers
    /// take it as it is, and to send it without asking for 8BITMIME would be worse. Say yes where
    /// the messages are your own.
    #[must_use]
    pub const fn with_required_mime(mut self, requires_mime: bool) -> Self {
        self.requires_mime = requires_mime;
        self
    }

    /// The host that is announced in EHLO.
    #[must_use]
    pub const fn host(&self) -> &Host<'static> {
        &self.host
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Whether STARTTLS is used.
    #[must_use]
    pub const fn tls(&self) -> TlsPolicy {
        match self.tls {
            Some(policy) => policy,
            None if self.service.requires_tls() => TlsPolicy::Required,
            None => TlsPolicy::Never,
        }
    }

    /// The extensions that are not used even where they are offered.
    #[must_use]
    pub fn unused(&self) -> &[Extension] {
        &self.unused
    }

    /// Returns the extensions without which the session is of no use.
    #[must_use]
    pub fn required(&self) -> &[Extension] {
        &self.required
    }

    /// Returns which deviations from the grammar are tolerated in replies.
    #[must_use]
    pub const fn reply_lenience(&self) -> ReplyLenience {
        self.reply_lenience
    }

    /// What becomes of line ends in content.
    #[must_use]
    pub const fn line_ends(&self) -> LineEnds {
        self.line_ends
    }

    /// How long each phase may take.
    #[must_use]
    pub const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// How much a server may say.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many commands may wait for their replies.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many octets may wait to be sent.
    #[must_use]
    pub const fn ahead(&self) -> usize {
        self.ahead
    }

    /// Whether an event comes for each recipient that is answered.
    #[must_use]
    pub const fn has_answers(&self) -> bool {
        self.has_answers
    }

    /// Whether a message with octets above 127 must be MIME.
    #[must_use]
    pub const fn requires_mime(&self) -> bool {
        self.requires_mime
    }

    /// How many transactions may be under way.
    #[must_use]
    pub const fn transactions(&self) -> usize {
        self.transactions
    }
}

/// Whether STARTTLS (RFC 3207) is used on a connection that began in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Not by itself; the application may call [`Ready::start_tls`](super::Ready::start_tls).
    Never,
    /// Where it is offered. Whoever sits on the line can take the offer away: this keeps out those
    /// who only listen. A refusal is a [`Refused`](super::Refused). Passwords and tokens are shown
    /// only to a server whose certificate was [verified](crate::security::Security::is_verified), as
    /// if the channel were clear otherwise.
    IfOffered,
    /// Nothing is asked before TLS: without it the session ends
    /// ([`TlsNotOffered`](super::End::TlsNotOffered), [`TlsRefused`](super::End::TlsRefused)).
    Required,
}

/// How long the server may take, each time for the whole reply: octets that drip do not extend
/// it (RFC 5321 section 4.5.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The greeting. Default: 5 minutes (section 4.5.3.2.1).
    pub greeting: Duration,
    /// The reply to MAIL. Default: 5 minutes (section 4.5.3.2.2).
    pub mail: Duration,
    /// The reply to RCPT. Default: 5 minutes (section 4.5.3.2.3).
    pub rcpt: Duration,
    /// The 354 after DATA. Default: 2 minutes (section 4.5.3.2.4).
    pub data: Duration,
    /// The server to take what is being sent, from the moment at which it begins to wait. Each octet
    /// that is taken moves the deadline by its time at [`rate`](Self::rate), but never beyond this
    /// time from then on: a server that takes nothing more is given up after it. The content of a
    /// message has one such deadline. Default: 3 minutes (section 4.5.3.2.5).
    pub block: Duration,
    /// The reply to the end of the content. Default: 10 minutes (section 4.5.3.2.6). The replies to
    /// the chunks before it may take as long all together, and beyond that the time that their
    /// octets have at [`rate`](Self::rate).
    pub end_of_content: Duration,
    /// The reply to ATRN. Default: 10 minutes, in which the server gets the mail ready (RFC 2645
    /// section 5.2.1).
    pub turn: Duration,
    /// The reply to every other command. Default: 5 minutes, what the others have.
    pub command: Duration,
    /// The slowest rate at which a server may take content for longer than [`block`](Self::block).
    /// Default: 500 octets a second, Postfix's `smtpd_min_data_rate`.
    pub rate: Rate,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(300),
            mail: Duration::from_secs(300),
            rcpt: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            end_of_content: Duration::from_secs(600),
            turn: Duration::from_secs(600),
            command: Duration::from_secs(300),
            rate: Rate::octets_per_second(500),
        }
    }
}

impl Timeouts {
    /// Sets `bound` as an upper bound of every time-out. No wait for the server is longer then, unless
    /// it goes on to take the content of a message at [`rate`](Self::rate) or faster.
    #[must_use]
    pub fn at_most(mut self, bound: Duration) -> Self {
        let Self { greeting, mail, rcpt, data, block, end_of_content, turn, command, rate: _ } =
            &mut self;
        for timeout in [greeting, mail, rcpt, data, block, end_of_content, turn, command] {
            *timeout = (*timeout).min(bound);
        }
        self
    }
}

/// How much a server may say before it is given up: the memory of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of one reply line, CRLF included. Default: 2048, Postfix's `line_length_limit`;
    /// the RFC asks for 512 (RFC 5321 section 4.5.3.1.5).
    pub reply_line: usize,
    /// Octets of one reply. Default: 64 KiB.
    pub reply_octets: usize,
    /// Lines of one reply. Default: 512.
    pub reply_lines: usize,
    /// Octets of all the replies that are kept for the report of one transaction, beyond 512 for
    /// each of its recipients. Default: 1 MiB.
    pub report_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reply_line: 2048,
            reply_octets: 64 * 1024,
            reply_lines: 512,
            report_octets: 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadlines_are_those_of_the_rfc() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let timeouts = Timeouts::default();
        assert_eq!(timeouts.greeting, minutes(5));
        assert_eq!(timeouts.mail, minutes(5));
        assert_eq!(timeouts.rcpt, minutes(5));
        assert_eq!(timeouts.data, minutes(2));
        assert_eq!(timeouts.block, minutes(3));
        assert_eq!(timeouts.end_of_content, minutes(10));
        assert_eq!(timeouts.turn, minutes(10));
        let short = timeouts.at_most(minutes(3));
        assert_eq!(short.data, minutes(2));
        assert_eq!(short.end_of_content, minutes(3));
    }
}
