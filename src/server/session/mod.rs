//! The session: it owns the values of the server, asks the application, and acts on what follows.
//!
//! Only this folder has an `impl Session`. Each of its files is one subject: the cutting of lines
//! (`lines`), commands, answers, AUTH, content, XCLIENT, deadlines, and the end.

mod answers;
mod authentication;
mod commands;
mod content;
mod deadlines;
mod ending;
mod lines;
mod phase;
mod xclient;

use super::{
    budget::{Budget, Fault, Penalty},
    config::Config,
    content::Content,
    delivery::Verdicts,
    end::{AbortReason, End},
    event::{
        self, Abort, Auth, Authenticated, Connect, CredentialsQuestion, Data, Deliver, Event,
        Hello, Mail, Rcpt, StartTls, Upgrade,
    },
    extension_events::{Atrn, Burl, Etrn, Expand, HandOver, Other, Verify, Xclient, Xforward},
    facts::{Facts, Peer},
    replies,
    sequence::{Stage, Standing},
    token::{Exchange, Slot},
    totals::Totals,
};
use crate::{
    channel::Channel,
    machine::Need,
    security::Security,
    syntax::{Extension, Extensions, Reply, Verb},
    time::Instant,
    transcript::{Entry, Transcript},
    wire::LineCutter,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::mem;
use deadlines::{Clocks, Wait};
use phase::{Aborted, Delayed, Phase, Question, Then};

/// The whole state of a server.
#[derive(Debug)]
pub(super) struct Session {
    config: Arc<Config>,
    facts: Facts,
    phase: Phase,
    exchange: Exchange,
    pub(super) channel: Channel,
    /// Cuts the octets received into lines.
    lines: LineCutter,
    content: Content,
    verdicts: Verdicts,
    /// The extensions that were announced to this client, which it may use.
    offered: Extensions,
    is_stopping: bool,
    is_closing: bool,
    totals: Totals,
    budget: Budget,
    /// Octets have come after the line that is being answered.
    has_pipelined_input: bool,
    /// The verb of a line that is too long and is discarded.
    long_line: Verb,
    /// The next reply is the greeting or that to a hello.
    omits_enhanced_code: bool,
    /// The stage in which the session stays to its end: only QUIT is served.
    refused: Option<Stage>,
    /// The octets of replies that cannot be taken back, in the course of STARTTLS.
    marked: u64,
    clocks: Clocks,
}

// The driver's side.

impl Session {
    pub(super) fn new(config: Arc<Config>, peer: Peer, security: Security) -> Self {
        Self {
            channel: Channel::new(config.receive_buffer()),
            facts: Facts::new(peer, security, config.service()),
            config,
            phase: Phase::Start,
            exchange: Exchange::default(),
            lines: LineCutter::default(),
            content: Content::default(),
            verdicts: Verdicts::default(),
            offered: Extensions::NONE,
            is_stopping: false,
            is_closing: false,
            totals: Totals::default(),
            budget: Budget::default(),
            has_pipelined_input: false,
            long_line: Verb::Other,
            omits_enhanced_code: true,
            refused: None,
            marked: 0,
            clocks: Clocks::default(),
        }
    }

    pub(super) fn set_transcript(&mut self, transcript: Box<dyn Transcript>) {
        self.channel.set_transcript(transcript);
    }

    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns the sums of the session so far.
    pub(super) const fn totals(&self) -> Totals {
        let channel = &self.channel;
        Totals {
            octets_received: channel.octets_received(),
            octets_sent: channel.octets_sent(),
            commands: channel.commands() as u64,
            peer_time: channel.peer_time(),
            application_time: channel.application_time(),
            ..self.totals
        }
    }

    /// Returns the reason for which the session is over, once it is.
    pub(super) fn ended(&self) -> Option<End> {
        match &self.phase {
            Phase::Closed(end) => Some(end.clone()),
            _ => None,
        }
    }

    /// Returns whether the TLS handshake is awaited.
    pub(super) const fn is_upgrading(&self) -> bool {
        matches!(self.phase, Phase::Asked(Question::Upgrade(_)))
    }

    /// Advances as far as possible, and returns what is needed then.
    pub(super) fn poll(&mut self, now: Instant) -> Need {
        self.channel.begin(now);
        self.clocks.begin(now);
        self.take_configuration();
        self.take_answer();
        self.check_ends(now);
        loop {
            if let Some(need) = self.step(now) {
                return self.channel.end(need);
            }
        }
    }

    /// Takes the next step; `None` if something has changed.
    fn step(&mut self, now: Instant) -> Option<Need> {
        match &self.phase {
            Phase::Start | Phase::Asked(Question::Connect(_)) if self.is_early() => {
                self.talked_early();
                None
            }
            Phase::Start if !self.channel.is_open() && self.channel.receive.is_empty() => {
                self.connection_lost();
                None
            }
            Phase::Start => {
                let need = self.await_silence(now);
                if need.is_none() {
                    self.ask(Question::Connect(Slot::Open));
                }
                need
            }
            Phase::Command if self.is_clogged() => self.wait(Wait::Room, now),
            Phase::Command => self.step_command(now),
            Phase::Response(_) => self.step_response(now),
            Phase::Delayed(delayed) => match delayed.until.has_passed(now) {
                true => {
                    self.end_delay();
                    None
                }
                false => self.wait(Wait::Delay, now),
            },
            Phase::Content(_) if self.content.is_lent() => self.wait(Wait::Answer, now),
            Phase::Content(_) => self.take_in(now),
            // Octets that have come since belong to no handshake.
            Phase::Asked(Question::Upgrade(_)) if !self.channel.receive.is_empty() => {
                self.end_after_injection();
                None
            }
            Phase::Asked(Question::HandOver(_)) if !self.channel.send.is_empty() => {
                self.wait(Wait::Output, now)
            }
            // Nothing follows this question: the replies that are ready need not wait for its answer
            // (RFC 2920 section 3.2).
            Phase::Asked(_) | Phase::Abort(_)
                if self.channel.receive.is_empty() && !self.channel.send.is_empty() =>
            {
                self.wait(Wait::Output, now)
            }
            Phase::Asked(_) | Phase::Abort(_) => self.wait(Wait::Answer, now),
            Phase::Farewell(_) if !self.channel.send.is_empty() => self.wait(Wait::Output, now),
            Phase::Farewell(end) => {
                let end = end.clone();
                self.close(end);
                None
            }
            Phase::Closed(_) => Some(Need::Close),
            Phase::Taken(_) => {
                self.enter(Phase::Command);
                None
            }
        }
    }
}

// The phase.

impl Session {
    /// Enters the next phase, and returns the one before it. Nothing else writes the phase.
    fn enter(&mut self, next: Phase) -> Phase {
        debug_assert!(self.phase.may_precede(&next), "{:?}->{:?}", self.phase, next);
        mem::replace(&mut self.phase, next)
    }

    /// Takes the phase out to act on it.
    fn take_phase(&mut self) -> Phase {
        let state = self.phase.state();
        self.enter(Phase::Taken(state))
    }

    /// Awaits the next command, unless acting on the phase that was taken out led elsewhere.
    fn settle_phase(&mut self) {
        if matches!(self.phase, Phase::Taken(_)) {
            self.enter(Phase::Command);
        }
    }

    /// Enters the phase after an abort, or instead of one.
    fn proceed(&mut self, then: Then) {
        if let Then::Closed(end) = then {
            return self.close(end);
        }
        let next = Phase::from(then);
        match next {
            Phase::Asked(question) => self.ask(question),
            next => drop(self.enter(next)),
        }
    }

    /// Informs the application that its transaction will not be delivered, if it has accepted one,
    /// and continues with `then`.
    fn abort_then(&mut self, reason: AbortReason, then: Then) {
        if !matches!(then, Then::Content) {
            self.content.clear();
        }
        self.facts.transaction.withdraw();
        if self.facts.transaction.is_open() {
            self.enter(Phase::Abort(Box::new(Aborted { reason, then, slot: Slot::Open })));
            self.count_question();
        } else {
            self.facts.end_transaction();
            self.proceed(then);
        }
    }

    fn standing(&self) -> Standing {
        Standing {
            stage: self.stage(),
            is_secure: self.facts.security.is_tls(),
            is_authenticated: self.facts.identity.is_some(),
            had_hello: self.facts.had_hello && self.config.lenience().has_auth_without_hello(),
            must_authenticate: self.config.requires_auth(),
            must_secure: self.config.requires_tls(),
        }
    }

    fn stage(&self) -> Stage {
        if let Some(refused) = self.refused {
            refused
        } else if self.facts.hello.is_none() {
            Stage::Connected
        } else {
            let transaction = &self.facts.transaction;
            match self.content.stage() {
                Some(stage) => stage,
                None if transaction.is_open() => Stage::Addressed {
                    recipients: transaction.accepted(),
                    is_binary: transaction.is_binary(),
                },
                None if transaction.is_refused() => Stage::MailRefused,
                None => Stage::Ready,
            }
        }
    }
}

// Questions.

impl Session {
    /// Asks the application.
    fn ask(&mut self, question: Question) {
        self.enter(Phase::Asked(question));
        self.count_question();
    }

    /// Counts a new question.
    const fn count_question(&mut self) {
        self.exchange.number = self.exchange.number.wrapping_add(1);
    }

    /// Returns the question that is open, as a token.
    pub(super) fn event(&mut self) -> Option<Event<'_>> {
        let Self { facts, exchange, phase, channel, content, verdicts, config, .. } = self;
        let facts = &*facts;
        match phase {
            // Only the verifier knows whether its question is answered.
            Phase::Asked(Question::Credentials(authentication)) => {
                let (number, question) = (exchange.number, authentication.question()?);
                let offer = config.auth();
                Some(Event::Credentials(CredentialsQuestion { facts, number, question, offer }))
            }
            phase if phase.is_answered() => None,
            Phase::Asked(question) => match question {
                // The reply has to be sent before another machine takes over.
                Question::HandOver(_) if !channel.send.is_empty() => None,
                Question::Deliver(slot) => {
                    Some(Event::Deliver(Deliver { facts, exchange, slot, verdicts }))
                }
                Question::Data(slot) => {
                    let is_chunked = content.is_chunk_announced();
                    Some(Event::Data(Data { facts, exchange, slot, is_chunked }))
                }
                question => asked(question, facts, exchange),
            },
            Phase::Content(slot) if content.is_lent() => {
                let input = &mut channel.receive;
                Some(Event::Content(event::Content { facts, exchange, slot, input, content }))
            }
            Phase::Abort(aborted) => {
                let Aborted { reason, slot, .. } = &mut **aborted;
                Some(Event::Abort(Abort { facts, exchange, slot, reason: *reason }))
            }
            _ => None,
        }
    }

    /// Takes the configuration that a token has left.
    fn take_configuration(&mut self) {
        let Some(config) = self.exchange.configure.take() else { return };
        // A hello that is accepted ends the transaction whose limits must not sink.
        let is_over = match &self.phase {
            Phase::Asked(Question::Hello(asked)) => asked.is_accepted(),
            _ => false,
        };
        self.config = match self.facts.transaction.is_open() && !is_over {
            true => Arc::new(config.rising_from(self.config.limits())),
            false => config,
        };
    }
}

