//! AUTH (RFC 4954): one attempt to authenticate, between the command and its final reply.
//!
//! [`Authentication`] drives the verifier of a mechanism. It takes what the client and the
//! application send and returns the step that follows; it knows neither the session nor its phase.

use super::{acceptance::Accepted, replies};
use crate::{
    sasl::{Identity, Mechanism, Proven, Question, Reason, Secret, Step, Verifier},
    syntax::{AuthResponse, Rejection, Reply, SyntaxErrorKind},
};
use alloc::{boxed::Box, vec::Vec};
use core::mem;

/// One attempt to authenticate.
#[derive(Debug)]
pub(super) struct Authentication {
    mechanism: Mechanism,
    /// The application has answered a question of the verifier, and the exchange went on.
    is_vouched_for: bool,
    state: State,
}

/// The progress of an attempt.
#[derive(Debug)]
enum State {
    /// The client has chosen a mechanism, perhaps with an initial response. An empty response
    /// differs from an absent one.
    Chosen(Option<Secret>),
    /// The verifier waits for a response of the client or for an answer of the application.
    Verifying(Box<dyn Verifier>),
    /// The identity is proven, and the application judges it.
    Proven(Proven),
    /// The data of the server's success were sent as a challenge, whose response must be empty (RFC
    /// 4954 section 4). The reply follows it.
    Succeeding(Identity, Reply<'static>),
    /// The attempt is over.
    Over,
}

/// The next step of an attempt.
#[derive(Debug)]
pub(super) enum AuthStep {
    /// 334 with these octets; a response of the client follows.
    Challenge(Vec<u8>),
    /// The application has to answer the verifier's question.
    Ask,
    /// The verifier's question is not answered yet.
    Later,
    /// The application has to judge the identity.
    Judge,
    /// The client is authenticated.
    Succeeded(Identity, Reply<'static>),
    /// The credentials were not accepted, or could not be checked now.
    Failed(Rejection),
    /// The client broke a rule of the exchange, or cancelled it.
    Malformed(Rejection),
}

impl Authentication {
    /// Returns an attempt with this mechanism.
    pub(super) const fn new(mechanism: Mechanism, initial_response: Option<Secret>) -> Self {
        Self { mechanism, is_vouched_for: false, state: State::Chosen(initial_response) }
    }

    /// Returns the mechanism that the client has chosen.
    pub(super) const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Returns the question of the verifier.
    pub(super) fn question(&mut self) -> Option<Question<'_>> {
        match &mut self.state {
            State::Verifying(verifier) => verifier.question(),
            _ => None,
        }
    }

