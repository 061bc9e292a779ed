//! Content through the unstuffer and the stuffer, beside a copy of the same octets.
//!
//! What a machine does with content it lends, so the unstuffer's figure may exceed that of the
//! copy where the content does not fit the cache. All of them take 16 KiB at a time.

#![allow(clippy::indexing_slicing, reason = "a bench says what went wrong by failing")]

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use esmtp::wire::{BareLineBreaks, LineEnds, Span, Stuffer, Unstuffer};

fn main() {
    divan::main();
}

const CHUNK: usize = 16 * 1024;
const MESSAGES: [&str; 3] = ["base64", "prose", "dots"];

/// Returns a message of 1 MiB: lines of a base64 attachment, lines of text with ellipses, or lines that
/// all begin with dots.
fn message(name: &str) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut random = |below: u32| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % below
    };
    let mut message = Vec::new();
    while message.len() < 1 << 20 {
        match name {
            "base64" => message.extend((0..76).map(|_| {
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                    [random(64) as usize]
            })),
            "prose" => {
                if random(50) == 0 {
                    message.extend_from_slice(b"... ");
                }
                for _ in 0..random(13) {
                    message.extend((0..1 + random(9)).map(|_| b'a' + random(26) as u8));
                    message.extend_from_slice(if random(8) == 0 { b". " } else { b" " });
                }
            }
            _ => {
                message.push(b'.');
                message.extend((0..59).map(|_| b'a' + random(26) as u8));
            }
        }
        message.extend_from_slice(b"\r\n");
    }
    message
}

fn wire(message: &[u8]) -> Vec<u8> {
    let mut stuffer = Stuffer::new(LineEnds::Strict);
    let mut wire = Vec::new();
    let stuffed = stuffer.stuff(message, &mut wire).and_then(|()| stuffer.finish(&mut wire));
    assert_eq!(stuffed, Ok(()));
    wire
}

#[divan::bench(args = MESSAGES)]
fn copy(bencher: Bencher<'_, '_>, name: &str) {
    let message = message(name);
    let mut into = vec![0; CHUNK];
    bencher.counter(BytesCount::new(message.len())).bench_local(|| {
        for chunk in message.chunks(CHUNK) {
            into.clear();
            into.extend_from_slice(chunk);
            black_box(&into);
        }
    });
}

/// Unstuffs with a policy for bare line breaks each: rejected, normalised, kept, and rejected with NULs, which is
/// what a server does unless told otherwise.
#[divan::bench(args = MESSAGES, consts = [0, 1, 2, 3])]
fn unstuff<const POLICY: usize>(bencher: Bencher<'_, '_>, name: &str) {
    let first = match POLICY {
        0 => Unstuffer::new(BareLineBreaks::Reject),
        1 => Unstuffer::new(BareLineBreaks::Normalise),
        2 => Unstuffer::new(BareLineBreaks::Keep),
        _ => Unstuffer::new(BareLineBreaks::Reject).rejecting_nul(),
    };
    let message = message(name);
    let wire = wire(&message);
    bencher.counter(BytesCount::new(wire.len())).bench_local(|| {
        let mut unstuffer = first.clone();
        let (mut at, mut there) = (0, CHUNK);
        let mut octets = 0;
        loop {
            at += match unstuffer.next(&wire[at..there]) {
                Span::Content(content) => {
                    octets += black_box(&wire[at..at + content]).len();
                    content
                }
                Span::Skip(skipped) => skipped,
                Span::End(_) => break,
                Span::Incomplete => {
                    there = wire.len().min(there + CHUNK);
                    0
                }
                Span::LineBreak(_) | Span::Bare(_) | Span::Nul(_) => unreachable!(),
            }
        }
        assert_eq!(octets, message.len());
    });
}

#[divan::bench(args = MESSAGES)]
fn stuff(bencher: Bencher<'_, '_>, name: &str) {
    bench_stuff(bencher, &message(name), LineEnds::Strict);
}

/// Stuffs the lines with LF alone.
#[divan::bench(args = MESSAGES)]
fn stuff_from_lf(bencher: Bencher<'_, '_>, name: &str) {
    let mut message = message(name);
    message.retain(|octet| *octet != b'\r');
    bench_stuff(bencher, &message, LineEnds::FromLf);
}

fn bench_stuff(bencher: Bencher<'_, '_>, message: &[u8], line_ends: LineEnds) {
    let mut into = Vec::new();
    bencher.counter(BytesCount::new(message.len())).bench_local(|| {
        let mut stuffer = Stuffer::new(line_ends);
        for chunk in message.chunks(CHUNK) {
            into.clear();
            let stuffed = stuffer.stuff(chunk, &mut into);
            assert_eq!(stuffed, Ok(()));
            black_box(&into);
        }
    });
}

#[divan::bench(args = MESSAGES)]
fn stuff_bytes(bencher: Bencher<'_, '_>, name: &str) {
    let message = Bytes::from(message(name));
    bencher.counter(BytesCount::new(message.len())).bench_local(|| {
        let mut stuffer = Stuffer::new(LineEnds::Strict);
        for at in (0..message.len()).step_by(CHUNK) {
            let chunk = message.slice(at..message.len().min(at + CHUNK));
            let stuffed = stuffer.stuff_bytes(chunk, |piece| drop(black_box(piece)));
            assert_eq!(stuffed, Ok(()));
        }
    });
}
