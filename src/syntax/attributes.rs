//! What XCLIENT and XFORWARD carry.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use core::net::IpAddr;
use core::num::NonZeroU16;

use super::grammar::{DIGIT, KEYWORD, VISIBLE, cut, has_control, is_all, span};
use super::host::dns_name;
use super::name_table::NameTable;
use super::text_value::text_value;
use super::{Domain, SyntaxError, SyntaxErrorKind, Verb, Xtext};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $xclient:literal, $xforward:literal;)*) => {
        /// The name of an attribute of XCLIENT or XFORWARD.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum AttributeName { $($(#[$doc])* $name,)* }

        impl AttributeName {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the keyword as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns whether it belongs to XCLIENT.
            #[must_use]
            pub const fn is_xclient(self) -> bool {
                match self { $(Self::$name => $xclient,)* }
            }

            /// Returns whether it belongs to XFORWARD.
            #[must_use]
            pub const fn is_xforward(self) -> bool {
                match self { $(Self::$name => $xforward,)* }
            }
        }

        static NAMES: NameTable<AttributeName, { AttributeName::ALL.len() }> =
            NameTable::new([$(($text, AttributeName::$name)),*]);
    };
}

names! {
    /// The client's name in the DNS: a host name, and not an address.
    Name = "NAME", true, true;
    /// The client's address: IPv4, or IPv6 with or without the tag `IPV6:`.
    Addr = "ADDR", true, true;
    /// The client's port: 1 to 65535.
    Port = "PORT", true, true;
    /// The protocol: SMTP or ESMTP in XCLIENT, any name of up to 64 octets in XFORWARD.
    Proto = "PROTO", true, true;
    /// The argument of the client's HELO or EHLO: text of up to 255 octets.
    Helo = "HELO", true, true;
    /// The authenticated user: any text.
    Login = "LOGIN", true, false;
    /// The address that the client connected to, written as [`Addr`](Self::Addr).
    DestAddr = "DESTADDR", true, false;
    /// The port that the client connected to: 1 to 65535.
    DestPort = "DESTPORT", true, false;
    /// An identifier of the message, for logs.
    Ident = "IDENT", false, true;
    /// The origin of the message: LOCAL or REMOTE.
    Source = "SOURCE", false, true;
}

impl AttributeName {
    /// Returns the attribute of this name, in any case.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        NAMES.find(word.as_bytes())
    }

    const fn belongs_to(self, verb: Verb) -> bool {
        match verb {
            Verb::Xforward => self.is_xforward(),
            _ => self.is_xclient(),
        }
    }
}

/// The value of an attribute.
///
/// The [name](AttributeName) of an attribute says which values it takes; each takes the two that say that it has no value.
/// Addresses, ports and host names are made by `From`.
///
/// ```
/// use esmtp::syntax::{AttributeName, AttributeValue, XclientAttributes};
/// use std::net::IpAddr;
///
/// let address: IpAddr = "2001:db8::1".parse()?;
/// let attributes = XclientAttributes::new(AttributeName::Addr, &address.into())?;
/// assert_eq!(attributes.as_str(), "ADDR=IPV6:2001:db8::1");
/// let wrong = AttributeValue::Text("[192.0.2.1]".into());
/// assert!(XclientAttributes::new(AttributeName::Addr, &wrong).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttributeValue<'a> {
    /// `[UNAVAILABLE]`: the attribute has no value.
    Unavailable,
    /// `[TEMPUNAVAIL]`: the attribute has no value at present.
    TemporarilyUnavailable,
    /// The decoded value.
    Text(Cow<'a, str>),
}

const UNAVAILABLE: &str = "[UNAVAILABLE]";
const TEMPORARILY_UNAVAILABLE: &str = "[TEMPUNAVAIL]";
/// Octets of a value of XFORWARD.
const XFORWARD_LIMIT: usize = 255;
/// Octets of HELO in XCLIENT: what Postfix takes.
const HELO_LIMIT: usize = 255;
/// Octets of PROTO in XFORWARD (XFORWARD_README).
const PROTO_LIMIT: usize = 64;
/// In front of an IPv6 address, in any case.
const IPV6_TAG: &str = "IPV6:";

impl<'a> AttributeValue<'a> {
    fn of(text: &'a str) -> Self {
        if text.eq_ignore_ascii_case(UNAVAILABLE) {
            return Self::Unavailable;
        }
        if text.eq_ignore_ascii_case(TEMPORARILY_UNAVAILABLE) {
            return Self::TemporarilyUnavailable;
        }
        // It was checked when it was read.
        Self::Text(super::xtext::decode_text(text).unwrap_or_default())
    }

