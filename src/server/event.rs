//! The questions of a server, each with only its legal answers.

use super::{
    Config,
    acceptance::{Acceptance, Accepted, joined, judged},
    auth::Authentication,
    content,
    delivery::Verdicts,
    end::{AbortReason, End},
    extension_events::{Atrn, Burl, Etrn, Expand, HandOver, Other, Verify, Xclient, Xforward},
    facts::Facts,
    replies,
    token::{
        Answer, Exchange, Rejected, Slot, acceptable, answerable, configurable, passes_on,
        rejectable, tokens,
    },
    transaction::{Recipient, Transaction},
};
use crate::{
    sasl::{self, Identity, Mechanism, Nonce, Offer, Question, Secret, Stored, Verifier},
    security::{Security, TlsFailure},
    syntax::{
        ForwardPath, HelloName, Host, MailParameters, Parameters, RcptParameters, Rejection, Reply,
        ReversePath, Text,
    },
    wire::ReceiveBuffer,
};
use alloc::{boxed::Box, sync::Arc};
use bytes::Bytes;

/// A question to the application, or a piece of news for it.
///
/// Each variant is a token that offers only the answers that are legal now. A token that is
/// dropped is not lost: its question is asked again after the next poll. The values that a token
/// lends (paths, [`Facts`]) live as long as the session is borrowed, so they may be used after
/// the answer; the answer takes effect at the next poll.
#[derive(Debug)]
#[must_use = "an event stays until it is answered"]
#[non_exhaustive]
pub enum Event<'s> {
    /// A client has connected; nothing has been sent yet.
    Connect(Connect<'s>),
    /// EHLO, HELO or LHLO.
    Hello(Hello<'s>),
    /// AUTH; once an attempt.
    Auth(Auth<'s>),
    /// The question of the verifier: the stored secret of a user, or a verdict on a password or token.
    Credentials(CredentialsQuestion<'s>),
    /// A client has proven its identity, which the application authorises or rejects.
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
    /// The content has ended: the application takes responsibility for the message or rejects it.
    Deliver(Deliver<'s>),
    /// A transaction that was accepted will not reach `Deliver`.
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
    /// Another protocol continues on this channel, which the application takes over.
    HandOver(HandOver<'s>),
}

/// Evaluates an expression for the token in an event.
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
    /// Gives the safe default answer.
    ///
    /// It accepts questions that commit to nothing (Connect, Hello, StartTls, Auth, Mail, Data), gives up a
    /// TLS handshake without a TLS layer, and rejects whatever would take responsibility or reveal
    /// something: credentials, a recipient, content (the message is refused with 554 at its end), a
    /// delivery, a list. An identity is accepted if its credentials were
    /// ([`Authenticated::proceed`]). So no catch-all can accept a message that was not stored. The
    /// [page of this module](super) has a table.
    pub fn proceed(self) {
        match self {
            Self::Connect(connect) => connect.accept(),
            Self::Hello(hello) => hello.accept(),
            Self::Auth(auth) => auth.accept(),
            Self::Credentials(credentials) => credentials.question.reject(),
            Self::Authenticated(authenticated) => authenticated.proceed(),
            Self::StartTls(start) => start.accept(),
            Self::Upgrade(upgrade) => upgrade.unavailable(),
            Self::Mail(mail) => mail.accept(),
            Self::Rcpt(rcpt) => rcpt.reject(replies::RECIPIENT_NOT_ACCEPTED),
            Self::Data(data) => data.accept(),
            Self::Content(content) => content.reject(replies::MESSAGE_NOT_ACCEPTED),
            Self::Deliver(delivery) => delivery.reject(replies::MESSAGE_NOT_ACCEPTED),
            Self::Abort(abort) => abort.acknowledge(),
            Self::Verify(verify) => verify.cannot_verify(),
            Self::Expand(expand) => expand.reject(replies::NOT_IMPLEMENTED),
            Self::Burl(burl) => burl.reject(replies::URL_NOT_RESOLVED),
            Self::Etrn(etrn) => etrn.reject(replies::ETRN_REFUSED),
            Self::Xclient(xclient) => xclient.reject(replies::NOT_TRUSTED),
            Self::Xforward(xforward) => xforward.reject(replies::NOT_TRUSTED),
            Self::Atrn(atrn) => atrn.reject(replies::ATRN_REFUSED),
            Self::Other(other) => other.reject(replies::NOT_IMPLEMENTED),
            Self::HandOver(hand_over) => hand_over.close(),
        }
    }

    /// Returns the facts known of the session.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        each!(self, token => token.facts())
    }

    /// Returns the number of the question in its session. A question that comes again unanswered keeps
    /// its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        each!(self, token => token.number())
    }

    /// Returns the name of the question, which is that of its variant: `Mail`, `Rcpt`, `Deliver`. It
    /// serves as a label of a metric and in messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        each!(self, token => token.label())
    }
}

/// The ways to go on with an attempt to authenticate.
#[derive(Debug)]
pub(super) enum AuthAnswer {
    /// With this verifier.
    Verifier(Box<dyn Verifier>),
    /// With the verifier of the offer, and this nonce or one of the offer's source.
    Offered(Option<Nonce>),
}

/// The ways to accept a hello.
#[derive(Debug)]
pub(super) enum HelloAnswer {
    /// 250, with this text after the name of the server.
    Accept(Option<Text<'static>>),
    /// 554 to this and every further command: the channel is not protected well enough.
    NotSecure,
}

/// The ways to accept a recipient.
#[derive(Debug)]
pub(super) enum RcptAnswer {
    /// 250.
    Accept(Accepted),
    /// 250 in several lines.
    Lines(Box<str>),
    /// 251: accepted, and the path where it goes.
    Forward(Box<Text<'static>>),
}

/// The subject of [`Hello`].
#[derive(Debug)]
pub(super) struct HelloQuestion {
    pub(super) name: HelloName<'static>,
    pub(super) is_extended: bool,
    /// The identity that the channel has proven.
    pub(super) proven: Option<Box<str>>,
}

tokens! {
    /// A client has connected; nothing has been sent yet. After a rejection with 554 it may still send
    /// QUIT (RFC 5321 section 3.1).
    Connect<Answer<Option<Text<'static>>>> {}
    /// EHLO, HELO or LHLO (RFC 5321 section 4.1.1.1, RFC 2033 section 4.1).
    Hello<Answer<HelloAnswer>> { name: &'s HelloName<'static>, is_extended: bool, proven: &'s mut Option<Box<str>> }
    /// AUTH (RFC 4954 section 4), in order and with a mechanism that was announced.
    Auth<Answer<AuthAnswer>> { authentication: &'s Authentication }
    /// A client has proven its identity: may it send mail here? Whether an identity may act as another
    /// one ([`Identity::authzid`]) is decided by the application.
    Authenticated<Answer<Accepted>> { identity: &'s Identity, is_vouched_for: bool }
    /// STARTTLS (RFC 3207 section 4).
    StartTls<Answer<Option<Text<'static>>>> {}
    /// The TLS handshake is due: 220 has been sent, and nothing more is read in the clear.
    Upgrade<Result<Security, End>> {}
    /// MAIL (RFC 5321 section 4.1.1.2).
    Mail<Answer<Accepted>> {}
    /// RCPT (RFC 5321 section 4.1.1.3).
    Rcpt<Answer<RcptAnswer>> { recipient: Recipient<'s>, index: usize }
    /// The client wants to send content (RFC 5321 section 4.1.1.4, RFC 3030 section 2). After a
    /// rejection every chunk of it is discarded.
    Data<Answer<Accepted>> { is_chunked: bool }
    /// Octets of content, without stuffed dots, lent from the receive buffer.
    Content<Answer<usize>> { input: &'s mut ReceiveBuffer, content: &'s mut content::Content }
    /// A whole message has come in. To accept it is to take responsibility for it (RFC 5321 section
    /// 4.2.5).
    Deliver<Answer<Accepted>> { verdicts: &'s mut Verdicts }
    /// A transaction that was accepted will not reach [`Deliver`]: content kept for it may be dropped.
    Abort<()> { reason: AbortReason }
}

acceptable! {
    Connect: core::convert::identity;
    Hello: HelloAnswer::Accept;
    StartTls: core::convert::identity;
}
answerable! {
    Authenticated: core::convert::identity;
    Mail: core::convert::identity;
    Rcpt: RcptAnswer::Accept;
    Data: core::convert::identity;
    Deliver: core::convert::identity;
}
rejectable! { Auth Authenticated Connect Hello StartTls Mail Rcpt Data Content Deliver }
configurable! { Authenticated Connect Hello Upgrade Mail }

impl Connect<'_> {
    /// Passes on the greeting of another server, for a proxy: a negative one
    /// [rejects](Self::reject), and a positive one [accepts](Self::accept) with the default text, as
    /// it names that server.
    pub fn answer(self, reply: &Reply<'_>) {
        match judged(reply) {
            Ok(_) => self.accept(),
            Err(rejection) => self.reject(rejection),
        }
    }
}

impl<'s> Hello<'s> {
    /// Passes on the reply of another server to a hello, for a proxy: a negative one
    /// [rejects](Self::reject), and a positive one [accepts](Self::accept). The name and the extensions
    /// stay those of the [`Config`], which [`configure`](Self::configure) sets.
    pub fn answer(self, reply: &Reply<'_>) {
        match judged(reply) {
            Ok(_) => self.accept(),
            Err(rejection) => self.reject(rejection),
        }
    }

    /// Sets the identity that the channel has proven, by a certificate or as a local socket does: the
    /// mechanism EXTERNAL is offered to this client (RFC 4422 appendix A).
    pub fn prove(&mut self, identity: impl Into<Box<str>>) {
        *self.proven = Some(identity.into());
    }

    /// Rejects a channel whose [`Security`] is not sufficient: this and every further command but QUIT
    /// gets 554 (RFC 3207 section 4.1).
    pub fn not_secure(self) {
        self.slot.give(Ok(HelloAnswer::NotSecure));
    }

    /// Returns the name that the client gave: a host, or any text that
    /// [`Lenience::has_text_as_host`](crate::syntax::Lenience::has_text_as_host) admits in its place.
    #[must_use]
    pub const fn name(&self) -> &'s HelloName<'static> {
        self.name
    }

    /// Returns the host that the client gave as its name; `None` where it sent other text.
    #[must_use]
    pub fn host(&self) -> Option<&'s Host<'static>> {
        self.name.host()
    }

    /// Returns whether this is EHLO or LHLO, whose reply announces the extensions.
    #[must_use]
    pub const fn is_extended(&self) -> bool {
        self.is_extended
    }
}

impl<'s> Auth<'s> {
    /// Returns the mechanism that the client has chosen.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.authentication.mechanism()
    }

    /// Continues with the verifier that the [offer](Config::with_auth) has for this mechanism. A
    /// mechanism that needs a nonce gets it from [the offer](crate::sasl::Offer::with_nonces); where
    /// it gives no nonce, the attempt fails with 454 4.7.0.
    pub fn accept(self) {
        self.slot.give(Ok(AuthAnswer::Offered(None)));
    }

    /// Continues like [`accept`](Self::accept), with a nonce of the application's own.
    pub fn accept_with_nonce(self, nonce: Nonce) {
        self.slot.give(Ok(AuthAnswer::Offered(Some(nonce))));
    }

    /// Continues with a verifier of the application's own, or one that
    /// [`Offer::verifier`](crate::sasl::Offer::verifier) made.
    pub fn verify(self, verifier: Box<dyn Verifier>) {
        self.slot.give(Ok(AuthAnswer::Verifier(verifier)));
    }
}

impl<'s> Authenticated<'s> {
    /// Returns the identity that was proven.
    #[must_use]
    pub const fn identity(&self) -> &'s Identity {
        self.identity
    }

    /// Gives the safe default answer: accepts an identity for which the application has answered
    /// [`CredentialsQuestion`] positively in this attempt, and which acts as itself. Any other is
    /// rejected with 535 5.7.8: an authorization identity of another user, and the identities of
    /// EXTERNAL and ANONYMOUS, which the application has not been asked about.
    pub fn proceed(self) {
        match self.is_vouched_for && self.identity.acts_as() == self.identity.authcid() {
            true => self.accept(),
            false => self.reject(replies::BAD_CREDENTIALS),
        }
    }
}

/// The question of the verifier of an attempt: the stored secret of a user, or a verdict on a password or
/// a token.
///
/// It is all that an application has to answer for AUTH. [`check`](Self::check) and
/// [`check_with`](Self::check_with) answer it from what is stored for the user; [`accept`](Self::accept) and [`reject`](Self::reject) answer with a verdict
/// from elsewhere. If it is dropped unanswered it comes again, so the answer may wait for a look-up; the
/// deadlines of the client are suspended meanwhile.
///
/// ```
/// use esmtp::{sasl::Offer, server::{Config, Event}, service::Service};
/// use std::collections::HashMap;
///
/// let config = Config::new("mail.example.org")?
///     .with_service(Service::Submission)
///     .with_auth(Offer::for_passwords());
///
/// fn answer(event: Event<'_>, passwords: &HashMap<String, String>) {
///     match event {
///         Event::Credentials(asked) => asked.check_with(|user| passwords.get(user)),
///         other => other.proceed(),
///     }
/// }
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Debug)]
#[must_use = "a question stays until it is answered"]
pub struct CredentialsQuestion<'s> {
    pub(super) facts: &'s Facts,
    pub(super) number: u64,
    pub(super) offer: Option<&'s Offer>,
    /// The question of the mechanism, for an application that treats each kind in its own way.
    pub question: sasl::Question<'s>,
}

impl<'s> CredentialsQuestion<'s> {
    /// Returns the facts known of the session.
    #[must_use]
    pub const fn facts(&self) -> &'s Facts {
        self.facts
    }

    /// Returns the number of this question in its session. A question that comes again unanswered keeps
    /// its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    pub(super) const fn label(&self) -> &'static str {
        "Credentials"
    }

    /// Returns the name of the user, prepared; empty for a token that came without a name.
    #[must_use]
    pub fn user(&self) -> &'s str {
        self.question.user().unwrap_or_default()
    }

    /// Returns the password to be judged; `None` where the mechanism does not reveal it, and for a
    /// token. It is prepared as [`PasswordQuestion`](sasl::question::PasswordQuestion) says.
    #[must_use]
    pub const fn password(&self) -> Option<&'s Secret> {
        match &self.question {
            Question::Password(question) => Some(question.password()),
            _ => None,
        }
    }

    /// Returns the bearer token to be judged; `None` for a password.
    #[must_use]
    pub const fn token(&self) -> Option<&'s Secret> {
        match &self.question {
            Question::Token(question) => Some(question.token()),
            _ => None,
        }
    }

    /// Checks against what is stored for [`user`](Self::user), and answers: a password, keys of SCRAM, or
    /// a record that has one of them ([`Stored`]). `None` says that there is no such user. The client
    /// cannot tell it from a wrong password: reply, challenge and work are the same.
    ///
    /// A password is compared in constant time. Stored keys cannot verify CRAM-MD5, nor a stored password
    /// a token that is not equal to it: the client is rejected then.
    ///
    /// # Time
    ///
    /// Where keys are stored and the client sends the password (PLAIN, LOGIN), keys are derived from it
    /// (PBKDF2), and where passwords are stored and the client uses SCRAM, keys are derived from the
    /// stored one. That takes about a millisecond for 4096 iterations and 0.2 seconds for 600,000, during
    /// which the thread does nothing else: an asynchronous application moves it off its executor. With
    /// `spawn_blocking` the thread gets copies, and its verdict goes to [`accept`](Self::accept) or
    /// [`reject`](Self::reject), as [`PasswordQuestion`](sasl::question::PasswordQuestion) shows;
    /// `scram::Keys::verify_prepared` is the check. The tokio runtime with several threads can do it in
    /// place:
    #[cfg_attr(
        all(feature = "scram", feature = "tokio"),
        doc = r#"
