//! The content of a message: how the session receives it, refuses it, and has it delivered.

use super::{Phase, Question, Session, Then, Work, first_work, polling::Attention};
use crate::{
    machine::Need,
    server::{
        acceptance::Accepted,
        budget::{Fault, Penalty},
        config::Fitness,
        content::{Announced, ChunkSize, Ending, Progress, Url, Violation},
        delivery::{Due, Verdict},
        end::{AbortReason, End},
        replies,
        token::{Answer, Asked, Rejected, Slot},
    },
    syntax::{Extension, Rejection},
    time::Instant,
    transcript::{Entry, Side},
};
use core::mem;

/// The consequence of the octets received for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// The application is asked about octets.
    Lent,
    /// More octets are needed.
    Empty,
    /// Something has changed.
    Changed,
}

/// The least number of octets that a discarded chunk is charged: a line.
const CHUNK_COST: u64 = 512;

// How it begins.

impl Session {
    pub(super) fn on_data(&mut self, answer: Answer<Accepted>) {
        let fitness = match self.facts.envelope().is_binary() {
            true => Fitness::ANY,
            false => self.config.fitness(),
        };
        let Some(announced) = self.work_mut().content.take_announced() else { return };
        match (announced, answer) {
            (_, Err(Rejected { rejection, closes: true })) => {
                self.refuse(&rejection, Fault::Closing);
            }
            (Announced::Url(url), Err(rejected)) => self.reject_url(&url, &rejected.rejection),
            (Announced::Url(url), Ok(_)) => {
                self.work_mut().content.begin_url(url, fitness);
                self.enter(Phase::Content(Slot::Open));
            }
            (Announced::Data, Err(rejected)) => self.reject_content(&rejected.rejection),
            (Announced::Data, Ok(accepted)) => {
                self.say_accepted(accepted, &replies::START_CONTENT);
                self.work_mut().content.begin_data(fitness);
                self.enter(Phase::Content(Slot::Open));
            }
            (Announced::Chunk(size), Err(rejected)) => {
                self.work_mut().content.begin_chunk(size, fitness);
                self.refuse_content(AbortReason::Refused, *rejected.rejection);
            }
            (Announced::Chunk(size), Ok(_)) => self.take_chunk(size, fitness),
        }
    }

    /// Awaits the octets of a chunk, the first or a further one.
    pub(super) fn take_chunk(&mut self, size: ChunkSize, fitness: Fitness) {
        self.work_mut().content.begin_chunk(size, fitness);
        self.enter(Phase::Content(Slot::Open));
        let octets = self.work().content.octets().saturating_add(size.octets);
        if octets > self.config.limits().message {
            self.refuse_violation(Violation::TooLarge);
        }
    }

    pub(super) fn on_burl(&mut self, url: &Url, answer: Answer<Accepted>) {
        match answer {
            Err(Rejected { rejection, closes: true }) => {
                self.refuse(&rejection, Fault::Closing);
            }
            Err(rejected) => self.reject_url(url, &rejected.rejection),
            Ok(_) if url.is_last => self.ask_to_deliver(),
            Ok(accepted) => {
                self.work_mut().content.url_accepted();
                self.say_accepted(accepted, &replies::CHUNK_OK);
            }
        }
    }

    /// Rejects a URL. The rest of its content is discarded (RFC 4468 section 3.4, RFC 3030 section
    /// 2).
    fn reject_url(&mut self, url: &Url, rejection: &Rejection) {
        let content = mem::take(&mut self.work_mut().content);
        let failed = content.into_failed(self.replies());
        self.reject_content(rejection);
        if !url.is_last {
            self.work_mut().content = failed;
        }
    }

    /// Rejects the content of a transaction for the application.
    fn reject_content(&mut self, rejection: &Rejection) {
        let then = self.charged(rejection.reply(), Fault::NoProgress);
        self.abort_then(AbortReason::Refused, then);
    }
}

// How it comes in.

