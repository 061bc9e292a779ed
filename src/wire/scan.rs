//! The positions in content that need a decision: the one loop that looks at every octet.
//!
//! Whether an octet needs a decision depends on it and the octet before it, in arithmetic on `u8`
//! over arrays of a fixed size: compilers make vector instructions of this form (and of few others:
//! `bool` and `if` are ten times as slow). A stride that is clean costs eight such instructions for
//! each vector; which octets of a stride need a decision is computed only where one may.
//!
//! With the feature `simd` the loop is compiled for AVX2 as well, and the processor decides when it
//! runs.

/// The octets of which a mask has a bit each.
const BLOCK: usize = 64;

/// The octets that are found to be clean at once.
const STRIDE: usize = 4 * BLOCK;

/// Returns a value with all bits set where `is` holds, else 0, as vector comparisons do.
#[inline(always)]
fn mask(is: bool) -> u8 {
    0_u8.wrapping_sub(u8::from(is))
}

/// Returns 1 when `octet` after `before` needs a decision, else 0.
///
/// Decisions are due at a dot after LF; with `BARE`, also at an LF that does not follow CR and at
/// an octet other than LF after CR, which reveals the bare CR; with `NUL`, also at a NUL.
#[inline(always)]
fn judge<const BARE: bool, const NUL: bool>(before: u8, octet: u8) -> u8 {
    let dot = u8::from(octet == b'.') & u8::from(before == b'\n');
    let nul = if NUL { u8::from(octet == 0) } else { 0 };
    let bare = if BARE { u8::from(octet == b'\n') ^ u8::from(before == b'\r') } else { 0 };
    dot | bare | nul
}

/// The value of [`suspect`] for a TAB, which is common in mail and needs no decision.
const TAB: u8 = 2;

/// Returns a value other than 0 when `octet` after `before` may need a decision.
///
/// Whatever needs one is suspect, and also TAB and control characters that are rare in mail, NUL
/// among them. That makes NUL free: one saturating subtraction tells LF (1), TAB (2) and NUL (11) from CR and what is
/// printable (0), and a CR before it makes 0 of LF, and of nothing else.
#[inline(always)]
fn suspect<const BARE: bool, const NUL: bool>(before: u8, octet: u8) -> u8 {
    if BARE {
        let dot = mask(octet == b'.') & mask(before == b'\n');
        dot | (b'\n' + 1).saturating_sub(octet).wrapping_add(mask(before == b'\r'))
    } else {
        judge::<false, NUL>(before, octet)
    }
}

/// Returns whether an octet may need a decision.
#[inline(always)]
fn is_suspect<const BARE: bool, const NUL: bool, const OCTETS: usize>(
    before: &[u8; OCTETS],
    octets: &[u8; OCTETS],
) -> bool {
    let mut any = 0;
    for (before, octet) in before.iter().zip(octets) {
        any |= suspect::<BARE, NUL>(*before, *octet);
    }
    if any != TAB {
        return any != 0;
    }
    let mut any = 0;
    for (before, octet) in before.iter().zip(octets) {
        any |= judge::<BARE, NUL>(*before, *octet);
    }
    any != 0
}

/// Returns a bit for each octet of a block that needs a decision, the first one lowest.
#[inline(always)]
fn bits<const BARE: bool, const NUL: bool>(before: &[u8; BLOCK], octets: &[u8; BLOCK]) -> u64 {
    let mut judged = [0; BLOCK];
    for ((before, octet), judged) in before.iter().zip(octets).zip(&mut judged) {
        *judged = judge::<BARE, NUL>(*before, *octet);
    }
    let mut bits = 0;
    let mut rest = &judged[..];
    while let Some((front, eight)) = rest.split_last_chunk::<8>() {
        // Eight octets of 0 or 1: the product has them as its highest eight bits.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits = bits << 8 | gathered;
        rest = front;
    }
    bits
}

/// Returns the octets from `at` on, and those before each of them.
#[inline(always)]
fn pair<const OCTETS: usize>(octets: &[u8], at: usize) -> Option<(&[u8; OCTETS], &[u8; OCTETS])> {
    let before = octets.get(at.checked_sub(1)?..)?;
    let (_, from) = before.split_first()?;
    Some((before.first_chunk()?, from.first_chunk()?))
}

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
    /// The number of blocks to look at before the next stride.
    near: u8,
    /// The block before needed a decision, so that the next one is judged at once: decisions come in
    /// groups.
    is_dense: bool,
}

