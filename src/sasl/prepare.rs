//! Preparation of names and passwords, so that equivalent ways of typing the same characters
//! compare equal (RFC 4013, RFC 4616 section 2, RFC 5802 section 5.1).
//!
//! ```
//! use esmtp::sasl::prepare::{as_is, standard};
//!
//! assert_eq!(standard("correct horse")?, "correct horse");
//! assert!(standard("a bell: \x07").is_err());
//! assert_eq!(as_is("a bell: \x07")?, "a bell: \x07");
//! # Ok::<(), esmtp::sasl::prepare::Unprepared>(())
//! ```

use alloc::borrow::Cow;

/// A name or password that must not be used: it contains prohibited characters, or preparation
/// leaves it empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the preparation of a string failed")]
pub struct Unprepared;

/// A way to prepare a name or a password.
///
/// Every mechanism that prepares strings can be given another function: [`as_is`], or the
/// application's own (the profiles of RFC 8265, for example). The default is [`standard`].
pub type Prepare = for<'a> fn(&'a str) -> Result<Cow<'a, str>, Unprepared>;

/// Applies `saslprep` when the feature of that name is on. Without it, text without control
/// characters stays as it is: correct for all of ASCII, and for other text that was typed in its
/// usual form.
///
/// # Errors
/// A string that is empty, or holds what is prohibited.
pub fn standard(text: &str) -> Result<Cow<'_, str>, Unprepared> {
    #[cfg(feature = "saslprep")]
    return saslprep(text);
    #[cfg(not(feature = "saslprep"))]
    if text.is_empty() || text.chars().any(char::is_control) {
        Err(Unprepared)
    } else {
        Ok(Cow::Borrowed(text))
    }
}

/// Accepts every string that is not empty.
///
/// # Errors
/// The empty string.
pub fn as_is(text: &str) -> Result<Cow<'_, str>, Unprepared> {
    if text.is_empty() { Err(Unprepared) } else { Ok(Cow::Borrowed(text)) }
}

/// Applies the SASLprep profile (RFC 4013) to a query string: code points that Unicode 3.2 had not
/// assigned (every emoji, for example) stay as they are (RFC 3454 section 7).
///
/// # Errors
/// Characters that the profile prohibits, and a string of which nothing is left.
#[cfg(feature = "saslprep")]
pub fn saslprep(text: &str) -> Result<Cow<'_, str>, Unprepared> {
    use alloc::string::String;
    use stringprep::tables::{bidi_l, bidi_r_or_al, unassigned_code_point};

    if !text.chars().any(unassigned_code_point) {
        let prepared = stringprep::saslprep(text).map_err(|_| Unprepared)?;
        return if prepared.is_empty() { Err(Unprepared) } else { Ok(prepared) };
    }
    // The library prepares stored strings, in which unassigned code points are prohibited: it
    // receives the parts between them.
    let mut prepared = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let end = if unassigned_code_point(character) {
            let end = character.len_utf8();
            prepared.push(character);
            end
        } else {
            let end = rest.find(unassigned_code_point).unwrap_or(rest.len());
            let run = rest.get(..end).unwrap_or_default();
            prepared.push_str(&stringprep::saslprep(run).map_err(|_| Unprepared)?);
            end
        };
        rest = rest.get(end..).unwrap_or_default();
    }
    // RFC 3454 section 6, over the whole string.
    let right_to_left = |c: Option<char>| c.is_some_and(bidi_r_or_al);
    let is_mixed = prepared.chars().any(bidi_r_or_al)
        && (prepared.chars().any(bidi_l)
            || !right_to_left(prepared.chars().next())
            || !right_to_left(prepared.chars().next_back()));
    if is_mixed { Err(Unprepared) } else { Ok(Cow::Owned(prepared)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_stays_and_control_characters_are_refused() {
        assert_eq!(standard("pencil").as_deref(), Ok("pencil"));
        assert_eq!(standard("a b").as_deref(), Ok("a b"));
        for text in ["", "a\u{7}", "\u{7f}", "a\nb"] {
            assert_eq!(standard(text), Err(Unprepared), "{text:?}");
        }
        assert_eq!(as_is("a\u{7}").as_deref(), Ok("a\u{7}"));
        assert_eq!(as_is(""), Err(Unprepared));
    }

    /// 5802-5.1-m: the examples of RFC 4013 section 3.
    #[cfg(feature = "saslprep")]
    #[test]
    fn the_examples_of_saslprep() {
        let cases = [
            ("I\u{ad}X", Ok("IX")),
            ("user", Ok("user")),
            ("USER", Ok("USER")),
            ("\u{aa}", Ok("a")),
            ("\u{2168}", Ok("IX")),
            ("\u{7}", Err(Unprepared)),
            ("\u{627}\u{31}", Err(Unprepared)),
            // Nothing is left.
            ("\u{ad}", Err(Unprepared)),
            // Unassigned in Unicode 3.2: a query string keeps it.
            ("pa\u{aa}\u{1f511}\u{ad}", Ok("paa\u{1f511}")),
            ("a\u{1f511}\u{7}", Err(Unprepared)),
            ("a\u{1f511}\u{627}", Err(Unprepared)),
            ("\u{627}\u{1f511}\u{627}", Ok("\u{627}\u{1f511}\u{627}")),
        ];
        for (text, expected) in cases {
            assert_eq!(saslprep(text).as_deref().map_err(|e| *e), expected, "{text:?}");
            assert_eq!(standard(text).as_deref().map_err(|e| *e), expected, "{text:?}");
        }
    }
}
