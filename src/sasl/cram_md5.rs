//! CRAM-MD5: a keyed digest of the server's challenge (RFC 2195).
//!
//! It is obsolete: the server must keep the password itself, and an eavesdropper can guess it
//! offline. SCRAM has neither weakness.

use super::question::{Answer, Question, SecretQuestion};
use super::{
    CredentialsError, Identity, Initiator, InitiatorError, Malformed, Mechanism, Nonce, Secret,
    Step, Verifier, VerifierError,
};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// The number of hexadecimal digits of the digest.
const DIGITS: usize = 32;

/// The client's message: a user name, a space and the digest.
///
/// RFC 2195 section 2. The last space separates, so a name may contain spaces; the digits are
/// lower-case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CramMd5Response<'a> {
    user: &'a str,
    digest: &'a str,
}

impl<'a> CramMd5Response<'a> {
    /// Parses a message.
    ///
    /// # Errors
    /// No name, not 32 lower-case hexadecimal digits, or not UTF-8.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let text = core::str::from_utf8(octets).map_err(|_| Malformed::new("not UTF-8"))?;
        let (user, digest) =
            text.rsplit_once(' ').ok_or(Malformed::new("no space before the digest"))?;
        if user.is_empty() || user.contains('\0') {
            return Err(Malformed::new("no user"));
        }
        let is_digit = |octet: u8| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        if digest.len() != DIGITS || !digest.bytes().all(is_digit) {
            return Err(Malformed::new("a digest that is not 32 lower-case hexadecimal digits"));
        }
        Ok(Self { user, digest })
    }

    /// Returns the user name.
    #[must_use]
    pub const fn user(&self) -> &'a str {
        self.user
    }

    /// Returns the digest, in lower-case hexadecimal digits.
    #[must_use]
    pub const fn digest(&self) -> &'a str {
        self.digest
    }
}

/// The digest is left out: together with the challenge it permits guessing the password.
impl fmt::Debug for CramMd5Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CramMd5Response").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Returns the HMAC-MD5 of the challenge with the password as its key, in lower-case hexadecimal
/// digits.
fn digest(password: &Secret, challenge: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 section 3)")]
    let mut mac =
        Hmac::<Md5>::new_from_slice(password.expose()).expect("HMAC takes keys of every length");
    mac.update(challenge);
    mac.finalize().into_bytes().iter().fold(String::with_capacity(DIGITS), |mut text, octet| {
        text.extend(
            [octet >> 4, octet & 15].map(|n| char::from_digit(n.into(), 16).unwrap_or('0')),
        );
        text
    })
}

/// The client's side of CRAM-MD5.
#[derive(Debug)]
pub struct CramMd5Initiator {
    user: Box<str>,
    password: Secret,
    state: ClientState,
}

#[derive(Debug)]
enum ClientState {
    Ready,
    Sent,
    Failed,
}

impl CramMd5Initiator {
    /// Creates an initiator that authenticates as `user`.
    ///
    /// # Errors
    /// An empty name or password, or a name with a NUL.
    pub fn new(user: &str, password: impl Into<Secret>) -> Result<Self, CredentialsError> {
        let password = password.into();
        if user.is_empty() || password.is_empty() {
            return Err(CredentialsError::Empty);
        }
        if user.contains('\0') {
            return Err(CredentialsError::Forbidden);
        }
        Ok(Self { user: user.into(), password, state: ClientState::Ready })
    }
}

impl Initiator for CramMd5Initiator {
    fn mechanism(&self) -> Mechanism {
        Mechanism::CRAM_MD5
    }

    fn initial_response(&mut self) -> Result<Option<Secret>, InitiatorError> {
        Ok(None)
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, InitiatorError> {
        let state = core::mem::replace(&mut self.state, ClientState::Failed);
        if !matches!(state, ClientState::Ready) {
            return Err(InitiatorError::UnexpectedChallenge);
        }
        // The digest of an empty challenge could be replayed anywhere.
        if challenge.is_empty() {
            return Err(Malformed::new("an empty challenge").into());
        }
        self.state = ClientState::Sent;
        let digest = digest(&self.password, challenge);
        self.password = Secret::empty();
        Ok(Secret::concat(&[self.user.as_bytes(), b" ", digest.as_bytes()]))
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), InitiatorError> {
        match self.state {
            ClientState::Sent if data.is_none_or(<[u8]>::is_empty) => Ok(()),
            ClientState::Sent => Err(InitiatorError::UnexpectedChallenge),
            ClientState::Ready | ClientState::Failed => Err(InitiatorError::Incomplete),
        }
    }
}

/// The server's side of CRAM-MD5.
pub struct CramMd5Verifier {
    challenge: String,
    state: State,
}

/// Shows nothing of the exchange.
impl fmt::Debug for CramMd5Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CramMd5Verifier").finish_non_exhaustive()
    }
}

