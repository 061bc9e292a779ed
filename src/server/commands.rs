//! What a command does.

use super::{
    budget::Fault,
    config::Fitness,
    content::{Announced, ChunkSize, Url},
    output::Known,
    replies,
    sequence::{self, Stage},
    session::Session,
    state::{AbortReason, End, Phase, Question},
};
use crate::{
    syntax::{
        Argument, ByMode, Command, DomainList, Extension, Extensions, ForwardPath, HelloName, Hold,
        Lenience, Lookup, MailParameters, Mailbox, Parameters, Parsed, RcptParameters, Rejection,
        ReversePath, Submitter, SyntaxError, SyntaxErrorKind, UnknownVerb, Verb,
    },
    time::Instant,
};
impl Session {
    /// One line without its CRLF, and whether more octets have come behind it.
    pub(super) fn command(&mut self, line: &[u8], is_last: bool, now: Instant) {
        self.heard(now);
        self.is_followed = !is_last;
        let Self { config, facts, offered, .. } = self;
        self.output.note_command(line, &Known { config, service: facts.service, offered });
        let verb = Verb::of(line);
        self.is_bare = is_hello(verb);
        let pipelines = self.offered.contains(Extension::Pipelining);
        if !is_last && !sequence::may_be_followed(verb, pipelines) && self.is_out_of_turn() {
            return;
        }
        if self.is_stopping
            && self.is_chunking()
            && !matches!(verb, Verb::Bdat | Verb::Burl | Verb::Quit)
        {
            // Only content in progress may still come to its end (RFC 5321 section 3.8).
            self.end(replies::SHUTTING_DOWN.reply(), End::ShutDown);
            return;
        }
        if self.refused.is_some() && verb != Verb::Bdat {
            // However it is made; of BDAT the octets that follow have to be known.
            if let Err(why) = sequence::permit(self.standing(), verb) {
                self.refuse(replies::misplaced(why).reply(), Fault::Error);
                return;
            }
        }
        if let Err(error) = self.interpret(line) {
            let rejection = replies::syntax(error);
            match verb {
                // How many octets of content follow is not known.
                Verb::Bdat => self.refuse_and_end(rejection.reply(), End::Unframed),
                _ => self.refuse(rejection.reply(), Fault::Error),
            }
        }
        if verb == Verb::Mail && !matches!(self.phase, Phase::Asked(Question::Mail)) {
            self.mail_failed();
        }
    }

    /// What is under way behind a MAIL that was not accepted is nobody's fault.
    fn mail_failed(&mut self) {
        if self.content.stage().is_none() {
            self.facts.transaction.fail();
        }
    }

    /// A line that was longer than the limit, and is gone.
    pub(super) fn line_too_long(&mut self, now: Instant) {
        self.heard(now);
        self.output.note_long_line();
        // RFC 4954 section 4 has a code for AUTH.
        let rejection = match self.long_line {
            Verb::Auth => replies::RESPONSE_TOO_LONG,
            _ => replies::LINE_TOO_LONG,
        };
        self.refuse(rejection.reply(), Fault::Error);
    }

    /// Returns the octets that the line with this front may have, its CRLF included: a line of AUTH as many as one of its
    /// dialogue, whatever other commands may have (RFC 4954 section 4).
    pub(super) fn line_limit(&self, front: &[u8]) -> usize {
        let limit = self.config.command_line();
        match front {
            [verb @ .., b' ' | b'\t'] if verb.eq_ignore_ascii_case(b"AUTH") => {
                limit.max(crate::syntax::RESPONSE_LINE)
            }
            _ => limit,
        }
    }

    /// A line that is longer than the limit, by its front.
    pub(super) fn check_long_line(&mut self, front: &[u8]) {
        self.output.begin_long_line(front);
        self.long_line = Verb::of(front);
        match self.long_line {
            // How many octets of content follow is not known.
            Verb::Bdat => self.refuse_and_end(replies::LINE_TOO_LONG.reply(), End::Unframed),
            Verb::Mail => self.mail_failed(),
            verb => self.is_bare = is_hello(verb),
        }
    }

    fn heard(&mut self, now: Instant) {
        self.totals.commands = self.totals.commands.saturating_add(1);
        self.reading = crate::time::Stopwatch::default();
        self.output.now = now;
    }