```
use esmtp::{sasl::scram::Keys, server::CredentialsQuestion};
# mod tokio { pub mod task { pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R { f() } } }

fn answer(asked: CredentialsQuestion<'_>, stored: Option<&Keys>) {
    match asked.password() {
        Some(_) => tokio::task::block_in_place(|| asked.check(stored)),
        None => asked.check(stored), // SCRAM with stored keys: the client does the work
    }
}
```
"#
    )]
    pub fn check<P: Stored + ?Sized>(self, stored: Option<&P>) {
        match self.offer {
            Some(offer) => offer.answer(self.question, stored.map(Stored::stored)),
            None => self.question.reject(),
        }
    }

    /// Checks like [`check`](Self::check), against what `find` returns for the name of the user: in
    /// `asked.check(passwords.get(asked.user()))` the question is moved before its user is read, which Rust rejects.
    pub fn check_with<'p, P: Stored + ?Sized + 'p>(self, find: impl FnOnce(&str) -> Option<&'p P>) {
        let stored = find(self.user());
        self.check(stored);
    }

    /// Accepts a [password](Self::password) or a [token](Self::token) with a name, as a verdict from
    /// elsewhere. A mechanism that reveals neither (SCRAM, CRAM-MD5) cannot be verified by a verdict:
    /// the attempt fails with 454 4.7.0, and [`Offer::for_verdicts`] does not offer it.
    pub fn accept(self) {
        let user = self.user();
        self.accept_as(user);
    }

    /// Accepts like [`accept`](Self::accept), with another name as the identity: an alias was
    /// resolved, or a token tells its owner. An empty name is not accepted (454 4.7.0).
    pub fn accept_as(self, authcid: &str) {
        match self.question {
            Question::Password(question) if !authcid.is_empty() => {
                question.accept_as(authcid.into());
            }
            Question::Token(question) if !authcid.is_empty() => question.accept_as(authcid),
            other => other.unavailable(),
        }
    }

    /// Rejects the credentials with 535 5.7.8. The client cannot distinguish it from a wrong password.
    pub fn reject(self) {
        self.question.reject();
    }

    /// Leaves the decision open: the application cannot make it at present (454 4.7.0).
    pub fn unavailable(self) {
        self.question.unavailable();
    }
}

