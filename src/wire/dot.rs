//! Content after DATA: dot-stuffing and the end of content (RFC 5321 sections 4.1.1.4 and 4.5.2).

use super::{
    buffer::{SendBuffer, append_range},
    lanes::first_control,
    scan::{Scan, first_due},
};
use alloc::vec::Vec;
use bytes::Bytes;

/// The policy for content with a bare CR or LF, that is, one outside CRLF.
///
/// RFC 5321 section 2.3.8 forbids sending one. Under every policy it never ends a line, so a dot
/// after it is an ordinary octet, and it is never part of the end of content (SMTP smuggling).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BareLineBreaks {
    /// It is reported ([`Span::Bare`]), so that the message can be rejected.
    #[default]
    Reject,
    /// It is replaced by CRLF ([`Span::LineBreak`]).
    Normalise,
    /// It is kept.
    Keep,
}

/// The context of the next octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    /// CRLF, or nothing: a dot here is a stuffed one or begins the end.
    LineStart,
    /// A CR, bare or not depending on the next octet.
    AfterCr,
    Within,
}

impl Context {
    /// Returns the context after `octets`, where the context of the first one is `self`.
    fn after(self, octets: &[u8]) -> Self {
        match octets {
            [.., b'\r', b'\n'] => Self::LineStart,
            [b'\n'] if self == Self::AfterCr => Self::LineStart,
            [.., b'\r'] => Self::AfterCr,
            [] => self,
            _ => Self::Within,
        }
    }
}

/// Removes dot-stuffing and finds the end of content (RFC 5321 sections 4.1.1.4, 4.5.2).
///
/// Content ends at CRLF `.` CRLF, or at `.` CRLF at its very start, and nowhere else; the CRLF
/// before the dot belongs to the content. A line starts after CRLF and at the start of content; a
/// dot at the start of a line that does not begin the end is removed, whatever follows it (also CR
/// and another octet, or LF). Everything else is content. So in CR CR LF the first
/// CR is bare, and then CRLF ends the line; LF `.` CRLF and CR `.` CRLF end nothing.
///
/// Nothing is copied: the answer of [`next`](Self::next) is about the front of the octets that
/// it was given. Any cutting of the octets gives the same content, the same end, and the same
/// offset of a bare line break.
///
/// ```
/// use esmtp::wire::{BareLineBreaks, Span, Unstuffer};
///
/// let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject);
/// assert_eq!(unstuffer.next(b"Hi\r\n..\r\n.\r\nQUIT\r\n"), Span::Content(4));
/// assert_eq!(unstuffer.next(b"..\r\n.\r\nQUIT\r\n"), Span::Skip(1));
/// assert_eq!(unstuffer.next(b".\r\n.\r\nQUIT\r\n"), Span::Content(3));
/// assert_eq!(unstuffer.next(b".\r"), Span::Incomplete);
/// assert_eq!(unstuffer.next(b".\r\nQUIT\r\n"), Span::End(3));
/// ```
#[derive(Clone, Debug)]
pub struct Unstuffer {
    policy: BareLineBreaks,
    context: Context,
    /// Octets of content so far.
    offset: u64,
    rejects_nul: bool,
    /// Something was reported.
    is_reported: bool,
    dots: Dots,
}

/// The frequency of stuffed dots so far, for they come in groups: 0 without one in the last [`LONG`] octets, else 1
/// and the number of those in a row with at most two lines between them, up to [`MANY`](Self::MANY).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dots(u8);

impl Dots {
    const RARE: Self = Self(0);
    const MANY: Self = Self(5);

    /// Returns the frequency after a further stuffed dot.
    const fn after_dot(self) -> Self {
        match self {
            Self::MANY => self,
            Self::RARE => Self(2),
            Self(dots) => Self(dots + 1),
        }
    }

    /// Returns the frequency after this many octets without a stuffed dot.
    fn after(self, octets: usize) -> Self {
        // Without branches, for they would be wrong at one dot in five of prose.
        let most = u8::from(octets < LONG) | (u8::from(octets < 2 * LINE) * Self::MANY.0);
        Self(self.0.min(most))
    }
}

/// A description of the octets at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The first `n` octets are content, to be used as they are.
    Content(usize),
    /// The first `n` octets are not content (a stuffed dot).
    Skip(usize),
    /// The first `n` octets are a bare CR or LF, to be replaced by CRLF
    /// ([`BareLineBreaks::Normalise`]). It is still not a line end for the purpose of dots.
    LineBreak(usize),
    /// The octet at this offset of the content, counted without stuffed dots, is a bare CR or LF
    /// ([`BareLineBreaks::Reject`]). Nothing is to be consumed. This comes once, after the content
    /// before the octet (and, for a CR, perhaps the CR); the rest is cut as with
    /// [`BareLineBreaks::Keep`], since the end must still be found.
    Bare(u64),
    /// The octet at this offset of the content is a NUL
    /// ([`Unstuffer::rejecting_nul`], [`LineBreaks::rejecting_nul`](super::LineBreaks::rejecting_nul)).
    /// Nothing is to be consumed. This or [`Bare`](Self::Bare) comes once.
    Nul(u64),
    /// The first `n` octets are the end of the content and not part of it.
    End(usize),
    /// More octets are needed. What is there stays unconsumed: nothing, or `.`, or `.` CR, or,
    /// to be normalised, a CR.
    Incomplete,
}

/// The octets of a usual line of content (RFC 5322 section 2.1.1).
const LINE: usize = 78;

/// Octets of content without a stuffed dot after which the next one is not expected soon.
const LONG: usize = 4096;

impl Unstuffer {
    /// Creates an unstuffer for content that is about to begin.
    #[must_use]
    pub const fn new(bare_line_breaks: BareLineBreaks) -> Self {
        Self {
            policy: bare_line_breaks,
            context: Context::LineStart,
            offset: 0,
            rejects_nul: false,
            is_reported: false,
            dots: Dots::RARE,
        }
    }

    /// Enables reports of a NUL, which only BINARYMIME permits in content (RFC 2045 section 2.8, RFC 3030
    /// section 3).
    #[must_use]
    pub const fn rejecting_nul(mut self) -> Self {
        self.rejects_nul = true;
        self
    }

