//! Local-parts and mailboxes.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::error::AddressFault;
use super::grammar::{
    self, ATEXT, Class, Parsed, QTEXT, Tolerance, cut, fail, fail_with, whole_address,
};
use super::host::{after_host, host};
use super::text_value::text_value;
use super::{Host, Lenience, SyntaxError, SyntaxErrorKind, lenience::Switches};

/// Octets of a local-part as it is written that every implementation takes (RFC 5321 section 4.5.3.1.1).
pub(super) const LOCAL_PART_MINIMUM: usize = 64;

/// The part of a mailbox before the `@`: a dot-string or a quoted string (RFC 5321 section 4.1.2).
///
/// It keeps the form in which it was written. Equality and hash are by meaning: unquoted, and octet for octet, because
/// only its host may interpret it (RFC 5321 section 2.4). Encoded, it has the shortest quoting (RFC 5321 section
/// 4.1.2).
///
/// ```
/// use esmtp::syntax::LocalPart;
///
/// let quoted = LocalPart::parse(r#""ann""#)?;
/// assert_eq!(quoted, LocalPart::parse("ann")?);
/// assert_eq!((quoted.as_str(), quoted.to_string().as_str()), (r#""ann""#, "ann"));
/// assert_eq!(LocalPart::from_unquoted("ann the other")?.as_str(), r#""ann the other""#);
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LocalPart<'a>(Cow<'a, str>);

impl<'a> LocalPart<'a> {
    /// Reads a dot-string or a quoted string, of any length.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::LocalPart`] outside the grammar.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        Self::parse_with(input, Lenience::default())
    }

    /// Reads a local-part with these deviations from the grammar
    /// ([`dots_in_local_part`](Lenience::has_dots_in_local_part), [`long_local_part`](Lenience::has_long_local_part)).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::LocalPart`] for what is not tolerated, [`SyntaxErrorKind::LocalPartTooLong`] above 64 octets where
    /// that is not.
    pub fn parse_with(input: &'a str, lenience: Lenience) -> Result<Self, SyntaxError> {
        let tolerance = Tolerance::new(lenience);
        let is_quoted = input.starts_with('"');
        let trailing = |rest: &str| match after_local_part(rest, is_quoted) {
            (_, AddressFault::NoAt) => {
                (SyntaxErrorKind::LocalPart, AddressFault::LocalPartCharacter)
            }
            (_, fault) => (SyntaxErrorKind::LocalPart, fault),
        };
        whole_address(input, trailing, |input| local_part(input, &tolerance))
    }

    /// Makes a local-part in its shortest form of any text: a dot-string where that is possible, else a quoted string.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::LocalPart`] when the text holds a control character, which no form can hold.
    pub fn from_unquoted(text: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let text = text.into();
        if let Some(at) = text.find(grammar::is_control_character) {
            return Err(SyntaxError::new(SyntaxErrorKind::LocalPart, at));
        }
        let form = if is_dot_string(&text) {
            text
        } else {
            let mut form = String::with_capacity(text.len() + 2);
            // Writing into a String does not fail.
            let _ = write_quoted(&mut form, text.chars());
            Cow::Owned(form)
        };
        Ok(Self(form))
    }

    pub(crate) const fn from_valid(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Returns the meaning: the text without quotes and backslashes.
    #[must_use]
    pub fn unquoted(&self) -> Cow<'_, str> {
        match self.inside() {
            None => Cow::Borrowed(&self.0),
            Some(inside) if !inside.contains('\\') => Cow::Borrowed(inside),
            Some(_) => Cow::Owned(self.chars().collect()),
        }
    }

    /// Returns whether it is written as a quoted string.
    #[must_use]
    pub fn is_quoted(&self) -> bool {
        self.0.starts_with('"')
    }

    /// Returns whether the local-part is ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Returns the text between the quotes, if the local-part is quoted.
    fn inside(&self) -> Option<&str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }

    /// Iterates over the characters of the meaning.
    fn chars(&self) -> impl Iterator<Item = char> + Clone {
        let mut chars = self.inside().unwrap_or(&self.0).chars();
        // Outside quotes there is no backslash.
        core::iter::from_fn(move || match chars.next() {
            Some('\\') => chars.next(),
            next => next,
        })
    }
}

