//! One transaction: what may be sent of it, and what became of its recipients.

use super::{
    content::{Allowed, Framing},
    plan::Plan,
    report::{Outcome, Report},
};
use crate::{
    envelope::Envelope,
    syntax::{Command, Parameters, Reply, Retry, Verb},
};
use alloc::{sync::Arc, vec::Vec};

/// Tells the transactions of a session apart: the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transaction(pub(super) u64);

impl Transaction {
    /// How many transactions of the session were begun before this one.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// How far the sending of a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// RSET comes before MAIL, for the server may still hold an earlier transaction.
    Reset,
    Mail,
    /// RCPT of the recipient at this place.
    Rcpt(usize),
    /// DATA, or the first chunk.
    Content,
    /// DATA was sent, or content is being sent.
    UnderWay,
    /// Nothing more will be sent.
    Over,
}

/// What the server said to MAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mail {
    Open,
    Accepted,
    Refused,
}

/// What is known of a recipient.
#[derive(Clone, Debug)]
enum Fate {
    /// RCPT was not answered.
    Open,
    /// It is for a further transaction, as the server takes no more in one.
    Beyond,
    /// RCPT was accepted: the reply to the content will tell.
    Accepted,
    /// This is what became of it, and whether the application has been told.
    Answered { reply: Arc<Reply<'static>>, to: Verb, is_told: bool },
}

impl Fate {
    fn answered(reply: &Arc<Reply<'static>>, to: Verb) -> Self {
        Self::Answered { reply: Arc::clone(reply), to, is_told: false }
    }
}

/// What the server has said for one recipient, before the transaction has come to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) transaction: Transaction,
    /// The recipient's place in the envelope.
    pub(super) index: usize,
    pub(super) reply: Arc<Reply<'static>>,
}

/// A transaction that was begun and has no report yet.
#[derive(Debug)]
pub(super) struct Underway {
    pub(super) transaction: Transaction,
    pub(super) framing: Framing,
    pub(super) allowed: Allowed,
    pub(super) step: Step,
    /// How many of its commands wait for their replies.
    pub(super) awaiting: usize,
    /// Whether a part of its content is at a URL.
    pub(super) has_url: bool,
    /// Where in the octets sent in this session the content has its end, once that is written.
    pub(super) content_end: Option<u64>,
    envelope: Arc<Envelope>,
    parameters: Parameters<'static>,
    mail: Mail,
    fates: Vec<Fate>,
    /// Octets of the replies that are kept.
    kept: usize,
    /// For so many recipients content was refused in the middle.
    refused: usize,
}

impl Underway {
    pub(super) fn new(
        transaction: Transaction,
        envelope: Arc<Envelope>,
        plan: Plan,
        first: Step,
    ) -> Self {
        Self {
            transaction,
            framing: plan.framing,
            allowed: plan.allowed,
            step: first,
            awaiting: 0,
            has_url: false,
            content_end: None,
            fates: plan
                .is_beyond
                .iter()
                .map(|is_beyond| if *is_beyond { Fate::Beyond } else { Fate::Open })
                .collect(),
            envelope,
            parameters: plan.parameters,
            mail: Mail::Open,
            kept: 0,
            refused: 0,
        }
    }

