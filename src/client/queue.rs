//! The queue of replies that are due: each is matched to its command by counting (RFC 2920 section
//! 3.1).

use super::{config::Limits, deadline::Deadline, error::ProtocolError, report::TransactionNumber};
use crate::{
    syntax::{Class, Code, Reply, ReplyError, Verb},
    wire::{Cut, LineCutter},
};
use alloc::collections::VecDeque;

/// The command that a reply will answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// None: the server sends the greeting first.
    Greeting,
    /// EHLO, LHLO or HELO.
    Hello(Verb),
    StartTls,
    /// XCLIENT: its reply is the greeting for the client that it names.
    Xclient,
    /// ATRN: after its positive reply the roles are turned.
    Atrn,
    /// AUTH, or a response of its exchange.
    Auth,
    /// RSET before a command that must not come in a transaction.
    Clearing,
    /// Another command outside transactions: NOOP, VRFY, RSET.
    Single(Verb),
    Quit,
    /// RSET before MAIL.
    Reset(TransactionNumber),
    Mail(TransactionNumber),
    /// RCPT of the recipient at this place.
    Rcpt(TransactionNumber, usize),
    Data(TransactionNumber),
    /// A chunk that is not the last, and its octets.
    Chunk(TransactionNumber, u64),
    /// A URL that is not the last of the content.
    Url(TransactionNumber),
    /// The whole content.
    End(TransactionNumber),
}

impl Expected {
    /// Returns the reply to a command outside transactions.
    pub(super) const fn of(verb: Verb) -> Self {
        match verb {
            Verb::Xclient => Self::Xclient,
            Verb::Atrn => Self::Atrn,
            verb => Self::Single(verb),
        }
    }

    /// Returns whether the text of a positive reply is discarded: it is one of many before the reply that
    /// counts.
    pub(super) const fn discards_success(self) -> bool {
        matches!(
            self,
            Self::Reset(_) | Self::Mail(_) | Self::Rcpt(..) | Self::Chunk(..) | Self::Url(_)
        )
    }

    /// Returns the octets of a chunk that is not the last.
    pub(super) const fn chunk(self) -> Option<u64> {
        match self {
            Self::Chunk(_, octets) => Some(octets),
            _ => None,
        }
    }

    /// Returns the transaction of the command.
    pub(super) const fn transaction(self) -> Option<TransactionNumber> {
        match self {
            Self::Greeting
            | Self::Hello(_)
            | Self::StartTls
            | Self::Xclient
            | Self::Atrn
            | Self::Auth
            | Self::Clearing
            | Self::Single(_)
            | Self::Quit => None,
            Self::Reset(transaction)
            | Self::Mail(transaction)
            | Self::Rcpt(transaction, _)
            | Self::Data(transaction)
            | Self::Chunk(transaction, _)
            | Self::Url(transaction)
            | Self::End(transaction) => Some(transaction),
        }
    }

    /// Returns the verb of the command; `None` for the greeting.
    pub(super) const fn verb(self) -> Option<Verb> {
        Some(match self {
            Self::Greeting => return None,
            Self::Hello(verb) | Self::Single(verb) => verb,
            Self::Quit => Verb::Quit,
            Self::StartTls => Verb::StartTls,
            Self::Xclient => Verb::Xclient,
            Self::Atrn => Verb::Atrn,
            Self::Auth => Verb::Auth,
            Self::Reset(_) | Self::Clearing => Verb::Rset,
            Self::Mail(_) => Verb::Mail,
            Self::Rcpt(..) => Verb::Rcpt,
            Self::Data(_) | Self::End(_) => Verb::Data,
            Self::Chunk(..) => Verb::Bdat,
            Self::Url(_) => Verb::Burl,
        })
    }

    /// Returns the deadline of the reply (RFC 5321 section 4.5.3.2).
    pub(super) const fn deadline(self) -> Deadline {
        match self {
            Self::Greeting => Deadline::Greeting,
            Self::Hello(_)
            | Self::StartTls
            | Self::Xclient
            | Self::Auth
            | Self::Clearing
            | Self::Single(_)
            | Self::Quit
            | Self::Reset(_) => Deadline::Command,
            Self::Atrn => Deadline::Atrn,
            Self::Mail(_) => Deadline::Mail,
            Self::Rcpt(..) => Deadline::Rcpt,
            Self::Data(_) => Deadline::Data,
            Self::Chunk(..) => Deadline::Chunks,
            Self::Url(_) | Self::End(_) => Deadline::EndOfContent,
        }
    }

