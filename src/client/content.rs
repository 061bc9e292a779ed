//! Content on its way out, and what is known of a message before.

use super::error::ContentError;
use crate::wire::{BareLineBreak, LineEnds, SendBuffer, Stuffer};
use alloc::vec::Vec;
use bytes::Bytes;

/// What is known of a message before it is sent: compared with what the server offers before an
/// octet leaves.
///
/// What is not known is found out while the content is written, and is then a
/// [`ContentError`] where it does not fit.
///
/// ```
/// use esmtp::{client::MessageFacts, wire::LineEnds};
///
/// let mut facts = MessageFacts::new();
/// facts.update(b"Subject: caf\xc3\xa9\r\n");
/// facts.update(b"\r\nHi\n");
/// assert_eq!(facts.has_eight_bit(), Some(true));
/// assert_eq!(facts.has_utf8_header(), Some(true));
/// assert_eq!(facts.size(LineEnds::FromLf), Some(22));
/// assert_eq!(MessageFacts::UNKNOWN.with_size(22).has_eight_bit(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFacts {
    size: Option<u64>,
    has_eight_bit: Option<bool>,
    has_utf8_header: Option<bool>,
    has_nul: Option<bool>,
    bare: Bare,
    longest_line: u64,
    scan: Scan,
}

/// Line ends that are not CRLF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bare {
    cr: bool,
    lf: u64,
}

/// Where a scan has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scan {
    part: Part,
    is_after_cr: bool,
    /// Octets of the line so far, without its end.
    line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header,
    Body,
}

