//! The facts of a message that are known before it is sent.

use crate::wire::{LineEnds, Survey};

/// The facts of a message that are known before it is sent: they are compared with what the server
/// offers before an octet leaves.
///
/// A fact that is not known is found while the content is written, and is then a
/// [`ContentError`](super::ContentError) where it does not fit. [`empty`](Self::empty) knows everything
/// of a message without octets, and [`UNKNOWN`](Self::UNKNOWN), which is the default, nothing.
///
/// ```
/// use esmtp::{client::MessageFacts, wire::LineEnds};
///
/// let mut facts = MessageFacts::empty();
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
    has_control: Option<bool>,
    is_mime: Option<bool>,
    has_return_path: Option<bool>,
    has_burl: bool,
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

/// The state of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scan {
    part: Part,
    is_after_cr: bool,
    /// Octets of the line so far, without its end.
    line: u64,
    /// The first of them, in lower case, while it is a line of the header.
    name: [u8; NAME],
}

/// Octets of the longest field name that is looked for, with its colon.
const NAME: usize = b"mime-version:".len();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header,
    Body,
}

impl MessageFacts {
    /// The facts of a message of which nothing is known.
    pub const UNKNOWN: Self = Self {
        size: None,
        has_eight_bit: None,
        has_utf8_header: None,
        has_nul: None,
        has_control: None,
        is_mime: None,
        has_return_path: None,
        has_burl: false,
        bare: Bare { cr: false, lf: 0 },
        longest_line: 0,
        scan: Scan { part: Part::Header, is_after_cr: false, line: 0, name: [0; NAME] },
    };

