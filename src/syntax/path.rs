//! Reverse-paths and forward-paths.

use alloc::string::String;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::error::AddressFault;
use super::grammar::{Parsed, Tolerance, fail, fail_with, whole_address};
use super::host::{GeneralLiteral, after_host, domain};
use super::mailbox::mailbox;
use super::text_value::text_value;
use super::window::Window;
use super::{Domain, Host, Lenience, LocalPart, Mailbox, SyntaxError, SyntaxErrorKind, Verb};

/// Octets of a path with its brackets that every implementation takes (RFC 5321 section 4.5.3.1.3).
const PATH_MINIMUM: usize = 256;
const BRACKETS: usize = "<>".len();

/// The path of notifications: a mailbox, or null (RFC 5321 sections 4.1.1.2, 4.5.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // the grammar is closed
pub enum ReversePath<'a> {
    /// `<>`: no notifications are sent.
    Null,
    /// `<ann@example.org>`
    Mailbox(Mailbox<'a>),
}

/// A recipient: a mailbox, or the postmaster of this host (RFC 5321 sections 4.1.1.3, 4.5.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath<'a> {
    /// `<Postmaster>`, in any case: the one recipient without a domain.
    Postmaster,
    /// `<bob@example.net>`
    Mailbox(Mailbox<'a>),
}

impl<'a> ReversePath<'a> {
    /// Writes the wire form without formatting where that is not needed: that is cheap.
    pub(crate) fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Null => out.write_str("<>"),
            Self::Mailbox(mailbox) => bracketed(mailbox, out),
        }
    }

    /// Reads a path with its brackets: `<ann@example.org>`, `<>`. A source route is read and dropped (RFC 5321 appendix C).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Path`], or what is wrong with the mailbox.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        Self::parse_with(input, Lenience::default())
    }

    /// Reads a path with these deviations from the grammar: those of [`Mailbox::parse_with`],
    /// [`long_path`](Lenience::has_long_path) and [`missing_brackets`](Lenience::has_missing_brackets).
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), for what is not tolerated; [`SyntaxErrorKind::PathTooLong`] above 256 octets where that
    /// is not.
    pub fn parse_with(input: &'a str, lenience: Lenience) -> Result<Self, SyntaxError> {
        let tolerance = Tolerance::new(lenience);
        whole_address(input, after_path, |input| reverse_path(input, &tolerance))
    }

    /// Returns the mailbox, if there is one.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Returns whether the path is `<>`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns whether the path can be used without SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// Checks that the path can be used in a transaction without SMTPUTF8 (RFC 6531 section 3.5).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::NonAscii`], which deserves 550 5.6.7.
    pub fn require_ascii(&self) -> Result<(), SyntaxError> {
        require_ascii(self.is_ascii(), Verb::Mail)
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> ReversePath<'_> {
        match self {
            Self::Null => ReversePath::Null,
            Self::Mailbox(mailbox) => ReversePath::Mailbox(mailbox.as_borrowed()),
        }
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> ReversePath<'static> {
        match self {
            Self::Null => ReversePath::Null,
            Self::Mailbox(mailbox) => ReversePath::Mailbox(mailbox.into_owned()),
        }
    }
}

text_value!(read ReversePath, ReversePath::parse);

