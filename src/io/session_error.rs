//! The errors of a session on an adapter.

use crate::client::{Client, End};
use alloc::{boxed::Box, string::String};
use core::error::Error;
use std::io;

/// The reason why the `next()` of an adapter returned no event.
///
/// It converts into an [`io::Error`], so that `?` works in functions that return one. There it is the
/// [inner error](io::Error::get_ref), unless it was an I/O error from the beginning.
///
/// ```
/// use esmtp::io::SessionError;
/// use std::io;
///
/// fn report(error: &SessionError) {
///     match error {
///         SessionError::Io(error) => eprintln!("the connection was lost: {error}"),
///         // A defect of this program, and not of the peer.
///         other => eprintln!("{other}"),
///     }
/// }
///
/// let lost = SessionError::from(io::Error::from(io::ErrorKind::ConnectionReset));
/// report(&lost);
/// assert_eq!(io::Error::from(lost).kind(), io::ErrorKind::ConnectionReset);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A read or write failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A question was returned 1,000 times within a second without an answer, and without any octet
    /// sent or received in between: a match arm forgot it. Content that is looked at and never
    /// consumed is such a question, too.
    #[error("{}", unanswered(event, *times))]
    Unanswered {
        /// The [name](crate::server::Event::name) of the question.
        event: &'static str,
        /// The number of the question in its session.
        number: u64,
        /// The number of times that it was returned.
        times: u32,
    },
    /// The application failed: `?` in a session function of `serve` makes this variant of a
    /// [`SendError`](super::SendError), of a [`ConnectError`](super::ConnectError), and of a boxed error (`Box<dyn Error + Send + Sync>`).
    #[error(transparent)]
    Application(Box<dyn Error + Send + Sync>),
}

impl From<Box<dyn Error + Send + Sync>> for SessionError {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::Application(error)
    }
}

impl SessionError {
    /// Returns the kind of the error of the stream, and [`io::ErrorKind::Other`] for other errors.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Unanswered { .. } | Self::Application(_) => io::ErrorKind::Other,
        }
    }
}

impl From<SessionError> for io::Error {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Io(error) => error,
            SessionError::Application(error) => Self::other(error),
            other @ SessionError::Unanswered { .. } => Self::other(other),
        }
    }
}

/// Returns the error where no question was asked: the session is over, with an error of its stream or without.
pub(super) fn over_unless_asked(
    asked: Result<bool, SessionError>,
) -> Result<(), Option<SessionError>> {
    match asked {
        Ok(true) => Ok(()),
        Ok(false) => Err(None),
        Err(error) => Err(Some(error)),
    }
}

/// Returns the end of a session that is over, or else the error of its stream if that is where it was lost.
pub(super) fn end_or_loss(client: &Client, error: Option<SessionError>) -> Result<End, io::Error> {
    match (client.end(), error.map(io::Error::from)) {
        (Some(End::PeerClosed(_) | End::Unsendable) | None, Some(error)) => Err(error),
        (Some(end), _) => Ok(end.clone()),
        (None, None) => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// Returns the mistake and its remedy.
fn unanswered(event: &str, times: u32) -> String {
    let remedy = match event {
        "Content" => "consume or write octets, or reject or abort the content",
        _ => "call one of its methods in every arm, or answer the event as a whole",
    };
    alloc::format!("Event::{event} was returned {times} times without an answer: {remedy}")
}
