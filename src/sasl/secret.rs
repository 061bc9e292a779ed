//! Secret octets: wiped on drop, compared in constant time, never shown.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A password, a token, a key, or a message that contains one.
///
/// The octets are overwritten when it is dropped, do not appear in [`Debug`](fmt::Debug), and are
/// compared in constant time by [`matches`](Secret::matches).
///
/// Created from a `Vec` or a `String` it takes over their memory; created from a slice it copies,
/// and the owner of the slice must wipe the original.
///
/// ```
/// use esmtp::sasl::Secret;
///
/// let password = Secret::from("tanstaaftanstaaf");
/// assert!(password.matches(b"tanstaaftanstaaf"));
/// assert_eq!(format!("{password:?}"), "Secret(..)");
/// ```
#[derive(Clone, Default)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Creates a secret without octets.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Creates a secret that takes over `octets`.
    #[must_use]
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(octets.into())
    }

    /// Concatenates `parts` in memory of the right size: growing would leave copies.
    #[must_use]
    pub fn concat(parts: &[&[u8]]) -> Self {
        let mut octets = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            octets.extend_from_slice(part);
        }
        Self(octets)
    }

    /// Returns the octets.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the number of octets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no octets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the secret consists of these octets, in a time that depends on the lengths
    /// only.
    #[must_use]
    pub fn matches(&self, octets: &[u8]) -> bool {
        is_equal(&self.0, octets)
    }

    #[cfg(feature = "scram")]
    pub(super) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A copy, which is wiped like the original.
impl From<&Self> for Secret {
    fn from(secret: &Self) -> Self {
        secret.clone()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&[u8]> for Secret {
    fn from(octets: &[u8]) -> Self {
        Self(octets.into())
    }
}

/// Overwrites the octets and the spare capacity, and empties the vector.
#[cfg(feature = "zeroize")]
fn wipe(octets: &mut Vec<u8>) {
    zeroize::Zeroize::zeroize(octets);
}

/// Overwrites the octets and the spare capacity, and empties the vector.
// zeroize does this on targets without inline assembly: a write that the optimiser must assume to
// be read.
#[cfg(not(feature = "zeroize"))]
#[inline(never)]
fn wipe(octets: &mut Vec<u8>) {
    octets.clear();
    octets.resize(octets.capacity(), 0);
    core::hint::black_box(octets.as_mut_slice());
    octets.clear();
}

/// Compares in a time that depends on the lengths only.
#[cfg(feature = "zeroize")]
pub(super) fn is_equal(one: &[u8], other: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(one, other).into()
}

/// Compares in a time that depends on the lengths only.
#[cfg(not(feature = "zeroize"))]
pub(super) fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let difference = one
        .iter()
        .zip(other)
        .fold(0, |difference, (a, b)| core::hint::black_box(difference | (a ^ b)));
    one.len() == other.len() && core::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    // Only unsafe code can read memory that was freed.
    #[test]
    fn wiping_empties_and_keeps_the_memory() {
        let mut octets = b"tanstaaftanstaaf".to_vec();
        octets.truncate(4);
        wipe(&mut octets);
        assert!(octets.is_empty() && octets.capacity() >= 16);
    }

    #[test]
    fn octets_are_equal_or_not() {
        let cases: [(&[u8], &[u8], bool); 6] = [
            (b"", b"", true),
            (b"a", b"a", true),
            (b"a", b"b", false),
            (b"a", b"", false),
            (b"abc", b"abcd", false),
            (b"\x80bc", b"\x00bc", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(is_equal(one, other), expected);
            assert_eq!(Secret::from(one).matches(other), expected);
        }
    }

    #[test]
    fn nothing_is_shown() {
        assert_eq!(format!("{:?}", Secret::from("tanstaaf")), "Secret(..)");
    }
}
