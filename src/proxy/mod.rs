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
//! // No source: the proxy speaks for itself, and the peer is who connected.
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

mod parse;

use crate::security::Security;
use alloc::{format, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    str,
};
use nom::{
    Parser,
    number::complete::{be_u8, be_u32},
};
use parse::{Fault, Values, binary, line, push_value, text};
use thiserror::Error;

/// The longest header of version 1, its CRLF included (section 2.1).
pub const MAX_OCTETS_V1: usize = 107;
/// The longest header that is parsed. Version 2 permits up to 65551 octets; an address and the
/// usual TLS values, certificates included, fit into this.
pub const MAX_OCTETS: usize = 4096;

const TEXT: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// Two paths of 108 octets (section 2.2).
const UNIX_ADDRESSES: usize = 216;

/// The types of section 2.2.1 to 2.2.7.
mod kind {
    pub(super) const ALPN: u8 = 0x01;
    pub(super) const AUTHORITY: u8 = 0x02;
    pub(super) const CRC32C: u8 = 0x03;
    pub(super) const UNIQUE_ID: u8 = 0x05;
    pub(super) const SSL: u8 = 0x20;
    pub(super) const SSL_VERSION: u8 = 0x21;
    pub(super) const SSL_CN: u8 = 0x22;
    pub(super) const SSL_CIPHER: u8 = 0x23;
    pub(super) const NETNS: u8 = 0x30;

    /// The types that may occur only once.
    pub(super) const SINGLE: [u8; 6] = [ALPN, AUTHORITY, CRC32C, UNIQUE_ID, SSL, NETNS];
}

/// The reason why octets are not a valid PROXY header.
///
/// There is no reply to it: a connection that begins in this way is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The connection begins with something else.
    #[error("no proxy header")]
    NoHeader,
    /// There is no CRLF among the first [`MAX_OCTETS_V1`] octets, or the length exceeds
    /// [`MAX_OCTETS`].
    #[error("the proxy header is too long")]
    TooLong,
    /// A line that violates the grammar of version 1 (section 2.1).
    #[error("malformed line of a proxy header")]
    Line,
    /// Neither version 1 nor 2.
    #[error("unknown version of the proxy protocol")]
    Version,
    /// Neither LOCAL nor PROXY.
    #[error("unknown command of the proxy protocol")]
    Command,
    /// An unknown address family, or one without a stream protocol.
    #[error("unknown or unsuitable address family in a proxy header")]
    Family,
    /// The addresses are cut short, or of two families.
    #[error("malformed addresses in a proxy header")]
    Addresses,
    /// The further values (TLVs) do not add up, are malformed, or come twice.
    #[error("malformed value in a proxy header")]
    Value,
    /// The checksum is wrong.
    #[error("wrong checksum of a proxy header")]
    Checksum,
}

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
pub struct Header {
    about: About,
    /// Checked; without the checksum.
    values: Vec<u8>,
    has_checksum: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// The proxy itself.
    Local,
    /// A peer about which the proxy knows, or can encode, nothing.
    Unknown,
    Inet {
        source: SocketAddr,
        destination: SocketAddr,
    },
    /// A peer on a Unix-domain socket of the proxy.
    Unix,
}

impl Header {
    const fn about(about: About) -> Self {
        Self { about, values: Vec::new(), has_checksum: false }
    }

    /// Creates the header of a connection that the proxy makes on its own behalf, as a health
    /// check.
    #[must_use]
    pub const fn local() -> Self {
        Self::about(About::Local)
    }

    /// Creates the header of a connection about which the proxy can say nothing.
    #[must_use]
    pub const fn unknown() -> Self {
        Self::about(About::Unknown)
    }

