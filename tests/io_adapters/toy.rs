//! A machine that asks what to say to each line, and streams that do what a test says.

use esmtp::{
    io::blocking::Stream,
    machine::{Closed, Machine, Need},
    time::Instant,
    wire::{Cut, LineCutter, ReceiveBuffer, SendBuffer},
};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    time::Duration,
};

#[derive(Debug)]
pub struct Toy {
    input: ReceiveBuffer,
    lines: LineCutter,
    output: SendBuffer,
    phase: Phase,
    /// The time that a line may take.
    pub patience: Duration,
    deadline: Option<Instant>,
    /// It would rather read than wait until all is written.
    pub is_eager: bool,
    pub closed: Option<Closed>,
    pub is_unsendable: bool,
    /// It has a buffer to be read into.
    pub is_holding: bool,
}

#[derive(Debug)]
enum Phase {
    Listening,
    Asked(Vec<u8>),
    Delaying(Duration),
    Delayed(Instant),
    Gone,
    Closing,
}

pub enum Event<'t> {
    Line(Line<'t>),
    /// The peer has left.
    Gone(Gone<'t>),
}

pub struct Line<'t>(&'t mut Toy);
pub struct Gone<'t>(&'t mut Toy);

impl Line<'_> {
    /// Returns the line without its end.
    pub fn text(&self) -> String {
        match &self.0.phase {
            Phase::Asked(line) => String::from_utf8_lossy(line).trim_end().into(),
            _ => unreachable!(),
        }
    }

    pub fn reply(self, text: &str) {
        self.0.output.text().extend_from_slice(text.as_bytes());
        self.0.phase = Phase::Listening;
    }

    pub fn reply_and_close(self, text: &str) {
        self.0.output.text().extend_from_slice(text.as_bytes());
        self.0.phase = Phase::Closing;
    }

    pub fn delay(self, delay: Duration) {
        self.0.phase = Phase::Delaying(delay);
    }
}

impl Gone<'_> {
    pub fn done(self) {
        self.0.phase = Phase::Closing;
    }
}

impl Toy {
    pub fn new() -> Self {
        Self {
            input: ReceiveBuffer::new(16 * 1024),
            lines: LineCutter::default(),
            output: SendBuffer::default(),
            phase: Phase::Listening,
            patience: Duration::from_secs(60),
            deadline: None,
            is_eager: false,
            closed: None,
            is_unsendable: false,
            is_holding: false,
        }
    }

    pub fn say(mut self, text: &str) -> Self {
        self.output.text().extend_from_slice(text.as_bytes());
        self
    }
}

impl Machine for Toy {
    type Event<'m> = Event<'m>;

    fn poll(&mut self, now: Instant) -> Need {
        loop {
            let is_sending = !self.output.is_empty();
            match self.phase {
                Phase::Asked(_) | Phase::Gone => return Need::Answer,
                Phase::Delaying(delay) => self.phase = Phase::Delayed(now + delay),
                Phase::Delayed(until) if until.has_passed(now) => self.phase = Phase::Listening,
                Phase::Delayed(until) => return Need::Wait(until),
                Phase::Closing if is_sending => return Need::Write(now + self.patience),
                Phase::Closing => return Need::Close,
                Phase::Listening => match self.lines.cut(self.input.octets(), 8 * 1024) {
                    Cut::Line(octets) => {
                        self.phase = Phase::Asked(self.input.octets()[..octets].to_vec());
                        self.input.consume(octets);
                        self.deadline = None;
                    }
                    Cut::Incomplete if self.closed.is_some() => self.phase = Phase::Gone,
                    Cut::Incomplete => {
                        let deadline = *self.deadline.get_or_insert(now + self.patience);
                        if deadline.has_passed(now) {
                            self.output.text().extend_from_slice(b"late\r\n");
                            self.phase = Phase::Closing;
                            continue;
                        }
                        return match (is_sending, self.is_eager) {
                            (false, _) => Need::Read(deadline),
                            (true, false) => Need::Write(deadline),
                            (true, true) => Need::Either(deadline),
                        };
                    }
                    cut => unreachable!("{cut:?}"),
                },
            }
        }
    }

    fn event(&mut self) -> Option<Event<'_>> {
        match self.phase {
            Phase::Asked(_) => Some(Event::Line(Line(self))),
            Phase::Gone => Some(Event::Gone(Gone(self))),
            _ => None,
        }
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        self.is_holding = true;
        self.input.room()
    }

    fn received(&mut self, octets: usize) {
        self.input.received(octets);
    }

    fn release(&mut self) {
        self.is_holding = !self.input.is_empty();
        self.input.release();
    }

    fn closed(&mut self, how: Closed) {
        assert_eq!(self.closed.replace(how), None, "closed twice");
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.output.slices(slices)
    }

    fn sent(&mut self, octets: usize) {
        self.output.sent(octets);
    }

    fn unsendable(&mut self) {
        assert!(!self.is_unsendable, "unsendable twice");
        self.is_unsendable = true;
        self.output.clear();
    }
}

/// A stream that does one thing of `reads` at each read and one of `writes` at each write, and
/// after them blocks for ever.
#[derive(Debug, Default)]
pub struct Script {
    pub reads: VecDeque<io::Result<&'static str>>,
    /// The number of octets that each write takes.
    pub writes: VecDeque<io::Result<usize>>,
    pub written: Vec<u8>,
    /// Flushes that fail, before they all succeed.
    pub flushes: VecDeque<io::ErrorKind>,
    pub flushed: usize,
    pub is_shut_down: bool,
}

impl Script {
    pub fn new(
        reads: impl IntoIterator<Item = io::Result<&'static str>>,
        writes: impl IntoIterator<Item = io::Result<usize>>,
    ) -> Self {
        let (reads, writes) = (reads.into_iter().collect(), writes.into_iter().collect());
        Self { reads, writes, ..Self::default() }
    }
}

impl Read for Script {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let octets = self.reads.pop_front().unwrap_or(Err(io::ErrorKind::WouldBlock.into()))?;
        into[..octets.len()].copy_from_slice(octets.as_bytes());
        Ok(octets.len())
    }
}

impl Write for Script {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let most = self.writes.pop_front().unwrap_or(Err(io::ErrorKind::WouldBlock.into()))?;
        let taken = octets.len().min(most);
        self.written.extend_from_slice(&octets[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(kind) = self.flushes.pop_front() {
            return Err(kind.into());
        }
        self.flushed = self.written.len();
        Ok(())
    }
}

impl Stream for Script {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.is_shut_down = true;
        Ok(())
    }
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use super::Script;
    use std::{
        io::{self, Read, Write},
        pin::Pin,
        task::{Context, Poll},
    };
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    /// Makes of a call that would block a pending one; nothing wakes it but the timer.
    fn pending<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            result => Poll::Ready(result),
        }
    }

    impl AsyncRead for Script {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let read = self.read(into.initialize_unfilled());
            pending(read).map_ok(|octets| into.advance(octets))
        }
    }

    impl AsyncWrite for Script {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            octets: &[u8],
        ) -> Poll<io::Result<usize>> {
            pending(self.write(octets))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.flush())
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_shut_down = true;
            Poll::Ready(Ok(()))
        }
    }
}
