//! The phases of a session.

use super::{
    auth::{Attempt, Dialogue},
    config::Fitness,
    delivery::Verdicts,
};
use crate::{
    sasl::{Proven, Verifier},
    syntax::{
        Argument, DomainList, HelloName, Node, Rejection, Reply, UnknownVerb, Uri,
        XclientAttributes, XforwardAttributes,
    },
    time::Instant,
    wire::{Chunk, LineBreaks, Span, Unstuffer},
};
use alloc::boxed::Box;

/// What a session is at.
///
/// ```text
/// Start ──► Asked(Connect) ──► Command ◄───────────────────────────────┐
///                                │ ▲ EHLO MAIL RCPT DATA VRFY EXPN …   │
///                                ▼ │                                   │
///                              Asked(…)                                │
///                                │ DATA accepted                       │
///                                ▼            end of content           │
///                             Content ──────────────► Asked(Deliver) ──┤
///                                │ refused                             │
///                                ▼                                     │
///                             Discard ─────── end of content ──────────┤
///                                                                      │
///     Asked(Auth) ──► Asked(Credentials) ◄──► Auth ──► Asked(Authenticated) ──► Command
///                                              └─────► Penance ───────────────► Command
///
///     any error of the client, where replies to errors are withheld ──► Penance ──► Command
///
///     any, with a transaction that will not be delivered ──► Abort ────┘
///
///     Asked(Atrn, Other) ──► Asked(HandOver): another protocol goes on here
///
///     any ──► Farewell (what is left goes out) ──► Closed
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing has happened yet.
    Start,
    /// A command is awaited.
    Command,
    /// The application owes an answer.
    Asked(Question),
    /// A response of the mechanism is awaited.
    Auth(Dialogue),
    /// This is said then, and not before.
    Penance(Instant, Reply<'static>),
    /// Content comes in, or waits for the application to take it.
    Content(Intake),
    /// Content that nobody wants comes in; its end is answered with this.
    Discard(Intake, Refusal),
    /// The application is told that its transaction is over.
    Abort(AbortReason, Then),
    /// The last replies go out.
    Farewell(End),
    /// Nothing more.
    Closed(End),
}

/// What the application is asked.
#[derive(Debug)]
pub(super) enum Question {
    Connect,
    Auth(Attempt),
    /// What the verifier cannot know.
    Credentials(Box<dyn Verifier>),
    Authenticated(Proven),
    StartTls,
    /// The TLS handshake is awaited.
    Upgrade,
    Hello {
        name: HelloName<'static>,
        is_extended: bool,
    },
    Mail,
    Rcpt,
    Data(Beginning),
    /// A URL that stands for content, in the course of it.
    Burl(Intake, Piece),
    Etrn(Node<'static>),
    Atrn(Option<DomainList<'static>>),
    /// A verb of the application's own.
    Other(UnknownVerb<'static>, Option<Argument<'static>>),
    /// Another protocol goes on here: who takes the channel over is awaited.
    HandOver,
    Xclient(XclientAttributes<'static>),
    Xforward(XforwardAttributes<'static>),
    Deliver(Verdicts),
    Verify,
    Expand,
}

/// What content gets at its end when nobody wants it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) rejection: Rejection,
    /// So many times: once a recipient where the service replies so.
    pub(super) replies: usize,
    /// Whether it counts as an error of the client's.
    pub(super) is_offence: bool,
}

/// What comes when the application has heard that its transaction is over.
#[derive(Debug)]
pub(super) enum Then {
    Command,
    Discard(Intake, Refusal),
    HandOver,
    Farewell(End),
    Closed(End),
}

impl From<Then> for Phase {
    fn from(then: Then) -> Self {
        match then {
            Then::Command => Self::Command,
            Then::Discard(intake, refusal) => Self::Discard(intake, refusal),
            Then::HandOver => Self::Asked(Question::HandOver),
            Then::Farewell(end) => Self::Farewell(end),
            Then::Closed(end) => Self::Closed(end),
        }
    }
}

/// How content is about to begin.
#[derive(Debug)]
pub(super) enum Beginning {
    /// DATA.
    Dots,
    /// BDAT.
    Chunk(PendingChunk),
    /// BURL.
    Url(Piece),
}

/// A URL that stands for a piece of content (RFC 4468 section 2).
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) uri: Uri<'static>,
    pub(super) is_last: bool,
}

/// A BDAT that has been read, and whose octets follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PendingChunk {
    pub(super) octets: u64,
    pub(super) is_last: bool,
}

