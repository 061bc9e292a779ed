//! Domains and address literals.

use alloc::borrow::Cow;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::branch::alt;
use nom::combinator::map;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use super::error::AddressFault;
use super::grammar::{
    self, Class, DCONTENT, Fault, LABEL, Parsed, Tolerance, cut, fail, fail_with, octet, span,
    whole, whole_address, word,
};
use super::text_value::text_value;
use super::window::Window;
use super::{Lenience, SyntaxError, SyntaxErrorKind};

/// Octets of a domain: the DNS holds no longer one (RFC 1035 section 2.3.4, RFC 5321 section 4.5.3.1.2). With U-labels it is
/// measured as with A-labels, so it is not counted here.
const DOMAIN_LIMIT: usize = 255;
/// Octets of a label, RFC 1035 section 2.3.4. A U-label is measured as an A-label, so it is not counted here.
pub(super) const LABEL_LIMIT: usize = 63;

/// A domain: labels of letters, digits and hyphens, or U-labels (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
///
/// Equality and hash are without case, for ASCII letters. One that was read with
/// [`Lenience::has_underscore_in_domain`](super::Lenience::has_underscore_in_domain), or in a client's hello with
/// [`Lenience::has_underscore_in_host`](super::Lenience::has_underscore_in_host), may hold underscores as well, and so may a name in
/// XCLIENT or XFORWARD.
///
/// ```
/// use esmtp::syntax::Domain;
///
/// assert_eq!(Domain::new("Example.ORG")?, Domain::new("example.org")?);
/// assert!(Domain::new("-example.org").is_err());
/// assert!(Domain::new("bücher.example").is_ok_and(|domain| !domain.is_ascii()));
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Domain<'a>(Cow<'a, str>);

impl<'a> Domain<'a> {
    /// Checks and keeps a domain.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Host`] outside the grammar, [`SyntaxErrorKind::DomainTooLong`] above 255 octets, or 63 of a
    /// label.
    #[doc(alias = "parse")]
    pub fn new(domain: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        Self::new_with(domain, Lenience::STRICT)
    }

    /// Checks and keeps a domain, which may hold underscores where
    /// [`underscore_in_domain`](Lenience::has_underscore_in_domain) is on.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn new_with(
        domain: impl Into<Cow<'a, str>>,
        lenience: Lenience,
    ) -> Result<Self, SyntaxError> {
        let text = domain.into();
        let tolerance = Tolerance::new(lenience);
        let found = whole_address(&text, after_domain, |input| labels(input, &tolerance));
        found.map_err(|error| mistake_in(&text, error))?;
        Ok(Self(text))
    }

    pub(crate) const fn from_valid(domain: &'a str) -> Self {
        Self(Cow::Borrowed(domain))
    }

    pub(crate) fn into_text(self) -> Cow<'a, str> {
        self.0
    }

    /// Returns whether the value holds no U-label.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Iterates over the labels, from left to right.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// Returns the domain with A-labels, for the DNS and for servers without SMTPUTF8 (RFC 6531 section 3.2).
    ///
    /// ```
    /// use esmtp::syntax::Domain;
    ///
    /// let domain = Domain::new("bücher.example")?;
    /// assert_eq!(domain.to_ascii()?.as_str(), "xn--bcher-kva.example");
    /// assert_eq!(domain.to_ascii()?.to_unicode().as_str(), "bücher.example");
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Host`] when a label is not a U-label, [`SyntaxErrorKind::DomainTooLong`] when the result is
    /// too long.
    #[cfg(feature = "idna")]
    pub fn to_ascii(&self) -> Result<Domain<'static>, SyntaxError> {
        if self.is_ascii() {
            // Nothing to do, and names that IDNA would refuse (`r3---sn.example`) are in use.
            return Ok(self.as_borrowed().into_owned());
        }
        match super::idna::to_ascii(self.as_str()) {
            Some(name) => Domain::new(name.into_owned()),
            None => Err(SyntaxError::new(SyntaxErrorKind::Host, 0)),
        }
    }

    /// Returns the domain with U-labels in place of the A-labels that stand for them; other labels stay as they are.
    #[must_use]
    #[cfg(feature = "idna")]
    pub fn to_unicode(&self) -> Domain<'static> {
        super::idna::to_unicode(self.as_str())
            .and_then(|name| Domain::new(name.into_owned()).ok())
            .unwrap_or_else(|| self.as_borrowed().into_owned())
    }
}

text_value!(Domain, Domain::new);
text_value!(any_case Domain);

/// A domain or an address literal (RFC 5321 sections 2.3.4, 4.1.2, 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host<'a> {
    /// `example.org`
    Domain(Domain<'a>),
    /// `[192.0.2.1]`
    Ipv4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    Ipv6(Ipv6Addr),
    /// `[tag:content]` with another tag, where [`Lenience::has_general_literal`](super::Lenience::has_general_literal) is on: `IPv6`
    /// is the only registered one.
    General(GeneralLiteral<'a>),
}

/// An address literal of another kind than IPv4 and IPv6: `[tag:content]` (RFC 5321 section 4.1.3).
#[derive(Clone, Debug)]
pub struct GeneralLiteral<'a>(Cow<'a, str>);

impl<'a> GeneralLiteral<'a> {
    /// Checks and keeps `tag:content`, without the brackets.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Host`] outside the grammar, or with the tag `IPv6`.
    pub fn new(literal: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let text = literal.into();
        whole(&text, SyntaxErrorKind::Host, general_literal)?;
        Ok(Self(text))
    }

    pub(crate) const fn from_valid(literal: &'a str) -> Self {
        Self(Cow::Borrowed(literal))
    }

    /// Returns the tag: the text before the colon.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(tag, _)| tag)
    }

    /// Returns the content: the text after the colon.
    #[must_use]
    pub fn content(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, content)| content)
    }
}

