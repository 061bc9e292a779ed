//! The opening of a session: the greeting, EHLO, STARTTLS (RFC 3207), and XCLIENT, after which it
//! opens again.

use super::{Phase, Session, replies::is_negative};
use crate::{
    client::{
        ask::Ask,
        config::TlsPolicy,
        error::{End, ProtocolError},
        facts::Facts,
        in_flight::Capacity,
        queue::{Expected, ReplyReader},
    },
    security::{Security, TlsFailure},
    syntax::{Code, Extension, Reply, Verb},
    transcript::Entry,
};
use alloc::sync::Arc;

impl Session {
    /// Takes the greeting. After a negative one only QUIT is left (RFC 5321 section 3.1).
    pub(super) fn greeted(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>) {
        let next = if is_negative(&reply) {
            Ask::Quit(End::Refused(Arc::clone(&reply)))
        } else {
            Ask::Hello(facts.config.service().hello())
        };
        facts.greeted(&reply);
        self.position.enter(Phase::asking(next));
    }

    /// Takes the reply to EHLO, LHLO or HELO.
    pub(super) fn hello_replied(
        &mut self,
        facts: &mut Facts,
        verb: Verb,
        reply: Arc<Reply<'static>>,
    ) {
        self.position.enter(if reply.is_positive() {
            facts.opened(verb, reply);
            opened(facts)
        } else if verb == Verb::Ehlo && facts.may_try_helo(reply.code()) {
            facts.hello_refused(reply);
            Phase::asking(Ask::Hello(Verb::Helo))
        } else {
            let reply = facts.take_refused_hello().unwrap_or(reply);
            Phase::asking(Ask::Quit(End::Refused(reply)))
        });
    }

    /// Takes the reply to STARTTLS.
    pub(super) fn start_tls_replied(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>) {
        self.position.enter(if reply.code() == Code::SERVICE_READY {
            Phase::Upgrading
        } else if reply.is_positive() {
            let to = Some(Verb::StartTls);
            return self.end(ProtocolError::UnexpectedReply { to, reply }.into());
        } else if facts.config.tls() == TlsPolicy::Required {
            Phase::asking(Ask::Quit(End::TlsRefused(Arc::clone(&reply))))
        } else {
            Phase::Refused
        });
        facts.replied(Verb::StartTls, reply);
    }

    /// Takes the reply to XCLIENT. With 220 the session is that of another client and opens again;
    /// the state of TLS stays, and AUTH is forgotten (XCLIENT_README).
    pub(super) fn xclient_replied(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>) {
        if is_negative(&reply) {
            facts.replied(Verb::Xclient, reply);
            return self.position.enter(Phase::Refused);
        }
        facts.forget();
        self.capacity = Capacity::UNKNOWN;
        facts.greeted(&reply);
        let hello = facts.config.service().hello();
        self.position.advance(|phase| match phase {
            Phase::Asked(Some(further)) => (Phase::Asking(further), ()),
            _ => (Phase::asking(Ask::Hello(hello)), ()),
        });
    }

    /// Notes that TLS is established. What the server sent in the clear may come from an attacker
    /// and is forgotten (RFC 3207 section 4.2).
    pub(in crate::client) fn upgraded(&mut self, facts: &mut Facts, security: Security) {
        if matches!(self.position.phase(), Phase::Over(_)) {
            return;
        }
        facts.security = security;
        self.channel.log(Entry::Secured);
        // In implicit TLS nothing was received, and the greeting is still to come.
        if self.work().queue.front() == Some(&Expected::Greeting) {
            return;
        }
        // A layer may only report TLS after STARTTLS was accepted.
        if !matches!(self.position.phase(), Phase::Upgrading) {
            return;
        }
        facts.forget();
        self.work_mut().reader = ReplyReader::default();
        self.needs_reset = false;
        self.position.answer(Phase::asking(Ask::Hello(facts.config.service().hello())));
    }

    /// Ends the session because the handshake failed: the octets on the wire are no longer SMTP.
    pub(in crate::client) fn upgrade_failed(&mut self, why: TlsFailure) {
        self.end(End::TlsFailed(why));
    }
}

/// Returns the phase that follows a positive reply to EHLO, LHLO or HELO under the TLS policy.
fn opened(facts: &Facts) -> Phase {
    let is_offered = facts.offered.contains(Extension::StartTls);
    match facts.config.tls() {
        _ if facts.security.is_tls() => Phase::Ready,
        TlsPolicy::Required | TlsPolicy::IfOffered if is_offered => Phase::asking(Ask::StartTls),
        TlsPolicy::Required => Phase::asking(Ask::Quit(End::TlsNotOffered)),
        TlsPolicy::IfOffered | TlsPolicy::Never => Phase::Ready,
    }
}