impl Upgrade<'_> {
    /// Reports that the handshake succeeded. The client has to send EHLO again, and everything learnt
    /// before is forgotten (RFC 3207 section 4.2).
    pub fn succeed(self, security: Security) {
        self.slot.give(Ok(security));
    }

    /// Ends the session because the handshake failed.
    pub fn failed(self, why: impl Into<TlsFailure>) {
        self.slot.give(Err(End::TlsFailed(why.into())));
    }

    /// Ends the session because there is no TLS layer to answer the handshake.
    pub fn unavailable(self) {
        self.slot.give(Err(End::NoTlsLayer));
    }
}

impl<'s> Mail<'s> {
    /// Returns the reverse-path, where undeliverable messages go.
    #[must_use]
    pub fn reverse_path(&self) -> ReversePath<'s> {
        self.facts.envelope().reverse_path()
    }

    /// Returns the parameters as received; they are valid and belong to announced extensions.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'s> {
        self.facts.envelope().mail_parameters()
    }

    /// Returns the parsed parameters. With REQUIRETLS no notification returns a whole message (RFC
    /// 8689 section 5).
    #[must_use]
    pub fn typed_parameters(&self) -> MailParameters<'static> {
        self.facts.envelope().typed_parameters()
    }

    /// Returns the size that the client declares, in octets (RFC 1870 section 3).
    #[must_use]
    pub const fn declared_size(&self) -> Option<u64> {
        self.facts.envelope().declared_size()
    }
}

