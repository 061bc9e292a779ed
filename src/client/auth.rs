//! AUTH (RFC 4954): the dialogue between the command and its final reply.

use super::{
    commands::Ask,
    error::{AuthError, End, ProtocolError},
    queue::Expected,
    state::{Core, Facts, Phase},
};
use crate::{
    sasl::{Channel, Initiator, InitiatorError, Mechanism, NoCommonMechanism, Secret},
    syntax::{
        AuthResponse, Base64, Code, Command, Extension, Mechanism as Name, RESPONSE_LINE, Reply,
        Verb,
    },
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

/// Octets of the AUTH command, CRLF included (RFC 4954 section 4: the ordinary limit of RFC 5321).
const COMMAND_LINE: usize = 512;
/// More challenges no mechanism has; a server that goes on asking would hold us for ever.
const ROUNDS: usize = 8;

/// One attempt to authenticate.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) mechanism: Mechanism,
    by: By,
    /// What the client says first, while that is not sent.
    first: Option<Secret>,
    /// The initial response that was sent with AUTH, where it may be asked for once more.
    again: Option<Secret>,
    rounds: usize,
    turn: Turn,
}

/// Who answers challenges.
#[derive(Debug)]
enum By {
    Initiator(Box<dyn Initiator>),
    Application,
}

#[derive(Debug)]
enum Turn {
    /// The server's.
    Theirs,
    /// The application has to answer this.
    Challenged(Secret),
    /// This will be sent.
    Respond(Secret),
    /// `*` will be sent.
    Cancel(Cause),
    /// `*` was sent.
    Cancelled(Cause),
}

/// Why an exchange is cancelled.
#[derive(Clone, Debug)]
enum Cause {
    /// The server said no within the mechanism, or the application gives up: the reply to the
    /// cancellation is a refusal like any other.
    Refused,
    /// This is the end of the session.
    End(End),
}

impl Exchange {
    /// By the strongest of these that the server offers and the channel carries.
    pub(super) fn strongest(
        mut initiators: Vec<Box<dyn Initiator>>,
        facts: &Facts,
    ) -> Result<Self, NoCommonMechanism> {
        let (offered, channel) = (facts.mechanisms(), facts.channel());
        let Some(place) = crate::sasl::strongest(&initiators, &offered, &channel) else {
            let is_offered = crate::sasl::strongest(&initiators, &offered, &Channel::tls());
            return Err(match is_offered {
                Some(_) if !channel.hides_secrets() => NoCommonMechanism::NeedsTls,
                _ => NoCommonMechanism::NotOffered,
            });
        };
        Ok(Self::new(By::Initiator(initiators.swap_remove(place)), None))
    }

    /// By the application, step by step.
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
        let exchange = Self::new(By::Application, first);
        Ok(Self { mechanism, ..exchange })
    }

    pub(super) fn by(initiator: Box<dyn Initiator>) -> Self {
        Self::new(By::Initiator(initiator), None)
    }

    fn new(by: By, first: Option<Secret>) -> Self {
        let mechanism = match &by {
            By::Initiator(initiator) => initiator.mechanism(),
            By::Application => Mechanism::EXTERNAL, // the caller's comes in its place
        };
        Self { mechanism, by, first, again: None, rounds: 0, turn: Turn::Theirs }
    }

    /// Whether the application has to answer a challenge.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self.turn, Turn::Challenged(_))
    }

    /// What the server wants to have answered.
    pub(super) fn challenge(&self) -> &[u8] {
        match &self.turn {
            Turn::Challenged(challenge) => challenge.expose(),
            _ => &[],
        }
    }

    pub(super) fn respond(&mut self, response: Secret) {
        self.turn = Turn::Respond(response);
    }

    /// The application gives up; `end`: the session with it.
    pub(super) fn cancel(&mut self, end: Option<End>) {
        self.turn = Turn::Cancel(end.map_or(Cause::Refused, Cause::End));
    }

    /// 334 has come.
    fn challenged(&mut self, reply: &Reply<'_>) {
        self.turn = match self.answer(reply) {
            Ok(turn) => turn,
            Err(AuthError::Initiator(InitiatorError::Refused(_))) => Turn::Cancel(Cause::Refused),
            Err(error) => Turn::Cancel(Cause::End(End::Auth(error))),
        };
    }

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
        // What did not fit the command is what the empty challenge asks for.
        if let Some(first) = self.first.take() {
            return if challenge.is_empty() || is_ignored {
                Ok(Turn::Respond(first))
            } else {
                Err(InitiatorError::UnexpectedChallenge.into())
            };
        }
        match &mut self.by {
            // The server does not know initial responses, and prompts for what it was sent already.
            By::Initiator(initiator) => Ok(Turn::Respond(match self.again.take() {
                Some(again) => again,
                None => initiator.respond(&challenge)?,
            })),
            By::Application => Ok(Turn::Challenged(challenge.into())),
        }
    }
}

