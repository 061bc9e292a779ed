//! The exchange of AUTH (RFC 4954), between the command and its final reply.

use super::{
    error::{AuthError, End},
    facts::Facts,
};
use crate::{
    sasl::{self, Initiator, InitiatorError, Mechanism, NoCommonMechanism, Secret},
    syntax::{AuthResponse, Base64, Code, Reply},
};
use alloc::{boxed::Box, string::String, vec::Vec};

/// Octets of the AUTH command, CRLF included (RFC 4954 section 4: the ordinary limit of RFC 5321).
const COMMAND_LINE: usize = 512;
/// The most challenges of an exchange. No mechanism has more, and a server must not go on without end.
const ROUNDS: usize = 8;

/// One attempt to authenticate.
#[derive(Debug)]
pub(super) struct Authentication {
    mechanism: Mechanism,
    by: By,
    /// The initial response, while it is not sent.
    first: Option<Secret>,
    /// The initial response that was sent with AUTH, where it may be asked for again.
    again: Option<Secret>,
    rounds: usize,
    turn: Turn,
}

/// The side that answers challenges.
#[derive(Debug)]
enum By {
    Initiator(Box<dyn Initiator>),
    Application,
}

/// The next move of an exchange.
#[derive(Debug)]
enum Turn {
    /// The server replies.
    Server,
    /// The application answers this challenge.
    Challenged(Secret),
    /// The client sends this response.
    Respond(Secret),
    /// The client sends `*`.
    Cancel(Cause),
    /// The client has sent `*`, and the server replies.
    Cancelled(Cause),
}

/// The reason for which an exchange is cancelled.
#[derive(Clone, Debug)]
enum Cause {
    /// The server rejected the credentials within the mechanism, or the application gives up: the
    /// reply to `*` is a negative reply like any other.
    Refused,
    /// The session ends with the exchange.
    End(End),
}

/// A line that the client sends.
#[derive(Debug)]
pub(super) enum AuthStep {
    Respond(Secret),
    /// `*`
    Cancel,
}

/// The outcome of an exchange after a reply.
#[derive(Debug)]
pub(super) enum AuthOutcome {
    /// The exchange goes on.
    Open,
    Succeeded,
    /// The server has rejected the credentials, or the cancelled exchange.
    Refused,
    /// The exchange has failed, and the session ends with QUIT.
    Ended(End),
    /// The reply does not belong to the exchange.
    Unexpected,
}

impl Authentication {
    /// Returns an exchange with the strongest of these mechanisms that the server offers and the channel
    /// allows.
    pub(super) fn strongest(
        mut initiators: Vec<Box<dyn Initiator>>,
        facts: &Facts,
    ) -> Result<Self, NoCommonMechanism> {
        let (offered, channel) = (facts.mechanisms(), facts.channel());
        let Some(place) = sasl::strongest(&initiators, &offered, &channel) else {
            let is_offered = sasl::strongest(&initiators, &offered, &sasl::Channel::tls());
            return Err(match is_offered {
                Some(_) if !channel.hides_secrets() => NoCommonMechanism::NeedsTls,
                _ => NoCommonMechanism::NotOffered,
            });
        };
        Ok(Self::by(initiators.swap_remove(place)))
    }

    /// Returns an exchange in which the application answers each challenge.
    pub(super) fn by_steps(
        mechanism: Mechanism,
        first: Option<Secret>,
        facts: &Facts,
    ) -> Result<Self, NoCommonMechanism> {
        if !facts.mechanisms().contains(&mechanism) {
            return Err(NoCommonMechanism::NotOffered);
        }
        if mechanism.is_plaintext() && !facts.channel().hides_secrets() {
            return Err(NoCommonMechanism::NeedsTls);
        }
        Ok(Self::new(mechanism, By::Application, first))
    }

    /// Returns an exchange of this initiator.
    pub(super) fn by(initiator: Box<dyn Initiator>) -> Self {
        Self::new(initiator.mechanism(), By::Initiator(initiator), None)
    }

    const fn new(mechanism: Mechanism, by: By, first: Option<Secret>) -> Self {
        Self { mechanism, by, first, again: None, rounds: 0, turn: Turn::Server }
    }