impl MessageFacts {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        size: None,
        has_eight_bit: None,
        has_utf8_header: None,
        has_nul: None,
        bare: Bare { cr: false, lf: 0 },
        longest_line: 0,
        scan: Scan { part: Part::Header, is_after_cr: false, line: 0 },
    };

    /// The facts of an empty message, to be brought up to date with [`update`](Self::update).
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: Some(0),
            has_eight_bit: Some(false),
            has_utf8_header: Some(false),
            has_nul: Some(false),
            ..Self::UNKNOWN
        }
    }

    /// The facts of a whole message.
    #[must_use]
    pub fn scan(message: &[u8]) -> Self {
        let mut facts = Self::new();
        facts.update(message);
        facts
    }

    /// Takes the next octets of the message into account. Any cutting gives the same facts.
    pub fn update(&mut self, octets: &[u8]) {
        if let Some(size) = &mut self.size {
            *size = size.saturating_add(octets.len() as u64);
        }
        if !octets.is_ascii() {
            self.has_eight_bit = self.has_eight_bit.map(|_| true);
        }
        if memchr::memchr(0, octets).is_some() {
            self.has_nul = self.has_nul.map(|_| true);
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', octets) {
            self.line(octets.get(start..end).unwrap_or_default());
            if !self.scan.is_after_cr {
                self.bare.lf += 1;
            }
            let line = self.scan.line - u64::from(self.scan.is_after_cr);
            if line == 0 {
                self.scan.part = Part::Body;
            }
            self.longest_line = self.longest_line.max(line);
            self.scan = Scan { is_after_cr: false, line: 0, ..self.scan };
            start = end + 1;
        }
        self.line(octets.get(start..).unwrap_or_default());
        self.longest_line =
            self.longest_line.max(self.scan.line - u64::from(self.scan.is_after_cr));
    }

    /// Octets of a line, without its LF.
    fn line(&mut self, octets: &[u8]) {
        let Some((last, before)) = octets.split_last() else { return };
        self.bare.cr |= self.scan.is_after_cr || memchr::memchr(b'\r', before).is_some();
        self.scan.is_after_cr = *last == b'\r';
        self.scan.line = self.scan.line.saturating_add(octets.len() as u64);
        if self.scan.part == Part::Header && !octets.is_ascii() {
            self.has_utf8_header = self.has_utf8_header.map(|_| true);
        }
    }

    /// The same with this size in octets, each line end counted as CRLF.
    #[must_use]
    pub const fn with_size(mut self, octets: u64) -> Self {
        self.size = Some(octets);
        self.bare = Bare { cr: false, lf: 0 };
        self
    }

    /// The same, knowing whether octets above 127 occur.
    #[must_use]
    pub const fn with_eight_bit(mut self, has_eight_bit: bool) -> Self {
        self.has_eight_bit = Some(has_eight_bit);
        self
    }

    /// The same, knowing whether octets above 127 occur in the header, so that the message needs
    /// SMTPUTF8 (RFC 6532).
    #[must_use]
    pub const fn with_utf8_header(mut self, has_utf8_header: bool) -> Self {
        self.has_utf8_header = Some(has_utf8_header);
        self
    }

    /// The same, knowing whether NUL occurs.
    #[must_use]
    pub const fn with_nul(mut self, has_nul: bool) -> Self {
        self.has_nul = Some(has_nul);
        self
    }

    /// How many octets the message has as it is sent, CRLF counted, stuffed dots not
    /// (RFC 1870 section 5).
    #[must_use]
    pub fn size(&self, line_ends: LineEnds) -> Option<u64> {
        match line_ends {
            LineEnds::Strict => self.size,
            LineEnds::FromLf => self.size.map(|size| size.saturating_add(self.bare.lf)),
        }
    }

    /// Whether octets above 127 occur.
    #[must_use]
    pub const fn has_eight_bit(&self) -> Option<bool> {
        self.has_eight_bit
    }

    /// Whether octets above 127 occur in the header.
    #[must_use]
    pub const fn has_utf8_header(&self) -> Option<bool> {
        self.has_utf8_header
    }

    /// Whether NUL occurs, which may travel only with BINARYMIME (RFC 3030 section 3).
    #[must_use]
    pub const fn has_nul(&self) -> Option<bool> {
        self.has_nul
    }

    /// Whether a CR, or under [`LineEnds::Strict`] an LF, stands outside CRLF, in what was
    /// scanned: such content is not sent (RFC 5321 section 2.3.8), except as BINARYMIME.
    #[must_use]
    pub const fn has_bare_line_break(&self, line_ends: LineEnds) -> bool {
        self.bare.cr
            || self.scan.is_after_cr
            || matches!(line_ends, LineEnds::Strict) && self.bare.lf > 0
    }

    /// Octets of the longest line that was scanned, without its CRLF; more than 998 are beyond
    /// what every server takes (RFC 5321 section 4.5.3.1.6).
    #[must_use]
    pub const fn longest_line(&self) -> u64 {
        self.longest_line
    }
}

impl Default for MessageFacts {
    /// The same as [`UNKNOWN`](Self::UNKNOWN).
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// How content is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Behind DATA, with stuffed dots.
    Dots,
    /// Behind BDAT, counted.
    Chunks,
}

/// What the server takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    pub(super) has_eight_bit: bool,
    /// BODY=BINARYMIME: NUL, and under [`LineEnds::Strict`] every octet as it is.
    pub(super) is_binary: bool,
    pub(super) size: Option<u64>,
    pub(super) line_ends: LineEnds,
}

/// The content of one transaction on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    allowed: Allowed,
    form: Form,
    /// Octets taken from the application.
    taken: u64,
    /// The same as the server counts them, CRLF for each line end.
    size: u64,
    is_after_cr: bool,
    /// Octets of wire form, without the end.
    wire: u64,
    error: Option<ContentError>,
    pace: Pace,
}

/// When what was written goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// When there is enough of it.
    Gather,
    /// Before more is taken.
    Flush,
}

#[derive(Debug)]
enum Form {
    Dots(Stuffer),
    Chunks { line_ends: ChunkLineEnds, pending: Pending },
}

