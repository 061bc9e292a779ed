//! A whole session in memory, from greeting to QUIT: a client machine and a server machine, and
//! the octets between them copied as a socket would. Allocations are counted.
//!
//! `limit` copies as many octets of content once, 16 KiB at a time: no session can do less. The
//! `server` benches are one machine alone, against what a client said before; the difference of
//! its figures for one message and for a hundred is what a further message costs.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    reason = "a bench has std, and says what went wrong by failing"
)]

use bytes::Bytes;
use divan::{
    AllocProfiler, Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use esmtp::{
    client::{self, Client, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server::{self, Peer, Server},
    syntax::Extension,
    time::Instant,
};
use std::sync::Arc;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const PIECE: usize = 16 * 1024;
const MEGABYTES: usize = 5 * 1024 * 1024;

/// Whether content goes after BDAT or after DATA.
const FRAMINGS: [&str; 2] = ["bdat", "data"];

fn message(octets: usize) -> Bytes {
    let line = b"All work and no play makes Jack a dull boy, and Jill a rich widow.\r\n";
    line.iter().copied().cycle().take(octets - octets % line.len()).collect()
}

fn envelope(recipients: usize) -> Arc<Envelope> {
    let recipients: Vec<_> = (0..recipients).map(|it| format!("user{it}@example.net")).collect();
    let recipients: Vec<_> = recipients.iter().map(String::as_str).collect();
    Arc::new(Envelope::new("ann@example.org", &recipients).unwrap())
}

fn server(framing: &str) -> Arc<server::Config> {
    let config = server::Config::new("mx.example.org").unwrap();
    let offered = config.extensions().clone();
    Arc::new(match framing {
        "bdat" => config,
        _ => config
            .with_extensions(offered.without(Extension::Chunking).without(Extension::BinaryMime)),
    })
}

/// The octets that a server has received.
#[derive(Default)]
struct Heard {
    messages: usize,
    octets: usize,
}

impl Heard {
    fn answer(&mut self, event: server::Event<'_>) {
        match event {
            server::Event::Rcpt(rcpt) => rcpt.accept(),
            server::Event::Content(content) => self.octets += black_box(content.take()).len(),
            server::Event::Deliver(delivery) => {
                self.messages += 1;
                delivery.accept();
            }
            other => other.proceed(),
        }
    }
}

/// Carries what waits to be sent, as far as the other side has room; returns whether there was something.
fn carry(from: &mut impl Machine, to: &mut impl Machine) -> bool {
    let mut slices = [&[][..]; 16];
    let count = from.to_send(&mut slices);
    let mut carried = 0;
    for slice in &slices[..count] {
        let octets = to.feed(slice);
        carried += octets;
        if octets < slice.len() {
            break;
        }
    }
    from.sent(carried);
    carried > 0
}

/// Sends the message this many times, each with the same envelope.
fn hold(
    server: &Arc<server::Config>,
    client: &Arc<client::Config>,
    envelope: &Arc<Envelope>,
    (message, facts): (&Bytes, &MessageFacts),
    mut messages: usize,
) -> Heard {
    let mut server = Server::new(Arc::clone(server), Peer::UNKNOWN, Security::CLEAR);
    let mut client = Client::new(Arc::clone(client), Security::CLEAR);
    let (mut heard, mut rest) = (Heard::default(), message.clone());
    loop {
        let needed = server.poll(Instant::ORIGIN);
        if needed == Need::Answer {
            heard.answer(server.event().unwrap());
        }
        let mut goes_on = carry(&mut server, &mut client) || needed == Need::Answer;
        match client.poll(Instant::ORIGIN) {
            Need::Answer => match client.event().unwrap() {
                client::Event::Ready(ready) if messages > 0 => {
                    messages -= 1;
                    rest = message.clone();
                    assert!(ready.send(Arc::clone(envelope), facts.clone()).is_ok());
                }
                client::Event::Content(mut content) => {
                    assert!(content.write_bytes(&mut rest).is_ok());
                    if rest.is_empty() {
                        assert!(content.finish().is_ok());
                    }
                }
                client::Event::Sent(sent) => assert!(sent.take().is_delivered_to_all()),
                other => other.quit(),
            },
            Need::Close => return heard,
            _ => goes_on |= carry(&mut client, &mut server),
        }
        assert!(goes_on || needed != Need::Close, "both wait");
    }
}

fn bench(
    bencher: Bencher<'_, '_>,
    framing: &str,
    (messages, octets, recipients): (usize, usize, usize),
) {
    let (server, envelope, message) = (server(framing), envelope(recipients), message(octets));
    let client = Arc::new(client::Config::new("client.example.net").unwrap());
    let facts = MessageFacts::scan(&message);
    let heard = hold(&server, &client, &envelope, (&message, &facts), messages);
    assert_eq!((heard.messages, heard.octets), (messages, messages * message.len()));
    bencher
        .counter(ItemsCount::new(messages))
        .counter(BytesCount::new(messages * message.len()))
        .bench_local(|| {
            hold(&server, &client, &envelope, (black_box(&message), &facts), messages).messages
        });
}

/// Sends one message of 4 KiB in a session of its own.
#[divan::bench(args = FRAMINGS)]
fn one_message(bencher: Bencher<'_, '_>, framing: &str) {
    bench(bencher, framing, (1, 4096, 1));
}

/// Sends a hundred messages of 4 KiB in one session.
#[divan::bench(args = FRAMINGS)]
fn hundred_messages(bencher: Bencher<'_, '_>, framing: &str) {
    bench(bencher, framing, (100, 4096, 1));
}

#[divan::bench(args = FRAMINGS)]
fn hundred_recipients(bencher: Bencher<'_, '_>, framing: &str) {
    bench(bencher, framing, (1, 4096, 100));
}

#[divan::bench(args = FRAMINGS)]
fn message_of_5_mib(bencher: Bencher<'_, '_>, framing: &str) {
    bench(bencher, framing, (1, MEGABYTES, 1));
}

/// Scans a message for what a client must know before it is sent.
#[divan::bench(args = [4096, MEGABYTES])]
fn facts(bencher: Bencher<'_, '_>, octets: usize) {
    let message = message(octets);
    bencher
        .counter(BytesCount::new(message.len()))
        .bench_local(|| MessageFacts::scan(black_box(&message)));
}

#[divan::bench(args = [4096, 100 * 4096, MEGABYTES])]
fn limit(bencher: Bencher<'_, '_>, octets: usize) {
    let message = message(octets);
    let mut into = vec![0; PIECE];
    bencher.counter(BytesCount::new(message.len())).bench_local(|| {
        for piece in message.chunks(PIECE) {
            into[..piece.len()].copy_from_slice(piece);
            black_box(&into);
        }
    });
}

// ------------------------------------------------------------------------ the server alone

/// Returns a server for a client that waits for nothing.
fn patient() -> Arc<server::Config> {
    Arc::new(server::Config::clone(&server("data")).with_enforced_sync(false))
}

/// Returns the octets of a client that pipelines, all at once.
fn said(messages: usize, octets: usize) -> Vec<u8> {
    let mut said = b"EHLO client.example.net\r\n".to_vec();
    for _ in 0..messages {
        said.extend(b"MAIL FROM:<ann@example.org> SIZE=4000 BODY=8BITMIME\r\n");
        said.extend(b"RCPT TO:<bob@example.net>\r\nDATA\r\n");
        said.extend(message(octets));
        said.extend(b".\r\n");
    }
    said.extend(b"QUIT\r\n");
    said
}

fn serve(config: &Arc<server::Config>, said: &[u8]) -> Heard {
    let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
    let (mut heard, mut fed) = (Heard::default(), 0);
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => heard.answer(server.event().unwrap()),
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 8];
                let count = server.to_send(&mut slices);
                let octets = slices[..count].iter().map(|slice| black_box(slice).len()).sum();
                server.sent(octets);
            }
            Need::Read(_) => {
                fed += server.feed(&said[fed..said.len().min(fed + PIECE)]);
            }
            Need::Wait(_) => unreachable!(),
            Need::Close => return heard,
        }
    }
}

#[divan::bench(args = [1, 2, 100])]
fn server_alone(bencher: Bencher<'_, '_>, messages: usize) {
    let (config, said) = (patient(), said(messages, 4096));
    assert_eq!(serve(&config, &said).messages, messages);
    bencher
        .counter(ItemsCount::new(messages))
        .bench_local(|| serve(&config, black_box(&said)).messages);
}

#[divan::bench]
fn server_alone_with_5_mib(bencher: Bencher<'_, '_>) {
    let (config, said) = (patient(), said(1, MEGABYTES));
    assert_eq!(serve(&config, &said).messages, 1);
    bencher
        .counter(BytesCount::new(said.len()))
        .bench_local(|| serve(&config, black_box(&said)).octets);
}
