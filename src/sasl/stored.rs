//! The forms in which a server stores passwords, and checks of passwords against them.

use super::Secret;
#[cfg(feature = "scram")]
use super::scram::{Hash, Keys};
#[cfg(feature = "scram")]
use alloc::vec::Vec;
use alloc::{boxed::Box, string::String, sync::Arc};
#[cfg(feature = "scram")]
use core::sync::atomic::AtomicU32;
use core::sync::atomic::{AtomicU8, Ordering};

/// The password of a user, in the form in which a server stores it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum StoredPassword<'s> {
    /// The password itself. It serves every mechanism with a password, and a thief of the store has
    /// the passwords of all users.
    Clear(&'s [u8]),
    /// The keys of SCRAM, one set for each digest: they serve SCRAM, PLAIN and LOGIN.
    #[cfg(feature = "scram")]
    Keys(&'s [Keys]),
}

/// A stored password, or a record that contains one: the argument of
/// [`CredentialsQuestion::check`](crate::server::CredentialsQuestion::check).
///
/// Strings and [`Secret`]s are passwords in the clear, and `scram::Keys` those of SCRAM. A record of
/// the application's own returns the form that it contains:
///
/// ```
/// use esmtp::sasl::{Secret, Stored, StoredPassword};
///
/// struct Account {
///     password: Secret,
///     quota: u64,
/// }
///
/// impl Stored for Account {
///     fn stored(&self) -> StoredPassword<'_> {
///         StoredPassword::Clear(self.password.expose())
///     }
/// }
/// ```
pub trait Stored {
    /// Returns the stored password.
    fn stored(&self) -> StoredPassword<'_>;
}

impl Stored for str {
    fn stored(&self) -> StoredPassword<'_> {
        StoredPassword::Clear(self.as_bytes())
    }
}

impl Stored for String {
    fn stored(&self) -> StoredPassword<'_> {
        StoredPassword::Clear(self.as_bytes())
    }
}

impl Stored for Secret {
    fn stored(&self) -> StoredPassword<'_> {
        StoredPassword::Clear(self.expose())
    }
}

#[cfg(feature = "scram")]
impl Stored for Keys {
    fn stored(&self) -> StoredPassword<'_> {
        StoredPassword::Keys(core::slice::from_ref(self))
    }
}

/// Keys for several digests.
#[cfg(feature = "scram")]
impl Stored for [Keys] {
    fn stored(&self) -> StoredPassword<'_> {
        StoredPassword::Keys(self)
    }
}

/// Keys for several digests.
#[cfg(feature = "scram")]
impl Stored for Vec<Keys> {
    fn stored(&self) -> StoredPassword<'_> {
        StoredPassword::Keys(self)
    }
}

macro_rules! pointers {
    ($($pointer:ty)*) => {$(
        impl<T: Stored + ?Sized> Stored for $pointer {
            fn stored(&self) -> StoredPassword<'_> {
                (**self).stored()
            }
        }
    )*};
}

pointers! { &T Box<T> Arc<T> }

impl core::fmt::Debug for StoredPassword<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Clear(..)",
            #[cfg(feature = "scram")]
            Self::Keys(_) => "Keys(..)",
        })
    }
}

/// The form and the scale of the stored passwords, as the first of them showed it: so that the work for
/// an unknown user is like that for the others. It is shared by the clones of an offer.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale(Arc<Scales>);

#[derive(Debug, Default)]
struct Scales {
    /// 0: not known; [`CLEAR`]; from [`KEYS`] on, the digest of the keys.
    form: AtomicU8,
    /// The iterations of the keys, above 8 bits with the octets of their salt; 0: not known.
    #[cfg(feature = "scram")]
    keys: AtomicU32,
}

const CLEAR: u8 = 1;
#[cfg(feature = "scram")]
const KEYS: u8 = 2;

impl Scale {
    /// Notes that passwords are stored in the clear.
    pub(super) fn note_clear(&self) {
        self.note_form(CLEAR);
    }

    fn note_form(&self, form: u8) {
        // The first one stays: a form that changed would tell known users from unknown ones.
        let _ = self.0.form.compare_exchange(0, form, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Notes the form of a stored password.
    pub(super) fn note(&self, stored: Option<StoredPassword<'_>>) {
        match stored {
            Some(StoredPassword::Clear(_)) => self.note_clear(),
            #[cfg(feature = "scram")]
            Some(StoredPassword::Keys([keys, ..])) => {
                self.note_keys(keys.hash());
                let salt = u32::try_from(keys.salt().len()).unwrap_or(u32::MAX).min(0xFF);
                let scale = keys.iterations().min(0xFF_FFFF) << 8 | salt;
                let known = &self.0.keys;
                let _ = known.compare_exchange(0, scale, Ordering::Relaxed, Ordering::Relaxed);
            }
            #[cfg(feature = "scram")]
            Some(StoredPassword::Keys([])) => {}
            None => {}
        }
    }
}

#[cfg(feature = "scram")]
impl Scale {
    /// Notes that keys with this digest are stored.
    pub(super) fn note_keys(&self, hash: Hash) {
        let at = Hash::ALL.iter().position(|it| *it == hash).unwrap_or_default();
        self.note_form(KEYS.saturating_add(at as u8));
    }

    /// Returns whether keys are stored, as the offer says or as one of them was seen.
    pub(super) fn are_keys(&self) -> bool {
        self.0.form.load(Ordering::Relaxed) >= KEYS || self.of_keys().is_some()
    }

    /// Returns the digest of the keys.
    pub(super) fn hash(&self) -> Hash {
        let at = self.0.form.load(Ordering::Relaxed).checked_sub(KEYS);
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

#[cfg(all(test, feature = "scram"))]
#[allow(clippy::unwrap_used)] // a test says what went wrong by failing
mod tests {
    use super::*;

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
        scale.note_clear();
        assert!(!scale.are_keys());
        scale.note(Some(keys(Hash::Sha512, 4096, b"salt").stored()));
        assert_eq!((scale.are_keys(), scale.of_keys()), (true, Some((4096, 4))));
    }
}
