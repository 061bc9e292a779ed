//! A transaction in flight: the commands that may be sent for it, and the state of its recipients.

use super::{
    outgoing::{Allowed, Framing, Outgoing},
    plan::Plan,
    report::{Outcome, Outcomes, Report, TransactionNumber},
};
use crate::{
    envelope::Envelope,
    syntax::{Code, Command, ForwardPath, Parameters, Reply, Retry},
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use bytes::Bytes;

/// The number of RCPT that may wait for their replies while it is not known how many recipients the
/// server takes in one transaction.
const UNSURE: usize = 48;
/// The limits of servers are multiples of this, as a rule: 50, 100 (the least that RFC 5321 section
/// 4.5.3.1.8 allows), 500, 1000.
const ROUND: usize = 50;
/// The number of RCPT that may go beyond such a multiple before it is known to be no limit.
const BEYOND_ROUND: usize = 8;

/// The next step of sending a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// RSET comes before MAIL, for the server may still hold an earlier transaction.
    Reset,
    Mail,
    /// RCPT of the recipient at this place.
    Rcpt(usize),
    /// DATA, or the first chunk.
    Content,
    /// DATA was sent, or content is being sent.
    InProgress,
    /// Nothing more will be sent.
    Over,
}

/// The place of MAIL, and of the commands after it, among the replies to content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// MAIL was sent when the reply to every earlier content was there.
    Alone,
    /// MAIL was sent before the reply to the content of the transaction before it (RFC 2920 section 3.1).
    AfterContent,
    /// The server refuses commands that were sent so. The group is sent again after its last reply.
    Repeated,
}

/// The reply to MAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mail {
    Open,
    Accepted,
    Refused,
}

/// The state of a recipient.
#[derive(Clone, Debug)]
enum RecipientState {
    /// RCPT was not sent, or not answered.
    Open,
    /// Left for a further transaction, as the server takes no more in one.
    Beyond,
    /// RCPT was accepted: the reply to the content decides.
    Accepted,
    /// The final reply has come.
    Final { reply: Arc<Reply<'static>>, to: AnsweredCommand },
}

/// The command that a final reply for a recipient answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnsweredCommand {
    Mail,
    Rcpt,
    /// RCPT, with a reply that shows how many recipients the server takes in a transaction.
    Limit,
    Content,
}

/// The replies that the application is told before the transaction is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    /// The final reply for each recipient.
    Final,
    /// The reply to MAIL and to each RCPT, too.
    Every,
}

/// A reply for one recipient, or to MAIL, before the transaction is complete.
#[derive(Debug)]
pub(super) struct RecipientEvent {
    pub(super) transaction: TransactionNumber,
    /// The recipient's place in the envelope; `None` for the reply to MAIL.
    pub(super) index: Option<usize>,
    pub(super) reply: Arc<Reply<'static>>,
    pub(super) is_final: bool,
}

/// The replies that the application has not taken, where it asks for an event for each.
pub(super) type RecipientEvents = Option<VecDeque<RecipientEvent>>;

/// A transaction that was begun and has no report yet.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) transaction: TransactionNumber,
    pub(super) framing: Framing,
    pub(super) allowed: Allowed,
    pub(super) step: Step,
    /// The number of its commands that wait for their replies.
    pub(super) awaiting: usize,
    /// Whether it was begun while another waited for its replies.
    pub(super) is_overlapping: bool,
    /// Whether a chunk of its content was sent, or a URL.
    pub(super) has_chunk: bool,
    /// Whether a part of its content is at a URL.
    pub(super) has_url: bool,
    /// Whether the application may add recipients.
    pub(super) is_open: bool,
    /// Whether the application has nothing to add now.
    pub(super) is_waiting: bool,
    pub(super) told: Told,
    /// The place of the end of the content in the octets sent in this session, once that is written.
    pub(super) content_end: Option<u64>,
    /// Shared octets that content may lie in, and is sent as it is then; absent once the content has begun.
    pub(super) clean: Option<Bytes>,
    envelope: Arc<Envelope>,
    parameters: Parameters<'static>,
    group: Group,
    mail: Mail,
    recipients: Vec<RecipientState>,
    /// The number of recipients that are [`RecipientState::Open`].
    open: usize,
    /// The number of recipients that are [`RecipientState::Accepted`].
    accepted: usize,
    /// The number of recipients that were accepted, whatever their outcome.
    ever_accepted: usize,
    /// The place before which no recipient is [`RecipientState::Accepted`].
    first_accepted: usize,
    /// The number of times RCPT was sent.
    asked: usize,
    /// The number of replies to RCPT.
    replied: usize,
    /// Whether a reply to RCPT was a recipient limit.
    is_limited: bool,
    /// Octets of the replies that are kept.
    kept: usize,
    /// The number of recipients for which content was refused in the middle.
    refused: usize,
}