impl Session {
    /// Acts on the answer to content, and receives more.
    #[inline(never)]
    pub(super) fn poll_content(&mut self, now: Instant) -> Need {
        if let Phase::Content(slot) = &mut self.phase
            && let Slot::Given(Ok(octets)) = *slot
        {
            *slot = Slot::Open;
            self.content_taken(octets);
        }
        let need = match self.take_in(now) {
            Intake::Lent => Some(self.await_answer(now)),
            Intake::Empty => self.rest_in_content(now),
            Intake::Changed => None,
        };
        match need {
            Some(need) => self.channel.end(need),
            None => self.poll_whole(now, Attention::Octets),
        }
    }

    /// Receives content, wanted or not.
    #[inline(always)]
    pub(super) fn take_in(&mut self, now: Instant) -> Intake {
        let (limits, timeouts) = (self.config.limits(), self.config.timeouts());
        let content = &mut self.work.get_or_insert_with(first_work).content;
        if content.is_lent() {
            return Intake::Lent;
        }
        match content.advance(&mut self.channel.receive, limits, now, timeouts) {
            Progress::Lent => {
                self.count_question();
                Intake::Lent
            }
            Progress::Need => Intake::Empty,
            other => {
                self.progress(other, now);
                Intake::Changed
            }
        }
    }

    /// Acts on content that was refused, breaks a rule, or has come to an end.
    #[inline(never)]
    fn progress(&mut self, progress: Progress, now: Instant) {
        match progress {
            Progress::Lent | Progress::Need => {}
            Progress::Discarded => self.check_discarded(),
            Progress::Violation(violation) => self.refuse_violation(violation),
            Progress::End => {
                let ending = self.work_mut().content.end();
                self.end_of_content(ending, now);
            }
        }
    }

    pub(super) fn on_content(&mut self, answer: Answer<usize>) {
        match answer {
            Err(Rejected { rejection, closes: true }) => {
                self.refuse(&rejection, Fault::Closing);
            }
            Err(rejected) => self.refuse_content(AbortReason::Refused, *rejected.rejection),
            Ok(octets) => self.content_taken(octets),
        }
    }

    /// Consumes octets that the application has taken.
    #[inline]
    fn content_taken(&mut self, octets: usize) {
        let content = &mut self.work.get_or_insert_with(first_work).content;
        content.taken(octets, &mut self.channel.receive);
        // Where nothing was consumed the question is not answered.
        if content.is_lent() && octets > 0 {
            // A new question about the rest.
            self.count_question();
        }
    }

    /// Refuses the content in progress, which breaks a rule.
    #[cold]
    fn refuse_violation(&mut self, violation: Violation) {
        self.count_error();
        let (reason, rejection) = match violation {
            Violation::TooLarge => (AbortReason::TooLarge, replies::TOO_LARGE),
            Violation::BareLineBreak(octet) => {
                (AbortReason::BareLineBreak(octet), replies::BARE_LINE_BREAK)
            }
            Violation::Nul(octet) => (AbortReason::Nul(octet), replies::NUL),
        };
        self.refuse_content(reason, rejection);
    }

    /// Refuses the content in progress: its rest is discarded, and the reply comes at its end.
    #[cold]
    fn refuse_content(&mut self, reason: AbortReason, rejection: Rejection) {
        let replies = self.replies();
        self.work_mut().content.refuse(rejection, replies);
        self.abort_then(reason, Then::Content);
    }

    /// Ends the session if too much refused content has been discarded.
    #[cold]
    pub(super) fn check_discarded(&mut self) {
        let Work { budget, content, .. } = self.work();
        if budget.is_discarding_too_much(content.wire(), self.config.limits()) {
            self.end(replies::TOO_MUCH_TO_DISCARD.reply(), End::TooManyErrors);
        }
    }