/// What a transaction has heard of its content between two chunks.
#[derive(Debug, Default)]
pub(super) enum Body {
    /// Nothing.
    #[default]
    None,
    /// Chunks, and more will come.
    Chunks(Intake),
    /// A chunk was refused: those that are under way are discarded (RFC 3030 section 2). The last
    /// one gets so many replies: one, or one for each recipient (RFC 2033 section 4.3).
    Failed(usize),
}

/// How content is told from commands.
#[derive(Debug)]
enum Framing {
    /// By CRLF.CRLF at its end (DATA).
    Dots(Unstuffer),
    /// By count (BDAT).
    Chunks { left: Chunk, is_last: bool, breaks: LineBreaks },
}

/// Content on its way in.
#[derive(Debug)]
pub(super) struct Intake {
    framing: Framing,
    /// Octets of content so far, without stuffed dots and terminator.
    pub(super) octets: u64,
    /// Octets taken from the wire so far, for the chunk in progress if there are chunks, without
    /// the terminator.
    pub(super) wire: u64,
    pub(super) lent: Lent,
    /// A URL follows what has come so far.
    pub(super) url: Option<Piece>,
}

/// What the application has not taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lent {
    /// So many octets at the front of the receive buffer.
    Input(usize),
    /// Octets that stand for a bare line break.
    LineBreak(&'static [u8]),
}

impl Lent {
    pub(super) const NOTHING: Self = Self::Input(0);

    pub(super) const fn is_nothing(&self) -> bool {
        match self {
            Self::Input(octets) => *octets == 0,
            Self::LineBreak(rest) => rest.is_empty(),
        }
    }
}

impl Intake {
    /// Content behind DATA.
    pub(super) const fn dots(fitness: Fitness) -> Self {
        let unstuffer = Unstuffer::new(fitness.bare_line_breaks);
        Self::new(Framing::Dots(match fitness.rejects_nul {
            true => unstuffer.rejecting_nul(),
            false => unstuffer,
        }))
    }

    /// Content behind BDAT.
    pub(super) const fn chunks(fitness: Fitness, first: PendingChunk) -> Self {
        let (left, is_last) = (Chunk::new(first.octets), first.is_last);
        let breaks = LineBreaks::new(fitness.bare_line_breaks);
        let breaks = if fitness.rejects_nul { breaks.rejecting_nul() } else { breaks };
        Self::new(Framing::Chunks { left, is_last, breaks })
    }

    const fn new(framing: Framing) -> Self {
        Self { framing, octets: 0, wire: 0, lent: Lent::NOTHING, url: None }
    }

    /// The next chunk of the same content.
    pub(super) fn next_chunk(&mut self, chunk: PendingChunk) {
        if let Framing::Chunks { left, is_last, .. } = &mut self.framing {
            *left = Chunk::new(chunk.octets);
            *is_last = chunk.is_last;
            self.wire = 0;
        }
    }

    /// A URL that stands for the next piece of it.
    pub(super) fn next_url(&mut self, piece: Piece) {
        self.next_chunk(PendingChunk { octets: 0, is_last: piece.is_last });
        self.url = Some(piece);
    }

    /// Whether more content follows behind the end of this: a chunk that is not the last.
    pub(super) const fn is_to_be_continued(&self) -> bool {
        matches!(self.framing, Framing::Chunks { is_last: false, .. })
    }

