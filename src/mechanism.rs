//! The names of SASL mechanisms, and the properties known from a name.
//!
//! The grammar of AUTH and the mechanisms themselves both need the name, and neither knows the other: it lies below them,
//! and both re-export it.

use core::fmt;
use core::str::FromStr;

/// The greatest number of octets of a mechanism's name (RFC 4422 section 3.1).
pub const MAX_NAME: usize = 20;

/// The name of a SASL mechanism, in upper case (RFC 4422 section 3.1).
///
/// It is copied, not borrowed: 20 octets and a length. [`syntax::Mechanism`](crate::syntax::Mechanism) and
/// [`sasl::Mechanism`](crate::sasl::Mechanism) are this one type.
///
/// ```
/// use esmtp::sasl::Mechanism;
///
/// let mechanism: Mechanism = "SCRAM-SHA-256-PLUS".parse()?;
/// assert_eq!(mechanism, Mechanism::SCRAM_SHA_256_PLUS);
/// assert_eq!(Mechanism::new("plain")?.to_string(), "PLAIN");
/// assert!(mechanism.needs_channel_binding() && !mechanism.is_plaintext());
/// assert!(mechanism.strength() > Mechanism::PLAIN.strength());
/// # Ok::<(), esmtp::sasl::MechanismError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mechanism {
    octets: [u8; MAX_NAME],
    length: u8,
}

/// Not the name of a mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MechanismError {
    /// There is no name.
    #[error("the name of a mechanism is empty")]
    Empty,
    /// More than [`MAX_NAME`] octets.
    #[error("the name of a mechanism has more than 20 octets")]
    TooLong,
    /// An octet that is not a letter, digit, hyphen or underscore.
    #[error("the name of a mechanism holds an octet that is not a letter, a digit, - or _")]
    Octet {
        /// Its offset in the name.
        offset: usize,
    },
}

impl Mechanism {
    /// RFC 4505.
    pub const ANONYMOUS: Self = Self::literal("ANONYMOUS");
    /// RFC 2195.
    pub const CRAM_MD5: Self = Self::literal("CRAM-MD5");
    /// RFC 4422 appendix A.
    pub const EXTERNAL: Self = Self::literal("EXTERNAL");
    /// draft-murchison-sasl-login-00.
    pub const LOGIN: Self = Self::literal("LOGIN");
    /// RFC 7628.
    pub const OAUTHBEARER: Self = Self::literal("OAUTHBEARER");
    /// RFC 4616.
    pub const PLAIN: Self = Self::literal("PLAIN");
    /// RFC 5802.
    pub const SCRAM_SHA_1: Self = Self::literal("SCRAM-SHA-1");
    /// RFC 5802, bound to the channel.
    pub const SCRAM_SHA_1_PLUS: Self = Self::literal("SCRAM-SHA-1-PLUS");
    /// RFC 7677.
    pub const SCRAM_SHA_256: Self = Self::literal("SCRAM-SHA-256");
    /// RFC 7677, bound to the channel.
    pub const SCRAM_SHA_256_PLUS: Self = Self::literal("SCRAM-SHA-256-PLUS");
    /// RFC 5802 with SHA-512.
    pub const SCRAM_SHA_512: Self = Self::literal("SCRAM-SHA-512");
    /// RFC 5802 with SHA-512, bound to the channel.
    pub const SCRAM_SHA_512_PLUS: Self = Self::literal("SCRAM-SHA-512-PLUS");
    /// Google's and Microsoft's predecessor of OAUTHBEARER.
    pub const XOAUTH2: Self = Self::literal("XOAUTH2");

    /// Makes the name of a mechanism of one's own, as a constant: an invalid name does not compile.
    ///
    /// # Panics
    ///
    /// Panics at run time when the name is invalid.
    #[allow(clippy::panic, clippy::indexing_slicing)] // for constants: the panic is a compile error
    #[must_use]
    pub const fn literal(name: &'static str) -> Self {
        match Self::of(name.as_bytes()) {
            Ok(mechanism) => mechanism,
            Err(_) => panic!("the name of a mechanism has 1 to 20 letters, digits, - and _"),
        }
    }

    /// Creates a name after checking it. Lower-case letters become upper-case ones: some clients send `auth plain`, and
    /// names do not differ in case.
    ///
    /// ```text
    /// sasl-mech = 1*20mech-char                                RFC 4422 section 3.1
    /// mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE
    /// ```
    ///
    /// # Errors
    ///
    /// Text that is not 1 to 20 letters, digits, hyphens and underscores.
    pub const fn new(name: &str) -> Result<Self, MechanismError> {
        Self::of(name.as_bytes())
    }

