//! The phases of a session, and which may follow which.

use crate::client::{ask::Ask, auth::Authentication, error::End, outgoing::Outgoing};
use alloc::boxed::Box;

/// The phase of the sending half of a session. The receiving half is the
/// [`Queue`](crate::client::queue::Queue) of replies that are due: a transaction whose end was sent
/// waits there, and the sending half is free for the next one (pipelining, RFC 2920).
///
/// ```text
/// Opening      ── 220: EHLO; 250: STARTTLS; 5yz: HELO or QUIT ──► Asking
/// Opening      ── 250 to EHLO, LHLO or HELO ────────────────────► Ready
/// Asking       ── EHLO, LHLO or HELO leaves ────────────────────► Opening
/// Asking       ── any other command leaves ─────────────────────► Asked
/// Asking       ── AUTH leaves ──────────────────────────────────► Authenticating
/// Asking       ── QUIT leaves ──────────────────────────────────► Quitting
/// Asking       ── no line of XCLIENT or XFORWARD is left ───────► Ready
/// Asked        ── 2yz ──────────────────────────────────────────► Ready
/// Asked        ── 4yz or 5yz ───────────────────────────────────► Refused
/// Asked        ── 220 to XCLIENT: EHLO; a further line; QUIT ───► Asking
/// Asked        ── 220 to STARTTLS ──────────────────────────────► Upgrading
/// Asked        ── 250 to ATRN ──────────────────────────────────► HandingOver
/// Ready        ── a command of the application, or QUIT ────────► Asking
/// Ready        ── send ─────────────────────────────────────────► Envelope
/// Ready        ── wait ─────────────────────────────────────────► Waiting
/// Waiting      ── Sent is taken, or Client::ready ──────────────► Ready
/// Waiting      ── QUIT ─────────────────────────────────────────► Asking
/// Refused      ── go_on ────────────────────────────────────────► Ready
/// Refused      ── QUIT, or EHLO after half of XCLIENT ──────────► Asking
/// Upgrading    ── TLS is established: EHLO ─────────────────────► Asking
/// Authenticating ── 235 ────────────────────────────────────────► Ready
/// Authenticating ── 4yz or 5yz ─────────────────────────────────► Refused
/// Authenticating ── the exchange has failed: QUIT ──────────────► Asking
/// Envelope     ── 354; with CHUNKING at once ───────────────────► Content
/// Envelope     ── no recipient is left, DATA is refused, abort ─► Ready
/// Content      ── finish ───────────────────────────────────────► Ending
/// Content      ── abort ────────────────────────────────────────► Aborting
/// Content      ── no recipient is left ─────────────────────────► Ready
/// Ending       ── the end of the content leaves ────────────────► Ready
/// Aborting     ── BDAT: the transaction is given up ────────────► Ready
/// (any)        ── 421, closed, timed out, protocol error ───────► Over
/// ```
#[derive(Debug)]
pub(in crate::client) enum Phase {
    /// The next reply is the greeting or the reply to EHLO, LHLO or HELO.
    Opening,
    /// A command that leaves at the next poll.
    Asking(Box<Ask>),
    /// A command whose reply is due, and the line that follows a positive reply.
    Asked(Option<Box<Ask>>),
    /// A transaction may begin.
    Ready,
    /// The application has nothing to send now.
    Waiting,
    /// A command was rejected: the application decides how to go on.
    Refused,
    /// STARTTLS was accepted: nothing is sent or read before TLS is established.
    Upgrading,
    /// ATRN was accepted: this machine sends and reads nothing more.
    HandingOver,
    /// AUTH was sent, and its final reply has not come.
    Authenticating(Box<Authentication>),
    /// MAIL, RCPT and DATA of the newest transaction.
    Envelope,
    /// The content of the newest transaction, from the application.
    Content(Box<Outgoing>),
    /// Complete content whose last octets leave at the next poll.
    Ending(Box<Outgoing>),
    /// Content that will never be complete.
    Aborting(Box<Outgoing>),
    /// QUIT was sent, and the end to report after its reply.
    Quitting(Box<End>),
    /// The session has ended.
    Over(Box<End>),
}

