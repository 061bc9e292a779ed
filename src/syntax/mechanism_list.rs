//! The SASL mechanisms that a line of EHLO names.

use alloc::boxed::Box;
use alloc::string::String;

use super::Mechanism;
use super::lanes::NameEnd;
use super::name_table::NameTable;

/// The number of unknown mechanisms that are kept. No server announces more, and comparing them costs time.
const OTHERS: usize = 64;

/// The mechanisms that servers are known to announce.
const KNOWN: [Mechanism; 19] = [
    Mechanism::PLAIN,
    Mechanism::LOGIN,
    Mechanism::CRAM_MD5,
    Mechanism::SCRAM_SHA_1,
    Mechanism::SCRAM_SHA_1_PLUS,
    Mechanism::SCRAM_SHA_256,
    Mechanism::SCRAM_SHA_256_PLUS,
    Mechanism::SCRAM_SHA_512,
    Mechanism::SCRAM_SHA_512_PLUS,
    Mechanism::XOAUTH2,
    Mechanism::OAUTHBEARER,
    Mechanism::EXTERNAL,
    Mechanism::ANONYMOUS,
    Mechanism::literal("DIGEST-MD5"),
    Mechanism::literal("GSSAPI"),
    Mechanism::literal("NTLM"),
    Mechanism::literal("PLAIN-CLIENTTOKEN"),
    Mechanism::literal("XOAUTH"),
    Mechanism::literal("GS2-KRB5"),
];

static TABLE: NameTable<u8, 19> = NameTable::new([
    ("PLAIN", 0),
    ("LOGIN", 1),
    ("CRAM-MD5", 2),
    ("SCRAM-SHA-1", 3),
    ("SCRAM-SHA-1-PLUS", 4),
    ("SCRAM-SHA-256", 5),
    ("SCRAM-SHA-256-PLUS", 6),
    ("SCRAM-SHA-512", 7),
    ("SCRAM-SHA-512-PLUS", 8),
    ("XOAUTH2", 9),
    ("OAUTHBEARER", 10),
    ("EXTERNAL", 11),
    ("ANONYMOUS", 12),
    ("DIGEST-MD5", 13),
    ("GSSAPI", 14),
    ("NTLM", 15),
    ("PLAIN-CLIENTTOKEN", 16),
    ("XOAUTH", 17),
    ("GS2-KRB5", 18),
]);

/// Names of SASL mechanisms, each once: the known ones in their order, as numbers, then the others.
///
/// A list of known mechanisms needs no memory of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct MechanismList {
    known: [u8; KNOWN.len()],
    /// The length of that list.
    count: u8,
    /// A bit for each number in it.
    set: u32,
    /// Absent without such names: each idle session of a client has a list.
    others: Option<Box<Others>>,
}

/// The names of unknown mechanisms, in upper case, each followed by a space.
#[derive(Clone, Debug, Default)]
struct Others(String);

impl MechanismList {
    pub(super) const NONE: Self = Self { known: [0; KNOWN.len()], count: 0, set: 0, others: None };

    /// Appends a mechanism; ignores a name that is invalid, or in the list.
    pub(super) fn add(&mut self, name: &[u8]) {
        match TABLE.find(name) {
            Some(number) => self.add_known(number),
            None => self.add_other(name),
        }
    }

    /// Appends the known mechanism whose name stands from `start` on, unless it is in the list, and returns the place of its end,
    /// which is a space or a control character; `None` for any other name.
    #[inline]
    pub(super) fn add_at(&mut self, octets: &[u8], start: usize) -> Option<usize> {
        let (number, end) = TABLE.find_at(octets, start, NameEnd::Space)?;
        self.add_known(*number);
        Some(end)
    }

    #[inline]
    fn add_known(&mut self, number: u8) {
        let bit = 1 << number;
        if self.set & bit == 0
            && let Some(place) = self.known.get_mut(usize::from(self.count))
        {
            *place = number;
            self.count += 1;
            self.set |= bit;
        }
    }

    #[cold]
    fn add_other(&mut self, name: &[u8]) {
        let Ok(mechanism) = Mechanism::of(name) else { return };
        let name = mechanism.as_str();
        if self.others().count() < OTHERS && !self.others().any(|other| other == name) {
            let Others(names) = &mut **self.others.get_or_insert_default();
            names.push_str(name);
            names.push(' ');
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::NONE;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.others().next().is_none()
    }

    /// Iterates over the names of unknown mechanisms.
    fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().flat_map(|others| others.0.split_terminator(' '))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Mechanism> + use<'_> {
        let known = self.known.iter().take(usize::from(self.count));
        let known = known.filter_map(|number| KNOWN.get(usize::from(*number)).copied());
        known.chain(self.others().filter_map(|name| Mechanism::new(name).ok()))
    }

    /// Returns how much of the list there was, for [`shorten`](Self::shorten).
    #[inline]
    pub(super) fn mark(&self) -> (u8, u32, usize) {
        (self.count, self.set, self.others.as_ref().map_or(0, |others| others.0.len()))
    }

    /// Takes out everything that was added after the mark.
    #[cold]
    pub(super) fn shorten(&mut self, (count, set, others): (u8, u32, usize)) {
        (self.count, self.set) = (count, set);
        if let Some(Others(names)) = self.others.as_deref_mut() {
            names.truncate(others);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn add(list: &mut MechanismList, name: &str) {
        list.add(name.as_bytes());
    }

    #[test]
    fn every_known_mechanism_has_its_number() {
        let mut list = MechanismList::NONE;
        for (number, mechanism) in KNOWN.iter().enumerate().rev() {
            let found = TABLE.find(mechanism.as_str().as_bytes());
            assert_eq!(found.map(usize::from), Some(number));
            for _ in 0..2 {
                add(&mut list, &mechanism.as_str().to_lowercase());
            }
        }
        assert!(list.iter().eq(KNOWN.iter().rev().copied()));
        let mark = list.mark();
        for name in ["x-one", "X-TWO", "b.d", "", "X-ONE", "MECHANISM-NAME-OF-21X", "plain"] {
            add(&mut list, name);
        }
        let names: Vec<_> = list.iter().skip(KNOWN.len()).collect();
        assert_eq!(names, ["X-ONE", "X-TWO"].map(|name| Mechanism::new(name).unwrap()));
        list.shorten(mark);
        assert!(list.iter().eq(KNOWN.iter().rev().copied()) && !list.is_empty());
    }
}
