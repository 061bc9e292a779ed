//! The answers of the application: what the session does after each.

use super::{Phase, Question, Refused, Session, Then};
use crate::{
    security::Security,
    server::{
        acceptance::Accepted,
        budget::Fault,
        end::{AbortReason, End},
        event::{HelloAnswer, HelloQuestion, RcptAnswer},
        extension_events::{AtrnAnswer, EtrnAnswer, LookupAnswer, OtherAnswer},
        replies,
        token::{Answer, Asked, Rejected, Slot},
    },
    syntax::{Code, Extension, Rejection, Text, XclientAttributes, XforwardAttributes},
};
use alloc::boxed::Box;

impl Session {
    /// Acts on the answer that a token has left in its slot.
    #[inline]
    pub(super) fn take_answer(&mut self) {
        match &mut self.phase {
            Phase::Content(slot) => {
                if let Some(answer) = slot.take() {
                    self.on_content(answer);
                }
            }
            Phase::Asked(_) | Phase::Abort(_) => self.take_answer_to_question(),
            _ => {}
        }
    }

    /// Acts on the answer to a question that is no piece of content.
    fn take_answer_to_question(&mut self) {
        if let Phase::Asked(Question::Deliver(_)) = self.phase {
            self.reply_to_settled();
        }
        if !self.phase.is_answered() {
            return;
        }
        match self.take_phase() {
            Phase::Asked(question) => self.answered(question),
            Phase::Abort(aborted) => {
                self.facts.end_transaction();
                self.proceed(aborted.then);
            }
            other => self.enter(other),
        }
        // An answer that leads nowhere else leads to the next command.
        self.settle_phase();
    }

    /// Acts on the answer to a question.
    fn answered(&mut self, question: Question) {
        match question {
            Question::Connect(slot) => act(slot, |answer| self.on_connect(answer)),
            Question::Hello(asked) => act_on(*asked, |about, answer| self.on_hello(about, answer)),
            Question::Auth(asked) => {
                act_on(*asked, |attempt, answer| self.on_auth(attempt, answer));
            }
            Question::Credentials(attempt) => self.on_credentials(attempt),
            Question::Authenticated(asked) => {
                act_on(*asked, |attempt, answer| self.on_authenticated(attempt, answer));
            }
            Question::StartTls(slot) => act(slot, |answer| self.on_start_tls(answer)),
            Question::Upgrade(slot) => act(slot, |answer| self.on_upgrade(answer)),
            Question::Mail(slot) => act(slot, |answer| self.on_mail(answer)),
            Question::Rcpt(slot) => act(slot, |answer| self.on_rcpt(answer)),
            Question::Data(slot) => act(slot, |answer| self.on_data(answer)),
            Question::Burl(asked) => act_on(*asked, |url, answer| self.on_burl(&url, answer)),
            Question::Deliver(slot) => act(slot, |answer| self.on_deliver(answer)),
            Question::Verify(slot) => act(slot, |answer| self.on_lookup(Extension::Vrfy, answer)),
            Question::Expand(slot) => act(slot, |answer| self.on_lookup(Extension::Expn, answer)),
            Question::Etrn(asked) => act_on(*asked, |_, answer| self.on_etrn(answer)),
            Question::Atrn(asked) => act_on(*asked, |_, answer| self.on_atrn(answer)),
            Question::Xclient(asked) => {
                act_on(*asked, |about, answer| self.on_xclient(&about, answer));
            }
            Question::Xforward(asked) => {
                act_on(*asked, |about, answer| self.on_xforward(&about, answer));
            }
            Question::Other(asked) => act_on(*asked, |_, answer| self.on_other(answer)),
            Question::HandOver(slot) => act(slot, |()| self.close(End::HandedOver)),
        }
    }

    /// Says a rejection of the application's.
    fn reject(&mut self, rejected: &Rejected, fault: Fault) {
        self.refuse(&rejected.rejection, rejected.fault(fault));
    }

