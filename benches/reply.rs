//! Replies, parsed and encoded. A reply of one line must not allocate when it is parsed: the
//! allocations are counted.
//!
//! `limit` finds the ends of the lines and looks at code and mark, and at nothing else.

#![allow(clippy::indexing_slicing, reason = "a bench says what went wrong by failing")]

use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use esmtp::syntax::{Extensions, Reply};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const EHLO: &str = "250-mx.example.org greets mail.example.net\r\n250-SIZE 33554432\r\n\
    250-8BITMIME\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-DSN\r\n250-SMTPUTF8\r\n\
    250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES\r\n";

const REPLIES: [&str; 4] = ["bare", "accepted", "rejected", "ehlo_of_9_lines"];

fn octets(name: &str) -> &'static [u8] {
    match name {
        "bare" => b"250\r\n",
        "accepted" => b"250 2.1.5 Ok\r\n",
        "rejected" => b"550 5.1.1 No such mailbox here\r\n",
        _ => EHLO.as_bytes(),
    }
}

fn whole(octets: &[u8]) -> Reply<'_> {
    match Reply::parse(octets) {
        Ok(Some((reply, _))) => reply,
        other => unreachable!("the replies are right and whole: {other:?}"),
    }
}

#[divan::bench(args = REPLIES)]
fn limit(bencher: Bencher<'_, '_>, name: &str) {
    let reply = octets(name);
    bencher.counter(BytesCount::new(reply.len())).bench_local(|| {
        let mut rest = black_box(reply);
        while let Some(end) = memchr::memchr(b'\n', rest) {
            black_box(&rest[..4.min(end)]);
            if rest[3] != b'-' {
                break;
            }
            rest = &rest[end + 1..];
        }
    });
}

#[divan::bench(args = REPLIES)]
fn parse(bencher: Bencher<'_, '_>, name: &str) {
    let reply = octets(name);
    bencher.counter(BytesCount::new(reply.len())).bench_local(|| {
        black_box(whole(black_box(reply)));
    });
}

#[divan::bench(args = REPLIES)]
fn encode(bencher: Bencher<'_, '_>, name: &str) {
    let reply = octets(name);
    let parsed = whole(reply);
    let mut into = Vec::with_capacity(1024);
    bencher.counter(BytesCount::new(reply.len())).bench_local(|| {
        into.clear();
        black_box(&parsed).encode(black_box(&mut into));
    });
}

/// Reads what an EHLO reply of nine lines offers, from its octets.
#[divan::bench]
fn extensions(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::of_str(EHLO))
        .bench_local(|| black_box(Extensions::parse(&whole(black_box(EHLO.as_bytes())))));
}
