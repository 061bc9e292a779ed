//! Replies, parsed and encoded. A reply of one line must not allocate when it is parsed: the
//! allocations are counted.

use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use esmtp::syntax::{Extensions, Reply};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const EHLO: &str = "250-mx.example.org greets mail.example.net\r\n250-SIZE 33554432\r\n\
    250-8BITMIME\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-DSN\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n\
    250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES\r\n";

const REPLIES: [&str; 4] =
    ["250\r\n", "250 2.1.5 Ok\r\n", "550 5.1.1 No such mailbox here\r\n", EHLO];

fn whole(octets: &[u8]) -> Reply<'_> {
    match Reply::parse(octets) {
        Ok(Some((reply, _))) => reply,
        other => unreachable!("the replies are right and whole: {other:?}"),
    }
}

#[divan::bench(args = REPLIES)]
fn parse(bencher: Bencher<'_, '_>, reply: &str) {
    bencher.counter(BytesCount::of_str(reply)).bench_local(|| {
        black_box(whole(black_box(reply.as_bytes())));
    });
}

#[divan::bench(args = REPLIES)]
fn encode(bencher: Bencher<'_, '_>, reply: &str) {
    let parsed = whole(reply.as_bytes());
    let mut into = Vec::with_capacity(1024);
    bencher.counter(BytesCount::of_str(reply)).bench_local(|| {
        into.clear();
        black_box(&parsed).encode(black_box(&mut into));
    });
}

#[divan::bench]
fn extensions(bencher: Bencher<'_, '_>) {
    let reply = whole(EHLO.as_bytes());
    bencher
        .counter(BytesCount::of_str(EHLO))
        .bench_local(|| black_box(Extensions::parse(black_box(&reply))));
}
