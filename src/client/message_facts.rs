//! The facts of a message that are known before it is sent.

use super::outgoing::Allowed;
use crate::wire::{LineEnds, Stuffer, Survey, count_printable};
use bytes::Bytes;

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
    clean: Share,
}

/// Octets in which nothing is to be stuffed or refused, but octets above 127 perhaps.
///
/// They are shared: while they are, they cannot change, and no other octets can be in their place. So content that
/// lies within them is clean, too, and needs no scan.
#[derive(Clone, Debug)]
struct Clean {
    octets: Bytes,
    is_ascii: bool,
}

/// The share that is kept. Any equals any other: facts are compared, and not which octets they are of.
#[derive(Clone, Debug)]
struct Share(Option<Clean>);

impl PartialEq for Share {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Share {}

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
    /// The first of them, in lower case, while it is a line of the header and may be a field that is looked for.
    name: [u8; NAME],
}

/// Octets of the longest field name that is looked for, with its colon.
const NAME: usize = b"mime-version:".len();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header,
    Body,
}

/// The lines of some octets of a message.
struct Lines {
    /// The state after them.
    scan: Scan,
    count: usize,
    /// Octets of CRLF, bare LF and a CR at the end.
    octets_of_ends: usize,
    bare_lf: u64,
    longest: u64,
    /// The offset after the header, as far as it is here.
    body: usize,
    is_mime: bool,
    has_return_path: bool,
}

impl Lines {
    /// Finds the lines after those that led to `scan`.
    ///
    /// With `GUESSES`, where two lines of the body have one length, so has the next one if an LF is there. The caller
    /// checks whether another LF is within it.
    fn of<const GUESSES: bool>(scan: Scan, octets: &[u8]) -> Self {
        let mut lines = Self {
            scan,
            count: 0,
            octets_of_ends: 0,
            bare_lf: 0,
            longest: 0,
            body: 0,
            is_mime: false,
            has_return_path: false,
        };
        let (mut start, mut length, mut is_even) = (0, 0, false);
        loop {
            let rest = octets.get(start..).unwrap_or_default();
            if !is_even || rest.get(length) != Some(&b'\n') {
                let Some(end) = memchr::memchr(b'\n', rest) else {
                    lines.unended(rest, octets.len());
                    break;
                };
                is_even = GUESSES && end > 0 && end == length && lines.scan.part == Part::Body;
                length = end;
            }
            lines.ended(rest.get(..length).unwrap_or_default(), start + length);
            start += length + 1;
            if is_even {
                start = lines.pass(octets, start, length);
            }
        }
        lines
    }

    /// Takes the lines from `start` on that end in CRLF and are as long as the one before, `length` octets without LF,
    /// and returns the offset after them. They change nothing but the counts.
    #[inline(always)]
    fn pass(&mut self, octets: &[u8], start: usize, length: usize) -> usize {
        let mut at = start;
        while octets.get(at + length - 1..=at + length) == Some(b"\r\n") {
            at += length + 1;
            self.count += 1;
        }
        self.octets_of_ends += (at - start) / (length + 1) * b"\r\n".len();
        at
    }

    /// Takes the rest of a line, whose LF is at `end` of the octets.
    #[inline(always)]
    fn ended(&mut self, line: &[u8], end: usize) {
        let has_cr = match line.last() {
            Some(last) => *last == b'\r',
            None => self.scan.is_after_cr,
        };
        self.count += 1;
        // A CR that came before is not counted here.
        self.octets_of_ends += 1 + usize::from(has_cr && !line.is_empty());
        self.bare_lf += u64::from(!has_cr);
        let length = (self.scan.line + line.len() as u64).saturating_sub(has_cr.into());
        self.longest = self.longest.max(length);
        if self.scan.part == Part::Header {
            self.name(line);
            self.scan.name = [0; NAME];
            self.body = end;
            if length == 0 {
                self.scan.part = Part::Body;
            }
        }
        self.scan.line = 0;
        self.scan.is_after_cr = false;
    }

    /// Takes the octets after the last LF, up to `end`.
    fn unended(&mut self, rest: &[u8], end: usize) {
        let Some(last) = rest.last() else { return };
        if self.scan.part == Part::Header {
            self.name(rest);
            self.body = end;
        }
        self.scan.is_after_cr = *last == b'\r';
        self.octets_of_ends += usize::from(self.scan.is_after_cr);
        self.scan.line = self.scan.line.saturating_add(rest.len() as u64);
        self.longest = self.longest.max(self.scan.line - u64::from(self.scan.is_after_cr));
    }

    /// Takes octets of a line of the header, which may belong to the name of a field.
    fn name(&mut self, octets: &[u8]) {
        let at = match usize::try_from(self.scan.line) {
            Ok(0) if octets.first().is_some_and(|first| b"MRmr".contains(first)) => 0,
            Ok(at @ 1..NAME) if !self.scan.name.starts_with(&[0]) => at,
            _ => return,
        };
        let free = self.scan.name.get_mut(at..).unwrap_or_default();
        for (place, octet) in free.iter_mut().zip(octets) {
            *place = octet.to_ascii_lowercase();
        }
        if self.scan.name == *b"mime-version:" {
            self.is_mime = true;
        }
        if self.scan.name.starts_with(b"return-path:") {
            self.has_return_path = true;
        }
    }
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
        clean: Share(None),
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

