//! The positions in content that need a decision: the one loop that looks at every octet.
//!
//! Most octets are passed by the instructions of [`lanes`]. Lines of one length, which base64 has, cost a third of
//! that: the ends of lines are where they are expected, and there are no others.

use super::lanes::{self, Act, BLOCK, Lanes, Passed, judge, pair};
use core::ops::RangeInclusive;

/// The octets that are counted at once in lines of one length.
const STRIDE: usize = 4 * BLOCK;

/// Returns the number of octets above CR and below 128, modulo 256.
#[inline(always)]
fn count_text(octets: &[u8; STRIDE]) -> u8 {
    octets
        .iter()
        .fold(0, |count: u8, octet| count.wrapping_add(u8::from(*octet as i8 > b'\r' as i8)))
}

/// The lengths of lines, CRLF included, that [`Scan::pass_even_lines`] passes. In each stride a CR begins, so that no
/// count of it is 0 modulo 256.
const EVEN: RangeInclusive<usize> = 8..=STRIDE / 2;

/// The most octets after which lines of one length are looked for again.
const FAR: usize = 32 * STRIDE;

/// A search for the positions that need a decision, from position 1 on: the first octet has no
/// predecessor here, so the caller judges it.
///
/// With `BARE` false a dot after any LF is reported: the caller checks whether that LF is a line
/// end. The octets are given to each call, and those before the last position found may have
/// changed since, except the last of them.
#[derive(Clone, Debug)]
pub(super) struct Scan<const BARE: bool, const NUL: bool> {
    /// The next octet that is not yet in `bits`.
    at: usize,
    /// The judged positions not yet returned: bit n is the octet at `base` + n.
    bits: u64,
    base: usize,
    /// The block before needed a decision, so that the next one is judged at once: decisions come in
    /// groups.
    is_dense: bool,
    /// The position from which on lines of one length are looked for.
    even_at: usize,
    /// The octets after which they are looked for again after a failure.
    even_step: usize,
}

