//! The form of the stored keys, as a server learns it.

use super::scram::Hash;
use super::stored::StoredPassword;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// The digest and the scale of the stored keys, as the first of them showed it: so that the work for an
/// unknown user is like that for the others. It is shared by the clones of an offer.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale(Arc<Scales>);

#[derive(Debug, Default)]
struct Scales {
    /// The place of the digest in [`Hash::ALL`], counted from 1; 0: no keys are known.
    digest: AtomicU8,
    /// The iterations of the keys, above 8 bits with the octets of their salt; 0: not known.
    keys: AtomicU32,
}

impl Scale {
    /// Notes the form of a stored password.
    pub(super) fn note(&self, stored: Option<StoredPassword<'_>>) {
        if let Some(StoredPassword::Keys([keys, ..])) = stored {
            self.note_keys(keys.hash());
            let salt = u32::try_from(keys.salt().len()).unwrap_or(u32::MAX).min(0xFF);
            let scale = keys.iterations().min(0xFF_FFFF) << 8 | salt;
            let known = &self.0.keys;
            let _ = known.compare_exchange(0, scale, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Notes that keys with this digest are stored.
    pub(super) fn note_keys(&self, hash: Hash) {
        let at = Hash::ALL.iter().position(|it| *it == hash).unwrap_or_default();
        let digest = (at as u8).saturating_add(1);
        // The first one stays: a digest that changed would tell known users from unknown ones.
        let _ = self.0.digest.compare_exchange(0, digest, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Returns whether keys are stored, as the offer says or as one of them was seen.
    pub(super) fn are_keys(&self) -> bool {
        self.0.digest.load(Ordering::Relaxed) != 0
    }

    /// Returns the digest of the keys.
    pub(super) fn hash(&self) -> Hash {
        let at = self.0.digest.load(Ordering::Relaxed).checked_sub(1);
        let hash = at.and_then(|at| Hash::ALL.get(usize::from(at)));
        hash.copied().unwrap_or(Hash::Sha256)
    }

    /// Returns the iterations of the keys and the octets of their salts, once they are known.
    pub(super) fn of_keys(&self) -> Option<(u32, usize)> {
        match self.0.keys.load(Ordering::Relaxed) {
            0 => None,
            scale => Some((scale >> 8, (scale & 0xFF) as usize)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test says what went wrong by failing
mod tests {
    use super::*;
    use crate::sasl::{Stored, scram::Keys};

    fn keys(hash: Hash, iterations: u32, salt: &[u8]) -> Keys {
        let key = alloc::vec![0; hash.length()];
        Keys::new(hash, salt, iterations, key.clone(), key).unwrap()
    }

    #[test]
    fn the_first_keys_set_the_scale() {
        let scale = Scale::default();
        assert_eq!((scale.are_keys(), scale.of_keys(), scale.hash()), (false, None, Hash::Sha256));
        scale.note(None);
        assert!(!scale.are_keys());
        scale.note(Some(keys(Hash::Sha1, 10_000, b"twelve salts").stored()));
        let seen = (true, Some((10_000, 12)), Hash::Sha1);
        assert_eq!((scale.are_keys(), scale.of_keys(), scale.hash()), seen);
        scale.clone().note(Some(keys(Hash::Sha512, 4096, b"salt").stored()));
        assert_eq!((scale.are_keys(), scale.of_keys(), scale.hash()), seen);
    }

    /// An offer for passwords whose users have keys still does the work of keys for unknown users.
    #[test]
    fn keys_count_whatever_the_offer_says() {
        let scale = Scale::default();
        scale.note(Some("a password".stored()));
        assert!(!scale.are_keys());
        scale.note(Some(keys(Hash::Sha512, 4096, b"salt").stored()));
        let seen = (true, Some((4096, 4)), Hash::Sha512);
        assert_eq!((scale.are_keys(), scale.of_keys(), scale.hash()), seen);
    }
}
