//! Parsing takes time in proportion to the input, whatever the peer sends, and so do sessions in proportion to octets,
//! cuts, recipients and sessions: `cargo bench --all-features --bench linear`.
//!
//! For each kind of input it prints how many times as long sixteen times as many octets take. In proportion is about 16; to
//! look at everything again for each octet, word or line would be about 256.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    reason = "helpers of tests say what went wrong by failing"
)]

use core::{hint::black_box, time::Duration};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;

use esmtp::{
    client::{self, Client},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server::{self, Limits, Peer, Server},
    syntax::{Command, Extension, Extensions, Lenience, MailParameters, Reply, Verb},
};

/// Returns the processor time that this thread has had: other programs do not count.
fn now() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

fn time(mut work: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let start = now();
        work();
        best = best.min(now() - start);
    }
    best
}

/// Measures how many times as long sixteen times as many octets take.
fn measure(name: &str, make: impl Fn(usize) -> Vec<u8>, work: impl Fn(&[u8])) {
    // Large enough that what does not depend on the input does not matter.
    let (small, large) = (make(4_000), make(64_000));
    let (small, large) = (time(|| work(&small)), time(|| work(&large)));
    let ratio = large.as_secs_f64() / small.as_secs_f64().max(1e-9);
    println!("{name:24} {small:>12.2?} {large:>12.2?} {ratio:>8.1}");
}

fn main() {
    println!("{:24} {:>12} {:>12} {:>8}", "", "4,000", "64,000", "ratio");
    commands();
    replies();
    received();
    sent();
    sessions();
}

fn commands() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("verb", "", "X", ""),
        ("local-part", "MAIL FROM:<", "a.", "b@c>"),
        ("quoted local-part", "MAIL FROM:<\"", "\\\"", "\"@c>"),
        ("domain", "RCPT TO:<a@", "b.", "c>"),
        ("long label", "RCPT TO:<a@", "b", ">"),
        ("hyphens", "EHLO a", "-", "b"),
        ("underscores", "EHLO a", "_", "b"),
        ("IPv6", "EHLO [IPv6:", "1:", ":]"),
        ("IPv4", "EHLO [", "1.", "]"),
        ("general literal", "EHLO [a:", "b", "]"),
        ("route", "RCPT TO:<@a", ",@a", ":b@c>"),
        ("spaces", "MAIL  FROM:<a@b>", " ", "X"),
        ("trailing spaces", "NOOP", " \t", ""),
        ("parameters", "MAIL FROM:<a@b>", " A=1", ""),
        ("spaced parameters", "MAIL FROM:<a@b>", "  A=1", ""),
        ("raw AUTH", "MAIL FROM:<a@b>", " AUTH=<a=b@c>", ""),
        ("half raw AUTH", "MAIL FROM:<a@b>", " AUTH=<a=", ""),
        ("long AUTH", "MAIL FROM:<a@b> AUTH=<", "a=", "@c>"),
        ("xtext", "MAIL FROM:<a@b> ENVID=", "+2B", ""),
        ("notify", "RCPT TO:<a@b> NOTIFY=", "DELAY,", "DELAY"),
        ("base64", "AUTH PLAIN ", "AAAA", ""),
        ("domains", "ATRN a", ",a", ""),
        ("attributes", "XCLIENT", " NAME=a", ""),
        ("URI", "BURL a:", "%20", ""),
        ("text", "NOOP ", "a b", ""),
        ("lookup", "VRFY ", "a@", ""),
        ("UTF-8", "VRFY ", "ü ", "x"),
        ("NULs", "MAIL FROM:<", "\0", ""),
        ("carriage returns", "MAIL FROM:<", "\r", ""),
    ];
    let offered: Extensions = Extension::ALL.iter().copied().collect();
    for (name, front, middle, back) in cases {
        let make = |octets: usize| {
            [*front, &middle.repeat(octets / middle.len()), *back].concat().into_bytes()
        };
        for lenience in [Lenience::STRICT, Lenience::ALL] {
            measure(name, make, |line| {
                let _ = Verb::of(line);
                if let Ok(Command::Mail { parameters, .. }) = Command::parse(line, lenience) {
                    let _ = MailParameters::parse_known(&parameters, &offered, |_| true);
                }
            });
        }
    }
}