impl InFlight {
    pub(super) fn new(
        transaction: TransactionNumber,
        envelope: Arc<Envelope>,
        plan: Plan,
        first: Step,
        spare: &mut Spare,
    ) -> Self {
        let mut recipients = core::mem::take(&mut spare.recipients);
        recipients.clear();
        recipients.resize(envelope.len(), RecipientState::Open);
        for (recipient, is_beyond) in recipients.iter_mut().zip(&plan.is_beyond) {
            if *is_beyond {
                *recipient = RecipientState::Beyond;
            }
        }
        Self {
            transaction,
            framing: plan.framing,
            allowed: plan.allowed,
            step: first,
            awaiting: 0,
            is_overlapping: false,
            has_chunk: false,
            has_url: false,
            is_open: false,
            is_waiting: false,
            told: Told::Nothing,
            content_end: None,
            clean: None,
            open: recipients
                .iter()
                .filter(|recipient| matches!(recipient, RecipientState::Open))
                .count(),
            recipients,
            accepted: 0,
            ever_accepted: 0,
            first_accepted: 0,
            asked: 0,
            replied: 0,
            is_limited: false,
            envelope,
            parameters: plan.parameters,
            group: Group::Alone,
            mail: Mail::Open,
            kept: 0,
            refused: 0,
        }
    }

    /// Begins the content.
    pub(super) fn begin_content(&mut self, spare: &mut Spare) -> Box<Outgoing> {
        let (framing, allowed, clean) = (self.framing, self.allowed, self.clean.take());
        match spare.content.take() {
            Some(mut content) => {
                content.restart(framing, allowed, clean);
                content
            }
            None => Box::new(Outgoing::new(framing, allowed, clean)),
        }
    }

