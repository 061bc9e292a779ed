//! AUTH (RFC 4954): the session acts on the steps of an attempt.

use super::{Phase, Question, Session};
use crate::{
    sasl::{Mechanism, Nonce, Secret, Verifier},
    server::{
        acceptance::Accepted,
        auth::{AuthStep, Authentication},
        budget::Fault,
        event::AuthAnswer,
        replies,
        token::{Answer, Asked, Rejected},
    },
    syntax::{Base64, Code, Rejection, Reply, Text},
};
use alloc::boxed::Box;

impl Session {
    /// Begins an attempt, if the mechanism is offered to this client now.
    pub(super) fn auth(&mut self, mechanism: Mechanism, initial_response: Option<&Base64<'_>>) {
        let channel = self.facts.security.channel();
        let proven = self.facts.proven();
        let offer = self.config.auth();
        let is_offered = |it: &Mechanism| {
            offer.is_some_and(|offer| offer.announced(&channel, proven).any(|of| of == *it))
        };
        if is_offered(&mechanism) {
            let initial_response = initial_response.map(|it| Secret::new(it.decoded()));
            let attempt = Box::new(Authentication::new(mechanism, initial_response));
            return self.ask(Question::Auth(Asked::new(attempt)));
        }
        // The mechanism would be offered in TLS (RFC 4954 section 6).
        let needs_tls = !channel.is_tls()
            && mechanism.is_plaintext()
            && offer.is_some_and(|offer| offer.knows(mechanism));
        match needs_tls {
            true => self.refuse(&replies::ENCRYPTION_REQUIRED, Fault::Error),
            false => self.refuse(&replies::MECHANISM_UNKNOWN, Fault::Error),
        }
    }

    pub(super) fn on_auth(&mut self, mut attempt: Box<Authentication>, answer: Answer<AuthAnswer>) {
        let step = match answer {
            Ok(AuthAnswer::Verifier(verifier)) => attempt.verify(verifier),
            Ok(AuthAnswer::Offered(nonce)) => match self.verifier(attempt.mechanism(), nonce) {
                Some(verifier) => attempt.verify(verifier),
                // There is no nonce.
                None => {
                    return self.refuse(&replies::CANNOT_AUTHENTICATE_NOW, Fault::UndecidedAuth);
                }
            },
            Err(rejected) => return self.reject_auth(&rejected),
        };
        self.follow(attempt, step);
    }

    /// Returns the verifier that the configuration has for this mechanism.
    fn verifier(&self, mechanism: Mechanism, nonce: Option<Nonce>) -> Option<Box<dyn Verifier>> {
        // The time makes the challenge of CRAM-MD5 longer; its nonce alone is unique (RFC 2195
        // section 2).
        let seconds = self.channel.now().elapsed().as_secs();
        let offer = self.config.auth()?;
        let (channel, proven) = (self.facts.security.channel(), self.facts.proven());
        offer.verifier_with(mechanism, &channel, proven, nonce, seconds)
    }

    /// Continues after the application may have answered the question of the verifier.
    pub(super) fn on_credentials(&mut self, mut attempt: Box<Authentication>) {
        let step = attempt.resume();
        self.follow(attempt, step);
    }

    pub(super) fn on_authenticated(
        &mut self,
        mut attempt: Box<Authentication>,
        answer: Answer<Accepted>,
    ) {
        let step = match answer {
            Ok(accepted) => attempt.accept(accepted),
            Err(rejected) => return self.reject_auth(&rejected),
        };
        self.follow(attempt, step);
    }

    /// Receives one line of the exchange, without its CRLF. `is_last` says that no octets have come
    /// after it.
    pub(super) fn auth_response(&mut self, line: &[u8], is_last: bool) {
        self.response_received(Some(line));
        self.has_pipelined_input = !is_last;
        if let Phase::Response(mut attempt) = self.take_phase() {
            let step = attempt.response(line);
            self.follow(attempt, step);
        }
        self.settle_phase();
    }

    /// Refuses a line of the exchange that was longer than RFC 4954 section 4 suggests, and that was
    /// discarded.
    pub(super) fn auth_response_too_long(&mut self) {
        self.response_received(None);
        self.take_phase();
        self.refuse(&replies::RESPONSE_TOO_LONG, Fault::MalformedAuth);
        self.settle_phase();
    }

    fn response_received(&mut self, line: Option<&[u8]>) {
        self.channel.end_reading();
        self.channel.note_response(line);
    }

    /// Acts on a step of an attempt.
    fn follow(&mut self, attempt: Box<Authentication>, step: AuthStep) {
        match step {
            AuthStep::Challenge(octets) => self.challenge(attempt, &octets),
            AuthStep::Ask => self.ask(Question::Credentials(attempt)),
            // The question stays, and so does its number.
            AuthStep::Later => self.enter(Phase::Asked(Question::Credentials(attempt))),
            AuthStep::Judge => self.ask(Question::Authenticated(Asked::new(attempt))),
            AuthStep::Succeeded(identity, reply) => {
                self.facts.more_mut().identity = Some(identity);
                self.say(&reply);
            }
            AuthStep::Failed(rejection) => self.refuse(&rejection, failure(&rejection)),
            AuthStep::Malformed(rejection) => self.refuse(&rejection, Fault::MalformedAuth),
        }
    }

    /// Sends 334, with nothing but base64 after it (RFC 4954 section 4).
    fn challenge(&mut self, attempt: Box<Authentication>, octets: &[u8]) {
        if self.has_pipelined_input && self.is_pipelining_violation() {
            return;
        }
        let challenge = Base64::encode(octets);
        self.say(&Reply::line(Code::AUTH_CHALLENGE, None, Text::lossy(challenge.as_str())));
        self.enter(Phase::Response(attempt));
    }

    fn reject_auth(&mut self, rejected: &Rejected) {
        let rejection = &*rejected.rejection;
        self.refuse(rejection, rejected.fault(failure(rejection)));
    }
}

/// Returns the fault of an attempt without success. The client waits for the reply, so that guessing
/// takes time. A verdict that is not available now is not the client's failure.
fn failure(rejection: &Rejection) -> Fault {
    match rejection.code().is_transient() {
        true => Fault::UndecidedAuth,
        false => Fault::FailedAuth,
    }
}
