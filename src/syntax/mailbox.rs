//! Local-parts and mailboxes.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::grammar::{self, ATEXT, Class, Parsed, QTEXT, Tolerance, cut, fail, octet, whole};
use super::host::host;
use super::{Host, SyntaxError, SyntaxErrorKind};

/// Octets of a local-part as it is written, RFC 5321 section 4.5.3.1.1.
const LOCAL_PART_LIMIT: usize = 64;

/// Octets of a mailbox: a path has 256, two of which are its brackets (RFC 5321 section 4.5.3.1.3).
const MAILBOX_LIMIT: usize = 254;

/// What is in front of the `@` of a mailbox: a dot-string or a quoted string (RFC 5321 section 4.1.2).
///
/// It keeps the form in which it was written. Equality and hash are by meaning: unquoted, and octet for octet, because
/// nobody but its host may interpret it (RFC 5321 section 2.4). Encoded, it has the shortest quoting (RFC 5321 section
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
    /// Reads a dot-string or a quoted string.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::LocalPart`] outside the grammar, [`SyntaxErrorKind::LocalPartTooLong`] above 64 octets.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        whole(input, SyntaxErrorKind::LocalPart, |input| local_part(input, &Tolerance::none()))
    }

    /// The shortest form of any text: a dot-string where that is possible, else a quoted string.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::LocalPart`] when there is a control character, which no form can hold,
    /// [`SyntaxErrorKind::LocalPartTooLong`] when the form exceeds 64 octets.
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
        match form.len() {
            0..=LOCAL_PART_LIMIT => Ok(Self(form)),
            _ => Err(SyntaxError::new(SyntaxErrorKind::LocalPartTooLong, LOCAL_PART_LIMIT)),
        }
    }

    pub(crate) const fn from_valid(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// As it was written, quoted or not.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it means: without quotes and backslashes.
    #[must_use]
    pub fn unquoted(&self) -> Cow<'_, str> {
        match self.inside() {
            None => Cow::Borrowed(&self.0),
            Some(inside) if !inside.contains('\\') => Cow::Borrowed(inside),
            Some(_) => Cow::Owned(self.chars().collect()),
        }
    }

    /// Whether it is written as a quoted string.
    #[must_use]
    pub fn is_quoted(&self) -> bool {
        self.0.starts_with('"')
    }

    /// Whether it is all ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// The same, borrowed from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> LocalPart<'_> {
        LocalPart(Cow::Borrowed(&self.0))
    }

    /// The same with its own memory.
    #[must_use]
    pub fn into_owned(self) -> LocalPart<'static> {
        LocalPart(Cow::Owned(self.0.into_owned()))
    }

    /// What is between the quotes, if there are any.
    fn inside(&self) -> Option<&str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }

    /// The characters that it means.
    fn chars(&self) -> impl Iterator<Item = char> + Clone {
        let mut chars = self.inside().unwrap_or(&self.0).chars();
        // Outside quotes there is no backslash.
        core::iter::from_fn(move || match chars.next() {
            Some('\\') => chars.next(),
            next => next,
        })
    }
}

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

/// In the shortest form, whatever form it was written in.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox<'a> {
    local_part: LocalPart<'a>,
    host: Host<'a>,
}

impl<'a> Mailbox<'a> {
    /// Reads a mailbox, without brackets.
    ///
    /// # Errors
    ///
    /// What is wrong with the local-part or the host; [`SyntaxErrorKind::Path`] without an `@`;
    /// [`SyntaxErrorKind::PathTooLong`] above 254 octets, which no path has room for.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        let found =
            whole(input, SyntaxErrorKind::Path, |input| mailbox(input, &Tolerance::none()))?;
        match input.len() {
            0..=MAILBOX_LIMIT => Ok(found),
            _ => Err(SyntaxError::new(SyntaxErrorKind::PathTooLong, MAILBOX_LIMIT)),
        }
    }

    /// A mailbox of its parts.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::PathTooLong`] when both together have more than 254 octets, which no path has room for.
    pub fn new(local_part: LocalPart<'a>, host: Host<'a>) -> Result<Self, SyntaxError> {
        let host_octets = match &host {
            Host::Domain(domain) => domain.as_str().len(),
            Host::General(literal) => literal.as_str().len() + 2,
            // Shorter than what a local-part leaves, in any form.
            Host::Ipv4(_) | Host::Ipv6(_) => 0,
        };
        match local_part.as_str().len() + 1 + host_octets {
            0..=MAILBOX_LIMIT => Ok(Self { local_part, host }),
            _ => Err(SyntaxError::new(SyntaxErrorKind::PathTooLong, MAILBOX_LIMIT)),
        }
    }

    pub(crate) const fn from_valid(local_part: LocalPart<'a>, host: Host<'a>) -> Self {
        Self { local_part, host }
    }

    /// What is in front of the `@`.
    #[must_use]
    pub fn local_part(&self) -> &LocalPart<'a> {
        &self.local_part
    }

    /// What is behind the `@`.
    #[must_use]
    pub fn host(&self) -> &Host<'a> {
        &self.host
    }

    /// Whether it can be used without SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.local_part.is_ascii() && self.host.is_ascii()
    }

    /// The same, borrowed from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Mailbox<'_> {
        Mailbox { local_part: self.local_part.as_borrowed(), host: self.host.as_borrowed() }
    }

    /// The same with its own memory.
    #[must_use]
    pub fn into_owned(self) -> Mailbox<'static> {
        Mailbox { local_part: self.local_part.into_owned(), host: self.host.into_owned() }
    }
}