impl<const BARE: bool, const NUL: bool> Scan<BARE, NUL> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self { at: 1, bits: 0, base: 0, is_dense: false, even_at: 0, even_step: STRIDE }
    }

    /// Creates a search that looks for no lines of one length, because they are unlikely.
    #[inline]
    pub(super) const fn sparse() -> Self {
        Self { even_at: FAR, ..Self::new() }
    }

    /// Creates a search whose first block is likely to need a decision, as the one before did.
    #[inline]
    pub(super) const fn dense() -> Self {
        Self { is_dense: true, ..Self::sparse() }
    }

    /// Passes the octets before `at`, which the caller has judged.
    #[inline]
    pub(super) const fn pass(&mut self, at: usize) {
        let judged = at.saturating_sub(self.base);
        self.bits = if judged < BLOCK { self.bits & (u64::MAX << judged) } else { 0 };
        if self.at < at {
            self.at = at;
        }
    }

    /// Returns the next position that needs a decision.
    #[inline]
    pub(super) fn next(&mut self, octets: &[u8]) -> Option<usize> {
        while self.bits == 0 {
            if !lanes::run(Advance(self, octets)) {
                return None;
            }
        }
        let index = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(self.base + index)
    }

    /// Judges blocks up to the first one that needs a decision; returns false after the last octet.
    #[inline(always)]
    fn advance(&mut self, lanes: impl Lanes, octets: &[u8]) -> bool {
        loop {
            if self.even_at <= self.at {
                self.pass_even_lines(octets);
            }
            if !self.is_dense {
                match lanes.pass_clean::<BARE, NUL>(octets, self.at, self.even_at) {
                    Passed::Clean(at) => self.at = at,
                    Passed::Due(at, bits) => {
                        self.is_dense = at - self.at < 2 * BLOCK;
                        self.base = at;
                        self.bits = bits;
                        self.at = at + BLOCK;
                        return true;
                    }
                }
            }
            let Some((before, block)) = pair::<BLOCK>(octets, self.at) else { break };
            self.base = self.at;
            self.at += BLOCK;
            self.bits = lanes.bits::<BARE, NUL>(before, block);
            self.is_dense = self.bits != 0;
            if self.is_dense {
                return true;
            }
        }
        self.judge_rest(lanes, octets)
    }

    /// Passes lines of one length that need no decision: in each stride, CRLF is where it is expected, no dot
    /// follows, and all other octets are above CR and below 128, which is known from their number.
    #[inline(always)]
    fn pass_even_lines(&mut self, octets: &[u8]) {
        self.even_at = self.at + self.even_step;
        self.even_step = FAR.min(2 * self.even_step);
        let Some(rest) = octets.get(self.at - 1..).filter(|rest| rest.len() > 4 * STRIDE) else {
            return;
        };
        let mut ends = memchr::memchr_iter(b'\n', rest).map(|end| self.at - 1 + end);
        let (Some(first), Some(second)) = (ends.next(), ends.next()) else { return };
        let length = second - first;
        let is_within = rest.first().is_some_and(|before| *before > b'\r');
        // A CR begins in the first stride, too: without one, octets that are all below space would count as none.
        let is_near = (self.at + 1..self.at + STRIDE).contains(&first);
        if !is_within || !EVEN.contains(&length) || !is_near {
            return;
        }
        let start = self.at;
        let mut cr = first - 1;
        let mut due = 0;
        'strides: while let Some(stride) =
            octets.get(self.at..).and_then(<[u8]>::first_chunk::<STRIDE>)
        {
            let end = self.at + STRIDE;
            let mut control = due;
            while cr < end {
                let Some([b'\r', b'\n', next]) = octets.get(cr..cr + 3) else { break 'strides };
                if *next == b'.' {
                    break 'strides;
                }
                control += 2;
                cr += length;
            }
            // An LF in the next stride, after a CR that is the last octet of this one.
            due = u8::from(cr + 1 == end + length);
            if count_text(stride).wrapping_add(control - due) != 0 {
                break;
            }
            self.at = end;
        }
        if self.at - start >= 4 * STRIDE {
            self.even_step = STRIDE;
        }
        self.even_at = self.at + self.even_step;
    }

    /// Judges the octets after the last whole block.
    #[inline(always)]
    fn judge_rest(&mut self, lanes: impl Lanes, octets: &[u8]) -> bool {
        let Some(before) = octets.get(self.at - 1..) else { return false };
        let Some((_, rest)) = before.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return false;
        };
        self.base = self.at;
        self.at = octets.len();
        if let Some((before, block)) =
            octets.len().checked_sub(BLOCK).and_then(|at| pair::<BLOCK>(octets, at))
        {
            // The octets that were judged before fall out at the low end.
            self.bits = lanes.bits::<BARE, NUL>(before, block) >> (BLOCK - rest.len());
        } else if rest.len() > 8 {
            let mut padded = [b' '; BLOCK + 1];
            for (into, octet) in padded.iter_mut().zip(before) {
                *into = *octet;
            }
            if let Some((before, block)) = pair::<BLOCK>(&padded, 1) {
                // A bare CR at the end is revealed by the octet that follows it, not by the padding.
                self.bits =
                    lanes.bits::<BARE, NUL>(before, block) & (u64::MAX >> (BLOCK - rest.len()));
            }
        } else {
            for (index, (before, octet)) in before.iter().zip(rest).enumerate() {
                self.bits |= u64::from(judge::<BARE, NUL>(*before, *octet)) << index;
            }
        }
        true
    }
}

/// Looks for the first position after the first octet that needs a decision, as [`Scan`] does, but in whole blocks only.
///
/// # Errors
///
/// The number of octets at the front of which none but the first may need one.
pub(super) fn first_due(octets: &[u8]) -> Result<usize, usize> {
    lanes::run(First(octets))
}

/// The search for the first position that needs a decision.
struct First<'o>(&'o [u8]);

impl Act for First<'_> {
    type Output = Result<usize, usize>;

    #[inline(always)]
    fn run(self, lanes: impl Lanes) -> Result<usize, usize> {
        match lanes.pass_clean::<true, true>(self.0, 1, self.0.len()) {
            Passed::Due(at, bits) => Ok(at + bits.trailing_zeros() as usize),
            Passed::Clean(at) => Err(at),
        }
    }
}

/// The search up to the first block that needs a decision.
struct Advance<'s, 'o, const BARE: bool, const NUL: bool>(&'s mut Scan<BARE, NUL>, &'o [u8]);

impl<const BARE: bool, const NUL: bool> Act for Advance<'_, '_, BARE, NUL> {
    type Output = bool;

