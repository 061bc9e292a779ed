//! The keys that a server stores instead of a password, and the decoy for unknown users.

use super::Hash;
use super::hash::xor;
#[cfg(feature = "getrandom")]
use crate::sasl::NoRandomness;
use crate::sasl::Secret;
use crate::sasl::prepare::{Unprepared, standard};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use core::fmt;
use core::str::FromStr;

/// The smallest iteration count for deriving keys, and that a client accepts by default (RFC 5802
/// section 5.1, RFC 7677 section 3).
pub const MIN_ITERATIONS: u32 = 4096;

/// The iteration count of a [`Decoy`], and the usual choice for keys: the RFCs name it and every
/// client computes it at once.
pub const DEFAULT_ITERATIONS: u32 = 4096;

/// The keys that a server stores for a user: enough to check a proof and to prove itself, but
/// neither the password nor enough to log in elsewhere (RFC 5802 section 3).
///
/// ```
/// use esmtp::sasl::scram::{Hash, Keys};
///
/// let keys = Keys::derive(Hash::Sha256, "pencil", *b"0123456789abcdef", 4096)?;
/// let line = keys.encode();
/// assert!(line.starts_with("SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$"));
/// assert_eq!(line.parse::<Keys>()?.encode(), line);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Keys {
    hash: Hash,
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Secret,
    server_key: Secret,
}

/// The reason why there are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// Fewer iterations than [`MIN_ITERATIONS`], or zero.
    #[error("too few iterations")]
    TooFewIterations,
    /// An empty salt.
    #[error("an empty salt")]
    EmptySalt,
    /// A key that is not as long as the output of the digest.
    #[error("a key that has not the length of its digest")]
    KeyLength,
    /// The preparation of the password failed.
    #[error("the password cannot be prepared")]
    Unprepared(#[from] Unprepared),
    /// The operating system has no random octets for a salt.
    #[cfg(feature = "getrandom")]
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// Text in another form than [`Keys::encode`] returns.
    #[error("not a text form of stored keys")]
    Text,
}

impl Keys {
    /// Derives keys from a password, when it is set. The salt must be random and different for each
    /// user: 16 octets are usual.
    ///
    /// The password is prepared by [`standard`]; for another preparation use
    /// [`derive_prepared`](Self::derive_prepared).
    ///
    /// It takes as long as the iterations demand ([`MAX_ITERATIONS`](super::MAX_ITERATIONS) has
    /// figures): do not call it on a thread that drives sessions.
    ///
    /// # Errors
    /// Fewer than 4096 iterations, an empty salt, a password that cannot be prepared.
    #[doc(alias = "hash_password")]
    pub fn derive(
        hash: Hash,
        password: &str,
        salt: impl Into<Vec<u8>>,
        iterations: u32,
    ) -> Result<Self, KeysError> {
        let password = Secret::new(standard(password)?.into_owned());
        Self::derive_prepared(hash, &password, salt, iterations)
    }

