//! Names of SASL mechanisms.

use alloc::borrow::Cow;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::grammar::{VERB, is, is_all};
use super::{SyntaxError, SyntaxErrorKind};

/// The name of a SASL mechanism (RFC 4422 section 3.1).
///
/// Equality and hash are without case, because clients write it in any; it is encoded in upper case.
///
/// ```
/// use esmtp::syntax::Mechanism;
///
/// assert_eq!(Mechanism::new("scram-sha-256")?, Mechanism::SCRAM_SHA_256);
/// assert_eq!(Mechanism::new("plain")?.to_string(), "PLAIN");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mechanism<'a>(Cow<'a, str>);

macro_rules! mechanisms {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Mechanism<'_> {
            $($(#[$doc])* pub const $name: Mechanism<'static> = Mechanism(Cow::Borrowed($text));)*
        }
    };
}

mechanisms! {
    /// RFC 4616.
    PLAIN = "PLAIN";
    /// draft-murchison-sasl-login.
    LOGIN = "LOGIN";
    /// RFC 2195.
    CRAM_MD5 = "CRAM-MD5";
    /// RFC 5802.
    SCRAM_SHA_1 = "SCRAM-SHA-1";
    /// RFC 5802.
    SCRAM_SHA_1_PLUS = "SCRAM-SHA-1-PLUS";
    /// RFC 7677.
    SCRAM_SHA_256 = "SCRAM-SHA-256";
    /// RFC 7677.
    SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS";
    /// The SCRAM of RFC 5802 with SHA-512.
    SCRAM_SHA_512 = "SCRAM-SHA-512";
    /// The SCRAM of RFC 5802 with SHA-512.
    SCRAM_SHA_512_PLUS = "SCRAM-SHA-512-PLUS";
    /// Google's predecessor of OAUTHBEARER.
    XOAUTH2 = "XOAUTH2";
    /// RFC 7628.
    OAUTHBEARER = "OAUTHBEARER";
    /// RFC 4422 appendix A.
    EXTERNAL = "EXTERNAL";
    /// RFC 4505.
    ANONYMOUS = "ANONYMOUS";
}

impl<'a> Mechanism<'a> {
    /// Checks and keeps a name.
    ///
    /// ```text
    /// sasl-mech = 1*20mech-char                                RFC 4422 section 3.1
    /// mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Mechanism`].
    pub fn new(name: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let name = name.into();
        match name.len() <= 20 && is_all(&name, VERB) {
            true => Ok(Self(name)),
            false => Err(SyntaxError::new(SyntaxErrorKind::Mechanism, 0)),
        }
    }

    /// Makes a name of a literal. As a constant, an invalid name does not compile.
    ///
    /// # Panics
    ///
    /// Panics at run time when the name is invalid.
    #[allow(clippy::panic, clippy::indexing_slicing)] // for constants: the panic is a compile error
    #[must_use]
    pub const fn literal(name: &'static str) -> Mechanism<'static> {
        let octets = name.as_bytes();
        assert!(
            !octets.is_empty() && octets.len() <= 20,
            "the name of a mechanism has 1 to 20 octets"
        );
        let mut at = 0;
        while at < octets.len() {
            assert!(is(octets[at], VERB), "not the name of a mechanism");
            at += 1;
        }
        Mechanism(Cow::Borrowed(name))
    }

    pub(crate) const fn from_valid(name: &'a str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Returns the value as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Mechanism<'_> {
        Mechanism(Cow::Borrowed(&self.0))
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Mechanism<'static> {
        Mechanism(Cow::Owned(self.0.into_owned()))
    }
}

impl PartialEq for Mechanism<'_> {
    fn eq(&self, other: &Mechanism<'_>) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Mechanism<'_> {}

impl Hash for Mechanism<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes().for_each(|octet| state.write_u8(octet.to_ascii_uppercase()));
        state.write_u8(0xFF);
    }
}

/// In upper case.
impl fmt::Display for Mechanism<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.bytes().any(|octet| octet.is_ascii_lowercase()) {
            return f.pad(&self.0);
        }
        f.pad(&self.0.to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// 4422-3.1-a
    #[test]
    fn a_mechanism_has_1_to_20_letters_digits_hyphens_and_underscores() {
        for name in ["PLAIN", "a", "X_Y-9", "MECHANISM-NAME-OF-20"] {
            let mechanism = Mechanism::new(name).unwrap();
            assert_eq!(mechanism.to_string(), name.to_uppercase());
            assert_eq!(mechanism, Mechanism::new(name.to_lowercase()).unwrap());
        }
        for name in ["", "MECHANISM-NAME-OF-21X", "A B", "A.B", "Ä", "A\0"] {
            assert_eq!(
                Mechanism::new(name).unwrap_err().kind(),
                SyntaxErrorKind::Mechanism,
                "{name}"
            );
        }
    }
}
