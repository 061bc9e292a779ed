//! The session: it owns the values of the server, asks the application, and acts on what follows.
//!
//! Only this folder has an `impl Session`. Each of its files is one subject: the cutting of lines
//! (`lines`), commands, answers, AUTH, content, XCLIENT, polls, deadlines, and the end.

mod answers;
mod authentication;
mod commands;
mod content;
mod deadlines;
mod ending;
mod lines;
mod phase;
mod polling;
mod xclient;

use super::{
    acceptance::Accepted,
    announcement::Offered,
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
    known::Known,
    replies::{self, Usual},
    sequence::{Stage, Standing},
    token::{Exchange, Slot},
    totals::{Counts, Totals},
};
use crate::{
    channel::Channel,
    sasl::Offer,
    security::Security,
    syntax::{Extension, Extensions, Rejection, Reply, Text, Verb},
    time::{Instant, Stopwatch},
    transcript::{Entry, Transcript},
    wire::LineCutter,
};
use alloc::{boxed::Box, sync::Arc};
use core::mem;
use phase::{Aborted, Delayed, Phase, Question, State, Then};

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
    /// Absent before the first transaction and the first fault.
    work: Option<Box<Work>>,
    /// The list of extensions that this client was given.
    offered: Offered,
    is_stopping: bool,
    is_closing: bool,
    /// It is closing because the application has failed.
    has_failed: bool,
    /// Octets have come after the line that is being answered.
    has_pipelined_input: bool,
    /// The verb of a line that is too long and is discarded.
    long_line: Verb,
    /// The next reply is the greeting or that to a hello.
    omits_enhanced_code: bool,
    /// The stage in which the session stays to its end: only QUIT is served.
    refused: Option<Refused>,
    /// The first poll.
    began: Instant,
}

/// The refusal of a whole session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// There is no service for this client.
    Service,
    /// The channel is not protected well enough.
    Insecure,
}

impl Refused {
    const fn stage(self) -> Stage {
        match self {
            Self::Service => Stage::Refused,
            Self::Insecure => Stage::NotSecure,
        }
    }
}

/// The state of a session that was put to work: an idle one, which a server has many of, has none.
#[derive(Debug, Default)]
struct Work {
    content: Content,
    verdicts: Verdicts,
    budget: Budget,
    counts: Counts,
    /// The configuration that has announced the extensions, if it is no longer that of the session.
    announced_by: Option<Arc<Config>>,
    /// The octets of replies that cannot be taken back, in the course of STARTTLS.
    marked: u64,
    /// The time that the peer has not read the pending replies since the session was told to close.
    closing: Stopwatch,
}

impl Work {
    const NONE: Self = Self {
        content: Content::NONE,
        verdicts: Verdicts::NONE,
        budget: Budget::NONE,
        counts: Counts::NONE,
        announced_by: None,
        marked: 0,
        closing: Stopwatch::ZERO,
    };
}