    fn interpret(&mut self, line: &[u8]) -> Result<(), SyntaxError> {
        let Parsed { command, used } = Command::parse_with(line, self.config.lenience())?;
        self.facts.lenience = used;
        let verb = command.verb();
        if let Command::Other { verb, argument } = command {
            self.other(verb, argument);
            return Ok(());
        }
        let is_idle = match verb {
            Verb::Vrfy | Verb::Expn | Verb::Help | Verb::Xclient => true,
            // One is needed.
            _ => is_hello(verb) && self.facts.hello.is_some(),
        };
        // RFC 5321 section 4.1.4 has a code for hellos.
        if is_idle
            && !match is_hello(verb) {
                true => self.may_idle(&replies::TOO_MANY_HELLOS),
                false => self.may_idle(&replies::NOTHING_DONE),
            }
        {
            return Ok(());
        }
        let standing = self.standing();
        let permitted = if self.refused.is_some() {
            sequence::permit(standing, verb).map_err(|why| (replies::misplaced(why), false))
        } else if !self.facts.service.knows(verb) {
            Err((replies::UNKNOWN_COMMAND, false))
        } else if !self.is_offered(verb) {
            Err((replies::NOT_IMPLEMENTED, false))
        } else {
            sequence::permit(standing, verb)
                .map_err(|why| (replies::misplaced(why), standing.is_innocent(verb, why)))
        };
        if let Err((refusal, is_innocent)) = permitted {
            match command {
                Command::Bdat { octets, last } => {
                    let size = ChunkSize { octets, is_last: last };
                    self.discard_chunk(size, refusal, is_innocent);
                    return Ok(());
                }
                // Content that failed is over (RFC 4468 section 3.4).
                Command::Burl { last: true, .. } if self.content.stage() == Some(Stage::Failed) => {
                    self.content.clear();
                }
                _ => {}
            }
            let fault = if is_innocent { Fault::Pipelined } else { Fault::Error };
            self.refuse(refusal.reply(), fault);
            return Ok(());
        }
        match command {
            Command::Ehlo(name) | Command::Lhlo(name) => self.hello(name, true),
            Command::Helo(name) => self.hello(name, false),
            Command::Mail { .. } if self.budget.transaction(self.config.limits()) => {
                self.refuse(replies::TOO_MANY_TRANSACTIONS.reply(), Fault::NoProgress);
            }
            Command::Mail { reverse_path, parameters } => {
                return self.mail(&reverse_path, &parameters);
            }
            Command::Rcpt { forward_path, parameters } => {
                return self.rcpt(&forward_path, &parameters);
            }
            Command::Data => self.ask(Question::Data(Announced::Data)),
            Command::Burl { uri, last } => {
                self.burl(Url { uri: uri.into_owned(), is_last: last });
            }
            Command::Etrn(node) => self.ask(Question::Etrn(node.into_owned())),
            Command::Atrn(domains) => {
                self.ask(Question::Atrn(domains.map(DomainList::into_owned)));
            }
            Command::Xclient(attributes) => self.xclient(attributes.into_owned()),
            Command::Xforward(attributes) => self.xforward(attributes.into_owned()),
            Command::Bdat { octets, last } => self.bdat(ChunkSize { octets, is_last: last }),
            Command::Auth { mechanism, initial_response } => {
                let is_without_hello = self.facts.hello.is_none();
                self.facts.lenience = self.facts.lenience.with_auth_without_hello(is_without_hello);
                self.auth(mechanism.as_str(), initial_response.as_ref());
            }
            // Whoever put octets in the clear behind STARTTLS wants them taken for protected ones.
            Command::StartTls if self.is_followed => {
                self.refuse_and_end(replies::INJECTED.reply(), End::Injection);
            }
            Command::StartTls => self.ask(Question::StartTls),
            // RFC 5321 sections 4.1.1.5 and 4.1.1.9: 250, however many there were.
            Command::Rset => {
                let then = self.charged(&replies::OK, Fault::NoProgress);
                self.go(AbortReason::Reset, then);
            }
            Command::Noop(_) => self.charge(&replies::OK, Fault::NoProgress),
            Command::Help(_) => {
                let known = Verb::ALL.iter().copied();
                let known = known.filter(|it| {
                    self.facts.service.knows(*it) && self.is_offered(*it) && !standing.is_past(*it)
                });
                let reply = replies::help(known);
                self.reply(&reply);
            }
            Command::Quit => self.end(&replies::FAREWELL, End::Quit),
            Command::Vrfy(lookup) => self.ask_about(&lookup, Question::Verify),
            Command::Expn(lookup) => self.ask_about(&lookup, Question::Expand),
            _ => self.refuse(replies::NOT_IMPLEMENTED.reply(), Fault::Error),
        }
        Ok(())
    }

