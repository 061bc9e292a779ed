//! How a session ends: by the connection, by the server, and by clients that do not keep the rules.

use super::{Aborted, Phase, Question, Session, Then};
use crate::{
    machine::Closed,
    security::TlsFailure,
    server::{
        budget::Fault,
        end::{AbortReason, End},
        replies,
    },
    syntax::Reply,
    time::Instant,
    transcript::{Entry, Side},
};

impl Session {
    /// Lets content and delivery finish, and then ends.
    pub(in crate::server) const fn shut_down(&mut self) {
        self.is_stopping = true;
    }

    /// Ends the session with the next poll.
    pub(in crate::server) const fn stop(&mut self) {
        self.is_closing = true;
    }

    /// Ends the session with the next poll, as the application has failed.
    pub(in crate::server) const fn fail(&mut self) {
        self.is_closing = true;
        self.has_failed = true;
    }

    /// Returns whether the session was told to end.
    pub(in crate::server) const fn is_told_to_end(&self) -> bool {
        self.is_stopping || self.is_closing
    }

    /// Notes that the peer will send nothing more.
    pub(in crate::server) fn closed(&mut self, how: Closed) {
        if self.channel.is_open() && !matches!(self.phase, Phase::Closed(_)) {
            self.channel.log(Entry::Closed { from: Side::Client });
        }
        self.channel.closed(how);
    }

    /// Notes that TLS has failed after its handshake.
    pub(in crate::server) fn tls_failed(&mut self, why: TlsFailure) {
        self.closed(Closed::CutOff);
        self.channel.tls_failed(why);
    }

    /// Ends the session because the TLS handshake failed.
    pub(in crate::server) fn upgrade_failed(&mut self, end: End) {
        self.channel.closed(Closed::CutOff);
        let end = if self.is_told_to_end() { self.ordered_end() } else { end };
        self.close(end);
    }

    /// Returns why a session is over that was told to end.
    const fn ordered_end(&self) -> End {
        if self.has_failed { End::Failed } else { End::ShutDown }
    }

    /// Ends a session that was told to end.
    #[cold]
    fn end_as_ordered(&mut self) {
        let reply = if self.has_failed { replies::FAILED } else { replies::SHUTTING_DOWN };
        self.end(reply.reply(), self.ordered_end());
    }

    /// Acts on deadlines that have passed, on a lost connection, and on a shut-down.
    pub(super) fn check_ends(&mut self, now: Instant) {
        if self.channel.is_lost() {
            self.connection_lost();
        } else if self.channel.has_awaited_peer() && self.is_writing_too_long(now) {
            self.channel.closed(Closed::CutOff);
            self.end_silently(if self.is_closing { self.ordered_end() } else { End::TimedOut });
        } else if matches!(self.phase, Phase::Command | Phase::Delayed(_)) && self.is_over_time(now)
        {
            self.time_out();
        } else if self.is_told_to_end() {
            self.check_shut_down();
        }
    }

    #[cold]
    fn check_shut_down(&mut self) {
        let may_end = match self.phase {
            // A 421 would be read by another protocol.
            Phase::Asked(Question::HandOver(_)) if self.is_closing => {
                return self.proceed(Then::Farewell(self.ordered_end()));
            }
            Phase::Asked(Question::Upgrade(_)) if self.is_closing => {
                return match self.channel.take_back(self.work().marked) {
                    true => self.end_as_ordered(),
                    // After 220 the client reads nothing in the clear.
                    false => self.proceed(Then::Farewell(self.ordered_end())),
                };
            }
            Phase::Farewell(_) | Phase::Closed(_) | Phase::Abort(_) => false,
            // A whole message gets its answer, and what follows the others is not SMTP.
            Phase::Asked(Question::Deliver(_) | Question::Upgrade(_) | Question::HandOver(_)) => {
                false
            }
            Phase::Content(_) | Phase::Asked(Question::Burl(_)) => self.is_closing,
            // Content in progress, between two chunks of it.
            _ if self.is_chunking() => self.is_closing,
            Phase::Start
            | Phase::Command
            | Phase::Asked(_)
            | Phase::Response(_)
            | Phase::Delayed(_)
            | Phase::Taken(_) => true,
        };
        if may_end {
            self.end_as_ordered();
        }
    }

