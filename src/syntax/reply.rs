//! Replies: one code, an enhanced status perhaps, and lines of text.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::hash::{Hash, Hasher};

use super::grammar::{TEXT, span};
use super::lanes::line_break;
use super::text::kind_of;
use super::window::LineBreaks;
use super::{Class, Code, FaultClass, Status, SyntaxError, SyntaxErrorKind, Text};

/// No line of an encoded reply is longer, code and CRLF included (RFC 5321 section 4.5.3.1.5).
const LINE_LIMIT: usize = 512;

/// A reply of a server (RFC 5321 section 4.2).
///
/// Parsed, it borrows the octets that came; made, it holds text that cannot break a line. The enhanced status is one for
/// all lines: it is written on each, and cut off each (RFC 2034 section 4).
///
/// ```
/// use esmtp::syntax::{Code, Reply, Status};
///
/// let input = b"250-2.1.5 First\r\n250 2.1.5 Second\r\n221 2.0.0 Bye\r\n";
/// let (reply, octets) = Reply::parse(input)?.unwrap();
/// assert_eq!((reply.code(), reply.status(), octets), (Code::OK, Some(Status::DESTINATION_VALID), 35));
/// assert!(reply.lines().eq([b"First".as_slice(), b"Second"]));
/// assert_eq!(reply.to_string(), "250 2.1.5 First Second");
///
/// let mut out = Vec::new();
/// Reply::new(Code::CLOSING, Some(Status::OTHER), "Bye")?.encode(&mut out);
/// assert_eq!(out, b"221 2.0.0 Bye\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Response")]
#[derive(Clone)]
pub struct Reply<'a> {
    code: Code,
    status: Option<Status>,
    body: Body<'a>,
}