/// Returns the state at the beginning of the work, which is once a session.
#[cold]
fn first_work() -> Box<Work> {
    Box::default()
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
            work: None,
            offered: Offered::Nothing,
            is_stopping: false,
            is_closing: false,
            has_failed: false,
            has_pipelined_input: false,
            long_line: Verb::Other,
            omits_enhanced_code: true,
            refused: None,
            began: Instant::NEVER,
        }
    }

    pub(super) fn set_transcript(&mut self, transcript: Box<dyn Transcript>) {
        self.channel.set_transcript(transcript);
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns the sums of the session so far.
    pub(super) fn totals(&self) -> Totals {
        Totals::of(&self.channel, &self.work().counts)
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

    /// Frees the send buffer if it is empty. In a transaction, each of whose commands has a reply, a small
    /// one is kept.
    pub(super) fn release(&mut self) {
        match self.facts.envelope().is_open() {
            true => self.channel.release_large_send(),
            false => self.channel.release_send(),
        }
    }
}

// The work.

impl Session {
    /// Returns the state of the session's work, which may not have begun.
    fn work(&self) -> &Work {
        static NONE: Work = Work::NONE;
        self.work.as_deref().unwrap_or(&NONE)
    }

    fn work_mut(&mut self) -> &mut Work {
        self.work.get_or_insert_with(first_work)
    }

    /// Forgets the content: the transaction is over.
    fn clear_content(&mut self) {
        if let Some(work) = &mut self.work {
            work.content.clear();
        }
    }

    /// Returns the penalty for a fault.
    fn penalty(&mut self, fault: Fault) -> Penalty {
        let Self { work, config, .. } = self;
        match fault {
            Fault::None => Penalty::Reply,
            fault => {
                let budget = &mut work.get_or_insert_with(first_work).budget;
                budget.charge(fault, config.limits(), config.timeouts())
            }
        }
    }

    /// Counts a MAIL in order; returns whether it is one too many.
    fn counts_transaction_too_many(&mut self) -> bool {
        let Self { work, config, .. } = self;
        work.get_or_insert_with(first_work).budget.transaction(config.limits())
    }

    /// Reports a command line of the client to the transcript.
    #[cold]
    fn note_command(&mut self, line: &[u8]) {
        let Self { channel, config, facts, work, offered, .. } = self;
        let announced_by = work.as_ref().and_then(|work| work.announced_by.as_ref());
        let config = announced_by.unwrap_or(config);
        channel.note_command(line, &Known { config, facts, offered: *offered });
    }
}

// The phase.

impl Session {
    /// Replaces the phase. Nothing else writes it.
    #[inline(always)]
    fn replace_phase(&mut self, next: Phase) -> Phase {
        debug_assert!(self.phase.may_precede(&next), "{:?}->{:?}", self.phase, next);
        mem::replace(&mut self.phase, next)
    }

    /// Enters the next phase.
    fn enter(&mut self, next: Phase) {
        match self.replace_phase(next) {
            // They hold nothing: to look for what they hold costs 17 instructions, seven times a message.
            held @ (Phase::Command | Phase::Taken(_)) => mem::forget(held),
            held => drop(held),
        }
    }

    /// Takes the phase out to act on it.
    fn take_phase(&mut self) -> Phase {
        // The kind is for the check of `enter` alone.
        let state = if cfg!(debug_assertions) { self.phase.state() } else { State::Command };
        self.replace_phase(Phase::Taken(state))
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
            next => self.enter(next),
        }
    }

    /// Informs the application that its transaction will not be delivered, if it has accepted one,
    /// and continues with `then`.
    fn abort_then(&mut self, reason: AbortReason, then: Then) {
        if !matches!(then, Then::Content) {
            self.clear_content();
        }
        self.facts.withdraw();
        if self.facts.envelope().is_open() {
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
            is_authenticated: self.facts.identity().is_some(),
            had_hello: self.facts.had_hello && self.config.lenience().has_auth_without_hello(),
            must_authenticate: self.config.requires_auth(),
            must_secure: self.config.requires_tls(),
        }
    }

    fn stage(&self) -> Stage {
        if let Some(refused) = self.refused {
            refused.stage()
        } else if self.facts.hello.is_none() {
            Stage::Connected
        } else {
            let transaction = self.facts.envelope();
            match self.work().content.stage() {
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
        self.exchange.count_question();
    }

    /// Returns the question that is open, as a token.
    #[inline]
    pub(super) fn event(&mut self) -> Option<Event<'_>> {
        if !matches!(self.phase, Phase::Content(_)) {
            return self.question();
        }
        match self {
            Self {
                phase: Phase::Content(slot @ Slot::Open),
                work: Some(work),
                facts,
                exchange,
                channel,
                ..
            } if work.content.is_lent() => {
                let (input, content) = (&mut channel.receive, &mut work.content);
                Some(Event::Content(event::Content { facts, exchange, slot, input, content }))
            }
            _ => None,
        }
    }

    /// Returns the question that is open, if it is not about octets of content.
    #[inline(never)]
    fn question(&mut self) -> Option<Event<'_>> {
        let Self { facts, exchange, phase, channel, work, config, .. } = self;
        let facts = &*facts;
        match phase {
            // Only the verifier knows whether its question is answered.
            Phase::Asked(Question::Credentials(authentication)) => {
                let (number, question) = (exchange.number, authentication.question()?);
                let offer = config.auth();
                Some(Event::Credentials(CredentialsQuestion { facts, number, question, offer }))
            }
            Phase::Asked(question) => match question {
                // The reply has to be sent before another machine takes over.
                Question::HandOver(_) if channel.has_output() => None,
                Question::Deliver(slot) => {
                    let slot = slot.open()?;
                    let verdicts = &mut work.get_or_insert_with(first_work).verdicts;
                    Some(Event::Deliver(Deliver { facts, exchange, slot, verdicts }))
                }
                Question::Data(slot) => {
                    let slot = slot.open()?;
                    let is_chunked =
                        work.as_ref().is_some_and(|it| it.content.is_chunk_announced());
                    Some(Event::Data(Data { facts, exchange, slot, is_chunked }))
                }
                question => asked(question, facts, exchange),
            },
            Phase::Abort(aborted) => {
                let Aborted { reason, slot, .. } = &mut **aborted;
                let slot = slot.open()?;
                Some(Event::Abort(Abort { facts, exchange, slot, reason: *reason }))
            }
            _ => None,
        }
    }

    /// Takes the configuration that a token has left.
    #[cold]
    fn configure(&mut self, config: Arc<Config>) {
        // A hello that is accepted ends the transaction whose limits must not sink.
        let is_over = match &self.phase {
            Phase::Asked(Question::Hello(asked)) => asked.is_accepted(),
            _ => false,
        };
        let config = match self.facts.envelope().is_open() && !is_over {
            true => Arc::new(config.rising_from(self.config.limits())),
            false => config,
        };
        let before = mem::replace(&mut self.config, config);
        // The client knows the extensions that it was told, until its next hello.
        if self.offered != Offered::Nothing {
            self.work_mut().announced_by.get_or_insert(before);
        }
    }
}

