//! The name of a client in EHLO, HELO and LHLO.

use alloc::borrow::Cow;
use alloc::string::ToString as _;
use core::fmt;

use super::error::AddressFault;
use super::grammar::{Tolerance, fail, is_all, is_control_character, whole};
use super::host::hello_host;
use super::text_value::text_value;
use super::{Domain, Host, Lenience, SyntaxError, SyntaxErrorKind};

/// The argument of EHLO, HELO or LHLO: a host (RFC 5321 section 4.1.1.1), or any other text that a client sends in its place
/// ([`Lenience::has_text_as_host`](super::Lenience::has_text_as_host)).
///
/// ```
/// use esmtp::syntax::{Command, HelloName, Lenience};
///
/// let parsed = Command::parse_with(b"EHLO M\xDCLLER-PC", Lenience::default())?;
/// let Command::Ehlo(name) = parsed.command() else { unreachable!() };
/// assert_eq!((name.host(), &*name.text()), (None, "M\u{FFFD}LLER-PC"));
/// assert!(parsed.used().has_text_as_host());
///
/// let name = HelloName::new("client.example.net")?;
/// assert!(name.host().is_some() && name.text() == "client.example.net");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HelloName<'a>(Name<'a>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name<'a> {
    Host(Host<'a>),
    /// Text that is not a host; without control characters, and not blank. Spaces at the front are kept:
    /// without them the text may be a host; those at the end are not.
    Text(Cow<'a, str>),
}

impl<'a> HelloName<'a> {
    /// Keeps a name: a host where it is one, else text.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::MissingArgument`] when it is blank, [`SyntaxErrorKind::Host`] with a control character.
    pub fn new(name: &'a str) -> Result<Self, SyntaxError> {
        Self::parse(name, false, &Tolerance::new(Lenience::default()))
    }

    /// Makes the name of a domain of ASCII.
    pub(super) const fn of_domain(domain: Domain<'a>) -> Self {
        Self(Name::Host(Host::Domain(domain)))
    }

    fn of_text(text: Cow<'a, str>) -> Result<Self, SyntaxError> {
        if let Some((at, _)) = text.char_indices().find(|(_, c)| is_control_character(*c)) {
            return Err(control_at(at));
        }
        // Spaces at the end of a line are not part of its argument (RFC 5321 section 4.1.1).
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches(' ')),
            Cow::Owned(mut text) => {
                text.truncate(text.trim_end_matches(' ').len());
                Cow::Owned(text)
            }
        };
        match text.is_empty() {
            true => Err(SyntaxError::new(SyntaxErrorKind::MissingArgument, 0)),
            false => Ok(Self(Name::Text(text))),
        }
    }

    /// Reads the argument of a hello.
    ///
    /// ```text
    /// ehlo = "EHLO" SP ( Domain / address-literal ) CRLF           RFC 5321 section 4.1.1.1
    /// helo = "HELO" SP Domain CRLF
    /// ```
    ///
    /// The domain is ASCII even where SMTPUTF8 is in use (RFC 6531 section 3.7.1).
    pub(super) fn parse(
        argument: &'a str,
        is_helo: bool,
        tolerance: &Tolerance,
    ) -> Result<Self, SyntaxError> {
        let used = tolerance.used();
        let host = whole(argument, SyntaxErrorKind::Host, |input| {
            let (rest, host) = hello_host(input, tolerance)?;
            let is_literal = host.domain().is_none();
            if !host.is_ascii()
                || is_helo && is_literal && !tolerance.of(Lenience::with_literal_in_helo)
            {
                return fail(input, SyntaxErrorKind::Host);
            }
            let is_text = rest.starts_with(' ') && is_all(rest, super::grammar::TEXT);
            match is_text && tolerance.of(Lenience::with_text_after_host) {
                true => Ok(("", host)),
                false => Ok((rest, host)),
            }
        });
        host.map(Self::from).or_else(|error| {
            tolerance.rewind(used);
            match tolerance.of(Lenience::with_text_as_host) {
                false => Err(error),
                // Without the spaces at its end it may be a host.
                true => match argument.trim_end_matches(' ') {
                    trimmed if trimmed.len() < argument.len() => {
                        Self::parse(trimmed, is_helo, tolerance)
                    }
                    text => Self::of_text(Cow::Borrowed(text)),
                },
            }
        })
    }

    /// Returns the host, unless the client sent some other text.
    #[must_use]
    pub fn host(&self) -> Option<&Host<'a>> {
        match &self.0 {
            Name::Host(host) => Some(host),
            Name::Text(_) => None,
        }
    }

    /// Returns the name as text: the host, or what the client sent in its place, without spaces at its ends.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Name::Host(Host::Domain(domain)) => Cow::Borrowed(domain.as_str()),
            Name::Host(literal) => Cow::Owned(literal.to_string()),
            Name::Text(text) => Cow::Borrowed(text.trim_matches(' ')),
        }
    }

    /// Returns a name that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> HelloName<'_> {
        HelloName(match &self.0 {
            Name::Host(host) => Name::Host(host.as_borrowed()),
            Name::Text(text) => Name::Text(Cow::Borrowed(text)),
        })
    }

    /// Returns the name with its own memory.
    #[must_use]
    pub fn into_owned(self) -> HelloName<'static> {
        HelloName(match self.0 {
            Name::Host(host) => Name::Host(host.into_owned()),
            Name::Text(text) => Name::Text(Cow::Owned(text.into_owned())),
        })
    }
}

