//! A server in a conversation that is written as the RFCs write them.
//!
//! ```text
//! S: 220 mx.example.org ESMTP service ready
//! C: EHLO client.example.net
//! S: 250-mx.example.org
//! …
//! C| octets without a line end, escaped as in a Rust literal
//! T: 300                 so many seconds pass
//! C: (closed)            the client closes its direction
//! C: (cut off)           the connection is reset
//! S: (closed)            the server closes the connection
//! ```
//!
//! Every conversation is held twice, with the octets of the client in one piece and one at a
//! time. The server's lines and the application's experience must be the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]
#![allow(dead_code, unreachable_pub)] // Not every test program needs everything.

use esmtp::{
    machine::{Closed, Machine, Need},
    security::Security,
    server::{AbortReason, Config, End, Event, Peer, Server},
    syntax::{Code, Rejection, Status, Text},
    time::Instant,
};
use std::{fmt::Write as _, sync::Arc, time::Duration};

/// What the application lived through: one line an event, content in one.
#[derive(Debug, Default, PartialEq)]
pub struct Experience {
    pub log: Vec<String>,
    pub messages: Vec<Message>,
    pub end: Option<End>,
    content: Vec<u8>,
}

#[derive(Debug, PartialEq)]
pub struct Message {
    pub from: String,
    pub to: Vec<String>,
    pub content: Vec<u8>,
}

impl Experience {
    pub fn aborts(&self) -> Vec<&str> {
        self.log.iter().filter_map(|line| line.strip_prefix("abort ")).collect()
    }

    /// The usual application: recipients called `nobody` do not exist, `later` is busy, and a
    /// message for `full` cannot be stored.
    pub fn answer(&mut self, event: Event<'_>) {
        match event {
            Event::Hello(hello) => {
                self.note(format!("hello {}", hello.name()));
                hello.accept();
            }
            Event::Mail(mail) => {
                self.note(format!("mail {} {}", mail.reverse_path(), mail.parameters()));
                mail.accept();
            }
            Event::Rcpt(rcpt) => {
                let path = rcpt.forward_path().to_string();
                self.note(format!("rcpt {} {path}", rcpt.index()));
                if path.contains("nobody") {
                    rcpt.reject(Rejection::NO_SUCH_MAILBOX);
                } else if path.contains("later") {
                    rcpt.reject(later());
                } else {
                    rcpt.accept();
                }
            }
            Event::Data(data) => {
                self.note("data".into());
                self.content.clear();
                data.accept();
            }
            Event::Content(content) => self.content.extend_from_slice(content.take()),
            Event::Deliver(mut delivery) => {
                let envelope = delivery.envelope();
                let message = Message {
                    from: envelope.reverse_path().to_string(),
                    to: envelope.recipients().map(|it| it.forward_path().to_string()).collect(),
                    content: std::mem::take(&mut self.content),
                };
                self.note("deliver".into());
                let full: Vec<_> =
                    (0..message.to.len()).filter(|it| message.to[*it].contains("full")).collect();
                if let Some(mut each) = delivery.per_recipient() {
                    full.iter().for_each(|index| each.settle(*index, Err(later())));
                    delivery.accept();
                } else if full.is_empty() {
                    delivery.accept_with(Text::literal("queued"));
                } else {
                    delivery.reject(Rejection::LOCAL_ERROR);
                }
                if full.len() < message.to.len() && (full.is_empty() || message.to.len() > 1) {
                    self.messages.push(message);
                }
            }
            Event::Abort(abort) => {
                self.content.clear();
                self.note(format!("abort {:?}", abort.reason()));
                abort.acknowledge();
            }
            other => other.proceed(),
        }
    }

    fn note(&mut self, line: String) {
        self.log.push(line);
    }
}

pub fn later() -> Rejection {
    Rejection::new(Code::new(450).unwrap(), Status::new(2, 1).unwrap(), Text::literal("Busy"))
        .unwrap()
}

pub fn config() -> Config {
    Config::new("mx.example.org").unwrap()
}

/// Holds the conversation twice and compares; gives back what the application lived through.
pub fn converse(config: Config, script: &str) -> Experience {
    let config = Arc::new(config);
    let whole = Conversation::hold(&config, script, usize::MAX, Experience::answer);
    let single = Conversation::hold(&config, script, 1, Experience::answer);
    assert_eq!(whole, single, "cut at every octet");
    whole
}

