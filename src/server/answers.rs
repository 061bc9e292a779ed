//! What an answer of the application does.

use super::{
    config::Fitness,
    delivery::{Verdicts, is_last_word},
    event::Answer,
    replies,
    sequence::Stage,
    session::Session,
    state::{
        AbortReason, Beginning, Body, End, Intake, Lent, PendingChunk, Phase, Piece, Question, Then,
    },
};
use crate::{
    syntax::{Code, Extension, HelloName, Rejection, Reply},
    transcript::{Entry, Side},
    wire::ReceiveBuffer,
};
use core::mem;

impl Session {
    /// Acts on what a token left behind.
    pub(super) fn take_answer(&mut self, input: &mut ReceiveBuffer) {
        self.settle();
        if let Phase::Asked(Question::Credentials(_)) = self.phase {
            // The verifier knows whether it has been answered.
            if let Phase::Asked(Question::Credentials(verifier)) =
                mem::replace(&mut self.phase, Phase::Command)
            {
                self.resume(verifier);
            }
            return;
        }
        let Some(answer) = self.exchange.answer.take() else { return };
        match mem::replace(&mut self.phase, Phase::Command) {
            Phase::Asked(question) => self.answered(question, answer),
            Phase::Content(intake) => self.content_answered(intake, answer, input),
            Phase::Abort(_, then) => {
                self.facts.end_transaction();
                self.proceed(then);
            }
            other => self.phase = other,
        }
    }

    fn answered(&mut self, question: Question, answer: Answer) {
        let answer = match closing(self.legible(&question, answer)) {
            Answer::RejectAndClose(rejection) => {
                return self.refuse_and_close(&question, rejection);
            }
            other => other,
        };
        match question {
            Question::Connect => self.connect_answered(answer),
            Question::Auth(attempt) => match answer {
                Answer::Verify(verifier) => self.verify(&attempt, verifier),
                Answer::Reject(rejection) => self.fail_auth(rejection),
                _ => self.fail_auth(replies::BAD_CREDENTIALS),
            },
            // Its answer is the verifier's, which was asked before.
            Question::Credentials(verifier) => self.resume(verifier),
            Question::Authenticated(proven) => self.authenticated(proven, answer),
            Question::StartTls => match answer {
                Answer::Reject(rejection) => self.refuse(to_start_tls(&rejection)),
                other => {
                    self.reply(&worded(replies::START_TLS, other));
                    self.ask(Question::Upgrade);
                }
            },
            Question::Upgrade => match answer {
                Answer::Upgraded(Some(security)) => self.upgraded(security),
                _ => self.upgrade_failed(),
            },
            Question::Hello { name, is_extended } => {
                self.hello_answered(name, is_extended, answer);
            }
            Question::Mail => match answer {
                Answer::Reject(rejection) => self.refuse_mail(&rejection),
                accepted => {
                    self.facts.transaction.accept();
                    self.reply(&worded(replies::REVERSE_PATH_OK, accepted));
                }
            },
            Question::Rcpt => match answer {
                Answer::Reject(rejection) => {
                    self.facts.transaction.withdraw();
                    self.refuse_recipient(&rejection);
                }
                accepted => {
                    self.facts.transaction.accept();
                    self.reply(&worded(replies::FORWARD_PATH_OK, accepted));
                }
            },
            Question::Data(beginning) => self.data_answered(beginning, answer),
            Question::Burl(intake, piece) => self.burl_answered(intake, &piece, answer),
            Question::Etrn(_) => match answer {
                Answer::Reject(rejection) => self.refuse(rejection.reply().as_borrowed()),
                other => self.reply(&worded(replies::QUEUEING, other)),
            },
            Question::Atrn(_) => match answer {
                Answer::Reject(rejection) => self.refuse(rejection.reply().as_borrowed()),
                Answer::Waiting(_) => self.refuse(replies::NO_MAIL.reply().as_borrowed()),
                accepted => self.hand_over(&worded(replies::TURNING, accepted)),
            },
            Question::Other(..) => match answer {
                // It was counted when it came.
                Answer::Reject(rejection) => self.reply(rejection.reply()),
                Answer::HandOver(text) => self.hand_over(&replies::OK.with_text(text)),
                accepted => self.reply(&worded(replies::OK, accepted)),
            },
            Question::HandOver => self.close(End::HandedOver),
            Question::Xclient(attributes) => match answer {
                Answer::Reject(rejection) => self.refuse(rejection.reply().as_borrowed()),
                _ => self.speak_for(&attributes),
            },
            Question::Xforward(attributes) => match answer {
                Answer::Reject(rejection) => self.refuse(rejection.reply().as_borrowed()),
                accepted => {
                    self.note_forwarded(&attributes);
                    self.reply(&worded(replies::OK, accepted));
                }
            },
            Question::Deliver(verdicts) => self.delivered(&verdicts, answer),
            Question::Verify => self.looked_up(Extension::Vrfy, answer),
            Question::Expand => self.looked_up(Extension::Expn, answer),
        }
    }

