//! AUTH (RFC 4954): the dialogue between the command and 235.
//!
//! The machine drives the mechanism and asks what it cannot know: [`Auth`](super::Auth) takes a
//! verifier, [`Credentials`](super::Credentials) asks what is stored for a user or for a verdict
//! on a password or token, and [`Authenticated`](super::Authenticated) whether this identity
//! may.

use super::{
    answers::worded,
    budget::Fault,
    event::Answer,
    replies,
    session::Session,
    state::{Phase, Question},
};
use crate::{
    sasl::{Identity, Mechanism, Proven, Reason, Secret, Step, Verifier},
    syntax::{AuthResponse, Base64, Code, Rejection, Reply, SyntaxErrorKind, Text},
    time::{Instant, Stopwatch},
};
use alloc::boxed::Box;

/// An attempt that the application is asked about.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) mechanism: Mechanism,
    /// What came with the command; empty is another thing than none.
    pub(super) initial_response: Option<Secret>,
}

/// A response of the client is awaited.
#[derive(Debug)]
pub(super) enum Dialogue {
    /// To a challenge of the mechanism.
    Challenged(Box<dyn Verifier>),
    /// To the data of the server's success: it must be empty (RFC 4954 section 4). Then this is
    /// said.
    Told(Identity, Reply<'static>),
}

impl Session {
    /// AUTH, at its time.
    pub(super) fn auth(&mut self, name: &str, initial_response: Option<&Base64<'_>>) {
        let channel = self.facts.security.channel();
        let proven = self.facts.proven.as_deref();
        let mechanism = Mechanism::ignoring_case(name).ok();
        let offer = self.config.auth();
        let is_offered = |it: &Mechanism| {
            offer.is_some_and(|offer| offer.announced(&channel, proven).any(|of| of == *it))
        };
        match mechanism {
            Some(mechanism) if is_offered(&mechanism) => {
                let initial_response = initial_response.map(|it| Secret::new(it.decoded()));
                self.ask(Question::Auth(Attempt { mechanism, initial_response }));
            }
            // "Only if the client could use it in TLS" is what this says; RFC 4954 section 6.
            Some(mechanism)
                if !channel.is_tls()
                    && mechanism.is_plaintext()
                    && offer.is_some_and(|offer| offer.knows(mechanism)) =>
            {
                self.refuse(replies::ENCRYPTION_REQUIRED.reply(), Fault::Error);
            }
            _ => self.refuse(replies::MECHANISM_UNKNOWN.reply(), Fault::Error),
        }
    }

    /// The application has chosen a verifier.
    pub(super) fn verify(&mut self, attempt: &Attempt, mut verifier: Box<dyn Verifier>) {
        let response = attempt.initial_response.as_ref().map(Secret::expose);
        let step = verifier.step(response);
        self.take_step(verifier, step);
    }

    /// The application has answered what the verifier could not know, or has not yet.
    pub(super) fn resume(&mut self, mut verifier: Box<dyn Verifier>) {
        match verifier.resume() {
            // Still the same question.
            Step::Ask => self.phase = Phase::Asked(Question::Credentials(verifier)),
            step => self.take_step(verifier, step),
        }
    }

    fn take_step(&mut self, verifier: Box<dyn Verifier>, step: Step) {
        match step {
            Step::Challenge(challenge) => {
                self.challenge(&challenge, Dialogue::Challenged(verifier));
            }
            Step::Ask => self.ask(Question::Credentials(verifier)),
            Step::Proved(proven) => self.ask(Question::Authenticated(proven)),
            Step::Failed(error) => match error.reason() {
                Reason::Syntax => self.refuse_auth(&replies::MALFORMED_RESPONSE),
                Reason::InitialResponse => self.refuse_auth(&replies::NO_INITIAL_RESPONSE),
                Reason::Temporary => self.fail_auth(&replies::CANNOT_AUTHENTICATE_NOW),
                Reason::Credentials => self.fail_auth(&replies::BAD_CREDENTIALS),
            },
        }
    }

    /// 334 with nothing but base64 behind it (RFC 4954 section 4).
    fn challenge(&mut self, octets: &[u8], dialogue: Dialogue) {
        if self.is_followed && self.is_out_of_turn() {
            return;
        }
        let challenge = Base64::encode(octets);
        self.reply(&Reply::line(Code::AUTH_CHALLENGE, None, Text::lossy(challenge.as_str())));
        self.phase = Phase::Auth(dialogue);
    }

    /// One line of the client's in the dialogue, without its CRLF.
    /// `is_last`: no octets have come behind it.
    pub(super) fn auth_response(&mut self, line: &[u8], is_last: bool, now: Instant) {
        self.heard_response(Some(line), now);
        self.is_followed = !is_last;
        let Phase::Auth(dialogue) = core::mem::replace(&mut self.phase, Phase::Command) else {
            return;
        };
        let response = match AuthResponse::parse(line) {
            Ok(AuthResponse::Response(response)) => Secret::new(response.decoded()),
            Ok(AuthResponse::Cancel) => return self.refuse_auth(&replies::AUTH_CANCELLED),
            Err(error) if error.kind() == SyntaxErrorKind::Base64 => {
                return self.refuse_auth(&replies::NOT_BASE64);
            }
            Err(error) => return self.refuse_auth(&replies::syntax(error)),
        };
        match dialogue {
            Dialogue::Challenged(mut verifier) => {
                let step = verifier.step(Some(response.expose()));
                self.take_step(verifier, step);
            }
            Dialogue::Told(identity, reply) if response.is_empty() => {
                self.succeed(identity, &reply);
            }
            Dialogue::Told(..) => self.refuse_auth(&replies::MALFORMED_RESPONSE),
        }
    }

    /// A line of the dialogue that was longer than RFC 4954 section 4 suggests, and is gone.
    pub(super) fn auth_response_too_long(&mut self, now: Instant) {
        self.heard_response(None, now);
        self.phase = Phase::Command;
        self.refuse_auth(&replies::RESPONSE_TOO_LONG);
    }

    fn heard_response(&mut self, line: Option<&[u8]>, now: Instant) {
        self.reading = Stopwatch::default();
        self.output.now = now;
        self.output.note_response(line);
    }

    /// The application has judged the identity; only then does the server prove itself, where
    /// the mechanism wants it (RFC 5802 section 5).
    pub(super) fn authenticated(&mut self, proven: Proven, answer: Answer) {
        if let Answer::Reject(rejection) = answer {
            return self.fail_auth(&rejection);
        }
        let reply = worded(replies::AUTHENTICATED, answer);
        match proven.success_data() {
            Some(data) => {
                let data = data.to_vec();
                self.challenge(&data, Dialogue::Told(proven.into_identity(), reply));
            }
            None => self.succeed(proven.into_identity(), &reply),
        }
    }

    fn succeed(&mut self, identity: Identity, reply: &Reply<'_>) {
        self.facts.identity = Some(identity);
        self.reply(reply);
    }

    /// Refuses an attempt that the client itself has spoilt.
    fn refuse_auth(&mut self, rejection: &Rejection) {
        self.refuse(rejection.reply(), Fault::FailedAuth);
    }

    /// Ends an attempt without success: the client waits for the reply, so that guessing takes time.
    /// That the verdict could not be found now is no failure of the client's.
    pub(super) fn fail_auth(&mut self, rejection: &Rejection) {
        let fault = match rejection.code().is_transient() {
            true => Fault::UndecidedAuth,
            false => Fault::FailedAuth,
        };
        self.charge(rejection.reply(), fault);
    }
}
