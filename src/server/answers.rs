//! What an answer of the application does.

use super::{
    budget::Fault,
    config::Fitness,
    content::{Announced, ChunkSize, Url, Violation},
    delivery::{Verdicts, is_last_word},
    event::Answer,
    replies,
    sequence::Stage,
    session::Session,
    state::{AbortReason, End, Phase, Question, Then},
};
use crate::{
    syntax::{Code, Extension, HelloName, Rejection, Reply},
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
            Phase::Content => self.content_answered(answer, input),
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
                Answer::Reject(rejection) => self.fail_auth(&rejection),
                _ => self.fail_auth(&replies::BAD_CREDENTIALS),
            },
            // Its answer is the verifier's, which was asked before.
            Question::Credentials(verifier) => self.resume(verifier),
            Question::Authenticated(proven) => self.authenticated(proven, answer),
            Question::StartTls => match answer {
                Answer::Reject(rejection) => {
                    self.charge(&to_start_tls(&rejection), Fault::NoProgress);
                }
                other => {
                    self.output.mark();
                    self.reply(&worded(replies::START_TLS, other));
                    self.ask(Question::Upgrade);
                }
            },
            Question::Upgrade => match answer {
                Answer::Upgraded(Ok(security)) => self.upgraded(security),
                Answer::Upgraded(Err(end)) => self.upgrade_failed(end),
                _ => self.upgrade_failed(End::NoTlsLayer),
            },
            Question::Hello { name, is_extended } => {
                self.hello_answered(name, is_extended, answer);
            }
            Question::Mail => match answer {
                Answer::Reject(rejection) => {
                    self.facts.transaction.fail();
                    self.charge(rejection.reply(), Fault::NoProgress);
                }
                accepted => {
                    self.facts.transaction.accept();
                    self.reply(&worded(replies::REVERSE_PATH_OK, accepted));
                }
            },
            Question::Rcpt => match answer {
                Answer::Reject(rejection) => {
                    self.facts.transaction.withdraw();
                    self.charge(rejection.reply(), Fault::RejectedRecipient);
                }
                accepted => {
                    self.facts.transaction.accept();
                    self.reply(&worded(replies::FORWARD_PATH_OK, accepted));
                }
            },
            Question::Data(announced) => self.data_answered(announced, answer),
            Question::Burl(url) => self.burl_answered(&url, answer),
            Question::Etrn(_) => match answer {
                Answer::Reject(rejection) => self.charge(rejection.reply(), Fault::NoProgress),
                other => self.charge(&worded(replies::QUEUEING, other), Fault::NoProgress),
            },
            Question::Atrn(_) => match answer {
                Answer::Reject(rejection) => self.charge(rejection.reply(), Fault::NoProgress),
                Answer::Waiting(_) => self.charge(replies::NO_MAIL.reply(), Fault::NoProgress),
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
                // It was counted when it came.
                Answer::Reject(rejection) => self.reply(rejection.reply()),
                _ => self.speak_for(&attributes),
            },
            Question::Xforward(attributes) => match answer {
                Answer::Reject(rejection) => self.charge(rejection.reply(), Fault::NoProgress),
                accepted => {
                    self.note_forwarded(&attributes);
                    self.charge(&worded(replies::OK, accepted), Fault::NoProgress);
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

    fn data_answered(&mut self, announced: Announced, answer: Answer) {
        let fitness = match self.facts.transaction.is_binary() {
            true => Fitness::ANY,
            false => self.config.fitness(),
        };
        match (announced, answer) {
            (Announced::Url(url), Answer::Reject(rejection)) => self.reject_url(&url, &rejection),
            (Announced::Url(url), _) => {
                self.content.begin_url(url, fitness, self.config.timeouts());
                self.phase = Phase::Content;
            }
            (Announced::Data, Answer::Reject(rejection)) => self.reject_content(&rejection),
            (Announced::Data, accepted) => {
                self.reply(&worded(replies::start_content(), accepted));
                self.content.begin_data(fitness, self.config.timeouts());
                self.phase = Phase::Content;
            }
            (Announced::Chunk(size), Answer::Reject(rejection)) => {
                self.content.begin_chunk(size, fitness, self.config.timeouts());
                self.refuse_content(AbortReason::Refused, rejection);
            }
            (Announced::Chunk(size), _) => self.take_chunk(size, fitness),
        }
    }

    fn burl_answered(&mut self, url: &Url, answer: Answer) {
        match answer {
            Answer::Reject(rejection) => self.reject_url(url, &rejection),
            _ if url.is_last => {
                self.content.clear();
                self.ask(Question::Deliver(Verdicts::default()));
            }
            accepted => {
                self.content.url_accepted();
                self.reply(&worded(replies::CHUNK_OK, accepted));
            }
        }
    }

    /// What follows of this content is discarded (RFC 4468 section 3.4, RFC 3030 section 2).
    fn reject_url(&mut self, url: &Url, rejection: &Rejection) {
        let content = mem::take(&mut self.content);
        let failed = content.into_failed(self.replies(), self.config.timeouts());
        self.reject_content(rejection);
        if !url.is_last {
            self.content = failed;
        }
    }

    /// The application does not want the content of a transaction.
    fn reject_content(&mut self, rejection: &Rejection) {
        let then = self.charged(rejection.reply(), Fault::NoProgress);
        self.go(AbortReason::Refused, then);
    }

    /// Awaits the octets of a chunk, the first or a further one.
    pub(super) fn take_chunk(&mut self, size: ChunkSize, fitness: Fitness) {
        self.content.begin_chunk(size, fitness, self.config.timeouts());
        self.phase = Phase::Content;
        let octets = self.content.octets().saturating_add(size.octets);
        if octets > self.config.limits().message {
            self.refuse_violation(Violation::TooLarge);
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
                self.charge(&to_hello(&rejection), Fault::NoProgress);
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

    fn content_answered(&mut self, answer: Answer, input: &mut ReceiveBuffer) {
        self.phase = Phase::Content;
        match closing(answer) {
            Answer::Reject(rejection) => self.refuse_content(AbortReason::Refused, rejection),
            Answer::RejectAndClose(rejection) => self.end(rejection.reply(), End::Refused),
            Answer::Consume(octets) => {
                self.content.taken(octets, input);
                if self.content.is_lent() {
                    // A new question about the rest.
                    self.lend();
                }
            }
            _ => {}
        }
    }
}

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