    /// Creates the header of a connection from `source` that reached the proxy at `destination`.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Addresses`]: one is of IPv4 and the other of IPv6.
    pub const fn proxied(source: SocketAddr, destination: SocketAddr) -> Result<Self, ProxyError> {
        // Scopes and flows have no meaning beyond the proxy, and no header can carry them.
        let (source, destination) = match (source, destination) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) | (SocketAddr::V6(_), SocketAddr::V6(_)) => (
                SocketAddr::new(source.ip(), source.port()),
                SocketAddr::new(destination.ip(), destination.port()),
            ),
            _ => return Err(ProxyError::Addresses),
        };
        Ok(Self::about(About::Inet { source, destination }))
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
        value.push(u8::from(tls.is_tls) | u8::from(tls.has_certificate) << 1);
        value.extend_from_slice(&u32::from(!tls.is_verified).to_be_bytes());
        for (kind, text) in [
            (kind::SSL_VERSION, tls.version),
            (kind::SSL_CN, tls.common_name),
            (kind::SSL_CIPHER, tls.cipher),
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
        if kind == kind::CRC32C || !matches!(self.about, About::Inet { .. } | About::Unix) {
            return Err(ProxyError::Value);
        }
        push_value(&mut self.values, kind, value)?;
        Values::check(&self.values)?;
        // As if the checksum, of seven octets, were always there.
        if self.values.len().saturating_add(FIXED + UNIX_ADDRESSES + 7) > MAX_OCTETS {
            return Err(ProxyError::TooLong);
        }
        Ok(self)
    }

    /// Adds a checksum over the header (CRC32c, section 2.2.3), for version 2, in a header with
    /// addresses.
    #[must_use]
    pub const fn with_checksum(mut self) -> Self {
        self.has_checksum = matches!(self.about, About::Inet { .. } | About::Unix);
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
            Ok((rest, header)) => Ok(Some((header, octets.len().saturating_sub(rest.len())))),
            Err(nom::Err::Incomplete(_)) => Ok(None),
            Err(nom::Err::Error(Fault(error)) | nom::Err::Failure(Fault(error))) => Err(error),
        }
    }

    /// Appends the header in version 1, a line of text. It cannot carry values; a connection that
    /// is neither IPv4 nor IPv6 is UNKNOWN.
    pub fn encode_v1(&self, out: &mut Vec<u8>) {
        let line = match self.about {
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
        let (command, family) = match self.about {
            About::Local => (0x20, 0x00),
            About::Unknown => (0x21, 0x00),
            About::Inet { source: SocketAddr::V4(_), .. } => (0x21, 0x11),
            About::Inet { .. } => (0x21, 0x21),
            About::Unix => (0x21, 0x31),
        };
        out.extend_from_slice(&[command, family, 0, 0]);
        match self.about {
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
        out.extend_from_slice(&self.values);
        if self.has_checksum {
            out.extend_from_slice(&[kind::CRC32C, 0, 4, 0, 0, 0, 0]);
        }
        let length = out.len().saturating_sub(start + FIXED);
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(place) = out.get_mut(start + FIXED - 2..start + FIXED) {
            place.copy_from_slice(&length);
        }
        if self.has_checksum {
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
        match self.about {
            About::Inet { source, .. } => Some(source),
            About::Local | About::Unknown | About::Unix => None,
        }
    }

    /// Returns the address at which the connection reached the proxy.
    #[must_use]
    pub const fn destination(&self) -> Option<SocketAddr> {
        match self.about {
            About::Inet { destination, .. } => Some(destination),
            About::Local | About::Unknown | About::Unix => None,
        }
    }

    /// Returns whether the proxy connects on its own behalf, as a health check: the peer is the
    /// proxy.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self.about, About::Local)
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
        let Some(tls) = self.tls().filter(|tls| tls.is_tls) else { return Security::CLEAR };
        let mut security = Security::TLS;
        if let Some(version) = tls.version {
            security = security.with_version(version);
        }
        if let Some(cipher) = tls.cipher {
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
        Values(&self.values).filter_map(Result::ok)
    }
}

/// The properties of the client's TLS (section 2.2.6, `PP2_TYPE_SSL`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientTls<'a> {
    /// The client's octets travelled in TLS.
    pub is_tls: bool,
    /// The client showed a certificate, on this connection or when the TLS session began.
    pub has_certificate: bool,
    /// The proxy verified it.
    pub is_verified: bool,
    /// The version of TLS, as the proxy writes it.
    pub version: Option<&'a str>,
    /// The cipher suite, as the proxy writes it.
    pub cipher: Option<&'a str>,
    /// The common name in the client's certificate.
    pub common_name: Option<&'a str>,
}

impl<'a> ClientTls<'a> {
    fn parse(value: &'a [u8]) -> Result<Self, ProxyError> {
        let (rest, (flags, verify)) =
            (be_u8, be_u32).parse(value).map_err(|_: nom::Err<()>| ProxyError::Value)?;
        let has_certificate = flags & 0b110 != 0;
        let mut tls = Self {
            is_tls: flags & 1 != 0,
            has_certificate,
            // "zero if the client presented a certificate and it was successfully verified"
            is_verified: has_certificate && verify == 0,
            ..Self::default()
        };
        for value in Values(rest) {
            let (kind, value) = value?;
            let place = match kind {
                kind::SSL_VERSION => &mut tls.version,
                kind::SSL_CN => &mut tls.common_name,
                kind::SSL_CIPHER => &mut tls.cipher,
                _ => continue,
            };
            if place.replace(text(value)?).is_some() {
                return Err(ProxyError::Value);
            }
        }
        Ok(tls)
    }
}

/// Computes the cyclic redundancy check of RFC 9260 appendix A. A header is short: a table is not
/// worth its memory.
fn crc32c(octets: impl Iterator<Item = u8>) -> u32 {
    !octets.fold(u32::MAX, |sum, octet| {
        (0..8).fold(sum ^ u32::from(octet), |sum, _| {
            (sum >> 1) ^ (0x82F6_3B78 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_iscsi() {
        // RFC 3720 appendix B.4, and the check value of the catalogue.
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xE306_9283);
        assert_eq!(crc32c([0; 32].into_iter()), 0x8A91_36AA);
        assert_eq!(crc32c([0xFF; 32].into_iter()), 0x62A8_AB43);
    }
}
