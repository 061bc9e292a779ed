//! The phases of a session, and which phase may follow which.

use crate::{
    security::Security,
    server::{
        acceptance::Accepted,
        auth::Authentication,
        content::Url,
        end::{AbortReason, End},
        event::{AuthAnswer, HelloAnswer, HelloQuestion, RcptAnswer},
        extension_events::{AtrnAnswer, EtrnAnswer, LookupAnswer, OtherAnswer, OtherQuestion},
        token::{Answer, Asked, Slot},
    },
    syntax::{DomainList, Node, Reply, Text, XclientAttributes, XforwardAttributes},
    time::Instant,
};
use alloc::boxed::Box;

/// An answer that accepts with the default text or another one.
type WithText = Option<Text<'static>>;

/// The phase of a session: what it waits for.
#[derive(Debug)]
pub(super) enum Phase {
    /// The beginning, or the beginning anew after XCLIENT.
    Start,
    /// A command is awaited.
    Command,
    /// An answer of the application is awaited.
    Asked(Question),
    /// A response in the exchange of AUTH is awaited.
    Response(Box<Authentication>),
    /// A reply is withheld (tarpit).
    Delayed(Box<Delayed>),
    /// Content comes in, or waits for the application to take it, or is discarded.
    Content(Slot<Answer<usize>>),
    /// The application is informed that its transaction is over.
    Abort(Box<Aborted>),
    /// The last replies go out.
    Farewell(End),
    /// The session is over.
    Closed(End),
    /// The phase was taken out to be acted on; it was of this kind.
    Taken(State),
}

/// A reply that is withheld.
#[derive(Debug)]
pub(super) struct Delayed {
    pub(super) until: Instant,
    pub(super) reply: Reply<'static>,
}

/// A transaction that will not be delivered.
#[derive(Debug)]
pub(super) struct Aborted {
    pub(super) reason: AbortReason,
    pub(super) then: Then,
    pub(super) slot: Slot<()>,
}