    /// Says the last reply, and ends; a question that is open is withdrawn.
    #[cold]
    pub(super) fn end(&mut self, reply: &Reply<'_>, end: End) {
        self.say(reply);
        self.abort_then(end.abort_reason(), Then::Farewell(end));
    }

    /// Ends the session because the connection is lost.
    #[cold]
    pub(super) fn connection_lost(&mut self) {
        let failure = self.channel.tls_failure().cloned();
        self.end_silently(failure.map_or(End::ConnectionLost, End::TlsFailed));
    }

    /// Ends the session without a further reply.
    #[cold]
    pub(super) fn end_silently(&mut self, end: End) {
        if self.channel.is_lost() {
            self.channel.discard_output();
        }
        match &mut self.phase {
            // The application was asked to take responsibility for a whole message, and answers.
            Phase::Asked(Question::Deliver(_)) | Phase::Closed(_) => {}
            Phase::Abort(aborted) => {
                let Aborted { then, .. } = &mut **aborted;
                let end = match then {
                    Then::Closed(_) => return,
                    Then::Farewell(end) => end.clone(),
                    _ => end,
                };
                *then = Then::Closed(end);
            }
            Phase::Farewell(end) if self.channel.is_lost() => {
                let end = end.clone();
                self.close(end);
            }
            Phase::Farewell(_) => {}
            _ if self.channel.is_lost() => self.abort_then(end.abort_reason(), Then::Closed(end)),
            // Replies may still be on their way to a peer that only reads.
            _ => self.abort_then(end.abort_reason(), Then::Farewell(end)),
        }
    }

    /// Closes the session.
    pub(super) fn close(&mut self, end: End) {
        if matches!(self.phase, Phase::Closed(_)) {
            return;
        }
        if !self.channel.is_lost() {
            self.channel.log(Entry::Closed { from: Side::Server });
        }
        self.channel.discard_output();
        self.enter(Phase::Closed(end));
    }

    /// Hands the channel over to another protocol after this reply.
    pub(super) fn hand_over(&mut self, reply: &Reply<'_>) {
        self.say(reply);
        self.abort_then(AbortReason::HandedOver, Then::HandOver);
    }

    /// Notes a pipelining violation: the client has not waited for a reply that it must wait for.
    /// Returns whether that ended the session.
    #[cold]
    pub(super) fn is_pipelining_violation(&mut self) -> bool {
        self.facts.has_pipelined = true;
        if self.config.enforces_sync() {
            self.refuse(&replies::IMPROPER_PIPELINING, Fault::OutOfSync);
        }
        self.config.enforces_sync()
    }

    /// Notes an early talker: octets came before the greeting.
    #[cold]
    pub(super) fn talked_early(&mut self) {
        self.facts.has_talked_early = true;
        if is_client_hello(self.channel.receive.octets()) {
            self.end_other_protocol();
        } else if self.config.enforces_sync() {
            self.end(replies::IMPROPER_PIPELINING.reply(), End::OutOfSync);
        }
    }

    /// Ends the session of a client that speaks TLS in the clear. It waits for TLS: no reply would
    /// reach it.
    #[cold]
    pub(super) fn end_other_protocol(&mut self) {
        self.end_silently(End::OtherProtocol);
    }

    /// Ends the session after octets in the clear that followed the 220 to STARTTLS (command
    /// injection). Only the replies to the commands before STARTTLS are still sent.
    #[cold]
    pub(super) fn end_after_injection(&mut self) {
        self.channel.take_back(self.work().marked);
        self.proceed(Then::Farewell(End::Injection));
    }
}

/// Returns whether these octets, in the place of a command, are the beginning of TLS (RFC 8446
/// section 5.1).
pub(super) const fn is_client_hello(octets: &[u8]) -> bool {
    matches!(octets, [22, 3, ..])
}