text_value!(GeneralLiteral, GeneralLiteral::new);

/// Equality is by the tag without case and the content octet for octet.
impl PartialEq for GeneralLiteral<'_> {
    fn eq(&self, other: &GeneralLiteral<'_>) -> bool {
        self.tag().eq_ignore_ascii_case(other.tag()) && self.content() == other.content()
    }
}

impl Eq for GeneralLiteral<'_> {}

impl Hash for GeneralLiteral<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.tag().bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
        self.content().hash(state);
    }
}

impl<'a> Host<'a> {
    /// Reads a domain, or an address literal with its brackets.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Host`] or [`SyntaxErrorKind::DomainTooLong`].
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        Self::parse_with(input, Lenience::default())
    }

    /// Reads a host with these deviations from the grammar ([`underscore_in_domain`](Lenience::has_underscore_in_domain),
    /// [`dot_after_domain`](Lenience::has_dot_after_domain), [`general_literal`](Lenience::has_general_literal),
    /// [`ipv6_single_group`](Lenience::has_ipv6_single_group)).
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), for what is not tolerated.
    pub fn parse_with(input: &'a str, lenience: Lenience) -> Result<Self, SyntaxError> {
        let tolerance = Tolerance::new(lenience);
        let found = whole_address(input, after_domain, |input| host(input, &tolerance));
        found.map_err(|error| mistake_in(input, error))
    }

    /// Reads the host by which a client or a server of one's own calls itself, in EHLO and in the greeting: a domain, or an
    /// address literal with its brackets.
    ///
    /// Unlike [`parse`](Self::parse) it rejects an address without brackets, which is a domain by the grammar and the name
    /// of no host (RFC 5321 sections 2.3.5, 4.1.3): servers reject mail from such clients.
    ///
    /// ```
    /// use esmtp::syntax::Host;
    ///
    /// let error = Host::of_self("192.0.2.1").unwrap_err();
    /// assert_eq!(error.to_string(), "an IPv4 address without its brackets: [192.0.2.1], at octet 0");
    /// assert!(Host::of_self("[192.0.2.1]").is_ok() && Host::of_self("mx.example.org").is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Host`] or [`SyntaxErrorKind::DomainTooLong`]; [`SyntaxErrorKind::NonAscii`] outside ASCII, as these
    /// places take A-labels (RFC 6531 section 3.7.1). [`SyntaxError::reason`] says it in words.
    pub fn of_self(input: &'a str) -> Result<Self, SyntaxError> {
        Self::parse(input)?.into_own()
    }

    /// Checks that a client or a server may call itself so: with the brackets of an address literal, and in ASCII even where
    /// SMTPUTF8 is in use (RFC 6531 section 3.7.1).
    pub(crate) fn into_own(self) -> Result<Self, SyntaxError> {
        self.with_brackets().map_err(|fault| mistake(0, fault))?;
        match self.is_ascii() {
            true => Ok(self),
            false => Err(SyntaxError::new(SyntaxErrorKind::NonAscii, 0)
                .with_fault(Some(AddressFault::NonAsciiHost))),
        }
    }

    /// Checks that the host is not an IPv4 address without its brackets, which the grammar takes for a domain.
    pub(super) fn with_brackets(&self) -> Result<(), AddressFault> {
        let address = self.domain().and_then(|domain| domain.as_str().parse().ok());
        address.map_or(Ok(()), |address| Err(AddressFault::BareIpv4(address)))
    }

    /// Returns whether the host is in the grammar: a domain without underscores, or a literal with a registered tag.
    pub(crate) fn is_strict(&self) -> bool {
        match self {
            Self::Domain(domain) => !domain.as_str().contains('_'),
            Self::Ipv4(_) | Self::Ipv6(_) => true,
            Self::General(_) => false,
        }
    }

    /// Returns whether the value holds no U-label.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Domain(domain) => domain.is_ascii(),
            Self::Ipv4(_) | Self::Ipv6(_) | Self::General(_) => true,
        }
    }

    /// Returns the domain, if it is one.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain<'a>> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Ipv4(_) | Self::Ipv6(_) | Self::General(_) => None,
        }
    }

    /// Returns the host with A-labels; an address literal stays as it is.
    ///
    /// # Errors
    ///
    /// As for [`Domain::to_ascii`].
    #[cfg(feature = "idna")]
    pub fn to_ascii(&self) -> Result<Host<'static>, SyntaxError> {
        match self {
            Self::Domain(domain) => Ok(Host::Domain(domain.to_ascii()?)),
            Self::Ipv4(_) | Self::Ipv6(_) | Self::General(_) => Ok(self.as_borrowed().into_owned()),
        }
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Host<'_> {
        match self {
            Self::Domain(domain) => Host::Domain(domain.as_borrowed()),
            Self::Ipv4(address) => Host::Ipv4(*address),
            Self::Ipv6(address) => Host::Ipv6(*address),
            Self::General(literal) => Host::General(GeneralLiteral(Cow::Borrowed(&literal.0))),
        }
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Host<'static> {
        match self {
            Self::Domain(domain) => Host::Domain(domain.into_owned()),
            Self::Ipv4(address) => Host::Ipv4(address),
            Self::Ipv6(address) => Host::Ipv6(address),
            Self::General(literal) => {
                Host::General(GeneralLiteral(Cow::Owned(literal.0.into_owned())))
            }
        }
    }
}

