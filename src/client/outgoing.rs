//! The content that is being sent.

use super::error::ContentError;
use crate::syntax::{Command, Uri};
use crate::wire::{Inside, LineEnds, SendBuffer, StuffError, Stuffer};
use alloc::vec::Vec;
use bytes::Bytes;

/// The fewest octets that are shared as a slice of their own in a chunk: to copy fewer is cheaper.
const WORTH_SHARING: usize = 1024;

/// The framing of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After DATA, with dot-stuffing.
    Dots,
    /// After BDAT, counted.
    Chunks,
}

/// The content that the server accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    pub(super) has_eight_bit: bool,
    /// BODY=BINARYMIME: NUL, and under [`LineEnds::Strict`] every octet unchanged.
    pub(super) is_binary: bool,
    pub(super) size: Option<u64>,
    pub(super) line_ends: LineEnds,
    /// Octets of a line of BURL, CRLF included; `None` where none may come.
    pub(super) burl_line: Option<usize>,
}

/// The content of one transaction that is being sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    allowed: Allowed,
    form: Form,
    /// Octets taken from the application.
    taken: u64,
    /// Octets taken, as the server counts them: CRLF for each line end.
    size: u64,
    is_after_cr: bool,
    /// Octets of wire form, without the end.
    wire: u64,
    error: Option<ContentError>,
    pace: Pace,
    /// The URL that follows the octets written before it (BURL).
    url: Option<Uri<'static>>,
    /// The octets that end the content after DATA, once it is whole.
    tail: Vec<u8>,
    /// Shared octets in which nothing is to be stuffed or refused.
    clean: Option<Bytes>,
}

/// The time at which octets that were written leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// When there are enough of them.
    Gather,
    /// Before more is taken.
    Flush,
    /// As soon as the chunk before it is answered, until the application has more.
    Wait,
}

#[derive(Debug)]
enum Form {
    Dots(Stuffer),
    /// Binary content has no line ends to check.
    Chunks {
        line_ends: Option<Stuffer>,
        pending: Pending,
    },
}

impl Outgoing {
    pub(super) fn new(framing: Framing, allowed: Allowed, clean: Option<Bytes>) -> Self {
        let stuffer = match allowed.is_binary {
            true => Stuffer::new(allowed.line_ends),
            false => Stuffer::new(allowed.line_ends).rejecting_nul(),
        };
        let form = match framing {
            Framing::Dots => Form::Dots(stuffer),
            Framing::Chunks => Form::Chunks {
                // An application that declares LF a line end declares it for binary content too.
                line_ends: match (allowed.is_binary, allowed.line_ends) {
                    (true, LineEnds::Strict) => None,
                    _ => Some(stuffer.without_dots()),
                },
                pending: Pending::default(),
            },
        };
        Self {
            allowed,
            form,
            taken: 0,
            size: 0,
            is_after_cr: false,
            wire: 0,
            error: None,
            pace: Pace::Gather,
            url: None,
            tail: Vec::new(),
            clean,
        }
    }

    /// Begins anew with the content of another transaction, in the memory that this one has.
    pub(super) fn restart(&mut self, framing: Framing, allowed: Allowed, clean: Option<Bytes>) {
        let mut tail = core::mem::take(&mut self.tail);
        tail.clear();
        let parts = match &mut self.form {
            Form::Chunks { pending, .. } => core::mem::take(&mut pending.parts),
            Form::Dots(_) => Vec::new(),
        };
        *self = Self { tail, ..Self::new(framing, allowed, clean) };
        if let Form::Chunks { pending, .. } = &mut self.form {
            pending.parts = parts;
            pending.parts.clear();
        }
    }

    /// Gives back the memory of the application.
    pub(super) fn give_back(&mut self) {
        self.clean = None;
    }

    /// Returns the octets that end the content after DATA.
    pub(super) fn tail(&self) -> &[u8] {
        &self.tail
    }

    pub(super) const fn error(&self) -> Option<ContentError> {
        self.error
    }

    pub(super) const fn flush(&mut self) {
        self.pace = Pace::Flush;
    }

    /// Stops asking for content until [`resume`](Self::resume).
    pub(super) const fn wait(&mut self) {
        self.pace = Pace::Wait;
    }

