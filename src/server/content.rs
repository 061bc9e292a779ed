//! The content of a transaction: how it is told from commands (framing), the octets lent to the
//! application, the discarding of refused content, and its deadline.

use super::{
    budget::Fault,
    config::Fitness,
    limits::{Limits, Timeouts},
    sequence::Stage,
};
use crate::{
    syntax::{Rejection, Uri},
    time::{Instant, Stopwatch, TransferTime},
    wire::{Chunk, LineBreaks, ReceiveBuffer, Span, Unstuffer},
};
use bytes::Bytes;
use core::mem;

/// The command that announced a piece of content.
#[derive(Debug)]
pub(super) enum Announced {
    /// DATA.
    Data,
    /// BDAT.
    Chunk(ChunkSize),
    /// BURL.
    Url(Url),
}

/// The arguments of BDAT (RFC 3030 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkSize {
    pub(super) octets: u64,
    pub(super) is_last: bool,
}

/// The arguments of BURL: a URL that stands for a piece of content (RFC 4468 section 2).
#[derive(Debug)]
pub(super) struct Url {
    pub(super) uri: Uri<'static>,
    pub(super) is_last: bool,
}

/// The reply to content that is discarded, due at its end.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) rejection: Rejection,
    /// The number of replies: one for each recipient where the service replies so.
    pub(super) replies: usize,
    pub(super) fault: Fault,
}

/// The consequence of the octets received.
#[derive(Clone, Copy, Debug)]
pub(super) enum Progress {
    /// Octets wait for the application.
    Lent,
    /// Octets were discarded.
    Discarded,
    /// More octets are needed.
    Need,
    /// The content breaks a rule: it is to be refused.
    Violation(Violation),
    /// A piece of the content has come to its [end](Content::end).
    End,
}

/// A rule that content breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// It is larger than a message may be.
    TooLarge,
    /// It holds a CR or LF outside CRLF at this octet.
    BareLineBreak(u64),
    /// It holds a NUL at this octet.
    Nul(u64),
}

/// The end of a piece of content.
#[derive(Debug)]
pub(super) enum Ending {
    /// A URL stands for what comes next.
    Url(Url),
    /// A chunk that is not the last.
    Chunk,
    /// The last chunk, or the end after DATA.
    Message,
    /// The end of content that was discarded.
    Refused(Refusal),
}

/// The content of the transaction in progress: one value for all of its pieces.
#[derive(Debug)]
pub(super) struct Content {
    state: State,
    framing: Framing,
    /// The number of replies to the last chunk of content of which a chunk was refused. Until then,
    /// or RSET, the chunks that are under way are discarded (RFC 3030 section 2).
    failed: Option<usize>,
    /// Octets of content so far, without stuffed dots and terminator.
    octets: u64,
    /// Octets of the piece in progress that were taken from the wire, without the terminator.
    wire: u64,
    lent: Lent,
    /// The URL that stands for what follows the octets so far.
    url: Option<Url>,
    clock: Option<Clock>,
}

/// The time that the content of a transaction has taken: over all of its pieces, and between them.
#[derive(Debug)]
struct Clock {
    transfer: TransferTime,
    /// The time since the content was refused.
    discarding: Option<Stopwatch>,
}

impl Clock {
    const ZERO: Self = Self { transfer: TransferTime::ZERO, discarding: None };
}

/// The progress of the content.
#[derive(Debug, Default)]
enum State {
    /// None has come, or it is over.
    #[default]
    Absent,
    /// A command has announced it, and the application is asked.
    Announced(Announced),
    /// Octets come in for the application.
    Receiving,
    /// A piece was accepted, and it was not the last.
    BetweenChunks,
    /// Octets come in and are discarded.
    Discarding(Refusal),
}

/// The way in which content is told from commands.
#[derive(Debug)]
enum Framing {
    /// By CRLF.CRLF at its end (DATA).
    Dots(Unstuffer),
    /// By count (BDAT).
    Chunks { left: Chunk, is_last: bool, breaks: LineBreaks },
}

impl Framing {
    const fn dots(fitness: Fitness) -> Self {
        let unstuffer = Unstuffer::new(fitness.bare_line_breaks);
        Self::Dots(if fitness.rejects_nul { unstuffer.rejecting_nul() } else { unstuffer })
    }

    const fn chunks(fitness: Fitness) -> Self {
        let breaks = LineBreaks::new(fitness.bare_line_breaks);
        let breaks = if fitness.rejects_nul { breaks.rejecting_nul() } else { breaks };
        Self::Chunks { left: Chunk::new(0), is_last: true, breaks }
    }