text_value!(read Host, Host::parse);

/// Wire form: `example.org`, `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => f.write_str(domain.as_str()),
            Self::Ipv4(address) => write!(f, "[{address}]"),
            Self::Ipv6(address) => write!(f, "[IPv6:{address}]"),
            Self::General(literal) => write!(f, "[{}]", literal.as_str()),
        }
    }
}

impl<'a> From<Domain<'a>> for Host<'a> {
    fn from(domain: Domain<'a>) -> Self {
        Self::Domain(domain)
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::Ipv4(address),
            IpAddr::V6(address) => Self::Ipv6(address),
        }
    }
}

/// Parses `( Domain / address-literal )`
#[inline]
pub(crate) fn host<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Host<'a>> {
    if input.starts_with('[') {
        return address_literal(input, tolerance);
    }
    map(|input| domain(input, tolerance), Host::Domain).parse(input)
}

/// Parses the host of a hello, where underscores may be tolerated.
pub(crate) fn hello_host<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Host<'a>> {
    if input.starts_with('[') {
        return address_literal(input, tolerance);
    }
    let is_whole = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    let strict = domain_within(input, LABEL).map(|found| with_dot(found, tolerance));
    match strict.map(|(rest, found)| (rest, Host::Domain(found))) {
        Ok((rest, found)) if is_whole(rest) => Ok((rest, found)),
        // Windows machines have such names; they are harmless in a trace field.
        strict => match label_by_label(input, LABEL | grammar::VERB) {
            Ok((rest, found))
                if is_whole(rest) && tolerance.of(Lenience::with_underscore_in_host) =>
            {
                Ok((rest, Host::Domain(Domain::from_valid(found))))
            }
            _ => strict,
        },
    }
}

/// Parses `Domain`, with a dot after it where that is tolerated.
#[inline]
pub(crate) fn domain<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Domain<'a>> {
    labels(input, tolerance).map(|found| with_dot(found, tolerance))
}

#[inline]
fn with_dot<'a>((rest, found): (&'a str, &'a str), tolerance: &Tolerance) -> (&'a str, Domain<'a>) {
    let rest = match rest.strip_prefix('.') {
        Some(behind) if tolerance.of(Lenience::with_dot_after_domain) => behind,
        _ => rest,
    };
    (rest, Domain::from_valid(found))
}

const fn mistake(at: usize, fault: AddressFault) -> SyntaxError {
    SyntaxError::new(SyntaxErrorKind::Host, at).with_fault(Some(fault))
}

/// Returns the error for text that stands alone and is not a host: that of the parser, which knows only that a mailbox or a
/// path does not go on, or the usual mistake in the settings of a program.
#[cold]
fn mistake_in(text: &str, error: SyntaxError) -> SyntaxError {
    if text.is_empty() {
        return mistake(0, AddressFault::NoHost);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return mistake(0, AddressFault::BareIpv6);
    }
    if let Some(at) = text.find(['\r', '\n']) {
        return mistake(at, AddressFault::LineBreak);
    }
    match text.find(char::is_whitespace) {
        Some(at) => mistake(at, AddressFault::SpaceInHost),
        None => error,
    }
}

