//! The mistakes in the configuration of TLS.

use alloc::{string::String, sync::Arc};
use core::error::Error;

/// The reason why TLS cannot be configured, found before anything is sent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no cryptography: neither of the features `aws-lc-rs` and `ring` is on, and the
    /// application has passed no provider.
    #[error(
        "TLS has no cryptography: switch on the feature `aws-lc-rs` or `ring` of esmtp, or pass a \
         provider (tls::rustls::Provider)"
    )]
    NoProvider,
    /// A client has no certificate authorities to trust: neither of the features
    /// `platform-verifier` and `webpki-roots` is on, and the application has passed none.
    #[error(
        "there are no certificate authorities to trust: switch on the feature `platform-verifier` \
         or `webpki-roots` of esmtp, or pass them (ClientTls::with_ca_pem)"
    )]
    NoRoots,
    /// The certificate authorities of the operating system cannot be used.
    #[error("the certificate authorities of the operating system cannot be used: {0}")]
    Platform(#[source] Arc<dyn Error + Send + Sync>),
    /// Text that is not PEM (RFC 7468).
    #[error("{what}: not PEM: {source}")]
    Pem {
        /// The thing that was expected in it.
        what: &'static str,
        /// The error of the parser.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// PEM without the block that was expected in it: certificate and key were swapped, for example, or the name of a
    /// file was passed in place of its content.
    #[error("{what}: the PEM holds no {expected}, but {found}")]
    Missing {
        /// The thing that the PEM was passed for.
        what: &'static str,
        /// The block that was expected: a certificate or a private key.
        expected: &'static str,
        /// The first block that it holds, in words.
        found: &'static str,
    },
    /// Certificates or a key that the TLS library rejects: the key is not that of the certificate,
    /// for example.
    #[error("{what}: {source}")]
    Rejected {
        /// The thing that is rejected.
        what: &'static str,
        /// The error of the TLS library.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A name that no certificate can carry: neither a domain in ASCII nor an IP address.
    #[error("a certificate cannot carry the name `{}`", .0.escape_debug())]
    Name(String),
    /// Settings for a configuration that the application has made itself.
    #[error("certificates and cryptography are set in the configuration of rustls that was passed")]
    OwnConfiguration,
}

impl ConfigError {
    pub(super) fn pem(what: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Pem { what, source: Arc::new(source) }
    }

    pub(super) fn rejected(what: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Rejected { what, source: Arc::new(source) }
    }
}
