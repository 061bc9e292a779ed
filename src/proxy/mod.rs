//! The PROXY protocol: the header in which a load balancer gives the client's address, before the
//! greeting.
//!
//! A proxy that passes on a TCP connection hides the client's address; a [`Header`] before the
//! client's own octets reveals it. The header comes before everything else, so it is read before
//! any machine and before TLS: the order is PROXY, TLS, [`Server`](crate::server::Server). Both
//! versions of the specification are parsed and encoded: 1, a line of text, and 2, binary.
//!
//! A header is trusted whatever its origin, so read one only from known proxies (known by their
//! address, or because no other peer reaches the port), and from them always: a connection without
//! a header is then an error, never a client.
//!
//! ```
//! use esmtp::{
//!     machine::{Machine, Need},
//!     proxy::Header,
//!     security::Security,
//!     server::{Config, Event, Peer, Server},
//!     time::Instant,
//! };
//!
//! // The octets received so far. Octets after the header are the client's: it did not wait.
//! let mut octets = Vec::new();
//! let mut stream = [&b"PROXY TCP4 192.0.2.1 198.51.10"[..], b"0.1 56324 25\r\n"].into_iter();
//! let (header, length) = loop {
//!     // An error closes the connection without a word.
//!     if let Some(read) = Header::parse(&octets)? {
//!         break read;
//!     }
//!     // At most proxy::MAX_OCTETS, and by a deadline: a few seconds.
//!     octets.extend_from_slice(stream.next().ok_or("closed")?);
//! };
//!
//! // No source: the proxy speaks for itself, and the peer is the host that connected.
//! let peer = header.source().map_or(Peer::UNKNOWN, Peer::from);
//! let config = std::sync::Arc::new(Config::new("mx.example.org")?);
//! let mut server = Server::new(config, peer, Security::CLEAR);
//! // Here is the place for TLS: tls::Secured::implicit(server, …).
//! let remainder = &octets[length..];
//! assert_eq!(server.feed(remainder), remainder.len());
//!
//! assert_eq!(server.poll(Instant::ORIGIN), Need::Answer);
//! let event = server.event().ok_or("a question")?;
//! let address = event.facts().peer().address().ok_or("an address")?;
//! assert_eq!(address.to_string(), "192.0.2.1:56324");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The specification is HAProxy's `doc/proxy-protocol.txt`; its sections are quoted.

mod format;
mod parse;

pub use format::{ClientTls, MAX_OCTETS, MAX_OCTETS_V1, ProxyError};

use crate::security::Security;
use alloc::{format, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    str,
};
use format::{About, FIXED, Parts, SIGNATURE, UNIX_ADDRESSES, Values, crc32c, kind, push_value};
use parse::{Fault, binary, line};

/// A proxy's description of a connection.
///
/// ```
/// use esmtp::proxy::{Header, ProxyError};
///
/// assert_eq!(Header::parse(b"PROXY UNKN"), Ok(None)); // more to come
/// assert_eq!(Header::parse(b"EHLO proxy\r\n"), Err(ProxyError::NoHeader));
///
/// let header = Header::proxied("192.0.2.1:4000".parse()?, "198.51.100.1:25".parse()?)?
///     .with_authority("mx.example.org")?
///     .with_checksum();
/// let mut octets = Vec::new();
/// header.encode_v2(&mut octets);
/// assert_eq!(Header::parse(&octets)?, Some((header, octets.len())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header(Parts);

impl Header {
    /// Creates the header of a connection that the proxy makes on its own behalf, as a health
    /// check.
    #[must_use]
    pub const fn local() -> Self {
        Self(Parts::about(About::Local))
    }

    /// Creates the header of a connection about which the proxy can say nothing.
    #[must_use]
    pub const fn unknown() -> Self {
        Self(Parts::about(About::Unknown))
    }

    /// Creates the header of a connection from `source` that reached the proxy at `destination`.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Addresses`]: one is of IPv4 and the other of IPv6.
    pub fn proxied(source: SocketAddr, destination: SocketAddr) -> Result<Self, ProxyError> {
        Parts::proxied(source, destination).map(Self)
    }

