//! The reasons for which a transaction or a session is over.

use crate::security::TlsFailure;

/// Why a transaction that the application accepted will not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AbortReason {
    /// The client sent RSET.
    Reset,
    /// The client sent a further hello (RFC 5321 section 4.1.4).
    Hello,
    /// The application rejected DATA, content, or the channel.
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
    /// The client missed a deadline.
    TimedOut,
    /// The client made too many errors.
    TooManyErrors,
    /// The server is shutting down.
    ShutDown,
    /// The application failed: see [`Server::fail`](super::Server::fail).
    Failed,
    /// Another protocol continues on this channel.
    HandedOver,
}

impl AbortReason {
    /// Returns a short word for the reason, which serves as a label of a metric: `reset`,
    /// `too_large`, `bare_line_break`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Hello => "hello",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::BareLineBreak(_) => "bare_line_break",
            Self::Nul(_) => "nul",
            Self::Quit => "quit",
            Self::ConnectionLost => "connection_lost",
            Self::TimedOut => "timed_out",
            Self::TooManyErrors => "too_many_errors",
            Self::ShutDown => "shut_down",
            Self::Failed => "failed",
            Self::HandedOver => "handed_over",
        }
    }
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// The client sent QUIT.
    #[error("the client ended the session with QUIT")]
    Quit,
    /// The client closed the connection, or it was lost.
    #[error("the connection was closed by the client, or lost")]
    ConnectionLost,
    /// The client missed a deadline.
    #[error("the client took too long")]
    TimedOut,
    /// The client made too many errors, or sent far too much.
    #[error("the client made too many errors")]
    TooManyErrors,
    /// Octets in the clear after STARTTLS (command injection, RFC 3207 section 6).
    #[error("octets follow STARTTLS in the clear")]
    Injection,
    /// TLS failed, in the handshake or after it.
    #[error("TLS failed: {0}")]
    TlsFailed(TlsFailure),
    /// STARTTLS was agreed, and the server is in no TLS layer. The configuration announces STARTTLS,
    /// so the machine belongs in one: `tls::Secured::start_tls`, or one of the application's own
    /// that answers [`Event::Upgrade`](super::Event::Upgrade).
    #[error("STARTTLS is announced, but the server is in no TLS layer (tls::Secured::start_tls)")]
    NoTlsLayer,
    /// The client was an early talker, or committed a pipelining violation: it sent octets before the
    /// greeting, or after a command whose reply it has to wait for (RFC 2920 section 3.1).
    #[error("the client did not wait for a reply")]
    OutOfSync,
    /// A BDAT command could not be parsed, so that the length of the content after it is unknown.
    #[error("the length of a chunk could not be parsed")]
    Unframed,
    /// The client speaks another protocol: HTTP, or TLS in the place of a command.
    #[error("the client speaks another protocol")]
    OtherProtocol,
    /// The application rejected the client and closed.
    #[error("the client was rejected")]
    Refused,
    /// The server was shut down.
    #[error("the server is shutting down")]
    ShutDown,
    /// The application failed, and its session was ended in its place: see
    /// [`Server::fail`](super::Server::fail).
    #[error("the application of the server has failed")]
    Failed,
    /// The channel was handed over, and no machine took it over.
    #[error("the channel was handed over, and no machine took it over")]
    HandedOver,
}

impl End {
    /// Returns a short word for the kind of end, which serves as a label of a metric: `quit`,
    /// `timed_out`, `tls_failed`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::ConnectionLost => "connection_lost",
            Self::TimedOut => "timed_out",
            Self::TooManyErrors => "too_many_errors",
            Self::Injection => "injection",
            Self::TlsFailed(_) => "tls_failed",
            Self::NoTlsLayer => "no_tls_layer",
            Self::OutOfSync => "out_of_sync",
            Self::Unframed => "unframed",
            Self::OtherProtocol => "other_protocol",
            Self::Refused => "refused",
            Self::ShutDown => "shut_down",
            Self::Failed => "failed",
            Self::HandedOver => "handed_over",
        }
    }

    /// Returns the abort reason of a transaction that is open when the session ends for this reason.
    pub(super) const fn abort_reason(&self) -> AbortReason {
        match self {
            Self::Quit => AbortReason::Quit,
            Self::ConnectionLost
            | Self::Injection
            | Self::TlsFailed(_)
            | Self::NoTlsLayer
            | Self::OutOfSync
            | Self::OtherProtocol => AbortReason::ConnectionLost,
            Self::TimedOut => AbortReason::TimedOut,
            Self::TooManyErrors | Self::Unframed => AbortReason::TooManyErrors,
            Self::Refused => AbortReason::Refused,
            Self::ShutDown => AbortReason::ShutDown,
            Self::Failed => AbortReason::Failed,
            Self::HandedOver => AbortReason::HandedOver,
        }
    }
}
