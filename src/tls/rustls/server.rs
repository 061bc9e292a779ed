//! The TLS of a server as a value.

use super::{pem, provider::Provider};
use crate::tls::ConfigError;
use ::rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{ClientHello, WebPkiClientVerifier},
};
use alloc::{sync::Arc, vec::Vec};
use core::fmt;

/// The TLS of a server: its certificate, or one for each name, and the clients' certificates that it
/// asks for. It is cheap to clone.
///
/// ```
/// use esmtp::tls::ServerTls;
///
/// # fn of(chain: &[u8], key: &[u8]) -> Result<(), esmtp::tls::ConfigError> {
/// let tls = ServerTls::from_pem(chain, key)?;
/// # Ok(())
/// # }
/// ```
///
/// The cryptography is that of the process, of the feature `aws-lc-rs`, or of `ring`, in this order. A
/// configuration of rustls is taken over by `From<Arc<rustls::ServerConfig>>`.
#[derive(Clone)]
pub struct ServerTls(Kind);

#[derive(Clone)]
enum Kind {
    One(Arc<One>),
    Choosing(Arc<dyn Choose>),
}

/// A configuration, and what rustls does not tell of it.
pub(super) struct One {
    pub(super) config: Arc<ServerConfig>,
    pub(super) is_verifying: bool,
    pub(super) end_point: Option<Vec<u8>>,
    /// The certificate and the key that the configuration was made of.
    identity: Option<Identity>,
}

#[derive(Clone)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

/// Whether a server continues without the certificate of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// A certificate is asked for, and a session without one continues: for SASL EXTERNAL.
    Wanted,
    /// The handshake fails without one.
    Required,
}