    /// Derives keys from a password, when it is set, with a salt of 16 random octets from the operating system.
    ///
    /// It takes as long as [`derive`](Self::derive).
    ///
    /// ```
    /// use esmtp::sasl::scram::{DEFAULT_ITERATIONS, Hash, Keys};
    ///
    /// let keys = Keys::generate(Hash::Sha256, "correct horse", DEFAULT_ITERATIONS)?;
    /// let line = keys.encode(); // stored in place of the password
    /// assert!(line.parse::<Keys>()?.verify("correct horse"));
    /// # Ok::<(), esmtp::sasl::scram::KeysError>(())
    /// ```
    ///
    /// # Errors
    /// Fewer than 4096 iterations, a password that cannot be prepared, no random octets.
    #[cfg(feature = "getrandom")]
    pub fn generate(hash: Hash, password: &str, iterations: u32) -> Result<Self, KeysError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| NoRandomness)?;
        Self::derive(hash, password, salt, iterations)
    }

    /// Derives keys from a password that is prepared already.
    ///
    /// # Errors
    /// Fewer than 4096 iterations, an empty salt.
    pub fn derive_prepared(
        hash: Hash,
        password: &Secret,
        salt: impl Into<Vec<u8>>,
        iterations: u32,
    ) -> Result<Self, KeysError> {
        if iterations < MIN_ITERATIONS {
            return Err(KeysError::TooFewIterations);
        }
        let salt = salt.into();
        let salted = hash.hi(password.expose(), &salt, iterations);
        let stored_key = hash.h(hash.hmac(salted.expose(), b"Client Key").expose());
        let server_key = hash.hmac(salted.expose(), b"Server Key");
        Self::new(hash, salt, iterations, stored_key, server_key)
    }

    /// Creates keys from stored values. Old ones may have fewer iterations than are derived today;
    /// many clients reject them.
    ///
    /// # Errors
    /// No iterations, an empty salt, a key of another length than the digest's.
    pub fn new(
        hash: Hash,
        salt: impl Into<Vec<u8>>,
        iterations: u32,
        stored_key: impl Into<Secret>,
        server_key: impl Into<Secret>,
    ) -> Result<Self, KeysError> {
        let (salt, stored_key, server_key) = (salt.into(), stored_key.into(), server_key.into());
        if iterations == 0 {
            return Err(KeysError::TooFewIterations);
        }
        if salt.is_empty() {
            return Err(KeysError::EmptySalt);
        }
        if stored_key.len() != hash.length() || server_key.len() != hash.length() {
            return Err(KeysError::KeyLength);
        }
        Ok(Self { hash, salt, iterations, stored_key, server_key })
    }

    /// Returns whether these keys were derived from `password`, as PLAIN and LOGIN send it. The
    /// password is prepared by [`standard`], where it is text.
    ///
    /// It takes as long as [`derive`](Self::derive), and the comparison the same time for every
    /// password.
    ///
    /// ```
    /// use esmtp::sasl::scram::{Hash, Keys};
    ///
    /// let keys = Keys::derive(Hash::Sha256, "pencil", *b"0123456789abcdef", 4096)?;
    /// assert!(keys.verify("pencil"));
    /// assert!(!keys.verify("Pencil"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn verify(&self, password: impl Into<Secret>) -> bool {
        let password = password.into();
        match core::str::from_utf8(password.expose()).map(standard) {
            Ok(Ok(prepared)) => self.verify_prepared(&Secret::new(prepared.into_owned())),
            Ok(Err(Unprepared)) => false,
            Err(_) => self.verify_prepared(&password),
        }
    }

    /// Returns whether these keys were derived from a password that is prepared already, as the
    /// question of a verifier has it.
    #[must_use]
    pub fn verify_prepared(&self, password: &Secret) -> bool {
        let salted = self.hash.hi(password.expose(), &self.salt, self.iterations);
        let client_key = self.hash.hmac(salted.expose(), b"Client Key");
        self.hash.h(client_key.expose()).matches(self.stored_key.expose())
    }

    /// Encodes the keys in the text form of RFC 5803, which PostgreSQL and others store too:
    /// `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`. It is a secret.
    #[must_use]
    pub fn encode(&self) -> String {
        format!(
            "{}${}:{}${}:{}",
            self.hash.mechanism(),
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key.expose()),
            STANDARD.encode(self.server_key.expose()),
        )
    }

    /// Returns the digest that the keys are for.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Returns the salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Returns the iteration count.
    #[must_use]
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Returns `StoredKey`, which checks a client's proof.
    #[must_use]
    pub const fn stored_key(&self) -> &Secret {
        &self.stored_key
    }

    /// Returns `ServerKey`, which proves the server.
    #[must_use]
    pub const fn server_key(&self) -> &Secret {
        &self.server_key
    }

    /// Returns whether `proof` over `auth_message` proves knowledge of the password.
    pub(super) fn proves(&self, proof: &[u8], auth_message: &str) -> bool {
        let signature = self.hash.hmac(self.stored_key.expose(), auth_message.as_bytes());
        let client_key = xor(&signature, proof);
        let is_owner = self.hash.h(client_key.expose()).matches(self.stored_key.expose());
        is_owner & (proof.len() == self.hash.length())
    }

    /// Computes `ServerSignature`.
    pub(super) fn sign(&self, auth_message: &str) -> Secret {
        self.hash.hmac(self.server_key.expose(), auth_message.as_bytes())
    }
}

impl FromStr for Keys {
    type Err = KeysError;

