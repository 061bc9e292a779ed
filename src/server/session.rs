//! What a session keeps between two polls, and how it waits and ends.

use super::{
    budget::Budget,
    config::Config,
    event::{
        Abort, Answer, Atrn, Auth, Authenticated, Burl, Connect, Content, Credentials, Data,
        Deliver, Etrn, Event, Exchange, Expand, HandOver, Hello, Mail, Other, Rcpt, StartTls,
        Upgrade, Verify, Xclient, Xforward,
    },
    facts::{Facts, Peer},
    output::Output,
    replies,
    sequence::{Stage, Standing},
    state::{AbortReason, Beginning, Body, End, Intake, Phase, Question, Refusal, Then},
};
use crate::{
    machine::{Closed, Debts, Need},
    security::Security,
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
    /// Commands that were refused by the machine itself.
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
    pub(super) body: Body,
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
    /// How long the peer has let us wait for a command or for content.
    pub(super) reading: Stopwatch,
    /// How long the peer has not read all of a block that waits for it: taking octet by octet
    /// gains no time.
    writing: Stopwatch,
    /// What is left of that block, in octets.
    block: usize,
}

impl Session {
    pub(super) fn new(config: Arc<Config>, peer: Peer, security: Security) -> Self {
        Self {
            facts: Facts::new(peer, security, config.service()),
            config,
            phase: Phase::Start,
            exchange: Exchange::default(),
            output: Output::default(),
            body: Body::None,
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
            reading: Stopwatch::default(),
            writing: Stopwatch::default(),
            block: 0,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            stage: self.stage(),
            is_secure: self.facts.security.is_tls(),
            is_authenticated: self.facts.identity.is_some(),
            had_hello: self.facts.had_hello && self.config.lenience().auth_without_hello,
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
            match self.body {
                Body::Chunks(_) => Stage::Chunking,
                Body::Failed(_) => Stage::Failed,
                Body::None if transaction.is_open() => Stage::Addressed {
                    recipients: transaction.accepted(),
                    is_binary: transaction.is_binary(),
                },
                Body::None if transaction.is_refused() => Stage::MailRefused,
                Body::None => Stage::Ready,
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
        let Self { facts, exchange, phase, output, .. } = self;
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
                Question::Data(beginning) => {
                    let is_chunked = !matches!(beginning, Beginning::Dots);
                    Event::Data(Data { facts, exchange, is_chunked })
                }
                Question::Burl(_, piece) => Event::Burl(Burl { facts, exchange, piece }),
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
            Phase::Content(intake) if !intake.lent.is_nothing() => {
                Event::Content(Content { facts, exchange, input, lent: intake.lent })
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
            self.end(replies::OUT_OF_TURN.reply(), End::OutOfTurn);
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

    /// What was withheld is said.
    pub(super) fn end_penance(&mut self) {
        if let Phase::Penance(_, reply) = mem::replace(&mut self.phase, Phase::Command) {
            self.reply(&reply);
        }
    }

    /// Everything that was learnt before is forgotten (RFC 3207 section 4.2).
    pub(super) fn upgraded(&mut self, security: Security) {
        self.facts.upgrade(security);
        self.announce(self.facts.had_hello);
        self.body = Body::None;
        self.output.note(Entry::Secured);
        // With implicit TLS nothing has been said yet, and the greeting follows.
        if !matches!(self.phase, Phase::Start) {
            self.phase = Phase::Command;
        }
    }

    /// Octets in the clear after 220: nothing more may be said or heard.
    pub(super) fn inject(&mut self) {
        self.close(End::Injection);
    }

    /// A client that speaks TLS in the clear waits for TLS: nothing that is said here would reach
    /// anybody.
    pub(super) fn other_protocol(&mut self) {
        self.drop_out(End::OtherProtocol);
    }

    pub(super) fn upgrade_failed(&mut self) {
        self.link = Link::Lost;
        self.close(match self.is_stopping || self.is_closing {
            true => End::ShutDown,
            false => End::NoTls,
        });
    }

    // How it waits.

    /// Whether so many replies wait that nothing more may be read.
    pub(super) fn is_clogged(&self) -> bool {
        !self.output.is_empty() && self.output.len() >= self.config.limits().send_buffer
    }

    pub(super) fn await_command(&mut self, now: Instant) -> Option<Need> {
        let allowance = self.config.timeouts().command;
        let deadline = self.reading.deadline(now, allowance).min(self.session_deadline());
        self.await_octets(now, deadline)
    }

    pub(super) fn await_content(&mut self, now: Instant) -> Option<Need> {
        let (Phase::Content(intake) | Phase::Discard(intake, _)) = &self.phase else { return None };
        let timeouts = self.config.timeouts();
        let allowance = timeouts.content.saturating_add(timeouts.floor.time_for(intake.wire));
        let deadline = self.reading.deadline(now, allowance);
        self.await_octets(now, deadline)
    }

    fn await_octets(&mut self, now: Instant, deadline: Instant) -> Option<Need> {
        self.reading.start(now);
        if deadline.has_passed(now) {
            self.end(replies::TIMED_OUT.reply(), End::TimedOut);
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
        // What we owe is not held against the peer.
        self.reading.stop(now);
        self.writing.stop(now);
        Need::Answer
    }

    pub(super) fn must_write(&mut self, now: Instant) -> Need {
        if self.block == 0 {
            self.block = self.output.len();
        }
        self.writing.start(now);
        Need::Write(self.writing.deadline(now, self.config.timeouts().write))
    }

    fn session_deadline(&self) -> Instant {
        // Content in progress, between two chunks of it.
        if matches!(self.body, Body::Chunks(_)) {
            return Instant::NEVER;
        }
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
        } else if !self.output.is_empty()
            && self.writing.deadline(now, self.config.timeouts().write).has_passed(now)
        {
            self.link = Link::Lost;
            self.drop_out(End::TimedOut);
        } else if matches!(self.phase, Phase::Command | Phase::Penance(..))
            && self.session_deadline().has_passed(now)
        {
            self.end(replies::TIMED_OUT.reply(), End::TimedOut);
        } else if self.is_closing && matches!(self.phase, Phase::Asked(Question::HandOver)) {
            // What would be said is another protocol's.
            self.close(End::ShutDown);
        } else if self.is_closing || self.is_stopping {
            let may_end = match self.phase {
                Phase::Farewell(_) | Phase::Closed(_) | Phase::Abort(..) => false,
                // A whole message has its answer, and what is said behind these is not SMTP.
                Phase::Asked(Question::Deliver(_) | Question::Upgrade | Question::HandOver) => {
                    false
                }
                Phase::Content(_) | Phase::Discard(..) | Phase::Asked(Question::Burl(..)) => {
                    self.is_closing
                }
                // Content in progress, between two chunks of it.
                Phase::Command => self.is_closing || !matches!(self.body, Body::Chunks(_)),
                Phase::Asked(_) | Phase::Penance(..) if matches!(self.body, Body::Chunks(_)) => {
                    self.is_closing
                }
                Phase::Start | Phase::Asked(_) | Phase::Auth(_) | Phase::Penance(..) => true,
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
        self.drop_out(End::ConnectionLost);
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
                let end = if let Then::Farewell(end) = then { *end } else { end };
                *then = Then::Closed(end);
            }
            Phase::Farewell(end) if self.link == Link::Lost => {
                let end = *end;
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
        self.body = match &then {
            Then::Discard(intake, _) if intake.is_to_be_continued() => Body::Failed(self.replies()),
            _ => Body::None,
        };
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

    // Content.

    /// Content is there for the application, unless it is too much.
    pub(super) fn lend_content(&mut self) {
        match &self.phase {
            Phase::Content(intake) if intake.octets > self.config.limits().message => {
                self.abandon(AbortReason::TooLarge, replies::TOO_LARGE);
            }
            _ => self.lend(),
        }
    }

    /// The content in progress will not be delivered; its end will be answered with this.
    pub(super) fn abandon(&mut self, reason: AbortReason, rejection: Rejection) {
        match mem::replace(&mut self.phase, Phase::Command) {
            Phase::Content(intake) => self.discard(intake, reason, rejection),
            other => self.phase = other,
        }
    }

    pub(super) fn discard(&mut self, intake: Intake, reason: AbortReason, rejection: Rejection) {
        let replies = if intake.is_to_be_continued() { 1 } else { self.replies() };
        self.go(reason, Then::Discard(intake, Refusal { rejection, replies, is_offence: false }));
    }

    pub(super) fn bare_line_break(&mut self, octet: u64) {
        self.abandon(AbortReason::BareLineBreak(octet), replies::BARE_LINE_BREAK);
    }

    pub(super) fn nul(&mut self, octet: u64) {
        self.abandon(AbortReason::Nul(octet), replies::NUL);
    }

    /// A peer that pours out content which nobody wants is not listened to for ever.
    pub(super) fn check_discarded(&mut self) {
        if let Phase::Discard(intake, _) = &self.phase
            && self.budget.is_discarding_too_much(intake.wire, self.config.limits())
        {
            self.end(replies::TOO_MUCH_TO_DISCARD.reply(), End::TooManyErrors);
        }
    }
}
