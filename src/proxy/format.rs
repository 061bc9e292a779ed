//! The parts of a header, and the values in it.

use alloc::vec::Vec;
use core::{mem, net::SocketAddr, str};
use nom::{
    IResult, Parser,
    multi::length_data,
    number::complete::{be_u8, be_u16, be_u32},
};
use thiserror::Error;

/// The longest header of version 1, its CRLF included (section 2.1).
pub const MAX_OCTETS_V1: usize = 107;
/// The longest header that is parsed. Version 2 permits up to 65551 octets; an address and the
/// usual TLS values, certificates included, fit into this.
pub const MAX_OCTETS: usize = 4096;

pub(super) const TEXT: &[u8] = b"PROXY ";
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
pub(super) const FIXED: usize = 16;
/// Two paths of 108 octets (section 2.2).
pub(super) const UNIX_ADDRESSES: usize = 216;

/// The types of section 2.2.1 to 2.2.7.
pub(super) mod kind {
    pub(in crate::proxy) const ALPN: u8 = 0x01;
    pub(in crate::proxy) const AUTHORITY: u8 = 0x02;
    pub(in crate::proxy) const CRC32C: u8 = 0x03;
    pub(in crate::proxy) const UNIQUE_ID: u8 = 0x05;
    pub(in crate::proxy) const SSL: u8 = 0x20;
    pub(in crate::proxy) const SSL_VERSION: u8 = 0x21;
    pub(in crate::proxy) const SSL_CN: u8 = 0x22;
    pub(in crate::proxy) const SSL_CIPHER: u8 = 0x23;
    pub(in crate::proxy) const NETNS: u8 = 0x30;

    /// The types that may occur only once.
    pub(in crate::proxy) const SINGLE: [u8; 6] = [ALPN, AUTHORITY, CRC32C, UNIQUE_ID, SSL, NETNS];
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

/// The content of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) about: About,
    /// Checked; without the checksum.
    pub(super) values: Vec<u8>,
    pub(super) has_checksum: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
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

impl Parts {
    pub(super) const fn about(about: About) -> Self {
        Self { about, values: Vec::new(), has_checksum: false }
    }

    /// Fails where one address is of IPv4 and the other of IPv6.
    pub(super) const fn proxied(
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Result<Self, ProxyError> {
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
}

/// The properties of the client's TLS (section 2.2.6, `PP2_TYPE_SSL`).
///
/// ```
/// use esmtp::proxy::{ClientTls, Header};
///
/// let tls = ClientTls::new().with_version("TLSv1.3").with_verified_certificate().with_common_name("ann");
/// let header = Header::proxied("192.0.2.1:4000".parse()?, "198.51.100.1:465".parse()?)?.with_tls(&tls)?;
/// assert_eq!(header.tls(), Some(tls));
/// assert!(header.security().is_tls());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTls<'a> {
    is_tls: bool,
    has_certificate: bool,
    is_verified: bool,
    version: Option<&'a str>,
    cipher: Option<&'a str>,
    common_name: Option<&'a str>,
}

/// As [`ClientTls::new`].
impl Default for ClientTls<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> ClientTls<'a> {
    /// The client's octets did not travel in TLS.
    pub const CLEAR: ClientTls<'static> = ClientTls {
        is_tls: false,
        has_certificate: false,
        is_verified: false,
        version: None,
        cipher: None,
        common_name: None,
    };

    /// Creates the properties of a client whose octets travelled in TLS, and that showed no certificate.
    #[must_use]
    pub const fn new() -> Self {
        Self { is_tls: true, ..Self::CLEAR }
    }

    /// Records that the client showed a certificate, on this connection or when the TLS session began, which the proxy did
    /// not verify.
    #[must_use]
    pub const fn with_certificate(self) -> Self {
        Self { has_certificate: true, is_verified: false, ..self }
    }