    fn on_connect(&mut self, answer: Answer<Option<Text<'static>>>) {
        match answer {
            Ok(text) => {
                self.greet(text.as_ref());
            }
            Err(rejected) => {
                if !rejected.closes {
                    self.refused = Some(Refused::Service);
                }
                self.reject(&rejected, Fault::None);
            }
        }
    }

    fn on_hello(&mut self, about: HelloQuestion, answer: Answer<HelloAnswer>) {
        let HelloQuestion { name, is_extended, proven } = about;
        if proven.is_some() {
            self.facts.more_mut().proven = proven;
        }
        let text = match answer {
            Ok(HelloAnswer::Accept(text)) => text,
            Ok(HelloAnswer::NotSecure) => {
                self.refused = Some(Refused::Insecure);
                self.say(replies::NOT_SECURE.reply());
                // A transaction in progress cannot continue.
                return self.abort_then(AbortReason::Refused, Then::Command);
            }
            // The session stays as it was (RFC 5321 section 4.1.4).
            Err(rejected) => {
                let reply = replies::to_hello(&rejected.rejection);
                return self.charge(&reply, rejected.fault(Fault::NoProgress));
            }
        };
        self.facts.hello = Some(name);
        self.facts.is_extended = is_extended;
        self.announce(is_extended);
        self.say_hello(text.as_ref());
        self.abort_then(AbortReason::Hello, Then::Command);
    }

    fn on_start_tls(&mut self, answer: Answer<Option<Text<'static>>>) {
        match answer {
            Ok(text) => {
                let marked = self.channel.written();
                self.work_mut().marked = marked;
                self.say(&replies::with_text(replies::START_TLS, text));
                self.ask(Question::Upgrade(Slot::Open));
            }
            Err(rejected) => {
                let reply = replies::to_start_tls(&rejected.rejection);
                self.charge(&reply, rejected.fault(Fault::NoProgress));
            }
        }
    }

    fn on_upgrade(&mut self, answer: Result<Security, End>) {
        match answer {
            Ok(security) => self.upgraded(security),
            Err(end) => self.upgrade_failed(end),
        }
    }

    fn on_mail(&mut self, answer: Answer<Accepted>) {
        match answer {
            Ok(accepted) => {
                self.facts.transaction_mut().accept();
                self.work_mut().counts.transactions.add();
                self.say_accepted(accepted, &replies::REVERSE_PATH_OK);
            }
            Err(rejected) => {
                self.facts.transaction_mut().fail();
                self.work_mut().counts.refused_transactions.add();
                self.reject(&rejected, Fault::NoProgress);
            }
        }
    }

    fn on_rcpt(&mut self, answer: Answer<RcptAnswer>) {
        let reads_utf8 = self.facts.envelope().is_utf8();
        let usual = &replies::FORWARD_PATH_OK;
        let reply = match answer {
            Ok(RcptAnswer::Accept(Accepted::Default)) => None,
            Ok(RcptAnswer::Accept(accepted)) => match accepted.into_reply((usual.reply)()) {
                // As below.
                reply if reply.code() == Code::WILL_FORWARD && !reads_utf8 => {
                    Some(replies::ascii_or(reply, (usual.reply)()))
                }
                reply => Some(reply),
            },
            Ok(RcptAnswer::Lines(lines)) => Some(replies::with_lines((usual.reply)(), lines)),
            // An address beyond ASCII is sent only to a client that asked for SMTPUTF8 (RFC 6531
            // section 3.7.4): otherwise 251 becomes 250, and 551 becomes 550.
            Ok(RcptAnswer::Forward(text)) if !reads_utf8 && !text.is_ascii() => None,
            Ok(RcptAnswer::Forward(text)) => Some(replies::WILL_FORWARD.with_text(*text)),
            Err(rejected) => {
                let rejected = legible(rejected, reads_utf8);
                self.facts.withdraw();
                self.work_mut().counts.refused_recipients.add();
                return self.reject(&rejected, Fault::RejectedRecipient);
            }
        };
        self.facts.transaction_mut().accept();
        self.work_mut().counts.recipients.add();
        match reply {
            None => self.say_usual(usual),
            Some(reply) => self.say(&reply),
        }
    }