    pub(super) fn resume(&mut self) {
        if self.is_waiting() {
            self.pace = Pace::Gather;
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.pace == Pace::Wait
    }

    pub(super) fn flushed(&mut self) {
        if self.pace == Pace::Flush {
            self.pace = Pace::Gather;
        }
    }

    pub(super) fn is_flushing(&self) -> bool {
        self.pace == Pace::Flush || self.url.is_some()
    }

    /// Returns the octets of wire form so far, without the end.
    pub(super) const fn wire_octets(&self) -> u64 {
        self.wire
    }

    /// Returns how many octets wait to become a chunk.
    pub(super) fn pending(&self) -> usize {
        match &self.form {
            Form::Dots(_) => 0,
            Form::Chunks { pending, .. } => pending.len,
        }
    }

    /// Takes `content`, by copy.
    pub(super) fn write(
        &mut self,
        content: &[u8],
        send: &mut SendBuffer,
    ) -> Result<(), ContentError> {
        self.check(content, Inside::Unscanned)?;
        let result = match &mut self.form {
            Form::Dots(stuffer) => {
                let out = send.text();
                let before = out.len();
                let result = stuffer.stuff(content, out);
                self.wire += out.len().saturating_sub(before) as u64;
                result
            }
            Form::Chunks { line_ends, pending } => {
                let before = pending.copied.len();
                let result = match line_ends {
                    Some(stuffer) => stuffer.stuff(content, &mut pending.copied),
                    None => {
                        pending.copied.extend_from_slice(content);
                        Ok(())
                    }
                };
                self.wire += pending.count_copied(before) as u64;
                result
            }
        };
        self.note(result)
    }

    /// Takes `content`, without a copy.
    pub(super) fn write_bytes(
        &mut self,
        content: Bytes,
        send: &mut SendBuffer,
    ) -> Result<(), ContentError> {
        let inside = match self.clean.as_ref().is_some_and(|clean| lies_in(&content, clean)) {
            true => Inside::Unchanged,
            false => Inside::Unscanned,
        };
        self.check(&content, inside)?;
        let result = match &mut self.form {
            Form::Dots(stuffer) => {
                let before = send.len();
                let result = stuffer.stuff_into(&content, inside, send);
                self.wire += send.len().saturating_sub(before) as u64;
                result
            }
            Form::Chunks { line_ends, pending } => {
                let before = pending.len;
                let result = match line_ends {
                    Some(stuffer) => {
                        stuffer.stuff_known(&content, inside, |piece| pending.push(piece))
                    }
                    None => {
                        pending.push(content);
                        Ok(())
                    }
                };
                self.wire += (pending.len - before) as u64;
                result
            }
        };
        self.note(result)
    }

    /// Ends the content.
    pub(super) fn finish(&mut self) -> Result<(), ContentError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let result = match &mut self.form {
            Form::Dots(stuffer) => {
                let result = stuffer.finish(&mut self.tail);
                self.wire += self.tail.len().saturating_sub(".\r\n".len()) as u64;
                result
            }
            Form::Chunks { line_ends, .. } => check_line_end(line_ends),
        };
        self.note(result)
    }

    /// Continues the content with the text at this URL, and ends it there where it is the `last`.
    pub(super) fn burl(&mut self, uri: Uri<'static>, last: bool) -> Result<(), ContentError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let (Some(limit), Form::Chunks { line_ends, .. }) =
            (self.allowed.burl_line, &mut self.form)
        else {
            return Err(*self.error.insert(ContentError::Burl));
        };
        let result = check_line_end(line_ends);
        self.note(result)?;
        let mut line = Vec::new();
        let command = Command::Burl { uri, last };
        command.encode(&mut line);
        if line.len() > limit {
            let error = ContentError::BurlTooLong { octets: line.len(), limit };
            return Err(*self.error.insert(error));
        }
        if let Command::Burl { uri, .. } = command {
            self.url = Some(uri);
        }
        Ok(())
    }

