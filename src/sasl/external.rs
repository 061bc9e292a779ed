//! EXTERNAL: the client has proven its identity outside SASL, by TLS for example (RFC 4422 appendix
//! A).

use super::{
    CredentialsError, Identity, Initiator, InitiatorError, Malformed, Mechanism, Once, Secret,
    Step, Verifier, VerifierError,
};
use alloc::boxed::Box;

/// Parses the message of EXTERNAL; returns `None` when the client leaves its identity to the
/// server.
///
/// RFC 4422 appendix A.1:
///
/// ```text
/// external-initial-response = authz-id-string
/// authz-id-string = *( UTF8-char-no-nul )
/// ```
///
/// # Errors
/// A NUL, or not UTF-8.
pub fn parse_external(octets: &[u8]) -> Result<Option<&str>, Malformed> {
    let text = core::str::from_utf8(octets).map_err(|_| Malformed::new("not UTF-8"))?;
    if text.contains('\0') {
        return Err(Malformed::new("a NUL in an identity"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The client's side of EXTERNAL.
#[derive(Debug)]
pub struct ExternalInitiator(Once);

impl ExternalInitiator {
    /// Creates an initiator that acts as the identity of the certificate, or as `authzid`.
    ///
    /// # Errors
    /// An identity with a NUL in it.
    pub fn new(authzid: Option<&str>) -> Result<Self, CredentialsError> {
        let authzid = authzid.unwrap_or_default();
        if authzid.contains('\0') {
            return Err(CredentialsError::Forbidden);
        }
        Ok(Self(Once::Ready(authzid.into())))
    }
}

impl Initiator for ExternalInitiator {
    fn mechanism(&self) -> Mechanism {
        Mechanism::EXTERNAL
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

/// The server's side of EXTERNAL: it asks no question, since the identity that the channel has
/// proven is known from the start.
#[derive(Debug)]
pub struct ExternalVerifier {
    proven: Option<Box<str>>,
    is_over: bool,
}

impl ExternalVerifier {
    /// Creates a verifier. `proven` is the identity that the client's certificate (or IPsec, or the
    /// socket) has proven; with `None` every exchange fails.
    #[must_use]
    pub fn new(proven: Option<impl Into<Box<str>>>) -> Self {
        Self { proven: proven.map(Into::into), is_over: false }
    }

    fn read(&mut self, response: &[u8]) -> Result<Step, VerifierError> {
        let authzid = parse_external(response)?;
        let proven = self.proven.take().ok_or(VerifierError::Rejected)?;
        Ok(Step::proved(Identity::new(proven).with_authzid(authzid)))
    }
}

impl Verifier for ExternalVerifier {
    fn mechanism(&self) -> Mechanism {
        Mechanism::EXTERNAL
    }

    fn step(&mut self, response: Option<&[u8]>) -> Step {
        if self.is_over {
            return Step::Failed(VerifierError::OutOfTurn);
        }
        let Some(response) = response else { return Step::Challenge([].into()) };
        self.is_over = true;
        self.read(response).unwrap_or_else(Step::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4422-A-a
    #[test]
    fn the_message_is_an_identity_or_empty() {
        for (authzid, octets) in [(None, &b""[..]), (Some("fred@b.example"), b"fred@b.example")] {
            let mut client = ExternalInitiator::new(authzid).unwrap();
            let message = client.initial_response().unwrap().unwrap();
            assert_eq!(message.expose(), octets);
            assert_eq!(parse_external(octets), Ok(authzid));
            assert_eq!(client.finish(None), Ok(()));
        }
        assert!(ExternalInitiator::new(Some("a\0b")).is_err());
        assert!(parse_external(b"a\0b").is_err() && parse_external(b"\xff").is_err());
    }

    /// 4422-A-b
    #[test]
    fn without_a_certificate_no_identity_is_proven() {
        let mut verifier = ExternalVerifier::new(None::<&str>);
        assert!(matches!(verifier.step(Some(b"fred")), Step::Failed(VerifierError::Rejected)));
        let mut verifier = ExternalVerifier::new(Some("ann"));
        assert!(matches!(verifier.step(None), Step::Challenge(empty) if empty.is_empty()));
        let Step::Proved(proven) = verifier.step(Some(b"fred")) else { panic!() };
        let identity = proven.into_identity();
        assert_eq!((identity.authcid(), identity.authzid()), ("ann", Some("fred")));
        assert!(matches!(verifier.step(Some(b"")), Step::Failed(VerifierError::OutOfTurn)));
        assert!(verifier.question().is_none());
        assert!(matches!(verifier.resume(), Step::Failed(VerifierError::OutOfTurn)));
    }
}
