//! Negative replies.

use core::fmt;

use super::{Class, Code, Reply, Status, Text};

/// A negative reply: 4yz or 5yz, with an enhanced status.
///
/// An application rejects with it, so that no rejection can hold a positive code.
///
/// ```
/// use esmtp::syntax::{Code, Rejection, Status, Text};
///
/// const GREYLISTED: Rejection =
///     Rejection::transient(Status::NOT_AUTHORISED, Text::literal("Please come back in five minutes"));
/// assert_eq!(GREYLISTED.code(), Code::LOCAL_ERROR);
/// assert!(Rejection::new(Code::OK, Status::OTHER, Text::literal("No")).is_err());
/// ```
#[doc(alias("Refusal", "deny"))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rejection(Reply<'static>);

/// A rejection with a code that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rejection needs a reply code from 400 to 599")]
pub struct InvalidRejection(pub Code);

macro_rules! rejections {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $text:literal;)*) => {
        impl Rejection {
            $($(#[$doc])*
            pub const $name: Self =
                Self(Reply::constant(Code::known($code), Status::$status, Text::literal($text)));)*

            /// Every named rejection.
            pub const NAMED: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

rejections! {
    /// 550 5.1.1: the mailbox does not exist.
    NO_SUCH_MAILBOX = 550, NO_SUCH_MAILBOX, "No such mailbox here";
    /// 450 4.2.1: the mailbox accepts no messages now.
    MAILBOX_BUSY = 450, MAILBOX_DISABLED, "Mailbox is not available now";
    /// 550 5.2.1: the mailbox accepts no messages.
    MAILBOX_DISABLED = 550, MAILBOX_DISABLED, "Mailbox is disabled";
    /// 452 4.2.2: the mailbox is full.
    MAILBOX_FULL = 452, MAILBOX_FULL, "Mailbox is full";
    /// 550 5.7.1: this client may not send there.
    RELAY_DENIED = 550, NOT_AUTHORISED, "Relaying is not permitted";
    /// 550 5.7.1: refused by policy.
    POLICY = 550, NOT_AUTHORISED, "Refused by policy";
    /// 451 4.7.1: refused for now by policy; greylisting.
    TRY_AGAIN_LATER = 451, NOT_AUTHORISED, "Please try again later";
    /// 451 4.7.1: refused for now by greylisting: a client that tries again later is accepted.
    GREYLISTED = 451, NOT_AUTHORISED, "Greylisted, please try again later";
    /// 550 5.7.1: the message is spam.
    SPAM = 550, NOT_AUTHORISED, "Message refused as spam";
    /// 451 4.3.0: a local error in processing.
    LOCAL_ERROR = 451, OTHER_SYSTEM, "Local error in processing";
    /// 452 4.3.1: no room for messages.
    INSUFFICIENT_STORAGE = 452, SYSTEM_FULL, "Insufficient system storage";
    /// 552 5.3.4: the message is larger than the limit.
    MESSAGE_TOO_BIG = 552, MESSAGE_TOO_BIG, "Message is too big";
    /// 452 4.5.3: no more recipients in this transaction.
    TOO_MANY_RECIPIENTS = 452, TOO_MANY_RECIPIENTS, "Too many recipients";
    /// 535 5.7.8: wrong credentials.
    CREDENTIALS_INVALID = 535, CREDENTIALS_INVALID, "Authentication credentials invalid";
    /// 530 5.7.0: authentication comes first.
    AUTHENTICATION_REQUIRED = 530, OTHER_SECURITY, "Authentication required";
    /// 454 4.7.0: TLS is not available now (RFC 3207 section 4).
    TLS_NOT_AVAILABLE = 454, OTHER_SECURITY, "TLS not available due to temporary reason";
    /// 421 4.3.2: the service shuts down.
    SHUTTING_DOWN = 421, NOT_ACCEPTING, "Service is shutting down";
    /// 421 4.3.2: too many connections, from this client or in all.
    TOO_MANY_CONNECTIONS = 421, NOT_ACCEPTING, "Too many connections, please try again later";
    /// 554 5.7.0: no service for this client.
    NO_SERVICE = 554, OTHER_SECURITY, "No service for you";
    /// 554 5.6.0: the content is refused.
    CONTENT_REFUSED = 554, OTHER_CONTENT, "Content refused";
}

impl Rejection {
    /// Makes a rejection with this code.
    ///
    /// # Errors
    ///
    /// The code is not negative.
    pub fn new(code: Code, status: Status, text: Text<'static>) -> Result<Self, InvalidRejection> {
        if code.is_positive() {
            return Err(InvalidRejection(code));
        }
        Ok(Self(Reply::constant(code, status, text)))
    }

    /// Makes a transient rejection with code 451.
    #[must_use]
    pub const fn transient(status: Status, text: Text<'static>) -> Self {
        Self(Reply::constant(Code::LOCAL_ERROR, status, text))
    }

    /// Makes a permanent rejection with code 550.
    #[must_use]
    pub const fn permanent(status: Status, text: Text<'static>) -> Self {
        Self(Reply::constant(Code::MAILBOX_UNAVAILABLE, status, text))
    }

    /// Makes a rejection for a constant: the code must be negative.
    pub(crate) const fn constant(code: Code, status: Status, text: Text<'static>) -> Self {
        assert!(!code.is_positive());
        Self(Reply::constant(code, status, text))
    }

    /// Returns the rejection as a reply.
    #[must_use]
    pub fn reply(&self) -> &Reply<'static> {
        &self.0
    }

    /// Returns the reply code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code()
    }

    /// Returns whether the code is 4yz: the command may be retried.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.class() == Class::Transient
    }
}

/// A reply of another server, passed on.
impl TryFrom<Reply<'_>> for Rejection {
    type Error = InvalidRejection;

    fn try_from(reply: Reply<'_>) -> Result<Self, InvalidRejection> {
        if reply.is_positive() {
            return Err(InvalidRejection(reply.code()));
        }
        Ok(Self(reply.into_owned()))
    }
}

impl From<Rejection> for Reply<'static> {
    fn from(rejection: Rejection) -> Self {
        rejection.0
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_negative() {
        for code in (200..=599).filter_map(Code::new) {
            let made = Rejection::new(code, Status::OTHER, Text::literal("No"));
            assert_eq!(made.is_ok(), code.get() >= 400);
            let reply = Reply::new(code, None, "No").unwrap();
            assert_eq!(Rejection::try_from(reply).is_ok(), code.get() >= 400);
        }
    }

    #[test]
    fn the_named_rejections_use_the_registry() {
        for rejection in Rejection::NAMED {
            assert!(!rejection.code().is_positive());
            let status = rejection.reply().status().unwrap();
            assert!(status.goes_with(rejection.code()), "{rejection}");
        }
    }
}
