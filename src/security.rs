//! Clear or TLS, and what is known of the channel.

use crate::sasl::{BindingType, Channel, ChannelBinding};
use alloc::{boxed::Box, vec::Vec};
use core::fmt;

/// How the connection is protected.
///
/// ```
/// use esmtp::security::Security;
///
/// assert!(!Security::CLEAR.is_tls());
/// let tls = Security::TLS.with_version("TLSv1.3");
/// assert_eq!(tls.version(), Some("TLSv1.3"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Security {
    is_tls: bool,
    details: Option<Box<Details>>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Details {
    version: Option<Box<str>>,
    cipher: Option<Box<str>>,
    server_name: Option<Box<str>>,
    peer_certificates: Vec<Vec<u8>>,
    is_verified: bool,
    exporter: Option<[u8; 32]>,
    end_point: Option<Vec<u8>>,
}

impl Security {
    /// Nothing protects the octets.
    pub const CLEAR: Self = Self { is_tls: false, details: None };
    /// TLS of which nothing more is known (a proxy or a tunnel took care of it).
    pub const TLS: Self = Self { is_tls: true, details: None };

    fn detailed(mut self, set: impl FnOnce(&mut Details)) -> Self {
        self.is_tls = true;
        set(self.details.get_or_insert_default());
        self
    }

    /// The version of the protocol, as its registry writes it (`TLSv1.3`).
    #[must_use]
    pub fn with_version(self, version: &str) -> Self {
        self.detailed(|details| details.version = Some(version.into()))
    }

    /// The cipher suite, as its registry writes it.
    #[must_use]
    pub fn with_cipher(self, cipher: &str) -> Self {
        self.detailed(|details| details.cipher = Some(cipher.into()))
    }

    /// The name that the client asked for (RFC 6066 section 3).
    #[must_use]
    pub fn with_server_name(self, name: &str) -> Self {
        self.detailed(|details| details.server_name = Some(name.into()))
    }

    /// The chain of the peer's certificates in DER, its own first, and whether it was verified.
    #[must_use]
    pub fn with_peer_certificates(self, chain: Vec<Vec<u8>>, is_verified: bool) -> Self {
        self.detailed(|details| {
            details.peer_certificates = chain;
            details.is_verified = is_verified;
        })
    }

    /// Channel binding data of the type `tls-exporter` (RFC 9266).
    #[must_use]
    pub fn with_exporter(self, octets: [u8; 32]) -> Self {
        self.detailed(|details| details.exporter = Some(octets))
    }

    /// Channel binding data of the type `tls-server-end-point` (RFC 5929 section 4).
    #[must_use]
    pub fn with_end_point(self, octets: Vec<u8>) -> Self {
        self.detailed(|details| details.end_point = Some(octets))
    }

    /// Whether the octets travel in TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The version of the protocol.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.details.as_ref()?.version.as_deref()
    }

    /// The cipher suite.
    #[must_use]
    pub fn cipher(&self) -> Option<&str> {
        self.details.as_ref()?.cipher.as_deref()
    }

    /// The name that the client asked for.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.details.as_ref()?.server_name.as_deref()
    }

    /// The peer's certificates in DER, its own first; none if it showed none.
    pub fn peer_certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.details.iter().flat_map(|details| &details.peer_certificates).map(Vec::as_slice)
    }

    /// Whether the peer's certificates were verified.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.is_verified)
    }

    /// Channel binding data of the type `tls-exporter`.
    #[must_use]
    pub fn exporter(&self) -> Option<&[u8; 32]> {
        self.details.as_ref()?.exporter.as_ref()
    }

    /// The same for the mechanisms of AUTH.
    #[must_use]
    pub fn channel(&self) -> Channel {
        let mut channel = if self.is_tls { Channel::tls() } else { Channel::CLEAR };
        if let Some(octets) = self.exporter() {
            channel = channel.with(ChannelBinding::new(BindingType::TlsExporter, *octets));
        }
        if let Some(octets) = self.end_point() {
            channel = channel.with(ChannelBinding::new(BindingType::TlsServerEndPoint, octets));
        }
        channel
    }

    /// Channel binding data of the type `tls-server-end-point`.
    #[must_use]
    pub fn end_point(&self) -> Option<&[u8]> {
        self.details.as_ref()?.end_point.as_deref()
    }
}

