//! PLAIN: name and password in one message (RFC 4616).

use super::prepare::{Prepare, standard};
use super::question::{Answer, Pending, Question};
use super::{
    CredentialsError, Initiator, InitiatorError, Malformed, Mechanism, Once, Secret, Step,
    Verifier, VerifierError,
};

/// The message of PLAIN.
///
/// RFC 4616 section 2:
///
/// ```text
/// message   = [authzid] UTF8NUL authcid UTF8NUL passwd
/// authcid   = 1*SAFE ; MUST accept up to 255 octets
/// authzid   = 1*SAFE ; MUST accept up to 255 octets
/// passwd    = 1*SAFE ; MUST accept up to 255 octets
/// SAFE      = any UTF-8 encoded Unicode character except NUL
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlainMessage<'a> {
    authzid: Option<&'a str>,
    authcid: &'a str,
    password: &'a str,
}

impl<'a> PlainMessage<'a> {
    /// Creates a message from its parts.
    ///
    /// # Errors
    /// An empty part, and one with a NUL in it.
    pub fn new(
        authzid: Option<&'a str>,
        authcid: &'a str,
        password: &'a str,
    ) -> Result<Self, CredentialsError> {
        for part in authzid.into_iter().chain([authcid, password]) {
            if part.is_empty() {
                return Err(CredentialsError::Empty);
            }
            if part.contains('\0') {
                return Err(CredentialsError::Forbidden);
            }
        }
        Ok(Self { authzid, authcid, password })
    }

    /// Parses a message.
    ///
    /// # Errors
    /// Other than two NULs, no name, no password, or not UTF-8.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let text = core::str::from_utf8(octets).map_err(|_| Malformed::new("not UTF-8"))?;
        let mut parts = text.split('\0');
        let (Some(authzid), Some(authcid), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::new("other than two NULs"));
        };
        let authzid = Some(authzid).filter(|authzid| !authzid.is_empty());
        Self::new(authzid, authcid, password)
            .map_err(|_| Malformed::new("an empty name or password"))
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Secret {
        Secret::concat(&[
            self.authzid.unwrap_or_default().as_bytes(),
            b"\0",
            self.authcid.as_bytes(),
            b"\0",
            self.password.as_bytes(),
        ])
    }

    /// Returns the authorization identity, if the client wants to act as another user.
    #[must_use]
    pub const fn authzid(&self) -> Option<&'a str> {
        self.authzid
    }

    /// Returns the name that belongs to the password.
    #[must_use]
    pub const fn authcid(&self) -> &'a str {
        self.authcid
    }

    /// Returns the password.
    #[must_use]
    pub const fn password(&self) -> &'a str {
        self.password
    }
}

impl core::fmt::Debug for PlainMessage<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PlainMessage")
            .field("authzid", &self.authzid)
            .field("authcid", &self.authcid)
            .finish_non_exhaustive()
    }
}

/// The client's side of PLAIN.
#[derive(Debug)]
pub struct PlainInitiator(Once);

impl PlainInitiator {
    /// Creates an initiator that authenticates as `user`.
    ///
    /// # Errors
    /// An empty name or password, or one with a NUL.
    pub fn new(user: &str, password: &str) -> Result<Self, CredentialsError> {
        Self::with_authzid(None, user, password)
    }

    /// Creates an initiator that authenticates as one user and acts as another.
    ///
    /// # Errors
    /// An empty part, or one with a NUL.
    pub fn with_authzid(
        authzid: Option<&str>,
        user: &str,
        password: &str,
    ) -> Result<Self, CredentialsError> {
        Ok(Self(Once::Ready(PlainMessage::new(authzid, user, password)?.encode())))
    }
}

impl Initiator for PlainInitiator {
    fn mechanism(&self) -> Mechanism {
        Mechanism::PLAIN
    }

    fn initial_response(&mut self) -> Result<Option<Secret>, InitiatorError> {
        self.0.initial_response()
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, InitiatorError> {
        self.0.respond(challenge)
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), InitiatorError> {
        self.0.finish(data)
    }
}

/// The server's side of PLAIN.
#[derive(Debug)]
pub struct PlainVerifier {
    prepare: Prepare,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Asked(Pending),
    Over,
}

impl Default for PlainVerifier {
    fn default() -> Self {
        Self::new()
    }
}

impl PlainVerifier {
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

    fn read(&mut self, response: &[u8]) -> Result<Pending, VerifierError> {
        let message = PlainMessage::parse(response)?;
        Ok(Pending {
            user: (self.prepare)(message.authcid)?.into(),
            authzid: message.authzid.map(Into::into),
            password: Secret::new((self.prepare)(message.password)?.into_owned()),
            answer: Answer::Open,
        })
    }
}

impl Verifier for PlainVerifier {
    fn mechanism(&self) -> Mechanism {
        Mechanism::PLAIN
    }

    fn step(&mut self, response: Option<&[u8]>) -> Step {
        match (core::mem::replace(&mut self.state, State::Over), response) {
            (State::Start, None) => {
                self.state = State::Start;
                Step::Challenge([].into())
            }
            (State::Start, Some(response)) => match self.read(response) {
                Ok(pending) => {
                    self.state = State::Asked(pending);
                    Step::Ask
                }
                Err(error) => Step::Failed(error),
            },
            (State::Asked(_) | State::Over, _) => Step::Failed(VerifierError::OutOfTurn),
        }
    }

