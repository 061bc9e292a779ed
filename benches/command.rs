//! Command lines, parsed and encoded. Parsing must not allocate: the allocations are counted.

use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use esmtp::syntax::{Command, Lenience, Verb};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const LINES: [&str; 7] = [
    "EHLO mail.example.net",
    "MAIL FROM:<>",
    "MAIL FROM:<ann.bloggs+list@mail.example.org> SIZE=123456 BODY=8BITMIME",
    "RCPT TO:<bob@example.net>",
    "RCPT TO:<\"john \\\"q\\\" doe\"@[IPv6:2001:db8::1]>",
    "DATA",
    "XYZZY with an argument",
];

#[divan::bench(args = LINES)]
fn parse(bencher: Bencher<'_, '_>, line: &str) {
    let lenience = Lenience::default();
    bencher
        .counter(BytesCount::of_str(line))
        .bench_local(|| assert!(Command::parse(black_box(line.as_bytes()), lenience).is_ok()));
}

#[divan::bench(args = LINES)]
fn verb(bencher: Bencher<'_, '_>, line: &str) {
    bencher.counter(BytesCount::of_str(line)).bench_local(|| Verb::of(black_box(line.as_bytes())));
}

#[divan::bench(args = LINES)]
fn encode(bencher: Bencher<'_, '_>, line: &str) {
    let Ok(command) = Command::parse(line.as_bytes(), Lenience::default()) else {
        unreachable!("the lines are right")
    };
    let mut into = Vec::with_capacity(1024);
    bencher.counter(BytesCount::of_str(line)).bench_local(|| {
        into.clear();
        black_box(&command).encode(black_box(&mut into));
    });
}
