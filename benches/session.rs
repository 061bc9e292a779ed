//! A whole session in memory: what a client says goes through the server in pieces as a socket
//! gives them, and every question is answered at once. Allocations are counted.

#![allow(clippy::std_instead_of_alloc, reason = "a bench has std")]

use divan::{
    AllocProfiler, Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use esmtp::{
    machine::{Machine, Need},
    security::Security,
    server::{Config, Event, Peer, Server},
    time::Instant,
};
use std::sync::Arc;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const PIECE: usize = 16 * 1024;

/// What a pipelining client says: so many messages of so many octets, each to so many
/// recipients.
fn client(messages: usize, octets: usize, recipients: usize) -> Vec<u8> {
    let line = "All work and no play makes Jack a dull boy, and Jill a rich widow.\r\n";
    let mut said = b"EHLO client.example.net\r\n".to_vec();
    for _ in 0..messages {
        said.extend(b"MAIL FROM:<ann@example.org> SIZE=1000 BODY=8BITMIME\r\n");
        for recipient in 0..recipients {
            said.extend(format!("RCPT TO:<user{recipient}@example.net>\r\n").bytes());
        }
        said.extend(b"DATA\r\n");
        said.extend(line.bytes().cycle().take(octets - octets % line.len()));
        said.extend(b".\r\n");
    }
    said.extend(b"QUIT\r\n");
    said
}

/// Returns how many messages were delivered, and how many octets of content.
fn hold(config: &Arc<Config>, said: &[u8]) -> (usize, usize) {
    let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
    let (mut delivered, mut content, mut fed) = (0, 0, 0);
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => match server.event() {
                Some(Event::Rcpt(rcpt)) => rcpt.accept(),
                Some(Event::Content(octets)) => content += black_box(octets.take()).len(),
                Some(Event::Deliver(delivery)) => {
                    delivered += 1;
                    delivery.accept();
                }
                Some(other) => other.proceed(),
                None => unreachable!(),
            },
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 8];
                let count = server.to_send(&mut slices);
                let octets = slices.iter().take(count).map(|slice| black_box(slice).len()).sum();
                server.sent(octets);
            }
            Need::Read(_) => {
                let piece = said.get(fed..said.len().min(fed + PIECE)).unwrap_or_default();
                fed += server.feed(piece);
            }
            Need::Wait(_) => unreachable!(),
            Need::Close => return (delivered, content),
        }
    }
}

fn bench(bencher: Bencher<'_, '_>, messages: usize, octets: usize, recipients: usize) {
    let Ok(config) = Config::new("mx.example.org") else { unreachable!() };
    let (config, said) = (Arc::new(config), client(messages, octets, recipients));
    assert_eq!(hold(&config, &said).0, messages);
    bencher
        .counter(ItemsCount::new(messages))
        .counter(BytesCount::new(said.len()))
        .bench_local(|| hold(&config, black_box(&said)));
}

/// 100 messages of 2 KiB over one connection.
#[divan::bench]
fn small_messages(bencher: Bencher<'_, '_>) {
    bench(bencher, 100, 2048, 1);
}

/// One connection, one message of 2 KiB: what opening a session costs.
#[divan::bench]
fn one_message(bencher: Bencher<'_, '_>) {
    bench(bencher, 1, 2048, 1);
}

#[divan::bench]
fn message_of_4_mib(bencher: Bencher<'_, '_>) {
    bench(bencher, 1, 4 << 20, 1);
}

#[divan::bench]
fn thousand_recipients(bencher: Bencher<'_, '_>) {
    bench(bencher, 1, 2048, 1000);
}