impl<'s> Rcpt<'s> {
    /// Returns the envelope of the transaction so far: reverse-path, recipients and parameters. The
    /// recipient that is asked about is the last.
    #[must_use]
    pub const fn envelope(&self) -> &'s Transaction {
        self.facts.envelope()
    }

    /// Returns the forward-path, where the message is to go.
    #[must_use]
    pub fn forward_path(&self) -> ForwardPath<'s> {
        self.recipient.forward_path()
    }

    /// Returns the parameters as received; they are valid and belong to announced extensions.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'s> {
        self.recipient.parameters()
    }

    /// Returns the parsed parameters.
    #[must_use]
    pub fn typed_parameters(&self) -> RcptParameters<'static> {
        self.recipient.typed_parameters()
    }

    /// Returns the index that this recipient has in the transaction if it is accepted.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Accepts with several lines. For a recipient with CONNEG they list its media features (RFC 4141
    /// section 5).
    pub fn accept_lines<'t>(self, lines: impl IntoIterator<Item = Text<'t>>) {
        self.slot.give(Ok(RcptAnswer::Lines(joined(lines).into())));
    }

    /// Accepts for another path: 251 with this text, which names the path that the message will take
    /// (RFC 5321 section 3.4).
    pub fn accept_forwarding(self, text: Text<'static>) {
        self.slot.give(Ok(RcptAnswer::Forward(Box::new(text))));
    }
}

