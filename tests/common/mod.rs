//! Conversations of a server, written as [`Script`]s.
//!
//! Every conversation is held twice, with the octets of the client in one piece and one at a
//! time. The server's lines and the experience of the application must be equal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]
#![allow(dead_code, unreachable_pub)] // Not every test program needs everything.

use esmtp::{
    security::Security,
    server::{AbortReason, Config, End, Event, Peer, Server},
    syntax::{Code, Rejection, Status, Text},
    testing::{Cut, Script},
};
use std::{fmt::Write as _, sync::Arc};

/// The experience of an application: one line an event, content in one.
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

    /// Gives the answers of the usual application: one name of a recipient does not exist, `later` is busy, and a
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

/// Plays the script in both cuts with the usual application, and returns its experience.
pub fn converse(config: Config, script: &str) -> Experience {
    converse_with(config, script, Experience::answer)
}

/// Plays the script in both cuts with another application, and returns its experience.
pub fn converse_with(
    config: Config,
    script: &str,
    answer: fn(&mut Experience, Event<'_>),
) -> Experience {
    let (config, script) = (Arc::new(config), Script::new(script).unwrap());
    let whole = hold(&config, &script, Cut::Nowhere, answer);
    let single = hold(&config, &script, Cut::Everywhere, answer);
    assert_eq!(whole, single, "cut at every octet");
    whole
}

/// Plays the script in one piece, where the outcome depends on what comes together.
pub fn converse_in_one_piece(
    config: Config,
    script: &str,
    answer: fn(&mut Experience, Event<'_>),
) -> Experience {
    hold(&Arc::new(config), &Script::new(script).unwrap(), Cut::Nowhere, answer)
}

/// The introduction of most conversations.
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

/// Appends a script to the introduction of most conversations.
pub fn after_hello(script: &str) -> String {
    format!("{HELLO}{script}")
}

/// A transaction up to its content.
pub const CONTENT: &str = "
    C: MAIL FROM:<a@b.org>
    S: 250 2.1.0 Ok
    C: RCPT TO:<c@d.org>
    S: 250 2.1.5 Ok
    C: DATA
    S: 354 Start mail input; end with <CRLF>.<CRLF>
";

/// Returns the introduction by a server that offers exactly this, with `|` between the lines, and a script
/// after it.
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

/// Plays a script with a server, and returns the experience of the application.
fn hold(
    config: &Arc<Config>,
    script: &Script,
    cut: Cut,
    answer: fn(&mut Experience, Event<'_>),
) -> Experience {
    let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
    let mut experience = Experience::default();
    script.play(&mut server, cut, |event| answer(&mut experience, event)).unwrap();
    experience.end = server.end();
    experience
}

/// Returns the octets of a text with the escapes `\r`, `\n`, `\0`, `\\` and `\xNN`.
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

/// Returns the reason that an experience logged, as it is written in Rust.
pub fn reason(reason: AbortReason) -> String {
    format!("{reason:?}")
}