#[derive(Clone)]
enum Body<'a> {
    /// One line; a variant of its own so that constants can be made of it.
    Line(Text<'a>),
    /// Lines with `\n` between them.
    Lines(Cow<'a, str>),
    /// As it came: whole lines with code, separator and CRLF.
    Wire(Cow<'a, [u8]>),
}

/// A retry class: the action that may help after a reply (RFC 5321 sections 4.2.1, 4.5.3.1.10, 4.5.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Nothing failed.
    Unneeded,
    /// A further transaction, at once: this one has too many recipients.
    NextTransaction,
    /// A retry, later.
    Later,
    /// A retry, later, although the server may have accepted the message already: a duplicate is possible (RFC 5321
    /// section 6.1). No reply has this class, only a transaction without a reply.
    LaterMayDuplicate,
    /// No retry of the same command.
    Never,
}

impl<'a> Reply<'a> {
    /// Makes a reply. `text` may hold `\n` between lines; TAB is the only other control character in it (see [`Text`]).
    ///
    /// Text that begins with an enhanced status of the code's class is read as one when `status` is `None`, because
    /// that is what it means to every client.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::LineBreak`] or [`SyntaxErrorKind::Text`] at a control character,
    /// [`SyntaxErrorKind::Status`] when there is a status with a 3yz code.
    pub fn new(
        code: Code,
        status: Option<Status>,
        text: impl Into<Cow<'a, str>>,
    ) -> Result<Self, SyntaxError> {
        let text = text.into();
        let mut at = 0;
        loop {
            at += span(text.get(at..).unwrap_or_default(), TEXT);
            match text.as_bytes().get(at) {
                None => break,
                Some(b'\n') => at += 1,
                octet => return Err(SyntaxError::new(kind_of(octet), at)),
            }
        }
        if status.is_some() && code.class() == Class::Intermediate {
            return Err(SyntaxError::new(SyntaxErrorKind::Status, 0));
        }
        Ok(Self::made(code, status, Body::Lines(text)))
    }

    /// Makes a reply of one line. A status with a 3yz code is left out.
    #[must_use]
    pub fn line(code: Code, status: Option<Status>, text: Text<'a>) -> Self {
        let status = status.filter(|_| code.class() != Class::Intermediate);
        Self::made(code, status, Body::Line(text))
    }

    /// Makes a reply; text that every client would read as a status is read as one here too.
    fn made(code: Code, status: Option<Status>, body: Body<'a>) -> Self {
        let mut reply = Self { code, status, body };
        if status.is_none() {
            reply.status = reply.first_status();
            if reply.status.is_some() {
                reply.body = Body::Lines(Cow::Owned(reply.body.without(code, reply.status)));
            }
        }
        reply
    }

    /// Returns the status that the text of the first line begins with, while no status is cut off it.
    fn first_status(&self) -> Option<Status> {
        Status::split(self.code, self.lines().next()?).map(|(status, _)| status)
    }

    /// Makes a reply for a constant: the status must not be under a 3yz code.
    pub(crate) const fn constant(
        code: Code,
        status: Status,
        text: Text<'static>,
    ) -> Reply<'static> {
        Reply { code, status: Some(status), body: Body::Line(text) }
    }

    /// Parses the first whole reply in `input`, and returns it with its length in octets; `None` while it is
    /// incomplete. Never allocates.
    ///
    /// ```text
    /// Reply-line = *( Reply-code "-" [ textstring ] CRLF )       RFC 5321 section 4.2
    ///              Reply-code [ SP textstring ] CRLF
    /// Reply-code = %x32-35 %x30-35 %x30-39
    /// ```
    ///
    /// Tolerated, because the meaning is certain: any second digit, text with octets above 127 and with control octets
    /// other than CR, LF and NUL, and a missing enhanced status.
    ///
    /// # Errors
    ///
    /// Anything else that is not in the grammar: see [`ReplyError`]. The octets that follow cannot be trusted.
    pub fn parse(input: &'a [u8]) -> Result<Option<(Self, usize)>, ReplyError> {
        let bounds = match plain(input) {
            Some(bounds) => bounds,
            None => match Bounds::find(input)? {
                Some(bounds) => bounds,
                None => return Ok(None),
            },
        };
        let Bounds { code, line, octets } = bounds;
        let text = input.get("250 ".len()..line).unwrap_or_default();
        let status = Status::split(code, text).map(|(status, _)| status);
        let wire = input.get(..octets).unwrap_or_default();
        Ok(Some((Self { code, status, body: Body::Wire(Cow::Borrowed(wire)) }, octets)))
    }

    /// Returns the lines with their CRLFs: as they came, or as they are sent.
    pub(crate) fn wire(&self) -> Cow<'_, [u8]> {
        match &self.body {
            Body::Wire(wire) => Cow::Borrowed(wire),
            Body::Line(_) | Body::Lines(_) => {
                let mut out = Vec::new();
                self.encode(&mut out);
                Cow::Owned(out)
            }
        }
    }

    /// Returns the octets as they came, unless there is an enhanced status to be cut off the text of its lines.
    pub(super) fn plain_wire(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Wire(wire) if self.status.is_none() => Some(wire),
            _ => None,
        }
    }

    /// Returns whether a line, with or without its CRLF, is the last of a reply: anything but `NNN-`.
    ///
    /// Cheap, and true of a line that is no reply line at all, so that [`parse`](Self::parse) gets to see it.
    #[must_use]
    pub fn is_last_line(line: &[u8]) -> bool {
        line.get(3) != Some(&b'-')
    }

    /// Appends the reply with its CRLFs.
    ///
    /// A line that would exceed 512 octets is continued in further lines, broken after a space where there is one, and
    /// every line carries the enhanced status. A 334 is never broken: its challenge is one line of up to 12288 octets
    /// (RFC 4954 section 4).
    ///
    /// In a reply that was received, a character that no [`Text`] may hold is written as `?`, and octets that are not
    /// UTF-8 as U+FFFD: text of one peer cannot reach the terminal of another.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let status = Prefix::new(self.code, self.status);
        let room = match self.code {
            Code::AUTH_CHALLENGE => usize::MAX,
            _ => LINE_LIMIT - b"250 \r\n".len() - status.octets().len(),
        };
        let mut lines = self.lines().peekable();
        while let Some(line) = lines.next() {
            let is_last = lines.peek().is_none();
            let line = self.text_of(line);
            let mut line = &*line;
            loop {
                let (piece, rest) = break_line(line, room);
                out.extend_from_slice(&self.code.digits());
                out.push(if is_last && rest.is_empty() { b' ' } else { b'-' });
                out.extend_from_slice(status.octets());
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\r\n");
                if rest.is_empty() {
                    break;
                }
                line = rest;
            }
        }
    }

    /// Returns the reply code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the enhanced status, when there is one of the code's class.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.status
    }

    /// Returns the severity: the meaning of the first digit.
    #[must_use]
    pub fn class(&self) -> Class {
        self.code.class()
    }

    /// Iterates over the text of each line, without code, separator and enhanced status; octets as received. There is
    /// always one.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> + Clone {
        Lines {
            rest: Some(self.body.octets()),
            is_wire: self.body.is_wire(),
            code: self.code,
            status: self.status,
        }
    }

    /// Returns whether the code is 4yz: the command may be retried.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code.is_transient()
    }

    /// Returns whether the code is 5yz: the command must not be retried unchanged.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code.is_permanent()
    }

    /// Returns whether the code is 2yz or 3yz.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code.is_positive()
    }

    /// Returns what may help after this reply to one recipient.
    ///
    /// Too many recipients are recognised by the enhanced status X.5.3, or, where there is no status, by 452 and by the
    /// 552 that old servers send for it (RFC 5321 section 4.5.3.1.10). Any other status concerns that recipient alone:
    /// `452 4.2.2` is a full mailbox.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self.code.class() {
            Class::Completion | Class::Intermediate => Retry::Unneeded,
            _ if self.is_about_recipients() => Retry::NextTransaction,
            Class::Transient => Retry::Later,
            Class::Permanent => Retry::Never,
        }
    }

    /// Returns the class of fault that a negative reply tells; `None` for a positive one.
    #[must_use]
    pub fn fault(&self) -> Option<FaultClass> {
        FaultClass::of(self.code, self.status)
    }

    /// Returns whether a refusal is one of too many recipients.
    fn is_about_recipients(&self) -> bool {
        match self.status {
            Some(status) => status == Status::TOO_MANY_RECIPIENTS,
            None => matches!(self.code, Code::INSUFFICIENT_STORAGE | Code::EXCEEDED_STORAGE),
        }
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Reply<'_> {
        let body = match &self.body {
            Body::Line(text) => Body::Line(text.as_borrowed()),
            Body::Lines(text) => Body::Lines(Cow::Borrowed(text)),
            Body::Wire(wire) => Body::Wire(Cow::Borrowed(wire)),
        };
        Reply { code: self.code, status: self.status, body }
    }

    /// Returns the reply without its enhanced status, for a server that does not announce ENHANCEDSTATUSCODES, and for
    /// every opening reply (RFC 2034 section 4).
    #[must_use]
    pub fn without_status(&self) -> Reply<'_> {
        let Reply { code, body, .. } = self.as_borrowed();
        let body = match body {
            Body::Wire(_) => {
                let mut text = String::new();
                for (number, line) in self.lines().enumerate() {
                    if number > 0 {
                        text.push('\n');
                    }
                    text.push_str(&String::from_utf8_lossy(&self.text_of(line)));
                }
                Body::Lines(Cow::Owned(text))
            }
            made => made,
        };
        Reply { code, status: None, body }
    }

    /// Returns one of the lines as [`Text`]: a reply that was made holds text already.
    fn text_of<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        let is_text = |line: &str| span(line, TEXT) == line.len();
        if !self.body.is_wire() || core::str::from_utf8(line).is_ok_and(is_text) {
            return Cow::Borrowed(line);
        }
        let text = String::from_utf8_lossy(line);
        Cow::Owned(Vec::from(Text::lossy(&text).as_str()))
    }

    /// Returns a reply of one line with this code and status, and other text.
    #[must_use]
    pub fn with_text<'t>(&self, text: Text<'t>) -> Reply<'t> {
        Reply { code: self.code, status: self.status, body: Body::Line(text) }
    }

    /// Replaces the code by another of its class.
    pub(crate) fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Reply<'static> {
        let body = match self.body {
            Body::Line(text) => Body::Line(text.into_owned()),
            Body::Lines(text) => Body::Lines(Cow::Owned(text.into_owned())),
            Body::Wire(wire) => Body::Wire(Cow::Owned(wire.into_owned())),
        };
        Reply { code: self.code, status: self.status, body }
    }
}

