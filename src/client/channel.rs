//! The two directions of the connection: what is on its way out, what came in, and for how long
//! we have waited.

use super::{
    config::{Limits, Timeouts},
    error::ProtocolError,
    queue::ReplyReader,
};
use crate::{
    machine::Closed,
    syntax::{Command, Reply, ReplyError},
    time::{Instant, Stopwatch},
    transcript::{Entry, Side, Transcript},
    wire::{ReceiveBuffer, SendBuffer},
};
use alloc::boxed::Box;
use core::{fmt, time::Duration};

pub(super) struct Channel {
    pub(super) receive: ReceiveBuffer,
    reader: ReplyReader,
    pub(super) input: Input,
    pub(super) send: SendBuffer,
    pub(super) output: Output,
    /// Octets that have left.
    pub(super) sent: u64,
    pub(super) transcript: Option<Box<dyn Transcript>>,
    pub(super) now: Instant,
    reply: Stopwatch,
    block: Block,
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

/// What waited to be sent when we began to wait for the server to take it.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    octets: u64,
    /// Where it ends among all octets of the session.
    end: u64,
    watch: Stopwatch,
}

impl Channel {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            // A reply that is still unfinished at its limit leaves room for the next octet.
            receive: ReceiveBuffer::new(
                limits.reply_octets.saturating_add(limits.reply_line).saturating_add(1),
            ),
            reader: ReplyReader::default(),
            input: Input::Open,
            send: SendBuffer::default(),
            output: Output::Open,
            sent: 0,
            transcript: None,
            now: Instant::ORIGIN,
            reply: Stopwatch::default(),
            block: Block::default(),
        }
    }

    /// Octets that have left or wait to.
    pub(super) fn written(&self) -> u64 {
        self.sent.saturating_add(self.send.len() as u64)
    }

    /// Writes a command line.
    pub(super) fn say(&mut self, command: &Command<'_>) {
        let out = self.send.text();
        let start = out.len();
        command.encode(out);
        if let (Some(transcript), Some(line)) = (&mut self.transcript, out.get(start..)) {
            let octets = line.strip_suffix(b"\r\n").unwrap_or(line);
            transcript.entry(self.now, Entry::Line { from: Side::Client, octets });
        }
    }

    pub(super) fn log(&mut self, entry: Entry<'_>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.entry(self.now, entry);
        }
    }

    /// The next whole reply, with its length in octets.
    pub(super) fn next_reply(
        &mut self,
        limits: &Limits,
    ) -> Result<Option<(Reply<'static>, usize)>, ProtocolError> {
        let received = self.receive.octets();
        let length = match self.reader.next(received, limits) {
            Ok(None) => return Ok(None),
            Ok(Some(length)) => length,
            Err(error) => {
                // What it was, as far as it fits a line, is worth knowing.
                let line = received.get(..received.len().min(limits.reply_line));
                log_lines(&mut self.transcript, self.now, line.unwrap_or_default());
                return Err(error);
            }
        };
        let octets = received.get(..length).unwrap_or_default();
        log_lines(&mut self.transcript, self.now, octets);
        let reply = match Reply::parse(octets)? {
            Some((reply, taken)) if taken == length => reply.into_owned(),
            _ => return Err(ReplyError::Code.into()),
        };
        self.receive.consume(length);
        self.reply = Stopwatch::default();
        Ok(Some((reply, length)))
    }

    /// By when the server must have replied, if it may take so long for the whole reply.
    pub(super) fn read_deadline(&mut self, timeout: Duration) -> Instant {
        self.reply.start(self.now);
        self.reply.deadline(self.now, timeout)
    }

    /// By when the server must have taken what waits (RFC 5321 section 4.5.3.2.5): all of it, so
    /// that taking octet by octet gains no time.
    pub(super) fn write_deadline(&mut self, timeouts: &Timeouts) -> Instant {
        if self.sent >= self.block.end {
            let octets = self.send.len() as u64;
            self.block = Block { octets, end: self.written(), watch: Stopwatch::default() };
        }
        let allowance = timeouts.block.saturating_add(timeouts.rate.time_for(self.block.octets));
        self.block.watch.start(self.now);
        self.block.watch.deadline(self.now, allowance)
    }

    /// The application is asked: this time is not the server's.
    pub(super) fn pause(&mut self) {
        self.reply.stop(self.now);
        self.block.watch.stop(self.now);
    }
}

fn log_lines(transcript: &mut Option<Box<dyn Transcript>>, now: Instant, octets: &[u8]) {
    let Some(transcript) = transcript else { return };
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let octets = line.strip_suffix(b"\r\n").unwrap_or(line);
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