fn replies() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("one line", "250 ", "x", "\r\n"),
        ("lines", "250-mx\r\n", "250-X\r\n", "250 X\r\n"),
        ("lines with a status", "250-2.0.0 a\r\n", "250-2.0.0 b\r\n", "250 2.0.0 c\r\n"),
        ("unfinished", "250-mx\r\n", "250-X\r\n", "250"),
        ("mechanisms", "250-mx\r\n250 AUTH", " X-AB", "\r\n"),
        ("the same mechanisms", "250-mx\r\n", "250-AUTH A B C D\r\n", "250 X\r\n"),
        ("the same keyword", "250-mx\r\n", "250-LIMITS RCPTMAX=1\r\n", "250 X\r\n"),
        ("AUTH after a long line", "250-mx\r\n250-LIMITS ", "x", "\r\n250 AUTH PLAIN\r\n"),
        ("spaces", "250-mx\r\n250-SIZE", " ", "1\r\n250 X\r\n"),
        ("escapes", "250 ", "\u{1b}", "\r\n"),
    ];
    for (name, front, middle, back) in cases {
        let make = |octets: usize| {
            [*front, &middle.repeat(octets / middle.len()), *back].concat().into_bytes()
        };
        measure(name, make, |input| {
            if let Ok(Some((reply, _))) = Reply::parse(input) {
                let extensions = Extensions::parse(&reply);
                assert!(extensions.lines().count() < 1_000_000);
                let mut out = Vec::new();
                reply.encode(&mut out);
                assert!(reply.to_string().len() < 10_000_000);
            }
        });
    }
}

// ------------------------------------------------------------------------------- sessions

/// Returns a configuration that permits what the benches need.
fn config() -> Arc<server::Config> {
    let limits = Limits::default().with_recipients(1_000_000).with_envelope(1 << 30);
    let config = server::Config::new("mx.example.org").unwrap().with_limits(limits);
    Arc::new(config.with_enforced_sync(false))
}

/// Receives these octets with a server, in pieces of a size, and returns the messages that it accepted.
fn receive(config: &Arc<server::Config>, octets: &[u8], piece: usize) -> usize {
    let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
    let (mut rest, mut messages) = (octets, 0);
    loop {
        match server.poll(esmtp::time::Instant::ORIGIN) {
            Need::Answer => match server.event().unwrap() {
                server::Event::Rcpt(rcpt) => rcpt.accept(),
                server::Event::Content(content) => {
                    let octets = black_box(content.octets()).len();
                    content.consume(octets);
                }
                server::Event::Deliver(delivery) => {
                    messages += 1;
                    delivery.accept();
                }
                other => other.proceed(),
            },
            Need::Write(_) | Need::Either(_) => {
                let octets = black_box(server.output(usize::MAX)).len();
                server.sent(octets);
            }
            Need::Read(_) if !rest.is_empty() => {
                let taken = server.feed(&rest[..piece.min(rest.len())]);
                rest = &rest[taken..];
            }
            Need::Read(_) | Need::Wait(_) | Need::Close => return messages,
        }
    }
}

/// Measures a server that receives this many octets, in other content, other pieces and for more recipients.
fn received() {
    let config = config();
    let opening = "EHLO a.example\r\nMAIL FROM:<a@b.example>\r\n";
    let rcpt = "RCPT TO:<a@b.example>\r\n";
    let line = format!("{}\r\n", "x".repeat(60));
    let line = line.as_str();
    let cases = [
        ("content", rcpt, line, 16_384),
        ("content, dots", rcpt, "..\r\n", 16_384),
        ("content, cut at 7", rcpt, line, 7),
        ("content, cut at 1", rcpt, line, 1),
        ("content without a line", rcpt, "X", 1500),
        ("recipients", "", rcpt, 16_384),
        ("recipients, cut at 7", "", rcpt, 7),
        ("messages", "", "message", 16_384),
    ];
    for (name, first, again, piece) in cases {
        let make = |octets: usize| {
            let said = match (first, again) {
                ("", "message") => {
                    let message = format!("MAIL FROM:<a@b.example>\r\n{rcpt}DATA\r\n{line}.\r\n");
                    format!("EHLO a.example\r\n{}", message.repeat(octets / message.len()))
                }
                ("", _) => {
                    let rcpts = rcpt.repeat(octets / rcpt.len());
                    format!("{opening}{rcpts}DATA\r\n{line}.\r\n")
                }
                _ => {
                    let content = again.repeat(octets / again.len());
                    format!("{opening}{rcpt}DATA\r\n{content}\r\n.\r\n")
                }
            };
            said.into_bytes()
        };
        measure(name, make, |said| assert!(receive(&config, said, piece) > 0));
    }
}

