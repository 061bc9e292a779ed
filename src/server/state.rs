//! The phases of a session.

use super::{
    auth::{Attempt, Dialogue},
    content::{Announced, Url},
    delivery::Verdicts,
};
use crate::{
    sasl::{Proven, Verifier},
    security::TlsFailure,
    syntax::{
        Argument, DomainList, HelloName, Node, Reply, UnknownVerb, XclientAttributes,
        XforwardAttributes,
    },
    time::Instant,
};
use alloc::boxed::Box;

/// What a session is at.
///
/// ```text
/// Start ──► Asked(Connect) ──► Command ◄───────────────────────────────┐
///                                │ ▲ EHLO MAIL RCPT DATA VRFY EXPN …   │
///                                ▼ │                                   │
///                              Asked(…)                                │
///                                │ DATA, BDAT or BURL accepted         │
///                                ▼            end of content           │
///                             Content ──────────────► Asked(Deliver) ──┤
///                                └─── refused: end of content ─────────┤
///                                                                      │
///     Asked(Auth) ──► Asked(Credentials) ◄──► Auth ──► Asked(Authenticated) ──► Command
///                                              └─────► Delayed ───────────────► Command
///
///     any command whose reply is withheld (tarpit) ──► Delayed ──► Command
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
    /// The reply is withheld until then.
    Delayed(Instant, Reply<'static>),
    /// Content comes in, or waits for the application to take it, or is discarded.
    Content,
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
    Data(Announced),
    /// A URL that stands for content, in the course of it.
    Burl(Url),
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

/// What comes when the application has heard that its transaction is over.
#[derive(Debug)]
pub(super) enum Then {
    Command,
    /// The reply is withheld until then.
    Delayed(Instant, Reply<'static>),
    /// What is left of the content, which was refused.
    Content,
    HandOver,
    Farewell(End),
    Closed(End),
}

impl From<Then> for Phase {
    fn from(then: Then) -> Self {
        match then {
            Then::Command => Self::Command,
            Then::Delayed(until, reply) => Self::Delayed(until, reply),
            Then::Content => Self::Content,
            Then::HandOver => Self::Asked(Question::HandOver),
            Then::Farewell(end) => Self::Farewell(end),
            Then::Closed(end) => Self::Closed(end),
        }
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// The client said QUIT.
    #[error("the client ended the session with QUIT")]
    Quit,
    /// The client closed the connection, or it was lost.
    #[error("the connection was closed by the client, or lost")]
    ConnectionLost,
    /// The client let us wait too long.
    #[error("the client took too long")]
    TimedOut,
    /// The client made too many errors, or sent far too much.
    #[error("the client made too many errors")]
    TooManyErrors,
    /// Octets in the clear where TLS was agreed on (RFC 3207 section 6).
    #[error("octets follow STARTTLS in the clear")]
    Injection,
    /// TLS failed, in the handshake or after it.
    #[error("TLS failed: {0}")]
    TlsFailed(TlsFailure),
    /// STARTTLS was agreed, and the server is in no TLS layer. The configuration announces STARTTLS,
    /// so the machine belongs into one: `tls::Secured::start_tls`, or one of the application's own
    /// that answers [`Event::Upgrade`](super::Event::Upgrade).
    #[error("STARTTLS is announced, but the server is in no TLS layer (tls::Secured::start_tls)")]
    NoTlsLayer,
    /// The client did not wait for its turn: it talked before the greeting, or sent octets behind a
    /// command whose reply it has to wait for (RFC 2920 section 3.1).
    #[error("the client did not wait for its turn")]
    OutOfTurn,
    /// A command that says how much content follows could not be understood.
    #[error("the client did not say how much content follows")]
    Unframed,
    /// The client speaks another protocol: HTTP, or TLS where nobody expects it.
    #[error("the client speaks another protocol")]
    OtherProtocol,
    /// The application refused the client and closed.
    #[error("the client was refused")]
    Refused,
    /// The server was shut down.
    #[error("the server is shutting down")]
    ShutDown,
    /// The channel was to be taken over, and nobody has.
    #[error("the channel was handed over, and no machine took it over")]
    HandedOver,
}

impl End {
    /// What a transaction that is open at this end dies of.
    pub(super) const fn abort(&self) -> AbortReason {
        match self {
            Self::Quit => AbortReason::Quit,
            Self::ConnectionLost
            | Self::Injection
            | Self::TlsFailed(_)
            | Self::NoTlsLayer
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
