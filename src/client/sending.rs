//! A transaction on its way out: MAIL, RCPT and DATA, and the content behind them.

use super::{
    content::{Framing, Outgoing},
    error::End,
    queue::Expected,
    state::{Core, Facts, Phase, Slate},
    transaction::{Step, Underway},
};
use crate::{
    syntax::Command,
    transcript::{Entry, Side},
};

/// Octets of the one chunk that goes out before a recipient is accepted: it may be in vain.
const FIRST_CHUNK: usize = 64 * 1024;

impl Core {
    /// Sends RSET, MAIL, RCPT and DATA: all that may wait for replies at once.
    pub(super) fn address(&mut self, facts: &Facts) {
        // What goes beyond an announced limit was left out before (RFC 9422 section 4.2).
        let taken = match facts.offered.limits().rcpt_max {
            Some(_) => usize::MAX,
            None => self.capacity.taken,
        };
        while self.may_speak() && self.may_pipeline(facts) {
            let Some(newest) = self.underway.back_mut() else { return };
            let transaction = newest.transaction;
            if newest.is_dead() && newest.step != Step::UnderWay {
                newest.step = Step::Over;
                self.phase = Phase::Ready;
                return self.settle();
            }
            let expected = match newest.step {
                Step::Reset => {
                    self.channel.say(&Command::Rset);
                    newest.step = Step::Mail;
                    Expected::Reset(transaction)
                }
                Step::Mail => {
                    self.channel.say(&newest.mail());
                    self.mails = self.mails.saturating_add(1);
                    self.slate = Slate::Used;
                    newest.step = Step::Rcpt(0);
                    Expected::Mail(transaction)
                }
                Step::Rcpt(index) => {
                    let index = newest.next_recipient(index);
                    if newest.is_full(self.capacity.most) {
                        newest.leave_from(index);
                        newest.step = Step::Content;
                        continue;
                    }
                    let Some(command) = newest.rcpt(index) else {
                        newest.step = Step::Content;
                        continue;
                    };
                    if !newest.may_ask(taken) {
                        return;
                    }
                    self.channel.say(&command);
                    drop(command);
                    newest.ask(index);
                    Expected::Rcpt(transaction, index)
                }
                Step::Content if newest.framing == Framing::Dots => {
                    self.channel.say(&Command::Data);
                    newest.step = Step::UnderWay;
                    Expected::Data(transaction)
                }
                Step::Content => {
                    // BDAT LAST without a recipient has no reply in LMTP (RFC 2033 section 4.3),
                    // or one: there, and without PIPELINING, somebody must have been accepted.
                    let is_speculative =
                        facts.is_pipelining() && !facts.config.service().replies_per_recipient();
                    if is_speculative || newest.may_have_content() {
                        newest.step = Step::UnderWay;
                        self.phase = Phase::Content(Outgoing::new(newest.framing, newest.allowed));
                    }
                    return;
                }
                Step::UnderWay | Step::Over => return,
            };
            newest.awaiting += 1;
            self.queue.push_back(expected);
        }
    }

    /// Sends content that was taken, as far as it does not go out by itself.
    pub(super) fn carry(&mut self, facts: &Facts) {
        let may_chunk = self.may_chunk(facts);
        // While the application waits for more, small chunks do not follow each other (RFC 896).
        let is_chunk_owed = matches!(self.queue.back(), Some(Expected::Chunk(..)));
        let Phase::Content(content) = &mut self.phase else { return };
        if content.pending() == 0 && self.channel.send.is_empty() {
            content.flushed();
        }
        let enough = facts.config.ahead().div_ceil(2);
        let is_due = content.is_flushing()
            || content.is_waiting() && !is_chunk_owed
            || content.pending() >= enough;
        if content.pending() > 0 && is_due && may_chunk {
            self.chunk(false);
        }
        if self.may_chunk(facts) {
            self.burl(false);
        }
    }

    /// Whether a chunk may go out now (RFC 3030 section 4.2: chunks may be pipelined).
    fn may_chunk(&self, facts: &Facts) -> bool {
        self.may_speak()
            && self.underway.back().is_some_and(Underway::may_chunk)
            && if facts.is_pipelining() {
                self.queue.len() < facts.config.in_flight()
            } else {
                self.queue.is_empty()
            }
    }

