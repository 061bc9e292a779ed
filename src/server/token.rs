//! The parts that all questions share: the slot for an answer, and the methods of a token.

use super::{Config, budget::Fault, delivery::is_last_word};
use crate::syntax::Rejection;
use alloc::{boxed::Box, sync::Arc};
use core::mem;

/// The state that the tokens of a session share.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The number of questions asked so far.
    pub(super) number: u64,
    /// The configuration that holds from the next reply on.
    pub(super) configure: Option<Arc<Config>>,
}

impl Exchange {
    /// Counts a new question, or what is left of one after a part of its answer.
    pub(super) const fn count_question(&mut self) {
        self.number = self.number.wrapping_add(1);
    }
}

/// The place for the answer to one question. The question owns it, and its token borrows it.
#[derive(Debug)]
pub(super) enum Slot<T> {
    /// The application has not answered yet.
    Open,
    /// The answer, which takes effect at the next poll.
    Given(T),
}

impl<T> Slot<T> {
    /// Puts the answer into the slot.
    pub(super) fn give(&mut self, answer: T) {
        *self = Self::Given(answer);
    }

    /// Returns the slot if the question is not answered yet.
    pub(super) const fn open(&mut self) -> Option<&mut Self> {
        if self.is_given() { None } else { Some(self) }
    }

    /// Returns whether the question is answered.
    pub(super) const fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }

    /// Takes the answer out, if there is one: the question is open again.
    pub(super) fn take(&mut self) -> Option<T> {
        if !self.is_given() {
            return None;
        }
        mem::replace(self, Self::Open).into_answer()
    }

    /// Returns the answer, if there is one.
    pub(super) fn into_answer(self) -> Option<T> {
        match self {
            Self::Open => None,
            Self::Given(answer) => Some(answer),
        }
    }
}

/// An answer: the acceptance of its question, or a rejection.
pub(super) type Answer<T> = Result<T, Rejected>;

/// A rejection by the application.
#[derive(Debug)]
pub(super) struct Rejected {
    /// In a box, so that the slots of frequent questions stay small.
    pub(super) rejection: Box<Rejection>,
    /// The session ends after it.
    pub(super) closes: bool,
}

impl Rejected {
    /// Returns a rejection that ends the session if its code says so (421, RFC 5321 section 3.8).
    pub(super) fn new(rejection: Rejection) -> Self {
        let closes = is_last_word(&rejection);
        Self { rejection: Box::new(rejection), closes }
    }

    /// Returns a rejection that ends the session.
    pub(super) fn closing(rejection: Rejection) -> Self {
        Self { rejection: Box::new(rejection), closes: true }
    }

    /// Returns the fault that the rejection answers: `fault`, unless it ends the session.
    pub(super) const fn fault(&self, fault: Fault) -> Fault {
        if self.closes { Fault::Closing } else { fault }
    }
}

/// A question that is rare or holds much: boxed in the phase, its slot beside it.
#[derive(Debug)]
pub(super) struct Asked<Q, A> {
    /// The subject of the question.
    pub(super) about: Q,
    /// The slot for the answer.
    pub(super) slot: Slot<Answer<A>>,
}

impl<Q, A> Asked<Q, A> {
    /// Returns an open question in its box.
    pub(super) fn new(about: Q) -> Box<Self> {
        Box::new(Self { about, slot: Slot::Open })
    }

    /// Lends the subject of the question and the slot, if it is not answered yet.
    pub(super) const fn parts(&mut self) -> Option<(&mut Q, &mut Slot<Answer<A>>)> {
        match self.slot.open() {
            Some(slot) => Some((&mut self.about, slot)),
            None => None,
        }
    }

    /// Returns whether the question is answered, and not with a rejection.
    pub(super) const fn is_accepted(&self) -> bool {
        matches!(self.slot, Slot::Given(Ok(_)))
    }

    /// Returns the subject of the question and its answer, if there is one.
    pub(super) fn into_answer(self) -> Option<(Q, Answer<A>)> {
        let Self { about, slot } = self;
        Some((about, slot.into_answer()?))
    }
}