    /// Describes the front of `octets`, which are all unconsumed octets.
    ///
    /// The caller consumes what the span covers before the next call. After [`Span::End`] the
    /// next content may begin.
    #[must_use]
    #[inline]
    pub fn next(&mut self, octets: &[u8]) -> Span {
        match octets {
            // Most octets that come one at a time: without a call they cost a third less.
            [octet] if self.is_plain(*octet) => {
                self.context = Context::Within;
                self.offset = self.offset.saturating_add(1);
                Span::Content(1)
            }
            _ => self.next_of_several(octets),
        }
    }

    /// Does what [`next`](Self::next) does, for octets that may begin with a dotted line.
    #[inline(never)]
    fn next_of_several(&mut self, octets: &[u8]) -> Span {
        if self.is_at_stuffed_dot(octets) {
            self.pass_dot();
            return Span::Skip(1);
        }
        match self.line_before_dot(octets) {
            Some(line) => {
                self.pass_line(line);
                Span::Content(line)
            }
            None => self.next_of_any(octets),
        }
    }

    /// Does what [`next`](Self::next) does, for any octets. It stands apart so that the code before it saves few
    /// registers: content of dotted lines is a fifth faster for it.
    #[inline(never)]
    fn next_of_any(&mut self, octets: &[u8]) -> Span {
        let mut scanned = 1;
        if self.has_dots_within(octets) {
            match first_due(octets) {
                Ok(at) => {
                    self.pass(octets.get(..at).unwrap_or_default());
                    return Span::Content(at);
                }
                Err(at) => scanned = at,
            }
        }
        match self.front(octets) {
            Front::Content => {}
            Front::Is(span) => {
                self.apply(span);
                return span;
            }
        }
        let content = match (self.has_decisions(), self.reports_nul()) {
            (true, true) => self.first_piece::<true, true>(octets, scanned),
            (true, false) => self.first_piece::<true, false>(octets, scanned),
            (false, true) => self.first_piece::<false, true>(octets, scanned),
            (false, false) => self.first_piece::<false, false>(octets, scanned),
        };
        self.pass(content);
        Span::Content(content.len())
    }

    /// Returns whether these octets begin within a line, in content with stuffed dots here and there of which
    /// all that needs a decision is reported. A search that can do only this costs half as much for each of them.
    #[inline(always)]
    fn has_dots_within(&self, octets: &[u8]) -> bool {
        octets.first().is_some_and(|first| self.is_plain(*first))
            && self.dots != Dots::RARE
            && self.policy == BareLineBreaks::Reject
            && self.reports_nul()
    }

    /// Removes the stuffed dots from the content at the front of `octets`, which are all unconsumed
    /// octets, in place: what follows a dot moves forward, so that many lines are one slice.
    ///
    /// The caller uses the content and consumes the octets that it came from before the next call.
    /// When [`Unstuffed::consumed`] is 0, [`next`](Self::next) tells what is at the front instead.
    ///
    /// ```
    /// use esmtp::wire::{BareLineBreaks, Span, Unstuffer};
    ///
    /// let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject);
    /// let mut octets = *b"..a\r\n..b\r\n.\r\nQUIT\r\n";
    /// let found = unstuffer.unstuff(&mut octets);
    /// assert_eq!(octets[..found.content()], *b".a\r\n.b\r\n");
    ///
    /// let rest = &mut octets[found.consumed()..];
    /// assert_eq!(unstuffer.unstuff(rest).consumed(), 0);
    /// assert_eq!(unstuffer.next(rest), Span::End(3));
    /// ```
    #[inline]
    pub fn unstuff(&mut self, octets: &mut [u8]) -> Unstuffed {
        // Most octets that come one at a time.
        if let [octet] = octets
            && self.is_plain(*octet)
        {
            self.context = Context::Within;
            self.offset = self.offset.saturating_add(1);
            return Unstuffed { content: 1, consumed: 1 };
        }
        self.unstuff_pieces(octets)
    }

    #[inline(never)]
    fn unstuff_pieces(&mut self, octets: &mut [u8]) -> Unstuffed {
        match (self.has_decisions(), self.reports_nul()) {
            (true, true) => self.pieces::<true, true>(octets),
            (true, false) => self.pieces::<true, false>(octets),
            (false, true) => self.pieces::<false, true>(octets),
            (false, false) => self.pieces::<false, false>(octets),
        }
    }

    fn pieces<const BARE: bool, const NUL: bool>(&mut self, octets: &mut [u8]) -> Unstuffed {
        let mut scan = Scan::<BARE, NUL>::new();
        let mut found = Unstuffed { content: 0, consumed: 0 };
        loop {
            let mut rest = octets.get(found.consumed..).unwrap_or_default();
            if self.is_at_stuffed_dot(rest) {
                self.pass_dot();
                found.consumed += 1;
                rest = rest.get(1..).unwrap_or_default();
            }
            match self.front(rest) {
                Front::Content => {}
                Front::Is(span @ Span::Skip(dot)) => {
                    self.apply(span);
                    found.consumed += dot;
                    continue;
                }
                Front::Is(_) => return found,
            }
            let len = if let Some(len) = self.line_before_dot(rest) {
                self.pass_line(len);
                scan.pass(found.consumed + len);
                len
            } else {
                let piece = self.piece(&mut scan, octets, found.consumed);
                self.pass(piece);
                piece.len()
            };
            if found.content < found.consumed {
                octets.copy_within(found.consumed..found.consumed + len, found.content);
            }
            found.content += len;
            found.consumed += len;
        }
    }

    /// Returns whether `octet` is content that needs no decision, and leads to none.
    fn is_plain(&self, octet: u8) -> bool {
        match self.context {
            Context::Within => !matches!(octet, b'\r' | b'\n' | 0),
            Context::LineStart => !matches!(octet, b'\r' | b'\n' | b'.' | 0),
            Context::AfterCr => false,
        }
    }

    /// Returns whether line breaks outside CRLF are reported or replaced.
    const fn has_decisions(&self) -> bool {
        match self.policy {
            BareLineBreaks::Reject => !self.is_reported,
            BareLineBreaks::Normalise => true,
            BareLineBreaks::Keep => false,
        }
    }

    const fn reports_nul(&self) -> bool {
        self.rejects_nul && !self.is_reported
    }