impl<'a> ForwardPath<'a> {
    /// Writes the wire form, as [`ReversePath::write_to`] does.
    pub(crate) fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Postmaster => write!(out, "<{POSTMASTER}>"),
            Self::Mailbox(mailbox) => bracketed(mailbox, out),
        }
    }

    /// Reads a path with its brackets: `<bob@example.net>`, `<Postmaster>`. A source route is read and dropped (RFC 5321
    /// appendix C).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Path`], or what is wrong with the mailbox.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        Self::parse_with(input, Lenience::default())
    }

    /// Reads a path with these deviations from the grammar: those of [`Mailbox::parse_with`],
    /// [`long_path`](Lenience::has_long_path) and [`missing_brackets`](Lenience::has_missing_brackets).
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), for what is not tolerated; [`SyntaxErrorKind::PathTooLong`] above 256 octets where that
    /// is not.
    pub fn parse_with(input: &'a str, lenience: Lenience) -> Result<Self, SyntaxError> {
        let tolerance = Tolerance::new(lenience);
        whole_address(input, after_path, |input| forward_path(input, &tolerance))
    }

    /// Returns the mailbox, if there is one.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Returns whether it is the postmaster, with or without a domain.
    #[must_use]
    pub fn is_postmaster(&self) -> bool {
        self.mailbox()
            .is_none_or(|mailbox| mailbox.local_part().unquoted().eq_ignore_ascii_case(POSTMASTER))
    }

    /// Returns whether the path can be used without SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// Checks that the path can be used in a transaction without SMTPUTF8 (RFC 6531 section 3.5).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::NonAscii`], which deserves 553 5.6.7.
    pub fn require_ascii(&self) -> Result<(), SyntaxError> {
        require_ascii(self.is_ascii(), Verb::Rcpt)
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> ForwardPath<'_> {
        match self {
            Self::Postmaster => ForwardPath::Postmaster,
            Self::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox.as_borrowed()),
        }
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> ForwardPath<'static> {
        match self {
            Self::Postmaster => ForwardPath::Postmaster,
            Self::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox.into_owned()),
        }
    }
}

text_value!(read ForwardPath, ForwardPath::parse);

const POSTMASTER: &str = "Postmaster";

fn require_ascii(is_ascii: bool, verb: Verb) -> Result<(), SyntaxError> {
    match is_ascii {
        true => Ok(()),
        false => Err(SyntaxError::new(SyntaxErrorKind::NonAscii, 0).on(verb)),
    }
}

/// Wire form with brackets: `<ann@example.org>`, `<>`.
impl fmt::Display for ReversePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

fn bracketed(mailbox: &Mailbox<'_>, out: &mut impl fmt::Write) -> fmt::Result {
    out.write_str("<")?;
    mailbox.write_to(out)?;
    out.write_str(">")
}

/// Wire form with brackets: `<bob@example.net>`, `<Postmaster>`.
impl fmt::Display for ForwardPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl<'a> From<Mailbox<'a>> for ReversePath<'a> {
    fn from(mailbox: Mailbox<'a>) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl<'a> From<Mailbox<'a>> for ForwardPath<'a> {
    fn from(mailbox: Mailbox<'a>) -> Self {
        Self::Mailbox(mailbox)
    }
}

/// Parses `Reverse-path = Path / "<>"`                                 RFC 5321 section 4.1.2
#[inline]
pub(crate) fn reverse_path<'a>(
    input: &'a str,
    tolerance: &Tolerance,
) -> Parsed<'a, ReversePath<'a>> {
    if let Some(rest) = input.strip_prefix("<>") {
        return Ok((rest, ReversePath::Null));
    }
    let (rest, mailbox) = path(input, tolerance)?;
    Ok((rest, ReversePath::Mailbox(mailbox)))
}

/// Parses `Forward-path`.
///
/// ```text
/// Forward-path = Path                                          RFC 5321 section 4.1.2
/// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path )      section 4.1.1.3
/// ```
#[inline]
pub(crate) fn forward_path<'a>(
    input: &'a str,
    tolerance: &Tolerance,
) -> Parsed<'a, ForwardPath<'a>> {
    match path(input, tolerance) {
        Ok((rest, mailbox)) => Ok((rest, ForwardPath::Mailbox(mailbox))),
        Err(error) => match postmaster(input, tolerance) {
            Some(rest) => Ok((rest, ForwardPath::Postmaster)),
            None => Err(error),
        },
    }
}

fn postmaster<'a>(input: &'a str, tolerance: &Tolerance) -> Option<&'a str> {
    let name = input.strip_prefix('<').unwrap_or(input);
    let (found, rest) = name.split_at_checked(POSTMASTER.len())?;
    if !found.eq_ignore_ascii_case(POSTMASTER) {
        return None;
    }
    match input.starts_with('<') {
        true => rest.strip_prefix('>'),
        false => {
            let is_end = rest.is_empty() || rest.starts_with(' ');
            (is_end && tolerance.of(Lenience::with_missing_brackets)).then_some(rest)
        }
    }
}

/// The places of a mailbox in a line: of its first octet, of its `@`, and of the bracket after it.
pub(super) struct PlainPath {
    start: usize,
    at: usize,
    pub(super) end: usize,
}

