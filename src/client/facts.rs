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
    /// The lines of the greeting, which is read again when the application asks for it.
    greeting: Option<Box<[u8]>>,
    /// The command that opened the session.
    pub(super) hello: Option<Verb>,
    /// The extensions that the server offers and the client may use.
    pub(super) offered: Extensions,
    /// The last command outside transactions.
    last_verb: Verb,
    /// The reply to it, until the application has nothing more to send.
    last_reply: Option<Arc<Reply<'static>>>,
    /// Absent in most sessions.
    rare: Option<Box<Rare>>,
}

/// Facts that most sessions do not have.
#[derive(Debug, Default)]
struct Rare {
    /// The greatest number of MAIL commands in the session (RFC 9422 section 4.1).
    mail_max: Option<u32>,
    /// The greatest number of recipients in a transaction (RFC 9422 section 4.2).
    rcpt_max: Option<u32>,
    /// The reason for which a token was rejected, as the server has sent it within the mechanism.
    token_error: Option<Box<str>>,
    /// The negative reply to EHLO after which HELO was sent, while that has not succeeded.
    refused_hello: Option<Arc<Reply<'static>>>,
    /// The mechanism with which AUTH has succeeded.
    authenticated: Option<Mechanism>,
}

impl Facts {
    pub(super) const fn new(config: Arc<Config>, security: Security) -> Self {
        Self {
            config,
            security,
            greeting: None,
            hello: None,
            offered: Extensions::NONE,
            last_verb: Verb::Ehlo,
            last_reply: None,
            rare: None,
        }
    }

    /// Returns the greeting.
    pub(super) fn greeting(&self) -> Option<Reply<'_>> {
        // It was a reply when it came.
        Reply::parse(self.greeting.as_ref()?).ok().flatten().map(|(reply, _)| reply)
    }

    /// Notes the greeting.
    pub(super) fn greeted(&mut self, reply: &Reply<'_>) {
        self.greeting = Some(reply.wire().into());
    }

    /// Returns the last command outside transactions, and its reply.
    pub(super) fn last(&self) -> Option<(Verb, &Reply<'static>)> {
        self.last_reply.as_deref().map(|reply| (self.last_verb, reply))
    }

    /// Notes the last command outside transactions, and its reply.
    pub(super) fn replied(&mut self, verb: Verb, reply: Arc<Reply<'static>>) {
        self.last_verb = verb;
        self.last_reply = Some(reply);
    }

    /// Forgets the reply to the last command: an idle session does not keep it.
    pub(super) fn forget_last(&mut self) {
        self.last_reply = None;
    }

    /// Returns the greatest number of MAIL commands in the session (RFC 9422 section 4.1).
    pub(super) fn mail_max(&self) -> Option<u32> {
        self.rare.as_ref()?.mail_max
    }

    /// Returns the greatest number of recipients in a transaction (RFC 9422 section 4.2).
    pub(super) fn rcpt_max(&self) -> Option<u32> {
        self.rare.as_ref()?.rcpt_max
    }

    /// Returns the reason for which a token was rejected, as the server has sent it within the mechanism.
    pub(super) fn token_error(&self) -> Option<&str> {
        self.rare.as_ref()?.token_error.as_deref()
    }

    /// Notes the reason for which a token was rejected; `None` where the server has told no reason.
    pub(super) fn token_refused(&mut self, reason: Option<Box<str>>) {
        if reason.is_some() || self.rare.is_some() {
            self.rare.get_or_insert_default().token_error = reason;
        }
    }

    /// Notes a negative reply to EHLO after which HELO is sent.
    pub(super) fn hello_refused(&mut self, reply: Arc<Reply<'static>>) {
        self.rare.get_or_insert_default().refused_hello = Some(reply);
    }

    /// Takes the negative reply to EHLO after which HELO was sent, while that has not succeeded.
    pub(super) fn take_refused_hello(&mut self) -> Option<Arc<Reply<'static>>> {
        self.rare.as_mut()?.refused_hello.take()
    }

    /// Returns the mechanism with which AUTH has succeeded.
    pub(super) const fn authenticated(&self) -> Option<Mechanism> {
        match &self.rare {
            Some(rare) => rare.authenticated,
            None => None,
        }
    }

    /// Notes the mechanism with which AUTH has succeeded.
    pub(super) fn authenticated_by(&mut self, mechanism: Mechanism) {
        self.rare.get_or_insert_default().authenticated = Some(mechanism);
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
        self.last_reply = None;
        self.rare = None;
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
        self.hello = Some(hello);
        self.replied(hello, reply);
        if self.offered.contains(Extension::Limits) || self.rare.is_some() {
            let limits = self.offered.known_limits();
            let rare = self.rare.get_or_insert_default();
            rare.mail_max = limits.mail_max();
            rare.rcpt_max = limits.rcpt_max();
            rare.refused_hello = None;
        }
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
        if self.authenticated().is_some() || !self.offered.contains(Extension::Auth) {
            return Vec::new();
        }
        self.offered.mechanisms().collect()
    }

    /// Returns how many transactions may be in flight.
    pub(super) fn transactions(&self) -> usize {
        if self.is_pipelining() { self.config.transactions() } else { 1 }
    }
}
