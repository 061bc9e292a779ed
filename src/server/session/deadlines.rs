//! The deadlines of a session, and how it waits for them.

use super::{Phase, Session, first_work};
use crate::{
    machine::Need,
    server::{end::End, replies, sequence::Stage},
    time::Instant,
};

/// The waits of a session: only these functions turn deadlines into a need. `None` if a deadline has
/// passed, or the connection is lost, and the session has acted on it.
impl Session {
    /// Waits until the greeting is due, while the client may show that it talks early.
    pub(super) fn await_silence(&mut self, now: Instant) -> Option<Need> {
        let greeting = self.config.timeouts().greeting;
        let is_due = greeting.is_zero()
            // The greeting after XCLIENT.
            || self.channel.commands() > 0
            || self.facts.has_talked_early;
        if is_due {
            return None;
        }
        self.channel.start_reading();
        let due = self.channel.read_deadline(greeting);
        if due.has_passed(now) {
            self.channel.end_reading();
            return None;
        }
        Some(Need::Read(due))
    }

    /// Waits for a command, or for a line of the exchange of AUTH.
    pub(super) fn await_line(&mut self, now: Instant) -> Option<Need> {
        let deadline = self.line_deadline(now);
        self.await_input(deadline, now)
    }

    /// Waits for a command of which nothing has come, as long as no deadline at all has passed.
    #[inline(always)]
    pub(super) fn rest(&mut self, now: Instant) -> Option<Need> {
        let deadline = self.line_deadline(now);
        let need = self.input_by(deadline, now);
        match need {
            Need::Read(deadline) | Need::Either(deadline) if !deadline.has_passed(now) => {
                Some(need)
            }
            _ => None,
        }
    }

    /// Begins or continues to wait for a line, and returns when to give up on it.
    #[inline(always)]
    fn line_deadline(&mut self, now: Instant) -> Instant {
        self.channel.start_reading();
        self.run_content_clock(now);
        let line = self.channel.read_deadline(self.config.timeouts().command);
        line.min(self.end_between_pieces(now))
    }

    /// Waits for octets of content.
    pub(super) fn await_content(&mut self, now: Instant) -> Option<Need> {
        let deadline = self.run_content(now);
        self.await_input(deadline, now)
    }

    /// Waits for octets of content on a link that is open, while no replies wait, as long as no deadline has passed.
    #[inline(always)]
    pub(super) fn rest_in_content(&mut self, now: Instant) -> Option<Need> {
        let deadline = self.run_content(now);
        (!deadline.has_passed(now)).then_some(Need::Read(deadline))
    }

    /// Begins or continues to wait for content, and returns when to give up on it.
    #[inline(always)]
    fn run_content(&mut self, now: Instant) -> Instant {
        self.work.get_or_insert_with(first_work).content.wait(now);
        self.content_deadline(now)
    }

    /// Waits for octets of the peer until a deadline, and for the replies to be written.
    fn await_input(&mut self, deadline: Instant, now: Instant) -> Option<Need> {
        if !self.channel.is_open() {
            self.connection_lost();
            return None;
        }
        if deadline.has_passed(now) {
            self.time_out();
            return None;
        }
        Some(self.input_by(deadline, now))
    }

    /// Returns the need for octets of the peer until a deadline, and for the replies to be written.
    #[inline(always)]
    fn input_by(&mut self, deadline: Instant, now: Instant) -> Need {
        match self.channel.has_output() {
            true => Need::Either(deadline.min(self.write_deadline(now))),
            false => Need::Read(deadline),
        }
    }

    /// Waits for room for further replies, before a further command is read (back-pressure).
    pub(super) fn await_room(&mut self, now: Instant) -> Need {
        self.run_content_clock(now);
        Need::Write(self.write_deadline(now).min(self.end_between_pieces(now)))
    }

    /// Waits for the replies to be written.
    pub(super) fn await_output(&mut self, now: Instant) -> Need {
        Need::Write(self.write_deadline(now))
    }

