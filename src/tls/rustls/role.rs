//! The role in the TLS handshake.

use super::{server::ServerTls, verifier::Verifier};
use ::rustls::{ClientConfig, pki_types::ServerName};
use alloc::sync::Arc;
use core::fmt;

/// The role in the TLS handshake: that of a client comes from
/// [`ClientTls::for_host`](crate::tls::ClientTls::for_host), that of a server is a [`ServerTls`].
#[derive(Clone)]
pub struct Role(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    /// Begins the handshake.
    Client(Arc<ClientRole>),
    /// Answers the handshake.
    Server(ServerTls),
}

/// A client that connects to one host.
pub(super) struct ClientRole {
    pub(super) config: Arc<ClientConfig>,
    /// The name that the certificate must have.
    pub(super) name: ServerName<'static>,
    /// The verifier that tells afterwards whether a certificate that was accepted is valid.
    pub(super) judge: Option<Verifier>,
    pub(super) is_verifying: bool,
}

impl Role {
    pub(super) fn client(role: ClientRole) -> Self {
        Self(Kind::Client(Arc::new(role)))
    }
}

impl From<ServerTls> for Role {
    fn from(tls: ServerTls) -> Self {
        Self(Kind::Server(tls))
    }
}

impl From<&ServerTls> for Role {
    fn from(tls: &ServerTls) -> Self {
        Self(Kind::Server(tls.clone()))
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Client(client) => {
                f.debug_tuple("Client").field(&client.name).finish_non_exhaustive()
            }
            Kind::Server(_) => f.debug_tuple("Server").finish_non_exhaustive(),
        }
    }
}
