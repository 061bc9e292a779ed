//! Parsing takes time in proportion to the input, whatever the peer sends: `cargo bench --all-features --bench linear`.
//!
//! For each kind of input it prints how many times as long sixteen times as many octets take. In proportion is about 16; to
//! look at everything again for each octet, word or line would be about 256.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what went wrong by failing"
)]

use core::time::Duration;
use std::time::Instant;

use esmtp::syntax::{Command, Extension, Extensions, Lenience, MailParameters, Reply, Verb};

fn time(mut work: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
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
