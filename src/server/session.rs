//! What a session keeps between two polls, and how it waits and ends.

use super::{
    budget::{Budget, Fault, Penalty},
    config::Config,
    content::{Announced, Content, Ending, Progress, Violation},
    delivery::Verdicts,
    event::{
        self, Abort, Answer, Atrn, Auth, Authenticated, Burl, Connect, Credentials, Data, Deliver,
        Etrn, Event, Exchange, Expand, HandOver, Hello, Mail, Other, Rcpt, StartTls, Upgrade,
        Verify, Xclient, Xforward,
    },
    facts::{Facts, Peer},
    output::Output,
    replies,
    sequence::{Stage, Standing},
    state::{AbortReason, End, Phase, Question, Then},
};
use crate::{
    machine::{Closed, Debts, Need},
    security::{Security, TlsFailure},
    syntax::{Extension, Extensions, Mechanism, Rejection, Reply, Verb},
    time::{Instant, Stopwatch},
    transcript::{Entry, Side},
    wire::ReceiveBuffer,
};
use alloc::{sync::Arc, vec::Vec};
use core::{mem, time::Duration};

/// What a session has come to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Octets that were read from the peer.
    pub octets_received: u64,
    /// Octets that were sent to the peer.
    pub octets_sent: u64,
    /// Command lines, whatever became of them.
    pub commands: u64,
    /// Commands and messages that the machine itself refused, whether or not that counts against
    /// [`Limits::with_errors`](super::Limits::with_errors). What the application rejected is not
    /// among them, and neither is an AUTH whose credentials were not accepted.
    pub errors: u64,
    /// Messages that the application accepted, for at least one recipient.
    pub messages: u64,
    /// How long the peer let us wait, for octets from it or for ours to be taken.
    pub peer_time: Duration,
    /// How long the application let the peer wait, from a question to the poll behind its answer.
    pub application_time: Duration,
}

/// What is left of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Both directions.
    Open,
    /// The peer will say nothing more, but listens.
    HalfClosed,
    /// Nothing.
    Lost,
}

/// Everything of a server but the octets that have come in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: Arc<Config>,
    pub(super) facts: Facts,
    pub(super) phase: Phase,
    pub(super) exchange: Exchange,
    pub(super) output: Output,
    pub(super) content: Content,
    /// What was announced to this client, which is what it may use.
    pub(super) offered: Extensions,
    pub(super) link: Link,
    pub(super) is_stopping: bool,
    pub(super) is_closing: bool,
    pub(super) totals: Totals,
    pub(super) debts: Debts,
    pub(super) budget: Budget,
    /// Octets have come behind the line that is being answered.
    pub(super) is_followed: bool,
    /// The verb of the line that is too long and being thrown away.
    pub(super) long_line: Verb,
    /// The next reply is the opening one or that to a hello.
    pub(super) is_bare: bool,
    /// The stage at which the session stays to its end: nothing but QUIT is heard.
    pub(super) refused: Option<Stage>,
    began: Option<Instant>,
    /// Why TLS has failed after its handshake.
    pub(super) tls_failure: Option<TlsFailure>,
    /// How long the peer has let us wait for a command or for content.
    pub(super) reading: Stopwatch,
    /// How long the peer has not read all of a block that waits for it: taking octet by octet
    /// gains no time.
    writing: Stopwatch,
    /// What is left of that block, in octets.
    block: usize,
    /// How long the peer has not read what is owed to it, since the session was told to close.
    closing: Stopwatch,
}

