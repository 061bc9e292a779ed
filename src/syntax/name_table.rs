//! A fixed list of names, in which a name is found without case.

use super::lanes::{NameEnd, load, word, words};

/// Slots of a table: three times as many as the longest list has names, so that a multiplier is soon found.
const SLOTS: usize = 128;
/// Octets that no name has.
const LIMIT: usize = 24;
/// The number of no name.
const NONE: u8 = u8::MAX;

/// `N` names of 2 to 23 octets of ASCII, with a value for each. Those that begin with two equal octets have one slot.
///
/// A name is compared in the words in which its end is found: nothing is read twice, and what follows it need not wait for the
/// table.
pub(super) struct NameTable<T, const N: usize> {
    names: [Name<T>; N],
    /// The first name of each slot.
    slots: [u8; SLOTS],
    multiplier: u64,
}

#[derive(Clone, Copy)]
struct Name<T> {
    /// The octets of the name in capital letters, eight a word, with zeros after them.
    words: [u64; LIMIT / 8],
    /// The bits in which other octets must not differ: all but the one by which small letters differ.
    masks: [u64; LIMIT / 8],
    length: u8,
    /// The next name of the slot.
    next: u8,
    value: T,
}

impl<T: Copy> Name<T> {
    // Evaluated at compile time.
    #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]
    const fn new(name: &[u8], value: T) -> Self {
        assert!(name.len() >= 2 && name.len() < LIMIT, "not a name");
        let (mut words, mut masks) = ([0; 3], [0; 3]);
        let mut at = 0;
        while at < name.len() {
            let mask = if name[at].is_ascii_alphabetic() { !0x20 } else { !0_u8 };
            words[at / 8] |= (name[at].to_ascii_uppercase() as u64) << (at % 8 * 8);
            masks[at / 8] |= (mask as u64) << (at % 8 * 8);
            at += 1;
        }
        Self { words, masks, length: name.len() as u8, next: NONE, value }
    }

    /// Returns whether the name is that of these words, which has this length.
    #[inline(always)]
    fn is<const W: usize>(&self, words: [u64; W], length: usize) -> bool {
        let known = self.words.iter().zip(&self.masks);
        let differ = words
            .iter()
            .zip(known)
            .fold(0, |all, (word, (known, mask))| all | (word ^ known) & mask);
        differ == 0 && usize::from(self.length) == length
    }
}

/// Returns the slot of the names that begin as this word does.
#[inline(always)]
const fn slot(word: u64, multiplier: u64) -> usize {
    ((word & 0xDFDF).wrapping_mul(multiplier) >> 57) as usize % SLOTS
}

