//! The token of a session that is ready for a transaction or another command.

use super::{
    ask::Ask,
    attributes,
    auth::Authentication,
    config::Config,
    error::{End, NotOffered, Obstacle},
    facts::Facts,
    in_flight::Told,
    message_facts::MessageFacts,
    plan::Plan,
    report::TransactionNumber,
    session::{Phase, Session},
};
use crate::{
    envelope::Envelope,
    sasl::{Credentials, Initiator, Mechanism, NoCommonMechanism, Nonce, Secret},
    security::Security,
    syntax::{
        Argument, Command, DomainList, Extension, Extensions, Lookup, Node, Parameters, Reply,
        ReversePath, UnknownVerb, Verb, XclientAttributes, XforwardAttributes,
    },
};
use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};

/// A transaction may begin, or any other command.
///
/// This comes whenever a further transaction may begin, not only when the session is idle.
#[must_use]
pub struct Ready<'c> {
    pub(super) session: &'c mut Session,
    pub(super) facts: &'c Facts,
}

impl<'c> Ready<'c> {
    /// Returns the service extensions that the server offers, without those that
    /// [`Config::without_extension`] excludes; none after HELO.
    #[must_use]
    pub const fn extensions(&self) -> &'c Extensions {
        &self.facts.offered
    }

    /// Returns whether the session was opened with EHLO or LHLO, and not with HELO.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.facts.hello.is_some_and(|hello| hello != Verb::Helo)
    }

    /// Returns how the channel is protected.
    #[must_use]
    pub const fn security(&self) -> &'c Security {
        &self.facts.security
    }

    /// Returns the settings of the session.
    #[must_use]
    pub fn config(&self) -> &'c Config {
        &self.facts.config
    }

    /// Returns the last command outside transactions, EHLO or AUTH, NOOP, VRFY, RSET since, with its
    /// reply; `None` once the application has [waited](Self::wait) after it, for an idle session keeps no reply but the
    /// [greeting](super::Client::greeting).
    #[must_use]
    pub fn reply(&self) -> Option<(Verb, &'c Reply<'static>)> {
        self.facts.last()
    }

    /// Begins a transaction: MAIL, RCPT for every recipient, and the content, pipelined where that
    /// is offered. [`Content`](super::Content) will ask for the content unless every recipient is
    /// rejected, and [`Sent`](super::Sent) comes in any case.
    ///
    /// # Errors
    ///
    /// The server does not offer what the message needs. Nothing was sent, and the session is
    /// unchanged.
    pub fn send(
        self,
        envelope: impl Into<Arc<Envelope>>,
        facts: MessageFacts,
    ) -> Result<TransactionNumber, NotOffered> {
        let envelope = envelope.into();
        let Facts { offered, security, config, .. } = self.facts;
        let memory = self.session.spare().parameters();
        let plan = Plan::new(memory, &envelope, &facts, offered, security, config)?;
        let told = match (config.has_recipient_events(), config.has_all_recipient_events()) {
            (_, true) => Told::Every,
            (true, _) => Told::Final,
            _ => Told::Nothing,
        };
        let clean = facts.into_clean(&plan.allowed);
        Ok(self.session.begin(envelope, plan, told, clean))
    }

    /// Begins a transaction step by step, as a gateway or a cut-through proxy needs it: MAIL leaves,
    /// [`Begun`](super::Begun) asks for the recipients one by one, and [`Answered`](super::Answered) tells every reply,
    /// that to MAIL, too, as soon as it has come. Where the server offers PIPELINING nothing waits for a reply, unless
    /// the application [waits](super::Begun::wait) for it.
    ///
    /// `facts` are what is known of the content already; BODY, SIZE and SMTPUTF8 are added as with
    /// [`send`](Self::send). As the recipients are not known yet, SMTPUTF8 must be among the parameters if
    /// one of them may be outside ASCII (RFC 6531 section 3.4).
    ///
    /// [`Sent`](super::Sent) comes exactly once here, too.
    ///
    /// # Errors
    ///
    /// The server does not offer what the message needs. Nothing was sent, and the session is unchanged.
    pub fn begin(
        self,
        reverse_path: ReversePath<'static>,
        parameters: Parameters<'static>,
        facts: &MessageFacts,
    ) -> Result<TransactionNumber, NotOffered> {
        let envelope = Envelope::from_reverse_path(reverse_path).with_parameters(parameters);
        let Facts { offered, security, config, .. } = self.facts;
        let memory = self.session.spare().parameters();
        let plan = Plan::for_mail(memory, &envelope, facts, offered, security, config)?;
        Ok(self.session.begin_open(envelope, plan))
    }

    /// Asks for TLS (STARTTLS, RFC 3207): [`Upgrade`](super::Upgrade) follows, or
    /// [`Refused`](super::Refused), or, where TLS is [required](super::TlsPolicy::Required), the
    /// end. Only needed under [`TlsPolicy::Never`](super::TlsPolicy::Never): the other policies do
    /// it by themselves.
    ///
    /// # Errors
    ///
    /// The server does not offer it, or the channel is TLS already.
    pub fn start_tls(self) -> Result<(), NotOffered> {
        if self.facts.security.is_tls() {
            return Err(not_offered(Extension::StartTls));
        }
        self.need(Extension::StartTls)?;
        self.ask(Ask::StartTls);
        Ok(())
    }

    /// Authenticates (AUTH, RFC 4954) with the strongest of these mechanisms that the server offers and
    /// the channel allows: the next [`Ready`] comes when it has succeeded, and
    /// [`Refused`](super::Refused) when the server rejects it. A server that breaks the mechanism, or
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
        let authentication = Authentication::strongest(initiators, self.facts)?;
        Ok(self.begin_exchange(authentication))
    }

    /// Authenticates like [`authenticate`](Self::authenticate), with the strongest mechanism for these
    /// credentials; the nonce is for SCRAM, and must come from a random number generator.
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
        Ok(self.begin_exchange(Authentication::by(initiator)))
    }

    /// Authenticates with a mechanism of the application: [`Challenge`](super::Challenge) comes for
    /// every challenge. When the server announces success, [`Ready`] comes, and the application decides
    /// whether the server has proven itself (and [quits](Self::quit) if it has not).
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
        let authentication = Authentication::by_steps(mechanism, initial_response, self.facts)?;
        self.begin_exchange(authentication);
        Ok(())
    }

    fn begin_exchange(self, authentication: Authentication) -> Mechanism {
        let mechanism = authentication.mechanism();
        self.ask(Ask::Auth(Box::new(authentication)));
        mechanism
    }

    /// Returns the mechanisms of AUTH that may be used now: none after it has succeeded.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        self.facts.mechanisms()
    }

    /// Returns the mechanism with which this session has authenticated.
    #[must_use]
    pub const fn authenticated(&self) -> Option<Mechanism> {
        self.facts.authenticated()
    }

    /// Sends VRFY, which asks whether the server knows a user or mailbox (RFC 5321 section 3.5): the
    /// reply is in the next [`Ready::reply`], or in [`Refused`](super::Refused).
    ///
    /// # Errors
    ///
    /// The name is not ASCII, or the answer may be UTF-8, and the server does not offer SMTPUTF8 (RFC
    /// 6531 section 3.7.4.2); it does not fit the command line.
    pub fn vrfy(self, lookup: Lookup<'static>) -> Result<(), NotOffered> {
        self.check_ascii(lookup.as_str())?;
        if lookup.is_smtputf8() {
            self.need(Extension::SmtpUtf8)?;
        }
        self.single(Command::Vrfy(lookup))
    }

    /// Sends EXPN, which asks for the members of a mailing list (RFC 5321 section 3.5); the reply comes
    /// as with [`vrfy`](Self::vrfy).
    ///
    /// # Errors
    ///
    /// As with [`vrfy`](Self::vrfy).
    pub fn expn(self, lookup: Lookup<'static>) -> Result<(), NotOffered> {
        self.check_ascii(lookup.as_str())?;
        if lookup.is_smtputf8() {
            self.need(Extension::SmtpUtf8)?;
        }
        self.single(Command::Expn(lookup))
    }

    /// Sends HELP (RFC 5321 section 4.1.1.8); the reply comes as with [`vrfy`](Self::vrfy).
    ///
    /// # Errors
    ///
    /// The argument is not ASCII, and the server does not offer SMTPUTF8; it does not fit the
    /// command line.
    pub fn help(self, about: Option<Argument<'static>>) -> Result<(), NotOffered> {
        self.check_ascii(about.as_ref().map_or("", Argument::as_str))?;
        self.single(Command::Help(about))
    }

    /// Sends ETRN, which asks the server to send the mail that waits for a node (RFC 1985 section 5),
    /// once the session is idle; the reply comes as with [`vrfy`](Self::vrfy). Every positive reply is
    /// a success, and the text of 253 says how many messages wait. A 4yz reply means not this node, not
    /// now; after a 5yz reply no other node need be tried.
    ///
    /// # Errors
    ///
    /// The server does not offer it, or the node does not fit the command line.
    pub fn etrn(self, node: Node<'static>) -> Result<(), NotOffered> {
        self.need(Extension::Etrn)?;
        self.single(Command::Etrn(node))
    }

    /// Sends XCLIENT (Postfix's XCLIENT_README) once the session is idle: the server treats the session
    /// as that of another client from here on. It opens again with the EHLO of this client, and
    /// [`Ready`] comes when that is accepted, or [`Refused`](super::Refused).
    ///
    /// The extensions that the server offered are forgotten, TLS stays. The new session is not
    /// authenticated as far as this client knows ([`authenticated`](Self::authenticated)), with LOGIN
    /// or without: LOGIN names the user that authenticated towards this side, and AUTH may be used
    /// again where it is offered.
    ///
    /// Attributes that do not fit a command line go in several, with NAME, PORT and ADDR in the last.
    /// When a further line is rejected, those before it were accepted: [`go_on`](super::Refused::go_on)
    /// opens the session again, as half of that client.
    ///
    /// # Errors
    ///
    /// The server does not offer XCLIENT or not each of these attributes, or one of them does not
    /// fit a line. Nothing was sent.
    pub fn xclient(self, attributes: &XclientAttributes<'_>) -> Result<(), NotOffered> {
        let commands = attributes::xclient(attributes, &self.facts.offered)?;
        self.ask(Ask::Lines(commands));
        Ok(())
    }

    /// Sends XFORWARD (Postfix's XFORWARD_README), which names the origin of the next message for the
    /// server's logs, once the session is idle; the reply comes as with [`vrfy`](Self::vrfy).
    ///
    /// It holds for the next transaction, whatever its outcome, and not for later ones;
    /// [`reset`](Self::reset) drops it. Several of these before one transaction add up.
    ///
    /// # Errors
    ///
    /// As with [`xclient`](Self::xclient).
    pub fn xforward(self, attributes: &XforwardAttributes<'_>) -> Result<(), NotOffered> {
        let commands = attributes::xforward(attributes, &self.facts.offered)?;
        self.ask(Ask::Lines(commands));
        Ok(())
    }

    /// Sends ATRN, which asks for mail on this connection with the roles turned (RFC 2645 section 5.2),
    /// once the session is idle: for these domains, or for all that the server has for the
    /// authenticated user. [`HandOver`](super::HandOver) follows, or [`Refused`](super::Refused): 453
    /// says that there is no mail, 450 and 451 not now.
    ///
    /// # Errors
    ///
    /// The server does not offer it, or the domains do not fit the command line.
    pub fn atrn(self, domains: Option<DomainList<'static>>) -> Result<(), NotOffered> {
        self.need(Extension::Atrn)?;
        self.single(Command::Atrn(domains))
    }

    /// Sends a command of the application, once the session is idle: a verb that this crate does not
    /// know, so that none of the other methods is meant. The reply comes as with [`vrfy`](Self::vrfy),
    /// for [`Verb::Other`]. This client does not know the effect of the verb: one that asks for more
    /// with 3yz, or that begins another session, cannot be sent with it.
    ///
    /// A transcript does not show the argument where it may hold a secret: after a word such as AUTH, LOGIN
    /// or PASS, or a verb that has one of these in its name, a URL with a password, or a word that looks
    /// like base64. Where the reply repeats it, asterisks stand in its place; what stood after AUTH is
    /// hidden in all further replies too.
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
        self.check_ascii(argument.as_ref().map_or("", Argument::as_str))?;
        self.single(Command::Other { verb, argument })
    }

    /// Sends NOOP, which shows whether the server is still there.
    pub fn noop(self) {
        self.ask(Ask::Single(Box::new(Command::Noop(None))));
    }

    /// Sends RSET. It is not needed: the client sends it before MAIL where the server may still
    /// hold a transaction.
    pub fn reset(self) {
        self.ask(Ask::Reset);
    }

    /// Ends the session with QUIT.
    pub fn quit(self) {
        self.ask(Ask::Quit(End::Quit));
    }

    /// Sends nothing now. Replies are still read, without a deadline, so that a pooled session sees its
    /// 421. The next [`Sent`](super::Sent) or [`Client::ready`](super::Client::ready) ends the wait.
    pub fn wait(self) {
        self.session.position.answer(Phase::Waiting);
    }

    fn ask(self, ask: Ask) {
        self.session.position.answer(Phase::asking(ask));
    }

    /// Sends a command if it fits its line (RFC 5321 section 4.5.3.1.4).
    fn single(self, command: Command<'static>) -> Result<(), NotOffered> {
        if let Err(error) = command.encode_within(&self.facts.offered, &mut Vec::new()) {
            let (octets, limit) = (error.octets(), error.limit());
            let (verb, recipient) = (command.verb(), None);
            let obstacles = vec![Obstacle::LineTooLong { verb, recipient, octets, limit }];
            return Err(NotOffered { obstacles });
        }
        self.ask(Ask::Single(Box::new(command)));
        Ok(())
    }

    /// Checks that text is ASCII where SMTPUTF8 is not offered (RFC 5321 section 2.4).
    fn check_ascii(&self, text: &str) -> Result<(), NotOffered> {
        if text.is_ascii() { Ok(()) } else { self.need(Extension::SmtpUtf8) }
    }

    fn need(&self, extension: Extension) -> Result<(), NotOffered> {
        match self.facts.offered.contains(extension) {
            true => Ok(()),
            false => Err(not_offered(extension)),
        }
    }
}

fn not_offered(extension: Extension) -> NotOffered {
    NotOffered { obstacles: vec![Obstacle::Extension(extension)] }
}