    /// Returns whether the code belongs to the command (RFC 5321 section 4.3.2).
    pub(super) fn accepts(self, code: Code) -> bool {
        let is_negative = matches!(code.class(), Class::Transient | Class::Permanent);
        match self {
            Self::Greeting | Self::Xclient => is_negative || is_like(code, Code::SERVICE_READY),
            // RSET must not fail between MAIL and another transaction.
            Self::Reset(_) => false,
            Self::Clearing => code.class() == Class::Completion,
            Self::Auth => is_negative || matches!(code, Code::AUTHENTICATED | Code::AUTH_CHALLENGE),
            Self::Atrn => is_negative || is_like(code, Code::OK),
            Self::Data(_) => is_negative || is_like(code, Code::START_MAIL_INPUT),
            Self::Hello(_)
            | Self::StartTls
            | Self::Single(_)
            | Self::Quit
            | Self::Mail(_)
            | Self::Rcpt(..)
            | Self::Chunk(..)
            | Self::Url(_)
            | Self::End(_) => code.class() != Class::Intermediate,
        }
    }
}

/// Returns whether `code` is `wanted`, or has its first digit and no meaning of its own: of a code
/// outside the standards only the first digit counts (RFC 5321 section 4.2).
fn is_like(code: Code, wanted: Code) -> bool {
    code == wanted || code.class() == wanted.class() && !Code::NAMED.contains(&code)
}

/// The replies that are due, in order.
pub(super) type Queue = VecDeque<Expected>;

/// Returns whether the reply to the whole content of a transaction is due.
pub(super) fn is_content_due(queue: &Queue) -> bool {
    queue.iter().any(|due| matches!(due, Expected::End(_)))
}

/// A reader that finds whole replies in the octets received, within the limits, and scans each octet
/// once.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    lines: LineCutter,
    /// Octets of the lines that were found to belong to the reply.
    octets: usize,
    /// The number of these lines.
    count: usize,
    /// Octets after them that hold no LF.
    looked_at: usize,
}

impl ReplyReader {
    /// A reader that has seen nothing.
    pub(super) const NEW: Self = Self { lines: LineCutter::NEW, octets: 0, count: 0, looked_at: 0 };

    /// Returns the reply at the front of `received` with its length, if it is of one line that is whole, within the
    /// limits and not looked at before, and no [`ReplyLenience`](super::ReplyLenience) may apply to it: for nearly
    /// all replies one search for line ends is enough. Any other is for [`next`](Self::next).
    pub(super) fn single_line<'r>(
        &self,
        received: &'r [u8],
        limits: &Limits,
        line_limit: usize,
    ) -> Option<(Reply<'r>, usize)> {
        let is_new = self.octets == 0 && self.looked_at == 0;
        let ([_, _, _, b' ', first, ..], true) = (received, is_new) else { return None };
        let (reply, length) = Reply::parse(received).ok()??;
        let is_within =
            length <= line_limit && length <= limits.reply_octets() && limits.reply_lines() > 0;
        (is_within && *first != b'#').then_some((reply, length))
    }

    /// Returns the length of the reply at the front of `received`, which are all unconsumed octets;
    /// `None` while it is incomplete.
    ///
    /// `line_limit` is that of one line; with `has_bare_lf` lines may end in LF alone. Octets that are not
    /// a reply are an error as early as possible: a server of another protocol may never send a line end.
    pub(super) fn next(
        &mut self,
        received: &[u8],
        limits: &Limits,
        line_limit: usize,
        has_bare_lf: bool,
    ) -> Result<Option<usize>, ProtocolError> {
        loop {
            let rest = received.get(self.octets..).unwrap_or_default();
            if rest.first().is_some_and(|first| !matches!(first, b'2'..=b'5')) {
                return Err(ReplyError::Code.into());
            }
            let new = rest.get(self.looked_at..).unwrap_or_default();
            let cut = if has_bare_lf {
                match memchr::memchr(b'\n', new) {
                    Some(at) => Cut::Line(self.looked_at + at + 1),
                    None if rest.len() < line_limit => Cut::Incomplete,
                    None => Cut::TooLong(rest.len()),
                }
            } else {
                self.lines.cut(rest, line_limit)
            };
            match cut {
                Cut::Line(octets) if octets > line_limit => return Err(ProtocolError::TooLong),
                Cut::Line(octets) => {
                    let line = rest.get(..octets).unwrap_or_default();
                    let code = received.get(..3).unwrap_or_default();
                    match line {
                        [a, b, c, ..] if [*a, *b, *c] == *code && is_digits(code) => {}
                        [a, b, c, ..] if is_digits(&[*a, *b, *c]) => {
                            return Err(ReplyError::MixedCodes.into());
                        }
                        _ => return Err(ReplyError::Code.into()),
                    }
                    let is_last = line.get(3) != Some(&b'-');
                    self.octets += octets;
                    self.count += 1;
                    self.looked_at = 0;
                    if self.octets > limits.reply_octets() || self.count > limits.reply_lines() {
                        return Err(ProtocolError::TooLong);
                    }
                    if is_last {
                        return Ok(Some(core::mem::take(self).octets));
                    }
                }
                Cut::Incomplete => {
                    // A line that ends in CRLF would have been cut.
                    if memchr::memchr(b'\n', new).is_some() {
                        return Err(ReplyError::LineBreak.into());
                    }
                    self.looked_at = rest.len();
                    if received.len() > limits.reply_octets() {
                        return Err(ProtocolError::TooLong);
                    }
                    return Ok(None);
                }
                Cut::Skip(_) | Cut::TooLong(_) => return Err(ProtocolError::TooLong),
            }
        }
    }
}

