//! The TLS of a client as a value.

use super::{
    pem,
    provider::Provider,
    role::{ClientRole, Role},
    verifier::{self, Verifier},
};
use crate::tls::ConfigError;
use ::rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use alloc::{borrow::ToOwned, sync::Arc, vec::Vec};
use core::fmt;
use std::sync::OnceLock;

/// The TLS of a client: which certificates it trusts, and its own.
///
/// It is cheap to clone, and its clones share sessions to resume. The certificate authorities that a
/// client trusts are, in this order:
///
/// 1. those that the application gives ([`with_ca_pem`](Self::with_ca_pem),
///    [`with_ca_der`](Self::with_ca_der)), and no others;
/// 2. with the feature `platform-verifier`, those of the operating system;
/// 3. with the feature `webpki-roots`, those of Mozilla, built in.
///
/// The cryptography is that of the application ([`with_provider`](Self::with_provider)), of the process,
/// of the feature `aws-lc-rs`, or of `ring`, in this order ([`Provider::chosen`]).
///
/// ```
/// use esmtp::tls::ClientTls;
///
/// # fn of(ca: &[u8], chain: &[u8], key: &[u8]) -> Result<(), esmtp::tls::ConfigError> {
/// let public = ClientTls::new();
/// let of_a_company = ClientTls::new().with_ca_pem(ca)?.with_client_certificate(chain, key)?;
/// # Ok(())
/// # }
/// ```
///
/// A configuration of rustls is taken over by `From<Arc<rustls::ClientConfig>>`.
#[derive(Clone)]
pub struct ClientTls {
    source: Arc<Source>,
    server_name: Option<ServerName<'static>>,
    is_verifying: bool,
}

enum Source {
    /// The configuration of the application.
    Own(Arc<ClientConfig>),
    /// Settings, and what was made of them at their first use.
    Settings { settings: Settings, made: OnceLock<Result<Made, ConfigError>> },
    /// Settings for the configuration of the application.
    Conflict,
}

#[derive(Clone, Default)]
struct Settings {
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
    provider: Option<Provider>,
    accepts_any: bool,
}

/// The certificate of the client, with those of its issuers, and its key.
#[derive(Clone)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

#[derive(Clone)]
struct Made {
    config: Arc<ClientConfig>,
    /// The verifier that tells afterwards whether a certificate that was accepted is valid.
    judge: Option<Verifier>,
}

impl Default for ClientTls {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientTls {
    /// Returns TLS with the certificate authorities and the cryptography that the features of this crate
    /// provide, without a certificate of the client.
    ///
    /// Without authorities or without cryptography, a session fails as it begins ([`for_host`](Self::for_host)).
    #[must_use]
    pub fn new() -> Self {
        Self {
            source: Arc::new(Source::of(Settings::default())),
            server_name: None,
            is_verifying: true,
        }
    }

    /// Trusts the certificates in `pem` as authorities, or as the certificate of the server itself, and
    /// those of an earlier call; no others.
    ///
    /// # Errors
    ///
    /// `pem` is not PEM, or holds no certificate.
    #[doc(alias("root_certificate", "trust"))]
    pub fn with_ca_pem(self, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let certificates = pem::certificates("the certificate authorities", pem.as_ref())?;
        Ok(self.with(|settings| settings.authorities.extend(certificates)))
    }

    /// Trusts a certificate in DER, like [`with_ca_pem`](Self::with_ca_pem).
    #[must_use]
    pub fn with_ca_der(self, certificate: impl Into<Vec<u8>>) -> Self {
        let certificate = CertificateDer::from(certificate.into());
        self.with(|settings| settings.authorities.push(certificate))
    }

    /// Sets the certificate of this client, with those of its issuers after it, and its private key, as
    /// SASL EXTERNAL and some relays need it.
    ///
    /// # Errors
    ///
    /// One of them is not PEM, or holds no certificate or key. Whether they belong together is known
    /// when a session begins.
    pub fn with_client_certificate(
        self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        let chain = pem::certificates("the certificate of the client", chain.as_ref())?;
        let key = Arc::new(pem::private_key("the key of the client", key.as_ref())?);
        Ok(self.with(|settings| settings.identity = Some(Identity { chain, key })))
    }

    /// Sets the cryptography.
    #[must_use]
    pub fn with_provider(self, provider: Provider) -> Self {
        self.with(|settings| settings.provider = Some(provider))
    }