    /// Returns the MAIL command.
    pub(super) fn mail(&self) -> Command<'_> {
        Command::Mail {
            reverse_path: self.envelope.reverse_path().as_borrowed(),
            parameters: self.parameters.as_borrowed(),
        }
    }

    /// Returns the parameters of MAIL.
    pub(super) const fn mail_parameters(&self) -> &Parameters<'static> {
        &self.parameters
    }

    /// Returns the number of recipients.
    pub(super) fn len(&self) -> usize {
        self.recipients.len()
    }

    /// Adds a recipient, and returns its place.
    pub(super) fn add(
        &mut self,
        path: ForwardPath<'static>,
        parameters: Parameters<'static>,
    ) -> usize {
        Arc::make_mut(&mut self.envelope).push(path, parameters);
        self.recipients.push(RecipientState::Open);
        self.open += 1;
        self.recipients.len() - 1
    }

    /// Returns whether the application is asked for a further recipient: each that it has added was sent, and MAIL was
    /// not refused.
    pub(super) fn wants_recipient(&self) -> bool {
        self.is_open && !self.is_waiting && self.step == Step::Rcpt(self.recipients.len())
    }

    /// Returns the place of the first recipient of this transaction at this place or after it.
    pub(super) fn next_recipient(&self, index: usize) -> usize {
        let rest = self.recipients.get(index..).unwrap_or_default();
        index
            + rest
                .iter()
                .take_while(|recipient| matches!(recipient, RecipientState::Beyond))
                .count()
    }

    /// Returns the RCPT command; `None` after the last recipient.
    pub(super) fn rcpt(&self, index: usize) -> Option<Command<'_>> {
        self.envelope.recipient(index).map(|(path, parameters)| Command::Rcpt {
            forward_path: path.as_borrowed(),
            parameters: parameters.as_borrowed(),
        })
    }

    /// Notes that RCPT leaves for the recipient at this place.
    pub(super) const fn ask(&mut self, index: usize) {
        self.step = Step::Rcpt(index + 1);
        self.asked += 1;
    }

    /// Returns whether a further RCPT may leave before more of those that were sent are answered.
    /// `taken`: how many recipients the server is known to take in one transaction.
    ///
    /// While its limit is not known, few RCPT are in flight: each beyond the limit is refused, and
    /// servers close a session with too many refusals. Limits are round numbers, so that no more
    /// than a few go beyond one of them before it is known to be none.
    pub(super) fn may_ask(&self, taken: usize) -> bool {
        let to_round = |count: usize| count.max(1).next_multiple_of(ROUND) - count + BEYOND_ROUND;
        // Some servers count every RCPT, others those that they accept.
        let unsure = to_round(self.replied).min(to_round(self.ever_accepted)).min(UNSURE);
        self.asked < taken || self.asked.saturating_sub(self.replied) < unsure
    }

    /// Returns whether RCPT was sent for as many recipients as the server takes in a transaction: `most`,
    /// or as its reply has shown in this one.
    pub(super) const fn is_full(&self, most: usize) -> bool {
        self.is_limited || self.asked >= most
    }

    /// Leaves the recipients from this place on for a further transaction.
    pub(super) fn leave_from(&mut self, index: usize) {
        for recipient in self.recipients.iter_mut().skip(index) {
            if matches!(recipient, RecipientState::Open) {
                self.open = self.open.saturating_sub(1);
                *recipient = RecipientState::Beyond;
            }
        }
    }

    /// Notes that MAIL leaves before the reply to the content of the transaction before it.
    pub(super) const fn follows_content(&mut self) {
        self.group = Group::AfterContent;
    }

    /// Takes 503 to MAIL. Returns whether it may refuse the order of the group alone, which is sent
    /// again then.
    pub(super) fn is_out_of_order(&mut self) -> bool {
        let may_repeat = self.group == Group::AfterContent;
        if may_repeat {
            self.group = Group::Repeated;
        }
        may_repeat
    }

    /// Returns whether the group will be sent again: none of its commands has begun a transaction.
    pub(super) fn is_repeated(&self) -> bool {
        self.group == Group::Repeated
    }

    /// Begins the group again, after its last reply.
    pub(super) fn repeat(&mut self) {
        self.group = Group::Alone;
        self.is_overlapping = false;
        self.step = Step::Reset;
        (self.asked, self.replied) = (0, 0);
    }

    /// Takes a positive reply to MAIL; it is `None` where its text was discarded.
    pub(super) fn mail_accepted(
        &mut self,
        reply: Option<&Arc<Reply<'static>>>,
        events: &mut RecipientEvents,
    ) {
        self.mail = Mail::Accepted;
        self.tell_every(None, reply, events);
    }

    /// Tells the application a reply that is not final for a recipient.
    fn tell_every(
        &self,
        index: Option<usize>,
        reply: Option<&Arc<Reply<'static>>>,
        events: &mut RecipientEvents,
    ) {
        if self.told == Told::Every
            && let (Some(events), Some(reply)) = (events, reply)
        {
            let (transaction, reply) = (self.transaction, Arc::clone(reply));
            events.push_back(RecipientEvent { transaction, index, reply, is_final: false });
        }
    }

    /// Takes the negative reply to MAIL as the final one for every recipient: no recipient can be accepted
    /// after it.
    pub(super) fn mail_refused(
        &mut self,
        reply: &Arc<Reply<'static>>,
        events: &mut RecipientEvents,
    ) {
        self.mail = Mail::Refused;
        self.is_open = false;
        self.tell_every(None, Some(reply), events);
        for index in 0..self.recipients.len() {
            self.answer(index, reply, AnsweredCommand::Mail, events);
        }
    }

    /// Takes a positive reply to RCPT; it is `None` where its text was discarded.
    pub(super) fn rcpt_accepted(
        &mut self,
        index: usize,
        reply: Option<&Arc<Reply<'static>>>,
        events: &mut RecipientEvents,
    ) {
        self.replied += 1;
        self.tell_every(Some(index), reply, events);
        if let Some(recipient @ RecipientState::Open) = self.recipients.get_mut(index) {
            *recipient = RecipientState::Accepted;
            self.open = self.open.saturating_sub(1);
            self.accepted += 1;
            self.ever_accepted += 1;
        }
    }

    /// Returns how many recipients the server takes in a transaction, if the refusal is such a limit.
    pub(super) fn rcpt_refused(
        &mut self,
        index: usize,
        reply: &Arc<Reply<'static>>,
        events: &mut RecipientEvents,
    ) -> Option<usize> {
        self.replied += 1;
        if !matches!(self.recipients.get(index), Some(RecipientState::Open)) {
            return None;
        }
        // Without a status, 452 and 552 to the first recipient may be about anything.
        let is_limit = reply.retry() == Retry::NextTransaction
            && (reply.status().is_some() || self.ever_accepted > 0);
        let to = if is_limit { AnsweredCommand::Limit } else { AnsweredCommand::Rcpt };
        self.answer(index, reply, to, events);
        self.is_limited |= is_limit;
        is_limit.then(|| self.ever_accepted.max(1))
    }

    /// Takes the reply to DATA, a chunk or the content as the final one for every recipient that was
    /// accepted.
    pub(super) fn content_replied(
        &mut self,
        reply: &Arc<Reply<'static>>,
        events: &mut RecipientEvents,
    ) {
        while self.accepted > 0 && self.answer_next(reply, events) {}
    }

    /// Takes the negative reply to a chunk as the final one for every recipient that was accepted. Where
    /// each recipient has a reply to the last chunk, that chunk still has as many (RFC 2033 section 4.3).
    pub(super) fn chunk_refused(
        &mut self,
        reply: &Arc<Reply<'static>>,
        events: &mut RecipientEvents,
    ) {
        self.refused = self.refused.saturating_add(self.accepted);
        self.content_replied(reply, events);
    }

    /// Takes a reply to the content as the final one for the next recipient that was accepted (RFC 2033
    /// section 4.2); `false` for that of the last recipient, which is not counted here.
    pub(super) fn has_further_replies(
        &mut self,
        reply: &Arc<Reply<'static>>,
        events: &mut RecipientEvents,
    ) -> bool {
        if self.accepted <= 1 {
            self.refused = self.refused.saturating_sub(1);
            return self.refused > 0;
        }
        self.answer_next(reply, events)
    }

    /// Takes a reply as the final one for the first recipient that waits for the reply to the content;
    /// replies come in the order of the recipients, so that no recipient is examined twice.
    fn answer_next(&mut self, reply: &Arc<Reply<'static>>, events: &mut RecipientEvents) -> bool {
        let rest = self.recipients.get(self.first_accepted..).unwrap_or_default();
        let Some(at) =
            rest.iter().position(|recipient| matches!(recipient, RecipientState::Accepted))
        else {
            return false;
        };
        let index = self.first_accepted + at;
        self.first_accepted = index + 1;
        self.answer(index, reply, AnsweredCommand::Content, events);
        true
    }

    fn answer(
        &mut self,
        index: usize,
        reply: &Arc<Reply<'static>>,
        to: AnsweredCommand,
        events: &mut RecipientEvents,
    ) {
        let Some(recipient) = self.recipients.get_mut(index) else { return };
        let answered = RecipientState::Final { reply: Arc::clone(reply), to };
        match core::mem::replace(recipient, answered) {
            RecipientState::Open => self.open = self.open.saturating_sub(1),
            RecipientState::Accepted => self.accepted = self.accepted.saturating_sub(1),
            RecipientState::Beyond | RecipientState::Final { .. } => {}
        }
        if self.told != Told::Nothing
            && let Some(events) = events
        {
            let (transaction, index, reply) = (self.transaction, Some(index), Arc::clone(reply));
            events.push_back(RecipientEvent { transaction, index, reply, is_final: true });
        }
    }

    /// Counts the octets of a reply that is kept for the report; returns whether all of them are within
    /// `limit`, to which each recipient adds a line of the RFC's length (RFC 5321 section 4.5.3.1.5).
    pub(super) fn keep(&mut self, octets: usize, limit: usize) -> bool {
        self.kept = self.kept.saturating_add(octets);
        self.kept <= limit.saturating_add(self.recipients.len().saturating_mul(512))
    }

    pub(super) fn is_mail_accepted(&self) -> bool {
        self.mail == Mail::Accepted
    }

    /// Returns how many recipients wait for the reply to the content.
    pub(super) const fn accepted(&self) -> usize {
        self.accepted
    }

    /// Returns how many recipients the server has accepted, whatever their outcome.
    pub(super) const fn ever_accepted(&self) -> usize {
        self.ever_accepted
    }

    /// Returns whether every recipient that is left was answered, and one at least was accepted.
    pub(super) const fn may_have_content(&self) -> bool {
        self.accepted > 0 && self.open == 0
    }

    /// Returns whether no recipient is left for which content could be sent.
    pub(super) const fn is_dead(&self) -> bool {
        self.accepted == 0 && self.open == 0 && !self.is_open
    }

    /// Returns whether a chunk may leave as far as this transaction goes: before a recipient is accepted,
    /// at most one is in flight.
    pub(super) const fn may_chunk(&self) -> bool {
        self.ever_accepted > 0 || !self.has_chunk
    }

    /// Returns whether the report can be made.
    pub(super) fn is_complete(&self) -> bool {
        self.step == Step::Over && self.awaiting == 0
    }

    /// Makes the report.
    pub(super) fn report(mut self, ending: Ending<'_>, spare: &mut Spare) -> Report {
        let has_accepted = self.ever_accepted > 0;
        let is_overlapping = self.is_overlapping || self.content_end.is_some();
        let is_tried = self.mail != Mail::Open || ending.is_answered && !is_overlapping;
        let outcomes = self.recipients.drain(..).map(|recipient| match recipient {
            RecipientState::Final { reply, to } => {
                let retry = retry(&reply, to, has_accepted);
                (Outcome::Replied(reply), retry)
            }
            RecipientState::Beyond => (Outcome::Untried, Retry::NextTransaction),
            RecipientState::Open | RecipientState::Accepted => match ending.last {
                Some(last) if is_tried => (
                    Outcome::Replied(Arc::clone(last)),
                    retry(last, AnsweredCommand::Content, true),
                ),
                None if self.content_end.is_some_and(|end| ending.sent >= end) => {
                    (Outcome::Unknown, Retry::LaterMayDuplicate)
                }
                _ => (Outcome::Untried, Retry::NextTransaction),
            },
        });
        let outcomes = spare.outcomes(outcomes);
        if self.recipients.capacity() <= KEPT {
            spare.recipients = self.recipients;
        }
        spare.parameters = self.parameters;
        Report::new(self.transaction, self.envelope, outcomes)
    }
}

