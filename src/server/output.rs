//! The replies that wait to be sent, and the transcript of the session.

use super::config::Config;
use crate::{
    redaction::{self, Redaction},
    service::Service,
    syntax::{Command, Extensions, Lenience, Reply},
    time::Instant,
    transcript::{Entry, Side, Transcript},
    wire::SendBuffer,
};
use alloc::boxed::Box;
use core::fmt;

/// The output of a session: replies that wait to be sent.
#[derive(Default)]
pub(super) struct Output {
    buffer: SendBuffer,
    /// Absent without a transcript.
    record: Option<Box<Record>>,
    /// The octets that wait and come before the mark, if nothing after it was sent.
    marked: Option<usize>,
    pub(super) now: Instant,
}

/// The transcript, and the secrets that it does not show.
struct Record {
    transcript: Box<dyn Transcript>,
    redaction: Redaction,
}

impl Output {
    /// Reports from now on every line exchanged to `transcript`.
    pub(super) fn record(&mut self, transcript: Box<dyn Transcript>) {
        self.record = Some(Box::new(Record { transcript, redaction: Redaction::default() }));
    }

    /// Adds a reply to the octets that wait.
    pub(super) fn reply(&mut self, reply: &Reply<'_>, is_enhanced: bool) {
        let text = self.buffer.text();
        let start = text.len();
        if is_enhanced {
            reply.encode(text);
        } else {
            reply.without_status().encode(text);
        }
        if let Some(record) = &mut self.record {
            let reply = text.get(start..).unwrap_or_default();
            let redacted = record.redaction.sent(reply);
            for octets in redaction::reply_lines(redacted.as_deref().unwrap_or(reply)) {
                record.transcript.entry(self.now, Entry::Line { from: Side::Server, octets });
            }
        }
    }

    /// Notes a command line of the client.
    pub(super) fn note_command(&mut self, line: &[u8], known: &Known<'_>) {
        if let Some(record) = &mut self.record {
            let octets = &record.redaction.command_line(line, known);
            record.transcript.entry(self.now, Entry::Line { from: Side::Client, octets });
        }
    }

    /// Notes a line of the client's in the exchange of AUTH; `None`: one that was too long.
    pub(super) fn note_response(&mut self, line: Option<&[u8]>) {
        if let Some(record) = &mut self.record {
            let octets = record.redaction.response_line(line.unwrap_or_default());
            record.transcript.entry(self.now, Entry::Line { from: Side::Client, octets });
        }
    }

    /// Notes the front of a line of the client that is too long.
    pub(super) fn begin_long_line(&mut self, front: &[u8]) {
        if let Some(record) = &mut self.record {
            record.redaction.long_line(front);
        }
    }

    /// Notes a line of the client's that was too long.
    pub(super) fn note_long_line(&mut self) {
        if let Some(record) = &mut self.record {
            let octets = record.redaction.long_line(b"");
            record.transcript.entry(self.now, Entry::Line { from: Side::Client, octets });
        }
    }

    pub(super) fn note(&mut self, entry: Entry<'_>) {
        if let Some(record) = &mut self.record {
            record.transcript.entry(self.now, entry);
        }
    }

    /// Marks the end of the replies that wait: later ones can be [taken back](Self::take_back)
    /// until they are sent.
    pub(super) fn mark(&mut self) {
        self.marked = Some(self.len());
    }

    /// Takes back the replies since the mark, unless some of them was sent; returns whether they were
    /// taken back.
    pub(super) fn take_back(&mut self) -> bool {
        let Some(marked) = self.marked.take() else { return false };
        let octets = self.len().saturating_sub(marked);
        let text = self.buffer.text();
        text.truncate(text.len().saturating_sub(octets));
        true
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn slices<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.buffer.slices(slices)
    }

    pub(super) fn sent(&mut self, octets: usize) {
        self.marked = self.marked.and_then(|marked| marked.checked_sub(octets));
        self.buffer.sent(octets);
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
    }
}

/// The commands and mechanisms that this server knows.
pub(super) struct Known<'s> {
    pub(super) config: &'s Config,
    pub(super) service: Service,
    pub(super) offered: &'s Extensions,
}

impl redaction::Known for Known<'_> {
    fn lenience(&self) -> Lenience {
        self.config.lenience()
    }

    fn has_command(&self, command: &Command<'_>) -> bool {
        match command {
            Command::Other { verb, .. } => self.config.custom_verb(verb).is_some(),
            other => self.service.knows(other.verb()),
        }
    }

    fn has_mechanism(&self, name: &str) -> bool {
        self.offered.mechanisms().any(|it| it.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("buffer", &self.buffer).finish_non_exhaustive()
    }
}