impl Outgoing {
    pub(super) fn new(framing: Framing, allowed: Allowed) -> Self {
        let form = match framing {
            Framing::Dots => Form::Dots(Stuffer::new(allowed.line_ends)),
            Framing::Chunks => Form::Chunks {
                line_ends: ChunkLineEnds::new(&allowed),
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
        }
    }

    pub(super) const fn error(&self) -> Option<ContentError> {
        self.error
    }

    pub(super) const fn flush(&mut self) {
        self.pace = Pace::Flush;
    }

    pub(super) const fn flushed(&mut self) {
        self.pace = Pace::Gather;
    }

    pub(super) fn is_flushing(&self) -> bool {
        self.pace == Pace::Flush
    }

    /// Octets of wire form so far, without the end.
    pub(super) const fn wire_octets(&self) -> u64 {
        self.wire
    }

    /// Octets that wait to become a chunk.
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
        self.check(content)?;
        let result = match &mut self.form {
            Form::Dots(stuffer) => {
                let out = send.text();
                let before = out.len();
                let result = stuffer.stuff(content, out);
                self.wire += out.len().saturating_sub(before) as u64;
                result
            }
            Form::Chunks { line_ends, pending } => {
                let before = pending.len;
                let result = line_ends.convert(content, |piece| pending.copy(piece));
                self.wire += (pending.len - before) as u64;
                result
            }
        };
        self.keep(result)
    }

    /// Takes `content`, without a copy.
    pub(super) fn write_bytes(
        &mut self,
        content: Bytes,
        send: &mut SendBuffer,
    ) -> Result<(), ContentError> {
        self.check(&content)?;
        let result = match &mut self.form {
            Form::Dots(stuffer) => {
                let before = send.len();
                let result = stuffer.stuff_bytes(content, |piece| send.push(piece));
                self.wire += send.len().saturating_sub(before) as u64;
                result
            }
            Form::Chunks { line_ends, pending } => {
                let before = pending.len;
                let result = line_ends.convert(&content, |piece| match piece {
                    Piece::Content(start, end, _) => pending.push(content.slice(start..end)),
                    added @ Piece::Added(_) => pending.copy(added),
                });
                self.wire += (pending.len - before) as u64;
                result
            }
        };
        self.keep(result)
    }

    /// The content has come to its end; `tail` takes what ends it behind DATA.
    pub(super) fn finish(&mut self, tail: &mut Vec<u8>) -> Result<(), ContentError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let result = match &mut self.form {
            Form::Dots(stuffer) => {
                let result = stuffer.finish(tail);
                self.wire += tail.len().saturating_sub(".\r\n".len()) as u64;
                result
            }
            Form::Chunks { line_ends, .. } => line_ends.finish(),
        };
        self.keep(result)
    }

    /// The octets that make the next chunk.
    pub(super) fn take_pending(&mut self, mut piece: impl FnMut(Bytes)) {
        if let Form::Chunks { pending, .. } = &mut self.form {
            let Pending { parts, copied, .. } = core::mem::take(pending);
            parts
                .into_iter()
                .chain((!copied.is_empty()).then(|| copied.into()))
                .for_each(&mut piece);
        }
    }

    /// What the server would not take, at its octet. Only what may occur is looked for.
    fn check(&mut self, content: &[u8]) -> Result<(), ContentError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let at = |index: usize| self.taken.saturating_add(index as u64);
        let eight_bit = if self.allowed.has_eight_bit || content.is_ascii() {
            None
        } else {
            content.iter().position(|octet| !octet.is_ascii())
        };
        let nul = if self.allowed.is_binary { None } else { memchr::memchr(0, content) };
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
        let error = match (eight_bit, nul, self.allowed.size) {
            (Some(index), _, _) => ContentError::EightBit(at(index)),
            (_, Some(index), _) => ContentError::Nul(at(index)),
            (_, _, Some(limit)) if size > limit => ContentError::TooLarge { limit },
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

    fn keep(&mut self, result: Result<(), BareLineBreak>) -> Result<(), ContentError> {
        result.map_err(|BareLineBreak(at)| *self.error.insert(ContentError::BareLineBreak(at)))
    }
}