impl Reply<'static> {
    /// Becomes this reply, in the memory that it has.
    pub(crate) fn copy_from(&mut self, other: &Reply<'_>) {
        self.code = other.code;
        self.status = other.status;
        match (&mut self.body, &other.body) {
            (Body::Wire(Cow::Owned(memory)), Body::Wire(wire)) => {
                memory.clear();
                memory.extend_from_slice(wire);
            }
            (body, _) => *body = other.as_borrowed().into_owned().body,
        }
    }
}

impl Body<'_> {
    fn octets(&self) -> &[u8] {
        match self {
            Self::Line(text) => text.as_str().as_bytes(),
            Self::Lines(text) => text.as_bytes(),
            Self::Wire(wire) => wire,
        }
    }

    fn is_wire(&self) -> bool {
        matches!(self, Self::Wire(_))
    }

    /// Returns the text with the status cut off its lines.
    fn without(&self, code: Code, status: Option<Status>) -> String {
        let mut text = String::new();
        for (number, line) in self.octets().split(|octet| *octet == b'\n').enumerate() {
            if number > 0 {
                text.push('\n');
            }
            // A status is ASCII, so the octets after it are whole characters.
            text.push_str(
                core::str::from_utf8(after_status(code, status, line)).unwrap_or_default(),
            );
        }
        text
    }
}

/// Returns the rest of a line after the enhanced status, if the line begins with this one.
fn after_status(code: Code, status: Option<Status>, line: &[u8]) -> &[u8] {
    match Status::split(code, line) {
        Some((found, behind)) if Some(found) == status => behind,
        _ => line,
    }
}