/// Returns what is wrong with the text after the host of a mailbox.
#[cold]
pub(crate) fn after_host(rest: &str) -> (SyntaxErrorKind, AddressFault) {
    match rest.as_bytes() {
        [b'@', ..] => (SyntaxErrorKind::Path, AddressFault::SecondAt),
        [b' ' | b'\t', ..] => (SyntaxErrorKind::Path, AddressFault::Space),
        [b',' | b';', ..] => (SyntaxErrorKind::Path, AddressFault::SeveralAddresses),
        [b'<' | b'>', ..] => (SyntaxErrorKind::Path, AddressFault::Brackets),
        _ => after_domain(rest),
    }
}

/// Returns what is wrong with the text after a domain or an address literal.
#[cold]
fn after_domain(rest: &str) -> (SyntaxErrorKind, AddressFault) {
    let fault = match rest.as_bytes() {
        [b'_', ..] => AddressFault::Underscore,
        [b'.'] | [b'.', b'>' | b' ', ..] => AddressFault::TrailingDot,
        [b'.', ..] => AddressFault::EmptyLabel,
        [b'\r' | b'\n', ..] => AddressFault::LineBreak,
        [b':', port @ ..] if port.iter().all(u8::is_ascii_digit) => AddressFault::Port,
        _ => AddressFault::DomainName,
    };
    (SyntaxErrorKind::Host, fault)
}

/// Parses `Domain`, with underscores in it where they are tolerated.
#[inline]
fn labels<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, &'a str> {
    grammar::tolerating_controls(input, tolerance, |input, controls| {
        match domain_within(input, LABEL | controls) {
            Ok((rest, found)) if !rest.starts_with(['_', '.']) => Ok((rest, found)),
            strict => with_underscores(input, controls, tolerance).map_or(strict, Ok),
        }
    })
}

#[cold]
fn with_underscores<'a>(
    input: &'a str,
    controls: Class,
    tolerance: &Tolerance,
) -> Option<(&'a str, &'a str)> {
    let (rest, found) = label_by_label(input, LABEL | grammar::VERB | controls).ok()?;
    let is_tolerated = found.contains('_') && tolerance.of(Lenience::with_underscore_in_domain);
    is_tolerated.then_some((rest, found))
}

/// Reads the name of a host in the DNS: a domain which may hold underscores, and which is not an address (digits and
/// dots alone).
pub(crate) fn dns_name(text: &str) -> Option<Domain<'_>> {
    whole(text, SyntaxErrorKind::Host, |input| label_by_label(input, LABEL | grammar::VERB))
        .ok()?;
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    (!is_number).then_some(Domain::from_valid(text))
}

/// Parses `Domain`.
///
/// ```text
/// Domain     = sub-domain *("." sub-domain)              RFC 5321 section 4.1.2
/// sub-domain = Let-dig [Ldh-str]
/// sub-domain =/ U-label                                  RFC 6531 section 3.3
/// ```
#[inline]
fn domain_within(input: &str, class: Class) -> Parsed<'_, &str> {
    let octets = input.as_bytes();
    if class == LABEL
        && let Some(end) = Window::of(octets, 0).domain_end(0)
        && octets.get(end).is_none_or(u8::is_ascii)
    {
        let (found, rest) = cut(input, end);
        return Ok((rest, found));
    }
    label_by_label(input, class)
}

/// Parses `Domain` by one label after the other: what a window does not settle.
#[inline(never)] // a copy in each caller took 4 kB
fn label_by_label(input: &str, class: Class) -> Parsed<'_, &str> {
    let octets = input.as_bytes();
    let mut start = 0;
    loop {
        let end = grammar::span_from(octets, start, class);
        let label = octets.get(start..end).unwrap_or_default();
        if !is_label(label) {
            return not_a_label(input.get(start..).unwrap_or_default(), label);
        }
        // A dot goes on only in front of a label, so that the dot of `a.` is left to a caller that tolerates it.
        match octets.get(end..) {
            Some([b'.', label @ ..])
                if grammar::begins(label, class) || label.starts_with(b"_") =>
            {
                start = end + 1;
            }
            _ if end > DOMAIN_LIMIT && octets.get(..end).is_some_and(<[u8]>::is_ascii) => {
                return fail(input, SyntaxErrorKind::DomainTooLong);
            }
            _ => {
                let (found, rest) = cut(input, end);
                return Ok((rest, found));
            }
        }
    }
}

/// Returns whether octets of a label are one: without a hyphen at an end, and short enough.
#[inline]
fn is_label(label: &[u8]) -> bool {
    match (label.first(), label.last()) {
        (Some(first), Some(last)) => {
            *first != b'-' && *last != b'-' && (label.len() <= LABEL_LIMIT || !label.is_ascii())
        }
        _ => false,
    }
}

