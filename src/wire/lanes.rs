//! The instructions of the loops that look at every octet of content.
//!
//! Whether an octet needs a decision depends on it and the octet before it, in arithmetic on `u8`
//! over arrays of a fixed size: compilers make vector instructions of this form (and of few others:
//! `bool` and `if` are ten times as slow). A stride that is clean costs eight such instructions for
//! each vector; which octets of a block need a decision is computed only where one may.
//!
//! With the feature `simd` the instructions of AVX2 are named one by one, and the processor decides when it
//! runs whether they are used.

/// The octets of which a mask has a bit each.
pub(super) const BLOCK: usize = 64;

/// The octets that are found to be clean at once.
pub(super) const STRIDE: usize = 4 * BLOCK;

/// A set of instructions.
pub(super) trait Lanes: Copy {
    /// Returns the position of the first block from `at` on that may need a decision, of one with fewer than
    /// 64 octets, or of one after `until`.
    fn pass_clean<const BARE: bool, const NUL: bool>(
        self,
        octets: &[u8],
        at: usize,
        until: usize,
    ) -> usize;

    /// Returns a bit for each octet of a block that needs a decision, the first one lowest.
    fn bits<const BARE: bool, const NUL: bool>(
        self,
        before: &[u8; BLOCK],
        octets: &[u8; BLOCK],
    ) -> u64;
}

/// An act that is done with the best instructions at hand.
pub(super) trait Act {
    /// The result.
    type Output;

    /// Does the act. It is inlined wherever it is called, for the sake of the instructions.
    fn run(self, lanes: impl Lanes) -> Self::Output;
}

/// Does an act with the best instructions at hand.
#[inline(always)]
pub(super) fn run<A: Act>(act: A) -> A::Output {
    #[cfg(all(feature = "simd", any(target_arch = "x86", target_arch = "x86_64")))]
    if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
        return fearless_simd::Simd::vectorize(
            avx2,
            #[inline(always)]
            || act.run(avx2::Avx2(avx2)),
        );
    }
    act.run(Portable)
}

/// Returns the octets from `at` on, and those before each of them.
#[inline(always)]
pub(super) fn pair<const OCTETS: usize>(
    octets: &[u8],
    at: usize,
) -> Option<(&[u8; OCTETS], &[u8; OCTETS])> {
    let before = octets.get(at.checked_sub(1)?..)?;
    let (_, from) = before.split_first()?;
    Some((before.first_chunk()?, from.first_chunk()?))
}

/// Returns 1 when `octet` after `before` needs a decision, else 0.
///
/// Decisions are due at a dot after LF; with `BARE`, also at an LF that does not follow CR and at
/// an octet other than LF after CR, which reveals the bare CR; with `NUL`, also at a NUL.
#[inline(always)]
pub(super) fn judge<const BARE: bool, const NUL: bool>(before: u8, octet: u8) -> u8 {
    let dot = u8::from(octet == b'.') & u8::from(before == b'\n');
    let nul = if NUL { u8::from(octet == 0) } else { 0 };
    let bare = if BARE { u8::from(octet == b'\n') ^ u8::from(before == b'\r') } else { 0 };
    dot | bare | nul
}

/// Loops of which compilers make vector instructions.
#[derive(Clone, Copy)]
struct Portable;