    /// Returns what is at the front of `octets`, without an effect.
    fn front(&self, octets: &[u8]) -> Front {
        let Some(first) = octets.first() else { return Front::Is(Span::Incomplete) };
        if self.is_plain(*first) {
            return Front::Content;
        }
        let normalises = self.policy == BareLineBreaks::Normalise;
        let reports = self.policy == BareLineBreaks::Reject && !self.is_reported;
        Front::Is(match (self.context, octets) {
            (Context::LineStart, [b'.'] | [b'.', b'\r']) => Span::Incomplete,
            (Context::LineStart, [b'.', b'\r', b'\n', ..]) => Span::End(3),
            (Context::LineStart, [b'.', ..]) => Span::Skip(1),
            (Context::AfterCr, [b'\n', ..]) => return Front::Content,
            (Context::AfterCr, _) if reports => Span::Bare(self.offset.saturating_sub(1)),
            (_, [b'\n', ..]) if reports => Span::Bare(self.offset),
            (_, [0, ..]) if self.reports_nul() => Span::Nul(self.offset),
            (_, [b'\r']) if normalises => Span::Incomplete,
            (_, [b'\r', b'\n', ..]) => return Front::Content,
            (_, [b'\r' | b'\n', ..]) if normalises => Span::LineBreak(1),
            _ => return Front::Content,
        })
    }

    /// Goes on after a span that is not content.
    fn apply(&mut self, span: Span) {
        match span {
            Span::End(_) => {
                *self = Self { rejects_nul: self.rejects_nul, ..Self::new(self.policy) };
            }
            Span::Skip(_) => self.pass_dot(),
            Span::LineBreak(_) => {
                self.context = Context::Within;
                self.offset = self.offset.saturating_add(2);
            }
            Span::Bare(_) | Span::Nul(_) => self.is_reported = true,
            Span::Content(_) | Span::Incomplete => {}
        }
    }

    /// Goes on after content.
    fn pass(&mut self, content: &[u8]) {
        self.context = self.context.after(content);
        self.offset = self.offset.saturating_add(content.len() as u64);
        self.dots = self.dots.after(content.len());
    }

    /// Returns whether a stuffed dot is at the front, and enough octets to tell it from the end.
    #[inline(always)]
    fn is_at_stuffed_dot(&self, octets: &[u8]) -> bool {
        self.context == Context::LineStart && matches!(octets, [b'.', next, ..] if *next != b'\r')
    }

    /// Goes on after a stuffed dot.
    #[inline(always)]
    const fn pass_dot(&mut self) {
        self.context = Context::Within;
        self.dots = self.dots.after_dot();
    }

    /// Goes on after the rest of a line that a dot follows.
    const fn pass_line(&mut self, octets: usize) {
        self.context = Context::LineStart;
        self.offset = self.offset.saturating_add(octets as u64);
    }

    /// Returns the octets up to the end of the line, if a dot follows, as one did the lines before, and none of them
    /// needs a decision.
    #[inline(always)]
    fn line_before_dot(&self, octets: &[u8]) -> Option<usize> {
        if self.dots != Dots::MANY || self.context != Context::Within {
            return None;
        }
        let cr = first_control(octets)?;
        let end = octets.get(cr..)?.first_chunk::<3>()?;
        (end == b"\r\n.").then_some(cr + 2)
    }

    /// Returns the octets up to the next that needs a decision, none of which is among the first `scanned`.
    fn first_piece<'a, const BARE: bool, const NUL: bool>(
        &self,
        octets: &'a [u8],
        scanned: usize,
    ) -> &'a [u8] {
        let mut scan = match self.dots {
            Dots::RARE => Scan::<BARE, NUL>::new(),
            Dots::MANY => Scan::dense(),
            _ => Scan::sparse(),
        };
        scan.pass(scanned);
        self.piece(&mut scan, octets, 0)
    }

    /// Returns the octets from `start` to the next that needs a decision. A CR at their end is either
    /// undecided or known to be bare.
    fn piece<'a, const BARE: bool, const NUL: bool>(
        &self,
        scan: &mut Scan<BARE, NUL>,
        octets: &'a [u8],
        start: usize,
    ) -> &'a [u8] {
        let from = octets.get(start..).unwrap_or_default();
        loop {
            let Some(at) = scan.next(octets) else { return self.without_cr(from) };
            let Some((content, rest)) =
                at.checked_sub(start).and_then(|at| from.split_at_checked(at))
            else {
                continue;
            };
            // Without decisions about line breaks, a dot after a bare LF is found as well.
            let is_due = BARE
                || rest.first() == Some(&0)
                || self.context.after(content) == Context::LineStart;
            if is_due && !content.is_empty() {
                return self.without_cr(content);
            }
        }
    }

    /// Leaves out a CR at the end that is to be replaced by CRLF.
    fn without_cr<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        match octets {
            [content @ .., b'\r'] if self.policy == BareLineBreaks::Normalise => content,
            content => content,
        }
    }
}

/// The span at the front of the octets.
enum Front {
    Content,
    Is(Span),
}

/// Content out of which stuffed dots were removed in place ([`Unstuffer::unstuff`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unstuffed {
    content: usize,
    consumed: usize,
}

impl Unstuffed {
    /// Returns the number of octets at the front that are content now.
    ///
    /// It is 0 when only a dot could be decided.
    #[must_use]
    pub const fn content(&self) -> usize {
        self.content
    }

    /// Returns the number of octets that were received for it: the content, and the room that the
    /// removed dots have left after it.
    #[must_use]
    pub const fn consumed(&self) -> usize {
        self.consumed
    }
}

/// The policy for line ends of content to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LineEnds {
    /// CRLF; a bare CR or LF is an error.
    #[default]
    Strict,
    /// LF is converted to CRLF, where it is not part of one already; a CR without LF is an error.
    FromLf,
}

/// An octet of content to be sent that must not be sent, with its offset in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StuffError {
    /// A CR or LF that is not part of a line end.
    #[error("a bare CR or LF at octet {0} of the content")]
    BareLineBreak(u64),
    /// A NUL ([`Stuffer::rejecting_nul`]).
    #[error("a NUL at octet {0} of the content")]
    Nul(u64),
}