text_value!(methods LocalPart);
text_value!(read LocalPart, LocalPart::parse);

fn is_dot_string(text: &str) -> bool {
    matches!(dot_string(text), Ok(("", _)))
}

fn write_quoted(out: &mut impl fmt::Write, text: impl Iterator<Item = char>) -> fmt::Result {
    out.write_char('"')?;
    for c in text {
        if matches!(c, '"' | '\\') {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    out.write_char('"')
}

/// Writes the shortest form, whatever form was read.
impl fmt::Display for LocalPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inside() {
            None => f.write_str(&self.0),
            Some(inside) if is_dot_string(inside) => f.write_str(inside),
            Some(inside) if !inside.contains('\\') => f.write_str(&self.0),
            Some(_) => match self.unquoted() {
                text if is_dot_string(&text) => f.write_str(&text),
                _ => write_quoted(f, self.chars()),
            },
        }
    }
}

impl PartialEq for LocalPart<'_> {
    fn eq(&self, other: &LocalPart<'_>) -> bool {
        self.chars().eq(other.chars())
    }
}

impl Eq for LocalPart<'_> {}

impl Hash for LocalPart<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.chars().for_each(|c| c.hash(state));
        state.write_u8(0xFF);
    }
}

/// A local-part at a host (RFC 5321 section 4.1.2).
///
/// Equality and hash are by meaning: the local-part unquoted and octet for octet, the domain without case.
///
/// ```
/// use esmtp::syntax::Mailbox;
///
/// let mailbox = Mailbox::parse(r#""ann"@EXAMPLE.org"#)?;
/// assert_eq!(mailbox, Mailbox::parse("ann@example.org")?);
/// assert_ne!(mailbox, Mailbox::parse("Ann@example.org")?);
/// assert_eq!(mailbox.to_string(), "ann@EXAMPLE.org");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[doc(alias("EmailAddress", "Address", "addr_spec"))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox<'a> {
    local_part: LocalPart<'a>,
    host: Host<'a>,
}

