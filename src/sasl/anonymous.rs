//! ANONYMOUS: a client without an identity, with an optional trace (RFC 4505).

use super::{
    CredentialsError, Identity, Initiator, InitiatorError, Malformed, Mechanism, Once, Secret,
    Step, Verifier, VerifierError,
};
use alloc::boxed::Box;

/// The greatest number of characters of a trace (RFC 4505 section 2), each of one to four octets.
pub const MAX_TRACE: usize = 255;

/// The trace of an anonymous client: for a log, never for a decision.
///
/// RFC 4505 section 2:
///
/// ```text
/// message     = [ email / token ]
///               ;; to be prepared in accordance with Section 3
/// email       = addr-spec
/// token       = 1*255TCHAR
/// TCHAR       = any UTF-8 encoded Unicode character except '@' (U+0040)
/// ```
///
/// Of the preparation in section 3 only the prohibition of control characters is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace<'a> {
    /// An unverified address: the text holds an `@` with something on both sides of it; its form is
    /// not checked any further.
    Email(&'a str),
    /// Any other text.
    Token(&'a str),
}

impl<'a> Trace<'a> {
    /// Parses the message; returns `None` when the client leaves no trace.
    ///
    /// # Errors
    /// More than 255 characters, a control character, an `@` that parts no address, or not UTF-8.
    pub fn parse(octets: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let text = core::str::from_utf8(octets).map_err(|_| Malformed::new("not UTF-8"))?;
        match Self::new(text) {
            Ok(trace) => Ok(Some(trace)),
            Err(CredentialsError::Empty) => Ok(None),
            Err(CredentialsError::TooLong) => Err(Malformed::new("more than 255 characters")),
            Err(CredentialsError::Forbidden)
                if text.contains('@') && !text.chars().any(char::is_control) =>
            {
                Err(Malformed::new("a trace with an @ that is no address"))
            }
            Err(_) => Err(Malformed::new("a control character in a trace")),
        }
    }

    /// Classifies a text as an address or a token.
    ///
    /// # Errors
    /// An empty text, more than 255 characters, a control character, or an `@` that parts no address.
    pub fn new(text: &'a str) -> Result<Self, CredentialsError> {
        if text.is_empty() {
            Err(CredentialsError::Empty)
        } else if text.chars().count() > MAX_TRACE {
            Err(CredentialsError::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(CredentialsError::Forbidden)
        } else {
            match text.rsplit_once('@') {
                None => Ok(Self::Token(text)),
                Some((local, domain)) if is_local_part(local) && !domain.is_empty() => {
                    Ok(Self::Email(text))
                }
                Some(_) => Err(CredentialsError::Forbidden),
            }
        }
    }

    /// Returns the text.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Email(text) | Self::Token(text) => text,
        }
    }
}

/// Returns whether the last `@` of an addr-spec may follow `local`: any earlier `@` must be in
/// quotes (RFC 5322 section 3.4.1).
fn is_local_part(local: &str) -> bool {
    let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    !local.is_empty() && (is_quoted || !local.contains('@'))
}

/// The client's side of ANONYMOUS.
#[derive(Debug)]
pub struct AnonymousInitiator(Once);

impl AnonymousInitiator {
    /// Creates an initiator that leaves `trace`, if there is one. An address needs its owner's
    /// permission (RFC 4505 section 5).
    ///
    /// # Errors
    /// More than 255 characters, a control character, or an `@` that parts no address.
    pub fn new(trace: Option<&str>) -> Result<Self, CredentialsError> {
        let trace = trace.filter(|trace| !trace.is_empty()).map(Trace::new).transpose()?;
        Ok(Self(Once::Ready(trace.map_or("", |trace| trace.as_str()).into())))
    }
}

impl Initiator for AnonymousInitiator {
    fn mechanism(&self) -> Mechanism {
        Mechanism::ANONYMOUS
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

/// The server's side of ANONYMOUS: every well-formed message succeeds.
///
/// The trace that the client left is [`Identity::trace`].
#[derive(Debug, Default)]
pub struct AnonymousVerifier {
    is_over: bool,
}

impl AnonymousVerifier {
    /// Creates a verifier.
    #[must_use]
    pub const fn new() -> Self {
        Self { is_over: false }
    }
}

impl Verifier for AnonymousVerifier {
    fn mechanism(&self) -> Mechanism {
        Mechanism::ANONYMOUS
    }

    fn step(&mut self, response: Option<&[u8]>) -> Step {
        if self.is_over {
            return Step::Failed(VerifierError::OutOfTurn);
        }
        let Some(response) = response else { return Step::Challenge([].into()) };
        self.is_over = true;
        match Trace::parse(response) {
            Ok(trace) => {
                Step::proved(Identity::anonymous(trace.map(|trace| Box::from(trace.as_str()))))
            }
            Err(malformed) => Step::Failed(malformed.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4505-2-a, 4505-2-b
    #[test]
    fn a_trace_is_an_address_or_a_token_of_255_characters() {
        let (longest, too_long) = ("\u{fc}".repeat(255), "t".repeat(256));
        let cases = [
            ("", Ok(None)),
            ("sirhc", Ok(Some(Trace::Token("sirhc")))),
            ("a@example.org", Ok(Some(Trace::Email("a@example.org")))),
            (&longest, Ok(Some(Trace::Token(&longest)))),
            (&too_long, Err(Malformed::new("more than 255 characters"))),
            ("\"a@b\"@c", Ok(Some(Trace::Email("\"a@b\"@c")))),
            ("a@", Err(Malformed::new("a trace with an @ that is no address"))),
            ("@b", Err(Malformed::new("a trace with an @ that is no address"))),
            ("a@b@c", Err(Malformed::new("a trace with an @ that is no address"))),
            ("a\u{7}", Err(Malformed::new("a control character in a trace"))),
        ];
        for (text, expected) in cases {
            assert_eq!(Trace::parse(text.as_bytes()), expected);
            let client = AnonymousInitiator::new(Some(text));
            assert_eq!(client.is_ok(), expected.is_ok());
            if let Ok(mut client) = client {
                let message = client.initial_response().unwrap().unwrap();
                assert_eq!(message.expose(), text.as_bytes());
            }
        }
        assert!(Trace::parse(b"\xff").is_err());
    }

    /// 4505-2-c
    #[test]
    fn a_trace_is_not_an_identity() {
        let mut verifier = AnonymousVerifier::new();
        assert!(matches!(verifier.step(None), Step::Challenge(empty) if empty.is_empty()));
        let Step::Proved(proven) = verifier.step(Some(b"root")) else { panic!() };
        let identity = proven.into_identity();
        assert!(identity.is_anonymous());
        assert_eq!((identity.authcid(), identity.authzid()), ("", None));
        assert_eq!(identity.acts_as(), "", "what an application asks before it permits anything");
        assert_eq!(identity.trace(), Some("root"));
        assert!(matches!(verifier.step(Some(b"")), Step::Failed(VerifierError::OutOfTurn)));
    }
}