/// Adds dot-stuffing; any cutting of the content gives equal octets.
///
/// A bare CR or LF is never sent: a CR is held back until its LF follows. After an error every
/// further call returns it again, so content cut off by an error is never ended.
///
/// ```
/// use esmtp::wire::{LineEnds, Stuffer};
///
/// let mut stuffer = Stuffer::new(LineEnds::FromLf);
/// let mut out = Vec::new();
/// stuffer.stuff(b"Hi\n.", &mut out)?;
/// stuffer.stuff(b"\n", &mut out)?;
/// stuffer.finish(&mut out)?;
/// assert_eq!(out, b"Hi\r\n..\r\n.\r\n");
/// # Ok::<(), esmtp::wire::StuffError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stuffer {
    line_ends: LineEnds,
    /// The content is ended by a dot, so dots are stuffed.
    has_dots: bool,
    rejects_nul: bool,
    context: Context,
    /// Octets of content so far.
    offset: u64,
    error: Option<StuffError>,
}

impl Stuffer {
    /// Creates a stuffer for content that is about to begin.
    #[must_use]
    pub const fn new(line_ends: LineEnds) -> Self {
        Self {
            line_ends,
            has_dots: true,
            rejects_nul: false,
            context: Context::LineStart,
            offset: 0,
            error: None,
        }
    }

    /// Adapts it to counted content (RFC 3030): it only checks line ends, stuffs no dot and adds
    /// nothing at the end.
    #[must_use]
    pub const fn without_dots(mut self) -> Self {
        self.has_dots = false;
        self
    }

    /// Makes a NUL an error, as it may travel only with BINARYMIME (RFC 3030 section 3).
    #[must_use]
    pub const fn rejecting_nul(mut self) -> Self {
        self.rejects_nul = true;
        self
    }

    /// Appends the wire form of `content`.
    ///
    /// # Errors
    ///
    /// An octet that must not be sent; what precedes it was appended.
    pub fn stuff(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<(), StuffError> {
        out.reserve(content.len());
        self.pieces(
            content,
            Inside::Unscanned,
            #[inline(always)]
            |piece| match piece {
                Piece::Content(start, end) => append_range(out, content, start..end),
                Piece::Added(octet) => out.extend_from_slice(octet),
            },
        )
    }

    /// Passes slices of `content` and the octets between them, in order, to `piece`, without a
    /// copy.
    ///
    /// ```
    /// use esmtp::wire::{LineEnds, Stuffer};
    ///
    /// let mut wire = String::new();
    /// let mut stuffer = Stuffer::new(LineEnds::Strict);
    /// stuffer.stuff_slices(b"Hi\r\n.\r\n", |piece| wire += &format!("{}|", piece.escape_ascii()))?;
    /// assert_eq!(wire, r"Hi\r\n|.|.\r\n|");
    /// # Ok::<(), esmtp::wire::StuffError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An octet that must not be sent; what precedes it was handed out.
    pub fn stuff_slices(
        &mut self,
        content: &[u8],
        mut piece: impl FnMut(&[u8]),
    ) -> Result<(), StuffError> {
        self.pieces(content, Inside::Unscanned, |part| match part {
            Piece::Content(start, end) if start >= end => {}
            Piece::Content(start, end) => piece(content.get(start..end).unwrap_or_default()),
            Piece::Added(octet) => piece(octet),
        })
    }

    /// Appends the wire form of `content`, long pieces without a copy.
    pub(crate) fn stuff_into(
        &mut self,
        content: &Bytes,
        inside: Inside,
        out: &mut SendBuffer,
    ) -> Result<(), StuffError> {
        self.pieces(content, inside, |part| match part {
            Piece::Content(start, end) => out.push_part(content, start..end),
            Piece::Added(octet) => out.text().extend_from_slice(octet),
        })
    }

    /// Passes slices of `content` and the octets between them, in order, to `piece`, each as a
    /// value that shares the content. [`stuff_slices`](Self::stuff_slices) is faster where a
    /// reference is enough.
    ///
    /// # Errors
    ///
    /// An octet that must not be sent; what precedes it was handed out.
    pub fn stuff_bytes(
        &mut self,
        content: Bytes,
        piece: impl FnMut(Bytes),
    ) -> Result<(), StuffError> {
        self.stuff_known(&content, Inside::Unscanned, piece)
    }

    /// Passes the wire form of content that may be known to `piece`, as [`stuff_bytes`](Self::stuff_bytes) does.
    pub(crate) fn stuff_known(
        &mut self,
        content: &Bytes,
        inside: Inside,
        mut piece: impl FnMut(Bytes),
    ) -> Result<(), StuffError> {
        self.pieces(content, inside, |part| match part {
            Piece::Content(start, end) if start >= end => {}
            Piece::Content(start, end) => piece(content.slice(start..end)),
            Piece::Added(octet) => piece(Bytes::from_static(octet)),
        })
    }

    /// Appends the end: CRLF where the last line lacks one, then `.` CRLF; nothing [without
    /// dots](Self::without_dots). The next content may begin.
    ///
    /// # Errors
    ///
    /// A bare CR at the end of the content, or an earlier error: nothing is appended, for a
    /// message that was cut off must not be ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), StuffError> {
        self.check_line_end()?;
        out.extend_from_slice(match self.context {
            _ if !self.has_dots => b"",
            Context::LineStart => b".\r\n",
            Context::Within | Context::AfterCr => b"\r\n.\r\n",
        });
        let Self { has_dots, rejects_nul, .. } = *self;
        *self = Self { has_dots, rejects_nul, ..Self::new(self.line_ends) };
        Ok(())
    }

    /// Checks that no CR is held back, before content of another source follows: the CR would be
    /// bare.
    pub(crate) fn check_line_end(&mut self) -> Result<(), StuffError> {
        self.check()?;
        match self.context {
            Context::AfterCr => self.fail(self.bare_cr()),
            Context::LineStart | Context::Within => Ok(()),
        }
    }

    /// Returns the error that the last octet is, a CR that no LF follows.
    const fn bare_cr(&self) -> StuffError {
        StuffError::BareLineBreak(self.offset.saturating_sub(1))
    }

    fn check(&self) -> Result<(), StuffError> {
        self.error.map_or(Ok(()), Err)
    }

    fn fail(&mut self, error: StuffError) -> Result<(), StuffError> {
        self.error = Some(error);
        Err(error)
    }

    /// Returns whether these octets are the wire form of themselves: no line begins with a dot, and each ends in CRLF,
    /// but for the last, which may have no end yet.
    pub(crate) fn is_unchanged(content: &[u8]) -> bool {
        let mut stuffer = Self::new(LineEnds::Strict);
        let mut is_unchanged = true;
        let result = stuffer.pieces(content, Inside::Unscanned, |piece| {
            is_unchanged &= piece == Piece::Content(0, content.len());
        });
        is_unchanged && result.is_ok()
    }