impl PlainPath {
    /// Finds the commonest mailbox: a dot-string and a domain of ASCII before a closing bracket, short enough that no label is too
    /// long and nothing has to be tolerated. For any other, valid or not, it returns `None`.
    #[inline]
    pub(super) fn find(line: &[u8], start: usize) -> Option<Self> {
        let window = Window::of(line, start);
        let at = window.dot_string_end(start)?;
        if line.get(at) != Some(&b'@') {
            return None;
        }
        let end = match window.domain_end(at + 1) {
            Some(end) => end,
            None => Window::of(line, at + 1).domain_end(at + 1)?,
        };
        (line.get(end) == Some(&b'>')).then_some(Self { start, at, end })
    }

    /// Returns the mailbox, and the text after its bracket; `text` is that of the line from `from` on.
    #[inline]
    pub(super) fn mailbox<'a>(&self, text: &'a str, from: usize) -> Option<(Mailbox<'a>, &'a str)> {
        let (_, rest) = text.split_at_checked(self.start - from)?;
        let (local_part, rest) = rest.split_at_checked(self.at - self.start)?;
        let (_, rest) = rest.split_at_checked("@".len())?;
        let (domain, rest) = rest.split_at_checked(self.end - self.at - "@".len())?;
        let (_, rest) = rest.split_at_checked(">".len())?;
        let host = Host::Domain(Domain::from_valid(domain));
        Some((Mailbox::new(LocalPart::from_valid(local_part), host), rest))
    }
}

/// Parses `Path`.
///
/// ```text
/// Path = "<" [ A-d-l ":" ] Mailbox ">"                         RFC 5321 section 4.1.2
/// ```
fn path<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Mailbox<'a>> {
    let (rest, found, missing) = match input.as_bytes() {
        [b'<', b'>', ..] => {
            let rest = input.get(1..).unwrap_or_default();
            return fail_with(rest, (SyntaxErrorKind::LocalPart, AddressFault::NullPath));
        }
        [b'<', ..] => {
            let rest = input.get(1..).unwrap_or_default();
            let rest = source_route(rest, tolerance)?;
            let (rest, mailbox) = mailbox(rest, tolerance)?;
            let Some(rest) = rest.strip_prefix('>') else {
                return fail_with(rest, inside_path(rest));
            };
            (rest, mailbox, 0)
        }
        [_, ..] => match mailbox(input, tolerance) {
            Ok((rest, found)) if tolerance.of(Lenience::with_missing_brackets) => {
                (rest, found, BRACKETS)
            }
            _ => return fail_with(input, (SyntaxErrorKind::Path, without_brackets(input))),
        },
        [] => return fail_with(input, (SyntaxErrorKind::Path, AddressFault::NoAddress)),
    };
    let octets = input.len() - rest.len() + missing;
    if octets > PATH_MINIMUM && !tolerance.of(Lenience::with_long_path) {
        return fail(input, SyntaxErrorKind::PathTooLong);
    }
    Ok((rest, found))
}

/// Returns what is wrong where the closing bracket was expected.
#[cold]
fn inside_path(rest: &str) -> (SyntaxErrorKind, AddressFault) {
    match rest {
        "" => (SyntaxErrorKind::Path, AddressFault::OpenBracket),
        _ => after_host(rest),
    }
}

/// Returns what is wrong with a path that does not begin with a bracket.
#[cold]
fn without_brackets(input: &str) -> AddressFault {
    match input.as_bytes() {
        [b' ' | b'\t', ..] => AddressFault::Space,
        _ if input.contains('<') => AddressFault::DisplayName,
        _ => AddressFault::NoBrackets,
    }
}

/// Returns what is wrong with the text after a path.
#[cold]
pub(crate) fn after_path(rest: &str) -> (SyntaxErrorKind, AddressFault) {
    let fault = match rest.as_bytes() {
        [b',' | b';', ..] => AddressFault::SeveralAddresses,
        _ => AddressFault::TextAfterPath,
    };
    (SyntaxErrorKind::Path, fault)
}

