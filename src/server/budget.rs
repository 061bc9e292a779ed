//! The budget of a session: how its client pays for errors.

use super::{
    end::End,
    limits::{Limits, Timeouts},
};
use core::time::Duration;

/// An error counts two of these, a rejected recipient beyond the tenth one.
const HALVES: u32 = 2;
/// This many rejected recipients are not counted.
const TYPICAL_REJECTIONS: u32 = 10;
/// This many errors are forgiven for a message that was accepted.
const FORGIVEN_BY_MESSAGE: u32 = 10;
/// Every client may try this many recipients (RFC 5321 section 4.5.3.1.8).
const RECIPIENTS_AT_LEAST: usize = 100;
/// The greatest message is discarded this many times before the session ends.
const DISCARDED_MESSAGES: u64 = 4;
/// This many octets are discarded in any case.
const DISCARDED_AT_LEAST: u64 = 8 * 1024 * 1024;

/// The kind of fault that a reply answers, as far as its client pays for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No fault.
    None,
    /// A command that makes no progress towards a message: it was carried out, or the application
    /// rejected it.
    NoProgress,
    /// A recipient that the application rejected: a few are normal, many are a search for valid
    /// addresses (directory harvest attack).
    RejectedRecipient,
    /// An attempt to authenticate that failed.
    FailedAuth,
    /// An attempt to authenticate that could not be decided now (4yz): it must not lock a user out,
    /// but takes as long as one that failed.
    UndecidedAuth,
    /// The application rejects, and closes.
    Closing,
    /// A chunk that came out of order: its octets were discarded before the reply (RFC 3030 section
    /// 2), and the refusal was counted when that began.
    Discarded,
    /// A command sent before the client could know that it would be refused (RFC 2920 section 3.1),
    /// or a recipient by which the client finds the limit (RFC 5321 section 4.5.3.1.10): not
    /// counted, unless there are more of them than a well-meaning client would send.
    Pipelined,
    /// A command beyond a limit: it is refused, and makes no progress.
    Limit,
    /// An error of the client.
    Error,
    /// A line of the exchange of AUTH that is no response.
    MalformedAuth,
    /// A pipelining violation: the client has not waited for a reply that it must wait for.
    OutOfSync,
    /// Octets in the clear after STARTTLS (command injection).
    Injection,
    /// A chunk of unknown length.
    Unframed,
    /// A command of another protocol.
    OtherProtocol,
}

impl Fault {
    /// Returns whether the machine itself refuses for this fault: the totals of the session count
    /// that, and no rejection by the application.
    pub(super) const fn is_refusal(self) -> bool {
        match self {
            Self::None
            | Self::NoProgress
            | Self::RejectedRecipient
            | Self::FailedAuth
            | Self::UndecidedAuth
            | Self::Closing
            | Self::Discarded => false,
            Self::Pipelined
            | Self::Limit
            | Self::Error
            | Self::MalformedAuth
            | Self::OutOfSync
            | Self::Injection
            | Self::Unframed
            | Self::OtherProtocol => true,
        }
    }
}

/// The penalty for a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Penalty {
    /// The reply, at once.
    Reply,
    /// The reply, withheld for this long (tarpit).
    Delay(Duration),
    /// 421 instead of the reply, and the end of the session.
    Close,
    /// The reply, and the end of the session.
    End(End),
}

/// The part of [`Limits`] that is spent. Only an accepted message restores some of it: RSET and a new
/// hello do not.
#[derive(Debug, Default)]
pub(super) struct Budget {
    half_errors: u32,
    rejected_recipients: u32,
    /// Commands without progress since the last message.
    idle_commands: u32,
    /// Pipelined faults since the last MAIL in order.
    pipelined: usize,
    failed_attempts: u32,
    /// MAIL commands in order.
    transactions: u32,
    /// Octets of content that were discarded since the last message.
    discarded: u64,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub(super) const NONE: Self = Self {
        half_errors: 0,
        rejected_recipients: 0,
        idle_commands: 0,
        pipelined: 0,
        failed_attempts: 0,
        transactions: 0,
        discarded: 0,
    };