    /// Returns the span that `octets` begin with, and counts it. `has_url` says that content from
    /// elsewhere follows the chunk.
    fn next(&mut self, octets: &[u8], has_url: bool) -> Span {
        match self {
            Self::Dots(unstuffer) => unstuffer.next(octets),
            Self::Chunks { left, is_last, breaks } if left.is_complete() => {
                match *is_last || has_url {
                    // Content from elsewhere does not complete a line break either.
                    true => breaks.finish().unwrap_or(Span::End(0)),
                    false => Span::End(0),
                }
            }
            Self::Chunks { left, breaks, .. } => {
                let span = breaks.next(octets.get(..left.span(octets)).unwrap_or_default());
                if let Span::Content(octets) | Span::Skip(octets) | Span::LineBreak(octets) = span {
                    left.consume(octets);
                }
                span
            }
        }
    }
}

/// The octets that the application has not taken yet.
#[derive(Clone, Copy, Debug, Default)]
struct Lent {
    octets: usize,
    /// The gap after them in the receive buffer, which stuffed dots have left.
    gap: usize,
    /// They are the last octets of [`CRLF`], which stands for a bare line break, and not at the front of the receive
    /// buffer.
    is_line_break: bool,
}

const CRLF: &[u8] = b"\r\n";

impl Lent {
    const NOTHING: Self = Self { octets: 0, gap: 0, is_line_break: false };
    const LINE_BREAK: Self = Self { octets: CRLF.len(), gap: 0, is_line_break: true };

    /// Returns the octets of a line break that are left.
    fn line_break(self) -> Option<&'static [u8]> {
        let taken = CRLF.len().saturating_sub(self.octets);
        self.is_line_break.then(|| CRLF.get(taken..).unwrap_or_default())
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::NONE
    }
}

impl Content {
    /// No content.
    pub(super) const NONE: Self = Self {
        state: State::Absent,
        framing: Framing::chunks(Fitness::ANY),
        failed: None,
        octets: 0,
        wire: 0,
        lent: Lent::NOTHING,
        url: None,
        clock: None,
    };

    // How a piece begins.

    /// Notes that a command has announced the first piece.
    pub(super) fn announce(&mut self, announced: Announced) {
        self.state = State::Announced(announced);
    }

    /// Returns whether the first piece was announced by another command than DATA.
    pub(super) const fn is_chunk_announced(&self) -> bool {
        matches!(self.state, State::Announced(Announced::Chunk(_) | Announced::Url(_)))
    }

