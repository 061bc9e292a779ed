//! The deadlines of a session, and how it waits for them.

use super::Session;
use crate::{
    client::{config::Timeouts, deadline::Deadline},
    machine::Need,
    time::{Instant, TransferTime},
};

/// A deadline that has passed.
pub(super) struct TimedOut;

impl Session {
    /// Waits for the server: the only place that turns a deadline into a need.
    pub(super) fn wait(&mut self, timeouts: &Timeouts) -> Result<Need, TimedOut> {
        let deadline = self.deadline();
        if deadline != Deadline::Write {
            let is_content = self.position.phase().is_content();
            self.channel.is_written(is_content.then(|| timeouts.block_pace()));
        }
        let at = match (deadline, deadline.for_reply(timeouts)) {
            (_, Some(timeout)) => {
                self.channel.start_reading();
                self.channel.read_deadline(timeout)
            }
            (Deadline::Write, _) => {
                self.pause_chunks();
                self.channel.write_deadline(timeouts.block_pace())
            }
            (Deadline::Chunks, _) => self.chunk_deadline(timeouts),
            _ => {
                // No reply is due: this time is not the server's.
                self.pause();
                Instant::NEVER
            }
        };
        if at.has_passed(self.channel.now()) {
            Err(TimedOut)
        } else if deadline == Deadline::Write {
            Ok(Need::Either(at))
        } else {
            Ok(Need::Read(at))
        }
    }

    /// Returns the deadline that runs.
    fn deadline(&self) -> Deadline {
        if self.channel.has_output() {
            Deadline::Write
        } else if let Some(expected) = self.work().queue.front() {
            expected.deadline()
        } else if self.is_waiting() && !self.channel.is_broken() {
            Deadline::Never
        } else {
            // The server has begun an unsolicited reply, or all that is left to do is to read.
            Deadline::Command
        }
    }

    /// Stops the deadlines while the application is asked: this time is not the server's.
    pub(super) fn pause(&mut self) {
        self.channel.pause();
        self.pause_chunks();
    }

    fn pause_chunks(&mut self) {
        let now = self.channel.now();
        if let Some(chunks) = self.work.as_mut().and_then(|work| work.chunks.as_mut()) {
            chunks.stop(now);
        }
    }

    /// Returns the time by which the server must have replied to a chunk that is not the last. The replies to all
    /// chunks of a message share one deadline, which each octet moves by its time at the slowest
    /// rate: a server gains no time by small chunks.
    fn chunk_deadline(&mut self, timeouts: &Timeouts) -> Instant {
        let now = self.channel.now();
        let chunks = self.work_mut().chunks.get_or_insert(TransferTime::ZERO);
        chunks.start(now);
        chunks.deadline(now, timeouts.chunk_pace())
    }

    /// Notes the reply to a chunk of `octets` octets, or to another command (`None`).
    pub(super) fn answered_chunk(&mut self, octets: Option<u64>, timeouts: &Timeouts) {
        let now = self.channel.now();
        let Some(work) = &mut self.work else { return };
        match (&mut work.chunks, octets) {
            (Some(chunks), Some(octets)) => chunks.count(octets, now, timeouts.chunk_pace()),
            (chunks, _) => *chunks = None,
        }
    }
}
