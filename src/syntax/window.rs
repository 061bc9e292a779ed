//! The octets of a line as places: a bit for each of 64 octets, in a number for each class.
//!
//! Paths and parameters are read from these numbers without a branch that depends on the length of a word, which no processor
//! predicts; the lines of a reply without waiting for the end of one line to look for that of the next.

use super::grammar::{ATEXT, KEYWORD, LABEL, LET_DIG, VALUE, is, span_from};
use super::lanes::{LINE_BREAKS, value_end};

/// Octets of a block, which are looked up together.
const BLOCK: usize = 16;
/// Octets of a window, the bits of a number.
const OCTETS: usize = 64;
/// Octets of a list of parameters whose values are short: a longer one has an original recipient in it, or a path.
const SHORT: usize = 48;

/// Four classes of each octet: a bit in each quarter of a number. No octet beyond ASCII is in one.
type Rows = [u64; 256];

/// `atext` and dots; letters, digits, hyphens and dots; dots; hyphens.
static PATH: Rows = rows(Of::Path);
/// The octets of a keyword; those that begin one, but A; those of a value, and spaces; spaces and `=`.
static LIST: Rows = rows(Of::List);

/// The text whose octets are classed.
#[derive(Clone, Copy)]
enum Of {
    Path,
    List,
}

#[allow(clippy::indexing_slicing)] // evaluated at compile time
const fn rows(of: Of) -> Rows {
    let mut rows = [0; 256];
    let mut octet = 0_u8;
    while octet.is_ascii() {
        let (is_dot, is_space) = (octet == b'.', octet == b' ');
        rows[octet as usize] = quarters(match of {
            Of::Path => {
                [is(octet, ATEXT) || is_dot, is(octet, LABEL) || is_dot, is_dot, octet == b'-']
            }
            Of::List => {
                let is_sign = is_space || octet == b'=';
                [is(octet, KEYWORD), is_first(octet), is(octet, VALUE) || is_space, is_sign]
            }
        });
        octet += 1;
    }
    rows
}

const fn quarters([a, b, c, d]: [bool; 4]) -> u64 {
    a as u64 | (b as u64) << BLOCK | (c as u64) << (2 * BLOCK) | (d as u64) << (3 * BLOCK)
}

/// Looks up the first 64 octets, or those that there are.
#[inline]
fn look_up(octets: &[u8], rows: &Rows) -> [u64; 4] {
    let octets = octets.first_chunk::<OCTETS>().map_or(octets, |first| first);
    let mut places = [0; 4];
    let Some(last) = octets.last_chunk() else {
        add(&padded(octets), 0, rows, &mut places);
        return places;
    };
    let mut at = 0;
    while let Some(block) = octets.get(at..octets.len() - 1).and_then(<[u8]>::first_chunk) {
        add(block, at, rows, &mut places);
        at += BLOCK;
    }
    // It may overlap the one before it, and its bits are equal there.
    add(last, octets.len() - BLOCK, rows, &mut places);
    places
}

#[inline]
#[allow(clippy::indexing_slicing)] // a u8 is below 256
fn add(block: &[u8; BLOCK], at: usize, rows: &Rows, places: &mut [u64; 4]) {
    let sum = |half: &[u8]| {
        half.iter().rev().fold(0_u64, |sum, octet| 2 * sum + rows[usize::from(*octet)])
    };
    // Two sums, for each waits for itself.
    let (first, second) = block.split_at(BLOCK / 2);
    let sum = sum(first) | sum(second) << (BLOCK / 2);
    for (quarter, places) in places.iter_mut().enumerate() {
        *places |= (sum >> (BLOCK * quarter) & 0xFFFF) << at;
    }
}

/// Returns fewer octets than a block, with zeros after them, which are of no class.
fn padded(octets: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    block
}

/// Returns the number with this bit, which is below 64.
#[inline]
const fn bit(place: usize) -> u64 {
    1 << (place % OCTETS)
}

/// Returns the place of the first bit from `start` on that is not set, which may be `start`, and the bits in front of it.
#[inline]
fn run(bits: u64, start: usize) -> Option<(usize, u64)> {
    let others = (!bits).checked_shr(u32::try_from(start).ok()?)?;
    let end = start + others.trailing_zeros() as usize;
    (end < OCTETS).then(|| (end, bit(end) - bit(start)))
}

