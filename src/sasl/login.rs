//! LOGIN: name and password, each after a prompt (draft-murchison-sasl-login-00, obsolete but in
//! use).

use super::prepare::{Prepare, standard};
use super::question::{Answer, Pending, Question};
use super::{
    CredentialsError, Initiator, InitiatorError, Malformed, Mechanism, Secret, Step, Verifier,
    VerifierError,
};
use alloc::boxed::Box;

/// The server's first prompt; some clients accept no other text (section 2.2 of the draft).
pub const USERNAME_PROMPT: &str = "Username:";
/// The server's second prompt.
pub const PASSWORD_PROMPT: &str = "Password:";

/// The client's side of LOGIN: it answers in order, whatever the prompts are (section 2.1 of the
/// draft).
#[derive(Debug)]
pub struct LoginInitiator(Turn);

#[derive(Debug)]
enum Turn {
    User { user: Secret, password: Secret },
    Password(Secret),
    Sent,
    Failed,
}

impl LoginInitiator {
    /// Creates an initiator that authenticates as `user`.
    ///
    /// # Errors
    /// An empty name or password, or one with a NUL, CR or LF (section 2 of the draft).
    pub fn new(user: &str, password: impl Into<Secret>) -> Result<Self, CredentialsError> {
        let password = password.into();
        for part in [user.as_bytes(), password.expose()] {
            if part.is_empty() {
                return Err(CredentialsError::Empty);
            }
            if part.iter().any(|octet| matches!(octet, b'\0' | b'\r' | b'\n')) {
                return Err(CredentialsError::Forbidden);
            }
        }
        Ok(Self(Turn::User { user: user.into(), password }))
    }
}

impl Initiator for LoginInitiator {
    fn mechanism(&self) -> Mechanism {
        Mechanism::LOGIN
    }

    fn initial_response(&mut self) -> Result<Option<Secret>, InitiatorError> {
        Ok(None)
    }

    fn respond(&mut self, _: &[u8]) -> Result<Secret, InitiatorError> {
        match core::mem::replace(&mut self.0, Turn::Failed) {
            Turn::User { user, password } => {
                self.0 = Turn::Password(password);
                Ok(user)
            }
            Turn::Password(password) => {
                self.0 = Turn::Sent;
                Ok(password)
            }
            Turn::Sent | Turn::Failed => Err(InitiatorError::UnexpectedChallenge),
        }
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), InitiatorError> {
        match self.0 {
            Turn::Sent if data.is_none_or(<[u8]>::is_empty) => Ok(()),
            Turn::Sent => Err(InitiatorError::UnexpectedChallenge),
            Turn::User { .. } | Turn::Password(_) | Turn::Failed => Err(InitiatorError::Incomplete),
        }
    }
}

/// The server's side of LOGIN.
#[derive(Debug)]
pub struct LoginVerifier {
    prepare: Prepare,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    User,
    Password { user: Box<str> },
    Asked(Pending),
    Over,
}

impl Default for LoginVerifier {
    fn default() -> Self {
        Self::new()
    }
}

impl LoginVerifier {
    /// Creates a verifier.
    #[must_use]
    pub const fn new() -> Self {
        Self { prepare: standard, state: State::Start }
    }

    /// Sets another preparation of name and password.
    #[must_use]
    pub fn with_preparation(self, prepare: Prepare) -> Self {
        Self { prepare, ..self }
    }

    fn read_user(&self, octets: &[u8]) -> Result<Box<str>, VerifierError> {
        let user = core::str::from_utf8(field(octets)?).map_err(|_| Malformed::new("not UTF-8"))?;
        Ok((self.prepare)(user)?.into())
    }

    fn read_password(&self, octets: &[u8]) -> Result<Secret, VerifierError> {
        let octets = field(octets)?;
        // Passwords may be in any character set (section 2 of the draft).
        Ok(match core::str::from_utf8(octets) {
            Ok(text) => Secret::new((self.prepare)(text)?.into_owned()),
            Err(_) => octets.into(),
        })
    }
}

fn field(octets: &[u8]) -> Result<&[u8], Malformed> {
    if octets.is_empty() {
        Err(Malformed::new("an empty name or password"))
    } else if octets.iter().any(|octet| matches!(octet, b'\0' | b'\r' | b'\n')) {
        Err(Malformed::new("NUL, CR or LF in a name or password"))
    } else {
        Ok(octets)
    }
}

impl Verifier for LoginVerifier {
    fn mechanism(&self) -> Mechanism {
        Mechanism::LOGIN
    }