/// Sends a message with a client, and returns whether every recipient has it.
fn send(envelope: &Arc<Envelope>, message: &[u8]) -> bool {
    let config = client::Config::new("client.example.net").unwrap();
    let mut client = Client::new(config, Security::CLEAR);
    let (mut rest, mut is_delivered) = (message, false);
    let mut replies = b"220 mx.example.org\r\n".to_vec();
    let mut lines = 0;
    loop {
        match client.poll(esmtp::time::Instant::ORIGIN) {
            Need::Answer => match client.event().unwrap() {
                client::Event::Ready(ready) if !is_delivered => {
                    let facts = client::MessageFacts::scan(message);
                    ready.send(Arc::clone(envelope), facts).unwrap();
                }
                client::Event::Content(mut content) => {
                    let taken = content.write(rest).unwrap();
                    rest = &rest[taken..];
                    if rest.is_empty() {
                        content.finish().unwrap();
                    }
                }
                client::Event::Sent(sent) => is_delivered = sent.take().is_delivered_to_all(),
                other => other.quit(),
            },
            Need::Write(_) | Need::Either(_) | Need::Read(_) => {
                let output = client.output(usize::MAX);
                client.sent(output.len());
                // Commands are counted, and content has one reply.
                let is_command = |line: &&[u8]| {
                    [&b"MAIL"[..], b"RCPT", b"QUIT", b".\r\n"]
                        .iter()
                        .any(|verb| line.starts_with(verb))
                };
                for line in output.split_inclusive(|octet| *octet == b'\n') {
                    match line {
                        line if line.starts_with(b"EHLO") => {
                            replies.extend(b"250-mx.example.org\r\n250 PIPELINING\r\n");
                        }
                        line if line.starts_with(b"DATA") => replies.extend(b"354 go\r\n"),
                        line if is_command(&line) => replies.extend(b"250 2.0.0 Ok\r\n"),
                        _ => continue,
                    }
                    lines += 1;
                }
                let taken = client.feed(&replies);
                replies.drain(..taken);
            }
            Need::Wait(_) | Need::Close => return is_delivered && lines > 0,
        }
    }
}

/// Measures a client that sends this many octets, or to recipients whose commands have this many octets.
fn sent() {
    let one = Arc::new(Envelope::new("a@b.example", ["c@d.example"]).unwrap());
    let text = format!("{}\r\n", "x".repeat(30));
    for (name, line) in [("content out", text.as_str()), ("content out, dots", ".\r\n")] {
        let make = |octets: usize| line.repeat(octets / line.len()).into_bytes();
        measure(name, make, |message| assert!(send(&one, message)));
    }
    let make = |octets: usize| b"RCPT TO:<00000@d.example>\r\n".repeat(octets / 28);
    measure("recipients of a client", make, |commands| {
        let recipients: Vec<_> =
            (0..commands.len() / 27).map(|at| format!("{at}@d.example")).collect();
        let envelope = Envelope::new("a@b.example", &recipients).unwrap();
        assert!(send(&Arc::new(envelope), b"Subject: x\r\n"));
    });
}

/// Measures sessions that are opened, and that wait beside each other.
fn sessions() {
    let config = config();
    measure(
        "sessions",
        |octets| vec![0; octets / 10],
        |sessions| {
            let mut waiting: Vec<_> = sessions
                .iter()
                .map(|_| Server::new(Arc::clone(&config), Peer::UNKNOWN, Security::CLEAR))
                .collect();
            for server in &mut waiting {
                while let Need::Answer = server.poll(esmtp::time::Instant::ORIGIN) {
                    server.event().unwrap().proceed();
                }
            }
            black_box(&waiting);
        },
    );
}