    /// Sends what was taken as a chunk, as much of it as may be lost on a recipient that is refused.
    /// Returns whether it was the last.
    fn chunk(&mut self, is_end: bool) -> bool {
        let (Phase::Content(content) | Phase::Ending(content, _)) = &mut self.phase else {
            return false;
        };
        let Some(newest) = self.underway.back_mut() else { return false };
        let room = if newest.ever_accepted() > 0 { usize::MAX } else { FIRST_CHUNK };
        let octets = content.pending().min(room);
        let last = is_end && octets == content.pending();
        self.channel.say(&Command::Bdat { octets: octets as u64, last });
        let send = &mut self.channel.send;
        content.take_pending(octets, |piece| send.push(piece));
        newest.awaiting += 1;
        newest.has_chunk = true;
        let octets = octets as u64;
        self.channel.log(Entry::Content { from: Side::Client, octets });
        self.queue.push_back(if last {
            Expected::End(newest.transaction)
        } else {
            Expected::Chunk(newest.transaction, octets)
        });
        last
    }

    /// Sends the URL that comes next; `false` when there is none, or not yet.
    fn burl(&mut self, last: bool) -> bool {
        let (Phase::Content(content) | Phase::Ending(content, _)) = &mut self.phase else {
            return false;
        };
        let (Some(uri), Some(newest)) = (content.take_url(), self.underway.back_mut()) else {
            return false;
        };
        self.channel.say(&Command::Burl { uri, last });
        newest.awaiting += 1;
        newest.has_chunk = true;
        newest.has_url = true;
        self.queue.push_back(if last {
            Expected::End(newest.transaction)
        } else {
            Expected::Url(newest.transaction)
        });
        true
    }

    /// Sends the end of the content. It does not leave while the server is saying something that
    /// nobody asked for.
    pub(super) fn end_content(&mut self, facts: &Facts) {
        let may_chunk = self.may_chunk(facts);
        let may_dot = self.queue.is_empty() && self.channel.receive.is_empty();
        let framing = self.underway.back().map(|newest| newest.framing);
        let Phase::Ending(content, tail) = &mut self.phase else { return };
        match framing {
            Some(Framing::Chunks) if may_chunk && content.has_url() => {
                if content.pending() > 0 {
                    self.chunk(false);
                }
                if !(self.may_chunk(facts) && self.burl(true)) {
                    return;
                }
            }
            Some(Framing::Chunks) if may_chunk => {
                if !self.chunk(true) {
                    return;
                }
            }
            Some(Framing::Dots) if may_dot => {
                let octets = content.wire_octets();
                let tail = core::mem::take(tail);
                self.dot(octets, &tail);
            }
            _ => return,
        }
        if let Some(newest) = self.underway.back_mut() {
            newest.content_end = Some(self.channel.written());
            newest.step = Step::Over;
        }
        self.phase = Phase::Ready;
    }

    /// Sends `tail`, whose end is the dot, behind so many octets of content.
    pub(super) fn dot(&mut self, octets: u64, tail: &[u8]) {
        let Some(newest) = self.underway.back_mut() else { return };
        self.channel.send.text().extend_from_slice(tail);
        self.channel.log(Entry::Content { from: Side::Client, octets });
        self.channel.log(Entry::Line { from: Side::Client, octets: b"." });
        newest.awaiting += 1;
        self.queue.push_back(Expected::End(newest.transaction));
        self.slate = Slate::Clean;
    }

    /// Gives the content up. Behind DATA only closing keeps what was sent from becoming a
    /// message; behind BDAT there was no LAST, and RSET will come before the next MAIL.
    pub(super) fn abort(&mut self) {
        let framing = self.underway.back().map(|newest| newest.framing);
        if framing == Some(Framing::Dots) {
            return self.over(End::Aborted);
        }
        self.withdraw_content();
    }

    /// No more content goes out for the newest transaction.
    pub(super) fn withdraw_content(&mut self) {
        if let Some(newest) = self.underway.back_mut() {
            newest.step = Step::Over;
        }
        self.phase = Phase::Ready;
        self.settle();
    }
}