impl<'s> Data<'s> {
    /// Returns the envelope of the transaction so far: reverse-path, recipients and parameters.
    #[must_use]
    pub const fn envelope(&self) -> &'s Transaction {
        self.facts.envelope()
    }

    /// Returns whether the content comes in chunks (BDAT) and not after 354 (DATA).
    #[must_use]
    pub const fn is_chunked(&self) -> bool {
        self.is_chunked
    }
}

impl<'s> Content<'s> {
    /// Returns the envelope of the transaction so far: reverse-path, recipients and parameters.
    #[must_use]
    pub const fn envelope(&self) -> &'s Transaction {
        self.facts.envelope()
    }

    /// Returns the octets, which are never empty.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.content.lent(self.input)
    }

    /// Returns the number of octets of this message that came before these: 0 at its first octets.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.content.octets().saturating_sub(self.octets().len() as u64)
    }

    /// Consumes all octets, after they were processed.
    pub fn done(self) {
        self.consume(usize::MAX);
    }

    /// Consumes the first `octets`; the rest comes in another question.
    pub fn consume(self, octets: usize) {
        self.slot.give(Ok(octets));
    }

    /// Consumes and returns all octets, for synchronous processing.
    #[must_use]
    pub fn take(self) -> &'s [u8] {
        let octets = self.content.lent(self.input);
        self.slot.give(Ok(octets.len()));
        octets
    }

    /// Consumes all octets and returns them without a copy (zero-copy): the memory belongs to the
    /// application from now on.
    #[must_use]
    pub fn take_bytes(self) -> Bytes {
        self.slot.give(Ok(0));
        self.content.detach(self.input)
    }
}