impl<'a> Mailbox<'a> {
    /// Reads a mailbox, without brackets. It borrows the input; `"ann@example.org".parse::<Mailbox>()` owns what it read.
    ///
    /// ```
    /// use esmtp::syntax::{Mailbox, SyntaxErrorKind};
    ///
    /// for (input, kind, message) in [
    ///     ("ann", SyntaxErrorKind::Path, "no @ in the address, at octet 3"),
    ///     ("a@b_c.example", SyntaxErrorKind::Host, "an underscore in the domain name, at octet 3"),
    ///     ("Ann <ann@b.example>", SyntaxErrorKind::Path, "a display name is not part of an address, at octet 3"),
    /// ] {
    ///     let error = Mailbox::parse(input).unwrap_err();
    ///     assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::LocalPart`], [`SyntaxErrorKind::Host`] or [`SyntaxErrorKind::DomainTooLong`] for what is wrong with
    /// that part; [`SyntaxErrorKind::Path`] without an `@`, with a second one, and with text that is not part of an address.
    /// [`SyntaxError::reason`] says it in words.
    ///
    /// `ann@192.0.2.1` is no error: by the grammar those digits are a domain, so a server accepts it, and whatever it accepts is
    /// read back. [`Envelope::new`](crate::Envelope::new) rejects it and names the literal `[192.0.2.1]`.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        Self::parse_with(input, Lenience::default())
    }

    /// Reads a mailbox with these deviations from the grammar: those of [`LocalPart::parse_with`] and [`Host::parse_with`].
    ///
    /// ```
    /// use esmtp::syntax::{Lenience, Mailbox};
    ///
    /// let lenience = Lenience::default().with_dots_in_local_part().with_underscore_in_domain();
    /// let mailbox = Mailbox::parse_with("a..b@c_d.example", lenience)?;
    /// assert_eq!(mailbox.to_string(), "a..b@c_d.example");
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), for what is not tolerated.
    pub fn parse_with(input: &'a str, lenience: Lenience) -> Result<Self, SyntaxError> {
        let tolerance = Tolerance::new(lenience);
        whole_address(input, after_host, |input| mailbox(input, &tolerance))
    }

    /// Makes a mailbox of its parts.
    #[must_use]
    pub const fn new(local_part: LocalPart<'a>, host: Host<'a>) -> Self {
        Self { local_part, host }
    }

    /// Checks that the host is not an IPv4 address without its brackets, which the grammar takes for a domain: mail to
    /// it cannot be delivered (RFC 5321 sections 2.3.5, 4.1.3).
    pub(crate) fn with_brackets(self) -> Result<Self, SyntaxError> {
        let offset = self.local_part.as_str().len() + 1;
        let checked = self.host.with_brackets();
        checked.map(|()| self).map_err(|fault| {
            SyntaxError::new(SyntaxErrorKind::Host, offset).with_fault(Some(fault))
        })
    }

    /// Returns which deviations from the grammar this mailbox needs.
    pub(crate) fn deviations(&self) -> Lenience {
        let local_part = self.local_part.as_str();
        let switches = Switches {
            long_local_part: local_part.len() > LOCAL_PART_MINIMUM,
            dots_in_local_part: !self.local_part.is_quoted()
                && (local_part.starts_with('.')
                    || local_part.ends_with('.')
                    || local_part.contains("..")),
            underscore_in_domain: self.host.domain().is_some_and(|it| it.as_str().contains('_')),
            general_literal: matches!(self.host, Host::General(_)),
            unicode_controls: grammar::has_control(local_part)
                || self.host.domain().is_some_and(|it| grammar::has_control(it.as_str())),
            ..Switches::from(Lenience::STRICT)
        };
        switches.into()
    }

    /// Returns the local-part: the part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &LocalPart<'a> {
        &self.local_part
    }

    /// Returns the host: the part after the `@`.
    #[must_use]
    pub fn host(&self) -> &Host<'a> {
        &self.host
    }

    /// Returns whether it can be used without SMTPUTF8 (RFC 6531).
    #[inline(never)] // a copy of both searches at each call took 3 kB
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.local_part.is_ascii() && self.host.is_ascii()
    }

    /// Returns the mailbox with A-labels, for a server without SMTPUTF8.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::NonAscii`] when the local-part is not ASCII, for which there is no other form; else as for
    /// [`Domain::to_ascii`](super::Domain::to_ascii).
    #[cfg(feature = "idna")]
    pub fn to_ascii(&self) -> Result<Mailbox<'static>, SyntaxError> {
        if !self.local_part().is_ascii() {
            return Err(SyntaxError::new(SyntaxErrorKind::NonAscii, 0));
        }
        Ok(Mailbox::new(self.local_part().as_borrowed().into_owned(), self.host().to_ascii()?))
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Mailbox<'_> {
        Mailbox { local_part: self.local_part.as_borrowed(), host: self.host.as_borrowed() }
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Mailbox<'static> {
        Mailbox { local_part: self.local_part.into_owned(), host: self.host.into_owned() }
    }
}

text_value!(read Mailbox, Mailbox::parse);

impl Mailbox<'_> {
    /// Writes the mailbox without formatting where that is not needed: that is cheap.
    pub(crate) fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self.local_part.inside() {
            None => out.write_str(&self.local_part.0)?,
            Some(_) => write!(out, "{}", self.local_part)?,
        }
        out.write_str("@")?;
        match &self.host {
            Host::Domain(domain) => out.write_str(domain.as_str()),
            host => write!(out, "{host}"),
        }
    }
}

