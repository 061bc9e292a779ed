//! `send_from` with content that comes slowly, late or not at all, and content that a refusal stops.

#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test has std, and says what went wrong by failing"
)]

#[cfg(feature = "tokio")]
mod asynchronous;
mod blocking;

use esmtp::{
    client::{Client, Config, End, MessageFacts, Outcome, Timeouts},
    envelope::Envelope,
    io::blocking::Stream,
    security::Security,
};
use std::{
    io::{self, ErrorKind, Read, Write},
    time::Duration,
};

/// Creates a client with a second for everything.
fn client() -> Client {
    let timeouts = Timeouts::default().at_most(Duration::from_secs(1));
    Client::new(Config::new("me.example.org").unwrap().with_timeouts(timeouts), Security::CLEAR)
}

fn bob() -> Envelope {
    Envelope::new("ann@example.org", &["bob@example.net"]).unwrap()
}

const CHUNKING: &str = "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
const NO_CHUNKING: &str = "250-mx\r\n250 PIPELINING\r\n";

/// A stream of which the far end answers at once: `replies` has what it says when the octets written
/// so far contain a pattern for the first time. It takes every octet, and counts chunks.
#[derive(Debug)]
struct Answering {
    heard: Vec<u8>,
    scanned: usize,
    said: Vec<u8>,
    replies: Vec<(&'static str, &'static str)>,
}

impl Answering {
    fn new(replies: &[(&'static str, &'static str)]) -> Self {
        let replies = replies.iter().rev().copied().collect();
        Self { heard: Vec::new(), scanned: 0, said: b"220 mx\r\n".to_vec(), replies }
    }

    fn chunks(&self) -> usize {
        let lines = self.heard.split(|octet| *octet == b'\n');
        lines.filter(|line| line.starts_with(b"BDAT ")).count()
    }
}

impl Answering {
    fn say(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.said.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let octets = self.said.len().min(into.len());
        into[..octets].copy_from_slice(&self.said[..octets]);
        self.said.drain(..octets);
        Ok(octets)
    }

    fn hear(&mut self, octets: &[u8]) -> usize {
        self.heard.extend_from_slice(octets);
        while let Some((pattern, reply)) = self.replies.last() {
            let new = &self.heard[self.scanned..];
            let Some(at) =
                new.windows(pattern.len()).position(|window| window == pattern.as_bytes())
            else {
                break;
            };
            self.scanned += at + pattern.len();
            self.said.extend_from_slice(reply.as_bytes());
            self.replies.pop();
        }
        octets.len()
    }
}

impl Read for Answering {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.say(into)
    }
}

impl Write for Answering {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(self.hear(octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Answering {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn read_arrived(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.say(into)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Creates a stream on which the recipient is rejected at once, and which would take every octet of a message of 5 MB.
fn refusing() -> Answering {
    Answering::new(&[
        ("EHLO", CHUNKING),
        ("RCPT", "250 2.1.0 ok\r\n550 5.1.1 no such mailbox\r\n"),
        ("QUIT", "221 bye\r\n"),
    ])
}

fn large() -> Vec<u8> {
    b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n".repeat(70_000)
}

fn reply_code(outcome: &Outcome) -> Option<u16> {
    outcome.reply().map(|reply| reply.code().get())
}