    #[allow(clippy::indexing_slicing)] // both indices are below the checked length
    #[allow(clippy::cast_possible_truncation)] // at most MAX_NAME
    pub(crate) const fn of(name: &[u8]) -> Result<Self, MechanismError> {
        if name.is_empty() {
            return Err(MechanismError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(MechanismError::TooLong);
        }
        let mut octets = [0; MAX_NAME];
        let mut at = 0;
        while at < name.len() {
            match name[at] {
                octet @ (b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_') => octets[at] = octet,
                octet @ b'a'..=b'z' => octets[at] = octet.to_ascii_uppercase(),
                _ => return Err(MechanismError::Octet { offset: at }),
            }
            at += 1;
        }
        Ok(Self { octets, length: name.len() as u8 })
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let name = self.octets.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(name).unwrap_or_default()
    }

    /// Returns whether the exchange carries a password or token that an eavesdropper can read and
    /// reuse, so that it must not run outside TLS (RFC 4954 section 4, RFC 7628 section 3).
    ///
    /// An unknown mechanism is assumed to be a plaintext mechanism.
    #[must_use]
    pub fn is_plaintext(&self) -> bool {
        !(self.is_scram()
            || [Self::CRAM_MD5, Self::EXTERNAL, Self::ANONYMOUS].contains(self)
            || self.as_str() == "DIGEST-MD5")
    }

    /// Returns whether the client's messages do not depend on the challenges, so that a challenge
    /// which violates the standard does no harm: PLAIN, LOGIN, EXTERNAL and ANONYMOUS. Old servers
    /// prompt with text (`334 Username:`).
    #[must_use]
    pub fn ignores_challenges(&self) -> bool {
        [Self::PLAIN, Self::LOGIN, Self::EXTERNAL, Self::ANONYMOUS].contains(self)
    }

    /// Returns whether the client sends the first message, so that AUTH may carry an initial
    /// response (RFC 4422 section 3.3).
    ///
    /// An unknown mechanism is assumed not to be client-first;
    /// [`Initiator::initial_response`](crate::sasl::Initiator::initial_response) is authoritative.
    #[must_use]
    pub fn is_client_first(&self) -> bool {
        const OTHERS: [Mechanism; 5] = [
            Mechanism::PLAIN,
            Mechanism::EXTERNAL,
            Mechanism::ANONYMOUS,
            Mechanism::OAUTHBEARER,
            Mechanism::XOAUTH2,
        ];
        self.is_scram() || OTHERS.contains(self)
    }

    /// Returns whether the mechanism runs only on a channel with binding data: its name ends in
    /// `-PLUS` (RFC 5801 section 2).
    #[must_use]
    pub fn needs_channel_binding(&self) -> bool {
        self.as_str().ends_with("-PLUS")
    }

    /// Returns whether the mechanism is of the SCRAM family.
    #[must_use]
    pub fn is_scram(&self) -> bool {
        self.as_str().starts_with("SCRAM-")
    }

    /// Returns the strength, to compare mechanisms.
    #[must_use]
    pub fn strength(&self) -> Strength {
        match self.as_str() {
            "EXTERNAL" => Strength::EXTERNAL,
            "SCRAM-SHA-512-PLUS" => Strength(Strength::BOUND.0 + 3),
            "SCRAM-SHA-256-PLUS" => Strength(Strength::BOUND.0 + 2),
            "SCRAM-SHA-1-PLUS" => Strength::BOUND,
            "SCRAM-SHA-512" => Strength(Strength::MUTUAL.0 + 3),
            "SCRAM-SHA-256" => Strength(Strength::MUTUAL.0 + 2),
            "SCRAM-SHA-1" => Strength::MUTUAL,
            "OAUTHBEARER" => Strength(Strength::TOKEN.0 + 1),
            "XOAUTH2" => Strength::TOKEN,
            "CRAM-MD5" => Strength::DIGEST,
            "PLAIN" => Strength(Strength::PASSWORD.0 + 1),
            "LOGIN" => Strength::PASSWORD,
            "ANONYMOUS" => Strength::NOTHING,
            _ => Strength::UNKNOWN,
        }
    }
}

impl fmt::Debug for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl AsRef<str> for Mechanism {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl TryFrom<&str> for Mechanism {
    type Error = MechanismError;

    fn try_from(name: &str) -> Result<Self, MechanismError> {
        Self::new(name)
    }
}

impl FromStr for Mechanism {
    type Err = MechanismError;

    fn from_str(name: &str) -> Result<Self, MechanismError> {
        Self::new(name)
    }
}

/// The strength of a mechanism: how little an eavesdropper, a false server or a man in the middle
/// gains from an exchange. Greater is stronger.
///
/// The constants are the lowest value of their class; within a class the better digest is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Strength(u8);

impl Strength {
    /// Nothing is proven: ANONYMOUS.
    pub const NOTHING: Self = Self(0);
    /// An unknown mechanism.
    pub const UNKNOWN: Self = Self(10);
    /// The server receives the password: LOGIN, PLAIN.
    pub const PASSWORD: Self = Self(20);
    /// The password is not sent, but an eavesdropper can guess it offline: CRAM-MD5.
    pub const DIGEST: Self = Self(30);
    /// The server receives a token that expires: XOAUTH2, OAUTHBEARER.
    pub const TOKEN: Self = Self(40);
    /// Each side proves itself to the other: SCRAM.
    pub const MUTUAL: Self = Self(60);
    /// Mutual proof, bound to the channel, which excludes a man in the middle: the `-PLUS` forms.
    pub const BOUND: Self = Self(80);
    /// TLS has proven it already: EXTERNAL.
    pub const EXTERNAL: Self = Self(100);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// 4422-3.1-a
    #[test]
    fn names_are_checked() {
        let cases = [
            ("PLAIN", Ok("PLAIN")),
            ("A", Ok("A")),
            ("X_Y-9", Ok("X_Y-9")),
            ("ABCDEFGHIJKLMNOPQRST", Ok("ABCDEFGHIJKLMNOPQRST")),
            ("ABCDEFGHIJKLMNOPQRSTU", Err(MechanismError::TooLong)),
            ("", Err(MechanismError::Empty)),
            ("scram-Sha-1", Ok("SCRAM-SHA-1")),
            ("pläin", Err(MechanismError::Octet { offset: 2 })),
            ("PLAIN ", Err(MechanismError::Octet { offset: 5 })),
            ("PL\0IN", Err(MechanismError::Octet { offset: 2 })),
            ("PLÄIN", Err(MechanismError::Octet { offset: 2 })),
            ("A.B", Err(MechanismError::Octet { offset: 1 })),
        ];
        for (name, expected) in cases {
            let made = Mechanism::new(name);
            assert_eq!(made.as_ref().map(Mechanism::as_str).map_err(|e| *e), expected, "{name}");
        }
        assert_eq!(Mechanism::new("plain"), Ok(Mechanism::PLAIN));
        assert_eq!(Mechanism::SCRAM_SHA_512_PLUS.to_string(), "SCRAM-SHA-512-PLUS");
    }

    #[test]
    fn the_order_of_strength_is_the_documented_one() {
        let order = [
            Mechanism::ANONYMOUS,
            Mechanism::literal("NTLM"),
            Mechanism::LOGIN,
            Mechanism::PLAIN,
            Mechanism::CRAM_MD5,
            Mechanism::XOAUTH2,
            Mechanism::OAUTHBEARER,
            Mechanism::SCRAM_SHA_1,
            Mechanism::SCRAM_SHA_256,
            Mechanism::SCRAM_SHA_512,
            Mechanism::SCRAM_SHA_1_PLUS,
            Mechanism::SCRAM_SHA_256_PLUS,
            Mechanism::SCRAM_SHA_512_PLUS,
            Mechanism::EXTERNAL,
        ];
        assert!(order.is_sorted_by(|weaker, stronger| weaker.strength() < stronger.strength()));
    }

    /// 4954-4-x, 4954-6-e, 7628-3-a, LOGIN-draft-1-d
    #[test]
    fn what_carries_a_secret_in_the_clear_is_plaintext() {
        let cases = [
            (Mechanism::PLAIN, true, true, false),
            (Mechanism::LOGIN, true, false, false),
            (Mechanism::XOAUTH2, true, true, false),
            (Mechanism::OAUTHBEARER, true, true, false),
            (Mechanism::literal("SOMETHING-NEW"), true, false, false),
            (Mechanism::CRAM_MD5, false, false, false),
            (Mechanism::EXTERNAL, false, true, false),
            (Mechanism::ANONYMOUS, false, true, false),
            (Mechanism::SCRAM_SHA_1, false, true, false),
            (Mechanism::SCRAM_SHA_256_PLUS, false, true, true),
        ];
        for (mechanism, is_plaintext, is_client_first, needs_channel_binding) in cases {
            assert_eq!(mechanism.is_plaintext(), is_plaintext, "{mechanism}");
            assert_eq!(mechanism.is_client_first(), is_client_first, "{mechanism}");
            assert_eq!(mechanism.needs_channel_binding(), needs_channel_binding, "{mechanism}");
        }
    }
}