/// The text of each line.
#[derive(Clone, Debug)]
struct Lines<'a> {
    rest: Option<&'a [u8]>,
    is_wire: bool,
    code: Code,
    status: Option<Status>,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = memchr::memchr(b'\n', rest);
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.rest = end.and_then(|end| rest.get(end + 1..));
        if !self.is_wire {
            return Some(line);
        }
        // A wire block ends with a line end, and no line follows it.
        self.rest = self.rest.filter(|rest| !rest.is_empty());
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = line.get(4..).unwrap_or_default();
        Some(after_status(self.code, self.status, text))
    }
}

/// The bounds of a whole reply.
struct Bounds {
    code: Code,
    /// The end of the first line, without its CRLF.
    line: usize,
    octets: usize,
}

impl Bounds {
    /// Finds the bounds of the first reply; `None` while it is incomplete.
    fn find(input: &[u8]) -> Result<Option<Self>, ReplyError> {
        let Some((line, mut rest)) = cut_line(input)? else { return Ok(None) };
        let (digits, mut text) = line.split_first_chunk().ok_or(ReplyError::Code)?;
        let code = code_of(digits)?;
        while !matches!(text, [] | [b' ', ..]) {
            let [b'-', ..] = text else { return Err(ReplyError::Separator) };
            let Some((line, after)) = cut_line(rest)? else { return Ok(None) };
            let (found, after_code) = line.split_first_chunk().ok_or(ReplyError::Code)?;
            if found != digits {
                return Err(code_of(found).err().unwrap_or(ReplyError::MixedCodes));
            }
            (text, rest) = (after_code, after);
        }
        Ok(Some(Self { code, line: line.len(), octets: input.len() - rest.len() }))
    }
}

/// Returns the bounds of the first reply, if it is whole and in the form that nearly all have: a separator after each code, and no
/// control character in the text.
#[inline]
fn plain(input: &[u8]) -> Option<Bounds> {
    let head @ [a, b, c, separator] = *input.first_chunk()?;
    let code = code_of(&[a, b, c]).ok()?;
    let (line, octets) = match separator {
        b' ' => {
            let line = line_break(input, head.len());
            (line, after_line(input, line)?)
        }
        b'-' => plain_lines(input, ([a, b, c, b' '], head))?,
        _ => return None,
    };
    Some(Bounds { code, line, octets })
}

/// Returns the end of the first line, and the place after the one that begins with `last`, where each in front of it begins with
/// `further`.
fn plain_lines(input: &[u8], (last, further): ([u8; 4], [u8; 4])) -> Option<(usize, usize)> {
    let mut breaks = LineBreaks::of(input);
    let first = breaks.next();
    let (mut start, mut end) = (0, first);
    loop {
        let head = *input.get(start..)?.first_chunk()?;
        start = after_line(input, end)?;
        if head != further {
            return (head == last).then_some((first, start));
        }
        // LF, and the next CR.
        breaks.next();
        end = breaks.next();
    }
}

/// Returns the place after the CRLF at `end`.
#[inline]
fn after_line(input: &[u8], end: usize) -> Option<usize> {
    input.get(end..)?.starts_with(b"\r\n").then_some(end + 2)
}

/// A line without its CRLF, and the octets after it.
type Cut<'a> = (&'a [u8], &'a [u8]);

/// Cuts off the first line; `None` while it is incomplete.
#[inline(always)]
fn cut_line(input: &[u8]) -> Result<Option<Cut<'_>>, ReplyError> {
    let mut end = line_break(input, 0);
    loop {
        match input.split_at_checked(end) {
            Some((line, [b'\r', b'\n', rest @ ..])) => return Ok(Some((line, rest))),
            None | Some((_, [] | [b'\r'])) => return Ok(None),
            Some((_, [b'\r' | b'\n' | 0, ..])) => return Err(ReplyError::LineBreak),
            // TAB, and other control octets that are tolerated.
            Some((_, [_, ..])) => end = line_break(input, end + 1),
        }
    }
}

fn code_of(digits: &[u8; 3]) -> Result<Code, ReplyError> {
    let [first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9'] = digits else {
        return Err(ReplyError::Code);
    };
    let digit = |octet: &u8| u16::from(octet - b'0');
    Code::new(digit(first) * 100 + digit(second) * 10 + digit(third)).ok_or(ReplyError::Code)
}

/// The enhanced status and its space, ready to be written.
struct Prefix {
    octets: [u8; 10],
    len: usize,
}

impl Prefix {
    fn new(code: Code, status: Option<Status>) -> Self {
        let mut prefix = Self { octets: [b' '; 10], len: 0 };
        if let Some(status) = status.and_then(|status| status.under(code)) {
            prefix.push(code.first_digit());
            for number in [status.status().subject(), status.status().detail()] {
                prefix.push(b'.');
                prefix.push_number(number);
            }
            prefix.push(b' ');
        }
        prefix
    }

