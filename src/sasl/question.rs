//! Questions of a verifier to the application: tokens with only their legal answers.
//!
//! ```
//! use esmtp::sasl::Question;
//!
//! /// Gives a verdict on a password or a token.
//! fn answer(question: Question<'_>) {
//!     match question {
//!         Question::Password(asked) if asked.user() == "ann" => asked.accept_as("ann@example.org".into()),
//!         other => other.reject(),
//!     }
//! }
//! ```

use super::error::VerifierError;
use super::error_status::ErrorStatus;
use super::identity::Identity;
use super::{Secret, Step};
use alloc::boxed::Box;

/// The slot for an answer; a verifier owns one for each question and lends it to the token.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Answer<T> {
    /// There is no answer yet.
    #[default]
    Open,
    /// The answer.
    Given(T),
    /// The application cannot answer at present.
    Unavailable,
}

impl<T> Answer<T> {
    /// Takes the answer out and leaves the slot open again.
    #[must_use]
    pub fn take(&mut self) -> Self {
        core::mem::take(self)
    }
}

/// A question to the application.
///
/// It may be answered late: after a drop it is asked again, and the verifier keeps the state.
/// Values borrowed from a question live as long as the verifier is borrowed.
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub enum Question<'v> {
    /// Asks whether a password is valid: PLAIN and LOGIN.
    Password(PasswordQuestion<'v>),
    /// Asks whether a token is valid, and for which user: OAUTHBEARER and XOAUTH2.
    Token(TokenQuestion<'v>),
    /// Asks for the password of a user: CRAM-MD5, which needs it in clear.
    Secret(SecretQuestion<'v>),
    /// Asks for the stored keys of a user: SCRAM.
    #[cfg(feature = "scram")]
    Keys(KeysQuestion<'v>),
}

impl<'v> Question<'v> {
    /// Returns the user; `None` for a token that came without a name.
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

    /// Rejects the credentials, whatever the question is. The client cannot distinguish it from a
    /// wrong password.
    pub fn reject(self) {
        match self {
            Self::Password(question) => question.reject(),
            Self::Token(question) => question.reject(),
            Self::Secret(question) => question.unknown(),
            #[cfg(feature = "scram")]
            Self::Keys(question) => question.unknown(),
        }
    }

    /// Leaves the decision open: the application cannot make it at present (454 4.7.0).
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

/// A question whether a password is the password of a user.
///
/// Digests for passwords (Argon2, scrypt, PBKDF2) take a processor core for a tenth of a second or
/// more, and a directory may take longer. A server that computes them on the thread that drives its
/// sessions makes all of them wait; on an async runtime, compute them on a thread of their own and
/// hold the question meanwhile. The client's deadlines are suspended until the answer, and a
/// dropped future loses nothing: the question is asked again.
#[cfg_attr(
    feature = "tokio",
    doc = r#"
```
use esmtp::{sasl::{Question, Secret}, server::CredentialsQuestion};
use tokio::task::spawn_blocking;

async fn check(asked: CredentialsQuestion<'_>) {
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

/// Compares after a digest that is slow on purpose.
fn is_right(user: &str, password: &Secret) -> bool {
    # let _ = (user, password);
    # false
    // …
}
# fn is_send<T: Send>(_: fn(CredentialsQuestion<'static>) -> T) {}
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
    /// Creates a question, for custom mechanisms; `answer` receives the identity, or `None` for a
    /// rejection.
    pub const fn new(
        user: &'v str,
        authzid: Option<&'v str>,
        password: &'v Secret,
        answer: &'v mut Answer<Option<Box<str>>>,
    ) -> Self {
        Self { user, authzid, password, answer }
    }

    /// Returns the user, prepared.
    #[must_use]
    pub const fn user(&self) -> &'v str {
        self.user
    }

    /// Returns the authorization identity, if the client wants to act as another user. A further
    /// question, after the password is accepted, asks whether it may.
    #[must_use]
    pub const fn authzid(&self) -> Option<&'v str> {
        self.authzid
    }

    /// Returns the password, prepared: UTF-8 in PLAIN, any octets in LOGIN.
    ///
    /// Comparing it with a stored digest takes the same time for known and unknown users only if
    /// the application digests it for unknown users, too.
    #[must_use]
    pub const fn password(&self) -> &'v Secret {
        self.password
    }

    /// Accepts the password; the identity is the name that the client gave.
    pub fn accept(self) {
        let user = self.user.into();
        self.accept_as(user);
    }

    /// Accepts the password with another name as the identity (an alias was resolved, a domain was
    /// added).
    pub fn accept_as(self, authcid: Box<str>) {
        *self.answer = Answer::Given(Some(authcid));
    }

    /// Rejects the credentials: the password is wrong, or there is no such user.
    pub fn reject(self) {
        *self.answer = Answer::Given(None);
    }

    /// Leaves the decision open: the application cannot make it at present.
    pub fn unavailable(self) {
        *self.answer = Answer::Unavailable;
    }
}

/// A question whether a token is valid, and which user it belongs to.
#[derive(Debug)]
#[must_use]
pub struct TokenQuestion<'v> {
    user: Option<&'v str>,
    token: &'v Secret,
    endpoint: (Option<&'v str>, Option<u16>),
    answer: &'v mut Answer<Result<Box<str>, Option<ErrorStatus>>>,
}

impl<'v> TokenQuestion<'v> {
    /// Creates a question, for custom mechanisms. `endpoint` is the host and port that the client
    /// believes it is connected to; `answer` receives the identity, or the error status for the
    /// client.
    pub const fn new(
        user: Option<&'v str>,
        token: &'v Secret,
        endpoint: (Option<&'v str>, Option<u16>),
        answer: &'v mut Answer<Result<Box<str>, Option<ErrorStatus>>>,
    ) -> Self {
        Self { user, token, endpoint, answer }
    }

    /// Returns the user that the client names: always present in XOAUTH2; in OAUTHBEARER the
    /// authorization identity, if there is one. The application must check that the token belongs
    /// to this user.
    #[must_use]
    pub const fn user(&self) -> Option<&'v str> {
        self.user
    }

    /// Returns the bearer token.
    #[must_use]
    pub const fn token(&self) -> &'v Secret {
        self.token
    }

    /// Returns the host that the client says it is connected to; it must be checked where it is
    /// known (RFC 7628 section 3.2).
    #[must_use]
    pub const fn host(&self) -> Option<&'v str> {
        self.endpoint.0
    }

    /// Returns the port that the client says it is connected to.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.endpoint.1
    }

    /// Accepts the token as one that belongs to this identity.
    pub fn accept_as(self, authcid: impl Into<Box<str>>) {
        *self.answer = Answer::Given(Ok(authcid.into()));
    }

    /// Rejects the token, with the error status that the verifier was configured with.
    pub fn reject(self) {
        *self.answer = Answer::Given(Err(None));
    }

    /// Rejects the token, with an error status that the client receives before the failing reply.
    pub fn reject_with(self, status: ErrorStatus) {
        *self.answer = Answer::Given(Err(Some(status)));
    }

    /// Leaves the decision open: the application cannot make it at present.
    pub fn unavailable(self) {
        *self.answer = Answer::Unavailable;
    }
}

/// A question for the password of a user.
#[derive(Debug)]
#[must_use]
pub struct SecretQuestion<'v> {
    user: &'v str,
    answer: &'v mut Answer<Option<Secret>>,
}

impl<'v> SecretQuestion<'v> {
    /// Creates a question, for custom mechanisms; `answer` receives `None` for an unknown user.
    pub const fn new(user: &'v str, answer: &'v mut Answer<Option<Secret>>) -> Self {
        Self { user, answer }
    }

    /// Returns the user, prepared.
    #[must_use]
    pub const fn user(&self) -> &'v str {
        self.user
    }

    /// Supplies the password in clear.
    pub fn supply(self, password: impl Into<Secret>) {
        *self.answer = Answer::Given(Some(password.into()));
    }

    /// Reports that there is no such user. The exchange continues as if there were, and fails.
    pub fn unknown(self) {
        *self.answer = Answer::Given(None);
    }

    /// Leaves the decision open: the application cannot make it at present.
    pub fn unavailable(self) {
        *self.answer = Answer::Unavailable;
    }
}

/// A question for the keys that are stored for a user under a digest.
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
    /// Creates a question, for custom mechanisms; `answer` receives `None` for an unknown user.
    pub const fn new(
        user: &'v str,
        hash: super::scram::Hash,
        answer: &'v mut Answer<Option<super::scram::Keys>>,
    ) -> Self {
        Self { user, hash, answer }
    }

    /// Returns the user, prepared.
    #[must_use]
    pub const fn user(&self) -> &'v str {
        self.user
    }

    /// Returns the digest that the keys must be for.
    #[must_use]
    pub const fn hash(&self) -> super::scram::Hash {
        self.hash
    }

    /// Supplies the stored keys.
    pub fn supply(self, keys: super::scram::Keys) {
        *self.answer = Answer::Given(Some(keys));
    }

    /// Reports that there is no such user. The exchange continues as if there were, and fails.
    pub fn unknown(self) {
        *self.answer = Answer::Given(None);
    }

    /// Leaves the decision open: the application cannot make it at present.
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

    /// Returns the verdict; `None` while there is no answer.
    pub(super) fn verdict(&mut self) -> Option<Step> {
        match self.answer.take() {
            Answer::Open => None,
            Answer::Unavailable => Some(Step::Failed(VerifierError::Unavailable)),
            Answer::Given(None) => Some(Step::Failed(VerifierError::Rejected)),
            Answer::Given(Some(authcid)) => {
                Some(Step::proved(Identity::new(authcid).with_authzid(self.authzid.take())))
            }
        }
    }
}
