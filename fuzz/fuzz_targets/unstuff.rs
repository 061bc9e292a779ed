//! Any content, cut anywhere, is unstuffed as a reference does that looks at it octet by octet.
#![no_main]

use esmtp::wire::{BareLineBreaks, LineEnds, Span, Stuffer, Unstuffer};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Default, PartialEq)]
struct Unstuffed {
    content: Vec<u8>,
    report: Option<Span>,
    end: Option<usize>,
}

fn reference(policy: BareLineBreaks, rejects_nul: bool, input: &[u8]) -> Unstuffed {
    let mut out = Unstuffed::default();
    let mut at = 0;
    while at < input.len() {
        if input[at] == b'.' && (at == 0 || input[..at].ends_with(b"\r\n")) {
            match &input[at + 1..] {
                [] | [b'\r'] => break,
                [b'\r', b'\n', ..] => {
                    out.end = Some(at + 3);
                    break;
                }
                _ => at += 1,
            }
        }
        let is_bare = match input[at] {
            b'\r' => input.get(at + 1).is_some_and(|next| *next != b'\n'),
            b'\n' => at == 0 || input[at - 1] != b'\r',
            _ => false,
        };
        if is_bare && policy == BareLineBreaks::Reject {
            out.report.get_or_insert(Span::Bare(out.content.len() as u64));
        } else if input[at] == 0 && rejects_nul {
            out.report.get_or_insert(Span::Nul(out.content.len() as u64));
        }
        match policy {
            BareLineBreaks::Normalise if &input[at..] == b"\r" => break,
            BareLineBreaks::Normalise if is_bare => out.content.extend_from_slice(b"\r\n"),
            _ => out.content.push(input[at]),
        }
        at += 1;
    }
    out
}

/// Unstuffs input that arrives in pieces as long as `cuts` says, over and over.
fn unstuff(mut unstuffer: Unstuffer, input: &[u8], cuts: &[u8]) -> Unstuffed {
    let mut out = Unstuffed::default();
    let mut cuts = cuts.iter().cycle();
    let (mut at, mut there) = (0, 0);
    loop {
        at += match unstuffer.next(&input[at..there]) {
            Span::Content(octets) => {
                assert!(octets > 0);
                out.content.extend_from_slice(&input[at..at + octets]);
                octets
            }
            Span::LineBreak(octets) => {
                out.content.extend_from_slice(b"\r\n");
                octets
            }
            Span::Skip(octets) => octets,
            report @ (Span::Bare(_) | Span::Nul(_)) => {
                assert_eq!(out.report.replace(report), None);
                0
            }
            Span::End(octets) => {
                out.end = Some(at + octets);
                return out;
            }
            Span::Incomplete if there == input.len() => return out,
            Span::Incomplete => {
                assert!(there - at <= 2);
                let piece = cuts.next().map_or(input.len(), |cut| 1 + usize::from(*cut));
                there = input.len().min(there + piece);
                0
            }
        };
    }
}

fuzz_target!(|data: &[u8]| {
    let [first, data @ ..] = data else { return };
    let policy = match first % 3 {
        0 => BareLineBreaks::Reject,
        1 => BareLineBreaks::Normalise,
        _ => BareLineBreaks::Keep,
    };
    let (cuts, input) = data.split_at(data.len().min(usize::from(first / 3 % 4)));
    let rejects_nul = first & 0x80 != 0;
    let unstuffer = Unstuffer::new(policy);
    let unstuffer = if rejects_nul { unstuffer.rejecting_nul() } else { unstuffer };
    let got = unstuff(unstuffer, input, cuts);
    assert_eq!(got, reference(policy, rejects_nul, input));

    // Whatever was accepted can be sent, and arrives as the same.
    let mut wire = Vec::new();
    let mut stuffer = Stuffer::new(LineEnds::Strict);
    let stuffed = stuffer.stuff(&got.content, &mut wire).and_then(|()| stuffer.finish(&mut wire));
    if let Ok(()) = stuffed {
        let again = unstuff(Unstuffer::new(BareLineBreaks::Reject), &wire, cuts);
        assert_eq!((again.report, again.end), (None, Some(wire.len())));
        assert!(again.content.starts_with(&got.content));
        assert!(matches!(&again.content[got.content.len()..], b"" | b"\r\n"));
    } else if got.end.is_some() {
        assert!(got.report.is_some() || policy == BareLineBreaks::Keep);
    }
});
