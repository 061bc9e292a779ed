//! The end of data against a model, over all short strings.
//!
//! The model is written from RFC 5321 alone, for whole strings and without any state: sections
//! 4.1.1.4 and 4.5.2 for the end and the stuffed dots, section 2.3.8 for line ends. The unstuffer
//! of `wire`, a server that receives DATA and the stuffer of a client are compared with it, over
//! every string of CR, LF, dot, a letter and NUL up to a length, however the octets are cut.
//!
//! A mistake here is an SMTP smuggling hole: octets of content become commands, or the reverse.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test has std, and says what went wrong by failing"
)]

use esmtp::{
    machine::{Machine, Need},
    security::Security,
    server::{AbortReason, Config, Event, Limits, Peer, Server},
    time::Instant,
    wire::{BareLineBreaks, LineEnds, Span, Stuffer, Unstuffer},
};
use std::sync::Arc;

/// The octets that mean something to a server that receives content, and one that does not.
const ALPHABET: [u8; 5] = [b'\r', b'\n', b'.', b'a', 0];

const POLICIES: [BareLineBreaks; 3] =
    [BareLineBreaks::Reject, BareLineBreaks::Normalise, BareLineBreaks::Keep];

/// Follows each string on the wire: the end of data, for strings that have none, and a command.
const TAIL: &[u8] = b"\r\n.\r\nNOOP\r\n";

/// Returns all strings of the first `letters` of the alphabet, of up to `longest` octets.
fn strings(letters: usize, longest: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..=longest).flat_map(move |length| {
        (0..letters.pow(length)).map(move |number| {
            (0..length).map(|place| ALPHABET[number / letters.pow(place) % letters]).collect()
        })
    })
}

// ------------------------------------------------------------------------------- the model

/// Why content is not acceptable, and at which octet of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    BareLineBreak(u64),
    Nul(u64),
}

/// The reading of octets after DATA by a receiver.
#[derive(Debug, PartialEq)]
struct Received {
    content: Vec<u8>,
    /// The first fault, where the policy looks for faults.
    fault: Option<Fault>,
    /// The number of octets of the content and its end, on the wire.
    octets: usize,
}

/// Finds "a line containing only a period, that is, the character sequence CRLF.CRLF, where the first
/// CRLF is actually the terminator of the previous line" (RFC 5321 section 4.1.1.4); an empty
/// message is ended by the dot alone.
fn end_of_data(wire: &[u8]) -> Option<usize> {
    let is_end = |octets: &[u8]| octets == b".\r\n" || octets.ends_with(b"\r\n.\r\n");
    (0..=wire.len()).find(|end| is_end(&wire[..*end]))
}

/// Returns the lines of `content`, each without its CRLF. The last one has to have a CRLF too.
fn lines(content: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = content;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    assert_eq!(rest, b"", "a last line without CRLF");
    lines
}

/// Returns what a receiver has to make of `wire`, in which the end of data is.
fn receive(wire: &[u8], policy: BareLineBreaks, rejects_nul: bool) -> Received {
    let octets = end_of_data(wire).unwrap();
    let (mut content, mut fault) = (Vec::new(), None);
    for line in lines(&wire[..octets - b".\r\n".len()]) {
        // RFC 5321 section 4.5.2: if the first character is a period, it is deleted.
        for octet in line.strip_prefix(b".").unwrap_or(line) {
            let at = content.len() as u64;
            let found = match octet {
                // Inside a line, so it is not part of a CRLF (section 2.3.8).
                b'\r' | b'\n' if policy == BareLineBreaks::Reject => Some(Fault::BareLineBreak(at)),
                0 if rejects_nul => Some(Fault::Nul(at)),
                _ => None,
            };
            fault = fault.or(found);
            match octet {
                b'\r' | b'\n' if policy == BareLineBreaks::Normalise => {
                    content.extend_from_slice(b"\r\n");
                }
                octet => content.push(*octet),
            }
        }
        content.extend_from_slice(b"\r\n");
    }
    Received { content, fault, octets }
}

/// Returns what a sender has to put on the wire for `content`; `None` where it must not send it.
fn send(content: &[u8], line_ends: LineEnds) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut text = Vec::new();
    for (at, octet) in content.iter().enumerate() {
        match octet {
            b'\r' if content.get(at + 1) != Some(&b'\n') => return None,
            b'\n' if at == 0 || content[at - 1] != b'\r' => match line_ends {
                LineEnds::Strict => return None,
                LineEnds::FromLf => text.extend_from_slice(b"\r\n"),
            },
            octet => text.push(*octet),
        }
    }
    if !text.is_empty() && !text.ends_with(b"\r\n") {
        // Section 4.1.1.4: a line end is added where the last line has none.
        text.extend_from_slice(b"\r\n");
    }
    let mut wire = Vec::new();
    for line in lines(&text) {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    Some((text, wire))
}

// ----------------------------------------------------------------------------- the cutting

