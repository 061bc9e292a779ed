//! The limits of a session, and its time-outs.

use crate::time::{Allowance, Pace, Rate};
use core::time::Duration;

/// Octets of a command line, and of an envelope, at most: offsets into the text of both count in 32
/// bits.
const MOST_TEXT: usize = 1 << 30;

/// The longest line of AUTH and of its exchange, in octets, CRLF included (RFC 4954 section 4).
pub(super) const AUTH_LINE: usize = crate::syntax::AuthResponse::MAX_OCTETS;

/// The limits of a session. The memory of a session is bounded by the sum of its buffers
/// and its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) command_line: usize,
    pub(crate) message: u64,
    pub(crate) recipients: usize,
    pub(crate) transactions: Option<u32>,
    pub(crate) envelope: usize,
    pub(crate) errors: u32,
    pub(crate) auth_failures: u32,
    pub(crate) idle_commands: u32,
    pub(crate) receive_buffer: usize,
    pub(crate) send_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // RFC 5321 section 4.5.3.1.4 asks for 512; what the extensions add comes on top.
            command_line: 2048,
            message: 32 * 1024 * 1024,
            // RFC 5321 section 4.5.3.1.8 asks for 100 at least.
            recipients: 1000,
            transactions: None,
            envelope: 512 * 1024,
            errors: 20,
            auth_failures: 3,
            idle_commands: 100,
            receive_buffer: 64 * 1024,
            send_buffer: 64 * 1024,
        }
    }
}

impl Limits {
    /// Sets the octets of a command line, CRLF included; at least 512, and what the extensions that
    /// are offered add to it (RFC 5321 section 4.5.3.1.4), and at most 2^30.
    #[must_use]
    pub fn with_command_line(mut self, octets: usize) -> Self {
        self.command_line = octets.clamp(512, MOST_TEXT);
        self.with_receive_buffer(self.receive_buffer)
    }

    /// Sets the largest content in octets, CRLFs counted and stuffed dots not (RFC 1870 section 3).
    /// With 0 there is no limit, and SIZE is announced without a number (section 4).
    #[doc(alias("SIZE", "max_message_size"))]
    #[must_use]
    pub const fn with_message(mut self, octets: u64) -> Self {
        self.message = match octets {
            0 => u64::MAX,
            octets => octets,
        };
        self
    }

    /// Sets the number of recipients of one transaction, at least one; more get 452 (RFC 5321 section
    /// 4.5.3.1.10).
    #[doc(alias("RCPTMAX", "max_recipients"))]
    #[must_use]
    pub fn with_recipients(mut self, recipients: usize) -> Self {
        self.recipients = recipients.max(1);
        self
    }

    /// Sets the number of transactions of one session, from 1 to 999999; a MAIL beyond them gets
    /// 452. There is no limit by default. LIMITS announces it as MAILMAX (RFC 9422 section 4.1).
    /// All transactions count, delivered or not, and the count continues through STARTTLS and
    /// XCLIENT, as the client's does.
    #[must_use]
    pub fn with_transactions(mut self, transactions: Option<u32>) -> Self {
        self.transactions = transactions.map(|most| most.clamp(1, 999_999));
        self
    }

    /// Sets the octets of memory that the paths and parameters of one transaction take, at most 2^30;
    /// recipients beyond them get 452.
    #[must_use]
    pub const fn with_envelope(mut self, octets: usize) -> Self {
        self.envelope = if octets > MOST_TEXT { MOST_TEXT } else { octets };
        self
    }

    /// Sets the number of errors in a session: the last of them is answered with 421, and ends it.
    #[must_use]
    pub const fn with_errors(mut self, errors: u32) -> Self {
        self.errors = errors;
        self
    }

    /// Sets how many commands without progress towards a message are free (NOOP, RSET, VRFY, EXPN,
    /// HELP, a further hello, an empty chunk that is not the last, ETRN, XCLIENT, XFORWARD, AUTH
    /// that cannot be decided now, a verb of the application's own, content that is refused,
    /// whatever the application rejects but a recipient), counted from one accepted message to the
    /// next. Those beyond count as errors; RSET and NOOP are answered 250 all the same (RFC 5321
    /// sections 4.1.1.5 and 4.1.1.9). 100 unless said otherwise.
    #[must_use]
    pub const fn with_idle_commands(mut self, commands: u32) -> Self {
        self.idle_commands = commands;
        self
    }