/// Returns the token of a question that borrows only the question itself.
fn asked<'s>(
    question: &'s mut Question,
    facts: &'s Facts,
    exchange: &'s mut Exchange,
) -> Option<Event<'s>> {
    Some(match question {
        Question::Connect(slot) => Event::Connect(Connect { facts, exchange, slot }),
        Question::Hello(asked) => {
            let (about, slot) = asked.parts();
            let (name, is_extended) = (&about.name, about.is_extended);
            let proven = &mut about.proven;
            Event::Hello(Hello { facts, exchange, slot, name, is_extended, proven })
        }
        Question::Auth(asked) => {
            let (authentication, slot) = asked.parts();
            Event::Auth(Auth { facts, exchange, slot, authentication })
        }
        Question::Authenticated(asked) => {
            let (authentication, slot) = asked.parts();
            let identity = authentication.identity()?;
            let is_vouched_for = authentication.is_vouched_for();
            Event::Authenticated(Authenticated { facts, exchange, slot, identity, is_vouched_for })
        }
        Question::StartTls(slot) => Event::StartTls(StartTls { facts, exchange, slot }),
        Question::Upgrade(slot) => Event::Upgrade(Upgrade { facts, exchange, slot }),
        Question::Mail(slot) => Event::Mail(Mail { facts, exchange, slot }),
        Question::Rcpt(slot) => {
            let (index, recipient) = facts.transaction.last()?;
            Event::Rcpt(Rcpt { facts, exchange, slot, recipient, index })
        }
        Question::Verify(slot) => Event::Verify(Verify { facts, exchange, slot }),
        Question::Expand(slot) => Event::Expand(Expand { facts, exchange, slot }),
        Question::Burl(asked) => {
            let (url, slot) = asked.parts();
            Event::Burl(Burl { facts, exchange, slot, url })
        }
        Question::Etrn(asked) => {
            let (node, slot) = asked.parts();
            Event::Etrn(Etrn { facts, exchange, slot, node })
        }
        Question::Atrn(asked) => {
            let (domains, slot) = asked.parts();
            Event::Atrn(Atrn { facts, exchange, slot, domains: domains.as_ref() })
        }
        Question::Xclient(asked) => {
            let (attributes, slot) = asked.parts();
            Event::Xclient(Xclient { facts, exchange, slot, attributes })
        }
        Question::Xforward(asked) => {
            let (attributes, slot) = asked.parts();
            Event::Xforward(Xforward { facts, exchange, slot, attributes })
        }
        Question::Other(asked) => {
            let (about, slot) = asked.parts();
            let (verb, argument) = (&about.verb, about.argument.as_ref());
            Event::Other(Other { facts, exchange, slot, verb, argument })
        }
        Question::HandOver(slot) => Event::HandOver(HandOver { facts, exchange, slot }),
        // These borrow more than the question.
        Question::Credentials(_) | Question::Data(_) | Question::Deliver(_) => return None,
    })
}

