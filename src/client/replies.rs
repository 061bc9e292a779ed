//! What each reply means: the one place where a reply meets its command.

use super::{
    commands::Ask,
    content::{Framing, Outgoing},
    error::{End, ProtocolError},
    queue::Expected,
    state::{Core, Facts, Phase, Slate},
    transaction::{Capacity, News, Step, Underway},
};
use crate::syntax::{Class, Code, Extension, Extensions, Reply, Verb};
use alloc::sync::Arc;

impl Core {
    /// A reply that says yes has come where that [is enough](Expected::is_yes_enough).
    pub(super) fn agreed(&mut self) {
        match self.queue.front() {
            Some(Expected::Mail(_)) => {
                if let Some(front) = self.underway.front_mut() {
                    front.mail_accepted();
                }
            }
            Some(Expected::Rcpt(_, index)) => {
                let index = *index;
                if let Some(front) = self.underway.front_mut() {
                    front.rcpt_accepted(index);
                    self.capacity.taken = self.capacity.taken.max(front.ever_accepted());
                }
            }
            _ => {}
        }
        self.answered();
    }

    /// Any other whole reply, of so many octets, has come.
    pub(super) fn replied(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>, octets: usize) {
        let Some(expected) = self.queue.front().copied() else { return self.unasked(reply) };
        let class = reply.code().class();
        if let (Phase::Quitting(end), Expected::Quit) = (&self.phase, expected) {
            let end = end.clone();
            return self.over(end);
        }
        // RFC 5321 section 3.8: to any command.
        if reply.code() == Code::NOT_AVAILABLE {
            let refused = facts.refused_hello.take().unwrap_or_else(|| Arc::clone(&reply));
            return self.over_by(End::Refused(refused), Some(&reply));
        }
        let belongs = match expected {
            Expected::Greeting | Expected::Xclient => {
                is_negative(class) || is_as_good_as(reply.code(), Code::SERVICE_READY)
            }
            // Sent between MAIL and another transaction, it must not fail.
            Expected::Reset(_) => false,
            Expected::Clearing => class == Class::Completion,
            Expected::Auth => {
                is_negative(class)
                    || matches!(reply.code(), Code::AUTHENTICATED | Code::AUTH_CHALLENGE)
            }
            Expected::Turn => is_negative(class) || is_as_good_as(reply.code(), Code::OK),
            Expected::Data(_) => {
                is_negative(class) || is_as_good_as(reply.code(), Code::START_MAIL_INPUT)
            }
            _ => class != Class::Intermediate,
        };
        if !belongs {
            let to = expected.verb();
            return self.over(ProtocolError::UnexpectedReply { to, reply }.into());
        }
        let is_kept = is_negative(class) || matches!(expected, Expected::End(_));
        if is_kept
            && expected.transaction().is_some()
            && let Some(front) = self.underway.front_mut()
            && !front.keep(octets, facts.limits().report_octets)
        {
            return self.over(ProtocolError::TooLong.into());
        }
        match expected {
            Expected::Greeting => {
                self.queue.pop_front();
                let next = if is_negative(class) {
                    // RFC 5321 section 3.1: QUIT is all that is left.
                    Ask::Quit(End::Refused(Arc::clone(&reply)))
                } else {
                    Ask::Hello(facts.config.service().hello())
                };
                facts.greeting = Some(reply);
                self.phase = Phase::Asking(next);
            }
            Expected::Hello(verb) => {
                self.queue.pop_front();
                self.greeted(facts, verb, reply);
            }
            Expected::StartTls => self.start_tls_replied(facts, reply),
            Expected::Auth => self.auth_replied(facts, reply),
            Expected::Clearing => {
                self.queue.pop_front();
            }
            Expected::Xclient => self.spoken_for(facts, reply),
            Expected::Turn => {
                self.queue.pop_front();
                self.phase = if is_negative(class) { Phase::Refused } else { Phase::HandingOver };
                facts.last = Some((Verb::Atrn, reply));
            }
            Expected::Single(verb) => {
                self.queue.pop_front();
                self.phase = match core::mem::replace(&mut self.phase, Phase::Ready) {
                    _ if is_negative(class) => Phase::Refused,
                    Phase::Asked(Some(next)) => Phase::Asking(next),
                    _ => Phase::Ready,
                };
                if verb == Verb::Rset && is_negative(class) {
                    self.slate = Slate::Used;
                }
                facts.last = Some((verb, reply));
            }
            Expected::Quit => {}     // above
            Expected::Reset(_) => {} // above
            Expected::Mail(_) => {
                self.front(|front, news| front.mail_refused(&reply, news));
                self.answered();
            }
            Expected::Rcpt(_, index) => {
                if let Some(front) = self.underway.front_mut()
                    && let Some(most) = front.rcpt_refused(index, &reply, &mut self.answers)
                {
                    self.capacity.most = self.capacity.most.min(most);
                }
                self.answered();
            }
            Expected::Data(_) if is_negative(class) => {
                self.front(|front, news| front.content_replied(&reply, news));
                self.withdraw_content();
                self.answered();
            }
            Expected::Data(_) => {
                self.answered();
                self.invited(facts, reply);
            }
            Expected::Chunk(..) | Expected::Url(_) => {
                self.front(|front, news| front.chunk_refused(&reply, news));
                self.answered();
            }
            Expected::End(_) => self.content_answered(facts, &reply),
        }
    }