/// Fails where the octets of a label, which `input` begins with, are not a label.
#[cold]
fn not_a_label<'a>(input: &'a str, label: &[u8]) -> Parsed<'a, &'a str> {
    match label {
        [] => no_label(input),
        [b'-', ..] | [.., b'-'] => {
            fail_with(input, (SyntaxErrorKind::Host, AddressFault::LabelHyphen))
        }
        _ => fail(input, SyntaxErrorKind::DomainTooLong),
    }
}

/// Fails where a domain was expected.
#[cold]
fn no_label(input: &str) -> Parsed<'_, &str> {
    let fault = match input.as_bytes() {
        [] | [b'>', ..] => AddressFault::NoDomain,
        [b'@', ..] => AddressFault::SecondAt,
        [b' ' | b'\t', ..] => AddressFault::Space,
        [b'\r' | b'\n', ..] => AddressFault::LineBreak,
        [b'_', ..] => AddressFault::Underscore,
        [b'.', ..] => AddressFault::EmptyLabel,
        _ => AddressFault::DomainName,
    };
    fail_with(input, (SyntaxErrorKind::Host, fault))
}

/// Parses `address-literal`.
///
/// ```text
/// address-literal = "[" ( IPv4-address-literal /         RFC 5321 section 4.1.2
///                         IPv6-address-literal /
///                         General-address-literal ) "]"
/// ```
fn address_literal<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Host<'a>> {
    let found = delimited(
        octet(b'[', SyntaxErrorKind::Host),
        alt((
            map(ipv4, Host::Ipv4),
            map(|input| ipv6_literal(input, tolerance), Host::Ipv6),
            |input| tagged_literal(input, tolerance),
        )),
        octet(b']', SyntaxErrorKind::Host),
    )
    .parse(input);
    let literal = (SyntaxErrorKind::Host, AddressFault::Literal);
    match found {
        // A literal is not a label.
        Ok((rest, _)) if rest.starts_with(['.', '_']) || span(rest, LABEL) > 0 => {
            fail_with(rest, literal)
        }
        Ok(found) => Ok(found),
        Err(_) if is_ipv6_without_tag(input) => {
            fail_with(input, (SyntaxErrorKind::Host, AddressFault::LiteralTag))
        }
        Err(_) => fail_with(input, literal),
    }
}

#[cold]
fn is_ipv6_without_tag(input: &str) -> bool {
    let inside = input.strip_prefix('[').and_then(|inside| inside.split(']').next());
    inside.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok())
}

/// Parses `General-address-literal`, where tags that are not registered are tolerated.
fn tagged_literal<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Host<'a>> {
    let (rest, found) = general_literal(input)?;
    match tolerance.of(Lenience::with_general_literal) {
        true => Ok((rest, Host::General(GeneralLiteral::from_valid(found)))),
        false => fail(input, SyntaxErrorKind::Host),
    }
}

/// Parses `IPv4-address-literal`.
///
/// ```text
/// IPv4-address-literal = Snum 3("."  Snum)               RFC 5321 section 4.1.3
/// Snum                 = 1*3DIGIT                        ; 0 to 255, leading zeros allowed
/// ```
fn ipv4(input: &str) -> Parsed<'_, Ipv4Addr> {
    let dot = || octet(b'.', SyntaxErrorKind::Host);
    let (rest, (a, b, c, d)) =
        (snum, preceded(dot(), snum), preceded(dot(), snum), preceded(dot(), snum)).parse(input)?;
    Ok((rest, Ipv4Addr::new(a, b, c, d)))
}

fn snum(input: &str) -> Parsed<'_, u8> {
    let (mut number, mut digits) = (0, 0);
    for octet in input.bytes().take_while(u8::is_ascii_digit).take(4) {
        number = 10 * number + u16::from(octet - b'0');
        digits += 1;
    }
    match u8::try_from(number) {
        Ok(number) if matches!(digits, 1..=3) => Ok((cut(input, digits).1, number)),
        _ => fail(input, SyntaxErrorKind::Host),
    }
}

/// Parses `IPv6-address-literal = "IPv6:" IPv6-addr`               RFC 5321 section 4.1.3
fn ipv6_literal<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Ipv6Addr> {
    preceded(word(b"ipv6:", SyntaxErrorKind::Host), |input| ipv6(input, tolerance)).parse(input)
}