/// Returns the places of line breaks among 64 octets: those of CR, LF, NUL and the other octets below SO.
#[inline(always)]
fn breaks(block: &[u8; OCTETS]) -> u64 {
    // One in each octet, then one bit for each: no product has a carry.
    let breaks = block.map(|octet| u8::from(octet < LINE_BREAKS));
    let (eights, _) = breaks.as_chunks();
    let bits =
        |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.iter().enumerate().fold(0, |places, (at, eight)| places | bits(eight) << (8 * at))
}

/// Returns the places of line breaks among the octets from `from` on, of which there are fewer than 64.
#[inline(never)]
fn last_breaks(octets: &[u8], from: usize) -> u64 {
    let Some(block) = octets.last_chunk() else {
        let mut block = [b' '; OCTETS];
        block.iter_mut().zip(octets).for_each(|(to, octet)| *to = *octet);
        return breaks(&block) >> (from % OCTETS);
    };
    let passed = from.saturating_sub(octets.len() - OCTETS);
    if passed < OCTETS { breaks(block) >> passed } else { 0 }
}

/// The places of line breaks in order: those of CR, LF, NUL and the other octets below SO.
///
/// They are found 64 octets at a time: a search from each place to the next would have to wait for it.
pub(super) struct LineBreaks<'a> {
    octets: &'a [u8],
    /// The place of the first bit.
    from: usize,
    /// A bit for each place that is left of 64.
    bits: u64,
}

impl<'a> LineBreaks<'a> {
    #[inline(always)]
    pub(super) fn of(octets: &'a [u8]) -> Self {
        Self { octets, from: 0, bits: Self::bits(octets, 0) }
    }

    #[inline(always)]
    fn bits(octets: &[u8], from: usize) -> u64 {
        match octets.get(from..).and_then(<[u8]>::first_chunk) {
            Some(block) => breaks(block),
            None => last_breaks(octets, from),
        }
    }

    /// Returns the next place, or the end.
    #[inline(always)]
    pub(super) fn next(&mut self) -> usize {
        while self.bits == 0 {
            self.from += OCTETS;
            if self.from >= self.octets.len() {
                return self.octets.len();
            }
            self.bits = Self::bits(self.octets, self.from);
        }
        let place = self.from + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        place
    }
}

/// The places of the octets of a path, in a line from one octet on.
pub(super) struct Window {
    /// The place in the line of the first bit.
    from: usize,
    atoms: u64,
    labels: u64,
    dots: u64,
    hyphens: u64,
}

impl Window {
    /// Looks at 64 octets from `from` on, or at those that there are.
    #[inline]
    pub(super) fn of(line: &[u8], from: usize) -> Self {
        let [atoms, labels, dots, hyphens] = look_up(line.get(from..).unwrap_or_default(), &PATH);
        Self { from, atoms, labels, dots, hyphens }
    }

    /// Returns the place after a dot-string from `start` on, if it is one and ends in the window.
    ///
    /// ```text
    /// Dot-string = Atom *("."  Atom)                               RFC 5321 section 4.1.2
    /// Atom       = 1*atext
    /// ```
    #[inline]
    pub(super) fn dot_string_end(&self, start: usize) -> Option<usize> {
        let start = start.checked_sub(self.from)?;
        let (end, inside) = run(self.atoms, start)?;
        // A dot stands for what is before the dot-string and after it, and no two dots are neighbours.
        let dots = self.dots & inside | bit(end);
        let faults = dots & (dots << 1 | bit(start));
        (faults == 0).then_some(self.from + end)
    }

    /// Returns the place after a domain from `start` on, if it is one and ends in the window.
    ///
    /// ```text
    /// Domain     = sub-domain *("." sub-domain)                    RFC 5321 section 4.1.2
    /// sub-domain = Let-dig [Ldh-str]
    /// ```
    #[inline]
    pub(super) fn domain_end(&self, start: usize) -> Option<usize> {
        let start = start.checked_sub(self.from)?;
        let (end, inside) = run(self.labels, start)?;
        // A dot stands for what is before the domain and after it, and no dot has another or a hyphen as its neighbour.
        let dots = self.dots & inside | bit(end);
        let hyphens = self.hyphens & inside;
        let after_dots = dots << 1 | bit(start);
        let faults = after_dots & (dots | hyphens) | hyphens << 1 & dots;
        (faults == 0).then_some(self.from + end)
    }
}

