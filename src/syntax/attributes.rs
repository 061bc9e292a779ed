//! What XCLIENT and XFORWARD carry.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use super::grammar::{KEYWORD, cut, span};
use super::{SyntaxError, SyntaxErrorKind, Verb, Xtext};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $xclient:literal, $xforward:literal;)*) => {
        /// The name of an attribute of XCLIENT or XFORWARD.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum AttributeName { $($(#[$doc])* $name,)* }

        impl AttributeName {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Whether it belongs to XCLIENT.
            #[must_use]
            pub const fn is_xclient(self) -> bool {
                match self { $(Self::$name => $xclient,)* }
            }

            /// Whether it belongs to XFORWARD.
            #[must_use]
            pub const fn is_xforward(self) -> bool {
                match self { $(Self::$name => $xforward,)* }
            }
        }
    };
}

names! {
    /// The client's name in the DNS.
    Name = "NAME", true, true;
    /// The client's address.
    Addr = "ADDR", true, true;
    /// The client's port.
    Port = "PORT", true, true;
    /// SMTP or ESMTP.
    Proto = "PROTO", true, true;
    /// What the client said in HELO or EHLO.
    Helo = "HELO", true, true;
    /// Who authenticated.
    Login = "LOGIN", true, false;
    /// The address that the client connected to.
    DestAddr = "DESTADDR", true, false;
    /// The port that the client connected to.
    DestPort = "DESTPORT", true, false;
    /// An identifier of the message, for logs.
    Ident = "IDENT", false, true;
    /// LOCAL or REMOTE.
    Source = "SOURCE", false, true;
}

impl AttributeName {
    /// The attribute with this name, in any case.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str().eq_ignore_ascii_case(word))
    }

    const fn belongs_to(self, verb: Verb) -> bool {
        match verb {
            Verb::Xforward => self.is_xforward(),
            _ => self.is_xclient(),
        }
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttributeValue<'a> {
    /// `[UNAVAILABLE]`: there is none.
    Unavailable,
    /// `[TEMPUNAVAIL]`: there is none now.
    TemporarilyUnavailable,
    /// What it is, decoded.
    Text(Cow<'a, str>),
}

const UNAVAILABLE: &str = "[UNAVAILABLE]";
const TEMPORARILY_UNAVAILABLE: &str = "[TEMPUNAVAIL]";
/// Octets of a value of XFORWARD.
const XFORWARD_LIMIT: usize = 255;

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

    /// The text as an address: IPv6 has `IPV6:` in front.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let text = self.text()?;
        match text.split_at_checked(5) {
            Some((tag, address)) if tag.eq_ignore_ascii_case("IPV6:") => {
                address.parse().ok().map(IpAddr::V6)
            }
            _ => text.parse().ok().map(IpAddr::V4),
        }
    }

    /// The text, if there is any.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Unavailable | Self::TemporarilyUnavailable => None,
        }
    }
}

macro_rules! attributes {
    ($(#[$doc:meta])* $type:ident, $verb:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $type<'a>(Cow<'a, str>);

        impl<'a> $type<'a> {
            /// One attribute; more come by [`and`](Self::and).
            ///
            /// # Errors
            ///
            /// [`SyntaxErrorKind::Attribute`] for a name that the command does not have, or a value that it does not take.
            pub fn new(name: AttributeName, value: &AttributeValue<'_>) -> Result<$type<'static>, SyntaxError> {
                with(String::new(), name, value, $verb).map(|list| $type(Cow::Owned(list)))
            }

            /// The same with a further attribute.
            ///
            /// # Errors
            ///
            /// As for [`new`](Self::new).
            pub fn and(
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

            /// As they stand in a command.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// One after the other.
            pub fn iter(&self) -> impl Iterator<Item = (AttributeName, AttributeValue<'_>)> {
                attributes_of(&self.0)
            }

            /// The value of this attribute; the last one counts.
            #[must_use]
            pub fn get(&self, name: AttributeName) -> Option<AttributeValue<'_>> {
                self.iter().filter(|(found, _)| *found == name).last().map(|(_, value)| value)
            }

            /// The value of an attribute as an address: IPv6 has `IPV6:` in front.
            #[must_use]
            pub fn address(&self, name: AttributeName) -> Option<IpAddr> {
                self.get(name)?.address()
            }

            /// The same with its own memory.
            #[must_use]
            pub fn into_owned(self) -> $type<'static> {
                $type(Cow::Owned(self.0.into_owned()))
            }
        }

        /// The same attributes with the same values, in the same order.
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

        /// As they stand in a command.
        impl fmt::Display for $type<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

attributes! {
    /// What XCLIENT carries: names with values in xtext, at least one (Postfix, XCLIENT_README).
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
    /// What XFORWARD carries: names with values in xtext, at least one (Postfix, XFORWARD_README).
    ///
    /// Values have at most 255 octets, and hold neither white space nor anything outside ASCII.
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

/// A name that belongs to the command, with a value that it takes.
fn attribute(word: &str, verb: Verb) -> Option<()> {
    let (name, value) = cut(word, span(word, KEYWORD));
    let value = value.strip_prefix('=')?;
    AttributeName::from_word(name).filter(|name| name.belongs_to(verb))?;
    let value = Xtext::parse(value).ok().filter(|value| !value.as_str().is_empty())?;
    let is_fine = match verb {
        // "Values are at most 255 characters, and hold no control, no space and nothing outside ASCII."
        Verb::Xforward => {
            value.as_str().len() <= XFORWARD_LIMIT
                && value.octets().all(|octet| matches!(octet, b'!'..=b'~'))
        }
        _ => value.decoded_text().is_some_and(|text| !text.chars().any(char::is_control)),
    };
    is_fine.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// XCLIENT-1-b XCLIENT-1-g
    #[test]
    fn attributes_are_names_with_xtext() {
        let list = XclientAttributes::parse(
            "name=a+2Bb ADDR=192.0.2.1 helo=[unavailable] LOGIN=[TempUnavail]",
        );
        let list = list.unwrap();
        assert_eq!(list.get(AttributeName::Name), Some(AttributeValue::Text("a+b".into())));
        assert_eq!(list.get(AttributeName::Helo), Some(AttributeValue::Unavailable));
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
        let long = alloc::format!("NAME={}", "a".repeat(256));
        for input in ["NAME=a+20b", "NAME=+C3+BC", "NAME=+01", "LOGIN=a", &long] {
            assert!(XforwardAttributes::parse(input).is_err(), "{input}");
        }
    }

    #[test]
    fn attributes_are_made_and_cannot_inject() {
        let text = |text: &'static str| AttributeValue::Text(text.into());
        let list = XclientAttributes::new(AttributeName::Name, &text("a b"))
            .and_then(|list| list.and(AttributeName::Helo, &AttributeValue::Unavailable))
            .unwrap();
        assert_eq!(list.as_str(), "NAME=a+20b HELO=[UNAVAILABLE]");
        let looks = text("[unavailable]");
        let list = XclientAttributes::new(AttributeName::Name, &looks).unwrap();
        assert_eq!(list.get(AttributeName::Name), Some(looks));
        assert!(XclientAttributes::new(AttributeName::Name, &text("a\r\nb")).is_err());
        assert!(XclientAttributes::new(AttributeName::Name, &text("")).is_err());
        assert!(XforwardAttributes::new(AttributeName::Ident, &text("a b")).is_err());
    }
}
