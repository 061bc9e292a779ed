//! The polls of a session: the steps that each takes, and which of them it needs not take.

use super::{Phase, Question, Session, content::Intake};
use crate::{machine::Need, server::token::Slot, time::Instant};

/// The matters that a poll attends to before it takes steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attention {
    Whole,
    /// The poll has attended to what there was.
    Octets,
}

impl Session {
    /// Advances as far as possible, and returns what is needed then.
    pub(in crate::server) fn poll(&mut self, now: Instant) -> Need {
        self.channel.begin(now);
        // Most polls are one of two kinds, in which all that cannot matter is not looked for: in content, or at rest.
        match self.is_content_alone() {
            true => self.poll_content(now),
            false => self.poll_between(now),
        }
    }

    /// Advances outside content.
    #[inline(never)]
    fn poll_between(&mut self, now: Instant) -> Need {
        if self.is_at_rest()
            && let Some(need) = self.rest(now)
        {
            return self.channel.end(need);
        }
        self.poll_whole(now, Attention::Whole)
    }

    /// Returns whether a command is awaited of which nothing has come, and nothing else is to be attended to in
    /// this poll but deadlines.
    #[inline]
    fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Command)
            && self.channel.receive.is_empty()
            && self.is_unattended()
            && !self.is_clogged()
    }

    /// Returns whether content comes in, and nothing else is to be attended to in this poll: no rejection, and no
    /// reply that waits.
    #[inline]
    fn is_content_alone(&self) -> bool {
        matches!(self.phase, Phase::Content(Slot::Open | Slot::Given(Ok(_))))
            && !self.channel.has_output()
            && self.is_unattended()
    }

    /// Returns whether [`attend`](Self::attend) would act on nothing but an answer and deadlines: there is no other
    /// configuration, no end of the connection, and no order to end.
    #[inline]
    fn is_unattended(&self) -> bool {
        self.channel.is_open() && !self.is_told_to_end() && self.exchange.configure.is_none()
    }

    /// Attends to what has come besides octets, if that is not done yet, and takes steps until something is needed.
    #[inline(never)]
    pub(super) fn poll_whole(&mut self, now: Instant, attention: Attention) -> Need {
        if attention == Attention::Whole {
            self.attend(now);
        }
        loop {
            if let Some(need) = self.step(now) {
                return self.channel.end(need);
            }
        }
    }

    /// Acts on what has come since the last poll besides octets: an answer, a deadline that has passed, the end of
    /// the connection, an order to end.
    #[inline(always)]
    fn attend(&mut self, now: Instant) {
        self.began = self.began.min(now);
        if let Some(config) = self.exchange.configure.take() {
            self.configure(config);
        }
        self.take_answer();
        self.check_ends(now);
    }

    /// Takes the next step; `None` if something has changed.
    #[inline]
    fn step(&mut self, now: Instant) -> Option<Need> {
        match &self.phase {
            Phase::Start | Phase::Asked(Question::Connect(_)) if self.is_early() => {
                self.talked_early();
                None
            }
            Phase::Start if !self.channel.is_open() && self.channel.receive.is_empty() => {
                self.connection_lost();
                None
            }
            Phase::Start => {
                let need = self.await_silence(now);
                if need.is_none() {
                    self.ask(Question::Connect(Slot::Open));
                }
                need
            }
            Phase::Command if self.is_clogged() => Some(self.await_room(now)),
            Phase::Command if self.channel.receive.is_empty() => self.await_line(now),
            Phase::Command => self.step_command(now),
            Phase::Response(_) => self.step_response(now),
            Phase::Delayed(delayed) => match delayed.until.has_passed(now) {
                true => {
                    self.end_delay();
                    None
                }
                false => Some(self.await_delay(delayed.until, now)),
            },
            Phase::Content(_) => match self.take_in(now) {
                Intake::Lent => Some(self.await_answer(now)),
                Intake::Empty => self.await_content(now),
                Intake::Changed => None,
            },
            // Octets that have come since belong to no handshake.
            Phase::Asked(Question::Upgrade(_)) if !self.channel.receive.is_empty() => {
                self.end_after_injection();
                None
            }
            Phase::Asked(Question::HandOver(_)) if self.channel.has_output() => {
                Some(self.await_output(now))
            }
            // Nothing follows this question: the replies that are ready need not wait for its answer
            // (RFC 2920 section 3.2).
            Phase::Asked(_) | Phase::Abort(_)
                if self.channel.receive.is_empty() && self.channel.has_output() =>
            {
                Some(self.await_output(now))
            }
            Phase::Asked(_) | Phase::Abort(_) => Some(self.await_answer(now)),
            Phase::Farewell(_) if self.channel.has_output() => Some(self.await_output(now)),
            Phase::Farewell(end) => {
                let end = end.clone();
                self.close(end);
                None
            }
            Phase::Closed(_) => Some(Need::Close),
            Phase::Taken(_) => {
                self.enter(Phase::Command);
                None
            }
        }
    }
}