/// `ann@example.org`, the local-part in its shortest form.
impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Parses `Mailbox = Local-part "@" ( Domain / address-literal )`      RFC 5321 section 4.1.2
#[inline]
pub(crate) fn mailbox<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Mailbox<'a>> {
    let (rest, local_part) = local_part(input, tolerance)?;
    let Some(rest) = rest.strip_prefix('@') else {
        return fail_with(rest, after_local_part(rest, local_part.is_quoted()));
    };
    let (rest, host) = host(rest, tolerance)?;
    Ok((rest, Mailbox { local_part, host }))
}

/// Returns what is wrong where the `@` was expected.
#[cold]
fn after_local_part(rest: &str, is_quoted: bool) -> (SyntaxErrorKind, AddressFault) {
    match rest.as_bytes() {
        [] | [b'>', ..] => (SyntaxErrorKind::Path, AddressFault::NoAt),
        [b' ' | b'\t' | b'<', ..] if rest.contains('<') => {
            (SyntaxErrorKind::Path, AddressFault::DisplayName)
        }
        [b' ' | b'\t', ..] => (SyntaxErrorKind::Path, AddressFault::Space),
        _ if is_quoted => (SyntaxErrorKind::LocalPart, AddressFault::AfterQuote),
        _ => (SyntaxErrorKind::LocalPart, unquoted_fault(rest)),
    }
}

/// Returns what is wrong with a character that is not in an atom.
#[cold]
fn unquoted_fault(rest: &str) -> AddressFault {
    match rest.chars().next() {
        Some(' ') => AddressFault::Space,
        Some('<') => AddressFault::Brackets,
        Some('\r' | '\n') => AddressFault::LineBreak,
        Some(c) if grammar::is_control_character(c) => AddressFault::QuotedCharacter,
        _ => AddressFault::LocalPartCharacter,
    }
}

/// Parses `Local-part = Dot-string / Quoted-string`                    RFC 5321 section 4.1.2
#[inline]
pub(crate) fn local_part<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, LocalPart<'a>> {
    let (rest, found) = grammar::tolerating_controls(input, tolerance, |input, controls| {
        if input.starts_with('"') {
            return quoted_string_of(input, QTEXT | controls);
        }
        match dot_string_of(input, ATEXT | controls) {
            Ok(found) => Ok(found),
            strict => misplaced_dots(input, ATEXT | controls, tolerance).map_or(strict, Ok),
        }
    })?;
    if found.len() > LOCAL_PART_MINIMUM && !tolerance.of(Lenience::with_long_local_part) {
        return fail(input, SyntaxErrorKind::LocalPartTooLong);
    }
    Ok((rest, LocalPart::from_valid(found)))
}

/// Parses `1*( atext / "." )`, one of them at least not a dot, where that is tolerated.
#[cold]
fn misplaced_dots<'a>(
    input: &'a str,
    atext: Class,
    tolerance: &Tolerance,
) -> Option<(&'a str, &'a str)> {
    let octets = input.as_bytes();
    let mut end = 0;
    while let Some(rest @ [_, ..]) = octets.get(end..) {
        match grammar::span_of(rest, atext) {
            0 if rest.starts_with(b".") => end += 1,
            0 => break,
            atom => end += atom,
        }
    }
    let (found, rest) = cut(input, end);
    let is_name = found.bytes().any(|octet| octet != b'.');
    (is_name && tolerance.of(Lenience::with_dots_in_local_part)).then_some((rest, found))
}

/// Parses `Dot-string`.
///
/// ```text
/// Dot-string = Atom *("."  Atom)                               RFC 5321 section 4.1.2
/// Atom       = 1*atext
/// atext      =/ UTF8-non-ascii                                 RFC 6531 section 3.3
/// ```
#[inline]
pub(crate) fn dot_string(input: &str) -> Parsed<'_, &str> {
    dot_string_of(input, ATEXT)
}

#[inline]
fn dot_string_of(input: &str, atext: Class) -> Parsed<'_, &str> {
    let octets = input.as_bytes();
    let mut start = 0;
    loop {
        let end = grammar::span_from(octets, start, atext);
        if end == start {
            return no_atom(input, end);
        }
        if octets.get(end) != Some(&b'.') {
            let (found, rest) = cut(input, end);
            return Ok((rest, found));
        }
        start = end + 1;
    }
}

