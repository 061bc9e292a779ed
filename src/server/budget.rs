//! What a client may still cost a session.

use super::{
    limits::Limits,
    replies,
    session::Session,
    state::{End, Phase},
};
use crate::syntax::{Rejection, Reply};

/// An error counts two of these, a refused recipient beyond the tenth one.
const HALVES: u32 = 2;
/// So many refused recipients are nobody's fault.
const TYPICAL_REFUSALS: u32 = 10;
/// So many errors are forgiven for a message that was accepted.
const FORGIVEN_BY_MESSAGE: u32 = 10;
/// Every client may try so many recipients (RFC 5321 section 4.5.3.1.8).
const RECIPIENTS_AT_LEAST: usize = 100;
/// So many times the greatest message is thrown away before the session ends.
const DISCARDED_MESSAGES: u64 = 4;
/// So much is thrown away at any rate.
const DISCARDED_AT_LEAST: u64 = 8 * 1024 * 1024;

/// What has been spent of [`Limits`]. Only an accepted message gives anything back: RSET and a
/// new hello do not.
#[derive(Debug, Default)]
pub(super) struct Budget {
    half_errors: u32,
    refused_recipients: u32,
    /// Commands that brought no message nearer, since the last one.
    idle_commands: u32,
    /// Commands that were refused for nobody's fault, since the last MAIL at its time.
    innocent: usize,
    failed_attempts: u32,
    /// How many times MAIL came at its time.
    transactions: u32,
    /// Octets of content that nobody wanted, since the last message.
    discarded: u64,
}

impl Budget {
    /// An error; whether it is one too many.
    pub(super) const fn error(&mut self, limits: &Limits) -> bool {
        self.charge(HALVES, limits)
    }

    /// A recipient that the application does not want: a few are normal, many are a search for
    /// names.
    pub(super) const fn refused_recipient(&mut self, limits: &Limits) -> bool {
        self.refused_recipients = self.refused_recipients.saturating_add(1);
        self.refused_recipients > TYPICAL_REFUSALS && self.charge(1, limits)
    }

    const fn charge(&mut self, halves: u32, limits: &Limits) -> bool {
        self.half_errors = self.half_errors.saturating_add(halves);
        self.half_errors >= limits.errors.saturating_mul(HALVES)
    }

    /// Whether the next errors deserve a delay.
    const fn is_half_spent(&self, limits: &Limits) -> bool {
        self.half_errors >= limits.errors
    }

    /// A command that brings no message nearer; whether it is one too many.
    pub(super) const fn idle(&mut self, limits: &Limits) -> bool {
        self.idle_commands = self.idle_commands.saturating_add(1);
        self.idle_commands > limits.idle_commands
    }

    /// MAIL at its time: what stands behind it is counted anew. Whether it is one too many.
    pub(super) fn transaction(&mut self, limits: &Limits) -> bool {
        self.innocent = 0;
        self.transactions = self.transactions.saturating_add(1);
        limits.transactions.is_some_and(|most| self.transactions > most)
    }

    /// A command that was under way when what it depends on was refused (RFC 2920 section 3.1), or
    /// a recipient by which a client finds the limit (RFC 5321 section 4.5.3.1.10); whether there
    /// are more of them than a client could mean well with.
    pub(super) fn innocent(&mut self, limits: &Limits) -> bool {
        self.innocent = self.innocent.saturating_add(1);
        // As many recipients as there may be, and DATA behind them.
        self.innocent > limits.recipients.max(RECIPIENTS_AT_LEAST).saturating_add(1)
    }

    /// An AUTH that failed; whether it is the last.
    pub(super) const fn failed_attempt(&mut self, limits: &Limits) -> bool {
        self.failed_attempts = self.failed_attempts.saturating_add(1);
        self.failed_attempts >= limits.auth_failures
    }

    /// Content that was thrown away, in octets.
    pub(super) const fn discard(&mut self, octets: u64) {
        self.discarded = self.discarded.saturating_add(octets);
    }

    /// Whether so much content is too much, when `more` is about to be thrown away.
    pub(super) fn is_discarding_too_much(&self, more: u64, limits: &Limits) -> bool {
        let bound = limits.message.saturating_mul(DISCARDED_MESSAGES).max(DISCARDED_AT_LEAST);
        self.discarded.saturating_add(more) > bound
    }

    /// A message was accepted.
    pub(super) const fn forgive(&mut self) {
        self.discarded = 0;
        self.idle_commands = 0;
        self.half_errors = self.half_errors.saturating_sub(FORGIVEN_BY_MESSAGE * HALVES);
    }
}

impl Session {
    /// A negative reply that is the machine's own verdict, and counts against the client.
    pub(super) fn offend(&mut self, rejection: &Rejection) {
        self.offend_with(rejection.reply().as_borrowed());
    }

    /// The same with a reply of another form.
    pub(super) fn offend_with(&mut self, reply: Reply<'_>) {
        self.totals.errors = self.totals.errors.saturating_add(1);
        let is_too_much = self.budget.error(self.config.limits());
        self.charged(is_too_much, reply);
    }

    /// A negative reply that is the machine's own verdict, and nobody's fault, unless there are
    /// too many of them.
    pub(super) fn excuse(&mut self, rejection: &Rejection) {
        if self.budget.innocent(self.config.limits()) {
            self.offend(rejection);
        } else {
            self.reply(rejection.reply());
        }
    }

    /// A recipient that the application does not want.
    pub(super) fn refuse_recipient(&mut self, rejection: &Rejection) {
        let is_too_much = self.budget.refused_recipient(self.config.limits());
        self.charged(is_too_much, rejection.reply().as_borrowed());
    }

    /// A command that asked the application and came to nothing: it brought no message nearer.
    pub(super) fn refuse(&mut self, reply: Reply<'_>) {
        if self.budget.idle(self.config.limits()) {
            self.offend_with(reply);
        } else {
            self.reply(&reply);
        }
    }

    /// A transaction that comes to nothing at its very beginning.
    pub(super) fn refuse_mail(&mut self, rejection: &Rejection) {
        self.facts.transaction.fail();
        self.refuse(rejection.reply().as_borrowed());
    }

    /// A transaction that has come to nothing: whether there have been far too many of them.
    pub(super) fn is_worn_out(&mut self) -> bool {
        let limits = self.config.limits();
        if !self.budget.idle(limits) {
            return false;
        }
        self.totals.errors = self.totals.errors.saturating_add(1);
        self.budget.error(limits)
    }

    fn charged(&mut self, is_too_much: bool, reply: Reply<'_>) {
        let delay = self.config.timeouts().error;
        if is_too_much {
            self.end(replies::TOO_MANY_ERRORS.reply(), End::TooManyErrors);
        } else if !delay.is_zero() && self.budget.is_half_spent(self.config.limits()) {
            self.phase = Phase::Penance(self.output.now + delay, reply.into_owned());
        } else {
            self.reply(&reply);
        }
    }
}