    /// Charges a fault, and returns what follows from it.
    pub(super) fn charge(&mut self, fault: Fault, limits: &Limits, timeouts: &Timeouts) -> Penalty {
        match fault {
            Fault::None => Penalty::Reply,
            Fault::Pipelined => {
                self.pipelined = self.pipelined.saturating_add(1);
                // As many recipients as there may be, and DATA after them.
                let most = limits.recipients.max(RECIPIENTS_AT_LEAST).saturating_add(1);
                match self.pipelined > most {
                    true => self.spend(HALVES, limits, timeouts),
                    false => Penalty::Reply,
                }
            }
            Fault::NoProgress | Fault::Limit => {
                self.idle_commands = self.idle_commands.saturating_add(1);
                match self.idle_commands > limits.idle_commands {
                    true => self.spend(HALVES, limits, timeouts),
                    false => Penalty::Reply,
                }
            }
            Fault::RejectedRecipient => {
                self.rejected_recipients = self.rejected_recipients.saturating_add(1);
                let is_typical = self.rejected_recipients <= TYPICAL_REJECTIONS;
                self.spend(if is_typical { 0 } else { 1 }, limits, timeouts)
            }
            Fault::Error | Fault::Discarded => self.spend(HALVES, limits, timeouts),
            Fault::FailedAuth | Fault::MalformedAuth => {
                self.failed_attempts = self.failed_attempts.saturating_add(1);
                match self.failed_attempts >= limits.auth_failures {
                    true => Penalty::Close,
                    false => Penalty::Delay(timeouts.auth_failure),
                }
            }
            Fault::UndecidedAuth => match self.charge(Fault::NoProgress, limits, timeouts) {
                Penalty::Reply => Penalty::Delay(timeouts.auth_failure),
                Penalty::Delay(delay) => Penalty::Delay(delay.max(timeouts.auth_failure)),
                end @ (Penalty::Close | Penalty::End(_)) => end,
            },
            Fault::Closing => Penalty::End(End::Refused),
            Fault::OutOfSync => Penalty::End(End::OutOfSync),
            Fault::Injection => Penalty::End(End::Injection),
            Fault::Unframed => Penalty::End(End::Unframed),
            Fault::OtherProtocol => Penalty::End(End::OtherProtocol),
        }
    }

    fn spend(&mut self, halves: u32, limits: &Limits, timeouts: &Timeouts) -> Penalty {
        self.half_errors = self.half_errors.saturating_add(halves);
        if halves > 0 && self.half_errors >= limits.errors.saturating_mul(HALVES) {
            Penalty::Close
        } else if self.half_errors >= limits.errors {
            // Half of the errors are spent.
            Penalty::Delay(timeouts.error)
        } else {
            Penalty::Reply
        }
    }

    /// Returns whether a further command without progress is within the limit.
    pub(super) const fn may_idle(&self, limits: &Limits) -> bool {
        self.idle_commands < limits.idle_commands
    }

    /// Counts a command without progress that is within the limit.
    pub(super) const fn idle(&mut self) {
        self.idle_commands = self.idle_commands.saturating_add(1);
    }

    /// Counts a MAIL in order: pipelined faults are counted anew. Returns whether it is one too
    /// many.
    pub(super) fn transaction(&mut self, limits: &Limits) -> bool {
        self.pipelined = 0;
        self.transactions = self.transactions.saturating_add(1);
        limits.transactions.is_some_and(|most| self.transactions > most)
    }

    /// Counts `octets` of content that were discarded.
    pub(super) const fn discard(&mut self, octets: u64) {
        self.discarded = self.discarded.saturating_add(octets);
    }

    /// Returns whether more is discarded than a session may cost, with the `more` octets of the
    /// content in progress.
    pub(super) fn is_discarding_too_much(&self, more: u64, limits: &Limits) -> bool {
        let bound = limits.message.saturating_mul(DISCARDED_MESSAGES).max(DISCARDED_AT_LEAST);
        self.discarded.saturating_add(more) > bound
    }

    /// Forgives errors for a message that was accepted.
    pub(super) const fn forgive(&mut self) {
        self.discarded = 0;
        self.idle_commands = 0;
        self.half_errors = self.half_errors.saturating_sub(FORGIVEN_BY_MESSAGE * HALVES);
    }
}
