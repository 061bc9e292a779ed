//! The value of XVERP: how a reverse-path for each recipient is written.

use super::grammar::{ATEXT, is};
use super::{SyntaxError, SyntaxErrorKind};

/// A request for variable envelope return paths (VERP), the parameter XVERP of MAIL (Postfix, `VERP_README`).
///
/// The server sends a copy of the message for each recipient, whose mailbox is written into the reverse-path:
/// `list@example.org` becomes `list+bob=example.net@example.org`. The two characters are the delimiters.
///
/// ```
/// use esmtp::syntax::{MailParameters, Verp};
///
/// let parameters = MailParameters::default().with_verp(Verp::new('+', '=')?).to_parameters();
/// assert_eq!(parameters.as_str(), "XVERP=+=");
/// let parameters = MailParameters::default().with_verp(Verp::DEFAULT).to_parameters();
/// assert_eq!(parameters.as_str(), "XVERP");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Verp {
    delimiters: Option<[u8; 2]>,
}

impl Verp {
    /// The delimiters that the server has configured: `+` and `=` in Postfix.
    pub const DEFAULT: Self = Self { delimiters: None };

    /// Makes a request with these delimiters, in front of the recipient's local-part and of its domain.
    ///
    /// Each server takes a few only: `-`, `+` and `=` in Postfix (`verp_delimiter_filter`).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`]: a letter, a digit, `%`, or a character that is not one of an atom (RFC 5322
    /// section 3.2.3).
    pub fn new(first: char, second: char) -> Result<Self, SyntaxError> {
        let octet = |character| u8::try_from(u32::from(character)).ok();
        Self::of([octet(first), octet(second)])
    }

    /// Returns the delimiters that the client asks for; `None`: those of the server.
    #[must_use]
    pub fn delimiters(&self) -> Option<[char; 2]> {
        self.delimiters.map(|delimiters| delimiters.map(char::from))
    }

    /// Reads the parameter, which has no value or two characters.
    pub(super) fn read(value: Option<&str>) -> Result<Self, SyntaxError> {
        match value.map(str::as_bytes) {
            None => Ok(Self::DEFAULT),
            Some([first, second]) => Self::of([Some(*first), Some(*second)]),
            Some(_) => Err(VALUE),
        }
    }

    fn of(delimiters: [Option<u8>; 2]) -> Result<Self, SyntaxError> {
        match delimiters {
            [Some(first), Some(second)] if is_delimiter(first) && is_delimiter(second) => {
                Ok(Self { delimiters: Some([first, second]) })
            }
            _ => Err(VALUE),
        }
    }
}

const VALUE: SyntaxError = SyntaxError::new(SyntaxErrorKind::ParameterValue, 0);

/// Returns whether the octet may separate parts of a local-part: "the @ or the %", "alphanumerics" and what is "non-ASCII
/// or control characters" must not (Postfix, `VERP_README`).
fn is_delimiter(octet: u8) -> bool {
    octet.is_ascii() && is(octet, ATEXT) && !octet.is_ascii_alphanumeric() && octet != b'%'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_two_characters_of_an_atom() {
        assert_eq!(Verp::read(None), Ok(Verp::default()));
        for (value, delimiters) in [("+=", ['+', '=']), ("==", ['=', '=']), ("-+", ['-', '+'])] {
            let verp = Verp::read(Some(value)).unwrap();
            assert_eq!(verp.delimiters(), Some(delimiters));
            assert_eq!(Verp::new(delimiters[0], delimiters[1]), Ok(verp));
        }
        for value in ["", "+", "+=+", "a=", "+1", "%+", "+@", "+.", "+\"", "\u{fc}", "+\u{7f}"] {
            assert_eq!(Verp::read(Some(value)), Err(VALUE), "{value}");
        }
        for other in ['\u{12b}', '\u{fc}', '\r', ' ', 'x'] {
            assert_eq!(Verp::new('+', other), Err(VALUE), "{other:?}");
        }
    }
}