impl Facts {
    /// The mechanisms that may be used now: none once AUTH has succeeded (RFC 4954 section 4).
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        if self.authenticated.is_some() || !self.offered.contains(Extension::Auth) {
            return Vec::new();
        }
        let names = self.offered.mechanisms();
        names.filter_map(|name| Mechanism::ignoring_case(name.as_str()).ok()).collect()
    }
}

impl Core {
    /// Sends AUTH.
    pub(super) fn authenticate(&mut self, mut exchange: Exchange) -> Result<(), AuthError> {
        if let By::Initiator(initiator) = &mut exchange.by {
            exchange.first = initiator.initial_response()?;
        }
        let room = COMMAND_LINE - "AUTH  \r\n".len() - exchange.mechanism.as_str().len();
        let initial_response = match exchange.first.take() {
            Some(first) if first.len().div_ceil(3) * 4 <= room => {
                self.channel.guard(first.expose(), exchange.mechanism.is_plaintext());
                let base64 = Base64::encode(first.expose());
                exchange.again = Some(first).filter(|_| exchange.mechanism.ignores_challenges());
                Some(base64)
            }
            first => {
                exchange.first = first;
                None
            }
        };
        // Either type takes the same names.
        if let Ok(mechanism) = Name::new(exchange.mechanism.as_str()) {
            self.channel.say(&Command::Auth { mechanism, initial_response });
        }
        self.queue.push_back(Expected::Auth);
        self.phase = Phase::Auth(exchange);
        Ok(())
    }

    /// Sends the response to a challenge, or the end of the dialogue.
    pub(super) fn respond(&mut self) {
        if !self.may_speak() {
            return;
        }
        let Phase::Auth(exchange) = &mut self.phase else { return };
        exchange.turn = match core::mem::replace(&mut exchange.turn, Turn::Theirs) {
            Turn::Respond(response) if response.len().div_ceil(3) * 4 + 2 > RESPONSE_LINE => {
                self.channel.respond(&AuthResponse::Cancel);
                Turn::Cancelled(Cause::End(End::Auth(AuthError::ResponseTooLong)))
            }
            Turn::Respond(response) => {
                self.channel.guard(response.expose(), exchange.mechanism.is_plaintext());
                let base64 = Base64::encode(response.expose());
                self.channel.respond(&AuthResponse::Response(base64));
                Turn::Theirs
            }
            Turn::Cancel(cause) => {
                self.channel.respond(&AuthResponse::Cancel);
                Turn::Cancelled(cause)
            }
            other => {
                exchange.turn = other;
                return;
            }
        };
        self.queue.push_back(Expected::Auth);
    }

    /// AUTH, or a response, was answered.
    pub(super) fn auth_replied(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>) {
        self.queue.pop_front();
        let Phase::Auth(exchange) = &mut self.phase else { return };
        let is_over = reply.code() == Code::AUTHENTICATED;
        let next = match (&exchange.turn, &mut exchange.by) {
            (Turn::Cancelled(Cause::End(end)), _) => Phase::Asking(Ask::Quit(end.clone())),
            _ if !reply.is_positive() && reply.code() != Code::AUTH_CHALLENGE => Phase::Refused,
            (Turn::Cancelled(Cause::Refused), _) => {
                let to = Some(Verb::Auth);
                return self.over(ProtocolError::UnexpectedReply { to, reply }.into());
            }
            // What the client says first was not even sent.
            _ if is_over && exchange.first.is_some() => {
                Phase::Asking(Ask::Quit(InitiatorError::Incomplete.into()))
            }
            (_, By::Initiator(initiator)) if is_over => match initiator.finish(None) {
                Ok(()) => Phase::Ready,
                // It is not the server that we wanted, or not yet.
                Err(error) => Phase::Asking(Ask::Quit(error.into())),
            },
            (_, By::Application) if is_over => Phase::Ready,
            _ => return exchange.challenged(&reply),
        };
        if matches!(next, Phase::Ready) {
            facts.authenticated = Some(exchange.mechanism);
        }
        self.phase = next;
        facts.last = Some((Verb::Auth, reply));
    }
}

impl From<InitiatorError> for End {
    fn from(error: InitiatorError) -> Self {
        Self::Auth(error.into())
    }
}