    /// Returns a value that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> AttributeValue<'_> {
        match self {
            Self::Unavailable => AttributeValue::Unavailable,
            Self::TemporarilyUnavailable => AttributeValue::TemporarilyUnavailable,
            Self::Text(text) => AttributeValue::Text(Cow::Borrowed(text)),
        }
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> AttributeValue<'static> {
        match self {
            Self::Unavailable => AttributeValue::Unavailable,
            Self::TemporarilyUnavailable => AttributeValue::TemporarilyUnavailable,
            Self::Text(text) => AttributeValue::Text(Cow::Owned(text.into_owned())),
        }
    }

    /// Returns the value as an address: IPv4, or IPv6 with or without `IPV6:` in front.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let text = self.text()?;
        match text.split_at_checked(IPV6_TAG.len()) {
            Some((tag, address)) if tag.eq_ignore_ascii_case(IPV6_TAG) => {
                address.parse().ok().map(IpAddr::V6)
            }
            _ => text.parse().ok(),
        }
    }

    /// Returns the value as a port.
    #[must_use]
    pub fn port(&self) -> Option<NonZeroU16> {
        let text = self.text()?;
        // The standard library accepts a plus in front of a number.
        text.parse().ok().filter(|_| is_all(text, DIGIT))
    }

    /// Returns the value as a host name.
    ///
    /// The name may hold underscores, as names in the DNS do, and is not an address.
    #[must_use]
    pub fn name(&self) -> Option<Domain<'_>> {
        self.text().and_then(dns_name)
    }

    /// Returns the value as text, if the attribute has one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Unavailable | Self::TemporarilyUnavailable => None,
        }
    }
}

/// An address, as ADDR and DESTADDR take it.
impl From<IpAddr> for AttributeValue<'static> {
    fn from(address: IpAddr) -> Self {
        Self::Text(Cow::Owned(match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => alloc::format!("{IPV6_TAG}{address}"),
        }))
    }
}

/// A port, as PORT and DESTPORT take it.
impl From<NonZeroU16> for AttributeValue<'static> {
    fn from(port: NonZeroU16) -> Self {
        Self::Text(Cow::Owned(port.to_string()))
    }
}

/// A host name, as NAME takes it.
impl<'a> From<Domain<'a>> for AttributeValue<'a> {
    fn from(domain: Domain<'a>) -> Self {
        Self::Text(domain.into_text())
    }
}

macro_rules! attributes {
    ($(#[$doc:meta])* $type:ident, $verb:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $type<'a>(Cow<'a, str>);

        impl<'a> $type<'a> {
            /// Makes a list of one attribute; [`with_attribute`](Self::with_attribute) adds more.
            ///
            /// # Errors
            ///
            /// [`SyntaxErrorKind::Attribute`] for a name that the command does not have, or a value that it does not take.
            pub fn new(name: AttributeName, value: &AttributeValue<'_>) -> Result<$type<'static>, SyntaxError> {
                with(String::new(), name, value, $verb).map(|list| $type(Cow::Owned(list)))
            }

            /// Adds an attribute.
            ///
            /// # Errors
            ///
            /// As for [`new`](Self::new).
            pub fn with_attribute(
                self,
                name: AttributeName,
                value: &AttributeValue<'_>,
            ) -> Result<$type<'static>, SyntaxError> {
                with(self.0.into_owned(), name, value, $verb).map(|list| $type(Cow::Owned(list)))
            }

            pub(crate) fn parse(input: &'a str) -> Result<Self, SyntaxError> {
                check(input, $verb)?;
                Ok(Self(Cow::Borrowed(input)))
            }

            /// Iterates over the entries in order.
            pub fn iter(&self) -> impl Iterator<Item = (AttributeName, AttributeValue<'_>)> {
                attributes_of(&self.0)
            }

            /// Returns the value of an attribute; the last one counts.
            #[must_use]
            pub fn get(&self, name: AttributeName) -> Option<AttributeValue<'_>> {
                self.iter().filter(|(found, _)| *found == name).last().map(|(_, value)| value)
            }

            /// Returns the value of an attribute as an address; see [`AttributeValue::address`].
            #[must_use]
            pub fn address(&self, name: AttributeName) -> Option<IpAddr> {
                self.get(name)?.address()
            }
        }

        /// Equality is by attributes and values, in order.
        impl PartialEq for $type<'_> {
            fn eq(&self, other: &$type<'_>) -> bool {
                self.iter().eq(other.iter())
            }
        }

        impl Eq for $type<'_> {}

        impl core::hash::Hash for $type<'_> {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.iter().for_each(|attribute| attribute.hash(state));
            }
        }

        text_value!(methods $type);
        text_value!(shown $type);
        text_value!(read $type, $type::parse);
    };
}