/// Parses `IPv6-addr`.
///
/// ```text
/// IPv6-addr      = IPv6-full / IPv6-comp / IPv6v4-full / IPv6v4-comp      RFC 5321 section 4.1.3
/// IPv6-hex       = 1*4HEXDIG
/// IPv6-full      = IPv6-hex 7(":" IPv6-hex)
/// IPv6-comp      = [IPv6-hex *5(":" IPv6-hex)] "::" [IPv6-hex *5(":" IPv6-hex)]
/// IPv6v4-full    = IPv6-hex 5(":" IPv6-hex) ":" IPv4-address-literal
/// IPv6v4-comp    = [IPv6-hex *3(":" IPv6-hex)] "::"
///                  [IPv6-hex *3(":" IPv6-hex) ":"] IPv4-address-literal
/// ```
///
/// The `::` stands for two groups or more: "no more than 6 groups in addition to the `::` may be present".
fn ipv6<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Ipv6Addr> {
    let (rest, head) = groups(input)?;
    let Some(behind) = rest.strip_prefix("::") else {
        return match head.count {
            8 => Ok((rest, Ipv6Addr::from(head.groups))),
            _ => fail(input, SyntaxErrorKind::Host),
        };
    };
    if head.has_ipv4 {
        return fail(rest, SyntaxErrorKind::Host);
    }
    let (rest, tail) = groups(behind)?;
    let mut all = head.groups;
    let count = head.count + tail.count;
    let is_fine = count <= 6 || (count == 7 && tolerance.of(Lenience::with_ipv6_single_group));
    if !is_fine {
        return fail(input, SyntaxErrorKind::Host);
    }
    for (to, from) in all.iter_mut().rev().zip(tail.groups.iter().take(tail.count).rev()) {
        *to = *from;
    }
    Ok((rest, Ipv6Addr::from(all)))
}

/// Groups of an IPv6 address; what is not used is zero.
#[derive(Default)]
struct Groups {
    groups: [u16; 8],
    count: usize,
    has_ipv4: bool,
}

impl Groups {
    fn push(&mut self, group: u16) -> Option<()> {
        *self.groups.get_mut(self.count)? = group;
        self.count += 1;
        Some(())
    }
}

/// Parses `[IPv6-hex *(":" IPv6-hex)]`, the last two of which may be an IPv4 address; stops in front of a `::`.
fn groups(input: &str) -> IResult<&str, Groups, Fault> {
    let mut found = Groups::default();
    let mut rest = input;
    loop {
        if let Ok((behind, address)) = ipv4(rest) {
            let [a, b, c, d] = address.octets();
            let pair = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            found.has_ipv4 = true;
            return match pair.into_iter().try_for_each(|group| found.push(group).ok_or(())) {
                Ok(()) => Ok((behind, found)),
                Err(()) => fail(rest, SyntaxErrorKind::Host),
            };
        }
        let len = rest.bytes().take(5).take_while(u8::is_ascii_hexdigit).count();
        let (digits, behind) = cut(rest, len);
        let group = u16::from_str_radix(digits, 16).ok().filter(|_| len <= 4);
        match group.map(|group| found.push(group)) {
            Some(Some(())) => rest = behind,
            Some(None) => return fail(rest, SyntaxErrorKind::Host),
            None if found.count == 0 && len == 0 => return Ok((rest, found)),
            None => return fail(rest, SyntaxErrorKind::Host),
        }
        match rest.as_bytes() {
            [b':', next, ..] if *next != b':' => rest = cut(rest, 1).1,
            _ => return Ok((rest, found)),
        }
    }
}