    /// Sets the name that the certificate of the server must have, where it is not the host that is
    /// connected to: through a tunnel, for example. It is also the name in SNI.
    ///
    /// # Errors
    ///
    /// `name` is neither a domain in ASCII nor an IP address.
    pub fn with_server_name(mut self, name: &str) -> Result<Self, ConfigError> {
        self.server_name = Some(parse_name(name)?);
        Ok(self)
    }

    /// Accepts every certificate (opportunistic TLS, RFC 7435): this keeps out an eavesdropper,
    /// not an attacker in the middle. With a configuration of the application, states that its verifier
    /// does so.
    ///
    /// [`Security::is_verified`](crate::security::Security::is_verified) still tells whether the
    /// certificate is valid, as far as there are authorities to trust. A client shows passwords and
    /// tokens only to a server that is verified.
    #[doc(alias("accept_invalid_certs", "danger_accept_invalid_certs", "insecure"))]
    #[must_use]
    pub fn without_verification(mut self) -> Self {
        if let Source::Own(_) = *self.source {
            self.is_verifying = false;
            return self;
        }
        self.with(|settings| settings.accepts_any = true)
    }

    /// Returns the role of a client that connects to `host`, a domain or an IP address: for
    /// [`Secured`](crate::tls::Secured).
    ///
    /// # Errors
    ///
    /// There are no authorities to trust or no cryptography, a certificate is unusable, or `host` is
    /// not a name that a certificate can carry.
    pub fn for_host(&self, host: &str) -> Result<Role, ConfigError> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => parse_name(host)?,
        };
        let (config, judge, is_verifying) = match &*self.source {
            Source::Own(config) => (Arc::clone(config), None, self.is_verifying),
            Source::Conflict => return Err(ConfigError::OwnConfiguration),
            Source::Settings { settings, made } => {
                let Made { config, judge } = made.get_or_init(|| settings.make()).clone()?;
                (config, judge, !settings.accepts_any)
            }
        };
        Ok(Role::client(ClientRole { config, name, judge, is_verifying }))
    }

    /// Changes the settings; sessions that can be resumed stay with the settings before.
    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let source = match &*self.source {
            Source::Settings { settings, .. } => {
                let mut settings = settings.clone();
                change(&mut settings);
                Source::of(settings)
            }
            Source::Own(_) | Source::Conflict => Source::Conflict,
        };
        self.source = Arc::new(source);
        self
    }
}

impl Source {
    const fn of(settings: Settings) -> Self {
        Self::Settings { settings, made: OnceLock::new() }
    }
}

impl Settings {
    fn make(&self) -> Result<Made, ConfigError> {
        let provider = match &self.provider {
            Some(provider) => provider.clone(),
            None => Provider::chosen()?,
        };
        let verifier = match self.authorities.as_slice() {
            [] => verifier::of_features(&provider),
            given => verifier::given(given, &provider),
        };
        let (verifier, judge) = match self.accepts_any {
            true => (verifier::any(&provider), verifier.ok()),
            false => (verifier?, None),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider.0))
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::rejected("the cryptography", error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| ConfigError::rejected("the certificate of the client", error))?,
        };
        Ok(Made { config: Arc::new(config), judge })
    }
}

/// Returns the name of a server; the brackets of an address literal may stand around an address.
fn parse_name(name: &str) -> Result<ServerName<'static>, ConfigError> {
    let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let literal = literal.map(|rest| rest.strip_prefix("IPv6:").unwrap_or(rest));
    // The dot of a fully qualified domain is no part of the name (RFC 6066 section 3).
    let bare = literal.unwrap_or_else(|| name.strip_suffix('.').unwrap_or(name));
    ServerName::try_from(bare.to_owned()).map_err(|_| ConfigError::Name(name.to_owned()))
}

impl From<Arc<ClientConfig>> for ClientTls {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self { source: Arc::new(Source::Own(config)), server_name: None, is_verifying: true }
    }
}

impl From<ClientConfig> for ClientTls {
    fn from(config: ClientConfig) -> Self {
        Arc::new(config).into()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientTls");
        shown.field("server_name", &self.server_name);
        if let Source::Settings { settings, .. } = &*self.source {
            shown
                .field("authorities", &settings.authorities.len())
                .field("has_certificate", &settings.identity.is_some())
                .field("accepts_any", &settings.accepts_any);
        }
        shown.finish_non_exhaustive()
    }
}
