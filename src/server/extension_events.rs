//! What service extensions and lookups ask, and the answers that are theirs alone.

use super::event::{Answer, Atrn, Burl, Etrn, Expand, HandOver, Other, Verify, Xclient, Xforward};
use crate::syntax::{
    Argument, DomainList, Mailbox, Node, Text, UnknownVerb, Uri, XclientAttributes,
    XforwardAttributes,
};
use alloc::{vec, vec::Vec};

impl<'s> Verify<'s> {
    /// A user name or a mailbox, as the client wrote it.
    #[must_use]
    pub fn text(&self) -> Text<'s> {
        Text::lossy(&self.facts.argument)
    }

    /// 250: there is this mailbox, and no other that was meant (RFC 5321 section 3.5.1).
    pub fn accept(self, mailbox: Mailbox<'static>) {
        self.exchange.answer = Some(Answer::Mailboxes(vec![mailbox]));
    }

    /// 252: perhaps.
    pub fn cannot_verify(self) {
        self.exchange.answer = Some(Answer::CannotVerify);
    }
}

impl<'s> Expand<'s> {
    /// The name of a list, as the client wrote it.
    #[must_use]
    pub fn text(&self) -> Text<'s> {
        Text::lossy(&self.facts.argument)
    }

    /// 250, with a line for each member of the list (RFC 5321 section 3.5.2); 252 if it has none.
    pub fn accept(self, members: Vec<Mailbox<'static>>) {
        self.exchange.answer = Some(Answer::Mailboxes(members));
    }

    /// 252: perhaps.
    pub fn cannot_verify(self) {
        self.exchange.answer = Some(Answer::CannotVerify);
    }
}

impl<'s> Burl<'s> {
    /// Where the octets are.
    #[must_use]
    pub const fn uri(&self) -> &'s Uri<'static> {
        &self.url.uri
    }

    /// Whether they are the last of the content.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.url.is_last
    }
}

impl<'s> Etrn<'s> {
    /// For whom mail is wanted.
    #[must_use]
    pub const fn node(&self) -> &'s Node<'static> {
        self.node
    }

    /// 251: nothing waits for this node.
    pub fn nothing_waits(self) {
        self.exchange.answer = Some(Answer::Waiting(Some(0)));
    }

    /// 253: so many messages wait for this node, and are started; 252 where nobody has counted
    /// them.
    pub fn accept_waiting(self, messages: Option<u32>) {
        self.exchange.answer = Some(Answer::Waiting(messages));
    }
}

impl<'s> Xclient<'s> {
    /// What the client says of the other one.
    #[must_use]
    pub const fn attributes(&self) -> &'s XclientAttributes<'static> {
        self.attributes
    }
}

impl<'s> Xforward<'s> {
    /// What the client says of its own client.
    #[must_use]
    pub const fn attributes(&self) -> &'s XforwardAttributes<'static> {
        self.attributes
    }
}

impl<'s> Atrn<'s> {
    /// The domains whose mail is wanted; `None` is all that the client may have. Whether it may
    /// have them is for the application to know, by
    /// [`identity`](super::Facts::identity).
    #[must_use]
    pub const fn domains(&self) -> Option<&'s DomainList<'static>> {
        self.domains
    }

    /// 453: there is no mail.
    pub fn nothing_waits(self) {
        self.exchange.answer = Some(Answer::Waiting(Some(0)));
    }
}

impl<'s> Other<'s> {
    /// The verb, as the client wrote it.
    #[must_use]
    pub const fn verb(&self) -> &'s UnknownVerb<'static> {
        self.verb
    }

    /// What stands behind it.
    #[must_use]
    pub const fn argument(&self) -> Option<&'s Argument<'static>> {
        self.argument
    }

    /// 250 in these words, and then another protocol: [`HandOver`] follows. A transaction that is
    /// open is given up.
    pub fn hand_over(self, text: Text<'static>) {
        self.exchange.answer = Some(Answer::HandOver(text));
    }
}

impl HandOver<'_> {
    /// Nobody takes the channel over: it is closed.
    pub fn close(self) {
        self.exchange.answer = Some(Answer::Done);
    }
}
