//! The channel of a session, for either side: its buffers, the state of the link, the deadlines of
//! reading and writing, the totals of octets and of wait times, and the transcript.

use crate::{
    machine::{Closed, Need},
    redaction::{self, Known, Line, Redaction},
    security::TlsFailure,
    syntax::{AuthResponse, Command, Reply},
    time::{Allowance, Instant, Pace, Stopwatch, TransferTime},
    transcript::{Entry, Side, Transcript},
    wire::{ReceiveBuffer, SendBuffer},
};
use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::{fmt, time::Duration};

/// Octets of `AUTH`, the longest name of a mechanism (RFC 4422 section 3.1) and CRLF.
const LONGEST_AUTH: usize = 64;
/// The first allocation of the send buffer: the reply to EHLO, or the commands of a transaction.
const FIRST_SEND: usize = 512;

/// The channel of a session.
pub(crate) struct Channel {
    pub(crate) receive: ReceiveBuffer,
    /// Absent while nothing waits to be sent, once it was released.
    send: Option<Box<SendBuffer>>,
    link: Link,
    awaited: Awaited,
    /// Command lines that were sent or received.
    commands: u32,
    /// The moment of the last poll.
    now: Instant,
    /// The time spent waiting for the peer to send the line that is due, or to stay silent.
    reading: Stopwatch,
    /// The time that octets have waited to be sent.
    writing: TransferTime,
    octets_received: u64,
    octets_sent: u64,
    /// Octets of `octets_sent` that `writing` has not counted.
    taken: u32,
    /// Nanoseconds spent waiting for the peer.
    peer_time: u64,
    /// Nanoseconds spent waiting for the application.
    application_time: u64,
    /// Absent without a transcript, a secret and a failure.
    record: Option<Box<Record>>,
}

/// The state of the link to the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Link {
    /// The way in which the direction from the peer ended.
    closed: Option<Closed>,
    /// Nothing more can be sent.
    is_broken: bool,
}

/// The side that was waited for since the last poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Neither,
    Peer,
    Application,
}

/// A function that returns what may be shown of a line.
type Shown = for<'l> fn(&mut Redaction, Line<'l>) -> Cow<'l, [u8]>;

/// The transcript, the secrets that are shown neither in it nor to the application, and the failure of TLS.
#[derive(Default)]
struct Record {
    /// With it comes the function for a server's lines, so that a program without a transcript does not hold it (20 kB).
    transcript: Option<(Box<dyn Transcript>, Shown)>,
    redaction: Redaction,
    /// The reason for which TLS has failed after its handshake.
    tls_failure: Option<TlsFailure>,
}

impl Channel {
    /// Returns the channel at the beginning of a session, with a receive buffer of this size.
    pub(crate) fn new(receive_buffer: usize) -> Self {
        Self {
            receive: ReceiveBuffer::new(receive_buffer),
            send: None,
            link: Link::default(),
            awaited: Awaited::Neither,
            commands: 0,
            now: Instant::ORIGIN,
            reading: Stopwatch::ZERO,
            writing: TransferTime::ZERO,
            octets_received: 0,
            octets_sent: 0,
            taken: 0,
            peer_time: 0,
            application_time: 0,
            record: None,
        }
    }

    // One poll after the other.

    /// Begins a poll: the time since the last one is that of the side that was waited for.
    pub(crate) fn begin(&mut self, now: Instant) {
        let time = match self.awaited {
            Awaited::Neither => None,
            Awaited::Peer => Some(&mut self.peer_time),
            Awaited::Application => Some(&mut self.application_time),
        };
        if let Some(time) = time {
            *time = time.saturating_add(now.nanoseconds_since(self.now));
        }
        self.now = now;
    }

    /// Ends a poll: notes the side that is waited for from now on.
    pub(crate) const fn end(&mut self, need: Need) -> Need {
        self.awaited = match need {
            Need::Read(_) | Need::Write(_) | Need::Either(_) => Awaited::Peer,
            Need::Answer => Awaited::Application,
            Need::Wait(_) | Need::Close => Awaited::Neither,
        };
        need
    }

    /// Returns whether the last poll has left the session waiting for the peer: deadlines pass in no other time.
    pub(crate) const fn has_awaited_peer(&self) -> bool {
        matches!(self.awaited, Awaited::Peer)
    }

    /// Returns the moment of the last poll.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    // Octets and the link.