/// Parses `General-address-literal`.
///
/// ```text
/// General-address-literal = Standardized-tag ":" 1*dcontent      RFC 5321 section 4.1.3
/// Standardized-tag        = Ldh-str
/// Ldh-str                 = *( ALPHA / DIGIT / "-" ) Let-dig
/// ```
///
/// A tag that looks like a group of an IPv6 address is refused: this is an address without its tag, whatever else is wrong
/// with it.
fn general_literal(input: &str) -> Parsed<'_, &str> {
    let tag = span(input, grammar::KEYWORD);
    let (name, rest) = cut(input, tag);
    let is_group = name.len() <= 4 && name.bytes().all(|octet| octet.is_ascii_hexdigit());
    let is_tag = !is_group && !name.ends_with('-') && !name.eq_ignore_ascii_case("IPv6");
    let content = rest.strip_prefix(':').map_or(0, |content| span(content, DCONTENT));
    if !is_tag || content == 0 {
        return fail(input, SyntaxErrorKind::Host);
    }
    let (found, rest) = cut(input, tag + 1 + content);
    Ok((rest, found))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::syntax::Lenience;

    /// 5321-4.1.2-f 5321-4.1.2-g 6531-3.3-c
    #[test]
    fn a_domain_is_labels_of_letters_digits_and_hyphens() {
        for domain in [
            "a",
            "a.b",
            "a-b.c",
            "a--b.c",
            "1.example",
            "123",
            "xn--bcher-kva.example",
            "bücher.example",
            "例え.jp",
        ] {
            assert_eq!(Domain::new(domain).unwrap().as_str(), domain);
        }
        for (domain, offset) in [
            ("", 0),
            (".a", 0),
            ("a.", 1),
            ("a..b", 1),
            ("-a.c", 0),
            ("a-.c", 0),
            ("b.-a", 2),
            ("a_b.c", 1),
            ("a b", 1),
            ("a@b", 1),
            ("a\u{7f}b", 1),
            ("\"b\".c", 0),
        ] {
            let error = Domain::new(domain).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (SyntaxErrorKind::Host, offset),
                "{domain:?}"
            );
        }
    }

    /// 5321-4.5.3.1.2-a
    #[test]
    fn a_domain_has_at_most_255_octets_and_a_label_63() {
        let label = "x".repeat(63);
        assert!(Domain::new(label.as_str()).is_ok());
        let error = Domain::new("x".repeat(64)).unwrap_err();
        assert_eq!(error.kind(), SyntaxErrorKind::DomainTooLong);
        let domain = [label.as_str(); 4].join(".");
        assert_eq!(domain.len(), 255);
        assert!(Domain::new(domain.as_str()).is_ok());
        let error = Domain::new(alloc::format!("{domain}.y")).unwrap_err();
        assert_eq!(error.kind(), SyntaxErrorKind::DomainTooLong);
        // Of 340 octets in UTF-8; its A-labels may be shorter.
        assert!(Domain::new([&*"ж".repeat(42); 4].join(".")).is_ok());
    }

    /// 5321-4.1.3-a 5321-4.1.3-b 5321-4.1.3-c 5321-4.1.3-d 5321-4.1.3-e
    #[test]
    fn address_literals_are_read_and_written() {
        for (input, wire) in [
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[192.000.02.001]", "[192.0.2.1]"),
            ("[255.255.255.255]", "[255.255.255.255]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[ipv6:2001:DB8::1]", "[IPv6:2001:db8::1]"),
            ("[IPv6:::]", "[IPv6:::]"),
            ("[IPv6:::1]", "[IPv6:::1]"),
            ("[IPv6:1::]", "[IPv6:1::]"),
            ("[IPv6:1:2:3:4:5:6:7:8]", "[IPv6:1:2:3:4:5:6:7:8]"),
            ("[IPv6:1:2:3:4:5:6::]", "[IPv6:1:2:3:4:5:6::]"),
            ("[IPv6:::3:4:5:6:7:8]", "[IPv6:::3:4:5:6:7:8]"),
            ("[IPv6:::ffff:192.0.2.1]", "[IPv6:::ffff:192.0.2.1]"),
            ("[IPv6:::192.0.2.1]", "[IPv6:::c000:201]"),
            ("[IPv6:1:2:3:4:5:6:192.0.2.1]", "[IPv6:1:2:3:4:5:6:c000:201]"),
            ("[IPv6:1:2:3:4::192.0.2.1]", "[IPv6:1:2:3:4::c000:201]"),
            ("[IPv6:0001:02:3::]", "[IPv6:1:2:3::]"),
        ] {
            let host = Host::parse(input).unwrap();
            assert_eq!(host.to_string(), wire, "{input}");
            assert_eq!(Host::parse(wire).unwrap(), host);
        }
        for input in [
            "[]",
            "[",
            "]",
            "[192.0.2.1",
            "[192.0.2]",
            "[192.0.2.1.5]",
            "[256.0.2.1]",
            "[192.0.2.-1]",
            "[192.0.2.0001]",
            "[ 192.0.2.1]",
            "[192.0.2.1 ]",
            "[::1]",
            "[2001:db8::1]",
            "[1:2:3:4:5:6:7:8]",
            "[fe80:0:0:0:0:0:192.0.2.1]",
            "[IPv6:]",
            "[IPv6::1]",
            "[IPv6:12345::]",
            "[IPv6:g::1]",
            "[IPv6:1::2::3]",
            "[IPv6:1:::2]",
            "[IPv6:1:2:3:4:5:6:7]",
            "[IPv6:1:2:3:4:5:6:7:8:9]",
            "[IPv6:1:2:3:4:5:6:7::]",
            "[IPv6:::2:3:4:5:6:7:8]",
            "[IPv6:1:2:3:4:5:6:7:192.0.2.1]",
            "[IPv6:1:2:3:4:5::192.0.2.1]",
            "[IPv6:192.0.2.1::]",
            "[IPv6:192.0.2.1:1:2:3:4:5:6]",
            "[IPv6:::ffff:192.0.2.256]",
            "[IPv6:::1%eth0]",
            "[IPv6:2001:db8::1:]",
            "[x400:a/b]",
            "[1:2]",
            "[db8:x::1]",
            "[2001:db8:::1]",
            "[1:2:3:4:5:6:7:8:9]",
            "[fe80::1%25eth0]",
            "[tag:]",
            "[tag:a[b]",
            "[tag:a b]",
            "[tag-:a]",
            "[:a]",
            "[tag]",
            "[192.0.2.1].example",
            "[192.0.2.1]5",
        ] {
            assert_eq!(Host::parse(input).unwrap_err().kind(), SyntaxErrorKind::Host, "{input}");
        }
    }

    /// 5321-4.1.3-a
    #[test]
    fn an_address_without_brackets_is_not_the_name_of_a_host_of_ones_own() {
        for (input, message) in [
            ("192.0.2.1", "an IPv4 address without its brackets: [192.0.2.1], at octet 0"),
            ("10.0.0.5", "an IPv4 address without its brackets: [10.0.0.5], at octet 0"),
            (
                "2001:db8::1",
                "an IPv6 address without its brackets and its tag: [IPv6:...], at octet 0",
            ),
            ("ann@example.org", "not a domain name, at octet 3"),
        ] {
            let error = Host::of_self(input).unwrap_err();
            assert_eq!((error.kind(), &*error.to_string()), (SyntaxErrorKind::Host, message));
        }
        for input in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "192.example", "1.2.3", "localhost"] {
            assert_eq!(Host::of_self(input), Host::parse(input), "{input}");
        }
    }

    /// 5321-4.1.3-e
    #[test]
    fn other_tags_than_ipv6_are_read_where_they_are_tolerated() {
        let lenience = Lenience::STRICT.with_general_literal();
        for literal in ["[x400:a/b]", "[A-1:!]", "[tag:a:b]", "[IPv66:::1]", "[abcde:1]"] {
            assert!(Host::parse(literal).is_err());
            let host = Host::parse_with(literal, lenience).unwrap();
            assert!(matches!(host, Host::General(_)) && !host.is_strict());
            assert_eq!(host.to_string(), literal);
        }
        for literal in [
            // An IPv6 address without its tag, whatever else is wrong with it.
            "[::1]",
            "[2001:db8::1]",
            "[2001:db8:::1]",
            "[1:2:3:4:5:6:7:8:9]",
            "[fe80::1%25eth0]",
            "[abcd:g]",
            "[IPv6:g::1]",
            "[tag:]",
            "[tag-:a]",
            "[:a]",
        ] {
            assert!(Host::parse_with(literal, lenience).is_err(), "{literal}");
        }
    }

    #[test]
    fn underscores_are_read_where_they_are_tolerated() {
        let lenience = Lenience::STRICT.with_underscore_in_domain();
        for domain in ["a_b.c", "_dmarc.example", "a._b", "a.b_", "ü_b.example", "_"] {
            assert!(Host::parse(domain).is_err() && Domain::new(domain).is_err());
            assert_eq!(Host::parse_with(domain, lenience).unwrap().to_string(), domain);
            assert_eq!(Domain::new_with(domain, lenience).unwrap().as_str(), domain);
        }
        for domain in ["a_b..c", "-a_b", "a_b.", "a_b c", "[a_b:c]"] {
            assert!(Host::parse_with(domain, lenience).is_err(), "{domain}");
        }
    }

    #[test]
    fn hosts_are_equal_by_meaning() {
        for (a, b) in [
            ("EXAMPLE.org", "example.ORG"),
            ("[IPv6:::1]", "[ipv6:0:0:0:0:0:0:0:1]"),
            ("[192.0.2.1]", "[192.0.002.1]"),
        ] {
            assert_eq!(Host::parse(a), Host::parse(b));
        }
        let general = |text| GeneralLiteral::new(text).unwrap();
        assert_eq!(general("Tag:x"), general("tAG:x"));
        assert_ne!(general("tag:x"), general("tag:X"));
        assert_ne!(Host::parse("192.0.2.1"), Host::parse("[192.0.2.1]"));
    }

    #[test]
    fn deviations_are_tolerated_only_when_asked_for_and_reported() {
        let tolerance = Tolerance::new(Lenience::default());
        let (rest, found) = hello_host("my_host.example", &tolerance).unwrap();
        assert_eq!((rest, found.to_string().as_str()), ("", "my_host.example"));
        assert!(tolerance.used().names().eq(["underscore_in_host"]));
        assert_eq!(hello_host("my_host.example", &Tolerance::none()).unwrap().0, "_host.example");
        assert_eq!(hello_host("my_host..example", &tolerance).unwrap().0, "_host..example");
        assert_eq!(hello_host("host._1", &tolerance).unwrap().0, "");

        let tolerance = Tolerance::new(Lenience::ALL);
        assert_eq!(domain("a.example.>", &tolerance).unwrap().0, ">");
        assert!(tolerance.used().has_dot_after_domain());

        let tolerance = Tolerance::new(Lenience::ALL);
        assert!(host("[IPv6:1:2:3:4:5:6:7::]", &tolerance).is_ok());
        assert!(tolerance.used().has_ipv6_single_group());
    }
}
