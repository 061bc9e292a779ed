//! The octets of a line as places: a bit for each octet, in a number for each class.
//!
//! A path is read from these numbers without a branch that depends on the length of a word, which nothing predicts.

use super::grammar::{ATEXT, Class, LABEL, is};

/// Octets of a block, which are looked up together.
const BLOCK: usize = 16;
/// Octets of a window, the bits of a number.
const OCTETS: usize = 64;

/// The places of the octets of ASCII of each class, in the octets of a line from one on.
#[derive(Default)]
pub(super) struct Window {
    /// The place in the line of the first bit.
    from: usize,
    /// `atext` and dots.
    atoms: u64,
    /// Letters, digits, hyphens and dots.
    labels: u64,
    dots: u64,
    hyphens: u64,
}

/// The classes of each octet: a bit in each quarter of a number.
static ROWS: [u64; 256] = rows();

#[allow(clippy::indexing_slicing)] // evaluated at compile time
const fn rows() -> [u64; 256] {
    const fn bit(is_member: bool, quarter: u32) -> u64 {
        (is_member as u64) << (BLOCK as u32 * quarter)
    }
    const fn belongs(octet: u8, class: Class) -> bool {
        octet.is_ascii() && (octet == b'.' || is(octet, class))
    }
    let mut rows = [0; 256];
    let mut octet = 0_u8;
    loop {
        rows[octet as usize] = bit(belongs(octet, ATEXT), 0)
            | bit(belongs(octet, LABEL), 1)
            | bit(octet == b'.', 2)
            | bit(octet == b'-', 3);
        if octet == u8::MAX {
            return rows;
        }
        octet += 1;
    }
}

impl Window {
    /// Looks at 64 octets from `from` on, or at those that there are.
    #[inline]
    pub(super) fn of(line: &[u8], from: usize) -> Self {
        let octets = line.get(from..).unwrap_or_default();
        let octets = octets.first_chunk::<OCTETS>().map_or(octets, |first| first);
        let mut window = Self { from, ..Self::default() };
        let Some(last) = octets.last_chunk() else {
            window.add(&padded(octets), 0);
            return window;
        };
        let mut at = 0;
        while let Some(block) = octets.get(at..octets.len() - 1).and_then(<[u8]>::first_chunk) {
            window.add(block, at);
            at += BLOCK;
        }
        // It may overlap the one before it, and its bits are equal there.
        window.add(last, octets.len() - BLOCK);
        window
    }

    #[inline]
    #[allow(clippy::indexing_slicing)] // a u8 is below 256
    fn add(&mut self, block: &[u8; BLOCK], at: usize) {
        let sum = block.iter().rev().fold(0, |sum, octet| 2 * sum + ROWS[usize::from(*octet)]);
        let quarter = |number: usize| (sum >> (BLOCK * number) & 0xFFFF) << at;
        self.atoms |= quarter(0);
        self.labels |= quarter(1);
        self.dots |= quarter(2);
        self.hyphens |= quarter(3);
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

/// Returns the place of the first bit from `start` on that is not set, which may be `start`, and the bits in front of it.
#[inline]
fn run(bits: u64, start: usize) -> Option<(usize, u64)> {
    let behind = (!bits).checked_shr(u32::try_from(start).ok()?)?;
    let end = start + behind.trailing_zeros() as usize;
    (end < OCTETS).then(|| (end, bit(end) - bit(start)))
}

/// Returns the number with this bit, which is below 64.
#[inline]
const fn bit(place: usize) -> u64 {
    1 << (place % OCTETS)
}

/// Returns fewer octets than a block, with zeros after them, which are of no class.
fn padded(octets: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    block
}
