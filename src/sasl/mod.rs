//! The mechanisms of AUTH (RFC 4422, RFC 4954): octets in, octets out.
//!
//! - **A client** logs in with [`Credentials`], which choose the strongest mechanism that the server
//!   offers and that the channel permits.
//! - **A server** configures an [`Offer`], named after what it stores, and answers one question:
//!
//! ```
//! use esmtp::{
//!     sasl::Offer,
//!     server::{Config, Event},
//! };
//! use std::collections::HashMap;
//!
//! let config = Config::new("mail.example.org")?.with_auth(Offer::for_passwords());
//!
//! fn answer(event: Event<'_>, passwords: &HashMap<String, String>) {
//!     match event {
//!         Event::Credentials(asked) => asked.check_with(|user| passwords.get(user)),
//!         other => other.proceed(),
//!     }
//! }
//! # Ok::<(), esmtp::syntax::SyntaxError>(())
//! ```
//!
//! The page of [`server`](crate::server) has a whole server with STARTTLS and AUTH, and
//! [`CredentialsQuestion::check`](crate::server::CredentialsQuestion::check) tells what takes time.
//! The rest of this page is for mechanisms of one's own, and for other protocols.
//!
//! # Exchanges
//!
//! This module knows no base64, no command and no reply: those belong to the machines. An exchange
//! has two sides, an [`Initiator`] (the client's) and a [`Verifier`] (the server's), and each is a
//! small trait that custom mechanisms can implement as well:
//!
//! | mechanism | initiator, verifier | source | feature |
//! |---|---|---|---|
//! | PLAIN | [`PlainInitiator`], [`PlainVerifier`] | RFC 4616 | |
//! | LOGIN | [`LoginInitiator`], [`LoginVerifier`] | draft-murchison-sasl-login-00 | |
//! | CRAM-MD5 | `CramMd5Initiator`, `CramMd5Verifier` | RFC 2195 | `cram-md5` |
//! | SCRAM-SHA-1, -256, -512 and their -PLUS | `ScramInitiator`, `ScramVerifier` | RFC 5802, RFC 7677 | `scram` |
//! | OAUTHBEARER | [`OauthBearerInitiator`], [`OauthBearerVerifier`] | RFC 7628 | |
//! | XOAUTH2 | [`Xoauth2Initiator`], [`Xoauth2Verifier`] | Google's description | |
//! | EXTERNAL | [`ExternalInitiator`], [`ExternalVerifier`] | RFC 4422 appendix A | |
//! | ANONYMOUS | [`AnonymousInitiator`], [`AnonymousVerifier`] | RFC 4505 | |
//!
//! None of them negotiates a security layer (RFC 4422 section 3.7): TLS does that.
//!
//! # The server asks
//!
//! A verifier looks up nothing. When it needs the application it returns [`Step::Ask`], and
//! [`question`](Verifier::question) returns a token with only the legal answers. The answer may
//! come late; the verifier keeps the state. So passwords are checked away from the threads that
//! drive sessions: [`PasswordQuestion`](question::PasswordQuestion) has an example with
//! `spawn_blocking`. SCRAM spares a server that work: its verifier uses keys that were derived
//! before, and the client calculates the iterations.
//!
//! ```
//! use esmtp::sasl::{Initiator, PlainInitiator, PlainVerifier, Question, Step, Verifier};
//!
//! let mut client = PlainInitiator::new("tim", "tanstaaftanstaaf")?;
//! let mut server = PlainVerifier::new();
//!
//! let message = client.initial_response()?.unwrap();
//! assert_eq!(message.expose(), b"\0tim\0tanstaaftanstaaf");
//! assert!(matches!(server.step(Some(message.expose())), Step::Ask));
//!
//! let Some(Question::Password(question)) = server.question() else { unreachable!() };
//! if question.user() == "tim" && question.password().matches(b"tanstaaftanstaaf") {
//!     question.accept();
//! } else {
//!     question.reject();
//! }
//! let Step::Proved(proven) = server.resume() else { unreachable!() };
//! assert_eq!(proven.identity().authcid(), "tim");
//! client.finish(None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    feature = "scram",
    doc = r#"
# SCRAM, whole

The server keeps [`Keys`](scram::Keys) and never sees the password; the client learns that the
server has them.

