//! What a verifier cannot know: tokens that offer only their legal answers.

use super::bearer::ErrorStatus;
use super::error::VerifierError;
use super::identity::Identity;
use super::{Secret, Step};
use alloc::boxed::Box;

/// Where an answer is kept until the verifier goes on; a verifier owns one for a question.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Answer<T> {
    /// Nobody has answered yet.
    #[default]
    Open,
    /// The answer.
    Given(T),
    /// The application cannot tell now.
    Unavailable,
}

impl<T> Answer<T> {
    /// The answer, which leaves the place open again.
    #[must_use]
    pub fn take(&mut self) -> Self {
        core::mem::take(self)
    }
}

/// What the application is asked.
///
/// It may be answered late: dropped, the same question comes again, and the verifier keeps the
/// state. What a question lends lives as long as the verifier is borrowed.
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub enum Question<'v> {
    /// Is this the password of this user? PLAIN and LOGIN.
    Password(PasswordQuestion<'v>),
    /// Is this token good, and whose? OAUTHBEARER and XOAUTH2.
    Token(TokenQuestion<'v>),
    /// What is the password of this user? CRAM-MD5, which cannot work with less.
    Secret(SecretQuestion<'v>),
    /// What is stored for this user? SCRAM.
    #[cfg(feature = "scram")]
    Keys(KeysQuestion<'v>),
}

impl<'v> Question<'v> {
    /// The user it is about; `None` for a token that came without a name.
    #[must_use]
    pub fn user(&self) -> Option<&'v str> {
        match self {
            Self::Password(question) => Some(question.user),
            Self::Token(question) => question.user,
            Self::Secret(question) => Some(question.user),
            #[cfg(feature = "scram")]
            Self::Keys(question) => Some(question.user),
        }
    }

    /// The honest catch-all: whatever is asked, the credentials are not good. A client cannot
    /// tell it from a wrong password.
    pub fn reject(self) {
        match self {
            Self::Password(question) => question.reject(),
            Self::Token(question) => question.reject(),
            Self::Secret(question) => question.unknown(),
            #[cfg(feature = "scram")]
            Self::Keys(question) => question.unknown(),
        }
    }

    /// The application cannot tell now (454 4.7.0).
    pub fn unavailable(self) {
        match self {
            Self::Password(question) => question.unavailable(),
            Self::Token(question) => question.unavailable(),
            Self::Secret(question) => question.unavailable(),
            #[cfg(feature = "scram")]
            Self::Keys(question) => question.unavailable(),
        }
    }
}

/// Is this the password of this user?
///
/// Digests that suit passwords (Argon2, scrypt, PBKDF2) take a processor core for a tenth of a second or more, and a
/// directory may take longer. A server that checks them on the thread that drives its sessions lets all of these wait; one
/// on an async runtime does it on a thread of its own and holds the question meanwhile. The deadlines of the client
/// stand still until the answer, and a future that is dropped loses nothing: the question comes again.
#[cfg_attr(
    feature = "tokio",
    doc = r#"
```
use esmtp::{sasl::{Question, Secret}, server::Credentials};
use tokio::task::spawn_blocking;

async fn check(asked: Credentials<'_>) {
    match asked.question {
        Question::Password(question) => {
            let (user, password) = (question.user().to_owned(), question.password().clone());
            match spawn_blocking(move || is_right(&user, &password)).await {
                Ok(true) => question.accept(),
                Ok(false) => question.reject(),
                // The check has panicked, or the runtime is shutting down.
                Err(_) => question.unavailable(),
            }
        }
        other => other.reject(),
    }
}

/// Slow on purpose.
fn is_right(user: &str, password: &Secret) -> bool {
    # let _ = (user, password);
    # false
    // …
}
# fn is_send<T: Send>(_: fn(Credentials<'static>) -> T) {}
# is_send(check);
```
"#
)]
#[derive(Debug)]
#[must_use]
pub struct PasswordQuestion<'v> {
    user: &'v str,
    authzid: Option<&'v str>,
    password: &'v Secret,
    answer: &'v mut Answer<Option<Box<str>>>,
}

impl<'v> PasswordQuestion<'v> {
    /// For a mechanism of one's own; in `answer` comes the identity, or `None` for a refusal.
    pub const fn new(
        user: &'v str,
        authzid: Option<&'v str>,
        password: &'v Secret,
        answer: &'v mut Answer<Option<Box<str>>>,
    ) -> Self {
        Self { user, authzid, password, answer }
    }

    /// The user, prepared.
    #[must_use]
    pub const fn user(&self) -> &'v str {
        self.user
    }

    /// As whom the client wants to act, if not as itself. It is asked again, once the
    /// password is accepted, whether it may.
    #[must_use]
    pub const fn authzid(&self) -> Option<&'v str> {
        self.authzid
    }

    /// The password, prepared: UTF-8 in PLAIN, any octets in LOGIN.
    ///
    /// To compare it with a stored digest takes the same time whether the user is known or
    /// not only if the application takes care: digest it also for an unknown user.
    #[must_use]
    pub const fn password(&self) -> &'v Secret {
        self.password
    }

    /// It is, and the identity is the name that the client gave.
    pub fn accept(self) {
        let user = self.user.into();
        self.accept_as(user);
    }

    /// It is, and the identity has this name (an alias was looked up, a domain was added).
    pub fn accept_as(self, authcid: Box<str>) {
        *self.answer = Answer::Given(Some(authcid));
    }

    /// It is not, or there is no such user.
    pub fn reject(self) {
        *self.answer = Answer::Given(None);
    }

    /// The application cannot tell now.
    pub fn unavailable(self) {
        *self.answer = Answer::Unavailable;
    }
}

