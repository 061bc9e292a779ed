//! The protection of a connection: clear or TLS, and the known properties of the channel.
//!
//! ```
//! use esmtp::security::Security;
//!
//! /// Returns the words about TLS for a log.
//! fn log(security: &Security) -> String {
//!     match (security.version(), security.cipher()) {
//!         (Some(version), Some(cipher)) => format!("{version} with cipher {cipher}"),
//!         _ if security.is_tls() => "TLS".to_owned(),
//!         _ => "in the clear".to_owned(),
//!     }
//! }
//!
//! assert_eq!(log(&Security::CLEAR), "in the clear");
//! ```

use crate::{
    sasl::{BindingType, Channel, ChannelBinding},
    syntax::Escaped,
};
use alloc::{boxed::Box, string::ToString, sync::Arc, vec::Vec};
use core::{
    error::Error,
    fmt,
    hash::{Hash, Hasher},
};

/// The protection of a connection.
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
    /// A connection without protection.
    pub const CLEAR: Self = Self { is_tls: false, details: None };
    /// TLS without further details (a proxy or a tunnel terminated it).
    pub const TLS: Self = Self { is_tls: true, details: None };

    fn detailed(mut self, set: impl FnOnce(&mut Details)) -> Self {
        self.is_tls = true;
        set(self.details.get_or_insert_default());
        self
    }

    /// Adds the version of the protocol, written as Postfix logs it (`TLSv1.3`, `TLSv1.2`).
    #[must_use]
    pub fn with_version(self, version: &str) -> Self {
        self.detailed(|details| details.version = Some(version.into()))
    }

    /// Adds the cipher suite, by its name in the IANA TLS Cipher Suites registry
    /// (`TLS_AES_256_GCM_SHA384`, `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384`).
    #[must_use]
    pub fn with_cipher(self, cipher: &str) -> Self {
        self.detailed(|details| details.cipher = Some(cipher.into()))
    }

    /// Adds the server name that the client requested (SNI, RFC 6066 section 3).
    #[must_use]
    pub fn with_server_name(self, name: &str) -> Self {
        self.detailed(|details| details.server_name = Some(name.into()))
    }

    /// Adds the chain of the peer's certificates in DER, its own first, and whether it was
    /// verified.
    #[must_use]
    pub fn with_peer_certificates(self, chain: Vec<Vec<u8>>, is_verified: bool) -> Self {
        self.detailed(|details| {
            details.peer_certificates = chain;
            details.is_verified = is_verified;
        })
    }

    /// Adds channel binding data of the type `tls-exporter` (RFC 9266).
    #[must_use]
    pub fn with_exporter(self, octets: [u8; 32]) -> Self {
        self.detailed(|details| details.exporter = Some(octets))
    }

    /// Adds channel binding data of the type `tls-server-end-point` (RFC 5929 section 4).
    #[must_use]
    pub fn with_end_point(self, octets: Vec<u8>) -> Self {
        self.detailed(|details| details.end_point = Some(octets))
    }

    /// Returns whether the octets travel in TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Returns the version of the protocol, written as Postfix logs it (`TLSv1.3`, `TLSv1.2`).
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.details.as_ref()?.version.as_deref()
    }

    /// Returns the cipher suite, by its name in the IANA TLS Cipher Suites registry
    /// (`TLS_AES_256_GCM_SHA384`).
    #[must_use]
    pub fn cipher(&self) -> Option<&str> {
        self.details.as_ref()?.cipher.as_deref()
    }

    /// Returns the server name that the client requested (SNI).
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.details.as_ref()?.server_name.as_deref()
    }

    /// Returns the peer's certificates in DER, its own first; empty if it sent none.
    pub fn peer_certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.details.iter().flat_map(|details| &details.peer_certificates).map(Vec::as_slice)
    }

    /// Returns whether the peer's certificates were verified.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.is_verified)
    }

    /// Returns channel binding data of the type `tls-exporter`.
    #[must_use]
    pub fn exporter(&self) -> Option<&[u8; 32]> {
        self.details.as_ref()?.exporter.as_ref()
    }

    /// Returns the properties of the channel that SASL mechanisms depend on.
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

    /// Returns channel binding data of the type `tls-server-end-point`.
    #[must_use]
    pub fn end_point(&self) -> Option<&[u8]> {
        self.details.as_ref()?.end_point.as_deref()
    }
}

/// A failure of TLS: its kind and, where there is one, the error of the TLS library.
///
/// `Display` shows both. The library's own error is the
/// [`source`](core::error::Error::source); an application that knows the library may downcast it.
///
/// ```
/// use esmtp::security::{TlsFailure, TlsFailureKind};
///
/// let failure = TlsFailure::new(TlsFailureKind::Alert(116));
/// assert_eq!(failure.to_string(), "the peer sent the alert certificate_required (116)");
/// ```
#[derive(Clone)]
pub struct TlsFailure(Arc<Cause>);

struct Cause {
    kind: TlsFailureKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TlsFailure {
    /// Returns a failure of this kind, without an error of the TLS library.
    #[must_use]
    pub fn new(kind: TlsFailureKind) -> Self {
        Self(Arc::new(Cause { kind, source: None }))
    }

    /// Returns a failure of this kind with the error of the TLS library.
    #[must_use]
    pub fn caused_by(kind: TlsFailureKind, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::new(Cause { kind, source: Some(error.into()) }))
    }