```
use esmtp::sasl::scram::{Decoy, Hash, Keys, ScramInitiator, ScramVerifier};
use esmtp::sasl::{Initiator, Nonce, Question, Step, Verifier};

// When the password was set. The salt is random, as are the nonces below.
let stored = Keys::derive(Hash::Sha256, "pencil", *b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e", 4096)?;

let mut client = ScramInitiator::new(Hash::Sha256, "user", "pencil", Nonce::new([1; 18]))?;
let mut server = ScramVerifier::new(Hash::Sha256, Nonce::new([2; 18]), Decoy::new([3; 32]));

let client_first = client.initial_response()?.unwrap();
assert!(matches!(server.step(Some(client_first.expose())), Step::Ask));
match server.question() {
    Some(Question::Keys(question)) if question.user() == "user" => question.supply(stored),
    Some(other) => other.reject(),
    None => unreachable!(),
}
let Step::Challenge(server_first) = server.resume() else { unreachable!() };
let client_final = client.respond(&server_first)?;
let Step::Proved(proven) = server.step(Some(client_final.expose())) else { unreachable!() };
assert_eq!(proven.identity().authcid(), "user");

// SMTP has no room for data in a 235: they are sent as one more challenge, answered by an empty
// response (RFC 4954 section 4).
let server_final = proven.success_data().unwrap();
assert!(client.respond(server_final)?.is_empty());
client.finish(None)?;
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]

mod anonymous;
mod bearer;
mod channel;
#[cfg(feature = "cram-md5")]
mod cram_md5;
mod credentials;
mod error;
mod error_status;
mod external;
mod gs2;
mod identity;
mod login;
pub mod message;
mod nonce;
mod offer;
mod plain;
pub mod prepare;
pub mod question;
#[cfg(feature = "scram")]
mod scale;
#[cfg(feature = "scram")]
pub mod scram;
mod secret;
mod stored;

pub use anonymous::{AnonymousInitiator, AnonymousVerifier};
pub use bearer::{OauthBearerInitiator, OauthBearerVerifier, Xoauth2Initiator, Xoauth2Verifier};
pub use channel::{BindingType, Channel, ChannelBinding};
#[cfg(feature = "cram-md5")]
pub use cram_md5::{CramMd5Initiator, CramMd5Verifier};
pub use credentials::{Credentials, NoCommonMechanism, strongest};
pub use error::{CredentialsError, InitiatorError, Malformed, Reason, Refused, VerifierError};
pub use error_status::ErrorStatus;
pub use external::{ExternalInitiator, ExternalVerifier};
pub use identity::Identity;
pub use login::{LoginInitiator, LoginVerifier};
#[cfg(feature = "getrandom")]
pub use nonce::NoRandomness;
pub use nonce::Nonce;
pub use offer::{Attempt, Offer, OfferError};
pub use plain::{PlainInitiator, PlainVerifier};
pub use question::{Answer, Question};
#[cfg(feature = "scram")]
pub use scram::{ScramInitiator, ScramVerifier};
pub use secret::Secret;
pub use stored::{Stored, StoredPassword};

pub use crate::mechanism::{MAX_NAME, Mechanism, MechanismError, Strength};
use alloc::vec::Vec;
use core::fmt;

/// The client's side of one exchange of one mechanism.
///
/// After an error the exchange is cancelled (`*`, RFC 4954 section 4) and the initiator must not be
/// used again. [`Debug`](fmt::Debug) must not show a secret.
pub trait Initiator: fmt::Debug + Send + Sync {
    /// Returns the mechanism's name, as sent with AUTH.
    fn mechanism(&self) -> Mechanism;

    /// Returns whether the exchange must not run outside TLS.
    fn needs_tls(&self) -> bool {
        let mechanism = self.mechanism();
        mechanism.is_plaintext() || mechanism.needs_channel_binding()
    }

    /// Returns the strength, to choose the strongest of several initiators.
    fn strength(&self) -> Strength {
        self.mechanism().strength()
    }

    /// Returns the client's first message; `None` for a mechanism in which the server begins.
    ///
    /// It is called at most once. A caller that could not send the message with the AUTH command
    /// sends it in response to the empty challenge (RFC 4954 section 4), or does not call this
    /// method and passes the empty challenge to [`respond`](Self::respond).
    ///
    /// # Errors
    /// The message was already returned.
    fn initial_response(&mut self) -> Result<Option<Secret>, InitiatorError>;

    /// Returns the response to a challenge.
    ///
    /// # Errors
    /// A challenge that the mechanism does not have, or that proves the server to be an impostor.
    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, InitiatorError>;

    /// Checks the exchange after the server announced success: a 235 counts only if this returns
    /// `Ok`.
    ///
    /// `data` is additional data with the success, in a protocol that has room for it; in SMTP it
    /// is `None`, since the data came in a challenge.
    ///
    /// # Errors
    /// The exchange was not complete, or the server has not proven itself as the mechanism
    /// demands: the client must not go on as if it were authenticated.
    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), InitiatorError>;

    /// Returns the reason for a rejection that the server sent within the mechanism, for example
    /// the JSON of OAUTHBEARER (parsed by [`ErrorStatus`]).
    fn refusal(&self) -> Option<&[u8]> {
        None
    }
}

/// The server's side of one exchange of one mechanism.
///
/// [`Debug`](fmt::Debug) must not show a secret.
pub trait Verifier: fmt::Debug + Send + Sync {
    /// Returns the name that the client sent with AUTH.
    fn mechanism(&self) -> Mechanism;

    /// Advances with the client's response; `None` if AUTH came without an initial response. `=` is
    /// an initial response: present and empty.
    fn step(&mut self, response: Option<&[u8]>) -> Step;

    /// Returns the open question after [`Step::Ask`], again and again until it is answered.
    ///
    /// By default it returns `None`: a mechanism whose exchange tells everything never asks.
    fn question(&mut self) -> Option<Question<'_>> {
        None
    }

    /// Resumes with the answer; returns [`Step::Ask`] again until there is one.
    ///
    /// By default the call is out of turn, as nothing was asked.
    fn resume(&mut self) -> Step {
        Step::Failed(VerifierError::OutOfTurn)
    }
}

/// The next step of a verifier.
///
/// `Debug` does not show the octets of the exchange.
#[must_use]
pub enum Step {
    /// A challenge for the client; the client's response goes to [`step`](Verifier::step).
    Challenge(Vec<u8>),
    /// The application has to answer [`question`](Verifier::question); then
    /// [`resume`](Verifier::resume).
    Ask,
    /// The client has proven its identity; the exchange is over.
    Proved(Proven),
    /// The exchange failed and is over.
    Failed(VerifierError),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge(challenge) => write!(f, "Challenge({} octets)", challenge.len()),
            Self::Ask => f.write_str("Ask"),
            Self::Proved(proven) => f.debug_tuple("Proved").field(proven).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl Step {
    /// Returns success without additional data.
    pub const fn proved(identity: Identity) -> Self {
        Self::Proved(Proven { identity, success_data: None })
    }

    /// Returns success with additional data for the client.
    pub const fn proved_with(identity: Identity, success_data: Vec<u8>) -> Self {
        Self::Proved(Proven { identity, success_data: Some(success_data) })
    }
}

/// The proven identity, and the additional data that the client must receive with the success.
pub struct Proven {
    identity: Identity,
    success_data: Option<Vec<u8>>,
}

impl fmt::Debug for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proven").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Proven {
    /// Returns the proven identity and the identity that the client wants to act as.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Converts into the identity.
    #[must_use]
    pub fn into_identity(self) -> Identity {
        self.identity
    }

    /// Returns the additional data of the success. In SMTP they are sent as one more challenge
    /// before the 235, and the client's response to it must be empty (RFC 4422 section 3.6, RFC
    /// 4954 section 4).
    #[must_use]
    pub fn success_data(&self) -> Option<&[u8]> {
        self.success_data.as_deref()
    }
}

/// The client's side of a mechanism with one message: PLAIN, EXTERNAL, ANONYMOUS.
#[derive(Debug)]
enum Once {
    Ready(Secret),
    Sent,
    Failed,
}

impl Once {
    fn initial_response(&mut self) -> Result<Option<Secret>, InitiatorError> {
        self.respond(b"").map(Some)
    }

    /// Accepts only the empty challenge, which means "go on" (RFC 4422 section 3).
    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, InitiatorError> {
        match core::mem::replace(self, Self::Failed) {
            Self::Ready(message) if challenge.is_empty() => {
                *self = Self::Sent;
                Ok(message)
            }
            Self::Ready(_) | Self::Sent | Self::Failed => Err(InitiatorError::UnexpectedChallenge),
        }
    }

    fn finish(&self, data: Option<&[u8]>) -> Result<(), InitiatorError> {
        match self {
            Self::Sent if data.is_none_or(<[u8]>::is_empty) => Ok(()),
            Self::Sent => Err(InitiatorError::UnexpectedChallenge),
            Self::Ready(_) | Self::Failed => Err(InitiatorError::Incomplete),
        }
    }
}
