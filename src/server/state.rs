//! The phases of a session.

use super::event::Answer;
use crate::{
    syntax::{Host, Rejection},
    wire::{BareLineBreaks, Unstuffer},
};
use alloc::vec::Vec;

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
///     any, with a transaction that will not be delivered ──► Abort ────┘
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
    /// Content comes in, or waits for the application to take it.
    Content(Intake),
    /// Content that nobody wants comes in; its end is answered with this.
    Discard(Intake, Rejection),
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
    Hello { host: Host<'static>, is_extended: bool },
    Mail,
    Rcpt,
    Data,
    Deliver(Verdicts),
    Verify,
    Expand,
}

/// What comes when the application has heard that its transaction is over.
#[derive(Debug)]
pub(super) enum Then {
    Command,
    Discard(Intake, Rejection),
    Farewell(End),
    Closed(End),
}

impl From<Then> for Phase {
    fn from(then: Then) -> Self {
        match then {
            Then::Command => Self::Command,
            Then::Discard(intake, rejection) => Self::Discard(intake, rejection),
            Then::Farewell(end) => Self::Farewell(end),
            Then::Closed(end) => Self::Closed(end),
        }
    }
}

/// Content on its way in.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) unstuffer: Unstuffer,
    /// Octets of content so far, without stuffed dots and terminator.
    pub(super) octets: u64,
    /// Octets taken from the wire so far, without the terminator.
    pub(super) wire: u64,
    pub(super) lent: Lent,
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
    pub(super) fn new(policy: BareLineBreaks) -> Self {
        Self { unstuffer: Unstuffer::new(policy), octets: 0, wire: 0, lent: Lent::NOTHING }
    }

    /// So many octets of content have come, in so many octets of the wire.
    pub(super) const fn count(&mut self, content: usize, wire: usize) {
        self.octets = self.octets.saturating_add(content as u64);
        self.wire = self.wire.saturating_add(wire as u64);
    }
}

/// The answers to a whole message, one a recipient where the service replies so.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// One place a reply; `None` is still open.
    pub(super) places: Vec<Option<Answer>>,
    /// So many replies have been sent.
    pub(super) replied: usize,
}

/// Why a transaction that the application accepted will not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AbortReason {
    /// The client sent RSET.
    Reset,
    /// The client opened the session anew (RFC 5321 section 4.1.4).
    Hello,
    /// The application refused DATA or content.
    Refused,
    /// The content exceeds [`Limits::message`](super::Limits::message).
    TooLarge,
    /// The content holds a CR or LF outside CRLF at this octet.
    BareLineBreak(u64),
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
    /// The application refused the client and closed.
    Refused,
    /// The server was shut down.
    ShutDown,
}

impl End {
    /// What a transaction that is open at this end dies of.
    pub(super) const fn abort(self) -> AbortReason {
        match self {
            Self::Quit => AbortReason::Quit,
            Self::ConnectionLost => AbortReason::ConnectionLost,
            Self::TimedOut => AbortReason::TimedOut,
            Self::TooManyErrors => AbortReason::TooManyErrors,
            Self::Refused => AbortReason::Refused,
            Self::ShutDown => AbortReason::ShutDown,
        }
    }
}