/// Returns a value with all bits set where `is` holds, else 0, as vector comparisons do.
#[inline(always)]
fn mask(is: bool) -> u8 {
    0_u8.wrapping_sub(u8::from(is))
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

impl Lanes for Portable {
    #[inline(always)]
    fn pass_clean<const BARE: bool, const NUL: bool>(
        self,
        octets: &[u8],
        mut at: usize,
        until: usize,
    ) -> usize {
        let mut near = 0;
        while at < until {
            if near == 0
                && let Some((before, stride)) = pair::<STRIDE>(octets, at)
            {
                if is_suspect::<BARE, NUL, STRIDE>(before, stride) {
                    near = STRIDE / BLOCK;
                } else {
                    at += STRIDE;
                }
                continue;
            }
            match pair::<BLOCK>(octets, at) {
                Some((before, block)) if !is_suspect::<BARE, NUL, BLOCK>(before, block) => {
                    at += BLOCK;
                    near = near.saturating_sub(1);
                }
                _ => break,
            }
        }
        at
    }

    #[inline(always)]
    fn bits<const BARE: bool, const NUL: bool>(
        self,
        before: &[u8; BLOCK],
        octets: &[u8; BLOCK],
    ) -> u64 {
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
}

#[cfg(all(feature = "simd", any(target_arch = "x86", target_arch = "x86_64")))]
mod avx2 {
    use super::{BLOCK, Lanes, pair};
    use fearless_simd::{Bytes, Simd, SimdBase, SimdMask, i8x32, mask8x32, u8x32, x86};

    /// AVX2, on a processor that has it.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(pub(super) x86::Avx2);

    type Vector = u8x32<x86::Avx2>;

    /// The octets of a vector.
    const LANES: usize = 32;

    impl Lanes for Avx2 {
        #[inline(always)]
        fn pass_clean<const BARE: bool, const NUL: bool>(
            self,
            octets: &[u8],
            mut at: usize,
            until: usize,
        ) -> usize {
            while at < until
                && let Some((before, block)) = pair::<BLOCK>(octets, at)
            {
                let one = self.suspect::<BARE, NUL>(self.load(before, 0), self.load(block, 0));
                let two = self.suspect::<BARE, NUL>(self.load(before, 1), self.load(block, 1));
                if self.signs(self.is(self.0.or_u8x32(one, two), 0)) != u32::MAX.into() {
                    break;
                }
                at += BLOCK;
            }
            at
        }

        #[inline(always)]
        fn bits<const BARE: bool, const NUL: bool>(
            self,
            before: &[u8; BLOCK],
            octets: &[u8; BLOCK],
        ) -> u64 {
            let low = self.judged::<BARE, NUL>(self.load(before, 0), self.load(octets, 0));
            let high = self.judged::<BARE, NUL>(self.load(before, 1), self.load(octets, 1));
            self.signs(low) | self.signs(high) << LANES
        }
    }

    impl Avx2 {
        #[inline(always)]
        fn load(self, block: &[u8; BLOCK], place: usize) -> Vector {
            match block.as_chunks::<LANES>().0.get(place) {
                Some(octets) => Vector::load_array_ref(self.0, octets),
                None => self.0.splat_u8x32(0),
            }
        }

        /// Returns 255 where a vector has `octet`, else 0.
        #[inline(always)]
        fn is(self, vector: Vector, octet: u8) -> Vector {
            self.0.simd_eq_u8x32(vector, self.0.splat_u8x32(octet)).to_vector().to_bytes()
        }

        /// Returns the highest bits, that of the first octet lowest.
        #[inline(always)]
        fn signs(self, vector: Vector) -> u64 {
            mask8x32::from_vector(i8x32::from_bytes(vector)).to_bitmask()
        }

        /// Does what [`judge`](super::judge) does, with 255 for 1.
        #[inline(always)]
        fn judged<const BARE: bool, const NUL: bool>(
            self,
            before: Vector,
            octets: Vector,
        ) -> Vector {
            let mut due = self.0.and_u8x32(self.is(octets, b'.'), self.is(before, b'\n'));
            if BARE {
                let bare = self.0.xor_u8x32(self.is(octets, b'\n'), self.is(before, b'\r'));
                due = self.0.or_u8x32(due, bare);
            }
            if NUL {
                due = self.0.or_u8x32(due, self.is(octets, 0));
            }
            due
        }

        /// Does what [`suspect`](super::suspect) does.
        #[inline(always)]
        fn suspect<const BARE: bool, const NUL: bool>(
            self,
            before: Vector,
            octets: Vector,
        ) -> Vector {
            if BARE {
                let dot = self.0.and_u8x32(self.is(octets, b'.'), self.is(before, b'\n'));
                let limit = self.0.splat_u8x32(b'\n' + 1);
                let low = self.0.saturating_sub_u8x32(limit, octets);
                self.0.or_u8x32(dot, self.0.add_u8x32(low, self.is(before, b'\r')))
            } else {
                self.judged::<false, NUL>(before, octets)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