    #[inline(always)]
    fn run(self, lanes: impl Lanes) -> bool {
        self.0.advance(lanes, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    fn one_by_one<const BARE: bool, const NUL: bool>(octets: &[u8]) -> Vec<usize> {
        let judged = octets.windows(2).map(|pair| judge::<BARE, NUL>(pair[0], pair[1]));
        judged.enumerate().filter(|(_, judged)| *judged == 1).map(|(at, _)| at + 1).collect()
    }

    fn found<const BARE: bool, const NUL: bool>(octets: &[u8]) -> Vec<usize> {
        let mut scan = Scan::<BARE, NUL>::new();
        core::iter::from_fn(|| scan.next(octets)).collect()
    }

    #[test]
    fn a_decision_is_due_at_bare_line_breaks_and_at_dots_after_lf() {
        let octets = b"a.\r\n.b\n.\r.\r\r\n.\0";
        assert_eq!(one_by_one::<true, true>(octets), [4, 6, 7, 9, 11, 13, 14]);
        assert_eq!(one_by_one::<false, false>(octets), [4, 7, 13]);
    }

    #[test]
    fn blocks_find_what_octets_find_at_every_length_and_place() {
        for length in (0..=140).chain(250..=262).chain(510..=520) {
            let plain = vec![b'a'; length];
            assert!(found::<true, true>(&plain).is_empty());
            for at in 0..length.saturating_sub(4) {
                for what in
                    [&b"\r\n.x"[..], b"x\n..", b"x\rx\r", b"\n.\n.", b"a\0\0b", b"\r\x08\t."]
                {
                    let mut octets = plain.clone();
                    octets[at..at + 4].copy_from_slice(what);
                    assert_eq!(found::<true, true>(&octets), one_by_one::<true, true>(&octets));
                    assert_eq!(found::<true, false>(&octets), one_by_one::<true, false>(&octets));
                    assert_eq!(found::<false, true>(&octets), one_by_one::<false, true>(&octets));
                    assert_eq!(found::<false, false>(&octets), one_by_one::<false, false>(&octets));
                }
            }
        }
    }

    #[test]
    fn a_fault_in_lines_of_one_length_is_found_wherever_it_is() {
        fn check(octets: &[u8]) {
            assert_eq!(found::<true, true>(octets), one_by_one::<true, true>(octets));
            assert_eq!(found::<true, false>(octets), one_by_one::<true, false>(octets));
            assert_eq!(found::<false, false>(octets), one_by_one::<false, false>(octets));
        }
        for length in [8, 61, 78, 128, 129] {
            let line = [&vec![b'a'; length - 2][..], b"\r\n"].concat();
            let lines = line.repeat(1800 / length);
            check(&lines);
            for at in 0..lines.len() - 300 {
                // The sum of a stride that is all control characters is that of one without any.
                for what in [&b"\n"[..], b"\r", b"\0", b".", b"\r\n", b"\n.", b"\t", &[0; 256]] {
                    if what.len() > 9 && at % 32 != 0 || at > 400 && at % 8 > length % 7 {
                        continue;
                    }
                    let mut octets = lines.clone();
                    octets[at..at + what.len()].copy_from_slice(what);
                    check(&octets);
                }
            }
        }
    }

    #[test]
    fn octets_before_lines_of_one_length_are_judged() {
        let lines = [&[b'a'; 76][..], b"\r\n"].concat().repeat(20);
        for length in (1..=300).chain([512, 513, 1024, 1100]) {
            for octet in [b'\0', b'\t', 0x80, 0xFF] {
                let mut octets = vec![octet; length];
                for before in [&b""[..], b"x", b"\r", b"\n", b"\r\n", b"\r\x80"] {
                    let octets = [before, &octets, b"x", &lines].concat();
                    assert_eq!(found::<true, true>(&octets), one_by_one::<true, true>(&octets));
                    assert_eq!(found::<true, false>(&octets), one_by_one::<true, false>(&octets));
                    assert_eq!(found::<false, true>(&octets), one_by_one::<false, true>(&octets));
                }
                // The count of a whole stride is 0 for all of these, and for none.
                octets.insert(length / 2, b'\r');
                let octets = [b"x", &octets[..], &lines].concat();
                assert_eq!(found::<true, true>(&octets), one_by_one::<true, true>(&octets));
            }
        }
    }

    #[test]
    fn every_octet_of_a_block_may_need_a_decision() {
        let octets = [b'\n'; 900];
        assert!(found::<true, true>(&octets).into_iter().eq(1..900));
    }
}
