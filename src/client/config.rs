//! The settings of a client.

use super::lenience::ReplyLenience;
use crate::{
    service::Service,
    syntax::{Extension, Host, SyntaxError},
    time::{Allowance, Pace, Rate},
    wire::LineEnds,
};
use alloc::vec::Vec;
use core::time::Duration;

/// The settings of a [`Client`](super::Client); many sessions can share one.
///
/// ```
/// use esmtp::{client::Config, service::Service, syntax::Extension, wire::LineEnds};
///
/// let config = Config::new("me.example.org")?
///     .with_service(Service::Lmtp)
///     .with_line_ends(LineEnds::FromLf)
///     .without_extension(Extension::Pipelining);
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
    send_buffer: usize,
    transactions: usize,
    has_recipient_events: bool,
    has_all_recipient_events: bool,
    requires_mime: bool,
}

impl Config {
    /// Returns the defaults, with the domain or address literal that this client sends in EHLO
    /// (RFC 5321 section 4.1.1.1): `me.example.org`, `[192.0.2.1]`.
    ///
    /// # Errors
    ///
    /// `host` is neither, or not ASCII: EHLO takes A-labels (RFC 6531 section 3.7.1). The error names the usual mistakes: empty
    /// text, white space, a line break, a port, an IP address without its brackets.
    pub fn new(host: impl AsRef<str>) -> Result<Self, SyntaxError> {
        Self::from_host(Host::parse(host.as_ref())?.into_owned())
    }

    /// Returns the defaults, with a host that was parsed before.
    ///
    /// # Errors
    ///
    /// `host` is not ASCII, or an IPv4 address in place of an address literal.
    pub fn from_host(host: Host<'static>) -> Result<Self, SyntaxError> {
        Ok(Self {
            host: host.into_own()?,
            service: Service::default(),
            tls: None,
            unused: Vec::new(),
            required: Vec::new(),
            reply_lenience: ReplyLenience::default(),
            line_ends: LineEnds::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            in_flight: 128,
            send_buffer: 64 * 1024,
            transactions: 1,
            has_recipient_events: false,
            has_all_recipient_events: false,
            requires_mime: false,
        })
    }

