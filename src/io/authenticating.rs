//! The state of one call of `authenticate`, apart from how its adapter waits.

use super::told;
use crate::{
    client::{Client, End, Event},
    io::{SessionError, session_error::end_or_loss},
    sasl::{Credentials, NoCommonMechanism, NoRandomness, Nonce},
    syntax::{Mechanism, Reply, Verb},
};
use alloc::string::String;
use std::io::{self, ErrorKind};

/// The reason for which a session has not authenticated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// The server has rejected the credentials. The session goes on.
    #[error("the server rejected the credentials: {reply}{}", told(.token_error.as_deref()))]
    Refused {
        /// The negative reply.
        reply: Reply<'static>,
        /// The JSON with which the server has rejected a token (RFC 7628 section 3.2.2);
        /// [`ErrorStatus`](crate::sasl::ErrorStatus) reads it.
        token_error: Option<String>,
    },
    /// The server offers no mechanism for these credentials, or the session has authenticated already. Nothing was sent.
    #[error(transparent)]
    NoMechanism(#[from] NoCommonMechanism),
    /// The system has no random octets for a nonce.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The session has ended: with [`End::Auth`] where the server has broken the mechanism or has not proven itself.
    #[error(transparent)]
    Ended(End),
    /// The connection was lost.
    #[error("the connection was lost: {0}")]
    Lost(io::Error),
}

impl AuthenticateError {
    /// Returns whether a later attempt with these credentials may succeed: after a 4yz reply, or where the session has
    /// ended without a reply.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { reply, .. } => reply.is_transient(),
            Self::NoMechanism(_) => false,
            Self::NoRandomness(_) | Self::Lost(_) => true,
            Self::Ended(end) => end.is_transient(),
        }
    }

    /// Returns the error of a session that is over.
    pub(super) fn over(client: &Client, error: Option<SessionError>) -> Self {
        end_or_loss(client, error).map_or_else(Self::Lost, Self::Ended)
    }
}

/// An `io::Error` with the `AuthenticateError` inside, so that `?` works in functions that return one.
impl From<AuthenticateError> for io::Error {
    fn from(error: AuthenticateError) -> Self {
        let kind = match &error {
            AuthenticateError::Refused { .. } => ErrorKind::PermissionDenied,
            AuthenticateError::NoMechanism(_) => ErrorKind::Unsupported,
            AuthenticateError::NoRandomness(_) => ErrorKind::Other,
            AuthenticateError::Ended(_) => ErrorKind::ConnectionAborted,
            AuthenticateError::Lost(lost) => lost.kind(),
        };
        Self::new(kind, error)
    }
}

/// An attempt to authenticate.
#[derive(Debug)]
pub(super) struct Authenticating<'c> {
    credentials: &'c Credentials,
    nonce: Option<Nonce>,
    mechanism: Option<Mechanism>,
    done: Option<Result<Mechanism, AuthenticateError>>,
}

impl<'c> Authenticating<'c> {
    pub(super) fn new(credentials: &'c Credentials) -> Result<Self, AuthenticateError> {
        let nonce = Some(Nonce::generate()?);
        Ok(Self { credentials, nonce, mechanism: None, done: None })
    }

    /// Handles an event of the client; returns the result, once it is known.
    pub(super) fn on(&mut self, event: Event<'_>) -> Option<Result<Mechanism, AuthenticateError>> {
        match (event, self.mechanism) {
            // It stays open for the next call.
            (Event::Ready(ready), Some(mechanism)) => {
                drop(ready);
                return Some(self.done.take().unwrap_or(Ok(mechanism)));
            }
            (Event::Ready(ready), None) => {
                let nonce = self.nonce.take()?;
                match ready.authenticate_as(self.credentials, nonce) {
                    Ok(mechanism) => self.mechanism = Some(mechanism),
                    Err(error) => return Some(Err(error.into())),
                }
            }
            (Event::Refused(refused), _) => {
                if refused.verb() == Verb::Auth {
                    let reply = refused.reply().clone();
                    let token_error = refused.token_error().map(String::from);
                    self.done = Some(Err(AuthenticateError::Refused { reply, token_error }));
                }
                refused.go_on();
            }
            (other, _) => drop(super::sending::foreign(other)),
        }
        None
    }
}