/// `ann@example.org`, the local-part in its shortest form.
impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.host)
    }
}

impl<'a> TryFrom<&'a str> for Mailbox<'a> {
    type Error = SyntaxError;

    fn try_from(mailbox: &'a str) -> Result<Self, SyntaxError> {
        Self::parse(mailbox)
    }
}

impl core::str::FromStr for Mailbox<'static> {
    type Err = SyntaxError;

    fn from_str(mailbox: &str) -> Result<Self, SyntaxError> {
        Ok(Mailbox::parse(mailbox)?.into_owned())
    }
}

/// `Mailbox = Local-part "@" ( Domain / address-literal )`      RFC 5321 section 4.1.2
#[inline]
pub(crate) fn mailbox<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Mailbox<'a>> {
    let (rest, local_part) = local_part(input, tolerance)?;
    let (rest, ()) = octet(b'@', SyntaxErrorKind::Path)(rest)?;
    let (rest, host) = host(rest, tolerance)?;
    Ok((rest, Mailbox { local_part, host }))
}

/// `Local-part = Dot-string / Quoted-string`                    RFC 5321 section 4.1.2
#[inline]
pub(crate) fn local_part<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, LocalPart<'a>> {
    let (rest, found) =
        grammar::tolerating_controls(input, tolerance, |input, controls| {
            match input.starts_with('"') {
                true => quoted_string_of(input, QTEXT | controls),
                false => dot_string_of(input, ATEXT | controls),
            }
        })?;
    if found.len() > LOCAL_PART_LIMIT {
        return fail(input, SyntaxErrorKind::LocalPartTooLong);
    }
    Ok((rest, LocalPart::from_valid(found)))
}

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
    let mut end = 0;
    loop {
        let atom = octets.get(end..).unwrap_or_default();
        match grammar::span_of(atom, atext) {
            0 => return fail(input.get(end..).unwrap_or_default(), SyntaxErrorKind::LocalPart),
            len => end += len,
        }
        match octets.get(end) {
            Some(b'.') => end += 1,
            _ => break,
        }
    }
    let (found, rest) = cut(input, end);
    Ok((rest, found))
}

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
    let mut at = 1;
    loop {
        match octets.get(at..).unwrap_or_default() {
            [b'"', ..] => {
                let (found, rest) = cut(input, at + 1);
                return Ok((rest, found));
            }
            [b'\\', b' '..=b'~', ..] => at += 2,
            text if grammar::begins(text, qtext) => at += 1,
            _ => return fail(input.get(at..).unwrap_or_default(), SyntaxErrorKind::LocalPart),
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
    fn a_local_part_has_at_most_64_octets_as_written() {
        let longest = "x".repeat(64);
        assert!(LocalPart::parse(&longest).is_ok());
        assert!(LocalPart::from_unquoted(longest.as_str()).is_ok());
        let too_long = "x".repeat(65);
        assert_eq!(
            LocalPart::parse(&too_long).unwrap_err().kind(),
            SyntaxErrorKind::LocalPartTooLong
        );
        let quoted = " ".repeat(63);
        let error = LocalPart::from_unquoted(quoted.as_str()).unwrap_err();
        assert_eq!(error.kind(), SyntaxErrorKind::LocalPartTooLong);
    }

    #[test]
    fn a_mailbox_has_room_in_a_path() {
        let domain = alloc::format!("{0}.{0}.{1}", "d".repeat(63), "e".repeat(61));
        let local_part = LocalPart::parse(&"x".repeat(64)).unwrap().into_owned();
        let new = |domain: &str| {
            Mailbox::new(local_part.clone(), Host::parse(domain).unwrap().into_owned())
        };
        assert_eq!(new(&domain).unwrap().to_string().len(), 254);
        let too_long = alloc::format!("{domain}e");
        assert_eq!(new(&too_long).unwrap_err().kind(), SyntaxErrorKind::PathTooLong);
        let text = alloc::format!("{local_part}@{too_long}");
        assert_eq!(Mailbox::parse(&text).unwrap_err().kind(), SyntaxErrorKind::PathTooLong);
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
