//! The certificates of servers that a client accepts.

use super::provider::Provider;
use crate::tls::ConfigError;
use ::rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use alloc::{sync::Arc, vec::Vec};

/// A verifier, shared by connections.
pub(super) type Verifier = Arc<dyn ServerCertVerifier>;

/// Returns a verifier that accepts certificates from the given authorities, and the given certificates
/// themselves.
pub(super) fn given(
    known: &[CertificateDer<'static>],
    provider: &Provider,
) -> Result<Verifier, ConfigError> {
    const WHAT: &str = "the certificate authorities";
    let mut roots = RootCertStore::empty();
    for certificate in known {
        roots.add(certificate.clone()).map_err(|error| ConfigError::rejected(WHAT, error))?;
    }
    let inner = of_roots(roots, provider).map_err(|error| ConfigError::rejected(WHAT, error))?;
    Ok(Arc::new(Pinned { known: known.to_vec(), inner }))
}

/// Returns a verifier that accepts certificates from the authorities of the feature that is on.
#[cfg(feature = "platform-verifier")]
pub(super) fn of_features(provider: &Provider) -> Result<Verifier, ConfigError> {
    match rustls_platform_verifier::Verifier::new(Arc::clone(&provider.0)) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) => Err(ConfigError::Platform(Arc::new(error))),
    }
}

/// Returns a verifier that accepts certificates from the authorities of the feature that is on.
#[cfg(all(feature = "webpki-roots", not(feature = "platform-verifier")))]
pub(super) fn of_features(provider: &Provider) -> Result<Verifier, ConfigError> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let verifier = of_roots(roots, provider)
        .map_err(|error| ConfigError::rejected("the certificate authorities", error))?;
    Ok(verifier)
}

/// Returns that there are no certificate authorities.
#[cfg(not(any(feature = "webpki-roots", feature = "platform-verifier")))]
pub(super) fn of_features(_: &Provider) -> Result<Verifier, ConfigError> {
    Err(ConfigError::NoRoots)
}

fn of_roots(
    roots: RootCertStore,
    provider: &Provider,
) -> Result<Arc<WebPkiServerVerifier>, ::rustls::client::VerifierBuilderError> {
    let provider = Arc::clone(&provider.0);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()
}

/// Returns a verifier that accepts every certificate.
pub(super) fn any(provider: &Provider) -> Verifier {
    Arc::new(Any(provider.0.signature_verification_algorithms))
}

/// A verifier of given certificates: of those that they have signed, and of them themselves, as a
/// self-signed certificate of a server is often marked as an authority.
#[derive(Debug)]
struct Pinned {
    known: Vec<CertificateDer<'static>>,
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match verdict {
            // The issuer is unknown, or the certificate is marked as an authority: its dates were
            // checked before that, and its name is not yet.
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) if self.known.iter().any(|known| known == end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A verifier of every certificate, which checks the signatures of the handshake only.
#[derive(Debug)]
struct Any(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
#[cfg(all(feature = "ring", not(any(feature = "webpki-roots", feature = "platform-verifier"))))]
mod tests {
    use crate::tls::{ClientTls, ConfigError};

    #[test]
    fn without_roots_a_client_has_nothing_to_trust() {
        let error = ClientTls::new().for_host("mx.example.org").unwrap_err();
        assert!(matches!(error, ConfigError::NoRoots));
        let error = alloc::string::ToString::to_string(&error);
        for remedy in ["`platform-verifier`", "`webpki-roots`", "ClientTls::with_ca_pem"] {
            assert!(error.contains(remedy), "{error}");
        }
        // Opportunistic TLS trusts nothing, and needs no roots.
        assert!(ClientTls::new().without_verification().for_host("mx.example.org").is_ok());
    }
}