enum State {
    Start,
    Challenged,
    Asked { user: Box<str>, digest: Secret, answer: Answer<Option<Secret>> },
    Over,
}

impl CramMd5Verifier {
    /// Creates a verifier whose challenge has the form of a message identifier,
    /// `<random.timestamp@host>` (RFC 2195 section 2): the time in seconds since 1970 and the
    /// server's name.
    #[must_use]
    pub fn new(nonce: &Nonce, unix_seconds: u64, host: &str) -> Self {
        // Every octet of the nonce in decimal digits: the RFC asks for "random digits".
        let random = nonce
            .as_str()
            .bytes()
            .fold(String::new(), |digits, octet| digits + &format!("{octet:03}"));
        Self::with_challenge(format!("<{random}.{unix_seconds}@{host}>"))
    }

    /// Creates a verifier with the caller's own challenge, which must never be used twice.
    #[must_use]
    pub fn with_challenge(challenge: impl Into<String>) -> Self {
        Self { challenge: challenge.into(), state: State::Start }
    }
}

impl Verifier for CramMd5Verifier {
    fn mechanism(&self) -> Mechanism {
        Mechanism::CRAM_MD5
    }

    fn step(&mut self, response: Option<&[u8]>) -> Step {
        match (core::mem::replace(&mut self.state, State::Over), response) {
            (State::Start, None) => {
                self.state = State::Challenged;
                Step::Challenge(self.challenge.as_bytes().into())
            }
            (State::Start, Some(_)) => Step::Failed(VerifierError::UnexpectedInitialResponse),
            (State::Challenged, Some(response)) => match CramMd5Response::parse(response) {
                Ok(CramMd5Response { user, digest }) => {
                    self.state = State::Asked {
                        user: user.into(),
                        digest: digest.as_bytes().into(),
                        answer: Answer::Open,
                    };
                    Step::Ask
                }
                Err(malformed) => Step::Failed(malformed.into()),
            },
            (State::Challenged, None) | (State::Asked { .. } | State::Over, _) => {
                Step::Failed(VerifierError::OutOfTurn)
            }
        }
    }