    /// Records that the client showed a certificate, which the proxy verified.
    #[must_use]
    pub const fn with_verified_certificate(self) -> Self {
        Self { has_certificate: true, is_verified: true, ..self }
    }

    /// Sets the version of TLS: `TLSv1.3`.
    #[must_use]
    pub const fn with_version(self, version: &'a str) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Sets the cipher suite: `TLS_AES_256_GCM_SHA384`.
    #[must_use]
    pub const fn with_cipher(self, cipher: &'a str) -> Self {
        Self { cipher: Some(cipher), ..self }
    }

    /// Sets the common name in the client's certificate.
    #[must_use]
    pub const fn with_common_name(self, name: &'a str) -> Self {
        Self { common_name: Some(name), ..self }
    }

    /// Returns whether the client's octets travelled in TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Returns whether the client showed a certificate, on this connection or when the TLS session began.
    #[must_use]
    pub const fn has_certificate(&self) -> bool {
        self.has_certificate
    }

    /// Returns whether the client showed a certificate that the proxy verified.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// Returns the version of TLS, as the proxy writes it.
    #[must_use]
    pub const fn version(&self) -> Option<&'a str> {
        self.version
    }

    /// Returns the cipher suite, as the proxy writes it.
    #[must_use]
    pub const fn cipher(&self) -> Option<&'a str> {
        self.cipher
    }

    /// Returns the common name in the client's certificate.
    #[must_use]
    pub const fn common_name(&self) -> Option<&'a str> {
        self.common_name
    }

    pub(super) fn parse(value: &'a [u8]) -> Result<Self, ProxyError> {
        let (rest, (flags, verify)) =
            (be_u8, be_u32).parse(value).map_err(|_: nom::Err<()>| ProxyError::Value)?;
        let has_certificate = flags & 0b110 != 0;
        let mut tls = Self {
            is_tls: flags & 1 != 0,
            has_certificate,
            // "zero if the client presented a certificate and it was successfully verified"
            is_verified: has_certificate && verify == 0,
            ..Self::CLEAR
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

/// Types, lengths and values (section 2.2.1), over octets that they must fill.
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = Result<(u8, &'a [u8]), ProxyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let parsed: IResult<_, _, ()> = (be_u8, length_data(be_u16)).parse(self.0);
        Some(match parsed {
            Ok((rest, value)) => {
                self.0 = rest;
                Ok(value)
            }
            Err(_) => {
                self.0 = &[];
                Err(ProxyError::Value)
            }
        })
    }
}

impl Values<'_> {
    /// Checks the values of known types.
    pub(super) fn check(octets: &[u8]) -> Result<(), ProxyError> {
        let mut seen = [false; kind::SINGLE.len()];
        for value in Values(octets) {
            let (kind, value) = value?;
            for (single, seen) in kind::SINGLE.iter().zip(&mut seen) {
                if *single == kind && mem::replace(seen, true) {
                    return Err(ProxyError::Value);
                }
            }
            match kind {
                kind::AUTHORITY | kind::NETNS => {
                    text(value)?;
                }
                kind::CRC32C if value.len() != 4 => return Err(ProxyError::Value),
                // "up to 128 bytes long"
                kind::UNIQUE_ID if value.len() > 128 => return Err(ProxyError::Value),
                kind::SSL => {
                    ClientTls::parse(value)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

pub(super) fn push_value(out: &mut Vec<u8>, kind: u8, value: &[u8]) -> Result<(), ProxyError> {
    let length = u16::try_from(value.len()).map_err(|_| ProxyError::TooLong)?;
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

/// Parses a name or a word: UTF-8 or ASCII without control characters.
pub(super) fn text(value: &[u8]) -> Result<&str, ProxyError> {
    str::from_utf8(value)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
        .ok_or(ProxyError::Value)
}

/// Computes the cyclic redundancy check of RFC 9260 appendix A. A header is short: a table is not
/// worth its memory.
pub(super) fn crc32c(octets: impl Iterator<Item = u8>) -> u32 {
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