    /// Counts a command without progress, and returns whether it is carried out: one beyond the
    /// limit is refused.
    fn may_idle(&mut self, refusal: &Rejection) -> bool {
        let may = self.budget.may_idle(self.config.limits());
        match may {
            true => self.budget.idle(),
            false => self.refuse(refusal.reply(), Fault::NoProgress),
        }
        may
    }

    /// A verb that is none of the standards'.
    fn other(&mut self, verb: UnknownVerb<'_>, argument: Option<Argument<'_>>) {
        let Some(own) = self.config.own_verb(&verb) else {
            // Whatever the session is at.
            return match HTTP.contains(&verb.as_str()) {
                true => self.refuse_and_end(replies::HTTP.reply(), End::OtherProtocol),
                false => self.refuse(replies::UNKNOWN_COMMAND.reply(), Fault::Error),
            };
        };
        let standing = self.standing();
        match sequence::permit_own(standing, own.place(), own.requires_auth()) {
            Err(why) => {
                let is_innocent = standing.is_innocent(Verb::Other, why);
                let fault = if is_innocent { Fault::Pipelined } else { Fault::Error };
                self.refuse(replies::misplaced(why).reply(), fault);
            }
            // It brings no message nearer, as far as the machine knows.
            Ok(()) if self.may_idle(&replies::NOTHING_DONE) => {
                let argument = argument.map(Argument::into_owned);
                self.ask(Question::Other(verb.into_owned(), argument));
            }
            Ok(()) => {}
        }
    }

    /// Whether `verb` belongs to no extension, or to one that is offered.
    fn is_offered(&self, verb: Verb) -> bool {
        match verb {
            Verb::Bdat => self.offered.contains(Extension::Chunking),
            Verb::Etrn => self.offered.contains(Extension::Etrn),
            Verb::Xclient => self.offered.contains(Extension::Xclient),
            Verb::Xforward => self.offered.contains(Extension::Xforward),
            Verb::Burl => self.offered.contains(Extension::Burl),
            Verb::Atrn => self.offered.contains(Extension::Atrn),
            Verb::Send | Verb::Soml | Verb::Saml | Verb::Turn | Verb::Other => false,
            // Whoever has to say EHLO or STARTTLS first hears of that.
            Verb::Auth => {
                let is_early = self.facts.hello.is_none()
                    || self.config.requires_tls() && !self.facts.security.is_tls();
                self.offered.contains(Extension::Auth) || is_early && self.config.auth().is_some()
            }
            // Before EHLO too: what is supported is announced, and nothing else (RFC 5321 section 4.1.1.1).
            Verb::Expn => self.config.extensions().contains(Extension::Expn),
            Verb::Help => self.config.extensions().contains(Extension::Help),
            // In TLS it is no longer offered; that it comes at the wrong time says more.
            Verb::StartTls => self.config.extensions().contains(Extension::StartTls),
            _ => true,
        }
    }

    fn bdat(&mut self, size: ChunkSize) {
        let is_empty = size.octets == 0 && !size.is_last;
        match self.content.stage() {
            // It brings the content no nearer to its end.
            Some(_) if self.is_stopping && is_empty => {
                self.end(replies::SHUTTING_DOWN.reply(), End::ShutDown);
            }
            Some(_) => self.take_chunk(size, Fitness::ANY),
            None => self.ask(Question::Data(Announced::Chunk(size))),
        }
    }

    fn burl(&mut self, url: Url) {
        match self.content.stage() {
            Some(_) => {
                // The end of the last chunk comes first.
                self.content.begin_url(url, Fitness::ANY, self.config.timeouts());
                self.phase = Phase::Content;
            }
            None => self.ask(Question::Data(Announced::Url(url))),
        }
    }

    /// Discards a chunk that comes at the wrong time: its octets are no commands (RFC 3030 section
    /// 2).
    fn discard_chunk(&mut self, size: ChunkSize, rejection: Rejection, is_innocent: bool) {
        let fault = if is_innocent { Fault::None } else { Fault::Error };
        self.count_error();
        self.content.begin_discarded(size, rejection, fault, self.config.timeouts());
        self.phase = Phase::Content;
        self.check_discarded();
    }

    fn hello(&mut self, name: HelloName<'_>, is_extended: bool) {
        self.ask(Question::Hello { name: name.into_owned(), is_extended });
    }