text_value!(read HelloName, HelloName::new);

pub(super) const fn control_at(offset: usize) -> SyntaxError {
    SyntaxError::new(SyntaxErrorKind::Host, offset).with_fault(Some(AddressFault::ControlInName))
}

/// The form on the wire.
impl fmt::Display for HelloName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Host(host) => host.fmt(f),
            Name::Text(text) => f.write_str(text),
        }
    }
}

impl<'a> From<Host<'a>> for HelloName<'a> {
    fn from(host: Host<'a>) -> Self {
        match host.is_ascii() {
            true => Self(Name::Host(host)),
            // No server reads it as a host (RFC 6531 section 3.7.1), and a U-label may hold any control character beyond ASCII.
            false => Self(Name::Text(Cow::Owned(
                host.to_string().replace(is_control_character, "\u{FFFD}"),
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{Command, Lenience, Verb};

    fn parse(line: &[u8], lenience: Lenience) -> Result<(HelloName<'_>, Lenience), SyntaxError> {
        let parsed = Command::parse_with(line, lenience)?;
        let used = parsed.used();
        match parsed.into_parts().0 {
            Command::Ehlo(name) | Command::Helo(name) | Command::Lhlo(name) => Ok((name, used)),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn spaces_at_the_end_are_not_part_of_a_name() {
        for (written, name) in
            [("1 ", "1"), ("mx.example.org  ", "mx.example.org"), ("a'b ", "a'b")]
        {
            assert_eq!(HelloName::new(written), HelloName::new(name));
        }
        assert!(HelloName::new("1 ").unwrap().host().is_some());
        assert!(HelloName::new("  ").is_err());
    }

    #[test]
    fn a_name_that_is_not_utf8_is_read_like_the_text_that_it_becomes() {
        use crate::syntax::{Command, Lenience};
        for lenience in [Lenience::default(), Lenience::ALL] {
            for name in [&b"BURL a\xbeb"[..], b"a\xbe", b" \xbe", b"[x\xbe]", b"mx.example \xbe "] {
                let text = alloc::string::String::from_utf8_lossy(name);
                for verb in ["EHLO ", "HELO ", "LHLO "] {
                    let lossy = [verb.as_bytes(), name].concat();
                    let plain = [verb, &text].concat();
                    assert_eq!(
                        Command::parse(&lossy, lenience).map(Command::into_owned),
                        Command::parse(plain.as_bytes(), lenience).map(Command::into_owned),
                        "{plain}"
                    );
                }
            }
        }
    }

    /// 5321-4.1.1.1-b 6531-3.7.1-a
    #[test]
    fn text_in_the_place_of_a_host_is_kept_and_reported() {
        for (argument, text) in [
            (&b"M\xC3\x9CLLER-PC"[..], "MÜLLER-PC"),
            (b"M\xDCLLER-PC", "M\u{FFFD}LLER-PC"),
            (b"\xE9\xE8 x", "\u{FFFD}\u{FFFD} x"),
            (b"b\xC3\xBCcher.example", "bücher.example"),
            (b"john's-mac", "john's-mac"),
            (b" client.example", "client.example"),
            (b"  M\xDCLLER-PC", "M\u{FFFD}LLER-PC"),
            (b"[2001:db8::19]", "[2001:db8::19]"),
            (b"[::1]", "[::1]"),
            (b"[IPv6:1:2:3:4:5:6:7::]", "[IPv6:1:2:3:4:5:6:7::]"),
            (b"[x400:a]", "[x400:a]"),
            (b"[192.0.2.1", "[192.0.2.1"),
            (b"[]", "[]"),
            (b"client.example.", "client.example."),
            (b"client..example", "client..example"),
            (b"-client", "-client"),
            (b"client.example and more", "client.example and more"),
            (b"my_host.local and more", "my_host.local and more"),
            (b"<client>", "<client>"),
            (b"ann@client.example", "ann@client.example"),
            (b"%s(){}$;|\\\"", "%s(){}$;|\\\""),
        ] {
            for verb in ["EHLO ", "HELO ", "LHLO "] {
                let line = [verb.as_bytes(), argument].concat();
                let (name, used) = parse(&line, Lenience::default()).unwrap();
                assert_eq!((name.host(), &*name.text()), (None, text));
                assert_eq!(used.names().collect::<alloc::vec::Vec<_>>(), ["text_as_host"]);
                let without = Lenience::default().without_text_as_host();
                assert!(parse(&line, without).is_err() && parse(&line, Lenience::STRICT).is_err());
                // It is written as it was read.
                let again = [verb, &name.to_string()].concat();
                assert_eq!(parse(again.as_bytes(), Lenience::default()).unwrap().0, name);
                assert_eq!(name.clone().into_owned(), name);
            }
        }
        let long = "x.".repeat(700);
        assert_eq!(HelloName::new(&long).unwrap().text(), long);
    }

    /// 5321-4.1.1.1-b
    #[test]
    fn neither_nothing_nor_a_control_character_is_a_name() {
        for (line, code, offset) in [
            (&b"EHLO"[..], 501, 4),
            (b"EHLO ", 501, 4),
            (b"EHLO    ", 501, 4),
            (b"HELO a\tb", 501, 6),
            (b"EHLO a\x1B[31m", 501, 6),
            (b"EHLO a\x7F", 501, 6),
            (b"EHLO a\xC2\x85", 501, 6),
            (b"EHLO a\xE2\x80\xA8", 501, 6),
            (b"EHLO M\xDCLLER\x08", 501, 11),
            (b"EHLO M\xDC\xC2\x85", 501, 5),
            (b"EHLO M\xDCLLER\r", 500, 11),
            (b"EHLO a\nb", 500, 6),
            (b"EHLO a\0b", 500, 6),
            (b"EHLO\ta", 500, 4),
            (b"EHLO\xDC", 500, 4),
        ] {
            let error = parse(line, Lenience::default()).unwrap_err();
            assert_eq!((error.code().get(), error.offset()), (code, offset), "{line:?}: {error}");
        }
        assert_eq!(parse(b"EHLO M\xDC", Lenience::STRICT).unwrap_err().verb(), Some(Verb::Ehlo));
        assert!(HelloName::new(" ").is_err() && HelloName::new("a\r\nb").is_err());
    }

    #[test]
    fn a_host_stays_a_host() {
        for (argument, text, used) in [
            ("client.example", "client.example", &[][..]),
            ("192.0.2.1", "192.0.2.1", &[]),
            ("[192.0.02.1]", "[192.0.2.1]", &[]),
            ("[IPv6:::1]", "[IPv6:::1]", &[]),
            ("my_host", "my_host", &["underscore_in_host"]),
        ] {
            let line = ["EHLO ", argument].concat();
            let (name, met) = parse(line.as_bytes(), Lenience::default()).unwrap();
            assert!(name.host().is_some(), "{argument}");
            assert_eq!(name.text(), text);
            assert!(met.names().eq(used.iter().copied()), "{argument}");
            assert_eq!(HelloName::new(text), Ok(name));
        }
        let (name, used) = parse(b"HELO [192.0.2.1]", Lenience::default()).unwrap();
        assert!(name.host().is_some() && used.has_literal_in_helo() && !used.has_text_as_host());
        let unicode = Host::parse("b\u{fc}cher.example").unwrap();
        assert_eq!(HelloName::from(unicode).host(), None);
    }
}
