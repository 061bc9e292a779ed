//! The deadlines of a session.

use super::config::Timeouts;
use core::time::Duration;

/// A deadline of a session (RFC 5321 section 4.5.3.2). One at most runs at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// When to give up a server that does not take what waits to be sent.
    Write,
    /// When to give up a server that does not greet.
    Greeting,
    /// When to give up a server that does not reply to a command without a deadline of its own, or
    /// that has begun an unsolicited reply.
    Command,
    /// When to give up a server that does not reply to MAIL.
    Mail,
    /// When to give up a server that does not reply to RCPT.
    Rcpt,
    /// When to give up a server that does not reply to DATA.
    Data,
    /// When to give up a server that does not reply to the chunks of a message before the last.
    Chunks,
    /// When to give up a server that does not reply to the end of the content.
    EndOfContent,
    /// When to give up a server that does not reply to ATRN.
    Atrn,
    /// When to give up a server that owes nothing: never.
    Never,
}

impl Deadline {
    /// Returns the time for a whole reply; `None` where octets that are transferred extend it, and
    /// where there is no limit.
    pub(super) const fn for_reply(self, timeouts: &Timeouts) -> Option<Duration> {
        Some(match self {
            Self::Greeting => timeouts.greeting(),
            Self::Command => timeouts.command(),
            Self::Mail => timeouts.mail(),
            Self::Rcpt => timeouts.rcpt(),
            Self::Data => timeouts.data(),
            Self::EndOfContent => timeouts.end_of_content(),
            Self::Atrn => timeouts.atrn(),
            Self::Write | Self::Chunks | Self::Never => return None,
        })
    }
}
