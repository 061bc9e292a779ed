//! xtext: octets as printable ASCII (RFC 3461 section 4).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::grammar::{XCHAR, is};
use super::lanes::xchar_end;
use super::text_value::text_value;
use super::{SyntaxError, SyntaxErrorKind};

/// Octets that travel as xtext: printable ASCII but `+` and `=` for itself, anything else as `+` and two hexadecimal digits
/// (RFC 3461 section 4).
///
/// It keeps the form in which it was written; equality and hash are by what it means.
///
/// ```
/// use esmtp::syntax::Xtext;
///
/// let text = Xtext::parse("a+3Db")?;
/// assert_eq!(text.decoded().as_ref(), b"a=b");
/// assert_eq!(Xtext::encode(b"a=b c").as_str(), "a+3Db+20c");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Xtext<'a>(Cow<'a, str>);

impl<'a> Xtext<'a> {
    /// Checks and keeps the form as it was written.
    ///
    /// ```text
    /// xtext   = *( xchar / hexchar )                           RFC 3461 section 4
    /// xchar   = %d33-42 / %d44-60 / %d62-126
    /// hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Xtext`].
    pub fn parse(input: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let text = input.into();
        match check(&text, false) {
            Ok(()) => Ok(Self(text)),
            Err(at) => Err(SyntaxError::new(SyntaxErrorKind::Xtext, at)),
        }
    }

    /// Encodes octets as xtext.
    #[must_use]
    pub fn encode(octets: &[u8]) -> Xtext<'static> {
        Xtext(Cow::Owned(encoded(octets)))
    }

    /// Returns the decoded octets.
    #[must_use]
    pub fn decoded(&self) -> Cow<'_, [u8]> {
        match self.0.contains('+') {
            false => Cow::Borrowed(self.0.as_bytes()),
            true => Cow::Owned(self.octets().collect()),
        }
    }

    /// Returns the decoded text, if it is UTF-8.
    #[must_use]
    pub fn decoded_text(&self) -> Option<Cow<'_, str>> {
        match self.0.contains('+') {
            false => Some(Cow::Borrowed(&self.0)),
            true => String::from_utf8(self.octets().collect()).ok().map(Cow::Owned),
        }
    }

    /// Iterates over the decoded octets.
    pub(crate) fn octets(&self) -> impl Iterator<Item = u8> + Clone {
        octets_of(&self.0)
    }
}

text_value!(Xtext, Xtext::parse);

impl PartialEq for Xtext<'_> {
    fn eq(&self, other: &Xtext<'_>) -> bool {
        self.octets().eq(other.octets())
    }
}

impl Eq for Xtext<'_> {}

impl core::hash::Hash for Xtext<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.octets().for_each(|octet| state.write_u8(octet));
        state.write_usize(self.octets().count());
    }
}

/// Iterates over the octets that xtext stands for.
pub(crate) fn octets_of(text: &str) -> impl Iterator<Item = u8> + Clone {
    let mut octets = text.bytes();
    core::iter::from_fn(move || match octets.next()? {
        b'+' => Some(hexadecimal(octets.next()?)? << 4 | hexadecimal(octets.next()?)?),
        octet => Some(octet),
    })
}

fn hexadecimal(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Fails with the offset of the first octet that is not xtext; lower-case hexadecimal digits are accepted only where
/// they are tolerated.
fn check(text: &str, is_lower_case_fine: bool) -> Result<(), usize> {
    let is_hexadecimal = |octet: u8| {
        matches!(octet, b'0'..=b'9' | b'A'..=b'F')
            || is_lower_case_fine && matches!(octet, b'a'..=b'f')
    };
    let octets = text.as_bytes();
    let mut at = 0;
    loop {
        at = xchar_end(octets, at);
        match octets.get(at..).unwrap_or_default() {
            [] => return Ok(()),
            [b'+', high, low, ..] if is_hexadecimal(*high) && is_hexadecimal(*low) => at += 3,
            _ => return Err(at),
        }
    }
}

/// Returns whether each octet of the text is one of xtext that stands for itself.
#[inline]
pub(super) fn is_plain(text: &str) -> bool {
    xchar_end(text.as_bytes(), 0) == text.len()
}

/// Decodes text that is xtext and whose octets are UTF-8; `None` for other text.
pub(crate) fn decode_text(text: &str) -> Option<Cow<'_, str>> {
    if is_plain(text) {
        return Some(Cow::Borrowed(text));
    }
    check(text, false).ok()?;
    String::from_utf8(octets_of(text).collect::<Vec<u8>>()).ok().map(Cow::Owned)
}

/// Encodes octets as xtext.
pub(crate) fn encoded(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for octet in octets {
        match is(*octet, XCHAR) {
            true => text.push(char::from(*octet)),
            // Writing into a String does not fail.
            false => drop(write!(text, "+{octet:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3461-4-a 3461-4-b 3461-4-c
    #[test]
    fn xtext_is_decoded_once_and_encoded_in_upper_case() {
        for (form, meaning) in [
            ("", ""),
            ("a", "a"),
            ("a+3Db", "a=b"),
            ("+41", "A"),
            ("a+20b", "a b"),
            ("+00", "\0"),
            ("+2B2B", "+2B"),
            ("+2B+32+42", "+2B"),
            ("!~", "!~"),
            ("+C3+BC", "ü"),
        ] {
            let text = Xtext::parse(form).unwrap();
            assert_eq!(text.decoded().as_ref(), meaning.as_bytes());
            assert_eq!(text.decoded_text().as_deref(), Some(meaning));
            assert_eq!(Xtext::encode(meaning.as_bytes()), text);
        }
        assert_eq!(Xtext::encode("+=\n ü~".as_bytes()).as_str(), "+2B+3D+0A+20+C3+BC~");
        for (form, offset) in [
            ("a=b", 1),
            ("a+2", 1),
            ("a+", 1),
            ("a+G0", 1),
            ("+2 B", 0),
            ("+2b", 0),
            ("a\u{7f}", 1),
            ("é", 0),
            ("a\tb", 1),
            ("++2B", 0),
            ("a b", 1),
        ] {
            let error = Xtext::parse(form).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (SyntaxErrorKind::Xtext, offset),
                "{form:?}"
            );
        }
    }

    #[test]
    fn the_octets_that_stand_for_themselves_are_one_class() {
        for octet in 0..=u8::MAX {
            for (front, after) in [("", ""), ("", "a"), ("abcdefg", "xyz"), ("abcdefgh", "")] {
                let text = [front.as_bytes(), &[octet], after.as_bytes()].concat();
                let end = if is(octet, XCHAR) { text.len() } else { front.len() };
                assert_eq!(xchar_end(&text, 0), end, "{text:?}");
            }
        }
    }

    #[test]
    fn every_octet_survives() {
        let octets: Vec<u8> = (0..=u8::MAX).collect();
        let text = Xtext::encode(&octets);
        assert_eq!(Xtext::parse(text.as_str()).unwrap().decoded().as_ref(), octets);
        assert_eq!(Xtext::encode(b"+=\x7f\xff").as_str(), "+2B+3D+7F+FF");
    }
}
