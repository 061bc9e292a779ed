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
///
/// Octets near the end are those of the last eight, shifted: no branch depends on how many are left.
#[inline]
#[allow(clippy::cast_possible_truncation)] // a shift by 64 or more gives zero
pub(super) const fn load(octets: &[u8], at: usize) -> u64 {
    let Some(last) = octets.len().checked_sub(8) else {
        return match octets.split_at_checked(at) {
            Some((_, rest)) => few(rest),
            None => 0,
        };
    };
    let from = if at < last { at } else { last };
    let Some((_, rest)) = octets.split_at_checked(from) else { return 0 };
    let Some(word) = rest.first_chunk() else { return 0 };
    let beyond = at - from;
    let word = u64::from_le_bytes(*word);
    if beyond < 8 { word >> (8 * beyond) } else { 0 }
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

/// Returns the eight octets from `at` on as [`load`] does, at less cost in front of the last eight.
#[inline(always)]
pub(super) fn word(octets: &[u8], at: usize) -> u64 {
    match octets.get(at..).and_then(<[u8]>::first_chunk) {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(octets, at),
    }
}

#[inline(never)]
fn last_word(octets: &[u8], at: usize) -> u64 {
    load(octets, at)
}

/// Returns 24 octets as words.
#[inline(always)]
pub(super) fn words(octets: &[u8; 24]) -> [u64; 3] {
    [0, 8, 16].map(|at| word(octets, at))
}

/// The octets at which a name ends.
#[derive(Clone, Copy)]
pub(super) enum NameEnd {
    /// A space, or a control character of ASCII.
    Space,
    /// These, and `=`.
    SpaceOrEquals,
    /// These, and `,`.
    SpaceOrComma,
}

impl NameEnd {
    /// Returns the first lane that is an end.
    #[inline(always)]
    pub(super) const fn lane(self, word: u64) -> Option<usize> {
        let marks = match self {
            Self::Space => below(word, b'!'),
            Self::SpaceOrEquals => below(word, b'!') | equal(word, b'='),
            Self::SpaceOrComma => below(word, b'!') | equal(word, b','),
        };
        match marks {
            0 => None,
            _ => Some((marks.trailing_zeros() / 8) as usize),
        }
    }
}

/// Returns the number that the digits from `start` on are, unless it needs more than 64 bits, and the place after them.
#[inline]
pub(super) fn decimal(octets: &[u8], start: usize) -> (Option<u64>, usize) {
    let (number, count) = digits(word(octets, start));
    let (mut number, mut end) = (Some(number), start + count);
    while count == 8
        && let Some(digit @ b'0'..=b'9') = octets.get(end)
    {
        let more = u64::from(digit - b'0');
        number = number.and_then(|number| number.checked_mul(10)?.checked_add(more));
        end += 1;
    }
    (number, end)
}

/// Returns the number that the digits in front are, and how many they are.
#[inline]
const fn digits(word: u64) -> (u64, usize) {
    /// Two lanes of eight, for a sum in the upper half.
    const LANES: u64 = 0xFF | 0xFF << 32;
    let values = word ^ (ONES * b'0' as u64);
    let marks = (values.wrapping_add(ONES * (0x80 - 10)) | values) & MARKS;
    let count = marks.trailing_zeros() / 8;
    // Zeros in front of the digits make them eight.
    let Some(values) = values.checked_shl(64 - 8 * count) else { return (0, 0) };
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let upper = (pairs & LANES).wrapping_mul(100 | 1_000_000 << 32);
    let lower = (pairs >> 16 & LANES).wrapping_mul(1 | 10_000 << 32);
    (upper.wrapping_add(lower) >> 32, count as usize)
}

/// Returns a word of one to eight octets as a number, in lower case: only a letter becomes one by the bit that is set, but a control
/// character may become a digit or a sign.
#[inline]
pub(super) fn packed(word: &[u8]) -> Option<u64> {
    if let Ok(four) = <[u8; 4]>::try_from(word) {
        return Some(u64::from(u32::from_le_bytes(four) | 0x2020_2020));
    }
    match word.len() {
        octets @ 1..=8 => Some((load(word, 0) | LOWER) & first_lanes(octets)),
        _ => None,
    }
}

/// Returns whether a word without control characters is this name in any case, in one comparison for four and eight octets.
#[inline(always)]
pub(super) fn is_name(word: &[u8], name: &'static str) -> bool {
    let name = name.as_bytes();
    word.len() == name.len()
        && match name.len() {
            4 | 8 => packed(word) == packed(name),
            _ => word.eq_ignore_ascii_case(name),
        }
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

/// Returns the place after the octets of an `esmtp-value` (%d33-60 / %d62-126) from `start` on.
#[inline]
pub(super) fn value_end(octets: &[u8], start: usize) -> usize {
    find(octets, start, |word| {
        below(word, b'!') | (word.wrapping_add(ONES) | word) & MARKS | equal(word, b'=')
    })
}

/// Returns the place after the `xchar` (%d33-42 / %d44-60 / %d62-126) from `start` on, as xtext has them (RFC 3461 section 4).
#[inline]
pub(super) fn xchar_end(octets: &[u8], start: usize) -> usize {
    find(octets, start, |word| {
        let invisible = below(word, b'!') | (word.wrapping_add(ONES) | word) & MARKS;
        invisible | equal(word, b'+') | equal(word, b'=')
    })
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

/// A bound of octets: CR, LF and NUL are below it.
pub(super) const LINE_BREAKS: u8 = 0x0E;

/// Returns the place of the first octet below SO from `start` on, or the end.
#[inline]
pub(super) fn line_break(octets: &[u8], start: usize) -> usize {
    find(octets, start, |word| below(word, LINE_BREAKS))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    #[test]
    fn a_number_is_read_up_to_64_bits() {
        let digits = "18446744073709551616";
        for length in 0..=digits.len() {
            for zeros in ["", "0", "0000000", "00000000"] {
                for rest in ["", " ", "/", ":", "\u{b0}", "x23456789", "\r\n123456789"] {
                    let number = String::from(zeros) + digits.get(..length).unwrap();
                    let (value, end) = decimal(format!("a{number}{rest}").as_bytes(), 1);
                    assert_eq!(end, 1 + number.len(), "{number}{rest}");
                    let expected = if number.is_empty() { Some(0) } else { number.parse().ok() };
                    assert_eq!(value, expected, "{number}{rest}");
                }
            }
        }
    }

    #[test]
    fn a_name_is_compared_without_case() {
        for name in ["7BIT", "FULL", "8BITMIME", "BINARYMIME"] {
            assert!(is_name(name.as_bytes(), name));
            assert!(is_name(name.to_lowercase().as_bytes(), name));
            for other in ["7BITS", "FUL", "8BITMIM", "8BIT-IME", "FU\u{4c}\u{4d}", "BINARYMIM_"] {
                assert!(!is_name(other.as_bytes(), name), "{other}");
            }
        }
    }
}