    /// Returns the identity that the application judges.
    pub(super) const fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::Proven(proven) => Some(proven.identity()),
            _ => None,
        }
    }

    /// Returns whether the application has answered for the identity in this attempt, by a positive
    /// answer to the question of the verifier. EXTERNAL and ANONYMOUS have no such question.
    pub(super) fn is_vouched_for(&self) -> bool {
        let has_no_question = [Mechanism::EXTERNAL, Mechanism::ANONYMOUS];
        self.is_vouched_for && !has_no_question.contains(&self.mechanism)
    }

    /// Begins with the verifier that the application has chosen.
    pub(super) fn verify(&mut self, mut verifier: Box<dyn Verifier>) -> AuthStep {
        let response = match mem::replace(&mut self.state, State::Over) {
            State::Chosen(response) => response,
            _ => None,
        };
        let step = verifier.step(response.as_ref().map(Secret::expose));
        self.follow(verifier, step)
    }

    /// Continues after the application may have answered the verifier's question.
    pub(super) fn resume(&mut self) -> AuthStep {
        match mem::replace(&mut self.state, State::Over) {
            State::Verifying(mut verifier) => match verifier.resume() {
                Step::Ask => {
                    self.state = State::Verifying(verifier);
                    AuthStep::Later
                }
                step => {
                    self.is_vouched_for = !matches!(step, Step::Failed(_));
                    self.follow(verifier, step)
                }
            },
            _ => AuthStep::Failed(replies::BAD_CREDENTIALS),
        }
    }

    /// Continues with a line of the client's, without its CRLF.
    pub(super) fn response(&mut self, line: &[u8]) -> AuthStep {
        let response = match AuthResponse::parse(line) {
            Ok(AuthResponse::Response(response)) => Secret::new(response.decoded()),
            Ok(AuthResponse::Cancel) => return AuthStep::Malformed(replies::AUTH_CANCELLED),
            Err(error) if error.kind() == SyntaxErrorKind::Base64 => {
                return AuthStep::Malformed(replies::NOT_BASE64);
            }
            Err(error) => return AuthStep::Malformed(replies::syntax(error)),
        };
        match mem::replace(&mut self.state, State::Over) {
            State::Verifying(mut verifier) => {
                let step = verifier.step(Some(response.expose()));
                self.follow(verifier, step)
            }
            State::Succeeding(identity, reply) if response.is_empty() => {
                AuthStep::Succeeded(identity, reply)
            }
            _ => AuthStep::Malformed(replies::MALFORMED_RESPONSE),
        }
    }

    /// Continues after the application has accepted the identity. Only now does the server prove
    /// itself, where the mechanism demands it (RFC 5802 section 5).
    pub(super) fn accept(&mut self, accepted: Accepted) -> AuthStep {
        let State::Proven(proven) = mem::replace(&mut self.state, State::Over) else {
            return AuthStep::Failed(replies::BAD_CREDENTIALS);
        };
        let reply = accepted.into_reply(replies::AUTHENTICATED);
        match proven.success_data().map(<[u8]>::to_vec) {
            Some(data) => {
                self.state = State::Succeeding(proven.into_identity(), reply);
                AuthStep::Challenge(data)
            }
            None => AuthStep::Succeeded(proven.into_identity(), reply),
        }
    }

    fn follow(&mut self, verifier: Box<dyn Verifier>, step: Step) -> AuthStep {
        match step {
            Step::Challenge(challenge) => {
                self.state = State::Verifying(verifier);
                AuthStep::Challenge(challenge)
            }
            Step::Ask => {
                self.state = State::Verifying(verifier);
                AuthStep::Ask
            }
            Step::Proved(proven) => {
                self.state = State::Proven(proven);
                AuthStep::Judge
            }
            Step::Failed(error) => match error.reason() {
                Reason::Syntax => AuthStep::Malformed(replies::MALFORMED_RESPONSE),
                Reason::InitialResponse => AuthStep::Malformed(replies::NO_INITIAL_RESPONSE),
                Reason::Temporary => AuthStep::Failed(replies::CANNOT_AUTHENTICATE_NOW),
                Reason::Credentials => AuthStep::Failed(replies::BAD_CREDENTIALS),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::PlainVerifier;

    /// Returns an attempt with PLAIN whose client has sent a user name and a password.
    fn asked() -> Authentication {
        let mut attempt = Authentication::new(Mechanism::PLAIN, None);
        let step = attempt.verify(Box::new(PlainVerifier::new()));
        assert!(matches!(step, AuthStep::Challenge(octets) if octets.is_empty()));
        assert!(matches!(attempt.response(b"AGFubgBzZWNyZXQ="), AuthStep::Ask));
        attempt
    }

    fn code(step: &AuthStep) -> u16 {
        match step {
            AuthStep::Failed(rejection) | AuthStep::Malformed(rejection) => rejection.code().get(),
            AuthStep::Succeeded(_, reply) => reply.code().get(),
            _ => 0,
        }
    }

    #[test]
    fn an_attempt_succeeds_after_both_answers_of_the_application() {
        let mut attempt = asked();
        assert!(matches!(attempt.resume(), AuthStep::Later));
        let Some(Question::Password(question)) = attempt.question() else { unreachable!() };
        question.accept();
        assert!(matches!(attempt.resume(), AuthStep::Judge));
        assert_eq!(attempt.identity().map(Identity::authcid), Some("ann"));
        assert_eq!(code(&attempt.accept(Accepted::Default)), 235);
        // It is over: nothing that comes after it can succeed.
        assert_eq!(code(&attempt.accept(Accepted::Default)), 535);
        assert_eq!(code(&attempt.response(b"")), 501);
    }

    #[test]
    fn an_attempt_fails_by_a_rejection_and_by_a_malformed_line() {
        let mut attempt = asked();
        attempt.question().into_iter().for_each(Question::reject);
        assert_eq!(code(&attempt.resume()), 535);
        for line in [&b"*"[..], b"no base64!", b"AAAA"] {
            let mut attempt = Authentication::new(Mechanism::PLAIN, None);
            drop(attempt.verify(Box::new(PlainVerifier::new())));
            assert!(matches!(attempt.response(line), AuthStep::Malformed(_)), "{line:?}");
        }
    }
}