    fn pieces(
        &mut self,
        content: &[u8],
        inside: Inside,
        emit: impl FnMut(Piece),
    ) -> Result<(), StuffError> {
        match self.rejects_nul {
            true => self.pieces_of::<true>(content, inside, emit),
            false => self.pieces_of::<false>(content, inside, emit),
        }
    }

    /// Does what [`pieces`](Self::pieces) does; with `NUL` a NUL is an error.
    fn pieces_of<const NUL: bool>(
        &mut self,
        content: &[u8],
        inside: Inside,
        mut emit: impl FnMut(Piece),
    ) -> Result<(), StuffError> {
        self.check()?;
        let is_strict = self.line_ends == LineEnds::Strict;
        match (self.context, content) {
            (_, []) => return Ok(()),
            (Context::AfterCr, [b'\n', ..]) => emit(Piece::Added(b"\r")),
            (Context::AfterCr, _) => return self.fail(self.bare_cr()),
            (_, [b'\n', ..]) if is_strict => {
                return self.fail(StuffError::BareLineBreak(self.offset));
            }
            (_, [b'\n', ..]) => emit(Piece::Added(b"\r")),
            (_, [0, ..]) if NUL => return self.fail(StuffError::Nul(self.offset)),
            (Context::LineStart, [b'.', ..]) if self.has_dots => emit(Piece::Added(b".")),
            _ => {}
        }
        let mut start = 0;
        let mut scan = Scan::<true, NUL>::new();
        while inside == Inside::Unscanned
            && let Some(at) = scan.next(content)
        {
            let (end, added) = match content.get(at - 1..=at) {
                Some([b'\r', _]) => (at - 1, None),
                Some([_, b'.']) if self.has_dots => (at, Some(b".")),
                Some([_, b'\n']) if is_strict => (at, None),
                Some([_, b'\n']) => (at, Some(b"\r")),
                Some([_, 0]) if NUL => (at, None),
                _ => continue,
            };
            emit(Piece::Content(start, end));
            let Some(added) = added else {
                let offset = self.offset.saturating_add(end as u64);
                return self.fail(match content.get(end) {
                    Some(0) => StuffError::Nul(offset),
                    _ => StuffError::BareLineBreak(offset),
                });
            };
            emit(Piece::Added(added));
            start = at;
        }
        let held_back = usize::from(content.ends_with(b"\r"));
        emit(Piece::Content(start, content.len() - held_back));
        self.context = match content {
            [.., b'\n'] => Context::LineStart,
            [.., b'\r'] => Context::AfterCr,
            _ => Context::Within,
        };
        self.offset = self.offset.saturating_add(content.len() as u64);
        Ok(())
    }
}

/// The knowledge of the octets of content after its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// They may hold any octets.
    Unscanned,
    /// They are part of content that is [unchanged](Stuffer::is_unchanged).
    Unchanged,
}