/// Returns the token of a question that borrows only the question itself.
fn asked<'s>(
    question: &'s mut Question,
    facts: &'s Facts,
    exchange: &'s mut Exchange,
) -> Option<Event<'s>> {
    Some(match question {
        Question::Connect(slot) => Event::Connect(Connect { facts, exchange, slot: slot.open()? }),
        Question::Hello(asked) => {
            let (about, slot) = asked.parts()?;
            let (name, is_extended) = (&about.name, about.is_extended);
            let proven = &mut about.proven;
            Event::Hello(Hello { facts, exchange, slot, name, is_extended, proven })
        }
        Question::Auth(asked) => {
            let (authentication, slot) = asked.parts()?;
            Event::Auth(Auth { facts, exchange, slot, authentication })
        }
        Question::Authenticated(asked) => {
            let (authentication, slot) = asked.parts()?;
            let identity = authentication.identity()?;
            let is_vouched_for = authentication.is_vouched_for();
            Event::Authenticated(Authenticated { facts, exchange, slot, identity, is_vouched_for })
        }
        Question::StartTls(slot) => {
            Event::StartTls(StartTls { facts, exchange, slot: slot.open()? })
        }
        Question::Upgrade(slot) => Event::Upgrade(Upgrade { facts, exchange, slot: slot.open()? }),
        Question::Mail(slot) => Event::Mail(Mail { facts, exchange, slot: slot.open()? }),
        Question::Rcpt(slot) => {
            let (slot, (index, recipient)) = (slot.open()?, facts.envelope().last()?);
            Event::Rcpt(Rcpt { facts, exchange, slot, recipient, index })
        }
        Question::Verify(slot) => Event::Verify(Verify { facts, exchange, slot: slot.open()? }),
        Question::Expand(slot) => Event::Expand(Expand { facts, exchange, slot: slot.open()? }),
        Question::Burl(asked) => {
            let (url, slot) = asked.parts()?;
            Event::Burl(Burl { facts, exchange, slot, url })
        }
        Question::Etrn(asked) => {
            let (node, slot) = asked.parts()?;
            Event::Etrn(Etrn { facts, exchange, slot, node })
        }
        Question::Atrn(asked) => {
            let (domains, slot) = asked.parts()?;
            Event::Atrn(Atrn { facts, exchange, slot, domains: domains.as_ref() })
        }
        Question::Xclient(asked) => {
            let (attributes, slot) = asked.parts()?;
            Event::Xclient(Xclient { facts, exchange, slot, attributes })
        }
        Question::Xforward(asked) => {
            let (attributes, slot) = asked.parts()?;
            Event::Xforward(Xforward { facts, exchange, slot, attributes })
        }
        Question::Other(asked) => {
            let (about, slot) = asked.parts()?;
            let (verb, argument) = (&about.verb, about.argument.as_ref());
            Event::Other(Other { facts, exchange, slot, verb, argument })
        }
        Question::HandOver(slot) => {
            Event::HandOver(HandOver { facts, exchange, slot: slot.open()? })
        }
        // These borrow more than the question.
        Question::Credentials(_) | Question::Data(_) | Question::Deliver(_) => return None,
    })
}

// Replies.

impl Session {
    /// Says the greeting, with the default text or another one.
    fn greet(&mut self, text: Option<&Text<'_>>) {
        match text {
            Some(text) => {
                let (host, service) = (self.config.host(), self.config.service());
                let greeting = replies::greeting(host, service, Some(text));
                self.say(&greeting);
            }
            None => {
                self.omits_enhanced_code = false;
                self.channel.write_reply(|out| self.config.announcement().greet(out));
            }
        }
    }

