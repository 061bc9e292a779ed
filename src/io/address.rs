//! The address of a server: a host, `host:port`, or a URL.

use crate::{client::TlsPolicy, sasl::Credentials, service::Service};
use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, net::Ipv6Addr};
use std::path::PathBuf;

/// The address of a server, and what a URL says beside it.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) place: Place,
    pub(super) service: Service,
    /// `None` where neither the scheme nor the port decides.
    pub(super) protection: Option<Protection>,
    pub(super) credentials: Option<Credentials>,
}

/// The end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A name or an IP address, without brackets.
    Host { host: String, port: Option<u16> },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// The way in which TLS begins, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// With STARTTLS, or not at all.
    Policy(TlsPolicy),
    /// With the first octet (RFC 8314 section 3).
    Implicit,
}

/// The mistake in the address of a server. It shows no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The address is empty, or its host is.
    #[error("the address of the server has no host")]
    NoHost,
    /// A scheme that is not one of mail.
    #[error(
        "`{}` is not smtp, smtps, submission, submissions, lmtp or lmtp+unix", .0.escape_debug()
    )]
    Scheme(String),
    /// A user or a password outside a URL, or octets before `://` that are not a scheme.
    #[error("a user and a password belong into a URL (submission://user:password@host)")]
    NoUrl,
    /// A port that is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// White space before, in or after the host and its port.
    #[error("white space in the address of the server")]
    Space,
    /// A CR or LF in the host or its port: the end of the line that it was read from.
    #[error("a line break in the address of the server")]
    LineBreak,
    /// A host with a character that no host has.
    #[error("`{}` is not a host", .0.escape_debug())]
    Host(String),
    /// The bracket of an IPv6 address is not closed, or there is no such address inside.
    #[error("`{}` is not an IPv6 address in brackets", .0.escape_debug())]
    Ipv6(String),
    /// A path, query or fragment after the host.
    #[error("the URL of a server ends with its host and port, and has no path, query or fragment")]
    Path,
    /// A URL of a Unix socket without its path.
    #[error("the URL of a Unix socket has no path")]
    NoPath,
    /// Unix sockets do not exist on this system.
    #[error("there are no Unix sockets on this system")]
    NoUnixSockets,
    /// A percent sign without two hexadecimal digits after it, or octets that are not UTF-8 (RFC 3986
    /// section 2.1), in this part of the URL.
    #[error("the {0} in the URL is not percent-encoded UTF-8")]
    Encoding(&'static str),
    /// A user without a password, or a password without a user.
    #[error("the URL has a {has} and no {lacks}")]
    Incomplete {
        /// The part that is there.
        has: &'static str,
        /// The part that is missing.
        lacks: &'static str,
    },
}

/// The protection of submission without implicit TLS (RFC 8314 section 3.3).
const STARTTLS: Protection = Protection::Policy(TlsPolicy::Required);
/// The port of submission with STARTTLS (RFC 6409 section 3.1).
const SUBMISSION: u16 = 587;
/// The port of submission in implicit TLS (RFC 8314 section 7.3).
const SUBMISSIONS: u16 = 465;

impl Address {
    /// Reads a host, `host:port`, or a URL.
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some((scheme, rest)) = split_unix(text) {
            return Self::unix(scheme, rest);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
            Some(_) => return Err(AddressError::NoUrl),
            None => return Ok(Self::by_port(authority(text)?, None)),
        };
        let (rest, credentials) = login(rest)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(AddressError::Path);
        }
        let (service, protection) = match scheme.as_str() {
            "smtp" => return Ok(Self::by_port(authority(rest)?, credentials)),
            "submission" => (Service::Submission, Some(STARTTLS)),
            "smtps" | "submissions" => (Service::Submission, Some(Protection::Implicit)),
            "lmtp" => (Service::Lmtp, None),
            _ => return Err(AddressError::Scheme(scheme)),
        };
        Ok(Self { place: authority(rest)?, service, protection, credentials })
    }

    /// Returns an address whose port tells the service, as no scheme does.
    fn by_port(place: Place, credentials: Option<Credentials>) -> Self {
        let (service, protection) = match place {
            Place::Host { port: Some(SUBMISSION), .. } => (Service::Submission, Some(STARTTLS)),
            Place::Host { port: Some(SUBMISSIONS), .. } => {
                (Service::Submission, Some(Protection::Implicit))
            }
            _ => (Service::Smtp, None),
        };
        Self { place, service, protection, credentials }
    }

    /// Reads the rest of the URL of a Unix socket, after the colon of its scheme.
    fn unix(scheme: &str, rest: &str) -> Result<Self, AddressError> {
        if !scheme.eq_ignore_ascii_case("lmtp+unix") {
            return Err(AddressError::Scheme(scheme.to_owned()));
        }
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        if !rest.starts_with('/') {
            return Err(AddressError::NoPath);
        }
        let path = decode("path", rest)?;
        match cfg!(unix) {
            true => Ok(Self::at_path(path.into())),
            false => Err(AddressError::NoUnixSockets),
        }
    }

    /// Returns the address of a Unix socket: LMTP.
    pub(super) const fn at_path(path: PathBuf) -> Self {
        let protection = Some(Protection::Policy(TlsPolicy::Never));
        Self { place: Place::Unix(path), service: Service::Lmtp, protection, credentials: None }
    }
}