    /// Counts octets that were read into the receive buffer.
    pub(crate) fn received(&mut self, octets: usize) {
        let before = self.receive.len();
        self.receive.received(octets);
        let octets = self.receive.len().saturating_sub(before);
        self.octets_received = self.octets_received.saturating_add(octets as u64);
    }

    /// Copies octets into the receive buffer, as many as it has room for, and returns how many.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> usize {
        let taken = self.receive.append(octets);
        self.octets_received = self.octets_received.saturating_add(taken as u64);
        taken
    }

    /// Counts octets that were sent.
    pub(crate) fn sent(&mut self, octets: usize) {
        let Some(send) = &mut self.send else { return };
        let octets = octets.min(send.len());
        send.sent(octets);
        self.octets_sent = self.octets_sent.saturating_add(octets as u64);
        self.taken = self.taken.saturating_add(u32::try_from(octets).unwrap_or(u32::MAX));
    }

    /// Frees the send buffer of a session that is idle, if it is empty.
    pub(crate) fn release_send(&mut self) {
        self.send.take_if(|send| send.is_empty());
    }

    /// Frees a send buffer that is empty and larger than the replies or commands of a transaction need.
    pub(crate) fn release_large_send(&mut self) {
        self.send.take_if(|send| send.is_empty() && send.text().capacity() > 2 * FIRST_SEND);
    }

    /// Returns the send buffer.
    pub(crate) fn send(&mut self) -> &mut SendBuffer {
        self.send.get_or_insert_with(first_send)
    }

    /// Returns how many octets wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.send.as_ref().map_or(0, |send| send.len())
    }

    /// Returns whether octets wait to be sent.
    pub(crate) fn has_output(&self) -> bool {
        self.send.as_ref().is_some_and(|send| !send.is_empty())
    }

    /// Fills in slices of the octets that wait to be sent, and returns how many were filled in.
    pub(crate) fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.send.as_ref().map_or(0, |send| send.slices(slices))
    }

    /// Discards the octets that wait to be sent.
    pub(crate) fn discard_output(&mut self) {
        if let Some(send) = &mut self.send {
            send.clear();
        }
    }

    /// Returns how many octets were sent or wait to be.
    pub(crate) fn written(&self) -> u64 {
        self.octets_sent.saturating_add(self.waiting() as u64)
    }

    /// Takes back the replies that wait after the first `written` octets of the session, unless one of
    /// them was sent; returns whether they were taken back.
    pub(crate) fn take_back(&mut self, written: u64) -> bool {
        let is_unsent = self.octets_sent <= written;
        if is_unsent {
            let octets = self.written().saturating_sub(written);
            let text = self.send().text();
            text.truncate(text.len().saturating_sub(usize::try_from(octets).unwrap_or(0)));
        }
        is_unsent
    }

    /// Notes that the peer will send nothing more. A connection that was cut off stays so.
    pub(crate) fn closed(&mut self, how: Closed) {
        if self.link.closed != Some(Closed::CutOff) {
            self.link.closed = Some(how);
        }
    }

    /// Notes that nothing more can be sent.
    pub(crate) fn unsendable(&mut self) {
        self.link.is_broken = true;
        self.discard_output();
    }

    /// Notes that TLS has failed after its handshake: the channel is of no more use.
    pub(crate) fn tls_failed(&mut self, why: TlsFailure) {
        self.record.get_or_insert_default().tls_failure = Some(why);
        self.closed(Closed::CutOff);
        self.unsendable();
    }

    /// Returns the reason for which TLS has failed after its handshake.
    pub(crate) fn tls_failure(&self) -> Option<&TlsFailure> {
        self.record.as_ref()?.tls_failure.as_ref()
    }

    /// Returns how the direction from the peer ended, once it has.
    pub(crate) const fn how_closed(&self) -> Option<Closed> {
        self.link.closed
    }

    /// Returns whether nothing more can be sent.
    pub(crate) const fn is_broken(&self) -> bool {
        self.link.is_broken
    }

    /// Returns whether the peer neither sends nor reads any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.link.is_broken || self.link.closed == Some(Closed::CutOff)
    }

    /// Returns whether both directions are open.
    pub(crate) const fn is_open(&self) -> bool {
        !self.link.is_broken && self.link.closed.is_none()
    }

    // The totals.

    /// Returns the octets received from the peer.
    pub(crate) const fn octets_received(&self) -> u64 {
        self.octets_received
    }

    /// Returns the octets sent to the peer.
    pub(crate) const fn octets_sent(&self) -> u64 {
        self.octets_sent
    }

    /// Returns the number of command lines.
    pub(crate) const fn commands(&self) -> u32 {
        self.commands
    }

    /// Returns the time spent waiting for the peer.
    pub(crate) const fn peer_time(&self) -> Duration {
        Duration::from_nanos(self.peer_time)
    }

    /// Returns the time spent waiting for the application.
    pub(crate) const fn application_time(&self) -> Duration {
        Duration::from_nanos(self.application_time)
    }

    // The deadlines.

    /// Starts or resumes the time in which the peer has to send what is due.
    pub(crate) fn start_reading(&mut self) {
        self.reading.start(self.now);
    }

    /// Returns the moment at which that time is over.
    pub(crate) fn read_deadline(&self, timeout: impl Into<Allowance>) -> Instant {
        self.reading.deadline(self.now, timeout)
    }

    /// Ends that time: what was due has come.
    pub(crate) const fn end_reading(&mut self) {
        self.reading = Stopwatch::ZERO;
    }

    /// Returns the moment by which the peer must have taken the octets that wait (RFC 5321 section
    /// 4.5.3.2.5), of which there are some.
    ///
    /// It is the time-out after the first octet began to wait. Each octet that is taken moves it by
    /// its time at the slowest rate, and never beyond the time-out from then on: a peer gains no time
    /// by taking octet by octet.
    pub(crate) fn write_deadline(&mut self, pace: Pace) -> Instant {
        self.writing.start(self.now);
        self.count_taken(pace);
        self.writing.deadline(self.now, pace)
    }

    fn count_taken(&mut self, pace: Pace) {
        if self.taken > 0 {
            self.writing.count(u64::from(core::mem::take(&mut self.taken)), self.now, pace);
        }
    }

    /// Notes that no octets wait to be sent. Content that goes on (`pace`) has one deadline for all of
    /// its octets, also where all that were there have been taken.
    pub(crate) fn is_written(&mut self, pace: Option<Pace>) {
        match pace {
            Some(pace) => {
                self.count_taken(pace);
                self.writing.stop(self.now);
            }
            None => {
                self.taken = 0;
                self.writing = TransferTime::ZERO;
            }
        }
    }

    /// Stops the deadlines while the application is asked: this time is not the peer's.
    pub(crate) const fn pause(&mut self) {
        self.reading.stop(self.now);
        self.writing.stop(self.now);
    }

    // The transcript.

    /// Reports from now on every line exchanged to `transcript`.
    pub(crate) fn set_transcript(&mut self, transcript: Box<dyn Transcript>) {
        let record = self.record.get_or_insert_default();
        record.transcript = Some((transcript, Redaction::shown));
    }

    /// Reports an entry.
    pub(crate) fn log(&mut self, entry: Entry<'_>) {
        if let Some(record) = &mut self.record {
            record.log(self.now, entry);
        }
    }
}