    /// Waits for the moment of a reply that is withheld (tarpit).
    pub(super) fn await_delay(&mut self, until: Instant, now: Instant) -> Need {
        match self.channel.has_output() {
            true => self.await_output(now),
            false => Need::Wait(until),
        }
    }

    /// Waits for an answer of the application: no deadline holds meanwhile.
    pub(super) fn await_answer(&mut self, now: Instant) -> Need {
        self.channel.pause();
        if let Some(work) = &mut self.work {
            if self.is_closing {
                work.closing.stop(now);
            }
            work.content.pause(now);
        }
        Need::Answer
    }
}

impl Session {
    /// Lets the time of content count between its pieces.
    fn run_content_clock(&mut self, now: Instant) {
        if let Some(work) = &mut self.work
            && work.content.stage().is_some()
        {
            work.content.wait(now);
        }
    }

    /// Returns when to give up on a peer that does not read the replies that wait.
    fn write_deadline(&mut self, now: Instant) -> Instant {
        let timeouts = self.config.timeouts();
        let at = self.channel.write_deadline(timeouts.write_pace());
        if !self.is_closing {
            return at;
        }
        let closing = &mut self.work.get_or_insert_with(first_work).closing;
        closing.start(now);
        at.min(closing.deadline(now, timeouts.closing))
    }

    /// Returns when to give up on content, in a piece of it or between two.
    #[inline]
    fn content_deadline(&self, now: Instant) -> Instant {
        let Some(work) = &self.work else { return Instant::NEVER };
        let at = work.content.deadline(now, self.config.timeouts(), self.is_stopping);
        // Content that is discarded does not outlive the session.
        match work.content.is_discarding() {
            true => at.min(self.session_deadline()),
            false => at,
        }
    }

    /// Returns when to end the whole session.
    fn session_deadline(&self) -> Instant {
        match self.config.timeouts().session {
            Some(allowance) => self.began + allowance,
            None => Instant::NEVER,
        }
    }

    /// Returns when to end the session while no piece of content comes in.
    #[inline]
    fn end_between_pieces(&self, now: Instant) -> Instant {
        let session = self.session_deadline();
        match &self.work {
            Some(work) if work.content.stage().is_some() => self.end_of_gap(session, now),
            _ => session,
        }
    }

    /// Returns when to end the session between two pieces of content.
    #[cold]
    fn end_of_gap(&self, session: Instant, now: Instant) -> Instant {
        session.min(self.content_deadline(now))
    }

    /// Returns whether the peer has not read the replies in time.
    pub(super) fn is_writing_too_long(&mut self, now: Instant) -> bool {
        self.channel.has_output() && self.write_deadline(now).has_passed(now)
    }

    /// Returns whether the session, or content between two pieces, has lasted too long.
    pub(super) fn is_over_time(&self, now: Instant) -> bool {
        self.end_between_pieces(now).has_passed(now)
    }

    /// Ends a session after a deadline that the client has missed. One that is shutting down, and
    /// waited only for the rest of content, ends as an idle one does.
    #[cold]
    pub(super) fn time_out(&mut self) {
        let is_rest = matches!(self.phase, Phase::Command | Phase::Delayed(_))
            || self.work().content.is_discarding();
        match self.is_stopping && is_rest {
            true => self.end(replies::SHUTTING_DOWN.reply(), End::ShutDown),
            false => self.end(replies::TIMED_OUT.reply(), End::TimedOut),
        }
    }

    /// Counts octets that were sent.
    pub(in crate::server) fn sent(&mut self, octets: usize) {
        self.channel.sent(octets);
        if !self.channel.has_output() {
            self.channel.is_written(None);
        }
    }

    /// Returns whether octets came before the greeting, and that was not noticed yet.
    pub(super) fn is_early(&self) -> bool {
        // A greeting also follows XCLIENT.
        self.channel.commands() == 0
            && !self.facts.has_talked_early
            && !self.channel.receive.is_empty()
    }

    /// Returns whether a chunk of content was accepted, and a further one is awaited.
    pub(super) fn is_chunking(&self) -> bool {
        self.work().content.stage() == Some(Stage::Chunking)
    }
}