// Replies.

impl Session {
    /// Says a reply.
    fn say(&mut self, reply: &Reply<'_>) {
        // RFC 2034 section 4: neither the greeting nor the reply to a hello has an enhanced code.
        let is_enhanced = !mem::take(&mut self.omits_enhanced_code)
            && self.config.extensions().contains(Extension::EnhancedStatusCodes);
        self.channel.reply(reply, is_enhanced);
    }

    /// Refuses a command: the verdict is the machine's own.
    fn refuse(&mut self, reply: &Reply<'_>, fault: Fault) {
        self.count_error();
        self.charge(reply, fault);
    }

    /// Refuses a command, and ends the session.
    fn refuse_and_end(&mut self, reply: &Reply<'_>, end: End) {
        self.count_error();
        self.end(reply, end);
    }

    /// Counts a command or message that the machine itself refuses.
    const fn count_error(&mut self) {
        self.totals.errors = self.totals.errors.saturating_add(1);
    }

    /// Says a reply, and charges the client for the fault that the reply answers.
    fn charge(&mut self, reply: &Reply<'_>, fault: Fault) {
        match self.charged(reply, fault) {
            Then::Command => {}
            Then::Farewell(end) => self.abort_then(end.abort_reason(), Then::Farewell(end)),
            other => self.proceed(other),
        }
    }