/// Parses `A-d-l`.
///
/// ```text
/// A-d-l     = At-domain *( "," At-domain )                     RFC 5321 section 4.1.2
/// At-domain = "@" Domain
/// ```
///
/// A source route "MUST BE accepted, SHOULD NOT be generated, and SHOULD be ignored": the mailbox follows it and its
/// colon.
fn source_route<'a>(
    input: &'a str,
    tolerance: &Tolerance,
) -> Result<&'a str, nom::Err<super::grammar::Fault>> {
    let route = (SyntaxErrorKind::Path, AddressFault::Route);
    let mut rest = input;
    while let Some(name) = rest.strip_prefix('@') {
        (rest, _) = domain(name, tolerance)?;
        rest = match rest.as_bytes() {
            [b':', ..] => return Ok(rest.get(1..).unwrap_or_default()),
            [b',', b'@', ..] => rest.get(1..).unwrap_or_default(),
            [b'>', ..] => {
                let nothing = (SyntaxErrorKind::LocalPart, AddressFault::EmptyLocalPart);
                return fail_with(input, nothing).map(|(rest, ())| rest);
            }
            _ => return fail_with(rest, route).map(|(rest, ())| rest),
        };
    }
    Ok(rest)
}

/// The offsets of a path in a string that holds the text of many paths.
///
/// A session keeps the text of its paths in one string, and lends them as borrowed values without parsing them again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathParts {
    start: u32,
    local_part: u32,
    host: HostParts,
}

#[derive(Clone, Copy, Debug)]
enum HostParts {
    /// No mailbox: `<>`, `<Postmaster>`.
    None,
    Domain(u32),
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
    General(u32),
}

impl PathParts {
    /// Appends the text of the path to `arena`.
    pub(crate) fn of_reverse(path: &ReversePath<'_>, arena: &mut String) -> Self {
        Self::of(path.mailbox(), arena)
    }

    /// Appends the text of the path to `arena`.
    pub(crate) fn of_forward(path: &ForwardPath<'_>, arena: &mut String) -> Self {
        Self::of(path.mailbox(), arena)
    }

    fn of(mailbox: Option<&Mailbox<'_>>, arena: &mut String) -> Self {
        // An arena is bounded by the session's limits, far below 4 GiB.
        let octets = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let start = octets(arena);
        let Some(mailbox) = mailbox else {
            return Self { start, local_part: 0, host: HostParts::None };
        };
        let local_part = mailbox.local_part().as_str();
        arena.push_str(local_part);
        let host = match mailbox.host() {
            Host::Domain(domain) => {
                arena.push_str(domain.as_str());
                HostParts::Domain(octets(domain.as_str()))
            }
            Host::Ipv4(address) => HostParts::Ipv4(*address),
            Host::Ipv6(address) => HostParts::Ipv6(*address),
            Host::General(literal) => {
                arena.push_str(literal.as_str());
                HostParts::General(octets(literal.as_str()))
            }
        };
        Self { start, local_part: octets(local_part), host }
    }

