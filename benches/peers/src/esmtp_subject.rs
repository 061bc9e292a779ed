//! esmtp through its public API, as a user would call it.
use crate::api::*;
use crate::inputs::Lines;
use bytes::Bytes;
use esmtp::{
    client::{self, Client, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server::{self, Peer, Server},
    syntax::{Command, Extension, Extensions, Lenience, MailParameters, RcptParameters, Reply},
    time::Instant,
    wire::{BareLineBreaks, LineEnds, ReceiveBuffer, Span, Stuffer, Unstuffer},
};
use std::hint::black_box;
use std::sync::Arc;

fn line(x: &[u8]) -> &[u8] { x.strip_suffix(b"\r\n").unwrap_or(x) }
fn all() -> Extensions { Extension::ALL.iter().copied().collect() }

/// Command::parse alone (parameters validated as esmtp-params, lazily read).
pub struct Esmtp { offered: Extensions, server: Arc<server::Config>, }
impl Default for Esmtp { fn default() -> Self { Esmtp { offered: all(), server: Arc::new(server::Config::new("mx.example.org").unwrap()) } } }
impl Subject for Esmtp {
    fn name(&self) -> &'static str { "ESMTP" }
    fn commands(&mut self, l: &Lines) -> Option<usize> {
        let mut ok = 0;
        for x in l.iter() { ok += black_box(Command::parse(line(x), Lenience::default())).is_ok() as usize; }
        Some(ok)
    }
    fn replies(&mut self, l: &Lines) -> Option<usize> {
        let mut ok = 0;
        for x in l.iter() { ok += matches!(black_box(Reply::parse(x)), Ok(Some(_))) as usize; }
        Some(ok)
    }
    /// Lent: a window on the receive buffer; what stays unconsumed is seen again (as ReceiveBuffer does).
    fn data_recv(&mut self, wire: &[u8], chunk: usize, sink: &mut Sink) -> Option<bool> {
        lent(Unstuffer::new(BareLineBreaks::Reject), wire, chunk, sink)
    }
    fn data_send(&mut self, msg: &[u8], sink: &mut Sink) -> Option<usize> {
        // lent: pieces of a Bytes (made once per message outside what a sender would copy: the caller has Bytes)
        LENT_MSG.with(|m| {
            let mut m = m.borrow_mut();
            if m.len() != msg.len() || m.get(..64) != msg.get(..64) { *m = Bytes::copy_from_slice(msg); }
            let b0 = sink.bytes;
            let mut s = Stuffer::new(ends(msg));
            for at in (0..m.len()).step_by(16384) {
                let c = m.slice(at..m.len().min(at + 16384));
                s.stuff_bytes(c, |p| sink.push(&p)).ok()?;
            }
            let mut tail = Vec::new(); s.finish(&mut tail).ok()?; sink.push(&tail);
            Some(sink.bytes - b0)
        })
    }
    fn session(&mut self, n: usize, d: &Dialogue, out: &mut Vec<u8>) -> Option<SessionStats> { session(&self.server, n, d, out) }
    fn idle(&mut self) -> Option<(usize, Box<dyn std::any::Any>)> {
        let mut s = Server::new(Arc::clone(&self.server), Peer::UNKNOWN, Security::CLEAR);
        let mut out = Vec::new(); let mut st = (0, 0);
        run(&mut s, b"", &mut out, &mut st); run(&mut s, b"EHLO client.example.com\r\n", &mut out, &mut st);
        s.release(); drop(out);
        Some((std::mem::size_of_val(&s), Box::new(s)))
    }
}
thread_local! { static LENT_MSG: std::cell::RefCell<Bytes> = const { std::cell::RefCell::new(Bytes::new()) }; }
fn ends(msg: &[u8]) -> LineEnds { match memchr::memchr(b'\n', msg) { Some(p) if p > 0 && msg[p - 1] == b'\r' => LineEnds::Strict, _ => LineEnds::FromLf } }
fn lent(mut u: Unstuffer, wire: &[u8], chunk: usize, sink: &mut Sink) -> Option<bool> {
    let (mut at, mut there) = (0, wire.len().min(chunk));
    loop {
        if at == there && there < wire.len() { there = wire.len().min(there + chunk); } // empty: nothing to ask about
        match u.next(&wire[at..there]) {
            Span::Content(n) => { sink.push(&wire[at..at + n]); at += n; }
            Span::Skip(n) => at += n,
            Span::End(n) => return Some(at + n == wire.len()),
            Span::Incomplete => { if there == wire.len() { return Some(false); } there = wire.len().min(there + chunk); }
            _ => return Some(false),
        }
    }
}
/// Drives the server with `said` until it wants more.
fn run(s: &mut Server, mut said: &[u8], out: &mut Vec<u8>, st: &mut (usize, usize)) {
    loop {
        match s.poll(Instant::ORIGIN) {
            Need::Answer => match s.event().unwrap() {
                server::Event::Rcpt(r) => r.accept(),
                server::Event::Content(c) => { st.1 += black_box(c.take()).len(); }
                server::Event::Deliver(d) => { st.0 += 1; d.accept(); }
                other => other.proceed(),
            },
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 4];
                let n = s.to_send(&mut slices);
                let mut k = 0;
                for x in &slices[..n] { out.extend_from_slice(x); k += x.len(); }
                s.sent(k);
            }
            Need::Read(_) => {
                if said.is_empty() { return; }
                let room = s.receive_buffer();
                let k = room.len().min(said.len()).min(16384);
                room[..k].copy_from_slice(&said[..k]);
                s.received(k);
                said = &said[k..];
            }
            Need::Wait(_) => unreachable!(),
            Need::Close => return,
        }
    }
}
fn session(config: &Arc<server::Config>, n: usize, d: &Dialogue, out: &mut Vec<u8>) -> Option<SessionStats> {
    let mut s = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
    let mut st = (0, 0);
    run(&mut s, b"", out, &mut st);
    run(&mut s, &d.ehlo, out, &mut st);
    for _ in 0..n {
        run(&mut s, &d.mail, out, &mut st); run(&mut s, &d.rcpt, out, &mut st); run(&mut s, &d.data, out, &mut st);
        run(&mut s, &d.body, out, &mut st);
    }
    run(&mut s, &d.quit, out, &mut st);
    assert_eq!(st.0, n);
    Some(SessionStats { replies: 3 + 4 * n, body: st.1 })
}
/// With what the parameters mean (typed, owned): what a server must know, and what smtp-proto's parse gives.
pub struct EsmtpTyped(Extensions);
impl Default for EsmtpTyped { fn default() -> Self { EsmtpTyped(all()) } }
impl Subject for EsmtpTyped {
    fn name(&self) -> &'static str { "ESMTP typed parameters / Extensions / NUL too" }
    fn commands(&mut self, l: &Lines) -> Option<usize> {
        let mut ok = 0;
        for x in l.iter() {
            ok += match Command::parse(line(x), Lenience::default()) {
                Ok(Command::Mail { parameters, reverse_path }) => { black_box(reverse_path); black_box(MailParameters::parse(&parameters, &self.0)).is_ok() }
                Ok(Command::Rcpt { parameters, forward_path }) => { black_box(forward_path); black_box(RcptParameters::parse(&parameters, &self.0)).is_ok() }
                c => black_box(c).is_ok(),
            } as usize;
        }
        Some(ok)
    }
    fn replies(&mut self, l: &Lines) -> Option<usize> {
        if l.name != "ehlo" { return None; }
        let mut ok = 0;
        for x in l.iter() { if let Ok(Some((r, _))) = Reply::parse(x) { black_box(Extensions::parse(&r)); ok += 1; } }
        Some(ok)
    }
    fn data_recv(&mut self, wire: &[u8], chunk: usize, sink: &mut Sink) -> Option<bool> {
        lent(Unstuffer::new(BareLineBreaks::Reject).rejecting_nul(), wire, chunk, sink)
    }
}
/// By copy: content through ReceiveBuffer (copied in as from a socket), output into a Vec.
#[derive(Default)]
pub struct EsmtpCopy(Vec<u8>);
impl Subject for EsmtpCopy {
    fn name(&self) -> &'static str { "ESMTP copied (ReceiveBuffer / Vec)" }
    fn data_recv(&mut self, wire: &[u8], chunk: usize, sink: &mut Sink) -> Option<bool> {
        let mut u = Unstuffer::new(BareLineBreaks::Reject);
        let mut b = ReceiveBuffer::new(32768);
        let mut rest = wire;
        loop {
            match u.next(b.octets()) {
                Span::Content(n) => { sink.push(&b.octets()[..n]); b.consume(n); }
                Span::Skip(n) => b.consume(n),
                Span::End(n) => { b.consume(n); return Some(b.is_empty() && rest.is_empty()); }
                Span::Incomplete => {
                    if rest.is_empty() { return Some(false); }
                    let room = b.room(); let k = room.len().min(chunk).min(rest.len());
                    room[..k].copy_from_slice(&rest[..k]); b.received(k); rest = &rest[k..];
                }
                _ => return Some(false),
            }
        }
    }
    fn data_send(&mut self, msg: &[u8], sink: &mut Sink) -> Option<usize> {
        let b0 = sink.bytes;
        let mut s = Stuffer::new(ends(msg));
        for c in msg.chunks(16384) { self.0.clear(); s.stuff(c, &mut self.0).ok()?; sink.push(&self.0); }
        self.0.clear(); s.finish(&mut self.0).ok()?; sink.push(&self.0);
        Some(sink.bytes - b0)
    }
}
/// The server machine itself: what a user of Server gets for content (strict, NUL refused, limits, deadlines).
pub struct EsmtpMachine(Arc<server::Config>, Vec<u8>);
impl Default for EsmtpMachine { fn default() -> Self {
    let c = server::Config::new("mx.example.org").unwrap();
    EsmtpMachine(Arc::new(c.with_limits(server::Limits::default().with_message(1 << 30)).with_enforced_sync(false)), Vec::new()) } }
