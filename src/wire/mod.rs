//! How octets are cut: incremental, knowing no command.
#![allow(
    missing_docs,
    unused,
    clippy::todo,
    clippy::must_use_candidate,
    clippy::missing_errors_doc
)] // STUB: the helper for wire removes this
use bytes::Bytes;

// ---------------------------------------------------------------- buffer.rs
/// The octets received and not yet consumed; allocated when asked for, bounded.
#[derive(Debug)]
pub struct ReceiveBuffer {}
impl ReceiveBuffer {
    /// Never holds more than `capacity` octets.
    pub fn new(capacity: usize) -> Self {
        todo!()
    }
    /// Free space behind the octets; allocated when needed (compacts first); empty only when full.
    pub fn room(&mut self) -> &mut [u8] {
        todo!()
    }
    /// `octets` of `room` were filled (clamped to its length).
    pub fn received(&mut self, octets: usize) {
        todo!()
    }
    /// What is there.
    pub fn octets(&self) -> &[u8] {
        todo!()
    }
    /// The first so many are done with.
    pub fn consume(&mut self, octets: usize) {
        todo!()
    }
    /// The first so many, to keep, without a copy (BytesMut::split_to().freeze()).
    pub fn take(&mut self, octets: usize) -> Bytes {
        todo!()
    }
    pub fn is_full(&self) -> bool {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// Gives the memory back if there are no octets in it.
    pub fn release(&mut self) {
        todo!()
    }
}
/// Octets on their way out: own text, and shared slices without a copy.
#[derive(Debug, Default)]
pub struct SendBuffer {}
impl SendBuffer {
    /// Appends by writing into a Vec (replies, commands, stuffed content).
    pub fn text(&mut self) -> &mut alloc::vec::Vec<u8> {
        todo!()
    }
    /// Appends without a copy.
    pub fn push(&mut self, octets: Bytes) {
        todo!()
    }
    /// Octets that wait.
    pub fn len(&self) -> usize {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    pub fn slices<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        todo!()
    }
    pub fn sent(&mut self, octets: usize) {
        todo!()
    }
    pub fn clear(&mut self) {
        todo!()
    }
}

// ---------------------------------------------------------------- line.rs
/// Cuts lines at CRLF and nothing else, remembering where it stopped looking.
#[derive(Clone, Debug, Default)]
pub struct LineCutter {}
/// What the octets begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A whole line of so many octets, its CRLF included. The caller consumes them.
    Line(usize),
    /// No whole line yet; nothing to consume.
    Incomplete,
    /// The line is longer than the limit: so many octets of it are to be thrown away, and more will come.
    Skip(usize),
    /// So many octets end a line that was longer than the limit.
    TooLong(usize),
}
impl LineCutter {
    /// Looks at `octets` (all that is unconsumed). `limit`: octets of a line, CRLF included.
    /// Nothing is scanned twice when octets arrive one at a time.
    pub fn cut(&mut self, octets: &[u8], limit: usize) -> Cut {
        todo!()
    }
}

// ---------------------------------------------------------------- dot.rs
/// What becomes of content with a CR or LF outside CRLF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BareLineBreaks {
    #[default]
    Reject,
    Normalise,
    Keep,
}
/// Removes dot-stuffing and finds the end of content (RFC 5321 sections 4.1.1.4, 4.5.2).
#[derive(Clone, Debug)]
pub struct Unstuffer {}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The first so many octets are content, to be lent as they stand.
    Content(usize),
    /// The first so many octets are no content (a stuffed dot).
    Skip(usize),
    /// The first so many octets stand for a line break: lend CRLF in their place (`Normalise`).
    LineBreak(usize),
    /// A bare CR or LF was met at this offset of the content (octets after unstuffing), policy `Reject`, once; the
    /// content goes on and is cut as with `Keep`.
    Bare(u64),
    /// The first so many octets are the terminator.
    End(usize),
    /// More octets are needed; what is left (at most `.` CR, or a CR under Normalise) stays unconsumed.
    Incomplete,
}
impl Unstuffer {
    pub fn new(bare_line_breaks: BareLineBreaks) -> Self {
        todo!()
    }
    /// Looks at `octets`; the caller consumes what the span covers before the next call.
    pub fn next(&mut self, octets: &[u8]) -> Span {
        todo!()
    }
}
/// Line ends of content to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LineEnds {
    /// CRLF; a bare CR or LF is an error.
    #[default]
    Strict,
    /// LF is made CRLF; a CR without LF is an error.
    FromLf,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bare CR or LF at octet {0} of the content")]
pub struct BareLineBreak(pub u64);
/// Adds dot-stuffing; any cutting of the input gives the same octets.
#[derive(Clone, Debug)]
pub struct Stuffer {}
impl Stuffer {
    pub fn new(line_ends: LineEnds) -> Self {
        todo!()
    }
    /// Appends the wire form of `content`.
    pub fn stuff(
        &mut self,
        content: &[u8],
        out: &mut alloc::vec::Vec<u8>,
    ) -> Result<(), BareLineBreak> {
        todo!()
    }
    /// The same without a copy of content: hands slices of `content` and the octets between them, in order, to `piece`.
    pub fn stuff_bytes(
        &mut self,
        content: Bytes,
        piece: impl FnMut(Bytes),
    ) -> Result<(), BareLineBreak> {
        todo!()
    }
    /// The end: CRLF where the last line lacks one, then `.` CRLF.
    pub fn finish(&mut self, out: &mut alloc::vec::Vec<u8>) -> Result<(), BareLineBreak> {
        todo!()
    }
}