/// Octets that wait to become a chunk.
#[derive(Debug, Default)]
struct Pending {
    parts: Vec<Bytes>,
    copied: Vec<u8>,
    len: usize,
}

impl Pending {
    fn copy(&mut self, piece: Piece<'_>) {
        let octets = match piece {
            Piece::Content(_, _, octets) | Piece::Added(octets) => octets,
        };
        self.copied.extend_from_slice(octets);
        self.len += octets.len();
    }

    fn push(&mut self, octets: Bytes) {
        if octets.is_empty() {
            return;
        }
        if !self.copied.is_empty() {
            self.parts.push(core::mem::take(&mut self.copied).into());
        }
        self.len += octets.len();
        self.parts.push(octets);
    }
}

/// The line ends of counted content: nothing is stuffed, and a bare CR or LF does not leave
/// unless the content is binary.
#[derive(Debug)]
struct ChunkLineEnds {
    policy: Option<LineEnds>,
    is_after_cr: bool,
    offset: u64,
}

/// A part of the wire form.
enum Piece<'a> {
    /// From here to there in the content, and the octets themselves.
    Content(usize, usize, &'a [u8]),
    Added(&'static [u8]),
}

impl ChunkLineEnds {
    fn new(allowed: &Allowed) -> Self {
        Self {
            // Who says that LF is a line end says so of binary content too.
            policy: match (allowed.is_binary, allowed.line_ends) {
                (true, LineEnds::Strict) => None,
                (_, line_ends) => Some(line_ends),
            },
            is_after_cr: false,
            offset: 0,
        }
    }

    fn convert<'a>(
        &mut self,
        content: &'a [u8],
        mut emit: impl FnMut(Piece<'a>),
    ) -> Result<(), BareLineBreak> {
        let piece = |start: usize, end: usize| {
            Piece::Content(start, end, content.get(start..end).unwrap_or_default())
        };
        let octet = |at: usize| content.get(at).copied();
        let Some(policy) = self.policy else {
            emit(piece(0, content.len()));
            return Ok(());
        };
        let (Some(first), offset) = (octet(0), self.offset) else { return Ok(()) };
        if self.is_after_cr {
            if first != b'\n' {
                return Err(BareLineBreak(offset.saturating_sub(1)));
            }
            emit(Piece::Added(b"\r")); // that was held back
        }
        let mut start = 0;
        for at in memchr::memchr2_iter(b'\r', b'\n', content) {
            let is_after_cr = match at.checked_sub(1) {
                None => self.is_after_cr,
                Some(before) => octet(before) == Some(b'\r'),
            };
            let is_bare = match octet(at) {
                Some(b'\r') => octet(at + 1).is_some_and(|next| next != b'\n'),
                _ => !is_after_cr,
            };
            if !is_bare {
                continue;
            }
            emit(piece(start, at));
            start = at;
            if policy == LineEnds::Strict || octet(at) == Some(b'\r') {
                return Err(BareLineBreak(offset.saturating_add(at as u64)));
            }
            emit(Piece::Added(b"\r"));
        }
        self.is_after_cr = content.ends_with(b"\r");
        emit(piece(start, content.len() - usize::from(self.is_after_cr)));
        self.offset = offset.saturating_add(content.len() as u64);
        Ok(())
    }

    fn finish(&self) -> Result<(), BareLineBreak> {
        if self.is_after_cr { Err(BareLineBreak(self.offset.saturating_sub(1))) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALPHABET: &[u8] = b"\r\n.a\0\xe9";

    /// Every content of up to five octets of the alphabet.
    fn short_contents() -> impl Iterator<Item = Vec<u8>> {
        (0..=5_u32).flat_map(|length| {
            (0..6_usize.pow(length)).map(move |number| {
                (0..length).map(|place| ALPHABET[number / 6_usize.pow(place) % 6]).collect()
            })
        })
    }

    /// The pieces when it is cut behind octet n for each bit n.
    fn cut(content: &[u8], cuts: u32) -> Vec<&[u8]> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for end in 1..=content.len() {
            if cuts & (1 << (end - 1)) != 0 || end == content.len() {
                pieces.push(&content[start..end]);
                start = end;
            }
        }
        pieces
    }

    fn allowed(line_ends: LineEnds) -> Allowed {
        Allowed { has_eight_bit: true, is_binary: false, size: None, line_ends }
    }

    #[test]
    fn any_cutting_gives_the_same_facts() {
        for content in short_contents() {
            let whole = MessageFacts::scan(&content);
            for cuts in 0..1 << content.len().saturating_sub(1) {
                let mut facts = MessageFacts::new();
                cut(&content, cuts).into_iter().for_each(|piece| facts.update(piece));
                assert_eq!(facts, whole, "{} cut {cuts:b}", content.escape_ascii());
            }
        }
    }

    #[test]
    fn facts_are_what_a_message_holds() {
        let facts = MessageFacts::scan(b"a: b\r\n\r\n\xe9\n12345678\r\n\0");
        assert_eq!(facts.size(LineEnds::Strict), Some(21));
        assert_eq!(facts.size(LineEnds::FromLf), Some(22));
        assert_eq!(facts.has_eight_bit(), Some(true));
        assert_eq!(facts.has_utf8_header(), Some(false));
        assert_eq!(facts.has_nul(), Some(true));
        assert_eq!(facts.longest_line(), 8);
        assert!(facts.has_bare_line_break(LineEnds::Strict));
        assert!(!facts.has_bare_line_break(LineEnds::FromLf));
        assert!(MessageFacts::scan(b"a\r").has_bare_line_break(LineEnds::FromLf));
        assert_eq!(MessageFacts::scan(b"\n\xe9").has_utf8_header(), Some(false));
        assert_eq!(MessageFacts::scan(b"a\n\xe9").has_utf8_header(), Some(true));
    }

    /// What leaves when content goes out in these pieces, by copy and without.
    fn send(framing: Framing, allowed: Allowed, pieces: &[&[u8]]) -> Result<Vec<u8>, ContentError> {
        let mut sent = [false, true].map(|is_shared| {
            let (mut send, mut tail) = (SendBuffer::default(), Vec::new());
            let mut content = Outgoing::new(framing, allowed);
            for piece in pieces {
                if is_shared {
                    content.write_bytes(Bytes::copy_from_slice(piece), &mut send)?;
                } else {
                    content.write(piece, &mut send)?;
                }
            }
            content.finish(&mut tail)?;
            let pending = content.pending();
            let mut chunk = Vec::new();
            content.take_pending(|piece| chunk.extend_from_slice(&piece));
            assert_eq!(chunk.len(), pending);
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
        core::mem::replace(&mut sent[0], Ok(Vec::new()))
    }

    /// Content with CRLF for each line end, or where it cannot be had.
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
    fn content_leaves_behind_data_with_stuffed_dots() {
        let sent = send(Framing::Dots, allowed(LineEnds::FromLf), &[b".a\n", b".", b"\n.b"]);
        assert_eq!(sent, Ok(b"..a\r\n..\r\n..b\r\n.\r\n".to_vec()));
    }

    #[test]
    fn binary_content_leaves_as_it_is() {
        let binary = Allowed { is_binary: true, ..allowed(LineEnds::Strict) };
        assert_eq!(send(Framing::Chunks, binary, &[b"\r\0\n", b"\r"]), Ok(b"\r\0\n\r".to_vec()));
    }

    #[test]
    fn what_the_server_does_not_take_is_told_at_its_octet() {
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
}