impl Subject for EsmtpMachine {
    fn name(&self) -> &'static str { "ESMTP Server machine" }
    fn data_recv(&mut self, wire: &[u8], chunk: usize, sink: &mut Sink) -> Option<bool> {
        let mut s = Server::new(Arc::clone(&self.0), Peer::UNKNOWN, Security::CLEAR);
        let mut st = (0, 0);
        self.1.clear();
        run(&mut s, b"", &mut self.1, &mut st);
        run(&mut s, b"EHLO a.example\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n", &mut self.1, &mut st);
        let mut rest = wire;
        loop {
            match s.poll(Instant::ORIGIN) {
                Need::Answer => match s.event().unwrap() {
                    server::Event::Content(c) => sink.push(c.take()),
                    server::Event::Deliver(d) => { d.accept(); return Some(rest.is_empty()); }
                    other => other.proceed(),
                },
                Need::Write(_) | Need::Either(_) => { let mut sl = [&[][..]; 4]; let n = s.to_send(&mut sl); let k = sl[..n].iter().map(|x| x.len()).sum(); s.sent(k); }
                Need::Read(_) => {
                    if rest.is_empty() { return Some(false); }
                    let room = s.receive_buffer(); let k = room.len().min(chunk).min(rest.len());
                    room[..k].copy_from_slice(&rest[..k]); s.received(k); rest = &rest[k..];
                }
                _ => return Some(false),
            }
        }
    }
    /// Pipelined: the whole session is there at once.
    fn session(&mut self, n: usize, d: &Dialogue, out: &mut Vec<u8>) -> Option<SessionStats> {
        let mut said = d.ehlo.clone();
        for _ in 0..n { for p in [&d.mail, &d.rcpt, &d.data, &d.body] { said.extend_from_slice(p); } }
        said.extend_from_slice(&d.quit);
        let mut s = Server::new(Arc::clone(&self.0), Peer::UNKNOWN, Security::CLEAR);
        let mut st = (0, 0);
        run(&mut s, b"", out, &mut st); run(&mut s, &said, out, &mut st);
        assert_eq!(st.0, n);
        Some(SessionStats { replies: 3 + 4 * n, body: st.1 })
    }
}
// ---------------------------------------------------------------- client
pub struct EsmtpClient { config: Arc<client::Config>, envelope: Arc<Envelope>, how: How, facts: Option<MessageFacts>, msg: Bytes }
#[derive(Clone, Copy, PartialEq)]
pub enum How { /// by Content::write (copy), facts scanned each time: what `send(envelope, &[u8])` does
    Write, /// Bytes, facts known
    Bytes }
