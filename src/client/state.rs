//! The phases of a session, and how the client goes from one to the next by itself.

use super::{
    auth::Exchange,
    channel::{Channel, Input, Output},
    commands::Ask,
    config::{Config, Limits, TlsPolicy},
    content::{Framing, Outgoing},
    error::{End, ProtocolError},
    plan::Plan,
    queue::{Expected, Queue},
    report::Report,
    transaction::{Capacity, Ending, News, Step, Transaction, Underway},
};
use crate::{
    envelope::Envelope,
    machine::Need,
    sasl::{self, Mechanism},
    security::Security,
    syntax::{Code, Extension, Extensions, Reply, Verb},
    time::Instant,
    transcript::{Entry, Side},
};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

/// What the sending half of the session is about. The receiving half is the [`Queue`] of replies
/// that are owed; a transaction that was sent to its end waits there, and the sending half is
/// free for the next.
///
/// ```text
///            220           250
/// Opening ────────► Asking ───► Ready ◄──────────────────────────────┐
///    │ 4yz 5yz      (EHLO,      │ ▲ │                                │
///    ▼               HELO)      │ │ └─ wait ─► Waiting ─ Sent, ready()┤
/// Asking(QUIT)         ▲        │ │                                  │
///                      │        │ │ 2yz           4yz 5yz            │
///     noop, verify, …  │   ◄────┤ └──── Asked ──────────► Refused ───┤
///     Asking ─► Asked  │        │ │ 235                    ▲  go_on  │
///                      │   ◄────┤ └──── Auth ◄─► 334       │         │
///     Asking ─► Auth   │        │         │    4yz 5yz     │         │
///                      │ done   │         └────────────────┤         │
///     start_tls        │   ◄────┤                          │         │
///     Asking ─► Asked ─┤        │              4yz 5yz     │         │
///         220 └► Upgrading      │  Asked ──────────────────┘         │
///     turn             │        │                                    │
///     Asking ─► Asked ─┼─► HandingOver                               │
///     speak_for        │ 250    │                                    │
///     Asking ─► Asked ─┘ EHLO   │                                    │
///                               │                                    │
///                               │ send                               │
///                               ▼             no recipient           │
///                           Envelope ────────────────────────────────┤
///                               │ 354; CHUNKING: at once             │
///                               ▼                                    │
///                            Content ── finish ─► Ending ────────────┤
///                               │ abort                              │
///                               ▼             BDAT                   │
///                            Aborting ───────────────────────────────┘
///                               │ DATA
///  quit                         ▼
/// Asking(QUIT) ─► Quitting ─► Over ◄── 421, closed, timed out, protocol error, from anywhere
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    /// The reply that is owed opens the session: greeting or hello.
    Opening,
    /// A command that leaves at the next poll.
    Asking(Ask),
    /// Its reply is owed; behind a positive one, this leaves.
    Asked(Option<Ask>),
    /// A transaction may begin.
    Ready,
    /// The application has nothing to send now.
    Waiting,
    /// A command was refused: the application decides.
    Refused,
    /// STARTTLS was agreed: TLS takes over, and nothing is said or heard before it has.
    Upgrading,
    /// ATRN was accepted: nothing more is said or heard by this machine.
    HandingOver,
    /// AUTH was sent, and has no final reply yet.
    Auth(Exchange),
    /// MAIL, RCPT and DATA of the newest transaction.
    Envelope,
    /// The content of the newest transaction, from the application.
    Content(Outgoing),
    /// It is complete, and its last octets (of DATA: these) leave at the next poll.
    Ending(Outgoing, Vec<u8>),
    /// It will never be complete.
    Aborting(Outgoing),
    /// QUIT was sent; this will be the end.
    Quitting(End),
    Over(End),
}

impl Phase {
    /// Returns whether the content of a transaction is on its way, or waited for.
    const fn is_content(&self) -> bool {
        matches!(self, Self::Content(_) | Self::Ending(..) | Self::Aborting(_))
    }
}

/// What the application is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Ready,
    Refused,
    Upgrade,
    HandOver,
    Challenge,
    Content,
    Answered,
    Sent,
}

/// Whether the server may still hold something of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slate {
    Clean,
    /// RSET must come before the next MAIL.
    Used,
}

/// What is known of the session: lent to the application beside every question.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) config: Arc<Config>,
    pub(super) security: Security,
    pub(super) greeting: Option<Arc<Reply<'static>>>,
    /// How the session was opened.
    pub(super) hello: Option<Verb>,
    /// What the server offers and we may use.
    pub(super) offered: Extensions,
    /// The reply to the last command that stood alone.
    pub(super) last: Option<(Verb, Arc<Reply<'static>>)>,
    /// The refusal of EHLO after which HELO was sent, while that has not succeeded.
    pub(super) refused_hello: Option<Arc<Reply<'static>>>,
    /// The mechanism with which AUTH has succeeded.
    pub(super) authenticated: Option<Mechanism>,
}

