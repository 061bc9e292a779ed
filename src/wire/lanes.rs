//! The instructions of the loops that look at every octet of content.
//!
//! Whether an octet needs a decision depends on it and the octet before it, in arithmetic on `u8`
//! over arrays of a fixed size: compilers make vector instructions of this form (and of few others:
//! `bool` and `if` are ten times as slow). Two blocks that are clean cost seven such instructions for
//! each vector and one test; which octets of a block need a decision is computed only where one may.
//!
//! With the feature `simd` the instructions of AVX2 are named one by one, and the processor decides when it
//! runs whether they are used.

/// The octets of which a mask has a bit each.
pub(super) const BLOCK: usize = 64;

/// The octets of which one test tells whether any needs a decision. Twice as many would cost a tenth less in text without
/// stuffed dots, and more in text with some.
const PASS: usize = 2 * BLOCK;

/// The blocks of which every octet is judged after a verdict that was wrong, as that on TAB is.
const EXACT: usize = 4;

/// The octets of a vector of SSE2.
const LANES: usize = 16;

/// A set of instructions.
pub(super) trait Lanes: Copy {
    /// Passes blocks from `at` on that need no decision, up to one that begins after `until`.
    fn pass_clean<const BARE: bool, const NUL: bool>(
        self,
        octets: &[u8],
        at: usize,
        until: usize,
    ) -> Passed;

    /// Returns a bit for each octet of a block that needs a decision, the first one lowest.
    fn bits<const BARE: bool, const NUL: bool>(
        self,
        before: &[u8; BLOCK],
        octets: &[u8; BLOCK],
    ) -> u64;
}

/// The end of the octets that were passed, because they need no decision.
pub(super) enum Passed {
    /// There were no more, or fewer than a block.
    Clean(usize),
    /// A block begins here of which an octet needs one: its bits.
    Due(usize, u64),
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

/// Returns the position of the first octet up to CR: a line break, NUL, TAB or another control character.
///
/// For a line of usual length this is half of a search by memchr, which is called through a pointer. Nothing is
/// found in the last octets, fewer than 32.
#[inline(always)]
pub(super) fn first_control(octets: &[u8]) -> Option<usize> {
    const LANES: usize = 32;
    const WORD: usize = 8;
    const ABOVE_CR: u64 = u64::from_le_bytes([b'\r' + 1; WORD]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; WORD]);
    for (lane, octets) in octets.as_chunks::<LANES>().0.iter().enumerate() {
        if octets.iter().fold(0, |any, octet| any | mask(*octet <= b'\r')) == 0 {
            continue;
        }
        for (word, octets) in octets.as_chunks::<WORD>().0.iter().enumerate() {
            let octets = u64::from_le_bytes(*octets);
            // The lowest bit is right; a borrow may set the ones above it.
            let found = octets.wrapping_sub(ABOVE_CR) & !octets & HIGHEST;
            if found != 0 {
                let octet = found.trailing_zeros() / u8::BITS;
                return Some(LANES * lane + WORD * word + octet as usize);
            }
        }
    }
    None
}

/// Returns a bit for each octet, each of which is 0 or 1.
#[inline(always)]
fn gather(octets: &[u8; BLOCK / 2]) -> u64 {
    octets.as_chunks::<8>().0.iter().rev().fold(0, |bits, eight| {
        // The product has them as its highest eight bits.
        let eight = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080);
        bits << 8 | eight >> (u64::BITS - 8)
    })
}

/// Loops of which compilers make vector instructions.
#[derive(Clone, Copy)]
struct Portable;

/// Returns a value with all bits set where `is` holds, else 0, as vector comparisons do.
#[inline(always)]
fn mask(is: bool) -> u8 {
    0_u8.wrapping_sub(u8::from(is))
}

/// The bits that [`verdict`] sets for each octet that needs no decision.
const CLEAN: u8 = 0x17;

/// Returns a value with all bits of [`CLEAN`] unless `octet` after `before` may need a decision, line breaks outside
/// CRLF and NUL among them.
///
/// Both are cut off where they are printable, and what is left tells LF (10) from CR (13) from the rest. The sum is
/// 0x1f of printable octets and of CR after one, and 0x17 of LF after CR and of what follows LF; it lacks a bit of
/// `CLEAN` for a bare CR or LF, NUL, and control characters that need no decision, TAB among them. A dot takes 8
/// away, which only that after LF cannot spare.
#[inline(always)]
fn verdict(before: u8, octet: u8) -> u8 {
    let dot = mask(octet == b'.') & 0xf8;
    before.min(18).wrapping_add(octet.min(b'\r')).wrapping_add(dot)
}

/// Returns the number of blocks at the front of which no octet needs a decision. It may be too small.
#[inline(always)]
fn count_clean<const BARE: bool, const NUL: bool>(
    before: &[u8; PASS],
    octets: &[u8; PASS],
) -> usize {
    let ([before_first, before_second], [first, second]) =
        (before.as_chunks::<BLOCK>().0, octets.as_chunks::<BLOCK>().0)
    else {
        return 0;
    };
    let first = join_verdicts::<BARE, NUL>(before_first, first);
    let second = join_verdicts::<BARE, NUL>(before_second, second);
    match first & second == ALL_CLEAN {
        true => 2,
        false => usize::from(first == ALL_CLEAN),
    }
}

/// [`CLEAN`] in every octet. Compilers compare a number of this size by one vector instruction, an array by four others.
const ALL_CLEAN: u128 = u128::from_ne_bytes([CLEAN; LANES]);

