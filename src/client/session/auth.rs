//! AUTH (RFC 4954): sends the lines of an exchange and takes the replies to them.

use super::{Phase, Session};
use crate::{
    channel::Channel,
    client::{
        ask::Ask,
        auth::{AuthOutcome, AuthStep, Authentication},
        error::{AuthError, ProtocolError},
        facts::Facts,
        queue::Expected,
    },
    syntax::{AuthResponse, Base64, Command, Reply, Verb},
};
use alloc::sync::Arc;

/// Sends AUTH, with an initial response where there is one that fits the line.
pub(super) fn begin_exchange(
    authentication: &mut Authentication,
    channel: &mut Channel,
) -> Result<(), AuthError> {
    let first = authentication.initial_response()?;
    let initial_response = first.as_ref().map(|first| {
        channel.hide_response(first.expose(), authentication.mechanism().is_plaintext());
        Base64::encode(first.expose())
    });
    let mechanism = authentication.mechanism();
    channel.command(&Command::Auth { mechanism, initial_response });
    authentication.sent_first(first);
    Ok(())
}

impl Session {
    /// Sends the response to a challenge, or `*`.
    pub(super) fn send_response(&mut self) {
        if !self.may_send() {
            return;
        }
        let Some(authentication) = self.position.authentication() else { return };
        match authentication.next_step() {
            None => return,
            Some(AuthStep::Cancel) => self.channel.response(&AuthResponse::Cancel),
            Some(AuthStep::Respond(response)) => {
                let is_plaintext = authentication.mechanism().is_plaintext();
                self.channel.hide_response(response.expose(), is_plaintext);
                let base64 = Base64::encode(response.expose());
                self.channel.response(&AuthResponse::Response(base64));
            }
        }
        self.work_mut().queue.push_back(Expected::Auth);
    }

    /// Takes the reply to AUTH or to a response.
    pub(super) fn auth_replied(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>) {
        let Some(authentication) = self.position.authentication() else { return };
        let outcome = authentication.replied(&reply);
        facts.token_refused(match outcome {
            AuthOutcome::Refused => authentication.token_error(),
            _ => None,
        });
        let next = match outcome {
            AuthOutcome::Open => return,
            AuthOutcome::Unexpected => {
                let to = Some(Verb::Auth);
                return self.end(ProtocolError::UnexpectedReply { to, reply }.into());
            }
            AuthOutcome::Succeeded => {
                facts.authenticated_by(authentication.mechanism());
                Phase::Ready
            }
            AuthOutcome::Refused => Phase::Refused,
            AuthOutcome::Ended(end) => Phase::asking(Ask::Quit(end)),
        };
        facts.replied(Verb::Auth, reply);
        self.position.enter(next);
    }
}
