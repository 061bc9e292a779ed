//! Mistakes in a configuration, found before the first client comes.

use crate::sasl::OfferError;

/// The reason why a server cannot do what its configuration says.
///
/// [`Config::check`](super::Config::check) returns it, and so do the functions of the adapters that
/// accept a connection, as an error of the kind `InvalidInput`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// STARTTLS is offered, and no TLS layer is there to do the handshake.
    #[error(
        "STARTTLS is offered without a TLS layer: serve with one (Options::with_start_tls, \
         Connection::accept_tls, or tls::Secured without an adapter), or do not offer STARTTLS"
    )]
    StartTlsWithoutLayer,
    /// REQUIRETLS is offered, which exists in TLS only (RFC 8689 section 2), and there is no TLS layer.
    #[error(
        "REQUIRETLS is offered without a TLS layer: serve with one (Options::with_start_tls, \
         Connection::accept_tls, or tls::Secured without an adapter), or do not offer REQUIRETLS"
    )]
    RequireTlsWithoutLayer,
    /// TLS is required of every client, and there is no TLS layer.
    #[error(
        "TLS is required without a TLS layer: serve with one (Options::with_start_tls, \
         Connection::accept_tls, or tls::Secured without an adapter), or remove Config::with_required_tls"
    )]
    RequiredTlsWithoutLayer,
    /// Every mechanism of AUTH needs TLS (RFC 4954 section 4), and there is no TLS layer.
    #[error(
        "every mechanism that AUTH offers needs TLS, and there is no TLS layer: serve with one \
         (Options::with_start_tls, Connection::accept_tls, or tls::Secured without an adapter), or permit \
         passwords in the clear (Offer::with_secrets_in_clear)"
    )]
    AuthWithoutLayer,
    /// MAIL is accepted after AUTH only (the default for submission, RFC 6409 section 4.3), and no mechanism is
    /// offered: no client could send a message.
    #[error(
        "AUTH is required before MAIL, and none is offered: offer mechanisms (Config::with_auth), or do \
         not require AUTH (Config::with_required_auth)"
    )]
    RequiredAuthWithoutOffer,
    /// The offer of AUTH has a mechanism that cannot work.
    #[error(transparent)]
    Auth(#[from] OfferError),
}