    /// MAIL.
    pub(super) fn mail(&self) -> Command<'_> {
        Command::Mail {
            reverse_path: self.envelope.reverse_path().as_borrowed(),
            parameters: self.parameters.as_borrowed(),
        }
    }

    /// The first recipient for this transaction at this place or behind it.
    pub(super) fn next_recipient(&self, index: usize) -> usize {
        let rest = self.fates.get(index..).unwrap_or_default();
        index + rest.iter().take_while(|fate| matches!(fate, Fate::Beyond)).count()
    }

    /// RCPT; `None` behind the last recipient.
    pub(super) fn rcpt(&self, index: usize) -> Option<Command<'_>> {
        self.envelope.recipient(index).map(|(path, parameters)| Command::Rcpt {
            forward_path: path.as_borrowed(),
            parameters: parameters.as_borrowed(),
        })
    }

    pub(super) const fn mail_accepted(&mut self) {
        self.mail = Mail::Accepted;
    }

    /// The refusal is every recipient's, for nobody can be accepted behind it.
    pub(super) fn mail_refused(&mut self, reply: &Arc<Reply<'static>>) {
        self.mail = Mail::Refused;
        for fate in &mut self.fates {
            *fate = Fate::answered(reply, Verb::Mail);
        }
    }

    pub(super) fn rcpt_accepted(&mut self, index: usize) {
        if let Some(fate @ Fate::Open) = self.fates.get_mut(index) {
            *fate = Fate::Accepted;
        }
    }

    pub(super) fn rcpt_refused(&mut self, index: usize, reply: &Arc<Reply<'static>>) {
        if let Some(fate @ Fate::Open) = self.fates.get_mut(index) {
            *fate = Fate::answered(reply, Verb::Rcpt);
        }
    }

    /// DATA, a chunk or the content was answered, for every recipient that was accepted.
    pub(super) fn content_replied(&mut self, reply: &Arc<Reply<'static>>) {
        for fate in &mut self.fates {
            if matches!(fate, Fate::Accepted) {
                *fate = Fate::answered(reply, Verb::Data);
            }
        }
    }

    /// A chunk was refused, and with it the content. Where each recipient has a reply to the last
    /// chunk, that one is still answered as often (RFC 2033 section 4.3).
    pub(super) fn chunk_refused(&mut self, reply: &Arc<Reply<'static>>) {
        self.refused = self.refused.saturating_add(self.accepted());
        self.content_replied(reply);
    }

    /// The content was answered for the next recipient that was accepted (RFC 2033 section 4.2);
    /// `false` when it is the last one's, which is not counted here.
    pub(super) fn has_further_replies(&mut self, reply: &Arc<Reply<'static>>) -> bool {
        if self.accepted() <= 1 {
            self.refused = self.refused.saturating_sub(1);
            return self.refused > 0;
        }
        if let Some(fate) = self.fates.iter_mut().find(|fate| matches!(fate, Fate::Accepted)) {
            *fate = Fate::answered(reply, Verb::Data);
        }
        true
    }

    /// Those who were answered since this was asked last.
    pub(super) fn untold(&mut self, mut tell: impl FnMut(Answer)) {
        for (index, fate) in self.fates.iter_mut().enumerate() {
            if let Fate::Answered { reply, is_told: is_told @ false, .. } = fate {
                *is_told = true;
                let (transaction, reply) = (self.transaction, Arc::clone(reply));
                tell(Answer { transaction, index, reply });
            }
        }
    }

    /// A reply to it is kept for the report; `false` when the replies grow beyond `limit`, to
    /// which each recipient adds a line of the RFC's length (RFC 5321 section 4.5.3.1.5).
    pub(super) fn keep(&mut self, octets: usize, limit: usize) -> bool {
        self.kept = self.kept.saturating_add(octets);
        self.kept <= limit.saturating_add(self.fates.len().saturating_mul(512))
    }

    pub(super) fn is_mail_accepted(&self) -> bool {
        self.mail == Mail::Accepted
    }

    /// How many recipients wait for the reply to the content.
    pub(super) fn accepted(&self) -> usize {
        self.fates.iter().filter(|fate| matches!(fate, Fate::Accepted)).count()
    }

    /// Whether every recipient that is left was answered, and one at least was accepted.
    pub(super) fn may_have_content(&self) -> bool {
        self.accepted() > 0 && !self.fates.iter().any(|fate| matches!(fate, Fate::Open))
    }

    /// Whether no recipient is left for whom content could be sent.
    pub(super) fn is_dead(&self) -> bool {
        self.fates.iter().all(|fate| matches!(fate, Fate::Answered { .. } | Fate::Beyond))
    }

    /// Whether the report can be made.
    pub(super) fn is_complete(&self) -> bool {
        self.step == Step::Over && self.awaiting == 0
    }

    /// The report. `sent`: octets that have left in this session, which tells those of whom the
    /// server may have heard the end from those of whom it cannot; `last`: the reply that ended
    /// the session, for whoever has none.
    pub(super) fn report(self, sent: u64, last: Option<&Arc<Reply<'static>>>) -> Report {
        let is_limited = self
            .fates
            .iter()
            .any(|fate| matches!(fate, Fate::Accepted | Fate::Answered { to: Verb::Data, .. }));
        let is_ended = self.content_end.is_some_and(|end| sent >= end);
        let outcomes = self.fates.into_iter().map(|fate| match (fate, last) {
            (Fate::Answered { reply, to, .. }, _) => {
                let retry = match reply.retry() {
                    // What counts recipients, or means the content (RFC 5321 section 4.5.3.1.10).
                    Retry::NextTransaction if to == Verb::Rcpt && is_limited => {
                        Retry::NextTransaction
                    }
                    Retry::NextTransaction if to == Verb::Rcpt || reply.is_transient() => {
                        Retry::Later
                    }
                    Retry::NextTransaction => Retry::Never,
                    other => other,
                };
                (Outcome::Replied(reply), retry)
            }
            (Fate::Open | Fate::Accepted, Some(last)) => {
                (Outcome::Replied(Arc::clone(last)), last.retry())
            }
            (Fate::Open | Fate::Accepted, None) if is_ended => (Outcome::Unknown, Retry::Later),
            (Fate::Beyond, _) | (Fate::Open | Fate::Accepted, None) => {
                (Outcome::Untried, Retry::NextTransaction)
            }
        });
        Report::new(self.transaction, self.envelope, outcomes.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{Config, MessageFacts},
        security::Security,
        syntax::Extensions,
    };

    fn reply(line: &[u8]) -> Arc<Reply<'static>> {
        let (reply, _) = Reply::parse(line).unwrap().unwrap();
        Arc::new(reply.into_owned())
    }

    /// RFC 5321 section 4.5.3.1.10.
    #[test]
    fn what_may_help_depends_on_the_command_that_was_answered() {
        let config = Config::new("me.example.org").unwrap();
        let to = ["a@example.net", "b@example.net", "c@example.net"];
        let report = |rcpt: [&[u8]; 3], data: &[u8]| {
            let envelope = Envelope::new("", &to).unwrap();
            let plan = Plan::new(
                &envelope,
                &MessageFacts::UNKNOWN,
                &Extensions::NONE,
                &Security::CLEAR,
                &config,
            )
            .unwrap();
            let mut underway = Underway::new(Transaction(0), Arc::new(envelope), plan, Step::Over);
            underway.mail_accepted();
            for (index, line) in rcpt.into_iter().enumerate() {
                let reply = reply(line);
                match reply.is_positive() {
                    true => underway.rcpt_accepted(index),
                    false => underway.rcpt_refused(index, &reply),
                }
            }
            underway.content_replied(&reply(data));
            let report = underway.report(0, None);
            [0, 1, 2].map(|index| report.retry(index).unwrap())
        };
        let ok = b"250 ok\r\n";
        assert_eq!(
            report([ok, b"452 x\r\n", b"552 x\r\n"], ok),
            [Retry::Unneeded, Retry::NextTransaction, Retry::NextTransaction]
        );
        assert_eq!(
            report([b"552 x\r\n", b"452 x\r\n", b"550 x\r\n"], ok),
            [Retry::Later, Retry::Later, Retry::Never]
        );
        assert_eq!(
            report([ok, b"452 4.2.2 full\r\n", ok], b"552 too large\r\n"),
            [Retry::Never, Retry::Later, Retry::Never]
        );
        assert_eq!(report([ok, ok, ok], b"452 no room\r\n"), [Retry::Later; 3]);
    }
}