impl<const BARE: bool, const NUL: bool> Scan<BARE, NUL> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self { at: 1, bits: 0, base: 0, near: 0, is_dense: false }
    }

    /// Creates a search whose first block is likely to need a decision, as the one before did.
    #[inline]
    pub(super) const fn dense() -> Self {
        Self { near: 1, is_dense: true, ..Self::new() }
    }

    /// Returns the next position that needs a decision.
    #[inline]
    pub(super) fn next(&mut self, octets: &[u8]) -> Option<usize> {
        while self.bits == 0 {
            if !self.advance(octets) {
                return None;
            }
        }
        let index = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(self.base + index)
    }

    /// Judges blocks up to the first one that needs a decision; returns false after the last octet.
    fn advance(&mut self, octets: &[u8]) -> bool {
        #[cfg(all(feature = "simd", any(target_arch = "x86", target_arch = "x86_64")))]
        if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
            return fearless_simd::Simd::vectorize(
                avx2,
                #[inline(always)]
                || self.advance_by_blocks(octets),
            );
        }
        self.advance_by_blocks(octets)
    }

    #[inline(always)]
    fn advance_by_blocks(&mut self, octets: &[u8]) -> bool {
        loop {
            while self.near > 0 {
                let Some((before, block)) = pair::<BLOCK>(octets, self.at) else { break };
                self.near -= 1;
                if !self.is_dense && !is_suspect::<BARE, NUL, BLOCK>(before, block) {
                    self.at += BLOCK;
                } else if self.judge_block(before, block) {
                    self.near = self.near.max(1);
                    self.is_dense = true;
                    return true;
                } else {
                    self.is_dense = false;
                }
            }
            match pair::<STRIDE>(octets, self.at) {
                Some((before, stride)) if is_suspect::<BARE, NUL, STRIDE>(before, stride) => {
                    self.near = (STRIDE / BLOCK) as u8;
                }
                Some(_) => self.at += STRIDE,
                None => break,
            }
        }
        while let Some((before, block)) = pair::<BLOCK>(octets, self.at) {
            if !is_suspect::<BARE, NUL, BLOCK>(before, block) {
                self.at += BLOCK;
            } else if self.judge_block(before, block) {
                return true;
            }
        }
        self.judge_rest(octets)
    }

    #[inline(always)]
    fn judge_block(&mut self, before: &[u8; BLOCK], block: &[u8; BLOCK]) -> bool {
        self.base = self.at;
        self.at += BLOCK;
        self.bits = bits::<BARE, NUL>(before, block);
        self.bits != 0
    }

    /// Judges the octets after the last whole block.
    #[inline(always)]
    fn judge_rest(&mut self, octets: &[u8]) -> bool {
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
            self.bits = bits::<BARE, NUL>(before, block) >> (BLOCK - rest.len());
        } else if rest.len() > 8 {
            let mut padded = [b' '; BLOCK + 1];
            for (into, octet) in padded.iter_mut().zip(before) {
                *into = *octet;
            }
            if let Some((before, block)) = pair::<BLOCK>(&padded, 1) {
                // A bare CR at the end is revealed by the octet that follows it, not by the padding.
                self.bits = bits::<BARE, NUL>(before, block) & (u64::MAX >> (BLOCK - rest.len()));
            }
        } else {
            for (index, (before, octet)) in before.iter().zip(rest).enumerate() {
                self.bits |= u64::from(judge::<BARE, NUL>(*before, *octet)) << index;
            }
        }
        true
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
    fn every_pair_that_needs_a_decision_is_suspect() {
        fn check<const BARE: bool, const NUL: bool>(before: u8, octet: u8) {
            let suspect = suspect::<BARE, NUL>(before, octet);
            let is_due = judge::<BARE, NUL>(before, octet) != 0;
            assert!(suspect != 0 || !is_due, "{before} {octet}");
            // No octet that is common in mail makes a stride slow.
            let is_common = octet > 31 || b"\t\r\n".contains(&octet);
            assert!(is_due || !is_common || [0, TAB].contains(&suspect), "{before} {octet}");
        }
        for (before, octet) in (0..=255).flat_map(|one| (0..=255).map(move |two| (one, two))) {
            check::<true, true>(before, octet);
            check::<true, false>(before, octet);
            check::<false, true>(before, octet);
            check::<false, false>(before, octet);
        }
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
    fn every_octet_of_a_block_may_need_a_decision() {
        let octets = [b'\n'; 900];
        assert!(found::<true, true>(&octets).into_iter().eq(1..900));
    }
}