    fn mail(&mut self, path: &ReversePath<'_>, raw: &Parameters<'_>) -> Result<(), SyntaxError> {
        let limit = self.config.limits().message;
        let typed = match MailParameters::parse_with(raw, &self.offered, self.config.lenience()) {
            // Clients exist that declare a size of their own besides the one they were told:
            // where one of them is too large, that is the better reason.
            Err(error) if self.is_offered_size(&error) && declares_more_than(raw, limit) => {
                self.refuse(replies::DECLARED_TOO_LARGE.reply(), Fault::NoProgress);
                return Ok(());
            }
            parsed => parsed?,
        };
        let submitter = typed.submitter().and_then(Submitter::mailbox);
        let used = submitter.map_or(Lenience::STRICT, Mailbox::deviations);
        self.facts.lenience = self.facts.lenience.union(used);
        if !path.is_ascii() && !typed.is_smtputf8() {
            self.refuse(replies::SENDER_NEEDS_UTF8.reply(), Fault::Error);
        } else if typed.size().is_some_and(|octets| octets > limit) {
            self.refuse(replies::DECLARED_TOO_LARGE.reply(), Fault::NoProgress);
        } else if let Some(refusal) = untimely(&typed, &self.offered) {
            self.refuse(refusal.reply(), Fault::NoProgress);
        } else {
            self.content.clear();
            self.facts.transaction.propose(path, raw, &typed);
            self.ask(Question::Mail);
        }
        Ok(())
    }

    fn rcpt(&mut self, path: &ForwardPath<'_>, raw: &Parameters<'_>) -> Result<(), SyntaxError> {
        RcptParameters::parse(raw, &self.offered)?;
        let limits = *self.config.limits();
        let transaction = &mut self.facts.transaction;
        if !path.is_ascii() && !transaction.is_utf8() {
            self.refuse(replies::RECIPIENT_NEEDS_UTF8.reply(), Fault::Error);
        } else if transaction.accepted() >= limits.recipients
            || transaction.octets() >= limits.envelope
        {
            // RFC 5321 section 4.5.3.1.10 lets a client find the limit in this way.
            self.refuse(replies::TOO_MANY_RECIPIENTS.reply(), Fault::Pipelined);
        } else {
            transaction.address(path, raw);
            self.ask(Question::Rcpt);
        }
        Ok(())
    }

    /// Whether SIZE is known here and was given twice.
    fn is_offered_size(&self, error: &SyntaxError) -> bool {
        error.kind() == SyntaxErrorKind::DuplicateParameter
            && error.parameter() == Some(Extension::Size.keyword())
            && self.offered.contains(Extension::Size)
    }

    fn ask_about(&mut self, lookup: &Lookup<'_>, question: Question) {
        self.facts.argument.clear();
        self.facts.argument.push_str(lookup.as_str());
        self.facts.reads_utf8 = lookup.is_smtputf8();
        self.ask(question);
    }
}

const fn is_hello(verb: Verb) -> bool {
    matches!(verb, Verb::Ehlo | Verb::Helo | Verb::Lhlo)
}

/// Whether one of the sizes in these parameters is over `limit`.
fn declares_more_than(raw: &Parameters<'_>, limit: u64) -> bool {
    raw.iter()
        .filter(|parameter| parameter.matches(Extension::Size.keyword()))
        .filter_map(|parameter| parameter.value()?.parse::<u64>().ok())
        .any(|octets| octets > limit)
}

/// What a browser that was lured here says first. Further lines of its request could hold anything.
const HTTP: [&str; 8] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PRI", "PUT"];

/// Why a message may not be delivered at the time that it asks for.
fn untimely(typed: &MailParameters<'_>, offered: &Extensions) -> Option<Rejection> {
    let by = typed.deliver_by().filter(|by| by.mode() == ByMode::Return);
    let minimum = offered.deliver_by_minimum().map(i64::from);
    if by.is_some_and(|by| minimum.is_some_and(|minimum| i64::from(by.seconds()) < minimum)) {
        return Some(replies::DELIVERED_TOO_SOON);
    }
    let (hold, bounds) = (typed.hold()?, offered.future_release()?);
    let is_beyond = match hold {
        Hold::For(seconds) => seconds.get() > bounds.most.get(),
        Hold::Until(moment) => moment.unix_seconds() > bounds.last.unix_seconds(),
    };
    is_beyond.then_some(replies::HELD_TOO_LONG)
}
