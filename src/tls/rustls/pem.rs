//! Certificates and keys from PEM (RFC 7468).

use crate::tls::ConfigError;
use ::rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{Error, PemObject},
};
use alloc::vec::Vec;

/// The start of the line before a block (RFC 7468 section 2).
const BEGIN: &[u8] = b"-----BEGIN ";

/// Returns every certificate in `pem`, at least one.
pub(super) fn certificates(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ConfigError::pem(what, error))?;
    if found.is_empty() { Err(missing(what, "certificate", pem)) } else { Ok(found) }
}

/// Returns the private key in `pem` (PKCS #8, PKCS #1 or SEC 1).
pub(super) fn private_key(
    what: &'static str,
    pem: &[u8],
) -> Result<PrivateKeyDer<'static>, ConfigError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        Error::NoItemsFound => missing(what, "private key", pem),
        // Its header fields are not base64.
        _ if memchr::memmem::find(pem, b"Proc-Type: 4,ENCRYPTED").is_some() => {
            ConfigError::Missing { what, expected: "private key", found: ENCRYPTED }
        }
        error => ConfigError::pem(what, error),
    })
}

const ENCRYPTED: &str = "an encrypted one, which must be decrypted first (`openssl pkey`)";

/// Returns the error for PEM without an expected block, with what it holds in its place.
fn missing(what: &'static str, expected: &'static str, pem: &[u8]) -> ConfigError {
    let label = memchr::memmem::find(pem, BEGIN)
        .and_then(|at| pem.get(at + BEGIN.len()..))
        .and_then(|rest| rest.split(|octet| *octet == b'-').next());
    let found = match label {
        Some(b"ENCRYPTED PRIVATE KEY") => ENCRYPTED,
        Some(b"OPENSSH PRIVATE KEY") => "a key in the format of OpenSSH",
        Some(label) if label.ends_with(b"PRIVATE KEY") => {
            "a private key: were certificate and key swapped?"
        }
        Some(b"CERTIFICATE") => "a certificate: were certificate and key swapped?",
        Some(b"TRUSTED CERTIFICATE") => "a certificate in the format of OpenSSL alone",
        Some(label) if label.ends_with(b"CERTIFICATE REQUEST") => "a request for a certificate",
        Some(label) if label.ends_with(b"PUBLIC KEY") => "a public key",
        Some(_) => "other blocks",
        None => "no block at all: it is DER, or the name of a file, whose content is needed",
    };
    ConfigError::Missing { what, expected, found }
}