    /// Takes the URL that comes next, once no octets wait before it.
    pub(super) fn take_url(&mut self) -> Option<Uri<'static>> {
        if self.pending() == 0 { self.url.take() } else { None }
    }

    pub(super) const fn has_url(&self) -> bool {
        self.url.is_some()
    }

    /// Takes the octets that make the next chunk: the first `octets` of those that wait.
    pub(super) fn take_pending(&mut self, octets: usize, mut piece: impl FnMut(Bytes)) {
        let Form::Chunks { pending, .. } = &mut self.form else { return };
        let Pending { parts, copied, len } = pending;
        if !copied.is_empty() {
            parts.push(core::mem::take(copied).into());
        }
        let mut left = octets.min(*len);
        *len -= left;
        let mut whole = 0;
        for part in parts.iter_mut() {
            let taken = part.split_to(left.min(part.len()));
            left -= taken.len();
            if !taken.is_empty() {
                piece(taken);
            }
            if !part.is_empty() {
                break;
            }
            whole += 1;
        }
        parts.drain(..whole);
    }

    /// Finds the first octet beyond ASCII where the server does not accept any, and checks the size. NUL is found together with
    /// line ends and dots.
    fn check(&mut self, content: &[u8], inside: Inside) -> Result<(), ContentError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let at = |index: usize| self.taken.saturating_add(index as u64);
        let is_clean = inside == Inside::Unchanged;
        let eight_bit = if is_clean || self.allowed.has_eight_bit || content.is_ascii() {
            None
        } else {
            content.iter().position(|octet| !octet.is_ascii())
        };
        let size = match (self.allowed.size, self.allowed.line_ends) {
            (None, _) => 0,
            (Some(_), LineEnds::Strict) => self.size.saturating_add(content.len() as u64),
            (Some(_), LineEnds::FromLf) => {
                let bare =
                    memchr::memchr_iter(b'\n', content).filter(|at| match at.checked_sub(1) {
                        None => !self.is_after_cr,
                        Some(before) => content.get(before) != Some(&b'\r'),
                    });
                self.size.saturating_add((content.len() + bare.count()) as u64)
            }
        };
        let error = match (eight_bit, self.allowed.size) {
            (Some(index), _) => ContentError::EightBit(at(index)),
            (_, Some(limit)) if size > limit => ContentError::TooLarge { limit },
            _ => {
                self.taken = at(content.len());
                self.size = size;
                if let Some(last) = content.last() {
                    self.is_after_cr = *last == b'\r';
                }
                return Ok(());
            }
        };
        Err(*self.error.insert(error))
    }

    fn note(&mut self, result: Result<(), StuffError>) -> Result<(), ContentError> {
        result.map_err(|error| {
            *self.error.insert(match error {
                StuffError::BareLineBreak(at) => ContentError::BareLineBreak(at),
                StuffError::Nul(at) => ContentError::Nul(at),
            })
        })
    }
}

