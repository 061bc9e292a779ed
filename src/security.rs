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
