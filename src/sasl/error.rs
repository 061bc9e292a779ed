//! The errors of an exchange. No error holds octets of the peer.

use super::prepare::Unprepared;

/// A message that does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {reason}")]
pub struct Malformed {
    reason: &'static str,
}

impl Malformed {
    /// Creates an error, for custom mechanisms.
    #[must_use]
    pub const fn new(reason: &'static str) -> Self {
        Self { reason }
    }

    /// Returns the rule that the message violates.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

/// Credentials that no message can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A name, password or token without a character.
    #[error("a name, password or token is empty")]
    Empty,
    /// A character that would end the field that contains it.
    #[error("a name, password or token holds a character that the mechanism forbids")]
    Forbidden,
    /// More octets than the mechanism carries.
    #[error("a text is longer than the mechanism carries")]
    TooLong,
    /// The preparation of strings failed (RFC 4013).
    #[error("a name or password cannot be prepared")]
    Unprepared(#[from] Unprepared),
}

/// The reason why a client ends an exchange. The machine cancels it with `*`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InitiatorError {
    /// The challenge does not follow the mechanism's grammar.
    #[error("the server's challenge is malformed")]
    Malformed(#[from] Malformed),
    /// A challenge in a state where the mechanism has none.
    #[error("the server sent a challenge that the mechanism does not have")]
    UnexpectedChallenge,
    /// Success was announced before the exchange was complete, or after it failed: the server has
    /// not proven itself, or has not received the client's identity.
    #[error("the server announced success before the mechanism was complete")]
    Incomplete,
    /// The server does not know the password: its signature is wrong (RFC 5802 section 5).
    #[error("the server's signature is wrong")]
    WrongSignature,
    /// The server's nonce does not begin with the client's, or adds nothing to it (RFC 5802 section
    /// 5.1).
    #[error("the server's nonce does not extend the client's")]
    Nonce,
    /// The iteration count is so low that the password can be guessed (RFC 5802 section 5.1).
    #[error("the server asks for {announced} iterations, fewer than {floor}")]
    TooFewIterations {
        /// The count that the server asks for.
        announced: u32,
        /// The configured minimum.
        floor: u32,
    },
    /// The iteration count is so high that it is a denial of service against the client (RFC 5802
    /// section 9).
    #[error("the server asks for {announced} iterations, more than {cap}")]
    TooManyIterations {
        /// The count that the server asks for.
        announced: u32,
        /// The configured maximum.
        cap: u32,
    },
    /// An `m=` attribute: an extension that must be understood (RFC 5802 section 5.1).
    #[error("the server demands an extension that is not known")]
    MandatoryExtension,
    /// The server sent its reason for rejecting within the mechanism (`e=`, RFC 5802 section 5.1).
    #[error("the server refused: {0}")]
    Refused(Refused),
}

/// A server's reason for rejecting, `server-error-value` of RFC 5802 section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// `invalid-encoding`
    #[error("invalid-encoding")]
    InvalidEncoding,
    /// `extensions-not-supported`
    #[error("extensions-not-supported")]
    ExtensionsNotSupported,
    /// `invalid-proof`
    #[error("invalid-proof")]
    InvalidProof,
    /// `channel-bindings-dont-match`
    #[error("channel-bindings-dont-match")]
    ChannelBindingsDontMatch,
    /// `server-does-support-channel-binding`
    #[error("server-does-support-channel-binding")]
    ServerDoesSupportChannelBinding,
    /// `channel-binding-not-supported`
    #[error("channel-binding-not-supported")]
    ChannelBindingNotSupported,
    /// `unsupported-channel-binding-type`
    #[error("unsupported-channel-binding-type")]
    UnsupportedChannelBindingType,
    /// `unknown-user`
    #[error("unknown-user")]
    UnknownUser,
    /// `invalid-username-encoding`
    #[error("invalid-username-encoding")]
    InvalidUsernameEncoding,
    /// `no-resources`
    #[error("no-resources")]
    NoResources,
    /// `other-error`, and every unknown value.
    #[error("other-error")]
    Other,
}

impl Refused {
    pub(super) const ALL: [Self; 11] = [
        Self::InvalidEncoding,
        Self::ExtensionsNotSupported,
        Self::InvalidProof,
        Self::ChannelBindingsDontMatch,
        Self::ServerDoesSupportChannelBinding,
        Self::ChannelBindingNotSupported,
        Self::UnsupportedChannelBindingType,
        Self::UnknownUser,
        Self::InvalidUsernameEncoding,
        Self::NoResources,
        Self::Other,
    ];

