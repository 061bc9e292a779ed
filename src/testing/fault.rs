//! Faults of a server, and the places where they occur.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::time::Duration;

/// A place in a session.
///
/// ```
/// use esmtp::testing::At;
///
/// let second_recipient = At::command("RCPT").nth(2);
/// let every_message_of_the_first_session = At::END_OF_CONTENT.in_session(1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    pub(super) place: Place,
    nth: Option<usize>,
    session: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Greeting,
    Command(Cow<'static, str>),
    EndOfContent,
    Taken,
}

impl At {
    /// The greeting.
    pub const GREETING: Self = Self::new(Place::Greeting);
    /// The reply to the end of the content, by DATA or BDAT. The application does not get the message.
    pub const END_OF_CONTENT: Self = Self::new(Place::EndOfContent);
    /// The reply to the end of the content, after the application has taken the message: an
    /// acknowledgement that is lost.
    pub const TAKEN: Self = Self::new(Place::Taken);

    const fn new(place: Place) -> Self {
        Self { place, nth: None, session: None }
    }

    /// Returns the place of each command with this verb, in any case. The server does not see the
    /// command.
    #[must_use]
    pub fn command(verb: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Place::Command(verb.into()))
    }

    /// Restricts it to the `n`th time in a session, counted from 1.
    #[must_use]
    pub const fn nth(mut self, n: usize) -> Self {
        self.nth = Some(n);
        self
    }

    /// Restricts it to one session of a server, counted from 1.
    #[must_use]
    pub const fn in_session(mut self, session: usize) -> Self {
        self.session = Some(session);
        self
    }
}

/// An act of a server in place of its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub(super) Act);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Reply { text: String, closes: bool },
    Octets(Vec<u8>),
    Delay(Duration),
    Stall,
    Drop,
}

impl Fault {
    /// Sends nothing from here on, and keeps the connection open.
    pub const STALL: Self = Self(Act::Stall);
    /// Closes the connection without a reply.
    #[doc(alias("close", "disconnect"))]
    pub const DROP: Self = Self(Act::Drop);

    /// Sends this reply: lines without CRLF, `\n` between them. It need not be a valid reply.
    ///
    /// In LMTP, at the end of the content, it is sent for each recipient.
    #[must_use]
    pub fn reply(text: impl Into<String>) -> Self {
        Self(Act::Reply { text: text.into(), closes: false })
    }

    /// Sends this reply as [`reply`](Self::reply) does, and closes the connection.
    #[must_use]
    pub fn reply_and_close(text: impl Into<String>) -> Self {
        Self(Act::Reply { text: text.into(), closes: true })
    }

    /// Sends these octets, as they are.
    #[must_use]
    pub fn octets(octets: impl Into<Vec<u8>>) -> Self {
        Self(Act::Octets(octets.into()))
    }

    /// Sends the right reply after this time.
    #[must_use]
    pub const fn delay(time: Duration) -> Self {
        Self(Act::Delay(time))
    }
}

/// The faults of a server; none by default.
///
/// ```
/// use esmtp::testing::{At, Fault, Faults};
///
/// let faults = Faults::default()
///     .with(At::command("RCPT").nth(2), Fault::reply("452 4.2.2 Mailbox full"))
///     .with(At::END_OF_CONTENT.in_session(1), Fault::DROP);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<(At, Fault)>);

impl Faults {
    /// Adds a fault. Of several at one place the first occurs.
    #[must_use]
    pub fn with(mut self, at: At, fault: Fault) -> Self {
        self.0.push((at, fault));
        self
    }

    /// Returns the faults of this session, with how often their place was met.
    pub(super) fn of_session(&self, session: usize) -> FaultCounter {
        let is_here = |at: &At| at.session.is_none_or(|it| it == session);
        let faults = self.0.iter().filter(|(at, _)| is_here(at));
        FaultCounter(faults.map(|(at, fault)| (at.clone(), fault.clone(), 0)).collect())
    }
}

/// The faults of one session.
#[derive(Debug)]
pub(super) struct FaultCounter(Vec<(At, Fault, usize)>);

impl FaultCounter {
    /// Counts that a place was met, and returns what occurs there.
    pub(super) fn at(&mut self, place: &Place) -> Option<Act> {
        let mut act = None;
        for (at, fault, met) in &mut self.0 {
            if is_same(&at.place, place) {
                *met = met.saturating_add(1);
                if at.nth.is_none_or(|nth| nth == *met) {
                    act.get_or_insert_with(|| fault.0.clone());
                }
            }
        }
        act
    }
}

fn is_same(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Command(one), Place::Command(other)) => one.eq_ignore_ascii_case(other),
        _ => one == other,
    }
}
