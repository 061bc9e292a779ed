//! Text that can stand in a line.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;

use super::grammar::{TEXT, is_control_character, span};
use super::text_value::text_value;
use super::{SyntaxError, SyntaxErrorKind};

/// Text of one line: UTF-8 without a control character but TAB, so that no line break, NUL or terminal escape can hide in
/// it (RFC 5321 section 4.2, `textstring`).
///
/// Control characters are those of ASCII and C1 (U+0080 to U+009F), which RFC 5198 section 2 forbids in text that is
/// interchanged; U+2028 and U+2029, which some programs take for line breaks, count as such.
///
/// ```
/// use esmtp::syntax::Text;
///
/// const WELCOME: Text<'static> = Text::literal("ESMTP at your service");
/// assert_eq!(WELCOME.as_str(), "ESMTP at your service");
/// assert!(Text::new("one\r\n250 two").is_err());
/// assert!(Text::new("\u{9b}31mred").is_err());
/// ```
///
/// ```compile_fail
/// const TWO_LINES: esmtp::syntax::Text<'static> = esmtp::syntax::Text::literal("one\r\n250 two");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// Checks and keeps the text.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::LineBreak`] at a CR, LF or NUL, [`SyntaxErrorKind::Text`] at any other control character but TAB.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let text = text.into();
        match span(&text, TEXT) {
            octets if octets == text.len() => Ok(Self(text)),
            octets => Err(SyntaxError::new(kind_of(text.as_bytes().get(octets)), octets)),
        }
    }

    /// Makes text of a literal. As a constant, a literal with a control character does not compile.
    ///
    /// # Panics
    ///
    /// Panics at run time when the literal holds a control character.
    #[allow(clippy::panic)] // for constants: the panic is a compile error
    #[must_use]
    pub const fn literal(text: &'static str) -> Text<'static> {
        assert!(span(text, TEXT) == text.len(), "text with control characters");
        Text(Cow::Borrowed(text))
    }

    /// Makes text of any string: each control character but TAB becomes `?`.
    #[must_use]
    pub fn lossy(text: &'a str) -> Self {
        if span(text, TEXT) == text.len() {
            return Self(Cow::Borrowed(text));
        }
        let is_text = |c: char| c == '\t' || !is_control_character(c);
        Self(Cow::Owned(text.chars().map(|c| if is_text(c) { c } else { '?' }).collect()))
    }

    /// Returns whether the text is ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

text_value!(Text, Text::new);

/// Returns the kind of error for a forbidden octet.
pub(crate) fn kind_of(octet: Option<&u8>) -> SyntaxErrorKind {
    match octet {
        Some(b'\r' | b'\n' | 0) => SyntaxErrorKind::LineBreak,
        _ => SyntaxErrorKind::Text,
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.0.into_owned()
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

/// An owned copy of a borrowed text.
impl From<&Text<'_>> for Text<'static> {
    fn from(text: &Text<'_>) -> Self {
        Text(Cow::Owned(text.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5321-4.2-i
    #[test]
    fn text_holds_no_control_character_but_tab() {
        for octet in (0..32).chain([127_u8]) {
            let text = alloc::format!("a{}b", char::from(octet));
            let kind = Text::new(text.as_str()).map_err(|error| (error.kind(), error.offset()));
            match octet {
                b'\t' => assert!(kind.is_ok()),
                b'\r' | b'\n' | 0 => assert_eq!(kind, Err((SyntaxErrorKind::LineBreak, 1))),
                _ => assert_eq!(kind, Err((SyntaxErrorKind::Text, 1))),
            }
        }
        for c in ('\u{80}'..='\u{9f}').chain(['\u{2028}', '\u{2029}']) {
            let text = alloc::format!("ü{c}b");
            let error = Text::new(text.as_str()).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (SyntaxErrorKind::Text, 2), "{c:?}");
            assert_eq!(Text::lossy(&text).as_str(), "ü?b");
        }
        for text in ["grüß dich", "MÜLLER", "20 °C", "“quoted” … €", "\u{a0}", "\u{2027}\u{202a}"]
        {
            assert_eq!(Text::new(text).unwrap().as_str(), text);
            assert_eq!(Text::lossy(text).as_str(), text);
        }
        const DEGREES: Text<'static> = Text::literal("20 °C … “ü”");
        assert_eq!(DEGREES.as_str(), "20 °C … “ü”");
        assert_eq!(Text::new("").unwrap().as_str(), "");
    }

    #[test]
    fn lossy_text_is_valid_and_harmless_text_is_not_copied() {
        assert_eq!(Text::lossy("a\r\nb\u{1b}[2J\u{9b}\u{2028}ü\t").as_str(), "a??b?[2J??ü\t");
        assert!(matches!(Text::lossy("plain"), Text(Cow::Borrowed("plain"))));
    }
}