    /// Sets the server name that the client requested in TLS (SNI, RFC 6066 section 3).
    ///
    /// # Errors
    ///
    /// See [`with_value`](Self::with_value).
    pub fn with_authority(self, name: &str) -> Result<Self, ProxyError> {
        self.with_value(kind::AUTHORITY, name.as_bytes())
    }

    /// Sets the properties of the client's TLS.
    ///
    /// # Errors
    ///
    /// See [`with_value`](Self::with_value).
    pub fn with_tls(self, tls: &ClientTls<'_>) -> Result<Self, ProxyError> {
        let mut value = Vec::new();
        value.push(u8::from(tls.is_tls()) | u8::from(tls.has_certificate()) << 1);
        value.extend_from_slice(&u32::from(!tls.is_verified()).to_be_bytes());
        for (kind, text) in [
            (kind::SSL_VERSION, tls.version()),
            (kind::SSL_CN, tls.common_name()),
            (kind::SSL_CIPHER, tls.cipher()),
        ] {
            if let Some(text) = text {
                push_value(&mut value, kind, text.as_bytes())?;
            }
        }
        self.with_value(kind::SSL, &value)
    }

    /// Adds a value of any type, for version 2 (section 2.2, `pp2_tlv`).
    ///
    /// # Errors
    ///
    /// [`ProxyError::Value`]: the value is not valid for its type, the type is here already or is
    /// that of the checksum, or there are no addresses and so no place for values.
    /// [`ProxyError::TooLong`]: the header would be longer than [`MAX_OCTETS`].
    pub fn with_value(mut self, kind: u8, value: &[u8]) -> Result<Self, ProxyError> {
        if kind == kind::CRC32C || !matches!(self.0.about, About::Inet { .. } | About::Unix) {
            return Err(ProxyError::Value);
        }
        push_value(&mut self.0.values, kind, value)?;
        Values::check(&self.0.values)?;
        // As if the checksum, of seven octets, were always there.
        if self.0.values.len().saturating_add(FIXED + UNIX_ADDRESSES + 7) > MAX_OCTETS {
            return Err(ProxyError::TooLong);
        }
        Ok(self)
    }

    /// Adds a checksum over the header (CRC32c, section 2.2.3), for version 2, in a header with
    /// addresses.
    #[must_use]
    pub const fn with_checksum(mut self) -> Self {
        self.0.has_checksum = matches!(self.0.about, About::Inet { .. } | About::Unix);
        self
    }

    /// Parses a header at the front of the received octets and returns it with its length; `None`
    /// while it is incomplete.
    ///
    /// # Errors
    ///
    /// As soon as the octets are no beginning of a header. At [`MAX_OCTETS`] octets there is
    /// always an answer.
    pub fn parse(octets: &[u8]) -> Result<Option<(Self, usize)>, ProxyError> {
        let parsed = match octets.first() {
            None => return Ok(None),
            Some(b'P') => line(octets),
            Some(_) => binary(octets),
        };
        match parsed {
            Ok((rest, parts)) => Ok(Some((Self(parts), octets.len().saturating_sub(rest.len())))),
            Err(nom::Err::Incomplete(_)) => Ok(None),
            Err(nom::Err::Error(Fault(error)) | nom::Err::Failure(Fault(error))) => Err(error),
        }
    }

    /// Appends the header in version 1, a line of text. It cannot carry values; a connection that
    /// is neither IPv4 nor IPv6 is UNKNOWN.
    pub fn encode_v1(&self, out: &mut Vec<u8>) {
        let line = match self.0.about {
            About::Inet { source, destination } => format!(
                "PROXY {} {} {} {} {}\r\n",
                if source.is_ipv4() { "TCP4" } else { "TCP6" },
                source.ip(),
                destination.ip(),
                source.port(),
                destination.port(),
            ),
            About::Local | About::Unknown | About::Unix => "PROXY UNKNOWN\r\n".into(),
        };
        out.extend_from_slice(line.as_bytes());
    }