/// Each idle session has one: what few phases hold is boxed.
const _: () = assert!(size_of::<Phase>() <= 16);

/// A [`Phase`] without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Opening,
    Asking,
    Asked,
    Ready,
    Waiting,
    Refused,
    Upgrading,
    HandingOver,
    Authenticating,
    Envelope,
    Content,
    Ending,
    Aborting,
    Quitting,
    Over,
}

impl Kind {
    /// Returns the phases that may follow, besides [`Over`](Self::Over).
    const fn successors(self) -> &'static [Self] {
        match self {
            Self::Opening => &[Self::Asking, Self::Ready],
            Self::Asking => {
                &[Self::Opening, Self::Asked, Self::Authenticating, Self::Quitting, Self::Ready]
            }
            Self::Asked => {
                &[Self::Ready, Self::Refused, Self::Asking, Self::Upgrading, Self::HandingOver]
            }
            Self::Ready => &[Self::Asking, Self::Envelope, Self::Waiting],
            Self::Waiting | Self::Refused => &[Self::Ready, Self::Asking],
            Self::Upgrading => &[Self::Asking],
            Self::Authenticating => &[Self::Ready, Self::Refused, Self::Asking],
            Self::Envelope => &[Self::Content, Self::Ready],
            Self::Content => &[Self::Ending, Self::Aborting, Self::Ready],
            Self::Ending | Self::Aborting => &[Self::Ready],
            Self::HandingOver | Self::Quitting | Self::Over => &[],
        }
    }

    /// Returns whether `next` may follow.
    fn may_become(self, next: Self) -> bool {
        match next {
            Self::Over => self != Self::Over,
            next => self.successors().contains(&next),
        }
    }
}

impl Phase {
    /// Returns the phase in which this command is sent.
    pub(in crate::client) fn asking(ask: Ask) -> Self {
        Self::Asking(Box::new(ask))
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Opening => Kind::Opening,
            Self::Asking(_) => Kind::Asking,
            Self::Asked(_) => Kind::Asked,
            Self::Ready => Kind::Ready,
            Self::Waiting => Kind::Waiting,
            Self::Refused => Kind::Refused,
            Self::Upgrading => Kind::Upgrading,
            Self::HandingOver => Kind::HandingOver,
            Self::Authenticating(_) => Kind::Authenticating,
            Self::Envelope => Kind::Envelope,
            Self::Content(_) => Kind::Content,
            Self::Ending(_) => Kind::Ending,
            Self::Aborting(_) => Kind::Aborting,
            Self::Quitting(_) => Kind::Quitting,
            Self::Over(_) => Kind::Over,
        }
    }

    /// Returns whether the content of a transaction is being sent, or waited for.
    pub(in crate::client) const fn is_content(&self) -> bool {
        matches!(self, Self::Content(_) | Self::Ending(_) | Self::Aborting(_))
    }

    /// Returns whether the application was asked and has nothing to send now.
    pub(super) fn is_waiting(&self) -> bool {
        match self {
            Self::Waiting => true,
            Self::Content(content) => content.is_waiting(),
            _ => false,
        }
    }
}

/// A question to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Question {
    Ready,
    Refused,
    Upgrade,
    HandOver,
    Challenge,
    Begun,
    Content,
    Answered,
    Sent,
}

/// The phase of a session and its open question.
///
/// [`enter`](Self::enter) and [`advance`](Self::advance) are the only ways to another phase, for the
/// session and for the tokens of its questions.
#[derive(Debug)]
pub(in crate::client) struct Position {
    phase: Phase,
    question: Option<Question>,
    /// The number of questions that were asked, which may begin anew at 0.
    questions: u32,
}

impl Position {
    pub(super) const fn new() -> Self {
        Self { phase: Phase::Opening, question: None, questions: 0 }
    }

    pub(in crate::client) const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Enters the next phase.
    pub(in crate::client) fn enter(&mut self, next: Phase) {
        drop(self.advance(|phase| (next, phase)));
    }