impl Facts {
    pub(super) fn is_pipelining(&self) -> bool {
        self.offered.contains(Extension::Pipelining)
    }

    pub(super) fn limits(&self) -> &Limits {
        self.config.limits()
    }

    /// What was said so far was not said in the session that begins now.
    pub(super) fn forget(&mut self) {
        self.greeting = None;
        self.hello = None;
        self.offered = Extensions::NONE;
        self.last = None;
        self.refused_hello = None;
        self.authenticated = None;
    }

    /// Returns whether HELO is tried where EHLO was refused with this code: an old server may not
    /// know EHLO and say so with any 5yz code (RFC 5321 section 3.2), but 521 is that of a host that
    /// takes no mail (RFC 7504 section 3). After HELO there is neither TLS nor AUTH nor any other
    /// extension, so that it is not tried where one is required.
    pub(super) fn may_try_helo(&self, code: Code) -> bool {
        let service = self.config.service();
        code.is_permanent()
            && code != Code::NO_MAIL_HERE
            && service.has_helo()
            && !service.requires_auth()
            && self.config.tls() != TlsPolicy::Required
            && self.config.required().is_empty()
    }

    /// What a mechanism may rely on. Where TLS is a matter of luck, somebody in the middle may be
    /// the other end of it.
    pub(super) fn channel(&self) -> sasl::Channel {
        let channel = self.security.channel();
        match self.config.tls() == TlsPolicy::IfOffered && !self.security.is_verified() {
            true => channel.with_stranger(),
            false => channel,
        }
    }

    /// How many transactions may be under way.
    fn transactions(&self) -> usize {
        if self.is_pipelining() { self.config.transactions() } else { 1 }
    }
}

/// Everything that changes.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) phase: Phase,
    pub(super) question: Option<Question>,
    /// How many questions were asked.
    pub(super) questions: u64,
    pub(super) channel: Channel,
    pub(super) queue: Queue,
    /// Transactions without a report; the replies that are owed belong to the front one first,
    /// what is being sent belongs to the back one.
    pub(super) underway: VecDeque<Underway>,
    pub(super) reports: VecDeque<Report>,
    /// The answers for single recipients, for the application that wants to know at once.
    pub(super) answers: News,
    /// How many transactions were begun.
    begun: u64,
    pub(super) slate: Slate,
    /// How many times MAIL was sent.
    pub(super) mails: u32,
    /// How many recipients go into one transaction.
    pub(super) capacity: Capacity,
}

