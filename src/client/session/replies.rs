//! The replies: each meets its command here.

use super::{Phase, Session, Work};
use crate::{
    client::{
        config::Config,
        error::{End, ProtocolError},
        facts::Facts,
        in_flight::{InFlight, RecipientEvents, Step},
        outgoing::Framing,
        queue::Expected,
    },
    syntax::{Class, Code, Reply, ReplyError, Verb},
};
use alloc::sync::Arc;

/// A whole reply and its length in octets; `None` for one of which the success alone counts.
type Received = (Option<Arc<Reply<'static>>>, usize);

impl Session {
    /// Returns the next whole reply, with its length in octets; `None` in place of a positive one where
    /// success `is_enough` and its text is discarded.
    pub(super) fn next_reply(
        &mut self,
        config: &Config,
        line_limit: usize,
        is_enough: bool,
    ) -> Result<Option<Received>, ProtocolError> {
        let (limits, lenience) = (config.limits(), config.reply_lenience());
        let reader = &mut self.work.get_or_insert_default().reader;
        let single = match self.channel.has_record() {
            false => reader.single_line(self.channel.receive.octets(), limits, line_limit),
            // The lines are shown before they are parsed.
            true => None,
        };
        let (scrubbed, corrected);
        let (reply, length) = match single {
            Some(single) => single,
            None => {
                let received = self.channel.receive.octets();
                let length = match reader.next(received, limits, line_limit, lenience.has_bare_lf())
                {
                    Ok(None) => return Ok(None),
                    Ok(Some(length)) => length,
                    Err(error) => {
                        // The transcript shows what it was, as far as it fits a line.
                        self.channel.malformed_received(limits.reply_line());
                        return Err(error);
                    }
                };
                scrubbed = self.channel.reply_received(length);
                let received = self.channel.receive.octets();
                let octets = match &scrubbed {
                    Some(octets) => octets,
                    None => received.get(..length).unwrap_or_default(),
                };
                corrected = lenience.correct(octets, &mut self.forgiven);
                let octets = corrected.as_deref().unwrap_or(octets);
                match Reply::parse(octets)? {
                    Some((reply, taken)) if taken == octets.len() => (reply, length),
                    _ => return Err(ReplyError::Code.into()),
                }
            }
        };
        let is_discarded = is_enough && reply.class() == Class::Completion;
        let is_refusal = reply.is_transient() || reply.is_permanent();
        let reply = (!is_discarded).then(|| {
            match self.work.as_mut().and_then(|work| work.spare.as_mut()) {
                Some(spare) => spare.reply(&reply),
                None => Arc::new(reply.into_owned()),
            }
        });
        self.channel.receive.consume(length);
        self.channel.end_reading();
        self.counts.replies = self.counts.replies.saturating_add(1);
        self.counts.refusals = self.counts.refusals.saturating_add(u32::from(is_refusal));
        Ok(Some((reply, length)))
    }

    /// Takes a positive reply of which [only the success](Expected::discards_success) counts.
    /// It is `None` where its text was discarded.
    pub(super) fn succeeded(&mut self, reply: Option<&Arc<Reply<'static>>>) {
        match self.work().queue.front() {
            Some(Expected::Mail(_)) => {
                self.with_front(|front, events| front.mail_accepted(reply, events));
            }
            Some(Expected::Rcpt(_, index)) => {
                let index = *index;
                let Work { transactions, recipient_events, .. } =
                    &mut **self.work.get_or_insert_default();
                if let Some(front) = transactions.front_mut() {
                    front.rcpt_accepted(index, reply, recipient_events);
                    self.capacity.take(front.ever_accepted());
                }
            }
            _ => {}
        }
        self.transaction_replied();
    }

    /// Takes any other whole reply of `octets` octets.
    pub(super) fn replied(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>, octets: usize) {
        let Some(expected) = self.work().queue.front().copied() else {
            return self.unsolicited(reply);
        };
        if let (Phase::Quitting(end), Expected::Quit) = (self.position.phase(), expected) {
            let end = End::clone(end);
            return self.end(end);
        }
        // RFC 5321 section 3.8: to any command.
        if reply.code() == Code::NOT_AVAILABLE {
            let refused = facts.take_refused_hello().unwrap_or_else(|| Arc::clone(&reply));
            return self.end_with(End::Refused(refused), Some(&reply));
        }
        if !expected.accepts(reply.code()) {
            let to = expected.verb();
            return self.end(ProtocolError::UnexpectedReply { to, reply }.into());
        }
        let is_kept = is_negative(&reply) || matches!(expected, Expected::End(_));
        if expected.transaction().is_none() {
            self.command_replied(facts, expected, reply);
        } else if is_kept
            && let Some(front) = self.work_mut().transactions.front_mut()
            && !front.keep(octets, facts.limits().report_octets())
        {
            self.end(ProtocolError::TooLong.into());
        } else {
            self.front_replied(facts, expected, reply);
        }
    }

    /// Takes the reply to a command outside transactions.
    fn command_replied(
        &mut self,
        facts: &mut Facts,
        expected: Expected,
        reply: Arc<Reply<'static>>,
    ) {
        self.work_mut().queue.pop_front();
        match expected {
            Expected::Greeting => self.greeted(facts, reply),
            Expected::Hello(verb) => self.hello_replied(facts, verb, reply),
            Expected::StartTls => self.start_tls_replied(facts, reply),
            Expected::Auth => self.auth_replied(facts, reply),
            Expected::Xclient => self.xclient_replied(facts, reply),
            Expected::Atrn => {
                let is_accepted = !is_negative(&reply);
                facts.replied(Verb::Atrn, reply);
                self.position.enter(match is_accepted {
                    true => Phase::HandingOver,
                    false => Phase::Refused,
                });
            }
            Expected::Single(verb) => {
                let is_refused = is_negative(&reply);
                self.needs_reset |= verb == Verb::Rset && is_refused;
                facts.replied(verb, reply);
                self.position.advance(|phase| match phase {
                    _ if is_refused => (Phase::Refused, ()),
                    Phase::Asked(Some(next)) => (Phase::Asking(next), ()),
                    _ => (Phase::Ready, ()),
                });
            }
            // The reply to QUIT has ended the session, that to RSET before a command is positive, and the
            // others belong to a transaction.
            Expected::Quit
            | Expected::Clearing
            | Expected::Reset(_)
            | Expected::Mail(_)
            | Expected::Rcpt(..)
            | Expected::Data(_)
            | Expected::Chunk(..)
            | Expected::Url(_)
            | Expected::End(_) => {}
        }
    }

    /// Takes the reply to a command of the front transaction, besides those whose success alone counts.
    fn front_replied(&mut self, facts: &Facts, expected: Expected, reply: Arc<Reply<'static>>) {
        match expected {
            _ if self.work().transactions.front().is_some_and(InFlight::is_repeated) => {
                self.repeated_replied(expected, reply);
            }
            Expected::Mail(_) | Expected::Rcpt(..) if reply.is_positive() => {
                self.succeeded(Some(&reply));
            }
            Expected::Mail(_) if self.is_out_of_order(&reply) => self.transaction_replied(),
            Expected::Mail(_) => {
                self.with_front(|front, events| front.mail_refused(&reply, events));
                self.transaction_replied();
            }
            Expected::Rcpt(_, index) => {
                let Work { transactions, recipient_events, .. } =
                    &mut **self.work.get_or_insert_default();
                if let Some(front) = transactions.front_mut()
                    && let Some(most) = front.rcpt_refused(index, &reply, recipient_events)
                {
                    self.capacity.limit(most);
                }
                self.transaction_replied();
            }
            Expected::Data(_) if is_negative(&reply) => {
                self.with_front(|front, events| front.content_replied(&reply, events));
                self.withdraw_content();
                self.transaction_replied();
            }
            Expected::Data(_) => {
                self.transaction_replied();
                self.data_accepted(facts, reply);
            }
            Expected::Chunk(..) | Expected::Url(_) => {
                self.with_front(|front, events| front.chunk_refused(&reply, events));
                self.transaction_replied();
            }
            Expected::End(_) => self.content_replied(facts, &reply),
            _ => {}
        }
    }

    /// Returns whether the server refuses MAIL for its place after content whose reply was due. Some
    /// servers do, though RFC 2920 section 3.1 allows it: they suspect that the end of the content is a
    /// forged one. Nothing else is sent before the reply to content in this session.
    fn is_out_of_order(&mut self, reply: &Reply<'_>) -> bool {
        let is_newest = self.work().transactions.len() == 1;
        let is_refused = reply.code() == Code::BAD_SEQUENCE
            && is_newest
            && matches!(self.position.phase(), Phase::Envelope)
            && self.work_mut().transactions.front_mut().is_some_and(InFlight::is_out_of_order);
        self.capacity.is_content_alone |= is_refused;
        is_refused
    }

    /// Takes the reply to a command after a MAIL that is sent again. A server that accepts it has begun
    /// a transaction without MAIL: what it would do with content is not known.
    fn repeated_replied(&mut self, expected: Expected, reply: Arc<Reply<'static>>) {
        if !is_negative(&reply) {
            let to = expected.verb();
            return self.end(ProtocolError::UnexpectedReply { to, reply }.into());
        }
        self.transaction_replied();
    }

    /// Takes a reply that answers no command. 421 may come at any time (RFC 5321 section 3.8), and a
    /// negative reply while content is being sent counts as one: the server has accepted nothing.
    fn unsolicited(&mut self, reply: Arc<Reply<'static>>) {
        let is_content = matches!(self.position.phase(), Phase::Content(_) | Phase::Ending(_));
        if reply.code() == Code::NOT_AVAILABLE || is_content && is_negative(&reply) {
            self.end_with(End::Refused(Arc::clone(&reply)), Some(&reply));
        } else {
            self.end(ProtocolError::UnsolicitedReply(reply).into());
        }
    }

    /// Takes the positive reply to DATA (354): the content may follow.
    fn data_accepted(&mut self, facts: &Facts, reply: Arc<Reply<'static>>) {
        let Some(work) = &mut self.work else { return };
        let Some(newest) = work.transactions.back_mut() else { return };
        if newest.accepted() > 0 && newest.is_mail_accepted() {
            let content = newest.begin_content(work.spare.get_or_insert_default());
            return self.position.enter(Phase::Content(content));
        }
        // RFC 2920 section 3.1: without a recipient, a single dot. In LMTP its replies cannot be
        // counted (RFC 2033 section 4.2), and after a rejected MAIL whose recipients the server
        // claims to have accepted it would be a message: there only closing is safe.
        if facts.config.service().replies_per_recipient() || newest.accepted() > 0 {
            let to = Some(Verb::Data);
            return self.end(ProtocolError::UnexpectedReply { to, reply }.into());
        }
        newest.step = Step::Over;
        self.position.enter(Phase::Ready);
        self.channel.send().text().extend_from_slice(b".\r\n");
        self.sent_dot(0);
    }

    /// Takes the reply to the content, or in LMTP to the content for one recipient.
    fn content_replied(&mut self, facts: &Facts, reply: &Arc<Reply<'static>>) {
        let is_for_one = facts.config.service().replies_per_recipient();
        let Work { transactions, recipient_events, .. } = &mut **self.work.get_or_insert_default();
        let is_newest = transactions.len() == 1;
        let Some(front) = transactions.front_mut() else { return };
        if is_for_one && front.has_further_replies(reply, recipient_events) {
            return;
        }
        if is_newest && front.framing == Framing::Chunks && reply.is_positive() {
            self.needs_reset = false;
        }
        front.content_replied(reply, recipient_events);
        self.transaction_replied();
    }

    fn with_front(&mut self, act: impl FnOnce(&mut InFlight, &mut RecipientEvents)) {
        let Work { transactions, recipient_events, .. } = self.work_mut();
        if let Some(front) = transactions.front_mut() {
            act(front, recipient_events);
        }
    }

    /// Counts the reply to the first command that waits, one of the front transaction.
    fn transaction_replied(&mut self) {
        let is_sending = matches!(self.position.phase(), Phase::Content(_) | Phase::Ending(_));
        let work = self.work_mut();
        work.queue.pop_front();
        let is_newest = work.transactions.len() == 1;
        let Some(front) = work.transactions.front_mut() else { return };
        front.awaiting = front.awaiting.saturating_sub(1);
        if front.awaiting == 0 && front.is_repeated() && front.step != Step::Over {
            return front.repeat();
        }
        if is_newest && is_sending && front.is_dead() {
            // No recipient is left for which a chunk could be sent.
            self.withdraw_content();
        } else {
            self.settle();
        }
    }
}

/// Returns whether the reply is 4yz or 5yz.
pub(super) fn is_negative(reply: &Reply<'_>) -> bool {
    reply.is_transient() || reply.is_permanent()
}