    fn question(&mut self) -> Option<Question<'_>> {
        match &mut self.state {
            State::Asked(pending) => Some(pending.question()),
            State::Start | State::Over => None,
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

    /// 4616-2-a, 4616-2-b, 4616-2-c, 4616-2-d, 4616-2-f
    #[test]
    fn messages_are_read_as_the_grammar_says() {
        let longest = "x".repeat(255);
        let whole = format!("{longest}\0{longest}\0{longest}");
        type Parts<'a> = Option<(Option<&'a str>, &'a str, &'a str)>;
        let cases: [(&[u8], Parts<'_>); 12] = [
            // RFC 4616 section 4
            (b"\0tim\0tanstaaftanstaaf", Some((None, "tim", "tanstaaftanstaaf"))),
            (b"Ursel\0Kurt\0xipj3plmq", Some((Some("Ursel"), "Kurt", "xipj3plmq"))),
            (whole.as_bytes(), Some((Some(&longest), &longest, &longest))),
            ("\0\u{fc}\0\u{e4}\n".as_bytes(), Some((None, "\u{fc}", "\u{e4}\n"))),
            (b"", None),
            (b"tim\0pass", None),
            (b"\0\0pass", None),
            (b"\0tim\0", None),
            (b"\0tim\0a\0", None),
            (b"\0tim\0a\0b", None),
            (b"\0t\xffm\0a", None),
            (b"\0tim\0\xc0\x80", None),
        ];
        for (octets, expected) in cases {
            let message = PlainMessage::parse(octets).ok();
            assert_eq!(message.map(|m| (m.authzid, m.authcid, m.password)), expected);
            if let Some(message) = message {
                assert_eq!(message.encode().expose(), octets);
            }
        }
    }

    /// 4422-3.3-a, 4616-2-g
    #[test]
    fn without_an_initial_response_an_empty_challenge_comes_first() {
        let mut verifier = PlainVerifier::new();
        assert!(matches!(verifier.step(None), Step::Challenge(empty) if empty.is_empty()));
        assert!(matches!(verifier.step(Some(b"Ursel\0Kurt\0xipj3plmq")), Step::Ask));
        // The question stays open without an answer.
        let _ = verifier.question();
        assert!(matches!(verifier.resume(), Step::Ask));
        let Some(Question::Password(question)) = verifier.question() else { panic!() };
        assert_eq!((question.user(), question.authzid()), ("Kurt", Some("Ursel")));
        question.accept();
        let Step::Proved(proven) = verifier.resume() else { panic!() };
        assert_eq!(proven.identity().authcid(), "Kurt");
        assert_eq!(proven.identity().authzid(), Some("Ursel"));
        assert!(matches!(verifier.resume(), Step::Failed(VerifierError::OutOfTurn)));
    }

    /// 4422-3.6-a
    #[test]
    fn verdicts_become_errors() {
        for expected in [VerifierError::Rejected, VerifierError::Unavailable] {
            let mut verifier = PlainVerifier::new();
            let _ = verifier.step(Some(b"\0tim\0pass"));
            match expected {
                VerifierError::Unavailable => verifier.question().unwrap().unavailable(),
                _ => verifier.question().unwrap().reject(),
            }
            assert!(matches!(verifier.resume(), Step::Failed(error) if error == expected));
            assert!(verifier.question().is_none());
        }
    }

    /// 4616-2-e
    #[test]
    fn the_preparation_is_asked() {
        fn upper(
            text: &str,
        ) -> Result<alloc::borrow::Cow<'_, str>, super::super::prepare::Unprepared> {
            Ok(text.to_ascii_uppercase().into())
        }
        let mut verifier = PlainVerifier::new().with_preparation(upper);
        let _ = verifier.step(Some(b"\0tim\0pass"));
        let Some(Question::Password(question)) = verifier.question() else { panic!() };
        assert!(question.user() == "TIM" && question.password().matches(b"PASS"));
        let mut verifier = PlainVerifier::new();
        assert!(matches!(
            verifier.step(Some(b"\0tim\0pa\x07ss")),
            Step::Failed(VerifierError::Unprepared(_))
        ));
    }

    #[test]
    fn a_client_speaks_once() {
        let mut client = PlainInitiator::new("tim", "tanstaaf").unwrap();
        // 235 arrived before the client sent its identity.
        assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));
        assert_eq!(client.respond(b"").unwrap().expose(), b"\0tim\0tanstaaf");
        assert_eq!(client.finish(None), Ok(()));
        assert!(client.respond(b"").is_err());
        assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));

        let mut client = PlainInitiator::new("tim", "tanstaaf").unwrap();
        assert!(client.respond(b"password?").is_err());
        assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));

        for (user, password) in [("", "a"), ("a", ""), ("a\0b", "a"), ("a", "\0")] {
            assert!(PlainInitiator::new(user, password).is_err());
        }
    }

    #[test]
    fn no_password_is_shown() {
        let client = PlainInitiator::new("tim", "tanstaaf").unwrap();
        let mut server = PlainVerifier::new();
        let _ = server.step(Some(b"\0tim\0tanstaaf"));
        let message = PlainMessage::parse(b"\0tim\0tanstaaf").unwrap();
        let shown = format!("{client:?} {server:?} {message:?}");
        assert!(!shown.contains("tanstaaf"), "{shown}");
        let shown = format!("{:?}", server.question());
        assert!(shown.contains("tim") && !shown.contains("tanstaaf"), "{shown}");
    }
}
