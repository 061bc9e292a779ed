//! Dot-unstuffing in any cutting against a reference that sees everything at once.
//!
//! Input: the policy, the length of a piece (0: everything), then octets of content.

#![no_main]

use esmtp::wire::{BareLineBreaks, Span, Unstuffer};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    content: Vec<u8>,
    /// Offset of the first bare CR or LF, where it is reported.
    bare: Option<u64>,
    /// Octets up to and with the end.
    consumed: usize,
}

fn reference(octets: &[u8], policy: BareLineBreaks) -> Outcome {
    let mut it = Outcome::default();
    let (mut at, mut is_line_start) = (0, true);
    loop {
        match &octets[at..] {
            [b'.', b'\r', b'\n', ..] if is_line_start => {
                it.consumed = at + 3;
                return it;
            }
            [b'.', ..] if is_line_start => (at, is_line_start) = (at + 1, false),
            [b'\r', b'\n', ..] => {
                it.content.extend(b"\r\n");
                (at, is_line_start) = (at + 2, true);
            }
            [octet, ..] => {
                let is_bare = matches!(octet, b'\r' | b'\n');
                if is_bare && policy == BareLineBreaks::Reject {
                    it.bare.get_or_insert(it.content.len() as u64);
                }
                match is_bare && policy == BareLineBreaks::Normalise {
                    true => it.content.extend(b"\r\n"),
                    false => it.content.push(*octet),
                }
                (at, is_line_start) = (at + 1, false);
            }
            [] => unreachable!("the input ends with the end of content"),
        }
    }
}

fn in_pieces(octets: &[u8], policy: BareLineBreaks, piece: usize) -> Outcome {
    let mut it = Outcome::default();
    let mut unstuffer = Unstuffer::new(policy);
    let mut arrived = 0;
    loop {
        let there = &octets[it.consumed..arrived];
        match unstuffer.next(there) {
            Span::Content(n) => {
                assert!(n > 0, "no progress");
                it.content.extend(&there[..n]);
                it.consumed += n;
            }
            Span::Skip(n) => {
                assert_eq!(there[..n], *b".");
                it.consumed += n;
            }
            Span::LineBreak(n) => {
                assert_eq!(policy, BareLineBreaks::Normalise);
                it.content.extend(b"\r\n");
                it.consumed += n;
            }
            Span::Bare(offset) => {
                assert_eq!(policy, BareLineBreaks::Reject);
                assert_eq!(it.bare.replace(offset), None, "reported twice");
            }
            Span::End(n) => {
                it.consumed += n;
                return it;
            }
            Span::Incomplete => {
                assert!(there.len() <= 2, "octets are held back");
                assert!(arrived < octets.len(), "the end was missed");
                arrived = octets.len().min(arrived + piece);
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [policy, piece, octets @ ..] = data else { return };
    let policy = match policy % 3 {
        0 => BareLineBreaks::Reject,
        1 => BareLineBreaks::Normalise,
        _ => BareLineBreaks::Keep,
    };
    let mut octets = octets.to_vec();
    octets.extend(b"\r\n.\r\n");
    let piece = if *piece == 0 { octets.len() } else { usize::from(*piece) };
    assert_eq!(in_pieces(&octets, policy, piece), reference(&octets, policy));
});