    /// Appends an octet. Ten of them hold the longest, `5.999.999` and its space.
    fn push(&mut self, octet: u8) {
        if let Some(slot) = self.octets.get_mut(self.len) {
            *slot = octet;
            self.len += 1;
        }
    }

    fn push_number(&mut self, number: u16) {
        let digit = |value: u16| b'0' + (value % 10) as u8;
        if number > 99 {
            self.push(digit(number / 100));
        }
        if number > 9 {
            self.push(digit(number / 10));
        }
        self.push(digit(number));
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

/// Splits `line` at `room` octets or fewer: after a space if there is one, else between characters.
fn break_line(line: &[u8], room: usize) -> (&[u8], &[u8]) {
    let Some(head) = line.get(..room).filter(|_| line.len() > room) else { return (line, &[]) };
    let is_continuation = |at: usize| line.get(at).is_some_and(|octet| octet & 0xC0 == 0x80);
    let at = match memchr::memrchr(b' ', head) {
        Some(space) => space + 1,
        None => {
            (room.saturating_sub(3)..=room).rev().find(|at| !is_continuation(*at)).unwrap_or(room)
        }
    };
    line.split_at_checked(at).unwrap_or((line, &[]))
}

/// By meaning: code, status and lines, however it was made.
impl PartialEq for Reply<'_> {
    fn eq(&self, other: &Reply<'_>) -> bool {
        self.code == other.code && self.status == other.status && self.lines().eq(other.lines())
    }
}

impl Eq for Reply<'_> {}

impl Hash for Reply<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.code.hash(state);
        self.status.hash(state);
        for line in self.lines() {
            line.hash(state);
        }
    }
}

/// `250 2.1.5 First Second`: on one line, with everything escaped that a terminal could take for more than text.
impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.status.and_then(|status| status.under(self.code)) {
            write!(f, " {status}")?;
        }
        for line in self.lines() {
            f.write_char(' ')?;
            write!(f, "{}", Escaped(line))?;
        }
        Ok(())
    }
}

/// Shows text as text, escaped as in `Display`: `Reply("421 4.3.2 Shutting down")`.
impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply(\"")?;
        write!(Quoted(f), "{self}")?;
        f.write_str("\")")
    }
}

/// A formatter for text between quotation marks.
struct Quoted<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Quoted<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (number, part) in text.split('"').enumerate() {
            if number > 0 {
                self.0.write_str("\\\"")?;
            }
            self.0.write_str(part)?;
        }
        Ok(())
    }
}

/// Octets of a peer in a form that is safe to show: invalid UTF-8, control characters and other invisible characters
/// are escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    ' '..='~' => f.write_char(c)?,
                    // Names what cannot be printed: controls, format characters, separators, private use.
                    _ => write!(f, "{}", c.escape_debug())?,
                }
            }
            for octet in chunk.invalid() {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        Ok(())
    }
}

