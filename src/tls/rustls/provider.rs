//! The choice of the cryptography.

use crate::tls::ConfigError;
use ::rustls::crypto::CryptoProvider;
use alloc::{sync::Arc, vec::Vec};
use core::fmt;

/// The cryptography that a [`ClientTls`](crate::tls::ClientTls) uses.
///
/// ```
/// # #[cfg(feature = "ring")] {
/// use esmtp::tls::{ClientTls, rustls::Provider};
/// use std::sync::Arc;
///
/// let provider = Provider::from(Arc::new(rustls::crypto::ring::default_provider()));
/// let tls = ClientTls::new().with_provider(provider);
/// # }
/// ```
#[derive(Clone)]
pub struct Provider(pub(super) Arc<CryptoProvider>);

impl Provider {
    /// Returns the cryptography that is used where the application passes none: that of the process
    /// ([`CryptoProvider::install_default`]), else that of the feature `aws-lc-rs`, else that of `ring`.
    ///
    /// # Errors
    ///
    /// None of these is there.
    pub fn chosen() -> Result<Self, ConfigError> {
        let of_features: Vec<fn() -> CryptoProvider> = alloc::vec![
            #[cfg(feature = "aws-lc-rs")]
            ::rustls::crypto::aws_lc_rs::default_provider,
            #[cfg(feature = "ring")]
            ::rustls::crypto::ring::default_provider,
        ];
        first(CryptoProvider::get_default(), &of_features)
    }
}

/// Returns the provider of the process, else the first of those of the features. The library's own choice
/// panics where both features are on.
fn first(
    of_process: Option<&Arc<CryptoProvider>>,
    of_features: &[fn() -> CryptoProvider],
) -> Result<Provider, ConfigError> {
    match (of_process, of_features.first()) {
        (Some(provider), _) => Ok(Provider(Arc::clone(provider))),
        (None, Some(provider)) => Ok(Provider(Arc::new(provider()))),
        (None, None) => Err(ConfigError::NoProvider),
    }
}

impl From<Arc<CryptoProvider>> for Provider {
    fn from(provider: Arc<CryptoProvider>) -> Self {
        Self(provider)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::rustls::crypto::ring;
    use alloc::string::ToString;

    fn without_suites() -> CryptoProvider {
        CryptoProvider { cipher_suites: Vec::new(), ..ring::default_provider() }
    }

    #[test]
    fn the_provider_of_the_process_comes_before_those_of_the_features() {
        let process = Arc::new(without_suites());
        let chosen = first(Some(&process), &[ring::default_provider]).unwrap();
        assert!(chosen.0.cipher_suites.is_empty());
        let chosen = first(None, &[ring::default_provider, without_suites]).unwrap();
        assert!(!chosen.0.cipher_suites.is_empty());
    }

    #[cfg(all(feature = "aws-lc-rs", feature = "ring"))]
    #[test]
    fn aws_lc_rs_comes_before_ring() {
        let chosen = Provider::chosen().unwrap();
        let post_quantum = ::rustls::NamedGroup::X25519MLKEM768;
        assert!(chosen.0.kx_groups.iter().any(|group| group.name() == post_quantum));
        let ring = ring::default_provider();
        assert!(ring.kx_groups.iter().all(|group| group.name() != post_quantum));
    }

    #[test]
    fn without_any_provider_the_error_names_the_features() {
        let error = first(None, &[]).unwrap_err().to_string();
        assert!(error.contains("`aws-lc-rs`") && error.contains("`ring`"), "{error}");
    }
}
