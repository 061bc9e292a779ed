//! Arguments that are text.

use alloc::borrow::Cow;
use core::fmt;

use super::grammar::{Parsed, Tolerance, VERB, WSP, is, is_all};
use super::mailbox::{dot_string, mailbox, quoted_string};
use super::text_value::text_value;
use super::{SyntaxError, SyntaxErrorKind, Text, Verb};

/// Text as an argument: of one octet or more, without white space at its ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Argument<'a>(Text<'a>);

impl<'a> Argument<'a> {
    /// Checks and keeps the text.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::MissingArgument`] when it is empty, [`SyntaxErrorKind::Argument`] with white space at an end, and
    /// what [`Text::new`] says.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        Self::of(Text::new(text)?)
    }

    fn of(text: Text<'a>) -> Result<Self, SyntaxError> {
        let octets = text.as_str().as_bytes();
        match (octets.first(), octets.last()) {
            (Some(first), _) if is(*first, WSP) => {
                Err(SyntaxError::new(SyntaxErrorKind::Argument, 0))
            }
            (_, Some(last)) if is(*last, WSP) => {
                Err(SyntaxError::new(SyntaxErrorKind::Argument, octets.len() - 1))
            }
            (Some(_), Some(_)) => Ok(Self(text)),
            _ => Err(SyntaxError::new(SyntaxErrorKind::MissingArgument, 0)),
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the text.
    #[must_use]
    pub fn as_text(&self) -> &Text<'a> {
        &self.0
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Argument<'_> {
        Argument(self.0.as_borrowed())
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Argument<'static> {
        Argument(self.0.into_owned())
    }

    /// Returns whether it is a `String` of RFC 5321 section 4.1.2: an atom or a quoted string.
    #[must_use]
    pub fn is_string(&self) -> bool {
        is_string(self.as_str())
    }
}

text_value!(shown Argument);
text_value!(read Argument, Argument::new);

impl AsRef<str> for Argument<'_> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Parses `String = Atom / Quoted-string`                              RFC 5321 section 4.1.2
pub(crate) fn is_string(text: &str) -> bool {
    let is_whole = |found: Parsed<'_, &str>| matches!(found, Ok(("", _)));
    is_whole(quoted_string(text)) || !text.contains('.') && is_whole(dot_string(text))
}

/// Returns whether the text is an argument of VRFY or EXPN: "a user name, or a user name and domain" (RFC 5321 section
/// 3.5.1).
pub(crate) fn is_string_or_mailbox(text: &str, tolerance: &Tolerance) -> bool {
    is_string(text) || {
        let used = tolerance.used();
        let is_mailbox = matches!(mailbox(text, tolerance), Ok(("", _)));
        if !is_mailbox {
            tolerance.rewind(used);
        }
        is_mailbox
    }
}

/// The argument of VRFY or EXPN, and whether the client accepts UTF-8 in the reply (RFC 6531 section 3.7.4.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lookup<'a> {
    argument: Argument<'a>,
    smtputf8: bool,
}

const FLAG: &str = "SMTPUTF8";