    /// Returns the kind of failure.
    #[must_use]
    pub fn kind(&self) -> TlsFailureKind {
        self.0.kind
    }
}

impl From<TlsFailureKind> for TlsFailure {
    fn from(kind: TlsFailureKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)?;
        match &self.0.source {
            // The library may quote the peer, for example the names of its certificate.
            Some(source) => write!(f, ": {}", Escaped(source.to_string().as_bytes())),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause { kind, source } = &*self.0;
        f.debug_struct("TlsFailure").field("kind", kind).field("source", source).finish()
    }
}

impl Error for TlsFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Two failures are equal if they are shown alike.
impl PartialEq for TlsFailure {
    fn eq(&self, other: &Self) -> bool {
        let text = |it: &Self| it.0.source.as_ref().map(ToString::to_string);
        self.kind() == other.kind() && text(self) == text(other)
    }
}

impl Eq for TlsFailure {}

impl Hash for TlsFailure {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
    }
}

/// The kind of a [`TlsFailure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailureKind {
    /// The handshake was not completed in time.
    #[error("the handshake took too long")]
    TimedOut,
    /// The connection ended during the handshake.
    #[error("the connection was lost during the handshake")]
    CutOff,
    /// The session was [told to end](crate::machine::Upgradable::is_stopping) during the handshake.
    #[error("the session was told to end")]
    Stopped,
    /// The application refused the handshake.
    #[error("the application refused the handshake")]
    Refused,
    /// The peer sent octets that are not TLS.
    #[error("the peer sent octets that are not TLS")]
    NotTls,
    /// There is no version of TLS that both sides speak.
    #[error("no version of TLS in common")]
    NoCommonVersion,
    /// There is no cipher suite, group or signature scheme that both sides use.
    #[error("no cipher suite or other parameter of TLS in common")]
    NoCommonParameters,
    /// The certificate of the peer, or one in its chain, has an unknown issuer.
    #[error("the issuer of the certificate is unknown")]
    UnknownIssuer,
    /// The certificate of the peer has expired.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate of the peer is not valid yet.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The certificate of the peer is for another name (RFC 7817 section 3).
    #[error("the certificate is for another name")]
    WrongName,
    /// The certificate of the peer was revoked.
    #[error("the certificate was revoked")]
    Revoked,
    /// The certificate of the peer is not valid for another reason.
    #[error("the certificate is not valid")]
    InvalidCertificate,
    /// The peer sent no certificate, and one is required.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// The peer sent a fatal alert with this description (RFC 8446 section 6.2).
    #[error("the peer sent the alert {} ({_0})", alert_name(*.0))]
    Alert(u8),
    /// A record cannot be decrypted: it was changed or forged on its way.
    #[error("a record was changed or forged")]
    ForgedRecord,
    /// The peer violated the protocol of TLS.
    #[error("the peer violated the TLS protocol")]
    Protocol,
    /// This side cannot do TLS: its configuration or its system lacks something.
    #[error("TLS is not possible with the configuration of this side")]
    Configuration,
    /// Any other failure.
    #[error("TLS failed")]
    Other,
}

/// Returns the name of an alert in the TLS Alerts registry (RFC 8446 appendix B.2).
const fn alert_name(description: u8) -> &'static str {
    match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => "of an unknown name",
    }
}

/// Returns channel binding data of the type `tls-server-end-point` for a server's certificate in
/// DER: its digest, by the digest of its signature, where MD5 and SHA-1 are replaced by SHA-256
/// (RFC 5929 section 4.1).
///
/// Returns `None` when the octets are not a certificate, or its signature has no digest of its own
/// (Ed25519): then this type of binding is not defined.
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

/// The part of ASN.1 that the signature algorithm of a certificate needs.
#[cfg(feature = "scram")]
mod der {
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
    const CONTEXT_0: u8 = 0xA0;

    /// Returns the content of the first element, if it has this tag, and the octets after it.
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

    /// Returns the number of bits of the digest for this signature algorithm.
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
    /// Leaves out the channel binding data, which are derived from the secrets of the channel.
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
    fn a_tls_failure_shows_the_error_of_the_library_without_control_characters() {
        let failure = TlsFailure::caused_by(TlsFailureKind::WrongName, "only for a\u{1b}[2J\r\n");
        let shown = "the certificate is for another name: only for a\\u{1b}[2J\\r\\n";
        assert_eq!(failure.to_string(), shown);
        assert_eq!(failure.source().map(ToString::to_string).unwrap(), "only for a\u{1b}[2J\r\n");
        assert_ne!(failure, TlsFailure::new(TlsFailureKind::WrongName));
        assert_eq!(failure, failure.clone());
        assert_eq!(
            TlsFailureKind::Alert(255).to_string(),
            "the peer sent the alert of an unknown name (255)"
        );
    }

    #[test]
    fn channel_binding_data_is_not_shown() {
        let security =
            Security::TLS.with_exporter([77; 32]).with_peer_certificates(vec![vec![1; 9]], true);
        assert!(!format!("{security:?}").contains("77"));
        assert_eq!(security.peer_certificates().count(), 1);
    }
}
