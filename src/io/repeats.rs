//! The detection of questions that the application forgets to answer.

use super::session_error::SessionError;
use crate::{machine::OpenQuestion, time::Instant};
use core::time::Duration;

/// The number of times that one question may be returned within [`PERIOD`].
const MOST: u32 = 1000;
/// The time after which the count of a question begins anew.
const PERIOD: Duration = Duration::from_secs(1);
/// The number of questions between which a task lets others run: a client that pipelines fills the
/// receive buffer with about this many commands.
#[cfg(feature = "tokio")]
const TURN: u32 = 64;

/// The question that an adapter has returned last, and how often.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    number: Option<u64>,
    times: u32,
    since: Instant,
    #[cfg(feature = "tokio")]
    turn: u32,
}

impl Repeats {
    /// Records that octets were moved, or that time was waited for.
    pub(super) const fn clear(&mut self) {
        self.number = None;
    }

    /// Records that a question is about to be returned.
    ///
    /// # Errors
    ///
    /// It was returned too often without an answer.
    pub(super) fn ask(
        &mut self,
        question: Option<OpenQuestion>,
        now: Instant,
    ) -> Result<(), SessionError> {
        let Some(question) = question else { return Ok(()) };
        let number = question.number();
        let is_repeated = self.number == Some(number) && now.saturating_since(self.since) < PERIOD;
        if !is_repeated {
            (self.number, self.times, self.since) = (Some(number), 1, now);
        } else if self.times < MOST {
            self.times += 1;
        } else {
            self.number = None;
            return Err(SessionError::Unanswered { event: question.name(), number, times: MOST });
        }
        Ok(())
    }

    /// Returns whether the task has to let others run before it gets the next question.
    #[cfg(feature = "tokio")]
    pub(super) const fn is_turn_over(&mut self) -> bool {
        self.turn += 1;
        let is_over = self.turn >= TURN;
        if is_over {
            self.turn = 0;
        }
        is_over
    }
}
