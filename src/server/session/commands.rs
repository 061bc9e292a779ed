//! The commands: whether they are admitted, and what they do.

use super::{Phase, Question, Session, Then};
use crate::{
    server::{
        budget::Fault,
        config::Fitness,
        content::{Announced, ChunkSize, Url},
        custom_parameter::CustomParameter,
        end::{AbortReason, End},
        event::HelloQuestion,
        extension_events::OtherQuestion,
        limits::AUTH_LINE,
        replies,
        sequence::{self, Stage},
        token::{Asked, Slot},
    },
    syntax::{
        Argument, ByMode, Command, DomainList, Extension, Extensions, ForwardPath, HelloName, Hold,
        Lenience, Lookup, MailParameters, Mailbox, Parameters, RcptParameters, Rejection,
        ReversePath, Submitter, SyntaxError, SyntaxErrorKind, UnknownVerb, Verb,
    },
};

impl Session {
    /// Interprets one line without its CRLF. `is_last` says that no octets have come after it.
    pub(super) fn command(&mut self, line: &[u8], is_last: bool) {
        self.line_received();
        self.has_pipelined_input = !is_last;
        if self.channel.has_record() {
            self.note_command(line);
        }
        let mut used = Lenience::STRICT;
        let parsed = Command::parse_noting(line, self.config.lenience(), &mut used);
        let verb = match &parsed {
            Ok(command) => command.verb(),
            Err(_) => Verb::of(line),
        };
        self.omits_enhanced_code = is_hello(verb);
        if !is_last && !self.may_be_followed(verb) && self.is_pipelining_violation() {
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
            // Even if it does not parse; of BDAT the number of octets that follow has to be known.
            if let Err(why) = sequence::permit(self.standing(), verb) {
                self.count_refused(verb);
                self.refuse(&replies::misplaced(why), Fault::Error);
                return;
            }
        }
        let error = match parsed {
            Ok(ref command) => {
                self.facts.note_lenience(used);
                self.carry_out(command, verb).err()
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            let rejection = replies::syntax(error);
            match verb {
                // How many octets of content follow is not known.
                Verb::Bdat => self.refuse(&rejection, Fault::Unframed),
                _ => self.refuse(&rejection, Fault::Error),
            }
        }
        match (verb, &self.phase) {
            (Verb::Mail, Phase::Asked(Question::Mail(_)))
            | (Verb::Rcpt, Phase::Asked(Question::Rcpt(_))) => {}
            (Verb::Mail | Verb::Rcpt, _) => self.failed(verb),
            _ => {}
        }
    }

    /// Returns whether octets may follow the command before its reply is sent.
    fn may_be_followed(&self, verb: Verb) -> bool {
        sequence::may_be_followed(verb, self.offered().contains(Extension::Pipelining))
    }

    /// Notes that a command was refused. After MAIL commands that were pipelined are no errors.
    #[cold]
    fn failed(&mut self, verb: Verb) {
        self.count_refused(verb);
        if verb == Verb::Mail && self.work().content.stage().is_none() {
            self.facts.transaction_mut().fail();
        }
    }

    /// Counts a MAIL or RCPT that the machine refuses.
    #[cold]
    fn count_refused(&mut self, verb: Verb) {
        match verb {
            Verb::Mail => self.work_mut().counts.refused_transactions.add(),
            Verb::Rcpt => self.work_mut().counts.refused_recipients.add(),
            _ => {}
        }
    }

    /// Refuses a line that was longer than the limit and was discarded.
    #[cold]
    pub(super) fn line_too_long(&mut self) {
        self.line_received();
        self.channel.note_long_line();
        // RFC 4954 section 4 has a code for AUTH.
        let rejection = match self.long_line {
            Verb::Auth => replies::RESPONSE_TOO_LONG,
            _ => replies::LINE_TOO_LONG,
        };
        self.refuse(&rejection, Fault::Error);
    }

    /// Returns the octets that the line with this front may have, its CRLF included. A line of AUTH
    /// may have as many as one of its exchange, whatever the limit of other commands is (RFC 4954
    /// section 4).
    pub(super) fn line_limit(&self, front: &[u8]) -> usize {
        let limit = self.config.command_line();
        match front {
            [verb @ .., b' ' | b'\t'] if verb.eq_ignore_ascii_case(b"AUTH") => limit.max(AUTH_LINE),
            _ => limit,
        }
    }

    /// Checks the front of a line that is longer than the limit, in the receive buffer.
    #[cold]
    pub(super) fn check_long_line(&mut self) {
        self.long_line = Verb::of(self.channel.receive.octets());
        self.channel.begin_long_line();
        match self.long_line {
            // How many octets of content follow is not known.
            Verb::Bdat => self.refuse(&replies::LINE_TOO_LONG, Fault::Unframed),
            verb => {
                self.failed(verb);
                self.omits_enhanced_code = is_hello(verb);
            }
        }
    }

    fn line_received(&mut self) {
        self.channel.count_command();
        self.channel.end_reading();
    }

    /// Carries a command with this verb out, if it may come now.
    fn carry_out(&mut self, command: &Command<'_>, verb: Verb) -> Result<(), SyntaxError> {
        if let Command::Other { verb, argument } = command {
            self.other(verb, argument.as_ref());
            return Ok(());
        }
        if !self.is_within_limit(verb) {
            return Ok(());
        }
        match self.admit(verb) {
            Ok(()) => self.perform(command),
            Err((rejection, is_pipelined)) => {
                self.refuse_command(command, rejection, is_pipelined);
                Ok(())
            }
        }
    }

    /// Counts a command that makes no progress, and refuses one beyond the limit. RSET and NOOP are
    /// carried out beyond it, too (RFC 5321 sections 4.1.1.5 and 4.1.1.9).
    fn is_within_limit(&mut self, verb: Verb) -> bool {
        match verb {
            Verb::Vrfy | Verb::Expn | Verb::Help | Verb::Xclient => {
                self.may_idle(&replies::TOO_MANY_IDLE_COMMANDS)
            }
            // The first hello is needed. RFC 5321 section 4.1.4 has a code for further ones.
            _ if is_hello(verb) && self.facts.hello.is_some() => {
                self.may_idle(&replies::TOO_MANY_HELLOS)
            }
            _ => true,
        }
    }

    /// Returns whether a command may come now. The error has the reply, and whether a client that
    /// pipelines may have sent the command in good faith.
    fn admit(&self, verb: Verb) -> Result<(), (Rejection, bool)> {
        let standing = self.standing();
        if self.refused.is_some() {
            sequence::permit(standing, verb).map_err(|why| (replies::misplaced(why), false))
        } else if !self.facts.service.knows(verb) {
            Err((replies::UNKNOWN_COMMAND, false))
        } else if !self.is_offered(verb) {
            Err((replies::NOT_IMPLEMENTED, false))
        } else {
            sequence::permit(standing, verb).map_err(|why| {
                (replies::misplaced(why), standing.is_pipelined_in_good_faith(verb, why))
            })
        }
    }

    /// Refuses a command that is not admitted.
    #[cold]
    fn refuse_command(&mut self, command: &Command<'_>, rejection: Rejection, is_pipelined: bool) {
        match *command {
            Command::Bdat { octets, last } => {
                let size = ChunkSize { octets, is_last: last };
                return self.discard_chunk(size, rejection, is_pipelined);
            }
            // Content that failed is over (RFC 4468 section 3.4).
            Command::Burl { last: true, .. }
                if self.work().content.stage() == Some(Stage::Failed) =>
            {
                self.clear_content();
            }
            _ => {}
        }
        let fault = if is_pipelined { Fault::Pipelined } else { Fault::Error };
        self.refuse(&rejection, fault);
    }

    /// Carries out a command that is admitted.
    fn perform(&mut self, command: &Command<'_>) -> Result<(), SyntaxError> {
        match command {
            Command::Ehlo(name) | Command::Lhlo(name) => self.hello(name, true),
            Command::Helo(name) => self.hello(name, false),
            Command::Mail { .. } if self.counts_transaction_too_many() => {
                self.refuse(&replies::TOO_MANY_TRANSACTIONS, Fault::Limit);
            }
            Command::Mail { reverse_path, parameters } => {
                return self.mail(reverse_path, parameters);
            }
            Command::Rcpt { forward_path, parameters } => {
                return self.rcpt(forward_path, parameters);
            }
            Command::Data => self.announce_content(Announced::Data),
            Command::Burl { uri, last } => {
                self.burl(Url { uri: uri.clone().into_owned(), is_last: *last });
            }
            Command::Bdat { octets, last } => {
                self.bdat(ChunkSize { octets: *octets, is_last: *last });
            }
            Command::Etrn(node) => self.ask(Question::Etrn(Asked::new(node.clone().into_owned()))),
            Command::Atrn(domains) => {
                let domains = domains.clone().map(DomainList::into_owned);
                self.ask(Question::Atrn(Asked::new(domains)));
            }
            Command::Xclient(attributes) => self.xclient(attributes.clone().into_owned()),
            Command::Xforward(attributes) => self.xforward(attributes.clone().into_owned()),
            Command::Auth { mechanism, initial_response } => {
                if self.facts.hello.is_none() {
                    let used = self.facts.forgiven().with_auth_without_hello();
                    self.facts.note_lenience(used);
                }
                self.auth(*mechanism, initial_response.as_ref());
            }
            // A client that sends octets in the clear after STARTTLS wants them to be taken for
            // protected ones (command injection).
            Command::StartTls if self.has_pipelined_input => {
                self.refuse(&replies::INJECTED, Fault::Injection);
            }
            Command::StartTls => self.ask(Question::StartTls(Slot::Open)),
            // RFC 5321 sections 4.1.1.5 and 4.1.1.9: 250, however many there were.
            Command::Rset => {
                let then = self.charged(&replies::OK, Fault::NoProgress);
                self.abort_then(AbortReason::Reset, then);
            }
            Command::Noop(_) => self.charge(&replies::OK, Fault::NoProgress),
            Command::Help(_) => self.help(),
            Command::Quit => {
                self.say_usual(&replies::FAREWELL);
                self.abort_then(End::Quit.abort_reason(), Then::Farewell(End::Quit));
            }
            Command::Vrfy(lookup) => self.ask_about(lookup, Question::Verify(Slot::Open)),
            Command::Expn(lookup) => self.ask_about(lookup, Question::Expand(Slot::Open)),
            _ => self.refuse(&replies::NOT_IMPLEMENTED, Fault::Error),
        }
        Ok(())
    }

    fn help(&mut self) {
        let standing = self.standing();
        let known = Verb::ALL.iter().copied();
        let known = known.filter(|it| {
            self.facts.service.knows(*it) && self.is_offered(*it) && !standing.is_past(*it)
        });
        let reply = replies::help(known);
        self.say(&reply);
    }

    /// Asks whether content may come, as a command has announced.
    fn announce_content(&mut self, announced: Announced) {
        self.work_mut().content.announce(announced);
        self.ask(Question::Data(Slot::Open));
    }

    /// Counts a command without progress, and returns whether it is carried out: one beyond the
    /// limit is refused.
    fn may_idle(&mut self, refusal: &Rejection) -> bool {
        let may = self.work().budget.may_idle(self.config.limits());
        match may {
            true => self.work_mut().budget.idle(),
            false => self.refuse(refusal, Fault::Limit),
        }
        may
    }

    /// Interprets a verb of the application's own, or an unknown one.
    #[cold]
    fn other(&mut self, verb: &UnknownVerb<'_>, argument: Option<&Argument<'_>>) {
        let Some(own) = self.config.custom_verb(verb) else {
            // In any stage.
            return match HTTP.contains(&verb.as_str()) {
                true => self.refuse(&replies::HTTP, Fault::OtherProtocol),
                false => self.refuse(&replies::UNKNOWN_COMMAND, Fault::Error),
            };
        };
        let standing = self.standing();
        match sequence::permit_custom(standing, own.place(), own.requires_auth()) {
            Err(why) => {
                let is_pipelined_in_good_faith =
                    standing.is_pipelined_in_good_faith(Verb::Other, why);
                let fault =
                    if is_pipelined_in_good_faith { Fault::Pipelined } else { Fault::Error };
                self.refuse(&replies::misplaced(why), fault);
            }
            // It makes no progress towards a message, as far as the machine knows.
            Ok(()) if self.may_idle(&replies::TOO_MANY_IDLE_COMMANDS) => {
                let argument = argument.cloned().map(Argument::into_owned);
                let about = OtherQuestion { verb: verb.clone().into_owned(), argument };
                self.ask(Question::Other(Asked::new(about)));
            }
            Ok(()) => {}
        }
    }

    /// Returns whether `verb` belongs to no extension, or to one that is offered.
    fn is_offered(&self, verb: Verb) -> bool {
        match verb {
            Verb::Bdat => self.offered().contains(Extension::Chunking),
            Verb::Etrn => self.offered().contains(Extension::Etrn),
            Verb::Xclient => self.offered().contains(Extension::Xclient),
            Verb::Xforward => self.offered().contains(Extension::Xforward),
            Verb::Burl => self.offered().contains(Extension::Burl),
            Verb::Atrn => self.offered().contains(Extension::Atrn),
            Verb::Send | Verb::Soml | Verb::Saml | Verb::Turn | Verb::Other => false,
            // A client that has to send EHLO or STARTTLS first is told so.
            Verb::Auth => {
                let is_early = self.facts.hello.is_none()
                    || self.config.requires_tls() && !self.facts.security.is_tls();
                self.offered().contains(Extension::Auth) || is_early && self.config.auth().is_some()
            }
            // Before EHLO, too: supported commands are announced, and no others (RFC 5321 section 4.1.1.1).
            Verb::Expn => self.config.extensions().contains(Extension::Expn),
            Verb::Help => self.config.extensions().contains(Extension::Help),
            // In TLS it is no longer offered; the reply says that it comes at the wrong time.
            Verb::StartTls => self.config.extensions().contains(Extension::StartTls),
            _ => true,
        }
    }

    fn bdat(&mut self, size: ChunkSize) {
        let is_empty = size.octets == 0 && !size.is_last;
        match self.work().content.stage() {
            // It makes no progress towards the end of the content.
            Some(_) if self.is_stopping && is_empty => {
                self.end(replies::SHUTTING_DOWN.reply(), End::ShutDown);
            }
            Some(_) => self.take_chunk(size, Fitness::ANY),
            None => self.announce_content(Announced::Chunk(size)),
        }
    }

    fn burl(&mut self, url: Url) {
        match self.work().content.stage() {
            Some(_) => {
                // The end of the last chunk comes first.
                self.work_mut().content.begin_url(url, Fitness::ANY);
                self.enter(Phase::Content(Slot::Open));
            }
            None => self.announce_content(Announced::Url(url)),
        }
    }

    /// Discards a chunk that comes at the wrong time: its octets are not commands (RFC 3030 section
    /// 2).
    fn discard_chunk(
        &mut self,
        size: ChunkSize,
        rejection: Rejection,
        is_pipelined_in_good_faith: bool,
    ) {
        let fault = if is_pipelined_in_good_faith { Fault::None } else { Fault::Discarded };
        self.count_error();
        self.work_mut().content.begin_discarded(size, rejection, fault);
        self.enter(Phase::Content(Slot::Open));
        self.check_discarded();
    }

    fn hello(&mut self, name: &HelloName<'_>, is_extended: bool) {
        let name = name.clone().into_owned();
        let about = HelloQuestion { name, is_extended, proven: None };
        self.ask(Question::Hello(Asked::new(about)));
    }

    fn mail(&mut self, path: &ReversePath<'_>, raw: &Parameters<'_>) -> Result<(), SyntaxError> {
        let limit = self.config.limits().message;
        let own = self.own_parameters();
        let is_own = |keyword: &str| own.iter().any(|own| own.is(Verb::Mail, keyword));
        let lenience = self.config.lenience();
        let typed = MailParameters::read(raw, self.offered(), lenience, is_own);
        let typed = match &typed {
            Ok(typed) => typed,
            // Some clients declare a size of their own besides the one of their user: where one of them
            // is too large, that is the better reason.
            Err(error) if self.is_offered_size(error) && declares_more_than(raw, limit) => {
                self.refuse(&replies::DECLARED_TOO_LARGE, Fault::Limit);
                return Ok(());
            }
            Err(_) => return typed.map(drop),
        };
        CustomParameter::check(own, Verb::Mail, raw)?;
        let submitter = typed.submitter().and_then(Submitter::mailbox);
        let used = submitter.map_or(Lenience::STRICT, Mailbox::deviations);
        let responsible = typed.responsible_submitter();
        let used = used.union(responsible.map_or(Lenience::STRICT, Mailbox::deviations));
        let used = self.facts.forgiven().union(used);
        self.facts.note_lenience(used);
        if !path.is_ascii() && !typed.is_smtputf8() {
            self.refuse(&replies::SENDER_NEEDS_UTF8, Fault::Error);
        } else if typed.size().is_some_and(|octets| octets > limit) {
            self.refuse(&replies::DECLARED_TOO_LARGE, Fault::Limit);
        } else if let Some(refusal) = untimely(typed, self.offered()) {
            self.refuse(&refusal, Fault::Limit);
        } else {
            self.clear_content();
            self.facts.transaction_mut().propose(path, raw, typed);
            self.ask(Question::Mail(Slot::Open));
        }
        Ok(())
    }

    fn rcpt(&mut self, path: &ForwardPath<'_>, raw: &Parameters<'_>) -> Result<(), SyntaxError> {
        let own = self.own_parameters();
        let is_own = |keyword: &str| own.iter().any(|own| own.is(Verb::Rcpt, keyword));
        RcptParameters::parse_known(raw, self.offered(), is_own)?;
        CustomParameter::check(own, Verb::Rcpt, raw)?;
        let (most, most_octets) = {
            let limits = self.config.limits();
            (limits.recipients, limits.envelope)
        };
        let transaction = self.facts.transaction_mut();
        if !path.is_ascii() && !transaction.is_utf8() {
            self.refuse(&replies::RECIPIENT_NEEDS_UTF8, Fault::Error);
        } else if transaction.accepted() >= most || transaction.octets() >= most_octets {
            // RFC 5321 section 4.5.3.1.10 lets a client find the limit in this way.
            self.refuse(&replies::TOO_MANY_RECIPIENTS, Fault::Pipelined);
        } else {
            transaction.address(path, raw);
            self.ask(Question::Rcpt(Slot::Open));
        }
        Ok(())
    }

    /// Returns the parameters of the application's own that this client may use: those of extensions exist
    /// only after EHLO (RFC 5321 section 2.2.1).
    fn own_parameters(&self) -> &[CustomParameter] {
        match self.facts.is_extended() {
            true => self.config.own_parameters(),
            false => &[],
        }
    }

    /// Returns whether SIZE is offered and was given twice.
    fn is_offered_size(&self, error: &SyntaxError) -> bool {
        error.kind() == SyntaxErrorKind::DuplicateParameter
            && error.parameter() == Some(Extension::Size.keyword())
            && self.offered().contains(Extension::Size)
    }

    fn ask_about(&mut self, lookup: &Lookup<'_>, question: Question) {
        let argument = &mut self.facts.more_mut().argument;
        argument.clear();
        argument.push_str(lookup.as_str());
        self.facts.reads_utf8 = lookup.is_smtputf8();
        self.ask(question);
    }
}

const fn is_hello(verb: Verb) -> bool {
    matches!(verb, Verb::Ehlo | Verb::Helo | Verb::Lhlo)
}

/// Returns whether one of the sizes in these parameters is over `limit`.
fn declares_more_than(raw: &Parameters<'_>, limit: u64) -> bool {
    raw.iter()
        .filter(|parameter| parameter.matches(Extension::Size.keyword()))
        .filter_map(|parameter| parameter.value()?.parse::<u64>().ok())
        .any(|octets| octets > limit)
}

/// The verbs of HTTP: a browser that was lured here sends one first (cross-protocol attack), and
/// further lines of its request could hold anything.
const HTTP: [&str; 8] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PRI", "PUT"];

/// Returns why a message may not be delivered at the time that it asks for.
fn untimely(typed: &MailParameters<'_>, offered: &Extensions) -> Option<Rejection> {
    let by = typed.deliver_by().filter(|by| by.mode() == ByMode::Return);
    let minimum = offered.deliver_by_minimum().map(i64::from);
    if by.is_some_and(|by| minimum.is_some_and(|minimum| i64::from(by.seconds()) < minimum)) {
        return Some(replies::DELIVERED_TOO_SOON);
    }
    let (hold, bounds) = (typed.hold()?, offered.future_release()?);
    let is_beyond = match hold {
        Hold::For(seconds) => seconds.get() > bounds.most().get(),
        Hold::Until(moment) => moment.unix_seconds() > bounds.last().unix_seconds(),
    };
    is_beyond.then_some(replies::HELD_TOO_LONG)
}
