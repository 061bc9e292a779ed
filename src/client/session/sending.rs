//! The commands and the content that leave.

use super::{Phase, Session, auth::begin_exchange};
use crate::{
    channel::Channel,
    client::{
        ask::Ask,
        error::End,
        facts::Facts,
        in_flight::{Capacity, InFlight, Step},
        outgoing::Framing,
        queue::{Expected, is_content_due},
    },
    syntax::{Command, Verb},
    transcript::{Entry, Side},
};
use alloc::boxed::Box;

/// Octets of the one chunk that leaves before a recipient is accepted: it may be in vain.
const FIRST_CHUNK: usize = 64 * 1024;

impl Session {
    /// Sends everything that may be sent now.
    pub(super) fn send_next(&mut self, facts: &Facts) {
        if !self.channel.is_open() {
            return;
        }
        match self.position.phase() {
            Phase::Asking(_) => self.send_command(facts),
            Phase::Envelope => self.send_envelope(facts),
            Phase::Content(_) => self.send_content(facts),
            Phase::Ending(_) => self.send_end(facts),
            Phase::Aborting(_) => self.abort(),
            Phase::Authenticating(_) => self.send_response(),
            Phase::Ready
                if self.is_exhausted(facts)
                    && self.work().queue.is_empty()
                    && self.work().transactions.is_empty() =>
            {
                self.position.enter(Phase::asking(Ask::Quit(End::MailMax)));
                self.send_command(facts);
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

    /// Sends the command outside transactions.
    fn send_command(&mut self, facts: &Facts) {
        let Phase::Asking(ask) = self.position.phase() else { return };
        let must_wait = self.capacity.is_content_alone && is_content_due(&self.work().queue)
            || ask.needs_silence() && !self.work().queue.is_empty();
        if must_wait || !self.may_send() {
            return;
        }
        if ask.needs_silence() && self.needs_reset {
            self.channel.command(&Command::Rset);
            self.needs_reset = false;
            return self.work_mut().queue.push_back(Expected::Clearing);
        }
        let Self { position, channel, .. } = self;
        let expected = position.advance(|phase| match phase {
            Phase::Asking(ask) => send(*ask, facts, channel),
            other => (other, None),
        });
        if expected == Some(Expected::Single(Verb::Rset)) {
            self.needs_reset = false;
        }
        self.work_mut().queue.extend(expected);
    }

    /// Sends RSET, MAIL, RCPT and DATA: as many as may wait for replies at once.
    fn send_envelope(&mut self, facts: &Facts) {
        let mut capacity = self.capacity;
        if facts.rcpt_max().is_some() {
            // Recipients beyond an announced limit were left out before (RFC 9422 section 4.2).
            capacity.take(usize::MAX);
        }
        while self.may_send() && self.may_pipeline(facts) {
            let Some(work) = &mut self.work else { return };
            let Some(newest) = work.transactions.back_mut() else { return };
            let must_wait = capacity.is_content_alone && is_content_due(&work.queue);
            if must_wait || newest.is_repeated() {
                return;
            }
            let transaction = newest.transaction;
            if newest.is_dead() && newest.step != Step::InProgress {
                newest.step = Step::Over;
                self.position.enter(Phase::Ready);
                return self.settle();
            }
            let expected = match newest.step {
                Step::Reset => {
                    self.channel.command(&Command::Rset);
                    newest.step = Step::Mail;
                    Expected::Reset(transaction)
                }
                Step::Mail => {
                    if is_content_due(&work.queue) {
                        newest.follows_content();
                    }
                    self.channel.command(&newest.mail());
                    self.mails = self.mails.saturating_add(1);
                    self.needs_reset = true;
                    newest.step = Step::Rcpt(0);
                    Expected::Mail(transaction)
                }
                Step::Rcpt(index) => match send_rcpt(newest, index, capacity, &mut self.channel) {
                    Rcpt::Sent(index) => Expected::Rcpt(transaction, index),
                    Rcpt::AllSent => {
                        newest.step = Step::Content;
                        continue;
                    }
                    Rcpt::Waits => return,
                },
                Step::Content if newest.framing == Framing::Dots => {
                    self.channel.command(&Command::Data);
                    newest.step = Step::InProgress;
                    Expected::Data(transaction)
                }
                Step::Content => return self.begin_chunks(facts),
                Step::InProgress | Step::Over => return,
            };
            newest.awaiting += 1;
            work.queue.push_back(expected);
        }
    }

    /// Asks the application for content that goes in chunks, once it may be sent.
    fn begin_chunks(&mut self, facts: &Facts) {
        let Some(work) = &mut self.work else { return };
        let Some(newest) = work.transactions.back_mut() else { return };
        // BDAT LAST without a recipient has no reply in LMTP (RFC 2033 section 4.3), or one: there, and
        // without PIPELINING, a recipient must have been accepted.
        let is_speculative =
            facts.is_pipelining() && !facts.config.service().replies_per_recipient();
        if is_speculative || newest.may_have_content() {
            newest.step = Step::InProgress;
            let spare = work.spare.get_or_insert_default();
            self.position.enter(Phase::Content(newest.begin_content(spare)));
        }
    }

    /// Sends content that was taken, as far as it does not leave by itself.
    fn send_content(&mut self, facts: &Facts) {
        let may_chunk = self.may_chunk(facts);
        // While the application waits for more, small chunks do not follow each other (RFC 896).
        let is_chunk_due = matches!(self.work().queue.back(), Some(Expected::Chunk(..)));
        let Some(content) = self.position.content() else { return };
        if content.pending() == 0 && !self.channel.has_output() {
            content.flushed();
        }
        let enough = facts.config.send_buffer().div_ceil(2);
        let is_ready = content.is_flushing()
            || content.is_waiting() && !is_chunk_due
            || content.pending() >= enough;
        if content.pending() > 0 && is_ready && may_chunk {
            self.send_chunk(false);
        }
        if self.may_chunk(facts) {
            self.send_url(false);
        }
    }

    /// Returns whether a chunk may leave now (RFC 3030 section 4.2: chunks may be pipelined).
    fn may_chunk(&self, facts: &Facts) -> bool {
        self.may_send()
            && self.work().transactions.back().is_some_and(InFlight::may_chunk)
            && if facts.is_pipelining() {
                self.work().queue.len() < facts.config.in_flight()
            } else {
                self.work().queue.is_empty()
            }
    }

    /// Sends the content that was taken as a chunk, as much of it as may be lost on a recipient that
    /// is refused. Returns whether it was the last.
    fn send_chunk(&mut self, is_end: bool) -> bool {
        let Some(content) = self.position.outgoing() else { return false };
        let Some(work) = &mut self.work else { return false };
        let Some(newest) = work.transactions.back_mut() else { return false };
        let room = if newest.ever_accepted() > 0 { usize::MAX } else { FIRST_CHUNK };
        let octets = content.pending().min(room);
        let last = is_end && octets == content.pending();
        self.channel.command(&Command::Bdat { octets: octets as u64, last });
        let send = self.channel.send();
        content.take_pending(octets, |piece| send.push(piece));
        newest.awaiting += 1;
        newest.has_chunk = true;
        let octets = octets as u64;
        self.channel.log(Entry::Content { from: Side::Client, octets });
        work.queue.push_back(if last {
            Expected::End(newest.transaction)
        } else {
            Expected::Chunk(newest.transaction, octets)
        });
        last
    }

    /// Sends the URL that comes next. Returns whether there was one.
    fn send_url(&mut self, last: bool) -> bool {
        let Some(content) = self.position.outgoing() else { return false };
        let Some(work) = &mut self.work else { return false };
        let (Some(uri), Some(newest)) = (content.take_url(), work.transactions.back_mut()) else {
            return false;
        };
        self.channel.command(&Command::Burl { uri, last });
        newest.awaiting += 1;
        newest.has_chunk = true;
        newest.has_url = true;
        work.queue.push_back(if last {
            Expected::End(newest.transaction)
        } else {
            Expected::Url(newest.transaction)
        });
        true
    }

    /// Sends the end of the content. It does not leave while the server sends an unsolicited reply.
    fn send_end(&mut self, facts: &Facts) {
        let may_chunk = self.may_chunk(facts);
        let may_dot = self.work().queue.is_empty() && self.channel.receive.is_empty();
        let framing = self.work().transactions.back().map(|newest| newest.framing);
        let Some(content) = self.position.ending() else { return };
        match framing {
            Some(Framing::Chunks) if may_chunk && content.has_url() => {
                if content.pending() > 0 {
                    self.send_chunk(false);
                }
                if !(self.may_chunk(facts) && self.send_url(true)) {
                    return;
                }
            }
            Some(Framing::Chunks) if may_chunk => {
                if !self.send_chunk(true) {
                    return;
                }
            }
            Some(Framing::Dots) if may_dot => {
                let octets = content.wire_octets();
                self.channel.send().text().extend_from_slice(content.tail());
                self.sent_dot(octets);
            }
            _ => return,
        }
        let written = self.channel.written();
        if let Some(newest) = self.work_mut().transactions.back_mut() {
            newest.content_end = Some(written);
            newest.step = Step::Over;
        }
        self.leave_content();
    }

    /// Notes that the dot was sent, after `octets` octets of content.
    pub(super) fn sent_dot(&mut self, octets: u64) {
        let Some(work) = &mut self.work else { return };
        let Some(newest) = work.transactions.back_mut() else { return };
        self.channel.log(Entry::Content { from: Side::Client, octets });
        self.channel.log(Entry::Line { from: Side::Client, octets: b"." });
        newest.awaiting += 1;
        work.queue.push_back(Expected::End(newest.transaction));
        self.needs_reset = false;
    }

    /// Gives the content up. After DATA only closing keeps what was sent from becoming a message;
    /// after BDAT there was no LAST, and RSET will come before the next MAIL.
    fn abort(&mut self) {
        let framing = self.work().transactions.back().map(|newest| newest.framing);
        if framing == Some(Framing::Dots) {
            return self.end(End::Aborted);
        }
        self.withdraw_content();
    }

    /// Sends no more content of the newest transaction.
    pub(super) fn withdraw_content(&mut self) {
        if let Some(newest) = self.work_mut().transactions.back_mut() {
            newest.step = Step::Over;
        }
        self.leave_content();
        self.settle();
    }

    /// Ends the content, and keeps its memory for that of another transaction.
    fn leave_content(&mut self) {
        if let Some(over) = self.position.leave_content() {
            self.spare().keep_content(over);
        }
    }
}

/// The outcome of the attempt to send a RCPT.
enum Rcpt {
    /// That of the recipient with this index was sent.
    Sent(usize),
    /// No further recipient is left.
    AllSent,
    /// A reply is awaited, or a further recipient of the application's.
    Waits,
}

/// Sends the RCPT of the next recipient from `index` on.
fn send_rcpt(
    newest: &mut InFlight,
    index: usize,
    capacity: Capacity,
    channel: &mut Channel,
) -> Rcpt {
    let index = newest.next_recipient(index);
    if newest.is_full(capacity.most()) && !newest.is_open {
        newest.leave_from(index);
        return Rcpt::AllSent;
    }
    let Some(command) = newest.rcpt(index) else {
        return if newest.is_open { Rcpt::Waits } else { Rcpt::AllSent };
    };
    if !newest.may_ask(capacity.taken()) {
        return Rcpt::Waits;
    }
    channel.command(&command);
    drop(command);
    newest.ask(index);
    Rcpt::Sent(index)
}

/// Sends a command outside transactions. Returns the phase that it begins and the reply that it
/// expects.
fn send(ask: Ask, facts: &Facts, channel: &mut Channel) -> (Phase, Option<Expected>) {
    let host = facts.config.host().as_borrowed();
    let (command, phase, expected) = match ask {
        Ask::Hello(verb) => {
            let command = match verb {
                Verb::Lhlo => Command::Lhlo(host.into()),
                Verb::Helo => Command::Helo(host.into()),
                _ => Command::Ehlo(host.into()),
            };
            (command, Phase::Opening, Expected::Hello(verb))
        }
        Ask::StartTls => (Command::StartTls, Phase::Asked(None), Expected::StartTls),
        Ask::Auth(mut authentication) => match begin_exchange(&mut authentication, channel) {
            Ok(()) => return (Phase::Authenticating(authentication), Some(Expected::Auth)),
            // Nothing was sent.
            Err(error) => {
                (Command::Quit, Phase::Quitting(Box::new(End::Auth(error))), Expected::Quit)
            }
        },
        Ask::Single(command) => {
            let expected = Expected::of(command.verb());
            (*command, Phase::Asked(None), expected)
        }
        Ask::Lines(mut lines) => {
            let Some(command) = lines.pop_front() else { return (Phase::Ready, None) };
            // One after the other: a server may take the second for that of another client.
            let further = (!lines.is_empty()).then(|| Box::new(Ask::Lines(lines)));
            let expected = Expected::of(command.verb());
            (command, Phase::Asked(further), expected)
        }
        Ask::Reset => (Command::Rset, Phase::Asked(None), Expected::Single(Verb::Rset)),
        Ask::Quit(end) => (Command::Quit, Phase::Quitting(Box::new(end)), Expected::Quit),
    };
    channel.command(&command);
    (phase, Some(expected))
}