impl EsmtpClient { pub fn new(how: How) -> Self { EsmtpClient { config: Arc::new(client::Config::new("client.example.com").unwrap()), envelope: Arc::new(Envelope::new("john.doe@example.com", ["alice@example.org"]).unwrap()), how, facts: None, msg: Bytes::new() } } }
impl Subject for EsmtpClient {
    fn name(&self) -> &'static str { match self.how { How::Write => "ESMTP Client (slice, scanned each time)", How::Bytes => "ESMTP Client (Bytes, facts known)" } }
    fn client(&mut self, n: usize, d: &ClientScript, sink: &mut Sink) -> Option<usize> {
        if self.how == How::Bytes && self.facts.is_none() { self.facts = Some(MessageFacts::scan(d.msg)); self.msg = Bytes::copy_from_slice(d.msg); }
        let mut c = Client::new(Arc::clone(&self.config), Security::CLEAR);
        let (mut sent, mut begun) = (0, 0);
        let mut replies = d.replies(n);
        let (mut left, mut rest): (&[u8], Bytes) = (&[], Bytes::new());
        loop {
            match c.poll(Instant::ORIGIN) {
                Need::Answer => match c.event().unwrap() {
                    client::Event::Ready(r) if begun < n => {
                        begun += 1;
                        let facts = match &self.facts { Some(f) => f.clone(), None => MessageFacts::scan(d.msg) };
                        r.send(Arc::clone(&self.envelope), facts).ok()?;
                        left = d.msg; rest = self.msg.clone();
                    }
                    client::Event::Content(mut k) => match self.how {
                        How::Write => { let w = k.write(left).ok()?; left = &left[w..]; if left.is_empty() { k.finish().ok()?; } }
                        How::Bytes => { k.write_bytes(&mut rest).ok()?; if rest.is_empty() { k.finish().ok()?; } }
                    },
                    client::Event::Sent(s) => { if s.take().is_delivered_to_all() { sent += 1; } else { return None; } }
                    other => other.quit(),
                },
                Need::Write(_) | Need::Either(_) if { let mut sl = [&[][..]; 16]; let k = c.to_send(&mut sl); let mut o = 0; for x in &sl[..k] { sink.push(x); o += x.len(); } if o > 0 { c.sent(o); } o > 0 } => {}
                Need::Read(_) | Need::Either(_) | Need::Write(_) => {
                    let Some(r) = replies.next() else { return Some(sent) };
                    let room = c.receive_buffer(); room[..r.len()].copy_from_slice(r); c.received(r.len());
                }
                Need::Wait(_) => return None,
                Need::Close => return Some(sent),
            }
        }
    }
    fn idle(&mut self) -> Option<(usize, Box<dyn std::any::Any>)> {
        if self.how == How::Write { return None; }
        let mut c = Client::new(Arc::clone(&self.config), Security::CLEAR);
        let mut r = [&b"220 mx.example.org ESMTP\r\n"[..], b"250-mx.example.org\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"].into_iter();
        loop {
            match c.poll(Instant::ORIGIN) {
                Need::Answer => match c.event().unwrap() { client::Event::Ready(r) => { r.wait(); break } other => other.quit() },
                Need::Write(_) | Need::Either(_) => { let mut sl = [&[][..]; 4]; let k = c.to_send(&mut sl); let o: usize = sl[..k].iter().map(|x| x.len()).sum(); if o == 0 { let x = r.next()?; c.feed(x); } else { c.sent(o); } }
                Need::Read(_) => { let x = r.next()?; c.feed(x); }
                _ => return None,
            }
        }
        let _ = c.poll(Instant::ORIGIN); c.release();
        Some((std::mem::size_of_val(&c), Box::new(c)))
    }
}