    /// Says a reply, charges the client for it, and returns what comes after it.
    fn charged(&mut self, reply: &Reply<'_>, fault: Fault) -> Then {
        match self.budget.charge(fault, self.config.limits(), self.config.timeouts()) {
            Penalty::Close => {
                let last = match fault {
                    Fault::FailedAuth => replies::TOO_MANY_ATTEMPTS,
                    _ => replies::TOO_MANY_ERRORS,
                };
                if reply.code().is_positive() {
                    self.count_error();
                }
                self.say(last.reply());
                Then::Farewell(End::TooManyErrors)
            }
            Penalty::Delay(delay) if !delay.is_zero() => {
                let until = self.channel.now() + delay;
                let reply = reply.as_borrowed().into_owned();
                Then::Delayed(Box::new(Delayed { until, reply }))
            }
            Penalty::Reply | Penalty::Delay(_) => {
                self.say(reply);
                Then::Command
            }
        }
    }

    /// Says the reply that was withheld.
    fn end_delay(&mut self) {
        if let Phase::Delayed(delayed) = self.take_phase() {
            self.say(&delayed.reply);
        }
        self.settle_phase();
    }

    /// Returns whether the replies that wait fill the send buffer, so that nothing more may be read
    /// (back-pressure).
    fn is_clogged(&self) -> bool {
        let waiting = self.channel.send.len();
        waiting > 0 && waiting >= self.config.limits().send_buffer
    }
}

// The channel.

impl Session {
    /// Sets the extensions that this client may use from now on, and that are announced to it.
    fn announce(&mut self, is_extended: bool) {
        self.offered = if !is_extended {
            // Extensions exist only after EHLO (RFC 5321 section 2.2.1).
            Extensions::NONE
        } else {
            let mut offered = self.config.extensions().clone();
            offered = offered.without(match self.facts.security.is_tls() {
                true => Extension::StartTls,
                false => Extension::RequireTls,
            });
            self.with_mechanisms(offered)
        };
    }

    /// Adds AUTH, if there is a mechanism that this client may use now.
    fn with_mechanisms(&self, offered: Extensions) -> Extensions {
        let Some(offer) = self.config.auth() else { return offered };
        if self.config.requires_tls() && !self.facts.security.is_tls() {
            return offered;
        }
        let channel = self.facts.security.channel();
        let names: Vec<_> = offer.announced(&channel, self.facts.proven.as_deref()).collect();
        if names.is_empty() {
            return offered;
        }
        offered.with_mechanisms(names)
    }

    /// Continues after a TLS handshake. Everything learnt before it is forgotten (RFC 3207 section
    /// 4.2).
    pub(super) fn upgraded(&mut self, security: Security) {
        self.facts.upgrade(security);
        self.announce(self.facts.had_hello);
        self.content.clear();
        self.channel.log(Entry::Secured);
        // With implicit TLS nothing has been sent yet, and the greeting follows.
        if self.is_upgrading() {
            self.enter(Phase::Command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The memory of an idle session: a server has many of them.
    #[test]
    fn a_session_without_transcript_is_small() {
        assert!(size_of::<Session>() <= 1256, "{}", size_of::<Session>());
    }
}