/// The number of recipients of whose transaction the memory is kept.
const KEPT: usize = 128;

/// The memory of transactions that are over, for the next ones.
#[derive(Debug, Default)]
pub(super) struct Spare {
    parameters: Parameters<'static>,
    recipients: Vec<RecipientState>,
    outcomes: Option<Outcomes>,
    reply: Option<Arc<Reply<'static>>>,
    content: Option<Box<Outgoing>>,
}

impl Spare {
    /// Keeps the memory of content that is over.
    pub(super) fn keep_content(&mut self, mut over: Box<Outgoing>) {
        over.give_back();
        self.content = Some(over);
    }

    /// Takes the memory of the parameters of MAIL.
    pub(super) fn parameters(&mut self) -> Parameters<'static> {
        core::mem::take(&mut self.parameters)
    }

    /// Forgets the outcomes of the last report, so that the memory of its replies is free: if the
    /// application has not kept it.
    pub(super) fn forget(&mut self) {
        if let Some(outcomes) = self.outcomes.as_mut().and_then(Arc::get_mut) {
            outcomes.clear();
        }
    }

    /// Returns a reply, in the memory of an earlier one that is not used any more.
    pub(super) fn reply(&mut self, reply: &Reply<'_>) -> Arc<Reply<'static>> {
        if let Some(memory) = self.reply.as_mut().and_then(Arc::get_mut) {
            memory.copy_from(reply);
        } else {
            self.reply = None;
        }
        let owned = || Arc::new(reply.as_borrowed().into_owned());
        Arc::clone(self.reply.get_or_insert_with(owned))
    }

    fn outcomes(&mut self, outcomes: impl ExactSizeIterator<Item = (Outcome, Retry)>) -> Outcomes {
        let count = outcomes.len();
        let mut memory = self.outcomes.take().unwrap_or_default();
        if Arc::get_mut(&mut memory).is_none() {
            memory = Outcomes::default();
        }
        if let Some(memory) = Arc::get_mut(&mut memory) {
            memory.clear();
            memory.extend(outcomes);
        }
        if count <= KEPT {
            self.outcomes = Some(Arc::clone(&memory));
        }
        memory
    }
}

