//! STARTTLS (RFC 3207): when it is asked for, and what it changes.

use super::{
    commands::Ask,
    config::TlsPolicy,
    error::{End, ProtocolError},
    queue::{Expected, ReplyReader},
    state::{Core, Facts, Phase, Slate},
};
use crate::{
    security::{Security, TlsFailure},
    syntax::{Code, Extension, Reply, Verb},
    transcript::Entry,
};
use alloc::sync::Arc;

impl Core {
    /// The session is open: what comes next by the policy.
    pub(super) fn opened(facts: &Facts) -> Phase {
        let is_offered = facts.offered.contains(Extension::StartTls);
        match facts.config.tls() {
            _ if facts.security.is_tls() => Phase::Ready,
            TlsPolicy::Required | TlsPolicy::IfOffered if is_offered => {
                Phase::Asking(Ask::StartTls)
            }
            TlsPolicy::Required => Phase::Asking(Ask::Quit(End::TlsNotOffered)),
            TlsPolicy::IfOffered | TlsPolicy::Never => Phase::Ready,
        }
    }

    /// STARTTLS was answered.
    pub(super) fn start_tls_replied(&mut self, facts: &mut Facts, reply: Arc<Reply<'static>>) {
        self.queue.pop_front();
        if reply.code() == Code::SERVICE_READY {
            self.phase = Phase::Upgrading;
        } else if reply.is_positive() {
            let to = Some(Verb::StartTls);
            return self.over(ProtocolError::UnexpectedReply { to, reply }.into());
        } else if facts.config.tls() == TlsPolicy::Required {
            self.phase = Phase::Asking(Ask::Quit(End::TlsRefused(Arc::clone(&reply))));
        } else {
            self.phase = Phase::Refused;
        }
        facts.last = Some((Verb::StartTls, reply));
    }

    /// The channel is protected. Whatever was said before may have been said by anybody: it is
    /// forgotten (RFC 3207 section 4.2).
    pub(super) fn upgraded(&mut self, facts: &mut Facts, security: Security) {
        if matches!(self.phase, Phase::Over(_)) {
            return;
        }
        facts.security = security;
        self.channel.log(Entry::Secured);
        // Under implicit TLS nothing has been said, and the greeting is to come.
        if self.queue.front() == Some(&Expected::Greeting) {
            return;
        }
        facts.forget();
        self.channel.reader = ReplyReader::default();
        self.slate = Slate::Clean;
        self.question = None;
        self.phase = Phase::Asking(Ask::Hello(facts.config.service().hello()));
    }

    /// There will be no TLS, and the octets on the wire are no longer SMTP.
    pub(super) fn upgrade_failed(&mut self, why: TlsFailure) {
        self.over(End::TlsFailed(why));
    }
}