/// Channel binding data of the type `tls-server-end-point` for a server's certificate in DER: its
/// digest, by the digest of its signature, where MD5 and SHA-1 are replaced by SHA-256 (RFC 5929
/// section 4.1).
///
/// `None` when it is no certificate, or its signature has no digest of its own (Ed25519): then
/// this type of binding is not defined.
#[cfg(feature = "scram")]
#[must_use]
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

    // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE, … } (RFC
    // 5280 section 4.1).
    let (content, _) = der::element(der::SEQUENCE, certificate)?;
    let (_, content) = der::element(der::SEQUENCE, content)?;
    let (algorithm, _) = der::element(der::SEQUENCE, content)?;
    let (name, parameters) = der::element(der::OBJECT_IDENTIFIER, algorithm)?;
    Some(match der::digest(name, parameters)? {
        224 => Sha224::digest(certificate).to_vec(),
        384 => Sha384::digest(certificate).to_vec(),
        512 => Sha512::digest(certificate).to_vec(),
        _ => Sha256::digest(certificate).to_vec(),
    })
}

/// As much of ASN.1 as a certificate's signature algorithm takes.
#[cfg(feature = "scram")]
mod der {
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
    const CONTEXT_0: u8 = 0xA0;

    /// Content of the first element, if it has this tag, and what follows it.
    pub(super) fn element(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) = match octets {
            [first, length @ 0..=0x7F, rest @ ..] if *first == tag => (usize::from(*length), rest),
            [first, 0x81, length, rest @ ..] if *first == tag => (usize::from(*length), rest),
            [first, 0x82, high, low, rest @ ..] if *first == tag => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            [first, 0x83, high, middle, low, rest @ ..] if *first == tag => {
                (usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).ok()?, rest)
            }
            _ => return None,
        };
        rest.split_at_checked(length)
    }

    /// The bits of the digest that stands for this signature algorithm.
    pub(super) fn digest(name: &[u8], parameters: &[u8]) -> Option<u16> {
        Some(match name {
            // 1.2.840.113549.1.1: RSA (RFC 8017 appendix C).
            [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, algorithm] => match algorithm {
                4 | 5 | 11 => 256,
                12 => 384,
                13 => 512,
                14 => 224,
                10 => return pss(parameters),
                _ => return None,
            },
            // 1.2.840.10045.4: ECDSA (RFC 5758 section 3.2).
            [0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1] => 256,
            [0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, algorithm] => match algorithm {
                1 => 224,
                2 => 256,
                3 => 384,
                4 => 512,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, … }
    fn pss(parameters: &[u8]) -> Option<u16> {
        let (parameters, _) = element(SEQUENCE, parameters)?;
        let Some((hash, _)) = element(CONTEXT_0, parameters) else { return Some(256) };
        let (hash, _) = element(SEQUENCE, hash)?;
        match element(OBJECT_IDENTIFIER, hash)?.0 {
            // 2.16.840.1.101.3.4.2 (RFC 5754 section 2).
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, algorithm] => match algorithm {
                1 => Some(256),
                2 => Some(384),
                3 => Some(512),
                4 => Some(224),
                _ => None,
            },
            // 1.3.14.3.2.26: SHA-1.
            [0x2B, 0x0E, 3, 2, 0x1A] => Some(256),
            _ => None,
        }
    }
}

impl fmt::Debug for Details {
    /// Without the channel binding data: they are derived from the secrets of the channel.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details")
            .field("version", &self.version)
            .field("cipher", &self.cipher)
            .field("server_name", &self.server_name)
            .field("peer_certificates", &self.peer_certificates.len())
            .field("is_verified", &self.is_verified)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};

    #[test]
    fn what_is_known_of_tls_implies_tls() {
        let security = Security::default().with_cipher("TLS_AES_128_GCM_SHA256");
        assert!(security.is_tls());
        assert_eq!(security.version(), None);
        assert_eq!(Security::CLEAR, Security::default());
    }

    #[test]
    fn channel_binding_data_is_not_shown() {
        let security =
            Security::TLS.with_exporter([77; 32]).with_peer_certificates(vec![vec![1; 9]], true);
        assert!(!format!("{security:?}").contains("77"));
        assert_eq!(security.peer_certificates().count(), 1);
    }
}
