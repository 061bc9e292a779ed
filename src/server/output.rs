//! What goes out, and who hears of it.

use crate::{
    syntax::Reply,
    time::Instant,
    transcript::{Entry, Side, Transcript},
    wire::SendBuffer,
};
use alloc::boxed::Box;
use core::fmt;

/// What goes out.
#[derive(Default)]
pub(super) struct Output {
    buffer: SendBuffer,
    pub(super) transcript: Option<Box<dyn Transcript>>,
    /// The octets that wait and come before the mark, if nothing after it was sent.
    marked: Option<usize>,
    pub(super) now: Instant,
}

impl Output {
    pub(super) fn reply(&mut self, reply: &Reply<'_>, is_enhanced: bool) {
        let text = self.buffer.text();
        let start = text.len();
        if is_enhanced {
            reply.encode(text);
        } else {
            reply.without_status().encode(text);
        }
        if let Some(transcript) = &mut self.transcript {
            let said = text.get(start..).unwrap_or_default();
            for line in said.split(|octet| *octet == b'\n') {
                if let Some(octets) = line.strip_suffix(b"\r") {
                    transcript.entry(self.now, Entry::Line { from: Side::Server, octets });
                }
            }
        }
    }

    pub(super) fn note(&mut self, entry: Entry<'_>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.entry(self.now, entry);
        }
    }

    /// Marks the end of what waits: what is said from now on can be [taken
    /// back](Self::take_back) until it leaves.
    pub(super) fn mark(&mut self) {
        self.marked = Some(self.len());
    }

    /// Takes back what was said since the mark, unless some of it was sent; returns whether it was
    /// taken back.
    pub(super) fn take_back(&mut self) -> bool {
        let Some(marked) = self.marked.take() else { return false };
        let said = self.len().saturating_sub(marked);
        let text = self.buffer.text();
        text.truncate(text.len().saturating_sub(said));
        true
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn slices<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.buffer.slices(slices)
    }

    pub(super) fn sent(&mut self, octets: usize) {
        self.marked = self.marked.and_then(|marked| marked.checked_sub(octets));
        self.buffer.sent(octets);
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("buffer", &self.buffer).finish_non_exhaustive()
    }
}