    /// Another protocol goes on behind this reply.
    fn hand_over(&mut self, reply: &Reply<'_>) {
        self.reply(reply);
        self.go(AbortReason::HandedOver, Then::HandOver);
    }

    fn looked_up(&mut self, extension: Extension, answer: Answer) {
        match answer {
            // What EHLO lists is implemented (RFC 5321 section 4.2.4).
            Answer::Reject(rejection)
                if rejection.code() == Code::NOT_IMPLEMENTED
                    && self.offered.contains(extension) =>
            {
                self.reply(&replies::CANNOT_VERIFY);
            }
            Answer::Reject(rejection) => self.reply(rejection.reply()),
            Answer::Mailboxes(mailboxes) => {
                self.reply(&replies::mailboxes(&mailboxes, self.facts.reads_utf8));
            }
            other => self.reply(&worded(replies::OK, other)),
        }
    }

    /// An address beyond ASCII is told only to whoever asked for SMTPUTF8 (RFC 6531 section
    /// 3.7.4): otherwise 251 becomes 250, and 551 becomes 550.
    fn legible(&self, question: &Question, answer: Answer) -> Answer {
        let reads_utf8 = match question {
            Question::Rcpt => self.facts.transaction.is_utf8(),
            Question::Verify | Question::Expand => self.facts.reads_utf8,
            _ => true,
        };
        match answer {
            Answer::Forward(text) if !reads_utf8 && !text.is_ascii() => Answer::Accept(None),
            Answer::Reject(rejection) if !reads_utf8 => Answer::Reject(replies::legible(rejection)),
            Answer::RejectAndClose(rejection) if !reads_utf8 => {
                Answer::RejectAndClose(replies::legible(rejection))
            }
            other => other,
        }
    }

    fn data_answered(&mut self, beginning: Beginning, answer: Answer) {
        let fitness = match self.facts.transaction.is_binary() {
            true => Fitness::ANY,
            false => self.config.fitness(),
        };
        match (beginning, answer) {
            (Beginning::Url(piece), Answer::Reject(rejection)) => {
                self.refuse_piece(&piece, &rejection);
            }
            (Beginning::Url(piece), _) => {
                let nothing = PendingChunk { octets: 0, is_last: piece.is_last };
                self.ask(Question::Burl(Intake::chunks(fitness, nothing), piece));
            }
            (Beginning::Dots, Answer::Reject(rejection)) => self.refuse_content(&rejection),
            (Beginning::Dots, accepted) => {
                self.reply(&worded(replies::start_content(), accepted));
                self.phase = Phase::Content(Intake::dots(fitness));
            }
            (Beginning::Chunk(chunk), Answer::Reject(rejection)) => {
                self.discard(Intake::chunks(fitness, chunk), AbortReason::Refused, rejection);
            }
            (Beginning::Chunk(chunk), _) => self.take_chunk(Intake::chunks(fitness, chunk), chunk),
        }
    }

    fn burl_answered(&mut self, intake: Intake, piece: &Piece, answer: Answer) {
        match answer {
            Answer::Reject(rejection) => self.refuse_piece(piece, &rejection),
            _ if piece.is_last => self.ask(Question::Deliver(Verdicts::default())),
            accepted => {
                self.reply(&worded(replies::CHUNK_OK, accepted));
                self.body = Body::Chunks(intake);
            }
        }
    }