impl<'s> Deliver<'s> {
    /// Returns the envelope of the message.
    #[must_use]
    pub const fn envelope(&self) -> &'s Transaction {
        self.facts.envelope()
    }

    /// Returns the means to answer for each recipient, where the service replies so (LMTP, RFC 2033
    /// section 4.2). `None` where one reply holds for all.
    pub fn per_recipient(&mut self) -> Option<PerRecipient<'_>> {
        self.facts.service.replies_per_recipient().then_some(PerRecipient {
            exchange: self.exchange,
            verdicts: self.verdicts,
            recipients: self.facts.envelope().accepted(),
        })
    }
}

/// The answers for single recipients, in any order. The machine replies in the order of RCPT as the
/// answers become known; [`Deliver::accept`] and [`Deliver::reject`] answer for the recipients that
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
///         // One reply for all: a recipient that has it already will get it twice.
///         None if stored.contains(&false) => delivery.reject(Rejection::LOCAL_ERROR),
///         None => delivery.accept(),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct PerRecipient<'d> {
    exchange: &'d mut Exchange,
    verdicts: &'d mut Verdicts,
    recipients: usize,
}

impl PerRecipient<'_> {
    /// Reports whether the message was stored for the recipient with this index. Only the first
    /// answer for a recipient counts; an index without a recipient is ignored.
    pub fn settle(&mut self, recipient: usize, verdict: Result<(), Rejection>) {
        self.exchange.count_question();
        self.verdicts.settle(recipient, self.recipients, verdict.map(|()| Accepted::Default));
    }

    /// Settles the recipient with this index by the reply of another server, for a proxy: a positive
    /// one accepts, a negative one rejects.
    pub fn answer(&mut self, recipient: usize, reply: &Reply<'_>) {
        self.exchange.count_question();
        let verdict = judged(reply).map(Accepted::from);
        self.verdicts.settle(recipient, self.recipients, verdict);
    }

    /// Returns whether the recipient with this index is settled.
    #[must_use]
    pub fn is_settled(&self, recipient: usize) -> bool {
        self.verdicts.is_settled(recipient)
    }
}

impl Abort<'_> {
    /// Returns why the transaction was aborted.
    #[must_use]
    pub const fn reason(&self) -> AbortReason {
        self.reason
    }

    /// Acknowledges the abort.
    #[doc(alias("accept", "proceed"))]
    pub fn acknowledge(self) {
        self.slot.give(());
    }
}
