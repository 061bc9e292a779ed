//! The questions of a server, each with only its legal answers.

use super::{
    Config,
    auth::Attempt,
    content::{self, Url},
    delivery::{Verdict, Verdicts},
    facts::Facts,
    replies,
    state::{AbortReason, End},
    transaction::{Recipient, Transaction},
};
use crate::{
    sasl::{self, Identity, Mechanism, Verifier},
    security::{Security, TlsFailure},
    syntax::{
        Argument, DomainList, ForwardPath, HelloName, Host, MailParameters, Mailbox, Node,
        Parameters, RcptParameters, Rejection, ReversePath, Text, UnknownVerb, XclientAttributes,
        XforwardAttributes,
    },
    wire::ReceiveBuffer,
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use bytes::Bytes;

/// What the application is asked, or told.
///
/// Each variant is a token that offers only the answers that are legal now. A token that is
/// dropped is not lost: the same question is asked again after the next poll. What a token
/// lends (paths, [`Facts`]) lives as long as the session is borrowed, so it may be used after
/// the answer; the answer takes effect at the next poll.
#[derive(Debug)]
#[must_use = "an event stays until it is answered"]
#[non_exhaustive]
pub enum Event<'s> {
    /// A client is there; nothing has been said.
    Connect(Connect<'s>),
    /// EHLO, HELO or LHLO.
    Hello(Hello<'s>),
    /// AUTH; once an attempt.
    Auth(Auth<'s>),
    /// What is stored for a user, or a verdict on a password or a token.
    Credentials(Credentials<'s>),
    /// Somebody has proven who it is: may it?
    Authenticated(Authenticated<'s>),
    /// STARTTLS.
    StartTls(StartTls<'s>),
    /// The TLS handshake is due. A TLS layer answers it (`tls::Secured`).
    Upgrade(Upgrade<'s>),
    /// MAIL.
    Mail(Mail<'s>),
    /// RCPT.
    Rcpt(Rcpt<'s>),
    /// The client wants to send content; once a transaction.
    Data(Data<'s>),
    /// Octets of content.
    Content(Content<'s>),
    /// The content has ended: who takes responsibility for the message?
    Deliver(Deliver<'s>),
    /// A transaction that was accepted will not come to `Deliver`.
    Abort(Abort<'s>),
    /// VRFY.
    Verify(Verify<'s>),
    /// EXPN.
    Expand(Expand<'s>),
    /// A URL that stands for a piece of content.
    Burl(Burl<'s>),
    /// ETRN.
    Etrn(Etrn<'s>),
    /// ATRN.
    Atrn(Atrn<'s>),
    /// XCLIENT.
    Xclient(Xclient<'s>),
    /// XFORWARD.
    Xforward(Xforward<'s>),
    /// A verb of the application's own.
    Other(Other<'s>),
    /// Another protocol goes on in this channel: who takes it over?
    HandOver(HandOver<'s>),
}

/// What every token has.
macro_rules! each {
    ($event:expr, $token:ident => $what:expr) => {
        match $event {
            Self::Connect($token) => $what,
            Self::Hello($token) => $what,
            Self::Auth($token) => $what,
            Self::Credentials($token) => $what,
            Self::Authenticated($token) => $what,
            Self::StartTls($token) => $what,
            Self::Upgrade($token) => $what,
            Self::Mail($token) => $what,
            Self::Rcpt($token) => $what,
            Self::Data($token) => $what,
            Self::Content($token) => $what,
            Self::Deliver($token) => $what,
            Self::Abort($token) => $what,
            Self::Verify($token) => $what,
            Self::Expand($token) => $what,
            Self::Burl($token) => $what,
            Self::Etrn($token) => $what,
            Self::Atrn($token) => $what,
            Self::Xclient($token) => $what,
            Self::Xforward($token) => $what,
            Self::Other($token) => $what,
            Self::HandOver($token) => $what,
        }
    };
}

impl Event<'_> {
    /// The honest answer of somebody who does not care.
    ///
    /// It accepts what commits to nothing (Connect, Hello, StartTls, Mail, Data), gives up a TLS
    /// handshake that nobody does, and refuses what would
    /// take responsibility or reveal something: a recipient, content (the message is refused
    /// with 554 at its end), a delivery, a list. So no catch-all can accept a message that
    /// nobody stored.
    pub fn proceed(self) {
        match self {
            Self::Connect(connect) => connect.accept(),
            Self::Hello(hello) => hello.accept(),
            Self::Auth(auth) => auth.reject(replies::BAD_CREDENTIALS),
            Self::Credentials(credentials) => credentials.question.reject(),
            Self::Authenticated(authenticated) => authenticated.reject(replies::BAD_CREDENTIALS),
            Self::StartTls(start) => start.accept(),
            Self::Upgrade(upgrade) => upgrade.unavailable(),
            Self::Mail(mail) => mail.accept(),
            Self::Rcpt(rcpt) => rcpt.reject(replies::NOBODY_TOOK_RECIPIENT),
            Self::Data(data) => data.accept(),
            Self::Content(content) => content.reject(replies::NOBODY_TOOK_MESSAGE),
            Self::Deliver(delivery) => delivery.reject(replies::NOBODY_TOOK_MESSAGE),
            Self::Abort(abort) => abort.done(),
            Self::Verify(verify) => verify.cannot_verify(),
            Self::Expand(expand) => expand.reject(replies::NOT_IMPLEMENTED),
            Self::Burl(burl) => burl.reject(replies::URL_NOT_RESOLVED),
            Self::Etrn(etrn) => etrn.reject(replies::CANNOT_QUEUE),
            Self::Xclient(xclient) => xclient.reject(replies::NOT_TRUSTED),
            Self::Xforward(xforward) => xforward.reject(replies::NOT_TRUSTED),
            Self::Atrn(atrn) => atrn.reject(replies::CANNOT_TURN),
            Self::Other(other) => other.reject(replies::NOT_IMPLEMENTED),
            Self::HandOver(nobody) => nobody.close(),
        }
    }

    /// What is known of the session.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        each!(self, token => token.facts())
    }

    /// The number of the question in its session: the same while it is not answered.
    #[must_use]
    pub const fn number(&self) -> u64 {
        each!(self, token => token.number())
    }
}

/// The half of a session that an answer changes.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// How many questions have been asked.
    pub(super) number: u64,
    pub(super) answer: Option<Answer>,
    pub(super) configure: Option<Arc<Config>>,
    pub(super) proven: Option<Box<str>>,
    pub(super) settled: Vec<(usize, Verdict)>,
}

/// What a token leaves for the next poll.
#[derive(Debug)]
pub(super) enum Answer {
    Accept(Option<Text<'static>>),
    /// The same in several lines.
    AcceptLines(String),
    /// 251: accepted, and the path where it goes.
    Forward(Text<'static>),
    /// 252.
    CannotVerify,
    /// To ETRN: so many messages wait, if somebody has counted them.
    Waiting(Option<u32>),
    /// The mailboxes that VRFY or EXPN asked for.
    Mailboxes(Vec<Mailbox<'static>>),
    Reject(Rejection),
    RejectAndClose(Rejection),
    /// The number of octets of content that were dealt with, and stay in the receive buffer.
    Consume(usize),
    Done,
    /// The verifier of an attempt.
    Verify(Box<dyn Verifier>),
    /// The TLS handshake succeeded, or the session is over.
    Upgraded(Result<Security, End>),
    /// 250 in these words, and then another protocol.
    HandOver(Text<'static>),
    /// The channel is not protected well enough.
    NotSecure,
}

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "a question stays until it is answered"]
        pub struct $name<'s> {
            pub(super) facts: &'s Facts,
            pub(super) exchange: &'s mut Exchange,
            $(pub(super) $field: $type,)*
        }

        impl<'s> $name<'s> {
            /// What is known of the session.
            #[must_use]
            pub const fn facts(&self) -> &'s Facts {
                self.facts
            }

            /// The number of this question in its session: the same as long as it is the same
            /// question.
            #[must_use]
            pub const fn number(&self) -> u64 {
                self.exchange.number
            }
        }
    )*};
}

macro_rules! acceptable {
    ($($name:ident)*) => {$(
        impl $name<'_> {
            /// Yes.
            pub fn accept(self) {
                self.exchange.answer = Some(Answer::Accept(None));
            }

            /// Yes, in these words.
            pub fn accept_with(self, text: Text<'static>) {
                self.exchange.answer = Some(Answer::Accept(Some(text)));
            }
        }
    )*};
}

macro_rules! rejectable {
    ($($name:ident)*) => {$(
        impl $name<'_> {
            /// Rejects it. The session goes on, unless the code is 421: then it is over (RFC 5321
            /// section 3.8).
            pub fn reject(self, rejection: Rejection) {
                self.exchange.answer = Some(Answer::Reject(rejection));
            }

            /// Rejects it, and ends the session.
            pub fn reject_and_close(self, rejection: Rejection) {
                self.exchange.answer = Some(Answer::RejectAndClose(rejection));
            }
        }
    )*};
}

macro_rules! configurable {
    ($($name:ident)*) => {$(
        impl $name<'_> {
            /// Another configuration for this session, from this reply on. Its host and its service
            /// must be those of the session, and its limits should not undercut what a hello has
            /// announced: the client hears of new ones with its next hello.
            pub fn configure(&mut self, config: Arc<Config>) {
                self.exchange.configure = Some(config);
            }
        }
    )*};
}

tokens! {
    /// A client is there; nothing has been said. Rejected with 554 it may still say QUIT (RFC
    /// 5321 section 3.1).
    Connect {}
    /// EHLO, HELO or LHLO (RFC 5321 section 4.1.1.1, RFC 2033 section 4.1).
    Hello { name: &'s HelloName<'static>, is_extended: bool }
    /// AUTH (RFC 4954 section 4), at its time and with a mechanism that was announced.
    Auth { attempt: &'s Attempt }
    /// Somebody has proven who it is: may it send mail here? That an identity may act as
    /// another one ([`Identity::authzid`]) is for the application to know.
    Authenticated { identity: &'s Identity }
    /// STARTTLS (RFC 3207 section 4).
    StartTls {}
    /// The TLS handshake is due: 220 has been sent, and nothing more is read here.
    Upgrade {}
    /// MAIL (RFC 5321 section 4.1.1.2).
    Mail {}
    /// RCPT (RFC 5321 section 4.1.1.3).
    Rcpt { recipient: Recipient<'s>, index: usize }
    /// The client wants to send content (RFC 5321 section 4.1.1.4, RFC 3030 section 2). A refusal
    /// drains every chunk of it.
    Data { is_chunked: bool }
    /// Octets of content, without stuffed dots, lent from the receive buffer.
    Content { input: &'s mut ReceiveBuffer, content: &'s mut content::Content }
    /// A whole message has come in: whoever accepts it takes responsibility for it (RFC 5321
    /// section 4.2.5).
    Deliver { verdicts: &'s Verdicts }
    /// A transaction that was accepted will not come to [`Deliver`]: what was kept of it may go.
    Abort { reason: AbortReason }
    /// VRFY (RFC 5321 section 4.1.1.6).
    Verify {}
    /// EXPN (RFC 5321 section 4.1.1.7).
    Expand {}
    /// A URL that stands for a piece of content (RFC 4468 section 2). Whoever accepts it has the
    /// octets, and puts them behind those that came before.
    Burl { url: &'s Url }
    /// ETRN: the client wants the mail that waits for a node (RFC 1985 section 5).
    Etrn { node: &'s Node<'static> }
    /// ATRN: the client wants its mail, and the roles turned around for it (RFC 2645 section 5.2).
    /// Accepted, [`HandOver`] follows.
    Atrn { domains: Option<&'s DomainList<'static>> }
    /// A verb of the application's own ([`Config::with_verb`]), at its place.
    Other { verb: &'s UnknownVerb<'static>, argument: Option<&'s Argument<'static>> }
    /// Another protocol goes on in this channel, and the positive reply that says so has been sent.
    /// Nothing is read or said here any more: the session is the application's.
    ///
    /// It takes the machine and the stream apart (`into_parts` of the adapters in `io`) and puts another machine on the stream, which gets what this one has
    /// received and not dealt with ([`Server::into_received`](super::Server::into_received)). Under
    /// TLS `Secured::map` changes the machine inside. Behind ATRN that is a
    /// [`Client`](crate::client::Client), which knows nothing of the first session (RFC 2645
    /// section 5.2).
    HandOver {}
    /// XCLIENT: the client speaks for another. Accepted, the session begins anew for that one,
    /// with [`Connect`].
    Xclient { attributes: &'s XclientAttributes<'static> }
    /// XFORWARD: what the client knows of its own client, for one transaction.
    Xforward { attributes: &'s XforwardAttributes<'static> }
}

acceptable! { Authenticated Connect Hello StartTls Mail Rcpt Data Deliver Burl Etrn Atrn Xclient Xforward Other }
rejectable! { Auth Authenticated Connect Hello StartTls Mail Rcpt Data Content Deliver Verify Expand Burl Etrn Atrn Xclient Xforward Other }
configurable! { Authenticated Connect Hello Upgrade Mail Xclient }

impl<'s> Hello<'s> {
    /// The channel has proven who this client is, by its certificate or as a local socket does:
    /// the mechanism EXTERNAL is offered to it (RFC 4422 appendix A).
    pub fn prove(&mut self, identity: impl Into<Box<str>>) {
        self.exchange.proven = Some(identity.into());
    }

    /// The channel is not protected well enough, as its [`Security`] tells: this and every further
    /// command but QUIT gets 554 (RFC 3207 section 4.1).
    pub fn not_secure(self) {
        self.exchange.answer = Some(Answer::NotSecure);
    }

    /// Returns what the client calls itself: a host, or any text that
    /// [`Lenience::has_text_as_host`](crate::syntax::Lenience::has_text_as_host) admits in its place.
    #[must_use]
    pub const fn name(&self) -> &'s HelloName<'static> {
        self.name
    }

    /// Returns the host that the client calls itself; `None` where it sent some other text.
    #[must_use]
    pub fn host(&self) -> Option<&'s Host<'static>> {
        self.name.host()
    }

    /// Whether this is EHLO or LHLO, so that the extensions are announced.
    #[must_use]
    pub const fn is_extended(&self) -> bool {
        self.is_extended
    }
}

impl<'s> Auth<'s> {
    /// What the client has chosen.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.attempt.mechanism
    }

    /// Lets this verifier do it: one of [`Config::auth`]'s, made by
    /// [`Offer::verifier`](crate::sasl::Offer::verifier), or one of your own.
    pub fn verify(self, verifier: Box<dyn Verifier>) {
        self.exchange.answer = Some(Answer::Verify(verifier));
    }
}

impl<'s> Authenticated<'s> {
    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &'s Identity {
        self.identity
    }
}

/// What the verifier of an attempt cannot know. The question is the mechanism's; dropped
/// unanswered it comes again.
///
/// A password is checked away from the executor: [`PasswordQuestion`](sasl::question::PasswordQuestion)
/// shows how. The answer may come later, and the client's deadlines stand still meanwhile.
#[derive(Debug)]
#[must_use = "a question stays until it is answered"]
pub struct Credentials<'s> {
    pub(super) facts: &'s Facts,
    pub(super) number: u64,
    /// What is asked.
    pub question: sasl::Question<'s>,
}

impl<'s> Credentials<'s> {
    /// What is known of the session.
    #[must_use]
    pub const fn facts(&self) -> &'s Facts {
        self.facts
    }

    /// The number of this question in its session.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }
}

impl Upgrade<'_> {
    /// The handshake succeeded. The client has to say EHLO again, and everything that was learnt
    /// before is forgotten (RFC 3207 section 4.2).
    pub fn done(self, security: Security) {
        self.exchange.answer = Some(Answer::Upgraded(Ok(security)));
    }

    /// Ends the session because the handshake failed.
    pub fn failed(self, why: impl Into<TlsFailure>) {
        self.exchange.answer = Some(Answer::Upgraded(Err(End::TlsFailed(why.into()))));
    }

    /// Ends the session because there is no TLS layer that could answer the handshake.
    pub fn unavailable(self) {
        self.exchange.answer = Some(Answer::Upgraded(Err(End::NoTlsLayer)));
    }
}

impl<'s> Mail<'s> {
    /// Where undeliverable messages go.
    #[must_use]
    pub fn reverse_path(&self) -> ReversePath<'s> {
        self.facts.transaction.reverse_path()
    }

    /// The parameters, as received; they are valid and belong to announced extensions.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'s> {
        self.facts.transaction.mail_parameters()
    }

    /// What the parameters mean. With REQUIRETLS no notification returns a whole message (RFC 8689
    /// section 5).
    #[must_use]
    pub fn typed_parameters(&self) -> MailParameters<'static> {
        self.facts.transaction.typed_parameters()
    }

    /// The size that the client declares, in octets (RFC 1870 section 3).
    #[must_use]
    pub const fn declared_size(&self) -> Option<u64> {
        self.facts.transaction.declared_size()
    }
}

impl<'s> Rcpt<'s> {
    /// Where the message is to go.
    #[must_use]
    pub fn forward_path(&self) -> ForwardPath<'s> {
        self.recipient.forward_path()
    }

    /// The parameters, as received; they are valid and belong to announced extensions.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'s> {
        self.recipient.parameters()
    }

    /// What the parameters mean.
    #[must_use]
    pub fn typed_parameters(&self) -> RcptParameters<'static> {
        self.recipient.typed_parameters()
    }

    /// The index that this recipient has in the transaction if it is accepted.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Yes, in several lines: of a recipient with CONNEG they tell the capabilities (RFC 4141
    /// section 5).
    pub fn accept_lines<'t>(self, lines: impl IntoIterator<Item = Text<'t>>) {
        let mut text = String::new();
        for (index, line) in lines.into_iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(line.as_str());
        }
        self.exchange.answer = Some(Answer::AcceptLines(text));
    }

    /// Yes, but not here: 251 with these words, which name the path that the message will take
    /// (RFC 5321 section 3.4).
    pub fn accept_forwarding(self, text: Text<'static>) {
        self.exchange.answer = Some(Answer::Forward(text));
    }
}

impl Data<'_> {
    /// Whether the content comes in chunks (BDAT) and not behind 354 (DATA).
    #[must_use]
    pub const fn is_chunked(&self) -> bool {
        self.is_chunked
    }
}

impl<'s> Content<'s> {
    /// The octets, never empty.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.content.lent(self.input)
    }

    /// The first so many are dealt with; the rest is asked about again.
    pub fn consume(self, octets: usize) {
        self.exchange.answer = Some(Answer::Consume(octets));
    }

    /// All of them, for who deals with them at once.
    #[must_use]
    pub fn take(self) -> &'s [u8] {
        let octets = self.content.lent(self.input);
        self.exchange.answer = Some(Answer::Consume(octets.len()));
        octets
    }

    /// All of them, to keep without a copy: from now on it is the application's memory.
    #[must_use]
    pub fn take_bytes(self) -> Bytes {
        self.exchange.answer = Some(Answer::Consume(0));
        self.content.detach(self.input)
    }
}

impl<'s> Deliver<'s> {
    /// The envelope of the message.
    #[must_use]
    pub const fn envelope(&self) -> &'s Transaction {
        &self.facts.transaction
    }

    /// Where the service replies for every recipient (LMTP, RFC 2033 section 4.2): the means to
    /// do so. `None` where one reply stands for all.
    pub fn per_recipient(&mut self) -> Option<PerRecipient<'_>> {
        self.facts
            .service
            .replies_per_recipient()
            .then_some(PerRecipient { exchange: self.exchange, verdicts: self.verdicts })
    }
}

/// Answers for single recipients, in any order. The machine replies in the order of RCPT as
/// the answers become known; [`Deliver::accept`] and [`Deliver::reject`] answer for those who
/// are still open.
///
/// ```
/// use esmtp::{server::Deliver, syntax::Rejection};
///
/// # fn store(path: &esmtp::syntax::ForwardPath<'_>, message: &[u8]) -> std::io::Result<()> { Ok(()) }
/// fn deliver(mut delivery: Deliver<'_>, message: &[u8]) {
///     let envelope = delivery.envelope();
///     let stored = envelope.recipients().map(|to| store(&to.forward_path(), message).is_ok());
///     let stored: Vec<bool> = stored.collect();
///     match delivery.per_recipient() {
///         Some(mut each) => {
///             for (index, _) in stored.iter().enumerate().filter(|(_, is_stored)| !**is_stored) {
///                 each.settle(index, Err(Rejection::MAILBOX_FULL));
///             }
///             delivery.accept(); // for all others
///         }
///         // One reply for all: whoever has it already will have it twice.
///         None if stored.contains(&false) => delivery.reject(Rejection::LOCAL_ERROR),
///         None => delivery.accept(),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct PerRecipient<'d> {
    pub(super) exchange: &'d mut Exchange,
    pub(super) verdicts: &'d Verdicts,
}

impl Abort<'_> {
    /// Why.
    #[must_use]
    pub const fn reason(&self) -> AbortReason {
        self.reason
    }

    /// What was kept of it is gone.
    pub fn done(self) {
        self.exchange.answer = Some(Answer::Done);
    }
}