impl ServerTls {
    /// Returns TLS with a certificate in PEM, those of its issuers after it, and its private key.
    ///
    /// Channel binding of the type `tls-server-end-point` is offered where the feature `scram` is on.
    ///
    /// # Errors
    ///
    /// One of them is not PEM or unusable, they do not belong together, or there is no cryptography.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let chain = pem::certificates("the certificate of the server", chain.as_ref())?;
        let key = Arc::new(pem::private_key("the key of the server", key.as_ref())?);
        Self::make(Identity { chain, key }, None)
    }

    /// Returns TLS whose certificate depends on the name that the client wants to reach (SNI).
    ///
    /// ```
    /// use esmtp::tls::{Choice, ServerTls};
    ///
    /// # fn two(org: ServerTls, net: ServerTls) -> ServerTls {
    /// ServerTls::choosing(move |hello| match hello.server_name() {
    ///     Some("mx.example.net") => Choice::Use(net.clone()),
    ///     _ => Choice::Use(org.clone()),
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn choosing(choose: impl Fn(&Hello<'_>) -> Choice + Send + Sync + 'static) -> Self {
        Self(Kind::Choosing(Arc::new(choose)))
    }

    /// Asks clients for a certificate from one of the authorities in `pem`. Another certificate fails the
    /// handshake.
    ///
    /// # Errors
    ///
    /// `pem` is not PEM or holds no certificate, or the certificate of this server was not given by
    /// [`from_pem`](Self::from_pem).
    pub fn with_client_ca_pem(
        self,
        pem: impl AsRef<[u8]>,
        certificates: ClientCertificates,
    ) -> Result<Self, ConfigError> {
        let Kind::One(one) = &self.0 else { return Err(ConfigError::OwnConfiguration) };
        let identity = one.identity.clone().ok_or(ConfigError::OwnConfiguration)?;
        let authorities = pem::certificates("the authorities of clients", pem.as_ref())?;
        Self::make(identity, Some((authorities, certificates)))
    }

    /// States that the verifier in a configuration of rustls accepts every certificate of a client, so that
    /// none is reported as [verified](crate::security::Security::is_verified).
    #[must_use]
    pub fn without_verification(self) -> Self {
        self.with(|one| one.is_verifying = false)
    }

    /// Sets channel binding data of the type `tls-server-end-point` for the certificate in a configuration
    /// of rustls, which does not tell it.
    #[must_use]
    pub fn with_end_point(self, octets: Vec<u8>) -> Self {
        self.with(|one| one.end_point = Some(octets))
    }

    fn with(self, change: impl FnOnce(&mut One)) -> Self {
        let Kind::One(one) = &self.0 else { return self };
        let mut one = One {
            config: Arc::clone(&one.config),
            is_verifying: one.is_verifying,
            end_point: one.end_point.clone(),
            identity: one.identity.clone(),
        };
        change(&mut one);
        Self(Kind::One(Arc::new(one)))
    }

    fn make(
        identity: Identity,
        clients: Option<(Vec<CertificateDer<'static>>, ClientCertificates)>,
    ) -> Result<Self, ConfigError> {
        const WHAT: &str = "the authorities of clients";
        let provider = Provider::chosen()?.0;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::rejected("the cryptography", error))?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some((authorities, certificates)) => {
                let mut roots = RootCertStore::empty();
                for authority in authorities {
                    roots.add(authority).map_err(|error| ConfigError::rejected(WHAT, error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match certificates {
                    ClientCertificates::Wanted => verifier.allow_unauthenticated(),
                    ClientCertificates::Required => verifier,
                };
                let verifier =
                    verifier.build().map_err(|error| ConfigError::rejected(WHAT, error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let Identity { chain, key } = identity.clone();
        #[cfg(feature = "scram")]
        let end_point = chain.first().and_then(|own| crate::security::end_point(own));
        #[cfg(not(feature = "scram"))]
        let end_point = None;
        let config = builder
            .with_single_cert(chain, key.clone_key())
            .map_err(|error| ConfigError::rejected("the certificate of the server", error))?;
        Ok(Self(Kind::One(Arc::new(One {
            config: Arc::new(config),
            is_verifying: true,
            end_point,
            identity: Some(identity),
        }))))
    }

    /// Returns the configuration, unless it depends on the ClientHello.
    pub(super) const fn one(&self) -> Option<&Arc<One>> {
        match &self.0 {
            Kind::One(one) => Some(one),
            Kind::Choosing(_) => None,
        }
    }

    /// Decides for a ClientHello.
    pub(super) fn choose(&self, hello: &Hello<'_>) -> Chosen {
        let mut tls = self.clone();
        // A choice may be the choice of another function, but not without end.
        for _ in 0..8 {
            let choose = match tls.0 {
                Kind::One(one) => return Chosen::One(one),
                Kind::Choosing(choose) => choose,
            };
            match choose.choose(hello) {
                Choice::Use(chosen) => tls = chosen,
                Choice::Later => return Chosen::Later,
                Choice::Refuse => break,
            }
        }
        Chosen::Refused
    }
}

/// A decision that needs no further question.
pub(super) enum Chosen {
    One(Arc<One>),
    Later,
    Refused,
}

/// The choice of a configuration, made for each handshake.
trait Choose: Send + Sync {
    fn choose(&self, hello: &Hello<'_>) -> Choice;
}

impl<F: Fn(&Hello<'_>) -> Choice + Send + Sync> Choose for F {
    fn choose(&self, hello: &Hello<'_>) -> Choice {
        self(hello)
    }
}

/// The decision of [`ServerTls::choosing`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Choice {
    /// Use this certificate.
    Use(ServerTls),
    /// The decision will come by [`Secured::choose`](crate::tls::Secured::choose), before the deadline
    /// of the handshake. The task that will make it must be notified now.
    Later,
    /// Refuse the handshake, which fails.
    Refuse,
}

/// The first message of a client's handshake (ClientHello).
///
/// `AsRef<rustls::server::ClientHello>` gives all of it.
pub struct Hello<'a>(pub(super) ClientHello<'a>);

impl Hello<'_> {
    /// Returns the name that the client wants to reach (SNI, RFC 6066 section 3), in lower case.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.0.server_name()
    }
}

impl<'a> AsRef<ClientHello<'a>> for Hello<'a> {
    fn as_ref(&self) -> &ClientHello<'a> {
        &self.0
    }
}

impl fmt::Debug for Hello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello").field("server_name", &self.server_name()).finish_non_exhaustive()
    }
}

impl From<Arc<ServerConfig>> for ServerTls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(Kind::One(Arc::new(One {
            config,
            is_verifying: true,
            end_point: None,
            identity: None,
        })))
    }
}

impl From<ServerConfig> for ServerTls {
    fn from(config: ServerConfig) -> Self {
        Arc::new(config).into()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ServerTls");
        match &self.0 {
            Kind::One(one) => shown.field("is_verifying", &one.is_verifying),
            Kind::Choosing(_) => shown.field("is_choosing", &true),
        };
        shown.finish_non_exhaustive()
    }
}
