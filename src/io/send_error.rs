//! The error of a call that sends a message.

use crate::{
    client::{Client, ContentError, End, NotOffered, Outcome},
    envelope::Envelope,
    io::{ConnectError, SessionError, session_error::end_or_loss},
    security::TlsFailureKind,
    syntax::{Reply, Verb},
};
use alloc::{boxed::Box, sync::Arc};
use core::fmt;
use std::io::{self, ErrorKind};

/// The error of a call that sends a message: the reason, and the envelope for the next attempt.
///
/// No recipient has the message, so it may be sent again as a whole. Where a recipient has a reply of its own, or
/// may have the message, the call returns a [`Report`](crate::client::Report) instead, also when the
/// session has ended. A session that died before the transaction and one that died in it without such a
/// reply are the same error.
///
/// ```no_run
/// use esmtp::{client::Config, envelope::Envelope, io::blocking};
///
/// /// Sends to the first of these hosts that takes the message (RFC 5321 section 5.1).
/// fn deliver(hosts: &[&str], mut envelope: Envelope, content: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
///     for host in hosts {
///         let Ok(mut session) = blocking::connect((*host, 25), Config::new("me.example.org")?) else {
///             continue; // no connection: the next host
///         };
///         match session.send(envelope, content) {
///             Ok(report) => {
///                 for recipient in report.recipients() {
///                     println!("{} {}", recipient.path(), recipient.outcome());
///                 }
///                 return Ok(());
///             }
///             Err(error) if error.try_next_host() => {
///                 println!("{host}: {error}"); // mx.example.net: the server refused … 421 4.3.2 shutting down
///                 envelope = error.into_envelope();
///             }
///             Err(error) => return Err(error.into()),
///         }
///     }
///     Err("no host takes the message".into())
/// }
/// ```
pub struct SendError {
    inner: Box<Inner>,
}

struct Inner {
    envelope: Arc<Envelope>,
    has_begun: bool,
    failure: SendFailure,
}

/// The reason for which a message was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendFailure {
    /// The server does not offer what the message needs, or the message is invalid. Nothing was sent,
    /// and the session goes on.
    #[error(transparent)]
    NotOffered(NotOffered),
    /// The content must not be sent, and was aborted.
    #[error(transparent)]
    Content(ContentError),
    /// The content could not be read, and was aborted.
    #[error("the content could not be read: {0}")]
    Source(io::Error),
    /// The server has rejected a command outside transactions, and the session is being ended.
    #[error("the server refused {}: {reply}", .verb.as_str())]
    Refused {
        /// The command.
        verb: Verb,
        /// The negative reply.
        reply: Reply<'static>,
    },
    /// The session has ended.
    #[error(transparent)]
    Ended(End),
    /// The connection was lost.
    #[error("the connection was lost: {0}")]
    Lost(io::Error),
    /// A pool could open no session. Nothing was sent.
    #[error(transparent)]
    Connect(ConnectError),
    /// The pool is closed ([`Pool::close`](crate::io::tokio::Pool::close)). Nothing was sent.
    #[cfg(feature = "tokio")]
    #[error("the pool of sessions is closed")]
    PoolClosed,
}

impl From<ConnectError> for SendFailure {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

/// The connection could not be made, or was lost.
impl From<io::Error> for SendFailure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl SendError {
    pub(crate) fn new(envelope: Arc<Envelope>, has_begun: bool, failure: SendFailure) -> Self {
        Self { inner: Box::new(Inner { envelope, has_begun, failure }) }
    }

    /// Returns the envelope, unchanged.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.inner.envelope
    }

    /// Gives the envelope back, for the next attempt.
    #[must_use]
    pub fn into_envelope(self) -> Envelope {
        Arc::unwrap_or_clone(self.inner.envelope)
    }

    /// Returns the reason.
    #[must_use]
    pub fn failure(&self) -> &SendFailure {
        &self.inner.failure
    }

