//! This library, through its public interface.

use crate::{
    inputs::Lines,
    subject::{Dialogue, Script, Sink, Subject},
};
use bytes::Bytes;
use esmtp::{
    client::{self, Client, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server::{self, Event, Peer, Server},
    syntax::{Command, Extension, Extensions, Lenience, MailParameters, RcptParameters, Reply},
    time::Instant,
    wire::{BareLineBreaks, LineEnds, ReceiveBuffer, Span, Stuffer, Unstuffer},
};
use std::{any::Any, hint::black_box, sync::Arc};

fn line(octets: &[u8]) -> &[u8] {
    octets.strip_suffix(b"\r\n").unwrap_or(octets)
}

fn line_ends(message: &[u8]) -> LineEnds {
    match message.split(|octet| *octet == b'\n').next() {
        Some([.., b'\r']) => LineEnds::Strict,
        _ => LineEnds::FromLf,
    }
}

/// The parsers and the framing, lent: a window on a receive buffer. A NUL is refused, as a server does
/// unless told otherwise.
pub struct Esmtp(Arc<server::Config>);

impl Default for Esmtp {
    fn default() -> Self {
        Self(Arc::new(server::Config::new("mx.example.org").unwrap()))
    }
}

impl Subject for Esmtp {
    fn name(&self) -> &'static str {
        "esmtp"
    }

    fn commands(&mut self, lines: &Lines) -> Option<usize> {
        let parse = |octets| black_box(Command::parse(line(octets), Lenience::default())).is_ok();
        Some(lines.iter().filter(|octets| parse(octets)).count())
    }

    fn replies(&mut self, lines: &Lines) -> Option<usize> {
        let parse = |octets| matches!(black_box(Reply::parse(octets)), Ok(Some(_)));
        Some(lines.iter().filter(|octets| parse(octets)).count())
    }

    fn receive(&mut self, wire: &[u8], chunk: usize, sink: &mut Sink) -> Option<bool> {
        let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject).rejecting_nul();
        let (mut at, mut there) = (0, wire.len().min(chunk));
        loop {
            match unstuffer.next(&wire[at..there]) {
                Span::Content(octets) => {
                    sink.push(&wire[at..at + octets]);
                    at += octets;
                }
                Span::Skip(octets) => at += octets,
                Span::End(octets) => return Some(at + octets == wire.len()),
                Span::Incomplete if there == wire.len() => return Some(false),
                Span::Incomplete => there = wire.len().min(there + chunk),
                _ => return Some(false),
            }
            // An empty window holds nothing to ask about.
            if at == there {
                there = wire.len().min(there + chunk);
            }
        }
    }

    fn send(&mut self, message: &[u8], sink: &mut Sink) -> Option<()> {
        let mut stuffer = Stuffer::new(line_ends(message));
        for piece in message.chunks(16384) {
            stuffer.stuff_slices(piece, |part| sink.push(part)).ok()?;
        }
        let mut end = Vec::new();
        stuffer.finish(&mut end).ok()?;
        sink.push(&end);
        Some(())
    }

    fn serve(&mut self, messages: usize, dialogue: &Dialogue, out: &mut Vec<u8>) -> Option<usize> {
        let mut served =
            Served::new(Server::new(Arc::clone(&self.0), Peer::UNKNOWN, Security::CLEAR));
        served.hear(b"", out);
        served.hear(&dialogue.ehlo, out);
        for _ in 0..messages {
            for said in [&dialogue.mail, &dialogue.rcpt, &dialogue.data, &dialogue.content] {
                served.hear(said, out);
            }
        }
        served.hear(&dialogue.quit, out);
        (served.messages == messages).then_some(served.octets)
    }

    fn idle(&mut self) -> Option<Box<dyn Any>> {
        let mut out = Vec::new();
        let mut served =
            Served::new(Server::new(Arc::clone(&self.0), Peer::UNKNOWN, Security::CLEAR));
        served.hear(b"", &mut out);
        served.hear(b"EHLO client.example.com\r\n", &mut out);
        served.server.release();
        Some(Box::new(served.server))
    }
}

/// A server, and what it has received.
struct Served {
    server: Server,
    messages: usize,
    octets: usize,
}

impl Served {
    fn new(server: Server) -> Self {
        Self { server, messages: 0, octets: 0 }
    }

