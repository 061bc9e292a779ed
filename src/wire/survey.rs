//! The kinds of octets that occur in content, found in one pass.

/// The octets that are surveyed at once: enough for several vectors.
const STRIDE: usize = 128;

/// The kinds of octets that occur somewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Octets above 127.
    pub(crate) has_eight_bit: bool,
    /// NUL.
    pub(crate) has_nul: bool,
    /// Control characters other than TAB, CR and LF, NUL and DEL among them.
    pub(crate) has_control: bool,
    /// A CR before another octet than LF, or an LF after another octet than CR. The first octet is not
    /// looked at as an LF, nor the last as a CR: that depends on what is around.
    pub(crate) has_bare_line_break: bool,
}

/// Bits of what occurs, as vector instructions gather them.
#[derive(Clone, Copy)]
struct Seen {
    highest: u8,
    /// Not 0: a control character below 32 that mail does not need.
    control: u8,
    /// Not 0: a bare CR or LF.
    bare: u8,
}

/// Returns the number of octets that are printable US-ASCII.
///
/// This costs four vector instructions for each vector, where [`Survey::of`] costs sixteen: it is made for
/// messages that hold nothing else but line ends.
pub(crate) fn count_printable(octets: &[u8]) -> usize {
    let count = |octets: &[u8]| octets.iter().filter(|octet| (b' '..0x7f).contains(*octet)).count();
    let (strides, rest) = octets.as_chunks::<STRIDE>();
    strides.iter().map(count_in_stride).sum::<usize>() + count(rest)
}

/// Returns the number of octets that are printable US-ASCII.
#[inline(always)]
fn count_in_stride(stride: &[u8; STRIDE]) -> usize {
    // In this form compilers make vector instructions of it.
    let count = stride.iter().fold(0_u8, |count, octet| {
        count.wrapping_add(u8::from(octet.wrapping_add(1) as i8 > b' ' as i8))
    });
    usize::from(count)
}

impl Survey {
    /// Looks at each octet once.
    #[inline]
    pub(crate) fn of(octets: &[u8]) -> Self {
        #[cfg(all(feature = "simd", any(target_arch = "x86", target_arch = "x86_64")))]
        if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
            return fearless_simd::Simd::vectorize(
                avx2,
                #[inline(always)]
                || Self::by_strides(octets),
            );
        }
        Self::by_strides(octets)
    }

    #[inline(always)]
    fn by_strides(octets: &[u8]) -> Self {
        let mut seen = Seen { highest: 0, control: 0, bare: 0 };
        let Some((first, mut rest)) = octets.split_first() else { return Self::default() };
        // The octet before it is not known: one that makes no bare line break of it stands in.
        seen.add(if *first == b'\n' { b'\r' } else { b' ' }, *first);
        let mut before = octets;
        while let (Some((stride, after)), Some((before_stride, before_after))) =
            (rest.split_first_chunk::<STRIDE>(), before.split_first_chunk::<STRIDE>())
        {
            for (before, octet) in before_stride.iter().zip(stride) {
                seen.add(*before, *octet);
            }
            (rest, before) = (after, before_after);
        }
        for (before, octet) in before.iter().zip(rest) {
            seen.add(*before, *octet);
        }
        Self {
            has_eight_bit: seen.highest > 0x7f,
            has_nul: seen.control != 0 && memchr::memchr(0, octets).is_some(),
            has_control: seen.control != 0
                || seen.highest >= 0x7f && memchr::memchr(0x7f, octets).is_some(),
            has_bare_line_break: seen.bare != 0,
        }
    }
}

impl Seen {
    #[inline(always)]
    fn add(&mut self, before: u8, octet: u8) {
        // In this form compilers make vector instructions of it.
        let mask = |is: bool| 0_u8.wrapping_sub(u8::from(is));
        let lf = mask(octet == b'\n');
        self.highest = self.highest.max(octet);
        self.control |= mask(octet < b' ')
            .wrapping_sub(lf)
            .wrapping_sub(mask(octet == b'\r'))
            .wrapping_sub(mask(octet == b'\t'));
        self.bare |= lf.wrapping_sub(mask(before == b'\r'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    fn one_by_one(octets: &[u8]) -> Survey {
        let is_bare = |pair: &[u8]| (pair[0] == b'\r') != (pair[1] == b'\n');
        Survey {
            has_eight_bit: !octets.is_ascii(),
            has_nul: octets.contains(&0),
            has_control: octets
                .iter()
                .any(|octet| octet.is_ascii_control() && !b"\t\r\n".contains(octet)),
            has_bare_line_break: octets.windows(2).any(is_bare),
        }
    }

    #[test]
    fn printable_octets_are_counted() {
        let octets: Vec<u8> = (0..=255).cycle().take(700).collect();
        for (start, end) in (0..300).flat_map(|start| [start, 400, 700].map(|end| (start, end))) {
            let octets = &octets[start..end];
            let expected = octets.iter().filter(|octet| (32..127).contains(*octet)).count();
            assert_eq!(count_printable(octets), expected, "{start} to {end}");
        }
        assert_eq!(count_printable(&[b'a'; 1000]), 1000);
    }

    #[test]
    fn each_octet_is_found_for_what_it_is_at_each_place() {
        for length in [0, 1, 2, 127, 128, 129, 130, 257, 300] {
            let plain = vec![b'a'; length];
            assert_eq!(Survey::of(&plain), Survey::default());
            for (at, octet) in (0..length).flat_map(|at| (0..=255).map(move |octet| (at, octet))) {
                if length > 2 && !b"\0\t\n\r\x1f \x7f\x80\xff".contains(&octet) && at % 64 != 1 {
                    continue;
                }
                let mut octets: Vec<u8> = plain.clone();
                octets[at] = octet;
                assert_eq!(Survey::of(&octets), one_by_one(&octets), "{octet} at {at} of {length}");
                if let Some(next) = octets.get_mut(at + 1) {
                    *next = b'\n';
                    assert_eq!(Survey::of(&octets), one_by_one(&octets), "{octet} LF at {at}");
                }
            }
        }
    }
}