impl<'a> Lookup<'a> {
    /// Makes the argument without the parameter SMTPUTF8.
    ///
    /// ```
    /// use esmtp::syntax::{Argument, Lookup};
    ///
    /// let lookup = Lookup::new(Argument::new("müller")?)?.with_smtputf8();
    /// assert_eq!(lookup.to_string(), "müller SMTPUTF8");
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Argument`] when the argument itself ends with the word SMTPUTF8, so that it would be taken for the
    /// parameter.
    pub fn new(argument: Argument<'a>) -> Result<Self, SyntaxError> {
        match without_flag(argument.as_str()) {
            None => Ok(Self { argument, smtputf8: false }),
            Some(before) => Err(SyntaxError::new(SyntaxErrorKind::Argument, before.len())),
        }
    }

    /// Parses `String [ SP "SMTPUTF8" ]`                              RFC 6531 section 3.7.4.2
    pub(crate) fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        match without_flag(input) {
            Some(before) => Ok(Self::new(Argument::new(before)?)?.with_smtputf8()),
            None => Self::new(Argument::new(input)?),
        }
    }

    /// Adds the parameter SMTPUTF8: the client accepts UTF-8 in the reply (RFC 6531 section 3.7.4.2).
    #[must_use]
    pub const fn with_smtputf8(mut self) -> Self {
        self.smtputf8 = true;
        self
    }

    /// Returns the argument without the parameter.
    #[must_use]
    pub fn argument(&self) -> &Argument<'a> {
        &self.argument
    }

    /// Returns the argument as text, without the parameter.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.argument.as_str()
    }

    /// Returns whether the parameter SMTPUTF8 is present.
    #[must_use]
    pub fn is_smtputf8(&self) -> bool {
        self.smtputf8
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Lookup<'static> {
        Lookup { argument: self.argument.into_owned(), smtputf8: self.smtputf8 }
    }
}

fn without_flag(text: &str) -> Option<&str> {
    let (before, flag) = text.rsplit_once(' ')?;
    flag.eq_ignore_ascii_case(FLAG).then_some(before)
}

impl fmt::Display for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self.smtputf8 {
            true => write!(f, " {FLAG}"),
            false => Ok(()),
        }
    }
}

/// A verb that is not in [`Verb::ALL`]: letters, digits, `-` and `_`, as it was written.
#[derive(Clone, Debug)]
pub struct UnknownVerb<'a>(Cow<'a, str>);

impl<'a> UnknownVerb<'a> {
    /// Checks and keeps a verb.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Verb`] when it is a known verb, or not a verb.
    pub fn new(verb: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let text = verb.into();
        match is_all(&text, VERB) && Verb::from_word(text.as_bytes()) == Verb::Other {
            true => Ok(Self(text)),
            false => Err(SyntaxError::new(SyntaxErrorKind::Verb, 0)),
        }
    }

    pub(crate) const fn from_valid(verb: &'a str) -> Self {
        Self(Cow::Borrowed(verb))
    }
}

text_value!(UnknownVerb, UnknownVerb::new);
text_value!(any_case UnknownVerb);

#[cfg(test)]
mod tests {
    use super::*;

    /// 5321-4.1.2-q
    #[test]
    fn a_string_is_an_atom_or_a_quoted_string() {
        for (text, is) in [
            ("smith", true),
            ("\"a b\"", true),
            ("\"\"", true),
            ("ü", true),
            ("a.b", false),
            ("a b", false),
            ("a@b", false),
            ("\"a", false),
            ("a\"b\"", false),
        ] {
            assert_eq!(Argument::new(text).unwrap().is_string(), is, "{text}");
        }
    }

    #[test]
    fn an_argument_is_text_without_white_space_at_its_ends() {
        for (text, kind) in [
            ("", SyntaxErrorKind::MissingArgument),
            (" a", SyntaxErrorKind::Argument),
            ("a\t", SyntaxErrorKind::Argument),
            ("a\r\nDATA", SyntaxErrorKind::LineBreak),
            ("a\u{1b}", SyntaxErrorKind::Text),
        ] {
            assert_eq!(Argument::new(text).unwrap_err().kind(), kind, "{text:?}");
        }
        assert_eq!(Argument::new("a \t b").unwrap().as_str(), "a \t b");
    }

    /// 6531-3.7.4.2-b
    #[test]
    fn a_lookup_may_end_with_smtputf8() {
        let parse =
            |text| Lookup::parse(text).map(|found| (found.as_str().len(), found.is_smtputf8()));
        assert_eq!(parse("ü SMTPUTF8"), Ok((2, true)));
        assert_eq!(parse("ü smtputf8"), Ok((2, true)));
        assert_eq!(parse("SMTPUTF8"), Ok((8, false)));
        assert!(parse("a SMTPUTF8 SMTPUTF8").is_err());
    }

    #[test]
    fn a_known_verb_is_no_unknown_one() {
        assert!(UnknownVerb::new("mail").is_err() && UnknownVerb::new("A B").is_err());
        assert!(UnknownVerb::new("").is_err());
        assert_eq!(UnknownVerb::new("x-foo"), UnknownVerb::new("X-FOO"));
    }
}
