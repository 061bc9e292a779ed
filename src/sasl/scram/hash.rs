//! The digests, and the functions of RFC 5802 section 2.2 over them.

use crate::sasl::{Mechanism, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// The digest that a SCRAM mechanism is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hash {
    /// SCRAM-SHA-1, RFC 5802. For a peer that has nothing else it is still better than PLAIN.
    Sha1,
    /// SCRAM-SHA-256, RFC 7677.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl Hash {
    pub(crate) const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// Returns the digest of a SCRAM mechanism, with or without `-PLUS`; `None` for every other
    /// mechanism.
    #[must_use]
    pub fn of(mechanism: Mechanism) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|hash| hash.mechanism() == mechanism || hash.mechanism_plus() == mechanism)
    }

    /// Returns the mechanism without channel binding.
    #[must_use]
    pub const fn mechanism(self) -> Mechanism {
        match self {
            Self::Sha1 => Mechanism::SCRAM_SHA_1,
            Self::Sha256 => Mechanism::SCRAM_SHA_256,
            Self::Sha512 => Mechanism::SCRAM_SHA_512,
        }
    }

    /// Returns the mechanism with channel binding.
    #[must_use]
    pub const fn mechanism_plus(self) -> Mechanism {
        match self {
            Self::Sha1 => Mechanism::SCRAM_SHA_1_PLUS,
            Self::Sha256 => Mechanism::SCRAM_SHA_256_PLUS,
            Self::Sha512 => Mechanism::SCRAM_SHA_512_PLUS,
        }
    }

    /// Returns the number of octets of its output.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Computes `H(str)`.
    pub(super) fn h(self, octets: &[u8]) -> Secret {
        match self {
            Self::Sha1 => Secret::new(Sha1::digest(octets).to_vec()),
            Self::Sha256 => Secret::new(Sha256::digest(octets).to_vec()),
            Self::Sha512 => Secret::new(Sha512::digest(octets).to_vec()),
        }
    }

    /// Computes `HMAC(key, str)`.
    pub(super) fn hmac(self, key: &[u8], octets: &[u8]) -> Secret {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, octets),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, octets),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, octets),
        }
    }

    /// Computes `Hi(str, salt, i)`, which is PBKDF2 with HMAC and one block of output.
    pub(super) fn hi(self, password: &[u8], salt: &[u8], iterations: u32) -> Secret {
        let mut salted = Secret::new(alloc::vec![0; self.length()]);
        let into = salted.expose_mut();
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, into),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, into),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, into),
        }
        salted
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 section 3)")]
fn mac<M: Mac + KeyInit>(key: &[u8], octets: &[u8]) -> Secret {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(octets);
    Secret::new(mac.finalize().into_bytes().to_vec())
}

/// Computes `str XOR str`.
pub(super) fn xor(one: &Secret, other: &[u8]) -> Secret {
    let mut result = one.clone();
    for (octet, with) in result.expose_mut().iter_mut().zip(other) {
        *octet ^= with;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mechanism_has_its_digest() {
        for hash in Hash::ALL {
            assert_eq!(Hash::of(hash.mechanism()), Some(hash));
            assert_eq!(Hash::of(hash.mechanism_plus()), Some(hash));
            assert_eq!(hash.h(b"").len(), hash.length());
            assert_eq!(hash.hmac(b"", b"").len(), hash.length());
        }
        assert_eq!(Hash::of(Mechanism::PLAIN), None);
    }
}