    /// Appends the header in version 2, binary. Addresses of Unix-domain sockets are left out.
    pub fn encode_v2(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(SIGNATURE);
        let (command, family) = match self.0.about {
            About::Local => (0x20, 0x00),
            About::Unknown => (0x21, 0x00),
            About::Inet { source: SocketAddr::V4(_), .. } => (0x21, 0x11),
            About::Inet { .. } => (0x21, 0x21),
            About::Unix => (0x21, 0x31),
        };
        out.extend_from_slice(&[command, family, 0, 0]);
        match self.0.about {
            About::Local | About::Unknown => {}
            About::Inet { source, destination } => {
                for address in [source, destination] {
                    match address.ip() {
                        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
                    }
                }
                out.extend_from_slice(&source.port().to_be_bytes());
                out.extend_from_slice(&destination.port().to_be_bytes());
            }
            About::Unix => out.extend_from_slice(&[0; UNIX_ADDRESSES]),
        }
        out.extend_from_slice(&self.0.values);
        if self.0.has_checksum {
            out.extend_from_slice(&[kind::CRC32C, 0, 4, 0, 0, 0, 0]);
        }
        let length = out.len().saturating_sub(start + FIXED);
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(place) = out.get_mut(start + FIXED - 2..start + FIXED) {
            place.copy_from_slice(&length);
        }
        if self.0.has_checksum {
            let sum = crc32c(out.get(start..).into_iter().flatten().copied());
            let end = out.len();
            if let Some(place) = out.get_mut(end.saturating_sub(4)..) {
                place.copy_from_slice(&sum.to_be_bytes());
            }
        }
    }

    /// Returns the address that the connection comes from; `None` when the proxy connects on its
    /// own behalf, knows nothing, or had the connection from a Unix-domain socket.
    #[must_use]
    pub const fn source(&self) -> Option<SocketAddr> {
        match self.0.about {
            About::Inet { source, .. } => Some(source),
            About::Local | About::Unknown | About::Unix => None,
        }
    }

    /// Returns the address at which the connection reached the proxy.
    #[must_use]
    pub const fn destination(&self) -> Option<SocketAddr> {
        match self.0.about {
            About::Inet { destination, .. } => Some(destination),
            About::Local | About::Unknown | About::Unix => None,
        }
    }

    /// Returns whether the proxy connects on its own behalf, as a health check: the peer is the
    /// proxy.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self.0.about, About::Local)
    }

    /// Returns the server name that the client requested in TLS (SNI).
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        str::from_utf8(self.value(kind::AUTHORITY)?).ok()
    }

    /// Returns the properties of the client's TLS.
    #[must_use]
    pub fn tls(&self) -> Option<ClientTls<'_>> {
        ClientTls::parse(self.value(kind::SSL)?).ok()
    }

    /// Returns how the client's octets travelled to the proxy; meaningful if the way from the proxy
    /// to here is trusted like TLS.
    #[must_use]
    pub fn security(&self) -> Security {
        let Some(tls) = self.tls().filter(ClientTls::is_tls) else { return Security::CLEAR };
        let mut security = Security::TLS;
        if let Some(version) = tls.version() {
            security = security.with_version(version);
        }
        if let Some(cipher) = tls.cipher() {
            security = security.with_cipher(cipher);
        }
        if let Some(name) = self.authority() {
            security = security.with_server_name(name);
        }
        security
    }

    /// Returns the value of this type: the first, if there are several.
    #[must_use]
    pub fn value(&self, kind: u8) -> Option<&[u8]> {
        self.values().find(|(it, _)| *it == kind).map(|(_, value)| value)
    }

    /// Returns the values with their types, in order, without the checksum.
    pub fn values(&self) -> impl Iterator<Item = (u8, &[u8])> {
        Values(&self.0.values).filter_map(Result::ok)
    }
}
