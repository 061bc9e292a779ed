//! The channel: octets to send, octets received, and the deadlines of either.

use super::{
    config::{Config, Limits, Timeouts},
    deadline::Deadline,
    error::ProtocolError,
    lenience::ReplyLenience,
    queue::ReplyReader,
    report::Totals,
};
use crate::{
    machine::{Closed, WaitTimes},
    redaction::{self, Redaction},
    security::TlsFailure,
    syntax::{AuthResponse, Class, Command, Reply, ReplyError},
    time::{Instant, Stopwatch, TransferDeadline},
    transcript::{Entry, Side, Transcript},
    wire::{ReceiveBuffer, SendBuffer},
};
use alloc::boxed::Box;
use core::{fmt, time::Duration};

/// Octets of `AUTH`, the longest name of a mechanism (RFC 4422 section 3.1) and CRLF.
const LONGEST_AUTH: usize = 64;

pub(super) struct Channel {
    pub(super) receive: ReceiveBuffer,
    pub(super) reader: ReplyReader,
    /// The deviations from the grammar that were met in replies.
    pub(super) forgiven: ReplyLenience,
    pub(super) input: Input,
    pub(super) send: SendBuffer,
    pub(super) output: Output,
    /// The reason for which TLS has failed after its handshake.
    pub(super) tls_failure: Option<TlsFailure>,
    /// Octets that were sent.
    pub(super) sent: u64,
    pub(super) totals: Totals,
    pub(super) debts: WaitTimes,
    pub(super) transcript: Option<Box<dyn Transcript>>,
    redaction: Redaction,
    pub(super) now: Instant,
    reply: Stopwatch,
    /// For the replies to chunks that are not the last, while one of them is due.
    chunks: Option<TransferDeadline>,
    /// For the octets that wait to be sent, while there are any.
    block: Option<TransferDeadline>,
    /// Octets that were sent, as far as `block` has counted them.
    counted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    Closed(Closed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Open,
    /// Writing has failed.
    Broken,
}

impl Channel {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            // A reply that is still incomplete at its limit leaves room for the next octet.
            receive: ReceiveBuffer::new(
                limits.reply_octets().saturating_add(limits.reply_line()).saturating_add(1),
            ),
            reader: ReplyReader::default(),
            forgiven: ReplyLenience::STRICT,
            input: Input::Open,
            send: SendBuffer::default(),
            output: Output::Open,
            tls_failure: None,
            sent: 0,
            totals: Totals::default(),
            debts: WaitTimes::default(),
            transcript: None,
            redaction: Redaction::default(),
            now: Instant::ORIGIN,
            reply: Stopwatch::default(),
            chunks: None,
            block: None,
            counted: 0,
        }
    }

    /// Notes the time of a poll.
    pub(super) fn begin(&mut self, now: Instant) {
        self.now = now;
        let Totals { peer_time, application_time, .. } = &mut self.totals;
        self.debts.settle(now, peer_time, application_time);
    }

    /// Returns how many octets were sent or wait to be.
    pub(super) fn written(&self) -> u64 {
        self.sent.saturating_add(self.send.len() as u64)
    }

    /// Writes a command line, and reports it to the transcript without its secrets.
    pub(super) fn command(&mut self, command: &Command<'_>) {
        self.totals.commands += 1;
        self.redaction.note_command(command);
        let out = self.send.text();
        let start = out.len();
        command.encode(out);
        if let (Some(transcript), Some(line)) = (&mut self.transcript, out.get(start..)) {
            let line = line.strip_suffix(b"\r\n").unwrap_or(line);
            let octets = &redaction::command(command, line);
            transcript.entry(self.now, Entry::Line { from: Side::Client, octets });
        }
    }

    /// Writes a line of the exchange of AUTH.
    pub(super) fn response(&mut self, response: &AuthResponse<'_>) {
        response.encode(self.send.text());
        let octets = redaction::response(response);
        self.log(Entry::Line { from: Side::Client, octets });
    }

    /// Hides a response that is about to be sent where the server repeats it: its base64, and the secret
    /// in it where the mechanism sends that itself.
    pub(super) fn hide_response(&mut self, response: &[u8], is_plaintext: bool) {
        let base64 = response.len().div_ceil(3).saturating_mul(4);
        self.send.expect_secret(LONGEST_AUTH.saturating_add(base64));
        self.redaction.note_response(response, is_plaintext);
    }

    pub(super) fn log(&mut self, entry: Entry<'_>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.entry(self.now, entry);
        }
    }

    /// Returns the next whole reply, with its length in octets; `None` in place of a positive one where
    /// success `is_enough` and its text is discarded.
    pub(super) fn next_reply(
        &mut self,
        config: &Config,
        line_limit: usize,
        is_enough: bool,
    ) -> Result<Option<(Option<Reply<'static>>, usize)>, ProtocolError> {
        let (limits, lenience) = (config.limits(), config.reply_lenience());
        let received = self.receive.octets();
        let length = match self.reader.next(received, limits, line_limit, lenience.has_bare_lf()) {
            Ok(None) => return Ok(None),
            Ok(Some(length)) => length,
            Err(error) => {
                // The transcript shows what it was, as far as it fits a line.
                let scrubbed = self.redaction.malformed(received);
                let received = scrubbed.as_deref().unwrap_or(received);
                let line = received.get(..received.len().min(limits.reply_line()));
                log_lines(&mut self.transcript, self.now, line.unwrap_or_default());
                return Err(error);
            }
        };
        let octets = received.get(..length).unwrap_or_default();
        let scrubbed = self.redaction.received(octets);
        let octets = scrubbed.as_deref().unwrap_or(octets);
        log_lines(&mut self.transcript, self.now, octets);
        let corrected = lenience.correct(octets, &mut self.forgiven);
        let octets = corrected.as_deref().unwrap_or(octets);
        let (reply, is_refusal) = match Reply::parse(octets)? {
            Some((reply, taken)) if taken == octets.len() => {
                let is_discarded = is_enough && reply.class() == Class::Completion;
                let is_refusal = reply.is_transient() || reply.is_permanent();
                ((!is_discarded).then(|| reply.into_owned()), is_refusal)
            }
            _ => return Err(ReplyError::Code.into()),
        };
        self.receive.consume(length);
        self.totals.replies += 1;
        self.totals.octets_received += length as u64;
        self.totals.refusals += u64::from(is_refusal);
        self.reply = Stopwatch::default();
        Ok(Some((reply, length)))
    }

    /// Returns the time at which `deadline` passes.
    pub(super) fn deadline(&mut self, deadline: Deadline, timeouts: &Timeouts) -> Instant {
        match (deadline, deadline.for_reply(timeouts)) {
            (_, Some(timeout)) => self.read_deadline(timeout),
            (Deadline::Write, _) => self.write_deadline(timeouts),
            (Deadline::Chunks, _) => self.chunk_deadline(timeouts),
            _ => {
                // No reply is due: this time is not the server's.
                self.pause();
                Instant::NEVER
            }
        }
    }

    /// Returns the time by which the server must have sent the whole reply.
    fn read_deadline(&mut self, timeout: Duration) -> Instant {
        self.reply.start(self.now);
        self.reply.deadline(self.now, timeout)
    }

    /// Returns the time by which the server must have replied to a chunk that is not the last. The replies to all
    /// chunks of a message share one deadline, which each octet moves by its time at the slowest
    /// rate: a server gains no time by small chunks.
    fn chunk_deadline(&mut self, timeouts: &Timeouts) -> Instant {
        let new = || TransferDeadline::new(timeouts.end_of_content(), timeouts.slowest_content());
        let chunks = self.chunks.get_or_insert_with(new);
        chunks.start(self.now);
        chunks.at(self.now)
    }

    /// Notes the reply to a chunk of `octets` octets, or to another command (`None`).
    pub(super) fn answered_chunk(&mut self, octets: Option<u64>) {
        match (&mut self.chunks, octets) {
            (Some(chunks), Some(octets)) => chunks.count(octets, self.now),
            (chunks, _) => *chunks = None,
        }
    }

    /// Returns the time by which the server must have taken the octets that wait (RFC 5321 section
    /// 4.5.3.2.5). It is the
    /// time for a block after the first octet began to wait; each octet that is taken moves it by
    /// its time at the slowest rate, and never beyond the time for a block from then on.
    fn write_deadline(&mut self, timeouts: &Timeouts) -> Instant {
        if let Some(chunks) = &mut self.chunks {
            chunks.stop(self.now);
        }
        let new = || TransferDeadline::new(timeouts.block(), timeouts.slowest_content());
        let block = self.block.get_or_insert_with(new);
        block.start(self.now);
        block.count(self.sent.saturating_sub(self.counted), self.now);
        self.counted = self.sent;
        block.at(self.now)
    }

    /// Notes that no octets wait to be sent. The content of a message has one deadline for all of its
    /// octets, also where all that were there have been taken.
    pub(super) fn is_written(&mut self, is_content: bool) {
        match &mut self.block {
            Some(block) if is_content => {
                block.count(self.sent.saturating_sub(self.counted), self.now);
                block.stop(self.now);
            }
            block => *block = None,
        }
        self.counted = self.sent;
    }

    /// Stops the deadlines while the application is asked: this time is not the server's.
    pub(super) fn pause(&mut self) {
        self.reply.stop(self.now);
        for transfer in [&mut self.block, &mut self.chunks].into_iter().flatten() {
            transfer.stop(self.now);
        }
    }
}

fn log_lines(transcript: &mut Option<Box<dyn Transcript>>, now: Instant, octets: &[u8]) {
    let Some(transcript) = transcript else { return };
    for octets in redaction::reply_lines(octets) {
        transcript.entry(now, Entry::Line { from: Side::Server, octets });
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("received", &self.receive.octets().len())
            .field("input", &self.input)
            .field("to_send", &self.send.len())
            .field("output", &self.output)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