    /// Returns the announcement of the first piece, which begins or is refused now.
    pub(super) fn take_announced(&mut self) -> Option<Announced> {
        match mem::take(&mut self.state) {
            State::Announced(announced) => Some(announced),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Begins content that ends with CRLF.CRLF (RFC 5321 section 4.1.1.4).
    pub(super) fn begin_data(&mut self, fitness: Fitness) {
        self.clear();
        self.state = State::Receiving;
        self.framing = Framing::dots(fitness);
        self.clock = Some(Clock::ZERO);
    }

    /// Begins a chunk: the first, or a further one of the content in progress (RFC 3030 section 2).
    pub(super) fn begin_chunk(&mut self, size: ChunkSize, fitness: Fitness) {
        if !self.is_between_chunks() {
            self.clear();
            self.framing = Framing::chunks(fitness);
            self.clock = Some(Clock::ZERO);
        }
        self.state = State::Receiving;
        self.expect(size);
    }

    /// Begins a piece that a URL stands for (RFC 4468 section 2), after the end of the last chunk.
    pub(super) fn begin_url(&mut self, url: Url, fitness: Fitness) {
        self.begin_chunk(ChunkSize { octets: 0, is_last: url.is_last }, fitness);
        self.url = Some(url);
    }

    /// Begins a chunk that comes at the wrong time: its octets are no commands (RFC 3030 section 2).
    /// Until a transaction begins, all such chunks share one clock.
    pub(super) fn begin_discarded(&mut self, size: ChunkSize, rejection: Rejection, fault: Fault) {
        let replies = match self.failed {
            Some(replies) if size.is_last => replies,
            _ => 1,
        };
        if size.is_last {
            self.failed = None;
        }
        self.framing = Framing::chunks(Fitness::ANY);
        self.state = State::Discarding(Refusal { rejection, replies, fault });
        let clock = self.clock.get_or_insert(Clock::ZERO);
        clock.discarding.get_or_insert_default();
        self.expect(size);
    }

    fn expect(&mut self, size: ChunkSize) {
        if let Framing::Chunks { left, is_last, .. } = &mut self.framing {
            *left = Chunk::new(size.octets);
            *is_last = size.is_last;
        }
        self.wire = 0;
    }

    // Refusal and the end.

    /// Refuses the content in progress: its rest is discarded. At the end of the message there are
    /// this many `replies`.
    pub(super) fn refuse(&mut self, rejection: Rejection, replies: usize) {
        let continues = matches!(self.framing, Framing::Chunks { is_last: false, .. });
        self.failed = continues.then_some(replies);
        let replies = if continues { 1 } else { replies };
        self.state = State::Discarding(Refusal { rejection, replies, fault: Fault::NoProgress });
        if let Some(clock) = &mut self.clock {
            clock.discarding.get_or_insert_default();
        }
    }

    /// Returns the content after a piece without octets was refused: chunks that follow are
    /// discarded, and the last one has this many `replies`.
    pub(super) fn into_failed(self, replies: usize) -> Self {
        let mut clock = self.clock.unwrap_or(Clock::ZERO);
        clock.discarding.get_or_insert_default();
        Self { failed: Some(replies), clock: Some(clock), ..Self::default() }
    }

    /// Notes that a piece from elsewhere was accepted, and that it was not the last.
    pub(super) fn url_accepted(&mut self) {
        self.state = State::BetweenChunks;
    }

    /// Forgets the content: the transaction is over.
    pub(super) fn clear(&mut self) {
        // Field by field, for the whole would be copied.
        self.state = State::Absent;
        self.framing = Framing::chunks(Fitness::ANY);
        self.failed = None;
        self.octets = 0;
        self.wire = 0;
        self.lent = Lent::NOTHING;
        self.url = None;
        self.clock = None;
    }

    // How far it has come.

    /// Returns the stage of a session in which content has begun and a command is awaited.
    pub(super) const fn stage(&self) -> Option<Stage> {
        match self.state {
            _ if self.failed.is_some() => Some(Stage::Failed),
            State::BetweenChunks => Some(Stage::Chunking),
            _ => None,
        }
    }

    const fn is_between_chunks(&self) -> bool {
        matches!(self.state, State::BetweenChunks)
    }

    /// Returns whether the octets that come are discarded.
    pub(super) const fn is_discarding(&self) -> bool {
        matches!(self.state, State::Discarding(_))
    }

    /// Returns whether the piece in progress is the last one.
    pub(super) const fn is_last(&self) -> bool {
        !matches!(self.framing, Framing::Chunks { is_last: false, .. })
    }

    /// Returns whether the octets are counted (BDAT) rather than ended by a dot.
    pub(super) const fn is_counted(&self) -> bool {
        matches!(self.framing, Framing::Chunks { .. })
    }

    /// Returns the octets of content so far, without stuffed dots and terminator.
    pub(super) const fn octets(&self) -> u64 {
        self.octets
    }

    /// Returns the octets of the piece in progress that were taken from the wire.
    pub(super) const fn wire(&self) -> u64 {
        self.wire
    }

    // How long it may take.

    /// Begins or continues to wait for the peer: for octets, or for the command that announces the
    /// next piece.
    pub(super) fn wait(&mut self, now: Instant) {
        if let Some(clock) = &mut self.clock {
            clock.transfer.start(now);
            if let Some(discarding) = &mut clock.discarding {
                discarding.start(now);
            }
        }
    }

    /// Stops waiting for the peer: an answer of the application is due, or the content is over.
    pub(super) fn pause(&mut self, now: Instant) {
        if let Some(clock) = &mut self.clock {
            clock.transfer.stop(now);
            if let Some(discarding) = &mut clock.discarding {
                discarding.stop(now);
            }
        }
    }

    /// Returns the moment at which the content has taken too long.
    ///
    /// It is the deadline of a transfer, over all pieces and over the time between them. Content
    /// that was refused has a limit of its own besides, which a shut-down makes as short as the
    /// flat time-out.
    pub(super) fn deadline(&self, now: Instant, timeouts: &Timeouts, is_stopping: bool) -> Instant {
        let Some(clock) = &self.clock else { return Instant::NEVER };
        let deadline = clock.transfer.deadline(now, timeouts.content_pace());
        match &clock.discarding {
            Some(discarding) => {
                deadline.min(discard_deadline(discarding, now, timeouts, is_stopping))
            }
            None => deadline,
        }
    }

    // Framing.

    /// Reads the octets received, and consumes those that are not content. It may be as large as `limits` admit, and has
    /// the pace of `timeouts`.
    #[inline(always)]
    pub(super) fn advance(
        &mut self,
        receive: &mut ReceiveBuffer,
        limits: &Limits,
        now: Instant,
        timeouts: &Timeouts,
    ) -> Progress {
        // The octets that were lent when the content was refused.
        self.taken(usize::MAX, receive);
        loop {
            // The octets of one read are one piece: stuffed dots are removed where they are.
            if let Framing::Dots(unstuffer) = &mut self.framing {
                if receive.is_empty() {
                    return Progress::Need;
                }
                let found = unstuffer.unstuff(receive.octets_mut());
                let (content, consumed) = (found.content(), found.consumed());
                self.count(content, consumed, now, timeouts);
                if content > 0 {
                    self.lent = Lent { octets: content, gap: consumed - content, ..Lent::NOTHING };
                    return self.lend(limits);
                }
                receive.consume(consumed);
            }
            if let Some(progress) = self.take_span(receive, limits, now, timeouts) {
                return progress;
            }
        }
    }

    /// Takes the next span, of a chunk or after the content that a read has brought; `None` if more is to be taken.
    #[inline(never)]
    fn take_span(
        &mut self,
        receive: &mut ReceiveBuffer,
        limits: &Limits,
        now: Instant,
        timeouts: &Timeouts,
    ) -> Option<Progress> {
        Some(match self.framing.next(receive.octets(), self.url.is_some()) {
            Span::Content(octets) => {
                self.count(octets, octets, now, timeouts);
                self.lent = Lent { octets, ..Lent::NOTHING };
                self.lend(limits)
            }
            Span::LineBreak(octets) => {
                self.count(CRLF.len(), octets, now, timeouts);
                receive.consume(octets);
                self.lent = Lent::LINE_BREAK;
                self.lend(limits)
            }
            Span::Skip(octets) => {
                self.count(0, octets, now, timeouts);
                receive.consume(octets);
                return None;
            }
            Span::Bare(_) | Span::Nul(_) if self.is_discarding() => return None,
            Span::Bare(octet) => Progress::Violation(Violation::BareLineBreak(octet)),
            Span::Nul(octet) => Progress::Violation(Violation::Nul(octet)),
            Span::End(octets) => {
                receive.consume(octets);
                Progress::End
            }
            Span::Incomplete => Progress::Need,
        })
    }

    /// Counts octets of content, and the octets of the wire that they came from.
    #[inline]
    fn count(&mut self, content: usize, wire: usize, now: Instant, timeouts: &Timeouts) {
        self.octets = self.octets.saturating_add(content as u64);
        self.wire = self.wire.saturating_add(wire as u64);
        if let Some(clock) = &mut self.clock
            && wire > 0
        {
            clock.transfer.count(wire as u64, now, timeouts.content_pace());
        }
    }

    fn lend(&self, limits: &Limits) -> Progress {
        if self.is_discarding() {
            Progress::Discarded
        } else if self.octets > limits.message {
            Progress::Violation(Violation::TooLarge)
        } else {
            Progress::Lent
        }
    }

    /// Ends the piece whose octets are over.
    pub(super) fn end(&mut self) -> Ending {
        match mem::take(&mut self.state) {
            State::Discarding(refusal) => Ending::Refused(refusal),
            _ => match self.url.take() {
                Some(url) => Ending::Url(url),
                None if self.is_last() => Ending::Message,
                None => {
                    self.state = State::BetweenChunks;
                    Ending::Chunk
                }
            },
        }
    }

    // Lending.

    /// Returns whether octets wait for the application.
    pub(super) const fn is_lent(&self) -> bool {
        self.lent.octets > 0 && matches!(self.state, State::Receiving)
    }

    /// Returns the octets that wait for the application, which are in the receive buffer.
    pub(super) fn lent<'b>(&self, receive: &'b ReceiveBuffer) -> &'b [u8] {
        match self.lent.line_break() {
            Some(octets) => octets,
            None => receive.octets().get(..self.lent.octets).unwrap_or_default(),
        }
    }

