//! Base64, as AUTH uses it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::grammar::{self, is};
use super::text_value::text_value;
use super::{SyntaxError, SyntaxErrorKind};

/// Octets as base64 (RFC 4648 section 4): an initial response, a response or a challenge of a SASL mechanism (RFC 4954
/// section 4).
///
/// As it may hold a password, its octets do not appear in `Debug`, and memory of its own is wiped when it is dropped.
///
/// ```
/// use esmtp::syntax::Base64;
///
/// let response = Base64::parse("dGVzdA==")?;
/// assert_eq!(response.decoded(), b"test");
/// assert_eq!(Base64::encode(b"test"), response);
/// assert!(Base64::parse("dGVzdA=").is_err());
/// assert_eq!(format!("{response:?}"), "Base64(8 octets)");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Base64<'a>(Cow<'a, str>);

impl<'a> Base64<'a> {
    /// Returns whether the word could be a message of a SASL mechanism, rather than a word or a mechanism's name: a
    /// transcript must not show it.
    pub(crate) fn is_likely(word: &[u8]) -> bool {
        const SHORTEST: usize = 8;
        let has_lower_case = word.iter().any(u8::is_ascii_lowercase);
        let has_other =
            word.iter().any(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit());
        word.len() >= SHORTEST
            && (has_lower_case && has_other || word.ends_with(b"="))
            && core::str::from_utf8(word).is_ok_and(|word| Base64::parse(word).is_ok())
    }

    /// Checks and keeps base64; empty is no octets.
    ///
    /// ```text
    /// base64          = base64-terminal / ( 1*(4base64-CHAR) [base64-terminal] )      RFC 4954 section 8
    /// base64-char     = ALPHA / DIGIT / "+" / "/"
    /// base64-terminal = (2base64-char "==") / (3base64-char "=")
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Base64`], also when the last character has bits that stand for nothing.
    pub fn parse(input: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let text = input.into();
        match check(text.as_bytes()) {
            Ok(()) => Ok(Self(text)),
            Err(at) => Err(SyntaxError::new(SyntaxErrorKind::Base64, at)),
        }
    }

    /// Encodes octets as base64.
    #[must_use]
    pub fn encode(octets: &[u8]) -> Base64<'static> {
        Base64(Cow::Owned(STANDARD.encode(octets)))
    }

    /// Returns the base64.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the decoded octets.
    #[must_use]
    pub fn decoded(&self) -> Vec<u8> {
        // It was checked when it was made.
        STANDARD.decode(self.0.as_bytes()).unwrap_or_default()
    }

    /// Returns whether the value holds no octets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Base64<'_> {
        Base64(Cow::Borrowed(&self.0))
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(mut self) -> Base64<'static> {
        Base64(Cow::Owned(core::mem::take(&mut self.0).into_owned()))
    }
}

text_value!(read Base64, Base64::parse);

impl AsRef<str> for Base64<'_> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Returns the offset of the first octet that is not base64, as an error.
fn check(text: &[u8]) -> Result<(), usize> {
    let characters =
        text.iter().position(|octet| !is(*octet, grammar::BASE64)).unwrap_or(text.len());
    let last = characters
        .checked_sub(1)
        .and_then(|at| text.get(at))
        .and_then(|octet| value(*octet))
        .unwrap_or(0);
    match (text.get(characters..).unwrap_or_default(), characters % 4) {
        ([], 0) => Ok(()),
        (b"==", 2) if last % 16 == 0 => Ok(()),
        (b"=", 3) if last % 4 == 0 => Ok(()),
        (b"==", 2) | (b"=", 3) => Err(characters - 1),
        _ => Err(characters),
    }
}

const fn value(octet: u8) -> Option<u8> {
    match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

impl Drop for Base64<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            let mut octets = core::mem::take(text).into_bytes();
            octets.fill(0);
            // Keeps the compiler from leaving the last writes out.
            core::hint::black_box(&octets);
        }
    }
}

impl fmt::Debug for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} octets)", self.0.len())
    }
}

/// A client's answer to a 334 (RFC 4954 section 4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthResponse<'a> {
    /// A response of the mechanism; it may be empty.
    Response(Base64<'a>),
    /// `*`: the client cancels the authentication.
    Cancel,
}

impl<'a> AuthResponse<'a> {
    /// The most octets of a line of the exchange, CRLF included (RFC 4954 section 4).
    pub const MAX_OCTETS: usize = 12_288;

    /// Reads a line without its CRLF.
    ///
    /// ```text
    /// continue-req / cancel = [base64] CRLF / "*" CRLF         RFC 4954 section 8
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Base64`], which deserves 501 5.5.2.
    pub fn parse(line: &'a [u8]) -> Result<Self, SyntaxError> {
        match line {
            b"*" => Ok(Self::Cancel),
            _ => match core::str::from_utf8(line) {
                Ok(text) => Base64::parse(text).map(Self::Response),
                Err(error) => Err(SyntaxError::new(SyntaxErrorKind::Base64, error.valid_up_to())),
            },
        }
    }

    /// Appends the line with its CRLF.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Response(response) => out.extend_from_slice(response.as_str().as_bytes()),
            Self::Cancel => out.push(b'*'),
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl From<Base64<'_>> for String {
    fn from(mut base64: Base64<'_>) -> Self {
        core::mem::take(&mut base64.0).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4954-4-l: RFC 4954 section 4, RFC 4648 section 3.
    #[test]
    fn base64_is_groups_of_four_with_padding_in_the_last() {
        for (text, octets) in [
            ("", &b""[..]),
            ("dGVzdA==", b"test"),
            ("dGVzdDE=", b"test1"),
            ("dGVzdDEy", b"test12"),
            ("+/+/", b"\xfb\xff\xbf"),
        ] {
            let base64 = Base64::parse(text).unwrap();
            assert_eq!(base64.decoded(), octets);
            assert_eq!(Base64::encode(octets), base64);
        }
        for (text, offset) in [
            ("A", 1),
            ("AA", 2),
            ("AAA", 3),
            ("AAAAA", 5),
            ("=", 0),
            ("==", 0),
            ("=AAA", 0),
            ("AA=", 2),
            ("AAA==", 3),
            ("AAAA=", 4),
            ("AAA=BBB=", 3),
            ("AA==A", 2),
            ("AA==AA==", 2),
            ("AB==", 1),
            ("AAB=", 2),
            ("AA A", 2),
            ("!!!!", 0),
            ("AA-_", 2),
            ("٥٥", 0),
        ] {
            let error = Base64::parse(text).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (SyntaxErrorKind::Base64, offset),
                "{text:?}"
            );
            assert!(STANDARD.decode(text).is_err());
        }
    }

    #[test]
    fn a_response_may_be_empty_or_a_cancellation() {
        assert_eq!(AuthResponse::parse(b"*"), Ok(AuthResponse::Cancel));
        assert_eq!(AuthResponse::parse(b""), Ok(AuthResponse::Response(Base64::encode(b""))));
        for line in
            [&b"="[..], b"* ", b" ", b"A\0B=", b"\xff\xfe", b"YWxpY2U", b"YWxpY2U=\nc2VjcmV0"]
        {
            assert!(AuthResponse::parse(line).is_err(), "{line:?}");
        }
        let mut out = Vec::new();
        AuthResponse::Cancel.encode(&mut out);
        AuthResponse::Response(Base64::encode(b"x")).encode(&mut out);
        assert_eq!(out, b"*\r\neA==\r\n");
    }
}