    /// Sets the service. Default: [`Service::Smtp`].
    #[must_use]
    pub const fn with_service(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// Sets whether STARTTLS is used. Default: [`Required`](TlsPolicy::Required) for submission
    /// (RFC 8314 section 3), [`Never`](TlsPolicy::Never) for the other services: TLS needs a layer
    /// around the client, and only the application knows whether it has put one there.
    #[must_use]
    pub const fn with_tls(mut self, policy: TlsPolicy) -> Self {
        self.tls = Some(policy);
        self
    }

    /// Leaves `extension` unused even where the server offers it.
    #[must_use]
    pub fn without_extension(mut self, extension: Extension) -> Self {
        self.unused.push(extension);
        self
    }

    /// Requires `extension` in the session: after a rejected EHLO the client does not try HELO, which
    /// has no extensions, and the rejection ends the session. For AUTH, or an extension that every
    /// message needs.
    #[must_use]
    pub fn with_required(mut self, extension: Extension) -> Self {
        self.required.push(extension);
        self
    }

    /// Sets the deviations from the grammar that are tolerated in replies.
    #[must_use]
    pub const fn with_reply_lenience(mut self, lenience: ReplyLenience) -> Self {
        self.reply_lenience = lenience;
        self
    }

    /// Sets how line ends in content are treated. Default: [`LineEnds::Strict`].
    #[must_use]
    pub const fn with_line_ends(mut self, line_ends: LineEnds) -> Self {
        self.line_ends = line_ends;
        self
    }

    /// Sets how long the server may take.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how much a server may send in its replies.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how many commands may wait for their replies at once, where PIPELINING is offered; at
    /// least 1. Default: 128. The limit keeps a driver that cannot read while it writes from a
    /// deadlock (RFC 2920 section 3.1).
    ///
    /// Fewer RCPT wait for their replies while it is not known how many recipients the server takes in
    /// one transaction: 48, and 8 beyond each multiple of 50, as limits are round numbers and every
    /// RCPT beyond one is refused. LIMITS (RFC 9422) shows the limit, and so does each transaction.
    #[must_use]
    pub const fn with_in_flight(mut self, commands: usize) -> Self {
        self.in_flight = if commands == 0 { 1 } else { commands };
        self
    }

    /// Sets how many octets may wait to be sent before no more content is taken (back-pressure); at
    /// least 1. Default: 64 KiB.
    #[must_use]
    pub const fn with_send_buffer(mut self, octets: usize) -> Self {
        self.send_buffer = if octets == 0 { 1 } else { octets };
        self
    }

    /// Sets how many transactions may be in flight at once where PIPELINING is offered; at least 1,
    /// which is the default. A further one begins after the end of the content before it, without
    /// waiting for the reply (RFC 2920 section 3.1). In LMTP content waits for the replies to RCPT,
    /// which determine how many replies it will have itself. When the connection is lost, this many may
    /// be left [`Unknown`](super::Outcome::Unknown).
    #[must_use]
    pub const fn with_transactions(mut self, transactions: usize) -> Self {
        self.transactions = if transactions == 0 { 1 } else { transactions };
        self
    }

    /// Asks for an [`Event::Answered`](super::Event::Answered) for each recipient as soon as the server
    /// has sent its final reply for it, before the [`Event::Sent`](super::Event::Sent) for all. It is
    /// worth most in LMTP, where each recipient has a reply to the content and a slow one delays those
    /// of the others (RFC 2033 section 5). Default: off, as it is one question more for each recipient.
    #[must_use]
    pub const fn with_recipient_events(mut self) -> Self {
        self.has_recipient_events = true;
        self
    }

    /// Asks for an [`Event::Answered`](super::Event::Answered) as [`with_recipient_events`](Self::with_recipient_events)
    /// does, and for the reply to MAIL and each positive one to RCPT besides, which are not
    /// [final](super::Answered::is_final).
    #[must_use]
    pub const fn with_all_recipient_events(mut self) -> Self {
        self.has_recipient_events = true;
        self.has_all_recipient_events = true;
        self
    }

    /// Asks for no [`Event::Answered`](super::Event::Answered), which is the default.
    #[must_use]
    pub const fn without_recipient_events(mut self) -> Self {
        self.has_recipient_events = false;
        self.has_all_recipient_events = false;
        self
    }

    /// Requires MIME of messages with octets above 127, as far as a scan of the header shows
    /// ([`MessageFacts::is_mime`](super::MessageFacts::is_mime)): "8BITMIME MUST NOT be requested by
    /// senders for material with the high bit on that is not in MIME format" (RFC 5321 section 2.4).
    /// Any other such message has an [`Obstacle::NotMime`](super::Obstacle::NotMime).
    ///
    /// Default: off. There is text in mailboxes and from programs that was never labelled, servers
    /// accept it as it is, and to send it without asking for 8BITMIME would be worse. Use it where
    /// the messages are your own.
    #[must_use]
    pub const fn with_required_mime(mut self) -> Self {
        self.requires_mime = true;
        self
    }

    /// Sends messages with octets above 127 whether they are MIME or not, which is the default.
    #[must_use]
    pub const fn without_required_mime(mut self) -> Self {
        self.requires_mime = false;
        self
    }

    /// Returns the host that is sent in EHLO.
    #[must_use]
    pub const fn host(&self) -> &Host<'static> {
        &self.host
    }

    /// Returns the service.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Returns whether STARTTLS is used.
    #[must_use]
    pub const fn tls(&self) -> TlsPolicy {
        match self.tls {
            Some(policy) => policy,
            None if self.service.requires_tls() => TlsPolicy::Required,
            None => TlsPolicy::Never,
        }
    }

    /// Returns the extensions that are not used even where they are offered.
    #[must_use]
    pub fn unused(&self) -> &[Extension] {
        &self.unused
    }

    /// Returns the extensions that the session requires.
    #[must_use]
    pub fn required(&self) -> &[Extension] {
        &self.required
    }

    /// Returns the deviations from the grammar that are tolerated in replies.
    #[must_use]
    pub const fn reply_lenience(&self) -> ReplyLenience {
        self.reply_lenience
    }

    /// Returns how line ends in content are treated.
    #[must_use]
    pub const fn line_ends(&self) -> LineEnds {
        self.line_ends
    }

    /// Returns how long the server may take.
    #[must_use]
    pub const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Returns how much a server may send in its replies.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns how many commands may wait for their replies.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns how many octets may wait to be sent.
    #[must_use]
    pub const fn send_buffer(&self) -> usize {
        self.send_buffer
    }

    /// Returns whether an event comes for the final reply of each recipient.
    #[must_use]
    pub const fn has_recipient_events(&self) -> bool {
        self.has_recipient_events
    }

    /// Returns whether an event comes for the reply to MAIL and each positive one to RCPT, too.
    #[must_use]
    pub const fn has_all_recipient_events(&self) -> bool {
        self.has_all_recipient_events
    }

    /// Returns whether a message with octets above 127 must be MIME.
    #[must_use]
    pub const fn requires_mime(&self) -> bool {
        self.requires_mime
    }