impl Session {
    pub(super) fn new(config: Arc<Config>, peer: Peer, security: Security) -> Self {
        Self {
            facts: Facts::new(peer, security, config.service()),
            config,
            phase: Phase::Start,
            exchange: Exchange::default(),
            output: Output::default(),
            content: Content::default(),
            offered: Extensions::NONE,
            link: Link::Open,
            is_stopping: false,
            is_closing: false,
            totals: Totals::default(),
            debts: Debts::default(),
            budget: Budget::default(),
            is_followed: false,
            long_line: Verb::Other,
            is_bare: true,
            refused: None,
            began: None,
            tls_failure: None,
            reading: Stopwatch::default(),
            writing: Stopwatch::default(),
            block: 0,
            closing: Stopwatch::default(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
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

    // What is asked.

    pub(super) fn ask(&mut self, question: Question) {
        self.phase = Phase::Asked(question);
        self.lend();
    }

    /// A new question.
    pub(super) const fn lend(&mut self) {
        self.exchange.number = self.exchange.number.wrapping_add(1);
    }

    pub(super) fn event<'s>(&'s mut self, input: &'s mut ReceiveBuffer) -> Option<Event<'s>> {
        let Self { facts, exchange, phase, output, content, .. } = self;
        let facts = &*facts;
        if exchange.answer.is_some() {
            return None;
        }
        Some(match phase {
            Phase::Asked(question) => match question {
                Question::Connect => Event::Connect(Connect { facts, exchange }),
                Question::Auth(attempt) => Event::Auth(Auth { facts, exchange, attempt }),
                Question::Credentials(verifier) => {
                    let (number, question) = (exchange.number, verifier.question()?);
                    Event::Credentials(Credentials { facts, number, question })
                }
                Question::Authenticated(proven) => {
                    let identity = proven.identity();
                    Event::Authenticated(Authenticated { facts, exchange, identity })
                }
                Question::StartTls => Event::StartTls(StartTls { facts, exchange }),
                Question::Upgrade => Event::Upgrade(Upgrade { facts, exchange }),
                Question::Hello { name, is_extended } => {
                    Event::Hello(Hello { facts, exchange, name, is_extended: *is_extended })
                }
                Question::Mail => Event::Mail(Mail { facts, exchange }),
                Question::Rcpt => {
                    let (index, recipient) = facts.transaction.last()?;
                    Event::Rcpt(Rcpt { facts, exchange, recipient, index })
                }
                Question::Data(announced) => {
                    let is_chunked = !matches!(announced, Announced::Data);
                    Event::Data(Data { facts, exchange, is_chunked })
                }
                Question::Burl(url) => Event::Burl(Burl { facts, exchange, url }),
                Question::Etrn(node) => Event::Etrn(Etrn { facts, exchange, node }),
                Question::Atrn(domains) => {
                    Event::Atrn(Atrn { facts, exchange, domains: domains.as_ref() })
                }
                Question::Other(verb, argument) => {
                    let argument = argument.as_ref();
                    Event::Other(Other { facts, exchange, verb, argument })
                }
                // The reply has to be on its way before somebody else speaks.
                Question::HandOver if !output.is_empty() => return None,
                Question::HandOver => Event::HandOver(HandOver { facts, exchange }),
                Question::Xclient(attributes) => {
                    Event::Xclient(Xclient { facts, exchange, attributes })
                }
                Question::Xforward(attributes) => {
                    Event::Xforward(Xforward { facts, exchange, attributes })
                }
                Question::Deliver(verdicts) => {
                    Event::Deliver(Deliver { facts, exchange, verdicts })
                }
                Question::Verify => Event::Verify(Verify { facts, exchange }),
                Question::Expand => Event::Expand(Expand { facts, exchange }),
            },
            Phase::Content if content.is_lent() => {
                Event::Content(event::Content { facts, exchange, input, content })
            }
            Phase::Abort(reason, _) => Event::Abort(Abort { facts, exchange, reason: *reason }),
            _ => return None,
        })
    }

    // What is said.

    pub(super) fn reply(&mut self, reply: &Reply<'_>) {
        // RFC 2034 section 4: neither the opening reply nor that to a hello has an enhanced code.
        let is_enhanced = !mem::take(&mut self.is_bare)
            && self.config.extensions().contains(Extension::EnhancedStatusCodes);
        self.output.reply(reply, is_enhanced);
    }

    // Whose turn it is.

    /// The client has not waited for a reply that it must wait for: the end, where that is enforced.
    pub(super) fn is_out_of_turn(&mut self) -> bool {
        self.facts.has_pipelined = true;
        if self.config.enforces_sync() {
            self.refuse_and_end(replies::OUT_OF_TURN.reply(), End::OutOfTurn);
        }
        self.config.enforces_sync()
    }

    /// Whether octets have come before the greeting, and nobody has noticed yet.
    pub(super) fn is_early(&self, input: &ReceiveBuffer) -> bool {
        // Behind XCLIENT there is a greeting too.
        self.totals.commands == 0 && !self.facts.has_talked_early && !input.is_empty()
    }

    pub(super) fn talked_early(&mut self, is_tls: bool) {
        self.facts.has_talked_early = true;
        if is_tls {
            self.other_protocol();
        } else if self.config.enforces_sync() {
            self.end(replies::OUT_OF_TURN.reply(), End::OutOfTurn);
        }
    }

    /// The greeting is due, or the client may still show that it does not wait for it.
    pub(super) fn await_silence(&mut self, now: Instant) -> Option<Need> {
        let delay = self.config.timeouts().greeting;
        if delay.is_zero() || self.totals.commands > 0 || self.facts.has_talked_early {
            return None;
        }
        self.reading.start(now);
        let until = self.reading.deadline(now, delay);
        if until.has_passed(now) {
            self.reading = Stopwatch::default();
            return None;
        }
        Some(Need::Read(until))
    }

    // TLS.

    /// What this client may use from now on, and is told so.
    pub(super) fn announce(&mut self, is_extended: bool) {
        self.offered = if !is_extended {
            // Extensions exist only behind EHLO (RFC 5321 section 2.2.1).
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

    /// With AUTH, if there is a mechanism that this client may use now.
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
        offered.with_mechanisms(names.iter().filter_map(|name| Mechanism::new(name.as_str()).ok()))
    }

    /// Says the reply that was withheld.
    pub(super) fn end_delay(&mut self) {
        if let Phase::Delayed(_, reply) = mem::replace(&mut self.phase, Phase::Command) {
            self.reply(&reply);
        }
    }

    /// Everything that was learnt before is forgotten (RFC 3207 section 4.2).
    pub(super) fn upgraded(&mut self, security: Security) {
        self.facts.upgrade(security);
        self.announce(self.facts.had_hello);
        self.content.clear();
        self.output.note(Entry::Secured);
        // With implicit TLS nothing has been said yet, and the greeting follows.
        if !matches!(self.phase, Phase::Start) {
            self.phase = Phase::Command;
        }
    }

    /// Ends the session after octets in the clear that followed the 220 to STARTTLS: nothing more is
    /// heard, and only the replies to what came before STARTTLS are still said.
    pub(super) fn inject(&mut self) {
        self.output.take_back();
        self.proceed(Then::Farewell(End::Injection));
    }

    /// A client that speaks TLS in the clear waits for TLS: nothing that is said here would reach
    /// anybody.
    pub(super) fn other_protocol(&mut self) {
        self.drop_out(End::OtherProtocol);
    }

    pub(super) fn upgrade_failed(&mut self, end: End) {
        self.link = Link::Lost;
        self.close(match self.is_stopping || self.is_closing {
            true => End::ShutDown,
            false => end,
        });
    }

    // How it waits.

    /// Whether so many replies wait that nothing more may be read.
    pub(super) fn is_clogged(&self) -> bool {
        !self.output.is_empty() && self.output.len() >= self.config.limits().send_buffer
    }

    pub(super) fn await_command(&mut self, now: Instant) -> Option<Need> {
        self.reading.start(now);
        let command = self.reading.deadline(now, self.config.timeouts().command);
        let deadline = command.min(self.idle_deadline(now));
        self.await_octets(now, deadline)
    }

    /// Waits for room for further replies before a further command is read.
    pub(super) fn await_room(&mut self, now: Instant) -> Need {
        let idle = self.idle_deadline(now);
        match self.must_write(now) {
            Need::Write(until) => Need::Write(until.min(idle)),
            other => other,
        }
    }

    /// Returns when a session that is in no piece of content ends, whatever comes: at its own
    /// deadline, and between two pieces at that of the content.
    fn idle_deadline(&mut self, now: Instant) -> Instant {
        if self.content.stage().is_some() {
            self.content.wait(now);
        }
        self.session_deadline().min(self.content_deadline(now))
    }

    pub(super) fn await_content(&mut self, now: Instant) -> Option<Need> {
        self.content.wait(now);
        let deadline = self.content_deadline(now);
        self.await_octets(now, deadline)
    }

    fn await_octets(&mut self, now: Instant, deadline: Instant) -> Option<Need> {
        if deadline.has_passed(now) {
            self.time_out();
            None
        } else if self.output.is_empty() {
            Some(Need::Read(deadline))
        } else {
            match self.must_write(now) {
                Need::Write(until) => Some(Need::Either(deadline.min(until))),
                other => Some(other),
            }
        }
    }

    pub(super) fn await_answer(&mut self, now: Instant) -> Need {
        // Time that the application takes is not held against the peer.
        self.reading.stop(now);
        self.writing.stop(now);
        self.closing.stop(now);
        self.content.pause(now);
        Need::Answer
    }

    pub(super) fn must_write(&mut self, now: Instant) -> Need {
        if self.block == 0 {
            self.block = self.output.len();
        }
        self.writing.start(now);
        if self.is_closing {
            self.closing.start(now);
        }
        Need::Write(self.write_deadline(now))
    }

    /// Returns when a peer that does not read the replies that wait is given up.
    fn write_deadline(&self, now: Instant) -> Instant {
        let timeouts = self.config.timeouts();
        let deadline = self.writing.deadline(now, timeouts.write);
        match self.is_closing {
            true => deadline.min(self.closing.deadline(now, timeouts.closing)),
            false => deadline,
        }
    }

    /// Returns when content is given up, in the course of a piece or between two of them. Content
    /// that is discarded does not outlive the session.
    fn content_deadline(&self, now: Instant) -> Instant {
        let is_over = self.content.stage().is_none() && !matches!(self.phase, Phase::Content);
        if is_over {
            return Instant::NEVER;
        }
        let deadline = self.content.deadline(now, self.config.timeouts(), self.is_stopping);
        match self.content.is_discarding() {
            true => deadline.min(self.session_deadline()),
            false => deadline,
        }
    }

    /// Ends a session whose client let it wait too long. One that is shutting down, and waited only
    /// for what is left of content, ends as an idle one does.
    fn time_out(&mut self) {
        let is_left_over = matches!(self.phase, Phase::Command | Phase::Delayed(..))
            || self.content.is_discarding();
        match self.is_stopping && is_left_over {
            true => self.end(replies::SHUTTING_DOWN.reply(), End::ShutDown),
            false => self.end(replies::TIMED_OUT.reply(), End::TimedOut),
        }
    }

    /// Returns when the whole session ends.
    fn session_deadline(&self) -> Instant {
        match (self.began, self.config.timeouts().session) {
            (Some(began), Some(allowance)) => began + allowance,
            _ => Instant::NEVER,
        }
    }

    pub(super) fn sent(&mut self, octets: usize) {
        self.totals.octets_sent = self.totals.octets_sent.saturating_add(octets as u64);
        self.output.sent(octets);
        self.block = self.block.saturating_sub(octets);
        if self.block == 0 {
            self.writing = Stopwatch::default();
        }
    }

    // How it begins and ends.

    pub(super) fn begin(&mut self, now: Instant) {
        self.began.get_or_insert(now);
        let Totals { peer_time, application_time, .. } = &mut self.totals;
        self.debts.settle(now, peer_time, application_time);
        self.output.now = now;
        if let Some(config) = self.exchange.configure.take() {
            // A hello that is accepted ends the transaction whose limits may not sink.
            let is_over = matches!(self.exchange.answer, Some(Answer::Accept(_)));
            self.config = match self.facts.transaction.is_open() && !is_over {
                true => Arc::new(config.rising_from(self.config.limits())),
                false => config,
            };
        }
        if let Some(identity) = self.exchange.proven.take() {
            self.facts.proven = Some(identity);
        }
    }

    /// What has happened from outside since the last poll.
    pub(super) fn heed(&mut self, now: Instant) {
        if self.link == Link::Lost {
            self.lose();
        } else if !self.output.is_empty() && self.write_deadline(now).has_passed(now) {
            self.link = Link::Lost;
            self.drop_out(if self.is_closing { End::ShutDown } else { End::TimedOut });
        } else if matches!(self.phase, Phase::Command | Phase::Delayed(..))
            && self.session_deadline().min(self.content_deadline(now)).has_passed(now)
        {
            self.time_out();
        } else if self.is_closing && matches!(self.phase, Phase::Asked(Question::HandOver)) {
            // A 421 would be heard by another protocol.
            self.proceed(Then::Farewell(End::ShutDown));
        } else if self.is_closing && matches!(self.phase, Phase::Asked(Question::Upgrade)) {
            match self.output.take_back() {
                true => self.end(replies::SHUTTING_DOWN.reply(), End::ShutDown),
                // After 220 the client hears nothing in the clear.
                false => self.proceed(Then::Farewell(End::ShutDown)),
            }
        } else if self.is_closing || self.is_stopping {
            let may_end = match self.phase {
                Phase::Farewell(_) | Phase::Closed(_) | Phase::Abort(..) => false,
                // A whole message has its answer, and what is said after the others is not SMTP.
                Phase::Asked(Question::Deliver(_) | Question::Upgrade | Question::HandOver) => {
                    false
                }
                Phase::Content | Phase::Asked(Question::Burl(_)) => self.is_closing,
                // Content in progress, between two chunks of it.
                _ if self.is_chunking() => self.is_closing,
                Phase::Start
                | Phase::Command
                | Phase::Asked(_)
                | Phase::Auth(_)
                | Phase::Delayed(..) => true,
            };
            if may_end {
                self.end(replies::SHUTTING_DOWN.reply(), End::ShutDown);
            }
        }
    }

    pub(super) fn closed(&mut self, how: Closed) {
        if self.link == Link::Open && !matches!(self.phase, Phase::Closed(_)) {
            self.output.note(Entry::Closed { from: Side::Client });
        }
        self.link = match (how, self.link) {
            (Closed::Clean, Link::Open | Link::HalfClosed) => Link::HalfClosed,
            (Closed::CutOff, _) | (Closed::Clean, Link::Lost) => Link::Lost,
        };
    }

    /// The last reply, then the end; a question that is open is withdrawn.
    pub(super) fn end(&mut self, reply: &Reply<'_>, end: End) {
        self.reply(reply);
        self.go(end.abort(), Then::Farewell(end));
    }

    /// Nobody is there any more.
    pub(super) fn lose(&mut self) {
        self.drop_out(self.tls_failure.clone().map_or(End::ConnectionLost, End::TlsFailed));
    }

    fn drop_out(&mut self, end: End) {
        if self.link == Link::Lost {
            self.output.clear();
        }
        match &mut self.phase {
            // Whoever was asked to take responsibility for a whole message has to answer.
            Phase::Asked(Question::Deliver(_)) | Phase::Closed(_) => {}
            Phase::Abort(_, Then::Closed(_)) => {}
            Phase::Abort(_, then) => {
                let end = if let Then::Farewell(end) = then { end.clone() } else { end };
                *then = Then::Closed(end);
            }
            Phase::Farewell(end) if self.link == Link::Lost => {
                let end = end.clone();
                self.close(end);
            }
            Phase::Farewell(_) => {}
            _ if self.link == Link::Lost => self.go(end.abort(), Then::Closed(end)),
            // Replies may still be on their way to a peer that only listens.
            _ => self.go(end.abort(), Then::Farewell(end)),
        }
    }

    /// Goes on with `then`, after the application has heard that its transaction is over, if
    /// it had accepted one.
    pub(super) fn go(&mut self, reason: AbortReason, then: Then) {
        self.exchange.answer = None;
        if !matches!(then, Then::Content) {
            self.content.clear();
        }
        self.facts.transaction.withdraw();
        if self.facts.transaction.is_open() {
            self.phase = Phase::Abort(reason, then);
            self.lend();
        } else {
            self.facts.end_transaction();
            self.proceed(then);
        }
    }

    pub(super) fn proceed(&mut self, then: Then) {
        match then {
            Then::Closed(end) => self.close(end),
            other => {
                self.phase = other.into();
                if let Phase::Asked(_) = self.phase {
                    self.lend();
                }
            }
        }
    }

    pub(super) fn close(&mut self, end: End) {
        if self.link != Link::Lost {
            self.output.note(Entry::Closed { from: Side::Server });
        }
        self.output.clear();
        self.phase = Phase::Closed(end);
    }

    // What a reply costs.

    /// Says no to a command: the verdict is the machine's own.
    pub(super) fn refuse(&mut self, reply: &Reply<'_>, fault: Fault) {
        self.count_error();
        self.charge(reply, fault);
    }

    /// Says no to a command, and ends the session.
    pub(super) fn refuse_and_end(&mut self, reply: &Reply<'_>, end: End) {
        self.count_error();
        self.end(reply, end);
    }

    /// Counts a command or message that the machine itself refuses.
    pub(super) const fn count_error(&mut self) {
        self.totals.errors = self.totals.errors.saturating_add(1);
    }

    /// Says a reply, and charges the client for the fault that it is a reply to.
    pub(super) fn charge(&mut self, reply: &Reply<'_>, fault: Fault) {
        match self.charged(reply, fault) {
            Then::Command => {}
            Then::Farewell(end) => self.go(end.abort(), Then::Farewell(end)),
            other => self.phase = other.into(),
        }
    }

    /// Says a reply and charges the client for it, and returns what comes after it.
    pub(super) fn charged(&mut self, reply: &Reply<'_>, fault: Fault) -> Then {
        match self.budget.charge(fault, self.config.limits(), self.config.timeouts()) {
            Penalty::Close => {
                let last = match fault {
                    Fault::FailedAuth => replies::TOO_MANY_ATTEMPTS,
                    _ => replies::TOO_MANY_ERRORS,
                };
                if reply.code().is_positive() {
                    self.count_error();
                }
                self.reply(last.reply());
                Then::Farewell(End::TooManyErrors)
            }
            Penalty::Delay(delay) if !delay.is_zero() => {
                Then::Delayed(self.output.now + delay, reply.as_borrowed().into_owned())
            }
            Penalty::Reply | Penalty::Delay(_) => {
                self.reply(reply);
                Then::Command
            }
        }
    }

    // Content.

    /// Returns whether a chunk of content was accepted, and a further one is awaited.
    pub(super) fn is_chunking(&self) -> bool {
        self.content.stage() == Some(Stage::Chunking)
    }

    /// Takes in content, wanted or not; `None` when something has changed.
    pub(super) fn take_in(&mut self, input: &mut ReceiveBuffer, now: Instant) -> Option<Need> {
        match self.content.advance(input, self.config.limits().message, now) {
            Progress::Lent => self.lend(),
            Progress::Discarded => self.check_discarded(),
            Progress::Violation(violation) => self.refuse_violation(violation),
            Progress::End(ending) => self.end_of_content(ending, now),
            Progress::Need if self.link == Link::Open => return self.await_content(now),
            Progress::Need => self.lose(),
        }
        None
    }

    /// Refuses the content in progress, which breaks a rule.
    pub(super) fn refuse_violation(&mut self, violation: Violation) {
        self.count_error();
        let (reason, rejection) = match violation {
            Violation::TooLarge => (AbortReason::TooLarge, replies::TOO_LARGE),
            Violation::BareLineBreak(octet) => {
                (AbortReason::BareLineBreak(octet), replies::BARE_LINE_BREAK)
            }
            Violation::Nul(octet) => (AbortReason::Nul(octet), replies::NUL),
        };
        self.refuse_content(reason, rejection);
    }

    /// Refuses the content in progress: what is left of it is discarded, and the client hears of it
    /// at the end.
    pub(super) fn refuse_content(&mut self, reason: AbortReason, rejection: Rejection) {
        self.content.refuse(rejection, self.replies());
        self.go(reason, Then::Content);
    }

    /// Ends the session if far too much was discarded.
    pub(super) fn check_discarded(&mut self) {
        if self.budget.is_discarding_too_much(self.content.wire(), self.config.limits()) {
            self.end(replies::TOO_MUCH_TO_DISCARD.reply(), End::TooManyErrors);
        }
    }

    fn end_of_content(&mut self, ending: Ending, now: Instant) {
        self.reading = Stopwatch::default();
        self.phase = Phase::Command;
        if let Ending::Url(url) = ending {
            return self.ask(Question::Burl(url));
        }
        let wire = self.content.wire();
        self.output.note(Entry::Content { from: Side::Client, octets: wire });
        if !self.content.is_counted() {
            self.output.note(Entry::Line { from: Side::Client, octets: b"." });
        }
        match ending {
            Ending::Url(_) => {}
            Ending::Chunk => {
                // `BDAT 0` brings the message no nearer; `BDAT 0 LAST` does (RFC 3030 section 2).
                let fault = if wire == 0 { Fault::NoProgress } else { Fault::None };
                self.charge(&replies::CHUNK_OK, fault);
            }
            Ending::Message => {
                self.content.clear();
                self.ask(Question::Deliver(Verdicts::default()));
            }
            Ending::Refused(refusal) => {
                self.budget.discard(wire.max(CHUNK_COST));
                if self.content.stage().is_none() {
                    self.content.pause(now);
                }
                if self.is_silent_at_end() {
                    return;
                }
                // All replies are the same, so the last of them bears the penalty.
                for _ in 1..refusal.replies {
                    self.reply(refusal.rejection.reply());
                }
                if refusal.replies > 0 {
                    self.charge(refusal.rejection.reply(), refusal.fault);
                }
            }
        }
    }

    /// Where each recipient gets a reply, the last chunk has none if no recipient was accepted (RFC
    /// 2033 section 4.3), also after a MAIL that was refused.
    fn is_silent_at_end(&self) -> bool {
        let transaction = &self.facts.transaction;
        let is_addressed = transaction.is_open() || transaction.is_refused();
        let is_chunked = self.offered.contains(Extension::Chunking);
        self.replies() == 0 && is_addressed && is_chunked && self.content.is_last()
    }
}

/// Octets that a discarded chunk costs at least: a line.
const CHUNK_COST: u64 = 512;
