//! The facts of a session.

use super::config::{Config, Limits, TlsPolicy};
use crate::{
    sasl::{self, Mechanism},
    security::Security,
    syntax::{Code, Extension, Extensions, Reply, Verb},
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

/// The facts of a session, which are lent to the application beside every question.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) config: Arc<Config>,
    pub(super) security: Security,
    pub(super) greeting: Option<Arc<Reply<'static>>>,
    /// The command that opened the session.
    pub(super) hello: Option<Verb>,
    /// The extensions that the server offers and the client may use.
    pub(super) offered: Extensions,
    /// The greatest number of MAIL commands in the session (RFC 9422 section 4.1).
    pub(super) mail_max: Option<u32>,
    /// The greatest number of recipients in a transaction (RFC 9422 section 4.2).
    pub(super) rcpt_max: Option<u32>,
    /// The last command outside transactions and its reply.
    pub(super) last: Option<(Verb, Arc<Reply<'static>>)>,
    /// The reason for which a token was rejected, as the server has sent it within the mechanism.
    pub(super) token_error: Option<Box<str>>,
    /// The negative reply to EHLO after which HELO was sent, while that has not succeeded.
    pub(super) refused_hello: Option<Arc<Reply<'static>>>,
    /// The mechanism with which AUTH has succeeded.
    pub(super) authenticated: Option<Mechanism>,
}

impl Facts {
    pub(super) const fn new(config: Arc<Config>, security: Security) -> Self {
        Self {
            config,
            security,
            greeting: None,
            hello: None,
            offered: Extensions::NONE,
            mail_max: None,
            rcpt_max: None,
            last: None,
            token_error: None,
            refused_hello: None,
            authenticated: None,
        }
    }

    pub(super) fn is_pipelining(&self) -> bool {
        self.offered.contains(Extension::Pipelining)
    }

    pub(super) fn limits(&self) -> &Limits {
        self.config.limits()
    }

    /// Forgets everything that was learned in the session so far: a new one begins.
    pub(super) fn forget(&mut self) {
        self.greeting = None;
        self.hello = None;
        self.offered = Extensions::NONE;
        self.mail_max = None;
        self.rcpt_max = None;
        self.last = None;
        self.token_error = None;
        self.refused_hello = None;
        self.authenticated = None;
    }

    /// Notes a positive reply to EHLO, LHLO or HELO, and the extensions in it that may be used.
    pub(super) fn opened(&mut self, hello: Verb, reply: Arc<Reply<'static>>) {
        let offered = if hello == Verb::Helo {
            Extensions::NONE
        } else {
            let unused = self.config.unused().iter();
            unused.fold(Extensions::parse(&reply), |all, one| all.without(*one))
        };
        // STARTTLS has no meaning in TLS (RFC 3207 section 4.2), and REQUIRETLS none in the clear (RFC
        // 8689 section 3).
        let useless =
            if self.security.is_tls() { Extension::StartTls } else { Extension::RequireTls };
        // A transaction that is resumed begins in the middle of its content (RFC 1845 section 4),
        // and this client always begins at its start.
        self.offered = offered.without(useless).without(Extension::Checkpoint);
        let limits = self.offered.known_limits();
        self.mail_max = limits.mail_max();
        self.rcpt_max = limits.rcpt_max();
        self.hello = Some(hello);
        self.refused_hello = None;
        self.last = Some((hello, reply));
    }

    /// Returns whether HELO is tried after EHLO was rejected with this code. An old server may not
    /// know EHLO, and rejects it with any 5yz code (RFC 5321 section 3.2), but 521 is that of a host
    /// that accepts no mail (RFC 7504 section 3). After HELO there is neither TLS nor AUTH nor any
    /// other extension, so it is not tried where one is required.
    pub(super) fn may_try_helo(&self, code: Code) -> bool {
        let service = self.config.service();
        code.is_permanent()
            && code != Code::NO_MAIL_HERE
            && service.has_helo()
            && !service.requires_auth()
            && self.config.tls() != TlsPolicy::Required
            && self.config.required().is_empty()
    }

    /// Returns the channel as a mechanism may rely on it. With opportunistic TLS the peer may be an
    /// active attacker: TLS without a verified certificate counts as the clear.
    pub(super) fn channel(&self) -> sasl::Channel {
        let channel = self.security.channel();
        match self.config.tls() == TlsPolicy::IfOffered && !self.security.is_verified() {
            true => channel.with_unverified_peer(),
            false => channel,
        }
    }

    /// Returns the mechanisms that may be used now: none after AUTH has succeeded (RFC 4954 section
    /// 4).
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        if self.authenticated.is_some() || !self.offered.contains(Extension::Auth) {
            return Vec::new();
        }
        self.offered.mechanisms().collect()
    }

    /// Returns how many transactions may be in flight.
    pub(super) fn transactions(&self) -> usize {
        if self.is_pipelining() { self.config.transactions() } else { 1 }
    }
}