/// A way to cut a string.
#[derive(Clone, Copy, Debug)]
enum Cuts {
    None,
    EachOctet,
    /// After each octet whose bit is set, the first sixty-four in turn.
    At(u64),
}

/// Returns three ways to cut: not at all, at every octet, and somewhere, which depends on the string only.
fn cuts(string: &[u8]) -> [Cuts; 3] {
    let hash = string.iter().fold(string.len() as u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    [Cuts::None, Cuts::EachOctet, Cuts::At(hash ^ hash >> 31)]
}

fn cut(wire: &[u8], cuts: Cuts) -> Vec<&[u8]> {
    let is_cut = |at: usize| match cuts {
        Cuts::None => false,
        Cuts::EachOctet => true,
        Cuts::At(bits) => bits >> (at % 64) & 1 == 1,
    };
    let mut pieces = Vec::new();
    let mut start = 0;
    for at in 1..wire.len() {
        if is_cut(at) {
            pieces.push(&wire[start..at]);
            start = at;
        }
    }
    pieces.push(&wire[start..]);
    pieces
}

// ------------------------------------------------------------------------------ the wire

fn unstuff(mut unstuffer: Unstuffer, wire: &[u8], cuts: Cuts) -> Received {
    let (mut content, mut fault) = (Vec::new(), None);
    let (mut there, mut consumed) = (Vec::new(), 0);
    for piece in cut(wire, cuts) {
        there.extend_from_slice(piece);
        loop {
            let octets = match unstuffer.next(&there) {
                Span::Content(octets) => {
                    content.extend_from_slice(&there[..octets]);
                    octets
                }
                Span::LineBreak(octets) => {
                    content.extend_from_slice(b"\r\n");
                    octets
                }
                Span::Skip(octets) => octets,
                Span::Bare(at) => {
                    assert_eq!(fault.replace(Fault::BareLineBreak(at)), None);
                    0
                }
                Span::Nul(at) => {
                    assert_eq!(fault.replace(Fault::Nul(at)), None);
                    0
                }
                Span::End(octets) => {
                    return Received { content, fault, octets: consumed + octets };
                }
                Span::Incomplete => break,
            };
            there.drain(..octets);
            consumed += octets;
        }
    }
    panic!("the end of data was not found")
}

/// 5321-4.1.1.4-a, 5321-4.1.1.4-b, 5321-4.1.1.4-d, 5321-4.1.1.4-e, 5321-4.5.2-b, 5321-4.5.2-c,
/// 5321-4.5.2-d, 5321-4.5.2-e: the end and the dots, in strings and cuts of all kinds.
#[test]
fn the_unstuffer_finds_the_end_of_the_model() {
    for string in strings(5, 7) {
        let wire = [&string, TAIL].concat();
        for policy in POLICIES {
            for rejects_nul in [false, true] {
                let unstuffer = match rejects_nul {
                    true => Unstuffer::new(policy).rejecting_nul(),
                    false => Unstuffer::new(policy),
                };
                let expected = receive(&wire, policy, rejects_nul);
                for cuts in cuts(&string) {
                    let received = unstuff(unstuffer.clone(), &wire, cuts);
                    let what = || format!("{}, {policy:?}, {cuts:?}", wire.escape_ascii());
                    assert_eq!(received, expected, "{}", what());
                }
                if !string.contains(&0) {
                    break;
                }
            }
        }
    }
}

// ---------------------------------------------------------------------------- the server

/// The knowledge that an application and a peer have of a server.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// The content of each message that came to `Deliver`.
    delivered: Vec<Vec<u8>>,
    aborted: Vec<AbortReason>,
    /// The first digits of the replies to the end of data and to each line after it.
    replies: String,
}

struct Session {
    server: Server,
    outcome: Outcome,
    content: Vec<u8>,
    said: Vec<u8>,
}

impl Session {
    /// Creates a session in which 354 has just been sent.
    fn in_data(config: &Arc<Config>) -> Self {
        let mut session = Self {
            server: Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR),
            outcome: Outcome::default(),
            content: Vec::new(),
            said: Vec::new(),
        };
        session.hear(b"");
        session.hear(b"HELO c.example\r\n");
        session.hear(b"MAIL FROM:<>\r\n");
        session.hear(b"RCPT TO:<b@c.example>\r\n");
        session.hear(b"DATA\r\n");
        assert_eq!(session.replies(), "22223");
        session
    }

    fn hear(&mut self, mut octets: &[u8]) {
        loop {
            match self.server.poll(Instant::ORIGIN) {
                Need::Answer => match self.server.event().unwrap() {
                    Event::Rcpt(rcpt) => rcpt.accept(),
                    Event::Content(content) => self.content.extend_from_slice(content.take()),
                    Event::Deliver(delivery) => {
                        self.outcome.delivered.push(std::mem::take(&mut self.content));
                        delivery.accept();
                    }
                    Event::Abort(abort) => {
                        self.outcome.aborted.push(abort.reason());
                        abort.acknowledge();
                    }
                    other => other.proceed(),
                },
                Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&[][..]; 4];
                    let filled = self.server.to_send(&mut slices);
                    let said = slices[..filled].concat();
                    self.server.sent(said.len());
                    self.said.extend(said);
                }
                Need::Read(_) if octets.is_empty() => return,
                Need::Read(_) => octets = &octets[self.server.feed(octets)..],
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns the first digits of the replies since the last time.
    fn replies(&mut self) -> String {
        let said = String::from_utf8(std::mem::take(&mut self.said)).unwrap();
        let last = said.lines().filter(|line| line.as_bytes()[3] == b' ');
        last.map(|line| &line[..1]).collect()
    }
}

