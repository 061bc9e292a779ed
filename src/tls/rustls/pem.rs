//! Certificates and keys from PEM (RFC 7468).

use crate::tls::ConfigError;
use ::rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{Error, PemObject},
};
use alloc::vec::Vec;

/// Returns every certificate in `pem`, at least one.
pub(super) fn certificates(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ConfigError::pem(what, error))?;
    if found.is_empty() { Err(ConfigError::Missing("certificate")) } else { Ok(found) }
}

/// Returns the private key in `pem` (PKCS #8, PKCS #1 or SEC 1).
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, ConfigError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        Error::NoItemsFound => ConfigError::Missing("private key"),
        error => ConfigError::pem("the private key", error),
    })
}