/// Returns an empty send buffer.
#[cold]
fn first_send() -> Box<SendBuffer> {
    let mut send = SendBuffer::default();
    // Most sessions need no more.
    send.text().reserve(FIRST_SEND);
    Box::new(send)
}

/// The lines of a client.
impl Channel {
    /// Writes a command line, and reports it without its secrets.
    pub(crate) fn command(&mut self, command: &Command<'_>) {
        self.commands = self.commands.saturating_add(1);
        let out = self.send().text();
        let start = out.len();
        command.encode(out);
        let end = out.len();
        if self.record.is_none() && Redaction::is_needed_for(command) {
            self.record = Some(Box::default());
        }
        if let Some(record) = &mut self.record {
            record.redaction.note_command(command);
            let text = self.send.as_mut().map(|send| &*send.text());
            if let Some(line) = text.and_then(|text| text.get(start..end)) {
                let line = line.strip_suffix(b"\r\n").unwrap_or(line);
                let octets = &redaction::command(command, line);
                record.log(self.now, Entry::Line { from: Side::Client, octets });
            }
        }
    }

    /// Writes a line of the exchange of AUTH.
    pub(crate) fn response(&mut self, response: &AuthResponse<'_>) {
        response.encode(self.send().text());
        let octets = redaction::response(response);
        self.log(Entry::Line { from: Side::Client, octets });
    }