    /// Returns the path; `arena` must begin as it did when the path was put into it.
    pub(crate) fn lend_reverse<'a>(&self, arena: &'a str) -> ReversePath<'a> {
        self.lend(arena).map_or(ReversePath::Null, ReversePath::Mailbox)
    }

    /// Returns the path; `arena` must begin as it did when the path was put into it.
    pub(crate) fn lend_forward<'a>(&self, arena: &'a str) -> ForwardPath<'a> {
        self.lend(arena).map_or(ForwardPath::Postmaster, ForwardPath::Mailbox)
    }

    fn lend<'a>(&self, arena: &'a str) -> Option<Mailbox<'a>> {
        let piece = |start: u32, octets: u32| {
            let start = start as usize;
            arena.get(start..start + octets as usize).unwrap_or_default()
        };
        let behind = self.start + self.local_part;
        let host = match self.host {
            HostParts::None => return None,
            HostParts::Domain(octets) => Host::Domain(Domain::from_valid(piece(behind, octets))),
            HostParts::Ipv4(address) => Host::Ipv4(address),
            HostParts::Ipv6(address) => Host::Ipv6(address),
            HostParts::General(octets) => {
                Host::General(GeneralLiteral::from_valid(piece(behind, octets)))
            }
        };
        Some(Mailbox::new(LocalPart::from_valid(piece(self.start, self.local_part)), host))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::syntax::Lenience;

    #[test]
    fn the_short_way_reads_what_the_grammar_reads() {
        let pieces =
            ["<", ">", "@", ".", "a", "-", "_", "x1", "\"", " ", "ü", "\u{85}", "[", "<a@b>"];
        let long = "x".repeat(63);
        let mut read = 0;
        for seed in 0..200_000_u64 {
            let mut number = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8;
            let mut input = String::from(if number & 1 == 0 { "<a" } else { "<" });
            while number > 0 {
                number >>= 1;
                match usize::try_from(number % 23).unwrap() {
                    at @ 0..14 => input.push_str(pieces[at]),
                    14 => input.push_str(&long),
                    15..18 => input.push('@'),
                    _ => input.push_str("b."),
                }
                number /= 23;
            }
            input.push_str("a>");
            if let Some(found) = PlainPath::find(input.as_bytes(), 1) {
                let (mailbox, rest) = found.mailbox(&input, 0).unwrap();
                assert_eq!(path(&input, &Tolerance::none()), Ok((rest, mailbox)), "{input:?}");
                read += 1;
            }
        }
        assert!(read > 100, "{read}");
    }

    /// 5321-4.1.2-a 5321-4.1.2-b 5321-4.1.2-i 5321-4.1.2-j 5321-4.1.2-r 5321-4.1.1.3-a 5321-4.1.1.3-b
    #[test]
    fn paths_are_mailboxes_in_brackets() {
        for (input, wire) in [
            ("<a@b.example>", "<a@b.example>"),
            (r#"<"a>b"@c.example>"#, r#"<"a>b"@c.example>"#),
            (r#"<"a\>b"@c.example>"#, r#"<"a>b"@c.example>"#),
            (r#"<"a@b>c"@x.y>"#, r#"<"a@b>c"@x.y>"#),
            (r#"<@a,@b:"a@b>, c:d"@x.y>"#, r#"<"a@b>, c:d"@x.y>"#),
            ("<@a.example:u@c.example>", "<u@c.example>"),
            ("<@a,@b:c@d>", "<c@d>"),
            ("<a@[192.0.2.1]>", "<a@[192.0.2.1]>"),
            ("<postmaster@b.example>", "<postmaster@b.example>"),
        ] {
            assert_eq!(ReversePath::parse(input).unwrap().to_string(), wire);
            assert_eq!(ForwardPath::parse(input).unwrap().to_string(), wire);
        }
        for input in [
            "",
            "<",
            "<a>",
            "<a@>",
            "<@b.example>",
            "<a@b.example",
            "a@b.example>",
            "a@b.example",
            "< a@b.example>",
            "<a@b.example >",
            "<a@b@c.example>",
            "<.a@b.example>",
            "<a.@b.example>",
            "<a..b@c.example>",
            "<\"a\"%b.example>",
            "<\"a\"b@c.example>",
            "<a@b.example>x",
            "<<a@b.example>>",
            "<@a@b:c@d>",
            "<@a,:c@d>",
            "<@a,@b,:c@d>",
            "<@a,c@d>",
            "<@a.example, @b.example:u@c.example>",
            "<@a.example:>",
            "<@a.example:postmaster>",
            "<@[192.0.2.1]:u@c.example>",
            "<postmaster@>",
            "<postmasters>",
            "<a@b.example.>",
        ] {
            assert!(ReversePath::parse(input).is_err(), "{input:?}");
            assert!(ForwardPath::parse(input).is_err(), "{input:?}");
        }
        assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
        assert!(ForwardPath::parse("<>").is_err());
        for input in ["<Postmaster>", "<postmaster>", "<pOSTmASTER>"] {
            assert_eq!(ForwardPath::parse(input), Ok(ForwardPath::Postmaster));
            assert!(ReversePath::parse(input).is_err());
        }
    }

    /// 5321-4.5.3.1.3-a
    #[test]
    fn a_path_may_have_more_than_256_octets() {
        let domain = alloc::format!("{0}.{0}.{1}", "d".repeat(63), "e".repeat(61));
        let path = alloc::format!("<{}@{domain}>", "x".repeat(64));
        assert_eq!(path.len(), 256);
        assert!(ForwardPath::parse_with(&path, Lenience::STRICT).is_ok());
        for path in [
            alloc::format!("<{}@{domain}e>", "x".repeat(64)),
            alloc::format!("<@{domain}:{}@{domain}>", "x".repeat(64)),
        ] {
            assert!(ForwardPath::parse(&path).is_ok() && ReversePath::parse(&path).is_ok());
            let error = ForwardPath::parse_with(&path, Lenience::STRICT).unwrap_err();
            assert_eq!(error.kind(), SyntaxErrorKind::PathTooLong);
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_with_a_path() {
        for (input, reason, offset) in [
            ("", "no address", 0),
            ("<>", "the null path, which is no recipient", 1),
            ("<", "no address", 1),
            ("<a>", "no @ in the address", 2),
            ("<webmaster>", "no @ in the address", 10),
            ("<@b.example>", "nothing before the @", 1),
            ("<@a,b:c@d>", "not a source route", 3),
            ("a@b.example", "no angle brackets around the address", 0),
            ("Ann <a@b.example>", "a display name is not part of an address", 0),
            ("<a@b.example", "no closing angle bracket after the address", 12),
            ("< a@b.example>", "a space in the address", 1),
            ("<a@b.example >", "a space in the address", 12),
            ("<a@b.example.>", "a dot after the domain name", 12),
            ("<a@b_c.example>", "an underscore in the domain name", 4),
            ("<a@b@c>", "a second @", 4),
            ("<a@b>,<c@d>", "more than one address", 5),
            ("<a@b,c@d>", "more than one address", 4),
            ("<a@b>x", "text after the closing angle bracket", 5),
            ("<a@[2001:db8:::1]>", "not an address literal", 3),
        ] {
            let error = ForwardPath::parse(input).unwrap_err();
            assert_eq!((error.reason(), error.offset()), (reason, offset), "{input:?}");
        }
    }

    #[test]
    fn brackets_may_be_missing_where_that_is_tolerated() {
        let tolerance = Tolerance::new(Lenience::ALL);
        let (rest, found) = forward_path("a@b.example SIZE=1", &tolerance).unwrap();
        assert_eq!((rest, found.to_string().as_str()), (" SIZE=1", "<a@b.example>"));
        assert!(tolerance.used().has_missing_brackets());
        assert_eq!(forward_path("postmaster", &tolerance), Ok(("", ForwardPath::Postmaster)));
        assert!(forward_path("a", &tolerance).is_err());
        assert!(reverse_path("", &tolerance).is_err());
        // They count where they are missing, for the path is passed on with them.
        let brackets_alone = Lenience::STRICT.with_missing_brackets();
        let tolerance = Tolerance::new(brackets_alone);
        let mailbox = |octets: usize| {
            let label = "d".repeat(60);
            let domain = [&*label, &label, &label].join(".");
            alloc::format!("{}@{domain}", "x".repeat(octets - 183))
        };
        let long = |octets: usize| alloc::format!("{}.{}", mailbox(247), "e".repeat(octets - 248));
        assert!(forward_path(&long(254), &tolerance).is_ok());
        assert!(forward_path(&long(255), &tolerance).is_err());
    }

    #[test]
    fn paths_are_lent_from_an_arena_as_they_were() {
        let mut arena = String::from("what was there");
        let inputs = [
            "<\"a b\"@c.example>",
            "<ü@d>",
            "<a@[192.0.2.1]>",
            "<a@[IPv6:::1]>",
            "<a@[x:y]>",
            "<a..b@c_d>",
            "<Postmaster>",
        ];
        let parse = |input| ForwardPath::parse_with(input, Lenience::ADDRESSES).unwrap();
        let parts: alloc::vec::Vec<_> =
            inputs.iter().map(|input| PathParts::of_forward(&parse(input), &mut arena)).collect();
        let null = PathParts::of_reverse(&ReversePath::Null, &mut arena);
        for (input, parts) in inputs.iter().zip(parts) {
            assert_eq!(parts.lend_forward(&arena), parse(input));
        }
        assert_eq!(null.lend_reverse(&arena), ReversePath::Null);
    }
}
