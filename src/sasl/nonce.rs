//! Random text, made from octets that the caller provides.

use super::error::Malformed;
use alloc::string::String;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use core::fmt;

/// Printable text that is unpredictable and never used twice.
///
/// It is not `Clone`: each exchange uses its own (RFC 5802 section 5.1).
pub struct Nonce(String);

impl Nonce {
    /// Creates a nonce from 18 octets of a cryptographic random number generator: 144 bits, encoded
    /// in 24 characters.
    #[must_use]
    pub fn new(random: [u8; 18]) -> Self {
        Self(STANDARD.encode(random))
    }

    /// Creates a nonce from text that is random already.
    ///
    /// ```text
    /// printable       = %x21-2B / %x2D-7E       ; RFC 5802 section 7: no comma
    /// c-nonce         = printable
    /// ```
    ///
    /// # Errors
    /// Empty text, a comma, or a character that is not printable ASCII.
    pub fn from_text(text: impl Into<String>) -> Result<Self, Malformed> {
        let text = text.into();
        if is_nonce(&text) { Ok(Self(text)) } else { Err(Malformed::new("a nonce")) }
    }

    /// Creates a nonce from the operating system's generator.
    ///
    /// # Errors
    /// The operating system has no random octets.
    #[cfg(feature = "getrandom")]
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut random = [0; 18];
        getrandom::fill(&mut random).map_err(|_| NoRandomness)?;
        Ok(Self::new(random))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[cfg(feature = "scram")]
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

/// The operating system has no random octets.
#[cfg(feature = "getrandom")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system has no random octets")]
pub struct NoRandomness;

pub(super) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| matches!(octet, 0x21..=0x2B | 0x2D..=0x7E))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5802-5.1-c
    #[test]
    fn a_nonce_is_printable_without_a_comma() {
        for octet in 0..=255 {
            assert!(is_nonce(Nonce::new([octet; 18]).as_str()));
        }
        for text in ["", "a,b", "a b", "a\u{7}", "ä", "a\u{7f}"] {
            assert!(Nonce::from_text(text).is_err(), "{text:?}");
        }
        assert_eq!(Nonce::from_text("fyko+d2l=").unwrap().as_str(), "fyko+d2l=");
    }

    #[cfg(feature = "getrandom")]
    #[test]
    fn generated_nonces_differ() {
        assert_ne!(Nonce::generate().unwrap().as_str(), Nonce::generate().unwrap().as_str());
    }
}