/// Returns the bits of [`CLEAN`] that the verdicts on every 16th octet of a block have in common, an octet for each of
/// the first 16.
#[inline(always)]
fn join_verdicts<const BARE: bool, const NUL: bool>(
    before: &[u8; BLOCK],
    octets: &[u8; BLOCK],
) -> u128 {
    let mut verdicts = [0; BLOCK];
    for ((before, octet), into) in before.iter().zip(octets).zip(&mut verdicts) {
        *into = match BARE {
            true => verdict(*before, *octet),
            false => judge::<false, NUL>(*before, *octet).wrapping_sub(1),
        };
    }
    let mut all = [CLEAN; LANES];
    for verdicts in verdicts.as_chunks::<LANES>().0 {
        for (all, verdict) in all.iter_mut().zip(verdicts) {
            *all &= verdict;
        }
    }
    u128::from_ne_bytes(all)
}

impl Lanes for Portable {
    #[inline(always)]
    fn pass_clean<const BARE: bool, const NUL: bool>(
        self,
        octets: &[u8],
        mut at: usize,
        until: usize,
    ) -> Passed {
        let mut exact = 0;
        while at < until {
            if exact == 0
                && let Some((before, pass)) = pair::<PASS>(octets, at)
            {
                let clean = count_clean::<BARE, NUL>(before, pass);
                at += clean * BLOCK;
                if clean == PASS / BLOCK {
                    continue;
                }
                exact = EXACT;
            }
            let Some((before, block)) = pair::<BLOCK>(octets, at) else { break };
            let bits = self.bits::<BARE, NUL>(before, block);
            if bits != 0 {
                return Passed::Due(at, bits);
            }
            at += BLOCK;
            exact -= usize::from(exact > 0);
        }
        Passed::Clean(at)
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
        let (halves, _) = judged.as_chunks::<{ BLOCK / 2 }>();
        // Two chains of steps that wait for each other, not one.
        halves.iter().rev().fold(0, |bits, half| bits << (BLOCK / 2) | gather(half))
    }
}

#[cfg(all(feature = "simd", any(target_arch = "x86", target_arch = "x86_64")))]
mod avx2 {
    use super::{BLOCK, Lanes, PASS, Passed, pair};
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
        ) -> Passed {
            while at < until
                && let Some((before, octets)) = pair::<PASS>(octets, at)
            {
                let ([before_first, before_second], [first, second]) =
                    (before.as_chunks::<BLOCK>().0, octets.as_chunks::<BLOCK>().0)
                else {
                    break;
                };
                let first = self.judge_block::<BARE, NUL>(before_first, first);
                let second = self.judge_block::<BARE, NUL>(before_second, second);
                let any = self.0.or_u8x32(
                    self.0.or_u8x32(first.0, first.1),
                    self.0.or_u8x32(second.0, second.1),
                );
                if self.signs(any) == 0 {
                    at += PASS;
                    continue;
                }
                return match self.bits_of(first) {
                    0 => Passed::Due(at + BLOCK, self.bits_of(second)),
                    bits => Passed::Due(at, bits),
                };
            }
            Passed::Clean(at)
        }

        #[inline(always)]
        fn bits<const BARE: bool, const NUL: bool>(
            self,
            before: &[u8; BLOCK],
            octets: &[u8; BLOCK],
        ) -> u64 {
            self.bits_of(self.judge_block::<BARE, NUL>(before, octets))
        }
    }

    impl Avx2 {
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

        #[inline(always)]
        fn judge_block<const BARE: bool, const NUL: bool>(
            self,
            before: &[u8; BLOCK],
            octets: &[u8; BLOCK],
        ) -> (Vector, Vector) {
            let load = |block: &[u8; BLOCK], at: usize| match block.as_chunks::<LANES>().0.get(at) {
                Some(octets) => Vector::load_array_ref(self.0, octets),
                None => self.0.splat_u8x32(0),
            };
            (
                self.judge::<BARE, NUL>(load(before, 0), load(octets, 0)),
                self.judge::<BARE, NUL>(load(before, 1), load(octets, 1)),
            )
        }

        /// Returns a bit for each octet of a judged block.
        #[inline(always)]
        fn bits_of(self, (low, high): (Vector, Vector)) -> u64 {
            self.signs(low) | self.signs(high) << LANES
        }

        /// Does what [`judge`](super::judge) does, with 255 for 1.
        #[inline(always)]
        fn judge<const BARE: bool, const NUL: bool>(
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pair_that_needs_a_decision_has_the_verdict_clean() {
        for (before, octet) in (0..=255).flat_map(|one| (0..=255).map(move |two| (one, two))) {
            let is_due = judge::<true, true>(before, octet) != 0;
            let is_clean = verdict(before, octet) & CLEAN == CLEAN;
            assert!(!is_clean || !is_due, "{before} {octet}");
            // No octet that is common in mail, save TAB, makes a stride slow.
            let is_common = |octet| octet > 31 || b"\r\n".contains(&octet);
            assert!(
                is_clean || is_due || !is_common(before) || !is_common(octet),
                "{before} {octet}"
            );
        }
    }

    #[test]
    fn the_first_control_character_is_found_but_in_the_last_octets() {
        for (length, at) in (0..100).flat_map(|length| (0..length).map(move |at| (length, at))) {
            for octet in 0..=255 {
                let mut octets = [b'a'; 100];
                octets[at] = octet;
                // One after it is not the first.
                octets[at + 1..length.max(at + 1)].fill(b'\r');
                let expected = if octet <= b'\r' { at } else { at + 1 };
                let found = first_control(&octets[..length]);
                assert_eq!(found, Some(expected).filter(|at| *at < length / 32 * 32));
            }
        }
    }
}
