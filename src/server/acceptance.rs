//! Positive replies of the application's own.

use crate::syntax::{Code, Rejection, Reply, Status, Text};
use alloc::{boxed::Box, string::String};
use core::fmt;

/// A positive reply: 2yz or 3yz, of one line or several.
///
/// An application accepts with it where the default text does not suffice, and a proxy passes the reply
/// of another server on. It is positive by construction, as a [`Rejection`] is negative.
///
/// A question whose reply code is fixed by its RFC keeps that code: 354 after DATA, 250 to MAIL. Codes
/// from 250 to 259 are sent as they are.
///
/// ```
/// use esmtp::{
///     server::{Acceptance, Deliver},
///     syntax::{Code, Reply, Status, Text},
/// };
///
/// fn accept(delivery: Deliver<'_>) {
///     let lines = ["queued as 4F2A", "https://status.example.org/4F2A"].map(Text::literal);
///     delivery.accept_as(Acceptance::lines(Status::OTHER, lines));
/// }
///
/// let reply = Reply::new(Code::MAILBOX_UNAVAILABLE, Some(Status::NO_SUCH_MAILBOX), "No")?;
/// assert!(Acceptance::try_from(reply).is_err());
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acceptance(Reply<'static>);

/// An acceptance with a code that is not positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an acceptance needs a reply code from 200 to 399, and this is {0}")]
pub struct InvalidAcceptance(Code);

impl InvalidAcceptance {
    /// Returns the code that is not positive.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.0
    }
}

impl Acceptance {
    /// Makes an acceptance of one line, with the code 250.
    #[must_use]
    pub fn new(status: Status, text: Text<'static>) -> Self {
        Self(Reply::line(Code::OK, Some(status), text))
    }

    /// Makes an acceptance of several lines, with the code 250. Without lines it has an empty one.
    #[must_use]
    pub fn lines<'t>(status: Status, lines: impl IntoIterator<Item = Text<'t>>) -> Self {
        let text = joined(lines);
        // A text holds no control character, so that the lines are valid.
        let empty = || Reply::line(Code::OK, Some(status), Text::literal(""));
        Self(Reply::new(Code::OK, Some(status), text).unwrap_or_else(|_| empty()))
    }

    /// Returns the acceptance as a reply.
    #[must_use]
    pub const fn reply(&self) -> &Reply<'static> {
        &self.0
    }

    /// Returns the reply to a command whose default reply has this code.
    fn into_reply(self, code: Code) -> Reply<'static> {
        let is_completion = |code: Code| matches!(code.get(), 250..=259);
        let Self(reply) = self;
        if reply.code() == code || is_completion(reply.code()) && is_completion(code) {
            reply
        } else if reply.class() == code.class() {
            reply.with_code(code)
        } else {
            // An enhanced status belongs to its class.
            reply.without_status().with_code(code).into_owned()
        }
    }
}

/// Returns texts as the lines of one reply.
pub(super) fn joined<'t>(lines: impl IntoIterator<Item = Text<'t>>) -> String {
    let mut text = String::new();
    for (index, line) in lines.into_iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(line.as_str());
    }
    text
}

/// A reply of another server, passed on.
impl TryFrom<Reply<'_>> for Acceptance {
    type Error = InvalidAcceptance;

    fn try_from(reply: Reply<'_>) -> Result<Self, InvalidAcceptance> {
        match reply.is_positive() {
            true => Ok(Self(reply.into_owned())),
            false => Err(InvalidAcceptance(reply.code())),
        }
    }
}

impl From<Acceptance> for Reply<'static> {
    fn from(acceptance: Acceptance) -> Self {
        acceptance.0
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The reply by which the application accepts.
#[derive(Clone, Debug)]
pub(super) enum Accepted {
    /// The default reply.
    Default,
    /// The default reply, with this text.
    Text(Text<'static>),
    /// A reply of the application's own.
    Own(Box<Acceptance>),
}

impl Accepted {
    /// Returns the reply to a command with this default reply.
    pub(super) fn into_reply(self, default: Reply<'static>) -> Reply<'static> {
        match self {
            Self::Default => default,
            Self::Text(text) => default.with_text(text),
            Self::Own(acceptance) => acceptance.into_reply(default.code()),
        }
    }
}

impl From<Acceptance> for Accepted {
    fn from(acceptance: Acceptance) -> Self {
        Self::Own(Box::new(acceptance))
    }
}

/// Returns the answer that a reply of another server is.
pub(super) fn judged(reply: &Reply<'_>) -> Result<Acceptance, Rejection> {
    // A reply is one of both, so that the other text is never needed.
    Acceptance::try_from(reply.as_borrowed())
        .map_err(|_| Rejection::try_from(reply.as_borrowed()).unwrap_or(Rejection::LOCAL_ERROR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_acceptance_is_positive() {
        for code in (200..=599).filter_map(Code::new) {
            let reply = Reply::new(code, None, "Yes").unwrap();
            let made = Acceptance::try_from(reply.clone());
            assert_eq!(made.is_ok(), code.get() < 400, "{code}");
            assert_eq!(judged(&reply).is_ok(), code.get() < 400, "{code}");
        }
    }

    #[test]
    fn a_fixed_code_stays() {
        let code = |from: u16, to: u16| {
            let reply = Reply::new(Code::new(from).unwrap(), None, "Yes").unwrap();
            let reply = Acceptance::try_from(reply).unwrap().into_reply(Code::new(to).unwrap());
            assert!(reply.lines().eq([b"Yes"]));
            reply.code().get()
        };
        assert_eq!(
            (code(250, 250), code(251, 250), code(221, 250), code(354, 250)),
            (250, 251, 250, 250)
        );
        assert_eq!((code(250, 354), code(354, 354), code(250, 235)), (354, 354, 235));
        let own = Acceptance::new(Status::DESTINATION_VALID, Text::literal("Yes"));
        assert_eq!(own.clone().into_reply(Code::START_MAIL_INPUT).to_string(), "354 Yes");
        assert_eq!(own.into_reply(Code::OK).to_string(), "250 2.1.5 Yes");
    }
}