    /// Says the reply to a hello that was accepted, with the list of extensions.
    fn say_hello(&mut self, text: Option<&Text<'_>>) {
        self.omits_enhanced_code = false;
        let Self { channel, config, facts, offered, .. } = self;
        let sasl_channel = facts.security.channel();
        let mechanisms = config.auth().into_iter();
        let mechanisms =
            mechanisms.flat_map(|offer| offer.announced(&sasl_channel, facts.proven()));
        let (announcement, text) = (config.announcement(), text.map(Text::as_str));
        channel.write_reply(|out| {
            announcement.reply_to_hello(*offered, text, mechanisms, out);
        });
    }

    /// Says a reply.
    fn say(&mut self, reply: &Reply<'_>) {
        let is_enhanced = self.is_next_enhanced();
        self.channel.reply(reply, is_enhanced);
    }

    /// Says a reply whose wire form is known.
    fn say_usual(&mut self, usual: &Usual) {
        let wire = usual.wire(self.is_next_enhanced());
        self.channel.write_reply(|text| text.extend_from_slice(wire));
    }

    /// Says the reply by which the application accepts, which by default is `usual`.
    fn say_accepted(&mut self, accepted: Accepted, usual: &Usual) {
        match accepted {
            Accepted::Default => self.say_usual(usual),
            other => self.say(&other.into_reply((usual.reply)())),
        }
    }

    /// Returns whether the reply that is about to be said has its enhanced code: neither the greeting nor
    /// the reply to a hello has one (RFC 2034 section 4).
    fn is_next_enhanced(&mut self) -> bool {
        !mem::take(&mut self.omits_enhanced_code)
            && self.config.extensions().contains(Extension::EnhancedStatusCodes)
    }

    /// Says no to a command, and charges the client for its fault: the only way to do so, whether the
    /// machine or the application decided it.
    #[cold]
    fn refuse(&mut self, rejection: &Rejection, fault: Fault) {
        self.charge(rejection.reply(), fault);
    }

    /// Counts a command or message that the machine itself refuses.
    #[cold]
    fn count_error(&mut self) {
        self.work_mut().counts.errors.add();
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
        if fault.is_refusal() {
            self.count_error();
        }
        match self.penalty(fault) {
            Penalty::End(end) => {
                self.say(reply);
                Then::Farewell(end)
            }
            Penalty::Close => {
                let last = match fault {
                    Fault::FailedAuth | Fault::MalformedAuth => replies::TOO_MANY_ATTEMPTS,
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
    #[cold]
    fn end_delay(&mut self) {
        if let Phase::Delayed(delayed) = self.take_phase() {
            self.say(&delayed.reply);
        }
        self.settle_phase();
    }

    /// Returns whether the replies that wait fill the send buffer, so that nothing more may be read
    /// (back-pressure).
    fn is_clogged(&self) -> bool {
        let waiting = self.channel.waiting();
        waiting > 0 && waiting >= self.config.limits().send_buffer
    }
}

// The channel.

impl Session {
    /// Chooses the list of extensions that this client may use from now on, and that is announced to it.
    fn announce(&mut self, is_extended: bool) {
        self.offered = match is_extended {
            true => Offered::list(self.facts.security.is_tls(), self.offers_auth()),
            // Extensions exist only after EHLO (RFC 5321 section 2.2.1).
            false => Offered::Nothing,
        };
        if let Some(work) = &mut self.work {
            work.announced_by = None;
        }
    }

    /// Returns whether there is a mechanism of AUTH that this client may use now.
    fn offers_auth(&self) -> bool {
        let channel = self.facts.security.channel();
        let may_authenticate = !self.config.requires_tls() || self.facts.security.is_tls();
        let announced = |offer: &Offer| offer.announced(&channel, self.facts.proven()).next();
        may_authenticate && self.config.auth().and_then(announced).is_some()
    }

    /// Returns the extensions that this client may use.
    fn offered(&self) -> &Extensions {
        let announced_by = self.work.as_ref().and_then(|work| work.announced_by.as_ref());
        announced_by.unwrap_or(&self.config).announcement().extensions(self.offered)
    }

    /// Continues after a TLS handshake. Everything learnt before it is forgotten (RFC 3207 section
    /// 4.2).
    pub(super) fn upgraded(&mut self, security: Security) {
        self.facts.upgrade(security);
        self.announce(self.facts.had_hello);
        self.clear_content();
        self.channel.log(Entry::Secured);
        // With implicit TLS nothing has been sent yet, and the greeting follows.
        if self.is_upgrading() {
            self.enter(Phase::Command);
        }
    }
}

// A server has many idle sessions: what such a session does not need is in a box of its own.
const _: () = assert!(size_of::<Phase>() <= 32);
const _: () = assert!(size_of::<Session>() <= 352);