/// Returns a server with limits that no string reaches, so that the session lasts to the last line.
fn config(policy: BareLineBreaks, rejects_nul: bool) -> Arc<Config> {
    let limits = Limits::default().with_errors(1000).with_idle_commands(1000);
    let config = Config::new("mx.example.org").unwrap().with_limits(limits);
    Arc::new(
        config
            .with_enforced_sync(false)
            .with_bare_line_breaks(policy)
            .with_rejected_nul(rejects_nul),
    )
}

/// Returns what a server has to make of `wire` after 354: one message or one refusal, and each line after
/// the end is a command.
fn outcome(wire: &[u8], policy: BareLineBreaks, rejects_nul: bool) -> Outcome {
    let Received { content, fault, octets } = receive(wire, policy, rejects_nul);
    let (delivered, aborted, first) = match fault {
        None => (vec![content], Vec::new(), "2"),
        Some(Fault::BareLineBreak(at)) => (Vec::new(), vec![AbortReason::BareLineBreak(at)], "5"),
        Some(Fault::Nul(at)) => (Vec::new(), vec![AbortReason::Nul(at)], "5"),
    };
    let commands = lines(&wire[octets..]);
    let replies = commands.iter().map(|line| if *line == b"NOOP" { "2" } else { "5" });
    let replies = std::iter::once(first).chain(replies).collect();
    Outcome { delivered, aborted, replies }
}

/// Compares a server with the model.
fn check(config: &Arc<Config>, wire: &[u8], cuts: Cuts) {
    let (policy, rejects_nul) = (config.bare_line_breaks(), config.rejects_nul());
    let expected = outcome(wire, policy, rejects_nul);
    let mut session = Session::in_data(config);
    for piece in cut(wire, cuts) {
        session.hear(piece);
    }
    session.outcome.replies = session.replies();
    let what = || format!("{}, {policy:?}, {cuts:?}", wire.escape_ascii());
    assert_eq!(session.outcome, expected, "{}", what());
}

/// 5321-4.1.1.4-a, 5321-4.1.1.4-b, 5321-4.1.1.4-c, 5321-4.1.1.4-j: one message with one reply, and
/// the command after it, never more, whatever stands in between.
#[test]
fn a_server_finds_the_end_of_the_model() {
    for policy in POLICIES {
        let config = config(policy, false);
        for string in strings(4, 7) {
            let wire = [&string, TAIL].concat();
            cuts(&string).into_iter().for_each(|cuts| check(&config, &wire, cuts));
        }
    }
}

#[test]
fn a_server_that_rejects_nul_finds_the_end_of_the_model() {
    for policy in POLICIES {
        let config = config(policy, true);
        for string in strings(5, 5).filter(|string| string.contains(&0)) {
            let wire = [&string, TAIL].concat();
            cuts(&string).into_iter().for_each(|cuts| check(&config, &wire, cuts));
        }
    }
}

// ---------------------------------------------------------------------------- the client

fn stuff(content: &[u8], line_ends: LineEnds, cuts: Cuts) -> Option<Vec<u8>> {
    let (mut stuffer, mut wire) = (Stuffer::new(line_ends), Vec::new());
    for piece in cut(content, cuts) {
        stuffer.stuff(piece, &mut wire).ok()?;
    }
    stuffer.finish(&mut wire).ok()?;
    Some(wire)
}

/// 5321-4.1.1.4-f, 5321-4.1.1.4-g, 5321-4.5.2-a: a server on the other side gets the one message that
/// was meant, and nothing else, whatever the content is.
#[test]
fn a_stuffed_message_is_one_message_for_a_server() {
    let config = config(BareLineBreaks::Reject, false);
    for line_ends in [LineEnds::Strict, LineEnds::FromLf] {
        for content in strings(5, 6) {
            let expected = send(&content, line_ends);
            for cuts in cuts(&content) {
                let what = || format!("{}, {line_ends:?}, {cuts:?}", content.escape_ascii());
                let wire = stuff(&content, line_ends, cuts);
                assert_eq!(wire.as_deref(), expected.as_ref().map(|it| &it.1[..]), "{}", what());
            }
            if let Some((text, wire)) = expected {
                let wire = [&wire[..], b"NOOP\r\n"].concat();
                let received = receive(&wire, BareLineBreaks::Reject, false);
                assert_eq!((received.content, received.fault), (text, None));
                check(&config, &wire, Cuts::None);
            }
        }
    }
}