fn is_digits(octets: &[u8]) -> bool {
    octets.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::default().with_reply_line(20).with_reply_octets(50).with_reply_lines(4)
    }

    /// Returns the length of the first reply, with the octets arriving one at a time and all at once.
    fn read(input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let whole = ReplyReader::default().next(input, &limits(), 20, false);
        let mut reader = ReplyReader::default();
        if let Some((_, length)) = reader.single_line(input, &limits(), 20) {
            assert_eq!(whole, Ok(Some(length)), "{}", input.escape_ascii());
        }
        for end in 0..=input.len() {
            let cut = reader.next(&input[..end], &limits(), 20, false);
            if cut != Ok(None) {
                assert_eq!(cut, whole, "{}", input.escape_ascii());
                return whole;
            }
        }
        assert_eq!(whole, Ok(None), "{}", input.escape_ascii());
        whole
    }

    #[test]
    fn a_reply_ends_with_its_last_line() {
        for (input, length) in [
            (&b"250 ok\r\n250 next\r\n"[..], Some(8)),
            (b"250\r\n", Some(5)),
            (b"250-a\r\n250\r\nx", Some(12)),
            (b"550-\r\n550-\r\n550\r\n", Some(17)),
            (b"250-a\r\n250-b\r\n", None),
            (b"250 ok", None),
            (b"250 ok\r", None),
            (b"", None),
        ] {
            assert_eq!(read(input), Ok(length), "{}", input.escape_ascii());
        }
    }

    /// 5321-2.3.8-a
    #[test]
    fn octets_that_are_not_a_reply_are_an_error() {
        for (input, error) in [
            (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], ReplyError::Code),
            (b"HTTP/1.1 400 Bad Request\r\n", ReplyError::Code),
            (b"* OK ready\r\n", ReplyError::Code),
            (b"\r\n", ReplyError::Code),
            (b" 220 hi\r\n", ReplyError::Code),
            (b"150 hi\r\n", ReplyError::Code),
            (b"25\r\n", ReplyError::Code),
            (b"2x0 ok\r\n", ReplyError::Code),
            (b"220-a\r\n250 b\r\n", ReplyError::MixedCodes),
            (b"220-a\r\nx50 b\r\n", ReplyError::Code),
            (b"220 a\n", ReplyError::LineBreak),
        ] {
            assert_eq!(read(input), Err(error.into()), "{}", input.escape_ascii());
        }
    }

    #[test]
    fn replies_beyond_the_limits_are_an_error() {
        for input in [
            &b"220 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[..],
            b"220-a\r\n220-a\r\n220-a\r\n220-a\r\n220-a\r\n220-a\r\n220-a\r\n220-a\r\n",
            b"220-aaaaaaaaaaaaa\r\n220-aaaaaaaaaaaaa\r\n220-aaaaaaaaaaaaa\r\n",
        ] {
            let mut reader = ReplyReader::default();
            assert_eq!(reader.next(input, &limits(), 20, false), Err(ProtocolError::TooLong));
        }
    }
}