    /// Returns the value on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidEncoding => "invalid-encoding",
            Self::ExtensionsNotSupported => "extensions-not-supported",
            Self::InvalidProof => "invalid-proof",
            Self::ChannelBindingsDontMatch => "channel-bindings-dont-match",
            Self::ServerDoesSupportChannelBinding => "server-does-support-channel-binding",
            Self::ChannelBindingNotSupported => "channel-binding-not-supported",
            Self::UnsupportedChannelBindingType => "unsupported-channel-binding-type",
            Self::UnknownUser => "unknown-user",
            Self::InvalidUsernameEncoding => "invalid-username-encoding",
            Self::NoResources => "no-resources",
            Self::Other => "other-error",
        }
    }

    /// Parses the value on the wire; an unknown value is [`Other`](Self::Other) (RFC 5802 section
    /// 7).
    #[must_use]
    pub fn from_value(value: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.as_str() == value).unwrap_or(Self::Other)
    }
}

/// The reason why a server ends an exchange without success.
///
/// [`reason`](Self::reason) maps it to a reply of RFC 4954 section 6; which of the credentials was
/// wrong belongs in the log and is not sent to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierError {
    /// The response does not follow the mechanism's grammar.
    #[error("the client's response is malformed")]
    Malformed(#[from] Malformed),
    /// AUTH carried an initial response, but in this mechanism the server speaks first
    /// (RFC 4954 section 4).
    #[error("an initial response for a mechanism in which the server speaks first")]
    UnexpectedInitialResponse,
    /// Name and password, or the proof or the token, do not match.
    #[error("the credentials are wrong")]
    Rejected,
    /// The application cannot answer at present.
    #[error("the credentials cannot be checked now")]
    Unavailable,
    /// The keys that the application stored are for another digest than the mechanism's.
    #[error("the stored keys are of another mechanism")]
    KeysOfAnotherMechanism,
    /// The preparation of a name or a password failed (RFC 4616 section 2, RFC 5802 section 5.1).
    #[error("a name or password cannot be prepared")]
    Unprepared(#[from] Unprepared),
    /// The nonce is not the one that was sent (RFC 5802 section 5.1).
    #[error("the client changed the nonce")]
    Nonce,
    /// An `m=` attribute: an extension that must be understood (RFC 5802 section 5.1).
    #[error("the client demands an extension that is not known")]
    MandatoryExtension,
    /// The client believes that no `-PLUS` mechanism was offered, but one was: an attacker removed
    /// it from the list (downgrade, RFC 5802 section 6).
    #[error("the client did not see the channel binding that was offered")]
    Downgrade,
    /// The client uses an unknown type of channel binding (RFC 5802 section 6).
    #[error("the type of channel binding is not supported")]
    UnsupportedChannelBinding,
    /// A `-PLUS` mechanism without channel binding, or channel binding without `-PLUS` (RFC 5801
    /// section 5).
    #[error("the channel binding flag does not go with the mechanism")]
    ChannelBindingFlag,
    /// The client's channel is not the server's, or the header was changed (RFC 5802 section 6).
    #[error("the channel bindings do not match")]
    ChannelBindingMismatch,
    /// A response after the exchange was over, or before the question was answered.
    #[error("a response out of turn")]
    OutOfTurn,
}

/// The class of a [`VerifierError`] that the client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The credentials are invalid: 535 5.7.8, one reply for all causes.
    Credentials,
    /// The message violates the mechanism's grammar: 501 5.5.2.
    Syntax,
    /// An initial response for a mechanism that has none: 501 5.7.0.
    InitialResponse,
    /// A temporary failure of the server: 454 4.7.0.
    Temporary,
}

impl VerifierError {
    /// Returns the class of the error, which determines the reply.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Malformed(_) | Self::OutOfTurn => Reason::Syntax,
            Self::UnexpectedInitialResponse => Reason::InitialResponse,
            Self::Unavailable | Self::KeysOfAnotherMechanism => Reason::Temporary,
            Self::Rejected
            | Self::Unprepared(_)
            | Self::Nonce
            | Self::MandatoryExtension
            | Self::Downgrade
            | Self::UnsupportedChannelBinding
            | Self::ChannelBindingFlag
            | Self::ChannelBindingMismatch => Reason::Credentials,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn reasons_of_refusal_read_what_they_write() {
        for reason in Refused::ALL {
            assert_eq!(Refused::from_value(reason.as_str()), reason);
            assert_eq!(reason.to_string(), reason.as_str());
        }
        assert_eq!(Refused::from_value("out-of-coffee"), Refused::Other);
    }

    /// 4422-3.6-a
    #[test]
    fn a_client_cannot_tell_what_was_wrong_with_its_credentials() {
        let causes = [
            VerifierError::Rejected,
            VerifierError::Unprepared(Unprepared),
            VerifierError::Nonce,
            VerifierError::ChannelBindingMismatch,
        ];
        assert!(causes.iter().all(|cause| cause.reason() == Reason::Credentials));
    }
}