/// The reason why octets are not a reply. The session cannot recover: it is out of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The code is not a digit of 2 to 5 and two more digits.
    #[error("a reply line does not begin with a code from 200 to 599")]
    Code,
    /// The character after the code is not a space, a hyphen or the end of the line.
    #[error("a reply line has neither a space nor a hyphen after its code")]
    Separator,
    /// The lines have different codes.
    #[error("the lines of a reply carry different codes")]
    MixedCodes,
    /// A line ends with something other than CRLF, or holds a NUL.
    #[error("a reply line holds a CR, LF or NUL")]
    LineBreak,
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn lines(reply: &Reply<'_>) -> Vec<String> {
        reply.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    fn encoded(reply: &Reply<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        reply.encode(&mut out);
        out
    }

    #[test]
    fn controls_that_are_tolerated_end_no_line() {
        let input = b"250-a\tb\x01\x0b\x0c\x0d\n250 \t\r\n\r\n";
        let mut expected = None;
        for length in 0..=input.len() {
            let reply = Reply::parse(&input[..length]).unwrap();
            assert_eq!(reply.is_some(), length >= 19, "{length}");
            expected = reply;
        }
        let (reply, octets) = expected.unwrap();
        assert_eq!(octets, 19);
        assert!(reply.lines().eq([&b"a\tb\x01\x0b\x0c"[..], b"\t"]));
        for line in [&b"250 \t\0\r\n"[..], b"250 \t\n", b"250 \t\r\t\r\n", b"250 1234567\t\x02\n"] {
            assert_eq!(Reply::parse(line), Err(ReplyError::LineBreak), "{line:?}");
        }
    }

    /// RFC 2034 section 4: what was read is passed on without its status like what was made.
    #[test]
    fn a_reply_of_another_server_is_passed_on_without_its_status() {
        for (wire, written) in [
            (&b"550 5.1.1 No\r\n"[..], &b"550 No\r\n"[..]),
            (b"550-5.1.1 No\r\n550 5.1.1 never\r\n", b"550-No\r\n550 never\r\n"),
            (b"550 No\r\n", b"550 No\r\n"),
            (b"550 5.1.1 \xff\r\n", b"550 \xef\xbf\xbd\r\n"),
            (b"550 5.1.1 \x1b\xc2\x9b\r\n", b"550 ??\r\n"),
        ] {
            let (read, _) = Reply::parse(wire).unwrap().unwrap();
            let mut text = Vec::new();
            read.without_status().encode(&mut text);
            assert_eq!(text, written, "{}", wire.escape_ascii());
        }
    }

    /// 2034-4-f 2034-4-g 4954-4-h 5321-4.2-d 5321-4.2-h 5321-4.2-k 5321-4.2.1-a 5321-4.2.1-c
    /// 6531-3.7.4.1-b
    #[test]
    fn replies_are_read_as_servers_send_them() {
        for (input, code, status, text) in [
            ("250 OK\r\n", 250, None, &["OK"][..]),
            ("250-a\r\n250-b\r\n250 c\r\n", 250, None, &["a", "b", "c"]),
            ("250 \r\n", 250, None, &[""]),
            ("250\r\n", 250, None, &[""]),
            ("250-\r\n250 b\r\n", 250, None, &["", "b"]),
            ("550-\r\n550-\r\n550\r\n", 550, None, &["", "", ""]),
            ("250 OK  \r\n", 250, None, &["OK  "]),
            ("290 x\r\n", 290, None, &["x"]),
            ("559 new\r\n", 559, None, &["new"]),
            ("550 5.1.1 <a@b.example>\tno\r\n", 550, Some((1, 1)), &["<a@b.example>\tno"]),
            ("550-5.1.1 one\r\n550 5.1.1 two\r\n", 550, Some((1, 1)), &["one", "two"]),
            ("550-5.1.1 one\r\n550 5.1.2 two\r\n", 550, Some((1, 1)), &["one", "5.1.2 two"]),
            ("550-5.1.1 one\r\n550 two\r\n", 550, Some((1, 1)), &["one", "two"]),
            ("550-one\r\n550 5.1.1 two\r\n", 550, None, &["one", "5.1.1 two"]),
            ("550 2.1.5 ok really\r\n", 550, None, &["2.1.5 ok really"]),
            ("550 9.999999999.9 no\r\n", 550, None, &["9.999999999.9 no"]),
            ("354 3.0.0 go\r\n", 354, None, &["3.0.0 go"]),
        ] {
            let (reply, octets) = Reply::parse(input.as_bytes()).unwrap().unwrap();
            assert_eq!(octets, input.len());
            assert_eq!(reply.code().get(), code, "{input:?}");
            assert_eq!(reply.status().map(|s| (s.subject(), s.detail())), status, "{input:?}");
            assert_eq!(lines(&reply), text, "{input:?}");
            let again = encoded(&reply);
            assert_eq!(Reply::parse(&again).unwrap().unwrap().0, reply, "{input:?}");
            assert_eq!(encoded(&Reply::parse(&again).unwrap().unwrap().0), again);
        }
    }

    #[test]
    fn octets_after_a_reply_are_left_alone() {
        let (reply, octets) = Reply::parse(b"220 hi\r\n250 no\r\n").unwrap().unwrap();
        assert_eq!((reply.code(), octets), (Code::SERVICE_READY, 8));
    }

    #[test]
    fn plain_replies_are_bounded_as_by_the_grammar() {
        let pieces = ["250-", "250 ", "251-", "2x0 ", "250", "x", "\t", "\r\n", "\n", "\r", "\0"]
            .map(str::as_bytes);
        let filler = b"y".repeat(60);
        let mut inputs = Vec::from([Vec::new()]);
        for _ in 0..5 {
            let longer = |input: &Vec<u8>| pieces.map(|piece| [input, piece].concat());
            inputs = inputs.iter().flat_map(longer).collect();
            for input in &inputs {
                for front in [b"".as_slice(), &[b"250-", &filler[..], b"\r\n"].concat()] {
                    let input = [front, input].concat();
                    let Some(found) = plain(&input) else { continue };
                    let by_grammar = Bounds::find(&input).unwrap().unwrap();
                    assert_eq!(found.code, by_grammar.code);
                    assert_eq!((found.line, found.octets), (by_grammar.line, by_grammar.octets));
                }
            }
        }
    }

    #[test]
    fn lines_of_any_length_are_bounded_alike() {
        for length in 0..140 {
            for lines in 1..6 {
                let text = "x".repeat(length);
                let mut wire = alloc::format!("250-5.1 {text}\r\n").repeat(lines - 1);
                wire += &alloc::format!("250 {text}\r\n");
                let octets = wire.len();
                for after in ["", "250-", "250 x\r\n", &"y".repeat(70)] {
                    let input = alloc::format!("{wire}{after}");
                    let (reply, found) = Reply::parse(input.as_bytes()).unwrap().unwrap();
                    assert_eq!((found, reply.lines().count()), (octets, lines));
                    assert_eq!(reply.status(), None);
                }
                for end in 0..octets {
                    assert!(Reply::parse(&wire.as_bytes()[..end]).unwrap().is_none());
                }
                // A TAB is text, and a lone LF is not.
                let tab = alloc::format!("250-\t{text}\r\n{wire}");
                assert_eq!(Reply::parse(tab.as_bytes()).unwrap().unwrap().1, tab.len());
                let lone = alloc::format!("250-{text}\n{text}\r\n{wire}");
                assert!(Reply::parse(lone.as_bytes()).is_err());
            }
        }
        for wire in ["250-2.1.5\r\n250 2.1.5\r\n", "250 2.1.5\r\n", "250-2.1.5\r\n250\r\n"] {
            let (reply, octets) = Reply::parse(wire.as_bytes()).unwrap().unwrap();
            assert_eq!((reply.status(), octets), (Some(Status::DESTINATION_VALID), wire.len()));
        }
    }

    #[test]
    fn an_incomplete_reply_is_not_parsed() {
        for input in
            ["", "2", "250", "250 OK", "250 OK\r", "250-a\r\n", "250-a\r\n2", "250-a\r\n250 b\r"]
        {
            assert_eq!(Reply::parse(input.as_bytes()), Ok(None), "{input:?}");
        }
    }

    /// 5321-4.2-b 5321-4.2-g 5321-4.2.1-a 5321-4.2.1-b
    #[test]
    fn what_is_uncertain_is_an_error() {
        for (input, error) in [
            ("150 x\r\n", ReplyError::Code),
            ("650 x\r\n", ReplyError::Code),
            ("050 x\r\n", ReplyError::Code),
            ("2a0 x\r\n", ReplyError::Code),
            ("25 x\r\n", ReplyError::Code),
            ("OK\r\n", ReplyError::Code),
            ("\r\n", ReplyError::Code),
            ("250-a\r\n 250 b\r\n", ReplyError::Code),
            ("٢٥٠ x\r\n", ReplyError::Code),
            ("25\0 x\r\n", ReplyError::LineBreak),
            ("250 a\0b\r\n", ReplyError::LineBreak),
            ("250 a\rb\r\n", ReplyError::LineBreak),
            ("250 OK\n", ReplyError::LineBreak),
            ("250 OK\n250 x\r\n", ReplyError::LineBreak),
            ("250-a\r\n251 b\r\n", ReplyError::MixedCodes),
            ("250-a\r\n550 b\r\n", ReplyError::MixedCodes),
            ("250OK\r\n", ReplyError::Separator),
            ("25000 ok\r\n", ReplyError::Separator),
            ("250\tok\r\n", ReplyError::Separator),
        ] {
            assert_eq!(Reply::parse(input.as_bytes()), Err(error), "{input:?}");
        }
    }

    #[test]
    fn the_last_line_of_a_reply_has_no_hyphen() {
        assert!(!Reply::is_last_line(b"250-a\r\n") && !Reply::is_last_line(b"250-"));
        for line in ["250 a\r\n", "250\r\n", "250", "", "garbage\r\n"] {
            assert!(Reply::is_last_line(line.as_bytes()));
        }
    }

    /// 5321-4.2-i
    #[test]
    fn text_cannot_break_a_line() {
        for text in
            ["a\rb", "a\r\nb", "a\0b", "a\u{1b}b", "a\u{7f}", "\u{85}", "x\ny\u{9b}", "\u{2028}"]
        {
            assert!(Reply::new(Code::OK, None, text).is_err(), "{text:?}");
        }
        let error = Reply::new(Code::OK, None, "ü\nü\u{9b}").unwrap_err();
        assert_eq!((error.kind(), error.offset()), (SyntaxErrorKind::Text, 5));
        assert!(Reply::new(Code::OK, None, "MÜLLER\n20 °C …").is_ok());
        assert_eq!(encoded(&Reply::new(Code::OK, None, "a\nb").unwrap()), b"250-a\r\n250 b\r\n");
        assert_eq!(encoded(&Reply::new(Code::OK, None, "").unwrap()), b"250 \r\n");
        assert_eq!(
            encoded(&Reply::new(Code::OK, Some(Status::OTHER), "a\n\nb").unwrap()),
            b"250-2.0.0 a\r\n250-2.0.0 \r\n250 2.0.0 b\r\n"
        );
    }

    /// 2034-4-d
    #[test]
    fn an_intermediate_reply_has_no_status() {
        for code in [Code::AUTH_CHALLENGE, Code::START_MAIL_INPUT] {
            let error = Reply::new(code, Some(Status::OTHER), "go").unwrap_err();
            assert_eq!(error.kind(), SyntaxErrorKind::Status);
            let line = Reply::line(code, Some(Status::OTHER), Text::new("go").unwrap());
            assert_eq!(line, Reply::new(code, None, "go").unwrap());
        }
    }

    #[test]
    fn text_that_is_a_status_on_the_wire_is_one_here() {
        let reply = Reply::new(Code::OK, None, "2.1.5 a\n2.1.5 b").unwrap();
        assert_eq!(reply.status(), Some(Status::DESTINATION_VALID));
        assert_eq!(reply, Reply::new(Code::OK, Some(Status::DESTINATION_VALID), "a\nb").unwrap());
        let twice = Reply::new(Code::OK, Some(Status::OTHER), "2.0.0 x").unwrap();
        assert_eq!(Reply::parse(&encoded(&twice)).unwrap().unwrap().0, twice);
    }

    /// 5321-4.5.3.1.5-a
    #[test]
    fn long_lines_are_wrapped_at_512_octets() {
        let words = "lorem ipsum ".repeat(120);
        let unbroken = "ü".repeat(700);
        let letters = "x".repeat(700);
        for (status, text) in [
            (None, &words),
            (Some(Status::new(999, 999).unwrap()), &words),
            (None, &unbroken),
            (None, &letters),
        ] {
            let reply = Reply::new(Code::HELP_MESSAGE, status, text.as_str()).unwrap();
            let wire = encoded(&reply);
            for line in wire.split_inclusive(|octet| *octet == b'\n') {
                assert!(line.len() <= LINE_LIMIT && line.len() > 490 || line.starts_with(b"214 "));
                assert!(core::str::from_utf8(line).is_ok());
            }
            let (parsed, _) = Reply::parse(&wire).unwrap().unwrap();
            assert_eq!(parsed.status(), status);
            assert_eq!(parsed.lines().collect::<Vec<_>>().concat(), text.as_bytes());
        }
    }

    #[test]
    fn a_challenge_is_never_wrapped() {
        let challenge = "QUJD".repeat(3000);
        let wire = encoded(&Reply::new(Code::AUTH_CHALLENGE, None, challenge.as_str()).unwrap());
        assert_eq!(wire.len(), 4 + 12000 + 2);
    }

    #[test]
    fn a_peer_cannot_speak_to_the_terminal() {
        let input = b"550 5.1.1 \x1b]0;pwned\x07\x1b[2J \xff\xc2\x9b \xe2\x80\xae gr\xc3\xbc\xc3\x9f\tx\r\n";
        let (reply, _) = Reply::parse(input).unwrap().unwrap();
        let shown = "550 5.1.1 \\u{1b}]0;pwned\\u{7}\\u{1b}[2J \\xff\\u{9b} \\u{202e} grüß\\tx";
        assert_eq!(reply.to_string(), shown);
        assert_eq!(alloc::format!("{reply:?}"), alloc::format!("Reply(\"{shown}\")"));
        for c in ('\u{1}'..='\u{9}').chain('\u{7f}'..='\u{9f}').chain(['\u{2028}', '\u{2029}']) {
            let input = alloc::format!("550 a{c}b\r\n");
            let (reply, _) = Reply::parse(input.as_bytes()).unwrap().unwrap();
            let lossy = if c == '\t' { '\t' } else { '?' };
            assert_eq!(encoded(&reply), alloc::format!("550 a{lossy}b\r\n").into_bytes());
            for shown in [reply.to_string(), alloc::format!("{reply:?}")] {
                assert!(!shown.contains(c), "{shown}");
            }
        }
    }

    /// 5321-4.2.5-b 5321-4.5.3.1.10-b 7504-4-b
    #[test]
    fn replies_know_what_may_help() {
        for (input, retry) in [
            ("250 ok\r\n", Retry::Unneeded),
            ("354 go\r\n", Retry::Unneeded),
            ("450 4.2.1 later\r\n", Retry::Later),
            ("421 bye\r\n", Retry::Later),
            ("452 4.5.3 too many\r\n", Retry::NextTransaction),
            ("452 too many\r\n", Retry::NextTransaction),
            ("552 too many\r\n", Retry::NextTransaction),
            ("452 4.2.2 full\r\n", Retry::Later),
            ("552 5.2.2 full\r\n", Retry::Never),
            ("550 5.1.1 no\r\n", Retry::Never),
        ] {
            assert_eq!(
                Reply::parse(input.as_bytes()).unwrap().unwrap().0.retry(),
                retry,
                "{input:?}"
            );
        }
    }
}