    /// Returns the facts of a whole message that is shared, and keeps a share of it. That pays where a message is sent more
    /// than once.
    ///
    /// If no line of the message begins with a dot, each ends in CRLF, and NUL does not occur, octets of it that are
    /// written with [`write_bytes`](super::Content::write_bytes) in a transaction with these facts are not scanned
    /// again. All other octets are, whatever the facts say.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use esmtp::client::MessageFacts;
    ///
    /// let message = Bytes::from_static(b"Subject: hello\r\n\r\nHello.\r\n");
    /// assert_eq!(MessageFacts::scan_bytes(&message), MessageFacts::scan(&message));
    /// ```
    #[must_use]
    pub fn scan_bytes(message: &Bytes) -> Self {
        let mut facts = Self::scan(message);
        if facts.has_nul == Some(false) && Stuffer::is_unchanged(message) {
            let is_ascii = facts.has_eight_bit == Some(false);
            facts.clean = Share(Some(Clean { octets: message.clone(), is_ascii }));
        }
        facts
    }

    /// Returns the octets that need no further scan for a server that takes what is `allowed`.
    pub(super) fn into_clean(self, allowed: &Allowed) -> Option<Bytes> {
        let Share(clean) = self.clean;
        clean.filter(|clean| clean.is_ascii || allowed.has_eight_bit).map(|clean| clean.octets)
    }

    /// Takes the next octets of the message into account. Any cutting gives the same facts.
    pub fn update(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        if let Some(size) = &mut self.size {
            *size = size.saturating_add(octets.len() as u64);
        }
        self.bare.cr |= self.scan.is_after_cr && octets.first() != Some(&b'\n');
        let printable = count_printable(octets);
        let mut lines = Lines::of::<true>(self.scan, octets);
        if printable + lines.octets_of_ends != octets.len() {
            // An LF within a line that was expected to be longer is one of these octets.
            if memchr::memchr_iter(b'\n', octets).count() != lines.count {
                lines = Lines::of::<false>(self.scan, octets);
            }
            if printable + lines.octets_of_ends != octets.len() {
                self.survey(octets, lines.body);
            }
        }
        self.scan = lines.scan;
        self.bare.lf += lines.bare_lf;
        self.longest_line = self.longest_line.max(lines.longest);
        self.is_mime = self.is_mime.map(|before| before | lines.is_mime);
        self.has_return_path = self.has_return_path.map(|before| before | lines.has_return_path);
    }

    /// Takes octets into account that are neither printable US-ASCII nor line ends. Those up to `body` belong to the
    /// header.
    #[cold]
    fn survey(&mut self, octets: &[u8], body: usize) {
        let survey = Survey::of(octets);
        let is_utf8_header =
            survey.has_eight_bit && octets.get(..body).is_some_and(|header| !header.is_ascii());
        for (fact, occurs) in [
            (&mut self.has_eight_bit, survey.has_eight_bit),
            (&mut self.has_utf8_header, is_utf8_header),
            (&mut self.has_nul, survey.has_nul),
            (&mut self.has_control, survey.has_control),
        ] {
            *fact = fact.map(|before| before | occurs);
        }
        let is_bare = |cr| octets.get(cr + 1).is_some_and(|next| *next != b'\n');
        self.bare.cr |=
            survey.has_bare_line_break && memchr::memchr_iter(b'\r', octets).any(is_bare);
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

    /// Computes what the lines of a message are, octet by octet.
    fn lines_of(message: &[u8]) -> (u64, u64, bool) {
        let (mut bare_lf, mut longest, mut line) = (0, 0, 0);
        let mut is_bare = false;
        for (at, octet) in message.iter().enumerate() {
            let is_after_cr = at > 0 && message[at - 1] == b'\r';
            is_bare |= is_after_cr && *octet != b'\n' || *octet == b'\r' && at + 1 == message.len();
            match octet {
                b'\n' => {
                    longest = longest.max(line - u64::from(is_after_cr));
                    bare_lf += u64::from(!is_after_cr);
                    line = 0;
                }
                _ => line += 1,
            }
        }
        longest = longest.max(line - u64::from(message.ends_with(b"\r")));
        (bare_lf, longest, is_bare)
    }

    #[test]
    fn a_line_end_among_lines_of_one_length_is_counted_wherever_it_is() {
        let lines = [b"Subject: lines\r\n\r\n".to_vec(), b"23456789\r\n".repeat(20)].concat();
        for at in 1..lines.len() {
            for what in [&b"\n"[..], b"\r", b"\r\n", b"\0", b"\xe9", b"a"] {
                let message = [&lines[..at], what, &lines[at + 1..]].concat();
                let facts = MessageFacts::scan(&message);
                let (bare_lf, longest, is_bare) = lines_of(&message);
                assert_eq!(facts.bare, Bare { lf: bare_lf, cr: facts.bare.cr }, "{at} {what:?}");
                assert_eq!(facts.has_bare_line_break(LineEnds::FromLf), is_bare, "{at} {what:?}");
                assert_eq!(facts.longest_line(), longest, "{at} {what:?}");
                assert_eq!(facts.has_nul(), Some(what == b"\0"));
                assert_eq!(facts.has_eight_bit(), Some(what == b"\xe9"));
                assert_eq!(facts.has_control(), facts.has_nul());
                let mut cut = MessageFacts::empty();
                cut.update(&message[..at]);
                cut.update(&message[at..]);
                assert_eq!(cut, facts, "{at} {what:?}");
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