/// Is this token good, and whose is it?
#[derive(Debug)]
#[must_use]
pub struct TokenQuestion<'v> {
    user: Option<&'v str>,
    token: &'v Secret,
    endpoint: (Option<&'v str>, Option<u16>),
    answer: &'v mut Answer<Result<Box<str>, Option<ErrorStatus>>>,
}

impl<'v> TokenQuestion<'v> {
    /// For a mechanism of one's own. `endpoint` is what the client believes to speak to; in
    /// `answer` comes the identity, or the refusal with what the client is to be told.
    pub const fn new(
        user: Option<&'v str>,
        token: &'v Secret,
        endpoint: (Option<&'v str>, Option<u16>),
        answer: &'v mut Answer<Result<Box<str>, Option<ErrorStatus>>>,
    ) -> Self {
        Self { user, token, endpoint, answer }
    }

    /// The user that the client names: in XOAUTH2 always, in OAUTHBEARER as the authorization
    /// identity and only if it gave one. That the token is this user's has to be checked.
    #[must_use]
    pub const fn user(&self) -> Option<&'v str> {
        self.user
    }

    /// The bearer token.
    #[must_use]
    pub const fn token(&self) -> &'v Secret {
        self.token
    }

    /// The host that the client says it speaks to; it must be checked where it is known
    /// (RFC 7628 section 3.2).
    #[must_use]
    pub const fn host(&self) -> Option<&'v str> {
        self.endpoint.0
    }

    /// The port that the client says it speaks to.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.endpoint.1
    }

    /// It is good, and belongs to this identity.
    pub fn accept_as(self, authcid: impl Into<Box<str>>) {
        *self.answer = Answer::Given(Ok(authcid.into()));
    }

    /// It is not. The client is told what the verifier was given to say.
    pub fn reject(self) {
        *self.answer = Answer::Given(Err(None));
    }

    /// It is not, and this is told to the client before the failing reply.
    pub fn reject_with(self, status: ErrorStatus) {
        *self.answer = Answer::Given(Err(Some(status)));
    }

    /// The application cannot tell now.
    pub fn unavailable(self) {
        *self.answer = Answer::Unavailable;
    }
}

/// What is the password of this user?
#[derive(Debug)]
#[must_use]
pub struct SecretQuestion<'v> {
    user: &'v str,
    answer: &'v mut Answer<Option<Secret>>,
}

impl<'v> SecretQuestion<'v> {
    /// For a mechanism of one's own; in `answer` comes `None` for an unknown user.
    pub const fn new(user: &'v str, answer: &'v mut Answer<Option<Secret>>) -> Self {
        Self { user, answer }
    }

    /// The user, prepared.
    #[must_use]
    pub const fn user(&self) -> &'v str {
        self.user
    }

    /// The password as it is.
    pub fn supply(self, password: impl Into<Secret>) {
        *self.answer = Answer::Given(Some(password.into()));
    }

    /// There is no such user. The exchange goes on as if there were one, and fails.
    pub fn unknown(self) {
        *self.answer = Answer::Given(None);
    }

    /// The application cannot tell now.
    pub fn unavailable(self) {
        *self.answer = Answer::Unavailable;
    }
}

/// What is stored for this user under this digest?
#[cfg(feature = "scram")]
#[derive(Debug)]
#[must_use]
pub struct KeysQuestion<'v> {
    user: &'v str,
    hash: super::scram::Hash,
    answer: &'v mut Answer<Option<super::scram::Keys>>,
}

#[cfg(feature = "scram")]
impl<'v> KeysQuestion<'v> {
    /// For a mechanism of one's own; in `answer` comes `None` for an unknown user.
    pub const fn new(
        user: &'v str,
        hash: super::scram::Hash,
        answer: &'v mut Answer<Option<super::scram::Keys>>,
    ) -> Self {
        Self { user, hash, answer }
    }

    /// The user, prepared.
    #[must_use]
    pub const fn user(&self) -> &'v str {
        self.user
    }

    /// The digest of which the keys have to be.
    #[must_use]
    pub const fn hash(&self) -> super::scram::Hash {
        self.hash
    }

    /// These are stored.
    pub fn supply(self, keys: super::scram::Keys) {
        *self.answer = Answer::Given(Some(keys));
    }

    /// There is no such user. The exchange goes on as if there were one, and fails.
    pub fn unknown(self) {
        *self.answer = Answer::Given(None);
    }

    /// The application cannot tell now.
    pub fn unavailable(self) {
        *self.answer = Answer::Unavailable;
    }
}

/// A password that waits for its verdict: the second half of PLAIN and LOGIN.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) user: Box<str>,
    pub(super) authzid: Option<Box<str>>,
    pub(super) password: Secret,
    pub(super) answer: Answer<Option<Box<str>>>,
}

impl Pending {
    pub(super) fn question(&mut self) -> Question<'_> {
        Question::Password(PasswordQuestion::new(
            &self.user,
            self.authzid.as_deref(),
            &self.password,
            &mut self.answer,
        ))
    }

    /// `None` while nobody has answered.
    pub(super) fn verdict(&mut self) -> Option<Step> {
        match self.answer.take() {
            Answer::Open => None,
            Answer::Unavailable => Some(Step::Failed(VerifierError::Unavailable)),
            Answer::Given(None) => Some(Step::Failed(VerifierError::Rejected)),
            Answer::Given(Some(authcid)) => {
                Some(Step::proved(Identity::new(authcid).acting_as(self.authzid.take())))
            }
        }
    }
}