    /// Returns how many transactions may be in flight.
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
    /// Where it is offered (opportunistic TLS, RFC 7435). An active attacker can remove the offer
    /// (downgrade): this keeps out those who only listen. A rejection is a
    /// [`Refused`](super::Refused) that [`is_opportunistic`](super::Refused::is_opportunistic); a connector and the functions
    /// of a session (`send` and its kin) go on in the clear then.
    /// Passwords and tokens are shown only to a server whose certificate was
    /// [verified](crate::security::Security::is_verified), as if the channel were clear otherwise.
    IfOffered,
    /// Nothing else is sent before TLS: without it the session ends
    /// ([`TlsNotOffered`](super::End::TlsNotOffered), [`TlsRefused`](super::End::TlsRefused)).
    Required,
}

/// The times that the server may take, each for a whole reply: a slow drip of octets does not extend
/// it (RFC 5321 section 4.5.3.2).
///
/// ```
/// use core::time::Duration;
/// use esmtp::client::Timeouts;
///
/// let timeouts = Timeouts::default().with_greeting(Duration::from_secs(30));
/// assert_eq!(timeouts.greeting(), Duration::from_secs(30));
/// assert_eq!(timeouts.at_most(Duration::from_secs(10)).mail(), Duration::from_secs(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    greeting: Duration,
    mail: Duration,
    rcpt: Duration,
    data: Duration,
    block: Duration,
    end_of_content: Duration,
    atrn: Duration,
    command: Duration,
    slowest_content: Rate,
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
            atrn: Duration::from_secs(600),
            command: Duration::from_secs(300),
            slowest_content: Rate::octets_per_second(500),
        }
    }
}

impl Timeouts {
    /// Sets `bound` as an upper bound of every time-out. No wait for the server is longer then, unless
    /// it goes on to take the content of a message at [`slowest_content`](Self::slowest_content) or
    /// faster.
    #[must_use]
    pub fn at_most(mut self, bound: Duration) -> Self {
        let Self { greeting, mail, rcpt, data, block, end_of_content, atrn, command, .. } =
            &mut self;
        for timeout in [greeting, mail, rcpt, data, block, end_of_content, atrn, command] {
            *timeout = (*timeout).min(bound);
        }
        self
    }

    /// Sets the time for the greeting. Default: 5 minutes (RFC 5321 section 4.5.3.2.1).
    #[must_use]
    pub const fn with_greeting(mut self, timeout: Duration) -> Self {
        self.greeting = timeout;
        self
    }

    /// Sets the time for the reply to MAIL. Default: 5 minutes (RFC 5321 section 4.5.3.2.2).
    #[must_use]
    pub const fn with_mail(mut self, timeout: Duration) -> Self {
        self.mail = timeout;
        self
    }

    /// Sets the time for the reply to RCPT. Default: 5 minutes (RFC 5321 section 4.5.3.2.3).
    #[must_use]
    pub const fn with_rcpt(mut self, timeout: Duration) -> Self {
        self.rcpt = timeout;
        self
    }

    /// Sets the time for the 354 to DATA. Default: 2 minutes (RFC 5321 section 4.5.3.2.4).
    #[must_use]
    pub const fn with_data(mut self, timeout: Duration) -> Self {
        self.data = timeout;
        self
    }

    /// Sets the time in which the server must take what is being sent, from the moment at which it begins to
    /// wait. Each octet that is taken moves the deadline by its time at
    /// [`slowest_content`](Self::slowest_content), but never beyond this time from then on: a server that
    /// takes nothing more is given up after it. The content of a message has one such deadline. Default: 3
    /// minutes (RFC 5321 section 4.5.3.2.5).
    #[must_use]
    pub const fn with_block(mut self, timeout: Duration) -> Self {
        self.block = timeout;
        self
    }

    /// Sets the time for the reply to the end of the content. Default: 10 minutes (RFC 5321 section
    /// 4.5.3.2.6). The replies to the chunks before it may take as long all together, and beyond that the
    /// time that their octets have at [`slowest_content`](Self::slowest_content).
    #[must_use]
    pub const fn with_end_of_content(mut self, timeout: Duration) -> Self {
        self.end_of_content = timeout;
        self
    }

    /// Sets the time for the reply to ATRN. Default: 10 minutes, in which the server prepares the mail (RFC
    /// 2645 section 5.2.1).
    #[must_use]
    pub const fn with_atrn(mut self, timeout: Duration) -> Self {
        self.atrn = timeout;
        self
    }

    /// Sets the time for the reply to every other command. Default: 5 minutes, as for MAIL and RCPT.
    #[must_use]
    pub const fn with_command(mut self, timeout: Duration) -> Self {
        self.command = timeout;
        self
    }