/// Fails where an atom was expected: at the start, or after the dot at `end - 1`.
#[cold]
fn no_atom(input: &str, end: usize) -> Parsed<'_, &str> {
    let rest = input.get(end..).unwrap_or_default();
    let fault = match (end, rest.as_bytes()) {
        (0, []) => AddressFault::NoAddress,
        (0, [b'@', ..]) => AddressFault::EmptyLocalPart,
        (_, [] | [b'.' | b'@' | b'>', ..]) => AddressFault::LocalPartDot,
        _ => unquoted_fault(rest),
    };
    fail_with(rest, (SyntaxErrorKind::LocalPart, fault))
}

/// Parses `Quoted-string`.
///
/// ```text
/// Quoted-string   = DQUOTE *QcontentSMTP DQUOTE                RFC 5321 section 4.1.2
/// QcontentSMTP    = qtextSMTP / quoted-pairSMTP
/// quoted-pairSMTP = %d92 %d32-126
/// qtextSMTP       = %d32-33 / %d35-91 / %d93-126
/// qtextSMTP       =/ UTF8-non-ascii                            RFC 6531 section 3.3
/// ```
pub(crate) fn quoted_string(input: &str) -> Parsed<'_, &str> {
    quoted_string_of(input, QTEXT)
}

fn quoted_string_of(input: &str, qtext: Class) -> Parsed<'_, &str> {
    let octets = input.as_bytes();
    let Some(b'"') = octets.first() else { return fail(input, SyntaxErrorKind::LocalPart) };
    let fail = |at, fault| {
        fail_with(input.get(at..).unwrap_or_default(), (SyntaxErrorKind::LocalPart, fault))
    };
    let mut at = 1;
    loop {
        match octets.get(at..).unwrap_or_default() {
            [b'"', ..] => {
                let (found, rest) = cut(input, at + 1);
                return Ok((rest, found));
            }
            [b'\\', b' '..=b'~', ..] => at += 2,
            text if grammar::begins(text, qtext) => at += 1,
            [] | [b'\\'] => return fail(at, AddressFault::OpenQuote),
            [b'\r' | b'\n', ..] | [b'\\', b'\r' | b'\n', ..] => {
                return fail(at, AddressFault::LineBreak);
            }
            _ => return fail(at, AddressFault::QuotedCharacter),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// 5321-2.4-b 5321-4.1.2-j 5321-4.1.2-k 5321-4.1.2-l 5321-4.1.2-m 5321-4.1.2-o 5321-4.1.2-p
    /// 5321-4.1.2-r 6531-3.3-a
    #[test]
    fn local_parts_are_dot_strings_or_quoted_strings() {
        for (form, meaning, shortest) in [
            ("a", "a", "a"),
            ("a.b.c", "a.b.c", "a.b.c"),
            ("SmItH", "SmItH", "SmItH"),
            ("!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~"),
            ("ü.ö", "ü.ö", "ü.ö"),
            (r#""""#, "", r#""""#),
            (r#"".""#, ".", r#"".""#),
            (r#""ab""#, "ab", "ab"),
            (r#""\a\b""#, "ab", "ab"),
            (r#""a..b""#, "a..b", r#""a..b""#),
            (r#""a b""#, "a b", r#""a b""#),
            (r#""a\ b""#, "a b", r#""a b""#),
            (r#""a\"b\\""#, r#"a"b\"#, r#""a\"b\\""#),
            (r#""a@b>c<d""#, "a@b>c<d", r#""a@b>c<d""#),
            (r#""ü x""#, "ü x", r#""ü x""#),
        ] {
            let local_part = LocalPart::parse(form).unwrap();
            assert_eq!(local_part.as_str(), form);
            assert_eq!(local_part.unquoted(), meaning);
            assert_eq!(local_part.to_string(), shortest);
            let made = LocalPart::from_unquoted(meaning).unwrap();
            assert_eq!(made, local_part);
            assert_eq!(made.as_str(), shortest);
        }
        for (form, offset) in [
            ("", 0),
            (".a", 0),
            ("a.", 2),
            ("a..b", 2),
            ("a b", 1),
            (r"a\b", 1),
            ("a\"b\"", 1),
            ("\"a\"b", 3),
            ("\"a\".\"b\"", 3),
            ("\"a", 2),
            ("\"a\\\"", 4),
            ("\"a\tb\"", 2),
            ("\"a\u{1}\"", 2),
            ("\"a\u{7f}\"", 2),
            ("\"a\\\tb\"", 2),
            ("\"a\\ü\"", 2),
            ("ü..ö", 3),
        ] {
            let error = LocalPart::parse(form).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (SyntaxErrorKind::LocalPart, offset),
                "{form:?}"
            );
        }
        assert!(LocalPart::from_unquoted("a\tb").is_err());
        assert!(LocalPart::from_unquoted("a\r\n").is_err());
    }

    /// 5321-4.5.3.1.1-a
    #[test]
    fn a_local_part_may_have_more_than_64_octets_as_written() {
        for (octets, is_strict) in [(64, true), (65, false), (5000, false)] {
            let text = "x".repeat(octets);
            assert!(LocalPart::parse(&text).is_ok());
            assert_eq!(LocalPart::from_unquoted(text.as_str()), LocalPart::parse(&text));
            let strict = LocalPart::parse_with(&text, Lenience::STRICT);
            assert_eq!(strict.is_ok(), is_strict);
            if let Err(error) = strict {
                assert_eq!(error.kind(), SyntaxErrorKind::LocalPartTooLong);
            }
        }
        let quoted = LocalPart::from_unquoted(" ".repeat(63)).unwrap();
        assert_eq!(quoted.as_str().len(), 65);
        assert!(LocalPart::parse_with(quoted.as_str(), Lenience::STRICT).is_err());
    }

    #[test]
    fn misplaced_dots_are_tolerated_where_the_switch_is_on() {
        let lenience = Lenience::STRICT.with_dots_in_local_part();
        for form in ["a..b", "a.", ".a", "...a...", ".ü."] {
            assert!(LocalPart::parse(form).is_err());
            let local_part = LocalPart::parse_with(form, lenience).unwrap();
            // On the wire it stays as it was written: quoted it would be another form, which fewer servers know.
            assert_eq!((local_part.to_string().as_str(), &*local_part.unquoted()), (form, form));
            assert_eq!(local_part, LocalPart::from_unquoted(form).unwrap());
        }
        for form in ["", ".", "...", "a..b c", "a..b\u{1}"] {
            assert!(LocalPart::parse_with(form, lenience).is_err(), "{form:?}");
        }
        let mailbox = Mailbox::parse_with("a..b@c_d.example", Lenience::ALL).unwrap();
        assert!(mailbox.deviations().names().eq(["dots_in_local_part", "underscore_in_domain"]));
    }

    #[test]
    fn an_error_says_what_is_wrong_with_an_address() {
        use SyntaxErrorKind::{Host, LocalPart, Path};
        for (input, kind, reason, offset) in [
            ("", LocalPart, "no address", 0),
            ("ann", Path, "no @ in the address", 3),
            (
                "ann.",
                LocalPart,
                "a dot at the start or the end of the local-part, or two dots in a row",
                4,
            ),
            ("@b.example", LocalPart, "nothing before the @", 0),
            (
                "a..b@c",
                LocalPart,
                "a dot at the start or the end of the local-part, or two dots in a row",
                2,
            ),
            (
                "a.@c",
                LocalPart,
                "a dot at the start or the end of the local-part, or two dots in a row",
                2,
            ),
            (
                ".a@c",
                LocalPart,
                "a dot at the start or the end of the local-part, or two dots in a row",
                0,
            ),
            ("a(b@c", LocalPart, "a character that a local-part holds only in quotes", 1),
            ("a,b@c", LocalPart, "a character that a local-part holds only in quotes", 1),
            ("a\u{7}b@c", LocalPart, "a character that no local-part holds", 1),
            ("\"a@c", LocalPart, "a quoted local-part without its closing quote", 4),
            ("\"a\tb\"@c", LocalPart, "a character that no local-part holds", 2),
            ("\"a\"b@c", LocalPart, "text after the closing quote of the local-part", 3),
            ("\"Ann B\" <a@c>", Path, "a display name is not part of an address", 7),
            ("Ann B <a@c>", Path, "a display name is not part of an address", 3),
            ("Ann<a@c>", Path, "a display name is not part of an address", 3),
            ("<a@c>", LocalPart, "angle brackets where an address stands alone", 0),
            ("a@c>", Path, "angle brackets where an address stands alone", 3),
            (" a@c", LocalPart, "a space in the address", 0),
            ("a b@c", Path, "a space in the address", 1),
            ("a@c ", Path, "a space in the address", 3),
            ("a@ c", Host, "a space in the address", 2),
            ("a@", Host, "nothing after the @", 2),
            ("a@b@c", Path, "a second @", 3),
            ("a@@c", Host, "a second @", 2),
            ("a@b,c@d", Path, "more than one address", 3),
            ("a@b; c@d", Path, "more than one address", 3),
            ("a@b_c.d", Host, "an underscore in the domain name", 3),
            ("a@_c.d", Host, "an underscore in the domain name", 2),
            ("a@b._c", Host, "an underscore in the domain name", 4),
            ("a@b.", Host, "a dot after the domain name", 3),
            ("a@b..c", Host, "two dots in a row, or a dot at the start, in the domain name", 3),
            ("a@.c", Host, "two dots in a row, or a dot at the start, in the domain name", 2),
            ("a@-b.c", Host, "a label of the domain name begins or ends with a hyphen", 2),
            ("a@b.c-", Host, "a label of the domain name begins or ends with a hyphen", 4),
            ("a@b!c", Host, "not a domain name", 3),
            ("a@[b]", Host, "not an address literal", 2),
            ("a@[192.0.2.1", Host, "not an address literal", 2),
            ("a@[192.0.2.1].c", Host, "not an address literal", 13),
            ("a@[::1]", Host, "an IPv6 address literal without its tag: [IPv6:...]", 2),
            ("a@[x400:b]", Host, "not an address literal", 2),
        ] {
            let error = Mailbox::parse(input).unwrap_err();
            assert_eq!(
                (error.kind(), error.reason(), error.offset()),
                (kind, reason, offset),
                "{input:?}"
            );
            assert_eq!(error.to_string(), alloc::format!("{reason}, at octet {offset}"));
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_with_a_local_part() {
        for (input, reason) in [
            ("", "no address"),
            ("a b", "a space in the address"),
            ("a(b", "a character that a local-part holds only in quotes"),
            ("a>b", "a character that a local-part holds only in quotes"),
            ("ann@example.org", "a character that a local-part holds only in quotes"),
            ("\"a\"b", "text after the closing quote of the local-part"),
            ("Ann <ann", "a display name is not part of an address"),
        ] {
            let error = LocalPart::parse(input).unwrap_err();
            assert_eq!((error.kind(), error.reason()), (SyntaxErrorKind::LocalPart, reason));
        }
    }

    /// 5321-2.4-c 5321-4.1.2-n
    #[test]
    fn mailboxes_are_equal_by_meaning() {
        let parse = |text| Mailbox::parse(text).unwrap();
        assert_eq!(parse(r#""a\b"@C.example"#), parse("ab@c.EXAMPLE"));
        assert_ne!(parse("A@c.example"), parse("a@c.example"));
        assert_ne!(parse("ü@c.example"), parse("u@c.example"));
        assert!(!parse("ü@c.example").is_ascii() && !parse("u@ç.example").is_ascii());
        assert!(parse("u@[IPv6:::1]").is_ascii());
    }
}
