//! The session: what it sends and reads, and how it goes from phase to phase.

mod auth;
mod deadlines;
mod greeting;
mod phase;
mod replies;
mod sending;

pub(super) use phase::{Phase, Position, Question};

use super::{
    config::Config,
    error::{End, ProtocolError},
    facts::Facts,
    in_flight::{Capacity, Ending, InFlight, RecipientEvents, Spare, Step, Told},
    lenience::ReplyLenience,
    outgoing::Framing,
    plan::Plan,
    queue::{Expected, Queue, ReplyReader},
    report::{Counts, Report, Totals, TransactionNumber},
};
use crate::{
    channel::Channel,
    envelope::Envelope,
    machine::Need,
    syntax::{AuthResponse, Reply},
    time::{Instant, TransferTime},
    transcript::{Entry, Side},
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc};
use bytes::Bytes;
use deadlines::TimedOut;

/// Everything of a session that changes, besides the [`Facts`].
#[derive(Debug)]
pub(super) struct Session {
    pub(super) position: Position,
    pub(super) channel: Channel,
    /// The deviations from the grammar that were met in replies.
    pub(super) forgiven: ReplyLenience,
    counts: Counts,
    /// Absent while the session is idle and was released.
    pub(super) work: Option<Box<Work>>,
    /// The number of transactions that were begun.
    begun: u64,
    /// Whether the server may still hold a transaction, so that RSET must come before MAIL.
    needs_reset: bool,
    /// The number of times MAIL was sent.
    mails: u32,
    capacity: Capacity,
}

/// The state of a session in which something is due: an idle one, which a pool has many of, has none.
#[derive(Debug, Default)]
pub(super) struct Work {
    queue: Queue,
    reader: ReplyReader,
    /// Transactions without a report: the replies that are due belong to the front one first, and
    /// what is being sent belongs to the back one.
    pub(super) transactions: VecDeque<InFlight>,
    pub(super) reports: VecDeque<Report>,
    /// The replies for single recipients, where the application asks for an event for each.
    pub(super) recipient_events: RecipientEvents,
    /// The memory of transactions that are over.
    spare: Option<Box<Spare>>,
    /// The time of the replies to chunks that are not the last, while one of them is due.
    chunks: Option<TransferTime>,
}

impl Work {
    /// Nothing is due.
    const NONE: Self = Self {
        queue: Queue::new(),
        reader: ReplyReader::NEW,
        transactions: VecDeque::new(),
        reports: VecDeque::new(),
        recipient_events: None,
        spare: None,
        chunks: None,
    };
}