    /// Sets which failed AUTH of a session is answered 421, and ends it. An AUTH that is answered with
    /// 4yz has not failed.
    #[must_use]
    pub const fn with_auth_failures(mut self, failures: u32) -> Self {
        self.auth_failures = failures;
        self
    }

    /// Sets the size of the receive buffer in octets; never less than two command lines, nor than the
    /// longest line of AUTH (RFC 4954 section 4).
    #[must_use]
    pub fn with_receive_buffer(mut self, octets: usize) -> Self {
        let lines = self.command_line.saturating_mul(2).max(AUTH_LINE);
        self.receive_buffer = octets.max(lines);
        self
    }

    /// Sets the number of octets of replies that may wait for a peer that does not read, before
    /// nothing more is read from it (back-pressure).
    #[must_use]
    pub const fn with_send_buffer(mut self, octets: usize) -> Self {
        self.send_buffer = octets;
        self
    }

    /// Returns the largest message, in octets; `u64::MAX` is no limit.
    #[must_use]
    pub const fn message(&self) -> u64 {
        self.message
    }

    /// Returns the greatest number of recipients of a transaction.
    #[must_use]
    pub const fn recipients(&self) -> usize {
        self.recipients
    }

    /// Returns the greatest number of transactions of a session.
    #[must_use]
    pub const fn transactions(&self) -> Option<u32> {
        self.transactions
    }
}

/// The time-outs and delays of a session. Time during which an answer of the application is due never
/// counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub(crate) command: Allowance,
    pub(crate) content: Allowance,
    pub(crate) floor: Rate,
    pub(crate) discard: Allowance,
    pub(crate) write: Allowance,
    pub(crate) closing: Allowance,
    pub(crate) session: Option<Allowance>,
    pub(crate) auth_failure: Duration,
    pub(crate) error: Duration,
    pub(crate) greeting: Duration,
}

impl Timeouts {
    /// Returns the pace at which a client has to send content.
    pub(super) const fn content_pace(&self) -> Pace {
        Pace { timeout: self.content, slowest: self.floor }
    }

    /// Returns the pace at which a client has to read replies.
    pub(super) const fn write_pace(&self) -> Pace {
        Pace { timeout: self.write, slowest: self.floor }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // RFC 5321 section 4.5.3.2.7: at least five minutes.
            command: Allowance::of(Duration::from_secs(300)),
            content: Allowance::of(Duration::from_secs(300)),
            floor: Rate::octets_per_second(500),
            // As long as a client waits for the reply at the end (RFC 5321 section 4.5.3.2.6).
            discard: Allowance::of(Duration::from_secs(600)),
            write: Allowance::of(Duration::from_secs(300)),
            closing: Allowance::of(Duration::from_secs(1)),
            session: Some(Allowance::of(Duration::from_secs(3600))),
            auth_failure: Duration::from_secs(1),
            error: Duration::ZERO,
            greeting: Duration::ZERO,
        }
    }
}

impl Timeouts {
    /// Sets the time for a whole command line, however many octets of it have come (RFC 5321 section
    /// 4.5.3.2.7).
    #[must_use]
    pub const fn with_command(mut self, timeout: Duration) -> Self {
        self.command = Allowance::of(timeout);
        self
    }

    /// Sets the flat time-out of content; five minutes by default.
    ///
    /// The content of a message has one deadline, over all chunks and BDAT lines. It starts this long
    /// after the first octet is awaited; each octet moves it later by its time at the slowest rate
    /// ([`with_slowest_content`](Self::with_slowest_content)), but never beyond this long after the
    /// octet came.
    #[must_use]
    pub const fn with_content(mut self, timeout: Duration) -> Self {
        self.content = Allowance::of(timeout);
        self
    }

    /// Sets the time for content that was refused and is discarded up to its end, from the refusal
    /// on; ten minutes by default.
    ///
    /// The deadline of [`with_content`](Self::with_content) holds besides. A session that [shuts
    /// down](super::Server::shut_down) waits no longer than that flat time-out, and discarded content
    /// never outlives the time of the [whole session](Self::with_session).
    #[must_use]
    pub const fn with_discard(mut self, timeout: Duration) -> Self {
        self.discard = Allowance::of(timeout);
        self
    }

