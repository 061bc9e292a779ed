//! The forms in which a server stores passwords, and checks of passwords against them.

use super::Secret;
#[cfg(feature = "scram")]
use super::scram::Keys;
#[cfg(feature = "scram")]
use alloc::vec::Vec;
use alloc::{boxed::Box, string::String, sync::Arc};

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