impl Session {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            position: Position::new(),
            // A reply that is still incomplete at its limit leaves room for the next octet.
            channel: Channel::new(
                config.limits().reply_octets().saturating_add(config.limits().reply_line() + 1),
            ),
            forgiven: ReplyLenience::STRICT,
            counts: Counts::default(),
            work: Some(Box::new(Work { queue: Queue::from([Expected::Greeting]), ..Work::NONE })),
            begun: 0,
            needs_reset: false,
            mails: 0,
            capacity: Capacity::UNKNOWN,
        }
    }

    /// Returns the state of what is due.
    pub(super) fn work(&self) -> &Work {
        static NONE: Work = Work::NONE;
        self.work.as_deref().unwrap_or(&NONE)
    }

    pub(super) fn work_mut(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }

    /// Frees the memory of what was due, if nothing is, and the application has nothing to send now; and
    /// the send buffer if it is empty. In a transaction a small one is kept.
    pub(super) fn release(&mut self) {
        match self.work().transactions.is_empty() {
            true => self.channel.release_send(),
            false => self.channel.release_large_send(),
        }
        let is_waiting = matches!(self.position.phase(), Phase::Waiting);
        let has_events = self.work().recipient_events.as_ref().is_some_and(|it| !it.is_empty());
        if is_waiting && self.is_idle() && self.work().reports.is_empty() && !has_events {
            self.work = None;
        }
    }

    /// Returns the sums of the session so far.
    pub(super) const fn totals(&self) -> Totals {
        Totals::of(&self.channel, self.counts)
    }

    /// Advances as far as possible, and returns what is needed then.
    pub(super) fn poll(&mut self, facts: &mut Facts, now: Instant) -> Need {
        self.channel.begin(now);
        while self.work().reports.front().is_some_and(Report::is_taken) {
            self.work_mut().reports.pop_front();
        }
        match self.position.phase() {
            Phase::HandingOver if self.channel.is_broken() => self.end(End::Unsendable),
            Phase::Waiting => facts.forget_last(),
            _ => {}
        }
        // Replies are read before anything more is sent: a refusal that has arrived keeps the next
        // chunk back.
        loop {
            while self.may_have_reply() && self.take_reply(facts) {}
            self.send_next(facts);
            if !(self.may_have_reply() && self.take_reply(facts)) {
                break;
            }
        }
        let need = self.need(facts).unwrap_or_else(|TimedOut| {
            match self.channel.is_broken() {
                false => self.lost(facts, End::TimedOut),
                true => self.lost(facts, End::Unsendable),
            }
            self.need(facts).unwrap_or(Need::Close)
        });
        self.channel.end(need)
    }

    fn need(&mut self, facts: &Facts) -> Result<Need, TimedOut> {
        let question = self.next_question(facts);
        self.position.ask(question);
        if question.is_some() {
            self.pause();
            return Ok(Need::Answer);
        }
        if matches!(self.position.phase(), Phase::Over(_)) {
            return Ok(Need::Close);
        }
        self.wait(facts.config.timeouts())
    }

    fn next_question(&self, facts: &Facts) -> Option<Question> {
        let event = self.work().recipient_events.as_ref().and_then(VecDeque::front);
        match (event, self.work().reports.front()) {
            (Some(event), Some(report)) if event.transaction > report.transaction() => {
                return Some(Question::Sent);
            }
            (Some(_), _) => return Some(Question::Answered),
            (None, Some(_)) => return Some(Question::Sent),
            (None, None) => {}
        }
        if self.channel.is_broken() {
            return None;
        }
        match self.position.phase() {
            Phase::Refused => Some(Question::Refused),
            Phase::Upgrading => Some(Question::Upgrade),
            Phase::HandingOver => Some(Question::HandOver),
            Phase::Authenticating(authentication) => {
                authentication.is_asking().then_some(Question::Challenge)
            }
            Phase::Ready => (self.work().transactions.len() < facts.transactions()
                // RFC 4468 section 3.2: the client waits for the reply to LAST.
                && !self.work().transactions.back().is_some_and(|newest| newest.has_url)
                && self.may_send()
                && !self.is_exhausted(facts))
            .then_some(Question::Ready),
            Phase::Envelope => {
                (self.work().transactions.back().is_some_and(InFlight::wants_recipient))
                    .then_some(Question::Begun)
            }
            Phase::Content(content) => (content.error().is_some()
                || !content.is_flushing() && !content.is_waiting() && self.room(facts) > 0)
                .then_some(Question::Content),
            Phase::Opening
            | Phase::Asking(_)
            | Phase::Asked(_)
            | Phase::Waiting
            | Phase::Ending(..)
            | Phase::Aborting(_)
            | Phase::Quitting(_)
            | Phase::Over(_) => None,
        }
    }

    /// Returns whether neither a transaction nor a reply is due, and nothing was received.
    pub(super) fn is_idle(&self) -> bool {
        self.work().queue.is_empty()
            && self.work().transactions.is_empty()
            && self.channel.receive.is_empty()
    }

    /// Returns whether RSET will come before the next MAIL.
    pub(super) const fn needs_reset(&self) -> bool {
        self.needs_reset
    }

    /// Returns whether the server takes no further transaction (MAILMAX, RFC 9422 section 4.1).
    pub(super) fn is_exhausted(&self, facts: &Facts) -> bool {
        facts.mail_max().is_some_and(|most| self.mails >= most)
    }

    /// Returns how many octets of content may be taken now.
    pub(super) fn room(&self, facts: &Facts) -> usize {
        let pending = match self.position.phase() {
            Phase::Content(content) => content.pending(),
            _ => 0,
        };
        let room = facts.config.send_buffer().saturating_sub(self.channel.waiting());
        room.saturating_sub(pending)
    }

    /// Returns whether something new may be sent: not while octets are there that answer no command.
    fn may_send(&self) -> bool {
        !self.work().queue.is_empty() || self.channel.receive.is_empty()
    }

    /// Returns whether one more command may be sent after those that wait for replies.
    fn may_pipeline(&self, facts: &Facts) -> bool {
        if facts.is_pipelining() {
            self.work().queue.len() < facts.config.in_flight()
                && self.channel.waiting() < facts.config.send_buffer()
        } else {
            self.work().queue.is_empty()
        }
    }

    /// Returns whether there are octets that may be a reply, or the server has closed the connection.
    fn may_have_reply(&self) -> bool {
        !self.channel.receive.is_empty() || self.channel.how_closed().is_some()
    }

    /// Takes one reply; returns whether there was one.
    fn take_reply(&mut self, facts: &mut Facts) -> bool {
        // Octets after the reply to ATRN are for the machine that takes over.
        if matches!(self.position.phase(), Phase::Over(_) | Phase::HandingOver) {
            return false;
        }
        if matches!(self.position.phase(), Phase::Upgrading) && !self.channel.receive.is_empty() {
            // RFC 3207 section 6: octets in the clear after the 220 may come from an attacker.
            self.end(ProtocolError::Injection.into());
            return false;
        }
        let line = match self.position.phase() {
            Phase::Authenticating(_) => AuthResponse::MAX_OCTETS.max(facts.limits().reply_line()),
            _ => facts.limits().reply_line(),
        };
        let expected = self.work().queue.front().copied();
        let is_read = matches!(expected, Some(Expected::Mail(_) | Expected::Rcpt(..)))
            && self
                .work()
                .transactions
                .front()
                .is_some_and(|front| front.told == Told::Every || front.is_repeated());
        let is_enough = expected.is_some_and(Expected::discards_success) && !is_read;
        let next = self.next_reply(&facts.config, line, is_enough);
        if let Ok(Some(_)) = next {
            self.answered_chunk(expected.and_then(Expected::chunk), facts.config.timeouts());
        }
        match next {
            Ok(Some((Some(reply), octets))) => {
                self.replied(facts, reply, octets);
                true
            }
            Ok(Some((None, _))) => {
                self.succeeded(None);
                true
            }
            Ok(None) => {
                if let Some(how) = self.channel.how_closed() {
                    let failure = self.channel.tls_failure().cloned();
                    self.lost(facts, failure.map_or(End::PeerClosed(how), End::TlsFailed));
                }
                false
            }
            Err(error) => {
                self.end(error.into());
                false
            }
        }
    }

    /// Ends the session because the connection is lost, or nothing comes in time. After QUIT that counts as 221, but for a
    /// time-out after the application's own QUIT; after a rejected EHLO a loss is part of the rejection.
    fn lost(&mut self, facts: &mut Facts, end: End) {
        if let (Phase::Quitting(reason), Some(Expected::Quit)) =
            (self.position.phase(), self.work().queue.front())
        {
            let reason = match (&**reason, &end) {
                (End::Quit, End::TimedOut) => End::TimedOut,
                (reason, _) => reason.clone(),
            };
            return self.end(reason);
        }
        self.end(match (end, facts.take_refused_hello()) {
            (End::PeerClosed(_) | End::Unsendable, Some(refusal)) => End::Refused(refusal),
            (end, _) => end,
        });
    }

    /// Begins a transaction to which the application adds its recipients, and is told every reply.
    pub(super) fn begin_open(&mut self, envelope: Envelope, plan: Plan) -> TransactionNumber {
        let transaction = self.begin(Arc::new(envelope), plan, Told::Every, None);
        if let Some(newest) = self.work_mut().transactions.back_mut() {
            newest.is_open = true;
        }
        transaction
    }

    /// Returns whether the application has nothing to send now.
    fn is_waiting(&self) -> bool {
        match self.position.phase() {
            Phase::Envelope => {
                self.work().transactions.back().is_some_and(|newest| newest.is_waiting)
            }
            phase => phase.is_waiting(),
        }
    }

    /// Sends nothing more of the newest transaction, to which recipients may be added. RSET comes before the next MAIL.
    pub(super) fn withdraw_envelope(&mut self) {
        if let Some(newest) = self.work_mut().transactions.back_mut() {
            newest.is_open = false;
            newest.step = Step::Over;
        }
        self.position.answer(Phase::Ready);
        self.settle();
    }

    /// Begins a transaction. Content that lies in `clean` is sent as it is.
    pub(super) fn begin(
        &mut self,
        envelope: Arc<Envelope>,
        plan: Plan,
        told: Told,
        clean: Option<Bytes>,
    ) -> TransactionNumber {
        let transaction = TransactionNumber::new(self.begun);
        self.begun += 1;
        if told != Told::Nothing {
            self.work_mut().recipient_events.get_or_insert_default();
        }
        self.spare().forget();
        let first = if self.needs_reset { Step::Reset } else { Step::Mail };
        let mut newest = InFlight::new(transaction, envelope, plan, first, self.spare());
        newest.told = told;
        newest.clean = clean;
        newest.is_overlapping = !self.work().transactions.is_empty();
        self.work_mut().transactions.push_back(newest);
        self.position.answer(Phase::Envelope);
        transaction
    }

    /// Returns the memory of transactions that are over.
    pub(super) fn spare(&mut self) -> &mut Spare {
        self.work_mut().spare.get_or_insert_default()
    }

    /// Makes the reports of transactions that are complete.
    fn settle(&mut self) {
        while self.work().transactions.front().is_some_and(InFlight::is_complete) {
            if let Some(done) = self.work_mut().transactions.pop_front() {
                let sent = self.channel.octets_sent();
                let report =
                    done.report(Ending { sent, last: None, is_answered: false }, self.spare());
                if report.is_delivered_to_any() {
                    self.counts.messages = self.counts.messages.saturating_add(1);
                }
                self.work_mut().reports.push_back(report);
            }
        }
    }

    /// Ends the session without a reply that is the reason.
    pub(super) fn end(&mut self, end: End) {
        self.end_with(end, None);
    }

    /// Ends the session; `last` is the reply for every recipient that waits for the next reply. No
    /// transaction after that one was tried.
    fn end_with(&mut self, end: End, last: Option<&Arc<Reply<'static>>>) {
        match self.position.phase() {
            Phase::Over(_) => return,
            Phase::Content(content) | Phase::Ending(content) | Phase::Aborting(content) => {
                let octets = content.wire_octets();
                if self
                    .work()
                    .transactions
                    .back()
                    .is_some_and(|newest| newest.framing == Framing::Dots)
                {
                    self.channel.log(Entry::Content { from: Side::Client, octets });
                }
            }
            _ => {}
        }
        let from = match end {
            End::PeerClosed(_) => Side::Server,
            _ => Side::Client,
        };
        self.channel.log(Entry::Closed { from });
        if let Some(work) = &mut self.work {
            let Work { transactions, reports, spare, .. } = &mut **work;
            for (index, transaction) in transactions.drain(..).enumerate() {
                let sent = self.channel.octets_sent();
                let ending = Ending { sent, last, is_answered: index == 0 };
                reports.push_back(transaction.report(ending, spare.get_or_insert_default()));
            }
            work.queue.clear();
        }
        self.channel.discard_output();
        self.position.answer(Phase::Over(Box::new(end)));
    }
}