    pub(super) const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Returns whether the application has to answer a challenge.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self.turn, Turn::Challenged(_))
    }

    /// Returns the challenge that the application has to answer.
    pub(super) fn challenge(&self) -> &[u8] {
        match &self.turn {
            Turn::Challenged(challenge) => challenge.expose(),
            _ => &[],
        }
    }

    pub(super) fn respond(&mut self, response: Secret) {
        self.turn = Turn::Respond(response);
    }

    /// Gives the exchange up, and the session with it where there is an `end`.
    pub(super) fn cancel(&mut self, end: Option<End>) {
        self.turn = Turn::Cancel(end.map_or(Cause::Refused, Cause::End));
    }

    /// Takes a challenge (334).
    fn challenged(&mut self, reply: &Reply<'_>) {
        self.turn = match self.answer(reply) {
            Ok(turn) => turn,
            Err(AuthError::Initiator(InitiatorError::Refused(_))) => Turn::Cancel(Cause::Refused),
            Err(error) => Turn::Cancel(Cause::End(End::Auth(error))),
        };
    }

    /// Returns the answer to a challenge.
    fn answer(&mut self, reply: &Reply<'_>) -> Result<Turn, AuthError> {
        self.rounds += 1;
        if self.rounds > ROUNDS {
            return Err(AuthError::TooManyChallenges);
        }
        let is_ignored = self.mechanism.ignores_challenges();
        // One line, with base64 and nothing else after the code.
        let mut lines = reply.lines();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(AuthError::Base64);
        };
        let base64 = core::str::from_utf8(line).ok().and_then(|text| Base64::parse(text).ok());
        let challenge = match base64 {
            Some(base64) => base64.decoded(),
            None if is_ignored => line.to_vec(),
            None => return Err(AuthError::Base64),
        };
        // The empty challenge asks for the initial response that did not fit the command line.
        if let Some(first) = self.first.take() {
            return if challenge.is_empty() || is_ignored {
                Ok(Turn::Respond(first))
            } else {
                Err(InitiatorError::UnexpectedChallenge.into())
            };
        }
        match &mut self.by {
            // The server ignores initial responses, and prompts for the one that it has received.
            By::Initiator(initiator) => Ok(Turn::Respond(match self.again.take() {
                Some(again) => again,
                None => initiator.respond(&challenge)?,
            })),
            By::Application => Ok(Turn::Challenged(challenge.into())),
        }
    }

    /// Returns the initial response that goes with AUTH; one that does not fit the command line waits
    /// for the empty challenge.
    pub(super) fn initial_response(&mut self) -> Result<Option<Secret>, AuthError> {
        if let By::Initiator(initiator) = &mut self.by {
            self.first = initiator.initial_response()?;
        }
        let room = COMMAND_LINE - "AUTH  \r\n".len() - self.mechanism.as_str().len();
        let fits = |first: &mut Secret| first.len().div_ceil(3) * 4 <= room;
        Ok(self.first.take_if(fits))
    }

    /// Notes the initial response that was sent with AUTH.
    pub(super) fn sent_first(&mut self, first: Option<Secret>) {
        self.again = first.filter(|_| self.mechanism.ignores_challenges());
    }

    /// Returns the reason for which a token was rejected (RFC 7628 section 3.2.2).
    pub(super) fn token_error(&self) -> Option<Box<str>> {
        match &self.by {
            By::Initiator(initiator) => {
                let json = initiator.refusal().filter(|json| !json.is_empty())?;
                Some(String::from_utf8_lossy(json).into())
            }
            By::Application => None,
        }
    }

    /// Takes the line that the client has to send now.
    pub(super) fn next_step(&mut self) -> Option<AuthStep> {
        match core::mem::replace(&mut self.turn, Turn::Server) {
            Turn::Respond(response)
                if response.len().div_ceil(3) * 4 + "\r\n".len() > AuthResponse::MAX_OCTETS =>
            {
                self.turn = Turn::Cancelled(Cause::End(End::Auth(AuthError::ResponseTooLong)));
                Some(AuthStep::Cancel)
            }
            Turn::Respond(response) => Some(AuthStep::Respond(response)),
            Turn::Cancel(cause) => {
                self.turn = Turn::Cancelled(cause);
                Some(AuthStep::Cancel)
            }
            other => {
                self.turn = other;
                None
            }
        }
    }

    /// Takes the reply to AUTH or to a response.
    pub(super) fn replied(&mut self, reply: &Reply<'_>) -> AuthOutcome {
        let is_over = reply.code() == Code::AUTHENTICATED;
        match (&self.turn, &mut self.by) {
            (Turn::Cancelled(Cause::End(end)), _) => AuthOutcome::Ended(end.clone()),
            _ if !reply.is_positive() && reply.code() != Code::AUTH_CHALLENGE => {
                AuthOutcome::Refused
            }
            (Turn::Cancelled(Cause::Refused), _) => AuthOutcome::Unexpected,
            // The server has not even seen the initial response.
            _ if is_over && self.first.is_some() => {
                AuthOutcome::Ended(InitiatorError::Incomplete.into())
            }
            (_, By::Initiator(initiator)) if is_over => match initiator.finish(None) {
                Ok(()) => AuthOutcome::Succeeded,
                // The server has not proven itself.
                Err(error) => AuthOutcome::Ended(error.into()),
            },
            (_, By::Application) if is_over => AuthOutcome::Succeeded,
            _ => {
                self.challenged(reply);
                AuthOutcome::Open
            }
        }
    }
}

impl From<InitiatorError> for End {
    fn from(error: InitiatorError) -> Self {
        Self::Auth(error.into())
    }
}
