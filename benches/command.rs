//! Command lines, parsed and encoded. Parsing must not allocate: the allocations are counted.
//!
//! `mix` takes a buffer of lines one after the other, as a server does; `limit` finds the same
//! lines and their verbs and looks at nothing else, which is less than any parser must do.

#![allow(clippy::indexing_slicing, reason = "a bench says what went wrong by failing")]

use divan::{
    AllocProfiler, Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use esmtp::syntax::{Command, Extension, Extensions, Lenience, MailParameters, RcptParameters};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const LINES: [&str; 8] = [
    "EHLO mail.example.net",
    "MAIL FROM:<>",
    "MAIL FROM:<ann.bloggs+list@mail.example.org> SIZE=123456 BODY=8BITMIME",
    "MAIL FROM:<bounce@example.org> SIZE=4483870 RET=FULL ENVID=QQ470940881703 SMTPUTF8",
    "RCPT TO:<bob@example.net>",
    "RCPT TO:<\"john \\\"q\\\" doe\"@[IPv6:2001:db8::1]>",
    "DATA",
    "XYZZY with an argument",
];

const MIXES: [&str; 4] = ["all", "common", "mail_with_parameters", "rcpt"];

/// Returns a thousand lines with their line ends.
fn mix(name: &str) -> Vec<u8> {
    let hosts = ["example.net", "mail.example.org", "a.b.c.example.co.uk", "xn--bcher-kva.example"];
    let users = ["bob", "ann.bloggs+list", "j_smith1984", "no-reply", "first.middle.last"];
    let mut lines = Vec::new();
    for number in 0..1000 {
        let (host, user) = (hosts[number % hosts.len()], users[number % users.len()]);
        let mail = format!("MAIL FROM:<{user}@{host}> SIZE={number}{number} BODY=8BITMIME");
        let rcpt = format!("RCPT TO:<{user}{number}@{host}>");
        let common = || match number % 10 {
            0 => format!("EHLO {host}"),
            1 | 2 => mail.clone(),
            3..=6 => rcpt.clone(),
            7 => "DATA".to_owned(),
            8 => "RSET".to_owned(),
            _ => "QUIT".to_owned(),
        };
        let line = match name {
            "rcpt" => rcpt,
            "mail_with_parameters" => mail,
            "all" if number % 3 == 0 => match number % 8 {
                0 => format!("{mail} RET=HDRS ENVID=QQ{number} SMTPUTF8"),
                1 => format!("{rcpt} NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@{host}"),
                2 => format!("BDAT {number} LAST"),
                3 => "AUTH PLAIN AGpvaG4uZG9lQGV4YW1wbGUuY29tAGNvcnJlY3QtaG9yc2U=".to_owned(),
                4 => "MAIL FROM:<>".to_owned(),
                5 => format!("RCPT TO:<\"{user} x\"@[IPv6:2001:db8::{number}]>"),
                6 => format!("RCPT TO:<{user}@[198.51.100.254]>"),
                _ => "STARTTLS".to_owned(),
            },
            _ => common(),
        };
        lines.extend(line.into_bytes());
        lines.extend(b"\r\n");
    }
    lines
}

fn bench_mix(bencher: Bencher<'_, '_>, name: &str, look: impl Fn(&[u8])) {
    let lines = mix(name);
    bencher.counter(ItemsCount::new(1000_u32)).bench_local(|| {
        let mut rest = black_box(&lines[..]);
        while let Some(end) = memchr::memchr(b'\n', rest) {
            look(&rest[..end - 1]);
            rest = &rest[end + 1..];
        }
    });
}

#[divan::bench(name = "mix_limit", args = MIXES)]
fn limit(bencher: Bencher<'_, '_>, name: &str) {
    bench_mix(bencher, name, |line| {
        let verb = match &line[..4] {
            b"EHLO" => 0,
            b"HELO" => 1,
            b"MAIL" => 2,
            b"RCPT" => 3,
            b"DATA" => 4,
            b"BDAT" => 5,
            b"RSET" => 6,
            b"NOOP" => 7,
            b"QUIT" => 8,
            b"AUTH" => 9,
            b"STAR" => 10,
            _ => 11,
        };
        black_box(verb);
    });
}

#[divan::bench(name = "mix_parse", args = MIXES)]
fn parse_mix(bencher: Bencher<'_, '_>, name: &str) {
    bench_mix(bencher, name, |line| {
        assert!(black_box(Command::parse(line, Lenience::default())).is_ok());
    });
}

/// Parses MAIL and RCPT with what the parameters mean, as a server must know it.
#[divan::bench(name = "mix_parse_parameters", args = MIXES)]
fn parse_parameters(bencher: Bencher<'_, '_>, name: &str) {
    let offered: Extensions = Extension::ALL.iter().copied().collect();
    bench_mix(bencher, name, |line| match Command::parse(line, Lenience::default()) {
        Ok(Command::Mail { parameters, .. }) => {
            assert!(black_box(MailParameters::parse(&parameters, &offered)).is_ok());
        }
        Ok(Command::Rcpt { parameters, .. }) => {
            assert!(black_box(RcptParameters::parse(&parameters, &offered)).is_ok());
        }
        other => assert!(black_box(other).is_ok()),
    });
}

#[divan::bench(args = LINES)]
fn parse(bencher: Bencher<'_, '_>, line: &str) {
    let lenience = Lenience::default();
    bencher
        .counter(BytesCount::of_str(line))
        .bench_local(|| assert!(Command::parse(black_box(line.as_bytes()), lenience).is_ok()));
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