/// Returns the retry that may succeed for a recipient with this final reply. Only to RCPT are 452 and 552 about the
/// number of recipients (RFC 5321 section 4.5.3.1.10), and only where one was accepted does a
/// further transaction take the next.
fn retry(reply: &Reply<'_>, to: AnsweredCommand, has_accepted: bool) -> Retry {
    match (reply.retry(), to) {
        (Retry::NextTransaction, AnsweredCommand::Limit) if has_accepted => Retry::NextTransaction,
        (Retry::NextTransaction, AnsweredCommand::Limit | AnsweredCommand::Rcpt)
            if reply.code() == Code::EXCEEDED_STORAGE =>
        {
            Retry::Later
        }
        (Retry::NextTransaction, _) if reply.is_transient() => Retry::Later,
        (Retry::NextTransaction, _) => Retry::Never,
        (other, _) => other,
    }
}

/// The facts known at the end of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending<'r> {
    /// Octets that were sent in this session: they separate the contents whose end the server may have
    /// received from the others.
    pub(super) sent: u64,
    /// The reply that ended the session, for the recipients that have none. After it a server executes
    /// nothing: a transaction in flight whose MAIL had no reply before was not tried.
    pub(super) last: Option<&'r Arc<Reply<'static>>>,
    /// Whether that reply answers a command of this transaction.
    pub(super) is_answered: bool,
}

