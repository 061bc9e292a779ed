//! The commands that stand alone, outside transactions.

use super::{
    auth::Exchange,
    error::End,
    queue::Expected,
    state::{Core, Facts, Phase, Slate},
};
use crate::syntax::{Command, Verb};
use alloc::collections::VecDeque;

/// A command that stands alone.
#[derive(Debug)]
pub(super) enum Ask {
    /// EHLO, LHLO or HELO.
    Hello(Verb),
    StartTls,
    Auth(Exchange),
    /// NOOP, VRFY, EXPN, HELP, ETRN, ATRN, or a verb of the application's own.
    Single(Command<'static>),
    /// XCLIENT or XFORWARD, in as many lines as it takes.
    Tell(VecDeque<Command<'static>>),
    Reset,
    Quit(End),
}

impl Ask {
    /// Whether it may not be sent while other replies are owed, nor inside a transaction: what
    /// comes behind it is another protocol's (RFC 3207 section 4.2, RFC 4954 section 4, RFC 2645
    /// section 5.3), the standard says so (RFC 1985 section 5, XCLIENT_README, XFORWARD_README), or
    /// nobody here knows what it does.
    const fn needs_silence(&self) -> bool {
        match self {
            Self::Single(command) => {
                matches!(command, Command::Etrn(_) | Command::Atrn(_) | Command::Other { .. })
            }
            Self::StartTls | Self::Auth(_) | Self::Tell(_) => true,
            Self::Hello(_) | Self::Reset | Self::Quit(_) => false,
        }
    }
}

impl Core {
    /// Sends the command that stands alone.
    pub(super) fn ask(&mut self, facts: &Facts) {
        let Phase::Asking(ask) = &self.phase else { return };
        if !self.may_speak() || ask.needs_silence() && !self.queue.is_empty() {
            return;
        }
        if ask.needs_silence() && self.slate == Slate::Used {
            self.channel.say(&Command::Rset);
            self.slate = Slate::Clean;
            return self.queue.push_back(Expected::Clearing);
        }
        let Phase::Asking(ask) = core::mem::replace(&mut self.phase, Phase::Asked(None)) else {
            return;
        };
        let host = facts.config.host().as_borrowed();
        let (command, expected) = match ask {
            Ask::Hello(verb) => {
                self.phase = Phase::Opening;
                let command = match verb {
                    Verb::Lhlo => Command::Lhlo(host.into()),
                    Verb::Helo => Command::Helo(host.into()),
                    _ => Command::Ehlo(host.into()),
                };
                (command, Expected::Hello(verb))
            }
            Ask::StartTls => (Command::StartTls, Expected::StartTls),
            Ask::Auth(exchange) => match self.authenticate(exchange) {
                Ok(()) => return,
                // Nothing was sent.
                Err(error) => {
                    self.phase = Phase::Quitting(End::Auth(error));
                    (Command::Quit, Expected::Quit)
                }
            },
            Ask::Single(command) => {
                let expected = Expected::of(command.verb());
                (command, expected)
            }
            Ask::Tell(mut commands) => {
                let Some(command) = commands.pop_front() else {
                    self.phase = Phase::Ready;
                    return;
                };
                // One after the other: a server may take the second for another's.
                self.phase = Phase::Asked((!commands.is_empty()).then_some(Ask::Tell(commands)));
                let expected = Expected::of(command.verb());
                (command, expected)
            }
            Ask::Reset => {
                self.slate = Slate::Clean;
                (Command::Rset, Expected::Single(Verb::Rset))
            }
            Ask::Quit(end) => {
                self.phase = Phase::Quitting(end);
                (Command::Quit, Expected::Quit)
            }
        };
        self.channel.say(&command);
        self.queue.push_back(expected);
    }
}
