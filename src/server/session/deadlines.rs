//! The deadlines of a session, and how it waits for them.

use super::{Phase, Session, first_work};
use crate::{
    machine::Need,
    server::{end::End, replies, sequence::Stage},
    time::Instant,
};

/// A deadline of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadline {
    /// When to send the greeting: early talkers send before it.
    Greeting,
    /// When to give up on a command line, or on a line of the exchange of AUTH.
    Command,
    /// When to give up on content, in a piece of it or between two.
    Content,
    /// When to end the whole session.
    Session,
    /// When to send the reply that is withheld (tarpit).
    Delay,
}

/// The event that a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Silence before the greeting.
    Silence,
    /// A command, or a line of the exchange of AUTH.
    Line,
    /// Octets of content.
    Content,
    /// Room for further replies, before a further command is read (back-pressure).
    Room,
    /// The replies to be written.
    Output,
    /// The moment of a reply that is withheld.
    Delay,
}

impl Session {
    /// Waits: the only place that turns deadlines into a need. `None` if one has passed and the
    /// session has acted on it.
    pub(super) fn wait(&mut self, wait: Wait, now: Instant) -> Option<Need> {
        self.run_clocks(wait, now);
        let deadline = self.earliest(wait, now);
        let has_output = self.channel.has_output();
        let write = match has_output && wait != Wait::Silence {
            true => self.write_deadline(now),
            false => Instant::NEVER,
        };
        match wait {
            Wait::Silence | Wait::Line | Wait::Content if deadline.has_passed(now) => {
                match wait {
                    Wait::Silence => self.channel.end_reading(),
                    _ => self.time_out(),
                }
                None
            }
            Wait::Line | Wait::Content if has_output => Some(Need::Either(deadline.min(write))),
            Wait::Silence | Wait::Line | Wait::Content => Some(Need::Read(deadline)),
            Wait::Room => Some(Need::Write(write.min(deadline))),
            Wait::Delay if !has_output => Some(Need::Wait(deadline)),
            Wait::Delay | Wait::Output => Some(Need::Write(write)),
        }
    }

    /// Returns the earliest of the deadlines that hold while the peer is to send something.
    fn earliest(&self, wait: Wait, now: Instant) -> Instant {
        let at = |deadline| self.deadline(deadline, now);
        match wait {
            Wait::Silence => at(Deadline::Greeting),
            Wait::Line => at(Deadline::Command).min(self.end_between_pieces(now)),
            Wait::Content => at(Deadline::Content),
            Wait::Room => self.end_between_pieces(now),
            Wait::Delay => at(Deadline::Delay),
            Wait::Output => Instant::NEVER,
        }
    }

    /// Returns when to end the session while no piece of content comes in.
    fn end_between_pieces(&self, now: Instant) -> Instant {
        let session = self.deadline(Deadline::Session, now);
        match &self.work {
            Some(work) if work.content.stage().is_some() => {
                session.min(self.deadline(Deadline::Content, now))
            }
            _ => session,
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

    /// Starts the stopwatches of what the peer is to send.
    fn run_clocks(&mut self, wait: Wait, now: Instant) {
        match wait {
            Wait::Silence => self.channel.start_reading(),
            Wait::Line => {
                self.channel.start_reading();
                self.run_content_clock(now);
            }
            Wait::Room | Wait::Content => self.run_content_clock(now),
            Wait::Output | Wait::Delay => {}
        }
    }

    /// Lets the time of content count, within its pieces and between them.
    fn run_content_clock(&mut self, now: Instant) {
        let is_content = matches!(self.phase, Phase::Content(_));
        if let Some(work) = &mut self.work
            && (is_content || work.content.stage().is_some())
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

    /// Returns when a deadline passes.
    fn deadline(&self, deadline: Deadline, now: Instant) -> Instant {
        let timeouts = self.config.timeouts();
        match deadline {
            Deadline::Greeting => self.channel.read_deadline(timeouts.greeting),
            Deadline::Command => self.channel.read_deadline(timeouts.command),
            Deadline::Content => {
                let Some(work) = &self.work else { return Instant::NEVER };
                let at = work.content.deadline(now, timeouts, self.is_stopping);
                // Content that is discarded does not outlive the session.
                match work.content.is_discarding() {
                    true => at.min(self.deadline(Deadline::Session, now)),
                    false => at,
                }
            }
            Deadline::Session => match timeouts.session {
                Some(allowance) => self.began + allowance,
                None => Instant::NEVER,
            },
            Deadline::Delay => match &self.phase {
                Phase::Delayed(delayed) => delayed.until,
                _ => Instant::NEVER,
            },
        }
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

    /// Waits until the greeting is due, while the client may show that it talks early.
    pub(super) fn await_silence(&mut self, now: Instant) -> Option<Need> {
        let is_due = self.config.timeouts().greeting.is_zero()
            // The greeting after XCLIENT.
            || self.channel.commands() > 0
            || self.facts.has_talked_early;
        if is_due { None } else { self.wait(Wait::Silence, now) }
    }

    /// Waits for octets of content, unless the connection is lost.
    pub(super) fn await_content(&mut self, now: Instant) -> Option<Need> {
        if self.channel.is_open() {
            return self.wait(Wait::Content, now);
        }
        self.connection_lost();
        None
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
