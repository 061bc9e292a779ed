//! The progress of content.

#[cfg(feature = "tokio")]
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::io::{self, BufRead, Read};

/// A source of content that tells how much of it the session has taken: for a progress bar, while `send_from` runs.
///
/// It wraps the source of either adapter. The octets that were taken have left, besides those in the
/// client's [buffer](crate::client::Config::with_send_buffer).
///
/// ```
/// use esmtp::io::Progress;
/// use std::{io::Read, sync::atomic::{AtomicU64, Ordering}};
///
/// let content = b"Subject: hello\r\n\r\nA line.\r\n";
/// let taken = AtomicU64::new(0); // read by another task or thread
/// let mut source = Progress::new(&content[..], |octets| taken.store(octets, Ordering::Relaxed));
/// // session.send_from(envelope, MessageFacts::scan(content), source)
/// source.read_to_end(&mut Vec::new())?;
/// assert_eq!(taken.load(Ordering::Relaxed), 27);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Progress<R, F> {
    source: R,
    taken: u64,
    tell: F,
}

impl<R, F: FnMut(u64)> Progress<R, F> {
    /// Wraps a source; `tell` is called with the number of octets that were taken so far, each time that more
    /// are taken.
    #[must_use]
    pub const fn new(source: R, tell: F) -> Self {
        Self { source, taken: 0, tell }
    }

    /// Returns the source.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.source
    }

    fn count(&mut self, octets: usize) {
        if octets > 0 {
            self.taken = self.taken.saturating_add(octets as u64);
            (self.tell)(self.taken);
        }
    }
}

impl<R: Read, F: FnMut(u64)> Read for Progress<R, F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let octets = self.source.read(into)?;
        self.count(octets);
        Ok(octets)
    }
}

impl<R: BufRead, F: FnMut(u64)> BufRead for Progress<R, F> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, octets: usize) {
        self.source.consume(octets);
        self.count(octets);
    }
}

#[cfg(feature = "tokio")]
impl<R: ::tokio::io::AsyncRead + Unpin, F: FnMut(u64) + Unpin> ::tokio::io::AsyncRead
    for Progress<R, F>
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ::tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.source).poll_read(context, buffer);
        self.count(buffer.filled().len().saturating_sub(before));
        read
    }
}

#[cfg(feature = "tokio")]
impl<R: ::tokio::io::AsyncBufRead + Unpin, F: FnMut(u64) + Unpin> ::tokio::io::AsyncBufRead
    for Progress<R, F>
{
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().source).poll_fill_buf(context)
    }

    fn consume(mut self: Pin<&mut Self>, octets: usize) {
        Pin::new(&mut self.source).consume(octets);
        self.count(octets);
    }
}