    /// Sets the slowest rate at which content may come, and replies may be read, for longer than the
    /// time-out of either; 500 octets a second by default.
    #[must_use]
    pub const fn with_slowest_content(mut self, rate: Rate) -> Self {
        self.floor = rate;
        self
    }

    /// Sets the time for the peer to read the replies that wait; 5 minutes by default. Each octet that it
    /// reads moves the deadline by its time at the
    /// [slowest rate](Self::with_slowest_content), but never beyond this time from then on.
    #[must_use]
    pub const fn with_write(mut self, timeout: Duration) -> Self {
        self.write = Allowance::of(timeout);
        self
    }

    /// Sets the time for the peer to read the pending replies, and a 421, after
    /// [`Server::close`](super::Server::close); a second by default.
    #[must_use]
    pub const fn with_closing(mut self, timeout: Duration) -> Self {
        self.closing = Allowance::of(timeout);
        self
    }

    /// Sets how long the reply to an AUTH without success is withheld (tarpit), whether it failed or
    /// could not be decided; a second by default.
    #[must_use]
    pub const fn with_auth_failure(mut self, delay: Duration) -> Self {
        self.auth_failure = delay;
        self
    }

    /// Sets how long the reply to an error is withheld (tarpit) once half of
    /// [`Limits::with_errors`] is spent; not at all by default.
    #[must_use]
    pub const fn with_error_delay(mut self, delay: Duration) -> Self {
        self.error = delay;
        self
    }

    /// Sets how long the greeting is delayed, to detect early talkers (clients that send before
    /// it); not at all by default.
    #[must_use]
    pub const fn with_greeting_delay(mut self, delay: Duration) -> Self {
        self.greeting = delay;
        self
    }

    /// Sets the time for the whole session; an hour by default. Content whose octets are coming in may
    /// come to its end as long as its own deadline holds; a session between two chunks, or one that
    /// discards refused content, ends.
    #[must_use]
    pub const fn with_session(mut self, timeout: Option<Duration>) -> Self {
        self.session = match timeout {
            Some(timeout) => Some(Allowance::of(timeout)),
            None => None,
        };
        self
    }

    /// Returns the time for a whole command line.
    #[must_use]
    pub const fn command(&self) -> Duration {
        self.command.get()
    }

    /// Returns the flat time-out of content.
    #[must_use]
    pub const fn content(&self) -> Duration {
        self.content.get()
    }

    /// Returns the time for content that is discarded.
    #[must_use]
    pub const fn discard(&self) -> Duration {
        self.discard.get()
    }

    /// Returns the slowest rate at which content may come.
    #[must_use]
    pub const fn slowest_content(&self) -> Rate {
        self.floor
    }

    /// Returns the time for the peer to read the replies that wait.
    #[must_use]
    pub const fn write(&self) -> Duration {
        self.write.get()
    }

    /// Returns the time for the peer to read the pending replies after
    /// [`Server::close`](super::Server::close).
    #[must_use]
    pub const fn closing(&self) -> Duration {
        self.closing.get()
    }

    /// Returns how long the reply to an AUTH without success is withheld.
    #[must_use]
    pub const fn auth_failure(&self) -> Duration {
        self.auth_failure
    }

    /// Returns how long the reply to an error is withheld.
    #[must_use]
    pub const fn error_delay(&self) -> Duration {
        self.error
    }

    /// Returns how long the greeting is withheld.
    #[must_use]
    pub const fn greeting_delay(&self) -> Duration {
        self.greeting
    }

    /// Returns the time for the whole session; `None` is no limit.
    #[must_use]
    pub const fn session(&self) -> Option<Duration> {
        match self.session {
            Some(timeout) => Some(timeout.get()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_into_an_envelope_fit_into_32_bits() {
        let limits = Limits::default().with_envelope(usize::MAX).with_command_line(usize::MAX);
        let most = limits.envelope.checked_add(limits.command_line).unwrap();
        assert!(u32::try_from(most).is_ok());
        assert_eq!(Limits::default().with_envelope(0).envelope, 0);
    }
}
