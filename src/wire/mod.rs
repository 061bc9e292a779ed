//! Framing: cutting octets into lines and content, incrementally, without knowledge of commands.
//!
//! | file | what it cuts |
//! |---|---|
//! | `buffer` | the memory between a stream and a machine: [`ReceiveBuffer`], [`SendBuffer`] |
//! | `line` | commands and replies, at CRLF: [`LineCutter`] |
//! | `dot` | content after DATA: [`Unstuffer`], [`Stuffer`] |
//! | `chunk`, `line_breaks` | content after BDAT: [`Chunk`], [`LineBreaks`] |
//! | `scan`, `lanes`, `survey` | (private) the loops that look at every octet of content |
//!
//! Everything here gives equal results however the octets are cut, examines each octet once when
//! they arrive one at a time, and holds no more memory than its limit. Lines and content end at
//! CRLF and nothing else: a lone CR or LF never ends anything.
//!
//! ```
//! use esmtp::wire::{BareLineBreaks, Cut, LineCutter, ReceiveBuffer, Span, Unstuffer};
//!
//! let mut buffer = ReceiveBuffer::new(4096);
//! let arrived = b"DATA\r\n..\r\n.\r\nQUIT\r\n";
//! buffer.room()[..arrived.len()].copy_from_slice(arrived);
//! buffer.received(arrived.len());
//!
//! let mut lines = LineCutter::default();
//! assert_eq!(lines.cut(buffer.octets(), 512), Cut::Line(6));
//! buffer.consume(6);
//!
//! let mut content = Vec::new();
//! let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject);
//! loop {
//!     match unstuffer.next(buffer.octets()) {
//!         Span::Content(octets) => content.extend_from_slice(&buffer.take(octets)),
//!         Span::Skip(octets) => buffer.consume(octets),
//!         Span::End(octets) => break buffer.consume(octets),
//!         other => unreachable!("{other:?}"),
//!     }
//! }
//! assert_eq!(content, b".\r\n");
//! assert_eq!(buffer.octets(), b"QUIT\r\n");
//! ```

mod buffer;
mod chunk;
mod dot;
mod lanes;
mod line;
mod line_breaks;
mod scan;
mod survey;

pub use buffer::{ReceiveBuffer, SendBuffer};
pub use chunk::Chunk;
pub(crate) use dot::Inside;
pub use dot::{BareLineBreaks, LineEnds, Span, StuffError, Stuffer, Unstuffed, Unstuffer};
pub use line::{Cut, LineCutter};
pub use line_breaks::LineBreaks;
pub(crate) use survey::{Survey, count_printable};