    /// Returns the facts of a message without octets, to be brought up to date with [`update`](Self::update).
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            size: Some(0),
            has_eight_bit: Some(false),
            has_utf8_header: Some(false),
            has_nul: Some(false),
            has_control: Some(false),
            is_mime: Some(false),
            has_return_path: Some(false),
            ..Self::UNKNOWN
        }
    }

    /// Returns the facts of a whole message.
    #[must_use]
    pub fn scan(message: &[u8]) -> Self {
        let mut facts = Self::empty();
        facts.update(message);
        facts
    }

    /// Takes the next octets of the message into account. Any cutting gives the same facts.
    pub fn update(&mut self, octets: &[u8]) {
        if let Some(size) = &mut self.size {
            *size = size.saturating_add(octets.len() as u64);
        }
        let survey = Survey::of(octets);
        for (fact, occurs) in [
            (&mut self.has_eight_bit, survey.has_eight_bit),
            (&mut self.has_nul, survey.has_nul),
            (&mut self.has_control, survey.has_control),
        ] {
            *fact = fact.map(|before| before | occurs);
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', octets) {
            self.line(octets.get(start..end).unwrap_or_default(), survey);
            if !self.scan.is_after_cr {
                self.bare.lf += 1;
            }
            let line = self.scan.line - u64::from(self.scan.is_after_cr);
            if line == 0 {
                self.scan.part = Part::Body;
            }
            self.longest_line = self.longest_line.max(line);
            self.scan = Scan { is_after_cr: false, line: 0, name: [0; NAME], ..self.scan };
            start = end + 1;
        }
        self.line(octets.get(start..).unwrap_or_default(), survey);
        self.longest_line =
            self.longest_line.max(self.scan.line - u64::from(self.scan.is_after_cr));
    }

    /// Takes octets of a line, without its LF, of the octets surveyed.
    fn line(&mut self, octets: &[u8], survey: Survey) {
        let Some((last, before)) = octets.split_last() else { return };
        self.bare.cr |= self.scan.is_after_cr
            || survey.has_bare_line_break && memchr::memchr(b'\r', before).is_some();
        self.scan.is_after_cr = *last == b'\r';
        if self.scan.part == Part::Header && self.scan.line < NAME as u64 {
            self.name(octets);
        }
        self.scan.line = self.scan.line.saturating_add(octets.len() as u64);
        if survey.has_eight_bit && self.scan.part == Part::Header && !octets.is_ascii() {
            self.has_utf8_header = self.has_utf8_header.map(|_| true);
        }
    }

    /// Takes octets of a line of the header, which may belong to the name of a field.
    fn name(&mut self, octets: &[u8]) {
        let at = usize::try_from(self.scan.line).unwrap_or(NAME);
        let free = self.scan.name.get_mut(at..).unwrap_or_default();
        for (place, octet) in free.iter_mut().zip(octets) {
            *place = octet.to_ascii_lowercase();
        }
        if self.scan.name == *b"mime-version:" {
            self.is_mime = self.is_mime.map(|_| true);
        }
        if self.scan.name.starts_with(b"return-path:") {
            self.has_return_path = self.has_return_path.map(|_| true);
        }
    }

    /// Sets the size in octets, each line end counted as CRLF.
    #[must_use]
    pub const fn with_size(mut self, octets: u64) -> Self {
        self.size = Some(octets);
        self.bare = Bare { cr: false, lf: 0 };
        self
    }

    /// States that octets above 127 occur.
    #[must_use]
    pub const fn with_eight_bit(mut self) -> Self {
        self.has_eight_bit = Some(true);
        self
    }

    /// States that no octets above 127 occur.
    #[must_use]
    pub const fn without_eight_bit(mut self) -> Self {
        self.has_eight_bit = Some(false);
        self
    }

    /// States that octets above 127 occur in the header, so that the message needs SMTPUTF8 (RFC
    /// 6532).
    #[must_use]
    pub const fn with_utf8_header(mut self) -> Self {
        self.has_utf8_header = Some(true);
        self
    }

    /// States that no octets above 127 occur in the header.
    #[must_use]
    pub const fn without_utf8_header(mut self) -> Self {
        self.has_utf8_header = Some(false);
        self
    }

    /// States that NUL occurs.
    #[must_use]
    pub const fn with_nul(mut self) -> Self {
        self.has_nul = Some(true);
        self
    }

    /// States that no NUL occurs.
    #[must_use]
    pub const fn without_nul(mut self) -> Self {
        self.has_nul = Some(false);
        self
    }

    /// States that the server fetches parts of the message from URLs (BURL, RFC 4468), so that it goes
    /// only where BURL and CHUNKING are offered: [`Content::burl`](super::Content::burl).
    ///
    /// Of those parts nothing is known: the size is forgotten, and octets that did not occur so far may
    /// occur there. Facts of the whole message are to be set after this.
    ///
    /// ```
    /// use esmtp::{client::MessageFacts, wire::LineEnds};
    ///
    /// let facts = MessageFacts::scan(b"MIME-Version: 1.0\r\n\r\n").with_burl();
    /// assert_eq!((facts.is_mime(), facts.has_eight_bit()), (Some(true), None));
    /// assert_eq!(facts.size(LineEnds::Strict), None);
    /// assert_eq!(facts.with_size(9000).size(LineEnds::Strict), Some(9000));
    /// ```
    #[must_use]
    pub fn with_burl(mut self) -> Self {
        self.has_burl = true;
        self.size = None;
        for fact in [
            &mut self.has_eight_bit,
            &mut self.has_utf8_header,
            &mut self.has_nul,
            &mut self.has_control,
            &mut self.is_mime,
            &mut self.has_return_path,
        ] {
            *fact = fact.filter(|occurs| *occurs);
        }
        self
    }

    /// Returns whether parts of the message come from URLs.
    #[must_use]
    pub const fn has_burl(&self) -> bool {
        self.has_burl
    }

    /// Returns how many octets the message has as it is sent, CRLF counted, stuffed dots not
    /// (RFC 1870 section 5).
    #[must_use]
    pub fn size(&self, line_ends: LineEnds) -> Option<u64> {
        match line_ends {
            LineEnds::Strict => self.size,
            LineEnds::FromLf => self.size.map(|size| size.saturating_add(self.bare.lf)),
        }
    }

    /// Returns whether octets above 127 occur.
    #[must_use]
    pub const fn has_eight_bit(&self) -> Option<bool> {
        self.has_eight_bit
    }

    /// Returns whether octets above 127 occur in the header.
    #[must_use]
    pub const fn has_utf8_header(&self) -> Option<bool> {
        self.has_utf8_header
    }

    /// Returns whether NUL occurs, which may travel only with BINARYMIME (RFC 3030 section 3).
    #[must_use]
    pub const fn has_nul(&self) -> Option<bool> {
        self.has_nul
    }

    /// Returns whether control characters other than TAB, CR and LF occur, in what was scanned: they may
    /// cause problems and are better avoided (RFC 5321 section 4.1.1.4).
    #[must_use]
    pub const fn has_control(&self) -> Option<bool> {
        self.has_control
    }

    /// Returns whether the header that was scanned has a field `MIME-Version`. Octets above 127 are for
    /// messages with that field (RFC 5321 section 2.4): a server may reject others. The client does so
    /// with [`Config::with_required_mime`](super::Config::with_required_mime), and else asks for
    /// `BODY=8BITMIME` wherever such octets occur.
    #[must_use]
    pub const fn is_mime(&self) -> Option<bool> {
        self.is_mime
    }

    /// Returns whether the header that was scanned has a field `Return-Path`, which the server of the
    /// final delivery writes and no client sends (RFC 5321 section 4.4).
    #[must_use]
    pub const fn has_return_path(&self) -> Option<bool> {
        self.has_return_path
    }

    /// Returns whether a CR, or under [`LineEnds::Strict`] an LF, stands outside CRLF, in what was
    /// scanned: such content is not sent (RFC 5321 section 2.3.8), except as BINARYMIME.
    #[must_use]
    pub const fn has_bare_line_break(&self, line_ends: LineEnds) -> bool {
        self.bare.cr
            || self.scan.is_after_cr
            || matches!(line_ends, LineEnds::Strict) && self.bare.lf > 0
    }

    /// Returns the octets of the longest line that was scanned, without its CRLF; not every server takes
    /// more than 998 (RFC 5321 section 4.5.3.1.6).
    #[must_use]
    pub const fn longest_line(&self) -> u64 {
        self.longest_line
    }
}