/// Returns whether the octets are a list of parameters in the grammar, all ASCII and none of more than 63 octets, without a keyword
/// that begins with A.
///
/// ```text
/// Mail-parameters = esmtp-param *(SP esmtp-param)              RFC 5321 section 4.1.2
/// esmtp-param     = esmtp-keyword ["=" esmtp-value]
/// esmtp-keyword   = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
/// esmtp-value     = 1*(%d33-60 / %d62-126)
/// ```
pub(super) fn is_plain_list(list: &[u8]) -> bool {
    if list.len() > SHORT {
        return is_plain_long_list(list);
    }
    let mut rest = list;
    loop {
        let [keywords, firsts, values, signs] = look_up(rest, &LIST);
        let (spaces, equals, values) = (values & signs, signs & !values, values & !signs);
        let is_last = rest.len() < OCTETS;
        // Of a longer list, the parameters up to the last space in the window.
        let end = match is_last {
            true => rest.len(),
            false if spaces == 0 => return false,
            false => OCTETS - 1 - spaces.leading_zeros() as usize,
        };
        let inside = bit(end) - 1;
        let (spaces, equals, values) = (spaces & inside, equals & inside, values & inside);
        let starts = spaces << 1 | 1;
        // The sum carries a start to the octet after its keyword.
        let keywords = keywords & inside;
        let ends = keywords.wrapping_add(starts) & !keywords;
        let faults = starts & !firsts
            | ends & !(equals | spaces | bit(end))
            | equals & !ends
            | equals << 1 & !values
            | inside & !(values | equals | spaces);
        if faults != 0 || is_last {
            return faults == 0;
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
}

/// Returns what [`is_plain_list`] returns, octet by octet in keywords and by words in values, which costs less for long values.
fn is_plain_long_list(list: &[u8]) -> bool {
    let mut start = 0;
    loop {
        if !list.get(start).is_some_and(|octet| is_first(*octet)) {
            return false;
        }
        let mut end = span_from(list, start, KEYWORD);
        if list.get(end) == Some(&b'=') {
            let value = end + 1;
            end = value_end(list, value);
            if end == value {
                return false;
            }
        }
        match list.get(end) {
            None => return true,
            Some(b' ') => start = end + 1,
            Some(_) => return false,
        }
    }
}

/// Returns whether an octet begins a keyword, but not with A.
const fn is_first(octet: u8) -> bool {
    is(octet, LET_DIG) && !octet.eq_ignore_ascii_case(&b'A')
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// 5321-4.1.2-c 5321-4.1.2-d
    #[test]
    fn a_long_list_is_read_as_a_short_one() {
        let pieces = [&b"B"[..], b"A", b"7", b"-", b"=", b" ", b"\xC3\xBC", b"\x7F", b"~"];
        let mut lists = Vec::from([Vec::new()]);
        for _ in 0..5 {
            let longer = |list: &Vec<u8>| pieces.map(|piece| [list, piece].concat());
            lists = lists.iter().flat_map(longer).collect();
            for list in &lists {
                let is_list = is_plain_list(list);
                for length in [SHORT, 60] {
                    let long = [b"X=", &b"y".repeat(length)[..], b" ", list].concat();
                    assert_eq!(is_plain_list(&long), is_list, "{}", long.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn line_breaks_are_found_wherever_they_are() {
        for length in 0..200 {
            for step in [1, 2, 3, 7, 62, 63, 64, 65, 128] {
                let mut octets = b"\x0E \xFF\x80x".repeat(40)[..length].to_vec();
                let places = (0..length).step_by(step);
                for (octet, place) in
                    [b'\r', b'\n', 0, b'\t'].into_iter().cycle().zip(places.clone())
                {
                    octets[place] = octet;
                }
                let mut breaks = LineBreaks::of(&octets);
                for place in places {
                    assert_eq!(breaks.next(), place);
                }
                assert_eq!(breaks.next(), length);
            }
        }
    }
}