/// The limits of the server, as far as this session has shown them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    /// The least recipient limit that the server has shown.
    most: u32,
    /// The greatest number of recipients that it has accepted in one transaction.
    taken: u32,
    /// Whether it refuses commands that come before its reply to content.
    pub(super) is_content_alone: bool,
}

impl Capacity {
    pub(super) const UNKNOWN: Self = Self { most: u32::MAX, taken: 0, is_content_alone: false };

    /// Returns the least recipient limit that the server has shown.
    pub(super) const fn most(self) -> usize {
        match self.most {
            u32::MAX => usize::MAX,
            most => most as usize,
        }
    }

    /// Returns how many recipients the server is known to take in one transaction.
    pub(super) const fn taken(self) -> usize {
        match self.taken {
            u32::MAX => usize::MAX,
            taken => taken as usize,
        }
    }

    /// Notes that the server takes no more recipients than this.
    pub(super) fn limit(&mut self, most: usize) {
        self.most = self.most.min(u32::try_from(most).unwrap_or(u32::MAX));
    }

    /// Notes that the server has taken this number of recipients.
    pub(super) fn take(&mut self, taken: usize) {
        self.taken = self.taken.max(u32::try_from(taken).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{Config, MessageFacts},
        security::Security,
        syntax::Extensions,
    };

    fn reply(line: &[u8]) -> Arc<Reply<'static>> {
        let (reply, _) = Reply::parse(line).unwrap().unwrap();
        Arc::new(reply.into_owned())
    }

    /// RFC 5321 section 4.5.3.1.10.
    #[test]
    fn the_retry_depends_on_the_command_that_was_answered() {
        let config = Config::new("me.example.org").unwrap();
        let to = ["a@example.net", "b@example.net", "c@example.net"];
        let report = |rcpt: [&[u8]; 3], data: &[u8]| {
            let envelope = Envelope::new("", &to).unwrap();
            let mut spare = Spare::default();
            let plan = Plan::new(
                Parameters::NONE,
                &envelope,
                &MessageFacts::UNKNOWN,
                &Extensions::NONE,
                &Security::CLEAR,
                &config,
            )
            .unwrap();
            let mut in_flight = InFlight::new(
                TransactionNumber::new(0),
                Arc::new(envelope),
                plan,
                Step::Over,
                &mut spare,
            );
            in_flight.mail_accepted(None, &mut None);
            for (index, line) in rcpt.into_iter().enumerate() {
                let reply = reply(line);
                match reply.is_positive() {
                    true => in_flight.rcpt_accepted(index, None, &mut None),
                    false => drop(in_flight.rcpt_refused(index, &reply, &mut None)),
                }
            }
            in_flight.content_replied(&reply(data), &mut None);
            let report =
                in_flight.report(Ending { sent: 0, last: None, is_answered: false }, &mut spare);
            [0, 1, 2].map(|index| report.retry(index).unwrap())
        };
        let ok = b"250 ok\r\n";
        assert_eq!(
            report([ok, b"452 x\r\n", b"552 x\r\n"], ok),
            [Retry::Unneeded, Retry::NextTransaction, Retry::NextTransaction]
        );
        assert_eq!(
            report([b"552 x\r\n", b"452 x\r\n", b"550 x\r\n"], ok),
            [Retry::Later, Retry::Later, Retry::Never]
        );
        assert_eq!(
            report([ok, b"452 4.2.2 full\r\n", ok], b"552 too large\r\n"),
            [Retry::Never, Retry::Later, Retry::Never]
        );
        assert_eq!(report([ok, ok, ok], b"452 no room\r\n"), [Retry::Later; 3]);
    }
}