/// Returns whether shared octets are part of others: the memory of both is kept, so that it is one memory.
fn lies_in(octets: &Bytes, whole: &Bytes) -> bool {
    let (part, whole) = (octets.as_ptr_range(), whole.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}

/// Checks that no CR is held back, as more content will not follow at once.
fn check_line_end(line_ends: &mut Option<Stuffer>) -> Result<(), StuffError> {
    line_ends.as_mut().map_or(Ok(()), Stuffer::check_line_end)
}

/// The octets that wait to become a chunk.
#[derive(Debug, Default)]
struct Pending {
    parts: Vec<Bytes>,
    copied: Vec<u8>,
    len: usize,
}

impl Pending {
    /// Counts the octets by which `copied` has grown, and returns how many.
    fn count_copied(&mut self, before: usize) -> usize {
        let octets = self.copied.len().saturating_sub(before);
        self.len += octets;
        octets
    }

    fn push(&mut self, octets: Bytes) {
        if octets.len() <= WORTH_SHARING {
            self.copied.extend_from_slice(&octets);
            self.len += octets.len();
            return;
        }
        if !self.copied.is_empty() {
            self.parts.push(core::mem::take(&mut self.copied).into());
        }
        self.len += octets.len();
        self.parts.push(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::message_facts::{
        MessageFacts,
        tests::{cut, short_contents},
    };

    fn allowed(line_ends: LineEnds) -> Allowed {
        Allowed {
            has_eight_bit: true,
            is_binary: false,
            size: None,
            line_ends,
            burl_line: Some(512),
        }
    }

    #[derive(Clone, Copy)]
    enum Given {
        Copied,
        Shared,
        Scanned,
    }

    /// Returns the octets that leave for content in these pieces, by copy, shared, and scanned before.
    fn send(framing: Framing, allowed: Allowed, pieces: &[&[u8]]) -> Result<Vec<u8>, ContentError> {
        let mut sent = [Given::Copied, Given::Shared, Given::Scanned].map(|given| {
            let mut send = SendBuffer::default();
            let mut whole = Bytes::from(pieces.concat());
            let clean = match given {
                Given::Scanned => MessageFacts::scan_bytes(&whole).into_clean(&allowed),
                Given::Copied | Given::Shared => None,
            };
            let mut content = Outgoing::new(framing, allowed, clean);
            for piece in pieces {
                match given {
                    Given::Copied => content.write(piece, &mut send)?,
                    Given::Shared => {
                        content.write_bytes(Bytes::copy_from_slice(piece), &mut send)?;
                    }
                    Given::Scanned => {
                        content.write_bytes(whole.split_to(piece.len()), &mut send)?;
                    }
                }
            }
            content.finish()?;
            let tail = content.tail().to_vec();
            let pending = content.pending();
            let mut chunk = Vec::new();
            // In two chunks, the first of an octet.
            content.take_pending(pending.min(1), |piece| chunk.extend_from_slice(&piece));
            assert_eq!(
                (chunk.len(), content.pending()),
                (pending.min(1), pending.saturating_sub(1))
            );
            content.take_pending(pending, |piece| chunk.extend_from_slice(&piece));
            assert_eq!((chunk.len(), content.pending()), (pending, 0));
            assert_eq!(
                content.wire_octets(),
                match framing {
                    Framing::Dots => (send.len() + tail.len() - 3) as u64,
                    Framing::Chunks => chunk.len() as u64,
                }
            );
            let mut out = Vec::new();
            while !send.is_empty() {
                let mut slices = [&b""[..]; 4];
                let filled = send.slices(&mut slices);
                let octets = slices[..filled].concat();
                send.sent(octets.len());
                out.extend(octets);
            }
            out.extend(chunk);
            out.extend(tail);
            Ok(out)
        });
        assert_eq!(sent[0], sent[1], "by copy and without");
        assert_eq!(sent[0], sent[2], "scanned before");
        core::mem::replace(&mut sent[0], Ok(Vec::new()))
    }

    /// Returns content with CRLF for each line end, or the place of one that cannot be corrected.
    fn reference(line_ends: LineEnds, content: &[u8]) -> Result<Vec<u8>, u64> {
        let mut out = Vec::new();
        for (at, octet) in content.iter().enumerate() {
            match octet {
                b'\r' if content.get(at + 1) != Some(&b'\n') => return Err(at as u64),
                b'\n' if at == 0 || content[at - 1] != b'\r' => match line_ends {
                    LineEnds::Strict => return Err(at as u64),
                    LineEnds::FromLf => out.push(b'\r'),
                },
                _ => {}
            }
            out.push(*octet);
        }
        Ok(out)
    }

    #[test]
    fn every_short_content_leaves_in_chunks_as_the_reference_says() {
        for content in short_contents().filter(|content| !content.contains(&0)) {
            for line_ends in [LineEnds::Strict, LineEnds::FromLf] {
                let expected = reference(line_ends, &content).map_err(ContentError::BareLineBreak);
                for cuts in 0..1 << content.len().saturating_sub(1) {
                    let sent = send(Framing::Chunks, allowed(line_ends), &cut(&content, cuts));
                    assert_eq!(sent, expected, "{} cut {cuts:b}", content.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn content_after_data_is_dot_stuffed() {
        let sent = send(Framing::Dots, allowed(LineEnds::FromLf), &[b".a\n", b".", b"\n.b"]);
        assert_eq!(sent, Ok(b"..a\r\n..\r\n..b\r\n.\r\n".to_vec()));
    }

    #[test]
    fn every_short_content_after_data_is_stuffed_in_any_cutting() {
        for content in short_contents().filter(|content| !content.contains(&0)) {
            let whole = send(Framing::Dots, allowed(LineEnds::Strict), &[&content]);
            for cuts in 0..1 << content.len().saturating_sub(1) {
                let sent = send(Framing::Dots, allowed(LineEnds::Strict), &cut(&content, cuts));
                assert_eq!(sent, whole, "{} cut {cuts:b}", content.escape_ascii());
            }
        }
    }

    /// Facts are believed only of the octets that were scanned.
    #[test]
    fn other_octets_than_those_that_were_scanned_are_stuffed_and_checked() {
        let message = Bytes::from_static(b"a\r\nb.c\r\n\r\nd\r\n");
        let seven = Allowed { has_eight_bit: false, ..allowed(LineEnds::Strict) };
        let clean = || MessageFacts::scan_bytes(&message).into_clean(&seven);
        assert!(clean().is_some());
        let send = |pieces: &[&Bytes]| {
            let mut send = SendBuffer::default();
            let mut content = Outgoing::new(Framing::Dots, seven, clean());
            for piece in pieces {
                content.write_bytes((*piece).clone(), &mut send)?;
            }
            content.finish()?;
            Ok([send.text().as_slice(), content.tail()].concat())
        };
        let dots = Bytes::from_static(b".\r\n.\r\n");
        assert_eq!(send(&[&dots]), Ok(b"..\r\n..\r\n.\r\n".to_vec()));
        // Pieces of the message in another order: the first octet of each is looked at.
        let (line, dot) = (message.slice(..3), message.slice(4..8));
        assert_eq!(send(&[&line, &dot]), Ok(b"a\r\n..c\r\n.\r\n".to_vec()));
        let (text, end) = (message.slice(..1), message.slice(2..3));
        assert_eq!(send(&[&text, &end]), Err(ContentError::BareLineBreak(1)));
        let (cr, rest) = (message.slice(..2), message.slice(3..));
        assert_eq!(send(&[&cr, &rest]), Err(ContentError::BareLineBreak(1)));
        for (octets, error) in [
            (&b"a\0"[..], ContentError::Nul(1)),
            (b"a\xe9", ContentError::EightBit(1)),
            (b"a\nb", ContentError::BareLineBreak(1)),
        ] {
            assert_eq!(send(&[&Bytes::from_static(octets)]), Err(error));
        }
    }

    #[test]
    fn octets_above_127_are_checked_where_they_may_not_come() {
        let message = Bytes::from_static(b"a\xe9\r\n");
        let facts = || MessageFacts::scan_bytes(&message).without_eight_bit();
        let eight = allowed(LineEnds::Strict);
        let seven = Allowed { has_eight_bit: false, ..eight };
        assert!(facts().into_clean(&eight).is_some() && facts().into_clean(&seven).is_none());
    }

    #[test]
    fn content_that_is_stuffed_corrected_or_refused_is_not_clean() {
        for content in [&b".\r\n"[..], b"a\r\n.b\r\n", b"a\n", b"a\rb", b"a\r", b"a\0b\r\n"] {
            let facts = MessageFacts::scan_bytes(&Bytes::from_static(content));
            let clean = facts.into_clean(&allowed(LineEnds::Strict));
            assert!(clean.is_none(), "{}", content.escape_ascii());
        }
    }

    #[test]
    fn binary_content_leaves_unchanged() {
        let binary = Allowed { is_binary: true, ..allowed(LineEnds::Strict) };
        assert_eq!(send(Framing::Chunks, binary, &[b"\r\0\n", b"\r"]), Ok(b"\r\0\n\r".to_vec()));
    }

    #[test]
    fn an_octet_that_the_server_does_not_accept_is_an_error_at_its_place() {
        let seven = Allowed { has_eight_bit: false, size: Some(5), ..allowed(LineEnds::FromLf) };
        for (content, error) in [
            (&b"ab\xe9"[..], ContentError::EightBit(2)),
            (b"a\0b", ContentError::Nul(1)),
            (b"abcdef", ContentError::TooLarge { limit: 5 }),
            (b"ab\ncd", ContentError::TooLarge { limit: 5 }),
            (b"a\rb", ContentError::BareLineBreak(1)),
            (b"abc\r", ContentError::BareLineBreak(3)),
        ] {
            let all_cuts = cut(content, u32::MAX);
            for pieces in [&[content][..], &all_cuts] {
                assert_eq!(send(Framing::Dots, seven, pieces), Err(error));
                assert_eq!(send(Framing::Chunks, seven, pieces), Err(error));
            }
        }
        assert!(send(Framing::Dots, seven, &[b"a\r", b"\nb\n"]).is_err());
        assert!(send(Framing::Dots, seven, &[b"a\r", b"\nbc"]).is_ok());
    }

    #[test]
    fn a_url_follows_the_octets_written_before_it_and_fits_a_line() {
        let uri = |octets: usize| Uri::new(alloc::format!("a:{}", "b".repeat(octets - 2))).unwrap();
        let mut send = SendBuffer::default();
        let mut content = Outgoing::new(Framing::Chunks, allowed(LineEnds::Strict), None);
        content.write(b"one\r\n", &mut send).unwrap();
        assert_eq!(content.burl(uri(505), false), Ok(())); // `BURL `, this, CRLF
        assert!(content.is_flushing() && content.take_url().is_none(), "the chunk comes first");
        content.take_pending(usize::MAX, drop);
        assert_eq!(content.take_url(), Some(uri(505)));
        assert!(!content.is_flushing());
        for (octets, last, length) in [(506, false, 513), (501, true, 513)] {
            let error = ContentError::BurlTooLong { octets: length, limit: 512 };
            let mut content = Outgoing::new(Framing::Chunks, allowed(LineEnds::Strict), None);
            assert_eq!(content.burl(uri(octets), last), Err(error));
            assert_eq!(content.finish(), Err(error));
        }
        let mut content = Outgoing::new(Framing::Dots, allowed(LineEnds::Strict), None);
        assert_eq!(content.burl(uri(9), true), Err(ContentError::Burl));
        let mut content = Outgoing::new(Framing::Chunks, allowed(LineEnds::FromLf), None);
        content.write(b"one\r", &mut send).unwrap();
        assert_eq!(content.burl(uri(9), true), Err(ContentError::BareLineBreak(3)));
    }
}
