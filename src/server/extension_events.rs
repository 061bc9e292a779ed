//! The questions of service extensions and lookups, and the answers that only they have.

use super::{
    Config,
    acceptance::{Acceptance, Accepted, judged},
    content::Url,
    facts::Facts,
    token::{
        Answer, Exchange, Rejected, Slot, acceptable, answerable, configurable, passes_on,
        rejectable, tokens,
    },
};
use crate::syntax::{
    Argument, DomainList, Mailbox, Node, Rejection, Reply, Text, UnknownVerb, Uri,
    XclientAttributes, XforwardAttributes,
};
use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};

/// The ways to accept VRFY and EXPN.
#[derive(Debug)]
pub(super) enum LookupAnswer {
    /// 250, with these mailboxes.
    Mailboxes(Vec<Mailbox<'static>>),
    /// 252.
    CannotVerify,
    /// A reply of the application's own.
    Own(Box<Acceptance>),
}

/// The ways to accept ETRN.
#[derive(Debug)]
pub(super) enum EtrnAnswer {
    /// 250.
    Accept(Accepted),
    /// 251 to 253: the number of messages that wait, if they were counted.
    Waiting(Option<u32>),
}

/// The ways to answer ATRN but a rejection.
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
    Accept(Accepted),
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
    /// A URL that stands for a piece of content (RFC 4468 section 2). An application that accepts it
    /// fetches the octets, and appends them to those that came before.
    Burl<Answer<Accepted>> { url: &'s Url }
    /// ETRN: the client wants the mail that waits for a node (RFC 1985 section 5).
    Etrn<Answer<EtrnAnswer>> { node: &'s Node<'static> }
    /// ATRN: the client wants its mail, and the roles reversed for it (RFC 2645 section 5.2). After
    /// its acceptance [`HandOver`] follows.
    Atrn<Answer<AtrnAnswer>> { domains: Option<&'s DomainList<'static>> }
    /// A verb of the application's own ([`Config::with_verb`]), at its place.
    Other<Answer<OtherAnswer>> { verb: &'s UnknownVerb<'static>, argument: Option<&'s Argument<'static>> }
    /// Another protocol continues on this channel, and the positive reply before it has been sent.
    /// This machine reads and sends nothing more: the channel belongs to the application.
    ///
    /// The application takes the machine and the stream apart (`into_parts` of the adapters in
    /// `io`) and puts another machine on the stream, which gets the octets that this one has
    /// received and not processed ([`Server::into_received`](super::Server::into_received)). Under
    /// TLS `Secured::map` changes the machine inside. After ATRN that is a
    /// [`Client`](crate::client::Client), which knows nothing of the first session (RFC 2645
    /// section 5.2).
    HandOver<()> {}
    /// XCLIENT: the client speaks for another one. After its acceptance the session begins anew for
    /// that one, with [`Connect`](super::Connect).
    Xclient<Answer<Option<Text<'static>>>> { attributes: &'s XclientAttributes<'static> }
    /// XFORWARD: the facts that the client knows of its own client, for one transaction.
    Xforward<Answer<Accepted>> { attributes: &'s XforwardAttributes<'static> }
}

acceptable! {
    Atrn: AtrnAnswer::Accept;
    Xclient: core::convert::identity;
}
answerable! {
    Burl: core::convert::identity;
    Etrn: EtrnAnswer::Accept;
    Xforward: core::convert::identity;
    Other: OtherAnswer::Accept;
}
passes_on! {
    Verify: |acceptance| LookupAnswer::Own(Box::new(acceptance));
    Expand: |acceptance| LookupAnswer::Own(Box::new(acceptance));
}
rejectable! { Verify Expand Burl Etrn Atrn Xclient Xforward Other }
configurable! { Xclient }

impl<'s> Verify<'s> {
    /// Returns the user name or mailbox, as the client wrote it.
    #[must_use]
    pub fn text(&self) -> Text<'s> {
        Text::lossy(self.facts.argument())
    }

    /// Accepts with 250: the mailbox exists, and the name is not ambiguous (RFC 5321 section 3.5.1).
    pub fn accept(self, mailbox: Mailbox<'static>) {
        self.slot.give(Ok(LookupAnswer::Mailboxes(vec![mailbox])));
    }

    /// Accepts with 252: the server cannot verify it.
    pub fn cannot_verify(self) {
        self.slot.give(Ok(LookupAnswer::CannotVerify));
    }
}

impl<'s> Expand<'s> {
    /// Returns the name of the list, as the client wrote it.
    #[must_use]
    pub fn text(&self) -> Text<'s> {
        Text::lossy(self.facts.argument())
    }

    /// Accepts with 250 and a line for each member of the list (RFC 5321 section 3.5.2), or with
    /// 252 if there are no members.
    pub fn accept(self, members: Vec<Mailbox<'static>>) {
        self.slot.give(Ok(LookupAnswer::Mailboxes(members)));
    }

    /// Accepts with 252: the server cannot verify it.
    pub fn cannot_verify(self) {
        self.slot.give(Ok(LookupAnswer::CannotVerify));
    }
}

impl<'s> Burl<'s> {
    /// Returns the URL of the octets.
    #[must_use]
    pub const fn uri(&self) -> &'s Uri<'static> {
        &self.url.uri
    }

    /// Returns whether they are the last of the content.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.url.is_last
    }
}

impl<'s> Etrn<'s> {
    /// Returns the node whose mail is wanted.
    #[must_use]
    pub const fn node(&self) -> &'s Node<'static> {
        self.node
    }

    /// Accepts with 251: no messages wait for this node.
    pub fn nothing_waits(self) {
        self.slot.give(Ok(EtrnAnswer::Waiting(Some(0))));
    }

    /// Accepts with 253: this many messages wait for this node, and are started; with 252 where they
    /// were not counted.
    pub fn accept_waiting(self, messages: Option<u32>) {
        self.slot.give(Ok(EtrnAnswer::Waiting(messages)));
    }
}

impl<'s> Xclient<'s> {
    /// Returns the attributes of the other client.
    #[must_use]
    pub const fn attributes(&self) -> &'s XclientAttributes<'static> {
        self.attributes
    }
}

impl<'s> Xforward<'s> {
    /// Returns the attributes of the client's own client.
    #[must_use]
    pub const fn attributes(&self) -> &'s XforwardAttributes<'static> {
        self.attributes
    }
}

impl<'s> Atrn<'s> {
    /// Returns the domains whose mail is wanted; `None` stands for all that the client may have. The
    /// application decides by [`identity`](super::Facts::identity) whether it may have them.
    #[must_use]
    pub const fn domains(&self) -> Option<&'s DomainList<'static>> {
        self.domains
    }

    /// Rejects with 453: there is no mail.
    pub fn nothing_waits(self) {
        self.slot.give(Ok(AtrnAnswer::NothingWaits));
    }
}

impl<'s> Other<'s> {
    /// Returns the verb, as the client wrote it.
    #[must_use]
    pub const fn verb(&self) -> &'s UnknownVerb<'static> {
        self.verb
    }

    /// Returns the argument after the verb.
    #[must_use]
    pub const fn argument(&self) -> Option<&'s Argument<'static>> {
        self.argument
    }

    /// Accepts with 250 and this text, after which another protocol continues: [`HandOver`] follows. A
    /// transaction that is open is aborted.
    pub fn hand_over(self, text: Text<'static>) {
        self.slot.give(Ok(OtherAnswer::HandOver(text)));
    }
}

impl HandOver<'_> {
    /// Closes the channel: no machine takes it over.
    pub fn close(self) {
        self.slot.give(());
    }
}