    /// Drives the server with octets of the client until it needs more.
    fn hear(&mut self, mut said: &[u8], out: &mut Vec<u8>) {
        let server = &mut self.server;
        loop {
            match server.poll(Instant::ORIGIN) {
                Need::Answer => match server.event().unwrap() {
                    Event::Rcpt(rcpt) => rcpt.accept(),
                    Event::Content(content) => self.octets += black_box(content.take()).len(),
                    Event::Deliver(delivery) => {
                        self.messages += 1;
                        delivery.accept();
                    }
                    other => other.proceed(),
                },
                Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&[][..]; 4];
                    let count = server.to_send(&mut slices);
                    let before = out.len();
                    slices[..count].iter().for_each(|slice| out.extend_from_slice(slice));
                    server.sent(out.len() - before);
                }
                Need::Read(_) if said.is_empty() => return,
                Need::Read(_) => said = &said[server.feed(said)..],
                Need::Wait(_) => unreachable!("no reply is delayed"),
                Need::Close => return,
            }
        }
    }
}

/// The parsers with parameters as values of their own types.
pub struct Typed(Extensions);

impl Default for Typed {
    fn default() -> Self {
        Self(Extension::ALL.iter().copied().collect())
    }
}

impl Subject for Typed {
    fn name(&self) -> &'static str {
        "esmtp, typed parameters, Extensions"
    }

    fn commands(&mut self, lines: &Lines) -> Option<usize> {
        let parse = |octets| match Command::parse(line(octets), Lenience::default()) {
            Ok(Command::Mail { parameters, reverse_path }) => {
                black_box(reverse_path);
                black_box(MailParameters::parse(&parameters, &self.0)).is_ok()
            }
            Ok(Command::Rcpt { parameters, forward_path }) => {
                black_box(forward_path);
                black_box(RcptParameters::parse(&parameters, &self.0)).is_ok()
            }
            other => black_box(other).is_ok(),
        };
        Some(lines.iter().filter(|octets| parse(octets)).count())
    }

    fn replies(&mut self, lines: &Lines) -> Option<usize> {
        if lines.name != "ehlo" {
            return None;
        }
        let parse = |octets| match Reply::parse(octets) {
            Ok(Some((reply, _))) => {
                black_box(Extensions::parse(&reply));
                true
            }
            _ => false,
        };
        Some(lines.iter().filter(|octets| parse(octets)).count())
    }
}

/// Content copied into a receive buffer, as from a socket, and its dots removed there.
pub struct InPlace;

impl Subject for InPlace {
    fn name(&self) -> &'static str {
        "esmtp, read and unstuffed in place"
    }

    fn receive(&mut self, wire: &[u8], chunk: usize, sink: &mut Sink) -> Option<bool> {
        let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject).rejecting_nul();
        let mut buffer = ReceiveBuffer::new(32768);
        let mut rest = wire;
        loop {
            let found = unstuffer.unstuff(buffer.octets_mut());
            if found.consumed() > 0 {
                sink.push(&buffer.octets()[..found.content()]);
                buffer.consume(found.consumed());
                continue;
            }
            match unstuffer.next(buffer.octets()) {
                Span::End(octets) => {
                    buffer.consume(octets);
                    return Some(buffer.is_empty() && rest.is_empty());
                }
                Span::Incomplete if !rest.is_empty() => {
                    let room = buffer.room();
                    let octets = room.len().min(chunk).min(rest.len());
                    room[..octets].copy_from_slice(&rest[..octets]);
                    buffer.received(octets);
                    rest = &rest[octets..];
                }
                _ => return Some(false),
            }
        }
    }

    fn send(&mut self, message: &[u8], sink: &mut Sink) -> Option<()> {
        let mut stuffer = Stuffer::new(line_ends(message));
        let mut wire = Vec::new();
        for piece in message.chunks(16384) {
            wire.clear();
            stuffer.stuff(piece, &mut wire).ok()?;
            sink.push(&wire);
        }
        wire.clear();
        stuffer.finish(&mut wire).ok()?;
        sink.push(&wire);
        Some(())
    }
}

/// The server machine, as it receives content.
pub struct Machined(Arc<server::Config>);

impl Default for Machined {
    fn default() -> Self {
        let limits = server::Limits::default().with_message(1 << 30);
        let config = server::Config::new("mx.example.org").unwrap();
        Self(Arc::new(config.with_limits(limits).with_enforced_sync(false)))
    }
}

impl Subject for Machined {
    fn name(&self) -> &'static str {
        "esmtp, Server"
    }

    fn receive(&mut self, wire: &[u8], chunk: usize, sink: &mut Sink) -> Option<bool> {
        let mut server = Server::new(Arc::clone(&self.0), Peer::UNKNOWN, Security::CLEAR);
        let opening = b"EHLO a.example\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n";
        let (mut opening, mut rest) = (&opening[..], wire);
        loop {
            match server.poll(Instant::ORIGIN) {
                Need::Answer => match server.event().unwrap() {
                    Event::Rcpt(rcpt) => rcpt.accept(),
                    Event::Content(content) => sink.push(content.take()),
                    Event::Deliver(delivery) => {
                        delivery.accept();
                        return Some(rest.is_empty());
                    }
                    other => other.proceed(),
                },
                Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&[][..]; 4];
                    let count = server.to_send(&mut slices);
                    let octets = slices[..count].iter().map(|slice| slice.len()).sum();
                    server.sent(octets);
                }
                Need::Read(_) if !opening.is_empty() => {
                    opening = &opening[server.feed(opening)..];
                }
                Need::Read(_) if rest.is_empty() => return Some(false),
                Need::Read(_) => {
                    let piece = &rest[..rest.len().min(chunk)];
                    rest = &rest[server.feed(piece)..];
                }
                _ => return Some(false),
            }
        }
    }
}

