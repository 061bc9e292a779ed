//! The sums of a session.

use crate::channel::Channel;
use core::time::Duration;

/// The sums of a session so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    octets_received: u64,
    octets_sent: u64,
    commands: u32,
    counts: Counts,
    peer_time: Duration,
    application_time: Duration,
}

/// The counts of a session that was put to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) errors: Count,
    pub(super) messages: Count,
    pub(super) transactions: Count,
    pub(super) refused_transactions: Count,
    pub(super) recipients: Count,
    pub(super) refused_recipients: Count,
}

/// A count that stays at its greatest value rather than begin anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(u32);

impl Count {
    pub(super) const fn add(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    const fn get(self) -> u64 {
        self.0 as u64
    }
}

impl Counts {
    /// Nothing was counted.
    pub(super) const NONE: Self = Self {
        errors: Count(0),
        messages: Count(0),
        transactions: Count(0),
        refused_transactions: Count(0),
        recipients: Count(0),
        refused_recipients: Count(0),
    };
}

impl Totals {
    pub(super) const fn of(channel: &Channel, counts: &Counts) -> Self {
        Self {
            octets_received: channel.octets_received(),
            octets_sent: channel.octets_sent(),
            commands: channel.commands(),
            counts: *counts,
            peer_time: channel.peer_time(),
            application_time: channel.application_time(),
        }
    }

    /// Returns the octets received from the peer.
    #[must_use]
    pub const fn octets_received(&self) -> u64 {
        self.octets_received
    }

    /// Returns the octets sent to the peer.
    #[must_use]
    pub const fn octets_sent(&self) -> u64 {
        self.octets_sent
    }

    /// Returns the number of command lines, accepted or not.
    #[must_use]
    pub const fn commands(&self) -> u64 {
        self.commands as u64
    }

    /// Returns the number of commands and messages that the machine itself refused, whether or not that
    /// counts against [`Limits::with_errors`](super::Limits::with_errors). Rejections by the application
    /// do not count, nor does an AUTH whose credentials were not accepted.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.counts.errors.get()
    }

    /// Returns the number of MAIL commands that were accepted: each began a transaction.
    #[must_use]
    pub const fn transactions(&self) -> u64 {
        self.counts.transactions.get()
    }

    /// Returns the number of MAIL commands that the application rejected or the machine refused.
    #[must_use]
    pub const fn refused_transactions(&self) -> u64 {
        self.counts.refused_transactions.get()
    }

    /// Returns the number of RCPT commands that were accepted.
    #[must_use]
    pub const fn recipients(&self) -> u64 {
        self.counts.recipients.get()
    }

    /// Returns the number of RCPT commands that the application rejected or the machine refused.
    #[must_use]
    pub const fn refused_recipients(&self) -> u64 {
        self.counts.refused_recipients.get()
    }

    /// Returns the number of messages that the application accepted, for at least one recipient.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.counts.messages.get()
    }

    /// Returns the time spent waiting for the peer, to send octets or to take them.
    #[must_use]
    pub const fn peer_time(&self) -> Duration {
        self.peer_time
    }

    /// Returns the time spent waiting for the application, from a question to the poll after its
    /// answer.
    #[must_use]
    pub const fn application_time(&self) -> Duration {
        self.application_time
    }
}