    /// Sets the slowest rate at which a server may take content for longer than [`block`](Self::block).
    /// Default: 500 octets a second, Postfix's `smtpd_min_data_rate`.
    #[must_use]
    pub const fn with_slowest_content(mut self, rate: Rate) -> Self {
        self.slowest_content = rate;
        self
    }

    /// Returns the time for the greeting.
    #[must_use]
    pub const fn greeting(&self) -> Duration {
        self.greeting
    }

    /// Returns the time for the reply to MAIL.
    #[must_use]
    pub const fn mail(&self) -> Duration {
        self.mail
    }

    /// Returns the time for the reply to RCPT.
    #[must_use]
    pub const fn rcpt(&self) -> Duration {
        self.rcpt
    }

    /// Returns the time for the 354 to DATA.
    #[must_use]
    pub const fn data(&self) -> Duration {
        self.data
    }

    /// Returns the time in which the server must take what is being sent.
    #[must_use]
    pub const fn block(&self) -> Duration {
        self.block
    }

    /// Returns the time for the reply to the end of the content.
    #[must_use]
    pub const fn end_of_content(&self) -> Duration {
        self.end_of_content
    }

    /// Returns the time for the reply to ATRN.
    #[must_use]
    pub const fn atrn(&self) -> Duration {
        self.atrn
    }

    /// Returns the time for the reply to every other command.
    #[must_use]
    pub const fn command(&self) -> Duration {
        self.command
    }

    /// Returns the pace at which a server has to take octets.
    pub(super) const fn block_pace(&self) -> Pace {
        Pace { timeout: Allowance::of(self.block), slowest: self.slowest_content }
    }

    /// Returns the pace at which a server has to reply to chunks.
    pub(super) const fn chunk_pace(&self) -> Pace {
        Pace { timeout: Allowance::of(self.end_of_content), slowest: self.slowest_content }
    }

    /// Returns the slowest rate at which a server may take content for longer than
    /// [`block`](Self::block).
    #[must_use]
    pub const fn slowest_content(&self) -> Rate {
        self.slowest_content
    }
}

/// The limits of what a server may send in its replies, which bound the memory of a session.
///
/// ```
/// use esmtp::client::Limits;
///
/// let limits = Limits::default().with_reply_lines(100);
/// assert_eq!((limits.reply_lines(), limits.reply_line()), (100, 2048));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    reply_line: usize,
    reply_octets: usize,
    reply_lines: usize,
    report_octets: usize,
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

impl Limits {
    /// Sets the most octets of one reply line, CRLF included. Default: 2048, Postfix's
    /// `line_length_limit`; the RFC asks for 512 (RFC 5321 section 4.5.3.1.5).
    #[must_use]
    pub const fn with_reply_line(mut self, octets: usize) -> Self {
        self.reply_line = octets;
        self
    }

    /// Sets the most octets of one reply. Default: 64 KiB.
    #[must_use]
    pub const fn with_reply_octets(mut self, octets: usize) -> Self {
        self.reply_octets = octets;
        self
    }

    /// Sets the most lines of one reply. Default: 512.
    #[must_use]
    pub const fn with_reply_lines(mut self, lines: usize) -> Self {
        self.reply_lines = lines;
        self
    }

    /// Sets the most octets of all the replies that are kept for the report of one transaction, beyond 512
    /// for each of its recipients. Default: 1 MiB.
    #[must_use]
    pub const fn with_report_octets(mut self, octets: usize) -> Self {
        self.report_octets = octets;
        self
    }

    /// Returns the most octets of one reply line, CRLF included.
    #[must_use]
    pub const fn reply_line(&self) -> usize {
        self.reply_line
    }

    /// Returns the most octets of one reply.
    #[must_use]
    pub const fn reply_octets(&self) -> usize {
        self.reply_octets
    }

    /// Returns the most lines of one reply.
    #[must_use]
    pub const fn reply_lines(&self) -> usize {
        self.reply_lines
    }

    /// Returns the most octets of the replies that are kept for the report of one transaction, beyond 512
    /// for each of its recipients.
    #[must_use]
    pub const fn report_octets(&self) -> usize {
        self.report_octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadlines_are_those_of_the_rfc() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let timeouts = Timeouts::default();
        assert_eq!(timeouts.greeting(), minutes(5));
        assert_eq!(timeouts.mail(), minutes(5));
        assert_eq!(timeouts.rcpt(), minutes(5));
        assert_eq!(timeouts.data(), minutes(2));
        assert_eq!(timeouts.block(), minutes(3));
        assert_eq!(timeouts.end_of_content(), minutes(10));
        assert_eq!(timeouts.atrn(), minutes(10));
        let short = timeouts.at_most(minutes(3));
        assert_eq!(short.data(), minutes(2));
        assert_eq!(short.end_of_content(), minutes(3));
    }
}