attributes! {
    /// The attributes of XCLIENT: names with values in xtext, at least one (Postfix, XCLIENT_README).
    ///
    /// ```
    /// use esmtp::syntax::{AttributeName, AttributeValue, Command, Lenience};
    ///
    /// let line = b"XCLIENT NAME=spike.example ADDR=IPV6:2001:db8::1 PORT=[UNAVAILABLE]";
    /// let Command::Xclient(attributes) = Command::parse(line, Lenience::STRICT)? else { unreachable!() };
    /// assert_eq!(attributes.get(AttributeName::Name), Some(AttributeValue::Text("spike.example".into())));
    /// assert_eq!(attributes.address(AttributeName::Addr), Some("2001:db8::1".parse().unwrap()));
    /// assert_eq!(attributes.get(AttributeName::Port), Some(AttributeValue::Unavailable));
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    XclientAttributes, Verb::Xclient
}

attributes! {
    /// The attributes of XFORWARD: names with values in xtext, at least one (Postfix, XFORWARD_README).
    ///
    /// Values have at most 255 octets, and hold neither white space nor anything outside ASCII. ADDR must be an address here,
    /// as in XCLIENT; Postfix takes other text as well.
    XforwardAttributes, Verb::Xforward
}

fn with(
    mut list: String,
    name: AttributeName,
    value: &AttributeValue<'_>,
    verb: Verb,
) -> Result<String, SyntaxError> {
    if !list.is_empty() {
        list.push(' ');
    }
    let start = list.len();
    list.push_str(name.as_str());
    list.push('=');
    match value {
        AttributeValue::Unavailable => list.push_str(UNAVAILABLE),
        AttributeValue::TemporarilyUnavailable => list.push_str(TEMPORARILY_UNAVAILABLE),
        AttributeValue::Text(text) => match text.strip_prefix('[') {
            // A text that looks like one of the above is still a text.
            Some(behind) => {
                list.push_str("+5B");
                list.push_str(&super::xtext::encoded(behind.as_bytes()));
            }
            None => list.push_str(&super::xtext::encoded(text.as_bytes())),
        },
    }
    match attribute(list.get(start..).unwrap_or_default(), verb) {
        Some(()) => Ok(list),
        None => Err(SyntaxError::new(SyntaxErrorKind::Attribute, start)),
    }
}

/// Parses `xclient-command`.
///
/// ```text
/// xclient-command = XCLIENT 1*( SP attribute-name"="attribute-value )      XCLIENT_README
/// attribute-value = xtext
/// ```
fn check(input: &str, verb: Verb) -> Result<(), SyntaxError> {
    let mut at = 0;
    for word in input.split(' ') {
        if attribute(word, verb).is_none() {
            return Err(SyntaxError::new(SyntaxErrorKind::Attribute, at));
        }
        at += word.len() + 1;
    }
    Ok(())
}

fn attributes_of(list: &str) -> impl Iterator<Item = (AttributeName, AttributeValue<'_>)> {
    list.split(' ').filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        Some((AttributeName::from_word(name)?, AttributeValue::of(value)))
    })
}

/// Returns whether the name belongs to the command, and the value is one that it takes.
fn attribute(word: &str, verb: Verb) -> Option<()> {
    let (name, value) = cut(word, span(word, KEYWORD));
    let value = value.strip_prefix('=')?;
    let name = AttributeName::from_word(name).filter(|name| name.belongs_to(verb))?;
    let xtext = Xtext::parse(value).ok().filter(|value| !value.as_str().is_empty())?;
    match AttributeValue::of(value) {
        AttributeValue::Unavailable | AttributeValue::TemporarilyUnavailable => Some(()),
        // Octets that are not UTF-8 are no text.
        AttributeValue::Text(text) if text.is_empty() => None,
        text => {
            let is_short = verb != Verb::Xforward || xtext.as_str().len() <= XFORWARD_LIMIT;
            (is_short && takes(verb, name, &text)).then_some(())
        }
    }
}