impl Core {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            phase: Phase::Opening,
            question: None,
            questions: 0,
            channel: Channel::new(config.limits()),
            queue: Queue::from([Expected::Greeting]),
            underway: VecDeque::new(),
            reports: VecDeque::new(),
            answers: config.has_answers().then(VecDeque::new),
            begun: 0,
            slate: Slate::Clean,
            mails: 0,
            capacity: Capacity::UNKNOWN,
        }
    }

    pub(super) fn poll(&mut self, facts: &mut Facts, now: Instant) -> Need {
        self.channel.begin(now);
        while self.reports.front().is_some_and(Report::is_taken) {
            self.reports.pop_front();
        }
        if matches!(self.phase, Phase::HandingOver) && self.channel.output == Output::Broken {
            self.over(End::Unsendable);
        }
        // What the server has said is heard before anything more is said: a refusal that has come
        // keeps the next chunk back.
        loop {
            while self.hear(facts) {}
            self.speak(facts);
            if !self.hear(facts) {
                break;
            }
        }
        self.need(facts).unwrap_or_else(|TimedOut| {
            match self.channel.output {
                Output::Open => self.over(End::TimedOut),
                Output::Broken => self.lost(facts, End::Unsendable),
            }
            self.need(facts).unwrap_or(Need::Close)
        })
    }

    fn need(&mut self, facts: &Facts) -> Result<Need, TimedOut> {
        let question = self.next_question(facts);
        if question.is_some() && question != self.question {
            self.questions += 1;
        }
        self.question = question;
        if question.is_some() {
            self.channel.pause();
            return Ok(Need::Answer);
        }
        if matches!(self.phase, Phase::Over(_)) {
            return Ok(Need::Close);
        }
        let timeouts = facts.config.timeouts();
        let is_writing = !self.channel.send.is_empty();
        if !is_writing {
            self.channel.is_written(self.phase.is_content());
        }
        let deadline = if is_writing {
            self.channel.write_deadline(timeouts)
        } else if let Some(Expected::Chunk(..)) = self.queue.front() {
            self.channel.chunk_deadline(timeouts)
        } else if let Some(expected) = self.queue.front() {
            self.channel.read_deadline(expected.timeout(timeouts))
        } else if self.is_waiting() && self.channel.output == Output::Open {
            // Nothing is owed: this time is not the server's.
            self.channel.pause();
            return Ok(Need::Read(Instant::NEVER));
        } else {
            // The server has begun to say what nobody asked for, or all that is left to do is
            // to read.
            self.channel.read_deadline(timeouts.command)
        };
        if deadline.has_passed(self.channel.now) {
            Err(TimedOut)
        } else if is_writing {
            Ok(Need::Either(deadline))
        } else {
            Ok(Need::Read(deadline))
        }
    }

    /// Whether the application was asked, and has nothing now.
    fn is_waiting(&self) -> bool {
        match &self.phase {
            Phase::Waiting => true,
            Phase::Content(content) => content.is_waiting(),
            _ => false,
        }
    }

    fn next_question(&self, facts: &Facts) -> Option<Question> {
        let answer = self.answers.as_ref().and_then(VecDeque::front);
        match (answer, self.reports.front()) {
            (Some(answer), Some(report)) if answer.transaction > report.transaction() => {
                return Some(Question::Sent);
            }
            (Some(_), _) => return Some(Question::Answered),
            (None, Some(_)) => return Some(Question::Sent),
            (None, None) => {}
        }
        if self.channel.output == Output::Broken {
            return None;
        }
        match &self.phase {
            Phase::Refused => Some(Question::Refused),
            Phase::Upgrading => Some(Question::Upgrade),
            Phase::HandingOver => Some(Question::HandOver),
            Phase::Auth(exchange) => exchange.is_asking().then_some(Question::Challenge),
            Phase::Ready => (self.underway.len() < facts.transactions()
                // RFC 4468 section 3.2: the client waits for the reply to LAST.
                && !self.underway.back().is_some_and(|newest| newest.has_url)
                && self.may_speak()
                && !self.is_exhausted(facts))
            .then_some(Question::Ready),
            Phase::Content(content) => (content.error().is_some()
                || !content.is_flushing() && !content.is_waiting() && self.room(facts) > 0)
                .then_some(Question::Content),
            Phase::Opening
            | Phase::Asking(_)
            | Phase::Asked(_)
            | Phase::Waiting
            | Phase::Envelope
            | Phase::Ending(..)
            | Phase::Aborting(_)
            | Phase::Quitting(_)
            | Phase::Over(_) => None,
        }
    }

    /// Whether the server takes no further transaction (RFC 9422 section 4.1).
    pub(super) fn is_exhausted(&self, facts: &Facts) -> bool {
        facts.offered.limits().mail_max.is_some_and(|most| self.mails >= most)
    }

    /// How many octets of content may be taken now.
    pub(super) fn room(&self, facts: &Facts) -> usize {
        let pending = match &self.phase {
            Phase::Content(content) => content.pending(),
            _ => 0,
        };
        facts.config.ahead().saturating_sub(self.channel.send.len()).saturating_sub(pending)
    }

    /// Nothing new is begun while octets are there that no command asked for.
    pub(super) fn may_speak(&self) -> bool {
        !self.queue.is_empty() || self.channel.receive.is_empty()
    }

    /// Whether one command more may go out behind those that wait for replies.
    pub(super) fn may_pipeline(&self, facts: &Facts) -> bool {
        if facts.is_pipelining() {
            self.queue.len() < facts.config.in_flight()
                && self.channel.send.len() < facts.config.ahead()
        } else {
            self.queue.is_empty()
        }
    }

    /// Takes one reply in; `false` when there is none.
    fn hear(&mut self, facts: &mut Facts) -> bool {
        // What is there behind the reply to ATRN is for who takes over.
        if matches!(self.phase, Phase::Over(_) | Phase::HandingOver) {
            return false;
        }
        if matches!(self.phase, Phase::Upgrading) && !self.channel.receive.is_empty() {
            // RFC 3207 section 6: what is said in the clear behind the 220 is somebody else's.
            self.over(ProtocolError::Injection.into());
            return false;
        }
        let line = match &self.phase {
            Phase::Auth(_) => crate::syntax::RESPONSE_LINE.max(facts.limits().reply_line),
            _ => facts.limits().reply_line,
        };
        let expected = self.queue.front().copied();
        let is_enough = expected.is_some_and(Expected::is_yes_enough);
        let next = self.channel.next_reply(&facts.config, line, is_enough);
        if let Ok(Some(_)) = next {
            self.channel.answered_chunk(expected.and_then(Expected::chunk));
        }
        match next {
            Ok(Some((Some(reply), octets))) => {
                self.replied(facts, Arc::new(reply), octets);
                true
            }
            Ok(Some((None, _))) => {
                self.agreed();
                true
            }
            Ok(None) => {
                if let Input::Closed(how) = self.channel.input {
                    let failure = self.channel.tls_failure.take();
                    self.lost(facts, failure.map_or(End::PeerClosed(how), End::TlsFailed));
                }
                false
            }
            Err(error) => {
                self.over(error.into());
                false
            }
        }
    }

    /// The server has gone. After QUIT that is as good as 221, and after a refused EHLO it is part
    /// of the refusal.
    fn lost(&mut self, facts: &mut Facts, end: End) {
        if let (Phase::Quitting(reason), Some(Expected::Quit)) = (&self.phase, self.queue.front()) {
            let reason = reason.clone();
            return self.over(reason);
        }
        self.over(match (end, facts.refused_hello.take()) {
            (End::PeerClosed(_) | End::Unsendable, Some(refusal)) => End::Refused(refusal),
            (end, _) => end,
        });
    }

    /// Sends what may be sent now.
    fn speak(&mut self, facts: &Facts) {
        if self.channel.output == Output::Broken || self.channel.input != Input::Open {
            return;
        }
        match &self.phase {
            Phase::Asking(_) => self.ask(facts),
            Phase::Envelope => self.address(facts),
            Phase::Content(_) => self.carry(facts),
            Phase::Ending(..) => self.end_content(facts),
            Phase::Aborting(_) => self.abort(),
            Phase::Auth(_) => self.respond(),
            Phase::Ready
                if self.is_exhausted(facts)
                    && self.queue.is_empty()
                    && self.underway.is_empty() =>
            {
                self.phase = Phase::Asking(Ask::Quit(End::MailMax));
                self.ask(facts);
            }
            Phase::Opening
            | Phase::Asked(_)
            | Phase::Ready
            | Phase::Waiting
            | Phase::Refused
            | Phase::Upgrading
            | Phase::HandingOver
            | Phase::Quitting(_)
            | Phase::Over(_) => {}
        }
    }

    /// A transaction begins.
    pub(super) fn begin(&mut self, envelope: Arc<Envelope>, plan: Plan) -> Transaction {
        let transaction = Transaction(self.begun);
        self.begun += 1;
        let first = match self.slate {
            Slate::Clean => Step::Mail,
            Slate::Used => Step::Reset,
        };
        let mut newest = Underway::new(transaction, envelope, plan, first);
        newest.is_in_flight = !self.underway.is_empty();
        self.underway.push_back(newest);
        self.phase = Phase::Envelope;
        transaction
    }

    /// Makes the reports of transactions that have come to their end.
    pub(super) fn settle(&mut self) {
        while self.underway.front().is_some_and(Underway::is_complete) {
            if let Some(done) = self.underway.pop_front() {
                let sent = self.channel.sent;
                let report = done.report(Ending { sent, last: None, is_answered: false });
                if report.is_delivered_to_any() {
                    self.channel.totals.messages += 1;
                }
                self.reports.push_back(report);
            }
        }
    }

    /// The session is over, without a reply that says why.
    pub(super) fn over(&mut self, end: End) {
        self.over_by(end, None);
    }

    /// The session is over; `last` is the answer for every recipient that waited for the next reply.
    /// Of the transactions after that one none was tried.
    pub(super) fn over_by(&mut self, end: End, last: Option<&Arc<Reply<'static>>>) {
        if matches!(self.phase, Phase::Over(_)) {
            return;
        }
        if let Phase::Content(content) | Phase::Ending(content, _) | Phase::Aborting(content) =
            &self.phase
        {
            let octets = content.wire_octets();
            if self.underway.back().is_some_and(|newest| newest.framing == Framing::Dots) {
                self.channel.log(Entry::Content { from: Side::Client, octets });
            }
        }
        let from = match end {
            End::PeerClosed(_) => Side::Server,
            _ => Side::Client,
        };
        self.channel.log(Entry::Closed { from });
        for (index, transaction) in self.underway.drain(..).enumerate() {
            let ending = Ending { sent: self.channel.sent, last, is_answered: index == 0 };
            self.reports.push_back(transaction.report(ending));
        }
        self.queue.clear();
        self.channel.send.clear();
        self.question = None;
        self.phase = Phase::Over(end);
    }
}

/// A deadline has passed.
struct TimedOut;