    /// A reply that nothing was asked for. 421 may come at any time (RFC 5321 section 3.8), and
    /// a refusal while content is being sent is as good as one: nothing was taken.
    fn unasked(&mut self, reply: Arc<Reply<'static>>) {
        let is_content = matches!(self.phase, Phase::Content(_) | Phase::Ending(..));
        if reply.code() == Code::NOT_AVAILABLE || is_content && is_negative(reply.code().class()) {
            self.over_by(End::Refused(Arc::clone(&reply)), Some(&reply));
        } else {
            self.over(ProtocolError::UnaskedReply(reply).into());
        }
    }

    /// The reply to EHLO, LHLO or HELO.
    fn greeted(&mut self, facts: &mut Facts, verb: Verb, reply: Arc<Reply<'static>>) {
        if reply.is_positive() {
            facts.offered = if verb == Verb::Helo {
                Extensions::NONE
            } else {
                let unused = facts.config.unused().iter();
                unused.fold(Extensions::parse(&reply), |all, one| all.without(*one))
            };
            // STARTTLS has no meaning inside TLS (RFC 3207 section 4.2), and REQUIRETLS none
            // outside (RFC 8689 section 3).
            let useless =
                if facts.security.is_tls() { Extension::StartTls } else { Extension::RequireTls };
            // A transaction that is taken up again begins in the middle of its content (RFC 1845
            // section 4), and this client begins at the beginning only.
            facts.offered =
                core::mem::take(&mut facts.offered).without(useless).without(Extension::Checkpoint);
            facts.hello = Some(verb);
            facts.refused_hello = None;
            facts.last = Some((verb, reply));
            self.phase = Self::opened(facts);
        } else if verb == Verb::Ehlo && facts.may_try_helo(reply.code()) {
            facts.refused_hello = Some(reply);
            self.phase = Phase::Asking(Ask::Hello(Verb::Helo));
        } else {
            let reply = facts.refused_hello.take().unwrap_or(reply);
            self.phase = Phase::Asking(Ask::Quit(End::Refused(reply)));
        }
    }

    /// XCLIENT was answered. With 220 the session is another's and begins anew; what was said of
    /// TLS stays true, and nobody has authenticated in it (XCLIENT_README).
    fn spoken_for(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>) {
        self.queue.pop_front();
        let phase = core::mem::replace(&mut self.phase, Phase::Refused);
        if is_negative(reply.code().class()) {
            facts.last = Some((Verb::Xclient, reply));
            return;
        }
        facts.forget();
        self.capacity = Capacity::UNKNOWN;
        facts.greeting = Some(reply);
        self.phase = match phase {
            Phase::Asked(Some(further)) => Phase::Asking(further),
            _ => Phase::Asking(Ask::Hello(facts.config.service().hello())),
        };
    }

    /// 354: the content may come.
    fn invited(&mut self, facts: &Facts, reply: Arc<Reply<'static>>) {
        let Some(newest) = self.underway.back_mut() else { return };
        if newest.accepted() > 0 && newest.is_mail_accepted() {
            self.phase = Phase::Content(Outgoing::new(newest.framing, newest.allowed));
            return;
        }
        // RFC 2920 section 3.1: without a recipient, a single dot. In LMTP its reply cannot be
        // counted (RFC 2033 section 4.2), and behind a refused MAIL with recipients that the
        // server says to have accepted it would be a message: there only closing is safe.
        if facts.config.service().replies_per_recipient() || newest.accepted() > 0 {
            let to = Some(Verb::Data);
            return self.over(ProtocolError::UnexpectedReply { to, reply }.into());
        }
        newest.step = Step::Over;
        self.phase = Phase::Ready;
        self.dot(0, b".\r\n");
    }

    /// The reply to the content, or to the content for one recipient.
    fn content_answered(&mut self, facts: &Facts, reply: &Arc<Reply<'static>>) {
        let is_newest = self.underway.len() == 1;
        let is_for_one = facts.config.service().replies_per_recipient();
        let Some(front) = self.underway.front_mut() else { return };
        if is_for_one && front.has_further_replies(reply, &mut self.answers) {
            return;
        }
        if is_newest && front.framing == Framing::Chunks && reply.is_positive() {
            self.slate = Slate::Clean;
        }
        front.content_replied(reply, &mut self.answers);
        self.answered();
    }

    fn front(&mut self, tell: impl FnOnce(&mut Underway, &mut News)) {
        if let Some(front) = self.underway.front_mut() {
            tell(front, &mut self.answers);
        }
    }

    /// The reply that was owed first has come, to a command of the front transaction.
    fn answered(&mut self) {
        self.queue.pop_front();
        let is_newest = self.underway.len() == 1;
        let Some(front) = self.underway.front_mut() else { return };
        front.awaiting = front.awaiting.saturating_sub(1);
        let is_sending = matches!(self.phase, Phase::Content(_) | Phase::Ending(..));
        if is_newest && is_sending && front.is_dead() {
            // Nobody is left for whom a chunk could be sent.
            self.withdraw_content();
        } else {
            self.settle();
        }
    }
}

/// `code` is the one that is asked for, or has its first digit and no meaning of its own: a code
/// that no standard has is read by its first digit only (RFC 5321 section 4.2).
fn is_as_good_as(code: Code, wanted: Code) -> bool {
    code == wanted || code.class() == wanted.class() && !Code::NAMED.contains(&code)
}

const fn is_negative(class: Class) -> bool {
    matches!(class, Class::Transient | Class::Permanent)
}
