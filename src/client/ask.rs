//! The commands outside transactions.

use super::{auth::Authentication, error::End};
use crate::syntax::{Command, Verb};
use alloc::{boxed::Box, collections::VecDeque};

/// A command outside transactions that is to be sent.
#[derive(Debug)]
pub(super) enum Ask {
    /// EHLO, LHLO or HELO.
    Hello(Verb),
    StartTls,
    Auth(Box<Authentication>),
    /// NOOP, VRFY, EXPN, HELP, ETRN, ATRN, or a verb of the application.
    Single(Box<Command<'static>>),
    /// XCLIENT or XFORWARD, in one line or several.
    Lines(VecDeque<Command<'static>>),
    Reset,
    /// QUIT, and the end to report after it.
    Quit(End),
}

impl Ask {
    /// Returns whether the command must not be sent while other replies are due, nor in a
    /// transaction: another protocol follows it (RFC 3207 section 4.2, RFC 4954 section 4, RFC 2645
    /// section 5.3), its specification says so (RFC 1985 section 5, XCLIENT_README,
    /// XFORWARD_README), or its effect is unknown.
    pub(super) const fn needs_silence(&self) -> bool {
        match self {
            Self::Single(command) => {
                matches!(**command, Command::Etrn(_) | Command::Atrn(_) | Command::Other { .. })
            }
            Self::StartTls | Self::Auth(_) | Self::Lines(_) => true,
            Self::Hello(_) | Self::Reset | Self::Quit(_) => false,
        }
    }
}