    /// Whether the octets are counted rather than ended by a dot.
    pub(super) const fn is_counted(&self) -> bool {
        matches!(self.framing, Framing::Chunks { .. })
    }

    /// What the octets that have come begin with; what it covers is counted.
    pub(super) fn next(&mut self, octets: &[u8]) -> Span {
        let span = match &mut self.framing {
            Framing::Dots(unstuffer) => unstuffer.next(octets),
            Framing::Chunks { left, is_last, breaks } if left.is_complete() => {
                match *is_last || self.url.is_some() {
                    // What comes from elsewhere does not complete a line break either.
                    true => breaks.finish().unwrap_or(Span::End(0)),
                    false => Span::End(0),
                }
            }
            Framing::Chunks { left, breaks, .. } => {
                let span = breaks.next(octets.get(..left.span(octets)).unwrap_or_default());
                if let Span::Content(octets) | Span::Skip(octets) | Span::LineBreak(octets) = span {
                    left.consume(octets);
                }
                span
            }
        };
        let (content, wire) = match span {
            Span::Content(octets) => (octets, octets),
            Span::Skip(octets) => (0, octets),
            Span::LineBreak(octets) => (2, octets),
            Span::Bare(_) | Span::Nul(_) | Span::End(_) | Span::Incomplete => (0, 0),
        };
        self.octets = self.octets.saturating_add(content as u64);
        self.wire = self.wire.saturating_add(wire as u64);
        span
    }
}

/// Why a transaction that the application accepted will not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AbortReason {
    /// The client sent RSET.
    Reset,
    /// The client opened the session anew (RFC 5321 section 4.1.4).
    Hello,
    /// The application refused DATA, content, or the channel.
    Refused,
    /// The content exceeds [`Limits::message`](super::Limits::message).
    TooLarge,
    /// The content holds a CR or LF outside CRLF at this octet.
    BareLineBreak(u64),
    /// The content holds a NUL at this octet.
    Nul(u64),
    /// The client sent QUIT.
    Quit,
    /// The connection was lost, or closed in the middle of a transaction.
    ConnectionLost,
    /// The client let us wait too long.
    TimedOut,
    /// The client made too many errors.
    TooManyErrors,
    /// The server is shutting down.
    ShutDown,
    /// Another protocol goes on in this channel.
    HandedOver,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// The client said QUIT.
    Quit,
    /// The client closed the connection, or it was lost.
    ConnectionLost,
    /// The client let us wait too long.
    TimedOut,
    /// The client made too many errors, or sent far too much.
    TooManyErrors,
    /// Octets in the clear where TLS was agreed on (RFC 3207 section 6).
    Injection,
    /// The TLS handshake failed.
    NoTls,
    /// The client did not wait for its turn: it talked before the greeting, or sent octets behind a
    /// command whose reply it has to wait for (RFC 2920 section 3.1).
    OutOfTurn,
    /// A command that says how much content follows could not be understood.
    Unframed,
    /// The client speaks another protocol: HTTP, or TLS where nobody expects it.
    OtherProtocol,
    /// The application refused the client and closed.
    Refused,
    /// The server was shut down.
    ShutDown,
    /// The channel was to be taken over, and nobody has.
    HandedOver,
}

impl End {
    /// What a transaction that is open at this end dies of.
    pub(super) const fn abort(self) -> AbortReason {
        match self {
            Self::Quit => AbortReason::Quit,
            Self::ConnectionLost
            | Self::Injection
            | Self::NoTls
            | Self::OutOfTurn
            | Self::OtherProtocol => AbortReason::ConnectionLost,
            Self::TimedOut => AbortReason::TimedOut,
            Self::TooManyErrors | Self::Unframed => AbortReason::TooManyErrors,
            Self::Refused => AbortReason::Refused,
            Self::ShutDown => AbortReason::ShutDown,
            Self::HandedOver => AbortReason::HandedOver,
        }
    }
}
