//! The application of a server, which keeps books.

use crate::random::Random;
use esmtp::{
    server::Event,
    syntax::{Rejection, Text},
};
use std::collections::BTreeMap;

/// A message that the receiving side has taken responsibility for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    /// The reverse-path.
    pub(crate) from: String,
    /// The recipients for which it was accepted.
    pub(crate) to: Vec<String>,
    pub(crate) content: Vec<u8>,
}

/// The frequency of rejections by the application: one time in this many, 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mood {
    pub(crate) rejects: usize,
    pub(crate) closes: usize,
}

#[derive(Debug)]
pub(crate) struct Receiver {
    random: Random,
    mood: Mood,
    pub(crate) stored: Vec<Stored>,
    /// The transaction that was accepted and has not ended.
    open: Option<String>,
    content: Vec<u8>,
    /// The whole message that was asked about, and what has been said for single recipients.
    delivery: Option<BTreeMap<usize, bool>>,
    pub(crate) begun: usize,
    pub(crate) ended: usize,
}

impl Receiver {
    pub(crate) fn new(random: Random, mood: Mood) -> Self {
        Self {
            random,
            mood,
            stored: Vec::new(),
            open: None,
            content: Vec::new(),
            delivery: None,
            begun: 0,
            ended: 0,
        }
    }

    /// Asserts that a session that is over leaves nothing open.
    pub(crate) fn is_over(&self) {
        assert_eq!(self.open, None, "a transaction without Deliver and Abort");
        assert_eq!(self.begun, self.ended);
        assert_eq!(self.delivery, None, "Deliver was withdrawn");
    }

    fn rejects(&mut self) -> bool {
        self.mood.rejects > 0 && self.random.one_in(self.mood.rejects)
    }

    fn closes(&mut self) -> bool {
        self.mood.closes > 0 && self.random.one_in(self.mood.closes)
    }

    pub(crate) fn answer(&mut self, event: Event<'_>) {
        match event {
            Event::Mail(mail) if self.rejects() => mail.reject(Rejection::POLICY),
            Event::Mail(mail) => {
                let from = mail.reverse_path().to_string();
                assert!(!from.contains("smuggled"), "content has become a command");
                assert_eq!(self.open.replace(from), None, "a transaction within another");
                self.begun += 1;
                mail.accept();
            }
            Event::Rcpt(rcpt) => {
                assert!(self.open.is_some(), "a recipient without a transaction");
                let path = rcpt.forward_path().to_string();
                if path.contains("nobody") || self.rejects() {
                    rcpt.reject(Rejection::NO_SUCH_MAILBOX);
                } else {
                    rcpt.accept();
                }
            }
            Event::Data(data) if self.closes() => data.reject_and_close(Rejection::POLICY),
            Event::Data(data) if self.rejects() => data.reject(Rejection::POLICY),
            Event::Data(data) => {
                assert!(self.open.is_some() && self.content.is_empty());
                data.accept();
            }
            Event::Content(content) if self.closes() => {
                content.reject_and_close(Rejection::LOCAL_ERROR);
            }
            Event::Content(content) if self.random.one_in(40) && self.rejects() => {
                content.reject(Rejection::LOCAL_ERROR);
            }
            Event::Content(content) => match self.random.below(3) {
                0 => self.content.extend_from_slice(content.take()),
                1 => self.content.extend_from_slice(&content.take_bytes()),
                _ => {
                    let octets = content.octets();
                    let taken = 1 + self.random.below(octets.len());
                    self.content.extend_from_slice(&octets[..taken]);
                    content.consume(taken);
                }
            },
            Event::Deliver(delivery) => self.deliver(delivery),
            Event::Abort(abort) => {
                assert!(self.delivery.is_none(), "Deliver was withdrawn: {:?}", abort.reason());
                assert!(self.open.take().is_some(), "an Abort too many: {:?}", abort.reason());
                self.ended += 1;
                self.content.clear();
                abort.acknowledge();
            }
            other => other.proceed(),
        }
    }

    fn deliver(&mut self, mut delivery: esmtp::server::Deliver<'_>) {
        let to: Vec<String> =
            delivery.envelope().recipients().map(|it| it.forward_path().to_string()).collect();
        assert!(!to.is_empty(), "a message for no recipient");
        let mut verdicts = self.delivery.take().unwrap_or_default();
        let is_for_each = delivery.per_recipient().is_some();
        if is_for_each && self.random.one_in(2) {
            // One of them now, in any order; the question comes again, unless it was the last.
            let index = self.random.below(to.len());
            let is_accepted = !(to[index].contains("full") || self.rejects());
            if let Some(mut each) = delivery.per_recipient() {
                each.settle(index, if is_accepted { Ok(()) } else { Err(Rejection::LOCAL_ERROR) });
            }
            // The first word counts.
            verdicts.entry(index).or_insert(is_accepted);
            if verdicts.len() == to.len() {
                self.store(to, &verdicts, false);
            } else {
                self.delivery = Some(verdicts);
            }
            return;
        }
        let is_full = to.iter().any(|path| path.contains("full"));
        let rest = !(is_full && !is_for_each || self.rejects());
        self.store(to, &verdicts, rest);
        let number = self.stored.len();
        match rest {
            true => delivery.accept_with(Text::new(format!("stored as <{number}>")).unwrap()),
            false if self.closes() => delivery.reject_and_close(Rejection::LOCAL_ERROR),
            false => delivery.reject(Rejection::LOCAL_ERROR),
        }
    }

    /// Stores the message: `rest` is the verdict for the recipients without one.
    fn store(&mut self, to: Vec<String>, verdicts: &BTreeMap<usize, bool>, rest: bool) {
        self.ended += 1;
        let from = self.open.take().unwrap_or_else(|| panic!("a message without a transaction"));
        let content = std::mem::take(&mut self.content);
        let to = to.into_iter().enumerate();
        let to = to.filter(|(index, _)| verdicts.get(index).copied().unwrap_or(rest));
        let to: Vec<String> = to.map(|(_, path)| path).collect();
        if !to.is_empty() {
            self.stored.push(Stored { from, to, content });
        }
    }
}
