//! The questions of service extensions and lookups, and the answers that only they have.

use super::{
    Config,
    content::Url,
    facts::Facts,
    token::{Answer, Exchange, Rejected, Slot, acceptable, configurable, rejectable, tokens},
};
use crate::syntax::{
    Argument, DomainList, Mailbox, Node, Rejection, Text, UnknownVerb, Uri, XclientAttributes,
    XforwardAttributes,
};
use alloc::{sync::Arc, vec, vec::Vec};

/// The ways to accept VRFY and EXPN.
#[derive(Debug)]
pub(super) enum LookupAnswer {
    /// 250, with these mailboxes.
    Mailboxes(Vec<Mailbox<'static>>),
    /// 252.
    CannotVerify,
}

/// The ways to accept ETRN.
#[derive(Debug)]
pub(super) enum EtrnAnswer {
    /// 250.
    Accept(Option<Text<'static>>),
    /// 251 to 253: the number of messages that wait, if they were counted.
    Waiting(Option<u32>),
}

/// The ways to accept ATRN.
#[derive(Debug)]
pub(super) enum AtrnAnswer {
    /// 250, and the roles are reversed.
    Accept(Option<Text<'static>>),
    /// 453: there is no mail.
    NothingWaits,
}

/// The ways to accept a verb of the application's own.
#[derive(Debug)]
pub(super) enum OtherAnswer {
    /// 250.
    Accept(Option<Text<'static>>),
    /// 250 with this text, and then another protocol.
    HandOver(Text<'static>),
}

/// The subject of [`Other`].
#[derive(Debug)]
pub(super) struct OtherQuestion {
    pub(super) verb: UnknownVerb<'static>,
    pub(super) argument: Option<Argument<'static>>,
}

tokens! {
    /// VRFY (RFC 5321 section 4.1.1.6).
    Verify<Answer<LookupAnswer>> {}
    /// EXPN (RFC 5321 section 4.1.1.7).
    Expand<Answer<LookupAnswer>> {}
    /// A URL that stands for a piece of content (RFC 4468 section 2). Whoever accepts it has the
    /// octets, and puts them behind those that came before.
    Burl<Answer<Option<Text<'static>>>> { url: &'s Url }
    /// ETRN: the client wants the mail that waits for a node (RFC 1985 section 5).
    Etrn<Answer<EtrnAnswer>> { node: &'s Node<'static> }
    /// ATRN: the client wants its mail, and the roles turned around for it (RFC 2645 section 5.2).
    /// Accepted, [`HandOver`] follows.
    Atrn<Answer<AtrnAnswer>> { domains: Option<&'s DomainList<'static>> }
    /// A verb of the application's own ([`Config::with_verb`]), at its place.
    Other<Answer<OtherAnswer>> { verb: &'s UnknownVerb<'static>, argument: Option<&'s Argument<'static>> }
    /// Another protocol goes on in this channel, and the positive reply that says so has been sent.
    /// Nothing is read or said here any more: the session is the application's.
    ///
    /// It takes the machine and the stream apart (`into_parts` of the adapters in `io`) and puts another machine on the stream, which gets what this one has
    /// received and not dealt with ([`Server::into_received`](super::Server::into_received)). Under
    /// TLS `Secured::map` changes the machine inside. Behind ATRN that is a
    /// [`Client`](crate::client::Client), which knows nothing of the first session (RFC 2645
    /// section 5.2).
    HandOver<()> {}
    /// XCLIENT: the client speaks for another. Accepted, the session begins anew for that one,
    /// with [`Connect`].
    Xclient<Answer<Option<Text<'static>>>> { attributes: &'s XclientAttributes<'static> }
    /// XFORWARD: what the client knows of its own client, for one transaction.
    Xforward<Answer<Option<Text<'static>>>> { attributes: &'s XforwardAttributes<'static> }
}

acceptable! {
    Burl: core::convert::identity;
    Etrn: EtrnAnswer::Accept;
    Atrn: AtrnAnswer::Accept;
    Xclient: core::convert::identity;
    Xforward: core::convert::identity;
    Other: OtherAnswer::Accept;
}
rejectable! { Verify Expand Burl Etrn Atrn Xclient Xforward Other }
configurable! { Xclient }

impl<'s> Verify<'s> {
    /// A user name or a mailbox, as the client wrote it.
    #[must_use]
    pub fn text(&self) -> Text<'s> {
        Text::lossy(&self.facts.argument)
    }

    /// 250: there is this mailbox, and no other that was meant (RFC 5321 section 3.5.1).
    pub fn accept(self, mailbox: Mailbox<'static>) {
        self.slot.give(Ok(LookupAnswer::Mailboxes(vec![mailbox])));
    }

    /// 252: perhaps.
    pub fn cannot_verify(self) {
        self.slot.give(Ok(LookupAnswer::CannotVerify));
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
        self.slot.give(Ok(LookupAnswer::Mailboxes(members)));
    }

    /// 252: perhaps.
    pub fn cannot_verify(self) {
        self.slot.give(Ok(LookupAnswer::CannotVerify));
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
        self.slot.give(Ok(EtrnAnswer::Waiting(Some(0))));
    }

    /// 253: so many messages wait for this node, and are started; 252 where nobody has counted
    /// them.
    pub fn accept_waiting(self, messages: Option<u32>) {
        self.slot.give(Ok(EtrnAnswer::Waiting(messages)));
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
        self.slot.give(Ok(AtrnAnswer::NothingWaits));
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
        self.slot.give(Ok(OtherAnswer::HandOver(text)));
    }
}

impl HandOver<'_> {
    /// Nobody takes the channel over: it is closed.
    pub fn close(self) {
        self.slot.give(());
    }
}
