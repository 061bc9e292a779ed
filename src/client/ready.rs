//! The token behind which everything begins: what an application may have the client do.

use super::{
    attributes,
    auth::Exchange,
    commands::Ask,
    config::Config,
    error::{End, NotOffered, Obstacle},
    facts::MessageFacts,
    plan::Plan,
    state::{Core, Facts, Phase},
    transaction::Transaction,
};
use crate::{
    envelope::Envelope,
    sasl::{Credentials, Initiator, Mechanism, NoCommonMechanism, Nonce, Secret},
    security::Security,
    syntax::{
        Argument, Command, DomainList, Extension, Extensions, LineTooLong, Lookup, Node, Reply,
        UnknownVerb, Verb, XclientAttributes, XforwardAttributes,
    },
};
use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};

/// A transaction may begin: what next?
///
/// It comes whenever a further transaction may begin, not only when nothing is under way.
#[must_use]
pub struct Ready<'c> {
    pub(super) core: &'c mut Core,
    pub(super) facts: &'c Facts,
}

impl<'c> Ready<'c> {
    /// What the server offers, without what [`Config::without`] excludes; none after HELO.
    #[must_use]
    pub const fn extensions(&self) -> &'c Extensions {
        &self.facts.offered
    }

    /// Whether the session was opened with EHLO or LHLO, and not with HELO.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.facts.hello.is_some_and(|hello| hello != Verb::Helo)
    }

    /// How the channel is protected.
    #[must_use]
    pub const fn security(&self) -> &'c Security {
        &self.facts.security
    }

    /// The settings of the session.
    #[must_use]
    pub fn config(&self) -> &'c Config {
        &self.facts.config
    }

    /// The reply to the last command that stood alone: EHLO, or AUTH, NOOP, VRFY, RSET since.
    #[must_use]
    pub fn reply(&self) -> Option<(Verb, &'c Reply<'static>)> {
        self.facts.last.as_ref().map(|(verb, reply)| (*verb, &**reply))
    }

    /// Begins a transaction: MAIL, RCPT for every recipient, and the content, pipelined where that
    /// is offered. [`Content`](super::Content) will ask for the content unless nobody is accepted,
    /// and [`Sent`](super::Sent) comes in any case.
    ///
    /// # Errors
    ///
    /// The server does not offer what the message needs. Nothing was sent, and the session is as
    /// it was.
    pub fn send(
        self,
        envelope: impl Into<Arc<Envelope>>,
        facts: MessageFacts,
    ) -> Result<Transaction, NotOffered> {
        let envelope = envelope.into();
        let Facts { offered, security, config, .. } = self.facts;
        let plan = Plan::new(&envelope, &facts, offered, security, config)?;
        self.core.question = None;
        Ok(self.core.begin(envelope, plan))
    }

    /// Asks for TLS (STARTTLS, RFC 3207): [`Upgrade`](super::Upgrade) follows, or
    /// [`Refused`](super::Refused), or, where TLS is [required](super::TlsPolicy::Required), the
    /// end. Only needed under [`TlsPolicy::Never`](super::TlsPolicy::Never), the other policies do
    /// it by themselves.
    ///
    /// # Errors
    ///
    /// The server does not offer it, or the channel is TLS already.
    pub fn start_tls(self) -> Result<(), NotOffered> {
        if self.facts.security.is_tls() || !self.facts.offered.contains(Extension::StartTls) {
            let obstacles = vec![Obstacle::Extension(Extension::StartTls)];
            return Err(NotOffered { obstacles });
        }
        self.ask(Ask::StartTls);
        Ok(())
    }

    /// Authenticates (AUTH, RFC 4954) with the strongest of these that the server offers and the
    /// channel carries: the next [`Ready`] comes when it has succeeded, and
    /// [`Refused`](super::Refused) when the server says no. A server that breaks the mechanism, or
    /// announces success without having proven itself, ends the session with [`End::Auth`].
    ///
    /// # Errors
    ///
    /// The server offers none of them, or none that may be used outside TLS, or this session is
    /// authenticated already. Nothing was sent.
    pub fn authenticate(
        self,
        initiators: Vec<Box<dyn Initiator>>,
    ) -> Result<Mechanism, NoCommonMechanism> {
        let exchange = Exchange::strongest(initiators, self.facts)?;
        Ok(self.exchange(exchange))
    }

    /// The same with the strongest mechanism for these credentials; the nonce is for SCRAM, and
    /// must come from a random number generator.
    ///
    /// # Errors
    ///
    /// As [`authenticate`](Self::authenticate); also when the mechanism cannot carry the
    /// credentials.
    pub fn authenticate_as(
        self,
        credentials: &Credentials,
        nonce: Nonce,
    ) -> Result<Mechanism, NoCommonMechanism> {
        let offered = self.facts.mechanisms();
        let initiator = credentials.strongest(&offered, &self.facts.channel(), nonce)?;
        Ok(self.exchange(Exchange::by(initiator)))
    }

    /// The same step by step: [`Challenge`](super::Challenge) comes for every challenge. When the
    /// server announces success, [`Ready`] comes, and whether the server has proven itself is for
    /// the application to judge (and to [`quit`](Self::quit) if it has not).
    ///
    /// An initial response that does not fit the command line waits for the empty challenge.
    ///
    /// # Errors
    ///
    /// As [`authenticate`](Self::authenticate).
    pub fn authenticate_by_steps(
        self,
        mechanism: Mechanism,
        initial_response: Option<Secret>,
    ) -> Result<(), NoCommonMechanism> {
        let exchange = Exchange::by_steps(mechanism, initial_response, self.facts)?;
        self.exchange(exchange);
        Ok(())
    }

    fn exchange(self, exchange: Exchange) -> Mechanism {
        let mechanism = exchange.mechanism;
        self.ask(Ask::Auth(exchange));
        mechanism
    }

    /// The mechanisms of AUTH that may be used now: none once it has succeeded.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        self.facts.mechanisms()
    }

    /// The mechanism with which this session has authenticated.
    #[must_use]
    pub const fn authenticated(&self) -> Option<Mechanism> {
        self.facts.authenticated
    }

    /// Asks the server whether it knows a user or mailbox (VRFY, RFC 5321 section 3.5): the reply
    /// is in the next [`Ready::reply`], or in [`Refused`](super::Refused).
    ///
    /// # Errors
    ///
    /// The name is not ASCII, or the answer may be something else, and the server does not offer
    /// SMTPUTF8 (RFC 6531 section 3.7.4.2); it does not fit the command line.
    pub fn verify(self, lookup: Lookup<'static>) -> Result<(), NotOffered> {
        self.may_say(lookup.as_str(), lookup.is_smtputf8())?;
        self.single(Command::Vrfy(lookup))
    }

    /// Asks the server who is on a mailing list (EXPN, RFC 5321 section 3.5); the reply comes as
    /// with [`verify`](Self::verify).
    ///
    /// # Errors
    ///
    /// As with [`verify`](Self::verify).
    pub fn expand(self, lookup: Lookup<'static>) -> Result<(), NotOffered> {
        self.may_say(lookup.as_str(), lookup.is_smtputf8())?;
        self.single(Command::Expn(lookup))
    }

    /// Asks the server for help (HELP, RFC 5321 section 4.1.1.8); the reply comes as with
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    ///
    /// The argument is not ASCII, and the server does not offer SMTPUTF8; it does not fit the
    /// command line.
    pub fn help(self, about: Option<Argument<'static>>) -> Result<(), NotOffered> {
        self.may_say(about.as_ref().map_or("", Argument::as_str), false)?;
        self.single(Command::Help(about))
    }

    /// A command that fits its line (RFC 5321 section 4.5.3.1.4).
    fn single(self, command: Command<'static>) -> Result<(), NotOffered> {
        if let Err(LineTooLong { octets, limit, .. }) =
            command.encode_within(&self.facts.offered, &mut Vec::new())
        {
            let (verb, recipient) = (command.verb(), None);
            let obstacles = vec![Obstacle::LineTooLong { verb, recipient, octets, limit }];
            return Err(NotOffered { obstacles });
        }
        self.ask(Ask::Single(command));
        Ok(())
    }

    /// Commands are ASCII where nothing else was agreed on (RFC 5321 section 2.4).
    fn may_say(&self, text: &str, wants_utf8: bool) -> Result<(), NotOffered> {
        let is_needed = wants_utf8 || !text.is_ascii();
        if is_needed && !self.facts.offered.contains(Extension::SmtpUtf8) {
            return Err(NotOffered { obstacles: vec![Obstacle::Extension(Extension::SmtpUtf8)] });
        }
        Ok(())
    }

    /// Asks the server to send the mail that waits for a node (ETRN, RFC 1985 section 5), once
    /// nothing else is under way; the reply comes as with [`verify`](Self::verify). Every positive
    /// one is a success, and the text behind 253 says how many messages wait. A 4yz reply means
    /// not this node, not now; behind a 5yz one no other node need be tried.
    ///
    /// # Errors
    ///
    /// The server does not offer it, or the node does not fit the command line.
    pub fn start_queue(self, node: Node<'static>) -> Result<(), NotOffered> {
        if !self.facts.offered.contains(Extension::Etrn) {
            let obstacles = vec![Obstacle::Extension(Extension::Etrn)];
            return Err(NotOffered { obstacles });
        }
        self.single(Command::Etrn(node))
    }

    /// Speaks for another client (XCLIENT, Postfix's XCLIENT_README), once nothing else is under
    /// way: the server takes it that the session is that client's. It begins anew with the hello
    /// of this client, and [`Ready`] comes when that is accepted, or
    /// [`Refused`](super::Refused).
    ///
    /// What the server offered before is forgotten, TLS stays. Nobody has authenticated in the new
    /// session as far as this client knows ([`authenticated`](Self::authenticated)), LOGIN or not:
    /// that names who did towards us, and AUTH may be asked for again where it is offered.
    ///
    /// What does not fit a command line goes in several, NAME, PORT and ADDR in the last. When a
    /// further one is refused, those before it have been accepted: going on opens the session
    /// anew, as half of that client.
    ///
    /// # Errors
    ///
    /// The server does not offer XCLIENT or not each of these attributes, or one of them does not
    /// fit a line. Nothing was sent.
    pub fn speak_for(self, attributes: &XclientAttributes<'_>) -> Result<(), NotOffered> {
        let commands = attributes::xclient(attributes, &self.facts.offered)?;
        self.ask(Ask::Tell(commands));
        Ok(())
    }

    /// Tells where the next message comes from (XFORWARD, Postfix's XFORWARD_README), for the
    /// server's logs, once nothing else is under way; the reply comes as with
    /// [`verify`](Self::verify).
    ///
    /// It holds for the next transaction, whatever becomes of that, and not for those behind it;
    /// [`reset`](Self::reset) drops it. Several of these before one transaction add up.
    ///
    /// # Errors
    ///
    /// As with [`speak_for`](Self::speak_for).
    pub fn tell_origin(self, attributes: &XforwardAttributes<'_>) -> Result<(), NotOffered> {
        let commands = attributes::xforward(attributes, &self.facts.offered)?;
        self.ask(Ask::Tell(commands));
        Ok(())
    }

    /// Asks for mail on this connection, with the roles turned (ATRN, RFC 2645 section 5.2), once
    /// nothing else is under way: for these domains, or for all that the server has for who has
    /// authenticated. [`HandOver`](super::HandOver) follows, or [`Refused`](super::Refused): 453
    /// says that there is no mail, 450 and 451 not now.
    ///
    /// # Errors
    ///
    /// The server does not offer it, or the domains do not fit the command line.
    pub fn turn(self, domains: Option<DomainList<'static>>) -> Result<(), NotOffered> {
        if !self.facts.offered.contains(Extension::Atrn) {
            let obstacles = vec![Obstacle::Extension(Extension::Atrn)];
            return Err(NotOffered { obstacles });
        }
        self.single(Command::Atrn(domains))
    }

    /// Sends a command of the application's own, once nothing else is under way: a verb that this
    /// crate does not know, so that no command which it does know is meant. The reply comes as with
    /// [`verify`](Self::verify), for [`Verb::Other`]. This client knows nothing of what the verb
    /// does: one that asks for more with 3yz, or after which the session is another, is not for it.
    ///
    /// A transcript does not show the argument where it may hold a secret: after a word such as AUTH, LOGIN
    /// or PASS, or a verb that has one of these in its name, a URL with a password, or what looks like base64. Where the
    /// reply repeats that, asterisks stand in its place; what stood after AUTH is hidden in all further
    /// replies too.
    ///
    /// # Errors
    ///
    /// The argument is not ASCII, and the server does not offer SMTPUTF8; or the line is longer
    /// than a server has to take (RFC 5321 section 4.5.3.1.4).
    pub fn command(
        self,
        verb: UnknownVerb<'static>,
        argument: Option<Argument<'static>>,
    ) -> Result<(), NotOffered> {
        self.may_say(argument.as_ref().map_or("", Argument::as_str), false)?;
        self.single(Command::Other { verb, argument })
    }

    /// Sends NOOP: is the server still there?
    pub fn noop(self) {
        self.ask(Ask::Single(Command::Noop(None)));
    }

    /// Sends RSET. There is no need to: the client does before MAIL where the server may still
    /// hold a transaction.
    pub fn reset(self) {
        self.ask(Ask::Reset);
    }

    /// Ends the session with QUIT.
    pub fn quit(self) {
        self.ask(Ask::Quit(End::Quit));
    }

    /// Nothing now: what the server says is read on, without a deadline, so that a pooled session
    /// sees its 421. The next [`Sent`](super::Sent) or [`Client::ready`](super::Client::ready) ends
    /// it.
    pub fn wait(self) {
        self.core.question = None;
        self.core.phase = Phase::Waiting;
    }

    fn ask(self, ask: Ask) {
        self.core.question = None;
        self.core.phase = Phase::Asking(ask);
    }
}