/// Defines tokens: the facts of the session, the exchange, and the slot for the answer.
macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident<$answer:ty> { $($field:ident: $type:ty),* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "a question stays until it is answered"]
        pub struct $name<'s> {
            pub(super) facts: &'s Facts,
            pub(super) exchange: &'s mut Exchange,
            pub(super) slot: &'s mut Slot<$answer>,
            $(pub(super) $field: $type,)*
        }

        impl<'s> $name<'s> {
            /// Returns the facts known of the session.
            #[must_use]
            pub const fn facts(&self) -> &'s Facts {
                self.facts
            }

            /// Returns the number of this question in its session. A question that comes again
            /// unanswered keeps its number.
            #[must_use]
            pub const fn number(&self) -> u64 {
                self.exchange.number
            }

            /// Returns the name of the question, for [`Event::name`](crate::server::Event::name).
            pub(super) const fn label(&self) -> &'static str {
                stringify!($name)
            }
        }
    )*};
}

/// Gives tokens the answers that accept, with the default text or another one.
macro_rules! acceptable {
    ($($name:ident: $accept:expr;)*) => {$(
        impl $name<'_> {
            /// Accepts with the default text.
            pub fn accept(self) {
                self.slot.give(Ok($accept(None)));
            }

            /// Accepts with this text.
            pub fn accept_with(self, text: Text<'static>) {
                self.slot.give(Ok($accept(Some(text))));
            }
        }
    )*};
}

/// Gives tokens the answers that accept with the default reply, another text or any positive reply, or
/// pass a reply on.
macro_rules! answerable {
    ($($name:ident: $accept:expr;)*) => {$(
        impl $name<'_> {
            /// Accepts with the default reply.
            pub fn accept(self) {
                self.slot.give(Ok($accept(Accepted::Default)));
            }

            /// Accepts with the default reply code and enhanced status, and this text.
            pub fn accept_with(self, text: Text<'static>) {
                self.slot.give(Ok($accept(Accepted::Text(text))));
            }
        }
        passes_on! { $name: |acceptance| $accept(Accepted::from(acceptance)); }
    )*};
}

/// Gives tokens the answers that accept with any positive reply, or pass a reply on.
macro_rules! passes_on {
    ($($name:ident: $accept:expr;)*) => {$(
        impl $name<'_> {
            /// Accepts with a reply of the application's own: with another enhanced status, or several
            /// lines.
            pub fn accept_as(self, acceptance: Acceptance) {
                self.slot.give(Ok($accept(acceptance)));
            }

            /// Passes on the reply of another server, for a proxy: a positive one
            /// [accepts](Self::accept_as), and a negative one [rejects](Self::reject). A 421
            /// ends this session, too.
            pub fn answer(self, reply: &Reply<'_>) {
                let answer = judged(reply).map($accept);
                self.slot.give(answer.map_err(Rejected::new));
            }
        }
    )*};
}

/// Gives tokens the answers that reject.
macro_rules! rejectable {
    ($($name:ident)*) => {$(
        impl $name<'_> {
            /// Rejects. The session continues, unless the code is 421: then it ends (RFC 5321
            /// section 3.8).
            pub fn reject(self, rejection: Rejection) {
                self.slot.give(Err(Rejected::new(rejection)));
            }

            /// Rejects, and ends the session.
            pub fn reject_and_close(self, rejection: Rejection) {
                self.slot.give(Err(Rejected::closing(rejection)));
            }
        }
    )*};
}

/// Lets tokens exchange the configuration of the session.
macro_rules! configurable {
    ($($name:ident)*) => {$(
        impl $name<'_> {
            /// Sets another configuration for this session, from this reply on. Its host and its
            /// service must be those of the session, and its limits should not be below those that
            /// a hello has announced: the client learns new ones with its next hello.
            pub fn configure(&mut self, config: Arc<Config>) {
                self.exchange.configure = Some(config);
            }
        }
    )*};
}

pub(super) use {acceptable, answerable, configurable, passes_on, rejectable, tokens};