/// Returns whether an attribute of the command takes this text.
///
/// An address or a port that cannot be parsed must not become an unavailable one: a policy by address would then let
/// the client pass.
fn takes(verb: Verb, name: AttributeName, value: &AttributeValue<'_>) -> bool {
    let Some(text) = value.text() else { return true };
    // "Attribute values ... must not contain control, non-ASCII or space characters" (XFORWARD_README).
    let is_fit = match verb {
        Verb::Xforward => is_all(text, VISIBLE),
        _ => !has_control(text),
    };
    let is_one_of = |words: [&str; 2]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    is_fit
        && match name {
            AttributeName::Name => value.name().is_some(),
            AttributeName::Addr | AttributeName::DestAddr => value.address().is_some(),
            AttributeName::Port | AttributeName::DestPort => value.port().is_some(),
            AttributeName::Proto if verb == Verb::Xforward => text.len() <= PROTO_LIMIT,
            AttributeName::Proto => is_one_of(["SMTP", "ESMTP"]),
            AttributeName::Helo => text.len() <= HELO_LIMIT,
            AttributeName::Source => is_one_of(["LOCAL", "REMOTE"]),
            AttributeName::Login | AttributeName::Ident => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// XCLIENT-1-b XCLIENT-1-g
    #[test]
    fn attributes_are_names_with_xtext() {
        let list = XclientAttributes::parse(
            "name=a.example ADDR=192.0.2.1 helo=[unavailable] LOGIN=[TempUnavail] HELO=a+2Bb",
        );
        let list = list.unwrap();
        assert_eq!(list.get(AttributeName::Name), Some(AttributeValue::Text("a.example".into())));
        assert_eq!(list.get(AttributeName::Helo), Some(AttributeValue::Text("a+b".into())));
        assert!(list.iter().any(|it| it == (AttributeName::Helo, AttributeValue::Unavailable)));
        assert_eq!(list.get(AttributeName::Login), Some(AttributeValue::TemporarilyUnavailable));
        assert_eq!(list.get(AttributeName::Port), None);
        assert_eq!(list.address(AttributeName::Addr), Some([192, 0, 2, 1].into()));
        let six = XclientAttributes::parse("ADDR=ipv6:::1").unwrap();
        assert_eq!(
            six.address(AttributeName::Addr),
            Some(IpAddr::V6(core::net::Ipv6Addr::LOCALHOST))
        );
        for (input, offset) in [
            ("", 0),
            ("NAME", 0),
            ("NAME=", 0),
            ("=a", 0),
            ("NAME=a  PORT=1", 7),
            ("NAME=a ", 7),
            ("NAME=a=b", 0),
            ("NAME=a PORT=+0D+0A", 7),
            ("NAME=+FF", 0),
            ("FOO=a", 0),
            ("IDENT=a", 0),
        ] {
            let error = XclientAttributes::parse(input).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (SyntaxErrorKind::Attribute, offset),
                "{input:?}"
            );
        }
    }

    /// XFORWARD-1-d
    #[test]
    fn xforward_takes_short_visible_ascii() {
        assert!(XforwardAttributes::parse("NAME=spike.example IDENT=3CF6 SOURCE=LOCAL").is_ok());
        let ident = |octets| alloc::format!("IDENT={}", "a".repeat(octets));
        assert!(XforwardAttributes::parse(&ident(255)).is_ok());
        let long = ident(256);
        for input in ["NAME=a+20b", "NAME=+C3+BC", "NAME=+01", "LOGIN=a", &long] {
            assert!(XforwardAttributes::parse(input).is_err(), "{input}");
        }
    }

    #[test]
    fn attributes_are_made_and_cannot_inject() {
        let text = |text: &'static str| AttributeValue::Text(text.into());
        let list = XclientAttributes::new(AttributeName::Helo, &text("a b"))
            .and_then(|list| list.with_attribute(AttributeName::Name, &AttributeValue::Unavailable))
            .unwrap();
        assert_eq!(list.as_str(), "HELO=a+20b NAME=[UNAVAILABLE]");
        let looks = text("[unavailable]");
        let list = XclientAttributes::new(AttributeName::Helo, &looks).unwrap();
        assert_eq!(list.get(AttributeName::Helo), Some(looks.clone()));
        assert!(XclientAttributes::new(AttributeName::Addr, &looks).is_err());
        assert!(XclientAttributes::new(AttributeName::Login, &text("a\r\nb")).is_err());
        assert!(XclientAttributes::new(AttributeName::Login, &text("a\u{9b}b")).is_err());
        assert!(XclientAttributes::new(AttributeName::Login, &text("")).is_err());
        assert!(XforwardAttributes::new(AttributeName::Ident, &text("a b")).is_err());
    }
}
