//! A fixed list of names, in which a name is found without case.

use super::lanes::{LOWER, first_lanes, load};

/// Slots of a table: three times as many as the longest list has names, so that a multiplier with a slot for each is soon found.
const SLOTS: usize = 128;

/// Names of up to 24 octets of ASCII, each in a slot of its own (a perfect hash).
pub(super) struct NameTable<const N: usize> {
    slots: [Slot; SLOTS],
    multiplier: u64,
}

/// A name without its case, as numbers that are compared at once, and its place in the list.
#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    place: u8,
}

#[derive(Clone, Copy)]
struct Key {
    words: [u64; 3],
    length: u8,
}

impl Key {
    /// The key of no name.
    const NONE: Self = Self { words: [0; 3], length: 0 };

    /// Returns the key of the octets from `start` to `end`, which must hold no control character; `None` for a name that no table
    /// holds: empty, or too long.
    #[inline(always)]
    const fn of(octets: &[u8], start: usize, end: usize) -> Option<Self> {
        let first = load(octets, start);
        let (words, length) = match end.saturating_sub(start) {
            length @ 1..=8 => ([first & first_lanes(length), 0, 0], length),
            length @ 9..=16 => ([first, load(octets, end - 8), 0], length),
            length @ 17..=24 => ([first, load(octets, end - 8), load(octets, start + 8)], length),
            _ => return None,
        };
        let [a, b, c] = words;
        #[allow(clippy::cast_possible_truncation)] // at most 24
        Some(Self { words: [a | LOWER, b | LOWER, c | LOWER], length: length as u8 })
    }

    #[inline(always)]
    const fn is(&self, other: &Self) -> bool {
        let ([a, b, c], [x, y, z]) = (self.words, other.words);
        (a ^ x) | (b ^ y) | (c ^ z) == 0 && self.length == other.length
    }

    #[inline(always)]
    const fn slot(&self, multiplier: u64) -> usize {
        let [a, b, c] = self.words;
        let mixed = (a ^ b.rotate_left(9) ^ c.rotate_left(23)).wrapping_mul(multiplier);
        (mixed >> 57) as usize % SLOTS
    }
}

impl<const N: usize> NameTable<N> {
    // Evaluated at compile time.
    #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::panic)]
    pub(super) const fn new(names: [&'static str; N]) -> Self {
        assert!(N < SLOTS, "more names than slots");
        let mut multiplier: u64 = 0x9E37_79B9_7F4A_7C15;
        loop {
            let mut slots = [Slot { key: Key::NONE, place: 0 }; SLOTS];
            let mut place = 0;
            while place < N {
                let name = names[place].as_bytes();
                let Some(key) = Key::of(name, 0, name.len()) else { panic!("not a name") };
                let slot = key.slot(multiplier);
                if slots[slot].key.length != 0 {
                    break;
                }
                slots[slot] = Slot { key, place: place as u8 };
                place += 1;
            }
            if place == N {
                return Self { slots, multiplier };
            }
            multiplier = multiplier.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(2);
        }
    }

    /// Returns the place of a name in the list, in any case.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        // A control character would become a digit or a hyphen.
        match name.iter().any(u8::is_ascii_control) {
            true => None,
            false => self.find_within(name, 0, name.len()),
        }
    }

    /// Returns the place in the list of the name from `start` to `end`, in any case; there must be no control character in it.
    #[inline(always)]
    pub(super) fn find_within(&self, octets: &[u8], start: usize, end: usize) -> Option<usize> {
        let key = Key::of(octets, start, end)?;
        let slot = self.slots.get(key.slot(self.multiplier))?;
        slot.key.is(&key).then_some(usize::from(slot.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_no_other() {
        const NAMES: [&str; 8] =
            ["A", "AB", "DSN", "SIZE", "CONPERM", "8BITMIME", "MT-PRIORITY", "ENHANCEDSTATUSCODES"];
        static TABLE: NameTable<8> = NameTable::new(NAMES);
        for (place, name) in NAMES.iter().enumerate() {
            assert_eq!(TABLE.find(name.as_bytes()), Some(place));
            assert_eq!(TABLE.find(name.to_lowercase().as_bytes()), Some(place));
            for rest in ["", " ", "X", " and seven more names of a line"] {
                let text = alloc::format!("a {name}{rest}");
                let end = "a ".len() + name.len();
                assert_eq!(TABLE.find_within(text.as_bytes(), "a ".len(), end), Some(place));
            }
            for at in 0..name.len() {
                for octet in 0..=u8::MAX {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = octet;
                    let is_equal = other.eq_ignore_ascii_case(name.as_bytes());
                    let place = Some(place).filter(|_| is_equal);
                    assert_eq!(TABLE.find(&other), place, "{other:?}");
                }
            }
        }
        for name in
            ["", "SIZE ", "SIZ", "SIZES", " ", "ENHANCEDSTATUSCODESX", "A234567890123456789012345"]
        {
            assert_eq!(TABLE.find(name.as_bytes()), None, "{name:?}");
        }
    }
}
