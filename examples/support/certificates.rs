//! A server's certificate.

use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{error::Error, path::Path, sync::Arc};

/// Returns a server's configuration with the certificate in these files, or with a self-signed one.
pub(crate) fn server(
    files: Option<(&Path, &Path)>,
    host: &str,
) -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let (chain, key) = match files {
        Some((chain, key)) => (
            CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?,
            PrivateKeyDer::from_pem_file(key)?,
        ),
        None => {
            let pair = rcgen::generate_simple_self_signed([host.to_owned()])?;
            let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der())?;
            (vec![pair.cert.der().clone()], key)
        }
    };
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}
