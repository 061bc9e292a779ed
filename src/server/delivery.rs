//! The verdicts on a whole message: one reply, or one for each recipient (RFC 2033 section 4.2).

use super::acceptance::Accepted;
use crate::syntax::{Code, Rejection};
use alloc::vec::Vec;

/// Whether a message was stored, and the reply.
pub(super) type Verdict = Result<Accepted, Rejection>;

/// The answers for single recipients of a message, and how many of them were replied to.
///
/// It outlives a message, so that the next one does not allocate.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// A place for each recipient, once one of them is settled; `None` is still open.
    places: Vec<Option<Verdict>>,
    /// The number of replies sent.
    replied: usize,
}

/// A verdict whose reply is due.
#[derive(Debug)]
pub(super) enum Due<'v> {
    Accepted(&'v Accepted),
    Rejected(&'v Rejection),
}

/// The sum of all verdicts on a message.
#[derive(Debug)]
pub(super) struct Outcome {
    /// At least one recipient has the message.
    pub(super) is_accepted: bool,
    /// The first 421 among the verdicts.
    pub(super) last_word: Option<Rejection>,
}

impl Verdicts {
    /// No verdicts.
    pub(super) const NONE: Self = Self { places: Vec::new(), replied: 0 };

    /// Settles one of `recipients`; only the first verdict on a recipient counts.
    pub(super) fn settle(&mut self, recipient: usize, recipients: usize, verdict: Verdict) {
        self.places.resize(recipients, None);
        if let Some(place @ None) = self.places.get_mut(recipient) {
            *place = Some(verdict);
        }
    }

    /// Returns whether this recipient is settled.
    pub(super) fn is_settled(&self, recipient: usize) -> bool {
        self.places.get(recipient).is_some_and(Option::is_some)
    }

    /// Returns whether the next reply is due: its recipient is settled.
    pub(super) fn is_any_due(&self) -> bool {
        self.is_settled(self.replied)
    }

    /// Returns whether all of this many replies were sent.
    pub(super) const fn is_complete(&self, replies: usize) -> bool {
        self.replied >= replies
    }

    /// Returns the next verdict whose reply is due, of this many `replies` in the order of RCPT. `rest` is
    /// the verdict on the recipients that are not settled.
    pub(super) fn next_due<'v>(
        &'v mut self,
        replies: usize,
        rest: Option<&'v Verdict>,
    ) -> Option<Due<'v>> {
        if self.replied >= replies {
            return None;
        }
        let settled = self.places.get(self.replied).and_then(Option::as_ref);
        let verdict = settled.or(rest)?;
        self.replied = self.replied.saturating_add(1);
        Some(match verdict {
            // A client reads nothing after 421, and would send again to the recipients after it.
            Err(rejection) if is_last_word(rejection) && replies > 1 => {
                Due::Rejected(const { &Rejection::LOCAL_ERROR })
            }
            Err(rejection) => Due::Rejected(rejection),
            Ok(accepted) => Due::Accepted(accepted),
        })
    }

    /// Returns the sum of the verdicts, and forgets them: the next message begins anew.
    pub(super) fn conclude(&mut self, rest: Option<&Verdict>) -> Outcome {
        let verdicts = self.places.iter().flatten().chain(rest);
        let outcome = Outcome {
            is_accepted: verdicts.clone().any(Result::is_ok),
            last_word: verdicts
                .filter_map(|verdict| verdict.as_ref().err())
                .find(|rejection| is_last_word(rejection))
                .cloned(),
        };
        self.places.clear();
        self.replied = 0;
        outcome
    }
}

/// Returns whether a rejection closes the session by its code (421, RFC 5321 section 3.8).
pub(super) fn is_last_word(rejection: &Rejection) -> bool {
    rejection.code() == Code::NOT_AVAILABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(verdicts: &mut Verdicts, replies: usize, rest: Option<&Verdict>) -> Vec<u16> {
        let mut codes = Vec::new();
        while let Some(due) = verdicts.next_due(replies, rest) {
            codes.push(match due {
                Due::Accepted(_) => 250,
                Due::Rejected(rejection) => rejection.code().get(),
            });
        }
        codes
    }

    // 2033-4.2-b: one reply for each recipient, in the order of RCPT.
    #[test]
    fn replies_are_due_in_the_order_of_rcpt() {
        let mut verdicts = Verdicts::default();
        verdicts.settle(2, 3, Err(Rejection::MAILBOX_FULL));
        assert!(!verdicts.is_any_due());
        assert!(codes(&mut verdicts, 3, None).is_empty());
        verdicts.settle(0, 3, Ok(Accepted::Default));
        verdicts.settle(0, 3, Err(Rejection::POLICY));
        verdicts.settle(3, 3, Ok(Accepted::Default));
        assert_eq!(codes(&mut verdicts, 3, None), [250]);
        let rest = Err(Rejection::POLICY);
        assert_eq!(codes(&mut verdicts, 3, Some(&rest)), [550, 452]);
        assert!(verdicts.is_complete(3));
        assert!(verdicts.conclude(Some(&rest)).is_accepted);
        assert!(!verdicts.is_settled(0));
    }

    // RFC 5321 section 3.8: a client reads nothing after 421.
    #[test]
    fn a_421_for_one_of_several_recipients_is_said_last() {
        let mut verdicts = Verdicts::default();
        let rest = Err(Rejection::SHUTTING_DOWN);
        assert_eq!(codes(&mut verdicts, 2, Some(&rest)), [451, 451]);
        assert_eq!(verdicts.conclude(Some(&rest)).last_word, rest.err());
        let rest = Err(Rejection::SHUTTING_DOWN);
        assert_eq!(codes(&mut verdicts, 1, Some(&rest)), [421]);
    }
}
