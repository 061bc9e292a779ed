//! The certificates that a client trusts.

use esmtp::tls::ClientTls;
use std::{error::Error, path::Path};

/// The certificates that a client trusts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trust<'a> {
    /// The roots of the operating system, or of Mozilla: as the features of the crate say.
    Roots,
    /// The certificates in this file, as authorities or as the certificate of the server itself.
    Only(&'a Path),
    /// Any certificate: TLS then protects against eavesdroppers, not against an attacker in the middle.
    Any,
}

/// Returns a client's TLS.
pub(crate) fn client(trust: Trust<'_>) -> Result<ClientTls, Box<dyn Error>> {
    Ok(match trust {
        Trust::Roots => ClientTls::new(),
        Trust::Only(path) => {
            let pem = std::fs::read(path)?;
            ClientTls::new().with_ca_pem(pem)?
        }
        Trust::Any => ClientTls::new().without_verification(),
    })
}
