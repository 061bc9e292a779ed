//! What becomes of a whole message: one reply, or one a recipient (RFC 2033 section 4.2).

use super::{
    budget::{Fault, Penalty},
    event::{Answer, PerRecipient},
    replies,
    session::Session,
    state::{End, Phase, Question},
};
use crate::syntax::{Code, Rejection, Text};
use alloc::vec::Vec;
use core::mem;

/// Whether a message was stored, and in which words.
pub(super) type Verdict = Result<Option<Text<'static>>, Rejection>;

/// The answers to a whole message that are not for all recipients.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// One place a recipient, once there is one answer; `None` is still open.
    pub(super) places: Vec<Option<Verdict>>,
    /// So many replies have been sent.
    replied: usize,
}

impl PerRecipient<'_> {
    /// The message was stored for the recipient with this index, or not. Only the first answer
    /// for a recipient counts, and one for a recipient that does not exist is none.
    pub fn settle(&mut self, recipient: usize, verdict: Result<(), Rejection>) {
        self.exchange.settled.push((recipient, verdict.map(|()| None)));
    }

    /// Whether the recipient with this index has been answered for in an earlier poll.
    #[must_use]
    pub fn is_settled(&self, recipient: usize) -> bool {
        self.verdicts.places.get(recipient).is_some_and(Option::is_some)
    }
}

impl Session {
    /// How many replies a message gets.
    pub(super) fn replies(&self) -> usize {
        if self.facts.service.replies_per_recipient() {
            self.facts.transaction.accepted()
        } else {
            1
        }
    }

    /// Single recipients have been answered for.
    pub(super) fn settle(&mut self) {
        let settled = mem::take(&mut self.exchange.settled);
        if settled.is_empty() {
            return;
        }
        let replies = self.replies();
        let mut verdicts = match mem::replace(&mut self.phase, Phase::Command) {
            Phase::Asked(Question::Deliver(verdicts)) => verdicts,
            other => {
                self.phase = other;
                return;
            }
        };
        verdicts.places.resize(replies, None);
        for (recipient, verdict) in settled {
            if let Some(place @ None) = verdicts.places.get_mut(recipient) {
                *place = Some(verdict);
            }
        }
        while let Some(Some(verdict)) = verdicts.places.get(verdicts.replied) {
            self.pronounce(verdict);
            verdicts.replied = verdicts.replied.saturating_add(1);
        }
        if verdicts.replied == replies {
            self.exchange.answer = None;
            self.delivery_over(verdicts.places.iter().flatten());
        } else {
            self.phase = Phase::Asked(Question::Deliver(verdicts));
        }
    }

    /// The rest of the recipients, or all of them, have been answered for.
    pub(super) fn delivered(&mut self, verdicts: &Verdicts, answer: Answer) {
        let rest = match answer {
            Answer::Reject(rejection) => Err(rejection),
            Answer::Accept(text) => Ok(text),
            _ => Ok(None),
        };
        for place in verdicts.replied..self.replies() {
            let settled = verdicts.places.get(place).and_then(Option::as_ref);
            self.pronounce(settled.unwrap_or(&rest));
        }
        self.delivery_over(verdicts.places.iter().flatten().chain([&rest]));
    }

    fn pronounce(&mut self, verdict: &Verdict) {
        match verdict {
            // A client hears nothing behind 421, and would send again to those who come behind it.
            Err(rejection) if is_last_word(rejection) && self.replies() > 1 => {
                self.reply(Rejection::LOCAL_ERROR.reply());
            }
            Err(rejection) => self.reply(rejection.reply()),
            Ok(None) => self.reply(&replies::ACCEPTED),
            Ok(Some(text)) => self.reply(&replies::ACCEPTED.with_text(text.as_borrowed())),
        }
    }

    fn delivery_over<'v>(&mut self, verdicts: impl Iterator<Item = &'v Verdict> + Clone) {
        if verdicts.clone().any(Result::is_ok) {
            self.totals.messages = self.totals.messages.saturating_add(1);
            self.budget.forgive();
        }
        let fault =
            if verdicts.clone().any(Result::is_ok) { Fault::None } else { Fault::NoProgress };
        // It has been replied to: what is left of a penalty is the end.
        let penalty = self.budget.charge(fault, self.config.limits(), self.config.timeouts());
        let last_word =
            verdicts.filter_map(|verdict| verdict.as_ref().err()).find(|said| is_last_word(said));
        let is_said = self.replies() == 1;
        self.facts.end_transaction();
        match last_word {
            Some(_) if is_said => self.phase = Phase::Farewell(End::Refused),
            Some(rejection) => self.end(rejection.reply(), End::Refused),
            None if penalty == Penalty::Close => {
                self.end(replies::TOO_MANY_ERRORS.reply(), End::TooManyErrors);
            }
            None => self.phase = Phase::Command,
        }
    }
}

/// 421 closes the session, whoever says it (RFC 5321 section 3.8).
pub(super) fn is_last_word(rejection: &Rejection) -> bool {
    rejection.code() == Code::NOT_AVAILABLE
}