impl<T: Copy, const N: usize> NameTable<T, N> {
    // Evaluated at compile time.
    #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]
    pub(super) const fn new(names: [(&'static str, T); N]) -> Self {
        assert!(N < NONE as usize, "too many names");
        let mut list = [Name::new(names[0].0.as_bytes(), names[0].1); N];
        let mut at = 0;
        while at < N {
            list[at] = Name::new(names[at].0.as_bytes(), names[at].1);
            at += 1;
        }
        let mut table =
            Self { names: list, slots: [NONE; SLOTS], multiplier: 0x9E37_79B9_7F4A_7C15 };
        while !table.fill() {
            table = Self { names: list, slots: [NONE; SLOTS], multiplier: table.multiplier };
            table.multiplier = table.multiplier.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(2);
        }
        table
    }

    /// Puts each name into its slot; returns whether only those that begin with two equal octets have one slot.
    // Evaluated at compile time.
    #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]
    const fn fill(&mut self) -> bool {
        let mut at = 0;
        while at < N {
            let first = self.names[at].words[0];
            let slot = &mut self.slots[slot(first, self.multiplier)];
            if *slot != NONE && self.names[*slot as usize].words[0] as u16 != first as u16 {
                return false;
            }
            self.names[at].next = *slot;
            *slot = at as u8;
            at += 1;
        }
        true
    }

    /// Returns the value of a name, in any case.
    pub(super) fn find(&self, name: &[u8]) -> Option<T> {
        let (value, end) = self.find_at(name, 0, NameEnd::Space)?;
        (end == name.len()).then_some(*value)
    }

    /// Returns the value of the name from `start` on, in any case, and the place of its end.
    #[inline(always)]
    pub(super) fn find_at(&self, octets: &[u8], start: usize, end: NameEnd) -> Option<(&T, usize)> {
        let (value, length) = match octets.get(start..).and_then(<[u8]>::first_chunk) {
            Some(chunk) => {
                let [first, second, third] = words(chunk);
                self.find_in(end, first, || second, || third)?
            }
            None => self.find_last(octets, start, end)?,
        };
        Some((value, start + length))
    }

    /// Returns what [`find_at`](Self::find_at) returns, near the end of the octets, and the length for the place.
    #[inline(never)]
    fn find_last(&self, octets: &[u8], start: usize, end: NameEnd) -> Option<(&T, usize)> {
        // A zero, which is an end, stands for each octet after the last.
        let word = |at| load(octets, start + at);
        self.find_in(end, word(0), || word(8), || word(16))
    }

    /// Returns what [`find_at`](Self::find_at) returns, at less cost where the octets are few.
    #[inline(always)]
    pub(super) fn find_short(
        &self,
        octets: &[u8],
        start: usize,
        end: NameEnd,
    ) -> Option<(&T, usize)> {
        let word = |at| word(octets, start + at);
        let (value, length) = self.find_in(end, word(0), || word(8), || word(16))?;
        Some((value, start + length))
    }

    /// Returns the value of the name that begins with these words, and its length.
    #[inline(always)]
    fn find_in(
        &self,
        end: NameEnd,
        first: u64,
        second: impl FnOnce() -> u64,
        third: impl FnOnce() -> u64,
    ) -> Option<(&T, usize)> {
        if let Some(length) = end.lane(first) {
            return Some((self.get([first], length)?, length));
        }
        let second = second();
        if let Some(lane) = end.lane(second) {
            return Some((self.get([first, second], 8 + lane)?, 8 + lane));
        }
        let third = third();
        let length = 16 + end.lane(third)?;
        Some((self.get([first, second, third], length)?, length))
    }

    /// Returns the value of the name of these words, which has this length.
    #[inline(always)]
    fn get<const W: usize>(&self, words: [u64; W], length: usize) -> Option<&T> {
        let mut next = *self.slots.get(slot(*words.first()?, self.multiplier))?;
        loop {
            // The number of no name is beyond the list.
            let name = self.names.get(usize::from(next))?;
            if name.is(words, length) {
                return Some(&name.value);
            }
            next = name.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_no_other() {
        const NAMES: [&str; 10] = [
            "AB",
            "ABC",
            "DSN",
            "SIZE",
            "SIZES",
            "CONPERM",
            "8BITMIME",
            "8BITMIME-OR-MORE",
            "MT-PRIORITY",
            "ENHANCEDSTATUSCODES",
        ];
        static TABLE: NameTable<usize, 10> = NameTable::new([
            (NAMES[0], 0),
            (NAMES[1], 1),
            (NAMES[2], 2),
            (NAMES[3], 3),
            (NAMES[4], 4),
            (NAMES[5], 5),
            (NAMES[6], 6),
            (NAMES[7], 7),
            (NAMES[8], 8),
            (NAMES[9], 9),
        ]);
        for (place, name) in NAMES.iter().enumerate() {
            assert_eq!(TABLE.find(name.as_bytes()), Some(place));
            assert_eq!(TABLE.find(name.to_lowercase().as_bytes()), Some(place));
            for rest in ["", " ", "\r\n", "\0", "=", "X", "\u{fc}", " and seven more of a line"] {
                let text = alloc::format!("a {name}{rest}");
                let found = Some((&place, "a ".len() + name.len()));
                let find = |end| TABLE.find_at(text.as_bytes(), "a ".len(), end);
                let (is_longer, is_given) = (matches!(rest, "X" | "\u{fc}"), rest == "=");
                assert_eq!(find(NameEnd::Space), found.filter(|_| !is_longer && !is_given));
                assert_eq!(find(NameEnd::SpaceOrEquals), found.filter(|_| !is_longer));
            }
            for at in 0..name.len() {
                for octet in 0..=u8::MAX {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = octet;
                    let is_equal = |name: &&str| other.eq_ignore_ascii_case(name.as_bytes());
                    assert_eq!(TABLE.find(&other), NAMES.iter().position(is_equal), "{other:?}");
                }
            }
        }
        for name in [
            "",
            "A",
            "SIZE ",
            "SIZ",
            "SIZEX",
            " ",
            "ENHANCEDSTATUSCODESX",
            "AB34567890123456789012345",
        ] {
            assert_eq!(TABLE.find(name.as_bytes()), None, "{name:?}");
        }
    }
}