    /// Takes the octets that wait for the application out of the receive buffer.
    pub(super) fn detach(&mut self, receive: &mut ReceiveBuffer) -> Bytes {
        let lent = mem::take(&mut self.lent);
        match lent.line_break() {
            Some(octets) => Bytes::from_static(octets),
            None => {
                let taken = receive.take(lent.octets);
                receive.consume(lent.gap);
                taken
            }
        }
    }

    /// Consumes the first `octets` of those that are lent: the application has processed them.
    #[inline]
    pub(super) fn taken(&mut self, octets: usize, receive: &mut ReceiveBuffer) {
        if self.lent.octets == 0 {
            return;
        }
        let is_all = octets >= self.lent.octets;
        if !self.lent.is_line_break {
            receive.consume(if is_all { self.lent.octets + self.lent.gap } else { octets });
        }
        match is_all {
            true => self.lent = Lent::NOTHING,
            false => self.lent.octets -= octets,
        }
    }
}

/// Returns the moment at which content that was refused has been discarded for too long.
#[cold]
fn discard_deadline(
    discarding: &Stopwatch,
    now: Instant,
    timeouts: &Timeouts,
    is_stopping: bool,
) -> Instant {
    let limit = match is_stopping {
        true => timeouts.discard.min(timeouts.content),
        false => timeouts.discard,
    };
    discarding.deadline(now, limit)
}