    /// Enters the phase that `next` makes of the present one, which may be the same again.
    pub(in crate::client) fn advance<T>(&mut self, next: impl FnOnce(Phase) -> (Phase, T)) -> T {
        let from = self.phase.kind();
        let (next, value) = next(core::mem::replace(&mut self.phase, Phase::Ready));
        let to = next.kind();
        debug_assert!(from == to || from.may_become(to), "no transition from {from:?} to {to:?}");
        self.phase = next;
        value
    }

    /// Returns the content while the application may write to it.
    pub(in crate::client) const fn content(&mut self) -> Option<&mut Outgoing> {
        match &mut self.phase {
            Phase::Content(content) => Some(content),
            _ => None,
        }
    }

    /// Returns the content from its first octet to its last.
    pub(super) const fn outgoing(&mut self) -> Option<&mut Outgoing> {
        match &mut self.phase {
            Phase::Content(content) | Phase::Ending(content) => Some(content),
            _ => None,
        }
    }

    /// Returns the content that is complete.
    pub(super) const fn ending(&self) -> Option<&Outgoing> {
        match &self.phase {
            Phase::Ending(content) => Some(content),
            _ => None,
        }
    }

    /// Enters the phase after the content, or after a transaction that never had any; returns the content for its
    /// memory.
    pub(super) fn leave_content(&mut self) -> Option<Box<Outgoing>> {
        self.advance(|phase| match phase {
            Phase::Content(content) | Phase::Ending(content) | Phase::Aborting(content) => {
                (Phase::Ready, Some(content))
            }
            _ => (Phase::Ready, None),
        })
    }

    /// Returns the exchange of AUTH.
    pub(in crate::client) const fn authentication(&mut self) -> Option<&mut Authentication> {
        match &mut self.phase {
            Phase::Authenticating(authentication) => Some(authentication),
            _ => None,
        }
    }

    /// Returns the question that is open.
    pub(in crate::client) const fn question(&self) -> Option<Question> {
        self.question
    }

    /// Returns the number of the question, which stays while it is open.
    pub(in crate::client) const fn number(&self) -> u64 {
        self.questions as u64
    }

    /// Notes that a part of the answer to the open question was given: this many octets of content. The
    /// question has another number when it comes again.
    pub(in crate::client) const fn continue_question(&mut self, octets: usize) {
        if octets > 0 {
            self.questions = self.questions.wrapping_add(1);
        }
    }

    /// Asks `question`, which may be open already.
    pub(super) fn ask(&mut self, question: Option<Question>) {
        if question.is_some() && question != self.question {
            self.questions = self.questions.wrapping_add(1);
        }
        self.question = question;
    }

    /// Closes the open question: it was answered, or the session has ended.
    pub(in crate::client) const fn close_question(&mut self) {
        self.question = None;
    }

    /// Enters `next` as the answer to the open question.
    pub(in crate::client) fn answer(&mut self, next: Phase) {
        self.close_question();
        self.enter(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, format, string::String};

    const ALL: [Kind; 15] = [
        Kind::Opening,
        Kind::Asking,
        Kind::Asked,
        Kind::Ready,
        Kind::Waiting,
        Kind::Refused,
        Kind::Upgrading,
        Kind::HandingOver,
        Kind::Authenticating,
        Kind::Envelope,
        Kind::Content,
        Kind::Ending,
        Kind::Aborting,
        Kind::Quitting,
        Kind::Over,
    ];

    #[test]
    fn the_diagram_shows_the_table_of_transitions() {
        let drawn: BTreeSet<(String, String)> = include_str!("phase.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("/// ")?.split_once("►"))
            .map(|(from, to)| (from.split(' ').next().unwrap_or_default().into(), to.trim().into()))
            .collect();
        let table = ALL.iter().flat_map(|from| {
            from.successors().iter().map(move |to| (format!("{from:?}"), format!("{to:?}")))
        });
        let table: BTreeSet<_> = table.chain([("(any)".into(), "Over".into())]).collect();
        assert_eq!(drawn, table);
        assert!(ALL.iter().all(|from| from.may_become(Kind::Over) == (*from != Kind::Over)));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "no transition from Opening to Envelope")]
    fn a_transition_outside_the_table_is_noticed() {
        Position::new().enter(Phase::Envelope);
    }
}
