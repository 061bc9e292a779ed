//! The names of rustls, translated into the registered ones.

use crate::security::{TlsFailure, TlsFailureKind};
use ::rustls::{
    CertificateError, CipherSuite, Error, InvalidMessage, PeerIncompatible, ProtocolVersion,
};
use alloc::{borrow::Cow, format};

/// Returns the version as Postfix logs it.
pub(super) fn version(version: ProtocolVersion) -> Option<&'static str> {
    Some(match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => return None,
    })
}

/// Returns the name of a cipher suite in the IANA TLS Cipher Suites registry. rustls writes those
/// of TLS 1.3 with a prefix of its own.
pub(super) fn cipher(suite: CipherSuite) -> Option<Cow<'static, str>> {
    let name = suite.as_str()?;
    Some(match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}").into(),
        None => name.into(),
    })
}

/// Returns the failure for an error of rustls, with that error.
pub(super) fn failure(error: Error) -> TlsFailure {
    let kind = kind(&error);
    match error {
        // The alert's name is the whole reason.
        Error::AlertReceived(_) => kind.into(),
        error => TlsFailure::caused_by(kind, error),
    }
}

/// Returns the failure for an error of any other kind.
pub(super) fn other(error: std::io::Error) -> TlsFailure {
    TlsFailure::caused_by(TlsFailureKind::Other, error)
}

fn kind(error: &Error) -> TlsFailureKind {
    match error {
        Error::AlertReceived(description) => TlsFailureKind::Alert(u8::from(*description)),
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => TlsFailureKind::NotTls,
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => TlsFailureKind::NoCommonVersion,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => {
            TlsFailureKind::NoCommonParameters
        }
        Error::NoCertificatesPresented => TlsFailureKind::NoCertificate,
        Error::DecryptError => TlsFailureKind::ForgedRecord,
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidEncryptedClientHello(_)
        | Error::InvalidMessage(_)
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord => TlsFailureKind::Protocol,
        Error::UnsupportedNameType
        | Error::FailedToGetCurrentTime
        | Error::FailedToGetRandomBytes
        | Error::BadMaxFragmentSize
        | Error::InvalidCertRevocationList(_)
        | Error::InconsistentKeys(_) => TlsFailureKind::Configuration,
        _ => TlsFailureKind::Other,
    }
}

fn certificate(error: &CertificateError) -> TlsFailureKind {
    match error {
        CertificateError::UnknownIssuer => TlsFailureKind::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            TlsFailureKind::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailureKind::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailureKind::WrongName
        }
        CertificateError::Revoked => TlsFailureKind::Revoked,
        _ => TlsFailureKind::InvalidCertificate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// The cipher suites of the providers, by the IANA TLS Cipher Suites registry.
    const REGISTERED: [(u16, &str); 9] = [
        (0x1301, "TLS_AES_128_GCM_SHA256"),
        (0x1302, "TLS_AES_256_GCM_SHA384"),
        (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
        (0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        (0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        (0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        (0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        (0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        (0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    ];

    #[test]
    fn every_cipher_suite_of_the_providers_has_its_registered_name() {
        for (number, name) in REGISTERED {
            assert_eq!(cipher(CipherSuite::from(number)).as_deref(), Some(name));
        }
        for suite in ::rustls::crypto::ring::ALL_CIPHER_SUITES {
            let number = u16::from(suite.suite());
            assert!(REGISTERED.iter().any(|(registered, _)| *registered == number), "{suite:?}");
        }
    }

    #[test]
    fn no_cipher_suite_that_rustls_knows_has_a_name_of_its_own() {
        let known = (0..=u16::MAX).filter_map(|number| cipher(CipherSuite::from(number)));
        let mut count = 0;
        for name in known {
            assert!(!name.starts_with("TLS1"), "{name}");
            count += 1;
        }
        assert!(count >= REGISTERED.len());
    }

    #[test]
    fn versions_are_written_as_postfix_logs_them() {
        assert_eq!(version(ProtocolVersion::TLSv1_2), Some("TLSv1.2"));
        assert_eq!(version(ProtocolVersion::TLSv1_3), Some("TLSv1.3"));
    }

    #[test]
    fn an_alert_is_named_once() {
        let alert = ::rustls::AlertDescription::from(48);
        let failure = failure(Error::AlertReceived(alert));
        assert_eq!(failure.to_string(), "the peer sent the alert unknown_ca (48)");
    }
}