/// The same with an application of one's own.
pub fn converse_with(
    config: Config,
    script: &str,
    answer: fn(&mut Experience, Event<'_>),
) -> Experience {
    let config = Arc::new(config);
    let whole = Conversation::hold(&config, script, usize::MAX, answer);
    let single = Conversation::hold(&config, script, 1, answer);
    assert_eq!(whole, single, "cut at every octet");
    whole
}

/// Held once, where the outcome depends on what comes together.
pub fn converse_in_one_piece(
    config: Config,
    script: &str,
    answer: fn(&mut Experience, Event<'_>),
) -> Experience {
    Conversation::hold(&Arc::new(config), script, usize::MAX, answer)
}

/// What the introduction of most conversations says.
pub const HELLO: &str = "
    S: 220 mx.example.org ESMTP service ready
    C: EHLO client.example.net
    S: 250-mx.example.org
    S: 250-SIZE 33554432
    S: 250-PIPELINING
    S: 250-8BITMIME
    S: 250-ENHANCEDSTATUSCODES
    S: 250-CHUNKING
    S: 250-BINARYMIME
    S: 250 HELP
";

/// The introduction by a server that offers exactly this, with `|` between the lines, and what
/// follows.
pub fn announcing(lines: &str, script: &str) -> String {
    let mut hello = String::from(
        "S: 220 mx.example.org ESMTP service ready\nC: EHLO client.example.net\nS: 250-mx.example.org\n",
    );
    let (first, last) = lines.rsplit_once('|').map_or((None, lines), |(a, b)| (Some(a), b));
    for line in first.into_iter().flat_map(|lines| lines.split('|')) {
        let _ = writeln!(hello, "S: 250-{line}");
    }
    let _ = writeln!(hello, "S: 250 {last}");
    hello + script
}

struct Conversation {
    server: Server,
    now: Instant,
    said: Vec<u8>,
    experience: Experience,
    answer: fn(&mut Experience, Event<'_>),
    is_closed: bool,
}

impl Conversation {
    fn hold(
        config: &Arc<Config>,
        script: &str,
        piece: usize,
        answer: fn(&mut Experience, Event<'_>),
    ) -> Experience {
        let server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
        let (now, experience) = (Instant::ORIGIN, Experience::default());
        let mut it = Self { server, now, said: Vec::new(), experience, answer, is_closed: false };
        it.drive();
        let mut heard = String::new();
        // Lines of the client that follow one another leave in one piece, as a client that
        // pipelines sends them.
        let mut group = Vec::new();
        for line in script.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            let _ = writeln!(heard, "{line}");
            if let Some(octets) = line.strip_prefix("C| ") {
                group.extend_from_slice(&unescape(octets));
                continue;
            } else if let Some(text) = line.strip_prefix("C: ").filter(|it| !it.starts_with('(')) {
                group.extend_from_slice(text.as_bytes());
                group.extend_from_slice(b"\r\n");
                continue;
            } else if line == "C:" {
                group.extend_from_slice(b"\r\n");
                continue;
            }
            let is_over = line.starts_with("T: ") || line.starts_with("C: (");
            if !group.is_empty() || is_over {
                // Whatever was said before had its line.
                assert!(it.said.is_empty(), "{heard}but S: {}", it.said.escape_ascii());
            }
            it.send(&std::mem::take(&mut group), piece);
            match line {
                "C: (closed)" => {
                    it.server.closed(Closed::Clean);
                    it.drive();
                }
                "C: (cut off)" => {
                    it.server.closed(Closed::CutOff);
                    it.drive();
                }
                "C: (shut down)" => {
                    it.server.shut_down();
                    it.drive();
                }
                "S: (closed)" => {
                    assert!(it.said.is_empty(), "{heard}S: {}", it.said.escape_ascii());
                    assert!(it.is_closed, "{heard}but the server has not closed");
                }
                _ if line.starts_with("T: ") => {
                    it.now = it.now + Duration::from_secs(line[3..].parse().unwrap());
                    it.drive();
                }
                _ => {
                    let expected = line.strip_prefix("S: ").expect("C:, C|, S: or T:");
                    let end = it.said.iter().position(|octet| *octet == b'\n');
                    let end = end.unwrap_or_else(|| panic!("{heard}but the server said nothing"));
                    let said: Vec<u8> = it.said.drain(..=end).collect();
                    let said = String::from_utf8(said).unwrap();
                    assert_eq!(said.strip_suffix("\r\n"), Some(expected), "{heard}");
                }
            }
        }
        it.send(&group, piece);
        assert!(it.said.is_empty(), "{heard}but then S: {}", it.said.escape_ascii());
        it.experience.end = it.server.end();
        it.experience
    }

    fn send(&mut self, octets: &[u8], piece: usize) {
        for piece in octets.chunks(piece.min(octets.len()).max(1)) {
            let mut rest = piece;
            while !rest.is_empty() && !self.is_closed {
                let taken = self.server.feed(rest);
                rest = &rest[taken..];
                self.drive();
            }
        }
    }

    /// Until the server needs octets or is done.
    fn drive(&mut self) {
        loop {
            match self.server.poll(self.now) {
                Need::Answer => {
                    let event = self.server.event().expect("an event to answer");
                    (self.answer)(&mut self.experience, event);
                }
                Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&[][..]; 4];
                    let count = self.server.to_send(&mut slices);
                    let octets: Vec<u8> = slices[..count].concat();
                    assert!(!octets.is_empty(), "nothing to send");
                    self.server.sent(octets.len());
                    self.said.extend_from_slice(&octets);
                }
                Need::Read(deadline) => {
                    assert!(deadline > self.now, "a deadline that has passed");
                    return;
                }
                Need::Wait(until) => self.now = until,
                Need::Close => {
                    self.is_closed = true;
                    return;
                }
            }
        }
    }
}

/// `\r`, `\n`, `\0`, `\\` and `\xNN`.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match (octet, octet == b'\\') {
            (_, true) => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'x') => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other.unwrap(),
            },
            (octet, false) => octet,
        });
    }
    octets
}

/// The reason that an experience logged, as it is written in Rust.
pub fn reason(reason: AbortReason) -> String {
    format!("{reason:?}")
}