    /// Returns whether no octet of the transaction was sent: it had not begun. Otherwise the server has
    /// seen a part of it, and has accepted it for no recipient.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        !self.inner.has_begun
    }

    /// Returns the reason for which the session has ended, if that is the reason.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        match &self.inner.failure {
            SendFailure::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Returns the reply of the server that is the reason, if there is one.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply<'static>> {
        match &self.inner.failure {
            SendFailure::Ended(end) => end.reply(),
            SendFailure::Refused { reply, .. } => Some(reply),
            SendFailure::Connect(error) => error.reply(),
            _ => None,
        }
    }

    /// Returns whether a later attempt with this host may succeed. It is the opposite of
    /// [`is_permanent`](Self::is_permanent).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !self.is_permanent()
    }

    /// Returns whether this host will not take the message later either: it does not offer what the
    /// message needs, the content is invalid, or it has said so with a 5yz reply. Another host may take
    /// it ([`try_next_host`](Self::try_next_host)).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match &self.inner.failure {
            SendFailure::NotOffered(_) | SendFailure::Content(_) => true,
            SendFailure::Refused { reply, .. } => reply.is_permanent(),
            SendFailure::Ended(end) => end.is_permanent(),
            SendFailure::Connect(error) => error.is_permanent(),
            SendFailure::Source(_) | SendFailure::Lost(_) => false,
            #[cfg(feature = "tokio")]
            SendFailure::PoolClosed => false,
        }
    }

    /// Returns whether another host of the domain (the next MX) may take the message (RFC 5321 section
    /// 5.1): the session has ended in a way that [justifies it](End::try_next_host), the connection was
    /// lost, or this host lacks an extension that the message needs.
    #[must_use]
    pub fn try_next_host(&self) -> bool {
        match &self.inner.failure {
            SendFailure::NotOffered(obstacles) => !obstacles.is_for_every_server(),
            SendFailure::Ended(end) => end.try_next_host(),
            SendFailure::Connect(error) => error.try_next_host(),
            SendFailure::Lost(_) => true,
            SendFailure::Refused { verb, .. } => *verb == Verb::StartTls,
            SendFailure::Content(_) | SendFailure::Source(_) => false,
            #[cfg(feature = "tokio")]
            SendFailure::PoolClosed => false,
        }
    }

    /// Returns the kind of [`io::Error`] that fits the failure: that of the stream or the source where one of
    /// them failed, [`ErrorKind::InvalidInput`] and [`ErrorKind::InvalidData`] for an invalid message or
    /// content.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.inner.failure {
            SendFailure::NotOffered(_) => ErrorKind::InvalidInput,
            SendFailure::Content(_) => ErrorKind::InvalidData,
            SendFailure::Source(error) | SendFailure::Lost(error) => error.kind(),
            SendFailure::Refused { .. } => ErrorKind::PermissionDenied,
            SendFailure::Ended(end) => kind_of(end),
            SendFailure::Connect(error) => error.kind(),
            #[cfg(feature = "tokio")]
            SendFailure::PoolClosed => ErrorKind::NotConnected,
        }
    }

    /// Returns the outcome for each of the recipients, for a caller that treats it as that of a
    /// report: the reply that has ended the session, or none.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.inner.failure {
            SendFailure::Ended(End::Refused(reply)) => Outcome::Replied(Arc::clone(reply)),
            _ => Outcome::Untried,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner.failure, f)
    }
}

/// The failure, and a few of the recipients, however many there are: `main` shows an error in this form.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("failure", &self.inner.failure)
            .field("is_unsent", &self.is_unsent())
            .field("envelope", &self.inner.envelope)
            .finish()
    }
}

impl core::error::Error for SendError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        core::error::Error::source(&self.inner.failure)
    }
}

/// So that `?` works in the session function of a gateway.
impl From<SendError> for SessionError {
    fn from(error: SendError) -> Self {
        Self::Application(Box::new(error))
    }
}

/// An `io::Error` with the kind that fits the failure and the `SendError` inside, so that `?` works in
/// functions that return one.
impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Returns the kind of `io::Error` that fits the end of a session.
fn kind_of(end: &End) -> ErrorKind {
    match end {
        End::Refused(_) | End::PeerClosed(_) => ErrorKind::ConnectionAborted,
        End::TimedOut => ErrorKind::TimedOut,
        End::Protocol(_) => ErrorKind::InvalidData,
        End::TlsFailed(failure) => match failure.kind() {
            TlsFailureKind::TimedOut => ErrorKind::TimedOut,
            TlsFailureKind::CutOff => ErrorKind::ConnectionAborted,
            _ => ErrorKind::InvalidData,
        },
        End::NoTlsLayer => ErrorKind::Unsupported,
        _ => ErrorKind::NotConnected,
    }
}

impl SendFailure {
    /// Returns the failure of a call whose session is over, with the error of its stream if that is where
    /// it was lost.
    pub(crate) fn over(client: &Client, error: Option<SessionError>) -> Self {
        end_or_loss(client, error).map_or_else(Self::Lost, Self::Ended)
    }
}
