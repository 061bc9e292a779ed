//! A server's certificate.

use esmtp::tls::ServerTls;
use std::{error::Error, path::Path};

/// Returns a server's TLS with the certificate in these files, or with a self-signed one.
pub(crate) fn server(
    files: Option<(&Path, &Path)>,
    host: &str,
) -> Result<ServerTls, Box<dyn Error>> {
    let (chain, key) = match files {
        Some((chain, key)) => (std::fs::read(chain)?, std::fs::read(key)?),
        None => {
            let pair = rcgen::generate_simple_self_signed([host.to_owned()])?;
            (pair.cert.pem().into_bytes(), pair.signing_key.serialize_pem().into_bytes())
        }
    };
    Ok(ServerTls::from_pem(chain, key)?)
}