    fn question(&mut self) -> Option<Question<'_>> {
        match &mut self.state {
            State::Asked { user, answer, .. } => {
                Some(Question::Secret(SecretQuestion::new(user, answer)))
            }
            State::Start | State::Challenged | State::Over => None,
        }
    }

    fn resume(&mut self) -> Step {
        let State::Asked { user, digest: sent, answer } = &mut self.state else {
            return Step::Failed(VerifierError::OutOfTurn);
        };
        let (password, is_known) = match answer.take() {
            Answer::Open => return Step::Ask,
            Answer::Unavailable => {
                self.state = State::Over;
                return Step::Failed(VerifierError::Unavailable);
            }
            // An unknown user costs as much work as a known one.
            Answer::Given(None) => (self.challenge.as_str().into(), false),
            Answer::Given(Some(password)) => {
                let is_known = !password.is_empty();
                (password, is_known)
            }
        };
        let expected = Secret::from(digest(&password, self.challenge.as_bytes()));
        let step = if expected.matches(sent.expose()) & is_known {
            Step::proved(Identity::new(core::mem::take(user)))
        } else {
            Step::Failed(VerifierError::Rejected)
        };
        self.state = State::Over;
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "<1896.697170952@postoffice.reston.mci.net>";

    fn run(challenge: &str, response: &[u8], stored: Option<&str>) -> Step {
        let mut server = CramMd5Verifier::with_challenge(challenge);
        assert!(matches!(server.step(None), Step::Challenge(sent) if sent == challenge.as_bytes()));
        if let done @ Step::Failed(_) = server.step(Some(response)) {
            return done;
        }
        assert!(matches!(server.resume(), Step::Ask));
        let Some(Question::Secret(question)) = server.question() else { panic!() };
        match stored {
            Some(password) => question.supply(password),
            None => question.unknown(),
        }
        server.resume()
    }

    /// 2195-2-b, 2195-2-c, 2195-2-d: RFC 2195 section 3, and a key longer than the block.
    #[test]
    fn the_published_exchange() {
        let long = "k".repeat(80);
        for (user, password, response) in [
            ("tim", "tanstaaftanstaaf", "tim b913a602c7eda7a495b4e6e7334d3890"),
            ("user name", &long, "user name fe3f57b2d33c75c022af66500f00afe6"),
        ] {
            let mut client = CramMd5Initiator::new(user, password).unwrap();
            assert!(client.initial_response().unwrap().is_none());
            assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));
            let sent = client.respond(CHALLENGE.as_bytes()).unwrap();
            assert_eq!(sent.expose(), response.as_bytes());
            assert_eq!(client.finish(None), Ok(()));
            assert!(client.respond(CHALLENGE.as_bytes()).is_err());
            let Step::Proved(proven) = run(CHALLENGE, response.as_bytes(), Some(password)) else {
                panic!()
            };
            assert_eq!(proven.identity().authcid(), user);
        }
    }

    /// 2195-2-c, 4422-3.6-a
    #[test]
    fn what_does_not_prove_the_password_is_refused() {
        let good = b"tim b913a602c7eda7a495b4e6e7334d3890";
        let rejected = [
            (CHALLENGE, &good[..], Some("tanstaaf")),
            ("<1@b>", good, Some("tanstaaftanstaaf")),
            (CHALLENGE, b"tim a913a602c7eda7a495b4e6e7334d3890", Some("tanstaaftanstaaf")),
            (CHALLENGE, good, None),
            (CHALLENGE, good, Some("")),
        ];
        for (challenge, response, stored) in rejected {
            let end = run(challenge, response, stored);
            assert!(matches!(end, Step::Failed(VerifierError::Rejected)), "{end:?}");
        }
        // The key that is used for an unknown user is public, and must not authenticate anyone.
        let forged = format!("tim {}", digest(&CHALLENGE.into(), CHALLENGE.as_bytes()));
        let end = run(CHALLENGE, forged.as_bytes(), None);
        assert!(matches!(end, Step::Failed(VerifierError::Rejected)));
        let malformed: [&[u8]; 8] = [
            b"",
            b"b913a602c7eda7a495b4e6e7334d3890",
            b" b913a602c7eda7a495b4e6e7334d3890",
            b"tim b913a602c7eda7a495b4e6e7334d389",
            b"tim b913a602c7eda7a495b4e6e7334d38901",
            b"tim b913a602c7eda7a495b4e6e7334d389g",
            b"tim B913A602C7EDA7A495B4E6E7334D3890",
            b"t\xff b913a602c7eda7a495b4e6e7334d3890",
        ];
        for response in malformed {
            let end = run(CHALLENGE, response, Some("tanstaaftanstaaf"));
            assert!(matches!(end, Step::Failed(VerifierError::Malformed(_))), "{end:?}");
        }
    }

    /// 2195-2-a
    #[test]
    fn the_challenge_is_a_message_identifier() {
        let nonce = Nonce::from_text("A+z").unwrap();
        let server = CramMd5Verifier::new(&nonce, 697_170_952, "mx.example.org");
        assert_eq!(server.challenge, "<065043122.697170952@mx.example.org>");
    }

    /// 2195-2-e, 4954-4-p
    #[test]
    fn an_initial_response_is_refused() {
        let end = CramMd5Verifier::with_challenge(CHALLENGE).step(Some(b"test"));
        let Step::Failed(error) = end else { panic!() };
        assert_eq!(error, VerifierError::UnexpectedInitialResponse);
        assert_eq!(error.reason(), crate::sasl::Reason::InitialResponse);
    }

    #[test]
    fn a_client_digests_no_empty_challenge() {
        let mut client = CramMd5Initiator::new("tim", "tanstaaf").unwrap();
        assert!(client.respond(b"").is_err());
        assert!(client.finish(None).is_err());
        assert!(!format!("{client:?}").contains("tanstaaf"));
        for (user, password) in [("", "a"), ("a", ""), ("a\0", "a")] {
            assert!(CramMd5Initiator::new(user, password).is_err());
        }
    }
}