/// A question to the application, with the slot for its answer.
#[derive(Debug)]
pub(super) enum Question {
    Connect(Slot<Answer<WithText>>),
    Hello(Box<Asked<HelloQuestion, HelloAnswer>>),
    Auth(Box<Asked<Box<Authentication>, AuthAnswer>>),
    /// The verifier's question; its slot is the verifier's.
    Credentials(Box<Authentication>),
    Authenticated(Box<Asked<Box<Authentication>, Accepted>>),
    StartTls(Slot<Answer<WithText>>),
    /// The TLS handshake is awaited.
    Upgrade(Slot<Result<Security, End>>),
    Mail(Slot<Answer<Accepted>>),
    Rcpt(Slot<Answer<RcptAnswer>>),
    Data(Slot<Answer<Accepted>>),
    /// A URL that stands for content, in the course of it.
    Burl(Box<Asked<Url, Accepted>>),
    Deliver(Slot<Answer<Accepted>>),
    Verify(Slot<Answer<LookupAnswer>>),
    Expand(Slot<Answer<LookupAnswer>>),
    Etrn(Box<Asked<Node<'static>, EtrnAnswer>>),
    Atrn(Box<Asked<Option<DomainList<'static>>, AtrnAnswer>>),
    Xclient(Box<Asked<XclientAttributes<'static>, WithText>>),
    Xforward(Box<Asked<XforwardAttributes<'static>, Accepted>>),
    /// A verb of the application's own.
    Other(Box<Asked<OtherQuestion, OtherAnswer>>),
    /// Another protocol continues on this channel, once the application has taken it over.
    HandOver(Slot<()>),
}

/// The phase after the application was informed that its transaction is over.
#[derive(Debug)]
pub(super) enum Then {
    Command,
    Delayed(Box<Delayed>),
    /// The rest of content that was refused.
    Content,
    HandOver,
    Farewell(End),
    Closed(End),
}

impl From<Then> for Phase {
    fn from(then: Then) -> Self {
        match then {
            Then::Command => Self::Command,
            Then::Delayed(delayed) => Self::Delayed(delayed),
            Then::Content => Self::Content(Slot::Open),
            Then::HandOver => Self::Asked(Question::HandOver(Slot::Open)),
            Then::Farewell(end) => Self::Farewell(end),
            Then::Closed(end) => Self::Closed(end),
        }
    }
}

/// Defines the kinds of phases.
macro_rules! states {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The kind of a phase: a node of the diagram.
        ///
        /// This is each kind with those that may follow it. All but `Farewell` and `Closed` may
        /// also be followed by `Abort`, `Farewell` and `Closed`.
        ///
        /// ```text
        /// Start         ──► Connect
        /// Connect       ──► Command
        ///
        /// Command       ──► Command Question Data Content Auth StartTls Turn Xclient Delayed
        /// Question      ──► Command Delayed
        ///
        /// Data          ──► Content Command Delayed
        /// Content       ──► Content Burl Deliver Command Delayed
        /// Burl          ──► Deliver Command Delayed
        /// Deliver       ──► Command
        ///
        /// Auth          ──► Credentials Response Authenticated Command Delayed
        /// Credentials   ──► Credentials Response Authenticated Command Delayed
        /// Response      ──► Credentials Response Authenticated Command Delayed
        /// Authenticated ──► Response Command Delayed
        ///
        /// StartTls      ──► Upgrade Command Delayed
        /// Upgrade       ──► Command
        /// Turn          ──► HandOver Command Delayed
        /// HandOver      ──►
        /// Xclient       ──► Start Command
        ///
        /// Delayed       ──► Command
        /// Abort         ──► Command Delayed Content HandOver
        /// Farewell      ──► Closed
        /// Closed        ──►
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum State {
            $($(#[$doc])* $name,)*
        }

        #[cfg(test)]
        impl State {
            /// Every kind.
            const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

states! {
    Start,
    Connect,
    Command,
    /// A question about a command that ends with its reply.
    Question,
    Data,
    Content,
    Burl,
    Deliver,
    Auth,
    Credentials,
    Response,
    Authenticated,
    StartTls,
    Upgrade,
    /// A question after which another protocol may continue: ATRN, a verb of the application's own.
    Turn,
    HandOver,
    Xclient,
    Delayed,
    Abort,
    Farewell,
    Closed,
}

impl State {
    /// Returns whether a phase of this kind may be followed by one of the kind `next`.
    pub(super) const fn may_precede(self, next: Self) -> bool {
        use State as S;
        match self {
            S::Closed => return false,
            S::Farewell => return matches!(next, S::Closed),
            _ if matches!(next, S::Abort | S::Farewell | S::Closed) => return true,
            _ => {}
        }
        match self {
            S::Start => matches!(next, S::Connect),
            S::Connect | S::Deliver | S::Upgrade | S::Delayed => matches!(next, S::Command),
            S::Command => matches!(
                next,
                S::Command
                    | S::Question
                    | S::Data
                    | S::Content
                    | S::Auth
                    | S::StartTls
                    | S::Turn
                    | S::Xclient
                    | S::Delayed
            ),
            S::Question => matches!(next, S::Command | S::Delayed),
            S::Data => matches!(next, S::Content | S::Command | S::Delayed),
            S::Content => {
                matches!(next, S::Content | S::Burl | S::Deliver | S::Command | S::Delayed)
            }
            S::Burl => matches!(next, S::Deliver | S::Command | S::Delayed),
            S::Auth | S::Credentials | S::Response => matches!(
                next,
                S::Credentials | S::Response | S::Authenticated | S::Command | S::Delayed
            ),
            S::Authenticated => matches!(next, S::Response | S::Command | S::Delayed),
            S::StartTls => matches!(next, S::Upgrade | S::Command | S::Delayed),
            S::Turn => matches!(next, S::HandOver | S::Command | S::Delayed),
            S::Xclient => matches!(next, S::Start | S::Command),
            S::Abort => matches!(next, S::Command | S::Delayed | S::Content | S::HandOver),
            S::HandOver | S::Farewell | S::Closed => false,
        }
    }
}

impl Phase {
    /// Returns the kind of this phase.
    pub(super) const fn state(&self) -> State {
        match self {
            Self::Start => State::Start,
            Self::Command => State::Command,
            Self::Asked(question) => question.state(),
            Self::Response(_) => State::Response,
            Self::Delayed(_) => State::Delayed,
            Self::Content(_) => State::Content,
            Self::Abort(_) => State::Abort,
            Self::Farewell(_) => State::Farewell,
            Self::Closed(_) => State::Closed,
            Self::Taken(state) => *state,
        }
    }

    /// Returns whether this phase may be followed by `next`. Taking it out is no transition.
    pub(super) fn may_precede(&self, next: &Self) -> bool {
        match next {
            Self::Taken(state) => *state == self.state(),
            next => self.state().may_precede(next.state()),
        }
    }

    /// Returns whether the application has answered. A question of the verifier counts as
    /// answered, since only the verifier knows.
    #[inline]
    pub(super) fn is_answered(&self) -> bool {
        match self {
            Self::Asked(question) => question.is_answered(),
            Self::Content(slot) => slot.is_given(),
            Self::Abort(aborted) => aborted.slot.is_given(),
            Self::Start
            | Self::Command
            | Self::Response(_)
            | Self::Delayed(_)
            | Self::Farewell(_)
            | Self::Closed(_)
            | Self::Taken(_) => false,
        }
    }
}

impl Question {
    const fn state(&self) -> State {
        match self {
            Self::Connect(_) => State::Connect,
            Self::Auth(_) => State::Auth,
            Self::Credentials(_) => State::Credentials,
            Self::Authenticated(_) => State::Authenticated,
            Self::StartTls(_) => State::StartTls,
            Self::Upgrade(_) => State::Upgrade,
            Self::Data(_) => State::Data,
            Self::Burl(_) => State::Burl,
            Self::Deliver(_) => State::Deliver,
            Self::Atrn(_) | Self::Other(_) => State::Turn,
            Self::HandOver(_) => State::HandOver,
            Self::Xclient(_) => State::Xclient,
            Self::Hello(_)
            | Self::Mail(_)
            | Self::Rcpt(_)
            | Self::Verify(_)
            | Self::Expand(_)
            | Self::Etrn(_)
            | Self::Xforward(_) => State::Question,
        }
    }

    #[inline]
    fn is_answered(&self) -> bool {
        match self {
            Self::Connect(slot) | Self::StartTls(slot) => slot.is_given(),
            Self::Mail(slot) | Self::Data(slot) | Self::Deliver(slot) => slot.is_given(),
            Self::Rcpt(slot) => slot.is_given(),
            Self::Verify(slot) | Self::Expand(slot) => slot.is_given(),
            Self::Upgrade(slot) => slot.is_given(),
            Self::HandOver(slot) => slot.is_given(),
            Self::Hello(asked) => asked.slot.is_given(),
            Self::Auth(asked) => asked.slot.is_given(),
            Self::Authenticated(asked) => asked.slot.is_given(),
            Self::Burl(asked) => asked.slot.is_given(),
            Self::Etrn(asked) => asked.slot.is_given(),
            Self::Atrn(asked) => asked.slot.is_given(),
            Self::Xclient(asked) => asked.slot.is_given(),
            Self::Xforward(asked) => asked.slot.is_given(),
            Self::Other(asked) => asked.slot.is_given(),
            Self::Credentials(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

    /// Returns the followers of each name in the diagram.
    fn diagram() -> BTreeMap<&'static str, Vec<&'static str>> {
        let source = include_str!("phase.rs");
        let lines = source.lines().filter_map(|line| line.trim().strip_prefix("///"));
        let arrows = lines.filter_map(|line| line.split_once("──►"));
        arrows.map(|(from, to)| (from.trim(), to.split_whitespace().collect())).collect()
    }

    #[test]
    fn the_diagram_and_the_table_agree() {
        let diagram = diagram();
        assert_eq!(diagram.len(), State::ALL.len());
        for from in State::ALL {
            let name = format!("{from:?}");
            let drawn: &[&str] = &diagram[name.as_str()];
            let is_over = matches!(from, State::Farewell | State::Closed);
            for to in State::ALL {
                let to_name: String = format!("{to:?}");
                let is_end = matches!(to, State::Abort | State::Farewell | State::Closed);
                let expected = drawn.contains(&to_name.as_str()) || is_end && !is_over;
                assert_eq!(from.may_precede(*to), expected, "{from:?} to {to:?}");
            }
        }
    }
}