    fn end_of_content(&mut self, ending: Ending, now: Instant) {
        self.channel.end_reading();
        if let Ending::Url(url) = ending {
            return self.ask(Question::Burl(Asked::new(url)));
        }
        let wire = self.work().content.wire();
        self.channel.log(Entry::Content { from: Side::Client, octets: wire });
        if !self.work().content.is_counted() {
            self.channel.log(Entry::Line { from: Side::Client, octets: b"." });
        }
        if let Ending::Message = ending {
            return self.ask_to_deliver();
        }
        self.enter(Phase::Command);
        match ending {
            Ending::Url(_) | Ending::Message => {}
            Ending::Chunk => {
                // `BDAT 0` makes no progress; `BDAT 0 LAST` does (RFC 3030 section 2).
                match wire {
                    0 => self.charge(&(replies::CHUNK_OK.reply)(), Fault::NoProgress),
                    _ => self.say_usual(&replies::CHUNK_OK),
                }
            }
            Ending::Refused(refusal) => {
                self.work_mut().budget.discard(wire.max(CHUNK_COST));
                if self.work().content.stage().is_none() {
                    self.work_mut().content.pause(now);
                }
                if self.is_silent_at_end() {
                    return;
                }
                // All replies are equal, and the last of them bears the penalty.
                for _ in 1..refusal.replies {
                    self.say(refusal.rejection.reply());
                }
                if refusal.replies > 0 {
                    self.charge(refusal.rejection.reply(), refusal.fault);
                }
            }
        }
    }

    /// Returns whether the last chunk gets no reply: so it is where each recipient gets a reply and
    /// none was accepted (RFC 2033 section 4.3), also after a MAIL that was refused.
    fn is_silent_at_end(&self) -> bool {
        let transaction = self.facts.envelope();
        let is_addressed = transaction.is_open() || transaction.is_refused();
        let is_chunked = self.offered().contains(Extension::Chunking);
        self.replies() == 0 && is_addressed && is_chunked && self.work().content.is_last()
    }
}

// How it is delivered.

impl Session {
    /// Returns the number of replies to a message.
    pub(super) fn replies(&self) -> usize {
        if self.facts.service.replies_per_recipient() {
            self.facts.envelope().accepted()
        } else {
            1
        }
    }

    fn ask_to_deliver(&mut self) {
        self.clear_content();
        self.ask(Question::Deliver(Slot::Open));
    }

    /// Sends the replies that are due for recipients that were settled.
    pub(super) fn reply_to_settled(&mut self) {
        if !self.work().verdicts.is_any_due() {
            return;
        }
        self.say_verdicts(None);
        let replies = self.replies();
        if self.work().verdicts.is_complete(replies) {
            self.take_phase();
            self.conclude_delivery(None, false);
            self.settle_phase();
        }
    }

    pub(super) fn on_deliver(&mut self, answer: Answer<Accepted>) {
        let (rest, closes) = match answer {
            Ok(accepted) => (Ok(accepted), false),
            Err(Rejected { rejection, closes }) => (Err(*rejection), closes),
        };
        self.say_verdicts(Some(&rest));
        self.conclude_delivery(Some(&rest), closes);
    }

    fn say_verdicts(&mut self, rest: Option<&Verdict>) {
        let due = self.replies();
        let mut verdicts = mem::take(&mut self.work_mut().verdicts);
        while let Some(verdict) = verdicts.next_due(due, rest) {
            match verdict {
                Due::Accepted(accepted) => {
                    self.say_accepted(accepted.clone(), &replies::ACCEPTED);
                }
                Due::Rejected(rejection) => self.say(rejection.reply()),
            }
        }
        self.work_mut().verdicts = verdicts;
    }

    /// Ends the transaction of a message that was replied to.
    fn conclude_delivery(&mut self, rest: Option<&Verdict>, closes: bool) {
        let outcome = self.work_mut().verdicts.conclude(rest);
        if outcome.is_accepted {
            self.work_mut().counts.messages.add();
            self.work_mut().budget.forgive();
        }
        let fault = if outcome.is_accepted { Fault::None } else { Fault::NoProgress };
        // The reply is sent already: all that is left of a penalty is the end.
        let penalty = self.penalty(fault);
        let is_said = self.replies() == 1;
        self.facts.end_transaction();
        match outcome.last_word {
            Some(rejection) if !is_said => self.refuse(&rejection, Fault::Closing),
            None if penalty == Penalty::Close => {
                let end = if closes { End::Refused } else { End::TooManyErrors };
                self.end(replies::TOO_MANY_ERRORS.reply(), end);
            }
            None if !closes => {}
            _ => self.proceed(Then::Farewell(End::Refused)),
        }
    }
}
