//! A fixed list of names, in which a name is found without case.

/// Slots of a table: twice as many as the longest list has names, so that nearly every name is in its own.
const SLOTS: usize = 128;

/// Names of up to 24 octets of ASCII.
pub(super) struct NameTable<const N: usize> {
    keys: [Key; N],
    /// For each slot the number of its name, counted from 1; 0 is no name.
    slots: [u8; SLOTS],
}

/// A name without its case, as numbers that are compared at once.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    length: usize,
    words: [u64; 3],
}

/// The bit by which small letters differ from capital ones, in each octet.
const LOWER: u64 = 0x2020_2020_2020_2020;
/// One of these two bits is set in each octet of ASCII that is no control character.
const PRINTABLE: u64 = 0x4040_4040_4040_4040;

impl Key {
    const NONE: Self = Self { length: 0, words: [LOWER; 3] };

    /// Returns the key of a name; `None` for a name that no table holds: empty, too long, or with a control character.
    #[inline]
    const fn of(name: &[u8]) -> Option<Self> {
        let mut words = [LOWER; 3];
        match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => {
                words = [u64::from_le_bytes(*first), u64::from_le_bytes(*last), LOWER];
                if name.len() > 16 {
                    let Some((_, rest)) = name.split_at_checked(8) else { return None };
                    let Some(middle) = rest.first_chunk() else { return None };
                    words[2] = u64::from_le_bytes(*middle);
                }
            }
            _ => match (name.first_chunk(), name.last_chunk()) {
                (Some(first), Some(last)) => {
                    let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
                    words[0] = first as u64 | (last as u64) << 32;
                }
                _ => {
                    let [a, b, c] = match *name {
                        [] => return None,
                        [a] => [a, b' ', b' '],
                        [a, b] => [a, b, b' '],
                        [a, b, c, ..] => [a, b, c],
                    };
                    words[0] = u64::from_le_bytes([a, b, c, b' ', b' ', b' ', b' ', b' ']);
                }
            },
        }
        // A control character would become a digit or a hyphen.
        let [a, b, c] = words;
        let is_printable = (a | a << 1) & (b | b << 1) & (c | c << 1) & PRINTABLE == PRINTABLE;
        if !is_printable || name.len() > 24 {
            return None;
        }
        Some(Self { length: name.len(), words: [a | LOWER, b | LOWER, c | LOWER] })
    }

    #[inline]
    const fn slot(&self) -> usize {
        let [a, b, c] = self.words;
        let mixed = (a ^ b.rotate_left(9) ^ c.rotate_left(23)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 57) as usize % SLOTS
    }
}

impl<const N: usize> NameTable<N> {
    // Evaluated at compile time.
    #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::panic)]
    pub(super) const fn new(names: [&str; N]) -> Self {
        assert!(N < SLOTS, "more names than slots");
        let mut slots = [0; SLOTS];
        let mut keys = [Key::NONE; N];
        let mut number = 0;
        while number < N {
            let Some(key) = Key::of(names[number].as_bytes()) else { panic!("not a name") };
            let mut at = key.slot();
            while slots[at] != 0 {
                at = (at + 1) % SLOTS;
            }
            keys[number] = key;
            slots[at] = number as u8 + 1;
            number += 1;
        }
        Self { keys, slots }
    }

    /// Returns the place of a name in the list, in any case.
    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        let key = Key::of(name)?;
        let mut at = key.slot();
        loop {
            let number = usize::from(*self.slots.get(at)?).checked_sub(1)?;
            if *self.keys.get(number)? == key {
                return Some(number);
            }
            at = (at + 1) % SLOTS;
        }
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