    /// Hides a response that is about to be sent where the server repeats it: its base64, and the secret
    /// in it where the mechanism sends that itself.
    pub(crate) fn hide_response(&mut self, response: &[u8], is_plaintext: bool) {
        let base64 = response.len().div_ceil(3).saturating_mul(4);
        self.send().expect_secret(LONGEST_AUTH.saturating_add(base64));
        let record = self.record.get_or_insert_default();
        record.redaction.note_response(response, is_plaintext);
    }

    /// Reports a reply of `octets` octets at the front of the receive buffer; returns it without the
    /// secrets of the session, if it repeats one.
    pub(crate) fn reply_received(&mut self, octets: usize) -> Option<Vec<u8>> {
        let record = self.record.as_mut()?;
        let reply = self.receive.octets().get(..octets).unwrap_or_default();
        let scrubbed = record.redaction.received(reply);
        record.log_reply(self.now, scrubbed.as_deref().unwrap_or(reply));
        scrubbed
    }

    /// Reports the first `most` of the octets received, which are not a reply.
    pub(crate) fn malformed_received(&mut self, most: usize) {
        let Some(record) = &mut self.record else { return };
        let received = self.receive.octets();
        let scrubbed = record.redaction.malformed(received);
        let received = scrubbed.as_deref().unwrap_or(received);
        record.log_reply(self.now, received.get(..most).unwrap_or(received));
    }
}

/// The lines of a server.
impl Channel {
    /// Writes a reply, and reports it.
    pub(crate) fn reply(&mut self, reply: &Reply<'_>, is_enhanced: bool) {
        self.write_reply(|text| match is_enhanced {
            true => reply.encode(text),
            false => reply.without_status().encode(text),
        });
    }

    /// Writes a reply in its wire form, and reports it.
    pub(crate) fn write_reply(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let text = self.send().text();
        let start = text.len();
        write(text);
        if let (Some(record), Some(send)) = (&mut self.record, &mut self.send) {
            let reply = send.text().get(start..).unwrap_or_default();
            if let Some(reply) = record.shown(Line::Reply(reply)) {
                record.log_reply(self.now, &reply);
            }
        }
    }

    /// Counts a command line.
    pub(crate) const fn count_command(&mut self) {
        self.commands = self.commands.saturating_add(1);
    }

    /// Returns whether the lines of the session are reported.
    pub(crate) const fn has_record(&self) -> bool {
        self.record.is_some()
    }

    /// Reports a command line of the client.
    pub(crate) fn note_command(&mut self, line: &[u8], known: &dyn Known) {
        self.note(Line::Command(line, known));
    }

    /// Reports a line of the client's in the exchange of AUTH; `None`: one that was too long.
    pub(crate) fn note_response(&mut self, line: Option<&[u8]>) {
        self.note(Line::Response(line));
    }

    /// Notes the front of a line of the client that is too long, in the receive buffer.
    pub(crate) fn begin_long_line(&mut self) {
        if let Some(record) = &mut self.record {
            record.shown(Line::Long(self.receive.octets()));
        }
    }

    /// Reports a line of the client's that was too long.
    pub(crate) fn note_long_line(&mut self) {
        self.note(Line::Long(b""));
    }

    /// Reports a line of the client.
    fn note(&mut self, line: Line<'_>) {
        if let Some(record) = &mut self.record
            && let Some(octets) = &record.shown(line)
        {
            record.log(self.now, Entry::Line { from: Side::Client, octets });
        }
    }
}

impl Record {
    /// Returns what the transcript may show of a server's line; `None` without a transcript.
    fn shown<'l>(&mut self, line: Line<'l>) -> Option<Cow<'l, [u8]>> {
        let (_, shown) = self.transcript.as_ref()?;
        Some(shown(&mut self.redaction, line))
    }

    fn log(&mut self, now: Instant, entry: Entry<'_>) {
        if let Some((transcript, _)) = &mut self.transcript {
            transcript.entry(now, entry);
        }
    }

    /// Reports the lines of a reply.
    fn log_reply(&mut self, now: Instant, reply: &[u8]) {
        let Some((transcript, _)) = &mut self.transcript else { return };
        for octets in redaction::reply_lines(reply) {
            transcript.entry(now, Entry::Line { from: Side::Server, octets });
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("received", &self.receive.octets().len())
            .field("to_send", &self.waiting())
            .field("link", &self.link)
            .field("octets_sent", &self.octets_sent)
            .finish_non_exhaustive()
    }
}
