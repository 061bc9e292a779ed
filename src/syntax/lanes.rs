//! Octets eight at a time: the lanes of a number, the first octet in the lowest.
//!
//! A search marks the lanes that it looks for with their highest bit. Of its marks only the lowest is exact: a borrow or a
//! carry out of that lane may mark others above it.

/// One in each lane.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The mark of each lane.
const MARKS: u64 = ONES << 7;
/// The bit by which small letters differ from capital ones, in each lane.
pub(super) const LOWER: u64 = ONES << 5;

/// Returns the eight octets from `at` on; zeros stand for those after the end.
#[inline]
pub(super) const fn load(octets: &[u8], at: usize) -> u64 {
    let Some((_, rest)) = octets.split_at_checked(at) else { return 0 };
    match (rest.first_chunk(), octets.last_chunk()) {
        (Some(word), _) => u64::from_le_bytes(*word),
        (None, Some(_)) if rest.is_empty() => 0,
        (None, Some(last)) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        (None, None) => few(rest),
    }
}

/// Returns fewer than eight octets.
#[cold]
#[inline(never)]
const fn few(mut octets: &[u8]) -> u64 {
    let mut word = 0;
    while let [rest @ .., last] = octets {
        word = word << 8 | *last as u64;
        octets = rest;
    }
    word
}

/// Returns a mask of the first lanes: one to eight.
#[inline]
pub(super) const fn first_lanes(lanes: usize) -> u64 {
    u64::MAX >> (64 - 8 * lanes)
}

/// Marks the lanes below `bound`, which is at most 128.
#[inline]
const fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(ONES * bound as u64) & !word & MARKS
}

/// Marks the lanes of this octet.
#[inline]
const fn equal(word: u64, octet: u8) -> u64 {
    below(word ^ (ONES * octet as u64), 1)
}

/// Returns the place of the first octet, from `start` on, whose lane `marked` marks, or the end; it must mark lanes that are zero.
#[inline]
fn find(octets: &[u8], start: usize, marked: impl Fn(u64) -> u64) -> usize {
    let mut rest = octets.get(start..).unwrap_or_default();
    let marks = loop {
        let Some((word, after)) = rest.split_first_chunk() else {
            break marked(load(octets, octets.len() - rest.len()));
        };
        match marked(u64::from_le_bytes(*word)) {
            0 => rest = after,
            marks => break marks,
        }
    };
    octets.len() - rest.len() + (marks.trailing_zeros() / 8) as usize
}

/// Returns the place after the visible octets of ASCII (%d33-126) from `start` on.
#[inline]
pub(super) fn visible_end(octets: &[u8], start: usize) -> usize {
    find(octets, start, |word| below(word, b'!') | (word.wrapping_add(ONES) | word) & MARKS)
}

/// Returns the place of the first space or control character of ASCII from `start` on, or the end.
#[inline]
pub(super) fn word_end(octets: &[u8], start: usize) -> usize {
    find(octets, start, |word| below(word, b'!'))
}

/// Returns the place of the first `=`, space or control character of ASCII from `start` on, or the end.
#[inline]
pub(super) fn keyword_end(octets: &[u8], start: usize) -> usize {
    find(octets, start, |word| below(word, b'!') | equal(word, b'='))
}

/// Returns the place after the octets of ASCII from `start` on that a value may hold: %d33-60 / %d62-126 (RFC 5321 section 4.1.2).
#[inline]
pub(super) fn value_end(octets: &[u8], start: usize) -> usize {
    let others = |word: u64| (word.wrapping_add(ONES) | word) & MARKS;
    find(octets, start, |word| below(word, b'!') | others(word) | equal(word, b'='))
}

/// Returns the place of the first octet below SO from `start` on, or the end: CR, LF and NUL are below it.
#[inline]
pub(super) fn line_break(octets: &[u8], start: usize) -> usize {
    find(octets, start, |word| below(word, 0x0E))
}

/// Returns the place after a domain of ASCII from `start` on that needs no further check: labels between dots, without a hyphen
/// at an end of one, in at most `limit` octets.
///
/// ```text
/// Domain     = sub-domain *("." sub-domain)                    RFC 5321 section 4.1.2
/// sub-domain = Let-dig [Ldh-str]
/// ```
///
/// Of two neighbours one at least is a letter or a digit where the other is a dot; a dot stands for what is before the domain and
/// after it.
#[inline]
pub(super) fn domain_end(octets: &[u8], start: usize, limit: usize) -> Option<usize> {
    let mut at = start;
    let (mut dot_before, mut sign_before) = (0x80, 0x80);
    loop {
        let word = load(octets, at);
        let low = word & !MARKS;
        let lower = low | LOWER;
        // The sum of a lane reaches its mark from the first octet of the range on.
        let from = |lanes: u64, first: u8| lanes + ONES * (0x80 - first) as u64;
        let letters = from(lower, b'a') & !from(lower, b'z' + 1);
        let digits = from(low, b'0') & !from(low, b'9' + 1);
        let signs = from(low, b'-') & !from(low, b'.' + 1) & MARKS;
        let dots = from(low, b'.') & signs;
        let others = !(letters | digits | signs) & MARKS | word & MARKS;
        let end = others & others.wrapping_neg();
        let dots = dots | end;
        let faults = dots & (signs << 8 | sign_before) | signs & (dots << 8 | dot_before);
        // Lanes after the end are no part of the domain.
        if faults & (end | end.wrapping_sub(1)) != 0 {
            return None;
        }
        if end != 0 {
            at += (end.trailing_zeros() / 8) as usize;
            return (at - start <= limit).then_some(at);
        }
        (dot_before, sign_before) = (dots >> 56, signs >> 56);
        at += 8;
    }
}