impl Default for MessageFacts {
    /// Returns [`UNKNOWN`](Self::UNKNOWN).
    fn default() -> Self {
        Self::UNKNOWN
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloc::vec::Vec;

    const ALPHABET: &[u8] = b"\r\n.a\0\xe9";

    /// Returns every content of up to five octets of the alphabet.
    pub(in crate::client) fn short_contents() -> impl Iterator<Item = Vec<u8>> {
        (0..=5_u32).flat_map(|length| {
            (0..6_usize.pow(length)).map(move |number| {
                (0..length).map(|place| ALPHABET[number / 6_usize.pow(place) % 6]).collect()
            })
        })
    }

    /// Returns the pieces of a content that is cut after octet n for each bit n.
    pub(in crate::client) fn cut(content: &[u8], cuts: u32) -> Vec<&[u8]> {
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

    #[test]
    fn any_cutting_gives_the_same_facts() {
        for content in short_contents() {
            let whole = MessageFacts::scan(&content);
            for cuts in 0..1 << content.len().saturating_sub(1) {
                let mut facts = MessageFacts::empty();
                cut(&content, cuts).into_iter().for_each(|piece| facts.update(piece));
                assert_eq!(facts, whole, "{} cut {cuts:b}", content.escape_ascii());
            }
        }
    }

    #[test]
    fn fields_are_found_by_their_name_however_the_header_is_cut() {
        for (message, is_mime, has_return_path) in [
            (&b"Return-Path: <>\r\nMIME-Version: 1.0\r\n\r\n"[..], true, true),
            (b"a: b\nmime-VERSION:1.0\n\nReturn-Path:\n", true, false),
            (b"Return-Path:\xe9", false, true),
            (b"X-MIME-Version: 1.0\r\n\r\nMIME-Version: 1.0\r\n", false, false),
            (b"MIME-Version\r\n: 1.0\r\n Return-Path:\r\n", false, false),
            (b"MIME-Versio\0:\r\nReturn-Path", false, false),
        ] {
            for cut in 0..message.len() {
                let mut facts = MessageFacts::empty();
                facts.update(&message[..cut]);
                facts.update(&message[cut..]);
                assert_eq!(facts, MessageFacts::scan(message));
                assert_eq!(facts.is_mime(), Some(is_mime), "{}", message.escape_ascii());
                assert_eq!(facts.has_return_path(), Some(has_return_path));
            }
        }
        assert_eq!(MessageFacts::UNKNOWN.is_mime(), None);
    }

    #[test]
    fn control_characters_are_those_that_mail_does_not_need() {
        for octet in 0..=u8::MAX {
            let expected = octet < 32 && ![9, 10, 13].contains(&octet) || octet == 127;
            assert_eq!(MessageFacts::scan(&[octet]).has_control(), Some(expected), "{octet}");
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
}