/// Returns the port of a service in one protection, where no port is given.
pub(super) const fn default_port(service: Service, protection: Protection) -> u16 {
    match protection {
        Protection::Implicit => service.implicit_port(),
        Protection::Policy(_) => service.port(),
    }
}

/// Returns whether text may be shown as a scheme (RFC 3986 section 3.1).
fn is_scheme(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
}

/// Splits the URL of a Unix socket after its scheme.
fn split_unix(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let suffix = scheme.get(scheme.len().checked_sub("+unix".len())?..)?;
    (is_scheme(scheme) && suffix.eq_ignore_ascii_case("+unix")).then_some((scheme, rest))
}

/// Splits user and password from the authority of a URL.
fn login(rest: &str) -> Result<(&str, Option<Credentials>), AddressError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest.get(..end).and_then(|authority| authority.rfind('@'));
    let Some((login, rest)) = at.and_then(|at| rest.split_at_checked(at)) else {
        return Ok((rest, None));
    };
    let rest = rest.strip_prefix('@').unwrap_or(rest);
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let incomplete = |has, lacks| Err(AddressError::Incomplete { has, lacks });
    match (decode("user", user)?, decode("password", password)?) {
        (user, password) if user.is_empty() && password.is_empty() => Ok((rest, None)),
        (user, _) if user.is_empty() => incomplete("password", "user"),
        (_, password) if password.is_empty() => incomplete("user", "password"),
        (user, password) => Ok((rest, Some(Credentials::password(user, &password)))),
    }
}

/// Decodes percent-encoded UTF-8 (RFC 3986 section 2.1).
fn decode(part: &'static str, text: &str) -> Result<String, AddressError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (*first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |octet: &u8| char::from(*octet).to_digit(16);
                let (Some(high), Some(low)) = (digit(high), digit(low)) else {
                    return Err(AddressError::Encoding(part));
                };
                octets.push(u8::try_from(high * 16 + low).unwrap_or_default());
                tail
            }
            (b'%', _) => return Err(AddressError::Encoding(part)),
            (octet, tail) => {
                octets.push(octet);
                tail
            }
        };
    }
    String::from_utf8(octets).map_err(|_| AddressError::Encoding(part))
}

/// Reads a host, or `host:port`; an IPv6 address stands in brackets if a port follows it.
fn authority(text: &str) -> Result<Place, AddressError> {
    // The text before the at sign may be a password, and must not be shown as a port.
    if text.contains('@') {
        return Err(AddressError::NoUrl);
    }
    if text.contains(['\r', '\n']) {
        return Err(AddressError::LineBreak);
    }
    if text.contains(char::is_whitespace) {
        return Err(AddressError::Space);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok(Place::Host { host: text.to_owned(), port: None });
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (literal, after) =
            rest.split_once(']').ok_or_else(|| AddressError::Ipv6(text.to_owned()))?;
        let bare = literal.strip_prefix("IPv6:").unwrap_or(literal);
        if bare.parse::<Ipv6Addr>().is_err() && literal.parse::<core::net::Ipv4Addr>().is_err() {
            return Err(AddressError::Ipv6(text.to_owned()));
        }
        match after.strip_prefix(':') {
            Some(port) => (bare.to_owned(), Some(port)),
            None if after.is_empty() => (bare.to_owned(), None),
            None => return Err(AddressError::Port),
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (named(host)?, Some(port)),
            None => (named(text)?, None),
        }
    };
    let port = port.map(|port| {
        // `parse` would also read a plus sign.
        let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
        let number = port.parse().ok().filter(|number| is_number && *number > 0);
        number.ok_or(AddressError::Port)
    });
    Ok(Place::Host { host, port: port.transpose()? })
}

/// Returns a host in the form that is looked up. A resolver knows names that are no domains of mail
/// (`mail_relay` of a container), so only characters that no name has are rejected.
fn named(host: &str) -> Result<String, AddressError> {
    let is_wrong = |c: char| {
        c.is_control() || (c.is_ascii() && !c.is_ascii_alphanumeric() && !"-._".contains(c))
    };
    match host {
        "" => Err(AddressError::NoHost),
        host if host.contains(is_wrong) => Err(AddressError::Host(host.to_owned())),
        host if host.is_ascii() => Ok(host.to_owned()),
        host => a_labels(host),
    }
}