    /// What follows of this content is discarded (RFC 4468 section 3.4, RFC 3030 section 2).
    fn refuse_piece(&mut self, piece: &Piece, rejection: &Rejection) {
        let replies = self.replies();
        self.refuse_content(rejection);
        if !piece.is_last {
            self.body = Body::Failed(replies);
        }
    }

    /// The application does not want the content of a transaction.
    fn refuse_content(&mut self, rejection: &Rejection) {
        if self.is_worn_out() {
            self.end(replies::TOO_MANY_ERRORS.reply(), End::TooManyErrors);
        } else {
            self.reply(rejection.reply());
            self.go(AbortReason::Refused, Then::Command);
        }
    }

    /// The octets of a chunk are awaited.
    pub(super) fn take_chunk(&mut self, mut intake: Intake, chunk: PendingChunk) {
        intake.next_chunk(chunk);
        let message = self.config.limits().message;
        if intake.octets.saturating_add(chunk.octets) > message {
            self.discard(intake, AbortReason::TooLarge, replies::TOO_LARGE);
        } else {
            self.phase = Phase::Content(intake);
        }
    }

    /// The last word of the application's.
    fn refuse_and_close(&mut self, question: &Question, rejection: Rejection) {
        match question {
            // Whoever has sent a whole message hears of every recipient.
            Question::Deliver(verdicts) => {
                self.delivered(verdicts, Answer::Reject(rejection));
                self.go(AbortReason::Refused, Then::Farewell(End::Refused));
            }
            Question::Hello { .. } => self.end(&to_hello(&rejection), End::Refused),
            Question::StartTls => self.end(&to_start_tls(&rejection), End::Refused),
            _ => self.end(rejection.reply(), End::Refused),
        }
    }

    fn connect_answered(&mut self, answer: Answer) {
        match answer {
            Answer::Reject(rejection) => {
                self.refused = Some(Stage::Refused);
                self.reply(rejection.reply());
            }
            Answer::Accept(text) => {
                let greeting = replies::greeting(&self.config, text.as_ref());
                self.reply(&greeting);
            }
            _ => self.reply(&replies::greeting(&self.config, None)),
        }
    }

    fn hello_answered(&mut self, name: HelloName<'static>, is_extended: bool, answer: Answer) {
        let text = match answer {
            Answer::Reject(rejection) => {
                // The session stays as it was (RFC 5321 section 4.1.4).
                self.refuse(to_hello(&rejection));
                return;
            }
            Answer::NotSecure => {
                self.refused = Some(Stage::NotSecure);
                self.reply(replies::NOT_SECURE.reply());
                // What was begun can go on no more.
                self.go(AbortReason::Refused, Then::Command);
                return;
            }
            Answer::Accept(text) => text,
            _ => None,
        };
        self.facts.hello = Some(name);
        self.facts.is_extended = is_extended;
        self.announce(is_extended);
        let reply = replies::hello(&self.config, &self.offered, text.as_ref());
        self.reply(&reply);
        self.go(AbortReason::Hello, Then::Command);
    }

    fn content_answered(&mut self, mut intake: Intake, answer: Answer, input: &mut ReceiveBuffer) {
        match closing(answer) {
            Answer::Reject(rejection) => {
                self.phase = Phase::Content(intake);
                self.abandon(AbortReason::Refused, rejection);
                return;
            }
            Answer::RejectAndClose(rejection) => {
                self.end(rejection.reply(), End::Refused);
                return;
            }
            Answer::Consume(octets) => {
                intake.lent = match intake.lent {
                    Lent::Input(lent) => {
                        let octets = octets.min(lent);
                        input.consume(octets);
                        Lent::Input(lent.saturating_sub(octets))
                    }
                    Lent::LineBreak(rest) => Lent::LineBreak(rest.get(octets..).unwrap_or(&[])),
                };
            }
            _ => intake.lent = Lent::NOTHING,
        }
        let is_new_question = !intake.lent.is_nothing();
        self.phase = Phase::Content(intake);
        if is_new_question {
            self.lend();
        }
    }

