//! The positions in content that need a decision: the one loop that looks at every octet.
//!
//! Whether an octet needs a decision depends on it and the octet before it, in arithmetic on `u8`
//! over blocks of 64: compilers make vector instructions of this form (and of few others: `bool`
//! and `if` are ten times as slow).

/// The octets judged at once.
const BLOCK: usize = 64;

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

#[inline(always)]
fn is_any<const BARE: bool, const NUL: bool>(before: &[u8; BLOCK], octets: &[u8; BLOCK]) -> bool {
    let mut any = 0;
    for (before, octet) in before.iter().zip(octets) {
        any |= judge::<BARE, NUL>(*before, *octet);
    }
    any != 0
}

#[inline(always)]
fn judge_all<const BARE: bool, const NUL: bool>(
    before: &[u8; BLOCK],
    octets: &[u8; BLOCK],
) -> [u8; BLOCK] {
    let mut judged = [0; BLOCK];
    for ((before, octet), judged) in before.iter().zip(octets).zip(&mut judged) {
        *judged = judge::<BARE, NUL>(*before, *octet);
    }
    judged
}

/// Returns the position in a block of the first octet that needs a decision.
#[inline(always)]
fn first<const BARE: bool, const NUL: bool>(
    before: &[u8; BLOCK],
    octets: &[u8; BLOCK],
) -> Option<usize> {
    let judged = judge_all::<BARE, NUL>(before, octets);
    let mut rest = &judged[..];
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        let eight = u64::from_le_bytes(*eight);
        if eight != 0 {
            return Some(BLOCK - rest.len() + eight.trailing_zeros() as usize / 8);
        }
        rest = behind;
    }
    None
}

/// Returns a bit for each octet of a block that needs a decision, the first one lowest.
#[inline(always)]
fn bits<const BARE: bool, const NUL: bool>(before: &[u8; BLOCK], octets: &[u8; BLOCK]) -> u64 {
    let judged = judge_all::<BARE, NUL>(before, octets);
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

/// Returns the last whole block, and the octets before each of its octets.
#[inline]
fn last_block(octets: &[u8]) -> Option<(&[u8; BLOCK], &[u8; BLOCK])> {
    let (_, without_last) = octets.split_last()?;
    Some((without_last.last_chunk()?, octets.last_chunk()?))
}

/// Returns the position of the first octet that needs a decision, from position 1 on: the first
/// octet has no predecessor here, so the caller judges it.
///
/// With `BARE` false a dot after any LF is reported: the caller checks whether that LF is a line
/// end.
#[inline]
pub(super) fn first_decision<const BARE: bool, const NUL: bool>(octets: &[u8]) -> Option<usize> {
    let mut rest = octets.get(1..)?;
    let mut before = octets;
    while let Some((block, behind)) = rest.split_first_chunk() {
        let (before_block, before_behind) = before.split_first_chunk()?;
        if is_any::<BARE, NUL>(before_block, block) {
            return Some(octets.len() - rest.len() + first::<BARE, NUL>(before_block, block)?);
        }
        rest = behind;
        before = before_behind;
    }
    if let Some((before_block, block)) = last_block(octets) {
        // The octets before the last block are judged already, and need no decision.
        return Some(octets.len() - BLOCK + first::<BARE, NUL>(before_block, block)?);
    }
    let at = octets.len() - rest.len();
    let mut judged =
        before.iter().zip(rest).map(|(before, octet)| judge::<BARE, NUL>(*before, *octet));
    judged.position(|judged| judged != 0).map(|index| at + index)
}

/// The positions that need a decision, of which [`first_decision`] finds the first.
pub(super) struct Decisions<'a, const BARE: bool, const NUL: bool> {
    octets: &'a [u8],
    /// The next octet that is not yet in `bits`.
    at: usize,
    /// The judged positions not yet returned: bit n is the octet at `base` + n.
    bits: u64,
    base: usize,
}

impl<'a, const BARE: bool, const NUL: bool> Decisions<'a, BARE, NUL> {
    #[inline]
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 1, bits: 0, base: 0 }
    }

    /// Judges blocks up to the first one that needs a decision; the last block may be short or
    /// overlap the one before.
    fn advance(&mut self) -> Option<()> {
        let mut rest = self.octets.get(self.at..)?;
        let mut before = self.octets.get(self.at - 1..)?;
        while let Some((block, behind)) = rest.split_first_chunk() {
            let (before_block, before_behind) = before.split_first_chunk()?;
            self.base = self.at;
            self.at += BLOCK;
            if is_any::<BARE, NUL>(before_block, block) {
                self.bits = bits::<BARE, NUL>(before_block, block);
                return Some(());
            }
            rest = behind;
            before = before_behind;
        }
        if rest.is_empty() {
            return None;
        }
        self.base = self.at;
        self.at = self.octets.len();
        if let Some((before_block, block)) = last_block(self.octets) {
            // What was judged before falls out at the low end.
            self.bits = bits::<BARE, NUL>(before_block, block) >> (BLOCK - rest.len());
        } else {
            for (index, (before, octet)) in before.iter().zip(rest).enumerate() {
                self.bits |= u64::from(judge::<BARE, NUL>(*before, *octet)) << index;
            }
        }
        Some(())
    }
}

impl<const BARE: bool, const NUL: bool> Iterator for Decisions<'_, BARE, NUL> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            self.advance()?;
        }
        let index = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(self.base + index)
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

    #[test]
    fn a_decision_is_due_at_bare_line_breaks_and_at_dots_after_lf() {
        let octets = b"a.\r\n.b\n.\r.\r\r\n.\0";
        assert_eq!(one_by_one::<true, true>(octets), [4, 6, 7, 9, 11, 13, 14]);
        assert_eq!(one_by_one::<false, false>(octets), [4, 7, 13]);
    }

    #[test]
    fn blocks_find_what_octets_find_at_every_length_and_place() {
        for length in 0..=260 {
            let plain = vec![b'a'; length];
            assert_eq!(Decisions::<true, true>::new(&plain).count(), 0);
            assert_eq!(first_decision::<true, true>(&plain), None);
            for at in 0..length.saturating_sub(4) {
                for what in [&b"\r\n.x"[..], b"x\n..", b"x\rx\r", b"\n.\n.", b"a\0\0b"] {
                    let mut octets = plain.clone();
                    octets[at..at + 4].copy_from_slice(what);
                    let found: Vec<_> = Decisions::<true, true>::new(&octets).collect();
                    assert_eq!(found, one_by_one::<true, true>(&octets));
                    assert_eq!(first_decision::<true, true>(&octets), found.first().copied());
                    let found: Vec<_> = Decisions::<false, false>::new(&octets).collect();
                    assert_eq!(found, one_by_one::<false, false>(&octets));
                }
            }
        }
    }

    #[test]
    fn every_octet_of_a_block_may_need_a_decision() {
        let octets = [b'\n'; 300];
        assert!(Decisions::<true, true>::new(&octets).eq(1..300));
    }
}