    fn from_str(text: &str) -> Result<Self, KeysError> {
        let mut parts = text.split('$');
        let (Some(name), Some(salted), Some(keys), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(KeysError::Text);
        };
        let hash = Hash::ALL.into_iter().find(|hash| hash.mechanism().as_str() == name);
        let (iterations, salt) = salted.split_once(':').ok_or(KeysError::Text)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(KeysError::Text)?;
        let octets = |text: &str| STANDARD.decode(text).map_err(|_| KeysError::Text);
        Self::new(
            hash.ok_or(KeysError::Text)?,
            octets(salt)?,
            iterations.parse().map_err(|_| KeysError::Text)?,
            octets(stored_key)?,
            octets(server_key)?,
        )
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// The source of keys for unknown users: they match no password and are constant for a name, so
/// that repeated attempts do not reveal whether a user exists.
///
/// It is derived from a secret of the server that must survive restarts and be equal on every
/// machine that shares the server's name. Salt and iterations must look like those of real users.
#[derive(Clone)]
pub struct Decoy {
    secret: Secret,
    iterations: u32,
    salt: usize,
}

impl Decoy {
    /// Creates a decoy from 32 random octets that never change; 4096 iterations and 16 octets of
    /// salt.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret: Secret::from(secret.as_slice()), iterations: DEFAULT_ITERATIONS, salt: 16 }
    }

    /// Sets the iterations and the length of the salt (at most the digest's) to those of real
    /// users.
    #[must_use]
    pub fn with_iterations_and_salt(self, iterations: u32, salt: usize) -> Self {
        Self { iterations: iterations.max(1), salt: salt.max(1), ..self }
    }

    pub(in crate::sasl) fn keys(&self, hash: Hash, user: &str) -> Keys {
        let derive = |purpose: &str| {
            hash.hmac(self.secret.expose(), format!("{purpose}\0{user}").as_bytes())
        };
        let mut salt = derive("salt").expose().to_vec();
        salt.truncate(self.salt);
        Keys {
            hash,
            salt,
            iterations: self.iterations,
            stored_key: derive("stored key"),
            server_key: derive("server key"),
        }
    }
}

impl fmt::Debug for Decoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoy").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked() {
        let good = Keys::derive(Hash::Sha1, "pencil", *b"salt", 4096).unwrap();
        assert_eq!((good.hash(), good.iterations(), good.salt()), (Hash::Sha1, 4096, &b"salt"[..]));
        let (stored, server) = (good.stored_key().clone(), good.server_key().clone());
        let cases = [
            (Keys::derive(Hash::Sha1, "pencil", *b"salt", 4095), KeysError::TooFewIterations),
            (Keys::derive(Hash::Sha1, "pencil", [], 4096), KeysError::EmptySalt),
            (Keys::derive(Hash::Sha1, "", *b"salt", 4096), KeysError::Unprepared(Unprepared)),
            (
                Keys::new(Hash::Sha1, *b"s", 0, stored.clone(), server.clone()),
                KeysError::TooFewIterations,
            ),
            (Keys::new(Hash::Sha256, *b"s", 1, stored, server), KeysError::KeyLength),
        ];
        for (keys, expected) in cases {
            assert_eq!(keys.map(|_| ()), Err(expected));
        }
        for text in
            ["", "SCRAM-SHA-1$4096:QQ==", "MD5$1:QQ==$QQ==:QQ==", "SCRAM-SHA-1$x:QQ==$QQ==:QQ=="]
        {
            assert_eq!(text.parse::<Keys>().map(|_| ()), Err(KeysError::Text), "{text}");
        }
        assert_eq!(good.encode().parse::<Keys>().unwrap().encode(), good.encode());
    }

    /// 5802-5.1-g, 7677-3-b
    #[test]
    fn a_decoy_looks_like_a_user() {
        let decoy = Decoy::new([7; 32]);
        let keys = decoy.keys(Hash::Sha256, "nobody");
        assert_eq!((keys.iterations(), keys.salt().len()), (4096, 16));
        assert_eq!(keys.encode(), decoy.keys(Hash::Sha256, "nobody").encode());
        assert_ne!(keys.salt(), decoy.keys(Hash::Sha256, "somebody").salt());
        assert_ne!(keys.salt(), Decoy::new([8; 32]).keys(Hash::Sha256, "nobody").salt());
        let keys = decoy.with_iterations_and_salt(10_000, 8).keys(Hash::Sha1, "nobody");
        assert_eq!((keys.iterations(), keys.salt().len()), (10_000, 8));
    }

    #[test]
    fn no_key_is_shown() {
        let keys = Keys::new(Hash::Sha1, *b"s", 4096, [251; 20].as_slice(), [252; 20].as_slice());
        let shown = format!("{:?} {:?}", keys.unwrap(), Decoy::new([253; 32]));
        assert!(!shown.contains("25"), "{shown}");
    }
}