/// A part of the wire form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// From here to there in the content.
    Content(usize, usize),
    Added(&'static [u8; 1]),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICIES: [BareLineBreaks; 3] =
        [BareLineBreaks::Reject, BareLineBreaks::Normalise, BareLineBreaks::Keep];

    /// And whether a NUL is rejected.
    type Policy = (BareLineBreaks, bool);

    fn unstuffer(policy: BareLineBreaks, rejects_nul: bool) -> Unstuffer {
        let unstuffer = Unstuffer::new(policy);
        if rejects_nul { unstuffer.rejecting_nul() } else { unstuffer }
    }

    /// The longest input of which every cutting is tried.
    const LONGEST: usize = 8;

    /// The outcome for one input, in a value without heap memory, because there are millions.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Unstuffed {
        content: [u8; 2 * LONGEST],
        octets: usize,
        report: Option<Span>,
        /// Octets up to and with the end.
        end: Option<usize>,
    }

    impl Unstuffed {
        fn extend(&mut self, octets: &[u8]) {
            self.content[self.octets..self.octets + octets.len()].copy_from_slice(octets);
            self.octets += octets.len();
        }
    }

    /// Computes the outcome octet by octet, with the whole input in view.
    fn reference((policy, rejects_nul): Policy, input: &[u8]) -> Unstuffed {
        let mut out = Unstuffed::default();
        let is_strict = policy == BareLineBreaks::Reject;
        let mut at = 0;
        while at < input.len() {
            if input[at] == b'.' && (at == 0 || input[..at].ends_with(b"\r\n")) {
                match &input[at + 1..] {
                    [] | [b'\r'] => break,
                    [b'\r', b'\n', ..] => {
                        out.end = Some(at + 3);
                        break;
                    }
                    _ => at += 1,
                }
            }
            let is_last_cr = input[at] == b'\r' && at + 1 == input.len();
            let is_bare = match input[at] {
                b'\r' => !is_last_cr && input[at + 1] != b'\n',
                b'\n' => at == 0 || input[at - 1] != b'\r',
                _ => false,
            };
            if is_bare && is_strict {
                out.report.get_or_insert(Span::Bare(out.octets as u64));
            } else if input[at] == 0 && rejects_nul {
                out.report.get_or_insert(Span::Nul(out.octets as u64));
            }
            match policy {
                BareLineBreaks::Normalise if is_last_cr => break,
                BareLineBreaks::Normalise if is_bare => out.extend(b"\r\n"),
                _ => out.extend(&input[at..=at]),
            }
            at += 1;
        }
        out
    }

    /// The way in which stuffed dots are removed.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Removal {
        /// By the caller, which skips them ([`Unstuffer::next`]).
        Lent,
        /// By [`Unstuffer::unstuff`].
        InPlace,
    }

    /// An unstuffer somewhere in an input.
    #[derive(Clone)]
    struct Run {
        unstuffer: Unstuffer,
        consumed: usize,
        out: Unstuffed,
    }

    impl Run {
        fn new(unstuffer: Unstuffer) -> Self {
            Self { unstuffer, consumed: 0, out: Unstuffed::default() }
        }

        /// Goes on with what of `input` is not consumed.
        fn go_on(mut self, input: &[u8], removal: Removal) -> Self {
            while self.out.end.is_none() {
                let there = &input[self.consumed..];
                if removal == Removal::InPlace {
                    let mut room = [0; LONGEST];
                    let room = &mut room[..there.len()];
                    room.copy_from_slice(there);
                    let found = self.unstuffer.unstuff(room);
                    self.out.extend(&room[..found.content()]);
                    self.consumed += found.consumed();
                    if found.consumed() > 0 {
                        continue;
                    }
                }
                self.consumed += match self.unstuffer.next(there) {
                    Span::Content(octets) => {
                        assert!(octets > 0);
                        self.out.extend(&there[..octets]);
                        octets
                    }
                    Span::Skip(octets) => octets,
                    Span::LineBreak(octets) => {
                        self.out.extend(b"\r\n");
                        octets
                    }
                    report @ (Span::Bare(_) | Span::Nul(_)) => {
                        assert_eq!(self.out.report.replace(report), None);
                        0
                    }
                    Span::End(octets) => {
                        self.out.end = Some(self.consumed + octets);
                        octets
                    }
                    Span::Incomplete => {
                        assert!(matches!(there, b"" | b"." | b".\r" | b"\r"));
                        break;
                    }
                };
            }
            self
        }

        fn is_like(&self, other: &Self) -> bool {
            let context = |run: &Self| (run.unstuffer.context, run.unstuffer.is_reported);
            context(self) == context(other)
                && (self.consumed, self.out) == (other.consumed, other.out)
                && self.unstuffer.offset == other.unstuffer.offset
        }
    }

    /// Tries every further octet after `input`, when `runs[n]` are all the different states that
    /// the cuttings of its first n octets lead to.
    fn try_all(
        policy: Policy,
        longest: usize,
        input: &mut Vec<u8>,
        runs: &mut Vec<Vec<Run>>,
    ) -> u32 {
        let mut tried = 1;
        for octet in *b"\r\n.a\0" {
            input.push(octet);
            let expected = reference(policy, input);
            let mut ways: Vec<Run> = Vec::new();
            for run in runs.iter().flatten() {
                let before = run;
                let run = before.clone().go_on(input, Removal::Lent);
                assert_eq!(run.out, expected, "{policy:?} {}", input.escape_ascii());
                if input.len() < LONGEST - 1 {
                    let in_place = before.clone().go_on(input, Removal::InPlace);
                    assert!(in_place.is_like(&run), "{policy:?} {}", input.escape_ascii());
                }
                if !ways.iter().any(|way| way.is_like(&run)) {
                    ways.push(run);
                }
            }
            if input.len() < longest {
                runs.push(ways);
                tried += try_all(policy, longest, input, runs);
                runs.pop();
            } else {
                tried += 1;
            }
            input.pop();
        }
        tried
    }

    /// 5321-4.5.2-d, 5321-4.5.2-e, 5321bis-4.1.1.4-a
    #[test]
    fn every_cutting_of_every_short_content_is_what_the_reference_says() {
        let policies = POLICIES.into_iter().flat_map(|it| [(it, false), (it, true)]);
        for ((policy, rejects_nul), dots) in
            policies.flat_map(|it| [Dots::RARE, Dots(1), Dots::MANY].map(|dots| (it, dots)))
        {
            let first = Run::new(Unstuffer { dots, ..unstuffer(policy, rejects_nul) });
            let mut runs = alloc::vec![alloc::vec![first]];
            let longest = if rejects_nul || dots == Dots::MANY { 6 } else { LONGEST };
            let mut room = Vec::with_capacity(longest);
            let tried = try_all((policy, rejects_nul), longest, &mut room, &mut runs);
            assert_eq!(tried, (0..=longest as u32).map(|length| 5_u32.pow(length)).sum::<u32>());
        }
    }

    /// Returns the content and how many octets were read, or `None` when there is no end.
    fn unstuff(policy: BareLineBreaks, mut input: &[u8]) -> (Vec<u8>, Option<usize>) {
        let whole = input.len();
        let mut unstuffer = Unstuffer::new(policy);
        let mut content = Vec::new();
        loop {
            let octets = match unstuffer.next(input) {
                Span::Content(octets) => {
                    content.extend_from_slice(&input[..octets]);
                    octets
                }
                Span::LineBreak(octets) => {
                    content.extend_from_slice(b"\r\n");
                    octets
                }
                Span::Skip(octets) => octets,
                Span::Bare(_) | Span::Nul(_) => 0,
                Span::End(octets) => return (content, Some(whole - input.len() + octets)),
                Span::Incomplete => return (content, None),
            };
            input = &input[octets..];
        }
    }

    #[test]
    fn only_crlf_dot_crlf_ends_content() {
        for policy in POLICIES {
            for not_the_end in [
                &b"a\n.\r\n"[..],
                b"a\r.\r\n",
                b"a\r\n.\n",
                b"a\r\n.\r",
                b"a\r\n.\r\r\n",
                b"a\n.\n",
                b"a\r.\r",
                b"a\r\n.\0\r\n",
                b"a\r\n..\r\n",
                b"a\r\r.\r\n",
                b"a\r\n\n.\r\n",
            ] {
                assert_eq!(unstuff(policy, not_the_end).1, None, "{}", not_the_end.escape_ascii());
            }
            for the_end in [&b".\r\n"[..], b"a\r\n.\r\n", b"a\r\r\n.\r\n", b"a\n\r\n.\r\n"] {
                let with_more = [the_end, b"QUIT\r\n"].concat();
                assert_eq!(unstuff(policy, &with_more).1, Some(the_end.len()));
            }
        }
    }

    #[test]
    fn normalising_makes_neither_an_end_nor_a_stuffed_dot() {
        let (content, end) = unstuff(BareLineBreaks::Normalise, b"a\n.\r\n..\rb\r\n.\r\n");
        assert_eq!(content, b"a\r\n.\r\n.\r\nb\r\n");
        assert_eq!(end, Some(14));
    }

    #[test]
    fn a_bare_line_break_is_counted_without_stuffed_dots() {
        let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject);
        let input = b"..\r\n..\nb";
        assert_eq!(unstuffer.next(input), Span::Skip(1));
        assert_eq!(unstuffer.next(&input[1..]), Span::Content(3));
        assert_eq!(unstuffer.next(&input[4..]), Span::Skip(1));
        assert_eq!(unstuffer.next(&input[5..]), Span::Content(1));
        assert_eq!(unstuffer.next(&input[6..]), Span::Bare(4));
        assert_eq!(unstuffer.next(&input[6..]), Span::Content(2));
    }

    #[test]
    fn an_unstuffer_starts_anew_after_the_end() {
        let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject);
        for _ in 0..2 {
            assert_eq!(unstuffer.next(b"\n"), Span::Bare(0));
            assert_eq!(unstuffer.next(b"\n\r\n"), Span::Content(3));
            assert_eq!(unstuffer.next(b".\r\n"), Span::End(3));
        }
    }

    fn stuff(line_ends: LineEnds, pieces: &[&[u8]]) -> Result<Vec<u8>, StuffError> {
        let mut stuffer = Stuffer::new(line_ends);
        let mut out = Vec::new();
        for piece in pieces {
            stuffer.stuff(piece, &mut out)?;
        }
        stuffer.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn counted_content_keeps_its_dots_and_has_no_end() {
        for content in [&b""[..], b".", b".\r\n..\r\n.a\r\n\r\n.\r\n", b"a\r\n.\r\n.b"] {
            for at in 0..=content.len() {
                let mut stuffer = Stuffer::new(LineEnds::Strict).without_dots();
                let mut out = Vec::new();
                // And so does what follows it.
                for _ in 0..2 {
                    let (one, two) = content.split_at(at);
                    stuffer.stuff(one, &mut out).unwrap();
                    stuffer.stuff(two, &mut out).unwrap();
                    stuffer.finish(&mut out).unwrap();
                    assert_eq!(out, content, "cut at {at}");
                    out.clear();
                }
            }
        }
        let mut stuffer = Stuffer::new(LineEnds::FromLf).without_dots();
        let mut out = Vec::new();
        stuffer.stuff(b".\n.\r", &mut out).unwrap();
        assert_eq!(stuffer.clone().finish(&mut out), Err(StuffError::BareLineBreak(3)));
        stuffer.stuff(b"\n", &mut out).unwrap();
        stuffer.finish(&mut out).unwrap();
        assert_eq!(out, b".\r\n.\r\n");
    }

    /// 5321-4.5.2-a
    #[test]
    fn stuffing_adds_dots_and_the_end() {
        for (content, expected) in [
            (&b""[..], &b".\r\n"[..]),
            (b"a", b"a\r\n.\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b"..\r\n.a.\r\n.\r\n", b"...\r\n..a.\r\n..\r\n.\r\n"),
            (b"\r\n\r\n.", b"\r\n\r\n..\r\n.\r\n"),
        ] {
            for (at, line_ends) in
                (0..=content.len()).flat_map(|at| [(at, LineEnds::Strict), (at, LineEnds::FromLf)])
            {
                let (one, two) = content.split_at(at);
                assert_eq!(stuff(line_ends, &[one, two]).unwrap(), expected, "cut at {at}");
            }
            let as_lf: Vec<u8> = content.iter().copied().filter(|octet| *octet != b'\r').collect();
            assert_eq!(stuff(LineEnds::FromLf, &[&as_lf]).unwrap(), expected);
        }
    }

    #[test]
    fn a_bare_line_break_never_leaves() {
        for (line_ends, content, offset) in [
            (LineEnds::Strict, &b"\n"[..], 0),
            (LineEnds::Strict, b"a\nb", 1),
            (LineEnds::Strict, b"a\r\n\n", 3),
            (LineEnds::Strict, b"a\rb", 1),
            (LineEnds::FromLf, b"a\n\rb", 2),
            (LineEnds::FromLf, b"a\r\r\n", 1),
            (LineEnds::FromLf, b"a\n.\r", 3),
            (LineEnds::Strict, b"\r", 0),
        ] {
            let mut outs = None;
            for cut in 0..=content.len() {
                let (one, two) = content.split_at(cut);
                let mut stuffer = Stuffer::new(line_ends);
                let mut out = Vec::new();
                let result = stuffer
                    .stuff(one, &mut out)
                    .and_then(|()| stuffer.stuff(two, &mut out))
                    .and_then(|()| stuffer.finish(&mut out));
                assert_eq!(result, Err(StuffError::BareLineBreak(offset)));
                let breaks = out.split(|octet| octet.is_ascii_alphabetic() || *octet == b'.');
                assert!(breaks.into_iter().all(|octets| matches!(octets, b"" | b"\r\n")));
                assert_eq!(outs.get_or_insert_with(|| out.clone()), &out);
                assert_eq!(stuffer.finish(&mut out), Err(StuffError::BareLineBreak(offset)));
                assert_eq!(stuffer.stuff(b"a", &mut out), Err(StuffError::BareLineBreak(offset)));
            }
        }
    }

    #[test]
    fn a_nul_leaves_only_where_it_is_not_rejected() {
        for (content, before, error) in [
            (&b"\0"[..], &b""[..], StuffError::Nul(0)),
            (b"a\r\n.\0b", b"a\r\n..", StuffError::Nul(4)),
            (b"a\r\n\0\n", b"a\r\n", StuffError::Nul(3)),
            (b"a\n\0", b"a", StuffError::BareLineBreak(1)),
            (b"a\r\0", b"a", StuffError::BareLineBreak(1)),
        ] {
            let long = [&[b'x'; 300][..], b"\r\n", content].concat();
            for (content, sooner) in [(content, 0), (&long[..], 302)] {
                for cut in 0..=content.len() {
                    let (one, two) = content.split_at(cut);
                    let mut stuffer = Stuffer::new(LineEnds::Strict).rejecting_nul();
                    let mut out = Vec::new();
                    let result =
                        stuffer.stuff(one, &mut out).and_then(|()| stuffer.stuff(two, &mut out));
                    assert_eq!(
                        result,
                        Err(match error {
                            StuffError::Nul(at) => StuffError::Nul(at + sooner),
                            StuffError::BareLineBreak(at) => StuffError::BareLineBreak(at + sooner),
                        })
                    );
                    assert_eq!(out[sooner as usize..], *before);
                }
            }
        }
        let mut stuffer = Stuffer::new(LineEnds::Strict);
        let mut out = Vec::new();
        stuffer.stuff(b"\0a\0\r\n\0", &mut out).unwrap();
        assert_eq!(out, b"\0a\0\r\n\0");
        // It rejects NUL in the next content, too.
        let mut stuffer = stuffer.rejecting_nul();
        stuffer.finish(&mut out).unwrap();
        assert_eq!(stuffer.stuff(b"\0", &mut out), Err(StuffError::Nul(0)));
    }

    /// Returns the content of `wire`, which arrives in pieces and whose dots are removed in place.
    fn unstuff_in_place(wire: &[u8], cut: usize) -> Vec<u8> {
        let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject).rejecting_nul();
        let (mut content, mut received) = (Vec::new(), Vec::new());
        for piece in wire.chunks(cut) {
            received.extend_from_slice(piece);
            loop {
                let found = unstuffer.unstuff(&mut received);
                content.extend_from_slice(&received[..found.content()]);
                received.drain(..found.consumed());
                if found.consumed() == 0 {
                    break;
                }
            }
        }
        assert_eq!(unstuffer.next(&received), Span::End(3));
        content
    }

    #[test]
    fn a_fault_near_dotted_lines_is_found_where_it_is() {
        let line = [&[b'a'; 70][..], b"\r\n"].concat();
        let dotted = [b".", &line[..]].concat();
        let with_text = [&dotted[..], &line.repeat(4)].concat();
        for plain in [dotted.repeat(8), with_text.repeat(3)] {
            for at in (0..plain.len()).filter(|at| !b"\r\n".contains(&plain[*at])) {
                for fault in *b"\r\n\0" {
                    find_fault(&plain, at, fault);
                }
            }
        }
    }

    /// Checks that an octet that is not allowed is found where it is put.
    fn find_fault(plain: &[u8], at: usize, fault: u8) {
        let mut content = plain.to_vec();
        content[at] = fault;
        let offset = at as u64;

        let result = Stuffer::new(LineEnds::Strict).stuff_slices(&content, |_| {});
        assert_eq!(
            result,
            if fault == 0 { Ok(()) } else { Err(StuffError::BareLineBreak(offset)) }
        );

        let lines = content.split_inclusive(|octet| *octet == b'\n');
        let dotted = |line: &[u8]| [&b"."[..usize::from(line[0] == b'.')], line].concat();
        let mut wire: Vec<u8> = lines.flat_map(dotted).collect();
        let report = if fault == 0 { Span::Nul(offset) } else { Span::Bare(offset) };
        let unstuffer = Unstuffer::new(BareLineBreaks::Reject).rejecting_nul();
        let (mut in_place, mut lent, mut rest) = (unstuffer.clone(), unstuffer, &wire[..]);
        let found = loop {
            match lent.next(rest) {
                Span::Content(octets) | Span::Skip(octets) => rest = &rest[octets..],
                other => break other,
            }
        };
        assert_eq!(found, report);
        let found = in_place.unstuff(&mut wire);
        assert_eq!(in_place.next(&wire[found.consumed()..]), report);
    }

    /// Generates content of lines, many of them with dots, long enough for several blocks.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            4 => "[.]{0,3}[a-z.]{0,90}",
            1 => "[.]{0,3}",
            1 => "[.][a-z]{60,70}",
        ];
        (proptest::collection::vec(line, 0..20), any::<bool>()).prop_map(|(lines, is_ended)| {
            let end = if is_ended { "\r\n" } else { "" };
            [&lines.join("\r\n"), end].concat().into_bytes()
        })
    }

    proptest! {
        /// 5321-4.5.2-d
        #[test]
        fn what_was_stuffed_is_unstuffed_however_both_are_cut(
            content in content(),
            stuff_at in 1..200_usize,
            unstuff_at in prop_oneof![1..200_usize, 200..2000_usize],
        ) {
            let pieces: Vec<&[u8]> = content.chunks(stuff_at).collect();
            let wire = stuff(LineEnds::Strict, &pieces).unwrap();
            let mut shared = Vec::new();
            let mut stuffer = Stuffer::new(LineEnds::Strict);
            for piece in pieces {
                let piece = Bytes::copy_from_slice(piece);
                stuffer.stuff_bytes(piece, |part| shared.extend_from_slice(&part)).unwrap();
            }
            stuffer.finish(&mut shared).unwrap();
            prop_assert_eq!(&shared, &wire);

            let (mut lent, mut buffer) = (Vec::new(), SendBuffer::default());
            for cut in [usize::MAX, stuff_at] {
                let mut stuffers = [Stuffer::new(LineEnds::Strict), Stuffer::new(LineEnds::Strict)];
                for piece in content.chunks(cut) {
                    stuffers[0].stuff_slices(piece, |part| lent.extend_from_slice(part)).unwrap();
                    let piece = Bytes::copy_from_slice(piece);
                    stuffers[1].stuff_into(&piece, Inside::Unscanned, &mut buffer).unwrap();
                }
                stuffers[0].finish(&mut lent).unwrap();
                stuffers[1].finish(buffer.text()).unwrap();
                prop_assert_eq!(&lent, &wire);
                let mut slices = [&[][..]; 64];
                let count = buffer.slices(&mut slices);
                prop_assert_eq!(slices[..count].concat(), &wire[..]);
                lent.clear();
                buffer.clear();
            }

            let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject).rejecting_nul();
            let (mut got, mut at, mut there) = (Vec::new(), 0, 0);
            let end = loop {
                match unstuffer.next(&wire[at..there]) {
                    Span::Content(octets) => {
                        got.extend_from_slice(&wire[at..at + octets]);
                        at += octets;
                    }
                    Span::Skip(octets) => at += octets,
                    Span::End(octets) => break at + octets,
                    Span::Incomplete => there = wire.len().min(there + unstuff_at),
                    other => panic!("{other:?}"),
                }
            };
            prop_assert_eq!(end, wire.len());
            prop_assert_eq!(&unstuff_in_place(&wire, unstuff_at), &got);
            if !content.is_empty() && !content.ends_with(b"\r\n") {
                got.truncate(got.len() - 2);
            }
            prop_assert_eq!(got, content);
        }

        #[test]
        fn lf_is_made_crlf_as_if_it_had_been_that(content in content(), cut in 1..200_usize) {
            let as_lf: Vec<u8> = content.iter().copied().filter(|octet| *octet != b'\r').collect();
            let pieces: Vec<&[u8]> = as_lf.chunks(cut).collect();
            prop_assert_eq!(
                stuff(LineEnds::FromLf, &pieces),
                stuff(LineEnds::Strict, &[&content])
            );
        }
    }
}