    fn on_lookup(&mut self, extension: Extension, answer: Answer<LookupAnswer>) {
        match answer {
            Ok(LookupAnswer::Mailboxes(mailboxes)) => {
                self.say(&replies::mailboxes(&mailboxes, self.facts.reads_utf8));
            }
            Ok(LookupAnswer::CannotVerify) => self.say(&replies::CANNOT_VERIFY),
            Ok(LookupAnswer::Own(acceptance)) => {
                let reply = Accepted::Own(acceptance).into_reply(replies::OK);
                self.say(&match self.facts.reads_utf8 {
                    true => reply,
                    false => replies::ascii_or(reply, replies::ONLY_IN_UTF8),
                });
            }
            // An extension that EHLO lists is implemented (RFC 5321 section 4.2.4).
            Err(Rejected { rejection, closes: false })
                if rejection.code() == Code::NOT_IMPLEMENTED
                    && self.offered().contains(extension) =>
            {
                self.say(&replies::CANNOT_VERIFY);
            }
            Err(rejected) => {
                let rejected = legible(rejected, self.facts.reads_utf8);
                self.reject(&rejected, Fault::None);
            }
        }
    }

    fn on_etrn(&mut self, answer: Answer<EtrnAnswer>) {
        let reply = match answer {
            Ok(EtrnAnswer::Accept(accepted)) => accepted.into_reply(replies::QUEUEING),
            Ok(EtrnAnswer::Waiting(messages)) => replies::waiting(messages),
            Err(rejected) => return self.reject(&rejected, Fault::NoProgress),
        };
        self.charge(&reply, Fault::NoProgress);
    }

    fn on_atrn(&mut self, answer: Answer<AtrnAnswer>) {
        match answer {
            Ok(AtrnAnswer::Accept(text)) => {
                self.hand_over(&replies::with_text(replies::REVERSING, text));
            }
            Ok(AtrnAnswer::NothingWaits) => {
                self.charge(replies::NO_MAIL.reply(), Fault::NoProgress);
            }
            Err(rejected) => self.reject(&rejected, Fault::NoProgress),
        }
    }

    fn on_other(&mut self, answer: Answer<OtherAnswer>) {
        match answer {
            Ok(OtherAnswer::Accept(accepted)) => self.say(&accepted.into_reply(replies::OK)),
            Ok(OtherAnswer::HandOver(text)) => self.hand_over(&replies::OK.with_text(text)),
            // It was counted when it came.
            Err(rejected) => self.reject(&rejected, Fault::None),
        }
    }

    fn on_xclient(
        &mut self,
        attributes: &XclientAttributes<'_>,
        answer: Answer<Option<Text<'static>>>,
    ) {
        match answer {
            Ok(_) => self.begin_anew_for(attributes),
            // It was counted when it came.
            Err(rejected) => self.reject(&rejected, Fault::None),
        }
    }

    fn on_xforward(&mut self, attributes: &XforwardAttributes<'_>, answer: Answer<Accepted>) {
        match answer {
            Ok(accepted) => {
                self.note_forwarded(attributes);
                self.charge(&accepted.into_reply(replies::OK), Fault::NoProgress);
            }
            Err(rejected) => self.reject(&rejected, Fault::NoProgress),
        }
    }
}

/// Calls `act` with the answer in a slot.
fn act<T>(slot: Slot<T>, act: impl FnOnce(T)) {
    if let Some(answer) = slot.into_answer() {
        act(answer);
    }
}

/// Calls `act` with the subject of a question and its answer.
fn act_on<Q, A>(asked: Asked<Q, A>, act: impl FnOnce(Q, Answer<A>)) {
    if let Some((about, answer)) = asked.into_answer() {
        act(about, answer);
    }
}

/// Returns a rejection without an address that the client does not read (RFC 6531 section 3.7.4).
fn legible(rejected: Rejected, reads_utf8: bool) -> Rejected {
    if reads_utf8 {
        return rejected;
    }
    let Rejected { rejection, closes } = rejected;
    let legible: Rejection = replies::legible(*rejection);
    Rejected { rejection: Box::new(legible), closes }
}
