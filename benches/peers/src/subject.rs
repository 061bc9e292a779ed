//! The slot of an implementation: implement [`Subject`] and add it to `subjects` in `main.rs`.

use crate::inputs::Lines;
use std::{any::Any, hint::black_box, iter};

/// The receiver of decoded content: it counts and hides the octets from the optimiser.
#[derive(Default)]
pub struct Sink {
    pub octets: usize,
    pub pieces: usize,
    /// The octets themselves, where they are compared.
    pub kept: Option<Vec<u8>>,
}

impl Sink {
    #[inline(always)]
    pub fn push(&mut self, octets: &[u8]) {
        self.octets += octets.len();
        self.pieces += 1;
        black_box(octets);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(octets);
        }
    }
}

/// An implementation. Each method has a default that says that the act is not offered.
pub trait Subject {
    fn name(&self) -> &'static str;

    /// Parses every line of the batch, its CRLF included. Returns how many were accepted.
    fn commands(&mut self, _lines: &Lines) -> Option<usize> {
        None
    }

    /// Parses every reply of the batch. Returns how many were accepted.
    fn replies(&mut self, _lines: &Lines) -> Option<usize> {
        None
    }

    /// Decodes content with stuffed dots that arrives in pieces of `chunk` octets. Returns whether its
    /// end was found at the end of `wire`.
    fn receive(&mut self, _wire: &[u8], _chunk: usize, _sink: &mut Sink) -> Option<bool> {
        None
    }

    /// Returns whether octets that wait are scanned again at each call, so that octets one by one take
    /// quadratic time.
    fn is_quadratic(&self) -> bool {
        false
    }

    /// Encodes a message for DATA, its end included. Returns whether it could.
    fn send(&mut self, _message: &[u8], _sink: &mut Sink) -> Option<()> {
        None
    }

    /// Runs a server session in memory: greeting, EHLO, `messages`, QUIT. Returns the octets of content.
    fn serve(
        &mut self,
        _messages: usize,
        _dialogue: &Dialogue,
        _out: &mut Vec<u8>,
    ) -> Option<usize> {
        None
    }

    /// Runs a client session in memory against scripted replies. Returns the messages sent.
    fn deliver(
        &mut self,
        _messages: usize,
        _script: &Script<'_>,
        _sink: &mut Sink,
    ) -> Option<usize> {
        None
    }

    /// Returns a session that has answered EHLO and waits.
    fn idle(&mut self) -> Option<Box<dyn Any>> {
        None
    }
}

/// The commands of a client, in one piece each; `content` is in the form of the wire.
pub struct Dialogue {
    pub ehlo: Vec<u8>,
    pub mail: Vec<u8>,
    pub rcpt: Vec<u8>,
    pub data: Vec<u8>,
    pub content: Vec<u8>,
    pub quit: Vec<u8>,
}

/// The replies of a server, which offers no PIPELINING, and the message that is sent to it.
pub struct Script<'a> {
    pub message: &'a [u8],
}

impl Script<'_> {
    pub fn replies(&self, messages: usize) -> impl Iterator<Item = &'static [u8]> + use<> {
        let opening: [&[u8]; 2] = [
            b"220 mx.example.org ESMTP\r\n",
            b"250-mx.example.org\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n",
        ];
        let transaction: [&[u8]; 4] = [
            b"250 2.1.0 Ok\r\n",
            b"250 2.1.5 Ok\r\n",
            b"354 go\r\n",
            b"250 2.0.0 Ok: queued as 12345\r\n",
        ];
        let transactions = iter::repeat_n(transaction, messages).flatten();
        opening.into_iter().chain(transactions).chain([&b"221 2.0.0 Bye\r\n"[..]])
    }
}