/// Converts a host to A-labels.
#[cfg(feature = "idna")]
fn a_labels(host: &str) -> Result<String, AddressError> {
    let domain = crate::syntax::Domain::new(host).and_then(|domain| domain.to_ascii());
    match domain {
        Ok(domain) => Ok(domain.as_str().to_owned()),
        Err(_) => Err(AddressError::Host(host.to_owned())),
    }
}

/// Rejects a host that only the feature `idna` converts.
#[cfg(not(feature = "idna"))]
fn a_labels(host: &str) -> Result<String, AddressError> {
    Err(AddressError::Host(host.to_owned()))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => f.write_str(&path.display().to_string()),
            Self::Host { host, port } => {
                match host.contains(':') {
                    true => write!(f, "[{host}]")?,
                    false => f.write_str(host)?,
                }
                port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const STARTTLS: Option<Protection> = Some(super::STARTTLS);
    const IMPLICIT: Option<Protection> = Some(Protection::Implicit);

    #[test]
    fn schemes_and_ports_tell_the_service_and_its_tls() {
        use Service::{Lmtp, Smtp, Submission};
        for (text, place, service, protection) in [
            ("mx.example.org", "mx.example.org", Smtp, None),
            ("mx.example.org.", "mx.example.org.", Smtp, None),
            ("mx.example.org:2525", "mx.example.org:2525", Smtp, None),
            ("mail.example.org:587", "mail.example.org:587", Submission, STARTTLS),
            ("mail.example.org:465", "mail.example.org:465", Submission, IMPLICIT),
            ("SMTP://mx.example.org/", "mx.example.org", Smtp, None),
            ("smtp://mail.example.org:587", "mail.example.org:587", Submission, STARTTLS),
            ("smtp://mail.example.org:465", "mail.example.org:465", Submission, IMPLICIT),
            ("smtps://mail.example.org", "mail.example.org", Submission, IMPLICIT),
            ("submission://mail.example.org", "mail.example.org", Submission, STARTTLS),
            ("submissions://mail.example.org:4650", "mail.example.org:4650", Submission, IMPLICIT),
            ("lmtp://mail.example.org:2003", "mail.example.org:2003", Lmtp, None),
            ("mail_relay:25", "mail_relay:25", Smtp, None),
            ("192.0.2.1:25", "192.0.2.1:25", Smtp, None),
            ("[192.0.2.1]", "192.0.2.1", Smtp, None),
            ("2001:db8::1", "[2001:db8::1]", Smtp, None),
            ("[2001:db8::1]:2525", "[2001:db8::1]:2525", Smtp, None),
            ("smtp://[IPv6:2001:db8::1]", "[2001:db8::1]", Smtp, None),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.place.to_string(), place, "{text}");
            assert_eq!((address.service, address.protection), (service, protection), "{text}");
            assert!(address.credentials.is_none(), "{text}");
        }
    }

    #[test]
    fn user_and_password_are_percent_decoded() {
        let user = |text: &str| {
            let address = Address::parse(text).unwrap();
            let shown = format!("{:?}", address.credentials);
            assert!(!shown.contains("p@ss"), "{shown}");
            (address.place.to_string(), shown)
        };
        let (place, shown) =
            user("submission://ann%40example.org:p%40ss%3a%2F@mail.example.org:25");
        assert_eq!(place, "mail.example.org:25");
        assert!(shown.contains("ann@example.org"), "{shown}");
        // An at sign in the password that is not encoded, as many write it.
        assert!(user("smtp://ann:p@ss@mail.example.org").1.contains("ann"));
        assert_eq!(user("smtp://:@mail.example.org").1, "None");
    }

    #[cfg(unix)]
    #[test]
    fn the_path_of_a_unix_socket_is_percent_decoded() {
        for text in ["lmtp+unix:/run/a%20b", "LMTP+unix:///run/a%20b"] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.place, Place::Unix("/run/a b".into()));
            assert_eq!(address.service, Service::Lmtp);
        }
    }

    #[cfg(feature = "idna")]
    #[test]
    fn hosts_outside_ascii_are_looked_up_as_a_labels() {
        let address = Address::parse("smtp://b\u{fc}cher.example:2525").unwrap();
        assert_eq!(address.place.to_string(), "xn--bcher-kva.example:2525");
    }

    #[test]
    fn services_have_their_ports() {
        let clear = Protection::Policy(TlsPolicy::IfOffered);
        for (service, port, implicit) in
            [(Service::Smtp, 25, 465), (Service::Submission, 587, 465), (Service::Lmtp, 24, 24)]
        {
            assert_eq!(default_port(service, clear), port);
            assert_eq!(default_port(service, Protection::Implicit), implicit);
        }
    }
}