    /// The terminator has come.
    pub(super) fn end_of_content(&mut self) {
        self.reading = crate::time::Stopwatch::default();
        match mem::replace(&mut self.phase, Phase::Command) {
            Phase::Content(mut intake) => {
                if let Some(piece) = intake.url.take() {
                    self.ask(Question::Burl(intake, piece));
                    return;
                }
                self.note_content(&intake);
                if intake.is_to_be_continued() {
                    self.reply(&replies::CHUNK_OK);
                    self.body = Body::Chunks(intake);
                } else {
                    self.ask(Question::Deliver(Verdicts::default()));
                }
            }
            Phase::Discard(intake, refusal) => {
                self.note_content(&intake);
                self.budget.discard(intake.wire.max(CHUNK_COST));
                if self.is_silent_at(&intake) {
                    return;
                }
                if refusal.is_offence {
                    self.offend(&refusal.rejection);
                    return;
                }
                for _ in 0..refusal.replies {
                    self.reply(refusal.rejection.reply());
                }
            }
            other => self.phase = other,
        }
    }

    /// Where each recipient gets a reply, the last chunk has none if nobody was accepted (RFC 2033
    /// section 4.3), also behind a MAIL that was refused.
    fn is_silent_at(&self, end: &Intake) -> bool {
        let transaction = &self.facts.transaction;
        let is_addressed = transaction.is_open() || transaction.is_refused();
        let is_chunked = self.offered.contains(Extension::Chunking);
        self.replies() == 0 && is_addressed && is_chunked && !end.is_to_be_continued()
    }

    fn note_content(&mut self, intake: &Intake) {
        self.output.note(Entry::Content { from: Side::Client, octets: intake.wire });
        if !intake.is_counted() {
            self.output.note(Entry::Line { from: Side::Client, octets: b"." });
        }
    }
}

/// What a chunk costs at least that nobody wants, in octets: a line.
const CHUNK_COST: u64 = 512;

/// What closes by its code.
fn closing(answer: Answer) -> Answer {
    match answer {
        Answer::Reject(rejection) if is_last_word(&rejection) => Answer::RejectAndClose(rejection),
        other => other,
    }
}

/// How a hello is refused: for good with 500, 501, 502, 504 or 550 (RFC 5321 sections 4.1.4 and
/// 4.3.2), whatever else the application would say.
fn to_hello(rejection: &Rejection) -> Reply<'_> {
    let reply = rejection.reply().as_borrowed();
    match rejection.code() {
        Code::COMMAND_SYNTAX
        | Code::ARGUMENT_SYNTAX
        | Code::NOT_IMPLEMENTED
        | Code::PARAMETER_NOT_IMPLEMENTED => reply,
        code if code.is_transient() => reply,
        _ => reply.with_code(Code::MAILBOX_UNAVAILABLE),
    }
}

/// How STARTTLS is refused: with 501 or 454 (RFC 3207 section 4), whatever else the application
/// would say; 421 is the end of the session.
fn to_start_tls(rejection: &Rejection) -> Reply<'_> {
    let reply = rejection.reply().as_borrowed();
    match rejection.code() {
        Code::ARGUMENT_SYNTAX | Code::NOT_AVAILABLE => reply,
        _ => reply.with_code(Rejection::TLS_NOT_AVAILABLE.code()),
    }
}

/// The positive reply in the application's words.
pub(super) fn worded(reply: Reply<'static>, answer: Answer) -> Reply<'static> {
    let (reply, text) = match answer {
        Answer::Accept(Some(text)) => (reply, text),
        Answer::Forward(text) => (replies::WILL_FORWARD, text),
        Answer::AcceptLines(lines) if !lines.is_empty() => {
            return Reply::new(reply.code(), reply.status(), lines).unwrap_or(reply);
        }
        Answer::CannotVerify => return replies::CANNOT_VERIFY,
        Answer::Waiting(messages) => return replies::waiting(messages),
        _ => return reply,
    };
    reply.with_text(text)
}