/// The client machine.
pub struct Sending {
    config: Arc<client::Config>,
    envelope: Arc<Envelope>,
    content: Given,
}

/// The form in which the client gets content.
pub enum Given {
    /// A slice whose facts are found each time.
    Slice,
    /// Shared octets whose facts are known.
    Shared(Option<(Bytes, MessageFacts)>),
}

impl Sending {
    pub fn new(content: Given) -> Self {
        let envelope = Envelope::new("john.doe@example.com", ["alice@example.org"]).unwrap();
        let config = Arc::new(client::Config::new("client.example.com").unwrap());
        Self { config, envelope: Arc::new(envelope), content }
    }
}

impl Subject for Sending {
    fn name(&self) -> &'static str {
        match self.content {
            Given::Slice => "esmtp, Client, slice",
            Given::Shared(_) => "esmtp, Client, Bytes with facts known",
        }
    }

    fn deliver(&mut self, messages: usize, script: &Script<'_>, sink: &mut Sink) -> Option<usize> {
        if let Given::Shared(known @ None) = &mut self.content {
            let message = Bytes::copy_from_slice(script.message);
            let facts = MessageFacts::scan_bytes(&message);
            *known = Some((message, facts));
        }
        let mut client = Client::new(Arc::clone(&self.config), Security::CLEAR);
        let (mut sent, mut begun) = (0, 0);
        let mut replies = script.replies(messages);
        let (mut slice, mut shared) = (&[][..], Bytes::new());
        loop {
            match client.poll(Instant::ORIGIN) {
                Need::Answer => match client.event().unwrap() {
                    client::Event::Ready(ready) if begun < messages => {
                        begun += 1;
                        let facts = match &self.content {
                            Given::Shared(Some((message, facts))) => {
                                shared = message.clone();
                                facts.clone()
                            }
                            _ => {
                                slice = script.message;
                                MessageFacts::scan(slice)
                            }
                        };
                        ready.send(Arc::clone(&self.envelope), facts).ok()?;
                    }
                    client::Event::Content(mut content) => {
                        match self.content {
                            Given::Slice => slice = &slice[content.write(slice).ok()?..],
                            Given::Shared(_) => {
                                content.write_bytes(&mut shared).ok()?;
                            }
                        }
                        if slice.is_empty() && shared.is_empty() {
                            content.finish().ok()?;
                        }
                    }
                    client::Event::Sent(report) => {
                        sent += usize::from(report.take().is_delivered_to_all());
                    }
                    other => other.quit(),
                },
                Need::Wait(_) => return None,
                Need::Close => return Some(sent),
                Need::Read(_) | Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&[][..]; 16];
                    let count = client.to_send(&mut slices);
                    let octets: usize = slices[..count].iter().map(|slice| slice.len()).sum();
                    slices[..count].iter().for_each(|slice| sink.push(slice));
                    match octets {
                        0 => match replies.next() {
                            Some(reply) => assert_eq!(client.feed(reply), reply.len()),
                            None => return Some(sent),
                        },
                        _ => client.sent(octets),
                    }
                }
            }
        }
    }

    fn idle(&mut self) -> Option<Box<dyn Any>> {
        if matches!(self.content, Given::Slice) {
            return None;
        }
        let mut client = Client::new(Arc::clone(&self.config), Security::CLEAR);
        let mut replies = Script { message: b"" }.replies(0);
        loop {
            match client.poll(Instant::ORIGIN) {
                Need::Answer => match client.event().unwrap() {
                    client::Event::Ready(ready) => {
                        ready.wait();
                        break;
                    }
                    other => other.quit(),
                },
                Need::Read(_) | Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&[][..]; 4];
                    let count = client.to_send(&mut slices);
                    let octets = slices[..count].iter().map(|slice| slice.len()).sum();
                    match octets {
                        0 => drop(client.feed(replies.next()?)),
                        _ => client.sent(octets),
                    }
                }
                _ => return None,
            }
        }
        let _ = client.poll(Instant::ORIGIN);
        client.release();
        Some(Box::new(client))
    }
}