    fn step(&mut self, response: Option<&[u8]>) -> Step {
        match (core::mem::replace(&mut self.state, State::Over), response) {
            (State::Start, None) => {
                self.state = State::User;
                Step::Challenge(USERNAME_PROMPT.into())
            }
            // A name sent with the AUTH command saves a prompt, and clients do so.
            (State::Start | State::User, Some(response)) => match self.read_user(response) {
                Ok(user) => {
                    self.state = State::Password { user };
                    Step::Challenge(PASSWORD_PROMPT.into())
                }
                Err(error) => Step::Failed(error),
            },
            (State::Password { user }, Some(response)) => match self.read_password(response) {
                Ok(password) => {
                    self.state = State::Asked(Pending {
                        user,
                        authzid: None,
                        password,
                        answer: Answer::Open,
                    });
                    Step::Ask
                }
                Err(error) => Step::Failed(error),
            },
            (State::User | State::Password { .. }, None) | (State::Asked(_) | State::Over, _) => {
                Step::Failed(VerifierError::OutOfTurn)
            }
        }
    }

    fn question(&mut self) -> Option<Question<'_>> {
        match &mut self.state {
            State::Asked(pending) => Some(pending.question()),
            State::Start | State::User | State::Password { .. } | State::Over => None,
        }
    }

    fn resume(&mut self) -> Step {
        let State::Asked(pending) = &mut self.state else {
            return Step::Failed(VerifierError::OutOfTurn);
        };
        let Some(step) = pending.verdict() else { return Step::Ask };
        self.state = State::Over;
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn challenge(step: Step) -> alloc::vec::Vec<u8> {
        let Step::Challenge(challenge) = step else { panic!("{step:?}") };
        challenge
    }

    /// LOGIN-draft-1-a, LOGIN-draft-1-c
    #[test]
    fn the_server_prompts_for_name_and_password() {
        for with_initial_response in [false, true] {
            let mut verifier = LoginVerifier::new();
            let prompt = if with_initial_response {
                verifier.step(Some(b"tim"))
            } else {
                assert_eq!(challenge(verifier.step(None)), b"Username:");
                verifier.step(Some(b"tim"))
            };
            assert_eq!(challenge(prompt), b"Password:");
            assert!(matches!(verifier.step(Some(b"tanstaaf\xff")), Step::Ask));
            let Some(Question::Password(question)) = verifier.question() else { panic!() };
            assert!(question.user() == "tim" && question.password().matches(b"tanstaaf\xff"));
            assert_eq!(question.authzid(), None);
            question.accept_as("tim@example.org".into());
            let Step::Proved(proven) = verifier.resume() else { panic!() };
            assert_eq!(proven.identity().authcid(), "tim@example.org");
        }
    }

    /// LOGIN-draft-1-b
    #[test]
    fn the_client_answers_by_order() {
        for prompts in [["Username:", "Password:"], ["User Name\0", "Password\0"], ["", "?"]] {
            let mut client = LoginInitiator::new("tim", "tanstaaf").unwrap();
            assert!(client.initial_response().unwrap().is_none());
            assert_eq!(client.respond(prompts[0].as_bytes()).unwrap().expose(), b"tim");
            // 235 arrived before the password was sent.
            assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));
            assert_eq!(client.respond(prompts[1].as_bytes()).unwrap().expose(), b"tanstaaf");
            assert_eq!(client.finish(None), Ok(()));
            assert!(client.respond(b"PIN:").is_err());
            assert!(client.finish(None).is_err());
        }
    }

    #[test]
    fn what_cannot_be_a_name_or_password_is_refused() {
        for octets in [&b""[..], b"a\0", b"a\r\nb"] {
            assert!(matches!(
                LoginVerifier::new().step(Some(octets)),
                Step::Failed(VerifierError::Malformed(_))
            ));
            assert!(LoginInitiator::new("a", octets).is_err());
        }
        assert!(matches!(
            LoginVerifier::new().step(Some(b"\xff")),
            Step::Failed(VerifierError::Malformed(_))
        ));
    }

    #[test]
    fn no_password_is_shown() {
        let mut client = LoginInitiator::new("tim", "tanstaaf").unwrap();
        let mut server = LoginVerifier::new();
        let _ = (server.step(Some(b"tim")), server.step(Some(b"tanstaaf")));
        let shown = format!("{client:?} {server:?}");
        let _ = client.respond(b"");
        let shown = format!("{shown} {client:?} {:?}", server.question());
        assert!(!shown.contains("tanstaaf"), "{shown}");
    }
}
